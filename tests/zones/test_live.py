"""The live room: day by day it shows what the whole period gives, and its state is kept exactly."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from energy_sim.clock import Event
from energy_sim.config import load_config
from energy_sim.errors import DataError
from energy_sim.zones import kernel as k
from energy_sim.zones.live import TOTALS, LiveZones, default_parameters, open_zones
from energy_sim.zones.model import Switches
from energy_sim.zones.pipeline import simulate_request
from energy_sim.zones.simulator import Settings, simulate_period

EVENTS = (
    Event(1, 5, "two_hop", False),
    Event(3, 20, "consumption_factor", 1.5),
    Event(2, 20, "consumption_factor", 1.2),  # given before the one above, so 1.5 holds
    Event(4, 20, "inflow_factor", 0.3),
    Event(5, 33, "local_hydro", False),
    Event(6, 40, "local_hydro", True),
)


@pytest.fixture(scope="module")
def config(root):
    k.compile_kernel()
    return load_config()


@pytest.fixture(scope="module", params=[0, 30])
def live(request, config):
    parameters = {**default_parameters(config, date(2018, 3, 1), 0.9), "warm_up_days": request.param}
    return open_zones(config, parameters)


def stepped(live, last, events=()):
    state, frames = live.start(), []
    changes = {}
    settings = dict(live.defaults())
    for tick in range(last + 1):
        for event in sorted((e for e in events if e.tick == tick), key=lambda e: e.seq):
            settings[event.control] = event.value
        changes[tick] = dict(settings)
        state, frame = live.step(state, tick, settings)
        frames.append(frame)
    return state, frames


def test_steps_equal_the_whole_period_bit_for_bit(live):
    _, frames = stepped(live, 60)
    settings = Settings(Switches(), live.settings(live.defaults()).factors)
    period = simulate_period(live.network, live.inputs, {0: settings}, live.warm_up_days, 60)
    assert str(period.dates[0]) == "2018-03-01"
    for tick, frame in enumerate(frames):
        assert np.array_equal(frame.metrics, period.series[tick])
        assert np.array_equal(frame.day.opening_mwh, period.opening_of(tick))
        assert frame.day.transfers_of(0) == period.transfers_of(tick)
        assert frame.totals_mwh == tuple(period.series[tick][:, list(TOTALS)].sum(axis=0).tolist())
    assert frames[0].previous_mwh == ()
    assert frames[7].previous_mwh == frames[6].totals_mwh


def test_history_with_events_equals_stepping_through_them(live):
    _, frames = stepped(live, 50, EVENTS)
    history = live.history(EVENTS, 50)
    assert np.array_equal(history.series, np.array([frame.metrics for frame in frames]))
    assert [history.transfers_of(t) for t in range(51)] == [frame.day.transfers_of(0) for frame in frames]
    plain = live.history((), 50)
    assert np.array_equal(history.series[:5], plain.series[:5])
    assert not np.array_equal(history.series[5], plain.series[5])
    assert history.series[20, :, k.DEMAND] == pytest.approx(1.5 * plain.series[20, :, k.DEMAND])
    assert history.series[33:40, :, k.LOCAL_HYDRO].sum() == 0


def test_the_command_line_would_give_the_same_days(live, config):
    request = live.request({"input": list(config.zones.input)}, EVENTS, 30, config.root)
    assert request.folders == config.paths(config.zones.input)
    assert sorted(request.changes) == [0, 5, 20]
    period = simulate_request(request, live.inputs)
    assert np.array_equal(period.series[:31], live.history(EVENTS, 30).series)
    assert (request.days, request.start, request.warm_up_days) == (31, date(2018, 3, 1), live.warm_up_days)


def test_the_state_reads_back_exactly(live):
    state = live.start()
    assert live.decode(live.encode(state)) == state
    for tick in range(3):
        state, _ = live.step(state, tick, live.defaults())
        text = live.encode(state)
        assert live.decode(text) == state
        assert live.encode(live.decode(text)) == text
    awkward = type(state)((0.1 + 0.2, 1e-320, 2**53 + 1.0, 0.0, 1 / 3), (1e300,))
    assert live.decode(live.encode(awkward)) == awkward


def test_a_stored_state_of_other_inputs_is_not_taken_up(live):
    changed = live.inputs.demand_mwh.copy()
    changed[3, 0] += 1.0
    other = LiveZones(live.network, replace(live.inputs, demand_mwh=changed), live.warm_up_days, live.reservoir_factor)
    with pytest.raises(ValueError, match="other inputs"):
        other.decode(live.encode(live.start()))


def test_a_kept_state_goes_on_as_if_never_put_away(live):
    _, frames = stepped(live, 12)
    state = live.start()
    for tick in range(13):
        state, frame = live.step(live.decode(live.encode(state)), tick, live.defaults())
        assert np.array_equal(frame.metrics, frames[tick].metrics)


def test_the_reservoir_factor_acts_on_the_opening_level(config):
    parameters = default_parameters(config, date(2018, 3, 1))
    usual, half = (open_zones(config, {**parameters, "reservoir_factor": f}).start() for f in (1.0, 0.5))
    assert half.level_mwh == pytest.approx([level / 2 for level in usual.level_mwh])


def test_ticks_and_dates(live):
    assert live.date_of(0) == date(2018, 3, 1)
    assert live.tick_of(date(2018, 3, 31)) == 30
    assert live.date_of(live.last_tick) == date(2022, 12, 31)
    for day in (date(2018, 2, 28), date(2023, 1, 1)):
        with pytest.raises(DataError, match="outside the session, 2018-03-01 to 2022-12-31"):
            live.tick_of(day)


@pytest.mark.parametrize(
    ("control", "value", "used"),
    [("wind", False, False), ("wind", "off", False), ("two_hop", "ON", True), ("wind_factor", 2, 2.0),
     ("inflow_factor", "0.5", 0.5), ("consumption_factor", 0, 0.0), ("wind_factor", 5.0, 5.0)],
)  # fmt: skip
def test_good_values_of_controls_are_used(live, control, value, used):
    found = live.check(control, value)
    assert (found, type(found)) == (used, type(used))


@pytest.mark.parametrize(
    ("control", "value"),
    [("wind", 1), ("wind", "maybe"), ("wind", None), ("wind_factor", -0.01), ("wind_factor", 5.01),
     ("wind_factor", float("nan")), ("wind_factor", float("inf")), ("wind_factor", True), ("wind_factor", [1]),
     ("wind_factor", 10**400), ("wind_factor", "much"), ("reservoir_factor", 1.0), ("sun", True), ("", 1)],
)  # fmt: skip
def test_bad_values_of_controls_are_refused(live, control, value):
    with pytest.raises(DataError):
        live.check(control, value)


def test_default_parameters_follow_the_configuration(config):
    parameters = default_parameters(config)
    assert parameters == {
        "input": ["input/zones"], "network": "", "start": "2016-01-01", "days": 2557, "warm_up_days": 0,
        "reservoir_factor": 1.0, "hydro_efficiency": 1.0, "loss_factor": 0.0,
    }  # fmt: skip
    assert json.loads(json.dumps(parameters)) == parameters
    later = default_parameters(config, date(2022, 12, 30), 0.5)
    assert (later["start"], later["days"], later["reservoir_factor"]) == ("2022-12-30", 2, 0.5)


def test_default_parameters_reach_beyond_the_configured_days_and_refuse_what_no_data_has(config):
    short = config.model_copy(
        update={"zones": config.zones.model_copy(update={"days": 100, "start": date(2018, 1, 1)})}
    )
    assert default_parameters(short)["days"] == 100
    after = default_parameters(short, date(2022, 12, 1))
    assert (after["start"], after["days"]) == ("2022-12-01", 31)
    before = default_parameters(short, date(2017, 12, 31))
    assert (before["start"], before["days"]) == ("2017-12-31", 101)
    for day in (date(2015, 12, 31), date(2023, 1, 1)):
        with pytest.raises(DataError, match=f"start {day}: the data covers 2016-01-01 to 2022-12-31"):
            default_parameters(config, day)


@pytest.mark.parametrize("start", [date(2014, 1, 1), date(2023, 1, 1), date(9999, 12, 1)])
def test_a_configured_start_outside_the_data_gives_a_new_session_all_days_of_the_data_and_a_warning(
    config, start, caplog
):
    elsewhere = config.model_copy(
        update={"zones": config.zones.model_copy(update={"start": start, "days": 100, "warm_up_days": 30})}
    )
    parameters = default_parameters(elsewhere)
    assert (parameters["start"], parameters["days"]) == ("2016-01-31", 2527)  # 30 days after the first of the data
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f"zones.start={start} data=2016-01-01..2022-12-31" in warning
    assert open_zones(elsewhere, parameters).date_of(0) == date(2016, 1, 31)


def test_more_configured_days_than_the_data_have_end_with_the_data(config):
    longer = config.model_copy(update={"zones": config.zones.model_copy(update={"days": 100_000})})
    assert default_parameters(longer)["days"] == 2557


def test_a_session_that_holds_its_folder_as_text_still_opens(config):
    parameters = {**default_parameters(config, date(2022, 12, 1)), "input": "input/zones"}
    live = open_zones(config, parameters)
    assert live.last_tick == 30
    assert live.request(parameters, (), 3, config.root).folders == (config.root / "input" / "zones",)


def test_warm_up_days_move_the_first_day_of_a_session_into_the_data_and_refuse_an_earlier_one(config):
    warm = config.model_copy(update={"zones": config.zones.model_copy(update={"warm_up_days": 30})})
    parameters = default_parameters(warm)
    assert (parameters["start"], parameters["days"]) == ("2016-01-31", 2527)
    assert open_zones(warm, parameters).date_of(0) == date(2016, 1, 31)
    assert default_parameters(warm, date(2016, 1, 31))["start"] == "2016-01-31"
    with pytest.raises(DataError, match=r"start 2016-01-30: 30 warm-up days do not fit .* choose 2016-01-31 or later"):
        default_parameters(warm, date(2016, 1, 30))


def test_the_neighbours_open_from_a_configuration_with_two_folders(tmp_path, root):
    example = root / "examples" / "norway_neighbours"
    (tmp_path / "mine.yaml").write_text(
        f"zones: {{input: ['{root}/input/zones', '{example}/input'], network: '{example}/network.yaml',"
        " start: 2018-01-01, days: 365}"
    )
    config = load_config(tmp_path / "mine.yaml")
    parameters = json.loads(json.dumps(default_parameters(config)))
    assert parameters["input"] == [str(root / "input" / "zones"), str(example / "input")]
    live = open_zones(config, parameters)
    assert (len(live.network.zones), live.last_tick) == (13, 364)
    assert live.inputs.demand_mwh[0].min() > 0
