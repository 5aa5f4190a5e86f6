"""A run's folder against its ledger: the exported ledger, its anchor, the summary, and the trades in the results."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from pydantic_core import from_json

from energy_sim.errors import DataError, LedgerError
from energy_sim.trading.ledger.anchor import ANCHOR_FILE, read_anchor, read_anchors
from energy_sim.trading.ledger.export import LEDGER_FILE, read_export
from energy_sim.trading.ledger.records import UWH_PER_KWH, StoredLedger, decode_trade
from energy_sim.trading.ledger.verify import BlockStatus, Finding, Verification, verify, with_findings
from energy_sim.trading.results import parse_trades

SUMMARY_FILE = "summary.json"
RESULTS_FILE = "optimized_results.csv"
TOLERANCE_KWH = 1e-6
_COLUMNS = ("step", "household_id", "p2p_buy_amount", "p2p_sell_amount", "p2p_trades")

Flows = dict[tuple[str, int, str], float]  # kWh by (bought | sold | from <seller>, step, household)


def verify_folder(
    folder: Path, anchors_file: Path | None = None, operator_public_key: str | None = None
) -> Verification:
    """Check all that a run's folder says about its trades.

    Args:
        folder: has ``ledger.jsonl`` and ``anchor.json``; ``summary.json`` and ``optimized_results.csv`` are checked
            where they are.
        anchors_file: anchors kept elsewhere, one of which at least must be of this ledger.
        operator_public_key: hex, where it is known.

    Raises:
        DataError: the folder has no ledger, or a file cannot be read.
    """
    try:
        stored = read_export(folder / LEDGER_FILE)
    except LedgerError as error:
        head = BlockStatus(0, -1, 0, "", (str(error).removeprefix("block 0: "),))
        return Verification("", "", (head,))
    findings: list[Finding] = []
    anchors = []
    try:
        own = read_anchor(folder / ANCHOR_FILE)
        anchors.append(own)
        if own.blocks < len(stored.blocks):
            findings.append(Finding(max(own.blocks, 0), f"is not in {ANCHOR_FILE}, which knows {own.blocks} blocks"))
        if anchors_file is not None:
            others = read_anchors(anchors_file, stored.identity.ledger_id)
            anchors += others
            if not others:
                findings.append(Finding(None, f"{anchors_file}: has no anchor of ledger {stored.identity.ledger_id}"))
    except LedgerError as error:
        findings.append(Finding(None, str(error)))
    found = verify(stored, anchors, operator_public_key)
    findings += _summary(folder / SUMMARY_FILE, found.ledger_root)
    findings += _results(folder / RESULTS_FILE, stored)
    return with_findings(found, findings)


def _summary(path: Path, root: str) -> Iterator[Finding]:
    if not path.is_file():
        return
    try:
        summary = from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        yield Finding(None, f"{path.name}: cannot be read as JSON ({error})")
        return
    told = summary.get("ledger_root") if isinstance(summary, dict) else None
    if told != root:
        yield Finding(None, f"{path.name}: ledger_root is {told}, the ledger's root {root}")


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


def _told(path: Path) -> Flows:
    """What the results say.

    Raises:
        DataError: the file is no table of results.
    """
    try:
        table = pd.read_csv(
            path, usecols=list(_COLUMNS), dtype={"household_id": str, "p2p_trades": str}, keep_default_na=False
        )
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
