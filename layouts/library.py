"""The library page."""

from typing import Any

from dash import dcc, html

from layouts import community, ids, trading_results, zones
from layouts.live import export_kinds

FILES = {
    "zones": [
        (name, text.replace("of the day", "of the last day")) for name, text in zones.EXPORTS if name != "replay"
    ],
    "community": [(name, text) for name, text in community.EXPORTS if name not in {"replay", "sankey", "flows"}],
    "trading": [
        (name, text.replace("of the step", "of the last step"))
        for name, text in trading_results.EXPORTS
        if name != "replay"
    ],
}


def library_page(runs: Any, names: list[str]) -> html.Main:
    """Finished runs, a figure or table of one of them as a file, and two of them side by side."""
    choices = run_choices(names)
    return html.Main(
        [
            html.H1("Library of finished runs"),
            dcc.Download(id=ids.LIBRARY_DOWNLOAD),
            html.Section(runs, id=ids.LIBRARY_LIST, className="kf-card"),
            html.Section([html.H2("A figure or table of a run"), _file(choices)], className="kf-card"),
            html.Section(
                [
                    html.H2("Two runs side by side"),
                    html.Div(
                        [
                            dcc.Dropdown(
                                id=ids.LIBRARY_LEFT, options=choices, placeholder="First run", className="kf-dropdown"
                            ),
                            dcc.Dropdown(
                                id=ids.LIBRARY_RIGHT, options=choices, placeholder="Second run", className="kf-dropdown"
                            ),
                        ],
                        className="kf-row",
                    ),
                    html.Div(html.P("Choose two runs.", className="kf-empty"), id=ids.LIBRARY_SIDE_BY_SIDE),
                ],
                className="kf-card",
            ),
        ],
        className="kf-page kf-library",
    )


def run_choices(names: list[str]) -> list[dict[str, str]]:
    """Runs as options of a drop-down."""
    return [{"label": name, "value": name} for name in names]


def file_choices(room: str) -> list[dict[str, str]]:
    """Figures and tables of a room's runs as options of a drop-down."""
    return [{"label": text, "value": name} for name, text in FILES[room]]


def _file(choices: list[dict[str, str]]) -> html.Div:
    files = file_choices("zones")
    look = {"className": "kf-dropdown"}
    return html.Div(
        [
            dcc.Dropdown(id=ids.LIBRARY_FILE_RUN, options=choices, placeholder="Run", **look),
            dcc.Dropdown(id=ids.LIBRARY_FILE_WHAT, options=files, value="network", clearable=False, **look),
            export_kinds(ids.LIBRARY_FILE_KIND),
            html.Button("Download", id=ids.LIBRARY_FILE_GET, className="kf-button kf-primary", type="button"),
            dcc.Download(id=ids.LIBRARY_FILE),
        ],
        className="kf-row",
    )


def runs_table(rows: list[tuple[str, str, str, str, str]], can_delete: bool) -> Any:
    """One row a run (name, room, made, period, in short) with its actions; what to do when there is none."""
    if not rows:
        return [
            html.P(
                "No run yet. Save one on the page of a room, or make one on the command line:", className="kf-empty"
            ),
            html.Pre("energy-sim zones run", className="kf-code"),
        ]
    head = html.Tr([html.Th(text, scope="col") for text in ("Run", "Room", "Made (UTC)", "Period", "In short", "")])
    body = [
        html.Tr(
            [
                html.Td(dcc.Link(name, href=f"/{cells[0]}?run={name}")),
                *(html.Td(c) for c in cells),
                html.Td(_actions(name, can_delete)),
            ]
        )
        for name, *cells in rows
    ]
    return html.Div(
        html.Table(
            [html.Caption("Open a run in playback by its name"), html.Thead(head), html.Tbody(body)],
            className="kf-table",
        ),
        className="kf-scroll",
    )


def _actions(name: str, can_delete: bool) -> html.Div:
    export_id, delete_id = {"type": "run-export", "run": name}, {"type": "run-delete", "run": name}
    look = {"className": "kf-button", "type": "button"}
    delete = dcc.ConfirmDialogProvider(
        html.Button("Delete", title=f"Delete {name}", **look),
        id=delete_id,
        message=f"Delete {name}? It cannot be brought back.",
    )
    export = html.Button("Export", id=export_id, title=f"Download {name} as zip", **look)
    return html.Div([export, delete] if can_delete else [export], className="kf-row")
