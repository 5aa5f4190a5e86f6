"""Naive forecasts: what they say, what they may look at, and that they say when they had nothing to go by."""

import doctest

import numpy as np
import pytest

from energy_sim.errors import ConfigError, DataError
from energy_sim.forecasting.naive import make_forecaster
from tests.conftest import ROOT

KINDS = ("perfect", "persistence", "seasonal_naive")


def counted(rows, homes=2):
    """Row t holds t, 100 + t, ..."""
    return np.arange(rows, dtype=float)[:, None] + 100.0 * np.arange(homes)


def test_perfect_says_the_truth():
    forecast = make_forecaster("perfect", counted(48), 1.0, 168).predict(30, 3)
    assert forecast.tolist() == [[30, 130], [31, 131], [32, 132]]


def test_persistence_repeats_the_last_known_row():
    forecast = make_forecaster("persistence", counted(48), 1.0, 168).predict(30, 3)
    assert forecast.tolist() == [[29, 129]] * 3


def test_seasonal_naive_takes_the_same_hour_of_the_day_before_also_beyond_a_day():
    forecaster = make_forecaster("seasonal_naive", counted(96), 1.0, 168)
    assert forecaster.predict(50, 30)[:, 0].tolist() == [*range(26, 50), *range(26, 32)]
    assert forecaster.steps_without_history == 0


@pytest.mark.parametrize(("dt_h", "season"), [(0.25, 96), (0.5, 48), (1.0, 24), (1 / 3, 72), (24.0, 1)])
def test_a_day_has_as_many_steps_as_fit_into_it(dt_h, season):
    forecaster = make_forecaster("seasonal_naive", counted(300), dt_h, 168)
    assert forecaster.predict(200, 1)[0, 0] == 200 - season


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_ends_where_the_data_end(kind):
    forecaster = make_forecaster(kind, counted(48), 1.0, 168)
    assert forecaster.predict(40, 24).shape == (8, 2)
    assert forecaster.predict(48, 24).shape == (0, 2)
    assert forecaster.predict(0, 24).shape == (24, 2)


@pytest.mark.parametrize("kind", ["persistence", "seasonal_naive"])
@pytest.mark.parametrize("now", [0, 1, 5, 24, 25, 47, 60])
def test_another_future_changes_no_forecast(kind, now):
    truth = np.random.default_rng(7).random((72, 3))
    other = truth.copy()
    other[now:] = other[now:] * -5 + 1000
    said = make_forecaster(kind, truth, 1.0, 168).predict(now, 30)
    assert np.array_equal(said, make_forecaster(kind, other, 1.0, 168).predict(now, 30))
    perfect = make_forecaster("perfect", other, 1.0, 168).predict(now, 30)
    assert not np.array_equal(perfect, truth[now : now + 30])


@pytest.mark.parametrize("kind", ["persistence", "seasonal_naive"])
def test_what_is_older_than_the_history_changes_no_forecast(kind):
    truth = np.random.default_rng(8).random((100, 2))
    other = truth.copy()
    other[: 80 - 24] = -1
    said, again = (make_forecaster(kind, values, 1.0, 24).predict(80, 20) for values in (truth, other))
    assert np.array_equal(said, again)


def test_before_anything_is_known_zeros_are_said_and_counted():
    for kind in ("persistence", "seasonal_naive"):
        forecaster = make_forecaster(kind, counted(48), 1.0, 168)
        assert forecaster.predict(0, 24).tolist() == [[0, 0]] * 24
        assert forecaster.steps_without_history == 24


def test_in_the_first_day_the_last_row_stands_in_and_is_counted():
    forecaster = make_forecaster("seasonal_naive", counted(96), 1.0, 168)
    said = forecaster.predict(20, 24)[:, 0].tolist()
    assert said == [19] * 4 + list(range(20))  # hours 20 to 23 were never seen, hours 0 to 19 of the next day were
    assert forecaster.steps_without_history == 4
    forecaster.predict(23, 2)
    assert forecaster.steps_without_history == 5


def test_the_others_never_count_where_they_have_something_to_go_by():
    for kind, now in (("perfect", 0), ("persistence", 1)):
        forecaster = make_forecaster(kind, counted(48), 1.0, 1)
        forecaster.predict(now, 24)
        assert forecaster.steps_without_history == 0


@pytest.mark.parametrize("kind", KINDS)
def test_changing_a_forecast_does_not_change_the_truth(kind):
    values = counted(48)
    make_forecaster(kind, values, 1.0, 168).predict(30, 5)[:] = -1
    assert np.array_equal(values, counted(48))


@pytest.mark.parametrize(
    ("kind", "dt_h", "history", "message"),
    [
        ("oracle", 1.0, 168, r"forecaster\.kind: 'oracle' is unknown; give one of perfect, persistence"),
        ("perfect", 1.0, 0, r"forecaster\.history_size: 0 is below 1"),
        ("seasonal_naive", 0.25, 24, "24 is shorter than a day of 96 steps; give 96 or more"),
        ("seasonal_naive", 5.0, 24, "steps that divide a day, not 5 h"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused_with_what_to_give(kind, dt_h, history, message):
    with pytest.raises(ConfigError, match=message):
        make_forecaster(kind, counted(48), dt_h, history)


@pytest.mark.parametrize(("now", "steps"), [(-1, 5), (49, 5), (10, 0)])
def test_a_step_outside_the_data_is_refused(now, steps):
    with pytest.raises(DataError, match=f"now {now}, steps {steps}: give now of 0 to 48"):
        make_forecaster("perfect", counted(48), 1.0, 168).predict(now, steps)


@pytest.mark.parametrize("values", [np.zeros(5), np.array([[1.0], [np.nan]]), np.array([[np.inf]])])
def test_values_that_are_no_table_of_numbers_are_refused(values):
    with pytest.raises(DataError, match="not a table of finite numbers"):
        make_forecaster("persistence", values, 1.0, 168)


def test_the_example_of_the_readme_runs():
    readme = ROOT / "energy_sim" / "forecasting" / "README.md"
    result = doctest.testfile(str(readme), module_relative=False, encoding="utf-8")
    assert result.attempted >= 8
    assert result.failed == 0
