"""A fleet of real processes for the fault tests: a thread and loop of its own, questions, waiting for what must come.

Nothing here measures speed: `until` waits long and says how long it took, so that a busy machine breaks no test.
What was measured is logged: pytest --log-cli-level=INFO shows it.
"""

import asyncio
import logging
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from energy_sim.agents.audit.verify import verify_audit
from energy_sim.agents.fleet.http_request import ask
from energy_sim.agents.fleet.processes import GRID, Fleet, cli_command
from energy_sim.agents.grid.registry import read_or_make_secret, token_of
from energy_sim.config import load_config

logger = logging.getLogger(__name__)

KEY = "sesame"
QUICK = {
    "report_interval_s": 0.3,
    "cycle_s": 0.5,
    "lease_s": 1.5,
    "heartbeat_timeout_s": 2.0,
    "release_grace_s": 2.0,
    "breaker_open_s": 2.0,
    "deadline_s": 0.5,
    "speed": 60.0,
    "start": "2026-01-14T22:00:00",  # night: no sun, so that what is drawn is cars and a little load
}
FAILSAFE_KW = 4.2
NEARLY_KW = 0.01  # rounding of what is reported
LONGEST_S = 60.0


class Town:
    """A running fleet, asked and broken from the thread of a test."""

    def __init__(self, folder, members, command, clock):
        self.folder, self.clock = folder, clock  # the clock of processes that start from now on
        self.fleet = Fleet(folder, members, command, KEY)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="town")
        self._thread.start()

    def start(self):
        self.do(self.fleet.start(120.0))

    def do(self, work):
        """Run a coroutine in the fleet's thread, on which the life of its processes hangs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(200.0)

    def fault(self, name, kind):
        async def now():
            self.fleet.fault(name, kind)

        self.do(now())

    def close(self):
        try:
            self.do(self.fleet.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def ask(self, name, method, path, body=None, *, key=KEY, timeout_s=10.0):
        """A question straight to a process, past the links."""
        port = self.fleet.place(name).port
        return ask(method, f"http://127.0.0.1:{port}{path}", body, key=key, timeout_s=timeout_s)

    def said(self, name, method, path, body=None):
        reply = self.ask(name, method, path, body)
        assert reply.ok, f"{name} {method} {path}: {reply.status} {reply.why}"
        return reply.body

    def home(self, name):
        """How a home stands by its own word; `net_kw` and `ev_kw` are added."""
        body = self.said(name, "GET", "/status")
        drawn = {r["kind"]: r["power_kw"] for r in body["resources"]}
        return body | {"net_kw": sum(drawn.values()), "ev_kw": drawn["ev"]}

    def car(self, name, kwh):
        """Let a car come (or leave, with 0) at a home."""
        return self.said(name, "POST", "/simulate", {"ev_kwh": kwh})

    def agents(self):
        return {row["id"]: row for row in self.said(GRID, "GET", "/agents")["agents"]}

    def transformer(self, name):
        status = self.said(GRID, "GET", "/status")
        return next(t for t in status["transformers"] if t["id"] == name)

    def orders(self):
        return {o["resource_id"]: o for o in self.said(GRID, "GET", "/status")["orders"]}

    def anomalies(self, kind):
        return {a["where"]: a for a in self.said(GRID, "GET", "/status")["anomalies"] if a["kind"] == kind}

    def cycle(self):
        return self.said(GRID, "GET", "/health")["cycle"]

    def audit_lines(self, action):
        entries = self.said(GRID, "GET", "/audit?limit=500")["entries"]
        return [entry for entry in entries if entry["action"] == action]

    def audit_findings(self):
        return verify_audit(self.folder / "logs" / "audit.jsonl")

    def answered(self, name):
        """(mode, net power in kW) of every report of a home that was answered, in order, by its own log."""
        lines = (self.folder / "logs" / f"{name}_log.csv").read_text().splitlines()
        rows = [line.split(",") for line in lines]
        return [(row[5], float(row[4])) for row in rows if row[2] == "status"]

    def mode_changes(self, name):
        """Every mode a home went into, in order, by its own log."""
        lines = (self.folder / "logs" / f"{name}_log.csv").read_text().splitlines()
        return [row[5] for row in (line.split(",") for line in lines) if row[2] == "mode"]

    def token(self, name):
        return token_of(read_or_make_secret(self.folder / "grid.key"), name)

    def served(self, names, times=4):
        """Wait until the grid has run so many cycles and each of these has been heard as often; seconds it took."""
        first, before = self.cycle(), self.agents()
        _, took_s = until(
            lambda: (
                self.cycle() >= first + times
                and all(self.agents()[n]["sequence"] >= before[n]["sequence"] + times for n in names)
            ),
            f"{times} cycles with {', '.join(names)}",
        )
        return took_s


def until(reached, what, longest_s=LONGEST_S):
    """Wait for a condition; its value and the seconds it took."""
    began = time.monotonic()
    while not (value := reached()):
        assert time.monotonic() - began < longest_s, f"{what}: not within {longest_s:g} s"
        time.sleep(0.05)
    return value, time.monotonic() - began


@contextmanager
def running(folder, members, clock, *, homes=None, **agents):
    """A fleet that runs; a member of role host has as many homes as `homes` says.

    Args:
        folder: takes all its files.
        members: the grid agent first.
        clock: real or lock-step.
        homes: host -> number.
        agents: keys of the section agents.
    """
    bases = {kind: cli_command(load_config(), folder, kind, **{**QUICK, **agents}) for kind in ("real", "lock-step")}

    def command(member, place):
        many = ["--homes", str(homes[member.id])] if member.role == "host" else []
        return [*bases[town.clock](member, place), *many]

    town = Town(folder, members, command, clock)
    try:
        town.start()
        yield town
    finally:
        pids = town.fleet.pids
        town.close()
        left = [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]
        assert not left, f"processes left: {left}"


def noted(what, numbers):
    """Log what was measured."""
    logger.info("%s: %s", what, numbers)
