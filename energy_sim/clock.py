"""Where a live session stands: its record, its events, and the tick at a moment as a function, not a loop.

Nothing here reads a clock, a database or a room: the moment, the record and the last tick are arguments, so
every process that asks at the same moment gets the same answer. Times are seconds since the epoch (``time.time``),
ticks count from 0, a rate is ticks per second.

    tick(now) = floor(anchor_tick + ticks_per_second * (min(now, seen + idle pause) - anchor_time))    while playing
"""

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from energy_sim.errors import DataError

IDLE_PAUSE_S = 60.0
MIN_TICKS_PER_SECOND = 0.1
MAX_TICKS_PER_SECOND = 60.0
CLOCK_CONTROLS = ("play", "pause", "step", "back", "speed", "scrub", "reset")


@dataclass(frozen=True, slots=True)
class Event:
    """A control of the room set to ``value``: it acts from the step of ``tick`` on; ``seq`` orders equal ticks."""

    seq: int
    tick: int
    control: str
    value: Any


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """All that is durable about a live session besides its events.

    ``anchor_tick`` is the position at ``anchor_time``, with the part of a tick already passed, so that a change of
    speed moves nothing. ``epoch`` counts how often the events were cleared, ``next_seq`` numbers the next event and
    never goes back, ``revision`` counts changes, ``seen`` is when somebody last asked for a frame (to 5 s).
    """

    id: str
    room: str
    parameters: dict[str, Any]
    seed: int
    created: float
    control_key: str = field(repr=False)
    epoch: int
    next_seq: int
    revision: int
    anchor_time: float
    anchor_tick: float
    playing: bool
    ticks_per_second: float
    seen: float


def position(record: SessionRecord, now: float, last_tick: int, idle_pause_s: float = IDLE_PAUSE_S) -> float:
    """Ticks passed at ``now``, with the part of the tick under way; never before the anchor or past the last tick."""
    if not record.playing:
        return min(record.anchor_tick, float(last_tick))
    moment = min(now, record.seen + idle_pause_s)
    passed = record.ticks_per_second * max(moment - record.anchor_time, 0.0)
    return min(record.anchor_tick + passed, float(last_tick))


def current_tick(record: SessionRecord, now: float, last_tick: int, idle_pause_s: float = IDLE_PAUSE_S) -> int:
    """The tick whose frame is shown at ``now``."""
    return math.floor(position(record, now, last_tick, idle_pause_s))


def settled(record: SessionRecord, now: float, last_tick: int, idle_pause_s: float = IDLE_PAUSE_S) -> SessionRecord:
    """The record with the stops that happened by themselves written into it.

    A session at its last tick has stopped; one that nobody asked for a frame for ``idle_pause_s`` has been paused
    since that moment. Asking later gives the same tick, so it does not matter which process notices, or when.

    Returns:
        The record itself when it runs on or was paused already, else a paused copy with the next revision.
    """
    if not record.playing:
        return record
    paused_at = record.seen + idle_pause_s
    at = position(record, now, last_tick, idle_pause_s)
    if at < last_tick and now < paused_at:
        return record
    stopped = replace(record, playing=False, anchor_tick=float(math.floor(at)), anchor_time=min(now, paused_at))
    return replace(stopped, revision=record.revision + 1)


def moved(
    record: SessionRecord, control: str, value: Any, now: float, last_tick: int, idle_pause_s: float = IDLE_PAUSE_S
) -> SessionRecord:
    """The record after a control of the clock; the revision is left to the caller, no change gives the same record.

    Args:
        record: a settled record.
        control: one of ``CLOCK_CONTROLS``.
        value: ticks per second for ``speed``, a tick for ``scrub``, unused otherwise.
        now: seconds since the epoch.
        last_tick: the last tick that has a frame.
        idle_pause_s: as in ``position``.

    Raises:
        DataError: the speed or the tick is not a number within its limits, or no such control exists.
    """
    at = position(record, now, last_tick, idle_pause_s)
    tick = float(math.floor(at))
    if control in {"play", "pause"} and (
        record.playing == (control == "play") or (control == "play" and at >= last_tick)
    ):
        return record
    changes: dict[str, Any]
    if control == "play":
        changes = {"playing": True, "anchor_tick": at}
    elif control == "pause":
        changes = {"playing": False, "anchor_tick": tick}
    elif control == "step":
        changes = {"playing": False, "anchor_tick": min(tick + 1.0, float(last_tick))}
    elif control == "back":
        changes = {"playing": False, "anchor_tick": max(tick - 1.0, 0.0)}
    elif control == "speed":
        changes = {"anchor_tick": at, "ticks_per_second": checked_rate(value)}
    elif control == "scrub":
        changes = {"anchor_tick": float(checked_tick(value, last_tick))}
    elif control == "reset":
        changes = {"playing": False, "anchor_tick": 0.0, "epoch": record.epoch + 1}
    else:
        raise DataError(f"{control}: the clock has no such control; give one of {', '.join(CLOCK_CONTROLS)}")
    return replace(record, anchor_time=now, **changes)


def checked_rate(value: Any) -> float:
    """A rate in ticks per second, 0.1 to 60.

    Raises:
        DataError: it is not a number or outside the limits.
    """
    limits = f"give {MIN_TICKS_PER_SECOND:g} to {MAX_TICKS_PER_SECOND:g} ticks per second"
    rate = _number(value)
    if rate is None:
        raise DataError(f"speed: {value!r} is not a number; {limits}")
    if not MIN_TICKS_PER_SECOND <= rate <= MAX_TICKS_PER_SECOND:
        raise DataError(f"speed: {rate:g} is outside the limits; {limits}")
    return rate


def checked_tick(value: Any, last_tick: int) -> int:
    """A whole tick from 0 to the last; 40.0 from a slider is 40.

    Raises:
        DataError: it is not a whole number or outside the session's ticks.
    """
    tick = _number(value)
    if tick is None or not tick.is_integer():
        raise DataError(f"tick: {value!r} is not a whole number; give 0 to {last_tick}")
    if not 0 <= tick <= last_tick:
        raise DataError(f"tick: {tick:.0f} is outside the session; give 0 to {last_tick}")
    return int(tick)


def _number(value: Any) -> float | None:
    """A finite number as float; None for text, true and false, NaN and infinity."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond the range of floats
        return None
    return number if math.isfinite(number) else None


def settings_at(defaults: Mapping[str, Any], events: Iterable[Event], tick: int) -> dict[str, Any]:
    """The settings that act in the step of ``tick``: the defaults updated by the events up to and with that tick.

    >>> settings_at({"hops": 1}, [Event(1, 9, "hops", 3), Event(2, 4, "hops", 2)], 8)
    {'hops': 2}
    """
    settings = dict(defaults)
    for event in in_order(event for event in events if event.tick <= tick):
        settings[event.control] = event.value
    return settings


def in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    """Events as they act: by tick, then by the order in which they were given."""
    return tuple(sorted(events, key=lambda event: (event.tick, event.seq)))
