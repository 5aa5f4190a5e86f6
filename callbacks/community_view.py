"""The community page as it opens, its messages, its own commands, and its link for other programs."""

import json
import os
import re
import shlex
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callbacks import live_view
from callbacks.community_charts import empty_house_chart, power_chart, sankey_chart
from callbacks.services import Services
from energy_sim.clock import Event
from energy_sim.community.live import LiveCommunity, open_community, session_parameters
from energy_sim.community.message import NET_POWERS, tick_message
from energy_sim.community.model import PRICE_NAMES, records
from energy_sim.config import CommunityConfig, Config, StreetConfig
from energy_sim.devices.appliances import APPLIANCES
from energy_sim.errors import ConfigError, DataError
from energy_sim.figures.community import in_card
from energy_sim.figures.street import FULL_SCALE_W, StreetGeometry, street_geometry
from energy_sim.session import Frame
from layouts.community import TIME_SCALES, CommunityPage, community_page

MOST_MADE = 64  # messages kept for further viewers of the same tick
_made: OrderedDict[tuple[Any, ...], dict[str, Any]] = OrderedDict()
_lock = threading.Lock()
ROOMS = ("community",)
CANVAS_PX, COMPACT_CANVAS_PX, PREVIEW_PX = (900, 640), (360, 480), (640, 440)
MAX_ROWS = 20
WINDOW_S = 3600
LINK_NAMES = ("houses", "start", "seed", "time_scale", "place", "update_interval_ms")
MOST_AHEAD, MOST_HOUSE_TICKS_AHEAD = 20_000, 5_000_000  # that a scrub may skip: some seconds of computing
_WHOLE = {"houses", "seed", "update_interval_ms"}


def open_link(services: Services, session: str, key: str, run: str, wanted: Mapping[str, str]) -> tuple[str, str] | str:
    """(session id, control key) of a link, creating a session that plays where it names none; or what is the matter.

    Args:
        services: of this process.
        session: id of a session, empty for a new one.
        key: its control key.
        run: name of a finished run to play back.
        wanted: LINK_NAMES of a new session, as text.
    """
    try:
        if session:
            live_view.may_open(services, session, ROOMS)
            return session, key
        if run:
            parameters = {**dict(services.runs.load(run).params.get("parameters", {})), "run": run}
            open_community(parameters)
        else:
            parameters = session_parameters(services.config.community, parsed(wanted))
        return created(services, parameters)
    except (DataError, ConfigError) as error:
        return str(error)


def created(services: Services, parameters: dict[str, Any]) -> tuple[str, str]:
    """A new session that plays: the street is what it is right now."""
    sessions = services.sessions
    record = sessions.create("community", parameters, rate=1000 / parameters["update_interval_ms"])
    sessions.control(record.id, record.control_key, "play")
    return record.id, record.control_key


def parsed(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a link or a form as numbers and text.

    Raises:
        ConfigError: a text stands where a number belongs.
    """
    found: dict[str, Any] = {}
    for name, value in wanted.items():
        if value in ("", None):
            continue
        if name in ("start", "place") or not isinstance(value, str):
            found[name] = value
            continue
        try:
            found[name] = int(value) if name in _WHOLE else float(value)
        except ValueError:
            kind = "whole number" if name in _WHOLE else "number"
            raise ConfigError(f"community.{name}: {value!r} is no {kind}; give one") from None
    return found


def page_of(services: Services, session: str, key: str, theme: str) -> Any:
    """The page of a session."""
    frame = services.sessions.frame(session)
    record, live = services.sessions.record(session), services.sessions.live(session)
    events = services.sessions.events(session)
    can_control = live_view.holds_key(record, key)
    run = record.parameters.get("run", "")
    power, spacing = power_chart(live, events, frame.tick, WINDOW_S, theme)
    return community_page(
        CommunityPage(
            link={"session": session, "key": key if can_control else ""},
            message={**message_of(frame, (), live), "evn": live_view.last_event(events)},
            static={**static_of(services, live, events, theme), "stride": spacing, "run": run},
            power=in_card(power),
            house=empty_house_chart(theme),
            sankey=in_card(sankey_chart(frame, theme)),
            parameters=record.parameters,
            tick_ms=services.config.community.tick_ms,
            window_s=WINDOW_S,
            can_control=can_control,
            can_save=can_control and services.config.runs.save_from_page,
            note=f"Playback · run {run}" if run else "",
        )
    )


def static_of(services: Services, live: LiveCommunity, events: Sequence[Event], theme: str) -> dict[str, Any]:
    """Everything about a session that assets/community.js needs once."""
    count = len(live.house_ids)
    return {
        "geometry": geometry_of(count).to_json(),
        "compact": geometry_of(count, compact=True).to_json(),
        "houses": house_rows(live),
        "appliances": [[a.name, a.label] for a in APPLIANCES],
        "scales": list(TIME_SCALES),
        "startMs": live.start_ms,
        "scale": live.parameters.time_scale,
        "id": live.mark,
        "intervalMs": live.parameters.update_interval_ms,
        "timezone": live.parameters.timezone,
        "place": list(live.parameters.place),
        "fullScaleW": FULL_SCALE_W,
        "theme": theme,
        "window": WINDOW_S,
        "tickMs": services.config.community.tick_ms,
        "command": command_line(live, services.config.community),
        "stories": live_view.told(services.config, "community"),
        "events": event_marks(events),
    }


def house_rows(live: LiveCommunity) -> list[list[Any]]:
    """[id, PV in kWp, azimuth, tilt, base load in kWh a year, mask of the appliances it owns] of each house.

    Of more houses than a message tells powers of, only the ids.
    """
    houses = live.houses
    if len(houses.ids) > NET_POWERS:
        return [[name] for name in houses.ids]
    owned = (houses.fleet.power_w > 0) @ (1 << np.arange(len(APPLIANCES)))
    columns = (houses.pv_kwp, houses.azimuth_deg, houses.tilt_deg, houses.base_load_kwh, owned)
    return [list(row) for row in zip(houses.ids, *(column.tolist() for column in columns), strict=True)]


def geometry_of(count: int, *, compact: bool = False) -> StreetGeometry:
    """Where the houses stand on the page."""
    width, height = COMPACT_CANVAS_PX if compact else CANVAS_PX
    return street_geometry(count, width, height, compact=compact)


@lru_cache(maxsize=32)
def feeders(count: int) -> NDArray[np.int64]:
    """The feeder of each house (H,) on the page."""
    return np.arange(count) // max(geometry_of(count).per, 1)


def message_of(
    frame: Frame, skipped: Sequence[Frame], live: LiveCommunity, focus: Sequence[int] = ()
) -> dict[str, Any]:
    """The message of a tick; that of many viewers of the same tick is made once."""
    if focus:
        return tick_message(frame, skipped, live, feeders(len(live.house_ids)), focus)
    key = frame.session_id, frame.tick, frame.revision, frame.epoch, frame.playing, len(skipped)
    with _lock:
        found = _made.get(key) if frame.session_id else None
    if found is None:
        found = tick_message(frame, skipped, live, feeders(len(live.house_ids)))
        with _lock:
            _made[key] = found
            while len(_made) > MOST_MADE:
                _made.popitem(last=False)
    return dict(found)


def message_since(services: Services, session: str, seen: dict[str, Any]) -> dict[str, Any] | None:
    """The message of the current tick with the chart rows since what was seen; None when nothing is new."""
    focus = [int(i) for i in seen.get("f") or ()]
    return live_view.message_since(services, session, seen, MAX_ROWS, partial(message_of, focus=focus))


def obey_own(services: Services, link: dict[str, str], name: str, value: Any) -> bool:
    """Carry out a command that only the street has: the switch for clouds, begin again with other values."""
    if name == "pv_variation" and isinstance(value, bool):
        word = "enabled" if value else "disabled"
        if services.sessions.frame(link["session"]).next_settings[name] != word:
            services.sessions.control(link["session"], link["key"], name, word)
        return True
    if name == "end":
        raise DataError("end: the street has none; scrub to a tick, or begin again at a later moment")
    if name == "scrub":
        _refuse_far_ahead(services, link["session"], value)
    if name != "restart":
        return False
    empty = sorted(name for name, text in dict(value).items() if text in ("", None))
    if empty:
        raise ConfigError(f"{empty[0].replace('_', ' ')}: nothing is given; fill it in to begin again")
    unknown = sorted(set(value) - set(LINK_NAMES))
    if unknown:
        raise ConfigError(f"restart: {unknown[0]!r} is not among {', '.join(LINK_NAMES)}")
    old = services.sessions.record(link["session"]).parameters
    kept = {n: v for n, v in old.items() if n in StreetConfig.model_fields}
    parameters = session_parameters(services.config.community, {**kept, **parsed(dict(value))})
    sessions = services.sessions
    sessions.restart(link["session"], link["key"], parameters)
    sessions.control(link["session"], link["key"], "speed", 1000 / parameters["update_interval_ms"])
    sessions.control(link["session"], link["key"], "play")
    return True


def _refuse_far_ahead(services: Services, session: str, tick: Any) -> None:
    """Nobody makes everybody wait for a tick far ahead.

    Raises:
        DataError: it is further ahead than some seconds of computing.
    """
    live, here = services.sessions.live(session), services.sessions.frame(session).tick
    ahead = max(100, min(MOST_AHEAD, MOST_HOUSE_TICKS_AHEAD // len(live.house_ids)))
    if isinstance(tick, int) and tick > here + ahead:
        raise DataError(f"scrub: tick {tick} is more than {ahead:,} ahead of {here}; begin again at a later moment")


def event_marks(events: Sequence[Event]) -> list[list[Any]]:
    """The changes people made as [tick, control, value]."""
    return [[event.tick, event.control, event.value] for event in events]


def command_line(live: LiveCommunity, defaults: CommunityConfig) -> str:
    """The `energy-sim` command of a session without its changes; assets/community.js adds those and the ticks."""
    chosen = os.environ.get("KRAFTFLYT_CONFIG")
    program = f"energy-sim --config {shlex.quote(str(Path(chosen).resolve()))}" if chosen else "energy-sim"
    p = live.parameters
    parts = [f"{program} community run --out OUT --houses {p.houses} --seed {p.seed} --start {p.start}"]
    options = {
        "time_scale": str(p.time_scale),
        "update_interval_ms": str(p.update_interval_ms),
        "pv_variation": p.pv_variation,
        "flex_load_probability": str(p.flex_load_probability),
        "timezone": p.timezone,
        "place": f"{p.place[0]},{p.place[1]}",
    }
    for name, text in options.items():
        if getattr(p, name) != getattr(defaults, name):
            parts.append(f"--{name.replace('_', '-')} {text}")
    prices = [name for name in PRICE_NAMES if getattr(p, name) != getattr(defaults, name)]
    return " ".join([*parts, *(f"--change 0:{name}={getattr(p, name)}" for name in prices)])


def state_json(services: Services, session: str, tick: str | None) -> dict[str, Any]:
    """The records of a tick for other programs.

    Args:
        services: of this process.
        session: its id.
        tick: which one, as text; the current one without.

    Raises:
        DataError: no such session, it is none of the street's, or the tick is not one it has reached.
    """
    live_view.may_open(services, session, ROOMS)
    frame = services.sessions.frame(session)
    if tick is not None:
        if not re.fullmatch("[0-9]{1,9}", tick) or int(tick) > frame.tick:
            raise DataError(f"tick: {tick[:40]!r} is none the session has reached; give 0 to {frame.tick}")
        frame = services.sessions.frame_at(session, int(tick))
    live, shown = services.sessions.live(session), frame.data
    return {
        "session": session,
        "tick": frame.tick,
        "time": live.iso(shown.time_s),
        "duration_s": shown.dt_s,
        **records(shown.powers, shown.bus, live.house_ids),
    }


PREVIEW = {
    "houses": 9,
    "start": "2026-07-10T00:00",
    "time_scale": 3600.0,
    "update_interval_ms": 1000,
    "house_values": (),
}


@lru_cache(maxsize=2)
def preview(config: Config) -> str:
    """A day of a small street for the live picture of the overview, as JSON; drawn once per process."""
    live = open_community(session_parameters(config.community, PREVIEW))
    state, settings, messages = live.start(), live.defaults(), []
    for tick in range(24):
        state, data = live.step(state, tick, settings)
        shown = dict(settings)
        messages.append(message_of(Frame("", tick, 23, False, False, 1.0, 0, 0, shown, shown, data), (), live))
    static = {"geometry": street_geometry(9, *PREVIEW_PX).to_json(), "houses": house_rows(live)}
    return json.dumps({"static": static, "messages": messages})
