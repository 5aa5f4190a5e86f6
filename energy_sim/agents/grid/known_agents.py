"""What the grid agent knows of each agent at this moment: the last reports, what stands for it, the ready answer.

The way of a report is short on purpose, a thousand arrive in a second: check the token, parse, check the sequence and
the nameplate, keep it, and put three numbers before an answer that was serialised when its orders changed.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from energy_sim.agents.anomalies import check_skew
from energy_sim.agents.estimates import AgentState, agent_state
from energy_sim.agents.grid import registry
from energy_sim.agents.grid.registry import Lease
from energy_sim.agents.messages import (
    MOST_TOLD,
    SLACK_KW,
    Ack,
    Anomaly,
    Answer,
    RefusedError,
    Registration,
    Report,
    StandingLimit,
)
from energy_sim.agents.orders import Order, to_event
from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

MOST_AGENTS = 20_000
_ANSWER = TypeAdapter(Answer)


@dataclass(slots=True)
class Seat:
    """One agent; ``received_s`` is of the monotonic clock, ``orders`` by resource."""

    lease: Lease
    bearer: str  # what it has to send as Authorization
    received_s: float
    plates: dict[str, tuple[float, float]]
    report: Report | None = None
    skew_s: float = 0.0
    is_back: bool = False  # a report has come since it registered or was lost
    is_stated: bool = False  # a coordination ran on such a report: a limit may be stated
    orders: tuple[Order, ...] = ()
    acks: dict[str, Ack] = field(default_factory=dict)  # by event id, the last of each that stands
    refused: set[str] = field(default_factory=set)  # ids of those of which not all was possible
    told: tuple[Order, ...] = ()  # what the last answer said
    known: tuple[Order, ...] = ()  # what was told before the last report
    disobeyed: dict[str, int] = field(default_factory=dict)  # reports in a row, by resource
    judged: int = registry.NEVER_SEQUENCE  # the last report that was judged
    tail: bytes | None = None  # the ready end of the answer


class Seats:
    """All agents that are known, by id."""

    def __init__(
        self,
        leases: Iterable[Lease],
        secret: bytes,
        *,
        transformers: Iterable[str],
        report_interval_s: float,
        lease_s: float,
        max_skew_s: float,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        """Take up what the database knows; ages go on from when an agent was last seen."""
        self._secret = secret
        self.transformers = tuple(transformers)
        self.report_interval_s, self.lease_s, self.max_skew_s = report_interval_s, lease_s, max_skew_s
        self._clock, self._wall = clock, wall
        self._seats: dict[str, Seat] = {}
        self._unsaved: set[str] = set()
        self.version = 0  # changes whenever somebody registers
        now, moment = clock(), wall()
        for lease in leases:
            if lease.transformer_id in self.transformers:
                seat = self._seat(lease, now - max(0.0, moment - lease.seen))
                seat.orders = registry.read_orders(lease.orders)
                self._seats[lease.id] = seat
            else:
                name = lease.transformer_id
                logger.warning("agent left out, its transformer is not configured agent=%s at=%s", lease.id, name)

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, agent_id: str) -> bool:
        return agent_id in self._seats

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats.values())

    def seat(self, agent_id: str) -> Seat:
        """The seat of an agent.

        Raises:
            RefusedError: 404, nobody of that name is registered.
        """
        found = self._seats.get(agent_id)
        if found is None:
            raise RefusedError(f"{agent_id[:64]!r} is not registered; register with POST /agents", 404)
        return found

    def age_s(self, seat: Seat) -> float:
        """Seconds since its last report."""
        return max(0.0, self._clock() - seat.received_s)

    def state(self, seat: Seat) -> AgentState:
        """Online, late, lost or gone."""
        return agent_state(self.age_s(seat), self.report_interval_s, self.lease_s)

    def token(self, agent_id: str) -> str:
        """The token of an agent."""
        return registry.token_of(self._secret, agent_id)

    def register(self, asked: Registration, *, is_asked: bool = False) -> Lease:
        """Make an agent known, the same name again is the same agent; the lease has to be stored by the caller.

        Args:
            asked: who wants to be known.
            is_asked: it is asked cycle by cycle and registers again with every lease: that is no coming back.

        Raises:
            RefusedError: 422, the transformer is unknown, nameplates cannot be its own, or there are too many agents.
        """
        if asked.transformer_id not in self.transformers:
            known = ", ".join(self.transformers)
            raise RefusedError(f"transformer_id: {asked.transformer_id} is unknown; the transformers are {known}", 422)
        before = self._seats.get(asked.id)
        if before is None and len(self._seats) >= MOST_AGENTS:
            raise RefusedError(
                f"{MOST_AGENTS:,} agents are registered, no more are taken; start another grid agent", 422
            )
        try:
            lease = registry.lease_from(asked, self._wall(), before.lease if before else None)
        except DataError as error:
            raise RefusedError(str(error), 422) from error
        if before is None:
            self._seats[asked.id] = self._seat(lease, self._clock())
        elif registry.is_same(before.lease, lease):
            before.lease = lease
            if not is_asked:
                before.is_back = before.is_stated = False
                before.tail = None
        else:
            seat = self._seat(lease, before.received_s)
            seat.orders = tuple(o for o in before.orders if not seat.plates or o.resource_id in seat.plates)
            if seat.plates == before.plates:
                seat.report = before.report
            self._seats[asked.id] = seat
        self.version += 1
        return self._seats[asked.id].lease

    def is_authorised(self, agent_id: str, authorization: str) -> bool:
        """Whether a header carries the token of this agent."""
        return registry.same(authorization, self.seat(agent_id).bearer)

    def take(self, agent_id: str, raw: bytes) -> Report:
        """Keep a report.

        Args:
            agent_id: who sends it; whether it may is checked already.
            raw: the body.

        Raises:
            RefusedError: 404 unknown, 409 stale sequence, 422 malformed, of somebody else, or beyond the nameplate.
        """
        seat = self.seat(agent_id)
        try:
            report = Report.model_validate_json(raw)
        except ValidationError as error:
            raise RefusedError(first_faults(error), 422) from error
        lease = seat.lease
        if report.agent_id != agent_id:
            raise RefusedError(f"agent_id: {report.agent_id} is not {agent_id}; report for yourself", 422)
        if report.sequence <= lease.sequence:
            given, last = report.sequence, lease.sequence
            raise RefusedError(f"sequence: {given} is stale, the last one known is {last}; go on above it", 409)
        if report.sequence > MOST_TOLD:
            raise RefusedError(f"sequence: {report.sequence} is above {MOST_TOLD}; register and begin anew", 409)
        if report.transformer_id != lease.transformer_id or report.role != lease.role:
            said = f"{report.role} at {report.transformer_id}"
            raise RefusedError(
                f"{said} is not {lease.role} at {lease.transformer_id}, as registered; register again", 422
            )
        for resource in report.resources:
            low, high = seat.plates.get(resource.id, _NO_PLATE if seat.plates else _ANY_PLATE)
            if resource.min_kw < low - SLACK_KW or resource.max_kw > high + SLACK_KW:
                span = f"{resource.min_kw:g} .. {resource.max_kw:g} kW"
                if low > high:
                    raise RefusedError(f"{resource.id}: is not among the nameplates registered; register again", 422)
                raise RefusedError(
                    f"{resource.id}: {span} is beyond its nameplate {low:g} .. {high:g}; register again", 422
                )
        self._keep(seat, report)
        return report

    def answer(self, seat: Seat, cycle: int) -> bytes:
        """The answer to the last report of an agent, as JSON."""
        if seat.tail is None:
            seat.tail = _tail(seat, self.report_interval_s)
        seat.told = seat.orders
        head = f'{{"cycle":{cycle},"sequence":{max(seat.lease.sequence, 0)},"sent_at":{self._wall():.3f},'
        return head.encode() + seat.tail

    def order(self, seat: Seat, orders: tuple[Order, ...]) -> bool:
        """Let these orders stand for an agent; whether that changes anything."""
        if seat.orders == orders:
            return False
        seat.orders, seat.tail = orders, None
        standing = {o.id for o in orders}
        seat.acks = {name: ack for name, ack in seat.acks.items() if name in standing}
        seat.refused &= standing
        return True

    def acknowledge(self, seat: Seat, acks: Iterable[Ack]) -> list[tuple[Order, Ack]]:
        """Keep what an agent says to orders that stand; what of it refuses one, once for each order."""
        standing = {o.id: o for o in seat.orders}
        found = []
        for ack in acks:
            order = standing.get(ack.event_id)
            if order is not None:
                seat.acks[order.id] = ack
                if ack.state in _REFUSALS and order.id not in seat.refused:
                    seat.refused.add(order.id)
                    found.append((order, ack))
        return found

    def state_limits(self, heard: Iterable[Seat], silent: Iterable[str] = ()) -> None:
        """After a coordination: whoever it ran on may hear a limit again, whoever did not answer only a heartbeat."""
        for name in silent:
            seat = self.seat(name)
            seat.is_back = False
            if seat.is_stated:
                seat.is_stated, seat.tail = False, None
        for seat in heard:
            if seat.is_back and not seat.is_stated:
                seat.is_stated, seat.tail = True, None

    def unsaved(self) -> dict[str, tuple[float, int]]:
        """Who reported since the last call: agent -> (seconds since the epoch, sequence)."""
        now, moment = self._clock(), self._wall()
        names, self._unsaved = self._unsaved, set()
        return {n: (moment - (now - s.received_s), s.lease.sequence) for n in names if (s := self._seats.get(n))}

    def put_back(self, names: Iterable[str]) -> None:
        """What could not be saved is still unsaved."""
        self._unsaved.update(names)

    def _seat(self, lease: Lease, received_s: float) -> Seat:
        plates = {plate.id: (plate.min_kw, plate.max_kw) for plate in lease.nameplates}
        return Seat(lease, f"Bearer {self.token(lease.id)}", received_s, plates)

    def _keep(self, seat: Seat, report: Report) -> None:
        now = self._clock()
        if now - seat.received_s > self.lease_s:  # it comes back: a heartbeat first, a limit after a coordination
            seat.is_stated, seat.tail = False, None
        seat.is_back = True
        seat.skew_s = report.sent_at - self._wall()
        seat.report, seat.received_s, seat.known = report, now, seat.told
        seat.lease = replace(seat.lease, sequence=report.sequence)
        self._unsaved.add(report.agent_id)


def anomalies_of(seat: Seat, max_skew_s: float) -> tuple[Anomaly, ...]:
    """What an agent reports, and its clock when that is off."""
    reported = seat.report.anomalies if seat.report else ()
    return (*reported, *check_skew(seat.lease.id, max(-1e9, min(seat.skew_s, 1e9)), max_skew_s))


_REFUSALS = frozenset({"partial", "rejected"})
_NO_PLATE = (1.0, -1.0)
_ANY_PLATE = (float("-inf"), float("inf"))


def _tail(seat: Seat, report_interval_s: float) -> bytes:
    limit = StandingLimit(kw=None) if seat.is_stated else None
    answer = Answer(
        cycle=0,
        sequence=0,
        sent_at=0.0,
        limit=limit,
        events=tuple(map(to_event, seat.orders)),
        report_interval_s=report_interval_s,
    )
    return _ANSWER.dump_json(answer, exclude={"cycle", "sequence", "sent_at"})[1:]


def first_faults(error: ValidationError) -> str:
    """What is wrong with a body in one line, the first three faults of it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(str(p) for p in e['loc']) or 'body'}: {e['msg'].removeprefix('Value error, ')}" for e in found]
    more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more
