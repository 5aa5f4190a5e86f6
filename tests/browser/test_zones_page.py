"""The zones page opens, plays, and obeys buttons and keys; nothing it needs comes from another machine."""

import json
from urllib.parse import urlparse

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.dashboard import MARKS, expected_cards, message_of_day

pytestmark = MARKS

PLAYING = "kraftflyt.zonesPage().last.p === 1"
PAUSED = "kraftflyt.zonesPage().last.p === 0"


def requested(page):
    """Every address the browser asked for since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]
    urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return [*urls, *(e["params"]["url"] for e in events if e["method"] == "Network.webSocketCreated")]


def note(page):
    return page.js("return document.querySelector('#zones-date small').textContent")


@pytest.mark.parametrize(
    ("path", "shows"),
    [
        ("/", "Open the zones"),
        ("/zones", "How demand was met"),
        ("/community", "Power of the street"),
        ("/library", "Library of finished runs"),
        ("/nowhere/at-all", "There is no such page"),
    ],
)
def test_every_page_opens_and_asks_no_other_machine_for_anything(page, path, shows):
    page.load("/health")
    requested(page)
    page.load(path)
    page.wait(f"document.getElementById('content').innerText.includes({json.dumps(shows)})", shows)
    page.wait("document.fonts.status === 'loaded' && document.fonts.check('16px Inter')", "the font")
    page.wait("performance.getEntriesByType('resource').length > 3")
    urls = requested(page)
    assert len(urls) > 5
    strangers = [u for u in urls if urlparse(u).scheme not in {"data", "blob"} and not u.startswith(page.server.url)]
    assert strangers == []


def test_an_unknown_address_leads_home_by_a_link(page):
    page.load("/nowhere")
    page.wait("document.querySelector('.kf-message-page a')")
    page.click(".kf-message-page a")
    page.wait("document.querySelector('.kf-overview')", "the overview")
    assert page.js("return location.pathname") == "/"


def test_the_overview_draws_the_first_days_of_the_core_one_after_the_other(page, server):
    page.load("/")
    levels = "[...document.querySelectorAll('#overview-zones .kf-node-level')].map(t => t.textContent)"
    page.wait(f"{levels}.length === 5")
    first = page.js(f"return {levels}")
    assert all(text.endswith("\u00a0%") for text in first)
    page.wait("document.querySelectorAll('#overview-zones .kf-arrow:not(.kf-off)').length > 0", "a transfer")
    page.click(".kf-room")
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last", "the zones page")


def test_the_first_day_is_on_screen_as_the_core_has_it(page, server):
    page.open()
    day = message_of_day(server.config_file, 0)
    assert page.cards() == expected_cards(day)
    assert page.last()["z"] == day["z"]
    shown = page.js("return document.getElementById('zones-date').firstChild.textContent")
    assert shown.replace(",", "") == "Fri 1 January 2016"
    assert note(page).startswith("day 1 of 2\u202f557")


def test_step_back_reset_and_end_by_the_buttons(page, server):
    page.open()
    page.step()
    second = page.cards()
    assert second == expected_cards(message_of_day(server.config_file, 1))
    page.step()
    page.click("[data-command=back]")
    page.wait("kraftflyt.zonesPage().last.t === 1")
    assert page.cards() == second
    page.click("[data-command=back]")
    page.wait("kraftflyt.zonesPage().last.t === 0")
    page.click("[data-command=back]")  # nothing lies before the first day
    page.turn("wind", on=False)
    assert page.last()["t"] == 0
    page.scrub(300)
    page.click("[data-command=reset]")
    page.wait("kraftflyt.zonesPage().last.t === 0")
    assert page.last()["set"]["wind"] is True
    page.wait("document.querySelector('[data-switch=wind]').getAttribute('aria-checked') === 'true'")
    page.wait("document.querySelectorAll('.kf-scrub-mark').length === 0")


def test_at_the_end_it_says_so_and_play_does_nothing(page):
    page.open("/zones?start=2022-12-01")
    page.click("[data-command=end]")
    page.wait("kraftflyt.zonesPage().last.e === 1")
    assert page.last()["d"] == "2022-12-31"
    assert "the end" in note(page)
    page.click("[data-command=play]")
    page.click("[data-command=back]")  # answered after the play before it
    page.wait("kraftflyt.zonesPage().last.t === 29")
    assert page.last()["p"] == 0
    assert "the end" not in note(page)


def test_played_to_the_end_it_stops_there(page):
    page.open("/zones?start=2022-12-28")
    page.set_range("range-speed", 7)
    page.click("[data-command=play]")
    page.wait("kraftflyt.zonesPage().last.e === 1 && kraftflyt.zonesPage().last.p === 0", "the stop")
    assert page.last()["d"] == "2022-12-31"
    page.wait("document.querySelector('[data-command=play]').dataset.playing === '0'")


def test_playing_moves_through_days_in_order_with_the_numbers_of_the_core_and_pauses_on_a_day(page, server):
    page.open()
    page.js(
        "window.seen = []; const net = kraftflyt.zonesPage().net, update = net.update;"
        "net.update = tick => { seen.push(kraftflyt.zonesPage().last.t); update(tick); }"
    )
    page.click("[data-command=play]")
    page.wait("kraftflyt.zonesPage().last.t >= 8", "eight days")
    assert page.js("return document.querySelector('[data-command=play]').getAttribute('aria-label')").startswith(
        "Pause"
    )
    page.click("[data-command=play]")
    page.wait(PAUSED)
    last = page.last()
    assert page.cards() == expected_cards(message_of_day(server.config_file, last["t"]))
    assert "paused" in note(page)
    seen = page.js("return seen")
    assert seen == sorted(seen)
    assert len(set(seen)) >= 4  # at four days a second and four looks a second


def test_the_speed_is_what_the_slider_says(page):
    page.open()
    page.set_range("range-speed", 5)
    page.wait("kraftflyt.zonesPage().last.r === 15")
    assert page.js("return document.querySelector('[data-range=speed] output').textContent") == "15\u00a0days/s"
    page.set_range("range-speed", 0)
    page.wait("kraftflyt.zonesPage().last.r === 0.5")
    assert page.js("return document.querySelector('[data-range=speed] output').textContent") == "0.5\u00a0days/s"


def test_ten_quick_clicks_are_ten_days(page):
    page.open()
    for _ in range(10):
        page.press(Keys.ARROW_RIGHT)
    page.wait("kraftflyt.zonesPage().last.t === 10", "the tenth day")
    page.step()  # nothing more was waiting
    assert page.last()["t"] == 11


def test_an_answer_that_never_comes_does_not_hold_up_the_controls_for_good(page):
    page.open()
    page.js("kraftflyt.acknowledge = () => {}")
    page.press(Keys.ARROW_RIGHT)
    page.press(Keys.ARROW_RIGHT)
    page.wait("kraftflyt.zonesPage().last.t === 2", "both steps")


def test_keys_play_step_go_home_change_speed_and_theme(page):
    page.open()
    page.press(Keys.ARROW_RIGHT)
    page.wait("kraftflyt.zonesPage().last.t === 1")
    page.press(Keys.ARROW_LEFT)
    page.wait("kraftflyt.zonesPage().last.t === 0")
    page.press(Keys.SPACE)
    page.wait(PLAYING)
    page.press("+")
    page.wait("kraftflyt.zonesPage().last.r === 7")
    page.press("-")
    page.press("-")
    page.wait("kraftflyt.zonesPage().last.r === 2")
    page.press(Keys.SPACE)
    page.wait(PAUSED)
    page.press(Keys.HOME)
    page.wait("kraftflyt.zonesPage().last.t === 0")
    page.press("t")
    page.wait("document.documentElement.dataset.theme === 'light'")
    page.press("T")
    page.wait("document.documentElement.dataset.theme === 'dark'")


def test_presentation_mode_hides_the_controls_keeps_the_keys_and_is_left_by_escape(page):
    page.open()
    page.press("p")
    page.wait("document.querySelector('.kf-buttons').offsetParent === null")
    assert page.js("return document.querySelector('.kf-header').offsetParent") is None
    page.press(Keys.ARROW_RIGHT)
    page.wait("kraftflyt.zonesPage().last.t === 1")
    page.press(Keys.SPACE)
    page.wait(PLAYING)
    page.press(Keys.SPACE)
    page.wait(PAUSED)
    page.press(Keys.ESCAPE)
    page.wait("document.querySelector('.kf-buttons').offsetParent !== null")


def test_question_mark_shows_the_keys_and_escape_closes_them(page):
    page.open()
    page.press("?")
    page.wait("document.getElementById('help-dialog').open")
    assert "play or pause" in page.js("return document.getElementById('help-dialog').innerText")
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.wait("!document.getElementById('help-dialog').open")
    page.press("?")
    page.wait("document.getElementById('help-dialog').open")
    page.click("#help-dialog [data-action=close-dialog]")
    page.wait("!document.getElementById('help-dialog').open")
    assert page.last()["t"] == 0


def test_digits_open_the_pages(page):
    page.open()
    page.press("6")
    page.wait("document.querySelector('.kf-library')", "the library")
    page.press("3")
    page.wait("document.getElementById('community-street') && kraftflyt.communityPage().last", "the street")
    page.press("1")
    page.wait("document.querySelector('.kf-overview')", "the overview")
    page.press("2")
    page.wait("kraftflyt.zonesPage().last && document.querySelector('.kf-zones-grid')", "the zones")
    page.wait("new URLSearchParams(location.search).get('session')", "a session in the address")


def test_keys_in_a_field_stay_in_the_field_and_a_slider_keeps_its_arrows(page):
    page.open()
    field = page.driver.find_element("css selector", "#start-date")
    field.send_keys("t")
    assert page.js("return document.documentElement.dataset.theme") == "dark"
    slider = page.driver.find_element("css selector", "#range-wind_factor")
    slider.send_keys(Keys.ARROW_RIGHT)
    page.wait("kraftflyt.zonesPage().last.set.wind_factor === 1.05")
    assert page.last()["t"] == 0
