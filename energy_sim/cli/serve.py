"""`energy-sim serve`: the dashboard behind gunicorn."""

import os
import sys
from typing import Annotated

import typer

from energy_sim.cli.options import Context
from energy_sim.config import DEFAULT_PATH


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.", show_default=False)] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port.", show_default=False)] = 0,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes.", show_default=False)] = 0,
) -> None:
    """Start the dashboard; every process serves every session."""
    chosen: Context = context.obj
    server = chosen.config.server
    os.environ["KRAFTFLYT_LOG_LEVEL"] = chosen.log_level  # the processes that answer read these, see app.py
    for name, file in (("KRAFTFLYT_CONFIG", chosen.config_file), ("KRAFTFLYT_LOG_FILE", chosen.log_file)):
        if file is not None:
            os.environ[name] = str(file.resolve())
    server_host = host or server.host
    address = f"{server_host}:{port or server.port}"
    workers_wanted = str(workers or server.workers)
    sys.argv = ["energy-sim serve", "--worker-class", "gthread", "--bind", address, "--workers", workers_wanted]
    sys.argv += ["--threads", str(server.threads), "--timeout", "120", "--graceful-timeout", "5"]
    sys.argv += ["--no-control-socket", "--chdir", str(DEFAULT_PATH.parent), "app:server"]
    shown = "localhost" if server_host == "0.0.0.0" else server_host  # noqa: S104
    sys.stderr.write(f"Kraftflyt on http://{shown}:{port or server.port}\n")
    sys.stderr.flush()
    from gunicorn.app.wsgiapp import run

    run()
