"""The overview page: the country as a picture that opens its page."""

from typing import Any

from dash import dcc, html

_COMMANDS = (
    "energy-sim zones run --out my-run",
    "energy-sim zones ensemble --out my-ensemble",
    "energy-sim zones check-data",
)


def overview_page(zones: dict[str, Any]) -> html.Main:
    """One card per room that can be opened.

    Args:
        zones: `json` that assets/zones.js draws in small, and the number of `days` in it.
    """
    return html.Main(
        [
            html.H1("Energy moving between the hydro and wind zones of a country"),
            html.P("Watch the days pass, change the rules while they do, and see what follows.", className="kf-lead"),
            html.Div(
                [
                    dcc.Link(
                        [
                            html.Div(id="overview-zones", className="kf-network", **{"data-preview": zones["json"]}),
                            html.Div(
                                [
                                    html.H2("Zones"),
                                    html.P(
                                        "Five hydro and wind zones cover each other's demand, day by day. "
                                        "Switch phases and two-hop routes while it runs."
                                    ),
                                    html.P(
                                        f"The picture repeats the first {zones['days']} days.", className="kf-caption"
                                    ),
                                    html.Span("Open the zones", className="kf-button kf-primary"),
                                ]
                            ),
                        ],
                        href="/zones",
                        className="kf-card kf-room",
                    ),
                    html.Section(
                        [
                            html.H2("Finished runs"),
                            html.P(
                                "Open a run in playback, lay two side by side, export tables and figures, or delete it."
                            ),
                            dcc.Link("Open the library", href="/library", className="kf-button"),
                            html.H2("From the command line"),
                            html.P("The same numbers without a browser:"),
                            html.Pre(
                                "\n".join(_COMMANDS),
                                className="kf-code",
                            ),
                        ],
                        className="kf-card",
                    ),
                ],
                className="kf-rooms",
            ),
        ],
        className="kf-page kf-overview",
    )
