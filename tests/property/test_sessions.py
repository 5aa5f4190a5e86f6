"""However controls are spread over processes, everybody sees what one process alone would have shown."""

import math
import multiprocessing
import tempfile
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy_sim.database import open_database
from energy_sim.errors import DataError
from energy_sim.session import Room, Sessions
from tests.test_session import Toy, Wall, straight

LAST_TICK = 260
ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["play", "play", "pause", "step", "back", "reset"]), st.none()),
    st.tuples(st.just("speed"), st.sampled_from([0.1, 0.7, 3.0, 59.9])),
    st.tuples(st.just("scrub"), st.integers(0, LAST_TICK)),
    st.tuples(st.just("gain"), st.floats(-3, 3)),
    st.tuples(st.just("mode"), st.sampled_from("ab")),
    st.tuples(st.just("frame"), st.none()),
    st.tuples(st.just("restart"), st.sampled_from([LAST_TICK, 40])),
)
SCRIPTS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.03, 0.4, 3.0, 17.0, 59.0, 61.0, 4000.0]), ACTIONS),
    min_size=1,
    max_size=25,
)


class Served:
    """What one process has: its own engine, its own memory, and a clock that is told the time."""

    def __init__(self, url, max_in_memory=64):
        self.wall = Wall()
        self.engine = open_database(url)
        self.sessions = Sessions(self.engine, [Room("toy", Toy)], self.wall, max_in_memory=max_in_memory)

    def do(self, now, session_id, key, action, value):
        """Apply one action and look at the frame; an event refused at the last tick changes nothing."""
        self.wall.now = now
        refused = None
        try:
            if action == "restart":
                self.sessions.restart(session_id, key, {"last_tick": value})
            elif action == "scrub":
                last_tick = self.sessions.live(session_id).last_tick
                self.sessions.control(session_id, key, action, min(value, last_tick))
            elif action != "frame":
                self.sessions.control(session_id, key, action, value)
        except DataError as error:
            refused = str(error)
        return refused, replace(self.sessions.frame(session_id), session_id="")


def serve(url, pipe):
    """The loop of a real second process: a task comes in, its outcome goes out; None ends it."""
    served = Served(url)
    while (task := pipe.recv()) is not None:
        pipe.send(served.do(*task))
    served.engine.dispose()


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield name


@pytest.fixture(scope="module")
def alone(folder):
    served = Served(f"sqlite:///{folder}/alone.db")
    yield served
    served.engine.dispose()


@pytest.fixture(scope="module")
def pair(folder):
    both = [Served(f"sqlite:///{folder}/pair.db"), Served(f"sqlite:///{folder}/pair.db", max_in_memory=1)]
    yield [served.do for served in both], both[0].sessions
    for served in both:
        served.engine.dispose()


@pytest.fixture(scope="module")
def two_processes(folder):
    url = f"sqlite:///{folder}/processes.db"
    creator = Served(url)
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe() for _ in range(2)]
    children = [spawn.Process(target=serve, args=(url, theirs)) for _, theirs in pipes]
    for child in children:
        child.start()

    def ask(mine):
        def do(*task):
            mine.send(task)
            assert mine.poll(30), "the other process does not answer"
            return mine.recv()

        return do

    yield [ask(mine) for mine, _ in pipes], creator.sessions
    for mine, _ in pipes:
        mine.send(None)
    for child in children:
        child.join(10)
        assert child.exitcode == 0
    creator.engine.dispose()


def check_script(alone, doers, sessions, script):
    """Play a script in one process and spread over two, and hold both against plain stepping from tick 0."""
    sessions._clock_s.now = alone.wall.now
    reference = alone.sessions.create("toy", {"last_tick": LAST_TICK}, seed=5, rate=3.0)
    spread = sessions.create("toy", {"last_tick": LAST_TICK}, seed=5, rate=3.0)
    now = alone.wall.now
    for who, wait, (action, value) in script:
        now += wait
        expected = alone.do(now, reference.id, reference.control_key, action, value)
        outcome = doers[who](now, spread.id, spread.control_key, action, value)
        assert outcome == expected
        assert doers[1 - who](now, spread.id, spread.control_key, "frame", None) == (None, expected[1])
        frame = outcome[1]
        assert frame.data == straight(sessions.events(spread.id), frame.tick, 5, frame.last_tick)
    known = sessions.events(spread.id)
    assert known == alone.sessions.events(reference.id)
    sessions._clock_s.now = now
    current = sessions.frame(spread.id)
    shown = sessions.frames_since(spread.id, current.tick - 6, current.epoch)
    assert [frame.tick for frame in shown] == list(range(max(current.tick - 5, 0), current.tick + 1))
    assert [frame.data for frame in shown] == [straight(known, f.tick, 5, f.last_tick) for f in shown]
    assert shown[-1] == current


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=SCRIPTS)
def test_controls_spread_over_two_servers_give_the_frames_of_one(alone, pair, script):
    check_script(alone, *pair, script)


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=SCRIPTS)
def test_controls_spread_over_two_real_processes_give_the_frames_of_one(alone, two_processes, script):
    check_script(alone, *two_processes, script)


@settings(max_examples=60, deadline=None)
@given(
    waits=st.lists(st.floats(0, 50), min_size=1, max_size=12),
    rates=st.lists(st.floats(0.1, 60), min_size=12, max_size=12),
)
def test_time_played_at_changing_speed_is_the_integral_of_the_speed(alone, waits, rates):
    record = alone.sessions.create("toy", {"last_tick": 10**9}, rate=1.0)
    alone.sessions.control(record.id, record.control_key, "play")
    passed = 0.0
    for wait, rate in zip(waits, rates, strict=False):
        alone.sessions.control(record.id, record.control_key, "speed", rate)
        alone.wall.now += wait
        passed += rate * wait
    stored = alone.sessions.record(record.id)
    at = stored.anchor_tick + stored.ticks_per_second * (alone.wall.now - stored.anchor_time)
    assert math.isclose(at, passed, rel_tol=1e-6, abs_tol=1e-3)
