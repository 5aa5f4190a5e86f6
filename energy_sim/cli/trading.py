"""`energy-sim trading`: batteries and trade among neighbours against doing nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from energy_sim.cli.options import console, progress_bar, say
from energy_sim.cli.trading_ledger import anchor, verify_ledger
from energy_sim.config import Config

if TYPE_CHECKING:
    from energy_sim.trading.parameters import TradingParameters
    from energy_sim.trading.pipeline import LedgerPlace, Progress, Request

app = typer.Typer(help="Batteries and trade among neighbours, against doing nothing.", no_args_is_help=True)
app.command("verify-ledger")(verify_ledger)
app.command("anchor")(anchor)

_SHOWN = (
    ("total cost, EUR", "total_cost_baseline", "total_cost_optimized"),
    ("wallets at the end, EUR", "wallet_baseline_eur", "wallet_optimized_eur"),
    ("bought from the grid, kWh", "grid_buy_baseline_kwh", "grid_buy_optimized_kwh"),
    ("sold to the grid, kWh", "grid_sell_baseline_kwh", "grid_sell_optimized_kwh"),
    ("traded among neighbours, kWh", None, "p2p_kwh"),
    ("unserved, kWh", "unserved_baseline_kwh", "unserved_optimized_kwh"),
)


@app.command()
def run(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    households: Annotated[
        Path | None,
        typer.Option(
            "--households", help="CSV or Parquet: id, timestamp, consumption, production.", show_default=False
        ),
    ] = None,
    params: Annotated[
        Path | None, typer.Option("--params", help="Parameters, JSON; such as params.json of a run.")
    ] = None,
    grid_capacity: Annotated[
        Path | None,
        typer.Option("--grid-capacity", help="CSV or Parquet: timestep, import_capacity_kw, export_capacity_kw."),
    ] = None,
    prices: Annotated[Path | None, typer.Option("--prices", help="CSV: step, buy, sell, EUR/kWh.")] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", help="Steps to simulate; without: as in the parameters.", show_default=False),
    ] = None,
    optimizer: Annotated[str, typer.Option("--optimizer", help="convex, greedy or none.", show_default=False)] = "",
    engine: Annotated[str, typer.Option("--engine", help="Solver of convex: cvxpy or highs.", show_default=False)] = "",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Draws prices, batteries and synthetic capacity.", show_default=False)
    ] = None,
    job: Annotated[Path | None, typer.Option("--job", hidden=True, help="Folder in which a page follows.")] = None,
) -> None:
    """Simulate a community with and without planned storage and trade, settle it and write the run folder."""
    from energy_sim.trading.pipeline import Request

    config: Config = context.obj.config
    chosen = households or config.path(config.trading.households)

    def request() -> Request:
        return Request(
            chosen,
            _parameters(params, chosen, steps, optimizer, engine, seed, limited=grid_capacity is not None),
            grid_capacity,
            prices,
        )

    if job is not None:
        _run_as_job(config, out, request, job)
        return
    summary = _run_here(config, out, request())
    say(
        f"{summary['steps']:,} steps of {summary['households']:,} households, {summary['first_time']} to"
        f" {summary['end_time']}, in {out}"
    )
    table = Table("", "baseline", "optimised", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for title, base, optimised in _SHOWN:
        table.add_row(title, f"{summary[base]:,.2f}" if base else "", f"{summary[optimised]:,.2f}")
    console.print(table)
    if summary["improvement_pct"] is not None:
        say(f"improvement {summary['improvement_pct']:.1f} %")
    _say_what_is_odd(summary)


@app.command("grid-capacity")
def grid_capacity_file(
    output: Annotated[Path, typer.Option("--output", help="CSV or Parquet file to write.")],
    steps: Annotated[int, typer.Option("--steps", min=1, max=1_000_000, help="Steps.")],
    time_step_hours: Annotated[float, typer.Option(help="Hours of a step.")] = 1.0,
    base_import_kw: Annotated[float, typer.Option(help="Import capacity outside peak hours, kW.")] = 100.0,
    base_export_kw: Annotated[float, typer.Option(help="Export capacity outside peak hours, kW.")] = 100.0,
    peak_reduction: Annotated[
        float, typer.Option(help="Share of the capacity that is missing at peak hours, 0 to 1.")
    ] = 0.5,
    noise_std: Annotated[float, typer.Option(help="Relative standard deviation of the noise.")] = 0.1,
    peak_start_hour: Annotated[int, typer.Option(help="First peak hour of the day.")] = 17,
    peak_end_hour: Annotated[int, typer.Option(help="Hour at which the peak ends.")] = 21,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 1,
) -> None:
    """Generate what a grid can carry, hour by hour: less in the evening, with noise."""
    from energy_sim.trading.grid_capacity import synthetic_capacity, write_grid_capacity
    from energy_sim.trading.parameters import TradingParameters

    group = {
        "mode": "synthetic",
        "base_import_kw": base_import_kw,
        "base_export_kw": base_export_kw,
        "peak_reduction": peak_reduction,
        "noise_std": noise_std,
        "peak_start_hour": peak_start_hour,
        "peak_end_hour": peak_end_hour,
    }
    simulation = {"time_step_hours": time_step_hours, "seed": seed}
    checked = TradingParameters.from_json({"simulation": simulation, "grid_capacity": group}, "options")
    capacity = synthetic_capacity(
        steps,
        checked.simulation.time_step_hours,
        base_import_kw,
        base_export_kw,
        peak_reduction,
        noise_std,
        peak_start_hour=peak_start_hour,
        peak_end_hour=peak_end_hour,
        seed=seed,
    )
    write_grid_capacity(output, capacity)
    say(f"{steps:,} steps in {output}")


@app.command("make-input")
def make_input(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write; the shipped one without it.")] = None,
    homes: Annotated[int, typer.Option(min=1, max=1000, help="Households.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 1,
) -> None:
    """Generate a year of households from the house model of the community room."""
    from energy_sim.trading.make_homes import make_homes

    config: Config = context.obj.config
    written = make_homes(out or config.path(config.trading.households).parent, homes=homes, seed=seed)
    say(f"{len(written)} files in {written[0].parent}")


@app.command("import")
def import_folder(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with baseline_results.csv and optimized_results.csv.")],
) -> None:
    """Take a run folder written elsewhere into the run store, so that the page plays it back."""
    from energy_sim.trading.importing import import_run

    config: Config = context.obj.config
    say(str(import_run(folder, config.path(config.runs.folder))))


def _parameters(
    params: Path | None,
    households: Path,
    steps: int | None,
    optimizer: str,
    engine: str,
    seed: int | None,
    *,
    limited: bool,
) -> "TradingParameters":
    """The parameters of a run: of the file, changed by options; all steps of a file shorter than the default."""
    import numpy as np

    from energy_sim.trading.data import describe_households
    from energy_sim.trading.parameters import TradingParameters

    parameters = TradingParameters.load(params) if params else TradingParameters()
    given = parameters.model_dump(mode="json")
    if steps is not None:
        given["simulation"]["simulation_steps"] = steps
    if optimizer:
        given["optimizer"]["kind"] = optimizer
    if engine:
        given["optimizer"]["engine"] = engine
    if seed is not None:
        given["simulation"]["seed"] = seed
    if limited:  # a file of limits is given to be used
        given["grid_capacity"]["use_capacity_limits"] = True
    if steps is None and "simulation_steps" not in parameters.simulation.model_fields_set:
        about = describe_households(households)
        hours = (np.datetime64(about.last) - np.datetime64(about.first)) / np.timedelta64(1, "h") + about.interval_h
        if hours < given["simulation"]["simulation_steps"] * parameters.simulation.time_step_hours:
            given["simulation"]["simulation_steps"] = None
    return TradingParameters.from_json(given)


@contextmanager
def _ledger_place(config: Config) -> Iterator["LedgerPlace"]:
    from energy_sim.database import open_database
    from energy_sim.trading.ledger.keys import read_or_make_operator_key
    from energy_sim.trading.pipeline import LedgerPlace

    engine = open_database(config.database_url)
    try:
        key = read_or_make_operator_key(config.path(config.trading.operator_key))
        yield LedgerPlace(engine, key, config.path(config.trading.anchors))
    finally:
        engine.dispose()


def _run_here(config: Config, out: Path, request: "Request") -> dict[str, Any]:
    from energy_sim.trading.pipeline import write_run

    with progress_bar() as bar, _ledger_place(config) as ledger:
        task = bar.add_task("steps", total=None)

        def shown(progress: "Progress") -> bool:
            bar.update(task, completed=progress.done, total=progress.total)
            return True

        return write_run(out, request, ledger, shown)


def _run_as_job(config: Config, out: Path, request: Callable[[], "Request"], folder: Path) -> None:
    """The run of a page: it follows in the job's folder, where faults are told too, and stops when asked."""
    from energy_sim.job_report import JobReport
    from energy_sim.trading.pipeline import write_run

    with JobReport(folder) as report, _ledger_place(config) as ledger:

        def told(progress: "Progress") -> bool:
            report.progress(progress.done, progress.total, progress.row)
            return not report.stop_asked

        summary = write_run(out, request(), ledger, told)
        report.finish(out.name, stopped=summary["stopped"])


def _say_what_is_odd(summary: dict[str, Any]) -> None:
    """What a reader must not miss."""
    for note in summary["notes"]:
        say(f"note: {note}")
    if summary["fallback_steps"]:
        say(f"note: no plan in {len(summary['fallback_steps'])} steps, the rule of thumb was used there")
    if summary["forecast_steps_without_history"]:
        say(f"note: {summary['forecast_steps_without_history']} steps were forecast without history")
    if summary["plans_with_raised_wear"]:
        say(f"note: prices below 0: {summary['plans_with_raised_wear']} plans reckoned with more wear than there is")
    if summary["worse_off_households"]:
        say(f"note: {summary['worse_off_households']} households bear a higher full cost than in the baseline")
    if summary["paying_more_households"]:
        say(f"note: {summary['paying_more_households']} households end with less money than in the baseline")
    if summary["unserved_optimized_kwh"] > 1e-6 or summary["unserved_baseline_kwh"] > 1e-6:
        say("note: the grid's limits left demand unserved; it is priced, see summary.json")
