"""Directions of a street's houses and feeders from the bus, and places for their numbers where none covers another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]  # left, top, right, bottom
Floats = NDArray[np.float64]

STAR_MAX: Final = 40
_OPEN_DEG = 30.0  # free angle on each side of the line to the grid
_RINGS_BELOW_PX = 28.0
_GAP_PX = 4.0
_EDGE_PX = 2.0


@dataclass(frozen=True, slots=True)
class Slot:
    """Centre of a number's box; ``align`` says where the text lies in it: -1 left, 0 middle, 1 right."""

    x: float
    y: float
    align: int


def star(count: int, reach: Floats, *, compact: bool) -> Floats:
    """(count, 2) directions of the houses on the unit circle, clockwise from the grid; in two rings where crowded."""
    span = 360.0 - 2 * _OPEN_DEG
    first = (-90.0 if compact else -180.0) + _OPEN_DEG
    angle = np.radians(first + span * (np.arange(count) + 0.5) / count)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if least_distance(points * reach, 0) < _RINGS_BELOW_PX:
        points[1::2] *= 0.76
    return points


def feeders(count: int, per: int, *, compact: bool) -> tuple[Floats, Floats, Floats]:
    """Houses (count, 2), outer ends (feeders, 2) on the unit circle, and the shares ``rho`` (per,) of the way out."""
    feeders = math.ceil(count / per)
    gap = 24.0 if compact else 18.0
    step = math.radians(360.0 - 2 * gap) / feeders
    angle = math.radians((-90.0 if compact else -180.0) + gap) + step * (np.arange(feeders) + 0.5)
    inner = 0.30 + 0.05 * math.log10(count / STAR_MAX) + (0.06 if compact else 0.0)
    rho = np.round(inner + (1 - inner) * (np.arange(per) + 0.5) / per, 4)
    f, k = np.divmod(np.arange(count), per)
    away = np.where(k % 2, 1.0, -1.0) * np.minimum(0.26 * step, 0.12) * rho[k]
    c, s = np.cos(angle[f]), np.sin(angle[f])
    houses = np.stack([c * rho[k] - s * away, s * rho[k] + c * away], axis=1)
    return houses, np.stack([np.cos(angle), np.sin(angle)], axis=1), rho


def least_distance(points: Floats, per: int) -> float:
    """Distance of the closest two neighbours, px: next ones in order, and next feeders' houses where there are any."""
    steps = (1, 2) if not per else (1, 2, per - 1, per, per + 1)
    gaps = [np.hypot(*(points[d:] - points[:-d]).T).min() for d in steps if 0 < d < len(points)]
    return float(min(gaps, default=1000.0))


def place_numbers(
    ends: Floats,
    end_r: float,
    hub: tuple[float, float, float],
    size: tuple[float, float],
    canvas: tuple[float, float],
    blocked: Sequence[Box],
    dots: Floats,
    dot_r: float,
) -> tuple[Slot | None, ...]:
    """One slot for each end: outward from the hub, else above, below, beside or further out, none without room.

    Args:
        ends: (n, 2) centres of the houses, or the outer ends of the feeders.
        end_r: radius of what stands there, px.
        hub: x, y, radius; straight lines run from it to every end, and no number lies on them.
        size: width and height of a number's box.
        canvas: width and height every box stays inside.
        blocked: boxes to keep free.
        dots: (m, 2) further discs to keep free, of radius ``dot_r``.
        dot_r: see ``dots``.
    """
    taken: list[Box] = list(blocked)
    centre = np.array(hub[:2])
    steps = np.linspace(hub[2] / 400, 1.0, 48)[:, None]
    rays = [centre + (end - centre) * steps for end in ends]
    points = np.vstack([*rays, dots]) if len(dots) else np.vstack(rays)
    reach = np.concatenate([np.full(48 * len(ends), 3.0), np.full(len(dots), dot_r + 1.0)])
    reach[47 : 48 * len(ends) : 48] = end_r + 2 * _GAP_PX  # clearly nearer to its own end
    slots: list[Slot | None] = []
    for i, end in enumerate(ends):
        others = np.ones(len(points), dtype=bool)
        others[48 * i + 47] = False
        slots.append(_first_free(end, end_r, centre, size, canvas, taken, points[others], reach[others]))
    return tuple(slots)


def _first_free(
    end: Floats,
    end_r: float,
    centre: Floats,
    size: tuple[float, float],
    canvas: tuple[float, float],
    taken: list[Box],
    points: Floats,
    reach: Floats,
) -> Slot | None:
    w, h = size
    dx, dy = (end - centre) / (math.hypot(*(end - centre)) or 1.0)
    up = math.copysign(1.0, dy)
    side = math.copysign(1.0, dx)
    for ux, uy, further in ((dx, dy, 0.0), (0.0, up, 0.0), (0.0, -up, 0.0), (side, 0.0, 0.0), (dx, dy, h + 1.0)):
        away = end_r + _GAP_PX + min(w / 2 / max(abs(ux), 1e-9), h / 2 / max(abs(uy), 1e-9))
        while math.hypot(max(away * abs(ux) - w / 2, 0.0), max(away * abs(uy) - h / 2, 0.0)) < end_r + _GAP_PX - 1e-9:
            away += 1.0
        away += further
        x, y = float(end[0] + ux * away), float(end[1] + uy * away)
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        inside = box[0] >= _EDGE_PX and box[1] >= _EDGE_PX
        if not inside or box[2] > canvas[0] - _EDGE_PX or box[3] > canvas[1] - _EDGE_PX:
            continue
        if any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in taken):
            continue
        off = np.maximum(np.abs(points - (x, y)) - (w / 2, h / 2), 0.0)
        if (np.hypot(*off.T) < reach).any():
            continue
        taken.append(box)
        return Slot(round(x, 1), round(y, 1), -1 if ux > 0.5 else 1 if ux < -0.5 else 0)
    return None
