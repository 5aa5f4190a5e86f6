"""Ensembles: inflow years in turn, factors, quantiles; one scenario equals the run it stands for."""

import logging
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from energy_sim.errors import DataError
from energy_sim.zones import ensemble
from energy_sim.zones import kernel as k
from energy_sim.zones.data import load_inputs
from energy_sim.zones.ensemble import (
    Ensemble,
    Scenario,
    all_scenarios,
    inflow_record,
    quantile_table,
    run_ensemble,
    totals_table,
)
from energy_sim.zones.model import Factors, Network, Switches
from energy_sim.zones.norway import norway
from energy_sim.zones.simulator import Settings, simulate_period
from tests.zones.cases import make_inputs, make_zone

NORWAY = norway()


@pytest.fixture(scope="module")
def shipped(shipped_input):
    return load_inputs((shipped_input,), NORWAY, date(2016, 1, 1), 2557)


def made(start: str, days: int, years: dict[int, float]):
    """One zone with a steady inflow in each year: MWh a day, 1,000 more in week 1 and 5,000 in week 53."""
    network = Network((make_zone("A"),), ())
    nothing = [[0.0]] * days
    inputs = make_inputs(network, nothing, nothing, nothing, start)
    table = {}
    for year, inflow in years.items():
        table[year] = np.full((53, 1), inflow)
        table[year][0] += 1000
        table[year][52] = 5000 + inflow
    return network, replace(inputs, inflow_years_mwh=table)


def test_the_scenario_of_the_own_years_is_the_deterministic_run(shipped):
    for switches, factors, warm_up in (
        (Switches(), Factors(), 0),
        (Switches(two_hop=False, share_wind=True), Factors(1.1, 2.0, 0.9, 0.8), 59),
    ):
        period = simulate_period(NORWAY, shipped, {0: Settings(switches, factors)}, warm_up)
        own = run_ensemble(NORWAY, shipped, Settings(switches), [Scenario(2016, factors)], warm_up)
        assert np.array_equal(own.level_mwh[0], period.series[:, :, k.LEVEL].astype(np.float32))
        assert np.array_equal(own.unmet_mwh[0], period.series[:, :, k.UNMET].astype(np.float32))
        summed = period.series.sum(axis=0)
        summed[:, k.LEVEL] = period.series[-1, :, k.LEVEL]
        np.testing.assert_allclose(own.total[0], summed, rtol=1e-12, atol=1e-6)
        assert np.array_equal(own.dates, period.dates)


def test_the_own_year_takes_the_inflow_of_the_dates(shipped):
    assert np.array_equal(inflow_record(shipped).starting(2016), shipped.inflow_mwh)
    assert not np.array_equal(inflow_record(shipped).starting(2015), shipped.inflow_mwh)


def test_years_follow_each_other_and_wrap_around():
    _, inputs = made("2019-01-07", 366 * 3, {1995: 1.0, 1996: 2.0, 1998: 3.0})
    inflow = inflow_record(inputs).starting(1998)[:, 0]
    by_date = dict(zip(inputs.dates.astype(str), inflow, strict=True))
    assert by_date["2019-01-07"] == 3.0  # 2019 takes 1998
    assert by_date["2019-12-29"] == 3.0
    assert by_date["2019-12-30"] == 1001.0  # ISO 2020-W01: the record begins again with 1995
    assert by_date["2020-12-28"] == 5001.0  # week 53
    assert by_date["2021-01-04"] == 1002.0  # a year absent from the record (1997) is passed over
    assert by_date["2021-12-31"] == 2.0


def test_the_first_year_is_that_of_the_first_reported_date():
    _, inputs = made("2015-12-30", 10, {2000: 1.0, 2001: 2.0, 2002: 3.0})
    assert inflow_record(inputs).starting(2001)[:, 0].tolist() == [5002.0] * 5 + [1003.0] * 5  # 2015 takes 2001
    later = inflow_record(inputs, warm_up_days=2).starting(2001)  # 2016 takes 2001
    assert later[:, 0].tolist() == [5001.0] * 5 + [1002.0] * 5


def test_threads_do_not_change_a_bit(shipped):
    scenarios = all_scenarios(shipped, [], [Factors()])
    assert [s.inflow_year for s in scenarios] == list(range(1995, 2023))
    seen = []
    one = run_ensemble(NORWAY, shipped, Settings(), scenarios, threads=1, on_progress=seen.append)
    two = run_ensemble(NORWAY, shipped, Settings(), scenarios, threads=2)
    for name in ("level_mwh", "unmet_mwh", "total"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert sum(seen) == 28
    spread = one.total[:, :, k.INFLOW].sum(axis=1)
    assert len(set(spread)) == 28  # each starts in another year


def test_a_grid_is_every_year_with_every_set_of_factors():
    network, inputs = made("2019-01-07", 3, {1995: 1.0, 1996: 2.0})
    grid = [Factors(inflow=0.5), Factors(inflow=2.0, reservoir=0.8)]
    scenarios = all_scenarios(inputs, [], grid)
    assert scenarios == tuple(Scenario(year, factors) for year in (1995, 1996) for factors in grid)
    assert all_scenarios(inputs, [1996], grid[:1]) == (Scenario(1996, grid[0]),)
    twice = all_scenarios(inputs, [1996, 1995, 1996], [*grid, Factors(inflow=0.5)])
    assert twice == tuple(Scenario(year, factors) for year in (1996, 1995) for factors in grid)  # each once
    found = run_ensemble(network, inputs, Settings(factors=Factors(inflow=3.0)), scenarios)
    assert found.total[:, 0, k.INFLOW].tolist() == [4.5, 18.0, 9.0, 36.0]  # 3 days x year x own 3 x scenario
    assert found.level_mwh[:, -1, 0].tolist() == [504.5, 418.0, 509.0, 436.0]
    totals = totals_table(found)
    assert totals.inflow_year.tolist() == [1995, 1995, 1996, 1996]
    assert totals.reservoir_factor.tolist() == [1.0, 0.8, 1.0, 0.8]
    assert totals.level_end_mwh.tolist() == [504.5, 418.0, 509.0, 436.0]


def test_quantiles_and_mean_by_hand():
    network = Network((make_zone("A"), make_zone("B")), ())
    levels = np.array([[[10.0, 1.0]], [[20.0, 1.0]], [[30.0, 1.0]], [[40.0, 1.0]], [[100.0, 1.0]]], dtype=np.float32)
    dates = np.array(["2016-02-29"], "datetime64[D]")
    made_up = Ensemble(
        network, dates, (Scenario(2000, Factors()),) * 5, levels, 0 * levels, np.zeros((5, 2, k.COLUMNS))
    )
    table = quantile_table(made_up).set_index(["quantity", "zone"])
    row = table.loc[("level_mwh", "A")]
    assert row.date == "2016-02-29"
    # positions 0.05 x 4 = 0.2, 1, 2, 3 and 3.8 between the five values
    assert row[["mean", "p05", "p25", "p50", "p75", "p95"]].tolist() == pytest.approx(
        [40, 12, 20, 30, 40, 88], rel=1e-6
    )
    assert table.loc[("level_mwh", "B")][["mean", "p05", "p95"]].tolist() == [1.0, 1.0, 1.0]
    assert table.loc[("unmet_mwh", "A"), "p95"] == 0.0
    assert len(table) == 4


def test_an_unknown_year_is_refused_with_the_years_there_are():
    _, inputs = made("2019-01-07", 3, {1995: 1.0, 1996: 2.0})
    with pytest.raises(
        DataError, match="inflow years 1066, 2030: not in the inflow files of all zones; they hold 1995 to 1996"
    ):
        all_scenarios(inputs, [1066, 1995, 2030], [Factors()])
    with pytest.raises(DataError, match=r"inflow years of the record: .* they hold no whole year"):
        all_scenarios(replace(inputs, inflow_years_mwh={}), [], [Factors()])


def test_what_would_not_fit_into_memory_is_refused(monkeypatch):
    network, inputs = made("2019-01-07", 3, {1995: 1.0})
    monkeypatch.setattr(ensemble, "_MAX_CELLS", 5)
    with pytest.raises(DataError, match="2 scenarios x 3 days x 1 zones is above 5; take fewer"):
        run_ensemble(network, inputs, Settings(), [Scenario(1995, Factors())] * 2)


def test_a_limited_opening_level_is_warned_of_once_for_each_reservoir_factor(caplog):
    network, inputs = made("2016-01-04", 2, {2015: 10.0, 2016: 20.0})
    factors = [Factors(reservoir=r) for r in (1.0, 2.5, 4.0)]
    scenarios = all_scenarios(inputs, (), factors) * 6
    with caplog.at_level(logging.WARNING, logger="energy_sim"):
        run_ensemble(network, inputs, Settings(), scenarios)
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(scenarios) == 36
    assert said == [
        "opening level limited zone=A wanted_mwh=1250 given_mwh=1000",
        "opening level limited zone=A wanted_mwh=2000 given_mwh=1000",
    ]
