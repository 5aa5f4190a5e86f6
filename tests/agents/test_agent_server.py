"""HTTP of agents: documented answers, keys, limits, no 5xx whatever is sent."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

pytest.importorskip("fastapi")
import aiohttp
import uvicorn

from energy_sim.agents.failsafe import Rules
from energy_sim.agents.home.homes import make_homes
from energy_sim.agents.home.local_agents import LocalAgents
from energy_sim.agents.home.run import check_address
from energy_sim.agents.home.server import make_app
from energy_sim.agents.home.simulated_time import World
from energy_sim.agents.home.surroundings import Village
from energy_sim.agents.http_server import MOST_BODY
from energy_sim.agents.messages import Report
from energy_sim.errors import ConfigError


def make_agents(count=1):
    ids = tuple(f"home_{n}" for n in range(1, count + 1))
    homes = make_homes(ids, ("transformer_A",) * count, 1)
    village = Village(homes, (47.38, 8.54), "Europe/Zurich", 1)
    return LocalAgents(homes, village, World("lock-step", 1783503000.0, 60.0, 60.0, 0.0), Rules())


class Served:
    """An app on a real socket inside a test's event loop."""

    def __init__(self, app):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"))
        self._server.install_signal_handlers = lambda: None

    async def __aenter__(self):
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        self.http = aiohttp.ClientSession(self.url)
        while not self._server.started:
            await asyncio.sleep(0.005)
        return self

    async def __aexit__(self, *_):
        await self.http.close()
        self._server.should_exit = True
        await self._task
        self._socket.close()

    async def ask(self, method, path, body=None, **more):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        async with self.http.request(method, path, data=data, headers=headers, **more) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None


def test_a_home_answers_as_documented_and_never_with_a_traceback():
    async def run():
        async with Served(make_app(make_agents())) as home:
            assert (await home.ask("GET", "/health"))[1]["status"] == "ok"
            status, info = await home.ask("GET", "/")
            assert (status, info["agent"], info["role"]) == (200, "home_1", "home")
            assert "POST /simulate" in info["endpoints"]
            status, report = await home.ask("POST", "/simulate", {"scenario": 2, "cycle": 3})
            assert (status, report["anomaly"], report["cycle"]) == (200, True, 3)
            Report.model_validate(report)
            status, ack = await home.ask("POST", "/curtail", {"resource_id": "home_1/load", "power_kw": 2.0})
            assert (status, ack["state"]) == (200, "accepted")
            status, report = await home.ask("POST", "/simulate", {"scenario": 2})
            assert report["resources"][0]["power_kw"] == 2.0
            status, acks = await home.ask("POST", "/curtail", [{"resource_id": "home_1/ev", "power_kw": 4.0}])
            assert (status, acks[0]["state"]) == (200, "accepted")
            refused = {
                404: [
                    ("POST", "/curtail", {"resource_id": "home_1/boiler", "power_kw": 1}),
                    ("GET", "/nothing", None),
                    ("GET", "/home_1/status", None),
                ],
                409: [("POST", "/simulate", {"cycle": 3})],
                413: [("POST", "/simulate", b" " * (MOST_BODY + 1))],
                422: [
                    ("POST", "/simulate", {"scenario": 9}),
                    ("POST", "/simulate", {"surprise": 1}),
                    ("POST", "/curtail", {"resource_id": "home_1/load", "power_kw": 50}),
                    ("POST", "/curtail", {"resource_id": "home_1/load", "power_kw": -1}),
                    ("POST", "/curtail", b'{"resource_id": "home_1/load", "power_kw": NaN}'),
                    ("POST", "/curtail", b'{"resource_id": "home_1/load", "power_kw": 1e999}'),
                    ("POST", "/curtail", []),
                    ("POST", "/simulate", {"answer": {"cycle": 0, "sequence": 0, "sent_at": 0, "limit": {"kw": -1}}}),
                    (
                        "POST",
                        "/simulate",
                        {"answer": {"cycle": 0, "sequence": 0, "sent_at": 0, "limit": {"kw": 1, "duration_s": 0}}},
                    ),
                ],
                400: [
                    ("POST", "/simulate", b"{"),
                    ("POST", "/simulate", b"[" * 60_000),
                    ("POST", "/curtail", b"\xff\xfe"),
                ],
                405: [("DELETE", "/status", None), ("GET", "/simulate", None)],
            }
            for code, requests in refused.items():
                for request in requests:
                    status, body = await home.ask(*request)
                    assert (status, list(body)) == (code, ["error"]), (request[:2], status, body)
                    assert "\n" not in body["error"]
            assert "0 .. 17.25 kW" in (await home.ask(*refused[422][2]))[1]["error"]
            before = (await home.ask("GET", "/status"))[1]["time_s"]
            status, _ = await home.ask("POST", "/simulate", headers={"Origin": "https://example.org"})
            assert (status, (await home.ask("GET", "/status"))[1]["time_s"]) == (403, before)  # a web page's doing

    asyncio.run(run())


def test_a_host_serves_each_home_at_its_path_and_only_with_a_key_that_opens_it():
    async def run():
        tokens = {"home_1": "own-token"}
        async with Served(make_app(make_agents(3), host=True, key="fleet-key", tokens=tokens, name="host_1")) as host:
            info = (await host.ask("GET", "/"))[1]
            assert (info["agent"], info["agents"]) == ("host_1", ["home_1", "home_2", "home_3"])
            assert (await host.ask("GET", "/home_2/status"))[1]["agent_id"] == "home_2"
            assert (await host.ask("GET", "/home_9/status"))[0] == 404
            opened = {}
            for who in ("", "fleet-key", "own-token", "wrong"):
                headers = {"Authorization": f"Bearer {who}"} if who else {}
                for home in ("home_1", "home_2"):
                    opened[who, home] = (await host.ask("POST", f"/{home}/simulate", {}, headers=headers))[0]
            assert {key for key, code in opened.items() if code == 200} == {
                ("fleet-key", "home_1"),
                ("fleet-key", "home_2"),
                ("own-token", "home_1"),
            }
            assert set(opened.values()) == {200, 401}

    asyncio.run(run())


def test_an_address_that_others_reach_needs_a_key():
    check_address("127.0.0.1", "")
    check_address("::1", "")
    check_address("0.0.0.0", "key")
    for host in ("0.0.0.0", "::", "example.org"):
        with pytest.raises(ConfigError, match="KRAFTFLYT_AGENTS_KEY"):
            check_address(host, "")


START = """
import sys
from energy_sim.config import load_config
from energy_sim.agents.home.run import run_agents
run_agents(load_config().agents, ["home_1"], "transformer_A", port=int(sys.argv[1]), die_with_parent=True)
"""


def test_a_process_answers_and_ends_soon_after_it_is_asked_to():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", START, str(port)], stderr=subprocess.PIPE)
    try:
        answer = None
        for _ in range(400):
            with suppress(urllib.error.URLError):
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2).read()
                break
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.05)
        assert Report.model_validate_json(answer).agent_id == "home_1"
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(5) == 0
        assert time.monotonic() - began < 2.0  # a second, and one for a busy machine
        assert b"Traceback" not in process.stderr.read()
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
