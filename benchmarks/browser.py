"""The page in headless Chromium: from the server's answer, or a click, to the drawn frame."""

import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, Size, skipped
from benchmarks.server import started_server

BUDGET_MS = 200.0
WAIT_S = 60.0
ROWS = (
    ("ticks", "tick's answer to screen, Chromium", BUDGET_MS),
    ("clicks", "click on a rule to screen, Chromium", BUDGET_MS),
    ("draws", "drawing code alone, Chromium", None),
)

# The page's draw and fetch, wrapped: `ticks` from the tick's answer, `clicks` from the click to the message that holds
# the rule's new position, both to the frame after the drawing; `draws` is the drawing function alone. Milliseconds.
WATCH = """
const found = window.kfFound = {ticks: [], clicks: [], draws: []};
let answered = null, clicked = null;
const fetch_ = window.fetch, draw = window.dash_clientside.kraftflyt.draw;
window.fetch = async (...given) => {
  const answer = await fetch_(...given);
  if (String((given[1] || {}).body).includes('"tick.n_intervals"'))
    answered = answer.status === 200 ? performance.now() : null;
  return answer;
};
window.kfClick = name => {
  const button = document.querySelector(`[data-switch="${name}"]`), last = window.kraftflyt.zonesPage().last;
  clicked = {at: performance.now(), name, wanted: !last.set[name]};
  button.click();
};
window.dash_clientside.kraftflyt.draw = function (message, ...rest) {
  const began = performance.now(), drawn = draw.call(this, message, ...rest), took = performance.now() - began;
  const isClick = clicked && message && message.set && message.set[clicked.name] === clicked.wanted;
  const isTick = answered !== null && !isClick;
  const since = isClick ? clicked.at : answered, into = isClick ? found.clicks : found.ticks;
  if (isClick) clicked = null;
  if (isTick) { answered = null; found.draws.push(took); }
  if (isClick || isTick)
    requestAnimationFrame(() => setTimeout(() => into.push(performance.now() - since)));
  return drawn;
};
"""


def measure(size: Size) -> list[Row]:
    """Rows from a real page; skipped where there is no Chromium or no selenium, which only the tests need."""
    browser, service = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not service:
        return _all_skipped("chromium and chromedriver are not on the PATH")
    if importlib.util.find_spec("selenium") is None:
        return _all_skipped("selenium is not installed; `make test` installs it")
    with (
        tempfile.TemporaryDirectory() as folder,
        started_server(Path(folder)) as server,
        _chromium(browser, service) as driver,
    ):
        found = _watch(driver, server.url, size.ticks)
    return [Row(what, "ms", tuple(found[key]), below=budget) for key, what, budget in ROWS]


def _all_skipped(why: str) -> list[Row]:
    return [skipped(what, "ms", why, budget) for _, what, budget in ROWS]


@contextmanager
def _chromium(browser: str, service: str) -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = browser
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1600,900"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(service=Service(service), options=options)
    try:
        yield driver
    finally:
        driver.quit()


def _watch(driver: Any, url: str, ticks: int) -> dict[str, list[float]]:
    """Click a rule back and forth on the paused page, then let it play."""
    driver.get(f"{url}/zones")
    _wait(lambda: driver.execute_script("return !!(window.kraftflyt.zonesPage() || {}).last"), "the page's first frame")
    driver.execute_script(WATCH)
    for clicks in range(1, 2 + max(2, ticks // 4)):
        driver.execute_script("window.kfClick('two_hop')")
        _wait(lambda wanted=clicks: _count(driver, "clicks") >= wanted, "the answer to a click")
    driver.execute_script("window.kfFound.clicks.shift()")  # while the page still drew its first charts
    driver.execute_script("document.querySelector('[data-command=\"play\"]').click()")
    _wait(lambda: _count(driver, "ticks") >= ticks, f"{ticks} ticks")
    found: dict[str, list[float]] = driver.execute_script("return window.kfFound")
    return found


def _count(driver: Any, key: str) -> int:
    count: int = driver.execute_script(f"return window.kfFound.{key}.length")
    return count


def _wait(is_done: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + WAIT_S
    while not is_done():
        if time.monotonic() > limit:
            raise TimeoutError(f"the browser did not show {what} in {WAIT_S:g} s")
        time.sleep(0.05)
