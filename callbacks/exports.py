"""What exports of every page share: whose turn it is, what a browser may ask for, a figure as a file."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dash import Dash, Input, Output, State, dcc

from callbacks.services import Services, services
from energy_sim.errors import DataError
from energy_sim.figures.export import export_figure
from layouts import ids
from layouts.live import ExportIds, LiveIds

ASSETS = Path(__file__).parents[1] / "assets"
TURN_WAIT_S = 60.0
Export = Callable[[Services, str, str, str, str, Any], tuple[bytes, str]]
"""(services, session, what, kind, theme, tick) -> a page's figure, table or replay as a file, and the file's name.

what is one of the page's choices, kind png, svg, html or csv, theme dark or light; tick the last one in the file: one
that the session has not reached is taken as the current one.
"""
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


def checked_kind(kind: str) -> str:
    """A format that a figure has: the browser's word becomes part of a path.

    Raises:
        DataError: it is another.
    """
    if kind not in {"png", "svg", "html"}:
        raise DataError("a figure is exported as PNG, SVG or HTML; choose one of them, or a table")
    return kind


def figure_file(figure: Any, kind: str) -> bytes:
    """A figure as PNG, SVG or HTML.

    Raises:
        DataError: another kind was asked for, or the server is busy.
    """
    kind = checked_kind(kind)
    with turn(), tempfile.TemporaryDirectory() as folder:
        return export_figure(figure, Path(folder) / f"figure.{kind}").read_bytes()


def replay_file(page_of: Callable[[], str], kind: str) -> bytes:
    """A replay as a file.

    Raises:
        DataError: it was asked as something else than HTML, or the server is busy.
    """
    if kind != "html":
        raise DataError("a replay is exported as HTML; choose HTML")
    with turn():
        return page_of().encode()


def chosen_file(
    what: str, kind: str, tables: Mapping[str, Callable[[], bytes]], figures: Mapping[str, Callable[[], Any]]
) -> bytes:
    """One of some tables and figures, of which only this one is made.

    Args:
        what: the name of one of them.
        kind: csv for a table; png, svg or html for a figure.
        tables: how each is made, as CSV.
        figures: how each is drawn.

    Raises:
        DataError: a figure was asked as CSV, or a table as a picture; there is none of the name; the server is busy.
    """
    if what in tables:
        if kind != "csv":
            raise DataError("a table is exported as CSV; choose CSV, or a figure")
        return tables[what]()
    if what not in figures:
        raise DataError(f"export: there is no figure or table {str(what)[:40]!r}; choose one of the list")
    checked_kind(kind)
    return figure_file(figures[what](), kind)


def register_export(app: Dash, stores: LiveIds, own: ExportIds, export: Export) -> None:
    """Attach the export of a page: the button sends what was chosen, up to the tick that is shown."""

    @app.callback(
        Output(own.download, "data"),
        Input(own.button, "n_clicks"),
        State(own.what, "value"),
        State(own.kind, "value"),
        State(ids.THEME, "data"),
        State(stores.link, "data"),
        State(stores.seen, "data"),
        prevent_initial_call=True,
        running=[(Output(own.button, "disabled"), True, False)],
    )
    def download(_n: int, what: str, kind: str, theme: str | None, link: dict[str, str], seen: Any) -> Any:
        tick = (seen or {}).get("t")
        content, name = export(services(), link["session"], what, kind, theme or "dark", tick)
        return dcc.send_bytes(content, name)
