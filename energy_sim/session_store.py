"""Live sessions in the database: records, events, and one checkpoint each; every statement there is.

    with transaction(engine, write=True) as connection:
        record = read_session(connection, session_id, lock=True)
        update_session(connection, record, replace(record, playing=True))

All functions work inside a transaction of the caller (``energy_sim.database``), whose tables these are.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from energy_sim import clock
from energy_sim.clock import Event, SessionRecord, in_order
from energy_sim.database import checkpoints, events, sessions
from energy_sim.errors import DataError


class Checkpoint(NamedTuple):
    """The opening state of ``tick``, computed in ``epoch`` with the events up to and with ``last_seq``."""

    tick: int
    epoch: int
    last_seq: int
    state: str


def new_session(room: str, parameters: Mapping[str, Any], seed: int, rate: float, now: float) -> SessionRecord:
    """A record that is not in the database yet: paused at tick 0, with an id and a control key nobody can guess.

    Raises:
        DataError: the parameters are not JSON, or the seed or the rate is outside its limits.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise DataError(f"seed: {seed!r} is not a whole number from 0 to 2^63-1; give one")
    return SessionRecord(
        id=secrets.token_urlsafe(16),
        room=room,
        parameters=plain(parameters),
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


def insert_session(connection: Connection, record: SessionRecord) -> None:
    """Add a new session."""
    connection.execute(insert(sessions).values(**asdict(record) | {"parameters": as_json(record.parameters)}))


def read_session(connection: Connection, session_id: str, *, lock: bool = False) -> SessionRecord:
    """The record, with its row locked until the end of the transaction if asked.

    Raises:
        DataError: no such session.
    """
    query = select(sessions).where(sessions.c.id == session_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise DataError(
            f"session {session_id!r}: there is none (unused for too long, or a broken link); start a new one"
        )
    return SessionRecord(**{**row._mapping, "parameters": json.loads(row.parameters)})


def read_playing(connection: Connection, room: str, seen_after: float) -> tuple[str, ...]:
    """Ids of the sessions of a room that play and were asked for after a moment, oldest first."""
    playing = (sessions.c.room == room) & sessions.c.playing & (sessions.c.seen > seen_after)
    return tuple(connection.execute(select(sessions.c.id).where(playing).order_by(sessions.c.created)).scalars())


def update_session(connection: Connection, old: SessionRecord, new: SessionRecord) -> bool:
    """Write what changed, unless somebody else changed the record since ``old`` was read; True if written."""
    before = asdict(replace(old, parameters={}))
    changed = {name: value for name, value in asdict(replace(new, parameters={})).items() if value != before[name]}
    if new.parameters != old.parameters:
        changed["parameters"] = as_json(new.parameters)
    unchanged = (sessions.c.id == old.id) & (sessions.c.revision == old.revision) & (sessions.c.seen == old.seen)
    return connection.execute(update(sessions).where(unchanged).values(**changed)).rowcount == 1


def delete_sessions_unseen_since(connection: Connection, moment: float) -> int:
    """Delete sessions, with their events and checkpoints, that nobody asked for since ``moment``; their number."""
    return connection.execute(delete(sessions).where(sessions.c.seen < moment)).rowcount


def insert_event(connection: Connection, session_id: str, new: Event) -> None:
    """Add one event; its value is kept as JSON."""
    connection.execute(insert(events).values(session_id=session_id, **asdict(new) | {"value": as_json(new.value)}))


def count_events(connection: Connection, session_id: str) -> int:
    """How many events a session has."""
    return connection.execute(select(func.count()).where(events.c.session_id == session_id)).scalar_one()


def read_events(connection: Connection, session_id: str, from_seq: int = 0) -> tuple[Event, ...]:
    """The events from a sequence number on, as they act."""
    columns = (events.c.seq, events.c.tick, events.c.control, events.c.value)
    query = select(*columns).where((events.c.session_id == session_id) & (events.c.seq >= from_seq))
    return in_order(Event(row.seq, row.tick, row.control, json.loads(row.value)) for row in connection.execute(query))


def delete_events(connection: Connection, session_id: str) -> None:
    """Clear the events of a session, and the checkpoint that was computed with them."""
    for table in (events, checkpoints):
        connection.execute(delete(table).where(table.c.session_id == session_id))


def read_checkpoint(connection: Connection, session_id: str) -> Checkpoint | None:
    """The one stored checkpoint, if any."""
    columns = (checkpoints.c.tick, checkpoints.c.epoch, checkpoints.c.last_seq, checkpoints.c.state)
    row = connection.execute(select(*columns).where(checkpoints.c.session_id == session_id)).one_or_none()
    return None if row is None else Checkpoint(*row)


def write_checkpoint(connection: Connection, session_id: str, new: Checkpoint, now: float, every_s: float) -> bool:
    """Store a checkpoint unless one was stored less than ``every_s`` ago, by whichever process; True if stored."""
    if read_session(connection, session_id, lock=True).epoch != new.epoch:
        return False
    mine = checkpoints.c.session_id == session_id
    written = connection.execute(select(checkpoints.c.written).where(mine)).scalar_one_or_none()
    if written is None:
        connection.execute(insert(checkpoints).values(session_id=session_id, written=now, **new._asdict()))
    elif written <= now - every_s:
        connection.execute(update(checkpoints).where(mine).values(written=now, **new._asdict()))
    return written is None or written <= now - every_s


def as_json(value: Any) -> str:
    """JSON text that gives the same value back in every process: sorted keys, exact floats, no NaN.

    Raises:
        DataError: the value cannot be written as JSON.
    """
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"{value!r}: {error}; give numbers, text, true or false, lists and objects of these") from error


def plain(value: Any) -> Any:
    """What JSON makes of a value: tuples become lists, keys become text, and nothing is shared with the caller.

    Raises:
        DataError: the value cannot be written as JSON.
    """
    return json.loads(as_json(dict(value) if isinstance(value, Mapping) else value))
