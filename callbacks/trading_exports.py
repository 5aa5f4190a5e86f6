"""Files from the trading page: pictures and charts of a run, its tables, a replay that opens without a server."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from callbacks import trading_view as view
from callbacks.exports import ASSETS, checked_theme, chosen_file, reached, replay_file
from callbacks.services import Services
from callbacks.trading_summary import savings_chart
from energy_sim.errors import DataError
from energy_sim.figures.ring import RingState
from energy_sim.figures.ring_figure import plot_ring
from energy_sim.runs import Run
from energy_sim.session import Frame
from energy_sim.trading.message import saved_eur, tick_message
from energy_sim.trading.playback import SIMULATION, RecordedTrading, TradingFrame
from layouts.components import table
from layouts.replay import replay_page
from layouts.trading_results import CHARTS

TABLES = ("optimized_results", "baseline_results", "households", "steps")
COMPARED = (
    ("total_cost_baseline", "Total cost of the baseline, EUR"),
    ("total_cost_optimized", "Total cost optimised, EUR"),
    ("improvement_pct", "Improvement, %"),
    ("grid_buy_baseline_kwh", "Bought from the grid in the baseline, kWh"),
    ("grid_buy_optimized_kwh", "Bought from the grid optimised, kWh"),
    ("grid_buy_reduction_pct", "Less bought from the grid, %"),
    ("p2p_kwh", "Traded among neighbours, kWh"),
    ("unserved_baseline_kwh", "Unserved in the baseline, kWh"),
    ("unserved_optimized_kwh", "Unserved optimised, kWh"),
    ("worse_off_households", "Households worse off than in the baseline"),
    ("seconds_per_step", "Seconds of planning a step"),
)
MOST_REPLAYED = 744  # steps: a month of hours


def export(services: Services, session: str, what: str, kind: str, theme: str, tick: Any) -> tuple[bytes, str]:
    """A figure or table of a run as a file: a `callbacks.exports.Export` over `layouts.trading_results.EXPORTS`.

    Raises:
        DataError: a figure was asked as CSV, or a table as a picture; the run has no such table; the server is busy.
    """
    frame = view.shown(services, session, services.sessions.frame(session))
    tick, theme = reached(tick, frame.last_tick), checked_theme(theme)
    run: RecordedTrading = frame.room
    simulation = str(frame.settings[SIMULATION])
    name = f"{run.name}_{what}.{kind}"
    if what == "replay":
        return replay_file(lambda: replay_of(services, run, simulation, theme), kind), name
    return file_of(services, run, what, kind, theme, simulation, tick), name


def file_of(
    services: Services,
    run: RecordedTrading,
    what: str,
    kind: str,
    theme: str,
    simulation: str = "optimized",
    tick: int = 0,
) -> bytes:
    """A figure or table of a run.

    Raises:
        DataError: as for `export`.
    """
    tables = {name: partial(_table, services, run, name) for name in TABLES}
    figures = {
        "ring": lambda: _ring(run, simulation, tick, theme),
        "savings": lambda: _savings(run, theme),
        **{name: partial(view.figure_of, run, name, bands=False, theme=theme) for name, _ in CHARTS},
    }
    return chosen_file(what, kind, tables, figures)


def _table(services: Services, run: RecordedTrading, what: str) -> bytes:
    path = services.runs.path(run.name) / f"{what}.csv"
    if not path.is_file():
        raise DataError(f"run {run.name}: has no table {what}; it was written elsewhere")
    return path.read_bytes()


def _ring(run: RecordedTrading, simulation: str, tick: int, theme: str) -> Any:
    title = f"{view.NAMES[simulation]}, {run.moment(tick).replace('T', ' ') or f'step {tick}'}"
    return plot_ring(view.geometry_of(run.ids), ring_state(run, simulation, tick), theme, title)


def _savings(run: RecordedTrading, theme: str) -> Any:
    if run.households is None:
        raise DataError(f"run {run.name}: does not say what households saved; it was written elsewhere")
    return savings_chart(run, theme)


def ring_state(run: RecordedTrading, simulation: str, tick: int) -> RingState:
    """One step as the ring draws it."""
    recorded = run.simulations[simulation]
    nothing = np.zeros(len(run.ids))
    c = {name: column[tick] for name, column in recorded.columns.items()}
    has = recorded.columns["battery_pct"].max(axis=0) > 0
    trades = run.trades_of(simulation, tick)
    rows = zip(trades.seller.tolist(), trades.buyer.tolist(), trades.kwh.tolist(), strict=True)
    return RingState(
        soc_pct=np.where(has, c["battery_pct"], np.nan),
        wallet_eur=c["wallet"],
        saved_eur=saved_eur(run, simulation, tick),
        production_kwh=c["production"],
        consumption_kwh=c["consumption"],
        grid_buy_kwh=c["grid_buy"],
        grid_sell_kwh=c["grid_sell"],
        p2p_buy_kwh=c["p2p_buy_amount"],
        p2p_sell_kwh=c["p2p_sell_amount"],
        charge_kwh=c.get("charge_kwh", nothing),
        discharge_kwh=c.get("discharge_kwh", nothing),
        curtailed_kwh=c.get("curtailed_kwh", nothing),
        unserved_kwh=c.get("unserved_kwh", nothing),
        trades=tuple((seller, buyer, kwh) for seller, buyer, kwh in rows),
        full_kwh=view.full_kwh(run),
    )


def side_by_side(runs: Sequence[Run]) -> Any:
    """Two runs in numbers."""
    rows = []
    for name, text in COMPARED:
        values = [run.summary.get(name) for run in runs]
        shown = ["–" if value is None else f"{value:,.2f}" for value in values]
        both = all(value is not None for value in values)
        rows.append([text, *shown, f"{values[0] - values[1]:,.2f}" if both else "–"])
    return table(["", *(run.name for run in runs), "Difference"], rows, "The two runs")


def replay_of(services: Services, run: RecordedTrading, simulation: str, theme: str) -> str:
    """The run as one HTML file that plays without a server; of a long one the first steps."""
    count = min(run.last_tick + 1, MOST_REPLAYED)
    settings = {SIMULATION: simulation}
    messages = []
    for tick in range(count):
        shown = TradingFrame(tick, simulation)
        frame = Frame("", tick, count - 1, False, tick == count - 1, 1.0, 0, 0, settings, settings, shown)
        messages.append(tick_message(frame, (), run))
    static = view.static_of(services, run, theme)
    return replay_page(ASSETS, f"Kraftflyt · {run.name}", theme, static, messages, "trading")
