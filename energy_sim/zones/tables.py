"""One CSV file to clean columns, and every fault on the way as one line for people.

``read_table`` opens the file (BOM, ``;`` or tab separators and any column order are fine), ``require`` asks for
columns, ``numbers`` (decimal comma is fine), ``stamps`` and ``weeks`` convert them. None of them raises on bad content:
each appends lines like ``NO1_Consumption.csv: row 3, column Date: ...; how to mend`` to the ``problems`` it is given.
Row numbers are line numbers in the file; the header is row 1.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from energy_sim.zones.model import Dates, Floats

BLANKS = ("", "nan", "na", "n/a", "<na>")
LISTED = 100  # faults of one kind in one column that are listed one by one

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_STAMP = r"\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_THOUSANDS = r"[+-]?\d{1,3},\d{3}"


@dataclass(frozen=True, slots=True)
class Table:
    """The text of a CSV file: column names, rows of cells of that length, and the line each row stands on."""

    path: Path
    separator: str
    names: tuple[str, ...]
    rows: list[list[str]]
    lines: tuple[int, ...]

    def find(self, name: str) -> int | None:
        """Position of a column, whatever the case of its name; None when there is no such column."""
        wanted = name.casefold()
        return next((i for i, have in enumerate(self.names) if have.casefold() == wanted), None)

    def cells(self, name: str) -> list[str]:
        """The cells of a column that exists, as text."""
        position = self.find(name)
        if position is None:
            raise KeyError(name)
        return [row[position] for row in self.rows]

    def complain(self, problems: list[str], column: str, faults: Sequence[tuple[int, str]]) -> None:
        """Append one line for each (row position, what is wrong), or a count of those beyond ``LISTED``."""
        for row, text in faults[:LISTED]:
            problems.append(f"{self.path}: row {self.lines[row]}, column {column}: {text}")
        if len(faults) > LISTED:
            problems.append(f"{self.path}: column {column}: {len(faults) - LISTED} more rows with faults of this kind")


def read_table(path: Path, problems: list[str]) -> Table | None:
    """Read a CSV file as text; None when it cannot be used, with the reasons in ``problems``.

    UTF-8 with or without BOM; Latin-1 where the bytes are not UTF-8 but hold no control characters. Lines without any
    content are skipped, except inside a file of one column, where they are blank cells.
    """
    text = _decode(path, problems)
    if text is None:
        return None
    header = text.lstrip("\r\n").partition("\n")[0]
    # a header without separators: one column, whose commas can only be decimal commas
    separator = max(";\t,", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            lines.append(reader.line_num)
            rows.append(row)
    except csv.Error as error:
        problems.append(f"{path}: row {reader.line_num}: {error}; check the quotation marks")
        return None
    return _shape(path, separator, rows, lines, problems)


def require(table: Table, names: Sequence[str], problems: list[str]) -> bool:
    """Whether all columns are there; each that is not is reported with the columns found."""
    missing = [name for name in names if table.find(name) is None]
    found = ", ".join(table.names)
    problems += [f"{table.path}: no column {name}; found: {found}; rename or add the column" for name in missing]
    return not missing


def numbers(
    table: Table,
    names: Sequence[str],
    problems: list[str],
    low: float = -np.inf,
    high: float = np.inf,
    unit: str = "",
    thousands_doubt: bool = False,
) -> Floats:
    """The numbers of some columns, NaN where a cell is blank (or faulty, then it is in ``problems``).

    Args:
        table: the file's text.
        names: columns that exist.
        problems: is appended to.
        low: least value allowed.
        high: greatest value allowed.
        unit: of the values, for the message.
        thousands_doubt: refuse a column of a comma-separated file where every comma could part thousands ("118,120").

    Returns:
        (rows, columns).
    """
    out = np.full((len(table.rows), len(names)), np.nan)
    if not names:
        return out
    text = pd.Series([cell for name in names for cell in table.cells(name)], dtype="str").str.strip()
    comma = text.str.contains(",", regex=False)
    doubtful = bool(
        thousands_doubt and table.separator == "," and comma.any() and text[comma].str.fullmatch(_THOUSANDS).all()
    )
    blank = text.str.lower().isin(BLANKS).to_numpy(bool)
    values = pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce").to_numpy(np.float64, copy=True)
    bad = ~blank & ~((values >= low) & (values <= high) & np.isfinite(values))
    if doubtful:
        bad |= comma.to_numpy(bool)
    n = len(table.rows)
    for k, name in enumerate(names):
        where = np.flatnonzero(bad[k * n : (k + 1) * n])
        faults = [(int(i), _number_fault(text.iloc[k * n + i], values[k * n + i], low, high, unit)) for i in where]
        table.complain(problems, name, faults)
    values[bad] = np.nan
    out[:] = values.reshape(len(names), n).T
    return out


def stamps(table: Table, name: str, problems: list[str]) -> Dates:
    """Dates or timestamps of a column to the second, NaT where unreadable; an offset from UTC is read past.

    Source: ISO 8601, ``2016-01-31`` with an optional time of day.
    """
    text = pd.Series(table.cells(name), dtype="str").str.strip()
    readable = text.str.fullmatch(_STAMP)
    read = pd.to_datetime(text.where(readable).str.slice(0, 19), format="ISO8601", errors="coerce")
    times: Dates = read.to_numpy("datetime64[s]")
    faults = [
        (int(i), f"{_shown(text.iloc[i])} is not a date; write it as 2016-01-31 or 2016-01-31 13:00")
        for i in np.flatnonzero(np.isnat(times))
    ]
    table.complain(problems, name, faults)
    return times


def weeks(table: Table, name: str, problems: list[str]) -> NDArray[np.int64]:
    """ISO week numbers of a column, each 1 to 53 and once; 0 where a cell is faulty."""
    read: dict[int, int] = {}
    out = np.zeros(len(table.rows), dtype=np.int64)
    faults = []
    for i, cell in enumerate(table.cells(name)):
        match = re.fullmatch(r"0?(\d{1,2})(?:[.,]0*)?", cell.strip(), re.ASCII)
        week = int(match[1]) if match else 0
        if not 1 <= week <= 53:
            faults.append((i, f"{_shown(cell)} is not a week; give a whole number from 1 to 53"))
        elif week in read:
            faults.append((i, f"week {week} is already in row {table.lines[read[week]]}; keep one of them"))
        else:
            read[week] = i
            out[i] = week
    table.complain(problems, name, faults)
    return out


def _decode(path: Path, problems: list[str]) -> str | None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); check the file and its permissions")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if _CONTROL.search(text):
        problems.append(f"{path}: is not a text file; save it as CSV in UTF-8")
        return None
    if not text.strip('\r\n\t ,;"'):
        problems.append(f"{path}: the file is empty; give a header line and rows, or take the file away")
        return None
    return text


def _shape(path: Path, separator: str, rows: list[list[str]], lines: list[int], problems: list[str]) -> Table | None:
    """Cut empty lines and columns without name and content; refuse ragged rows, repeated names and a lone header."""
    head = next(i for i, row in enumerate(rows) if any(cell.strip() for cell in row))
    names = [" ".join(name.split()) for name in rows[head]]
    while len(names) > 1 and not names[-1] and not any(cell.strip() for row in rows for cell in row[len(names) - 1 :]):
        names.pop()
    width = len(names)
    last = max(i for i, row in enumerate(rows) if any(cell.strip() for cell in row))
    kept: list[list[str]] = []
    kept_lines: list[int] = []
    ragged = []
    for line, row in zip(lines[head + 1 : last + 1], rows[head + 1 : last + 1], strict=True):
        if not any(cell.strip() for cell in row):
            if width > 1:
                continue
            row = [""]  # noqa: PLW2901 - an empty line in a file of one column is a blank cell
        if len(row) < width or any(cell.strip() for cell in row[width:]):
            ragged.append((line, len(row)))
        kept.append(row[:width])
        kept_lines.append(line)
    problems += [
        f"{path}: row {line}: {cells} cells, the header has {width}; give one cell for each column"
        + (" (with decimal commas, separate columns by ;)" if separator == "," else "")
        for line, cells in ragged[:LISTED]
    ]
    if len(ragged) > LISTED:
        problems.append(f"{path}: {len(ragged) - LISTED} more rows with too few or too many cells")
    folded = [name.casefold() for name in names]
    twice = sorted({name for name, fold in zip(names, folded, strict=True) if name and folded.count(fold) > 1})
    problems += [f"{path}: row 1: column {name} appears more than once; keep one of them" for name in twice]
    if not kept:
        problems.append(f"{path}: the file is empty below its header; give at least one row")
    if ragged or twice or not kept:
        return None
    return Table(path, separator, tuple(names), kept, tuple(kept_lines))


def _number_fault(cell: str, value: float, low: float, high: float, unit: str) -> str:
    shown = _shown(cell)
    if np.isinf(value):
        return f"{shown} is infinite; give a finite number or leave the cell blank"
    if value < low:
        limit = "is negative" if low == 0 else f"is below {low:g} {unit}"
        return f"{shown} {limit}; give {low:g} or more, or leave the cell blank"
    if value > high:
        return f"{shown} is above {high:g} {unit}, which cannot be; check the unit"
    if np.isfinite(value):
        return f"{shown} can be read with a decimal comma or with thousands; write it with a decimal point"
    return f"{shown} is not a number; write it as 1234.5 or leave the cell blank"


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")
