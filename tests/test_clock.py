from dataclasses import replace

import pytest

from energy_sim.clock import Event, SessionRecord, current_tick, moved, position, settings_at, settled
from energy_sim.errors import DataError

PAUSED = SessionRecord(
    id="s",
    room="toy",
    parameters={},
    seed=1,
    created=1000.0,
    control_key="secret",
    epoch=0,
    next_seq=1,
    revision=7,
    anchor_time=1000.0,
    anchor_tick=10.0,
    playing=False,
    ticks_per_second=2.0,
    seen=1000.0,
)
PLAYING = replace(PAUSED, playing=True)


@pytest.mark.parametrize(("now", "tick"), [(1000.0, 10), (1000.49, 10), (1000.5, 11), (1010.0, 30), (990.0, 10)])
def test_playing_the_tick_follows_the_time_since_the_anchor_and_never_goes_before_it(now, tick):
    assert current_tick(PLAYING, now, last_tick=500) == tick


def test_paused_the_tick_does_not_move():
    assert current_tick(PAUSED, 99999.0, last_tick=500) == 10


def test_unwatched_for_sixty_seconds_it_stands_where_it_was_at_that_moment():
    assert current_tick(PLAYING, 1059.9, last_tick=500) == 129
    assert current_tick(PLAYING, 1060.0, last_tick=500) == 130
    assert current_tick(PLAYING, 50000.0, last_tick=500) == 130
    assert settled(PLAYING, 1059.9, last_tick=500) is PLAYING
    asleep = settled(PLAYING, 50000.0, last_tick=500)
    assert (asleep.playing, asleep.anchor_tick, asleep.anchor_time, asleep.revision) == (False, 130.0, 1060.0, 8)
    assert settled(asleep, 60000.0, last_tick=500) is asleep


def test_at_the_last_tick_it_stops_and_a_scrub_back_does_not_start_it_again():
    assert current_tick(PLAYING, 1010.0, last_tick=25) == 25
    stopped = settled(PLAYING, 1010.0, last_tick=25)
    assert (stopped.playing, stopped.anchor_tick) == (False, 25.0)
    back = moved(stopped, "scrub", 4, 1010.0, last_tick=25)
    assert current_tick(back, 1020.0, last_tick=25) == 4


def test_a_change_of_speed_keeps_the_position_with_its_part_of_a_tick():
    faster = moved(PLAYING, "speed", 10, 1000.7, last_tick=500)
    assert position(faster, 1000.7, 500) == position(PLAYING, 1000.7, 500) == pytest.approx(11.4)
    assert current_tick(faster, 1000.75, 500) == 11
    assert current_tick(faster, 1000.77, 500) == 12


def test_step_and_back_pause_and_move_one_tick_within_the_session():
    stepped = moved(PLAYING, "step", None, 1001.0, last_tick=500)
    assert (stepped.playing, stepped.anchor_tick) == (False, 13.0)
    stepped_back = moved(PLAYING, "back", None, 1001.0, last_tick=500)
    assert (stepped_back.playing, stepped_back.anchor_tick) == (False, 11.0)
    assert moved(replace(PAUSED, anchor_tick=0.0), "back", None, 1001.0, last_tick=500).anchor_tick == 0.0
    assert moved(replace(PAUSED, anchor_tick=500.0), "step", None, 1001.0, last_tick=500).anchor_tick == 500.0


def test_controls_without_effect_return_the_same_record():
    at_end = replace(PAUSED, anchor_tick=500.0)
    assert moved(at_end, "play", None, 1001.0, last_tick=500) is at_end
    assert moved(PLAYING, "play", None, 1001.0, last_tick=500) is PLAYING
    assert moved(PAUSED, "pause", None, 1001.0, last_tick=500) is PAUSED


def test_reset_goes_to_tick_zero_paused_in_a_new_epoch_and_keeps_numbering():
    fresh = moved(replace(PLAYING, next_seq=9), "reset", None, 1001.0, last_tick=500)
    assert (fresh.anchor_tick, fresh.playing, fresh.epoch, fresh.next_seq) == (0.0, False, 1, 9)


def test_a_longer_idle_pause_holds_for_controls_too():
    paused = moved(PLAYING, "pause", None, 1100.0, last_tick=500, idle_pause_s=600.0)
    assert paused.anchor_tick == 210.0


@pytest.mark.parametrize("rate", [0.09, 60.1, float("nan"), float("inf"), "2", None, True, 10**400])
def test_a_speed_that_is_no_number_or_outside_its_limits_is_refused_with_the_limits(rate):
    with pytest.raises(DataError, match=r"^speed: .*give 0.1 to 60 ticks per second$"):
        moved(PAUSED, "speed", rate, 1001.0, last_tick=500)


@pytest.mark.parametrize("tick", [-1, 501, 3.5, float("nan"), "40", None, False])
def test_a_scrub_outside_the_session_is_refused_with_its_limits(tick):
    with pytest.raises(DataError, match=r"^tick: .*give 0 to 500$"):
        moved(PAUSED, "scrub", tick, 1001.0, last_tick=500)


def test_the_limits_themselves_and_whole_floats_are_accepted():
    assert moved(PAUSED, "speed", 0.1, 1001.0, last_tick=500).ticks_per_second == 0.1
    assert moved(PAUSED, "speed", 60, 1001.0, last_tick=500).ticks_per_second == 60.0
    assert moved(PAUSED, "scrub", 500.0, 1001.0, last_tick=500).anchor_tick == 500.0


def test_settings_are_the_defaults_updated_in_order_of_tick_then_sequence():
    events = [Event(4, 3, "gain", 4), Event(1, 5, "gain", 1), Event(2, 5, "gain", 2), Event(3, 2, "mode", "b")]
    defaults = {"gain": 0, "mode": "a"}
    assert settings_at(defaults, events, 1) == {"gain": 0, "mode": "a"}
    assert settings_at(defaults, events, 2) == {"gain": 0, "mode": "b"}
    assert settings_at(defaults, events, 4) == {"gain": 4, "mode": "b"}
    assert settings_at(defaults, events, 5) == {"gain": 2, "mode": "b"}
    assert defaults == {"gain": 0, "mode": "a"}


def test_the_control_key_is_not_in_the_text_of_a_record():
    assert "secret" not in repr(PAUSED)
