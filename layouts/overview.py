"""The overview page: the country, the street, the trades and the fleet as small live pictures that open their pages."""

from dataclasses import dataclass
from typing import Any

from dash import dcc, html

_COMMANDS = (
    "energy-sim zones run --out my-run",
    "energy-sim zones ensemble --out my-ensemble",
    "energy-sim community run --ticks 86400 --out my-street",
    "energy-sim trading run --out my-community",
    "energy-sim agents demo",
)


@dataclass(frozen=True, slots=True)
class RoomCard:
    """A room as the overview shows it: `preview` is the attribute that holds what its script draws."""

    name: str
    href: str
    text: str
    caption: str
    button: str
    preview: dict[str, str]


def overview_page(rooms: list[RoomCard]) -> html.Main:
    """One card per room, then finished runs and the command line."""
    return html.Main(
        [
            html.H1("Energy moving, from the hydro zones of a country to one house"),
            html.P("Watch it happen, change the rules while it does, and see what follows.", className="kf-lead"),
            html.Div([_card(room) for room in rooms], className="kf-rooms"),
            html.Section(
                [
                    html.Div(
                        [
                            html.H2("Finished runs"),
                            html.P(
                                "Open a run in playback, lay two side by side, export tables and figures, or delete it."
                            ),
                            dcc.Link("Open the library", href="/library", className="kf-button"),
                        ]
                    ),
                    html.Div(
                        [
                            html.H2("From the command line"),
                            html.P("The same numbers without a browser:"),
                            html.Pre("\n".join(_COMMANDS), className="kf-code"),
                        ]
                    ),
                ],
                className="kf-card kf-rooms",
            ),
        ],
        className="kf-page kf-overview",
    )


def _card(room: RoomCard) -> dcc.Link:
    picture: dict[str, Any] = {"id": f"overview-{room.name.lower()}", "className": "kf-network"}
    return dcc.Link(
        [
            html.Div(**picture, **room.preview),
            html.Div(
                [
                    html.H2(room.name),
                    html.P(room.text),
                    html.P(room.caption, className="kf-caption"),
                    html.Span(room.button, className="kf-button kf-primary"),
                ]
            ),
        ],
        href=room.href,
        className="kf-card kf-room",
    )
