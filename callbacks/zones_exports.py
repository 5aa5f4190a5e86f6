"""Files from the zones page: figures, tables, a replay, a saved run."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dash import dcc

from callbacks.exports import ASSETS, checked_theme, chosen_file, reached, replay_file, turn
from callbacks.services import Services
from callbacks.zones_view import static_of
from energy_sim.clock import Event, settings_at
from energy_sim.errors import DataError
from energy_sim.figures.run_files import write_run_figures
from energy_sim.figures.zones import (
    plot_energy_exchange_curved,
    plot_energy_exchange_split_import_export,
    plot_energy_flows_summary,
    plot_reservoir_levels,
)
from energy_sim.runs import new_name
from energy_sim.session import Frame
from energy_sim.zones import kernel as k
from energy_sim.zones.live import LiveZones
from energy_sim.zones.message import event_marks, tick_message
from energy_sim.zones.pipeline import RunLog, change_marks, tables_of, write_run
from energy_sim.zones.playback import RecordedZones, day_frame
from energy_sim.zones.simulator import Period, Settings, average_day
from layouts.replay import replay_page


def export(services: Services, session: str, what: str, kind: str, theme: str, tick: Any) -> tuple[bytes, str]:
    """A figure or table of the session as a file: a `callbacks.exports.Export` over `layouts.zones.EXPORTS`.

    Raises:
        DataError: a figure was asked as CSV, or a table as a picture; the server is busy.
    """
    tick = reached(tick, services.sessions.frame(session).tick)
    live, events = services.sessions.live(session), services.sessions.events(session)
    period = live.history(events, tick)
    day = str(period.dates[-1])
    if what == "replay":
        return replay_file(lambda: replay_of(services, session, theme, period, events), kind), f"replay_{day}.html"
    return file_of(period, live.changes(events), what, kind, theme), f"{what}_{day}.{kind}"


def file_of(period: Period, changes: Mapping[int, Settings], what: str, kind: str, theme: str) -> bytes:
    """A figure or table of some days.

    Args:
        period: the days.
        changes: the settings by the day from which they held.
        what: network, split (both of the last day), flows, reservoirs, or the name of a table.
        kind: png, svg or html; csv for a table.
        theme: dark or light.

    Raises:
        DataError: a figure was asked as CSV, or a table as a picture; there is none of the name; the server is busy.
    """
    tables, theme = tables_of(period, changes), checked_theme(theme)
    figures = {
        "network": lambda: _network_figure(plot_energy_exchange_curved, period, theme),
        "split": lambda: _network_figure(plot_energy_exchange_split_import_export, period, theme),
        "flows": lambda: plot_energy_flows_summary(tables["daily_summary"], theme),
        "reservoirs": lambda: plot_reservoir_levels(tables["zone_metrics"], period.network, theme),
    }
    csv = {name: partial(_csv, rows) for name, rows in tables.items()}
    return chosen_file(what, kind, csv, figures)


def _csv(rows: pd.DataFrame) -> bytes:
    return rows.to_csv(index=False).encode()


def replay_of(services: Services, session: str, theme: str, period: Period, events: tuple[Event, ...]) -> str:
    """The session's days so far as one HTML file that plays without a server."""
    live, record = services.sessions.live(session), services.sessions.record(session)
    last, theme = len(period.dates) - 1, checked_theme(theme)
    messages = [{**tick_message(_replayed(live, period, events, tick), [], live), "s": []} for tick in range(last + 1)]
    static = {
        **static_of(services, live, record.parameters, theme),
        "events": [mark for mark in event_marks(events, live) if mark[0] <= last],
        "stories": [],
    }
    title = f"Kraftflyt: {live.date_of(0)} to {live.date_of(last)}"
    return replay_page(ASSETS, title, theme, static, messages)


def _replayed(live: LiveZones | RecordedZones, period: Period, events: tuple[Event, ...], tick: int) -> Frame:
    """The frame of a day that was simulated already; its clock is the replay's own."""
    last = len(period.dates) - 1
    acting, following = (settings_at(live.defaults(), events, at) for at in (tick, min(tick + 1, last)))
    return Frame("", tick, last, False, tick == last, 1.0, 0, 0, acting, following, day_frame(period, tick))


def _network_figure(plot: Any, period: Period, theme: str) -> Any:
    last = len(period.dates) - 1
    capacity = [zone.hydro_max_mwh for zone in period.network.zones]
    levels = 100 * period.series[last, :, k.LEVEL] / np.array(capacity)
    title = f"Energy exchange on {period.dates[last]}"
    return plot(period.network, period.transfers_of(last), levels.tolist(), theme, title)


def saved(services: Services, link: dict[str, str]) -> Any:
    """Save the days so far as a finished run, with the files that the command line writes.

    Raises:
        DataError: the configuration forbids it, the link only watches, or it plays a finished run.
    """
    if not services.config.runs.save_from_page:
        raise DataError("runs are not saved from the page here; use `energy-sim zones run` on the server")
    session = link["session"]
    record = services.sessions.authorised(session, link.get("key"))
    frame, live, events = (
        services.sessions.frame(session),
        services.sessions.live(session),
        services.sessions.events(session),
    )
    if isinstance(live, RecordedZones):
        raise DataError("these days are a finished run already; find it in the library")
    request = live.request(record.parameters, events, frame.tick, services.config.root)
    name, log = new_name("zones"), RunLog()

    def add_figures(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
        figures, marks = folder / "figures", change_marks(request)
        list(write_run_figures(figures, request.network, tables, average_day(period), marks, ("html",)))

    try:
        with turn():
            period = live.history(events, frame.tick)
            write_run(services.runs.folder / name, request, live.inputs, period, (add_figures, log.write))
    finally:
        log.close()
    return ["Saved: ", dcc.Link(name, href=f"/zones?run={name}")]
