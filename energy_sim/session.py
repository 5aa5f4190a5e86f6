"""Live sessions: a small durable record from which any process can rebuild the frame of any tick.

    sessions = Sessions(open_database("sqlite:///var/kraftflyt.db"), [Room("zones", open_zones)])
    record = sessions.create("zones", {"year": 2024}, seed=7, rate=2.0)
    sessions.control(record.id, record.control_key, "play")
    sessions.frame(record.id).data

Nothing runs in the background: ``frame`` computes which tick it is (``energy_sim.clock``), reads the events it does not
know yet and steps the room from the nearest state it holds. The state at the opening of tick c depends only on room,
parameters, seed and the events before c, so every process gets the same frames, and a killed one loses none.
"""

import hmac
import json
import logging
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from energy_sim import clock, database
from energy_sim.clock import CLOCK_CONTROLS, IDLE_PAUSE_S, Event, SessionRecord
from energy_sim.database import Checkpoint, transaction
from energy_sim.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

CHECKPOINT_TICKS = 100
MAX_CHECKPOINTS = 128  # in memory and per session; beyond, every second one is dropped
RECENT_FRAMES = 4
SEEN_EVERY_S = 5.0
STORE_EVERY_S = 60.0
SWEEP_EVERY_S = 3600.0
BOOKKEEPING_WAIT_S = 0.25  # a frame does not wait longer than this to note that it was asked for
DELETE_AFTER_S = 30 * 24 * 3600.0


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


@dataclass(frozen=True, slots=True)
class Room:
    """How a room takes part: ``open(parameters, seed)`` reads its inputs, or raises ConfigError or DataError."""

    name: str
    open: Callable[[dict[str, Any], int], LiveRoom]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page shows of a session at one tick.

    ``settings`` are those that acted in this tick, ``next_settings`` those that act from the next one: what the
    switches show. ``rate`` is ticks per second, ``data`` the room's own frame, shared: not to be changed.
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


class Replay:
    """The states one process holds of one epoch of a session, and the way from them to any tick.

    It keeps the opening state of every 100th tick and the last few frames; not safe for threads by itself.
    """

    def __init__(self, room: LiveRoom, record: SessionRecord) -> None:
        """Start at the opening of tick 0, before any event."""
        self.room = room
        self.epoch = record.epoch
        self.next_seq = 0
        self.events: tuple[Event, ...] = ()
        self.defaults = dict(room.defaults())
        self.steps = 0
        self._spacing = CHECKPOINT_TICKS
        self._openings: dict[int, Any] = {0: room.start()}
        self._recent: OrderedDict[int, tuple[Any, Any]] = OrderedDict()  # tick -> opening of the next tick, frame

    def follow(self, new: tuple[Event, ...], next_seq: int) -> None:
        """Take in further events and drop every state and frame that did not know them."""
        first = min((event.tick for event in new), default=math.inf)
        self._openings = {tick: state for tick, state in self._openings.items() if tick <= first}
        self._recent = OrderedDict((tick, kept) for tick, kept in self._recent.items() if tick < first)
        self.events = clock.in_order(self.events + new)
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

    def newest(self) -> Checkpoint:
        """The state reached last, to be stored."""
        tick, (state, _) = next(reversed(self._recent.items()))
        return Checkpoint(tick + 1, self.epoch, self.next_seq - 1, self.room.encode(state))

    def frame(self, tick: int) -> Any:
        """The room's frame of a tick, stepping from the nearest state before it."""
        if tick not in self._recent:
            opening, state = max(
                [(at, state) for at, state in self._openings.items() if at <= tick]
                + [(at + 1, state) for at, (state, _) in self._recent.items() if at < tick],
                key=lambda candidate: candidate[0],
            )
            self._recent[tick] = self._advance(opening, state, tick)
            if len(self._recent) > RECENT_FRAMES:
                self._recent.popitem(last=False)
        self._recent.move_to_end(tick)
        return self._recent[tick][1]

    def _advance(self, opening: int, state: Any, tick: int) -> tuple[Any, Any]:
        changes = {event.tick for event in self.events} | {opening}
        frame = None
        for at in range(opening, tick + 1):
            if at in changes:
                settings = MappingProxyType(clock.settings_at(self.defaults, self.events, at))
            if at % self._spacing == 0:
                self._keep(at, state)
            state, frame = self.room.step(state, at, settings)
            self.steps += 1
        return state, frame

    def _keep(self, tick: int, state: Any) -> None:
        self._openings[tick] = state
        if len(self._openings) > MAX_CHECKPOINTS:
            self._spacing *= 2
            self._openings = {at: kept for at, kept in self._openings.items() if at % self._spacing == 0}


@dataclass(slots=True)
class _Held:
    """What a process holds of a session; used under its lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    replay: Replay | None = None
    stored_at: float = 0.0
    stored_steps: int = 0
    note_failed_at: float = -math.inf


class Sessions:
    """All live sessions of a database, as one process serves them; safe for threads, equal to every other process."""

    def __init__(
        self,
        engine: Engine,
        rooms: Iterable[Room],
        clock_s: Callable[[], float] = time.time,
        *,
        idle_pause_s: float = IDLE_PAUSE_S,
        max_in_memory: int = 64,
        max_open_rooms: int = 16,
    ) -> None:
        """Serve sessions of the given rooms.

        Args:
            engine: from ``database.open_database``.
            rooms: the rooms that take part.
            clock_s: seconds since the epoch.
            idle_pause_s: a session nobody asked for a frame for this long has been paused since.
            max_in_memory: sessions whose states are held, least recently used dropped first.
            max_open_rooms: opened rooms kept to be shared by sessions with equal parameters and seed.
        """
        self._engine = engine
        self._rooms = {room.name: room for room in rooms}
        self._clock_s = clock_s
        self._idle_pause_s = idle_pause_s
        self._max_in_memory = max_in_memory
        self._max_open_rooms = max_open_rooms
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._open: OrderedDict[tuple[str, str, int], LiveRoom] = OrderedDict()
        self._swept_at = -math.inf

    def create(self, room: str, parameters: Mapping[str, Any], seed: int = 0, rate: float = 1.0) -> SessionRecord:
        """A new session, paused at tick 0.

        Raises:
            DataError, ConfigError: no such room, or it does not open with these parameters, seed or rate.
        """
        now = self._clock_s()
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise DataError(f"seed: {seed!r} is not a whole number from 0 to 2^63-1; give one")
        record = SessionRecord(
            id=secrets.token_urlsafe(16),
            room=room,
            parameters=_plain(parameters),
            seed=seed,
            created=now,
            control_key=secrets.token_urlsafe(16),
            epoch=0,
            next_seq=1,
            revision=0,
            anchor_time=now,
            anchor_tick=0.0,
            playing=False,
            ticks_per_second=clock.checked_rate(rate),
            seen=now,
        )
        self._live(record)
        if now - self._swept_at >= SWEEP_EVERY_S:
            self.sweep(now)
        with transaction(self._engine, write=True) as connection:
            database.insert_session(connection, record)
        logger.info("session created id=%s room=%s seed=%d rate_per_s=%g", record.id, room, seed, rate)
        return record

    def frame(self, session_id: str) -> Frame:
        """The frame of the current tick; asking keeps the session awake.

        Raises:
            DataError: no such session.
        """
        return self._frame(session_id, None)

    def frame_at(self, session_id: str, tick: int) -> Frame:
        """The frame of any tick with the events known today; the clock stays where it is.

        Raises:
            DataError: no such session or tick.
        """
        return self._frame(session_id, tick)

    def settings_at(self, session_id: str, tick: int) -> dict[str, Any]:
        """Control -> value as it acts in the step of a tick."""
        with self._followed(session_id) as (_, _, replay):
            return clock.settings_at(replay.defaults, replay.events, tick)

    def record(self, session_id: str) -> SessionRecord:
        """The record as it is stored: a stop that nobody noticed yet is not in it."""
        with transaction(self._engine) as connection:
            return database.read_session(connection, session_id)

    def events(self, session_id: str) -> tuple[Event, ...]:
        """The events of the session as they act."""
        with transaction(self._engine) as connection:
            database.read_session(connection, session_id)
            return database.read_events(connection, session_id)

    def live(self, session_id: str) -> LiveRoom:
        """The opened room of the session."""
        return self._live(self.record(session_id))

    def control(self, session_id: str, key: str | None, name: str, value: Any = None) -> SessionRecord:
        """Play, pause, step, back, speed(value), scrub(value), reset, or set a control of the room.

        A control of the room acts from the next tick on. Going back keeps the events, ``reset`` clears them.

        Raises:
            DataError: the key is not the session's, or the control or its value does not exist.
        """
        record = self._authorised(session_id, key)
        while True:
            live = self._live(record)
            checked = value if name in CLOCK_CONTROLS else _checked(live, record.room, name, value)
            with transaction(self._engine, write=True) as connection:
                current = database.read_session(connection, session_id, lock=True)
                if current.parameters == record.parameters:
                    return self._changed(connection, current, live, name, checked)
            record = current  # restarted meanwhile with other parameters: open those, outside the lock

    def restart(self, session_id: str, key: str | None, parameters: Mapping[str, Any]) -> SessionRecord:
        """Begin again at tick 0 with other parameters: paused, events cleared, the link stays.

        Raises:
            DataError, ConfigError: the key is not the session's, or the room does not open with the parameters.
        """
        wanted = _plain(parameters)
        live = self._live(replace(self._authorised(session_id, key), parameters=wanted))
        with transaction(self._engine, write=True) as connection:
            current = database.read_session(connection, session_id, lock=True)
            return self._changed(connection, current, live, "reset", None, wanted)

    def sweep(self, now: float) -> int:
        """Delete the sessions nobody asked for in 30 days; ``create`` does so once an hour. Returns their number."""
        self._swept_at = now
        with transaction(self._engine, write=True) as connection:
            deleted = database.delete_sessions_unseen_since(connection, now - DELETE_AFTER_S)
        logger.info("sessions swept deleted=%d", deleted)
        return deleted

    @property
    def in_memory(self) -> int:
        """How many sessions this process holds states of."""
        return len(self._held)

    def _authorised(self, session_id: str, key: str | None) -> SessionRecord:
        record = self.record(session_id)
        if not hmac.compare_digest(str(key or "").encode(), record.control_key.encode()):
            raise DataError("this link only watches; open the link that carries the control key to change anything")
        return record

    def _changed(
        self,
        connection: Connection,
        old: SessionRecord,
        live: LiveRoom,
        name: str,
        value: Any,
        parameters: dict[str, Any] | None = None,
    ) -> SessionRecord:
        """Apply one control to the locked record and write it; the moment is read after the lock was obtained."""
        now = self._clock_s()
        record = clock.settled(old, now, live.last_tick, self._idle_pause_s)
        if name in CLOCK_CONTROLS:
            new = clock.moved(record, name, value, now, live.last_tick, self._idle_pause_s)
        else:
            tick = clock.current_tick(record, now, live.last_tick, self._idle_pause_s)
            if tick >= live.last_tick:
                raise DataError(f"{old.room}.{name}: tick {tick} is the last one, nothing follows; scrub back or reset")
            database.insert_event(connection, old.id, Event(record.next_seq, tick + 1, name, value))
            new = replace(record, next_seq=record.next_seq + 1)
        if new is old:
            return old
        if new.epoch != old.epoch:
            database.delete_events(connection, old.id)
        parameters = old.parameters if parameters is None else parameters
        new = replace(new, revision=old.revision + 1, seen=now, parameters=parameters)
        database.update_session(connection, old, new)
        logger.info("session controlled id=%s control=%s value=%r revision=%d", old.id, name, value, new.revision)
        return new

    def _frame(self, session_id: str, wanted: int | None) -> Frame:
        with self._followed(session_id) as (stored, held, replay):
            now = self._clock_s()
            last_tick = replay.room.last_tick
            record = self._noted(stored, held, last_tick, now)
            if wanted is None:
                tick = clock.current_tick(record, now, last_tick, self._idle_pause_s)
            else:
                tick = clock.checked_tick(wanted, last_tick)
            steps = replay.steps
            frame = Frame(
                session_id=session_id,
                tick=tick,
                last_tick=last_tick,
                playing=record.playing,
                ended=tick == last_tick,
                rate=record.ticks_per_second,
                revision=record.revision,
                epoch=record.epoch,
                settings=clock.settings_at(replay.defaults, replay.events, tick),
                next_settings=clock.settings_at(replay.defaults, replay.events, tick + 1),
                data=replay.frame(tick),
            )
            checkpoint = _due_checkpoint(held, replay, replay.steps - steps, now)
        if checkpoint is not None:
            self._store(session_id, checkpoint, now)
        return frame

    def _noted(self, record: SessionRecord, held: _Held, last_tick: int, now: float) -> SessionRecord:
        """Write that the session stopped by itself, and at most every 5 s that it was asked for; never fails."""
        new = clock.settled(record, now, last_tick, self._idle_pause_s)
        stale = now - record.seen >= SEEN_EVERY_S
        if (new is record and not stale) or 0 <= now - held.note_failed_at < SEEN_EVERY_S:
            return replace(new, revision=record.revision)
        try:
            with transaction(self._engine, write=True, wait_s=BOOKKEEPING_WAIT_S) as connection:
                written = database.update_session(connection, record, replace(new, seen=now))
        except DataError as error:
            held.note_failed_at, written = now, False
            logger.warning("session not noted as seen id=%s error=%s", record.id, error)
        return new if written else replace(new, revision=record.revision)

    def _store(self, session_id: str, checkpoint: Checkpoint, now: float) -> None:
        try:
            with transaction(self._engine, write=True, wait_s=BOOKKEEPING_WAIT_S) as connection:
                database.write_checkpoint(connection, session_id, checkpoint, now, STORE_EVERY_S)
        except DataError as error:
            logger.warning("checkpoint not stored id=%s tick=%d error=%s", session_id, checkpoint.tick, error)

    @contextmanager
    def _followed(self, session_id: str) -> Iterator[tuple[SessionRecord, _Held, Replay]]:
        """The session under its lock, with the record and the events as they are in the database now."""
        if session_id not in self._held:
            self.record(session_id)  # only sessions that exist take a place in memory
        with self._lock:
            held = self._held.setdefault(session_id, _Held())
            self._held.move_to_end(session_id)
            if len(self._held) > self._max_in_memory:
                self._held.popitem(last=False)
        with held.lock:
            replay, stored = held.replay, None
            with transaction(self._engine) as connection:
                record = database.read_session(connection, session_id)
                if replay is None or replay.epoch != record.epoch or replay.next_seq > record.next_seq:
                    replay, stored = None, database.read_checkpoint(connection, session_id)
                known = 0 if replay is None else replay.next_seq
                new = database.read_events(connection, session_id, known) if known < record.next_seq else ()
            if replay is None:
                replay = Replay(self._live(record), record)
                held.replay, held.stored_at, held.stored_steps = replay, self._clock_s(), 0
            if known < record.next_seq:
                replay.follow(new, record.next_seq)
            if stored is not None:
                replay.restore(stored)
            yield record, held, replay

    def _live(self, record: SessionRecord) -> LiveRoom:
        """The room opened with the record's parameters and seed, shared by all sessions that have the same."""
        if record.room not in self._rooms:
            raise DataError(f"room {record.room!r}: there is none; give one of {', '.join(self._rooms)}")
        same = (record.room, database.as_json(record.parameters), record.seed)
        with self._opening:
            live = self._open.get(same)
            if live is None:
                live = self._rooms[record.room].open(_plain(record.parameters), record.seed)
                taken = sorted(set(live.defaults()) & set(CLOCK_CONTROLS))
                if taken:
                    raise ConfigError(f"{record.room}.{taken[0]}: the clock has a control of this name; rename it")
                self._open[same] = live
                if len(self._open) > self._max_open_rooms:
                    self._open.popitem(last=False)
            self._open.move_to_end(same)
            return live


def _checked(live: LiveRoom, room: str, name: str, value: Any) -> Any:
    """The value of a room's control as the room accepts it and as every process reads it back."""
    controls = live.defaults()
    if name not in controls:
        known = ", ".join((*CLOCK_CONTROLS, *controls))
        raise DataError(f"{room}.{name}: there is no such control; give one of {known}")
    return _plain(live.check(name, value))


def _plain(value: Any) -> Any:
    """What JSON makes of a value: tuples become lists, keys become text, and nothing is shared with the caller."""
    return json.loads(database.as_json(dict(value) if isinstance(value, Mapping) else value))


def _due_checkpoint(held: _Held, replay: Replay, steps: int, now: float) -> Checkpoint | None:
    """The state reached, once a minute while the session moves, and at once after a long replay; never fails."""
    long_replay = steps >= CHECKPOINT_TICKS
    if replay.steps == held.stored_steps or not (long_replay or now - held.stored_at >= STORE_EVERY_S):
        return None
    held.stored_at, held.stored_steps = now, replay.steps
    try:
        return replay.newest()
    except (ValueError, TypeError) as error:
        logger.warning("checkpoint not encoded epoch=%d error=%s", replay.epoch, error)
        return None
