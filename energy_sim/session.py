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
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Engine

from energy_sim import clock, session_store
from energy_sim.clock import CLOCK_CONTROLS, IDLE_PAUSE_S, Event, SessionRecord
from energy_sim.database import transaction
from energy_sim.errors import DataError
from energy_sim.replay import CHECKPOINT_TICKS, Frame, LiveRoom, OpenRooms, Replay, Room, checked_value, recorded_events
from energy_sim.session_store import Checkpoint

__all__ = ["Frame", "LiveRoom", "Room", "Sessions"]

logger = logging.getLogger(__name__)

MAX_EVENTS = 2000  # of one session since its reset
SEEN_EVERY_S = 5.0
SWEEP_EVERY_S = 3600.0
BOOKKEEPING_WAIT_S = 0.25  # a frame does not wait longer than this to note that it was asked for


@dataclass(slots=True)
class _Held:
    """What a process holds of a session; used under its lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    replay: Replay | None = None
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
        delete_after_s: float = 30 * 24 * 3600.0,
        store_every_s: float = 60.0,
    ) -> None:
        """Serve sessions of the given rooms.

        Args:
            engine: from ``database.open_database``.
            rooms: the rooms that take part.
            clock_s: seconds since the epoch.
            idle_pause_s: a session nobody asked for a frame for this long has been paused since.
            max_in_memory: sessions whose states are held, least recently used dropped first.
            max_open_rooms: opened rooms kept to be shared by sessions with equal parameters and seed.
            delete_after_s: a session nobody asked for a frame for this long is deleted.
            store_every_s: at most this often one state of a session is stored in the database.
        """
        self._engine = engine
        self._rooms = OpenRooms(rooms, max_open_rooms)
        self._clock_s = clock_s
        self._idle_pause_s = idle_pause_s
        self._max_in_memory = max_in_memory
        self._delete_after_s = delete_after_s
        self._store_every_s = store_every_s
        self._lock = threading.Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._swept_at = -math.inf

    def create(self, room: str, parameters: Mapping[str, Any], seed: int = 0, rate: float = 1.0) -> SessionRecord:
        """A new session, paused at tick 0.

        Raises:
            DataError, ConfigError: no such room, or it does not open with these parameters, seed or rate.
        """
        now = self._clock_s()
        record = session_store.new_session(room, parameters, seed, rate, now)
        self._live(record)
        if now - self._swept_at >= SWEEP_EVERY_S:
            self.sweep(now)
        with transaction(self._engine, write=True) as connection:
            session_store.insert_session(connection, record)
        logger.info("session created id=%s room=%s seed=%d rate_per_s=%g", record.id, room, seed, rate)
        return record

    def frame(self, session_id: str, *, awake: bool = True) -> Frame:
        """The frame of the current tick; asking keeps the session awake, unless whoever asks is no viewer.

        Args:
            session_id: the session.
            awake: False leaves the record as it is: the session is paused when nobody else asks.

        Raises:
            DataError: no such session.
        """
        return self._frames(session_id, awake=awake)[-1]

    def frames_since(self, session_id: str, since_tick: int, since_epoch: int, limit: int = 20) -> tuple[Frame, ...]:
        """The frames of all ticks after one that was shown before, oldest first: the last is the current one.

        Args:
            session_id: the session; asking keeps it awake, as with ``frame``.
            since_tick: the tick shown last.
            since_epoch: the epoch it was of.
            limit: when more ticks than this have passed, or the epoch is another one, or the clock went back or
                stands, there is only the current frame.

        Raises:
            DataError: no such session.
        """
        return self._frames(session_id, since=(since_tick, since_epoch), limit=limit)

    def frame_at(self, session_id: str, tick: int) -> Frame:
        """The frame of any tick with the events known today; the clock stays where it is.

        Raises:
            DataError: no such session or tick.
        """
        return self._frames(session_id, wanted=tick)[-1]

    def settings_at(self, session_id: str, tick: int) -> dict[str, Any]:
        """Control -> value as it acts in the step of a tick."""
        with self._followed(session_id) as (_, _, replay):
            return clock.settings_at(replay.defaults, replay.events, tick)

    def record(self, session_id: str) -> SessionRecord:
        """The record as it is stored: a stop that nobody noticed yet is not in it."""
        with transaction(self._engine) as connection:
            return session_store.read_session(connection, session_id)

    def playing(self, room: str) -> tuple[str, ...]:
        """Ids of the sessions of a room that play and were asked for lately, oldest first, whoever serves them.

        One that reached its last tick is among them until somebody asks for its frame.
        """
        with transaction(self._engine) as connection:
            return session_store.read_playing(connection, room, self._clock_s() - self._idle_pause_s)

    def events(self, session_id: str) -> tuple[Event, ...]:
        """The events of the session as they act, with those its room recorded."""
        with transaction(self._engine) as connection:
            record = session_store.read_session(connection, session_id)
            added = session_store.read_events(connection, session_id)
        return clock.in_order((*recorded_events(self._live(record)), *added))

    def live(self, session_id: str) -> LiveRoom:
        """The opened room of the session."""
        return self._live(self.record(session_id))

    def authorised(self, session_id: str, key: str | None) -> SessionRecord:
        """The record of a session whose control key is given.

        Raises:
            DataError: there is no such session, or the key is not its own.
        """
        record = self.record(session_id)
        if not hmac.compare_digest(str(key or "").encode(), record.control_key.encode()):
            raise DataError("this link only watches; open the link that carries the control key to change anything")
        return record

    def control(self, session_id: str, key: str | None, name: str, value: Any = None) -> SessionRecord:
        """Play, pause, step, back, speed(value), scrub(value), reset, or set a control of the room.

        A control of the room acts from the next tick on. Going back keeps the events, ``reset`` clears them.

        Raises:
            DataError: the key is not the session's, or the control or its value does not exist.
        """
        record = self.authorised(session_id, key)
        while True:
            live = self._live(record)
            checked = value if name in CLOCK_CONTROLS else checked_value(live, record.room, name, value)
            with transaction(self._engine, write=True) as connection:
                current = session_store.read_session(connection, session_id, lock=True)
                if current.parameters == record.parameters:
                    return self._changed(connection, current, live, name, checked)
            record = current  # restarted meanwhile with other parameters: open those, outside the lock

    def restart(self, session_id: str, key: str | None, parameters: Mapping[str, Any]) -> SessionRecord:
        """Begin again at tick 0 with other parameters: paused, events cleared, the link stays.

        Raises:
            DataError, ConfigError: the key is not the session's, or the room does not open with the parameters.
        """
        wanted = session_store.plain(parameters)
        live = self._live(replace(self.authorised(session_id, key), parameters=wanted))
        with transaction(self._engine, write=True) as connection:
            current = session_store.read_session(connection, session_id, lock=True)
            return self._changed(connection, current, live, "reset", None, wanted)

    def sweep(self, now: float) -> int:
        """Delete sessions unused for ``delete_after_s``, as ``create`` does once an hour; their number."""
        self._swept_at = now
        with transaction(self._engine, write=True) as connection:
            deleted = session_store.delete_sessions_unseen_since(connection, now - self._delete_after_s)
        logger.info("sessions swept deleted=%d", deleted)
        return deleted

    @property
    def in_memory(self) -> int:
        """How many sessions this process holds states of."""
        return len(self._held)

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
            if session_store.count_events(connection, old.id) >= MAX_EVENTS:
                raise DataError(f"{old.room}.{name}: {MAX_EVENTS} changes are the most there are; reset the session")
            session_store.insert_event(connection, old.id, Event(record.next_seq, tick + 1, name, value))
            new = replace(record, next_seq=record.next_seq + 1)
        if new is old:
            return old
        if new.epoch != old.epoch:
            session_store.delete_events(connection, old.id)
        parameters = old.parameters if parameters is None else parameters
        new = replace(new, revision=old.revision + 1, seen=now, parameters=parameters)
        session_store.update_session(connection, old, new)
        logger.info("session controlled id=%s control=%s value=%r revision=%d", old.id, name, value, new.revision)
        return new

    def _frames(
        self,
        session_id: str,
        *,
        wanted: int | None = None,
        since: tuple[int, int] | None = None,
        limit: int = 0,
        awake: bool = True,
    ) -> tuple[Frame, ...]:
        """Frames up to the wanted tick, the current one without; more than this one where ``since`` is near enough."""
        with self._followed(session_id) as (stored, held, replay):
            now = self._clock_s()
            last_tick = replay.room.last_tick
            record = self._noted(stored, held, last_tick, now) if awake else self._settled(stored, last_tick, now)
            if wanted is None:
                tick = clock.current_tick(record, now, last_tick, self._idle_pause_s)
            else:
                tick = clock.checked_tick(wanted, last_tick)
            near = since is not None and since[1] == record.epoch and 0 < tick - since[0] <= limit
            first = max(since[0] + 1, 0) if since is not None and near else tick
            steps = replay.steps
            for _ in replay.approach(first):
                self._store(session_id, replay.due_checkpoint(self._clock_s(), self._store_every_s))
            frames = tuple(replay.shown(record, at) for at in range(first, tick + 1))
            every_s = 0.0 if replay.steps - steps >= CHECKPOINT_TICKS else self._store_every_s
            checkpoint = replay.due_checkpoint(self._clock_s(), every_s)
        self._store(session_id, checkpoint)
        return frames

    def _settled(self, record: SessionRecord, last_tick: int, now: float) -> SessionRecord:
        """The record with stops that happened by themselves, of which nothing is written."""
        return replace(clock.settled(record, now, last_tick, self._idle_pause_s), revision=record.revision)

    def _noted(self, record: SessionRecord, held: _Held, last_tick: int, now: float) -> SessionRecord:
        """Write that the session stopped by itself, and at most every 5 s that it was asked for; never fails."""
        new = clock.settled(record, now, last_tick, self._idle_pause_s)
        stale = now - record.seen >= SEEN_EVERY_S
        if (new is record and not stale) or 0 <= now - held.note_failed_at < SEEN_EVERY_S:
            return replace(new, revision=record.revision)
        try:
            with transaction(self._engine, write=True, wait_s=BOOKKEEPING_WAIT_S) as connection:
                written = session_store.update_session(connection, record, replace(new, seen=now))
        except DataError as error:
            held.note_failed_at, written = now, False
            logger.warning("session not noted as seen id=%s error=%s", record.id, error)
        return new if written else replace(new, revision=record.revision)

    def _store(self, session_id: str, checkpoint: Checkpoint | None) -> None:
        """Store a checkpoint, if there is one; never fails."""
        if checkpoint is None:
            return
        try:
            with transaction(self._engine, write=True, wait_s=BOOKKEEPING_WAIT_S) as connection:
                now = self._clock_s()
                session_store.write_checkpoint(connection, session_id, checkpoint, now, self._store_every_s)
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
                record = session_store.read_session(connection, session_id)
                if replay is None or replay.epoch != record.epoch or replay.next_seq > record.next_seq:
                    replay, stored = None, session_store.read_checkpoint(connection, session_id)
                known = 0 if replay is None else replay.next_seq
                new = session_store.read_events(connection, session_id, known) if known < record.next_seq else ()
            if replay is None:
                replay = held.replay = Replay(self._live(record), record.epoch, self._clock_s())
            if known < record.next_seq:
                replay.follow(new, record.next_seq)
            if stored is not None:
                replay.restore(stored)
            yield record, held, replay

    def _live(self, record: SessionRecord) -> LiveRoom:
        return self._rooms.live(record.room, record.parameters, record.seed)
