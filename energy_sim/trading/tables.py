"""A CSV or Parquet file to clean columns, and every fault on the way as one line for people.

``read_table`` opens the file and finds the columns, ``texts``, ``numbers`` and ``moments`` convert them. None of the
three raises on bad content: each appends lines like ``homes.csv: row 3, column consumption: ...; how to mend`` to the
``problems`` it is given. Rows of a CSV count from the header, which is row 1; rows of a Parquet file from 1.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pa_compute
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from energy_sim.errors import DataError
from energy_sim.trading.model import Floats, Moments, Whole

SUFFIXES = (".csv", ".parquet")
LISTED = 20  # faults of one kind in one column that are listed one by one
MOST_ROWS = 40_000_000  # of a file: 1,000 households, a year of quarter-hours, and some more
MOST_BYTES = 4_000_000_000  # of a Parquet file when unpacked
LONGEST_TEXT = 10_000  # bytes of an id or another cell; a file of some kB can hold millions of longer ones

_OFFSET = re.compile(r"\d(?:Z|[+-]\d{2}:?\d{2})$")


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by their asked-for names, and the row number in the file of the first one."""

    path: Path
    columns: dict[str, pa.Array]
    first_row: int
    rows: int

    def complain(self, problems: list[str], column: str, faults: Iterable[tuple[int, str]], count: int) -> None:
        """Append one line for each (row position, what is wrong), or a count of those beyond ``LISTED``.

        Of ``faults`` only so many are looked at: the words for millions of them would take minutes.
        """
        for row, text in islice(faults, LISTED):
            problems.append(f"{self.path}: row {row + self.first_row}, column {column}: {text}")
        if count > LISTED:
            problems.append(f"{self.path}: column {column}: {count - LISTED} more rows with faults of this kind")


def read_table(path: Path, required: Sequence[str], optional: Sequence[str] = (), text: Sequence[str] = ()) -> Table:
    """Open a file and find columns in it, whatever the case of their names; others are left out.

    A CSV may be separated by comma, semicolon or tab.

    Args:
        path: the file; its suffix says what it is.
        required: columns that must be there.
        optional: columns that may be.
        text: those of them that stay text, such as an id 007.

    Raises:
        DataError: no such file, unknown suffix, not readable as what it says it is, a column is missing or there twice,
            or there is no row.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{path}: {path.suffix or 'no suffix'} is no known format; give a .csv or a .parquet file")
    try:
        if suffix == ".csv":
            return _pick(path, _read_csv(path, text), required, optional, first_row=2)
        return _pick(path, _open_parquet(path), required, optional, first_row=1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: cannot be read ({reason}); give the path of a {suffix} file") from error
    except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: is no valid {suffix} file ({reason}); write it anew") from error


def _read_csv(path: Path, text: Sequence[str]) -> pa.Table:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
    if not header.strip():
        raise DataError(f"{path}: is empty; give a header and at least one row")
    separator = max(",;\t", key=header.count)
    names = next(csv.reader([header], delimiter=separator))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: column {twice} is there twice; keep one of them")
    as_text = {name: pa.string() for name in names if name.strip().casefold() in text}
    return pa_csv.read_csv(
        path,
        parse_options=pa_csv.ParseOptions(delimiter=separator),
        convert_options=pa_csv.ConvertOptions(column_types=as_text),
    )


def _open_parquet(path: Path) -> Any:
    """The file if it can be unpacked: a small one may hold more than any memory.

    Texts stay in their dictionaries, where their lengths can be seen before they are unpacked.

    Raises:
        DataError: it holds too much.
    """
    about = pa_parquet.read_metadata(path)
    unpacked = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    if about.num_rows > MOST_ROWS or unpacked > MOST_BYTES:
        raise DataError(
            f"{path}: holds {about.num_rows} rows, {unpacked / 1e6:.0f} MB unpacked;"
            f" give at most {MOST_ROWS} rows and {MOST_BYTES / 1e6:.0f} MB"
        )
    names = [field.name for field in pa_parquet.read_schema(path) if _is_text(field.type)]
    return pa_parquet.ParquetFile(path, read_dictionary=names)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _pick(path: Path, source: Any, required: Sequence[str], optional: Sequence[str], first_row: int) -> Table:
    is_table = isinstance(source, pa.Table)
    names = source.schema.names if is_table else source.schema_arrow.names
    places: dict[str, str] = {}
    for name in names:
        key = name.strip().casefold()
        if key in places and key in (*required, *optional):
            raise DataError(f"{path}: columns {places[key]!r} and {name!r} are the same; keep one of them")
        places[key] = name
    missing = [name for name in required if name not in places]
    if missing:
        found = ", ".join(names) or "none"
        raise DataError.from_problems(
            [f"{path}: no column {name}; found: {found}; rename or add the column" for name in missing]
        )
    wanted = [name for name in (*required, *optional) if name in places]
    table = source if is_table else source.read(columns=[places[name] for name in wanted])
    if table.num_rows == 0:
        raise DataError(f"{path}: has no rows; give at least one")
    columns = {name: _plain(path, name, table[places[name]]) for name in wanted}
    return Table(path, columns, first_row, table.num_rows)


def _plain(path: Path, name: str, column: pa.ChunkedArray) -> Any:
    """A column as one array of numbers, moments or texts.

    Raises:
        DataError: its cells are lists or the like, or texts too long to be ids or numbers.
        pa.ArrowException: bytes that are no text.
    """
    array = column.unify_dictionaries().combine_chunks()
    values = array.dictionary if pa.types.is_dictionary(array.type) else array
    kind = values.type
    if pa.types.is_nested(kind):
        raise DataError(f"{path}: column {name}: holds {kind}; give one number, moment or text in a cell")
    if _is_text(kind) and (pa_compute.max(pa_compute.binary_length(values)).as_py() or 0) > LONGEST_TEXT:
        raise DataError(f"{path}: column {name}: holds a text of more than {LONGEST_TEXT} bytes; shorten it")
    plain = array.dictionary_decode() if values is not array else array
    return plain.cast(pa.string()) if pa.types.is_binary(kind) else plain


def texts(table: Table, name: str, problems: list[str], blanks: bool = False) -> tuple[Whole, tuple[str, ...]]:
    """A column as places in its different values, which are in order of first appearance; blank cells are faults.

    Args:
        table: the file.
        name: the column; numbers are taken as text.
        problems: is appended to.
        blanks: blank cells are the value "" instead of a fault.
    """
    array = pa_compute.utf8_trim_whitespace(pa_compute.fill_null(table.columns[name].cast(pa.string()), ""))
    coded = array.dictionary_encode()
    codes, values = coded.indices.to_numpy().astype(np.int64), tuple(coded.dictionary.to_pylist())
    if "" in values and not blanks:
        empty = np.flatnonzero(codes == values.index(""))
        table.complain(problems, name, ((int(row), "is blank; give a text") for row in empty), len(empty))
    return codes, values


def numbers(table: Table, name: str, problems: list[str], low: float, high: float, unit: str) -> Floats:
    """A column as numbers; a blank or NaN cell, text, and values outside ``low`` to ``high`` are faults.

    A decimal comma is understood where the file is not separated by commas.
    """
    array = table.columns[name]
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_decimal(array.type):
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    else:
        text = array.cast(pa.string()).to_pandas().str.strip().str.replace(",", ".", regex=False)
        values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = np.flatnonzero(~((values >= low) & (values <= high)))
    if len(bad):
        shown = array.take(pa.array(bad[:LISTED])).to_pylist()
        faults = [
            (int(row), _number_fault(given, float(values[row]), low, high, unit))
            for row, given in zip(bad[:LISTED], shown, strict=True)
        ]
        table.complain(problems, name, faults, len(bad))
    return np.asarray(values, dtype=np.float64)


def _number_fault(given: object, value: float, low: float, high: float, unit: str) -> str:
    if given is None or (isinstance(given, float) and np.isnan(given)):
        return f"is blank or NaN; nothing is filled in, give {unit}"
    if np.isnan(value):
        return f"{given!r} is no number; give {unit}"
    return f"{value:g} is {f'below {low:g}' if value < low else f'above {high:g}'}; give {unit}"


def moments(table: Table, name: str, problems: list[str]) -> tuple[Moments, bool]:
    """A column as moments to the second, and whether they had an offset and were brought to UTC."""
    array = table.columns[name]
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        shifted = pa.types.is_timestamp(array.type) and array.type.tz is not None
        stamps = array.cast(pa.timestamp("s")) if pa.types.is_date(array.type) else array
        values = stamps.to_numpy(zero_copy_only=False).astype("datetime64[s]")
    else:
        text = array.cast(pa.string()).to_pandas().str.strip()
        with_offset = text.str.contains(_OFFSET, na=False).to_numpy(bool)
        if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
            text[:] = None  # a bare number would be taken for a year
        found = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
        values = found.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
        shifted = bool(with_offset.any())
        mixed = np.flatnonzero(with_offset != with_offset[0])
        if len(mixed):
            table.complain(
                problems, name, [(int(mixed[0]), "some have an offset from UTC, some none; give it to all")], 1
            )
    bad = np.flatnonzero(np.isnat(values))
    if len(bad):
        shown = array.take(pa.array(bad[:LISTED])).to_pylist()
        faults = [
            (int(row), f"{'blank' if given is None else repr(given)} is no moment; write it as 2026-07-06 14:00")
            for row, given in zip(bad[:LISTED], shown, strict=True)
        ]
        table.complain(problems, name, faults, len(bad))
    return values, shifted


def check_steps(table: Table, name: str, steps: int, problems: list[str]) -> None:
    """Report a column that does not count 0, 1, 2, ... (or 1, 2, 3, ...), or a table with fewer rows than ``steps``."""
    before = len(problems)
    count = numbers(table, name, problems, 0, np.inf, "the number of the step")
    if len(problems) == before:
        expected = np.arange(table.rows) + (1.0 if count[0] == 1 else 0.0)
        wrong = np.flatnonzero(count != expected)
        if len(wrong):
            row = int(wrong[0])
            what = f"{count[row]:g} is not {expected[row]:g}; steps count up by 1, in order, from 0"
            table.complain(problems, name, [(row, what)], 1)
    if table.rows < steps:
        problems.append(f"{table.path}: has {table.rows} rows, the run has {steps} steps; add rows or run fewer steps")
