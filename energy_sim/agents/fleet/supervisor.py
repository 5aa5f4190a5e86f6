"""The supervisor of the page's demo fleet: one process that starts it, breaks and heals it, and ends with it.

It listens on loopback at a port of its own and asks for a key; both stand in `fleet.json` of its folder
(fleet_files.py). It ends when nobody has asked for a while, and its fleet with it. Errors are {"error": one line}.
"""

import asyncio
import fcntl
import hmac
import logging
import os
import secrets
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiohttp import web

from energy_sim.agents.audit.entries import read_head, read_tail
from energy_sim.agents.audit.verify import verify_audit
from energy_sim.agents.fleet.files import LOCK_FD, Address, FleetFiles
from energy_sim.agents.fleet.link import MODES
from energy_sim.agents.fleet.processes import GRID, Command, Fleet, Member, cli_command, make_members
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

CAR_KWH = 5.0  # what a car that arrives needs, for 30 km: full about a minute later, curtailed as it is
QUICK: dict[str, Any] = {  # so that an audience sees a fault and its end within seconds
    "report_interval_s": 1.0,
    "cycle_s": 2.0,
    "lease_s": 5.0,
    "heartbeat_timeout_s": 10.0,
    "release_grace_s": 10.0,
    "breaker_open_s": 5.0,
    "speed": 30.0,  # hours of sun for a talk of ten minutes
    "start": "2026-07-08T12:30:00",
    "seed": 156,  # the home at the second transformer has a large roof and a small battery: sun to spare from the start
}
_BODY_BYTES = 65_536
_GRID_S = 0.6  # for the grid agent's answer, with what follows less than who asks waits for the whole
_LOOK_S, _LOOK_AGAIN_S = 0.3, 0.7  # for the answers of agents that it cannot hear; how often they are asked
_MOST_SEEN = 16
_START_S = 180.0  # until the slowest process must answer: the machine may be a busy one
_GRID_WHY = {
    "hung": "the grid agent hangs; heal it",
    "killed": "the grid agent is killed; heal it",
    "ended": "the grid agent has ended; heal it",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Supervisor:
    """What the handlers share: the fleet, how far it is, and when somebody last asked."""

    def __init__(self, fleet: Fleet, folder: Path, key: str) -> None:
        """Answer for a fleet whose audit log is in a folder; ``key`` is what callers must show."""
        self._fleet = fleet
        self._audit = folder / "logs" / "audit.jsonl"
        self._key = key
        self._seen_s = 0.0
        self._looked_s = 0.0
        self._looks: dict[str, Any] = {}
        self.stopped = asyncio.Event()
        self.running = False
        self.done = 0
        self.asked_s = time.monotonic()

    def app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(middlewares=[self._guarded], client_max_size=_BODY_BYTES)
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/view", self._view),
                web.get("/audit", self._read_audit),
                web.post("/fault", self._fault),
                web.post("/drive", self._drive),
                web.post("/planner", self._planner),
                web.post("/verify", self._verify),
                web.post("/stop", self._stop),
            ]
        )
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(shown.encode(errors="replace"), self._key.encode()):
            return _error(401, "key: not the supervisor's; it stands in fleet.json of the folder agents.state")
        self.asked_s = time.monotonic()
        try:
            return await handler(request)
        except DataError as error:
            return _error(422, str(error))
        except web.HTTPException as error:
            return _error(error.status, f"{request.method} {request.path}: {error.reason}")

    async def _health(self, _request: web.Request) -> web.Response:
        total = len(self._fleet.members)
        state, why = ("running", "") if self.running else ("starting", f"{self.done} of {total} processes answer")
        return web.json_response({"state": state, "why": why, "done": self.done, "total": total})

    async def _view(self, request: web.Request) -> web.Response:
        since = _whole(request.query.get("since", "0"), "since")
        states = self._fleet.states
        grid, why = None, _GRID_WHY.get(states[GRID], "")
        if not why:
            reply = await self._fleet.ask(GRID, "GET", f"/view?since={since}", timeout_s=_GRID_S)
            grid, why = (reply.body, "") if reply.ok else (None, f"the grid agent does not answer: {reply.why}")
        if grid is not None:
            self._seen_s = time.monotonic()
        age_s = round(time.monotonic() - self._seen_s, 1) if self._seen_s else None
        seen = await self._look(states, everybody=grid is None)
        return web.json_response({"grid": grid, "grid_age_s": age_s, "why": why, "processes": states, "seen": seen})

    async def _look(self, states: dict[str, str], *, everybody: bool) -> dict[str, Any]:
        """How agents stand that the grid agent cannot hear, asked at their own ports, past their links.

        Args:
            states: of the processes.
            everybody: the grid agent hears nobody.

        Returns:
            {agent: {mode, limit_kw, net_kw, soc}} of those that answer, `_MOST_SEEN` at most.
        """
        if not self.running:
            return {}
        broken = {"running", *MODES} if everybody else set(MODES)
        asked = [name for name, state in states.items() if name != GRID and state in broken][:_MOST_SEEN]
        if not asked or time.monotonic() - self._looked_s < _LOOK_AGAIN_S:
            return {name: self._looks[name] for name in asked if name in self._looks}
        self._looked_s = time.monotonic()
        replies = await asyncio.gather(*(self._fleet.ask(n, "GET", "/status", timeout_s=_LOOK_S) for n in asked))
        self._looks = {name: _stand(reply.body) for name, reply in zip(asked, replies, strict=True) if reply.ok}
        return self._looks

    async def _fault(self, request: web.Request) -> web.Response:
        body = await _body(request, "agent", "fault")
        self._fleet.fault(str(body["agent"]), str(body["fault"]))
        return web.json_response({"processes": self._fleet.states})

    async def _drive(self, request: web.Request) -> web.Response:
        what = (await _body(request, "what"))["what"]
        if what != "cars":
            raise DataError(f"what: {what!r} is not known; give cars")
        homes = [m for m in self._fleet.members if m.role == "home"]
        there = [m.id for m in homes if m.transformer == homes[0].transformer]
        asked = [self._fleet.ask(n, "POST", "/simulate", {"ev_kwh": CAR_KWH}, timeout_s=_GRID_S) for n in there]
        replies = await asyncio.gather(*asked)
        if not any(reply.ok for reply in replies):
            raise DataError(f"{there[0]}: {replies[0].why}; heal the homes first")
        return web.json_response({"homes": [n for n, reply in zip(there, replies, strict=True) if reply.ok]})

    async def _planner(self, request: web.Request) -> web.Response:
        body = await _body(request, "llm")
        reply = await self._fleet.ask(GRID, "POST", "/planner", {"llm": body["llm"]}, timeout_s=_GRID_S)
        if not reply.ok:
            raise DataError(reply.why)
        return web.json_response(reply.body)

    async def _read_audit(self, request: web.Request) -> web.Response:
        limit = min(max(_whole(request.query.get("limit", "50"), "limit"), 1), 500)
        entries = await asyncio.to_thread(read_tail, self._audit, limit) if self._audit.exists() else ()
        return web.json_response({"entries": [asdict(entry) for entry in entries]})

    async def _verify(self, _request: web.Request) -> web.Response:
        findings = await asyncio.to_thread(verify_audit, self._audit)
        head = read_head(self._audit)
        said = [{"line": f.line, "kind": f.kind, "text": f.text} for f in findings]
        return web.json_response({"entries": head.count if head else 0, "findings": said})

    async def _stop(self, _request: web.Request) -> web.Response:
        self.stopped.set()
        return web.json_response({"state": "stopping"})


async def run_supervisor(
    config: Config, *, homes: int = 3, batteries: int = 2, idle_s: float = 120.0, command: Command | None = None
) -> None:
    """Start a demo fleet in real time and answer for it until it is told to stop or nobody asks any more.

    Args:
        config: its section `agents` holds the folder and the values of the fleet.
        homes: how many.
        batteries: how many.
        idle_s: seconds without a request after which all ends; 0 for never.
        command: how members are started, when not as commands of this program.

    Raises:
        ConfigError: a supervisor runs already, or the fleet cannot start.
    """
    files = FleetFiles(config.path(config.agents.state))
    files.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(files):
        folder = files.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        members = make_members(homes, batteries, tuple(config.agents.transformers))
        started_by = command or cli_command(config, folder, "real", **QUICK, transformers=_limits(config, members))
        fleet = Fleet(folder, members, started_by, secrets.token_hex(16))
        address = Address(0, secrets.token_hex(16))
        supervisor = Supervisor(fleet, folder, address.key)
        runner = web.AppRunner(supervisor.app(), access_log=None, shutdown_timeout=1.0)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, supervisor.stopped.set)
        try:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            files.write_address(Address(runner.addresses[0][1], address.key))
            await _serve(supervisor, fleet, idle_s, files)
        finally:
            await asyncio.gather(fleet.stop(), runner.cleanup())
            files.address.unlink(missing_ok=True)
        files.pending.unlink(missing_ok=True)


async def _serve(supervisor: Supervisor, fleet: Fleet, idle_s: float, files: FleetFiles) -> None:
    """Until told to stop, or idle."""

    def told(done: int, _total: int) -> None:
        supervisor.done = done

    starting = asyncio.create_task(fleet.start(_START_S, told))
    stopping = asyncio.create_task(supervisor.stopped.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            return
        await starting
        supervisor.running = True
        files.pending.unlink(missing_ok=True)
        logger.info("supervisor serves folder=%s idle_s=%g", files.folder, idle_s)
        while not stopping.done():
            await asyncio.wait({stopping}, timeout=0.5)
            if idle_s and time.monotonic() - supervisor.asked_s > idle_s:
                logger.info("supervisor ends idle_s=%g", idle_s)
                return
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)


@contextmanager
def _only_one(files: FleetFiles) -> Iterator[None]:
    """Hold the lock while the supervisor lives: the one that was handed down, or a new one.

    Raises:
        ConfigError: another supervisor holds it.
    """
    handed = os.environ.pop(LOCK_FD, "")
    with open(int(handed), "ab") if handed.isdigit() else files.lock.open("ab") as lock:  # noqa: PTH123
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{files.folder}: a fleet runs there already; stop it, or set agents.state") from None
        yield


def _limits(config: Config, members: tuple[Member, ...]) -> dict[str, Any]:
    """The configured transformers, the first with what its homes draw at most in their failsafe.

    Two cars at once are too much for it even at noon, and homes that hear nobody keep it inside its limit.
    """
    limits: dict[str, Any] = config.agents.model_dump(mode="json")["transformers"]
    first = next(iter(limits))
    homes = sum(m.role == "home" and m.transformer == first for m in members)
    limits[first]["limit_kw"] = round(config.agents.failsafe_kw * homes, 3)
    return limits


def _stand(report: Any) -> dict[str, Any]:
    """What is shown of a home's own report; nothing where it is none."""
    if not isinstance(report, dict) or "mode" not in report:
        return {}
    resources = report.get("resources", [])
    soc = next((r["soc"] for r in resources if r.get("soc") is not None), None)
    net_kw = round(sum(float(r["power_kw"]) for r in resources), 3)
    return {"mode": report["mode"], "limit_kw": report.get("limit_kw"), "net_kw": net_kw, "soc": soc}


async def _body(request: web.Request, *names: str) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise DataError("body: is no JSON; give an object") from None
    if not isinstance(body, dict) or set(body) != set(names):
        raise DataError(f"body: give an object with {', '.join(names)} and nothing else")
    return body


def _whole(text: str, name: str) -> int:
    if not text.isdecimal() or len(text) > 15:
        raise DataError(f"{name}: {text[:20]!r} is no whole number of 0 or more; give one")
    return int(text)


def _error(status: int, line: str) -> web.Response:
    return web.json_response({"error": line}, status=status)
