"""`energy-sim community run` as a person or a script meets it: the real command in a process of its own."""

import json
import os
import signal
import subprocess
import time

import pandas as pd
import pytest

from energy_sim.cli.community import parse_change
from energy_sim.clock import Event
from energy_sim.community.live import open_community
from energy_sim.community.pipeline import frames
from energy_sim.errors import ConfigError
from tests.community.test_live import street
from tests.contract.forks import ENTRY, ROOT, all_at_once

TICKS = "tick,time,total_production_w,total_consumption_w,net_community_power_w,grid_import_w,grid_export_w"
HOUSES = "tick,time,house_id,pv_power_w,base_load_w,flex_load_w,net_power_w"
FILES = [
    "houses.csv", "houses.parquet", "params.json", "statements.csv", "summary.json", "ticks.csv", "ticks.parquet",
]  # fmt: skip
RUN = ["community", "run", "--ticks", 50, "--seed", 9]
CHANGES = ["--change", "10:time_scale=60", "--change", "20:pv_kwp.house_1=0", "--change", "0:price_pv_delivery=0",
           "--change", "25:pv_variation=disabled"]  # fmt: skip
PLACED = ["--place", "-35,150", "--timezone", "Australia/Sydney", "--start", "2026-01-10T12:30"]
GOOD = {
    "plain": [*RUN, "--houses", 14],
    "again": [*RUN, "--houses", 14],
    "no houses": [*RUN, "--houses", 14, "--no-houses"],
    "changed": [*RUN, *CHANGES],
    "placed": [*RUN, *PLACED, "--time-scale", 3600, "--update-interval-ms", 500, "--flex-load-probability", 0.5],
    "now": ["community", "run", "--ticks", 2, "--start", "now"],
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "mine.yaml"
    path.write_text("logging: {file: ''}\nruns: {folder: runs}\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runs(config, tmp_path_factory):
    """The folder of each good run and what was said, by its name."""
    base = tmp_path_factory.mktemp("runs")
    done = all_at_once(config, {name: [*command, "--out", base / name] for name, command in GOOD.items()})
    assert {name: (one.returncode, one.stderr) for name, one in done.items()} == dict.fromkeys(GOOD, (0, ""))
    return {name: (base / name, one.stdout) for name, one in done.items()}


def test_a_run_writes_exactly_the_files_columns_and_rows_that_are_promised(runs):
    out, said = runs["plain"]
    assert sorted(path.name for path in out.iterdir()) == FILES
    ticks, houses = ((out / f"{name}.csv").read_text().splitlines() for name in ("ticks", "houses"))
    assert (ticks[0], len(ticks)) == (TICKS, 51)
    assert (houses[0], len(houses)) == (HOUSES, 1 + 50 * 14)
    assert ticks[1].startswith("0,2026-07-10T12:30:00+02:00,")
    assert ticks[50].startswith("49,2026-07-10T12:30:49+02:00,")
    first = "50 ticks of 14 houses, 2026-07-10T12:30:00+02:00 to 2026-07-10T12:30:50+02:00, in "
    assert said.splitlines()[0] == f"{first}{out}"
    totals = json.loads((out / "summary.json").read_text())["totals_kwh"]
    assert list(totals) == ["production", "consumption", "grid_import", "grid_export", "shared"]
    assert f"{totals['production']:,.3f}" in said
    assert sorted(path.name for path in runs["no houses"][0].iterdir()) == [n for n in FILES if "houses" not in n]


@pytest.mark.parametrize(
    ("name", "changes", "events"),
    [
        ("plain", {"houses": 14}, ()),
        ("no houses", {"houses": 14}, ()),
        (
            "changed",
            {},
            (
                Event(1, 10, "time_scale", 60.0),
                Event(2, 20, "pv_kwp.house_1", 0.0),
                Event(3, 0, "price_pv_delivery", 0.0),
                Event(4, 25, "pv_variation", "disabled"),
            ),
        ),
        (
            "placed",
            {
                "place": "-35,150",
                "timezone": "Australia/Sydney",
                "start": "2026-01-10T12:30",
                "time_scale": 3600.0,
                "update_interval_ms": 500,
                "flex_load_probability": 0.5,
            },
            (),
        ),
    ],
)
def test_the_numbers_are_those_of_a_session_with_the_same_seed_and_changes(runs, name, changes, events):
    out, _ = runs[name]
    shown = list(frames(street(seed=9, **changes), 50, events))
    ticks = pd.read_csv(out / "ticks.csv")
    buses = [frame.bus for frame in shown]
    for column, wanted in (
        ("total_production_w", [b.production_w for b in buses]),
        ("total_consumption_w", [b.consumption_w for b in buses]),
        ("net_community_power_w", [b.net_w for b in buses]),
        ("grid_import_w", [b.grid_import_w for b in buses]),
        ("grid_export_w", [b.grid_export_w for b in buses]),
    ):
        assert ticks[column].tolist() == wanted
    assert json.loads((out / "summary.json").read_text())["community_result_ct"] == shown[-1].meters.result_ct
    if name != "no houses":
        each = pd.read_csv(out / "houses.csv")
        assert each.pv_power_w.tolist() == [w for frame in shown for w in frame.powers.pv_w.tolist()]
        assert each.net_power_w.tolist() == [w for frame in shown for w in frame.powers.net_w.tolist()]
    again = open_community(json.loads((out / "params.json").read_text())["parameters"])
    assert [f.bus for f in frames(again, 50, again.recorded_events())] == buses


def test_the_same_seed_gives_the_same_bytes(runs):
    one, other = (runs[name][0] for name in ("plain", "again"))
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes()
    without = runs["no houses"][0]
    for name in ("ticks.csv", "statements.csv", "summary.json"):
        assert (without / name).read_bytes() == (one / name).read_bytes()


def test_now_begins_now(runs):
    out, _ = runs["now"]
    first = pd.Timestamp(json.loads((out / "summary.json").read_text())["first_time"])
    assert abs((pd.Timestamp.now("UTC") - first).total_seconds()) < 300


def test_changes_are_read_as_tick_name_and_number_or_text():
    assert parse_change("60:start.house_3.ev=1") == (60, "start.house_3.ev", 1.0)
    assert parse_change("0:pv_variation=disabled") == (0, "pv_variation", "disabled")
    for text in ("", "60", "60:wind", "x:wind=1", "-1:wind=1", "1.5:wind=1", ":wind=1", "60=wind"):
        with pytest.raises(ConfigError, match="write TICK:NAME=VALUE, such as"):
            parse_change(text)


MINE = {"own": "house_values: [{pv_kwp: -1}]", "tv": "house_values: [{appliances: [tv]}]",
        "twice": "house_values: [{house_id: a}, {house_id: a}]", "price": "price_pv_delivery: cheap"}  # fmt: skip
BAD = {  # extra options -> what the one line must say
    "0 houses": (["--houses", 0], ["community: houses: 0 is below 1", "give 1 or more"]),
    "10001 houses": (["--houses", 10_001], ["houses: 10001 is above 10000", "give 10000 or less"]),
    "houses text": (["--houses", "many"], ["--houses", "valid integer"]),
    "0 ticks": (["--ticks", 0], ["ticks: 0 is outside the limits", "1 to 1000000"]),
    "too many ticks": (["--ticks", 1_000_001], ["ticks: 1000001 is outside the limits"]),
    "negative seed": (["--seed", -1], ["seed: -1 is below 0"]),
    "bad start": (["--start", "soon"], ["start: 'soon' is no moment", "2026-07-10T12:30"]),
    "start long ago": (["--start", "1950-01-01"], ["1971 to 2100"]),
    "bad place": (["--place", "north"], ["place: 'north' is no place", "47.38,8.54"]),
    "place off the map": (["--place", "89,0"], ["place: 89,0 is outside the limits", "-66 to 66"]),
    "bad time zone": (["--timezone", "Europe/Atlantis"], ["timezone: 'Europe/Atlantis' is no time zone"]),
    "time stands": (["--time-scale", 0], ["time_scale: 0.0 is below 1"]),
    "time is no number": (["--time-scale", "nan"], ["time_scale: nan is refused"]),
    "interval": (["--update-interval-ms", 100], ["update_interval_ms: 100 is below 500"]),
    "variation": (["--pv-variation", "off"], ["pv_variation: 'off' is not one of 'enabled' or 'disabled'"]),
    "probability": (["--flex-load-probability", 2], ["flex_load_probability: 2.0 is above 1"]),
    "change written wrong": (["--change", "5:wind"], ["--change: '5:wind'", "TICK:NAME=VALUE"]),
    "change of nothing known": (["--change", "5:wind=1"], ["wind: there is no such control", "pv_kwp.HOUSE"]),
    "change of no family's house": (["--change", "5:pv_kwp.house_9=1"], ["pv_kwp.house_9", "house_1 to house_5"]),
    "negative PV": (["--change", "5:pv_kwp.house_1=-3"], ["pv_kwp.house_1: -3", "0 to 100 kWp"]),
    "infinite PV": (["--change", "5:pv_kwp.house_1=inf"], ["pv_kwp.house_1: ", "is no number", "0 to 100 kWp"]),
    "unknown appliance": (["--change", "5:start.house_1.tv=1"], ["'tv' is no appliance", "dishwasher"]),
    "price text": (["--change", "5:price_pv_delivery=cheap"], ["price_pv_delivery: 'cheap'", "0 to 1000 ct/kWh"]),
    "change after the end of time": (["--change", "1000000:time_scale=2"], ["tick 1000000 is outside", "999999"]),
    "own negative PV": ("own", ["community.house_values[0].pv_kwp: -1 is below 0"]),
    "own unknown appliance": ("tv", ["community.house_values[0].appliances: 'tv' is no appliance"]),
    "two equal houses": ("twice", ["house_id 'a' is given to two houses"]),
    "own price text": ("price", ["community.price_pv_delivery: 'cheap' is refused"]),
    "out left out": (None, ["--out"]),
    "out without a name": (["--out", ""], ["name a folder"]),
    "unknown option": (["--speed", "9"], ["--speed", "community run --help"]),
}


@pytest.fixture(scope="module")
def refused(config, tmp_path_factory):
    base = tmp_path_factory.mktemp("bad")
    commands = {}
    for name, (extra, _) in BAD.items():
        command = ["community", "run", "--ticks", 5]
        if extra is not None:
            command += ["--out", base / "out"]
        if isinstance(extra, str):
            mine = config.with_name(f"{extra}.yaml")
            mine.write_text(f"logging: {{file: ''}}\ncommunity: {{{MINE[extra]}}}\n", encoding="utf-8")
            command = ["--config", mine, *command]
        commands[name] = [*command, *(extra if isinstance(extra, list) else [])]
    done = all_at_once(config, commands)
    return done, base


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_exit_code_2_and_one_line_and_nothing_is_written(refused, name):
    done, base = refused[0][name], refused[1]
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("energy-sim: ")
    assert [text for text in BAD[name][1] if text not in done.stderr] == []
    assert list(base.iterdir()) == []


def test_help_is_there(config):
    done = all_at_once(config, {"run": ["community", "run", "--help"], "room": ["community", "--help"]})
    for one in done.values():
        assert (one.returncode, one.stderr) == (0, "")
    assert "--no-houses" in done["run"].stdout
    assert "run" in done["room"].stdout


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code", "says"), [("SIGKILL", -9, ""), ("SIGINT", 1, "energy-sim: stopped\n")])
def test_a_killed_run_leaves_no_folder_that_looks_like_one(config, tmp_path, how, code, says):
    out = tmp_path / "out"
    running = subprocess.Popen(
        [*ENTRY, "--config", str(config), "--log-level", "ERROR", "community", "run", "--ticks", "1000000",
         "--houses", "50", "--out", str(out)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not list(tmp_path.glob(".writing-out-*/ticks.csv")):
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < until, "never began to write"
            time.sleep(0.05)
        time.sleep(0.2)  # in the middle of it
        assert not out.exists()
        os.kill(running.pid, getattr(signal, how))
        stdout, stderr = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait(10)
    assert (running.returncode, stdout, stderr) == (code, "", says)
    assert not out.exists()
    left = list(tmp_path.iterdir())
    assert all(path.name.startswith(".writing-out-") for path in left)  # removed by the next run after a day
    assert (left == []) == (how == "SIGINT")
    assert not [path for path in left if (path / "params.json").exists()]
