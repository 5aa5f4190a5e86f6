"""The optimisers behind one signature, and the yardstick they share.

optimiser = make_optimiser("convex", "highs", storage, market, households=30, horizon_steps=24, dt_h=1.0)
plan = optimiser.plan(horizon, stored_kwh)
"""

import logging
from typing import Protocol

from energy_sim.errors import ConfigError
from energy_sim.trading.horizon_problem import shape_of
from energy_sim.trading.model import Floats, Horizon, Market, Plan, Storage
from energy_sim.trading.plan_checks import complete
from energy_sim.trading.rules import Greedy, OwnBattery

logger = logging.getLogger(__name__)

KINDS = ("convex", "greedy", "none")
ENGINES = ("cvxpy", "highs")


class Optimiser(Protocol):
    """Decides what batteries do next."""

    raised_wear: int  # plans that reckoned with more wear than there is, because of prices below 0

    def plan(self, horizon: Horizon, stored_kwh: Floats) -> Plan:
        """Decide the first step of a horizon; ``stored_kwh`` (M,) is in the units now.

        Raises:
            InfeasibleError: no plan was found; the message says what may be done instead.
            DataError: the horizon does not fit or holds what is no number.
        """


def make_optimiser(
    kind: str, engine: str, storage: Storage, market: Market, households: int, horizon_steps: int, dt_h: float
) -> Optimiser:
    """Make the optimiser of a run.

    Args:
        kind: ``convex`` plans the horizon; ``greedy`` and ``none`` are rules of thumb (see rules.py).
        engine: of ``convex``: ``cvxpy`` is the readable model, ``highs`` the fast one; both find the same optimum.
        storage: battery units and their owners.
        market: fee, price of unserved energy, worth of what is stored at the end.
        households: N.
        horizon_steps: H, most periods of a horizon.
        dt_h: hours of a period.

    Raises:
        ConfigError: an unknown kind or engine, or parameters no plan can be made with.
    """
    if kind == "none":
        return OwnBattery(storage, dt_h)
    if kind == "greedy":
        return Greedy(storage, market, households, dt_h)
    if kind != "convex":
        raise ConfigError(f"optimizer.kind: {kind!r} is unknown; give one of {', '.join(KINDS)}")
    if engine not in ENGINES:
        raise ConfigError(f"optimizer.engine: {engine!r} is unknown; give one of {', '.join(ENGINES)}")
    shape = shape_of(storage, market, households, horizon_steps, dt_h)
    logger.info(
        "optimiser made engine=%s households=%d battery_homes=%d units=%d periods=%d",
        engine,
        households,
        len(shape.homes) if shape.unit_count else 0,
        shape.unit_count,
        horizon_steps,
    )
    if engine == "highs":
        from energy_sim.trading.highs_engine import HighsOptimiser

        return HighsOptimiser(shape)
    from energy_sim.trading.convex import ConvexOptimiser

    return ConvexOptimiser(shape)


def plan_cost(
    charge_kwh: Floats,
    discharge_kwh: Floats,
    horizon: Horizon,
    stored_kwh: Floats,
    storage: Storage,
    market: Market,
    dt_h: float,
) -> float:
    """What a horizon costs if batteries move as given and pool and grid are used as well as can be, EUR.

    The same sum that the convex optimiser minimises, with the wear of the units: no plan of it costs more than any
    other moves that can be carried out.

    Args:
        charge_kwh: (h, M) at the AC side; what units cannot do, and discharging that nobody can take, is left out.
        discharge_kwh: (h, M).
        horizon: h periods.
        stored_kwh: (M,) before the first.
        storage: units and owners.
        market: fee, price of unserved energy, worth of what is stored at the end.
        dt_h: hours of a period.
    """
    shape = shape_of(storage, market, horizon.load_kwh.shape[1], len(horizon.buy), dt_h)
    if not shape.unit_count:
        charge_kwh = discharge_kwh = horizon.load_kwh[:, :1] * 0
        stored_kwh = charge_kwh[0]
    return complete(shape, horizon, stored_kwh, charge_kwh, discharge_kwh).cost_eur
