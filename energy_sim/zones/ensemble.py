"""Many scenarios of the same days: inflow years in turn, and a grid of factors.

A scenario starts its inflow in another year of the record and goes on year by year, from the last to the first again
(index-sequential method, as in hydro planning: Labadie 2004, J. Water Resour. Plann. Manage. 130(2)). Wind and demand
stay those of the dates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from energy_sim.compute import map_tasks
from energy_sim.errors import DataError
from energy_sim.zones import kernel
from energy_sim.zones.model import Dates, Factors, Floats, Network, ZoneInputs
from energy_sim.zones.simulator import Settings, opening_level

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SCENARIOS_PER_TASK = 8
_MAX_CELLS = 400_000_000  # scenarios x days x zones kept for quantiles, two 4-byte numbers each


@dataclass(frozen=True, slots=True)
class Scenario:
    """One member of an ensemble."""

    inflow_year: int  # year of the record whose inflow the calendar year of the first reported day takes
    factors: Factors


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Closing levels and unmet demand (S, T, Z), and totals (S, Z, kernel.COLUMNS) of all scenarios."""

    network: Network
    dates: Dates
    scenarios: tuple[Scenario, ...]
    level_mwh: "np.ndarray[tuple[int, int, int], np.dtype[np.float32]]"
    unmet_mwh: "np.ndarray[tuple[int, int, int], np.dtype[np.float32]]"
    total: Floats


@dataclass(frozen=True, slots=True)
class _Task:
    flags: int
    tables: kernel.Tables
    opening_mwh: Floats  # (S, Z)
    wind_mwh: Floats
    demand_mwh: Floats
    inflow_mwh: Floats  # (S, T, Z)
    factors: Floats  # (S, 3)
    warm_up_days: int


def all_scenarios(inputs: ZoneInputs, years: Sequence[int], factors: Sequence[Factors]) -> tuple[Scenario, ...]:
    """Every inflow year with every set of factors, each once; all years of the record when `years` is empty.

    Raises:
        DataError: a year is not in the inflow files of all zones.
    """
    known = sorted(inputs.inflow_years_mwh)
    absent = [year for year in years if year not in inputs.inflow_years_mwh]
    if absent or not known:
        have = f"they hold {known[0]} to {known[-1]}" if known else "they hold no whole year"
        asked = ", ".join(map(str, absent)) or "of the record"
        raise DataError(f"inflow years {asked}: not in the inflow files of all zones; {have}")
    return tuple(dict.fromkeys(Scenario(year, factor) for year, factor in product(years or known, factors)))


@dataclass(frozen=True, slots=True)
class InflowRecord:
    """The inflow years of the files, and where the dates of a run lie in them.

    ``table`` (years, 53, Z) MWh a day; ``step`` (T,) years after that of the first reported date; ``week`` (T,) from 0.
    """

    years: tuple[int, ...]
    table: Floats
    step: kernel.Ints
    week: kernel.Ints

    def starting(self, first_year: int) -> Floats:
        """(T, Z) inflow of the dates when the year of the first reported date takes `first_year` of the record."""
        position = (self.years.index(first_year) + self.step) % len(self.years)
        return np.ascontiguousarray(self.table[position, self.week])


def inflow_record(inputs: ZoneInputs, warm_up_days: int = 0) -> InflowRecord:
    """The record for the dates of the inputs.

    Dates take the ISO week of their ISO year: with a start on 2016-01-01, which lies in week 53 of 2015, the first
    three days take week 53 of the year before the scenario's.
    """
    dates = pd.DatetimeIndex(inputs.dates)
    iso = dates.isocalendar()
    years = tuple(sorted(inputs.inflow_years_mwh))
    return InflowRecord(
        years,
        np.stack([inputs.inflow_years_mwh[year] for year in years]),
        iso["year"].to_numpy(dtype=np.int64) - int(dates[warm_up_days].year),
        iso["week"].to_numpy(dtype=np.int64) - 1,
    )


def run_ensemble(
    network: Network,
    inputs: ZoneInputs,
    settings: Settings,
    scenarios: Sequence[Scenario],
    warm_up_days: int = 0,
    threads: int = 0,
    scheduler: str = "",
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Ensemble:
    """Simulate all scenarios, in blocks on threads or a cluster.

    Args:
        network: zones and links.
        inputs: daily series of the warm-up days and the days reported.
        settings: switches; the factors of each scenario multiply those of the settings.
        scenarios: what differs.
        warm_up_days: days simulated first that are in no result.
        threads: see `compute.map_tasks`; likewise `scheduler`.
        scheduler: see `threads`.
        on_progress: called with the number of scenarios finished since the last call.

    Raises:
        DataError: the result would not fit into memory.
    """
    kernel.compile_kernel()
    days, zones = len(inputs.dates) - warm_up_days, len(network.zones)
    if len(scenarios) * days * zones > _MAX_CELLS:
        raise DataError(
            f"{len(scenarios)} scenarios x {days} days x {zones} zones is above {_MAX_CELLS:,}; take fewer of them"
        )
    levels = np.empty((len(scenarios), days, zones), dtype=np.float32)
    unmet = np.empty_like(levels)
    total = np.empty((len(scenarios), zones, kernel.COLUMNS))
    starts = range(0, len(scenarios), _SCENARIOS_PER_TASK)
    record = inflow_record(inputs, warm_up_days)
    wanted = {settings.factors.reservoir * scenario.factors.reservoir for scenario in scenarios}
    opening = {factor: opening_level(network, inputs, factor) for factor in sorted(wanted)}  # warns once for each
    blocks = (scenarios[i : i + _SCENARIOS_PER_TASK] for i in starts)
    tasks = (_task(network, inputs, record, opening, settings, block, warm_up_days) for block in blocks)
    for position, (block_levels, block_unmet, block_total) in map_tasks(_run, tasks, threads, scheduler):
        block = slice(starts[position], starts[position] + len(block_total))
        levels[block], unmet[block], total[block] = block_levels, block_unmet, block_total
        on_progress(len(block_total))
    return Ensemble(network, inputs.dates[warm_up_days:], tuple(scenarios), levels, unmet, total)


def _task(
    network: Network,
    inputs: ZoneInputs,
    record: InflowRecord,
    opening_mwh: Mapping[float, Floats],
    settings: Settings,
    scenarios: Sequence[Scenario],
    warm_up_days: int,
) -> _Task:
    own = settings.factors
    years = {year: record.starting(year) for year in {scenario.inflow_year for scenario in scenarios}}
    return _Task(
        settings.switches.flags,
        kernel.pack(network),
        np.stack([opening_mwh[own.reservoir * s.factors.reservoir] for s in scenarios]),
        inputs.wind_mwh,
        inputs.demand_mwh,
        np.stack([years[s.inflow_year] for s in scenarios]),
        np.array(
            [
                (own.wind * s.factors.wind, own.consumption * s.factors.consumption, own.inflow * s.factors.inflow)
                for s in scenarios
            ]
        ),
        warm_up_days,
    )


def _run(task: _Task) -> tuple[Floats, Floats, Floats]:
    kernel.compile_kernel()  # at once where it is done, but a cluster's worker starts without
    count, days, zones = task.inflow_mwh.shape
    reported = days - task.warm_up_days
    levels = np.empty((count, reported, zones))
    unmet = np.empty_like(levels)
    total = np.zeros((count, zones, kernel.COLUMNS))
    no_series, none = np.empty((0, zones, kernel.COLUMNS)), np.empty((0, zones))
    no_trace, no_ends = np.empty((0, kernel.TRACE_COLUMNS)), np.empty(0, dtype=np.int64)
    simulate = kernel.best_kernel()
    for s in range(count):
        level = task.opening_mwh[s].copy()
        series = (task.wind_mwh, task.demand_mwh, task.inflow_mwh[s], task.factors[s])
        lost = np.zeros_like(total[s])
        first = task.warm_up_days
        simulate(task.flags, *task.tables, level, *series, 0, first, no_series, none, none, lost, no_trace, no_ends)
        simulate(
            task.flags,
            *task.tables,
            level,
            *series,
            first,
            days,
            no_series,
            levels[s],
            unmet[s],
            total[s],
            no_trace,
            no_ends,
        )
    return levels, unmet, total


def quantile_table(ensemble: Ensemble) -> pd.DataFrame:
    """One row a day, zone and quantity (level_mwh, unmet_mwh): mean and quantiles over the scenarios."""
    dates = np.datetime_as_string(ensemble.dates.astype("datetime64[D]")).astype(object)
    parts = []
    for name, values in (("level_mwh", ensemble.level_mwh), ("unmet_mwh", ensemble.unmet_mwh)):
        found = np.quantile(values, QUANTILES, axis=0)
        for z, zone in enumerate(ensemble.network.ids):
            columns = {f"p{round(q * 100):02d}": found[i, :, z] for i, q in enumerate(QUANTILES)}
            mean = values[:, :, z].mean(axis=0, dtype=np.float64)
            parts.append(pd.DataFrame({"date": dates, "zone": zone, "quantity": name, "mean": mean, **columns}))
    return pd.concat(parts, ignore_index=True)


def totals_table(ensemble: Ensemble) -> pd.DataFrame:
    """One row a scenario: its inflow year and factors, and the totals of all zones over all days, MWh."""
    total = ensemble.total.sum(axis=1)
    factors = [scenario.factors for scenario in ensemble.scenarios]
    named = {
        "demand_mwh": kernel.DEMAND,
        "wind_used_mwh": kernel.WIND_USED,
        "wind_export_mwh": kernel.WIND_EXPORT,
        "local_hydro_mwh": kernel.LOCAL_HYDRO,
        "exported_hydro_mwh": kernel.EXPORTED_HYDRO,
        "import_p2h1_mwh": kernel.P2H1,
        "import_p2h2_mwh": kernel.P2H2,
        "import_p4h1_mwh": kernel.P4H1,
        "import_p4h2_mwh": kernel.P4H2,
        "unmet_mwh": kernel.UNMET,
        "inflow_mwh": kernel.INFLOW,
        "spill_mwh": kernel.SPILL,
        "dry_shortfall_mwh": kernel.DRY_SHORTFALL,
        "level_end_mwh": kernel.LEVEL,
    }
    return pd.DataFrame(
        {
            "scenario": np.arange(len(factors)),
            "inflow_year": [scenario.inflow_year for scenario in ensemble.scenarios],
            "consumption_factor": [f.consumption for f in factors],
            "wind_factor": [f.wind for f in factors],
            "inflow_factor": [f.inflow for f in factors],
            "reservoir_factor": [f.reservoir for f in factors],
            **{name: total[:, column] for name, column in named.items()},
        }
    )
