"""One step of batteries: what fits, what is left, and that no energy is made or lost."""

from dataclasses import replace

import numpy as np
import pytest

from energy_sim.devices.battery import HOURS_PER_MONTH, Batteries, reach_of, step_batteries
from energy_sim.errors import ConfigError


def batteries(count=1, **values) -> Batteries:
    """Units of 10 kWh, window 0.5 to 9.5 kWh, 5 kW, 0.95 each way, no self-discharge, unless said otherwise."""
    usual = {
        "capacity_kwh": 10.0,
        "soc_min_kwh": 0.5,
        "soc_max_kwh": 9.5,
        "charge_kw": 5.0,
        "discharge_kw": 5.0,
        "eta_charge": 0.95,
        "eta_discharge": 0.95,
        "self_discharge_per_month": 0.0,
        "wear_eur_per_kwh": 0.0365,
    }
    return Batteries(**{name: np.broadcast_to(np.float64(v), count).copy() for name, v in (usual | values).items()})


def stepped(stored, request, units, dt_h=1.0):
    """The three results as plain lists."""
    results = step_batteries(np.array(stored, float), np.array(request, float), units, dt_h)
    return [array.tolist() for array in results]


def test_what_is_stored_is_less_than_what_was_charged_and_more_than_what_comes_out():
    stored, charged, discharged = stepped([5, 5], [2, -1.9], batteries(2))
    assert stored == pytest.approx([5 + 1.9, 5 - 2.0])
    assert charged == [2, 0]
    assert discharged == [0, 1.9]


def test_power_counts_in_kw_whatever_the_hours_of_a_step():
    _, charged, discharged = stepped([5, 5], [9, -9], batteries(2), dt_h=0.25)
    assert (charged, discharged) == ([1.25, 0], [0, 1.25])


def test_charging_stops_at_the_top_and_discharging_at_the_bottom_of_the_window():
    stored, charged, discharged = stepped([8.55, 1.5], [5, -5], batteries(2))
    assert charged[0] == pytest.approx(1.0)  # 0.95 kWh of room
    assert discharged[1] == pytest.approx(0.95)  # 1 kWh above the floor
    assert stored == pytest.approx([9.5, 0.5])


@pytest.mark.parametrize("request_kwh", [np.inf, -np.inf, 1e300, -1e300])
def test_an_absurd_request_is_carried_out_as_far_as_it_goes(request_kwh):
    stored, charged, discharged = stepped([5], [request_kwh], batteries(soc_min_kwh=4.0, soc_max_kwh=6.0))
    assert stored[0] == pytest.approx(6.0 if request_kwh > 0 else 4.0)
    assert charged[0] == pytest.approx(1 / 0.95 if request_kwh > 0 else 0)
    assert discharged[0] == pytest.approx(0 if request_kwh > 0 else 0.95)


def test_a_month_of_rest_loses_the_share_of_a_month_in_steps_of_any_length():
    for steps in (1, 730):
        level = np.array([8.0])
        for _ in range(steps):
            level, *_ = step_batteries(level, np.zeros(1), batteries(self_discharge_per_month=0.02), 730.5 / steps)
        assert level[0] == pytest.approx(7.84, rel=1e-9)
    assert HOURS_PER_MONTH == 730.5


def test_a_unit_at_its_floor_makes_up_for_self_discharge_even_when_asked_to_discharge():
    units = batteries(self_discharge_per_month=0.5)
    lost = 0.5 * (1 - 0.5 ** (1 / 730.5))
    for request in (0.0, -3.0):
        stored, charged, discharged = stepped([0.5], [request], units)
        assert stored[0] == pytest.approx(0.5, abs=1e-15)
        assert charged[0] == pytest.approx(lost / 0.95)
        assert discharged[0] == 0


def test_the_power_limit_holds_even_where_it_cannot_keep_the_floor():
    units = batteries(self_discharge_per_month=0.5, charge_kw=1e-4)
    stored, charged, _ = stepped([0.5], [5], units)
    assert charged == [1e-4]
    assert stored[0] == pytest.approx(0.5 * 0.5 ** (1 / 730.5) + 0.95e-4)
    assert stored[0] < 0.5
    assert reach_of(np.array([0.5]), units, 1.0).least_charge_kwh.tolist() == [1e-4]


def test_what_units_can_do_in_a_step_is_said_beforehand():
    units = batteries(2, charge_kw=3.0, discharge_kw=2.0)
    reach = reach_of(np.array([9.0, 1.5]), units, 0.5)
    assert reach.kept_kwh.tolist() == [9.0, 1.5]
    assert reach.most_charge_kwh == pytest.approx([0.5 / 0.95, 1.5])
    assert reach.most_discharge_kwh == pytest.approx([1.0, 0.95])
    assert reach.least_charge_kwh.tolist() == [0, 0]


def test_a_round_trip_gives_back_the_product_of_both_efficiencies():
    units = batteries(eta_charge=0.9, eta_discharge=0.8)
    level, charged, _ = step_batteries(np.array([2.0]), np.array([4.0]), units, 1.0)
    back, _, discharged = step_batteries(level, -4.0 * 0.9 * 0.8 * np.ones(1), units, 1.0)
    assert back[0] == pytest.approx(2.0)
    assert discharged[0] / charged[0] == pytest.approx(0.72)


def test_no_units_are_no_problem():
    assert stepped([], [], batteries(0)) == [[], [], []]
    assert len(batteries(0)) == 0


@pytest.mark.parametrize("share", [-0.1, 1.0, 1.5, float("nan")])
def test_self_discharge_that_is_no_share_is_refused_by_value(share):
    units = replace(batteries(2), self_discharge_per_month=np.array([0.02, share]))
    with pytest.raises(ConfigError, match=f"self_discharge_per_month: {share:g} is not a share"):
        units.retention(1.0)
