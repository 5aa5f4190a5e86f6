"""Where the houses, feeders, grid and numbers of a street stand on a canvas, and the arrows for given powers.

Up to ``STAR_MAX`` houses each has its own line to the bus; more houses share radial feeders, consecutive houses on the
same feeder, on alternate sides of its trunk. ``assets/street.js`` repeats ``edge_lines`` and ``edge_polygons`` line by
line; a browser test compares the coordinates. Pixels, y down. Powers in W, positive flows from the house.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energy_sim.errors import DataError
from energy_sim.figures.street_places import STAR_MAX, Box, Floats, Slot, feeders, least_distance, place_numbers, star

STATES_ABOVE: Final = 800  # of more houses only the state is drawn, not the power of each
HOUSES_MAX: Final = 10_000
IDLE_W: Final = 10.0
IDLE, EXPORT, IMPORT = 0, 1, 2
FULL_SCALE_W: Final = 11_000.0  # the widest line of a house: a wallbox charging at 11 kW
SUM_SHARE: Final = 0.3  # the widest line of n houses together: n times 3.3 kW, what their roofs give at noon
_HOUSE_GAP, _HUB_GAP = 3.0, 4.0


@dataclass(frozen=True, slots=True, eq=False)
class StreetGeometry:
    """Everything about a drawing of a street that does not change from tick to tick.

    ``houses`` (count, 2) centres and ``house_r`` their half height; ``trunks`` (feeders, 2) outer ends; ``rho`` (per,)
    where the houses of a feeder join it, as share of the way from the hub's centre to the outer end. ``hub`` is
    (x, y, r), ``grid`` (x, y of the centre, width, height). ``labels`` are slots beside the houses, or at the feeders'
    outer ends; none where a number would not fit. ``widths`` are (least, full) px of the lines of a house, a trunk, the
    grid.
    """

    width: float
    height: float
    compact: bool
    count: int
    per: int
    hub: tuple[float, float, float]
    grid: tuple[float, float, float, float]
    house_r: float
    houses: Floats
    trunks: Floats
    rho: Floats
    labels: tuple[Slot | None, ...]
    label_box: tuple[float, float]
    font_px: float
    widths: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    head: float

    @property
    def feeders(self) -> int:
        """Number of feeders, 0 of a star."""
        return len(self.trunks)

    def full_scales_w(self, full_scale_w: float = FULL_SCALE_W) -> tuple[float, float, float]:
        """Power of the widest line of a house, a trunk, the grid."""
        return (
            full_scale_w,
            full_scale_w * max(1.0, SUM_SHARE * self.per),
            full_scale_w * max(1.0, SUM_SHARE * self.count),
        )

    def to_json(self) -> dict[str, Any]:
        """The geometry as short plain lists for ``assets/street.js``; coordinates of many points lie flat."""
        return {
            "width": self.width,
            "height": self.height,
            "compact": self.compact,
            "count": self.count,
            "per": self.per,
            "hub": list(self.hub),
            "grid": list(self.grid),
            "r": self.house_r,
            "houses": self.houses.ravel().tolist(),
            "trunks": self.trunks.ravel().tolist(),
            "rho": self.rho.tolist(),
            "labels": [None if s is None else [s.x, s.y, s.align] for s in self.labels],
            "labelBox": list(self.label_box),
            "font": self.font_px,
            "widths": [list(pair) for pair in self.widths],
            "head": self.head,
            "sumShare": SUM_SHARE,
            "idle": IDLE_W,
            "statesAbove": STATES_ABOVE,
        }


def houses_per_feeder(count: int) -> int:
    """How many consecutive houses share a feeder, the last feeder may have fewer; 0 where every house has its own line.

    >>> houses_per_feeder(40), houses_per_feeder(500), houses_per_feeder(10_000)
    (0, 20, 90)
    """
    return 0 if count <= STAR_MAX else math.ceil(count / max(8, round(math.sqrt(1.25 * count))))


@lru_cache(maxsize=32)
def street_geometry(
    count: int, width: float = 1080.0, height: float = 640.0, *, compact: bool = False
) -> StreetGeometry:
    """Place ``count`` houses around the bus, the grid at the left side, or on top where ``compact`` (about 360 x 480).

    Raises:
        DataError: fewer than 1 or more than 10,000 houses, or a canvas too small to draw on.
    """
    if not 1 <= count <= HOUSES_MAX:
        raise DataError(f"houses: {count} is not between 1 and {HOUSES_MAX}; draw fewer houses")
    if width < 300 or height < 360:
        raise DataError(f"canvas: {width:g} x {height:g} px is too small; give at least 300 x 360")
    per = houses_per_feeder(count)
    grid = (width / 2, 40.0, 176.0, 56.0) if compact else (72.0, height / 2, 112.0, 104.0)
    hub_r = (40.0 if compact else 56.0) if per else (42.0 if compact else 60.0)
    side, top = (0.0, 80.0) if compact else (136.0, 0.0)
    centre = (side + (width - side) / 2, top + (height - top) / 2)
    label = (49.0, 15.0) if compact else (56.0, 16.0)
    edge = (24.0, 28.0 if per else 40.0) if compact else (84.0, 32.0) if per else (108.0, 48.0 if count <= 24 else 58.0)
    reach = np.array([width - centre[0] - edge[0], height - centre[1] - edge[1]])
    if per:
        houses, trunks, rho = feeders(count, per, compact=compact)
    else:
        houses, trunks, rho = star(count, reach, compact=compact), np.empty((0, 2)), np.empty(0)
    hub = (round(centre[0], 1), round(centre[1], 1), hub_r)
    placed = (houses * reach + hub[:2]).round(1)
    outer = (trunks * reach + hub[:2]).round(1)
    apart = least_distance(placed, per)
    r = round(min(max(0.43 * apart, 1.1), 9.0) if per else min(max(0.4 * apart, 9.0), 16.0 if compact else 22.0), 1)
    canvas = (width, height)
    blocked: list[Box] = [(grid[0] - grid[2] / 2, grid[1] - grid[3] / 2, grid[0] + grid[2] / 2, grid[1] + grid[3] / 2)]
    ends, end_r = (outer, 1.0) if per else (placed, r)
    slots = place_numbers(ends, end_r, hub, label, canvas, blocked, placed if per else np.empty((0, 2)), r)
    if per and sum(s is not None for s in slots) < 0.9 * len(slots):
        slots = (None,) * len(slots)
    return StreetGeometry(
        width=width,
        height=height,
        compact=compact,
        count=count,
        per=per,
        hub=hub,
        grid=grid,
        house_r=r,
        houses=placed,
        trunks=outer,
        rho=np.round(rho, 4),
        labels=slots,
        label_box=label,
        font_px=11.0 if compact else 12.5,
        widths=_widths(r, per, len(outer), hub_r, compact=compact),
        head=round(min(1.0, 0.2 + 0.2 * r) if per else 1.0, 2),
    )


def _widths(
    r: float, per: int, feeders: int, hub_r: float, *, compact: bool
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    grid = (3.0, 28.0 if compact else 44.0)
    if not per:
        return (2.0, round(min(20.0, 0.9 * r), 1)), (2.0, 2.0), grid
    room = 2 * math.pi * hub_r / feeders
    return (min(1.4, round(0.4 * r, 1)), round(min(7.0, 1.5 * r), 1)), (1.2, round(min(14.0, max(2.0, room)), 1)), grid


def edge_lines(geometry: StreetGeometry) -> Floats:
    """(edges, 4) centre lines x0, y0 at the house's side to x1, y1 at the bus: houses, then trunks, then the grid.

    The grid's line begins at the bus, so that like a house's its power is positive along the line.
    """
    g = geometry
    bus = np.array(g.hub[:2])
    if g.per:
        f, k = np.divmod(np.arange(g.count), g.per)
        joint = bus + (g.trunks[f] - bus) * g.rho[k][:, None]
        start, end = g.house_r + 0.5, 1.0
    else:
        joint = np.broadcast_to(bus, g.houses.shape)
        start, end = g.house_r + _HOUSE_GAP, g.hub[2] + _HUB_GAP
    way = joint - g.houses
    length = np.hypot(*way.T)[:, None]
    unit = way / length
    houses = np.hstack([g.houses + unit * np.minimum(start, 0.5 * length), joint - unit * np.minimum(end, length / 2)])
    out = g.trunks - bus
    trunks = np.hstack([g.trunks, bus + out / np.hypot(*out.T)[:, None] * (g.hub[2] + _HUB_GAP)])
    x, y, w, h = g.grid
    if g.compact:
        grid = [bus[0], bus[1] - g.hub[2] - _HUB_GAP, x, y + h / 2 + _HUB_GAP]
    else:
        grid = [bus[0] - g.hub[2] - _HUB_GAP, bus[1], x + w / 2 + _HUB_GAP, y]
    return np.vstack([houses, trunks, [grid]])


def edge_powers(geometry: StreetGeometry, net_w: ArrayLike) -> Floats:
    """(edges,) power along every line, W: of each house, the sum of each feeder, the sum of all.

    Raises:
        DataError: not one finite power for each house.
    """
    net = np.asarray(net_w, dtype=float)
    if net.shape != (geometry.count,) or not np.isfinite(net).all():
        raise DataError(f"net_w: give {geometry.count} finite powers, one for each house; the shape is {net.shape}")
    sums = np.add.reduceat(net, np.arange(0, geometry.count, geometry.per)) if geometry.per else np.empty(0)
    return np.concatenate([net, sums, [net.sum()]])


def edge_polygons(
    geometry: StreetGeometry, net_w: ArrayLike, full_scale_w: float = FULL_SCALE_W
) -> tuple[NDArray[np.int8], Floats]:
    """Status (edges,) and arrows (edges, 7, 2) in the order of ``edge_lines``; an idle one is its line there and back.

    The body's width is proportional to the power, at least the least and at most the full width of its kind; the head
    is ``4 head + 1.1 width`` long (at most 0.6 of the line) and ``4 head + 1.6 width`` wide.
    """
    power = edge_powers(geometry, net_w)
    status = np.where(power >= IDLE_W, EXPORT, np.where(power <= -IDLE_W, IMPORT, IDLE)).astype(np.int8)
    line = edge_lines(geometry)
    forward = (status != IMPORT)[:, None]
    a, b = np.where(forward, line[:, :2], line[:, 2:]), np.where(forward, line[:, 2:], line[:, :2])
    length = np.hypot(*(b - a).T)
    unit = (b - a) / np.maximum(length, 1e-9)[:, None]
    normal = np.stack([unit[:, 1], -unit[:, 0]], axis=1)
    half = np.where(status == IDLE, 0.0, _edge_widths(geometry, np.abs(power), full_scale_w) / 2)[:, None]
    cap = np.where(status == IDLE, 0.0, np.minimum(4 * geometry.head + 2.2 * half[:, 0], 0.6 * length))[:, None]
    wide = np.where(status == IDLE, 0.0, 2 * geometry.head + 1.6 * half[:, 0])[:, None]
    neck = b - unit * cap
    parts = (a + normal * half, neck + normal * half, neck + normal * wide, b)
    back = (neck - normal * wide, neck - normal * half, a - normal * half)
    return status, np.stack([*parts, *back], axis=1)


def _edge_widths(geometry: StreetGeometry, power_w: Floats, full_scale_w: float) -> Floats:
    kind = np.repeat([0, 1, 2], [geometry.count, geometry.feeders, 1])
    least, full = np.array(geometry.widths)[kind].T
    share = np.minimum(power_w / np.array(geometry.full_scales_w(full_scale_w))[kind], 1.0)
    if geometry.count > STATES_ABOVE:
        share[: geometry.count] = 0.0
    widths: Floats = np.maximum(least, full * share)
    return widths
