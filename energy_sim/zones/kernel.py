"""The daily step of all zones, once, for the live day and for ensembles.

`simulate` is the step of README.md: open, wind, import 1, local hydro, import 2, unmet, water. Numba compiles it to
machine code that releases the GIL; `simulate.py_func` is the same source uncompiled. It never logs and never allocates
per day; what it decided comes back in arrays. Columns of the packed tables are the constants below.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from energy_sim.zones.model import Floats, Network

logger = logging.getLogger(__name__)

Ints = NDArray[np.int64]

EPS_MWH = 1e-6
BALANCE_MARGIN = 0.05  # relative level a supplier must be above the importer with balance_levels

SMIN, SMAX, FORCE, ETA, PMAX = range(5)  # zone table
CAPACITY, KEEP = range(2)  # link table
SUPPLIER, LINK1, LINK2 = range(3)  # route table, grouped by importer through `first_route`
WIND, IMPORT1, HYDRO, IMPORT2, TWO_HOP, SHARE_WIND, BALANCE = (1 << i for i in range(7))  # Switches.flags

(
    DEMAND,
    WIND_POTENTIAL,
    WIND_USED,
    WIND_EXPORT,
    LOCAL_HYDRO,
    EXPORTED_HYDRO,
    P2H1,
    P2H2,
    P4H1,
    P4H2,
    UNMET,
    WATER_USED,
    INFLOW,
    SPILL,
    DRY_SHORTFALL,
    LEVEL,
    WIND_SHARED,  # the part of WIND_EXPORT that neighbours received, at the sending end
) = range(17)
COLUMNS = 17

DAY, PHASE, ROUTE, SENT, DELIVERED, BOUND, SOURCE = range(7)  # trace row
TRACE_COLUMNS = 7
BOUNDS = ("need", "turbines", "water", "own_need", "first_link", "second_link", "wind", "not_recorded")
NOT_RECORDED = 7
NO_TRACE_ROWS_LEFT = -1


class Tables(NamedTuple):
    """A network as packed arrays: zones (Z, 5), links (L, 2), first_route (Z + 1,), routes (R, 3)."""

    zones: Floats
    links: Floats
    first_route: Ints
    routes: Ints


def pack(network: Network) -> Tables:
    """Pack a network for `simulate`."""
    zones = [
        (
            z.hydro_min_mwh,
            z.hydro_max_mwh,
            z.hydro_force_export_mwh,
            z.hydro_efficiency,
            z.hydro_max_daily_production_mwh,
        )
        for z in network.zones
    ]
    links = [(link.capacity_mwh_per_day, 1.0 - link.loss_factor) for link in network.links]
    counts = np.bincount([route.importer for route in network.routes] or [0], minlength=len(zones))
    if not network.routes:
        counts[:] = 0
    routes = [(route.supplier, route.link1, route.link2) for route in network.routes]
    return Tables(
        np.array(zones, dtype=np.float64).reshape(-1, 5),
        np.array(links, dtype=np.float64).reshape(-1, 2),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.array(routes, dtype=np.int64).reshape(-1, 3),
    )


def trace_rows(tables: Tables, days: int) -> int:
    """Rows that `days` days can fill: each transfer exhausts a need, a headroom or a link, in three rounds."""
    return int(days * 3 * (2 * len(tables.routes) + len(tables.zones)))


@njit(cache=True, nogil=True, error_model="numpy")
def simulate(  # noqa: C901, PLR0912, PLR0915 - one function, so that the uncompiled source is the same source
    flags: int,
    zones: Floats,
    links: Floats,
    first_route: Ints,
    routes: Ints,
    level: Floats,
    wind: Floats,
    demand: Floats,
    inflow: Floats,
    factors: Floats,
    day0: int,
    day1: int,
    series: Floats,
    levels: Floats,
    unmet: Floats,
    total: Floats,
    trace: Floats,
    trace_end: Ints,
) -> int:
    """Run days `day0` to `day1` (exclusive) of one scenario in place.

    Args:
        flags: `Switches.flags`.
        zones: (Z, 5), with `links` (L, 2), `first_route` (Z + 1,) and `routes` (R, 3) from `pack`.
        links: see `zones`.
        first_route: see `zones`.
        routes: see `zones`.
        level: (Z,) storage, water MWh; opening values in, closing values out.
        wind: (T, Z) potential wind, MWh a day, indexed by day; likewise `demand` and `inflow` (water).
        demand: see `wind`.
        inflow: see `wind`.
        factors: (3,) multipliers of wind, demand, inflow.
        day0: first day.
        day1: day after the last.
        series: (day1 - day0, Z, COLUMNS) results by day, or no rows.
        levels: (day1 - day0, Z) closing levels, or no rows; likewise `unmet`.
        unmet: see `levels`.
        total: (Z, COLUMNS) sums over the days are added here; LEVEL holds the last closing level.
        trace: (N, TRACE_COLUMNS) one row per transfer, or no rows.
        trace_end: (day1 - day0,) trace rows used up to and with each day, or no rows.

    Returns:
        Trace rows used, or NO_TRACE_ROWS_LEFT when `trace` has rows but not enough of them.
    """
    count = zones.shape[0]
    need = np.empty(count)
    head = np.empty(count)  # generation headroom left, electrical MWh
    relative = np.empty(count)  # level between Smin and Smax, frozen for the day
    forced = np.empty(count, np.bool_)
    offer = np.empty(count)  # what a supplier can send in the current import round
    left = np.empty(links.shape[0])  # link capacity left at the sending end
    out = np.empty((count, COLUMNS))
    tracing = trace.shape[0] > 0
    rows = 0
    two_hop = (flags & TWO_HOP) != 0
    hydro_on = (flags & HYDRO) != 0

    for day in range(day0, day1):
        for e in range(links.shape[0]):
            left[e] = links[e, CAPACITY]
        for z in range(count):
            for c in range(COLUMNS):
                out[z, c] = 0.0
            potential = wind[day, z] * factors[0]
            wanted = demand[day, z] * factors[1]
            used = min(potential, wanted) if flags & WIND else 0.0
            out[z, DEMAND] = wanted
            out[z, WIND_POTENTIAL] = potential
            out[z, WIND_USED] = used
            out[z, WIND_EXPORT] = potential - used if flags & WIND else 0.0
            need[z] = wanted - used
            head[z] = min(zones[z, PMAX], zones[z, ETA] * max(0.0, level[z] - zones[z, SMIN]))
            relative[z] = (level[z] - zones[z, SMIN]) / (zones[z, SMAX] - zones[z, SMIN])
            forced[z] = level[z] >= zones[z, FORCE]

        # Rounds: 0 surplus wind to neighbours (an option of import 1), 1 import 1, 2 local hydro, 3 import 2.
        for turn in range(4):
            if turn == 0 and not (flags & SHARE_WIND and flags & IMPORT1 and flags & WIND):
                continue
            if turn == 1 and not flags & IMPORT1:
                continue
            if turn == 3 and not flags & IMPORT2:
                continue
            if turn == 2:
                if hydro_on:
                    for z in range(count):
                        own = max(0.0, min(need[z], head[z]))
                        out[z, LOCAL_HYDRO] = own
                        need[z] -= own
                        head[z] -= own
                continue
            phase = 4 if turn == 3 else 2
            import_column = P4H1 if turn == 3 else P2H1

            for z in range(count):
                while need[z] > EPS_MWH:
                    best = -1
                    best_relative = -np.inf
                    best_send = 0.0
                    best_keep = 1.0
                    for r in range(first_route[z], first_route[z + 1]):
                        s = routes[r, SUPPLIER]
                        if relative[s] <= best_relative:
                            continue
                        if turn == 0:
                            offer[s] = out[s, WIND_EXPORT] - out[s, WIND_SHARED]
                        else:
                            offer[s] = head[s] - (need[s] if hydro_on else 0.0)
                        if offer[s] <= EPS_MWH:
                            continue
                        if (
                            turn == 1
                            and not forced[s]
                            and not (flags & BALANCE and relative[s] >= relative[z] + BALANCE_MARGIN)
                        ):
                            continue
                        e1 = routes[r, LINK1]
                        e2 = routes[r, LINK2]
                        keep = links[e1, KEEP]
                        send = min(offer[s], left[e1])
                        if e2 >= 0:
                            if not two_hop:
                                continue
                            send = min(send, left[e2] / keep)
                            keep *= links[e2, KEEP]
                        send = min(send, need[z] / keep)
                        if send <= EPS_MWH:
                            continue
                        best = r
                        best_relative = relative[s]
                        best_send = send
                        best_keep = keep
                    if best < 0:
                        break
                    s = routes[best, SUPPLIER]
                    e1 = routes[best, LINK1]
                    e2 = routes[best, LINK2]
                    got = best_send * best_keep

                    if tracing:
                        if rows >= trace.shape[0]:
                            return NO_TRACE_ROWS_LEFT
                        if best_send == need[z] / best_keep:
                            bound = 0
                        elif best_send == left[e1]:
                            bound = 4
                        elif best_send < offer[s]:
                            bound = 5
                        elif turn == 0:
                            bound = 6
                        elif hydro_on and need[s] > EPS_MWH:
                            bound = 3
                        elif zones[s, PMAX] <= zones[s, ETA] * max(0.0, level[s] - zones[s, SMIN]):
                            bound = 1
                        else:
                            bound = 2
                        trace[rows, DAY] = day
                        trace[rows, PHASE] = phase
                        trace[rows, ROUTE] = best
                        trace[rows, SENT] = best_send
                        trace[rows, DELIVERED] = got
                        trace[rows, BOUND] = bound
                        trace[rows, SOURCE] = 1.0 if turn == 0 else 0.0
                        rows += 1

                    left[e1] -= best_send
                    if e2 >= 0:
                        left[e2] -= best_send * links[e1, KEEP]
                    need[z] -= got
                    out[z, import_column + (1 if e2 >= 0 else 0)] += got
                    if turn == 0:
                        out[s, WIND_SHARED] += best_send
                    else:
                        head[s] -= best_send
                        out[s, EXPORTED_HYDRO] += best_send

        for z in range(count):
            out[z, UNMET] = max(0.0, need[z])
            water = (out[z, LOCAL_HYDRO] + out[z, EXPORTED_HYDRO]) / zones[z, ETA]
            came = inflow[day, z] * factors[2]
            after = level[z] - water + came
            spill = max(0.0, after - zones[z, SMAX])
            if spill > 0.0:
                after = zones[z, SMAX]  # after - spill, without its rounding
            short = max(0.0, -after)
            level[z] = after + short
            out[z, WATER_USED] = water
            out[z, INFLOW] = came
            out[z, SPILL] = spill
            out[z, DRY_SHORTFALL] = short
            out[z, LEVEL] = level[z]
            for c in range(COLUMNS):
                total[z, c] += out[z, c]
            total[z, LEVEL] = level[z]
            i = day - day0
            if i < series.shape[0]:
                for c in range(COLUMNS):
                    series[i, z, c] = out[z, c]
            if i < levels.shape[0]:
                levels[i, z] = level[z]
                unmet[i, z] = out[z, UNMET]
        if day - day0 < trace_end.shape[0]:
            trace_end[day - day0] = rows
    return rows


_compiled = threading.Event()


def compile_kernel() -> None:
    """Compile `simulate`, or load it from the cache on disk; afterwards `best_kernel` is the compiled one."""
    if _compiled.is_set():
        return
    began = time.perf_counter()
    none = np.empty((0, 0))
    simulate(
        0,
        np.empty((0, 5)),
        np.empty((0, 2)),
        np.zeros(1, np.int64),
        np.empty((0, 3), np.int64),
        np.empty(0),
        none,
        none,
        none,
        np.ones(3),
        0,
        0,
        np.empty((0, 0, COLUMNS)),
        none,
        none,
        np.empty((0, COLUMNS)),
        np.empty((0, TRACE_COLUMNS)),
        np.empty(0, np.int64),
    )
    _compiled.set()
    logger.info("kernel ready seconds=%.2f", time.perf_counter() - began)


def best_kernel() -> Callable[..., int]:
    """The compiled kernel when it is ready, else the same source uncompiled: both give the same bits."""
    kernel: Any = simulate
    chosen: Callable[..., int] = kernel if _compiled.is_set() else kernel.py_func
    return chosen
