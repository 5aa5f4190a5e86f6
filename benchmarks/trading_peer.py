"""The peer of the trading benchmarks: the plan of a horizon as one would first write it in CVXPY.

One scalar variable and one scalar constraint at a time, household by household and hour by hour, built anew for every
step and handed to the same solver. The equations are those of the product, with the pool and without the net form.
"""

import warnings

import cvxpy as cp

from energy_sim.trading.model import Floats, Horizon, Market, Storage


def plan_scalar(horizon: Horizon, stored_kwh: Floats, storage: Storage, market: Market, dt_h: float) -> float:
    """Cost of the optimum, EUR; every home has one unit, in the order of the homes."""
    steps, homes = horizon.load_kwh.shape
    units = storage.units
    kept = units.retention(dt_h)
    cost, rules = 0.0, []
    stored = [float(level) for level in stored_kwh]
    for t in range(steps):
        offered, wanted, bought, sold = [], [], [], []
        for i in range(homes):
            buy, sell, take, give, charge, discharge, curtailed, unserved = (cp.Variable(nonneg=True) for _ in range(8))
            level = cp.Variable()
            load, pv = float(horizon.load_kwh[t, i]), float(horizon.pv_kwh[t, i])
            rules += [
                load + charge + sell + give + curtailed == pv + buy + take + discharge + unserved,
                level == kept[i] * stored[i] + units.eta_charge[i] * charge - discharge / units.eta_discharge[i],
                level >= units.soc_min_kwh[i],
                level <= units.soc_max_kwh[i],
                charge <= units.charge_kw[i] * dt_h,
                discharge <= units.discharge_kw[i] * dt_h,
                curtailed <= pv,
            ]
            cost += float(horizon.buy[t]) * buy - float(horizon.sell[t]) * sell + market.fee_eur_per_kwh * take
            cost += units.wear_eur_per_kwh[i] * (charge + discharge) + market.voll_eur_per_kwh * unserved
            stored[i] = level
            offered, wanted, bought, sold = [*offered, give], [*wanted, take], [*bought, buy], [*sold, sell]
        rules.append(sum(offered) == sum(wanted))
        rules.append(sum(bought) <= float(horizon.import_kwh[t]))
        rules.append(sum(sold) <= float(horizon.export_kwh[t]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Objective contains too many subexpressions")  # what is measured here
        warnings.filterwarnings("ignore", "Constraint #.* contains too many subexpressions")
        problem = cp.Problem(cp.Minimize(cost - market.end_value_eur_per_kwh * sum(stored)), rules)
        problem.solve(solver=cp.CLARABEL)
    return float(problem.value)
