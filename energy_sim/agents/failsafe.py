"""When a home limits itself: the controllable system of EEBus LPC, as one pure function.

    state = step(State(since_s=now), now, Heartbeat())
    allowed_kw(state)

Modes: init -> unlimited | limited <-> failsafe. Times are seconds of one monotonic clock. Without a heartbeat for
`heartbeat_timeout_s` a system goes to failsafe. It leaves it by a heartbeat and a limit stated after it, or when
heartbeats have been back for `release_grace_s` and nobody stated any.

Source: EEBus UC TS "Limitation of Power Consumption" 1.0.0 (LPC-031 timeout, LPC-921 grace, state table); 4.2 kW is
the least power that section 14a EnWG leaves a controllable device.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from energy_sim.errors import DataError


class Mode(StrEnum):
    """How a system stands."""

    INIT = "init"
    UNLIMITED = "unlimited"
    LIMITED = "limited"
    FAILSAFE = "failsafe"


@dataclass(frozen=True, slots=True)
class Rules:
    """Times in seconds, the power a system limits itself to in kW."""

    heartbeat_timeout_s: float = 120.0
    release_grace_s: float = 120.0
    failsafe_kw: float = 4.2


@dataclass(frozen=True, slots=True)
class State:
    """What a system remembers; ``limit_kw`` None is unlimited, ``expires_s`` None does not expire."""

    mode: Mode = Mode.INIT
    since_s: float = 0.0
    heartbeat_s: float | None = None  # the last one
    resumed_s: float | None = None  # the first heartbeat after a gap
    limit_kw: float | None = None
    limit_at_s: float | None = None
    expires_s: float | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life of the grid agent."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in kW, None for unlimited; without a duration it holds until the next one."""

    kw: float | None
    duration_s: float | None = None


def step(state: State, now_s: float, message: Heartbeat | Limit | None, rules: Rules) -> State:
    """The state after a message, or after time alone; the same call twice changes nothing.

    Time passes before the message is heard: a heartbeat after a long silence finds the system in failsafe, also when
    nobody asked for its state in between (a process that was stopped and goes on).

    Raises:
        DataError: a limit is below 0 or not finite, or a duration is not above 0.
    """
    state = _after(state, now_s, rules)
    return state if message is None else _after(_heard(state, now_s, message), now_s, rules)


def allowed_kw(state: State, rules: Rules) -> float | None:
    """What the system may draw, None for as much as it wants; in init it protects until told otherwise (LPC-TS-017)."""
    return rules.failsafe_kw if state.mode in {Mode.INIT, Mode.FAILSAFE} else state.limit_kw


def _after(state: State, now_s: float, rules: Rules) -> State:
    """The state when time has come to ``now_s``."""
    if state.expires_s is not None and now_s >= state.expires_s:
        state = replace(state, limit_kw=None, expires_s=None)
    silent_since = state.since_s if state.heartbeat_s is None else state.heartbeat_s
    if now_s - silent_since > rules.heartbeat_timeout_s:
        if state.mode is Mode.FAILSAFE:
            return replace(state, resumed_s=None)
        return replace(state, mode=Mode.FAILSAFE, since_s=now_s, resumed_s=None)
    if state.mode is Mode.INIT and (state.heartbeat_s is None or state.limit_at_s is None):
        return state
    if state.mode is Mode.FAILSAFE:
        if state.heartbeat_s is None or state.heartbeat_s < state.since_s:
            return state  # no heartbeat since it went silent
        if state.resumed_s is None:
            state = replace(state, resumed_s=state.heartbeat_s)
        resumed_s = state.resumed_s or 0.0
        stated = state.limit_at_s is not None and state.limit_at_s >= resumed_s
        if not stated and now_s - resumed_s < rules.release_grace_s:
            return state
        if not stated:
            state = replace(state, limit_kw=None, expires_s=None)
    mode = Mode.UNLIMITED if state.limit_kw is None else Mode.LIMITED
    return state if mode is state.mode else replace(state, mode=mode, since_s=now_s, resumed_s=None)


def _heard(state: State, now_s: float, message: Heartbeat | Limit) -> State:
    if isinstance(message, Heartbeat):
        return replace(state, heartbeat_s=now_s)
    if message.kw is not None and not 0 <= message.kw < float("inf"):
        raise DataError(f"limit: {message.kw} kW is no limit of consumption; give 0 kW or more, or none")
    if message.duration_s is not None and not 0 < message.duration_s < float("inf"):
        raise DataError(f"limit: {message.duration_s} s is no duration; give more than 0 s, or none")
    ends = None if message.duration_s is None else now_s + message.duration_s
    return replace(state, limit_kw=message.kw, limit_at_s=now_s, expires_s=ends)
