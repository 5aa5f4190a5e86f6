"""Physics of homes: balances hold exactly, orders and limits bind in the next step, names decide what a home is."""

import numpy as np
import pytest

from energy_sim.agents.home.homes import (
    Nature,
    car_arrives,
    make_homes,
    no_orders,
    set_soc,
    start_state,
    step_homes,
    unlimited,
    voltage_pu,
)
from energy_sim.agents.home.surroundings import Village, forecast_kw
from energy_sim.agents.model import BATTERY, EV, LOAD, SOLAR
from energy_sim.errors import ConfigError

PLACE, ZONE, NOON_S = (47.38, 8.54), "Europe/Zurich", 1783503000.0


def homes_of(*ids, roles=None):
    return make_homes(ids, ("transformer_A",) * len(ids), 1, roles)


def given(load_kw, sun_kw, count=1):
    return Nature(np.full(count, load_kw), np.full(count, sun_kw))


def one_step(homes, state, nature, orders=None, allowed=None, dt_s=60.0):
    orders_kw = no_orders(homes)
    allowed_kw = unlimited(homes) if allowed is None else np.full(len(homes), allowed)
    for kind, kw in (orders or {}).items():
        orders_kw[:, kind] = kw
    return step_homes(homes, state, nature, dt_s, orders_kw, allowed_kw)


def test_a_home_is_the_same_alone_and_among_others():
    names = tuple(f"home_{n}" for n in range(1, 51))
    street, alone = homes_of(*names), homes_of("home_7")
    at = [Village(homes, PLACE, ZONE, 1).at(NOON_S, 60.0) for homes in (street, alone)]
    assert at[0].load_kw[6] == at[1].load_kw[0] > 0
    assert at[0].sun_kw[6] == at[1].sun_kw[0] > 0
    assert street.batteries.capacity_kwh[6] == alone.batteries.capacity_kwh[0]
    assert len(set(at[0].load_kw.tolist())) > 45  # and they differ from each other
    assert alone.has.all()
    assert 30 < street.has[:, BATTERY].sum() < 50  # some have none


def test_energy_is_conserved_at_the_meter_and_in_the_batteries_under_random_orders():
    homes = homes_of(*(f"h{n}" for n in range(20)), "b", roles=("home",) * 20 + ("battery",))
    village, rng, time_s, dt_s = Village(homes, PLACE, ZONE, 1), np.random.default_rng(5), NOON_S, 600.0
    state = start_state(homes, time_s)
    for k in range(20):
        state = car_arrives(homes, state, k, 9.0)
    asked_kwh, charged, discharged = state.ev_kwh.copy(), 0.0, 0.0
    limits = np.where(rng.random(21) < 0.3, 2.0, np.inf)
    for _ in range(150):
        orders = np.where(rng.random((21, 4)) < 0.4, rng.uniform(-6, 6, (21, 4)), np.nan)
        before = state.stored_kwh
        state, flows = step_homes(homes, state, village.at(time_s, dt_s), dt_s, orders, limits)
        battery_kwh = flows.power_kw[:, BATTERY] * dt_s / 3600
        into, out = np.maximum(battery_kwh, 0), np.maximum(-battery_kwh, 0)
        kept = homes.batteries.retention(dt_s / 3600) * before
        assert np.allclose(state.stored_kwh, kept + 0.95 * into - out / 0.95, atol=1e-12)
        charged, discharged, time_s = charged + into, discharged + out, time_s + dt_s
        for low, high in ((flows.min_kw, flows.max_kw), (homes.nameplate_min_kw, homes.nameplate_max_kw)):
            for value in (flows.power_kw, flows.wanted_kw):
                assert (value >= low - 1e-9).all()
                assert (value <= high + 1e-9).all()
        over = flows.net_kw - limits
        assert np.allclose(np.maximum(over, 0), flows.excess_kw, atol=1e-9)
    assert np.allclose(state.import_kwh - state.export_kwh, state.resource_kwh.sum(axis=1), atol=1e-9)
    assert np.allclose(asked_kwh - state.ev_kwh, state.resource_kwh[:, EV], atol=1e-9)
    assert np.allclose(state.resource_kwh[:, BATTERY], charged - discharged, atol=1e-9)
    assert state.curtailed_kwh.sum() > 10
    assert (state.resource_kwh[:20, SOLAR] < -1).all()


def test_a_home_battery_covers_load_less_sun_and_not_the_car():
    homes = homes_of("home_1")
    state = car_arrives(homes, start_state(homes, NOON_S), 0, 5.0)
    _, flows = one_step(homes, state, given(2.0, 0.5))
    assert flows.power_kw[0].tolist() == pytest.approx([2.0, 11.0, -1.5, -0.5])
    _, flows = one_step(homes, start_state(homes, NOON_S), given(0.5, 2.0))
    assert flows.net_kw[0] == pytest.approx(0.0)


def test_orders_bind_in_the_next_step_and_change_the_net_power_by_just_as_much():
    homes = homes_of("home_1")
    state = car_arrives(homes, start_state(homes, NOON_S), 0, 5.0)
    after, free = one_step(homes, state, given(3.0, 1.0))
    _, held = one_step(homes, state, given(3.0, 1.0), {LOAD: 2.0, EV: 4.0, SOLAR: -0.2})
    assert held.power_kw[0, [LOAD, EV, SOLAR]].tolist() == [2.0, 4.0, -0.2]
    assert held.net_kw[0] - free.net_kw[0] == pytest.approx(-1.0 - 7.0 + 0.8)
    assert held.power_kw[0, BATTERY] == free.power_kw[0, BATTERY] == pytest.approx(-2.0)
    assert one_step(homes, state, given(3.0, 1.0), {LOAD: 0.1})[1].power_kw[0, LOAD] == pytest.approx(1.2)  # 40 %
    assert state.ev_kwh[0] - after.ev_kwh[0] == pytest.approx(11 / 60)


def test_the_limit_of_a_home_takes_the_battery_first_then_the_car_then_the_load():
    homes = homes_of("home_1")
    most = homes.batteries.discharge_kw[0]
    state = car_arrives(homes, start_state(homes, NOON_S), 0, 5.0)
    hold = {BATTERY: 0.0}
    wanted = 3.0 + 11.0

    def powers(allowed):
        return one_step(homes, state, given(3.0, 0.0), hold, allowed)[1]

    assert powers(wanted - 1.0).power_kw[0].tolist() == pytest.approx([3.0, 11.0, -1.0, 0.0])
    assert powers(4.2).power_kw[0].tolist() == pytest.approx([3.0, 1.2 + most, -most, 0.0])
    empty = set_soc(homes, state, np.array([True]), np.array([0.0]))
    least = step_homes(homes, empty, given(3.0, 0.0), 60.0, no_orders(homes), np.array([0.5]))[1]
    assert least.power_kw[0, [LOAD, EV]].tolist() == pytest.approx([1.2, 0.0])
    assert least.excess_kw[0] == pytest.approx(0.7, abs=1e-3)


def test_a_battery_agent_has_one_resource_and_stands_still_until_it_is_ordered():
    homes = homes_of("battery_agent_1", roles=("battery",))
    assert [n.id for n in homes.nameplates(0)] == ["battery_agent_1/battery"]
    state, flows = one_step(homes, start_state(homes, 0.0), Village(homes, PLACE, ZONE, 1).at(NOON_S, 60.0))
    assert not flows.power_kw.any()
    state, flows = one_step(homes, state, given(0.0, 0.0), {BATTERY: -8.0}, dt_s=3600.0)
    assert flows.net_kw[0] == -8.0
    assert state.stored_kwh[0] == pytest.approx(10 - 8 / 0.95, abs=0.01)


def test_voltage_falls_over_the_service_cable():
    assert voltage_pu(11.0, 1.0) == pytest.approx(1 - 0.0764 * 11_000 / 160_000)  # 0.53 %
    assert voltage_pu(-10.0, 1.0) > 1 > voltage_pu(10.0, 1.0)


def test_a_forecast_keeps_load_and_clouds_and_moves_the_sun():
    clear, wanted = np.array([[4.0, 4.0, 2.0, 1.0, 0.0]]), np.array([[1.0, 2.0, 0.0, -2.0]])
    assert forecast_kw(clear, wanted, np.array([5.0])).tolist() == [[1.0, 2.0, 2.5, 3.0]]


def test_names_must_be_different():
    with pytest.raises(ConfigError, match="2 ids, 1 of them different"):
        homes_of("a", "a")
