"""One step of the community: own batteries, pool, grid limits and what they leave undone, with numbers by hand."""

import time
from dataclasses import replace

import numpy as np
import pytest

from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.dispatch import execute, own_battery_request
from energy_sim.trading.model import Market, Storage
from tests.devices.test_battery import batteries

MARKET = Market(fee_eur_per_kwh=0.01, min_trade_kwh=0.0, voll_eur_per_kwh=10.0, end_value_eur_per_kwh=0.0)
PERFECT = {"eta_charge": 1.0, "eta_discharge": 1.0}  # batteries without losses: numbers that can be followed
QUANTITIES = ("grid_buy_kwh", "grid_sell_kwh", "p2p_buy_kwh", "p2p_sell_kwh", "curtailed_kwh", "unserved_kwh")


def storage_of(owner, level=5.0, **values) -> Storage:
    """One unit per owner named, see `batteries`; all at the same level."""
    count = len(owner)
    units = batteries(count, **(PERFECT | values))
    names = tuple(f"simple_{n}" for n in range(1, count + 1))
    levels = np.broadcast_to(np.float64(level), count).copy()
    return Storage(units, np.array(owner, np.int64), ("simple",) * count, names, levels)


def done(
    load, pv, request=(), storage=None, buy=0.3, sell=0.1, import_kwh=np.inf, export_kwh=np.inf, trade=True, **market
):
    """The flows of a step of one hour; batteries begin at their initial level."""
    storage = storage or storage_of([])
    return execute(
        np.array(load, float),
        np.array(pv, float),
        storage.initial_kwh,
        np.array(request, float),
        storage,
        buy,
        sell,
        import_kwh,
        export_kwh,
        replace(MARKET, **market),
        1.0,
        trade,
    )


def told(flows, *names):
    """Quantities as lists, rounded past what additions leave over."""
    return [np.round(getattr(flows, name), 9).tolist() for name in names]


def test_a_surplus_charges_the_own_battery_and_a_deficit_discharges_it():
    storage = storage_of([0, 1, 2])
    own = own_battery_request(np.array([1.0, 3, 9]), np.array([3.0, 1, 0]), storage.initial_kwh, storage, 1.0)
    assert own == pytest.approx([2, -2, -4.5])  # the last can give 4.5 kWh above its floor


def test_several_units_of_a_home_share_in_proportion_to_what_each_can_take():
    storage = storage_of([0, 0, 1], level=[5.0, 8.5, 5.0])  # room of 4.5, 1 and 4.5 kWh
    own = own_battery_request(np.array([0.0, 0]), np.array([2.2, 2.2]), storage.initial_kwh, storage, 1.0)
    assert own == pytest.approx([1.8, 0.4, 2.2])
    out = own_battery_request(np.array([20.0, 0]), np.array([0.0, 0]), storage.initial_kwh, storage, 1.0)
    assert out == pytest.approx([-4.5, -5, 0])  # power limits the second to 5 kWh


def test_a_home_without_battery_asks_for_nothing():
    storage = storage_of([1])
    own = own_battery_request(np.array([5.0, 0]), np.array([0.0, 0]), storage.initial_kwh, storage, 1.0)
    assert own.tolist() == [0]


def test_without_trade_everybody_turns_to_the_grid():
    flows = done([3, 0], [0, 2], trade=False)
    assert told(flows, *QUANTITIES) == [[3, 0], [0, 2], [0, 0], [0, 0], [0, 0], [0, 0]]
    assert len(flows.traded_kwh) == 0


def test_with_trade_the_pool_takes_what_it_can_and_the_grid_the_rest():
    flows = done([3, 0, 1], [0, 2, 0])
    assert told(flows, *QUANTITIES) == [[1.5, 0, 0.5], [0, 0, 0], [1.5, 0, 0.5], [0, 2, 0], [0, 0, 0], [0, 0, 0]]
    assert (flows.seller.tolist(), flows.buyer.tolist(), flows.traded_kwh.tolist()) == ([1, 1], [0, 2], [1.5, 0.5])


def test_batteries_do_what_is_asked_and_their_energy_is_traded():
    storage = storage_of([0, 1])
    flows = done([0, 1], [4, 0], [3, -3], storage)
    assert told(flows, "unit_charge_kwh", "unit_discharge_kwh", "stored_kwh") == [[3, 0], [0, 3], [8, 2]]
    assert told(flows, "grid_sell_kwh", "p2p_sell_kwh") == [[1, 2], [0, 0]]
    flows = done([0, 5], [4, 0], [3, -3], storage)
    assert told(flows, "grid_buy_kwh", "p2p_buy_kwh", "p2p_sell_kwh") == [[0, 1], [0, 1], [1, 0]]


@pytest.mark.parametrize(("fee", "traded"), [(0.19, 2.0), (0.2, 0.0), (0.5, 0.0)])
def test_trade_that_saves_no_more_than_its_fee_does_not_happen(fee, traded):
    assert done([3, 0], [0, 2], buy=0.3, sell=0.1, fee_eur_per_kwh=fee).p2p_buy_kwh.sum() == pytest.approx(traded)


def test_trade_too_dear_happens_as_far_as_the_grid_forces_it():
    dear = {"fee_eur_per_kwh": 1.0}
    assert done([3, 0], [0, 2], import_kwh=2.5, **dear).p2p_buy_kwh.sum() == pytest.approx(0.5)
    assert done([3, 0], [0, 2], export_kwh=0.7, **dear).p2p_buy_kwh.sum() == pytest.approx(1.3)
    flows = done([3, 0], [0, 2], import_kwh=0.5, export_kwh=0.7, **dear)
    assert told(flows, *QUANTITIES) == [[0.5, 0], [0, 0], [2, 0], [0, 2], [0, 0], [0.5, 0]]


def test_what_cannot_be_imported_is_unserved_in_proportion():
    flows = done([6, 3, 0], [0, 0, 3], import_kwh=2)
    assert told(flows, "p2p_buy_kwh", "grid_buy_kwh", "unserved_kwh") == [
        [2, 1, 0],
        pytest.approx([4 / 3, 2 / 3, 0]),
        pytest.approx([8 / 3, 4 / 3, 0]),
    ]


def test_without_trade_a_neighbours_surplus_does_not_save_from_being_unserved():
    flows = done([6, 0], [0, 6], import_kwh=2, trade=False)
    assert told(flows, "grid_buy_kwh", "unserved_kwh", "grid_sell_kwh") == [[2, 0], [4, 0], [0, 6]]


def test_charging_is_cut_in_proportion_before_anybody_goes_without():
    flows = done([2, 2, 0], [0, 0, 0], [3, 1, 2], storage_of([0, 1, 2]), import_kwh=7)
    assert told(flows, "unit_charge_kwh") == [[1.5, 0.5, 1]]  # 10 wanted, 3 too many of 6 that charge
    assert told(flows, "grid_buy_kwh", "unserved_kwh") == [[3.5, 2.5, 1], [0, 0, 0]]
    flows = done([2, 2, 0], [0, 0, 0], [3, 1, 2], storage_of([0, 1, 2], level=0.5), import_kwh=1)  # at their floor
    assert told(flows, "unit_charge_kwh", "grid_buy_kwh", "unserved_kwh") == [[0, 0, 0], [0.5, 0.5, 0], [1.5, 1.5, 0]]


def test_batteries_give_what_they_still_have_before_anybody_goes_without():
    flows = done([4, 2, 0], [0, 0, 0], [0, 0], storage_of([0, 2], level=2.0), import_kwh=4)
    assert told(flows, "unit_discharge_kwh", "unserved_kwh") == [[1, 1], [0, 0, 0]]  # each could give 1.5
    flows = done([4, 2, 0], [0, 0, 0], [0, 0], storage_of([0, 2], level=2.0), import_kwh=1)
    assert told(flows, "unit_discharge_kwh") == [[1.5, 1.5]]
    assert flows.unserved_kwh.sum() == pytest.approx(2)
    alone = done([4, 2, 0], [0, 0, 0], [0, 0], storage_of([0, 2], level=2.0), import_kwh=4, trade=False)
    assert told(alone, "unit_discharge_kwh") == [[1.5, 0]]  # without a pool only its own household has it
    assert alone.unserved_kwh.sum() == pytest.approx(0.5)


def test_with_trade_a_home_that_charges_its_own_pv_gives_it_to_one_that_lacks():
    flows = done([3, 0], [0, 3], [3], storage_of([1]), import_kwh=1)
    assert told(flows, "unit_charge_kwh", "p2p_buy_kwh", "grid_buy_kwh", "unserved_kwh") == [
        [1],
        [2, 0],
        [1, 0],
        [0, 0],
    ]


def test_without_trade_only_charging_from_the_grid_is_cut():
    flows = done([3, 0], [0, 3], [2, 3], storage_of([0, 1], level=0.5), import_kwh=1, trade=False)
    assert told(flows, "unit_charge_kwh", "grid_buy_kwh", "unserved_kwh") == [[0, 3], [1, 0], [2, 0]]
    flows = done([0, 0], [2, 3], [4, 3], storage_of([0, 1]), import_kwh=1, trade=False)
    assert told(flows, "unit_charge_kwh", "grid_buy_kwh", "unserved_kwh") == [[3, 3], [1, 0], [0, 0]]


def test_charging_that_keeps_a_unit_in_its_window_is_not_cut():
    storage = storage_of([0], level=0.5, self_discharge_per_month=0.5)
    flows = done([0], [0], [2], storage, import_kwh=0)
    lost = 0.5 * (1 - 0.5 ** (1 / 730.5))
    assert flows.unit_charge_kwh == pytest.approx([lost])
    assert flows.unserved_kwh == pytest.approx([lost])
    assert flows.stored_kwh == pytest.approx([0.5])
    assert flows.grid_buy_kwh.tolist() == [0]


def test_beside_charging_that_must_be_the_rest_is_cut_just_as_far_as_needed():
    storage = storage_of([0, 1], level=[0.5, 5.0], self_discharge_per_month=[0.5, 0.0])
    flows = done([1, 1], [0, 0], [0, 4], storage, import_kwh=3)
    lost = 0.5 * (1 - 0.5 ** (1 / 730.5))
    assert flows.unit_charge_kwh == pytest.approx([lost, 1 - lost])
    assert flows.unserved_kwh.tolist() == [0, 0]


def test_what_cannot_be_exported_is_curtailed_in_proportion():
    flows = done([0, 0, 2], [6, 2, 0], export_kwh=3)
    assert told(flows, "p2p_sell_kwh", "grid_sell_kwh", "curtailed_kwh") == [
        [1.5, 0.5, 0],
        [2.25, 0.75, 0],
        [2.25, 0.75, 0],
    ]


def test_discharging_is_cut_before_pv_is_curtailed():
    flows = done([0, 0], [4, 0], [-3], storage_of([1]), export_kwh=5)
    assert told(flows, "unit_discharge_kwh", "grid_sell_kwh", "curtailed_kwh") == [[1], [4, 1], [0, 0]]
    flows = done([0, 0], [4, 0], [-3], storage_of([1]), export_kwh=1)
    assert told(flows, "unit_discharge_kwh", "grid_sell_kwh", "curtailed_kwh") == [[0], [1, 0], [3, 0]]


def test_a_battery_serves_its_own_home_as_planned_while_a_neighbours_pv_is_curtailed():
    flows = done([3, 0], [0, 5], [-3], storage_of([0]), export_kwh=4)
    assert told(flows, "unit_discharge_kwh", "p2p_buy_kwh", "grid_sell_kwh") == [[3], [0, 0], [0, 4]]
    assert told(flows, "curtailed_kwh") == [[0, 1]]


def test_with_trade_a_battery_that_feeds_the_pool_rests_before_pv_is_curtailed():
    flows = done([1, 0, 1], [0, 5, 0], [-3], storage_of([0]), export_kwh=4)  # 2 of the 3 kWh are for others
    assert told(flows, "unit_discharge_kwh", "p2p_buy_kwh", "grid_sell_kwh") == [[1], [0, 0, 1], [0, 4, 0]]
    assert flows.curtailed_kwh.sum() == 0


def test_without_trade_the_battery_of_a_home_that_lacks_goes_on():
    flows = done([3, 0], [0, 5], [-3], storage_of([0]), export_kwh=4, trade=False)
    assert told(flows, "unit_discharge_kwh", "grid_sell_kwh", "curtailed_kwh") == [[3], [0, 4], [0, 1]]


def test_nobody_pays_to_feed_in():
    flows = done([0, 1], [4, 0], [2, -5], storage_of([0, 1]), sell=-0.05)
    assert told(flows, "unit_discharge_kwh", "p2p_buy_kwh") == [[0, 1], [0, 0]]  # what would leave the home does not
    assert told(flows, "grid_sell_kwh", "curtailed_kwh", "unit_charge_kwh") == [[0, 0], [2, 0], [2, 0]]


def test_at_a_price_of_0_feeding_in_goes_on():
    assert told(done([0], [4], sell=0.0), "grid_sell_kwh", "curtailed_kwh") == [[4], [0]]


def test_below_0_the_fee_is_held_against_what_curtailing_is_worth():
    assert done([3, 0], [0, 2], buy=0.1, sell=-0.5, fee_eur_per_kwh=0.2).p2p_buy_kwh.sum() == 0
    assert done([3, 0], [0, 2], buy=0.3, sell=-0.5, fee_eur_per_kwh=0.2).p2p_buy_kwh.sum() == pytest.approx(2)


def test_below_0_a_closed_pool_leaves_no_battery_feeding_in():
    flows = done([2, 0], [0, 0], [-1, -3], storage_of([0, 1]), buy=0.1, sell=-0.1, fee_eur_per_kwh=0.5)
    assert told(flows, "unit_discharge_kwh", "grid_buy_kwh", "grid_sell_kwh") == [[1, 0], [1, 0], [0, 0]]


def test_below_0_a_limit_of_export_forces_nobody_to_buy_dearly_what_can_be_curtailed():
    flows = done([3, 0], [0, 2], buy=0.1, sell=-0.1, fee_eur_per_kwh=0.5, export_kwh=0)
    assert told(flows, "grid_buy_kwh", "p2p_buy_kwh", "curtailed_kwh") == [[3, 0], [0, 0], [0, 2]]


def test_a_static_key_leaves_unused_shares_to_the_grid():
    flows = done([1, 5, 0, 0], [0, 0, 6, 2], key="static")
    assert told(flows, "p2p_buy_kwh", "grid_buy_kwh") == [[1, 2, 0, 0], [0, 3, 0, 0]]
    assert told(flows, "p2p_sell_kwh", "grid_sell_kwh") == [[0, 0, 2.25, 0.75], [0, 0, 3.75, 1.25]]


def test_a_static_key_gives_way_to_the_limits_of_the_grid():
    flows = done([1, 5, 0, 0], [0, 0, 6, 2], key="static", import_kwh=1)
    assert told(flows, "p2p_buy_kwh", "grid_buy_kwh") == [[1, 4, 0, 0], [0, 1, 0, 0]]
    assert told(flows, "p2p_sell_kwh") == [[0, 0, 3.75, 1.25]]
    assert flows.unserved_kwh.sum() == 0


def test_small_trades_go_to_the_grid():
    flows = done([0, 0.004], [0.004, 0], min_trade_kwh=0.01)
    assert len(flows.traded_kwh) == 0
    flows = done([3, 0.004, 0], [0, 0, 5], min_trade_kwh=0.01)
    assert (flows.seller.tolist(), flows.buyer.tolist()) == ([2], [0])
    assert told(flows, "p2p_buy_kwh", "grid_buy_kwh", "grid_sell_kwh") == [[3, 0, 0], [0, 0.004, 0], [0, 0, 2]]


def test_small_trades_stay_where_the_grid_has_no_room_for_them():
    for limit in ({"import_kwh": 0.0}, {"export_kwh": 1.996}):
        flows = done([3, 0.004, 0], [0, 0, 5], min_trade_kwh=0.01, **limit)
        assert told(flows, "p2p_buy_kwh", "unserved_kwh") == [[3, 0.004, 0], [0, 0, 0]]


def test_what_a_dropped_trade_leaves_is_curtailed_below_0():
    for export_kwh in (np.inf, 0.0):
        flows = done([0.004, 0], [0, 0.004], min_trade_kwh=0.01, sell=-0.1, export_kwh=export_kwh)
        assert told(flows, "grid_buy_kwh", "grid_sell_kwh", "curtailed_kwh") == [[0.004, 0], [0, 0], [0, 0.004]]


def test_without_batteries_and_without_anything_to_do_nothing_happens():
    flows = done([0, 0], [0, 0], import_kwh=0, export_kwh=0)
    assert told(flows, *QUANTITIES) == [[0, 0]] * 6


@pytest.mark.parametrize("name", ["load", "pv", "request"])
def test_what_is_not_a_number_is_refused_with_its_place(name):
    values = {"load": [1, 1], "pv": [0, 0], "request": [0, 0]}
    values[name] = [1, float("nan")]
    with pytest.raises(DataError, match=rf"{name}_kwh\[1\]: not a number"):
        done(**values, storage=storage_of([0, 1]))


def test_an_unknown_key_is_refused():
    with pytest.raises(ConfigError, match="allocation_key: 'fair'"):
        done([1, 0], [0, 1], key="fair")


@pytest.mark.parametrize("key", ["dynamic", "static"])
def test_a_step_of_a_thousand_homes_takes_less_than_two_milliseconds(key):
    rng = np.random.default_rng(5)
    homes = 1000
    storage = storage_of([*range(homes), *range(homes)], eta_charge=0.95, self_discharge_per_month=0.02)
    load, pv, request = rng.random(homes), 2 * rng.random(homes), rng.normal(size=2 * homes)
    seconds = []
    for _ in range(30):
        began = time.perf_counter()
        flows = done(load, pv, request, storage, export_kwh=20.0, min_trade_kwh=0.01, key=key)
        seconds.append(time.perf_counter() - began)
    assert len(flows.traded_kwh) > 100
    assert min(seconds) < 0.002
