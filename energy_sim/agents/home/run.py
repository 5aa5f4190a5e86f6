"""Starts the agents of one process: their server and their reports, until a signal ends both.

run_agents(config.agents, ["home_1"], "transformer_A", role="home", port=8001, grid_url="http://127.0.0.1:8000")
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from energy_sim.agents.audit.csv_log import CsvLog
from energy_sim.agents.failsafe import Rules
from energy_sim.agents.fleet.parent import die_with_parent as end_with_parent
from energy_sim.agents.home.homes import make_homes
from energy_sim.agents.home.local_agents import LocalAgents, no_log
from energy_sim.agents.home.reporting import Reporter, Settings
from energy_sim.agents.home.server import make_app
from energy_sim.agents.home.simulated_time import ClockKind, World, start_moment
from energy_sim.agents.home.surroundings import Village
from energy_sim.agents.http_server import check_address, serve
from energy_sim.agents.messages import Role
from energy_sim.config import AgentsConfig

logger = logging.getLogger(__name__)


def make_local_agents(
    config: AgentsConfig,
    ids: Sequence[str],
    transformers: str | Sequence[str],
    role: Role = "home",
    *,
    seed: int | None = None,
    clock: ClockKind = "lock-step",
    log: CsvLog | None = None,
) -> LocalAgents:
    """Agents as the configuration describes them.

    Raises:
        ConfigError: names are given twice, or a value cannot be used.
    """
    seed = config.seed if seed is None else seed
    under = (transformers,) * len(ids) if isinstance(transformers, str) else tuple(transformers)
    homes = make_homes(tuple(ids), under, seed, tuple(role for _ in ids))
    rules = Rules(config.heartbeat_timeout_s, config.release_grace_s, config.failsafe_kw)
    start_s = start_moment(config.start, config.timezone)
    world = World(clock, start_s, config.speed, config.step_s, time.monotonic())
    village = Village(homes, config.place, config.timezone, seed)
    return LocalAgents(homes, village, world, rules, config.on_silence, log=log or no_log)


def run_agents(
    config: AgentsConfig,
    ids: Sequence[str],
    transformers: str | Sequence[str],
    *,
    role: Role = "home",
    grid_url: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    key: str = "",
    many: bool = False,
    name: str = "",
    seed: int | None = None,
    clock: ClockKind | None = None,
    public_url: str = "",
    logs: Path | None = None,
    ssl_certfile: str | None = None,
    ssl_keyfile: str | None = None,
    ssl_ca_certs: str | None = None,
    die_with_parent: bool = False,
) -> None:
    """Serve agents until SIGINT or SIGTERM; blocks.

    Args:
        config: section `agents`.
        ids: who lives in this process.
        transformers: where they are connected, one for all or one each.
        role: of all of them.
        grid_url: the grid agent; empty: they stand alone, in failsafe once nobody is heard.
        host: address to listen on.
        port: TCP port to listen on.
        key: of the fleet; needed on an address beyond this machine.
        many: a host of many homes, with the agent's id in the path.
        name: of a host.
        seed: in place of the configuration's.
        clock: real or lock-step until the grid agent says; None: lock-step with a grid agent, real without.
        public_url: where others reach this process, when that is not host and port; a path of agents is added.
        logs: folder of the CSV logs; None writes none.
        ssl_certfile: certificate of this server, with it it speaks https.
        ssl_keyfile: its key.
        ssl_ca_certs: whom to trust for the grid agent's https, when that is not the system's choice.
        die_with_parent: end with the process that started this one.

    Raises:
        ConfigError: nobody is named, the address is open without a key, or a value cannot be used.
    """
    if die_with_parent:
        end_with_parent()
    check_address(host, key)
    log = None if logs is None else CsvLog(logs, (name or "host") if many else "")
    kind: ClockKind = clock or ("lock-step" if grid_url else "real")
    agents = make_local_agents(config, ids, transformers, role, seed=seed, clock=kind, log=log)
    own = public_url.rstrip("/") or f"{'https' if ssl_certfile else 'http'}://{_in_url(host)}:{port}"
    tls = ssl.create_default_context(cafile=ssl_ca_certs) if ssl_ca_certs else None
    settings = Settings(
        grid_url,
        f"{own}/{{}}" if many else own,
        key,
        config.report_interval_s,
        config.lease_s,
        config.deadline_s,
        tls,
    )
    reporter = Reporter(agents, settings)

    @asynccontextmanager
    async def along(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(reporter.run() if grid_url else keep_time(agents))
        task.add_done_callback(_say_end)
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    app = make_app(agents, host=many, key=key, tokens=reporter.tokens, name=name, lifespan=along)
    logger.info("agents=%d first=%s listen=%s:%d grid=%s clock=%s", len(agents), ids[0], host, port, grid_url, kind)
    serve(app, host, port, ssl_certfile, ssl_keyfile)


def _say_end(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        logger.error("reports ended", exc_info=error)


async def keep_time(agents: LocalAgents) -> None:
    """Let agents live that report to nobody."""
    while True:
        agents.advance()
        await asyncio.sleep(1.0)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
