"""Input files of all zones to ``ZoneInputs``: what is read, what is filled by which rule, what is refused.

``load_inputs`` is for a run, ``data_range`` says what days there are, ``check_data`` lists everything about the files.
All faults of all files are found before one ``DataError`` names them; every value that had to be filled is a ``Fill``.
The rules: docs of the file formats (room ``zones``); the files themselves: ``reading``; weeks and days: ``calendar``.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from energy_sim.errors import DataError
from energy_sim.zones.calendar import (
    DAY,
    DayRows,
    WeeklyYears,
    between_anchors,
    iso_weeks,
    nearest_same_weekday,
    week_ends,
    weeks_on_days,
)
from energy_sim.zones.model import Dates, Fill, Floats, Network, Zone, ZoneInputs
from energy_sim.zones.reading import MWH_PER_GWH, FileReport, Reading, ZoneFiles, file_name

logger = logging.getLogger(__name__)

LONGEST_STEP_DAYS = 14  # week 52 to week 1 across a week 53 that files of 52 rows leave out


@dataclass(frozen=True, slots=True)
class DataReport:
    """Everything found in the files; ``first`` and ``last`` bound the days all zones have, None where there are none.

    ``fills`` are those of a run over all these days.
    """

    files: tuple[FileReport, ...]
    first: date | None
    last: date | None
    fills: tuple[Fill, ...]
    problems: tuple[str, ...]


def load_inputs(folders: Sequence[Path], network: Network, start: date | None, days: int | None) -> ZoneInputs:
    """Read the files of all zones and fill what is missing.

    Args:
        folders: are searched in this order; the first that holds a file wins.
        network: its zones name the files.
        start: first day; None for the first day that all zones have.
        days: how many; None for all to the last day that all zones have.

    Raises:
        DataError: with every fault of every file, or when the days asked for are not all in the data.
    """
    reading = Reading(folders)
    begin = None if start is None else np.datetime64(start, "D")
    read = [reading.zone(zone, begin) for zone in network.zones]
    _refuse(reading.problems)
    files = [zone for zone in read if zone is not None]
    first, last = _common_range([(z.zone, z.wind, z.demand) for z in files])
    inputs, problems = _assemble(files, _chosen_dates(first, last, begin, days))
    _refuse(problems)
    for fill in inputs.fills:
        logger.warning(
            "filled zone=%s file=%s quantity=%s rule=%r count=%d first=%s last=%s",
            fill.zone, fill.file, fill.quantity, fill.rule, fill.count, fill.first, fill.last,
        )  # fmt: skip
    logger.info("inputs read zones=%d days=%d first=%s", len(files), len(inputs.dates), inputs.dates[0])
    return inputs


def data_range(folders: Sequence[Path], network: Network) -> tuple[date, date]:
    """First and last day that the wind and consumption files of all zones have.

    Raises:
        DataError: when one of these files cannot be used, or when no day is in all of them.
    """
    reading = Reading(folders)
    daily = [(zone, *reading.daily(zone, None)) for zone in network.zones]
    _refuse(reading.problems)
    first, last = _common_range([(zone, wind, demand) for zone, wind, demand in daily if wind and demand])
    return _date(first), _date(last)


def check_data(folders: Sequence[Path], network: Network) -> DataReport:
    """Read everything and report on it; bad content is listed, never raised."""
    reading = Reading(folders)
    files = [found for zone in network.zones if (found := reading.zone(zone, None)) is not None]
    problems = list(reading.problems)
    if not files:
        return DataReport(tuple(reading.reports), None, None, (), tuple(problems))
    try:
        first, last = _common_range([(z.zone, z.wind, z.demand) for z in files])
    except DataError as error:
        return DataReport(tuple(reading.reports), None, None, (), (*problems, *error.problems))
    inputs, unfilled = _assemble(files, np.arange(first, last + DAY))
    filled: dict[str, int] = {}
    for fill in inputs.fills:
        filled[fill.file] = filled.get(fill.file, 0) + fill.count
    reports = tuple(replace(report, filled=filled.get(report.file, 0)) for report in reading.reports)
    return DataReport(reports, _date(first), _date(last), inputs.fills, (*problems, *unfilled))


def _date(day: np.datetime64) -> date:
    return date.fromisoformat(str(day))


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise DataError.from_problems(problems)


def _common_range(series: Sequence[tuple[Zone, DayRows, DayRows]]) -> tuple[np.datetime64, np.datetime64]:
    """First and last day that is in every wind and consumption file."""
    spans = [
        (rows.first, rows.last, file_name(zone.id, kind))
        for zone, wind, demand in series
        for kind, rows in (("Wind_Production", wind), ("Consumption", demand))
    ]
    first, late = max((span[0], span[2]) for span in spans)
    last, early = min((span[1], span[2]) for span in spans)
    if first > last:
        raise DataError(f"no day is in all files: {early} ends on {last} before {late} begins on {first}; add days")
    return first, last


def _chosen_dates(first: np.datetime64, last: np.datetime64, start: np.datetime64 | None, days: int | None) -> Dates:
    begin = first if start is None else start
    covers = f"data covers {first} to {last}"
    if days is not None and days < 1:
        raise DataError(f"days: {days} is below 1; give 1 or more ({covers})")
    if not first <= begin <= last:
        raise DataError(f"start: {begin} is outside the data; {covers}")
    most = int((last - begin) / DAY) + 1
    if days is not None and days > most:
        raise DataError(f"days: {days} from {begin} is more than the {most} there are; {covers}")
    dates: Dates = np.arange(begin, begin + (most if days is None else days) * DAY)
    return dates


def _assemble(files: Sequence[ZoneFiles], dates: Dates) -> tuple[ZoneInputs, list[str]]:
    """Series of all zones over the dates with every gap filled, and what could not be filled."""
    fills: list[Fill] = []
    problems: list[str] = []
    wind = [_wind(found, dates, fills) for found in files]
    demand = [_demand(found, dates, fills, problems) for found in files]
    inflow = [_inflow(found, dates, fills, problems) for found in files]
    stored = [_stored(found, dates, fills) for found in files]
    inputs = ZoneInputs(
        zones=tuple(found.zone.id for found in files),
        dates=dates,
        wind_mwh=np.column_stack(wind),
        demand_mwh=np.column_stack(demand),
        inflow_mwh=np.column_stack(inflow),
        initial_level_mwh=np.array([initial for initial, _ in stored]),
        reference_level_mwh=np.column_stack([level for _, level in stored]),
        median_level_mwh=np.column_stack([_median(found, dates) for found in files]),
        inflow_years_mwh=_inflow_years([found.inflow for found in files]),
        fills=tuple(fills),
    )
    return inputs, problems


def _on(dates: Dates, rows: DayRows) -> Floats:
    offset = int((dates[0] - rows.first) / DAY)
    return rows.values[offset : offset + len(dates)].copy()


def _fill(found: ZoneFiles, kind: str, quantity: str, rule: str, filled: Sequence[str]) -> Fill:
    return Fill(found.zone.id, file_name(found.zone.id, kind), quantity, rule, len(filled), filled[0], filled[-1])


def _wind(found: ZoneFiles, dates: Dates, fills: list[Fill]) -> Floats:
    values = _on(dates, found.wind)
    gaps = np.isnan(values)
    if gaps.any():
        fills.append(_fill(found, "Wind_Production", "wind", "zero", dates[gaps].astype(str).tolist()))
    return np.where(gaps, 0.0, values)


def _demand(found: ZoneFiles, dates: Dates, fills: list[Fill], problems: list[str]) -> Floats:
    values = _on(
        dates, DayRows(found.demand.first, nearest_same_weekday(found.demand.values), hourly=False, repeats=())
    )
    gaps = np.isnan(_on(dates, found.demand))
    if gaps.any():
        rule = "same weekday of the nearest known week"
        fills.append(_fill(found, "Consumption", "demand", rule, dates[gaps].astype(str).tolist()))
    name = file_name(found.zone.id, "Consumption")
    problems += [
        f"{name}: {day} has no value and no same weekday has one to fill it from; give its demand"
        for day in dates[np.isnan(values)]
    ]
    return values


def _inflow(found: ZoneFiles, dates: Dates, fills: list[Fill], problems: list[str]) -> Floats:
    weekly_gwh, filled = weeks_on_days(found.inflow, dates)
    unknown = filled.pop("nothing known", [])
    name = file_name(found.zone.id, "Effective_Inflow")
    problems += [f"{name}: no inflow is known for {week} in any year; give one" for week in unknown]
    fills += [_fill(found, "Effective_Inflow", "inflow", rule, of_rule) for rule, of_rule in filled.items()]
    return weekly_gwh / 7 * MWH_PER_GWH


def _stored(found: ZoneFiles, dates: Dates, fills: list[Fill]) -> tuple[float, Floats]:
    """Storage at the opening of the first day, within the zone's limit, and recorded storage at the end of each day."""
    kind = "Reservoir_Fill_Level"
    opening, recorded = found.zone.initial_level_mwh, np.full(len(dates), np.nan)
    if found.levels is not None:
        days, anchors = np.concatenate([dates[:1] - DAY, dates]), found.levels.days
        level = between_anchors(days, anchors, found.levels.mwh)
        opening, recorded = float(level[0]), level[1:]
        after = np.searchsorted(anchors, days)
        inside = (days >= anchors[0]) & (days <= anchors[-1])
        step = anchors[np.minimum(after, len(anchors) - 1)] - anchors[np.maximum(after - 1, 0)]
        leap = inside & (step > LONGEST_STEP_DAYS * DAY) & ~np.isin(days, anchors)
        for rule, filled in (("nearest recorded week", ~inside), ("straight line across missing weeks", leap)):
            if filled.any():
                fills.append(_fill(found, kind, "level", rule, days[filled].astype(str).tolist()))
    limited = min(max(opening, 0.0), found.zone.hydro_max_mwh)
    if limited != opening:
        rule, day = f"initial level {opening:.0f} MWh limited to 0 to hydro_max", str(dates[0])
        source = "network" if found.levels is None else file_name(found.zone.id, kind)
        fills.append(Fill(found.zone.id, source, "level", rule, 1, day, day))
    return limited, recorded


def _median(found: ZoneFiles, dates: Dates) -> Floats:
    if found.levels is None or np.isnan(found.levels.median).all():
        return np.full(len(dates), np.nan)
    # four weeks more on both sides: neighbours to draw the line to, even where weeks are blank
    years, week = iso_weeks(np.arange(dates[0] - 28 * DAY, dates[-1] + 29 * DAY, 7 * DAY))
    known = ~np.isnan(found.levels.median[week - 1])
    if not known.any():
        return np.full(len(dates), np.nan)
    return between_anchors(dates, week_ends(years, week)[known], found.levels.median[week - 1][known])


def _inflow_years(inflows: Sequence[WeeklyYears]) -> dict[int, Floats]:
    """MWh a day by (week, zone) of the years in which every zone knows weeks 1 to 52; week 53 as 52 where blank."""
    out: dict[int, Floats] = {}
    for year in sorted(set.intersection(*(set(inflow.years) for inflow in inflows))):
        weekly = np.column_stack([inflow.years[year] for inflow in inflows])
        if not np.isnan(weekly[:52]).any():
            weekly[52] = np.where(np.isnan(weekly[52]), weekly[51], weekly[52])
            out[year] = weekly / 7 * MWH_PER_GWH
    return out
