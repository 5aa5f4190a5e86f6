"""The ring of a community: homes around the grid, and what flowed in one step as arrows.

Up to ``FULL_MAX`` homes are discs with a battery ring, money and bars; from ``TWO_ROWS_FROM`` on in two rows; more
homes are dots. Arrows: from the grid (buy), to the grid (sell), between homes (trade). ``assets/ring.js`` repeats
``trade_path``, ``ring_arrows`` and ``place_amounts`` line by line; a browser test compares the coordinates.
Pixels, y down; energy in kWh of the step, money in EUR.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from energy_sim.errors import DataError
from energy_sim.figures.curves import Path, Point
from energy_sim.figures.network import ribbon
from energy_sim.figures.ring_places import (
    TWO_ROWS_FROM,
    Box,
    Floats,
    dot_places,
    overlap,
    place_blocks,
    row_places,
    short_names,
    touches,
)
from energy_sim.figures.theme import NO_BREAK_SPACE, format_number

Kind = Literal["buy", "sell", "trade"]

FULL_MAX: Final = 60
HOMES_MAX: Final = 1000
DRAWN_MAX: Final = 60  # trades drawn at once, the largest
GRID_AMOUNTS_MAX: Final = 12  # of more homes only trades have their kWh written beside them
LEAST_KWH: Final = 0.005  # less is shown as 0.00 and not drawn
LEAST_EUR: Final = 0.005
SIGNS: Final = ("▲", "●", "▼")  # of money saved, lost
HOME_FIELDS: Final = (  # of a state, in the order of the rows that the page gets
    *("soc_pct", "wallet_eur", "saved_eur", "production_kwh", "consumption_kwh", "grid_buy_kwh", "grid_sell_kwh"),
    *("p2p_buy_kwh", "p2p_sell_kwh", "charge_kwh", "discharge_kwh", "curtailed_kwh", "unserved_kwh"),
)
_PATH_POINTS = 20
_GAP_PX = 4.0
_ALONG: Final = (0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78)  # where on its arrow an amount may stand, best first
HOUSE: Final = "M0,-1L1,-0.12L0.74,-0.12L0.74,0.9L-0.74,0.9L-0.74,-0.12L-1,-0.12Z"
MARKS: Final = (  # by status, over the house
    "M-0.36,0.3L-0.08,0.58L0.4,0.02",
    "M-0.32,0.36L0.32,0.36",
    "M0,-0.28L0,0.32M0,0.6L0,0.66",
)
PYLON: Final = (
    "M-0.55,1L-0.16,-0.2L0,-1L0.16,-0.2L0.55,1M-0.4,0.5L0.16,-0.2M0.4,0.5L-0.16,-0.2"
    "M-0.6,-0.5L0.6,-0.5M-0.78,-0.12L0.78,-0.12"
)


@dataclass(frozen=True, slots=True, eq=False)
class RingGeometry:
    """Everything about a ring that does not change from step to step.

    ``homes`` (count, 2) centres and ``r`` their radius; ``names`` what stands in them; ``hub`` the grid (x, y, r).
    ``slots`` are centres of the boxes of size ``block`` for money and bars (x, y, align: -1 left, 0 middle, 1 right),
    none where there is no room. ``widths`` are px of the narrowest and widest trade and grid arrow. ``dots``: homes
    are dots without text.
    """

    width: float
    height: float
    compact: bool
    dots: bool
    ids: tuple[str, ...]
    names: tuple[str, ...]
    hub: tuple[float, float, float]
    r: float
    homes: Floats
    slots: tuple[tuple[float, float, int] | None, ...]
    block: tuple[float, float]
    font_px: float
    widths: tuple[float, float, float]

    @property
    def count(self) -> int:
        """Number of homes."""
        return len(self.ids)

    def to_json(self) -> dict[str, Any]:
        """The geometry as plain lists for ``assets/ring.js``."""
        return {
            "width": self.width,
            "height": self.height,
            "compact": self.compact,
            "dots": self.dots,
            "ids": list(self.ids),
            "names": list(self.names),
            "hub": list(self.hub),
            "r": self.r,
            "homes": self.homes.tolist(),
            "slots": [None if s is None else list(s) for s in self.slots],
            "block": list(self.block),
            "font": self.font_px,
            "widths": list(self.widths),
            "drawnMax": DRAWN_MAX,
            "gridAmountsMax": GRID_AMOUNTS_MAX,
            "glyphs": {"house": HOUSE, "marks": list(MARKS), "pylon": PYLON},
        }


@dataclass(frozen=True, slots=True, eq=False)
class RingState:
    """One step of a community, (count,) each; ``soc_pct`` is NaN where there is no battery.

    ``wallet_eur`` is after the step, ``saved_eur`` how much better off than in the baseline so far. ``trades`` are
    (seller, buyer, kWh) with places of homes; ``full_kwh`` is the energy of the widest arrow, ``bar_full_kwh`` of the
    longest bar (none: the largest of this step).
    """

    soc_pct: Floats
    wallet_eur: Floats
    saved_eur: Floats
    production_kwh: Floats
    consumption_kwh: Floats
    grid_buy_kwh: Floats
    grid_sell_kwh: Floats
    p2p_buy_kwh: Floats
    p2p_sell_kwh: Floats
    charge_kwh: Floats
    discharge_kwh: Floats
    curtailed_kwh: Floats
    unserved_kwh: Floats
    trades: tuple[tuple[int, int, float], ...]
    full_kwh: float
    bar_full_kwh: float | None = None

    @property
    def grid_bought_kwh(self) -> float:
        """What all homes took from the grid."""
        return float(self.grid_buy_kwh.sum())

    @property
    def grid_sold_kwh(self) -> float:
        """What all homes gave to the grid."""
        return float(self.grid_sell_kwh.sum())

    def rows(self) -> Floats:
        """(count, 13) of all quantities, in the order of the fields."""
        return np.column_stack([np.asarray(getattr(self, name), dtype=float) for name in HOME_FIELDS])

    def to_json(self) -> dict[str, Any]:
        """The state as ``assets/ring.js`` takes it, rounded to 0.01 %, cents and Wh."""
        digits = [2, 2, 2] + [3] * (len(HOME_FIELDS) - 3)
        homes = [
            [None if math.isnan(v) else round(v, d) for v, d in zip(row, digits, strict=True)]
            for row in self.rows().tolist()
        ]
        trades = [[int(s), int(b), round(float(kwh), 3)] for s, b, kwh in self.trades]
        return {"homes": homes, "trades": trades, "full": self.full_kwh, "barFull": self.bar_full_kwh}


@dataclass(frozen=True, slots=True)
class RingArrow:
    """Energy on its way; ``start`` and ``end`` are places of homes, -1 is the grid. ``width`` in px."""

    kind: Kind
    start: int
    end: int
    kwh: float
    width: float
    path: Path

    @property
    def polygon(self) -> Path:
        """Body and head, closed."""
        return ribbon(self.path, self.width)


def ring_geometry(
    ids: tuple[str, ...], width: float = 900.0, height: float = 700.0, *, compact: bool = False
) -> RingGeometry:
    """Place homes clockwise from the top around the grid; for phones ask for 360 x 480 and ``compact``.

    Raises:
        DataError: fewer than 1 or more than 1,000 homes, or a canvas too small to draw on.
    """
    count = len(ids)
    if not 1 <= count <= HOMES_MAX:
        raise DataError(f"homes: {count} is not between 1 and {HOMES_MAX}; draw fewer homes")
    if width < 300 or height < 360:
        raise DataError(f"canvas: {width:g} x {height:g} px is too small; give at least 300 x 360")
    dots, two_rows = count > FULL_MAX, count >= TWO_ROWS_FROM
    centre = np.array([width / 2, height / 2])
    hub_r = (40.0 if compact else 58.0) if not two_rows else (34.0 if compact else 54.0)
    font = 10.0 if compact or two_rows else 11.5
    block = (46.0, 31.0) if compact else (50.0, 36.0) if two_rows else (68.0, 40.0)
    beside = not dots and (not compact or count <= 12)  # room is kept for a box outside every home
    r_max = 24.0 if compact else 34.0
    r = r_max
    for _ in range(6):
        edge = r + 6 + (block[0] + 4 if beside else 0), r + 6 + (block[1] + 4 if beside else 0)
        reach = np.array([width / 2 - edge[0], height / 2 - edge[1]])
        unit, pitch = dot_places(count, reach) if dots else row_places(count, reach)
        r = 0.38 * pitch if dots else min(max(0.4 * pitch, 9.0), r_max)
    r = round(r, 1)
    homes = (centre + unit * reach).round(1)
    hub = (float(centre[0]), float(centre[1]), hub_r)
    slots = (None,) * count if not beside else place_blocks(homes, r, hub, block, (width, height))
    room = 0.8 * 2 * math.pi * hub_r / max(count, 1)  # at the rim of the grid
    wide = min((9.0 if compact else 13.0) * min(1.0, math.sqrt(14 / count)), 0.6 * r)
    return RingGeometry(
        width=width,
        height=height,
        compact=compact,
        dots=dots,
        ids=ids,
        names=short_names(ids),
        hub=hub,
        r=r,
        homes=homes,
        slots=slots,
        block=block,
        font_px=font,
        widths=(1.2, 4.0, 4.0) if dots else (1.6, round(max(wide, 3.0), 1), round(max(min(1.3 * wide, room), 2.4), 1)),
    )


def trade_path(geometry: RingGeometry, seller: int, buyer: int) -> Path:
    """Centre line of a trade: a quadratic Bezier bent square to its chord, towards the grid, from rim to rim.

    Where that would come near the grid it is bent away until it passes the grid in one of three lanes.
    """
    g = geometry
    (ax, ay), (bx, by), (hx, hy, hr) = g.homes[seller].tolist(), g.homes[buyer].tolist(), g.hub
    mx, my = (ax + bx) / 2, (ay + by) / 2
    chord = math.hypot(bx - ax, by - ay) or 1.0
    nx, ny = -(by - ay) / chord, (bx - ax) / chord
    d = (mx - hx) * nx + (my - hy) * ny  # of the grid from the chord; the normal points away from the grid
    if d < -1e-6:
        nx, ny, d = -nx, -ny, -d
    least = hr + 10 + 7 * ((seller + buyer) % 3)
    out = -min(0.32 * d, 0.45 * chord + 12)
    for _ in range(8):
        cx, cy = mx + 2 * out * nx, my + 2 * out * ny
        near = min(math.dist(_bezier(ax, ay, cx, cy, bx, by, k / 16), (hx, hy)) for k in range(1, 16))
        if near >= least - 0.5:
            break
        out += 1.1 * (least - near)
    start, end = _leave(ax, ay, cx, cy, bx, by, g.r + _GAP_PX), 1 - _leave(bx, by, cx, cy, ax, ay, g.r + _GAP_PX)
    shares = (start + (end - start) * k / (_PATH_POINTS - 1) for k in range(_PATH_POINTS))
    return tuple(_bezier(ax, ay, cx, cy, bx, by, t) for t in shares)


def _bezier(ax: float, ay: float, cx: float, cy: float, bx: float, by: float, t: float) -> Point:
    u = 1 - t
    return u * u * ax + 2 * u * t * cx + t * t * bx, u * u * ay + 2 * u * t * cy + t * t * by


def _leave(ax: float, ay: float, cx: float, cy: float, bx: float, by: float, r: float) -> float:
    """The parameter below 0.45 at which the curve leaves the disc of radius ``r`` around its start."""
    low, high = 0.0, 0.45
    for _ in range(24):
        middle = (low + high) / 2
        inside = math.dist(_bezier(ax, ay, cx, cy, bx, by, middle), (ax, ay)) < r
        low, high = (middle, high) if inside else (low, middle)
    return high


def _grid_path(geometry: RingGeometry, home: int, kind: Kind, shift: float) -> Path:
    """The straight line between a home and the grid, ``shift`` px to the right of its direction."""
    (x, y), (hx, hy, hr) = geometry.homes[home].tolist(), geometry.hub
    far = math.hypot(x - hx, y - hy) or 1.0
    ux, uy = (x - hx) / far, (y - hy) / far
    inner, outer = hr + _GAP_PX, far - geometry.r - _GAP_PX
    sign = 1.0 if kind == "buy" else -1.0
    ox, oy = hx - uy * shift * sign, hy + ux * shift * sign
    ends = (ox + ux * inner, oy + uy * inner), (ox + ux * outer, oy + uy * outer)
    return ends if kind == "buy" else ends[::-1]


def ring_arrows(geometry: RingGeometry, state: RingState) -> tuple[RingArrow, ...]:
    """The arrows of a step: trades from the largest on, at most ``DRAWN_MAX``, then home by home the grid's.

    Dots have no arrows to the grid. Widths are linear in energy up to the full scale.

    Raises:
        DataError: a quantity has not one value for each home, or a trade names a home that is not there.
    """
    g = geometry
    if any(np.shape(getattr(state, name)) != (g.count,) for name in HOME_FIELDS):
        raise DataError(f"ring: give {g.count} values, one for each home, of each of {', '.join(HOME_FIELDS)}")
    if any(not (0 <= s < g.count and 0 <= b < g.count and s != b) for s, b, _ in state.trades):
        raise DataError(f"ring: a trade's seller and buyer are two places below {g.count}; check the trades")
    thin, wide, grid = g.widths
    full = state.full_kwh or 1.0

    def width(kwh: float, most: float) -> float:
        return thin + (most - thin) * min(kwh / full, 1.0)

    seen = sorted((t for t in state.trades if t[2] >= LEAST_KWH), key=lambda t: -t[2])[:DRAWN_MAX]
    arrows = [RingArrow("trade", s, b, kwh, width(kwh, wide), trade_path(g, s, b)) for s, b, kwh in seen]
    for home in range(0 if g.dots else g.count):
        bought, sold = float(state.grid_buy_kwh[home]), float(state.grid_sell_kwh[home])
        shift = 0.5 * grid if min(bought, sold) >= LEAST_KWH else 0.0
        if bought >= LEAST_KWH:
            path = _grid_path(g, home, "buy", shift)
            arrows.append(RingArrow("buy", -1, home, bought, width(bought, grid), path))
        if sold >= LEAST_KWH:
            path = _grid_path(g, home, "sell", shift)
            arrows.append(RingArrow("sell", home, -1, sold, width(sold, grid), path))
    return tuple(arrows)


def place_amounts(geometry: RingGeometry, arrows: Sequence[RingArrow]) -> tuple[Box | None, ...]:
    """Boxes for the kWh on the arrows, in their order; none where every place would cover something else."""
    g = geometry
    w, h = g.block
    taken = [(s[0] - w / 2, s[1] - h / 2, s[0] + w / 2, s[1] + h / 2) for s in g.slots if s is not None]
    discs = [(x, y, g.r + 2) for x, y in g.homes.tolist()] + [(g.hub[0], g.hub[1], g.hub[2] + 2)]
    boxes: list[Box | None] = []
    for arrow in arrows:
        half_w, half_h = (0.6 * g.font_px * len(format_amount(arrow.kwh)) + 8) / 2, (g.font_px + 5) / 2
        found = None
        for share in _ALONG if wants_amount(g, arrow) else ():
            x, y = point_along(arrow.path, share)
            box = (x - half_w, y - half_h, x + half_w, y + half_h)
            if not any(overlap(box, other) for other in taken) and not any(touches(box, *d) for d in discs):
                found = box
                taken.append(box)
                break
        boxes.append(found)
    return tuple(boxes)


def wants_amount(geometry: RingGeometry, arrow: RingArrow) -> bool:
    """Whether the kWh of an arrow is written beside it where there is room."""
    return not geometry.dots and (arrow.kind == "trade" or geometry.count <= GRID_AMOUNTS_MAX)


def point_along(path: Path, share: float) -> Point:
    """The point at a share of the points of a path."""
    at = share * (len(path) - 1)
    i = min(int(at), len(path) - 2)
    f = at - i
    return path[i][0] + f * (path[i + 1][0] - path[i][0]), path[i][1] + f * (path[i + 1][1] - path[i][1])


def format_amount(kwh: float) -> str:
    """Energy of a step for people: two decimals below 10 kWh, one below 100, MWh from 1,000 kWh.

    >>> [format_amount(kwh).replace("\u00a0", " ") for kwh in (0.42, 12.34, 1234.0)]
    ['0.42 kWh', '12.3 kWh', '1.23 MWh']
    """
    value, unit = (kwh / 1000, "MWh") if abs(kwh) >= 999.5 else (kwh, "kWh")
    decimals = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{format_number(value, decimals)}{NO_BREAK_SPACE}{unit}"


def format_money(eur: float, *, signed: bool = False) -> str:
    """Money without its unit: cents below 100, else whole; ``signed``: with + and the sign of gain or loss.

    >>> format_money(12.3), format_money(1.2, signed=True).replace("\u00a0", " ")
    ('12.30', '▲ +1.20')
    """
    text = format_number(eur, 2 if abs(eur) < 99.995 else 0)
    if not signed:
        return text
    sign = 0 if eur >= LEAST_EUR else 2 if eur <= -LEAST_EUR else 1
    return f"{SIGNS[sign]}{NO_BREAK_SPACE}{'+' * (sign == 0)}{text}"
