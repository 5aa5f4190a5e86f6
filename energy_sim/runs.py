"""Finished runs on disk: a folder each, written whole or not at all.

``runs/{room}_{YYYYMMDD_HHMMSS}_{6 hex}/`` holds params.json, summary.json, the tables as Parquet and CSV, and figures.
"""

import json
import logging
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z]{1,20}_([0-9]{8}_[0-9]{6})_[0-9a-f]{6}")
_TABLE = re.compile(r"[a-z0-9_]{1,60}")
_STAGING = ".writing-"
_MARK = "params.json"
_ABANDONED_S = 86400.0
_TABLES = ("daily_summary", "zone_metrics", "transfers", "quantiles", "totals", "ticks", "houses", "statements")
_TRADING_TABLES = ("baseline_results", "optimized_results", "households", "steps")
_FIGURES = (
    "energy_flows_summary",
    "reservoir_levels",
    "energy_exchange_curved",
    "energy_exchange_split_import_export",
)
_OF_A_RUN = (
    "summary.json",
    "simulation.log",
    "prices.csv",
    "grid_capacity.csv",
    "ledger.jsonl",
    "anchor.json",
    "checksums.json",
    *(f"{table}.{kind}" for table in (*_TABLES, *_TRADING_TABLES) for kind in ("csv", "parquet")),
    *(f"figures/{figure}.{kind}" for figure in _FIGURES for kind in ("html", "png", "svg")),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What the list of runs shows of one."""

    name: str
    room: str
    created: str  # ISO time, UTC
    folder: Path
    params: Mapping[str, Any]
    summary: Mapping[str, Any]


def in_words(run: Run) -> tuple[str, str]:
    """What a list of runs says of one: its period, and its most telling figure; empty where the summary has none."""
    summary = run.summary
    if run.room == "community":
        begin, end = (str(summary.get(name, ""))[:16].replace("T", " ") for name in ("first_time", "end_time"))
        drawn = summary.get("totals_kwh", {}).get("grid_import")
        return f"{begin} to {end}", "" if drawn is None else f"{drawn:,.1f} kWh from the grid"
    if run.room == "trading":
        begin, end = (str(summary.get(name, "")).replace("T", " ") for name in ("first_time", "end_time"))
        baseline, optimised = (summary.get(f"total_cost_{name}") for name in ("baseline", "optimized"))
        period = f"{begin} to {end}" if begin else f"{summary.get('steps', 0):,} steps"
        if baseline is None or optimised is None:
            return period, ""
        return period, f"{baseline - optimised:,.2f} EUR saved by storage and trade"
    unmet = summary.get("totals_mwh", {}).get("unmet")
    period = f"{summary.get('first_day', '')} to {summary.get('last_day', '')}"
    return period, "" if unmet is None else f"{unmet:,.0f} MWh unmet"


def new_name(room: str) -> str:
    """A fresh run name for a room."""
    return f"{room}_{datetime.now(UTC):%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Write a folder whole or not at all: fill the folder that is yielded; it takes `target`'s place on success.

    An existing folder keeps what else it holds; its files of the same names are replaced, and where it holds an earlier
    run, all that this one could have written is removed first. Its params.json goes first and comes last, so that a
    folder with params.json is whole.

    Raises:
        DataError: the place cannot be written, is a file or no name, or holds a folder where a file belongs.
    """
    if not target.name:  # empty text is the current folder
        raise DataError(f"{target}: neither / nor the current folder can be written as a whole; name a folder")
    if target.exists() and not target.is_dir():
        raise DataError(f"{target}: is a file; give the name of a folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target.parent)
        staging = target.parent / f"{_STAGING}{target.name}-{secrets.token_hex(4)}"
        staging.mkdir()
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror}); choose another folder") from error
    try:
        try:
            yield staging
        except OSError as error:  # a full disk, a folder taken away
            raise DataError(f"{target}: cannot be written ({error.strerror or error}); make room for it") from error
        try:
            if target.exists() and (target.is_symlink() or any(target.iterdir())):
                if (target / _MARK).is_file():
                    _remove_run(target)
                _merge(staging, target)
            else:
                staging.replace(target)
        except OSError as error:
            raise DataError(
                f"{error.filename2 or error.filename or target}: cannot be written ({error.strerror});"
                f" choose another folder than {target}"
            ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed writers left behind a day ago or earlier."""
    for path in folder.glob(f"{_STAGING}*"):
        if time.time() - path.stat().st_mtime > _ABANDONED_S:
            logger.warning("abandoned folder removed path=%s", path)
            shutil.rmtree(path, ignore_errors=True)


def _remove_run(folder: Path) -> None:
    """Remove what an earlier run wrote, its params.json first; what others put there stays."""
    (folder / _MARK).unlink()
    for path in (folder / name for name in _OF_A_RUN):
        if path.is_file() or path.is_symlink():
            path.unlink()
    figures = folder / "figures"
    if figures.is_dir() and not figures.is_symlink() and not any(figures.iterdir()):
        figures.rmdir()


def _merge(source: Path, target: Path) -> None:
    for item in sorted(source.iterdir(), key=lambda path: path.name == _MARK):
        place = target / item.name
        if item.is_dir():
            place.mkdir(exist_ok=True)
            _merge(item, place)
        else:
            item.replace(place)


def write_tables(
    folder: Path, tables: Mapping[str, pd.DataFrame], parquet_only: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Write each table as CSV (header, full precision) and Parquet.

    Args:
        folder: where the files go.
        tables: by file name.
        parquet_only: further columns by table, which the CSV files do not have.
    """
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
        table.assign(**(parquet_only or {}).get(name, {})).to_parquet(folder / f"{name}.parquet", index=False)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON for people to read; NaN and infinity are refused."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


class RunStore:
    """The folder of finished runs."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when the first run is written."""
        self.folder = folder

    def path(self, name: str) -> Path:
        """The folder of one run.

        Raises:
            DataError: the name is not that of a run, or there is none of that name.
        """
        _moment(name)
        path = self.folder / name
        if path.is_symlink() or not (path / _MARK).is_file():
            raise DataError(f"run {name}: there is none of that name; see `energy-sim runs list`")
        return path

    def load(self, name: str) -> Run:
        """Read a run's parameters and summary.

        Raises:
            DataError: there is no such run, or its files cannot be read.
        """
        path = self.path(name)
        return Run(
            name=name,
            room=name.partition("_")[0],
            created=_moment(name).isoformat(),
            folder=path,
            params=_read_json(path / _MARK),
            summary=_read_json(path / "summary.json"),
        )

    def table(self, name: str, table: str) -> pd.DataFrame:
        """Read one table of a run.

        Raises:
            DataError: there is no such run or table.
        """
        path = self.path(name) / f"{table[:60]}.parquet"
        if not _TABLE.fullmatch(table) or not path.is_file():
            raise DataError(f"run {name}: has no table {table[:60]!r}")
        return pd.read_parquet(path)

    def list(self) -> list[Run]:
        """All whole runs, newest first; a run that cannot be read is logged and left out."""
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if not _NAME.fullmatch(path.name):
                continue
            try:
                found.append(self.load(path.name))
            except DataError as error:
                logger.warning("run left out of the list reason=%s", error)
        return sorted(found, key=lambda run: (run.created, run.name), reverse=True)

    def export(self, name: str, target: Path) -> Path:
        """Pack a run as a zip file.

        Raises:
            DataError: there is no such run, or the target cannot be written.
        """
        path = self.path(name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            packed = shutil.make_archive(str(target).removesuffix(".zip"), "zip", path.parent, path.name)
        except OSError as error:
            raise DataError(f"{target}: cannot be written ({error.strerror}); choose another place") from error
        return Path(packed)

    def delete(self, name: str) -> None:
        """Delete a run at once: it is renamed out of the list first, so no half run is ever listed."""
        path = self.path(name)
        doomed = path.with_name(f"{_STAGING}{name}-{secrets.token_hex(4)}")
        path.rename(doomed)
        shutil.rmtree(doomed)


def _moment(name: str) -> datetime:
    """When a run was made, from its name.

    Raises:
        DataError: it is not the name of a run.
    """
    found = _NAME.fullmatch(name)
    try:
        if found:
            return datetime.strptime(found[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        logger.debug("no such moment name=%s", name)
    raise DataError(f"run {name[:80]!r}: not a run's name; names look like zones_20260131_120000_a1b2c3")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); delete the run or restore the file") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no object; delete the run or restore the file")
    return content
