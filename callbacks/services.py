"""What callbacks work with, opened once per process."""

import logging
import threading
from dataclasses import dataclass
from typing import cast

import flask

from energy_sim.community.live import open_community, session_parameters
from energy_sim.config import Config
from energy_sim.database import open_database
from energy_sim.errors import EnergySimError
from energy_sim.figures.zones import network_geometry
from energy_sim.jobs import Jobs
from energy_sim.runs import RunStore
from energy_sim.session import Room, Sessions
from energy_sim.trading import playback as trading_playback
from energy_sim.zones.kernel import compile_kernel
from energy_sim.zones.live import open_zones
from energy_sim.zones.pipeline import network_from
from energy_sim.zones.playback import open_playback

logger = logging.getLogger(__name__)

WARM_AFTER_S = 3.0
CANVAS_PX, COMPACT_CANVAS_PX = (660, 720), (400, 520)  # of the network drawing, wide and on phones

_KEY = "KRAFTFLYT"


@dataclass(frozen=True, slots=True)
class Services:
    """Configuration, live sessions, finished runs and work in the background, as this process has them."""

    config: Config
    sessions: Sessions
    runs: RunStore
    jobs: Jobs


def open_services(config: Config) -> Services:
    """Open the database and make the rooms known."""
    runs = RunStore(config.path(config.runs.folder))
    rooms = [
        Room("zones", lambda parameters, _seed: open_zones(config, parameters)),
        Room("community", lambda parameters, _seed: open_community(parameters)),
        Room("playback", lambda parameters, _seed: open_playback(runs, parameters["run"])),
        Room("trading", lambda parameters, _seed: trading_playback.open_playback(runs, parameters["run"])),
    ]
    limits = config.sessions
    sessions = Sessions(
        open_database(config.database_url),
        rooms,
        idle_pause_s=limits.idle_pause_s,
        max_in_memory=limits.max_in_memory,
        delete_after_s=limits.delete_after_days * 86400,
        store_every_s=limits.checkpoint_every_s,
    )
    jobs = Jobs(config.path(config.trading.jobs), config.trading.most_running)
    return Services(config, sessions, runs, jobs)


def warm_up(config: Config) -> None:
    """Lay out the configured network in the background, then load what the street and fast zones need.

    Pages work meanwhile: the uncompiled kernel takes a fifth of a millisecond a day, a street's first sun a second.
    """

    def lay_out() -> None:
        try:
            network = network_from(config)
        except EnergySimError as error:
            logger.warning("network not laid out before the first page reason=%s", error)
            return
        for size in (CANVAS_PX, COMPACT_CANVAS_PX):
            network_geometry(network, *size)

    threading.Thread(target=lay_out, name="lay-out-network", daemon=True).start()

    def load() -> None:
        try:
            live = open_community(session_parameters(config.community))
            live.step(live.start(), 0, live.defaults())
        except EnergySimError as error:
            logger.warning("street not drawn before the first page reason=%s", error)
        compile_kernel()

    later = threading.Timer(WARM_AFTER_S, load)
    later.daemon = True
    later.start()


def attach(server: flask.Flask, services: Services) -> None:
    """Make the services available to callbacks of this app."""
    server.config[_KEY] = services


def services() -> Services:
    """The services of the app that handles the current request."""
    return cast("Services", flask.current_app.config[_KEY])
