"""The ledger in the database: writing blocks. Reading them back is ``reading``.

    ledger = Ledger.create(engine, "trading_20260131_120000_a1b2c3", households, operator_key)
    ledger.append(step=12, seller=[0], buyer=[1], kwh=[0.5], price_eur_per_kwh=0.2, fee_eur_per_kwh=0.01)

Members' signing keys are made with the ledger and live in the writing process only. A ledger therefore ends with the
process that writes it: it can be opened to read and to verify, never to go on; a run begun again has a new ledger.
"""

import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from nacl.signing import SigningKey
from numpy.typing import ArrayLike
from sqlalchemy import Connection, Engine, insert, select

from energy_sim.database import ledger_blocks, ledger_entries, ledger_members, ledgers, transaction
from energy_sim.errors import LedgerError
from energy_sim.trading.ledger.merkle import merkle_root
from energy_sim.trading.ledger.reading import read_ledger
from energy_sim.trading.ledger.records import (
    GENESIS_STEP,
    SALT_BYTES,
    UEUR_PER_EUR,
    UWH_PER_KWH,
    Block,
    Entry,
    Identity,
    StoredLedger,
    Trade,
    block_hash,
    encode_trade,
    entry_leaf,
    genesis_prev,
    ledger_root,
    member_leaf,
    name_hash,
    rounded_product,
    sign_block,
    sign_trade,
)

logger = logging.getLogger(__name__)

LONGEST_NAME = 128
PATIENCE_S = 120.0  # for another program that writes to the database: a run may have hours of work behind it


class Ledger:
    """A ledger being written by this process, or opened to be read."""

    def __init__(
        self,
        engine: Engine,
        identity: Identity,
        operator_key: SigningKey | None,
        member_keys: Sequence[SigningKey],
        clock_ns: Callable[[], int],
    ) -> None:
        """For `create` and `open`, which know what belongs together."""
        self.identity = identity
        self.hashes: list[bytes] = []  # of all blocks that are committed
        self._engine = engine
        self._operator_key = operator_key
        self._member_keys = member_keys
        self._clock_ns = clock_ns
        self._name = name_hash(identity.ledger_id)
        self._last_step = GENESIS_STEP

    @classmethod
    def create(
        cls,
        engine: Engine,
        ledger_id: str,
        households: Sequence[str],
        operator_key: SigningKey,
        signed: bool = True,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> "Ledger":
        """Begin a ledger: its members and block 0 are committed when this returns.

        Args:
            engine: from ``open_database``.
            ledger_id: name of the run.
            households: ids, in the order of their places.
            operator_key: signs every block.
            signed: whether both parties sign each trade.
            clock_ns: nanoseconds since the epoch.

        Raises:
            LedgerError: the name is empty or too long, taken, or two households have the same id.
            DataError: the database cannot be written.
        """
        if not 0 < len(ledger_id) <= LONGEST_NAME or "\x00" in ledger_id:
            raise LedgerError(f"ledger {ledger_id[:40]!r}: give a name of 1 to {LONGEST_NAME} characters")
        if not households or len(set(households)) != len(households):
            raise LedgerError(f"ledger {ledger_id}: {len(households)} members; give at least one, each id once")
        keys = [SigningKey.generate() for _ in households] if signed else []
        public = tuple(bytes(key.verify_key) for key in keys) if signed else (b"",) * len(households)
        identity = Identity(ledger_id, signed, bytes(operator_key.verify_key), tuple(households), public)
        ledger = cls(engine, identity, operator_key, keys, clock_ns)
        leaves = [member_leaf(i, *member) for i, member in enumerate(zip(households, public, strict=True))]
        draft = Block(0, GENESIS_STEP, clock_ns(), len(leaves), genesis_prev(identity), merkle_root(leaves), b"", b"")
        block = ledger._sealed(draft)
        with transaction(engine, write=True, wait_s=PATIENCE_S) as connection:
            if connection.execute(select(ledgers.c.id).where(ledgers.c.id == ledger_id)).first():
                raise LedgerError(f"ledger {ledger_id}: exists; a ledger is written once, give the run another name")
            _insert_identity(connection, identity)
            _insert_block(connection, ledger_id, block)
        ledger.hashes.append(block.hash)
        logger.info("ledger begun id=%s members=%d signed=%s", ledger_id, len(households), signed)
        return ledger

    @classmethod
    def open(cls, engine: Engine, ledger_id: str) -> "Ledger":
        """Open a ledger to read it; what it holds is not verified.

        Raises:
            DataError: there is none of that name, or the database cannot be read.
            LedgerError: a table holds what no ledger holds.
        """
        stored = read_ledger(engine, ledger_id)
        ledger = cls(engine, stored.identity, None, (), time.time_ns)
        ledger.hashes.extend(block.hash for block in stored.blocks)
        return ledger

    @property
    def head(self) -> str:
        """Hash of the newest block, hex."""
        return self.hashes[-1].hex()

    @property
    def root(self) -> str:
        """Merkle root over all block hashes, hex: the `ledger_root` of a run."""
        return ledger_root(self.hashes).hex()

    def read(self) -> StoredLedger:
        """Everything, from the database."""
        return read_ledger(self._engine, self.identity.ledger_id)

    def append(
        self,
        step: int,
        seller: ArrayLike,
        buyer: ArrayLike,
        kwh: ArrayLike,
        price_eur_per_kwh: ArrayLike,
        fee_eur_per_kwh: ArrayLike,
    ) -> str:
        """Write the trades of one step as a block; it is committed when this returns.

        Args:
            step: of the run, above that of the block before.
            seller: (K,) places of households.
            buyer: (K,) places of households.
            kwh: (K,) energy; what rounds to 0 at 1e-9 kWh is no trade.
            price_eur_per_kwh: (K,) or one number, what the seller gets.
            fee_eur_per_kwh: (K,) or one number, what the buyer pays on top.

        Returns:
            Hash of the newest block, hex; without trades the one before, and nothing is written.

        Raises:
            LedgerError: the ledger is open for reading only, or a trade or the step cannot be in it.
            DataError: the database cannot be written; the block is not acknowledged.
        """
        if self._operator_key is None:
            raise LedgerError(
                f"ledger {self.identity.ledger_id}: its signing keys ended with the process that wrote it;"
                " begin a new ledger"
            )
        if not self._last_step < step < 2**63:
            raise LedgerError(f"step {step}: is not above {self._last_step}, the last one; append steps in order")
        trades = self._trades(step, seller, buyer, kwh, price_eur_per_kwh, fee_eur_per_kwh)
        if not trades:
            return self.head
        entries = self._entries(trades)
        root = merkle_root([entry_leaf(entry) for entry in entries])
        draft = Block(len(self.hashes), step, self._clock_ns(), len(entries), self.hashes[-1], root, b"", b"", entries)
        block = self._sealed(draft)
        with transaction(self._engine, write=True, wait_s=PATIENCE_S) as connection:
            _insert_block(connection, self.identity.ledger_id, block)
        self.hashes.append(block.hash)
        self._last_step = step
        logger.debug("block committed height=%d step=%d trades=%d", block.height, step, block.count)
        return self.head

    def _trades(
        self, step: int, seller: ArrayLike, buyer: ArrayLike, kwh: ArrayLike, price: ArrayLike, fee: ArrayLike
    ) -> list[Trade]:
        arrays = np.broadcast_arrays(np.atleast_1d(np.asarray(kwh, float)), seller, buyer, price, fee)
        trades: list[Trade] = []
        places = set(range(len(self.identity.households)))
        for energy, sells, buys, paid, extra in zip(*(array.tolist() for array in arrays), strict=True):
            place = f"step {step}, trade of {sells} to {buys}"
            if not all(map(math.isfinite, (energy, paid, extra))) or energy < 0 or extra < 0:
                raise LedgerError(
                    f"{place}: {energy} kWh at {paid} EUR/kWh, fee {extra}; give finite numbers, energy and fee from 0"
                )
            if sells == buys or not {sells, buys} <= places:
                raise LedgerError(f"{place}: give the places of two of {len(places)} households")
            uwh = round(energy * UWH_PER_KWH)
            if uwh > 0:
                rate = round(paid * UEUR_PER_EUR)
                amounts = rounded_product(uwh, rate), rounded_product(uwh, round(extra * UEUR_PER_EUR))
                trades.append(Trade(len(self.hashes), len(trades), step, int(sells), int(buys), uwh, rate, *amounts))
        return trades

    def _entries(self, trades: Sequence[Trade]) -> tuple[Entry, ...]:
        salts, entries = secrets.token_bytes(SALT_BYTES * len(trades)), []
        for trade in trades:
            record, salt = encode_trade(trade), salts[SALT_BYTES * trade.index : SALT_BYTES * (trade.index + 1)]
            signatures = b"", b""
            if self.identity.signed:
                signatures = (
                    sign_trade(self._member_keys[trade.seller], self._name, record),
                    sign_trade(self._member_keys[trade.buyer], self._name, record),
                )
            entries.append(Entry(record, salt, *signatures))
        return tuple(entries)

    def _sealed(self, draft: Block) -> Block:
        """The block with its hash and the operator's signature."""
        assert self._operator_key is not None  # noqa: S101
        hash_ = block_hash(self._name, draft)
        return replace(draft, hash=hash_, signature=sign_block(self._operator_key, hash_))


def _insert_identity(connection: Connection, identity: Identity) -> None:
    row = {"id": identity.ledger_id, "signed": identity.signed, "operator_key": identity.operator_key}
    connection.execute(insert(ledgers), row)
    members = zip(identity.households, identity.member_keys, strict=True)
    rows = [
        {"ledger": identity.ledger_id, "idx": i, "household": name, "public_key": key}
        for i, (name, key) in enumerate(members)
    ]
    connection.execute(insert(ledger_members), rows)


def _insert_block(connection: Connection, ledger_id: str, block: Block) -> None:
    if block.entries:
        rows = [
            {
                "ledger": ledger_id,
                "height": block.height,
                "idx": index,
                "record": entry.record,
                "salt": entry.salt,
                "seller_signature": entry.seller_signature,
                "buyer_signature": entry.buyer_signature,
            }
            for index, entry in enumerate(block.entries)
        ]
        connection.execute(insert(ledger_entries), rows)
    row = {name: getattr(block, name) for name in ledger_blocks.c.keys() if name != "ledger"}  # noqa: SIM118
    connection.execute(insert(ledger_blocks), row | {"ledger": ledger_id})
