"""Houses of a street: drawn alike whatever follows, mixed in any stretch, powers a function of the moment alone."""

import random
from dataclasses import fields
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from energy_sim.devices.appliances import APPLIANCES, NAMES, ManualStart
from energy_sim.devices.house import Conditions, HouseModel, Powers, in_tenths, make_houses
from energy_sim.devices.sky import Place
from energy_sim.devices.values import ApplianceValues, HouseValues
from energy_sim.errors import ConfigError

ZURICH = ZoneInfo("Europe/Zurich")
NOON = 1_783_679_400.0  # 2026-07-10 12:30 there
DAY_S = 86_400.0
ARRAYS = ("pv_kwp", "azimuth_deg", "tilt_deg", "base_load_kwh", "shift_s")
EV = NAMES.index("ev")


def model(count=12, seed=3, own=()):
    return HouseModel(make_houses(count, seed, own), Place(47.38, 8.54), ZURICH, seed)


def test_a_street_is_what_was_promised_of_it():
    houses = make_houses(5000, 1)
    roofs = houses.pv_kwp[houses.pv_kwp > 0]
    assert len(roofs) / 5000 == pytest.approx(0.7, abs=0.01)
    assert (roofs.min(), roofs.max()) == (3.0, 10.0)
    assert np.array_equal(houses.pv_kwp, np.round(houses.pv_kwp, 1))
    for name, low, high in (("azimuth_deg", 135, 225), ("tilt_deg", 20, 40), ("base_load_kwh", 2000, 6000)):
        values = getattr(houses, name)
        assert (values.min(), values.max()) == pytest.approx((low, high), rel=0.005)
    assert houses.base_load_kwh.mean() == pytest.approx(3600, rel=0.02)
    assert np.abs(houses.shift_s).max() <= 45 * 60
    assert abs(houses.shift_s.mean()) < 60
    for a, kind in enumerate(APPLIANCES):
        owners = houses.fleet.power_w[:, a] > 0
        assert owners.mean() == pytest.approx(kind.share, abs=0.01)
        assert set(houses.fleet.power_w[owners, a]) == {kind.power_w}
        assert set(houses.fleet.duration_s[owners, a]) == {kind.duration_s}
        assert (houses.fleet.runs_per_week[~owners] == 0)[:, a].all()


@pytest.mark.parametrize("seed", range(20))
def test_a_small_street_is_mixed_too(seed):
    houses = make_houses(10, seed)
    assert 6 <= (houses.pv_kwp > 0).sum() <= 8
    assert 2 <= (houses.fleet.power_w[:, EV] > 0).sum() <= 4


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_the_first_houses_do_not_depend_on_how_many_follow(seed):
    few, many = make_houses(7, seed), make_houses(400, seed)
    assert many.ids[:7] == few.ids == tuple(f"house_{i}" for i in range(1, 8))
    for name in ARRAYS:
        assert getattr(many, name)[:7].tolist() == getattr(few, name).tolist()
    for of in fields(few.fleet):
        assert getattr(many.fleet, of.name)[:7].tolist() == getattr(few.fleet, of.name).tolist()
    assert make_houses(7, seed + 1 if seed < 9 else 5).pv_kwp.tolist() != few.pv_kwp.tolist()


def test_own_values_replace_what_was_drawn_and_leave_the_rest():
    own = (
        HouseValues(pv_kwp=0.0, house_id="Mill-2"),
        HouseValues(),
        HouseValues(azimuth_deg=90.0, tilt_deg=0.0, base_load_kwh=0.0),
    )
    drawn, given = make_houses(5, 8), make_houses(5, 8, own)
    assert given.ids == ("Mill-2", "house_2", "house_3", "house_4", "house_5")
    assert given.pv_kwp.tolist() == [0.0, *drawn.pv_kwp[1:]]
    assert [given.azimuth_deg[2], given.tilt_deg[2], given.base_load_kwh[2]] == [90.0, 0.0, 0.0]
    for name in ("azimuth_deg", "tilt_deg", "base_load_kwh"):
        assert np.delete(getattr(given, name), 2).tolist() == np.delete(getattr(drawn, name), 2).tolist()
    assert given.fleet.power_w.tolist() == drawn.fleet.power_w.tolist()


def test_named_appliances_are_exactly_those_a_house_has():
    own = (
        HouseValues(appliances={}),
        HouseValues(appliances={"ev": ApplianceValues(), "heat_pump": ApplianceValues(runs_per_week=0.0)}),
        HouseValues(appliances={"ev": ApplianceValues(power_w=3700.0, energy_kwh=7.4, runs_per_week=5.0)}),
        HouseValues(appliances={"dishwasher": ApplianceValues(power_w=2200.0)}),
        HouseValues(appliances={"dishwasher": ApplianceValues(energy_kwh=2.2)}),
    )
    fleet = make_houses(5, 1, own).fleet
    assert fleet.power_w.tolist() == [
        [0, 0, 0, 0], [0, 0, 11_000, 2200], [0, 0, 3700, 0], [2200, 0, 0, 0], [550, 0, 0, 0],
    ]  # fmt: skip
    assert fleet.duration_s[:, EV].tolist() == pytest.approx([0, 25 / 11 * 3600, 7200, 0, 0])
    assert fleet.duration_s[3:, 0].tolist() == pytest.approx([1800, 14_400])  # 1.1 kWh at 2.2 kW, 2.2 kWh at 0.55 kW
    assert fleet.runs_per_week.tolist() == [[0, 0, 0, 0], [0, 0, 3, 0], [0, 0, 5, 0], [3.5, 0, 0, 0], [3.5, 0, 0, 0]]


@pytest.mark.parametrize(
    ("ids", "twice"), [(("a", "b", "a"), "a"), (("house_2",), "house_2"), (("house_3", "b"), "house_3")]
)
def test_two_houses_of_one_id_are_refused(ids, twice):
    with pytest.raises(
        ConfigError, match=rf"house_values: house_id '{twice}' is given to two houses; give each its own"
    ):
        make_houses(4, 1, tuple(HouseValues(house_id=name) for name in ids))


def test_ids_may_change_places():
    houses = make_houses(2, 1, (HouseValues(house_id="house_2"), HouseValues(house_id="house_1")))
    assert houses.ids == ("house_2", "house_1")


def test_powers_are_whole_tenths_and_the_net_is_what_is_left():
    pv, base = np.array([1000.04, 0.0, 0.0]), np.array([0.0, 0.0, 300.26])
    powers = Powers(in_tenths(pv), in_tenths(base), in_tenths(np.array([[0.0, 0.05], [0.0, 0.0], [11_000.0, 550.14]])))
    assert powers.flex_w.tolist() == [0.0, 0.0, 11_550.1]
    assert powers.net_w.tolist() == [1000.0, 0.0, -11_850.4]
    assert not np.signbit(powers.net_w[1])
    shown = model().powers(NOON, 60.0, Conditions())
    for values in (shown.pv_w, shown.base_w, shown.appliance_w, shown.flex_w, shown.net_w):
        assert np.array_equal(values, np.round(values, 1))
    assert shown.net_w == pytest.approx(shown.pv_w - shown.base_w - shown.flex_w, abs=1e-6)


def test_sun_and_base_load_of_a_moment_do_not_depend_on_the_length_of_the_tick():
    street = model(60)
    second, minute, hour = (street.powers(NOON - dt / 2, dt, Conditions()) for dt in (1.0, 60.0, 3600.0))
    assert second.pv_w.sum() > 20_000
    for other in (minute, hour):
        assert other.pv_w.tolist() == second.pv_w.tolist()
        assert other.base_w.tolist() == second.base_w.tolist()


def test_any_order_of_asking_gives_the_same_powers():
    moments = [NOON + 7777.0 * i for i in range(60)] + [NOON + 40 * DAY_S * i for i in range(10)]
    conditions = Conditions(probability=((0.0, 1.0), (NOON + DAY_S, 0.5)), started=(ManualStart(NOON + 60, 2, 0),))
    first = {t: model_powers(street, t, conditions) for street in [model()] for t in moments}
    random.Random(1).shuffle(moments)
    other = model()
    assert all(model_powers(other, t, conditions) == first[t] for t in moments)
    assert len({str(powers) for powers in first.values()}) == len(first)


def model_powers(street, time_s, conditions, dt_s=60.0):
    powers = street.powers(time_s, dt_s, conditions)
    return powers.pv_w.tolist(), powers.base_w.tolist(), powers.appliance_w.tolist()


def test_other_seeds_give_other_weather_base_load_and_runs():
    one, other = model(seed=3), HouseModel(make_houses(12, 3), Place(47.38, 8.54), ZURICH, 4)
    a, b = (street.powers(NOON, 7200.0, Conditions()) for street in (one, other))
    roofs = one.houses.pv_kwp > 0
    assert (a.pv_w[roofs] != b.pv_w[roofs]).all()
    assert (a.base_w != b.base_w).all()
    assert (a.appliance_w != b.appliance_w).any()


def test_conditions_replace_sizes_switch_clouds_off_and_thin_runs():
    street = model()
    usual = street.powers(NOON, 7200.0, Conditions())
    twice = Conditions(pv_kwp=2 * street.houses.pv_kwp, base_load_kwh=0 * street.houses.base_load_kwh)
    changed = street.powers(NOON, 7200.0, twice)
    assert changed.pv_w == pytest.approx(2 * usual.pv_w, abs=0.2)
    assert changed.base_w.tolist() == [0.0] * 12
    assert changed.appliance_w.tolist() == usual.appliance_w.tolist()
    assert usual.appliance_w.sum() > 0
    assert street.powers(NOON, 7200.0, Conditions(probability=((0.0, 0.0),))).appliance_w.sum() == 0
    steady = [street.powers(NOON + 60 * i, 60.0, Conditions(clouds=False)).pv_w.sum() for i in range(30)]
    moving = [street.powers(NOON + 60 * i, 60.0, Conditions()).pv_w.sum() for i in range(30)]
    assert np.abs(np.diff(steady, 2)).max() < 2.0  # as smooth as the sun's way
    assert np.abs(np.diff(moving, 2)).max() > 10.0
    night = street.powers(NOON + DAY_S / 2, 60.0, Conditions(clouds=False))
    assert night.pv_w.tolist() == [0.0] * 12
    assert night.base_w.min() > 0


def test_what_remains_of_a_run_includes_those_that_wait():
    street = model(2, own=tuple(HouseValues(appliances={"ev": ApplianceValues(runs_per_week=0.0)}) for _ in range(2)))
    conditions = Conditions(started=(ManualStart(NOON, 1, EV), ManualStart(NOON + 60, 1, EV)))
    charge = 25 / 11 * 3600
    assert street.remaining_s(NOON - 1, conditions, 1).tolist() == [0.0] * 4
    assert street.remaining_s(NOON + 30, conditions, 1)[EV] == pytest.approx(charge - 30)
    assert street.remaining_s(NOON + 90, conditions, 1)[EV] == pytest.approx(2 * charge - 90)
    assert street.remaining_s(NOON + 2 * charge + 1, conditions, 1)[EV] == 0.0
    assert street.remaining_s(NOON + 90, conditions, 0).tolist() == [0.0] * 4


def test_panels_look_to_the_equator_on_both_sides_of_it():
    north, south = (make_houses(50, 7, latitude_deg=latitude).azimuth_deg for latitude in (47.0, -33.9))
    assert ((north >= 135) & (north <= 225)).all()
    assert (((south >= 315) | (south <= 45)) & (south < 360)).all()
    assert ((north + south) % 360 == 180).all()


@pytest.mark.parametrize("count", [3, 5, 8])
def test_every_small_street_has_roofs_with_and_without_panels_or_nearly_so(count):
    owners = [int((make_houses(count, seed).pv_kwp > 0).sum()) for seed in range(200)]
    assert min(owners) >= 1
    assert set(owners) <= {round(0.7 * count) - 1, round(0.7 * count), round(0.7 * count) + 1}


def test_an_appliance_that_would_hardly_rest_is_refused():
    own = HouseValues.model_validate({"appliances": {"ev": {"power_w": 2300, "energy_kwh": 60, "runs_per_week": 5}}})
    with pytest.raises(ConfigError, match=r"ev: 5 runs of 26\.1 h take 78 % of a week, more than 40 %; give"):
        make_houses(1, 1, (own,))
