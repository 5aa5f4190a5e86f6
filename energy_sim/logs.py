"""Logging to the console and a rotating file."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from energy_sim.errors import ConfigError

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up_logging(level: str, file: Path | None = None, max_mb: float = 10.0, backups: int = 3) -> None:
    """Send the product's log to stderr and, when given, to a rotating file. Calling it again replaces the set-up.

    Handlers added later, such as the one behind a run's simulation.log, get INFO and above whatever the level is.

    Args:
        level: ERROR, WARNING, INFO or DEBUG; of stderr and the file.
        file: log file; its folder is made.
        max_mb: size at which the file rotates, MB.
        backups: rotated files kept.

    Raises:
        ConfigError: the file cannot be written.
    """
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
            rotating = RotatingFileHandler(file, maxBytes=int(max_mb * 1e6), backupCount=backups, encoding="utf-8")
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
