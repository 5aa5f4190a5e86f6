"""What the commands share: the context, the console, progress bars."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from energy_sim.config import Config
from energy_sim.errors import ConfigError

console = Console()


@dataclass(frozen=True, slots=True)
class Context:
    """What the options before a command have set."""

    config: Config
    config_file: Path | None
    log_level: str
    log_file: Path | None


def say(line: str) -> None:
    """Print a line as it is: paths are neither wrapped nor read as markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def progress_bar() -> Progress:
    """A progress bar on stderr that disappears when done, for anything over two seconds; none where nobody looks."""
    stderr = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )


def parse_date(text: str, name: str) -> date:
    """An ISO date from an option.

    Raises:
        ConfigError: it is not one.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name}: {text!r} is no date; give YYYY-MM-DD, such as 2016-01-01") from None


InputOption = Annotated[
    list[Path] | None,
    typer.Option("--input", help="Folder of input files; several are searched in turn.", show_default=False),
]
NetworkOption = Annotated[Path | None, typer.Option("--network", help="Network file, YAML or JSON; Norway without it.")]
StartOption = Annotated[str, typer.Option("--start", help="First day, YYYY-MM-DD.", show_default=False)]
DaysOption = Annotated[int | None, typer.Option("--days", help="Days from the first.", show_default=False)]
WarmUpOption = Annotated[
    int | None, typer.Option("--warm-up", help="Days simulated before the first, in no result.", show_default=False)
]
