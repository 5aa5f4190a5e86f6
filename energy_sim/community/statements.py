"""Meters of a month and the statements made from them: energy and money of each house and of the community.

Seen from the party: a house sells what it exports and buys what it imports, always from and to the community. The grid
sells what the street lacks and buys its surplus. Rounding keeps sums: what the houses' statements say adds up to what
the community's says, to the last digit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, tzinfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from energy_sim.community.economics import Prices

KWH_DECIMALS = 3
CT_PER_UNIT = 100  # amounts are in units of 100 ct, with two decimals
COMMUNITY = "community"  # house_id of the total row
STATEMENT_COLUMNS = (
    "house_id",
    "period_from",
    "period_to",
    "export_kwh",
    "import_kwh",
    "sold_ct_per_kwh",
    "bought_ct_per_kwh",
    "sold_amount",
    "bought_amount",
    "balance_amount",
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MonthMeters:
    """Energy and money of one month, counted tick by tick.

    Attributes:
        month: YYYY-MM, local.
        from_s: opening of the first tick counted, s since the epoch.
        to_s: end of the last one.
        export_kwh: delivered by each house (H,).
        import_kwh: drawn by each house (H,).
        sold_ct: what each house gets for its export (H,).
        bought_ct: what each house pays for its import (H,).
        grid_export_kwh: from the street to the grid.
        grid_import_kwh: from the grid to the street.
        grid_sold_ct: what the community pays the grid for grid_import_kwh.
        grid_bought_ct: what the grid pays the community for grid_export_kwh.
    """

    month: str
    from_s: float
    to_s: float
    export_kwh: Floats
    import_kwh: Floats
    sold_ct: Floats
    bought_ct: Floats
    grid_export_kwh: float
    grid_import_kwh: float
    grid_sold_ct: float
    grid_bought_ct: float


@dataclass(frozen=True, slots=True)
class CommunityTotals:
    """The community's side of the statements, rounded as they are; every line follows from the others exactly.

    grid_export_kwh = export_kwh - shared_kwh, grid_import_kwh = import_kwh - shared_kwh,
    result_amount = bought_amount - sold_amount + grid_bought_amount - grid_sold_amount. The grid's mean prices are NaN
    without energy.
    """

    houses: int
    export_kwh: float
    import_kwh: float
    shared_kwh: float
    grid_export_kwh: float
    grid_import_kwh: float
    sold_amount: float
    bought_amount: float
    grid_sold_amount: float
    grid_bought_amount: float
    result_amount: float
    grid_sold_ct_per_kwh: float
    grid_bought_ct_per_kwh: float


def open_month(month: str, from_s: float, count: int) -> MonthMeters:
    """Meters at zero for ``count`` houses, from a moment on."""
    zero = np.zeros(count)
    return MonthMeters(month, from_s, from_s, zero, zero, zero, zero, 0.0, 0.0, 0.0, 0.0)


def add_tick(meters: MonthMeters, net_w: Floats, dt_h: float, prices: Prices) -> MonthMeters:
    """The meters after one tick.

    Args:
        meters: before it.
        net_w: mean net power of the houses (H,) in W, exports positive.
        dt_h: its length, hours.
        prices: as they stand during the tick.
    """
    exported = np.maximum(net_w, 0.0) * (dt_h / 1000)
    imported = np.maximum(-net_w, 0.0) * (dt_h / 1000)
    surplus = float(exported.sum()) - float(imported.sum())
    grid_export, grid_import = max(0.0, surplus), max(0.0, -surplus)
    return MonthMeters(
        meters.month,
        meters.from_s,
        meters.to_s + 3600 * dt_h,
        meters.export_kwh + exported,
        meters.import_kwh + imported,
        meters.sold_ct + exported * prices.pv_delivery_ct_per_kwh,
        meters.bought_ct + imported * prices.house_consumption_ct_per_kwh,
        meters.grid_export_kwh + grid_export,
        meters.grid_import_kwh + grid_import,
        meters.grid_sold_ct + grid_import * prices.grid_consumption_ct_per_kwh,
        meters.grid_bought_ct + grid_export * prices.grid_delivery_ct_per_kwh,
    )


def joined(first: MonthMeters, second: MonthMeters) -> MonthMeters:
    """Two stretches as one that is named after the later month; sums stay what they are."""
    counted = [f.name for f in fields(MonthMeters)][3:]
    sums = {name: getattr(first, name) + getattr(second, name) for name in counted}
    return MonthMeters(second.month, first.from_s, second.to_s, **sums)


def round_keeping_sum(values: Floats) -> Ints:
    """Whole numbers next to the values (n,) whose sum is the rounded sum of the values.

    Source: method of the largest remainder (Hare-Niemeyer): everyone gets the whole part, those with the largest
    remainders one more; the first of equal ones.

    >>> round_keeping_sum(np.array([0.4, 0.4, 0.4, 0.2])).tolist()
    [1, 0, 0, 0]
    """
    whole = np.floor(values)
    missing = int(round(float(values.sum())) - whole.sum())
    rounded = whole.astype(np.int64)
    rounded[np.argsort(whole - values, kind="stable")[: max(missing, 0)]] += 1
    return rounded


def community_totals(meters: MonthMeters) -> CommunityTotals:
    """What the street and the community exchanged in the month, rounded."""
    exported, imported, sold, bought = (int(column[-1]) for column in _rounded(meters))
    shared = round((float(meters.export_kwh.sum()) - meters.grid_export_kwh) * 10**KWH_DECIMALS)
    shared = max(0, min(shared, exported, imported))
    grid_sold, grid_bought = round(meters.grid_sold_ct), round(meters.grid_bought_ct)
    scale = 10**KWH_DECIMALS
    return CommunityTotals(
        houses=len(meters.export_kwh),
        export_kwh=exported / scale,
        import_kwh=imported / scale,
        shared_kwh=shared / scale,
        grid_export_kwh=(exported - shared) / scale,
        grid_import_kwh=(imported - shared) / scale,
        sold_amount=sold / CT_PER_UNIT,
        bought_amount=bought / CT_PER_UNIT,
        grid_sold_amount=grid_sold / CT_PER_UNIT,
        grid_bought_amount=grid_bought / CT_PER_UNIT,
        result_amount=(bought - sold + grid_bought - grid_sold) / CT_PER_UNIT,
        grid_sold_ct_per_kwh=meters.grid_sold_ct / meters.grid_import_kwh if meters.grid_import_kwh > 0 else math.nan,
        grid_bought_ct_per_kwh=meters.grid_bought_ct / meters.grid_export_kwh
        if meters.grid_export_kwh > 0
        else math.nan,
    )


def statement_table(meters: MonthMeters, ids: Sequence[str], timezone: tzinfo = UTC) -> pd.DataFrame:
    """A row for each house and, last, one for all of them together (house_id "community").

    Args:
        meters: of the month.
        ids: names of the houses (H,).
        timezone: in which the period is written.

    Returns:
        STATEMENT_COLUMNS: the period as ISO 8601 with offset, energies in kWh, mean prices in ct/kWh (NaN without
        energy), amounts in units of 100 ct; balance_amount is sold less bought, positive when the house gets money.
    """
    scale = 10**KWH_DECIMALS
    exported, imported, sold, bought = _rounded(meters)
    start, end = (
        datetime.fromtimestamp(round(time_s), timezone).isoformat() for time_s in (meters.from_s, meters.to_s)
    )
    columns = (
        [*ids, COMMUNITY],
        start,
        end,
        exported / scale,
        imported / scale,
        _mean_price(meters.sold_ct, meters.export_kwh),
        _mean_price(meters.bought_ct, meters.import_kwh),
        sold / CT_PER_UNIT,
        bought / CT_PER_UNIT,
        (sold - bought) / CT_PER_UNIT,
    )
    return pd.DataFrame(dict(zip(STATEMENT_COLUMNS, columns, strict=True)))


def statement_csv(months: Sequence[MonthMeters], ids: Sequence[str], timezone: tzinfo = UTC) -> str:
    """The tables of some months under one head: energies and prices with three decimals, amounts with two."""
    table = pd.concat([statement_table(month, ids, timezone) for month in months])
    for column in STATEMENT_COLUMNS[3:]:
        decimals = 2 if column.endswith("_amount") else KWH_DECIMALS
        table[column] = ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in table[column]]
    return table.to_csv(index=False, lineterminator="\n")


def _rounded(meters: MonthMeters) -> list[Ints]:
    """Export and import in units of the last decimal, sold and bought in ct: (H,) and their sum at the end."""
    scale = 10**KWH_DECIMALS
    exact = (meters.export_kwh * scale, meters.import_kwh * scale, meters.sold_ct, meters.bought_ct)
    return [np.append(column, column.sum()) for column in map(round_keeping_sum, exact)]


def _mean_price(ct: Floats, kwh: Floats) -> Floats:
    """ct/kWh of each house and of all together; NaN without energy."""
    money, energy = (np.append(values, values.sum()) for values in (ct, kwh))
    price: Floats = np.divide(money, energy, out=np.full(len(energy), np.nan), where=energy > 0)
    return price
