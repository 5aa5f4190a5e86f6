"""What happened, for people: a bounded list of numbered events (n, simulated time, kind, who, text)."""

from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from typing import Literal

from energy_sim.agents.estimates import AgentState
from energy_sim.agents.grid.cycle_result import CycleResult

Kind = Literal["join", "state", "anomaly", "help", "curtail", "restore", "ack", "planner", "limit", "fault"]
Entry = tuple[int, float, str, str, str]

KEPT = 500
SHOWN = 30
MOST_OF_A_KIND = 8  # a cycle
SMALL_CHANGE_KW = 0.2  # of help, that is no news


class Journal:
    """Numbers grow over restarts too: they begin at the wall time in milliseconds."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """Begin empty."""
        self._numbers = count(int(wall() * 1000))
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def add(self, time_s: float, kind: Kind, who: str, text: str) -> None:
        """Append an event."""
        self._entries.append((next(self._numbers), round(time_s, 3), kind, who, text))

    def since(self, number: int, limit: int = SHOWN) -> list[Entry]:
        """Those after ``number``, at most the ``limit`` newest, oldest first."""
        return [entry for entry in self._entries if entry[0] > number][-limit:]

    def tell_cycle(
        self,
        before: CycleResult | None,
        now: CycleResult,
        states_before: Mapping[str, AgentState],
        states: Mapping[str, AgentState],
    ) -> None:
        """Everything a cycle has to say; many of a kind are summed up."""
        time_s = now.situation.time_s
        changes = [(n, f"is {s}") for n, s in states.items() if n in states_before and states_before[n] != s]
        self._add_some(time_s, "state", changes)
        known = _standing(before)
        found = _standing(now)
        news = [(w, f"{k}: {found[k, w]}") for k, w in found if (k, w) not in known]
        self._add_some(time_s, "anomaly", [item for item in news if "device_fault" not in item[1]])
        self._add_some(time_s, "fault", [item for item in news if "device_fault" in item[1]])
        self._add_some(time_s, "anomaly", [(w, f"{k} is over") for k, w in known if (k, w) not in found])
        helped = {} if before is None else {(t.source, t.target): t.kw for t in before.plan.transfers}
        for t in now.plan.transfers:
            if abs(t.kw - helped.pop((t.source, t.target), 0.0)) > SMALL_CHANGE_KW:
                self.add(time_s, "help", t.target, f"{t.source} helps with {t.kw:.2f} kW ({t.cause})")
        for source, target in helped:
            if not any((t.source, t.target) == (source, target) for t in now.plan.transfers):
                self.add(time_s, "help", target, f"{source} helps no more")
        orders = [(e.resource_id, f"{e.power_kw or 0.0:.2f} kW, {e.reason}") for e in now.events]
        self._add_some(time_s, "curtail", orders)
        self._add_some(time_s, "restore", [(o.resource_id, f"{o.power_kw:.2f} kW lifted") for o in now.cancelled])
        if before is None or now.plan.planner != before.plan.planner or now.plan.validation != before.plan.validation:
            self.add(time_s, "planner", "grid_agent", f"{now.plan.planner}: {now.plan.validation}")
        short = _short(now) - (_short(before) if before else set())
        self._add_some(time_s, "limit", [(name, "the limit cannot be met by those who are heard") for name in short])

    def _add_some(self, time_s: float, kind: Kind, items: list[tuple[str, str]]) -> None:
        shown = items if len(items) <= MOST_OF_A_KIND else items[: MOST_OF_A_KIND - 1]
        for who, text in shown:
            self.add(time_s, kind, who, text)
        if len(shown) < len(items):
            self.add(time_s, kind, "grid_agent", f"and {len(items) - len(shown)} more")


def _standing(result: CycleResult | None) -> dict[tuple[str, str], str]:
    """(kind, where) of every anomaly that stands, with its value."""
    if result is None:
        return {}
    reported = [a for found in result.situation.reported.values() for a in found]
    return {(a.kind, a.where): f"{a.value:.2f} {a.unit}".strip() for a in (*result.situation.anomalies, *reported)}


def _short(result: CycleResult) -> set[str]:
    names = [t.id for t in result.situation.grid.transformers]
    return {name for name, kw in zip(names, result.plan.shortfall_kw, strict=True) if kw > 0.01}
