"""Why a day went as it did: the limit that bound each transfer, and what kept each unmet zone from getting more."""

from dataclasses import dataclass

import numpy as np

from energy_sim.zones import kernel as k
from energy_sim.zones.model import Floats, Network, Route, Switches, Transfer

BOUND_TEXTS = {
    "need": "the importer needed no more",
    "turbines": "the supplier's turbines were at their limit",
    "water": "the supplier's water above its minimum was used up",
    "own_need": "the supplier kept the rest for its own demand",
    "first_link": "the line from the supplier was full",
    "second_link": "the line from the transit zone was full",
    "wind": "the supplier's surplus wind was used up",
    "not_recorded": "not recorded in the run",
}


@dataclass(frozen=True, slots=True)
class UnmetReason:
    """Why a zone's unmet demand stayed so: one line for its own plants and one per way in."""

    zone: str
    unmet_mwh: float
    reasons: tuple[str, ...]


def explain_transfer(transfer: Transfer) -> str:
    """What kept a transfer from being larger."""
    return BOUND_TEXTS[transfer.bound_by]


def explain_unmet(
    network: Network, metrics: Floats, opening_mwh: Floats, trace: Floats, switches: Switches
) -> tuple[UnmetReason, ...]:
    """For every zone with unmet demand, the limits that held at the end of the day.

    Args:
        network: zones and links.
        metrics: (Z, kernel.COLUMNS) of the day.
        opening_mwh: (Z,) storage at the opening.
        trace: (N, kernel.TRACE_COLUMNS) transfers of the day.
        switches: those of the day.
    """
    tables = k.pack(network)
    left = tables.links[:, k.CAPACITY].copy()
    for row in trace:
        route = network.routes[int(row[k.ROUTE])]
        left[route.link1] -= row[k.SENT]
        if route.link2 >= 0:
            left[route.link2] -= row[k.SENT] * tables.links[route.link1, k.KEEP]
    water = tables.zones[:, k.ETA] * np.maximum(0.0, opening_mwh - tables.zones[:, k.SMIN])
    generated = metrics[:, k.LOCAL_HYDRO] + metrics[:, k.EXPORTED_HYDRO]
    spare = np.minimum(tables.zones[:, k.PMAX], water) - generated
    found = []
    for z in np.flatnonzero(metrics[:, k.UNMET] > k.EPS_MWH):
        own = _own_plants(tables, water, int(z), switches)
        reasons = [
            own,
            *(_route(network, r, left, spare, metrics, switches) for r in network.routes if r.importer == z),
        ]
        if len(reasons) == 1:
            reasons.append("no line leads into it")
        found.append(UnmetReason(network.ids[z], float(metrics[z, k.UNMET]), tuple(dict.fromkeys(reasons))))
    return tuple(found)


def _own_plants(tables: k.Tables, water: Floats, z: int, switches: Switches) -> str:
    if not switches.local_hydro:
        return "own hydro is switched off"
    if water[z] <= k.EPS_MWH:
        return "own reservoir is at or below its minimum"
    if tables.zones[z, k.PMAX] <= water[z]:
        return "own turbines at their limit"
    return "own water above the minimum used up"


def _route(network: Network, route: Route, left: Floats, spare: Floats, metrics: Floats, switches: Switches) -> str:
    supplier, _, transit, link1, link2 = route
    ids = network.ids
    way = ids[supplier] if transit < 0 else f"{ids[supplier]} via {ids[transit]}"
    if link2 >= 0 and not switches.two_hop:
        return "two-hop routes are switched off"
    if not (switches.import_phase1 or switches.import_phase2):
        return "imports are switched off"
    full = [e for e in (link1, link2) if e >= 0 and left[e] <= k.EPS_MWH]
    if full:
        return f"{way}: line {network.links[full[0]].source} to {network.links[full[0]].target} full"
    if spare[supplier] - (metrics[supplier, k.UNMET] if switches.local_hydro else 0.0) <= k.EPS_MWH:
        return f"{ids[supplier]}: nothing left to send"
    if not switches.import_phase2:
        return f"{ids[supplier]}: below its force-export level, and imports 2 are off"
    return f"{way}: a remainder below {k.EPS_MWH:g} MWh"
