"""The dashboard as a process, a headless browser on it, and the days the core computes for the same settings."""

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from energy_sim.clock import Event, settings_at
from energy_sim.community.economics import Prices, community_result_ct_per_h
from energy_sim.community.live import LiveCommunity, open_community, session_parameters
from energy_sim.community.model import PRICE_NAMES, TickFrame
from energy_sim.community.pipeline import frames
from energy_sim.config import load_config
from energy_sim.devices.appliances import APPLIANCES
from energy_sim.figures.theme import format_number
from energy_sim.session import Frame
from energy_sim.zones.live import LiveZones, default_parameters, open_zones
from energy_sim.zones.message import tick_message

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 45.0
MARKS = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:HTTPResponse.getheader:DeprecationWarning"),  # selenium 4.2 with urllib3 1.26
]


class Server:
    """`energy-sim serve` in its own process group, on a free port, with its data in `folder`."""

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None, workers: int = 1) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.workers = folder, workers
        self.url = f"http://127.0.0.1:{self.port}"
        self.config_file = folder / "config.yaml"
        own = {
            "database": {"url": f"sqlite:///{folder}/sessions.db"},
            "runs": {"folder": str(folder / "runs")},
            "logging": {"file": str(folder / "server.log")},
        }
        self.config_file.write_text(yaml.safe_dump({**own, **(settings or {})}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        command = "from energy_sim.cli import main; main()"
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--workers", str(self.workers))
        with (self.folder / "console.txt").open("ab") as console:
            self.process = subprocess.Popen(
                [sys.executable, "-c", command, "--config", str(self.config_file), "serve", *where],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        wait_until(self.is_up, f"the server to answer: {(self.folder / 'console.txt').read_text()[-2000:]}", 60.0)
        return self

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is None:
            return
        os.killpg(self.process.pid, how)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(15)
        self.process = None

    def log(self) -> str:
        return (self.folder / "server.log").read_text()


def wait_until(found: Any, what: str, seconds: float = WAIT_S) -> Any:
    """What `found` returns as soon as it is true."""
    stop = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > stop:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(0.05)


def open_browser(profile: Path, *, still: bool = False) -> webdriver.Chrome:
    """A headless Chromium; ``still`` asks pages for no motion, which costs a machine without graphics a lot."""
    browser, service = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not service:
        pytest.skip("no chromium and chromedriver on the PATH")
    options = Options()
    options.binary_location = browser
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
        *("--no-default-browser-check", "--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", "--disable-extensions", "--hide-scrollbars", "--force-device-scale-factor=1"),
        *("--window-size=1440,900", f"--user-data-dir={profile}"),
        *(("--force-prefers-reduced-motion",) if still else ()),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(service), options=options)


class Page:
    """What tests do on the zones page: look at what is on screen, click, wait."""

    def __init__(self, driver: webdriver.Chrome, server: Server) -> None:
        self.driver, self.server = driver, server

    def js(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def load(self, path: str) -> None:
        self.driver.get(self.server.url + path)

    def open(self, path: str = "/zones") -> "Page":
        """Load a zones page and wait for its first day."""
        self.load("/health")  # a page of its own, so that nothing of the page before is mistaken for the new one
        self.load(path)
        self.wait("kraftflyt.zonesPage && kraftflyt.zonesPage() && kraftflyt.zonesPage().last", "the first day")
        self.wait(
            "[...document.querySelectorAll('.js-plotly-plot')].filter(g => g._fullLayout).length >= 2", "both charts"
        )
        return self

    def wait(self, condition: str, what: str = "", seconds: float = WAIT_S) -> Any:
        script = f"try {{ return ({condition}) }} catch (e) {{ return null }}"
        return wait_until(lambda: self.js(script), what or condition, seconds)

    def last(self) -> dict[str, Any]:
        return self.js("return kraftflyt.zonesPage().last")

    def click(self, selector: str) -> None:
        """A click of the mouse on what is visible there."""
        element = self.driver.find_element("css selector", selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def press(self, *keys: str) -> None:
        """Keys as they come when nothing on the page has the focus."""
        self.js("document.activeElement && document.activeElement.blur()")
        self.driver.switch_to.active_element.send_keys(*keys)

    def set_range(self, name: str, value: float) -> None:
        """Move a slider and let it go."""
        self.js(
            "const i = document.getElementById(arguments[0]); i.value = arguments[1];"
            "i.dispatchEvent(new Event('input', {bubbles: true}));"
            "i.dispatchEvent(new Event('change', {bubbles: true}));",
            name,
            value,
        )

    def scrub(self, tick: int) -> dict[str, Any]:
        self.set_range("scrub", tick)
        self.wait(f"kraftflyt.zonesPage().last.t === {tick}", f"day {tick}")
        return self.last()

    def step(self) -> dict[str, Any]:
        wanted = self.last()["t"] + 1
        self.click("[data-command=step]")
        self.wait(f"kraftflyt.zonesPage().last.t === {wanted}", f"day {wanted}")
        return self.last()

    def turn(self, switch: str, *, on: bool) -> None:
        """Click a switch and wait until the server has it."""
        self.click(f"[data-switch={switch}]")
        word = "true" if on else "false"
        self.wait(f"kraftflyt.zonesPage().last.set.{switch} === {word}", f"{switch} {word}")
        assert self.js(f"return document.querySelector('[data-switch={switch}]').getAttribute('aria-checked')") == word

    def link(self) -> dict[str, str]:
        return self.js("const p = kraftflyt.zonesPage(); return {session: p.session, key: p.key}")

    def cards(self) -> dict[str, str]:
        """Card name -> what it says, with the part of two-hop imports where there is one."""
        return self.js(
            "return Object.fromEntries([...document.querySelectorAll('.kf-figure')].map(c => [c.dataset.card,"
            "c.querySelector('.kf-figure-value').textContent"
            " + (c.lastChild.textContent ? ' | ' + c.lastChild.textContent.replace(/^.*hop /, '') : '')]))"
        )

    def transfers(self) -> list[list[str]]:
        return self.js(
            "return [...document.querySelectorAll('#zones-transfers tbody tr')]"
            ".map(r => [...r.children].map(c => c.textContent))"
        )

    def levels(self) -> list[str]:
        return self.js("return [...document.querySelectorAll('.kf-node-level')].map(t => t.textContent)")

    def log(self) -> list[dict[str, Any]]:
        """What the browser complained of since the last call."""
        return self.driver.get_log("browser")


def post_callback(url: str, output: str, inputs: list[Any], state: list[Any], changed: list[str]) -> tuple[int, str]:
    """Call a callback as a browser does, or as somebody who forges what a browser sends."""
    outputs = [
        dict(zip(("id", "property"), part.rsplit(".", 1), strict=True)) for part in output.strip(".").split("...")
    ]
    body = {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": inputs,
        "state": state,
        "changedPropIds": changed,
    }
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/_dash-update-component", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@functools.lru_cache(maxsize=8)
def opened_zones(config_file: Path, start: str, reservoir_factor: float) -> tuple[LiveZones, list[Any]]:
    """The zones of a configuration, and the states before their first days as nobody changed anything."""
    config = load_config(config_file)
    first = date.fromisoformat(start) if start else None
    live = open_zones(config, default_parameters(config, first, reservoir_factor))
    return live, [live.start()]


def message_of_day(
    config_file: Path, tick: int, events: tuple[Event, ...] = (), start: str = "", reservoir_factor: float = 1.0
) -> dict[str, Any]:
    """The tick's message as the core gives it, stepped from the first day without any server."""
    live, states = opened_zones(config_file, start, reservoir_factor)
    first = min([tick, *(event.tick for event in events)])  # days before it are the same for every question
    while len(states) <= first:
        states.append(live.step(states[-1], len(states) - 1, live.defaults())[0])
    state, day, settings = states[first], None, {}
    for at in range(first, tick + 1):
        settings = dict(live.defaults())
        for event in events:
            if event.tick <= at:
                settings[event.control] = event.value
        state, day = live.step(state, at, settings)
    frame = Frame("", tick, live.last_tick, False, False, 4.0, 0, 0, settings, settings, day)
    return tick_message(frame, [], live)


def rounded(value: float, decimals: int) -> str:
    """As browsers round: a half goes up."""
    exact = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    return format_number(float(exact), decimals)


def amount(mwh: float) -> str:
    if abs(mwh) < 999.95:
        return f"{rounded(mwh, 0)}\u00a0MWh"
    return f"{rounded(mwh / 1000, 1 if abs(mwh) < 99_950 else 0)}\u00a0GWh"


def expected_cards(message: Mapping[str, Any]) -> dict[str, str]:
    demand, wind, hydro, p2h1, p2h2, p4h1, p4h2, unmet, spill, wind_export = message["tot"]

    def with_two_hop(direct: float, two_hop: float) -> str:
        return f"{amount(direct + two_hop)} | {amount(two_hop)}" if two_hop > 0.05 else amount(direct + two_hop)

    return {
        "Demand": amount(demand),
        "Wind used": amount(wind),
        "Local hydro": amount(hydro),
        "Imports 1": with_two_hop(p2h1, p2h2),
        "Imports 2": with_two_hop(p4h1, p4h2),
        "Unmet": amount(unmet),
        "Spill": amount(spill),
        "Wind exported": amount(wind_export),
    }


def expected_levels(message: Mapping[str, Any]) -> list[str]:
    return [f"{rounded(zone[8], 0)}\u00a0%" for zone in message["z"]]


def expected_transfers(message: Mapping[str, Any], network: Any) -> list[list[str]]:
    """Rows of the transfers table in the order in which the core made them."""
    rows = []
    for phase, route, sent, delivered, _bound, wind in message["x"]:
        r = network.routes[route]
        through = "–" if r.transit < 0 else network.ids[r.transit]
        ends = [network.ids[r.supplier], network.ids[r.importer], through]
        energies = [rounded(v, 1) for v in (sent, delivered, sent - delivered)]
        rows.append(["Imports 1" if phase == 2 else "Imports 2", *ends, *energies, "wind" if wind else "hydro"])
    return rows


class CommunityPage(Page):
    """The same on the community page; its session plays when it opens."""

    STATE = "kraftflyt.communityPage().last"

    def open(self, path: str = "/community") -> "CommunityPage":
        self.load("/health")
        self.load(path)
        self.ready()
        return self

    def ready(self) -> None:
        """Wait for the first tick and the chart of the street."""
        self.wait(f"kraftflyt.communityPage() && Boolean({self.STATE})", "the first tick")
        self.wait("Boolean(kraftflyt.live.graph('community-power')._fullLayout)", "the chart")

    def open_paused(self, path: str = "/community") -> dict[str, Any]:
        self.open(path)
        return self.pause()

    def last(self) -> dict[str, Any]:
        return self.js(f"return {self.STATE}")

    def until(self, condition: str, what: str = "") -> Any:
        """Wait for something about the tick on screen, `m`."""
        return self.wait(f"(m => {condition})({self.STATE})", what or condition)

    def pause(self) -> dict[str, Any]:
        if self.last()["p"]:
            self.click("[data-command=play]")
            self.until("m.p === 0", "the pause")
        return self.last()

    def step(self) -> dict[str, Any]:
        wanted = self.last()["t"] + 1
        self.click("[data-command=step]")
        self.until(f"m.t === {wanted}", f"tick {wanted}")
        return self.last()

    def scrub(self, tick: int) -> dict[str, Any]:
        self.set_range("scrub", tick)
        self.until(f"m.t === {tick}", f"tick {tick}")
        return self.last()

    def link(self) -> dict[str, str]:
        return self.js("const p = kraftflyt.communityPage(); return {session: p.session, key: p.key}")

    def text(self, selector: str) -> str:
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def texts(self, selector: str) -> list[str]:
        return self.js("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)

    def cards(self) -> dict[str, str]:
        parts = "c => [c.dataset.card, c.querySelector('.kf-figure-value').textContent.trim()"
        parts += " + ' | ' + c.querySelector('.kf-figure-note').textContent]"
        return self.js(f"return Object.fromEntries([...document.querySelectorAll('.kf-figure')].map({parts}))")

    def rows(self, place: str) -> list[list[str]]:
        """The rows of a table."""
        return self.js(
            "return [...document.querySelectorAll(arguments[0] + ' tbody tr')]"
            ".map(r => [...r.children].map(c => c.textContent))",
            place,
        )

    def events(self, *controls: str) -> tuple[Event, ...]:
        """The changes of the session, once these are among them."""
        names = "kraftflyt.communityPage().events.map(e => e[1])"
        self.wait(f"{json.dumps(controls)}.every(c => {names}.includes(c))", f"the changes {controls}")
        found = self.js("return kraftflyt.communityPage().events")
        return tuple(Event(i, tick, control, value) for i, (tick, control, value) in enumerate(found, 1))

    def type(self, selector: str, text: str) -> None:
        """Type a text into a field in place of what is there, and press Enter."""
        field = self.driver.find_element("css selector", selector)
        self.js("arguments[0].scrollIntoView({block: 'center'}); arguments[0].select()", field)
        field.send_keys(text, Keys.ENTER)

    def tab(self, name: str) -> None:
        self.click(f"#tab-{name}")
        self.wait(f"!document.getElementById('pane-{name}').hidden")

    def pointer(self, script: str) -> ActionChains:
        """The real mouse to a point of the drawing, `[x, y]` by the geometry `g` and the drawing `net`."""
        self.js("document.getElementById('community-street').scrollIntoView({block: 'center'})")
        x, y = self.js(
            f"const net = kraftflyt.communityPage().net, g = net.geometry(), [x, y] = {script};return net.toPage(x, y);"
        )
        chain = ActionChains(self.driver, duration=0)
        chain.w3c_actions.pointer_action.move_to_location(round(x), round(y))
        chain.w3c_actions.key_action.pause()
        return chain

    def house(self, place: int) -> ActionChains:
        """The real mouse to a house."""
        return self.pointer(f"[g.houses[{2 * place}], g.houses[{2 * place + 1}]]")

    def tip(self) -> dict[str, str]:
        """Head -> '', name -> value of what is told under the mouse."""
        return self.js(
            "const t = document.querySelector('.kf-stage-tip');"
            "return t.hidden ? {} : Object.fromEntries([...t.children].map(r => [r.children[0].textContent,"
            "r.children[1] ? r.children[1].textContent : '']))"
        )


def power(w: float) -> str:
    """A power as the cards of the street say it."""
    if abs(w) < 999.5:
        return f"{rounded(w, 0)}\u00a0W"
    if abs(w) < 999_500:
        return f"{rounded(w / 1000, 2 if abs(w) < 99_950 else 1)}\u00a0kW"
    return f"{rounded(w / 1e6, 2)}\u00a0MW"


def energy(kwh: float) -> str:
    kwh = round(kwh, 3)
    if abs(kwh) < 999.5:
        return f"{rounded(kwh, 2 if abs(kwh) < 99.5 else 1)}\u00a0kWh"
    return f"{rounded(kwh / 1000, 2)}\u00a0MWh"


def watts(w: float) -> str:
    return f"{rounded(round(w, 3), 0)}\u00a0W"


def percent(whole: float, rest: float) -> str:
    return f"{rounded(100 * (whole - rest) / whole, 0)}\u00a0%" if whole > 1e-9 else "–"


@dataclass(frozen=True)
class Street:
    """What the core says of a tick: the street, all ticks up to it, the controls that act in it."""

    live: LiveCommunity
    history: list[TickFrame]
    settings: dict[str, Any]

    @property
    def frame(self) -> TickFrame:
        return self.history[-1]

    @property
    def prices(self) -> Prices:
        return Prices(*(self.settings[name] for name in PRICE_NAMES))

    @property
    def exchanged_kw(self) -> tuple[float, float]:
        """Exports and imports of the houses."""
        b = self.frame.bus
        return (b.shared_w + b.grid_export_w) / 1000, (b.shared_w + b.grid_import_w) / 1000

    def cards(self) -> dict[str, str]:
        b, m = self.frame.bus, self.frame.meters
        result = community_result_ct_per_h(*self.exchanged_kw, self.prices)
        made, used = round(m.produced_kwh, 3), round(m.consumed_kwh, 3)
        rates = percent(made, round(m.grid_export_kwh, 3)), percent(used, round(m.grid_import_kwh, 3))
        money = rounded(round(m.result_ct, 3), 1 if abs(m.result_ct) < 99.5 else 0)
        return {
            "Production": f"{power(b.production_w)} | {energy(m.produced_kwh)} so far",
            "Consumption": f"{power(b.consumption_w)} | {energy(m.consumed_kwh)} so far",
            "From the grid": f"{power(b.grid_import_w)} | {energy(m.grid_import_kwh)} so far",
            "To the grid": f"{power(b.grid_export_w)} | {energy(m.grid_export_kwh)} so far",
            "Shared inside": f"{power(b.shared_w)} | {energy(m.shared_kwh)} so far",
            "Self-consumption": f"{percent(b.production_w, b.grid_export_w)} | {rates[0]} so far",
            "Self-sufficiency": f"{percent(b.consumption_w, b.grid_import_w)} | {rates[1]} so far",
            "Community result": f"{rounded(round(result, 3), 1 if abs(result) < 999.5 else 0)}\u00a0ct/h"
            f" | {money}\u00a0ct so far",
        }

    def balance(self) -> str:
        net = self.frame.bus.net_w
        if abs(net) < 10:
            return "● in balance"
        return f"▲ {power(net)} to the grid" if net > 0 else f"▼ {power(-net)} from the grid"

    def running(self, place: int) -> list[str]:
        """What runs in a house, in words."""
        on = self.frame.powers.appliance_w[place] > 0
        return [a.label for a, runs in zip(APPLIANCES, on, strict=True) if runs]

    def tip(self, place: int) -> dict[str, str]:
        """What the mouse over a house tells."""
        p, runs = self.frame.powers, self.running(place)
        net = float(p.net_w[place])
        word = "exports" if net > 10 else "imports" if net < -10 else "idle"
        told = {
            f"{self.live.house_ids[place]} {word}": "",
            "Production": watts(p.pv_w[place]),
            "Base load": watts(p.base_w[place]),
            "Flexible loads": watts(p.flex_w[place]),
            "Net": watts(net),
        }
        return told | ({"Running": ", ".join(runs)} if runs else {"No appliance runs": ""})

    def houses(self) -> list[list[str]]:
        """The table of houses of up to 60."""
        p, rows = self.frame.powers, []
        for i, name in enumerate(self.live.house_ids):
            net = float(p.net_w[i])
            way = "▲ exports" if net > 10 else "▼ imports" if net < -10 else "● idle"
            powers = [rounded(round(float(v[i]), 1), 0) for v in (p.pv_w, p.base_w, p.flex_w, p.net_w)]
            own = self.live.houses
            size = [rounded(float(own.pv_kwp[i]), 1), rounded(float(own.base_load_kwh[i]), 0)]
            rows.append([name, *powers, way, ", ".join(self.running(i)) or "–", *size])
        return rows

    def series(self) -> tuple[list[str], list[list[float]]]:
        """The chart of the street over all ticks: moments by the street's clock, four series in kW."""
        x = [f"{self.live.local(round(1000 * f.time_s)):%Y-%m-%dT%H:%M:%S}" for f in self.history]
        names = ("production_w", "consumption_w", "grid_import_w", "grid_export_w")
        return x, [[getattr(f.bus, name) / 1000 for f in self.history] for name in names]


def street_at(config_file: Path, wanted: Mapping[str, Any], tick: int, events: tuple[Event, ...] = ()) -> Street:
    """A tick of a street as the core gives it, stepped from the start without any server."""
    live = open_community(session_parameters(load_config(config_file).community, wanted))
    history = list(frames(live, tick + 1, events))
    return Street(live, history, dict(settings_at(live.defaults(), events, tick)))
