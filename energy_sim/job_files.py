"""A job on disk: the files of its folder, and the process that works on it.

A job's folder holds job.json (what was asked), worker (its process, and a lock), status.json (none: the job waits),
progress.jsonl, stop (somebody asked for it), log (what the worker printed). Whoever starts the worker takes the lock
and hands it down, and the system lets it go however the worker ends: "running" is never believed without it.
"""

import errno
import fcntl
import json
import logging
import math
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

State = Literal["waiting", "running", "stopping", "done", "stopped", "failed"]
ENDED = ("done", "stopped", "failed")

JOB_FILE, WORKER_FILE, STATUS_FILE, PROGRESS_FILE = "job.json", "worker", "status.json", "progress.jsonl"
STOP_FILE, LOG_FILE = "stop", "log"
RESERVE_FILE = "reserve"  # given back to a full disk, so that the failure itself can be written

_PROCESS = re.compile(r"([1-9][0-9]*) (\S*)\n(.*)\n")
_LONGEST_MESSAGE = 500


class Request(BaseModel, frozen=True, extra="forbid"):
    """job.json: what was asked for."""

    room: str
    arguments: tuple[str, ...]
    about: dict[str, Any]
    created: float


class Status(BaseModel, frozen=True, extra="forbid"):
    """status.json: what the worker says of itself."""

    state: State
    done: int = 0
    total: int = 0
    message: str = ""
    result: str = ""
    updated: float = 0.0


Record = TypeVar("Record", bound=BaseModel)


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say of a failure to write that it is the folder's.

    Raises:
        DataError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror}); make room on the disk") from error


def save(record: BaseModel, path: Path) -> None:
    """Write a record whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        new.write_text(record.model_dump_json(), encoding="utf-8")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def save_last_word(folder: Path, status: Status) -> None:
    """Write how a job ended, on a full disk in the place that was kept for it.

    Raises:
        DataError: not even there.
    """
    try:
        save(status, folder / STATUS_FILE)
    except OSError:
        with writing(folder):
            (folder / RESERVE_FILE).unlink(missing_ok=True)
            save(status, folder / STATUS_FILE)


def load(kind: type[Record], path: Path) -> Record:
    """Read a record.

    Raises:
        DataError: there is no such file, or something else in it.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"job file {path}: cannot be read ({one_line(str(error))}); start the job again") from error


def append_row(descriptor: int, row: Mapping[str, float]) -> None:
    """Add a row whole or not at all, short of a kill in the middle of it; what is not finite becomes null.

    Raises:
        OSError: it cannot be written; the disk is full.
    """
    kept = {name: float(value) if math.isfinite(value) else None for name, value in row.items()}
    line = json.dumps(kept).encode() + b"\n"
    size = os.fstat(descriptor).st_size
    if os.write(descriptor, line) < len(line):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_rows(path: Path, since: int) -> tuple[dict[str, float | None], ...]:
    """The rows after the first `since`; a line that is not whole yet, or never will be, is no row."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return ()
    rows = []
    for line in lines[max(since, 0) :]:
        try:
            rows.append(json.loads(line))
        except ValueError:
            logger.warning("row of progress left out path=%s", path)
    return tuple(rows)


def one_line(text: str) -> str:
    """A message as a status holds it: without line breaks, and not too long.

    >>> one_line("homes.csv: row 2:   -1 is below 0 ")
    'homes.csv: row 2: -1 is below 0'
    """
    return " ".join(text.split())[:_LONGEST_MESSAGE]


def start_worker(folder: Path, command: Sequence[str]) -> int:
    """Start the worker of a job in a session of its own, with the lock in its hands; reap it when it ends.

    Returns:
        The process number; the status is "running" from then on.

    Raises:
        OSError: there is no such command, or the folder cannot be written.
        ValueError: the command cannot be said to the system, such as one with a NUL in it.
    """
    root = str(Path(__file__).resolve().parents[1])  # the worker runs the code that started it
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with (folder / WORKER_FILE).open("r+b") as worker, (folder / LOG_FILE).open("ab") as log:
        fcntl.flock(worker, fcntl.LOCK_EX)
        save(Status(state="running", message="starting", updated=time.time()), folder / STATUS_FILE)
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            pass_fds=(worker.fileno(),), env=os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        threading.Thread(target=process.wait, daemon=True).start()
        with suppress(OSError):  # without it the job can still be followed, and stopped by its mark
            os.pwrite(worker.fileno(), f"{process.pid} {_began(process.pid)}\n{_system()}\n".encode(), 0)
    return process.pid


def dead_worker(folder: Path) -> dict[str, str]:
    """What is said of a worker that ended without a last word."""
    if (folder / STOP_FILE).exists():
        return {"state": "stopped", "message": "stopped before its result"}
    last = ""
    with suppress(OSError), (folder / LOG_FILE).open("rb") as log:
        log.seek(max(log.seek(0, os.SEEK_END) - 4096, 0))
        last = log.read().decode(errors="replace").rstrip().rpartition("\n")[2]
    message = f"ended before its result, as when killed or out of memory; last line of its log: {last or 'none'}"
    return {"state": "failed", "message": one_line(message)}


def _worker(folder: Path) -> tuple[int, str]:
    """The worker's process number and when it began; 0 where that is not written down or is of another system."""
    known = _PROCESS.fullmatch((folder / WORKER_FILE).read_text(encoding="utf-8"))
    return (int(known[1]), known[2]) if known and known[3] == _system() else (0, "")


def is_alive(folder: Path) -> bool:
    """Whether the worker lives: its lock is held, and not just by a process that it forked and left behind."""
    with suppress(FileNotFoundError), (folder / WORKER_FILE).open("rb") as worker:
        try:
            fcntl.flock(worker, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, began = _worker(folder)
            return not pid or _began(pid) == began
    return False


def send_signal(folder: Path, number: signal.Signals) -> None:
    """Send a signal to the worker, SIGKILL to all that it started, if it lives on this system."""
    try:
        pid = _worker(folder)[0] if is_alive(folder) else 0
        if pid:
            (os.killpg if number == signal.SIGKILL else os.kill)(pid, number)
            logger.info("signal sent to a job id=%s pid=%d signal=%s", folder.name, pid, number.name)
    except OSError as error:  # it has ended meanwhile, or belongs to another user
        logger.info("signal not sent to a job id=%s reason=%s", folder.name, error)


def _began(pid: int) -> str:
    """When a process began, in kernel ticks since boot; empty without /proc, "gone" for one that has ended.

    Source: proc_pid_stat(5), fields 3 (state) and 22 (starttime).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return "gone" if Path("/proc/self/stat").exists() else ""
    return "gone" if fields[0] in "ZX" else fields[19]


def _system() -> str:
    """Where process numbers mean the same: this boot of this machine, and this container; empty without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
