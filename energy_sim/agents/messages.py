"""What agents say to each other, as JSON over HTTP. Power in kW, consumption positive; energy in kWh; times in seconds.

Terms after OpenADR 3.1 (report, event, subscription), EEBus LPC (heartbeat, standing limit, failsafe) and IEEE 2030.5
(lease, acknowledge). A resource is named ``{agent}/{resource}`` and matched exactly. ``time_s`` is the moment of the
simulated world, ``sent_at`` of the sender's wall clock; both are seconds since the epoch.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from energy_sim.agents.failsafe import Mode
from energy_sim.errors import DataError

MAX_KW = 100_000.0
MAX_RESOURCES = 64
MOST_TOLD = 2**52  # counts that an agent is told: its own go on above them
SLACK_KW = 1e-6  # rounding of sums of powers

AgentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ResourceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}$")]


def _as_number(value: object) -> object:
    """JSON's 2.0 is a whole number, its true and "2" are none."""
    if isinstance(value, bool | str):
        msg = "give a number"
        raise ValueError(msg)  # noqa: TRY004 - what pydantic asks for
    return value


Number = Annotated[float, Field(strict=True)]  # true and "1" are no numbers
Flag = Annotated[bool, Field(strict=True)]  # 1 and "yes" are no truth values
Kw = Annotated[Number, Field(ge=-MAX_KW, le=MAX_KW)]
Kwh = Annotated[Number, Field(ge=0, le=1e7)]
Seconds = Annotated[Number, Field(ge=0, le=1e7)]
Moment = Annotated[Number, Field(ge=0, le=1e11)]
Count = Annotated[int, Field(ge=0, lt=2**53), BeforeValidator(_as_number)]
Told = Annotated[int, Field(ge=0, le=MOST_TOLD), BeforeValidator(_as_number)]
Share = Annotated[Number, Field(ge=0, le=1)]
Reason = Annotated[str, Field(max_length=300)]
Kind = Literal["load", "solar", "battery", "ev"]
Role = Literal["home", "battery"]
AnomalyKind = Literal["overload", "underload", "voltage", "soc_low", "device_fault", "stale_data"]
AckState = Literal["accepted", "partial", "rejected", "started", "completed"]
Scenario = Annotated[int, Field(ge=1, le=4), BeforeValidator(_as_number)]


class Message(BaseModel):
    """From outside: frozen, nothing unknown, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Anomaly(Message):
    """Something outside its limit by more than the deadband; ``where`` is an agent, a resource or a transformer."""

    kind: AnomalyKind
    where: Annotated[str, Field(max_length=129)]
    value: Annotated[Number, Field(ge=-1e9, le=1e9)]
    limit: Annotated[Number, Field(ge=-1e9, le=1e9)]
    unit: Literal["kW", "pu", "share", "s", ""]
    deadband: Annotated[Number, Field(ge=0, le=1e9)]


class Nameplate(Message):
    """What a resource can ever do; reports beyond it are not believed."""

    id: ResourceId
    kind: Kind
    min_kw: Kw
    max_kw: Kw
    capacity_kwh: Kwh | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Nameplate":
        if self.min_kw > self.max_kw:
            msg = f"{self.id}: min_kw {self.min_kw:g} is above max_kw {self.max_kw:g}; give the smaller one as min_kw"
            raise ValueError(msg)
        return self


class ResourceState(Message):
    """A resource at a moment.

    ``power_kw`` is what it draws now, ``wanted_kw`` what it would draw without any event; ``min_kw .. max_kw`` is what
    an event could make of it in the next cycle, the nameplate and the state of charge taken into account.
    """

    id: ResourceId
    kind: Kind
    power_kw: Kw
    wanted_kw: Kw
    min_kw: Kw
    max_kw: Kw
    soc: Share | None = None
    capacity_kwh: Kwh | None = None
    fault: Flag = False

    @model_validator(mode="after")
    def _inside(self) -> "ResourceState":
        for name, value in (("power_kw", self.power_kw), ("wanted_kw", self.wanted_kw)):
            if not self.min_kw - SLACK_KW <= value <= self.max_kw + SLACK_KW:
                msg = f"{self.id}: {name} {value:g} is outside {self.min_kw:g} .. {self.max_kw:g} kW; send what is so"
                raise ValueError(msg)
        return self


class Ack(Message):
    """What became of an event: accepted, partial (``power_kw`` is what is possible) or rejected; started, completed."""

    event_id: Annotated[str, Field(max_length=64)]
    resource_id: ResourceId
    state: AckState
    power_kw: Kw | None = None
    reason: Reason = ""


class Report(Message):
    """An agent's state, and its heartbeat. ``sequence`` grows with every report of an agent, else it is refused."""

    agent_id: AgentId
    role: Role
    transformer_id: AgentId
    cycle: Count
    sequence: Count
    sent_at: Moment
    time_s: Moment
    mode: Mode
    limit_kw: Kw | None  # the limit in force for the whole agent, failsafe included
    voltage_pu: Annotated[Number, Field(ge=0, le=2)]
    resources: Annotated[tuple[ResourceState, ...], Field(max_length=MAX_RESOURCES)]
    anomaly: Flag  # whether there are any
    anomalies: Annotated[tuple[Anomaly, ...], Field(max_length=MAX_RESOURCES)] = ()
    acks: Annotated[tuple[Ack, ...], Field(max_length=2 * MAX_RESOURCES)] = ()
    forecast_kw: Annotated[tuple[Kw, ...], Field(max_length=96)] = ()  # net power of the next steps
    forecast_step_s: Annotated[Number, Field(gt=0, le=86_400)] = 900.0

    @model_validator(mode="after")
    def _own(self) -> "Report":
        ids = [r.id for r in self.resources]
        strange = [name for name in ids if name.partition("/")[0] != self.agent_id]
        if strange:
            msg = f"{strange[0]} does not belong to {self.agent_id}; report resources of your own"
            raise ValueError(msg)
        if len(set(ids)) < len(ids):
            msg = f"{self.agent_id} names a resource twice; name each once"
            raise ValueError(msg)
        own = {self.agent_id, *ids}
        if any(anomaly.where not in own for anomaly in self.anomalies):
            msg = f"anomalies: one is neither of {self.agent_id} nor of a resource it reports; tell of your own"
            raise ValueError(msg)
        return self

    @property
    def net_kw(self) -> float:
        """What the agent draws from its transformer, feeding in negative."""
        return sum(r.power_kw for r in self.resources)


class Event(Message):
    """An order to a resource over an interval.

    For load, EV and solar ``power_kw`` is a bound (consumption at most so much, feeding in at most so much: solar is
    negative); for a battery it is the set-point to hold. Without ``duration_s`` it holds until superseded or cancelled;
    ``power_kw`` None cancels what stands.
    """

    id: Annotated[str, Field(max_length=64)] = ""
    resource_id: ResourceId
    power_kw: Kw | None
    start_s: Moment | None = None  # None: at once
    duration_s: Seconds | None = None
    priority: Annotated[int, Field(ge=0, le=9), BeforeValidator(_as_number)] = 5
    supersedes: Annotated[str, Field(max_length=64)] = ""
    reason: Reason = ""


class StandingLimit(Message):
    """The limit for an agent's whole consumption until it is replaced or has lasted; None: unlimited."""

    kw: Annotated[Number, Field(ge=0, le=MAX_KW)] | None
    duration_s: Annotated[Number, Field(gt=0, le=1e7)] | None = None


class Answer(Message):
    """What the grid agent answers to a report: the heartbeat back, and everything that stands for the agent now.

    ``events`` are all standing orders of the agent, not only new ones: what is not in it is cancelled. ``limit`` is
    there only when the grid agent has stated one since the agent came back, see failsafe.py.
    """

    cycle: Told
    sequence: Told  # of the report that is answered
    sent_at: Moment
    limit: StandingLimit | None = None
    events: Annotated[tuple[Event, ...], Field(max_length=MAX_RESOURCES)] = ()
    supply_pu: Annotated[Number, Field(ge=0, le=2)] = 1.0  # voltage at the transformer
    report_interval_s: Seconds = 5.0


class SimulateRequest(Message):
    """One cycle of an agent. Everything may be left out: then the agent goes on by its own clock.

    ``scenario`` sets generation, load and state of charge of this cycle as the four tests do; ``ev_kwh`` lets a car
    arrive that needs so much. With ``answer`` the grid agent brings the heartbeat and the standing orders.
    """

    scenario: Scenario | None = None
    cycle: Told | None = None
    time_s: Annotated[Number, Field(ge=0, le=1e10)] | None = None
    step_s: Annotated[Number, Field(ge=0.001, le=86_400)] | None = None
    ev_kwh: Annotated[Number, Field(ge=0, le=200)] | None = None
    answer: Answer | None = None


class Registration(Message):
    """An agent asks to be known by its name; the same name again is the same agent."""

    id: AgentId
    role: Role
    transformer_id: AgentId
    url: Annotated[str, Field(max_length=300, pattern=r"^(https?://\S+)?$")] = (
        ""  # where it can be asked; empty: it only reports
    )
    nameplates: Annotated[tuple[Nameplate, ...], Field(max_length=MAX_RESOURCES)] = ()


class Registered(Message):
    """The grid agent's answer to a registration; the token authorises reports of this agent alone."""

    agent_id: AgentId
    token: Annotated[str, Field(max_length=128)]
    report_interval_s: Seconds
    lease_s: Seconds
    cycle: Told
    sequence: Told  # the last one known: go on above it
    clock: Literal["lock-step", "real"]


class RefusedError(DataError):
    """A request that is understood and refused; ``status`` is the HTTP status that says so."""

    def __init__(self, message: str, status: int) -> None:
        """Keep both."""
        super().__init__(message)
        self.status = status
