"""Networks for the tests of the figures: Norway by hand, and random ones."""

from hypothesis import strategies as st

from energy_sim.zones.model import Link, Network, Zone

NORWAY_LINKS_MW = {
    ("NO1", "NO2"): (2200, 3500),
    ("NO1", "NO3"): (500, 500),
    ("NO1", "NO5"): (600, 3900),
    ("NO2", "NO5"): (500, 600),
    ("NO3", "NO4"): (400, 1200),
    ("NO3", "NO5"): (800, 500),
}
NORWAY_AT = {"NO1": (11.3, 60.7), "NO2": (7.6, 58.6), "NO3": (10.0, 63.2), "NO4": (14.9, 66.6), "NO5": (5.9, 61.0)}
COLORS = ("#E69F00", "#56B4E9", "#CC79A7", "#009E73", "#F0E442", "#0072B2", "#D55E00")


def zone(zone_id: str, lon: float, lat: float, color: str = "#56B4E9") -> Zone:
    return Zone(zone_id, f"Zone {zone_id}", 100.0, 1000.0, 850.0, 650.0, 1.0, 240.0, 500.0, lon, lat, color)


def norway() -> Network:
    zones = tuple(zone(z, *at, color) for (z, at), color in zip(NORWAY_AT.items(), COLORS, strict=False))
    links = []
    for (a, b), (forth, back) in NORWAY_LINKS_MW.items():
        links += [Link(a, b, 24.0 * forth), Link(b, a, 24.0 * back)]
    return Network(zones, tuple(links))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """2 to 7 zones anywhere in the northern half of Europe, some at the very same place, some called as in Norway."""
    n = draw(st.integers(2, 7))
    names = draw(st.permutations(["NO1", "NO4", "NO5", "SE3", "DK1", "FI", "X"]))[:n]
    places = st.tuples(st.floats(-5, 25), st.floats(54, 70))
    shared = draw(places)
    at = [draw(st.one_of(places, st.just(shared))) for _ in range(n)]
    pairs = [(a, b) for a in names for b in names if a != b]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=14, unique=True))
    zones = tuple(zone(z, *p, c) for z, p, c in zip(names, at, COLORS, strict=False))
    return Network(zones, tuple(Link(a, b, draw(st.sampled_from([0.0, 500.0, 2400.0]))) for a, b in chosen))
