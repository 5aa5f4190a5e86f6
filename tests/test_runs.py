"""Finished runs: whole or absent, found by checked names only."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from energy_sim.errors import DataError
from energy_sim.runs import RunStore, new_name, whole_folder, write_json, write_tables

NAME = "zones_20260131_120000_a1b2c3"
LATER = "zones_20260201_000000_000000"


def save(store: RunStore, name: str, **summary) -> Path:
    with whole_folder(store.folder / name) as folder:
        write_tables(folder, {"daily": pd.DataFrame({"date": ["2016-01-01"], "demand_mwh": [0.1 + 0.2]})})
        write_json(folder / "summary.json", summary)
        write_json(folder / "params.json", {"room": "zones", "days": 1})
    return store.folder / name


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "runs")


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_new_name_is_a_runs_name_and_no_two_are_equal(store):
    names = {new_name("zones") for _ in range(100)}
    assert len(names) == 100
    name = names.pop()
    save(store, name)
    assert store.load(name).room == "zones"


def test_a_saved_run_loads_with_its_parameters_summary_and_exact_tables(store):
    folder = save(store, NAME, unmet=1.5)
    run = store.load(NAME)
    assert (run.name, run.room, run.created) == (NAME, "zones", "2026-01-31T12:00:00+00:00")
    assert (run.folder, run.params, run.summary) == (folder, {"room": "zones", "days": 1}, {"unmet": 1.5})
    assert store.table(NAME, "daily").demand_mwh[0] == 0.30000000000000004
    assert (folder / "daily.csv").read_text() == "date,demand_mwh\n2016-01-01,0.30000000000000004\n"


def test_an_exception_while_writing_leaves_nothing(store):
    def fail():
        with whole_folder(store.folder / NAME) as folder:
            write_json(folder / "params.json", {})
            (folder / "figures").mkdir()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert everything_below(store.folder) == []
    assert store.list() == []


def test_nothing_is_seen_before_the_whole_is_there(store):
    with whole_folder(store.folder / NAME) as folder:
        write_json(folder / "params.json", {})
        write_json(folder / "summary.json", {})
        assert store.list() == []
        assert not (store.folder / NAME).exists()
    assert [run.name for run in store.list()] == [NAME]


KILLED = """
import sys, time
from pathlib import Path
from energy_sim.runs import whole_folder, write_json

with whole_folder(Path(sys.argv[1])) as folder:
    write_json(folder / "summary.json", {})
    write_json(folder / "params.json", {})
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_process_killed_while_writing_leaves_no_run_and_the_next_one_of_that_name_is_whole(store, root):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(store.folder / NAME)],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "writing\n"
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    child.stdout.close()
    assert store.list() == []
    assert not (store.folder / NAME).exists()
    with pytest.raises(DataError, match="there is none of that name"):
        store.load(NAME)
    save(store, NAME)
    assert [run.name for run in store.list()] == [NAME]


def test_an_existing_folder_keeps_what_it_holds_besides(tmp_path):
    target = tmp_path / "out"
    (target / "figures").mkdir(parents=True)
    (target / "figures" / "mine.html").write_text("mine")
    (target / "notes.txt").write_text("mine")
    (target / "summary.json").write_text("old")
    with whole_folder(target) as folder:
        (folder / "figures").mkdir()
        (folder / "figures" / "flows.html").write_text("new")
        write_json(folder / "summary.json", {"new": 1})
        write_json(folder / "params.json", {})
    assert everything_below(tmp_path) == [
        "out", "out/figures", "out/figures/flows.html", "out/figures/mine.html", "out/notes.txt", "out/params.json",
        "out/summary.json",
    ]  # fmt: skip
    assert json.loads((target / "summary.json").read_text()) == {"new": 1}
    assert (target / "notes.txt").read_text() == "mine"


def test_a_run_in_the_place_of_an_earlier_one_leaves_nothing_of_it_and_keeps_what_others_put_there(tmp_path):
    target = tmp_path / "out"
    (target / "figures").mkdir(parents=True)
    old = ["params.json", "quantiles.csv", "totals.parquet", "simulation.log", "figures/reservoir_levels.html"]
    others = ["notes.txt", "figures/mine.html", "my_totals.csv"]
    for name in [*old, *others]:
        (target / name).write_text("old")
    with whole_folder(target) as folder:
        write_json(folder / "summary.json", {})
        write_json(folder / "params.json", {})
    files = [name for name in everything_below(target) if name != "figures"]
    assert files == sorted([*others, "summary.json", "params.json"])
    assert (target / "params.json").read_text() == "{}\n"


def test_figures_of_an_earlier_run_go_with_their_folder(tmp_path):
    for _ in range(2):
        with whole_folder(tmp_path / "out") as folder:
            write_json(folder / "params.json", {})
        (tmp_path / "out" / "figures").mkdir()
        for kind in ("html", "png"):
            (tmp_path / "out" / "figures" / f"energy_flows_summary.{kind}").write_text("old")
    with whole_folder(tmp_path / "out") as folder:
        write_json(folder / "params.json", {})
    assert everything_below(tmp_path) == ["out", "out/params.json"]


@pytest.mark.parametrize("place", ["", "/"])
def test_the_root_and_an_empty_name_are_refused(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="name a folder"), whole_folder(Path(place)):
        pytest.fail("nothing must be written")
    assert everything_below(tmp_path) == []


def test_an_exception_leaves_an_existing_folder_as_it_was(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "params.json").write_text("old")

    def fail():
        with whole_folder(target) as folder:
            write_json(folder / "params.json", {"new": 1})
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert everything_below(tmp_path) == ["out", "out/params.json"]
    assert (target / "params.json").read_text() == "old"


def test_a_folder_that_could_only_be_replaced_in_part_loses_its_mark_of_wholeness(tmp_path):
    target = tmp_path / "out"
    (target / "summary.json").mkdir(parents=True)
    (target / "params.json").write_text("old")

    def fill():
        with whole_folder(target) as folder:
            write_json(folder / "summary.json", {})
            write_json(folder / "params.json", {"new": 1})

    with pytest.raises(DataError, match=r"summary\.json: cannot be written"):
        fill()
    assert everything_below(tmp_path) == ["out", "out/summary.json"]


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nowhere/out"])
def test_places_that_cannot_be_written_are_named(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"choose another folder|is a file"), whole_folder(tmp_path / place):
        pytest.fail("nothing must be written")
    assert everything_below(tmp_path) == ["file"]


def test_an_empty_folder_and_a_link_to_a_folder_are_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("empty", "link"):
        with whole_folder(tmp_path / name) as folder:
            write_json(folder / "params.json", {})
    assert everything_below(tmp_path) == ["empty", "empty/params.json", "link", "real", "real/params.json"]
    assert (tmp_path / "link").is_symlink()


def test_numbers_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"unmet": float("nan")})


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc", "", ".", "..", "zones", f"../{NAME}", f"{NAME}/..", f"{NAME}/", f"{NAME}\n", f" {NAME}",
     "ZONES_20260131_120000_a1b2c3", "zones_20260131_120000_a1b2cg", "zones_20261331_120000_a1b2c3",
     "zones_２０２６０１３１_120000_a1b2c3", f"{NAME}\0"],
)  # fmt: skip
def test_what_is_no_runs_name_is_never_joined_to_a_path(store, name):
    save(store, NAME)
    (store.folder.parent / "params.json").write_text("{}")
    for use in (store.path, store.load, store.delete, lambda n: store.table(n, "daily")):
        with pytest.raises(DataError, match="not a run's name"):
            use(name)
    with pytest.raises(DataError, match="not a run's name"):
        store.export(name, store.folder.parent / "x.zip")
    assert [run.name for run in store.list()] == [NAME]


def test_a_link_in_the_store_is_no_run(store, tmp_path):
    elsewhere = RunStore(tmp_path / "elsewhere")
    save(elsewhere, NAME)
    store.folder.mkdir()
    (store.folder / NAME).symlink_to(elsewhere.folder / NAME)
    assert store.list() == []
    for use in (store.load, store.delete):
        with pytest.raises(DataError, match="there is none of that name"):
            use(NAME)
    assert elsewhere.load(NAME).name == NAME


@pytest.mark.parametrize(
    "table", ["../../secret", "/etc/passwd", "", "params.json", "Daily", "absent", "a" * 61, "daily\n"]
)
def test_tables_are_found_by_checked_names_only(store, table, tmp_path):
    save(store, NAME)
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "secret.parquet")
    with pytest.raises(DataError, match="has no table"):
        store.table(NAME, table)


def test_the_list_is_newest_first_and_leaves_out_what_cannot_be_read(store, caplog):
    save(store, NAME)
    save(store, LATER)
    (store.folder / "notes").mkdir()
    (store.folder / "zones_20269999_999999_abcdef").mkdir()
    (store.folder / "zones_20269999_999999_abcdef" / "params.json").write_text("{}")
    broken = save(store, "zones_20260202_000000_000000")
    (broken / "summary.json").write_text("{")
    listed = save(store, "zones_20260203_000000_000000")
    (listed / "params.json").write_text("[]")
    with caplog.at_level("WARNING", "energy_sim.runs"):
        assert [run.name for run in store.list()] == [LATER, NAME]
    assert sum("left out" in message for message in caplog.messages) == 3


def test_two_runs_are_read_side_by_side(store):
    save(store, NAME, totals_mwh={"unmet": 3.0})
    save(store, LATER, totals_mwh={"unmet": 1.0})
    first, second = store.load(NAME), store.load(LATER)
    assert second.summary["totals_mwh"]["unmet"] - first.summary["totals_mwh"]["unmet"] == -2.0
    assert first.params == second.params


def test_delete_removes_one_run_and_nothing_else(store):
    save(store, NAME)
    save(store, LATER)
    store.delete(NAME)
    assert everything_below(store.folder)[0] == LATER
    assert not any(NAME in path for path in everything_below(store.folder))
    with pytest.raises(DataError, match="there is none of that name"):
        store.delete(NAME)


@pytest.mark.parametrize(("asked", "given"), [("run.zip", "run.zip"), ("run", "run.zip"), ("run.2016", "run.2016.zip")])
def test_export_packs_the_whole_run(store, tmp_path, asked, given):
    save(store, NAME, unmet=2.0)
    packed = store.export(NAME, tmp_path / "new" / asked)
    assert packed == tmp_path / "new" / given
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path / "again")
    shutil.rmtree(store.folder)
    assert RunStore(tmp_path / "again").load(NAME).summary == {"unmet": 2.0}


def test_export_to_a_place_that_cannot_be_written_is_refused(store, tmp_path):
    save(store, NAME)
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        store.export(NAME, tmp_path / "file" / "run.zip")


def test_a_store_without_a_folder_is_empty(tmp_path):
    assert RunStore(tmp_path / "absent").list() == []
    assert not (tmp_path / "absent").exists()


def test_what_a_killed_writer_left_a_day_ago_is_removed_and_newer_staging_is_kept(tmp_path):
    old, new = tmp_path / ".writing-a-00", tmp_path / ".writing-b-00"
    for folder in (old, new):
        folder.mkdir()
        (folder / "half.csv").write_text("x", encoding="utf-8")
    long_ago = time.time() - 2 * 86400
    os.utime(old, (long_ago, long_ago))
    with whole_folder(tmp_path / "run") as staging:
        (staging / "params.json").write_text("{}", encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".writing-b-00", "run"]
