"""Homes as arrays: what stands in each, what it draws in a step, and how it keeps to orders and to its limit.

    homes = make_homes(("home_1", "home_2"), ("transformer_A", "transformer_B"), seed=1)
    state = start_state(homes, time_s)
    state, flows = step_homes(homes, state, village.at(time_s, 60.0), 60.0, no_orders(homes), unlimited(homes))

Columns of all (H, 4) arrays are `KINDS`. Power in kW, consumption positive, so solar is 0 or below. At the meter:
net = load + ev + battery + solar; a battery keeps the balance of devices/battery.py; a car is charged later with what
it was denied, a curtailed load is energy not served. A home depends on (seed, crc32 of its id) alone, so it is the same
home in a process of its own and among a thousand.

Without an order a load, car or roof does what it wants. The battery of a home covers load less solar and takes the sun
that the car leaves; it does not empty itself into the car. It follows what the others *want*, not what an order left of
them, so that an order changes the home's net power by just as much. A battery agent stands still without an order.
"""

import zlib
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from energy_sim.agents.messages import Nameplate, Role
from energy_sim.agents.model import BATTERY, EV, KINDS, LOAD, SOLAR
from energy_sim.devices.battery import Batteries, reach_of, step_batteries
from energy_sim.errors import ConfigError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


FUSE_KW = 17.25  # of a home: three phases of 25 A at 230 V; what its load can ever be
ESSENTIAL_SHARE = 0.4  # of a load that cannot be curtailed; assumed: lighting, cold, communication, started programmes
EV_KW = 11.0  # wallbox, three phases of 16 A
ROOF_KWP = (4.0, 10.0)  # assumed; 4 kW is what the third scenario asks of a roof
BATTERY_KWH = (5.0, 10.0)
BATTERY_SHARE = 0.85  # of homes
EVERYTHING = frozenset(f"home_{n}" for n in range(1, 13))  # a demonstration shows homes with every resource
C_RATE = 0.5  # of a home battery: kW per kWh
AGENT_BATTERY_KWH, AGENT_BATTERY_KW = 20.0, 10.0
SOC_MIN, SOC_MAX = 0.05, 1.0
ETA = 0.95  # each way, at the AC side
SELF_DISCHARGE = 0.02  # a month
SERVICE_OHM = 40 * 1.91e-3  # 40 m (assumed) of 16 mm2 aluminium: 1.91 ohm/km at 20 C, IEC 60228 table 1
LINE_V = 400.0


@dataclass(frozen=True, slots=True)
class Homes:
    """H agents that belong together; ``has`` (H, 4) says which resources there are, ``nameplate`` their bounds."""

    ids: tuple[str, ...]
    roles: tuple[Role, ...]
    transformers: tuple[str, ...]
    has: Flags
    kwp: Floats  # (H,)
    draws: Floats  # (H, 3) numbers of 0..1 that choose roof, routine and appliances
    batteries: Batteries
    nameplate_min_kw: Floats = field(init=False)
    nameplate_max_kw: Floats = field(init=False)

    def __post_init__(self) -> None:
        low, high = np.zeros((len(self.ids), 4)), np.zeros((len(self.ids), 4))
        high[:, LOAD], high[:, EV] = FUSE_KW, EV_KW
        low[:, BATTERY], high[:, BATTERY] = -self.batteries.discharge_kw, self.batteries.charge_kw
        low[:, SOLAR] = -self.kwp
        object.__setattr__(self, "nameplate_min_kw", np.where(self.has, low, 0.0))
        object.__setattr__(self, "nameplate_max_kw", np.where(self.has, high, 0.0))

    def __len__(self) -> int:
        """H."""
        return len(self.ids)

    def resource_id(self, home: int, kind: int) -> str:
        """Name of a resource."""
        return f"{self.ids[home]}/{KINDS[kind]}"

    def nameplates(self, home: int) -> tuple[Nameplate, ...]:
        """What an agent registers with."""
        return tuple(
            Nameplate(
                id=self.resource_id(home, int(k)),
                kind=KINDS[k],
                min_kw=float(self.nameplate_min_kw[home, k]),
                max_kw=float(self.nameplate_max_kw[home, k]),
                capacity_kwh=float(self.batteries.capacity_kwh[home]) if k == BATTERY else None,
            )
            for k in np.flatnonzero(self.has[home])
        )


@dataclass(frozen=True, slots=True)
class HomesState:
    """What changes, (H,): moment, energy in batteries and still wanted by cars, counters since the start in kWh.

    ``curtailed_kwh`` (H, 4) is what orders and limits changed against what was wanted, as an amount.
    """

    time_s: Floats
    stored_kwh: Floats
    ev_kwh: Floats
    import_kwh: Floats
    export_kwh: Floats
    resource_kwh: Floats
    curtailed_kwh: Floats


@dataclass(frozen=True, slots=True)
class Nature:
    """What sun and people make of a step, (H,): load wanted and sun available in kW, both 0 or above."""

    load_kw: Floats
    sun_kw: Floats


@dataclass(frozen=True, slots=True)
class Flows:
    """What happened in a step: (H, 4) powers, and ``excess_kw`` (H,) of the limit that could not be kept.

    ``min_kw .. max_kw`` is what an order could make of a resource in the next step of the same length, widened to what
    it does now.
    """

    power_kw: Floats
    wanted_kw: Floats
    min_kw: Floats
    max_kw: Floats
    excess_kw: Floats

    @property
    def net_kw(self) -> Floats:
        """(H,) what the homes draw."""
        return cast("Floats", self.power_kw.sum(axis=1))


def make_homes(
    ids: tuple[str, ...], transformers: tuple[str, ...], seed: int, roles: tuple[Role, ...] | None = None
) -> Homes:
    """Homes and battery agents that follow from their names.

    Raises:
        ConfigError: there is no agent, two have the same id, or the number of transformers or roles is another.
    """
    roles = tuple("home" for _ in ids) if roles is None else roles
    if not ids or len(set(ids)) < len(ids):
        raise ConfigError(f"agents: {len(ids)} ids, {len(set(ids))} of them different; give each agent its own name")
    if not len(ids) == len(transformers) == len(roles):
        raise ConfigError(
            f"agents: {len(ids)} ids, {len(transformers)} transformers, {len(roles)} roles; give one of each an agent"
        )
    draws = np.array([np.random.default_rng([seed, zlib.crc32(name.encode())]).random(6) for name in ids])
    home = np.array([role == "home" for role in roles])
    battery = (draws[:, 3] < BATTERY_SHARE) | np.isin(ids, sorted(EVERYTHING)) | ~home
    has = np.stack([home, home, battery, home], axis=1)
    sizes = np.round(BATTERY_KWH[0] + (BATTERY_KWH[1] - BATTERY_KWH[0]) * draws[:, 4], 1)
    capacity = np.where(battery, np.where(home, sizes, AGENT_BATTERY_KWH), 0.0)
    power = np.where(home, C_RATE * capacity, AGENT_BATTERY_KW)
    same = np.ones(len(ids))
    return Homes(
        ids,
        roles,
        transformers,
        has,
        kwp=np.where(home, np.round(ROOF_KWP[0] + (ROOF_KWP[1] - ROOF_KWP[0]) * draws[:, 5], 1), 0.0),
        draws=draws[:, :3],
        batteries=Batteries(
            capacity_kwh=capacity,
            soc_min_kwh=SOC_MIN * capacity,
            soc_max_kwh=SOC_MAX * capacity,
            charge_kw=power,
            discharge_kw=power,
            eta_charge=ETA * same,
            eta_discharge=ETA * same,
            self_discharge_per_month=SELF_DISCHARGE * same,
            wear_eur_per_kwh=0.0 * same,
        ),
    )


def start_state(homes: Homes, time_s: float) -> HomesState:
    """Batteries half full, no car at home, counters at 0."""
    h = len(homes)  # every field has an array of its own: a host writes into them
    return HomesState(
        time_s=np.full(h, time_s),
        stored_kwh=0.5 * homes.batteries.capacity_kwh,
        ev_kwh=np.zeros(h),
        import_kwh=np.zeros(h),
        export_kwh=np.zeros(h),
        resource_kwh=np.zeros((h, 4)),
        curtailed_kwh=np.zeros((h, 4)),
    )


def no_orders(homes: Homes) -> Floats:
    """(H, 4) NaN: nobody orders anything."""
    return np.full((len(homes), 4), np.nan)


def unlimited(homes: Homes) -> Floats:
    """(H,) infinity."""
    return np.full(len(homes), np.inf)


def step_homes(
    homes: Homes,
    state: HomesState,
    nature: Nature,
    dt_s: float,
    orders_kw: Floats,
    allowed_kw: Floats,
    idle: Flags | None = None,
    parked: Flags | None = None,
) -> tuple[HomesState, Flows]:
    """One step of all homes.

    Args:
        homes: H agents.
        state: before the step.
        nature: load and sun of the step.
        dt_s: seconds of the step.
        orders_kw: (H, 4), NaN for none. For load, car and roof a bound, for a battery the set-point; what is not
            possible is done as far as it is.
        allowed_kw: (H,) for the net power. It is kept by the battery first, then the car, then the load.
        idle: (H,) where the battery wants nothing by itself in this step, as a scenario asks.
        parked: (H,) where the car wants nothing in this step.

    Returns:
        The state after the step, and its powers.
    """
    dt_h = dt_s / 3600
    nobody = np.zeros(len(homes), dtype=bool)
    idle, parked = nobody if idle is None else idle, nobody if parked is None else parked
    reach = reach_of(state.stored_kwh, homes.batteries, dt_h)
    lowest, highest = (reach.least_charge_kwh - reach.most_discharge_kwh) / dt_h, reach.most_charge_kwh / dt_h
    load = np.minimum(nature.load_kw, homes.nameplate_max_kw[:, LOAD])
    sun = np.minimum(nature.sun_kw, homes.kwp)
    car = np.where(homes.has[:, EV] & ~parked, np.minimum(EV_KW, state.ev_kwh / dt_h), 0.0)
    rest = load - sun
    itself = np.where(rest > 0, -rest, np.maximum(-rest - car, 0.0))
    still = idle | ~homes.has[:, LOAD]
    wanted = np.stack([load, car, np.clip(np.where(still, 0.0, itself), lowest, highest), -sun], axis=1)

    least = np.stack([ESSENTIAL_SHARE * load, np.zeros(len(homes)), lowest, -sun], axis=1)
    power = np.where(np.isnan(orders_kw), wanted, orders_kw)
    power[:, (LOAD, EV)] = np.minimum(power, wanted)[:, (LOAD, EV)]
    power = np.clip(power, least, np.stack([load, car, highest, np.zeros(len(homes))], axis=1))
    excess = np.maximum(power.sum(axis=1) - allowed_kw, 0.0)
    for kind in (BATTERY, EV, LOAD):
        take = np.minimum(excess, power[:, kind] - least[:, kind])
        power[:, kind] -= take
        excess = excess - take

    stored, charged, discharged = step_batteries(state.stored_kwh, power[:, BATTERY] * dt_h, homes.batteries, dt_h)
    power[:, BATTERY] = (charged - discharged) / dt_h
    power += 0.0  # no negative zero
    ahead = reach_of(stored, homes.batteries, dt_h)
    next_low = least.copy()
    next_low[:, BATTERY] = (ahead.least_charge_kwh - ahead.most_discharge_kwh) / dt_h
    next_high = np.stack([load, car, ahead.most_charge_kwh / dt_h, np.zeros(len(homes))], axis=1)
    net_kwh = power.sum(axis=1) * dt_h
    after = HomesState(
        time_s=state.time_s + dt_s,
        stored_kwh=stored,
        ev_kwh=np.maximum(state.ev_kwh - power[:, EV] * dt_h, 0.0),
        import_kwh=state.import_kwh + np.maximum(net_kwh, 0),
        export_kwh=state.export_kwh + np.maximum(-net_kwh, 0),
        resource_kwh=state.resource_kwh + power * dt_h,
        curtailed_kwh=state.curtailed_kwh + np.abs(wanted - power) * dt_h,
    )
    low, high = np.minimum(np.minimum(power, wanted), next_low), np.maximum(np.maximum(power, wanted), next_high)
    return after, Flows(power, wanted, low, high, np.where(excess > 1e-9, excess, 0.0))


def voltage_pu(net_kw: float, supply_pu: float) -> float:
    """Voltage at a home, three balanced phases over the service cable: u = u0 - R P / U^2, kept to 0..2.

    Source: longitudinal voltage drop of a resistive cable, P in W and U the voltage between phases.

    >>> round(voltage_pu(10.0, 1.0), 6)
    0.995225
    """
    return min(max(supply_pu - SERVICE_OHM * net_kw * 1000 / LINE_V**2, 0.0), 2.0)


def set_soc(homes: Homes, state: HomesState, which: Flags, soc: Floats) -> HomesState:
    """The state with batteries of some homes filled to a share, inside their window."""
    units = homes.batteries
    filled = np.clip(soc * units.capacity_kwh, units.soc_min_kwh, units.soc_max_kwh)
    return replace(state, stored_kwh=np.where(which, filled, state.stored_kwh))


def car_arrives(homes: Homes, state: HomesState, home: int, energy_kwh: float) -> HomesState:
    """The state with a car at a home that needs so much; it takes the place of the one before, 0 means none."""
    cars = state.ev_kwh.copy()
    cars[home] = energy_kwh if homes.has[home, EV] else 0.0
    return replace(state, ev_kwh=cars)
