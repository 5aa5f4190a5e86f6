"""The agents of one process: their physics as arrays, a brain each, and the reports that come out of both.

    agents = LocalAgents(homes, village, world, Rules())
    agents.advance()                       # real clock: bring all of them up to now
    report = agents.simulate(0, request)   # lock-step: one agent, one cycle
    agents.hear(0, answer)

Nothing here waits or does input and output: it all runs in one event loop, the clocks are passed in.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from energy_sim.agents.anomalies import HomeLimits, HomeValues, check_home, standing
from energy_sim.agents.failsafe import Rules
from energy_sim.agents.home.brain import Bounds, Brain, OnSilence
from energy_sim.agents.home.homes import (
    Floats,
    Flows,
    Homes,
    HomesState,
    Nature,
    car_arrives,
    set_soc,
    start_state,
    step_homes,
    voltage_pu,
)
from energy_sim.agents.home.simulated_time import ClockKind, World, pieces
from energy_sim.agents.home.slices import Slices, StepAhead, in_watts, pick, put, put_one, resource_states
from energy_sim.agents.home.surroundings import FORECAST_STEP_S, Village, forecast_kw
from energy_sim.agents.messages import Ack, Answer, Event, RefusedError, Report, SimulateRequest
from energy_sim.agents.model import BATTERY, LOAD

logger = logging.getLogger(__name__)

Log = Callable[[str, str, str, float | None, str], None]  # agent, kind, resource, kW, text

SCENARIOS = {1: (3.0, 1.0, 0.8), 2: (0.1, 3.0, 0.2), 3: (4.0, 1.0, 0.5), 4: (0.2, 3.0, 0.7)}  # solar, load, soc
LIMITS = HomeLimits()
LEAST_STEP_S = 1.0  # of a scenario with the real clock
FRESH_S = 0.25  # by the wall clock: who is asked so soon after all went on is not moved again
SCENARIO_HOLDS_S = 15.0  # by the wall clock: some reports and cycles see it


@dataclass(frozen=True, slots=True)
class Extras:
    """What a request sets for one agent in one step."""

    scenario: int | None = None
    parked: bool = False


def no_log(_agent: str, _kind: str, _resource: str, _power_kw: float | None, _text: str) -> None:
    """Nothing is written."""


class LocalAgents:
    """H agents; see the module."""

    def __init__(
        self,
        homes: Homes,
        village: Village,
        world: World,
        rules: Rules,
        on_silence: OnSilence = "failsafe",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        log: Log = no_log,
    ) -> None:
        """Work out the first moment, so that nobody waits for it later.

        Args:
            homes: who lives here.
            village: what sun and people ask of them.
            world: simulated time.
            rules: of the failsafe.
            on_silence: whether standing orders are kept for a while without a heartbeat.
            clock: seconds that never go back, for leases and the failsafe.
            wall: seconds since the epoch, for `sent_at`.
            log: takes what happens, see csv_log.py.
        """
        self.homes, self.village, self.world, self.rules = homes, village, world, rules
        self.on_silence, self.clock, self.wall, self.log = on_silence, clock, wall, log
        self.index = {name: i for i, name in enumerate(homes.ids)}
        self.brains = [Brain(since_s=clock()) for _ in homes.ids]
        self.state = start_state(homes, world.start_s)
        self._orders_kw = np.full((len(homes), 4), np.nan)
        self._allowed_kw = np.full(len(homes), np.inf)
        self._logged_modes = [brain.state.mode for brain in self.brains]
        self._ordered: set[int] = set()
        self._one = [np.array([i]) for i in range(len(homes))]
        self._columns = [
            {homes.resource_id(i, k): k for k, there in enumerate(row) if there}
            for i, row in enumerate(homes.has.tolist())
        ]
        self._slices = Slices(homes)
        self._advanced_s = float("-inf")  # by the wall clock
        self._kept: dict[int, tuple[Extras, float]] = {}  # scenarios that hold, and until when
        self._ahead: StepAhead | None = None
        self._ahead_s = float("-inf")
        self._clear_of: tuple[float, Floats] | None = None
        everyone = np.arange(len(homes))
        self._obey(everyone, world.start_s)
        nature = village.at(world.start_s, world.step_s)
        _, flows = step_homes(homes, self.state, nature, world.step_s, self._orders_kw, self._allowed_kw)
        self.flows = in_watts(flows)
        self._forecast_kw = np.zeros((len(homes), 4))
        self._look_ahead(everyone)

    def __len__(self) -> int:
        """H."""
        return len(self.homes)

    def where(self, agent_id: str) -> int:
        """Place of an agent.

        Raises:
            RefusedError: 404, it does not live here.
        """
        if agent_id not in self.index:
            raise RefusedError(f"agent {agent_id[:64]!r} does not live here; GET / names who does", 404)
        return self.index[agent_id]

    def advance(self) -> None:
        """Bring all agents to the moment of the clock; in lock-step too they notice that nobody is heard any more."""
        everyone = np.arange(len(self))
        for brain in self.brains:
            brain.allowed_now(self.clock(), self.rules, self.on_silence)
        since_s = float(self.state.time_s[0])
        for begin_s, dt_s in pieces(since_s, self.world.target_s(self.clock(), since_s)):
            self._step(everyone, begin_s, dt_s)
        self._advanced_s = self.clock()
        if self.world.clock == "real":
            for i, (extras, until_s) in list(self._kept.items()):
                if self.clock() < until_s:
                    self._play(i, extras)
                else:
                    del self._kept[i]

    def follow_clock(self, kind: ClockKind) -> None:
        """Take over the grid agent's kind of clock; the real one goes on from the moment that it is now."""
        if kind != self.world.clock:
            start_s = float(self.state.time_s.max())
            self.world = replace(self.world, clock=kind, start_s=start_s, began_s=self.clock())
            self.state = replace(self.state, time_s=np.full(len(self), start_s))
            logger.info("clock=%s agents=%d time_s=%.0f", kind, len(self), start_s)

    def simulate(self, i: int, request: SimulateRequest) -> Report:
        """One cycle of one agent, by the request's time in lock-step and by its own with the real clock.

        A scenario holds through the next cycle that the grid agent asks for, and with the real clock for
        `SCENARIO_HOLDS_S`, so that who sets it at a home and lets the grid agent coordinate then finds it there.

        Raises:
            RefusedError: 409, the cycle was asked before.
            DataError: the answer in it cannot be taken.
        """
        brain = self.brains[i]
        brain.begin_cycle(request.cycle)
        if request.answer is not None:
            self.hear(i, request.answer)
        if request.ev_kwh is not None:
            self.state = car_arrives(self.homes, self.state, i, request.ev_kwh)
        extras = self._extras(i, request)
        if self.world.clock == "lock-step":
            self._set_soc(i, extras)
            dt_s = request.step_s or self.world.step_s
            begin_s = float(self.state.time_s[i]) if request.time_s is None else max(request.time_s - dt_s, 0.0)
            if request.cycle is not None and begin_s != self._ahead_s and len(self) > 1:
                self._step_ahead(begin_s, dt_s, extras)
            self._step(self._one[i], begin_s, dt_s, extras)
        else:
            if self.clock() - self._advanced_s > FRESH_S:
                self.advance()
            if i in self._kept or request.ev_kwh is not None:
                self._play(i, self._kept[i][0] if i in self._kept else extras)
        return self.report(i)

    def _extras(self, i: int, request: SimulateRequest) -> Extras:
        """What holds for this cycle of an agent: the request's scenario, or the one that still holds."""
        extras = Extras(request.scenario, parked=request.scenario is not None and not request.ev_kwh)
        by_hand = request.answer is None and request.cycle is None
        real = self.world.clock == "real"
        if request.scenario is not None and (real or by_hand):
            self._kept[i] = extras, self.clock() + SCENARIO_HOLDS_S
        elif request.scenario is not None or by_hand:
            self._kept.pop(i, None)
        elif not real and i in self._kept:
            return self._kept.pop(i)[0]
        return extras

    def _set_soc(self, i: int, extras: Extras) -> None:
        if extras.scenario is not None:
            chosen = np.arange(len(self)) == i
            self.state = set_soc(self.homes, self.state, chosen, np.full(len(self), SCENARIOS[extras.scenario][2]))

    def _play(self, i: int, extras: Extras) -> None:
        """With the real clock: a short step of one agent that takes no time."""
        self._set_soc(i, extras)
        self._step(self._one[i], float(self.state.time_s[i]), LEAST_STEP_S, extras)
        self.state.time_s[i] -= LEAST_STEP_S

    def hear(self, i: int, answer: Answer) -> None:
        """Take an answer of the grid agent.

        Raises:
            DataError: it cannot be taken.
        """
        brain = self.brains[i]
        before = set(brain.orders)
        bounds, time_s = self._bounds(i, answer.events), float(self.state.time_s[i])
        brain.hear(answer, self.clock(), time_s, bounds, self.rules, self.on_silence)
        if brain.orders:
            self._ordered.add(i)
        for name in brain.orders.keys() - before:
            event = brain.orders[name].event
            self.log(self.homes.ids[i], "curtail", event.resource_id, event.power_kw, event.reason)

    def check(self, i: int, events: Sequence[Event]) -> None:
        """See that all orders can be taken, before the first of them is.

        Raises:
            RefusedError: 404 an unknown resource, 422 a power it can never have.
        """
        bounds = self._bounds(i, events)
        for event in events:
            ack = self.brains[i].judge(event, event.id, bounds)
            if ack.state == "rejected":
                raise RefusedError(ack.reason, 422 if event.resource_id in bounds else 404)

    def curtail(self, i: int, event: Event) -> Ack:
        """Take an order that came by itself.

        Raises:
            RefusedError: 404 an unknown resource, 422 a power it can never have.
        """
        brain = self.brains[i]
        self.check(i, (event,))
        name = event.id or f"local-{brain.heard + 1}"
        ack = brain.take(event, name, float(self.state.time_s[i]), self._bounds(i, (event,)))
        self._ordered.add(i)
        self.log(self.homes.ids[i], "curtail", event.resource_id, event.power_kw, f"{ack.state} {ack.reason}".strip())
        return ack

    def report(self, i: int) -> Report:
        """The next report of an agent, with what it has to acknowledge."""
        brain = self.brains[i]
        brain.sequence += 1
        acks = brain.take_acks()
        report = self.status(i)
        return report.model_copy(update={"acks": acks}) if acks else report

    def status(self, i: int) -> Report:
        """How an agent stands; valid by construction, so it is not checked again."""
        brain = self.brains[i]
        allowed = brain.allowed_now(self.clock(), self.rules, self.on_silence)
        has_battery = self.homes.has[i, BATTERY]
        return Report.model_construct(
            agent_id=self.homes.ids[i],
            role=self.homes.roles[i],
            transformer_id=self.homes.transformers[i],
            cycle=brain.cycle,
            sequence=brain.sequence,
            sent_at=self.wall(),
            time_s=float(self.state.time_s[i]),
            mode=brain.state.mode,
            limit_kw=allowed,
            voltage_pu=self._voltage(i, float(self.flows.power_kw[i].sum())),
            resources=resource_states(self.homes, i, self.flows, self._soc(i) if has_battery else None),
            anomaly=bool(brain.anomalies),
            anomalies=brain.anomalies,
            acks=(),
            forecast_kw=tuple(self._forecast_kw[i].tolist()),
            forecast_step_s=FORECAST_STEP_S,
        )

    def _step(self, which: np.ndarray[Any, Any], begin_s: float, dt_s: float, extras: Extras | None = None) -> None:
        """One step of some agents; an array of all of them is not copied."""
        extras = extras or Extras()
        self._obey(which, begin_s)
        i, ahead, every = int(which[0]), self._ahead, len(which) == len(self)
        if every:
            self.state, self.flows = self._stepped(None, self.state, begin_s, dt_s, extras)
            self._ahead = None
        elif ahead and ahead.fits(i, (begin_s, dt_s, extras), self.state, self._orders_kw, self._allowed_kw):
            put_one(self.state, i, ahead.after)
            put_one(self.flows, i, ahead.flows)
        else:
            state, flows = self._stepped(i, pick(self.state, which), begin_s, dt_s, extras)
            put(self.state, which, state)
            put(self.flows, which, flows)
        if ahead:
            ahead.left.discard(i)
        self._look_ahead(which)
        for i in which.tolist():
            self._judge(i)

    def _step_ahead(self, begin_s: float, dt_s: float, extras: Extras) -> None:
        """Work out for all what one is asked for: the grid agent will ask the others too, mostly for the same."""
        state = self.state
        if extras.scenario is not None:
            everybody = np.ones(len(self), dtype=bool)
            state = set_soc(self.homes, state, everybody, np.full(len(self), SCENARIOS[extras.scenario][2]))
        self._obey(np.arange(len(self)), begin_s)
        before = replace(state, stored_kwh=state.stored_kwh.copy(), ev_kwh=state.ev_kwh.copy())
        after, flows = self._stepped(None, state, begin_s, dt_s, extras)
        orders_kw, allowed_kw, left = self._orders_kw.copy(), self._allowed_kw.copy(), set(range(len(self)))
        self._ahead = StepAhead((begin_s, dt_s, extras), before, orders_kw, allowed_kw, after, flows, left)
        self._ahead_s = begin_s

    def _stepped(
        self, i: int | None, state: HomesState, begin_s: float, dt_s: float, extras: Extras
    ) -> tuple[HomesState, Flows]:
        """State and powers after a step of one agent, or with None of all."""
        homes = self.homes if i is None else self._slices.of(i)
        which: Any = slice(None) if i is None else self._one[i]
        nature, idle = self.village.at(begin_s, dt_s), None
        if extras.scenario is not None:
            solar, load, _ = SCENARIOS[extras.scenario]
            real = homes.has[:, LOAD]
            nature = Nature(np.where(real, load, 0.0), np.where(real, solar, 0.0))
            idle = np.ones(len(homes), dtype=bool)
        elif i is not None:
            nature = pick(nature, which)
        parked = np.full(len(homes), extras.parked)
        state = replace(state, time_s=np.full(len(homes), begin_s, dtype=np.float64))
        state, flows = step_homes(
            homes, state, nature, dt_s, self._orders_kw[which], self._allowed_kw[which], idle, parked
        )
        return state, in_watts(flows)

    def _obey(self, which: np.ndarray[Any, Any], time_s: float) -> None:
        """What is ordered and allowed from now on, as arrays."""
        now_s = self.clock()
        for i in which.tolist():
            brain = self.brains[i]
            allowed = brain.allowed_now(now_s, self.rules, self.on_silence)
            self._allowed_kw[i] = np.inf if allowed is None else allowed
            if brain.state.mode is not self._logged_modes[i]:
                self._logged_modes[i] = brain.state.mode
                self.log(self.homes.ids[i], "mode", "", allowed, brain.state.mode.value)
            if i in self._ordered:
                self._orders_kw[i] = np.nan
                for name, kw in brain.orders_now(time_s).items():
                    self._orders_kw[i, self._columns[i][name]] = kw
                if not brain.orders:
                    self._ordered.discard(i)

    def _look_ahead(self, which: np.ndarray[Any, Any]) -> None:
        """Forecast; the sky of the next hour is worked out once a quarter of an hour."""
        moment = float(self.state.time_s[which[0]]) // FORECAST_STEP_S * FORECAST_STEP_S
        if self._clear_of is None or self._clear_of[0] != moment:
            self._clear_of = moment, self.village.clear_ahead_kw(moment)
        clear = self._clear_of[1][which]
        self._forecast_kw[which] = np.round(forecast_kw(clear, self.flows.wanted_kw[which], self.homes.kwp[which]), 3)

    def _judge(self, i: int) -> None:
        """Anomalies; a battery agent has no balance of its own to keep, only its limit."""
        homes, brain = self.homes, self.brains[i]
        net_kw = float(self.flows.power_kw[i].sum())
        own = ((homes.resource_id(i, BATTERY), self._soc(i)),) if homes.has[i, BATTERY] else ()
        over = net_kw if homes.has[i, LOAD] else float(self.flows.excess_kw[i])
        allowed = float(self._allowed_kw[i])
        values = HomeValues(
            round(over, 6),
            self._voltage(i, net_kw),
            own,
            allowed_kw=allowed if allowed < float("inf") and homes.has[i, LOAD] else None,
        )
        brain.anomalies = check_home(homes.ids[i], values, standing(brain.anomalies), LIMITS)

    def _soc(self, i: int) -> float:
        return round(float(self.state.stored_kwh[i] / self.homes.batteries.capacity_kwh[i]), 6)

    def _voltage(self, i: int, net_kw: float) -> float:
        return round(voltage_pu(net_kw, self.brains[i].supply_pu), 6)

    def _bounds(self, i: int, events: Sequence[Event]) -> dict[str, Bounds]:
        """Of the agent's resources; nothing is worked out where no order has come."""
        if not events:
            return {}
        homes, flows = self.homes, self.flows
        return {
            name: Bounds(
                float(homes.nameplate_min_kw[i, k]),
                float(homes.nameplate_max_kw[i, k]),
                float(flows.min_kw[i, k]),
                float(flows.max_kw[i, k]),
                holds=k == BATTERY,
            )
            for name, k in self._columns[i].items()
        }
