"""The community page opens and plays by itself, and all that it says of a tick is what the core says of it."""

import json
import urllib.request

import pytest
from selenium.webdriver.common.keys import Keys

from energy_sim.community.economics import community_result_ct_per_h
from tests.browser.dashboard import MARKS, CommunityPage, rounded, street_at, watts
from tests.browser.test_zones_page import requested

pytestmark = MARKS

FOURTEEN = {"houses": 14, "time_scale": 60, "start": "2026-07-10T12:00", "seed": 3}
FIVE = {"houses": 5, "time_scale": 60, "start": "2026-07-10T12:45", "seed": 1}
MANY = {"houses": 500, "time_scale": 60, "start": "2026-07-10T13:00", "seed": 3}


def link_of(wanted):
    return "/community?" + "&".join(f"{name}={value}" for name, value in wanted.items())


@pytest.fixture
def street(page):
    """The page's browser with what tests do on the community page."""
    return CommunityPage(page.driver, page.server)


def asked(street, path):
    with urllib.request.urlopen(street.server.url + path, timeout=20) as answer:
        return json.loads(answer.read())


def charted(street, name):
    """[x, [y of each trace]] of a chart."""
    return street.js(
        "const g = kraftflyt.live.graph(arguments[0]); return [[...g.data[0].x], g.data.map(t => [...t.y])]", name
    )


def test_it_plays_by_itself_and_a_paused_tick_shows_the_numbers_of_the_core_everywhere(street, server):
    street.load("/health")
    requested(street)
    street.open(link_of(FOURTEEN))
    street.until("m.t >= 3")
    strangers = [u for u in requested(street) if not u.startswith((server.url, "data:", "blob:"))]
    assert strangers == []
    last = street.pause()
    core = street_at(server.config_file, FOURTEEN, last["t"])

    assert street.cards() == core.cards()
    assert street.text("#community-balance") == core.balance()
    moment = core.live.local(round(1000 * core.frame.time_s))
    assert street.text("#community-picture-title") == f"The street on {moment:%a, %-d %b %Y, %H:%M}"
    assert street.text("#community-date") == f"{moment:%H:%M}{moment:%a, %-d %B %Y} · ×\u00a060 · paused"
    assert street.text("#community-street .kf-stage-live") == ""
    net = street.js("return [...kraftflyt.communityPage().houses.net]")
    assert net == pytest.approx(core.frame.powers.net_w.tolist(), abs=0.06)
    x, series = core.series()
    street.wait(f"kraftflyt.live.graph('community-power').data[0].x.length === {len(x)}", "every tick in the chart")
    drawn_x, drawn = charted(street, "community-power")
    assert [moment[:19] for moment in drawn_x] == x
    for shown, expected in zip(drawn, series, strict=True):
        assert shown == pytest.approx(expected, abs=1e-3)

    state = asked(street, f"/api/community/{street.link()['session']}/state")
    assert state["tick"] == last["t"]
    assert [row["net_power_w"] for row in state["houses"]] == core.frame.powers.net_w.tolist()
    assert state["community"]["total_production_w"] == core.frame.bus.production_w

    street.tab("houses")
    assert street.rows("#community-houses") == core.houses()
    street.tab("prices")
    assert street.rows("#community-flows") == flows(core)
    street.tab("day")
    own, shared, exported, imported, *loads = core.frame.day_kwh
    parts = [kwh for kwh in (own, shared, exported, own, shared, imported, *loads) if kwh > 0]
    drawn = "kraftflyt.live.graph('community-sankey').data[0].link.value"
    street.wait(
        f"{json.dumps(parts)}.every((kwh, i) => Math.abs({drawn}[i] - kwh) < 1e-3) && {drawn}.length === {len(parts)}",
        "today's energy",
    )


def flows(core):
    """The table of who sells and buys."""
    prices, bus = core.prices, core.frame.bus
    pv, house = prices.pv_delivery_ct_per_kwh, prices.house_consumption_ct_per_kwh

    def row(name, sold, bought, sold_for, bought_for):
        amounts = (rounded(sold * sold_for, 2), rounded(bought * bought_for, 2))
        return [name, rounded(sold, 3), rounded(bought, 3), *amounts]

    net = [round(float(w), 1) for w in core.frame.powers.net_w]
    names = core.live.house_ids
    rows = [row(n, max(w, 0) / 1000, max(-w, 0) / 1000, pv, house) for n, w in zip(names, net, strict=True)]
    rows.append(row("Houses together", *core.exchanged_kw, pv, house))
    grid = (bus.grid_import_w / 1000, bus.grid_export_w / 1000)
    rows.append(row("Grid", *grid, prices.grid_consumption_ct_per_kwh, prices.grid_delivery_ct_per_kwh))
    result = community_result_ct_per_h(*core.exchanged_kw, prices)
    return [*rows, ["Community result", "", "", "", rounded(round(result, 3), 2)]]


def test_the_mouse_over_houses_lines_the_bus_and_the_grid_tells_their_powers(street, server):
    last = street.open_paused(link_of(FIVE))
    core = street_at(server.config_file, FIVE, last["t"])
    for place, name in enumerate(core.live.house_ids):
        street.house(place).perform()
        street.wait(f"document.querySelector('.kf-stage-tip').textContent.startsWith('{name} ')", name)
        assert street.tip() == core.tip(place)
        street.pointer(edge(place)).perform()
        net = float(core.frame.powers.net_w[place])
        way = f"{name} → bus" if net > 0 else f"Bus → {name}"
        street.wait(f"document.querySelector('.kf-stage-tip').textContent.includes({json.dumps(way)})", way)
        assert street.tip()[way] == watts(abs(net))
    street.pointer("g.hub").perform()
    street.wait("document.querySelector('.kf-stage-tip').textContent.startsWith('Community bus')", "the bus")
    bus = core.frame.bus
    assert street.tip() == {
        "Community bus": "",
        "Houses": "5",
        "Shared inside": watts(bus.shared_w),
        "Net": watts(bus.net_w),
    }
    street.pointer("g.grid").perform()
    street.wait("document.querySelector('.kf-stage-tip').textContent.startsWith('External grid')", "the grid")
    way = "Bus → grid" if bus.net_w > 0 else "Grid → bus"
    assert street.tip() == {"External grid": "", way: watts(abs(bus.net_w))}
    assert {"house_1 imports", "house_2 exports"} <= {key for i in range(5) for key in core.tip(i)}


def edge(place):
    return f"[0.55 * g.houses[{2 * place}] + 0.45 * g.hub[0], 0.55 * g.houses[{2 * place + 1}] + 0.45 * g.hub[1]]"


def test_a_click_on_a_house_opens_its_meters_and_its_last_hour_with_the_numbers_of_the_core(street, server):
    street.open(link_of(FIVE))
    street.until("m.t >= 4")
    last = street.pause()
    core = street_at(server.config_file, FIVE, last["t"])
    for place in (3, 0):  # the second one is chosen while the first one is open
        name, p, m = core.live.house_ids[place], core.frame.powers, core.frame.meters
        street.house(place).click().perform()
        street.wait(f"document.querySelector('#community-house h2').textContent === '{name}'", f"the panel of {name}")
        value = "document.querySelector('#community-house [data-value={}]').textContent"
        street.wait(value.format("net") + " !== '…'", "its numbers")
        net = float(p.net_w[place])
        way = "▲ exports " if net > 10 else "▼ imports " if net < -10 else "● idle "
        told = {
            "net": way + watts(abs(net)),
            "pv": watts(p.pv_w[place]),
            "base": watts(p.base_w[place]),
            "flex": watts(p.flex_w[place]),
            "exported": f"{rounded(round(float(m.export_kwh[place]), 3), 2)}\u00a0kWh",
            "imported": f"{rounded(round(float(m.import_kwh[place]), 3), 2)}\u00a0kWh",
            "sold": rounded(round(float(m.sold_ct[place]), 3) / 100, 2),
            "bought": rounded(round(float(m.bought_ct[place]), 3) / 100, 2),
        }
        assert {key: street.js("return " + value.format(key)) for key in told} == told
        assert (
            street.js("return Number(document.getElementById('house-pv_kwp').value)") == core.live.houses.pv_kwp[place]
        )
        hour = [[float(v[place]) / 1000 for v in (f.powers.pv_w, f.powers.base_w, f.powers.flex_w, f.powers.net_w)]
                for f in core.history]  # fmt: skip
        points = "kraftflyt.live.graph('community-house-chart').data"
        street.wait(
            f"{points}.some(t => Math.abs(t.y.at(-1) - {hour[-1][3]}) < 6e-4 && t.y.length === {len(hour)})", "its hour"
        )
        drawn = street.js(f"return {points}.map(t => [...t.y])")
        for column in range(4):
            series = [row[column] for row in hour]
            assert any([abs(v) for v in y] == pytest.approx([abs(v) for v in series], abs=6e-4) for y in drawn), column
    street.click("[data-action=close-house]")
    street.wait("document.getElementById('community-house-hour').hidden", "the panel to close")
    assert "Click a house" in street.text("#community-house")


def test_among_500_houses_the_details_of_the_one_under_the_mouse_come_from_the_server(street, server):
    last = street.open_paused(link_of(MANY))
    core = street_at(server.config_file, MANY, last["t"])
    assert street.cards() == core.cards()
    net = street.js("return [...kraftflyt.communityPage().houses.net]")
    assert net == pytest.approx(core.frame.powers.net_w.tolist(), abs=0.51)
    for place in (123, 3, 499):
        street.house(place).perform()
        street.wait("document.querySelector('.kf-stage-tip').textContent.includes('Base load')", "its details")
        assert street.tip() == core.tip(place)
    feeder = 6
    per = street.js("return kraftflyt.communityPage().fixed.geometry.per")
    street.pointer(
        f"[0.73 * g.hub[0] + 0.27 * g.trunks[{2 * feeder}], 0.73 * g.hub[1] + 0.27 * g.trunks[{2 * feeder + 1}]]"
    ).perform()
    street.wait("document.querySelector('.kf-stage-tip').textContent.startsWith('Feeder 7')", "the feeder")
    told = street.tip()
    net_w = float(core.frame.powers.net_w[feeder * per : (feeder + 1) * per].sum())
    way = "Feeder → bus" if net_w > 0 else "Bus → feeder"
    assert list(told) == [f"Feeder 7: house_{feeder * per + 1} to house_{(feeder + 1) * per}", way]
    assert float(told[way].removesuffix("\u00a0W").replace("\u202f", "")) == pytest.approx(abs(net_w), abs=0.5 * per)
    street.house(77).click().perform()
    street.wait("document.querySelector('#community-house h2').textContent === 'house_78'", "the panel")
    street.wait("document.querySelector('#community-house [data-value=pv]').textContent !== '…'", "its numbers")
    assert street.text("#community-house [data-value=base]") == watts(core.frame.powers.base_w[77])


def test_a_street_of_1000_shows_states_and_feeders_and_is_drawn_at_once(street, server):
    wanted = {**MANY, "houses": 1000}
    last = street.open_paused(link_of(wanted))
    core = street_at(server.config_file, wanted, last["t"])
    assert street.cards() == core.cards()
    net = core.frame.powers.net_w
    states = street.js("return [...kraftflyt.communityPage().houses.states]")
    assert states == [1 if w > 10 else 2 if w < -10 else 0 for w in net.tolist()]
    street.tab("houses")
    rows = street.rows("#community-houses")
    assert sum(float(row[2].replace("\u202f", "")) for row in rows) == 1000
    per = street.js("return kraftflyt.communityPage().fixed.geometry.per")
    assert [float(row[3].replace("−", "-")) for row in rows] == pytest.approx(
        [float(net[at : at + per].sum()) / 1000 for at in range(0, 1000, per)], abs=0.51
    )
    street.house(500).perform()
    street.wait("document.querySelector('.kf-stage-tip').textContent.includes('Base load')", "its details")
    assert street.tip() == core.tip(500)
    took = street.js("return kraftflyt.communityPage().net.timing")
    assert took["draws"] > 0
    assert took["update"] < 200


def test_keys_and_sliders_play_step_go_home_and_change_the_time_scale(street, server):
    street.open_paused(link_of(FIVE))
    at = street.last()["t"]
    street.press(Keys.ARROW_RIGHT)
    street.until(f"m.t === {at + 1}")
    street.press(Keys.ARROW_LEFT)
    street.until(f"m.t === {at}")
    street.press("+")
    street.until("m.set.time_scale === 300")
    assert street.text("[data-range=time_scale] output") == "5 min a second"
    street.press("-")
    street.until("m.set.time_scale === 60")
    street.set_range("range-time_scale", 5)
    street.until("m.set.time_scale === 3600")
    before = street.last()["at"][0]
    street.step()
    after = street.step()
    assert after["at"] == [before + 60 + 3600, 3600]  # the tick on screen kept its length
    events = street.events("time_scale")
    core = street_at(server.config_file, FIVE, after["t"], events)
    assert street.cards() == core.cards()
    street.press(Keys.SPACE)
    street.until("m.p === 1")
    street.press(Keys.SPACE)
    street.until("m.p === 0")
    street.press("p")
    street.wait("document.querySelector('.kf-buttons').offsetParent === null", "presentation mode")
    street.wait("document.querySelector('.kf-stage').getBoundingClientRect().bottom <= innerHeight + 1")
    street.press(Keys.ARROW_RIGHT)
    street.press(Keys.ESCAPE)
    street.wait("document.querySelector('.kf-buttons').offsetParent !== null", "the controls again")
    street.press(Keys.HOME)
    street.until("m.t === 0 && m.set.time_scale === 60")
    street.wait("kraftflyt.communityPage().events.length === 0", "no change any more")
    assert street.cards() == street_at(server.config_file, FIVE, 0).cards()


def test_arrows_inside_the_drawing_go_from_house_to_house_and_do_not_step(street, server):
    last = street.open_paused(link_of(FIVE))
    core = street_at(server.config_file, FIVE, last["t"])
    stage = street.driver.find_element("css selector", "#community-street [role=application]")
    street.js("arguments[0].focus()", stage)
    stage.send_keys(Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    focused = "kraftflyt.communityPage().net.state().focused"
    street.wait(f"{focused} === 2", "the third house")
    assert street.tip() == core.tip(2)
    assert "house_3" in street.text("#community-street [aria-live]")
    stage.send_keys(Keys.ENTER)
    street.wait("document.querySelector('#community-house h2').textContent === 'house_3'", "its panel")
    stage.send_keys(Keys.ESCAPE)
    street.wait(f"{focused} === null")
    assert (street.last()["t"], street.last()["v"]) == (last["t"], last["v"])


def test_a_change_of_theme_draws_the_street_and_its_charts_anew(street):
    street.open_paused(link_of(FIVE) + "&theme=dark")
    pixel = (
        "const g = kraftflyt.communityPage().net.geometry(), c = document.querySelector('.kf-street-houses');"
        "const k = c.width / g.width, copy = new OffscreenCanvas(1, 1).getContext('2d');"
        "copy.drawImage(c, k * (g.houses[2] - 0.5 * g.r), k * (g.houses[3] + 0.3 * g.r), 1, 1, 0, 0, 1, 1);"
        "return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3).join()"
    )
    assert street.js("return kraftflyt.communityPage().houses.net[1]") > 10
    assert street.js(pixel) == "47,199,154"
    ink = "kraftflyt.live.graph('{}').layout.font.color.toLowerCase()"
    street.wait(ink.format("community-power") + " === '#e8eef6'", "a dark chart")
    street.tab("day")
    street.press("t")
    street.wait(f"(() => {{ {pixel} }})() === '0,128,95'", "the light theme's export colour")
    for chart in ("community-power", "community-sankey"):
        street.wait(ink.format(chart) + " === '#14202e'", f"a light {chart}")


def test_the_story_tells_itself_to_its_end_and_the_street_obeys_it(street):
    street.open("/community")
    street.js("kraftflyt.communityPage().fixed.stories[0].steps.forEach(s => { s.wait = 0.7; })")
    steps = street.js("return kraftflyt.communityPage().fixed.stories[0].steps")
    assert len(steps) > 5
    street.js(
        "window.told = []; const c = document.getElementById('community-caption');"
        "new MutationObserver(() => told.push(c.textContent)).observe(c, {childList: true, subtree: true});"
        "const s = document.querySelector('#community-stories select');"
        "s.value = '0'; s.dispatchEvent(new Event('change'))"
    )
    street.wait("told.length > 2 && kraftflyt.communityPage().story === null", "the end of the story")
    told = [text for text in street.js("return told") if text]
    assert told == [step["caption"] for step in steps]
    street.until("m.p === 0", "the pause at the end")
    wanted = {name for step in steps for name in step["set"]}
    found = {(e.control, e.value) for e in street.events(*sorted(wanted))}
    assert {(name, value) for step in steps for name, value in step["set"].items()} <= found
    assert street.text("#toast") == ""
    assert street.js("return [...document.querySelectorAll('.kf-scrub-mark')].length") >= len(wanted)
