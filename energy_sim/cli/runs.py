"""`energy-sim runs`: finished runs on disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from energy_sim.cli.options import Context, console, say
from energy_sim.errors import ConfigError

if TYPE_CHECKING:
    from energy_sim.runs import RunStore

_WIDTH = 120  # characters a row of the list needs; names are for copying, so a narrow terminal cuts none

app = typer.Typer(help="Finished runs: list, show, export, delete.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the run.")]


def _store(context: typer.Context) -> "RunStore":
    from energy_sim.runs import RunStore

    chosen: Context = context.obj
    folder = chosen.config.path(chosen.config.runs.folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"runs.folder: {folder} is a file; give the name of a folder")
    return RunStore(folder)


@app.command("list")
def list_runs(context: typer.Context) -> None:
    """List all finished runs, newest first."""
    from energy_sim.runs import in_words

    table = Table("run", "created (UTC)", "period", "in short", box=None)
    for run in _store(context).list():
        table.add_row(run.name, run.created[:19], *in_words(run))
    Console(width=max(console.width, _WIDTH)).print(table)


@app.command()
def show(context: typer.Context, name: Name) -> None:
    """Show a run's parameters and summary as JSON."""
    run = _store(context).load(name)
    console.print_json(data={"name": run.name, "params": dict(run.params), "summary": dict(run.summary)})


@app.command()
def export(
    context: typer.Context,
    name: Name,
    out: Annotated[Path, typer.Option("--out", help="Zip file to write.")],
) -> None:
    """Pack a run as a zip file."""
    say(str(_store(context).export(name, out)))


@app.command()
def delete(context: typer.Context, name: Name) -> None:
    """Delete a run."""
    _store(context).delete(name)
    say(f"deleted {name}")
