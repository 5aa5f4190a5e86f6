"""One step as it happens: batteries, pool, grid, and what the limits of the grid leave undone.

    request = own_battery_request(load, pv, stored, storage, dt_h)
    flows = execute(load, pv, stored, request, storage, buy, sell, import_kwh, export_kwh, market, dt_h, trade=False)

Per household, with deficit D and surplus S, the two signs of load - pv + charge - discharge:
grid_buy + unserved = D - p2p_buy, grid_sell + curtailed = S - p2p_sell.
Over the limit of import: less charging, more discharging, then unserved. Over the limit of export: less discharging,
then less PV.
A price below 0 for what is fed in works like a limit of export of 0: nobody pays to get rid of energy.
"""

from dataclasses import dataclass

import numpy as np

from energy_sim.devices.battery import reach_of, step_batteries
from energy_sim.errors import DataError
from energy_sim.trading.matching import ROUNDING_KWH, drop_small, match_trades, share_pool
from energy_sim.trading.model import Floats, Market, StepFlows, Storage, Whole


def own_battery_request(load_kwh: Floats, pv_kwh: Floats, stored_kwh: Floats, storage: Storage, dt_h: float) -> Floats:
    """Ask for self-consumption: a surplus charges the household's own units, a deficit discharges them.

    Several units of a household share in proportion to what each can take, or give, in this step.

    Args:
        load_kwh: (N,) consumed.
        pv_kwh: (N,) produced.
        stored_kwh: (M,) before the step.
        storage: the units and their owners.
        dt_h: hours of the step.

    Returns:
        (M,) energy at the AC side, charging positive.
    """
    reach = reach_of(stored_kwh, storage.units, dt_h)
    surplus = pv_kwh - load_kwh
    charge = _limited(reach.most_charge_kwh, storage.owner, np.maximum(surplus, 0))
    return charge - _limited(reach.most_discharge_kwh, storage.owner, np.maximum(-surplus, 0))


def execute(
    load_kwh: Floats,
    pv_kwh: Floats,
    stored_kwh: Floats,
    request_kwh: Floats,
    storage: Storage,
    buy: float,
    sell: float,
    import_kwh: float,
    export_kwh: float,
    market: Market,
    dt_h: float,
    trade: bool,
) -> StepFlows:
    """Carry out a request to the batteries in one step, share the pool, and settle the rest with the grid.

    With ``trade``, all that deficits and surpluses allow goes through the pool when the fee is below what it saves,
    buy - max(sell, 0); else only what the limits of the grid force. A static key may leave shares unused; what the
    limits force beyond it is shared by demand. Trades below ``market.min_trade_kwh`` go to the grid if it can take
    them. Then, in this order:

    1. More import than its limit: charging is cut in proportion, but not what keeps a unit in its window; with trade
       in the whole community, else in the households that import. Then units discharge what they still can, in the
       same way: a forecast may have been wrong. What is still missing is unserved, in proportion to what each would
       have bought.
    2. More feed-in than its limit, or any at a price below 0: discharging is cut in proportion, where it feeds the
       pool or the grid and not the own household. Then PV is curtailed, in proportion to what
       each would have fed in of it.

    Args:
        load_kwh: (N,) consumed, 0 or more.
        pv_kwh: (N,) produced, 0 or more.
        stored_kwh: (M,) before the step, inside the window of each unit.
        request_kwh: (M,) at the AC side, charging positive; what does not fit is left out.
        storage: the units and their owners.
        buy: EUR/kWh from the grid.
        sell: EUR/kWh to the grid.
        import_kwh: limit of the sum of purchases from the grid; infinity without a limit.
        export_kwh: limit of the sum of sales to the grid; infinity without a limit.
        market: fee, smallest trade and allocation key.
        dt_h: hours of the step.
        trade: whether there is a pool.

    Returns:
        What happened; balance, limits and windows hold for any request.

    Raises:
        DataError: load, PV, levels or request are not numbers.
        ConfigError: an unknown allocation key, or a share of self-discharge that is none.
    """
    for name, values in (("load", load_kwh), ("pv", pv_kwh), ("stored", stored_kwh), ("request", request_kwh)):
        if np.isnan(values).any():
            place = int(np.flatnonzero(np.isnan(values))[0])
            raise DataError(f"trading step: {name}_kwh[{place}]: not a number; give a number for every place")
    worthwhile = market.fee_eur_per_kwh < buy - max(sell, 0.0)
    rules = _Rules(trade, worthwhile, sell >= 0, import_kwh, export_kwh, market)
    start = _Start(load_kwh - pv_kwh, stored_kwh, storage, dt_h)
    moved = _within_limits(start, rules, request_kwh)
    seller, buyer, traded = _trades(moved, rules)
    p2p_buy = np.bincount(buyer, traded, len(load_kwh)).astype(np.float64)
    p2p_sell = np.bincount(seller, traded, len(load_kwh)).astype(np.float64)

    left = np.maximum(moved.surplus - p2p_sell, 0)  # a pool that is closed or static passes no discharge on
    over = float(left.sum()) - rules.feed_in_kwh
    if over > ROUNDING_KWH:
        fed_in = _limited(moved.discharged, storage.owner, left)
        moved = start.move(moved.charged - moved.discharged + _shared(fed_in, over))
        left = np.maximum(moved.surplus - p2p_sell, 0)
    curtailed = _shared(np.minimum(left, pv_kwh), float(left.sum()) - rules.feed_in_kwh)
    lacking = np.maximum(moved.deficit - p2p_buy, 0)
    unserved = _shared(lacking, float(lacking.sum()) - import_kwh)
    return StepFlows(
        unit_charge_kwh=moved.charged,
        unit_discharge_kwh=moved.discharged,
        stored_kwh=moved.stored,
        grid_buy_kwh=lacking - unserved,
        grid_sell_kwh=left - curtailed,
        p2p_buy_kwh=p2p_buy,
        p2p_sell_kwh=p2p_sell,
        curtailed_kwh=curtailed,
        unserved_kwh=unserved,
        seller=seller,
        buyer=buyer,
        traded_kwh=traded,
    )


@dataclass(frozen=True, slots=True)
class _Rules:
    """What pool and grid allow in a step; ``worthwhile``: trade saves more than its fee; ``sells``: at no loss."""

    trade: bool
    worthwhile: bool
    sells: bool
    import_kwh: float
    export_kwh: float
    market: Market

    @property
    def feed_in_kwh(self) -> float:
        return self.export_kwh if self.sells else 0.0

    def volume(self, deficit_kwh: float, surplus_kwh: float) -> tuple[float, float]:
        """What the limits of the grid force into the pool, and what goes into it at most."""
        most = min(deficit_kwh, surplus_kwh) if self.trade else 0.0
        beyond = max(deficit_kwh - self.import_kwh, surplus_kwh - self.export_kwh if self.sells else 0.0)
        forced = min(max(beyond, 0.0), most)
        return forced, most if self.worthwhile else forced


@dataclass(frozen=True, slots=True)
class _Moved:
    """Batteries after a request, (M,) each, and what each household then lacks or has too much of, (N,)."""

    stored: Floats
    charged: Floats
    discharged: Floats
    deficit: Floats
    surplus: Floats


@dataclass(frozen=True, slots=True)
class _Start:
    """A step before its batteries moved; ``net`` (N,) is load less PV."""

    net: Floats
    stored: Floats
    storage: Storage
    dt_h: float

    def move(self, request: Floats) -> _Moved:
        stored, charged, discharged = step_batteries(self.stored, request, self.storage.units, self.dt_h)
        net = self.net + np.bincount(self.storage.owner, charged - discharged, len(self.net))
        return _Moved(stored, charged, discharged, np.maximum(net, 0), np.maximum(-net, 0))


def _within_limits(start: _Start, rules: _Rules, request: Floats) -> _Moved:
    """The request with as much charging and discharging cut as takes the community to the limits of the grid."""
    moved = start.move(request)
    deficit, surplus = float(moved.deficit.sum()), float(moved.surplus.sum())
    reach = reach_of(start.stored, start.storage.units, start.dt_h)
    for less_import in ("charge less", "discharge more"):
        over = deficit - rules.volume(deficit, surplus)[1] - rules.import_kwh
        if over <= ROUNDING_KWH:
            break
        if less_import == "charge less":
            spare = np.maximum(moved.charged - reach.least_charge_kwh, 0)
        else:
            spare = np.where(moved.charged > 0, 0, np.maximum(reach.most_discharge_kwh - moved.discharged, 0))
        if not rules.trade:
            spare = _limited(spare, start.storage.owner, moved.deficit)
        moved = start.move(moved.charged - moved.discharged - _shared(spare, over))
        deficit, surplus = float(moved.deficit.sum()), float(moved.surplus.sum())
    over = surplus - rules.volume(deficit, surplus)[1] - rules.feed_in_kwh
    if over > ROUNDING_KWH and rules.trade and (rules.worthwhile or rules.sells):
        fed_in = _limited(moved.discharged, start.storage.owner, moved.surplus)  # not what serves the own household
        moved = start.move(moved.charged - moved.discharged + _shared(fed_in, over))
    return moved


def _trades(moved: _Moved, rules: _Rules) -> tuple[Whole, Whole, Floats]:
    """Seller, buyer and energy of the trades of a step."""
    deficit, surplus = float(moved.deficit.sum()), float(moved.surplus.sum())
    forced, wanted = rules.volume(deficit, surplus)
    p2p_buy, p2p_sell = share_pool(moved.deficit, moved.surplus, wanted, rules.market.key)
    missing = forced - float(p2p_buy.sum())
    if missing > 0:
        more = share_pool(moved.deficit - p2p_buy, moved.surplus - p2p_sell, missing, "dynamic")
        p2p_buy, p2p_sell = p2p_buy + more[0], p2p_sell + more[1]
    seller, buyer, kwh = match_trades(p2p_buy, p2p_sell)
    volume = float(kwh.sum())
    feed_in = rules.export_kwh - (surplus - volume) if rules.sells else np.inf  # at a loss it is curtailed, not sold
    room = min(rules.import_kwh - (deficit - volume), feed_in)
    return drop_small(seller, buyer, kwh, rules.market.min_trade_kwh, room)


def _limited(per_unit: Floats, owner: Whole, most: Floats) -> Floats:
    """(M,) cut in proportion so that the units of each household come to at most ``most`` (N,)."""
    total = np.bincount(owner, per_unit, len(most))
    share = np.divide(most, total, out=np.ones_like(most), where=total > most)
    return per_unit * share[owner]


def _shared(parts: Floats, amount: float) -> Floats:
    """``amount`` split in proportion to the parts, 0 or more and at most all of them."""
    total = float(parts.sum())
    if amount <= ROUNDING_KWH or total <= 0:
        return np.zeros_like(parts)
    return parts * min(1.0, amount / total)
