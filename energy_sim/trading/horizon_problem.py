"""The plan of a horizon as numbers: what both engines of the convex optimiser are given.

    shape = shape_of(storage, market, households=30, horizon_steps=24, dt_h=1.0)
    data = horizon_data(shape, horizon, stored_kwh)

Net form. Per battery unit and period: charge c, discharge e, stored s. Per home with a battery: what it lacks x and
what it has too much of y. Per period: grid buy B, grid sell G, unserved z, and curtailing in homes without a battery.

    minimise   sum( buy*B - sell*G + fee*P + voll*z + wear*(c + e) ) - end_value * s_end
    subject to load - pv <= x - y - sum(c) + sum(e) <= load       the width is PV that may be curtailed
               s' = retention*s + eta_charge*c - e/eta_discharge  in its window
               lacking = B + z + P,  too much = G + P,  P >= 0    P is the pool
               B <= import limit,  G <= export limit

Homes without a battery have no choice but to curtail, so their sums enter as numbers. Who trades with whom follows
from the sums (see matching.py), so the model grows with the homes and not with their pairs.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from energy_sim.devices.battery import Batteries
from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.model import Floats, Horizon, Market, Storage, Whole

MARGIN = 1.01  # of raised wear over the bound
LEAST_WORTH = 1e-6  # EUR/kWh: burning energy never pays, not even where energy and wear are free


@dataclass(frozen=True, slots=True)
class Shape:
    """What does not change from plan to plan. H periods, N households, B of them with a battery, M units.

    Where nobody has a battery, one of no size at household 0 keeps every array filled: ``unit_count`` is 0 then.
    """

    storage: Storage
    market: Market
    households: int
    horizon_steps: int
    dt_h: float
    unit_count: int
    homes: Whole  # (B,) places of the households with a battery
    ownership: sp.csr_matrix  # (M, B) 1 where a unit belongs to a home
    retention: Floats  # (M,)
    charge_kwh: Floats  # (M,) most of a period at the AC side
    discharge_kwh: Floats

    def per_home(self, per_unit: Floats) -> Floats:
        """(h, B) sums of (h, M) over the units of each home with a battery."""
        return np.asarray(per_unit @ self.ownership, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class HorizonData:
    """The numbers of one plan, kWh and EUR/kWh; periods from ``steps`` on are padding in which nothing can happen."""

    steps: int
    stored: Floats  # (M,) before the first period
    start: Floats  # (H, M) what self-discharge leaves of it, in the first period; 0 in the others
    load: Floats  # (H, B) homes with a battery
    pv: Floats  # (H, B)
    lack: Floats  # (H,) sum of deficits of homes without a battery
    surplus: Floats  # (H,) sum of their surpluses
    own_use: Floats  # (H,) PV that they use themselves; curtailing it means buying more
    buy: Floats  # (H,)
    sell: Floats
    most_import: Floats  # (H,) finite
    most_export: Floats
    most_charge: Floats  # (H, M)
    most_discharge: Floats
    least_stored: Floats  # (H, M)
    most_stored: Floats
    most_lack: Floats  # (H, B)
    most_surplus: Floats
    end_value: Floats  # (H,) EUR per kWh stored; not 0 in the last real period only
    wear: Floats  # (M,) EUR per kWh in or out, as the plan reckons it
    wear_raised: bool  # because of prices below 0


def shape_of(storage: Storage, market: Market, households: int, horizon_steps: int, dt_h: float) -> Shape:
    """Work out what stays the same in all plans of a run.

    Raises:
        ConfigError: no household or period, a fee below 0, or self-discharge that is no share.
    """
    for name, value, least in (("households", households, 1), ("prediction_size", horizon_steps, 1)):
        if value < least:
            raise ConfigError(f"trading plan: {name} {value} is below {least}; give {least} or more")
    if market.fee_eur_per_kwh < 0:
        raise ConfigError(f"trading plan: fee {market.fee_eur_per_kwh:g} EUR/kWh is below 0; give 0 or more")
    filled = storage if len(storage.units) else _no_battery()
    homes, home_of_unit = np.unique(filled.owner, return_inverse=True)
    units, count = filled.units, len(filled.owner)
    return Shape(
        storage=filled,
        market=market,
        households=households,
        horizon_steps=horizon_steps,
        dt_h=dt_h,
        unit_count=len(storage.units),
        homes=homes.astype(np.int64),
        ownership=sp.csr_matrix((np.ones(count), (np.arange(count), home_of_unit)), shape=(count, len(homes))),
        retention=units.retention(dt_h),
        charge_kwh=units.charge_kw * dt_h,
        discharge_kwh=units.discharge_kw * dt_h,
    )


def horizon_data(shape: Shape, horizon: Horizon, stored_kwh: Floats) -> HorizonData:
    """Lay out one horizon for the engines.

    A horizon shorter than ``shape.horizon_steps`` (the end of the data) is padded with periods without load, PV,
    power, limits to break and price, and the end value counts before them: the optimum is that of the short one.

    Args:
        shape: what does not change.
        horizon: 1 to H periods.
        stored_kwh: (M,) now; outside its window a unit comes back as fast as its power allows.

    Raises:
        DataError: arrays that do not fit together, or values that are not numbers or below 0.
        ConfigError: a price of feed-in above that of purchase, or unserved energy cheaper than bought.
    """
    _check(shape, horizon, stored_kwh)
    steps, total, market = len(horizon.buy), shape.horizon_steps, shape.market
    stored = stored_kwh if shape.unit_count else np.zeros(1)

    def padded(values: Floats) -> Floats:
        return np.concatenate([values, np.zeros((total - steps, *values.shape[1:]))])

    others = np.ones(shape.households, dtype=bool)
    others[shape.homes] = False
    net = horizon.load_kwh[:, others] - horizon.pv_kwh[:, others]
    lack, surplus = padded(np.maximum(net, 0).sum(axis=1)), padded(np.maximum(-net, 0).sum(axis=1))
    own_use = padded(np.minimum(horizon.load_kwh[:, others], horizon.pv_kwh[:, others]).sum(axis=1))
    load, pv = padded(horizon.load_kwh[:, shape.homes]), padded(horizon.pv_kwh[:, shape.homes])

    is_real = (np.arange(total) < steps).astype(np.float64)
    most_charge, most_discharge = np.outer(is_real, shape.charge_kwh), np.outer(is_real, shape.discharge_kwh)
    least_stored, most_stored = _windows(shape, stored, most_charge)
    most_lack, most_surplus = load + shape.per_home(most_charge), pv + shape.per_home(most_discharge)
    wear, wear_raised = wear_for(shape.storage.units, float(horizon.buy.min()))
    start = np.zeros_like(most_charge)
    start[0] = shape.retention * stored
    end_value = np.zeros(total)
    end_value[steps - 1] = market.end_value_eur_per_kwh
    return HorizonData(
        steps=steps,
        stored=stored,
        start=start,
        load=load,
        pv=pv,
        lack=lack,
        surplus=surplus,
        own_use=own_use,
        buy=padded(horizon.buy),
        sell=padded(horizon.sell),
        most_import=np.minimum(padded(horizon.import_kwh), lack + own_use + most_lack.sum(axis=1)),
        most_export=np.minimum(padded(horizon.export_kwh), surplus + most_surplus.sum(axis=1)),
        most_charge=most_charge,
        most_discharge=most_discharge,
        least_stored=least_stored,
        most_stored=most_stored,
        most_lack=most_lack,
        most_surplus=most_surplus,
        end_value=end_value,
        wear=wear,
        wear_raised=wear_raised,
    )


def wear_for(units: Batteries, lowest_buy: float) -> tuple[Floats, bool]:
    """Wear that a plan has to reckon with so that burning energy never pays, (M,) EUR/kWh, and whether it was raised.

    Charging 1 kWh and discharging eta at the same time leaves a battery as it was and uses 1 - eta. At a price p
    below 0 that earns -p*(1 - eta) and wears (1 + eta) * wear, with eta = eta_charge * eta_discharge. The wear of a
    unit below that bound is raised to a hundredth above it, so that burning is dearer than not, and not as dear.
    Where nothing is below 0 that is too little to count.
    """
    eta = units.eta_charge * units.eta_discharge
    least = max(-lowest_buy, LEAST_WORTH) * (1 - eta) / (1 + eta)
    is_low = units.wear_eur_per_kwh < least
    return np.where(is_low, MARGIN * least, units.wear_eur_per_kwh), bool(is_low.any() and lowest_buy < 0)


def _windows(shape: Shape, stored: Floats, most_charge: Floats) -> tuple[Floats, Floats]:
    """(H, M) least and most stored at the end of each period, as far as they can be kept from where units are."""
    units = shape.storage.units
    least, most = np.minimum(stored, units.soc_min_kwh), np.maximum(stored, units.soc_max_kwh)
    lower, upper = np.empty_like(most_charge), np.empty_like(most_charge)
    for t in range(len(most_charge)):
        least = np.minimum(units.soc_min_kwh, shape.retention * least + units.eta_charge * most_charge[t])
        most = np.maximum(units.soc_max_kwh, shape.retention * most)
        lower[t], upper[t] = least, most
    return lower, upper


def _no_battery() -> Storage:
    none, all_of_it = np.zeros(1), np.ones(1)
    units = Batteries(none, none, none, none, none, all_of_it, all_of_it, none, none)
    return Storage(units, np.zeros(1, dtype=np.int64), ("none",), ("none",), none)


def _check(shape: Shape, horizon: Horizon, stored_kwh: Floats) -> None:
    steps = len(horizon.buy)
    if not 1 <= steps <= shape.horizon_steps:
        raise DataError(f"trading plan: {steps} periods; give 1 to {shape.horizon_steps}")
    rows = dict.fromkeys(("buy", "sell", "import_kwh", "export_kwh"), (steps,))
    homes = dict.fromkeys(("load_kwh", "pv_kwh"), (steps, shape.households))
    given = {name: getattr(horizon, name) for name in (*rows, *homes)} | {"stored_kwh": stored_kwh}
    for name, expected in (rows | homes | {"stored_kwh": (shape.unit_count,)}).items():
        values = given[name]
        if values.shape != expected:
            raise DataError(f"trading plan: {name} is of shape {values.shape}; give {expected}")
        wrong = np.isnan(values) if name in {"buy", "sell"} else ~(values >= 0)
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise DataError(
                f"trading plan: {name}{list(place)}: {values[place]:g}; give a number, 0 or more for energy"
            )
    if np.any(horizon.sell > horizon.buy):
        t = int(np.argmax(horizon.sell > horizon.buy))
        raise ConfigError(f"prices: period {t}: feed-in {horizon.sell[t]:g} is above {horizon.buy[t]:g}; give less")
    highest, voll = float(horizon.buy.max()), shape.market.voll_eur_per_kwh
    if voll <= highest:
        raise ConfigError(f"optimizer.voll_eur_per_kwh: {voll:g} is not above the price {highest:g}; give more")
