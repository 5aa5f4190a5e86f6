"""When a parameter matters: what must hold of others; else the page dims it."""

from collections.abc import Mapping, Sequence
from typing import Any

_OWN = (("household.battery_probability", "over", 0), ("household.shared_battery_probability", "under", 1))
_SHARED = (("household.battery_probability", "over", 0), ("household.shared_battery_probability", "over", 0))
_CENTRAL = (("battery.central_capacity_kwh", "over", 0),)
_CONVEX = (("optimizer.kind", "is", "convex"),)
_TRADES = (("optimizer.kind", "is not", "none"),)
_LIMITS = (("grid_capacity.use_capacity_limits", "is", True), ("grid_capacity_file", "is", ""))
_PRICES = ("prices_file", "is", "")
NEEDS: Mapping[str, Sequence[tuple[str, str, Any]]] = {
    "household.max_households": (("by_type", "is", False),),
    "household.homes_per_shared_battery": _SHARED,
    "household.shared_battery_probability": (("household.battery_probability", "over", 0),),
    **{f"battery.{name}": _OWN for name in ("simple_capacity_kwh", "simple_c_rate")},
    **{f"battery.{name}": _SHARED for name in ("shared_capacity_kwh", "shared_c_rate")},
    **{f"battery.central_{name}": _CENTRAL for name in ("c_rate", "eta_charge", "eta_discharge")},
    "grid_price.mode": (_PRICES,),
    **{
        f"grid_price.{name}": (_PRICES, ("grid_price.mode", "is", mode))
        for mode, names in {
            "random": ("min_buy_price", "max_buy_price", "min_sell_price", "max_sell_price"),
            "constant": ("buy_price", "sell_price"),
            "time_of_use": (
                "peak_buy_price",
                "off_peak_buy_price",
                "tou_sell_price",
                "peak_start_hour",
                "peak_end_hour",
            ),
        }.items()
        for name in names
    },
    "grid_capacity.mode": _LIMITS,
    **{
        f"grid_capacity.{name}": (*_LIMITS, ("grid_capacity.mode", "is", mode))
        for mode, names in {
            "constant": ("default_import_capacity_kw", "default_export_capacity_kw"),
            "synthetic": (
                "base_import_kw",
                "base_export_kw",
                "peak_reduction",
                "noise_std",
                "peak_start_hour",
                "peak_end_hour",
            ),
        }.items()
        for name in names
    },
    **{f"forecaster.{name}": _CONVEX for name in ("kind", "prediction_size")},
    "forecaster.history_size": (*_CONVEX, ("forecaster.kind", "is not", "perfect")),
    "optimizer.engine": _CONVEX,
    **{f"optimizer.{name}": _TRADES for name in ("p2p_transaction_cost", "min_trade_threshold")},
    **{f"settlement.{name}": _TRADES for name in ("mechanism", "top_up", "allocation_key", "levies_eur_per_kwh")},
    "settlement.grid_fee_reduction": (*_TRADES, ("settlement.grid_fee_eur_per_kwh", "over", 0)),
    "settlement.grid_fee_eur_per_kwh": _TRADES,
    "ledger.signed": (("ledger.enabled", "is", True),),
}
"""(field, is | is not | over | under, value), all of which must hold; `by_type`, `prices_file` and `grid_capacity_file`
are what the page knows besides the fields."""
