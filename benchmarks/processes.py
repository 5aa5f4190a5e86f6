"""CPU of running processes, by Linux' /proc."""

import os
from collections.abc import Sequence
from pathlib import Path

IS_KNOWN = Path("/proc/self/stat").exists()


def with_children(pid: int) -> list[int]:
    """A process and those it started, by /proc."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(status.parent.name)] = int(fields[1])
    return [pid, *(child for child, parent in parents.items() if parent == pid)]


def cpu_s(pids: Sequence[int]) -> float:
    """Seconds of CPU that processes have used with all their threads, in steps of a clock tick (10 ms)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
