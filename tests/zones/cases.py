"""Networks and inputs for tests: a small one to work out by hand, and random ones for properties."""

import numpy as np
from hypothesis import strategies as st

from energy_sim.zones.model import Factors, Link, Network, Switches, Zone, ZoneInputs


def make_zone(name: str, **changes: float) -> Zone:
    """A zone of 1,000 MWh storage from 100, 200 MWh a day of turbines, half full; changed as asked."""
    values = {
        "hydro_min_mwh": 100.0,
        "hydro_max_mwh": 1000.0,
        "hydro_force_export_mwh": 850.0,
        "hydro_target_mwh": 650.0,
        "hydro_efficiency": 1.0,
        "hydro_max_daily_production_mwh": 200.0,
        "initial_level_mwh": 500.0,
        "lon": 10.0,
        "lat": 60.0,
    }
    return Zone(id=name, name=f"Zone {name}", color="#56B4E9", **{**values, **changes})


def make_inputs(network: Network, wind, demand, inflow, start: str = "2016-01-01") -> ZoneInputs:
    """Inputs from (T, Z) lists; the opening levels are the zones' own."""
    demand = np.array(demand, dtype=float)
    days = len(demand)
    dates = np.datetime64(start, "D") + np.arange(days)
    nothing = np.full(demand.shape, np.nan)
    return ZoneInputs(
        zones=network.ids,
        dates=dates,
        wind_mwh=np.array(wind, dtype=float).reshape(demand.shape),
        demand_mwh=demand,
        inflow_mwh=np.array(inflow, dtype=float).reshape(demand.shape),
        initial_level_mwh=np.array([z.initial_level_mwh for z in network.zones]),
        reference_level_mwh=nothing,
        median_level_mwh=nothing,
        inflow_years_mwh={},
        fills=(),
    )


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """2-7 zones, losses, zero capacities, parallel links, levels anywhere (below the minimum too)."""
    count = draw(st.integers(2, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    zones = []
    for i in range(count):
        low, size = rng.uniform(0, 500), rng.uniform(100, 3000)
        top = low + size
        zones.append(
            make_zone(
                f"Z{i}",
                hydro_min_mwh=low,
                hydro_max_mwh=top,
                hydro_force_export_mwh=low + size * rng.uniform(0, 1),
                hydro_efficiency=rng.choice([1.0, 0.9, rng.uniform(0.3, 1)]),
                hydro_max_daily_production_mwh=rng.choice([0.0, rng.uniform(0, 600), 5000.0]),
                initial_level_mwh=rng.uniform(0, top),
            )
        )
    links = []
    for _ in range(draw(st.integers(0, count * (count - 1) + 2))):
        a, b = rng.choice(count, 2, replace=False)
        capacity = rng.choice([0.0, rng.uniform(0, 400), rng.uniform(0, 400)])
        links.append(Link(f"Z{a}", f"Z{b}", float(capacity), float(rng.choice([0.0, rng.uniform(0, 0.5)]))))
    return Network(tuple(zones), tuple(links))


@st.composite
def runs(draw: st.DrawFn) -> tuple[Network, ZoneInputs, Switches, Factors]:
    """A random network with 1-12 random days, switches and factors."""
    network = draw(networks())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 12)), len(network.zones))
    wind = rng.uniform(0, 400, shape) * (rng.random(shape) < 0.7)
    demand = rng.uniform(0, 500, shape) * (rng.random(shape) < 0.95)
    inflow = rng.uniform(0, 500, shape) * (rng.random(shape) < 0.8)
    switches = Switches(*(draw(st.booleans()) for _ in range(7)))
    factors = Factors(*(float(rng.choice([1.0, rng.uniform(0, 2)])) for _ in range(4)))
    return network, make_inputs(network, wind, demand, inflow), switches, factors
