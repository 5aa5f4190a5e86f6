"""Logging to the console and a rotating file."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up_logging(level: str, file: Path | None = None, max_mb: float = 10.0, backups: int = 3) -> None:
    """Send the product's log to stderr and, when given, to a rotating file. Calling it again replaces the set-up.

    Args:
        level: ERROR, WARNING, INFO or DEBUG.
        file: log file; its folder is made.
        max_mb: size at which the file rotates, MB.
        backups: rotated files kept.
    """
    logger = logging.getLogger("energy_sim")
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.setLevel(level)
    logger.propagate = False
    add_handler(logger, logging.StreamHandler())
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        add_handler(
            logger, RotatingFileHandler(file, maxBytes=int(max_mb * 1e6), backupCount=backups, encoding="utf-8")
        )


def add_handler(logger: logging.Logger, handler: logging.Handler) -> None:
    """Attach a handler with the product's format."""
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.addHandler(handler)
