"""What a plan comes to, and whether it can be carried out: worked out from the moves of the batteries alone.

    solution = complete(shape, horizon, stored, charge, discharge)
    check_plan(solution, shape, horizon, stored)

Engines return numbers with a tolerance. `complete` takes only their battery moves, walks the batteries through them
with the physics of `devices/battery.py`, and finds the cheapest pool and grid flows of each period in closed form.
"""

from dataclasses import dataclass

import numpy as np

from energy_sim.devices.battery import step_batteries
from energy_sim.errors import InfeasibleError
from energy_sim.trading.horizon_problem import HorizonData, Shape
from energy_sim.trading.model import Floats, Horizon, Market, Plan

TOLERANCE_KWH = 1e-6
TOLERANCE_COST = 1e-6  # relative and EUR


@dataclass(frozen=True, slots=True)
class Solution:
    """A whole plan: h periods, M units; community sums of energy, kWh, and what it costs, EUR, by its parts.

    lack + drawn = grid_buy + p2p + unserved and surplus - curtailed = grid_sell + p2p, where ``drawn`` takes the place
    of PV that a home could use itself and curtails: because of a price below 0, or of batteries that must get rid of
    energy.
    """

    charge: Floats  # (h, M)
    discharge: Floats
    stored: Floats  # (h, M) at the end of each period
    lack: Floats  # (h,) sum of the deficits of all households
    surplus: Floats
    grid_buy: Floats
    grid_sell: Floats
    p2p: Floats
    unserved: Floats
    curtailed: Floats
    drawn: Floats
    cost_eur: float

    def cost_with(self, own_wear: Floats, other_wear: Floats) -> float:
        """The cost if wear were ``other_wear`` (M,) EUR/kWh where it was reckoned with ``own_wear``."""
        return self.cost_eur + float(((self.charge + self.discharge) @ (other_wear - own_wear)).sum())


def complete(shape: Shape, horizon: Horizon, stored_kwh: Floats, charge: Floats, discharge: Floats) -> Solution:
    """Make a whole plan of battery moves.

    Charging and discharging of a unit in one period becomes their difference: an engine finds both only where energy
    is worth nothing, and what is not lost then does no harm. What a unit cannot do, and discharging that neither
    households nor grid can take, is left out.

    Args:
        shape: units, market and household count.
        horizon: h periods.
        stored_kwh: (M,) before the first.
        charge: (h, M) at the AC side.
        discharge: (h, M).

    Returns:
        The cheapest plan with these moves; its wear is that of the units.
    """
    market, units = shape.market, shape.storage.units
    charged, discharged, levels = np.empty_like(charge), np.empty_like(charge), np.empty_like(charge)
    net = horizon.load_kwh - horizon.pv_kwh
    stored = stored_kwh
    for t, request in enumerate(charge - discharge):
        _, planned_in, planned_out = step_batteries(stored, request, units, shape.dt_h)
        moved = planned_in - planned_out + _unwanted(shape, horizon, t, planned_in, planned_out)
        stored, charged[t], discharged[t] = step_batteries(stored, moved, units, shape.dt_h)
        levels[t] = stored
    net[:, shape.homes] += shape.per_home(charged - discharged)
    surplus = np.maximum(-net, 0)
    from_pv = np.minimum(surplus, horizon.pv_kwh)
    flows = _flows(shape, horizon, np.maximum(net, 0).sum(axis=1), surplus.sum(axis=1), from_pv)
    wear = (charged + discharged) @ units.wear_eur_per_kwh
    cost = (
        horizon.buy * flows.grid_buy
        - horizon.sell * flows.grid_sell
        + market.fee_eur_per_kwh * flows.p2p
        + market.voll_eur_per_kwh * flows.unserved
        + wear
    ).sum() - market.end_value_eur_per_kwh * levels[-1].sum()
    return Solution(
        charge=charged,
        discharge=discharged,
        stored=levels,
        lack=np.maximum(net, 0).sum(axis=1),
        surplus=surplus.sum(axis=1),
        grid_buy=flows.grid_buy,
        grid_sell=flows.grid_sell,
        p2p=flows.p2p,
        unserved=flows.unserved,
        curtailed=flows.curtailed,
        drawn=flows.drawn,
        cost_eur=float(cost),
    )


def _unwanted(shape: Shape, horizon: Horizon, t: int, charged: Floats, discharged: Floats) -> Floats:
    """(M,) discharging of a period that nobody can take: above all demand, PV it may replace, and export."""
    net = horizon.load_kwh[t] - horizon.pv_kwh[t]
    net[shape.homes] += shape.per_home(charged - discharged)
    pv, surplus = horizon.pv_kwh[t], np.maximum(-net, 0)
    forced = np.maximum(surplus - pv, 0)
    taken = np.maximum(net, 0).sum() + (pv - np.minimum(surplus, pv)).sum() + horizon.export_kwh[t]
    total = forced.sum()
    if total <= taken:
        return np.zeros_like(charged)
    by_home = shape.per_home(discharged)
    cut = forced[shape.homes] * (1 - taken / total)
    share = np.divide(cut, by_home, out=np.zeros_like(cut), where=by_home > 0)
    return discharged * np.asarray(shape.ownership @ share, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Flows:
    grid_buy: Floats
    grid_sell: Floats
    p2p: Floats
    unserved: Floats
    curtailed: Floats
    drawn: Floats


def _flows(shape: Shape, horizon: Horizon, lack: Floats, surplus: Floats, from_pv: Floats) -> _Flows:
    """The cheapest pool and grid flows of every period for given sums of deficits and surpluses.

    The cost is convex and piecewise linear in the volume of the pool, so the best of its kinks is the optimum.
    """
    may_curtail = from_pv.sum(axis=1)
    may_draw = horizon.pv_kwh.sum(axis=1) - may_curtail  # own use of PV that something else may take the place of
    most_buy, most_sell = horizon.import_kwh, horizon.export_kwh
    kinks = [
        np.zeros_like(lack),
        surplus,
        lack,
        lack - most_buy,
        lack + may_draw - most_buy,
        surplus - most_sell,
        surplus - may_curtail,
        surplus - may_curtail - most_sell,
    ]
    p2p = np.clip(np.array(kinks), 0, np.minimum(lack + may_draw, surplus))  # (8, h)
    lacking = np.maximum(lack - p2p, 0)
    bought = np.minimum(lacking, most_buy)
    passed_on = np.maximum(p2p - lack, 0)  # from the pool in the place of PV, because nothing else takes it
    paid_for = np.where(horizon.buy < 0, np.minimum(may_draw - passed_on, most_buy - bought), 0.0)
    left = surplus - p2p
    forced = np.maximum(left - may_curtail, 0)  # energy from batteries cannot be curtailed
    sold = np.where(horizon.sell >= 0, np.minimum(left, most_sell), forced)
    cost = (
        horizon.buy * (bought + paid_for)
        - horizon.sell * sold
        + shape.market.fee_eur_per_kwh * p2p
        + shape.market.voll_eur_per_kwh * (lacking - bought)
    )
    cost = np.where(forced <= most_sell + TOLERANCE_KWH, cost, np.inf)
    best = (np.argmin(cost, axis=0), np.arange(len(lack)))
    return _Flows(
        grid_buy=(bought + paid_for)[best],
        grid_sell=sold[best],
        p2p=p2p[best],
        unserved=(lacking - bought)[best],
        curtailed=(left - sold)[best],
        drawn=(passed_on + paid_for)[best],
    )


def check_plan(solution: Solution, shape: Shape, horizon: Horizon, stored_kwh: Floats) -> None:
    """Hold a plan against everything it must obey, within 1e-6 kWh.

    Args:
        solution: the plan.
        shape: units, market and household count.
        horizon: what it was made for.
        stored_kwh: (M,) before its first period.

    Raises:
        InfeasibleError: every rule that is broken, where and by how much.
    """
    units, s = shape.storage.units, solution
    before = np.vstack([stored_kwh, s.stored[:-1]])
    kept = shape.retention * before
    walked = kept + units.eta_charge * s.charge - s.discharge / units.eta_discharge
    reachable = np.minimum(units.soc_min_kwh, kept + units.eta_charge * shape.charge_kwh)
    broken = {
        "energy of a battery": np.abs(s.stored - walked),
        "lower end of a battery's window": reachable - s.stored,
        "upper end of a battery's window": s.stored - np.maximum(units.soc_max_kwh, kept),
        "charging power": s.charge - shape.charge_kwh,
        "discharging power": s.discharge - shape.discharge_kwh,
        "one direction at a time": np.minimum(s.charge, s.discharge),
        "energy that is lacking": np.abs(s.lack + s.drawn - s.grid_buy - s.p2p - s.unserved),
        "energy that is left": np.abs(s.surplus - s.curtailed - s.grid_sell - s.p2p),
        "import limit": s.grid_buy - horizon.import_kwh,
        "export limit": s.grid_sell - horizon.export_kwh,
        "PV to curtail": s.curtailed + s.drawn - horizon.pv_kwh.sum(axis=1),
        "flows above 0": np.max(-np.array([s.grid_buy, s.grid_sell, s.p2p, s.unserved, s.curtailed, s.drawn]), axis=0),
        "energy of the community": np.abs(
            (horizon.load_kwh - horizon.pv_kwh).sum(axis=1)
            + (s.charge - s.discharge).sum(axis=1)
            + s.curtailed
            + s.drawn
            + s.grid_sell
            - s.grid_buy
            - s.unserved
        ),
    }
    faults = []
    for name, over in broken.items():
        by_period = over.reshape(len(over), -1).max(axis=1)
        t = int(np.argmax(by_period))  # that of a value that is no number, if there is one
        if not by_period[t] <= TOLERANCE_KWH:
            faults.append(f"trading plan: {name}: period {t}: broken by {by_period[t]:.3g} kWh")
    if faults:
        raise InfeasibleError.from_problems(faults)


def check_optimum(planned_eur: float, found_eur: float, facts: str) -> None:
    """Hold what an engine says its plan costs against what the plan costs when it is carried out.

    Raises:
        InfeasibleError: they differ by more than 1e-6, relative and EUR.
    """
    if not abs(planned_eur - found_eur) <= TOLERANCE_COST * (1 + abs(planned_eur)):
        raise InfeasibleError(
            f"{facts}: the engine says {planned_eur:.9g} EUR, its plan comes to {found_eur:.9g} EUR; "
            f"plan this step with optimizer.kind greedy, or use the other engine"
        )


def finished_plan(
    shape: Shape,
    horizon: Horizon,
    data: HorizonData,
    charge: Floats,
    discharge: Floats,
    objective_eur: float,
    pool_price: float,
) -> Plan:
    """Make an engine's numbers a plan that holds: complete it, check it, and take its first step.

    Args:
        shape: units, market and household count.
        horizon: h periods.
        data: what the engine was given.
        charge: (H, M) found by the engine, padding included.
        discharge: (H, M).
        objective_eur: what the engine says it costs, with the wear of ``data``.
        pool_price: EUR/kWh, dual of the pool in the first period.

    Returns:
        The plan; its cost is with the wear of the units.

    Raises:
        InfeasibleError: the plan cannot be carried out, or costs something else than the engine says.
    """
    solution = complete(shape, horizon, data.stored, charge[: data.steps], discharge[: data.steps])
    check_plan(solution, shape, horizon, data.stored)
    facts = f"trading plan: {shape.households} households, {data.steps} periods"
    check_optimum(objective_eur, solution.cost_with(shape.storage.units.wear_eur_per_kwh, data.wear), facts)
    first = slice(0, shape.unit_count)
    price = _within_reason(pool_price, shape.market, horizon, solution)
    return Plan(solution.charge[0, first], solution.discharge[0, first], price, solution.cost_eur)


def _within_reason(pool_price: float, market: Market, horizon: Horizon, solution: Solution) -> float:
    """The dual of the pool, held between what the grid pays and what it takes; without trade it may lie anywhere.

    Nobody gives energy away below what the grid pays, as long as it takes more. And nobody pays more than the grid
    takes, as long as it gives more, or than unserved energy costs.
    """
    fee = market.fee_eur_per_kwh
    exports_more = solution.grid_sell[0] < horizon.export_kwh[0] - TOLERANCE_KWH
    imports_more = solution.grid_buy[0] < horizon.import_kwh[0] - TOLERANCE_KWH
    least = max(float(horizon.sell[0]), 0.0) if exports_more else 0.0
    most = float(horizon.buy[0]) if imports_more else market.voll_eur_per_kwh
    return float(np.clip(pool_price, least, max(most - fee, least)))
