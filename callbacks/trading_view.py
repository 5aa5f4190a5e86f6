"""The playback of a trading run as it opens, its messages, its charts and its summary."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from callbacks import live_view, trading_ledger
from callbacks.services import Services
from callbacks.trading_summary import summary
from energy_sim.errors import ConfigError, DataError
from energy_sim.figures import trading as figures
from energy_sim.figures.ring import HOMES_MAX, ring_geometry
from energy_sim.figures.theme import ON_CARD
from energy_sim.session import Frame
from energy_sim.trading.message import MAX_ROWS, tick_message
from energy_sim.trading.playback import SIMULATION, SIMULATIONS, RecordedTrading, TradingFrame
from layouts.trading import Opened
from layouts.trading_results import SHOWN_FIRST, SPEEDS, chart, playback

ROOMS = ("trading",)
NAMES = {"optimized": "Optimised", "baseline": "Baseline"}
ALL_STEPS = 10**9  # the charts of a finished run hold every step from the start
CANVAS_PX, COMPACT_CANVAS_PX = (820, 720), (360, 480)


def open_link(services: Services, session: str, key: str, run: str) -> tuple[str, str] | None:
    """(session id, control key) of a link, creating a session where it names none; None where there is no run.

    Raises:
        DataError, ConfigError: the session or the run cannot be opened.
    """
    if session:
        live_view.may_open(services, session, ROOMS)
        return session, key
    name = run or next((found.name for found in services.runs.list() if found.room == "trading"), "")
    if not name:
        return None
    record = services.sessions.create("trading", {"run": name}, rate=services.config.trading.steps_per_second)
    return record.id, record.control_key


def opened(services: Services, session: str, key: str, theme: str) -> Opened:
    """Everything the page shows of a session."""
    frame = shown(services, session, services.sessions.frame(session))
    record = services.sessions.record(session)
    run: RecordedTrading = services.sessions.live(session)  # type: ignore[assignment]
    can_control = live_view.holds_key(record, key)
    return Opened(
        link={"session": session, "key": key if can_control else ""},
        message={**tick_message(frame, (), run), "evn": live_view.last_event(services.sessions.events(session))},
        static=static_of(services, run, theme),
        tick_ms=services.config.trading.tick_ms,
        playback=playback(
            [chart(name, *headed(figure_of(run, name, bands=False, theme=theme))) for name in SHOWN_FIRST],
            can_control=can_control,
            note=f"Run {run.name}",
        ),
        summary=summary(run, theme),
        ledger=trading_ledger.pane(services, run),
    )


def static_of(services: Services, run: RecordedTrading, theme: str) -> dict[str, Any]:
    """Everything about a run that assets/trading.js needs once."""
    begins = run.steps.begins
    return {
        "geometry": geometry_of(run.ids).to_json(),
        "compact": geometry_of(run.ids, compact=True).to_json(),
        "ids": list(run.ids),
        "startMs": None if begins is None else int(begins[0].astype("datetime64[ms]").astype(np.int64)),
        "stepMs": run.steps.dt_h * 3_600_000,
        "fullKwh": full_kwh(run),
        "currency": currency(run),
        "speeds": list(SPEEDS),
        "theme": theme,
        "window": 0,
        "tickMs": services.config.trading.tick_ms,
        "stories": live_view.told(services.config, "trading"),
        "events": [],
    }


@lru_cache(maxsize=16)
def geometry_of(ids: tuple[str, ...], *, compact: bool = False) -> Any:
    """Where the households stand on the page.

    Raises:
        DataError: there are more than a ring can hold.
    """
    if len(ids) > HOMES_MAX:
        raise DataError(
            f"playback: {len(ids):,} households are more than the {HOMES_MAX:,} a ring shows; see the files"
        )
    width, height = COMPACT_CANVAS_PX if compact else CANVAS_PX
    return ring_geometry(ids, width, height, compact=compact)


def full_kwh(run: RecordedTrading) -> float:
    """Energy of the widest arrow: what only one in two hundred flows exceeds."""
    shown = run.simulations["optimized"]
    flows = np.concatenate([shown.columns["grid_buy"].ravel(), shown.columns["grid_sell"].ravel(), shown.trades.kwh])
    flows = flows[flows > 0.005]
    return round(float(np.quantile(flows, 0.995)), 3) if len(flows) else 1.0


def currency(run: RecordedTrading) -> str:
    """The unit of money: EUR of this program's runs; others are as they were written."""
    return "EUR" if "total_cost_optimized" in run.summary else "$"


def message_since(services: Services, session: str, seen: dict[str, Any]) -> dict[str, Any] | None:
    """The message of the current step; None when nothing is new."""

    def message_of(frame: Frame, skipped: Sequence[Frame], run: Any) -> dict[str, Any]:
        return tick_message(shown(services, session, frame), skipped, run)

    return live_view.message_since(services, session, seen, MAX_ROWS, message_of)


def shown(services: Services, session: str, frame: Frame) -> Frame:
    """A frame with the simulation chosen last: a choice is about what is seen, not about what happens from then on."""
    choices = [event for event in services.sessions.events(session) if event.control == SIMULATION]
    simulation = str(max(choices, key=lambda event: event.seq).value if choices else SIMULATIONS[0])
    settings = {SIMULATION: simulation}
    return replace(frame, settings=settings, next_settings=settings, data=TradingFrame(frame.tick, simulation))


def show_simulation(services: Services, link: dict[str, str], simulation: Any) -> None:
    """Choose the simulation that is seen, also at the last step, after which the clock takes no change.

    Raises:
        DataError: the key is not the session's, or there is no such simulation.
    """
    sessions, session, key = services.sessions, link["session"], link["key"]
    frame = sessions.frame(session)
    if shown(services, session, frame).settings[SIMULATION] == simulation:
        return
    ends = frame.tick == frame.last_tick > 0
    if ends:
        sessions.control(session, key, "scrub", frame.last_tick - 1)
    sessions.control(session, key, SIMULATION, simulation)
    if ends:
        sessions.control(session, key, "scrub", frame.last_tick)


def obey_own(services: Services, link: dict[str, str], name: str, value: Any) -> bool:
    """Carry out a command that only this page has: the simulation that is seen, a place of the speed slider."""
    if name == SIMULATION:
        show_simulation(services, link, value)
        return True
    if name != "speed":
        return False
    if not isinstance(value, int) or not 0 <= value < len(SPEEDS):
        raise ConfigError(f"speed: {value!r} is no place of the slider; give 0 to {len(SPEEDS) - 1}")
    services.sessions.control(link["session"], link["key"], "speed", SPEEDS[value])
    return True


def charts(services: Services, session: str, shown: list[str], theme: str, *, bands: bool) -> list[Any]:
    """The chosen charts of a session's run."""
    run: RecordedTrading = services.sessions.live(session)  # type: ignore[assignment]
    return [chart(name, *headed(figure_of(run, name, bands=bands, theme=theme))) for name in shown]


_COMPARED = {
    "wallets": (figures.plot_wallets, "wallet"),
    "grid_buy": (figures.plot_grid_buy, "grid_buy"),
    "grid_sell": (figures.plot_grid_sell, "grid_sell"),
    "battery": (figures.plot_battery, "stored_kwh"),
}


def figure_of(run: RecordedTrading, name: str, *, bands: bool, theme: str) -> Any:
    """One chart of a run over all its steps.

    Raises:
        DataError: there is no such chart.
    """
    x = run.steps.begins if run.steps.begins is not None else np.arange(run.last_tick + 1) * run.steps.dt_h
    shown, base = (run.simulations[which].columns for which in ("optimized", "baseline"))
    if name in _COMPARED:
        plot, column = _COMPARED[name]
        return plot(x, base[column], shown[column], theme, band=bands)
    if name == "energy":
        return figures.plot_energy(x, shown["production"], shown["consumption"], theme)
    if name == "p2p":
        return figures.plot_p2p(x, shown["p2p_buy_amount"].sum(axis=1), run.steps.p2p_price, theme)
    raise DataError(f"charts: there is none called {name[:40]!r}; choose one of the list")


def headed(figure: Any) -> tuple[str, Any]:
    """A chart's title as a heading of the page, and the chart without it, its legend at the upper right."""
    title = str(figure.layout.title.text)
    figure.update_layout(ON_CARD)
    figure.update_layout(margin={"l": 56, "r": 12, "t": 26, "b": 24}, legend={"x": 1, "xanchor": "right", "y": 1.02})
    return title, figure.update_yaxes(nticks=5)
