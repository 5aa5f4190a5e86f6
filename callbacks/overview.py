"""The overview: one live picture per room, each opening its page."""

from typing import Any

from callbacks import zones_view
from callbacks.services import services
from layouts.overview import overview_page


def page(**_query: str) -> Any:
    """The overview."""
    return overview_page(zones_view.preview(services().config))
