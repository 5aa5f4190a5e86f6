"""Records of the trading room. Energy is kWh per step at the AC side, power kW, money EUR; steps begin at `begins`.

Signs: every quantity is 0 or more. T is steps, N households, M battery units, H steps of a planning horizon.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy_sim.devices.battery import Batteries

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Moments = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Profiles:
    """What the households of a run consume and produce; ``notes`` says what reading them filled or changed."""

    ids: tuple[str, ...]
    begins: Moments  # (T,) datetime64[s], clock of the data
    dt_h: float
    load_kwh: Floats  # (T, N)
    pv_kwh: Floats  # (T, N)
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """T."""
        return len(self.load_kwh)


@dataclass(frozen=True, slots=True)
class Prices:
    """What the grid takes and pays, EUR/kWh, (T,) each; ``sell`` is below ``buy`` in every step."""

    buy: Floats
    sell: Floats


@dataclass(frozen=True, slots=True)
class GridCapacity:
    """What the community may draw and feed in together, kW, (T,) each; infinity where there is no limit."""

    import_kw: Floats
    export_kw: Floats


@dataclass(frozen=True, slots=True)
class Storage:
    """The battery units of a run and whose they are.

    A battery that several households own is one unit per owner, each with its share of capacity and power: a slice
    that charges and discharges like a battery of its own. ``battery`` names the physical battery of each unit.
    """

    units: Batteries  # (M,) each
    owner: Whole  # (M,) place of the household
    kind: tuple[str, ...]  # simple | shared | central
    battery: tuple[str, ...]
    initial_kwh: Floats  # (M,)


@dataclass(frozen=True, slots=True)
class Market:
    """What trade in the pool costs and when it is too small.

    ``fee_eur_per_kwh`` is all a buyer pays on top of the price to the seller: transaction cost, reduced grid fee,
    levies. It leaves the community. ``voll_eur_per_kwh`` prices energy that was wanted and not delivered.
    ``key`` says who gets how much of the surplus: ``dynamic`` by demand, ``static`` equal shares.
    """

    fee_eur_per_kwh: float
    min_trade_kwh: float
    voll_eur_per_kwh: float
    end_value_eur_per_kwh: float  # worth of stored energy when a horizon or the run ends
    key: str = "dynamic"


@dataclass(frozen=True, slots=True)
class Horizon:
    """What is expected of the next H steps; the first is the step to be decided."""

    load_kwh: Floats  # (H, N)
    pv_kwh: Floats  # (H, N)
    buy: Floats  # (H,) EUR/kWh
    sell: Floats  # (H,)
    import_kwh: Floats  # (H,) kW times hours; infinity where there is no limit
    export_kwh: Floats  # (H,)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do in the first step of a horizon, and what the whole horizon was expected to cost.

    ``pool_price`` is the dual of the pool in the first step, EUR/kWh: what one more kWh in it is worth to a buyer
    before the fee; NaN where no such price exists. ``cost_eur`` is NaN where the optimiser does not plan.
    """

    charge_kwh: Floats  # (M,)
    discharge_kwh: Floats  # (M,)
    pool_price: float = float("nan")
    cost_eur: float = float("nan")


@dataclass(frozen=True, slots=True)
class Trades:
    """Bilateral trades, one row each, in order of their step: places of the households, and energy."""

    step: Whole
    seller: Whole
    buyer: Whole
    kwh: Floats


@dataclass(frozen=True, slots=True)
class StepFlows:
    """What happened in one step.

    load + charge + grid_sell + p2p_sell + curtailed = pv + grid_buy + p2p_buy + discharge + unserved per household.
    """

    unit_charge_kwh: Floats  # (M,)
    unit_discharge_kwh: Floats  # (M,)
    stored_kwh: Floats  # (M,) at the end of the step
    grid_buy_kwh: Floats  # (N,)
    grid_sell_kwh: Floats
    p2p_buy_kwh: Floats
    p2p_sell_kwh: Floats
    curtailed_kwh: Floats
    unserved_kwh: Floats
    seller: Whole  # (K,) trades of the step
    buyer: Whole
    traded_kwh: Floats


@dataclass(frozen=True, slots=True)
class Flows:
    """What happened in a run, (T, N) each; ``capacity_kwh`` (N,) is what the battery shares of a household hold."""

    load_kwh: Floats
    pv_kwh: Floats
    charge_kwh: Floats
    discharge_kwh: Floats
    stored_kwh: Floats  # at the end of the step
    opening_kwh: Floats  # (N,) before the first step
    capacity_kwh: Floats
    grid_buy_kwh: Floats
    grid_sell_kwh: Floats
    p2p_buy_kwh: Floats
    p2p_sell_kwh: Floats
    curtailed_kwh: Floats
    unserved_kwh: Floats
    wear_eur: Floats  # (T, N)
    pool_price: Floats  # (T,) of the plans; NaN where there is none
    trades: Trades


@dataclass(frozen=True, slots=True)
class Accounts:
    """Money of a run, EUR, (T, N) each unless said otherwise; `wallet` is after the step and counts from the start.

    wallet = initial + grid income - grid cost + p2p income - p2p cost - fees + rent shares + transfers so far.
    """

    wallet_eur: Floats
    grid_cost_eur: Floats
    grid_income_eur: Floats
    p2p_cost_eur: Floats  # to sellers, without the fee
    p2p_income_eur: Floats
    fee_eur: Floats
    rent_eur: Floats  # congestion rent got back less paid; sums to 0 in every step
    transfer_eur: Floats  # (N,) at the end of the billing period; sums to 0
    p2p_price: Floats  # (T,) EUR/kWh of the pool; NaN where nothing was traded
    cost_eur: (
        Floats  # (N,) all it cost: money paid less money got, wear, unserved energy at its price, less stored gain
    )
    cost_before_transfer_eur: Floats  # (N,)
