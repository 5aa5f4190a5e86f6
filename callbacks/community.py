"""The community page: opening it, ticks, controls, charts, statements, exports; and its addresses for programs."""

from typing import Any

import flask
from dash import Dash, Input, Output, State

from callbacks import community_charts, community_exports, live_view
from callbacks import community_view as view
from callbacks.exports import register_export
from callbacks.services import services
from energy_sim.errors import EnergySimError
from layouts import ids
from layouts.community import COMMUNITY, EXPORT
from layouts.components import message_page


def page(session: str = "", key: str = "", run: str = "", theme: str = "", **others: Any) -> Any:
    """The page of a link: an existing session, a finished run, or a new session with the values of the link."""
    asked = [value if isinstance(value, str) else value[-1] for value in (session, key, run)]  # ?run=a&run=b
    wanted = {name: others[name] for name in view.LINK_NAMES if name in others}
    last = {name: value if isinstance(value, str) else value[-1] for name, value in wanted.items()}
    opened = view.open_link(services(), *asked, last)
    if isinstance(opened, str):
        return message_page("This link cannot be opened", opened, "Start a new session", "/community")
    try:
        return view.page_of(services(), *opened, theme="light" if theme == "light" else "dark")
    except EnergySimError as error:
        return message_page("This session cannot be shown", str(error), "Start a new session", "/community")


def register(app: Dash) -> None:
    """Attach the callbacks and addresses."""
    live_view.register(app, COMMUNITY, view.message_since, view.obey_own, "drawCommunity")
    register_export(app, COMMUNITY, EXPORT, community_exports.export)

    @app.callback(
        Output(ids.COMMUNITY_POWER, "figure"),
        Output(COMMUNITY.charted, "data"),
        Input(COMMUNITY.refresh, "data"),
        Input(ids.COMMUNITY_WINDOW, "value"),
        Input(ids.THEME, "data"),
        State(COMMUNITY.link, "data"),
        prevent_initial_call=True,
    )
    def charts(_refresh: Any, window_s: int, theme: str | None, link: dict[str, str]) -> Any:
        return community_charts.charts(services(), link["session"], window_s, theme or "dark")

    @app.callback(
        Output(ids.COMMUNITY_HOUSE_CHART, "figure"),
        Input(ids.COMMUNITY_SELECTED, "data"),
        State(ids.THEME, "data"),
        State(COMMUNITY.link, "data"),
        prevent_initial_call=True,
    )
    def house(selected: dict[str, Any] | None, theme: str | None, link: dict[str, str]) -> Any:
        index = (selected or {}).get("house")
        return community_charts.house_chart(services(), link["session"], index, theme or "dark")

    @app.callback(
        Output(ids.COMMUNITY_SANKEY, "figure"),
        Input(ids.COMMUNITY_SANKEY_ASK, "data"),
        Input(ids.THEME, "data"),
        State(COMMUNITY.link, "data"),
        prevent_initial_call=True,
    )
    def sankey(_asked: Any, theme: str | None, link: dict[str, str]) -> Any:
        frame = services().sessions.frame(link["session"])
        return community_charts.in_card(community_charts.sankey_chart(frame, theme or "dark"))

    @app.callback(
        Output(ids.COMMUNITY_STATEMENTS, "children"),
        Input(ids.COMMUNITY_STATEMENTS_ASK, "data"),
        State(COMMUNITY.link, "data"),
        prevent_initial_call=True,
    )
    def statements(_asked: Any, link: dict[str, str]) -> Any:
        return community_exports.statement_tables(services(), link["session"])

    @app.callback(
        Output(ids.COMMUNITY_SAVED, "children"),
        Input(ids.COMMUNITY_SAVE, "n_clicks"),
        State(COMMUNITY.link, "data"),
        prevent_initial_call=True,
        running=[(Output(ids.COMMUNITY_SAVE, "disabled"), True, False)],
    )
    def save(_n: int, link: dict[str, str]) -> Any:
        return community_exports.saved(services(), link)

    _addresses(app)


def _addresses(app: Dash) -> None:
    """Attach what programs read and people print."""

    @app.server.get("/api/community/<session>/state")
    def state(session: str) -> Any:
        try:
            return view.state_json(services(), session, flask.request.args.get("tick"))
        except EnergySimError as error:
            return {"error": str(error)}, 404

    @app.server.get("/community/statements/<session>")
    def printable(session: str) -> Any:
        try:
            live_view.may_open(services(), session, view.ROOMS)
            return community_exports.printable_statements(services(), session, flask.request.args.get("month", ""))
        except EnergySimError as error:
            return flask.Response(str(error), 404, mimetype="text/plain")
