"""What the community may draw and feed in together: no limit, the same always, by hour with noise, or from a file."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from energy_sim.errors import DataError
from energy_sim.trading.model import GridCapacity, Moments
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.prices import hours_of_day, in_peak
from energy_sim.trading.tables import SUFFIXES, check_steps, numbers, read_table

logger = logging.getLogger(__name__)

CAPACITY_KIND = 2  # of random numbers: second entry of their seed
COLUMNS = ("timestep", "import_capacity_kw", "export_capacity_kw")


def make_grid_capacity(
    parameters: TradingParameters, begins: Moments, dt_h: float, file: Path | None = None
) -> GridCapacity:
    """Limits of every step of a run, kW; infinity where `grid_capacity.use_capacity_limits` is off.

    Args:
        parameters: `grid_capacity`, and the seed of `simulation`.
        begins: (T,) beginnings of the steps.
        dt_h: hours of a step.
        file: CSV or Parquet as `read_grid_capacity` takes it; it replaces both modes. Without limits it is not used.

    Raises:
        DataError: the file cannot be used or has too few rows.
    """
    group, steps = parameters.grid_capacity, len(begins)
    if not group.use_capacity_limits:
        if file is not None:
            logger.warning("grid capacity file not used file=%s use_capacity_limits=false", file)
        return GridCapacity(np.full(steps, np.inf), np.full(steps, np.inf))
    if file is not None:
        return read_grid_capacity(file, steps)
    if group.mode == "constant":
        return GridCapacity(
            np.full(steps, group.default_import_capacity_kw), np.full(steps, group.default_export_capacity_kw)
        )
    return synthetic_capacity(
        steps,
        dt_h,
        group.base_import_kw,
        group.base_export_kw,
        group.peak_reduction,
        group.noise_std,
        group.peak_start_hour,
        group.peak_end_hour,
        float(hours_of_day(begins[:1])[0]) if steps else 0.0,
        parameters.simulation.seed,
    )


def synthetic_capacity(
    steps: int,
    dt_h: float,
    base_import_kw: float,
    base_export_kw: float,
    peak_reduction: float,
    noise_std: float,
    peak_start_hour: int = 17,
    peak_end_hour: int = 21,
    first_hour: float = 0.0,
    seed: int = 1,
) -> GridCapacity:
    """Limits that are lower at peak hours, with noise.

    limit = base * (1 - peak_reduction in the peak, else 1) * max(0, 1 + noise_std * e), e standard normal, drawn for
    every step and direction by itself. A longer series has the same first steps.

    Args:
        steps: T.
        dt_h: hours of a step.
        base_import_kw: import limit outside the peak, kW, on average.
        base_export_kw: export limit likewise.
        peak_reduction: share of both that is missing in the peak, 0 to 1.
        noise_std: relative standard deviation of the noise.
        peak_start_hour: hour of the day the peak begins.
        peak_end_hour: hour before which steps of the peak begin.
        first_hour: hour of the day of the first step.
        seed: the same seed gives the same series.

    Source: our assumption of a feeder that others load at peak hours.
    """
    hour = (first_hour + dt_h * np.arange(steps, dtype=np.float64)) % 24
    left = np.where(in_peak(hour, peak_start_hour, peak_end_hour), 1 - peak_reduction, 1.0)
    noise = np.random.default_rng([seed, CAPACITY_KIND]).standard_normal((steps, 2))
    factor = left[:, None] * np.maximum(1 + noise_std * noise, 0)
    return GridCapacity(base_import_kw * factor[:, 0], base_export_kw * factor[:, 1])


def read_grid_capacity(path: Path, steps: int | None = None) -> GridCapacity:
    """Read limits from CSV or Parquet `timestep, import_capacity_kw, export_capacity_kw`.

    Args:
        path: the file; its first row is the first step of the run. `inf` is no limit.
        steps: that are needed; rows after them are left out. None: all rows.

    Raises:
        DataError: the file cannot be used, has fewer rows, or holds negative, blank or NaN values.
    """
    problems: list[str] = []
    table = read_table(path, COLUMNS)
    check_steps(table, COLUMNS[0], steps or 1, problems)
    limits = [numbers(table, name, problems, 0.0, np.inf, "kW") for name in COLUMNS[1:]]
    if problems:
        raise DataError.from_problems(problems)
    used = table.rows if steps is None else steps
    logger.info("grid capacity read file=%s rows=%d used=%d", path, table.rows, used)
    return GridCapacity(limits[0][:used], limits[1][:used])


def write_grid_capacity(path: Path, capacity: GridCapacity) -> None:
    """Write limits as `read_grid_capacity` takes them, CSV or Parquet by the suffix.

    Raises:
        DataError: unknown suffix, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{path}: {path.suffix or 'no suffix'} is no known format; name a .csv or a .parquet file")
    steps = np.arange(len(capacity.import_kw))
    table = pa.table(dict(zip(COLUMNS, (steps, capacity.import_kw, capacity.export_kw), strict=True)))
    try:
        if suffix == ".csv":
            pa_csv.write_csv(table, path, pa_csv.WriteOptions(quoting_style="none", quoting_header="none"))
        else:
            pa_parquet.write_table(table, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
