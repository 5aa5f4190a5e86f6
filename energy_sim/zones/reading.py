"""The four input files of a zone, each read into arrays; every fault is listed, none is raised.

``Reading`` is one pass over the files of any number of zones. What a file must look like: docs of the file formats
(room ``zones``); text to columns: ``tables``; weeks and days: ``calendar``. Gaps stay NaN: ``data`` fills them.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from energy_sim.zones.calendar import DayRows, Ints, WeeklyYears, sum_by_day, week_ends, weeks_in
from energy_sim.zones.model import Dates, Floats, Zone
from energy_sim.zones.tables import Table, numbers, read_table, require, stamps, weeks

logger = logging.getLogger(__name__)

MOST_MWH_A_DAY = 1e9  # above this the unit is wrong: the world uses some 8e7 MWh of electricity a day
MOST_LEVEL_TWH = 1e3
MOST_LEVEL_PCT = 200.0
UNDATED = "undated"
SHARE_LIMIT = 1.5  # a level column with no value above this holds shares of 1, not percent
MWH_PER_GWH, MWH_PER_TWH = 1e3, 1e6

_LEVEL_COLUMN = re.compile(r"(\d{4}|median) ?(twh|%|pct)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileReport:
    """What one file holds: rows, the first and last day (inflow: year) and how many values had to be filled.

    Consumption in sequence begins where a run begins: ``first`` and ``last`` are ``UNDATED``.
    """

    zone: str
    file: str
    rows: int
    first: str
    last: str
    filled: int = 0


@dataclass(frozen=True, slots=True)
class Levels:
    """Recorded storage, MWh, at week-end days; ``median`` (53,) by ISO week, NaN where unknown."""

    days: Dates
    mwh: Floats
    median: Floats


@dataclass(frozen=True, slots=True)
class ZoneFiles:
    """What the files of one zone hold; ``levels`` is None where there is no such file."""

    zone: Zone
    wind: DayRows
    demand: DayRows
    inflow: WeeklyYears
    levels: Levels | None


class Reading:
    """One pass over the files: where to look, and what has been found and found wrong so far."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.problems: list[str] = []
        self.reports: list[FileReport] = []

    def table(self, name: str, optional: bool = False) -> Table | None:
        """The first file of that name along the folders; a missing one is a problem unless it is optional."""
        path = next((folder / name for folder in self.folders if (folder / name).is_file()), None)
        if path is not None:
            return read_table(path, self.problems)
        if not optional:
            looked = ", ".join(str(folder) for folder in self.folders) or "no folder at all"
            self.problems.append(f"{name}: not found; looked in {looked}; put the file there or name its folder")
        return None

    def days(self, zone: Zone, kind: str, columns: tuple[str, str], start: np.datetime64 | None) -> DayRows | None:
        """Daily sums of a file with a date and a value column; ``start`` dates a file of only the value column."""
        table = self.table(file_name(zone.id, kind))
        before = len(self.problems)
        if table is None:
            return None
        date_column, value_column = columns
        in_sequence = kind == "Consumption" and table.find(value_column) == 0 and len(table.names) == 1
        if not require(table, [value_column] if in_sequence else columns, self.problems):
            return None
        values = numbers(table, [value_column], self.problems, 0.0, MOST_MWH_A_DAY, "MWh a day", thousands_doubt=True)
        if in_sequence:
            if start is None or len(self.problems) > before:
                return None
            rows = DayRows(start, values[:, 0], hourly=False, repeats=())
        else:
            times = stamps(table, date_column, self.problems)
            if np.isnat(times).any():
                return None
            rows = sum_by_day(times, values[:, 0])
            again = [(i, f"{table.cells(date_column)[i]} is already in row {table.lines[j]}") for i, j in rows.repeats]
            mend = "; keep one row a day, or 23 to 25 hourly rows for (nearly) every day"
            table.complain(self.problems, date_column, [(i, text + mend) for i, text in again])
        if kind == "Consumption" and len(self.problems) == before and np.isnan(rows.values).all():
            self.problems.append(f"{table.path}: column {value_column} has no day with a value; give the demand")
        self._report(zone, table, *((UNDATED, UNDATED) if in_sequence else (str(rows.first), str(rows.last))))
        return rows if len(self.problems) == before else None

    def inflow(self, zone: Zone) -> WeeklyYears | None:
        """Weekly inflow by ISO year, and the usual year."""
        table = self.table(file_name(zone.id, "Effective_Inflow"))
        before = len(self.problems)
        if table is None or not require(table, ["Iso-uke"], self.problems):
            return None
        columns = [name for name in table.names if re.fullmatch(r"\d{4}", name, re.ASCII)]
        if not columns and table.find("T_Gj.snitt") is None:
            require(table, ["YYYY (a year)"], self.problems)
            return None
        week = weeks(table, "Iso-uke", self.problems)
        given = columns + ["T_Gj.snitt"] * (table.find("T_Gj.snitt") is not None)
        most = MOST_MWH_A_DAY * 7 / MWH_PER_GWH
        values = numbers(table, given, self.problems, -most, most, "GWh a week")
        if len(self.problems) > before:
            return None
        by_week = _by_week(week, values)
        years = {int(name): by_week[:, k] for k, name in enumerate(columns)}
        known = ~np.isnan(by_week[:, : len(columns)])
        count = known.sum(axis=1)
        total = np.where(known, by_week[:, : len(columns)], 0).sum(axis=1)
        usual = {"T_Gj.snitt": by_week[:, -1]} if len(given) > len(columns) else {}
        usual["mean of the years"] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        self._report(zone, table, str(min(years, default="")), str(max(years, default="")))
        return WeeklyYears(years, usual)

    def levels(self, zone: Zone) -> Levels | None:
        """Recorded storage at the end of ISO weeks; None where there is no (usable) file."""
        table = self.table(file_name(zone.id, "Reservoir_Fill_Level"), optional=True)
        before = len(self.problems)
        if table is None or not require(table, ["Uke"], self.problems):
            return None
        week = weeks(table, "Uke", self.problems)
        known: dict[str, tuple[bool, str]] = {}  # year or median: (in TWh, column); TWh is preferred to percent
        for name in table.names:
            match = _LEVEL_COLUMN.fullmatch(name)
            if match:
                key, in_twh = match[1].lower(), (match[2] or "").lower() == "twh"
                known[key] = max(known.get(key, (False, "")), (in_twh, name))
        if not known.keys() - {"median"}:
            require(table, ["YYYY TWh (a year)"], self.problems)
            return None
        mwh: dict[str, Floats] = {}
        for key, (in_twh, name) in known.items():
            most, unit = (MOST_LEVEL_TWH, "TWh") if in_twh else (MOST_LEVEL_PCT, "%")
            values = numbers(table, [name], self.problems, -np.inf, most, unit)[:, 0]
            factor = MWH_PER_TWH if in_twh else zone.hydro_max_mwh / 100
            if not in_twh and not np.isnan(values).all() and np.nanmax(values) <= SHARE_LIMIT:
                logger.warning("level column read as share of 1 file=%s column=%s", table.path, name)
                factor = zone.hydro_max_mwh
            mwh[key] = _by_week(week, values[:, None] * factor)[:, 0]
        if len(self.problems) > before:
            return None
        median = mwh.pop("median", np.full(53, np.nan))
        years = np.array(sorted(int(key) for key in mwh))
        stored = np.concatenate([mwh[f"{year:04d}"] for year in years])
        in_year = np.repeat(years, 53), np.tile(np.arange(1, 54), len(years))
        use = ~np.isnan(stored) & (in_year[1] <= np.repeat([weeks_in(int(year)) for year in years], 53))
        if not use.any():
            self.problems.append(f"{table.path}: no week has a level; give levels or take the file away")
            return None
        days = week_ends(in_year[0][use], in_year[1][use])
        self._report(zone, table, str(days[0]), str(days[-1]))
        return Levels(days, stored[use], median)

    def zone(self, zone: Zone, start: np.datetime64 | None) -> ZoneFiles | None:
        """All four files of a zone; None when one of them cannot be used."""
        wind, demand = self.daily(zone, start)
        inflow, levels = self.inflow(zone), self.levels(zone)
        return ZoneFiles(zone, wind, demand, inflow, levels) if wind and demand and inflow else None

    def daily(self, zone: Zone, start: np.datetime64 | None) -> tuple[DayRows | None, DayRows | None]:
        """Wind and demand; demand in sequence starts at ``start``, or with the wind."""
        wind = self.days(zone, "Wind_Production", ("Dato_Id", "Produksjon [MWh]"), None)
        begin = start if start is not None or wind is None else wind.first
        return wind, self.days(zone, "Consumption", ("Date", "Daily_Consumption"), begin)

    def _report(self, zone: Zone, table: Table, first: str, last: str) -> None:
        self.reports.append(FileReport(zone.id, table.path.name, len(table.rows), first, last))


def file_name(zone_id: str, kind: str) -> str:
    """Name of an input file, such as ``NO1_Wind_Production.csv``."""
    return f"{zone_id}_{kind}.csv"


def _by_week(week: Ints, values: Floats) -> Floats:
    """Rows of a file to (53, columns) by ISO week; rows whose week is 0 (faulty) are left out."""
    out = np.full((53, values.shape[1]), np.nan)
    out[week[week > 0] - 1] = values[week > 0]
    return out
