"""Rules of thumb instead of a plan: they look at one step only, and cost nothing to compute.

`OwnBattery` keeps to the household's own surplus and deficit. `Greedy` begins there; then batteries take what
neighbours would feed in and serve what neighbours would buy. That pays when a kWh that goes through a battery and the
pool once is worth more than feeding it in, with eta = eta_charge * eta_discharge:

    take   eta * buy         > max(sell, 0) + fee + (1 + eta) * wear     bought from a neighbour now, used at home later
    serve  eta * (buy - fee) > max(sell, 0) + (1 + eta) * wear           sold to a neighbour now, filled up again later

Both use the prices of this step for later ones: there is no look-ahead. Limits of the grid are left to the dispatch.
"""

import numpy as np

from energy_sim.devices.battery import reach_of
from energy_sim.trading.dispatch import own_battery_request
from energy_sim.trading.model import Floats, Horizon, Market, Plan, Storage


class OwnBattery:
    """A household's surplus charges its own units, its deficit discharges them."""

    raised_wear = 0

    def __init__(self, storage: Storage, dt_h: float) -> None:
        """Keep the units and the hours of a step."""
        self.storage, self.dt_h = storage, dt_h

    def plan(self, horizon: Horizon, stored_kwh: Floats) -> Plan:
        """What the rule does in the first step of the horizon; price and cost are NaN."""
        request = own_battery_request(horizon.load_kwh[0], horizon.pv_kwh[0], stored_kwh, self.storage, self.dt_h)
        return _plan(request, stored_kwh, self.storage, self.dt_h)


class Greedy:
    """Own batteries first, then neighbours' surplus and deficits."""

    raised_wear = 0

    def __init__(self, storage: Storage, market: Market, households: int, dt_h: float) -> None:
        """Keep the units, the fee and the hours of a step."""
        self.storage, self.market, self.households, self.dt_h = storage, market, households, dt_h

    def plan(self, horizon: Horizon, stored_kwh: Floats) -> Plan:
        """What the rule does in the first step of the horizon; price and cost are NaN."""
        storage, units = self.storage, self.storage.units
        load, pv = horizon.load_kwh[0], horizon.pv_kwh[0]
        request = own_battery_request(load, pv, stored_kwh, storage, self.dt_h)
        net = load - pv + np.bincount(storage.owner, request, self.households)
        lack, surplus = float(np.maximum(net, 0).sum()), float(np.maximum(-net, 0).sum())

        reach = reach_of(stored_kwh, units, self.dt_h)
        buy, fee = float(horizon.buy[0]), self.market.fee_eur_per_kwh
        eta = units.eta_charge * units.eta_discharge
        spent = max(float(horizon.sell[0]), 0.0) + (1 + eta) * units.wear_eur_per_kwh
        if surplus > lack:
            takes = np.where(eta * buy > spent + fee, reach.most_charge_kwh - request, 0.0)
            request = request + _shared(takes, surplus - lack)
        else:
            serves = np.where(eta * (buy - fee) > spent, reach.most_discharge_kwh + request, 0.0)
            request = request - _shared(serves, lack - surplus)
        return _plan(request, stored_kwh, storage, self.dt_h)


def _shared(room: Floats, amount: float) -> Floats:
    """``amount`` in proportion to the room of each unit, at most all of it."""
    total = float(room.sum())
    return room * min(1.0, amount / total) if total > 0 else np.zeros_like(room)


def _plan(request: Floats, stored_kwh: Floats, storage: Storage, dt_h: float) -> Plan:
    """The request as far as the units can follow it."""
    reach = reach_of(stored_kwh, storage.units, dt_h)
    moved = np.clip(request, reach.least_charge_kwh - reach.most_discharge_kwh, reach.most_charge_kwh)
    return Plan(np.maximum(moved, 0), np.maximum(-moved, 0))
