from dataclasses import replace

import pytest
from nacl.signing import SigningKey

from energy_sim.errors import LedgerError
from energy_sim.trading.ledger.records import (
    Block,
    Identity,
    Trade,
    block_hash,
    block_is_signed,
    decode_trade,
    encode_trade,
    genesis_prev,
    name_hash,
    rounded_product,
    sign_block,
    sign_trade,
    trade_is_signed,
)

TRADE = Trade(3, 1, 12, 0, 2, 1_500_000_000, 200_000, 300_000, 15_000)
KEY = SigningKey(bytes(32))
PUBLIC = bytes(KEY.verify_key)


def test_a_record_is_eighty_bytes_kind_version_and_nine_big_endian_numbers():
    record = encode_trade(TRADE)
    numbers = ("03", "01", "0c", "00", "02", "59682f00", "030d40", "0493e0", "3a98")
    assert record.hex() == "4b46545241444501" + "".join(number.zfill(16) for number in numbers)  # KFTRADE, version 1
    assert decode_trade(record) == TRADE
    assert decode_trade(encode_trade(replace(TRADE, price_ueur_per_kwh=-5))).price_ueur_per_kwh == -5


def test_what_is_no_record_is_refused():
    record = encode_trade(TRADE)
    for wrong in (b"", record[:-1], record + b"\0", b"KFTRADE\x02" + record[8:]):
        with pytest.raises(LedgerError, match="not a trade of version 1"):
            decode_trade(wrong)
    with pytest.raises(LedgerError, match="64 bits"):
        encode_trade(replace(TRADE, energy_uwh=2**63))


def test_amounts_are_rounded_to_the_nearest_micro_euro_half_up():
    assert rounded_product(1_000_000_000, 200_000) == 200_000  # 1 kWh at 0.20 EUR
    assert rounded_product(500_000_000, 1) == 1  # half a micro-EUR
    assert rounded_product(499_999_999, 1) == 0
    assert rounded_product(1_000_000_000, -7) == -7


def test_a_trade_signed_for_one_ledger_is_not_signed_for_another_nor_as_a_block():
    record, one, two = encode_trade(TRADE), name_hash("one"), name_hash("two")
    signature = sign_trade(KEY, one, record)
    assert trade_is_signed(PUBLIC, one, record, signature)
    assert not trade_is_signed(PUBLIC, two, record, signature)
    assert not trade_is_signed(PUBLIC, one, encode_trade(replace(TRADE, step=13)), signature)
    assert not trade_is_signed(bytes(SigningKey(b"\1" * 32).verify_key), one, record, signature)
    assert not trade_is_signed(b"", one, record, signature)
    assert not block_is_signed(PUBLIC, one + record, signature)
    assert block_is_signed(PUBLIC, one, sign_block(KEY, one))
    assert not trade_is_signed(PUBLIC, b"", one, sign_block(KEY, one))


@pytest.mark.parametrize(
    "change",
    [{"height": 5}, {"step": 8}, {"time_ns": 1}, {"count": 3}, {"prev": b"\1" * 32}, {"merkle_root": b"\2" * 32}],
)
def test_every_part_of_a_header_is_in_the_hash_of_a_block(change):
    block = Block(4, 7, 0, 2, bytes(32), bytes(32), b"", b"")
    assert block_hash(name_hash("one"), block) != block_hash(name_hash("one"), replace(block, **change))
    assert block_hash(name_hash("one"), block) != block_hash(name_hash("two"), block)


def test_block_0_follows_from_name_operator_and_whether_trades_are_signed():
    identity = Identity("one", True, PUBLIC, ("A",), (PUBLIC,))
    others = [replace(identity, ledger_id="two"), replace(identity, signed=False)]
    others.append(replace(identity, operator_key=bytes(32)))
    assert len({genesis_prev(i) for i in (identity, *others)}) == 4
