"""The brain of one agent: what it was told, what it answers, and what it may do now.

    brain = Brain(since_s=clock())
    brain.hear(answer, clock(), time_s, resources, rules)    # heartbeat, standing limit, standing orders
    brain.orders_now(time_s)                                 # {"home_1/ev": 3.0}
    brain.allowed_now(clock(), rules)                        # kW for the whole agent, None: as much as it wants

Two clocks: leases, heartbeats and failsafe run by the wall, orders start and end in simulated time. A lower priority
number goes first, as in OpenADR 3.1; of equal ones the later order. A brain belongs to one event loop.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from energy_sim.agents import failsafe
from energy_sim.agents.failsafe import Heartbeat, Limit, Mode, Rules, State
from energy_sim.agents.messages import MOST_TOLD, Ack, AckState, Anomaly, Answer, Event, RefusedError

logger = logging.getLogger(__name__)

OnSilence = Literal["failsafe", "schedule_then_failsafe"]

SCHEDULE_TIMES = 3  # heartbeat timeouts that standing orders are kept through silence
MOST_ACKS = 100  # kept for the next report; older ones are let go
MOST_ORDERS = 64
SLACK_KW = 1e-6


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a resource in kW: what it can ever be ordered, and what is possible now."""

    never_below_kw: float
    never_above_kw: float
    min_kw: float
    max_kw: float
    holds: bool  # a set-point to hold, not a bound


@dataclass(frozen=True, slots=True)
class Standing:
    """An order that stands, with its begin and end in simulated time, and whether its begin was reported."""

    event: Event
    heard: int
    start_s: float
    end_s: float
    begun: bool = False


@dataclass(slots=True)
class Brain:
    """State of one agent that must stay consistent from message to message."""

    since_s: float
    state: State = field(init=False)
    orders: dict[str, Standing] = field(default_factory=dict)
    settled: dict[str, Event] = field(default_factory=dict)  # refused or run out, and told on and on
    acks: list[Ack] = field(default_factory=list)
    anomalies: tuple[Anomaly, ...] = ()
    sequence: int = 0
    cycle: int = 0
    asked_cycle: int = -1  # the last one of /simulate
    supply_pu: float = 1.0
    heard: int = 0

    def __post_init__(self) -> None:
        self.state = State(since_s=self.since_s)

    def begin_cycle(self, cycle: int | None) -> None:
        """Take up the cycle of a request, or without one the next: that takes no number from those who count.

        Raises:
            RefusedError: 409, the cycle was asked before.
        """
        if cycle is None:
            self.cycle = max(self.asked_cycle, self.cycle) + 1
            return
        if cycle <= self.asked_cycle:
            raise RefusedError(
                f"cycle: {cycle} is not above {self.asked_cycle}, the last one simulated; go on above it", 409
            )
        self.asked_cycle = self.cycle = cycle

    def registered(self, cycle: int, sequence: int) -> None:
        """The grid agent knows this agent: go on above its sequence, and from its cycle when that began anew.

        A count that somebody drove beyond what is ever told would not be taken any more: it begins anew.
        """
        self.sequence = sequence if self.sequence >= MOST_TOLD else max(self.sequence, sequence)
        self.asked_cycle = min(self.asked_cycle, cycle)

    def hear(
        self,
        answer: Answer,
        now_s: float,
        time_s: float,
        resources: Mapping[str, Bounds],
        rules: Rules,
        on_silence: OnSilence = "failsafe",
    ) -> None:
        """Take an answer: the heartbeat, a standing limit, and all orders that stand.

        The first answer after a silence is a heartbeat alone, whatever limit it brings: it may have waited as long as
        this process did, and leaving failsafe takes a limit that follows a heartbeat.

        Raises:
            DataError: the limit lasts 0 s; nothing of the answer is taken then.
        """
        rules = self._patient(rules, on_silence)
        silent = failsafe.step(self.state, now_s, None, rules)
        is_first = silent.mode is Mode.FAILSAFE and silent.resumed_s is None
        state = failsafe.step(silent, now_s, Heartbeat(), rules)
        if answer.limit is not None and not is_first:
            state = failsafe.step(state, now_s, Limit(answer.limit.kw, answer.limit.duration_s), rules)
        self.state = state
        self.sequence, self.cycle = max(self.sequence, answer.sequence), max(self.cycle, answer.cycle)
        self.supply_pu = answer.supply_pu
        named = {_name(event, n) for n, event in enumerate(answer.events)}
        for name in [name for name in self.orders if name not in named]:
            self._end(name, "cancelled")
        self.settled = {name: event for name, event in self.settled.items() if name in named}
        for n, event in enumerate(answer.events):
            name = _name(event, n)
            if name in self.settled and _told(self.settled[name]) == _told(event):
                continue
            if self.take(event, name, time_s, resources).state == "rejected" and len(self.orders) < MOST_ORDERS:
                self._settle(name, event)

    def take(self, event: Event, name: str, time_s: float, resources: Mapping[str, Bounds]) -> Ack:
        """Judge an order, let it stand where possible, and keep what is acknowledged for the next report.

        An order that stands already and is told again, as with every answer, is neither begun nor acknowledged anew.
        """
        ack = self.judge(event, name, resources)
        known = self.orders.get(name)
        if known is not None and _told(known.event) == _told(event):
            return ack
        if ack.state != "rejected":
            for gone in [key for key, order in self.orders.items() if key == event.supersedes or _same(event, order)]:
                self._end(gone, f"superseded by {name}" if event.power_kw is not None else "cancelled")
            if event.power_kw is not None:
                self.heard += 1
                start_s = time_s if event.start_s is None else event.start_s
                end_s = float("inf") if event.duration_s is None else start_s + event.duration_s
                self.orders[name] = Standing(event, self.heard, start_s, end_s)
        self._say(ack)
        return ack

    def orders_now(self, time_s: float) -> dict[str, float]:
        """What is ordered of each resource at a moment, kW; ends what has lasted, reports what begins."""
        chosen: dict[str, Standing] = {}
        for name, order in list(self.orders.items()):
            if time_s >= order.end_s:
                self._settle(name, order.event)
                self._end(name, "")
                continue
            if time_s < order.start_s:
                continue
            if not order.begun:
                self.orders[name] = order = replace(order, begun=True)  # noqa: PLW2901
                self._say(_ack(name, order.event, "started"))
            first = chosen.get(order.event.resource_id)
            if first is None or _rank(order) < _rank(first):
                chosen[order.event.resource_id] = order
        return {resource: order.event.power_kw or 0.0 for resource, order in chosen.items()}

    def allowed_now(self, now_s: float, rules: Rules, on_silence: OnSilence) -> float | None:
        """What the agent may draw at a moment of the wall clock, kW; falling silent ends the orders that stood."""
        rules = self._patient(rules, on_silence)
        before = self.state.mode
        self.state = failsafe.step(self.state, now_s, None, rules)
        if self.state.mode is Mode.FAILSAFE and before is not Mode.FAILSAFE:
            for name in list(self.orders):
                self._end(name, "no heartbeat")
        return failsafe.allowed_kw(self.state, rules)

    def take_acks(self) -> tuple[Ack, ...]:
        """What to acknowledge with a report; they are the caller's now."""
        acks, self.acks = tuple(self.acks), []
        return acks

    def put_back(self, acks: tuple[Ack, ...]) -> None:
        """Acknowledgements of a report that did not arrive."""
        self.acks = [*acks, *self.acks][-MOST_ACKS:]

    def judge(self, event: Event, name: str, resources: Mapping[str, Bounds]) -> Ack:
        """What becomes of an order: rejected where it can never be, partial where not all of it is possible now."""
        bounds, kw = resources.get(event.resource_id), event.power_kw
        if bounds is None:
            return _ack(name, event, "rejected", f"{event.resource_id} is unknown; there are {', '.join(resources)}")
        if kw is None:
            return _ack(name, event, "accepted")
        if not bounds.never_below_kw - SLACK_KW <= kw <= bounds.never_above_kw + SLACK_KW:
            return _ack(
                name,
                event,
                "rejected",
                f"{event.resource_id}: {kw:g} kW is outside {bounds.never_below_kw:g} .. {bounds.never_above_kw:g} kW; "
                "give a power between them",
            )
        if len(self.orders) >= MOST_ORDERS and name not in self.orders:
            return _ack(name, event, "rejected", f"{MOST_ORDERS} orders stand already; cancel one first")
        possible = max(kw, bounds.min_kw)
        if bounds.holds:
            possible = min(possible, bounds.max_kw)
        elif bounds.never_above_kw <= 0:
            possible = kw  # solar: any bound can be kept
        if abs(possible - kw) <= SLACK_KW:
            return _ack(name, event, "accepted")
        return Ack(
            event_id=name,
            resource_id=event.resource_id,
            state="partial",
            power_kw=possible,
            reason=f"{kw:g} kW is not possible now, {possible:g} kW is",
        )

    def _patient(self, rules: Rules, on_silence: OnSilence) -> Rules:
        """The rules with the longer silence through which orders that stand are kept, where that is wished."""
        if self.orders and on_silence == "schedule_then_failsafe" and self.state.mode is not Mode.FAILSAFE:
            return replace(rules, heartbeat_timeout_s=SCHEDULE_TIMES * rules.heartbeat_timeout_s)
        return rules

    def _settle(self, name: str, event: Event) -> None:
        """Remember what is over, for as long as the grid agent goes on telling it."""
        self.settled = dict([*self.settled.items(), (name, event)][-MOST_ORDERS:])

    def _end(self, name: str, reason: str) -> None:
        self._say(_ack(name, self.orders.pop(name).event, "completed", reason))

    def _say(self, ack: Ack) -> None:
        self.acks = [*self.acks, ack][-MOST_ACKS:]


def _name(event: Event, n: int) -> str:
    return event.id or f"{event.resource_id.rpartition('/')[2]}-{n}"[:64]


def _told(event: Event) -> tuple[object, ...]:
    """What makes an order another one; what it took the place of is said but once, by who sends it."""
    return event.resource_id, event.power_kw, event.start_s, event.duration_s, event.priority


def _same(event: Event, order: Standing) -> bool:
    """Whether an order without a number of its own replaces one: a cancellation, or the same priority."""
    if event.resource_id != order.event.resource_id:
        return False
    return event.power_kw is None or (event.id == order.event.id)


def _rank(order: Standing) -> tuple[int, int]:
    return order.event.priority, -order.heard


def _ack(name: str, event: Event, state: AckState, reason: str = "") -> Ack:
    return Ack(
        event_id=name[:64],
        resource_id=event.resource_id,
        state=state,
        power_kw=None if state == "rejected" else event.power_kw,
        reason=reason[:300],
    )
