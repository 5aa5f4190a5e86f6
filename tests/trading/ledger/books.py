"""Ledgers that the tests work on: four homes, six blocks of three trades, known numbers."""

import itertools
import sqlite3

from nacl.signing import SigningKey

from energy_sim.database import open_database
from energy_sim.trading.ledger.store import Ledger

HOMES = ("A", "B", "C-1", "D")
OPERATOR = SigningKey(bytes(range(32)))
LEDGER_ID = "trading_20260131_120000_a1b2c3"
STEPS = (2, 3, 5, 8, 9, 11)
TABLES = ("ledgers", "ledger_members", "ledger_blocks", "ledger_entries")


def open_book(folder):
    return open_database(f"sqlite:///{folder}/k.db")


def write_book(engine, signed=True, ledger_id=LEDGER_ID, steps=STEPS, operator=OPERATOR):
    """Per step A sells 1 kWh to B and 0.5 kWh to D, C-1 0.25 kWh to D; 0.20 EUR/kWh, fee 0.01 EUR/kWh."""
    ticking = itertools.count(1_700_000_000_000_000_000, 1_000_000_000)
    ledger = Ledger.create(engine, ledger_id, HOMES, operator, signed, clock_ns=lambda: next(ticking))
    for step in steps:
        ledger.append(step, [0, 0, 2], [1, 3, 3], [1.0, 0.5, 0.25], 0.2, 0.01)
    return ledger


def behind_the_triggers(folder, *statements):
    """Change the file as someone would who owns it: triggers dropped, foreign keys off."""
    with sqlite3.connect(folder / "k.db") as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        changed = 0
        for statement, values in statements:
            changed += raw.execute(statement, values).rowcount
    raw.close()
    assert changed > 0
