"""A file of households: `id, timestamp, consumption, production[, category]`, kWh per row, sorted and checked.

Nothing is filled in: blank or negative values, rows that are missing or there twice and other intervals are refused,
all of them at once.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from energy_sim.errors import DataError
from energy_sim.trading.model import Floats, Moments, Whole
from energy_sim.trading.tables import Table, moments, numbers, read_table, texts

logger = logging.getLogger(__name__)

COLUMNS = ("id", "timestamp", "consumption", "production")
MOST_KWH = 1e6  # in a row; above this the unit is wrong
_LETTERS = re.compile(r"[^\W\d_]+")
_UNFIT = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]|:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?-")


@dataclass(frozen=True, slots=True)
class Households:
    """What a file holds: rows (R,) sorted by household, in order of first appearance, and time, without gaps.

    ``first`` (N + 1,) says where the rows of each household begin, and where the last ones end.
    """

    path: Path
    ids: tuple[str, ...]
    types: tuple[str, ...]
    first: Whole
    begins: Moments
    load_kwh: Floats
    pv_kwh: Floats
    interval_s: int
    notes: tuple[str, ...]


def read_households(path: Path) -> Households:
    """Read and check a file of households.

    Args:
        path: a CSV or Parquet file.

    Raises:
        DataError: the file cannot be opened, a column is missing, or its rows have faults; all of them are named.
    """
    problems: list[str] = []
    table = read_table(path, COLUMNS, optional=("category",), text=("id", "category"))
    code, ids = texts(table, "id", problems)
    times, shifted = moments(table, "timestamp", problems)
    load, pv = (numbers(table, name, problems, 0.0, MOST_KWH, "kWh") for name in COLUMNS[2:])
    _check_ids(table, code, ids, problems)
    types = _types(table, code, ids, problems)
    order = _order(code, times)
    code, times = code[order], times[order]
    interval_s = 0 if np.isnat(times).any() else _interval(table, ids, code, times, order, problems)
    if problems:
        raise DataError.from_problems(problems)
    notes = ("timestamps with an offset were brought to UTC",) if shifted else ()
    first = np.concatenate([[0], np.flatnonzero(np.diff(code)) + 1, [len(code)]])
    logger.info("households read file=%s households=%d rows=%d interval_s=%d", path, len(ids), len(code), interval_s)
    return Households(path, ids, types, first, times, load[order], pv[order], interval_s, notes)


def type_of(household_id: str) -> str:
    """The letters an id has first; empty where it has none.

    >>> type_of("A12"), type_of("house_3"), type_of("17")
    ('A', 'house', '')
    """
    found = _LETTERS.search(household_id)
    return found[0] if found else ""


def _check_ids(table: Table, code: Whole, ids: tuple[str, ...], problems: list[str]) -> None:
    """Refuse ids that the results could not tell again: `seller:amount-seller:amount` in one line of a CSV file."""
    unfit = [place for place, name in enumerate(ids) if _UNFIT.search(name)]
    row = np.unique(code, return_index=True)[1]  # first row of each household
    what = "holds a line break, a control character, or a colon, a number and a dash in a row; rename the household"
    faults = ((int(row[place]), f"{ids[place][:60]!r} {what}") for place in unfit)
    table.complain(problems, "id", faults, len(unfit))


def _types(table: Table, code: Whole, ids: tuple[str, ...], problems: list[str]) -> tuple[str, ...]:
    if "category" not in table.columns:
        return tuple(type_of(name) for name in ids)
    category, names = texts(table, "category", problems, blanks=True)
    row = np.unique(code, return_index=True)[1]  # first row of each household
    other = np.flatnonzero(category != category[row][code])
    faults = (
        (
            int(i),
            f"{names[category[i]]!r}, but {ids[code[i]]} began as {names[category[row[code[i]]]]!r}; give one type",
        )
        for i in other
    )
    table.complain(problems, "category", faults, len(other))
    return tuple(names[category[i]] or type_of(name) for i, name in zip(row, ids, strict=True))


def _order(code: Whole, times: Moments) -> Whole:
    """Places of the rows sorted by household and time; most files are sorted already, which is quick to see."""
    step, later = np.diff(code), np.diff(times) > np.timedelta64(0, "s")
    if np.all((step > 0) | ((step == 0) & later)):
        return np.arange(len(code))
    return np.lexsort((times, code))


def _interval(
    table: Table, ids: tuple[str, ...], code: Whole, times: Moments, order: Whole, problems: list[str]
) -> int:
    """Seconds between rows of a household, the most frequent ones; whatever differs is a fault."""
    same = np.diff(code) == 0
    gap = np.diff(times).astype(np.int64)
    lengths, count = np.unique(gap[same & (gap > 0)], return_counts=True)
    if not len(lengths):
        problems.append(f"{table.path}: no household has two rows, so the interval is not known; give at least two")
        return 0
    usual = int(lengths[np.argmax(count)])
    uneven = np.flatnonzero(same & (gap != usual)) + 1
    begin = np.concatenate([[0], np.flatnonzero(~same) + 1])
    askew = begin[(times[begin] - times[0]).astype(np.int64) % usual != 0]

    def faults() -> Iterator[tuple[int, str]]:
        for i in uneven:
            who, when, seconds = ids[code[i]], times[i], int(gap[i - 1])
            if seconds == 0:
                twin = order[i - 1] + table.first_row
                what = f"{when} of {who} is in row {twin} too; keep one (UTC has no hour twice)"
            elif seconds % usual == 0:
                what = f"{seconds // usual - 1} rows of {who} are missing before {when}; nothing is filled in, add them"
            else:
                what = (
                    f"{when} of {who} is {seconds} s after the row before, the usual interval is {usual} s; keep to it"
                )
            yield int(order[i]), what
        for i in askew:
            what = f"{ids[code[i]]} begins at {times[i]}, no whole intervals of {usual} s from {ids[0]}; align them"
            yield int(order[i]), what

    table.complain(problems, "timestamp", faults(), len(uneven) + len(askew))
    return usual
