"""What the agents page is told: the moment of the fleet as one small message, and where everything stands.

A message (short keys, since one goes to every browser each second; powers in kW, three decimals):
    st, say          run | start | failed | off | missing, and one line for people; done, of: processes that answered
    c, t, o, k       cycle, simulated time in s since the epoch, its offset from UTC in min, clock
    p                planner [used, why, language model on, configured]
    T                transformers [load, expected, uncertainty, limit, export limit, before, after, shortfall, help,
                     anomalies]
    L                ties [flow]
    A                agents [id, role, transformer, state, age_s, mode, limit, net, voltage, soc, breaker, anomalies,
                     parts, orders]
    B                agents in brief, where there are many [id, role, transformer, state, age_s, mode, limit, net, soc,
                     number of orders], words as their places in ROLES, the transformers, STATES and MODES
    more             agents left out
    P                processes {id or "grid": state}; hub: how old the grid agent's view is, s, null without one
    S                what the fleet sees of agents that the grid agent cannot hear {id: [mode, limit, net, soc]}
    e                events since the last one seen [n, time_s, kind, who, text]
    g, h             keys of the places and of all this
"""

import hashlib
import importlib.util
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from callbacks.live_view import told
from energy_sim.agents.fleet.client import FAULTS, FleetClient
from energy_sim.config import Config
from energy_sim.errors import DataError, EnergySimError
from energy_sim.figures.fleet_places import fleet_places, places_key

Message = dict[str, Any]
MOST_BYTES = 4000  # of a message
MOST_EVENTS = 30  # in one
NEEDED = ("fastapi", "uvicorn", "aiohttp")  # of the extra `agents`
INSTALL = "pip install 'kraftflyt[agents]'"
COMMAND = "energy-sim agents fleet"
DRIVES = ("cars",)
ROLES = ("home", "battery")
STATES = ("online", "late", "lost", "gone")
MODES = ("init", "unlimited", "limited", "failsafe")
_T = ("load", "expected", "uncertainty", "limit", "export_limit", "before", "after", "shortfall", "help")
_FEW_EVENTS = 6  # in a message of a large fleet; the others come with the next


def missing_extra() -> list[str]:
    """Packages of the extra `agents` that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def why_not(config: Config) -> str:
    """Why visitors may not break the fleet; empty when they may."""
    if config.agents.grid_url:
        return "This fleet runs elsewhere: its processes are broken and healed where they run"
    if not config.agents.fleet_from_page:
        return "The configuration does not let visitors touch the fleet (agents.fleet_from_page)"
    return ""


def fixed_of(config: Config) -> dict[str, Any]:
    """What does not change while the page is open."""
    return {
        "timezone": config.agents.timezone,
        "stories": [] if why_not(config) else told(config, "agents"),
        "whyNot": why_not(config),
        "url": config.agents.grid_url,
        "failsafeKw": config.agents.failsafe_kw,
        "faults": [kind for kind in FAULTS if kind != "heal"],
    }


def message_since(config: Config, seen: Any) -> tuple[Message | None, dict[str, Any] | None]:
    """The moment and the places; None for what the page has already.

    Args:
        config: its section `agents` says who is watched.
        seen: what the page has drawn, {n: last event, h: key of the moment, g: key of the places, a: chosen agent};
            from a browser, so anything.
    """
    seen = seen if isinstance(seen, dict) else {}
    missing = missing_extra()
    if missing and not config.agents.grid_url:
        said = f"The fleet needs packages that are not installed here ({', '.join(missing)}). Install them and reload."
        return _fresh({"st": "missing", "say": said, "cmd": INSTALL}, seen), None
    client = FleetClient(config)
    last = seen.get("n")
    found = client.view(max(last, 0) if isinstance(last, int) else 0)
    grid, processes = found.get("grid"), found.get("processes") or {}
    if grid is None:
        blind = _without_grid(config, client, str(found.get("why") or ""), processes)
        return _fresh(blind | {"S": _seen_directly(found)} if blind["st"] == "run" else blind, seen), None
    if client.own and len(grid.get("agents", ())) < len(processes) - 1:
        waiting = _without_grid(config, client, "", processes)
        if waiting["st"] == "start":
            return _fresh(waiting, seen), None
    places = _names(grid)
    key = places_key(*places)
    message = _message(config, grid, processes, found.get("grid_age_s")) | {"g": key, "S": _seen_directly(found)}
    message = _small(message, seen.get("a"), places[0])
    fresh = _fresh(message, seen)
    return fresh, None if seen.get("g") == key else _places(key, *places)


def _without_grid(config: Config, client: FleetClient, why: str, processes: dict[str, str]) -> Message:
    """What is said while there is nothing to see: it starts, it cannot, or the grid agent alone is away."""
    presence = client.ensure_started()
    if presence.state == "running" and processes:
        why = why.removeprefix("the grid agent does not answer: ").replace("the grid agent", "it")
        return {"st": "run", "say": f"The grid agent does not answer: {why}", "P": processes, "hub": None}
    if presence.state == "off":
        return {"st": "off", "say": "Nobody runs a fleet, and visitors may not start one here.", "cmd": COMMAND}
    if presence.state == "failed":
        command = "" if config.agents.grid_url else f"{COMMAND}   # shows what is the matter"
        return {"st": "failed", "say": f"The fleet does not run: {presence.why or why}", "cmd": command}
    said = "The fleet starts: 3 homes, 2 batteries and a grid agent as processes of their own."
    return {"st": "start", "say": said, "done": presence.done, "of": presence.total, "P": processes}


def _message(config: Config, grid: dict[str, Any], processes: dict[str, str], age_s: float | None) -> Message:
    planner = grid.get("planner") or {}
    at = float(grid.get("time_s") or 0.0)
    offset = datetime.fromtimestamp(at, ZoneInfo(config.agents.timezone)).utcoffset()
    return {
        "st": "run",
        "say": "",
        "c": grid.get("cycle", 0),
        "t": at,
        "o": round(offset.total_seconds() / 60) if offset else 0,
        "k": grid.get("clock", ""),
        "p": [
            *(str(planner.get(name) or "")[:200] for name in ("used", "why")),
            *(bool(planner.get(name)) for name in ("llm", "llm_ready")),
        ],
        "T": [
            [*(t.get(f"{name}_kw") or 0.0 for name in _T), t.get("anomalies", [])] for t in grid.get("transformers", ())
        ],
        "L": [[tie.get("flow_kw", 0.0)] for tie in grid.get("ties", ())],
        "A": [_row(agent) for agent in grid.get("agents", ())],
        "more": grid.get("more", 0),
        "P": processes,
        "hub": age_s,
        "e": list(grid.get("events", ()))[:MOST_EVENTS],
    }


def _seen_directly(found: dict[str, Any]) -> dict[str, list[Any]]:
    """Agents that the supervisor has asked itself."""
    names = ("mode", "limit_kw", "net_kw", "soc")
    return {who: [stand.get(name) for name in names] for who, stand in (found.get("seen") or {}).items() if stand}


def _row(agent: dict[str, Any]) -> list[Any]:
    values = (agent.get(name) for name in ("mode", "limit_kw", "net_kw", "voltage_pu", "soc"))
    return [
        *(agent.get(name, "") for name in ("id", "role", "transformer", "state")),
        round(float(agent.get("age_s") or 0.0)),
        *values,
        agent.get("breaker", ""),
        agent.get("anomalies", []),
        agent.get("parts", {}),
        agent.get("orders", []),
    ]


def _names(grid: dict[str, Any]) -> tuple[list[str], list[tuple[str, str]], list[tuple[str, str]]]:
    """Ids of transformers, ends of ties, agents with their transformer; agents by name, whatever order they come in."""
    agents = sorted((str(a["id"]), str(a.get("transformer", ""))) for a in grid.get("agents", ()))
    agents.sort(key=lambda agent: ("battery" in agent[0], agent))
    ties = [(str(tie["a"]), str(tie["b"])) for tie in grid.get("ties", ())]
    return [str(t["id"]) for t in grid.get("transformers", ())], ties, agents


def _places(
    key: str, transformers: list[str], ties: list[tuple[str, str]], agents: list[tuple[str, str]]
) -> dict[str, Any]:
    wide, compact = (fleet_places(transformers, ties, agents, compact=narrow).to_json() for narrow in (False, True))
    return {"key": key, "transformers": transformers, "ties": ties, "wide": wide, "compact": compact}


def _small(message: Message, chosen: Any, transformers: list[str]) -> Message:
    """At most MOST_BYTES: of large fleets only the chosen agent whole, the others in brief; then not all of them."""
    if _size(message) <= MOST_BYTES:
        return message
    whole = [row for row in message["A"] if row[0] == chosen]
    brief = [_brief(row, transformers) for row in message["A"] if row[0] != chosen]
    message = message | {"A": whole, "B": brief, "e": message["e"][:_FEW_EVENTS]}
    over = _size(message) - MOST_BYTES
    while over > 0 and brief:
        gone = min(len(brief), 1 + over // 120)
        brief = brief[:-gone]
        message = message | {"more": message["more"] + gone, "B": brief}
        over = _size(message) - MOST_BYTES
    return message


def _brief(row: list[Any], transformers: list[str]) -> list[Any]:
    """An agent as far as the picture needs it."""
    name, role, transformer, state, age_s, mode, limit_kw, net_kw, _, soc, *_, orders = row
    return [
        name,
        *(words.index(word) if word in words else 0 for words, word in ((ROLES, role), (transformers, transformer))),
        STATES.index(state) if state in STATES else len(STATES) - 1,
        age_s if age_s < 1e6 else None,
        MODES.index(mode) if mode in MODES else None,
        limit_kw,
        None if net_kw is None else round(net_kw, 2),
        None if soc is None else round(soc, 2),
        len(orders),
    ]


def _size(message: Message) -> int:
    return len(json.dumps(message, separators=(",", ":")).encode())


def _fresh(message: Message, seen: dict[str, Any]) -> Message | None:
    """The message with its key; None when the page has drawn just this."""
    key = hashlib.blake2s(json.dumps(message, sort_keys=True, default=str).encode(), digest_size=6).hexdigest()
    return None if seen.get("h") == key else message | {"h": key}


def obey(config: Config, command: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Do what a button asks: the answer {n, err} and, for the audit log, what was found."""
    if not isinstance(command, dict) or not isinstance(command.get("name"), str):
        return {"n": None, "err": "a command needs the name of a button"}, None
    name, agent, value, number = (command.get(key) for key in ("name", "agent", "value", "n"))
    client = FleetClient(config, timeout_s=20.0 if name == "verify" else 5.0)
    found: dict[str, Any] | None = None
    try:
        if name == "audit":
            found = {"n": number, "rows": client.audit(60)}
        elif name == "verify":
            found = {"n": number, **client.verify()}
        elif name == "again":
            client.ensure_started(again=True)
        else:
            _do(config, client, name, agent, value)
    except EnergySimError as error:
        return {"n": number, "name": name, "err": str(error)}, found
    return {"n": number, "name": name, "err": ""}, found


def _do(config: Config, client: FleetClient, name: str, agent: Any, value: Any) -> None:
    """Carry out a command that changes the fleet.

    Raises:
        DataError: there is no such command, it cannot be done, or visitors may not.
    """
    refused = why_not(config)
    if name == "planner" and isinstance(value, bool) and (not refused or config.agents.grid_url):
        client.planner(value)
    elif refused:
        raise DataError(refused)
    elif name == "fault" and isinstance(agent, str) and value in FAULTS:
        client.fault(agent, value)
    elif name == "heal-all":
        heal_all(client)
    elif name == "drive" and value in DRIVES:
        client.drive(value)
    else:
        raise DataError(f"{name[:40]}: {str(value)[:40]!r} is nothing the page can do; use its buttons")


def heal_all(client: FleetClient) -> None:
    """Heal whatever is broken, the grid agent first.

    Raises:
        DataError: one of them cannot be healed.
    """
    broken = [name for name, state in client.view(0)["processes"].items() if state != "running"]
    for name in sorted(broken, key=lambda name: name != "grid"):
        client.fault(name, "heal")
