"""Appliances that run now and then: who starts one when, what waits for what, and the power that follows.

Starts are an inhomogeneous Poisson process, drawn per UTC day for the whole street. Each start carries a mark in [0, 1)
and takes place when the mark is below the probability of its moment, so a lower probability thins the same starts. A
start while the appliance still runs waits until it is done: end_k = max(start_k, end_k-1) + duration, so that counts
and energy stay exact. A day looks back far enough to know what still runs; nothing depends on what was asked before.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from energy_sim.devices.appliance_kinds import APPLIANCES, NAMES, Appliance

__all__ = ["APPLIANCES", "NAMES", "Appliance", "ApplianceRuns", "Fleet", "ManualStart"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]  # house * number of appliances + appliance
Probability = tuple[tuple[float, float], ...]

DAY_S = 86400
QUARTERS = 96  # of a day: the rate of starts is constant in each
LOOK_BACK_DAYS, MOST_LOOK_BACK_DAYS = 5, 30  # nothing is lost while no appliance is busy for more than 0.4 of a week
KEPT_DAYS = 8  # of runs; 10,000 houses in winter: 1.5 MB each
COUNT_KIND, MOMENT_KIND = 31, 32
MONTH_DAYS = np.array([31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True, slots=True)
class Fleet:
    """Appliances of a street, all (H, A) in the order of `APPLIANCES`; zeros where a house has none."""

    power_w: Floats
    duration_s: Floats
    runs_per_week: Floats


@dataclass(frozen=True, slots=True)
class ManualStart:
    """A run somebody asks for at a moment (POSIX seconds); house and appliance count from 0."""

    time_s: float
    house: int
    appliance: int


@dataclass(frozen=True, slots=True)
class Starts:
    """Starts of a day by row and time, (n,): seconds since its beginning, and the mark."""

    row: Rows
    time_s: Floats
    mark: Floats


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs that a day sees, by row and start, (n,): asked for, beginning and end in seconds since its beginning."""

    row: Rows
    asked_s: Floats
    begin_s: Floats
    end_s: Floats


class ApplianceRuns:
    """The runs of a street as a function of time; keeps the last days, safe for threads.

    ``probability`` is ((from POSIX seconds, share of the usual starts that take place), ...), sorted, at least one; the
    first holds for all time before it too. ``manual`` starts take place in any case and join the same queue.
    """

    def __init__(self, fleet: Fleet, timezone: ZoneInfo, seed: int) -> None:
        """Nothing is drawn before it is asked for; the first k houses do not depend on how many follow."""
        self._fleet = fleet
        days = _look_back_days(fleet)
        draw = lru_cache(maxsize=days + KEPT_DAYS)(partial(draw_starts, fleet.runs_per_week, timezone, seed))
        self._runs = lru_cache(maxsize=KEPT_DAYS)(partial(_runs_of_day, fleet, draw, days))

    def power_w(self, time_s: float, dt_s: float, probability: Probability, manual: tuple[ManualStart, ...]) -> Floats:
        """Mean power over [time_s, time_s + dt_s) in W, (H, A): rated power times the share of the time it runs."""
        rated = self._fleet.power_w
        seconds = np.zeros(rated.size)
        day = math.floor(time_s / DAY_S)
        first = time_s - day * DAY_S
        last = first + dt_s
        while last > 0:
            runs = self._day(day, probability, manual)
            begin, end = max(first, 0.0), min(last, float(DAY_S))
            on = np.flatnonzero((runs.begin_s < end) & (runs.end_s > begin))
            overlap = np.minimum(runs.end_s[on], end) - np.maximum(runs.begin_s[on], begin)
            seconds += np.bincount(runs.row[on], weights=overlap, minlength=rated.size)
            day, first, last = day + 1, first - DAY_S, last - DAY_S
        return rated * (seconds / dt_s).reshape(rated.shape)

    def remaining_s(
        self, time_s: float, probability: Probability, manual: tuple[ManualStart, ...], house: int
    ) -> Floats:
        """Seconds each appliance of a house still runs at a moment, (A,), with all runs that wait by then; 0 is off."""
        day = math.floor(time_s / DAY_S)
        runs, now = self._day(day, probability, manual), time_s - day * DAY_S
        appliances = self._fleet.power_w.shape[1]
        first, last = np.searchsorted(runs.row, [house * appliances, (house + 1) * appliances])
        remaining = np.zeros(appliances)
        asked = runs.asked_s[first:last] <= now
        which = runs.row[first:last][asked] - house * appliances
        np.maximum.at(remaining, which, runs.end_s[first:last][asked] - now)
        return remaining

    def _day(self, day: int, probability: Probability, manual: tuple[ManualStart, ...]) -> Runs:
        """Runs of a day; what is set after it does not make it be worked out again."""
        end = (day + 1) * DAY_S
        known = probability[:1] + tuple(entry for entry in probability[1:] if entry[0] < end)
        return self._runs(day, known, tuple(start for start in manual if start.time_s < end))


def start_weights(timezone: ZoneInfo, day: int) -> Floats:
    """Weight of a start in each quarter-hour of a UTC day, (A, 96); the mean over a year is 1.

    A local day of 23 or 25 hours leaves out or repeats the weight of its hour.
    """
    local = [datetime.fromtimestamp(day * DAY_S + 900 * quarter, timezone) for quarter in range(QUARTERS)]
    months, hours = [moment.month - 1 for moment in local], [moment.hour for moment in local]
    season = np.array([appliance.season for appliance in APPLIANCES])
    hour = np.array([appliance.hours for appliance in APPLIANCES])
    season /= (season @ MONTH_DAYS / MONTH_DAYS.sum())[:, None]
    hour /= hour.mean(axis=1, keepdims=True)
    return np.asarray(season[:, months] * hour[:, hours])


def draw_starts(runs_per_week: Floats, timezone: ZoneInfo, seed: int, day: int) -> Starts:
    """All usual starts of a UTC day (counted from 1970): a Poisson number per row, moments by the weights.

    Args:
        runs_per_week: (H, A). Both generators go through it row by row, so the first houses do not see the others.
        timezone: whose months and hours the weights are for.
        seed: of the street, 0 or above.
        day: 0 or above.
    """
    weights = start_weights(timezone, day)
    counts = np.random.default_rng([seed, COUNT_KIND, day]).poisson(runs_per_week / 7 * weights.mean(axis=1))
    row = np.repeat(np.arange(counts.size), counts.ravel())
    moment, mark = np.random.default_rng([seed, MOMENT_KIND, day]).random((row.size, 2)).T
    reached = np.concatenate([np.zeros((len(weights), 1)), weights.cumsum(axis=1)], axis=1)
    quarters = np.linspace(0.0, DAY_S, QUARTERS + 1)
    time_s = np.empty(row.size)
    for appliance, share in enumerate(reached / reached[:, -1:]):
        its = row % len(weights) == appliance
        time_s[its] = np.interp(moment[its], share, quarters)
    order = np.lexsort((time_s, row))
    return Starts(row[order], time_s[order], mark[order])


def begins(row: Rows, asked_s: Floats, duration_s: Floats) -> Floats:
    """When runs begin that wait for the one before: begin_k = max(asked_k, begin_k-1 + duration), per row.

    With x_k = asked_k - k * duration this is a running maximum, begin_k = max(x_0..x_k) + k * duration.

    Args:
        row: (n,) sorted.
        asked_s: (n,) sorted within a row.
        duration_s: (n,) the same for all runs of a row.

    >>> begins(np.array([0, 0, 0, 1]), np.array([0.0, 5.0, 30.0, 7.0]), np.full(4, 10.0)).tolist()
    [0.0, 10.0, 30.0, 7.0]
    """
    if not row.size:
        return np.zeros(0)
    places = np.arange(row.size)
    opens = np.concatenate([[True], row[1:] != row[:-1]])
    nth = places - np.maximum.accumulate(np.where(opens, places, 0))
    x = asked_s - nth * duration_s
    raised = x + np.cumsum(opens) * (np.ptp(x) + 1)  # rows do not reach into each other
    largest = np.maximum.accumulate(np.where(raised >= np.maximum.accumulate(raised), places, 0))
    return np.asarray(x[largest] + nth * duration_s)


def _runs_of_day(
    fleet: Fleet,
    draw: Callable[[int], Starts],
    look_back_days: int,
    day: int,
    probability: Probability,
    manual: tuple[ManualStart, ...],
) -> Runs:
    first = _first_day(fleet, look_back_days, day, manual)
    since, shares = (np.array(column) for column in zip(*probability, strict=True))
    rows, times = [], []
    for past in range(first, day + 1):
        starts, zero = draw(past), (past - day) * DAY_S
        entry = np.searchsorted(since - past * DAY_S, starts.time_s, side="right") - 1
        takes_place = starts.mark < shares[np.maximum(entry, 0)]
        rows.append(starts.row[takes_place])
        times.append(starts.time_s[takes_place] + zero)
    asked_for = [start for start in manual if start.time_s >= first * DAY_S]
    rows.append(np.array([_row(fleet, start) for start in asked_for], dtype=np.int64))
    times.append(np.array([start.time_s - day * DAY_S for start in asked_for]))
    row, asked = np.concatenate(rows), np.concatenate(times)
    order = np.argsort(row * float((day - first + 1) * DAY_S) + asked, kind="stable")
    row, asked = row[order], asked[order]
    duration = fleet.duration_s.ravel()[row]
    begin = begins(row, asked, duration)
    seen = begin + duration > 0
    return Runs(row[seen], asked[seen], begin[seen], (begin + duration)[seen])


def _row(fleet: Fleet, start: ManualStart) -> int:
    return start.house * int(fleet.power_w.shape[1]) + start.appliance


def _look_back_days(fleet: Fleet) -> int:
    """Days after which nothing is left of a queue: five, more for runs that take days themselves."""
    longest = int(fleet.duration_s.max(initial=0.0)) // DAY_S
    return min(LOOK_BACK_DAYS + 2 * longest, MOST_LOOK_BACK_DAYS)


def _first_day(fleet: Fleet, look_back_days: int, day: int, manual: tuple[ManualStart, ...]) -> int:
    """The day to start queues from: earlier than usual while many manual starts of one appliance still wait.

    Counts every manual run twice, which leaves room for the usual ones between them.
    """
    usual = day - look_back_days
    queues: dict[int, tuple[float, float]] = {}  # row: busy since, busy until
    for start in sorted(manual, key=lambda start: start.time_s):
        if start.time_s >= usual * DAY_S:
            break
        since, until = queues.get(_row(fleet, start), (start.time_s, start.time_s))
        if start.time_s > until:
            since = until = start.time_s
        queues[_row(fleet, start)] = since, until + 2 * float(fleet.duration_s[start.house, start.appliance])
    long_ago = [since for since, until in queues.values() if until > usual * DAY_S]
    first: int = min([usual, *(math.floor(since / DAY_S) - look_back_days for since in long_ago)])
    return max(first, 0)
