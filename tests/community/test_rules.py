"""What the controls of a street accept, and what settings mean to the physics and to the street's memory."""

import math

import numpy as np
import pytest

from energy_sim.community.model import PRICE_NAMES, World
from energy_sim.community.rules import REMEMBERED_S, turned
from energy_sim.devices.appliances import ManualStart
from energy_sim.errors import DataError
from tests.community.test_live import rules_at, street

T = 1_780_000_000
USUAL = {"house_values": ({"appliances": ["ev"]}, {"appliances": []})}


@pytest.fixture(scope="module")
def live():
    return street(houses=5, **USUAL)


@pytest.mark.parametrize(
    ("control", "value", "used"),
    [
        ("time_scale", 1, 1.0),
        ("time_scale", 3600, 3600.0),
        ("flex_load_probability", 0, 0.0),
        ("pv_variation", "disabled", "disabled"),
        ("price_grid_delivery", 0, 0.0),
        ("price_house_consumption", 1000, 1000.0),
        ("pv_kwp.house_3", 0, 0.0),
        ("pv_kwp.house_5", 100, 100.0),
        ("base_load_kwh.house_1", 4321.5, 4321.5),
        ("start.house_1.ev", 1, 1),
        ("start.house_1.ev", 7.0, 7),
    ],
)
def test_good_values_are_used_as_numbers_of_one_kind(live, control, value, used):
    found = live.check(control, value)
    assert (found, type(found)) == (used, type(used))


@pytest.mark.parametrize("name", PRICE_NAMES)
def test_zero_is_a_price_and_text_is_none(live, name):
    assert live.check(name, 0) == 0.0
    assert math.copysign(1, live.check(name, -0.0)) == 1  # never shown as -0
    with pytest.raises(DataError, match=rf"^{name}: '30' is no number; give a price from 0 to 1000 ct/kWh$"):
        live.check(name, "30")


@pytest.mark.parametrize(
    ("control", "value", "says"),
    [
        ("time_scale", 0.99, "time_scale: 0.99 is below the limit; give a number from 1 to 3600 simulated seconds"),
        ("time_scale", 3601, "time_scale: 3601 is above the limit; give a number from 1 to 3600"),
        ("time_scale", True, "time_scale: True is no number; give a number from 1 to 3600"),
        ("time_scale", None, "time_scale: None is no number; give a number from 1 to 3600"),
        ("time_scale", math.inf, "time_scale: inf is no number; give a number from 1 to 3600"),
        ("time_scale", 10**400, "time_scale: 1000000000"),
        ("flex_load_probability", 1.01, "flex_load_probability: 1.01 is above the limit; give a number from 0 to 1"),
        ("flex_load_probability", math.nan, "flex_load_probability: nan is no number; give a number from 0 to 1"),
        ("pv_variation", "off", "pv_variation: 'off' is neither enabled nor disabled; give one of them"),
        ("pv_variation", True, "pv_variation: True is neither enabled nor disabled; give one of them"),
        ("pv_variation", ["enabled"], "pv_variation: ['enabled'] is neither enabled nor disabled; give one of them"),
        ("price_grid_delivery", -0.01, "price_grid_delivery: -0.01 is outside 0 to 1000; give a price in ct/kWh"),
        ("price_grid_consumption", 1000.1, "price_grid_consumption: 1000.1 is outside 0 to 1000; give a price"),
        ("price_pv_delivery", math.nan, "price_pv_delivery: nan is outside 0 to 1000; give a price in ct/kWh"),
        ("price_house_consumption", True, "price_house_consumption: 'True' is no number; give a price from 0 to 1000"),
        ("price_house_consumption", None, "price_house_consumption: 'None' is no number; give a price from 0 to 1000"),
        ("pv_kwp.house_3", -1, "pv_kwp.house_3: -1 is below the limit; give a number from 0 to 100 kWp"),
        ("pv_kwp.house_3", 100.5, "pv_kwp.house_3: 100.5 is above the limit; give a number from 0 to 100 kWp"),
        ("pv_kwp.house_3", math.nan, "pv_kwp.house_3: nan is no number; give a number from 0 to 100 kWp"),
        ("pv_kwp.house_3", True, "pv_kwp.house_3: True is no number; give a number from 0 to 100 kWp"),
        ("pv_kwp.house_3", "8", "pv_kwp.house_3: '8' is no number; give a number from 0 to 100 kWp"),
        ("pv_kwp.house_6", 8, "pv_kwp.house_6: house 'house_6': there is none; the street has house_1 to house_5"),
        ("base_load_kwh.house_1", 1e6, "base_load_kwh.house_1: 1000000.0 is above the limit; give a number from 0 to"),
        ("base_load_kwh.nobody", 1, "base_load_kwh.nobody: house 'nobody': there is none; the street has house_1 to"),
        ("start.house_1.ev", 0, "start.house_1.ev: 0 is below the limit; give a whole number from 1"),
        ("start.house_1.ev", 1.5, "start.house_1.ev: 1.5 is no whole number; give a whole number from 1"),
        ("start.house_1.ev", True, "start.house_1.ev: True is no number; give a whole number from 1"),
        ("start.house_1.ev", 10**400, "start.house_1.ev: 1000000000"),
        ("start.house_1.sauna", 1, "start.house_1.sauna: 'sauna' is no appliance; choose among dishwasher, washing"),
        ("start.house_1.dishwasher", 1, "start.house_1.dishwasher: house_1 has no dishwasher; it has ev"),
        ("start.house_2.ev", 1, "start.house_2.ev: house_2 has no ev; it has no appliance"),
        ("start.house_9.ev", 1, "start.house_9.ev: house 'house_9': there is none; the street has house_1 to house_5"),
        ("pv_kwp", 8, "community.pv_kwp: there is no such control; give one of time_scale, pv_variation, "),
        ("start", 1, "community.start: there is no such control; give one of "),
        ("houses", 8, "community.houses: there is no such control; give one of "),
        ("tilt_deg.house_1", 8, "community.tilt_deg.house_1: there is no such control; give one of "),
        ("", 8, "community.: there is no such control; give one of "),
    ],
)
def test_a_bad_value_is_refused_with_control_limit_and_mend_in_one_line(live, control, value, says):
    with pytest.raises(DataError) as refused:
        live.check(control, value)
    message = str(refused.value)
    assert message.startswith(says)
    assert "\n" not in message
    assert "give " in message or "choose " in message or "has " in message


def test_settings_become_milliseconds_prices_and_arrays_of_the_houses(live):
    rules = rules_at(live, {"time_scale": 2.5, "price_pv_delivery": 0.0, "pv_kwp.house_3": 0.0, "start.house_1.ev": 4})
    assert (rules.dt_ms, rules.clouds, rules.probability) == (2500, True, 1.0)
    assert rules.prices.pv_delivery_ct_per_kwh == 0.0
    assert rules.starts == (("start.house_1.ev", 4, 0, 2),)
    assert rules.base_load_kwh is None
    usual = live.houses.pv_kwp
    assert np.delete(rules.pv_kwp, 2).tolist() == np.delete(usual, 2).tolist()
    assert rules.pv_kwp[2] == 0.0
    assert usual is not rules.pv_kwp  # a copy: the street's own stays


def opened(time_s, **changes):
    return World(**{"time_ms": 1000 * time_s, "probability": ((float(T), 1.0),), "started": (), "begun": (), **changes})


def test_the_world_is_the_same_object_while_nothing_new_is_set(live):
    world = opened(T)
    assert turned(world, rules_at(live, {})) is world
    started = turned(world, rules_at(live, {"start.house_1.ev": 3}))
    assert started == opened(T, started=(ManualStart(T, 0, 2),), begun=(("start.house_1.ev", 3),))
    assert turned(started, rules_at(live, {"start.house_1.ev": 3})) is started
    later = opened(T + 60, started=started.started, begun=started.begun)
    again = turned(later, rules_at(live, {"start.house_1.ev": 4}))
    assert again.started == (ManualStart(T, 0, 2), ManualStart(T + 60, 0, 2))
    assert again.begun == (("start.house_1.ev", 4),)


def test_a_share_of_runs_acts_from_its_moment_and_old_ones_are_forgotten_when_they_act_no_more(live):
    world = turned(opened(T + 10), rules_at(live, {"flex_load_probability": 0.5}))
    assert world.probability == ((T, 1.0), (T + 10, 0.5))
    much_later = T + 10 + round(REMEMBERED_S)
    old = opened(much_later, probability=world.probability, started=(ManualStart(T + 10, 0, 2),))
    new = turned(old, rules_at(live, {"flex_load_probability": 0.25}))
    assert new.probability == ((T + 10, 0.5), (much_later, 0.25))
    assert new.started == ()
    nearly = opened(much_later - 1, probability=world.probability, started=(ManualStart(T + 10, 0, 2),))
    kept = turned(nearly, rules_at(live, {"flex_load_probability": 0.25}))
    assert kept.probability == ((T, 1.0), (T + 10, 0.5), (much_later - 1, 0.25))
    assert kept.started == (ManualStart(T + 10, 0, 2),)
