"""Every page in both themes, wide, presented and on a phone: nothing overflows or overlaps; pictures in shots/."""

import json
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest

from energy_sim.config import load_config
from energy_sim.session import Frame
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.message import tick_message
from tests.browser.dashboard import MARKS, CommunityPage

pytestmark = MARKS

SHOTS = Path(__file__).parent / "shots"
PAGES = {"overview": "/", "zones": "/zones?start=2018-01-12", "library": "/library", "unknown": "/nowhere"}


def open_settled(page, path):
    if path.startswith("/zones"):
        page.open(path)
    else:
        page.load("/health")
        page.load(path)
        page.wait("document.querySelector('main h1')", "the page")
    page.wait("document.fonts.status === 'loaded' && document.fonts.check('600 16px Inter')", "the font")
    settle(page)


def settle(page):
    """Two frames after the last change of layout, the charts as wide as their places, and no fade under way."""
    page.js(
        "window.settled = 0; const done = () => document.getAnimations().some(a => a.playState === 'running'"
        " && a.effect.getComputedTiming().iterations < 9) ? setTimeout(done, 20) : settled = 1;"
        "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100)))"
    )
    page.wait("window.settled === 1")
    page.wait(
        "[...document.querySelectorAll('.js-plotly-plot')].every(g => !g.offsetParent || !g._fullLayout"
        " || Math.abs(g._fullLayout.width - g.clientWidth) < 2)",
        "charts as wide as their places",
    )


def show_theme(page, theme):
    """Press the key of the theme until it is the one that is wanted."""
    current = "document.documentElement.dataset.theme"
    if page.js(f"return {current}") != theme:
        page.press("t")
    page.wait(f"{current} === '{theme}'")


def shoot(page, name):
    SHOTS.mkdir(exist_ok=True)
    assert page.driver.save_screenshot(str(SHOTS / f"{name}.png"))


def assert_fits(page, width):
    wide = page.js(
        "return [document.documentElement.scrollWidth, [...document.querySelectorAll('main *')]"
        ".filter(e => !e.closest('.kf-scroll, .kf-nav, .kf-code, svg, .kf-visually-hidden, .js-plotly-plot')"
        "  && e.getBoundingClientRect().right > innerWidth + 1)"
        ".slice(0, 5).map(e => e.tagName + '.' + e.className)]"
    )
    assert wide == [width, []]


@pytest.mark.parametrize("name", list(PAGES))
def test_every_page_fits_a_phone_and_a_desk_in_both_themes(page, name):
    page.size(360, 780)
    open_settled(page, PAGES[name])
    for theme in ("dark", "light"):
        show_theme(page, theme)
        for width, height in ((360, 780), (1440, 900)):
            page.size(width, height)
            settle(page)
            assert_fits(page, width)
            shoot(page, f"{name}_{theme}_{width}")


STREETS = [  # houses, the fewest numbers beside them on a desk and on a phone, moment
    (5, (5, 5), "20:15"),
    (14, (14, 4), "12:30"),
    *((40, (25, 4), moment) for moment in ("12:30", "20:15")),
    (500, (10, 0), "12:30"),  # on a phone there is no place for the feeders' numbers
]


@pytest.mark.parametrize(("houses", "labels", "moment"), STREETS)
def test_a_street_of_any_size_fits_a_desk_and_a_phone_in_both_themes_and_no_two_numbers_overlap(
    page, houses, labels, moment
):
    street = CommunityPage(page.driver, page.server)
    street.open(f"/community?houses={houses}&start=2026-07-10T{moment}&seed=3&time_scale=300&theme=dark")
    street.until("m.t >= 2")
    street.pause()
    street.wait("document.fonts.status === 'loaded' && document.fonts.check('600 16px Inter')", "the font")
    for (width, height), fewest in zip(((1440, 900), (360, 780)), labels, strict=True):
        street.size(width, height)
        street.wait(f"kraftflyt.communityPage().net.geometry().compact === {str(width == 360).lower()}", "the drawing")
        for theme in ("dark", "light"):
            show_theme(street, theme)
            settle(street)
            boxes, texts = street.js(
                "const net = kraftflyt.communityPage().net; return [net.labelBoxes(), net.labelTexts()]"
            )
            assert len(boxes) == len(texts) >= fewest
            assert [(a, b) for a, b in combinations(boxes, 2) if overlap(a, b)] == []
            assert max((wide - room for _, wide, room in texts), default=0) <= 0
            assert_fits(street, width)
            shoot(street, f"street_{houses}_{moment[:2]}h_{theme}_{width}")


def test_presentation_mode_shows_the_picture_on_one_screen_in_both_themes(page):
    open_settled(page, "/zones?start=2018-01-12")
    page.step()
    page.press("p")
    page.wait("document.querySelector('.kf-header').offsetParent === null")
    bottom = "document.querySelector('.kf-net-svg').getBoundingClientRect().bottom"
    chart = "document.querySelector('#zones-flows').getBoundingClientRect().width"
    drawn = "document.querySelector('#zones-flows .main-svg').getBoundingClientRect().width"
    for theme in ("dark", "light"):
        show_theme(page, theme)
        settle(page)
        page.wait(f"{bottom} <= innerHeight", "the whole network above the fold")
        page.wait(f"{chart} > 560 && Math.abs({chart} - {drawn}) < 2", "the chart to fill its place")
        assert_fits(page, 1440)
        shoot(page, f"zones_{theme}_presented")


def test_nothing_covers_the_controls_of_playback_and_no_two_of_them_touch(page):
    page.open("/zones?start=2018-01-12")
    for width in (1440, 1024, 360):
        page.size(width, 900)
        settle(page)
        covered = page.js(
            "return [...document.querySelectorAll('.kf-transport button, .kf-transport input, #zones-date')]"
            ".filter(e => e.offsetParent).filter(e => { const b = e.getBoundingClientRect();"
            " const at = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);"
            " const own = e.id === 'zones-date' && at && at.contains(e) && at.closest('.kf-transport');"
            " return !(at && (e.contains(at) || own)); })"
            ".map(e => e.outerHTML.slice(0, 90))"
        )
        assert covered == [], width
        boxes = page.js(
            "return [...document.querySelectorAll('.kf-transport button, .kf-transport .kf-range, .kf-transport select,"
            " #zones-scrub, #zones-date')].filter(e => e.offsetParent).map(e => e.getBoundingClientRect())"
            ".map(b => [b.left, b.top, b.right, b.bottom])"
        )
        assert len(boxes) >= 8
        clash = [(a, b) for a, b in combinations(boxes, 2) if overlap(a, b)]
        assert clash == [], width


def overlap(a, b):
    return a[0] < b[2] - 0.5 and b[0] < a[2] - 0.5 and a[1] < b[3] - 0.5 and b[1] < a[3] - 0.5


YEAR = """
const style = document.createElement('style');
style.textContent = '* { transition: none !important; animation: none !important }';
document.head.append(style);
const page = kraftflyt.zonesPage(), out = { clashes: [], most: 0, days: 0, outside: 0 };
const picture = document.getElementById('zones-network').getBoundingClientRect();
for (const split of [false, true]) {
  page.net.setSplit(split);
  for (const message of JSON.parse(arguments[0])) {
    page.net.update(kraftflyt.networkTick(page.fixed, message));
    const labels = [...document.querySelectorAll('#zones-network .kf-pill:not(.kf-off) rect')]
      .map(r => r.getBoundingClientRect()).filter(b => b.width > 0);
    out.days++;
    out.most = Math.max(out.most, labels.length);
    for (let i = 0; i < labels.length; i++) {
      const a = labels[i];
      if (a.left < picture.left - 1 || a.right > picture.right + 1) out.outside++;
      for (let j = i + 1; j < labels.length; j++) {
        const b = labels[j];
        if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
          out.clashes.push([message.d, split]);
      }
    }
  }
}
style.remove();
return out;
"""


def test_no_two_labels_overlap_on_any_day_of_a_year_in_either_drawing(page, server):
    config = load_config(server.config_file)
    live = open_zones(config, default_parameters(config, date(2018, 1, 1)))
    state, settings, messages = live.start(), dict(live.defaults()), []
    for tick in range(365):
        if tick == 180:
            settings = {**settings, "balance_levels": True}
        state, day = live.step(state, tick, settings)
        messages.append(tick_message(Frame("", tick, 364, False, False, 4.0, 0, 0, settings, settings, day), [], live))
    page.open("/zones?start=2018-01-01")
    for width, fewest in ((1440, 6), (360, 3)):
        page.size(width, 900)
        settle(page)
        found = page.js(YEAR, json.dumps(messages))
        assert found["days"] == 730
        assert found["most"] >= fewest
        assert (found["clashes"], found["outside"]) == ([], 0)
