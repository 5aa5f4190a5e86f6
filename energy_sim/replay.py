"""From a room and the events of a session to the frame of any tick: what a room is, and how its steps are replayed.

    room = OpenRooms([Room("zones", open_zones)], most=16).live("zones", {"year": 2024}, seed=7)
    replay = Replay(room, epoch=0, now=time.time())
    replay.follow(events, next_seq)
    replay.frame(40)

Nothing here reads a clock or the database.
"""

import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable
from weakref import WeakValueDictionary

from energy_sim.clock import CLOCK_CONTROLS, Event, SessionRecord, in_order, settings_at
from energy_sim.errors import ConfigError, DataError
from energy_sim.session_store import Checkpoint, as_json, plain

logger = logging.getLogger(__name__)

CHECKPOINT_TICKS = 100
MAX_CHECKPOINTS = 128  # in memory and per session; beyond, every second one is dropped
RECENT_FRAMES = 24
LONG_WAY_TICKS = 1000  # a longer way is gone in pieces, with a look at the clock between them


class LiveRoom(Protocol):
    """An opened room: inputs read, ready to step. States and frames are values, never changed once returned."""

    @property
    def last_tick(self) -> int:
        """The last tick that has a frame; ticks count from 0."""

    def defaults(self) -> Mapping[str, Any]:
        """Every control with its starting value."""

    def check(self, control: str, value: Any) -> Any:
        """The value to use for a control, as JSON can hold it; raises DataError naming the control and its limit."""

    def start(self) -> Any:
        """The opening state of tick 0."""

    def step(self, state: Any, tick: int, settings: Mapping[str, Any]) -> tuple[Any, Any]:
        """The opening state of the next tick and the frame of this one, from the opening state of this one."""

    def encode(self, state: Any) -> str:
        """The state as JSON text, floats exact."""

    def decode(self, text: str) -> Any:
        """The state that was encoded."""


@runtime_checkable
class RecordedRoom(Protocol):
    """What an opened room adds that plays a record: the changes that were made while it was recorded."""

    def recorded_events(self) -> tuple[Event, ...]:
        """The changes, numbered below 0: before everything a session adds."""


@runtime_checkable
class FamilyRoom(Protocol):
    """What an opened room adds that has a control for each of many things: `pv_kwp.house_3` of the family `pv_kwp`.

    Such a control is in the settings from its first event on, and `check` says which things there are.
    """

    def families(self) -> Collection[str]:
        """The names before the dot."""


def recorded_events(room: LiveRoom) -> tuple[Event, ...]:
    """The changes a room brings along; none where it simulates."""
    return room.recorded_events() if isinstance(room, RecordedRoom) else ()


@dataclass(frozen=True, slots=True)
class Room:
    """How a room takes part: ``open(parameters, seed)`` reads its inputs, or raises ConfigError or DataError."""

    name: str
    open: Callable[[dict[str, Any], int], LiveRoom]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page shows of a session at one tick.

    ``settings`` are those that acted in this tick, ``next_settings`` those that act from the next one: what the
    switches show. ``rate`` is ticks per second, ``data`` the room's own frame, shared: not to be changed; ``room`` is
    the opened room it comes from, None for a frame that was made without one.
    """

    session_id: str
    tick: int
    last_tick: int
    playing: bool
    ended: bool
    rate: float
    revision: int
    epoch: int
    settings: dict[str, Any]
    next_settings: dict[str, Any]
    data: Any
    room: Any = field(default=None, compare=False, repr=False)


class OpenRooms:
    """The rooms a process has opened, shared by all sessions with equal parameters and seed; safe for threads."""

    def __init__(self, rooms: Iterable[Room], most: int) -> None:
        """Open the given rooms when asked; keep at most so many, least recently used dropped first."""
        self._rooms = {room.name: room for room in rooms}
        self._most = most
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str, int], LiveRoom] = OrderedDict()
        self._opening: WeakValueDictionary[tuple[str, str, int], threading.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def live(self, name: str, parameters: Mapping[str, Any], seed: int) -> LiveRoom:
        """The opened room; who asks while it is being opened waits, who asks for another one does not.

        Raises:
            DataError, ConfigError: no such room, or it does not open with these parameters and seed.
        """
        if name not in self._rooms:
            raise DataError(f"room {name!r}: there is none; give one of {', '.join(self._rooms)}")
        same = (name, as_json(parameters), seed)
        with self._lock:
            opening = self._opening.setdefault(same, threading.Lock())  # forgotten with its last user
        with opening:
            live = self._open.get(same)
            if live is None:
                live = self._rooms[name].open(plain(parameters), seed)
                taken = sorted(set(live.defaults()) & set(CLOCK_CONTROLS))
                if taken:
                    raise ConfigError(f"{name}.{taken[0]}: the clock has a control of this name; rename it")
            with self._lock:
                self._open[same] = live
                self._open.move_to_end(same)
                if len(self._open) > self._most:
                    self._open.popitem(last=False)
            return live


def checked_value(live: LiveRoom, room: str, control: str, value: Any) -> Any:
    """The value of a room's control as the room accepts it and as every process reads it back.

    Raises:
        DataError: the room has no such control, or does not accept the value.
    """
    controls = live.defaults()
    families = live.families() if isinstance(live, FamilyRoom) else ()
    if control not in controls and control.partition(".")[0] not in families:
        known = ", ".join((*CLOCK_CONTROLS, *controls, *(f"{family}.NAME" for family in families)))
        raise DataError(f"{room}.{control[:80]}: there is no such control; give one of {known}")
    return plain(live.check(control, value))


class Replay:
    """The states one process holds of one epoch of a session, and the way from them to any tick.

    It keeps the opening state of every 100th tick and the last few frames; not safe for threads by itself.
    """

    def __init__(self, room: LiveRoom, epoch: int, now: float) -> None:
        """Start at the opening of tick 0, before any event; ``now`` is what ``due_checkpoint`` counts from."""
        self.room = room
        self.epoch = epoch
        self.next_seq = 0
        self.events = in_order(recorded_events(room))
        self.defaults = dict(room.defaults())
        self.steps = 0
        self._taken_at, self._taken_steps = now, 0  # of the last checkpoint that was handed out
        self._spacing = CHECKPOINT_TICKS
        self._openings: dict[int, Any] = {0: room.start()}
        self._recent: OrderedDict[int, tuple[Any, Any]] = OrderedDict()  # tick -> opening of the next tick, frame

    def follow(self, new: tuple[Event, ...], next_seq: int) -> None:
        """Take in further events and drop every state and frame that did not know them."""
        first = min((event.tick for event in new), default=math.inf)
        self._openings = {tick: state for tick, state in self._openings.items() if tick <= first}
        self._recent = OrderedDict((tick, kept) for tick, kept in self._recent.items() if tick < first)
        self.events = in_order(self.events + new)
        self.next_seq = next_seq

    def restore(self, checkpoint: Checkpoint) -> None:
        """Use a stored state, if no event came after it that it should have known; the events are known already."""
        stale = any(event.seq > checkpoint.last_seq and event.tick < checkpoint.tick for event in self.events)
        if checkpoint.epoch != self.epoch or stale:
            return
        try:
            self._openings[checkpoint.tick] = self.room.decode(checkpoint.state)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            logger.warning("checkpoint not readable, replaying from the start tick=%d error=%s", checkpoint.tick, error)

    def due_checkpoint(self, now: float, every_s: float) -> Checkpoint | None:
        """The state reached last, when there were steps since one was taken and ``every_s`` passed; never fails."""
        if self.steps == self._taken_steps or now - self._taken_at < every_s:
            return None
        self._taken_at, self._taken_steps = now, self.steps
        last = next(reversed(self._recent))
        before = self._recent.get(last - 1)  # its closing state opens the last frame, which a paused session asks for
        tick, state = (last, before[0]) if before else (last + 1, self._recent[last][0])
        try:
            return Checkpoint(tick, self.epoch, self.next_seq - 1, self.room.encode(state))
        except (ValueError, TypeError) as error:
            logger.warning("checkpoint not encoded tick=%d error=%s", tick, error)
            return None

    def frame(self, tick: int) -> Any:
        """The room's frame of a tick, stepping from the nearest state before it."""
        if tick not in self._recent:
            opening, state = self._nearest(tick)
            self._advance(opening, state, tick)
        self._recent.move_to_end(tick)
        return self._recent[tick][1]

    def shown(self, record: SessionRecord, tick: int) -> Frame:
        """What a page shows of the session at a tick, with the clock as the record has it."""
        return Frame(
            session_id=record.id,
            tick=tick,
            last_tick=self.room.last_tick,
            playing=record.playing,
            ended=tick == self.room.last_tick,
            rate=record.ticks_per_second,
            revision=record.revision,
            epoch=record.epoch,
            settings=settings_at(self.defaults, self.events, tick),
            next_settings=settings_at(self.defaults, self.events, tick + 1),
            data=self.frame(tick),
            room=self.room,
        )

    def approach(self, tick: int) -> Iterator[int]:
        """Go a long way to a tick in pieces and stop after each, so that what was reached can be stored."""
        if tick not in self._recent:
            opening, _ = self._nearest(tick)
            for at in range(opening + LONG_WAY_TICKS, tick, LONG_WAY_TICKS):
                self.frame(at)
                yield at

    def _nearest(self, tick: int) -> tuple[int, Any]:
        """The last tick not after this one whose opening state is held, and the state."""
        kept = [(at, state) for at, state in self._openings.items() if at <= tick]
        recent = [(at + 1, state) for at, (state, _) in self._recent.items() if at < tick]
        return max(kept + recent, key=lambda candidate: candidate[0])

    def _advance(self, opening: int, state: Any, tick: int) -> None:
        """Step to a tick; the frames on the last part of the way are kept too, for who asks for all of them."""
        changes = {event.tick for event in self.events} | {opening}
        for at in range(opening, tick + 1):
            if at in changes:
                settings = MappingProxyType(settings_at(self.defaults, self.events, at))
            if at % self._spacing == 0:
                self._keep(at, state)
            state, frame = self.room.step(state, at, settings)
            self.steps += 1
            if at > tick - RECENT_FRAMES:
                self._recent[at] = state, frame
        while len(self._recent) > RECENT_FRAMES:
            self._recent.popitem(last=False)

    def _keep(self, tick: int, state: Any) -> None:
        self._openings[tick] = state
        if len(self._openings) > MAX_CHECKPOINTS:
            self._spacing *= 2
            self._openings = {at: kept for at, kept in self._openings.items() if at % self._spacing == 0}
