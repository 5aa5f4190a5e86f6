"""Many viewers of one street on one server process, and the same with a whole figure for each of them."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import numpy as np

from benchmarks.load import Found, Job
from benchmarks.measure import ROOT, Row, Size, skipped
from benchmarks.processes import IS_KNOWN, with_children
from benchmarks.server import Started, answering, free_port, open_page, started_server
from layouts.community import COMMUNITY

HZ = 2.0
HOUSES = 500
FIGURE_VIEWERS = 5
BUDGET_CORES = 0.3  # of 50 viewers
PAGE = {"path": "/community", "search": f"?houses={HOUSES}&update_interval_ms=500"}
THREADS = 16  # of the product's server, see config.yaml


def measure(size: Size) -> list[Row]:
    """All rows: viewers of messages, then viewers of figures on the same session."""
    if not IS_KNOWN:
        return [skipped(f"server's CPU, {size.viewers[0]} viewers", "cores", "there is no /proc", BUDGET_CORES)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with started_server(folder) as server:
            link = opened_link(server)
            found = [(count, watched(tick_job(server, link, count, size))) for count in size.viewers]
        figures = watched_figures(folder, link, size)
    rows = [row for count, one in found for row in viewer_rows(f"{count} viewers", one, _budget(count))]
    rows += viewer_rows(f"{FIGURE_VIEWERS} viewers of whole figures", figures, None)
    return [*rows, *against_figures(found[0][1], found[0][0], figures)]


def opened_link(server: Started) -> dict[str, str]:
    """The link of a new session, as somebody has it who only watches."""
    answer = open_page(server.url, **PAGE, sought="community-street")
    store = next(part for part in _parts(answer) if part.get("id") == COMMUNITY.link)
    return {"session": store["data"]["session"], "key": ""}


def tick_job(server: Started, link: dict[str, str], viewers: int, size: Size) -> Job:
    """What the page asks on every tick, by so many viewers."""
    state = [_of(COMMUNITY.link, "data", link), _of(COMMUNITY.seen, "data", None)]
    body = _request(COMMUNITY.message, "data", COMMUNITY.tick, state)
    port, pids = urlsplit(server.url).port or 0, with_children(server.pid)
    return Job(port, pids, body, COMMUNITY.message, viewers, HZ, size.warm_s, size.watch_s)


def watched(job: Job) -> Found:
    """Let viewers watch from a process of their own.

    Raises:
        ValueError: nobody was answered, or somebody wrongly; with the first errors.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(asdict(job)),
        capture_output=True,
        check=True,
        text=True,
    )
    found = Found(**json.loads(done.stdout))
    if found.errors or not found.answer_bytes:
        raise ValueError(f"{len(found.errors)} wrong answers of {len(found.answer_ms)}: {found.errors[:3]}")
    return found


def watched_figures(folder: Path, link: dict[str, str], size: Size) -> Found:
    """Viewers of the peer over the session's database, served by gunicorn as the product is."""
    port = free_port()
    where = ["--worker-class", "gthread", "--threads", str(THREADS), "--bind", f"127.0.0.1:{port}"]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        *where,
        "--no-control-socket",
        "benchmarks.figure_server:create_server()",
    ]
    body = _request("street", "figure", "tick", [_of("link", "data", link)])
    with (
        patch.dict(os.environ, {"KRAFTFLYT_CONFIG": str(folder / "config.yaml")}),
        answering(command, f"http://127.0.0.1:{port}/health", folder / "figures.log") as pid,
    ):
        job = Job(port, with_children(pid), body, "", FIGURE_VIEWERS, HZ, size.warm_s, size.watch_s)
        return watched(job)


def viewer_rows(who: str, found: Found, budget: float | None) -> list[Row]:
    """CPU, answers, their size and their time."""
    p95 = float(np.percentile(found.answer_ms, 95))
    quiet = f"{found.unchanged} of {len(found.answer_ms)} with nothing new, {found.late} left out, no errors"
    return [
        Row(f"server's CPU, {who}", "cores", tuple(found.cores), below=budget),
        Row(f"answers, {who}", "1/s", (len(found.answer_ms) / found.seconds,), note=quiet),
        Row(f"answer on the wire, {who}", "bytes", tuple(map(float, found.answer_bytes))),
        Row(f"time to answer, {who}", "ms", tuple(found.answer_ms), note=f"95 % within {p95:.3g} ms"),
    ]


def against_figures(messages: Found, viewers: int, figures: Found) -> list[Row]:
    """How many times as much the whole figure takes, for each viewer who gets two answers a second."""
    per_message, per_figure = _cores_per_viewer(messages), _cores_per_viewer(figures)
    sizes = [statistics.median(found.answer_bytes) for found in (figures, messages)]
    note = f"{per_figure:.3g} and {per_message:.3g} cores for a viewer; messages of {viewers} viewers"
    return [
        Row("server's CPU, figure against message", "times", (per_figure / per_message,), note=note),
        Row("bytes on the wire, figure against message", "times", (sizes[0] / sizes[1],)),
    ]


def _cores_per_viewer(found: Found) -> float:
    return statistics.mean(found.cores) * found.seconds / len(found.answer_ms) * HZ


def _budget(viewers: int) -> float | None:
    return BUDGET_CORES if viewers <= 50 else None


def _request(message: str, prop: str, tick: str, state: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A callback request as the browser's part of Dash writes it."""
    changed = [f"{tick}.n_intervals"]
    return {
        "output": f"{message}.{prop}",
        "outputs": {"id": message, "property": prop},
        "inputs": [_of(tick, "n_intervals", 0)],
        "changedPropIds": changed,
        "parsedChangedPropsIds": changed,
        "state": list(state),
    }


def _of(name: str, prop: str, value: Any) -> dict[str, Any]:
    return {"id": name, "property": prop, "value": value}


def _parts(answer: Any) -> list[dict[str, Any]]:
    """The properties of all components in an answer."""
    if isinstance(answer, list):
        return [part for item in answer for part in _parts(item)]
    if not isinstance(answer, dict):
        return []
    own = [answer["props"]] if "props" in answer else []
    return own + [part for item in answer.values() for part in _parts(item)]
