"""A fleet of real processes on loopback: a grid agent, homes and batteries, the lines between them, and their faults.

    command = cli_command(config, folder, "lock-step")
    fleet = Fleet(folder, make_members(3, 2, ("transformer_A", "transformer_B")), command, key)
    try:
        await fleet.start()
        fleet.fault("home_2", "hang")
    finally:
        await fleet.stop()

Every agent talks to the grid agent through a link of its own, and the grid agent to it through another (link.py).
Processes die with the thread that started them (parent.py), so a fleet belongs to a thread that lasts.
"""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from energy_sim.agents.fleet.files import tail, write_config
from energy_sim.agents.fleet.http_request import Reply, ask
from energy_sim.agents.fleet.link import MODES, Link, Mode, free_port, open_link
from energy_sim.agents.fleet.parent import PARENT
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

GRID = "grid"
KEY = "KRAFTFLYT_AGENTS_KEY"  # environment: the key that all of the fleet ask for
FAULTS = ("hang", "kill", "slow", "cut", "error", "malformed", "heal")
TERM_S = 5.0  # from SIGTERM to SIGKILL: an end is work too, and all of them end at once

_CHILD = "from energy_sim.agents.fleet.parent import die_with_parent as d; d(); from energy_sim.cli import main; main()"
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Member:
    """A process of the fleet."""

    id: str
    role: Literal["grid", "home", "battery"]
    transformer: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member listens, and by which addresses it and the grid agent find each other."""

    port: int
    url: str = ""
    grid_url: str = ""


Command = Callable[[Member, Place], Sequence[str]]


@dataclass(slots=True)
class _Running:
    member: Member
    place: Place
    links: tuple[Link, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    fault: str = ""

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def mode(self) -> Mode:
        return self.fault if self.fault in MODES else "open"


def make_members(homes: int, batteries: int, transformers: Sequence[str]) -> tuple[Member, ...]:
    """The grid agent, homes and batteries: every third home and every second battery at the second transformer.

    Args:
        homes: how many, home_1 and so on.
        batteries: how many, battery_agent_1 and so on.
        transformers: ids, the first two count; all are at the only one where there is one.

    Raises:
        ConfigError: there are no homes, or fewer than no batteries.
    """
    if homes < 1 or batteries < 0:
        raise ConfigError(f"fleet: {homes} homes and {batteries} batteries; give 1 home or more, 0 batteries or more")
    first, second = transformers[0], transformers[min(1, len(transformers) - 1)]
    return (
        Member(GRID, "grid"),
        *(Member(f"home_{n}", "home", first if n % 3 else second) for n in range(1, homes + 1)),
        *(Member(f"battery_agent_{n}", "battery", first if n % 2 else second) for n in range(1, batteries + 1)),
    )


def cli_command(config: Config, folder: Path, clock: str, log_level: str = "WARNING", **agents: Any) -> Command:
    """How members are started: as commands of `energy-sim agents`, each with a configuration of its own.

    Where the clock is real, a process that starts later begins at the moment the others have reached by then.

    Args:
        config: values of all sections that agents read.
        folder: takes configurations, database, logs and keys.
        clock: real or lock-step.
        log_level: of their logs.
        agents: keys of the section `agents` that differ.
    """
    values = {**config.agents.model_dump(mode="json"), **agents}
    zone = ZoneInfo(values["timezone"])
    first = datetime.now(zone) if values["start"] == "now" else datetime.fromisoformat(values["start"])
    first = first if first.tzinfo else first.replace(tzinfo=zone)
    speed = values["speed"] if clock == "real" else 0.0
    began = time.monotonic()

    def command(member: Member, place: Place) -> list[str]:
        now = datetime.fromtimestamp(first.timestamp() + speed * (time.monotonic() - began), zone)
        file = folder / f"{member.id}.yaml"
        write_config(config, file, **{**agents, "start": now.replace(microsecond=0).isoformat()})
        start = [sys.executable, "-c", _CHILD, "--config", str(file), "--log-level", log_level, "agents"]
        common = ["--port", str(place.port), "--clock", clock, "--die-with-parent"]
        if member.role == "grid":
            return [*start, "grid", *common]
        who = ["--id", member.id, "--transformer", member.transformer]
        return [*start, member.role, *who, "--grid", place.grid_url, "--url", place.url, *common]

    return command


class Fleet:
    """Starts, breaks, heals and stops its members; one event loop in one lasting thread."""

    def __init__(self, folder: Path, members: Iterable[Member], command: Command, key: str) -> None:
        """Plan a fleet; nothing starts yet.

        Args:
            folder: takes the members' logs; must exist.
            members: the grid agent first.
            command: how each is started.
            key: bearer key that all of them ask for.
        """
        self._folder = folder
        self._command = command
        self._key = key
        self._members = {member.id: _Running(member, Place(free_port())) for member in members}

    @property
    def members(self) -> tuple[Member, ...]:
        """All, the grid agent first."""
        return tuple(running.member for running in self._members.values())

    @property
    def pids(self) -> dict[str, int]:
        """Processes that have been started and not ended."""
        return {name: r.process.pid for name, r in self._members.items() if r.process is not None and r.alive}

    @property
    def states(self) -> dict[str, str]:
        """What is done to each: running, hung, killed, slow, cut, error, malformed; ended: it ended by itself."""
        names = {"hang": "hung", "kill": "killed", "": "running"}
        return {
            name: "ended" if not r.alive and r.fault != "kill" else names.get(r.fault, r.fault)
            for name, r in self._members.items()
        }

    async def start(
        self, deadline_s: float = 60.0, told: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """Start all and wait until each answers.

        Args:
            deadline_s: seconds until the slowest must answer.
            told: called with how many of how many have answered.

        Raises:
            ConfigError: naming each that ended or did not answer, with the end of its log.
        """
        await self._link_up()
        for running in self._members.values():
            self._launch(running)
        done = 0

        async def wait(running: _Running) -> str:
            nonlocal done
            wrong = await self._until_healthy(running, deadline_s)
            done += not wrong
            if told is not None:
                told(done, len(self._members))
            return wrong

        problems = [p for p in await asyncio.gather(*map(wait, self._members.values())) if p]
        if problems:
            raise ConfigError.from_problems(problems)
        logger.info("fleet runs processes=%d folder=%s", len(self._members), self._folder)

    async def answers(self, name: str, deadline_s: float) -> str:
        """Wait until a member answers; why it does not, empty when it does."""
        return await self._until_healthy(self._find(name), deadline_s)

    def fault(self, name: str, kind: str) -> None:
        """Break a member, or heal it; a fault takes the place of the one before.

        Args:
            name: id of the member; at the grid agent a fault of lines is one of all lines.
            kind: hang (SIGSTOP), kill (SIGKILL), slow, cut, error or malformed (its lines), heal (undoes each).

        Raises:
            DataError: there is no such member or fault, or its process has ended and is to be healed first.
        """
        running = self._find(name)
        if kind not in FAULTS:
            raise DataError(f"fault: {kind!r} is not one of {', '.join(FAULTS)}; give one of them")
        if not running.alive and kind != "heal":
            raise DataError(f"{name}: {kind} is not possible, its process has ended; heal it first")
        running.fault = "" if kind == "heal" else kind
        self._set_links()
        if not running.alive:
            self._launch(running)
        elif running.process is not None:
            number = {"hang": signal.SIGSTOP, "kill": signal.SIGKILL}.get(kind, signal.SIGCONT)
            running.process.send_signal(number)
            if kind == "kill":
                running.process.wait(TERM_S)
        logger.info("fault agent=%s kind=%s", name, kind)

    def place(self, name: str) -> Place:
        """Where a member listens and by which links it and the grid agent reach each other.

        Raises:
            DataError: there is no such member.
        """
        return self._find(name).place

    async def ask(self, name: str, method: str, path: str, body: object = None, timeout_s: float = 5.0) -> Reply:
        """Ask a member directly, past its links."""
        url = f"http://127.0.0.1:{self._find(name).place.port}{path}"
        return await asyncio.to_thread(ask, method, url, body, key=self._key, timeout_s=timeout_s)

    async def stop(self) -> None:
        """End all: SIGTERM, five seconds later SIGKILL; then nothing is left."""
        living = {name: r.process for name, r in self._members.items() if r.process is not None}
        for process in living.values():
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGCONT)  # a stopped one hears SIGTERM only then
        ends = time.monotonic() + TERM_S
        while any(p.poll() is None for p in living.values()) and time.monotonic() < ends:
            await asyncio.sleep(_POLL_S)
        for name, process in living.items():
            if process.poll() is None:
                logger.warning("killed agent=%s pid=%d not ended within_s=%g", name, process.pid, TERM_S)
                process.kill()
            process.wait()
        await asyncio.gather(*(link.close() for r in self._members.values() for link in r.links))

    async def _link_up(self) -> None:
        """Two links for every agent: the one to the grid agent, the one to it."""
        grid_port = self._members[GRID].place.port
        for running in self._members.values():
            if running.member.role != "grid" and not running.links:
                out, back = await open_link(grid_port), await open_link(running.place.port)
                running.links = (out, back)
                running.place = Place(running.place.port, url=back.url, grid_url=out.url)

    def _set_links(self) -> None:
        of_all = self._members[GRID].mode
        for running in self._members.values():
            for link in running.links:
                wanted = running.mode if running.mode != "open" else of_all
                if wanted != link.mode:
                    link.set_mode(wanted)

    def _launch(self, running: _Running) -> None:
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with (self._folder / f"{running.member.id}.log").open("ab") as log:
            running.process = subprocess.Popen(  # noqa: S603
                list(self._command(running.member, running.place)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | one_thread | {KEY: self._key, PARENT: str(os.getpid())},
                process_group=0,  # Ctrl-C is for the fleet alone, which then stops them in order
            )

    async def _until_healthy(self, running: _Running, deadline_s: float) -> str:
        ends = time.monotonic() + deadline_s
        name = running.member.id
        while True:
            if not running.alive and running.process is not None:
                said = tail(self._folder / f"{name}.log", 3) or "no word in its log"
                return f"{name}: ended with code {running.process.returncode}: {said}"
            reply = await self.ask(name, "GET", "/health", timeout_s=1.0)
            if reply.ok:
                return ""
            if time.monotonic() > ends:
                said = tail(self._folder / f"{name}.log", 3) or "its log is empty"
                return f"{name}: no answer within {deadline_s:g} s ({reply.why}): {said}"
            await asyncio.sleep(_POLL_S)

    def _find(self, name: str) -> _Running:
        if name not in self._members:
            raise DataError(f"agent: {name!r} is not in the fleet; it has {', '.join(self._members)}")
        return self._members[name]
