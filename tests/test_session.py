import json
import logging
import math
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import event, inspect

from energy_sim.clock import settled
from energy_sim.database import metadata, open_database, transaction
from energy_sim.errors import ConfigError, DataError
from energy_sim.replay import MAX_CHECKPOINTS
from energy_sim.session import Frame, Room, Sessions
from energy_sim.session_store import read_checkpoint, update_session

DAY_S = 86400.0


class Toy:
    """A room whose state depends on every earlier tick, in order, and on the settings of each."""

    def __init__(self, parameters, seed):
        self.last_tick = parameters.get("last_tick", 500)
        if self.last_tick < 1:
            raise DataError(f"toy.last_tick: {self.last_tick} is below 1; give a number of ticks")
        self.seed = seed
        self.stepped = []

    def defaults(self):
        return {"gain": 1.0, "mode": "a"}

    def check(self, control, value):
        if control == "mode" and value not in {"a", "b"}:
            raise DataError(f"toy.mode: {value!r} is unknown; give a or b")
        return value

    def start(self):
        return (self.seed / 3, self.seed)

    def step(self, state, tick, settings):
        self.stepped.append(tick)
        x, n = state
        u = np.random.default_rng([self.seed, tick]).random()
        x = 0.97 * x + settings["gain"] * u if settings["mode"] == "a" else 0.99 * x - u / 3
        n = (31 * n + tick + (settings["mode"] == "b")) % 2**31
        return (x, n), {"tick": tick, "x": x, "n": n, **settings}

    def encode(self, state):
        return json.dumps(state)

    def decode(self, text):
        x, n = json.loads(text)
        return (x, n)


class Wall:
    """A clock the test moves."""

    def __init__(self, now=1_700_000_000.0):
        self.now = now

    def __call__(self):
        return self.now


def straight(events, tick, seed, last_tick=500):
    """The frame of a tick by stepping from tick 0, settings looked up event by event."""
    toy = Toy({"last_tick": last_tick}, seed)
    state, frame = toy.start(), None
    for at in range(tick + 1):
        settings = toy.defaults()
        for past in sorted((e.tick, e.seq, e.control, e.value) for e in events if e.tick <= at):
            settings[past[2]] = past[3]
        state, frame = toy.step(state, at, settings)
    return frame


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/var/sessions.db"


@pytest.fixture
def process(url, wall):
    """A function that gives what a further process would hold: its own engine, its own memory."""
    engines = []

    def start(**config):
        engines.append(open_database(url, busy_timeout_s=config.pop("busy_timeout_s", 5.0)))
        return Sessions(engines[-1], [Room("toy", Toy)], wall, **config)

    yield start
    for engine in engines:
        engine.dispose()


@pytest.fixture
def sessions(process):
    return process()


def played(sessions, wall, ticks, rate=10.0, seed=3, **parameters):
    """A new session, played to a tick at a steady pace, with frames asked for on the way."""
    record = sessions.create("toy", parameters, seed=seed, rate=rate)
    sessions.control(record.id, record.control_key, "play")
    for _ in range(int(ticks / rate / 50)):
        wall.now += 50
        sessions.frame(record.id)
    wall.now += ticks / rate - 50 * int(ticks / rate / 50)
    assert sessions.frame(record.id).tick == ticks
    return record


def test_a_new_session_is_paused_at_tick_zero_with_the_starting_settings(sessions):
    record = sessions.create("toy", {"last_tick": 50}, seed=3, rate=2.0)
    frame = sessions.frame(record.id)
    u = np.random.default_rng([3, 0]).random()
    assert frame == Frame(
        session_id=record.id,
        tick=0,
        last_tick=50,
        playing=False,
        ended=False,
        rate=2.0,
        revision=0,
        epoch=0,
        settings={"gain": 1.0, "mode": "a"},
        next_settings={"gain": 1.0, "mode": "a"},
        data={"tick": 0, "x": 0.97 * 1.0 + u, "n": 31 * 3, "gain": 1.0, "mode": "a"},
    )


def test_playing_shows_the_tick_of_the_moment_and_steps_no_tick_twice(sessions, wall):
    record = sessions.create("toy", {}, seed=3, rate=2.0)
    sessions.control(record.id, record.control_key, "play")
    shown = []
    for _ in range(20):
        shown.append(sessions.frame(record.id).tick)
        sessions.frame(record.id)
        wall.now += 0.75
    assert shown == [math.floor(1.5 * i) for i in range(20)]
    assert sessions.live(record.id).stepped == list(range(shown[-1] + 1))


def test_a_control_acts_from_the_next_tick_on(sessions, wall):
    record = played(sessions, wall, 20)
    before = sessions.frame(record.id)
    sessions.control(record.id, record.control_key, "mode", "b")
    after = sessions.frame(record.id)
    assert (after.tick, after.data) == (20, before.data)
    assert (after.settings["mode"], after.next_settings["mode"]) == ("a", "b")
    sessions.control(record.id, record.control_key, "step")
    assert sessions.frame(record.id).data["mode"] == "b"
    assert [(e.seq, e.tick, e.control, e.value) for e in sessions.events(record.id)] == [(1, 21, "mode", "b")]
    assert [sessions.settings_at(record.id, tick)["mode"] for tick in (20, 21)] == ["a", "b"]


def test_scrubbed_back_to_40_and_forward_again_every_frame_is_identical(sessions, wall):
    record = played(sessions, wall, 100)
    sessions.control(record.id, record.control_key, "gain", 2.5)
    wall.now += 15
    first = [sessions.frame_at(record.id, tick).data for tick in range(251)]
    assert first[250] == straight(sessions.events(record.id), 250, seed=3)
    sessions.control(record.id, record.control_key, "scrub", 40)
    again = [sessions.frame(record.id).data]
    while again[-1]["tick"] < 250:
        wall.now += 0.1
        again.append(sessions.frame(record.id).data)
    assert {frame["tick"]: frame for frame in again} == {frame["tick"]: frame for frame in first[40:]}
    assert len(again) >= 200
    assert first[101]["gain"] == 2.5


def test_frames_since_are_those_of_every_tick_after_it_and_each_is_stepped_once(sessions, wall):
    record = played(sessions, wall, 100)
    wall.now += 1.7
    frames = sessions.frames_since(record.id, 100, 0)
    assert [frame.tick for frame in frames] == list(range(101, 118))
    assert frames[-1] == sessions.frame(record.id)
    assert sessions.live(record.id).stepped == list(range(118))
    assert [frame.data for frame in frames] == [straight((), tick, seed=3) for tick in range(101, 118)]
    again = sessions.frames_since(record.id, 109, 0)
    assert again == frames[9:]
    assert len(sessions.live(record.id).stepped) == 118


def test_frames_since_hold_the_settings_of_their_own_tick(sessions, wall):
    record = played(sessions, wall, 20)
    sessions.control(record.id, record.control_key, "mode", "b")
    sessions.frame(record.id)
    wall.now += 0.35
    frames = sessions.frames_since(record.id, 19, 0)
    assert [(f.tick, f.settings["mode"], f.next_settings["mode"], f.data["mode"]) for f in frames] == [
        (20, "a", "b", "a"),
        (21, "b", "b", "b"),
        (22, "b", "b", "b"),
        (23, "b", "b", "b"),
    ]


@pytest.mark.parametrize(
    ("since_tick", "since_epoch", "limit", "ticks"),
    [
        (80, 0, 20, list(range(81, 101))),
        (79, 0, 20, [100]),
        (97, 0, 3, [98, 99, 100]),
        (96, 0, 3, [100]),
        (100, 0, 20, [100]),
        (101, 0, 20, [100]),
        (99, 1, 20, [100]),
        (-1, 0, 101, list(range(101))),
        (-9, 0, 200, list(range(101))),
    ],
)
def test_too_far_behind_or_not_behind_there_is_only_the_current_frame(
    sessions, wall, since_tick, since_epoch, limit, ticks
):
    record = played(sessions, wall, 100)
    frames = sessions.frames_since(record.id, since_tick, since_epoch, limit)
    assert [frame.tick for frame in frames] == ticks
    assert frames[-1] == sessions.frame(record.id)


def test_frames_since_before_a_reset_are_only_the_first_one(sessions, wall):
    record = played(sessions, wall, 10)
    sessions.control(record.id, record.control_key, "reset")
    sessions.control(record.id, record.control_key, "play")
    wall.now += 1.2
    assert [(f.tick, f.epoch) for f in sessions.frames_since(record.id, 10, 0)] == [(12, 1)]
    assert [f.tick for f in sessions.frames_since(record.id, 10, 1)] == [11, 12]


def test_frames_since_up_to_the_end_say_so_only_in_the_last(sessions, wall):
    record = played(sessions, wall, 20, last_tick=25)
    wall.now += 30
    frames = sessions.frames_since(record.id, 22, 0)
    assert [(f.tick, f.playing, f.ended) for f in frames] == [(23, False, False), (24, False, False), (25, False, True)]
    assert not sessions.record(record.id).playing


def test_frames_since_read_the_database_once_and_keep_the_session_awake(sessions, wall):
    record = played(sessions, wall, 50)
    statements = []
    event.listen(sessions._engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement))
    wall.now += 1
    assert len(sessions.frames_since(record.id, 50, 0)) == 10
    assert [s.split()[0] for s in statements if not s.startswith(("PRAGMA", "BEGIN"))] == ["SELECT"]
    wall.now += 5
    sessions.frames_since(record.id, 60, 0)
    assert sessions.record(record.id).seen == wall.now


def test_viewers_at_different_ticks_share_the_frames_that_were_stepped(sessions, wall):
    record = played(sessions, wall, 30)
    for shown in range(30, 70, 4):
        wall.now += 0.4001
        assert [f.tick for f in sessions.frames_since(record.id, shown, 0)] == list(range(shown + 1, shown + 5))
        assert [f.tick for f in sessions.frames_since(record.id, shown - 16, 0)] == list(range(shown - 15, shown + 5))
    assert sessions.live(record.id).stepped == list(range(71))


def test_an_event_in_the_past_changes_what_came_after_it_and_nothing_before(sessions, wall):
    record = played(sessions, wall, 330)
    old = [sessions.frame_at(record.id, tick).data for tick in (149, 150, 151, 330)]
    sessions.control(record.id, record.control_key, "scrub", 150)
    sessions.control(record.id, record.control_key, "mode", "b")
    new = [sessions.frame_at(record.id, tick).data for tick in (149, 150, 151, 330)]
    assert new[:2] == old[:2]
    assert new[2] != old[2]
    assert new[3] == straight(sessions.events(record.id), 330, seed=3) != old[3]


@pytest.mark.parametrize("at", [298, 299, 300])
def test_an_event_right_before_a_kept_state_is_not_passed_over(sessions, wall, at):
    record = played(sessions, wall, 330)
    sessions.control(record.id, record.control_key, "scrub", at)
    sessions.control(record.id, record.control_key, "gain", 7.0)
    assert sessions.frame_at(record.id, 330).data == straight(sessions.events(record.id), 330, seed=3)


def test_going_back_costs_at_most_a_hundred_steps(sessions, wall):
    record = played(sessions, wall, 450)
    stepped = sessions.live(record.id).stepped
    stepped.clear()
    sessions.control(record.id, record.control_key, "scrub", 425)
    assert sessions.frame(record.id).data == straight((), 425, seed=3)
    assert stepped == list(range(400, 426))


def test_a_step_back_costs_nothing(sessions, wall):
    record = played(sessions, wall, 450)
    stepped = sessions.live(record.id).stepped
    stepped.clear()
    for tick in (449, 448, 447):
        sessions.control(record.id, record.control_key, "back")
        assert sessions.frame(record.id).data == straight((), tick, seed=3)
    assert stepped == []


def test_reset_clears_the_events_and_keeps_numbering_on(sessions, wall):
    record = played(sessions, wall, 20)
    sessions.control(record.id, record.control_key, "mode", "b")
    sessions.control(record.id, record.control_key, "reset")
    frame = sessions.frame(record.id)
    assert (frame.tick, frame.playing, frame.epoch, frame.settings["mode"]) == (0, False, 1, "a")
    assert sessions.events(record.id) == ()
    sessions.control(record.id, record.control_key, "gain", 9.0)
    assert [(e.seq, e.tick) for e in sessions.events(record.id)] == [(2, 1)]
    assert sessions.frame_at(record.id, 30).data == straight(sessions.events(record.id), 30, seed=3)


def test_restart_keeps_the_link_and_takes_new_parameters(process, wall):
    here, there = process(), process()
    record = played(here, wall, 20)
    there.frame(record.id)
    here.control(record.id, record.control_key, "mode", "b")
    here.restart(record.id, record.control_key, {"last_tick": 30})
    for sessions in (here, there):
        frame = sessions.frame(record.id)
        assert (frame.tick, frame.last_tick, frame.epoch, frame.playing) == (0, 30, 1, False)
    assert there.record(record.id).parameters == {"last_tick": 30}
    with pytest.raises(DataError, match=r"toy.last_tick: 0 is below 1"):
        here.restart(record.id, record.control_key, {"last_tick": 0})
    there.restart(record.id, record.control_key, {})
    assert here.frame(record.id).last_tick == 500


def test_at_the_end_it_stops_and_says_so_and_play_does_nothing(sessions, wall):
    record = sessions.create("toy", {"last_tick": 25}, seed=3, rate=10.0)
    sessions.control(record.id, record.control_key, "play")
    wall.now += 2.4
    assert not sessions.frame(record.id).ended
    wall.now += 30
    frame = sessions.frame(record.id)
    assert (frame.tick, frame.playing, frame.ended) == (25, False, True)
    assert not sessions.record(record.id).playing
    assert sessions.control(record.id, record.control_key, "play") == sessions.record(record.id)
    assert sessions.frame(record.id) == frame
    with pytest.raises(DataError, match=r"toy.gain: tick 25 is the last one"):
        sessions.control(record.id, record.control_key, "gain", 2.0)
    sessions.control(record.id, record.control_key, "scrub", 10)
    wall.now += 1
    assert (sessions.frame(record.id).tick, sessions.frame(record.id).playing) == (10, False)


def test_nobody_asking_for_a_minute_pauses_it_at_that_moment(process, wall):
    sessions = process()
    record = played(sessions, wall, 100, rate=10.0, last_tick=10_000)
    wall.now += 36_000
    frame = process().frame(record.id)
    assert (frame.tick, frame.playing) == (100 + 60 * 10, False)
    assert sessions.frame(record.id) == frame
    assert not sessions.record(record.id).playing
    wall.now += 36_000
    sessions.control(record.id, record.control_key, "play")
    wall.now += 1
    assert sessions.frame(record.id).tick == frame.tick + 10


def test_asked_for_now_and_then_it_keeps_playing(sessions, wall):
    record = sessions.create("toy", {"last_tick": 10_000}, rate=2.0)
    sessions.control(record.id, record.control_key, "play")
    for _ in range(10):
        wall.now += 54
        frame = sessions.frame(record.id)
    assert (frame.tick, frame.playing) == (1080, True)


@pytest.mark.parametrize("key", [None, "", "wrong", "ключ"])
def test_without_the_control_key_nothing_can_be_changed(sessions, key):
    record = sessions.create("toy", {})
    for refused in (
        lambda: sessions.control(record.id, key, "play"),
        lambda: sessions.control(record.id, key, "gain", 2.0),
        lambda: sessions.restart(record.id, key, {}),
    ):
        with pytest.raises(DataError, match="this link only watches"):
            refused()
    assert sessions.record(record.id) == record


def test_who_is_no_viewer_gets_the_same_frame_and_keeps_no_session_awake(process, wall):
    sessions = process()
    record = played(sessions, wall, 100, rate=10.0, last_tick=10_000)
    before = sessions.record(record.id)
    for _ in range(5):
        wall.now += 9
        frame = sessions.frame(record.id, awake=False)
        assert frame.data == straight((), frame.tick, seed=3, last_tick=10_000)
    assert (frame.tick, frame.playing) == (100 + 45 * 10, True)
    wall.now += 100
    frame = process().frame(record.id, awake=False)
    assert (frame.tick, frame.playing, frame.revision) == (
        math.floor(10 * (before.seen + 60 - before.anchor_time)),
        False,
        before.revision,
    )
    assert sessions.record(record.id) == before
    assert sessions.frame(record.id).tick == frame.tick
    assert not sessions.record(record.id).playing


def test_playing_are_the_sessions_of_a_room_that_run_and_are_watched(process, wall):
    one = Sessions(process()._engine, [Room("toy", Toy), Room("other", Toy)], wall)
    records = []
    for room in ("toy", "toy", "other", "toy"):
        records.append(one.create(room, {"last_tick": 10_000}))
        wall.now += 1
    first, paused, other, last = records
    assert one.playing("toy") == ()
    for record in records:
        one.control(record.id, record.control_key, "play")
    one.control(paused.id, paused.control_key, "pause")
    assert process().playing("toy") == (first.id, last.id)
    assert process().playing("other") == (other.id,)
    wall.now += 59
    one.frame(last.id)
    one.frame(first.id, awake=False)
    assert one.playing("toy") == (first.id, last.id)
    wall.now += 1
    assert one.playing("toy") == (last.id,)
    assert one.playing("moon") == ()


class Houses(Toy):
    """A room with a control for each of three houses, that says so."""

    def families(self):
        return ("pv_kwp",)

    def check(self, control, value):
        family, _, house = control.partition(".")
        if family == "pv_kwp" and house not in {"house_1", "house_2", "house_3"}:
            raise DataError(f"toy.{control}: there is no such house")
        return super().check(control, value)


@pytest.fixture
def streets(url, wall):
    """A function that gives what a further process would hold of a room with families."""
    engines = []

    def start():
        engines.append(open_database(url))
        return Sessions(engines[-1], [Room("toy", Houses)], wall)

    yield start
    for engine in engines:
        engine.dispose()


def test_a_control_of_one_of_many_is_in_the_settings_from_its_first_event_on(streets, wall):
    sessions = streets()
    record = played(sessions, wall, 20)
    assert sessions.frame(record.id).next_settings == {"gain": 1.0, "mode": "a"}
    sessions.control(record.id, record.control_key, "pv_kwp.house_3", 8.0)
    sessions.control(record.id, record.control_key, "pv_kwp.house_1", 0)
    frame = sessions.frame(record.id)
    assert "pv_kwp.house_3" not in frame.settings
    assert frame.next_settings == {"gain": 1.0, "mode": "a", "pv_kwp.house_3": 8.0, "pv_kwp.house_1": 0}
    wall.now += 1
    for one in (sessions, streets()):
        assert one.frame(record.id).data == straight(sessions.events(record.id), 30, seed=3)
        assert one.frame_at(record.id, 20).data == straight((), 20, seed=3)
        assert one.frame_at(record.id, 21).data["pv_kwp.house_3"] == 8.0
        assert "pv_kwp.house_3" not in one.settings_at(record.id, 20)
    sessions.control(record.id, record.control_key, "scrub", 9)
    sessions.control(record.id, record.control_key, "pv_kwp.house_3", 4.0)
    assert [sessions.settings_at(record.id, t).get("pv_kwp.house_3") for t in (9, 10, 20, 21)] == [None, 4.0, 4.0, 8.0]
    sessions.control(record.id, record.control_key, "reset")
    assert sessions.settings_at(record.id, 400) == {"gain": 1.0, "mode": "a"}


@pytest.mark.parametrize(
    ("control", "says"),
    [
        ("pv_kwp.house_4", "toy.pv_kwp.house_4: there is no such house"),
        ("pv_kwp", "toy.pv_kwp: there is no such house"),
        ("base_load.house_1", r"toy.base_load.house_1: there is no such control; give one of .*mode, pv_kwp.NAME"),
        ("gain.house_1", r"toy.gain.house_1: there is no such control"),
        (".pv_kwp", r"toy..pv_kwp: there is no such control"),
        ("", r"toy.: there is no such control"),
    ],
)
def test_a_control_of_something_that_is_not_there_is_refused(streets, sessions, control, says):
    for one in (streets(), sessions):
        record = one.create("toy", {})
        with pytest.raises(DataError, match=says if one is not sessions else "there is no such control"):
            one.control(record.id, record.control_key, control, 1.0)
        assert one.events(record.id) == ()


def test_what_does_not_exist_is_refused_by_name(sessions):
    record = sessions.create("toy", {})
    with pytest.raises(DataError, match=r"session 'gone': there is none .*start a new one"):
        sessions.frame("gone")
    with pytest.raises(DataError, match=r"session 'gone'"):
        sessions.control("gone", "key", "play")
    with pytest.raises(DataError, match=r"room 'moon': there is none; give one of toy"):
        sessions.create("moon", {})
    with pytest.raises(DataError, match=r"toy.warp: there is no such control; give one of play, .*gain, mode"):
        sessions.control(record.id, record.control_key, "warp", 1)
    with pytest.raises(DataError, match=r"toy.mode: 'c' is unknown; give a or b"):
        sessions.control(record.id, record.control_key, "mode", "c")
    with pytest.raises(DataError, match="nan"):
        sessions.control(record.id, record.control_key, "gain", math.nan)
    with pytest.raises(DataError, match=r"tick: 501 is outside the session; give 0 to 500"):
        sessions.frame_at(record.id, 501)
    for wrong in ({"parameters": {"last_tick": 0}}, {"rate": 0.01}, {"seed": -1}, {"parameters": {"a": {1}}}):
        with pytest.raises(DataError):
            sessions.create("toy", **({"parameters": {}} | wrong))
    assert sessions.events(record.id) == ()


def test_a_room_may_not_take_the_name_of_a_clock_control(sessions, process):
    class Bad(Toy):
        def defaults(self):
            return {"speed": 1}

    with pytest.raises(ConfigError, match=r"bad.speed: the clock has a control of this name"):
        Sessions(sessions._engine, [Room("bad", Bad)]).create("bad", {})


def test_two_processes_see_each_others_controls_at_once(process, wall):
    one, other = process(), process()
    record = played(one, wall, 120)
    other.frame(record.id)
    for turn, sessions in enumerate([one, other] * 5):
        sessions.control(record.id, record.control_key, "gain", float(turn))
        wall.now += 1
        assert one.frame(record.id) == other.frame(record.id)
    assert one.frame(record.id).data == straight(one.events(record.id), 220, seed=3)


def test_a_fresh_process_starts_from_the_stored_checkpoint(process, wall):
    record = played(process(), wall, 450, rate=2.0)
    late = process()
    assert late.frame(record.id).data == straight((), 450, seed=3)
    stepped = late.live(record.id).stepped
    assert stepped[-1] == 450
    assert len(stepped) <= 100 + 60 * 2


def test_a_checkpoint_that_did_not_know_a_later_event_is_not_used(process, wall):
    first = process()
    record = played(first, wall, 450, rate=2.0)
    first.control(record.id, record.control_key, "scrub", 30)
    first.control(record.id, record.control_key, "mode", "b")
    assert process().frame_at(record.id, 450).data == straight(first.events(record.id), 450, seed=3)
    first.control(record.id, record.control_key, "reset")
    assert process().frame_at(record.id, 450).data == straight((), 450, seed=3)


def test_an_event_in_the_very_tick_before_the_stored_checkpoint_makes_it_stale(process, wall):
    first = process()
    record = played(first, wall, 450, rate=2.0)
    with transaction(first._engine) as connection:
        stored = read_checkpoint(connection, record.id).tick
    first.control(record.id, record.control_key, "scrub", stored - 2)
    first.control(record.id, record.control_key, "gain", 7.0)
    assert first.events(record.id)[0].tick == stored - 1
    assert process().frame_at(record.id, 450).data == straight(first.events(record.id), 450, seed=3)


def test_a_session_seen_meanwhile_is_not_paused_by_who_read_it_before(sessions, wall):
    record = sessions.create("toy", {})
    old = sessions.control(record.id, record.control_key, "play")
    with transaction(sessions._engine, write=True) as connection:
        assert update_session(connection, old, replace(old, seen=wall.now + 59))
        assert not update_session(connection, old, settled(old, wall.now + 61, 500))
    assert sessions.record(record.id).playing


def test_at_most_one_checkpoint_a_minute_is_stored(process, wall):
    sessions, other = process(), process()
    written = []

    def count(_connection, _cursor, statement, *_):
        if "session_checkpoints" in statement and statement.startswith(("INSERT", "UPDATE")):
            written.append(wall.now)

    for each in (sessions, other):
        event.listen(each._engine, "before_cursor_execute", count)
    record = sessions.create("toy", {"last_tick": 10_000}, rate=10.0)
    sessions.control(record.id, record.control_key, "play")
    for _ in range(300):
        wall.now += 1
        sessions.frame(record.id)
        other.frame(record.id)
    assert 3 <= len(written) <= 5
    assert min(np.diff(written)) >= 60


def test_how_often_a_checkpoint_is_stored_can_be_chosen(process, wall):
    sessions = process(store_every_s=7)
    record = sessions.create("toy", {"last_tick": 10_000}, rate=1.0)
    sessions.control(record.id, record.control_key, "play")
    stored = set()
    for _ in range(30):
        wall.now += 1
        sessions.frame(record.id)
        with transaction(sessions._engine) as connection:
            checkpoint = read_checkpoint(connection, record.id)
        stored |= set() if checkpoint is None else {checkpoint.tick}
    assert stored == {8, 15, 22, 29}


def test_a_replay_longer_than_a_minute_is_stored_on_the_way(sessions, process, wall, monkeypatch):
    step = Toy.step

    def slow(self, state, tick, settings):
        wall.now += 0.05
        if tick == 4500:
            raise KeyboardInterrupt
        return step(self, state, tick, settings)

    record = sessions.create("toy", {"last_tick": 6000}, seed=3)
    monkeypatch.setattr(Toy, "step", slow)
    with pytest.raises(KeyboardInterrupt):
        sessions.frame_at(record.id, 5000)
    monkeypatch.undo()
    late = process()
    assert late.frame_at(record.id, 5000).data == straight((), 5000, seed=3, last_tick=6000)
    assert late.live(record.id).stepped == list(range(4000, 5001))


def test_a_room_that_opens_slowly_delays_only_those_who_wait_for_it(sessions, wall):
    started, go_on, opened = threading.Event(), threading.Event(), []

    def open_toy(parameters, seed):
        opened.append(seed)
        if seed == 1:
            started.set()
            assert go_on.wait(10)
        return Toy(parameters, seed)

    slow = Sessions(sessions._engine, [Room("toy", open_toy)], wall)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(slow.create, "toy", {}, seed=1) for _ in range(2)]
        assert started.wait(10)
        assert slow.frame(slow.create("toy", {}, seed=2).id).tick == 0
        assert not any(each.done() for each in waiting)
        go_on.set()
        rooms = [slow.live(each.result().id) for each in waiting]
    assert rooms[0] is rooms[1]
    assert sorted(opened) == [1, 2]


def test_a_room_that_did_not_open_can_be_tried_again(sessions, wall):
    failures = ["disk away"]

    def open_toy(parameters, seed):
        if failures:
            raise DataError(failures.pop())
        return Toy(parameters, seed)

    retried = Sessions(sessions._engine, [Room("toy", open_toy)], wall)
    with pytest.raises(DataError, match="disk away"):
        retried.create("toy", {})
    assert retried.frame(retried.create("toy", {}).id).tick == 0


def test_an_unreadable_checkpoint_only_costs_the_replay(process, wall, url, caplog):
    record = played(process(), wall, 450, rate=2.0)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as raw:
        assert raw.execute("UPDATE session_checkpoints SET state = '{'").rowcount == 1
    raw.close()
    with caplog.at_level(logging.WARNING):
        assert process().frame(record.id).data == straight((), 450, seed=3)
    assert "checkpoint not readable" in caplog.text


def test_a_locked_database_fails_no_frame(process, wall, url, caplog):
    sessions = process()
    record = sessions.create("toy", {}, seed=3, rate=10.0)
    sessions.control(record.id, record.control_key, "play")
    raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    wall.now += 30
    with caplog.at_level(logging.WARNING):
        assert sessions.frame(record.id).data == straight((), 300, seed=3)
    assert "session not noted as seen" in caplog.text
    assert "checkpoint not stored" in caplog.text
    raw.execute("ROLLBACK")
    raw.close()
    wall.now += 6
    assert sessions.frame(record.id).tick == 360
    assert sessions.record(record.id).seen == wall.now


def test_a_control_on_a_locked_database_is_refused_with_the_reason(process, url):
    sessions = process(busy_timeout_s=0.1)
    record = sessions.create("toy", {})
    raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(DataError, match=r"sessions.db: database is locked; another program is writing to it"):
        sessions.control(record.id, record.control_key, "play")
    raw.execute("ROLLBACK")
    raw.close()
    assert sessions.control(record.id, record.control_key, "play").playing


def test_ten_viewers_of_one_tick_cost_one_step(sessions):
    record = sessions.create("toy", {}, seed=3)
    sessions.control(record.id, record.control_key, "scrub", 60)
    with ThreadPoolExecutor(10) as pool:
        frames = list(pool.map(lambda _: sessions.frame(record.id), range(40)))
    assert all(frame == frames[0] for frame in frames)
    assert frames[0].tick == 60
    assert sessions.live(record.id).stepped == list(range(61))


def test_threads_controlling_at_once_lose_no_event(process):
    processes = [process(), process()]
    record = processes[0].create("toy", {}, seed=3)
    ready = threading.Barrier(16)

    def toggle(worker):
        ready.wait()
        for i in range(4):
            processes[worker % 2].control(record.id, record.control_key, "gain", worker + i / 10)
            processes[worker % 2].frame(record.id)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(toggle, range(16)))
    events = processes[1].events(record.id)
    assert [e.seq for e in events] == list(range(1, 65))
    assert {e.value for e in events} == {worker + i / 10 for worker in range(16) for i in range(4)}
    assert processes[0].record(record.id).revision == 64
    for sessions in processes:
        assert sessions.frame_at(record.id, 5).data == straight(events, 5, seed=3)


def test_memory_is_bounded_and_nothing_is_lost(process):
    sessions = process(max_in_memory=3, max_open_rooms=2)
    records = [sessions.create("toy", {}, seed=seed) for seed in range(8)]
    for record in records:
        sessions.control(record.id, record.control_key, "scrub", 10)
        sessions.frame(record.id)
    with pytest.raises(DataError):
        sessions.frame("nobody")
    assert sessions.in_memory == 3
    assert len(sessions._rooms) == 2
    assert [sessions.frame(r.id).data for r in records] == [straight((), 10, seed=seed) for seed in range(8)]


def test_sessions_with_equal_parameters_and_seed_share_the_opened_room(sessions):
    ids = [sessions.create("toy", {"last_tick": n}, seed=s).id for n, s in [(9, 1), (9, 1), (9, 2), (8, 1)]]
    rooms = [sessions.live(session_id) for session_id in ids]
    assert rooms[0] is rooms[1]
    assert len({id(room) for room in rooms}) == 3


def test_the_states_held_of_a_long_session_are_bounded(sessions):
    record = sessions.create("toy", {"last_tick": 30_000}, seed=1)
    sessions.frame_at(record.id, 30_000)
    replay = sessions._held[record.id].replay
    assert MAX_CHECKPOINTS / 2 <= len(replay._openings) <= MAX_CHECKPOINTS
    stepped = sessions.live(record.id).stepped
    stepped.clear()
    assert sessions.frame_at(record.id, 299).data == straight((), 299, seed=1)
    assert len(stepped) == 299 % 400 + 1


def test_sessions_unused_for_thirty_days_are_deleted_with_all_they_have(process, wall, url):
    sessions = process()
    old = played(sessions, wall, 450, rate=2.0)
    sessions.control(old.id, old.control_key, "gain", 2.0)
    wall.now += 20 * DAY_S
    young = sessions.create("toy", {})
    wall.now += 10 * DAY_S - 1
    assert process().sweep(wall.now) == 0
    wall.now += 2
    sessions.create("toy", {})
    with pytest.raises(DataError, match="there is none"):
        sessions.frame(old.id)
    assert sessions.frame(young.id).tick == 0
    with sqlite3.connect(url.removeprefix("sqlite:///")) as raw:
        counts = [raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in metadata.tables]
    raw.close()
    assert dict(zip(metadata.tables, counts, strict=True)) == {
        "sessions": 2,
        "session_events": 0,
        "session_checkpoints": 0,
        "ledgers": 0,
        "ledger_members": 0,
        "ledger_blocks": 0,
        "ledger_entries": 0,
        "agents": 0,
        "agents_clock": 0,
    }


def test_after_how_long_a_session_is_deleted_can_be_chosen(process, wall):
    sessions = process(delete_after_s=2 * DAY_S)
    record = sessions.create("toy", {})
    assert sessions.sweep(wall.now + 2 * DAY_S) == 0
    assert sessions.sweep(wall.now + 2 * DAY_S + 1) == 1
    with pytest.raises(DataError, match="there is none"):
        sessions.frame(record.id)


def test_asking_again_reads_one_row_and_writes_nothing(sessions, wall):
    record = played(sessions, wall, 50)
    statements = []
    event.listen(sessions._engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement))
    wall.now += 1
    sessions.frame(record.id)
    assert [s.split()[0] for s in statements if not s.startswith(("PRAGMA", "BEGIN"))] == ["SELECT"]


def test_processes_that_start_at_once_create_the_tables_once(url):
    ready = threading.Barrier(8)

    def start(_):
        ready.wait()
        engine = open_database(url)
        names = set(inspect(engine).get_table_names())
        engine.dispose()
        return names

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(start, range(8))) == [set(metadata.tables)] * 8


def test_a_file_that_is_no_database_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is not a database, only text that is long enough to be a header" * 100)
    with pytest.raises(ConfigError, match=r"broken.db: file is not a database; put back a copy, or move the file away"):
        open_database(f"sqlite:///{path}")


def test_a_database_damaged_while_in_use_gives_one_clear_line(process, wall, url):
    sessions = process()
    record = sessions.create("toy", {})
    sessions._engine.dispose()
    path = url.removeprefix("sqlite:///")
    with open(path, "r+b") as file:  # noqa: PTH123
        file.write(b"x" * 8192)
    with pytest.raises(DataError, match=r"sessions.db: file is not a database; put back a copy"):
        sessions.frame(record.id)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "in memory cannot be shared"),
        ("nonsense", "is no database URL"),
        ("mysql://localhost/x", "mysql is not supported; give sqlite or postgresql"),
        ("sqlite:////proc/nowhere/x.db", "check that the file or the server exists"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_refused(url, said):
    with pytest.raises(ConfigError, match=rf"^database.url: .*{said}"):
        open_database(url)


def test_a_session_takes_a_bounded_number_of_changes_until_it_is_reset(sessions, monkeypatch):
    monkeypatch.setattr("energy_sim.session.MAX_EVENTS", 3)
    record = sessions.create("toy", {"last_tick": 100})
    for value in range(3):
        sessions.control(record.id, record.control_key, "gain", value)
    with pytest.raises(DataError, match="3 changes are the most there are; reset"):
        sessions.control(record.id, record.control_key, "gain", 9)
    sessions.control(record.id, record.control_key, "reset")
    sessions.control(record.id, record.control_key, "gain", 9)
    assert [event.value for event in sessions.events(record.id)] == [9]


def test_a_session_that_stands_at_its_stored_tick_needs_one_step_after_a_restart(sessions, process):
    record = sessions.create("toy", {"last_tick": 6000}, seed=3)
    sessions.control(record.id, record.control_key, "scrub", 3000)
    sessions.frame(record.id)
    late = process()
    assert late.frame(record.id).data == straight((), 3000, seed=3, last_tick=6000)
    assert late.live(record.id).stepped == [3000]
