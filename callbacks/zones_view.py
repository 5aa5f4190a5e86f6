"""The zones page as it opens, its messages, and the commands it sends; the callbacks call it."""

import json
import os
import shlex
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from callbacks import live_view
from callbacks.services import CANVAS_PX, COMPACT_CANVAS_PX, Services
from callbacks.zones_charts import charts
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError
from energy_sim.figures.network import NetworkGeometry
from energy_sim.figures.zones import network_geometry
from energy_sim.session import Frame
from energy_sim.zones import kernel as k
from energy_sim.zones.explain import BOUND_TEXTS
from energy_sim.zones.live import LiveZones, default_parameters, input_folders, open_zones
from energy_sim.zones.message import MAX_ROWS, event_marks, tick_message
from energy_sim.zones.model import Fill, Network
from energy_sim.zones.playback import RecordedZones
from layouts.zones import NAMES, WINDOWS, DataQuality, ZonesPage, zones_page

SPEEDS = (0.5, 1.0, 2.0, 4.0, 7.0, 15.0, 30.0, 60.0)
ROOMS = ("zones", "playback")
Live = LiveZones | RecordedZones


def open_link(services: Services, session: str, key: str, run: str, start: str) -> tuple[str, str] | str:
    """(session id, control key) of a link, creating a session where it names none; or what is the matter."""
    try:
        if session:
            live_view.may_open(services, session, ROOMS)
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
    can_control = live_view.holds_key(record, key)
    flows, levels, _ = charts(services, session, chart_window(services.config), [], theme)
    playback = record.room == "playback"
    return zones_page(
        ZonesPage(
            link={"session": session, "key": key if can_control else ""},
            message={**tick_message(frame, [], live), "evn": live_view.last_event(events)},
            static={**static_of(services, live, record.parameters, theme), "events": event_marks(events, live)},
            flows=flows,
            reservoirs=levels,
            quality=quality_of(services, session),
            start=str(live.date_of(0)),
            first_day=str(zones.start),
            last_day=str(zones.start + timedelta(days=zones.days - 1)),
            reservoir_factor=float(record.parameters.get("reservoir_factor", 1.0)),
            tick_ms=zones.tick_ms,
            chart_days=chart_window(services.config),
            can_control=can_control,
            is_playback=playback,
            can_save=can_control and not playback and services.config.runs.save_from_page,
        )
    )


def quality_of(services: Services, session: str) -> DataQuality:
    """Where the days of a session come from, and what had to be filled."""
    parameters, live = services.sessions.record(session).parameters, services.sessions.live(session)
    coverage = f"{live.date_of(0)} to {live.date_of(live.last_tick)}, "
    coverage += f"{len(live.network.zones)} zones, {live.last_tick + 1:,} days"
    if isinstance(live, RecordedZones):
        fills = tuple(Fill(**fill) for fill in live.summary.get("fills", ()))
        return DataQuality(f"Run {parameters['run']}", coverage, fills)
    folders = input_folders(parameters)
    source = f"Input folder{'s' if len(folders) > 1 else ''} {', '.join(folders)}"
    return DataQuality(source, coverage, live.inputs.fills)


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
        "stories": [] if isinstance(live, RecordedZones) else live_view.told(services.config, "zones"),
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
    message = live_view.message_since(services, session, seen, MAX_ROWS, tick_message)
    if message and message["ep"] != seen.get("ep"):
        message["cmd"] = command_line(services.sessions.record(session).parameters)
    return message


def obey_own(services: Services, link: dict[str, str], name: str, value: Any) -> bool:
    """Carry out a command that only the zones have: begin again, go to a date, a place of the speed slider."""
    sessions, session, key = services.sessions, link["session"], link["key"]
    if name == "restart":
        start = date.fromisoformat(value["start"])
        sessions.restart(session, key, default_parameters(services.config, start, value["reservoir_factor"]))
    elif name == "speed":
        sessions.control(session, key, "speed", speed_at(value))
    elif name == "day":
        sessions.control(session, key, "scrub", sessions.live(session).tick_of(date.fromisoformat(value)))
    else:
        return False
    return True


def speed_at(place: Any) -> float:
    """The speed at a place of the slider, days a second.

    Raises:
        DataError: the slider has no such place.
    """
    if place not in range(len(SPEEDS)):
        raise DataError(f"speed: {place!r} is no place on the slider; give 0 to {len(SPEEDS) - 1}")
    return SPEEDS[int(place)]


def command_line(parameters: dict[str, Any]) -> str:
    """The `energy-sim` command of a session, without its changes; assets/zones.js adds those and the days."""
    chosen = os.environ.get("KRAFTFLYT_CONFIG")
    program = f"energy-sim --config {shlex.quote(str(Path(chosen).resolve()))}" if chosen else "energy-sim"
    if "run" in parameters:
        return f"{program} runs show {parameters['run']}"
    parts = [f"{program} zones run --out OUT"]
    if parameters["network"]:
        parts.append(f"--network {shlex.quote(parameters['network'])}")
    parts += [f"--input {shlex.quote(folder)}" for folder in input_folders(parameters)]
    parts.append(f"--start {parameters['start']}")
    if parameters["warm_up_days"] or chosen:  # a configuration may have another default
        parts.append(f"--warm-up {parameters['warm_up_days']}")
    if parameters["reservoir_factor"] != 1:
        parts.append(f"--reservoir-factor {parameters['reservoir_factor']}")
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
