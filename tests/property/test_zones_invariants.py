"""The eleven invariants of the daily step, on random networks and on the real data."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from energy_sim.zones import kernel as k
from energy_sim.zones.data import load_inputs
from energy_sim.zones.model import Factors, Network, Switches
from energy_sim.zones.norway import norway
from energy_sim.zones.simulator import Period, Settings, opening_level, run_days
from tests.zones.cases import runs

IMPORTS = [k.P2H1, k.P2H2, k.P4H1, k.P4H2]


@pytest.fixture(autouse=True, scope="module")
def compiled():
    k.compile_kernel()


def check_invariants(network: Network, period: Period, switches: Switches, inflow_is_positive: bool = True) -> None:
    s = period.series
    big = max(1.0, float(np.abs(s).max()))
    near = {"rtol": 1e-12, "atol": 1e-9 * big}
    zone = k.pack(network).zones
    opening = np.concatenate([period.opening_mwh[None], s[:-1, :, k.LEVEL]])
    hydro = s[:, :, k.LOCAL_HYDRO] + s[:, :, k.EXPORTED_HYDRO]
    imported = s[:, :, IMPORTS].sum(axis=2)
    level = s[:, :, k.LEVEL]
    assert (s[:, :, [c for c in range(k.COLUMNS) if c != k.INFLOW]] >= 0).all()
    # 1 demand is covered or unmet
    covered = s[:, :, k.WIND_USED] + imported + s[:, :, k.LOCAL_HYDRO] + s[:, :, k.UNMET]
    np.testing.assert_allclose(covered, s[:, :, k.DEMAND], **near)
    # 2 wind is used or surplus
    if switches.wind:
        np.testing.assert_allclose(s[:, :, k.WIND_USED] + s[:, :, k.WIND_EXPORT], s[:, :, k.WIND_POTENTIAL], **near)
    else:
        assert not s[:, :, [k.WIND_USED, k.WIND_EXPORT]].any()
    # 3 water balance, 4 efficiency, 5 headroom
    water = opening - s[:, :, k.WATER_USED] - s[:, :, k.SPILL] + s[:, :, k.INFLOW] + s[:, :, k.DRY_SHORTFALL]
    np.testing.assert_allclose(water, level, **near)
    np.testing.assert_allclose(zone[:, k.ETA] * s[:, :, k.WATER_USED], hydro, **near)
    headroom = np.minimum(zone[:, k.PMAX], zone[:, k.ETA] * np.maximum(0, opening - zone[:, k.SMIN]))
    assert (hydro <= headroom + 1e-9 * big).all()
    # 6 storage stays within bounds
    assert (level <= zone[:, k.SMAX]).all()
    if inflow_is_positive:
        assert (level >= np.minimum(opening, zone[:, k.SMIN]) - 1e-9 * big).all()
    # 7 link capacities and routes, 8 records sum to metrics
    sent_by, got_by = np.zeros(s.shape[:2]), np.zeros((*s.shape[:2], 4))
    wind_sent = np.zeros(s.shape[:2])
    index = {name: i for i, name in enumerate(network.ids)}
    capacity = {}
    for link in network.links:
        name = f"{link.source}>{link.target}"
        capacity[name] = capacity.get(name, 0.0) + link.capacity_mwh_per_day
    left_by_route = []
    for t in range(len(s)):
        used: dict[str, float] = {}
        for record in period.transfers_of(t):
            path = [record.supplier, *([record.transit_zone] if record.transit_zone else []), record.importer]
            assert [name for name, _ in record.links] == [f"{a}>{b}" for a, b in pairwise(path)]
            assert len(record.links) == record.hops
            assert record.hops == 1 or switches.two_hop
            assert len(set(path)) == len(path)
            for name, amount in record.links:
                used[name] = used.get(name, 0.0) + amount
            assert -1e-9 * big <= record.sent_mwh - record.delivered_mwh
            column = (record.phase == 4) * 2 + (record.hops == 2)
            got_by[t, index[record.importer], column] += record.delivered_mwh
            (wind_sent if record.source == "wind" else sent_by)[t, index[record.supplier]] += record.sent_mwh
        for name, amount in used.items():
            assert amount <= capacity[name] + 1e-9 * big
        left_by_route.append(used)
    np.testing.assert_allclose(got_by, s[:, :, IMPORTS], **near)
    np.testing.assert_allclose(sent_by, s[:, :, k.EXPORTED_HYDRO], **near)
    np.testing.assert_allclose(wind_sent, s[:, :, k.WIND_SHARED], **near)
    # 9 spill only when full
    assert (level[s[:, :, k.SPILL] > 0] == np.broadcast_to(zone[:, k.SMAX], level.shape)[s[:, :, k.SPILL] > 0]).all()
    # 10 with import 2 and hydro on, unmet demand means that no route is left alive
    if switches.import_phase2 and switches.local_hydro:
        _check_no_live_route(network, period, headroom - hydro, switches, 1e-9 * big)


def _check_no_live_route(network, period, headroom_left, switches, slack):
    for t, z in zip(*np.nonzero(period.series[:, :, k.UNMET] > 1e-6 + slack), strict=True):
        left = np.array([link.capacity_mwh_per_day for link in network.links])
        begin = int(period.trace_end[t - 1]) if t else 0
        for row in period.trace[begin : int(period.trace_end[t])]:
            route = network.routes[int(row[k.ROUTE])]
            left[route.link1] -= row[k.SENT]
            if route.link2 >= 0:
                left[route.link2] -= row[k.SENT] * (1 - network.links[route.link1].loss_factor)
        for route in network.routes:
            if route.importer != z or (route.link2 >= 0 and not switches.two_hop):
                continue
            room = min(headroom_left[t, route.supplier] - period.series[t, route.supplier, k.UNMET], left[route.link1])
            if route.link2 >= 0:
                room = min(room, left[route.link2] / (1 - network.links[route.link1].loss_factor))
            assert room <= 1e-6 + 10 * slack


@settings(max_examples=500, deadline=None)
@given(runs())
def test_invariants_hold_on_random_networks(case):
    network, inputs, switches, factors = case
    level = opening_level(network, inputs, factors.reservoir)
    days = len(inputs.dates)
    chosen = Settings(switches, factors)
    period = run_days(network, inputs, chosen, level, 0, days)
    check_invariants(network, period, switches)
    # 11 all at once = day by day = without trace, bit for bit
    now, rows = level, []
    for t in range(days):
        day = run_days(network, inputs, chosen, now, t, t + 1)
        now = day.series[-1, :, k.LEVEL]
        rows.append(day.series[0])
    assert np.array_equal(np.stack(rows), period.series)
    assert np.array_equal(untraced(network, inputs, chosen, level), period.series)


def untraced(network, inputs, chosen, level):
    days, zones = inputs.demand_mwh.shape
    series, none = np.empty((days, zones, k.COLUMNS)), np.empty((0, zones))
    factors = np.array([chosen.factors.wind, chosen.factors.consumption, chosen.factors.inflow])
    k.simulate(
        chosen.switches.flags, *k.pack(network), level.copy(), inputs.wind_mwh, inputs.demand_mwh, inputs.inflow_mwh,
        factors, 0, days, series, none, none, np.zeros((zones, k.COLUMNS)), np.empty((0, k.TRACE_COLUMNS)),
        np.empty(0, np.int64),
    )  # fmt: skip
    return series


@pytest.mark.parametrize(
    "switches",
    [
        Switches(),
        Switches(share_wind=True, balance_levels=True),
        Switches(two_hop=False),
        Switches(import_phase1=False),
    ],
    ids=["all", "options", "direct", "late"],
)
def test_invariants_hold_on_real_data(real_data, switches):
    network = norway()
    inputs = load_inputs([real_data / "norway" / "input"], network, date(2016, 1, 1), 2557)
    period = run_days(network, inputs, Settings(switches), inputs.initial_level_mwh, 0, 2557)
    check_invariants(network, period, switches, inflow_is_positive=bool((inputs.inflow_mwh >= 0).all()))


def test_a_change_of_settings_leaves_earlier_days_untouched(shipped_input):
    from energy_sim.zones.simulator import simulate_period

    network = norway()
    inputs = load_inputs([shipped_input], network, date(2016, 1, 1), 120)
    before = simulate_period(network, inputs, {0: Settings()})
    changed = {0: Settings(), 60: Settings(Switches(import_phase2=False), Factors(consumption=1.2))}
    after = simulate_period(network, inputs, changed)
    assert np.array_equal(before.series[:60], after.series[:60])
    assert not np.array_equal(before.series[60:], after.series[60:])
    assert np.array_equal(after.series, simulate_period(network, inputs, changed).series)
