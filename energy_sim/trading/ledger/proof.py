"""The proof that one trade is in a ledger, without the other trades: from its leaf to the block, to the ledger's root.

shown = proof(stored, height=12, index=3)
verify_proof(shown, ledger_root=anchored_root)          # () where it holds, else what does not
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from energy_sim.errors import LedgerError
from energy_sim.trading.ledger.merkle import inclusion_path, leaf_hash, root_of_path
from energy_sim.trading.ledger.records import (
    UEUR_PER_EUR,
    UWH_PER_KWH,
    Block,
    Entry,
    StoredLedger,
    block_hash,
    block_is_signed,
    decode_trade,
    entry_leaf,
    ledger_root,
    name_hash,
    trade_is_signed,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proof:
    """Everything needed to compute the ledger's root from one trade."""

    ledger_id: str
    index: int  # of the trade in its block
    record: bytes
    salt: bytes
    seller_signature: bytes
    buyer_signature: bytes
    seller_key: bytes
    buyer_key: bytes
    path: tuple[bytes, ...]  # leaf to Merkle root of the block
    height: int
    step: int
    time_ns: int
    count: int
    prev: bytes
    merkle_root: bytes
    hash: bytes
    signature: bytes
    operator_key: bytes
    blocks: int
    block_path: tuple[bytes, ...]  # hash of the block to root of the ledger
    ledger_root: bytes


def proof(stored: StoredLedger, height: int, index: int) -> Proof:
    """The proof of trade `index` of block `height`.

    Raises:
        LedgerError: there is no such trade, or its record is none.
    """
    place = next((i for i, block in enumerate(stored.blocks) if block.height == height), None)
    if place is None or not 0 <= index < len(stored.blocks[place].entries):
        raise LedgerError(f"block {height}, trade {index}: there is none in ledger {stored.identity.ledger_id}")
    block, hashes, identity = stored.blocks[place], [b.hash for b in stored.blocks], stored.identity
    entry = block.entries[index]
    trade = decode_trade(entry.record)
    if not all(0 <= member < len(identity.member_keys) for member in (trade.seller, trade.buyer)):
        raise LedgerError(f"block {height}, trade {index}: names members that are none; verify the ledger")
    return Proof(
        ledger_id=identity.ledger_id,
        index=index,
        record=entry.record,
        salt=entry.salt,
        seller_signature=entry.seller_signature,
        buyer_signature=entry.buyer_signature,
        seller_key=identity.member_keys[trade.seller],
        buyer_key=identity.member_keys[trade.buyer],
        path=inclusion_path([entry_leaf(e) for e in block.entries], index),
        height=block.height,
        step=block.step,
        time_ns=block.time_ns,
        count=block.count,
        prev=block.prev,
        merkle_root=block.merkle_root,
        hash=block.hash,
        signature=block.signature,
        operator_key=identity.operator_key,
        blocks=len(hashes),
        block_path=inclusion_path([leaf_hash(hash_) for hash_ in hashes], place),
        ledger_root=ledger_root(hashes),
    )


def verify_proof(
    shown: Proof, ledger_root: str | None = None, operator_public_key: str | None = None
) -> tuple[str, ...]:
    """What does not hold, step by step; empty where the trade is in the ledger.

    How many blocks there are is known from an anchor: a path can fit several sizes of a tree.

    Args:
        shown: the proof.
        ledger_root: hex, from an anchor; without it only the proof's own root is reached.
        operator_public_key: hex, where it is known.
    """
    problems = [*_inclusion(shown), *_signatures(shown)]
    if ledger_root is not None and ledger_root.lower() != shown.ledger_root.hex():
        problems.append(f"ledger: the root is {shown.ledger_root.hex()}, not {ledger_root}")
    if operator_public_key is not None and operator_public_key.lower() != shown.operator_key.hex():
        problems.append(f"ledger: the operator's key is {shown.operator_key.hex()}, not {operator_public_key}")
    return tuple(problems)


def _inclusion(shown: Proof) -> Iterator[str]:
    try:
        trade = decode_trade(shown.record)
        if (trade.height, trade.index, trade.step) != (shown.height, shown.index, shown.step):
            yield f"record: belongs to block {trade.height}, place {trade.index}, step {trade.step}"
        if block_hash(name_hash(shown.ledger_id), _header(shown)) != shown.hash:
            yield "block: its hash is not that of its header"
    except LedgerError as error:
        yield f"record: {error}"
    if root_of_path(entry_leaf(_entry(shown)), shown.index, shown.count, shown.path) != shown.merkle_root:
        yield "leaf: its path does not lead to the block's Merkle root"
    if root_of_path(leaf_hash(shown.hash), shown.height, shown.blocks, shown.block_path) != shown.ledger_root:
        yield "block: its path does not lead to the ledger's root"


def _signatures(shown: Proof) -> Iterator[str]:
    if not block_is_signed(shown.operator_key, shown.hash, shown.signature):
        yield "block: the operator's signature does not hold"
    name = name_hash(shown.ledger_id)
    parties = (
        ("seller", shown.seller_key, shown.seller_signature),
        ("buyer", shown.buyer_key, shown.buyer_signature),
    )
    for party, key, signature in parties:
        if (key or signature) and not trade_is_signed(key, name, shown.record, signature):
            yield f"record: the {party}'s signature does not hold"


def _entry(shown: Proof) -> Entry:
    return Entry(shown.record, shown.salt, shown.seller_signature, shown.buyer_signature)


def _header(shown: Proof) -> Block:
    numbers = shown.height, shown.step, shown.time_ns, shown.count
    return Block(*numbers, shown.prev, shown.merkle_root, shown.hash, shown.signature)


def proof_to_json(shown: Proof) -> dict[str, Any]:
    """The proof for a page or a file: bytes as hex, and for people the leaf and the trade in words.

    `leaf` and `trade` follow from the rest; they are not read back.
    """
    found: dict[str, Any] = {}
    for field in fields(shown):
        value = getattr(shown, field.name)
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, tuple):
            value = [hash_.hex() for hash_ in value]
        found[field.name] = value
    trade = decode_trade(shown.record)
    found["leaf"] = entry_leaf(_entry(shown)).hex()
    found["trade"] = {
        "step": trade.step,
        "seller": trade.seller,
        "buyer": trade.buyer,
        "kwh": trade.energy_uwh / UWH_PER_KWH,
        "price_eur_per_kwh": trade.price_ueur_per_kwh / UEUR_PER_EUR,
        "amount_eur": trade.amount_ueur / UEUR_PER_EUR,
        "fee_eur": trade.fee_ueur / UEUR_PER_EUR,
    }
    return found


def proof_from_json(found: Mapping[str, Any]) -> Proof:
    """Read a proof back.

    Raises:
        LedgerError: a field is missing or of the wrong kind.
    """
    values: dict[str, Any] = {}
    for field in fields(Proof):
        value = found.get(field.name)
        try:
            if field.type in {int, str} and type(value) is field.type:
                values[field.name] = value
            elif field.type is bytes and isinstance(value, str):
                values[field.name] = bytes.fromhex(value)
            elif field.type == tuple[bytes, ...] and isinstance(value, list):
                values[field.name] = tuple(bytes.fromhex(hash_) for hash_ in value)
        except (TypeError, ValueError):
            logger.debug("proof not hex field=%s", field.name)
        if field.name not in values:
            raise LedgerError(f"{field.name}: cannot be read; give a proof as it was written")
    return Proof(**values)
