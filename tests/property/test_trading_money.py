"""Money is neither made nor lost: whatever happened, whatever the mechanism."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from energy_sim.trading.model import Prices
from energy_sim.trading.settlement import MECHANISMS, pool_prices, settle
from energy_sim.trading.transfers import equal_savings, gini, shapley_values, top_up
from tests.trading.money_cases import market, run

EXACT = 1e-9  # EUR


def amounts(shape, low=0.0, high=10.0):
    return arrays.arrays(
        np.float64, shape, elements=st.integers(round(low * 1000), round(high * 1000)).map(lambda x: x / 1000)
    )


@st.composite
def cases(draw, lowest_sell=0.0):
    """Flows without and with trade and battery use, prices and market; grid limits and dropped trades among them."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 6)))
    load, pv = draw(amounts(shape)), draw(amounts(shape))
    limit = draw(st.sampled_from([np.inf, 6.0, 0.0]))
    sell = draw(amounts(shape[0], lowest_sell, 0.2))
    buy = sell + draw(amounts(shape[0], 0.01, 0.4))
    fee = draw(st.sampled_from([0.0, 0.01, 0.3]))
    duals = np.where(draw(arrays.arrays(np.bool_, shape[0])), draw(amounts(shape[0], -1.0, 11.0)), np.nan)
    used = draw(amounts(shape, -2.0, 2.0))
    used[-1] -= used.sum(axis=0) * draw(st.sampled_from([0, 1]))  # batteries end as they began, or not
    flows = run(
        load,
        pv,
        charge=used,
        opening=50.0,
        wear=draw(st.sampled_from([0.0, 0.05])),
        pool_price=duals,
        traded_share=draw(st.sampled_from([1.0, 0.5, 0.0])),
        grid_limit=limit,
    )
    base = run(load, pv, trade=False, opening=50.0, grid_limit=limit)
    return base, flows, Prices(buy, sell), market(fee=fee, end_value=0.15)


def settled(case, mechanism, make_good=True):
    base_flows, flows, prices, rules = case
    base = settle(base_flows, prices, rules, mechanism, make_good, 3.0, None)
    return base, settle(flows, prices, rules, mechanism, make_good, 3.0, base)


@given(cases(lowest_sell=-0.1), st.sampled_from(MECHANISMS), st.booleans())
def test_wallets_change_by_what_the_grid_pays_and_takes_and_the_fees(case, mechanism, make_good):
    flows, prices, rules = case[1:]
    accounts = settled(case, mechanism, make_good)[1]
    sold, bought = flows.grid_sell_kwh.sum(axis=1) @ prices.sell, flows.grid_buy_kwh.sum(axis=1) @ prices.buy
    fees = rules.fee_eur_per_kwh * flows.p2p_buy_kwh.sum()
    assert (accounts.wallet_eur[-1] - 3.0).sum() == pytest.approx(sold - bought - fees, abs=1e-6)
    assert accounts.grid_cost_eur.sum() == pytest.approx(bought, abs=EXACT)
    assert accounts.grid_income_eur.sum() == pytest.approx(sold, abs=EXACT)
    assert accounts.fee_eur.sum() == pytest.approx(fees, abs=EXACT)


@given(cases(lowest_sell=-0.1), st.sampled_from(MECHANISMS), st.booleans())
def test_what_households_pay_each_other_balances_and_wallets_are_its_sum(case, mechanism, make_good):
    a = settled(case, mechanism, make_good)[1]
    np.testing.assert_allclose(a.p2p_cost_eur.sum(axis=1), a.p2p_income_eur.sum(axis=1), atol=EXACT)
    np.testing.assert_allclose(a.rent_eur.sum(axis=1), 0, atol=EXACT)
    assert abs(a.transfer_eur.sum()) <= EXACT
    steps = a.grid_income_eur - a.grid_cost_eur + a.p2p_income_eur - a.p2p_cost_eur - a.fee_eur + a.rent_eur
    wallets = 3.0 + steps.cumsum(axis=0)
    wallets[-1] += a.transfer_eur
    np.testing.assert_allclose(a.wallet_eur, wallets, atol=EXACT)
    np.testing.assert_allclose(a.cost_eur, a.cost_before_transfer_eur - a.transfer_eur, atol=EXACT)


@given(cases(), st.sampled_from(MECHANISMS))
def test_with_the_top_up_nobody_loses_while_the_community_saves(case, mechanism):
    base, accounts = settled(case, mechanism)
    if base.cost_eur.sum() >= accounts.cost_eur.sum():
        assert (accounts.cost_eur <= base.cost_eur + 1e-6).all()


@given(cases(), st.sampled_from(MECHANISMS[:4]))
def test_with_the_top_up_nobody_gains_less_than_those_who_lose(case, mechanism):
    """Transfers never turn a gain into a loss, even where there is not enough for everybody."""
    base, accounts = settled(case, mechanism)
    gained = accounts.cost_before_transfer_eur <= base.cost_eur
    assert (accounts.cost_eur[gained] <= base.cost_eur[gained] + 1e-6).all()


@given(
    cases(lowest_sell=-0.1),
    st.sampled_from([name for name in MECHANISMS if name not in {"bill_sharing", "dual_price"}]),
)
def test_prices_lie_between_what_the_grid_pays_and_what_it_takes_less_the_fee(case, mechanism):
    _, flows, prices, rules = case
    price, ends = pool_prices(flows, prices, rules, mechanism), (prices.sell, prices.buy - rules.fee_eur_per_kwh)
    inside = ends[0] <= ends[1]  # else no trade is worth its fee
    assert (price[inside] >= ends[0][inside] - EXACT).all()
    assert (price[inside] <= ends[1][inside] + EXACT).all()


@given(cases())
def test_a_dual_price_leaves_that_range_only_with_a_rent_wherever_grid_energy_flows(case):
    _, flows, prices, rules = case
    price = pool_prices(flows, prices, rules, "dual_price")
    outside = (price > np.maximum(prices.buy - rules.fee_eur_per_kwh, prices.sell)) & (
        flows.grid_buy_kwh.sum(axis=1) > 0
    )
    rent = settle(flows, prices, rules, "dual_price", True, 0.0, None).rent_eur
    if flows.load_kwh.shape[1] > 1:
        uneven = np.ptp(flows.grid_buy_kwh, axis=1) > 1e-3
        assert (np.abs(rent[outside & uneven]).max(axis=1) > 0).all()
    ended = np.isnan(flows.pool_price)
    assert not rent[ended].any()


@given(amounts((3, 5)), amounts((3, 5)), amounts(3, -0.1, 0.4))
def test_shapley_values_share_everything_alike_to_equals_and_nothing_to_idlers(deficit, surplus, gain):
    surplus = np.where(deficit > 5, 0, surplus)
    deficit = np.where(surplus > 0, 0, deficit)
    deficit[:, 3] = surplus[:, 3] = 0  # the idler
    deficit[:, 4], surplus[:, 4] = deficit[:, 0], surplus[:, 0]  # the twin
    values = shapley_values(deficit, surplus, gain)
    everything = np.minimum(deficit.sum(axis=1), surplus.sum(axis=1)) @ gain
    assert values.sum() == pytest.approx(everything, abs=EXACT)
    assert values[3] == pytest.approx(0, abs=EXACT)
    assert values[4] == pytest.approx(values[0], abs=EXACT)


@given(amounts(6, -9.0, 9.0), amounts(6, -9.0, 9.0))
def test_transfers_sum_to_nothing_and_move_money_from_gains_to_losses_only(cost_change, money_change):
    moved = top_up(cost_change, money_change)
    assert abs(moved.sum()) <= EXACT
    assert (moved[(cost_change < 0) & (money_change < 0)] <= EXACT).all()
    assert abs(equal_savings(cost_change).sum()) <= EXACT
    claims = np.maximum(cost_change, money_change)
    if claims.sum() <= 0:
        assert (cost_change - moved <= np.maximum(cost_change.clip(max=0), 1e-6)).all()
        assert (money_change - moved <= np.maximum(money_change.clip(max=0), 1e-6)).all()


@given(amounts(5, -9.0, 9.0), st.floats(0.1, 10))
def test_gini_lies_between_none_and_all_and_knows_no_unit(values, unit):
    assert 0 <= gini(values) < 1
    assert gini(values * unit) == pytest.approx(gini(values), abs=1e-9)
