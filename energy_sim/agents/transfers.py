"""Neighbour help: power over ties before anything is curtailed.

A transformer gives at most what it feeds in, so that help never makes it draw; it takes at most what leaves it inside
its own export limit. Ties that share no transformer are settled one by one; ties that do are coupled, and a linear
programme over (transformer, tier) aggregates finds which help saves the dearest curtailment. Ties are lossless.
"""

from dataclasses import dataclass

import numpy as np

from energy_sim.agents.model import SMALL_KW, Floats, Grid, Transfer

TRANSFER_SHARE = 1e-3  # of the cheapest tier: help is preferred to curtailment, and goes the short way
SHORTFALL_TIMES = 1e3  # the dearest tier: everything is preferred to a broken limit


@dataclass(frozen=True, slots=True)
class Situation:
    """Where the transformers stand, all (T,) kW and 0 or more.

    ``over_kw``: above the limit; ``under_kw``: beyond the export limit; ``give_kw``: the load can grow by so much and
    is still fed in; ``take_kw``: it can shrink by so much inside the export limit. ``room_kw``: (T, K) what each tier
    can curtail in the direction of the transformer's need, ``tier_costs`` (K,).
    """

    over_kw: Floats
    under_kw: Floats
    give_kw: Floats
    take_kw: Floats
    room_kw: Floats
    tier_costs: Floats


def situation(grid: Grid, high_kw: Floats, low_kw: Floats, room_kw: Floats, tier_costs: Floats) -> Situation:
    """The situation of loads between ``low_kw`` and ``high_kw``, (T,) each."""
    limit, export = grid.limit_kw, grid.export_limit_kw
    over = np.maximum(high_kw - limit, 0.0)
    beyond = np.where(over > 0, 0.0, np.maximum(-export - low_kw, 0.0))
    under = np.minimum(beyond, np.maximum(limit - high_kw, 0.0))  # a band wider than both limits: the limit comes first
    give = np.maximum(np.maximum(-high_kw, 0.0), under)
    take = np.maximum(np.maximum(low_kw + export, 0.0), over)  # here too the limit comes first
    return Situation(over, under, give, take, room_kw, tier_costs)


def neighbour_help(grid: Grid, now: Situation) -> tuple[tuple[Transfer, ...], str]:
    """Transfers over ties, and the planner that found them.

    Returns:
        Transfers (source and target are the two ends of a tie, a path over several ties is several transfers), and
        "merit order" or "linear programme".

    Raises:
        RuntimeError: the linear programme was not solved; it always has a solution (no help at all).
    """
    needy = (now.over_kw > SMALL_KW).any() and (now.give_kw > SMALL_KW).any()
    full = (now.under_kw > SMALL_KW).any() and (now.take_kw > SMALL_KW).any()
    if not grid.ties or not (needy or full):
        return (), "merit order"
    index = grid.index
    ends = np.array([(index[tie.a], index[tie.b]) for tie in grid.ties], dtype=np.int64)
    limit_kw = np.array([tie.limit_kw for tie in grid.ties], dtype=np.float64)
    coupled = len(np.unique(ends)) < ends.size
    flow_kw = _coupled(now, ends, limit_kw) if coupled else _pairs(now, ends, limit_kw)
    transfers = []
    for (a, b), kw in zip(ends.tolist(), flow_kw.tolist(), strict=True):
        if abs(kw) <= SMALL_KW:
            continue
        source, target = (a, b) if kw > 0 else (b, a)
        cause = "underload" if not (now.over_kw > SMALL_KW).any() or _only_under(now, source, target) else "overload"
        names = grid.transformers
        transfers.append(Transfer(names[source].id, names[target].id, abs(kw), cause))
    return tuple(transfers), "linear programme" if coupled else "merit order"


def shift_kw(grid: Grid, transfers: tuple[Transfer, ...]) -> Floats:
    """(T,) by how much transfers raise the load of each transformer; sums to 0."""
    index = grid.index
    shift = np.zeros(len(grid.transformers))
    for transfer in transfers:
        shift[index[transfer.source]] += transfer.kw
        shift[index[transfer.target]] -= transfer.kw
    return shift


def _only_under(now: Situation, source: int, target: int) -> bool:
    return bool(now.under_kw[source] > SMALL_KW and now.over_kw[target] <= SMALL_KW)


def _pairs(now: Situation, ends: np.ndarray, limit_kw: Floats) -> Floats:
    """(E,) flow from the first to the second end of ties that share no transformer."""
    a, b = ends[:, 0], ends[:, 1]

    def one_way(source: np.ndarray, target: np.ndarray) -> Floats:
        relieves = np.minimum(now.give_kw[source], now.over_kw[target])
        absorbs = np.minimum(now.under_kw[source], now.take_kw[target])
        flow: Floats = np.minimum(np.maximum(relieves, absorbs), limit_kw)
        return flow

    return one_way(a, b) - one_way(b, a)


def _coupled(now: Situation, ends: np.ndarray, limit_kw: Floats) -> Floats:
    """(E,) flow over ties at least cost of transfers, curtailment and broken limits together.

    Variables: flow there and back (E each), curtailment (T x K), shortfall (T). For a transformer with a need:
    help + curtailment + shortfall >= need. For every transformer: -take <= net given <= give.
    """
    from scipy.optimize import linprog  # type: ignore[import-untyped]

    count, tiers = now.room_kw.shape
    ties = len(ends)
    out = np.zeros((count, 2 * ties))  # what each flow adds to the load of a transformer
    for e, (a, b) in enumerate(ends.tolist()):
        out[a, e], out[b, e] = 1.0, -1.0
        out[a, ties + e], out[b, ties + e] = -1.0, 1.0
    need = now.over_kw + now.under_kw
    has_need = need > 0
    towards = np.where(now.over_kw > 0, -1.0, 1.0)[:, None] * out
    curtailed = np.kron(np.eye(count), np.ones((1, tiers)))
    meets = -np.hstack([towards, curtailed, np.eye(count)])[has_need]
    rest = np.zeros((count, count * tiers + count))
    above, below = np.hstack([out, rest]), np.hstack([-out, rest])
    costs = np.concatenate(
        [
            np.full(2 * ties, TRANSFER_SHARE * now.tier_costs[0]),
            np.tile(now.tier_costs, count),
            np.full(count, SHORTFALL_TIMES * now.tier_costs[-1]),
        ]
    )
    most = np.concatenate([limit_kw, limit_kw, now.room_kw.ravel(), need])
    found = linprog(
        costs,
        A_ub=np.vstack([meets, above, below]),
        b_ub=np.concatenate([-need[has_need], now.give_kw, now.take_kw]),
        bounds=np.column_stack([np.zeros(len(most)), most]),
        method="highs",
    )
    if found.x is None:
        raise RuntimeError(f"neighbour help: {found.message}")
    flow: Floats = found.x[:ties] - found.x[ties : 2 * ties]
    return flow
