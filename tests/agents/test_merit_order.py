"""Tiers in order, and fairness inside one."""

import numpy as np
import pytest

from energy_sim.agents.merit_order import allocate, allocate_groups, curtailed_kwh

ROOM = np.array([2.0, 3.0, 4.0])


def test_a_tier_is_used_up_before_the_next_one_gives():
    take, shortfall = allocate(4.0, ROOM, np.array([1, 0, 2]), np.zeros(3), 1.0)
    assert take.tolist() == [1.0, 3.0, 0.0]
    assert shortfall == 0.0


def test_inside_a_tier_equals_give_equally_and_the_small_give_all_they_have():
    # a level of 2.5 kW: 2 + 2.5 + 2.5 = 7
    take, _ = allocate(7.0, ROOM, np.zeros(3, dtype=int), np.zeros(3), 1.0)
    np.testing.assert_allclose(take, [2.0, 2.5, 2.5], rtol=0, atol=1e-12)


def test_who_was_curtailed_less_so_far_gives_first_until_even():
    # over half an hour 1 kW is 0.5 kWh: from 0.5, 0 and 9 kWh up to a level of 1 kWh
    take, _ = allocate(3.0, np.full(3, 5.0), np.zeros(3, dtype=int), np.array([0.5, 0.0, 9.0]), 0.5)
    np.testing.assert_allclose(take, [1.0, 2.0, 0.0], rtol=0, atol=1e-12)


def test_what_nobody_can_give_is_stated():
    take, shortfall = allocate(10.0, ROOM, np.zeros(3, dtype=int), np.array([5.0, 0.0, 1.0]), 1.0)
    assert take.tolist() == ROOM.tolist()
    assert shortfall == pytest.approx(1.0, abs=1e-12)


def test_a_row_without_a_tier_gives_nothing_and_no_need_takes_nothing():
    take, shortfall = allocate(3.0, ROOM, np.array([-1, 0, -1]), np.zeros(3), 1.0)
    assert (take.tolist(), shortfall) == ([0.0, 3.0, 0.0], 0.0)
    take, shortfall = allocate(-3.0, ROOM, np.zeros(3, dtype=int), np.zeros(3), 1.0)
    assert (take.tolist(), shortfall) == ([0.0, 0.0, 0.0], 0.0)
    assert allocate(3.0, np.zeros(0), np.zeros(0, dtype=int), np.zeros(0), 1.0)[1] == 3.0


def test_groups_are_settled_as_if_each_were_alone():
    rng = np.random.default_rng(3)
    group, tier = rng.integers(0, 5, 200), rng.integers(-1, 4, 200)
    room, past = rng.uniform(0, 5, 200), rng.uniform(0, 3, 200)
    need = np.array([0.0, 12.0, 40.0, 77.0, 1e6])
    take, shortfall = allocate_groups(need, group, room, tier, past, 0.25)
    for g in range(5):
        rows = group == g
        alone, missing = allocate(need[g], room[rows], tier[rows], past[rows], 0.25)
        np.testing.assert_allclose(take[rows], alone, rtol=0, atol=1e-9)
        assert shortfall[g] == pytest.approx(missing, abs=1e-9)
    assert take[group == 1].sum() == pytest.approx(12.0, abs=1e-9)


def test_curtailed_energy_counts_changes_either_way():
    past = curtailed_kwh(np.array([1.0, 0.0]), np.array([3.0, -4.0]), np.array([1.0, -1.0]), 0.5)
    assert past.tolist() == [2.0, 1.5]
