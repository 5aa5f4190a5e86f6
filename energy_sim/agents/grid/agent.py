"""The grid agent: takes reports, plans a cycle, lets orders stand, and says what it did and why. No HTTP in here.

    grid = GridAgent(config.agents, engine, AuditLog(path), secret, clock_kind="lock-step")
    registered = grid.register(registration)
    grid.take("home_1", report_json)
    result = grid.coordinate()             # gather, plan, settle
    grid.save()                            # leases, orders and the audit log; may block, so in a thread

``coordinate`` is ``gather`` (short), ``decide`` (pure: may run in a thread) and ``settle`` (short), so that a server
can put a language model between the last two and stay awake meanwhile.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from sqlalchemy import Engine

from energy_sim.agents import coordination
from energy_sim.agents.anomalies import standing
from energy_sim.agents.audit.facts import changes
from energy_sim.agents.audit.log import AuditLog, Record
from energy_sim.agents.estimates import AgentState
from energy_sim.agents.grid import registry
from energy_sim.agents.grid.cycle_result import CycleResult
from energy_sim.agents.grid.journal import Journal
from energy_sim.agents.grid.known_agents import Seat, Seats
from energy_sim.agents.grid.registry import Lease
from energy_sim.agents.grid.situation import Layout, Situation, gather
from energy_sim.agents.home.simulated_time import World, start_moment
from energy_sim.agents.messages import Ack, Anomaly, Event, Registered, Registration
from energy_sim.agents.model import SMALL_KW, Grid, Plan, Rules, Tie, Transformer
from energy_sim.agents.orders import Order, cancelling, follow
from energy_sim.config import AgentsConfig

logger = logging.getLogger(__name__)

NAME = "grid_agent"
ClockKind = Literal["real", "lock-step"]
CALM = "deterministic plan"
MOST_WAITING = 10_000  # audit records, while the log cannot be written


class Followed(NamedTuple):
    """What stands, what is new and what is released after a plan, and the hash of what it was made from."""

    orders: tuple[Order, ...]
    events: tuple[Event, ...]
    cancelled: tuple[Order, ...]
    input_hash: str


def grid_of(config: AgentsConfig) -> Grid:
    """Transformers and ties of the configuration."""
    transformers = tuple(Transformer(n, t.limit_kw, t.export_limit_kw) for n, t in config.transformers.items())
    return Grid(transformers, tuple(Tie(t.a, t.b, t.limit_kw) for t in config.ties))


def rules_of(config: AgentsConfig) -> Rules:
    """How it plans, of the configuration."""
    return Rules(
        merit_order=config.merit_order,
        min_hold_s=config.min_hold_s,
        restore_deadband_kw=config.restore_deadband_kw,
    )


class GridAgent:
    """State that must stay consistent: seats, orders, cycle, what was reported. Belongs to one event loop."""

    def __init__(
        self,
        config: AgentsConfig,
        engine: Engine,
        audit: AuditLog,
        secret: bytes,
        *,
        clock_kind: ClockKind = "real",
        llm_ready: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take up what the database knows: agents, their sequences, the orders that stand, the cycle.

        Raises:
            ConfigError: the configuration cannot be planned on.
            DataError: the database cannot be read.
        """
        self.config, self.audit, self.clock_kind = config, audit, clock_kind
        self._engine, self._clock, self._wall = engine, clock, wall
        self.grid, self.rules = grid_of(config), rules_of(config)
        leases = registry.read_leases(engine)
        self.seats = Seats(
            leases.values(),
            secret,
            transformers=config.transformers,
            report_interval_s=config.report_interval_s,
            lease_s=config.lease_s,
            max_skew_s=config.max_skew_s,
            clock=clock,
            wall=wall,
        )
        self._began_s = clock()
        self.cycle, first_s = self._where_it_was(leases)
        self._world = World(clock_kind, first_s, config.speed, config.step_s, self._began_s)
        self._time_s = first_s
        self._layout = Layout()
        self._shares = np.ones((2, len(self.grid.transformers)))
        self._past_kwh: dict[str, float] = {}
        self._last_states: dict[str, AgentState] = {}
        self._planned_s = self._time_s
        self._records: list[Record] = []
        self._unsaved_orders: dict[str, str] = {}
        self._saving = threading.Lock()
        self._lost, self._is_unwritten = 0, False  # of the audit log
        self.journal = Journal(wall)
        self.result: CycleResult | None = None
        self.llm_ready, self.llm_on = llm_ready, llm_ready
        self._note("start", NAME, clock=clock_kind, agents=len(self.seats))

    def _where_it_was(self, leases: dict[str, Lease]) -> tuple[int, float]:
        """Cycle and simulated time to go on from; anew in time when everybody who was known is gone."""
        start = self.config.start
        first_s = self._wall() if start == "now" else start_moment(start, self.config.timezone)
        cycle, time_s = registry.read_clock(self._engine, NAME) or (0, first_s)
        last_seen = max((lease.seen for lease in leases.values()), default=0.0)
        is_resumed = self._wall() - last_seen < 10 * self.config.lease_s
        return cycle, max(time_s, first_s) if is_resumed else first_s

    def uptime_s(self) -> float:
        """Seconds since it started."""
        return self._clock() - self._began_s

    def time_s(self) -> float:
        """Simulated time, seconds since the epoch."""
        return self._world.target_s(self._clock(), self._time_s)

    def register(self, asked: Registration) -> Registered:
        """Make an agent known; `lease` of it has to be stored before it is told.

        Raises:
            RefusedError: 422.
        """
        was_known = asked.id in self.seats
        before = self.seats.seat(asked.id).lease if was_known else None
        lease = self.seats.register(asked, is_asked=self.clock_kind == "lock-step")
        if not was_known:
            self.journal.add(self.time_s(), "join", asked.id, f"{asked.role} joins {asked.transformer_id}")
        if self.clock_kind == "real" or before is None or not registry.is_same(before, lease):
            self._note("register", asked.id, role=asked.role, transformer=asked.transformer_id, url=asked.url)
        return Registered(
            agent_id=asked.id,
            token=self.seats.token(asked.id),
            report_interval_s=self.config.report_interval_s,
            lease_s=self.config.lease_s,
            cycle=self.cycle,
            sequence=max(lease.sequence, 0),
            clock=self.clock_kind,
        )

    def store(self, agent_ids: Sequence[str]) -> None:
        """Write leases of agents that have registered; blocks for the database."""
        registry.write_leases(self._engine, [self.seats.seat(name).lease for name in agent_ids])

    def take(self, agent_id: str, raw: bytes) -> None:
        """Keep a report.

        Raises:
            RefusedError: 404, 409 or 422.
        """
        report = self.seats.take(agent_id, raw)
        if report.acks:
            self._note_refusals(agent_id, report.acks)

    def acknowledge(self, agent_id: str, acks: Sequence[Ack]) -> None:
        """Keep what an agent said to orders that were sent to it."""
        seat = self.seats.seat(agent_id)
        seat.told = seat.orders
        self._note_refusals(agent_id, acks)

    def begin_cycle(self) -> int:
        """Count a cycle; in lock-step time moves by a step."""
        self.cycle += 1
        self._time_s = self._time_s + self.config.step_s if self.clock_kind == "lock-step" else self.time_s()
        return self.cycle

    def coordinate(self) -> CycleResult:
        """One whole cycle on the reports that are there, without a language model."""
        self.begin_cycle()
        began = self._clock()
        situation = self.gather()
        return self.settle(situation, self.decide(situation), {}, began)

    def gather(self, silent: Collection[str] = ()) -> Situation:
        """What is known now; ``silent`` agents were asked and did not answer."""
        situation, self._layout = gather(
            self.seats,
            self._layout,
            self.grid,
            cycle=self.cycle,
            time_s=self._time_s,
            shares=self._shares,
            before=standing(self.result.situation.anomalies) if self.result else frozenset(),
            deadband_kw=self.config.restore_deadband_kw,
            past_kwh=self._past_kwh,
            silent=silent,
            failsafe_kw=self.config.failsafe_kw,
            simulated_s=self.config.speed if self.clock_kind == "real" else 0.0,
        )
        self._shares = situation.shares
        return situation

    def decide(self, situation: Situation) -> Plan:
        """The deterministic plan; pure."""
        s = situation
        return coordination.plan(
            s.grid, s.resources, s.base_high_kw, self.rules, s.standing, s.time_s, base_low_kw=s.base_low_kw
        )

    def follow(self, situation: Situation, plan: Plan) -> Followed:
        """What a plan makes of the orders that stand; changes nothing, so it may run in a thread."""
        current = tuple(o for o in situation.standing if o.resource_id.partition("/")[0] in self.seats)
        orders, events, ids = follow(current, plan, situation.resources, situation.time_s, self.rules)
        released = frozenset(ids)
        return Followed(orders, events, tuple(o for o in current if o.id in released), situation.input_hash())

    def settle(
        self,
        situation: Situation,
        plan: Plan,
        failed: dict[str, str],
        began_s: float,
        followed: Followed | None = None,
    ) -> CycleResult:
        """Let the orders of a plan stand, and note what was done and why.

        Args:
            situation: what was planned on.
            plan: what is to be done.
            failed: agents that did not answer, and why.
            began_s: start of the cycle, of the clock.
            followed: what `follow` made of it, where that was worked out elsewhere.
        """
        orders, events, cancelled, input_hash = followed or self.follow(situation, plan)
        if not plan.validation:
            plan = replace(plan, validation=CALM)
        at = {seat.lease.id: seat for seat in self.seats}
        self._let_stand(at, orders)
        self.seats.state_limits(situation.heard, failed)
        self._count_curtailed(situation)
        before, self.result = (
            self.result,
            CycleResult(
                situation,
                plan,
                orders,
                events,
                cancelled,
                failed,
                input_hash,
                self._clock() - began_s,
            ),
        )
        self._tell(before, self.result)
        return self.result

    def orders_for(self, result: CycleResult) -> dict[str, list[Event]]:
        """What has to be sent in this cycle, by agent."""
        found: dict[str, list[Event]] = {}
        for event in (*map(cancelling, result.cancelled), *result.events):
            found.setdefault(event.resource_id.partition("/")[0], []).append(event)
        return found

    def switch_language_model(self, *, on: bool) -> None:
        """Whether the language model may propose plans; without one it stays off."""
        self.llm_on = on and self.llm_ready
        self.journal.add(self.time_s(), "planner", NAME, f"language model {'on' if self.llm_on else 'off'}")
        self._note("planner", NAME, llm=self.llm_on, llm_ready=self.llm_ready)

    def _note_refusals(self, agent_id: str, acks: Sequence[Ack]) -> None:
        for order, ack in self.seats.acknowledge(self.seats.seat(agent_id), acks):
            why = " ".join(ack.reason.split())
            self.journal.add(self.time_s(), "ack", order.resource_id, f"{ack.state}: {why}")
            self._note("refusal", order.resource_id, id=order.id, state=ack.state, power_kw=ack.power_kw, why=why)

    def save(self) -> None:
        """Write what has changed: the audit log, then the database; blocks, safe to call in a thread.

        What cannot be written is tried again with the next call, and said in the log and in the journal; of either the
        other does not depend. Of audit records that wait for room the newest `MOST_WAITING` are kept, the others are
        counted in the log as soon as it can be written.

        Raises:
            DataError: the database cannot be written.
            OSError: the audit log cannot.
        """
        with self._saving:
            try:
                self._write_audit()
            finally:
                self._write_progress()

    def _write_audit(self) -> None:
        records, self._records = self._records, []
        gap = [Record(NAME, "records lost", "audit", self.cycle, {"count": self._lost})] if self._lost else []
        try:
            if records or gap:
                self.audit.append_all([*gap, *records])
        except OSError as error:
            waiting = records + self._records
            self._lost += max(len(waiting) - MOST_WAITING, 0)
            self._records = waiting[-MOST_WAITING:]
            if not self._is_unwritten:
                self.journal.add(
                    self.time_s(), "fault", NAME, f"the audit log cannot be written: {error.strerror or error}"
                )
            self._is_unwritten = True
            raise
        if self._is_unwritten:
            self.journal.add(
                self.time_s(), "fault", NAME, f"the audit log is written again, records lost: {self._lost}"
            )
        self._lost, self._is_unwritten = 0, False

    def _write_progress(self) -> None:
        seen = self.seats.unsaved()
        orders, self._unsaved_orders = self._unsaved_orders, {}
        written = False
        try:
            registry.write_progress(self._engine, seen, orders, (NAME, self.cycle, self._time_s))
            written = True
        finally:
            if not written:
                self.seats.put_back(seen)
                self._unsaved_orders = orders | self._unsaved_orders

    def _let_stand(self, at: dict[str, Seat], orders: tuple[Order, ...]) -> None:
        by_agent: dict[str, list[Order]] = {}
        for order in orders:
            by_agent.setdefault(order.resource_id.partition("/")[0], []).append(order)
        for name, seat in at.items():
            mine = tuple(by_agent.get(name, ()))
            if self.seats.order(seat, mine):
                self._unsaved_orders[name] = registry.orders_json(mine)

    def _count_curtailed(self, situation: Situation) -> None:
        dt_h = max(situation.time_s - self._planned_s, 0.0) / 3600.0
        self._planned_s = situation.time_s
        r = situation.resources
        if not situation.standing or dt_h == 0.0:
            return
        row = r.index
        for order in situation.standing:
            n = row.get(order.resource_id)
            if n is not None:
                kwh = abs(float(r.wanted_kw[n] - r.power_kw[n])) * dt_h
                self._past_kwh[order.resource_id] = self._past_kwh.get(order.resource_id, 0.0) + kwh

    def _tell(self, before: CycleResult | None, now: CycleResult) -> None:
        """Journal for the page, audit log for whoever asks later."""
        states = {seat.lease.id: self.seats.state(seat) for seat in self.seats}
        self.journal.tell_cycle(before, now, self._last_states, states)
        for action, subject, facts in changes(before, now, self._last_states, states):
            self._note(action, subject, **facts)
        self._last_states = states
        plan, situation = now.plan, now.situation
        kinds = _kinds(situation.anomalies)
        if before is not None and not (
            now.events
            or now.cancelled
            or plan.transfers
            or before.plan.transfers
            or kinds != _kinds(before.situation.anomalies)
            or plan.validation != before.plan.validation
        ):
            return
        names = [t.id for t in self.grid.transformers]
        self._note(
            "coordinate",
            NAME,
            input=now.input_hash,
            planner=plan.planner,
            validation=plan.validation,
            anomalies=sorted(kinds),
            before_kw=_rounded(names, plan.before_kw),
            after_kw=_rounded(names, plan.after_kw),
            shortfall_kw=_rounded(names, plan.shortfall_kw),
            transfers=[[t.source, t.target, round(t.kw, 3), t.cause] for t in plan.transfers],
            heard=len(situation.heard),
            lost=[seat.lease.id for seat, _ in situation.lost][:64],
        )
        for event in now.events:
            self._note(
                "order",
                event.resource_id,
                id=event.id,
                power_kw=round(event.power_kw or 0.0, 3),
                why=event.reason,
                supersedes=event.supersedes,
            )
        for order in now.cancelled:
            self._note("release", order.resource_id, id=order.id, power_kw=round(order.power_kw, 3))
        if plan.shortfall_kw.max(initial=0.0) > SMALL_KW:
            logger.warning("limit not met cycle=%d shortfall_kw=%.3f", now.cycle, plan.shortfall_kw.sum())

    def _note(self, action: str, subject: str, **facts: Any) -> None:
        self._records.append(Record(NAME, action, subject, self.cycle, facts))


def _kinds(anomalies: tuple[Anomaly, ...]) -> set[str]:
    return {f"{a.kind} {a.where}" for a in anomalies}


def _rounded(names: list[str], values: Any) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in zip(names, values, strict=True)}
