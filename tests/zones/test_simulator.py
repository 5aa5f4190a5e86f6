"""Periods: blocks, changes and warm-up days join into what single days give."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from energy_sim.errors import EnergySimError
from energy_sim.zones import kernel as k
from energy_sim.zones import simulator
from energy_sim.zones.model import Factors, Link, Network, Switches
from energy_sim.zones.simulator import Settings, as_transfer, opening_level, run_days, simulate_period
from tests.zones.cases import make_inputs, make_zone

OFF = Settings(Switches(import_phase2=False))


@pytest.fixture(autouse=True, scope="module")
def compiled():
    k.compile_kernel()


@pytest.fixture
def case():
    """150 days (three trace blocks) of a hungry zone fed by two others, one through the other, with losses."""
    zones = (make_zone("C", hydro_max_daily_production_mwh=20.0), make_zone("T"), make_zone("S"))
    links = (Link("S", "T", 60.0, 0.1), Link("T", "C", 90.0, 0.05))
    network = Network(zones, links)
    t = np.arange(150)
    demand = np.column_stack([100 + 20 * np.sin(t / 9), 30 + 0 * t, 10 + 0 * t])
    return network, make_inputs(network, 15 + 0 * demand, demand, 55 + 0 * demand)


def same(a, b):
    assert np.array_equal(a.series, b.series)
    assert np.array_equal(a.trace, b.trace)
    assert np.array_equal(a.trace_end, b.trace_end)
    assert np.array_equal(a.opening_mwh, b.opening_mwh)
    assert np.array_equal(a.dates, b.dates)


def test_a_period_equals_its_days_one_by_one(case):
    network, inputs = case
    period = simulate_period(network, inputs, {0: Settings()})
    assert len(period.trace) > 150
    assert period.trace_end[-1] == len(period.trace)
    level = inputs.initial_level_mwh
    for day in range(150):
        one = run_days(network, inputs, Settings(), level, day, day + 1)
        assert np.array_equal(one.series[0], period.series[day])
        assert one.transfers_of(0) == period.transfers_of(day)
        assert np.array_equal(period.opening_of(day), level)
        level = one.series[0, :, k.LEVEL]


def test_changes_that_change_nothing_leave_every_bit(case):
    network, inputs = case
    same(
        simulate_period(network, inputs, {0: Settings()}),
        simulate_period(network, inputs, {0: Settings(), 1: Settings(), 64: Settings(), 149: Settings()}),
    )


def test_a_change_acts_from_its_day_on(case):
    network, inputs = case
    plain, changed = (simulate_period(network, inputs, c) for c in ({0: Settings()}, {0: Settings(), 70: OFF}))
    assert np.array_equal(plain.series[:70], changed.series[:70])
    assert changed.series[:70, :, k.P4H1].sum() > 0
    assert changed.series[70:, :, [k.P4H1, k.P4H2]].sum() == 0
    late = changed.trace[changed.trace[:, k.DAY] >= 70]
    assert set(late[:, k.PHASE]) == {2.0}


def test_a_change_after_the_last_day_is_left_out(case):
    network, inputs = case
    same(
        simulate_period(network, inputs, {0: Settings()}, last_day=20),
        simulate_period(network, inputs, {0: Settings(), 21: OFF}, last_day=20),
    )
    assert len(simulate_period(network, inputs, {0: Settings()}, last_day=20).dates) == 21


def test_warm_up_days_are_simulated_and_left_out(case):
    network, inputs = case
    whole, warm = (
        simulate_period(network, inputs, {0: Settings()}),
        simulate_period(network, inputs, {0: Settings()}, 30),
    )
    assert str(warm.dates[0]) == "2016-01-31"
    assert np.array_equal(warm.series, whole.series[30:])
    assert np.array_equal(warm.opening_mwh, whole.series[29, :, k.LEVEL])
    assert warm.transfers_of(0) == whole.transfers_of(30)
    later = simulate_period(network, inputs, {0: Settings(), 5: OFF}, 30)  # day 5 counts after the warm-up
    assert np.array_equal(later.series[:5], whole.series[30:35])
    assert not np.array_equal(later.series[5], whole.series[35])


def test_the_inputs_are_left_alone(case):
    network, inputs = case
    before = [a.copy() for a in (inputs.initial_level_mwh, inputs.wind_mwh, inputs.demand_mwh, inputs.inflow_mwh)]
    simulate_period(network, inputs, {0: Settings(factors=Factors(2, 2, 2, 2))}, 10)
    after = [inputs.initial_level_mwh, inputs.wind_mwh, inputs.demand_mwh, inputs.inflow_mwh]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_opening_level_is_limited_to_the_capacity_and_says_so(caplog):
    network = Network((make_zone("A"), make_zone("B", initial_level_mwh=300.0)), ())
    inputs = make_inputs(network, [[0.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]])
    with caplog.at_level(logging.WARNING, "energy_sim"):
        assert opening_level(network, inputs, 3.0).tolist() == [1000.0, 900.0]
    assert [message for message in caplog.messages if "limited" in message] == [
        "opening level limited zone=A wanted_mwh=1500 given_mwh=1000"
    ]
    assert opening_level(network, inputs, 0.0).tolist() == [0.0, 0.0]


def test_a_trace_row_names_the_way_and_the_energy_on_each_line(case):
    network, _ = case
    row = np.zeros(k.TRACE_COLUMNS)
    row[[k.PHASE, k.ROUTE, k.SENT, k.DELIVERED, k.BOUND]] = 4, 1, 50.0, 42.75, 4
    (two_hop,) = [i for i, route in enumerate(network.routes) if route.hops == 2]
    row[k.ROUTE] = two_hop
    found = as_transfer(network, "2016-01-01", row)
    assert (found.supplier, found.transit_zone, found.importer, found.hops) == ("S", "T", "C", 2)
    assert found.links == (("S>T", 50.0), ("T>C", 45.0))
    assert (found.source, found.bound_by) == ("hydro", "first_link")


@pytest.fixture
def two_zones():
    """A full zone of 100 MWh a day that sends 50 MWh to a neighbour without turbines, with 20 % lost, for two days."""
    full = make_zone("F", initial_level_mwh=900.0, hydro_max_daily_production_mwh=100.0)
    network = Network((full, make_zone("N", hydro_max_daily_production_mwh=0.0)), (Link("F", "N", 50.0, 0.2),))
    return network, make_inputs(network, [[0.0, 5.0]] * 2, [[30.0, 60.0]] * 2, [[0.0, 7.0]] * 2)


def test_at_debug_every_transfer_zone_and_day_is_a_line(two_zones, caplog):
    network, inputs = two_zones
    with caplog.at_level(logging.DEBUG, "energy_sim.zones.simulator"):
        run_days(network, inputs, Settings(), inputs.initial_level_mwh, 1, 2)
    assert [message.split(" date=2016-01-02 ") for message in caplog.messages] == [
        ["transfer", (
            "phase=2 supplier=F importer=N hops=1 transit=- sent_mwh=50.000 delivered_mwh=40.000 links=F>N:50.000"
            " source=hydro bound_by=first_link"
        )],
        ["zone", (
            "zone=F wind_used_mwh=0.000 local_hydro_mwh=30.000 imported_mwh=0.000 exported_hydro_mwh=50.000"
            " unmet_mwh=0.000 water_used_mwh=80.000 spill_mwh=0.000 level_mwh=820.000"
        )],
        ["zone", (
            "zone=N wind_used_mwh=5.000 local_hydro_mwh=0.000 imported_mwh=40.000 exported_hydro_mwh=0.000"
            " unmet_mwh=15.000 water_used_mwh=0.000 spill_mwh=0.000 level_mwh=507.000"
        )],
        ["day", (
            "demand_mwh=90.000 wind_used_mwh=5.000 import_phase2_mwh=40.000 local_hydro_mwh=30.000"
            " import_phase4_mwh=0.000 unmet_mwh=15.000 water_used_mwh=80.000 spill_mwh=0.000"
        )],
    ]  # fmt: skip


def test_above_debug_no_day_is_written_out(two_zones, caplog, monkeypatch):
    network, inputs = two_zones
    monkeypatch.setattr(simulator, "_log_days", lambda *_: pytest.fail("a line for nobody"))
    with caplog.at_level(logging.INFO, "energy_sim"):
        assert len(simulate_period(network, inputs, {0: Settings()}).dates) == 2
    assert caplog.messages == []


def test_running_out_of_trace_rows_is_an_error_not_a_loss(case, monkeypatch):
    network, inputs = case
    monkeypatch.setattr(simulator.kernel, "trace_rows", lambda _tables, _days: 1)
    with pytest.raises(EnergySimError, match="transfers in days 0 to 64"):
        simulate_period(network, inputs, {0: Settings()})


def test_a_network_of_one_zone_without_links_runs():
    network = Network((make_zone("A"),), ())
    inputs = make_inputs(network, [[10.0]] * 3, [[60.0]] * 3, [[20.0]] * 3)
    period = simulate_period(network, inputs, {0: Settings()})
    assert period.series[:, 0, k.LEVEL].tolist() == [470.0, 440.0, 410.0]
    assert (period.trace.shape, period.trace_end.tolist()) == ((0, k.TRACE_COLUMNS), [0, 0, 0])
    assert replace(Settings(), switches=Switches()) == Settings()
