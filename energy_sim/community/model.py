"""The records of the room: a tick as the page, the API, the command line and the meters see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy_sim.community.statements import MonthMeters
from energy_sim.devices.appliances import NAMES, ManualStart
from energy_sim.devices.house import Powers

Floats = NDArray[np.float64]

PRICE_NAMES = ("price_grid_delivery", "price_grid_consumption", "price_pv_delivery", "price_house_consumption")
PLAIN_CONTROLS = ("time_scale", "pv_variation", "flex_load_probability", *PRICE_NAMES)
FAMILIES = ("pv_kwp", "base_load_kwh", "start")
DAY_PARTS = ("own", "shared", "grid_export", "grid_import", "base_load", *NAMES)  # of a day's energy


@dataclass(frozen=True, slots=True)
class Bus:
    """Where the houses meet, W: what the street makes, uses, shares inside, and exchanges with the grid."""

    production_w: float
    consumption_w: float
    net_w: float
    shared_w: float
    grid_import_w: float
    grid_export_w: float


def meet(powers: Powers) -> Bus:
    """Surpluses and deficits of the houses meet; what is left goes to or comes from the grid.

    import - export = consumption - production, in whole tenths of a watt.
    """
    production = round(float(powers.pv_w.sum()), 1)
    consumption = round(float(powers.base_w.sum() + powers.flex_w.sum()), 1)
    surplus = float(np.maximum(powers.net_w, 0.0).sum())
    deficit = float(np.maximum(-powers.net_w, 0.0).sum())
    net = round(production - consumption, 1) + 0.0
    shared = round(min(surplus, deficit), 1)
    return Bus(production, consumption, net, shared, max(0.0, -net), max(0.0, net))


@dataclass(frozen=True, slots=True)
class Meters:
    """Counted since the session's start: houses (H,) in kWh and ct, the street in kWh and ct."""

    export_kwh: Floats
    import_kwh: Floats
    sold_ct: Floats
    bought_ct: Floats
    produced_kwh: float
    consumed_kwh: float
    grid_import_kwh: float
    grid_export_kwh: float
    shared_kwh: float
    result_ct: float


@dataclass(frozen=True, slots=True)
class World:
    """What has happened to the street: its moment, and what people did that still acts.

    Attributes:
        time_ms: milliseconds since the epoch at the opening of the tick; whole, so that equal ways give equal moments.
        probability: share of appliance runs that take place, from moments (s) on.
        started: appliances people started.
        begun: start controls that were obeyed, with their number.
    """

    time_ms: int
    probability: tuple[tuple[float, float], ...]
    started: tuple[ManualStart, ...]
    begun: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class State:
    """Opening state of a tick: the world, the meters, today's energy by DAY_PARTS in kWh, and the months' meters."""

    world: World
    meters: Meters
    day: tuple[int, tuple[float, ...]]  # ordinal of the local date, energies
    months: tuple[MonthMeters, ...]  # oldest first, the last one is under way


@dataclass(frozen=True, slots=True)
class TickFrame:
    """One tick: its powers, the bus, and the meters at its end."""

    time_s: float
    dt_s: float
    utc_offset_s: int
    powers: Powers
    bus: Bus
    meters: Meters
    day_kwh: tuple[float, ...]
    months: tuple[MonthMeters, ...]
    world: World  # as it acted in this tick

    @property
    def net_w(self) -> Floats:
        """Net power of the houses (H,), exports positive."""
        return self.powers.net_w

    @property
    def import_kwh(self) -> Floats:
        """Energy each house has drawn since the session's start (H,)."""
        return self.meters.import_kwh

    @property
    def export_kwh(self) -> Floats:
        """Energy each house has given since the session's start (H,)."""
        return self.meters.export_kwh


def records(powers: Powers, bus: Bus, ids: Sequence[str]) -> dict[str, Any]:
    """The tick as other programs read it: houses, community, grid, in W."""
    columns = (powers.pv_w, powers.base_w, powers.flex_w, powers.net_w)
    rows = zip(ids, *(column.tolist() for column in columns), powers.appliance_w > 0, strict=True)
    return {
        "houses": [
            {
                "house_id": house,
                "pv_power_w": pv,
                "base_load_w": base,
                "flex_load_w": flex,
                "net_power_w": net,
                "running": [name for name, runs in zip(NAMES, running, strict=True) if runs],
            }
            for house, pv, base, flex, net, running in rows
        ],
        "community": {
            "total_production_w": bus.production_w,
            "total_consumption_w": bus.consumption_w,
            "net_community_power_w": bus.net_w,
        },
        "grid": {"grid_import_w": bus.grid_import_w, "grid_export_w": bus.grid_export_w},
    }
