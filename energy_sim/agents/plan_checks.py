"""Whether a plan that a language model proposes may be used instead of the deterministic one.

    plan, reason = check_plan(proposal, resources, grid, transfers, deterministic, max_cost_ratio, rules)

A proposal only ever replaces set-points; transfers and orders that may not be released yet stay.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from energy_sim.agents.model import BATTERY, SMALL_KW, SOLAR, Floats, Grid, Ints, Plan, Resources, Rules, Transfer
from energy_sim.agents.transfers import shift_kw

LISTED = 3  # ids a reason names


class Action(BaseModel):
    """One set-point of a proposal; nothing else may be in it, and no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    resource_id: str
    setpoint_kw: float


class Proposal(BaseModel):
    """A plan as a language model may write it: resources it does not name are left alone."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    actions: tuple[Action, ...]


def check_plan(
    proposal: Proposal,
    resources: Resources,
    grid: Grid,
    transfers: tuple[Transfer, ...],
    deterministic: Plan,
    max_cost_ratio: float,
    rules: Rules,
) -> tuple[Plan | None, str]:
    """Check a proposal against everything the deterministic plan keeps.

    Args:
        proposal: set-points.
        resources: what the deterministic plan was made for.
        grid: transformers with the limits in force.
        transfers: neighbour help the proposal counts on, normally ``deterministic.transfers``.
        deterministic: the plan of the same cycle.
        max_cost_ratio: how much dearer than the deterministic plan a proposal may be.
        rules: merit order and costs.

    Returns:
        The plan and one line with its cost; or None and one line that says what is wrong, with numbers.
    """
    named = _named(proposal, resources)
    if isinstance(named, str):
        return None, named
    rows = np.array([resources.index[action.resource_id] for action in named], dtype=np.int64)
    asked = np.array([action.setpoint_kw for action in named], dtype=np.float64)
    low_kw, high_kw = resources.reach_kw(rules.tier(resources.kind) >= 0)
    wrong = _outside(rows, asked, resources, rules)
    if wrong:
        return None, wrong

    wanted = resources.wanted_kw
    setpoint = wanted.copy()
    setpoint[rows] = np.clip(asked, low_kw[rows], high_kw[rows])  # a bound that does not bind changes nothing
    held = deterministic.held_kw
    setpoint = np.where(held < wanted, np.minimum(setpoint, held), setpoint)
    setpoint = np.where(held > wanted, np.maximum(setpoint, held), setpoint)

    count = len(grid.transformers)
    change = np.bincount(resources.transformer, weights=setpoint - deterministic.setpoint_kw, minlength=count)
    after = deterministic.after_kw + change + shift_kw(grid, transfers) - shift_kw(grid, deterministic.transfers)
    wrong = _breaks(grid, after, deterministic) or _strays(grid, resources, setpoint, deterministic)
    if wrong:
        return None, wrong
    cost, dearest = rules.cost(resources, setpoint), max_cost_ratio * deterministic.cost
    if cost > dearest + SMALL_KW:
        told = f"cost {cost:.3f} is above {dearest:.3f}"
        return (
            None,
            f"{told}, {max_cost_ratio:g} times the {deterministic.cost:.3f} of the {deterministic.planner} plan",
        )
    reason = f"accepted: cost {cost:.3f} of at most {dearest:.3f}"
    broken = np.maximum(after - grid.limit_kw, -grid.export_limit_kw - after)
    return replace(
        deterministic,
        setpoint_kw=setpoint,
        transfers=transfers,
        after_kw=after,
        shortfall_kw=np.where(broken > SMALL_KW, broken, 0.0),
        planner="language model",
        validation=reason,
        cost=cost,
    ), reason


def _named(proposal: Proposal, resources: Resources) -> tuple[Action, ...] | str:
    """The actions, or what is wrong with the ids they name."""
    times = Counter(action.resource_id for action in proposal.actions)
    known = resources.index
    strange = [name for name in times if name not in known]
    if strange:
        listed = ", ".join(repr(name[:64]) for name in strange[:LISTED])
        return f"{len(strange)} of {len(times)} resources are not known: {listed}"
    twice = [name for name, n in times.items() if n > 1]
    if twice:
        return f"{len(twice)} resources are named more than once: {', '.join(twice[:LISTED])}"
    return proposal.actions


def _outside(rows: Ints, asked_kw: Floats, resources: Resources, rules: Rules) -> str:
    """What is wrong with set-points by themselves: rows that cannot be ordered, values outside the bounds of now."""
    may = rules.tier(resources.kind) >= 0
    fixed = rows[~(resources.flexible & may)[rows]]
    if len(fixed):
        more = f" and {len(fixed) - LISTED} more" if len(fixed) > LISTED else ""
        names = ", ".join(resources.ids[row] for row in fixed[:LISTED].tolist())
        return f"{names}{more} cannot be ordered now"
    low_kw, high_kw = resources.reach_kw(may)
    solar, battery = resources.kind == SOLAR, resources.kind == BATTERY
    least = np.where(solar, np.minimum(resources.min_kw, resources.wanted_kw), low_kw)[rows]
    most = np.where(solar | battery, high_kw, np.maximum(resources.max_kw, resources.wanted_kw))[rows]
    outside = np.flatnonzero((asked_kw < least - SMALL_KW) | (asked_kw > most + SMALL_KW))
    if not len(outside):
        return ""
    k = int(outside[0])
    bounds = f"{least[k]:.3f} .. {most[k]:.3f} kW"
    return f"{resources.ids[rows[k]]}: {asked_kw[k]:.3f} kW is outside its bounds {bounds}"


def _strays(grid: Grid, resources: Resources, setpoint_kw: Floats, deterministic: Plan) -> str:
    """Which resource is changed in a direction in which its transformer has no need."""
    at, count = resources.transformer, len(grid.transformers)
    change, needed = setpoint_kw - resources.wanted_kw, deterministic.setpoint_kw - resources.wanted_kw
    more = np.bincount(at, weights=np.maximum(needed, 0.0), minlength=count) > SMALL_KW
    less = np.bincount(at, weights=np.maximum(-needed, 0.0), minlength=count) > SMALL_KW
    stray = np.flatnonzero(((change > SMALL_KW) & ~more[at]) | ((change < -SMALL_KW) & ~less[at]))
    if not len(stray):
        return ""
    row = int(stray[0])
    way = "more" if change[row] > 0 else "less"
    return (
        f"{resources.ids[row]}: {abs(change[row]):.3f} kW {way}, of which {grid.transformers[at[row]].id} has no need"
    )


def _breaks(grid: Grid, after_kw: Floats, deterministic: Plan) -> str:
    """Which limit is broken by more than the deterministic plan has to break it."""
    high = np.maximum(grid.limit_kw, deterministic.after_kw)
    low = np.minimum(-grid.export_limit_kw, deterministic.after_kw)
    rows = zip(grid.transformers, after_kw.tolist(), high.tolist(), low.tolist(), strict=True)
    for t, kw, most, least in rows:
        if kw > most + SMALL_KW:
            return f"{t.id}: it leaves {kw:.3f} kW, above {most:.3f} kW"
        if kw < least - SMALL_KW:
            return f"{t.id}: it leaves {kw:.3f} kW, below {least:.3f} kW"
    return ""
