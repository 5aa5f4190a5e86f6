"""The overview: one live picture per room, each opening its page."""

from typing import Any

from callbacks import agents_preview, community_view, trading_preview, zones_view
from callbacks.services import services
from layouts.overview import RoomCard, overview_page


def page(**_query: str) -> Any:
    """The overview."""
    config = services().config
    zones = zones_view.preview(config)
    return overview_page(
        [
            RoomCard(
                name="Zones",
                href="/zones",
                text="Five hydro and wind zones cover each other's demand, day by day. "
                "Switch phases and two-hop routes while it runs.",
                caption=f"The picture repeats the first {zones['days']} days.",
                button="Open the zones",
                preview={"data-preview": zones["json"]},
            ),
            RoomCard(
                name="Community",
                href="/community",
                text="A street of homes with PV, right now: who produces, who consumes, and where the surplus goes. "
                "Start a car or a washing machine and watch.",
                caption="The picture repeats a day in July, an hour at a time.",
                button="Open the street",
                preview={"data-street-preview": community_view.preview(config)},
            ),
            RoomCard(
                name="Trading",
                href="/trading",
                text="What batteries and trade among neighbours are worth, against doing nothing: planned, settled, "
                "and written into a ledger that a sceptic can verify.",
                caption="The picture repeats a day in July, an hour at a time.",
                button="Open the trades",
                preview={"data-ring-preview": trading_preview.preview(config)},
            ),
            RoomCard(
                name="Agents",
                href="/agents",
                text="Every home its own server, watched by a grid agent that keeps transformers within their limits. "
                "Hang one, kill it, cut its line, and see who stays safe.",
                caption="The picture repeats eight cycles. No process runs before you open the fleet.",
                button="Open the fleet",
                preview={"data-fleet-preview": agents_preview.preview()},
            ),
        ]
    )
