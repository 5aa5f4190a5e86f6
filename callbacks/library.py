"""The library: finished runs, listed, opened, laid side by side, exported, deleted."""

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc
from dash.exceptions import PreventUpdate

from callbacks import library_view as view
from callbacks.services import services
from layouts import ids


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
        Input({"type": "run-delete", "run": ALL}, "submit_n_clicks"),
        prevent_initial_call=True,
    )
    def delete(clicks: list[int | None]) -> Any:
        if not any(clicks):
            raise PreventUpdate
        view.delete(services(), ctx.triggered_id["run"])
        return view.run_list(services())

    @app.callback(
        Output(ids.LIBRARY_SIDE_BY_SIDE, "children"),
        Input(ids.LIBRARY_LEFT, "value"),
        Input(ids.LIBRARY_RIGHT, "value"),
        Input(ids.THEME, "data"),
        State(ids.LIBRARY_SIDE_BY_SIDE, "id"),
        prevent_initial_call=True,
    )
    def side_by_side(left: str | None, right: str | None, theme: str | None, _id: str) -> Any:
        return view.side_by_side(services(), left, right, theme or "dark")
