"""The ring of a community as a plotly figure, for exports and the first paint: the same arrows as the live drawing."""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from energy_sim.figures.ring import (
    HOUSE,
    LEAST_EUR,
    LEAST_KWH,
    MARKS,
    PYLON,
    SIGNS,
    RingArrow,
    RingGeometry,
    RingState,
    format_amount,
    format_money,
    place_amounts,
    ring_arrows,
    wants_amount,
)
from energy_sim.figures.theme import NO_BREAK_SPACE, THEMES, Theme, ThemeName, base_layout, format_number, tint

WELL, NORMAL, STRUGGLING = 0, 1, 2
STATUS_NAMES: Final = ("doing well", "normal", "struggling")
_ARROWS: Final = (("buy", "Bought from the grid ▼"), ("sell", "Sold to the grid ▲"), ("trade", "Trade between homes"))
_FAINT_BELOW = 0.25  # of the full scale; fainter, as in the live drawing
_ROOMY_PX = 21.0  # radius of a disc with room for its house
_PCT_PX = 16.0  # and for its battery level
_LOW_PCT = 15.0
_NUMBER = re.compile(r"(-?[\d.]+),(-?[\d.]+)")

Line = list[float | None]


def home_status(state: RingState) -> NDArray[np.int64]:
    """(count,) 0 doing well: saves and needs no grid in this step; 1 normal; 2 struggling.

    Struggling is who goes without energy or is worse off than in the baseline.
    """
    worse = (state.unserved_kwh >= LEAST_KWH) | (state.saved_eur <= -LEAST_EUR)
    well = (state.saved_eur >= LEAST_EUR) & (state.grid_buy_kwh < LEAST_KWH)
    return np.where(worse, STRUGGLING, np.where(well, WELL, NORMAL))


def plot_ring(geometry: RingGeometry, state: RingState, theme: ThemeName = "dark", title: str = "") -> go.Figure:
    """Homes around the grid with battery, money and bars, arrows as wide as their energy; a constant number of traces.

    Raises:
        DataError: the state does not fit the geometry.
    """
    colors = THEMES[theme]
    arrows = ring_arrows(geometry, state)
    figure = go.Figure(layout=_layout(geometry, state, colors, title or "Energy and money of every home in this step"))
    for kind, name in _ARROWS:
        tone = {"buy": colors.import_, "sell": colors.export, "trade": colors.two_hop}[kind]
        own = [a for a in arrows if a.kind == kind]
        for faint in (True, False):
            some = [a for a in own if (a.kwh < _FAINT_BELOW * (state.full_kwh or 1.0)) == faint]
            _add_arrows(figure, some, name, kind, tint(tone, 0.6) if faint else tone, legend=not faint)
    if not geometry.dots:
        _add_discs(figure, geometry, colors)
    _add_batteries(figure, geometry, state, colors)
    _add_bars(figure, geometry, state, colors)
    _add_homes(figure, geometry, state, colors)
    _add_money(figure, geometry, state, colors)
    _add_grid(figure, geometry, state, colors)
    _add_amounts(figure, geometry, arrows, colors)
    return figure


def _add_arrows(
    figure: go.Figure, arrows: Sequence[RingArrow], name: str, kind: str, color: str, *, legend: bool
) -> None:
    shapes = [arrow.polygon for arrow in arrows]
    x, y = _joined([(*shape, shape[0]) for shape in shapes])
    look = {"mode": "lines", "fill": "toself", "fillcolor": color, "line": {"width": 0.5, "color": color}}
    figure.add_scatter(x=x, y=y, name=name, legendgroup=kind, showlegend=legend, hoverinfo="skip", **look)


def _joined(lines: Sequence[Sequence[tuple[float, float]]]) -> tuple[Line, Line]:
    """Lines as one, with a gap after each."""
    x: Line = []
    y: Line = []
    for line in lines:
        x += [*(round(p[0], 2) for p in line), None]
        y += [*(round(p[1], 2) for p in line), None]
    return x or [None], y or [None]


def _add_discs(figure: go.Figure, geometry: RingGeometry, colors: Theme) -> None:
    marker = {"size": 2 * geometry.r, "color": colors.node, "opacity": 1, "line": {"width": 1, "color": colors.idle}}
    x, y = geometry.homes.T.tolist()
    figure.add_scatter(x=x, y=y, uid="discs", mode="markers", marker=marker, hoverinfo="skip", showlegend=False)


def _add_batteries(figure: go.Figure, geometry: RingGeometry, state: RingState, colors: Theme) -> None:
    """The empty rings, and from the top clockwise what is stored; low ones in the colour of need."""
    wide = max(2.4, 0.13 * geometry.r)
    r = geometry.r - wide / 2
    arcs: dict[str, list[list[tuple[float, float]]]] = {"empty": [], "stored": [], "low": []}
    for (x, y), soc in zip(geometry.homes.tolist(), state.soc_pct.tolist(), strict=True):
        if np.isnan(soc) or geometry.dots:
            continue
        for part, pct in (("empty", 100.0), ("low" if soc < _LOW_PCT else "stored", min(soc, 100.0))):
            angle = np.linspace(0.0, 2 * np.pi * pct / 100, max(2, int(pct / 4) + 2)) - np.pi / 2
            arcs[part].append([(x + r * np.cos(a), y + r * np.sin(a)) for a in angle])
    tones = {"empty": colors.grid, "stored": colors.hydro, "low": colors.import_}
    for part, lines in arcs.items():
        px, py = _joined(lines)
        line = {"width": wide, "color": tones[part]}
        shown = part == "stored" and not geometry.dots
        figure.add_scatter(
            x=px, y=py, mode="lines", line=line, name="Battery", hoverinfo="skip", showlegend=shown, uid=f"soc {part}"
        )


def _add_bars(figure: go.Figure, geometry: RingGeometry, state: RingState, colors: Theme) -> None:
    w, h = geometry.block
    line = 1.16 * geometry.font_px
    thick = min((h - 2 * line - 2) / 2 - 0.5, 4.0)
    most = state.bar_full_kwh or float(max(state.production_kwh.max(), state.consumption_kwh.max())) or 1.0
    rows = (("Produced", state.production_kwh, colors.wind), ("Consumed", state.consumption_kwh, colors.hydro))
    for k, (name, kwh, color) in enumerate(rows):
        lines = []
        for slot, value in zip(geometry.slots, kwh.tolist(), strict=True):
            if slot is None or value < LEAST_KWH:
                continue
            long = max(1.0, 0.92 * w * min(value / most, 1.0))
            left = slot[0] + (-w / 2 if slot[2] < 0 else w / 2 - long if slot[2] > 0 else -long / 2)
            y = slot[1] - h / 2 + 2 * line + 2 + k * (thick + 1) + thick / 2
            lines.append([(left, y), (left + long, y)])
        px, py = _joined(lines)
        look = {"mode": "lines", "line": {"width": thick, "color": color}, "hoverinfo": "skip"}
        figure.add_scatter(x=px, y=py, name=name, showlegend=any(geometry.slots), **look)


def _add_homes(figure: go.Figure, geometry: RingGeometry, state: RingState, colors: Theme) -> None:
    """Names and battery levels in the discs, or dots; their hover texts tell everything."""
    status = home_status(state)
    tones = (colors.export, colors.idle, colors.unmet)
    texts = []
    for name, soc in zip(geometry.names, state.soc_pct.tolist(), strict=True):
        pct = "" if np.isnan(soc) else f"{format_number(soc)}{NO_BREAK_SPACE}%"
        texts.append(f"{'<br>' * (geometry.r >= _ROOMY_PX)}<b>{name}</b><br>{pct}" if geometry.r >= _PCT_PX else name)
    figure.add_scatter(
        x=geometry.homes[:, 0].tolist(),
        y=geometry.homes[:, 1].tolist(),
        uid="homes",
        mode="markers" if geometry.dots else "markers+text",
        marker={
            "size": 2 * geometry.r * (0.8 if geometry.dots else 1.0),
            "color": [tones[s] for s in status] if geometry.dots else "rgba(0,0,0,0)",
            "symbol": [("triangle-up", "circle", "triangle-down")[s] for s in status] if geometry.dots else "circle",
        },
        text=None if geometry.dots else texts,
        textfont={"size": 10.5 if geometry.r >= _ROOMY_PX else 9, "color": colors.ink},
        hovertext=[_told(geometry, state, i, int(s)) for i, s in enumerate(status)],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _told(geometry: RingGeometry, state: RingState, home: int, status: int) -> str:
    rows = [
        f"<b>{geometry.ids[home]}</b> · {STATUS_NAMES[status]}",
        f"Wallet {format_money(state.wallet_eur[home])} EUR",
        f"Saved against the baseline {format_money(state.saved_eur[home], signed=True)} EUR",
    ]
    if not np.isnan(state.soc_pct[home]):
        rows.append(f"Battery {format_number(state.soc_pct[home], 1)} %")
    named = (
        ("Produced", state.production_kwh),
        ("Consumed", state.consumption_kwh),
        ("Bought from the grid", state.grid_buy_kwh),
        ("Sold to the grid", state.grid_sell_kwh),
        ("Bought from homes", state.p2p_buy_kwh),
        ("Sold to homes", state.p2p_sell_kwh),
        ("Charged", state.charge_kwh),
        ("Discharged", state.discharge_kwh),
        ("Curtailed", state.curtailed_kwh),
        ("Unserved", state.unserved_kwh),
    )
    rows += [f"{name} {format_amount(kwh[home])}" for name, kwh in named if kwh[home] >= LEAST_KWH]
    return "<br>".join(rows)


def _add_money(figure: go.Figure, geometry: RingGeometry, state: RingState, colors: Theme) -> None:
    """Wallet above what was saved, beside each home that has room."""
    w, h = geometry.block
    line = 1.16 * geometry.font_px
    unit = f"{NO_BREAK_SPACE}EUR" if w >= 60 else ""
    shown = [(slot, i) for i, slot in enumerate(geometry.slots) if slot is not None]
    tones = dict(zip(SIGNS, (colors.export, colors.muted, colors.import_), strict=True))
    saved = [format_money(state.saved_eur[i], signed=True) for _, i in shown]
    parts = (
        ("wallets", [f"<b>{format_money(state.wallet_eur[i])}{unit}</b>" for _, i in shown], 0.5, colors.ink),
        ("saved", saved, 1.5, [tones[text[0]] for text in saved]),
    )
    for uid, texts, row, color in parts:
        figure.add_scatter(
            x=[slot[0] + slot[2] * w / 2 for slot, _ in shown],
            y=[slot[1] - h / 2 + row * line for slot, _ in shown],
            uid=uid,
            mode="text",
            text=texts,
            textposition=[("middle right", "middle center", "middle left")[slot[2] + 1] for slot, _ in shown],
            textfont={"size": 0.9 * geometry.font_px, "color": color},  # other fonts than the page's may be wider
            hoverinfo="skip",
            showlegend=False,
        )


def _add_grid(figure: go.Figure, geometry: RingGeometry, state: RingState, colors: Theme) -> None:
    x, y, r = geometry.hub
    rows = (
        ("<b>Grid</b>", -0.1, colors.ink),
        (f"▼ {format_amount(state.grid_bought_kwh)}", 0.21, colors.import_),
        (f"▲ {format_amount(state.grid_sold_kwh)}", 0.5, colors.export),
    )
    figure.add_scatter(
        x=[x] * 3,
        y=[y + share * r for _, share, _ in rows],
        uid="grid",
        mode="text",
        text=[text for text, _, _ in rows],
        textfont={"size": 12 if not geometry.compact else 10, "color": [color for _, _, color in rows]},
        hovertext=[f"Homes bought {rows[1][0]}<br>Homes sold {rows[2][0]}"] * 3,
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _add_amounts(figure: go.Figure, geometry: RingGeometry, arrows: Sequence[RingArrow], colors: Theme) -> None:
    tones = {"buy": colors.import_, "sell": colors.export, "trade": colors.two_hop}
    boxes = place_amounts(geometry, arrows)
    for arrow, box in zip(arrows, boxes, strict=True):
        if box is not None:
            figure.add_annotation(
                x=(box[0] + box[2]) / 2,
                y=(box[1] + box[3]) / 2,
                text=format_amount(arrow.kwh),
                showarrow=False,
                font={"size": geometry.font_px, "color": colors.ink},
                bgcolor=colors.pill,
                bordercolor=tones[arrow.kind],
                borderpad=2,
            )
    hidden = sum(box is None and wants_amount(geometry, arrow) for arrow, box in zip(arrows, boxes, strict=True))
    if hidden:
        text = f"{hidden} amount{'s' * (hidden > 1)} hidden: see the table"
        place = {"x": 1, "y": 0, "xref": "paper", "yref": "paper", "xanchor": "right", "yanchor": "bottom"}
        figure.add_annotation(text=text, showarrow=False, font={"size": 11, "color": colors.muted}, **place)


def _shape_path(path: str, x: float, y: float, scale: float) -> str:
    """An SVG path of unit size, moved and scaled."""
    return _NUMBER.sub(lambda m: f"{x + scale * float(m[1]):.2f},{y + scale * float(m[2]):.2f}", path)


def _houses(geometry: RingGeometry, status: NDArray[np.int64], colors: Theme) -> list[dict[str, Any]]:
    """A house in each disc, at its rim in small ones: full with a tick, hollow, full with an exclamation mark."""
    r = geometry.r
    dx, dy, size = (0.0, -0.47 * r, 0.23 * r) if r >= _ROOMY_PX else (-0.72 * r, -0.72 * r, max(4.5, 0.3 * r))
    tones = (colors.export, colors.idle, colors.unmet)
    shapes: list[dict[str, Any]] = []
    for (x, y), s in zip(geometry.homes.tolist(), status.tolist(), strict=True):
        house, mark = (_shape_path(path, x + dx, y + dy, size) for path in (HOUSE, MARKS[s]))
        line = {"color": tones[s], "width": 1.2}
        fill = colors.node if s == NORMAL else tones[s]
        shapes.append({"type": "path", "path": house, "fillcolor": fill, "line": line})
        inside = tones[s] if s == NORMAL else colors.node
        shapes.append({"type": "path", "path": mark, "line": {"color": inside, "width": 0.26 * size}})
    return shapes


def _layout(geometry: RingGeometry, state: RingState, colors: Theme, title: str) -> dict[str, Any]:
    x, y, r = geometry.hub
    rim = {"color": colors.node_line, "width": 2}
    hub = {"type": "circle", "layer": "below", "x0": x - r, "x1": x + r, "y0": y - r, "y1": y + r}
    pylon = _shape_path(PYLON, x, y - 0.55 * r, 0.26 * r)
    shapes: list[dict[str, Any]] = [
        {**hub, "fillcolor": colors.node, "line": rim},
        {"type": "path", "path": pylon, "line": {**rim, "width": 1.6}},
        *([] if geometry.dots else _houses(geometry, home_status(state), colors)),
    ]
    axis = {"visible": False, "constrain": "range"}
    return base_layout(colors, title) | {
        "width": geometry.width,
        "height": geometry.height + 88,
        "margin": {"l": 0, "r": 0, "t": 48, "b": 40},
        "xaxis": {**axis, "range": [0, geometry.width]},
        "yaxis": {**axis, "range": [geometry.height, 0], "scaleanchor": "x"},
        "legend": {"orientation": "h", "x": 0.01, "y": 0, "yanchor": "top", "font": {"size": 11}},
        "hovermode": "closest",
        "shapes": shapes,
    }
