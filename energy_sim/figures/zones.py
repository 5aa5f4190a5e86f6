"""The four figures of the zones room: flows and reservoirs over time here, the network figures from ``exchange``."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from energy_sim.errors import DataError
from energy_sim.figures.exchange import (
    arrow_amounts,
    network_geometry,
    plot_energy_exchange_curved,
    plot_energy_exchange_split_import_export,
)
from energy_sim.figures.theme import ON_CARD, THEMES, Theme, ThemeName, base_layout, format_number, readable_on, tint
from energy_sim.zones.model import Network

__all__ = [
    "arrow_amounts",
    "for_card",
    "network_geometry",
    "plot_energy_exchange_curved",
    "plot_energy_exchange_split_import_export",
    "plot_energy_flows_summary",
    "plot_reservoir_levels",
]

Mark = tuple[str, str]  # date, what was switched
REFERENCE_LINES = ("recorded", "median", "target", "force_export")
_RECORDS = (("recorded", "5px,3px"), ("median", "1px,3px"))  # lines of the reference table and their dash

_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "8px,3px,2px,3px")
_MARK_ROWS = 3


def plot_energy_flows_summary(daily: pd.DataFrame, theme: ThemeName = "dark", marks: Sequence[Mark] = ()) -> go.Figure:
    """What met the demand of all zones day by day, stacked behind the demand line, GWh a day.

    Args:
        daily: columns of ``daily_summary.csv``, MWh.
        theme: dark or light.
        marks: (date, text) of switch changes, drawn as dotted vertical lines.

    Raises:
        DataError: a column is missing.
    """
    colors = THEMES[theme]
    layers = (  # column, name, colour, pattern as the second sign
        ("wind_used_mwh", "Wind used", colors.wind, ""),
        ("import_phase2_mwh", "Imports 1", colors.export, "/"),
        ("local_hydro_mwh", "Local hydro", colors.hydro, ""),
        ("import_phase4_mwh", "Imports 2", colors.two_hop, "\\"),
        ("unmet_mwh", "Unmet", colors.unmet, "x"),
    )
    _require(daily, ["date", "demand_mwh", *(column for column, *_ in layers)], "daily summary")
    figure = go.Figure(layout=_time_layout(colors, "How the demand of all zones was met, GWh a day"))
    for column, name, color, pattern in layers:
        gwh = (daily[column].to_numpy(float) / 1000).tolist()  # lists: only those can be extended day by day
        fill: dict[str, Any] = {"fillcolor": tint(color, 0.8)}
        if pattern:
            ground = {"bgcolor": tint(color, 0.55), "fgcolor": color}
            fill = {"fillpattern": {"shape": pattern, "size": 6, "solidity": 0.4, **ground}}
        figure.add_scatter(
            x=daily["date"],
            y=gwh,
            name=name,
            mode="lines",
            stackgroup="supply",
            line={"width": 0.6, "color": color},
            hovertemplate="%{y:,.1f} GWh",
            **fill,
        )
    figure.add_scatter(
        x=daily["date"],
        y=(daily["demand_mwh"].to_numpy(float) / 1000).tolist(),
        name="Demand",
        mode="lines",
        line={"width": 2, "color": colors.ink},
        hovertemplate="%{y:,.1f} GWh",
    )
    figure.update_yaxes(rangemode="tozero", ticksuffix=" GWh")
    _span(figure, daily["date"])
    _add_marks(figure, marks, colors, daily["date"])
    return figure


def plot_reservoir_levels(
    metrics: pd.DataFrame,
    network: Network,
    theme: ThemeName = "dark",
    reference: pd.DataFrame | None = None,
    show: Sequence[str] = (),
    marks: Sequence[Mark] = (),
    label_step_pct: float = 7.0,
) -> go.Figure:
    """Storage of every zone over time, % of its largest, each with its own colour and dash, named at its end.

    Args:
        metrics: columns of ``zone_metrics.csv``; ``date``, ``zone`` and ``level_pct`` are read.
        network: the zones, for order, colours and limits.
        theme: dark or light.
        reference: columns ``date``, ``zone``, ``recorded_pct``, ``median_pct``; needed to show those two.
        show: which of "recorded", "median", "target", "force_export" to draw as thin lines.
        marks: (date, text) of switch changes, drawn as dotted vertical lines.
        label_step_pct: least distance of two names at the line ends, more for low pictures.

    Raises:
        DataError: a column is missing, or ``show`` names another line.
    """
    unknown = [name for name in show if name not in REFERENCE_LINES]
    if unknown:
        raise DataError(f"show: {unknown[0]} is not a reference line; use {', '.join(REFERENCE_LINES)}")
    _require(metrics, ["date", "zone", "level_pct"], "zone metrics")
    colors = THEMES[theme]
    figure = go.Figure(layout=_time_layout(colors, "Reservoir storage of each zone, % of full"))
    drawn = [(name, dash) for name, dash in _RECORDS if name in show]
    known = pd.DataFrame() if reference is None or not drawn else reference
    if not known.empty:
        _require(known, ["date", "zone", *(f"{name}_pct" for name, _ in drawn)], "reference")
    ends: list[tuple[float, str, str]] = []
    for zone, dash in zip(network.zones, cycle(_DASHES), strict=False):
        color = readable_on(zone.color, colors)
        rows = metrics[metrics["zone"] == zone.id]
        for name, dots in () if known.empty else drawn:
            own = known[known["zone"] == zone.id]
            line = {"width": 1, "dash": dots, "color": color}
            _reference_line(figure, own["date"], own[f"{name}_pct"], f"{zone.id} {name}", line)
        levels = rows["level_pct"].to_numpy(float).tolist()
        figure.add_scatter(
            x=rows["date"],
            y=levels,
            name=zone.id,
            mode="lines",
            line={"width": 2, "dash": dash, "color": color},
            hovertemplate="%{y:.1f} %",
        )
        if len(levels):
            ends.append((float(levels[-1]), zone.id, color))
    for key, name, dash in (("target", "target", "dash"), ("force_export", "force export", "dot")):
        if key in show:
            _add_limit(figure, network, key, name, dash, colors)
    for y, (level, zone_id, color) in zip(spread([e[0] for e in ends], label_step_pct), ends, strict=True):
        text = f"<span style='color:{color}'>●</span> <b>{zone_id}</b> {format_number(level)} %"
        anchors = {"xref": "paper", "xanchor": "left", "yanchor": "middle"}
        figure.add_annotation(x=1.01, y=y, text=text, showarrow=False, font={"size": 12}, **anchors)
    figure.update_yaxes(range=[0, 101], ticksuffix=" %")
    figure.update_layout(showlegend=False, margin_r=104, margin_b=40)
    _span(figure, metrics["date"])
    _add_marks(figure, marks, colors, metrics["date"])
    return figure


def for_card(figure: go.Figure) -> go.Figure:
    """A chart for a card of the page, which gives it ground, heading and legend."""
    figure.update_layout(ON_CARD)
    figure.update_layout(margin={"l": 56, "t": 8, "b": 24})
    figure.update_layout(showlegend=False)
    figure.update_xaxes(nticks=4, tickangle=0)
    figure.update_yaxes(nticks=5)
    return figure


def spread(values: Sequence[float], step: float, low: float = 2.0, high: float = 98.0) -> list[float]:
    """Positions near the values, in the same order, at least ``step`` apart and inside the limits where there is room.

    >>> spread([50.0, 51.0, 90.0], 7.0)
    [47.0, 54.0, 90.0]
    """
    step = min(step, (high - low) / max(len(values) - 1, 1))
    order = sorted(range(len(values)), key=lambda i: values[i])
    blocks: list[tuple[list[int], float]] = []  # indices that touch, position of the lowest

    def lowest(members: Sequence[int]) -> float:
        middle = sum(values[i] - k * step for k, i in enumerate(members)) / len(members)
        return min(max(middle, low), high - step * (len(members) - 1))

    for i in order:
        members, start = [i], lowest([i])
        while blocks and start < blocks[-1][1] + step * len(blocks[-1][0]) - 1e-9:
            members = blocks.pop()[0] + members
            start = lowest(members)
        blocks.append((members, start))
    result = [0.0] * len(values)
    for members, start in blocks:
        for k, i in enumerate(members):
            result[i] = start + k * step
    return result


def _require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"{name}: no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}")


def _time_layout(theme: Theme, title: str) -> dict[str, Any]:
    axis = {"gridcolor": theme.grid, "zeroline": False, "linecolor": theme.grid, "tickfont": {"color": theme.muted}}
    return base_layout(theme, title) | {
        "margin": {"l": 72, "r": 16, "t": 56, "b": 72},
        "hovermode": "x unified",
        "xaxis": axis | {"type": "date", "showgrid": False, "hoverformat": "%a %-d %b %Y"},
        "yaxis": axis,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "traceorder": "normal",
        },
    }


def _span(figure: go.Figure, dates: pd.Series) -> None:
    """Show exactly the days there are, so that a mark's text does not widen the axis."""
    if len(dates) and dates.iloc[0] != dates.iloc[-1]:
        figure.update_xaxes(range=[dates.iloc[0], dates.iloc[-1]])


def _reference_line(figure: go.Figure, x: Any, y: Any, name: str, line: dict[str, Any]) -> None:
    figure.add_scatter(x=x, y=y, name=name, mode="lines", line=line, opacity=0.8, hovertemplate="%{y:.1f} %")


def _add_limit(figure: go.Figure, network: Network, key: str, name: str, dash: str, theme: Theme) -> None:
    """One line for all zones with the same limit, in % of the largest storage, named at its left end."""
    zones_at: dict[float, list[str]] = {}
    for zone in network.zones:
        mwh = zone.hydro_target_mwh if key == "target" else zone.hydro_force_export_mwh
        zones_at.setdefault(round(100 * mwh / (zone.hydro_max_mwh or 1.0), 1), []).append(zone.id)
    for pct, ids in zones_at.items():
        who = "" if len(zones_at) == 1 else f" {', '.join(ids)}"
        figure.add_hline(
            y=pct,
            line={"width": 1, "dash": dash, "color": theme.muted},
            annotation={
                "text": f"{name}{who} {format_number(pct)} %",
                "font": {"size": 11, "color": theme.muted},
                "bgcolor": tint(theme.bg, 0.8),
            },
            annotation_position="top left",
        )


def _add_marks(figure: go.Figure, marks: Sequence[Mark], theme: Theme, dates: pd.Series) -> None:
    """Dotted vertical lines with their text at the top towards the middle, neighbours on different rows."""
    middle = dates.iloc[len(dates) // 2] if len(dates) else ""
    for k, (date, text) in enumerate(marks):
        line = {"width": 1.2, "dash": "dot", "color": theme.muted}
        figure.add_shape(type="line", x0=date, x1=date, y0=0, y1=1, yref="paper", line=line)
        figure.add_annotation(
            x=date,
            y=1,
            yref="paper",
            yshift=-17 * (k % _MARK_ROWS),
            yanchor="top",
            xanchor="left" if date < middle else "right",
            text=text,
            showarrow=False,
            font={"size": 11, "color": theme.ink},
            bgcolor=tint(theme.panel, 0.85),
        )
