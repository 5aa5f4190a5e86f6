"""`energy-sim community`: a street of houses, tick by tick, and its meters for a broker."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from energy_sim.cli.community_publish import publish
from energy_sim.cli.options import console, progress_bar, say
from energy_sim.config import Config
from energy_sim.errors import ConfigError

app = typer.Typer(help="A street of houses with PV, right now.", no_args_is_help=True)
app.command("publish")(publish)


def parse_change(text: str) -> tuple[int, str, Any]:
    """A change TICK:NAME=VALUE.

    Raises:
        ConfigError: it is not written so.
    """
    tick, colon, rest = text.partition(":")
    name, equals, value = rest.partition("=")
    if not colon or not equals or not tick.isdecimal():
        raise ConfigError(
            f"--change: {text!r}; write TICK:NAME=VALUE, such as 60:start.house_3.ev=1 or 0:pv_kwp.house_1=8"
        )
    try:
        number = float(value)
    except ValueError:
        return int(tick), name, value
    return int(tick), name, number if math.isfinite(number) else value


@app.command()
def run(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    ticks: Annotated[int, typer.Option(help="Ticks to simulate, 1 to 1000000.")],
    houses: Annotated[int | None, typer.Option(help="Houses of the street, 1 to 10000.", show_default=False)] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same files.", show_default=False)] = None,
    start: Annotated[
        str, typer.Option(help="First moment, local time, such as 2026-07-10T12:30; or now.", show_default=False)
    ] = "",
    time_scale: Annotated[
        float | None, typer.Option(help="Simulated seconds a second, 1 to 3600.", show_default=False)
    ] = None,
    place: Annotated[str, typer.Option(help="LAT,LON in degrees.", show_default=False)] = "",
    timezone: Annotated[str, typer.Option(help="Clock of the street, such as Europe/Oslo.", show_default=False)] = "",
    update_interval_ms: Annotated[
        int | None, typer.Option(help="Milliseconds of a tick, 500 to 2000.", show_default=False)
    ] = None,
    pv_variation: Annotated[str, typer.Option(help="enabled or disabled.", show_default=False)] = "",
    flex_load_probability: Annotated[
        float | None, typer.Option(help="Share of the usual appliance runs, 0 to 1.", show_default=False)
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--change", help="TICK:NAME=VALUE, such as 60:start.house_3.ev=1; repeatable."),
    ] = None,
    with_houses: Annotated[bool, typer.Option("--houses-csv/--no-houses", help="Write houses.csv.")] = True,
) -> None:
    """Simulate a street and write its ticks, its houses and its monthly statements."""
    from energy_sim.community.live import open_community, session_parameters
    from energy_sim.community.pipeline import write_run

    config: Config = context.obj.config
    given = {
        "houses": houses,
        "seed": seed,
        "start": start or None,
        "time_scale": time_scale,
        "place": place or None,
        "timezone": timezone or None,
        "update_interval_ms": update_interval_ms,
        "pv_variation": pv_variation or None,
        "flex_load_probability": flex_load_probability,
        "changes": tuple(parse_change(text) for text in change) if change else None,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    live = open_community(session_parameters(config.community, chosen))
    with progress_bar() as bar:
        task = bar.add_task("ticks", total=ticks)
        summary = write_run(out, live, ticks, houses=with_houses, done=lambda done: bar.update(task, completed=done))
    say(
        f"{ticks:,} ticks of {len(live.house_ids):,} houses, {summary['first_time']} to {summary['end_time']}, in {out}"
    )
    table = Table("street", "kWh", box=None)
    table.columns[1].justify = "right"
    for name, value in summary["totals_kwh"].items():
        table.add_row(name.replace("_", " "), f"{value:,.3f}")
    console.print(table)
