"""When the grid agent coordinates: by the clock, or when it is asked; always one cycle after the other.

A cycle that somebody asks for asks every agent with a URL (/simulate), plans, and sends what is new (/curtail); in
lock-step there are no others. With a real clock agents also report by themselves, and a cycle runs every ``cycle_s``
on what is there.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from energy_sim.agents.audit.csv_log import CsvLog
from energy_sim.agents.grid.agent import NAME, GridAgent
from energy_sim.agents.grid.cycle_result import CycleResult
from energy_sim.agents.grid.polling import Call, Poller
from energy_sim.agents.grid.situation import Situation
from energy_sim.agents.language_model import LanguageModel, Problem
from energy_sim.agents.messages import Ack, Event
from energy_sim.agents.model import Plan
from energy_sim.agents.plan_checks import check_plan
from energy_sim.errors import DataError, EnergySimError

logger = logging.getLogger(__name__)

_ACKS = TypeAdapter(tuple[Ack, ...])
_EVENTS = TypeAdapter(list[Event])


class Cycles:
    """Runs cycles and writes what they leave, so that the event loop never waits for a disk or a solver."""

    def __init__(
        self, grid: GridAgent, poller: Poller, model: LanguageModel | None = None, log: CsvLog | None = None
    ) -> None:
        """Bind a grid agent to the agents it asks, to a language model and to its CSV log."""
        self.grid, self.poller = grid, poller
        self._model, self._log = model, log
        self._one = asyncio.Lock()
        self._storing: asyncio.Task[None] | None = None
        self._unstored: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._writing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write what changes and, with a real clock, to coordinate."""
        config = self.grid.config
        self._tasks.append(asyncio.create_task(self._every(config.lease_s / 3, self._save, "saving")))
        if self.grid.clock_kind == "real":
            wait_s = 1.5 * config.report_interval_s if len(self.grid.seats) else 0.0
            self._tasks.append(asyncio.create_task(self._every(config.cycle_s, self._run, "cycle", wait_s)))
        if self._model is not None:
            self._tasks.append(asyncio.create_task(self._open(self._model)))

    async def stop(self) -> None:
        """End all tasks, write what is left, close connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(task for task in (self._writing, self._storing) if task), return_exceptions=True)
        await self._write()
        await self.poller.close()
        if self._model is not None:
            await self._model.close()

    async def store_lease(self, agent_id: str) -> None:
        """Return when the lease is in the database; registrations that wait together share a transaction.

        A database that is held by somebody keeps nobody from being known: after half a deadline the agent is answered,
        and the lease is stored as soon as that can be done.
        """
        self._unstored.add(agent_id)
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store())
        await asyncio.wait({self._storing}, timeout=self.grid.config.deadline_s / 2)

    async def _store(self) -> None:
        while self._unstored:
            names, self._unstored = sorted(self._unstored), set()
            try:
                await asyncio.to_thread(self.grid.store, names)
            except DataError:
                self._unstored.update(names)
                logger.exception("leases not stored, tried again later agents=%d", len(names))
                return

    async def run(self, scenario: int | None = None, *, asks: bool = True) -> CycleResult:
        """One cycle; a second one waits for it.

        Args:
            scenario: 1 to 4, one of the test scenarios at every home that is asked.
            asks: whether agents with a URL are asked and told, as always in lock-step; without, what they reported is
                taken.
        """
        async with self._one:
            grid = self.grid
            began_s = asyncio.get_running_loop().time()
            asks = asks or grid.clock_kind == "lock-step"
            grid.begin_cycle()
            failed = await self._ask(scenario) if asks else {}
            situation = grid.gather(failed)
            plan = await asyncio.to_thread(grid.decide, situation)
            plan = await self._improved(situation, plan)
            followed = await asyncio.to_thread(grid.follow, situation, plan)
            result = grid.settle(situation, plan, failed, began_s, followed)
            if asks:
                failed |= await self._send(result)
            await self._save()
            if self._log is not None:
                await asyncio.to_thread(_write_csv, self._log, result)
            took_s = asyncio.get_running_loop().time() - began_s
            logger.debug(
                "cycle=%d heard=%d failed=%d took_s=%.3f", grid.cycle, len(situation.heard), len(failed), took_s
            )
            return replace(result, took_s=took_s)

    async def _ask(self, scenario: int | None) -> dict[str, str]:
        """Let every agent with a URL go through one cycle; who did not, and why."""
        grid, calls = self.grid, []
        common = f'"cycle":{grid.cycle},"time_s":{grid.time_s()!r},"step_s":{grid.config.step_s!r}'
        for seat in grid.seats:
            if seat.lease.url:
                chosen = f'"scenario":{scenario},' if scenario is not None and seat.lease.role == "home" else ""
                answer = grid.seats.answer(seat, grid.cycle)
                body = f'{{{chosen}{common},"answer":'.encode() + answer + b"}"
                calls.append(Call(seat.lease.id, f"{seat.lease.url.rstrip('/')}/simulate", body, seat.bearer))
        outcomes = await self.poller.ask(calls, grid.take)
        return {name: outcome.why for name, outcome in outcomes.items() if outcome.why}

    async def _send(self, result: CycleResult) -> dict[str, str]:
        """Send what is new to those it concerns; who did not take it, and why."""
        grid, calls = self.grid, []
        for name, events in grid.orders_for(result).items():
            seat = grid.seats.seat(name)
            if seat.lease.url and name not in result.failed:
                body = _EVENTS.dump_json(events)
                calls.append(Call(name, f"{seat.lease.url.rstrip('/')}/curtail", body, seat.bearer))
        outcomes = await self.poller.ask(calls, self._take_acks)
        return {name: f"curtail: {outcome.why}" for name, outcome in outcomes.items() if outcome.why}

    def _take_acks(self, agent_id: str, raw: bytes) -> None:
        try:
            self.grid.acknowledge(agent_id, _ACKS.validate_json(raw))
        except ValidationError as error:
            raise DataError(f"{error.error_count()} faults in its acknowledgements") from error

    async def _improved(self, situation: Situation, plan: Plan) -> Plan:
        """The plan of the language model where it is on and its plan stands every check, else the given one."""
        if self._model is None or not self.grid.llm_on:
            return plan
        grid = self.grid
        problem = Problem(situation.grid, situation.resources, plan, grid.rules)
        proposal, reason = await self._model.propose(problem)
        if proposal is None:
            return replace(plan, validation=f"language model not used: {reason}")
        better, reason = await asyncio.to_thread(
            check_plan,
            proposal,
            situation.resources,
            situation.grid,
            plan.transfers,
            plan,
            grid.config.llm.max_cost_ratio,
            grid.rules,
        )
        if better is None:
            return replace(plan, validation=f"language model refused: {reason}")
        return replace(better, planner="language model", validation=reason)

    async def _run(self) -> None:
        await self.run(asks=False)

    async def _save(self) -> None:
        """Write what is there to be written; nobody waits longer than a deadline for a disk that takes its time."""
        ends = asyncio.get_running_loop().time() + self.grid.config.deadline_s
        if self._writing is not None and not self._writing.done():
            await asyncio.wait({self._writing}, timeout=self.grid.config.deadline_s)
            if not self._writing.done():
                return
        self._writing = asyncio.create_task(self._write())
        await asyncio.wait({self._writing}, timeout=max(ends - asyncio.get_running_loop().time(), 0.0))

    async def _write(self) -> None:
        if self._unstored and (self._storing is None or self._storing.done()):
            await self._store()
        try:
            await asyncio.to_thread(self.grid.save)
        except (EnergySimError, OSError):
            logger.exception("not saved, tried again later")

    async def _open(self, model: LanguageModel) -> None:
        why = await model.open()
        if why:
            logger.warning("language model cannot be used why=%s", why)

    async def _every(self, period_s: float, what: Any, name: str, first_s: float = 0.0) -> None:
        """Do something again and again; an edge, one failure does not end it."""
        loop = asyncio.get_running_loop()
        due = loop.time() + (first_s or period_s)
        while True:
            await asyncio.sleep(max(due - loop.time(), 0.0))
            due = max(due + period_s, loop.time())
            try:
                done: Coroutine[Any, Any, None] = what()
                await done
            except Exception:
                logger.exception("%s failed", name)


def _write_csv(log: CsvLog, result: CycleResult) -> None:
    plan, names = result.plan, [t.id for t in result.situation.grid.transformers]
    for n, name in enumerate(names):
        text = f"before {plan.before_kw[n]:.3f}, limit {result.situation.grid.transformers[n].limit_kw:.3f}"
        log(NAME, "status", name, float(plan.after_kw[n]), text)
    for event in result.events:
        log(NAME, "curtail", event.resource_id, event.power_kw, event.reason)
    for order in result.cancelled:
        log(NAME, "release", order.resource_id, order.power_kw, order.reason)
