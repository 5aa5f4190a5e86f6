"""The street as a plotly figure, for exports and the first paint: the same arrows as the live drawing."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from energy_sim.errors import DataError
from energy_sim.figures.street import (
    EXPORT,
    FULL_SCALE_W,
    IDLE,
    IMPORT,
    StreetGeometry,
    edge_lines,
    edge_polygons,
    edge_powers,
)
from energy_sim.figures.theme import MINUS, NO_BREAK_SPACE, THEMES, Theme, ThemeName, base_layout, format_number

Floats = NDArray[np.float64]
GLYPHS: Final = ("●", "▲", "▼")
_NAMES: Final = ("Idle", "Export", "Import")
_SYMBOLS: Final = ("circle", "triangle-up", "triangle-down")
_PENTAGON_FROM_PX = 6.0


def format_power(power_w: float) -> str:
    """Power for people without sign: kW with one decimal, whole from 100 kW, MW with two from 1,000 kW.

    >>> [format_power(w).replace("\u00a0", " ") for w in (-4_620, 310_000, 2_540_000)]
    ['4.6 kW', '310 kW', '2.54 MW']
    """
    kw = abs(power_w) / 1000
    if kw >= 999.5:
        return f"{format_number(kw / 1000, 2)}{NO_BREAK_SPACE}MW"
    return f"{format_number(kw, 0 if kw >= 99.95 else 1)}{NO_BREAK_SPACE}kW"


def format_net(power_w: float, status: int) -> str:
    """The number beside a house, kW with its sign and glyph.

    >>> format_net(-1_400, IMPORT).replace("\u00a0", " ") == "▼ −1.4"
    True
    """
    kw = abs(power_w) / 1000
    text = format_number(kw, 0 if kw >= 99.95 else 1)
    sign = "" if status == IDLE or not text.strip("0.") else "+" if power_w > 0 else MINUS
    return f"{GLYPHS[status]}{NO_BREAK_SPACE}{sign}{text}"


def street_figure(
    geometry: StreetGeometry,
    ids: Sequence[str],
    net_w: ArrayLike,
    theme: ThemeName,
    title: str,
    running: Sequence[str] | None = None,
    full_scale_w: float = FULL_SCALE_W,
) -> go.Figure:
    """Houses around the bus and the grid beside it, lines as wide as their power; always seven traces.

    Args:
        geometry: from ``street_geometry``.
        ids: names of the houses.
        net_w: (count,) production less consumption, W.
        theme: dark or light.
        title: what is seen and when.
        running: for each house the appliances that run, for its hover text.
        full_scale_w: power of the widest line of a house.

    Raises:
        DataError: not one id, power and running text for each house.
    """
    if len(ids) != geometry.count or (running is not None and len(running) != geometry.count):
        raise DataError(f"ids, running: give one for each of the {geometry.count} houses")
    colors = THEMES[theme]
    tones = (colors.idle, colors.export, colors.import_)
    power = edge_powers(geometry, net_w)
    status, polygons = edge_polygons(geometry, net_w, full_scale_w)
    figure = go.Figure(layout=_layout(geometry, colors, title, tones[status[-1]], full_scale_w))
    for s in (EXPORT, IMPORT):
        x, y = _joined(polygons[status == s])
        line = {"width": 0.5, "color": tones[s]}
        look = {"mode": "lines", "fill": "toself", "fillcolor": tones[s], "line": line, "hoverinfo": "skip"}
        figure.add_scatter(x=x, y=y, name=f"{_NAMES[s]} {GLYPHS[s]}", uid=_NAMES[s].lower(), **look)
    x, y = _joined(polygons[status == IDLE][:, [0, 3]])
    dotted = {"width": 1.5, "color": colors.idle, "dash": "1px,5px"}
    figure.add_scatter(x=x, y=y, name="Idle ●", uid="idle", mode="lines", line=dotted, hoverinfo="skip")
    _add_houses(figure, geometry, ids, power, status, tones, colors.bg, running)
    _add_numbers(figure, geometry, power, status, tones)
    _add_ends(figure, geometry, power, status[-1], colors)
    _add_hover(figure, geometry, ids, power, status)
    return figure


def _joined(polygons: Floats) -> tuple[list[float | None], list[float | None]]:
    """Closed shapes of (n, points, 2) as one line, with a gap after each."""
    if not len(polygons):
        return [None], [None]
    closed = np.concatenate([polygons, polygons[:, :1], np.full((len(polygons), 1, 2), np.nan)], axis=1).round(2)
    flat = closed.reshape(-1, 2)
    return ([None if np.isnan(v) else v for v in flat[:, 0]], [None if np.isnan(v) else v for v in flat[:, 1]])


def _layout(
    geometry: StreetGeometry, colors: Theme, title: str, grid_color: str, full_scale_w: float
) -> dict[str, Any]:
    x, y, r = geometry.hub
    gx, gy, w, h = geometry.grid
    house, trunk, grid = (format_power(p) for p in geometry.full_scales_w(full_scale_w))
    widest = f"widest = house {house}" + (f", feeder {trunk}" if geometry.per else "") + f", grid {grid}"
    axis = {"visible": False, "fixedrange": False, "constrain": "range"}
    rim = {"color": colors.node_line, "width": 2}
    return base_layout(colors, title) | {
        "margin": {"l": 0, "r": 0, "t": 48, "b": 40},
        "xaxis": {**axis, "range": [0, geometry.width]},
        "yaxis": {**axis, "range": [geometry.height, 0], "scaleanchor": "x"},
        "legend": {
            "orientation": "h",
            "x": 0.01,
            "y": 0,
            "yanchor": "top",
            "title": {"text": f"{widest}  ", "font": {"size": 12}},
        },
        "hovermode": "closest",
        "shapes": [
            {
                "type": "circle",
                "layer": "below",
                "x0": x - r,
                "x1": x + r,
                "y0": y - r,
                "y1": y + r,
                "fillcolor": colors.node,
                "line": rim,
            },
            {
                "type": "rect",
                "layer": "below",
                "x0": gx - w / 2,
                "x1": gx + w / 2,
                "y0": gy - h / 2,
                "y1": gy + h / 2,
                "fillcolor": colors.node,
                "line": {**rim, "color": grid_color},
            },
        ],
    }


def _add_houses(
    figure: go.Figure,
    geometry: StreetGeometry,
    ids: Sequence[str],
    power: Floats,
    status: NDArray[np.int8],
    tones: tuple[str, str, str],
    ground: str,
    running: Sequence[str] | None,
) -> None:
    own = status[: geometry.count]
    small = geometry.house_r < _PENTAGON_FROM_PX
    numbered = geometry.house_r > 11
    told = [
        [name, round(float(p) / 1000, 3), _NAMES[s], running[i] if running else ""]
        for i, (name, p, s) in enumerate(zip(ids, power[: geometry.count], own, strict=True))
    ]
    runs = "<br>Running: %{customdata[3]}" if running else ""
    figure.add_scatter(
        x=geometry.houses[:, 0].tolist(),
        y=geometry.houses[:, 1].tolist(),
        uid="houses",
        mode="markers+text" if numbered else "markers",
        showlegend=False,
        marker={
            "symbol": [_SYMBOLS[s] if small else "pentagon" for s in own],
            "size": 2 * geometry.house_r,
            "color": [tones[s] for s in own],
            "line": {"width": 0},
        },
        text=[f"<b>{i + 1}</b>" for i in range(geometry.count)] if numbered else None,
        textfont={"size": 11, "color": ground} if numbered else None,
        customdata=told,
        hovertemplate="<b>%{customdata[0]}</b> %{customdata[2]}<br>%{customdata[1]:+.2f} kW" + runs + "<extra></extra>",
    )


def _add_numbers(
    figure: go.Figure, geometry: StreetGeometry, power: Floats, status: NDArray[np.int8], tones: tuple[str, str, str]
) -> None:
    first = geometry.count if geometry.per else 0
    shown = [(first + i, slot) for i, slot in enumerate(geometry.labels) if slot is not None]
    figure.add_scatter(
        x=[slot.x for _, slot in shown],
        y=[slot.y for _, slot in shown],
        uid="numbers",
        mode="text",
        text=[format_net(power[e], status[e]) for e, _ in shown],
        textfont={"size": geometry.font_px, "color": [tones[status[e]] for e, _ in shown]},
        showlegend=False,
        hoverinfo="skip",
    )


def _add_ends(figure: go.Figure, geometry: StreetGeometry, power: Floats, status: int, colors: Theme) -> None:
    net = power[: geometry.count]
    shared = min(float(net[net > 0].sum()), float(-net[net < 0].sum()))
    word = ("balanced", "to grid", "from grid")[status]
    grid = f"<b>Grid</b><br>{format_power(power[-1])}<br>{GLYPHS[status]} {word}"
    houses = f"{format_number(geometry.count)} house{'s' * (geometry.count != 1)}"
    figure.add_scatter(
        x=[geometry.hub[0], geometry.grid[0]],
        y=[geometry.hub[1], geometry.grid[1]],
        uid="ends",
        mode="text",
        text=[f"<b>Bus</b><br>{houses}<br>shares {format_power(shared)}", grid],
        textfont={"size": 13 if not geometry.compact else 11, "color": colors.ink},
        showlegend=False,
        hovertemplate="%{text}<extra></extra>",
    )


def _add_hover(
    figure: go.Figure, geometry: StreetGeometry, ids: Sequence[str], power: Floats, status: NDArray[np.int8]
) -> None:
    """Unseen points on every line, for its hover text."""
    names = [*ids, *(f"Feeder {f + 1}" for f in range(geometry.feeders)), "Grid"]
    lines = edge_lines(geometry)
    points = np.concatenate([lines[:, :2] * (1 - f) + lines[:, 2:] * f for f in (0.3, 0.5, 0.7)]).round(1)
    told = [[n, _NAMES[s], format_power(p)] for n, s, p in zip(names, status, power, strict=True)]
    figure.add_scatter(
        x=points[:, 0].tolist(),
        y=points[:, 1].tolist(),
        uid="lines",
        mode="markers",
        marker={"size": 14 if not geometry.per else 6, "color": "rgba(0,0,0,0)"},
        customdata=told * 3,
        showlegend=False,
        hovertemplate="%{customdata[0]} and bus<br>%{customdata[1]} <b>%{customdata[2]}</b><extra></extra>",
    )
