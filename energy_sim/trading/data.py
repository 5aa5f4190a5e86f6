"""From a file of households to the profiles of a run: who takes part, in which steps, from when to when.

    profiles = read_profiles(Path("input/homes/homes.parquet"), parameters)
    profiles.load_kwh[step, household]

The file itself is read and checked by `household_file`.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from energy_sim.errors import ConfigError
from energy_sim.trading.household_file import Households, read_households, type_of
from energy_sim.trading.model import Floats, Profiles, Whole
from energy_sim.trading.parameters import HouseholdGroup, SimulationGroup, TradingParameters

__all__ = ["HouseholdsSummary", "describe_households", "read_households", "read_profiles", "type_of"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HouseholdsSummary:
    """What the page says of a file; ``types`` counts the households of each, ``last`` begins the last row."""

    households: int
    types: dict[str, int]
    first: str
    last: str
    interval_h: float
    consumption_kwh: float
    production_kwh: float


@dataclass(frozen=True, slots=True)
class _Window:
    """Rows of the file that a run takes: seconds since 1970 of the first, rows in a step, and steps."""

    begin_s: int
    rows: int
    steps: int


def describe_households(path: Path) -> HouseholdsSummary:
    """What a file of households holds.

    Raises:
        DataError: as `read_households`.
    """
    found = read_households(path)
    return HouseholdsSummary(
        households=len(found.ids),
        types=_count(found.types),
        first=str(found.begins.min()),
        last=str(found.begins.max()),
        interval_h=found.interval_s / 3600,
        consumption_kwh=float(found.load_kwh.sum()),
        production_kwh=float(found.pv_kwh.sum()),
    )


def read_profiles(path: Path, parameters: TradingParameters) -> Profiles:
    """Read what the households of a run consume and produce, in its steps.

    Args:
        path: CSV or Parquet with `id, timestamp, consumption, production[, category]`, kWh per row.
        parameters: who takes part (`household`), steps and start (`simulation`).

    Returns:
        Profiles of the chosen households over the period that all of them have, cut to the run.

    Raises:
        DataError: the file or its content cannot be used.
        ConfigError: a type, a step, a start or a number of steps does not fit the file.
    """
    found = read_households(path)
    notes = list(found.notes)
    problems: list[str] = []
    chosen = _chosen(found, parameters.household, notes, problems)
    window = _window(found, chosen, parameters.simulation, notes, problems)
    if problems or window is None:
        raise ConfigError.from_problems(problems)
    for note in notes:
        logger.warning("households changed while reading file=%s note=%s", path, note)
    dt_s = window.rows * found.interval_s
    begins = window.begin_s + dt_s * np.arange(window.steps)
    return Profiles(
        ids=tuple(found.ids[i] for i in chosen),
        begins=begins.astype("datetime64[s]"),
        dt_h=dt_s / 3600,
        load_kwh=_in_steps(found.load_kwh, found, chosen, window),
        pv_kwh=_in_steps(found.pv_kwh, found, chosen, window),
        notes=tuple(notes),
    )


def _chosen(found: Households, group: HouseholdGroup, notes: list[str], problems: list[str]) -> Whole:
    """Places of the households that take part, in the order of the file."""
    if not group.selection:
        if group.max_households > len(found.ids):
            notes.append(f"{group.max_households} households were asked for, the file holds {len(found.ids)}")
        elif group.max_households < len(found.ids):
            notes.append(f"the first {group.max_households} of {len(found.ids)} households take part")
        return np.arange(min(group.max_households, len(found.ids)))
    counts = _count(found.types)
    types = np.array(found.types)
    places = [np.arange(0)]
    for kind, count in group.selection.items():
        if count > counts.get(kind, 0):
            have = ", ".join(f"{name or 'without letters'} ({many})" for name, many in counts.items())
            problems.append(
                f"household.selection: {count} of type {kind!r}, but {found.path} has {counts.get(kind, 0)} of them; "
                f"its types are {have}"
            )
        places.append(np.flatnonzero(types == kind)[:count])
    return np.sort(np.concatenate(places))


def _count(types: tuple[str, ...]) -> dict[str, int]:
    return {name: types.count(name) for name in dict.fromkeys(types)}


def _window(
    found: Households, chosen: Whole, group: SimulationGroup, notes: list[str], problems: list[str]
) -> _Window | None:
    """The rows of a run; None, with the reasons in ``problems``, where it does not fit the file."""
    interval, dt_s = found.interval_s, round(group.time_step_hours * 3600)
    if dt_s % interval:
        reason = "is finer than" if dt_s < interval else "is no whole multiple of"
        problems.append(
            f"simulation.time_step_hours: {group.time_step_hours:g} {reason} the interval of {found.path}, "
            f"{interval / 3600:g} h; give a whole multiple of it"
        )
    if not len(chosen):
        return None
    seconds = found.begins.astype(np.int64)
    begins, ends = seconds[found.first[chosen]], seconds[found.first[chosen + 1] - 1] + interval
    begin, end = int(begins.max()), int(ends.min())
    if begin >= end:
        problems.append(f"{found.path}: the chosen households have no moment in common; choose others")
        return None
    period = f"{_iso(begin)} to {_iso(end)}"
    if begin > begins.min() or end < ends.max():
        notes.append(f"cut to the period that all households have, {period}")
    if group.start:
        start = int(np.datetime64(datetime.fromisoformat(group.start), "s").astype(np.int64))
        if not begin <= start < end:
            problems.append(
                f"simulation.start: {group.start} is outside {period} of {found.path}; choose a moment within"
            )
        elif (start - begin) % interval:
            before = _iso(start - (start - begin) % interval)
            problems.append(f"simulation.start: {group.start} is no row of {found.path}; the one before is {before}")
        begin = start
    if problems:
        return None
    return _steps(found, group, _Window(begin, dt_s // interval, (end - begin) // dt_s), end, notes, problems)


def _steps(
    found: Households, group: SimulationGroup, most: _Window, end: int, notes: list[str], problems: list[str]
) -> _Window | None:
    """The window cut to the steps asked for."""
    dt_s, asked = most.rows * found.interval_s, group.simulation_steps
    period = f"{_iso(most.begin_s)} to {_iso(end)} of {found.path}"
    if most.steps == 0:
        problems.append(f"simulation.time_step_hours: {dt_s / 3600:g} is longer than {period}; give a shorter step")
        return None
    if asked is not None and asked > most.steps:
        problems.append(
            f"simulation.simulation_steps: {asked} is above {most.steps}, steps of {dt_s / 3600:g} h in {period}; "
            "give fewer, an earlier start, or none for all"
        )
        return None
    left = (end - most.begin_s) % dt_s
    if asked is None and left:
        notes.append(f"the last {left / 3600:g} h fill no whole step and were left out")
    return _Window(most.begin_s, most.rows, most.steps if asked is None else asked)


def _in_steps(kwh: Floats, found: Households, chosen: Whole, window: _Window) -> Floats:
    """Rows (R,) to sums over steps (T, N)."""
    begins = found.begins[found.first[chosen]].astype(np.int64)
    at = found.first[chosen] + (window.begin_s - begins) // found.interval_s
    rows = window.steps * window.rows
    by_household = np.stack([kwh[i : i + rows] for i in at]).reshape(len(chosen), window.steps, window.rows)
    return np.ascontiguousarray(by_household.sum(axis=2).T)


def _iso(seconds: int) -> str:
    return str(np.datetime64(seconds, "s"))
