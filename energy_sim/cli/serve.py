"""`energy-sim serve`: the dashboard behind gunicorn."""

import os
import socket
import sys
from typing import Annotated

import typer

from energy_sim.cli.community_publish import broker_url, start_publisher
from energy_sim.cli.options import Context
from energy_sim.config import DEFAULT_PATH
from energy_sim.errors import ConfigError


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.", show_default=False)] = "",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="TCP port.", show_default=False)] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes.", show_default=False)] = 0,
) -> None:
    """Start the dashboard; every process serves every session."""
    from energy_sim.database import open_database

    chosen: Context = context.obj
    server = chosen.config.server
    os.environ["KRAFTFLYT_LOG_LEVEL"] = chosen.log_level  # the processes that answer read these, see app.py
    for name, file in (("KRAFTFLYT_CONFIG", chosen.config_file), ("KRAFTFLYT_LOG_FILE", chosen.log_file)):
        if file is not None:
            os.environ[name] = str(file.resolve())
    server_host = host or server.host
    address = f"{server_host}:{port or server.port}"
    _check_address(server_host, port or server.port)
    open_database(chosen.config.database_url).dispose()
    if broker_url(chosen.config):
        start_publisher(chosen)
    workers_wanted = str(workers or server.workers)
    sys.argv = ["energy-sim serve", "--worker-class", "gthread", "--bind", address, "--workers", workers_wanted]
    sys.argv += ["--threads", str(server.threads), "--timeout", "120", "--graceful-timeout", "5"]
    sys.argv += ["--no-control-socket", "--chdir", str(DEFAULT_PATH.parent), "app:server"]
    shown = "localhost" if server_host == "0.0.0.0" else server_host  # noqa: S104
    sys.stderr.write(f"Kraftflyt on http://{shown}:{port or server.port}\n")
    sys.stderr.flush()
    from gunicorn.app.wsgiapp import run

    run()


def _check_address(host: str, port: int) -> None:
    """Bind as the server will, and let go again.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"server: cannot listen on {host}:{port} ({reason}); choose another --port or --host"
        ) from error
