"""The community page: the street, figures of the moment, the last hour, one house, prices, statements."""

from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from layouts import ids
from layouts.components import graph, slider, switch
from layouts.live import ExportIds, Transport, caption, export_row, live_ids, live_stores, tabs, transport

COMMUNITY = live_ids("community-")
EXPORT = ExportIds(ids.COMMUNITY_EXPORT, ids.COMMUNITY_EXPORT_WHAT, ids.COMMUNITY_EXPORT_KIND, ids.COMMUNITY_EXPORT_RUN)
TIME_SCALES = (1, 10, 60, 300, 900, 3600)
WINDOWS = ((3600, "1 hour"), (86_400, "1 day"), (604_800, "1 week"))
PRICES = (
    ("price_pv_delivery", "PV delivery", "what the community pays a house for what it gives"),
    ("price_house_consumption", "House consumption", "what a house pays the community for what it draws"),
    ("price_grid_delivery", "Grid delivery", "what the grid pays the community"),
    ("price_grid_consumption", "Grid consumption", "what the community pays the grid"),
)
EXPORTS = (
    ("street", "Picture of the street"),
    ("power", "Chart: production and consumption"),
    ("sankey", "Chart: today's energy"),
    ("ticks", "Table: ticks of the street so far"),
    ("houses", "Table: houses and ticks so far"),
    ("flows", "Table: who sells and buys right now"),
    ("statements", "Table: monthly statements"),
    ("replay", "Replay of the last ticks (HTML)"),
)
FIELDS = (
    ("houses", "Houses", "number", "1", "10000"),
    ("start", "Begin on", "datetime-local", "", ""),
    ("seed", "Seed", "number", "0", ""),
    ("update_interval_ms", "Tick, ms", "number", "500", "2000"),
)


@dataclass(frozen=True, slots=True)
class CommunityPage:
    """Everything the page shows when it opens."""

    link: dict[str, str]
    message: dict[str, Any]
    static: dict[str, Any]
    power: Any
    house: Any
    sankey: Any
    parameters: dict[str, Any]
    tick_ms: int
    window_s: int
    can_control: bool
    can_save: bool
    note: str


def community_page(page: CommunityPage) -> html.Main:
    """The whole page."""
    return html.Main(
        [
            html.H1("A street of homes, right now", className="kf-visually-hidden"),
            *live_stores(COMMUNITY, page.link, page.message, page.static, page.tick_ms),
            dcc.Store(id=ids.COMMUNITY_SELECTED),
            dcc.Store(id=ids.COMMUNITY_SANKEY_ASK),
            dcc.Store(id=ids.COMMUNITY_STATEMENTS_ASK),
            transport(
                Transport(
                    name="community",
                    back="One tick back (←)",
                    step="One tick forward (→)",
                    reset="Reset: first tick, everything as at the start (Home)",
                    end="",
                    speed=slider("time_scale", "Time scale", 0, len(TIME_SCALES) - 1, 1, 0),
                    can_control=page.can_control,
                    note=page.note,
                )
            ),
            html.Div([_picture(), _side(page)], className="kf-community-grid"),
            _tabs(page),
        ],
        id=ids.COMMUNITY_PAGE,
        className="kf-page",
    )


def _picture() -> html.Section:
    return html.Section(
        [
            html.Div(
                [
                    html.H2(id="community-picture-title", className="kf-card-title"),
                    html.P(id="community-balance", className="kf-balance", role="status"),
                ],
                className="kf-card-head",
            ),
            caption("community"),
            html.Div(id=ids.COMMUNITY_STREET, className="kf-street"),
        ],
        className="kf-card kf-picture",
    )


def _side(page: CommunityPage) -> html.Div:
    windows = [{"label": name, "value": seconds} for seconds, name in WINDOWS]
    return html.Div(
        [
            html.Div(id="community-cards", className="kf-figures"),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2("Power of the street, kW", className="kf-card-title"),
                            dcc.RadioItems(
                                id=ids.COMMUNITY_WINDOW,
                                options=windows,
                                value=page.window_s,
                                inline=True,
                                className="kf-radio",
                            ),
                        ],
                        className="kf-card-head",
                    ),
                    graph(page.power, ids.COMMUNITY_POWER),
                ],
                className="kf-card kf-chart",
            ),
            html.Section(
                [
                    html.Div(id="community-house"),
                    html.Div(
                        [
                            html.H3("Its last hour, kW", className="kf-house-chart-title"),
                            graph(page.house, ids.COMMUNITY_HOUSE_CHART),
                        ],
                        id="community-house-hour",
                        hidden=True,
                    ),
                ],
                className="kf-card kf-house",
            ),
        ],
        className="kf-side",
    )


def _tabs(page: CommunityPage) -> html.Section:
    panes = [
        ("prices", "Prices and break-even", _prices(page)),
        (
            "day",
            "Today's energy",
            html.Div(
                [html.H3("Where today's energy came from and went, kWh"), graph(page.sankey, ids.COMMUNITY_SANKEY)],
                className="kf-sankey",
            ),
        ),
        ("houses", "Houses", html.Div(id="community-houses")),
        ("statements", "Statements", html.Div(_statements())),
        ("settings", "The street", html.Div(_settings(page))),
        ("export", "Export", html.Div(_export(page))),
    ]
    return tabs(panes, "community-tabs")


def _field(name: str, label: str, kind: str, low: str, high: str, value: Any, hint: str = "") -> html.Div:
    """A place that assets/community.js fills with a labelled input, whose text goes to the server as it is."""
    data = {"name": name, "label": label, "kind": kind, "min": low, "max": high, "value": str(value), "hint": hint}
    return html.Div(className="kf-input", **{f"data-{k}": v for k, v in data.items()})


def _prices(page: CommunityPage) -> html.Div:
    fields: list[Any] = []
    if page.can_control:
        fields = [
            html.Div(
                [
                    _field(name, f"{label}, ct/kWh", "price", "0", "1000", page.parameters[name], hint)
                    for name, label, hint in PRICES
                ],
                className="kf-inputs",
            )
        ]
    return html.Div([*fields, html.Div(id="community-break-even"), html.Div(id="community-flows")])


def _statements() -> list[Any]:
    return [
        html.P("Meters of each house by calendar month, since the session's start. The sums are the community's."),
        html.Div(html.P("Nothing has been metered yet.", className="kf-empty"), id=ids.COMMUNITY_STATEMENTS),
    ]


def _settings(page: CommunityPage) -> list[Any]:
    if not page.can_control:
        return [html.P("The presenter has the controls.", className="kf-empty")]
    values = {**page.parameters, "start": page.parameters["start"][:16]}
    return [
        html.Div(
            [
                html.Div(
                    [
                        html.H3("From the next tick on"),
                        switch("pv_variation", "Clouds", "Clouds pass, or the sky keeps the month's mean brightness"),
                        slider(
                            "flex_load_probability", "Appliance runs", 0, 1, 0.05, values["flex_load_probability"], "×"
                        ),
                    ],
                    className="kf-settings-now",
                ),
                html.Div(
                    [
                        html.H3("Begin again with"),
                        html.Div([_field(*field, values[field[0]]) for field in FIELDS], className="kf-inputs"),
                        html.Button("Begin again", className="kf-button", type="button", **{"data-action": "restart"}),
                    ],
                    className="kf-settings-again",
                ),
            ],
            className="kf-settings",
        )
    ]


def _export(page: CommunityPage) -> list[Any]:
    save: list[Any] = []
    if page.can_save:
        save = [
            html.Button("Save the ticks so far as a run", id=ids.COMMUNITY_SAVE, className="kf-button", type="button"),
            html.Span(id=ids.COMMUNITY_SAVED, role="status"),
        ]
    return [
        export_row(EXPORT, EXPORTS, "street"),
        html.Div(save, className="kf-row"),
        html.H3("The same ticks from the command line"),
        html.Pre(id="community-command-line", className="kf-code", tabIndex="0"),
        html.H3("For other programs"),
        html.Pre(id="community-api", className="kf-code", tabIndex="0"),
    ]
