"""The network of the zones room as ``plotly`` figures: the polygons that the live page draws, for files and tests."""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import plotly.graph_objects as go

from energy_sim.errors import DataError
from energy_sim.figures.curves import Path, Point, split_path
from energy_sim.figures.labels import LabelSlot
from energy_sim.figures.network import Arrow, NetworkGeometry, build_geometry, ribbon
from energy_sim.figures.theme import THEMES, Theme, ThemeName, base_layout, format_energy, format_number, tint
from energy_sim.zones.model import Network, Transfer

_TITLE_PX = 46
_LEADER_DOT_PX = 5


@dataclass(frozen=True, slots=True)
class ArrowAmount:
    """Energy over one arrow, MWh; the phases are parts of ``delivered_mwh``. ``arrow`` is its index."""

    arrow: int
    delivered_mwh: float
    sent_mwh: float
    phase2_mwh: float
    phase4_mwh: float


_computing = threading.Lock()


def network_geometry(network: Network, width: float = 880.0, height: float = 850.0) -> NetworkGeometry:
    """The geometry of a network, computed once; who asks meanwhile waits for it instead of computing it, too."""
    with _computing:
        return _network_geometry(network, width, height)


@lru_cache(8)
def _network_geometry(network: Network, width: float, height: float) -> NetworkGeometry:
    return build_geometry(network, width, height)


def arrow_amounts(geometry: NetworkGeometry, transfers: Iterable[Transfer]) -> tuple[ArrowAmount, ...]:
    """Transfers summed by arrow, in the order of the arrows; arrows without energy are left out.

    Raises:
        DataError: a transfer takes a way the network does not have.
    """
    index = {arrow.key: i for i, arrow in enumerate(geometry.arrows)}
    sums: dict[int, list[float]] = {}
    for transfer in transfers:
        key = ">".join(z for z in (transfer.supplier, transfer.transit_zone, transfer.importer) if z is not None)
        if key not in index:
            raise DataError(f"transfer {transfer.date} {key}: the network has no such way; check its links")
        total = sums.setdefault(index[key], [0.0, 0.0, 0.0, 0.0])
        total[0] += transfer.delivered_mwh
        total[1] += transfer.sent_mwh
        total[2 if transfer.phase == 2 else 3] += transfer.delivered_mwh
    return tuple(ArrowAmount(i, *sums[i]) for i in sorted(sums) if sums[i][1] > 0)


def plot_energy_exchange_curved(
    network: Network,
    transfers: Sequence[Transfer],
    levels_pct: Sequence[float] | None = None,
    theme: ThemeName = "dark",
    title: str | None = None,
) -> go.Figure:
    """Who sends energy to whom: direct transfers as straight arrows, two-hop ones as curves touching the transit zone.

    Transfers of many days are summed by arrow, and the width's full scale grows with the number of days.

    Args:
        network: zones and links.
        transfers: of one day or many.
        levels_pct: storage of each zone in % of the largest, fills the nodes.
        theme: dark or light.
        title: instead of the one that names the days.
    """
    return _exchange(network, transfers, levels_pct, THEMES[theme], title, split=False)


def plot_energy_exchange_split_import_export(
    network: Network,
    transfers: Sequence[Transfer],
    levels_pct: Sequence[float] | None = None,
    theme: ThemeName = "dark",
    title: str | None = None,
) -> go.Figure:
    """As ``plot_energy_exchange_curved``, each direct transfer as an export and an import arrow (sent, delivered)."""
    return _exchange(network, transfers, levels_pct, THEMES[theme], title, split=True)


def _exchange(
    network: Network,
    transfers: Sequence[Transfer],
    levels_pct: Sequence[float] | None,
    theme: Theme,
    title: str | None,
    split: bool,
) -> go.Figure:
    geometry = network_geometry(network)
    amounts = arrow_amounts(geometry, transfers)
    days = sorted({t.date for t in transfers})
    scale = geometry.full_scale_mwh * max(len(days), 1)
    when = "no transfers" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    traces = [*_land(geometry, theme), _backbone(geometry, theme)]
    for name, color, polygons in _polygons(geometry, amounts, theme, scale, split):
        x, y = _joined(polygons)
        line = {"width": 1, "color": theme.bg}
        traces.append(_area(x, y, color, line, name=name, showlegend=bool(polygons), opacity=0.95))
    traces += [*_leaders(geometry, amounts, theme, split), _hover(geometry, amounts)]
    traces += _nodes(geometry, levels_pct, theme)
    layout = base_layout(theme, title or f"Energy exchange between zones, GWh (MWh below 1), {when}")
    axis = {"visible": False, "zeroline": False, "showgrid": False}
    layout |= {
        "width": geometry.width + 16,
        "height": geometry.height + _TITLE_PX + 8,
        "margin": {"l": 8, "r": 8, "t": _TITLE_PX, "b": 8},
        "xaxis": axis | {"range": [0, geometry.width]},
        "yaxis": axis | {"range": [geometry.height, 0], "scaleanchor": "x", "scaleratio": 1},
        "hovermode": "closest",
        "annotations": [_pill(geometry, amount, theme, split) for amount in amounts if _slot(geometry, amount, split)],
        "legend": {"x": 0.01, "y": 0.98, "bgcolor": "rgba(0,0,0,0)", "itemclick": False, "itemdoubleclick": False},
    }
    return go.Figure(traces, layout)


def _polygons(
    geometry: NetworkGeometry, amounts: Sequence[ArrowAmount], theme: Theme, scale: float, split: bool
) -> list[tuple[str, str, list[Path]]]:
    """Legend entries with colour and ribbons, two-hop ones last."""
    direct: list[Path] = []
    export: list[Path] = []
    imported: list[Path] = []
    two_hop: list[Path] = []
    for amount in amounts:
        arrow = geometry.arrows[amount.arrow]
        sent, delivered = (geometry.arrow_width(v, scale) for v in (amount.sent_mwh, amount.delivered_mwh))
        if arrow.hops == 2:
            two_hop.append(ribbon(arrow.path, delivered))
        elif split:
            first, second = split_path(arrow.path)
            export.append(ribbon(first, sent))
            imported.append(ribbon(second, delivered))
        else:
            direct.append(ribbon(arrow.path, delivered))
    sides = [("▲ export side (sent)", theme.export, export), ("▼ import side (delivered)", theme.import_, imported)]
    shown = sides if split else [("Direct transfer", theme.export, direct)]
    return [*shown, ("Two-hop transfer (curved)", theme.two_hop, two_hop)]


def _joined(polygons: Iterable[Path]) -> tuple[list[float | None], list[float | None]]:
    """Closed polygons as one pair of coordinate lists with gaps."""
    x: list[float | None] = []
    y: list[float | None] = []
    for polygon in polygons:
        x += [*(round(p[0], 2) for p in polygon), round(polygon[0][0], 2), None]
        y += [*(round(p[1], 2) for p in polygon), round(polygon[0][1], 2), None]
    return x, y


def _area(x: Sequence[Any], y: Sequence[Any], color: str, line: dict[str, Any], **more: Any) -> go.Scatter:
    options = {"showlegend": False, "hoverinfo": "skip"} | more
    return go.Scatter(x=x, y=y, mode="lines", fill="toself", fillcolor=color, line=line, **options)


def _land(geometry: NetworkGeometry, theme: Theme) -> list[go.Scatter]:
    return [
        _area(*_joined(rings), theme.land_alt if i % 2 else theme.land, {"width": 1, "color": theme.coast})
        for i, (_, rings) in enumerate(geometry.outline)
    ]


def _backbone(geometry: NetworkGeometry, theme: Theme) -> go.Scatter:
    pairs = {(min(a.supplier, a.importer), max(a.supplier, a.importer)) for a in geometry.arrows if a.hops == 1}
    ends = [(geometry.nodes[i], geometry.nodes[j]) for i, j in sorted(pairs)]
    x = [v for a, b in ends for v in (a.x, b.x, None)]
    y = [v for a, b in ends for v in (a.y, b.y, None)]
    line = {"width": 1.5, "dash": "dot", "color": theme.idle}
    return go.Scatter(x=x, y=y, mode="lines", line=line, opacity=0.6, showlegend=False, hoverinfo="skip")


def _slot(geometry: NetworkGeometry, amount: ArrowAmount, split: bool) -> LabelSlot | None:
    arrow = geometry.arrows[amount.arrow]
    return arrow.split_label if split else arrow.label


def _pill_place(geometry: NetworkGeometry, arrow: Arrow, slot: LabelSlot, lines: Sequence[str], split: bool) -> Point:
    """Centre of a pill as wide as its text, moved inside its slot towards its arrow (as the live drawing does)."""
    box = geometry.split_label_box if split and arrow.hops == 1 else geometry.label_box
    width = min(box[0], max(len(line) for line in lines) * 0.63 * geometry.font_px + 13)
    slack = (box[0] - width) / 2
    return slot.x + min(max(slot.anchor[0] - slot.x, -slack), slack), slot.y


def _pill_lines(arrow: Arrow, amount: ArrowAmount, split: bool) -> list[str]:
    if split and arrow.hops == 1:
        return [f"▲ {format_energy(amount.sent_mwh)}", f"▼ {format_energy(amount.delivered_mwh)}"]
    return [format_energy(amount.delivered_mwh)]


def _pill(geometry: NetworkGeometry, amount: ArrowAmount, theme: Theme, split: bool) -> dict[str, Any]:
    arrow, slot = geometry.arrows[amount.arrow], _slot(geometry, amount, split)
    assert slot is not None  # noqa: S101 - the caller leaves out arrows without a slot
    lines = _pill_lines(arrow, amount, split)
    x, y = _pill_place(geometry, arrow, slot, lines, split)
    color = theme.two_hop if arrow.hops == 2 else theme.idle if split else theme.export
    return {
        "x": round(x, 1),
        "y": round(y, 1),
        "text": "<br>".join(f"<b>{line}</b>" for line in lines),
        "showarrow": False,
        "bgcolor": theme.pill,
        "bordercolor": color,
        "borderwidth": 1,
        "borderpad": 2,
        "font": {"size": 11, "color": theme.ink},
    }


def _leaders(geometry: NetworkGeometry, amounts: Sequence[ArrowAmount], theme: Theme, split: bool) -> list[go.Scatter]:
    slots = [slot for amount in amounts if (slot := _slot(geometry, amount, split)) and slot.leader]
    x = [v for s in slots for v in (s.anchor[0], s.x, None)]
    y = [v for s in slots for v in (s.anchor[1], s.y, None)]
    dots = {"size": [_LEADER_DOT_PX, 0, 0] * len(slots), "color": theme.ink, "line": {"width": 1, "color": theme.bg}}
    line = {"width": 1.2, "color": theme.muted}
    return [go.Scatter(x=x, y=y, mode="lines+markers", line=line, marker=dots, showlegend=False, hoverinfo="skip")]


def _hover(geometry: NetworkGeometry, amounts: Sequence[ArrowAmount]) -> go.Scatter:
    """Invisible points along each live arrow that carry its text."""
    x, y, texts = [], [], []
    for amount in amounts:
        arrow = geometry.arrows[amount.arrow]
        names = [geometry.nodes[i].id for i in (arrow.supplier, arrow.importer)]
        via = "" if arrow.transit is None else f" via {geometry.nodes[arrow.transit].id}"
        rows = [f"<b>{names[0]} → {names[1]}{via}</b>"]
        parts = (("Phase 2", amount.phase2_mwh), ("Phase 4", amount.phase4_mwh))
        rows += [f"{name} {format_energy(mwh)}" for name, mwh in parts if mwh > 0]
        rows += [f"Sent {format_energy(amount.sent_mwh)}", f"Delivered {format_energy(amount.delivered_mwh)}"]
        rows.append(f"Lost on the way {format_energy(amount.sent_mwh - amount.delivered_mwh)}")
        (x0, y0), (x1, y1) = arrow.path[0], arrow.path[-1]
        points = [(x0 + f * (x1 - x0), y0 + f * (y1 - y0)) for f in (0.2, 0.4, 0.6, 0.8)]
        for px, py in arrow.path[3:-3:5] if arrow.hops == 2 else points:
            x.append(round(px, 1))
            y.append(round(py, 1))
            texts.append("<br>".join(rows))
    marker = {"size": 16, "color": "rgba(0,0,0,0)"}
    template = "%{hovertext}<extra></extra>"
    return go.Scatter(
        x=x, y=y, mode="markers", marker=marker, hovertext=texts, hovertemplate=template, showlegend=False
    )


def _arc(x: float, y: float, r: float, from_y: float, points: int = 48) -> Path:
    """The part of a circle below the height ``y + from_y`` (y down)."""
    start = math.asin(max(-1.0, min(1.0, from_y / r)))
    sweep = math.pi - 2 * start
    angles = (start + sweep * k / (points - 1) for k in range(points))
    return tuple((x + r * math.cos(a), y + r * math.sin(a)) for a in angles)


def _nodes(geometry: NetworkGeometry, levels_pct: Sequence[float] | None, theme: Theme) -> list[go.Scatter]:
    """Discs, filled from below to their level, with a dotted mark at the force-export level."""
    nodes = geometry.nodes
    discs = _joined(_arc(n.x, n.y, n.r, -n.r) for n in nodes)
    traces = [_area(*discs, theme.node, {"width": 0})]
    texts, hover = [], []
    for i, node in enumerate(nodes):
        level = None if levels_pct is None or not math.isfinite(levels_pct[i]) else float(levels_pct[i])
        if level is not None and level > 0:
            water = _arc(node.x, node.y, node.r, node.r * (1 - 2 * min(level, 100.0) / 100))
            traces.append(_area(*_joined([water]), tint(node.color, 0.45), {"width": 1, "color": node.color}))
        low = level is not None and level < node.min_pct
        percent = "" if level is None else f"<br>{format_number(level)} %{' ⚠' if low else ''}"
        texts.append(f"<b>{node.id}</b>{percent}")
        below = "<br>⚠ below its minimum" if low else ""
        known = "no level given" if level is None else f"Reservoir {format_number(level, 1)} % of full{below}"
        hover.append(f"<b>{node.id} · {node.name}</b><br>{known}<br>Force export at {format_number(node.force_pct)} %")
    marks_x: list[float | None] = []
    marks_y: list[float | None] = []
    for node in nodes:
        dy = node.r * (1 - 2 * node.force_pct / 100)
        half = math.sqrt(max(node.r**2 - dy**2, 0.0)) + 6
        marks_x += [node.x - half, node.x + half, None]
        marks_y += [node.y + dy, node.y + dy, None]
    mark = {"width": 1.2, "dash": "dot", "color": theme.node_line}
    traces.append(
        go.Scatter(x=marks_x, y=marks_y, mode="lines", line=mark, name="Force-export level", hoverinfo="skip")
    )
    traces.append(_area(*discs, "rgba(0,0,0,0)", {"width": 2.4, "color": theme.node_line}))
    traces.append(
        go.Scatter(
            x=[n.x for n in nodes],
            y=[n.y for n in nodes],
            mode="markers+text",
            marker={"size": 56, "color": "rgba(0,0,0,0)"},
            text=texts,
            textfont={"size": 13, "color": theme.ink},
            hovertext=hover,
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    )
    return traces
