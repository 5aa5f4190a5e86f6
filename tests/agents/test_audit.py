import fcntl
import hashlib
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from energy_sim.agents.audit import log as audit
from energy_sim.agents.audit.entries import Head, head_path, read_head, write_head
from energy_sim.agents.audit.log import AuditLog, Record, read_tail, verify_audit
from energy_sim.errors import DataError

WRITER = """
import sys
from pathlib import Path
from energy_sim.agents.audit.log import AuditLog, Record
log = AuditLog(Path(sys.argv[1]))
for cycle in range(int(sys.argv[2])):
    n = log.append_all([Record("grid", "curtail", f"home_{i}/load", cycle, {"by": sys.argv[3]}) for i in range(3)])
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """Ten entries, each written by a call of its own."""
    now = iter(range(1000))
    made = AuditLog(tmp_path / "logs" / "audit.jsonl", clock=lambda: 1e9 + next(now))
    for cycle in range(1, 11):
        made.append("grid", "curtail", f"home_{cycle}/load", cycle, power_kw=1.5, cause="overload")
    assert verify_audit(made.path) == ()
    return made


def lines_of(log: AuditLog) -> list[bytes]:
    return log.path.read_bytes().splitlines(keepends=True)


def made_anew(line: bytes, **changes: object) -> bytes:
    """The line as a forger would write it who knows how hashes are made."""
    entry = json.loads(line)
    del entry["hash"]
    entry["facts"] |= changes.pop("facts", {})
    body = json.dumps(entry | changes, sort_keys=True, separators=(",", ":"))
    return body[:-1].encode() + b',"hash":"' + hashlib.sha256(body.encode()).hexdigest().encode() + b'"}\n'


def rewritten(lines: list[bytes], k: int) -> list[bytes]:
    """Entry k + 1 changed and everything after it chained anew."""
    prev = json.loads(lines[k])["prev"]
    found = lines[:k]
    for line in lines[k:]:
        found.append(made_anew(line, prev=prev, facts={"power_kw": 9}))
        prev = json.loads(found[-1])["hash"]
    return found


def test_a_line_is_canonical_json_and_its_hash_can_be_worked_out_by_hand(log):
    first, second = (json.loads(line) for line in lines_of(log)[:2])
    assert first["prev"] == "0" * 64
    assert second["prev"] == first["hash"]
    without = {key: value for key, value in second.items() if key != "hash"}
    canonical = json.dumps(without, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert second["hash"] == hashlib.sha256(canonical.encode()).hexdigest()
    assert without == {
        "n": 2,
        "at": 1e9 + 1,
        "cycle": 2,
        "actor": "grid",
        "action": "curtail",
        "subject": "home_2/load",
        "facts": {"power_kw": 1.5, "cause": "overload"},
        "prev": first["hash"],
    }
    assert read_head(log.path) == Head(10, json.loads(lines_of(log)[-1])["hash"])


TAMPERINGS = {
    "a fact edited": (lambda x: [*x[:4], x[4].replace(b"1.5", b"0.5"), *x[5:]], {(5, "edited")}),
    "a space added": (lambda x: [*x[:4], x[4].replace(b":1.5", b": 1.5"), *x[5:]], {(5, "edited")}),
    "a hash edited": (lambda x: [*x[:4], x[4][:-4] + b'x"}\n', *x[5:]], {(5, "edited")}),
    "a number edited": (lambda x: [*x[:4], x[4].replace(b'"n":5', b'"n":6'), *x[5:]], {(5, "edited")}),
    "edited and hashed anew": (lambda x: [*x[:4], made_anew(x[4], facts={"power_kw": 9}), *x[5:]], {(5, "edited")}),
    "the last one edited and hashed anew": (lambda x: [*x[:9], made_anew(x[9], cycle=3)], {(10, "edited")}),
    "the rest chained anew": (lambda x: rewritten(x, 6), {(10, "edited")}),
    "the first edited and hashed anew": (lambda x: [made_anew(x[0], prev="1" * 64), *x[1:]], {(1, "edited")}),
    "two edited, one deleted": (
        lambda x: [x[0], b"{}\n", *x[2:5], *x[6:9], x[9].replace(b"1.5", b"2.5")],
        {(2, "edited"), (6, "deleted"), (9, "edited")},
    ),
    "one deleted": (lambda x: [*x[:4], *x[5:]], {(5, "deleted")}),
    "the first three deleted": (lambda x: x[3:], {(1, "deleted")}),
    "two stretches deleted": (lambda x: [*x[:2], *x[4:6], *x[7:]], {(3, "deleted"), (5, "deleted")}),
    "two swapped": (lambda x: [*x[:4], x[5], x[4], *x[6:]], {(6, "reordered")}),
    "one moved to the end": (lambda x: [*x[:2], *x[3:], x[2]], {(10, "reordered")}),
    "a block moved to the front": (lambda x: [*x[6:8], *x[:6], *x[8:]], {(3, "reordered")}),
    "the end cut off": (lambda x: x[:7], {(8, "truncated")}),
    "everything cut off": (lambda x: [], {(1, "truncated")}),
    "a copy inserted": (lambda x: [*x[:6], x[2], *x[6:]], {(7, "inserted")}),
    "a line twice": (lambda x: [*x[:6], x[5], *x[6:]], {(7, "inserted")}),
    "a chained line inserted before": (lambda x: [*x[:5], made_anew(x[5], cycle=99), *x[5:]], {(6, "inserted")}),
    "a chained line inserted after": (lambda x: [*x[:6], made_anew(x[5], cycle=99), *x[6:]], {(7, "inserted")}),
    "a chained line inserted at the end": (lambda x: [*x[:9], made_anew(x[9], cycle=9), x[9]], {(10, "inserted")}),
    "a line with a wrong hash inserted": (lambda x: [*x[:5], x[5].replace(b"1.5", b"2"), *x[5:]], {(6, "inserted")}),
    "lines appended": (
        lambda x: [
            *x,
            *rewritten([made_anew(x[9], n=11, at=1.0, prev=json.loads(x[9])["hash"]), made_anew(x[9], n=12)], 0),
        ],
        {(12, "inserted")},
    ),
    "half a line at the end": (lambda x: [*x, x[9][:40]], {(11, "torn")}),
    "the last line torn": (lambda x: [*x[:9], x[9][:40]], {(10, "torn")}),
    "no text": (lambda x: [*x[:3], b"\xff\x00garbage\n", *x[3:]], {(4, "not JSON")}),
    "a line overwritten": (lambda x: [*x[:3], b"-" * 20 + b"\n", *x[4:]], {(4, "not JSON")}),
    "a line emptied": (lambda x: [*x[:3], b"\n", *x[4:]], {(4, "not JSON")}),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_at_its_line_and_called_by_its_kind(log, name):
    tamper, expected = TAMPERINGS[name]
    log.path.write_bytes(b"".join(tamper(lines_of(log))))
    assert {(f.line, f.kind) for f in verify_audit(log.path)} == expected


def test_a_log_without_its_file_its_head_or_both_is_said(log):
    kept = head_path(log.path).read_bytes()
    head_path(log.path).write_text("{")
    assert [(f.line, f.kind) for f in verify_audit(log.path)] == [(0, "edited")]
    head_path(log.path).unlink()
    assert [(f.line, f.kind) for f in verify_audit(log.path)] == [(11, "truncated")]
    head_path(log.path).write_bytes(kept)
    log.path.unlink()
    assert [(f.line, f.kind) for f in verify_audit(log.path)] == [(1, "truncated")]
    head_path(log.path).unlink()
    with pytest.raises(DataError, match="no such audit log"):
        verify_audit(log.path)


def test_a_crash_between_lines_and_head_is_no_tampering_and_the_chain_goes_on(log):
    before = read_head(log.path)
    log.append_all([Record("grid", "limit", f"home_{i}", 11) for i in range(3)])
    write_head(log.path, before)  # as if the process had ended before it could
    assert verify_audit(log.path) == ()
    again = AuditLog(log.path)
    assert read_head(log.path).count == 13  # mended at once: a second crash may follow
    assert again.append("grid", "restore", "home_1", 12) == 14
    assert verify_audit(log.path) == ()
    assert "recovered" not in {e.action for e in read_tail(log.path, 99)}


def test_a_torn_line_is_set_aside_and_said(log):
    for k in (1, 2):
        with log.path.open("ab") as file:
            file.write(b'{"action":"cur')
        AuditLog(log.path)
        assert log.path.with_name(f"audit.jsonl.torn-{k}").read_bytes() == b'{"action":"cur'
    found = read_tail(log.path, 2)
    assert [(e.n, e.actor, e.action, e.facts["bytes"]) for e in found] == [
        (11, "audit", "recovered", 14),
        (12, "audit", "recovered", 14),
    ]
    assert verify_audit(log.path) == ()


@pytest.mark.parametrize("is_running", [True, False])
def test_a_cut_end_stays_visible_when_writing_goes_on(log, is_running):
    log.path.write_bytes(b"".join(lines_of(log)[:7]))
    writer = log if is_running else AuditLog(log.path)
    writer.append("grid", "limit", "home_1", 11)
    assert [e.n for e in read_tail(log.path, 3)] == [7, 11, 12]
    assert read_tail(log.path, 2)[0].facts == {"what": "lines missing or edited", "found": 7, "stated": 10}
    assert [(f.line, f.kind) for f in verify_audit(log.path)] == [(8, "deleted")]


def test_what_is_no_json_is_refused_and_nothing_is_written(log):
    before = log.path.read_bytes()
    assert log.append("grid", "plan", "A", 11, kw=np.float32(0.5), homes=np.int64(3), ok=np.True_) == 11
    assert read_tail(log.path, 1)[0].facts == {"kw": 0.5, "homes": 3, "ok": True}
    after = log.path.read_bytes()
    assert after.startswith(before)
    for value in (float("nan"), np.float32("inf"), object(), {1: 2, "a": 3}):
        with pytest.raises(DataError, match="audit: plan of grid"):
            log.append_all([Record("grid", "limit", "A", 12), Record("grid", "plan", "A", 12, {"x": value})])
    assert log.path.read_bytes() == after


def test_a_full_disk_leaves_no_half_line(log):
    before, limits = log.path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(OSError, match="only 100 of"):
            log.append("grid", "plan", "A", 11)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert log.path.read_bytes() == before
    assert log.append("grid", "plan", "A", 11) == 11
    assert verify_audit(log.path) == ()


def test_a_writer_that_holds_the_log_and_hangs_stops_nobody_for_ever(log, monkeypatch):
    monkeypatch.setattr(audit, "PATIENCE_S", 0.05)
    with log.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match=r"audit\.jsonl: another process holds it for 0\.05 s"):
            log.append("grid", "plan", "A", 11)
    assert log.append("grid", "plan", "A", 11) == 11


def test_two_processes_write_one_chain_and_a_killed_one_loses_no_acknowledged_line(tmp_path):
    path = tmp_path / "audit.jsonl"
    command = [sys.executable, "-c", WRITER, str(path)]
    killed = subprocess.Popen([*command, "1000000", "killed"], stdout=subprocess.PIPE)
    other = subprocess.Popen([*command, "150", "other"], stdout=subprocess.PIPE)
    try:
        assert killed.stdout is not None
        acknowledged = [int(killed.stdout.readline()) for _ in range(60)]
        killed.send_signal(signal.SIGKILL)
        acknowledged += [int(n) for n in killed.stdout.read().split(b"\n")[:-1]]
        finished = [int(n) for n in other.communicate(timeout=30)[0].split()]
        assert killed.wait() == -signal.SIGKILL
    finally:
        for process in (killed, other):
            process.kill()
            process.wait()
            process.stdout.close()
    AuditLog(path).append("grid", "limit", "home_1", 1)
    assert verify_audit(path) == ()
    by = {e.n: e.facts.get("by") for e in read_tail(path, 1_000_000)}
    assert len(acknowledged) >= 60
    assert len(finished) == 150
    assert {by[n - k] for n in acknowledged for k in range(3)} == {"killed"}
    assert {by[n - k] for n in finished for k in range(3)} == {"other"}


def test_a_tail_is_read_without_the_rest_and_one_edit_in_a_long_log_is_found(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    records = [Record("grid", "curtail", f"home_{i}/load", 1, {"cause": "x" * 100}) for i in range(1000)]
    for _ in range(20):
        log.append_all(records)
    assert log.append("grid", "limit", "home_7", 2) == 20_001
    assert verify_audit(log.path) == ()
    lines = lines_of(log)
    lines[12_344] = lines[12_344].replace(b"xxx", b"yyy")
    log.path.write_bytes(b"".join(lines))
    assert [(f.line, f.kind) for f in verify_audit(log.path)] == [(12_345, "edited")]
    sparse = tmp_path / "sparse.jsonl"
    with sparse.open("wb") as file:
        file.seek(1 << 38)  # a hole of 256 GiB, which nobody reads to its end
        file.write(b"\n" + b"".join(lines[-400:]))
    assert [e.n for e in read_tail(sparse, 300)] == list(range(19_702, 20_002))
    assert read_tail(sparse, 2, lambda e: e.n <= 20_000)[-1].n == 20_000
    assert read_tail(log.path, 0) == ()
    assert read_tail(tmp_path / "none", 5) == ()
