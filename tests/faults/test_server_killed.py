"""The dashboard is killed with SIGKILL in the middle of a demonstration, and started again; several workers agree."""

import signal
import urllib.request
from pathlib import Path

import pytest

from energy_sim.clock import Event
from tests.browser.dashboard import MARKS, Page, Server, expected_cards, message_of_day, open_browser, wait_until

pytestmark = MARKS


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    found = open_browser(Path(tmp_path_factory.mktemp("profile")))
    yield found
    found.quit()


def test_killed_while_playing_and_started_again_every_window_goes_on_with_the_numbers_of_an_uninterrupted_run(
    chromium, tmp_path
):
    server = Server(tmp_path).start()
    try:
        page = Page(chromium, server)
        page.size(1440, 900)
        page.open("/zones?start=2018-01-12")
        page.turn("two_hop", on=False)
        page.step()
        page.set_range("range-speed", 4)
        page.wait("kraftflyt.zonesPage().last.r === 7")
        page.click("[data-command=play]")
        page.wait("kraftflyt.zonesPage().last.t > 8", "days passing")
        server.stop(signal.SIGKILL)
        at, link = page.last()["t"], page.link()
        server.start()
        page.wait(f"kraftflyt.zonesPage().last.t > {at}", "the window that was open to go on by itself", 40.0)
        page.log()  # it may complain while there is no server, and not after
        page.driver.refresh()
        page.wait("kraftflyt.zonesPage() && kraftflyt.zonesPage().last", "the page after the restart")
        assert page.link() == link
        assert page.last()["t"] > at
        page.click("[data-command=play]")
        page.wait("kraftflyt.zonesPage().last.p === 0", "the pause")
        day = page.last()
        expected = message_of_day(server.config_file, day["t"], (Event(1, 1, "two_hop", False),), start="2018-01-12")
        assert page.cards() == expected_cards(expected)
        assert day["z"] == expected["z"]
        page.scrub(5)
        again = message_of_day(server.config_file, 5, (Event(1, 1, "two_hop", False),), start="2018-01-12")
        assert page.cards() == expected_cards(again)
        assert page.log() == []
        assert "Traceback" not in server.log()
    finally:
        server.stop()


def test_two_workers_behind_one_port_show_the_same_days(chromium, tmp_path):
    server = Server(tmp_path, workers=2).start()
    try:
        page = Page(chromium, server)
        page.size(1440, 900)
        page.open("/zones?start=2018-01-12")
        page.turn("local_hydro", on=False)
        for tick in range(1, 7):
            assert page.step()["t"] == tick
        events = (Event(1, 1, "local_hydro", False),)
        expected = message_of_day(server.config_file, 6, events, start="2018-01-12")
        link = page.link()
        for _ in range(3):  # each load and each tick is answered by either process
            page.open(f"/zones?session={link['session']}&key={link['key']}")
            assert page.cards() == expected_cards(expected)
        page.click("[data-command=play]")
        page.wait("kraftflyt.zonesPage().last.t > 14")
        page.click("[data-command=play]")
        page.wait("kraftflyt.zonesPage().last.p === 0")
        day = page.last()
        assert day["z"] == message_of_day(server.config_file, day["t"], events, start="2018-01-12")["z"]
        assert len(workers_of(server)) == 2
    finally:
        server.stop()


def workers_of(server: Server) -> list[str]:
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return children.read_text().split()


def test_a_stopped_server_leaves_at_once_and_its_port_can_be_used_again(tmp_path):
    server = Server(tmp_path).start()
    server.stop(signal.SIGTERM)
    wait_until(lambda: not server.is_up(), "the port to be free")
    server.start()
    try:
        with urllib.request.urlopen(f"{server.url}/zones", timeout=10) as answer:
            assert answer.status == 200
    finally:
        server.stop()
