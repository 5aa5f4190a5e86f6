"""Batteries: what they can take and give in a step, and what is left in them. Arrays of units, one entry each.

    stored, charged, discharged = step_batteries(stored, request, units, dt_h=1.0)

Energy balance, exact: stored' = retention * stored + eta_charge * charged - discharged / eta_discharge, where charged
and discharged are energy at the AC side. Limits are powers in kW, so what fits into a step follows from its hours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy_sim.errors import ConfigError

Floats = NDArray[np.float64]

HOURS_PER_MONTH = 8766 / 12


@dataclass(frozen=True, slots=True)
class Batteries:
    """Battery units, (M,) each; levels are kWh stored, powers kW at the AC side, wear EUR per kWh in or out."""

    capacity_kwh: Floats
    soc_min_kwh: Floats
    soc_max_kwh: Floats
    charge_kw: Floats
    discharge_kw: Floats
    eta_charge: Floats
    eta_discharge: Floats
    self_discharge_per_month: Floats
    wear_eur_per_kwh: Floats

    def __len__(self) -> int:
        """M."""
        return len(self.capacity_kwh)

    def retention(self, dt_h: float) -> Floats:
        """(M,) share of the stored energy that is left after a step without charging.

        Raises:
            ConfigError: a share of self-discharge is below 0, or 1 and more.
        """
        share = self.self_discharge_per_month
        wrong = share[~((share >= 0) & (share < 1))]
        if len(wrong):
            raise ConfigError(f"battery.self_discharge_per_month: {wrong[0]:g} is not a share; give 0 to below 1")
        kept: Floats = (1 - share) ** (dt_h / HOURS_PER_MONTH)
        return kept


@dataclass(frozen=True, slots=True)
class Reach:
    """What every unit can do in one step, (M,) kWh: ``kept`` inside it, the rest at the AC side.

    ``least_charge`` is more than 0 only where self-discharge would take a unit below its window.
    """

    kept_kwh: Floats
    least_charge_kwh: Floats
    most_charge_kwh: Floats
    most_discharge_kwh: Floats


def reach_of(stored_kwh: Floats, units: Batteries, dt_h: float) -> Reach:
    """Work out what units can take and give in a step.

    Args:
        stored_kwh: (M,) before the step.
        units: the batteries.
        dt_h: hours of the step.

    Raises:
        ConfigError: a share of self-discharge is below 0, or 1 and more.
    """
    kept = units.retention(dt_h) * stored_kwh
    most_charge = np.minimum(np.maximum(units.soc_max_kwh - kept, 0) / units.eta_charge, units.charge_kw * dt_h)
    available = np.maximum(kept - units.soc_min_kwh, 0) * units.eta_discharge
    return Reach(
        kept_kwh=kept,
        least_charge_kwh=np.minimum(np.maximum(units.soc_min_kwh - kept, 0) / units.eta_charge, most_charge),
        most_charge_kwh=most_charge,
        most_discharge_kwh=np.minimum(available, units.discharge_kw * dt_h),
    )


def step_batteries(
    stored_kwh: Floats, request_kwh: Floats, units: Batteries, dt_h: float
) -> tuple[Floats, Floats, Floats]:
    """Apply a request to every unit for one step.

    A unit at the lower end of its window charges what self-discharge would take below it, whatever was requested, as
    far as its power goes.

    Args:
        stored_kwh: (M,) before the step, inside the window.
        request_kwh: (M,) energy at the AC side, charging positive; what does not fit is left out.
        units: the batteries.
        dt_h: hours of the step.

    Returns:
        (M,) stored after the step, charged and discharged energy at the AC side; one of the two is 0.

    Raises:
        ConfigError: a share of self-discharge is below 0, or 1 and more.

    Source: energy balance with one efficiency per direction at the AC side.
    """
    reach = reach_of(stored_kwh, units, dt_h)
    possible = np.clip(request_kwh, reach.least_charge_kwh - reach.most_discharge_kwh, reach.most_charge_kwh)
    charged, discharged = np.maximum(possible, 0), np.maximum(-possible, 0)
    stored = reach.kept_kwh + units.eta_charge * charged - discharged / units.eta_discharge
    return np.maximum(stored, 0), charged, discharged  # rounding alone could take it below 0
