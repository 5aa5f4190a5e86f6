"""A run's folder against its ledger: the exported ledger, its anchor, the summary, and the trades in the results."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from pydantic_core import from_json

from energy_sim.errors import DataError, LedgerError
from energy_sim.trading.ledger.anchor import ANCHOR_FILE, read_anchor, read_anchors
from energy_sim.trading.ledger.checksums import check_checksums
from energy_sim.trading.ledger.export import LEDGER_FILE, read_export
from energy_sim.trading.ledger.records import UWH_PER_KWH, StoredLedger, decode_trade
from energy_sim.trading.ledger.verify import BlockStatus, Finding, Verification, verify, with_findings
from energy_sim.trading.results import parse_trades

SUMMARY_FILE = "summary.json"
RESULTS_FILES = ("optimized_results.csv", "optimized_results.parquet")
TOLERANCE_KWH = 1e-6
_COLUMNS = ("step", "household_id", "p2p_buy_amount", "p2p_sell_amount", "p2p_trades")

Flows = dict[tuple[str, int, str], float]  # kWh by (bought | sold | from <seller>, step, household)


def verify_folder(
    folder: Path, anchors_file: Path | None = None, operator_public_key: str | None = None
) -> Verification:
    """Check all that a run's folder says about its trades.

    Args:
        folder: has ``ledger.jsonl`` and ``anchor.json``; ``summary.json`` and the optimised results, CSV and Parquet,
            are checked where they are.
        anchors_file: anchors kept elsewhere, one of which at least must be of this ledger.
        operator_public_key: hex, where it is known.

    Raises:
        DataError: the folder has no ledger, or a file cannot be read.
    """
    if not (folder / LEDGER_FILE).is_file() and _told_root(folder / SUMMARY_FILE):
        gone = BlockStatus(0, -1, 0, "", (f"is missing, like all others: there is no {LEDGER_FILE}",))
        return Verification("", "", (gone,))
    try:
        stored = read_export(folder / LEDGER_FILE)
    except LedgerError as error:
        head = BlockStatus(0, -1, 0, "", (str(error).removeprefix("block 0: "),))
        return Verification("", "", (head,))
    findings: list[Finding] = []
    anchors = []
    try:
        if (folder / ANCHOR_FILE).is_file():
            own = read_anchor(folder / ANCHOR_FILE)
            anchors.append(own)
            if own.blocks < len(stored.blocks):
                found_at = max(own.blocks, 0)
                findings.append(Finding(found_at, f"is not in {ANCHOR_FILE}, which knows {own.blocks} blocks"))
        else:
            findings.append(Finding(None, f"{ANCHOR_FILE}: is missing; newest blocks may have been dropped"))
        if anchors_file is not None:
            others = read_anchors(anchors_file, stored.identity.ledger_id)
            anchors += others
            if not others:
                findings.append(Finding(None, f"{anchors_file}: has no anchor of ledger {stored.identity.ledger_id}"))
    except LedgerError as error:
        findings.append(Finding(None, str(error)))
    found = verify(stored, anchors, operator_public_key)
    findings += _summary(folder / SUMMARY_FILE, stored, found)
    for name in RESULTS_FILES:
        findings += _results(folder / name, stored)
    findings += check_checksums(folder, stored.identity.operator_key.hex())
    return with_findings(found, findings)


def _summary(path: Path, stored: StoredLedger, found: Verification) -> Iterator[Finding]:
    if not path.is_file():
        return
    try:
        summary = from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        yield Finding(None, f"{path.name}: cannot be read as JSON ({error})")
        return
    told = summary if isinstance(summary, dict) else {}
    if told.get("ledger_root") != found.ledger_root:
        yield Finding(
            None, f"{path.name}: ledger_root is {told.get('ledger_root')}, the ledger's root {found.ledger_root}"
        )
    for name, known in (("ledger_id", found.ledger_id), ("ledger_blocks", len(stored.blocks))):
        if name in told and told[name] != known:
            yield Finding(None, f"{path.name}: {name} is {told[name]}, that of the ledger {known}")
    if "p2p_kwh" in told:
        kwh = math.fsum(energy for (what, _, _), energy in _written(stored).items() if what == "bought")
        most = TOLERANCE_KWH + found.trades / UWH_PER_KWH  # each trade is rounded
        if not isinstance(told["p2p_kwh"], int | float) or not abs(told["p2p_kwh"] - kwh) <= most:
            yield Finding(None, f"{path.name}: p2p_kwh is {told['p2p_kwh']}, the ledger has {kwh:.9g} kWh")


def _told_root(path: Path) -> str:
    """The root that a summary tells of; empty where it tells of no ledger."""
    try:
        summary = from_json(path.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(summary.get("ledger_root") or "") if isinstance(summary, dict) else ""


def _results(path: Path, stored: StoredLedger) -> Iterator[Finding]:
    if not path.is_file():
        return
    try:
        told = _told(path)
    except DataError as error:
        yield Finding(None, str(error))
        return
    written = _written(stored)
    heights = {block.step: block.height for block in stored.blocks}
    for key in sorted(told.keys() | written.keys(), key=lambda key: (key[1], key[2], key[0])):
        what, step, household = key
        here, there = written.get(key, 0.0), told.get(key, 0.0)
        if not abs(here - there) <= TOLERANCE_KWH:  # NaN differs too
            line = f"step {step}, {household}, {what}: {here:.9g} kWh in the ledger, {there:.9g} kWh in {path.name}"
            yield Finding(heights.get(step), line)


def _written(stored: StoredLedger) -> Mapping[tuple[str, int, str], float]:
    """What the ledger says; records that cannot be read are named by ``verify``."""
    names, counts = stored.identity.households, defaultdict[tuple[str, int, str], int](int)
    for block in stored.blocks:
        for entry in block.entries:
            try:
                trade = decode_trade(entry.record)
                seller, buyer = names[trade.seller], names[trade.buyer]
            except (LedgerError, IndexError):
                continue
            for key in (("bought", buyer), ("sold", seller), (f"bought from {seller}", buyer)):
                counts[key[0], block.step, key[1]] += trade.energy_uwh
    return {key: count / UWH_PER_KWH for key, count in counts.items()}


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        table = pd.read_parquet(path, columns=list(_COLUMNS))
        return table.assign(**{name: table[name].fillna("").astype(str) for name in ("household_id", "p2p_trades")})
    text = {"household_id": str, "p2p_trades": str}
    return pd.read_csv(path, usecols=list(_COLUMNS), dtype=text, keep_default_na=False)


def _told(path: Path) -> Flows:
    """What the results say.

    Raises:
        DataError: the file is no table of results.
    """
    try:
        table = _read(path)
        numbers = table[["p2p_buy_amount", "p2p_sell_amount"]].astype(float)
        steps = table["step"].astype("int64")
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path.name}: is no table with {', '.join(_COLUMNS)} ({reason})") from error
    found: Flows = defaultdict(float)
    some = (numbers != 0).any(axis=1) | (table["p2p_trades"] != "")
    columns = (steps, table["household_id"], numbers["p2p_buy_amount"], numbers["p2p_sell_amount"], table["p2p_trades"])
    for step, household, bought, sold, trades in zip(*(column[some].tolist() for column in columns), strict=True):
        found["bought", step, household] += bought
        found["sold", step, household] += sold
        try:
            sellers = parse_trades(trades)
        except DataError as error:
            raise DataError(f"{path.name}: step {step}, {household}: {error}") from None
        for seller, kwh in sellers:
            found[f"bought from {seller}", step, household] += kwh
    return found
