"""Exports of the agents page: the picture of the moment, the chart and tables, the audit log as lines of JSON.

What the page has kept while it was open comes from the browser: {loads: [[time_s, [[load, limit] of each transformer]],
...], ids, events, o}; it is checked, and only becomes a file for the same browser.
"""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from callbacks.exports import checked_theme, chosen_file
from energy_sim.agents.fleet.client import FleetClient
from energy_sim.config import Config
from energy_sim.errors import DataError
from energy_sim.figures.fleet import plot_fleet, plot_loads, read_scene
from energy_sim.figures.fleet_places import fleet_places

MOST_POINTS = 2000
MOST_EVENTS = 500
MOST_TRANSFORMERS = 32
MOST_ENTRIES = 500  # that a grid agent gives at once
MOST_BYTES = 50_000_000  # of an audit log


def export(config: Config, what: str, kind: str, theme: str, history: Any) -> tuple[bytes, str]:
    """A figure or table of `layouts.agents.EXPORTS` as a file, and its name.

    Raises:
        DataError: a figure was asked as CSV, or a table as a picture; there is no fleet; the server is busy.
    """
    theme = checked_theme(theme)
    kept = _kept(history)
    tables = {
        "agents": lambda: _agents(_seen(config)[0]),
        "plan": lambda: _plan(_seen(config)[0]),
        "orders": lambda: _orders(_seen(config)[0]),
        "history": lambda: _csv(_loads(kept)),
        "events": lambda: _csv(pd.DataFrame(kept["events"], columns=["n", "time_s", "kind", "who", "text"])),
    }
    figures = {"picture": lambda: _picture(*_seen(config), theme), "loads": lambda: _chart(kept, theme)}
    return chosen_file(what, kind, tables, figures), f"agents_{what}.{kind}"


def audit_lines(config: Config) -> bytes:
    """The audit log as it was written, lines of JSON that `energy-sim agents verify-audit` reads.

    Of a fleet elsewhere it is the newest entries, as far as its grid agent gives them.

    Raises:
        DataError: nobody answers, or the log is longer than the page gives away.
    """
    client = FleetClient(config, timeout_s=20.0)
    log = config.path(config.agents.state) / "run" / "logs" / "audit.jsonl"
    if client.own and log.is_file():
        if log.stat().st_size > MOST_BYTES:
            raise DataError(f"audit: the log is longer than {MOST_BYTES:,} bytes; take it from the server's disk")
        return log.read_bytes()
    entries = client.audit(MOST_ENTRIES)
    return "".join(json.dumps(entry, sort_keys=True, separators=(",", ":")) + "\n" for entry in entries).encode()


def _seen(config: Config) -> tuple[dict[str, Any], dict[str, str]]:
    found = FleetClient(config, timeout_s=5.0).view(0)
    if found["grid"] is None:
        raise DataError(f"export: there is no fleet to see ({found['why'] or 'it starts'}); wait until it runs")
    return found["grid"], found["processes"]


def _picture(grid: dict[str, Any], processes: dict[str, str], theme: Any) -> Any:
    scene = read_scene(grid, processes)
    agents = sorted(((a.id, a.transformer) for a in scene.agents), key=lambda agent: ("battery" in agent[0], agent))
    places = fleet_places([t.id for t in scene.transformers], [(t.a, t.b) for t in scene.ties], agents)
    return plot_fleet(scene, places, theme, f"The fleet in cycle {grid.get('cycle', 0)}: flows in kW")


def _kept(history: Any) -> dict[str, Any]:
    """What the browser sent, as far as it is of the form that is said above.

    Raises:
        DataError: it is not.
    """
    given = history if isinstance(history, dict) else {}
    try:
        names = [str(name)[:64] for name in given.get("ids", [])][:MOST_TRANSFORMERS]
        loads = [
            (_finite(t), [(_finite(load), _finite(limit)) for load, limit in pairs][: len(names)])
            for t, pairs in list(given.get("loads", []))[-MOST_POINTS:]
        ]
        if any(len(pairs) != len(names) for _, pairs in loads):
            raise DataError("export: the page's history does not fit its transformers; reload the page")
        events = [
            (int(n), _finite(t), *(str(word)[:300] for word in words))
            for n, t, *words in list(given.get("events", []))[-MOST_EVENTS:]
            if len(words) == 3
        ]
        offset = timedelta(minutes=_finite(given.get("o", 0)))
        moments = [(datetime.fromtimestamp(t, UTC) + offset).replace(tzinfo=None) for t, _ in loads]
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise DataError("export: the page's history cannot be read; reload the page") from error
    return {"ids": names, "moments": moments, "loads": [pairs for _, pairs in loads], "events": events}


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _columns(kept: dict[str, Any], which: int) -> dict[str, list[float]]:
    return {name: [row[k][which] for row in kept["loads"]] for k, name in enumerate(kept["ids"])}


def _chart(kept: dict[str, Any], theme: Any) -> Any:
    return plot_loads(kept["moments"], _columns(kept, 0), _columns(kept, 1), theme)


def _loads(kept: dict[str, Any]) -> pd.DataFrame:
    loads, limits = _columns(kept, 0), _columns(kept, 1)
    columns: dict[str, Any] = {"time": [moment.isoformat(timespec="seconds") for moment in kept["moments"]]}
    for name in kept["ids"]:
        columns |= {f"{name}_load_kw": loads[name], f"{name}_limit_kw": limits[name]}
    return pd.DataFrame(columns)


def _agents(grid: dict[str, Any]) -> bytes:
    names = (
        "id",
        "role",
        "transformer",
        "state",
        "age_s",
        "mode",
        "limit_kw",
        "net_kw",
        "voltage_pu",
        "soc",
        "breaker",
    )
    rows = [[*(agent.get(name) for name in names), " ".join(agent.get("anomalies", []))] for agent in grid["agents"]]
    return _csv(pd.DataFrame(rows, columns=[*names, "anomalies"]))


def _plan(grid: dict[str, Any]) -> bytes:
    names = ("load_kw", "uncertainty_kw", "limit_kw", "before_kw", "help_kw", "after_kw", "shortfall_kw")
    rows = [[t["id"], *(t.get(name) for name in names)] for t in grid["transformers"]]
    return _csv(pd.DataFrame(rows, columns=["transformer", *names]))


def _orders(grid: dict[str, Any]) -> bytes:
    rows = [(agent["id"], *order[:2]) for agent in grid["agents"] for order in agent.get("orders", [])]
    return _csv(pd.DataFrame(rows, columns=["agent", "resource", "power_kw"]))


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()
