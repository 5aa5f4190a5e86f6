"""What exports of every page share: whose turn it is, what a browser may ask for, a figure as a file."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from energy_sim.errors import DataError
from energy_sim.figures.export import export_figure

ASSETS = Path(__file__).parents[1] / "assets"
TURN_WAIT_S = 60.0
_turns = threading.BoundedSemaphore(2)  # pictures, replays and long tables that this process makes at once


@contextmanager
def turn() -> Iterator[None]:
    """Wait for one of the places.

    Raises:
        DataError: none became free in time.
    """
    if not _turns.acquire(timeout=TURN_WAIT_S):
        raise DataError(f"the server has been busy with other exports for {TURN_WAIT_S:g} s; try again in a minute")
    try:
        yield
    finally:
        _turns.release()


def reached(tick: Any, current: int) -> int:
    """A tick from the browser, if the session has reached it, else the current one: nobody sees the future."""
    return tick if isinstance(tick, int) and 0 <= tick <= current else current


def checked_theme(theme: str | None) -> str:
    """Dark or light, whatever the browser says."""
    return "light" if theme == "light" else "dark"


def figure_file(figure: Any, kind: str) -> bytes:
    """A figure as PNG, SVG or HTML.

    Raises:
        DataError: another kind was asked for, or the server is busy.
    """
    if kind not in {"png", "svg", "html"}:  # from the browser, and part of a path below
        raise DataError("a figure is exported as PNG, SVG or HTML; choose one of them, or a table")
    with turn(), tempfile.TemporaryDirectory() as folder:
        return export_figure(figure, Path(folder) / f"figure.{kind}").read_bytes()
