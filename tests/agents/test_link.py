"""A link between agents: real sockets on both sides, and every way it can be broken."""

import asyncio
import time

import pytest

from energy_sim.agents.fleet.http_request import ask
from energy_sim.agents.fleet.link import open_link
from energy_sim.errors import DataError


async def answer_ok(reader, writer):
    """A server that answers every request of a connection with {"n": how many it had}."""
    count = 0
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            count += 1
            body = b'{"n": %d}' % count
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    except (asyncio.IncompleteReadError, ConnectionResetError):
        writer.close()


def through(link, timeout_s=1.0):
    return asyncio.to_thread(ask, "GET", f"{link.url}/health", timeout_s=timeout_s)


async def on_a_link(check):
    server = await asyncio.start_server(answer_ok, "127.0.0.1", 0)
    link = await open_link(server.sockets[0].getsockname()[1], slow_s=0.4)
    try:
        async with asyncio.timeout(10):
            await check(link)
    finally:
        await link.close()
        server.close()


def test_each_mode_does_to_requests_what_its_name_says_and_open_heals_them_all():
    async def check(link):
        assert (await through(link)).body == {"n": 1}
        link.set_mode("error")
        assert (await through(link)).status == 500
        link.set_mode("malformed")
        broken = await through(link)
        assert (broken.status, broken.body) == (0, "the answer is no JSON")
        link.set_mode("cut")
        began = time.perf_counter()
        assert (await through(link, 0.3)).body == "no answer within 0.3 s"
        assert 0.3 <= time.perf_counter() - began < 0.8
        link.set_mode("slow")
        assert (await through(link, 0.2)).status == 0
        began = time.perf_counter()
        assert (await through(link)).body == {"n": 1}
        assert 0.4 <= time.perf_counter() - began < 0.9
        link.set_mode("open")
        began = time.perf_counter()
        assert (await through(link)).body == {"n": 1}
        assert time.perf_counter() - began < 0.3

    asyncio.run(on_a_link(check))


def test_cutting_resets_what_is_connected_and_holds_who_comes_after_until_it_is_healed():
    async def check(link):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"}")
        link.set_mode("cut")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        held_reader, held = await asyncio.open_connection("127.0.0.1", link.port)
        held.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(held_reader.read(1), 0.2)
        link.set_mode("open")
        with pytest.raises(ConnectionResetError):
            await held_reader.read(1)
        held.close()

    asyncio.run(on_a_link(check))


def test_a_connection_that_is_open_when_the_link_slows_down_stays_and_is_slow():
    async def check(link):
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b'{"n": 1}')
        link.set_mode("slow")
        began = time.perf_counter()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.readuntil(b'{"n": 2}')
        assert 0.4 <= time.perf_counter() - began < 0.9
        writer.close()

    asyncio.run(on_a_link(check))


def test_nobody_behind_the_link_is_a_reset_and_an_unknown_mode_is_refused():
    async def check(link):
        link._target_port = 1  # nobody listens there
        reply = await through(link)
        assert reply.status == 0
        assert "reset" in reply.why or "closed" in reply.why
        with pytest.raises(DataError, match="'broken' is not one of open, slow, cut, error, malformed"):
            link.set_mode("broken")

    asyncio.run(on_a_link(check))
