"""The live ring of homes in a real browser: the same coordinates as Python, mouse, keyboard, sizes, speed, rest."""

import json
from itertools import combinations

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from energy_sim.figures.ring import (
    HOME_FIELDS,
    RingState,
    format_amount,
    format_money,
    place_amounts,
    ring_arrows,
    ring_geometry,
)
from tests.browser.dashboard import MARKS, wait_until

pytestmark = MARKS


def ids(count: int) -> tuple[str, ...]:
    return tuple(f"house_{i + 1}" for i in range(count))


def state_of(count: int, seed: int = 0) -> RingState:
    """Every second home sells; count - 1 trades; the first home also buys from the grid what it sells to it."""
    random = np.random.default_rng([count, seed])
    values = {name: random.gamma(2, 0.3, count).round(3) for name in HOME_FIELDS}
    even = np.arange(count) % 2 == 0
    values["grid_sell_kwh"], values["grid_buy_kwh"] = values["grid_sell_kwh"] * even, values["grid_buy_kwh"] * ~even
    values["grid_buy_kwh"][0] = 0.5
    values["soc_pct"] = random.uniform(2, 98, count).round(2)
    values["soc_pct"][::5] = np.nan
    values["unserved_kwh"] = np.zeros(count)
    pairs = [(i, (i + 1 + int(random.integers(count - 1))) % count) for i in range(count - 1)]
    trades = tuple((s, b, round(float(random.gamma(2, 0.4)), 3)) for s, b in pairs)
    return RingState(**values, trades=trades, full_kwh=2.0)


class Ring:
    """A blank page with one drawing in it."""

    def __init__(self, driver, root, folder) -> None:
        self.driver, self.folder = driver, folder
        scripts = (root / "assets" / name for name in ("network.js", "ring.js", "stage.js"))
        self.script = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
        styles = (root / "assets" / name for name in ("ring.css", "stage.css"))
        self.style = "\n".join(path.read_text(encoding="utf-8") for path in styles)

    def js(self, script, *values):
        return self.driver.execute_script(script, *values)

    def open(self, count: int, width: int = 900, height: int = 1000) -> "Ring":
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        wide, narrow = ring_geometry(ids(count)), ring_geometry(ids(count), 360.0, 480.0, compact=True)
        page = self.folder / "ring.html"
        page.write_text(
            "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><style>:root{--kf-ink:#fff;--kf-bg:#000;"
            "--kf-export:#2fc79a;--kf-import:#ff7a5c;--kf-two-hop:#c79bff;--kf-idle:#6d819a;--kf-node:#16233a}"
            f"[data-theme=light]{{--kf-node:#ffffff}}{self.style}</style><body style='margin:0'><div id=s></div>"
            f"<script>{self.script}</script><script>window.told = []; window.keys = [];"
            "document.addEventListener('keydown', e => keys.push(e.key));"
            f"window.drawing = kraftflyt.ring.mount(document.getElementById('s'), {json.dumps(wide.to_json())}, {{"
            f"compactGeometry: {json.dumps(narrow.to_json())}, onSelect: i => told.push(i)}});</script>",
            encoding="utf-8",
        )
        self.driver.get(page.as_uri())
        return self

    def update(self, state: RingState) -> None:
        self.js("drawing.update(arguments[0])", state.to_json())

    def move(self, x: float, y: float) -> ActionChains:
        """The real mouse to a point of the geometry."""
        px, py = self.js("return drawing.toPage(arguments[0], arguments[1])", x, y)
        start = ActionChains(self.driver, duration=0)
        start.w3c_actions.pointer_action.move_to_location(round(px), round(py))
        start.w3c_actions.key_action.pause()
        return start

    def tip(self) -> list[str]:
        return self.js(
            "const t = document.querySelector('.kf-stage-tip[role=tooltip]');"
            "return t.hidden ? [] : [...t.children].map(r => [...r.children].map(c => c.textContent).join(' '))"
        )


@pytest.fixture(scope="module")
def bench(chromium, root, tmp_path_factory):
    return Ring(chromium, root, tmp_path_factory.mktemp("ring"))


@pytest.fixture
def ring(bench):
    bench.driver.get_log("browser")
    yield bench
    assert bench.driver.get_log("browser") == []


def overlapping(boxes) -> list:
    return [(a, b) for a, b in combinations(boxes, 2) if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]


@pytest.mark.parametrize("count", [2, 5, 30, 60, 300])
@pytest.mark.parametrize(("width", "compact"), [(900, False), (360, True)])
def test_browser_and_python_draw_the_same_arrows_and_amounts_to_a_twentieth_of_a_pixel(ring, count, width, compact):
    ring.open(count, width)
    state = state_of(count)
    ring.update(state)
    assert ring.js("return drawing.geometry().compact") is compact
    size = (360.0, 480.0) if compact else (900.0, 700.0)
    geometry = ring_geometry(ids(count), *size, compact=compact)
    arrows = ring_arrows(geometry, state)
    drawn = ring.js("return drawing.polygons()")
    assert [d[:3] for d in drawn] == [[a.kind, a.start, a.end] for a in arrows]
    assert {a.kind for a in arrows} == ({"trade"} if geometry.dots else {"trade", "buy", "sell"})
    for (*_, points), arrow in zip(drawn, arrows, strict=True):
        assert np.abs(np.array(points) - np.array(arrow.polygon)).max() < 0.05
    shown = ring.js("return drawing.amountBoxes()")
    boxes = place_amounts(geometry, arrows)
    assert [b is None for b in shown] == [b is None for b in boxes]
    for theirs, ours in zip(shown, boxes, strict=True):
        assert theirs is ours is None or np.abs(np.array(theirs) - np.array(ours)).max() < 0.05


@pytest.mark.parametrize(("count", "width"), [(5, 900), (30, 900), (60, 900), (30, 620), (8, 360)])
def test_no_two_amounts_overlap_each_fits_its_box_and_the_hidden_are_counted(ring, count, width):
    ring.open(count, width)
    for seed in range(3):  # amounts keep their place from step to step where it is free
        ring.update(state_of(count, seed))
        boxes = [box for box in ring.js("return drawing.amountBoxes()") if box]
        assert boxes
        assert overlapping(boxes) == []
    assert max(wide - room for wide, room in ring.js("return drawing.amountTexts()")) <= 0
    hidden = ring.js("return drawing.hiddenAmounts()")
    wanted = len(ring.js("return drawing.polygons()")) if count <= 12 else count - 1
    assert hidden == wanted - len(boxes)
    note = ring.js("return document.querySelector('.kf-ring-note').textContent")
    assert note.startswith(f"{hidden} amount") if hidden else note == ""


def test_the_mouse_over_a_home_an_arrow_and_the_grid_shows_a_tip_inside_the_drawing(ring):
    ring.open(14)
    state = state_of(14)
    ring.update(state)
    geometry = ring_geometry(ids(14))
    ring.move(*geometry.homes[3]).perform()
    wait_until(lambda: ring.tip()[:1] == ["house_4 · normal"], "the tip of the home", 3)
    told = ring.tip()
    eur = format_money(state.wallet_eur[3])
    assert told[1] == f"Wallet {eur}\u00a0EUR"
    assert f"Bought from the grid {format_amount(state.grid_buy_kwh[3])}" in told
    inside = ring.js(
        "const t = document.querySelector('.kf-stage-tip').getBoundingClientRect();"
        "const s = drawing.stage.getBoundingClientRect();"
        "return t.left >= s.left && t.right <= s.right && t.top >= s.top && t.bottom <= s.bottom && t.width > 100"
    )
    assert inside
    buy = next(a for a in ring_arrows(geometry, state) if a.kind == "buy" and a.end == 7)
    ring.move(*(0.2 * np.array(buy.path[0]) + 0.8 * np.array(buy.path[1]))).perform()
    wanted = ["Grid → house_8", f"Bought from the grid {format_amount(state.grid_buy_kwh[7])}"]
    wait_until(lambda: ring.tip() == wanted, "the tip of the arrow", 3)
    ring.move(*geometry.hub[:2]).perform()
    wait_until(lambda: ring.tip()[:2] == ["Grid", f"Homes bought {format_amount(state.grid_bought_kwh)}"], "grid", 3)
    ring.move(4, 4).perform()
    wait_until(lambda: ring.tip() == [], "no tip beside the ring", 3)
    ring.move(*geometry.homes[5]).click().perform()
    wait_until(lambda: ring.js("return told") == [5], "the selection", 3)
    ring.js("drawing.select(99)")
    assert ring.js("return drawing.state().selected") is None


def test_keys_reach_every_home_the_grid_and_every_arrow_only_while_the_drawing_has_the_focus(ring):
    ring.open(5)
    ring.update(state_of(5))
    body = ring.driver.switch_to.active_element
    body.send_keys(Keys.ARROW_RIGHT)
    body.send_keys(Keys.TAB)
    stage = ring.driver.switch_to.active_element
    assert stage.get_attribute("role") == "application"
    stage.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ENTER)
    assert ring.js("return told") == [1]
    assert ring.js("return document.querySelector('[aria-live]').textContent").startswith("house_2 · ")
    stage.send_keys(Keys.END)
    assert ring.js("return [drawing.state().focused, document.querySelector('[aria-live]').textContent.slice(0, 4)]")
    assert ring.tip()[0] == "Grid"
    stage.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    own = [[d[1], d[2]] for d in ring.js("return drawing.polygons()") if 0 in d[1:3]]
    seen = []
    for _ in own:
        seen.append(ring.tip()[0])
        stage.send_keys(Keys.ARROW_DOWN)
    name = ["Grid", *ids(5)]
    assert sorted(seen) == sorted(f"{name[s + 1]} → {name[b + 1]}" for s, b in own)
    assert ring.tip()[0] == seen[0]  # round again
    assert ring.js("return keys") == ["ArrowRight", "Tab"]
    stage.send_keys(Keys.ESCAPE)
    assert ring.js("return [drawing.state().focused, document.activeElement === document.body]") == [None, True]


@pytest.mark.parametrize("kwh", [0, 0.42, 9.996, 12.34, 99.96, 999.6, 2_536])
def test_energy_and_money_read_the_same_in_browser_and_python(ring, kwh):
    if ring.driver.current_url == "data:,":
        ring.open(5)
    said = ring.js(
        "const r = kraftflyt.ring, v = arguments[0];"
        "return [r.formatAmount(v), r.formatMoney(-v), r.formatMoney(v, true), r.formatMoney(-v, true)]",
        kwh,
    )
    assert said == [format_amount(kwh), format_money(-kwh), *(format_money(v, signed=True) for v in (kwh, -kwh))]


def test_thirty_homes_at_ten_states_a_second_are_drawn_between_the_states_too_and_come_to_rest(ring):
    ring.open(30)
    states = [state_of(30, seed).to_json() for seed in range(6)]
    assert len(states[0]["trades"]) == 29
    took = ring.driver.execute_async_script(
        "const states = arguments[0], done = arguments[1], took = []; let k = 0, most = 0;"
        "const timer = setInterval(() => {"
        "  const t = performance.now(); drawing.update(states[k % 6]); const u = performance.now() - t;"
        "  took.push(u + drawing.timing.draw); most = Math.max(most, drawing.state().arrows);"
        "  if (++k < 24) return;"
        "  clearInterval(timer); done([took.sort((a, b) => a - b)[12], most, drawing.timing.draws]);"
        "}, 100);",
        states,
    )
    assert 60 < took[1] <= 6 * (29 + 31)  # those that go shrink while those that come grow; a slow machine keeps more
    assert took[2] > 24  # drawn between the states too
    wait_until(lambda: not ring.js("return drawing.state().easing"), "the arrows to rest", 3)
    assert ring.js("return drawing.state().arrows === drawing.polygons().length")


def test_a_hidden_page_does_no_work_and_catches_up_when_it_is_seen(ring):
    ring.open(5)
    ring.update(state_of(5))
    wait_until(lambda: ring.js("return drawing.state().moving"), "the particles", 3)
    ring.js(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'));"
        "window.before = [drawing.timing.draws, drawing.timing.frames]"
    )
    ring.update(state_of(5, 1))
    assert not ring.js("return drawing.state().moving")
    assert ring.js("return [drawing.timing.draws, drawing.timing.frames]") == ring.js("return before")
    ring.js("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    assert ring.js("return drawing.timing.draws") == ring.js("return before[0] + 1")


def test_those_who_want_less_motion_get_none(ring):
    media = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    ring.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    try:
        ring.open(5)
        ring.update(state_of(5))
        ring.update(state_of(5, 1))
        state = ring.js("return drawing.state()")
        assert (state["easing"], state["moving"]) == (False, False)
        assert ring.js("return drawing.timing.frames") == 0
        assert ring.js("return drawing.timing.draws") > 0
    finally:
        ring.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_change_of_theme_changes_the_colours_at_once_and_destroy_leaves_nothing(ring):
    ring.open(2)
    ring.update(state_of(2))
    x, y, r = ring_geometry(ids(2)).hub
    pixel = (
        "const c = document.querySelector('.kf-ring-homes'), k = c.width / 900;"
        "const copy = new OffscreenCanvas(1, 1).getContext('2d');"
        "copy.drawImage(c, k * arguments[0], k * arguments[1], 1, 1, 0, 0, 1, 1);"
        "return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3)"
    )
    spot = (x - 0.75 * r, y - 0.35 * r)
    assert ring.js(pixel, *spot) == [0x16, 0x23, 0x3A]
    ring.js("document.documentElement.dataset.theme = 'light'")
    wait_until(lambda: ring.js(pixel, *spot) == [255, 255, 255], "the light theme's node colour", 3)
    ring.js("drawing.destroy()")
    assert ring.js("return document.getElementById('s').children.length") == 0


def test_a_thousand_homes_are_dots_drawn_in_time_with_only_the_largest_trades(ring):
    ring.open(1000)
    ring.update(state_of(1000))
    assert len(ring.js("return drawing.polygons()")) == 60
    note = ring.js("return document.querySelector('.kf-ring-note').textContent")
    left = sum(kwh >= 0.005 for *_, kwh in state_of(1000).trades) - 60
    assert note == f"{left} smallest trades not drawn: see the table"
    ring.update(state_of(1000, 1))
    assert ring.js("return drawing.timing.update") < 60
