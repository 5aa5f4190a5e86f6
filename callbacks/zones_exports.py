"""Files from the zones page: figures, tables, a replay, a saved run."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from dash import dcc

from callbacks.services import Services
from callbacks.zones_view import static_of
from energy_sim.errors import DataError
from energy_sim.figures.export import export_figure
from energy_sim.figures.zones import (
    plot_energy_exchange_curved,
    plot_energy_exchange_split_import_export,
    plot_energy_flows_summary,
    plot_reservoir_levels,
)
from energy_sim.runs import new_name
from energy_sim.zones import kernel as k
from energy_sim.zones.message import event_marks, tick_message
from energy_sim.zones.pipeline import tables_of, write_run
from energy_sim.zones.simulator import Period
from layouts.replay import replay_page

ASSETS = Path(__file__).parents[1] / "assets"


def export(services: Services, session: str, what: str, kind: str, theme: str, tick: int) -> tuple[bytes, str]:
    """A figure or table of the session as a file.

    Raises:
        DataError: a figure was asked as CSV, or a table as a picture.
    """
    live, events = services.sessions.live(session), services.sessions.events(session)
    period = live.history(events, tick)
    tables = tables_of(period, live.changes(events))
    day = str(period.dates[-1])
    if what in tables:
        if kind != "csv":
            raise DataError("a table is exported as CSV; choose CSV, or a figure")
        return tables[what].to_csv(index=False).encode(), f"{what}_{day}.csv"
    if what == "replay":
        if kind != "html":
            raise DataError("a replay is exported as HTML; choose HTML")
        return replay_of(services, session, theme, tick).encode(), f"replay_{day}.html"
    if kind not in {"png", "svg", "html"}:  # from the browser, and part of a path below
        raise DataError("a figure is exported as PNG, SVG or HTML; choose one of them, or a table")
    drawn = {
        "network": lambda: _network_figure(plot_energy_exchange_curved, period, theme),
        "split": lambda: _network_figure(plot_energy_exchange_split_import_export, period, theme),
        "flows": lambda: plot_energy_flows_summary(tables["daily_summary"], theme),
        "reservoirs": lambda: plot_reservoir_levels(tables["zone_metrics"], live.network, theme),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = export_figure(drawn[what](), Path(folder) / f"{what}_{day}.{kind}")
        return path.read_bytes(), path.name


def replay_of(services: Services, session: str, theme: str, tick: int) -> str:
    """The session's days so far as one HTML file that plays without a server."""
    live, events = services.sessions.live(session), services.sessions.events(session)
    record = services.sessions.record(session)
    messages, since = [], -1
    while since < tick:
        frame = services.sessions.frame_at(session, since + 1)
        messages.append({**tick_message(frame, [], live), "s": []})
        since += 1
    static = {
        **static_of(services, live, record.parameters, theme),
        "events": [mark for mark in event_marks(events, live) if mark[0] <= tick],
        "stories": [],
    }
    title = f"Kraftflyt: {live.date_of(0)} to {live.date_of(tick)}"
    return replay_page(ASSETS, title, theme, static, messages)


def _network_figure(plot: Any, period: Period, theme: str) -> Any:
    last = len(period.dates) - 1
    capacity = [zone.hydro_max_mwh for zone in period.network.zones]
    levels = 100 * period.series[last, :, k.LEVEL] / np.array(capacity)
    title = f"Energy exchange on {period.dates[last]}"
    return plot(period.network, period.transfers_of(last), levels.tolist(), theme, title)


def saved(services: Services, link: dict[str, str]) -> Any:
    """Save the days so far as a finished run.

    Raises:
        DataError: the link only watches.
    """
    session = link["session"]
    record = services.sessions.record(session)
    if link.get("key") != record.control_key:
        raise DataError("this link only watches; open the link that carries the control key to save a run")
    frame, live, events = (
        services.sessions.frame(session),
        services.sessions.live(session),
        services.sessions.events(session),
    )
    request = live.request(record.parameters, events, frame.tick, services.config.root)
    name = new_name("zones")
    write_run(services.runs.folder / name, request, live.inputs, live.history(events, frame.tick))
    return ["Saved: ", dcc.Link(name, href=f"/zones?run={name}")]
