"""One cycle of the grid agent: neighbours first, then curtailment by merit order, as one pure function.

    plan(grid, resources, base_kw, rules, standing, now_s) -> Plan

For every transformer: load = what its resources want + the base load of agents that are not heard. What is above the
limit is taken from neighbours that feed in, the rest from its own resources, tier by tier; what is beyond the export
limit goes to neighbours that have room, the rest is taken up tier by tier. Planning starts from wanted power each time,
so nothing drifts.
"""

import logging
from dataclasses import replace

import numpy as np

from energy_sim.agents.merit_order import allocate_groups, tier_sums
from energy_sim.agents.model import KINDS, SMALL_KW, Bools, Floats, Grid, Ints, Plan, Resources, Rules
from energy_sim.agents.orders import Order
from energy_sim.agents.transfers import neighbour_help, shift_kw, situation

logger = logging.getLogger(__name__)


def plan(
    grid: Grid,
    resources: Resources,
    base_kw: Floats,
    rules: Rules,
    standing: tuple[Order, ...],
    now_s: float,
    base_low_kw: Floats | None = None,
) -> Plan:
    """Plan transfers and set-points so that every transformer is inside its limits, or say by how much it is not.

    Args:
        grid: transformers (T) and ties.
        resources: rows (R) of agents that are heard.
        base_kw: (T,) load of agents that are not heard, uncertainty added.
        rules: merit order, minimum hold, deadbands.
        standing: orders of the cycle before; those younger than ``rules.min_hold_s`` are kept unless they break a
            limit themselves, older ones are relaxed only so far that the load stays ``restore_deadband_kw`` inside it.
        now_s: simulated time, the clock of ``Order.since_s``.
        base_low_kw: (T,) the same load with the uncertainty taken away, for the export limit; without it ``base_kw``.

    Returns:
        The plan; sum(before) == sum(after) + curtailed power, and after <= limit + shortfall, after >= -export limit -
        shortfall for every transformer.
    """
    count, at, wanted = len(grid.transformers), resources.transformer, resources.wanted_kw
    limit, export = grid.limit_kw, grid.export_limit_kw
    tier = rules.tier(resources.kind)
    low_kw, high_kw = resources.reach_kw(tier >= 0)
    counted = _sum(resources.counted_kw, at, count)
    upper = counted + base_kw
    lower = upper if base_low_kw is None else counted + base_low_kw

    ordered, young = _standing(standing, resources, now_s, rules)
    ordered = np.clip(np.where(np.isnan(ordered), wanted, ordered), low_kw, high_kw)
    held = wanted + _kept(np.where(young, ordered - wanted, 0.0), at, limit - upper, lower + export)
    kept = _sum(held - wanted, at, count)
    over = upper + kept > limit
    under = ~over & (lower + kept < -export)
    old = np.where(young, 0.0, ordered - wanted)
    up = under | (~over & (_sum(old, at, count) > 0))  # the direction in which a transformer's orders go
    free = np.where(up[at], high_kw - held, held - low_kw)

    rows = np.flatnonzero((tier >= 0) & (free > 0))
    found = tier_sums(at[rows], tier[rows], free[rows], count)
    room = np.zeros((count, len(KINDS)))
    room[:, : found.shape[1]] = found
    costs = np.array(rules.tier_costs[: len(KINDS)])
    now = situation(grid, upper + kept, lower + kept, room, costs)
    now = replace(  # what orders took away or made room for is not a neighbour's to have
        now,
        give_kw=np.minimum(now.give_kw, np.maximum(now.under_kw, np.maximum(-upper, 0.0))),
        take_kw=np.minimum(now.take_kw, np.maximum(np.maximum(lower + export, now.over_kw), 0.0)),
    )
    transfers, planner = neighbour_help(grid, now)
    shift = shift_kw(grid, transfers)

    to_limit = limit - (upper + kept + shift)
    to_export = lower + kept + shift + export
    excess, opposite = np.where(up, -to_export, -to_limit), np.where(up, to_limit, to_export)
    stood = _sum(np.maximum(np.where(up[at], old, -old), 0.0), at, count)
    relaxed = np.minimum(np.minimum(stood, excess + rules.restore_deadband_kw), np.maximum(opposite, 0.0))
    need = np.maximum(excess, relaxed)
    need = np.where(up, np.minimum(need, np.maximum(opposite, 0.0)), need)  # the limit comes before the export limit
    given_kwh = resources.past_kwh + np.abs(held - wanted) * rules.fair_h  # what is held counts: it is given already
    take, _ = allocate_groups(need, at, free, tier, given_kwh, rules.fair_h)
    setpoint = np.clip(held + np.where(up[at], take, -take), low_kw, high_kw)

    before = np.where(under, lower, upper)
    after = before + shift + _sum(setpoint - wanted, at, count)
    broken = np.where(under, -export - after, after - limit)
    shortfall = np.where(broken > SMALL_KW, broken, 0.0)
    cost = rules.cost(resources, setpoint)
    told = "planned planner=%s transfers=%d cost=%.3f shortfall_kw=%.3f"
    logger.debug(told, planner, len(transfers), cost, shortfall.sum())
    return Plan(setpoint, transfers, before, after, shortfall, held, planner, "", cost)


def _sum(values_kw: Floats, at: Ints, count: int) -> Floats:
    """(T,) sums over the rows of each transformer."""
    return np.bincount(at, weights=values_kw, minlength=count).astype(np.float64)


def _standing(standing: tuple[Order, ...], resources: Resources, now_s: float, rules: Rules) -> tuple[Floats, Bools]:
    """(R,) the power ordered so far, NaN without an order, and whether the order is too young to be released."""
    index = resources.index
    ordered = np.full(len(resources.ids), np.nan)
    young = np.zeros(len(resources.ids), dtype=np.bool_)
    for order in standing:
        row = index.get(order.resource_id)
        if row is not None:
            ordered[row] = order.power_kw
            young[row] = now_s - order.since_s < rules.min_hold_s
    return ordered, young


def _kept(change_kw: Floats, at: Ints, to_limit: Floats, to_export: Floats) -> Floats:
    """(R,) the part of held changes that breaks no limit by itself: all of one direction or the same share of each."""
    count = len(to_limit)
    more, less = np.maximum(change_kw, 0.0), np.maximum(-change_kw, 0.0)
    up, down = _sum(more, at, count), _sum(less, at, count)
    up_share = np.clip(to_limit / np.where(up > 0, up, 1.0), 0.0, 1.0)
    down_share = np.clip(to_export / np.where(down > 0, down, 1.0), 0.0, 1.0)
    return more * up_share[at] - less * down_share[at]
