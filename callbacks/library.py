"""The library: finished runs, listed, opened, laid side by side, exported, deleted."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc
from dash.exceptions import PreventUpdate

from callbacks import library_view as view
from callbacks.services import services
from layouts import ids
from layouts.library import run_choices


def page(**_query: str) -> Any:
    """The library page."""
    return view.page_of(services())


def register(app: Dash) -> None:
    """Attach the callbacks."""

    @app.callback(
        Output(ids.LIBRARY_DOWNLOAD, "data"),
        Input({"type": "run-export", "run": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def export(clicks: list[int | None]) -> Any:
        if not any(clicks):
            raise PreventUpdate
        content, name = view.packed(services(), ctx.triggered_id["run"])
        return dcc.send_bytes(content, name)

    @app.callback(
        Output(ids.LIBRARY_LIST, "children"),
        Output(ids.LIBRARY_FILE_RUN, "options"),
        Output(ids.LIBRARY_LEFT, "options"),
        Output(ids.LIBRARY_RIGHT, "options"),
        Input({"type": "run-delete", "run": ALL}, "submit_n_clicks"),
        prevent_initial_call=True,
    )
    def delete(clicks: list[int | None]) -> Any:
        if not any(clicks):
            raise PreventUpdate
        view.delete(services(), ctx.triggered_id["run"])
        runs, names = view.run_list(services())
        choices = run_choices(names)
        return runs, choices, choices, choices

    @app.callback(
        Output(ids.LIBRARY_FILE_WHAT, "options"),
        Output(ids.LIBRARY_FILE_WHAT, "value"),
        Input(ids.LIBRARY_FILE_RUN, "value"),
        prevent_initial_call=True,
    )
    def files(run: str | None) -> Any:
        choices = view.files_of(run)
        return choices, choices[0]["value"]

    @app.callback(
        Output(ids.LIBRARY_FILE, "data"),
        Input(ids.LIBRARY_FILE_GET, "n_clicks"),
        State(ids.LIBRARY_FILE_RUN, "value"),
        State(ids.LIBRARY_FILE_WHAT, "value"),
        State(ids.LIBRARY_FILE_KIND, "value"),
        State(ids.THEME, "data"),
        prevent_initial_call=True,
        running=[(Output(ids.LIBRARY_FILE_GET, "disabled"), True, False)],
    )
    def export_file(_n: int, run: str | None, what: str, kind: str, theme: str | None) -> Any:
        content, name = view.file_of_run(services(), run, what, kind, theme or "dark")
        return dcc.send_bytes(content, name)

    @app.callback(
        Output(ids.LIBRARY_SIDE_BY_SIDE, "children"),
        Input(ids.LIBRARY_LEFT, "value"),
        Input(ids.LIBRARY_RIGHT, "value"),
        Input(ids.THEME, "data"),
        prevent_initial_call=True,
    )
    def side_by_side(left: str | None, right: str | None, theme: str | None) -> Any:
        return view.side_by_side(services(), left, right, theme or "dark")
