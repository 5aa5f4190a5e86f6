"""The page in headless Chromium: from the server's answer, or a click, to the drawn frame."""

import importlib.util
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.measure import Row, Size, skipped

BUDGET_MS = 200.0
WAIT_S = 60.0
ROWS = (
    ("ticks", "tick's answer to screen, Chromium", BUDGET_MS),
    ("clicks", "click on a rule to screen, Chromium", BUDGET_MS),
    ("draws", "drawing code alone, Chromium", None),
)

# A page's draw and fetch, wrapped: `ticks` from the tick's answer, `clicks` from the click to the message that holds
# the switch's new position, both to the frame after the drawing; `draws` is the drawing function alone. Milliseconds.
# Given: the page's input of ticks, its drawing function, the function that gives the page.
WATCH = """
const [tick, drawing, page] = arguments;
const found = window.kfFound = {ticks: [], clicks: [], draws: []};
let answered = null, clicked = null;
const fetch_ = window.fetch, draw = window.dash_clientside.kraftflyt[drawing];
window.fetch = async (...given) => {
  const answer = await fetch_(...given);
  if (String((given[1] || {}).body).includes(`"${tick}"`))
    answered = answer.status === 200 ? performance.now() : null;
  return answer;
};
window.kfClick = name => {
  const button = document.querySelector(`[data-switch="${name}"]`), last = window.kraftflyt[page]().last;
  clicked = {at: performance.now(), name, was: last.set[name]};
  button.click();
};
window.dash_clientside.kraftflyt[drawing] = function (message, ...rest) {
  const began = performance.now(), drawn = draw.call(this, message, ...rest), took = performance.now() - began;
  const isClick = clicked && message && message.set && message.set[clicked.name] !== clicked.was;
  const isTick = answered !== null && !isClick;
  const since = isClick ? clicked.at : answered, into = isClick ? found.clicks : found.ticks;
  if (isClick) clicked = null;
  if (isTick) { answered = null; found.draws.push(took); }
  if (isClick || isTick)
    requestAnimationFrame(() => setTimeout(() => into.push(performance.now() - since)));
  return drawn;
};
"""


def left_out(why: str) -> list[Row]:
    """The rows where there is no browser."""
    return [skipped(what, "ms", why, budget) for _, what, budget in ROWS]


def zones_rows(driver: Any, url: str, size: Size) -> list[Row]:
    """The zones page: a rule clicked back and forth while it is paused, then days."""
    found = _watch(driver, url, size.ticks)
    return [Row(what, "ms", tuple(found[key]), below=budget) for key, what, budget in ROWS]


def missing() -> str:
    """What a browser needs and is not here; empty: nothing."""
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        return "chromium and chromedriver are not on the PATH"
    return "" if importlib.util.find_spec("selenium") else "selenium is not installed; `make test` installs it"


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser, driven by selenium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium")
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1600,900"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    try:
        yield driver
    finally:
        driver.quit()


def _watch(driver: Any, url: str, ticks: int) -> dict[str, list[float]]:
    """Click a rule back and forth on the paused page, then let it play."""
    driver.get(f"{url}/zones")
    wait(lambda: driver.execute_script("return !!(window.kraftflyt.zonesPage() || {}).last"), "the page's first frame")
    driver.execute_script(WATCH, "tick.n_intervals", "draw", "zonesPage")
    return clicks_and_ticks(driver, "two_hop", max(2, ticks // 4), ticks)


def clicks_and_ticks(driver: Any, switch: str, clicks: int, ticks: int) -> dict[str, list[float]]:
    """On a paused page that is watched: clicks on a switch after one that does not count, then ticks."""
    for count in range(1, 2 + clicks):
        driver.execute_script("window.kfClick(arguments[0])", switch)
        wait(lambda wanted=count: _count(driver, "clicks") >= wanted, "the answer to a click")
    driver.execute_script("window.kfFound.clicks.shift()")  # while the page still drew its first charts
    driver.execute_script("document.querySelector('[data-command=\"play\"]').click()")
    wait(lambda: _count(driver, "ticks") >= ticks, f"{ticks} ticks")
    found: dict[str, list[float]] = driver.execute_script("return window.kfFound")
    return found


def _count(driver: Any, key: str) -> int:
    count: int = driver.execute_script(f"return window.kfFound.{key}.length")
    return count


def wait(is_done: Callable[[], bool], what: str) -> None:
    """Until something is done.

    Raises:
        TimeoutError: it takes too long.
    """
    limit = time.monotonic() + WAIT_S
    while not is_done():
        if time.monotonic() > limit:
            raise TimeoutError(f"the browser did not show {what} in {WAIT_S:g} s")
        time.sleep(0.05)
