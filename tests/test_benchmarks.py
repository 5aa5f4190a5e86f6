"""The benchmarks run in a tiny size and report what was measured; no speed is asserted, the machine may be busy."""

import importlib.util
import json
import shutil

import pytest

from benchmarks.__main__ import ROOMS, run
from benchmarks.measure import TINY, Row, skipped, table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("benchmarks"),
    pytest.mark.filterwarnings("ignore:HTTPResponse.getheader:DeprecationWarning"),  # selenium 4.2 with urllib3 1.26
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    target = tmp_path_factory.mktemp("benchmarks") / "latest.json"
    found = run(TINY, target)
    return found, json.loads(target.read_text(encoding="utf-8"))


def rows_of(found):
    return {row["what"]: row for rows in found["rooms"].values() for row in rows}


def test_the_file_holds_what_was_measured_and_the_machine(written):
    found, read = written
    assert read == found
    assert list(read["rooms"]) == list(ROOMS)
    assert {"cores", "load_average_before", "python", "numba"} <= set(read["machine"])
    assert read["seconds"] > 0


def test_every_row_is_measured_or_says_why_not(written):
    rows = rows_of(written[1])
    assert len(rows) == sum(len(room) for room in written[1]["rooms"].values()) >= 24
    for row in rows.values():
        if row["verdict"] == "skipped":
            assert row["repeats"] == 0
            assert row["note"].startswith("skipped: ")
            continue
        assert row["repeats"] >= 1
        assert 0 < row["min"] <= row["median"] <= row["max"]
        assert (row["verdict"] == "") == (row["below"] is None and row["at_least"] is None)


def test_every_budget_of_the_zones_room_and_its_page_has_a_row(written):
    rows = rows_of(written[1])
    limits = {(row["unit"], row["below"], row["at_least"]) for row in rows.values()}
    assert {
        ("ms", 1.0, None),
        ("million zone-days/s", None, 10.0),
        ("times", None, 80.0),
        ("s", 2.0, None),
        ("s", 5.0, None),
        ("bytes", 4097, None),
        ("ms", 200.0, None),
    } <= limits


def test_messages_are_counted_on_every_day(written):
    rows = rows_of(written[1])
    assert rows["tick's message, 4 days/s"]["repeats"] == TINY.days - 1
    assert rows["tick's message, 60 days/s"]["repeats"] == 3  # days 15, 30 and 39
    assert rows["tick's message, 4 days/s"]["verdict"] == "met"  # a size, not a time


def test_a_browser_that_is_there_is_measured(written):
    if not (shutil.which("chromium") and shutil.which("chromedriver") and importlib.util.find_spec("selenium")):
        pytest.skip("no chromium, chromedriver or selenium")
    rows = rows_of(written[1])
    assert rows["tick's answer to screen, Chromium"]["repeats"] >= TINY.ticks
    assert rows["click on a rule to screen, Chromium"]["repeats"] == 2


def test_median_counts_for_a_budget_unless_the_worst_does():
    values = (1.0, 2.0, 9.0)
    assert Row("a", "ms", values, below=3.0).verdict == "met"
    assert Row("a", "ms", values, below=2.0).verdict == "missed"
    assert Row("a", "ms", values, below=3.0, worst_counts=True).verdict == "missed"
    assert Row("a", "times", values, at_least=2.0).verdict == "met"
    assert Row("a", "times", values, at_least=2.1).verdict == "missed"
    assert Row("a", "times", values).verdict == ""
    assert skipped("a", "ms", "no browser", 3.0).verdict == "skipped"


def test_the_table_shows_numbers_budget_and_verdict():
    shown = table({"room": [Row("step", "ms", (1.0, 2.0, 1234.5), below=3.0), skipped("draw", "ms", "no browser")]})
    lines = [line.split() for line in shown.splitlines()]
    assert lines[1] == ["room"]
    assert lines[2] == ["step", "2", "1", "1,234", "ms", "<", "3", "met"]
    assert lines[3] == ["draw", "ms", "skipped", "skipped:", "no", "browser"]
