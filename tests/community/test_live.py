"""The live street: one world whichever way one looks at it, meters that add up, controls that act when they should."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from energy_sim.clock import Event, settings_at
from energy_sim.community import live as live_module
from energy_sim.community.live import LAST_TICK, open_community, session_parameters
from energy_sim.community.model import Bus, meet, records
from energy_sim.community.pipeline import frames
from energy_sim.community.rules import rules_of
from energy_sim.config import load_config
from energy_sim.database import open_database
from energy_sim.devices.appliances import NAMES
from energy_sim.devices.house import Powers
from energy_sim.errors import ConfigError, DataError
from energy_sim.session import Room, Sessions

DEFAULTS = load_config().community
EV, DISHWASHER = NAMES.index("ev"), NAMES.index("dishwasher")
NEVER = {"runs_per_week": 0.0}
OWN = (
    {"pv_kwp": 5.0, "appliances": {"ev": NEVER}},
    {"house_id": "Mill-2", "appliances": {"ev": NEVER, "dishwasher": {}}},
    {"pv_kwp": 0.0, "base_load_kwh": 3000.0, "appliances": []},
)
EVENTS = (
    Event(1, 2, "pv_kwp.house_1", 8.0),
    Event(2, 3, "start.Mill-2.ev", 1),
    Event(3, 5, "time_scale", 60.0),
    Event(4, 9, "flex_load_probability", 0.3),
    Event(6, 12, "base_load_kwh.Mill-2", 1000.0),
    Event(5, 12, "base_load_kwh.Mill-2", 7000.0),  # given before the one above, so 1000 holds
    Event(7, 15, "time_scale", 3600.0),
    Event(8, 15, "start.house_1.ev", 1),
    Event(9, 20, "pv_variation", "disabled"),
    Event(10, 22, "price_house_consumption", 0.0),
    Event(11, 30, "start.house_1.ev", 2),
    Event(12, 33, "time_scale", 1.25),
    Event(13, 36, "flex_load_probability", 1.0),
    Event(14, 40, "pv_kwp.house_1", 0.0),
    Event(15, 41, "time_scale", 900.0),
)
LAST = 60


def street(**changes):
    """A street of the shipped configuration with changes."""
    return open_community(session_parameters(DEFAULTS, changes))


def rules_at(live, changes):
    """The rules of the street's own settings with changes."""
    index = {name: i for i, name in enumerate(live.house_ids)}
    return rules_of(live.houses, index, {**live.defaults(), **changes}, live.parameters.update_interval_ms)


def plain(value):
    """A record as lists and numbers that can be compared: every number in it."""
    if is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def stepped(live, last, events=()):
    """Frames of the first ticks, and the opening states of all of them and of the next one."""
    states, shown = [live.start()], []
    for tick in range(last + 1):
        state, frame = live.step(states[-1], tick, settings_at(live.defaults(), events, tick))
        states.append(state)
        shown.append(frame)
    return shown, states


@pytest.fixture(scope="module")
def live():
    return street(houses=7, seed=4, house_values=OWN)


@pytest.fixture(scope="module")
def stepping(live):
    return stepped(live, LAST, EVENTS)


# ---- one world, whichever way one looks -------------------------------------------------------------------------


def test_the_pipeline_gives_the_frames_of_stepping(live, stepping):
    shown, _ = stepping
    assert [plain(frame) for frame in frames(live, LAST + 1, EVENTS)] == [plain(frame) for frame in shown]
    assert plain(shown) != [plain(frame) for frame in frames(live, LAST + 1)]
    assert [frame.dt_s for frame in shown][3:6] == [1.0, 1.0, 60.0]
    passed = 5 * 1 + 10 * 60 + 18 * 3600 + 8 * 1.25
    assert shown[41].time_s == live.start_ms / 1000 + passed
    assert shown[0].time_s == datetime(2026, 7, 10, 10, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("ticks", [range(LAST + 1), [0], [60], [7, 15, 16, 44], [2, 3, 5, 12, 41, 42]])
def test_any_ticks_can_be_computed_without_those_between(live, stepping, ticks):
    shown, _ = stepping
    found = list(live.powers_at(EVENTS, list(ticks)))
    assert [row[0] for row in found] == list(ticks)
    for tick, time_s, powers, bus in found:
        wanted = shown[tick]
        assert (time_s, plain(powers), bus) == (wanted.time_s, plain(wanted.powers), wanted.bus)
    for tick, world, rules in live.moments(EVENTS, list(ticks)):
        assert world == shown[tick].world
        assert rules.dt_ms == 1000 * shown[tick].dt_s


@pytest.mark.parametrize(("window_s", "most"), [(3600.0, 50), (36_000.0, 4), (5.0, 20), (1e9, 10), (0.5, 1)])
@pytest.mark.parametrize("tick", [0, 1, 14, 33, 41, 60])
def test_a_window_holds_evenly_spaced_ticks_of_its_time_and_the_last_one(live, stepping, window_s, most, tick):
    shown, _ = stepping
    ticks, spacing = live.ticks_of_window(EVENTS, tick, window_s, most)
    since = shown[tick].time_s - window_s
    inside = [t for t in range(tick + 1) if shown[t].time_s >= since]
    assert ticks == sorted({*(t for t in inside if t % spacing == 0), tick})
    assert len(ticks) <= most + 1
    assert spacing == 1 or len(inside) > most * (spacing - 1)  # no wider than needed


def test_the_state_reads_back_exactly_and_goes_on_as_if_never_put_away(live, stepping):
    shown, states = stepping
    for tick, state in enumerate(states[:-1]):
        text = live.encode(state)
        back = live.decode(text)
        assert plain(back) == plain(state)
        assert live.encode(back) == text
        if tick % 5 == 0 or tick in {4, 16, 31}:
            following, frame = live.step(back, tick, settings_at(live.defaults(), EVENTS, tick))
            assert plain(frame) == plain(shown[tick])
            assert plain(following) == plain(states[tick + 1])


@pytest.mark.parametrize("change", [{"seed": 5}, {"houses": 8}, {"place": "47.38,8.55"}, {"price_pv_delivery": 19.0}])
def test_a_state_of_another_street_is_refused(live, stepping, change):
    other = street(**{"houses": 7, "seed": 4, "house_values": OWN, **change})
    with pytest.raises(ValueError, match="another street"):
        other.decode(live.encode(stepping[1][30]))


@pytest.mark.parametrize("text", ["", "7", "[]", "{}", '{"mark": 1}', "null"])
def test_what_is_no_state_is_refused_as_the_session_expects(live, text):
    with pytest.raises((ValueError, KeyError, TypeError)):
        live.decode(text)


class Wall:
    """A clock the test moves."""

    now = 1_780_000_000.0

    def __call__(self):
        return self.now


ROOMS = [Room("community", lambda parameters, _seed: open_community(parameters))]
ASK = """
import hashlib, json, sys
from energy_sim.community.live import open_community
from energy_sim.database import open_database
from energy_sim.session import Room, Sessions
from tests.community.test_live import plain

engine = open_database(sys.argv[1])
sessions = Sessions(engine, [Room("community", lambda parameters, _seed: open_community(parameters))])
print(json.dumps([plain(sessions.frame_at(sys.argv[2], int(tick)).data) for tick in sys.argv[3:]]))
engine.dispose()
"""


@pytest.fixture
def session(tmp_path):
    """A session in a real database with all events given through controls, and what gives further Sessions of it."""
    url, engines, wall = f"sqlite:///{tmp_path}/sessions.db", [], Wall()

    def start():
        engines.append(open_database(url))
        return Sessions(engines[-1], ROOMS, wall)

    sessions = start()
    parameters = session_parameters(DEFAULTS, {"houses": 7, "seed": 4, "house_values": OWN})
    record = sessions.create("community", parameters, rate=1.0)
    for event in sorted(EVENTS, key=lambda event: event.seq):
        sessions.control(record.id, record.control_key, "scrub", event.tick - 1)
        sessions.control(record.id, record.control_key, event.control, event.value)
    yield url, record, sessions, start, wall
    for engine in engines:
        engine.dispose()


def test_a_session_shows_the_same_numbers_also_scrubbed_and_in_another_process_memory(session, stepping):
    _, record, sessions, start, wall = session
    shown, _ = stepping
    assert [(e.tick, e.control, e.value) for e in sessions.events(record.id)] == [
        (e.tick, e.control, e.value) for e in sorted(EVENTS, key=lambda e: (e.tick, e.seq))
    ]
    other = start()
    for tick in (LAST, 0, 41, 15, 16, 3, 30):
        for one in (sessions, other):
            one.control(record.id, record.control_key, "scrub", tick)
            assert plain(sessions.frame(record.id).data) == plain(shown[tick])
            assert plain(other.frame(record.id).data) == plain(shown[tick])
    other.control(record.id, record.control_key, "scrub", 10)
    other.control(record.id, record.control_key, "play")
    for tick in range(10, LAST + 1):
        for one in (sessions, other):
            frame = one.frame(record.id)
            assert frame.tick == tick
            assert plain(frame.data) == plain(shown[tick])
        wall.now += 1
    assert start().frame_at(record.id, LAST).settings["base_load_kwh.Mill-2"] == 1000.0


@pytest.mark.slow
def test_another_process_shows_the_same_numbers(session, stepping, root):
    url, record, _, _, _ = session
    ticks = [0, 14, 45, LAST]
    done = subprocess.run(
        [sys.executable, "-c", ASK, url, record.id, *map(str, ticks)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout) == [json.loads(json.dumps(plain(stepping[0][tick]))) for tick in ticks]


def test_scrubbed_back_before_a_start_the_car_does_not_charge(session, live):
    _, record, sessions, _, _ = session
    for tick, power_w in ((14, 0.0), (15, 11_000.0), (2, 0.0), (16, 11_000.0)):
        sessions.control(record.id, record.control_key, "scrub", tick)
        frame = sessions.frame(record.id).data
        assert frame.powers.appliance_w[0, EV] == power_w
        assert (live.remaining_s(frame, 0)[EV] > 0) == (power_w > 0)
    sessions.control(record.id, record.control_key, "reset")
    assert sessions.frame_at(record.id, 16).data.powers.appliance_w[0, EV] == 0.0


def test_a_second_event_with_the_same_number_starts_nothing_and_other_controls_do_not_start_it_again():
    live = street(houses=1, time_scale=3600.0, house_values=({"appliances": {"ev": NEVER}},))
    events = (
        Event(1, 1, "start.house_1.ev", 1),
        Event(2, 20, "start.house_1.ev", 1),
        Event(3, 30, "price_pv_delivery", 5.0),
    )
    used = sum(frame.powers.appliance_w[0, EV] for frame in frames(live, 60, events))
    assert used == pytest.approx(25_000.0, abs=0.2)


def test_seconds_and_minutes_show_the_same_world():
    """A tick shows the middle of itself: that of a minute from 12:30 is that of a second from 12:30:29.5."""
    quiet = {"houses": 30, "seed": 2, "flex_load_probability": 0.0}
    (minute,) = frames(street(**quiet, time_scale=60.0), 1)
    (second,) = frames(street(**quiet, start="2026-07-10T12:30:29.500"), 1)
    assert minute.time_s + 30 == second.time_s + 0.5
    assert minute.powers.pv_w.tolist() == second.powers.pv_w.tolist()
    assert minute.powers.base_w.tolist() == second.powers.base_w.tolist()
    assert minute.bus.production_w > 10_000
    fast, slow = street(houses=30, seed=2, time_scale=60.0), street(houses=30, seed=2)
    energy = [sum(f.powers.appliance_w * f.dt_s for f in frames(s, n)) for s, n in ((fast, 10), (slow, 600))]
    assert energy[0].sum() > 1e6
    np.testing.assert_allclose(energy[0], energy[1], rtol=0, atol=0.05 * 600)  # to the tenth of a watt shown


def test_the_first_houses_do_not_depend_on_how_many_follow():
    few, many = street(houses=6, time_scale=600.0), street(houses=300, time_scale=600.0)
    assert many.house_ids[:6] == few.house_ids
    for a, b in zip(frames(few, 150), frames(many, 150), strict=True):
        for name in ("pv_w", "base_w", "appliance_w", "flex_w", "net_w"):
            assert getattr(a.powers, name).tolist() == getattr(b.powers, name)[:6].tolist()
    assert a.powers.base_w.min() > 0


@pytest.mark.parametrize(
    ("changes", "same"),
    [({}, True), ({"seed": 2}, False), ({"place": "60,10"}, False), ({"start": "2026-07-10T12:31"}, False)],
)
def test_equal_parameters_give_equal_numbers_and_others_do_not(changes, same):
    one, other = (
        [plain(f.powers) for f in frames(street(**given), 3)] for given in ({"houses": 9}, {"houses": 9, **changes})
    )
    assert (one == other) == same


def test_two_threads_of_settings_do_not_mix_in_what_the_street_remembers(live):
    """The street keeps the rules of the last settings it saw; others in between change nothing."""
    usual, dark = live.defaults(), {**live.defaults(), "pv_kwp.house_1": 0.0, "pv_variation": "disabled"}
    state = live.start()
    alone = [plain(live.step(state, 0, settings)[1]) for settings in (usual, usual, dark, dark)]
    mixed = [plain(live.step(state, 0, settings)[1]) for settings in (usual, dark, usual, dark)]
    assert [mixed[i] for i in (0, 2, 1, 3)] == alone


def test_the_first_and_the_last_moment_there_can_be_are_computed():
    early, late = street(start="1971-01-01T00:00:00"), street(start="2100-12-31T23:59:59", update_interval_ms=2000)
    (frame,) = frames(early, 1)
    assert frame.bus.consumption_w > 0
    events = (Event(1, 0, "time_scale", 3600.0),)
    ((tick, time_s, powers, bus),) = late.powers_at(events, [LAST_TICK])
    assert (tick, time_s) == (999_999, late.start_ms / 1000 + 999_999 * 7200)
    assert np.isfinite(powers.net_w).all()
    assert bus.consumption_w > 0


# ---- appliances people start ------------------------------------------------------------------------------------

CAR = {"houses": 3, "time_scale": 60.0, "house_values": tuple({"appliances": {"ev": NEVER}} for _ in range(3))}


def charging(live, ticks, *events):
    return np.array([frame.powers.appliance_w[:, EV] for frame in frames(live, ticks, events)])


def test_a_started_car_draws_11_kw_for_25_kwh_and_stops():
    live = street(**CAR)
    power = charging(live, 150, Event(1, 3, "start.house_1.ev", 1))
    assert power[:3, 0].tolist() == [0.0] * 3
    assert power[3:139, 0].tolist() == [11_000.0] * 136  # 25 kWh / 11 kW = 136.36 minutes
    assert power[139, 0] == 4000.0  # the remaining 21.8 of 60 s
    assert power[140:].sum() == 0
    assert power[:, 1:].sum() == 0
    assert power.sum() / 60 == pytest.approx(25_000.0, abs=0.01)
    shown, _ = stepped(live, 10, (Event(1, 3, "start.house_1.ev", 1),))
    left = [live.remaining_s(frame, 0)[EV] for frame in shown]
    assert left[2] == 0.0
    assert left[3] == pytest.approx(25 / 11 * 3600 - 60)
    assert left[10] == pytest.approx(25 / 11 * 3600 - 480)
    assert live.remaining_s(shown[10], 1).tolist() == [0.0] * 4


def test_a_second_start_waits_until_the_first_charge_is_done():
    live = street(**CAR)
    twice = (Event(1, 3, "start.house_1.ev", 1), Event(2, 50, "start.house_1.ev", 2))
    power = charging(live, 300, *twice)
    assert power[3:275, 0].tolist() == [11_000.0] * 272  # 272.73 minutes without a break
    assert power[275, 0] == pytest.approx(8000.0, abs=0.1)
    assert power[276:].sum() == 0
    shown, _ = stepped(live, 50, twice)
    assert live.remaining_s(shown[49], 0)[EV] == pytest.approx(25 / 11 * 3600 - 47 * 60)
    assert live.remaining_s(shown[50], 0)[EV] == pytest.approx(2 * 25 / 11 * 3600 - 48 * 60)


def test_two_houses_started_in_one_tick_both_charge():
    power = charging(street(**CAR), 150, Event(1, 3, "start.house_1.ev", 1), Event(2, 3, "start.house_3.ev", 1))
    assert power[:, 0].tolist() == power[:, 2].tolist()
    assert power[:, 0].sum() / 60 == pytest.approx(25_000.0, abs=0.01)
    assert power[:, 1].sum() == 0


def test_an_appliance_is_started_although_no_usual_run_takes_place():
    live = street(**CAR, flex_load_probability=0.0)
    assert charging(live, 5, Event(1, 3, "start.house_2.ev", 9))[:, 1].tolist() == [0.0] * 3 + [11_000.0] * 2


def test_charges_that_wait_for_each_other_for_weeks_are_not_cut_short_by_a_later_change():
    slow = {"ev": {"power_w": 1000.0, "energy_kwh": 160.0, "runs_per_week": 0.0}}
    live = street(houses=1, time_scale=3600.0, house_values=({"appliances": slow},))
    starts = [Event(i, 1 + i, "start.house_1.ev", i) for i in range(1, 4)]
    power = charging(live, 490, *starts, Event(4, 400, "flex_load_probability", 0.5)).ravel()
    assert power[2:482].tolist() == [1000.0] * 480
    assert power[482:].sum() == 0


def test_a_run_of_more_than_a_week_is_refused():
    endless = {"ev": {"power_w": 1000.0, "energy_kwh": 169.0}}
    with pytest.raises(ConfigError, match=r"house_values\[0\]\.appliances\.ev: 169 kWh at 1000 W take 7\.0 days; give"):
        street(houses=1, house_values=({"appliances": endless},))


# ---- controls act from their tick on ----------------------------------------------------------------------------


def test_pv_and_base_load_of_a_house_scale_with_what_was_set():
    live = street(houses=4, house_values=({"pv_kwp": 5.0, "base_load_kwh": 3000.0, "appliances": []},))
    events = (Event(1, 2, "pv_kwp.house_1", 2.5), Event(2, 2, "base_load_kwh.house_1", 6000.0))
    plainly, changed = (list(frames(live, 4, given)) for given in ((), events))
    assert [plain(f) for f in changed[:2]] == [plain(f) for f in plainly[:2]]
    for one, other in zip(plainly[2:], changed[2:], strict=True):
        assert one.powers.pv_w[0] > 1000
        assert other.powers.pv_w[0] == pytest.approx(one.powers.pv_w[0] / 2, abs=0.11)
        assert other.powers.base_w[0] == pytest.approx(one.powers.base_w[0] * 2, abs=0.11)
        assert other.powers.net_w[1:].tolist() == one.powers.net_w[1:].tolist()


def test_without_variation_every_roof_sees_the_same_steady_sky():
    own = tuple({"pv_kwp": 5.0, "azimuth_deg": 180.0, "tilt_deg": 30.0} for _ in range(3))
    steady, cloudy = (street(houses=3, house_values=own, pv_variation=v) for v in ("disabled", "enabled"))
    (still,), (moving,) = frames(steady, 1), frames(cloudy, 1)
    assert len(set(still.powers.pv_w.tolist())) == 1
    assert len(set(moving.powers.pv_w.tolist())) == 3
    (again,) = frames(street(houses=3, house_values=own, pv_variation="disabled", seed=9), 1)
    assert again.powers.pv_w.tolist() == still.powers.pv_w.tolist()  # no seed in a sky without clouds


def test_prices_meter_from_their_tick_on():
    live = street(houses=5, time_scale=600.0)
    shown = list(frames(live, 10, (Event(1, 4, "price_house_consumption", 0.0), Event(2, 4, "price_pv_delivery", 1.0))))
    before, after = shown[3].meters, shown[9].meters
    assert before.bought_ct == pytest.approx(25 * before.import_kwh)
    assert before.import_kwh.sum() > 0
    assert after.bought_ct == pytest.approx(before.bought_ct)
    gained = after.export_kwh - before.export_kwh
    assert gained.sum() > 1
    assert after.sold_ct - before.sold_ct == pytest.approx(gained)


def test_changes_of_the_parameters_belong_to_the_street_from_its_start():
    rows = [[2, "pv_kwp.house_1", 8], [3, "start.house_2.ev", 1.0], [0, "price_pv_delivery", 0]]
    live = street(houses=7, seed=4, house_values=({}, {"appliances": ["ev"]}), changes=rows)
    assert [(e.seq, e.tick, e.control, e.value) for e in live.recorded_events()] == [
        (-1, 0, "price_pv_delivery", 0.0),
        (-3, 2, "pv_kwp.house_1", 8.0),
        (-2, 3, "start.house_2.ev", 1),
    ]
    for row, says in (
        ([1_000_000, "time_scale", 2], "change time_scale: tick 1000000 is outside the session; give 0 to 999999"),
        ([-1, "time_scale", 2], "change time_scale: tick -1 is outside the session"),
        ([1, "pv_kwp.house_9", 2], "pv_kwp.house_9: house 'house_9': there is none"),
    ):
        with pytest.raises(DataError, match=says):
            street(houses=7, changes=[row])


# ---- the bus ----------------------------------------------------------------------------------------------------


def powers_of(pv_w, base_w, ev_w):
    appliances = np.zeros((len(pv_w), len(NAMES)))
    appliances[:, EV] = ev_w
    return Powers(np.array(pv_w), np.array(base_w), appliances)


@pytest.mark.parametrize(
    ("pv_w", "ev_w", "bus"),
    [
        ([5000.0, 0.0, 0.0], [0.0, 0.0, 0.0], Bus(5000.0, 3500.1, 1499.9, 2500.1, 0.0, 1499.9)),
        ([1500.0, 0.0, 0.0], [0.0, 0.0, 0.0], Bus(1500.0, 3500.1, -2000.1, 500.0, 2000.1, 0.0)),
        ([5000.0, 0.0, 0.0], [0.0, 0.0, 11_000.0], Bus(5000.0, 14_500.1, -9500.1, 4000.0, 9500.1, 0.0)),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], Bus(0.0, 3500.1, -3500.1, 0.0, 3500.1, 0.0)),
        ([3500.1, 0.0, 0.0], [0.0, 0.0, 0.0], Bus(3500.1, 3500.1, 0.0, 2500.1, 0.0, 0.0)),
    ],
)
def test_what_neighbours_lack_is_shared_first_and_the_rest_is_the_grids(pv_w, ev_w, bus):
    found = meet(powers_of(pv_w, [1000.0, 2000.0, 500.1], ev_w))
    assert plain(found) == pytest.approx(plain(bus), abs=1e-9)
    assert not any(np.signbit(value) for name, value in plain(found).items() if name != "net_w" or value == 0)  # no -0


def test_records_have_exactly_the_promised_names():
    powers = powers_of([3200.0, 0.0], [450.0, 300.5], [0.0, 11_000.0])
    assert json.loads(json.dumps(records(powers, meet(powers), ("house_1", "b")))) == {
        "houses": [
            {"house_id": "house_1", "pv_power_w": 3200.0, "base_load_w": 450.0, "flex_load_w": 0.0,
             "net_power_w": 2750.0, "running": []},
            {"house_id": "b", "pv_power_w": 0.0, "base_load_w": 300.5, "flex_load_w": 11_000.0,
             "net_power_w": -11_300.5, "running": ["ev"]},
        ],
        "community": {
            "total_production_w": 3200.0, "total_consumption_w": 11_750.5, "net_community_power_w": -8550.5,
        },
        "grid": {"grid_import_w": 8550.5, "grid_export_w": 0.0},
    }  # fmt: skip


# ---- meters and days --------------------------------------------------------------------------------------------


def test_the_days_energies_begin_again_at_local_midnight_and_the_offset_follows_the_clock():
    live = street(houses=4, start="2026-03-28T21:00", time_scale=3600.0)
    shown = list(frames(live, 34))
    clock = [live.iso(frame.time_s)[5:] for frame in shown]
    assert clock[2:7] == [
        "03-28T23:00:00+01:00", "03-29T00:00:00+01:00", "03-29T01:00:00+01:00", "03-29T03:00:00+02:00",
        "03-29T04:00:00+02:00",
    ]  # fmt: skip
    assert [frame.utc_offset_s for frame in shown[3:7]] == [3600, 3600, 7200, 7200]
    used = [sum(frame.day_kwh[4:]) for frame in shown]
    hour = [frame.bus.consumption_w / 1000 for frame in shown]
    assert used[2] == pytest.approx(sum(hour[:3]))
    assert used[3] == pytest.approx(hour[3])
    assert used[25] == pytest.approx(sum(hour[3:26]))  # a day of 23 hours
    assert clock[26] == "03-30T00:00:00+02:00"
    assert used[26] == pytest.approx(hour[26])


def test_months_are_kept_one_by_one_and_the_oldest_joined_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(live_module, "MAX_MONTHS", 2)
    live = street(houses=2, start="2026-01-30T12:00", time_scale=3600.0, update_interval_ms=2000)
    shown = list(frames(live, 1100))
    assert [m.month for m in shown[17].months] == ["2026-01"]
    assert [m.month for m in shown[18].months] == ["2026-01", "2026-02"]
    last = shown[-1]
    assert [m.month for m in last.months] == ["2026-04", "2026-05"]
    assert last.months[0].from_s == live.start_ms / 1000
    assert last.months[0].to_s == last.months[1].from_s
    assert last.months[1].to_s == last.time_s + last.dt_s
    both = [sum(getattr(m, name) for m in last.months) for name in ("export_kwh", "import_kwh", "sold_ct", "bought_ct")]
    meters = last.meters
    for found, wanted in zip(
        both, (meters.export_kwh, meters.import_kwh, meters.sold_ct, meters.bought_ct), strict=True
    ):
        assert found == pytest.approx(wanted, rel=1e-9)
        assert found.sum() > 10


# ---- parameters -------------------------------------------------------------------------------------------------


def test_parameters_follow_the_configuration_and_are_plain_json():
    parameters = session_parameters(DEFAULTS)
    assert json.loads(json.dumps(parameters)) == parameters
    assert parameters["start"] == "2026-07-10T12:30:00+02:00"
    assert (parameters["houses"], parameters["place"], parameters["changes"]) == (5, [47.38, 8.54], [])
    assert session_parameters(DEFAULTS, parameters) == parameters


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"start": "2026-01-10T12:30"}, "2026-01-10T12:30:00+01:00"),
        ({"start": "2026-07-10"}, "2026-07-10T00:00:00+02:00"),
        ({"start": "2026-07-10T12:30:00.500"}, "2026-07-10T12:30:00.500000+02:00"),
        ({"start": "2026-07-10T12:30:00+00:00"}, "2026-07-10T14:30:00+02:00"),
        ({"start": "2026-07-10T12:30", "timezone": "Europe/Oslo", "place": "59.9,10.7"}, "2026-07-10T12:30:00+02:00"),
        ({"start": "2026-07-10T12:30", "timezone": "UTC"}, "2026-07-10T12:30:00+00:00"),
        ({"start": "2026-07-10T12:30Z", "timezone": "Asia/Kolkata", "place": [28, 77]}, "2026-07-10T18:00:00+05:30"),
    ],
)
def test_a_start_is_local_unless_it_says_otherwise_and_is_kept_with_its_offset(changes, start):
    parameters = session_parameters(DEFAULTS, changes)
    assert parameters["start"] == start
    live = open_community(parameters)
    (frame,) = frames(live, 1)
    assert frame.time_s == datetime.fromisoformat(start).timestamp() == live.start_ms / 1000
    assert datetime.fromisoformat(live.iso(frame.time_s)) == datetime.fromisoformat(start)


def test_now_is_the_moment_of_the_call_in_whole_seconds():
    before = datetime.now(UTC).replace(microsecond=0)
    start = datetime.fromisoformat(session_parameters(DEFAULTS, {"start": "now"})["start"])
    assert before <= start <= datetime.now(UTC)
    assert start.microsecond == 0
    assert start.utcoffset() is not None


def test_a_clock_far_from_the_sun_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING, "energy_sim"):
        session_parameters(DEFAULTS, {"timezone": "Europe/Oslo", "place": "59.9,10.7"})
        assert caplog.messages == []
        session_parameters(DEFAULTS, {"timezone": "America/Denver"})
    assert caplog.messages == ["clock far from the sun timezone=America/Denver utc_offset_h=-6 longitude_deg=8.54"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"houses": 0}, "community: houses: 0 is below 1; give 1 or more"),
        ({"houses": 10_001}, "community: houses: 10001 is above 10000; give 10000 or less"),
        ({"houses": 2.5}, "community: houses: 2.5 is refused"),
        ({"houses": True}, "community: houses: True is refused"),
        ({"update_interval_ms": 499}, "community: update_interval_ms: 499 is below 500; give 500 or more"),
        ({"time_scale": float("nan")}, "community: time_scale: nan is refused"),
        ({"seed": -1}, "community: seed: -1 is below 0; give 0 or more"),
        ({"batteries": 1}, "community: batteries: unknown key; the keys here are houses, update_interval_ms, "),
        ({"start": "soon"}, "community: start: 'soon' is no moment; write it as 2026-07-10T12:30, or now"),
        ({"start": "1970-12-31T00:00"}, "community: start: 1970-12-31T00:00 is outside the years 1971 to 2100; choose"),
        ({"timezone": "Europe/Atlantis"}, "community: timezone: 'Europe/Atlantis' is no time zone; give a name such"),
        ({"place": "91,8"}, "community: place: 91,8 is outside the limits; give latitude -66 to 66, longitude"),
        ({"place": "here"}, "community: place: 'here' is no place; give latitude and longitude in degrees"),
        ({"price_pv_delivery": -1}, "community: price_pv_delivery: -1 is below 0"),
        ({"price_pv_delivery": "20"}, "community: price_pv_delivery: '20' is refused"),
        ({"pv_variation": "off"}, "community: pv_variation: 'off' is not one of 'enabled' or 'disabled'; choose one"),
        ({"house_values": [{}] * 6}, "community: house_values: 6 houses are given for a street of 5; give at most so"),
        ({"house_values": [{"pv_kwp": -1}]}, "community: house_values[0].pv_kwp: -1 is below 0"),
        ({"changes": 5}, "community: changes: 5 is refused"),
        ({"changes": [5]}, "community: changes[0]: 5 is refused"),
        ({"changes": [[0, "time_scale"]]}, "community: changes[0][2]: is missing; add it"),
    ],
)
def test_a_bad_parameter_is_refused_with_its_limit_and_mend(changes, says):
    with pytest.raises(ConfigError) as refused:
        session_parameters(DEFAULTS, changes)
    (problem,) = refused.value.problems
    assert problem.startswith(says)
    with pytest.raises(ConfigError) as again:  # parameters of an old session are checked the same way
        open_community({**session_parameters(DEFAULTS), **changes})
    assert again.value.problems == (problem,)


def test_all_problems_are_named_at_once():
    with pytest.raises(ConfigError) as refused:
        session_parameters(
            DEFAULTS,
            {"houses": 0, "place": "x", "wind": 1, "house_values": [{"tilt_deg": 91}, {"appliances": ["tv"]}]},
        )
    assert [problem.split(": ")[1] for problem in refused.value.problems] == [
        "houses", "place", "house_values[0].tilt_deg", "house_values[1].appliances", "wind",
    ]  # fmt: skip


def test_own_values_of_houses_are_used_and_two_equal_ids_refused():
    live = street(houses=5, house_values=OWN)
    assert live.house_ids == ("house_1", "Mill-2", "house_3", "house_4", "house_5")
    assert live.index_of("Mill-2") == 1
    assert live.houses.pv_kwp[[0, 2]].tolist() == [5.0, 0.0]
    for values in ([{"house_id": "a"}, {"house_id": "a"}], [{"house_id": "house_2"}]):
        with pytest.raises(
            ConfigError, match=r"house_values: house_id '\w+' is given to two houses; give each its own"
        ):
            street(houses=5, house_values=values)
    with pytest.raises(DataError, match="house 'house_2': there is none; the street has house_1 to house_5"):
        live.index_of("house_2")


# ---- a year -----------------------------------------------------------------------------------------------------

HALF_HOUR_S = 1800


@pytest.fixture(scope="module")
def year():
    """A year of 100 houses in half hours: kWh of base load, PV (by month), appliances, and the last frame."""
    live = street(houses=100, start="2025-01-01T00:00", time_scale=float(HALF_HOUR_S))
    base, appliances, pv = np.zeros(100), np.zeros((100, len(NAMES))), np.zeros((12, 100))
    for frame in frames(live, 365 * 48):
        base += frame.powers.base_w
        appliances += frame.powers.appliance_w
        pv[datetime.fromtimestamp(frame.time_s, live.timezone).month - 1] += frame.powers.pv_w
    return live, *(energy * HALF_HOUR_S / 3.6e6 for energy in (base, appliances, pv)), frame


@pytest.mark.slow
def test_in_a_year_every_house_uses_its_base_load_within_three_percent(year):
    live, base, *_ = year
    targets = live.houses.base_load_kwh
    assert 2000 <= targets.min() < 2200
    assert 5500 < targets.max() <= 6000
    assert np.abs(base / targets - 1).max() < 0.03


@pytest.mark.slow
def test_in_a_year_every_roof_yields_850_to_1100_kwh_per_kwp_and_little_in_january(year):
    live, _, _, pv, _ = year
    kwp = live.houses.pv_kwp
    roofs = kwp > 0
    assert 60 <= roofs.sum() <= 80
    per_kwp = pv.sum(axis=0)[roofs] / kwp[roofs]
    assert 850 < per_kwp.min() < per_kwp.max() < 1100
    assert 900 < pv.sum() / kwp.sum() < 1050
    assert pv[:, ~roofs].sum() == 0
    january, july = pv[0].sum(), pv[6].sum()
    assert 0.1 < january / july < 0.4
    assert (pv[0, roofs] / pv[6, roofs]).max() < 0.4


@pytest.mark.slow
def test_in_a_year_appliances_run_as_often_a_week_as_configured_within_five_percent(year):
    live, _, appliances, *_ = year
    fleet = live.houses.fleet
    energy = fleet.power_w * fleet.duration_s / 3.6e6
    owned = energy > 0
    assert (appliances[~owned] == 0).all()
    for a, configured in enumerate((3.5, 2.5, 3.0, 50.0)):
        owners = owned[:, a]
        assert owners.sum() >= 25
        assert set(fleet.runs_per_week[owners, a]) == {configured}
        runs = (appliances[owners, a] / energy[owners, a]).mean() / (365 / 7)
        assert runs == pytest.approx(configured, rel=0.05)


@pytest.mark.slow
def test_in_a_year_the_meters_add_up_what_flowed_and_the_months_the_meters(year):
    _, base, appliances, pv, frame = year
    m = frame.meters
    assert m.produced_kwh == pytest.approx(pv.sum(), rel=1e-9)
    assert m.consumed_kwh == pytest.approx(base.sum() + appliances.sum(), rel=1e-9)
    assert m.grid_import_kwh - m.grid_export_kwh == pytest.approx(m.consumed_kwh - m.produced_kwh, abs=1e-6)
    assert m.import_kwh.sum() - m.export_kwh.sum() == pytest.approx(m.consumed_kwh - m.produced_kwh, abs=1e-6)
    assert [month.month for month in frame.months] == [f"2025-{n:02}" for n in range(1, 13)]
    assert sum(month.import_kwh for month in frame.months) == pytest.approx(m.import_kwh, rel=1e-9)
    assert sum(month.grid_import_kwh for month in frame.months) == pytest.approx(m.grid_import_kwh, rel=1e-9)
    result = m.bought_ct.sum() - m.sold_ct.sum() + 6 * m.grid_export_kwh - 30 * m.grid_import_kwh
    assert m.result_ct == pytest.approx(result, rel=1e-9)
