"""The command that the page shows makes the same days as the session it stands beside."""

import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from callbacks.services import open_services
from callbacks.zones_view import command_line, quality_of
from energy_sim.config import load_config
from energy_sim.zones.live import default_parameters
from energy_sim.zones.summary import daily_summary

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "norway_neighbours"
CONFIGS = {
    "shipped": "",
    "own figures": "zones: {hydro_efficiency: 0.9, loss_factor: 0.03, warm_up_days: 10}",
    "neighbours": (
        f"zones: {{input: ['{ROOT}/input/zones', '{EXAMPLE}/input'], network: '{EXAMPLE}/network.yaml',"
        " start: 2018-01-01, days: 365}"
    ),
}


@pytest.fixture(params=CONFIGS)
def services(request, tmp_path, monkeypatch):
    """Services of a server that was started with a configuration of its own."""
    path = tmp_path / "a folder" / "mine.yaml"
    path.parent.mkdir()
    own = f"database: {{url: 'sqlite:///{tmp_path}/s.db'}}\nlogging: {{file: ''}}\n{CONFIGS[request.param]}\n"
    path.write_text(own, encoding="utf-8")
    monkeypatch.setenv("KRAFTFLYT_CONFIG", str(path))
    return open_services(load_config(path))


def shown(services, session: str, last: int) -> str:
    """The command as assets/zones.js writes it: the session's part, the days, the changes so far."""
    live = services.sessions.live(session)
    words = {True: "on", False: "off"}
    changes = [
        f"--change {live.date_of(e.tick)}:{e.control}={words[e.value] if isinstance(e.value, bool) else e.value}"
        for e in services.sessions.events(session)
        if e.tick <= last
    ]
    return " \\\n  ".join([command_line(services.sessions.record(session).parameters), f"--days {last + 1}", *changes])


@pytest.mark.slow
def test_the_command_gives_the_days_of_a_session_with_changes_a_start_level_and_a_later_first_day(services, tmp_path):
    record = services.sessions.create("zones", default_parameters(services.config, date(2018, 3, 1), 0.87654321))
    for tick, name, value in ((4, "two_hop", False), (9, "consumption_factor", 1.1)):
        services.sessions.control(record.id, record.control_key, "scrub", tick)
        services.sessions.control(record.id, record.control_key, name, value)
    services.sessions.control(record.id, record.control_key, "scrub", 20)
    events = services.sessions.events(record.id)
    assert [(event.tick, event.control) for event in events] == [(5, "two_hop"), (10, "consumption_factor")]

    words = shlex.split(shown(services, record.id, 20).replace("\\\n", " ").replace("OUT", str(tmp_path / "out")))
    assert words[0] == "energy-sim"
    entry = [sys.executable, "-c", "from energy_sim.cli import main; main()", "--log-level", "ERROR"]
    done = subprocess.run(
        [*entry, *words[1:], "--no-figures"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")

    days = daily_summary(services.sessions.live(record.id).history(events, 20))
    made = pd.read_csv(tmp_path / "out" / "daily_summary.csv", dtype={"date": str})
    assert (made.date[0], len(made)) == ("2018-03-01", 21)
    pd.testing.assert_frame_equal(made, days, check_dtype=False, rtol=0, atol=0)
    folders = services.config.zones.input
    assert quality_of(services, record.id).source == f"Input folder{'s' * (len(folders) > 1)} {', '.join(folders)}"


def test_without_a_configuration_of_its_own_the_command_names_none(monkeypatch):
    monkeypatch.delenv("KRAFTFLYT_CONFIG", raising=False)
    parameters = default_parameters(load_config())
    assert command_line(parameters) == "energy-sim zones run --out OUT --input input/zones --start 2016-01-01"
    older = {**parameters, "input": "my data", "reservoir_factor": 0.5, "warm_up_days": 7}
    assert command_line(older) == (
        "energy-sim zones run --out OUT --input 'my data' --start 2016-01-01 --warm-up 7 --reservoir-factor 0.5"
    )
    assert command_line({"run": "zones_20260131_120000_aaaaaa"}) == "energy-sim runs show zones_20260131_120000_aaaaaa"
