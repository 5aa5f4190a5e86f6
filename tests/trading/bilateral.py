"""The plan of a horizon with a trade for every pair of households: slow, plain, and written without the net form.

One variable per seller, buyer and period, household balances one by one, `scipy.optimize.linprog`. For small cases
only: it shares no code with the engines it is compared to, but the records.
"""

import numpy as np
from scipy.optimize import linprog

from energy_sim.trading.model import Horizon, Market, Storage


def bilateral_optimum(horizon: Horizon, stored_kwh, storage: Storage, market: Market, dt_h: float) -> float:
    """Least cost of the horizon, EUR."""
    steps, homes = horizon.load_kwh.shape
    units = storage.units
    count = len(units)
    kept = (1 - units.self_discharge_per_month) ** (dt_h / 730.5)
    cost, bounds, place = [], [], {}

    def column(name, price, low, high):
        place[name] = len(cost)
        cost.append(price)
        bounds.append((low, None if high == np.inf else high))

    for t in range(steps):
        for i in range(homes):
            column(("buy", t, i), horizon.buy[t], 0, np.inf)
            column(("sell", t, i), -horizon.sell[t], 0, np.inf)
            column(("curtail", t, i), 0, 0, horizon.pv_kwh[t, i])
            column(("unserved", t, i), market.voll_eur_per_kwh, 0, np.inf)
            for j in range(homes):
                if i != j:
                    column(("trade", t, i, j), market.fee_eur_per_kwh, 0, np.inf)
        for k in range(count):
            end_value = market.end_value_eur_per_kwh if t == steps - 1 else 0.0
            column(("charge", t, k), units.wear_eur_per_kwh[k], 0, units.charge_kw[k] * dt_h)
            column(("discharge", t, k), units.wear_eur_per_kwh[k], 0, units.discharge_kw[k] * dt_h)
            column(("stored", t, k), -end_value, units.soc_min_kwh[k], units.soc_max_kwh[k])

    equal, equal_to, at_most, limit = [], [], [], []

    def row(terms, target, rows, right):
        line = np.zeros(len(cost))
        for name, factor in terms:
            line[place[name]] += factor
        rows.append(line)
        right.append(target)

    for t in range(steps):
        for i in range(homes):
            terms = [(("buy", t, i), 1), (("sell", t, i), -1), (("curtail", t, i), -1), (("unserved", t, i), 1)]
            for j in range(homes):
                if i != j:
                    terms += [(("trade", t, j, i), 1), (("trade", t, i, j), -1)]
            for k in range(count):
                if storage.owner[k] == i:
                    terms += [(("discharge", t, k), 1), (("charge", t, k), -1)]
            row(terms, horizon.load_kwh[t, i] - horizon.pv_kwh[t, i], equal, equal_to)
        for k in range(count):
            terms = [(("stored", t, k), 1), (("charge", t, k), -units.eta_charge[k])]
            terms.append((("discharge", t, k), 1 / units.eta_discharge[k]))
            if t:
                terms.append((("stored", t - 1, k), -kept[k]))
            row(terms, 0.0 if t else kept[k] * stored_kwh[k], equal, equal_to)
        for name, most in (("buy", horizon.import_kwh[t]), ("sell", horizon.export_kwh[t])):
            if most < np.inf:
                row([((name, t, i), 1) for i in range(homes)], most, at_most, limit)
    found = linprog(
        cost,
        A_ub=np.array(at_most) if at_most else None,
        b_ub=limit or None,
        A_eq=np.array(equal),
        b_eq=equal_to,
        bounds=bounds,
        method="highs",
    )
    assert found.status == 0, found.message
    return float(found.fun)
