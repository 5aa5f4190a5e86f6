"""A few cycles of a small fleet for the live picture of the overview: planned by the pure core, no process started."""

import json
from functools import lru_cache
from typing import Any

import numpy as np

from energy_sim.agents.coordination import plan
from energy_sim.agents.model import BATTERY, EV, LOAD, SOLAR, Grid, Plan, Resources, Rules, Tie, Transformer
from energy_sim.figures.fleet import name_of
from energy_sim.figures.fleet_places import fleet_places

AGENTS = (("home_1", 0), ("home_2", 0), ("home_3", 1), ("battery_agent_1", 0), ("battery_agent_2", 1))
PREVIEW_PX = 600.0
LIMIT_KW, EXPORT_LIMIT_KW, TIE_KW = 8.0, 20.0, 5.0
LOST_KW, UNCERTAINTY_KW = 7.4, 0.6  # of home_2 while it is silent
_SUN_KW = (3.1, 3.3, 3.4, 3.5, 3.5, 3.4, 3.2, 3.1)  # of home_3, a cycle each; the others have two thirds of it
_CARS = (0, 0, 1, 1, 1, 1, 1, 0)  # whether both cars charge
_PLANNED = (0, 0, 0, 1, 1, 1, 1, 0)  # a cycle after the cars came there are orders
_LOST = (0, 0, 0, 0, 1, 1, 0, 0)  # whether home_2 is silent
_CAR_KW, _LEAST_CAR_KW, _LOAD_KW = 11.0, 1.4, 0.7
_SOC = (0.82, 0.55, 0.93, 0.5, 0.35)


@lru_cache(maxsize=1)
def preview() -> str:
    """Places and a scene a cycle, as JSON for `assets/fleet.js`."""
    transformers, ties = ("transformer_A", "transformer_B"), (("transformer_A", "transformer_B"),)
    places = fleet_places(transformers, ties, [(name, transformers[at]) for name, at in AGENTS], width_px=PREVIEW_PX)
    grid = Grid(
        tuple(Transformer(name, LIMIT_KW, EXPORT_LIMIT_KW) for name in transformers), (Tie(*transformers, TIE_KW),)
    )
    return json.dumps(
        {"static": {"places": places.to_json()}, "messages": [_scene(grid, n) for n in range(len(_SUN_KW))]}
    )


def _resources(sun_kw: float, *, cars: bool) -> Resources:
    """A row for each resource that is heard: the homes' load, sun and car, the two batteries at rest."""
    rows: list[tuple[str, int, int, int, float, float, float]] = []
    for n, (name, at) in enumerate(AGENTS):
        if "battery" in name:
            rows.append((f"{name}/battery", n, at, BATTERY, 0.0, 0.0, 0.0))
            continue
        sun = -sun_kw if at else -2 * sun_kw / 3
        car = _CAR_KW if cars and not at else 0.0
        rows.append((f"{name}/load", n, at, LOAD, _LOAD_KW, 0.3, _LOAD_KW))
        rows.append((f"{name}/solar", n, at, SOLAR, sun, sun, 0.0))
        rows.append((f"{name}/ev", n, at, EV, car, min(_LEAST_CAR_KW, car), car))
    ids, agent, transformer, kind, wanted, low, high = zip(*rows, strict=True)
    powers = [np.array(column, dtype=np.float64) for column in (wanted, wanted, low, high)]
    places = [np.array(column, dtype=np.int64) for column in (agent, transformer, kind)]
    yes = np.ones(len(rows), dtype=bool)
    return Resources(ids, *places, *powers, yes, yes, np.zeros(len(rows)))


def _scene(grid: Grid, n: int) -> dict[str, Any]:
    """What `update` of the drawing takes, in cycle n."""
    resources = _resources(_SUN_KW[n], cars=bool(_CARS[n]))
    lost = bool(_LOST[n])
    base = np.zeros(2)
    if lost:
        heard = resources.agent != 1
        resources = Resources(
            tuple(name for name, keep in zip(resources.ids, heard, strict=True) if keep),
            *(getattr(resources, name)[heard] for name in Resources.__slots__ if name != "ids"),
        )
        base[0] = LOST_KW + UNCERTAINTY_KW
    planned = plan(grid, resources, base, Rules(), (), 0.0)
    power = planned.setpoint_kw if _PLANNED[n] else resources.wanted_kw
    help_kw = _help(grid, planned) if _PLANNED[n] else np.zeros(2)
    draws = np.bincount(resources.agent, power, len(AGENTS))
    load = np.bincount(resources.transformer, power, 2) - help_kw
    if lost:
        draws[1] = LOST_KW
        load[0] += LOST_KW
    return {
        "hub": {"bad": False, "word": f"● cycle {n + 1}"},
        "transformers": [_transformer(grid, planned, k, load, help_kw, lost=lost) for k in range(2)],
        "ties": [-help_kw[0]],
        "agents": {name: _agent(i, draws[i], lost=lost and i == 1) for i, (name, _) in enumerate(AGENTS)},
    }


def _help(grid: Grid, planned: Plan) -> Any:
    """(2,) what neighbours give each transformer."""
    given = np.zeros(2)
    for transfer in planned.transfers:
        given[grid.index[transfer.target]] += transfer.kw
        given[grid.index[transfer.source]] -= transfer.kw
    return given


def _transformer(grid: Grid, planned: Plan, k: int, load_kw: Any, help_kw: Any, *, lost: bool) -> dict[str, Any]:
    unknown = UNCERTAINTY_KW if lost and k == 0 else 0.0
    before = float(planned.before_kw[k])
    orders = abs(before - float(planned.after_kw[k]) - help_kw[k]) if help_kw.any() else 0.0
    return {
        "name": name_of(grid.transformers[k].id),
        "load": round(float(load_kw[k]), 3),
        "unc": unknown,
        "limit": LIMIT_KW,
        "exportLimit": EXPORT_LIMIT_KW,
        "before": round(before, 3),
        "help": round(float(help_kw[k]), 3),
        "curtailed": round(float(orders), 3),
        "short": 0.0,
        "over": round(max(float(load_kw[k]) + unknown - LIMIT_KW, 0.0), 3),
    }


def _agent(i: int, net_kw: float, *, lost: bool) -> dict[str, Any]:
    name = AGENTS[i][0]
    return {
        "name": name_of(name),
        "role": "battery" if "battery" in name else "home",
        "net": round(float(net_kw), 3),
        "soc": _SOC[i],
        "state": "lost" if lost else "online",
        "age": 12 if lost else 1,
        "mode": "unlimited",
        "limit": None,
        "process": "hung" if lost else "running",
        "bad": lost,
        "note": "",
    }
