"""Whether a ledger holds: every block by itself, the chain of blocks, and the chain against anchors.

    found = verify(read_export(folder / "ledger.jsonl"), anchors=[anchor])
    found.first_bad                                                         # "" or "block 12: record 3: ..."

All blocks are checked, also after the first bad one; a block's problems are its own, so a changed block does not make
all later ones bad.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from energy_sim.errors import LedgerError
from energy_sim.trading.ledger.merkle import merkle_root
from energy_sim.trading.ledger.records import (
    GENESIS_STEP,
    KEY_BYTES,
    SALT_BYTES,
    Anchor,
    Block,
    Entry,
    Identity,
    StoredLedger,
    block_hash,
    block_is_signed,
    decode_trade,
    entry_leaf,
    genesis_prev,
    ledger_root,
    member_leaf,
    name_hash,
    rounded_product,
    trade_is_signed,
)


class Finding(NamedTuple):
    """A problem and the block it is about; None where it is about no block."""

    height: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class BlockStatus:
    """What is known of one block; a missing block has no step and no hash."""

    height: int
    step: int
    trades: int
    hash: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """The result: status by block in the order of their heights, and problems that are about no block."""

    ledger_id: str
    ledger_root: str
    blocks: tuple[BlockStatus, ...]
    problems: tuple[str, ...] = ()

    @property
    def trades(self) -> int:
        """Trades in all blocks."""
        return sum(block.trades for block in self.blocks)

    @property
    def first_bad(self) -> str:
        """What is wrong first, one line that names the block; empty for a ledger that holds."""
        bad = [f"block {block.height}: {problem}" for block in self.blocks for problem in block.problems]
        return (bad + list(self.problems) or [""])[0]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.first_bad


def verify(
    stored: StoredLedger, anchors: Iterable[Anchor] = (), operator_public_key: str | None = None
) -> Verification:
    """Check everything there is.

    Args:
        stored: as read from the database or a file.
        anchors: kept elsewhere; blocks after those an anchor knows are checked without it.
        operator_public_key: hex; when not given, the key that the ledger names, which anchors must name too.
    """
    identity = stored.identity
    hashes = [block.hash for block in stored.blocks]
    statuses = tuple(_statuses(stored))
    found = Verification(identity.ledger_id, ledger_root(hashes).hex(), statuses)
    findings = [Finding(*fault) for fault in stored.faults]
    if operator_public_key is not None and operator_public_key.lower() != identity.operator_key.hex():
        findings.append(Finding(0, f"names operator key {identity.operator_key.hex()}, not {operator_public_key}"))
    for anchor in anchors:
        findings += _against(anchor, identity, hashes)
    return with_findings(found, findings)


def with_findings(found: Verification, findings: Sequence[Finding]) -> Verification:
    """The verification with further problems, each before what else is wrong with its block."""
    blocks: dict[int, BlockStatus] = {}
    for block in found.blocks:  # a block that stands in two places has one status
        before = blocks[block.height].problems if block.height in blocks else ()
        blocks[block.height] = replace(block, problems=(*before, *block.problems))
    for height, problem in reversed([(f.height, f.problem) for f in findings if f.height is not None]):
        block = blocks.get(height, BlockStatus(height, GENESIS_STEP, 0, "", ()))
        blocks[height] = replace(block, problems=(problem, *block.problems))
    others = tuple(finding.problem for finding in findings if finding.height is None)
    kept = tuple(blocks[height] for height in sorted(blocks))
    return replace(found, blocks=kept, problems=found.problems + others)


def _against(anchor: Anchor, identity: Identity, hashes: Sequence[bytes]) -> Iterator[Finding]:
    if anchor.ledger_id != identity.ledger_id:
        yield Finding(0, f"names ledger {identity.ledger_id!r}, the anchor {anchor.ledger_id!r}")
    if anchor.operator_public_key != identity.operator_key.hex():
        yield Finding(0, f"names operator key {identity.operator_key.hex()}, the anchor {anchor.operator_public_key}")
    if anchor.blocks > len(hashes):
        yield Finding(len(hashes), f"is missing; an anchor knows {anchor.blocks} blocks")
    elif anchor.blocks < 1 or hashes[anchor.blocks - 1].hex() != anchor.head:
        yield Finding(max(anchor.blocks - 1, 0), f"is not the head {anchor.head} that an anchor knows")
    elif ledger_root(hashes[: anchor.blocks]).hex() != anchor.ledger_root:
        yield Finding(anchor.blocks - 1, f"does not lead to the root {anchor.ledger_root} that an anchor knows")


def _statuses(stored: StoredLedger) -> Iterator[BlockStatus]:
    identity = stored.identity
    name, prev = name_hash(identity.ledger_id), genesis_prev(identity)
    expected, last_step = 0, GENESIS_STEP - 1
    for block in stored.blocks:
        problems = []
        if block.height > expected:
            several = f", like all to {block.height - 1}" if block.height - 1 > expected else ""
            yield BlockStatus(expected, GENESIS_STEP, 0, "", (f"is missing{several}",))
        elif block.height < expected:
            problems.append(f"stands after block {expected - 1}")
        elif block.prev != prev:
            before = f"the hash of block {expected - 1}" if expected else "the ledger's name, operator and kind"
            problems.append(f"does not follow from {before}")
        if block.step <= last_step:
            problems.append(f"step {block.step} is not after step {last_step}")
        problems += _members(block, identity) if block.height == 0 else _records(block, identity, name)
        problems += _seal(block, identity, name)
        trades = 0 if block.height == 0 else len(block.entries)
        yield BlockStatus(block.height, block.step, trades, block.hash.hex(), tuple(problems))
        expected, prev, last_step = max(expected, block.height + 1), block.hash, block.step
    if not stored.blocks:
        yield BlockStatus(0, GENESIS_STEP, 0, "", ("is missing",))


def _members(block: Block, identity: Identity) -> Iterator[str]:
    length = KEY_BYTES if identity.signed else 0
    for household, key in zip(identity.households, identity.member_keys, strict=True):
        if len(key) != length:
            yield f"the key of member {household} has {len(key)} bytes, not {length}"
    if block.count != len(identity.households) or block.entries or block.step != GENESIS_STEP:
        yield f"counts {block.count} members at step {block.step}, there are {len(identity.households)} and no records"
    members = zip(identity.households, identity.member_keys, strict=True)
    if merkle_root([member_leaf(i, *member) for i, member in enumerate(members)]) != block.merkle_root:
        yield "its Merkle root is not that of the members and their keys"


def _records(block: Block, identity: Identity, name: bytes) -> Iterator[str]:
    for index, entry in enumerate(block.entries):
        for problem in _record(entry, index, block, identity, name):
            yield f"record {index}: {problem}"
    if block.count != len(block.entries) or not block.entries:
        yield f"has {len(block.entries)} records and counts {block.count}"
    if merkle_root([entry_leaf(entry) for entry in block.entries]) != block.merkle_root:
        yield "its Merkle root is not that of its records, salts and signatures"


def _record(entry: Entry, index: int, block: Block, identity: Identity, name: bytes) -> Iterator[str]:
    try:
        trade = decode_trade(entry.record)
    except LedgerError as error:
        yield str(error)
        return
    if (trade.height, trade.index, trade.step) != (block.height, index, block.step):
        yield f"belongs to block {trade.height}, place {trade.index}, step {trade.step}"
    if trade.energy_uwh < 1 or trade.fee_ueur < 0:
        yield f"energy {trade.energy_uwh} or fee {trade.fee_ueur} is below its limit"
    if trade.amount_ueur != rounded_product(trade.energy_uwh, trade.price_ueur_per_kwh):
        yield f"amount {trade.amount_ueur} micro-EUR is not energy times price"
    if len(entry.salt) != SALT_BYTES:
        yield f"its salt has {len(entry.salt)} bytes, not {SALT_BYTES}"
    if trade.seller == trade.buyer or not all(0 <= m < len(identity.households) for m in (trade.seller, trade.buyer)):
        yield f"seller {trade.seller} and buyer {trade.buyer} are not two of {len(identity.households)} members"
        return
    yield from _signatures(entry, (trade.seller, trade.buyer), identity, name)


def _signatures(entry: Entry, parties: tuple[int, int], identity: Identity, name: bytes) -> Iterator[str]:
    kept = entry.seller_signature, entry.buyer_signature
    for party, member, signature in zip(("seller", "buyer"), parties, kept, strict=True):
        if not identity.signed:
            if signature:
                yield f"a {party}'s signature in a ledger that is not signed"
        elif not signature:
            yield f"the {party}'s signature is missing"
        elif not trade_is_signed(identity.member_keys[member], name, entry.record, signature):
            yield f"the {party}'s signature does not hold"


def _seal(block: Block, identity: Identity, name: bytes) -> Iterator[str]:
    try:
        hash_ = block_hash(name, block)
    except LedgerError as error:
        yield str(error)
        return
    if hash_ != block.hash:
        yield "its hash is not that of its height, step, time, count, previous hash and Merkle root"
    if not block_is_signed(identity.operator_key, block.hash, block.signature):
        yield "the operator's signature does not hold"
