"""What every page has: names for all controls, a way there by keyboard, spoken summaries, themes, still pictures."""

import pytest
from selenium.webdriver.common.keys import Keys

from energy_sim.figures.theme import THEMES
from tests.browser.dashboard import MARKS, CommunityPage, message_of_day

pytestmark = MARKS

NAMELESS = """
const text = id => document.getElementById(id)?.textContent || '';
const named = e => e.getAttribute('aria-label') || e.title || [...(e.labels || [])].map(l => l.textContent).join('')
  || (e.getAttribute('aria-labelledby') || '').split(' ').map(text).join('') || e.textContent;
return [...document.querySelectorAll('button, input, select, a[href], [role=switch], [role=tab], svg[role]')]
  .filter(e => (e.offsetParent !== null || e.tagName === 'svg') && e.getAttribute('aria-hidden') !== 'true')
  .filter(e => !named(e).trim()).map(e => e.outerHTML.slice(0, 120))
"""


@pytest.mark.parametrize("path", ["/", "/zones", "/community", "/library"])
def test_every_control_has_a_name(page, path):
    page.load(path)
    page.wait("document.querySelector('main h1')")
    if path == "/zones":
        page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last")
        for tab in ("explain", "table", "compare", "data", "export", "transfers"):
            page.click(f"#tab-{tab}")
            assert page.js(NAMELESS) == [], tab
    if path == "/community":
        street = CommunityPage(page.driver, page.server)
        street.ready()
        street.house(0).click().perform()
        street.wait("document.querySelectorAll('[data-start]').length > 0", "the buttons of a house")
        for tab in ("prices", "day", "houses", "statements", "settings", "export"):
            page.click(f"#tab-{tab}")
            assert page.js(NAMELESS) == [], tab
    assert page.js(NAMELESS) == []
    assert page.js("return document.querySelectorAll('main, [role=main]').length") == 1
    assert page.js("return document.querySelectorAll('h1').length") == 1


def test_tab_reaches_playback_switches_sliders_and_tables_and_the_focus_is_seen(page):
    page.open()
    page.js("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached, outlines = [], set()
    for _ in range(70):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        found = page.js(
            "const e = document.activeElement, s = getComputedStyle(e);"
            "const d = e.dataset, shown = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0;"
            "return [d.command || d.switch || d.action || d.tab || e.id || e.className || e.tagName, shown"
            " || s.boxShadow !== 'none' || e.tagName === 'INPUT' || Boolean(e.closest('svg, [class*=dash-]'))]"
        )
        reached.append(found[0])
        if not found[1]:
            outlines.add(found[0])
    wanted = ["theme", "reset", "play", "step", "range-speed", "scrub", "wind", "import_phase1", "local_hydro"]
    wanted += ["import_phase2", "two_hop", "share_wind", "balance_levels", "range-wind_factor", "start-date", "restart"]
    wanted += ["split", "transfers"]
    assert [name for name in wanted if name not in reached] == []
    order = [reached.index(name) for name in ("theme", "play", "scrub", "wind", "two_hop", "balance_levels", "restart")]
    assert order == sorted(order)
    assert outlines <= {"BODY"}  # past the last control


def test_a_switch_is_turned_by_the_keyboard_and_says_its_state(page):
    page.open()
    switch = page.driver.find_element("css selector", "[data-switch=two_hop]")
    assert (switch.get_attribute("role"), switch.get_attribute("aria-checked")) == ("switch", "true")
    switch.send_keys(Keys.SPACE)
    page.wait("kraftflyt.zonesPage().last.set.two_hop === false")
    assert switch.get_attribute("aria-checked") == "false"
    assert page.last()["p"] == 0  # the blank turned the switch and did not start playback
    switch.send_keys(Keys.ENTER)
    page.wait("kraftflyt.zonesPage().last.set.two_hop === true")
    assert switch.get_attribute("aria-checked") == "true"


def test_tabs_are_walked_by_arrows(page):
    page.open()
    page.click("#tab-transfers")
    page.driver.find_element("css selector", "#tab-transfers").send_keys(Keys.ARROW_RIGHT)
    page.wait("document.activeElement.id === 'tab-explain'")
    assert page.js("return document.getElementById('pane-transfers').hidden")
    assert page.last()["t"] == 0


def test_the_transfers_table_is_sorted_by_its_headings(page, server):
    page.open("/zones?start=2018-01-12")
    for column in (4, 5):
        page.click(f"#zones-transfers [data-column='{column}']")
        way = page.js(f"return document.querySelectorAll('#zones-transfers th')[{column}].getAttribute('aria-sort')")
        shown = [float(row[column].replace("\u202f", "")) for row in page.transfers()]
        assert len(shown) > 3
        assert shown == sorted(shown, reverse=way == "descending")
    rows = page.transfers()
    assert sorted(float(r[4].replace("\u202f", "")) for r in rows) == pytest.approx(
        sorted(x[2] for x in message_of_day(server.config_file, 0, start="2018-01-12")["x"]), abs=0.051
    )


def test_the_day_is_read_aloud_when_it_changes(page):
    page.open("/zones?start=2018-01-12")
    spoken = "document.getElementById('live-summary').textContent"
    page.wait(f"{spoken}.includes('12 January 2018')", "the first day")
    page.step()
    page.wait(f"{spoken}.includes('13 January 2018')", "the next day")
    assert "unmet" in page.js(f"return {spoken}")
    assert page.js("return document.getElementById('live-summary').getAttribute('aria-live')") == "polite"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_theme_chosen_on_another_page_holds_for_the_charts_of_the_zones(page, theme):
    page.load("/")
    page.wait("document.querySelector('.kf-overview')")
    if page.js("return document.documentElement.dataset.theme") != theme:
        page.click("[data-action=theme]")
    page.click(".kf-room")
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last")
    ink = THEMES[theme].ink
    page.wait(
        f"document.querySelector('#zones-flows .js-plotly-plot').layout.font.color.toLowerCase() === '{ink}'",
        f"a {theme} chart",
    )
    color = page.js("return getComputedStyle(document.body).color")
    assert color == f"rgb({int(ink[1:3], 16)}, {int(ink[3:5], 16)}, {int(ink[5:], 16)})"


def test_with_reduced_motion_nothing_moves(page):
    features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        page.open("/zones?start=2018-01-12")
        page.wait("document.querySelector('.kf-arrow:not(.kf-off) .kf-flow')")
        names = page.js("return [...document.querySelectorAll('.kf-flow')].map(e => getComputedStyle(e).animationName)")
        assert set(names) == {"none"}
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
