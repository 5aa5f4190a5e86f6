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
    if chosen.config_file is not None:
        os.environ["KRAFTFLYT_CONFIG"] = str(chosen.config_file.resolve())
    address = f"{host or server.host}:{port or server.port}"
    arguments = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--bind", address]
    arguments += ["--workers", str(workers or server.workers), "--threads", str(server.threads)]
    arguments += [
        "--timeout",
        "120",
        "--graceful-timeout",
        "5",
        "--no-control-socket",
        "--chdir",
        str(DEFAULT_PATH.parent),
        "app:server",
    ]
    sys.stderr.write(f"Kraftflyt on http://{address.replace('0.0.0.0', 'localhost')}\n")  # noqa: S104 - shown, not bound
    sys.stderr.flush()
    os.execv(sys.executable, arguments)  # noqa: S606 - gunicorn takes this process's place, so signals reach it
