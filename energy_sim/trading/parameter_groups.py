"""The groups of parameters of the trading room, frozen and checked; each field carries what the page says about it.

A field: default, title, help in plain words, unit, and the limits that are enforced here and shown there. What must fit
together inside a group is checked by the group; only what its chosen mode uses is compared.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

CENTRAL_KWH = (100.0, 1000.0)
Mechanism = Literal["mid_market_rate", "supply_demand_ratio", "bill_sharing", "dual_price", "equal_savings", "shapley"]


G = TypeVar("G", bound="Group")


def _field(
    default: Any, title: str, text: str, unit: str = "", low: float | None = None, high: float | None = None
) -> Any:
    return Field(default=default, title=title, description=text, ge=low, le=high, json_schema_extra={"unit": unit})


def _as_moment(value: str) -> str:
    """ISO text on the clock of the data, or empty."""
    try:
        offset = datetime.fromisoformat(value).utcoffset() if value else None
    except ValueError:
        msg = f"{value!r} is no moment; write it as 2026-07-06T00:00, or leave it empty for the first row"
        raise ValueError(msg) from None
    if offset is not None:
        msg = f"{value!r} has an offset from UTC; write it without, on the clock of the data"
        raise ValueError(msg)
    return value


def _as_selection(value: dict[str, int]) -> dict[str, int]:
    wrong = [f"{kind!r}: {count}" for kind, count in value.items() if not 1 <= count <= 1000]
    if wrong:
        msg = f"{', '.join(wrong)} is outside the limits; give 1 to 1000 households of a type, or leave the type out"
        raise ValueError(msg)
    return value


def _as_central(value: float) -> float:
    low, high = CENTRAL_KWH
    if value != 0 and not low <= value <= high:
        msg = f"{value:g} is outside the limits; give 0 for none, or {low:g} to {high:g}"
        raise ValueError(msg)
    return value


class Group(BaseModel):
    """What all groups have in common: frozen, no unknown keys, no other types, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SimulationGroup(Group):
    """When the simulation starts, how long it is and in which steps it goes."""

    simulation_steps: int | None = _field(
        168, "Steps", "How many steps are simulated. Empty: to the end of the data.", "steps", 1, 1_000_000
    )
    time_step_hours: float = _field(
        1.0, "Step", "Hours of one step. A whole multiple of the interval of the data.", "h", 0.01, 24
    )
    start: Annotated[str, AfterValidator(_as_moment)] = _field(
        "", "Start", "First moment, such as 2026-07-06T00:00, on the clock of the data. Empty: the first row."
    )
    seed: int = _field(
        1,
        "Seed",
        "Random prices, noise and who gets a battery are drawn from it: same seed, same numbers.",
        "",
        0,
        2**53,
    )


class HouseholdGroup(Group):
    """Who takes part and who owns what."""

    max_households: int = _field(
        30, "Households", "How many households take part: the first ones of the file.", "households", 1, 1000
    )
    selection: Annotated[dict[str, int], AfterValidator(_as_selection)] = _field(
        {}, "Selection by type", "So many of each type instead of the first ones of the file. Empty: the first ones."
    )
    battery_probability: float = _field(1.0, "Homes with a battery", "Share of the homes that have one.", "0-1", 0, 1)
    shared_battery_probability: float = _field(
        0.0,
        "Of these, shared",
        "Share of the homes with a battery whose battery is a part of a shared one.",
        "0-1",
        0,
        1,
    )
    homes_per_shared_battery: int = _field(
        5, "Homes per shared battery", "So many homes own a shared battery together.", "homes", 2, 100
    )
    initial_wallet: float = _field(
        0.0, "Wallet at the start", "What every household has at the start.", "EUR", -1e6, 1e6
    )


class BatteryGroup(Group):
    """The three kinds of battery: one of one's own, a share of a shared one, and one for the whole community."""

    simple_capacity_kwh: float = _field(10.0, "Own: capacity", "What a home's own battery holds.", "kWh", 0.1, 1000)
    simple_c_rate: float = _field(
        0.5, "Own: C-rate", "Power by capacity: 0.5 fills it in two hours.", "kW/kWh", 0.01, 5
    )
    shared_capacity_kwh: float = _field(50.0, "Shared: capacity", "What one shared battery holds.", "kWh", 30, 100)
    shared_c_rate: float = _field(0.5, "Shared: C-rate", "Power by capacity of a shared battery.", "kW/kWh", 0.01, 5)
    central_capacity_kwh: Annotated[float, AfterValidator(_as_central)] = _field(
        0.0,
        "Central: capacity",
        "The community's own battery, equal shares for all. 0: none, else 100 to 1000.",
        "kWh",
        0,
        1000,
    )
    central_c_rate: float = _field(
        0.5, "Central: C-rate", "Power by capacity of the central battery.", "kW/kWh", 0.01, 5
    )
    eta_charge: float = _field(0.95, "Charging efficiency", "Share of the energy put in that is stored.", "0-1", 0.1, 1)
    eta_discharge: float = _field(
        0.95, "Discharging efficiency", "Share of the stored energy that comes out.", "0-1", 0.1, 1
    )
    central_eta_charge: float = _field(
        0.95, "Central: charging efficiency", "As above, of the central battery.", "0-1", 0.1, 1
    )
    central_eta_discharge: float = _field(
        0.95, "Central: discharging efficiency", "As above, of the central battery.", "0-1", 0.1, 1
    )
    soc_min: float = _field(0.05, "Lowest charge", "Batteries are never emptied below this share.", "0-1", 0, 1)
    soc_max: float = _field(0.95, "Highest charge", "Batteries are never filled above this share.", "0-1", 0, 1)
    initial_soc: float = _field(0.5, "Charge at the start", "How full batteries are at the start.", "0-1", 0, 1)
    self_discharge_per_month: float = _field(
        0.02, "Self-discharge", "Share of the stored energy that is lost in a month of rest.", "per month", 0, 0.5
    )
    wear_eur_per_kwh: float = _field(
        0.0365, "Wear", "What a kWh in or out costs in battery life. It is planned with, but no cash.", "EUR/kWh", 0, 1
    )

    @model_validator(mode="after")
    def _window(self) -> "BatteryGroup":
        low, at, high = self.soc_min, self.initial_soc, self.soc_max
        problems = []
        if not low < high:
            problems.append(f"soc_min {low:g} is not below soc_max {high:g}; lower soc_min or raise soc_max")
        elif not low <= at <= high:
            problems.append(f"initial_soc {at:g} is outside soc_min {low:g} to soc_max {high:g}; give a share within")
        return _refuse(self, problems)


class GridPriceGroup(Group):
    """What the grid takes and pays; a price file replaces all of it."""

    mode: Literal["random", "constant", "time_of_use"] = _field(
        "random",
        "Prices",
        "Random within bounds (seeded), constant, or dear at peak hours. A price file replaces them.",
    )
    min_buy_price: float = _field(
        0.24, "Random: lowest price", "Energy from the grid never costs less.", "EUR/kWh", 0, 10
    )
    max_buy_price: float = _field(
        0.36, "Random: highest price", "Energy from the grid never costs more.", "EUR/kWh", 0, 10
    )
    min_sell_price: float = _field(0.06, "Random: lowest pay", "The grid never pays less.", "EUR/kWh", 0, 10)
    max_sell_price: float = _field(0.10, "Random: highest pay", "The grid never pays more.", "EUR/kWh", 0, 10)
    buy_price: float = _field(0.30, "Constant: price", "Energy from the grid costs this always.", "EUR/kWh", 0, 10)
    sell_price: float = _field(0.08, "Constant: pay", "The grid pays this always.", "EUR/kWh", 0, 10)
    peak_buy_price: float = _field(0.36, "Peak: price", "Energy from the grid at peak hours.", "EUR/kWh", 0, 10)
    off_peak_buy_price: float = _field(
        0.24, "Off-peak: price", "Energy from the grid at other hours.", "EUR/kWh", 0, 10
    )
    tou_sell_price: float = _field(0.08, "Time of use: pay", "What the grid pays at all hours.", "EUR/kWh", 0, 10)
    peak_start_hour: int = _field(7, "Peak begins", "First hour of the dear price.", "h", 0, 23)
    peak_end_hour: int = _field(
        21, "Peak ends", "The dear price ends here; before its beginning: over midnight.", "h", 1, 24
    )

    @model_validator(mode="after")
    def _sell_below_buy(self) -> "GridPriceGroup":
        problems = []
        pairs = {
            "random": [("max_sell_price", "min_buy_price")],
            "constant": [("sell_price", "buy_price")],
            "time_of_use": [("tou_sell_price", "peak_buy_price"), ("tou_sell_price", "off_peak_buy_price")],
        }[self.mode]
        for sell, buy in pairs:
            if getattr(self, sell) >= getattr(self, buy):
                problems.append(
                    f"{sell} {getattr(self, sell):g} is not below {buy} {getattr(self, buy):g}; "
                    "energy sold must fetch less than energy bought, else buying to sell would never end"
                )
        for low, high in (("min_buy_price", "max_buy_price"), ("min_sell_price", "max_sell_price")):
            if self.mode == "random" and getattr(self, low) > getattr(self, high):
                problems.append(f"{low} {getattr(self, low):g} is above {high} {getattr(self, high):g}; swap them")
        if self.mode == "time_of_use":
            problems += _peak_problems(self.peak_start_hour, self.peak_end_hour)
        return _refuse(self, problems)


class GridCapacityGroup(Group):
    """What the community may draw from the grid and feed into it, all households together."""

    use_capacity_limits: bool = _field(
        False, "Limits", "Whether the connection of the community to the grid has limits."
    )
    mode: Literal["constant", "synthetic"] = _field(
        "constant", "Kind of limit", "The same always, or less at peak hours with noise. A file replaces both."
    )
    default_import_capacity_kw: float = _field(
        100.0, "Constant: import", "Most the community may draw together.", "kW", 0, 1e6
    )
    default_export_capacity_kw: float = _field(
        100.0, "Constant: export", "Most the community may feed in together.", "kW", 0, 1e6
    )
    base_import_kw: float = _field(
        100.0, "Synthetic: import", "Import limit outside the peak, on average.", "kW", 0, 1e6
    )
    base_export_kw: float = _field(
        100.0, "Synthetic: export", "Export limit outside the peak, on average.", "kW", 0, 1e6
    )
    peak_reduction: float = _field(
        0.5, "Peak reduction", "Share of both limits that is missing at peak hours.", "0-1", 0, 1
    )
    noise_std: float = _field(
        0.1, "Noise", "Standard deviation of the random part, as a share of the limit.", "0-1", 0, 1
    )
    peak_start_hour: int = _field(17, "Peak begins", "First hour of the reduction.", "h", 0, 23)
    peak_end_hour: int = _field(
        21, "Peak ends", "The reduction ends here; before its beginning: over midnight.", "h", 1, 24
    )

    @model_validator(mode="after")
    def _peak(self) -> "GridCapacityGroup":
        return _refuse(
            self, _peak_problems(self.peak_start_hour, self.peak_end_hour) if self.mode == "synthetic" else []
        )


class ForecasterGroup(Group):
    """What the plan knows of the next hours."""

    kind: Literal["perfect", "persistence", "seasonal_naive"] = _field(
        "perfect", "Forecast", "Perfect: the truth. Persistence: as now. Seasonal naive: as at the same hour before."
    )
    history_size: int = _field(168, "History", "So many past steps the forecast may look at.", "steps", 1, 100_000)
    prediction_size: int = _field(24, "Horizon", "So many steps are planned ahead, each step anew.", "steps", 1, 336)


class OptimizerGroup(Group):
    """How batteries and trade are planned."""

    kind: Literal["convex", "greedy", "none"] = _field(
        "convex", "Optimiser", "Convex: the cheapest plan. Greedy: a rule of thumb without look-ahead. None: no plan."
    )
    engine: Literal["cvxpy", "highs"] = _field(
        "cvxpy", "Engine", "Two ways to solve the same problem: CVXPY is easy to read, HiGHS is faster."
    )
    p2p_transaction_cost: float = _field(
        0.01, "Transaction cost", "What a traded kWh costs its buyer on top of the price.", "EUR/kWh", 0, 10
    )
    min_trade_threshold: float = _field(
        0.01, "Smallest trade", "Smaller trades are left out and go through the grid.", "kWh", 0, 1000
    )
    voll_eur_per_kwh: float = _field(
        10.0, "Value of lost load", "The price put on energy that was wanted and not delivered.", "EUR/kWh", 0.1, 1000
    )
    end_value_eur_per_kwh: float | None = _field(
        None,
        "Value of stored energy",
        "Worth of energy left in batteries at the end. Empty: from the prices.",
        "EUR/kWh",
        0,
        10,
    )


class SettlementGroup(Group):
    """Who pays whom."""

    mechanism: Mechanism = _field(
        "mid_market_rate", "Settlement", "How the price of local energy, or the common saving, is shared out."
    )
    top_up: bool = _field(
        True, "Nobody loses", "Those who gain make up for those who would pay more than without the community."
    )
    allocation_key: Literal["dynamic", "static"] = _field(
        "dynamic", "Allocation key", "Local energy by demand (dynamic) or in equal shares (static)."
    )
    preset: str = Field(
        default="",
        title="Rules of a country",
        description=(
            "Allocation key and reduction of a real kind of community; its example amounts stand in where yours are 0."
        ),
        max_length=64,
        json_schema_extra={"unit": ""},
    )
    grid_fee_eur_per_kwh: float = _field(
        0.0, "Grid fee", "Grid fee of a kWh; local energy pays the part it is not spared.", "EUR/kWh", 0, 10
    )
    grid_fee_reduction: float = _field(
        1.0, "Fee spared", "Share of the grid fee that local energy is spared.", "0-1", 0, 1
    )
    levies_eur_per_kwh: float = _field(0.0, "Levies", "Taxes and levies on local energy.", "EUR/kWh", 0, 10)


class LedgerGroup(Group):
    """The record of all trades that can be verified."""

    enabled: bool = _field(True, "Ledger", "Whether trades are written into a ledger that others can verify.")
    signed: bool = _field(True, "Signatures", "Whether both parties sign every trade, and the ledger every block.")


def _peak_problems(first: int, end: int) -> list[str]:
    if first % 24 != end % 24 or (first, end) == (0, 24):
        return []
    return [f"peak_end_hour {end} is peak_start_hour: the peak is empty; give another hour, or 0 and 24 for all day"]


def _refuse(group: G, problems: list[str]) -> G:
    if problems:
        raise ValueError("; ".join(problems))
    return group
