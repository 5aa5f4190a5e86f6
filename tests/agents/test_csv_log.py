"""CSV logs of agents: one header, lines a spreadsheet reads, a full file put aside."""

import csv

from energy_sim.agents.audit.csv_log import COLUMNS, CsvLog


def test_lines_follow_one_header_and_text_stays_text(tmp_path):
    log = CsvLog(tmp_path / "logs", wall=lambda: 0.0)
    log("home_1", "status", "", 1.25, "unlimited")
    log("home_1", "curtail", "home_1/ev", None, "=1+1\nsecond")
    log("home_2", "status", "", 2.0, "")
    rows = list(csv.reader((tmp_path / "logs" / "home_1_log.csv").read_text().splitlines()))
    assert rows == [
        list(COLUMNS),
        ["1970-01-01T00:00:00.000+00:00", "home_1", "status", "", "1.250", "unlimited"],
        ["1970-01-01T00:00:00.000+00:00", "home_1", "curtail", "home_1/ev", "", "'=1+1 second"],
    ]
    assert (tmp_path / "logs" / "home_2_log.csv").exists()


def test_a_full_file_is_put_aside_and_two_are_kept(tmp_path):
    log = CsvLog(tmp_path, one_file="host_1", max_bytes=300)
    for n in range(40):
        log(f"home_{n}", "status", "", float(n), "")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["host_1_log.csv", "host_1_log.csv.1", "host_1_log.csv.2"]
    assert all(path.stat().st_size <= 300 for path in tmp_path.iterdir())
    assert "home_39" in (tmp_path / "host_1_log.csv").read_text()


def test_a_folder_that_is_gone_costs_a_warning_and_no_more(tmp_path, caplog):
    log = CsvLog(tmp_path / "logs")
    (tmp_path / "logs").rmdir()
    log("a", "status", "", 1.0, "")
    log("a", "status", "", 2.0, "")
    assert len([r for r in caplog.records if "csv_log" in r.message]) == 1
