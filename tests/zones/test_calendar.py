"""ISO weeks by date, rows to days, gaps to the nearest same weekday, and week ends to days."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_sim.zones.calendar import (
    WeeklyYears,
    between_anchors,
    iso_weeks,
    nearest_same_weekday,
    sum_by_day,
    week_ends,
    weeks_in,
    weeks_on_days,
)


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


def times(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[s]")


def hours_of(day: str, hours: range) -> list[str]:
    return [f"{day}T{hour:02d}:00" for hour in hours]


@pytest.mark.parametrize(
    ("day", "year", "week"),
    [
        ("2016-01-01", 2015, 53),
        ("2016-01-03", 2015, 53),
        ("2016-01-04", 2016, 1),
        ("2018-12-31", 2019, 1),
        ("2020-12-31", 2020, 53),
        ("2021-01-03", 2020, 53),
        ("2021-01-04", 2021, 1),
        ("2022-01-01", 2021, 52),
        ("1969-12-31", 1970, 1),
    ],
)
def test_iso_week_follows_the_date_not_the_position_in_the_year(day: str, year: int, week: int) -> None:
    years, weeks = iso_weeks(days(day))
    assert (years[0], weeks[0]) == (year, week)


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_iso_week_and_week_end_agree_with_the_standard_library(day: date) -> None:
    years, weeks = iso_weeks(np.array([day], dtype="datetime64[D]"))
    assert (int(years[0]), int(weeks[0])) == day.isocalendar()[:2]
    assert week_ends(years, weeks)[0].item() == day + timedelta(days=7 - day.isoweekday())


def test_years_have_52_or_53_weeks() -> None:
    assert [weeks_in(year) for year in (2015, 2016, 2019, 2020, 2021)] == [53, 52, 52, 53, 52]


def test_daily_rows_are_kept_in_any_order_and_missing_days_are_nan() -> None:
    rows = sum_by_day(times("2016-01-04", "2016-01-01", "2016-01-02"), np.array([4.0, 1.0, np.nan]))
    assert str(rows.first) == "2016-01-01"
    assert str(rows.last) == "2016-01-04"
    np.testing.assert_array_equal(rows.values, [1.0, np.nan, np.nan, 4.0])
    assert not rows.hourly
    assert rows.repeats == ()


def test_one_row_a_day_at_noon_is_daily() -> None:
    rows = sum_by_day(times("2016-01-01T12:00", "2016-01-02T12:00"), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(rows.values, [1.0, 2.0])


def test_a_repeated_day_is_reported_with_the_earlier_row() -> None:
    rows = sum_by_day(times("2016-01-01", "2016-01-02", "2016-01-02"), np.array([1.0, 2.0, 2.0]))
    assert rows.repeats == ((2, 1),)


def test_hours_are_summed_by_date_and_a_partial_day_is_missing() -> None:
    text = hours_of("2016-01-01", range(24)) + hours_of("2016-01-02", range(23)) + hours_of("2016-01-03", range(22))
    rows = sum_by_day(times(*text), np.full(69, 2.0))
    np.testing.assert_array_equal(rows.values, [48.0, 46.0, np.nan])
    assert rows.hourly
    assert rows.repeats == ()


def test_blank_hours_make_a_day_partial() -> None:
    text = hours_of("2016-01-01", range(24)) + hours_of("2016-01-02", range(24))
    values = np.ones(48)
    values[24:26] = np.nan
    np.testing.assert_array_equal(sum_by_day(times(*text), values).values, [24.0, np.nan])


def test_the_repeated_hour_of_the_autumn_clock_change_is_no_duplicate() -> None:
    text = [*hours_of("2016-10-30", range(3)), "2016-10-30T02:00", *hours_of("2016-10-30", range(3, 24))]
    rows = sum_by_day(times(*text), np.ones(25))
    assert rows.repeats == ()
    np.testing.assert_array_equal(rows.values, [25.0])


@pytest.mark.parametrize("repeated", ["2016-10-29T02:00", "2016-10-30T14:00"], ids=["a Saturday", "the afternoon"])
def test_any_other_repeated_hour_is_a_duplicate(repeated: str) -> None:
    text = [*hours_of("2016-10-29", range(24)), *hours_of("2016-10-30", range(24)), repeated]
    rows = sum_by_day(times(*text), np.ones(49))
    assert rows.repeats == ((48, text.index(repeated)),)


def test_the_repeated_hour_is_also_known_in_quarter_hours() -> None:
    quarters = [f"2016-10-30T{hour:02d}:{minute}" for hour in range(24) for minute in ("00", "15", "30", "45")]
    rows = sum_by_day(times(*quarters, *quarters[8:12]), np.full(100, 0.25))
    assert rows.repeats == ()
    np.testing.assert_array_equal(rows.values, [25.0])


def test_dates_without_time_that_stand_24_times_are_hours() -> None:
    text = ["2016-10-29"] * 24 + ["2016-10-30"] * 25 + ["2016-10-31"] * 10
    rows = sum_by_day(times(*text), np.ones(59))
    assert rows.hourly
    assert rows.repeats == ()
    np.testing.assert_array_equal(rows.values, [24.0, 25.0, np.nan])


def test_a_26th_row_of_a_date_without_time_is_a_duplicate() -> None:
    rows = sum_by_day(times(*["2016-01-01"] * 24, *["2016-01-02"] * 26, *["2016-01-03"] * 24), np.ones(74))
    assert rows.repeats == ((49, 24),)


def test_twelve_rows_a_day_are_repeats_not_hours() -> None:
    rows = sum_by_day(times(*["2016-01-01"] * 12, *["2016-01-02"] * 12), np.ones(24))
    assert not rows.hourly
    assert len(rows.repeats) == 22


def test_a_gap_takes_the_nearest_same_weekday_and_the_earlier_one_on_a_tie() -> None:
    values = np.arange(28.0)
    values[[7, 14, 8, 20, 27]] = np.nan
    filled = nearest_same_weekday(values)
    assert filled[8] == 1.0  # 7 days back and 7 ahead: the earlier
    assert filled[7] == 0.0  # 7 back is known, 14 ahead
    assert filled[14] == 21.0  # 7 ahead is nearer than 14 back
    assert filled[20] == 13.0
    assert filled[27] == 13.0  # nothing ahead, 14 back
    assert filled[0] == 0.0


def test_a_gap_stays_where_no_same_weekday_is_known() -> None:
    np.testing.assert_array_equal(nearest_same_weekday(np.array([1.0, np.nan, 3.0])), [1.0, np.nan, 3.0])


def year_of(week52: float, week53: float) -> np.ndarray:
    values = np.arange(1.0, 54.0)
    values[51:] = week52, week53
    return values


def test_week_53_falls_back_to_week_52_then_to_the_usual_53_then_to_the_usual_52() -> None:
    nan = np.nan
    usual = {"usual": year_of(5.2, 5.3)}
    assert WeeklyYears({2015: year_of(2.0, 3.0)}, usual).of_week(2015, 53) == (3.0, "")
    assert WeeklyYears({2015: year_of(2.0, nan)}, usual).of_week(2015, 53) == (2.0, "week 52 of the same year")
    assert WeeklyYears({2015: year_of(nan, nan)}, usual).of_week(2015, 53) == (5.3, "usual")
    assert WeeklyYears({}, {"usual": year_of(5.2, nan)}).of_week(2015, 53) == (5.2, "usual, week 52")
    assert WeeklyYears({}, {"usual": year_of(nan, nan)}).of_week(2015, 53)[1] == "nothing known"


def test_days_take_the_value_of_their_iso_week() -> None:
    series = WeeklyYears({2015: year_of(52.0, 53.0), 2016: year_of(520.0, np.nan)}, {})
    values, filled = weeks_on_days(series, days("2015-12-27", "2015-12-28", "2016-01-03", "2016-01-04", "2016-12-31"))
    np.testing.assert_array_equal(values, [52.0, 53.0, 53.0, 1.0, 520.0])
    assert filled == {}


def test_levels_lie_on_the_line_between_week_ends_and_hold_outside() -> None:
    anchors = days("2016-01-10", "2016-01-17")
    got = between_anchors(
        days("2016-01-01", "2016-01-10", "2016-01-11", "2016-01-17", "2016-02-01"), anchors, [10.0, 17.0]
    )
    np.testing.assert_allclose(got, [10.0, 10.0, 11.0, 17.0, 17.0])
