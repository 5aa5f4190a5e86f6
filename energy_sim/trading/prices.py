"""What the grid takes and pays in every step: from a file, constant, by time of use, or random within bounds."""

import logging
import math
from pathlib import Path

import numpy as np

from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.model import Floats, Moments, Prices
from energy_sim.trading.parameters import GridPriceGroup, TradingParameters
from energy_sim.trading.tables import check_steps, numbers, read_table

logger = logging.getLogger(__name__)

PRICE_KIND = 1  # of random numbers: second entry of their seed
CORRELATION_H = 6.0  # after so many hours a random price has forgotten 63 % of where it was
SELL_FOLLOWS_BUY = 0.8  # correlation of what drives the two prices
MOST_EUR_PER_KWH = 100.0  # in a file; above this the unit is wrong


def make_prices(parameters: TradingParameters, begins: Moments, dt_h: float, prices_file: Path | None = None) -> Prices:
    """Prices of every step of a run; both of its simulations use them.

    Args:
        parameters: `grid_price`, and the seed of `simulation`.
        begins: (T,) beginnings of the steps.
        dt_h: hours of a step.
        prices_file: CSV or Parquet `step, buy, sell` (EUR/kWh) that replaces the parameters; its first row is the first
            step of the run, rows after the last step are left out.

    Raises:
        DataError: the file cannot be used or has too few rows.
        ConfigError: selling would fetch as much as buying costs in some step.
    """
    group, steps = parameters.grid_price, len(begins)
    if prices_file is not None:
        return _read(prices_file, steps)
    if group.mode == "constant":
        return Prices(np.full(steps, group.buy_price), np.full(steps, group.sell_price))
    if group.mode == "time_of_use":
        return _time_of_use(group, begins)
    return _random(group, steps, dt_h, parameters.simulation.seed)


def in_peak(hour: Floats, first: int, end: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether hours of the day are in a peak from ``first`` to before ``end``, over midnight where end is before first.

    >>> in_peak(np.array([6.75, 7.0, 20.75, 21.0]), 7, 21).tolist()
    [False, True, True, False]
    >>> in_peak(np.array([21.0, 22.0, 5.5, 6.0]), 22, 6).tolist()
    [False, True, True, False]
    """
    return (hour >= first) & (hour < end) if first < end else (hour >= first) | (hour < end)


def hours_of_day(begins: Moments) -> Floats:
    """Hours since midnight, with their parts."""
    return begins.astype("datetime64[s]").astype(np.int64) % 86_400 / 3600


def _time_of_use(group: GridPriceGroup, begins: Moments) -> Prices:
    peak = in_peak(hours_of_day(begins), group.peak_start_hour, group.peak_end_hour)
    return Prices(
        np.where(peak, group.peak_buy_price, group.off_peak_buy_price), np.full(len(begins), group.tou_sell_price)
    )


def _random(group: GridPriceGroup, steps: int, dt_h: float, seed: int) -> Prices:
    """A path that wanders between the bounds, each price equally often everywhere between its two.

    z follows a stationary AR(1), z' = phi z + sqrt(1 - phi^2) e with phi = exp(-dt_h / 6 h), e standard normal; the
    price is low + (high - low) * Phi(z), Phi the normal distribution function. What drives the sell price is correlated
    with what drives the buy price (0.8). A longer run has the same first steps; another step length is another path.

    Source: Ornstein-Uhlenbeck process sampled at dt_h; a number through its own distribution function is uniform.
    """
    e = np.random.default_rng([seed, PRICE_KIND]).standard_normal((steps, 2))
    e[:, 1] = SELL_FOLLOWS_BUY * e[:, 0] + math.sqrt(1 - SELL_FOLLOWS_BUY**2) * e[:, 1]
    phi = math.exp(-dt_h / CORRELATION_H)
    fresh = math.sqrt(1 - phi * phi)
    z = e.copy()
    for t in range(1, steps):
        z[t] = phi * z[t - 1] + fresh * e[t]
    from scipy.special import ndtr  # type: ignore[import-untyped]

    share = ndtr(z)
    return Prices(
        group.min_buy_price + (group.max_buy_price - group.min_buy_price) * share[:, 0],
        group.min_sell_price + (group.max_sell_price - group.min_sell_price) * share[:, 1],
    )


def _read(path: Path, steps: int) -> Prices:
    problems: list[str] = []
    table = read_table(path, ("step", "buy", "sell"))
    check_steps(table, "step", steps, problems)
    buy, sell = (
        numbers(table, name, problems, -MOST_EUR_PER_KWH, MOST_EUR_PER_KWH, "EUR/kWh") for name in ("buy", "sell")
    )
    if problems:
        raise DataError.from_problems(problems)
    wrong = np.flatnonzero(sell >= buy)
    if len(wrong):
        row = int(wrong[0])
        more = f" (and {len(wrong) - 1} more rows)" if len(wrong) > 1 else ""
        raise ConfigError(
            f"{path}: row {row + table.first_row}, column sell: {sell[row]:g} is not below buy {buy[row]:g}{more}; "
            "energy sold must fetch less than energy bought"
        )
    logger.info("prices read file=%s rows=%d used=%d", path, table.rows, steps)
    return Prices(buy[:steps], sell[:steps])
