"""Records of the zones room. Energy is MWh per day, electrical; water is MWh of gross potential energy."""

from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Zone:
    """One bidding zone with its reservoirs taken together.

    Storage limits and levels are water, MWh; ``hydro_max_daily_production_mwh`` is electrical, MWh a day.
    ``hydro_target_mwh`` is a reference line only. ``lon`` and ``lat`` are degrees, ``color`` is ``#rrggbb``.
    """

    id: str
    name: str
    hydro_min_mwh: float
    hydro_max_mwh: float
    hydro_force_export_mwh: float
    hydro_target_mwh: float
    hydro_efficiency: float
    hydro_max_daily_production_mwh: float
    initial_level_mwh: float
    lon: float
    lat: float
    color: str


@dataclass(frozen=True, slots=True)
class Link:
    """A directed connection; the capacity holds at the sending end, ``1 - loss_factor`` of the energy arrives."""

    source: str
    target: str
    capacity_mwh_per_day: float
    loss_factor: float = 0.0


class Route(NamedTuple):
    """A way from a supplier to an importer over one link, or over two through a transit zone; all are indices."""

    supplier: int
    importer: int
    transit: int  # -1 for a direct route
    link1: int
    link2: int  # -1 for a direct route

    @property
    def hops(self) -> int:
        """1 for a direct route, 2 for one through a transit zone."""
        return 1 if self.link2 < 0 else 2


@dataclass(frozen=True)
class Network:
    """Zones in the order in which they are served, directed links, and the routes that follow from them."""

    zones: tuple[Zone, ...]
    links: tuple[Link, ...]
    routes: tuple[Route, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Derive the static routes once."""
        object.__setattr__(self, "routes", find_routes(self))

    @property
    def ids(self) -> tuple[str, ...]:
        """Zone ids in serving order."""
        return tuple(zone.id for zone in self.zones)


def find_routes(network: Network) -> tuple[Route, ...]:
    """All routes, grouped by importer in zone order: direct ones in link order, then two-hop ones.

    Two-hop routes (s -> t, t -> z) have s, t, z all different and are ordered by the second link, then the first.
    """
    index = {zone.id: i for i, zone in enumerate(network.zones)}
    ends = [(index[link.source], index[link.target]) for link in network.links]
    routes: list[Route] = []
    for z in range(len(network.zones)):
        into = [e for e, (_, target) in enumerate(ends) if target == z]
        routes += [Route(ends[e][0], z, -1, e, -1) for e in into]
        for second in into:
            t = ends[second][0]
            routes += [
                Route(s, z, t, first, second)
                for first, (s, target) in enumerate(ends)
                if target == t and s not in (z, t)
            ]
    return tuple(routes)


@dataclass(frozen=True, slots=True)
class Switches:
    """The five phase and route switches and the two options; each acts for whole days."""

    wind: bool = True
    import_phase1: bool = True
    local_hydro: bool = True
    import_phase2: bool = True
    two_hop: bool = True
    share_wind: bool = False
    balance_levels: bool = False

    @property
    def flags(self) -> int:
        """The switches as bits, first field lowest, as the kernel reads them."""
        return sum(1 << i for i, f in enumerate(fields(self)) if getattr(self, f.name))


@dataclass(frozen=True, slots=True)
class Factors:
    """What demand, wind, inflow and the level at the start are multiplied by (1 = as in the data)."""

    consumption: float = 1.0
    wind: float = 1.0
    inflow: float = 1.0
    reservoir: float = 1.0


@dataclass(frozen=True, slots=True)
class Fill:
    """Values that were missing in a file and were filled by a rule: shown to people, never silent."""

    zone: str
    file: str
    quantity: str  # wind | demand | inflow | level
    rule: str
    count: int  # days (inflow: weeks)
    first: str  # ISO date (inflow: ISO week) of the first and last filled value
    last: str


@dataclass(frozen=True, slots=True)
class ZoneInputs:
    """Daily series of all zones over one unbroken period.

    ``wind_mwh``, ``demand_mwh``, ``inflow_mwh``: (days, zones). ``initial_level_mwh``: (zones,), opening storage of the
    first day. ``reference_level_mwh`` and ``median_level_mwh``: (days, zones) recorded and median storage at the end of
    each day, NaN where no file says. ``inflow_years_mwh`` maps each ISO year that the inflow files of all zones hold to
    its daily inflow by (week 1-53, zone), for ensembles.
    """

    zones: tuple[str, ...]
    dates: Dates
    wind_mwh: Floats
    demand_mwh: Floats
    inflow_mwh: Floats
    initial_level_mwh: Floats
    reference_level_mwh: Floats
    median_level_mwh: Floats
    inflow_years_mwh: dict[int, Floats]
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """Energy from one zone to another on one day over one route: sent by the supplier, delivered to the importer."""

    date: str
    phase: int  # 2 | 4
    supplier: str
    importer: str
    hops: int  # 1 | 2
    transit_zone: str | None
    sent_mwh: float
    delivered_mwh: float
    links: tuple[tuple[str, float], ...]  # ("NO4>NO3", energy at its sending end)
    source: str  # hydro | wind (only with share_wind)
    bound_by: str  # need | turbines | water | own_need | first_link | second_link | wind
