"""A ledger as a file: line 0 has the members and block 0, every further line one block; canonical JSON, hex.

There is one way only to write a ledger down, byte by byte: a line that is written differently is a fault even where
it means the same. With ``ledger.jsonl`` goes ``anchor.json``, which says where the file ends.
"""

import json
import logging
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from energy_sim.errors import DataError, LedgerError
from energy_sim.trading.ledger.anchor import ANCHOR_FILE, make_anchor, write_anchor
from energy_sim.trading.ledger.records import INT64_MAX, Anchor, Block, Entry, Identity, StoredLedger

logger = logging.getLogger(__name__)

LEDGER_FILE = "ledger.jsonl"
FORMAT = "kraftflyt ledger 1"


def export_ledger(stored: StoredLedger, folder: Path) -> Anchor:
    """Write ``ledger.jsonl`` and ``anchor.json`` into a run's folder.

    Raises:
        DataError: they cannot be written.
    """
    anchor = make_anchor(stored)
    lines = [_head_line(stored), *(_line(_block_json(block)) for block in stored.blocks[1:])]
    path = folder / LEDGER_FILE
    try:
        path.write_bytes(b"".join(lines))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
    write_anchor(folder / ANCHOR_FILE, anchor)
    logger.info("ledger exported path=%s blocks=%d root=%s", path, anchor.blocks, anchor.ledger_root)
    return anchor


def read_export(path: Path) -> StoredLedger:
    """Read a file back, unverified; faults of lines are told by the height of the block that belongs there.

    Raises:
        DataError: the file cannot be read.
        LedgerError: its line 0 is no beginning of a ledger, so nothing else can be told.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give the folder of a run with a ledger") from error
    *lines, rest = content.split(b"\n")
    faults = []
    if rest:
        faults.append((len(lines), "its line has no end"))
        lines.append(rest)
    try:
        head = _object(lines[0] if lines else b"")
        stored = _stored(head)
        if _head_line(stored) != lines[0] + b"\n":
            faults.append((0, "its line is not written in the one way there is"))
    except LedgerError as error:
        raise LedgerError(f"block 0: {error}") from error
    blocks = list(stored.blocks)
    for height, line in enumerate(lines[1:], 1):
        try:
            block = _block(_object(line))
        except LedgerError as error:
            faults.append((height, str(error)))
            continue
        if _line(_block_json(block)) != line + b"\n":
            faults.append((height, "its line is not written in the one way there is"))
        blocks.append(block)
    return StoredLedger(stored.identity, tuple(blocks), tuple(faults))


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _head_line(stored: StoredLedger) -> bytes:
    identity = stored.identity
    members = zip(identity.households, identity.member_keys, strict=True)
    return _line(
        {
            "format": FORMAT,
            "ledger_id": identity.ledger_id,
            "signed": identity.signed,
            "operator_public_key": identity.operator_key.hex(),
            "members": [{"household": household, "public_key": key.hex()} for household, key in members],
            "block": _block_json(stored.blocks[0]),
        }
    )


def _block_json(block: Block) -> dict[str, Any]:
    return {
        "height": block.height,
        "step": block.step,
        "time_ns": block.time_ns,
        "count": block.count,
        "prev": block.prev.hex(),
        "merkle_root": block.merkle_root.hex(),
        "hash": block.hash.hex(),
        "signature": block.signature.hex(),
        "entries": [
            {
                "record": entry.record.hex(),
                "salt": entry.salt.hex(),
                "seller_signature": entry.seller_signature.hex(),
                "buyer_signature": entry.buyer_signature.hex(),
            }
            for entry in block.entries
        ],
    }


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = from_json(line)  # bounds the depth by itself, whatever the interpreter's limit is
    except ValueError as error:
        raise LedgerError("its line is no JSON") from error
    if not isinstance(found, dict):
        raise LedgerError("its line is no JSON object")
    return found


def _stored(head: dict[str, Any]) -> StoredLedger:
    if head.get("format") != FORMAT:
        raise LedgerError(f"its line does not begin a {FORMAT}")
    members = [(_text(member, "household"), _bytes(member, "public_key")) for member in _objects(head, "members")]
    identity = Identity(
        _text(head, "ledger_id"),
        head.get("signed") is True,
        _bytes(head, "operator_public_key"),
        tuple(household for household, _ in members),
        tuple(key for _, key in members),
    )
    block = head.get("block")
    if not isinstance(block, dict):
        raise LedgerError("block is missing")
    return StoredLedger(identity, (_block(block),))


def _block(found: dict[str, Any]) -> Block:
    parts = ("record", "salt", "seller_signature", "buyer_signature")
    return Block(
        height=_whole(found, "height"),
        step=_whole(found, "step"),
        time_ns=_whole(found, "time_ns"),
        count=_whole(found, "count"),
        prev=_bytes(found, "prev"),
        merkle_root=_bytes(found, "merkle_root"),
        hash=_bytes(found, "hash"),
        signature=_bytes(found, "signature"),
        entries=tuple(Entry(*(_bytes(entry, part) for part in parts)) for entry in _objects(found, "entries")),
    )


def _whole(found: dict[str, Any], name: str) -> int:
    value = found.get(name)
    if type(value) is not int or abs(value) > INT64_MAX:
        raise LedgerError(f"{name} is no whole number of 64 bits")
    return value


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise LedgerError(f"{name} is no text")
    return value


def _bytes(found: dict[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(_text(found, name))
    except ValueError:
        raise LedgerError(f"{name} is not hex") from None


def _objects(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = found.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise LedgerError(f"{name} is no list of objects")
    return value
