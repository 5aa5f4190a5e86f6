"""What an unheard agent counts with, and who does not do what it was told."""

import numpy as np
import pytest

from energy_sim.agents.estimates import agent_state, disobeyed, estimate


def test_states_follow_the_age_of_the_last_report():
    ages = (7.5, 7.6, 15.0, 15.1, 150.0, 150.1)
    assert [agent_state(age, 5.0, 15.0) for age in ages] == ["online", "late", "late", "lost", "lost", "gone"]


def test_a_lost_agent_counts_with_its_forecast_and_an_uncertainty_that_widens():
    now = estimate(1.0, (2.0, 3.0, 4.0), 900.0, 900.0)
    assert now.expected_kw == 3.0
    assert now.uncertainty_kw == pytest.approx(0.2 + 0.5 * 0.5)  # a quarter of an hour
    later = estimate(1.0, (2.0, 3.0, 4.0), 900.0, 4 * 3600.0)
    assert (later.expected_kw, later.uncertainty_kw) == (4.0, pytest.approx(1.2))
    assert (later.low_kw, later.high_kw) == pytest.approx((2.8, 5.2))


def test_without_a_forecast_the_last_power_holds_and_is_uncertain_at_once():
    now = estimate(0.0, (), 900.0, 0.0)
    assert (now.expected_kw, now.uncertainty_kw, now.high_kw) == (0.0, 0.2, 0.2)


def test_an_estimate_stays_inside_the_nameplate():
    now = estimate(4.0, (), 900.0, 4 * 3600.0, import_kw=4.5, export_kw=0.0)
    assert (now.uncertainty_kw, now.high_kw, now.low_kw) == pytest.approx((0.5, 4.5, 2.8))
    above = estimate(9.0, (), 900.0, 10.0, import_kw=4.5)
    assert (above.expected_kw, above.uncertainty_kw) == (4.5, 0.0)
    assert estimate(-9.0, (), 900.0, 10.0, export_kw=5.0).low_kw == -5.0


def test_two_reports_in_a_row_against_an_order_make_a_fault_and_one_that_obeys_ends_it():
    nan = np.nan
    # a load that draws 0.4 above, one 0.2 above, one without an order, an empty battery, solar that feeds in too much
    power = np.array([2.4, 2.2, 9.0, 0.0, -3.0])
    ordered = np.array([2.0, 2.0, nan, -4.0, -1.0])
    wanted = np.array([5.0, 5.0, 9.0, 0.0, -3.0])
    low, high = np.array([0.0, 0.0, 0.0, 0.0, -3.0]), np.array([9.0, 9.0, 9.0, 5.0, 0.0])
    times, fault = disobeyed(power, ordered, wanted, low, high, np.zeros(5, dtype=np.int64))
    assert (times.tolist(), fault.any()) == ([1, 0, 0, 0, 1], False)
    times, fault = disobeyed(power, ordered, wanted, low, high, times)
    assert fault.tolist() == [True, False, False, False, True]
    times, fault = disobeyed(np.array([2.0, 2.2, 9.0, 0.0, -1.0]), ordered, wanted, low, high, times)
    assert (times.tolist(), fault.any()) == ([0] * 5, False)
