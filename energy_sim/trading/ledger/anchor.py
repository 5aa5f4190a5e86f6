"""Anchors: five facts about a ledger, kept where the one who keeps the ledger cannot change them unseen.

``anchor.json`` lies beside an exported ledger and tells where it ends; that protects against loss, not against someone
who writes both. Against that one, anchors are appended to a file of another owner, or written to a chain (``evm``).
"""

import fcntl
import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from energy_sim.errors import DataError, LedgerError
from energy_sim.trading.ledger.records import Anchor, StoredLedger, ledger_root

logger = logging.getLogger(__name__)

ANCHOR_FILE = "anchor.json"
_KINDS = {"ledger_id": str, "blocks": int, "head": str, "ledger_root": str, "operator_public_key": str}


def make_anchor(stored: StoredLedger) -> Anchor:
    """The anchor of a ledger as it stands.

    Raises:
        LedgerError: it has no block.
    """
    hashes = [block.hash for block in stored.blocks]
    if not hashes:
        raise LedgerError(f"ledger {stored.identity.ledger_id}: block 0: is missing, nothing can be anchored")
    identity = stored.identity
    root = ledger_root(hashes).hex()
    return Anchor(identity.ledger_id, len(hashes), hashes[-1].hex(), root, identity.operator_key.hex())


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Write ``anchor.json``.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.write_text(json.dumps(asdict(anchor), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def read_anchor(path: Path) -> Anchor:
    """Read ``anchor.json``.

    Raises:
        DataError: it cannot be read.
        LedgerError: it is no anchor.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give the folder of a run with a ledger") from error
    return _anchor(content, str(path))


def append_anchor(path: Path, anchor: Anchor) -> None:
    """Append a line to a file of anchors, which is made when needed; it is on the disk when this returns.

    Raises:
        DataError: it cannot be written.
    """
    line = json.dumps(asdict(anchor), sort_keys=True, separators=(",", ":")) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"{path}: the anchor cannot be written ({error.strerror}); choose another file") from error
    logger.info("ledger anchored ledger=%s blocks=%d path=%s", anchor.ledger_id, anchor.blocks, path)


def check_anchors_file(path: Path) -> None:
    """Say before a run what `append_anchor` would say after it.

    Raises:
        DataError: the file of anchors cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError as error:
        raise DataError(f"{path}: anchors cannot be written ({error.strerror}); choose another file") from error


def read_anchors(path: Path, ledger_id: str) -> tuple[Anchor, ...]:
    """All anchors of one ledger in a file of anchors.

    Raises:
        DataError: the file cannot be read.
        LedgerError: a line is no anchor.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a file of anchors") from error
    anchors = [_anchor(line, f"{path} line {number}") for number, line in enumerate(lines, 1)]
    return tuple(anchor for anchor in anchors if anchor.ledger_id == ledger_id)


def _anchor(content: bytes, place: str) -> Anchor:
    try:
        found: Any = from_json(content)
    except ValueError as error:
        raise LedgerError(f"{place}: is no JSON; put back the file as it was written") from error
    if (
        not isinstance(found, dict)
        or found.keys() != _KINDS.keys()
        or any(type(found[name]) is not kind for name, kind in _KINDS.items())
    ):
        raise LedgerError(f"{place}: is no anchor; an anchor has {', '.join(_KINDS)}")
    return Anchor(**found)
