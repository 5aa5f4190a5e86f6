"""The page from the server's side: start to first frame, start to first page, one tick, one frame asked for again."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Row, Size, repeated, without_gc
from benchmarks.server import started_server, write_config
from callbacks.services import Services
from callbacks.zones_view import message_since
from energy_sim.clock import SessionRecord
from energy_sim.config import load_config
from energy_sim.database import open_database
from energy_sim.jobs import Jobs
from energy_sim.runs import RunStore
from energy_sim.session import Room, Sessions
from energy_sim.zones.kernel import compile_kernel
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.message import MAX_BYTES, encode

FIRST_FRAME = """
import app
from callbacks import zones_view as view
from callbacks.services import services
from energy_sim.zones import kernel, message
with app.server.app_context():
    session, _ = view.open_link(services(), "", "", "", "")
    first = message.encode(view.message_since(services(), session, {}))
print("uncompiled" if kernel.best_kernel() is kernel.simulate.py_func else "compiled", len(first), flush=True)
"""
USUAL: Mapping[str, Any] = {}
HARD = {"consumption_factor": 1.6, "wind_factor": 0.5, "share_wind": True, "balance_levels": True}


def measure(size: Size) -> list[Row]:
    """All rows of the page that need no browser."""
    compile_kernel()
    return [*first_frame_rows(size), *server_rows(size), *tick_rows(size), frame_row(size)]


def first_frame_rows(size: Size) -> list[Row]:
    """A fresh process that imports the app, creates a session and encodes its first message."""
    rows = []
    for name, is_cold in (("no compiled kernel on disk", True), ("compiled kernel on disk", False)):
        found = [_first_frame(is_cold) for _ in range(size.processes)]
        note = f"drawn by the {' and the '.join(sorted({kind for _, kind in found}))} kernel"
        rows.append(Row(f"process start to first frame, {name}", "s", tuple(s for s, _ in found), below=2.0, note=note))
    return rows


def _first_frame(is_cold: bool) -> tuple[float, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ, "KRAFTFLYT_CONFIG": str(write_config(folder))}
        if is_cold:
            environment["NUMBA_CACHE_DIR"] = str(folder / "numba")
        began = time.perf_counter()
        log = folder / "log"
        with (
            log.open("w") as out,
            subprocess.Popen(
                [sys.executable, "-c", FIRST_FRAME],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
            ) as process,
        ):
            line = (process.stdout or out).readline()
            taken = time.perf_counter() - began
            process.kill()  # it may still be compiling
        if not line:
            raise ValueError(f"no first frame; the end of the log:\n{log.read_text()[-2000:]}")
        return taken, line.split()[0]


def server_rows(size: Size) -> list[Row]:
    """`energy-sim serve`, with everything installed and compiled, started again and again over one database."""
    with tempfile.TemporaryDirectory() as name:
        found = []
        for _ in range(size.processes):
            with started_server(Path(name)) as server:
                found.append((server.health_s, server.page_s))
    return [
        Row("serve, all installed, start to /health", "s", tuple(h for h, _ in found), below=5.0),
        Row("serve, all installed, start to the zones page", "s", tuple(p for _, p in found), below=5.0),
    ]


@dataclass(slots=True)
class Clock:
    """A clock that moves when told to."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self.now


@contextmanager
def opened_session(
    size: Size, rate: float, controls: Mapping[str, Any]
) -> Iterator[tuple[Services, SessionRecord, Clock]]:
    """A zones session over a database file, on a clock of its own, with controls set on the first day."""
    config, clock = load_config(), Clock()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/sessions.db")
        sessions = Sessions(engine, [Room("zones", lambda parameters, _seed: open_zones(config, parameters))], clock)
        try:
            record = sessions.create("zones", {**default_parameters(config), "days": size.days}, rate=rate)
            for control, value in controls.items():
                sessions.control(record.id, record.control_key, control, value)
            yield Services(config, sessions, RunStore(Path(folder)), Jobs(Path(folder) / "jobs")), record, clock
        finally:
            engine.dispose()


def tick_rows(size: Size) -> list[Row]:
    """What the tick callback does on a playing session, over all its days, at the usual and at the highest speed."""
    rows = []
    for name, rate, controls in (
        ("4 days/s", 4.0, USUAL),
        ("60 days/s", 60.0, USUAL),
        ("60 days/s, demand x1.6, wind x0.5, all rules on", 60.0, HARD),
    ):
        times, sizes = _ticks(size, rate, controls)
        rows.append(Row(f"tick on the server, {name}", "ms", times))
        what, note = f"tick's message, {name}", "maximum counts"
        rows.append(Row(what, "bytes", sizes, below=MAX_BYTES + 1, worst_counts=True, note=note))
    return rows


def _ticks(size: Size, rate: float, controls: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Milliseconds and bytes of every tick, four ticks a second, until the session ends."""
    times, sizes = [], []
    with opened_session(size, rate, controls) as (services, record, clock), without_gc():
        services.sessions.control(record.id, record.control_key, "play")
        first = message_since(services, record.id, {}) or {}
        seen = {name: first[name] for name in ("t", "v", "ep")}
        while seen["t"] < first["n"]:
            clock.now += 0.25
            began = time.perf_counter()
            message = message_since(services, record.id, seen)
            times.append((time.perf_counter() - began) * 1000)
            if message is None:
                raise ValueError(f"no message after tick {seen['t']}")
            sizes.append(float(len(encode(message))))
            seen = {name: message[name] for name in ("t", "v", "ep")}
    return tuple(times), tuple(sizes)


def frame_row(size: Size) -> Row:
    """The current frame of a paused session asked for again and again, as every further viewer does."""
    with opened_session(size, 4.0, USUAL) as (services, record, _):
        taken = repeated(lambda: services.sessions.frame(record.id), size.repeats, times=100, scale=1000)
    return Row("frame with nothing changed", "ms", taken)
