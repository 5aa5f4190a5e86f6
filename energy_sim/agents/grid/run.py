"""Starts the grid agent of one process, until a signal ends it.

run_grid(config, host="127.0.0.1", port=8000, clock="lock-step")
"""

import logging
import os
from pathlib import Path

from energy_sim.agents.audit.csv_log import CsvLog
from energy_sim.agents.audit.log import AuditLog
from energy_sim.agents.grid.agent import ClockKind, GridAgent
from energy_sim.agents.grid.cycles import Cycles
from energy_sim.agents.grid.polling import Poller
from energy_sim.agents.grid.registry import read_or_make_secret
from energy_sim.agents.grid.server import make_grid_app
from energy_sim.agents.http_server import check_address, serve
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
        serve(app, host, port, ssl_certfile, ssl_keyfile)
    finally:
        engine.dispose()
