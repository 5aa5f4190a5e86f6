import json

import numpy as np
import pytest

from energy_sim.trading.report import household_report, self_consumption, self_sufficiency, summary
from energy_sim.trading.settlement import settle
from tests.trading.money_cases import LOAD, PV, market, prices, run

IDS = ("A", "B", "C")


def both(mechanism="bill_sharing", top_up=True, load=LOAD, pv=PV, **options):
    base_flows, flows = run(load, pv, trade=False, **options), run(load, pv, **options)
    base = settle(base_flows, prices(), market(), mechanism, top_up, 5.0, None)
    return base_flows, base, flows, settle(flows, prices(), market(), mechanism, top_up, 5.0, base)


def test_the_table_holds_what_was_worked_out_by_hand():
    table = household_report(*both(), IDS)
    expected = {
        "cost_baseline_eur": [0.90, 0.30, -0.20],
        "cost_optimized_eur": [0.63, 0.21, -0.20],
        "savings_eur": [0.27, 0.09, 0.0],
        "savings_before_transfer_eur": [0.42, 0.14, -0.20],
        "transfer_eur": [-0.15, -0.05, 0.20],
        "wallet_baseline_eur": [4.10, 4.70, 5.20],
        "wallet_optimized_eur": [4.37, 4.79, 5.20],
        "self_sufficiency_baseline": [0.0, 0.0, np.nan],
        "self_sufficiency_optimized": [0.5, 0.5, np.nan],
        "grid_buy_baseline_kwh": [3, 1, 0],
        "grid_buy_optimized_kwh": [1.5, 0.5, 0],
        "grid_sell_baseline_kwh": [0, 0, 2],
        "grid_sell_optimized_kwh": [0, 0, 0],
        "p2p_buy_kwh": [1.5, 0.5, 0],
        "p2p_sell_kwh": [0, 0, 2],
        "unserved_kwh": [0, 0, 0],
    }
    for column, values in expected.items():
        np.testing.assert_allclose(table[column], values, atol=1e-12, err_msg=column)
    assert list(table["household_id"]) == ["A", "B", "C"]
    assert not table[["worse_off", "pays_more"]].to_numpy().any()
    for column in ("worse_off_without_transfer", "pays_more_without_transfer"):
        assert list(table[column]) == [False, False, True]


def test_without_top_up_the_seller_is_worse_off():
    table = household_report(*both(top_up=False), IDS)
    assert list(table["worse_off"]) == [False, False, True]
    assert list(table["pays_more"]) == [False, False, True]


def test_the_summary_holds_what_was_worked_out_by_hand():
    numbers = summary(*both(), IDS, market())
    expected = {
        "total_cost_baseline": 1.0,
        "total_cost_optimized": 0.64,
        "improvement_pct": 36.0,
        "grid_buy_baseline_kwh": 4.0,
        "grid_buy_optimized_kwh": 2.0,
        "grid_buy_reduction_pct": 50.0,
        "grid_sell_baseline_kwh": 2.0,
        "grid_sell_optimized_kwh": 0.0,
        "p2p_kwh": 2.0,
        "unserved_baseline_kwh": 0.0,
        "unserved_cost_optimized_eur": 0.0,
        "curtailed_baseline_kwh": 0.0,
        "fees_eur": 0.04,
        "transfers_eur": 0.20,
        "congestion_rent_moved_eur": 0.0,
        "wallet_baseline_eur": 14.0,
        "wallet_optimized_eur": 14.36,
        "worse_off_households": 0,
        "worse_off_without_transfer": 1,
        "paying_more_households": 0,
        "paying_more_without_transfer": 1,
        "self_sufficiency_baseline": 0.0,
        "self_sufficiency_optimized": 0.5,
        "self_consumption_baseline": 0.0,
        "self_consumption_optimized": 1.0,
        # pairs differ by 2 * (0.18 + 0.27 + 0.09) in all, over 2 * 3 * 0.36
        "equity_gini_savings": 0.5,
    }
    assert {name: numbers[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert numbers["best_household"] == {"id": "A", "savings_eur": pytest.approx(0.27)}
    assert numbers["worst_household"]["id"] == "C"


def test_unserved_and_curtailed_energy_of_both_runs_are_counted_and_priced():
    # alone: 4 kWh wanted and 2 offered to a line of 1 kWh; together: 2 wanted, 1 delivered
    numbers = summary(*both("mid_market_rate", grid_limit=1.0), IDS, market())
    assert (numbers["unserved_baseline_kwh"], numbers["curtailed_baseline_kwh"]) == (3.0, 1.0)
    assert (numbers["unserved_optimized_kwh"], numbers["curtailed_optimized_kwh"]) == (1.0, 0.0)
    assert (numbers["unserved_cost_baseline_eur"], numbers["unserved_cost_optimized_eur"]) == (30.0, 10.0)


def test_what_is_not_defined_is_none_and_the_summary_is_json():
    numbers = summary(*both(load=[[0.0, 0.0, 0.0]], pv=[[0.0, 0.0, 0.0]]), IDS, market())
    undefined = {name for name, value in numbers.items() if value is None}
    assert undefined == {
        "improvement_pct",
        "grid_buy_reduction_pct",
        "self_sufficiency_baseline",
        "self_sufficiency_optimized",
        "self_consumption_baseline",
        "self_consumption_optimized",
    }
    assert numbers["equity_gini_savings"] == 0.0
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


def test_improvement_of_a_community_that_earns_is_against_the_size_of_its_cost():
    numbers = summary(*both("mid_market_rate", load=[[1.0, 0.0, 0.0]], pv=[[0.0, 9.0, 1.0]]), IDS, market())
    # alone 0.30 - 1.00; together 9 kWh fed in at 0.10 and 2 ct of fee
    assert numbers["total_cost_baseline"] == pytest.approx(-0.70)
    assert numbers["total_cost_optimized"] == pytest.approx(-0.88)
    assert numbers["improvement_pct"] == pytest.approx(100 * 0.18 / 0.70)


def test_shares_lie_between_zero_and_one():
    load, pv = np.array([4.0, 4.0, 0.0]), np.array([4.0, 0.0, 2.0])
    np.testing.assert_allclose(
        self_sufficiency(load, np.array([1.0, 6.0, 1.0]), np.array([1.0, 0.0, 0.0])), [0.5, 0, np.nan]
    )
    np.testing.assert_allclose(
        self_consumption(pv, np.array([1.0, 1.0, 3.0]), np.array([1.0, 0.0, 0.0])), [0.5, np.nan, 0]
    )
