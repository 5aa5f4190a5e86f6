"""A ledger is changed behind the triggers by someone who owns the file; each change is found and named."""

from dataclasses import replace

import pytest
from nacl.signing import SigningKey

from energy_sim.errors import LedgerError
from energy_sim.trading.ledger.anchor import make_anchor
from energy_sim.trading.ledger.merkle import merkle_root
from energy_sim.trading.ledger.reading import read_ledger
from energy_sim.trading.ledger.records import (
    block_hash,
    decode_trade,
    encode_trade,
    entry_leaf,
    genesis_prev,
    name_hash,
    sign_block,
    sign_trade,
)
from energy_sim.trading.ledger.verify import verify
from tests.trading.ledger.books import LEDGER_ID, OPERATOR, behind_the_triggers, open_book, write_book

STRANGER = SigningKey(b"\x07" * 32)
ENTRY = "UPDATE ledger_entries SET {} WHERE height = 3 AND idx = 1"
BLOCK = "UPDATE ledger_blocks SET {} WHERE height = 3"
NAME = name_hash(LEDGER_ID)


@pytest.fixture(params=[True, False], ids=["signed", "unsigned"])
def book(tmp_path, request):
    """The folder, the ledger as it was written, and its anchor."""
    engine = open_book(tmp_path)
    stored = write_book(engine, request.param).read()
    engine.dispose()
    assert verify(stored, [make_anchor(stored)]).holds
    return tmp_path, stored, make_anchor(stored)


def found_after(book, *statements, anchored=True):
    folder, _, anchor = book
    behind_the_triggers(folder, *statements)
    engine = open_book(folder)
    try:
        return verify(read_ledger(engine, LEDGER_ID), [anchor] if anchored else [])
    finally:
        engine.dispose()


def bad_blocks(found):
    return {block.height for block in found.blocks if block.problems}


def all_problems(found, height):
    return " | ".join(next(block.problems for block in found.blocks if block.height == height))


def trade_of(book):
    return decode_trade(book[1].blocks[3].entries[1].record)


def test_an_edited_record(book):
    trade = replace(trade_of(book), energy_uwh=2_000_000_000, amount_ueur=400_000)
    found = found_after(book, (ENTRY.format("record = ?"), (encode_trade(trade),)))
    assert bad_blocks(found) == {3}
    assert found.first_bad.startswith("block 3: ")
    assert "Merkle root" in all_problems(found, 3)
    if book[1].identity.signed:
        assert "record 1: the seller's signature does not hold" in all_problems(found, 3)
        assert "record 1: the buyer's signature does not hold" in all_problems(found, 3)


def test_an_amount_that_is_not_energy_times_price(book):
    trade = replace(trade_of(book), amount_ueur=1)
    found = found_after(book, (ENTRY.format("record = ?"), (encode_trade(trade),)))
    assert found.first_bad == "block 3: record 1: amount 1 micro-EUR is not energy times price"


def test_a_record_that_is_none(book):
    found = found_after(book, (ENTRY.format("record = ?"), (b"nothing",)))
    assert found.first_bad == "block 3: record 1: 7 bytes are not a trade of version 1"


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_deleted_record(book, index):
    found = found_after(book, ("DELETE FROM ledger_entries WHERE height = 3 AND idx = ?", (index,)))
    assert bad_blocks(found) == {3}
    assert "has 2 records and counts 3" in all_problems(found, 3)


def test_all_records_of_a_block_deleted(book):
    found = found_after(book, ("DELETE FROM ledger_entries WHERE height = 3", ()))
    assert bad_blocks(found) == {3}
    assert "has 0 records and counts 3" in all_problems(found, 3)


def test_a_deleted_block_in_the_middle(book):
    found = found_after(book, ("DELETE FROM ledger_blocks WHERE height = 3", ()), anchored=False)
    assert found.first_bad == "block 3: record 0 has no block"
    assert "is missing" in all_problems(found, 3)
    assert bad_blocks(found) == {3}


def test_deleted_blocks_in_the_middle_with_their_records(book):
    gone = [(f"DELETE FROM {table} WHERE height IN (3, 4)", ()) for table in ("ledger_blocks", "ledger_entries")]
    found = found_after(book, *gone, anchored=False)
    assert found.first_bad == "block 3: is missing, like all to 4"


def test_dropped_newest_blocks_are_found_against_the_anchor_only(book):
    gone = [(f"DELETE FROM {table} WHERE height > 4", ()) for table in ("ledger_blocks", "ledger_entries")]
    assert found_after(book, *gone, anchored=False).holds
    found = verify(replace(book[1], blocks=book[1].blocks[:5]), [book[2]])
    assert found.first_bad == "block 5: is missing; an anchor knows 7 blocks"


def test_a_block_0_that_is_gone(book):
    found = found_after(book, ("DELETE FROM ledger_blocks WHERE height = 0", ()), anchored=False)
    assert found.first_bad == "block 0: is missing"
    everything = [(f"DELETE FROM {table}", ()) for table in ("ledger_blocks", "ledger_entries")]
    found = found_after(book, *everything, anchored=False)
    assert found.first_bad == "block 0: is missing"


def test_reordered_records(book):
    swap = "UPDATE ledger_entries SET idx = ? WHERE height = 3 AND idx = ?"
    found = found_after(book, (swap, (99, 0)), (swap, (0, 1)), (swap, (1, 99)))
    assert bad_blocks(found) == {3}
    assert found.first_bad == "block 3: record 0: belongs to block 3, place 1, step 5"


def test_swapped_blocks(book):
    swaps = [
        (f"UPDATE {table} SET height = ? WHERE height = ?", pair)
        for table in ("ledger_blocks", "ledger_entries")
        for pair in ((99, 3), (3, 4), (4, 99))
    ]
    found = found_after(book, *swaps)
    assert found.first_bad == "block 3: does not follow from the hash of block 2"
    assert {3, 4} <= bad_blocks(found)
    assert "its hash is not that of its height" in all_problems(found, 3)


@pytest.mark.parametrize("party", ["seller", "buyer"])
def test_a_stripped_or_forged_signature(book, party):
    _, stored, _ = book
    if not stored.identity.signed:
        found = found_after(book, (ENTRY.format(f"{party}_signature = ?"), (bytes(64),)))
        assert found.first_bad == f"block 3: record 1: a {party}'s signature in a ledger that is not signed"
        return
    strip = ENTRY.format(f"{party}_signature = ?")
    assert found_after(book, (strip, (b"",))).first_bad == f"block 3: record 1: the {party}'s signature is missing"
    forged = sign_trade(STRANGER, NAME, stored.blocks[3].entries[1].record)
    found = found_after(book, (strip, (forged,)))
    assert found.first_bad == f"block 3: record 1: the {party}'s signature does not hold"
    assert bad_blocks(found) == {3}


def test_signatures_of_both_parties_swapped(book):
    if not book[1].identity.signed:
        pytest.skip("there are no signatures to swap")
    swap = ENTRY.format("seller_signature = buyer_signature, buyer_signature = seller_signature")
    found = found_after(book, (swap, ()))
    assert found.first_bad == "block 3: record 1: the seller's signature does not hold"


def test_a_changed_member(book):
    key = bytes(STRANGER.verify_key)
    found = found_after(book, ("UPDATE ledger_members SET public_key = ? WHERE idx = 1", (key,)))
    assert found.first_bad.startswith("block 0: ")
    assert "not that of the members and their keys" in all_problems(found, 0)
    if book[1].identity.signed:  # B buys in every block
        assert bad_blocks(found) == {0, 1, 2, 3, 4, 5, 6}
    found = found_after(book, ("UPDATE ledger_members SET household = 'E' WHERE idx = 2", ()))
    assert found.first_bad.startswith("block 0: ")
    found = found_after(book, ("DELETE FROM ledger_members WHERE idx = 1", ()))
    assert found.first_bad.startswith("block 0: member 2 stands in place 1")


def test_a_changed_salt(book):
    found = found_after(book, (ENTRY.format("salt = ?"), (bytes(16),)))
    assert found.first_bad == "block 3: its Merkle root is not that of its records, salts and signatures"
    assert bad_blocks(found) == {3}
    found = found_after(book, (ENTRY.format("salt = ?"), (b"",)))
    assert found.first_bad == "block 3: record 1: its salt has 0 bytes, not 16"


def test_a_block_signed_by_another_operator(book):
    signature = sign_block(STRANGER, book[1].blocks[3].hash)
    found = found_after(book, (BLOCK.format("signature = ?"), (signature,)))
    assert found.first_bad == "block 3: the operator's signature does not hold"
    assert bad_blocks(found) == {3}


def test_an_inserted_and_a_duplicated_record(book):
    copy = "INSERT INTO ledger_entries SELECT ledger, height, 3, record, salt, seller_signature, buyer_signature "
    found = found_after(book, (copy + "FROM ledger_entries WHERE height = 3 AND idx = 1", ()))
    assert found.first_bad == "block 3: record 3: belongs to block 3, place 1, step 5"
    assert "has 4 records and counts 3" in all_problems(found, 3)


def test_a_record_moved_to_another_step(book):
    move = "UPDATE ledger_entries SET height = 4, idx = 3 WHERE height = 3 AND idx = 2"
    found = found_after(book, (move, ()))
    assert bad_blocks(found) == {3, 4}
    assert "record 3: belongs to block 3, place 2, step 5" in all_problems(found, 4)


@pytest.mark.parametrize("change", ["time_ns = 5", "step = 6", "count = 2", "prev = x'00'", "merkle_root = x'00'"])
def test_a_changed_header(book, change):
    found = found_after(book, (BLOCK.format(change), ()))
    assert bad_blocks(found) == {3}
    assert "its hash is not that of its height, step, time, count" in all_problems(found, 3)


def test_a_changed_hash_breaks_the_next_block_too(book):
    found = found_after(book, (BLOCK.format("hash = ?"), (bytes(32),)), anchored=False)
    assert bad_blocks(found) == {3, 4}
    assert found.first_bad.startswith("block 3: its hash is not that of its height, step, time, count")
    assert "does not follow from the hash of block 3" in all_problems(found, 4)


def test_a_ledger_that_claims_to_be_of_the_other_kind(book):
    found = found_after(book, ("UPDATE ledgers SET signed = NOT signed", ()))
    assert found.first_bad.startswith("block 0: does not follow from the ledger's name, operator and kind")


def test_text_where_bytes_or_numbers_belong(book):
    with pytest.raises(LedgerError, match=r"block 3: ledger_entries.record holds str, not bytes"):
        found_after(book, (ENTRY.format("record = ?"), ("text",)))
    with pytest.raises(LedgerError, match=r"block 3: ledger_blocks.step holds str, not int"):
        found_after(book, (ENTRY.format("record = ?"), (b"",)), (BLOCK.format("step = 'five'"), ()))


def rewritten(stored, operator, energy_uwh):
    """All blocks anew, as an operator could: one trade changed, hashes and signatures of blocks made again."""
    identity = replace(stored.identity, operator_key=bytes(operator.verify_key))
    blocks, prev = [], genesis_prev(identity)
    for block in stored.blocks:
        entries = list(block.entries)
        if block.height == 3:
            trade = replace(decode_trade(entries[1].record), energy_uwh=energy_uwh, amount_ueur=energy_uwh // 5000)
            entries[1] = replace(entries[1], record=encode_trade(trade))
        root = merkle_root([entry_leaf(entry) for entry in entries]) if entries else block.merkle_root
        new = replace(block, prev=prev, merkle_root=root, entries=tuple(entries))
        hash_ = block_hash(NAME, new)
        blocks.append(replace(new, hash=hash_, signature=sign_block(operator, hash_)))
        prev = hash_
    return replace(stored, identity=identity, blocks=tuple(blocks))


def test_an_operator_who_writes_everything_anew_cannot_sign_for_the_households(book):
    _, stored, anchor = book
    unchanged = rewritten(stored, OPERATOR, 500_000_000)
    assert verify(unchanged, [anchor]).holds  # the rewriting itself is sound
    forged = rewritten(stored, OPERATOR, 900_000_000)
    if stored.identity.signed:
        assert verify(forged).first_bad == "block 3: record 1: the seller's signature does not hold"
        assert bad_blocks(verify(forged)) == {3}
    else:
        assert verify(forged).holds  # an unsigned ledger needs its anchor
        assert verify(forged, [anchor]).first_bad == f"block 6: is not the head {anchor.head} that an anchor knows"


def test_another_operator_who_writes_everything_anew_is_known_by_the_key(book):
    _, stored, anchor = book
    forged = rewritten(stored, STRANGER, 500_000_000)
    assert verify(forged).holds
    assert verify(forged, [anchor]).first_bad.startswith("block 0: names operator key")
    assert verify(forged, [], bytes(OPERATOR.verify_key).hex()).first_bad.startswith("block 0: names operator key")
    assert verify(stored, [], bytes(OPERATOR.verify_key).hex().upper()).holds


def test_an_anchor_of_fewer_blocks_holds_for_a_ledger_that_has_grown(book):
    _, stored, _ = book
    early = make_anchor(replace(stored, blocks=stored.blocks[:4]))
    assert verify(stored, [early]).holds
    wrong = replace(early, ledger_root="00" * 32)
    assert verify(stored, [wrong]).first_bad.startswith("block 3: does not lead to the root")
    assert verify(stored, [replace(early, ledger_id="other")]).first_bad.startswith("block 0: names ledger")
