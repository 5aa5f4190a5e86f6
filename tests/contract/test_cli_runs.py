"""`energy-sim runs`: from a run in the store to its zip file, through the real command."""

import json
import re
import subprocess
import zipfile

import pytest

from energy_sim.runs import RunStore, whole_folder, write_json
from tests.contract.forks import forked, in_new_process


@pytest.fixture
def store(tmp_path) -> RunStore:
    """A store of two runs, and a configuration beside it that names it."""
    (tmp_path / "mine.yaml").write_text("logging: {file: ''}\nruns: {folder: kept}\n", encoding="utf-8")
    for name, unmet in (("zones_20260131_120000_aaaaaa", 1500.0), ("zones_20260201_070000_bbbbbb", 0.0)):
        with whole_folder(tmp_path / "kept" / name) as folder:
            summary = {"first_day": "2016-01-01", "last_day": "2016-12-31", "totals_mwh": {"unmet": unmet}}
            write_json(folder / "summary.json", summary)
            write_json(folder / "params.json", {"room": "zones", "input": ["/a/very/long/path" * 20]})
    return RunStore(tmp_path / "kept")


def options_of(store: RunStore, arguments: tuple[object, ...]) -> list[object]:
    return ["--config", store.folder.parent / "mine.yaml", "--log-level", "ERROR", *arguments]


def runs(store: RunStore, *arguments: object) -> subprocess.CompletedProcess[str]:
    return forked(options_of(store, arguments))


def runs_anew(store: RunStore, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The same with an interpreter of its own."""
    return in_new_process(options_of(store, arguments))


def test_runs_are_listed_newest_first_with_whole_names_in_a_narrow_terminal(store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    done = runs_anew(store, "runs", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"zones_\d{8}_\d{6}_[0-9a-f]{6}", done.stdout) == [
        "zones_20260201_070000_bbbbbb",
        "zones_20260131_120000_aaaaaa",
    ]
    monkeypatch.setenv("COLUMNS", "120")
    wide = runs(store, "runs", "list").stdout
    assert re.search(r"aaaaaa +2026-01-31T12:00:00 +2016-01-01 to 2016-12-31 +1,500 MWh unmet", wide)


def test_show_prints_json_that_reads_back(store):
    done = runs_anew(store, "runs", "show", "zones_20260131_120000_aaaaaa")
    assert done.returncode == 0
    shown = json.loads(done.stdout)
    assert shown["summary"]["totals_mwh"] == {"unmet": 1500.0}
    assert shown["params"]["input"] == ["/a/very/long/path" * 20]


def test_export_prints_the_path_of_the_zip_file_on_one_line(store, tmp_path):
    target = tmp_path / ("a rather long name [bold] " * 4).strip() / "run.v1.zip"
    done = runs_anew(store, "runs", "export", "zones_20260131_120000_aaaaaa", "--out", target)
    assert (done.returncode, done.stdout) == (0, f"{target}\n")
    with zipfile.ZipFile(target) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
    assert sorted(name for name in names if not name.endswith("/")) == [
        "zones_20260131_120000_aaaaaa/params.json",
        "zones_20260131_120000_aaaaaa/summary.json",
    ]


def test_delete_takes_one_run_and_a_second_time_says_there_is_none(store):
    name = "zones_20260131_120000_aaaaaa"
    done = runs_anew(store, "runs", "delete", name)
    assert (done.returncode, done.stdout) == (0, f"deleted {name}\n")
    assert [run.name for run in store.list()] == ["zones_20260201_070000_bbbbbb"]
    again = runs_anew(store, "runs", "delete", name)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert f"run {name}: there is none of that name" in again.stderr


@pytest.mark.parametrize("name", ["../mine.yaml", "/etc", "."])
@pytest.mark.parametrize("command", ["show", "delete"])
def test_names_that_lead_elsewhere_are_refused_in_one_line(store, command, name):
    done = runs(store, "runs", command, name)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "not a run's name" in done.stderr
    assert len(store.list()) == 2


def test_a_run_without_out_goes_to_the_store_and_is_shown_from_there(store):
    options = ["--network", "examples/small_losses/network.yaml", "--input", "examples/small_losses/input"]
    done = runs(store, "zones", "run", *options, "--days", 3, "--no-figures")
    assert (done.returncode, done.stderr) == (0, "")
    newest = store.list()[0]
    assert str(newest.folder) in done.stdout.splitlines()[0]  # on one line, however long the path is
    assert newest.params["days"] == 3
    assert len(store.table(newest.name, "daily_summary")) == 3


def test_an_empty_store_is_an_empty_list(store, tmp_path):
    (tmp_path / "mine.yaml").write_text("logging: {file: ''}\nruns: {folder: nothing_here}\n", encoding="utf-8")
    done = runs(store, "runs", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "zones_" not in done.stdout
    assert not (tmp_path / "nothing_here").exists()


def test_a_store_that_is_a_file_is_said_in_one_line(store, tmp_path):
    (tmp_path / "mine.yaml").write_text("logging: {file: ''}\nruns: {folder: mine.yaml}\n", encoding="utf-8")
    done = runs(store, "runs", "list")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "runs.folder" in done.stderr
    assert "mine.yaml is a file" in done.stderr
