"""A grid agent and hosts of many homes as real processes on loopback, for the benchmark of the agents room."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.processes import cpu_s
from benchmarks.server import free_port
from benchmarks.zones import COMMAND
from energy_sim.agents.fleet.files import write_config
from energy_sim.agents.fleet.http_request import ask
from energy_sim.config import load_config

TRANSFORMERS = ("transformer_A", "transformer_B")
START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Host:
    """A process with many homes."""

    url: str
    homes: int
    process: subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Fleet:
    """A grid agent that knows all homes of its hosts."""

    url: str
    pid: int
    hosts: tuple[Host, ...]

    def coordinate(
        self, scenario: int | None = None, timeout_s: float = 30.0, *, polled: bool = True
    ) -> tuple[dict[str, Any], float]:
        """Run one cycle, one of the test scenarios where it is given: its result, and the seconds it took.

        Raises:
            ValueError: the grid agent does not answer, or not as it should.
        """
        began = monotonic()
        reply = ask("POST", f"{self.url}/coordinate", {"scenario": scenario, "ask": polled}, timeout_s=timeout_s)
        took = monotonic() - began
        if not reply.ok:
            raise ValueError(f"POST /coordinate: {reply.why}")
        return reply.body, took

    def cpu_s(self) -> tuple[float, float]:
        """Seconds of CPU that the grid agent and the hosts have used."""
        return cpu_s([self.pid]), cpu_s([host.process.pid for host in self.hosts])

    def agents(self) -> list[dict[str, Any]]:
        """All agents as the grid agent lists them."""
        found: list[dict[str, Any]] = ask("GET", f"{self.url}/agents", timeout_s=30.0).body["agents"]
        return found


@contextmanager
def started_fleet(
    folder: Path, homes: Sequence[int], clock: str, limit_kw: float, report_s: float = 5.0
) -> Iterator[Fleet]:
    """Start a grid agent and a host for each number of homes, wait until all are registered, stop them in the end.

    Args:
        folder: takes configuration, database and logs; is made.
        homes: of each host; one host after the other is at the other transformer.
        clock: real or lock-step.
        limit_kw: of the transformers, for each home.
        report_s: seconds between two reports of a home with the real clock.

    Raises:
        TimeoutError: a process ends or somebody is not registered in time; with the end of the logs.
    """
    folder.mkdir()
    all_kw = limit_kw * sum(homes) / len(TRANSFORMERS)
    limits = {name: {"limit_kw": all_kw, "export_limit_kw": 10.0 * sum(homes)} for name in TRANSFORMERS}
    write_config(
        load_config(),
        folder / "config.yaml",
        transformers=limits,
        start="2026-07-08T19:30:00",  # people are at home, the sun is low
        report_interval_s=report_s,
        lease_s=15.0,
        cycle_s=3600.0,  # cycles are asked for
        heartbeat_timeout_s=600.0,
        min_hold_s=0.0,
    )
    command = [*COMMAND, "--config", str(folder / "config.yaml"), "--log-level", "WARNING", "agents"]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        grid = stack.enter_context(
            _process([*command, "grid", "--port", str(port), "--clock", clock], folder / "grid.log")
        )
        _wait(lambda: ask("GET", f"{url}/health").ok, [grid], folder)
        hosts = []
        for k, count in enumerate(homes):
            port = free_port()
            who = ["host", "--id", f"host_{k}", "--homes", str(count), "--transformer", TRANSFORMERS[k % 2]]
            where = ["--grid", url, "--port", str(port), "--clock", clock]
            process = stack.enter_context(_process([*command, *who, *where], folder / f"host_{k}.log"))
            hosts.append(Host(f"http://127.0.0.1:{port}", count, process))
        processes = [grid, *(host.process for host in hosts)]
        _wait(lambda: ask("GET", f"{url}/health").body["agents"] == sum(homes), processes, folder)
        yield Fleet(url, grid.pid, tuple(hosts))


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {k: v for k, v in os.environ.items() if k != "KRAFTFLYT_AGENTS_KEY"}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=environment) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(3.0)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(is_so: Any, processes: Sequence[subprocess.Popen[bytes]], folder: Path) -> None:
    ends = monotonic() + START_LIMIT_S
    while not is_so():
        if monotonic() > ends or any(process.poll() is not None for process in processes):
            said = "\n".join(f"{log.name}: {log.read_text()[-1000:]}" for log in folder.glob("*.log"))
            raise TimeoutError(f"the fleet does not start; the end of its logs:\n{said}")
        sleep(0.05)
