"""Logging to the console and a rotating file, which several processes may share."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from energy_sim.errors import ConfigError

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
LEVELS = ("ERROR", "WARNING", "INFO", "DEBUG")


def set_up_logging(level: str, file: Path | None = None, max_mb: float = 10.0, backups: int = 3) -> None:
    """Send the product's log to stderr and, when given, to a rotating file. Calling it again replaces the set-up.

    Handlers added later, such as the one behind a run's simulation.log, get INFO and above whatever the level is.

    Args:
        level: ERROR, WARNING, INFO or DEBUG; of stderr and the file.
        file: log file; its folder is made.
        max_mb: size at which the file rotates, MB.
        backups: rotated files kept.

    Raises:
        ConfigError: there is no such level, or the file cannot be written.
    """
    if level not in LEVELS:
        raise ConfigError(f"log level: {level!r} is not one of {', '.join(LEVELS)}; give one of them")
    logger = logging.getLogger("energy_sim")
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.setLevel(min(logging.INFO, logging.getLevelNamesMapping()[level]))
    logger.propagate = False
    add_handler(logger, logging.StreamHandler(), level)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            rotating = _SharedRotatingFile(file, maxBytes=int(max_mb * 1e6), backupCount=backups, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"{file}: the log file cannot be written ({error.strerror}); give --log-file or set logging.file"
            ) from error
        add_handler(logger, rotating, level)


def add_handler(logger: logging.Logger, handler: logging.Handler, level: str = "DEBUG") -> None:
    """Attach a handler with the product's format."""
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.addHandler(handler)


class _SharedRotatingFile(RotatingFileHandler):
    """A rotating file that several processes write to: one at a time, and always to the file of that name.

    Without the lock two workers could roll over at once, or one go on writing to a file that another has put away.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, rolling over before it when the file is full."""
        try:
            with self._locked():
                super().emit(record)
        except OSError:  # what happens to the file while the program runs must not stop it
            self.handleError(record)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        while True:
            if self.stream is None:
                self.stream = self._open()
            held = os.dup(self.stream.fileno())  # keeps the lock while a roll-over closes the stream
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
                if self._is_current(held):
                    yield
                    return
                self.stream.close()  # another process has rolled over meanwhile
                self.stream = self._open()
            finally:
                fcntl.flock(held, fcntl.LOCK_UN)
                os.close(held)

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), Path(self.baseFilename).stat())
        except FileNotFoundError:
            return False
