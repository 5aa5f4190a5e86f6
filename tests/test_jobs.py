"""Jobs: real processes that outlive who started them, followed by files alone."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from energy_sim.errors import DataError
from energy_sim.job_files import ENDED
from energy_sim.job_report import JobReport
from energy_sim.jobs import COMMAND, Job, Jobs

DEADLINE_S = 20.0
DIED = "ended before its result, as when killed or out of memory"
PROC = Path("/proc/self/stat").exists()

WORKER = """
import os, sys, time
from pathlib import Path
what, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[-1])
assert sys.argv[-2] == "--job"
if what == "deaf":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if what in ("deaf", "loading"):
    (folder / "here").touch()
    time.sleep(60)
if what == "refuse":
    sys.exit("energy-sim: No such option: --nonsense")
from energy_sim.errors import DataError
from energy_sim.job_report import JobReport
with JobReport(folder) as report:
    for step in range(1, count + 1):
        print("step", step)
        report.progress(step, count, {"step": step, "cost_eur": step / 4})
        if what == "bad data":
            raise DataError("homes.csv: row 2:\\n  -1 is below 0")
        if what == "bad code":
            raise TypeError("a number was expected")
        while what == "wait" and not report.stop_asked:
            time.sleep(0.02)
        if report.stop_asked:
            break
    if what != "silent":
        report.finish(f"trading_{os.getpid()}_{os.getsid(0)}", stopped=report.stop_asked)
"""


@pytest.fixture
def jobs(tmp_path):
    """Jobs whose command is the worker above; whatever still runs afterwards is killed."""
    (tmp_path / "worker.py").write_text(WORKER, encoding="utf-8")
    made = Jobs(tmp_path / "jobs", command=(sys.executable, str(tmp_path / "worker.py")), kill_after_s=1.0)
    yield made
    end_all(made)


def end_all(jobs: Jobs) -> None:
    ids = [path.name for path in jobs.folder.iterdir() if len(path.name) == 32] if jobs.folder.is_dir() else []
    for job_id in ids:
        jobs.stop(job_id)
    for job_id in ids:
        wait_for(jobs, job_id, *ENDED)


def wait_for(jobs: Jobs, job_id: str, *states: str) -> Job:
    stop = time.monotonic() + DEADLINE_S
    while (job := jobs.status(job_id)).state not in states:
        assert time.monotonic() < stop, job
        time.sleep(0.05)
    return job


def wait_until(condition) -> None:
    stop = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < stop
        time.sleep(0.05)


def run(jobs: Jobs, what: str, count: int = 3, room: str = "trading") -> str:
    return jobs.start(room, [what, str(count)], {"what": what})


def test_a_job_runs_to_its_result_with_all_rows_and_what_it_printed(jobs):
    before = time.time()
    job_id = run(jobs, "work", 4)
    job = wait_for(jobs, job_id, *ENDED)
    assert (job.state, job.done, job.total, job.message) == ("done", 4, 4, "")
    assert (job.id, job.room, job.about) == (job_id, "trading", {"what": "work"})
    assert before <= job.started <= job.updated <= time.time()
    assert job.rows == tuple({"step": float(n), "cost_eur": n / 4} for n in (1, 2, 3, 4))
    assert jobs.status(job_id, since=3).rows == ({"step": 4.0, "cost_eur": 1.0},)
    assert jobs.status(job_id, since=4).rows == ()
    assert (jobs.folder / job_id / "log").read_text() == "step 1\nstep 2\nstep 3\nstep 4\n"


def test_the_worker_leads_a_session_of_its_own_and_leaves_no_zombie(jobs):
    _, pid, session = wait_for(jobs, run(jobs, "work"), "done").result.split("_")
    assert pid == session != str(os.getsid(0))
    if PROC:
        wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_stopped_job_keeps_what_it_had_and_stopping_again_changes_nothing(jobs):
    job_id = run(jobs, "wait")
    wait_until(lambda: jobs.status(job_id).rows)
    assert jobs.status(job_id).state == "running"
    jobs.stop(job_id)
    jobs.stop(job_id)
    job = wait_for(jobs, job_id, *ENDED)
    assert (job.state, job.done, len(job.rows)) == ("stopped", 1, 1)
    assert job.result.startswith("trading_")
    jobs.stop(job_id)
    assert jobs.status(job_id) == job


def test_the_mark_alone_stops_a_job(jobs):
    job_id = run(jobs, "wait")
    wait_until(lambda: jobs.status(job_id).rows)
    (jobs.folder / job_id / "stop").touch()
    assert wait_for(jobs, job_id, *ENDED).state == "stopped"


def test_a_job_that_still_loads_is_stopped_at_once(tmp_path, jobs):
    patient = Jobs(jobs.folder, command=jobs._command, kill_after_s=1000.0)
    job_id = run(patient, "loading")
    wait_until((patient.folder / job_id / "here").exists)
    patient.stop(job_id)
    assert wait_for(patient, job_id, *ENDED).state == "stopped"


def test_a_worker_that_does_not_listen_is_killed_after_a_while(jobs):
    job_id = run(jobs, "deaf")
    wait_until((jobs.folder / job_id / "here").exists)
    jobs.stop(job_id)
    assert jobs.status(job_id).state == "stopping"
    job = wait_for(jobs, job_id, *ENDED)
    assert (job.state, job.message) == ("stopped", "stopped before its result")


@pytest.mark.parametrize(
    ("what", "message", "logged"),
    [
        ("bad data", "homes.csv: row 2: -1 is below 0", "energy_sim.errors.DataError"),
        ("bad code", "failed: TypeError: a number was expected", 'raise TypeError("a number was expected")'),
        ("silent", "ended without a result", "step 3"),
        (
            "refuse",
            f"{DIED}; last line of its log: energy-sim: No such option: --nonsense",
            "energy-sim: No such option",
        ),
    ],
)
def test_a_job_that_goes_wrong_has_failed_with_one_line_and_the_rest_in_its_log(jobs, what, message, logged):
    job_id = run(jobs, what)
    job = wait_for(jobs, job_id, *ENDED)
    assert (job.state, job.message, job.result) == ("failed", message, "")
    wait_until(lambda: logged in (jobs.folder / job_id / "log").read_text())


def test_a_worker_that_ends_well_while_somebody_asks_is_not_taken_for_dead(jobs, monkeypatch):
    job_id = run(jobs, "work")
    wait_for(jobs, job_id, "done")
    status = jobs.folder / job_id / "status.json"
    last_word = status.read_text()
    status.write_text('{"state": "running"}')

    def ends_now(folder: Path) -> bool:
        (folder / "status.json").write_text(last_word)
        return False

    monkeypatch.setattr("energy_sim.jobs.is_alive", ends_now)
    assert jobs.status(job_id).state == "done"


def test_a_command_that_cannot_be_started_is_a_failed_job_that_says_so(tmp_path):
    jobs = Jobs(tmp_path / "jobs", command=(str(tmp_path / "absent"),))
    job = jobs.status(jobs.start("trading", [], {}))
    assert job.state == "failed"
    assert job.message.startswith("not started: ")
    assert "absent" in job.message


def test_two_run_at_a_time_and_the_others_start_in_turn_by_whoever_asks(jobs):
    ids = [run(jobs, "wait") for _ in range(4)]
    wait_until(lambda: all(jobs.status(job_id).rows for job_id in ids[:2]))
    states = [jobs.status(job_id).state for job_id in ids]
    assert states == ["running", "running", "waiting", "waiting"]
    assert jobs.status(ids[2]).message == "waits: 2 run at a time"
    other = Jobs(jobs.folder, command=jobs._command)
    other.stop(ids[1])
    wait_for(other, ids[2], "running")
    assert other.status(ids[3]).state == "waiting"
    assert other.status(ids[0]).state == "running"


def test_a_waiting_job_that_is_stopped_never_starts(jobs):
    one = Jobs(jobs.folder, most_running=1, command=jobs._command)
    first, second, third = (run(one, "wait") for _ in range(3))
    one.stop(second)
    assert one.status(second).state == "stopped"
    one.stop(first)
    wait_for(one, third, "running")
    assert one.status(second).state == "stopped"
    assert not (one.folder / second / "log").exists()


@pytest.mark.parametrize("job_id", ["", ".", "..", "../jobs", "a" * 31, "A" * 32, "a" * 32 + "\n", "a" * 32, "\0" * 32])
def test_an_id_from_outside_that_is_none_is_refused(jobs, job_id):
    run(jobs, "work")
    for ask in (jobs.status, jobs.stop):
        with pytest.raises(DataError, match="none of that id"):
            ask(job_id)


def test_a_link_in_the_folder_is_no_job(tmp_path, jobs):
    job_id = run(jobs, "work")
    wait_for(jobs, job_id, "done")
    (jobs.folder / ("b" * 32)).symlink_to(jobs.folder / job_id)
    with pytest.raises(DataError, match="none of that id"):
        jobs.status("b" * 32)
    assert [job.id for job in jobs.list("trading")] == [job_id]
    (jobs.folder / ("b" * 32)).unlink()


def test_ids_are_long_and_never_equal(jobs):
    ids = {run(jobs, "work", 0) for _ in range(5)}
    assert {len(job_id) for job_id in ids} == {32}
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("room", "about", "message"), [("../x", {}, "not the name of a room"), ("trading", {"x": object()}, "Unable to")]
)
def test_a_job_of_no_room_or_about_no_json_is_refused_and_leaves_nothing(jobs, room, about, message):
    with pytest.raises(DataError, match=message):
        jobs.start(room, ["work", "1"], about)
    assert jobs.list("trading") == ()
    assert not jobs.folder.exists() or list(jobs.folder.iterdir()) == []


def test_the_list_of_a_room_is_newest_first(jobs):
    first, other, last = run(jobs, "work"), run(jobs, "work", room="grid"), run(jobs, "work")
    assert [job.id for job in jobs.list("trading")] == [last, first]
    assert [job.id for job in jobs.list("grid")] == [other]


def test_tidy_keeps_the_newest_that_ended_and_all_that_run_or_wait(jobs):
    few = Jobs(jobs.folder, most_running=1, keep=2, command=jobs._command)
    ended = [run(few, "work", 1) for _ in range(4)]
    for job_id in ended[2:]:
        wait_for(few, job_id, "done")
    running, waiting = run(few, "wait"), run(few, "wait")
    abandoned = few.folder / ".unfinished-old"
    abandoned.mkdir()
    os.utime(abandoned, (0, 0))
    wait_until(lambda: few.tidy() or len(few.list("trading")) == 4)  # the last worker may still be leaving
    assert [job.id for job in few.list("trading")] == [waiting, running, ended[3], ended[2]]
    assert not abandoned.exists()


def test_lines_that_are_not_whole_are_no_rows(tmp_path, jobs):
    job_id = run(jobs, "work", 2)
    wait_for(jobs, job_id, "done")
    with (jobs.folder / job_id / "progress.jsonl").open("a") as file:
        file.write('{"step": 3.0, "co')
    assert [row["step"] for row in jobs.status(job_id).rows] == [1.0, 2.0]


def test_a_figure_that_is_not_finite_is_none(tmp_path):
    with JobReport(tmp_path) as report:
        report.progress(1, 1, {"a": float("nan"), "b": float("inf"), "c": 2})
        report.finish("")
    assert (tmp_path / "progress.jsonl").read_text() == '{"a": null, "b": null, "c": 2.0}\n'


def test_status_is_written_at_most_five_times_a_second_and_the_last_word_always(tmp_path):
    seen, began = set(), time.monotonic()
    with JobReport(tmp_path) as report:
        while (passed := time.monotonic() - began) < 1.0 or len(seen) < 2:
            report.progress(int(passed * 1e6), 10**6)
            seen.add((tmp_path / "status.json").stat().st_mtime_ns)
        lasted = time.monotonic() - began
        report.progress(7, 7)
        report.finish("trading_x")
    assert 2 <= len(seen) <= 1 + 5 * lasted
    assert '"state":"done","done":7,"total":7' in (tmp_path / "status.json").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_ask_to_stop_while_the_report_is_open_and_mean_what_they_did_afterwards(tmp_path, number):
    before = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    with JobReport(tmp_path) as report:
        assert not report.stop_asked
        os.kill(os.getpid(), number)
        wait_until(lambda: report.stop_asked)
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == before
    assert '"state":"stopped"' in (tmp_path / "status.json").read_text()


def test_an_exception_after_the_last_word_does_not_take_it_back(tmp_path):
    def work() -> None:
        with JobReport(tmp_path) as report:
            report.finish("trading_x")
            raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        work()
    assert '"state":"done"' in (tmp_path / "status.json").read_text()


def test_our_own_command_line_takes_the_place_of_the_worker(tmp_path):
    jobs = Jobs(tmp_path / "jobs")
    assert jobs._command == COMMAND
    job = wait_for(jobs, jobs.start("zones", ["zones", "no-such-command"], {}), *ENDED)
    assert job.state == "failed"
    assert "No such command 'no-such-command'" in job.message
