"""Kraftflyt's dashboard: configuration in, `server` out. Run it with `energy-sim serve`."""

import logging
import os
from pathlib import Path

import dash
from dash import Dash, set_props
from flask import Flask

from callbacks import library, overview, shell, zones
from callbacks.services import Services, attach, open_services
from energy_sim.config import load_config
from energy_sim.errors import EnergySimError
from energy_sim.logs import set_up_logging
from energy_sim.zones.kernel import compile_in_background
from layouts import ids
from layouts.shell import page_not_found
from layouts.shell import shell as shell_layout

logger = logging.getLogger("energy_sim.app")


def show_error(error: Exception) -> None:
    """Turn an error in any callback into a message on the page; what nobody foresaw is logged with its traceback."""
    if isinstance(error, EnergySimError):
        set_props(ids.TOAST, {"children": str(error)})
        return
    logger.error("callback failed", exc_info=error)
    set_props(ids.TOAST, {"children": "Something failed; the server's log says what. Reload the page to go on."})


def create_app(services: Services) -> Dash:
    """The Dash app over opened services."""
    app = Dash(
        "kraftflyt",
        assets_folder=str(Path(__file__).parent / "assets"),
        use_pages=True,
        pages_folder="",
        suppress_callback_exceptions=True,
        title="Kraftflyt",
        update_title=None,
        compress=True,
        on_error=show_error,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    attach(app.server, services)
    for name, path, layout in (
        ("Overview", "/", overview.page),
        ("Zones", "/zones", zones.page),
        ("Library", "/library", library.page),
    ):
        dash.register_page(f"kraftflyt.{name.lower()}", path=path, title=f"{name} · Kraftflyt", layout=layout)
    dash.register_page(
        "kraftflyt.not_found_404", path="/not-found", title="Not found · Kraftflyt", layout=page_not_found
    )
    app.layout = shell_layout
    for room in (shell, zones, library):
        room.register(app)
    return app


def create_server() -> Flask:
    """The server of this process, as gunicorn asks for it."""
    chosen = os.environ.get("KRAFTFLYT_CONFIG")
    config = load_config(Path(chosen) if chosen else None)
    logs = config.logging
    set_up_logging(logs.level, config.path(logs.file) if logs.file else None, logs.max_mb, logs.backups)
    compile_in_background()
    return create_app(open_services(config)).server


def __getattr__(name: str) -> Flask:
    """Build `server` when it is first asked for, so that importing this module costs and writes nothing."""
    if name == "server":
        globals()["server"] = create_server()
        return globals()["server"]
    raise AttributeError(name)
