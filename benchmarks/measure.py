"""Timing, the rows of the result, and the table: what every file of benchmarks shares."""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    repeats: int = 9  # of what runs inside this process
    processes: int = 3  # of what starts processes
    days: int = 2557
    reference_days: int = 60  # of the slow plain-Python steps
    scenarios: int = 28  # inflow years
    ticks: int = 40  # seen in the browser
    street_ticks: int = 600
    street_days: int = 365
    streets: tuple[int, ...] = (5, 50, 500)  # houses on the browser's screen
    viewers: tuple[int, ...] = (50, 200)
    planned: tuple[int, ...] = (100, 1000, 5000)  # households whose batteries are planned together
    peer: int = 50  # households of the model that is built anew for every step
    blocks: int = 20  # of 100 trades, written and verified in a repeat
    redraws: int = 20  # in a row
    agents: tuple[int, ...] = (10, 100, 1000)  # homes as real processes
    audit_lines: int = 100_000
    watch_s: float = 15.0
    warm_s: float = 3.0


TINY = Size(
    repeats=1,
    processes=1,
    days=31,
    reference_days=2,
    scenarios=2,
    ticks=2,
    street_ticks=63,
    street_days=1,
    streets=(5,),
    viewers=(10,),
    planned=(100,),
    agents=(10,),
    audit_lines=2000,
    peer=4,
    blocks=2,
    redraws=2,
    watch_s=1.0,
    warm_s=0.1,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured quantity: all repeats, and the budget that its median (or its maximum) has to hold."""

    what: str
    unit: str
    values: tuple[float, ...]  # none: skipped, `note` says why
    below: float | None = None
    at_least: float | None = None
    worst_counts: bool = False  # the budget is for the maximum
    note: str = ""

    @property
    def verdict(self) -> str:
        """met, missed, skipped, or nothing when there is no budget."""
        if not self.values:
            return "skipped"
        judged = max(self.values) if self.worst_counts else statistics.median(self.values)
        if self.below is not None:
            return "met" if judged < self.below else "missed"
        if self.at_least is not None:
            return "met" if judged >= self.at_least else "missed"
        return ""

    def as_json(self) -> dict[str, Any]:
        """The row for latest.json."""
        found: dict[str, Any] = {"what": self.what, "unit": self.unit, "repeats": len(self.values)}
        if self.values:
            found |= {"median": statistics.median(self.values), "min": min(self.values), "max": max(self.values)}
        found |= {"below": self.below, "at_least": self.at_least, "worst_counts": self.worst_counts}
        return {**found, "verdict": self.verdict, "note": self.note}


def skipped(what: str, unit: str, why: str, below: float | None = None) -> Row:
    """A row that could not be measured here."""
    return Row(what, unit, (), below=below, note=f"skipped: {why}")


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep the garbage collector out of a measurement."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """Seconds of one call, as the average of `times` calls in a row."""
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times


def repeated(call: Callable[[], object], repeats: int, times: int = 1, scale: float = 1.0) -> tuple[float, ...]:
    """`repeats` measurements of `seconds` in units of 1 / `scale`, after one call that does not count."""
    call()
    with without_gc():
        return tuple(seconds(call, times) * scale for _ in range(repeats))


def machine() -> dict[str, Any]:
    """Where the numbers come from."""
    return {
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numba", "numpy", "pandas", "dash", "plotly")},
    }


def table(rooms: Mapping[str, Sequence[Row]]) -> str:
    """All rows as aligned text."""
    lines = [("", "median", "min", "max", "unit", "budget", "", "")]
    for room, rows in rooms.items():
        lines.append((room, *[""] * 7))
        for row in rows:
            numbers = [""] * 3
            if row.values:
                numbers = [_number(v) for v in (statistics.median(row.values), min(row.values), max(row.values))]
            budget = "" if row.below is None else f"< {_number(row.below)}"
            budget = budget if row.at_least is None else f">= {_number(row.at_least)}"
            lines.append((f"  {row.what}", *numbers, row.unit, budget, row.verdict, row.note))
    widths = [max(len(line[c]) for line in lines) for c in range(7)]
    return "\n".join(
        "  ".join(
            [
                line[0].ljust(widths[0]),
                *(line[c].rjust(widths[c]) for c in (1, 2, 3)),
                line[4].ljust(widths[4]),
                line[5].rjust(widths[5]),
                line[6].ljust(widths[6]),
                line[7],
            ]
        ).rstrip()
        for line in lines
    )


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
