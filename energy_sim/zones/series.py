"""Building blocks of made series: a season, yearly totals, and correlated randomness with memory.

series, shocks = ar1(np.random.default_rng(1), 365, lag1=np.array([0.5, 0.9]), correlation=np.eye(2))
"""

import datetime as dt
from collections.abc import Sequence

import numpy as np

from energy_sim.zones.model import Floats


def season(days: Sequence[dt.date], month_factors: Sequence[float]) -> Floats:
    """A factor for each day: straight lines through the middles of the months whose monthly means are the factors."""
    month = np.array([d.month for d in days])
    day_of_year = np.array([d.timetuple().tm_yday for d in days])
    middles = 365.25 * (np.arange(12) + 0.5) / 12
    knots = np.array(month_factors)
    for _ in range(30):
        curve = np.interp(day_of_year, middles, knots, period=365.25)
        knots = knots * month_factors / np.array([curve[month == m].mean() for m in range(1, 13)])
    return np.asarray(curve)


def scale_to_totals(values: Floats, group: Floats, labels: Sequence[int], totals: Floats) -> Floats:
    """Values (n, zones) scaled so that the rows of each group (n,) sum to its totals (labels, zones)."""
    scaled = values.copy()
    for label, total in zip(labels, totals, strict=True):
        rows = group == label
        scaled[rows] *= total / values[rows].sum(axis=0)
    return scaled


def ar1(rng: np.random.Generator, steps: int, lag1: Floats, correlation: Floats) -> tuple[Floats, Floats]:
    """Stationary AR(1) series of unit variance and the shocks that drive them, both (steps, zones).

    Shocks with covariance ``correlation_ij * (1 - lag1_i * lag1_j)`` give series with the correlation asked for, also
    where their memories differ.

    Source: Lütkepohl, New Introduction to Multiple Time Series Analysis (2005), section 2.1.4.
    """
    start = correlated_shocks(rng, 1, correlation)[0]
    shocks = correlated_shocks(rng, steps, correlation * (1 - np.outer(lag1, lag1)))
    return run_ar1(start, lag1, shocks), shocks


def run_ar1(start: Floats, lag1: Floats, shocks: Floats) -> Floats:
    """x_t = lag1 * x_(t-1) + shock_t after ``start``; shapes (zones,), (zones,), (steps, zones)."""
    series = np.empty_like(shocks)
    x = start
    for t, shock in enumerate(shocks):
        x = lag1 * x + shock
        series[t] = x
    return series


def correlated_shocks(rng: np.random.Generator, steps: int, covariance: Floats) -> Floats:
    """Normal draws (steps, zones) with a covariance (zones, zones); summed without BLAS, whose order may differ."""
    lower = np.linalg.cholesky(covariance)
    return np.asarray((rng.standard_normal((steps, 1, len(lower))) * lower).sum(axis=2))
