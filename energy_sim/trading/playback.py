"""A finished trading run as a live session: a tick is a step, and one switch says which simulation is shown."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from energy_sim.errors import DataError
from energy_sim.runs import RunStore
from energy_sim.trading.model import Floats, Moments, Trades
from energy_sim.trading.results import BASELINE, OPTIMISED, Recorded, read_results

SIMULATION = "simulation"  # the switch
SIMULATIONS = ("optimized", "baseline")
HOURS_MAX = 8784.0  # of a step; what is beyond it is a mistake
_FILES = {"optimized": OPTIMISED, "baseline": BASELINE}


@dataclass(frozen=True, slots=True)
class TradingFrame:
    """One step of one simulation as a page shows it."""

    tick: int
    simulation: str


@dataclass(frozen=True, slots=True)
class Steps:
    """What a run knows of its steps, (T,) each; NaN or none where its program did not write it."""

    begins: Moments | None
    dt_h: float
    buy: Floats
    sell: Floats
    p2p_price: Floats
    import_kw: Floats
    export_kw: Floats


class RecordedTrading:
    """An opened run: both simulations, its steps, what it was made with and what it came to."""

    def __init__(
        self,
        name: str,
        simulations: Mapping[str, Recorded],
        steps: Steps,
        params: Mapping[str, Any],
        summary: Mapping[str, Any],
        households: pd.DataFrame | None,
    ) -> None:
        """Hold what was read."""
        self.name = name
        self.simulations = simulations
        self.steps = steps
        self.params = params
        self.summary = summary
        self.households = households

    @property
    def ids(self) -> tuple[str, ...]:
        """The households, in the order of the files."""
        return self.simulations["optimized"].ids

    @property
    def last_tick(self) -> int:
        """The last step."""
        return self.simulations["optimized"].steps - 1

    def defaults(self) -> Mapping[str, Any]:
        """The optimised simulation is shown first."""
        return {SIMULATION: SIMULATIONS[0]}

    def check(self, control: str, value: Any) -> Any:
        """The simulation to show.

        Raises:
            DataError: there is no such simulation.
        """
        if value not in SIMULATIONS:
            raise DataError(f"trading.{control}: {str(value)[:40]!r}; choose one of {', '.join(SIMULATIONS)}")
        return value

    def start(self) -> None:
        """There is no state: the record has every step."""
        return

    def step(self, _state: None, tick: int, settings: Mapping[str, Any]) -> tuple[None, TradingFrame]:
        """The step of the record."""
        return None, TradingFrame(tick, str(settings[SIMULATION]))

    def encode(self, _state: None) -> str:
        """Nothing."""
        return "null"

    def decode(self, _text: str) -> None:
        """Nothing."""
        return

    def moment(self, tick: int) -> str:
        """When a step begins, ISO to the minute; empty where the run does not say."""
        begins = self.steps.begins
        return "" if begins is None else str(begins[tick].astype("datetime64[m]"))

    def trades_of(self, simulation: str, tick: int) -> Trades:
        """The trades of one step."""
        trades = self.simulations[simulation].trades
        first, last = np.searchsorted(trades.step, [tick, tick + 1])
        return Trades(
            trades.step[first:last], trades.seller[first:last], trades.buyer[first:last], trades.kwh[first:last]
        )


def open_playback(store: RunStore, name: str) -> RecordedTrading:
    """Open a finished trading run of the store.

    Raises:
        DataError: there is no such run, it belongs to another room, or its files do not fit together.
    """
    if store.load(name).room != "trading":
        raise DataError(f"run {name}: belongs to {name.partition('_')[0]}, not to trading")
    return read_folder(store.path(name))


def read_folder(folder: Path) -> RecordedTrading:
    """Read a run folder of this program, or one that only has the two results files.

    Raises:
        DataError: files are missing, cannot be read or do not fit together.
    """
    simulations = {name: read_results(_results_file(folder, file)) for name, file in _FILES.items()}
    first, second = simulations.values()
    if first.ids != second.ids or first.steps != second.steps:
        raise DataError(
            f"{folder}: the baseline has {len(second.ids)} households and {second.steps} steps, the optimised run"
            f" {len(first.ids)} and {first.steps}, or their order differs; both files must come from one run"
        )
    params, summary = (_json(folder / name) for name in ("params.json", "summary.json"))
    households = folder / "households.parquet"
    known = _table(households, ("household_id",)) if households.is_file() else None
    return RecordedTrading(
        folder.name,
        simulations,
        _steps(folder, first.steps, params),
        params,
        summary,
        known,
    )


def _results_file(folder: Path, name: str) -> Path:
    for suffix in (".csv", ".parquet"):  # what the ledger is checked against comes first
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    raise DataError(f"{folder}: has no {name}.csv; give a folder with baseline_results.csv and optimized_results.csv")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: is no JSON ({error}); restore the file") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds a {type(content).__name__}, not names and values; restore or remove the file")
    return content


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table that has at least these columns.

    Raises:
        DataError: it cannot be read or lacks one.
    """
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:  # pandas' and pyarrow's own are ValueErrors
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: cannot be read ({reason}); restore or remove the file") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise DataError(f"{path}: has no column {', '.join(missing)}; restore or remove the file")
    return table


def _numbers(path: Path, table: pd.DataFrame, name: str) -> Floats:
    try:
        return np.asarray(table[name], dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: column {name} is not of numbers ({error}); restore or remove the file") from error


def _step_hours(params: Mapping[str, Any]) -> float:
    """Hours of a step as the parameters say; other programs have them outside the groups."""
    simulation = params.get("simulation")
    given = simulation if isinstance(simulation, dict) else params
    dt_h = given.get("time_step_hours", 1.0)
    return float(dt_h) if isinstance(dt_h, int | float) and 0 < dt_h < HOURS_MAX else 1.0


def _steps(folder: Path, steps: int, params: Mapping[str, Any]) -> Steps:
    """The steps of a run, of its own table where it has one."""
    path, unknown = folder / "steps.parquet", np.full(steps, np.nan)
    dt_h = _step_hours(params)
    if path.is_file():
        names = ("buy", "sell", "p2p_price", "import_kw", "export_kw")
        table = _table(path, ("timestamp", *names))
        if len(table) != steps:
            raise DataError(f"{path}: has {len(table)} steps, the results {steps}; run the simulation again")
        try:
            begins = table["timestamp"].to_numpy().astype("datetime64[s]")
        except ValueError as error:
            raise DataError(f"{path}: column timestamp is not of moments ({error}); restore the file") from error
        return Steps(begins, dt_h, *(_numbers(path, table, name) for name in names))
    capacity = folder / "grid_capacity.csv"
    imports, exports = unknown, unknown
    if capacity.is_file():
        ways = ("import_capacity_kw", "export_capacity_kw")
        table = _table(capacity, ways)
        if len(table) >= steps:
            imports, exports = (_numbers(capacity, table, name)[:steps] for name in ways)
    return Steps(None, dt_h, unknown, unknown, unknown, imports, exports)
