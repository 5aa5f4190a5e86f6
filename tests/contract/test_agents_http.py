"""What agents and the grid agent answer over HTTP: four scenarios, orders that are really kept, refusals, secrets."""

import contextlib
import http.client
import json
import logging
import socket
import threading
import time

import pytest

pytest.importorskip("fastapi")
import uvicorn

from energy_sim.agents.audit.csv_log import CsvLog
from energy_sim.agents.audit.log import AuditLog, verify_audit
from energy_sim.agents.grid.agent import GridAgent
from energy_sim.agents.grid.cycles import Cycles
from energy_sim.agents.grid.polling import Poller
from energy_sim.agents.grid.registry import read_or_make_secret
from energy_sim.agents.grid.server import make_grid_app
from energy_sim.agents.home.run import make_local_agents
from energy_sim.agents.home.server import make_app
from energy_sim.config import TransformerConfig, load_config
from energy_sim.database import open_database

logger = logging.getLogger(__name__)

A, B = "transformer_A", "transformer_B"
SCENARIOS = {1: (3.0, 1.0, 0.8), 2: (0.1, 3.0, 0.2), 3: (4.0, 1.0, 0.5), 4: (0.2, 3.0, 0.7)}  # solar, load, soc
KINDS = {1: ["underload"], 2: ["overload"], 3: ["underload"], 4: ["overload"]}
MOST_BODY = 64 * 1024
JSON = {"Content-Type": "application/json"}
LIMITS = {name: TransformerConfig(limit_kw=kw, export_limit_kw=20.0) for name, kw in ((A, 12.0), (B, 2.0))}


class Server:
    """An application on a socket of its own, in a thread."""

    def __init__(self, app):
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="on"))
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.005)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def raw(self, method, path, body=None, token="", headers=JSON):
        """Status, headers and text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = dict(headers) | ({"Authorization": f"Bearer {token}"} if token else {})
        content = json.dumps(body) if isinstance(body, dict | list) else body
        with contextlib.closing(connection):
            connection.request(method, path, content, sent, encode_chunked=hasattr(body, "__next__"))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def ask(self, method, path, body=None, token="", headers=JSON):
        """Status and content of an answer."""
        status, _, text = self.raw(method, path, body, token, headers)
        return status, json.loads(text) if text else None


class Room:
    """A grid agent and agents of each kind, with everything they write in one folder."""

    def __init__(self, folder, key=""):
        self.folder, self.key = folder, key
        config = load_config().agents.model_copy(update={"transformers": LIMITS, "min_hold_s": 0.0})
        self.engine = open_database(f"sqlite:///{folder / 'agents.db'}")
        secret = read_or_make_secret(folder / "grid.key")
        self.grid_agent = GridAgent(
            config, self.engine, AuditLog(folder / "audit.jsonl"), secret, clock_kind="lock-step"
        )
        poller = Poller(deadline_s=10.0, slots=64, failures=2, open_s=30.0)
        cycles = Cycles(self.grid_agent, poller, log=CsvLog(folder))
        self.grid = Server(make_grid_app(cycles, key))
        self.tokens, self.local = {}, {}
        for name, role, transformer in (("home_1", "home", A), ("home_2", "home", B), ("battery_1", "battery", A)):
            self.local[name] = make_local_agents(config, [name], transformer, role, log=CsvLog(folder))
        self.home, self.home_2, self.battery = (
            Server(make_app(agents, key=key, tokens=self.tokens)) for agents in self.local.values()
        )
        homes = make_local_agents(config, ["host_1_home_1", "host_1_home_2"], A)
        self.host = Server(make_app(homes, host=True, key=key, tokens=self.tokens, name="host_1"))

    @property
    def servers(self):
        return {"grid": self.grid, "home": self.home, "battery": self.battery, "host": self.host}

    def registration(self, name, url=""):
        homes = self.local[name].homes
        plates = [plate.model_dump() for plate in homes.nameplates(0)]
        said = {"id": name, "role": homes.roles[0], "transformer_id": homes.transformers[0], "url": url}
        return said | {"nameplates": plates}

    def register(self, name, url=""):
        status, told = self.grid.ask("POST", "/agents", self.registration(name, url), self.key)
        assert status == 200, told
        self.tokens[name] = told["token"]
        return told

    def stop(self):
        for server in (*self.servers.values(), self.home_2):
            server.stop()
        self.engine.dispose()


def open_room(folder, key=""):
    room = Room(folder, key)
    try:
        yield room
    finally:
        room.stop()


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    yield from open_room(tmp_path_factory.mktemp("agents"))


@pytest.fixture(scope="module")
def keyed_room(tmp_path_factory):
    yield from open_room(tmp_path_factory.mktemp("keyed"), "fleet-key-of-this-test")


def powers(report):
    return {r["id"].partition("/")[2]: r["power_kw"] for r in report["resources"]}


def load_of(result, transformer):
    return next(t["load_kw"] for t in result["transformers"] if t["id"] == transformer)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_is_reported_to_the_watt_with_its_anomaly(room, scenario):
    solar_kw, load_kw, soc = SCENARIOS[scenario]
    status, report = room.home.ask("POST", "/simulate", {"scenario": scenario})
    assert status == 200
    assert powers(report) == {"solar": -solar_kw, "load": load_kw, "battery": 0.0, "ev": 0.0}
    assert [r["soc"] for r in report["resources"] if r["kind"] == "battery"] == [soc]
    assert (report["anomaly"], [a["kind"] for a in report["anomalies"]]) == (True, KINDS[scenario])
    assert report["anomalies"][0]["value"] == pytest.approx(load_kw - solar_kw)
    assert room.home.ask("GET", "/status")[1]["resources"] == report["resources"]  # looking does not move the clock


def test_orders_are_kept_in_the_next_report_partly_where_not_all_is_possible_and_until_cancelled(room):
    home, battery, evening = room.home, room.battery, {"scenario": 2}
    for power_kw, state, then_kw in ((2.0, "accepted", 2.0), (0.5, "partial", 1.2)):  # 1.2 of 3 kW are essential
        status, ack = home.ask("POST", "/curtail", {"id": "o1", "resource_id": "home_1/load", "power_kw": power_kw})
        assert (status, ack["event_id"], ack["state"], ack["power_kw"]) == (200, "o1", state, then_kw)
        report = home.ask("POST", "/simulate", evening)[1]
        assert powers(report)["load"] == pytest.approx(then_kw)
        assert next(r["wanted_kw"] for r in report["resources"] if r["kind"] == "load") == 3.0
    acks = home.ask("POST", "/curtail", [{"resource_id": "home_1/load", "power_kw": None}])[1]
    assert [ack["state"] for ack in acks] == ["accepted"]
    assert powers(home.ask("POST", "/simulate", evening)[1])["load"] == 3.0
    home.ask("POST", "/curtail", {"id": "sun", "resource_id": "home_1/solar", "power_kw": -1.0})
    assert powers(home.ask("POST", "/simulate", {"scenario": 1})[1])["solar"] == -1.0
    home.ask("POST", "/curtail", {"resource_id": "home_1/solar", "power_kw": None})
    order = {"id": "short", "resource_id": "battery_1/battery", "power_kw": -6.0, "duration_s": 60.0}
    assert battery.ask("POST", "/curtail", order)[1]["state"] == "accepted"
    before, during = (battery.ask(*how)[1] for how in (("GET", "/status"), ("POST", "/simulate", {})))
    assert powers(during) == {"battery": -6.0}
    lost = before["resources"][0]["soc"] - during["resources"][0]["soc"]
    assert lost == pytest.approx(6.0 / 0.95 / 60 / 20.0, rel=1e-3)  # a minute at 6 kW, 95 % of 20 kWh
    over = battery.ask("POST", "/simulate", {})[1]
    assert (powers(over), over["acks"][0]["state"]) == ({"battery": 0.0}, "completed")


def test_a_discharge_lowers_its_transformer_and_a_curtailed_home_draws_its_limit_in_the_next_cycle(room):
    for name, server in (("home_1", room.home), ("home_2", room.home_2)):
        room.register(name, server.url)
    known = room.register("battery_1")  # it only reports
    assert (known["agent_id"], known["clock"], known["sequence"]) == ("battery_1", "lock-step", 0)

    def cycle():
        report = room.battery.ask("POST", "/simulate", {})[1]
        status, answer = room.grid.ask("POST", "/agents/battery_1/status", report, room.tokens["battery_1"])
        assert (status, answer["sequence"]) == (200, report["sequence"])
        status, result = room.grid.ask("POST", "/coordinate", {"scenario": 2})
        assert (status, result["failed"], sorted(result["answered"])) == (200, {}, ["battery_1", "home_1", "home_2"])
        return result

    first = cycle()
    assert (load_of(first, A), load_of(first, B)) == (pytest.approx(2.9), pytest.approx(2.9))
    assert [(o["resource_id"], o["power_kw"]) for o in first["orders"]] == [("home_2/load", pytest.approx(2.1))]
    assert next(t["anomalies"] for t in first["transformers"] if t["id"] == B) == ["overload"]
    room.battery.ask("POST", "/curtail", {"id": "d", "resource_id": "battery_1/battery", "power_kw": -2.0})
    second = cycle()
    assert load_of(second, A) == pytest.approx(0.9)
    assert load_of(second, B) == pytest.approx(2.0)  # what its transformer may draw
    assert powers(room.home_2.ask("GET", "/status")[1])["load"] == pytest.approx(2.1)
    room.battery.ask("POST", "/curtail", {"resource_id": "battery_1/battery", "power_kw": None})
    third = cycle()
    assert load_of(third, A) == pytest.approx(2.9)
    assert room.grid.ask("GET", "/status")[1]["transformers"] == third["transformers"]
    states = {a["id"]: a["state"] for a in room.grid.ask("GET", "/agents")[1]["agents"]}
    assert {states[name] for name in ("home_1", "home_2", "battery_1")} == {"online"}
    assert room.grid.ask("POST", "/coordinate")[1]["cycle"] == third["cycle"] + 1  # nothing has to be asked for


def test_a_report_is_refused_by_code_and_the_refusal_says_what_is_allowed(room):
    token = room.register("battery_1")["token"]
    sequence = room.grid.ask("GET", "/agents")[1]["agents"]
    last = next(a["sequence"] for a in sequence if a["id"] == "battery_1")
    good = room.battery.ask("GET", "/status")[1] | {"sequence": last + 1}
    plate = {**good["resources"][0], "max_kw": 10.5}
    cases = [
        (401, "home_1's", good, room.register("home_1")["token"], "register"),
        (409, "stale", good | {"sequence": last}, token, f"the last one known is {last}"),
        (422, "another's", good | {"agent_id": "home_1", "resources": []}, token, "report for yourself"),
        (422, "moved", good | {"transformer_id": B}, token, "as registered"),
        (422, "beyond the nameplate", good | {"resources": [plate]}, token, "-10 .. 10"),
        (422, "an order of magnitude", good | {"sequence": 2**53}, token, "sequence"),
        (422, "a word for a number", good | {"time_s": "7"}, token, "time_s"),
        (422, "a truth value for a number", good | {"voltage_pu": True}, token, "voltage_pu"),
        (413, "too much", json.dumps(good) + " " * MOST_BODY, token, "65536 bytes"),
    ]
    for code, name, body, bearer, said in cases:
        status, answer = room.grid.ask("POST", "/agents/battery_1/status", body, bearer)
        assert (status, list(answer)) == (code, ["error"]), (name, answer)
        assert said in answer["error"], (name, answer)
    assert room.grid.ask("POST", "/agents/nobody/status", good, token)[0] == 404
    status, answer = room.grid.ask("POST", "/agents/battery_1/status", good, token)
    assert (status, answer["sequence"]) == (200, last + 1)
    assert room.grid.ask("POST", "/agents/battery_1/status", good, token)[0] == 409  # a replay
    where = room.registration("home_1") | {"transformer_id": "transformer_C"}
    assert room.grid.ask("POST", "/agents", where) == (
        422,
        {"error": f"transformer_id: transformer_C is unknown; the transformers are {A}, {B}"},
    )


DEEP = b'{"answer":' + b"[" * 30_000
NOT_UTF8 = b'{"scenario": "\xff\xfe"}'
CHUNKED = "more than 64 kB in chunks"
AGENT_POSTS = [  # status, path, body
    (422, "simulate", {"scenario": 5}),
    (422, "simulate", {"scenario": True}),
    (422, "simulate", {"scenario": "2"}),
    (422, "simulate", {"step_s": 1e-300}),
    (422, "simulate", {"time_s": 9e10}),
    (422, "simulate", {"cycle": 2**53 - 1}),
    (422, "simulate", b'{"time_s": Infinity}'),
    (422, "simulate", {"line\nbreak\r\n" * 40: 1}),
    (422, "simulate", {"answer": {"cycle": 0, "sequence": 2**53 - 1, "sent_at": 0}}),
    (422, "simulate", {"answer": {"cycle": 0, "sequence": 0, "sent_at": 0, "limit": {"kw": -1}}}),
    (422, "simulate", {"answer": {"cycle": 0, "sequence": 0, "sent_at": 0, "limit": {"kw": 4, "duration_s": 0}}}),
    (422, "simulate", b"[]"),
    (400, "simulate", DEEP),
    (400, "simulate", b"{"),
    (413, "simulate", b" " * (MOST_BODY + 1)),
    (413, "simulate", CHUNKED),
    (404, "curtail", {"resource_id": "home_1/boiler", "power_kw": 1}),
    (404, "curtail", {"resource_id": "home_9/load", "power_kw": 1}),
    (422, "curtail", {"resource_id": "{}/battery", "power_kw": 1e5}),
    (422, "curtail", b'{"resource_id": "home_1/load", "power_kw": NaN}'),
    (422, "curtail", b'{"resource_id": "home_1/load", "power_kw": 1e999}'),
    (422, "curtail", {"resource_id": "home_1/../load", "power_kw": 1}),
    (422, "curtail", {"resource_id": "home_1/load\n", "power_kw": 1}),
    (422, "curtail", []),
    (422, "curtail", None),
    (400, "curtail", b"\xff\xfe"),
]
GRID_POSTS = [
    (422, "/coordinate", {"scenario": 0}),
    (422, "/coordinate", {"scenario": True}),
    (422, "/coordinate", {"a\nline": 1, "b" * 5000: 2}),
    (422, "/coordinate", DEEP),
    (422, "/coordinate", NOT_UTF8),
    (413, "/coordinate", b" " * (MOST_BODY + 1)),
    (413, "/planner", CHUNKED),
    (422, "/planner", {"llm": 1}),
    (422, "/planner", {}),
    (422, "/agents", None),
    (422, "/agents", {"id": "a b", "role": "home", "transformer_id": A}),
    (422, "/agents", {"id": "a", "role": "king", "transformer_id": A}),
    (422, "/agents", {"id": "a", "role": "home", "transformer_id": A, "url": "file:///etc/passwd"}),
    (404, "/agents/..%2F..%2Fetc/status", {}),
    (404, "/agents/%00%0A%F0%9F%92%A9/status", {}),
    (404, "/agents/a%27%3B%20DROP%20TABLE/status", {}),
    (404, "/agents//status", {}),
]


def body_of(content, name):
    if content == CHUNKED:
        return iter([b" " * 9000] * 8)
    return (
        content
        if content is None or isinstance(content, bytes)
        else json.loads(json.dumps(content).replace("{}/", name))
    )


def test_whatever_is_sent_is_refused_with_one_line_and_changes_nothing(room):
    under = {"home": "home_1/", "battery": "battery_1/", "host": "host_1_home_1/"}
    posts = [("grid", code, path, body) for code, path, body in GRID_POSTS]
    for who, name in under.items():
        prefix = f"/{name}" if who == "host" else "/"
        posts += [(who, code, prefix + path, body_of(body, name)) for code, path, body in AGENT_POSTS]
    posts += [("grid", 422, "/view?since=-1", "GET"), ("grid", 422, "/audit?limit=1e9", "GET")]
    posts += [(who, 404, "/nothing%0Ahere", "GET") for who in room.servers]
    posts += [("host", 404, "/host_1_home_9/status", "GET"), ("host", 404, "/%2e%2e/status", "GET")]
    posts += [("host", 404, "/" + "x" * 9000 + "/status", "GET")]
    posts += [(who, 405, "/health", method) for who in room.servers for method in ("DELETE", "OPTIONS", "PUT")]
    looks = {who: f"/{name}status" if who == "host" else "/status" for who, name in under.items()}
    before = {who: room.servers[who].ask("GET", path)[1] for who, path in looks.items()}
    cycle = room.grid.ask("GET", "/health")[1]["cycle"]
    for who, code, path, body in posts:
        method, content = (body, None) if isinstance(body, str) and body.isupper() else ("POST", body)
        content = body_of(content, "") if content == CHUNKED else content
        status, headers, text = room.servers[who].raw(method, path, content)
        assert status == code, (who, path[:60], str(body)[:80], status, text[:300])
        error = json.loads(text)
        assert list(error) == ["error"], (who, path[:60], text[:300])
        assert 0 < len(error["error"]) <= 500
        assert error["error"].isprintable(), error
        assert headers["Content-Type"] == "application/json"
        assert (code == 405) == ("Allow" in headers)
    for who, stood in before.items():
        now = room.servers[who].ask("GET", looks[who])[1]
        assert now | {"sent_at": 0} == stood | {"sent_at": 0}, who
    assert room.grid.ask("GET", "/health")[1]["cycle"] == cycle
    status, headers, text = room.grid.raw("HEAD", "/health")
    assert (status, text) == (405, "")
    twice = b'{"scenario": 1, "scenario": 2}'  # JSON does not say which counts; here the last one
    assert powers(room.home.ask("POST", "/simulate", twice)[1])["load"] == 3.0
    status, answer = room.home.ask("POST", "/simulate", b'{"scenario": 3}', headers={"Content-Type": "text/plain"})
    assert (status, list(answer)) == (422, ["error"])


def test_what_cannot_be_is_refused_with_the_bounds_and_what_there_is(room):
    said = {}
    for resource, kw in (("home_1/load", 17.26), ("home_1/load", -0.1), ("home_1/solar", 0.1), ("home_1/ev", 11.5)):
        status, answer = room.home.ask("POST", "/curtail", {"resource_id": resource, "power_kw": kw})
        assert status == 422
        said[resource, kw] = answer["error"]
    assert said["home_1/load", 17.26].startswith("home_1/load: 17.26 kW is outside 0 .. 17.25 kW")
    assert "0 .. 17.25 kW" in said["home_1/load", -0.1]
    assert ".. 0 kW" in said["home_1/solar", 0.1]
    assert "0 .. 11 kW" in said["home_1/ev", 11.5]
    status, answer = room.battery.ask("POST", "/curtail", {"resource_id": "battery_1/load", "power_kw": 1})
    assert (status, answer["error"]) == (404, "battery_1/load is unknown; there are battery_1/battery")
    both = [{"resource_id": "home_1/load", "power_kw": 1.0}, {"resource_id": "home_1/load", "power_kw": 99.0}]
    assert room.home.ask("POST", "/curtail", both)[0] == 422  # all of them or none
    assert powers(room.home.ask("POST", "/simulate", {"scenario": 2})[1])["load"] == 3.0


def test_a_half_sent_request_and_a_stated_length_beyond_the_limit_do_not_hold_anybody_up(room):
    for server in room.servers.values():
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as half:
            half.sendall(b"POST /curtail HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{")
            assert server.ask("GET", "/health")[1]["status"] == "ok"
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as broken:
            broken.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
            assert b" 400 " in broken.recv(200)
    with socket.create_connection(("127.0.0.1", room.grid.port), timeout=5) as big:
        big.sendall(b"POST /agents HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n")
        assert b" 413 " in big.recv(200)


def test_with_a_key_only_its_bearer_steers_and_no_secret_is_ever_shown(keyed_room, caplog):
    room, key = keyed_room, keyed_room.key
    caplog.set_level(logging.DEBUG)
    guarded = [(room.grid, "/agents", room.registration("home_1")), (room.grid, "/coordinate", {})]
    guarded += [(room.grid, "/planner", {"llm": False}), (room.home, "/simulate", {})]
    guarded += [(room.home, "/curtail", {"resource_id": "home_1/ev", "power_kw": 1.0})]
    guarded += [(room.host, "/host_1_home_1/simulate", {})]
    texts = []
    for server, path, body in guarded:
        for wrong in ("", "wrong", key + "x", key[:-1], "\xff" * 8):
            status, headers, text = server.raw("POST", path, body, wrong)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), (path, wrong)
            texts.append(text)
        basic = {**JSON, "Authorization": f"Basic {key}"}
        assert server.ask("POST", path, body, headers=basic)[0] == 401
        assert server.ask("POST", path, body, key)[0] == 200, path
    for name, server in (("home_1", room.home), ("battery_1", room.battery)):
        room.register(name, server.url)
    own, other = room.tokens["home_1"], room.tokens["battery_1"]
    assert room.home.ask("POST", "/simulate", {}, own)[0] == 200
    assert room.home.ask("POST", "/simulate", {}, other)[0] == 401
    assert room.grid.ask("POST", "/coordinate", {"scenario": 4}, key)[1]["failed"] == {}
    for wrong in (key, other, own.upper(), ""):
        status, answer = room.grid.ask("POST", "/agents/home_1/status", {}, wrong)
        assert status == 401
        texts.append(answer["error"])
    assert room.grid.ask("POST", "/coordinate", {own: key}, other)[0] == 401
    paths = ("/", "/agents", "/status", "/view", "/audit?limit=500", "/openapi.json", "/health")
    texts += [room.grid.raw("GET", path)[2] for path in paths]
    for path in ("/", "/status", "/openapi.json", "/health"):
        texts += [room.home.raw("GET", path)[2], room.battery.raw("GET", path)[2]]
    written = [path.read_bytes().decode("latin-1") for path in room.folder.iterdir() if path.name != "grid.key"]
    assert len(written) >= 4  # database, audit log and its head, CSV logs
    secret = (room.folder / "grid.key").read_bytes()
    assert (room.folder / "grid.key").stat().st_mode & 0o777 == 0o600
    for shown in (*texts, *written, caplog.text):
        for hidden in (key, own, other, secret.hex(), secret.decode("latin-1")):
            assert hidden not in shown
    assert verify_audit(room.folder / "audit.jsonl") == ()


def test_health_answers_while_three_hundred_agents_are_polled(tmp_path):
    config = load_config().agents
    names = [f"many_home_{n}" for n in range(300)]
    homes = make_local_agents(config, names, A)
    host = Server(make_app(homes, host=True, name="many"))
    room = Room(tmp_path)
    try:
        room.local |= {name: _One(homes, n) for n, name in enumerate(names)}
        for name in names:
            room.register(name, f"{host.url}/{name}")
        done, results = threading.Event(), []

        def coordinate():
            results.extend(room.grid.ask("POST", "/coordinate", {"scenario": 2}) for _ in range(2))
            done.set()

        asking, waits = threading.Thread(target=coordinate), []
        asking.start()
        while not done.is_set():
            began = time.perf_counter()
            assert room.grid.ask("GET", "/health")[1]["agents"] == 300
            waits.append(time.perf_counter() - began)
            time.sleep(0.01)
        asking.join()
        assert [status for status, _ in results] == [200, 200]
        assert [(len(result["answered"]), result["failed"]) for _, result in results] == [(300, {}), (300, {})]
        assert len(waits) > 3
        took = ", ".join(f"{result['took_s']:.3f}" for _, result in results)
        logger.info("health longest_s=%.3f asked=%d cycles_s=%s", max(waits), len(waits), took)
    finally:
        room.stop()
        host.stop()


class _One:
    """One of many homes, as a room registers it."""

    def __init__(self, agents, place):
        self.homes = self
        self.roles, self.transformers = [agents.homes.roles[place]], [agents.homes.transformers[place]]
        self.nameplates = lambda _: agents.homes.nameplates(place)
