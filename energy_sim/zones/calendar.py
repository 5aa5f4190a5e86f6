"""Calendar arithmetic on arrays: ISO weeks, rows to days, gaps to the nearest same weekday, weeks to days.

Days are ``datetime64[D]``. An ISO week runs from Monday to Sunday and belongs to the year of its Thursday (ISO 8601):
1 January can lie in week 52 or 53 of the year before.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy_sim.zones.model import Dates, Floats

Ints = NDArray[np.int64]

DAY = np.timedelta64(1, "D")
FULL_DAY_HOURS = 23  # the day in spring that loses an hour
LONG_DAY_ROWS = 25  # the day in autumn that repeats one


def iso_weeks(days: Dates) -> tuple[Ints, Ints]:
    """ISO year and ISO week of each day.

    Source: ISO 8601; week 1 holds the year's first Thursday.

    >>> [int(part[0]) for part in iso_weeks(np.array(["2016-01-01"], "datetime64[D]"))]
    [2015, 53]
    """
    thursday = days - _weekday(days) * DAY + 3 * DAY
    new_year = thursday.astype("datetime64[Y]")
    week = (thursday - new_year.astype("datetime64[D]")).astype(np.int64) // 7 + 1
    return new_year.astype(np.int64) + 1970, week


def week_ends(years: Ints, weeks: Ints) -> Dates:
    """The Sunday of each ISO week.

    Source: ISO 8601; 4 January always lies in week 1.
    """
    new_year: Dates = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    january_4 = new_year + 3 * DAY
    sunday: Dates = january_4 + (7 * weeks - 1 - _weekday(january_4)) * DAY
    return sunday


def weeks_in(year: int) -> int:
    """52 or 53, the ISO weeks of a year: 28 December always lies in the last one."""
    return int(iso_weeks(np.array([f"{year:04d}-12-28"], "datetime64[D]"))[1][0])


@dataclass(frozen=True, slots=True)
class DayRows:
    """Rows summed by day: ``values`` from ``first`` on, one for each day, NaN where a day is missing or partial.

    ``repeats`` are (row, earlier row) positions that say the same day or hour twice; such rows make no sum to trust.
    """

    first: np.datetime64
    values: Floats
    hourly: bool
    repeats: tuple[tuple[int, int], ...]

    @property
    def last(self) -> np.datetime64:
        """The last day."""
        return self.first + (len(self.values) - 1) * DAY


def sum_by_day(times: Dates, values: Floats) -> DayRows:
    """Rows that are days, or hours of days, to daily sums.

    Hourly are rows with times of day where at least half of the days have 23 or more different hours, and rows without
    times where 23 to 25 stand on all but two days (or all but a tenth of them). Then a day with fewer than 23 known
    hours is missing. An hour that stands twice is a repeat, except on a Sunday of 25 rows in the first four hours: the
    clock change in autumn.

    Args:
        times: (rows,) seconds, none NaT, in any order.
        values: (rows,), NaN where blank.
    """
    stamps = times.astype("datetime64[s]")
    day_of_row = stamps.astype("datetime64[D]")
    days, first_row, position, rows = np.unique(day_of_row, return_index=True, return_inverse=True, return_counts=True)
    hour = (stamps - day_of_row).astype(np.int64) // 3600
    known = ~np.isnan(values)
    timed = bool((stamps != day_of_row).any())
    if timed:
        full = np.bincount(np.unique(position * 24 + hour) // 24) >= FULL_DAY_HOURS
        known_hours = np.bincount(np.unique((position * 24 + hour)[known]) // 24, minlength=len(days))
        odd_days_allowed = len(days)
    else:
        full = (rows >= FULL_DAY_HOURS) & (rows <= LONG_DAY_ROWS)
        known_hours = np.bincount(position[known], minlength=len(days))
        odd_days_allowed = max(2, len(days) // 10)
    odd_days = int((~full).sum())
    hourly = 0 < full.sum() >= odd_days and odd_days <= odd_days_allowed

    if not hourly:
        again = np.flatnonzero(first_row[position] != np.arange(len(stamps)))
        repeats = [(int(i), int(first_row[position[i]])) for i in again]
        missing = np.bincount(position, weights=known) == 0
    else:
        repeats = _repeated_hours(stamps, position, rows, hour) if timed else _rows_beyond(position, first_row)
        missing = known_hours < FULL_DAY_HOURS
    sums = np.bincount(position, weights=np.where(known, values, 0.0))
    dense = np.full(int((days[-1] - days[0]).astype(np.int64)) + 1, np.nan)
    dense[(days - days[0]).astype(np.int64)] = np.where(missing, np.nan, sums)
    return DayRows(days[0], dense, hourly, tuple(repeats))


def nearest_same_weekday(values: Floats) -> Floats:
    """Fill NaN in a daily series from the nearest known day a whole number of weeks away, the earlier one on a tie.

    NaN stays where no day of the same weekday is known.
    """
    out = values.copy()
    for weekday in range(min(7, len(values))):
        series = values[weekday::7]
        known, gaps = np.flatnonzero(~np.isnan(series)), np.flatnonzero(np.isnan(series))
        if not len(known) or not len(gaps):
            continue
        after = np.searchsorted(known, gaps)
        earlier, later = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
        out[weekday::7][gaps] = series[np.where(np.abs(gaps - earlier) <= np.abs(later - gaps), earlier, later)]
    return out


@dataclass(frozen=True, slots=True)
class WeeklyYears:
    """Values by ISO year and ISO week, (53,) each, NaN where blank; ``usual``: stand-ins by rule name, best first."""

    years: dict[int, Floats]
    usual: dict[str, Floats]

    def of_week(self, year: int, week: int) -> tuple[float, str]:
        """The value of a week and the rule it was filled by: ``""`` if it is the week's own, NaN if nothing is known.

        Week 53 falls back to week 52 of its year, then to week 53 and week 52 of the usual year.
        """
        own = self.years.get(year, np.full(53, np.nan))
        last_two = week == 53
        tries = [(own, week, "")] + [(own, 52, "week 52 of the same year")] * last_two
        for rule, usual in self.usual.items():
            tries += [(usual, week, rule)] + [(usual, 52, f"{rule}, week 52")] * last_two
        found = ((float(values[w - 1]), rule) for values, w, rule in tries if not np.isnan(values[w - 1]))
        return next(found, (np.nan, "nothing known"))


def weeks_on_days(series: WeeklyYears, days: Dates) -> tuple[Floats, dict[str, list[str]]]:
    """The value of each day's ISO week, and the weeks ("2015-W53") that were filled, in order, by rule."""
    years, weeks = iso_weeks(days)
    codes, position = np.unique(years * 100 + weeks, return_inverse=True)
    found = [series.of_week(int(code) // 100, int(code) % 100) for code in codes]
    filled: dict[str, list[str]] = {}
    for code, (_, rule) in zip(codes, found, strict=True):
        if rule:
            filled.setdefault(rule, []).append(f"{code // 100}-W{code % 100:02d}")
    return np.array([value for value, _ in found])[position], filled


def between_anchors(days: Dates, anchors: Dates, values: Floats) -> Floats:
    """Values of days on the straight line between sorted anchor days; outside them the nearest anchor holds."""
    return np.interp(days.astype(np.int64), anchors.astype(np.int64), values)


def _weekday(days: Dates) -> Ints:
    """Monday 0 to Sunday 6; the epoch, 1 January 1970, was a Thursday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _repeated_hours(stamps: Dates, position: Ints, rows: Ints, hour: Ints) -> list[tuple[int, int]]:
    _, first_row, back = np.unique(stamps, return_index=True, return_inverse=True)
    again = np.flatnonzero(first_row[back] != np.arange(len(stamps)))
    sunday = _weekday(stamps)[again] == 6
    once_more = np.bincount(position[again], minlength=len(rows))
    # 25 rows hold one repeat; in quarter hours, 100 rows hold four
    clock_change = sunday & (hour[again] <= 3) & (once_more * LONG_DAY_ROWS == rows)[position[again]]
    return [(int(i), int(first_row[back[i]])) for i in again[~clock_change]]


def _rows_beyond(position: Ints, first_row: Ints) -> list[tuple[int, int]]:
    """Rows of days with more than 25, when no time of day tells them apart."""
    order = np.argsort(position, kind="stable")
    sorted_days = position[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_days, sorted_days)
    return [(int(i), int(first_row[position[i]])) for i in np.sort(order[rank >= LONG_DAY_ROWS])]
