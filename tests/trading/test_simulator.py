"""Both simulations step by step: numbers worked out by hand, what a plan promises, and what no plan can break."""

import numpy as np
import pytest

from energy_sim.devices.battery import step_batteries
from energy_sim.errors import InfeasibleError
from energy_sim.trading.dispatch import own_battery_request
from energy_sim.trading.model import Horizon, Market, Plan
from energy_sim.trading.optimiser import plan_cost
from energy_sim.trading.settlement import settle
from energy_sim.trading.simulator import per_household, simulate
from tests.trading.cases import IDEAL, NO_BATTERY, case, check_flows, days_of

FREE = Market(0.0, 0.0, 10.0, 0.0)


def cost_of(made, flows, base=None):
    return settle(flows, made.prices, made.market, "mid_market_rate", False, 0.0, base).cost_eur.sum()


def test_without_batteries_the_baseline_uses_the_grid_and_the_optimised_run_the_neighbour():
    found = simulate(case([[3, 0], [1, 0]], [[0, 2], [0, 2]], household=NO_BATTERY))
    assert found.baseline.grid_buy_kwh.tolist() == [[3, 0], [1, 0]]
    assert found.baseline.grid_sell_kwh.tolist() == [[0, 2], [0, 2]]
    assert not found.baseline.p2p_buy_kwh.any()
    assert found.optimised.grid_buy_kwh.tolist() == [[1, 0], [0, 0]]
    assert found.optimised.grid_sell_kwh.tolist() == [[0, 0], [0, 1]]
    trades = found.optimised.trades
    assert [t.tolist() for t in (trades.step, trades.seller, trades.buyer, trades.kwh)] == [
        [0, 1],
        [1, 1],
        [0, 0],
        [2, 1],
    ]
    assert not found.optimised.capacity_kwh.any()
    assert not found.optimised.stored_kwh.any()
    assert found.steps == 2


def test_a_battery_is_filled_when_power_is_cheap_only_by_the_run_that_plans():
    # 10 kWh and 5 kW without losses, empty at the start; 4 kWh are needed in the second hour at 0.40 instead of 0.20
    made = case([[0], [4]], [[0], [0]], buy=[0.20, 0.40], sell=0.05, market=FREE,
                battery=IDEAL | {"soc_min": 0.0, "initial_soc": 0.0})  # fmt: skip
    found = simulate(made)
    np.testing.assert_allclose(found.baseline.grid_buy_kwh, [[0], [4]])
    np.testing.assert_allclose(found.optimised.grid_buy_kwh, [[4], [0]], atol=1e-6)
    np.testing.assert_allclose(found.optimised.stored_kwh, [[4], [0]], atol=1e-6)
    assert cost_of(made, found.baseline) == pytest.approx(1.60)
    assert cost_of(made, found.optimised) == pytest.approx(0.80, abs=1e-6)
    np.testing.assert_allclose(found.planned_cost_eur, [0.80, 0.0], atol=1e-6)


def test_limits_are_powers_so_a_quarter_of_an_hour_has_a_quarter_of_the_energy():
    load, pv = [[0.75, 0.75], [0, 0]], [[0, 0], [1, 0]]
    found = simulate(case(load, pv, dt_h=0.25, import_kw=2.0, export_kw=3.0, household=NO_BATTERY))
    for flows in (found.baseline, found.optimised):
        check_flows(flows, 0.25, 2.0, 3.0)
        assert flows.grid_buy_kwh.tolist() == [[0.25, 0.25], [0, 0]]
        assert flows.unserved_kwh.tolist() == [[0.5, 0.5], [0, 0]]
        assert flows.grid_sell_kwh.tolist() == [[0, 0], [0.75, 0]]
        assert flows.curtailed_kwh.tolist() == [[0, 0], [0.25, 0]]


CORNERS = {
    "one step": (days_of(4, 1), {}),
    "one household": (days_of(1, 30), {}),
    "one household, one step": (days_of(1, 1), {}),
    "no PV at all": ((days_of(4, 30)[0], np.zeros((30, 4))), {}),
    "nothing is consumed": ((np.zeros((30, 4)), days_of(4, 30)[1]), {}),
    "nothing at all": ((np.zeros((5, 2)), np.zeros((5, 2))), {}),
    "no battery at all": (days_of(4, 30), {"household": NO_BATTERY}),
    "horizon longer than the data": (days_of(3, 10), {"horizon": 24}),
    "horizon of one step": (days_of(3, 10), {"horizon": 1}),
    "a central battery only": (days_of(3, 26), {"household": NO_BATTERY, "battery": {"central_capacity_kwh": 100.0}}),
    "own and central": (days_of(3, 26), {"battery": {"central_capacity_kwh": 100.0}}),
    "shared": (days_of(7, 26), {"household": {"shared_battery_probability": 1.0, "homes_per_shared_battery": 3}}),
    "no grid": (days_of(4, 26), {"import_kw": 0.0, "export_kw": 0.0}),
    "tight grid": (days_of(4, 30), {"import_kw": 0.7, "export_kw": 1.5}),
    "no grid at night": (days_of(4, 30), {"import_kw": np.tile([0.0, 5.0], 15), "export_kw": 2.0}),
}


@pytest.mark.parametrize("kind", ["convex", "greedy", "none"])
@pytest.mark.parametrize("name", CORNERS)
def test_every_step_up_to_the_last_is_done_and_balances(name, kind):
    (load, pv), given = CORNERS[name]
    made = case(load, pv, kind, **given)
    found = simulate(made)
    assert (found.steps, found.fallback_steps) == (len(load), ())
    low, high = (per_household(made.storage, level, load.shape[1]) for level in
                 (made.storage.units.soc_min_kwh, made.storage.units.soc_max_kwh))  # fmt: skip
    for flows in (found.baseline, found.optimised):
        check_flows(flows, 1.0, made.capacity.import_kw, made.capacity.export_kw)
        assert np.isfinite(flows.stored_kwh).all()
        assert (flows.stored_kwh >= low - 1e-9).all()
        assert (flows.stored_kwh <= high + 1e-9).all()
    if kind == "none":
        for field in ("grid_buy_kwh", "grid_sell_kwh", "stored_kwh", "unserved_kwh", "wear_eur", "p2p_buy_kwh"):
            assert np.array_equal(getattr(found.optimised, field), getattr(found.baseline, field))
    if kind == "convex" and made.horizon_steps == len(load):
        assert cost_of(made, found.optimised) <= cost_of(made, found.baseline) + 1e-6


def baseline_moves(made):
    """(T, M) what the baseline's batteries take and give."""
    stored, moved = made.storage.initial_kwh, []
    for load, pv in zip(made.profiles.load_kwh, made.profiles.pv_kwh, strict=True):
        request = own_battery_request(load, pv, stored, made.storage, made.profiles.dt_h)
        stored, charged, discharged = step_batteries(stored, request, made.storage.units, made.profiles.dt_h)
        moved.append((charged, discharged))
    return (np.array(side) for side in zip(*moved, strict=True))


@pytest.mark.parametrize("limit", [np.inf, 2.5])
@pytest.mark.parametrize("engine", ["cvxpy", "highs"])
def test_with_a_perfect_forecast_of_all_steps_what_happens_costs_what_was_planned_and_no_more_than_the_baseline(
    engine, limit
):
    load, pv = days_of(5, 30, seed=4)
    buy = np.random.default_rng(8).uniform(0.2, 0.4, 30)
    made = case(load, pv, engine=engine, horizon=30, buy=buy, sell=0.08, import_kw=limit, export_kw=limit)
    found = simulate(made)
    planned, begin = found.planned_cost_eur[0], made.market.end_value_eur_per_kwh * made.storage.initial_kwh.sum()
    assert cost_of(made, found.optimised) - begin == pytest.approx(planned, abs=1e-5)  # a horizon counts what is stored
    prices = made.prices
    horizon = Horizon(load, pv, prices.buy, prices.sell, made.capacity.import_kw, made.capacity.export_kw)
    moves = plan_cost(*baseline_moves(made), horizon, made.storage.initial_kwh, made.storage, made.market, 1.0)
    assert planned <= moves + 1e-6
    assert planned < cost_of(made, found.baseline) - begin - 0.1  # and it is worth something


def test_both_engines_come_to_the_same_total_cost():
    load, pv = days_of(6, 40, seed=3)
    costs = []
    for engine in ("cvxpy", "highs"):
        made = case(load, pv, engine=engine, horizon=40, buy=np.linspace(0.4, 0.2, 40), import_kw=4.0)
        costs.append(cost_of(made, simulate(made).optimised))
    assert costs[0] == pytest.approx(costs[1], abs=1e-4)


@pytest.mark.parametrize("forecast", ["persistence", "seasonal_naive"])
def test_a_forecast_of_the_past_does_not_see_what_comes_and_its_errors_are_settled_as_they_happen(forecast):
    load, pv = days_of(4, 40, seed=5)
    other = load.copy()
    other[30:] += 2.0
    one, two = (simulate(case(given, pv, forecast=forecast, import_kw=6.0)) for given in (load, other))
    for field in ("grid_buy_kwh", "charge_kwh", "discharge_kwh", "p2p_buy_kwh"):
        assert np.array_equal(getattr(one.optimised, field)[:30], getattr(two.optimised, field)[:30])
    assert not np.array_equal(one.optimised.grid_buy_kwh[30:], two.optimised.grid_buy_kwh[30:])
    assert np.array_equal(one.planned_cost_eur[:30], two.planned_cost_eur[:30])  # planned before step 30 is known
    assert one.planned_cost_eur[30] != two.planned_cost_eur[30]  # step 30 itself is measured
    for found in (one, two):
        check_flows(found.optimised, 1.0, 6.0)


def test_pv_beyond_the_limit_of_export_is_curtailed_before_a_neighbour_is_made_to_buy_it_at_a_higher_cost():
    # A serves itself from its battery for 0.0365 of wear; the fee of buying B's PV, which nobody can feed in, is 0.20
    made = case([[1, 0]], [[0, 1]], export_kw=0.0, market=Market(0.20, 0.0, 10.0, 0.0),
                battery={"self_discharge_per_month": 0.0, "initial_soc": 0.95})  # fmt: skip
    found = simulate(made)
    assert cost_of(made, found.baseline) == pytest.approx(0.0365)
    assert found.planned_cost_eur[0] == pytest.approx(0.0365, abs=1e-6)
    np.testing.assert_allclose(found.optimised.discharge_kwh, [[1, 0]], atol=1e-6)
    np.testing.assert_allclose(found.optimised.curtailed_kwh, [[0, 1]], atol=1e-6)
    assert cost_of(made, found.optimised) == pytest.approx(0.0365, abs=1e-6)


class Wild:
    """Asks for the impossible, by turns; in one step it finds nothing."""

    raised_wear = 0

    def __init__(self, units):
        self.units, self.asked = units, 0

    def plan(self, horizon, stored_kwh):
        self.asked += 1
        if self.asked == 3:
            raise InfeasibleError("test: nothing found; use another")
        charge = np.full(self.units, 1e9 if self.asked % 2 else 0.0)
        return Plan(charge, 1e9 - charge)


def test_a_plan_that_asks_for_the_impossible_breaks_no_law_and_none_at_all_is_replaced_and_told():
    load, pv = days_of(4, 12, seed=6)
    made = case(load, pv, optimiser=Wild(4), import_kw=3.0, export_kw=2.0)
    found = simulate(made)
    check_flows(found.optimised, 1.0, 3.0, 2.0)
    assert found.fallback_steps == (2,)
    assert found.optimised.charge_kwh[0].max() > 0
    assert found.steps == 12


def test_a_run_that_is_stopped_keeps_what_was_done_and_each_step_was_told_as_it_is_recorded():
    load, pv = days_of(4, 24, seed=7)
    told = []

    def follow(done):
        told.append((done.step, done.recorded(), done.optimised, done.baseline))
        return done.step < 9

    found, whole = simulate(case(load, pv, horizon=6), follow), simulate(case(load, pv, horizon=6))
    assert found.steps == 10
    assert [step for step, *_ in told] == list(range(10))
    assert np.array_equal(found.optimised.stored_kwh, whole.optimised.stored_kwh[:10])
    assert np.array_equal(found.baseline.grid_buy_kwh, whole.baseline.grid_buy_kwh[:10])
    for step, recorded, flows, base in told:
        assert recorded.grid_buy_kwh.shape == (1, 4)
        assert np.array_equal(recorded.grid_buy_kwh[0], found.optimised.grid_buy_kwh[step])
        assert np.array_equal(recorded.trades.kwh, flows.traded_kwh)
        assert np.array_equal(base.grid_buy_kwh, found.baseline.grid_buy_kwh[step])
    assert (np.diff(found.optimised.trades.step) >= 0).all()
    assert len(found.optimised.trades.kwh) > 0


def test_trades_below_the_smallest_go_through_the_grid():
    load, pv = [[0.005, 3.0, 0.0]], [[0.0, 0.0, 2.0]]
    made = case(load, pv, household=NO_BATTERY, market=Market(0.01, 0.01, 10.0, 0.0))
    flows = simulate(made).optimised
    check_flows(flows)
    assert flows.p2p_buy_kwh[0, 0] == 0
    assert flows.grid_buy_kwh[0, 0] == pytest.approx(0.005)
    assert flows.trades.kwh.min() >= 0.01


def test_who_owns_several_batteries_has_their_sums():
    made = case(*days_of(3, 4), battery={"central_capacity_kwh": 300.0})
    found = simulate(made)
    assert found.optimised.capacity_kwh.tolist() == [110.0] * 3
    assert found.optimised.opening_kwh.tolist() == [55.0] * 3
    wear = made.storage.units.wear_eur_per_kwh[0] * (found.optimised.charge_kwh + found.optimised.discharge_kwh)
    np.testing.assert_allclose(found.optimised.wear_eur, wear, atol=1e-12)


def test_prices_below_zero_are_planned_without_burning_energy():
    load, pv = days_of(3, 26, seed=9)
    made = case(load, pv, buy=np.tile([-0.2, 0.3], 13), sell=np.tile([-0.3, 0.05], 13))
    found = simulate(made)
    for flows in (found.baseline, found.optimised):
        check_flows(flows)
        assert np.minimum(flows.charge_kwh, flows.discharge_kwh).max() < 1e-9
    assert not found.fallback_steps
