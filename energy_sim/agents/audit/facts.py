"""What a cycle changed among the agents, for the audit log: who was lost or came back, which faults began or ended.

Online and late are one here, heard: a report that is a second late is no event.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from energy_sim.agents.estimates import AgentState
from energy_sim.agents.grid.cycle_result import CycleResult

Fact = tuple[str, str, dict[str, Any]]  # action, subject, facts

FAULTS = frozenset({"device_fault", "stale_data"})  # anomalies that take a resource out of the plan
MOST_WHY = 120  # characters of what an agent that failed is said to have done


def changes(
    before: CycleResult | None,
    now: CycleResult,
    states_before: Mapping[str, AgentState],
    states: Mapping[str, AgentState],
) -> Iterator[Fact]:
    """Every change of state and of faults since the cycle before; an agent not known then has changed nothing.

    Args:
        before: the cycle before, None for the first.
        now: this cycle.
        states_before: agent -> state then.
        states: agent -> state now.
    """
    for name, state in states.items():
        was, is_now = _heard(states_before.get(name, state)), _heard(state)
        if was != is_now:
            yield "state", name, {"before": was, "now": is_now, "why": now.failed.get(name, "")[:MOST_WHY]}
    failed_before = before.failed if before else {}
    for name, why in now.failed.items():
        if name not in failed_before:
            yield "no answer", name, {"why": why[:MOST_WHY]}
    known, found = _faults(before), _faults(now)
    for kind, where in sorted(found.keys() - known.keys()):
        yield "fault", where, {"kind": kind, "value": found[kind, where]}
    for kind, where in sorted(known.keys() - found.keys()):
        yield "fault over", where, {"kind": kind}


def _heard(state: AgentState) -> str:
    return "heard" if state in {"online", "late"} else state


def _faults(result: CycleResult | None) -> dict[tuple[str, str], float]:
    """(kind, where) -> value of every fault that stands."""
    reported = result.situation.reported.values() if result else ()
    return {(a.kind, a.where): round(a.value, 3) for found in reported for a in found if a.kind in FAULTS}
