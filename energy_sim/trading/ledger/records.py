"""What is hashed and signed, byte by byte: trades, members, blocks.

Integers are signed 64-bit, big-endian. Energy is counted in 1e-9 kWh (micro-Wh), prices in micro-EUR/kWh and amounts
in micro-EUR, so that everybody computes the same amount. Every hash and signature starts with what it is for, so that
none can be used as another; all are bound to the ledger by the hash of its name.

Source: RFC 8032 (Ed25519, by libsodium); trees as in ``merkle``.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from energy_sim.errors import LedgerError
from energy_sim.trading.ledger.merkle import leaf_hash, merkle_root

UWH_PER_KWH = 1_000_000_000  # counts of energy in a kWh
UEUR_PER_EUR = 1_000_000
SALT_BYTES = 16
HASH_BYTES = 32
KEY_BYTES = 32
SIGNATURE_BYTES = 64
INT64_MAX = 2**63 - 1

_MAGIC = b"KFTRADE\x01"  # kind and version of a record
_RECORD = struct.Struct(">8s9q")
_HEADER = struct.Struct(">4q")
_SIGN_TRADE = b"kraftflyt ledger 1 trade\x00"
_SIGN_BLOCK = b"kraftflyt ledger 1 block\x00"
_HASH_BLOCK = b"kraftflyt ledger 1 header\x00"
_HASH_GENESIS = b"kraftflyt ledger 1 genesis\x00"
_HASH_NAME = b"kraftflyt ledger 1 name\x00"
GENESIS_STEP = -1


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade in whole counts; `seller` and `buyer` are places in the list of members."""

    height: int
    index: int  # place in the block
    step: int
    seller: int
    buyer: int
    energy_uwh: int  # 1e-9 kWh
    price_ueur_per_kwh: int
    amount_ueur: int  # from the buyer to the seller
    fee_ueur: int  # from the buyer, leaves the community


@dataclass(frozen=True, slots=True)
class Entry:
    """A trade as it is kept; signatures are empty in a ledger that is not signed."""

    record: bytes
    salt: bytes
    seller_signature: bytes
    buyer_signature: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it is kept; nothing in it is believed before `verify` has checked it."""

    height: int
    step: int
    time_ns: int  # since the epoch
    count: int  # entries; of block 0 members
    prev: bytes
    merkle_root: bytes
    hash: bytes
    signature: bytes
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """What block 0 commits to."""

    ledger_id: str
    signed: bool
    operator_key: bytes
    households: tuple[str, ...]
    member_keys: tuple[bytes, ...]  # empty bytes in a ledger that is not signed


@dataclass(frozen=True, slots=True)
class StoredLedger:
    """A ledger as it was read; `faults` are what reading alone found, by height."""

    identity: Identity
    blocks: tuple[Block, ...]
    faults: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is kept outside the ledger to notice that blocks were dropped or all of it written anew; hex."""

    ledger_id: str
    blocks: int  # with block 0
    head: str  # hash of the newest block
    ledger_root: str
    operator_public_key: str


def rounded_product(count: int, per_kwh: int) -> int:
    """Energy in 1e-9 kWh times micro-EUR/kWh, in micro-EUR, half a micro-EUR up.

    >>> rounded_product(1_500_000_000, 200_001)  # 1.5 kWh at 0.200001 EUR
    300002
    """
    return (count * per_kwh + UWH_PER_KWH // 2) // UWH_PER_KWH


def encode_trade(trade: Trade) -> bytes:
    """The 80 bytes that both parties sign.

    Raises:
        LedgerError: a number does not fit in 64 bits.
    """
    try:
        return _RECORD.pack(
            _MAGIC,
            trade.height,
            trade.index,
            trade.step,
            trade.seller,
            trade.buyer,
            trade.energy_uwh,
            trade.price_ueur_per_kwh,
            trade.amount_ueur,
            trade.fee_ueur,
        )
    except struct.error:
        raise LedgerError(f"{trade}: a number is beyond 64 bits; split the trade") from None


def decode_trade(record: bytes) -> Trade:
    """The trade of a record.

    Raises:
        LedgerError: it is not a record of this version.
    """
    if len(record) != _RECORD.size or not record.startswith(_MAGIC):
        raise LedgerError(f"{len(record)} bytes are not a trade of version 1")
    return Trade(*_RECORD.unpack(record)[1:])


def name_hash(ledger_id: str) -> bytes:
    """What binds hashes and signatures to one ledger."""
    return sha256(_HASH_NAME + ledger_id.encode("utf-8", "surrogatepass")).digest()


def entry_leaf(entry: Entry) -> bytes:
    """Leaf of a trade; the salt keeps others from guessing a trade from its hash."""
    return leaf_hash(entry.salt + entry.record + entry.seller_signature + entry.buyer_signature)


def member_leaf(index: int, household: str, key: bytes) -> bytes:
    """Leaf of a member in block 0."""
    name = household.encode("utf-8", "surrogatepass")
    return leaf_hash(struct.pack(">2q", index, len(name)) + name + key)


def genesis_prev(identity: Identity) -> bytes:
    """What stands for the hash before block 0: name, operator, and whether trades are signed."""
    signed = b"\x01" if identity.signed else b"\x00"
    return sha256(_HASH_GENESIS + name_hash(identity.ledger_id) + identity.operator_key + signed).digest()


def block_hash(name: bytes, block: Block) -> bytes:
    """Hash of a block's header.

    Args:
        name: of ``name_hash``.
        block: its `hash`, `signature` and `entries` do not count; the entries are in `merkle_root`.

    Raises:
        LedgerError: a number does not fit in 64 bits.
    """
    try:
        numbers = _HEADER.pack(block.height, block.count, block.step, block.time_ns)
    except struct.error:
        raise LedgerError("a number of the header is beyond 64 bits") from None
    return sha256(_HASH_BLOCK + name + numbers + block.prev + block.merkle_root).digest()


def ledger_root(hashes: Sequence[bytes]) -> bytes:
    """Merkle root over the hashes of all blocks, block 0 first: 32 bytes that stand for the whole ledger."""
    return merkle_root([leaf_hash(hash_) for hash_ in hashes])


def sign_trade(key: SigningKey, name: bytes, record: bytes) -> bytes:
    """A party's signature of a trade in one ledger."""
    return bytes(key.sign(_SIGN_TRADE + name + record).signature)


def sign_block(key: SigningKey, hash_: bytes) -> bytes:
    """The operator's signature of a block."""
    return bytes(key.sign(_SIGN_BLOCK + hash_).signature)


def trade_is_signed(key: bytes, name: bytes, record: bytes, signature: bytes) -> bool:
    """Whether a party's signature holds."""
    return _holds(key, _SIGN_TRADE + name + record, signature)


def block_is_signed(key: bytes, hash_: bytes, signature: bytes) -> bool:
    """Whether the operator's signature holds."""
    return _holds(key, _SIGN_BLOCK + hash_, signature)


def _holds(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        return False
    return True
