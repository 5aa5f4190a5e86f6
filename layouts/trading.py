"""The trading page: what to simulate, the run while it computes, what came out, its playback, its ledger."""

from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from layouts import ids
from layouts.live import live_ids, live_stores, tabs

TRADING = live_ids("trading-")
NO_RUN = "No run is open. Press Run, or open one from the library."


@dataclass(frozen=True, slots=True)
class Opened:
    """A run that is played back on the page: the live page's stores, and what its panes show."""

    link: dict[str, str]
    message: dict[str, Any]
    static: dict[str, Any]
    tick_ms: int
    playback: Any
    summary: Any
    ledger: Any


@dataclass(frozen=True, slots=True)
class Setup:
    """The panes in which a run is made, and what their scripts know: {limits, ...}."""

    parameters: Any
    data: Any
    run: Any
    chosen: dict[str, Any]  # {parameters, households, grid_capacity, prices}: what a run would use


def trading_page(setup: Setup, opened: Opened | None) -> html.Main:
    """The whole page; without an opened run its panes say what to do."""
    empty = html.P(NO_RUN, className="kf-empty")
    stores = live_stores(TRADING, opened.link, opened.message, opened.static, opened.tick_ms) if opened else []
    panes = [
        ("parameters", "Parameters", setup.parameters),
        ("data", "Data", setup.data),
        ("run", "Run", setup.run),
        ("summary", "Summary", opened.summary if opened else empty),
        ("playback", "Playback", opened.playback if opened else empty),
        ("ledger", "Ledger", opened.ledger if opened else empty),
    ]
    return html.Main(
        [
            html.H1("What batteries and neighbours are worth", className="kf-visually-hidden"),
            *stores,
            dcc.Store(id=ids.TRADING_CHOSEN, data=setup.chosen),
            dcc.Store(id=ids.TRADING_JOB, storage_type="local"),
            dcc.Store(id=ids.TRADING_OPEN, data={"run": bool(opened)}),
            dcc.Interval(id=ids.TRADING_POLL, interval=500, disabled=True),
            html.Div(id=ids.TRADING_PROGRESS, className="kf-card kf-run-progress", hidden=True),
            tabs(panes, ids.TRADING_TABS),
        ],
        id=ids.TRADING_PAGE,
        className="kf-page kf-trading",
    )
