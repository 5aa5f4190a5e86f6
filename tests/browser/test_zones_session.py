"""Links: two tabs agree, who watches cannot control, a reload loses nothing, a bad link gets a message."""

import json

import pytest

from energy_sim.clock import Event
from tests.browser.dashboard import MARKS, expected_cards, message_of_day, post_callback, wait_until

pytestmark = MARKS


@pytest.fixture
def second(page):
    """A second window of the same browser; the first one is in front again afterwards."""
    first = page.driver.current_window_handle
    page.driver.execute_cdp_cmd("Target.createTarget", {"url": "about:blank", "newWindow": True})
    wait_until(lambda: len(page.driver.window_handles) == 2, "a second window")
    other = next(h for h in page.driver.window_handles if h != first)
    yield {"first": first, "other": other}
    page.driver.switch_to.window(other)
    page.driver.close()
    page.driver.switch_to.window(first)


def test_two_windows_on_the_same_link_show_the_same_and_both_control(page, second, server):
    page.open()
    link = page.js("return location.pathname + location.search")
    page.driver.switch_to.window(second["other"])
    page.size(1440, 900)
    page.open(link)
    page.driver.switch_to.window(second["first"])
    page.turn("two_hop", on=False)
    page.step()
    page.driver.switch_to.window(second["other"])
    page.wait("kraftflyt.zonesPage().last.t === 1", "the step of the other window")
    page.wait("document.querySelector('[data-switch=two_hop]').getAttribute('aria-checked') === 'false'")
    expected = expected_cards(message_of_day(server.config_file, 1, (Event(1, 1, "two_hop", False),)))
    assert page.cards() == expected
    page.step()
    page.driver.switch_to.window(second["first"])
    page.wait("kraftflyt.zonesPage().last.t === 2", "the step of the second window")
    events = (Event(1, 1, "two_hop", False),)
    assert page.cards() == expected_cards(message_of_day(server.config_file, 2, events))


def test_begin_again_in_one_window_moves_the_other_to_the_new_first_day(page, second, server):
    page.open()
    link = page.js("return location.pathname + location.search")
    page.driver.switch_to.window(second["other"])
    page.size(1440, 900)
    page.open(link + "&view=export")
    page.driver.switch_to.window(second["first"])
    page.js("document.getElementById('start-date').value = '2018-01-12'")
    page.click("[data-action=restart]")
    page.wait("kraftflyt.zonesPage().last.d === '2018-01-12'")
    page.driver.switch_to.window(second["other"])
    page.wait("kraftflyt.zonesPage().last.d === '2018-01-12'")
    page.wait("document.querySelector('.kf-scrub-ends span').textContent === '2018-01-12'")
    page.wait("document.getElementById('zones-command-line').textContent.includes('--start 2018-01-12')")
    chart = "document.querySelector('#zones-flows .js-plotly-plot').data[0].x"
    page.wait(f"{chart}.length === 1 && {chart}[0].startsWith('2018-01-12')", "the chart of the new session")


def test_the_watching_link_shows_the_days_and_no_controls(page, second):
    page.open()
    link = page.link()
    page.driver.switch_to.window(second["other"])
    page.size(1440, 900)
    page.open(f"/zones?session={link['session']}")
    assert page.js("return document.querySelectorAll('[data-command],[data-switch],[data-range]').length") == 0
    assert page.js("return document.getElementById('scrub').disabled")
    assert "watching" in page.js("return document.querySelector('.kf-transport').innerText")
    assert link["key"] not in page.js("return document.documentElement.innerHTML + location.href")
    page.press(" ")
    page.driver.switch_to.window(second["first"])
    page.step()
    page.driver.switch_to.window(second["other"])
    page.wait("kraftflyt.zonesPage().last.t === 1", "the presenter's step")
    page.js("kraftflyt.send('scrub', 50)")
    page.wait("/only watches/.test(document.getElementById('toast').textContent)", "the refusal")
    assert page.last()["t"] == 1


def control_output(page):
    """The name under which the server knows the callback that carries out commands."""
    layout = page.js("return fetch('/_dash-dependencies').then(r => r.text())")
    found = [d["output"] for d in json.loads(layout) if [i["id"] for i in d["inputs"]] == ["command"]]
    assert len(found) == 1
    return found[0]


def test_a_forged_command_is_refused_and_the_page_shows_what_it_showed(page):
    page.open()
    page.step()
    link, before = page.link(), page.last()
    status, answer = post_callback(
        page.server.url,
        control_output(page),
        [{"id": "command", "property": "data", "value": {"n": 1, "name": "wind", "value": False}}],
        [
            {"id": "session-link", "property": "data", "value": {"session": link["session"], "key": "forged"}},
            {"id": "seen", "property": "data", "value": {"t": 0, "v": 0, "ep": 0}},
        ],
        ["command.data"],
    )
    assert status == 200
    assert "only watches" in answer
    page.driver.refresh()
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last")
    after = page.last()
    assert (after["t"], after["v"], after["set"], after["p"]) == (1, before["v"], before["set"], 0)


def test_a_reload_keeps_day_switches_theme_and_tab(page):
    page.open()
    page.scrub(40)
    page.turn("import_phase1", on=False)
    page.click("#tab-explain")
    page.press("t")
    page.wait("document.documentElement.dataset.theme === 'light'")
    cards, link = page.cards(), page.link()
    page.driver.refresh()
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last")
    assert page.cards() == cards
    assert page.link() == link
    assert page.last()["t"] == 40
    assert (
        page.js("return document.querySelector('[data-switch=import_phase1]').getAttribute('aria-checked')") == "false"
    )
    assert page.js("return document.documentElement.dataset.theme") == "light"
    assert page.js("return document.getElementById('tab-explain').getAttribute('aria-selected')") == "true"
    assert page.js("return document.querySelectorAll('.kf-scrub-mark').length") == 1


def test_a_deep_link_gives_day_theme_and_tab(page, server):
    page.open("/zones?start=2018-01-12&theme=light&view=explain")
    assert page.last()["d"] == "2018-01-12"
    assert page.cards() == expected_cards(message_of_day(server.config_file, 0, start="2018-01-12"))
    assert page.js("return document.documentElement.dataset.theme") == "light"
    assert not page.js("return document.getElementById('pane-explain').hidden")
    assert page.js("return document.getElementById('zones-explain').innerText.length") > 20
    query = page.js("return location.search")
    assert "session=" in query
    assert "start=" not in query


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("session=nobody", "there is none"),
        ("session=" + "x" * 3000, "there is none"),
        ("session='; drop table sessions; --", "there is none"),
        ("run=zones_20200101_000000_abcdef", "none of that name"),
        ("run=../../etc/passwd", "not a run's name"),
        ("start=2018-13-40", "is no date"),
        ("start=tomorrow", "is no date"),
        ("start=1990-01-01", "2016-01-01 to 2022-12-31"),
    ],
)
def test_a_bad_link_gets_a_message(page, query, says):
    page.load(f"/zones?{query}")
    page.wait("document.querySelector('.kf-message-page')", "a message")
    text = page.js("return document.querySelector('.kf-message-page').innerText")
    assert says in text
    assert "Traceback" not in text


@pytest.mark.parametrize("query", ["session=nobody", "start=1990-01-01"])
def test_the_message_of_a_bad_link_has_a_way_on(page, query):
    page.load(f"/zones?{query}")
    page.wait("document.querySelector('.kf-message-page a')", "a message")
    page.click(".kf-message-page a")
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last", "a new session")


def test_a_wrong_key_only_watches(page):
    page.open()
    link = page.link()
    page.open(f"/zones?session={link['session']}&key=wrong")
    assert page.js("return document.querySelectorAll('[data-command]').length") == 0
    assert page.link()["key"] == ""


def test_a_link_to_the_page_that_is_open_keeps_the_session(page):
    page.open()
    page.step()
    before = page.link()
    page.press("2")  # the page that is open already
    page.press("?")
    page.wait("document.getElementById('help-dialog').open")
    page.click("#help-dialog [data-action=close-dialog]")
    page.driver.refresh()
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last")
    assert page.link() == before
    assert page.last()["t"] == 1


def test_back_from_another_page_returns_to_the_session(page):
    page.open()
    page.step()
    before = page.link()
    page.press("6")
    page.wait("document.querySelector('.kf-library')")
    page.driver.back()
    page.wait("document.querySelector('.kf-zones-grid') && kraftflyt.zonesPage().last", "the zones page")
    page.wait(f"kraftflyt.zonesPage().session === '{before['session']}'", "the same session")
    page.wait("kraftflyt.zonesPage().last.t === 1")
    assert page.cards()["Demand"]


def test_the_share_dialog_gives_a_link_to_watch_and_one_to_control(page):
    page.open()
    link = page.link()
    page.click("[data-action=share]")
    urls = page.js("return [...document.querySelectorAll('#share-links input')].map(i => i.value)")
    assert [link["key"] in url for url in urls] == [False, True]
    assert all(link["session"] in url for url in urls)


def test_playing_in_a_window_continues_from_the_same_day_after_a_reload(page):
    page.open()
    page.click("[data-command=play]")
    page.wait("kraftflyt.zonesPage().last.t > 1")
    page.driver.refresh()
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last")
    assert page.last()["p"] == 1
    at = page.last()["t"]
    page.wait(f"kraftflyt.zonesPage().last.t > {at + 1}", "days after the reload")
    page.click("[data-command=play]")
    page.wait("kraftflyt.zonesPage().last.p === 0")
