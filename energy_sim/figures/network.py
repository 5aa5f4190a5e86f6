"""Geometry of a network drawing in canvas pixels (y down), computed once per network.

``build_geometry`` places zones, arrows and label slots; ``ribbon`` turns an arrow's centre line and width into its
polygon. ``assets/network.js`` draws the same geometry with the same formula; a browser test compares the two.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from energy_sim.figures.curves import (
    Path,
    curve_normal,
    curve_via,
    lane_offset,
    straight_lane,
)
from energy_sim.figures.labels import Box, LabelSlot, place_labels
from energy_sim.figures.layout import Margins, place_zones
from energy_sim.zones.model import Network

WIDTH_MIN_PX = 3.0
WIDTH_MAX_PX = 16.0
NODE_RADIUS_PX = 30.0
FONT_PX = 12.0
_SAME_SIDE_DEG = 20.0
_LANE_STEP_PX = 9.0
_ROUTE_SEPARATOR = ">"


@dataclass(frozen=True, slots=True)
class Node:
    """A zone as a disc; ``force_pct`` and ``min_pct`` are storage levels in % of the largest."""

    id: str
    name: str
    x: float
    y: float
    r: float
    color: str
    force_pct: float
    min_pct: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """One way for energy from supplier to importer; ``transit`` is none for a direct one. Indices are of nodes.

    ``label`` is where the amount stands, ``split_label`` where both amounts of the split drawing stand; none when no
    free place was found, then the drawing counts it as hidden.
    """

    key: str
    hops: int
    supplier: int
    transit: int | None
    importer: int
    path: Path
    label: LabelSlot | None
    split_label: LabelSlot | None


@dataclass(frozen=True, slots=True)
class NetworkGeometry:
    """Everything about a network drawing that does not change from day to day.

    ``outline`` holds the rings of each zone that has one; ``full_scale_mwh`` is the energy of the widest arrow;
    ``label_box`` and ``split_label_box`` are (width, height) of the slots; ``legend`` the free box for the legend.
    """

    width: float
    height: float
    outline: tuple[tuple[str, tuple[Path, ...]], ...]
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    full_scale_mwh: float
    width_min: float
    width_max: float
    font_px: float
    label_box: tuple[float, float]
    split_label_box: tuple[float, float]
    legend: Box | None

    def arrow_width(self, mwh: float, full_scale_mwh: float | None = None) -> float:
        """Ribbon width in pixels, linear in energy up to the full scale."""
        share = min(max(mwh / (full_scale_mwh or self.full_scale_mwh), 0.0), 1.0)
        return self.width_min + (self.width_max - self.width_min) * share

    def to_json(self) -> dict[str, Any]:
        """The geometry as plain lists for ``assets/network.js``."""

        def slot(s: LabelSlot | None) -> list[float] | None:
            return None if s is None else [s.x, s.y]

        def anchor(s: LabelSlot | None) -> list[float] | None:
            return None if s is None else list(s.anchor)

        return {
            "width": self.width,
            "height": self.height,
            "fullScale": self.full_scale_mwh,
            "widthMin": self.width_min,
            "widthMax": self.width_max,
            "font": self.font_px,
            "labelBox": list(self.label_box),
            "splitLabelBox": list(self.split_label_box),
            "legend": None if self.legend is None else list(self.legend),
            "outline": [{"id": z, "rings": [[list(p) for p in r] for r in rings]} for z, rings in self.outline],
            "nodes": [
                {
                    "id": n.id,
                    "name": n.name,
                    "x": n.x,
                    "y": n.y,
                    "r": n.r,
                    "color": n.color,
                    "force": n.force_pct,
                    "min": n.min_pct,
                }
                for n in self.nodes
            ],
            "arrows": [
                {
                    "key": a.key,
                    "hops": a.hops,
                    "supplier": a.supplier,
                    "transit": a.transit,
                    "importer": a.importer,
                    "path": [list(p) for p in a.path],
                    "label": slot(a.label),
                    "anchor": anchor(a.label),
                    "leader": a.label is not None and a.label.leader,
                    "splitLabel": slot(a.split_label),
                    "splitAnchor": anchor(a.split_label),
                    "splitLeader": a.split_label is not None and a.split_label.leader,
                }
                for a in self.arrows
            ],
        }


def ribbon(path: Path, width: float) -> Path:
    """Closed polygon (first point not repeated) of an arrow of ``width`` pixels along a centre line.

    The body runs beside the path up to the neck, sampled at as many points as the path has; the head is 4 + 1.1 width
    long (at most 0.6 of the path) and 4 + 1.6 width wide, its base square to the line from neck to tip.
    """
    n = len(path)
    along = [0.0]
    for (x0, y0), (x1, y1) in pairwise(path):
        along.append(along[-1] + math.hypot(x1 - x0, y1 - y0))
    neck = along[-1] - min(4 + 1.1 * width, 0.6 * along[-1])
    body: list[tuple[float, float]] = []
    i = 0
    for k in range(n):
        s = neck * k / (n - 1)
        while i < n - 2 and along[i + 1] < s:
            i += 1
        f = (s - along[i]) / ((along[i + 1] - along[i]) or 1.0)
        (x0, y0), (x1, y1) = path[i], path[i + 1]
        body.append((x0 + f * (x1 - x0), y0 + f * (y1 - y0)))
    left, right = [], []
    for k, (x, y) in enumerate(body):
        a, b = body[max(k - 1, 0)], body[k + 1] if k < n - 1 else path[-1]
        ux, uy = _unit(b[0] - a[0], b[1] - a[1])
        if k == n - 1:
            ux, uy = _unit(path[-1][0] - x, path[-1][1] - y)
        h = width / 2
        left.append((x + uy * h, y - ux * h))
        right.append((x - uy * h, y + ux * h))
    (bx, by), h = body[-1], 2 + 0.8 * width
    return (*left, (bx + uy * h, by - ux * h), path[-1], (bx - uy * h, by + ux * h), *right[::-1])


def _unit(dx: float, dy: float) -> tuple[float, float]:
    length = math.hypot(dx, dy) or 1.0
    return dx / length, dy / length


def build_geometry(network: Network, width: float = 880.0, height: float = 850.0) -> NetworkGeometry:
    """Place the zones, arrows and labels of a network on a canvas; for phones ask for about 400 x 520."""
    small = min(1.0, max(0.6, math.sqrt(min(width / 880, height / 850))))
    r, wide = NODE_RADIUS_PX * small, WIDTH_MAX_PX * small
    font = max(10.5, FONT_PX * small)
    compact = width < 600
    margins = Margins(0.17 * width, 0.17 * width, 0.19 * height, 0.11 * height)
    placed = place_zones(network, width, height, margins, gap=2 * r + 60 * small)
    nodes = tuple(
        Node(
            id=zone.id,
            name=zone.name,
            x=x,
            y=y,
            r=round(r, 2),
            color=zone.color,
            force_pct=round(100 * zone.hydro_force_export_mwh / (zone.hydro_max_mwh or 1.0), 2),
            min_pct=round(100 * zone.hydro_min_mwh / (zone.hydro_max_mwh or 1.0), 2),
        )
        for zone, (x, y) in zip(network.zones, placed.centres, strict=True)
    )
    ways = _ways(network)
    paths = _paths(ways, nodes, lane_offset(wide), small)
    label_box = (round(5.7 * font + 10, 1), round(1.35 * font + 4, 1))
    split_box = (round(6.9 * font + 10, 1), round(2.5 * font + 6, 1))
    legend = None if compact else _free_corner(nodes, width, height)
    discs = [(n.x, n.y, n.r) for n in nodes]
    blocked = [] if legend is None else [legend]
    direct = [t is None for _, t, _ in ways]
    split_boxes = [split_box if d else label_box for d in direct]
    labels = place_labels(paths, [label_box] * len(ways), direct, discs, (width, height), blocked, wide / 2)
    splits = place_labels(paths, split_boxes, direct, discs, (width, height), blocked, wide / 2)
    arrows = tuple(
        Arrow(
            key=_ROUTE_SEPARATOR.join(nodes[i].id for i in (s, t, z) if i is not None),
            hops=1 if t is None else 2,
            supplier=s,
            transit=t,
            importer=z,
            path=path,
            label=label,
            split_label=split,
        )
        for (s, t, z), path, label, split in zip(ways, paths, labels, splits, strict=True)
    )
    return NetworkGeometry(
        width=width,
        height=height,
        outline=placed.outline,
        nodes=nodes,
        arrows=arrows,
        full_scale_mwh=max((link.capacity_mwh_per_day for link in network.links), default=0.0) or 1.0,
        width_min=round(WIDTH_MIN_PX * small, 2),
        width_max=round(wide, 2),
        font_px=round(font, 2),
        label_box=label_box,
        split_label_box=split_box,
        legend=legend,
    )


Way = tuple[int, int | None, int]  # supplier, transit, importer


def _ways(network: Network) -> list[Way]:
    """Distinct (supplier, transit, importer) of the routes, direct ones first, otherwise in route order."""
    ways: dict[Way, None] = {}
    for route in sorted(network.routes, key=lambda route: route.hops):
        ways[route.supplier, None if route.hops == 1 else route.transit, route.importer] = None
    return list(ways)


def _paths(ways: Sequence[Way], nodes: Sequence[Node], offset: float, small: float) -> list[Path]:
    """Centre lines; two-hop ways on the same side of the same node lie in lanes beside each other."""
    paths: dict[Way, Path] = {}
    taken: dict[int, list[tuple[float, int]]] = {}
    for way in sorted(ways, key=lambda w: w[0] > w[2]):
        s, t, z = way
        a, b = (nodes[s].x, nodes[s].y), (nodes[z].x, nodes[z].y)
        r = nodes[s].r
        if t is None:
            paths[way] = straight_lane(a, b, offset, r)
            continue
        via = (nodes[t].x, nodes[t].y)
        nx, ny = curve_normal(a, via, b)
        angle = math.degrees(math.atan2(ny, nx))
        used = {lane for other, lane in taken.get(t, []) if abs((angle - other + 180) % 360 - 180) < _SAME_SIDE_DEG}
        lane = next(k for k in range(len(used) + 1) if k not in used)
        taken.setdefault(t, []).append((angle, lane))
        shift = lane * _LANE_STEP_PX * small
        paths[way] = curve_via(a, via, b, r, r + shift, end_shift=min(0.62 * r + 0.6 * shift, 0.9 * r))
    return [paths[way] for way in ways]


def _free_corner(nodes: Sequence[Node], width: float, height: float) -> Box:
    """The corner box for the legend (left, top, right, bottom) that is furthest from all nodes."""
    w, h, edge = 196.0, 150.0, 14.0
    corners = [
        (width - w - edge, height - h - edge),
        (edge, height - h - edge),
        (edge, edge + 24),
        (width - w - edge, edge + 24),
    ]

    def room(corner: tuple[float, float]) -> float:
        x, y = corner[0] + w / 2, corner[1] + h / 2
        return min(math.hypot(n.x - x, n.y - y) for n in nodes)

    x, y = max(corners, key=room)
    return x, y, x + w, y + h
