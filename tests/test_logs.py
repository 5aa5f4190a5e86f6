"""Logging: levels from the configuration, a file that rotates, a run's own log at INFO whatever the level is."""

import logging
import subprocess
import sys

import pytest

from energy_sim.errors import ConfigError
from energy_sim.logs import add_handler, set_up_logging


@pytest.fixture(autouse=True)
def as_before():
    logger = logging.getLogger("energy_sim")
    before = (logger.handlers[:], logger.level, logger.propagate)
    logger.handlers[:] = []
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


log = logging.getLogger("energy_sim.zones.somewhere")


def speak():
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        log.log(level, "said at=%s", logging.getLevelName(level))


@pytest.mark.parametrize(
    ("level", "heard"),
    [("ERROR", ["ERROR"]), ("WARNING", ["WARNING", "ERROR"]), ("INFO", ["INFO", "WARNING", "ERROR"]),
     ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"])],
)  # fmt: skip
def test_stderr_and_the_file_hold_what_the_level_lets_through(level, heard, tmp_path, capsys):
    file = tmp_path / "new" / "x.log"
    set_up_logging(level, file)
    speak()
    shown = capsys.readouterr()
    assert [line.split("at=")[1] for line in shown.err.splitlines()] == heard
    assert file.read_text(encoding="utf-8") == shown.err
    assert shown.out == ""
    assert "energy_sim.zones.somewhere: said" in shown.err


def test_a_handler_added_later_gets_info_at_any_level(capsys):
    set_up_logging("ERROR")
    heard = []

    class Ear(logging.Handler):
        def emit(self, record):
            heard.append(record.levelname)

    add_handler(logging.getLogger("energy_sim"), Ear())
    speak()
    assert heard == ["INFO", "WARNING", "ERROR"]
    assert capsys.readouterr().err.count("\n") == 1


def test_setting_up_again_replaces_the_first_set_up(tmp_path, capsys):
    set_up_logging("INFO", tmp_path / "first.log")
    set_up_logging("INFO", tmp_path / "second.log")
    log.info("once")
    assert capsys.readouterr().err.count("once") == 1
    assert (tmp_path / "first.log").read_text() == ""
    assert (tmp_path / "second.log").read_text().count("once") == 1


def test_the_file_rotates_at_its_size_and_keeps_as_many_as_asked(tmp_path):
    set_up_logging("INFO", tmp_path / "x.log", max_mb=0.001, backups=2)
    for n in range(100):
        log.info("line %03d %s", n, "." * 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.log", "x.log.1", "x.log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert "line 099" in (tmp_path / "x.log").read_text()


WRITER = """
import logging, sys
from pathlib import Path
from energy_sim.logs import set_up_logging
set_up_logging("INFO", Path(sys.argv[1]), max_mb=0.005, backups=200)
for n in range(300):
    logging.getLogger("energy_sim.worker").info("writer=%s line=%03d %s", sys.argv[2], n, "." * 60)
"""


def test_processes_that_share_a_file_lose_no_line_when_it_rolls_over(tmp_path, root):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "x.log", str(n)], cwd=root,
                         stderr=subprocess.PIPE, text=True)
        for n in range(4)
    ]  # fmt: skip
    for writer in writers:
        _, said = writer.communicate(timeout=60)
        assert (writer.returncode, said.count("\n"), "Traceback" in said) == (0, 300, False)
    files = [path for path in tmp_path.iterdir() if path.stat().st_size]
    assert len(files) > 20  # 4 x 300 lines of over 100 bytes, 5,000 bytes a file
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    found = sorted(line.split("worker: ")[1].split(" .")[0] for line in lines)
    assert found == [f"writer={w} line={n:03d}" for w in range(4) for n in range(300)]
    sizes = [path.stat().st_size for path in files if path.name != "x.log"]
    assert max(sizes) <= 5000 + 4 * 160  # a process may write a line while another rolls over
    assert sum(size > 4000 for size in sizes) >= 0.9 * len(sizes)  # two may roll over at once on a busy machine


def test_a_file_taken_away_is_made_again(tmp_path):
    set_up_logging("INFO", tmp_path / "x.log")
    log.info("before")
    (tmp_path / "x.log").unlink()
    log.info("after")
    assert (tmp_path / "x.log").read_text(encoding="utf-8").endswith("somewhere: after\n")


def test_a_level_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="log level: 'LOUD' is not one of ERROR, WARNING, INFO, DEBUG"):
        set_up_logging("LOUD")


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file" / "x.log", tmp_path):
        with pytest.raises(ConfigError, match="log file cannot be written"):
            set_up_logging("INFO", place)
