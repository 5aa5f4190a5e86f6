"""Appliances start as often as they should, when they should, wait for each other, and lose no energy."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from energy_sim.devices.appliances import (
    APPLIANCES,
    NAMES,
    ApplianceRuns,
    Fleet,
    ManualStart,
    begins,
    draw_starts,
    start_weights,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAY_S = 86400
ALWAYS, NEVER = ((0.0, 1.0),), ((0.0, 0.0),)
DISHWASHER, EV, HEAT_PUMP = NAMES.index("dishwasher"), NAMES.index("ev"), NAMES.index("heat_pump")
YEAR_DAYS = range(20089, 20089 + 365)  # 1 January to 31 December 2025
T = 20100 * DAY_S + 6000.0
PER_WEEK = np.array([appliance.runs_per_week for appliance in APPLIANCES])
ENERGY_KWH = np.array([appliance.energy_kwh for appliance in APPLIANCES])


def _fleet(houses: int, rate: float = 1.0) -> Fleet:
    """Every house owns everything."""
    columns = {name: [getattr(a, name) for a in APPLIANCES] for name in ("power_w", "duration_s", "runs_per_week")}
    arrays = {name: np.tile(np.array(column), (houses, 1)) for name, column in columns.items()}
    arrays["runs_per_week"] *= rate
    return Fleet(**arrays)


def _runs(houses: int = 1, seed: int = 1) -> ApplianceRuns:
    return ApplianceRuns(_fleet(houses), BERLIN, seed)


def _energy_kwh(runs: ApplianceRuns, since: float, until: float, dt: float, manual=(), probability=ALWAYS):
    ticks = round((until - since) / dt)
    return sum(runs.power_w(since + k * dt, dt, probability, manual) for k in range(ticks)) * dt / 3.6e6


def test_a_run_uses_exactly_the_energy_the_appliance_needs() -> None:
    assert pytest.approx([1.1, 0.7, 25.0, 1.65], rel=1e-12) == ENERGY_KWH
    assert NAMES == ("dishwasher", "washing_machine", "ev", "heat_pump")
    assert all(len(a.season) == 12 and len(a.hours) == 24 for a in APPLIANCES)


def test_a_heat_pump_uses_4300_kwh_a_year_and_a_wallbox_3900() -> None:
    yearly = PER_WEEK * 365.25 / 7 * ENERGY_KWH
    assert yearly[HEAT_PUMP] == pytest.approx(4305, abs=1)
    assert yearly[EV] == pytest.approx(3913, abs=1)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_over_a_year_appliances_run_as_often_as_configured(share: float) -> None:
    houses = 200
    runs = _runs(houses)
    kwh = sum(runs.power_w(day * DAY_S, DAY_S, ((0.0, share),), ()).sum(axis=0) for day in YEAR_DAYS) * 24 / 1000
    assert kwh / ENERGY_KWH / houses / 365 * 7 == pytest.approx(PER_WEEK * share, rel=0.05)


@pytest.fixture(scope="module")
def year_of_starts() -> tuple[np.ndarray, np.ndarray]:
    """Rows (appliance) and times of a year's starts of 60 houses."""
    rate = _fleet(60).runs_per_week
    days = [(day, draw_starts(rate, BERLIN, 3, day)) for day in YEAR_DAYS]
    times = np.concatenate([day * DAY_S + starts.time_s for day, starts in days])
    return np.concatenate([starts.row for _, starts in days]) % len(APPLIANCES), times


@pytest.mark.parametrize("kind", range(len(APPLIANCES)))
def test_starts_follow_the_months_and_the_local_hours(kind: int, year_of_starts) -> None:
    rows, times = year_of_starts
    moments = [datetime.fromtimestamp(t, BERLIN) for t in times[rows == kind][:: 10 if kind == HEAT_PUMP else 1]]
    by_hour = np.bincount([m.hour for m in moments], minlength=24)
    by_month = np.bincount([m.month - 1 for m in moments], minlength=12) / [
        31,
        28,
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ]
    hours, season = np.array(APPLIANCES[kind].hours), np.array(APPLIANCES[kind].season)
    assert len(moments) > 7000
    assert by_hour / by_hour.mean() == pytest.approx(hours / hours.mean(), abs=0.25)  # 4 deviations of the tallest
    assert by_month / by_month.mean() == pytest.approx(season / season.mean(), abs=0.16)


def test_a_heat_pump_starts_six_times_as_often_in_january_as_in_july() -> None:
    # 0.2 + 0.8 * 12 * 0.170 = 1.832 against 0.2 + 0.8 * 12 * 0.04 / 3 = 0.328
    january, july = (start_weights(BERLIN, day).mean(axis=1)[HEAT_PUMP] for day in (20100, 20281))
    assert january / july == pytest.approx(1.832 / 0.328)


def test_the_weights_of_a_year_have_a_mean_of_one() -> None:
    weights = np.array([start_weights(BERLIN, day).mean(axis=1) for day in YEAR_DAYS])
    assert weights.mean(axis=0) == pytest.approx(np.ones(len(APPLIANCES)), rel=2e-3)


def test_after_the_clock_change_starts_follow_the_local_clock() -> None:
    # 17:00 UTC is 18:00 in Berlin on 29 March 2025 and 19:00 on the 30th, when the clock went forward
    before, changed = (int(datetime(2025, 3, day, tzinfo=UTC).timestamp()) // DAY_S for day in (29, 30))
    hours = APPLIANCES[DISHWASHER].hours
    ratio = start_weights(BERLIN, changed)[DISHWASHER, 68] / start_weights(BERLIN, before)[DISHWASHER, 68]
    assert ratio == pytest.approx(hours[19] / hours[18])
    # on 30 March the hours 1 and 3 follow each other, the end of the heat pump's night comes an hour earlier in UTC
    night = start_weights(BERLIN, changed)[HEAT_PUMP] / start_weights(BERLIN, changed)[HEAT_PUMP, 0]
    assert night[11] == pytest.approx(1.0)
    assert night[12] == pytest.approx(1.1 / 0.7)  # 03:00 UTC is 05:00 local


def test_runs_wait_for_the_one_before_in_their_row_only() -> None:
    # row 4: 0-10, asked at 5 begins at 10, asked at 12 begins at 20, free again at 40; row 7 has runs of 3 seconds
    row, asked = np.array([4, 4, 4, 4, 7, 7]), np.array([0.0, 5.0, 12.0, 40.0, 1.0, 2.0])
    found = begins(row, asked, np.where(row == 4, 10.0, 3.0))
    assert found.tolist() == [0.0, 10.0, 20.0, 40.0, 1.0, 4.0]


def test_waiting_agrees_with_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    row = np.sort(rng.integers(0, 30, 600))
    asked = np.concatenate([np.sort(rng.random((row == r).sum())) * 1000 - 400 for r in range(30)])
    duration = (20.0 + row) * 2
    free: dict[int, float] = {}
    wanted = []
    for r, time, length in zip(row.tolist(), asked, duration, strict=True):
        wanted.append(max(time, free.get(r, -1e9)))
        free[r] = wanted[-1] + length
    assert begins(row, asked, duration) == pytest.approx(wanted, abs=1e-9)


def test_a_started_dishwasher_runs_two_hours_at_550_w_and_then_the_waiting_one() -> None:
    runs, manual = _runs(), (ManualStart(T, 0, DISHWASHER), ManualStart(T + 1000, 0, DISHWASHER))

    def power(since: float, dt: float) -> float:
        return float(runs.power_w(T + since, dt, NEVER, manual)[0, DISHWASHER])

    assert power(-100, 100) == 0.0
    assert power(-100, 200) == pytest.approx(275.0)
    assert power(7000, 400) == pytest.approx(550.0)
    assert power(14300, 400) == pytest.approx(137.5)  # ends at 14,400
    assert power(14400, 3600) == 0.0


def test_the_time_that_remains_counts_the_runs_that_wait_by_then() -> None:
    runs, manual = _runs(2), (ManualStart(T, 1, EV), ManualStart(T + 1000, 1, EV))
    run_s = 25 * 3600 / 11

    def remaining(since: float, house: int = 1) -> list[float]:
        return runs.remaining_s(T + since, NEVER, manual, house).tolist()

    assert remaining(-1) == [0.0] * 4
    assert remaining(999) == pytest.approx([0, 0, run_s - 999, 0])
    assert remaining(1000) == pytest.approx([0, 0, 2 * run_s - 1000, 0])
    assert remaining(2 * run_s) == pytest.approx([0.0] * 4, abs=1e-6)
    assert remaining(1000, house=0) == [0.0] * 4


def test_a_started_run_joins_the_queue_of_the_usual_ones() -> None:
    runs, manual = _runs(30), (ManualStart(T, 3, HEAT_PUMP),)
    days = (T - DAY_S, T + 3 * DAY_S, 7200.0)
    more = _energy_kwh(runs, *days, manual) - _energy_kwh(runs, *days)
    expected = np.zeros((30, 4))
    expected[3, HEAT_PUMP] = 1.65
    assert more == pytest.approx(expected, abs=1e-9)


def test_fifty_charges_asked_for_at_once_take_five_days_and_give_all_their_energy() -> None:
    # 50 * 25 kWh / 11 kW = 113.6 h, longer than a day usually looks back
    runs, manual = _runs(), tuple(ManualStart(T + k, 0, EV) for k in range(50))
    assert _energy_kwh(runs, T, T + 6 * DAY_S, 7200.0, manual, NEVER)[0, EV] == pytest.approx(1250.0, rel=1e-9)
    assert runs.remaining_s(T + 4 * DAY_S, NEVER, manual, 0)[EV] == pytest.approx(50 * 25 * 3600 / 11 - 4 * DAY_S)
    assert runs.power_w(T + 5 * DAY_S, 60.0, NEVER, manual)[0, EV] == 0.0


def test_an_appliance_a_house_does_not_own_does_not_start() -> None:
    fleet = Fleet(np.zeros((2, 4)), np.zeros((2, 4)), np.zeros((2, 4)))
    runs = ApplianceRuns(fleet, BERLIN, 1)
    manual = (ManualStart(T, 1, EV),)
    assert not runs.power_w(T, 60.0, ALWAYS, manual).any()
    assert not runs.remaining_s(T, ALWAYS, manual, 1).any()


def test_every_start_of_a_day_gives_its_energy_also_after_midnight() -> None:
    fleet, since = _fleet(100, rate=2.0), 20100.0 * DAY_S
    runs, only_that_day = ApplianceRuns(fleet, BERLIN, 1), ((0.0, 0.0), (since, 1.0), (since + DAY_S, 0.0))
    starts = np.bincount(draw_starts(fleet.runs_per_week, BERLIN, 1, 20100).row, minlength=400).reshape(100, 4)
    assert runs.power_w(since + DAY_S, 60.0, only_that_day, ()).any()  # some wait or still run then
    used = _energy_kwh(runs, since, since + 3 * DAY_S, 7200.0, probability=only_that_day)
    assert used == pytest.approx(starts * ENERGY_KWH, rel=1e-9)


def test_ticks_of_any_length_give_the_same_energy() -> None:
    runs = _runs(20)
    since = 20100 * DAY_S + 75_600.0  # 21:00 UTC, six hours over a change of day
    until = since + 6 * 3600
    manual = (ManualStart(since + 100.5, 2, EV), ManualStart(since + 9000.25, 2, EV))
    long, middle, short = (_energy_kwh(runs, since, until, dt, manual) for dt in (7200.0, 60.0, 1.0))
    assert long.sum() > 25
    assert middle == pytest.approx(long, rel=1e-9, abs=1e-12)
    assert short == pytest.approx(long, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("dt", [0.5, 0.7, 3600.0, 7200.0])
def test_no_tick_exceeds_the_rated_power(dt: float) -> None:
    runs = ApplianceRuns(_fleet(50, rate=3.0), BERLIN, 1)  # heat pumps hardly ever rest
    power = np.array([runs.power_w(T + k * dt, dt, ALWAYS, ()) for k in range(100)])
    assert power.min() == 0.0
    assert (power.max(axis=(0, 1)) <= np.array([a.power_w for a in APPLIANCES]) * (1 + 1e-9)).all()
    assert power[:, :, HEAT_PUMP].max() == pytest.approx(2200.0, rel=1e-9)


def test_any_order_of_asking_gives_the_same_numbers() -> None:
    moments = [T + 11_111.0 * i for i in range(120)]  # 15 days, more than are kept
    one, other = _runs(20), _runs(20)
    wanted = {t: one.power_w(t, 600.0, ALWAYS, ()).tolist() for t in moments}
    random.Random(0).shuffle(moments)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda t: (t, other.power_w(t, 600.0, ALWAYS, ()).tolist()), moments)
        assert all(wanted[t] == power for t, power in found)


def test_the_first_houses_do_not_depend_on_how_many_follow() -> None:
    few, many = _runs(5), _runs(300)
    moments = [T + 7200.0 * i for i in range(60)]
    alone = np.array([few.power_w(t, 7200.0, ALWAYS, ()) for t in moments])
    assert (alone > 0).any(axis=(0, 1)).all()  # every kind ran
    assert (alone == np.array([many.power_w(t, 7200.0, ALWAYS, ())[:5] for t in moments])).all()


def test_another_seed_starts_others() -> None:
    assert (_runs(20, seed=1).power_w(T, 7200.0, ALWAYS, ()) != _runs(20, seed=2).power_w(T, 7200.0, ALWAYS, ())).any()


def test_a_probability_acts_from_its_moment_on_and_lets_runs_finish() -> None:
    runs = _runs(40)
    cut = ((0.0, 1.0), (T, 0.0))
    before = runs.power_w(T - 3600, 3600.0, ALWAYS, ())
    assert before.any()
    assert (runs.power_w(T - 3600, 3600.0, cut, ()) == before).all()
    still = runs.power_w(T, 1.0, cut, ())
    assert still.any()
    assert (still <= runs.power_w(T, 1.0, ALWAYS, ())).all()
    assert not runs.power_w(T + DAY_S, 7200.0, cut, ()).any()


def test_a_lower_probability_thins_the_same_starts() -> None:
    usual = draw_starts(_fleet(50).runs_per_week, BERLIN, 1, 20100)
    some = usual.mark < 0.5
    assert some.mean() == pytest.approx(0.5, abs=0.06)
    runs, since = _runs(50), 20100.0 * DAY_S
    first = np.flatnonzero(some & (usual.row % 4 == EV))[0]  # a charge that takes place at one half too
    house, moment = usual.row[first] // 4, since + usual.time_s[first] + 1
    assert runs.power_w(moment, 1.0, ((0.0, 0.5),), ())[house, EV] == 11_000.0
