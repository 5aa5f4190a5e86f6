"""Stories tell themselves through the page's own commands; a replay file plays without a server."""

from energy_sim.clock import Event
from tests.browser.dashboard import MARKS, expected_cards, message_of_day
from tests.browser.test_library_page import ask, downloaded, downloads

pytestmark = MARKS
__all__ = ["downloads"]


def test_a_story_goes_to_its_day_plays_and_says_its_caption_until_somebody_acts(page):
    page.open()
    page.js(
        "const s = document.querySelector('#zones-stories select');s.value = '0'; s.dispatchEvent(new Event('change'))"
    )
    page.wait("document.getElementById('zones-caption').textContent.startsWith('A winter week')", "the caption")
    page.wait("kraftflyt.zonesPage().last.t >= 5 && kraftflyt.zonesPage().last.p", "days after 4 January, playing")
    page.click("[data-command=play]")
    page.wait("!kraftflyt.zonesPage().last.p", "the pause")
    assert page.js("return document.getElementById('zones-caption').textContent") == ""
    assert page.js("return kraftflyt.zonesPage().story") is None


def test_a_story_that_needs_other_days_says_so_and_leaves_the_session_alone(page):
    page.open("/zones?start=2017-01-10")
    page.js(
        "const s = document.querySelector('#zones-stories select');s.value = '0'; s.dispatchEvent(new Event('change'))"
    )
    page.wait("document.getElementById('toast').textContent.includes('2016-01-04')", "what the story needs")
    assert page.js("return kraftflyt.zonesPage().story || null") is None
    assert page.last()["t"] == 0


def test_a_slider_stops_a_story(page):
    page.open()
    page.js(
        "const s = document.querySelector('#zones-stories select');s.value = '0'; s.dispatchEvent(new Event('change'))"
    )
    page.wait("kraftflyt.zonesPage().last.p", "the story playing")
    page.set_range("range-wind_factor", 1.5)
    assert page.js("return kraftflyt.zonesPage().story") is None


def test_a_replay_file_shows_the_same_days_without_a_server(page, downloads, server):
    page.open()
    page.turn("two_hop", on=False)
    page.scrub(12)
    page.click("#tab-export")
    ask(page, "Replay of the days so far (HTML)", "html")
    name, content = downloaded(downloads, ".html")
    assert name == "replay_2016-01-13.html"
    assert b"http://" not in content.replace(b"http://www.w3.org/", b"")
    path = downloads / "replay.html"
    path.write_bytes(content)
    page.driver.get(path.as_uri())
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last", "the first day")
    events = (Event(1, 1, "two_hop", False),)
    assert page.cards() == expected_cards(message_of_day(server.config_file, 0, events))
    page.click("[data-command=end]")
    page.wait("kraftflyt.zonesPage().last.t === 12", "the last day")
    assert page.cards() == expected_cards(message_of_day(server.config_file, 12, events))
    page.click("[data-command=reset]")
    page.click("[data-command=play]")
    page.wait("kraftflyt.zonesPage().last.t >= 3", "days passing")
