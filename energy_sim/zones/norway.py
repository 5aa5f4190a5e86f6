"""The Norwegian set-up: bidding zones NO1-NO5 with their reservoirs and the lines between them.

Sources: reservoir capacity, lowest and typical fill from NVE's reservoir statistics (NLOD, attribution to NVE); turbine
capacity and transfer capacities as published for the bidding zones by Statnett and Nordic system models (2022-2024).
NVE gives reservoirs and inflow in electrical equivalents, hence the efficiency of 1.0.
"""

from energy_sim.zones.model import Link, Network, Zone

HOURS_PER_DAY = 24.0
FORCE_EXPORT_SHARE = 0.85
TARGET_SHARE = 0.65

# id, name, capacity TWh, lowest %, start %, turbines MW, lon, lat, colour (Okabe-Ito, colour-blind safe)
_ZONES = (
    ("NO1", "Eastern Norway", 6.00, 7.0, 61.7, 2608.0, 11.3, 60.7, "#E69F00"),
    ("NO2", "Southern Norway", 33.99, 15.2, 71.7, 9847.0, 7.6, 58.6, "#56B4E9"),
    ("NO3", "Central Norway", 9.12, 11.3, 61.1, 2928.0, 10.0, 63.2, "#009E73"),
    ("NO4", "Northern Norway", 20.87, 26.0, 64.5, 4509.0, 14.9, 66.6, "#CC79A7"),
    ("NO5", "Western Norway", 17.30, 9.5, 66.5, 7163.0, 5.9, 61.0, "#D55E00"),
)

# pair, MW from the first to the second, MW back
_LINKS = (
    ("NO1", "NO2", 2200.0, 3500.0),
    ("NO1", "NO3", 500.0, 500.0),
    ("NO1", "NO5", 600.0, 3900.0),
    ("NO2", "NO5", 500.0, 600.0),
    ("NO3", "NO4", 400.0, 1200.0),
    ("NO3", "NO5", 800.0, 500.0),
)


def norway(hydro_efficiency: float = 1.0, loss_factor: float = 0.0) -> Network:
    """The network of the five zones.

    Args:
        hydro_efficiency: share of gross potential energy that becomes electricity; 1.0 for NVE's net figures, about 0.9
            for gross data.
        loss_factor: share of the energy lost on every line, in [0, 1).
    """
    zones = tuple(
        Zone(
            id=zone_id,
            name=name,
            hydro_min_mwh=capacity * 1e6 * lowest / 100,
            hydro_max_mwh=capacity * 1e6,
            hydro_force_export_mwh=capacity * 1e6 * FORCE_EXPORT_SHARE,
            hydro_target_mwh=capacity * 1e6 * TARGET_SHARE,
            hydro_efficiency=hydro_efficiency,
            hydro_max_daily_production_mwh=turbines * HOURS_PER_DAY,
            initial_level_mwh=capacity * 1e6 * start / 100,
            lon=lon,
            lat=lat,
            color=color,
        )
        for zone_id, name, capacity, lowest, start, turbines, lon, lat, color in _ZONES
    )
    links = tuple(
        Link(source, target, megawatt * HOURS_PER_DAY, loss_factor)
        for first, second, forth, back in _LINKS
        for source, target, megawatt in ((first, second, forth), (second, first, back))
    )
    return Network(zones, links)
