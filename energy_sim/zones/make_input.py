"""Realistic input files for the Norwegian zones, made from published aggregates and a seed.

``make_input`` writes what ``input_files`` makes. Each quantity has one function that returns an array with a column per
zone: ``inflow_gwh`` and ``fill_shares`` by ISO week, ``demand_mwh`` and ``wind_mwh`` by day. Randomness is a stationary
Gaussian AR(1) per zone, correlated between zones (``series``); every year is then scaled to its known total.
"""

import datetime as dt
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from energy_sim.errors import DataError
from energy_sim.zones import calibration as cal
from energy_sim.zones.calibration import HYDRO, LOAD, WIND, WIND_ZONES, YEARS, ZONES
from energy_sim.zones.model import Floats
from energy_sim.zones.series import ar1, correlated_shocks, run_ar1, scale_to_totals, season

logger = logging.getLogger(__name__)

INFLOW_YEARS = tuple(range(1995, YEARS[-1] + 1))
FILL_YEARS = tuple(range(YEARS[0] - 1, YEARS[-1] + 1))
HOLIDAYS = ((1, 1), (5, 1), (5, 17), (12, 25), (12, 26))  # the fixed ones (month, day); they count as Sundays

# Chosen so that what comes out has the statistics of the calibration. The season and the logistic curve change spread,
# memory and correlation of the wind; weekly means taken over seven years leave 6/7 of the variance of the inflow.
WIND_LOGIT_SPREAD = (1.16, 1.45, 1.22, 0.9)
WIND_LAG1 = (0.5, 0.55, 0.6, 0.6)
INFLOW_SPREAD_FACTOR = 1.08
INFLOW_LAG1_RISE = 0.01
FILL_LAG1 = 0.985
FILL_SPREAD = 0.7
FILL_FROM_INFLOW = 0.6  # correlation of the shocks to filling and inflow in the same week


def make_input(folder: Path, seed: int = 1) -> list[Path]:
    """Write the input files of all zones, all of them or, where anything fails before the last step, none.

    Args:
        folder: where they go; made if missing, files of the same names are replaced.
        seed: the same seed gives the same bytes.

    Returns:
        The files, sorted by name.

    Raises:
        DataError: the folder cannot be written, or is a file.
    """
    if not folder.name:  # empty text is the current folder
        raise DataError(f"{folder}: neither / nor the current folder can be written as a whole; name a folder")
    files = input_files(seed)
    try:
        _write_all(folder, files)
    except OSError as error:
        place = error.filename2 or error.filename or folder
        raise DataError(
            f"{place}: cannot be written ({error.strerror}); choose another folder than {folder}"
        ) from error
    logger.info("zones input made seed=%d files=%d folder=%s", seed, len(files), folder)
    return [folder / name for name in sorted(files)]


def _write_all(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    waiting = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.resolve().parent))
    try:
        for name, text in files.items():
            (waiting / name).write_text(text, encoding="utf-8", newline="\n")
        for name in files:
            (waiting / name).replace(folder / name)
    finally:
        shutil.rmtree(waiting)


def input_files(seed: int) -> dict[str, str]:
    """The text of every file by its name, in the formats that the zones room reads."""
    of_inflow, of_fill, of_demand, of_wind = np.random.default_rng(seed).spawn(4)  # one changed leaves the others
    inflow, shocks = inflow_gwh(of_inflow)
    fill = fill_shares(of_fill, shocks)
    days = days_of(YEARS)
    demand, wind = demand_mwh(of_demand, days), wind_mwh(of_wind, days)
    files: dict[str, str] = {}
    for z, zone in enumerate(ZONES):
        files[f"{zone}_Consumption.csv"] = _daily_csv("Date,Daily_Consumption", days, demand[:, z])
        files[f"{zone}_Wind_Production.csv"] = _daily_csv("Dato_Id,Produksjon [MWh]", days, wind[:, z])
        files[f"{zone}_Effective_Inflow.csv"] = _inflow_csv(inflow[:, z])
        files[f"{zone}_Reservoir_Fill_Level.csv"] = _fill_csv(zone, fill[:, z])
    return files


def iso_weeks(years: Sequence[int]) -> list[tuple[int, int]]:
    """All (ISO year, ISO week) in order; 28 December is always in the last week of its ISO year.

    >>> iso_weeks([2015])[-1], iso_weeks([2016])[-1]
    ((2015, 53), (2016, 52))
    """
    return [(y, w) for y in years for w in range(1, dt.date(y, 12, 28).isocalendar().week + 1)]


def days_of(years: Sequence[int]) -> list[dt.date]:
    """Every day from 1 January of the first year to 31 December of the last."""
    first = dt.date(years[0], 1, 1)
    return [first + dt.timedelta(n) for n in range((dt.date(years[-1] + 1, 1, 1) - first).days)]


def inflow_gwh(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Inflow of each ISO week of ``INFLOW_YEARS``, GWh, and the shocks that drive it, both (weeks, zones).

    A lognormal AR(1) around the mean week. In ``YEARS`` the mean of each week over the years and the total of each year
    are met together by scaling rows and columns in turn (iterative proportional fitting); before, only the totals.
    """
    year, week = np.array(iso_weeks(INFLOW_YEARS)).T
    spread = np.array([INFLOW_SPREAD_FACTOR * HYDRO[z].inflow_std for z in ZONES])
    lag1 = np.array([INFLOW_LAG1_RISE + HYDRO[z].inflow_lag1 for z in ZONES])
    series, shocks = ar1(rng, len(week), lag1, np.array(cal.INFLOW_CORRELATION))
    mean = np.array([cal.INFLOW_WEEK_GWH[z] for z in ZONES]).T
    mean = np.vstack([mean, (mean[51] + mean[0]) / 2])  # week 53
    totals = 1e3 * inflow_totals_twh(rng)
    gwh = mean[week - 1] * np.exp(spread * series)
    known = year >= YEARS[0]
    for _ in range(20):
        for w in range(1, 53):
            rows = known & (week == w)
            gwh[rows] *= mean[w - 1] / gwh[rows].mean(axis=0)
        gwh = scale_to_totals(gwh, year, INFLOW_YEARS, totals)
    return gwh, shocks


def inflow_totals_twh(rng: np.random.Generator) -> Floats:
    """Inflow of each of ``INFLOW_YEARS``, TWh (years, zones).

    ``YEARS`` are the known totals; the years before are drawn, correlated between zones, and moved and stretched so
    that mean and sample deviation of all years are those of the calibration.
    """
    known = np.array([HYDRO[z].inflow_twh for z in ZONES]).T
    mean = np.array([HYDRO[z].inflow_long_mean_twh for z in ZONES])
    std = np.array([HYDRO[z].inflow_long_std_twh for z in ZONES])
    n, n_early = len(INFLOW_YEARS), len(INFLOW_YEARS) - len(YEARS)
    early_mean = (n * mean - known.sum(axis=0)) / n_early
    squares = (n - 1) * std**2 - ((known - mean) ** 2).sum(axis=0) - n_early * (early_mean - mean) ** 2
    draw = correlated_shocks(rng, n_early, np.array(cal.INFLOW_CORRELATION))
    draw -= draw.mean(axis=0)
    draw *= np.sqrt(squares / (draw**2).sum(axis=0))
    return np.vstack([early_mean + draw, known])


def fill_shares(rng: np.random.Generator, inflow_shocks: Floats) -> Floats:
    """Filling at the end of each ISO week of ``FILL_YEARS``, share of capacity (weeks, zones).

    A slow AR(1), pushed by the same shocks as the inflow, says where between the lowest and the highest filling ever a
    reservoir stands. It passes through the median at the turn of the year before ``YEARS``: taking away the distance at
    that week, faded by the memory, is the conditional mean of a Gaussian AR(1).
    """
    weeks = iso_weeks(FILL_YEARS)
    correlation = np.array(cal.INFLOW_CORRELATION)
    own = correlated_shocks(rng, len(weeks), correlation)
    driven = inflow_shocks[-len(weeks) :]
    shocks = FILL_FROM_INFLOW * driven / driven.std(axis=0) + np.sqrt(1 - FILL_FROM_INFLOW**2) * own
    start = correlated_shocks(rng, 1, correlation)[0]
    lag1 = np.full(len(ZONES), FILL_LAG1)
    series = run_ar1(start, lag1, np.sqrt(1 - FILL_LAG1**2) * shocks)
    turn = weeks.index((YEARS[0], 1)) - 1
    series -= FILL_LAG1 ** np.abs(np.arange(len(weeks)) - turn)[:, None] * series[turn]
    low, middle, high = (np.array([band[w - 1] for _, w in weeks]) for band in fill_bands())
    place = np.tanh(FILL_SPREAD * series)
    return np.asarray(middle + np.where(place > 0, high - middle, middle - low) * place)


def fill_bands() -> tuple[Floats, Floats, Floats]:
    """Lowest, median and highest filling of weeks 1 to 53, shares, each (53, zones); linear between the known weeks."""

    def by_week(name: str) -> Floats:
        knots = [getattr(HYDRO[z], name) for z in ZONES]
        return np.array([np.interp(np.arange(1, 54), (*cal.FILL_WEEKS, 54), (*k, k[0])) for k in knots]).T

    return by_week("fill_min"), by_week("fill_median"), by_week("fill_max")


def demand_mwh(rng: np.random.Generator, days: Sequence[dt.date]) -> Floats:
    """Consumption of each day, MWh (days, zones): season x weekday x lognormal AR(1), scaled to the year's total."""
    year = np.array([d.year for d in days])
    weekday = [6 if (d.month, d.day) in HOLIDAYS else d.weekday() for d in days]
    totals = 1e6 * np.array([LOAD[z].total_twh for z in ZONES]).T
    shape = np.array([season(days, LOAD[z].month) * np.array(LOAD[z].weekday)[weekday] for z in ZONES]).T
    shape = scale_to_totals(shape, year, YEARS, totals)
    std = load_residual_std(days)
    lag1 = np.array([LOAD[z].lag1 for z in ZONES])
    series, _ = ar1(rng, len(days), lag1, load_residual_correlation(shape, std))
    return scale_to_totals(shape * np.exp(std * series), year, YEARS, totals)


def load_residual_std(days: Sequence[dt.date]) -> Floats:
    """Log spread (zones,) of the random part of the load.

    The calibration's spread is around steps from month to month: the smooth season's way within a month is taken out.
    """
    month = np.array([d.month for d in days])
    within = [np.log(season(days, LOAD[z].month) / np.array(LOAD[z].month)[month - 1]).var() for z in ZONES]
    return np.asarray(np.sqrt(np.array([LOAD[z].std for z in ZONES]) ** 2 - within))


def load_residual_correlation(shape: Floats, std: Floats) -> Floats:
    """Correlation (zones, zones) of small residuals e, f that gives loads a (1 + e), b (1 + f) the calibration's.

    cov(a (1 + e), b (1 + f)) = cov(a, b) + mean(a b) std_e std_f corr(e, f), with shapes a, b (days, zones) known.
    """
    product = (shape[:, :, None] * shape[:, None, :]).mean(axis=0)
    covariance = product - np.outer(shape.mean(axis=0), shape.mean(axis=0))
    total = np.sqrt(np.diag(covariance) + np.diag(product) * std**2)
    residual = (np.array(cal.LOAD_CORRELATION) * np.outer(total, total) - covariance) / (product * np.outer(std, std))
    np.fill_diagonal(residual, 1.0)
    return np.asarray(residual)


def wind_mwh(rng: np.random.Generator, days: Sequence[dt.date]) -> Floats:
    """Wind energy of each day, MWh (days, zones), between 0 and the capacity at the end of the period.

    energy = fleet x 24 h x logistic(logit(usual use of the capacity in the season) + level of the year + AR(1)); the
    level is found by bisection so that the year's total is met. The fleet grows in a straight line from mid-year to
    mid-year in proportion to the totals. A year without energy has no fleet.
    """
    year = np.array([d.year for d in days])
    ordinal = np.array([d.toordinal() for d in days])
    middles = [dt.date(y, 7, 1).toordinal() for y in YEARS]
    series, _ = ar1(rng, len(days), np.array(WIND_LAG1), np.array(cal.WIND_CORRELATION))
    energy = np.zeros((len(days), len(ZONES)))
    for column, zone in enumerate(WIND_ZONES):
        facts = WIND[zone]
        most_mwh = 24.0 * facts.capacity_mw
        fleet = most_mwh * np.interp(ordinal, middles, np.array(facts.total_twh) / max(facts.total_twh))
        use = 1e6 * max(facts.total_twh) / (365 * most_mwh) * season(days, facts.month)
        logit = np.log(use / (1 - use)) + WIND_LOGIT_SPREAD[column] * series[:, column]
        for y, twh in zip(YEARS, facts.total_twh, strict=True):
            if twh > 0:
                rows = year == y
                energy[rows, ZONES.index(zone)] = _with_total(fleet[rows], logit[rows], 1e6 * twh)
    return energy


def _with_total(most: Floats, logit: Floats, total: float) -> Floats:
    """``most * logistic(logit + level)`` with the level at which it sums to ``total`` (below ``most.sum()``)."""
    low, high = -20.0, 20.0
    for _ in range(60):
        level = (low + high) / 2
        energy = most / (1 + np.exp(-(logit + level)))
        low, high = (level, high) if energy.sum() < total else (low, level)
    return np.asarray(energy)


def _daily_csv(header: str, days: Sequence[dt.date], mwh: Floats) -> str:
    return "\n".join([header, *(f"{day},{value:.0f}" for day, value in zip(days, mwh, strict=True)), ""])


def _inflow_csv(gwh: Floats) -> str:
    by_week = dict(zip(iso_weeks(INFLOW_YEARS), gwh, strict=True))
    lines = [",".join(["Iso-uke", *map(str, INFLOW_YEARS), "T_Gj.snitt"])]
    for w in range(1, 54):
        mean = np.mean([by_week[y, w] for y in YEARS if (y, w) in by_week])
        cells = [f"{by_week[y, w]:.1f}" if (y, w) in by_week else "" for y in INFLOW_YEARS]
        lines.append(",".join([str(w), *cells, f"{mean:.1f}"]))
    return "\n".join([*lines, ""])


def _fill_csv(zone: str, shares: Floats) -> str:
    by_week = dict(zip(iso_weeks(FILL_YEARS), shares, strict=True))
    low, middle, high = (band[:, ZONES.index(zone)] for band in fill_bands())
    capacity = HYDRO[zone].capacity_twh
    lines = [",".join(["Kapasitet TWh", "Uke", *(f"{y} TWh" for y in FILL_YEARS), "Maks TWh,Min TWh,Median TWh"])]
    for w in range(1, 54):
        cells = [f"{capacity * by_week[y, w]:.3f}" if (y, w) in by_week else "" for y in FILL_YEARS]
        bounds = [f"{capacity * band[w - 1]:.3f}" for band in (high, low, middle)]
        lines.append(",".join([f"{capacity:.3f}", str(w), *cells, *bounds]))
    return "\n".join([*lines, ""])
