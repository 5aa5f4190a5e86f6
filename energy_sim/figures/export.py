"""Figures as files: PNG and SVG by a headless Chromium, HTML that opens without a network."""

import logging
import os
import shutil
from pathlib import Path

import plotly.graph_objects as go

from energy_sim.errors import ConfigError
from energy_sim.figures.theme import PLOTLY_CONFIG

logger = logging.getLogger(__name__)

WIDTH_PX = 1200
HEIGHT_PX = 750
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str:
    """Path of the browser that draws PNG and SVG: ``BROWSER_PATH`` or a Chromium or Chrome on the ``PATH``.

    Raises:
        ConfigError: there is none.
    """
    named = os.environ.get("BROWSER_PATH")
    if named and not Path(named).is_file():
        raise ConfigError(f"BROWSER_PATH: {named} is not a file; give the path of a Chromium or Chrome")
    for path in (named, *map(shutil.which, _BROWSERS)):
        if path:
            return path
    raise ConfigError("no browser for PNG and SVG: install chromium, set BROWSER_PATH, or export HTML")


def export_figure(figure: go.Figure, path: Path | str) -> Path:
    """Write a figure by the suffix of its path and return the path.

    ``.html`` holds plotly itself and opens offline; ``.png`` (twice the pixels) and ``.svg`` need a browser. The size
    is the figure's own or 1200 x 750.

    Raises:
        ConfigError: another suffix, or no browser.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".html", ".png", ".svg"}:
        raise ConfigError(f"{path}: cannot write {suffix or 'a file without suffix'}; use .png, .svg or .html")
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".html":
        path.write_text(figure.to_html(config=PLOTLY_CONFIG, include_plotlyjs=True, full_html=True), encoding="utf-8")
    else:
        path.write_bytes(_draw(figure, suffix[1:]))
    logger.info("figure written path=%s bytes=%d", path, path.stat().st_size)
    return path


def _draw(figure: go.Figure, kind: str) -> bytes:
    """The picture's bytes; MathJax is left out, so nothing is fetched from outside."""
    import kaleido

    options = {
        "format": kind,
        "width": figure.layout.width or WIDTH_PX,
        "height": figure.layout.height or HEIGHT_PX,
        "scale": 2 if kind == "png" else 1,
    }
    image: bytes = kaleido.calc_fig_sync(figure, opts=options, kopts={"path": find_browser(), "mathjax": False})
    return image
