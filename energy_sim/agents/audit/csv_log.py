"""What agents did, as CSV: a line for a status ping, a curtailment, a change of mode. A full file is put aside.

log = CsvLog(folder, one_file="host_1")     # or one file an agent: {agent}_log.csv
log("home_1", "curtail", "home_1/ev", 3.0, "transformer_A over its limit")
"""

import csv
import io
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from energy_sim.errors import ConfigError

logger = logging.getLogger(__name__)

COLUMNS = ("timestamp", "agent", "kind", "resource", "power_kw", "text")
MAX_BYTES = 5_000_000
KEPT = 2  # full files, .1 the latest


class CsvLog:
    """Appends lines; a disk that is full or gone is said once and costs no agent its life."""

    def __init__(
        self,
        folder: Path,
        one_file: str = "",
        max_bytes: int = MAX_BYTES,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Make the folder.

        Args:
            folder: where the files go.
            one_file: name of the file that all agents share; empty: each its own.
            max_bytes: size at which a file is put aside.
            wall: seconds since the epoch.

        Raises:
            ConfigError: the folder cannot be made.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"agents.logs: {folder}: {error.strerror}; give a folder that can be written") from error
        self.folder, self._one_file, self._max_bytes, self._wall = folder, one_file, max_bytes, wall
        self._failed = False

    def path(self, agent: str) -> Path:
        """File of an agent."""
        return self.folder / f"{self._one_file or agent}_log.csv"

    def __call__(self, agent: str, kind: str, resource: str, power_kw: float | None, text: str) -> None:
        """Append a line."""
        stamp = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds")
        line = io.StringIO()
        row = (stamp, agent, kind, resource, "" if power_kw is None else f"{power_kw:.3f}", _plain(text))
        csv.writer(line, lineterminator="\n").writerow(row)
        try:
            self._append(self.path(agent), line.getvalue())
            self._failed = False
        except OSError as error:
            if not self._failed:
                logger.warning("csv_log=%s error=%s", self.path(agent), error.strerror)
            self._failed = True

    def _append(self, path: Path, line: str) -> None:
        if path.exists() and path.stat().st_size + len(line) > self._max_bytes:
            for n in range(KEPT, 0, -1):
                older = path.with_suffix(f".csv.{n - 1}") if n > 1 else path
                if older.exists():
                    older.replace(path.with_suffix(f".csv.{n}"))
        fresh = not path.exists()
        with path.open("a", encoding="utf-8") as file:
            file.write((",".join(COLUMNS) + "\n" if fresh else "") + line)


def _plain(text: str) -> str:
    """One line that a spreadsheet does not take for a formula."""
    line = " ".join(text.split())
    return f"'{line}" if line[:1] in {"=", "+", "-", "@"} else line
