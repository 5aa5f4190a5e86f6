"""The pool of a step: who gets how much of it, and which bilateral trades carry it.

    p2p_buy, p2p_sell = share_pool(deficit, surplus, volume, "dynamic")
    seller, buyer, kwh = match_trades(p2p_buy, p2p_sell)
    seller, buyer, kwh = drop_small(seller, buyer, kwh, min_trade_kwh, room_kwh)

A pool is as good as bilateral trade when the fee is per kWh, so quantities come first and pairs are found afterwards.
"""

import numpy as np

from energy_sim.errors import ConfigError
from energy_sim.trading.model import Floats, Whole

KEYS = ("dynamic", "static")
ROUNDING_KWH = 1e-10  # what additions leave over: no energy worth naming


def share_pool(deficit_kwh: Floats, surplus_kwh: Floats, volume_kwh: float, key: str) -> tuple[Floats, Floats]:
    """Share the energy of the pool among households.

    With m the volume, D the deficits and S the surpluses: ``dynamic`` gives every buyer D_i * m / sum D; ``static``
    offers each of the N households sum S / N, whatever it needs; what a household does not use of its share is not
    passed on, so less than m may be traded, and never more. Sellers give pro rata in both: S_j * traded / sum S.

    Args:
        deficit_kwh: (N,) wanted, 0 or more.
        surplus_kwh: (N,) offered, 0 or more; a household has only one of the two.
        volume_kwh: at most so much is traded; what exceeds deficits or surpluses is left out.
        key: dynamic | static.

    Returns:
        (N,) bought and (N,) sold, of equal sums.

    Raises:
        ConfigError: an unknown key.

    Source: allocation keys of Austrian energy communities (ElWOG 2010, section 16e): static shares are agreed
    beforehand and lapse unused, dynamic shares follow consumption.
    """
    if key not in KEYS:
        raise ConfigError(f"settlement.allocation_key: {key!r} is unknown; give one of {', '.join(KEYS)}")
    wanted, offered = float(deficit_kwh.sum()), float(surplus_kwh.sum())
    traded = min(volume_kwh, wanted, offered)
    if traded <= 0:
        return np.zeros_like(deficit_kwh), np.zeros_like(surplus_kwh)
    if key == "dynamic":
        return deficit_kwh * (traded / wanted), surplus_kwh * (traded / offered)
    bought = np.minimum(deficit_kwh, offered / len(deficit_kwh))
    used = float(bought.sum())
    if used > traded:
        return bought * (traded / used), surplus_kwh * (traded / offered)
    return bought, surplus_kwh * (used / offered)


def match_trades(p2p_buy_kwh: Floats, p2p_sell_kwh: Floats) -> tuple[Whole, Whole, Floats]:
    """Find bilateral trades that carry the quantities of the pool: the north-west corner rule, all at once.

    Sellers and buyers are laid out end to end in their order on two lines of the same length; every piece between two
    ends is a trade. So there are at most sellers + buyers - 1 of them.

    Args:
        p2p_buy_kwh: (N,) bought.
        p2p_sell_kwh: (N,) sold, of the same sum.

    Returns:
        (K,) seller, buyer and energy; each household's trades add up to its quantity, to 1e-12 of the volume.

    Source: north-west corner rule of Charnes and Cooper, The Stepping Stone Method, Management Science 1 (1954).
    """
    sellers, buyers = np.flatnonzero(p2p_sell_kwh > 0), np.flatnonzero(p2p_buy_kwh > 0)
    if not len(sellers) or not len(buyers):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    sold, bought = np.cumsum(p2p_sell_kwh[sellers]), np.cumsum(p2p_buy_kwh[buyers])
    end = min(sold[-1], bought[-1])
    ends = np.minimum(np.sort(np.concatenate((sold, bought))), end)
    ends = ends[np.diff(ends, prepend=0.0) > 1e-14 * end]  # two ends that only rounding holds apart are one
    ends[-1] = end
    kwh = np.diff(ends, prepend=0.0)
    middle = ends - kwh / 2
    return sellers[np.searchsorted(sold, middle)], buyers[np.searchsorted(bought, middle)], kwh


def drop_small(
    seller: Whole, buyer: Whole, kwh: Floats, min_kwh: float, room_kwh: float
) -> tuple[Whole, Whole, Floats]:
    """Drop trades too small to be worth it; buyer and seller turn to the grid for them.

    Each dropped kWh is one more from the grid and one more to it. Where that would break a limit, the smallest trades
    are dropped as far as the room goes and the largest of the small ones are kept.

    Args:
        seller: (K,) places of the sellers.
        buyer: (K,) places of the buyers.
        kwh: (K,) energy.
        min_kwh: a trade below it is small.
        room_kwh: what the grid can still take in both directions; infinity where there is no limit.

    Returns:
        The trades that stay, in their order.
    """
    small = np.flatnonzero(kwh < min_kwh)
    if not len(small):
        return seller, buyer, kwh
    rising = small[np.argsort(kwh[small], kind="stable")]
    stays = np.ones(len(kwh), dtype=bool)
    stays[rising[np.cumsum(kwh[rising]) <= room_kwh + ROUNDING_KWH]] = False
    return seller[stays], buyer[stays], kwh[stays]
