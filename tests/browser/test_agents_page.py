"""The agents page over a real fleet: the page starts it, shows it, breaks it, heals it. One fleet for all of it."""

import json
from itertools import chain

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from energy_sim.agents.fleet.client import FleetClient
from energy_sim.config import load_config
from energy_sim.figures.fleet import flow_arrow
from energy_sim.figures.fleet_places import fleet_places
from tests.browser.dashboard import MARKS, Page, Server, wait_until
from tests.browser.test_shell import NAMELESS

pytestmark = MARKS

LAST = "kraftflyt.agentsPage().last"
NAMES = {"home_1", "home_2", "home_3", "battery_agent_1", "battery_agent_2"}


class AgentsPage(Page):
    """The agents page with a fleet that runs."""

    def open(self, query="", online=5):
        self.load("/health")
        self.load(f"/agents{query}")
        self.wait(f"{LAST}.A.filter(a => a[3] === 'online').length === {online}", f"{online} agents online", 60.0)
        return self

    def agent(self, name):
        return self.js(f"return {LAST}.A.find(a => a[0] === arguments[0])", name)

    def choose(self, name):
        """The real mouse to an agent in the picture."""
        self.js("document.getElementById('agents-picture').scrollIntoView({block: 'center'})")
        x, y = self.js(
            "const n = kraftflyt.agentsPage().net, d = n.discOf(arguments[0]); return n.toPage(d[0], d[1])", name
        )
        chain_ = ActionChains(self.driver, duration=0)
        chain_.w3c_actions.pointer_action.move_to_location(round(x), round(y))
        chain_.click().perform()
        self.wait(f"kraftflyt.agentsPage().chosen === '{name}'")

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).innerText", selector)

    def button(self, kind):
        return self.js(
            "const b = document.querySelector(`[data-fault=${arguments[0]}]`); return [b.disabled, b.title]", kind
        )


@pytest.fixture(scope="module")
def fleet_server(tmp_path_factory):
    """A dashboard whose fleet is its own; when all is done no process of it is left."""
    folder = tmp_path_factory.mktemp("agents")
    running = Server(folder, {"agents": {"state": str(folder / "fleet"), "logs": str(folder / "logs")}})
    client = FleetClient(load_config(running.config_file), timeout_s=3.0)
    try:
        yield running.start()
    finally:
        running.stop()
        if client.view()["why"] != "the fleet is not running":
            client.stop()
            wait_until(lambda: client.view()["why"] == "the fleet is not running", "the fleet's end", 15.0)


@pytest.fixture
def agents(fleet_server, chromium):
    browser = AgentsPage(chromium, fleet_server)
    browser.size(1440, 900)
    browser.load("/health")
    browser.js("localStorage.clear(); sessionStorage.clear()")
    browser.log()
    yield browser
    assert browser.log() == []


def test_the_page_starts_a_fleet_of_processes_says_so_and_draws_it_as_the_export_does(agents, fleet_server):
    agents.load("/agents?theme=light")
    agents.wait(
        "document.getElementById('agents-said').textContent.startsWith('The fleet starts: 3 homes')", "its start"
    )
    agents.wait("document.querySelector('#agents-progress progress').max === 6", "the progress")
    agents.wait(f"{LAST}.A.filter(a => a[3] === 'online').length === 5", "five agents online", 60.0)
    assert agents.js("return document.getElementById('agents-waiting').hidden")
    assert set(agents.js(f"return {LAST}.A.map(a => a[0])")) == NAMES
    assert agents.js("return kraftflyt.agentsPage().m.P.grid") == "running"
    drawn, nets, flows, ties, size = agents.js(
        f"const p = kraftflyt.agentsPage(); const d = p.net.polygons();"
        f"return [d.agents, Object.fromEntries({LAST}.A.map(a => [a[0], a[7]])), {LAST}.L.map(t => t[0]), d.ties,"
        "JSON.stringify(p.m).length]"
    )
    ids = ["transformer_A", "transformer_B"]
    order = [(name, ids[name in {"home_3", "battery_agent_2"}]) for name in sorted(NAMES)]
    places = fleet_places(ids, [tuple(ids)], sorted(order, key=lambda a: ("battery" in a[0], a)))
    assert {place.id for place in places.agents} == set(drawn)
    for place in places.agents:
        expected = flow_arrow(place.line, nets[place.id])
        assert list(chain(*drawn[place.id])) == pytest.approx(list(chain(*expected)), abs=0.01)
    assert list(chain(*ties[0])) == pytest.approx(list(chain(*flow_arrow(places.ties[0].line, flows[0]))), abs=0.01)
    assert size < 4000
    cycle = agents.js(f"return {LAST}.c")
    agents.wait(f"{LAST}.c > {cycle}", "the next cycle")


def test_an_agent_is_killed_and_healed_and_every_button_says_why_it_is_off(agents):
    agents.open()
    agents.choose("home_2")
    agents.wait("document.querySelector('[data-fault=kill]')", "its buttons")
    assert agents.button("heal") == [True, "It runs well: nothing to heal"]
    agents.click("[data-fault=kill]")
    agents.wait("kraftflyt.agentsPage().m.P.home_2 === 'killed'", "its death")
    agents.wait("document.querySelector('[data-fault=hang]').title === 'Its process is dead: heal it first'")
    agents.wait(
        "['late', 'lost'].includes(kraftflyt.agentsPage().last.A.find(a => a[0] === 'home_2')[3])", "its silence"
    )
    agents.wait(f"{LAST}.A.find(a => a[0] === 'home_2')[3] === 'lost'", "its loss")
    assert "of 5" in agents.text("[data-card='Agents online']")
    agents.wait(f"{LAST}.T[0][2] > 0.1", "how little is known of it, in its transformer")
    agents.click("[data-fault=heal]")
    agents.wait(f"{LAST}.A.find(a => a[0] === 'home_2')[3] === 'online'", "its return")


def test_without_the_grid_agent_the_page_says_so_and_goes_on_when_it_is_healed_and_the_audit_is_whole(agents):
    agents.open("?view=audit")
    cycle = agents.js(f"return {LAST}.c")
    agents.choose("grid")
    agents.click("[data-fault=kill]")
    agents.wait(
        "document.getElementById('agents-said').innerText.includes('The grid agent does not answer')", "its death"
    )
    agents.wait(
        f"{LAST}.A.length === 5 && {LAST}.A.every(a => a[3] === 'alone' && a[15])", "all, seen by the fleet alone"
    )
    assert agents.text("#agents-balance").startswith("✕ nobody coordinates")
    agents.click("[data-action=fleet-heal-all]")
    agents.wait(f"kraftflyt.agentsPage().m.A && {LAST}.c > {cycle}", "the next cycle")
    agents.wait("document.getElementById('agents-waiting').hidden")
    agents.click("#agents-verify")
    agents.wait("document.getElementById('agents-findings').innerText.includes('lines verified')", "the verdict")
    assert agents.text("#agents-findings").startswith("✓")
    agents.wait("document.querySelectorAll('#agents-entries tbody tr').length > 5", "the entries")


def test_cars_overload_a_transformer_and_what_no_neighbour_covers_is_curtailed(agents):
    agents.open("?view=plan")
    agents.click("[data-drive=cars]")
    agents.wait(f"{LAST}.A.some(a => a[13].length)", "orders")
    limit = agents.js(f"return {LAST}.T[0][3]")
    agents.wait(f"{LAST}.T[0][0] - {LAST}.T[0][8] < {LAST}.T[0][3] + 1", "the limit kept, as reports say")
    before, after, short, help_kw, flow = agents.js(f"const t = {LAST}.T[0]; return [...t.slice(5, 9), {LAST}.L[0][0]]")
    assert before > limit >= after - short
    row = (
        "[...document.querySelectorAll('.kf-plan-rows tbody tr')].map(r => [...r.children].map(c => c.textContent))[0]"
    )
    shown = agents.wait(
        f"(r => r && r[0] === 'Transformer A' && Number(r[1]) > {limit} && r)({row})", "the plan's table"
    )
    assert float(shown[1]) - float(shown[2]) - float(shown[3]) == pytest.approx(float(shown[4]), abs=0.16)
    assert help_kw == -flow >= 0  # from B to A
    agents.choose("home_1")
    agents.wait("document.getElementById('agents-panel').innerText.includes('home_1/ev:')", "the order in the panel")
    agents.click("#tab-timeline")
    agents.wait("document.getElementById('agents-timeline').innerText.includes('curtailed')", "the events")
    agents.click("#tab-chart")
    agents.wait("kraftflyt.live.graph('agents-chart').data[0].y.length > 3", "points of the chart")
    agents.wait(f"Math.max(...kraftflyt.live.graph('agents-chart').data[0].y) > {limit}", "the overload in the chart")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_fits_a_desk_and_a_phone_has_names_for_all_controls_and_is_walked_by_keys(agents, theme):
    for width, height in ((1440, 900), (360, 780)):
        agents.size(width, height)
        agents.open(f"?theme={theme}&view=agents")
        agents.wait(f"kraftflyt.agentsPage().net.geometry().compact === {json.dumps(width == 360)}", "the drawing")
        stage = agents.driver.find_element("css selector", ".kf-fleet .kf-stage")
        agents.js("arguments[0].focus()", stage)
        stage.send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ENTER)
        agents.wait("kraftflyt.agentsPage().chosen === 'home_1'", "the choice by keys")
        agents.wait("document.querySelectorAll('#agents-table tbody tr').length === 5", "the table")
        assert agents.js(NAMELESS) == []
        wide = agents.js(
            "return [document.documentElement.scrollWidth, [...document.querySelectorAll('main *')]"
            ".filter(e => !e.closest('.kf-scroll, .kf-nav, .kf-code, svg, .kf-visually-hidden, .js-plotly-plot')"
            " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)]"
        )
        assert wide == [width, []]
