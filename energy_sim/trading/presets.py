"""Rules of real energy communities as settlement parameters: allocation key, grid fee, levies.

The law says what local energy pays to the grid and the state and how it is allocated; its price is the members' own
business everywhere. Amounts are examples, net of value added tax, and belong to their date; a fee of your own stays.
Where each rule is from, and what could not be confirmed, is in docs/trading-rules.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from energy_sim.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RulePreset:
    """One set of rules.

    ``grid_fee_reduction`` is the share of the grid fee that local energy is spared. ``levies_eur_per_kwh`` is what
    local energy pays besides the grid fee; ``levies_due`` says whether the law asks for levies on it at all.
    """

    name: str
    title: str
    country: str
    allocation_key: str  # dynamic: by demand of the step; static: fixed equal shares
    mechanism: str  # a usual price rule, taken when none is chosen
    grid_fee_reduction: float
    levies_due: bool
    grid_fee_eur_per_kwh: float
    levies_eur_per_kwh: float
    note: str
    source: str
    source_date: str
    amounts_source: str


_SWISS_SOURCE = "StromVG (SR 734.7) art. 17d and 17e; StromVV (SR 734.71) art. 19e to 19h"
_SWISS_AMOUNTS = (
    "ElCom, medians for 2026 of a household of 4,500 kWh (9 September 2025): grid 10.75 Rp/kWh; levies 3.76 Rp/kWh "
    "= 2.3 grid surcharge + 0.41 reserve + 0.05 shared costs + 1.0 municipality; 1 CHF counted as 1.07 EUR"
)
_GERMAN_AMOUNTS = (
    "Grid: Stadtwerke Traunstein 2026, 350.10 EUR for 3,500 kWh, standing charge included; levies 2026: electricity "
    "tax 2.05 + special grid use 1.559 + offshore 0.941 + CHP 0.446 + concession fee 1.32 ct/kWh (smallest towns)"
)
_AUSTRIAN_SOURCE = (
    "EEG of EAG section 79 and ElWOG 2010 sections 16c to 16e and 52(2a), from 1 October 2026 of the ElWG; "
    "reduction in the Systemnutzungsentgelte-Verordnung"
)
_AUSTRIAN_AMOUNTS = (
    "Means of grid level 7 behind the Erneuerbaren-Foerderbeitragsverordnung 2026 (0.583 and 0.037 ct/kWh are 7.32 %): "
    "energy price of grid use 7.96 ct/kWh, which is reduced; grid losses 0.51 ct/kWh, which are not"
)
_AUSTRIAN_NOTE = (
    "Only the energy price of grid use is reduced; standing charges stay. Electricity tax and renewables contribution "
    "are not due on allocated energy; what stands as levies here is the fee for grid losses."
)

_ALL = (
    RulePreset(
        name="ch_leg_same_level",
        title="Swiss LEG, one grid level (behind one transformer)",
        country="CH",
        allocation_key="dynamic",
        mechanism="mid_market_rate",
        grid_fee_reduction=0.40,
        levies_due=True,
        grid_fee_eur_per_kwh=0.115,
        levies_eur_per_kwh=0.040,
        note="40 % off the grid usage tariff when local energy uses one grid level; same municipality and operator.",
        source=_SWISS_SOURCE,
        source_date="in force since 1 January 2026",
        amounts_source=_SWISS_AMOUNTS,
    ),
    RulePreset(
        name="ch_leg_more_levels",
        title="Swiss LEG, more than one grid level",
        country="CH",
        allocation_key="dynamic",
        mechanism="mid_market_rate",
        grid_fee_reduction=0.20,
        levies_due=True,
        grid_fee_eur_per_kwh=0.115,
        levies_eur_per_kwh=0.040,
        note="20 % off the grid usage tariff when local energy passes a transformer; same municipality and operator.",
        source=_SWISS_SOURCE,
        source_date="in force since 1 January 2026",
        amounts_source=_SWISS_AMOUNTS,
    ),
    RulePreset(
        name="de_42c",
        title="German energy sharing, section 42c EnWG",
        country="DE",
        allocation_key="dynamic",
        mechanism="mid_market_rate",
        grid_fee_reduction=0.0,
        levies_due=True,
        grid_fee_eur_per_kwh=0.100,
        levies_eur_per_kwh=0.063,
        note="Full grid fees, levies and taxes; within one balancing area, neighbouring ones from June 2028.",
        source="EnWG section 42c",
        source_date="sharing possible since 1 June 2026",
        amounts_source=_GERMAN_AMOUNTS,
    ),
    RulePreset(
        name="at_eeg_local",
        title="Austrian EEG, local (grid levels 6 and 7), dynamic key",
        country="AT",
        allocation_key="dynamic",
        mechanism="mid_market_rate",
        grid_fee_reduction=0.57,
        levies_due=False,
        grid_fee_eur_per_kwh=0.0796,
        levies_eur_per_kwh=0.0051,
        note=_AUSTRIAN_NOTE,
        source=_AUSTRIAN_SOURCE,
        source_date="amounts of 2026",
        amounts_source=_AUSTRIAN_AMOUNTS,
    ),
    RulePreset(
        name="at_eeg_local_static",
        title="Austrian EEG, local (grid levels 6 and 7), static key",
        country="AT",
        allocation_key="static",
        mechanism="mid_market_rate",
        grid_fee_reduction=0.57,
        levies_due=False,
        grid_fee_eur_per_kwh=0.0796,
        levies_eur_per_kwh=0.0051,
        note=f"{_AUSTRIAN_NOTE} Every member has an equal, fixed share; what it does not use goes to the grid.",
        source=_AUSTRIAN_SOURCE,
        source_date="amounts of 2026",
        amounts_source=_AUSTRIAN_AMOUNTS,
    ),
    RulePreset(
        name="at_eeg_regional",
        title="Austrian EEG, regional (grid levels 4 and 5), dynamic key",
        country="AT",
        allocation_key="dynamic",
        mechanism="mid_market_rate",
        grid_fee_reduction=0.28,
        levies_due=False,
        grid_fee_eur_per_kwh=0.0796,
        levies_eur_per_kwh=0.0051,
        note=f"{_AUSTRIAN_NOTE} 28 % is for members at low voltage (levels 6 and 7).",
        source=_AUSTRIAN_SOURCE,
        source_date="amounts of 2026",
        amounts_source=_AUSTRIAN_AMOUNTS,
    ),
)
PRESETS: Mapping[str, RulePreset] = {preset.name: preset for preset in _ALL}


def apply_preset(settlement: Mapping[str, object] | BaseModel) -> dict[str, object]:
    """The settlement parameters with the rules of their preset filled in.

    Allocation key and reduction are the law's and replace what was given. Example amounts fill in for a grid fee or
    levies of 0; amounts of your own stay. The mechanism is the members' choice and stays too; one is filled in where
    none is given. Without a preset nothing changes.

    Args:
        settlement: values of the settlement group, with the name of a preset, or none, under ``preset``.

    Returns:
        A new dictionary; the argument is left alone.

    Raises:
        ConfigError: the preset is unknown.
    """
    values = dict(settlement.model_dump() if isinstance(settlement, BaseModel) else settlement)
    name = values.get("preset") or ""
    if not name:
        return values
    preset = PRESETS.get(str(name))
    if preset is None:
        raise ConfigError(f"settlement.preset: {name!r} is unknown; choose one of {', '.join(PRESETS)}, or none")
    values["allocation_key"] = preset.allocation_key
    values["grid_fee_reduction"] = preset.grid_fee_reduction
    values["grid_fee_eur_per_kwh"] = values.get("grid_fee_eur_per_kwh") or preset.grid_fee_eur_per_kwh
    values["levies_eur_per_kwh"] = values.get("levies_eur_per_kwh") or preset.levies_eur_per_kwh
    values.setdefault("mechanism", preset.mechanism)
    return values
