"""The database: SQLite in a file by default, PostgreSQL by URL; its tables and transactions.

    engine = open_database("sqlite:///var/kraftflyt.db")
    with transaction(engine) as connection:                             # a snapshot to read from
        record = session_store.read_session(connection, session_id)

A writing transaction takes its lock first: the whole file with ``BEGIN IMMEDIATE`` on SQLite, the row of the session
with ``SELECT ... FOR UPDATE`` (``read_session(..., lock=True)``) on PostgreSQL. What it then reads cannot change.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Engine,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

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


def _append_only(table: Table) -> Table:
    """Let the database itself refuse to change or delete rows; a REPLACE deletes without asking, so that too."""
    name, same = table.name, " AND ".join(f"{column.name} = NEW.{column.name}" for column in table.primary_key)
    held = f"WHEN EXISTS (SELECT 1 FROM {name} WHERE {same})"  # noqa: S608 - names of our own
    triggers = {
        "sqlite": [
            f"CREATE TRIGGER {name}_{verb} BEFORE {verb} ON {name} {when} "
            f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            for verb, when in (("update", ""), ("delete", ""), ("insert", held))
        ],
        "postgresql": [
            """CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME; END $$""",
            f"""CREATE TRIGGER {name}_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {name}
            FOR EACH STATEMENT EXECUTE FUNCTION append_only()""",
        ],
    }
    for dialect, statements in triggers.items():
        for statement in statements:
            event.listen(table, "after_create", DDL(statement).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]
    return table


ledgers = _append_only(
    Table(
        "ledgers",
        metadata,
        Column("id", String(128), primary_key=True),
        Column("signed", Boolean, nullable=False),
        Column("operator_key", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
)
ledger_members = _append_only(
    Table(
        "ledger_members",
        metadata,
        Column("ledger", ForeignKey("ledgers.id"), primary_key=True),
        Column("idx", BigInteger, primary_key=True, autoincrement=False),
        Column("household", Text, nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
)
ledger_blocks = _append_only(
    Table(
        "ledger_blocks",
        metadata,
        Column("ledger", ForeignKey("ledgers.id"), primary_key=True),
        Column("height", BigInteger, primary_key=True, autoincrement=False),
        Column("step", BigInteger, nullable=False),
        Column("time_ns", BigInteger, nullable=False),  # since the epoch
        Column("count", BigInteger, nullable=False),
        Column("prev", LargeBinary, nullable=False),
        Column("merkle_root", LargeBinary, nullable=False),
        Column("hash", LargeBinary, nullable=False),
        Column("signature", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
)
ledger_entries = _append_only(
    Table(
        "ledger_entries",
        metadata,
        Column("ledger", ForeignKey("ledgers.id"), primary_key=True),
        Column("height", BigInteger, primary_key=True, autoincrement=False),
        Column("idx", BigInteger, primary_key=True, autoincrement=False),
        Column("record", LargeBinary, nullable=False),
        Column("salt", LargeBinary, nullable=False),
        Column("seller_signature", LargeBinary, nullable=False),
        Column("buyer_signature", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
)
agents = Table(
    "agents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("transformer", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("nameplates", Text, nullable=False),  # JSON
    Column("registered", Double, nullable=False),
    Column("seen", Double, nullable=False),  # 0: never
    Column("sequence", BigInteger, nullable=False),  # of the last report known; -1: none
    Column("orders", Text, nullable=False),  # JSON, what stands
)
agents_clock = Table(
    "agents_clock",  # one row per grid agent: where its cycles and its simulated time were
    metadata,
    Column("id", String(64), primary_key=True),
    Column("cycle", BigInteger, nullable=False),
    Column("time_s", Double, nullable=False),
)


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
