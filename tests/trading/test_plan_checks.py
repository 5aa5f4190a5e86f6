"""What a plan comes to when it is carried out, and every way in which one may be broken."""

from dataclasses import replace

import numpy as np
import pytest

from energy_sim.errors import InfeasibleError
from energy_sim.trading.horizon_problem import shape_of
from energy_sim.trading.plan_checks import check_optimum, check_plan, complete
from tests.trading.plan_cases import horizon_of, market_of, storage_of


@pytest.fixture
def case():
    """Two homes, a battery in the second; everything happens: pool, limits, unserved energy, curtailing."""
    storage = storage_of([1], eta=0.8, wear=0.01, stored=0.5)
    horizon = horizon_of([[2.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 4.0]], 0.30, 0.10, most_buy=0.5, most_sell=1.0)
    return shape_of(storage, market_of(fee=0.02), 2, 2, 1.0), horizon, storage.initial_kwh


def moves(*values):
    return np.array(values, dtype=np.float64)[:, None]


def test_flows_of_given_moves_are_completed_and_hold(case):
    shape, horizon, stored = case
    s = complete(shape, horizon, stored, moves(0, 0), moves(0.2, 0))
    assert s.stored[:, 0] == pytest.approx([4.75, 4.75])  # 5 - 0.2 / 0.8
    assert s.lack == pytest.approx([2.0, 1.0])
    assert s.surplus == pytest.approx([1.2, 4.0])
    assert s.p2p == pytest.approx([1.2, 1.0])
    assert s.grid_buy == pytest.approx([0.5, 0.0])
    assert s.unserved == pytest.approx([0.3, 0.0])
    assert s.grid_sell == pytest.approx([0.0, 1.0])
    assert s.curtailed == pytest.approx([0.0, 2.0])
    assert s.cost_eur == pytest.approx(2.2 * 0.02 + 0.15 + 3.0 - 0.10 + 0.002)
    check_plan(s, shape, horizon, stored)


def test_both_directions_at_once_become_their_difference(case):
    shape, horizon, stored = case
    s = complete(shape, horizon, stored, moves(1, 1), moves(1.5, 0.2))
    assert s.charge[:, 0] == pytest.approx([0.0, 0.8])
    assert s.discharge[:, 0] == pytest.approx([0.5, 0.0])
    assert s.stored[:, 0] == pytest.approx([4.375, 5.015])  # 5 - 0.5 / 0.8, then 0.8 * 0.8 more


def test_a_pool_whose_fee_exceeds_what_it_saves_is_used_for_what_would_be_unserved_or_curtailed(case):
    shape, horizon, stored = case
    dear = shape_of(shape.storage, market_of(fee=0.25), 2, 2, 1.0)
    s = complete(dear, horizon, stored, moves(0, 0), moves(0, 0))
    assert s.p2p == pytest.approx([1.0, 1.0])  # 1: 1.5 cannot be bought. 2: the fee, 0.25 for free PV, is below 0.30
    free = complete(dear, replace(horizon, import_kwh=np.full(2, 9.0)), stored, moves(0, 0), moves(0, 0))
    assert free.p2p == pytest.approx([0.0, 1.0])  # 1: 0.25 + 0.10 is above 0.30. 2: what would be curtailed is free


def test_prices_below_0_have_own_pv_curtailed_and_energy_drawn_as_far_as_import_goes():
    shape = shape_of(storage_of([]), market_of(), 1, 1, 1.0)
    horizon = horizon_of([[2.0]], [[1.5]], -0.20, -0.30, most_buy=1.2)
    s = complete(shape, horizon, np.zeros(1), np.zeros((1, 1)), np.zeros((1, 1)))
    assert s.grid_buy == pytest.approx([1.2])  # 0.5 lack, 0.7 in place of PV
    assert s.drawn == pytest.approx([0.7])
    assert s.cost_eur == pytest.approx(-0.24)
    check_plan(s, shape, horizon, np.zeros(1))


def test_energy_a_battery_must_get_rid_of_takes_the_place_of_a_neighbour_s_pv_rather_than_cost_feed_in():
    shape = shape_of(storage_of([0], eta=1.0), market_of(fee=0.01), 2, 1, 1.0)
    horizon = horizon_of([[0.0, 2.0]], [[0.0, 1.5]], 0.10, -0.30)
    s = complete(shape, horizon, np.array([5.0]), np.zeros((1, 1)), moves(1.2))
    assert s.p2p == pytest.approx([1.2])  # 0.5 that the neighbour lacks, 0.7 in the place of its PV
    assert s.drawn == pytest.approx([0.7])
    assert s.cost_eur == pytest.approx(0.012)
    check_plan(s, shape, horizon, np.array([5.0]))


def test_discharging_that_nobody_can_take_is_left_out(case):
    shape, horizon, stored = case
    tight = replace(horizon, export_kwh=np.array([9.0, 0.5]))
    s = complete(shape, tight, stored, moves(0, 0), moves(0, 1.6))
    assert s.discharge[:, 0] == pytest.approx([0.0, 1.5])  # the neighbour takes 1, the grid 0.5
    assert s.curtailed == pytest.approx([0.0, 4.0])
    check_plan(s, shape, tight, stored)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("charge", 0.001, "one direction at a time: period 0"),
        ("charge", 6.0, "charging power: period 0: broken by 1 kWh"),
        ("discharge", 6.0, "discharging power: period 0"),
        ("stored", -4.5, "lower end of a battery's window: period 0: broken by 0.25 kWh"),
        ("stored", 5.0, "upper end of a battery's window: period 0: broken by 0.25 kWh"),
        ("stored", 0.00001, "energy of a battery: period 0: broken by 1e-05 kWh"),
        ("grid_buy", 0.1, "import limit: period 0: broken by 0.1 kWh"),
        ("grid_sell", 1.5, "export limit: period 0: broken by 0.5 kWh"),
        ("p2p", 0.1, "energy that is lacking: period 0: broken by 0.1 kWh"),
        ("p2p", -0.1, "energy that is left: period 0: broken by 0.1 kWh"),
        ("unserved", -0.4, "flows above 0: period 0: broken by 0.1 kWh"),
        ("curtailed", 1.1, "PV to curtail: period 0: broken by 0.1 kWh"),
        ("drawn", 0.1, "energy of the community: period 0: broken by 0.1 kWh"),
        ("grid_buy", np.nan, "import limit"),
    ],
)
def test_every_broken_rule_is_named_with_its_period(case, name, change, said):
    shape, horizon, stored = case
    good = complete(shape, horizon, stored, moves(0, 0), moves(0.2, 0))
    check_plan(good, shape, horizon, stored)
    values = getattr(good, name).copy()
    values[0] += change
    with pytest.raises(InfeasibleError) as caught:
        check_plan(replace(good, **{name: values}), shape, horizon, stored)
    assert said in "; ".join(caught.value.problems)


def test_an_engine_whose_optimum_is_not_what_its_plan_costs_is_found_out():
    check_optimum(100.0, 100.00005, "trading plan: 3 households")
    with pytest.raises(InfeasibleError, match=r"3 households: the engine says 100 EUR, its plan comes to 100.001 EUR"):
        check_optimum(100.0, 100.001, "trading plan: 3 households")
    with pytest.raises(InfeasibleError, match="nan"):
        check_optimum(float("nan"), 1.0, "trading plan")
