"""Which household owns which battery: simple ones, shares of shared ones, shares of the community's.

    storage = assign_storage(parameters.household, parameters.battery, count=len(profiles.ids), seed=1)

A battery that several own is one unit per owner with an equal share of capacity and power.
"""

import logging

import numpy as np

from energy_sim.devices.battery import Batteries
from energy_sim.trading.model import Storage
from energy_sim.trading.parameter_groups import BatteryGroup, HouseholdGroup

logger = logging.getLogger(__name__)

_STREAM = 2  # of the seed; other streams belong to other draws of a run


def assign_storage(household: HouseholdGroup, battery: BatteryGroup, count: int, seed: int) -> Storage:
    """Draw who has a battery and build the units.

    Each household has two numbers of its own from the seed: one decides whether it has a battery, the other whether
    that is a share of a shared one. So more households, or another probability, do not change the others. Owners of
    shared batteries are grouped in order; one who is left alone joins the last group, or gets a simple battery where
    there is none.

    Args:
        household: how many have a battery, and of which kind.
        battery: sizes, powers, efficiencies and levels.
        count: N, households.
        seed: of the run.

    Returns:
        Units in the order simple, shared, central; several of them may belong to one household.
    """
    draws = np.random.default_rng([seed, _STREAM]).random((count, 2))
    has_battery = draws[:, 0] < household.battery_probability
    shares = has_battery & (draws[:, 1] < household.shared_battery_probability)
    groups = _groups([int(home) for home in np.flatnonzero(shares)], household.homes_per_shared_battery)
    in_group = {home for group in groups for home in group}
    simple = [int(home) for home in np.flatnonzero(has_battery) if int(home) not in in_group]
    central = list(range(count)) if battery.central_capacity_kwh > 0 else []

    owner = np.array(simple + [home for group in groups for home in group] + central, dtype=np.int64)
    kind = ("simple",) * len(simple) + ("shared",) * len(in_group) + ("central",) * len(central)
    names = (
        *(f"simple_{place}" for place, _ in enumerate(simple, 1)),
        *(f"shared_{place}" for place, group in enumerate(groups, 1) for _ in group),
        *("central" for _ in central),
    )
    capacity = np.array(
        [battery.simple_capacity_kwh] * len(simple)
        + [battery.shared_capacity_kwh / len(group) for group in groups for _ in group]
        + [battery.central_capacity_kwh / count for _ in central],
        dtype=np.float64,
    )
    c_rate = {"simple": battery.simple_c_rate, "shared": battery.shared_c_rate, "central": battery.central_c_rate}
    power = capacity * np.array([c_rate[name] for name in kind], dtype=np.float64)
    is_central = np.array([name == "central" for name in kind], dtype=bool)
    logger.info(
        "batteries assigned households=%d simple=%d shared=%d shared_owners=%d central_kwh=%g capacity_kwh=%g",
        count,
        len(simple),
        len(groups),
        len(in_group),
        battery.central_capacity_kwh,
        capacity.sum(),
    )
    units = Batteries(
        capacity_kwh=capacity,
        soc_min_kwh=battery.soc_min * capacity,
        soc_max_kwh=battery.soc_max * capacity,
        charge_kw=power,
        discharge_kw=power.copy(),
        eta_charge=np.where(is_central, battery.central_eta_charge, battery.eta_charge),
        eta_discharge=np.where(is_central, battery.central_eta_discharge, battery.eta_discharge),
        self_discharge_per_month=np.full(len(owner), battery.self_discharge_per_month),
        wear_eur_per_kwh=np.full(len(owner), battery.wear_eur_per_kwh),
    )
    return Storage(units, owner, kind, names, battery.initial_soc * capacity)


def _groups(homes: list[int], size: int) -> list[list[int]]:
    """Owners of shared batteries, at least two each, in order."""
    groups = [homes[first : first + size] for first in range(0, len(homes), size)]
    if groups and len(groups[-1]) == 1:
        alone = groups.pop()
        if groups:
            groups[-1].extend(alone)
    return groups
