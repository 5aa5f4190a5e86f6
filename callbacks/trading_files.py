"""Files a run is made from: those on offer in the configured folders, and those that visitors load on the page.

A file is chosen by its key: a path as it is shown, or the id of a loaded file, which is its content's hash. A key from
a browser is looked up or checked against a pattern; it is never part of a path before that.
"""

import csv
import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError, EnergySimError
from energy_sim.trading.data import HouseholdsSummary, describe_households
from energy_sim.trading.grid_capacity import read_grid_capacity
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.prices import make_prices
from energy_sim.trading.tables import SUFFIXES, read_table

logger = logging.getLogger(__name__)

COLUMNS: Mapping[str, frozenset[str]] = {
    "households": frozenset({"id", "timestamp", "consumption", "production"}),
    "grid_capacity": frozenset({"timestep", "import_capacity_kw", "export_capacity_kw"}),
    "prices": frozenset({"step", "buy", "sell"}),
}
KINDS = tuple(COLUMNS)
FOLDER_HOLDS = 10  # loaded files of the largest size that are kept together; the least recently used go first

_ID = re.compile(r"(households|grid_capacity|prices)-[0-9a-f]{32}\.(csv|parquet)")
_NOT_IN_NAMES = re.compile(r"[^\w .()+-]")
_STAGING = ".loading-"
_ABANDONED_S = 3600.0
_CHUNK = 1 << 20


def offered(config: Config) -> dict[str, dict[str, Path]]:
    """The files of the configured folders that can be used, by kind and by what they are called on the page."""
    found: dict[str, dict[str, Path]] = {kind: {} for kind in KINDS}
    default = config.path(config.trading.households)
    inside = [path for folder in config.paths(config.trading.folders) if folder.is_dir() for path in folder.iterdir()]
    for path in [default, *sorted(inside)]:
        kind = kind_of(path) if path.suffix.lower() in SUFFIXES and path.is_file() else ""
        if kind and path not in found[kind].values():
            found[kind][_shown(config, path)] = path
    return found


def default_households(config: Config) -> str:
    """The key of the households a page begins with; empty where there is no file at all."""
    return next(iter(offered(config)["households"]), "")


def kind_of(path: Path) -> str:
    """What a file is for, by its columns; empty where it is none of ours."""
    stat = path.stat()
    return _kind_of(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _kind_of(path: Path, _changed: int, _size: int) -> str:
    try:
        names = {name.strip().casefold() for name in _header(path)}
    except (OSError, UnicodeDecodeError, csv.Error, StopIteration, pa.ArrowException) as error:
        logger.warning("file left out path=%s reason=%s", path, error)
        return ""
    return next((kind for kind, columns in COLUMNS.items() if columns <= names), "")


def _header(path: Path) -> list[str]:
    if path.suffix.lower() == ".parquet":
        return list(pa_parquet.read_schema(path).names)
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(65536)
    return next(csv.reader([line], delimiter=max(",;\t", key=line.count)))


def _shown(config: Config, path: Path) -> str:
    """A path as visitors see it: from the project's folder, else with the name of its folder only."""
    with suppress(ValueError):
        return path.resolve().relative_to(config.root).as_posix()
    return f"{path.parent.name}/{path.name}"


def resolve(config: Config, kind: str, key: str) -> Path:
    """The file of a key.

    Raises:
        DataError: there is none such, or none any more.
    """
    path = offered(config)[kind].get(key)
    if path is not None:
        return path
    found = _ID.fullmatch(key)
    if found and found[1] == kind:
        loaded = config.path(config.trading.uploads) / key
        if loaded.is_file() and not loaded.is_symlink():
            with suppress(OSError):
                os.utime(loaded)  # used now: removed late
            return loaded
        raise DataError("the file you loaded is not kept any more; load it again")
    raise DataError(f"{key[:80]!r} is not among the files on offer; choose one of the list, or load one")


def named(config: Config, key: str) -> str:
    """What people call a file: that of a loaded one is as its visitor called it."""
    if not _ID.fullmatch(key):
        return key
    try:
        return (config.path(config.trading.uploads) / f"{key}.name").read_text(encoding="utf-8")
    except OSError:
        return f"loaded file {key[-40:]}"


def facts(path: Path) -> HouseholdsSummary:
    """What a file of households holds; read once while it does not change.

    Raises:
        DataError: the file cannot be used.
    """
    stat = path.stat()
    return _facts(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _facts(path: Path, _changed: int, _size: int) -> HouseholdsSummary:
    return describe_households(path)


def keep_upload(config: Config, kind: str, name: str, stream: BinaryIO) -> dict[str, str]:
    """Keep what a visitor loads if it can be used; nothing stays of what cannot.

    Args:
        config: says where, and how much.
        kind: what it is for.
        name: what the visitor calls it; only its suffix matters.
        stream: the content; how long it may be has been limited.

    Returns:
        {id, name, kind}.

    Raises:
        DataError, ConfigError: it cannot be used, all problems named, or it cannot be written.
    """
    shown = _NOT_IN_NAMES.sub("_", Path(name.replace("\\", "/")).name)[:80].strip() or "file"
    suffix = Path(shown).suffix.lower()
    if kind not in COLUMNS:
        raise DataError(f"kind: {kind[:40]!r} is none; give one of {', '.join(KINDS)}")
    if suffix not in SUFFIXES:
        raise DataError(f"{shown}: {suffix or 'no suffix'} is no known format; load a .csv or a .parquet file")
    folder = config.path(config.trading.uploads)
    staging = folder / f"{_STAGING}{secrets.token_hex(8)}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        digest = _write(stream, staging)
        _check(kind, staging, shown)
        key = f"{kind}-{digest[:32]}{suffix}"
        (folder / f"{key}.name").write_text(shown, encoding="utf-8")
        staging.replace(folder / key)
        _bound(folder, keep=key, most_bytes=int(FOLDER_HOLDS * config.trading.max_upload_mb * 1e6))
    except OSError as error:
        raise DataError(f"{shown}: cannot be kept ({error.strerror or error}); tell who runs this page") from error
    finally:
        staging.unlink(missing_ok=True)
    logger.info("file loaded kind=%s id=%s name=%s", kind, key, shown)
    return {"id": key, "name": shown, "kind": kind}


def _write(stream: BinaryIO, path: Path) -> str:
    """Copy the stream; the hash of what was written."""
    digest, length = hashlib.sha256(), 0
    with path.open("xb") as file:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            length += file.write(chunk)
    if not length:
        raise DataError("the file is empty; load one with a header and at least one row")
    return digest.hexdigest()


def _check(kind: str, path: Path, shown: str) -> None:
    """Read the file as a run would; messages name it as the visitor does."""
    readers = {"households": describe_households, "grid_capacity": read_grid_capacity, "prices": _read_prices}
    try:
        readers[kind](path)
    except EnergySimError as error:
        problems = [line.replace(str(path), shown) for line in error.problems]
        raise type(error).from_problems(problems) from error
    except (pa.ArrowException, ValueError, OverflowError, MemoryError) as error:  # a file made to do harm
        logger.warning("loaded file refused name=%s reason=%s", shown, error)
        raise ConfigError(f"{shown}: cannot be read ({type(error).__name__}); write it anew") from error


def _read_prices(path: Path) -> None:
    """Read all rows of a file of prices."""
    steps = read_table(path, sorted(COLUMNS["prices"])).rows
    make_prices(TradingParameters(), np.zeros(steps, dtype="datetime64[s]"), 1.0, path)


def _bound(folder: Path, keep: str, most_bytes: int) -> None:
    """Remove the least recently used files until the rest fits, and what broken loads left behind."""
    files = [(path.stat(), path) for path in folder.iterdir() if path.is_file()]
    for stat, path in files:
        if path.name.startswith(_STAGING) and time.time() - stat.st_mtime > _ABANDONED_S:
            path.unlink(missing_ok=True)
    kept = sorted((s.st_mtime, s.st_size, p) for s, p in files if _ID.fullmatch(p.name) and p.name != keep)
    total = sum(size for _, size, _ in kept) + (folder / keep).stat().st_size
    for _, size, path in kept:
        if total <= most_bytes:
            break
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.name").unlink(missing_ok=True)
        total -= size
        logger.info("loaded file removed id=%s", path.name)
