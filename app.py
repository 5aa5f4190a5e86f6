"""Kraftflyt's dashboard: configuration in, `server` out. Run it with `energy-sim serve`."""

import os
from pathlib import Path

from flask import Flask

from callbacks.services import open_services, warm_up
from callbacks.shell import create_app
from energy_sim.config import load_config
from energy_sim.logs import set_up_logging


def create_server() -> Flask:
    """The server of this process, as gunicorn asks for it."""
    chosen = os.environ.get("KRAFTFLYT_CONFIG")
    config = load_config(Path(chosen) if chosen else None)
    logs = config.logging
    file = os.environ.get("KRAFTFLYT_LOG_FILE") or logs.file
    level = os.environ.get("KRAFTFLYT_LOG_LEVEL") or logs.level
    set_up_logging(level, config.path(file) if file else None, logs.max_mb, logs.backups)
    server = create_app(open_services(config)).server
    warm_up(config)
    return server


def __getattr__(name: str) -> Flask:
    """Build `server` when it is first asked for, so that importing this module costs and writes nothing."""
    if name != "server":
        raise AttributeError(name)
    try:
        globals()["server"] = create_server()
    except AttributeError as error:  # would read as "no such attribute" outside
        raise RuntimeError("the server could not be built") from error
    return globals()["server"]
