"""Files of the fleet on disk: the supervisor's address and lock, the configuration its processes read."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from energy_sim.config import Config

CONFIG_FILE = "config.yaml"
LOCK_FD = "KRAFTFLYT_FLEET_LOCK"  # environment: descriptor of the lock that the supervisor was handed
_TAIL_BYTES = 4000


@dataclass(frozen=True, slots=True)
class Address:
    """Where the supervisor listens, and the key it asks for."""

    port: int
    key: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class FleetFiles:
    """The supervisor's folder."""

    folder: Path

    @property
    def address(self) -> Path:
        """Port and key, JSON; readable by the owner alone."""
        return self.folder / "fleet.json"

    @property
    def lock(self) -> Path:
        """Locked while a supervisor lives."""
        return self.folder / "fleet.lock"

    @property
    def pending(self) -> Path:
        """There from the start of a supervisor until its fleet runs; left by one that could not."""
        return self.folder / "fleet.pending"

    @property
    def log(self) -> Path:
        """What the supervisor writes."""
        return self.folder / "fleet.log"

    def read_address(self) -> Address | None:
        """Where the supervisor listens; None when there is none."""
        try:
            content = json.loads(self.address.read_text(encoding="utf-8"))
            return Address(int(content["port"]), str(content["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_address(self, address: Address) -> None:
        """Write it whole, for the owner alone."""
        whole = self.folder / f"fleet.json.{os.getpid()}"
        with open(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump({"port": address.port, "key": address.key}, file)
        whole.replace(self.address)

    def last_words(self) -> str:
        """The last lines of its log as one."""
        return tail(self.log, 3) or "the fleet ended without a word"


def tail(path: Path, lines: int) -> str:
    """The last lines of a file as one line; empty when there is nothing to read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


def write_config(config: Config, path: Path, **agents: Any) -> None:
    """Write a configuration for processes of the fleet: their own database and folders beside it.

    Args:
        config: values of all sections that agents read.
        path: file to write; its folder takes database, logs and keys.
        agents: keys of the section `agents` that differ.
    """
    folder = path.parent
    section = config.agents.model_dump(mode="json") | {
        "logs": str(folder / "logs"),
        "audit": str(folder / "logs" / "audit.jsonl"),
        "grid_key": str(folder / "grid.key"),
        "state": str(folder),
    }
    content = {
        "logging": {**config.logging.model_dump(mode="json"), "file": ""},
        "database": {"url": f"sqlite:///{folder / 'fleet.db'}"},
        "agents": section | agents,
    }
    whole = path.with_suffix(f".{os.getpid()}")
    with open(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        yaml.safe_dump(content, file, sort_keys=False)
    whole.replace(path)
