"""Reports to the grid agent: registers every agent of a process, reports for it, and takes what is answered.

    reporter = Reporter(agents, Settings(grid_url="http://127.0.0.1:8000"))
    await reporter.run()            # until cancelled; nothing the grid agent does or fails to do ends it

With the real clock all agents report every interval, 32 at once. In lock-step the grid agent asks, and an agent only
sees to it that it is known. A grid agent that does not answer costs a round 32 deadlines at most, not one an agent.
"""

import asyncio
import logging
import random
import ssl
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
from pydantic import ValidationError

from energy_sim.agents.home.local_agents import LocalAgents
from energy_sim.agents.messages import Answer, Registered, Registration
from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

AT_ONCE = 32
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
MOST_BYTES = 1_000_000  # of an answer


@dataclass(frozen=True, slots=True)
class Settings:
    """Where and how to report; ``url`` is where this process is asked, ``{}`` in it stands for the agent's id."""

    grid_url: str
    url: str = ""
    key: str = field(default="", repr=False)
    report_interval_s: float = 5.0
    lease_s: float = 15.0
    deadline_s: float = 1.0
    tls: ssl.SSLContext | None = None


def wait_s(failures: int, share: float) -> float:
    """Pause after so many failures in a row: doubling to 5 s, half of it at random so that agents do not come together.

    >>> wait_s(0, 1.0), wait_s(9, 0.0), wait_s(9, 1.0)
    (0.2, 2.5, 5.0)
    """
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures, 10))
    return longest * (0.5 + 0.5 * share)


class Reporter:
    """Reports for the agents of this process: `tokens` by the grid agent, `counts` of what became of reports."""

    def __init__(self, agents: LocalAgents, settings: Settings) -> None:
        """Nothing is sent yet."""
        self.agents, self.settings = agents, settings
        self.tokens: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.interval_s, self.lease_s = settings.report_interval_s, settings.lease_s
        self._grid = settings.grid_url.rstrip("/")
        self._first = 0  # of a round: each begins where the last one stopped
        self._last = ""  # what failed last, so that a fault is said once

    async def run(self) -> None:
        """Report until cancelled, with the physics and the failsafe going on whatever the grid agent does."""
        timeout = aiohttp.ClientTimeout(total=self.settings.deadline_s)
        connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=self.settings.tls or True)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._keep_time())
            tasks.create_task(self._keep_in_touch(session))

    async def _keep_time(self) -> None:
        while True:
            self.agents.advance()
            await asyncio.sleep(min(self.interval_s, 1.0))

    async def _keep_in_touch(self, session: aiohttp.ClientSession) -> None:
        failures, loop = 0, asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            good = await self._round(session)
            failures = 0 if good else failures + 1
            lock_step = self.agents.world.clock == "lock-step"
            pause_s = self.lease_s if lock_step else self.interval_s - (loop.time() - began_s)
            if failures and (lock_step or len(self.tokens) < len(self.agents)):
                pause_s = wait_s(failures - 1, random.random())
            await asyncio.sleep(max(pause_s, 0.01))

    async def _round(self, session: aiohttp.ClientSession) -> bool:
        """Everybody once; whether all were heard. Stops when as many in a row as may be out at once were not."""
        count, lost, waiting = len(self.agents), 0, iter(range(len(self.agents)))
        first, done = self._first, 0
        fresh = self.agents.world.clock == "real"
        if fresh:
            self.agents.advance()

        async def work() -> None:
            nonlocal lost, done
            for n in waiting:
                heard = await self._turn(session, (first + n) % count)
                done += 1
                lost = 0 if heard else lost + 1
                self.counts["heard" if heard else "lost"] += 1
                if lost >= AT_ONCE:
                    return

        before = self.counts["lost"]
        await asyncio.gather(*(work() for _ in range(min(AT_ONCE, count))))
        self._first = (first + done) % count
        return self.counts["lost"] == before and done == count

    async def _turn(self, session: aiohttp.ClientSession, i: int) -> bool:
        """Register where need be, then report where that is the way; whether the grid agent was there."""
        name = self.agents.homes.ids[i]
        try:
            lock_step = self.agents.world.clock == "lock-step"
            if name not in self.tokens or lock_step:
                await self._register(session, i)
            if self.agents.world.clock == "lock-step":
                return True
            return await self._report(session, i)
        except TimeoutError:
            self._failed(name, "timeout", f"no answer within {self.settings.deadline_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            self._failed(name, "connection", type(error).__name__)
        except (ValidationError, DataError, ValueError) as error:
            self._failed(name, "malformed", str(error))
        return False

    async def _register(self, session: aiohttp.ClientSession, i: int) -> None:
        agents, name = self.agents, self.agents.homes.ids[i]
        body = Registration(
            id=name,
            role=agents.homes.roles[i],
            transformer_id=agents.homes.transformers[i],
            url=self.settings.url.replace("{}", name),
            nameplates=agents.homes.nameplates(i),
        )
        headers = {"Authorization": f"Bearer {self.settings.key}"} if self.settings.key else {}
        status, content = await self._post(session, f"{self._grid}/agents", body.model_dump_json(), headers)
        if status not in {200, 201}:
            raise DataError(f"registration answered {status}: {_line(content)}")
        known = Registered.model_validate_json(content)
        if known.agent_id != name:
            raise DataError(f"registration of {name} answered for {known.agent_id}")
        self.tokens[name] = known.token
        agents.brains[i].registered(known.cycle, known.sequence)
        self.interval_s, self.lease_s = max(known.report_interval_s, 0.05), max(known.lease_s, 0.1)
        agents.follow_clock(known.clock)

    async def _report(self, session: aiohttp.ClientSession, i: int) -> bool:
        """Send a report and take the answer; whether it was a good one."""
        agents, name = self.agents, self.agents.homes.ids[i]
        report = agents.report(i)
        taken = False
        try:
            status, content = await self._post(
                session,
                f"{self._grid}/agents/{name}/status",
                report.model_dump_json(),
                {"Authorization": f"Bearer {self.tokens[name]}"},
            )
            if status == 200:
                answer = Answer.model_validate_json(content)
                if answer.sequence != report.sequence:
                    raise DataError(f"the answer is to report {answer.sequence}, sent was {report.sequence}")
                agents.hear(i, answer)
                taken = True
                self.interval_s = max(answer.report_interval_s, 0.05)
                agents.log(name, "status", "", report.net_kw, report.mode.value)
                self._last = ""
                return True
            if status in {401, 404, 409}:  # not known, another token, or a sequence it has seen: ask where it stands
                self.tokens.pop(name, None)
            self._failed(name, f"status_{status}", _line(content))
            return False
        finally:
            if not taken:
                agents.brains[i].put_back(report.acks)

    @staticmethod
    async def _post(session: aiohttp.ClientSession, url: str, body: str, headers: dict[str, str]) -> tuple[int, bytes]:
        headers = {**headers, "Content-Type": "application/json"}
        async with session.post(url, data=body.encode(), headers=headers, allow_redirects=False) as response:
            content = await response.content.read(MOST_BYTES)
            while not response.content.at_eof() and len(content) < MOST_BYTES:
                content += await response.content.read(MOST_BYTES)
            return response.status, content

    def _failed(self, name: str, kind: str, text: str) -> None:
        """Count a fault, and say it when it is not the one said before."""
        self.counts[kind] += 1
        if kind != self._last:
            logger.warning("agent=%s grid=%s fault=%s text=%s", name, self._grid, kind, " ".join(text.split())[:200])
        self._last = kind


def _line(content: bytes) -> str:
    return " ".join(content[:200].decode(errors="replace").split())
