"""One cycle of the demo in numbers and words, read from what the grid agent shows and the agents report.

Power in kW, consumption positive; energy in kWh. All functions are pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from energy_sim.agents.messages import Report, ResourceState

SLACK_KW = 0.05  # between an order and what the next report shows

Orders = Mapping[str, float]  # resource id to kW


@dataclass(frozen=True, slots=True)
class CycleRow:
    """A transformer in a cycle.

    ``wanted_kw`` and ``drawn_kw`` are sums of the reports; ``before_kw`` and ``after_kw`` what the plan starts from and
    comes to; ``help_kw`` is what a neighbour takes over (negative: what it takes over for one), ``curtailed_kw`` what
    orders take from consumption.
    """

    cycle: int
    time_s: float
    transformer: str
    wanted_kw: float
    drawn_kw: float
    before_kw: float
    help_kw: float
    curtailed_kw: float
    after_kw: float
    limit_kw: float
    planner: str
    helper: str
    what: str


@dataclass(frozen=True, slots=True)
class Checked:
    """How many orders were looked for in reports, and those that the reports do not show."""

    count: int
    broken: tuple[str, ...]


def check_orders(orders: Orders, reports: Sequence[Report]) -> Checked:
    """Whether the reports after a cycle show what it ordered.

    A load or car must draw no more than ordered (or than it cannot go below), and solar feed in no more; a battery must
    hold its set-point as far as it can.

    >>> check_orders({}, ())
    Checked(count=0, broken=())
    """
    states = {r.id: r for report in reports for r in report.resources}
    found = [(states[name], kw) for name, kw in orders.items() if name in states]
    wrong = [
        f"{state.id} was ordered {kw:.2f} kW and is at {state.power_kw:.2f} kW"
        for state, kw in found
        if not _follows(state, kw)
    ]
    return Checked(len(found), tuple(wrong))


def curtailed_kwh(reports: Sequence[Report], step_s: float) -> float:
    """What loads and cars were denied in a step: wanted less drawn."""
    states = [r for report in reports for r in report.resources if r.kind in {"load", "ev"}]
    return sum(max(r.wanted_kw - r.power_kw, 0.0) for r in states) * step_s / 3600


def read_cycle(
    cycle: int, view: Mapping[str, Any], result: Mapping[str, Any], reports: Sequence[Report], *, cars: bool
) -> tuple[tuple[CycleRow, ...], dict[str, float]]:
    """Rows of a cycle, one per transformer, and all orders that stand after it.

    Args:
        cycle: its number.
        view: the grid agent's view after it.
        result: its answer to the request that ran it.
        reports: of the agents, from the same cycle.
        cars: whether cars have arrived in it.
    """
    where = {agent["id"]: agent["transformer"] for agent in view["agents"]}
    orders = {name: kw for agent in view["agents"] for name, kw in agent["orders"] if kw is not None}
    failed = [name for name, why in _failures(result).items() if why]
    rows = []
    for place, station in enumerate(view["transformers"]):
        mine = [r for r in reports if where.get(r.agent_id, r.transformer_id) == station["id"]]
        states = [state for report in mine for state in report.resources]
        cut = {s.id: s.wanted_kw - orders[s.id] for s in states if s.id in orders and s.wanted_kw > orders[s.id]}
        helper = _helper(station, view["ties"])
        words = _words(station, cut, helper, cars=cars and place == 0)
        names = {s.id for s in states}
        freed = sorted({order["resource_id"] for order in result.get("cancelled", ())} & names)
        if freed:
            words.append(f"lets go of {', '.join(freed)}")
        if failed and place == 0:
            words.append(f"{', '.join(failed)} did not answer")
        rows.append(
            CycleRow(
                cycle=cycle,
                time_s=float(view["time_s"]),
                transformer=station["id"],
                wanted_kw=sum(s.wanted_kw for s in states),
                drawn_kw=sum(s.power_kw for s in states),
                before_kw=station["before_kw"],
                help_kw=station["help_kw"],
                curtailed_kw=sum(cut.values()),
                after_kw=station["after_kw"],
                limit_kw=station["limit_kw"],
                planner=view["planner"]["used"],
                helper=helper,
                what="; ".join(words) or "calm",
            )
        )
    return tuple(rows), orders


def _follows(state: ResourceState, ordered_kw: float) -> bool:
    if state.kind in {"load", "ev"}:
        return state.power_kw <= max(ordered_kw, state.min_kw) + SLACK_KW
    if state.kind == "solar":
        return state.power_kw >= min(ordered_kw, state.max_kw) - SLACK_KW
    possible = min(max(ordered_kw, state.min_kw), state.max_kw)
    return abs(state.power_kw - possible) <= SLACK_KW


def _failures(result: Mapping[str, Any]) -> dict[str, str]:
    failed = result.get("failed", {})
    return dict(failed) if isinstance(failed, Mapping) else {str(name): "failed" for name in failed}


def _helper(station: Mapping[str, Any], ties: Sequence[Mapping[str, Any]]) -> str:
    """Who takes over load of a transformer, by the flow of its ties; empty for nobody."""
    if station["help_kw"] <= SLACK_KW:
        return ""
    ends = {t["a"]: t["b"] for t in ties if t["b"] == station["id"] and t["flow_kw"] > 0}
    ends |= {t["b"]: t["a"] for t in ties if t["a"] == station["id"] and t["flow_kw"] < 0}
    return ", ".join(sorted(ends))


def _words(station: Mapping[str, Any], cut: Mapping[str, float], helper: str, *, cars: bool) -> list[str]:
    words = ["cars arrive"] if cars else []
    over_kw = station["before_kw"] - station["limit_kw"]
    if over_kw > 0:
        words.append(f"overload by {over_kw:.1f} kW")
    if helper:
        words.append(f"{helper} helps with {station['help_kw']:.1f} kW")
    elif station["help_kw"] < -SLACK_KW:
        words.append(f"helps with {-station['help_kw']:.1f} kW")
    elif over_kw > 0:
        words.append("no neighbour has any to spare")
    if cut:
        words.append(f"curtails {', '.join(sorted(cut))}")
    if station["shortfall_kw"] > SLACK_KW:
        words.append(f"{station['shortfall_kw']:.1f} kW too much remain")
    return words
