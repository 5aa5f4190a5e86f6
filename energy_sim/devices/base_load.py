"""What a house uses all the time: the standard household profile, moved and shaken a little for every house.

    power = annual_kwh * shape(local time + shift) * exp(sigma z - sigma^2 / 2)

Source: household profile H25, BDEW 2025 (12 months x Saturday, Sunday, weekday, with its day-of-year factor), as given
by demandlib 0.2. Public holidays are left out: they count as the day of the week they fall on.
"""

import csv
import math
from datetime import datetime
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from energy_sim.devices.noise import Noise
from energy_sim.errors import DataError

QUARTER_S = 900
COLUMN_OF_DAY = (2, 2, 2, 2, 2, 0, 1)  # Monday to Sunday among Saturday, Sunday, weekday
SIGMA = 0.45  # of the logarithm, assumed; the mean factor stays exactly 1
SLOW_SHARE = 0.7  # assumed, of the variance of the logarithm, from the slow octave
SLOW_KIND, SLOW_S = 21, 600.0
FAST_KIND, FAST_S = 22, 60.0


class BaseLoad:
    """The base load of a street as a function of time."""

    def __init__(self, timezone: ZoneInfo, seed: int, count: int) -> None:
        """Name the street.

        Args:
            timezone: whose local time the households live by.
            seed: of the short-term variation, 0 or above.
            count: number of houses; the first k do not depend on it.
        """
        self.timezone = timezone
        self._slow = Noise(seed, SLOW_KIND, count, SLOW_S)
        self._fast = Noise(seed, FAST_KIND, count, FAST_S)

    def power_w(
        self, time_s: float, annual_kwh: NDArray[np.float64], shift_s: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Base load at a moment.

        Args:
            time_s: POSIX seconds, 0 or above.
            annual_kwh: (H,) what each house uses in the calendar year of the moment.
            shift_s: (H,) how far each house is ahead: with 1800 it does at 18:30 what the profile does at 19:00.

        Returns:
            (H,) W. Its mean over many moments is the shape alone: the variation is lognormal with mean exactly 1.
        """
        z = math.sqrt(SLOW_SHARE) * self._slow.at(time_s) + math.sqrt(1 - SLOW_SHARE) * self._fast.at(time_s)
        variation = np.exp(SIGMA * z - SIGMA**2 / 2)
        return annual_kwh * shape_w_per_kwh(self.timezone, time_s + shift_s) * variation


def shape_w_per_kwh(timezone: ZoneInfo, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The profile at moments near each other: W per kWh a year, linear between the centres of quarter-hours.

    Args:
        timezone: of the local time; a day of 23 or 25 hours leaves out or repeats its hour.
        time_s: (H,) POSIX seconds, all within less than a year.
    """
    if not time_s.size:
        return np.zeros(0)
    position = time_s / QUARTER_S - 0.5  # whole numbers are centres of quarters
    first, last = math.floor(position.min()), math.floor(position.max()) + 1
    return np.interp(position, np.arange(first, last + 1), _quarters(timezone, first, last))


def _quarters(timezone: ZoneInfo, first: int, last: int) -> NDArray[np.float64]:
    """Profile values of the quarters first..last (counted from 1970 UTC), across New Year where need be."""
    year = datetime.fromtimestamp(first * QUARTER_S, timezone).year
    start, values = _year(timezone, year)
    if last - start >= values.size:
        values = np.concatenate([values, _year(timezone, year + 1)[1]])
    return values[first - start : last - start + 1]


@lru_cache(maxsize=8)
def _year(timezone: ZoneInfo, year: int) -> tuple[int, NDArray[np.float64]]:
    """First quarter of a local calendar year, counted from 1970 UTC, and W per kWh a year in each of its quarters."""
    import pandas as pd
    from demandlib.bdew import H25  # type: ignore[import-untyped]

    first, end = (math.ceil(datetime(y, 1, 1, tzinfo=timezone).timestamp() / QUARTER_S) for y in (year, year + 1))
    index = pd.to_datetime(np.arange(first, end) * QUARTER_S, unit="s", utc=True).tz_convert(timezone)
    quarter = 4 * index.hour + index.minute // 15
    table = _table()[index.month - 1, np.take(COLUMN_OF_DAY, index.day_of_week), quarter]
    profile = table * H25.dynamisation_function(index).to_numpy()
    hours = profile.size * QUARTER_S / 3600
    values: NDArray[np.float64] = profile / profile.mean() * 1000 / hours
    values.setflags(write=False)
    return int(index[0].timestamp()) // QUARTER_S, values


def _table() -> NDArray[np.float64]:
    """KWh in each quarter-hour of a typical day, (12 months, 3 day types, 96), before the day-of-year factor.

    Read from the library's own file: its class cannot build a profile without pandas' deprecated in-place changes.
    """
    text = resources.files("demandlib").joinpath("bdew", "bdew_data", "h25.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))
    if rows[1][1:] != ["SA", "FT", "WT"] * 12:
        raise DataError(f"demandlib: h25.csv: day types are {rows[1][1:4]}; install demandlib 0.2")
    return np.array([row[1:] for row in rows[2:]], dtype=float).T.reshape(12, 3, 96)
