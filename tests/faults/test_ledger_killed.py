"""A process that writes a ledger is killed at twelve moments; every block it has acknowledged is there and holds."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from energy_sim.database import open_database
from energy_sim.trading.ledger.reading import read_ledger
from energy_sim.trading.ledger.verify import verify

CHILD = """
import sys
from nacl.signing import SigningKey
from energy_sim.database import open_database
from energy_sim.trading.ledger.store import Ledger

engine, turn = open_database(sys.argv[1]), 0
print("ready", flush=True)
for name in sys.stdin:
    ledger = Ledger.create(engine, name.strip(), [f"H{i}" for i in range(20)], SigningKey(bytes(32)))
    for step in range(1_000_000):
        print(ledger.append(step, range(10), range(10, 20), [0.5] * 10, 0.2, 0.01), flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_no_acknowledged_block_is_lost_and_the_chain_holds(tmp_path, root):
    url = f"sqlite:///{tmp_path}/k.db"
    engine = open_database(url)
    moments = random.Random(7)
    lengths = []
    for turn in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, url],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout.readline() == "ready\n"
        child.stdin.write(f"run {turn}\n")
        child.stdin.flush()
        told = [child.stdout.readline()]
        time.sleep(moments.uniform(0.0, 0.12))
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.readlines()
        assert child.wait(10) == -signal.SIGKILL
        child.stdin.close()
        child.stdout.close()
        acknowledged = [line.strip() for line in told if line.endswith("\n")]

        stored = read_ledger(engine, f"run {turn}")
        kept = [block.hash.hex() for block in stored.blocks]
        assert kept[1 : 1 + len(acknowledged)] == acknowledged
        assert len(kept) - 1 - len(acknowledged) in {0, 1}  # at most the one that was committed and not yet told
        assert verify(stored).first_bad == ""
        lengths.append(len(acknowledged))
    engine.dispose()
    assert min(lengths) >= 1
    assert len(set(lengths)) >= 6  # the moments were different ones
