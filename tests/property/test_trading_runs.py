"""What holds in every run of any community: energy, batteries, limits and money, whatever is planned."""

import numpy as np
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from energy_sim.trading.model import Market, Plan
from energy_sim.trading.settlement import MECHANISMS, settle
from energy_sim.trading.simulator import per_household, simulate
from tests.trading.cases import case, check_flows

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

energies = st.one_of(st.just(0.0), st.floats(0, 8), st.floats(0, 0.02)).map(lambda kwh: round(kwh, 6))  # mWh
limits = st.one_of(st.just(np.inf), st.floats(0, 20), st.just(0.0))


class Asked:
    """Plans nothing but asks for what it was given, sense or not."""

    raised_wear = 0

    def __init__(self, requests):
        self.requests = list(requests)

    def plan(self, horizon, stored_kwh):
        request = self.requests.pop(0)
        return Plan(np.maximum(request, 0), np.maximum(-request, 0))


@st.composite
def communities(draw, most_homes=5, most_steps=6):
    """Arguments of a case."""
    homes, steps = draw(st.integers(1, most_homes)), draw(st.integers(1, most_steps))
    table = arrays(np.float64, (steps, homes), elements=energies, fill=st.nothing())
    buy = draw(arrays(np.float64, steps, elements=st.floats(0.05, 0.9), fill=st.nothing()))
    market = Market(
        fee_eur_per_kwh=draw(st.sampled_from([0.0, 0.01, 0.2])),
        min_trade_kwh=draw(st.sampled_from([0.0, 0.01, 1.0])),
        voll_eur_per_kwh=10.0,
        end_value_eur_per_kwh=draw(st.sampled_from([0.0, 0.15])),
        key=draw(st.sampled_from(["dynamic", "static"])),
    )
    household = {
        "battery_probability": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "shared_battery_probability": draw(st.sampled_from([0.0, 1.0])),
        "homes_per_shared_battery": 2,
    }
    battery = {
        "central_capacity_kwh": draw(st.sampled_from([0.0, 100.0])),
        "eta_charge": draw(st.sampled_from([1.0, 0.9])),
        "wear_eur_per_kwh": draw(st.sampled_from([0.0, 0.0365])),
        "self_discharge_per_month": draw(st.sampled_from([0.0, 0.02, 0.5])),
        "initial_soc": draw(st.sampled_from([0.05, 0.5, 0.95])),
    }
    return {
        "load": draw(table),
        "pv": draw(table),
        "buy": buy,
        "sell": buy - draw(st.sampled_from([0.01, 0.2])),
        "import_kw": draw(limits),
        "export_kw": draw(limits),
        "dt_h": draw(st.sampled_from([0.25, 1.0])),
        "market": market,
        "household": household,
        "battery": battery,
    }


def check_run(made, found):
    """Every law of a run, in both simulations."""
    profiles, units = made.profiles, made.storage.units
    homes, dt_h = len(profiles.ids), profiles.dt_h
    low, high, power = (
        per_household(made.storage, values, homes) for values in (units.soc_min_kwh, units.soc_max_kwh, units.charge_kw)
    )
    for flows in (found.baseline, found.optimised):
        check_flows(flows, dt_h, made.capacity.import_kw, made.capacity.export_kw)
        assert (flows.stored_kwh >= low - 1e-9).all()
        assert (flows.stored_kwh <= high + 1e-9).all()
        assert (flows.charge_kwh <= power * dt_h + 1e-9).all()
        assert (flows.discharge_kwh <= power * dt_h + 1e-9).all()
        assert np.array_equal(flows.load_kwh, profiles.load_kwh)
        assert np.array_equal(flows.pv_kwh, profiles.pv_kwh)
        bought = np.zeros_like(flows.load_kwh)
        np.add.at(bought, (flows.trades.step, flows.trades.buyer), flows.trades.kwh)
        np.testing.assert_allclose(bought, flows.p2p_buy_kwh, rtol=0, atol=1e-9)
    assert not len(found.baseline.trades.kwh)


def check_settled(made, found, mechanism, top_up):
    """Budget balance, and that nobody is worse off where the community is not."""
    base = settle(found.baseline, made.prices, made.market, "mid_market_rate", False, 3.0, None)
    accounts = settle(found.optimised, made.prices, made.market, mechanism, top_up, 3.0, base)
    grid = (
        made.prices.sell[:, None] * found.optimised.grid_sell_kwh
        - made.prices.buy[:, None] * found.optimised.grid_buy_kwh
    )
    fees = made.market.fee_eur_per_kwh * found.optimised.p2p_buy_kwh
    cash = 3.0 * len(base.cost_eur) + np.cumsum((grid - fees).sum(axis=1))
    np.testing.assert_allclose(accounts.wallet_eur.sum(axis=1), cash, rtol=0, atol=1e-6)
    if top_up and accounts.cost_eur.sum() <= base.cost_eur.sum():
        event("nobody worse off")
        assert (accounts.cost_eur <= base.cost_eur + 1e-6).all()


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(communities(), st.data())
def test_no_plan_whatever_it_asks_for_breaks_a_law_of_a_run(community, data):
    units = len(case(**community, kind="none").storage.units)
    shape = (len(community["load"]), units)
    wishes = st.one_of(st.floats(-20, 20), st.sampled_from([0.0, 1e300, -1e300]))
    requests = data.draw(arrays(np.float64, shape, elements=wishes, fill=st.nothing()))
    made = case(**community, optimiser=Asked(requests))
    found = simulate(made)
    check_run(made, found)
    check_settled(made, found, data.draw(st.sampled_from(MECHANISMS)), data.draw(st.booleans()))


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(communities(), st.sampled_from(MECHANISMS), st.booleans())
def test_rules_of_thumb_keep_every_law_and_none_is_the_baseline(community, mechanism, top_up):
    for kind in ("greedy", "none"):
        made = case(**community, kind=kind)
        found = simulate(made)
        check_run(made, found)
        check_settled(made, found, mechanism, top_up)
    assert np.array_equal(found.optimised.grid_buy_kwh, found.baseline.grid_buy_kwh)
    assert np.array_equal(found.optimised.stored_kwh, found.baseline.stored_kwh)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(communities(), st.sampled_from(["perfect", "persistence"]))
def test_plans_keep_every_law_and_with_perfect_sight_of_all_steps_cost_no_more_than_the_baseline(community, forecast):
    made = case(**community, forecast=forecast, horizon=6)
    found = simulate(made)
    check_run(made, found)
    check_settled(made, found, "mid_market_rate", True)
    if community["battery"]["wear_eur_per_kwh"]:  # without wear, energy may be burnt in a plan at no cost
        assert found.fallback_steps == ()
    exact = made.market.min_trade_kwh == 0 and made.market.key == "dynamic" and np.isinf(community["export_kw"])
    if forecast == "perfect" and exact:
        event("cost compared")
        costs = [
            settle(flows, made.prices, made.market, "mid_market_rate", False, 0.0, None).cost_eur.sum()
            for flows in (found.baseline, found.optimised)
        ]
        begin = made.market.end_value_eur_per_kwh * made.storage.initial_kwh.sum()
        assert costs[1] <= costs[0] + 1e-5
        assert abs(costs[1] - begin - found.planned_cost_eur[0]) <= 1e-5 * (1 + abs(costs[1]))
