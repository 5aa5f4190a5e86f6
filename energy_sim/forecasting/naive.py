"""Forecasts that need no training: the truth, the last value, the value of a day before.

forecaster = make_forecaster("seasonal_naive", values, dt_h=1.0, history_size=168)
expected = forecaster.predict(now=48, steps=24)   # (24, N): steps 48 to 71
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from energy_sim.errors import ConfigError, DataError

Floats = NDArray[np.float64]
Kind = Literal["perfect", "persistence", "seasonal_naive"]

HOURS_PER_DAY = 24


class Forecaster:
    """One kind of forecast over one table of values; counts what it had to say without having seen enough.

    Attributes:
        steps_without_history: predicted steps for which the kind had no value to go by, over all calls so far: nothing
            was known yet (zeros were predicted), or no value of the same time of day (the last row was repeated).
    """

    def __init__(self, kind: Kind, values: Floats, season_steps: int) -> None:
        """Keep the values; `make_forecaster` checks them.

        Args:
            kind: which rule.
            values: (T, N), truth of the whole run.
            season_steps: steps of a day.
        """
        self.kind = kind
        self.steps_without_history = 0
        self._values = values
        self._season = season_steps

    def predict(self, now: int, steps: int) -> Floats:
        """Say what is expected of steps now to now + steps - 1; only ``perfect`` looks at rows from now on.

        Args:
            now: 0 to T; rows before it are known.
            steps: how many, 1 or more; fewer are returned where the data end.

        Returns:
            (min(steps, T - now), N) in the unit of the values.

        Raises:
            DataError: now is outside the data, or there is nothing to predict.
        """
        total = len(self._values)
        if not 0 <= now <= total or steps < 1:
            raise DataError(f"forecast: now {now}, steps {steps}: give now of 0 to {total} and 1 step or more")
        count = min(steps, total - now)
        if self.kind == "perfect":
            return self._values[now : now + count].copy()
        rows = np.full(count, now - 1)
        if self.kind == "seasonal_naive":
            rows, found = self._same_time_of_day(now, count)
            self.steps_without_history += int(np.count_nonzero(~found))
        elif now == 0:
            self.steps_without_history += count
        if now == 0:
            return np.zeros((count, self._values.shape[1]))
        expected: Floats = self._values[rows]
        return expected

    def _same_time_of_day(self, now: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(count,) newest known row of the same time of day as each step, else the last row; and where there is one."""
        ahead = np.arange(count)
        rows = now + ahead % self._season - self._season  # within a day, so within the history
        found = rows >= 0
        return np.where(found, rows, now - 1), found


def make_forecaster(kind: str, values: Floats, dt_h: float, history_size: int) -> Forecaster:
    """Build a forecaster of one kind.

    ``perfect`` knows the truth; ``persistence`` repeats the last known row; ``seasonal_naive`` repeats the value one
    day earlier, and where that lies ahead itself, the newest one known of the same time of day.

    Args:
        kind: perfect | persistence | seasonal_naive.
        values: (T, N) truth, finite.
        dt_h: hours of a step.
        history_size: so many past steps may be looked at; naive kinds need 1, ``seasonal_naive`` a day.

    Raises:
        ConfigError: an unknown kind, no history, or steps and history that hold no day for ``seasonal_naive``.
        DataError: the values are no table of finite numbers.

    Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition (2021), section 5.2.
    """
    chosen: dict[str, Kind] = {known: known for known in get_args(Kind)}
    if kind not in chosen:
        raise ConfigError(f"forecaster.kind: {kind!r} is unknown; give one of {', '.join(chosen)}")
    if history_size < 1:
        raise ConfigError(f"forecaster.history_size: {history_size} is below 1; give a number of past steps")
    if values.ndim != 2 or not np.isfinite(values).all():
        raise DataError(f"forecast values of shape {values.shape}: not a table of finite numbers; fill gaps first")
    season = max(1, round(HOURS_PER_DAY / dt_h))
    if kind == "seasonal_naive":
        if abs(season * dt_h - HOURS_PER_DAY) > 1e-9:
            raise ConfigError(
                f"forecaster.kind: seasonal_naive needs steps that divide a day, not {dt_h:g} h; "
                "change simulation.time_step_hours or take persistence"
            )
        if history_size < season:
            raise ConfigError(
                f"forecaster.history_size: {history_size} is shorter than a day of {season} steps; "
                f"give {season} or more, or take persistence"
            )
    return Forecaster(chosen[kind], values, season)
