"""The live drawing of a street in a real browser: the same coordinates as Python, mouse, keyboard, sizes, rest."""

import json
from itertools import combinations

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from energy_sim.figures.street import edge_polygons, street_geometry
from energy_sim.figures.street_figure import format_net, format_power
from tests.browser.dashboard import MARKS, wait_until

pytestmark = MARKS
FULL_SCALE_W = 9_000


class Street:
    """A blank page with one drawing in it."""

    def __init__(self, driver, root, folder) -> None:
        self.driver, self.folder = driver, folder
        scripts = (root / "assets" / name for name in ("network.js", "stage.js", "street.js"))
        self.script = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
        styles = (root / "assets" / name for name in ("stage.css", "street.css"))
        self.style = "\n".join(path.read_text(encoding="utf-8") for path in styles)

    def js(self, script, *values):
        return self.driver.execute_script(script, *values)

    def open(self, count: int, width: int = 1100, height: int = 900) -> "Street":
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        wide, narrow = street_geometry(count), street_geometry(count, 360.0, 480.0, compact=True)
        houses = [[f"house_{i + 1}", 5 * (i % 2)] for i in range(min(count, 800))]
        page = self.folder / "street.html"
        page.write_text(
            "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><style>:root{--kf-ink:#fff;--kf-bg:#000;"
            "--kf-export:#2fc79a;--kf-import:#ff7a5c;--kf-idle:#6d819a}[data-theme=light]{--kf-export:#00805f}"
            f"{self.style}</style><body style='margin:0'><div id=s></div><script>{self.script}</script><script>"
            "window.asked = []; window.told = []; window.keys = [];"
            "document.addEventListener('keydown', e => keys.push(e.key));"
            f"window.drawing = kraftflyt.street.mount(document.getElementById('s'), {json.dumps(wide.to_json())}, {{"
            f"compact: {json.dumps(narrow.to_json())}, houses: {json.dumps(houses)}, full_scale_w: {FULL_SCALE_W},"
            "onSelect: i => told.push(['select', i]), onHover: i => told.push(['hover', i]),"
            "tip: (kind, index) => { asked.push([kind, index]); return [kind + ' ' + index, ['Power', '1 kW']]; }});"
            "</script>",
            encoding="utf-8",
        )
        self.driver.get(page.as_uri())
        return self

    def update(self, net) -> None:
        self.js("drawing.update({net: arguments[0]})", [float(w) for w in net])

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
            "return t.hidden ? [] : [...t.children].map(r => r.textContent)"
        )


@pytest.fixture(scope="module")
def bench(chromium, root, tmp_path_factory):
    return Street(chromium, root, tmp_path_factory.mktemp("street"))


@pytest.fixture
def street(bench):
    bench.driver.get_log("browser")
    yield bench
    assert bench.driver.get_log("browser") == []


def powers(count: int) -> np.ndarray:
    net = np.random.default_rng(count).normal(200, 3_000, count).round(1)
    net[::7] = [9.9, -9.9][count % 2]
    return net


@pytest.mark.parametrize("count", [5, 40, 500, 1_000])
@pytest.mark.parametrize(("width", "compact"), [(1100, False), (360, True)])
def test_browser_and_python_draw_the_same_arrows_to_a_twentieth_of_a_pixel(street, count, width, compact):
    street.open(count, width)
    street.update(powers(count))
    assert street.js("return drawing.geometry().compact") is compact
    geometry = street_geometry(count, 360.0, 480.0, compact=True) if compact else street_geometry(count)
    status, polygons = edge_polygons(geometry, powers(count), FULL_SCALE_W)
    drawn = street.js("return drawing.polygons()")
    assert len(drawn) == len(status) == count + geometry.feeders + 1
    assert [s for s, _ in drawn] == status.tolist()
    assert set(status[:count].tolist()) == {0, 1, 2}
    assert np.abs(np.array([p for _, p in drawn]) - polygons).max() < 0.05


def test_the_mouse_over_a_house_and_over_its_line_shows_the_tip_inside_the_drawing(street):
    street.open(14)
    street.update(powers(14))
    house = street_geometry(14).houses[3]
    street.move(*house).perform()
    wait_until(lambda: street.tip() == ["house 3", "Power1 kW"], "the tip of the house", 3)
    away = street.js(
        "const t = document.querySelector('.kf-stage-tip').getBoundingClientRect();"
        "const [x, y] = drawing.toPage(arguments[0], arguments[1]);"
        "return [Math.max(t.left - x, x - t.right, 0), Math.max(t.top - y, y - t.bottom, 0)]",
        *house.tolist(),
    )
    assert max(away) < 60  # beside its house
    hub = np.array(street_geometry(14).hub[:2])
    street.move(*(0.6 * house + 0.4 * hub)).perform()
    wait_until(lambda: street.tip() == ["edge 3", "Power1 kW"], "the tip of the line", 3)
    inside = street.js(
        "const t = document.querySelector('.kf-stage-tip').getBoundingClientRect();"
        "const s = drawing.stage.getBoundingClientRect();"
        "return t.left >= s.left && t.right <= s.right && t.top >= s.top && t.bottom <= s.bottom && t.width > 100"
    )
    assert inside
    street.move(*hub).perform()
    wait_until(lambda: street.tip()[:1] == ["bus 0"], "the tip of the bus", 3)
    street.move(200, 600).perform()
    wait_until(lambda: street.tip() == [], "no tip beside the street", 3)
    assert street.js("return told") == [["hover", 3], ["hover", None]]


def test_a_click_selects_a_house_and_a_trunk_is_found_by_the_mouse(street):
    street.open(500)
    street.update(powers(500))
    g = street_geometry(500)
    street.move(*g.houses[123]).click().perform()
    wait_until(lambda: ["select", 123] in street.js("return told"), "the selection", 3)
    assert street.js("return drawing.state().selected") == 123
    end, hub = g.trunks[6], np.array(g.hub[:2])
    street.move(*(hub + (end - hub) * 0.27)).perform()
    wait_until(lambda: street.tip()[:1] == ["trunk 6"], "the tip of the feeder", 3)


def test_keys_go_from_house_to_house_only_while_the_drawing_has_the_focus(street):
    street.open(5)
    street.update(powers(5))
    body = street.driver.switch_to.active_element
    body.send_keys(Keys.ARROW_RIGHT)
    assert street.js("return keys") == ["ArrowRight"]
    body.send_keys(Keys.TAB)
    stage = street.driver.switch_to.active_element
    assert stage.get_attribute("role") == "application"
    stage.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ENTER)
    assert street.js("return told.at(-1)") == ["select", 1]
    assert street.js("return document.querySelector('[aria-live]').textContent") == "house 1, Power 1 kW"
    assert street.js("return [drawing.state().focused, keys]") == [1, ["ArrowRight", "Tab"]]
    stage.send_keys(Keys.ESCAPE)
    assert street.js("return [drawing.state().focused, document.activeElement === document.body]") == [None, True]


@pytest.mark.parametrize(("count", "width"), [(14, 1100), (40, 1100), (40, 620), (40, 360), (500, 1100)])
def test_no_two_numbers_overlap_and_each_fits_its_box(street, count, width):
    street.open(count, width)
    street.update(np.resize([-12_345.0, 11_000.0], count))
    boxes, texts = street.js("return [drawing.labelBoxes(), drawing.labelTexts()]")
    assert len(boxes) == len(texts) >= {1100: min(count, 25), 620: 10, 360: 4}[width]
    assert [
        (a, b) for a, b in combinations(boxes, 2) if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ] == []
    assert max(wide - room for _, wide, room in texts) <= 0


@pytest.mark.parametrize("watts", [0, 949, -4_620, 99_940, 99_960, 999_600, 2_536_000])
def test_powers_read_the_same_in_browser_and_python(street, watts):
    if street.driver.current_url == "data:,":
        street.open(5)
    said = street.js(
        "const s = kraftflyt.street, w = arguments[0]; return [s.formatPower(w), s.formatNet(w, 1)]", watts
    )
    assert said == [format_power(watts), format_net(watts, 1)]


def test_a_turn_eases_and_then_stands_still_and_a_hidden_page_does_no_work(street):
    street.open(5)
    street.update([3_000] * 5)
    street.update([-3_000] * 5)
    assert street.js("return drawing.state().easing")
    wait_until(lambda: not street.js("return drawing.state().easing"), "the arrows to rest", 3)
    assert street.js("return drawing.state().moving")
    street.js(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'));"
        "window.before = [drawing.timing.draws, drawing.timing.frames]; drawing.update({net: [1, 2, 3, 4, 5000]})"
    )
    assert not street.js("return drawing.state().moving")
    assert street.js("return [drawing.timing.draws, drawing.timing.frames]") == street.js("return before")
    street.js("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    assert street.js("return drawing.timing.draws") == street.js("return before[0] + 1")


def test_a_change_of_theme_changes_the_colours_at_once(street):
    street.open(1)
    street.update([5_000])
    x, y = street_geometry(1).houses[0]
    pixel = (
        "const c = document.querySelector('canvas'), k = c.width / 1080;"
        "const copy = new OffscreenCanvas(1, 1).getContext('2d');"
        "copy.drawImage(c, k * arguments[0], k * arguments[1], 1, 1, 0, 0, 1, 1);"
        "return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3)"
    )
    assert street.js(pixel, x - 13, y + 10) == [0x2F, 0xC7, 0x9A]
    street.js("document.documentElement.dataset.theme = 'light'")
    wait_until(lambda: street.js(pixel, x - 13, y + 10) == [0x00, 0x80, 0x5F], "the light theme's export colour", 3)


def test_states_and_feeder_sums_alone_are_enough_to_draw(street):
    street.open(1_000)
    states = [1, 2, 0, 0] * 250
    feeders = street_geometry(1_000).feeders
    street.js("drawing.update({net: null, states: arguments[0], trunks: arguments[1]})", states, [20_000.0] * feeders)
    drawn = street.js("return drawing.polygons().map(p => p[0])")
    assert drawn == [*states, *[1] * feeders, 1]
    street.js("drawing.destroy()")
    assert street.js("return document.getElementById('s').children.length") == 0


def test_a_drawing_in_a_hidden_box_waits_until_the_box_is_shown(street):
    street.open(5)
    street.js(
        "const box = document.createElement('div'); box.id = 'later'; box.style.display = 'none';"
        "document.body.append(box);"
        "window.second = kraftflyt.street.mount(box, drawing.geometry(), {}); second.update({net: [1, 2, 3, 4, 5000]});"
    )
    assert street.js("return second.timing.draws") == 0
    street.js("document.getElementById('later').style.display = 'block'; document.getElementById('s').remove()")
    wait_until(lambda: street.js("return second.timing.draws") > 0, "the first drawing", 3)
