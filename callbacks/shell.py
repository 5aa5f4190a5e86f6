"""The app around the pages: errors as messages, the pages and their addresses, theme, health check."""

import logging
from pathlib import Path

import dash
from dash import ClientsideFunction, Dash, Input, Output, set_props

from callbacks import agents, community, library, overview, trading, zones
from callbacks.services import Services, attach
from energy_sim.errors import EnergySimError
from layouts import ids
from layouts.shell import page_not_found, shell

logger = logging.getLogger("energy_sim.callbacks")

MAX_REQUEST_BYTES = 1_000_000
PAGES = (
    ("Overview", "/", overview.page),
    ("Zones", "/zones", zones.page),
    ("Community", "/community", community.page),
    ("Trading", "/trading", trading.page),
    ("Agents", "/agents", agents.page),
    ("Library", "/library", library.page),
)


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
        assets_folder=str(Path(__file__).parents[1] / "assets"),
        use_pages=True,
        pages_folder="",
        suppress_callback_exceptions=True,
        title="Kraftflyt",
        update_title=None,
        compress=True,
        on_error=show_error,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.server.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    attach(app.server, services)
    for name, path, page in PAGES:
        dash.register_page(f"kraftflyt.{name.lower()}", path=path, title=f"{name} · Kraftflyt", layout=page)
    dash.register_page(
        "kraftflyt.not_found_404", path="/not-found", title="Not found · Kraftflyt", layout=page_not_found
    )
    app.layout = shell
    for register in (_register, *(room.register for room in (zones, community, trading, agents, library))):
        register(app)
    return app


def _register(app: Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("kraftflyt", "start"),
        Output("live-summary", "title"),
        Input("_pages_location", "pathname"),
        Input("_pages_location", "search"),
    )

    @app.server.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}
