"""A folder written elsewhere becomes a run of the store, whole or not at all."""

import json
import shutil

import numpy as np
import pytest

from energy_sim.database import open_database
from energy_sim.errors import DataError
from energy_sim.runs import RunStore
from energy_sim.trading.importing import import_run
from energy_sim.trading.ledger.folder import verify_folder
from energy_sim.trading.ledger.keys import read_or_make_operator_key
from energy_sim.trading.pipeline import LedgerPlace, Request, write_run
from energy_sim.trading.playback import open_playback
from tests.trading.cases import days_of, parameters, write_homes
from tests.trading.seed_folder import OPTIMISED, column, write_seed_folder


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run with a ledger."""
    base = tmp_path_factory.mktemp("import")
    homes = write_homes(base / "homes.csv", *days_of(3, 12))
    engine = open_database(f"sqlite:///{base / 'k.db'}")
    place = LedgerPlace(engine, read_or_make_operator_key(base / "operator.key"), base / "anchors.jsonl")
    write_run(base / "run", Request(homes, parameters(optimizer={"kind": "greedy"})), place)
    engine.dispose()
    return base / "run"


@pytest.mark.parametrize("order", ["step", "household"])
@pytest.mark.parametrize("extra", [False, True])
def test_a_folder_of_the_program_before_becomes_a_run_that_plays(tmp_path, order, extra):
    store = RunStore(tmp_path / "runs")
    name = import_run(write_seed_folder(tmp_path / "sim_1", order, extra), store.folder)
    assert [run.name for run in store.list()] == [name]
    run = open_playback(store, name)
    assert np.array_equal(run.simulations["optimized"].columns["wallet"], column(OPTIMISED, 4))
    assert run.steps.dt_h == (24.0 if extra else 1.0)
    told = {"households": 3, "household_ids": ["ap1", "ap2", "cs1"], "steps": 3, "imported_from": "sim_1"}
    assert json.loads((store.path(name) / "summary.json").read_text()) == told


def test_a_run_of_its_own_keeps_every_file_and_its_ledger_still_holds(own, tmp_path):
    store = RunStore(tmp_path / "runs")
    name = import_run(own, store.folder)
    files = {path.name: path.read_bytes() for path in own.iterdir()}
    assert len(files) == 15
    assert {path.name: path.read_bytes() for path in store.path(name).iterdir()} == files
    assert verify_folder(store.path(name)).first_bad == ""
    assert open_playback(store, name).moment(11) == "2026-07-06T11:00"


def test_tables_alone_are_enough(own, tmp_path):
    folder = tmp_path / "tables"
    shutil.copytree(own, folder, ignore=shutil.ignore_patterns("*.csv", "*.json*"))
    store = RunStore(tmp_path / "runs")
    assert open_playback(store, import_run(folder, store.folder)).last_tick == 11


def test_a_folder_that_cannot_be_read_leaves_nothing_in_the_store(tmp_path):
    store = tmp_path / "runs"
    with pytest.raises(DataError, match=r"has no optimized_results\.csv"):
        import_run(tmp_path, store)
    folder = write_seed_folder(tmp_path / "sim")
    (folder / "summary.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match=r"summary\.json: holds a list"):
        import_run(folder, store)
    with pytest.raises(DataError, match=r"has no optimized_results\.csv"):
        import_run(folder / "summary.json", store)
    assert not store.exists()
