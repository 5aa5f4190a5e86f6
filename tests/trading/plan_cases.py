"""Small communities for the tests of plans."""

import numpy as np

from energy_sim.devices.battery import Batteries
from energy_sim.trading.model import Horizon, Market, Storage


def storage_of(
    owner, capacity=10.0, share_min=0.05, share_max=0.95, kw=5.0, eta=0.95, monthly=0.0, wear=0.0, stored=0.5
) -> Storage:
    """Units of the given owners; every other value is one for all, or one each."""
    count = len(owner)

    def each(value):
        return np.broadcast_to(np.asarray(value, dtype=np.float64), count).copy()

    size = each(capacity)
    units = Batteries(
        capacity_kwh=size,
        soc_min_kwh=size * share_min,
        soc_max_kwh=size * share_max,
        charge_kw=each(kw),
        discharge_kw=each(kw),
        eta_charge=each(eta),
        eta_discharge=each(eta),
        self_discharge_per_month=each(monthly),
        wear_eur_per_kwh=each(wear),
    )
    names = tuple(f"unit_{k}" for k in range(count))
    return Storage(units, np.array(owner, dtype=np.int64), ("simple",) * count, names, size * stored)


def market_of(fee=0.0, voll=10.0, end_value=0.0) -> Market:
    return Market(fee_eur_per_kwh=fee, min_trade_kwh=0.0, voll_eur_per_kwh=voll, end_value_eur_per_kwh=end_value)


def horizon_of(load, pv, buy, sell, most_buy=np.inf, most_sell=np.inf) -> Horizon:
    """Rows of load and PV per period; prices and limits one for all periods, or one each."""
    load, pv = np.array(load, dtype=np.float64), np.array(pv, dtype=np.float64)

    def each(value):
        return np.broadcast_to(np.asarray(value, dtype=np.float64), len(load)).copy()

    return Horizon(load, pv, each(buy), each(sell), each(most_buy), each(most_sell))


def random_case(seed, homes=None, steps=None, limits=True, negative=False, units=None):
    """Horizon, stored, storage, market of a small random community, with everything that can bind binding somewhere."""
    r = np.random.default_rng(seed)
    homes = homes or int(r.integers(1, 5))
    steps = steps or int(r.integers(1, 7))
    units = int(r.integers(0, 6)) if units is None else units
    load = r.gamma(2, 0.6, (steps, homes))
    pv = np.where(r.random((steps, homes)) < 0.6, r.gamma(2, 1.0, (steps, homes)), 0)
    buy = r.uniform(-0.3 if negative else 0.1, 0.4, steps)
    sell = buy - r.uniform(0.01, 0.3, steps)
    if not negative:
        sell = np.maximum(sell, 0)
    most_buy = r.uniform(0.3, 1.2) * homes if limits else np.inf
    most_sell = r.uniform(0.0, 0.8) * homes if limits else np.inf
    eta = r.uniform(0.85, 1.0, units)
    storage = storage_of(
        r.integers(0, homes, units),
        capacity=r.uniform(0.5, 6, units),
        kw=r.uniform(0.5, 3, units),
        eta=eta,
        monthly=0.3,
        wear=r.uniform(0.06, 0.08, units) if negative else r.uniform(0, 0.04, units),  # 0.3 * 0.16 = 0.048 suffices
        stored=r.uniform(0.05, 0.95, units),
    )
    market = market_of(fee=float(r.choice([0.0, 0.01, 0.08])), end_value=float(r.choice([0.0, 0.15])))
    return horizon_of(load, pv, buy, sell, most_buy, most_sell), storage.initial_kwh, storage, market
