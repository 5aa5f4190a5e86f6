"""The agents page: the fleet, figures of the moment, planner, one agent, and what happened, was planned and written."""

from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from layouts import ids
from layouts.components import graph
from layouts.live import ExportIds, caption, export_row, tabs

EXPORT = ExportIds(ids.AGENTS_EXPORT, ids.AGENTS_EXPORT_WHAT, ids.AGENTS_EXPORT_KIND, ids.AGENTS_EXPORT_RUN)
EXPORTS = (
    ("picture", "Picture of the fleet"),
    ("loads", "Chart: load against limit, last minutes"),
    ("history", "Table: loads of the last minutes"),
    ("agents", "Table: agents right now"),
    ("plan", "Table: plan of the last cycle"),
    ("orders", "Table: orders in force"),
    ("events", "Table: events seen on this page"),
)
TICK_MS = 1000
DRIVES = (("cars", "Plug in cars", "Cars that need energy arrive at the homes of the first transformer"),)


@dataclass(frozen=True, slots=True)
class AgentsPage:
    """Everything the page shows when it opens: it asks for the fleet itself, once it is on screen."""

    fixed: dict[str, Any]
    chart: Any
    can_break: bool  # whether visitors may break, heal and drive the fleet
    why_not: str


def agents_page(page: AgentsPage) -> html.Main:
    """The whole page."""
    stores = (ids.AGENTS_PLACES, ids.AGENTS_MESSAGE, ids.AGENTS_COMMAND, ids.AGENTS_ACK, ids.AGENTS_SEEN)
    more = (ids.AGENTS_AUDIT, ids.AGENTS_HISTORY, ids.AGENTS_CHART_ASK, ids.AGENTS_CHARTED)
    return html.Main(
        [
            html.H1("Every home its own server", className="kf-visually-hidden"),
            dcc.Store(id=ids.AGENTS_FIXED, data=page.fixed),
            *(dcc.Store(id=name) for name in (*stores, *more)),
            dcc.Interval(id=ids.AGENTS_TICK, interval=TICK_MS),
            _bar(page),
            html.Div([_picture(), _side(), _tabs(page)], className="kf-agents-grid"),
        ],
        id=ids.AGENTS_PAGE,
        className="kf-page",
    )


def _action(action: str, text: str, hint: str, page: AgentsPage, **data: str) -> html.Button:
    """A button that acts on the fleet; where visitors may not, it says why."""
    may = page.can_break
    attributes = {"data-action": action, **{f"data-{name}": value for name, value in data.items()}}
    return html.Button(
        text, title=hint if may else page.why_not, disabled=not may, className="kf-button", type="button", **attributes
    )


def _bar(page: AgentsPage) -> html.Div:
    drives = [_action("fleet-drive", text, hint, page, drive=name) for name, text, hint in DRIVES]
    heal = _action("fleet-heal-all", "Heal all", "Continue, restart and reconnect whatever is broken", page)
    return html.Div(
        [
            html.Div([html.Span("The fleet", id="agents-clock"), html.Small(id="agents-cycle")], className="kf-date"),
            html.Div([*drives, heal], className="kf-buttons", role="group", **{"aria-label": "The fleet"}),
            html.Button(
                [
                    html.Span("Language model", className="kf-switch-label"),
                    html.Span(className="kf-switch-track"),
                ],
                id="agents-llm",
                className="kf-switch kf-agents-llm",
                type="button",
                role="switch",
                disabled=True,
                title="The fleet is not there yet",
                **{"aria-checked": "false", "aria-label": "Language model", "data-action": "fleet-llm"},
            ),
            html.Div(id="agents-stories", className="kf-stories"),
            html.P(id="agents-planner", className="kf-agents-planner"),
        ],
        className="kf-transport kf-card",
    )


def _picture() -> html.Section:
    return html.Section(
        [
            html.Div(
                [
                    html.H2("The fleet right now, kW", className="kf-card-title"),
                    html.P(id="agents-balance", className="kf-balance", role="status"),
                ],
                className="kf-card-head",
            ),
            caption("agents"),
            html.Div(
                [
                    html.Div(id=ids.AGENTS_PICTURE, className="kf-fleet-place"),
                    html.Div(
                        [
                            html.P("Looking for the fleet …", id="agents-said"),
                            html.Div(id="agents-progress"),
                            html.Pre(id="agents-command-line", className="kf-code", hidden=True, tabIndex="0"),
                        ],
                        id="agents-waiting",
                        className="kf-agents-waiting",
                        role="status",
                    ),
                ],
                className="kf-agents-stage",
            ),
        ],
        className="kf-card kf-picture",
    )


def _side() -> html.Div:
    return html.Div(
        [
            html.Div(id="agents-cards", className="kf-figures"),
            html.Section(
                html.P("Choose an agent in the picture, by mouse or arrow keys.", className="kf-empty"),
                id="agents-panel",
                className="kf-card kf-agents-panel",
                **{"aria-label": "Chosen agent"},
            ),
        ],
        className="kf-side",
    )


def _tabs(page: AgentsPage) -> html.Section:
    empty = html.P("Nothing yet.", className="kf-empty")
    panes = [
        ("timeline", "Timeline", html.Div([_filter(), html.Div(empty, id="agents-timeline")])),
        ("plan", "Plan", html.Div(empty, id="agents-plan")),
        ("agents", "Agents", html.Div(empty, id="agents-table")),
        ("audit", "Audit", _audit()),
        (
            "chart",
            "Chart",
            html.Div(
                [html.H3("Load of each transformer against its limit, kW"), graph(page.chart, ids.AGENTS_CHART)],
                className="kf-agents-chart",
            ),
        ),
        ("export", "Export", _export()),
    ]
    return tabs(panes, "agents-tabs")


def _filter() -> html.Div:
    return html.Div(id="agents-filter", className="kf-row")


def _audit() -> html.Div:
    button = {"className": "kf-button", "type": "button"}
    return html.Div(
        [
            html.Div(
                [
                    html.Button("Verify", id="agents-verify", **button, **{"data-action": "fleet-verify"}),
                    html.Button("Read again", **button, **{"data-action": "fleet-audit"}),
                    html.Button("Download JSONL", id=ids.AGENTS_JSONL, **button),
                    dcc.Download(id=ids.AGENTS_JSONL_FILE),
                ],
                className="kf-row",
            ),
            html.Div(id="agents-findings", role="status"),
            html.Div(html.P("The log is read when this tab is opened.", className="kf-empty"), id="agents-entries"),
        ]
    )


def _export() -> html.Div:
    return html.Div(
        [
            export_row(EXPORT, EXPORTS, "picture"),
            html.H3("The same from the command line"),
            html.Pre("energy-sim agents demo --homes 3 --batteries 2 --cycles 10", className="kf-code", tabIndex="0"),
        ]
    )
