"""What stands beside the ledger in a run's folder: any file that was edited or taken away is named."""

import json

import pytest
from nacl.signing import SigningKey

from energy_sim.trading.ledger.checksums import check_checksums, write_checksums


@pytest.fixture
def key():
    return SigningKey.generate()


@pytest.fixture
def folder(tmp_path, key):
    (tmp_path / "params.json").write_text("{}\n", encoding="utf-8")
    (tmp_path / "prices.csv").write_text("step,buy,sell\n0,0.3,0.1\n", encoding="utf-8")
    write_checksums(tmp_path, key)
    return tmp_path


def said(folder, key):
    return [finding.problem for finding in check_checksums(folder, bytes(key.verify_key).hex())]


def test_a_folder_as_it_was_written_holds_and_may_hold_more(folder, key):
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assert said(folder, key) == []


def test_a_changed_file_and_a_missing_one_are_named(folder, key):
    (folder / "prices.csv").write_text("step,buy,sell\n0,0.2,0.1\n", encoding="utf-8")
    assert said(folder, key) == ["prices.csv: is not the file that was written; its checksum differs"]
    (folder / "prices.csv").unlink()
    assert said(folder, key) == ["prices.csv: is missing"]


def test_checksums_of_another_hand_are_refused(folder, key):
    other = SigningKey.generate()
    (folder / "prices.csv").write_text("step,buy,sell\n0,0.2,0.1\n", encoding="utf-8")
    write_checksums(folder, other)
    assert said(folder, key) == ["checksums.json: the operator's signature does not hold"]


def test_an_edited_checksum_does_not_hold(folder, key):
    path = folder / "checksums.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["files"].pop("prices.csv")
    path.write_text(json.dumps(content), encoding="utf-8")
    assert said(folder, key) == ["checksums.json: the operator's signature does not hold"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"files": 1, "signature": ""}', '{"files": {"a": 1}, "signature": ""}']
)
def test_what_is_no_list_of_checksums_is_said(folder, key, text):
    (folder / "checksums.json").write_text(text, encoding="utf-8")
    assert [line.partition(" (")[0] for line in said(folder, key)] == ["checksums.json: cannot be read"]


def test_a_whole_run_without_checksums_is_said_and_a_bare_ledger_needs_none(folder, key):
    (folder / "checksums.json").unlink()
    assert said(folder, key) == ["checksums.json: is missing; files beside the ledger cannot be checked"]
    (folder / "params.json").unlink()
    assert said(folder, key) == []
