"""The database: SQLite in a file by default, PostgreSQL by URL; tables and statements of live sessions.

    engine = open_database("sqlite:///var/kraftflyt.db")
    with transaction(engine) as connection:                  # a snapshot to read from
        record = read_session(connection, session_id)

A writing transaction takes its lock first: the whole file with ``BEGIN IMMEDIATE`` on SQLite, the row of the session
with ``SELECT ... FOR UPDATE`` (``read_session(..., lock=True)``) on PostgreSQL. What it then reads cannot change.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from energy_sim.clock import Event, SessionRecord, in_order
from energy_sim.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 5.0
_CREATE_TABLES_LOCK = 0x6B72616674  # any fixed number: PostgreSQL's advisory lock while tables are created

metadata = MetaData()
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("room", String(64), nullable=False),
    Column("parameters", Text, nullable=False),  # JSON
    Column("seed", BigInteger, nullable=False),
    Column("created", Double, nullable=False),  # times are seconds since the epoch
    Column("control_key", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("next_seq", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("anchor_time", Double, nullable=False),
    Column("anchor_tick", Double, nullable=False),
    Column("playing", Boolean, nullable=False),
    Column("ticks_per_second", Double, nullable=False),
    Column("seen", Double, nullable=False, index=True),
)
_OWNER = "sessions.id"
events = Table(
    "session_events",
    metadata,
    Column("session_id", ForeignKey(_OWNER, ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("tick", BigInteger, nullable=False),
    Column("control", String(128), nullable=False),
    Column("value", Text, nullable=False),  # JSON
)
checkpoints = Table(
    "session_checkpoints",
    metadata,
    Column("session_id", ForeignKey(_OWNER, ondelete="CASCADE"), primary_key=True),
    Column("tick", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("written", Double, nullable=False),
    Column("state", Text, nullable=False),  # as the room encodes it
)


class Checkpoint(NamedTuple):
    """The opening state of ``tick``, computed in ``epoch`` with the events up to and with ``last_seq``."""

    tick: int
    epoch: int
    last_seq: int
    state: str


def open_database(url: str, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Connect and create the tables that are missing; safe when several processes start at once.

    Args:
        url: ``sqlite:///folder/file.db`` (the folder is made) or ``postgresql://user:password@host/name``.
        busy_timeout_s: how long a writer waits for another one before it gives up.

    Raises:
        ConfigError: the URL, the file or the server cannot be used.
    """
    try:
        parsed = make_url(url)
        engine = _engine(parsed, busy_timeout_s)
        if engine.dialect.name == "sqlite":
            _use_write_ahead_log(engine, busy_timeout_s)
        with engine.connect().execution_options(write=True) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATE_TABLES_LOCK})
            metadata.create_all(connection)
    except ArgumentError as error:
        raise ConfigError(f"database.url: {url!r} is no database URL; give sqlite:///file.db") from error
    except (NoSuchModuleError, ImportError) as error:
        raise ConfigError(f"database.url: no driver ({error}); install kraftflyt[postgres] or use sqlite") from error
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        shown = parsed.render_as_string(hide_password=True)
        raise ConfigError(f"database.url: {shown}: {_reason(error)}") from error
    logger.info("database opened url=%s", parsed.render_as_string(hide_password=True))
    return engine


def _engine(url: URL, busy_timeout_s: float) -> Engine:
    common: dict[str, Any] = {"pool_size": 16, "max_overflow": 16, "execution_options": {"wait_s": busy_timeout_s}}
    if url.get_backend_name() == "postgresql":
        driver = url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url
        engine = create_engine(driver, pool_pre_ping=True, **common)
    elif url.get_backend_name() == "sqlite":
        if url.database in {None, "", ":memory:"}:
            raise ConfigError("database.url: a database in memory cannot be shared by threads; give sqlite:///file.db")
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"timeout": busy_timeout_s}, **common)
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        raise ConfigError(f"database.url: {url.get_backend_name()} is not supported; give sqlite or postgresql")
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, _pool_record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin does
    connection.execute("PRAGMA synchronous=NORMAL")  # with the write-ahead log a killed process loses nothing
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    wait_ms = int(1000 * options["wait_s"])
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout={wait_ms}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("write") else "BEGIN")
    elif options.get("write"):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{wait_ms}ms'")


def _use_write_ahead_log(engine: Engine, patience_s: float) -> None:
    """Readers and one writer side by side; SQLite does not wait by itself when two processes switch at once."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with closing(engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _reason(error: Exception) -> str:
    """What went wrong in one line, and how to mend it."""
    cause = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
    if "locked" in cause or "lock timeout" in cause:
        return f"{cause}; another program is writing to it: try again, or end that program"
    if "not a database" in cause or "malformed" in cause:
        return f"{cause}; put back a copy, or move the file away to start with an empty one"
    return f"{cause}; check that the file or the server exists and may be written"


@contextmanager
def transaction(engine: Engine, *, write: bool = False, wait_s: float | None = None) -> Iterator[Connection]:
    """One transaction: a consistent snapshot to read, or with ``write`` a lock taken first.

    Args:
        engine: from ``open_database``.
        write: whether it writes.
        wait_s: how long to wait for another writer; the engine's own patience when not given.

    Raises:
        DataError: the database is damaged, gone, or locked for too long.
    """
    options: dict[str, Any] = {"write": write} | ({} if wait_s is None else {"wait_s": wait_s})
    if engine.dialect.name == "postgresql" and not write:
        options["isolation_level"] = "REPEATABLE READ"
    try:
        with engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except (DBAPIError, PoolTimeoutError) as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise DataError(f"database {shown}: {_reason(error)}") from error


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
        raise DataError(f"session {session_id!r}: there is none (30 days unused, or a broken link); start a new one")
    return SessionRecord(**{**row._mapping, "parameters": json.loads(row.parameters)})


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
