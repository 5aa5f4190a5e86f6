"""Lines of an audit log: what is in one, how they are chained, where the last ones stand.

    {"action":…,"actor":…,"at":…,"cycle":…,"facts":{…},"n":7,"prev":"<hash of 6>","subject":…,"hash":"<hash of 7>"}

A line is the canonical JSON of an entry (keys sorted, no spaces, ASCII), with the SHA-256 of just that appended as the
last key: so the bytes that were hashed stand in the file, and a check needs no second serialisation. Beside the log
lies its head, `<name>.head`: how many entries were acknowledged and the hash of the last. It is written after the
lines, so it may lag behind them by one call, and never leads.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from energy_sim.errors import DataError

NOTHING = "0" * 64  # what the first entry names as the one before
HASH_LENGTH = 64
MARK = b',"hash":"'
ENDING = len(MARK) + HASH_LENGTH + len(b'"}')
BLOCK = 1 << 16  # bytes read at once from the end
_OURS = ("action", "actor", "at", "cycle", "facts", "n", "prev", "subject")
_dump = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    allow_nan=False,
    default=lambda value: value.item() if isinstance(value, np.generic) else _strange(value),
).encode


@dataclass(frozen=True, slots=True)
class Entry:
    """Who (`actor`) did what (`action`) to whom (`subject`) and why (`facts`); `at` is wall time, s since the epoch."""

    n: int
    at: float
    cycle: int
    actor: str
    action: str
    subject: str
    facts: Mapping[str, Any]
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """How many entries were acknowledged, and the hash of the last."""

    count: int = 0
    hash: str = NOTHING


def line_of(entry: Mapping[str, Any]) -> tuple[bytes, str]:
    """The line of an entry without its hash, line feed included, and that hash.

    Raises:
        DataError: a value of it is not finite or no JSON.
    """
    try:
        body = _dump(entry).encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"audit: {entry.get('action')} of {entry.get('actor')}: {error}; give JSON values") from error
    found = hashlib.sha256(body).hexdigest()
    return body[:-1] + MARK + found.encode() + b'"}\n', found


def entry_of(line: bytes) -> tuple[Entry, bool] | None:
    """The entry of a line and whether its hash is that of its bytes; None when the line is no entry."""
    line = line.rstrip(b"\n")
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # no JSON, no text, or nested without end
        return None
    if not isinstance(found, dict) or found.keys() != {*_OURS, "hash"} or type(found["n"]) is not int:
        return None
    stated = found["hash"]
    body = line[:-ENDING] + b"}"
    is_sound = line[-ENDING : -HASH_LENGTH - 2] == MARK and hashlib.sha256(body).hexdigest() == stated
    return Entry(**found), is_sound


def head_path(log: Path) -> Path:
    """Where the head of a log is."""
    return log.with_name(f"{log.name}.head")


def read_head(log: Path) -> Head | None:
    """The head of a log; None when there is none.

    Raises:
        DataError: it is there and cannot be understood.
    """
    path = head_path(log)
    try:
        found = json.loads(path.read_bytes())
        head = Head(found["count"], found["hash"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path.name}: cannot be understood ({error}); restore it from a copy") from error
    if type(head.count) is not int or not isinstance(head.hash, str):
        raise DataError(f"{path.name}: count and hash are of another type; restore it from a copy")
    return head


def write_head(log: Path, head: Head) -> None:
    """Replace the head of a log whole."""
    path = head_path(log)
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps({"count": head.count, "hash": head.hash}) + "\n", encoding="utf-8")
    new.replace(path)


def lines_from_end(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file from the last to the first, without their line feeds; a torn last one is left out."""
    end = file.seek(0, os.SEEK_END)
    rest, is_last = b"", True
    while end > 0:
        begin = max(0, end - BLOCK)
        file.seek(begin)
        rest, *lines = (file.read(end - begin) + rest).split(b"\n")
        if lines and is_last:
            lines, is_last = lines[:-1], False
        yield from reversed(lines)
        end = begin
    if rest and not is_last:
        yield rest


def read_tail(
    path: Path, limit: int, wanted: Callable[[Entry], bool] = lambda _: True, after: int = 0
) -> tuple[Entry, ...]:
    """At most `limit` last entries that are `wanted`, oldest first; reads as much of the file as that takes.

    With `after` those with a higher number: the file is read back to that number, no further.

    Lines that are no entries are passed over; whether the others are genuine is for `verify_audit` to say.
    """
    found: list[Entry] = []
    if limit < 1 or not path.exists():
        return ()
    with path.open("rb") as file:
        for line in lines_from_end(file):
            known = entry_of(line)
            if known is not None and after and known[0].n <= after:
                break
            if known is not None and wanted(known[0]):
                found.append(known[0])
                if len(found) == limit:
                    break
    return tuple(reversed(found))


def _strange(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is no JSON")
