"""Summary, playback and ledger of a finished trading run."""

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update

from callbacks import live_view, trading_exports, trading_ledger, trading_summary
from callbacks import trading_view as view
from callbacks.exports import checked_theme, register_export
from callbacks.services import Services, services
from layouts import ids
from layouts.trading import TRADING, Opened
from layouts.trading_results import EXPORT


def opened(services_: Services, session: str, key: str, run: str, theme: str) -> Opened | None:
    """The run of a link in playback: of its session, by name, or the newest there is; None where there is none.

    Raises:
        DataError, ConfigError: the session or the run cannot be opened.
    """
    link = view.open_link(services_, session, key, run)
    return None if link is None else view.opened(services_, *link, theme=theme)


def register(app: Dash) -> None:
    """Attach the callbacks."""
    live_view.register(app, TRADING, view.message_since, view.obey_own, "drawTrading")
    register_export(app, TRADING, EXPORT, trading_exports.export)
    app.clientside_callback(
        ClientsideFunction("kraftflyt", "openTrading"),
        Output(ids.TRADING_PAGE, "title"),
        Input(ids.TRADING_OPEN, "data"),
    )

    @app.callback(
        Output(TRADING.charted, "data"),
        Input(TRADING.refresh, "data"),
        prevent_initial_call=True,
    )
    def charted(asked: dict[str, Any]) -> Any:
        return {"t": view.ALL_STEPS, "n": asked["n"], "w": 0, "ev": []}

    @app.callback(
        Output(ids.TRADING_CHARTS, "children"),
        Output(ids.TRADING_DRAWN, "data"),
        Input(ids.TRADING_SHOWN, "value"),
        Input(ids.TRADING_BANDS, "value"),
        Input(ids.THEME, "data"),
        State(ids.TRADING_DRAWN, "data"),
        State(TRADING.link, "data"),
    )
    def charts(shown: list[str], bands: list[str], theme: str | None, drawn: Any, link: dict[str, str]) -> Any:
        wanted = {"shown": shown, "bands": bands, "theme": theme or "dark"}
        if wanted == drawn:
            return no_update, no_update
        return view.charts(services(), link["session"], shown, wanted["theme"], bands=bool(bands)), wanted

    @app.callback(
        Output(ids.TRADING_SAVINGS, "figure"),
        Input(ids.THEME, "data"),
        State(TRADING.link, "data"),
    )
    def savings(theme: str | None, link: dict[str, str]) -> Any:
        run = services().sessions.live(link["session"])
        return trading_summary.on_page(trading_summary.savings_chart(run, checked_theme(theme)))

    @app.callback(
        Output(ids.TRADING_VERIFIED, "children"),
        Input(ids.TRADING_VERIFY, "n_clicks"),
        State(TRADING.link, "data"),
        prevent_initial_call=True,
        running=[(Output(ids.TRADING_VERIFY, "disabled"), True, False)],
    )
    def verify(_n: int, link: dict[str, str]) -> Any:
        return trading_ledger.verdict(services(), link["session"])

    @app.callback(
        Output(ids.TRADING_TRADE, "options"),
        Output(ids.TRADING_TRADE, "value"),
        Input(ids.TRADING_BLOCK, "value"),
        State(TRADING.link, "data"),
        prevent_initial_call=True,
    )
    def trades(block: int | None, link: dict[str, str]) -> Any:
        return trading_ledger.trade_choices(services(), link["session"], block), None

    @app.callback(
        Output(ids.TRADING_PROOF, "children"),
        Input(ids.TRADING_TRADE, "value"),
        State(ids.TRADING_BLOCK, "value"),
        State(TRADING.link, "data"),
        prevent_initial_call=True,
    )
    def proof(trade: int | None, block: int | None, link: dict[str, str]) -> Any:
        return trading_ledger.proof_of(services(), link["session"], block, trade)
