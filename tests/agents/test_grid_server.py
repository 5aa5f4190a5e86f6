"""The grid agent on a real socket: who may write what, bodies that cannot be used, and health while it plans."""

import contextlib
import fcntl
import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
import uvicorn
import yaml

from energy_sim.agents.audit.log import read_tail
from energy_sim.agents.grid.cycles import Cycles
from energy_sim.agents.grid.polling import Poller
from energy_sim.agents.grid.run import run_grid
from energy_sim.agents.grid.server import make_grid_app
from energy_sim.cli.agents import prepare
from energy_sim.config import load_config
from energy_sim.errors import ConfigError
from tests.agents.grid_world import NOON, World, report_json

LOAD = {"load": (2.0, 2.0, 1.0, 12.0)}


class Served:
    """A grid agent on a port of its own, in a thread."""

    def __init__(self, folder, key="", **world):
        self.world = World(folder, **world)
        poller = Poller(deadline_s=0.5, slots=8, failures=2, open_s=30.0)
        self.cycles = Cycles(self.world.grid, poller)
        config = uvicorn.Config(make_grid_app(self.cycles, key), port=0, log_config=None, ws="none", lifespan="on")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.world.engine.dispose()

    def ask(self, method, path, body=None, token="", headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = dict(headers) | ({"Authorization": f"Bearer {token}"} if token else {})
        content = body if isinstance(body, bytes) or body is None else json.dumps(body)
        with contextlib.closing(connection):
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


def registration(name):
    plates = [{"id": f"{name}/load", "kind": "load", "min_kw": 0, "max_kw": 12}]
    return {"id": name, "role": "home", "transformer_id": "transformer_A", "nameplates": plates}


def test_agents_register_report_and_are_refused_where_they_may_not(tmp_path):
    with Served(tmp_path, key="fleet", kind="lock-step") as grid:
        assert grid.ask("POST", "/agents", registration("home_1"))[0] == 401
        status, told = grid.ask("POST", "/agents", registration("home_1"), "fleet")
        assert (status, told["clock"], told["sequence"]) == (200, "lock-step", 0)
        _, other = grid.ask("POST", "/agents", registration("home_2"), "fleet")
        path, raw = "/agents/home_1/status", report_json("home_1", 1, "transformer_A", NOON, **LOAD)
        for wrong in ("", "fleet", other["token"], told["token"][:-1]):
            assert grid.ask("POST", path, raw, wrong)[0] == 401
        status, answer = grid.ask("POST", path, raw, told["token"])
        assert (status, answer["sequence"], answer["limit"], answer["events"]) == (200, 1, None, [])
        assert grid.ask("POST", path, raw, told["token"])[0] == 409
        assert grid.ask("POST", "/agents/nobody/status", raw, told["token"])[0] == 404
        assert grid.ask("POST", path, b"{" * 70_000, told["token"])[0] == 413
        chunked = (b"x" * 10_000 for _ in range(9))
        connection = http.client.HTTPConnection("127.0.0.1", grid.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("POST", path, chunked, {"Authorization": f"Bearer {told['token']}"})
            assert connection.getresponse().status == 413
        strange = registration("home_3") | {"transformer_id": "moon"}
        assert grid.ask("POST", "/agents", strange, "fleet") == (
            422,
            {"error": "transformer_id: moon is unknown; the transformers are transformer_A, transformer_B"},
        )
        assert grid.ask("POST", "/coordinate")[0] == 401
        status, result = grid.ask("POST", "/coordinate", None, "fleet")
        assert (status, result["cycle"], result["answered"], result["failed"]) == (200, 1, ["home_1"], {})
        assert grid.ask("POST", "/planner", {"llm": True}, "fleet") == (200, {"llm": False, "llm_ready": False})
        for path in ("/", "/health", "/status", "/agents", "/view", "/audit?limit=5"):
            assert grid.ask("GET", path)[0] == 200
        for method, path, expected in (
            ("GET", "/nothing", 404),
            ("DELETE", "/agents", 405),
            ("GET", "/view?since=x", 422),
            ("GET", "/audit?limit=0", 422),
        ):
            status, body = grid.ask(method, path)
            assert (status, list(body)) == (expected, ["error"])
        audit = (tmp_path / "audit.jsonl").read_text()
        assert told["token"] not in audit
        assert "fleet" not in audit


def test_every_status_it_answers_is_in_its_openapi_whatever_it_is_sent(tmp_path):
    with Served(tmp_path) as grid:
        document = grid.ask("GET", "/openapi.json")[1]
        names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
        assert names <= set(document["components"]["schemas"])
        assert {"Report", "Answer", "Registration", "Registered"} <= names
        token = grid.ask("POST", "/agents", registration("home_1"))[1]["token"]
        good = report_json("home_1", 1, "transformer_A", NOON, **LOAD)
        junk = [
            b"",
            b"{}",
            b"[]",
            b"null",
            b"\xff\xfe",
            b"[" * 30_000,
            b'{"a":1e999}',
            b'"x"',
            good.replace(b"2.0", b"1e400"),
        ]
        seen = set()
        for path, operations in document["paths"].items():
            documented = operations.get("post", {}).get("responses", {})
            for body in junk if documented else ():
                status, _ = grid.ask("POST", path.replace("{agent_id}", "home_1"), body, token)
                seen.add(status)
                assert str(status) in documented, (path, body[:20], status)
        assert seen == {200, 422}  # an empty body asks for a cycle


def test_health_answers_while_a_plan_is_worked_out_and_only_one_cycle_runs_at_a_time(tmp_path, monkeypatch):
    with Served(tmp_path, kind="lock-step") as grid:
        decide, running, most = grid.world.grid.decide, [], []

        def slow(situation):
            running.append(1)
            most.append(len(running))
            time.sleep(0.5)  # in a thread
            running.pop()
            return decide(situation)

        monkeypatch.setattr(grid.world.grid, "decide", slow)
        threads = [threading.Thread(target=grid.ask, args=("POST", "/coordinate")) for _ in range(2)]
        for thread in threads:
            thread.start()
        answers = 0
        while any(thread.is_alive() for thread in threads):
            assert grid.ask("GET", "/health")[0] == 200
            answers += 1
        assert most == [1, 1]
        assert answers > 10  # it would be one or two if a cycle held it up


def test_with_a_real_clock_it_coordinates_by_itself(tmp_path):
    with Served(tmp_path, changes={"cycle_s": 0.1, "report_interval_s": 0.1, "lease_s": 1.0}) as grid:
        token = grid.ask("POST", "/agents", registration("home_1"))[1]["token"]
        for sequence in range(1, 100):
            raw = report_json("home_1", sequence, "transformer_A", NOON, **LOAD)
            answer = grid.ask("POST", "/agents/home_1/status", raw, token)[1]
            if answer["limit"] is not None:
                break
            time.sleep(0.02)
        assert answer["cycle"] >= 1


def run(folder, *arguments, **environment):
    config = {
        "agents": {"logs": "logs", "audit": "a.jsonl", "grid_key": "grid.key", "state": "state"},
        "database": {"url": "sqlite:///agents.db"},
        "logging": {"file": ""},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    code = "from energy_sim.cli import main; main()"
    command = [sys.executable, "-c", code, "--config", str(folder / "c.yaml"), "agents", *arguments]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)


def test_an_open_address_without_a_key_and_a_taken_port_are_refused_in_one_line(tmp_path):
    config = load_config().model_copy(update={"root": tmp_path})
    with pytest.raises(ConfigError, match="KRAFTFLYT_AGENTS_KEY"):
        run_grid(config, host="0.0.0.0", port=1)
    assert list(tmp_path.iterdir()) == []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"--port: 127\.0\.0\.1:{port} cannot be listened on .*give a free one"):
            prepare("127.0.0.1", port, "real", None, None, die_with_parent=False)
    with pytest.raises(ConfigError, match="--clock: 'fast' is unknown"):
        prepare("127.0.0.1", port, "fast", None, None, die_with_parent=False)


def test_the_command_serves_and_ends_on_a_signal(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = run(tmp_path, "grid", "--port", str(port))
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0


def test_without_a_key_the_grid_agent_asks_nobody_on_other_machines_and_does_nothing_for_web_pages(tmp_path):
    urls = {
        "http://127.0.0.1:8001": 200,
        "http://localhost:8001/home_1": 200,
        "http://[::1]:8001": 200,
        "http://10.0.0.5:80": 422,
        "http://localhost.example.org": 422,
        "http://127.0.0.1@example.org/": 422,
        "http://127.0.0.1:80\\\\@example.org/": 422,
        "http://127.0.0.1:80/admin?x=": 422,
    }
    with Served(tmp_path) as grid:
        said = {url: grid.ask("POST", "/agents", registration("home_1") | {"url": url})[0] for url in urls}
        page = {"Origin": "https://example.org", "Content-Type": "text/plain"}
        for path, sent in (("/agents", registration("home_2")), ("/coordinate", None), ("/planner", {"llm": False})):
            assert grid.ask("POST", path, sent, headers=page)[0] == 403
        assert grid.ask("GET", "/health")[1] | {"uptime_s": 0} == {
            "status": "ok",
            "cycle": 0,
            "agents": 1,
            "uptime_s": 0,
        }
    assert said == urls
    with Served(tmp_path, key="k") as grid:
        asked = registration("home_1") | {"url": "http://10.0.0.5:80"}
        assert grid.ask("POST", "/agents", asked, token="k")[0] == 200


def test_a_cycle_waits_no_longer_than_a_deadline_for_an_audit_log_that_somebody_holds(tmp_path):
    with Served(tmp_path, kind="lock-step", changes={"deadline_s": 0.1}) as grid:
        path = grid.world.grid.audit.path
        with path.open("rb") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            began = time.monotonic()
            assert [grid.ask("POST", "/coordinate")[1]["cycle"] for _ in range(3)] == [1, 2, 3]
            assert time.monotonic() - began < 1.0
    assert [e.action for e in read_tail(path, 9)] == ["start", "coordinate"]
    assert [e.n for e in read_tail(path, 9, after=1)] == [2]


def test_an_agent_is_known_and_heard_while_somebody_holds_the_database(tmp_path):
    with Served(tmp_path, changes={"deadline_s": 0.2}) as grid:
        holder = sqlite3.connect(tmp_path / "agents.db", isolation_level=None)
        with contextlib.closing(holder):
            holder.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            status, told = grid.ask("POST", "/agents", registration("home_1"))
            assert (status, time.monotonic() - began < 1.0) == (200, True)
            raw = report_json("home_1", 1, "transformer_A", NOON, **LOAD)
            assert grid.ask("POST", "/agents/home_1/status", raw, token=told["token"])[0] == 200
            holder.execute("ROLLBACK")
    again = World(tmp_path)
    assert [seat.lease.sequence for seat in again.grid.seats] == [1]
    again.engine.dispose()
