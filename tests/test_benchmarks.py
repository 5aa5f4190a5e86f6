"""The benchmarks run in a tiny size and report what was measured; no speed is asserted, the machine may be busy."""

import importlib.util
import json
import shutil

import pytest

from benchmarks.__main__ import ROOMS, run
from benchmarks.load import Found
from benchmarks.measure import TINY, Row, Size, skipped, table
from benchmarks.processes import IS_KNOWN
from benchmarks.viewers import against_figures, viewer_rows

pytestmark = [
    pytest.mark.slow,
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
    assert rows["tick's message, 60 days/s"]["repeats"] == 2  # days 15 and 30
    assert rows["tick's message, 4 days/s"]["verdict"] == "met"  # a size, not a time


def test_a_browser_that_is_there_is_measured(written):
    if not (shutil.which("chromium") and shutil.which("chromedriver") and importlib.util.find_spec("selenium")):
        pytest.skip("no chromium, chromedriver or selenium")
    rows = rows_of(written[1])
    assert rows["tick's answer to screen, Chromium"]["repeats"] >= TINY.ticks
    assert rows["click on a rule to screen, Chromium"]["repeats"] == 2


def test_every_budget_of_the_community_room_and_its_page_has_a_row(written):
    rows = rows_of(written[1])
    minutes = ("real time", "real time, a new minute's noise", "60 times real time")
    assert [rows[f"tick of 10,000 houses, {name}"]["below"] for name in minutes] == [5.0] * 3
    assert rows["tick of 10,000 houses, real time"]["repeats"] == TINY.street_ticks - 2  # the first, and 12:31
    assert rows["tick of 10,000 houses, real time, a new minute's noise"]["repeats"] == 1
    assert rows["tick's answer to screen, 5 houses"]["below"] == 200.0
    assert rows["click on the clouds to screen, 5 houses"]["below"] == 200.0


def test_every_budget_of_the_trading_room_has_a_row(written):
    rows = rows_of(written[1])
    assert rows["plan of 100 households, 24 h, highs, a step"]["below"] == 0.1
    assert rows["highs against scalar CVXPY, 4 households"]["at_least"] == 20.0
    assert rows["trades written, signed by both parties"]["at_least"] == 3000
    assert rows["trades written, unsigned"]["at_least"] == 10_000


def test_every_budget_of_the_agents_room_has_a_row_and_is_measured_for_1000_homes(written):
    if importlib.util.find_spec("uvicorn") is None:
        pytest.skip("no uvicorn: the extra agents is not installed")
    rows = rows_of(written[1])
    assert rows["polled cycle, 10 homes"]["below"] == rows["pushed cycle, 10 homes"]["below"] == 1.0  # s
    hung = rows["polled cycle, 10 homes, one in ten hung"]
    assert (hung["below"], hung["worst_counts"], hung["repeats"]) == (2.0, True, TINY.repeats)
    served = rows["healthy homes served in the worst cycle, 10 homes"]
    assert served["at_least"] == 1.0
    health = rows["GET /health during cycles, 10 homes"]
    assert (health["unit"], health["below"], health["worst_counts"]) == ("ms", 100.0, True)
    assert 1000 in Size().agents


def test_street_messages_of_every_kind_are_counted(written):
    rows = rows_of(written[1])
    for houses in ("5", "60", "500", "800"):
        usual, most = rows[f"message, {houses} houses, a tick"], rows[f"message, {houses} houses, at most"]
        assert usual["repeats"] == TINY.street_ticks
        assert usual["median"] < most["median"]
        assert most["below"] == 4097
        assert most["verdict"] == "met"
    assert rows["message, 10,000 houses, at most"]["below"] == 4097


def test_scripted_viewers_get_their_answers_and_figures_cost_more(written):
    if not IS_KNOWN:
        pytest.skip("no /proc, by which the server's CPU is known")
    rows = rows_of(written[1])
    assert rows["server's CPU, 10 viewers"]["below"] == 0.3
    assert rows["answers, 10 viewers"]["median"] <= 30  # each asks at most three times in a second
    assert rows["answers, 10 viewers"]["note"].endswith("no errors")
    assert rows["bytes on the wire, figure against message"]["median"] > 10  # sizes, not times
    assert rows["server's CPU, figure against message"]["at_least"] is None


def test_cores_of_viewers_are_compared_by_the_answers_they_got():
    messages = Found(cores=[0.1, 0.3], seconds=10.0, answer_ms=[4.0] * 1000, answer_bytes=[2000] * 990, unchanged=10)
    figures = Found(cores=[0.9], seconds=10.0, answer_ms=[400.0] * 50, answer_bytes=[50_000] * 50, late=50)
    cpu, answers, size, taken = viewer_rows("50 viewers", messages, 0.3)
    assert (cpu.values, cpu.verdict, answers.values, len(size.values)) == ((0.1, 0.3), "met", (100.0,), 990)
    assert answers.note == "10 of 1000 with nothing new, 0 left out, no errors"
    assert taken.note == "95 % within 4 ms"
    ratio, wire = against_figures(messages, 50, figures)
    assert ratio.values == (pytest.approx(90.0),)  # 2 * 0.9 * 10 / 50 = 0.36 cores against 2 * 0.2 * 10 / 1000 = 0.004
    assert wire.values == (25.0,)


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
