"""The base load follows the household profile, uses what a house uses a year, and varies around it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from demandlib.bdew import H25

from energy_sim.devices.base_load import BaseLoad, shape_w_per_kwh

BERLIN = ZoneInfo("Europe/Berlin")
ANNUAL_KWH = np.array([2000.0, 2800.0, 3600.0, 4400.0, 5200.0, 6000.0])
SHIFT_S = np.array([-2700.0, -900.0, 0.0, 100.0, 1800.0, 2700.0])


def _at(*moment: int, timezone: ZoneInfo = BERLIN) -> float:
    return datetime(*moment, tzinfo=timezone).timestamp()


def _shape(time_s: float, timezone: ZoneInfo = BERLIN) -> float:
    return float(shape_w_per_kwh(timezone, np.array([time_s]))[0])


def test_the_first_quarter_of_2025_is_the_published_value() -> None:
    # weekday in January 00:00-00:15: 20.126 kWh in a quarter = 80.504 kW; day-of-year factor of 1 January
    # 1.24 + 0.0021 - 0.0000702 + 0.00000032 = 1.2420301; all quarters of 2025 give 995 057 kWh instead of a million
    assert _shape(_at(2025, 1, 1, 0, 7) + 30) == pytest.approx(80.504 * 1.2420301 / 995.057, rel=1e-5)


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")  # inside demandlib, with pandas 3
def test_a_year_of_centres_is_the_profile_the_library_builds() -> None:
    profile = H25(pd.date_range("2025-01-01", "2026-01-01", freq="15min", inclusive="left", tz=BERLIN)).to_numpy()
    shape = shape_w_per_kwh(BERLIN, _at(2025, 1, 1) + 450 + 900 * np.arange(365 * 96.0))
    assert shape == pytest.approx(profile * 1000 / (profile.sum() / 4), rel=1e-12)


def test_between_the_centres_of_two_quarters_the_shape_is_linear() -> None:
    left, right = _shape(_at(2025, 1, 1, 0, 7) + 30), _shape(_at(2025, 1, 1, 0, 22) + 30)
    assert left != right
    assert _shape(_at(2025, 1, 1, 0, 15)) == pytest.approx((left + right) / 2)


@pytest.mark.parametrize("year", [2024, 2025])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns"])
def test_the_shape_uses_one_kwh_in_a_calendar_year(year: int, zone: str) -> None:
    timezone = ZoneInfo(zone)
    first, after = _at(year, 1, 1, timezone=timezone), _at(year + 1, 1, 1, timezone=timezone)
    moments = np.arange(first + 450, after, 900)
    assert len(moments) == (366 if year == 2024 else 365) * 96
    assert shape_w_per_kwh(timezone, moments).sum() / 4 / 1000 == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("step_s", [900, 3600])
def test_every_house_uses_its_annual_energy_within_three_percent(step_s: int) -> None:
    load = BaseLoad(BERLIN, 1, 6)
    moments = np.arange(_at(2025, 1, 1) + step_s / 2, _at(2026, 1, 1), step_s)
    used_kwh = sum(load.power_w(float(t), ANNUAL_KWH, SHIFT_S) for t in moments) * step_s / 3.6e6
    assert used_kwh == pytest.approx(ANNUAL_KWH, rel=0.03)
    assert used_kwh.sum() == pytest.approx(ANNUAL_KWH.sum(), rel=0.01)


def test_winter_evenings_use_more_than_summer_evenings_and_nights_least() -> None:
    winter, summer, night = _at(2025, 1, 15, 19), _at(2025, 7, 16, 19), _at(2025, 1, 15, 3)
    assert _shape(winter) > 1.2 * _shape(summer)
    assert _shape(winter) > 2.5 * _shape(night)


def test_saturday_sunday_and_weekday_differ_and_weekdays_of_a_month_are_alike() -> None:
    # day-of-year factors of neighbouring days differ by less than 0.3 %
    friday, saturday, sunday, monday = (_shape(_at(2025, 1, day, 7)) for day in (17, 18, 19, 20))
    assert friday == pytest.approx(monday, rel=0.01)
    assert friday > 1.1 * saturday
    assert saturday > 1.05 * sunday


def test_after_the_clock_change_the_shape_follows_the_local_clock() -> None:
    # 30 March 2025, a Sunday, is day 89; in UTC the same evening hour came one hour later a week before, on day 82:
    # 1.24 + 0.0021 d - 7.02e-5 d^2 + 3.2e-7 d^3 - 3.92e-10 d^4 is 1.09889 then and 1.07184 now
    before, after = datetime(2025, 3, 23, 18, tzinfo=UTC).timestamp(), datetime(2025, 3, 30, 17, tzinfo=UTC).timestamp()
    assert _shape(after) / _shape(before) == pytest.approx(1.07184 / 1.09889, rel=1e-4)
    assert _shape(after + 3600) / _shape(before) != pytest.approx(1.07184 / 1.09889, rel=1e-2)


def test_in_autumn_the_hour_from_two_to_three_comes_twice() -> None:
    first = datetime(2025, 10, 26, 0, 22, 30, tzinfo=UTC).timestamp()
    assert _shape(first + 3600) == pytest.approx(_shape(first), rel=1e-12)
    assert _shape(first + 7200) != pytest.approx(_shape(first), rel=1e-3)


def test_a_shift_moves_the_day_forward_also_over_new_year() -> None:
    midnight, shift, kwh = _at(2025, 1, 1), np.array([-1800.0, 0.0, 1800.0]), np.full(3, 3000.0)
    alone = [_shape(midnight - 1800), _shape(midnight), _shape(midnight + 1800)]
    load = BaseLoad(BERLIN, 1, 3)
    moved = load.power_w(midnight, kwh, shift) / load.power_w(midnight, kwh, np.zeros(3))
    assert moved * alone[1] == pytest.approx(alone, rel=1e-12)
    assert alone[0] > alone[1] > alone[2]  # the house that is ahead already sleeps


def test_the_variation_is_lognormal_with_mean_one() -> None:
    count = 40_000
    load = BaseLoad(BERLIN, 3, count)
    moment = _at(2025, 5, 6, 12) + 17.0
    factor = load.power_w(moment, np.full(count, 3500.0), np.zeros(count)) / (3500.0 * _shape(moment))
    assert factor.mean() == pytest.approx(1.0, abs=0.01)
    assert np.log(factor).std() == pytest.approx(0.45, abs=0.01)


def test_the_first_houses_do_not_depend_on_how_many_follow() -> None:
    few, many = BaseLoad(BERLIN, 1, 6), BaseLoad(BERLIN, 1, 600)
    t = _at(2025, 2, 3, 4)
    alone = few.power_w(t, ANNUAL_KWH, SHIFT_S)
    assert alone.tolist() == many.power_w(t, np.tile(ANNUAL_KWH, 100), np.tile(SHIFT_S, 100))[:6].tolist()


def test_threads_that_ask_in_any_order_get_the_same_numbers() -> None:
    moments = [_at(2025, 2, 3) + 977.0 * i for i in range(200)]
    alone = BaseLoad(BERLIN, 1, 6)
    wanted = [alone.power_w(t, ANNUAL_KWH, SHIFT_S).tolist() for t in moments]
    shared = BaseLoad(BERLIN, 1, 6)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda t: shared.power_w(t, ANNUAL_KWH, SHIFT_S).tolist(), reversed(moments)))
    assert found[::-1] == wanted


def test_a_street_without_houses_has_no_load() -> None:
    assert BaseLoad(BERLIN, 1, 0).power_w(_at(2025, 1, 1), np.zeros(0), np.zeros(0)).shape == (0,)
