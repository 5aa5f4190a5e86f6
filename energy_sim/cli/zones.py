"""`energy-sim zones`: run, ensemble, check-data, make-input."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from energy_sim.cli.options import (
    DaysOption,
    InputOption,
    NetworkOption,
    StartOption,
    WarmUpOption,
    console,
    parse_date,
    progress_bar,
    say,
)
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError

if TYPE_CHECKING:  # commands import what they need: a command of another room, or --help, waits for none of it
    import pandas as pd

    from energy_sim.zones.model import Switches
    from energy_sim.zones.pipeline import Request
    from energy_sim.zones.simulator import Period, Settings

logger = logging.getLogger(__name__)

app = typer.Typer(help="Hydro and wind zones, day by day.", no_args_is_help=True)

NoWind = Annotated[bool, typer.Option("--no-wind", help="Switch wind off.")]
NoImport1 = Annotated[bool, typer.Option("--no-import-phase1", help="Switch the first import (phase 2) off.")]
NoHydro = Annotated[bool, typer.Option("--no-local-hydro", help="Switch local hydro off.")]
NoImport2 = Annotated[bool, typer.Option("--no-import-phase2", help="Switch the second import (phase 4) off.")]
NoTwoHop = Annotated[bool, typer.Option("--no-two-hop", help="Switch two-hop routes off.")]
ShareWind = Annotated[bool, typer.Option("--share-wind", help="Offer surplus wind to neighbours before any water.")]
Balance = Annotated[bool, typer.Option("--balance-levels", help="Fuller reservoirs supply emptier ones first.")]
Factor = typer.Option(help="0 to 5; 1 is the data as they are.")


def _request(
    context: typer.Context,
    folders: list[Path] | None,
    network: Path | None,
    start: str,
    days: int | None,
    warm_up: int | None,
    settings: "Settings",
) -> "Request":
    from energy_sim.zones.data import data_range
    from energy_sim.zones.pipeline import Request, network_from

    config: Config = context.obj.config
    defaults = config.zones
    first = parse_date(start, "--start") if start else defaults.start
    if days is not None and days < 1:
        raise ConfigError(f"--days: {days} is below 1; give the number of days to simulate")
    if warm_up is not None and warm_up < 0:
        raise ConfigError(f"--warm-up: {warm_up} is below 0; give 0 or more days")
    warm_up_days = defaults.warm_up_days if warm_up is None else warm_up
    searched = tuple(folders) if folders else config.paths(defaults.input)
    zones = network_from(config, network)
    left = (defaults.start - first).days + defaults.days  # configured days from the first on
    if (folders or network or not 0 < left <= defaults.days) and not (start and days):
        lowest, highest = data_range(searched, zones)  # what is not given comes from the data, not the configuration
        if not start and not lowest <= first <= highest:
            first = lowest
        left = max(1, (highest - first).days + 1)
    request = Request(searched, zones, first, days or left, warm_up_days, {0: settings})
    return request if start or not warm_up_days else _after_warm_up(request, keep_end=not days)


def _after_warm_up(request: "Request", keep_end: bool) -> "Request":
    """The request with a first day that has its warm-up days in the data before it, with the same last day if asked."""
    from energy_sim.zones.data import data_range
    from energy_sim.zones.pipeline import first_after_warm_up

    lowest, highest = data_range(request.folders, request.network)
    first = first_after_warm_up(request.start, request.warm_up_days, lowest, highest)
    later = (first - request.start).days
    if not later:
        return request
    logger.info("first day moved from=%s to=%s warm_up_days=%d data_from=%s", request.start, first,
                request.warm_up_days, lowest)  # fmt: skip
    left = request.days - later
    days = request.days if not keep_end else left if left > 0 else (highest - first).days + 1
    return replace(request, start=first, days=days)


def _with_changes(request: "Request", changes: list[str] | None) -> "Request":
    """The request with `DATE:NAME=VALUE` changes, each of which holds from its date on."""
    from energy_sim.zones.pipeline import change_setting

    found: dict[int, Settings] = dict(request.changes)
    parsed: list[tuple[date, str, str]] = []
    for text in changes or []:
        when, colon, rest = text.partition(":")
        name, equals, value = rest.partition("=")
        if not colon or not equals:
            raise ConfigError(f"--change: {text!r}; write DATE:NAME=VALUE, such as 2016-03-01:two_hop=off")
        parsed.append((parse_date(when, "--change"), name, value))
    settings = found[0]
    for when_date, name, value in sorted(parsed, key=lambda change: change[0]):
        day = (when_date - request.start).days
        if day and name == "reservoir_factor":
            raise ConfigError("--change: reservoir_factor acts on the opening level only; use --reservoir-factor")
        if not 0 <= day < request.days:
            last = request.start + timedelta(days=request.days - 1)
            raise ConfigError(f"--change: {when_date} is outside the run, {request.start} to {last}")
        settings = change_setting(settings, name, value)
        found[day] = settings
    return replace(request, changes=found)


def _switches(
    no_wind: bool,
    no_import_phase1: bool,
    no_local_hydro: bool,
    no_import_phase2: bool,
    no_two_hop: bool,
    share_wind: bool,
    balance_levels: bool,
) -> "Switches":
    """The switches of the options; five of them switch something off."""
    from energy_sim.zones.model import Switches

    return Switches(
        wind=not no_wind,
        import_phase1=not no_import_phase1,
        local_hydro=not no_local_hydro,
        import_phase2=not no_import_phase2,
        two_hop=not no_two_hop,
        share_wind=share_wind,
        balance_levels=balance_levels,
    )


@app.command()
def run(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write; a new run in the run store without it.")
    ] = None,
    folders: InputOption = None,
    network: NetworkOption = None,
    start: StartOption = "",
    days: DaysOption = None,
    warm_up: WarmUpOption = None,
    no_wind: NoWind = False,
    no_import_phase1: NoImport1 = False,
    no_local_hydro: NoHydro = False,
    no_import_phase2: NoImport2 = False,
    no_two_hop: NoTwoHop = False,
    share_wind: ShareWind = False,
    balance_levels: Balance = False,
    consumption_factor: Annotated[float, Factor] = 1.0,
    wind_factor: Annotated[float, Factor] = 1.0,
    inflow_factor: Annotated[float, Factor] = 1.0,
    reservoir_factor: Annotated[float, Factor] = 1.0,
    change: Annotated[
        list[str] | None, typer.Option("--change", help="DATE:NAME=VALUE, such as 2016-03-01:two_hop=off; repeatable.")
    ] = None,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Write figures/*.html.")] = True,
    png: Annotated[bool, typer.Option("--png", help="Write figures/*.png too.")] = False,
) -> None:
    """Simulate a period and write its tables and figures."""
    from energy_sim.runs import RunStore, new_name
    from energy_sim.zones.model import Factors
    from energy_sim.zones.pipeline import RunLog, check_factor, load, simulate_request, totals, write_run
    from energy_sim.zones.simulator import Settings

    switches = _switches(
        no_wind, no_import_phase1, no_local_hydro, no_import_phase2, no_two_hop, share_wind, balance_levels
    )
    factors = Factors(
        *(
            check_factor(name, value)
            for name, value in (
                ("--consumption-factor", consumption_factor),
                ("--wind-factor", wind_factor),
                ("--inflow-factor", inflow_factor),
                ("--reservoir-factor", reservoir_factor),
            )
        )
    )
    log = RunLog()
    try:
        request = _with_changes(
            _request(context, folders, network, start, days, warm_up, Settings(switches, factors)), change
        )
        inputs = load(request)
        period = simulate_request(request, inputs)
        store = RunStore(context.obj.config.path(context.obj.config.runs.folder))
        target = out or store.folder / new_name("zones")
        kinds = ["html"] * figures + ["png"] * png
        write_run(target, request, inputs, period, (partial(_add_figures, request, period, kinds), log.write))
    finally:
        log.close()
    _print_totals(target, period, totals(period, inputs))


def _add_figures(
    request: "Request", period: "Period", kinds: Sequence[str], folder: Path, tables: "Mapping[str, pd.DataFrame]"
) -> None:
    """Write the figures of a run into its folder; none without a kind."""
    if not kinds:
        return
    from energy_sim.figures.run_files import write_run_figures
    from energy_sim.zones.pipeline import change_marks
    from energy_sim.zones.simulator import average_day

    transfers, marks = average_day(period), change_marks(request)
    with progress_bar() as bar:
        task = bar.add_task("figures", total=None)
        for done, count in write_run_figures(folder / "figures", request.network, tables, transfers, marks, kinds):
            bar.update(task, completed=done, total=count)


def _print_totals(target: Path, period: "Period", summary: Mapping[str, Any]) -> None:
    table = Table("all zones", "GWh", box=None)
    table.columns[1].justify = "right"
    for name, value in summary["totals_mwh"].items():
        table.add_row(name.replace("_", " "), f"{value / 1000:,.1f}")
    say(f"{len(period.dates):,} days, {period.dates[0]} to {period.dates[-1]}, in {target}")
    console.print(table)
    fills = summary["fills"]
    if fills:
        say(f"{sum(fill['count'] for fill in fills):,} missing values were filled: see summary.json")


@app.command()
def ensemble(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    folders: InputOption = None,
    network: NetworkOption = None,
    start: StartOption = "",
    days: DaysOption = None,
    warm_up: WarmUpOption = None,
    year: Annotated[
        list[int] | None, typer.Option("--year", help="Inflow year; repeatable; all of the record without it.")
    ] = None,
    consumption_factor: Annotated[list[float] | None, typer.Option(help="Repeat for a grid of factors.")] = None,
    wind_factor: Annotated[list[float] | None, typer.Option(help="Repeat for a grid of factors.")] = None,
    inflow_factor: Annotated[list[float] | None, typer.Option(help="Repeat for a grid of factors.")] = None,
    reservoir_factor: Annotated[list[float] | None, typer.Option(help="Repeat for a grid of factors.")] = None,
    no_wind: NoWind = False,
    no_import_phase1: NoImport1 = False,
    no_local_hydro: NoHydro = False,
    no_import_phase2: NoImport2 = False,
    no_two_hop: NoTwoHop = False,
    share_wind: ShareWind = False,
    balance_levels: Balance = False,
    threads: Annotated[int | None, typer.Option(min=0, help="Threads; 0 for one per core.", show_default=False)] = None,
) -> None:
    """Run every inflow year of the record, and a grid of factors; write quantiles per day and totals per scenario."""
    from energy_sim.runs import whole_folder, write_json, write_tables
    from energy_sim.zones.ensemble import all_scenarios, quantile_table, run_ensemble, totals_table
    from energy_sim.zones.model import Factors
    from energy_sim.zones.pipeline import check_factor, describe, load
    from energy_sim.zones.simulator import Settings

    switches = _switches(
        no_wind, no_import_phase1, no_local_hydro, no_import_phase2, no_two_hop, share_wind, balance_levels
    )
    request = _request(context, folders, network, start, days, warm_up, Settings(switches))
    named = {
        "--consumption-factor": consumption_factor,
        "--wind-factor": wind_factor,
        "--inflow-factor": inflow_factor,
        "--reservoir-factor": reservoir_factor,
    }
    grids = [[check_factor(name, value) for value in values or [1.0]] for name, values in named.items()]
    inputs = load(request)
    scenarios = all_scenarios(inputs, year or [], [Factors(*point) for point in product(*grids)])
    compute = context.obj.config.compute
    with whole_folder(out) as folder, progress_bar() as bar:
        task = bar.add_task("scenarios", total=len(scenarios))
        result = run_ensemble(
            request.network,
            inputs,
            request.changes[0],
            scenarios,
            request.warm_up_days,
            compute.threads if threads is None else threads,
            compute.scheduler,
            lambda done: bar.advance(task, done),
        )
        table = totals_table(result)
        write_tables(folder, {"quantiles": quantile_table(result), "totals": table})
        write_json(folder / "params.json", {**describe(request), "scenarios": len(scenarios)})
    shown = Table("all scenarios, GWh", "lowest", "median", "highest", box=None)
    for name in ("inflow_mwh", "unmet_mwh", "spill_mwh", "level_end_mwh"):
        low, middle, high = (table[name].quantile(q) / 1000 for q in (0, 0.5, 1))
        shown.add_row(name.removesuffix("_mwh").replace("_", " "), f"{low:,.0f}", f"{middle:,.0f}", f"{high:,.0f}")
    say(f"{len(scenarios):,} scenarios of {len(result.dates):,} days in {out}")
    console.print(shown)


@app.command("check-data")
def check_data(context: typer.Context, folders: InputOption = None, network: NetworkOption = None) -> None:
    """Check the input files: what they cover, what would be filled, and every fault."""
    from energy_sim.zones.data import check_data as check
    from energy_sim.zones.pipeline import network_from
    from energy_sim.zones.reading import UNDATED

    config: Config = context.obj.config
    searched = tuple(folders) if folders else config.paths(config.zones.input)
    report = check(searched, network_from(config, network))
    table = Table("file", "rows", "first", "last", "blank", box=None)
    for file in report.files:
        table.add_row(file.file, f"{file.rows:,}", file.first, file.last, str(file.filled))
    console.print(table)
    for file in report.files:
        if file.first == UNDATED:
            say(f"undated: {file.file}: its first row is the first simulated day of a run; here that of the wind")
    for fill in report.fills:
        say(f"filled: {fill.file}: {fill.count} by {fill.rule}, {fill.first} to {fill.last}")
    if report.problems:
        for problem in report.problems:
            say(problem)
        raise DataError.from_problems(report.problems)
    say(f"no faults found; all zones have {report.first} to {report.last}")


@app.command("make-input")
def make_input(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write; the configured input without it.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 1,
) -> None:
    """Generate seven realistic years for NO1-NO5 from published aggregate figures."""
    from energy_sim.zones.make_input import make_input as make

    config: Config = context.obj.config
    written = make(out or config.paths(config.zones.input)[0], seed)
    say(f"{len(written)} files in {written[0].parent}")
