"""Who is known to the grid agent: leases in the database, and the tokens that follow from a name.

Tokens are not kept: they follow from the grid agent's secret and the name, so that a name that registers twice gets
the same one, also after a restart.
"""

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from energy_sim.agents.messages import MOST_TOLD, Nameplate, Registration, Role
from energy_sim.agents.orders import Order
from energy_sim.database import agents, agents_clock, transaction
from energy_sim.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

NEVER_SEQUENCE = -1
SECRET_BYTES = 32
_NAMEPLATES = TypeAdapter(tuple[Nameplate, ...])
_ORDERS = TypeAdapter(tuple[Order, ...])


@dataclass(frozen=True, slots=True)
class Lease:
    """One agent as it is registered. Times are seconds since the epoch, ``seen`` 0 is never."""

    id: str
    role: Role
    transformer_id: str
    url: str
    nameplates: tuple[Nameplate, ...]
    registered: float
    seen: float = 0.0
    sequence: int = NEVER_SEQUENCE
    orders: str = ""  # JSON: what stands


def read_or_make_secret(path: Path) -> bytes:
    """The grid agent's secret; made when absent, readable by its owner alone.

    Raises:
        ConfigError: the file cannot be made or read, is short, or others may read it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        if not path.exists():
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(handle, secrets.token_hex(SECRET_BYTES).encode())
            finally:
                os.close(handle)
            try:
                os.link(fresh, path)  # whole or not at all, and the first of two processes wins
            except FileExistsError:
                logger.info("grid key exists already path=%s", path)
            finally:
                fresh.unlink()
        open_to_others = path.stat().st_mode & 0o077
        found = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"agents.grid_key: {path}: {error.strerror}; give a file that may be written") from error
    if open_to_others:
        raise ConfigError(f"agents.grid_key: {path} may be read by others; run chmod 600 on it")
    if len(found) < SECRET_BYTES:
        raise ConfigError(f"agents.grid_key: {path} is shorter than {SECRET_BYTES} bytes; remove it: a new one is made")
    return found


def token_of(secret: bytes, agent_id: str) -> str:
    """The token that authorises reports of this agent alone."""
    return hmac.new(secret, b"agent:" + agent_id.encode(), hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether a secret is the right one, in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def lease_from(registration: Registration, now: float, before: Lease | None) -> Lease:
    """The lease of a registration; the same name again keeps its sequence and its orders.

    Raises:
        DataError: a nameplate belongs to another agent or has the wrong sign, or one resource is named twice.
    """
    ids = [plate.id for plate in registration.nameplates]
    strange = [name for name in ids if name.partition("/")[0] != registration.id]
    if strange:
        raise DataError(f"nameplates: {strange[0]} does not belong to {registration.id}; register your own")
    if len(set(ids)) < len(ids):
        raise DataError(f"nameplates: {registration.id} names a resource twice; name each once")
    for plate in registration.nameplates:
        if (plate.kind == "solar" and plate.max_kw > 0) or (plate.kind in {"load", "ev"} and plate.min_kw < 0):
            side = (
                "solar is 0 kW or below"
                if plate.kind == "solar"
                else f"{'an' if plate.kind == 'ev' else 'a'} {plate.kind} is 0 kW or above"
            )
            raise DataError(f"nameplates: {plate.id}: {plate.min_kw:g} .. {plate.max_kw:g} kW; {side}")
    return Lease(
        registration.id,
        registration.role,
        registration.transformer_id,
        registration.url,
        registration.nameplates,
        now,
        before.seen if before else 0.0,
        _sequence(before),
        before.orders if before else "",
    )


def _sequence(before: Lease | None) -> int:
    """The last one known; where there is hardly any above it that could be told, numbers begin anew."""
    if before is None:
        return NEVER_SEQUENCE
    return before.sequence if before.sequence < MOST_TOLD else 0


def is_same(lease: Lease, other: Lease) -> bool:
    """Whether two leases describe the same agent at the same place."""
    return (lease.role, lease.transformer_id, lease.url, lease.nameplates) == (
        other.role,
        other.transformer_id,
        other.url,
        other.nameplates,
    )


def read_leases(engine: Engine) -> dict[str, Lease]:
    """All agents the database knows; rows that cannot be read are left out and said in the log."""
    found = {}
    with transaction(engine) as connection:
        rows = connection.execute(select(agents).order_by(agents.c.id)).all()
    for row in rows:
        try:
            plates = _NAMEPLATES.validate_json(row.nameplates)
        except ValidationError:
            logger.warning("lease cannot be read agent=%s", row.id)
            continue
        found[row.id] = Lease(
            row.id, row.role, row.transformer, row.url, plates, row.registered, row.seen, row.sequence, row.orders
        )
    return found


def write_leases(engine: Engine, leases: Iterable[Lease]) -> None:
    """Store registrations, new ones and known ones, in one transaction."""
    with transaction(engine, write=True) as connection:
        for lease in leases:
            values = {
                "role": lease.role,
                "transformer": lease.transformer_id,
                "url": lease.url,
                "nameplates": _NAMEPLATES.dump_json(lease.nameplates).decode(),
                "registered": lease.registered,
            }
            changed = connection.execute(update(agents).where(agents.c.id == lease.id).values(values))
            if changed.rowcount == 0:
                first = {"id": lease.id, "seen": lease.seen, "sequence": lease.sequence, "orders": lease.orders}
                connection.execute(insert(agents).values(values | first))


def write_progress(
    engine: Engine,
    seen: Mapping[str, tuple[float, int]],
    orders: Mapping[str, str],
    clock: tuple[str, int, float] | None = None,
) -> None:
    """Store what has changed since the last time, in one transaction.

    Args:
        engine: the database.
        seen: agent -> (seconds since the epoch of its last report, the report's sequence).
        orders: agent -> its standing orders as JSON.
        clock: (name of the grid agent, cycle, simulated time).
    """
    with transaction(engine, write=True) as connection:
        _many(connection, "seen", "sequence", [(name, *values) for name, values in seen.items()])
        _many(connection, "orders", None, [(name, text) for name, text in orders.items()])
        if clock is not None:
            name, cycle, time_s = clock
            now = {"cycle": cycle, "time_s": time_s}
            changed = connection.execute(update(agents_clock).where(agents_clock.c.id == name).values(now))
            if changed.rowcount == 0:
                connection.execute(insert(agents_clock).values({"id": name} | now))


def read_clock(engine: Engine, name: str) -> tuple[int, float] | None:
    """The cycle and the simulated time at which a grid agent was, None when it never ran."""
    with transaction(engine) as connection:
        row = connection.execute(select(agents_clock).where(agents_clock.c.id == name)).one_or_none()
    return None if row is None else (row.cycle, row.time_s)


def _many(connection: Connection, first: str, second: str | None, rows: list[tuple[object, ...]]) -> None:
    if not rows:
        return
    names = [first] if second is None else [first, second]
    statement = (
        update(agents).where(agents.c.id == bindparam("b_id")).values({name: bindparam(f"b_{name}") for name in names})
    )
    keys = ["b_id", *(f"b_{name}" for name in names)]
    connection.execute(statement, [dict(zip(keys, row, strict=True)) for row in rows])


def orders_json(orders: Iterable[Order]) -> str:
    """Standing orders as they are stored."""
    return _ORDERS.dump_json(tuple(orders)).decode()


def read_orders(text: str) -> tuple[Order, ...]:
    """Standing orders as they were stored; none when the text cannot be read.

    >>> read_orders("")
    ()
    """
    if not text:
        return ()
    try:
        return _ORDERS.validate_json(text)
    except ValidationError:
        logger.warning("standing orders cannot be read")
        return ()
