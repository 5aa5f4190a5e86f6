"""What the zones page shows, put together from sessions, the core and figures; the callbacks call it."""

import json
import shlex
import tempfile
import time
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dash import dcc, html

from callbacks.services import CANVAS_PX, COMPACT_CANVAS_PX, Services
from energy_sim.clock import CLOCK_CONTROLS, Event
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError
from energy_sim.figures.export import export_figure
from energy_sim.figures.network import NetworkGeometry
from energy_sim.figures.theme import format_energy
from energy_sim.figures.zones import (
    for_card,
    network_geometry,
    plot_energy_exchange_curved,
    plot_energy_exchange_split_import_export,
    plot_energy_flows_summary,
    plot_reservoir_levels,
)
from energy_sim.runs import new_name
from energy_sim.session import Frame
from energy_sim.stories import stories_for
from energy_sim.zones import kernel as k
from energy_sim.zones.explain import BOUND_TEXTS
from energy_sim.zones.live import LiveZones, default_parameters, open_zones
from energy_sim.zones.message import MAX_ROWS, event_marks, tick_message
from energy_sim.zones.model import Network
from energy_sim.zones.pipeline import tables_of, write_run
from energy_sim.zones.playback import RecordedZones
from energy_sim.zones.simulator import Period
from layouts.components import flows_legend, graph, table
from layouts.replay import replay_page
from layouts.zones import OPTIONS, SWITCHES, WINDOWS, ZonesPage, zones_page

ASSETS = Path(__file__).parents[1] / "assets"
SPEEDS = (0.5, 1.0, 2.0, 4.0, 7.0, 15.0, 30.0, 60.0)
LABEL_STEP_PCT = 11.0  # names at the line ends of a chart 200 px high
NAMES = {
    **{n: text for n, text, _ in (*SWITCHES, *OPTIONS)},
    "consumption_factor": "Demand",
    "wind_factor": "Wind",
    "inflow_factor": "Inflow",
}
Live = LiveZones | RecordedZones


def now_ms() -> int:
    """Milliseconds since the epoch, to tell two answers apart."""
    return int(time.time() * 1000)


def open_link(services: Services, session: str, key: str, run: str, start: str) -> tuple[str, str] | str:
    """(session id, control key) of a link, creating a session where it names none; or what is the matter."""
    try:
        if session:
            services.sessions.live(session)  # also refuses a playback whose run is gone
            return session, key
        rate = services.config.zones.days_per_second
        if run:
            record = services.sessions.create("playback", {"run": run}, rate=rate)
        else:
            first = date.fromisoformat(start) if start else None
            record = services.sessions.create("zones", default_parameters(services.config, first), rate=rate)
    except ValueError:
        return f"{start!r} is no date; write it as 2016-01-01."
    except (DataError, ConfigError) as error:
        return str(error)
    return record.id, record.control_key


def page_of(services: Services, session: str, key: str, theme: str) -> Any:
    """The page of a session."""
    frame = services.sessions.frame(session)
    record, live = services.sessions.record(session), services.sessions.live(session)
    events = services.sessions.events(session)
    zones = services.config.zones
    can_control = key == record.control_key
    flows, levels, _ = charts(services, session, chart_window(services.config), [], theme)
    playback = record.room == "playback"
    inputs = None if playback else live.inputs
    first, last = str(live.date_of(0)), str(live.date_of(live.last_tick))
    return zones_page(
        ZonesPage(
            link={"session": session, "key": key if can_control else ""},
            message={**tick_message(frame, [], live), "ev": event_marks(events, live)},
            static=static_of(services, live, record.parameters, theme),
            flows=flows,
            reservoirs=levels,
            fills=inputs.fills if inputs else (),
            coverage=f"{first} to {last}, {len(live.network.zones)} zones, {live.last_tick + 1:,} days",
            source=f"Run {record.parameters['run']}" if playback else f"Input folder {record.parameters['input']}",
            start=first,
            first_day=str(zones.start),
            last_day=str(zones.start + timedelta(days=zones.days - 1)),
            reservoir_factor=float(record.parameters.get("reservoir_factor", 1.0)),
            tick_ms=zones.tick_ms,
            chart_days=chart_window(services.config),
            can_control=can_control,
            is_playback=playback,
        )
    )


def static_of(services: Services, live: Live, parameters: dict[str, Any], theme: str) -> dict[str, Any]:
    """Everything about a session that assets/zones.js needs once."""
    geometry = network_geometry(live.network, *CANVAS_PX)
    return {
        "geometry": geometry.to_json(),
        "compact": network_geometry(live.network, *COMPACT_CANVAS_PX).to_json(),
        "routes": route_arrows(geometry, live.network),
        "zones": list(live.network.ids),
        "names": NAMES,
        "bounds": [BOUND_TEXTS[name] for name in k.BOUNDS],
        "speeds": list(SPEEDS),
        "first": str(live.date_of(0)),
        "theme": theme,
        "window": chart_window(services.config),
        "tickMs": services.config.zones.tick_ms,
        "command": command_line(parameters),
        "stories": [s.to_json() for s in stories_for(services.config.path(services.config.stories.folder), "zones")],
    }


def chart_window(config: Config) -> int:
    """Days the charts look back when the page opens: the offered window next to the configured one."""
    return min((days for days, _ in WINDOWS), key=lambda days: abs(days - config.zones.chart_days))


def route_arrows(geometry: NetworkGeometry, network: Network) -> list[int]:
    """The arrow of the drawing that each route of the network uses; parallel links share one."""
    arrow_of = {(a.supplier, a.transit, a.importer): i for i, a in enumerate(geometry.arrows)}
    return [arrow_of[r.supplier, None if r.transit < 0 else r.transit, r.importer] for r in network.routes]


def message_since(services: Services, session: str, seen: dict[str, Any]) -> dict[str, Any] | None:
    """The message of the current day with the chart rows since what was seen; None when nothing is new."""
    frames = services.sessions.frames_since(session, int(seen.get("t", -1)), int(seen.get("ep", -1)), MAX_ROWS)
    frame = frames[-1]
    if (frame.tick, frame.revision) == (seen.get("t"), seen.get("v")):
        return None
    live = services.sessions.live(session)
    message = tick_message(frame, frames[:-1], live)
    if frame.revision != seen.get("v"):
        message["ev"] = event_marks(services.sessions.events(session), live)
    if frame.epoch != seen.get("ep"):
        message["cmd"] = command_line(services.sessions.record(session).parameters)
    return message


def obey(
    services: Services, link: dict[str, str], seen: dict[str, Any], command: dict[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Carry out a command of the page: the day as it is now, and the answer {n, err}."""
    sessions, session, name, value = services.sessions, link["session"], command["name"], command.get("value")
    error = ""
    try:
        live = sessions.live(session)
        if name == "restart":
            start = date.fromisoformat(value["start"])
            parameters = default_parameters(services.config, start, value["reservoir_factor"])
            sessions.restart(session, link["key"], parameters)
        elif name == "end":
            sessions.control(session, link["key"], "scrub", live.last_tick)
        elif name == "speed":
            sessions.control(session, link["key"], "speed", speed_at(value))
        elif name == "day":
            sessions.control(session, link["key"], "scrub", live.tick_of(date.fromisoformat(value)))
        elif name in CLOCK_CONTROLS or (name, value) not in sessions.frame(session).next_settings.items():
            sessions.control(session, link["key"], name, value)
    except (DataError, ConfigError) as found:
        error = str(found)
    except (ValueError, KeyError, TypeError, IndexError) as found:
        error = f"{name}: {value!r} cannot be used ({found})"
    message = message_since(services, session, {"t": seen.get("t", -1), "ep": seen.get("ep", -1)})
    return message, {"n": command.get("n"), "err": error}


def speed_at(place: Any) -> float:
    """The speed at a place of the slider, days a second.

    Raises:
        DataError: the slider has no such place.
    """
    if place not in range(len(SPEEDS)):
        raise DataError(f"speed: {place!r} is no place on the slider; give 0 to {len(SPEEDS) - 1}")
    return SPEEDS[int(place)]


def charts(services: Services, session: str, window: int, show: list[str], theme: str) -> tuple[Any, Any, int]:
    """The two charts over the last `window` days, and the tick they end at."""
    frame = services.sessions.frame(session)
    live, events = services.sessions.live(session), services.sessions.events(session)
    period = last_days(live.history(events, frame.tick), window)
    tables = tables_of(period, {})
    first = frame.tick + 1 - len(period.dates)
    marks = [(str(live.date_of(e.tick)), describe_event(e)) for e in events if first <= e.tick <= live.last_tick]
    flows = plot_energy_flows_summary(tables["daily_summary"], theme, marks)
    reference = median_of(live, period) if isinstance(live, LiveZones) else None
    levels = plot_reservoir_levels(tables["zone_metrics"], live.network, theme, reference, show, marks, LABEL_STEP_PCT)
    return few_days(for_card(flows), period), few_days(for_card(levels), period), frame.tick


def few_days(figure: Any, period: Period) -> Any:
    """The chart with a tick a day while it holds less than eight, where plotly would count hours and milliseconds."""
    dates = period.dates.astype("datetime64[D]")
    if len(dates) < 8:
        figure.update_xaxes(dtick=86_400_000, tickformat="%-d %b")
    if len(dates) == 1:
        figure.update_xaxes(range=[str(dates[0] - 1), str(dates[0] + 1)])
    return figure


def last_days(period: Period, window: int) -> Period:
    """The last `window` days of a period."""
    first = max(0, len(period.dates) - window)
    if first == 0:
        return period
    rows = int(period.trace_end[first - 1])
    trace = period.trace[rows:].copy()
    trace[:, k.DAY] -= first
    return Period(
        period.network,
        period.dates[first:],
        period.opening_of(first),
        period.series[first:],
        trace,
        period.trace_end[first:] - rows,
    )


def median_of(live: LiveZones, period: Period) -> pd.DataFrame:
    """The recorded median storage of the period, percent, as `plot_reservoir_levels` takes it."""
    begin = int(np.searchsorted(live.inputs.dates, period.dates[0]))
    median = live.inputs.median_level_mwh[begin : begin + len(period.dates)]
    capacity = np.array([zone.hydro_max_mwh for zone in live.network.zones])
    dates = np.datetime_as_string(period.dates.astype("datetime64[D]"))
    return pd.DataFrame(
        {
            "date": np.repeat(dates, len(capacity)),
            "zone": np.tile(np.array(live.network.ids, dtype=object), len(dates)),
            "median_pct": (100 * median / capacity).ravel(),
        }
    )


def describe_event(event: Event) -> str:
    """A change in words."""
    name = NAMES.get(event.control, event.control)
    if isinstance(event.value, bool):
        return f"{name} {'on' if event.value else 'off'}"
    return f"{name} × {event.value:g}"


def change_options(services: Services, session: str) -> list[dict[str, Any]]:
    """The changes people made, to choose one for comparison."""
    live = services.sessions.live(session)
    if isinstance(live, RecordedZones):
        return []
    return [
        {"label": f"{live.date_of(min(e.tick, live.last_tick))}: {describe_event(e)}", "value": e.seq}
        for e in services.sessions.events(session)
    ]


_COMPARED = (
    ("Wind used", (k.WIND_USED,)),
    ("Imports 1", (k.P2H1, k.P2H2)),
    ("Local hydro", (k.LOCAL_HYDRO,)),
    ("Imports 2", (k.P4H1, k.P4H2)),
    ("of which two-hop", (k.P2H2, k.P4H2)),
    ("Unmet", (k.UNMET,)),
    ("Spill", (k.SPILL,)),
    ("Wind exported", (k.WIND_EXPORT,)),
)


def comparison(services: Services, session: str, seq: int | None, theme: str) -> Any:
    """The days since a change beside the same days without it: totals and levels."""
    frame, live, events = (
        services.sessions.frame(session),
        services.sessions.live(session),
        services.sessions.events(session),
    )
    event = next((e for e in events if e.seq == seq), None)
    if event is None or isinstance(live, RecordedZones):
        return html.P("Choose a change first.", className="kf-empty")
    days = frame.tick - event.tick + 1
    if days < 1:
        return html.P("The change acts from the next day on: let at least one day pass.", className="kf-empty")
    with_change = last_days(live.history(events, frame.tick), days)
    without = last_days(live.history([e for e in events if e.seq != seq], frame.tick), days)
    rows = []
    for name, columns in _COMPARED:
        a, b = (float(p.series[:, :, list(columns)].sum()) for p in (with_change, without))
        rows.append([name, format_energy(a), format_energy(b), format_energy(a - b)])
    a, b = (float(p.series[-1, :, k.LEVEL].sum()) for p in (with_change, without))
    rows.append(["Storage now", format_energy(a), format_energy(b), format_energy(a - b)])
    caption = f"{days:,} days since “{describe_event(event)}”, all zones"
    figures = []
    for title, period in (("With the change", with_change), ("Without it", without)):
        tables = tables_of(period, {})
        figure = plot_energy_flows_summary(tables["daily_summary"], theme)
        heading = html.H3(f"{title}: how demand was met, GWh a day")
        figures.append(html.Div([heading, flows_legend(), graph(for_card(figure))]))
    return [table(["", "With", "Without", "Difference"], rows, caption), html.Div(figures, className="kf-beside")]


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


def command_line(parameters: dict[str, Any]) -> str:
    """The `energy-sim` command of a session, without its changes; assets/zones.js adds those and the days."""
    if "run" in parameters:
        return f"energy-sim runs show {parameters['run']}"
    parts = [
        "energy-sim zones run --out OUT",
        f"--input {shlex.quote(parameters['input'])}",
        f"--start {parameters['start']}",
    ]
    if parameters["warm_up_days"]:
        parts.append(f"--warm-up {parameters['warm_up_days']}")
    if parameters["reservoir_factor"] != 1:
        parts.append(f"--reservoir-factor {parameters['reservoir_factor']:g}")
    return " ".join(parts)


PREVIEW_DAYS = 24


@lru_cache(maxsize=2)
def preview(config: Config) -> dict[str, Any]:
    """A few days of the zones for the small live picture of the overview; read once per process."""
    live = open_zones(config, default_parameters(config))
    state, settings, messages = live.start(), dict(live.defaults()), []
    for tick in range(min(PREVIEW_DAYS, live.last_tick + 1)):
        state, day = live.step(state, tick, settings)
        frame = Frame("", tick, live.last_tick, False, False, 1.0, 0, 0, settings, settings, day)
        messages.append(tick_message(frame, [], live))
    geometry = network_geometry(live.network, *COMPACT_CANVAS_PX)
    static = {"geometry": geometry.to_json(), "routes": route_arrows(geometry, live.network)}
    return {"days": len(messages), "json": json.dumps({"static": static, "messages": messages})}
