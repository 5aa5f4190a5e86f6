"""Prices: each mode, the same path for the same seed, and what a file must look like."""

import numpy as np
import pytest

from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.prices import make_prices

MONDAY = np.datetime64("2026-07-06T00:00:00", "s")


def hourly(steps, first=MONDAY):
    return first + np.arange(steps) * np.timedelta64(3600, "s")


def parameters(seed=1, **grid_price):
    return TradingParameters.from_json({"simulation": {"seed": seed}, "grid_price": grid_price})


def from_file(tmp_path, text, steps=2):
    path = tmp_path / "prices.csv"
    path.write_text(text, encoding="utf-8")
    return make_prices(parameters(), hourly(steps), 1.0, path)


def test_a_constant_tariff_is_the_same_in_every_step():
    p = make_prices(parameters(mode="constant", buy_price=0.31, sell_price=0.07), hourly(3), 1.0)
    assert p.buy.tolist() == [0.31] * 3
    assert p.sell.tolist() == [0.07] * 3


def test_time_of_use_follows_the_hour_the_step_begins():
    p = make_prices(parameters(mode="time_of_use"), hourly(24), 1.0)
    assert p.buy.tolist() == [0.24] * 7 + [0.36] * 14 + [0.24] * 3
    assert p.sell.tolist() == [0.08] * 24


def test_the_peak_may_go_over_midnight_and_begin_inside_a_day():
    given = parameters(mode="time_of_use", peak_start_hour=22, peak_end_hour=6)
    p = make_prices(given, hourly(4, np.datetime64("2026-07-06T20:30:00", "s")), 1.0)  # 20:30, 21:30, 22:30, 23:30
    assert p.buy.tolist() == [0.24, 0.24, 0.36, 0.36]


def test_random_prices_stay_in_their_bounds_and_fill_them():
    p = make_prices(parameters(), hourly(8760), 1.0)
    assert 0.24 <= p.buy.min() < 0.242
    assert 0.358 < p.buy.max() <= 0.36
    assert 0.06 <= p.sell.min() < 0.061
    assert 0.099 < p.sell.max() <= 0.10
    assert (p.sell < p.buy).all()
    assert p.buy.mean() == pytest.approx(0.30, abs=0.006)  # uniform; some 730 independent values give 0.0013


def test_random_prices_wander_instead_of_jumping():
    p = make_prices(parameters(), hourly(8760), 1.0)
    lag1 = np.corrcoef(p.buy[1:], p.buy[:-1])[0, 1]
    assert lag1 == pytest.approx(np.exp(-1 / 6), abs=0.03)  # 0.846
    assert np.corrcoef(p.buy, p.sell)[0, 1] == pytest.approx(0.79, abs=0.05)  # 6/pi asin(0.8/2)


def test_the_same_seed_gives_the_same_prices_and_a_longer_run_the_same_first_ones():
    short, long = (make_prices(parameters(seed=5), hourly(steps), 1.0) for steps in (24, 48))
    np.testing.assert_array_equal(short.buy, long.buy[:24])
    np.testing.assert_array_equal(short.sell, long.sell[:24])
    assert not np.allclose(short.buy, make_prices(parameters(seed=6), hourly(24), 1.0).buy)


def test_a_file_replaces_the_parameters(tmp_path):
    p = from_file(tmp_path, "Step,Sell,Buy\n0,0.05,0.2\n1,-0.01,0.3\n2,0.1,0.4\n")
    assert p.buy.tolist() == [0.2, 0.3]
    assert p.sell.tolist() == [0.05, -0.01]


def test_steps_of_a_file_may_count_from_one(tmp_path):
    assert from_file(tmp_path, "step,buy,sell\n1,0.2,0.1\n2,0.3,0.1\n").buy.tolist() == [0.2, 0.3]


def test_selling_for_as_much_as_buying_costs_is_refused_with_the_first_row(tmp_path):
    with pytest.raises(ConfigError, match=r"row 3, column sell: 0.3 is not below buy 0.3 \(and 1 more rows\)"):
        from_file(tmp_path, "step,buy,sell\n0,0.2,0.1\n1,0.3,0.3\n2,0.3,0.4\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("step,buy,sell\n0,0.2,0.1\n", "has 1 rows, the run has 2 steps"),
        ("step,buy,sell\n0,0.2,0.1\n2,0.2,0.1\n", "row 3, column step: 2 is not 1"),
        ("step,buy,sell\n0,0.2,0.1\n1,,0.1\n", "row 3, column buy: is blank or NaN"),
        ("step,buy,sell\n0,0.2,0.1\n1,cheap,0.1\n", "row 3, column buy: 'cheap' is no number; give EUR/kWh"),
        ("step,buy,sell\n0,0.2,0.1\n1,240,0.1\n", "row 3, column buy: 240 is above 100; give EUR/kWh"),
        ("step,buy\n0,0.2\n", "no column sell; found: step, buy"),
    ],
)
def test_a_price_file_with_a_fault_is_refused(tmp_path, text, says):
    with pytest.raises(DataError, match=says):
        from_file(tmp_path, text)
