"""Where the homes of a ring stand, their short names, and boxes beside them where none covers another."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]  # left, top, right, bottom
Floats = NDArray[np.float64]

TWO_ROWS_FROM: Final = 36
_INNER_ROW = 0.68


def _ellipse(at: Floats, reach: Floats) -> Floats:
    """(n, 2) points of the unit circle whose places on the ellipse are at shares ``at`` of its length, from the top."""
    angle = np.linspace(-0.5 * math.pi, 1.5 * math.pi, 1441)
    steps = np.hypot(*(np.diff(np.stack([np.cos(angle), np.sin(angle)]), axis=1) * reach[:, None]))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    turned = np.interp(at * along[-1], along, angle)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1)


def row_places(count: int, reach: Floats) -> tuple[Floats, float]:
    """Places of ``count`` homes in one row, or alternately in an outer and an inner one; least distance, px."""
    rows = 2 if count >= TWO_ROWS_FROM else 1
    places = np.arange(count) / (rows * math.ceil(count / rows))
    unit = _ellipse(places + (0.25 if count == 2 and reach[0] > reach[1] else 0.0), reach)  # two stand where room is
    if rows == 2:
        unit[1::2] *= _INNER_ROW
    points = unit * reach
    ends = [points[d:] - points[:-d] for d in (1, 2) if d < count] + [points[:rows] - points[-rows:]] * (count > 2)
    return unit, float(min((np.hypot(*e.T).min() for e in ends), default=1000.0))


def dot_places(count: int, reach: Floats) -> tuple[Floats, float]:
    """Places of many homes in as many rows as give the largest dots, in order round the ring; distance of dots, px."""
    length = math.pi * (3 * reach.sum() - math.sqrt((3 * reach[0] + reach[1]) * (reach[0] + 3 * reach[1])))
    for pitch in np.arange(40.0, 4.0, -0.25):
        shares = np.arange(1.0, 0.5, -pitch / reach.min())
        room = np.cumsum(shares * length // pitch)
        if room[-1] >= count:
            break
    edges = np.concatenate([[0], np.rint(count * room / room[-1])]).astype(int)
    places = [(np.arange(n) + 0.5 * (k % 2)) / n for k, n in enumerate(np.diff(edges))]
    unit = np.concatenate([_ellipse(p, reach) * share for p, share in zip(places, shares, strict=True)])
    return unit[np.argsort(np.concatenate(places), kind="stable")], float(pitch)


def short_names(ids: Sequence[str]) -> tuple[str, ...]:
    """Names short enough for a disc: without what all have in front, at most five letters.

    Where nothing is shared, long names keep their end, which is where numbers stand.
    """
    shared = _shared_start(ids).rstrip("0123456789") if len(ids) > 1 else ""
    long = max(map(len, ids)) > 4
    bare = [name[len(shared) :] if long and len(name) > len(shared) else name for name in ids]
    short = [name if len(name) <= 5 else name[:4] + "…" for name in bare]
    if len(set(short)) < len(short):
        short = [name if len(name) <= 5 else "…" + name[-4:] for name in bare]
    return tuple(short)


def _shared_start(ids: Sequence[str]) -> str:
    first, last = min(ids), max(ids)
    same = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share more than an edge."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def touches(box: Box, x: float, y: float, r: float) -> bool:
    """Whether a disc reaches into a box."""
    return math.hypot(max(box[0] - x, x - box[2], 0.0), max(box[1] - y, y - box[3], 0.0)) < r


def place_blocks(
    homes: Floats, r: float, hub: tuple[float, float, float], size: tuple[float, float], canvas: tuple[float, float]
) -> tuple[tuple[float, float, int] | None, ...]:
    """A box for each home: outward from the grid, else straight out, above, below or beside it; none without room."""
    w, h = size
    taken: list[Box] = []
    slots: list[tuple[float, float, int] | None] = []
    for x, y in homes.tolist():
        dx, dy = x - hub[0], y - hub[1]
        far = math.hypot(dx, dy) or 1.0
        up, side = math.copysign(1.0, dy), math.copysign(1.0, dx)
        slot = None
        for ux, uy in ((dx / far, dy / far), (0.0, up), (side, 0.0), (0.0, -up)):
            away = r + 3 + min(w / 2 / max(abs(ux), 1e-9), h / 2 / max(abs(uy), 1e-9))
            while math.hypot(max(away * abs(ux) - w / 2, 0.0), max(away * abs(uy) - h / 2, 0.0)) < r + 3 - 1e-9:
                away += 1.0
            cx, cy = round(x + ux * away, 1), round(y + uy * away, 1)
            box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
            if box[0] < 1 or box[1] < 1 or box[2] > canvas[0] - 1 or box[3] > canvas[1] - 1:
                continue
            if any(overlap(box, other) for other in taken) or any(
                touches(box, px, py, r + 1) for px, py in homes.tolist()
            ):
                continue
            slot = (cx, cy, -1 if ux > 0.75 else 1 if ux < -0.75 else 0)
            taken.append(box)
            break
        slots.append(slot)
    return tuple(slots)
