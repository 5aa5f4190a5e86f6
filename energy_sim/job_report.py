"""What a worker says of its job, for those who follow it by ``jobs``.

    with JobReport(folder) as report:
        while ... and not report.stop_asked:
            report.progress(step, steps, {"wallet_eur": 1.2})
        report.finish(run_name, stopped=report.stop_asked)

The folder is the one that the command is given as ``--job FOLDER``.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from energy_sim.errors import EnergySimError
from energy_sim.job_files import (
    ENDED,
    PROGRESS_FILE,
    STATUS_FILE,
    STOP_FILE,
    State,
    Status,
    append_row,
    one_line,
    save,
    save_last_word,
    writing,
)

_STATUS_EVERY_S = 0.2


class JobReport:
    """What a worker says of its work, as a context; without a last word by `finish` the job has failed or stopped.

    SIGTERM and SIGINT ask it to stop instead of ending it while the context is open, if that is in the main thread.
    """

    def __init__(self, folder: Path) -> None:
        """Report in a job's folder, which is made where there is none."""
        self._folder = folder
        self._status = Status(state="running")
        self._progress_file = -1
        self._written_at = -math.inf
        self._signalled = False
        self._handlers: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        """Begin to report.

        Raises:
            DataError: the folder cannot be written.
        """
        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write_status()
            self._progress_file = os.open(self._folder / PROGRESS_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

        def ask(_number: int, _frame: FrameType | None) -> None:
            self._signalled = True

        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say how the work ended, unless `finish` has; exceptions go on, so their traceback reaches the log."""
        try:
            if self._status.state in ENDED:
                return
            if isinstance(error, KeyboardInterrupt) or (error is None and self.stop_asked):
                self._end("stopped", "stopped before its result")
            elif error is None or isinstance(error, EnergySimError):
                self._end("failed", str(error or "ended without a result"))
            else:
                self._end("failed", f"failed: {type(error).__name__}: {error}")
        finally:
            os.close(self._progress_file)
            for number, handler in self._handlers.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    @property
    def stop_asked(self) -> bool:
        """Whether somebody asked the work to end; it should within two seconds."""
        return self._signalled or (self._folder / STOP_FILE).exists()

    def progress(self, done: int, total: int, row: Mapping[str, float] | None = None) -> None:
        """Say how far the work is, and add a row to what the page draws.

        Args:
            done: steps done.
            total: steps altogether.
            row: figures of this step by name; what is not finite is read as None.

        Raises:
            DataError: it cannot be written; the disk is full.
        """
        self._status = self._status.model_copy(update={"done": done, "total": total, "message": ""})
        with writing(self._folder):
            if row is not None:
                append_row(self._progress_file, row)
            if time.monotonic() - self._written_at >= _STATUS_EVERY_S:
                self._write_status()

    def finish(self, result: str, stopped: bool = False) -> None:
        """The last word: all is done, or it was `stopped` before; `result` is the name of its run, or empty.

        Raises:
            DataError: it cannot be written.
        """
        self._end("stopped" if stopped else "done", result=result)

    def _end(self, state: State, message: str = "", result: str = "") -> None:
        word = {"state": state, "message": one_line(message), "result": result, "updated": time.time()}
        self._status = self._status.model_copy(update=word)
        save_last_word(self._folder, self._status)

    def _write_status(self) -> None:
        self._written_at = time.monotonic()
        save(self._status.model_copy(update={"updated": time.time()}), self._folder / STATUS_FILE)
