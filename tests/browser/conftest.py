"""One server and at most two browsers for all browser tests of a process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from energy_sim.config import load_config
from tests.browser.dashboard import Page, Server, open_browser
from tests.browser.trading_page import TradingPage
from tests.trading.page_run import own_places, write_page_run

MOVING = (
    "test_community_session",
    "test_network_drawing",
    "test_ring_drawing",
    "test_shell",
    "test_street_drawing",
    "test_trading_playback",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], webdriver.Chrome]]:
    """The browser of this process that asks for no motion, or the one that does not; each starts when first wanted."""
    found: dict[bool, webdriver.Chrome] = {}

    def browser(still: bool) -> webdriver.Chrome:
        if still not in found:
            found[still] = open_browser(Path(tmp_path_factory.mktemp("profile")), still=still)
        return found[still]

    try:
        yield browser
    finally:
        for each in found.values():
            each.quit()


def close_pages(driver: webdriver.Chrome) -> None:
    """Leave one empty window: a page that is left open goes on ticking and drawing while others are tested."""
    first, *others = driver.window_handles
    for window in others:
        driver.switch_to.window(window)
        driver.close()
    driver.switch_to.window(first)
    driver.get("about:blank")


@pytest.fixture(scope="module")
def chromium(
    request: pytest.FixtureRequest, browsers: Callable[[bool], webdriver.Chrome]
) -> Iterator[webdriver.Chrome]:
    """A browser with one empty window of 1440 x 900, in which nothing is emulated."""
    found = browsers(request.module.__name__.rpartition(".")[2] not in MOVING)
    close_pages(found)
    found.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    found.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    found.set_window_size(1440, 900)
    yield found
    close_pages(found)


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    """The dashboard at 1440 x 900, with nothing left in browser storage; the browser may not complain meanwhile."""
    browser = Page(request.getfixturevalue("chromium"), request.getfixturevalue("server"))
    browser.size(1440, 900)
    browser.load("/health")
    browser.js("localStorage.clear(); sessionStorage.clear()")
    browser.log()
    yield browser
    assert browser.log() == []


@pytest.fixture(scope="session")
def trading_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own with one trading run of thirty homes and 60 hours, whose keys and anchors it keeps."""
    folder = tmp_path_factory.mktemp("trading-server")
    running = Server(folder, {"trading": own_places(folder)})
    write_page_run(load_config(running.config_file))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture
def trading(request: pytest.FixtureRequest) -> Iterator[TradingPage]:
    """The trading page's browser at 1440 x 900 with nothing in its storage; it may not complain meanwhile."""
    browser = TradingPage(request.getfixturevalue("chromium"), request.getfixturevalue("trading_server"))
    browser.size(1440, 900)
    browser.load("/health")
    browser.js("localStorage.clear(); sessionStorage.clear()")
    browser.log()
    yield browser
    assert browser.log() == []
