"""Asking agents over HTTP: one deadline a call, no retry within a cycle, a breaker per agent, so many calls at once.

poller = Poller(deadline_s=1.0, slots=64, failures=2, open_s=30.0)
outcomes = await poller.ask([Call("home_1", url, body, bearer)], take)
await poller.close()
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from energy_sim.agents.grid.breaker import Breaker, answered, choose, failed, standing
from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

MOST_PROBES = 16  # a cycle
MOST_BYTES = 256 * 1024  # of an answer


@dataclass(frozen=True, slots=True)
class Call:
    """One question: POST ``body`` (JSON) to ``url``."""

    agent_id: str
    url: str
    body: bytes
    bearer: str  # the whole Authorization header


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question; ``why`` is empty when it was answered as it should be."""

    was_asked: bool
    why: str = ""


class Poller:
    """Asks many agents side by side and remembers who does not answer."""

    def __init__(
        self,
        *,
        deadline_s: float,
        slots: int,
        failures: int,
        open_s: float,
        probes: int = MOST_PROBES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the rules; connections are made when they are needed and kept open between cycles."""
        self._deadline_s, self._slots, self._failures, self._open_s = deadline_s, slots, failures, open_s
        self._probes, self._clock = probes, clock
        self._breakers: dict[str, Breaker] = {}
        self._session: aiohttp.ClientSession | None = None

    def breaker(self, agent_id: str) -> str:
        """Closed, open or probe."""
        return standing(self._breakers.get(agent_id, Breaker()), self._clock(), self._open_s)

    def forget(self, agent_id: str) -> None:
        """The agent has just spoken by itself: ask it again."""
        self._breakers.pop(agent_id, None)

    async def ask(self, calls: Sequence[Call], take: Callable[[str, bytes], None]) -> dict[str, Outcome]:
        """Ask everybody whose breaker lets it, each within the deadline.

        Args:
            calls: at most one per agent.
            take: given the agent and its answer; raises DataError when that cannot be used, which is a failure.

        Returns:
            What became of each call, in the order of the calls.
        """
        ids = [call.agent_id for call in calls]
        chosen, left = choose(ids, self._breakers, self._clock(), self._open_s, self._probes)
        outcomes = dict.fromkeys(left, Outcome(was_asked=False, why="did not answer before and is left alone"))
        by_id = {call.agent_id: call for call in calls}
        queue = iter([by_id[name] for name in chosen])

        async def work(session: aiohttp.ClientSession) -> None:
            for call in queue:  # shared by all workers
                outcomes[call.agent_id] = await self._one(session, call, take)

        if chosen:
            session = self._open_session()
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._slots, len(chosen))):
                    group.create_task(work(session))
        return {name: outcomes[name] for name in ids}

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _one(self, session: aiohttp.ClientSession, call: Call, take: Callable[[str, bytes], None]) -> Outcome:
        why = ""
        counts = True
        try:
            async with asyncio.timeout(self._deadline_s):
                status, body = await _post(session, call)
            if status == 200:
                take(call.agent_id, body)
            else:
                why = f"answered {status}: {_line(body)}"
                counts = status >= 500
        except TimeoutError:
            why = f"did not answer within {self._deadline_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a url that is none
            why = f"cannot be reached ({_line(str(error).encode()) or type(error).__name__})"
        except DataError as error:
            why = f"answered what cannot be used: {error}"
        breaker = self._breakers.get(call.agent_id, Breaker())
        if why and counts:
            after = failed(breaker, self._clock(), self._failures)
            if after.opened_s is not None and breaker.opened_s is None:
                logger.warning("breaker opens agent=%s failures=%d why=%s", call.agent_id, after.failures, why)
            self._breakers[call.agent_id] = after
        elif breaker != Breaker():
            self._breakers[call.agent_id] = answered(breaker)
        return Outcome(was_asked=True, why=why)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60.0),
                timeout=aiohttp.ClientTimeout(total=None),  # the deadline is set around the call
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _post(session: aiohttp.ClientSession, call: Call) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", "Authorization": call.bearer}
    async with session.post(call.url, data=call.body, headers=headers, allow_redirects=False) as response:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                raise DataError(f"the answer is longer than {MOST_BYTES} bytes; send less")
        return response.status, bytes(body)


def _line(body: bytes) -> str:
    return " ".join(body[:300].decode("utf-8", "replace").split())
