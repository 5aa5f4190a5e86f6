"""Whether an audit log is as it was written: every line that was edited, deleted, reordered, inserted or torn.

    for finding in verify_audit(Path("logs/agents_audit.jsonl")):
        logger.warning("line=%d kind=%s %s", finding.line, finding.kind, finding.text)

Lines are read once, from the first to the last, and judged by three things: the hash of a line over its own bytes, the
number of the entry, and the hash that the next line names as `prev`. A line that is wrong in itself says so. One that
was made anew with a hash of its own is given away by the line after it, the last one by the head.
"""

import fcntl
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from energy_sim.agents.audit.entries import NOTHING, Entry, Head, entry_of, head_path, read_head
from energy_sim.errors import DataError

Kind = Literal["edited", "deleted", "reordered", "truncated", "inserted", "torn", "not JSON"]
FINDINGS_MAX = 1000  # then the rest is not judged any more


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a line (counted from 1; of what is missing: where it should stand; 0: the head)."""

    line: int
    kind: Kind
    text: str


def verify_audit(path: Path) -> tuple[Finding, ...]:
    """Everything that is wrong with a log, by line; nothing when it is whole. Memory does not grow with the log.

    Lines that were written by a call that a crash kept from writing the head are whole, too.

    Raises:
        DataError: there is no such log.
    """
    walk = _Walk()
    if path.exists():
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # no call is half done
            walk.head = _head(path, walk)
            size = file.seek(0, os.SEEK_END)
            fcntl.flock(file, fcntl.LOCK_UN)
            _walk_over(file, size, walk)
    elif head_path(path).exists():
        walk.head = _head(path, walk)
        _walk_over(io.BytesIO(), 0, walk)
    else:
        raise DataError(f"{path}: there is no such audit log; name the one that agents.audit of the configuration says")
    return tuple(sorted(walk.findings, key=lambda f: f.line))


def _head(path: Path, walk: "_Walk") -> Head | None:
    try:
        return read_head(path)
    except DataError as error:
        walk.add(0, "edited", str(error))
        return None


def _walk_over(file: BinaryIO, size: int, walk: "_Walk") -> None:
    file.seek(0)
    read = line = 0
    while read < size and (data := file.readline()):
        line, read = line + 1, read + len(data)
        walk.take(line, data)
        if len(walk.findings) >= FINDINGS_MAX:
            walk.add(line, "edited", f"{FINDINGS_MAX} faults are enough: what follows was not judged")
            return
    walk.end(line)


@dataclass(frozen=True, slots=True)
class _Place:
    """A sound line: its hash is that of its own bytes."""

    entry: Entry
    line: int


class _Walk:
    """What is remembered from line to line."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.findings: list[Finding] = []
        self._tip = _Place(Entry(0, 0.0, 0, "", "", "", {}, "", NOTHING), 0)  # the sound line with the highest number
        self._last = self._tip  # the sound line read last: not the tip when it stands out of its place
        self._rival: _Place | None = None  # of the tip: same number, same line before
        self._wrong: list[tuple[int, int | None]] = []  # lines after `_last` wrong in themselves, and their numbers
        self._gaps: list[tuple[int, int, int]] = []  # first and last number missing, line where they should stand
        self._uncounted: list[_Place] = []  # by the head; no more than two are kept

    def add(self, line: int, kind: Kind, text: str) -> None:
        """Note a finding; a line is told once that it is of a kind."""
        if (line, kind) not in ((f.line, f.kind) for f in self.findings[-4:]):
            self.findings.append(Finding(line, kind, text))

    def take(self, line: int, data: bytes) -> None:
        """Judge one line, line feed included."""
        is_torn = not data.endswith(b"\n")
        if is_torn:
            self.add(line, "torn", "the line has no end: its writer was killed, or the end of the file was cut off")
        known = entry_of(data)
        if known is None:
            if not is_torn:
                kind: Kind = "edited" if _is_json(data) else "not JSON"
                self.add(line, kind, "the line is no entry")
            self._wrong.append((line, None))
        elif not known[1]:
            self._wrong.append((line, known[0].n))
        elif known[0].n > self._tip.entry.n:
            self._go_on(_Place(known[0], line))
        else:
            self._go_back(_Place(known[0], line))

    def end(self, lines: int) -> None:
        """Judge what only the end tells."""
        head, known = self.head, self._tip.entry.n
        if self._rival is not None:
            self._decide(head.hash if head is not None and head.count == known else "")
        self._check_head()
        following = max(known, head.count if head else 0) + 1
        for _, n in self._wrong:
            following += n == following
        missing = self._settle(following)
        if missing is not None:
            self.add(
                lines + 1, "truncated", f"{_entries(*missing)} missing at the end: the head counts {following - 1}"
            )
        for first, last, line in self._gaps:
            self.add(line, "deleted", f"{_entries(first, last)} missing before this line")
        if len(self._uncounted) > 1 and head is not None:
            text = f"the line stands behind the {head.count} entries that the head counts"
            self.add(self._uncounted[1].line, "inserted", text)
        elif len(self._uncounted) > 1 and not any(f.line == 0 for f in self.findings):
            self.add(lines + 1, "truncated", "the head is missing: nobody can say whether lines are, too")

    def _go_on(self, place: _Place) -> None:
        """A number above all before: the rule."""
        n, follows = place.entry.n, place.entry.n == self._tip.entry.n + 1
        if self._rival is not None:
            self._decide(place.entry.prev if follows else "")
        self._check_head()
        missing = self._settle(n)
        if missing is not None:
            self._gaps.append((*missing, place.line))
        if follows and place.entry.prev != self._tip.entry.hash:
            if n == 1:
                self.add(place.line, "edited", "the first entry names another before it")
            else:
                self.add(self._tip.line, "edited", f"made anew: entry {n} was written after another entry {n - 1}")
        self._tip = self._last = place
        if self.head is None or n > self.head.count:
            ahead = self._uncounted
            if not ahead or (len(ahead) == 1 and ahead[0].entry.at != place.entry.at):  # one call has one moment
                ahead.append(place)

    def _go_back(self, place: _Place) -> None:
        """A number that was passed already: out of its place, or not genuine."""
        entry, tip, last = place.entry, self._tip.entry, self._last.entry
        is_twin = entry.n == tip.n and entry.prev == tip.prev and entry.hash != tip.hash
        if is_twin and self._last is self._tip and self._rival is None and not self._wrong:
            self._rival = place
            return
        self._settle(tip.n + 1)
        if not self._fill(entry.n):
            self.add(place.line, "inserted", f"there is another entry {entry.n}")
            return
        if entry.n != last.n + 1 or entry.prev != last.hash:
            self.add(place.line, "reordered", f"entry {entry.n} stands after entry {last.n}")
        self._last = place

    def _decide(self, prev: str) -> None:
        """Which of two lines with one number is genuine: the one that the next line follows."""
        rival, text = self._rival, f"there is another entry {self._tip.entry.n}"
        if rival is not None and rival.entry.hash == prev:
            self.add(self._tip.line, "inserted", text)
            self._tip = self._last = rival
        elif rival is not None:
            self.add(rival.line, "inserted", text)
        self._rival = None

    def _check_head(self) -> None:
        tip = self._tip
        if self.head is not None and tip.entry.n == self.head.count and tip.entry.hash != self.head.hash:
            self.add(tip.line, "edited", f"made anew: the head counts another entry {tip.entry.n}")

    def _settle(self, following: int) -> tuple[int, int] | None:
        """Give wrong lines the places after the tip, up to `following`; the numbers nobody takes."""
        free = self._tip.entry.n + 1
        for line, n in self._wrong:
            if n is not None and n < free and self._fill(n):
                self.add(line, "edited", f"the hash is not that of entry {n}")
            elif free < following:
                place = n if n is not None and free <= n < following else free
                if place > free:
                    self._gaps.append((free, place - 1, line))
                free = place + 1
                if n is not None:
                    self.add(line, "edited", f"the hash is not that of entry {place}")
            elif n is not None:
                self.add(line, "inserted", f"no entry is missing here, and the hash is not that of entry {n}")
        self._wrong.clear()
        return (free, following - 1) if free < following else None

    def _fill(self, n: int) -> bool:
        """Take a number out of the gaps; whether it was missing."""
        for i, (first, last, line) in enumerate(self._gaps):
            if first <= n <= last:
                parts = ((first, n - 1, line), (n + 1, last, line))
                self._gaps[i : i + 1] = [part for part in parts if part[0] <= part[1]]
                return True
        return False


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"
