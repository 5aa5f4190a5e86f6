"""Who gives how much: tiers in order, and inside a tier so that curtailed energy evens out.

    take_kw, shortfall_kw = allocate(need_kw, room_kw, tier, past_kwh, dt_h)

Tiers before the marginal one give all they can, later ones nothing. Inside the marginal tier a level L is sought such
that everybody gives clip((L - past) / dt, 0, room): who has been curtailed less so far gives first, until even. What
is given is piecewise linear in L with a corner where each row starts (at past) and where it is full (past + room * dt),
so sorting the corners and summing slopes finds L exactly, for all groups at once.

Source: max-min fair allocation by water filling, Bertsekas and Gallager, Data Networks, 2nd ed., section 6.5.2.
"""

import numpy as np

from energy_sim.agents.model import Floats, Ints


def allocate(need_kw: float, room_kw: Floats, tier: Ints, past_kwh: Floats, dt_h: float) -> tuple[Floats, float]:
    """Share a need among rows.

    Args:
        need_kw: 0 or more (less counts as 0).
        room_kw: (R,) what each row can give, 0 or more.
        tier: (R,) 0 gives first; a row below 0 gives nothing.
        past_kwh: (R,) energy given so far.
        dt_h: length of the step, above 0.

    Returns:
        take_kw (R,) with 0 <= take <= room, and the shortfall: sum(take) + shortfall == need.
    """
    group = np.zeros(len(room_kw), dtype=np.int64)
    take_kw, shortfall_kw = allocate_groups(np.array([need_kw]), group, room_kw, tier, past_kwh, dt_h)
    return take_kw, float(shortfall_kw[0])


def allocate_groups(
    need_kw: Floats, group: Ints, room_kw: Floats, tier: Ints, past_kwh: Floats, dt_h: float
) -> tuple[Floats, Floats]:
    """Share the needs of several groups, each among its own rows.

    Args:
        need_kw: (G,).
        group: (R,) the group of each row, 0 .. G-1.
        room_kw: (R,) as in `allocate`.
        tier: (R,) as in `allocate`.
        past_kwh: (R,) as in `allocate`.
        dt_h: length of the step, above 0.

    Returns:
        take_kw (R,), shortfall_kw (G,).
    """
    groups = len(need_kw)
    need = np.maximum(need_kw, 0.0)
    room = np.where(tier >= 0, np.maximum(room_kw, 0.0), 0.0)
    if not len(room):
        return room, need
    sums = tier_sums(group, np.maximum(tier, 0), room, groups)
    reached = np.cumsum(sums, axis=1)  # what the tiers up to this one give
    earlier = np.hstack([np.zeros((groups, 1)), reached[:, :-1]])
    own_kw = np.clip(need[:, None] - earlier, 0.0, sums)  # what each tier gives
    asked, full = own_kw[group, np.maximum(tier, 0)], sums[group, np.maximum(tier, 0)]
    take = np.where(asked >= full, room, 0.0)
    marginal = np.flatnonzero((asked > 0) & (asked < full) & (room > 0))
    if len(marginal):
        some = group[marginal]
        need_there = np.zeros(groups)
        need_there[some] = asked[marginal]
        take[marginal] = level(need_there, some, room[marginal], past_kwh[marginal], dt_h)
    return take, np.maximum(need - reached[:, -1], 0.0)


def tier_sums(group: Ints, tier: Ints, room_kw: Floats, groups: int) -> Floats:
    """(G, K) what the rows of each group and tier can give together."""
    tiers = int(tier.max(initial=0)) + 1
    flat: Floats = np.bincount(group * tiers + tier, weights=room_kw, minlength=groups * tiers).astype(np.float64)
    return flat.reshape(groups, tiers)


def level(need_kw: Floats, group: Ints, room_kw: Floats, past_kwh: Floats, dt_h: float) -> Floats:
    """(R,) what each row gives when the energy given so far is levelled inside each group.

    Args:
        need_kw: (G,), for groups that have rows between 0 and the sum of their rooms.
        group: (R,) the group of each row.
        room_kw: (R,) above 0.
        past_kwh: (R,) energy given so far.
        dt_h: length of the step, above 0.
    """
    least = np.full(len(need_kw), np.inf)
    np.minimum.at(least, group, past_kwh)
    start = (past_kwh - least[group]) / dt_h  # levels as kW over this step, smallest of a group 0
    corner = np.concatenate([start, start + room_kw])
    slope = np.concatenate([np.ones(len(start)), -np.ones(len(start))])
    owner = np.concatenate([group, group])
    order = np.lexsort((corner, owner))
    corner, slope, owner = corner[order], slope[order], owner[order]
    rate = np.cumsum(slope)  # rows that are filling right of each corner; every group ends at 0
    first = np.r_[True, owner[1:] != owner[:-1]]
    step = np.where(first, 0.0, np.r_[0.0, rate[:-1]] * np.diff(corner, prepend=0.0))
    total = np.cumsum(step)
    at = np.flatnonzero(first)
    filled = total - total[at][np.cumsum(first) - 1]  # given by a group when the level is at this corner
    below = np.bincount(owner, weights=filled < need_kw[owner], minlength=len(need_kw)).astype(np.int64)
    offset = np.zeros(len(need_kw), dtype=np.int64)
    offset[owner[at]] = at
    last = np.minimum(offset + np.maximum(below - 1, 0), len(corner) - 1)  # the last corner below the need
    height = corner[last] + np.where(rate[last] > 0, (need_kw - filled[last]) / np.maximum(rate[last], 1.0), 0.0)
    given: Floats = np.clip(height[group] - start, 0.0, room_kw)
    return given


def curtailed_kwh(past_kwh: Floats, wanted_kw: Floats, setpoint_kw: Floats, dt_h: float) -> Floats:
    """(R,) energy curtailed so far after a step of ``dt_h``; a change either way counts."""
    return past_kwh + np.abs(setpoint_kw - wanted_kw) * dt_h
