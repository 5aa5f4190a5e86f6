"""The audit log of a grid agent: append-only, hash-chained, one JSON object a line; see audit_entries.py for the lines.

    log = AuditLog(Path("logs/agents_audit.jsonl"))
    log.append("grid", "curtail", "home_1/load", 12, power_kw=1.5, cause="overload of transformer_A")
    log.append_all([Record("grid", "limit", "home_1", 12), Record("grid", "limit", "home_2", 12)])
    verify_audit(log.path)  # () when nobody touched it

An append is on the disk when it returns (one write, one fsync). Several processes and threads may write to one log:
each call holds a file lock and goes on from what stands in the file. What is missing or torn is never covered up: the
chain goes on from the head, so the gap stays visible, and a `recovered` entry says what was found.

The chain shows that somebody changed a line. It has no key: who can write the log and its head can write both anew
from some line on. Against that, keep copies of the head elsewhere.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from energy_sim.agents.audit.entries import (
    Entry,
    Head,
    entry_of,
    line_of,
    lines_from_end,
    read_head,
    read_tail,
    write_head,
)
from energy_sim.agents.audit.verify import Finding, verify_audit
from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

__all__ = ["AuditLog", "Entry", "Finding", "Record", "read_tail", "verify_audit"]

ACTOR = "audit"  # who writes `recovered`
PATIENCE_S = 5.0  # with another process that holds the log


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be written: who did what to whom in which cycle, and the facts (JSON or NumPy values)."""

    actor: str
    action: str
    subject: str
    cycle: int
    facts: Mapping[str, Any] = field(default_factory=dict)


class AuditLog:
    """Appends to one log; keeps nothing open between calls.

    Args:
        path: of the log; its folder is made.
        clock: wall time in seconds since the epoch.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Mend what a killed process left, so that it is said even when nothing is appended."""
        self.path = path
        self._clock = clock
        self._size = -1  # of the file after the last call, bytes
        self._head = Head()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.append_all([])

    def append(self, actor: str, action: str, subject: str, cycle: int, **facts: object) -> int:
        """Write one entry and return its number; raises as `append_all`."""
        return self.append_all([Record(actor, action, subject, cycle, facts)])

    def append_all(self, records: Sequence[Record]) -> int:
        """Write entries with one write and one fsync; the number of the last entry of the log.

        Raises:
            DataError: a fact is not finite or no JSON; nothing has been written.
            OSError: the disk does not take it (what had been written of it is cut off again), or another process holds
            the log for `PATIENCE_S`.
        """
        with self._locked() as file:
            if os.fstat(file).st_size != self._size:  # another process wrote, or nobody yet
                records = [*self._caught_up(file), *records]
            if records:
                self._write(file, records)
            return self._head.count

    @contextmanager
    def _locked(self) -> Iterator[int]:
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _lock(file, self.path)
            yield file
        finally:
            os.close(file)  # the lock goes with it

    def _write(self, file: int, records: Sequence[Record]) -> None:
        head, at, data = self._head, self._clock(), bytearray()
        for record in records:
            entry = {
                "n": head.count + 1,
                "prev": head.hash,
                "at": at,
                "cycle": record.cycle,
                "facts": dict(record.facts),
            }
            entry |= {"actor": record.actor, "action": record.action, "subject": record.subject}
            line, found = line_of(entry)
            data += line
            head = Head(head.count + 1, found)
        size = os.fstat(file).st_size
        try:
            _write_all(file, data, self.path.name)
        except OSError:
            os.ftruncate(file, size)
            raise
        self._size, self._head = size + len(data), head
        write_head(self.path, head)

    def _caught_up(self, file: int) -> list[Record]:
        """Take up the chain where file, head and memory leave it; what was found amiss, as records to be written."""
        amiss = [*self._set_torn_aside(file)]
        try:
            head = read_head(self.path)
        except DataError as error:
            head = None
            amiss.append(self._recovered(what="head not understood", text=str(error)))
        last, is_sound = self._last()
        self._head = max(self._head, head or Head(), key=lambda h: h.count)
        if is_sound and last.count > self._head.count:
            self._head = last  # a process ended between its lines and its head
            write_head(self.path, last)
        elif last != self._head:
            gap = self._recovered(what="lines missing or edited", found=last.count, stated=self._head.count)
            amiss.append(gap)
        self._size = os.fstat(file).st_size
        for record in amiss:
            logger.warning("audit log recovered path=%s facts=%s", self.path, record.facts)
        return amiss

    def _last(self) -> tuple[Head, bool]:
        """Number and hash of the last line that is an entry, and whether its hash is right."""
        with self.path.open("rb") as file:
            for line in lines_from_end(file):
                known = entry_of(line)
                if known is not None:
                    return Head(known[0].n, known[0].hash), known[1]
        return Head(), False

    def _set_torn_aside(self, file: int) -> Iterator[Record]:
        """Move what stands after the last line feed to a file of its own."""
        data = _after_last_line_feed(self.path)
        if not data:
            return
        aside = _new_file(self.path, data)
        os.ftruncate(file, os.fstat(file).st_size - len(data))
        yield self._recovered(what="torn line set aside", file=aside.name, bytes=len(data))

    def _recovered(self, **facts: object) -> Record:
        return Record(ACTOR, "recovered", self.path.name, 0, facts)


def _write_all(file: int, data: bytearray, name: str) -> None:
    written = os.write(file, data)
    if written < len(data):
        raise OSError(f"{name}: only {written} of {len(data)} bytes could be written; make room on the disk")
    os.fsync(file)


def _lock(file: int, path: Path) -> None:
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise TimeoutError(f"{path.name}: another process holds it for {PATIENCE_S:g} s; end it") from None
            time.sleep(0.002)
        else:
            return


def _after_last_line_feed(path: Path) -> bytes:
    data = b""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0 and b"\n" not in data:
            begin = max(0, end - (1 << 16))
            file.seek(begin)
            data, end = file.read(end - begin) + data, begin
    return data.rpartition(b"\n")[2]


def _new_file(log: Path, data: bytes) -> Path:
    """Write `data` to the first `<name>.torn-<k>` that is free."""
    k = 1
    while True:
        path = log.with_name(f"{log.name}.torn-{k}")
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            k += 1
        else:
            return path
