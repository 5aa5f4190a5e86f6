"""Runs with known energy for tests of money: what homes lack is traded first, the grid does the rest."""

import numpy as np

from energy_sim.trading.model import Flows, Market, Prices, Trades

NO_TRADES = Trades(*(np.empty(0, dtype=np.int64) for _ in range(3)), np.empty(0))


def market(fee=0.02, voll=10.0, end_value=0.0, key="dynamic"):
    return Market(fee, 0.01, voll, end_value, key)


def prices(buy=0.30, sell=0.10, steps=1):
    return Prices(np.full(steps, buy), np.full(steps, sell))


def run(load, pv, trade=True, charge=0.0, opening=10.0, wear=0.0, pool_price=None, traded_share=1.0, grid_limit=np.inf):
    """Flows of (T, N) load and pv; charge is negative when a battery gives. Trade is pro rata to need and surplus."""
    load, pv = np.atleast_2d(np.asarray(load, float)), np.atleast_2d(np.asarray(pv, float))
    charge = np.broadcast_to(np.asarray(charge, float), load.shape)
    net = load + charge - pv
    deficit, surplus = np.maximum(net, 0), np.maximum(-net, 0)
    all_deficit, all_surplus = deficit.sum(1, keepdims=True), surplus.sum(1, keepdims=True)
    volume = np.minimum(all_deficit, all_surplus) * (traded_share if trade else 0.0)
    p2p_buy, p2p_sell = (
        side * np.divide(volume, total, out=np.zeros_like(total), where=total > 0)
        for side, total in ((deficit, all_deficit), (surplus, all_surplus))
    )
    buy_wish, sell_wish = deficit - p2p_buy, surplus - p2p_sell
    grid_buy, grid_sell = (
        wish * np.minimum(1, np.divide(grid_limit, total, out=np.ones_like(total), where=total > 0))
        for wish, total in ((buy_wish, buy_wish.sum(1, keepdims=True)), (sell_wish, sell_wish.sum(1, keepdims=True)))
    )
    opening_kwh = np.full(load.shape[1], float(opening))
    return Flows(
        load_kwh=load,
        pv_kwh=pv,
        charge_kwh=np.maximum(charge, 0),
        discharge_kwh=np.maximum(-charge, 0),
        stored_kwh=opening_kwh + np.cumsum(charge, axis=0),
        opening_kwh=opening_kwh,
        capacity_kwh=np.full(load.shape[1], 100.0),
        grid_buy_kwh=grid_buy,
        grid_sell_kwh=grid_sell,
        p2p_buy_kwh=p2p_buy,
        p2p_sell_kwh=p2p_sell,
        curtailed_kwh=sell_wish - grid_sell,
        unserved_kwh=buy_wish - grid_buy,
        wear_eur=np.broadcast_to(np.asarray(wear, float), load.shape),
        pool_price=np.full(len(load), np.nan) if pool_price is None else np.asarray(pool_price, float),
        trades=NO_TRADES,
    )


# One step of three homes: A lacks 3 kWh, B lacks 1, C has 2 too many; 2 kWh are traded.
LOAD, PV = [[3.0, 1.0, 0.0]], [[0.0, 0.0, 2.0]]
# Alone, at 30 and 10 ct/kWh, they cost
ALONE = np.array([0.90, 0.30, -0.20])
