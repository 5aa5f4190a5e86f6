import json
import random
from dataclasses import asdict, replace

import pytest
import typer

from energy_sim.cli.options import Context
from energy_sim.cli.trading_ledger import anchor, verify_ledger
from energy_sim.config import load_config
from energy_sim.errors import DataError, LedgerError
from energy_sim.trading.ledger.anchor import append_anchor, make_anchor, read_anchors
from energy_sim.trading.ledger.export import export_ledger, read_export
from energy_sim.trading.ledger.folder import verify_folder
from energy_sim.trading.ledger.proof import proof, proof_from_json, proof_to_json, verify_proof
from energy_sim.trading.ledger.verify import verify
from tests.trading.ledger.books import LEDGER_ID, OPERATOR, STEPS, open_book, write_book

HEAD = "step,household_id,p2p_trades,p2p_buy_amount,p2p_sell_amount,wallet"


def results():
    """The trades of the book as the results of a run have them; steps 0 to 11, most without trades."""
    lines = [HEAD]
    for step in range(12):
        traded = step in STEPS
        rows = {
            "A": ("", 0.0, 1.5),
            "B": ("A:1.000000000", 1.0, 0.0),
            "C-1": ("", 0.0, 0.25),
            "D": ("A:5e-01-C-1:0.25", 0.75, 0.0),
        }
        for home, row in rows.items():
            trades, bought, sold = row if traded else ("", 0.0, 0.0)
            lines.append(f"{step},{home},{trades},{bought},{sold},0")
    return "\n".join(lines) + "\n"


@pytest.fixture
def stored(tmp_path):
    engine = open_book(tmp_path)
    found = write_book(engine).read()
    engine.dispose()
    return found


@pytest.fixture
def run(tmp_path, stored):
    folder = tmp_path / "run"
    folder.mkdir()
    kept = export_ledger(stored, folder)
    (folder / "summary.json").write_text(json.dumps({"ledger_root": kept.ledger_root}))
    (folder / "optimized_results.csv").write_text(results())
    append_anchor(tmp_path / "elsewhere" / "anchors.jsonl", kept)
    assert verify_folder(folder, tmp_path / "elsewhere" / "anchors.jsonl").first_bad == ""
    return folder


def test_a_ledger_is_read_back_from_its_file_and_holds_without_the_database(run, stored):
    assert read_export(run / "ledger.jsonl") == stored
    found = verify_folder(run, operator_public_key=bytes(OPERATOR.verify_key).hex())
    assert found.holds
    assert (len(found.blocks), found.trades, found.ledger_id) == (7, 18, LEDGER_ID)
    assert found.ledger_root == make_anchor(stored).ledger_root


def test_any_changed_byte_of_the_file_is_found_and_its_block_named(run):
    path = run / "ledger.jsonl"
    content = path.read_bytes()
    lines = content.split(b"\n")
    starts = [sum(len(line) + 1 for line in lines[:i]) for i in range(len(lines))]
    chance = random.Random(3)
    places = {*chance.sample(range(len(content)), 250), *(start - 1 for start in starts[1:])}
    for place in sorted(places):
        changed = bytearray(content)
        changed[place] = chance.choice([byte for byte in range(256) if byte != changed[place]])
        path.write_bytes(bytes(changed))
        height = max(i for i, start in enumerate(starts) if start <= place)
        found = verify_folder(run)
        assert found.first_bad.startswith(f"block {height}: "), (place, found.first_bad)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"height":3', b'"height": 3'),  # the same JSON, written in another way
        (b'"height":3', b'"height":3.0'),
        (b'"height":3', b'"height":"3"'),
        (b'"height":3', b'"height":true'),
        (b'"height":3', b'"height":' + b"9" * 30),
        (b'{"count":3,"entries"', b'{"count":3,"count":3,"entries"'),
        (b'{"count":3,"entries"', b'{"a":1,"count":3,"entries"'),
        (b'"entries":[{', b'"entries":[7,{'),
    ],
)
def test_a_line_written_in_another_way_is_found(run, old, new):
    path = run / "ledger.jsonl"
    lines = path.read_bytes().split(b"\n")
    assert old in lines[3]
    lines[3] = lines[3].replace(old, new, 1)
    path.write_bytes(b"\n".join(lines))
    assert verify_folder(run).first_bad.startswith("block 3: ")


def test_upper_case_hex_is_found(run):
    path = run / "ledger.jsonl"
    lines = path.read_bytes().split(b"\n")
    prev = read_export(path).blocks[3].prev.hex().encode()
    lines[3] = lines[3].replace(prev, prev.upper())
    path.write_bytes(b"\n".join(lines))
    assert verify_folder(run).first_bad == "block 3: its line is not written in the one way there is"


@pytest.mark.parametrize(
    ("change", "first_bad"),
    [
        (lambda lines: lines[:-1], "block 6: its line has no end"),
        (lambda lines: [*lines[:5], b""], "block 5: is missing; an anchor knows 7 blocks"),
        (lambda lines: [*lines, b""], "block 7: its line is no JSON"),
        (lambda lines: [*lines[:3], *lines[4:]], "block 3: is missing"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], "block 3: stands after block 3"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "block 3: is missing"),
        (lambda _: [b""], "block 0: its line is no JSON"),
        (lambda lines: lines[1:], "block 0: its line does not begin a kraftflyt ledger 1"),
        (lambda lines: [b"[" * 100_000, *lines[1:]], "block 0: its line is no JSON"),
    ],
)
def test_lines_that_are_gone_doubled_or_swapped_are_found(run, change, first_bad):
    path = run / "ledger.jsonl"
    path.write_bytes(b"\n".join(change(path.read_bytes().split(b"\n"))))
    found = verify_folder(run)
    assert any(p.startswith(first_bad.split(": ", 1)[1]) for b in found.blocks for p in b.problems)
    assert found.first_bad.split(":")[0] == first_bad.split(":")[0]


def test_a_shortened_file_with_a_shortened_anchor_is_found_against_anchors_kept_elsewhere(run, tmp_path, stored):
    short = replace(stored, blocks=stored.blocks[:5])
    kept = export_ledger(short, run)
    (run / "summary.json").write_text(json.dumps({"ledger_root": kept.ledger_root}))
    (run / "optimized_results.csv").unlink()
    assert verify_folder(run).holds
    found = verify_folder(run, tmp_path / "elsewhere" / "anchors.jsonl")
    assert found.first_bad == "block 5: is missing; an anchor knows 7 blocks"


def test_a_longer_file_than_its_anchor_is_found(run, stored):
    (run / "anchor.json").write_text(json.dumps(asdict(make_anchor(replace(stored, blocks=stored.blocks[:5])))))
    assert verify_folder(run).first_bad == "block 5: is not in anchor.json, which knows 5 blocks"


@pytest.mark.parametrize("name", ["ledger_id", "blocks", "head", "ledger_root", "operator_public_key"])
def test_every_part_of_an_anchor_counts(run, name):
    path = run / "anchor.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {name: 6 if name == "blocks" else "00"}))
    assert not verify_folder(run).holds
    path.write_text(json.dumps(kept | {name: None}))
    assert "is no anchor" in verify_folder(run).first_bad
    path.write_text("{")
    assert "is no JSON" in verify_folder(run).first_bad


def test_anchors_of_several_ledgers_share_a_file(tmp_path, run, stored):
    path = tmp_path / "elsewhere" / "anchors.jsonl"
    other = replace(make_anchor(stored), ledger_id="other")
    append_anchor(path, other)
    assert read_anchors(path, "other") == (other,)
    assert read_anchors(path, LEDGER_ID) == (make_anchor(stored),)
    assert read_anchors(path, "third") == ()
    path.write_text(path.read_text().splitlines()[1] + "\n")
    assert f"has no anchor of ledger {LEDGER_ID}" in verify_folder(run, path).first_bad
    with pytest.raises(DataError, match="give a file of anchors"):
        verify_folder(run, tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"ledger_root": null}', '{"ledger_root": "00"}'])
def test_a_summary_with_another_root_is_found(run, text):
    (run / "summary.json").write_text(text)
    assert verify_folder(run).first_bad.startswith("summary.json: ")


@pytest.mark.parametrize(
    ("old", "new", "first_bad"),
    [
        ("5,B,A:1.000000000,1.0,", "5,B,A:1.000000000,1.00001,", "block 3: step 5, B, bought: 1 kWh in the ledger"),
        ("5,A,,0.0,1.5", "5,A,,0.0,1.4", "block 3: step 5, A, sold: 1.5 kWh"),
        ("5,B,A:1.000000000,", "5,B,D:1.000000000,", "block 3: step 5, B, bought from A: 1 kWh in the ledger, 0 kWh"),
        ("5,B,A:1.000000000,1.0,", "5,B,,nan,", "block 3: step 5, B, bought: 1 kWh in the ledger, nan kWh"),
        ("5,C-1,,0.0,0.25,0\n", "", "block 3: step 5, C-1, sold: 0.25 kWh"),
        ("4,B,,0.0,", "4,B,,0.5,", "step 4, B, bought: 0 kWh in the ledger, 0.5 kWh"),
        ("5,B,A:1.000000000", "5,B,A:1.0.0", "optimized_results.csv: step 5, B: p2p_trades is 'A:1.0.0'"),
        ("5,B,A:1.000000000", "5,B,A", "optimized_results.csv: step 5, B: p2p_trades is 'A'"),
        ("household_id", "house", "optimized_results.csv: is no table with step"),
    ],
)  # fmt: skip
def test_results_that_tell_other_trades_are_found(run, old, new, first_bad):
    path = run / "optimized_results.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert verify_folder(run).first_bad.startswith(first_bad)


def test_results_may_differ_by_what_rounding_does(run):
    path = run / "optimized_results.csv"
    path.write_text(path.read_text().replace("5,B,A:1.000000000,1.0,", "5,B,A:1.000000000,1.0000009,"))
    assert verify_folder(run).holds


def test_a_folder_without_a_ledger_is_refused(tmp_path):
    with pytest.raises(DataError, match="folder of a run with a ledger"):
        verify_folder(tmp_path)


def test_a_trade_is_proven_from_its_leaf_to_the_root_of_the_ledger(stored):
    root = make_anchor(stored).ledger_root
    for height in range(1, 7):
        for index in range(3):
            shown = json.loads(json.dumps(proof_to_json(proof(stored, height, index))))
            assert verify_proof(proof_from_json(shown), root, bytes(OPERATOR.verify_key).hex()) == ()
    assert shown["trade"] == {
        "step": 11,
        "seller": 2,
        "buyer": 3,
        "kwh": 0.25,
        "price_eur_per_kwh": 0.2,
        "amount_eur": 0.05,
        "fee_eur": 0.0025,
    }
    assert len(shown["path"]) == 1  # the last of three leaves is lifted once
    assert len(shown["block_path"]) == 2  # the last of seven too
    assert verify_proof(proof_from_json(shown), "00" * 32)[0].startswith("ledger: the root is")
    for wrong in ((7, 0), (3, 3), (3, -1), (0, 0)):
        with pytest.raises(LedgerError, match="there is none"):
            proof(stored, *wrong)


def test_every_part_of_a_proof_counts(stored):
    shown = proof_to_json(proof(stored, 3, 1))
    assert verify_proof(proof_from_json(shown | {"blocks": 3})) != ()  # 8 would fit this path too: an anchor knows
    for name in sorted(shown.keys() - {"leaf", "trade", "blocks"}):
        value = shown[name]
        other = {int: lambda v: v + 1, str: lambda v: ("1" if v[0] == "0" else "0") + v[1:], list: lambda v: v[:-1]}
        assert verify_proof(proof_from_json(shown | {name: other[type(value)](value)})) != (), name
        with pytest.raises(LedgerError, match=name):
            proof_from_json(shown | {name: {}})
    with pytest.raises(LedgerError, match="blocks"):
        proof_from_json(shown | {"blocks": 7.0})


def test_the_command_prints_the_root_or_names_the_first_bad_block(run, tmp_path, capsys, stored):
    config = tmp_path / "config.yaml"
    anchors = tmp_path / "var" / "anchors.jsonl"
    config.write_text(f"trading: {{anchors: {anchors}}}\nruns: {{folder: {tmp_path}/runs}}\n")
    context = typer.Context.__new__(typer.Context)
    context.obj = Context(load_config(config), config, "INFO", None)
    anchor(context, str(run))
    assert len(read_anchors(anchors, LEDGER_ID)) == 1
    verify_ledger(context, str(run), blocks=True)
    told = capsys.readouterr().out
    assert f"root {make_anchor(stored).ledger_root}" in told
    assert "block 3: step 5, 3 trades" in told
    export_ledger(replace(stored, blocks=stored.blocks[:5]), run)
    with pytest.raises(typer.Exit) as ended:
        verify_ledger(context, str(run))
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == "energy-sim: block 5: is missing; an anchor knows 7 blocks\n"
    with pytest.raises(typer.Exit):
        anchor(context, str(run))
    with pytest.raises(DataError, match="is no folder"):
        verify_ledger(context, str(run / "nowhere"))
    with pytest.raises(DataError, match="there is none of that name"):
        verify_ledger(context, "trading_20260131_120000_a1b2c3")


def test_exports_of_the_same_ledger_are_the_same_bytes(run, stored, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    export_ledger(read_export(run / "ledger.jsonl"), again)
    for name in ("ledger.jsonl", "anchor.json"):
        assert (again / name).read_bytes() == (run / name).read_bytes()
    assert verify(stored).holds
