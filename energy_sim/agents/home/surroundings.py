"""What sun and people ask of homes: the street of devices/house.py, dealt out to agents by their names.

One village of houses is worked out at a moment, and every home takes its roof from one of them, its daily routine from
another, its appliances from a third. Two homes are alike only when all three draws meet, and the same sky is over all.
The village costs less than a millisecond a step, whether one home lives in it or a thousand.
"""

from dataclasses import replace
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from energy_sim.agents.home.homes import Floats, Homes, Nature
from energy_sim.agents.model import LOAD, SOLAR
from energy_sim.devices.appliance_kinds import NAMES
from energy_sim.devices.house import Conditions, HouseModel, make_houses
from energy_sim.devices.sky import Place

VILLAGE = 4096  # houses to take from
FORECAST_STEP_S = 900.0
FORECAST_STEPS = 4
DARK = 0.05  # share of the peak power: below it clouds cannot be told from dusk


class Village:
    """Load and sun of homes at any moment; the last moment is kept, since many agents ask for the same."""

    def __init__(self, homes: Homes, place: tuple[float, float], timezone: str, seed: int) -> None:
        """Name the homes.

        Args:
            homes: H agents.
            place: degrees north and east.
            timezone: whose local time people live by.
            seed: of the village and its weather, the same in every process of a fleet.
        """
        self._homes = homes
        self._roof, self._routine, self._kitchen = (homes.draws * VILLAGE).astype(int).T
        houses = make_houses(VILLAGE, seed, latitude_deg=place[0])
        houses = replace(houses, pv_kwp=np.ones(VILLAGE))
        self._model = HouseModel(houses, Place(*place), ZoneInfo(timezone), seed)
        self._car = NAMES.index("ev")
        self._at = lru_cache(maxsize=2)(self._nature)

    def at(self, time_s: float, dt_s: float) -> Nature:
        """Load and sun of [time_s, time_s + dt_s), mean over it, for all H."""
        return self._at(time_s, dt_s)

    def _nature(self, time_s: float, dt_s: float) -> Nature:
        powers = self._model.powers(time_s, dt_s, Conditions())
        rooms_w = powers.appliance_w.sum(axis=1) - powers.appliance_w[:, self._car]
        load_kw = (powers.base_w[self._routine] + rooms_w[self._kitchen]) / 1000
        home = self._homes.has[:, LOAD]
        return Nature(np.where(home, load_kw, 0.0), powers.pv_w[self._roof] * self._homes.kwp / 1000)

    def clear_ahead_kw(self, time_s: float) -> Floats:
        """Sun of a clear sky in the middle of the next four quarter-hours, after that of the moment itself, (H, 5)."""
        moments = [time_s, *(time_s + (k + 0.5) * FORECAST_STEP_S for k in range(FORECAST_STEPS))]
        return np.stack([self._clear_kw(moment) for moment in moments], axis=1)

    def _clear_kw(self, time_s: float) -> Floats:
        powers = self._model.powers(time_s, 1.0, Conditions(clouds=False))
        return np.asarray(powers.pv_w[self._roof] * self._homes.kwp / 1000)


def forecast_kw(clear_kw: Floats, wanted_kw: Floats, kwp: Floats) -> Floats:
    """Net power expected in the next four quarter-hours: load, car and battery stay, the sun goes on its way.

    What clouds leave of the clear sun now is taken to stay as well.

    Args:
        clear_kw: (H, 5) clear sun now and ahead.
        wanted_kw: (H, 4) now.
        kwp: (H,) of the roofs.

    Returns:
        (H, 4) kW.
    """
    now, bright = clear_kw[:, 0], clear_kw[:, 0] > DARK * kwp
    share = np.where(bright, -wanted_kw[:, SOLAR] / np.where(bright, now, 1.0), 1.0)
    sun = np.minimum(share[:, None] * clear_kw[:, 1:], kwp[:, None])
    return np.asarray(wanted_kw[:, :SOLAR].sum(axis=1)[:, None] - sun)
