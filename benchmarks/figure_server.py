"""The usual way to a live figure, as the measure for the product's: every viewer gets the whole figure on every tick.

`create_server` is a small Dash app over the same database: an interval asks, a callback answers with the street as a
plotly figure. Sessions, clock and frames are the product's own.
"""

import os
from pathlib import Path
from typing import Any

import flask
from dash import Dash, Input, Output, State, dcc, html

from callbacks.community_view import geometry_of
from callbacks.services import open_services
from energy_sim.config import load_config
from energy_sim.figures.street_figure import street_figure


def create_server() -> flask.Flask:
    """The server of this process, as gunicorn asks for it."""
    services = open_services(load_config(Path(os.environ["KRAFTFLYT_CONFIG"])))
    app = Dash("figures", assets_folder="", compress=True)
    app.layout = html.Div([dcc.Graph(id="street"), dcc.Interval(id="tick", interval=500), dcc.Store(id="link")])

    @app.callback(
        Output("street", "figure"), Input("tick", "n_intervals"), State("link", "data"), prevent_initial_call=True
    )
    def figure(_n: int, link: dict[str, str]) -> Any:
        frame, live = services.sessions.frame(link["session"]), services.sessions.live(link["session"])
        title = live.iso(frame.data.time_s)
        return street_figure(geometry_of(len(live.house_ids)), live.house_ids, frame.data.net_w, "dark", title)

    @app.server.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app.server
