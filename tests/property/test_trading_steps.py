"""What holds in every step of any community, whatever is asked of its batteries and whatever the grid allows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from energy_sim.devices.battery import Batteries, step_batteries
from energy_sim.trading.dispatch import execute, own_battery_request
from energy_sim.trading.matching import match_trades, share_pool
from energy_sim.trading.model import Market, Storage

CLOSE_KWH = 1e-9
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

energies = st.one_of(st.just(0.0), st.floats(0, 100), st.floats(0, 0.02))
limits = st.one_of(st.just(0.0), st.just(np.inf), st.floats(0, 20), st.floats(0, 1000))
prices = st.one_of(st.floats(-1, 1), st.sampled_from([0.0, 0.1, 0.3]))
requests = st.one_of(st.floats(-10, 10), st.sampled_from([0.0, np.inf, -np.inf, 1e300, -1e12]))
powers = st.one_of(st.floats(1, 20), st.floats(1, 1000))  # enough to make up for any self-discharge


def table(count, elements):
    return arrays(np.float64, count, elements=elements, fill=st.nothing())


@st.composite
def communities(draw):
    """Everything `execute` wants but the rules of the market and the grid; levels are inside their windows."""
    homes = draw(st.integers(1, 12))
    owner = draw(st.lists(st.integers(0, homes - 1), max_size=16))
    units = len(owner)
    capacity = draw(table(units, st.floats(0.1, 200)))
    low = draw(table(units, st.floats(0, 0.5))) * capacity
    high = draw(table(units, st.floats(0.5, 1))) * capacity
    level = draw(table(units, st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))))
    stored = np.clip(low + level * (high - low), low, high)
    battery = Batteries(
        capacity_kwh=capacity,
        soc_min_kwh=low,
        soc_max_kwh=high,
        charge_kw=draw(table(units, powers)),
        discharge_kw=draw(table(units, powers)),
        eta_charge=draw(table(units, st.floats(0.5, 1))),
        eta_discharge=draw(table(units, st.floats(0.5, 1))),
        self_discharge_per_month=draw(table(units, st.one_of(st.just(0.0), st.floats(0, 0.5)))),
        wear_eur_per_kwh=np.zeros(units),
    )
    storage = Storage(battery, np.array(owner, np.int64), ("simple",) * units, ("simple_1",) * units, stored)
    load, pv = draw(table(homes, energies)), draw(table(homes, energies))
    request = draw(table(units, requests))
    dt_h = draw(st.sampled_from([0.25, 1.0, 3.0]))
    if draw(st.booleans()):
        request = own_battery_request(load, pv, stored, storage, dt_h)
    return load, pv, stored, request, storage, dt_h


@st.composite
def rules(draw):
    """Prices, limits, market and whether there is a pool."""
    market = Market(
        fee_eur_per_kwh=draw(st.sampled_from([0.0, 0.01, 0.15, 2.0])),
        min_trade_kwh=draw(st.sampled_from([0.0, 0.01, 1.0, 1e6])),
        voll_eur_per_kwh=10.0,
        end_value_eur_per_kwh=0.0,
        key=draw(st.sampled_from(["dynamic", "static"])),
    )
    return draw(prices), draw(prices), draw(limits), draw(limits), market, draw(st.booleans())


def carried_out(community, rule):
    load, pv, stored, request, storage, dt_h = community
    buy, sell, import_kwh, export_kwh, market, trade = rule
    return execute(load, pv, stored, request, storage, buy, sell, import_kwh, export_kwh, market, dt_h, trade)


def by_home(storage, values, homes):
    return np.bincount(storage.owner, values, homes)


@SETTINGS
@given(communities(), rules())
def test_every_household_balances_and_no_quantity_is_below_0(community, rule):
    load, pv, _, _, storage, _ = community
    flows = carried_out(community, rule)
    charge = by_home(storage, flows.unit_charge_kwh, len(load))
    discharge = by_home(storage, flows.unit_discharge_kwh, len(load))
    spent = load + charge + flows.grid_sell_kwh + flows.p2p_sell_kwh + flows.curtailed_kwh
    got = pv + flows.grid_buy_kwh + flows.p2p_buy_kwh + discharge + flows.unserved_kwh
    assert np.abs(spent - got).max() <= CLOSE_KWH
    for name in flows.__slots__:
        assert np.isfinite(getattr(flows, name)).all(), name
        assert (getattr(flows, name) >= 0).all(), name
    assert (flows.curtailed_kwh <= pv).all()
    event(f"unserved {flows.unserved_kwh.sum() > 0}, curtailed {flows.curtailed_kwh.sum() > 0}")
    event(f"trades {len(flows.traded_kwh) > 0}")


@SETTINGS
@given(communities(), rules())
def test_the_limits_of_the_grid_hold_and_nothing_is_unserved_or_curtailed_below_them(community, rule):
    _, sell, import_kwh, export_kwh, _, _ = rule
    flows = carried_out(community, rule)
    bought, sold = flows.grid_buy_kwh.sum(), flows.grid_sell_kwh.sum()
    assert bought <= import_kwh + CLOSE_KWH
    assert sold <= (export_kwh if sell >= 0 else 0) + CLOSE_KWH
    if flows.unserved_kwh.sum() > 0:
        assert bought == pytest.approx(import_kwh, abs=CLOSE_KWH)
    if flows.curtailed_kwh.sum() > 0 and sell >= 0:
        assert sold == pytest.approx(export_kwh, abs=CLOSE_KWH)


@SETTINGS
@given(communities(), rules())
def test_batteries_stay_in_window_and_power_and_lose_nothing_unaccounted(community, rule):
    _, _, stored, request, storage, dt_h = community
    flows, units = carried_out(community, rule), storage.units
    charge, discharge = flows.unit_charge_kwh, flows.unit_discharge_kwh
    assert (flows.stored_kwh >= units.soc_min_kwh - CLOSE_KWH).all()
    assert (flows.stored_kwh <= units.soc_max_kwh + CLOSE_KWH).all()
    assert (charge <= units.charge_kw * dt_h + CLOSE_KWH).all()
    assert (discharge <= units.discharge_kw * dt_h + CLOSE_KWH).all()
    assert (np.minimum(charge, discharge) == 0).all()
    left = units.retention(dt_h) * stored + units.eta_charge * charge - discharge / units.eta_discharge
    assert np.abs(flows.stored_kwh - left).max(initial=0) <= CLOSE_KWH
    _, most_charge, most_discharge = step_batteries(stored, request, units, dt_h)
    assert (charge <= most_charge + CLOSE_KWH).all(), "more was charged than asked"
    if flows.grid_buy_kwh.sum() < rule[2] - 1e-6:  # below the limit of import
        assert (discharge <= most_discharge + CLOSE_KWH).all(), "more was discharged than asked"


@SETTINGS
@given(communities(), rules())
def test_trades_add_up_to_what_each_household_bought_and_sold(community, rule):
    load, *_ = community
    *_, market, trade = rule
    flows = carried_out(community, rule)
    homes, kwh = len(load), flows.traded_kwh
    assert np.abs(np.bincount(flows.buyer, kwh, homes) - flows.p2p_buy_kwh).max() <= CLOSE_KWH
    assert np.abs(np.bincount(flows.seller, kwh, homes) - flows.p2p_sell_kwh).max() <= CLOSE_KWH
    assert flows.p2p_buy_kwh.sum() == pytest.approx(flows.p2p_sell_kwh.sum(), abs=CLOSE_KWH)
    assert ((flows.p2p_buy_kwh == 0) | (flows.p2p_sell_kwh == 0)).all()
    assert len(kwh) <= max(0, np.count_nonzero(flows.p2p_buy_kwh) + np.count_nonzero(flows.p2p_sell_kwh) - 1)
    assert trade or len(kwh) == 0
    _, _, import_kwh, export_kwh, _, _ = rule
    if np.isinf(import_kwh) and np.isinf(export_kwh):
        assert (kwh >= market.min_trade_kwh).all()


@SETTINGS
@given(communities(), rules())
def test_with_a_pool_nobody_goes_without_while_a_neighbour_feeds_in_or_charges(community, rule):
    _, _, stored, _, storage, dt_h = community
    *rest, market, _ = rule
    flows = carried_out(community, (*rest, replace(market, min_trade_kwh=0.0), True))
    if flows.unserved_kwh.sum() > CLOSE_KWH:
        assert flows.grid_sell_kwh.sum() + flows.curtailed_kwh.sum() <= CLOSE_KWH
        _, kept_in_window, _ = step_batteries(stored, np.zeros(len(stored)), storage.units, dt_h)
        assert (flows.unit_charge_kwh <= kept_in_window + CLOSE_KWH).all()


@SETTINGS
@given(communities())
def test_a_rule_of_self_consumption_neither_buys_to_charge_nor_sells_from_the_battery(community):
    load, pv, stored, _, storage, dt_h = community
    storage = replace(storage, units=replace(storage.units, self_discharge_per_month=np.zeros(len(stored))))
    own = own_battery_request(load, pv, stored, storage, dt_h)
    market = Market(0.01, 0.0, 10.0, 0.0)
    flows = execute(load, pv, stored, own, storage, 0.3, 0.1, np.inf, np.inf, market, dt_h, trade=False)
    assert np.abs(flows.unit_charge_kwh - flows.unit_discharge_kwh - own).max(initial=0) <= CLOSE_KWH
    assert (flows.grid_buy_kwh <= np.maximum(load - pv, 0) + CLOSE_KWH).all()
    assert (flows.grid_sell_kwh <= np.maximum(pv - load, 0) + CLOSE_KWH).all()
    assert ((flows.grid_buy_kwh <= CLOSE_KWH) | (flows.grid_sell_kwh <= CLOSE_KWH)).all()


@SETTINGS
@given(st.data(), st.integers(1, 40), st.sampled_from(["dynamic", "static"]))
def test_shares_and_pairs_of_any_pool_add_up(data, homes, key):
    net = data.draw(
        table(
            homes,
            st.one_of(
                st.just(0.0),
                st.floats(-1e3, 1e3).filter(lambda v: abs(v) > 1e-12),
                st.floats(1e-12, 1e-6),
                st.floats(-1e-6, -1e-12),
            ),
        )
    )
    deficit, surplus = np.maximum(net, 0), np.maximum(-net, 0)
    most = min(deficit.sum(), surplus.sum())
    volume = data.draw(st.one_of(st.just(0.0), st.floats(1e-9, 1))) * most
    bought, sold = share_pool(deficit, surplus, volume, key)
    assert (bought <= deficit).all()
    assert (sold <= surplus).all()
    assert bought.sum() <= volume * (1 + 1e-12)
    assert bought.sum() == pytest.approx(sold.sum(), rel=1e-12, abs=1e-300)
    seller, buyer, kwh = match_trades(bought, sold)
    assert np.abs(np.bincount(buyer, kwh, homes) - bought).max() <= 1e-12 * volume
    assert np.abs(np.bincount(seller, kwh, homes) - sold).max() <= 1e-12 * volume
    assert (kwh > 0).all()
