"""The zones page: rules, network of the day, figures, charts, tables."""

from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from energy_sim.zones.model import Fill
from layouts import ids
from layouts.components import flows_legend, graph, slider, switch, table
from layouts.live import ExportIds, Transport, caption, export_row, live_ids, live_stores, quiet, tabs, transport

STORES = live_ids()
EXPORT = ExportIds(ids.ZONES_EXPORT, ids.ZONES_EXPORT_WHAT, ids.ZONES_EXPORT_KIND, ids.ZONES_EXPORT_RUN)

SWITCHES = (
    ("wind", "Wind", "Phase 1: wind covers demand in its own zone"),
    ("import_phase1", "Imports 1", "Phase 2: imports from zones above their force-export level"),
    ("local_hydro", "Local hydro", "Phase 3: own water covers demand"),
    ("import_phase2", "Imports 2", "Phase 4: imports from any zone with spare capacity"),
    ("two_hop", "Two-hop routes", "Imports may pass through one transit zone"),
)
OPTIONS = (
    ("share_wind", "Share surplus wind", "Surplus wind is offered to neighbours before any water"),
    ("balance_levels", "Balance levels", "In Imports 1 fuller reservoirs also supply emptier ones"),
)
FACTORS = (("consumption_factor", "Demand"), ("wind_factor", "Wind"), ("inflow_factor", "Inflow"))
NAMES = {
    **{n: text for n, text, _ in (*SWITCHES, *OPTIONS)},
    "consumption_factor": "Demand",
    "wind_factor": "Wind",
    "inflow_factor": "Inflow",
}
LIMITS = (("target", "target"), ("force_export", "force export"))
REFERENCES = (("recorded", "recorded"), ("median", "median"), *LIMITS)  # a finished run keeps the limits only
WINDOWS = ((90, "90 days"), (365, "1 year"), (100_000, "All"))
EXPORTS = (
    ("network", "Network of the day"),
    ("split", "Network, export and import sides"),
    ("flows", "Demand and what covers it"),
    ("reservoirs", "Reservoir levels"),
    ("daily_summary", "Table: days"),
    ("zone_metrics", "Table: zones and days"),
    ("transfers", "Table: transfers"),
    ("replay", "Replay of the days so far (HTML)"),
)


@dataclass(frozen=True, slots=True)
class DataQuality:
    """Where the days come from, what they cover, and which values were filled."""

    source: str
    coverage: str
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class ZonesPage:
    """Everything the page shows when it opens."""

    link: dict[str, str]
    message: dict[str, Any]
    static: dict[str, Any]
    flows: Any
    reservoirs: Any
    quality: DataQuality
    start: str
    first_day: str
    last_day: str
    reservoir_factor: float
    tick_ms: int
    chart_days: int
    can_control: bool
    is_playback: bool
    can_save: bool


def zones_page(page: ZonesPage) -> html.Main:
    """The whole page."""
    rules = [_rules(page)] if page.can_control and not page.is_playback else []
    return html.Main(
        [
            html.H1("Hydro and wind zones, day by day", className="kf-visually-hidden"),
            *live_stores(STORES, page.link, page.message, page.static, page.tick_ms),
            _transport(page),
            html.Div([*rules, _picture(), _side(page)], className="kf-zones-grid" + ("" if rules else " kf-no-rules")),
            _tabs(page),
        ],
        id=ids.ZONES_PAGE,
        className="kf-page",
    )


def _transport(page: ZonesPage) -> html.Div:
    return transport(
        Transport(
            name="zones",
            reset="Reset: first day, all switches as at the start (Home)",
            back="One day back (←)",
            step="One day forward (→)",
            end="To the last day",
            speed=slider("speed", "Speed", 0, 7, 1, 3),
            can_control=page.can_control,
            note=f"Playback · {page.quality.source}" if page.is_playback else "",
        )
    )


def _rules(page: ZonesPage) -> html.Details:
    start = html.Div(
        className="kf-start", **{"data-start": page.start, "data-first": page.first_day, "data-last": page.last_day}
    )
    return html.Details(
        [
            html.Summary("Rules"),
            html.Div(
                [
                    html.H3("Phases, from the next day on"),
                    *(switch(*item) for item in SWITCHES),
                    html.H3("Options"),
                    *(switch(*item) for item in OPTIONS),
                    html.H3("Factors"),
                    *(slider(name, label, 0, 2, 0.05, 1, "×") for name, label in FACTORS),
                    html.H3("Begin again with"),
                    start,
                    quiet(slider("reservoir_factor", "Start level", 0, 2, 0.05, page.reservoir_factor, "×")),
                    html.Button("Begin again", className="kf-button", type="button", **{"data-action": "restart"}),
                ],
                className="kf-rules-body",
            ),
        ],
        open=True,
        className="kf-card kf-rules",
    )


def _picture() -> html.Section:
    return html.Section(
        [
            html.Div(
                [
                    html.H2(id="zones-picture-title", className="kf-card-title"),
                    html.Button(
                        "Export and import sides",
                        className="kf-chip",
                        type="button",
                        **{"data-action": "split", "aria-pressed": "false"},
                    ),
                ],
                className="kf-card-head",
            ),
            caption("zones"),
            html.Div(id=ids.ZONES_NETWORK, className="kf-network"),
        ],
        className="kf-card kf-picture",
    )


def _side(page: ZonesPage) -> html.Div:
    windows = [{"label": name, "value": days} for days, name in WINDOWS]
    offered = LIMITS if page.is_playback else REFERENCES
    lines = [{"label": " " + text, "value": name} for name, text in offered]
    return html.Div(
        [
            html.Div(id="zones-cards", className="kf-figures"),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2("How demand was met, GWh a day", className="kf-card-title"),
                            dcc.RadioItems(
                                id=ids.WINDOW, options=windows, value=page.chart_days, inline=True, className="kf-radio"
                            ),
                        ],
                        className="kf-card-head",
                    ),
                    flows_legend(),
                    graph(page.flows, ids.ZONES_FLOWS),
                ],
                className="kf-card kf-chart",
            ),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2("Storage, % of full", className="kf-card-title"),
                            dcc.Checklist(id=ids.SHOW, options=lines, value=[], inline=True, className="kf-radio"),
                        ],
                        className="kf-card-head",
                    ),
                    graph(page.reservoirs, ids.ZONES_RESERVOIRS),
                ],
                className="kf-card kf-chart",
            ),
        ],
        className="kf-side",
    )


def _tabs(page: ZonesPage) -> html.Section:
    panes = [
        ("transfers", "Transfers", html.Div(id="zones-transfers")),
        ("explain", "Explain this day", html.Div(id="zones-explain")),
        ("table", "Zones of the day", html.Div(id="zones-table")),
        ("days", "Days", html.Div(id="zones-days")),
        ("compare", "Compare", _compare()),
        ("data", "Data quality", html.Div(data_quality(page.quality), id=ids.ZONES_QUALITY)),
        ("export", "Export", _export(page)),
    ]
    return tabs(panes, ids.ZONES_TABS)


def _compare() -> list[Any]:
    return [
        html.P("Lay the days since a change beside the same days without it."),
        html.Div(
            [
                dcc.Dropdown(id=ids.ZONES_COMPARE_EVENT, placeholder="Choose a change", className="kf-dropdown"),
                html.Button("Compare", id=ids.ZONES_COMPARE_RUN, className="kf-button kf-primary", type="button"),
            ],
            className="kf-row",
        ),
        html.Div(
            id=ids.ZONES_COMPARE,
            children=html.P("Change a switch while days pass, then compare.", className="kf-empty"),
        ),
    ]


def data_quality(quality: DataQuality) -> list[Any]:
    """What the data-quality panel says."""
    said = html.P(f"{quality.source}: {quality.coverage}.")
    if not quality.fills:
        return [said, html.P("Nothing had to be filled: every value shown stands in a file.", className="kf-empty")]
    total = sum(fill.count for fill in quality.fills)
    rows = [[f.file, f.zone, f.quantity, f.rule, str(f.count), f.first, f.last] for f in quality.fills]
    columns = ["File", "Zone", "Quantity", "Filled by", "Values", "First", "Last"]
    return [
        said,
        html.P(f"{total} missing values were filled."),
        table(columns, rows, "Values that were filled", numeric_from=4),
    ]


def _export(page: ZonesPage) -> list[Any]:
    save = (
        []
        if not page.can_save
        else [
            html.Button("Save the days so far as a run", id=ids.ZONES_SAVE, className="kf-button", type="button"),
            html.Span(id=ids.ZONES_SAVED, role="status"),
        ]
    )
    return [
        export_row(EXPORT, EXPORTS, "network"),
        html.Div(save, className="kf-row"),
        html.H3("The same days from the command line"),
        html.Pre(id="zones-command-line", className="kf-code", tabIndex="0"),
    ]
