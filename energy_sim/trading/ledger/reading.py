"""The ledger in the database: reading it back. What is read is not believed: ``verify`` says what it is worth."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, RowMapping, Table, select

from energy_sim.database import ledger_blocks, ledger_entries, ledger_members, ledgers, transaction
from energy_sim.errors import DataError, LedgerError
from energy_sim.trading.ledger.records import Block, Entry, Identity, StoredLedger


def ledger_ids(engine: Engine) -> tuple[str, ...]:
    """Names of all ledgers in the database."""
    with transaction(engine) as connection:
        return tuple(connection.execute(select(ledgers.c.id).order_by(ledgers.c.id)).scalars())


def read_ledger(engine: Engine, ledger_id: str) -> StoredLedger:
    """Everything the database holds of one ledger, unverified, at one moment.

    Raises:
        DataError: there is none of that name, or the database cannot be read.
        LedgerError: a table holds what no ledger holds, such as text for bytes.
    """
    with transaction(engine) as connection:
        head = connection.execute(select(ledgers).where(ledgers.c.id == ledger_id)).mappings().one_or_none()
        members, blocks, rows = (
            _rows(connection, table, ledger_id) for table in (ledger_members, ledger_blocks, ledger_entries)
        )
    if head is None:
        raise DataError(f"ledger {ledger_id}: the database has none of that name; see the folder of its run")
    _check_kinds(ledgers, head)
    faults = [(0, f"member {row['idx']} stands in place {i}") for i, row in enumerate(members) if row["idx"] != i]
    entries: dict[int, list[Entry]] = {row["height"]: [] for row in blocks}
    for row in rows:
        height, index = row["height"], row["idx"]
        if height not in entries:
            faults.append((height, f"record {index} has no block"))
            continue
        if index != len(entries[height]):
            faults.append((height, f"record {index} stands in place {len(entries[height])}"))
        entries[height].append(Entry(row["record"], row["salt"], row["seller_signature"], row["buyer_signature"]))
    people = tuple(row["household"] for row in members), tuple(row["public_key"] for row in members)
    identity = Identity(head["id"], head["signed"], head["operator_key"], *people)
    kept = []
    for row in blocks:
        values = {name: value for name, value in row.items() if name != "ledger"}
        kept.append(Block(**values, entries=tuple(entries[row["height"]])))
    return StoredLedger(identity, tuple(kept), tuple(faults))


def _rows(connection: Connection, table: Table, ledger_id: str) -> Sequence[RowMapping]:
    chosen = select(table).where(table.c.ledger == ledger_id).order_by(*table.primary_key)
    rows = connection.execute(chosen).mappings().all()
    for row in rows:
        _check_kinds(table, row)
    return rows


def _check_kinds(table: Table, row: RowMapping) -> None:
    """SQLite keeps any kind of value in any column, so a changed file may hold text for bytes."""
    for column in table.columns:
        if not isinstance(row[column.name], column.type.python_type):
            place = f"block {row.get('height', 0)}"
            kind = type(row[column.name]).__name__
            raise LedgerError(
                f"{place}: {table.name}.{column.name} holds {kind}, not {column.type.python_type.__name__}"
            )
