"""The demo: what its table says is what the agents report, and the whole of it with real processes."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from energy_sim.agents.fleet.demo import Demo, run_demo
from energy_sim.agents.fleet.demo_cycle import Checked, CycleRow, check_orders, curtailed_kwh, read_cycle
from energy_sim.agents.messages import Report, ResourceState
from energy_sim.cli.agents_fleet import _table
from energy_sim.config import load_config


def resource(name, kind, power_kw, wanted_kw, min_kw, max_kw):
    return ResourceState(id=name, kind=kind, power_kw=power_kw, wanted_kw=wanted_kw, min_kw=min_kw, max_kw=max_kw)


def report(agent, transformer, *resources):
    return Report(
        agent_id=agent,
        role="home",
        transformer_id=transformer,
        cycle=4,
        sequence=4,
        sent_at=0,
        time_s=0,
        mode="unlimited",
        limit_kw=None,
        voltage_pu=1,
        resources=resources,
        anomaly=False,
    )


HOME_1 = report(
    "home_1",
    "A",
    resource("home_1/load", "load", 0.4, 1.0, 0.4, 1.0),
    resource("home_1/ev", "ev", 6.0, 11.0, 0.0, 11.0),
    resource("home_1/solar", "solar", -3.0, -3.0, -3.0, 0.0),
)
BATTERY = report("battery_1", "B", resource("battery_1/battery", "battery", -2.0, 0.0, -2.0, 10.0))


def test_an_order_counts_as_followed_only_if_the_next_report_shows_it():
    kept = {"home_1/ev": 6.0, "home_1/load": 0.1, "home_1/solar": -3.5, "battery_1/battery": -5.0, "gone/ev": 0.0}
    assert check_orders(kept, (HOME_1, BATTERY)) == Checked(4, ())  # the load at its least, the battery at what it can
    broken = {"home_1/ev": 5.0, "home_1/solar": -2.0, "battery_1/battery": 0.0}
    assert check_orders(broken, (HOME_1, BATTERY)) == Checked(
        3,
        (
            "home_1/ev was ordered 5.00 kW and is at 6.00 kW",
            "home_1/solar was ordered -2.00 kW and is at -3.00 kW",
            "battery_1/battery was ordered 0.00 kW and is at -2.00 kW",
        ),
    )
    assert curtailed_kwh((HOME_1, BATTERY), 600.0) == pytest.approx((0.6 + 5.0) / 6)


def test_a_row_adds_up_reports_and_says_in_words_what_the_grid_agent_did():
    station = {"load_kw": 3.4, "expected_kw": 0, "uncertainty_kw": 0, "export_limit_kw": 20, "anomalies": []}
    calm = station | {"id": "B", "limit_kw": 12, "before_kw": -2, "after_kw": -0.5, "shortfall_kw": 0, "help_kw": -1.5}
    over = station | {"id": "A", "limit_kw": 6, "before_kw": 9, "after_kw": 6, "shortfall_kw": 0, "help_kw": 1.5}
    view = {
        "time_s": 600,
        "planner": {"used": "merit order", "why": ""},
        "transformers": [over, calm],
        "ties": [{"a": "A", "b": "B", "limit_kw": 5, "flow_kw": -1.5}],
        "agents": [
            {"id": "home_1", "transformer": "A", "orders": [["home_1/ev", 9.5]]},
            {"id": "battery_1", "transformer": "B", "orders": []},
        ],
    }
    rows, orders = read_cycle(3, view, {"failed": {"home_2": "no answer"}}, (HOME_1, BATTERY), cars=True)
    assert orders == {"home_1/ev": 9.5}
    first, second = rows
    assert (first.wanted_kw, round(first.drawn_kw, 9), first.curtailed_kw) == (9.0, 3.4, 1.5)
    assert first.what == (
        "cars arrive; overload by 3.0 kW; B helps with 1.5 kW; curtails home_1/ev; home_2 did not answer"
    )
    assert (second.wanted_kw, second.drawn_kw, second.what) == (0.0, -2.0, "helps with 1.5 kW")
    alone = over | {"help_kw": 0, "shortfall_kw": 0.4}
    rows, _ = read_cycle(4, view | {"transformers": [alone]}, {}, (), cars=False)
    assert rows[0].what == "overload by 3.0 kW; no neighbour has any to spare; 0.4 kW too much remain"
    over_now = over | {"before_kw": 5, "after_kw": 5, "help_kw": 0}
    at_rest = view | {"transformers": [over_now], "agents": []}
    rows, _ = read_cycle(5, at_rest, {"cancelled": [{"id": "o1", "resource_id": "home_1/ev"}]}, (HOME_1,), cars=False)
    assert rows[0].what == "lets go of home_1/ev"


def test_the_demo_shows_an_overload_helped_then_curtailed_then_restored_and_leaves_no_process(tmp_path):
    shown = []
    demo = Demo(homes=3, batteries=1, cycles=10)
    summary = asyncio.run(run_demo(load_config(), tmp_path, demo, shown.append, lambda _line: None))
    assert len(shown) == 10
    assert summary.overload_cycle == 3
    assert summary.helper == "transformer_B"
    assert 0.5 < summary.help_kw <= 5.0
    assert summary.curtailed_kwh > 0.5
    assert 4 < summary.restored_cycle <= 10
    assert summary.orders >= 4
    assert summary.broken == ()
    assert (summary.audit_findings, summary.processes_left) == (0, 0)
    assert summary.audit_entries > 10
    assert summary.is_good
    third = next(row for row in shown[2] if row.transformer == "transformer_A")
    assert third.what.startswith("cars arrive; overload by ")
    assert third.help_kw > 0
    assert third.curtailed_kw > 0
    assert third.after_kw <= third.limit_kw + 1e-6
    fourth = next(row for row in shown[3] if row.transformer == "transformer_A")
    assert fourth.drawn_kw < third.drawn_kw - 0.5  # what was ordered in the third cycle is drawn less in the fourth
    assert [row.what for row in shown[9]] == ["calm", "calm"]


def test_its_table_keeps_whole_words_in_a_file_and_all_numbers_on_a_narrow_screen():
    helped = "cars arrive; overload by 3.0 kW; transformer_B helps with 1.5 kW; curtails home_1/ev, home_4/ev"
    numbers = {"wanted_kw": 17.1, "drawn_kw": 14.1, "help_kw": 1.1, "curtailed_kw": 4.0}
    numbers |= {"before_kw": 17.1, "after_kw": 12.0, "limit_kw": 12.0}
    row = CycleRow(
        cycle=3,
        time_s=1783524600.0,
        transformer="transformer_A",
        planner="linear programme",
        helper="transformer_B",
        what=helped,
        **numbers,
    )
    zone = ZoneInfo("Europe/Zurich")
    for width, columns in ((150, "3 17:30 transformer_A"), (80, "3 17:30 A")):
        console = Console(width=width, file=io.StringIO())
        console.print(_table([row], zone, width))
        said = console.file.getvalue()
        words = " ".join(said.split())
        assert f"{columns} 17.1 14.1 17.1 1.1 4.0 12.0 12.0" in words
        assert "\N{HORIZONTAL ELLIPSIS}" not in said
        assert max(len(line.rstrip()) for line in said.splitlines()) <= width
        assert {"home_1/ev,", "home_4/ev", "overload"} <= set(words.split())
    assert words.endswith(f"cycle 3, A: {helped}")


def test_ending_the_demo_from_outside_leaves_no_process_and_no_folder(tmp_path):
    command = [sys.executable, "-c", "from energy_sim.cli import main; main()"]
    options = ["agents", "demo", "--homes", "1", "--batteries", "0", "--cycles", "0"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, *options], **pipes, text=True, env=environment) as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        ends = time.monotonic() + 20
        while len(pids := children.read_text().split()) < 2 and time.monotonic() < ends:
            time.sleep(0.05)
        assert len(pids) == 2
        assert [folder.name[:15] for folder in tmp_path.iterdir()] == ["kraftflyt-demo-"]
        os.kill(running.pid, signal.SIGTERM)  # goes the way of Ctrl-C
        _, said = running.communicate(timeout=15)
    assert running.returncode == 130
    assert "stopped; no process is left" in said
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list(tmp_path.iterdir()) == []
