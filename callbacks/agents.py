"""The agents page: it watches real processes, asks for their moment once a second, and passes on what buttons say."""

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, no_update
from dash.exceptions import PreventUpdate

from callbacks import agents_exports
from callbacks import agents_view as view
from callbacks.services import services
from energy_sim.figures.fleet import plot_loads
from energy_sim.figures.theme import ON_CARD
from layouts import ids
from layouts.agents import EXPORT, AgentsPage, agents_page


def page(theme: str = "", **_query: Any) -> Any:
    """The page; nothing is asked or started before it is on screen."""
    config = services().config
    return agents_page(
        AgentsPage(
            fixed=view.fixed_of(config),
            chart=chart_of(list(config.agents.transformers), theme),
            can_break=not view.why_not(config),
            why_not=view.why_not(config),
        )
    )


def chart_of(transformers: list[str], theme: str) -> Any:
    """The empty chart of loads, to which the page appends."""
    empty: dict[str, list[float]] = {name: [] for name in transformers}
    return plot_loads([], empty, empty, "light" if theme == "light" else "dark").update_layout(**ON_CARD, margin_t=12)


def register(app: Dash) -> None:
    """Attach the callbacks."""

    @app.callback(
        Output(ids.AGENTS_MESSAGE, "data"),
        Output(ids.AGENTS_PLACES, "data"),
        Input(ids.AGENTS_TICK, "n_intervals"),
        State(ids.AGENTS_SEEN, "data"),
        running=[(Output(ids.AGENTS_TICK, "disabled"), True, False)],
    )
    def tick(_n: int, seen: Any) -> Any:
        message, places = view.message_since(services().config, seen)
        if message is None and places is None:
            raise PreventUpdate
        return message or no_update, places or no_update

    @app.callback(
        Output(ids.AGENTS_ACK, "data"),
        Output(ids.AGENTS_AUDIT, "data"),
        Input(ids.AGENTS_COMMAND, "data"),
        prevent_initial_call=True,
    )
    def control(command: Any) -> Any:
        answer, found = view.obey(services().config, command)
        return answer, found or no_update

    @app.callback(
        Output(ids.AGENTS_CHART, "figure"),
        Output(ids.AGENTS_CHARTED, "data"),
        Input(ids.AGENTS_CHART_ASK, "data"),
        Input(ids.THEME, "data"),
        prevent_initial_call=True,
    )
    def chart(asked: Any, theme: str | None) -> Any:
        given = asked.get("ids") if isinstance(asked, dict) else None
        names = [str(name)[:64] for name in given[:32]] if isinstance(given, list) else []
        names = names or list(services().config.agents.transformers)
        return chart_of(names, theme or "dark"), {"ids": names, "theme": theme}

    @app.callback(
        Output(EXPORT.download, "data"),
        Input(EXPORT.button, "n_clicks"),
        State(EXPORT.what, "value"),
        State(EXPORT.kind, "value"),
        State(ids.THEME, "data"),
        State(ids.AGENTS_HISTORY, "data"),
        prevent_initial_call=True,
        running=[(Output(EXPORT.button, "disabled"), True, False)],
    )
    def download(_n: int, what: str, kind: str, theme: str | None, history: Any) -> Any:
        content, name = agents_exports.export(services().config, what, kind, theme or "dark", history)
        return dcc.send_bytes(content, name)

    @app.callback(
        Output(ids.AGENTS_JSONL_FILE, "data"),
        Input(ids.AGENTS_JSONL, "n_clicks"),
        prevent_initial_call=True,
        running=[(Output(ids.AGENTS_JSONL, "disabled"), True, False)],
    )
    def jsonl(_n: int) -> Any:
        return dcc.send_bytes(agents_exports.audit_lines(services().config), "audit.jsonl")

    own = "kraftflyt"
    app.clientside_callback(
        ClientsideFunction(own, "drawAgents"),
        Output(ids.AGENTS_SEEN, "data"),
        Input(ids.AGENTS_MESSAGE, "data"),
        Input(ids.AGENTS_PLACES, "data"),
        State(ids.AGENTS_FIXED, "data"),
    )
    app.clientside_callback(ClientsideFunction(own, "agentsAcknowledged"), Input(ids.AGENTS_ACK, "data"))
    app.clientside_callback(ClientsideFunction(own, "agentsAudit"), Input(ids.AGENTS_AUDIT, "data"))
    app.clientside_callback(ClientsideFunction(own, "agentsCharted"), Input(ids.AGENTS_CHARTED, "data"))
