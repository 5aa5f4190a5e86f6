"""The live drawing in a real browser: the same coordinates as Python, labels apart, keyboard, both modes."""

import json
import time
from itertools import combinations

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from energy_sim.figures.curves import split_path
from energy_sim.figures.network import NetworkGeometry, build_geometry, ribbon
from energy_sim.figures.theme import format_energy, format_number
from tests.figures.networks import norway

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:HTTPResponse.getheader:DeprecationWarning"),  # selenium 4.2 with urllib3 1.26
]


@pytest.fixture(scope="module")
def geometry() -> NetworkGeometry:
    return build_geometry(norway())


@pytest.fixture
def page(chromium, geometry, root, tmp_path):
    assets = root / "assets"
    compact = build_geometry(norway(), 400, 520).to_json()
    html = tmp_path / "network.html"
    html.write_text(
        "<!doctype html><meta charset=utf-8><style>:root{--kf-ink:#fff;--kf-bg:#000;--kf-panel:#111}"
        f"{(assets / 'network.css').read_text(encoding='utf-8')}</style><body style='margin:0'><div id=n></div>"
        f"<script>{(assets / 'network.js').read_text(encoding='utf-8')}</script><script>"
        f"window.drawing = kraftflyt.network.mount(document.getElementById('n'), {json.dumps(geometry.to_json())},"
        f" {{compact: {json.dumps(compact)}}});</script>",
        encoding="utf-8",
    )
    chromium.set_window_size(900, 1000)
    chromium.get_log("browser")
    chromium.get(html.as_uri())
    yield chromium
    assert chromium.get_log("browser") == []


def tick(geometry: NetworkGeometry, only: tuple[str, ...] = ()) -> dict:
    """Every arrow (or only some) live with its own amount; 3 % are lost on the way."""
    arrows = [
        [i, 0.97 * sent, sent, 0.27 * sent, 0.7 * sent]
        for i, a in enumerate(geometry.arrows)
        if (sent := 700.0 + 3_100.0 * i) and (not only or a.key in only)
    ]
    zones = [[400e3, 24e3, 371e3, 5e3, 0, 3e3]] * 5
    levels = [45.2, 55, 65, 86, 9]
    return {"arrows": arrows, "levels_pct": levels, "flags": [0, 0, 0, 0, 1], "forced": [0, 0, 0, 1, 0], "zones": zones}


def update(page, data: dict, split: bool = False) -> None:
    page.execute_script("drawing.setSplit(arguments[1]); drawing.update(arguments[0]);", data, split)


def expected_polygons(geometry: NetworkGeometry, data: dict, split: bool) -> dict:
    polygons = {}
    for i, delivered, sent, *_ in data["arrows"]:
        arrow = geometry.arrows[i]
        if split and arrow.hops == 1:
            first, second = split_path(arrow.path)
            polygons[f"{arrow.key} ▲"] = ribbon(first, geometry.arrow_width(sent))
            polygons[f"{arrow.key} ▼"] = ribbon(second, geometry.arrow_width(delivered))
        else:
            polygons[arrow.key] = ribbon(arrow.path, geometry.arrow_width(delivered))
    return polygons


@pytest.mark.parametrize(("split", "count"), [(False, 32), (True, 44)])
def test_browser_and_python_draw_the_same_polygons_to_a_hundredth_of_a_pixel(page, geometry, split, count):
    data = tick(geometry)
    update(page, data, split)
    drawn = page.execute_script("return drawing.polygons()")
    expected = expected_polygons(geometry, data, split)
    assert drawn.keys() == expected.keys()
    assert len(drawn) == count
    for key, polygon in expected.items():
        assert np.abs(np.array(drawn[key]) - np.array(polygon)).max() < 0.01, key


def test_the_path_on_screen_is_the_polygon(page, geometry):
    data = tick(geometry, ("NO5>NO1",))
    update(page, data)
    d = page.execute_script("return document.querySelector('[data-key=\"NO5>NO1\"] .kf-ribbon').getAttribute('d')")
    points = [[float(v) for v in p.split(",")] for p in d.strip("MZ").split("L")]
    expected = expected_polygons(geometry, data, split=False)["NO5>NO1"]
    assert np.abs(np.array(points) - np.array(expected)).max() < 0.0051


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("width", [900, 500])
def test_no_two_label_boxes_on_screen_overlap_with_every_arrow_live(page, geometry, split, width):
    page.set_window_size(width, 1000)
    time.sleep(0.3)
    update(page, tick(geometry), split)
    time.sleep(0.4)
    rects = page.execute_script(
        "return [...document.querySelectorAll('.kf-pill:not(.kf-off) rect')].map(r => r.getBoundingClientRect())"
        ".filter(b => b.width > 0).map(b => [b.left, b.top, b.right, b.bottom])"
    )
    hidden = page.execute_script("return drawing.hiddenLabels()")
    assert len(rects) + hidden == 32
    assert len(rects) == 32 if width == 900 else len(rects) >= 12
    clash = [(a, b) for a, b in combinations(rects, 2) if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]]
    assert clash == []


def test_text_fits_into_its_label(page, geometry):
    update(page, tick(geometry))
    spill = page.execute_script(
        "return [...document.querySelectorAll('.kf-pill.kf-when-normal:not(.kf-off)')].map(p =>"
        "p.querySelector('rect').getBBox().width - p.querySelector('text').getBBox().width)"
    )
    assert len(spill) == 32
    assert min(spill) > 0


def test_arrows_without_energy_fade_and_leave_the_tab_order_and_elements_are_reused(page, geometry):
    update(page, tick(geometry, ("NO4>NO3", "NO4>NO3>NO1")))
    live = "return [...document.querySelectorAll('.kf-arrow[tabindex]')].map(a => a.dataset.key).sort()"
    assert page.execute_script(live) == ["NO4>NO3", "NO4>NO3>NO1"]
    page.execute_script("window.kept = document.querySelector('[data-key=\"NO4>NO3\"] .kf-ribbon')")
    update(page, tick(geometry, ("NO4>NO3",)))
    assert page.execute_script(live) == ["NO4>NO3"]
    assert page.execute_script("return kept === document.querySelector('[data-key=\"NO4>NO3\"] .kf-ribbon')")
    off = page.execute_script(
        "return document.querySelector('[data-key=\"NO4>NO3>NO1\"]').classList.contains('kf-off')"
    )
    assert off


def test_keyboard_reaches_a_transfer_and_its_tooltip_tells_all(page, geometry):
    update(page, tick(geometry, ("NO4>NO3>NO1",)))
    page.execute_script("document.querySelector('[data-key=\"NO4>NO3>NO1\"]').focus()")
    tip = page.find_element("css selector", ".kf-net-tip")
    index = next(i for i, a in enumerate(geometry.arrows) if a.key == "NO4>NO3>NO1")
    sent = 700.0 + 3_100.0 * index
    lines = tip.text
    for part in ("NO4 → NO1 via NO3", "Phase 2", "Phase 4", format_energy(sent), format_energy(0.97 * sent), "Lost"):
        assert part.replace("\u00a0", " ") in lines.replace("\u00a0", " ")
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()


def test_nodes_show_level_force_export_and_below_minimum(page, geometry):
    update(page, tick(geometry))
    nodes = page.find_elements("css selector", ".kf-node")
    levels = [n.find_element("css selector", ".kf-node-level").text.split()[0] for n in nodes]
    assert levels == ["45", "55", "65", "86", "9"]
    assert ["kf-below-min" in n.get_attribute("class") for n in nodes] == [False] * 4 + [True]
    assert ["kf-forced" in n.get_attribute("class") for n in nodes] == [False] * 3 + [True, False]
    assert "Demand 400" in nodes[0].get_attribute("aria-label")


@pytest.mark.parametrize("mwh", [0, -0.2, 340.4, 999.4, 999.6, 12_400, 1_234_000, -12_400])
def test_energies_read_the_same_in_browser_and_python(page, mwh):
    assert page.execute_script("return kraftflyt.network.formatEnergy(arguments[0])", mwh) == format_energy(mwh)
    assert page.execute_script("return kraftflyt.network.formatNumber(arguments[0], 1)", mwh) == format_number(mwh, 1)


def test_dashes_stand_still_in_a_hidden_tab(page, geometry):
    update(page, tick(geometry))
    state = "return getComputedStyle(document.querySelector('.kf-arrow .kf-flow')).animationPlayState"
    assert page.execute_script(state) == "running"
    page.execute_script(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    assert page.execute_script(state) == "paused"


def test_a_zone_that_goes_short_says_how_much_inside_its_disc(page, geometry):
    short = tick(geometry)
    short["zones"] = [[400e3, 24e3, 334e3, 0, 42e3 if i == 0 else 0, 0] for i in range(5)]
    update(page, short)
    nodes = page.find_elements("css selector", ".kf-node")
    assert ["kf-short" in n.get_attribute("class") for n in nodes] == [True] + [False] * 4
    text, corner, rim = page.execute_script(
        "const t = arguments[0].querySelector('.kf-node-short'), b = t.getBBox();"
        "const r = Number(arguments[0].querySelector('.kf-node-rim').getAttribute('r'));"
        "return [t.textContent, Math.hypot(b.width / 2, b.y + 0.75 * b.height), r]",
        nodes[0],
    )
    assert text == "\u2212" + format_energy(42e3)
    assert corner < rim  # the lower corners of the letters
