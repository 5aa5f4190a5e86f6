"""The message of a step fits into 4 kB for any community and says exactly what the arrays hold."""

import json

import numpy as np
import pytest

from energy_sim.replay import Frame
from energy_sim.trading.message import HOME_COLUMNS, MAX_BYTES, TOTALS, encode, home_rows, tick_message
from energy_sim.trading.model import Trades
from energy_sim.trading.playback import RecordedTrading, Steps, TradingFrame
from energy_sim.trading.results import COLUMNS, MORE_COLUMNS, MOST, Recorded

STEPS = 3


def recorded(homes, seed, size=1.0):
    """Awkward numbers in every column, and as many trades as homes in each step."""
    random = np.random.default_rng(seed)
    columns = {name: size * random.gamma(1, 17.123456789, (STEPS, homes)) for name in (*COLUMNS, *MORE_COLUMNS)}
    columns["wallet"] -= size * 12_345.678
    columns["battery_pct"] = random.uniform(0.001, 99.999, (STEPS, homes))
    columns["battery_pct"][:, ::5] = 0  # these have no battery
    step = np.repeat(np.arange(STEPS), homes)
    sizes = size * random.gamma(1, 3.3, len(step))
    ids = tuple(f"household_{i}" for i in range(homes))
    return Recorded(
        ids, columns, Trades(step, random.integers(homes, size=len(step)), np.arange(len(step)) % homes, sizes)
    )


def opened(homes, size=1.0):
    prices = [np.array([0.312345678, np.nan, 0.1]) for _ in range(5)]
    begins = np.datetime64("2026-07-06T00:00:00", "s") + np.arange(STEPS) * np.timedelta64(3600, "s")
    simulations = {"optimized": recorded(homes, 1, size), "baseline": recorded(homes, 2, size)}
    return RecordedTrading("trading_run", simulations, Steps(begins, 1.0, *prices), {}, {}, None)


def frame(tick, simulation="optimized", following=None):
    now, then = {"simulation": simulation}, {"simulation": following or simulation}
    data = TradingFrame(tick, simulation)
    return Frame("s", tick, STEPS - 1, True, False, 10.0, 12_345, 1_700_000_000, now, then, data)


@pytest.mark.parametrize("homes", [1, 2, 30, 60, 100, 300, 1000])
@pytest.mark.parametrize("simulation", ["optimized", "baseline"])
def test_the_message_of_any_community_fits_and_equals_the_arrays(homes, simulation):
    run = opened(homes)
    for tick in range(STEPS):
        message = tick_message(frame(tick, simulation), (), run)
        assert len(encode(message)) <= MAX_BYTES
        message = json.loads(encode(message))
        shown, base = run.simulations[simulation].columns, run.simulations["baseline"].columns
        assert message["c"] == [round(shown[name][tick].sum(), 3) for name in TOTALS]
        assert message["b"] == [round(base[name][tick].sum(), 3) for name in TOTALS]
        check_homes(message["h"], run, simulation, tick)
        check_trades(message, run.trades_of(simulation, tick))
        assert (message["t"], message["n"], message["d"]) == (tick, 2, f"2026-07-06T0{tick}:00")
        assert message["g"] == ([None] * 3 if tick == 1 else [0.31235 if tick == 0 else 0.1] * 3)
        assert (message["p"], message["e"], message["r"], message["s"]) == (1, 0, 10.0, [[tick]])


def check_homes(rows, run, simulation, tick):
    """Full rows for small communities, short ones for larger ones, none beyond."""
    homes = len(run.ids)
    assert [homes <= 30, 30 < homes <= 100, homes > 200].count(True) == 1
    assert len(rows) == (0 if homes > 200 else homes)
    c, base = run.simulations[simulation].columns, run.simulations["baseline"].columns
    for i, row in enumerate(rows):
        filled = None if i % 5 == 0 else round(10 * c["battery_pct"][tick, i])
        better = round(100 * (c["wallet"][tick, i] - base["wallet"][tick, i]))
        if homes <= 30:
            flows = [round(1000 * c[name][tick, i]) for name in HOME_COLUMNS[2:]]
            assert row == [filled, round(100 * c["wallet"][tick, i]), better, *flows]
        else:
            net = sum(c[name][tick, i] for name in ("grid_buy", "p2p_buy_amount"))
            net -= sum(c[name][tick, i] for name in ("grid_sell", "p2p_sell_amount"))
            assert row == [filled, better, round(1000 * net)]


def check_trades(message, trades):
    """The largest trades, and the number of those that are left out."""
    order = np.argsort(-trades.kwh, kind="stable")
    wanted = [[int(trades.seller[i]), int(trades.buyer[i]), round(1000 * trades.kwh[i])] for i in order]
    assert message["k"] == wanted[: len(message["k"])]
    assert message.get("more", 0) == len(wanted) - len(message["k"])
    assert len(message["k"]) >= min(len(wanted), 10)


@pytest.mark.parametrize("homes", [2, 30, 300])
def test_the_largest_numbers_a_file_may_hold_fit_too(homes):
    message = tick_message(frame(2), (), opened(homes, size=MOST / 1e4))
    assert len(encode(message)) <= MAX_BYTES


def test_a_switch_that_acts_from_the_next_step_is_told_beside_the_one_that_acts():
    message = tick_message(frame(1, "optimized", "baseline"), (), opened(3))
    assert (message["sim"], message["set"], message["now"]) == (
        0,
        {"simulation": "baseline"},
        {"simulation": "optimized"},
    )
    assert "now" not in tick_message(frame(1), (), opened(3))
    assert tick_message(frame(1, "baseline"), (), opened(3))["sim"] == 1


def test_columns_a_file_does_not_have_are_shown_as_zero():
    run = opened(2)
    for one in run.simulations.values():
        for name in MORE_COLUMNS:
            del one.columns[name]
    rows = home_rows(run, "optimized", 0)
    assert [row[-4:] for row in rows] == [[0] * 4] * 2
    assert [row[3] for row in rows] == [round(1000 * v) for v in run.simulations["optimized"].columns["production"][0]]
