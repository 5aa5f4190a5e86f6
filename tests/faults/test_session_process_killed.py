"""A server is killed in the middle of a demonstration; the next one goes on with the same numbers."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from energy_sim.database import open_database
from energy_sim.session import Room, Sessions
from tests.test_session import Toy, straight

CHILD = """
import json, sys, time
from energy_sim.database import open_database
from energy_sim.session import Room, Sessions
from tests.test_session import Toy

sessions = Sessions(open_database(sys.argv[1]), [Room("toy", Toy)])
session_id, key = sys.argv[2:]
turn = 0
while True:
    turn += 1
    sessions.control(session_id, key, "gain", turn / 7)
    if turn % 5 == 0:
        sessions.control(session_id, key, "scrub", 400 + turn)
        sessions.control(session_id, key, "play")
    frame = sessions.frame(session_id)
    known = [[e.seq, e.tick, e.control, e.value] for e in sessions.events(session_id)]
    print(json.dumps([frame.tick, frame.data, known]), flush=True)
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_killed_while_playing_another_process_continues_with_the_frames_of_an_uninterrupted_run(tmp_path, root):
    url = f"sqlite:///{tmp_path}/sessions.db"
    engine = open_database(url)
    sessions = Sessions(engine, [Room("toy", Toy)])
    record = sessions.create("toy", {"last_tick": 5000}, seed=11, rate=60.0)
    sessions.control(record.id, record.control_key, "scrub", 120)
    sessions.control(record.id, record.control_key, "play")
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, record.id, record.control_key],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = [child.stdout.readline() for _ in range(40)]
    os.kill(child.pid, signal.SIGKILL)
    lines += [line for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.stdout.close()
    assert child.wait(10) == -signal.SIGKILL

    fresh = Sessions(engine, [Room("toy", Toy)])
    frame = fresh.frame(record.id)
    events = fresh.events(record.id)
    kept = [[e.seq, e.tick, e.control, e.value] for e in events]
    shown = [json.loads(line) for line in lines]
    assert len(shown) >= 40
    assert frame.playing
    assert frame.tick > 400
    assert all(event in kept for event in shown[-1][2])
    assert [e.seq for e in sorted(events, key=lambda e: e.seq)] == list(range(1, len(events) + 1))
    assert frame.data == straight(events, frame.tick, 11, 5000)
    for tick in (0, 130, 401, 410):
        assert fresh.frame_at(record.id, tick).data == straight(events, tick, 11, 5000)

    time.sleep(0.1)
    later = fresh.frame(record.id)
    assert later.tick > frame.tick
    assert later.data == straight(events, later.tick, 11, 5000)
    assert fresh.live(record.id).stepped[0] >= 100  # the killed process had stored a state: little was replayed
    engine.dispose()
    with sqlite3.connect(tmp_path / "sessions.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
