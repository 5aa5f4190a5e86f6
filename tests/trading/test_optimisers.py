"""Plans: by hand, against a formulation with a trade for every pair, and one engine against the other."""

from dataclasses import replace

import numpy as np
import pytest

from energy_sim.errors import ConfigError, DataError, InfeasibleError
from energy_sim.trading.dispatch import own_battery_request
from energy_sim.trading.horizon_problem import shape_of, wear_for
from energy_sim.trading.model import Horizon
from energy_sim.trading.optimiser import make_optimiser, plan_cost
from tests.trading.bilateral import bilateral_optimum
from tests.trading.plan_cases import horizon_of, market_of, random_case, storage_of

ENGINES = ("cvxpy", "highs")


def planned(engine, horizon, stored, storage, market, steps=None, dt_h=1.0):
    optimiser = make_optimiser(
        "convex", engine, storage, market, horizon.load_kwh.shape[1], steps or len(horizon.buy), dt_h
    )
    return optimiser.plan(horizon, stored)


def rows(horizon, first, end):
    return Horizon(*(getattr(horizon, name)[first:end] for name in Horizon.__slots__))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_battery_carries_a_noon_surplus_into_the_evening(engine):
    storage = storage_of([0], eta=0.9, wear=0.01, stored=0.05)
    horizon = horizon_of([[0.0], [2.0]], [[1.0], [0.0]], buy=0.30, sell=0.10)
    plan = planned(engine, horizon, storage.initial_kwh, storage, market_of())
    # 1 kWh in, 0.81 out: saves 0.81 * 0.30 = 0.243, gives up 0.10, wears 0.0181. The rest, 1.19, is bought. Buying
    # more in the first period at the same price would not pay.
    assert plan.charge_kwh == pytest.approx([1.0], abs=1e-6)
    assert plan.discharge_kwh == pytest.approx([0.0], abs=1e-6)
    assert plan.cost_eur == pytest.approx(1.19 * 0.30 + 0.0181, abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_neighbour_s_battery_takes_surplus_unless_the_fee_eats_the_gain(engine):
    storage = storage_of([1], eta=1.0, stored=0.05)
    horizon = horizon_of([[0.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]], buy=[0.35, 0.30], sell=0.10)
    cheap = planned(engine, horizon, storage.initial_kwh, storage, market_of(fee=0.15))
    assert cheap.charge_kwh == pytest.approx([1.0], abs=1e-6)
    assert cheap.cost_eur == pytest.approx(0.15, abs=1e-6)
    dear = planned(engine, horizon, storage.initial_kwh, storage, market_of(fee=0.25))
    assert dear.charge_kwh == pytest.approx([0.0], abs=1e-6)
    assert dear.cost_eur == pytest.approx(0.30 - 0.10, abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("load", "pv", "price"),
    [
        ([3.0, 0.0], [0.0, 1.0], 0.30 - 0.02),  # more would spare a purchase, less the fee
        ([1.0, 0.0], [0.0, 3.0], 0.10),  # more would be fed in
    ],
)
def test_the_pool_s_price_is_what_one_more_kilowatt_hour_in_it_is_worth(engine, load, pv, price):
    storage = storage_of([])
    plan = planned(engine, horizon_of([load], [pv], 0.30, 0.10), np.zeros(0), storage, market_of(fee=0.02))
    assert plan.pool_price == pytest.approx(price, abs=1e-5)
    assert plan.charge_kwh.shape == plan.discharge_kwh.shape == (0,)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_pool_s_price_goes_to_that_of_unserved_energy_at_the_import_limit_and_to_0_at_that_of_export(engine):
    scarce = horizon_of([[3.0, 0.0]], [[0.0, 1.0]], 0.30, 0.10, most_buy=0.5)
    plan = planned(engine, scarce, np.zeros(0), storage_of([]), market_of(fee=0.02))
    assert plan.pool_price == pytest.approx(10 - 0.02, abs=1e-5)
    assert plan.cost_eur == pytest.approx(0.5 * 0.30 + 1 * 0.02 + 1.5 * 10, abs=1e-6)
    plenty = horizon_of([[1.0, 0.0]], [[0.0, 3.0]], 0.30, 0.10, most_sell=0.5)
    plan = planned(engine, plenty, np.zeros(0), storage_of([]), market_of(fee=0.02))
    assert plan.pool_price == pytest.approx(0.0, abs=1e-5)
    assert plan.cost_eur == pytest.approx(0.02 - 0.5 * 0.10, abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_battery_waits_for_the_hour_in_which_import_is_limited(engine):
    storage = storage_of([0], eta=1.0, stored=0.15)  # 1 kWh above its floor
    horizon = horizon_of([[1.0], [2.0]], [[0.0], [0.0]], [0.40, 0.20], 0.05, most_buy=[9.0, 1.0])
    plan = planned(engine, horizon, storage.initial_kwh, storage, market_of())
    assert plan.discharge_kwh == pytest.approx([0.0], abs=1e-6)
    assert plan.cost_eur == pytest.approx(0.40 + 0.20, abs=1e-6)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_both_engines_find_the_optimum_of_bilateral_trade(seed, limits, negative):
    horizon, stored, storage, market = random_case(seed, limits=limits, negative=negative)
    expected = bilateral_optimum(horizon, stored, storage, market, 1.0)
    for engine in ENGINES:
        plan = planned(engine, horizon, stored, storage, market)
        assert plan.cost_eur == pytest.approx(expected, rel=1e-6, abs=1e-6), engine


@pytest.mark.parametrize("seed", range(4))
def test_engines_agree_where_nothing_is_worth_anything_and_limits_bind(seed):
    horizon, _, storage, market = random_case(seed, homes=4, steps=6, units=6)
    free = storage_of(storage.owner, capacity=4.0, kw=3.0, stored=0.9)  # no wear: charging and discharging are ties
    horizon = replace(horizon, sell=np.zeros(6), buy=np.repeat([0.0, 0.2], 3))
    expected = bilateral_optimum(horizon, free.initial_kwh, free, market, 1.0)
    for engine in ENGINES:
        plan = planned(engine, horizon, free.initial_kwh, free, market)
        assert plan.cost_eur == pytest.approx(expected, rel=1e-6, abs=1e-6), engine


def test_the_problem_of_cvxpy_is_compiled_once_whatever_the_numbers():
    horizon, stored, storage, market = random_case(2, homes=3, steps=4, units=3)
    optimiser = make_optimiser("convex", "cvxpy", storage, market, 3, 4, 1.0)
    assert optimiser.problem.is_dpp()
    optimiser.plan(horizon, stored)
    compiled = optimiser.problem._cache.param_prog
    optimiser.plan(replace(horizon, buy=horizon.buy + 0.1), stored)
    assert compiled is not None
    assert optimiser.problem._cache.param_prog is compiled


@pytest.mark.parametrize("engine", ENGINES)
def test_slices_of_a_shared_battery_and_several_units_of_a_home_are_planned_like_any_unit(engine):
    horizon, _, _, market = random_case(3, homes=3, steps=5, units=0)
    storage = storage_of([0, 0, 2, 1, 2], capacity=[4.0, 2.0, 2.0, 1.0, 1.0], kw=1.0, monthly=0.02, wear=0.01)
    expected = bilateral_optimum(horizon, storage.initial_kwh, storage, market, 0.5)
    plan = planned(engine, horizon, storage.initial_kwh, storage, market, dt_h=0.5)
    assert plan.cost_eur == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_horizon_cut_short_by_the_end_of_the_data_has_the_optimum_of_its_own(engine, steps):
    horizon, stored, storage, market = random_case(11, homes=3, steps=5, units=4)
    market = replace(market, end_value_eur_per_kwh=0.15)
    short = rows(horizon, 0, steps)
    padded = planned(engine, short, stored, storage, market, steps=6)
    alone = planned(engine, short, stored, storage, market, steps=steps)
    assert padded.cost_eur == pytest.approx(alone.cost_eur, rel=1e-6, abs=1e-6)
    assert alone.cost_eur == pytest.approx(bilateral_optimum(short, stored, storage, market, 1.0), rel=1e-6, abs=1e-6)


def test_a_solver_that_stays_finds_in_every_step_what_a_new_one_finds():
    horizon, stored, storage, market = random_case(5, homes=4, steps=30, units=5)
    staying = make_optimiser("convex", "highs", storage, market, 4, 8, 1.0)
    cvxpy = make_optimiser("convex", "cvxpy", storage, market, 4, 8, 1.0)
    for t in (*range(24), 3, 29):  # in order, back, and the last step of the data
        ahead = rows(horizon, t, t + 8)
        warm, new = staying.plan(ahead, stored), planned("highs", ahead, stored, storage, market, steps=8)
        assert warm.cost_eur == pytest.approx(new.cost_eur, rel=1e-7, abs=1e-7)
        assert cvxpy.plan(ahead, stored).cost_eur == pytest.approx(new.cost_eur, rel=1e-6, abs=1e-6)
        moved = warm.charge_kwh * storage.units.eta_charge - warm.discharge_kwh / storage.units.eta_discharge
        stored = storage.units.retention(1.0) * stored + moved
    assert staying.cold_starts <= 2


@pytest.mark.parametrize("engine", ENGINES)
def test_units_outside_their_window_are_planned_back_as_fast_as_they_can(engine):
    storage = storage_of([0, 0], capacity=10.0, kw=0.1, eta=1.0)
    horizon = horizon_of([[0.0], [0.0]], [[0.0], [0.0]], 0.30, 0.10)
    stored = np.array([0.2, 9.6])  # window 0.5 to 9.5
    plan = planned(engine, horizon, stored, storage, market_of())
    assert plan.charge_kwh == pytest.approx([0.1, 0.0], abs=1e-6)
    # the second serves the first and feeds in the rest of its 0.1 kW, in both periods: nothing is lost
    assert plan.discharge_kwh == pytest.approx([0.0, 0.1], abs=1e-6)
    assert plan.cost_eur == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_prices_below_0_raise_the_wear_of_the_plan_and_are_counted(engine):
    storage = storage_of([0], eta=0.9, wear=0.0, stored=0.5)
    optimiser = make_optimiser("convex", engine, storage, market_of(), 1, 2, 1.0)
    horizon = horizon_of([[1.0], [1.0]], [[0.0], [0.0]], [-0.38, 0.30], [-0.40, 0.10])
    wear, raised = wear_for(storage.units, -0.38)
    assert raised
    assert wear == pytest.approx([1.01 * 0.38 * 0.19 / 1.81])
    plan = optimiser.plan(horizon, storage.initial_kwh)
    assert optimiser.raised_wear == 1
    assert plan.charge_kwh == pytest.approx([5.0], abs=1e-6)  # 4.5 kWh fit, 5 * 0.9
    assert plan.discharge_kwh == pytest.approx([0.0], abs=1e-6)
    optimiser.plan(replace(horizon, buy=np.array([0.3, 0.3])), storage.initial_kwh)
    assert optimiser.raised_wear == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_no_plan_costs_more_than_self_consumption_over_the_horizon(engine, seed):
    horizon, stored, storage, market = random_case(seed, homes=4, steps=8, units=4, limits=False)
    moves, level = [], stored
    for t in range(8):
        request = own_battery_request(horizon.load_kwh[t], horizon.pv_kwh[t], level, storage, 1.0)
        moves.append(request)
        change = np.where(request > 0, request * storage.units.eta_charge, request / storage.units.eta_discharge)
        level = storage.units.retention(1.0) * level + change
    moves = np.array(moves)
    baseline = plan_cost(np.maximum(moves, 0), np.maximum(-moves, 0), horizon, stored, storage, market, 1.0)
    idle = plan_cost(moves * 0, moves * 0, horizon, stored, storage, market, 1.0)
    plan = planned(engine, horizon, stored, storage, market)
    assert plan.cost_eur <= baseline + 1e-6
    assert plan.cost_eur < idle  # not vacuous: here something can be gained


def test_the_cost_of_given_moves_is_that_of_the_best_pool_and_grid_flows():
    storage = storage_of([1], eta=1.0, wear=0.01, stored=0.5)
    horizon = horizon_of([[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 4.0]], 0.30, 0.10, most_buy=0.5, most_sell=1.0)
    market = market_of(fee=0.02, end_value=0.05)
    idle = plan_cost(np.zeros((2, 1)), np.zeros((2, 1)), horizon, np.array([5.0]), storage, market, 1.0)
    # 1: pool 1, bought 0.5, unserved 0.5. 2: pool 1, fed in 1, curtailed 2. 5 kWh are left.
    assert idle == pytest.approx(0.02 + 0.15 + 5.0 + 0.02 - 0.10 - 0.25)
    served = plan_cost(np.array([[0.0], [2.0]]), np.array([[1.0], [0.0]]), horizon, np.array([5.0]), storage, market, 1)
    # 1: pool 2. 2: pool 1, fed in 1. 6 kWh are left; 3 kWh wear.
    assert served == pytest.approx(0.04 + 0.02 - 0.10 + 0.03 - 0.30)


def test_greedy_takes_a_neighbour_s_surplus_only_if_it_pays():
    storage = storage_of([1], eta=1.0, wear=0.03)
    horizon = horizon_of([[0.0, 0.0]], [[2.0, 0.0]], buy=0.30, sell=0.10)
    # 0.30 > 0.10 + 2 * 0.03 + fee holds for fees below 0.14
    for fee, taken in ((0.13, 2.0), (0.15, 0.0)):
        plan = make_optimiser("greedy", "cvxpy", storage, market_of(fee=fee), 2, 24, 1.0).plan(horizon, np.array([5.0]))
        assert plan.charge_kwh == pytest.approx([taken])
        assert plan.discharge_kwh == pytest.approx([0.0])
        assert np.isnan(plan.cost_eur)
        assert np.isnan(plan.pool_price)


def test_greedy_serves_what_neighbours_lack_after_the_pool_and_never_beyond_physics():
    storage = storage_of([1, 2], capacity=[10.0, 10.0], kw=[1.0, 3.0], eta=1.0)
    greedy = make_optimiser("greedy", "cvxpy", storage, market_of(fee=0.01), 3, 24, 1.0)
    horizon = horizon_of([[3.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]], buy=0.30, sell=0.10)
    plan = greedy.plan(horizon, np.array([5.0, 5.0]))
    assert plan.discharge_kwh == pytest.approx([0.75, 2.25])  # 3 kWh by what each can give, 1 and 3
    plan = greedy.plan(horizon, np.array([0.5, 0.7]))
    assert plan.discharge_kwh == pytest.approx([0.0, 0.2])  # the floor is at 0.5


def test_none_keeps_to_the_household_s_own_battery():
    storage = storage_of([1], eta=1.0)
    none = make_optimiser("none", "cvxpy", storage, market_of(), 2, 24, 1.0)
    plan = none.plan(horizon_of([[0.0, 2.0]], [[2.0, 0.0]], 0.30, 0.10), np.array([5.0]))
    assert plan.discharge_kwh == pytest.approx([2.0])
    plan = none.plan(horizon_of([[0.0, 0.0]], [[2.0, 0.0]], 0.30, 0.10), np.array([5.0]))
    assert plan.charge_kwh == pytest.approx([0.0])


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_that_no_plan_can_be_made_with_are_named(engine):
    storage = storage_of([0])
    optimiser = make_optimiser("convex", engine, storage, market_of(), 1, 2, 1.0)
    horizon, stored = horizon_of([[1.0], [1.0]], [[0.0], [0.0]], 0.30, 0.10), storage.initial_kwh
    with pytest.raises(DataError, match=r"load_kwh\[1, 0\]: nan"):
        optimiser.plan(replace(horizon, load_kwh=np.array([[1.0], [np.nan]])), stored)
    with pytest.raises(DataError, match=r"import_kwh\[0\]: -1"):
        optimiser.plan(replace(horizon, import_kwh=np.array([-1.0, 1.0])), stored)
    with pytest.raises(DataError, match=r"pv_kwh is of shape \(1, 1\); give \(2, 1\)"):
        optimiser.plan(replace(horizon, pv_kwh=np.zeros((1, 1))), stored)
    with pytest.raises(DataError, match=r"stored_kwh is of shape \(2,\)"):
        optimiser.plan(horizon, np.ones(2))
    with pytest.raises(DataError, match="3 periods; give 1 to 2"):
        optimiser.plan(horizon_of([[1.0]] * 3, [[0.0]] * 3, 0.30, 0.10), stored)
    with pytest.raises(ConfigError, match=r"period 1: feed-in 0.5 is above 0.3"):
        optimiser.plan(replace(horizon, sell=np.array([0.1, 0.5])), stored)
    with pytest.raises(ConfigError, match=r"voll_eur_per_kwh: 10 is not above the price 11"):
        optimiser.plan(replace(horizon, buy=np.array([0.3, 11.0])), stored)
    assert optimiser.plan(horizon, stored).cost_eur == pytest.approx(-0.2275, abs=1e-6)  # 4.5 * 0.95 - 2 are sold


def test_unknown_kinds_engines_and_sizes_are_refused():
    storage, market = storage_of([0]), market_of()
    with pytest.raises(ConfigError, match=r"optimizer.kind: 'best' is unknown; give one of convex, greedy, none"):
        make_optimiser("best", "cvxpy", storage, market, 1, 24, 1.0)
    with pytest.raises(ConfigError, match=r"optimizer.engine: 'abacus' is unknown; give one of cvxpy, highs"):
        make_optimiser("convex", "abacus", storage, market, 1, 24, 1.0)
    with pytest.raises(ConfigError, match="prediction_size 0 is below 1"):
        shape_of(storage, market, 1, 0, 1.0)
    with pytest.raises(ConfigError, match=r"fee -0\.1 EUR/kWh is below 0"):
        shape_of(storage, market_of(fee=-0.1), 1, 24, 1.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_solver_that_gives_up_is_named_with_what_may_be_done_instead(engine, monkeypatch):
    storage = storage_of([0])
    optimiser = make_optimiser("convex", engine, storage, market_of(), 1, 1, 1.0)
    horizon = horizon_of([[1.0]], [[0.0]], 0.30, 0.10)
    real = _module(engine).horizon_data

    def impossible(*args):
        data = real(*args)
        return replace(data, least_stored=data.most_stored + 1)

    monkeypatch.setattr(_module(engine), "horizon_data", impossible)
    with pytest.raises(InfeasibleError, match=r"1 households, 1 periods: the solver says .*greedy"):
        optimiser.plan(horizon, storage.initial_kwh)
    monkeypatch.undo()
    assert optimiser.plan(horizon, storage.initial_kwh).discharge_kwh == pytest.approx([4.275], abs=1e-6)  # 4.5 * 0.95


def _module(engine):
    from energy_sim.trading import convex, highs_engine

    return convex if engine == "cvxpy" else highs_engine
