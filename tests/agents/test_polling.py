"""Asking agents: deadlines, slots, answers that cannot be used, and who is left alone. Agents are real sockets."""

import asyncio
import contextlib

import pytest

from energy_sim.agents.grid.polling import Call, Outcome, Poller
from energy_sim.errors import DataError


async def handle(reader, writer, seen):
    """An agent by its path: /ok, /hang, /error, /refuse, /broken, /long, /reset."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length: ")[2].split()[0])
            body = await reader.readexactly(length)
            path = head.split()[1]
            seen.append((path, body, "authorization: bearer t" in head.lower()))
            if path == "/hang":
                await asyncio.sleep(3600)
            if path == "/reset":
                writer.transport.abort()
                return
            status = {"/error": "500 No", "/refuse": "409 Stale"}.get(path, "200 OK")
            told = {"/broken": b"{", "/long": b"x" * 300_000}.get(path, b'{"error": "so"}')
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(told)}\r\n\r\n".encode() + told)
            await writer.drain()


@contextlib.asynccontextmanager
async def agents():
    seen, tasks = [], set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await handle(reader, writer, seen)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def take(_agent, body):
    if body == b"{":
        raise DataError("no JSON")


def test_every_kind_of_failure_is_named_within_the_deadline_and_then_left_alone():
    async def run():
        now = [0.0]
        poller = Poller(deadline_s=0.3, slots=8, failures=2, open_s=30.0, clock=lambda: now[0])
        async with agents() as (url, seen):
            kinds = ("ok", "hang", "error", "refuse", "broken", "long", "reset")
            calls = [Call(kind, f"{url}/{kind}", b"{}", "Bearer t") for kind in kinds]
            calls += [Call("absent", "http://127.0.0.1:9/", b"{}", ""), Call("nonsense", "http://[", b"{}", "")]
            loop = asyncio.get_running_loop()
            began = loop.time()
            first = await poller.ask(calls, take)
            assert loop.time() - began < 2.0
            assert first["ok"] == Outcome(was_asked=True)
            assert [first[k].why[:26] for k in ("hang", "error", "refuse", "broken")] == [
                "did not answer within 0.3 ",
                'answered 500: {"error": "s',
                'answered 409: {"error": "s',
                "answered what cannot be us",
            ]
            assert all(first[k].why for k in ("long", "reset", "absent", "nonsense"))
            assert seen[0] == ("/ok", b"{}", True)
            await poller.ask(calls, take)
            seen.clear()
            third = await poller.ask(calls, take)
            assert sorted(path for path, _, _ in seen) == ["/ok", "/refuse"]  # who refuses has answered
            assert third["hang"] == Outcome(was_asked=False, why="did not answer before and is left alone")
            now[0] = 30.0
            assert poller.breaker("hang") == "probe"
            healed = [Call("hang", f"{url}/ok", b"{}", "Bearer t")]
            assert (await poller.ask(healed, take))["hang"].why == ""
            assert poller.breaker("hang") == "closed"
        await poller.close()

    asyncio.run(run())


def test_many_hung_agents_cost_one_deadline_per_probe_round_not_all_of_them():
    async def run():
        now = [0.0]
        poller = Poller(deadline_s=0.2, slots=32, failures=1, open_s=5.0, probes=4, clock=lambda: now[0])
        async with agents() as (url, seen):
            calls = [Call(f"h{n}", f"{url}/hang", b"{}", "") for n in range(32)]
            await poller.ask(calls, take)
            now[0] = 6.0
            seen.clear()
            outcomes = await poller.ask(calls, take)
            assert len(seen) == sum(o.was_asked for o in outcomes.values()) == 4
            assert list(outcomes) == [f"h{n}" for n in range(32)]
        await poller.close()

    asyncio.run(run())


def test_a_cancelled_round_ends_its_calls():
    async def run():
        poller = Poller(deadline_s=60.0, slots=4, failures=2, open_s=5.0)
        async with agents() as (url, _):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await poller.ask([Call("h", f"{url}/hang", b"{}", "")], take)
            assert poller.breaker("h") == "closed"
        await poller.close()

    asyncio.run(run())
