"""Files out of the page: figures and tables by the Download button, runs saved, opened, compared, packed, deleted."""

import io
import zipfile

import pandas as pd
import pytest

from energy_sim.clock import Event
from energy_sim.config import load_config
from energy_sim.figures.theme import format_energy
from energy_sim.zones import kernel as k
from energy_sim.zones.live import default_parameters, open_zones
from tests.browser.dashboard import MARKS, WAIT_S, expected_cards, message_of_day, wait_until

pytestmark = MARKS


@pytest.fixture
def downloads(page, tmp_path):
    """The folder into which the browser puts files."""
    order = {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": True}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", order)
    return tmp_path


def downloaded(folder, suffix):
    """The content of the one file that arrives; it is taken out of the folder."""
    path = wait_until(
        lambda: next((p for p in folder.iterdir() if p.suffix == suffix and p.stat().st_size), None),
        f"a {suffix} file",
        3 * WAIT_S,  # pictures are drawn by a browser of the server's
    )
    content = path.read_bytes()
    path.unlink()
    return path.name, content


def choose(page, box, text):
    """Choose an option of a drop-down by its text."""
    page.click(f"#{box}")
    found = (
        "[...document.querySelectorAll('.dash-options-list-option, [role=option]')]"
        f".find(o => o.textContent.trim() === {text!r})"
    )
    page.wait(f"Boolean({found})", f"the choice {text}")
    page.js(f"{found}.scrollIntoView({{block: 'nearest'}}); {found}.click()")
    page.wait(f"document.getElementById({box!r}).textContent.includes({text!r})", f"{text} to be chosen")


def ask(page, what, kind):
    choose(page, "zones-export-what", what)
    page.js(
        "[...document.querySelectorAll('#zones-export-kind label')]"
        f".find(l => l.textContent.trim() === {kind.upper()!r}).querySelector('input').click()"
    )
    page.wait("!document.getElementById('zones-export-run').disabled")
    page.click("#zones-export-run")


FIGURES = (
    ("Network of the day", "network"),
    ("Network, export and import sides", "split"),
    ("Demand and what covers it", "flows"),
    ("Reservoir levels", "reservoirs"),
)


def test_every_figure_arrives_as_a_page_that_opens_alone_and_one_as_picture_and_drawing(page, downloads):
    page.open("/zones?start=2018-01-12&view=export")
    page.step()
    for text, name in FIGURES:
        ask(page, text, "html")
        file_name, content = downloaded(downloads, ".html")
        assert file_name == f"{name}_2018-01-13.html"
        assert b"Plotly.newPlot" in content
        assert b'src="http' not in content
    ask(page, "Network of the day", "png")
    assert downloaded(downloads, ".png")[1].startswith(b"\x89PNG\r\n")
    ask(page, "Reservoir levels", "svg")
    drawing = downloaded(downloads, ".svg")[1].decode()
    assert drawing.startswith("<svg")
    assert all(zone in drawing for zone in ("NO1", "NO2", "NO3", "NO4", "NO5"))


def test_every_table_arrives_with_the_numbers_of_the_core(page, server, downloads):
    page.open("/zones?start=2018-01-12&view=export")
    page.turn("two_hop", on=False)
    page.step()
    config = load_config(server.config_file)
    live = open_zones(config, default_parameters(config, pd.Timestamp("2018-01-12").date()))
    period = live.history((Event(1, 1, "two_hop", False),), 1)
    tables = {}
    for text, name in (
        ("Table: days", "daily_summary"),
        ("Table: zones and days", "zone_metrics"),
        ("Table: transfers", "transfers"),
    ):
        ask(page, text, "csv")
        file_name, content = downloaded(downloads, ".csv")
        assert file_name == f"{name}_2018-01-13.csv"
        tables[name] = pd.read_csv(io.BytesIO(content))
    assert tables["daily_summary"]["date"].tolist() == ["2018-01-12", "2018-01-13"]
    assert tables["daily_summary"]["demand_mwh"].tolist() == pytest.approx(period.series[:, :, k.DEMAND].sum(axis=1))
    assert tables["zone_metrics"]["level_mwh"].tolist() == pytest.approx(period.series[:, :, k.LEVEL].ravel())
    assert tables["transfers"]["sent_mwh"].tolist() == pytest.approx(period.trace[:, k.SENT])
    assert set(tables["transfers"].query("date == '2018-01-13'")["hops"]) == {1}


def test_a_figure_is_not_a_table_and_the_page_says_so(page):
    page.open("/zones?start=2018-01-12&view=export")
    ask(page, "Table: days", "png")
    page.wait("/choose CSV/.test(document.getElementById('toast').textContent)", "the message")
    ask(page, "Network of the day", "csv")
    page.wait("/PNG, SVG or HTML/.test(document.getElementById('toast').textContent)", "the message")


def test_comparing_a_change_says_what_the_core_says_with_and_without_it(page, server):
    page.open("/zones?start=2018-01-12&view=compare")
    page.step()
    page.turn("local_hydro", on=False)
    page.scrub(6)
    choose(page, "zones-compare-event", "2018-01-14: Local hydro off")
    page.click("#zones-compare-run")
    page.wait("document.querySelectorAll('#zones-compare tbody tr').length === 9", "the comparison")
    shown = page.js(
        "return Object.fromEntries([...document.querySelectorAll('#zones-compare tbody tr')]"
        ".map(r => [r.children[0].textContent, [...r.children].slice(1).map(c => c.textContent)]))"
    )
    config = load_config(server.config_file)
    live = open_zones(config, default_parameters(config, pd.Timestamp("2018-01-12").date()))
    with_change = live.history((Event(1, 2, "local_hydro", False),), 6).series[2:]
    without = live.history((), 6).series[2:]
    for name, columns in (
        ("Local hydro", [k.LOCAL_HYDRO]),
        ("Imports 2", [k.P4H1, k.P4H2]),
        ("Unmet", [k.UNMET]),
        ("Wind used", [k.WIND_USED]),
    ):
        a, b = (float(series[:, :, columns].sum()) for series in (with_change, without))
        assert shown[name] == [format_energy(a), format_energy(b), format_energy(a - b)], name
    assert shown["Local hydro"][0] == "0\u00a0MWh"
    assert shown["Unmet"][2] != "0\u00a0MWh"
    a, b = (float(series[-1, :, k.LEVEL].sum()) for series in (with_change, without))
    assert shown["Storage now"] == [format_energy(a), format_energy(b), format_energy(a - b)]


def saved_run(page, days):
    """Save a run of so many days from 12 January 2018 without two-hop routes from the second on; its name."""
    page.open("/zones?start=2018-01-12&view=export")
    page.turn("two_hop", on=False)
    page.scrub(days - 1)
    page.click("#zones-save")
    page.wait("document.querySelector('#zones-saved a')", "the saved run")
    return page.js("return document.querySelector('#zones-saved a').textContent")


def test_a_saved_run_is_in_the_library_plays_back_the_same_days_without_switches_and_can_be_packed_and_deleted(
    page, server, downloads
):
    name = saved_run(page, 5)
    events = (Event(1, 1, "two_hop", False),)
    page.click("#zones-saved a")  # straight from the live session, in the same window
    page.wait("new URLSearchParams(location.search).get('session') && kraftflyt.zonesPage().last.n === 4", "playback")
    page.wait("document.querySelectorAll('[data-switch]').length === 0", "a page without switches")
    assert page.js("return kraftflyt.zonesPage().events") == [[1, "two_hop", False]]
    for tick in (0, 1, 4):
        page.scrub(tick) if tick else None
        day = message_of_day(server.config_file, tick, tuple(e for e in events if e.tick <= tick), start="2018-01-12")
        assert page.cards() == expected_cards(day)
        assert page.last()["z"] == day["z"]
    assert "the end" in page.js("return document.querySelector('#zones-date small').textContent")

    page.load("/library")
    page.wait(f"document.getElementById('library-list').textContent.includes('{name}')", "the run in the list")
    row = f"[...document.querySelectorAll('#library-list tbody tr')].find(r => r.textContent.includes('{name}'))"
    assert "2018-01-12 to 2018-01-16" in page.js(f"return {row}.textContent")
    page.js(f"[...{row}.querySelectorAll('button')].find(b => b.textContent === 'Export').click()")
    _, packed = downloaded(downloads, ".zip")
    files = set(zipfile.ZipFile(io.BytesIO(packed)).namelist())
    expected = ("params.json", "summary.json", "transfers.csv", "daily_summary.csv", "simulation.log")
    assert {f"{name}/{f}" for f in (*expected, "figures/reservoir_levels.html")} <= files

    page.js(f"[...{row}.querySelectorAll('button')].find(b => b.textContent === 'Delete').click()")
    alert = wait_until(lambda: dialog(page), "the question")
    assert name in alert.text
    alert.accept()
    page.wait(f"!document.getElementById('library-list').textContent.includes('{name}')", "the run to be gone")
    assert not (server.folder / "runs" / name).exists()


def dialog(page):
    from selenium.common.exceptions import NoAlertPresentException

    try:
        return page.driver.switch_to.alert
    except NoAlertPresentException:
        return None


def test_a_playback_link_whose_run_is_gone_says_so(page, server):
    name = saved_run(page, 2)
    page.open(f"/zones?run={name}")
    link = page.js("return location.pathname + location.search")
    page.load("/library")
    page.wait(f"document.getElementById('library-list').textContent.includes('{name}')")
    (server.folder / "runs" / name).rename(server.folder / "runs" / "elsewhere")
    restarted = page.js("return fetch('/health').then(r => r.ok)")
    assert restarted
    page.load("/health")
    page.load(link)
    # the process may still hold the run; either way the page is not blank
    page.wait(
        "document.querySelector('.kf-message-page') || (kraftflyt.zonesPage() && kraftflyt.zonesPage().last)",
        "a page that is not blank",
    )


def test_two_runs_side_by_side_show_their_totals_and_the_difference(page, server):
    names = [saved_run(page, 3), saved_run(page, 4)]
    page.load("/library")
    page.wait("document.getElementById('library-left')")
    choose(page, "library-left", names[0])
    choose(page, "library-right", names[1])
    page.wait("document.querySelectorAll('#library-side-by-side tbody tr').length === 11", "the table")
    shown = page.js(
        "return Object.fromEntries([...document.querySelectorAll('#library-side-by-side tbody tr')]"
        ".map(r => [r.children[0].textContent, [...r.children].slice(1).map(c => c.textContent)]))"
    )
    config = load_config(server.config_file)
    live = open_zones(config, default_parameters(config, pd.Timestamp("2018-01-12").date()))
    series = live.history((Event(1, 1, "two_hop", False),), 3).series
    a, b = (float(series[:days, :, k.DEMAND].sum()) for days in (3, 4))
    assert shown["demand"] == [format_energy(a), format_energy(b), format_energy(a - b)]
    page.wait("document.querySelectorAll('#library-side-by-side .js-plotly-plot').length === 2", "two charts")


def test_a_figure_and_a_table_of_a_run_are_downloaded_from_the_library(page, server, downloads):
    name = saved_run(page, 3)
    page.load("/library")
    page.wait("document.getElementById('library-file-run')")
    page.click("#library-file-get")
    page.wait("/choose a run first/.test(document.getElementById('toast').textContent)", "the message")
    choose(page, "library-file-run", name)
    page.wait("!document.getElementById('library-file-get').disabled")
    page.click("#library-file-get")
    file_name, content = downloaded(downloads, ".png")
    assert file_name == f"{name}_network.png"
    assert content.startswith(b"\x89PNG\r\n")
    choose(page, "library-file-what", "Table: days")
    page.js(
        "[...document.querySelectorAll('#library-file-kind label')]"
        ".find(l => l.textContent.trim() === 'CSV').querySelector('input').click()"
    )
    page.wait("!document.getElementById('library-file-get').disabled")
    page.click("#library-file-get")
    file_name, content = downloaded(downloads, ".csv")
    assert file_name == f"{name}_daily_summary.csv"
    assert content == (server.folder / "runs" / name / "daily_summary.csv").read_bytes()
