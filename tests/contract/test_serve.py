"""`energy-sim serve` as a process: what stands before the command reaches the processes that answer."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENTRY = [sys.executable, "-c", "from energy_sim.cli import main; main()"]


@pytest.fixture
def server(tmp_path):
    """Starts servers, waits until they answer, and returns their addresses; ends them afterwards."""
    started = []
    settings = f"database: {{url: 'sqlite:///{tmp_path}/s.db'}}\nlogging: {{file: configured.log}}\n"
    (tmp_path / "mine.yaml").write_text(settings, encoding="utf-8")

    def start(before, after=()):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command = [*ENTRY, "--config", tmp_path / "mine.yaml", *before, "serve", "--host", "127.0.0.1", "--port", port]
        with (tmp_path / "console.txt").open("wb") as console:
            running = subprocess.Popen(
                [*command, *after], cwd=tmp_path, stdout=console, stderr=console, start_new_session=True,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        started.append(running)
        stop = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
            except OSError:
                assert time.monotonic() < stop, (tmp_path / "console.txt").read_text()
                time.sleep(0.1)
            else:
                return f"http://127.0.0.1:{port}"

    yield start
    for running in started:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(20)


def open_zones_page(url: str) -> None:
    """What a browser does that opens /zones at a day: asks for the page's content, which begins a session."""
    with urllib.request.urlopen(f"{url}/_dash-dependencies", timeout=30) as answer:
        (router,) = [d for d in json.load(answer) if "_pages_content" in d["output"] and d["inputs"]]
    values = {"pathname": "/zones", "search": "?start=2018-01-12"}
    outputs = [
        dict(zip(("id", "property"), o.rsplit(".", 1), strict=True)) for o in router["output"][2:-2].split("...")
    ]
    body = {
        "output": router["output"],
        "outputs": outputs,
        **{part: [{**i, "value": values.get(i["property"])} for i in router[part]] for part in ("inputs", "state")},
        "changedPropIds": ["_pages_location.search"],
    }
    request = urllib.request.Request(
        f"{url}/_dash-update-component", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def wait_for(file: Path, text: str) -> str:
    stop = time.monotonic() + 30
    while not (file.exists() and text in file.read_text(encoding="utf-8")):
        assert time.monotonic() < stop, f"no {text!r} in {file}"
        time.sleep(0.1)
    return file.read_text(encoding="utf-8")


@pytest.mark.slow
def test_level_and_file_before_serve_reach_every_worker(server, tmp_path):
    url = server(["--log-level", "debug", "--log-file", "chosen.log"], ["--workers", "2"])
    open_zones_page(url)
    wait_for(tmp_path / "chosen.log", "inputs read")  # INFO of the process that opened the page
    said = wait_for(tmp_path / "chosen.log", "DEBUG   energy_sim.zones.simulator: ")
    assert "Traceback" not in said
    assert not (tmp_path / "configured.log").exists()


@pytest.mark.slow
def test_without_options_the_configured_file_and_level_hold_and_days_are_not_logged(server, tmp_path):
    url = server([])
    open_zones_page(url)
    said = wait_for(tmp_path / "configured.log", "inputs read")
    assert " DEBUG " not in said
    assert "simulated" not in said


def refused(tmp_path: Path, url: str, *options: str) -> str:
    """The one line of a server that does not start."""
    (tmp_path / "mine.yaml").write_text(f"database: {{url: '{url}'}}\nlogging: {{file: ''}}\n", encoding="utf-8")
    command = [*ENTRY, "--config", tmp_path / "mine.yaml", "--log-level", "ERROR", "serve", "--host", "127.0.0.1"]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("energy-sim: ")
    return done.stderr


def test_a_port_in_use_and_a_host_of_others_are_said_before_anything_starts(tmp_path):
    good = f"sqlite:///{tmp_path}/s.db"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}" in refused(tmp_path, good, "--port", port)
    assert "cannot listen on 192.0.2.1:" in refused(tmp_path, good, "--host", "192.0.2.1")  # reserved for documents
    assert "--port" in refused(tmp_path, good, "--port", "0")
    assert not (tmp_path / "s.db").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nothing at all", "no database URL"),
        ("mysql://host/name", "mysql"),
        ("sqlite:////proc/nowhere/s.db", "/proc/nowhere"),
    ],
)
def test_a_database_that_cannot_be_used_is_said_before_anything_starts(tmp_path, url, says):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    line = refused(tmp_path, url, "--port", port)
    assert "database.url" in line
    assert says in line
