"""Ways in which the trading room was broken once: files made to do harm, ids that results cannot tell, lost runs."""

import json
import sqlite3
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nacl.signing import SigningKey

from energy_sim.cli.trading import _parameters
from energy_sim.database import open_database
from energy_sim.errors import DataError
from energy_sim.trading import tables
from energy_sim.trading.household_file import read_households
from energy_sim.trading.ledger.folder import verify_folder
from energy_sim.trading.ledger.verify import BlockStatus
from energy_sim.trading.model import Market, Prices
from energy_sim.trading.optimiser import make_optimiser
from energy_sim.trading.pipeline import LedgerPlace, Request, planning_market, prepare, settled, write_run
from energy_sim.trading.results import BASELINE, read_results
from energy_sim.trading.simulator import simulate
from tests.trading.cases import days_of, parameters, write_homes
from tests.trading.ledger.books import open_book, write_book

ROWS = 48


def write_parquet(path, **columns):
    """A file of one household and two days with some columns of another kind."""
    usual = {
        "id": pa.array(["A"] * ROWS),
        "timestamp": pa.array(pd.date_range("2026-07-01", periods=ROWS, freq="h")),
        "consumption": pa.array(np.ones(ROWS)),
        "production": pa.array(np.zeros(ROWS)),
    }
    pq.write_table(pa.table(usual | columns), path)
    return path


def place(tmp_path):
    return LedgerPlace(open_book(tmp_path), SigningKey(bytes(32)), tmp_path / "anchors.jsonl")


# ---- files that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("consumption", pa.array([[1.0]] * ROWS), "column consumption: holds list"),
        ("production", pa.array([{"a": 1}] * ROWS), "column production: holds struct"),
        ("id", pa.array([["A"]] * ROWS), "column id: holds list"),
        ("category", pa.array([["A"]] * ROWS), "column category: holds list"),
        ("id", pa.array([b"\xff\xfe"] * ROWS), "is no valid .parquet file"),
        ("consumption", pa.array([b"\xff"] * ROWS), "is no valid .parquet file"),
        ("consumption", pa.array(np.full(ROWS, 2**63, np.uint64)), "9.22337e\\+18 is above 1e\\+06"),
        ("id", pa.array(["x" * 20_000] * ROWS), "more than 10000 bytes"),
    ],
)
def test_columns_that_hold_something_else_are_told_as_faults_of_the_file(tmp_path, column, values, says):
    with pytest.raises(DataError, match=says):
        read_households(write_parquet(tmp_path / "homes.parquet", **{column: values}))


def test_dates_beyond_what_nanoseconds_count_and_bytes_that_are_text_are_read(tmp_path):
    days = pa.array(np.datetime64("3000-01-01") + np.arange(ROWS))
    found = read_households(write_parquet(tmp_path / "a.parquet", timestamp=days, id=pa.array([b"B1"] * ROWS)))
    assert (found.ids, found.interval_s) == (("B1",), 86_400)
    assert str(found.begins[-1]) == "3000-02-17T00:00:00"


def test_a_small_file_that_unpacks_to_more_than_any_memory_is_refused_before_it_is_unpacked(tmp_path):
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), pa.array(["x" * 1_000_000]))
    path = tmp_path / "bomb.parquet"
    number = pa.array(np.zeros(1_000_000))
    table = {"id": long, "timestamp": number, "consumption": number, "production": number}
    pq.write_table(pa.table(table), path, compression="zstd", store_schema=False)
    assert path.stat().st_size < 1_000_000  # and a terabyte of ids
    with pytest.raises(DataError, match="column id: holds a text of more than 10000 bytes"):
        read_households(path)


def test_more_rows_than_a_thousand_households_have_in_a_year_are_refused(tmp_path, monkeypatch):
    path = write_parquet(tmp_path / "homes.parquet")
    monkeypatch.setattr(tables, "MOST_ROWS", ROWS - 1)
    with pytest.raises(DataError, match="holds 48 rows, 0 MB unpacked; give at most 47 rows"):
        read_households(path)
    monkeypatch.setattr(tables, "MOST_ROWS", ROWS)
    monkeypatch.setattr(tables, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="and 0 MB"):
        read_households(path)


def test_a_million_faulty_rows_are_counted_in_no_time_and_the_first_are_named(tmp_path):
    rows = 1_000_000
    columns = {
        "id": pa.array(["A"]).take(pa.array(np.zeros(rows, np.int64))),
        "timestamp": pa.array(np.arange(rows) * 900 + (np.arange(rows) % 3 == 0)).cast(pa.timestamp("s")),
        "consumption": pa.array(np.full(rows, -1.0)),
        "production": pa.array(np.full(rows, np.nan)),
    }
    pq.write_table(pa.table(columns), tmp_path / "homes.parquet")
    began = time.process_time()
    with pytest.raises(DataError) as caught:
        read_households(tmp_path / "homes.parquet")
    assert time.process_time() - began < 3.0
    assert len(caught.value.problems) == 3 * 21
    assert [line.split(": ", 1)[1] for line in caught.value.problems[20:63:21]] == [
        "column consumption: 999980 more rows with faults of this kind",
        "column production: 999980 more rows with faults of this kind",
        "column timestamp: 666646 more rows with faults of this kind",
    ]


# ---- ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["A:1-B", "b:1-", "x:.5e-3-y", "a\nb", "a\rb", "a\x00b", "a\u2028b"])
def test_ids_that_the_results_could_not_tell_again_are_refused(tmp_path, name):
    with pytest.raises(DataError, match=r"row 1, column id: .*rename the household"):
        read_households(write_parquet(tmp_path / "homes.parquet", id=pa.array([name] * ROWS)))


@pytest.mark.slow
def test_results_and_ledger_tell_the_trades_of_odd_ids_again(tmp_path):
    ids = ["a-1", "--", "1:2", "x:0.5", 'c"q,;', "=1+2", "<b>&amp;", "家 🏠", "NA", "001", "c:"]
    homes = write_homes(tmp_path / "homes.csv", *days_of(len(ids), 24), ids=ids)
    write_run(tmp_path / "run", Request(homes, parameters(optimizer={"kind": "greedy"})), place(tmp_path))
    assert verify_folder(tmp_path / "run").first_bad == ""
    for suffix in ("csv", "parquet"):
        found = read_results(tmp_path / "run" / f"optimized_results.{suffix}")
        assert list(found.ids) == ids
        bought = np.bincount(found.trades.buyer, found.trades.kwh, len(ids))
        np.testing.assert_allclose(bought, found.columns["p2p_buy_amount"].sum(axis=0), rtol=0, atol=1e-6)
        assert bought.sum() > 10


# ---- the folder of a run against its ledger -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    base = tmp_path_factory.mktemp("finished")
    homes = write_homes(base / "homes.csv", *days_of(3, 12))
    write_run(base / "run", Request(homes, parameters(optimizer={"kind": "greedy"})), place(base))
    return base / "run"


@pytest.fixture
def run(finished, tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    for path in finished.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    assert verify_folder(target).holds
    return target


def test_an_edited_parquet_file_of_results_is_found_too(run):
    path = run / "optimized_results.parquet"
    table = pd.read_parquet(path)
    table.loc[table["p2p_buy_amount"].idxmax(), "p2p_buy_amount"] += 1.0
    table.to_parquet(path, index=False)
    assert "kWh in optimized_results.parquet" in verify_folder(run).first_bad
    path.write_bytes(b"")
    assert verify_folder(run).first_bad.startswith("optimized_results.parquet: is no table")


@pytest.mark.parametrize(
    ("name", "value"), [("ledger_id", "x"), ("ledger_blocks", 2), ("p2p_kwh", 0.5), ("p2p_kwh", "")]
)
def test_a_summary_that_tells_other_facts_of_the_ledger_is_found(run, name, value):
    path = run / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    assert verify_folder(run).first_bad.startswith(f"summary.json: {name} is {value}, ")


def test_a_ledger_that_was_taken_away_is_missed_where_the_summary_tells_of_one(run):
    (run / "ledger.jsonl").unlink()
    found = verify_folder(run)
    assert found.blocks == (BlockStatus(0, -1, 0, "", ("is missing, like all others: there is no ledger.jsonl",)),)
    assert found.first_bad == "block 0: is missing, like all others: there is no ledger.jsonl"
    (run / "summary.json").write_text(json.dumps({"ledger_root": None}))
    with pytest.raises(DataError, match="folder of a run with a ledger"):
        verify_folder(run)


# ---- runs that are not lost -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_database_that_another_program_locks_for_long_only_delays_a_block(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/k.db", busy_timeout_s=0.2)
    ledger = write_book(engine, steps=(1,))
    other = sqlite3.connect(tmp_path / "k.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(1.5, lambda: other.execute("ROLLBACK"))
    release.start()
    began = time.monotonic()
    ledger.append(2, [0], [1], [1.0], 0.2, 0.01)
    assert time.monotonic() - began > 1.0
    release.join()
    other.close()
    assert [block.step for block in ledger.read().blocks] == [-1, 1, 2]
    engine.dispose()


def test_anchors_that_cannot_be_written_are_told_before_the_simulation_and_not_after_it(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(2, 6))
    (tmp_path / "anchors.jsonl").mkdir()
    done = []
    with pytest.raises(DataError, match="anchors cannot be written"):
        write_run(tmp_path / "run", Request(homes, parameters()), place(tmp_path), lambda p: not done.append(p))
    assert (done, (tmp_path / "run").exists()) == ([], False)


# ---- parameters of the command line ---------------------------------------------------------------------------------


def test_a_file_of_parameters_without_a_number_of_steps_runs_all_of_a_short_file(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(2, 6))
    given = tmp_path / "given.json"

    def steps(content, asked=None):
        given.write_text(json.dumps(content))
        found = _parameters(given, homes, asked, "", "", None, limited=False)
        return found.simulation.simulation_steps

    assert steps({"battery": {"soc_min": 0.1}}) is None
    assert steps({"simulation": {"seed": 3}}, asked=4) == 4
    assert steps({"simulation": {"simulation_steps": 168}}) == 168  # asked for: too many is a fault, told later
    write_homes(homes, *days_of(2, 200))
    assert steps({}) == 168


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(4, 12))
    files = [f"{name}.{kind}" for name in (BASELINE, "optimized_results", "households") for kind in ("csv", "parquet")]
    for name in ("first", "second"):
        write_run(tmp_path / name, Request(homes, parameters()), None)
    for name in (*files, "prices.csv", "grid_capacity.csv", "params.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


# ---- a static key ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["convex", "greedy"])
def test_with_a_static_key_batteries_do_not_discharge_for_shares_that_lapse(root, kind):
    given = parameters(
        simulation={"simulation_steps": 72, "start": "2026-10-05T00:00"},
        household={"max_households": 10},
        optimizer={"kind": kind, "engine": "highs"},
        settlement={"allocation_key": "static"},
    )
    request = Request(root / "input" / "homes" / "homes.parquet", given)
    case, _ = prepare(request)
    base, planned = settled(case, request, simulate(case))
    own = replace(case, optimiser=make_optimiser("none", "highs", case.storage, case.market, 10, 24, 1.0), reacts=True)
    with_own_batteries = settled(own, request, simulate(own))[1]
    assert planned.cost_eur.sum() <= with_own_batteries.cost_eur.sum() + 1e-6
    assert with_own_batteries.cost_eur.sum() < base.cost_eur.sum() - 1.0
    assert (planned.cost_eur <= base.cost_eur + 1e-6).all()


def test_plans_see_the_fee_of_a_dynamic_key_as_it_is_and_that_of_a_static_one_above_all_savings():
    prices = Prices(np.array([0.30, 0.25]), np.array([0.05, -0.10]))
    dynamic = Market(0.01, 0.0, 10.0, 0.1)
    assert planning_market(dynamic, prices) is dynamic
    static = replace(dynamic, key="static")
    assert planning_market(static, prices) == replace(static, fee_eur_per_kwh=pytest.approx(0.25025, abs=1e-12))
    dear = replace(static, fee_eur_per_kwh=0.4)
    assert planning_market(dear, prices) == dear
