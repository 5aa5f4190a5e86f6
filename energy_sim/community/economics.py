"""What a street's energy costs: the community between its houses and the grid. Shown, never steering.

The community buys what houses export at the PV delivery price and sells what houses import at the house price; the
difference of the two it trades with the grid at the grid's prices.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from energy_sim.errors import ConfigError

PRICE_LIMITS = (0.0, 1000.0)  # ct/kWh
FLOW_COLUMNS = ("kind", "party", "sold_kw", "bought_kw", "sold_ct_per_h", "bought_ct_per_h")


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in ct/kWh; 0 is a price.

    Attributes:
        grid_delivery_ct_per_kwh: what the grid pays for the street's surplus.
        grid_consumption_ct_per_kwh: what the grid asks for what the street lacks.
        pv_delivery_ct_per_kwh: what a house gets for its exports.
        house_consumption_ct_per_kwh: what a house pays for its imports.
    """

    grid_delivery_ct_per_kwh: float = 6.0
    grid_consumption_ct_per_kwh: float = 30.0
    pv_delivery_ct_per_kwh: float = 20.0
    house_consumption_ct_per_kwh: float = 25.0


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The house price at which the community neither earns nor loses.

    Attributes:
        price_ct_per_kwh: None where there is none; below 0 when the grid pays more for the surplus than houses get.
        reason: why there is no price, else empty.
        capped_price_ct_per_kwh: the price within 0 and the grid consumption price, what "apply" sets.
        cap_applies: the price lies above the grid consumption price.
        cap_cost_ct_per_h: what the community loses an hour by the cap.
    """

    price_ct_per_kwh: float | None
    reason: str
    capped_price_ct_per_kwh: float | None
    cap_applies: bool
    cap_cost_ct_per_h: float


def check_price(name: str, value: object) -> float:
    """A price in ct/kWh as float, within `PRICE_LIMITS`.

    Raises:
        ConfigError: it is no number, or outside the limits; names the limits.
    """
    low, high = PRICE_LIMITS
    if not isinstance(value, int | float | np.number) or isinstance(value, bool):
        raise ConfigError(f"{name}: {str(value)[:40]!r} is no number; give a price from {low:g} to {high:g} ct/kWh")
    if not low <= value <= high:  # NaN too
        raise ConfigError(f"{name}: {str(value)[:40]} is outside {low:g} to {high:g}; give a price in ct/kWh within")
    return float(value) + 0.0  # no negative zero


def street_kw(net_w: NDArray[np.float64]) -> tuple[float, float]:
    """Exports and imports of the houses together, kW, from their net power (H,) in W, exports positive."""
    return float(np.maximum(net_w, 0.0).sum()) / 1000, float(np.maximum(-net_w, 0.0).sum()) / 1000


def community_result_ct_per_h(export_kw: float, import_kw: float, prices: Prices) -> float:
    """What the community earns an hour (negative: loses), ct.

    P = I * p_con + max(0, E - I) * p_grid_del - E * p_pv - max(0, I - E) * p_grid_con, E and I being the exports and
    imports of all houses in kW.

    Source: balance of money at the bus, both sides of each trade at its price.
    """
    income = import_kw * prices.house_consumption_ct_per_kwh
    income += max(0.0, export_kw - import_kw) * prices.grid_delivery_ct_per_kwh
    cost = export_kw * prices.pv_delivery_ct_per_kwh
    cost += max(0.0, import_kw - export_kw) * prices.grid_consumption_ct_per_kwh
    return income - cost


def break_even_house_price(export_kw: float, import_kw: float, prices: Prices) -> BreakEven:
    """The house price that makes `community_result_ct_per_h` zero, and the same capped at the grid's.

    p = p_grid + (E / I) * (p_pv - p_grid); p_grid is the grid's delivery price when E >= I, else its consumption
    price. The cap costs I * (p - cap).

    Source: P = 0 solved for p_con; both cases of max(0, .) trade E - I at p_grid.
    """
    surplus = export_kw >= import_kw
    grid = prices.grid_delivery_ct_per_kwh if surplus else prices.grid_consumption_ct_per_kwh
    price = math.nan
    if import_kw > 0:
        price = grid + export_kw / import_kw * (prices.pv_delivery_ct_per_kwh - grid)
    if not math.isfinite(price):
        reason = "No house imports: nobody pays the house price, so none breaks even."
        return BreakEven(None, reason, None, cap_applies=False, cap_cost_ct_per_h=0.0)
    cap = prices.grid_consumption_ct_per_kwh
    capped = max(0.0, min(price, cap))
    return BreakEven(price, "", capped, price > cap, import_kw * max(0.0, price - cap))


def flow_table(net_w: NDArray[np.float64], ids: Sequence[str], prices: Prices) -> pd.DataFrame:
    """Who sells and buys how much at this moment: a row for each house, one for the grid, one for all together.

    Args:
        net_w: net power (H,) in W, exports positive.
        ids: names of the houses (H,).
        prices: of the moment.

    Returns:
        kind (house, grid, total), party, sold_kw, bought_kw and what the party gets and pays for it in ct/h. The
        total row is the sum of the others; what is paid there less what is got is the community's result.
    """
    sold = np.maximum(net_w, 0.0) / 1000
    bought = np.maximum(-net_w, 0.0) / 1000
    surplus = float(sold.sum()) - float(bought.sum())
    sold = np.append(sold, max(0.0, -surplus))
    bought = np.append(bought, max(0.0, surplus))
    got = sold * prices.pv_delivery_ct_per_kwh
    paid = bought * prices.house_consumption_ct_per_kwh
    got[-1] = sold[-1] * prices.grid_consumption_ct_per_kwh
    paid[-1] = bought[-1] * prices.grid_delivery_ct_per_kwh
    kinds = ["house"] * len(ids) + ["grid", "total"]
    columns = (
        kinds,
        [*ids, "Grid", "Total"],
        *(np.append(column, column.sum()) for column in (sold, bought, got, paid)),
    )
    return pd.DataFrame(dict(zip(FLOW_COLUMNS, columns, strict=True)))
