"""Starts the grid agent of one process, until a signal ends it.

run_grid(config, host="127.0.0.1", port=8000, clock="lock-step")
"""

import logging
import os
import signal
from pathlib import Path
from typing import Any

import uvicorn

from energy_sim.agents.audit.csv_log import CsvLog
from energy_sim.agents.audit.log import AuditLog
from energy_sim.agents.grid.agent import ClockKind, GridAgent
from energy_sim.agents.grid.cycles import Cycles
from energy_sim.agents.grid.polling import Poller
from energy_sim.agents.grid.registry import read_or_make_secret
from energy_sim.agents.grid.server import make_grid_app
from energy_sim.agents.home.run import KEEP_ALIVE_S, check_address, keep_what_is_there
from energy_sim.agents.language_model import LanguageModel, settings_from
from energy_sim.config import Config
from energy_sim.database import open_database
from energy_sim.errors import ConfigError

logger = logging.getLogger(__name__)


def run_grid(
    config: Config,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    clock: ClockKind = "real",
    key: str = "",
    ssl_certfile: Path | None = None,
    ssl_keyfile: Path | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; blocks.

    Args:
        config: the whole configuration: section `agents`, database, paths.
        host: address to listen on.
        port: TCP port.
        clock: real, or lock-step: cycles run when POST /coordinate asks for them.
        key: of the fleet; needed on an address beyond this machine.
        ssl_certfile: certificate, with it the server speaks https.
        ssl_keyfile: its key.

    Raises:
        ConfigError: the address is open without a key, or a value, a file or the database cannot be used.
        DataError: the database cannot be read.
    """
    check_address(host, key)
    ours = config.agents
    settings = settings_from(ours.llm.base_url, ours.llm.model, ours.llm.key_env, ours.llm.budget_s, os.environ)
    secret = read_or_make_secret(config.path(ours.grid_key))
    log = CsvLog(config.path(ours.logs))
    engine = open_database(config.database_url)
    try:
        try:
            audit = AuditLog(config.path(ours.audit))
        except OSError as error:
            raise ConfigError(
                f"agents.audit: {ours.audit}: {error.strerror}; give a file that can be written"
            ) from error
        grid = GridAgent(ours, engine, audit, secret, clock_kind=clock, llm_ready=settings is not None)
        poller = Poller(
            deadline_s=ours.deadline_s, slots=ours.slots, failures=ours.breaker_failures, open_s=ours.breaker_open_s
        )
        cycles = Cycles(grid, poller, LanguageModel(settings) if settings else None, log)
        logger.info("grid agent listen=%s:%d clock=%s agents=%d", host, port, clock, len(grid.seats))
        app = make_grid_app(cycles, key)
        keep_what_is_there()
        _serve(app, host, port, {"ssl_certfile": ssl_certfile, "ssl_keyfile": ssl_keyfile})
    finally:
        engine.dispose()


def _serve(app: Any, host: str, port: int, tls: dict[str, Path | None]) -> None:
    """Run uvicorn; it raises the signal that ended it once more afterwards, which is then no news."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            backlog=2048,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
            **{name: str(path) for name, path in tls.items() if path is not None},  # type: ignore[arg-type]
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
