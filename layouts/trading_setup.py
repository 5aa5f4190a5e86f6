"""The panes in which a run is made: its parameters, its data, and the run itself.

Places with data attributes become native inputs in assets/trading-setup.js, which keeps what was chosen.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from energy_sim.trading.parameters import ParameterField
from layouts import ids
from layouts.components import graph
from layouts.trading_needs import NEEDS

COLUMNS = (
    ("simulation", "household", "grid_price"),
    ("battery", "forecaster", "ledger"),
    ("grid_capacity", "optimizer", "settlement"),
)
WORDS = {
    "cvxpy": "CVXPY",
    "highs": "HiGHS",
    "time_of_use": "Time of use",
    "mid_market_rate": "Mid-market rate",
    "seasonal_naive": "Seasonal naive",
}


@dataclass(frozen=True, slots=True)
class Groups:
    """The parameters as the page shows them."""

    fields: tuple[ParameterField, ...]
    titles: Mapping[str, tuple[str, str]]  # group -> title, what it is about
    presets: Mapping[str, str]  # name -> title

    def of(self, group: str) -> list[ParameterField]:
        """The fields of a group."""
        return [field for field in self.fields if field.group == group]


def parameters_pane(groups: Groups) -> html.Div:
    """Save, load, reset; a card for each group."""
    columns = [html.Div([_group(groups, name) for name in column], className="kf-param-column") for column in COLUMNS]
    bar = html.Div(
        [
            _action("trading-save", "Save", "Download the parameters as params.json"),
            _action("trading-load", "Load …", "Read parameters from a JSON file"),
            _action("trading-reset", "Reset", "All parameters as they were at first"),
            html.Span(id="trading-changed", className="kf-caption", role="status"),
        ],
        className="kf-row",
    )
    return html.Div([bar, _problems("parameters"), html.Div(columns, className="kf-param-columns")])


def data_pane(groups: Groups, profiles: Any, capacity: Any, prices: Any, max_upload_mb: float) -> html.Div:
    """Households, grid capacity and prices: a file or values, what is in it, and a chart."""
    limits = [f for f in groups.of("grid_capacity") if f.name not in {"use_capacity_limits", "mode"}]
    tariff = [f for f in groups.of("grid_price") if f.name != "mode"]
    download = [
        html.Button("Download as CSV", id=ids.TRADING_CAPACITY_GET, className="kf-button", type="button"),
        dcc.Download(id=ids.TRADING_CAPACITY_FILE),
    ]
    homes = _chart("The first days: all together, kWh a step", profiles, ids.TRADING_PROFILES)
    limit = _chart("The first days: limits, kW", capacity, ids.TRADING_CAPACITY)
    price = _chart("The first days: prices, ct/kWh", prices, ids.TRADING_PRICES)
    cards = [
        _data_card("households", "Households", [html.Div(id="trading-facts"), homes]),
        _data_card(
            "grid_capacity", "Grid capacity", [_rows(limits, "data"), limit, html.Div(download, className="kf-row")]
        ),
        _data_card("prices", "Prices", [_rows(tariff, "data"), price]),
    ]
    loading = "Visitors cannot load files here."
    if max_upload_mb > 0:
        loading = f"Files are CSV or Parquet of at most {max_upload_mb:g} MB."
    return html.Div([html.P(loading, className="kf-caption"), html.Div(cards, className="kf-data-cards")])


def run_pane(so_far: Any, *, may_run: bool) -> html.Div:
    """What would be run, in words and as a command; the button; curves that grow."""
    start: Any = html.P("Runs cannot be started from this page; use the command line below.", className="kf-empty")
    if may_run:
        start = html.Div(
            [
                html.Button(
                    "Run", className="kf-button kf-primary kf-run", type="button", **{"data-action": "trading-run"}
                ),
                html.Span(id="trading-run-state", className="kf-caption", role="status"),
            ],
            className="kf-row",
        )
    left = html.Div(
        [
            html.H2("What will be run", className="kf-card-title"),
            html.Div(id="trading-words"),
            _problems("run"),
            start,
            html.H3("The same numbers from the command line"),
            html.Pre(id="trading-command-line", className="kf-code", tabIndex="0"),
            html.P(id="trading-command-note", className="kf-caption"),
        ]
    )
    right = html.Div(
        [
            html.H2("So far: wallets of all homes, EUR, and bought from the grid, kWh", className="kf-card-title"),
            html.P(id="trading-so-far-text", className="kf-caption", role="status"),
            html.Div(graph(so_far, ids.TRADING_SO_FAR), className="kf-so-far"),
        ]
    )
    return html.Div([left, right], className="kf-run-grid")


def setup_stores(offered: Mapping[str, Any]) -> list[Any]:
    """The stores that only this half uses."""
    return [
        dcc.Store(id=ids.TRADING_OFFERED, data=dict(offered)),
        dcc.Store(id=ids.TRADING_CHECKED),
        dcc.Store(id=ids.TRADING_PREVIEW_ASK),
    ]


def _group(groups: Groups, name: str) -> html.Details:
    title, about = groups.titles[name]
    body: list[Any] = [html.P(about, className="kf-caption"), _problems(name), _rows(groups.of(name), "", groups)]
    return html.Details([html.Summary(title), *body], open=True, className="kf-param-group", id=f"group-{name}")


def _rows(fields: Sequence[ParameterField], place: str, groups: Groups | None = None) -> html.Div:
    rows = [field_row(field, place, groups.presets if groups else {}) for field in fields]
    return html.Div(rows, className="kf-params")


def field_row(field: ParameterField, place: str, presets: Mapping[str, str]) -> html.Div:
    """A parameter: label, place of its input, unit, help, and room for what is wrong with it.

    Args:
        field: the parameter.
        place: begins the ids where a field is shown a second time.
        presets: of the settlement rules, which are a choice here.
    """
    key = f"{field.group}.{field.name}"
    own = f"{place}-{key}" if place else key
    choices = {choice: WORDS.get(choice, choice.replace("_", " ").capitalize()) for choice in field.choices}
    kind = field.kind
    if key == "settlement.preset":
        kind, choices = "choice", {"": "none", **presets}
    data = {
        "data-field": key,
        "data-id": own,
        "data-kind": kind,
        "data-low": "" if field.low is None else f"{field.low:.12g}",
        "data-high": "" if field.high is None else f"{field.high:.12g}",
        "data-optional": "1" if field.optional else "",
        "data-choices": json.dumps(choices),
        "data-needs": json.dumps(NEEDS.get(key, ())),
        "data-label": field.title,
    }
    unit = "" if field.unit == "0-1" else field.unit
    return html.Div(
        [
            html.Label(field.title, htmlFor=f"param-{own}", className="kf-param-label"),
            html.Span(className="kf-param-place"),
            html.Span(unit, className="kf-param-unit"),
            _tip(f"tip-{own}", field),
            html.P(id=f"wrong-{own}", className="kf-param-wrong", hidden=True),
        ],
        className=f"kf-param kf-param-{kind}",
        **data,
    )


def _tip(tip_id: str, field: ParameterField) -> html.Span:
    limits = ""
    if field.low is not None and field.high is not None:
        limits = f" {field.low:,.16g} to {field.high:,.16g}{f' {field.unit}' if field.unit not in {'', '0-1'} else ''}."
    about = {"aria-label": f"About: {field.title}", "aria-describedby": tip_id}
    return html.Span(
        [
            html.Button("i", className="kf-tip-button", type="button", **about),
            html.Span(field.help + limits, id=tip_id, className="kf-tip", role="tooltip"),
        ],
        className="kf-tip-place",
    )


def _data_card(kind: str, title: str, content: list[Any]) -> html.Section:
    choose = html.Div(className="kf-source", **{"data-source": kind})
    parts = [html.H2(title, className="kf-card-title"), choose, _problems(f"data-{kind}"), *content]
    return html.Section(parts, className="kf-data-card", id=f"data-{kind}")


def _chart(title: str, figure: Any, graph_id: str) -> html.Div:
    return html.Div([html.H3(title), graph(figure, graph_id)])


def _problems(name: str) -> html.Ul:
    return html.Ul(id=f"trading-wrong-{name}", className="kf-problems", hidden=True)


def _action(name: str, text: str, hint: str) -> html.Button:
    return html.Button(text, className="kf-button", type="button", title=hint, **{"data-action": name})
