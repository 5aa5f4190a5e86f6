"""`energy-sim agents demo` and `energy-sim agents fleet`: many agents as processes of one command."""

import asyncio
import csv
import importlib.util
import json
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from energy_sim.cli.options import console, say
from energy_sim.config import Config
from energy_sim.errors import ConfigError

if TYPE_CHECKING:
    from energy_sim.agents.fleet.demo import Summary
    from energy_sim.agents.fleet.demo_cycle import CycleRow

logger = logging.getLogger(__name__)

_INTERRUPTED = 130
_POWERS = ("wanted", "drawn", "before", "help", "curtailed", "after", "limit")
_SHORT = {"curtailed": "cut"}
_WIDE = 130  # columns from which whole words have room beside the numbers
_FILE_WIDTH = 150  # columns of a file or a pipe
_SHOWN_ROWS = 40

HomesOption = Annotated[int, typer.Option("--homes", min=1, max=40, help="Home agents.")]
BatteriesOption = Annotated[int, typer.Option("--batteries", min=0, max=20, help="Battery agents.")]


def demo(
    context: typer.Context,
    homes: HomesOption = 3,
    batteries: BatteriesOption = 2,
    cycles: Annotated[int, typer.Option("--cycles", min=0, max=100_000, help="Cycles; 0: until Ctrl-C.")] = 10,
    pause_s: Annotated[float, typer.Option("--pause", min=0, max=3600, help="Seconds between two cycles.")] = 0.0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for table, audit log and the agents' logs.", show_default=False)
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for table and summary, JSON.", show_default=False)
    ] = None,
) -> None:
    """Start a grid agent, homes and batteries, overload a transformer, and show what they do about it."""
    _check_extra()
    config: Config = context.obj.config
    zone = ZoneInfo(config.agents.timezone)
    try:
        with _terminated_as_interrupted(), _own_folder() as folder:
            summary = asyncio.run(_demo(config, folder, zone, homes, batteries, cycles, pause_s))
            _say_summary(summary)
            if out is not None:
                _export(summary, folder, out)
            if json_file is not None:
                json_file.parent.mkdir(parents=True, exist_ok=True)
                json_file.write_text(json.dumps(asdict(summary), indent=1), encoding="utf-8")
    except KeyboardInterrupt:
        sys.stderr.write("energy-sim: stopped; no process is left\n")
        sys.exit(_INTERRUPTED)
    if not summary.is_good:
        raise typer.Exit(1)


def fleet(
    context: typer.Context,
    homes: HomesOption = 3,
    batteries: BatteriesOption = 2,
    idle_s: Annotated[
        float, typer.Option("--idle", min=0, max=86_400, help="Seconds without a viewer until it ends; 0: never.")
    ] = 120.0,
) -> None:
    """Run the demo fleet of the page Agents in real time, until nobody looks or Ctrl-C."""
    _check_extra()
    from energy_sim.agents.fleet.supervisor import run_supervisor

    asyncio.run(run_supervisor(context.obj.config, homes=homes, batteries=batteries, idle_s=idle_s))


def _check_extra() -> None:
    """See that agents can run here.

    Raises:
        ConfigError: the extra is not installed.
    """
    missing = [name for name in ("aiohttp", "fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)} not installed; install the extra: pip install 'kraftflyt[agents]'")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends what runs as Ctrl-C does, once: everything is stopped and cleared away."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder that goes with its content."""
    folder = Path(tempfile.mkdtemp(prefix="kraftflyt-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _demo(
    config: Config, folder: Path, zone: ZoneInfo, homes: int, batteries: int, cycles: int, pause_s: float
) -> "Summary":
    from energy_sim.agents.fleet.demo import Demo, run_demo

    rows: list[CycleRow] = []
    shown_at = console if console.is_terminal else Console(width=max(console.width, _FILE_WIDTH))
    live = Live(_table(rows, zone, shown_at.width), console=console, auto_refresh=False)

    def show(new: "tuple[CycleRow, ...]") -> None:
        rows.extend(new)
        del rows[:-_SHOWN_ROWS]
        if live.is_started:
            live.update(_table(rows, zone, shown_at.width), refresh=True)

    with live if console.is_terminal else nullcontext():
        summary = await run_demo(config, folder, Demo(homes, batteries, cycles, pause_s), show, logger.info)
    if not console.is_terminal:
        shown_at.print(_table(rows, zone, shown_at.width))
    return summary


def _table(rows: "list[CycleRow]", zone: ZoneInfo, width: int) -> Group:
    """The cycles, a row for each transformer; what happened stands below where there are few columns."""
    wide = width >= _WIDE
    heads = {} if wide else _SHORT
    title = f"kW at each transformer; {heads.get('curtailed', 'curtailed')}: what orders take off"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in ("#", "time", "at", *(heads.get(name, name) for name in _POWERS)):
        table.add_column(name, justify="left" if name in {"time", "at"} else "right", no_wrap=True)
    if wide:
        table.add_column("planner", no_wrap=True)
        table.add_column("what happened", overflow="fold")
    same = len({row.transformer.rpartition("_")[0] for row in rows}) == 1
    below = Text()
    for row in rows:
        shown = [f"{round(getattr(row, f'{name}_kw'), 1) + 0.0:.1f}" for name in _POWERS]
        clock = datetime.fromtimestamp(row.time_s, zone).strftime("%H:%M")
        at = row.transformer.rpartition("_")[2] if same and not wide else row.transformer
        table.add_row(str(row.cycle), clock, at, *shown, *([row.planner, row.what] if wide else []))
        if not wide and row.what != "calm":
            below.append(f"cycle {row.cycle}, {at}: {row.what}\n")
    return Group(table, below) if below else Group(table)


def _say_summary(summary: "Summary") -> None:
    if summary.overload_cycle is None:
        say("overload: none appeared")
    else:
        say(f"overload: appeared in cycle {summary.overload_cycle}")
    say(f"help: {summary.helper} took over {summary.help_kw:.1f} kW" if summary.helper else "help: no neighbour could")
    say(f"curtailed: {summary.curtailed_kwh:.2f} kWh")
    said = "; ".join(("no", *summary.broken)) if summary.broken else f"yes, {summary.orders} looked at"
    say(f"after each order the next reports drew less: {said if summary.orders else 'no order was given'}")
    say(
        f"restored: in cycle {summary.restored_cycle}"
        if summary.restored_cycle
        else "restored: not within these cycles"
    )
    if summary.rows:
        say(f"planner: {', '.join(sorted({row.planner for row in summary.rows}))}")
    wrong = f", {summary.audit_findings} findings" if summary.audit_findings else ""
    say(f"audit verified: {summary.audit_entries} lines{wrong}")
    say(f"processes left: {summary.processes_left or 'none'}")


def _export(summary: "Summary", folder: Path, out: Path) -> None:
    """The table as demo.csv, and what the fleet logged."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "demo.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [asdict(row) for row in summary.rows]
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["cycle"])
        writer.writeheader()
        writer.writerows(rows)
    shutil.copytree(folder / "logs", out / "logs", dirs_exist_ok=True)
