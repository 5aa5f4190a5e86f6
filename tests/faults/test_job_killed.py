"""Workers and servers are killed with SIGKILL, disks are full: a job is never believed to run when it does not."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy_sim.errors import DataError
from energy_sim.job_files import ENDED
from energy_sim.job_report import JobReport
from energy_sim.jobs import Jobs
from tests.test_jobs import DEADLINE_S, PROC, end_all, wait_for, wait_until

WORKER = """
import os, sys, time
from pathlib import Path
from energy_sim.job_report import JobReport
folder = Path(sys.argv[-1])
with JobReport(folder) as report:
    if sys.argv[1] == "fork" and os.fork() == 0:
        (folder / "child").write_text(str(os.getpid()))
        time.sleep(60)
        os._exit(0)
    print("at work")
    step = 0
    while not report.stop_asked and not (folder / "go").exists():
        step += 1
        report.progress(step, 1000, {"pid": os.getpid()})
        time.sleep(0.02)
    report.finish("trading_x", stopped=report.stop_asked)
"""
SERVER = """
import sys, time
from pathlib import Path
from energy_sim.jobs import Jobs
jobs = Jobs(Path(sys.argv[1]), most_running=1, command=sys.argv[2:])
print(jobs.start("trading", ["work"], {"of": "the server"}), jobs.start("trading", ["work"], {}), flush=True)
time.sleep(60)
"""


@pytest.fixture
def jobs(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER, encoding="utf-8")
    made = Jobs(tmp_path / "jobs", most_running=1, command=(sys.executable, str(tmp_path / "worker.py")))
    yield made
    end_all(made)


def pid_of(jobs: Jobs, job_id: str) -> int:
    wait_until(lambda: jobs.status(job_id).rows)
    return int(jobs.status(job_id).rows[0]["pid"])


def test_a_killed_worker_has_failed_keeps_its_rows_and_makes_room_for_the_next(jobs):
    first, second = (jobs.start("trading", ["work"], {}) for _ in range(2))
    pid = pid_of(jobs, first)
    assert [jobs.status(job_id).state for job_id in (first, second)] == ["running", "waiting"]
    os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    job = wait_for(jobs, first, "failed")
    assert time.monotonic() - killed_at < DEADLINE_S
    assert job.message == "ended before its result, as when killed or out of memory; last line of its log: at work"
    assert {row["pid"] for row in job.rows} == {pid}
    assert pid_of(jobs, second) != pid
    jobs.stop(first)
    assert jobs.status(first) == job


def test_a_worker_killed_while_asked_to_stop_is_stopped(jobs):
    job_id = jobs.start("trading", ["work"], {})
    pid = pid_of(jobs, job_id)
    os.kill(pid, signal.SIGSTOP)  # it cannot listen
    jobs.stop(job_id)
    assert jobs.status(job_id).state == "stopping"
    os.kill(pid, signal.SIGKILL)
    assert wait_for(jobs, job_id, *ENDED).state == "stopped"


@pytest.mark.skipif(not PROC, reason="a process left behind is told from the worker by /proc")
def test_a_process_that_the_killed_worker_left_behind_does_not_keep_the_job_running(jobs):
    job_id = jobs.start("trading", ["fork"], {})
    pid = pid_of(jobs, job_id)
    wait_until((jobs.folder / job_id / "child").is_file)
    wait_until((jobs.folder / job_id / "child").read_text)
    child = int((jobs.folder / job_id / "child").read_text())
    try:
        os.kill(pid, signal.SIGKILL)
        wait_for(jobs, job_id, "failed")
        assert Path(f"/proc/{child}").exists()
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_number_of_a_dead_worker_worn_by_another_process_is_not_the_worker(jobs):
    job_id = jobs.start("trading", ["work"], {})
    pid = pid_of(jobs, job_id)
    worker = jobs.folder / job_id / "worker"
    text = worker.read_text()
    assert text.startswith(f"{pid} ")
    os.kill(pid, signal.SIGKILL)
    wait_for(jobs, job_id, "failed")
    worker.write_text(text.replace(f"{pid} ", f"{os.getpid()} "))
    assert jobs.status(job_id).state == "failed"


@pytest.mark.slow
def test_a_killed_server_leaves_its_job_at_work_and_the_next_one_follows_it_to_the_end(jobs, root):
    command = [sys.executable, "-c", SERVER, str(jobs.folder), *jobs._command]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        running, waiting = server.stdout.readline().split()
        pid = pid_of(jobs, running)
        server.send_signal(signal.SIGKILL)
    assert server.returncode == -signal.SIGKILL
    job = jobs.status(running)
    assert (job.state, job.about) == ("running", {"of": "the server"})
    assert jobs.status(waiting).state == "waiting"
    steps = len(job.rows)
    wait_until(lambda: len(jobs.status(running).rows) > steps)
    (jobs.folder / running / "go").touch()
    job = wait_for(jobs, running, *ENDED)
    assert (job.state, job.result) == ("done", "trading_x")
    assert {row["pid"] for row in job.rows} == {pid}
    wait_for(jobs, waiting, "running")


def test_a_job_whose_server_was_killed_before_the_worker_began_has_failed(jobs):
    job_id = jobs.start("trading", ["work"], {})
    jobs.stop(job_id)
    wait_for(jobs, job_id, "stopped")
    folder = jobs.folder / job_id
    for name in ("stop", "log"):
        (folder / name).unlink()
    (folder / "worker").write_text("")
    (folder / "status.json").write_text('{"state": "running"}')
    job = jobs.status(job_id)
    assert job.state == "failed"
    assert job.message.endswith("last line of its log: none")


def test_progress_on_a_full_disk_ends_the_work_with_a_job_that_says_so(tmp_path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "progress.jsonl").symlink_to(full)

    def work() -> None:
        with JobReport(tmp_path) as report:
            report.progress(1, 2)
            report.progress(2, 2, {"a": 1.0})

    with pytest.raises(DataError, match="No space left on device"):
        work()
    said = (tmp_path / "status.json").read_text()
    assert '"state":"failed","done":2' in said
    assert "cannot be written (No space left on device); make room on the disk" in said


ON_A_SMALL_DISK = """
import os, sys, time
from pathlib import Path
from energy_sim.errors import DataError
from energy_sim.job_report import JobReport
from energy_sim.jobs import Jobs
jobs = Jobs(Path(sys.argv[1]) / "jobs", command=("true",))
job_id = jobs.start("trading", [], {})
folder = jobs.folder / job_id
try:
    with JobReport(folder) as report:
        for step in range(1, 10**6):
            report.progress(step, 10**6, {f"column_{i}": step / 7 for i in range(50)})
except DataError as error:
    print("worker:", error)
try:
    with (jobs.folder / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x"):
            pass
except OSError:
    pass
job = jobs.status(job_id)
assert len(job.rows) > 20 and all(len(row) == 50 for row in job.rows), len(job.rows)
print("job:", job.state, job.message)
try:
    jobs.start("trading", [], {})
except DataError as error:
    print("start:", error)
"""


def test_on_a_disk_that_fills_up_the_job_has_failed_for_that_reason_and_no_other_starts(tmp_path, root):
    """In a mount namespace of its own, so nothing of this machine is touched."""
    script = f'mount -t tmpfs -o size=256k tmpfs "{tmp_path}" && exec "$0" -c "$1" "{tmp_path}"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, ON_A_SMALL_DISK]
    try:
        probe = subprocess.run(
            [*command[:4], "mount", "-t", "tmpfs", "tmpfs", tmp_path], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if probe.returncode:
        pytest.skip(f"no file system of our own can be mounted here: {probe.stderr.decode().strip()}")
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    worker, job, start = done.stdout.splitlines()
    reason = r"cannot be written \(No space left on device\); make room"
    assert re.match(rf"worker: .*{reason}", worker)
    assert re.match(rf"job: failed .*{reason}", job)
    assert re.match(rf"start: .*{reason}", start)
