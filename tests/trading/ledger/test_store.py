import sqlite3
import stat

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from energy_sim.database import transaction
from energy_sim.errors import ConfigError, DataError, LedgerError
from energy_sim.trading.ledger import store
from energy_sim.trading.ledger.keys import read_or_make_operator_key
from energy_sim.trading.ledger.reading import ledger_ids, read_ledger
from energy_sim.trading.ledger.records import decode_trade
from energy_sim.trading.ledger.store import Ledger
from energy_sim.trading.ledger.verify import verify
from tests.trading.ledger.books import HOMES, LEDGER_ID, OPERATOR, STEPS, TABLES, open_book, write_book


@pytest.fixture
def engine(tmp_path):
    opened = open_book(tmp_path)
    yield opened
    opened.dispose()


@pytest.mark.parametrize("signed", [True, False])
def test_what_is_written_is_read_back_and_holds(engine, signed):
    ledger = write_book(engine, signed)
    stored = read_ledger(engine, LEDGER_ID)
    assert [block.height for block in stored.blocks] == [0, 1, 2, 3, 4, 5, 6]
    assert [block.step for block in stored.blocks] == [-1, *STEPS]
    assert [block.time_ns for block in stored.blocks[:2]] == [1_700_000_000_000_000_000, 1_700_000_001_000_000_000]
    trades = [decode_trade(entry.record) for entry in stored.blocks[4].entries]
    assert [(t.height, t.index, t.step, t.seller, t.buyer) for t in trades] == [
        (4, 0, 8, 0, 1),
        (4, 1, 8, 0, 3),
        (4, 2, 8, 2, 3),
    ]
    assert [t.energy_uwh for t in trades] == [1_000_000_000, 500_000_000, 250_000_000]
    assert [t.amount_ueur for t in trades] == [200_000, 100_000, 50_000]
    assert [t.fee_ueur for t in trades] == [10_000, 5_000, 2_500]
    assert {len(e.seller_signature) for b in stored.blocks for e in b.entries} == {64 if signed else 0}
    assert len({e.salt for b in stored.blocks for e in b.entries}) == 18
    found = verify(stored)
    assert found.first_bad == ""
    assert found.holds
    assert found.trades == 18
    assert found.ledger_root == ledger.root == Ledger.open(engine, LEDGER_ID).root
    assert ledger.head == stored.blocks[-1].hash.hex()
    assert stored.identity.households == HOMES


def test_a_step_without_trades_has_no_block_and_crumbs_are_no_trades(engine):
    ledger = write_book(engine)
    head = ledger.head
    assert ledger.append(12, [], [], [], 0.2, 0.01) == head
    assert ledger.append(13, [0], [1], [4e-10], 0.2, 0.01) == head
    assert len(ledger.read().blocks) == 7
    assert ledger.append(14, [0, 2], [1, 1], [4e-10, 0.3], [0.2, 0.2], [0.01, 0.01]) != head
    assert ledger.read().blocks[-1].count == 1
    assert verify(ledger.read()).holds


@pytest.mark.parametrize(
    ("step", "seller", "buyer", "kwh", "price", "fee", "message"),
    [
        (11, 0, 1, 1.0, 0.2, 0.0, "step 11: is not above 11"),
        (12, 0, 0, 1.0, 0.2, 0.0, "two of 4 households"),
        (12, 0, 4, 1.0, 0.2, 0.0, "two of 4 households"),
        (12, -1, 1, 1.0, 0.2, 0.0, "two of 4 households"),
        (12, 0, 1, -1.0, 0.2, 0.0, "-1.0 kWh"),
        (12, 0, 1, float("nan"), 0.2, 0.0, "nan kWh"),
        (12, 0, 1, 1.0, float("inf"), 0.0, "inf EUR/kWh"),
        (12, 0, 1, 1.0, 0.2, -0.1, "fee -0.1"),
        (12, 0, 1, 1e11, 0.2, 0.0, "64 bits"),
    ],
)
def test_a_trade_that_cannot_be_is_refused_and_nothing_is_written(
    engine, step, seller, buyer, kwh, price, fee, message
):
    ledger = write_book(engine)
    with pytest.raises(LedgerError, match=message):
        ledger.append(step, [seller], [buyer], [kwh], price, fee)
    assert len(ledger.read().blocks) == 7
    ledger.append(12, [0], [1], [1.0], 0.2, 0.0)
    assert verify(ledger.read()).holds


def test_a_name_is_used_once_and_a_ledger_that_is_opened_cannot_go_on(engine):
    write_book(engine)
    with pytest.raises(LedgerError, match="written once"):
        Ledger.create(engine, LEDGER_ID, HOMES, OPERATOR)
    with pytest.raises(LedgerError, match="keys ended with the process"):
        Ledger.open(engine, LEDGER_ID).append(12, [0], [1], [1.0], 0.2, 0.0)
    with pytest.raises(LedgerError, match="each id once"):
        Ledger.create(engine, "two", ["A", "A"], OPERATOR)
    with pytest.raises(LedgerError, match="1 to 128"):
        Ledger.create(engine, "", HOMES, OPERATOR)
    with pytest.raises(DataError, match="none of that name"):
        Ledger.open(engine, "two")
    write_book(engine, ledger_id="another")
    assert ledger_ids(engine) == ("another", LEDGER_ID)
    assert verify(read_ledger(engine, LEDGER_ID)).holds


def test_a_block_that_could_not_be_committed_is_not_acknowledged_and_can_be_written_again(engine, monkeypatch):
    ledger = write_book(engine)
    head = ledger.head
    monkeypatch.setattr(store, "PATIENCE_S", 0.05)
    with transaction(engine, write=True), pytest.raises(DataError, match="locked"):
        ledger.append(12, [0], [1], [1.0], 0.2, 0.0)
    assert ledger.head == head
    ledger.append(12, [0], [1], [1.0], 0.2, 0.0)
    assert len(ledger.read().blocks) == 8
    assert verify(ledger.read()).holds


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "change", ["DELETE FROM {0}", "UPDATE {0} SET {1} = {1}", "REPLACE INTO {0} SELECT * FROM {0}"]
)
def test_the_database_refuses_to_change_or_delete_what_is_written(engine, tmp_path, table, change):
    write_book(engine)
    column = "id" if table == "ledgers" else "ledger"
    with pytest.raises(IntegrityError, match=f"{table} is append-only"), engine.begin() as connection:
        connection.execute(text(change.format(table, column)))
    with sqlite3.connect(tmp_path / "k.db") as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute(change.format(table, column))
    raw.close()
    assert verify(read_ledger(engine, LEDGER_ID)).holds


def test_the_operators_key_is_made_once_for_its_owner_alone(tmp_path):
    path = tmp_path / "var" / "operator.key"
    made = read_or_make_operator_key(path)
    assert bytes(read_or_make_operator_key(path)) == bytes(made)
    assert path.read_text() == bytes(made).hex() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="mode 640"):
        read_or_make_operator_key(path)
    path.chmod(0o600)
    path.write_text("abc")
    with pytest.raises(ConfigError, match="64 hex digits"):
        read_or_make_operator_key(path)
