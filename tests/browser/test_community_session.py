"""The street outlives its server, its page and its session: restarts, links, other pages, files, saved runs."""

import io
import signal
import urllib.request

import pandas as pd
import pytest

from energy_sim.community.statements import statement_table
from tests.browser.dashboard import MARKS, CommunityPage, Server, street_at
from tests.browser.test_community_page import FIVE, charted, link_of
from tests.browser.test_library_page import choose, dialog, downloaded, downloads, wait_until

pytestmark = MARKS
__all__ = ["downloads"]


@pytest.fixture
def street(page):
    return CommunityPage(page.driver, page.server)


def test_killed_while_playing_and_started_again_the_street_goes_on_by_itself_with_the_cores_numbers(chromium, tmp_path):
    server = Server(tmp_path).start()
    try:
        street = CommunityPage(chromium, server)
        street.size(1440, 900)
        street.open(link_of(FIVE))
        street.js("kraftflyt.send('start.house_1.ev', 1)")
        events = street.events("start.house_1.ev")
        street.until(f"m.t > {events[0].tick}", "the car to charge")
        server.stop(signal.SIGKILL)
        at, link = street.last()["t"], street.link()
        street.wait("document.body.classList.contains('kf-lost')", "the page to say that the server is gone")
        server.start()
        street.until(f"m.t > {at}", "the window that was open to go on by itself")
        street.wait("!document.body.classList.contains('kf-lost')", "the page to say no more")
        street.log()  # it may complain while there is no server, and not after
        last = street.pause()
        assert street.cards() == street_at(server.config_file, FIVE, last["t"], events).cards()
        street.driver.refresh()
        street.ready()
        assert (street.link(), street.last()["t"]) == (link, last["t"])
        assert street.events() == events
        street.scrub(1)
        assert street.cards() == street_at(server.config_file, FIVE, 1).cards()
        assert street.log() == []
        assert "Traceback" not in server.log()
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("houses=0", "houses: "),
        ("houses=10001", "houses: "),
        ("houses=many", "no whole number"),
        ("session=nobody", "there is none"),
    ],
)
def test_a_bad_link_gets_a_message(street, query, says):
    street.load(f"/community?{query}")
    street.wait("document.querySelector('.kf-message-page')", "a message")
    text = street.js("return document.querySelector('.kf-message-page').innerText")
    assert says in text
    assert "Traceback" not in text


def test_sessions_of_zones_street_and_overview_are_kept_while_the_window_goes_from_page_to_page(page, street, server):
    last = street.open_paused(link_of(FIVE))
    street.step()
    link = street.link()
    page.click(".kf-nav-link[href='/zones']")
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last", "the zones")
    page.step()
    zones = page.link()
    street.load(f"/community?session={zones['session']}&key={zones['key']}")
    street.wait("document.querySelector('.kf-message-page')", "a message")
    assert "is one of zones" in street.js("return document.querySelector('.kf-message-page').innerText")
    street.load(f"/community?session={link['session']}&key={link['key']}")
    street.ready()
    page.click(".kf-nav-link[href='/zones']")
    page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last", "the zones anew")
    zones = page.link()
    page.press("1")
    pixels = (
        "const c = document.querySelector('#overview-community canvas'), k = c.getContext('2d');"
        "const d = k.getImageData(0, 0, c.width, c.height).data;"
        "const seen = new Set(); for (let i = 0; i < d.length; i += 404) seen.add(d.slice(i, i + 3).join());"
        "return seen.size"
    )
    page.wait(
        f"document.querySelector('#overview-community canvas').width > 300 && (() => {{ {pixels} }})() > 5",
        "the street",
    )
    first = page.js("return document.querySelector('#overview-community canvas').toDataURL()")
    page.wait(
        f"document.querySelector('#overview-community canvas').toDataURL().length !== {len(first)}", "its next hour"
    )
    page.press("3")
    street.wait("document.getElementById('community-street') && kraftflyt.communityPage().last", "the street again")
    assert (street.link(), street.last()["t"]) == (link, last["t"] + 1)
    assert street.cards() == street_at(server.config_file, FIVE, last["t"] + 1).cards()
    page.press("2")
    page.wait("document.getElementById('zones-network') && kraftflyt.zonesPage().last", "the zones again")
    assert page.link() == zones
    page.driver.back()
    street.wait("document.getElementById('community-street') && kraftflyt.communityPage().last", "the street by Back")
    assert street.link() == link


def ask(street, what, kind):
    choose(street, "community-export-what", what)
    street.js(
        "[...document.querySelectorAll('#community-export-kind label')]"
        f".find(l => l.textContent.trim() === {kind.upper()!r}).querySelector('input').click()"
    )
    street.wait("!document.getElementById('community-export-run').disabled")
    street.click("#community-export-run")


def test_pictures_tables_and_printed_statements_leave_the_page_with_the_numbers_of_the_core(street, server, downloads):
    last = street.open_paused(link_of(FIVE) + "&view=export")
    street.js("kraftflyt.send('start.house_1.ev', 2)")
    events = street.events("start.house_1.ev")
    last = street.step()
    core = street_at(server.config_file, FIVE, last["t"], events)
    stamp = f"{core.live.local(round(1000 * core.frame.time_s)):%Y%m%d_%H%M%S}"

    ask(street, "Picture of the street", "png")
    name, content = downloaded(downloads, ".png")
    assert name == f"street_{stamp}.png"
    assert content.startswith(b"\x89PNG\r\n")
    for text, what in (("Chart: production and consumption", "power"), ("Chart: today's energy", "sankey")):
        ask(street, text, "html")
        name, content = downloaded(downloads, ".html")
        assert name == f"{what}_{stamp}.html"
        assert b"Plotly.newPlot" in content
        assert b'src="http' not in content
    ask(street, "Table: ticks of the street so far", "csv")
    name, content = downloaded(downloads, ".csv")
    assert name == f"ticks_{stamp}.csv"
    ticks = pd.read_csv(io.BytesIO(content))
    assert ticks.tick.tolist() == list(range(last["t"] + 1))
    assert ticks.net_community_power_w.tolist() == [f.bus.net_w for f in core.history]
    ask(street, "Table: monthly statements", "csv")
    _, content = downloaded(downloads, ".csv")
    table = statement_table(core.frame.months[-1], core.live.house_ids, core.live.timezone)
    shown = pd.read_csv(io.BytesIO(content))
    assert shown.house_id.tolist() == table.house_id.tolist()
    for column in ("export_kwh", "import_kwh", "sold_amount", "bought_amount", "balance_amount"):
        assert shown[column].tolist() == pytest.approx(table[column].tolist(), abs=1e-9)
    ask(street, "Picture of the street", "csv")
    street.wait("/CSV|PNG, SVG or HTML/.test(document.getElementById('toast').textContent)", "the message")

    with urllib.request.urlopen(f"{server.url}/community/statements/{street.link()['session']}", timeout=20) as answer:
        printed = answer.read().decode()
    assert all(f"Statement for {name}" in printed for name in core.live.house_ids)
    assert "http" not in printed


def test_a_saved_street_is_in_the_library_and_plays_back_the_same_numbers(street, server, downloads):
    street.open_paused(link_of(FIVE) + "&view=export")
    street.js("kraftflyt.send('start.house_1.ev', 2); kraftflyt.send('time_scale', 300)")
    events = street.events("start.house_1.ev", "time_scale")
    last = street.step()
    last = street.step()
    core = street_at(server.config_file, FIVE, last["t"], events)
    assert street.cards() == core.cards()
    street.click("#community-save")
    street.wait("document.querySelector('#community-saved a')", "the saved run")
    name = street.text("#community-saved a")
    saved = pd.read_csv(server.folder / "runs" / name / "ticks.csv")
    assert saved.net_community_power_w.tolist() == [f.bus.net_w for f in core.history]

    street.load("/library")
    row = f"[...document.querySelectorAll('#library-list tbody tr')].find(r => r.textContent.includes('{name}'))"
    street.wait(f"Boolean({row})", "the run in the list")
    street.js(f"{row}.querySelector('a').click()")
    street.ready()
    street.wait("new URLSearchParams(location.search).get('session')", "a session in the address")
    street.pause()
    assert name in street.text(".kf-transport")
    while street.last()["t"] < last["t"]:
        street.step()
    street.scrub(last["t"]) if street.last()["t"] != last["t"] else None
    assert street.cards() == core.cards()
    assert street.js("return kraftflyt.communityPage().events") == [[e.tick, e.control, e.value] for e in events]
    x, series = core.series()
    street.wait(f"kraftflyt.live.graph('community-power').data[0].x.length === {len(x)}", "every tick in the chart")
    assert charted(street, "community-power")[1][0] == pytest.approx(series[0], abs=1e-3)

    street.load("/library")
    street.wait(f"Boolean({row})", "the run in the list")
    choose(street, "library-file-run", name)
    street.wait("!document.getElementById('library-file-get').disabled")
    choose(street, "library-file-what", "Table: ticks of the street so far")
    street.js(
        "[...document.querySelectorAll('#library-file-kind label')]"
        ".find(l => l.textContent.trim() === 'CSV').querySelector('input').click()"
    )
    street.click("#library-file-get")
    _, content = downloaded(downloads, ".csv")
    assert content == (server.folder / "runs" / name / "ticks.csv").read_bytes()
    street.js(f"[...{row}.querySelectorAll('button')].find(b => b.textContent === 'Delete').click()")
    wait_until(lambda: dialog(street), "the question").accept()
    street.wait(f"!document.getElementById('library-list').textContent.includes('{name}')", "the run to be gone")
