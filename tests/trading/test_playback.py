"""A finished run opens whoever wrote it; a frame is a step, and files that do not fit together are refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from energy_sim.errors import DataError
from energy_sim.runs import RunStore
from energy_sim.trading.pipeline import Request, write_run
from energy_sim.trading.playback import open_playback, read_folder
from tests.trading.cases import days_of, parameters, read_run, write_homes
from tests.trading.seed_folder import BASELINE, OPTIMISED, column, write_seed_folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run of its own of 2 homes in quarters of an hour, with limits."""
    base = tmp_path_factory.mktemp("playback")
    homes = write_homes(base / "homes.csv", *days_of(2, 20), dt_h=0.25)
    given = parameters(
        simulation={"time_step_hours": 0.25},
        optimizer={"kind": "greedy"},
        grid_capacity={"use_capacity_limits": True, "default_import_capacity_kw": 7.5},
    )
    folder = base / "runs" / "trading_20260101_000000_abcdef"
    write_run(folder, Request(homes, given), None)
    return folder


def test_a_run_of_its_own_is_shown_with_all_it_knows(written):
    run, told = read_folder(written), read_run(written)
    assert (run.ids, run.last_tick, run.name) == (("A1", "A2"), 19, written.name)
    for name in ("optimized", "baseline"):
        for key, values in told.arrays[name].items():
            assert np.array_equal(run.simulations[name].columns[key], values)
        trades = [run.trades_of(name, tick) for tick in range(20)]
        assert sum(len(one.kwh) for one in trades) == len(told.trades[name])
        assert all((one.step == tick).all() for tick, one in enumerate(trades))
    assert len(told.trades["optimized"]) > 0
    assert [run.moment(tick) for tick in (0, 1, 19)] == ["2026-07-06T00:00", "2026-07-06T00:15", "2026-07-06T04:45"]
    steps = run.steps
    assert (steps.dt_h, steps.import_kw.tolist()) == (0.25, [7.5] * 20)
    assert np.array_equal(steps.buy, told.prices["buy"])
    assert np.array_equal(steps.p2p_price, told.steps["p2p_price"], equal_nan=True)
    assert run.params == told.params
    assert run.summary == told.summary
    assert run.households["household_id"].tolist() == ["A1", "A2"]


def test_a_frame_is_a_step_of_the_simulation_that_is_chosen(written):
    run = open_playback(RunStore(written.parent), written.name)
    assert run.defaults() == {"simulation": "optimized"}
    assert run.step(run.start(), 7, {"simulation": "baseline"}) == (
        None,
        run.step(None, 7, {"simulation": "baseline"})[1],
    )
    frame = run.step(None, 7, {"simulation": "baseline"})[1]
    assert (frame.tick, frame.simulation) == (7, "baseline")
    assert run.decode(run.encode(None)) is None
    assert run.check("simulation", "baseline") == "baseline"
    for value in ("both", 3, None, "x" * 500):
        with pytest.raises(DataError, match="choose one of optimized, baseline"):
            run.check("simulation", value)


@pytest.mark.parametrize("order", ["step", "household"])
def test_a_folder_of_the_program_before_opens_with_the_two_files_alone(tmp_path, order):
    run = read_folder(write_seed_folder(tmp_path / "sim_20251212_174030", order))
    assert (run.ids, run.last_tick) == (("ap1", "ap2", "cs1"), 2)
    for name, table in (("optimized", OPTIMISED), ("baseline", BASELINE)):
        for key, place in (("production", 0), ("consumption", 1), ("stored_kwh", 2), ("battery_pct", 3), ("wallet", 4)):
            assert np.array_equal(run.simulations[name].columns[key], column(table, place))
    assert [len(run.trades_of("optimized", tick).kwh) for tick in range(3)] == [2, 0, 2]
    last = run.trades_of("optimized", 2)
    assert [v.tolist() for v in (last.seller, last.buyer, last.kwh)] == [[0, 1], [2, 2], [1.5, 0.75]]
    assert run.moment(0) == ""
    assert np.isnan([run.steps.buy, run.steps.sell, run.steps.p2p_price, run.steps.import_kw]).all()
    assert (run.params, run.summary, run.households) == ({}, {}, None)


def test_what_else_the_program_before_writes_is_used(tmp_path):
    run = read_folder(write_seed_folder(tmp_path, extra=True))
    assert run.steps.dt_h == 24.0
    assert run.steps.import_kw.tolist() == [5526.78, 5378.5, 2292.0]
    assert run.steps.export_kw.tolist() == [3595.3, 4519.3, 2094.0]
    assert run.params["battery"]["simple_capacity_kwh"] == 13.5


@pytest.mark.parametrize("hours", ["24", -1, 0, None, True, [1], 1e9])
def test_hours_of_a_step_that_are_none_are_taken_as_one(tmp_path, hours):
    folder = write_seed_folder(tmp_path)
    (folder / "params.json").write_text(json.dumps({"time_step_hours": hours}), encoding="utf-8")
    assert read_folder(folder).steps.dt_h == 1.0


def put(name, content):
    def change(folder):
        (folder / name).write_text(content, encoding="utf-8")

    return change


def fewer_rows(name):
    def change(folder):
        table = pd.read_parquet(folder / f"{name}.parquet").iloc[:-2]
        table.to_parquet(folder / f"{name}.parquet")
        table.to_csv(folder / f"{name}.csv", index=False)

    return change


def without(column, name="steps"):
    def change(folder):
        path = folder / f"{name}.parquet"
        pd.read_parquet(path).drop(columns=column).to_parquet(path)

    return change


def gone(*names):
    def change(folder):
        for name in names:
            (folder / name).unlink()

    return change


BROKEN = {
    "no baseline": (gone("baseline_results.csv", "baseline_results.parquet"), "has no baseline_results.csv"),
    "not one run": (fewer_rows("baseline_results"), "19 steps, the optimised run 2 and 20|both files must come from"),
    "fewer steps": (fewer_rows("steps"), "has 18 steps, the results 20"),
    "no prices": (without(["buy", "sell"]), "steps.parquet: has no column buy, sell"),
    "no moments": (without("timestamp"), "steps.parquet: has no column timestamp"),
    "steps are no table": (put("steps.parquet", "x"), "steps.parquet: cannot be read"),
    "households are no table": (put("households.parquet", "x"), "households.parquet: cannot be read"),
    "params are no JSON": (put("params.json", "{"), "params.json: is no JSON"),
    "summary is a list": (put("summary.json", "[1]"), "summary.json: holds a list"),
    "results are no table": (put("optimized_results.csv", '"'), "optimized_results.csv: cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_do_not_fit_together_are_refused_with_the_file(written, tmp_path, name):
    change, says = BROKEN[name]
    folder = tmp_path / "run"
    shutil.copytree(written, folder)
    change(folder)
    with pytest.raises(DataError, match=says):
        read_folder(folder)


def test_without_its_tables_the_csv_files_of_a_run_are_enough(written, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(written, folder, ignore=shutil.ignore_patterns("*.parquet"))
    run = read_folder(folder)
    assert (run.ids, run.last_tick, run.steps.dt_h) == (("A1", "A2"), 19, 0.25)
    assert run.steps.import_kw.tolist() == [7.5] * 20
    put("grid_capacity.csv", "timestep,import_capacity_kw,export_capacity_kw\n" + "0,a,b\n" * 20)(folder)
    with pytest.raises(DataError, match=r"grid_capacity\.csv: column import_capacity_kw is not of numbers"):
        read_folder(folder)
    put("grid_capacity.csv", "")(folder)
    with pytest.raises(DataError, match=r"grid_capacity\.csv: cannot be read"):
        read_folder(folder)


def test_a_run_of_another_room_is_refused(tmp_path):
    folder = tmp_path / "zones_20260101_000000_abcdef"
    folder.mkdir()
    for name in ("params.json", "summary.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="belongs to zones, not to trading"):
        open_playback(RunStore(tmp_path), folder.name)
    with pytest.raises(DataError, match="there is none of that name"):
        open_playback(RunStore(tmp_path), "trading_20260101_000000_abcdef")
