"""When a home limits itself: each rule with its times, after faults that other implementations had."""

import pytest

from energy_sim.agents.failsafe import Heartbeat, Limit, Mode, Rules, State, allowed_kw, step
from energy_sim.errors import DataError

RULES = Rules()


def play(*messages, state=None):
    state = State() if state is None else state
    for now_s, message in messages:
        state = step(state, now_s, message, RULES)
    return state


def allowed(state):
    return allowed_kw(state, RULES)


SILENT = ((0, Heartbeat()), (1, Limit(None)), (200, None))


def test_until_it_is_told_otherwise_it_protects():
    assert allowed(State()) == 4.2
    assert allowed(play((0, Heartbeat()))) == 4.2
    assert play((0, Limit(9.0))).mode is Mode.INIT
    assert allowed(play((0, Heartbeat()), (1, Limit(None)))) is None
    assert allowed(play((0, Heartbeat()), (1, Limit(9.0)))) == 9.0


def test_a_limit_without_a_duration_does_not_expire():
    state = play((0, Heartbeat()), (1, Limit(3.0)), *((t, Heartbeat()) for t in range(60, 7200, 60)))
    assert state.mode is Mode.LIMITED
    assert allowed(state) == 3.0


def test_a_limit_with_a_duration_ends_on_the_second():
    state = play((0, Heartbeat()), (1, Limit(3.0, duration_s=30.0)))
    assert allowed(play((30.9, None), state=state)) == 3.0
    assert allowed(play((31.0, None), state=state)) is None


def test_the_failsafe_comes_after_the_timeout_and_stays_for_days():
    state = play((0, Heartbeat()), (1, Limit(None)), (120, None))
    assert allowed(state) is None
    for t in (120.1, 50_000, 90_000):
        state = play((t, None), state=state)
        assert (state.mode, allowed(state)) == (Mode.FAILSAFE, 4.2)


def test_a_heartbeat_alone_does_not_release_at_once():
    assert play(*SILENT, (210, Heartbeat())).mode is Mode.FAILSAFE


def test_a_limit_alone_does_not_release():
    state = play(*SILENT, (210, Limit(9.0)), (300, Limit(None)))
    assert (state.mode, allowed(state)) == (Mode.FAILSAFE, 4.2)


def test_a_limit_from_before_the_heartbeat_does_not_release():
    assert play(*SILENT, (209, Limit(9.0)), (210, Heartbeat())).mode is Mode.FAILSAFE


@pytest.mark.parametrize(("kw", "mode"), [(2.0, Mode.LIMITED), (None, Mode.UNLIMITED)])
def test_a_heartbeat_and_a_following_limit_release(kw, mode):
    state = play(*SILENT, (210, Heartbeat()), (210, Limit(kw)))
    assert (state.mode, allowed(state)) == (mode, kw)


def test_heartbeats_without_a_limit_release_to_unlimited_after_the_grace():
    state = play((0, Heartbeat()), (1, Limit(3.0)), (200, None), (210, Heartbeat()), (270, Heartbeat()))
    assert play((329, Heartbeat()), state=state).mode is Mode.FAILSAFE
    state = play((330, Heartbeat()), state=state)
    assert (state.mode, allowed(state)) == (Mode.UNLIMITED, None)


def test_a_second_silence_starts_the_grace_again():
    state = play(*SILENT, (210, Heartbeat()), (400, Heartbeat()), (500, Heartbeat()))
    assert state.mode is Mode.FAILSAFE
    assert play((520, Heartbeat()), state=state).mode is Mode.UNLIMITED


def test_a_heartbeat_after_a_long_silence_finds_the_failsafe_though_nobody_asked_in_between():
    state = play((0, Heartbeat()), (1, Limit(None)), (5000, Heartbeat()))
    assert (state.mode, allowed(state)) == (Mode.FAILSAFE, 4.2)
    assert allowed(play((5001, Limit(None)), state=state)) is None


def test_an_agent_that_never_hears_anything_goes_from_init_to_failsafe():
    state = State(since_s=1000.0)
    assert play((1120, None), state=state).mode is Mode.INIT
    assert play((1121, None), state=state).mode is Mode.FAILSAFE


@pytest.mark.parametrize(
    "limit",
    [
        Limit(-0.1),
        Limit(float("nan")),
        Limit(float("inf")),
        Limit(1.0, 0.0),
        Limit(1.0, -5.0),
        Limit(1.0, float("nan")),
    ],
)
def test_a_limit_that_is_none_is_refused_with_the_way_to_mend_it(limit):
    with pytest.raises(DataError, match=r"give .* or none"):
        step(State(), 0.0, limit, RULES)
