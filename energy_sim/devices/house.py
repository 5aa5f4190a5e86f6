"""Houses as arrays: what stands on the roofs and in the rooms of a street, and what it draws or gives at a moment.

    houses = make_houses(5, seed=1)
    model = HouseModel(houses, Place(47.38, 8.54), ZoneInfo("Europe/Zurich"), seed=1)
    model.powers(time_s, 60.0, Conditions()).net_w          # (H,) W, exports positive

A street is a function of time: the same seed gives the same weather, base load and appliance runs at a moment, however
long the ticks are in which one looks at it. The first k houses do not depend on how many follow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from energy_sim.devices.appliances import APPLIANCES, NAMES, ApplianceRuns, Fleet, ManualStart
from energy_sim.devices.base_load import BaseLoad
from energy_sim.devices.pv import Sky, panel_normals, pv_power_w
from energy_sim.devices.sky import Place, own_clearness
from energy_sim.devices.values import ApplianceValues, HouseValues
from energy_sim.errors import ConfigError

Floats = NDArray[np.float64]

# Assumed for a street of one-family houses with many panels:
PV_SHARE = 0.7  # of houses with a roof that produces
PV_KWP = (3.0, 10.0)
AZIMUTH_DEG = (135.0, 225.0)
TILT_DEG = (20.0, 40.0)
BASE_LOAD_KWH = (2000.0, 6000.0)  # a year, without the appliances below
SHIFT_S = 45 * 60.0  # households rise and cook up to so much earlier or later than the profile
WEEK_S = LONGEST_RUN_S = 7 * 86400.0
MOST_BUSY = 0.4  # of a week that an appliance may run on average: queues are gone before appliances.py forgets them
_KIND = 11  # of random numbers, see noise.py
_GOLDEN = (3 - math.sqrt(5)) / 2  # the step that spreads best, for the panels; the appliances take other irrationals
_STEPS = (_GOLDEN, *(math.sqrt(prime) % 1 for prime in (2, 3, 7, 11)))


@dataclass(frozen=True, slots=True)
class Houses:
    """A street: arrays (H,); azimuth clockwise from north, base load a year, shift of the daily routine."""

    ids: tuple[str, ...]
    pv_kwp: Floats
    azimuth_deg: Floats
    tilt_deg: Floats
    base_load_kwh: Floats
    shift_s: Floats
    fleet: Fleet


def make_houses(count: int, seed: int, own: Sequence[HouseValues] = (), latitude_deg: float = 47.0) -> Houses:
    """A street of houses that differ as houses do.

    Args:
        count: number of houses, H.
        seed: the same seed gives the same houses.
        own: given values of the first houses.
        latitude_deg: of the street; roofs face the equator, south of it to the north.

    Raises:
        ConfigError: two houses have the same id, or an appliance runs more than a week at once, or too much of one.
    """
    draws = np.random.default_rng([seed, _KIND]).random((count, 5))

    def between(limits: tuple[float, float], share: Floats) -> Floats:
        return limits[0] + (limits[1] - limits[0]) * share

    owned, facing = _owners(count, seed), np.round(between(AZIMUTH_DEG, draws[:, 1]))
    values = {
        "pv_kwp": np.where(owned[:, 0] < PV_SHARE, np.round(between(PV_KWP, draws[:, 0]), 1), 0.0),
        "azimuth_deg": facing if latitude_deg >= 0 else (180.0 - facing) % 360.0,
        "tilt_deg": np.round(between(TILT_DEG, draws[:, 2])),
        "base_load_kwh": np.round(between(BASE_LOAD_KWH, draws[:, 3] ** 1.5), -1),  # mean 3,600
    }
    usual = {
        name: np.array([getattr(a, name) for a in APPLIANCES]) for name in ("power_w", "duration_s", "runs_per_week")
    }
    has = owned[:, 1:] < np.array([a.share for a in APPLIANCES])
    fleet = {name: np.where(has, row, 0.0) for name, row in usual.items()}
    ids = [f"house_{i + 1}" for i in range(count)]
    for i, house in enumerate(own):
        ids[i] = house.house_id or ids[i]
        for name, array in values.items():
            given = getattr(house, name)
            array[i] = array[i] if given is None else given
        if house.appliances is not None:
            _equip(fleet, i, house.appliances)
    twice = {name for name in ids if ids.count(name) > 1} if len(set(ids)) < len(ids) else set()
    if twice:
        raise ConfigError(f"house_values: house_id {min(twice)!r} is given to two houses; give each its own")
    return Houses(tuple(ids), **values, shift_s=SHIFT_S * (2 * draws[:, 4] - 1), fleet=Fleet(**fleet))


def _owners(count: int, seed: int) -> Floats:
    """(H, 1 + A) numbers spread evenly over 0..1 in every stretch of houses, so that small streets are mixed too.

    Source: additive recurrence with irrational steps (Weyl's equidistribution theorem).
    """
    first = np.random.default_rng([seed, _KIND, 1]).random(len(_STEPS))
    return np.asarray((first + np.arange(count)[:, None] * np.array(_STEPS)) % 1.0)


def _equip(fleet: dict[str, Floats], house: int, given: dict[Any, ApplianceValues]) -> None:
    """Give a house exactly the appliances named."""
    for array in fleet.values():
        array[house] = 0.0
    for name, own in given.items():
        a = NAMES.index(name)
        usual = APPLIANCES[a]
        power_w = own.power_w or usual.power_w
        energy_ws = own.energy_kwh * 3.6e6 if own.energy_kwh else usual.power_w * usual.duration_s
        if energy_ws / power_w > LONGEST_RUN_S:
            raise ConfigError(
                f"house_values[{house}].appliances.{name}: {energy_ws / 3.6e6:g} kWh at {power_w:g} W take "
                f"{energy_ws / power_w / 86400:.1f} days; give energy and power of a run of at most 7 days"
            )
        fleet["power_w"][house, a] = power_w
        fleet["duration_s"][house, a] = energy_ws / power_w
        runs = usual.runs_per_week if own.runs_per_week is None else own.runs_per_week
        busy = runs * energy_ws / power_w / WEEK_S
        if busy > MOST_BUSY:
            raise ConfigError(
                f"house_values[{house}].appliances.{name}: {runs:g} runs of {energy_ws / power_w / 3600:.1f} h take "
                f"{100 * busy:.0f} % of a week, more than {100 * MOST_BUSY:.0f} %; give fewer or shorter runs"
            )
        fleet["runs_per_week"][house, a] = runs


@dataclass(frozen=True, slots=True)
class Conditions:
    """What people set: clouds, the share of appliance runs that take place (from moments on), started appliances.

    ``pv_kwp`` and ``base_load_kwh`` (H,) replace the houses' own where given.
    """

    clouds: bool = True
    probability: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    started: tuple[ManualStart, ...] = ()
    pv_kwp: Floats | None = None
    base_load_kwh: Floats | None = None


@dataclass(frozen=True, slots=True)
class Powers:
    """Powers of a tick in W, whole tenths: (H,), appliances (H, A); ``net_w`` exports positive."""

    pv_w: Floats
    base_w: Floats
    appliance_w: Floats
    flex_w: Floats = field(init=False)
    net_w: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "flex_w", in_tenths(self.appliance_w.sum(axis=1)))
        object.__setattr__(self, "net_w", in_tenths(self.pv_w - self.base_w - self.flex_w))


def in_tenths(power_w: Floats) -> Floats:
    """Powers in whole tenths of a watt, without a negative zero: what is shown, written and metered is one number.

    >>> in_tenths(np.array([-0.04, 1234.56])).tolist()
    [0.0, 1234.6]
    """
    return np.asarray(np.round(power_w, 1) + 0.0)


class HouseModel:
    """The houses at a place: powers of any moment; caches what it drew, safe for threads."""

    def __init__(self, houses: Houses, place: Place, timezone: ZoneInfo, seed: int) -> None:
        """Nothing is computed before it is asked for."""
        self.houses = houses
        self._seed = seed
        self._sky = Sky(place, seed)
        self._normals = panel_normals(houses.azimuth_deg, houses.tilt_deg)
        self._base = BaseLoad(timezone, seed, len(houses.ids))
        self._runs = ApplianceRuns(houses.fleet, timezone, seed)

    def powers(self, time_s: float, dt_s: float, conditions: Conditions) -> Powers:
        """Powers of the tick [time_s, time_s + dt_s): sun and base load of its middle, appliances as their mean."""
        houses, middle = self.houses, time_s + dt_s / 2
        sky = self._sky.at(middle)
        if conditions.clouds:
            clearness: Floats | float = sky.clearness * own_clearness(self._seed, middle, len(houses.ids))
        else:
            clearness = self._sky.mean_clearness(middle)
        kwp = houses.pv_kwp if conditions.pv_kwp is None else conditions.pv_kwp
        yearly = houses.base_load_kwh if conditions.base_load_kwh is None else conditions.base_load_kwh
        return Powers(
            in_tenths(pv_power_w(kwp, self._normals, sky, clearness)),
            in_tenths(self._base.power_w(middle, yearly, houses.shift_s)),
            in_tenths(self._runs.power_w(time_s, dt_s, conditions.probability, conditions.started)),
        )

    def remaining_s(self, time_s: float, conditions: Conditions, house: int) -> Floats:
        """Seconds each appliance of a house still runs from a moment on, (A,), with the runs that wait for it."""
        return self._runs.remaining_s(time_s, conditions.probability, conditions.started, house)
