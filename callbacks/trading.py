"""The trading page: opening a run or none, its playback; making a run is in trading_setup.py."""

from typing import Any

from dash import Dash

from callbacks import trading_results, trading_setup
from callbacks.services import services
from energy_sim.errors import EnergySimError
from layouts.components import message_page
from layouts.trading import trading_page


def page(session: str = "", key: str = "", run: str = "", theme: str = "", **_others: Any) -> Any:
    """The page of a link: an existing session, a finished run, or the newest run there is."""
    asked = [value if isinstance(value, str) else value[-1] for value in (session, key, run)]  # ?run=a&run=b
    shown = "light" if theme == "light" else "dark"
    try:
        opened = trading_results.opened(services(), *asked, theme=shown)
        return trading_page(trading_setup.setup(services(), shown), opened)
    except EnergySimError as error:
        return message_page("This link cannot be opened", str(error), "Start anew", "/trading?view=run")


def register(app: Dash) -> None:
    """Attach the callbacks of both halves."""
    trading_setup.register(app)
    trading_results.register(app)
