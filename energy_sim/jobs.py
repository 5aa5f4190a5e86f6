"""Long work that outlives the page and the server: a process each, its state in a folder that every process can read.

    jobs = Jobs(Path("var/jobs"))
    job_id = jobs.start("trading", ["trading", "run", "--out", "runs/x"], about={"steps": 168})
    jobs.status(job_id).state

The command is given ``--job FOLDER`` after its own arguments and reports there by ``job_report``; what the folder
holds, and how a worker is known to live, is in ``job_files``.
"""

import fcntl
import logging
import re
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from energy_sim.errors import DataError
from energy_sim.job_files import (
    ENDED,
    JOB_FILE,
    PROGRESS_FILE,
    RESERVE_FILE,
    STATUS_FILE,
    STOP_FILE,
    WORKER_FILE,
    Request,
    State,
    Status,
    dead_worker,
    is_alive,
    load,
    read_rows,
    save_last_word,
    send_signal,
    start_worker,
    writing,
)

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-c", "from energy_sim.cli import main; main()")

_ID = re.compile(r"[0-9a-f]{32}")
_ROOM = re.compile(r"[a-z]{1,20}")
_STAGING = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands; moments are seconds since the epoch; ``result`` is the name of a run.

    ``rows`` are those after the first ``since``: ask next with ``since + len(rows)``. What was not finite is None.
    """

    id: str
    room: str
    about: Mapping[str, Any]
    state: State
    done: int
    total: int
    message: str
    result: str
    started: float
    updated: float
    rows: tuple[Mapping[str, float | None], ...] = ()


class Jobs:
    """The jobs in a folder; safe for threads, and the same for every process that uses the folder."""

    def __init__(
        self,
        folder: Path,
        most_running: int = 2,
        keep: int = 20,
        *,
        command: Sequence[str] = COMMAND,
        kill_after_s: float = 30.0,
    ) -> None:
        """Use `folder`, which is made when the first job starts.

        Args:
            folder: one folder per job goes there.
            most_running: jobs at the same time; others wait, and start in turn when somebody asks for any status.
            keep: ended jobs that are kept, newest first.
            command: what runs a job; its arguments and ``--job FOLDER`` follow.
            kill_after_s: a worker that was asked to stop so long ago and still runs is killed by whoever asks next.
        """
        self.folder = folder
        self._most_running = max(most_running, 1)
        self._keep = max(keep, 0)
        self._command = tuple(command)
        self._kill_after_s = kill_after_s

    def start(self, room: str, arguments: Sequence[str], about: Mapping[str, Any]) -> str:
        """Start the command with these arguments as soon as there is room for it; gives an id that cannot be guessed.

        Args:
            room: whose job it is, as `list` finds it.
            arguments: of the command, such as ``["trading", "run", ...]``; paths in them absolute.
            about: what the page shows of the job; JSON.

        Raises:
            DataError: no room's name, `about` is no JSON, or the folder cannot be written.
        """
        if not _ROOM.fullmatch(room):
            raise DataError(f"job: {room[:40]!r} is not the name of a room; give up to 20 letters a-z")
        job_id = secrets.token_hex(16)
        staging = self.folder / f"{_STAGING}{job_id}"
        request = Request(room=room, arguments=tuple(map(str, arguments)), about=dict(about), created=time.time())
        try:
            staging.mkdir(parents=True)
            (staging / JOB_FILE).write_text(request.model_dump_json(), encoding="utf-8")
            (staging / RESERVE_FILE).write_bytes(bytes(16384))
            (staging / WORKER_FILE).touch()
            staging.rename(self.folder / job_id)
        except (OSError, ValueError) as error:  # a full disk; something that is no JSON
            shutil.rmtree(staging, ignore_errors=True)
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"{self.folder}: the job cannot be written ({reason}); make room, or mend it") from error
        self.tidy()
        self._start_waiting()
        return job_id

    def status(self, job_id: str, since: int = 0) -> Job:
        """How a job stands, with its rows of progress after the first `since`; starts jobs whose turn has come.

        Raises:
            DataError: there is no such job, or its files cannot be read.
        """
        folder = self._path(job_id)
        self._start_waiting()
        return replace(self._look(folder), rows=read_rows(folder / PROGRESS_FILE, since))

    def list(self, room: str) -> tuple[Job, ...]:
        """The jobs of a room, newest first, without rows; starts jobs whose turn has come."""
        self._start_waiting()
        return tuple(job for job in self._all() if job.room == room)

    def stop(self, job_id: str) -> None:
        """Ask a job to end, at once when it waits; nothing happens to one that has ended or was asked before.

        Raises:
            DataError: there is no such job, or the wish cannot be written.
        """
        folder = self._path(job_id)
        if self._look(folder).state in ENDED:
            return
        try:
            with writing(folder), suppress(FileExistsError):
                (folder / STOP_FILE).touch(exist_ok=False)
                logger.info("job asked to stop id=%s", job_id)
        finally:  # one that does not look at the mark yet, such as one that still loads its modules
            send_signal(folder, signal.SIGTERM)

    def tidy(self) -> None:
        """Remove ended jobs but the newest `keep`, and what killed processes left half made a day ago."""
        ended = [job.id for job in self._all() if job.state in ENDED and not is_alive(self.folder / job.id)]
        try:
            for job_id in ended[self._keep :]:
                doomed = self.folder / f"{_STAGING}{job_id}"  # out of every list first
                (self.folder / job_id).rename(doomed)
                shutil.rmtree(doomed)
            for path in self.folder.glob(f"{_STAGING}*"):
                if time.time() - path.stat().st_mtime > 86400.0:
                    shutil.rmtree(path)
        except OSError as error:  # perhaps another process removes the same ones
            logger.warning("old jobs left folder=%s reason=%s", self.folder, error)

    def _path(self, job_id: str) -> Path:
        path = self.folder / job_id if _ID.fullmatch(job_id) else None
        if path is None or path.is_symlink() or not (path / JOB_FILE).is_file():
            raise DataError(f"job {job_id[:40]!r}: there is none of that id; it may have been removed, start it again")
        return path

    def _folders(self) -> tuple[Path, ...]:
        inside = self.folder.iterdir() if self.folder.is_dir() else ()
        return tuple(path for path in inside if _ID.fullmatch(path.name) and not path.is_symlink())

    def _all(self) -> tuple[Job, ...]:
        found = []
        for folder in self._folders():
            try:
                found.append(self._look(folder))
            except DataError as error:
                logger.warning("job left out of the list reason=%s", error)
        return tuple(sorted(found, key=lambda job: (job.started, job.id), reverse=True))

    def _look(self, folder: Path) -> Job:
        """The job as it stands, from its files and the life of its worker; kills a worker that does not stop."""
        request = load(Request, folder / JOB_FILE)
        stop = folder / STOP_FILE
        status = load(Status, folder / STATUS_FILE) if (folder / STATUS_FILE).is_file() else None
        if status is None:
            message = "stopped before it started" if stop.exists() else f"waits: {self._most_running} run at a time"
            status = Status(state="stopped" if stop.exists() else "waiting", message=message, updated=request.created)
        elif status.state == "running" and not is_alive(folder):
            status = load(Status, folder / STATUS_FILE)  # its last word may have come since it was read
            status = status.model_copy(update=dead_worker(folder) if status.state == "running" else {})
        elif status.state == "running" and stop.exists():
            status = status.model_copy(update={"state": "stopping"})
            if time.time() - stop.stat().st_mtime > self._kill_after_s:
                send_signal(folder, signal.SIGKILL)
        said = status.model_dump()
        return Job(id=folder.name, room=request.room, about=request.about, started=request.created, **said)

    def _waiting(self) -> tuple[Path, ...]:
        """Jobs that wait, first come first."""
        return tuple(self.folder / job.id for job in reversed(self._all()) if job.state == "waiting")

    def _start_waiting(self) -> None:
        """Start jobs that wait while there is room, unless another process is doing so at this moment."""
        if not self._waiting():
            return
        with writing(self.folder), (self.folder / ".lock").open("ab") as turn:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            free = self._most_running - sum(map(is_alive, self._folders()))
            for folder in self._waiting()[: max(free, 0)]:
                self._launch(folder)

    def _launch(self, folder: Path) -> None:
        """Start the worker of a job; one that cannot be started is a job that has failed."""
        try:
            command = [*self._command, *load(Request, folder / JOB_FILE).arguments, "--job", str(folder.resolve())]
            pid = start_worker(folder, command)
            logger.info("job started id=%s pid=%d", folder.name, pid)
        except (OSError, ValueError) as error:
            logger.warning("job not started id=%s reason=%s", folder.name, error)
            save_last_word(folder, Status(state="failed", message=f"not started: {error}", updated=time.time()))
