"""Places for the amounts beside their arrows, chosen once so that no two ever overlap whatever arrows are live."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy_sim.figures.curves import Path, Point

Box = tuple[float, float, float, float]  # left, top, right, bottom
Floats = NDArray[np.float64]

_FRACTIONS = (0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8, 0.15, 0.85)
_GAPS = (3.0, 8.0, 16.0, 26.0, 38.0, 52.0, 68.0, 86.0)  # from the widest ribbon's side to the box
_LEADER_FROM_PX = 10.0
_SPACE_PX = 2.0
_ROUNDS = 3
_IMPROVED_MAX = 64  # of more labels none is pushed aside: the canvas is full, and the work grows with the square
_POINTS_MAX = 1500  # of the lines that boxes shall not cover
LABELS_MAX = 150


@dataclass(frozen=True, slots=True)
class LabelSlot:
    """Centre of a label box; ``anchor`` is the point of its arrow that it belongs to, ``leader``: draw a line to it."""

    x: float
    y: float
    anchor: Point
    leader: bool


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Possible boxes of one label: ``boxes`` (n, 4), ``cost`` (n,), ``anchors`` (n, 2), ``leader`` (n,)."""

    boxes: Floats
    cost: Floats
    anchors: Floats
    leader: NDArray[np.bool_]


def place_labels(
    paths: Sequence[Path],
    sizes: Sequence[tuple[float, float]],
    first: Sequence[bool],
    discs: Sequence[tuple[float, float, float]],
    canvas: tuple[float, float],
    blocked: Sequence[Box],
    half_width: float,
) -> tuple[LabelSlot | None, ...]:
    """One slot per path, or none where no free place near it is left.

    Only ``LABELS_MAX`` paths are looked at, those marked ``first`` before the others; the rest get none. Paths marked
    ``first`` are placed before the others are looked at. Greedy, short ones first; then, where there are few, labels
    without a place may push one other label aside, and each label moves to the best place that the others leave.
    Deterministic.

    Args:
        paths: centre lines, px.
        sizes: (width, height) of each box, px.
        first: which paths have the first choice.
        discs: (x, y, radius) no box may touch.
        canvas: width and height every box stays inside.
        blocked: boxes to keep free.
        half_width: half of the widest ribbon, px.
    """
    looked = sorted(range(len(paths)), key=lambda k: not first[k])[:LABELS_MAX]
    looked.sort()
    few, boxes, marks = [paths[k] for k in looked], [sizes[k] for k in looked], [first[k] for k in looked]
    slots = dict(zip(looked, _place(few, boxes, marks, discs, canvas, blocked, half_width), strict=True))
    return tuple(slots.get(k) for k in range(len(paths)))


def _place(
    paths: Sequence[Path],
    sizes: Sequence[tuple[float, float]],
    first: Sequence[bool],
    discs: Sequence[tuple[float, float, float]],
    canvas: tuple[float, float],
    blocked: Sequence[Box],
    half_width: float,
) -> list[LabelSlot | None]:
    lines = [_sample(path, 8.0) for path in paths]
    points = np.vstack([line[:, :2] for line in lines]) if lines else np.empty((0, 2))
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    thin = slice(None, None, max(1, math.ceil(len(points) / _POINTS_MAX)))
    points, owner = points[thin], owner[thin]
    whole = np.ones(len(owner))
    heavy = np.where(np.asarray(first, dtype=bool)[owner], 1.0, 0.25)  # first choice looks less at the later lines
    options = [
        _candidates(
            lines[k], sizes[k], points, owner == k, heavy if first[k] else whole, discs, canvas, blocked, half_width
        )
        for k in range(len(paths))
    ]
    order = sorted(range(len(paths)), key=lambda k: (not first[k], len(lines[k])))
    chosen = np.full(len(paths), -1)
    taken = np.full((len(paths), 4), np.nan)

    def choose(k: int) -> None:
        taken[k], chosen[k] = np.nan, -1
        free = np.flatnonzero(~_hits(options[k].boxes, taken).any(axis=1))
        if len(free):
            best = free[np.argmin(options[k].cost[free])]
            chosen[k], taken[k] = best, options[k].boxes[best]

    for stage in ([k for k in order if first[k]], order):
        for k in stage:
            if chosen[k] < 0:
                choose(k)
        for _ in range(_ROUNDS if len(paths) <= _IMPROVED_MAX else 0):
            for k in stage:
                if chosen[k] < 0:
                    _push_aside(k, options, chosen, taken)
            for k in stage:
                choose(k)
    return [_slot(options[k], int(c)) for k, c in enumerate(chosen)]


def _slot(options: _Candidates, chosen: int) -> LabelSlot | None:
    if chosen < 0:
        return None
    left, top, right, bottom = options.boxes[chosen]
    anchor = (round(float(options.anchors[chosen, 0]), 2), round(float(options.anchors[chosen, 1]), 2))
    return LabelSlot(
        round(float(left + right) / 2, 2), round(float(top + bottom) / 2, 2), anchor, bool(options.leader[chosen])
    )


def _push_aside(k: int, options: Sequence[_Candidates], chosen: NDArray[np.int_], taken: Floats) -> None:
    """Give label ``k`` a place that a single other label holds, if that one has another place to go to."""
    hits = _hits(options[k].boxes, taken)
    for c in np.argsort(options[k].cost, kind="stable"):
        blockers = np.flatnonzero(hits[c])
        if len(blockers) != 1:
            continue
        other = int(blockers[0])
        trial = taken.copy()
        trial[k], trial[other] = options[k].boxes[c], np.nan
        free = np.flatnonzero(~_hits(options[other].boxes, trial).any(axis=1))
        if len(free):
            best = free[np.argmin(options[other].cost[free])]
            taken[k], chosen[k] = options[k].boxes[c], c
            taken[other], chosen[other] = options[other].boxes[best], best
            return


def _hits(boxes: Floats, others: Floats) -> NDArray[np.bool_]:
    """(n, m): whether box n overlaps other box m or comes closer than the space; NaN boxes overlap nothing."""
    a, b = boxes[:, None, :], others[None, :, :]
    return (
        (a[..., 0] < b[..., 2] + _SPACE_PX)
        & (b[..., 0] < a[..., 2] + _SPACE_PX)
        & (a[..., 1] < b[..., 3] + _SPACE_PX)
        & (b[..., 1] < a[..., 3] + _SPACE_PX)
    )


def _sample(path: Path, step: float) -> Floats:
    """Points along a path about ``step`` px apart with their unit direction: (n, 4)."""
    p = np.asarray(path)
    s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(p, axis=0).T))])
    at = np.linspace(0.0, s[-1], max(3, math.ceil(s[-1] / step) + 1))
    x, y = np.interp(at, s, p[:, 0]), np.interp(at, s, p[:, 1])
    tx, ty = np.gradient(x), np.gradient(y)
    length = np.maximum(np.hypot(tx, ty), 1e-9)
    return np.column_stack([x, y, tx / length, ty / length])


def _candidates(
    line: Floats,
    size: tuple[float, float],
    points: Floats,
    own: NDArray[np.bool_],
    weights: Floats,
    discs: Sequence[tuple[float, float, float]],
    canvas: tuple[float, float],
    blocked: Sequence[Box],
    half_width: float,
) -> _Candidates:
    """Allowed boxes beside one line, near its middle and near to it first, best where they cover no line at all."""
    w, h = size
    rows, cost, gaps = [], [], []
    for rank, fraction in enumerate(_FRACTIONS):
        x, y, tx, ty = line[round(fraction * (len(line) - 1))]
        half = abs(ty) * w / 2 + abs(tx) * h / 2
        for side in (1, -1):  # the right of its direction first
            for gap in _GAPS:
                reach = side * (half + half_width + gap)
                rows.append((x, y, x - ty * reach, y + tx * reach))
                cost.append(
                    0.05 * rank + gap / 22 + (0.0 if side == 1 else 0.1) + (0.5 if gap >= _LEADER_FROM_PX else 0)
                )
                gaps.append(gap)
        rows.append((x, y, x, y))  # on its own ribbon
        cost.append(0.05 * rank + 2.8)
        gaps.append(0.0)
    table = np.array(rows)
    cx, cy = table[:, 2], table[:, 3]
    boxes = np.column_stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    allowed = (boxes[:, 0] > 4) & (boxes[:, 1] > 4) & (boxes[:, 2] < canvas[0] - 4) & (boxes[:, 3] < canvas[1] - 4)
    for x, y, r in discs:
        dx = np.maximum(np.maximum(boxes[:, 0] - x, x - boxes[:, 2]), 0)
        dy = np.maximum(np.maximum(boxes[:, 1] - y, y - boxes[:, 3]), 0)
        allowed &= np.hypot(dx, dy) > r + 4
    if blocked:
        allowed &= ~_hits(boxes, np.array(blocked)).any(axis=1)
    table, boxes, total, gap_px = table[allowed], boxes[allowed], np.array(cost)[allowed], np.array(gaps)[allowed]
    cx, cy = table[:, 2], table[:, 3]
    pad = 4.0
    covered = (
        (points[None, :, 0] > boxes[:, 0, None] - pad)
        & (points[None, :, 0] < boxes[:, 2, None] + pad)
        & (points[None, :, 1] > boxes[:, 1, None] - pad)
        & (points[None, :, 1] < boxes[:, 3, None] + pad)
    )
    total += covered @ np.where(own, 0.15, 0.4 * weights)
    leader = gap_px >= _LEADER_FROM_PX
    near_own = np.hypot(cx[:, None] - line[None, :, 0], cy[:, None] - line[None, :, 1]).min(axis=1)
    others = points[~own & (weights == 1)]
    if len(others):
        near = np.hypot(cx[:, None] - others[None, :, 0], cy[:, None] - others[None, :, 1]).min(axis=1)
        ambiguous = near_own > 0.95 * near
        total += np.where(ambiguous, 0.9, 0.0)
        leader |= ambiguous & (gap_px > 0)
    return _Candidates(boxes, total, table[:, :2], leader)
