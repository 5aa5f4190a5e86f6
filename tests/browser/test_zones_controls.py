"""Every switch, option and factor on the page changes the numbers on screen exactly as the core says."""

import pytest

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


@pytest.mark.parametrize(
    ("switch", "tick"),
    [
        ("wind", 2176),
        ("import_phase1", 686),
        ("local_hydro", 741),
        ("import_phase2", 446),
        ("two_hop", 741),
        ("balance_levels", 416),
    ],
)
def test_a_click_on_a_switch_changes_the_next_day_as_the_core_says_and_a_second_click_changes_it_back(
    page, server, network, switch, tick
):
    usual = message_of_day(server.config_file, tick)
    page.open("/zones")
    page.scrub(tick - 1)
    on = switch == "balance_levels"
    page.turn(switch, on=on)
    assert_shows(page, message_of_day(server.config_file, tick - 1), network)  # the day on screen stays
    page.step()
    changed = message_of_day(server.config_file, tick, (Event(1, tick, switch, on),))
    assert expected_cards(changed) != expected_cards(usual)
    assert_shows(page, changed, network)
    page.turn(switch, on=not on)
    page.step()
    events = (Event(1, tick, switch, on), Event(2, tick + 1, switch, not on))
    assert_shows(page, message_of_day(server.config_file, tick + 1, events), network)


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
