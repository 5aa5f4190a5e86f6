"""When an anomaly starts, and when it ends."""

import numpy as np
import pytest

from energy_sim.agents.anomalies import (
    HomeLimits,
    HomeValues,
    check_grid,
    check_home,
    check_skew,
    follow_voltage,
    standing,
)
from tests.agents.core_cases import make_grid

LIMITS = HomeLimits()


def kinds_over_time(values):
    before, seen = frozenset(), []
    for value in values:
        found = check_home("h", value, before, LIMITS)
        before = standing(found)
        seen.append([a.kind for a in found])
    return seen


@pytest.mark.parametrize(("sign", "kind"), [(1, "overload"), (-1, "underload")])
def test_imbalance_starts_beyond_the_deadband_and_ends_inside_the_limit(sign, kind):
    net = [1.0, 1.2, 1.21, 1.1, 1.01, 1.0, 1.1]
    seen = kinds_over_time([HomeValues(sign * kw, 1.0) for kw in net])
    assert seen == [[], [], [kind], [kind], [kind], [], []]


@pytest.mark.parametrize(
    ("solar", "load", "kind"), [(3, 1, "underload"), (0.1, 3, "overload"), (4, 1, "underload"), (0.2, 3, "overload")]
)
def test_each_scenario_is_the_anomaly_it_is_meant_to_be(solar, load, kind):
    (found,) = check_home("h", HomeValues(load - solar, 1.0), frozenset(), LIMITS)
    assert (found.kind, found.where, found.value, found.unit) == (kind, "h", load - solar, "kW")


def test_what_a_home_is_allowed_counts_where_it_is_less_than_the_tolerance():
    (found,) = check_home("h", HomeValues(0.8, 1.0, allowed_kw=0.5), frozenset(), LIMITS)
    assert (found.kind, found.limit) == ("overload", 0.5)
    assert check_home("h", HomeValues(0.8, 1.0, allowed_kw=4.2), frozenset(), LIMITS) == ()


def test_voltage_charge_and_faults_name_their_limit_and_resource():
    values = HomeValues(0.0, 0.94, soc=(("h/a", 0.12), ("h/b", 0.14)), faults=("h/load",))
    found = check_home("h", values, frozenset(), LIMITS)
    told = [(a.kind, a.where, a.value, a.limit, a.unit) for a in found]
    assert told == [
        ("voltage", "h", 0.94, 0.95, "pu"),
        ("soc_low", "h/a", 0.12, 0.15, "share"),
        ("device_fault", "h/load", 1.0, 0.0, ""),
    ]
    calm = HomeValues(0.0, 0.949, soc=(("h/a", 0.149), ("h/b", 0.14)))
    assert [(a.kind, a.where) for a in check_home("h", calm, standing(found), LIMITS)] == [
        ("voltage", "h"),
        ("soc_low", "h/a"),
    ]
    assert check_home("h", HomeValues(0.0, 1.054), frozenset(), LIMITS) == ()
    assert check_home("h", HomeValues(0.0, 1.056), frozenset(), LIMITS)[0].limit == 1.05


def test_a_transformer_is_overloaded_at_its_limit_and_calm_a_deadband_inside():
    grid, before, seen = make_grid("A", "B"), frozenset(), []
    for high, low in ((12.0, -20.0), (12.1, -20.1), (11.6, -19.6), (11.5, -19.5)):
        found = check_grid(grid, np.array([high, 0.0]), np.array([0.0, low]), before, 0.5)
        before = standing(found)
        seen.append([(a.kind, a.where) for a in found])
    both = [("overload", "A"), ("underload", "B")]
    assert seen == [[], both, both, []]


def test_a_clock_that_is_off_either_way_makes_data_stale():
    assert check_skew("h", 60.0, 60.0) == ()
    assert [(a.kind, a.value, a.limit) for a in check_skew("h", -61.0, 60.0)] == [("stale_data", -61.0, 60.0)]


def test_limits_fall_by_a_tenth_a_cycle_to_half_and_come_back():
    share, seen = np.ones(2), []
    for reported in [True] * 6 + [False] * 6:
        share = follow_voltage(share, np.array([reported, False]))
        seen.append(round(float(share[0]), 9))
    assert seen == [0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0]
    assert share[1] == 1.0
