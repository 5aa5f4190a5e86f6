from dataclasses import replace

import numpy as np
import pytest

from energy_sim.errors import ConfigError
from energy_sim.trading.settlement import MECHANISMS, pool_prices, settle
from tests.trading.money_cases import ALONE, LOAD, PV, market, prices, run

BASE = settle(run(LOAD, PV, trade=False), prices(), market(), "mid_market_rate", True, 0.0, None)


def cost_of(mechanism, flows=None, top_up=False):
    return settle(run(LOAD, PV) if flows is None else flows, prices(), market(), mechanism, top_up, 0.0, BASE)


def test_alone_everybody_pays_the_grid_and_no_price_is_made():
    np.testing.assert_allclose(BASE.cost_eur, ALONE)
    np.testing.assert_allclose(BASE.wallet_eur, [-ALONE])
    assert np.isnan(BASE.p2p_price).all()
    assert not BASE.transfer_eur.any()


@pytest.mark.parametrize(
    ("mechanism", "price", "costs"),
    [
        # p = (10 + 30 - 2) / 2 = 19; A pays 1.5 * 30 + 1.5 * 21, B a third of it, C gets 2 * 19
        ("mid_market_rate", 0.19, [0.765, 0.255, -0.38]),
        # half of the deficit is covered: p = 10 * 28 / (18 / 2 + 10) = 280 / 19
        ("supply_demand_ratio", 0.28 / 1.9, [0.48 + 0.42 / 1.9, 0.16 + 0.14 / 1.9, -0.56 / 1.9]),
        # 60 ct for the grid and 4 ct of fees, three quarters of it to A; C gives away its surplus
        ("bill_sharing", 0.0, [0.48, 0.16, 0.0]),
        # too little energy: C gets all that trade saves
        ("dual_price", 0.28, [0.90, 0.30, -0.56]),
        # trade saves 2 * (30 - 2 - 10) = 36 ct, 12 each
        ("equal_savings", 0.19, [0.78, 0.18, -0.32]),
        # A and C save 36 together, B and C 18, all three 36: 12, 3 and 21
        ("shapley", 0.19, [0.78, 0.27, -0.41]),
    ],
)
def test_three_homes_pay_what_was_worked_out_by_hand(mechanism, price, costs):
    accounts = cost_of(mechanism)
    np.testing.assert_allclose(accounts.p2p_price, [price], rtol=1e-12)
    np.testing.assert_allclose(accounts.cost_eur, costs, atol=1e-12)
    np.testing.assert_allclose(accounts.wallet_eur, [-accounts.cost_eur], atol=1e-12)
    assert accounts.cost_eur.sum() == pytest.approx(0.64)  # 60 ct to the grid, 4 ct of fees, whoever pays


def test_without_a_fee_the_mid_market_rate_is_the_middle():
    assert pool_prices(run(LOAD, PV), prices(), market(fee=0.0), "mid_market_rate") == pytest.approx([0.20])


def test_the_top_up_makes_good_what_bill_sharing_takes_from_the_seller():
    accounts = cost_of("bill_sharing", top_up=True)
    np.testing.assert_allclose(accounts.transfer_eur, [-0.15, -0.05, 0.20], atol=1e-12)  # A and B gained 42 and 14 ct
    np.testing.assert_allclose(accounts.cost_eur, [0.63, 0.21, -0.20], atol=1e-12)
    np.testing.assert_allclose(accounts.cost_before_transfer_eur, [0.48, 0.16, 0.0], atol=1e-12)
    np.testing.assert_allclose(accounts.wallet_eur[-1], -accounts.cost_eur, atol=1e-12)


def test_the_top_up_leaves_equal_savings_equal():
    np.testing.assert_allclose(ALONE - cost_of("equal_savings", top_up=True).cost_eur, 0.12)


def test_the_top_up_makes_good_what_is_lost_after_the_transfers_of_the_mechanism():
    flows = run(LOAD, PV, wear=[[0.13, 0.0, 0.0]])
    # Shapley takes 1.5 ct from A, which then costs 78 + 13 ct, 1 more than alone; B and C gained 3 and 21
    accounts = cost_of("shapley", flows, top_up=True)
    np.testing.assert_allclose(accounts.transfer_eur, [-0.015 + 0.01, -0.015 - 0.00125, 0.03 - 0.00875], atol=1e-12)
    assert accounts.cost_eur[0] == pytest.approx(0.90)


def test_equal_savings_stay_equal_when_one_paid_for_energy_that_is_still_in_its_battery():
    flows = run(LOAD, PV, charge=[[0.5, 0.0, 0.0]])
    accounts = settle(flows, prices(), market(end_value=0.40), "equal_savings", True, 0.0, BASE)
    # 2.5 kWh from the grid and 2 traded cost 79 ct, 20 ct are in the battery: 41 ct less than the 100 ct alone
    np.testing.assert_allclose(ALONE - accounts.cost_eur, 0.41 / 3)
    # A paid 6 ct more than alone; B and C, who paid less, are not asked for it
    assert accounts.wallet_eur[-1, 0] == pytest.approx(-(0.90 - 0.41 / 3 + 0.20))


def test_with_a_fee_above_what_trade_saves_only_a_price_outside_both_ends_makes_rent():
    left = run([[2.0, 0.0]], [[0.0, 3.0]])  # 1 kWh fed in by the second
    lacking = run([[3.0, 0.0]], [[0.0, 2.0]])  # 1 kWh from the grid for the first
    for flows, price, rent in ((left, 0.05, 0), (lacking, 0.05, 0), (left, -0.02, 0.01), (lacking, 0.14, -0.02)):
        planned = replace(flows, pool_price=np.array([price]))
        accounts = settle(planned, prices(), market(fee=0.30), "dual_price", True, 0.0, None)
        np.testing.assert_allclose(accounts.rent_eur, [[rent, -rent]], atol=1e-12)


def test_a_run_without_baseline_has_no_transfers():
    for mechanism in MECHANISMS:
        accounts = settle(run(LOAD, PV), prices(), market(), mechanism, True, 0.0, None)
        assert not accounts.transfer_eur.any()


def test_where_import_is_limited_grid_energy_pays_the_pool_price_and_all_get_the_rent():
    accounts = cost_of("dual_price", run(LOAD, PV, pool_price=[0.50]))  # 22 ct above 30 - 2
    np.testing.assert_allclose(accounts.rent_eur, [[0.44 / 3 - 0.33, 0.44 / 3 - 0.11, 0.44 / 3]])
    # A: 1.5 * 30 + 1.5 * 52 ct and its rent
    assert accounts.cost_eur[0] == pytest.approx(0.45 + 0.78 + 0.33 - 0.44 / 3)
    assert accounts.cost_eur.sum() == pytest.approx(0.64)


def test_where_export_is_limited_energy_fed_in_gets_the_pool_price_and_all_get_the_rent():
    accounts = cost_of("dual_price", run(PV[0][::-1], LOAD[0][::-1], pool_price=[0.04]))  # 2 kWh lacking, 4 too many
    np.testing.assert_allclose(accounts.rent_eur, [[0.04, 0.01, -0.05]])  # 6 ct on 0.5 and 1.5 kWh
    assert accounts.p2p_price == pytest.approx([0.04])


def test_a_dual_price_within_what_solvers_can_tell_makes_no_rent():
    accounts = cost_of("dual_price", run(LOAD, PV, pool_price=[0.28 + 4e-6]))
    assert not accounts.rent_eur.any()
    assert accounts.p2p_price == pytest.approx([0.28], abs=1e-12)


def test_with_more_surplus_than_need_and_no_plan_the_dual_price_is_what_the_grid_pays():
    assert pool_prices(run(PV, LOAD), prices(), market(), "dual_price") == pytest.approx([0.10])


@pytest.mark.parametrize(
    ("lacking", "left", "price"),
    [(4.0, 0.0, 0.28), (4.0, 4.0, 0.10), (2.0, 6.0, 0.10), (4.0, 1.0, 0.028 / 0.145)],
)
def test_the_ratio_price_falls_from_the_upper_to_the_lower_end(lacking, left, price):
    flows = run([[lacking, 0.0]], [[0.0, left]])
    assert pool_prices(flows, prices(), market(), "supply_demand_ratio") == pytest.approx([price])


@pytest.mark.parametrize(("sell", "price"), [(0.0, 0.14), (-0.04, 0.12)])
def test_where_the_grid_pays_nothing_the_ratio_price_is_a_straight_line(sell, price):
    flows = run([[2.0, 0.0]], [[0.0, 1.0]])
    assert pool_prices(flows, prices(sell=sell), market(), "supply_demand_ratio") == pytest.approx([price])


def test_cost_counts_wear_unserved_energy_and_what_is_left_in_the_battery():
    # 5 kWh wanted and 2 charged, 4 from the grid: 1.20; wear 0.05; 3 unserved at 10; 2 kWh more stored at 0.20
    flows = run([[5.0]], [[0.0]], charge=[[2.0]], wear=0.05, grid_limit=4.0)
    accounts = settle(flows, prices(), market(end_value=0.20), "mid_market_rate", True, 7.0, None)
    assert accounts.cost_eur == pytest.approx([1.20 + 0.05 + 30.0 - 0.40])
    assert accounts.wallet_eur == pytest.approx(np.array([[7.0 - 1.20]]))


def test_wallets_add_up_step_by_step_and_transfers_come_last():
    flows = run(LOAD * 2, PV * 2)
    base = settle(run(LOAD * 2, PV * 2, trade=False), prices(steps=2), market(), "mid_market_rate", True, 1.0, None)
    accounts = settle(flows, prices(steps=2), market(), "equal_savings", True, 1.0, base)
    np.testing.assert_allclose(accounts.wallet_eur[0], 1 - np.array([0.765, 0.255, -0.38]))
    np.testing.assert_allclose(accounts.wallet_eur[1], 1 - 2 * np.array([0.78, 0.18, -0.32]))


def test_shapley_shares_only_what_was_really_traded():
    accounts = cost_of("shapley", run(LOAD, PV, traded_share=0.5))
    np.testing.assert_allclose(ALONE - accounts.cost_eur, [0.06, 0.015, 0.105], atol=1e-12)


def test_equal_savings_without_a_saving_move_nothing_and_say_so(caplog):
    accounts = settle(run(LOAD, PV, wear=1.0), prices(), market(), "equal_savings", False, 0.0, BASE)
    assert not accounts.transfer_eur.any()
    assert "equal_savings total_saving_eur=-2.64" in caplog.text


def test_an_unknown_mechanism_is_refused_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"settlement\.mechanism: 'auction' is unknown; choose one of mid_market"):
        settle(run(LOAD, PV), prices(), market(), "auction", True, 0.0, None)


def test_shapley_is_refused_for_eleven_households_before_anything_is_settled():
    flows = run(np.ones((1, 11)), np.zeros((1, 11)))
    with pytest.raises(ConfigError, match=r"11 households, which is above 10; set household\.max_households to 10"):
        settle(flows, prices(), market(), "shapley", True, 0.0, None)
