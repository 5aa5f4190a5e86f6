"""Both simulations of a run, step by step on the same data: doing nothing, and planned storage with trade.

    result = simulate(case, on_step=lambda done: True)
    result.optimised.grid_buy_kwh.sum()

*Baseline*: own battery, then grid. *Optimised*: measure this step, forecast those after it, plan the horizon, carry out
its first step, trade, grid. What a plan gets wrong because the forecast was wrong is settled as it happened.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from energy_sim.errors import InfeasibleError
from energy_sim.forecasting.naive import Forecaster
from energy_sim.trading.dispatch import execute, own_battery_request
from energy_sim.trading.model import (
    Floats,
    Flows,
    GridCapacity,
    Horizon,
    Market,
    Plan,
    Prices,
    Profiles,
    StepFlows,
    Storage,
    Trades,
)
from energy_sim.trading.optimiser import Optimiser

logger = logging.getLogger(__name__)

_STEP_FLOWS = ("grid_buy_kwh", "grid_sell_kwh", "p2p_buy_kwh", "p2p_sell_kwh", "curtailed_kwh", "unserved_kwh")
_RECORDED = ("charge_kwh", "discharge_kwh", "stored_kwh", "wear_eur", *_STEP_FLOWS)


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a run is computed from; ``fallback`` plans where ``optimiser`` finds nothing."""

    profiles: Profiles
    prices: Prices
    capacity: GridCapacity
    storage: Storage
    market: Market
    load_forecast: Forecaster
    pv_forecast: Forecaster
    optimiser: Optimiser
    fallback: Optimiser
    horizon_steps: int
    trade: bool = True
    reacts: bool = False  # the optimiser is a rule that acts on what is measured now, not on a forecast


@dataclass(frozen=True, slots=True)
class StepDone:
    """What one step of both simulations came to; ``recorded`` gives the optimised one as flows of a single step."""

    step: int
    baseline: StepFlows
    optimised: StepFlows
    recorded: Callable[[], Flows]


@dataclass(frozen=True, slots=True)
class Result:
    """Both simulations over the steps that were done, and what planning took; ``fallback_steps`` had no plan."""

    baseline: Flows
    optimised: Flows
    plan_seconds: Floats  # (T,)
    planned_cost_eur: Floats  # (T,) of the horizon that began in the step; NaN without a plan
    fallback_steps: tuple[int, ...]

    @property
    def steps(self) -> int:
        """How many were done."""
        return len(self.plan_seconds)


class _Track:
    """The arrays of one simulation while it runs."""

    def __init__(self, case: Case) -> None:
        shape = case.profiles.load_kwh.shape
        self.case = case
        self.stored = case.storage.initial_kwh.copy()  # (M,) now
        self.arrays = {name: np.zeros(shape) for name in _RECORDED}
        self.pool_price = np.full(shape[0], np.nan)
        self.trades: list[tuple[int, StepFlows]] = []

    def step(self, t: int, request_kwh: Floats, *, trade: bool) -> StepFlows:
        """Carry out a request in step t and record what came of it."""
        case, profiles = self.case, self.case.profiles
        flows = execute(
            profiles.load_kwh[t],
            profiles.pv_kwh[t],
            self.stored,
            request_kwh,
            case.storage,
            float(case.prices.buy[t]),
            float(case.prices.sell[t]),
            float(case.capacity.import_kw[t]) * profiles.dt_h,
            float(case.capacity.export_kw[t]) * profiles.dt_h,
            case.market,
            profiles.dt_h,
            trade=trade,
        )
        moved = flows.unit_charge_kwh + flows.unit_discharge_kwh
        for name, per_unit in (
            ("charge_kwh", flows.unit_charge_kwh),
            ("discharge_kwh", flows.unit_discharge_kwh),
            ("stored_kwh", flows.stored_kwh),
            ("wear_eur", moved * case.storage.units.wear_eur_per_kwh),
        ):
            self.arrays[name][t] = per_household(case.storage, per_unit, len(profiles.ids))
        for name in _STEP_FLOWS:
            self.arrays[name][t] = getattr(flows, name)
        self.trades.append((t, flows))
        self.stored = flows.stored_kwh
        return flows

    def flows(self, first: int, end: int) -> Flows:
        """What was recorded in steps `first` to `end`, without the last."""
        case, done, rows = self.case, self.trades[first:end], slice(first, end)
        households = len(case.profiles.ids)
        return Flows(
            load_kwh=case.profiles.load_kwh[rows],
            pv_kwh=case.profiles.pv_kwh[rows],
            opening_kwh=per_household(case.storage, case.storage.initial_kwh, households),
            capacity_kwh=per_household(case.storage, case.storage.units.capacity_kwh, households),
            pool_price=self.pool_price[rows],
            trades=Trades(
                np.repeat([t for t, _ in done], [len(f.seller) for _, f in done]).astype(np.int64),
                np.concatenate([f.seller for _, f in done] or [np.zeros(0, np.int64)]),
                np.concatenate([f.buyer for _, f in done] or [np.zeros(0, np.int64)]),
                np.concatenate([f.traded_kwh for _, f in done] or [np.zeros(0)]),
            ),
            **{name: array[rows] for name, array in self.arrays.items()},
        )


def per_household(storage: Storage, per_unit: Floats, households: int) -> Floats:
    """(N,) sum over the battery units of each household."""
    summed: Floats = np.bincount(storage.owner, weights=per_unit, minlength=households).astype(np.float64)
    return summed


def simulate(case: Case, on_step: Callable[[StepDone], bool] | None = None) -> Result:
    """Run both simulations over all steps of the data.

    Args:
        case: what to simulate.
        on_step: called after every step; when it returns False, the run ends there and keeps what was done.
    """
    baseline, optimised = _Track(case), _Track(case)
    steps = case.profiles.steps
    seconds, planned = np.zeros(steps), np.full(steps, np.nan)
    fallbacks: list[int] = []
    done = 0
    for t in range(steps):
        own = own_battery_request(
            case.profiles.load_kwh[t], case.profiles.pv_kwh[t], baseline.stored, case.storage, case.profiles.dt_h
        )
        base = baseline.step(t, own, trade=False)
        began = time.perf_counter()
        plan, fell_back = _plan(case, t, optimised.stored)
        seconds[t] = time.perf_counter() - began
        planned[t] = plan.cost_eur
        optimised.pool_price[t] = plan.pool_price
        if fell_back:
            fallbacks.append(t)
        flows = optimised.step(t, plan.charge_kwh - plan.discharge_kwh, trade=case.trade)
        done = t + 1
        if on_step is not None and not on_step(StepDone(t, base, flows, partial(optimised.flows, t, done))):
            logger.info("trading run stopped steps=%d of=%d", done, steps)
            break
    return Result(baseline.flows(0, done), optimised.flows(0, done), seconds[:done], planned[:done], tuple(fallbacks))


def _plan(case: Case, t: int, stored_kwh: Floats) -> tuple[Plan, bool]:
    """The plan of a step, and whether the fallback had to make it."""
    profiles = case.profiles
    measured = _horizon(case, t, profiles.load_kwh[t : t + 1], profiles.pv_kwh[t : t + 1])
    if case.reacts:
        return case.optimiser.plan(measured, stored_kwh), False
    load = _expected(profiles.load_kwh, case.load_forecast, t, case.horizon_steps)
    pv = _expected(profiles.pv_kwh, case.pv_forecast, t, case.horizon_steps)
    try:
        return case.optimiser.plan(_horizon(case, t, load, pv), stored_kwh), False
    except InfeasibleError as error:
        logger.warning("no plan, rule of thumb used step=%d reason=%s", t, error)
        return case.fallback.plan(measured, stored_kwh), True


def _expected(values_kwh: Floats, forecast: Forecaster, t: int, steps: int) -> Floats:
    """(h, N) of a horizon: the step to be decided as it is measured, those after it as they are forecast."""
    now = values_kwh[t : t + 1]
    return np.concatenate([now, forecast.predict(t + 1, steps - 1)]) if steps > 1 else now


def _horizon(case: Case, t: int, load_kwh: Floats, pv_kwh: Floats) -> Horizon:
    """The steps from t on with what is expected of them; prices and limits are known ahead."""
    end, dt_h = t + len(load_kwh), case.profiles.dt_h
    return Horizon(
        load_kwh=load_kwh,
        pv_kwh=pv_kwh,
        buy=case.prices.buy[t:end],
        sell=case.prices.sell[t:end],
        import_kwh=case.capacity.import_kw[t:end] * dt_h,
        export_kwh=case.capacity.export_kw[t:end] * dt_h,
    )
