"""The dashboard as a real process on a free port, with its database and logs in a temporary folder."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from benchmarks.measure import ROOT
from benchmarks.zones import COMMAND

START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Started:
    """A server that answers: its address, its first process, and the seconds from its start to the answers."""

    url: str
    pid: int
    health_s: float
    page_s: float


def write_config(folder: Path) -> Path:
    """A configuration with the project's defaults that writes into `folder` only."""
    path = folder / "config.yaml"
    path.write_text("database: {url: 'sqlite:///sessions.db'}\nruns: {folder: runs}\nlogging: {file: ''}\n", "utf-8")
    return path


@contextmanager
def started_server(folder: Path) -> Iterator[Started]:
    """Start `energy-sim serve`, wait for its health and for the zones page, stop it in the end.

    Raises:
        TimeoutError: it does not answer in time, or ended; with the end of its log.
    """
    port = free_port()
    command = [*COMMAND, "--config", str(write_config(folder)), "serve", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with answering(command, f"{url}/health", folder / "server.log") as pid:
        health = time.perf_counter() - began
        open_page(url)
        yield Started(url, pid, health, time.perf_counter() - began)


@contextmanager
def answering(command: Sequence[str], url: str, log: Path) -> Iterator[int]:
    """Start a server, wait until an address answers, give its process id, stop it in the end.

    Raises:
        TimeoutError: it does not answer in time, or ended; with the end of its log.
    """
    began = time.perf_counter()
    with log.open("w", encoding="utf-8") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            while not _answers(url):
                if process.poll() is not None or time.perf_counter() - began > START_LIMIT_S:
                    raise TimeoutError(f"the server does not answer; the end of its log:\n{log.read_text()[-2000:]}")
                time.sleep(0.01)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def open_page(url: str, path: str = "/zones", search: str = "", sought: str = "zones-network") -> Any:
    """Ask for a page as a browser does: document, layout, callbacks, and the callback that fills the page in.

    Args:
        url: of the server.
        path: of the page.
        search: what follows it, with its question mark.
        sought: what a page that opened holds.

    Returns:
        The answer of the callback, as JSON tells it.

    Raises:
        ValueError: the answer does not hold what is sought.
    """
    _get(f"{url}{path}{search}")
    _get(f"{url}/_dash-layout")
    callbacks = json.loads(_get(f"{url}/_dash-dependencies"))
    pages = next(c for c in callbacks if "_pages_content.children" in c["output"])
    outputs = [part.split(".") for part in pages["output"].strip(".").split("...")]
    values = {"pathname": path, "search": search}
    given = [{**i, "value": values[i["property"]]} for i in pages["inputs"]]
    body: dict[str, Any] = {
        "output": pages["output"],
        "outputs": [{"id": name, "property": prop} for name, prop in outputs],
        "inputs": given,
        "changedPropIds": [f"{i['id']}.{i['property']}" for i in given],
        "state": [],
    }
    request = Request(f"{url}/_dash-update-component", json.dumps(body).encode(), {"Content-Type": "application/json"})
    answer = _get(request)
    if sought.encode() not in answer:
        raise ValueError(f"the page's callback answered without {sought}")
    return json.loads(answer)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        return bool(_get(url))
    except (URLError, ConnectionError):
        return False


def _get(request: str | Request) -> bytes:
    with urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content
