"""The zones page: opening it, ticks, controls, charts, comparison, exports."""

from typing import Any

from dash import Dash, Input, Output, State

from callbacks import live_view, zones_charts, zones_exports
from callbacks import zones_view as view
from callbacks.exports import register_export
from callbacks.services import services
from energy_sim.errors import EnergySimError
from layouts import ids
from layouts.components import message_page
from layouts.zones import EXPORT, STORES, data_quality


def page(session: str = "", key: str = "", run: str = "", start: str = "", theme: str = "", **_others: Any) -> Any:
    """The page of a link: an existing session, a finished run, or a new session."""
    asked = [value if isinstance(value, str) else value[-1] for value in (session, key, run, start)]  # ?run=a&run=b
    opened = view.open_link(services(), *asked)
    if isinstance(opened, str):
        return message_page("This link cannot be opened", opened, "Start a new session", "/zones")
    try:
        return view.page_of(services(), *opened, theme="light" if theme == "light" else "dark")
    except EnergySimError as error:
        return message_page("This session cannot be shown", str(error), "Start a new session", "/zones")


def register(app: Dash) -> None:
    """Attach the callbacks."""
    live_view.register(app, STORES, view.message_since, view.obey_own, "draw")
    register_export(app, STORES, EXPORT, zones_exports.export)

    @app.callback(
        Output(ids.ZONES_FLOWS, "figure"),
        Output(ids.ZONES_RESERVOIRS, "figure"),
        Output(ids.CHARTED, "data"),
        Input(ids.REFRESH, "data"),
        Input(ids.WINDOW, "value"),
        Input(ids.SHOW, "value"),
        Input(ids.THEME, "data"),
        State(ids.LINK, "data"),
        prevent_initial_call=True,
    )
    def charts(_refresh: Any, window: int, show: list[str], theme: str | None, link: dict[str, str]) -> Any:
        flows, levels, charted = zones_charts.charts(services(), link["session"], window, show, theme or "dark")
        return flows, levels, {**charted, "w": window}

    @app.callback(
        Output(ids.ZONES_QUALITY, "children"),
        Input(ids.REFRESH, "data"),
        State(ids.LINK, "data"),
        prevent_initial_call=True,
    )
    def quality(_refresh: Any, link: dict[str, str]) -> Any:
        return data_quality(view.quality_of(services(), link["session"]))

    @app.callback(Output(ids.ZONES_COMPARE_EVENT, "options"), Input(ids.REFRESH, "data"), State(ids.LINK, "data"))
    def changes_to_compare(_refresh: Any, link: dict[str, str]) -> Any:
        return zones_charts.change_options(services(), link["session"])

    @app.callback(
        Output(ids.ZONES_COMPARE, "children"),
        Input(ids.ZONES_COMPARE_RUN, "n_clicks"),
        State(ids.ZONES_COMPARE_EVENT, "value"),
        State(ids.THEME, "data"),
        State(ids.LINK, "data"),
        prevent_initial_call=True,
    )
    def compare(_n: int, seq: int | None, theme: str | None, link: dict[str, str]) -> Any:
        return zones_charts.comparison(services(), link["session"], seq, theme or "dark")

    @app.callback(
        Output(ids.ZONES_SAVED, "children"),
        Input(ids.ZONES_SAVE, "n_clicks"),
        State(ids.LINK, "data"),
        prevent_initial_call=True,
        running=[(Output(ids.ZONES_SAVE, "disabled"), True, False)],
    )
    def save(_n: int, link: dict[str, str]) -> Any:
        return zones_exports.saved(services(), link)
