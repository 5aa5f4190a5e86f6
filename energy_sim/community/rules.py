"""The controls of the street: what is accepted, and what a tick's settings mean to the physics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from energy_sim.community.economics import Prices, check_price
from energy_sim.community.model import FAMILIES, PLAIN_CONTROLS, PRICE_NAMES, Floats, World
from energy_sim.devices.appliances import NAMES, ManualStart
from energy_sim.devices.house import Houses
from energy_sim.devices.values import MAX_BASE_LOAD_KWH, MAX_PV_KWP
from energy_sim.errors import ConfigError, DataError

REMEMBERED_S = 60 * 86400.0  # how long something people did may still act: slow charges that wait for each other too
_LIMITS = {"pv_kwp": (MAX_PV_KWP, "kWp"), "base_load_kwh": (MAX_BASE_LOAD_KWH, "kWh a year")}
LONGEST_CONTROL = 80  # characters
KNOWN = ", ".join((*PLAIN_CONTROLS, *(f"{family}.HOUSE" for family in FAMILIES[:2]), "start.HOUSE.APPLIANCE"))
Index = Mapping[str, int]  # place of each house by its id


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a tick, ready to compute with."""

    dt_ms: int
    clouds: bool
    probability: float
    prices: Prices
    pv_kwp: Floats | None
    base_load_kwh: Floats | None
    starts: tuple[tuple[str, int, int, int], ...]  # control, number, house, appliance


def check_control(houses: Houses, index: Index, control: str, value: Any) -> Any:
    """The value to use for a control.

    Raises:
        DataError: no such control, house or appliance, or a value outside its limits.
    """
    if len(control) > LONGEST_CONTROL:
        raise DataError(f"community.{control[:40]}…: no name of a control is that long; give one of {KNOWN}")
    family, _, name = control.partition(".")
    if control in PRICE_NAMES:
        try:
            return check_price(control, value)
        except ConfigError as error:
            raise DataError(str(error)) from error
    if family in _LIMITS and name:
        _place(index, control, name)
        most, unit = _LIMITS[family]
        return _number(control, value, 0.0, most, unit)
    if family == "start" and name:
        return _checked_start(houses, index, control, value)
    if control == "time_scale":
        return _number(control, value, 1.0, 3600.0, "simulated seconds a second")
    if control == "flex_load_probability":
        return _number(control, value, 0.0, 1.0, "of the usual runs")
    if control == "pv_variation" and value in ("enabled", "disabled"):
        return value
    if control == "pv_variation":
        raise DataError(f"pv_variation: {repr(value)[:40]} is neither enabled nor disabled; give one of them")
    raise DataError(f"community.{control}: there is no such control; give one of {KNOWN}")


def index_of(index: Index, house_id: str) -> int:
    """The place of a house.

    Raises:
        DataError: the street has no such house.
    """
    if house_id not in index:
        ids = list(index)
        raise DataError(f"house {house_id!r}: there is none; the street has {ids[0]} to {ids[-1]}")
    return index[house_id]


def rules_of(houses: Houses, index: Index, settings: Mapping[str, Any], update_interval_ms: int) -> Rules:
    """Settings that were checked, as the physics take them."""
    starts = []
    for control, value in settings.items():
        if control.startswith("start."):
            house, _, appliance = control.removeprefix("start.").rpartition(".")
            starts.append((control, int(value), index[house], NAMES.index(appliance)))
    return Rules(
        dt_ms=round(update_interval_ms * settings["time_scale"]),
        clouds=settings["pv_variation"] == "enabled",
        probability=float(settings["flex_load_probability"]),
        prices=Prices(*(settings[name] for name in PRICE_NAMES)),
        pv_kwp=_own(houses, index, settings, "pv_kwp"),
        base_load_kwh=_own(houses, index, settings, "base_load_kwh"),
        starts=tuple(starts),
    )


def turned(world: World, rules: Rules) -> World:
    """The world with what people set for this tick: another share of runs, appliances started now."""
    time_s = world.time_ms / 1000
    begun = dict(world.begun)
    new = [row for row in rules.starts if begun.get(row[0]) != row[1]]
    if not new and rules.probability == world.probability[-1][1]:
        return world
    started = tuple(s for s in world.started if s.time_s > time_s - REMEMBERED_S)
    started += tuple(ManualStart(time_s, house, appliance) for _, _, house, appliance in new)
    begun.update({control: number for control, number, _, _ in new})
    probability = world.probability
    if rules.probability != probability[-1][1]:
        old = [i for i, (at, _) in enumerate(probability) if at <= time_s - REMEMBERED_S]
        probability = (*probability[old[-1] if old else 0 :], (time_s, rules.probability))
    return World(world.time_ms, probability, started, tuple(begun.items()))


def _own(houses: Houses, index: Index, settings: Mapping[str, Any], family: str) -> Floats | None:
    """The houses' values with those that were set; None where none was."""
    given = {c.partition(".")[2]: v for c, v in settings.items() if c.startswith(family + ".")}
    if not given:
        return None
    values: Floats = getattr(houses, family).copy()
    for house, value in given.items():
        values[index[house]] = value
    return values


def _place(index: Index, control: str, house_id: str) -> int:
    try:
        return index_of(index, house_id)
    except DataError as error:
        raise DataError(f"{control}: {error}") from error


def _checked_start(houses: Houses, index: Index, control: str, value: Any) -> int:
    house, dot, appliance = control.removeprefix("start.").rpartition(".")
    if not dot:
        raise DataError(f"{control}: names no appliance; write start.HOUSE.APPLIANCE, such as start.house_3.ev")
    place = _place(index, control, house)
    owned = [n for n, power in zip(NAMES, houses.fleet.power_w[place], strict=True) if power > 0]
    if appliance not in NAMES:
        raise DataError(f"{control}: {appliance!r} is no appliance; choose among {', '.join(NAMES)}")
    if appliance not in owned:
        raise DataError(f"{control}: {house} has no {appliance}; it has {', '.join(owned) or 'no appliance'}")
    return int(_number(control, value, 1.0, 2.0**53, "as the number of the start", whole=True))


def _number(control: str, value: Any, low: float, high: float, unit: str, *, whole: bool = False) -> float:
    """A finite number within limits.

    Raises:
        DataError: it is none.
    """
    limits = f"give a {'whole ' if whole else ''}number from {low:g} to {high:g} {unit}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < np.inf:  # NaN too
        raise DataError(f"{control}: {repr(value)[:40]} is no number; {limits}")
    if not low <= value <= high:
        raise DataError(f"{control}: {str(value)[:40]} is {'below' if value < low else 'above'} the limit; {limits}")
    if whole and value != int(value):
        raise DataError(f"{control}: {repr(value)[:40]} is no whole number; {limits}")
    return float(value)
