"""The charts of the community room: power of the street, one house's last hour, today's energy.

`assets/community.js` appends rows to the chart of the street: its first four traces are POWER_TRACES in this order, x
the street's clock as text without offset, y positive kW; whatever changes here changes there.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from energy_sim.errors import DataError
from energy_sim.figures.theme import (
    CLEAR,
    NO_BREAK_SPACE,
    ON_CARD,
    THEMES,
    Theme,
    ThemeName,
    base_layout,
    format_number,
    tint,
)

POWER_TRACES: Final = ("Production", "Consumption", "Import", "Export")
HOUSE_TRACES: Final = ("PV", "Base load", "Flexible", "Net")
SUPPLY: Final = ("own", "shared", "grid_export", "grid_import")  # of a day's energy: where it comes from and goes
LOADS: Final = {  # and what it is for
    "base_load": "Base load",
    "dishwasher": "Dishwasher",
    "washing_machine": "Washer",
    "ev": "EV wallbox",
    "heat_pump": "Heat pump",
}
_HOVER_KW = "%{y:,.2f} kW"
_DAY_MS = 86_400_000
_STOPS: Final = (  # of the time axis in a card, one line high: the page names the day
    {"dtickrange": [None, 59_999], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, _DAY_MS - 1], "value": "%H:%M"},
    {"dtickrange": [_DAY_MS, None], "value": "%-d %b"},
)
_SOLAR, _GRID, _OWN, _NEIGHBOURS, _EXPORT, _HOUSES, _FIRST_LOAD = range(7)


def plot_power_series(frame: pd.DataFrame, theme: ThemeName = "dark", timezone: tzinfo = UTC) -> go.Figure:
    """Production as an area, consumption as a line, and the gap between them as what the grid gives or takes, kW.

    production + import = consumption + export: the import closes the gap above production, hatched one way, the export
    the one above consumption, hatched the other way. Only one of them is there at a time.

    Args:
        frame: columns time_s (s since the epoch) and production_w, consumption_w, grid_import_w, grid_export_w.
        theme: dark or light.
        timezone: of the street's clock.

    Raises:
        DataError: a column is missing.
    """
    columns = ("production_w", "consumption_w", "grid_import_w", "grid_export_w")
    _require(frame, ["time_s", *columns], "power of the street")
    colors = THEMES[theme]
    figure = go.Figure(layout=_time_layout(colors, "Power of the street, kW"))
    looks: tuple[dict[str, Any], ...] = (
        {"stackgroup": "supply", "fillcolor": tint(colors.wind, 0.3), "line": {"width": 1.4, "color": colors.wind}},
        {"stackgroup": "use", "fillcolor": CLEAR, "line": {"width": 2, "color": colors.ink}},
        {"stackgroup": "supply", "fillpattern": _hatch("\\", colors.import_), "line": {"width": 0}},
        {"stackgroup": "use", "fillpattern": _hatch("/", colors.export), "line": {"width": 0}},
    )
    x = _clock(frame, timezone)
    for name, column, look in zip(POWER_TRACES, columns, looks, strict=True):
        figure.add_scatter(x=x, y=_kw(frame[column]), name=name, mode="lines", hovertemplate=_HOVER_KW, **look)
    figure.update_yaxes(rangemode="tozero")
    _span(figure, x, colors)
    return figure


def plot_house_series(frame: pd.DataFrame, theme: ThemeName = "dark", timezone: tzinfo = UTC) -> go.Figure:
    """What a house produces above zero, what it uses below, and the net of both as a line, kW.

    Where the line is above zero the house exports, below it imports.

    Args:
        frame: columns time_s (s since the epoch) and pv_power_w, base_load_w, flex_load_w, net_power_w.
        theme: dark or light.
        timezone: of the street's clock.

    Raises:
        DataError: a column is missing.
    """
    columns = ("pv_power_w", "base_load_w", "flex_load_w", "net_power_w")
    _require(frame, ["time_s", *columns], "power of the house")
    colors = THEMES[theme]
    figure = go.Figure(layout=_time_layout(colors, "Power of the house, kW"))
    looks: tuple[dict[str, Any], ...] = (
        {"stackgroup": "made", "fillcolor": tint(colors.wind, 0.45), "line": {"width": 0.8, "color": colors.wind}},
        {"stackgroup": "used", "fillcolor": tint(colors.hydro, 0.6), "line": {"width": 0.8, "color": colors.hydro}},
        {
            "stackgroup": "used",
            "fillpattern": _hatch("/", colors.two_hop),
            "line": {"width": 0.8, "color": colors.two_hop},
        },
        {"line": {"width": 2, "color": colors.ink}},
    )
    x = _clock(frame, timezone)
    for name, column, sign, look in zip(HOUSE_TRACES, columns, (1, -1, -1, 1), looks, strict=True):
        y = _kw(sign * frame[column])
        figure.add_scatter(x=x, y=y, name=name, mode="lines", hovertemplate=_HOVER_KW, **look)
    figure.update_yaxes(zeroline=True, zerolinecolor=colors.muted, zerolinewidth=1)
    _span(figure, x, colors)
    return figure


def plot_day_sankey(day: Mapping[str, float], theme: ThemeName = "dark") -> go.Figure:
    """Where today's energy came from and what it was for, kWh, on every part of the way.

    Which kWh of the sun ran which appliance is not known and not claimed: all that is used meets in one node.

    Args:
        day: kWh by SUPPLY and LOADS; what is not above 0 is left out.
        theme: dark or light.

    Raises:
        DataError: a part is missing.
    """
    missing = [name for name in (*SUPPLY, *LOADS) if name not in day]
    if missing:
        raise DataError(f"energy of the day: no part {', '.join(missing)}; it has {', '.join(day)}")
    colors = THEMES[theme]
    kwh = {name: _positive(day[name]) for name in (*SUPPLY, *LOADS)}
    solar = kwh["own"] + kwh["shared"] + kwh["grid_export"]
    used = kwh["own"] + kwh["shared"] + kwh["grid_import"]
    nodes = [  # text, kWh, colour; in the order of the constants above
        ("Solar", solar, colors.wind),
        ("From the grid", kwh["grid_import"], colors.import_),
        ("Own roof", kwh["own"], colors.wind),
        ("Neighbours", kwh["shared"], colors.node_line),
        ("To the grid", kwh["grid_export"], colors.export),
        ("Used", used, colors.idle),
        *((label, kwh[name], colors.hydro if name == "base_load" else colors.two_hop) for name, label in LOADS.items()),
    ]
    links = [  # from, to, kWh
        (_SOLAR, _OWN, kwh["own"]),
        (_SOLAR, _NEIGHBOURS, kwh["shared"]),
        (_SOLAR, _EXPORT, kwh["grid_export"]),
        (_OWN, _HOUSES, kwh["own"]),
        (_NEIGHBOURS, _HOUSES, kwh["shared"]),
        (_GRID, _HOUSES, kwh["grid_import"]),
        *((_HOUSES, _FIRST_LOAD + i, kwh[name]) for i, name in enumerate(LOADS)),
    ]
    title = f"Today's energy: {format_kwh(solar)} from the sun, {format_kwh(used)} used"
    figure = go.Figure(layout=base_layout(colors, title))
    figure.update_layout(margin={"l": 16, "r": 16, "t": 48, "b": 16})
    flowing = [link for link in links if link[2] > 0]
    if flowing:
        return figure.add_sankey(**_sankey(nodes, flowing, colors))
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    _say(figure, "No energy yet today: press play.", colors)
    return figure


def in_card(figure: go.Figure) -> go.Figure:
    """A chart for a card of the page, which gives it ground and heading; the legend stays, it names the signs."""
    figure.update_layout(ON_CARD)
    if figure.data and figure.data[0].type == "sankey":
        figure.update_traces(textfont_size=11)
        return figure.update_layout(margin={"l": 4, "r": 4, "t": 8, "b": 8})
    figure.update_layout(margin={"l": 44, "r": 8, "t": 24, "b": 22})
    figure.update_xaxes(nticks=6, tickformatstops=_STOPS)
    return figure.update_yaxes(nticks=5)


def format_kwh(kwh: float) -> str:
    r"""Energy for people: whole kWh or, from 1,000 kWh on, MWh; one decimal below 10.

    >>> format_kwh(7.26) == "7.3\u00a0kWh", format_kwh(12.34) == "12\u00a0kWh", format_kwh(1234.0) == "1.2\u00a0MWh"
    (True, True, True)
    """
    value, unit = (kwh / 1000, "MWh") if abs(kwh) >= 999.5 else (kwh, "kWh")
    return f"{format_number(value, 1 if abs(value) < 9.95 else 0)}{NO_BREAK_SPACE}{unit}"


def _sankey(
    nodes: Sequence[tuple[str, float, str]], links: Sequence[tuple[int, int, float]], theme: Theme
) -> dict[str, Any]:
    """The trace, with only the nodes that have a link; a link has the colour of the end that says more.

    The node in the middle is named without its kWh, which would lie over the names at the right in narrow places.
    """
    texts = [f"{name} {format_kwh(kwh)}" for name, kwh, _ in nodes]
    used = sorted({end for source, target, _ in links for end in (source, target)})
    place = {node: i for i, node in enumerate(used)}
    colored = [source if target == _HOUSES else target for source, target, _ in links]
    return {
        "arrangement": "snap",
        "textfont": {"color": theme.ink, "size": 12},
        "node": {
            "label": [nodes[i][0] if i == _HOUSES else texts[i] for i in used],
            "customdata": [texts[i] for i in used],
            "color": [nodes[i][2] for i in used],
            "align": "justify",
            "pad": 14,
            "thickness": 12,
            "line": {"width": 0},
            "hovertemplate": "%{customdata}<extra></extra>",
        },
        "link": {
            "source": [place[source] for source, _, _ in links],
            "target": [place[target] for _, target, _ in links],
            "value": [value for _, _, value in links],
            "color": [tint(nodes[i][2], 0.35) for i in colored],
            "customdata": [f"{nodes[s][0]} → {nodes[t][0]}: {format_kwh(value)}" for s, t, value in links],
            "hovertemplate": "%{customdata}<extra></extra>",
        },
    }


def _hatch(shape: str, color: str) -> dict[str, Any]:
    return {"shape": shape, "size": 6, "solidity": 0.4, "bgcolor": tint(color, 0.45), "fgcolor": color}


def _time_layout(theme: Theme, title: str) -> dict[str, Any]:
    axis = {"gridcolor": theme.grid, "zeroline": False, "linecolor": theme.grid, "tickfont": {"color": theme.muted}}
    legend = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal", "bgcolor": CLEAR}
    return base_layout(theme, title) | {
        "margin": {"l": 56, "r": 16, "t": 76, "b": 40},
        "hovermode": "x unified",
        "xaxis": axis | {"type": "date", "showgrid": False, "hoverformat": "%a %-d %b, %H:%M:%S", "tickangle": 0},
        "yaxis": axis,
        "legend": legend,
    }


def _span(figure: go.Figure, x: Sequence[str], theme: Theme) -> None:
    """Show exactly the time there is; say what to do when there is none."""
    if not x:
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        _say(figure, "Nothing has happened yet: press play.", theme)
    elif x[0] != x[-1]:
        figure.update_xaxes(range=[x[0], x[-1]])


def _say(figure: go.Figure, text: str, theme: Theme) -> None:
    place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    figure.add_annotation(text=text, showarrow=False, font={"size": 13, "color": theme.muted}, **place)


def _clock(frame: pd.DataFrame, timezone: tzinfo) -> list[str]:
    """The moments on the street's clock, as text to the millisecond."""
    moments = pd.to_datetime((1000 * frame["time_s"].astype(float)).round().astype("int64"), unit="ms", utc=True)
    local = moments.dt.tz_convert(timezone).dt.tz_localize(None)
    return [moment.isoformat(timespec="milliseconds") for moment in local]


def _kw(watts: pd.Series) -> list[float]:
    """In kW, as a list: only lists can be extended on the page."""
    kilowatts: list[float] = (watts.astype(float) / 1000).round(4).tolist()
    return kilowatts


def _positive(kwh: float) -> float:
    return float(kwh) if math.isfinite(kwh) and kwh > 0 else 0.0


def _require(table: pd.DataFrame, columns: Sequence[str], name: str) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"{name}: no column {', '.join(missing)}; it has {', '.join(map(str, table.columns))}")
