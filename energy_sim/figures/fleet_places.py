"""Where the parts of a fleet stand on a canvas: grid agent, transformers, ties, homes and batteries; pixels, y down.

Wide: the grid agent on top, transformers side by side, their agents in rows below. Compact (phones): transformers one
under the other, ties along the right border. `assets/fleet.js` draws at these places and lays nothing out itself.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

Point = tuple[float, float]
Path = tuple[Point, ...]

WIDE_PX = 1080.0
COMPACT_PX = 360.0
_HUB_R = 34.0
_MOST_COLUMNS = 8
_LABEL_FROM_PX = 100.0  # width of a cell that has room for three lines below its agent
_LABEL_LINE_PX = 15.0
_LABEL_LINES = 4
_STUB_PX = 12.0  # of a tie beside its boxes
_COMPACT_SUPPLY_PX = 64.0  # from the left


@dataclass(frozen=True, slots=True)
class AgentPlace:
    """An agent's disc, and the line of its flow from its transformer's box to its rim."""

    id: str
    x: float
    y: float
    line: Path


@dataclass(frozen=True, slots=True)
class TiePlace:
    """The line of a tie from transformer a to transformer b, and the centre of its text."""

    line: Path
    text: Point


@dataclass(frozen=True, slots=True)
class FleetPlaces:
    """Where everything stands on a canvas of width x height.

    ``hub`` is the grid agent (x, y, radius); ``boxes`` are centre, width, height of the transformers in order;
    ``supply`` leads from the network into each box; ``r`` is the radius of the agents, ``labels`` whether there is
    room for texts below them, ``cell`` the room of one agent.
    """

    width: float
    height: float
    compact: bool
    hub: tuple[float, float, float]
    boxes: tuple[tuple[float, float, float, float], ...]
    supply: tuple[Path, ...]
    ties: tuple[TiePlace, ...]
    agents: tuple[AgentPlace, ...]
    r: float
    cell: Point
    labels: bool

    def to_json(self) -> dict[str, object]:
        """The places as `assets/fleet.js` draws them."""
        return asdict(self)


def places_key(transformers: Sequence[str], ties: Sequence[tuple[str, str]], agents: Sequence[tuple[str, str]]) -> str:
    """A short text that differs when the places do."""
    return hashlib.blake2s(
        json.dumps([list(transformers), list(ties), list(agents)]).encode(), digest_size=6
    ).hexdigest()


def fleet_places(
    transformers: Sequence[str],
    ties: Sequence[tuple[str, str]],
    agents: Sequence[tuple[str, str]],
    *,
    compact: bool = False,
    width_px: float = WIDE_PX,
) -> FleetPlaces:
    """Lay a fleet out; the same fleet always stands in the same way.

    Args:
        transformers: their ids, left to right or top to bottom.
        ties: ids of the transformers they connect; one whose transformer is not there gets no length.
        agents: (id, transformer id); one at an unknown transformer stands at the first.
        compact: for narrow screens, one transformer under the other.
        width_px: of the canvas when it is not compact.
    """
    ids = list(transformers) or [""]
    at: list[list[str]] = [[] for _ in ids]
    for agent, transformer in agents:
        at[ids.index(transformer) if transformer in ids else 0].append(agent)
    most = max((len(some) for some in at), default=0)
    return _compact(ids, ties, at, most) if compact else _wide(ids, ties, at, most, width_px)


def _wide(
    ids: Sequence[str], ties: Sequence[tuple[str, str]], at: Sequence[Sequence[str]], most: int, width: float
) -> FleetPlaces:
    column = width / len(ids)
    columns = min(max(most, 1), _MOST_COLUMNS)
    cell_w = min((column - 24) / columns, 180.0)
    r, labels = _radius(cell_w, 48.0)
    cell_h = 2 * r + (_LABEL_LINES * _LABEL_LINE_PX + 26 if labels else 16)
    box_w, box_h, box_y = min(0.74 * column, 280.0), 112.0, 196.0
    boxes = tuple((round(column * (k + 0.5), 2), box_y, round(box_w, 2), box_h) for k in range(len(ids)))
    first = box_y + box_h / 2 + 76 + r
    placed = tuple(
        place
        for (x, _, w, _), some in zip(boxes, at, strict=True)
        for place in _rows(some, (x, box_y + box_h / 2, w), first, columns, cell_w, cell_h, r)
    )
    rows = math.ceil(most / columns) if most else 0
    supply = tuple(((x, 62.0), (x, box_y - box_h / 2 - 3)) for x, *_ in boxes)
    drawn = tuple(_wide_tie(ids, boxes, *tie) for tie in ties)
    height = first + max(rows, 1) * cell_h - r + 4
    hub_x = width / 2 if len(ids) % 2 == 0 else boxes[len(ids) // 2][0] + min(column / 2, 200.0)
    hub = (hub_x, 56.0, _HUB_R)
    return FleetPlaces(width, round(height, 2), False, hub, boxes, supply, drawn, placed, r, (cell_w, cell_h), labels)


def _wide_tie(ids: Sequence[str], boxes: Sequence[tuple[float, float, float, float]], a: str, b: str) -> TiePlace:
    """Between neighbours straight, past others below their boxes."""
    if a not in ids or b not in ids:
        return TiePlace(((0.0, 0.0), (0.0, 0.0)), (0.0, 0.0))
    i, k = ids.index(a), ids.index(b)
    side = 1 if k > i else -1
    (ax, y, w, h), (bx, _, wb, _) = boxes[i], boxes[k]
    if abs(k - i) == 1:
        start, end = ax + side * (w / 2 + 3), bx - side * (wb / 2 + 3)
        return TiePlace(((start, y), (end, y)), (round((start + end) / 2, 2), y))
    low = y + h / 2 + 16 + 6 * abs(k - i)
    start, end = ax + side * w / 4, bx - side * wb / 4
    line = ((start, y + h / 2), (start, low), (end, low), (end, y + h / 2 + 3))
    return TiePlace(line, (round((start + end) / 2, 2), low))


def _compact(
    ids: Sequence[str], ties: Sequence[tuple[str, str]], at: Sequence[Sequence[str]], most: int
) -> FleetPlaces:
    columns = min(max(most, 1), 3 if most <= 6 else 5)
    cell_w = (COMPACT_PX - 32) / columns
    r, labels = _radius(cell_w, 32.0)
    cell_h = 2 * r + (_LABEL_LINES * _LABEL_LINE_PX + 22 if labels else 14)
    box_w, box_h, y = 296.0, 104.0, 96.0
    boxes, supply, placed = [], [], []
    for some in at:
        box = (16 + box_w / 2, y + 34 + box_h / 2, box_w, box_h)
        boxes.append(box)
        supply.append(((_COMPACT_SUPPLY_PX, y + 6), (_COMPACT_SUPPLY_PX, y + 31)))  # beside it a tie's text
        first = y + 34 + box_h + 44 + r
        placed += _rows(some, (box[0], y + 34 + box_h, box_w), first, columns, cell_w, cell_h, r)
        y = first - r + max(math.ceil(len(some) / columns), 1) * cell_h + 12
    drawn = tuple(_compact_tie(ids, boxes, *tie) for tie in ties)
    hub = (COMPACT_PX / 2, 44.0, 30.0)
    return FleetPlaces(
        COMPACT_PX,
        round(y, 2),
        True,
        hub,
        tuple(boxes),
        tuple(supply),
        drawn,
        tuple(placed),
        r,
        (cell_w, cell_h),
        labels,
    )


def _compact_tie(ids: Sequence[str], boxes: Sequence[tuple[float, float, float, float]], a: str, b: str) -> TiePlace:
    """Along the right border; longer ones further out."""
    if a not in ids or b not in ids:
        return TiePlace(((0.0, 0.0), (0.0, 0.0)), (0.0, 0.0))
    (ax, ay, w, _), (bx, by, wb, hb) = boxes[ids.index(a)], boxes[ids.index(b)]
    out = min(ax + w / 2 + _STUB_PX + 8 * abs(ids.index(b) - ids.index(a)), COMPACT_PX - 12)
    line = ((ax + w / 2 + 3, ay), (out, ay), (out, by), (bx + wb / 2 + 3, by))
    lower = max(ay, by)
    return TiePlace(line, (out - 84, lower - hb / 2 - 18))


def _radius(cell_w: float, most: float) -> tuple[float, bool]:
    """How large the discs are in cells of a width, and whether texts have room below them."""
    labels = cell_w >= _LABEL_FROM_PX
    return round(min(most, 0.3 * cell_w if labels else 0.4 * cell_w), 2), labels


def _rows(
    agents: Sequence[str],
    box: tuple[float, float, float],
    first: float,
    columns: int,
    cell_w: float,
    cell_h: float,
    r: float,
) -> list[AgentPlace]:
    """Agents in centred rows below a box (centre x, lower border, width), each with the line of its flow."""
    x0, top, width = box
    placed = []
    for i, name in enumerate(agents):
        row, column = divmod(i, columns)
        wide = min(columns, len(agents) - row * columns)
        x = x0 + (column - (wide - 1) / 2) * cell_w
        y = first + row * cell_h
        start = x0 + max(min(x - x0, width / 2 - 24), 24 - width / 2)
        length = math.hypot(x - start, y - top)
        end = (x - (x - start) / length * (r + 5), y - (y - top) / length * (r + 5))
        line = ((round(start, 2), round(top + 4, 2)), (round(end[0], 2), round(end[1], 2)))
        placed.append(AgentPlace(name, round(x, 2), round(y, 2), line))
    return placed
