"""The community core: a tick of few and of many houses, the message it becomes, and whole runs written to files."""

import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Row, Size, repeated, without_gc
from benchmarks.zones import COMMAND
from callbacks.community_view import message_of
from energy_sim.community.live import LiveCommunity, open_community, session_parameters
from energy_sim.community.message import MAX_BYTES, MAX_FOCUS, MAX_ROWS, encode
from energy_sim.community.model import TickFrame
from energy_sim.config import load_config
from energy_sim.devices.base_load import FAST_S
from energy_sim.session import Frame

HOUSES = (10, 500, 10_000)
MESSAGE_HOUSES = (5, 60, 500, 800, 10_000)  # the ends of each kind of message
BUDGET_MS = 5.0
START = "2026-07-10T12:30+02:00"
CHANGED = {"pv_kwp.house_1": 8.25, "base_load_kwh.house_2": 3450.5}  # in the settings that a message tells


def measure(size: Size) -> list[Row]:
    """All rows of the community core."""
    rows = []
    for houses in HOUSES:
        rows += [*tick_rows(houses, size), midnight_row(houses, size)]
    for houses in MESSAGE_HOUSES:
        rows += message_rows(houses, size)
    return [*rows, *command_rows(size)]


def street(houses: int, **changes: Any) -> LiveCommunity:
    """A street with ticks of a second where nothing else is said."""
    given = {"houses": houses, "start": START, "update_interval_ms": 1000, **changes}
    return open_community(session_parameters(load_config().community, given))


def ticks(live: LiveCommunity, count: int) -> Iterator[tuple[float, TickFrame]]:
    """Milliseconds and frame of tick after tick."""
    state, settings = live.start(), live.defaults()
    for tick in range(count):
        began = time.perf_counter()
        state, frame = live.step(state, tick, settings)
        yield (time.perf_counter() - began) * 1000, frame


def tick_rows(houses: int, size: Size) -> list[Row]:
    """Ticks in real time, by whether they begin a minute, for which new noise is drawn; and a minute each.

    The first tick, which finds nothing drawn, does not count.
    """
    with without_gc():
        real = list(ticks(street(houses), size.street_ticks))
        fast = [ms for ms, _ in ticks(street(houses, time_scale=60.0), size.street_ticks)]
    minutes = [int((frame.time_s + frame.dt_s / 2) // FAST_S) for _, frame in real]
    drawing = [minutes[i] != minutes[i - 1] for i in range(1, len(real))]
    plain, new = ([ms for (ms, _), draws in zip(real[1:], drawing, strict=True) if draws is d] for d in (False, True))
    below = BUDGET_MS if houses == max(HOUSES) else None
    what = f"tick of {houses:,} houses"
    return [
        Row(f"{what}, real time", "ms", tuple(plain), below=below),
        Row(f"{what}, real time, a new minute's noise", "ms", tuple(new), below=below),
        Row(f"{what}, 60 times real time", "ms", tuple(fast[1:]), below=below),
    ]


def midnight_row(houses: int, size: Size) -> Row:
    """The tick that begins another day, for which sky, clouds and appliance runs are worked out."""
    found = []
    for repeat in range(size.repeats):
        live = street(houses, start=f"2026-08-{10 + repeat}T23:59:59+00:00")
        with without_gc():
            found.append([ms for ms, _ in ticks(live, 2)][1])
    return Row(f"tick of {houses:,} houses, another day begins", "ms", tuple(found), note="once a day")


def message_rows(houses: int, size: Size) -> list[Row]:
    """Making the message of a tick, and its bytes over a day: as usual, and at its fullest."""
    live = street(houses, time_scale=600.0)
    settings = {**live.defaults(), **{name: v for name, v in CHANGED.items() if houses >= 2}}
    frames = [_frame(tick, frame, settings) for tick, (_, frame) in enumerate(ticks(live, _a_day(size)))]
    focus = range(0, houses, max(houses // MAX_FOCUS, 1))[:MAX_FOCUS]

    def usual(at: int) -> bytes:
        return encode(message_of(frames[at], (), live))

    def fullest(at: int) -> bytes:
        return encode(message_of(frames[at], frames[at - MAX_ROWS + 1 : at], live, focus))

    what, last = f"message, {houses:,} houses", len(frames) - 1
    full = [float(len(fullest(at))) for at in range(MAX_ROWS, len(frames))]
    note = f"maximum counts; {MAX_ROWS} ticks late, {MAX_FOCUS} houses looked at"
    return [
        Row(f"{what}, made and encoded", "ms", repeated(lambda: usual(last), size.repeats, times=20, scale=1000)),
        Row(f"{what}, a tick", "bytes", tuple(float(len(usual(at))) for at in range(len(frames)))),
        Row(f"{what}, at most", "bytes", tuple(full), below=MAX_BYTES + 1, worst_counts=True, note=note),
    ]


def command_rows(size: Size) -> list[Row]:
    """`energy-sim community run` as a process that writes every file: a year of few houses, minutes of many."""
    days, some = size.street_days, size.street_ticks
    quarters = {"houses": 30, "ticks": 96 * days, "start": "2026-01-01T00:00", "time-scale": 900}
    seconds = {"houses": 500, "ticks": some, "start": "2026-07-10T12:30", "time-scale": 1}
    return [
        _run_row(f"community run, 30 houses, {days:,} days by quarter-hours", quarters, 1),
        _run_row(f"community run, 500 houses, {some:,} ticks", seconds, size.processes),
    ]


def _run_row(what: str, options: Mapping[str, Any], repeats: int) -> Row:
    taken = tuple(_command_seconds(options) for _ in range(repeats))
    return Row(what, "s", taken, note=f"{options['houses'] * options['ticks']:,} rows of houses, CSV and Parquet")


def _command_seconds(options: Mapping[str, Any]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        asked = [*COMMAND, "--log-level", "WARNING", "community", "run", "--out", str(Path(folder) / "run"), *given]
        began = time.perf_counter()
        subprocess.run([*asked, "--update-interval-ms", "1000"], cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - began


def _a_day(size: Size) -> int:
    """Ticks of ten minutes."""
    return min(144, size.street_ticks)


def _frame(tick: int, frame: TickFrame, settings: Mapping[str, Any]) -> Frame:
    """A frame of a session long under way, whose numbers are long."""
    return Frame("", 900_000 + tick, 999_999, True, False, 2.0, 12_345, 67, dict(settings), dict(settings), frame)
