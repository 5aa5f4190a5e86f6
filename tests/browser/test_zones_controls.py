"""Every switch, option and factor on the page changes the numbers on screen exactly as the core says."""

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from energy_sim.clock import Event
from energy_sim.config import load_config
from energy_sim.zones.pipeline import network_from
from tests.browser.dashboard import (
    MARKS,
    expected_cards,
    expected_levels,
    expected_transfers,
    message_of_day,
)

pytestmark = MARKS


@pytest.fixture(scope="module")
def network(server):
    return network_from(load_config(server.config_file))


def assert_shows(page, message, network):
    """Cards, node levels and the transfers table say what a message of the core says."""
    assert page.cards() == expected_cards(message)
    assert page.levels() == expected_levels(message)
    shown = sorted(row[:8] for row in page.transfers())
    assert shown == sorted(expected_transfers(message, network))


SWITCHES = {  # and a day on which each makes a difference
    "wind": 102,
    "balance_levels": 416,
    "import_phase2": 446,
    "import_phase1": 686,
    "local_hydro": 741,
    "two_hop": 741,
}


def test_a_click_on_a_switch_changes_the_next_day_as_the_core_says_and_a_second_click_changes_it_back(
    page, server, network
):
    page.open("/zones")
    for switch, tick in SWITCHES.items():
        page.scrub(tick - 1)
        on = switch == "balance_levels"
        page.turn(switch, on=on)
        assert_shows(page, message_of_day(server.config_file, tick - 1), network)  # the day on screen stays
        page.step()
        changed = message_of_day(server.config_file, tick, (Event(1, tick, switch, on),))
        assert expected_cards(changed) != expected_cards(message_of_day(server.config_file, tick)), switch
        assert_shows(page, changed, network)
        page.turn(switch, on=not on)
        page.step()
        events = (Event(1, tick, switch, on), Event(2, tick + 1, switch, not on))
        assert_shows(page, message_of_day(server.config_file, tick + 1, events), network)
        page.click("[data-command=reset]")  # the next switch finds a session without changes
        page.wait("kraftflyt.zonesPage().last.t === 0 && kraftflyt.zonesPage().events.length === 0", "the first day")


def test_factors_act_from_the_next_day_and_with_surplus_wind_sharing_it_replaces_water(page, server, network):
    page.open("/zones")
    for name, value in (("consumption_factor", 0.1), ("wind_factor", 2), ("inflow_factor", 0.5)):
        page.set_range(f"range-{name}", value)
        page.wait(f"kraftflyt.zonesPage().last.set.{name} === {value}")
    page.scrub(7)
    factors = (
        Event(1, 1, "consumption_factor", 0.1),
        Event(2, 1, "wind_factor", 2.0),
        Event(3, 1, "inflow_factor", 0.5),
    )
    assert_shows(page, message_of_day(server.config_file, 7, factors), network)
    page.turn("share_wind", on=True)
    page.step()
    shared = message_of_day(server.config_file, 8, (*factors, Event(4, 8, "share_wind", True)))
    assert any(row[5] for row in shared["x"])  # some transfer is wind
    assert shared["tot"] != message_of_day(server.config_file, 8, factors)["tot"]
    assert_shows(page, shared, network)
    assert "wind" in {row[7] for row in page.transfers()}


def test_begin_again_takes_another_first_day_and_start_level_and_clears_the_changes(page, server, network):
    page.open("/zones")
    page.turn("wind", on=False)
    page.js("document.getElementById('start-date').value = '2018-01-12'")
    page.set_range("range-reservoir_factor", 0.5)
    assert page.last()["d"] == "2016-01-01"  # nothing happens before the button is pressed
    page.click("[data-action=restart]")
    page.wait("kraftflyt.zonesPage().last.d === '2018-01-12'")
    again = message_of_day(server.config_file, 0, start="2018-01-12", reservoir_factor=0.5)
    assert expected_levels(again) != expected_levels(message_of_day(server.config_file, 0, start="2018-01-12"))
    assert_shows(page, again, network)
    assert page.last()["set"]["wind"] is True
    assert page.js("return document.getElementById('scrub').max") == str(again["n"])
    assert page.js("return document.querySelector('.kf-scrub-ends span').textContent") == "2018-01-12"
    page.step()
    assert page.js("return document.getElementById('zones-date').firstChild.textContent").startswith("Sat")


def test_a_first_day_outside_the_data_is_refused_with_the_range_and_the_session_goes_on(page):
    page.open("/zones?start=2018-01-12")
    before = page.last()
    page.js("document.getElementById('start-date').value = '2031-01-01'")
    page.click("[data-action=restart]")
    page.wait("/2016-01-01 to 2022-12-31/.test(document.getElementById('toast').textContent)", "the message")
    assert page.last()["d"] == before["d"]
    page.step()
    assert page.last()["d"] == "2018-01-13"


def test_changes_are_marked_on_the_scrub_bar_and_in_both_charts(page):
    page.open("/zones?start=2018-01-12")
    page.turn("two_hop", on=False)
    page.step()
    assert page.js("return [...document.querySelectorAll('.kf-scrub-mark')].map(m => m.title)") == [
        "2018-01-13: Two-hop routes off"
    ]
    for chart in ("zones-flows", "zones-reservoirs"):
        page.wait(
            f"JSON.stringify(document.querySelector('#{chart} .js-plotly-plot').layout).includes('Two-hop routes off')",
            f"the mark in {chart}",
        )


def test_the_charts_hold_every_day_that_was_shown_with_the_numbers_of_the_core(page, server):
    page.open("/zones?start=2018-01-12")
    for _ in range(4):
        page.step()
    script = (
        "const g = document.querySelector('#zones-flows .js-plotly-plot');"
        "return g.data.slice(0, 6).map(t => [[...t.x].map(x => x.slice(0, 10)), [...t.y]])"
    )
    page.wait("document.querySelector('#zones-flows .js-plotly-plot').data[0].x.length === 5", "five days")
    drawn = page.js(script)
    days = [message_of_day(server.config_file, t, start="2018-01-12") for t in range(5)]
    for column, (x, y) in enumerate(drawn):
        assert x == [day["d"] for day in days]
        assert y == pytest.approx([day["s"][0][1 + column] / 1000 for day in days], abs=2e-4)
    levels = page.js(
        "const g = document.querySelector('#zones-reservoirs .js-plotly-plot');"
        "return Object.fromEntries(g.data.filter(t => /^NO.$/.test(t.name)).map(t => [t.name, [...t.y]]))"
    )
    assert set(levels) == {"NO1", "NO2", "NO3", "NO4", "NO5"}
    for i, zone in enumerate(("NO1", "NO2", "NO3", "NO4", "NO5")):
        assert levels[zone] == pytest.approx([day["z"][i][8] for day in days], abs=0.006)


def test_a_chart_of_a_day_or_two_counts_days_and_not_milliseconds(page):
    page.open("/zones?start=2018-01-12")
    ticks = "[...document.querySelectorAll('#zones-flows .xtick')].map(t => t.textContent)"
    page.wait(f"{ticks}.length > 0 && {ticks}.every(t => !t.includes(':'))", "days below the first day")
    for _ in range(2):
        page.step()
    page.wait(f"{ticks}.includes('14 Jan') && {ticks}.every(t => !t.includes(':'))", "days below three days")


def test_space_plays_after_a_slider_was_used_with_the_mouse(page):
    page.open()
    slider = page.driver.find_element("id", "range-wind_factor")
    ActionChains(page.driver).click_and_hold(slider).move_by_offset(40, 0).release().perform()
    page.wait("kraftflyt.zonesPage().last.set.wind_factor !== 1", "the factor")
    page.press(Keys.SPACE)
    page.wait("kraftflyt.zonesPage().last.p === 1", "days passing")


def test_the_rules_told_with_a_day_are_those_of_that_day_not_of_the_next(page):
    page.open("/zones?view=explain")
    page.scrub(20)
    page.turn("two_hop", on=False)
    page.wait("kraftflyt.zonesPage().last.now", "the rules of the day")
    assert "Rules" not in page.js("return document.getElementById('zones-explain').textContent")
    page.step()
    assert "Rules: Two-hop routes off." in page.js("return document.getElementById('zones-explain').textContent")


def test_many_steps_at_once_arrive_as_one_move(page):
    page.open()
    page.js("for (let i = 0; i < 40; i++) kraftflyt.send('step')")
    page.wait("kraftflyt.zonesPage().last.t === 40", "forty days on")
    page.js("for (let i = 0; i < 15; i++) kraftflyt.send('back')")
    page.wait("kraftflyt.zonesPage().last.t === 25", "fifteen days back")


def test_the_way_back_to_the_zones_leads_to_the_session_that_was_open(page):
    page.open()
    page.scrub(9)
    session = page.link()["session"]
    page.click(".kf-nav-link[href='/library']")
    page.wait("location.pathname === '/library'", "the library")
    page.click(".kf-nav-link[href='/zones']")
    page.wait("document.getElementById('zones-network') && kraftflyt.zonesPage().last.t === 9", "the ninth day")
    assert page.link()["session"] == session
