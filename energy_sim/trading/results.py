"""The CSV files of a run: one row per household and step, as this program and the one it grew out of write them.

`step, household_id, production, consumption, stored_kwh, battery_pct, wallet, grid_buy, grid_sell, p2p_trades,
p2p_buy_amount, p2p_sell_amount`, and of this program `charge_kwh, discharge_kwh, curtailed_kwh, unserved_kwh, fee`.
``p2p_trades`` stands with the buyer: `seller:amount-seller:amount`, kWh. A household without a battery has 0 %.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from energy_sim.errors import DataError
from energy_sim.trading.model import Accounts, Floats, Flows, Trades

BASELINE, OPTIMISED = "baseline_results", "optimized_results"  # names of the files, without suffix
COLUMNS = (
    "production",
    "consumption",
    "stored_kwh",
    "battery_pct",
    "wallet",
    "grid_buy",
    "grid_sell",
    "p2p_buy_amount",
    "p2p_sell_amount",
)
MORE_COLUMNS = ("charge_kwh", "discharge_kwh", "curtailed_kwh", "unserved_kwh", "fee")
_AMOUNT = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_TRADE = re.compile(rf"(?P<seller>.+?):(?P<kwh>{_AMOUNT})(?:-(?=.)|\Z)", re.DOTALL)
SHOWN = 20
MOST = 1e12  # kWh or EUR; what is beyond it is no household


@dataclass(frozen=True, slots=True)
class Recorded:
    """One simulation as its file has it: (T, N) arrays by column name, and its trades."""

    ids: tuple[str, ...]
    columns: dict[str, Floats]
    trades: Trades

    @property
    def steps(self) -> int:
        """T."""
        return len(self.columns["wallet"])


def recorded(ids: Sequence[str], flows: Flows, accounts: Accounts) -> Recorded:
    """A simulation as its file will have it."""
    capacity = np.where(flows.capacity_kwh > 0, flows.capacity_kwh, np.inf)
    columns = {
        "production": flows.pv_kwh,
        "consumption": flows.load_kwh,
        "stored_kwh": flows.stored_kwh,
        "battery_pct": 100 * flows.stored_kwh / capacity,
        "wallet": accounts.wallet_eur,
        "grid_buy": flows.grid_buy_kwh,
        "grid_sell": flows.grid_sell_kwh,
        "p2p_buy_amount": flows.p2p_buy_kwh,
        "p2p_sell_amount": flows.p2p_sell_kwh,
        "charge_kwh": flows.charge_kwh,
        "discharge_kwh": flows.discharge_kwh,
        "curtailed_kwh": flows.curtailed_kwh,
        "unserved_kwh": flows.unserved_kwh,
        "fee": accounts.fee_eur,
    }
    return Recorded(tuple(ids), columns, flows.trades)


def results_table(one: Recorded) -> pd.DataFrame:
    """The rows of a simulation, steps in order and households in order within a step."""
    steps, households = one.steps, len(one.ids)
    columns = {name: one.columns[name].reshape(-1) for name in (*COLUMNS, *MORE_COLUMNS)}
    table = pd.DataFrame(
        {
            "step": np.repeat(np.arange(steps), households),
            "household_id": np.tile(np.asarray(one.ids), steps),
            **columns,
        }
    )
    table.insert(len(COLUMNS), "p2p_trades", trade_texts(one.ids, one.trades, steps).reshape(-1))
    return table


def trade_texts(ids: Sequence[str], trades: Trades, steps: int) -> "np.ndarray[tuple[int, int], np.dtype[np.object_]]":
    """(T, N) `seller:amount-seller:amount` of what each household bought in each step; empty without trade."""
    texts = np.full((steps, len(ids)), "", dtype=object)
    rows = zip(trades.step.tolist(), trades.seller.tolist(), trades.buyer.tolist(), trades.kwh.tolist(), strict=True)
    for step, seller, buyer, kwh in rows:
        text = f"{ids[seller]}:{kwh:.9f}"
        texts[step, buyer] = f"{texts[step, buyer]}-{text}" if texts[step, buyer] else text
    return texts


def parse_trades(text: str) -> tuple[tuple[str, float], ...]:
    """What a household bought, from whom and how much in kWh, as `trade_texts` writes it.

    A trade ends where an amount is followed by a dash or the end, so ids may hold dashes and colons, but not a colon,
    an amount and a dash in a row.

    Raises:
        DataError: the text is something else.

    >>> parse_trades("A:0.5-B-2:1e-05")
    (('A', 0.5), ('B-2', 1e-05))
    """
    found, at = [], 0
    while at < len(text):
        match = _TRADE.match(text, at)
        if match is None:
            raise DataError(f"p2p_trades is {text!r}; write seller:amount-seller:amount")
        found.append((match["seller"], float(match["kwh"])))
        at = match.end()
    return tuple(found)


def read_results(path: Path) -> Recorded:
    """Read a results file, CSV or Parquet.

    Args:
        path: of the file; columns beyond the first twelve may be missing and are then not in the result.

    Raises:
        DataError: naming every fault: columns, numbers, households or steps that do not fit.
    """
    table = _read(path)
    needed = ("step", "household_id", *COLUMNS, "p2p_trades")
    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise DataError(f"{path}: column {', '.join(missing)} missing; a results file has {', '.join(needed)}")
    if table.empty:
        raise DataError(f"{path}: has no rows; run the simulation again")
    ids = tuple(dict.fromkeys(table["household_id"].astype(str)))
    if "" in ids:
        raise DataError(f"{path}: a household_id is blank; give every household its id")
    table = _in_order(path, table, ids)
    steps, count = len(table) // len(ids), len(ids)
    columns: dict[str, Floats] = {}
    problems = []
    for name in (*COLUMNS, *(more for more in MORE_COLUMNS if more in table.columns)):
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~(np.abs(values) <= MOST))
        if len(bad):
            row = int(bad[0])
            what = "is no number" if np.isnan(values[row]) else f"is outside -{MOST:g} to {MOST:g}"
            problems.append(f"{_place(path, table, row)}, {name}: {table[name].iloc[row]!r} {what}")
        columns[name] = values.reshape(steps, count)
    trades, unreadable = _trades(path, ids, table)
    problems += unreadable
    if problems:
        raise DataError.from_problems([f"{problem}; mend the file or run the simulation again" for problem in problems])
    return Recorded(ids, columns, trades)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        text = {"household_id": str, "p2p_trades": str}
        return pd.read_csv(path, encoding="utf-8-sig", dtype=text, keep_default_na=False)  # a home may be called NA
    except (OSError, ValueError, UnicodeDecodeError) as error:  # pandas' and pyarrow's own are ValueErrors
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: cannot be read ({reason}); give a results file of a trading run") from error


def _in_order(path: Path, table: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """The rows with steps in order and, within each, the households in order; every one must be there once.

    Raises:
        DataError: a step is no whole number, one is missing, or one has not each household once.
    """
    steps = pd.to_numeric(table["step"], errors="coerce").to_numpy(float)
    bad = np.flatnonzero(~(np.abs(steps) <= MOST) | (steps != np.floor(steps)))
    if len(bad):
        row = int(bad[0])
        raise DataError(f"{path}: step in data row {row + 1}: {table['step'].iloc[row]!r} is no whole number; mend it")
    places = table["household_id"].astype(str).map({name: i for i, name in enumerate(ids)}).to_numpy()
    order = np.lexsort((places, steps))
    sizes = np.unique(steps, return_counts=True)
    wrong = np.flatnonzero(sizes[1] != len(ids))
    same = np.flatnonzero((np.diff(steps[order]) == 0) & (np.diff(places[order]) == 0))
    if len(wrong) or len(same):
        step = sizes[0][wrong[0]] if len(wrong) else steps[order][same[0]]
        raise DataError(f"{path}: step {step:.0f} has not each of the {len(ids)} households once; mend the file")
    gaps = np.flatnonzero(np.diff(sizes[0]) != 1)
    if len(gaps):
        raise DataError(f"{path}: step {sizes[0][gaps[0]] + 1:.0f} is missing; give all steps or run it again")
    table = table.assign(step=steps.astype(np.int64))
    in_order = np.array_equal(order, np.arange(len(order)))
    return table if in_order else table.iloc[order].reset_index(drop=True)


def _place(path: Path, table: pd.DataFrame, row: int) -> str:
    return f"{path}: step {table['step'].iloc[row]}, {table['household_id'].iloc[row]}"


def _trades(path: Path, ids: Sequence[str], table: pd.DataFrame) -> tuple[Trades, list[str]]:
    """The trades of rows that are in order, and what cannot be read."""
    place = {name: i for i, name in enumerate(ids)}
    count = len(ids)
    rows: list[tuple[int, int, int, float]] = []
    problems: list[str] = []
    for at, text in enumerate(table["p2p_trades"].fillna("").astype(str)):
        if not text or text in {"[]", "{}", "nan"}:
            continue
        try:
            found = parse_trades(text)
        except DataError:
            found = ()
        unknown = [seller for seller, _ in found if seller not in place]
        if not found or unknown or any(kwh > MOST for _, kwh in found):
            what = f"seller {unknown[0]!r} is no household of the file" if unknown else "is not seller:amount"
            problems.append(f"{_place(path, table, at)}, p2p_trades: {text[:60]!r}: {what}")
        rows += [(at // count, place[seller], at % count, kwh) for seller, kwh in found if seller in place]
        if len(problems) >= SHOWN:
            break
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    return (
        Trades(
            np.array(columns[0], dtype=np.int64),
            np.array(columns[1], dtype=np.int64),
            np.array(columns[2], dtype=np.int64),
            np.array(columns[3], dtype=np.float64),
        ),
        problems,
    )
