"""Stories: the shipped one can be told, faults in a file are named."""

import pytest

from energy_sim.config import load_config
from energy_sim.errors import ConfigError
from energy_sim.stories import read_story, stories_for
from energy_sim.zones.live import default_parameters, open_zones


def test_every_step_of_the_shipped_story_can_be_carried_out(root):
    (story,) = stories_for(root / "stories", "zones")
    live = open_zones(load_config(), default_parameters(load_config()))
    assert len(story.steps) == 8
    for step in story.steps:
        assert step.day is None or 0 <= live.tick_of(step.day) <= live.last_tick
        assert [live.check(name, value) for name, value in step.set.items()] == list(step.set.values())


def test_faults_of_a_story_are_named_together(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text("title: T\npage: zones\nsteps:\n  - {wait: -1, shout: yes}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_story(path)
    assert len(caught.value.problems) == 2
    assert any("steps[0].wait: -1 is below 0" in line for line in caught.value.problems)
    assert any("steps[0].shout: unknown key" in line for line in caught.value.problems)


def test_switches_is_another_word_for_set(tmp_path):
    path = tmp_path / "talk.yaml"
    steps = "[{switches: {two_hop: false, wind_factor: 0.5}}, {set: {two_hop: true}}, {caption: the end}]"
    path.write_text(f"title: T\npage: zones\nsteps: {steps}\n", encoding="utf-8")
    story = read_story(path)
    assert [step.set for step in story.steps] == [{"two_hop": False, "wind_factor": 0.5}, {"two_hop": True}, {}]
    assert story.to_json()["steps"][0]["set"] == {"two_hop": False, "wind_factor": 0.5}


def test_a_step_with_both_words_is_refused(tmp_path):
    path = tmp_path / "talk.yaml"
    path.write_text("title: T\npage: zones\nsteps: [{set: {wind: true}, switches: {wind: false}}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"steps\[0\]\.switches: unknown key"):
        read_story(path)


def test_a_page_without_stories_has_none(tmp_path):
    assert stories_for(tmp_path / "absent", "zones") == []
