"""Who owns which battery, and how large and strong each share is."""

from collections import Counter

import numpy as np
import pytest

from energy_sim.trading.parameter_groups import BatteryGroup, HouseholdGroup
from energy_sim.trading.storage import assign_storage


def assigned(count=30, seed=1, battery=None, **household):
    return assign_storage(HouseholdGroup(**household), BatteryGroup(**(battery or {})), count, seed)


def test_by_default_every_home_has_a_battery_of_its_own():
    storage = assigned(3)
    assert storage.owner.tolist() == [0, 1, 2]
    assert storage.kind == ("simple",) * 3
    assert storage.battery == ("simple_1", "simple_2", "simple_3")
    units = storage.units
    assert units.capacity_kwh.tolist() == [10] * 3
    assert units.charge_kw.tolist() == units.discharge_kw.tolist() == [5] * 3
    assert (units.soc_min_kwh.tolist(), units.soc_max_kwh.tolist()) == ([0.5] * 3, [9.5] * 3)
    assert storage.initial_kwh.tolist() == [5] * 3
    assert units.wear_eur_per_kwh.tolist() == [0.0365] * 3
    assert units.self_discharge_per_month.tolist() == [0.02] * 3


@pytest.mark.parametrize(
    ("homes", "size", "sizes"),
    [(10, 5, [5, 5]), (12, 5, [5, 5, 2]), (11, 5, [5, 6]), (4, 5, [4]), (2, 2, [2]), (3, 2, [3])],
)
def test_owners_of_shared_batteries_are_grouped_in_order_and_none_is_alone(homes, size, sizes):
    storage = assigned(homes, shared_battery_probability=1.0, homes_per_shared_battery=size)
    assert storage.kind == ("shared",) * homes
    assert storage.owner.tolist() == list(range(homes))
    assert list(storage.battery) == sorted(storage.battery)
    assert list(Counter(storage.battery).values()) == sizes
    assert storage.units.capacity_kwh == pytest.approx([50 / n for n in sizes for _ in range(n)])


def test_a_single_owner_of_a_shared_battery_gets_one_of_its_own():
    storage = assigned(1, shared_battery_probability=1.0)
    assert (storage.kind, storage.battery) == (("simple",), ("simple_1",))
    assert storage.units.capacity_kwh.tolist() == [10]


def test_shares_of_a_battery_have_its_power_together():
    storage = assigned(11, shared_battery_probability=1.0, battery={"shared_capacity_kwh": 80.0, "shared_c_rate": 0.25})
    power = np.array(storage.units.charge_kw)
    names = np.array(storage.battery)
    for name, owners in (("shared_1", 5), ("shared_2", 6)):
        assert (names == name).sum() == owners
        assert power[names == name].sum() == pytest.approx(20.0)
        assert storage.units.capacity_kwh[names == name].sum() == pytest.approx(80.0)


def test_the_central_battery_belongs_to_all_in_equal_shares_with_its_own_efficiency():
    battery = {"central_capacity_kwh": 200.0, "central_c_rate": 0.2, "central_eta_charge": 0.9}
    storage = assigned(4, battery_probability=0.0, battery=battery)
    assert storage.owner.tolist() == [0, 1, 2, 3]
    assert storage.battery == ("central",) * 4
    assert storage.units.capacity_kwh.tolist() == [50] * 4
    assert storage.units.charge_kw.tolist() == [10] * 4
    assert storage.units.eta_charge.tolist() == [0.9] * 4
    assert storage.units.eta_discharge.tolist() == [0.95] * 4


def test_a_home_may_own_a_battery_and_a_share_of_the_central_one():
    storage = assigned(2, battery={"central_capacity_kwh": 100.0})
    assert storage.owner.tolist() == [0, 1, 0, 1]
    assert storage.kind == ("simple", "simple", "central", "central")
    assert storage.units.capacity_kwh.tolist() == [10, 10, 50, 50]


def test_without_batteries_there_are_no_units():
    storage = assigned(5, battery_probability=0.0)
    assert len(storage.units) == len(storage.owner) == 0
    assert storage.owner.dtype == np.int64
    assert storage.initial_kwh.dtype == np.float64


def test_probabilities_are_met_by_many_homes():
    storage = assigned(1000, battery_probability=0.6, shared_battery_probability=0.25)
    assert len(storage.units) == pytest.approx(600, abs=47)  # three standard deviations
    assert Counter(storage.kind)["shared"] == pytest.approx(150, abs=34)


def test_the_seed_decides_and_only_the_seed():
    first, again, other = (assigned(40, seed, battery_probability=0.5).owner.tolist() for seed in (3, 3, 4))
    assert first == again != other


def test_more_homes_and_other_shares_leave_the_first_homes_as_they_were():
    few = assigned(20, battery_probability=0.5).owner
    many = assigned(200, battery_probability=0.5).owner
    shared = assigned(20, battery_probability=0.5, shared_battery_probability=0.5).owner
    assert 0 < len(few) < 20
    assert many[many < 20].tolist() == few.tolist() == sorted(shared.tolist())


def test_who_shares_does_not_depend_on_how_many_homes_there_are():
    few, many = (assigned(count, shared_battery_probability=0.5) for count in (20, 200))
    shared = [
        [int(o) for o, kind in zip(s.owner, s.kind, strict=True) if kind == "shared" and o < 20] for s in (few, many)
    ]
    assert 2 <= len(shared[0]) < 20
    assert shared[0] == shared[1]
