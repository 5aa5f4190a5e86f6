"""The trading core: planning a step of 24 hours, with both engines, against CVXPY as one would first write it."""

import time

import numpy as np

from benchmarks.measure import Row, Size, without_gc
from benchmarks.trading_peer import plan_scalar
from energy_sim.devices.battery import Batteries, step_batteries
from energy_sim.trading.model import Floats, Horizon, Market, Storage
from energy_sim.trading.optimiser import Optimiser, make_optimiser

HOURS = 24
BUDGET_S = {100: 0.1, 1000: 3.0}
PEER_TIMES = 20.0
MARKET = Market(fee_eur_per_kwh=0.01, min_trade_kwh=0.01, voll_eur_per_kwh=10.0, end_value_eur_per_kwh=0.2)


def measure(size: Size) -> list[Row]:
    """All rows of the trading core."""
    steps = max(size.repeats, 2)
    smallest = size.planned[0]
    rows = [*peer_rows(size.peer, steps), *engine_rows(smallest, "cvxpy", steps)]
    for homes in size.planned:
        rows += engine_rows(homes, "highs", steps if homes <= 1000 else 3)
    return [*rows, *engine_rows(smallest, "highs", steps, forecast="last hour's value")]


class Community:
    """Households with a battery each, three in five with PV, limits of the grid that bind; hours of random weather."""

    def __init__(self, homes: int, hours: int) -> None:
        """Draw everything from one seed."""
        random, hour = np.random.default_rng(homes), np.arange(hours) % 24
        usual = 0.25 + 0.35 * np.exp(-(((hour - 7.5) / 1.8) ** 2)) + 0.75 * np.exp(-(((hour - 19.5) / 2.6) ** 2))
        self.load = usual[:, None] * random.gamma(4, 0.25, (hours, homes)) * random.uniform(0.5, 2, homes)
        kwp = np.where(random.random(homes) < 0.6, random.uniform(4, 10, homes), 0)
        sun = np.clip(np.cos((hour - 13) / 14 * np.pi), 0, None) ** 1.3
        self.pv = 0.85 * kwp * sun[:, None] * random.beta(4, 2, (hours, homes))
        self.buy, self.sell = random.uniform(0.24, 0.36, hours), random.uniform(0.06, 0.10, hours)
        size, each = np.full(homes, 10.0), np.ones(homes)
        units = Batteries(
            size, 0.05 * size, 0.95 * size, 0.5 * size, 0.5 * size, 0.95 * each, 0.95 * each, 0.02 * each, 0.0365 * each
        )
        names = tuple(f"simple_{i}" for i in range(homes))
        self.storage = Storage(units, np.arange(homes), ("simple",) * homes, names, 0.5 * size)

    def horizon(self, t: int, forecast: str = "perfect") -> Horizon:
        """The next 24 hours from `t`; a forecast from the last hour repeats what was measured in it."""
        ahead, homes = slice(t, t + HOURS), self.load.shape[1]
        load, pv = self.load[ahead], self.pv[ahead]
        if forecast != "perfect":
            load, pv = (np.tile(values[t - 1], (HOURS, 1)) for values in (self.load, self.pv))
        limits = np.full(HOURS, 0.45 * homes), np.full(HOURS, 0.8 * homes)
        return Horizon(load, pv, self.buy[ahead], self.sell[ahead], *limits)


def rolled(optimiser: Optimiser, community: Community, steps: int, forecast: str = "perfect") -> list[float]:
    """Seconds of plan after plan, each begun from what the one before left in the batteries."""
    stored: Floats = community.storage.initial_kwh
    taken = []
    with without_gc():
        for t in range(HOURS, HOURS + steps):
            horizon = community.horizon(t, forecast)
            began = time.perf_counter()
            plan = optimiser.plan(horizon, stored)
            taken.append(time.perf_counter() - began)
            request = plan.charge_kwh - plan.discharge_kwh
            stored = step_batteries(stored, request, community.storage.units, 1.0)[0]
    return taken


def engine_rows(homes: int, engine: str, steps: int, forecast: str = "perfect") -> list[Row]:
    """The first plan of a run, and those that follow it."""
    community = Community(homes, 2 * HOURS + steps)
    began = time.perf_counter()
    optimiser = make_optimiser("convex", engine, community.storage, MARKET, homes, HOURS, 1.0)
    built = time.perf_counter() - began
    first, *later = rolled(optimiser, community, steps + 1, forecast)
    budget = BUDGET_S.get(homes) if engine == "highs" else None
    what = f"plan of {homes:,} households, 24 h, {engine}"
    if forecast != "perfect":
        what += f", forecast: {forecast}"
    return [
        Row(f"{what}, first", "s", (built + first,), note="with building the problem"),
        Row(f"{what}, a step", "s", tuple(later), below=budget),
    ]


def peer_rows(homes: int, steps: int) -> list[Row]:
    """The same community planned by both engines and by scalar CVXPY built anew, in one run."""
    community = Community(homes, 2 * HOURS + steps)
    horizon, stored = community.horizon(HOURS), community.storage.initial_kwh
    began = time.perf_counter()
    cost = plan_scalar(horizon, stored, community.storage, MARKET, 1.0)
    peer = time.perf_counter() - began
    rows = [Row(f"plan of {homes} households, scalar CVXPY built anew", "s", (peer,), note="the peer")]
    for engine in ("cvxpy", "highs"):
        optimiser = make_optimiser("convex", engine, community.storage, MARKET, homes, HOURS, 1.0)
        gap = abs(optimiser.plan(horizon, stored).cost_eur - cost) / (1 + abs(cost))
        later = rolled(optimiser, community, steps + 1)[1:]
        times = tuple(peer / taken for taken in later)
        what = f"{engine} against scalar CVXPY, {homes} households"
        rows.append(Row(what, "times", times, at_least=PEER_TIMES, note=f"optima differ by {gap:.1e} of themselves"))
    return rows
