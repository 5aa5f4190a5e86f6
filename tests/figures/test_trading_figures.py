"""What the charts of the trading room draw: sums, bands, means of many steps, gaps, and who is worse off."""

import math

import numpy as np
import pytest

from energy_sim.errors import DataError
from energy_sim.figures.theme import THEMES
from energy_sim.figures.trading import (
    POINTS_MAX,
    WORSE,
    bucket_means,
    bucket_moments,
    bucket_size,
    plot_battery,
    plot_capacity,
    plot_energy,
    plot_grid_buy,
    plot_grid_sell,
    plot_p2p,
    plot_profiles,
    plot_progress,
    plot_savings,
    plot_wallets,
)

NOON = np.datetime64("2025-06-01T12:00:00")
HOURS = NOON + np.arange(3) * np.timedelta64(1, "h")
BASELINE = np.array([[1.0, 3.0], [2.0, 4.0], [5.0, 5.0]])
OPTIMISED = np.array([[0.0, 2.0], [1.0, 1.0], [2.0, 6.0]])
COMPARED = (plot_wallets, plot_grid_buy, plot_grid_sell, plot_battery)


def lines(figure) -> dict[str, list]:
    return {trace.name: list(trace.y) for trace in figure.data}


@pytest.mark.parametrize("plot", COMPARED)
def test_baseline_and_optimised_are_sums_of_all_homes(plot):
    figure = plot(HOURS, BASELINE, OPTIMISED)
    assert lines(figure) == {"Baseline": [4, 6, 10], "Optimised": [2, 2, 8]}
    assert list(figure.data[0].x) == ["2025-06-01T12:00:00", "2025-06-01T13:00:00", "2025-06-01T14:00:00"]
    assert "all homes" in figure.layout.title.text
    assert figure.data[0].line.dash == "dot"
    assert figure.data[1].line.dash is None


@pytest.mark.parametrize("plot", COMPARED)
def test_the_band_is_the_mean_of_the_homes_and_a_standard_deviation_each_way(plot):
    figure = plot(HOURS, BASELINE, OPTIMISED, band=True)
    drawn = lines(figure)
    assert drawn["Baseline"] == [2, 3, 5]
    assert drawn["Baseline − deviation"] == [1, 2, 5]  # deviations 1, 1, 0
    assert drawn["Baseline + deviation"] == [3, 4, 5]
    assert drawn["Optimised − deviation"] == [0, 1, 2]  # deviations 1, 0, 2
    assert drawn["Optimised + deviation"] == [2, 1, 6]
    assert [t.name for t in figure.data if t.fill == "tonexty"] == ["Baseline + deviation", "Optimised + deviation"]
    assert "± standard deviation" in figure.layout.title.text


def test_means_of_many_steps_stand_in_the_middle_of_their_time_and_the_last_may_be_short():
    assert bucket_means(np.array([1.0, 3.0, 5.0, np.nan, 8.0]), 2).tolist() == [2, 5, 8]
    assert bucket_moments(np.arange(5.0), 2).tolist() == [0.5, 2.5, 4]
    middle = bucket_moments(HOURS, 2)
    assert middle.tolist() == [np.datetime64("2025-06-01T12:30:00").item(), HOURS[2].item()]
    assert math.isnan(bucket_means(np.array([np.nan, np.nan]), 2)[0])


@pytest.mark.parametrize(("steps", "size"), [(1, 1), (1500, 1), (1501, 2), (35_040, 24)])
def test_no_chart_has_more_than_fifteen_hundred_points(steps, size):
    assert bucket_size(steps) == size
    assert math.ceil(steps / size) <= POINTS_MAX


def test_a_year_is_drawn_as_means_and_says_so_and_keeps_its_energy():
    kwh = np.random.default_rng(1).random((35_040, 2))
    x = NOON + np.arange(35_040) * np.timedelta64(900, "s")
    figure = plot_grid_buy(x, kwh, kwh / 2)
    assert len(figure.data[0].y) == 1460
    assert figure.layout.title.text.endswith("(means of 24 steps)")
    assert sum(figure.data[0].y) * 24 == pytest.approx(kwh.sum(), rel=1e-4)
    assert figure.data[0].x[1] == "2025-06-01T20:52:30"  # between 18:00 and 23:45


def test_hours_can_stand_for_moments():
    figure = plot_wallets(np.array([0.0, 0.5, 1.0]), BASELINE, OPTIMISED)
    assert list(figure.data[0].x) == [0, 0.5, 1]
    assert (figure.layout.xaxis.type, figure.layout.xaxis.ticksuffix) == ("linear", " h")
    assert plot_wallets(HOURS, BASELINE, OPTIMISED).layout.xaxis.type == "date"


@pytest.mark.parametrize("plot", [plot_energy, lambda x, made, used: plot_profiles(x, used, made)])
def test_production_and_consumption_are_sums_of_all_homes(plot):
    figure = plot(HOURS, BASELINE, OPTIMISED)
    assert lines(figure) == {"Production": [4, 6, 10], "Consumption": [2, 2, 8]}


def test_the_preview_of_data_says_how_many_homes_there_are():
    assert plot_profiles(HOURS, BASELINE, BASELINE).layout.title.text == "Data of 2 homes, kWh a step"


def test_the_price_of_trade_is_in_cents_with_gaps_where_nothing_was_traded():
    figure = plot_p2p(HOURS, np.array([1.0, 0.0, 2.0]), np.array([0.2, np.nan, 0.15]))
    assert lines(figure) == {"Traded": [1, 0, 2], "Price (right)": [20, None, 15]}
    assert figure.data[1].yaxis == "y2"


def test_the_mean_price_of_steps_is_weighted_by_energy():
    kwh, price = np.tile([1.0, 3.0], 800), np.tile([0.10, 0.20], 800)
    figure = plot_p2p(NOON + np.arange(1600) * np.timedelta64(1, "h"), kwh, price)
    assert set(figure.data[1].y) == {17.5}  # (1 * 10 + 3 * 20) / 4
    assert set(figure.data[0].y) == {2.0}


def test_savings_mark_who_is_worse_off_and_count_them():
    figure = plot_savings(["home_1", "home_2", "home_3"], np.array([2.0, -1.0, 0.0]), np.array([1.0, 0.0, -0.004]))
    before, after = figure.data
    assert (list(before.y), list(before.text)) == ([2, -1, 0], ["", WORSE, ""])
    assert (list(after.y), list(after.text)) == ([1, 0, -0.004], ["", "", ""])
    assert figure.layout.title.text == "Saved by each home, EUR: 1 worse off before the transfer, 0 after"
    assert list(figure.layout.xaxis.ticktext) == ["1", "2", "3"]
    colors = THEMES["dark"]
    assert list(before.marker.color) == [colors.idle, colors.import_, colors.idle]


def test_capacity_without_limit_is_a_gap_and_said_in_the_legend():
    figure = plot_capacity(HOURS, np.array([100.0, 50.0, np.inf]), np.full(3, np.inf))
    assert lines(figure) == {"Import": [100, 50, None], "Export: no limit": [None, None, None]}
    assert figure.data[0].line.shape == "hv"


def test_of_many_steps_the_least_capacity_is_drawn():
    limits = np.tile([100.0, 40.0], 800)
    figure = plot_capacity(np.arange(1600.0), limits, limits)
    assert set(figure.data[0].y) == {40}
    assert figure.layout.title.text.endswith("(least of 2 steps)")


def test_progress_shows_wallets_above_and_what_was_bought_below():
    wallets, bought = (np.array([-1.0, -3.0, -4.0]), np.array([-1.0, -2.0, -2.5])), (np.ones(3), np.zeros(3))
    figure = plot_progress(HOURS, wallets, bought)
    assert [(t.name, t.yaxis, list(t.y)) for t in figure.data] == [
        ("Baseline", "y", [-1, -3, -4]),
        ("Optimised", "y", [-1, -2, -2.5]),
        ("Baseline", "y2", [1, 1, 1]),
        ("Optimised", "y2", [0, 0, 0]),
    ]
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    assert [t.showlegend for t in figure.data] == [True, True, False, False]


@pytest.mark.parametrize("theme", THEMES)
def test_every_chart_has_its_themes_ground_and_a_title_with_its_unit(theme):
    flat = BASELINE[:, 0]
    figures = [plot(HOURS, BASELINE, OPTIMISED, theme) for plot in (*COMPARED, plot_energy, plot_profiles)]
    figures += [plot(HOURS, flat, flat, theme) for plot in (plot_p2p, plot_capacity)]
    figures += [plot_savings(["a", "b", "c"], flat, flat, theme), plot_progress(HOURS, (flat,) * 2, (flat,) * 2, theme)]
    assert len(figures) == 10
    for figure in figures:
        assert figure.layout.paper_bgcolor == THEMES[theme].bg
        assert any(unit in figure.layout.title.text for unit in ("EUR", "kWh", "kW"))


def test_before_the_first_step_a_chart_says_what_to_do():
    none, empty = np.array([], dtype="datetime64[s]"), np.empty((0, 2))
    flat = np.empty(0)
    for figure in (plot_wallets(none, empty, empty, band=True), plot_progress(none, (flat, flat), (flat, flat))):
        assert figure.layout.annotations[0].text == "Nothing to show yet: start a run."
    assert plot_capacity(none, flat, flat).layout.annotations[0].text.startswith("Nothing")
    assert len(plot_savings([], flat, flat).data) == 2


def test_arrays_of_different_shapes_are_refused():
    with pytest.raises(DataError, match="3 moments"):
        plot_wallets(HOURS, BASELINE, OPTIMISED[:2])
    with pytest.raises(DataError, match="3 moments"):
        plot_wallets(HOURS, BASELINE, OPTIMISED[:, :1])
    with pytest.raises(DataError, match="one row for each moment"):
        plot_p2p(HOURS, np.ones(3), np.ones(2))
    with pytest.raises(DataError, match="give one for each"):
        plot_savings(["a"], np.ones(2), np.ones(2))
