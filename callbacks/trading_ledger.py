"""The ledger of a run on the page: what verification finds, its blocks, and the proof of one trade."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from dash import html

from callbacks.services import Services
from energy_sim.errors import DataError, LedgerError
from energy_sim.trading.ledger.export import LEDGER_FILE, read_export
from energy_sim.trading.ledger.folder import verify_folder
from energy_sim.trading.ledger.proof import proof, proof_to_json, verify_proof
from energy_sim.trading.ledger.records import UEUR_PER_EUR, UWH_PER_KWH, StoredLedger, decode_trade
from energy_sim.trading.ledger.verify import Verification
from energy_sim.trading.playback import RecordedTrading
from layouts.components import table
from layouts.trading_results import ledger_pane, long_table

MOST_BLOCKS = 400  # rows of the table of blocks


def pane(services: Services, run: RecordedTrading) -> list[Any]:
    """The tab as it opens: nothing is verified before somebody asks."""
    path = _path(services, run.name)
    if not path.is_file():
        if not run.summary.get("ledger_root"):
            return ledger_pane([], [], has_ledger=False)
        gone = f"▲ The summary names the root of a ledger, but {LEDGER_FILE} is gone."
        return ledger_pane([html.P(gone, className="kf-warning")], [], has_ledger=True)
    said = [html.P(f"{run.summary.get('ledger_blocks', '?')} blocks; press the button to check every one of them.")]
    try:
        blocks = [
            {"label": f"Block {block.height} · step {block.step} · {block.count} trades", "value": block.height}
            for block in _stored(path, path.stat().st_mtime_ns).blocks[1:]
        ]
    except (LedgerError, DataError) as error:
        return ledger_pane([html.P(f"▲ {error}", className="kf-warning")], [], has_ledger=True)
    return ledger_pane(said, blocks, has_ledger=True)


def verdict(services: Services, session: str) -> list[Any]:
    """What verification finds, block by block."""
    run = services.sessions.live(session)
    config = services.config.trading
    anchors = services.config.path(config.anchors)
    found = verify_folder(_path(services, run.name).parent, anchors if anchors.is_file() else None)  # type: ignore[attr-defined]
    return [_headline(found), _blocks(found)]


def trade_choices(services: Services, session: str, height: int | None) -> list[dict[str, Any]]:
    """The trades of a block as options of a drop-down.

    Raises:
        DataError: the run has no ledger, or the ledger no such block.
    """
    if height is None:
        return []
    stored = _of_session(services, session)
    names, entries = stored.identity.households, _entries(stored, height)
    found = []
    for i, entry in enumerate(entries):
        trade = decode_trade(entry.record)
        text = f"{names[trade.seller]} → {names[trade.buyer]}: {trade.energy_uwh / UWH_PER_KWH:,.3f} kWh"
        found.append({"label": text, "value": i})
    return found


def proof_of(services: Services, session: str, height: int | None, index: int | None) -> Any:
    """The way from a trade's record to the ledger's root, each step computed anew.

    Raises:
        DataError: the run has no ledger, or the ledger no such trade.
    """
    if height is None or index is None:
        return html.P("Choose a block and a trade.", className="kf-empty")
    stored = _of_session(services, session)
    if not isinstance(index, int) or not 0 <= index < len(_entries(stored, height)):
        raise DataError(f"trade {str(index)[:20]}: block {height} has none of that number; choose one of the list")
    shown = proof(stored, height, index)
    problems = verify_proof(shown)
    trade = decode_trade(shown.record)
    names = stored.identity.households
    written = proof_to_json(shown)
    facts = [
        ["Trade", f"step {trade.step}: {names[trade.seller]} sells to {names[trade.buyer]}"],
        ["Energy", f"{trade.energy_uwh / UWH_PER_KWH:,.6f} kWh"],
        ["Price", f"{100 * trade.price_ueur_per_kwh / UEUR_PER_EUR:,.3f} ct/kWh"],
        ["Amount", f"{trade.amount_ueur / UEUR_PER_EUR:,.6f} EUR, fee {trade.fee_ueur / UEUR_PER_EUR:,.6f} EUR"],
        ["Record", shown.record.hex()],
        ["Leaf", written["leaf"]],
        *[[f"Neighbour {i + 1} in the block", sibling] for i, sibling in enumerate(written["path"])],
        ["Merkle root of the block", written["merkle_root"]],
        [f"Hash of block {shown.height}", written["hash"]],
        *[[f"Neighbour {i + 1} among blocks", sibling] for i, sibling in enumerate(written["block_path"])],
        ["Root of the ledger", written["ledger_root"]],
        ["Signed by", ", ".join(_signers(shown.seller_signature, shown.buyer_signature))],
    ]
    said = (
        "✓ The trade is in the ledger: every hash and signature holds." if not problems else "▲ " + "; ".join(problems)
    )
    return [
        html.P(said, className="kf-warning" if problems else "kf-good"),
        html.Div(
            table(["", "Value"], facts, "From the record to the root; SHA-256 and Ed25519", numeric_from=9),
            className="kf-scroll kf-hashes",
            tabIndex="0",
        ),
    ]


def _signers(seller: bytes, buyer: bytes) -> list[str]:
    named = [name for name, signature in (("seller", seller), ("buyer", buyer)) if signature]
    return [*named, "operator (block)"]


def _headline(found: Verification) -> Any:
    if found.holds:
        text = f"✓ {len(found.blocks):,} blocks with {found.trades:,} trades hold. Root {found.ledger_root}"
        return html.P(text, className="kf-good")
    return html.P(f"▲ {found.first_bad}", className="kf-warning")


def _blocks(found: Verification) -> Any:
    bad = [block for block in found.blocks if block.problems]
    shown = sorted({*found.blocks[:MOST_BLOCKS], *bad[:MOST_BLOCKS]}, key=lambda block: block.height)
    rows = [
        [
            f"{block.height}",
            "" if block.step < 0 else f"{block.step}",
            "✓ holds" if not block.problems else "▲ " + "; ".join(block.problems),
            f"{block.trades:,}",
            block.hash[:16],
        ]
        for block in shown
    ]
    caption = f"{len(shown):,} of {len(found.blocks):,} blocks"
    heads = ("Block", "Step", "Status", "Trades", "Hash, first 16 digits")
    return long_table([(head, None) for head in heads], rows, caption)


def _path(services: Services, name: str) -> Path:
    return services.runs.path(name) / LEDGER_FILE


def _entries(stored: StoredLedger, height: Any) -> Any:
    """The trades of a block that the browser names."""
    found = next((block for block in stored.blocks if isinstance(height, int) and block.height == height), None)
    if found is None:
        raise DataError(f"block {str(height)[:20]}: the ledger has none of that number; choose one of the list")
    return found.entries


def _of_session(services: Services, session: str) -> StoredLedger:
    path = _path(services, services.sessions.live(session).name)  # type: ignore[attr-defined]
    if not path.is_file():
        raise DataError(f"run {path.parent.name}: has no ledger any more; open the page anew")
    return _stored(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _stored(path: Path, _written_ns: int) -> StoredLedger:
    """The ledger of a run, read once while its file stays as it is."""
    return read_export(path)
