"""The daily step: numbers worked out by hand, and agreement with the plain-Python reference."""

import numpy as np
import pytest
from hypothesis import given, settings

from energy_sim.zones import kernel as k
from energy_sim.zones.model import Factors, Link, Network, Switches
from energy_sim.zones.simulator import Settings, opening_level, run_days
from tests.zones.cases import make_inputs, make_zone, runs
from tests.zones.reference import reference_day


@pytest.fixture(autouse=True, scope="module")
def compiled():
    k.compile_kernel()


def one_day(network, wind, demand, inflow=None, switches=None):
    inputs = make_inputs(network, [wind], [demand], [inflow or [0.0] * len(demand)])
    return run_days(network, inputs, Settings(switches or Switches()), inputs.initial_level_mwh, 0, 1)


def test_wind_is_used_first_and_the_surplus_leaves_without_touching_links():
    network = Network((make_zone("A"), make_zone("B")), (Link("A", "B", 100.0),))
    day = one_day(network, wind=[80.0, 0.0], demand=[50.0, 30.0])
    assert day.series[0, 0, [k.WIND_USED, k.WIND_EXPORT, k.LOCAL_HYDRO]].tolist() == [50.0, 30.0, 0.0]
    assert day.series[0, 1, [k.LOCAL_HYDRO, k.UNMET]].tolist() == [30.0, 0.0]
    assert len(day.trace) == 0


def test_forced_exporter_supplies_in_phase_2_and_the_rest_comes_from_local_hydro():
    full = make_zone("A", initial_level_mwh=850.0)  # exactly at the threshold: at or above counts
    network = Network((make_zone("B"), full), (Link("A", "B", 60.0, 0.1),))
    day = one_day(network, wind=[0.0, 0.0], demand=[100.0, 20.0])
    (transfer,) = day.transfers_of(0)
    assert (transfer.phase, transfer.supplier, transfer.importer, transfer.hops) == (2, "A", "B", 1)
    assert transfer.sent_mwh == 60.0
    assert transfer.delivered_mwh == pytest.approx(54.0)
    assert transfer.bound_by == "first_link"
    assert day.series[0, 0, k.LOCAL_HYDRO] == pytest.approx(46.0)
    assert day.series[0, 1, k.LEVEL] == pytest.approx(850.0 - 60.0 - 20.0)


def test_supplier_keeps_what_it_needs_itself():
    full = make_zone("A", initial_level_mwh=900.0)
    network = Network((make_zone("B", hydro_max_daily_production_mwh=0.0), full), (Link("A", "B", 1000.0),))
    day = one_day(network, wind=[0.0, 0.0], demand=[500.0, 150.0])
    assert day.series[0, 1, k.EXPORTED_HYDRO] == pytest.approx(50.0)
    assert day.series[0, 1, k.LOCAL_HYDRO] == pytest.approx(150.0)
    assert day.series[0, 0, k.UNMET] == pytest.approx(450.0)
    assert [t.bound_by for t in day.transfers_of(0)] == ["own_need"]


def test_two_hop_route_pays_both_losses_and_respects_the_second_link():
    zones = (
        make_zone("C", hydro_max_daily_production_mwh=0.0),
        make_zone("T", hydro_max_daily_production_mwh=0.0),
        make_zone("S"),
    )
    network = Network(zones, (Link("S", "T", 100.0, 0.2), Link("T", "C", 40.0, 0.5)))
    day = one_day(network, wind=[0.0] * 3, demand=[100.0, 0.0, 0.0])
    (transfer,) = day.transfers_of(0)
    assert (transfer.phase, transfer.hops, transfer.transit_zone) == (4, 2, "T")
    assert transfer.sent_mwh == pytest.approx(50.0)  # 40 MWh at the second link's sending end / 0.8
    assert transfer.delivered_mwh == pytest.approx(20.0)
    assert [name for name, _ in transfer.links] == ["S>T", "T>C"]
    assert [amount for _, amount in transfer.links] == pytest.approx([50.0, 40.0])
    assert transfer.bound_by == "second_link"
    off = one_day(network, [0.0] * 3, [100.0, 0.0, 0.0], switches=Switches(two_hop=False))
    assert len(off.trace) == 0
    assert off.series[0, 0, k.UNMET] == 100.0


def test_fuller_supplier_goes_first_and_ties_follow_the_order_of_routes():
    zones = (
        make_zone("C", hydro_max_daily_production_mwh=0.0),
        make_zone("A"),
        make_zone("B", initial_level_mwh=600.0),
    )
    links = (Link("A", "C", 500.0), Link("B", "C", 500.0))
    day = one_day(Network(zones, links), [0.0] * 3, [250.0, 0.0, 0.0])
    assert [(t.supplier, t.sent_mwh) for t in day.transfers_of(0)] == [("B", 200.0), ("A", 50.0)]
    level = (zones[0], zones[1], make_zone("B"))
    day = one_day(Network(level, links), [0.0] * 3, [250.0, 0.0, 0.0])
    assert [t.supplier for t in day.transfers_of(0)] == ["A", "B"]


def test_turbines_or_water_are_named_as_the_limit():
    links = (Link("A", "B", 1000.0),)
    thirsty = make_zone("B", hydro_max_daily_production_mwh=0.0)
    by_turbines = one_day(Network((thirsty, make_zone("A")), links), [0.0, 0.0], [900.0, 0.0])
    by_water = one_day(Network((thirsty, make_zone("A", initial_level_mwh=150.0)), links), [0.0, 0.0], [900.0, 0.0])
    assert by_turbines.transfers_of(0)[0].bound_by == "turbines"
    assert by_water.transfers_of(0)[0].bound_by == "water"
    assert by_water.transfers_of(0)[0].sent_mwh == 50.0


def test_today_inflow_is_not_available_today_and_overflow_is_spilled():
    network = Network((make_zone("A", initial_level_mwh=100.0),), ())
    day = one_day(network, [0.0], [30.0], [1000.0])
    assert day.series[0, 0, [k.UNMET, k.SPILL, k.LEVEL]].tolist() == [30.0, 100.0, 1000.0]


def test_negative_inflow_below_zero_is_booked_as_dry_shortfall():
    network = Network((make_zone("A", initial_level_mwh=50.0),), ())
    day = one_day(network, [0.0], [0.0], [-80.0])
    assert day.series[0, 0, [k.DRY_SHORTFALL, k.LEVEL]].tolist() == [30.0, 0.0]


def test_efficiency_turns_electricity_into_more_water():
    network = Network((make_zone("A", hydro_efficiency=0.8),), ())
    day = one_day(network, [0.0], [100.0])
    assert day.series[0, 0, k.WATER_USED] == pytest.approx(125.0)
    assert day.series[0, 0, k.LEVEL] == pytest.approx(375.0)


def test_share_wind_offers_surplus_before_any_water():
    network = Network((make_zone("A"), make_zone("B", initial_level_mwh=950.0)), (Link("B", "A", 500.0),))
    switches = Switches(share_wind=True)
    day = one_day(network, wind=[0.0, 90.0], demand=[100.0, 40.0], switches=switches)
    wind, water = day.transfers_of(0)
    assert (wind.source, wind.sent_mwh, wind.bound_by) == ("wind", 50.0, "wind")
    assert (water.source, water.sent_mwh) == ("hydro", 50.0)
    assert day.series[0, 1, [k.WIND_USED, k.WIND_EXPORT, k.WIND_SHARED]].tolist() == [40.0, 50.0, 50.0]


def test_balance_levels_lets_a_fuller_reservoir_supply_below_the_threshold():
    network = Network((make_zone("A", initial_level_mwh=300.0), make_zone("B")), (Link("B", "A", 70.0),))
    assert one_day(network, [0.0, 0.0], [100.0, 0.0]).series[0, 0, k.P2H1] == 0.0
    balanced = one_day(network, [0.0, 0.0], [100.0, 0.0], switches=Switches(balance_levels=True))
    assert balanced.series[0, 0, [k.P2H1, k.LOCAL_HYDRO]].tolist() == [70.0, 30.0]


def test_too_few_trace_rows_are_reported_not_dropped():
    network = Network((make_zone("B", hydro_max_daily_production_mwh=0.0), make_zone("A")), (Link("A", "B", 10.0),))
    inputs = make_inputs(network, [[0.0, 0.0]] * 2, [[50.0, 0.0]] * 2, [[0.0, 0.0]] * 2)
    none, z = np.empty((0, 2)), 2
    result = k.simulate(
        Switches().flags, *k.pack(network), inputs.initial_level_mwh.copy(), inputs.wind_mwh, inputs.demand_mwh,
        inputs.inflow_mwh, np.ones(3), 0, 2, np.empty((0, z, k.COLUMNS)), none, none, np.zeros((z, k.COLUMNS)),
        np.empty((1, k.TRACE_COLUMNS)), np.empty(0, np.int64),
    )  # fmt: skip
    assert result == k.NO_TRACE_ROWS_LEFT


@settings(max_examples=150, deadline=None)
@given(runs())
def test_kernel_equals_the_plain_reference_to_rounding(case):
    network, inputs, switches, factors = case
    level = opening_level(network, inputs, factors.reservoir)
    period = run_days(network, inputs, Settings(switches, factors), level, 0, len(inputs.dates))
    now = dict(zip(network.ids, level, strict=True))
    for t in range(len(inputs.dates)):
        row = [
            dict(zip(network.ids, a[t], strict=True)) for a in (inputs.wind_mwh, inputs.demand_mwh, inputs.inflow_mwh)
        ]
        day = reference_day(network, now, *row, switches, factors)
        expected = [
            [day.wind_used[z], day.surplus[z], day.shared[z], day.local[z], day.exported[z],
             day.imported[z, 2, 1], day.imported[z, 2, 2], day.imported[z, 4, 1], day.imported[z, 4, 2],
             day.unmet[z], day.water[z], day.spill[z], day.short[z], day.level[z]]
            for z in network.ids
        ]  # fmt: skip
        columns = [k.WIND_USED, k.WIND_EXPORT, k.WIND_SHARED, k.LOCAL_HYDRO, k.EXPORTED_HYDRO, k.P2H1, k.P2H2, k.P4H1,
                   k.P4H2, k.UNMET, k.WATER_USED, k.SPILL, k.DRY_SHORTFALL, k.LEVEL]  # fmt: skip
        np.testing.assert_allclose(period.series[t][:, columns], expected, rtol=1e-12, atol=1e-9)
        got = [(r.phase, r.supplier, r.importer, r.transit_zone) for r in period.transfers_of(t)]
        assert got == [transfer[:4] for transfer in day.transfers]
        amounts = [(r.sent_mwh, r.delivered_mwh) for r in period.transfers_of(t)]
        np.testing.assert_allclose(
            np.array(amounts).reshape(-1, 2), np.array([tr[4:] for tr in day.transfers]).reshape(-1, 2), atol=1e-9
        )
        now = dict(zip(network.ids, period.series[t, :, k.LEVEL], strict=True))


@settings(max_examples=25, deadline=None)
@given(runs())
def test_uncompiled_source_gives_the_same_bits(case):
    network, inputs, switches, factors = case
    level = opening_level(network, inputs, factors.reservoir)
    chosen = Settings(switches, factors)
    period = run_days(network, inputs, chosen, level, 0, len(inputs.dates))
    k._compiled.clear()
    try:
        plain = run_days(network, inputs, chosen, level, 0, len(inputs.dates))
    finally:
        k._compiled.set()
    assert np.array_equal(period.series, plain.series)
    assert np.array_equal(period.trace, plain.trace)


def test_factors_multiply_the_series():
    network = Network((make_zone("A"),), ())
    inputs = make_inputs(network, [[10.0]], [[100.0]], [[40.0]])
    period = run_days(network, inputs, Settings(factors=Factors(2.0, 3.0, 0.5, 1.0)), inputs.initial_level_mwh, 0, 1)
    found = period.series[0, 0, [k.DEMAND, k.WIND_POTENTIAL, k.INFLOW]].tolist()
    assert found == [200.0, 30.0, 20.0]
