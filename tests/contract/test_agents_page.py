"""What the agents page says and does, against a supervisor's stand-in on a real socket."""

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app import create_app
from callbacks import agents_exports, agents_view
from callbacks.agents_preview import LIMIT_KW, preview
from callbacks.services import open_services
from energy_sim.config import load_config
from energy_sim.errors import ConfigError, DataError
from energy_sim.stories import read_story, stories_for
from tests.conftest import ROOT
from tests.figures.test_fleet_figure import GRID

KEY = "only-for-this-test"
RUNNING = {"grid": "running", "home_1": "cut", "home_2": "running", "home_3": "killed", "battery_1": "running"}
PLANNER = {"used": "merit order", "why": "deterministic plan", "llm": False, "llm_ready": False}
EVENTS = [[n, 1_783_508_000.0 + n, "state", "home_1", f"event {n}"] for n in (1, 2, 3)]
FULL = GRID | {"cycle": 7, "time_s": 1_783_508_400.0, "clock": "real", "planner": PLANNER, "more": 0}


class Supervisor(BaseHTTPRequestHandler):
    """Answers like the supervisor, with what the test has put into its server."""

    def log_message(self, *_args):
        pass

    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(content)

    def do_GET(self):
        place = self.server
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.answer(401, {"error": "key: not the supervisor's"})
        if self.path == "/health":
            return self.answer(200, place.health)
        if self.path.startswith("/view"):
            since = int(self.path.partition("=")[2])
            grid = place.grid and place.grid | {"events": [e for e in EVENTS if e[0] > since]}
            seen = {"home_1": {"mode": "failsafe", "limit_kw": 4.2, "net_kw": 4.1, "soc": 0.5}, "home_2": {}}
            body = {"grid": grid, "grid_age_s": 0.1, "why": place.why, "processes": place.processes, "seen": seen}
            return self.answer(200, body)
        return self.answer(200, {"entries": [{"n": 1, "at": 5.0, "hash": "ab"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        self.server.asked.append((self.path, body))
        if self.path == "/verify":
            return self.answer(200, {"entries": 9, "findings": [{"line": 4, "kind": "edited", "text": "is not whole"}]})
        if body.get("agent") == "nobody":
            return self.answer(422, {"error": "agent: 'nobody' is not known"})
        return self.answer(200, {})


@pytest.fixture(scope="module")
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Supervisor)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def configured(folder, **agents):
    path = folder / "config.yaml"
    settings = {
        "database": {"url": f"sqlite:///{folder}/s.db"},
        "runs": {"folder": str(folder / "runs")},
        "logging": {"file": ""},
        "agents": {"state": str(folder / "fleet"), **agents},
    }
    path.write_text(json.dumps(settings))
    return load_config(path)


@pytest.fixture
def config(tmp_path, server):
    """A fleet that runs: its address is where the supervisor writes it."""
    server.asked, server.processes, server.why = [], dict(RUNNING), ""
    server.grid, server.health = FULL, {"state": "running", "why": "", "done": 6, "total": 6}
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "fleet.json").write_text(json.dumps({"port": server.server_port, "key": KEY}))
    return configured(tmp_path)


def test_a_message_is_small_and_comes_once_and_places_only_when_they_change(config, server):
    message, places = agents_view.message_since(config, None)
    assert message["st"] == "run"
    assert (message["c"], message["o"], message["P"]["home_1"]) == (7, 120, "cut")
    assert message["T"][0][:9] == [13.0, 3.0, 1.5, 12.0, 20.0, 21.4, 12.0, 0.0, 4.6]
    assert message["A"][0][:8] == ["home_1", "home", "transformer_A", "lost", 23, "failsafe", 4.2, 3.0]
    assert message["S"] == {"home_1": ["failsafe", 4.2, 4.1, 0.5]}
    assert [e[0] for e in message["e"]] == [1, 2, 3]
    assert (places["key"], places["transformers"]) == (message["g"], ["transformer_A", "transformer_B"])
    assert len(json.dumps(message).encode()) <= 4000
    seen = {"n": 3, "g": message["g"], "h": message["h"]}
    again, nothing = agents_view.message_since(config, seen)
    assert (again["e"], nothing) == ([], None)
    assert agents_view.message_since(config, seen | {"h": again["h"]}) == (None, None)
    for forged in ("x", {"n": "x", "g": [1], "h": {}}, {"n": -5, "a": [7]}):
        assert agents_view.message_since(config, forged)[0]["c"] == 7


def test_a_large_fleet_fits_into_a_message_with_the_chosen_agent_in_it(config, server):
    agents = [GRID["agents"][0] | {"id": f"home_{i}", "orders": [[f"home_{i}/ev", 1.25]] * 4} for i in range(64)]
    server.grid = FULL | {"agents": agents, "more": 936}
    message, _ = agents_view.message_since(config, {"a": "home_63"})
    assert len(json.dumps(message, separators=(",", ":")).encode()) <= 4030  # with its key
    (chosen,) = message["A"]
    assert (chosen[0], chosen[13]) == ("home_63", [["home_63/ev", 1.25]] * 4)
    assert message["B"][1] == ["home_1", 0, 0, 2, 23, 3, 4.2, 3.0, 0.5, 4]  # lost, in failsafe, four orders
    assert (len(message["B"]), message["more"]) == (63, 936)
    server.grid = FULL | {"agents": [agent | {"id": "a" * 60 + agent["id"]} for agent in agents], "more": 936}
    message, _ = agents_view.message_since(config, {})
    assert len(json.dumps(message, separators=(",", ":")).encode()) <= 4030
    assert 30 < len(message["B"]) == 1000 - message["more"]


def test_what_is_said_while_there_is_nothing_to_see_names_the_way_out(config, server, tmp_path, monkeypatch):
    server.grid, server.why = None, "is killed"
    message, places = agents_view.message_since(config, {})
    assert (message["st"], message["hub"], places) == ("run", None, None)
    assert message["S"]["home_1"][:2] == ["failsafe", 4.2]  # nobody coordinates, and it says so itself
    assert message["say"] == "The grid agent does not answer: is killed"
    server.processes, server.health = {}, {"state": "starting", "why": "", "done": 2, "total": 6}
    starting = agents_view.message_since(config, {})[0]
    assert (starting["st"], starting["done"], starting["of"]) == ("start", 2, 6)
    assert starting["say"] == "The fleet starts: 3 homes, 2 batteries and a grid agent as processes of their own."
    (tmp_path / "other").mkdir()
    off = configured(tmp_path / "other", fleet_from_page=False)
    message = agents_view.message_since(off, {})[0]
    assert (message["st"], message["cmd"]) == ("off", "energy-sim agents fleet")
    far = configured(tmp_path / "other", grid_url="http://127.0.0.1:9")
    assert "agents.grid_url" in agents_view.message_since(far, {})[0]["say"]
    monkeypatch.setattr(agents_view, "NEEDED", ("fastapi", "surely_not_installed"))
    missing = agents_view.message_since(config, {})[0]
    assert (missing["st"], missing["cmd"]) == ("missing", agents_view.INSTALL)
    assert "surely_not_installed" in missing["say"]


def test_buttons_reach_the_supervisor_and_what_is_refused_is_said(config, server, tmp_path):
    def press(name, **more):
        return agents_view.obey(config, {"n": 5, "name": name, **more})

    assert press("fault", agent="home_2", value="hang")[0] == {"n": 5, "name": "fault", "err": ""}
    press("drive", value="cars")
    press("planner", value=True)
    press("heal-all")
    assert server.asked == [
        ("/fault", {"agent": "home_2", "fault": "hang"}),
        ("/drive", {"what": "cars"}),
        ("/planner", {"llm": True}),
        ("/fault", {"agent": "home_1", "fault": "heal"}),
        ("/fault", {"agent": "home_3", "fault": "heal"}),
    ]
    assert "'nobody' is not known" in press("fault", agent="nobody", value="kill")[0]["err"]
    assert press("audit")[1] == {"n": 5, "rows": [{"n": 1, "at": 5.0, "hash": "ab"}]}
    findings = [{"line": 4, "kind": "edited", "text": "is not whole"}]
    assert press("verify")[1] == {"n": 5, "entries": 9, "findings": findings}
    asked = len(server.asked)
    forged = [("fault", {"value": "format"}), ("drive", {"value": 7}), ("stop", {}), ("planner", {"value": "on"})]
    for name, more in forged:
        assert "nothing the page can do" in press(name, agent="home_1", **more)[0]["err"]
    assert agents_view.obey(config, ["x"])[0]["err"]
    (tmp_path / "other").mkdir()
    closed = configured(tmp_path / "other", fleet_from_page=False)
    said = agents_view.obey(closed, {"n": 1, "name": "fault", "agent": "home_1", "value": "kill"})[0]["err"]
    assert "agents.fleet_from_page" in said
    assert len(server.asked) == asked


def test_exports_hold_what_is_seen_and_refuse_what_a_browser_forges(config, tmp_path):
    loads = [[1_783_508_400.0 + 60 * k, [[11.4 + k, 12.0], [0.0, 12.0]]] for k in range(2)]
    ids = ["transformer_A", "transformer_B"]
    kept = {"ids": ids, "loads": loads, "events": EVENTS, "o": 120}

    def made(what, kind, history=kept):
        content, name = agents_exports.export(config, what, kind, "dark", history)
        assert name == f"agents_{what}.{kind}"
        return content.decode()

    assert made("agents", "csv").splitlines()[1].startswith("home_1,home,transformer_A,lost,23.0,failsafe,4.2,3.0")
    assert made("plan", "csv").splitlines()[1] == "transformer_A,13.0,1.5,12.0,21.4,4.6,12.0,0.0"
    assert made("history", "csv").splitlines()[1:] == [
        "2026-07-08T13:00:00,11.4,12.0,0.0,12.0",
        "2026-07-08T13:01:00,12.4,12.0,0.0,12.0",
    ]
    assert made("events", "csv").splitlines()[3] == "3,1783508003.0,state,home_1,event 3"
    assert "Neighbours help" in made("picture", "html")
    assert "Transformer B: limit" in made("loads", "html")
    for forged in ({**kept, "loads": [[0, [[1, 2]]]]}, {**kept, "loads": 7}, {**kept, "loads": [[1e300, []]]}):
        with pytest.raises(DataError, match="the page's history"):
            made("history", "csv", forged)
    with pytest.raises(DataError, match="exported as CSV"):
        made("agents", "png")
    assert json.loads(agents_exports.audit_lines(config)) == {"n": 1, "at": 5.0, "hash": "ab"}
    written = tmp_path / "fleet" / "run" / "logs" / "audit.jsonl"
    written.parent.mkdir(parents=True)
    written.write_bytes(b'{"n":1,"hash":"just as it was written"}\n')
    assert agents_exports.audit_lines(config) == written.read_bytes()


def test_pages_open_without_asking_or_starting_anything(tmp_path):
    config = configured(tmp_path)
    app = create_app(open_services(config))
    client = app.server.test_client()
    layout = json.dumps(client.get("/_dash-layout").get_json())
    assert '"/agents"' in layout
    for page in ("/agents", "/"):
        body = {
            "output": "..._pages_content.children..._pages_store.data...",
            "outputs": [{"id": "_pages_content", "property": "children"}, {"id": "_pages_store", "property": "data"}],
            "inputs": [
                {"id": "_pages_location", "property": "pathname", "value": page},
                {"id": "_pages_location", "property": "search", "value": ""},
            ],
            "changedPropIds": ["_pages_location.pathname"],
        }
        body["output"] = ".._pages_content.children..._pages_store.data.."
        answer = client.post("/_dash-update-component", json=body).get_data(as_text=True)
        assert ("agents-picture" if page == "/agents" else "data-fleet-preview") in answer
    assert not (tmp_path / "fleet").exists()


def test_the_pictures_of_the_overview_show_an_overload_that_help_and_orders_relieve():
    scenes = json.loads(preview())["messages"]
    first = [scene["transformers"][0] for scene in scenes]
    assert [t["over"] > 0 for t in first] == [False, False, True, False, False, False, False, False]
    assert [t["help"] > 0 for t in first] == [False, False, False, True, True, True, True, False]
    relieved = first[3]
    assert relieved["load"] == LIMIT_KW
    assert relieved["before"] - relieved["help"] - relieved["curtailed"] == pytest.approx(LIMIT_KW, abs=0.002)
    assert scenes[4]["agents"]["home_2"]["state"] == "lost"
    assert first[4]["unc"] > 0


def test_every_button_of_the_shipped_story_is_one_that_the_page_has(tmp_path):
    (story,) = stories_for(ROOT / "stories", "agents")
    pressed = [(name, value) for step in story.steps for name, value in step.set.items()]
    assert ("fault.grid", "kill") in pressed
    assert story.steps[-1].set == {"heal": "all"}
    steps = "[{tick: 3}, {set: {fault.home_1: explode, light: true, drive: rain, planner: 'on', heal: 1}}]"
    path = tmp_path / "agents.yaml"
    path.write_text(f"title: T\npage: agents\nsteps: {steps}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_story(path)
    assert len(caught.value.problems) == 6
    assert any("steps[1].set.fault.home_1: 'explode' is no fault" in line for line in caught.value.problems)
