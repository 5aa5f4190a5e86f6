"""Households to start with: a year of the street's house model as a file of the trading room, and a week to look at.

The houses are those of `devices.house`: standard household profile, appliances, roofs under one seeded sky near Zurich.
Their clock is standard time (UTC+1) all year, so that every day has 24 hours. Power is averaged over each quarter of an
hour: sun and base load at three instants (2.5, 7.5 and 12.5 minutes into it), appliances exactly.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from energy_sim.devices.house import Conditions, HouseModel, Houses, make_houses
from energy_sim.devices.sky import Place
from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.model import Floats, Moments

logger = logging.getLogger(__name__)

PLACE = Place(47.38, 8.54)
TIMEZONE = ZoneInfo("Etc/GMT-1")  # the sign of these names is reversed: UTC+1
QUARTER_S = 900
INSTANTS = 3  # a quarter
ROUNDED_KWH = 4  # decimals
WEEK_HOMES = 10
START_MONTH, START_DAY = 7, 6  # summer first: that is where the sun is
DONE_DAYS = 7  # `done` is called whenever so many are done


@dataclass(frozen=True, slots=True)
class HomesYear:
    """What homes draw and produce: kWh per quarter, (T, N), beginning at ``begins`` (T,)."""

    houses: Houses
    begins: Moments
    load_kwh: Floats
    pv_kwh: Floats


def make_homes(
    out: Path, homes: int = 30, year: int = 2026, seed: int = 1, done: Callable[[float], None] | None = None
) -> list[Path]:
    """Write `homes.parquet` (a year in quarters) and `week.csv` (10 of the homes, its first week, hours).

    Args:
        out: the folder; made if missing, files of the same names are replaced.
        homes: how many; the first ones do not depend on it.
        year: calendar year in which it begins, on 6 July.
        seed: the same seed gives the same values.
        done: called with the share that is done, 0 to 1. A year of 30 homes takes most of a minute.

    Returns:
        The two files.

    Raises:
        ConfigError: a number is outside its limits.
        DataError: the folder cannot be written.
    """
    for name, value, low, high in (("homes", homes, 1, 1000), ("year", year, 1971, 2100), ("seed", seed, 0, 2**53)):
        if not low <= value <= high:
            raise ConfigError(f"{name}: {value} is outside the limits; give {low} to {high}")
    first, end = (datetime(y, START_MONTH, START_DAY, tzinfo=TIMEZONE) for y in (year, year + 1))
    folder = _made_folder(out)
    made = simulate_homes(homes, first, round((end - first).total_seconds()) // QUARTER_S, seed, done)
    files = write_homes(folder, made, np.datetime64(first.replace(tzinfo=None), "s"))
    logger.info("homes made homes=%d year=%d seed=%d folder=%s", homes, year, seed, out)
    return files


def simulate_homes(
    homes: int, first: datetime, quarters: int, seed: int, done: Callable[[float], None] | None = None
) -> HomesYear:
    """What homes draw and produce in so many quarters of an hour from a moment on.

    Args:
        homes: N.
        first: beginning of the first quarter, with a time zone.
        quarters: T.
        seed: of houses, sky, base load and appliance runs.
        done: called with the share that is done.
    """
    houses = make_houses(homes, seed)
    model, conditions = HouseModel(houses, PLACE, TIMEZONE, seed), Conditions()
    begin_s, dt_s = first.timestamp(), QUARTER_S / INSTANTS
    load_w, pv_w = np.zeros((quarters, homes)), np.zeros((quarters, homes))
    every = DONE_DAYS * 86_400 // QUARTER_S
    for t in range(quarters):
        for k in range(INSTANTS):
            powers = model.powers(begin_s + t * QUARTER_S + k * dt_s, dt_s, conditions)
            load_w[t] += powers.base_w + powers.flex_w
            pv_w[t] += powers.pv_w
        if done is not None and (t + 1) % every == 0:
            done((t + 1) / quarters)
    begins = np.datetime64(first.replace(tzinfo=None), "s") + np.arange(quarters) * np.timedelta64(QUARTER_S, "s")
    to_kwh = QUARTER_S / 3.6e6 / INSTANTS
    return HomesYear(houses, begins, np.round(load_w * to_kwh, ROUNDED_KWH), np.round(pv_w * to_kwh, ROUNDED_KWH))


def write_homes(folder: Path, made: HomesYear, week: np.datetime64) -> list[Path]:
    """Write the two files of `make_homes`.

    Args:
        folder: that exists.
        made: the homes; they reach from before ``week`` to seven days after it.
        week: first quarter of the week that is written as text.

    Raises:
        DataError: the files cannot be written.
    """
    files = [folder / "homes.parquet", folder / "week.csv"]
    try:
        _write_parquet(files[0], made)
        _write_week(files[1], made, week)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return files


def _made_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from error
    return out


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder")


def _categories(houses: Houses) -> list[str]:
    return ["prosumer" if kwp > 0 else "consumer" for kwp in houses.pv_kwp]


def _write_parquet(path: Path, made: HomesYear) -> None:
    """Sorted by home and time; float32 and zstd keep a year of 30 homes at a few megabytes."""
    rows, homes = made.load_kwh.shape
    place = np.repeat(np.arange(homes, dtype=np.int32), rows)

    def texts(values: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(place, pa.array(values)).dictionary_decode()

    table = pa.table(
        {
            "id": texts(list(made.houses.ids)),
            "timestamp": np.tile(made.begins.astype("datetime64[ms]"), homes),
            "consumption": made.load_kwh.T.ravel().astype(np.float32),
            "production": made.pv_kwh.T.ravel().astype(np.float32),
            "category": texts(_categories(made.houses)),
        }
    )
    pa_parquet.write_table(table, path, compression="zstd", compression_level=19, row_group_size=rows * homes)


def _write_week(path: Path, made: HomesYear, begin: np.datetime64) -> None:
    """Hourly sums of the first homes, a text file of some 70 kB."""
    at = int(np.searchsorted(made.begins, begin))
    homes = min(WEEK_HOMES, len(made.houses.ids))
    week = slice(at, at + 7 * 96)
    load, pv = (a[week, :homes].reshape(-1, 4, homes).sum(axis=1).T.ravel() for a in (made.load_kwh, made.pv_kwh))
    hours = made.begins[week][::4]
    stamps = [str(hour).replace("T", " ")[:16] for hour in hours]
    table = pa.table(
        {
            "id": np.repeat(made.houses.ids[:homes], len(hours)),
            "timestamp": stamps * homes,
            "consumption": np.round(load, ROUNDED_KWH),
            "production": np.round(pv, ROUNDED_KWH),
            "category": np.repeat(_categories(made.houses)[:homes], len(hours)),
        }
    )
    pa_csv.write_csv(table, path, pa_csv.WriteOptions(quoting_style="none", quoting_header="none"))
