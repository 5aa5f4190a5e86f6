"""The street in headless Chromium: from the tick's answer, or a click, to the drawn frame, for few and many houses.

A street of up to 1,000 houses eases from tick to tick: the frame that counts is the first one with the new tick's
powers on their way; texts and numbers of the cards are in it at once. `redraw` is the canvas's whole drawing code,
which runs on every frame of the easing.
"""

from typing import Any

from benchmarks.browser import BUDGET_MS, WATCH, clicks_and_ticks, wait
from benchmarks.measure import Row, Size, skipped
from layouts.community import COMMUNITY

ROWS = (
    ("ticks", "tick's answer to screen", BUDGET_MS),
    ("clicks", "click on the clouds to screen", BUDGET_MS),
    ("draws", "drawing code of a tick, with cards and charts", None),
    ("redraws", "redraw of the picture", None),
)

# The picture drawn again and again as one tick has it, without easing, as people have it who want less motion; reading
# a pixel waits until everything is on the canvas. Milliseconds of one redraw.
REDRAW = """
const [repeats, times] = arguments, page = window.kraftflyt.communityPage(), net = page.net, found = [];
const canvas = page.box.querySelector('canvas'), pen = canvas.getContext('2d');
const wait = () => pen.getImageData(0, 0, 1, 1);
wait();
for (let repeat = 0; repeat < repeats; repeat++) {
  const began = performance.now();
  for (let i = 0; i < times; i++) { net.update(window.kfPicture); wait(); }
  found.push((performance.now() - began) / times);
}
return found;
"""
# Keeps the picture of the latest tick.
KEEP = """
const net = window.kraftflyt.communityPage().net, update = net.update;
net.update = picture => { window.kfPicture = picture; return update(picture); };
"""


def left_out(why: str, size: Size) -> list[Row]:
    """The rows where there is no browser."""
    return [skipped(_name(what, n), "ms", why, budget) for n in size.streets for _, what, budget in ROWS]


def street_rows(driver: Any, url: str, size: Size) -> list[Row]:
    """Rows for each number of houses."""
    rows = []
    for houses in size.streets:
        found = watch_street(driver, f"{url}/community?houses={houses}&update_interval_ms=500", size)
        rows += [Row(_name(what, houses), "ms", tuple(found[key]), below=budget) for key, what, budget in ROWS]
    return rows


def watch_street(driver: Any, url: str, size: Size) -> dict[str, list[float]]:
    """Open a street and stop it, click the clouds away and back, let it play, and draw it again and again."""
    driver.get(url)
    wait(lambda: driver.execute_script("return !!(window.kraftflyt.communityPage() || {}).last"), "the first frame")
    driver.execute_script("document.querySelector('[data-command=\"play\"]').click()")
    wait(lambda: driver.execute_script("return !window.kraftflyt.communityPage().last.p"), "a paused street")
    driver.execute_script(KEEP)
    driver.execute_script(WATCH, f"{COMMUNITY.tick}.n_intervals", "drawCommunity", "communityPage")
    ticks = max(3, size.ticks // 2)
    found = clicks_and_ticks(driver, "pv_variation", max(2, ticks // 4), ticks)
    reduced = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", reduced)
    redraws = driver.execute_script(REDRAW, size.repeats, size.redraws)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    return {**found, "redraws": redraws}


def _name(what: str, houses: int) -> str:
    return f"{what}, {houses:,} houses"
