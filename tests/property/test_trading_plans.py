"""What holds for every plan of any community: the optimum of bilateral trade, found twice, carried out by physics."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from energy_sim.devices.battery import reach_of
from energy_sim.trading.dispatch import execute
from energy_sim.trading.optimiser import make_optimiser, plan_cost
from tests.trading.bilateral import bilateral_optimum
from tests.trading.plan_cases import random_case

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@example(seed=130, limits=False, negative=True, spare=0)  # batteries are emptied before a price below 0
@given(seed=SEEDS, limits=st.booleans(), negative=st.booleans(), spare=st.integers(0, 3))
def test_engines_agree_with_each_other_and_with_bilateral_trade(seed, limits, negative, spare):
    horizon, stored, storage, market = random_case(seed, limits=limits, negative=negative)
    steps, homes = horizon.load_kwh.shape
    expected = bilateral_optimum(horizon, stored, storage, market, 1.0)
    for engine in ("cvxpy", "highs"):
        plan = make_optimiser("convex", engine, storage, market, homes, steps + spare, 1.0).plan(horizon, stored)
        assert plan.cost_eur == pytest.approx(expected, rel=1e-6, abs=1e-6), engine
        reach = reach_of(stored, storage.units, 1.0)
        assert np.all(plan.charge_kwh <= reach.most_charge_kwh + 1e-9)
        assert np.all(plan.discharge_kwh <= reach.most_discharge_kwh + 1e-9)
        assert np.all(np.minimum(plan.charge_kwh, plan.discharge_kwh) == 0)


@FEW
@given(seed=SEEDS, share=st.floats(0, 1))
def test_no_moves_of_batteries_are_cheaper_than_the_plan(seed, share):
    horizon, stored, storage, market = random_case(seed)
    steps, homes = horizon.load_kwh.shape
    plan = make_optimiser("convex", "highs", storage, market, homes, steps, 1.0).plan(horizon, stored)
    r = np.random.default_rng(seed)
    wanted = share * r.uniform(-3, 3, (steps, len(stored)))
    other = plan_cost(np.maximum(wanted, 0), np.maximum(-wanted, 0), horizon, stored, storage, market, 1.0)
    assert plan.cost_eur <= other + 1e-6 * (1 + abs(other))


@FEW
@given(seed=SEEDS, kind=st.sampled_from(["convex", "greedy", "none"]), negative=st.booleans())
def test_every_plan_can_be_carried_out_as_it_is(seed, kind, negative):
    horizon, stored, storage, market = random_case(seed, negative=negative, limits=False)
    steps, homes = horizon.load_kwh.shape
    plan = make_optimiser(kind, "highs", storage, market, homes, steps, 1.0).plan(horizon, stored)
    load, pv, buy, sell = horizon.load_kwh[0], horizon.pv_kwh[0], float(horizon.buy[0]), float(horizon.sell[0])
    request = plan.charge_kwh - plan.discharge_kwh
    flows = execute(load, pv, stored, request, storage, buy, sell, np.inf, np.inf, market, 1.0, trade=True)
    assert flows.unserved_kwh.sum() == pytest.approx(0, abs=1e-9)
    if sell >= 0:  # below, the dispatch feeds in nothing of batteries
        assert flows.unit_charge_kwh == pytest.approx(plan.charge_kwh, abs=1e-9)
        assert flows.unit_discharge_kwh == pytest.approx(plan.discharge_kwh, abs=1e-9)
