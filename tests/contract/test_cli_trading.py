"""`energy-sim trading` as a person or a script meets it: the real command in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from energy_sim.runs import RunStore
from energy_sim.trading.playback import open_playback
from tests.contract.forks import ENTRY, ROOT, all_at_once
from tests.contract.trading_commands import BAD, write_bad_files
from tests.trading.cases import check_energy, check_money, days_of, read_run, write_homes
from tests.trading.seed_folder import write_seed_folder

WEEK = ROOT / "input" / "homes" / "week.csv"
FILES = [
    "anchor.json", "baseline_results.csv", "baseline_results.parquet", "checksums.json", "grid_capacity.csv",
    "households.csv",
    "households.parquet", "ledger.jsonl", "optimized_results.csv", "optimized_results.parquet", "params.json",
    "prices.csv", "steps.csv", "steps.parquet", "summary.json",
]  # fmt: skip
PROMISED = {
    "total_cost_baseline", "total_cost_optimized", "improvement_pct", "grid_buy_baseline_kwh",
    "grid_buy_optimized_kwh", "p2p_kwh", "unserved_baseline_kwh", "unserved_optimized_kwh", "worse_off_households",
    "seconds_per_step", "ledger_root",
}  # fmt: skip
HIGHS = ["--engine", "highs"]
SHORT = ["trading", "run", "--households", WEEK, "--steps", 24]
GOOD = {
    "plain": SHORT,
    "highs": [*SHORT, *HIGHS],
    "again": [*SHORT, *HIGHS],
    "other seed": [*SHORT, *HIGHS, "--seed", 5],
    "none": [*SHORT, "--optimizer", "none"],
    "greedy": [*SHORT, "--optimizer", "greedy"],
    "limits": [*SHORT, *HIGHS, "--grid-capacity", "{base}/limits.csv"],
    "files": [*SHORT, *HIGHS, "--prices", "{base}/prices.csv", "--params", "{base}/mine.json"],
    "all of a short file": ["trading", "run", "--households", "{base}/homes.csv", *HIGHS],
    "default households": ["trading", "run", "--steps", 4, "--optimizer", "greedy"],
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration that keeps log, runs, database, key and anchors out of the project."""
    path = tmp_path_factory.mktemp("config") / "mine.yaml"
    path.write_text(
        "logging: {file: ''}\nruns: {folder: runs}\ndatabase: {url: 'sqlite:///k.db'}\n"
        "trading: {operator_key: operator.key, anchors: anchors.jsonl}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def runs(config, tmp_path_factory):
    """The folder of each good run and what was said, by its name."""
    base = tmp_path_factory.mktemp("runs")
    (base / "prices.csv").write_text(
        "step,buy,sell\n" + "".join(f"{t},0.4,0.05\n" for t in range(30)), encoding="utf-8"
    )
    mine = {"household": {"max_households": 4, "initial_wallet": 10}, "settlement": {"mechanism": "equal_savings"}}
    (base / "mine.json").write_text(json.dumps(mine), encoding="utf-8")
    write_homes(base / "homes.csv", *days_of(3, 7))
    limits = ["trading", "grid-capacity", "--output", base / "limits.csv", "--steps", 30, "--base-import-kw", 2,
              "--base-export-kw", 8, "--peak-reduction", 0.75, "--noise-std", 0]  # fmt: skip
    commands = {
        name: [*(str(part).format(base=base) for part in command), "--out", base / name]
        for name, command in GOOD.items()
    }
    done = all_at_once(config, {"capacity": limits, **commands})
    assert {name: (one.returncode, one.stderr) for name, one in done.items()} == dict.fromkeys(done, (0, ""))
    assert done["capacity"].stdout == f"30 steps in {base / 'limits.csv'}\n"
    return {name: (base / name, done[name].stdout) for name in GOOD}


def summary(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*GOOD])
def test_every_run_has_its_files_and_balances_in_energy_and_money(runs, name):
    out, said = runs[name]
    assert sorted(path.name for path in out.iterdir()) == FILES
    run = read_run(out)
    assert run.summary.keys() >= PROMISED
    check_energy(run)
    check_money(run)
    steps, homes = {"all of a short file": (7, 3), "default households": (4, 30), "files": (24, 4)}.get(name, (24, 10))
    begin, end = run.summary["first_time"], run.summary["end_time"]
    assert said.splitlines()[0] == f"{steps} steps of {homes} households, {begin} to {end}, in {out}"
    for key in ("total_cost_baseline", "total_cost_optimized", "p2p_kwh"):
        assert f"{run.summary[key]:,.2f}" in said
    assert f"improvement {run.summary['improvement_pct']:.1f} %" in said
    assert not (out.parent / "runs").exists()


def test_options_and_files_do_what_they_say(runs):
    plain, none, files, limits, seed = (summary(runs[n][0]) for n in ("plain", "none", "files", "limits", "other seed"))
    assert (plain["optimizer"], plain["engine"]) == ("convex", "cvxpy")
    assert (none["optimizer"], none["engine"], none["p2p_kwh"], none["improvement_pct"]) == ("none", None, 0.0, 0.0)
    assert none["total_cost_optimized"] == none["total_cost_baseline"] == plain["total_cost_baseline"]
    assert summary(runs["greedy"][0])["total_cost_optimized"] < none["total_cost_optimized"] - 1
    assert (files["mechanism"], files["prices_file"], files["households"]) == ("equal_savings", "prices.csv", 4)
    assert set(read_run(runs["files"][0]).prices["buy"]) == {0.4}
    assert limits["grid_capacity_file"] == "limits.csv"
    assert seed["total_cost_baseline"] != plain["total_cost_baseline"]
    assert json.loads((runs["other seed"][0] / "params.json").read_text())["simulation"]["seed"] == 5
    first = read_run(runs["limits"][0]).limits
    assert first["import_capacity_kw"].tolist() == [2.0] * 17 + [0.5] * 4 + [2.0] * 3  # 17 to 21 o'clock
    assert first["export_capacity_kw"].tolist()[16:18] == [8.0, 2.0]


def test_the_same_command_gives_the_same_bytes_of_both_results(runs):
    for name in ("baseline_results.csv", "optimized_results.csv", "households.csv", "prices.csv", "params.json"):
        assert (runs["highs"][0] / name).read_bytes() == (runs["again"][0] / name).read_bytes()
    assert (runs["highs"][0] / "baseline_results.csv").read_bytes() == (
        runs["plain"][0] / "baseline_results.csv"
    ).read_bytes()
    assert summary(runs["highs"][0])["ledger_root"] != summary(runs["again"][0])["ledger_root"]  # new keys and salts


def test_demand_a_limit_left_unserved_is_in_its_column_priced_and_said(runs):
    out, said = runs["limits"]
    run = read_run(out)
    unserved = run.arrays["baseline"]["unserved_kwh"].sum()
    assert unserved > 1
    assert run.summary["unserved_baseline_kwh"] == pytest.approx(unserved)
    assert run.summary["unserved_cost_baseline_eur"] == pytest.approx(10 * unserved)
    assert run.summary["total_cost_baseline"] > 10 * unserved - 10
    assert "note: the grid's limits left demand unserved; it is priced, see summary.json" in said
    assert not [line for line in runs["plain"][1].splitlines() if line.startswith("note") and "unserved" in line]


# ---- the ledger -------------------------------------------------------------------------------------------------


def swap(name, old, new):
    def change(folder):
        text = (folder / name).read_text(encoding="utf-8")
        assert old(text) in text
        (folder / name).write_text(text.replace(old(text), new(old(text)), 1), encoding="utf-8")

    return change


def last_line(text):
    return text.splitlines()[-1] + "\n"


def a_record(text):
    return json.loads(text.splitlines()[3])["entries"][0]["record"]


def first_trade(text):
    return next(row.split(",")[9] for row in text.splitlines()[1:] if row.split(",")[9])


def flipped(text):
    return text[:-1] + ("1" if text[-1] == "0" else "0")


EDITS = {
    "a record": (swap("ledger.jsonl", a_record, flipped), "block 3"),
    "the newest block": (swap("ledger.jsonl", last_line, lambda _: ""), "block"),
    "the order of blocks": (
        swap("ledger.jsonl", lambda t: "\n".join(t.splitlines()[2:4]), lambda t: "\n".join(t.splitlines()[::-1])),
        "block 2",
    ),
    "the anchor": (swap("anchor.json", lambda _: '"ledger_root": "', lambda t: t + "00"), "that an anchor knows"),
    "the root of the summary": (swap("summary.json", lambda _: '"ledger_root": "', lambda t: t + "00"), "summary.json"),
    "a trade of the results": (swap("optimized_results.csv", first_trade, lambda t: t.replace(":", ":1", 1)), "step "),
    "all results": (lambda folder: (folder / "optimized_results.csv").write_text("x\n"), "optimized_results.csv"),
    "no ledger's beginning": (swap("ledger.jsonl", lambda _: "kraftflyt ledger 1", lambda _: "another"), "block 0"),
}


@pytest.mark.slow
def test_a_ledger_that_holds_exits_0_with_its_root_and_after_any_edit_1_with_what_is_wrong(runs, config, tmp_path):
    good = runs["highs"][0]
    commands = {"good": ["trading", "verify-ledger", good], "blocks": ["trading", "verify-ledger", good, "--blocks"]}
    for name, (change, _) in EDITS.items():
        shutil.copytree(good, tmp_path / name)
        change(tmp_path / name)
        commands[name] = ["trading", "verify-ledger", tmp_path / name]
    shutil.copytree(good, tmp_path / "no anchor", ignore=shutil.ignore_patterns("anchor.json"))
    commands["no anchor"] = ["trading", "verify-ledger", tmp_path / "no anchor"]
    done = all_at_once(config, commands)
    root = summary(good)["ledger_root"]
    for name in ("good", "blocks"):
        assert (done[name].returncode, done[name].stderr) == (0, "")
        assert done[name].stdout.splitlines()[-1] == f"root {root}"
    assert done["blocks"].stdout.count(": ok\n") == summary(good)["ledger_blocks"]
    assert (done["no anchor"].returncode, done["no anchor"].stderr.count("\n")) == (1, 1)
    for name, (_, says) in EDITS.items():
        told = done[name]
        assert (name, told.returncode, told.stdout, told.stderr.count("\n")) == (name, 1, "", 1)
        assert told.stderr.startswith("energy-sim: ")
        assert (name, says in told.stderr) == (name, True), told.stderr


# ---- import -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_folders_of_other_programs_and_of_this_one_are_imported_and_listed(runs, config, tmp_path):
    commands = {
        order: ["trading", "import", write_seed_folder(tmp_path / order, order)] for order in ("step", "household")
    }
    commands |= {"own": ["trading", "import", runs["highs"][0]], "list": ["runs", "list"]}
    done = all_at_once(config, commands)
    assert {name: (one.returncode, one.stderr) for name, one in done.items()} == dict.fromkeys(done, (0, ""))
    store = RunStore(config.parent / "runs")
    names = {name: done[name].stdout.strip() for name in ("step", "household", "own")}
    assert sorted(run.name for run in store.list()) == sorted(names.values())
    assert all(name in done["list"].stdout for name in names.values())
    one, other = (open_playback(store, names[order]).simulations["optimized"] for order in ("step", "household"))
    assert np.array_equal(one.columns["wallet"], other.columns["wallet"])
    assert one.trades.kwh.tolist() == other.trades.kwh.tolist() == [3.0, 2.0, 1.5, 0.75]
    by_name = all_at_once(config, {"own": ["trading", "verify-ledger", names["own"]]})["own"]
    assert (by_name.returncode, by_name.stdout.splitlines()[-1]) == (
        0,
        f"root {summary(runs['highs'][0])['ledger_root']}",
    )
    shutil.rmtree(store.folder)


# ---- bad input --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def refused(config, tmp_path_factory):
    base = tmp_path_factory.mktemp("bad")
    write_bad_files(base)
    before = sorted(base.rglob("*"))
    commands = {name: [str(part).format(base=base) for part in command] for name, (command, _) in BAD.items()}
    return all_at_once(config, commands), before, base


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_exit_code_2_and_one_line_and_nothing_is_left_behind(refused, config, name):
    done, before, base = refused[0][name], *refused[1:]
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("energy-sim: ")
    assert [text for text in BAD[name][1] if text not in done.stderr] == [], done.stderr
    assert [how for how in ("; ", "should be", "--help") if how in done.stderr]  # how to mend it
    assert sorted(base.rglob("*")) == before
    assert not (config.parent / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code", "says"), [("SIGKILL", -9, ""), ("SIGINT", 1, "energy-sim: stopped\n")])
def test_a_run_that_is_interrupted_leaves_no_folder_that_looks_like_one(config, tmp_path, how, code, says):
    out = tmp_path / "out"
    running = subprocess.Popen(
        [*ENTRY, "--config", str(config), "--log-level", "ERROR", "trading", "run", "--out", str(out),
         "--steps", "8000", "--engine", "highs"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not list(tmp_path.glob(".writing-out-*")):
            assert running.poll() is None, running.stderr.read()
            assert time.monotonic() < until, "never began"
            time.sleep(0.05)
        time.sleep(0.5)  # in the middle of it
        assert not out.exists()
        os.kill(running.pid, getattr(signal, how))
        stdout, stderr = running.communicate(timeout=60)
    finally:
        running.kill()
        running.wait(10)
    assert (running.returncode, stdout, stderr) == (code, "", says)
    assert not out.exists()
    left = list(tmp_path.iterdir())
    assert (left == []) == (how == "SIGINT")
    assert all(path.name.startswith(".writing-out-") and not list(path.glob("params.json")) for path in left)


def test_help_is_there(config):
    done = all_at_once(config, {"run": ["trading", "run", "--help"], "room": ["trading", "--help"]})
    for one in done.values():
        assert (one.returncode, one.stderr) == (0, "")
    for option in (
        "--households",
        "--params",
        "--grid-capacity",
        "--prices",
        "--steps",
        "--optimizer",
        "--engine",
        "--out",
    ):
        assert option in done["run"].stdout
    for command in ("run", "verify-ledger", "grid-capacity", "import"):
        assert command in done["room"].stdout
