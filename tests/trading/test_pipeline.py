"""Whole run folders, checked from their files alone: energy, money, limits, order, and that a seed reproduces them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from energy_sim.database import open_database
from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.ledger.folder import verify_folder
from energy_sim.trading.ledger.keys import read_or_make_operator_key
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.pipeline import LedgerPlace, Request, prepare, write_run
from tests.trading.cases import ENGINE, check_energy, check_money, days_of, parameters, read_run, write_homes
from tests.trading.real_homes import write_real_homes

WEEK = {"simulation_steps": 168}
FILES = [
    "anchor.json", "baseline_results.csv", "baseline_results.parquet", "checksums.json", "grid_capacity.csv",
    "households.csv", "households.parquet", "ledger.jsonl", "optimized_results.csv", "optimized_results.parquet",
    "params.json", "prices.csv", "steps.csv", "steps.parquet", "summary.json",
]  # fmt: skip
PROMISED = {
    "total_cost_baseline", "total_cost_optimized", "improvement_pct", "grid_buy_baseline_kwh",
    "grid_buy_optimized_kwh", "p2p_kwh", "unserved_baseline_kwh", "unserved_optimized_kwh", "worse_off_households",
    "seconds_per_step", "ledger_root",
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def ledger(base):
    engine = open_database(f"sqlite:///{base / 'k.db'}")
    yield LedgerPlace(engine, read_or_make_operator_key(base / "operator.key"), base / "anchors.jsonl")
    engine.dispose()


def binding_limits(path, steps):
    """Limits that hold ten homes back in the evening and at noon, by hour."""
    hour = np.arange(steps) % 24
    limits = {"timestep": np.arange(steps), "import_capacity_kw": np.where((hour >= 17) & (hour < 21), 2.0, 6.0)}
    pd.DataFrame(limits | {"export_capacity_kw": np.where((hour > 9) & (hour < 15), 8.0, 20.0)}).to_csv(
        path, index=False
    )
    return path


@pytest.fixture(scope="module")
def shipped(base, ledger, root):
    """A week of the ten shipped homes by each optimiser."""
    runs = {}
    for kind in ("convex", "greedy", "none"):
        request = Request(root / "input/homes/week.csv", parameters(simulation=WEEK, optimizer={"kind": kind}))
        summary = write_run(base / f"shipped-{kind}", request, ledger)
        runs[kind] = read_run(base / f"shipped-{kind}")
        assert runs[kind].summary == json.loads(json.dumps(summary))
    return runs


@pytest.fixture(scope="module", params=["no limits", "limits"])
def real(request, real_data, base, ledger):
    """A spring week of ten measured homes, without limits and with binding ones."""
    homes = base / "real.parquet"
    if not homes.exists():
        write_real_homes(real_data, homes)
    limits = binding_limits(base / "limits.csv", 200) if request.param == "limits" else None
    given = parameters(
        simulation=WEEK | {"start": "2017-04-03T00:00"},
        household={"max_households": 10, "initial_wallet": 20.0},
        grid_capacity={"use_capacity_limits": limits is not None},
    )
    write_run(base / f"real-{request.param}", Request(homes, given, grid_capacity=limits), ledger)
    return read_run(base / f"real-{request.param}")


def check_nobody_pays_more(run):
    wallets = {name: a["wallet"][-1] for name, a in run.arrays.items()}
    assert (wallets["optimized"] >= wallets["baseline"] - 1e-6).all()
    assert (run.households["cost_optimized_eur"] <= run.households["cost_baseline_eur"] + 1e-6).all()
    assert (run.summary["worse_off_households"], run.summary["paying_more_households"]) == (0, 0)


def check_totals(run):
    """The summary and the table of households are sums of the results files."""
    table, told = run.households.set_index("household_id"), run.summary
    assert list(table.index) == run.ids == told["household_ids"]
    for name, a in run.arrays.items():
        for column in ("grid_buy", "grid_sell"):
            np.testing.assert_allclose(table[f"{column}_{name}_kwh"], a[column].sum(axis=0), rtol=1e-9, atol=1e-9)
            assert told[f"{column}_{name}_kwh"] == pytest.approx(a[column].sum(), rel=1e-9, abs=1e-9)
        assert told[f"unserved_{name}_kwh"] == pytest.approx(a["unserved_kwh"].sum(), abs=1e-9)
        assert told[f"unserved_cost_{name}_eur"] == pytest.approx(10 * a["unserved_kwh"].sum(), abs=1e-8)
        assert told[f"wallet_{name}_eur"] == pytest.approx(a["wallet"][-1].sum(), abs=1e-8)
    assert told["p2p_kwh"] == pytest.approx(run.arrays["optimized"]["p2p_buy_amount"].sum(), rel=1e-9)
    saved = told["total_cost_baseline"] - told["total_cost_optimized"]
    assert told["improvement_pct"] == pytest.approx(100 * saved / abs(told["total_cost_baseline"]))


@pytest.mark.slow
def test_a_week_of_real_homes_balances_in_energy_and_in_money(real):
    assert real.arrays["baseline"]["wallet"].shape == (168, 10)
    check_energy(real)
    check_money(real)
    check_totals(real)


@pytest.mark.slow
def test_nobody_of_the_real_homes_pays_more_than_in_the_baseline_and_all_together_pay_less(real):
    check_nobody_pays_more(real)
    assert real.summary["total_cost_optimized"] < 0.95 * real.summary["total_cost_baseline"]
    assert real.summary["p2p_kwh"] > 50
    assert real.summary["fallback_steps"] == []


@pytest.mark.slow
def test_energy_a_limit_keeps_from_real_homes_is_told_and_priced(real):
    unserved = {name: a["unserved_kwh"].sum() for name, a in real.arrays.items()}
    if real.summary["grid_capacity_file"] is None:
        assert unserved == {"baseline": 0, "optimized": 0}
        assert np.isinf(real.limits["import_capacity_kw"]).all()
        return
    assert real.limits["import_capacity_kw"].tolist()[16:22] == [6, 2, 2, 2, 2, 6]
    assert real.steps["import_kw"].tolist() == real.limits["import_capacity_kw"].tolist()
    assert unserved["baseline"] > 5 * unserved["optimized"]
    assert unserved["baseline"] > 1
    assert real.summary["unserved_cost_baseline_eur"] == pytest.approx(10 * unserved["baseline"])
    reached = real.arrays["optimized"]["grid_buy"].sum(axis=1) >= real.limits["import_capacity_kw"] - 1e-6
    assert reached.sum() > 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["convex", "greedy", "none"])
def test_a_week_of_the_shipped_homes_balances_in_energy_and_in_money(shipped, kind):
    run = shipped[kind]
    assert run.arrays["baseline"]["wallet"].shape == (168, 10)
    assert run.summary.keys() >= PROMISED
    check_energy(run)
    check_money(run)
    check_totals(run)
    check_nobody_pays_more(run)
    assert run.summary["notes"] == ["30 households were asked for, the file holds 10"]
    smallest = min((kwh for *_, kwh in run.trades["optimized"]), default=0.01)
    assert smallest >= 0.01 - 1e-9


@pytest.mark.slow
def test_without_an_optimiser_nothing_changes_and_the_rule_of_thumb_lies_between_it_and_the_plan(shipped):
    none, greedy, convex = (shipped[kind] for kind in ("none", "greedy", "convex"))
    for column, values in none.arrays["baseline"].items():
        assert np.array_equal(values, none.arrays["optimized"][column])
    assert none.trades["optimized"] == []
    assert none.summary["improvement_pct"] == 0.0
    assert none.summary["total_cost_baseline"] == none.summary["total_cost_optimized"]
    costs = [run.summary["total_cost_optimized"] for run in (convex, greedy, none)]
    assert costs[0] < costs[1] - 1 < costs[2] - 2
    for column, values in none.arrays["baseline"].items():  # the baseline does not depend on the optimiser
        assert np.array_equal(values, convex.arrays["baseline"][column])
        assert np.array_equal(values, greedy.arrays["baseline"][column])
    assert none.prices.equals(convex.prices)


@pytest.mark.slow
def test_a_folder_has_all_its_files_and_a_ledger_that_holds(shipped, base, ledger):
    folder = base / "shipped-convex"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    found = verify_folder(folder, ledger.anchors)
    assert (found.first_bad, found.ledger_root) == ("", shipped["convex"].summary["ledger_root"])
    assert found.trades == len(shipped["convex"].trades["optimized"]) > 500
    again = TradingParameters.load(folder / "params.json")
    assert again == parameters(simulation=WEEK)
    for name in ("baseline_results", "optimized_results", "households", "steps"):
        text, packed = (
            pd.read_csv(folder / f"{name}.csv", keep_default_na=False),
            pd.read_parquet(folder / f"{name}.parquet"),
        )
        assert list(text) == list(packed)
        if name.endswith("results"):
            pd.testing.assert_frame_equal(text, packed, check_dtype=False, rtol=0, atol=0)


@pytest.mark.parametrize("engine", ["cvxpy", "highs"])
def test_the_same_seed_gives_the_same_bytes_and_another_one_other_prices(tmp_path, engine):
    homes = write_homes(tmp_path / "homes.csv", *days_of(4, 24, seed=3))
    seeds = {"one": 7, "two": 7, "three": 8}
    for name, seed in seeds.items():
        given = parameters(
            simulation={"seed": seed},
            optimizer={"engine": engine},
            household={"battery_probability": 0.7, "shared_battery_probability": 0.5},
            grid_capacity={"use_capacity_limits": True, "mode": "synthetic", "base_import_kw": 8.0},
        )
        write_run(tmp_path / name, Request(homes, given), None)
    for file in ("baseline_results.csv", "optimized_results.csv", "households.csv", "prices.csv", "grid_capacity.csv"):
        one, two, three = ((tmp_path / name / file).read_bytes() for name in seeds)
        assert one == two
        assert one != three


def test_both_engines_come_to_the_same_total_cost(tmp_path, root):
    costs = []
    for engine in ("cvxpy", "highs"):
        given = parameters(simulation={"simulation_steps": 48}, forecaster={"prediction_size": 48},
                           optimizer={"engine": engine, "min_trade_threshold": 0.0})  # fmt: skip
        costs.append(
            write_run(tmp_path / engine, Request(root / "input/homes/week.csv", given), None)["total_cost_optimized"]
        )
    assert costs[0] == pytest.approx(costs[1], abs=1e-4)


SMALL = {
    "all data, a horizon longer than they are": ({}, {"forecaster": {"prediction_size": 100}}),
    "one step": ({}, {"simulation": {"simulation_steps": 1}}),
    "one household": ({"homes": 1}, {}),
    "no PV": ({"sunny": 0.0}, {}),
    "no battery": ({}, {"household": {"battery_probability": 0.0}}),
    "own and central": ({}, {"battery": {"central_capacity_kwh": 100.0}}),
    "shared": ({"homes": 6}, {"household": {"shared_battery_probability": 1.0, "homes_per_shared_battery": 3}}),
    "limits": ({}, {"grid_capacity": {"use_capacity_limits": True, "default_import_capacity_kw": 1.0}}),
    "synthetic limits": ({}, {"grid_capacity": {"use_capacity_limits": True, "mode": "synthetic",
                                                "base_import_kw": 4.0}}),
    "no grid": ({}, {"grid_capacity": {"use_capacity_limits": True, "default_import_capacity_kw": 0.0,
                                       "default_export_capacity_kw": 0.0}}),
    "a fee": ({}, {"settlement": {"preset": "de_42c"}}),
    "equal shares": ({}, {"settlement": {"allocation_key": "static"}}),
    "by demand and supply": ({}, {"settlement": {"mechanism": "supply_demand_ratio"}}),
    "equal savings": ({}, {"settlement": {"mechanism": "equal_savings"}}),
    "Shapley": ({}, {"settlement": {"mechanism": "shapley"}}),
    "no top-up": ({}, {"settlement": {"top_up": False}}),
    "yesterday as forecast": ({}, {"forecaster": {"kind": "seasonal_naive"}}),
    "quarters of an hour": ({"dt_h": 0.25}, {"simulation": {"time_step_hours": 0.25}}),
    "time of use": ({}, {"grid_price": {"mode": "time_of_use"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_any_small_run_is_done_to_its_last_step_and_balances(tmp_path, name):
    made, given = SMALL[name]
    made = {"homes": 4, "sunny": 1.0, "dt_h": 1.0} | made
    homes = write_homes(tmp_path / "h.csv", *days_of(made["homes"], 30, seed=2, sunny=made["sunny"]), dt_h=made["dt_h"])
    asked = parameters(**given)
    write_run(tmp_path / "run", Request(homes, asked), None)
    run = read_run(tmp_path / "run")
    steps = asked.simulation.simulation_steps or 30
    assert (run.summary["steps"], run.summary["steps_asked"], run.summary["stopped"]) == (steps, steps, False)
    assert run.summary["ledger_root"] is None
    check_energy(run)
    check_money(run)
    check_totals(run)
    full_sight = asked.forecaster.kind == "perfect"
    if name == "no grid":  # energy of a neighbour is money paid for what nobody got before
        assert (run.summary["worse_off_households"], run.summary["paying_more_households"] > 0) == (0, True)
    elif full_sight and asked.settlement.top_up and name != "equal shares":
        check_nobody_pays_more(run)
    assert full_sight or run.summary["total_cost_baseline"] != run.summary["total_cost_optimized"]


def test_dearer_prices_of_a_file_are_used_and_given_back(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(3, 10))
    prices = tmp_path / "prices.csv"
    prices.write_text(
        "step,buy,sell\n" + "".join(f"{t},{0.5 + t / 100},-0.0{t}\n" for t in range(12)), encoding="utf-8"
    )
    write_run(tmp_path / "run", Request(homes, parameters(), prices=prices), None)
    run = read_run(tmp_path / "run")
    assert run.prices["buy"].tolist() == [0.5 + t / 100 for t in range(10)]
    assert run.prices["sell"].tolist() == [-t / 100 for t in range(10)]
    assert (run.summary["prices_file"], run.summary["grid_capacity_file"]) == ("prices.csv", None)
    check_energy(run)
    check_money(run)
    write_run(tmp_path / "again", Request(homes, parameters(), prices=tmp_path / "run" / "prices.csv"), None)
    for file in ("baseline_results.csv", "optimized_results.csv"):
        assert (tmp_path / "run" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_a_run_that_is_stopped_is_written_with_what_was_done_and_its_ledger_holds(tmp_path, ledger):
    homes = write_homes(tmp_path / "homes.csv", *days_of(4, 30, seed=2))
    told = []

    def follow(progress):
        told.append((progress.done, progress.total, dict(progress.row)))
        return progress.done < 17

    summary = write_run(tmp_path / "run", Request(homes, parameters()), ledger, follow)
    assert (summary["steps"], summary["steps_asked"], summary["stopped"]) == (17, 30, True)
    assert summary["end_time"] == "2026-07-06T17:00"
    run = read_run(tmp_path / "run")
    check_energy(run)
    check_money(run)
    assert verify_folder(tmp_path / "run").first_bad == ""
    assert [(done, total) for done, total, _ in told] == [(t + 1, 30) for t in range(17)]
    for name, a in run.arrays.items():
        assert [row[f"grid_buy_{name}_kwh"] for *_, row in told] == pytest.approx(np.cumsum(a["grid_buy"].sum(axis=1)))
        assert [row[f"wallet_{name}_eur"] for *_, row in told] == pytest.approx(a["wallet"].sum(axis=1))


def test_a_run_takes_the_place_of_an_earlier_one_and_a_failed_one_leaves_it_alone(tmp_path, ledger):
    homes = write_homes(tmp_path / "homes.csv", *days_of(2, 6))
    out = tmp_path / ("a long name " * 15)
    write_run(out, Request(homes, parameters(optimizer={"kind": "greedy"})), ledger)
    (out / "mine.txt").write_text("kept", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(_progress):
        raise DataError("test: enough; try again")

    with pytest.raises(DataError, match="enough"):
        write_run(out, Request(homes, parameters()), ledger, fail)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    write_run(out, Request(homes, parameters(optimizer={"kind": "none"}, ledger={"enabled": False})), ledger)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["mine.txt", *(name for name in FILES if name not in {"anchor.json", "checksums.json", "ledger.jsonl"})]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out.name, "homes.csv"])


def test_what_cannot_be_carried_out_is_refused_before_anything_is_written(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(11, 6))
    for error, given, says in (
        (ConfigError, {"settlement": {"mechanism": "shapley"}}, "shapley with 11 households, which is above 10"),
        (ConfigError, {"settlement": {"preset": "fr"}}, "settlement.preset: 'fr' is unknown"),
        (ConfigError, {"simulation": {"simulation_steps": 7}}, "simulation_steps: 7 is above 6"),
        (ConfigError, {"household": {"selection": {"B": 1}}}, "1 of type 'B'"),
        (ConfigError, {"optimizer": {"voll_eur_per_kwh": 0.2}}, "voll_eur_per_kwh: 0.2 is not above the highest price"),
        (ConfigError, {"forecaster": {"kind": "seasonal_naive", "history_size": 5}}, "history_size"),
    ):
        with pytest.raises(error, match=says):
            write_run(tmp_path / "out" / "run", Request(homes, parameters(**given)), None)
    assert not list(tmp_path.glob("**/run"))
    assert not list(tmp_path.glob("**/.writing*"))


def test_the_worth_of_stored_energy_is_between_what_the_grid_pays_and_takes_less_losses_and_wear(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(2, 6))
    price = {"mode": "constant", "buy_price": 0.30, "sell_price": 0.10}
    for given, wanted in (
        ({}, 0.95 * (0.20 - 0.0365)),
        ({"battery": {"wear_eur_per_kwh": 0.5}}, 0.0),
        ({"optimizer": {"end_value_eur_per_kwh": 0.07}}, 0.07),
        ({"household": {"battery_probability": 0.0}}, 0.20),
    ):
        made, _ = prepare(Request(homes, parameters(grid_price=price, **given)))
        assert made.market.end_value_eur_per_kwh == pytest.approx(wanted)


def test_a_fee_of_the_law_is_what_remains_of_the_grid_fee_and_the_levies(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(2, 6))
    rules = {"grid_fee_eur_per_kwh": 0.10, "grid_fee_reduction": 0.4, "levies_eur_per_kwh": 0.02}
    made, _ = prepare(Request(homes, parameters(settlement=rules, optimizer={"p2p_transaction_cost": 0.005})))
    assert made.market.fee_eur_per_kwh == pytest.approx(0.005 + 0.06 + 0.02)
    made, _ = prepare(Request(homes, parameters(settlement={"preset": "at_eeg_local_static"})))
    assert made.market.fee_eur_per_kwh == pytest.approx(0.01 + 0.43 * 0.0796 + 0.0051)
    assert made.market.key == "static"


def test_a_folder_given_for_a_file_and_a_file_given_for_a_folder_are_named(tmp_path):
    homes = write_homes(tmp_path / "homes.csv", *days_of(2, 6))
    with pytest.raises(DataError, match="is a file; give the name of a folder"):
        write_run(homes, Request(homes, parameters()), None)
    shutil.copy(homes, tmp_path / "copy.csv")
    assert homes.read_bytes() == (tmp_path / "copy.csv").read_bytes()
    with pytest.raises(DataError, match="no suffix is no known format"):
        write_run(tmp_path / "out", Request(tmp_path, parameters()), None)
    assert ENGINE in {"highs", "cvxpy"}
