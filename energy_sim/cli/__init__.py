"""The `energy-sim` command: one file per room. Exit code 0, 1 for a failed run, 2 for bad input with one line."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from energy_sim.cli import agents, community, runs, serve, trading, zones
from energy_sim.cli.options import Context
from energy_sim.config import load_config
from energy_sim.errors import EnergySimError
from energy_sim.logs import set_up_logging

logger = logging.getLogger(__name__)

GLOBAL_OPTIONS = ("--config", "--log-level", "--log-file")
_INTERRUPTED = 130  # what typer returns after Ctrl-C

app = typer.Typer(
    help="Kraftflyt: energy moving, from the hydro zones of a country down to one house.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.add_typer(zones.app, name="zones")
app.add_typer(community.app, name="community")
app.add_typer(trading.app, name="trading")
app.add_typer(agents.app, name="agents")
app.add_typer(runs.app, name="runs")


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="Configuration file; its keys override config.yaml.")
    ] = None,
    log_level: Annotated[str, typer.Option("--log-level", help="ERROR, WARNING, INFO or DEBUG.")] = "",
    log_file: Annotated[Path | None, typer.Option("--log-file", help="Log to this rotating file too.")] = None,
) -> None:
    """Options of every command."""
    loaded = load_config(config)
    level = (log_level or loaded.logging.level).upper()
    configured = loaded.path(loaded.logging.file) if loaded.logging.file else None
    set_up_logging(level, log_file or configured, loaded.logging.max_mb, loaded.logging.backups)
    context.obj = Context(loaded, config, level, log_file)


def main() -> None:
    """Run the command and exit with its code; the edge where every error becomes a line."""
    try:
        code = app(standalone_mode=False, prog_name="energy-sim")
    except EnergySimError as error:
        _fail(str(error))
    except typer.TyperException as error:  # wrong options and arguments
        if not error.format_message():  # a command without arguments, which has shown its help
            sys.exit(2)
        option = getattr(error, "option_name", "")
        if option in GLOBAL_OPTIONS:
            _fail(f"{option}: no option of this command; give --config, --log-level and --log-file before the command")
        command = getattr(getattr(error, "ctx", None), "command_path", "energy-sim")
        _fail(f"{error.format_message()} (see `{command} --help`)")
    except (typer.Abort, KeyboardInterrupt):
        _stop()
    except Exception as error:
        logger.exception("command failed")
        sys.stderr.write(f"energy-sim: failed: {type(error).__name__}: {error}\n")
        sys.exit(1)
    if code == _INTERRUPTED:
        _stop()
    sys.exit(code if isinstance(code, int) else 0)


def _stop() -> None:
    sys.stderr.write("energy-sim: stopped\n")
    sys.exit(1)


def _fail(line: str) -> None:
    sys.stderr.write(f"energy-sim: {' '.join(line.split())}\n")
    sys.exit(2)
