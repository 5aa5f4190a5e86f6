"""What a page asks of the fleet: the demo fleet's supervisor, or the configured grid agent.

    fleet = FleetClient(config)
    fleet.ensure_started()          # never waits: Presence("starting", ...)
    fleet.view(since=0)             # {"grid": ..., "grid_age_s": ..., "why": ..., "processes": {...}, "seen": {...}}

Nothing is kept in memory: any thread of any process may ask. The supervisor holds the lock of `fleet.lock` while it
lives, and the system lets it go however it ends, so that there is one of it.
"""

import fcntl
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from energy_sim.agents.fleet.files import CONFIG_FILE, LOCK_FD, FleetFiles, write_config
from energy_sim.agents.fleet.http_request import Reply, ask
from energy_sim.config import Config
from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

KEY = "KRAFTFLYT_AGENTS_KEY"  # environment: key of the configured grid agent
RETRY_S = 60.0  # until a fleet that could not start is tried again unasked
FAULTS = ("hang", "kill", "slow", "cut", "error", "malformed", "heal")
SUPERVISOR = (
    *(sys.executable, "-c", "from energy_sim.cli import main; main()"),
    *("--config", "{config}", "--log-level", "INFO", "agents", "fleet"),
)


@dataclass(frozen=True, slots=True)
class Presence:
    """How the fleet stands; ``why`` is one line for people, ``done`` of ``total`` processes have answered."""

    state: Literal["running", "starting", "failed", "off"]
    why: str = ""
    done: int = 0
    total: int = 0


class FleetClient:
    """Asks with short deadlines; what cannot be had is said in the answer, what is refused raises DataError."""

    def __init__(self, config: Config, *, timeout_s: float = 1.0, supervisor: Sequence[str] = SUPERVISOR) -> None:
        """Look at the fleet of a configuration.

        Args:
            config: its section `agents` says who is watched and where the fleet's files are.
            timeout_s: longest wait for an answer, seconds.
            supervisor: command that starts one, {config} in it is the file of its configuration.
        """
        self._config = config
        self._grid_url = config.agents.grid_url.rstrip("/")
        self._files = FleetFiles(config.path(config.agents.state))
        self._timeout_s = timeout_s
        self._supervisor = tuple(supervisor)

    @property
    def own(self) -> bool:
        """Whether the fleet is the page's own demo fleet, which it may start, stop and break."""
        return not self._grid_url

    def ensure_started(self, *, again: bool = False) -> Presence:
        """How the fleet stands; starts one in the background when there is none.

        Args:
            again: try again at once after one that could not start.
        """
        if not self.own:
            reply = ask("GET", f"{self._grid_url}/health", timeout_s=self._timeout_s)
            why = f"{self._grid_url}: {reply.why}; start the grid agent, or set agents.grid_url"
            return Presence("running") if reply.ok else Presence("failed", why)
        health = self._ask("GET", "/health")
        if health.ok and isinstance(health.body, dict):
            body = health.body
            return Presence(body["state"], body.get("why", ""), body.get("done", 0), body.get("total", 0))
        if not self._config.agents.fleet_from_page:
            return Presence("off", "agents.fleet_from_page is false; run `energy-sim agents fleet` where the page runs")
        try:
            return self._start(again)
        except OSError as error:
            return Presence("failed", f"{self._files.folder}: {error.strerror}; give agents.state a folder to write in")

    def view(self, since: int = 0) -> dict[str, Any]:
        """What the page draws; ``grid`` None with a reason where there is nothing to see."""
        nothing: dict[str, Any] = {"grid": None, "grid_age_s": None, "why": "", "processes": {}, "seen": {}}
        if self.own:
            reply = self._ask("GET", f"/view?since={since}")
            return reply.body if reply.ok and isinstance(reply.body, dict) else nothing | {"why": reply.why}
        reply = self._ask("GET", f"/view?since={since}")
        return nothing | ({"grid": reply.body, "grid_age_s": 0.0} if reply.ok else {"why": reply.why})

    def fault(self, agent: str, kind: str) -> None:
        """Break or heal an agent, or the grid agent by the name "grid".

        Raises:
            DataError: there is no such agent or fault, or the fleet is not the page's.
        """
        self._do("/fault", {"agent": agent, "fault": kind})

    def drive(self, what: str) -> None:
        """Let something happen to the homes: "cars" need energy at every home of the first transformer.

        Raises:
            DataError: there is no such thing, or the fleet is not the page's.
        """
        self._do("/drive", {"what": what})

    def planner(self, on: bool) -> bool:
        """Turn the language model on or off; whether it is on now, which takes one that is configured.

        Raises:
            DataError: nobody answers, or visitors may not touch anything.
        """
        if not self._config.agents.fleet_from_page:
            raise DataError("agents.fleet_from_page: false keeps visitors from touching the planner; set it to true")
        body = self._said(self._ask("POST", "/planner", {"llm": on}))
        return isinstance(body, dict) and bool(body.get("llm"))

    def audit(self, limit: int = 50) -> list[dict[str, Any]]:
        """The newest entries of the audit log, oldest first.

        Raises:
            DataError: nobody answers.
        """
        body = self._said(self._ask("GET", f"/audit?limit={limit}"))
        return list(body.get("entries", [])) if isinstance(body, dict) else list(body or [])

    def verify(self) -> dict[str, Any]:
        """{"entries": how many, "findings": [{"line", "kind", "text"}]} of the audit log.

        Raises:
            DataError: the fleet is not the page's, or does not answer.
        """
        return dict(self._do("/verify", {}))

    def stop(self) -> None:
        """End the demo fleet.

        Raises:
            DataError: the fleet is not the page's.
        """
        self._do("/stop", {})

    def _do(self, path: str, body: dict[str, Any]) -> Any:
        if not self.own:
            raise DataError(f"agents.grid_url: {self._grid_url} is not the page's own fleet; do this where it runs")
        if not self._config.agents.fleet_from_page:
            raise DataError("agents.fleet_from_page: false keeps visitors from touching the fleet; set it to true")
        return self._said(self._ask("POST", path, body))

    def _said(self, reply: Reply) -> Any:
        if not reply.ok:
            raise DataError(reply.why)
        return reply.body

    def _ask(self, method: str, path: str, body: object = None) -> Reply:
        if not self.own:
            key = os.environ.get(KEY, "")
            return ask(method, self._grid_url + path, body, key=key, timeout_s=self._timeout_s)
        address = self._files.read_address()
        if address is None:
            return Reply(0, "the fleet is not running")
        return ask(method, address.url + path, body, key=address.key, timeout_s=self._timeout_s)

    def _start(self, again: bool) -> Presence:
        """Start the supervisor unless somebody holds the lock, which it is handed."""
        files = self._files
        files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with files.lock.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return Presence("starting", "the fleet starts")
            if files.pending.exists() and not again and time.time() - files.pending.stat().st_mtime < RETRY_S:
                return Presence("failed", files.last_words())
            files.address.unlink(missing_ok=True)
            files.pending.touch()
            own = files.folder / CONFIG_FILE
            write_config(self._config, own)
            with files.log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603
                    [part.replace("{config}", str(own)) for part in self._supervisor],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=os.environ | {LOCK_FD: str(lock.fileno())},
                    pass_fds=(lock.fileno(),),
                    start_new_session=True,
                )
        threading.Thread(target=process.wait, name="fleet-reaper", daemon=True).start()
        logger.info("fleet started pid=%d folder=%s", process.pid, files.folder)
        return Presence("starting", "the fleet starts")
