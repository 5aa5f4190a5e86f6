"""How many trades a second the ledger takes, committed, at 100 a block; and how many a second are verified."""

import tempfile
import time
from pathlib import Path

import numpy as np
from nacl.signing import SigningKey

from benchmarks.measure import Row, Size, without_gc
from energy_sim.database import open_database
from energy_sim.trading.ledger.store import Ledger
from energy_sim.trading.ledger.verify import verify

HOUSEHOLDS = 200
TRADES = 100  # a block


def trades_per_second(signed: bool, repeats: int, blocks: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Trades a second written and verified, one number a repeat, each with a ledger of its own."""
    rng = np.random.default_rng(1)
    written, verified = [], []
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'ledger.db'}")
        for repeat in range(repeats + 1):
            homes = [f"H{i}" for i in range(HOUSEHOLDS)]
            ledger = Ledger.create(engine, f"ledger {repeat}", homes, SigningKey.generate(), signed)
            sellers = rng.integers(0, HOUSEHOLDS, (blocks, TRADES))
            buyers = (sellers + rng.integers(1, HOUSEHOLDS, (blocks, TRADES))) % HOUSEHOLDS
            kwh = rng.uniform(0.1, 3.0, (blocks, TRADES))
            with without_gc():
                began = time.perf_counter()
                for step in range(blocks):
                    ledger.append(step, sellers[step], buyers[step], kwh[step], 0.2, 0.01)
                written.append(blocks * TRADES / (time.perf_counter() - began))
            stored = ledger.read()
            with without_gc():
                began = time.perf_counter()
                found = verify(stored)
                verified.append(blocks * TRADES / (time.perf_counter() - began))
            assert found.holds
            assert found.trades == blocks * TRADES
        engine.dispose()
    return tuple(written[1:]), tuple(verified[1:])  # the first does not count


def measure(size: Size) -> list[Row]:
    """Rows of the ledger."""
    rows = []
    for signed, at_least in ((False, 10_000.0), (True, 3_000.0)):
        kind = "signed by both parties" if signed else "unsigned"
        written, verified = trades_per_second(signed, size.repeats, size.blocks)
        rows.append(Row(f"trades written, {kind}", "1/s", written, at_least=at_least))
        rows.append(Row(f"trades verified, {kind}", "1/s", verified))
    return rows
