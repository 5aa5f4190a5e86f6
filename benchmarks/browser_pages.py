"""Pages in one headless Chromium on one server, one after the other."""

import tempfile
from pathlib import Path

from benchmarks import browser, browser_community
from benchmarks.measure import Row, Size
from benchmarks.server import started_server


def measure(size: Size) -> list[Row]:
    """Rows of all pages; skipped where there is no Chromium or no selenium, which only the tests need."""
    why = browser.missing()
    if why:
        return [*browser.left_out(why), *browser_community.left_out(why, size)]
    with tempfile.TemporaryDirectory() as folder, started_server(Path(folder)) as server, browser.chromium() as driver:
        return [
            *browser.zones_rows(driver, server.url, size),
            *browser_community.street_rows(driver, server.url, size),
        ]
