"""The page's supervisor and its client: real processes, many callers at once, and what is said when nothing works."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from energy_sim.agents.fleet.client import FleetClient
from energy_sim.agents.fleet.files import FleetFiles
from energy_sim.agents.fleet.http_request import ask
from energy_sim.config import load_config
from energy_sim.errors import DataError

MEMBER = """
import http.server, json, os, sys
from energy_sim.agents.fleet.parent import die_with_parent
die_with_parent()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        told = {"mode": "failsafe", "limit_kw": 4.2, "resources": [{"power_kw": 3.0}, {"power_kw": 1.0, "soc": 0.5}]}
        self.wfile.write(json.dumps({"path": self.path, "pid": os.getpid(), **told}).encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SUPERVISOR = f"""
import asyncio, sys
from pathlib import Path
from energy_sim.agents.fleet.supervisor import run_supervisor
from energy_sim.config import load_config
command = lambda member, place: [sys.executable, "-c", {MEMBER!r}, str(place.port)]
asyncio.run(run_supervisor(load_config(Path(sys.argv[1])), homes=1, batteries=0, idle_s=1.5, command=command))
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(f"agents: {{state: {tmp_path / 'state'}}}\n", encoding="utf-8")
    return load_config(file)


def until(asked, expected, within_s=15.0):
    ends = time.monotonic() + within_s
    while (found := asked()) != expected and time.monotonic() < ends:
        time.sleep(0.05)
    assert found == expected


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_many_callers_start_one_fleet_break_it_heal_it_and_it_ends_when_nobody_asks(config, tmp_path):
    def look():
        return FleetClient(config, supervisor=(sys.executable, "-c", SUPERVISOR, "{config}"))

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        first = list(pool.map(lambda _: look().ensure_started().state, range(8)))
    assert set(first) == {"starting"}
    assert time.monotonic() - began < 1.0
    until(lambda: look().ensure_started().state, "running")
    assert (look().ensure_started().done, look().ensure_started().total) == (2, 2)

    files = FleetFiles(tmp_path / "state")
    assert files.address.stat().st_mode & 0o777 == 0o600
    address = files.read_address()
    assert ask("GET", f"{address.url}/view").status == 401
    assert ask("GET", f"{address.url}/view", key="\xe9").status == 401
    assert ask("POST", f"{address.url}/fault", {"agent": "grid"}, key=address.key).status == 422
    assert ask("GET", f"{address.url}/nothing", key=address.key).status == 404

    seen = look().view(7)
    assert seen["processes"] == {"grid": "running", "home_1": "running"}
    assert (seen["grid"]["path"], seen["grid_age_s"], seen["why"]) == ("/view?since=7", 0.0, "")
    assert seen["seen"] == {}  # the grid agent hears everybody
    look().fault("grid", "hang")
    hung = look().view()
    assert (hung["grid"], hung["why"]) == (None, "the grid agent hangs; heal it")
    assert hung["processes"]["grid"] == "hung"
    assert hung["seen"] == {"home_1": {"mode": "failsafe", "limit_kw": 4.2, "net_kw": 4.0, "soc": 0.5}}
    look().fault("grid", "heal")
    assert look().view()["grid"]["pid"] == seen["grid"]["pid"]
    with pytest.raises(DataError, match="'home_7' is not in the fleet; it has grid, home_1"):
        look().fault("home_7", "kill")
    assert look().audit() == []

    until(lambda: gone(seen["grid"]["pid"]), True, within_s=6.0)  # nobody has asked for 1.5 s
    until(files.address.exists, False, within_s=2.0)
    assert look().view()["why"] == "the fleet is not running"
    with pytest.raises(DataError, match="the fleet is not running"):
        look().stop()


def test_a_supervisor_that_was_killed_is_started_anew_at_the_next_question_and_stops_when_told(config, tmp_path):
    def look():
        return FleetClient(config, supervisor=(sys.executable, "-c", SUPERVISOR, "{config}"))

    until(lambda: look().ensure_started().state, "running")
    first = look().view()["grid"]["pid"]
    supervisor = int(Path(f"/proc/{first}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: gone(first), True, within_s=2.0)
    until(lambda: look().ensure_started().state, "running")
    second = look().view()["grid"]["pid"]
    assert second != first
    look().stop()
    until(lambda: gone(second), True, within_s=3.0)


def test_a_fleet_that_cannot_start_says_why_and_is_not_tried_over_and_over(config, tmp_path):
    broken = (sys.executable, "-c", "import sys; sys.exit('energy-sim: the extra agents is not installed')")
    client = FleetClient(config, supervisor=broken)
    assert client.ensure_started().state == "starting"
    until(lambda: client.ensure_started().state, "failed", within_s=3.0)
    assert client.ensure_started().why == "energy-sim: the extra agents is not installed"
    assert client.ensure_started(again=True).state == "starting"
    until(lambda: client.ensure_started().state, "failed", within_s=3.0)


def test_visitors_may_be_kept_from_the_fleet_and_a_grid_agent_elsewhere_is_only_watched(config):
    kept = config.model_copy(update={"agents": config.agents.model_copy(update={"fleet_from_page": False})})
    assert FleetClient(kept).ensure_started().state == "off"
    with pytest.raises(DataError, match="fleet_from_page: false keeps visitors from touching the fleet"):
        FleetClient(kept).fault("home_1", "kill")
    elsewhere = kept.agents.model_copy(update={"grid_url": "http://127.0.0.1:1"})
    with pytest.raises(DataError, match="fleet_from_page: false keeps visitors from touching the planner"):
        FleetClient(config.model_copy(update={"agents": elsewhere})).planner(on=False)
    watched = config.agents.model_copy(update={"grid_url": "http://127.0.0.1:1"})
    client = FleetClient(config.model_copy(update={"agents": watched}))
    assert client.ensure_started().why.startswith("http://127.0.0.1:1: ")
    assert client.view()["grid"] is None
    with pytest.raises(DataError, match="is not the page's own fleet"):
        client.drive("cars")
