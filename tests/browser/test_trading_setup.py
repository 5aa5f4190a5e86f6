"""A run is made on the trading page: values, files, the run while it computes, its stop, its return to a new tab."""

import json
from pathlib import Path

import pandas as pd
import pytest

from energy_sim.trading.parameters import TradingParameters
from tests.browser.dashboard import MARKS, Page, Server
from tests.browser.test_screenshots import assert_fits

pytestmark = MARKS

HOMES = "id,timestamp,consumption,production\nA1,2026-07-06 00:00,1.5,0\nA1,2026-07-06 01:00,0.5,2\n"
PROGRESS = "document.querySelector('#trading-progress .kf-run-text').textContent"
SAID = "kraftflyt.tradingSetup().checked"


class SetupPage(Page):
    """What tests do on the setup half."""

    def open(self, tab: str = "run") -> "SetupPage":
        self.load("/health")
        self.load(f"/trading?view={tab}")
        self.ready()
        self.tab(tab)
        return self

    def ready(self) -> None:
        self.wait(f"{SAID}.n === kraftflyt.tradingSetup().n", "what the server says of the choice")

    def tab(self, name: str) -> None:
        self.click(f"#tab-{name}")

    def type(self, field: str, value: object) -> None:
        """Type into a parameter's input and wait for what the server says of it."""
        before = self.js(f"return {SAID}.n")
        self.js(
            "const i = document.getElementById('param-' + arguments[0]); i.value = arguments[1];"
            "for (const name of ['input', 'change']) i.dispatchEvent(new Event(name, {bubbles: true}));",
            field,
            str(value),
        )
        self.wait(f"{SAID}.n > {before} && {SAID}.n === kraftflyt.tradingSetup().n", f"the answer to {field}")

    def text(self, selector: str) -> str:
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def steps_done(self) -> int:
        return self.js("const j = kraftflyt.tradingSetup().job; return j && j.done || 0")

    def load_file(self, kind: str, path: Path) -> None:
        self.driver.find_element("id", f"load-{kind}").send_keys(str(path))


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server that keeps files, jobs and keys in a folder of its own."""
    folder = tmp_path_factory.mktemp("trading")
    names = {"uploads": "uploads", "jobs": "jobs", "operator_key": "operator.key", "anchors": "anchors.jsonl"}
    running = Server(folder, {"trading": {name: str(folder / place) for name, place in names.items()}})
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def setup(chromium, own_server):
    """The page's browser with nothing in its storage; it may not complain meanwhile."""
    browser = SetupPage(chromium, own_server)
    browser.size(1440, 900)
    browser.load("/health")
    browser.js("localStorage.clear(); sessionStorage.clear()")
    browser.log()
    yield browser
    assert [entry for entry in browser.log() if "status of 400" not in entry["message"]] == []  # refused files


def test_a_wrong_value_is_said_at_its_field_and_a_run_of_ten_homes_opens_when_it_is_done(setup):
    setup.open("parameters")
    setup.type("battery.soc_min", 2)
    wrong = "2 is above 1.0; give 1.0 or less"
    assert setup.text("[id='wrong-battery.soc_min']") == wrong
    setup.tab("run")
    assert wrong in setup.text("#trading-wrong-run")
    assert setup.js("return document.querySelector('[data-action=trading-run]').disabled")
    setup.click("#trading-wrong-run button")  # goes to the field
    assert setup.js("return document.activeElement.id") == "param-battery.soc_min"
    setup.type("battery.soc_min", 0.1)
    assert setup.js("return document.querySelectorAll('.kf-wrong').length") == 0

    setup.type("household.max_households", 10)
    setup.type("simulation.simulation_steps", 48)
    assert setup.text("#trading-changed") == "3 changed from the defaults"
    setup.tab("run")
    assert setup.text("#trading-words dd") == "10 of input/homes/homes.parquet"
    assert "--params params.json" in setup.text("#trading-command-line")
    setup.click("[data-action=trading-run]")
    setup.wait(f"/^[0-9]+ of 48 steps/.test({PROGRESS})", "progress")
    setup.wait("kraftflyt.live.graph('trading-so-far').data[3].y.length > 0", "the curves")
    setup.wait("new URLSearchParams(location.search).get('run')", "the run to open")
    name = setup.js("return new URLSearchParams(location.search).get('run')")
    folder = setup.server.folder / "runs" / name
    kept = TradingParameters.load(folder / "params.json")
    assert (kept.battery.soc_min, kept.simulation.simulation_steps) == (0.1, 48)
    assert len(pd.read_csv(folder / "optimized_results.csv")) == 480
    setup.wait(f"{SAID}.n === kraftflyt.tradingSetup().n", "the page of the run")
    setup.wait("document.getElementById('trading-progress').hidden", "no progress where its run is open")
    assert setup.js("return document.getElementById('param-battery.soc_min').value") == "0.1"  # nothing is lost


def test_a_run_goes_on_when_its_tab_is_closed_is_seen_in_another_and_keeps_what_was_done_when_stopped(setup):
    setup.open("parameters")
    setup.type("household.max_households", 10)
    setup.type("simulation.simulation_steps", 8000)
    setup.tab("run")
    setup.click("[data-action=trading-run]")
    setup.wait("kraftflyt.tradingSetup().job.done > 0", "the first steps")

    setup.load("/health")  # the page is gone, the run is not
    setup.driver.switch_to.new_window("tab")
    setup.size(1440, 900)
    setup.open("data")
    setup.wait(f"/^[0-9]+ of 8.000 steps/.test({PROGRESS})", "the progress in another tab")
    before = setup.steps_done()
    setup.wait(f"kraftflyt.tradingSetup().job.done > {before}", "more steps")
    assert setup.js("return document.querySelector('#trading-progress a').hidden")

    setup.click("[data-action=trading-stop]")
    setup.wait(f"{PROGRESS}.startsWith('Stopped after')", "the stop", 15)
    done = setup.steps_done()
    assert before <= done < 8000
    link = setup.js("return document.querySelector('#trading-progress a').href")
    name = link.partition("run=")[2].partition("&")[0]
    summary = json.loads((setup.server.folder / "runs" / name / "summary.json").read_text())
    assert (summary["stopped"], summary["steps"], summary["steps_asked"]) == (True, done, 8000)
    assert setup.js("return new URLSearchParams(location.search).get('run')") is None  # nobody is taken there

    setup.open("parameters")  # it can still be opened later, or put away
    setup.wait(f"{PROGRESS}.startsWith('Stopped after')", "the end of the run after a reload")
    setup.click("[data-action=trading-forget]")
    setup.wait("document.getElementById('trading-progress').hidden")
    setup.driver.close()
    setup.driver.switch_to.window(setup.driver.window_handles[0])


def test_files_are_loaded_and_named_when_they_cannot_be_used_and_parameters_come_back_from_a_file(setup, tmp_path):
    setup.open("data")
    setup.wait("kraftflyt.live.graph('trading-profiles').data[0].y.length === 168", "the first week")
    bad, good, prices = tmp_path / "bad.csv", tmp_path / "our homes.csv", tmp_path / "prices.csv"
    bad.write_text(HOMES.replace("0.5", "-0.5").replace("1.5", "much"))
    setup.load_file("households", bad)
    told = "document.querySelectorAll('#trading-wrong-data-households li').length"
    setup.wait(f"{told} === 3", "both problems, and what stays in use")
    assert "bad.csv: row 2, column consumption: 'much' is no number" in setup.text("#trading-wrong-data-households")
    good.write_text(HOMES)
    setup.load_file("households", good)
    setup.wait(f"{SAID}.facts.name === 'our homes.csv'", "what is in the file")
    assert setup.js("return document.querySelectorAll('#trading-wrong-data-households li').length") == 0
    setup.tab("parameters")
    setup.wait("document.querySelector('#trading-wrong-run li')", "168 steps do not fit two rows")
    setup.type("simulation.simulation_steps", "")  # all there are
    prices.write_text("step,buy,sell\n0,0.3,0.1\n1,0.2,0.05\n")
    setup.tab("data")
    setup.load_file("prices", prices)
    setup.wait("kraftflyt.live.graph('trading-prices').data[0].y.join() === '30,20'", "the prices of the file")
    assert setup.js("return document.querySelector('[name=trading-prices][value=file]').checked")
    setup.open("data")  # the browser keeps it
    assert setup.js("return document.getElementById('file-households').selectedOptions[0].textContent") == good.name

    TradingParameters.from_json({"battery": {"simple_capacity_kwh": 6.5}}).save(tmp_path / "mine.json")
    (tmp_path / "wrong.json").write_text('{"battery": {"simple_capacity_kwh": -1}, "batery": {}}')
    setup.tab("parameters")
    setup.load_file("parameters", tmp_path / "wrong.json")
    setup.wait("document.querySelectorAll('#trading-wrong-parameters li').length === 2", "both problems")
    assert setup.js("return document.getElementById('param-battery.simple_capacity_kwh').value") == "10"
    setup.load_file("parameters", tmp_path / "mine.json")
    setup.wait("document.getElementById('param-battery.simple_capacity_kwh').value === '6.5'", "the loaded values")
    setup.click("[data-action=trading-reset]")
    assert setup.text("#trading-changed") == "all as at first"

    setup.js("document.querySelector('[data-field=\"settlement.preset\"] select').focus()")
    setup.type("settlement.preset", "ch_leg_same_level")
    assert setup.js("return document.getElementById('param-settlement.grid_fee_reduction').value") == "0.4"
    assert "StromVG" in setup.text("#trading-preset-source")
    tip = "[aria-describedby='tip-battery.soc_min']"
    setup.js(f'document.querySelector("button{tip}").focus()')
    setup.wait("getComputedStyle(document.getElementById('tip-battery.soc_min')).visibility === 'visible'", "the help")
    for width in (1440, 360):
        setup.size(width, 900)
        for tab in ("parameters", "data", "run"):
            setup.js(f"kraftflyt.showTab('{tab}')")
            setup.wait(f"document.documentElement.scrollWidth === {width}", "the charts to fit")
            assert_fits(setup, width)
