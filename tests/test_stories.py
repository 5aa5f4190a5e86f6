"""Stories: the shipped one can be told, faults in a file are named."""

import pytest

from energy_sim.community.live import open_community, session_parameters
from energy_sim.config import load_config
from energy_sim.errors import ConfigError
from energy_sim.stories import read_story, stories_for
from energy_sim.zones.live import default_parameters, open_zones
from tests.conftest import ROOT


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


def written(folder, page, steps):
    path = folder / f"{page}.yaml"
    path.write_text(f"title: T\npage: {page}\nsteps: {steps}\n", encoding="utf-8")
    return path


def test_a_story_of_the_community_goes_to_ticks_sets_time_and_controls_of_any_kind_and_plays_or_pauses(tmp_path):
    steps = "[{tick: 30, time_scale: 60, play: true, set: {pv_variation: disabled, flex_load_probability: 1, ev: yes}}]"
    step = read_story(written(tmp_path, "community", steps)).to_json()["steps"][0]
    assert step == {
        "day": None,
        "tick": 30,
        "set": {"pv_variation": "disabled", "flex_load_probability": 1.0, "ev": True},
        "days_per_second": None,
        "time_scale": 60.0,
        "steps_per_second": None,
        "play": True,
        "caption": "",
        "wait": 5.0,
    }
    assert type(step["set"]["ev"]) is bool
    assert type(step["set"]["flex_load_probability"]) is float


@pytest.mark.parametrize(
    ("page", "steps", "faults"),
    [
        ("zones", "[{}, {time_scale: 60}]", ["steps[1].time_scale: the page zones has no such thing"]),
        (
            "community",
            "[{day: 2016-01-04, days_per_second: 2}]",
            [
                "steps[0].day: the page community has no such thing, zones has; give tick",
                "steps[0].days_per_second: the page community has no such thing, zones has; give time_scale",
            ],
        ),
        ("zones", "[{day: 2016-01-04, tick: 3}]", ["steps[0].tick: 3 stands beside a day; give one of them"]),
        ("community", "[{tick: -1}]", ["steps[0].tick: -1 is below 0"]),
        ("community", "[{time_scale: 0.5}]", ["steps[0].time_scale: 0.5 is below 1"]),
        ("community", "[{play: 1}]", ["steps[0].play: 1 is refused"]),
    ],
)
def test_a_step_that_its_page_cannot_do_is_refused_with_what_to_write(tmp_path, page, steps, faults):
    path = written(tmp_path, page, steps)
    with pytest.raises(ConfigError) as caught:
        read_story(path)
    assert len(caught.value.problems) == len(faults)
    for fault in faults:
        assert any(f"{path}: {fault}" in line for line in caught.value.problems), fault


def test_a_page_gets_its_own_stories(tmp_path):
    written(tmp_path, "zones", "[{day: 2016-01-04}]")
    written(tmp_path, "community", "[{tick: 5}]")
    assert [story.steps[0].tick for story in stories_for(tmp_path, "community")] == [5]
    assert [str(story.steps[0].day) for story in stories_for(tmp_path, "zones")] == ["2016-01-04"]


def test_a_page_without_stories_has_none(tmp_path):
    assert stories_for(tmp_path / "absent", "zones") == []


def test_every_control_of_the_shipped_street_story_is_one_that_the_street_takes():
    live = open_community(session_parameters(load_config().community))
    (story,) = stories_for(ROOT / "stories", "community")
    changes = [(name, value) for step in story.steps for name, value in step.set.items()]
    changes += [("time_scale", step.time_scale) for step in story.steps if step.time_scale]
    assert len(changes) > 5
    for name, value in changes:
        assert live.check(name, value) == value
