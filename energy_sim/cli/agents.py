"""`energy-sim agents`: every home its own server, and a grid agent that coordinates them."""

import importlib.util
import os
import re
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import typer

from energy_sim.cli import agents_fleet
from energy_sim.cli.options import say
from energy_sim.config import AgentsConfig, Config
from energy_sim.errors import ConfigError, DataError

app = typer.Typer(help="Homes and batteries as servers of their own, and a grid agent.", no_args_is_help=True)
app.command("demo")(agents_fleet.demo)
app.command("fleet")(agents_fleet.fleet)

KEY_VARIABLE = "KRAFTFLYT_AGENTS_KEY"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NEEDED = ("fastapi", "uvicorn", "aiohttp", "uvloop", "httptools")

HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]
PortOption = Annotated[int, typer.Option("--port", min=1, max=65535, help="TCP port.")]
GridOption = Annotated[str, typer.Option("--grid", help="Grid agent, such as http://127.0.0.1:8000; empty: none.")]
TransformerOption = Annotated[str, typer.Option("--transformer", help="Transformer it is connected to.")]
UrlOption = Annotated[str, typer.Option("--url", help="Where the grid agent reaches it, when not host and port.")]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="In place of agents.seed.", show_default=False)]
ClockOption = Annotated[str, typer.Option("--clock", help="real or lock-step; without: as the grid agent says.")]
CertOption = Annotated[Path | None, typer.Option("--ssl-certfile", help="Certificate: serve https.")]
KeyfileOption = Annotated[Path | None, typer.Option("--ssl-keyfile", help="Key of the certificate.")]
CaOption = Annotated[Path | None, typer.Option("--ssl-ca-certs", help="Whom to trust for the grid agent's https.")]
ParentOption = Annotated[bool, typer.Option("--die-with-parent", hidden=True, help="End with the parent process.")]


@app.command()
def grid(
    context: typer.Context,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    clock: Annotated[str, typer.Option("--clock", help="real or lock-step.")] = "real",
    ssl_certfile: CertOption = None,
    ssl_keyfile: KeyfileOption = None,
    die_with_parent: ParentOption = False,
) -> None:
    """Run the grid agent."""
    prepare(host, port, clock, ssl_certfile, ssl_keyfile, die_with_parent)
    from energy_sim.agents.grid.run import run_grid

    run_grid(
        context.obj.config,
        host=host,
        port=port,
        clock="lock-step" if clock == "lock-step" else "real",
        key=os.environ.get(KEY_VARIABLE, ""),
        ssl_certfile=ssl_certfile,
        ssl_keyfile=ssl_keyfile,
    )


def _one(role: str, default_port: int) -> Callable[..., None]:
    """The command of one home or one battery: the same options, another role."""

    def command(
        context: typer.Context,
        agent_id: Annotated[str, typer.Option("--id", help="Its name.")],
        transformer: TransformerOption = "transformer_A",
        grid_url: GridOption = "",
        host: HostOption = "127.0.0.1",
        port: PortOption = default_port,
        url: UrlOption = "",
        clock: ClockOption = "",
        seed: SeedOption = None,
        ssl_certfile: CertOption = None,
        ssl_keyfile: KeyfileOption = None,
        ssl_ca_certs: CaOption = None,
        die_with_parent: ParentOption = False,
    ) -> None:
        prepare(host, port, clock, ssl_certfile, ssl_keyfile, die_with_parent)
        _run(
            context.obj.config,
            [agent_id],
            transformer,
            clock,
            role=role,
            grid_url=grid_url,
            host=host,
            port=port,
            public_url=url,
            seed=seed,
            ssl_certfile=_text(ssl_certfile),
            ssl_keyfile=_text(ssl_keyfile),
            ssl_ca_certs=_text(ssl_ca_certs),
        )

    command.__doc__ = f"Run one {role} agent."
    return command


app.command("home")(_one("home", 8001))
app.command("battery")(_one("battery", 8004))


@app.command()
def host(
    context: typer.Context,
    homes: Annotated[int, typer.Option("--homes", min=1, max=10_000, help="Homes in this process.")] = 100,
    name: Annotated[str, typer.Option("--id", help="Name of the host; homes are called after it.")] = "host_1",
    transformer: Annotated[
        str, typer.Option("--transformer", help="Where all are connected; empty: spread over all transformers.")
    ] = "",
    grid_url: GridOption = "",
    address: HostOption = "127.0.0.1",
    port: PortOption = 8101,
    url: UrlOption = "",
    clock: ClockOption = "",
    seed: SeedOption = None,
    ssl_certfile: CertOption = None,
    ssl_keyfile: KeyfileOption = None,
    ssl_ca_certs: CaOption = None,
    die_with_parent: ParentOption = False,
) -> None:
    """Run many homes in one process."""
    prepare(address, port, clock, ssl_certfile, ssl_keyfile, die_with_parent)
    config: Config = context.obj.config
    known = [transformer] if transformer else list(config.agents.transformers)
    _run(
        config,
        [f"{name}_home_{n}" for n in range(1, homes + 1)],
        [known[n % len(known)] for n in range(homes)],
        clock,
        role="home",
        grid_url=grid_url,
        host=address,
        port=port,
        public_url=url,
        seed=seed,
        many=True,
        name=name,
        ssl_certfile=_text(ssl_certfile),
        ssl_keyfile=_text(ssl_keyfile),
        ssl_ca_certs=_text(ssl_ca_certs),
    )


@app.command("verify-audit")
def verify_audit_log(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Audit log; agents.audit without it.", show_default=False)] = None,
) -> None:
    """Check the chain of an audit log; exit code 1 when somebody changed it."""
    from energy_sim.agents.audit.log import verify_audit

    config: Config = context.obj.config
    path = file or config.path(config.agents.audit)
    try:
        with path.open("rb") as log:
            lines = sum(1 for _ in log)
        findings = verify_audit(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give the audit log of a grid agent") from error
    for finding in findings:
        say(f"{path.name}: line {finding.line}: {finding.kind}: {finding.text}")
    if findings:
        say(f"{path}: {len(findings)} findings in {lines:,} lines")
        raise typer.Exit(1)
    say(f"{path}: {lines:,} lines, the chain is whole")


def _run(config: Config, ids: list[str], transformers: str | list[str], clock: str, **options: Any) -> None:
    from energy_sim.agents.home.run import run_agents

    ours = config.agents
    for name in ids:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"--id: {name[:80]!r} is no name; give letters, digits, - and _, 64 at most")
    _check_address("--grid", options["grid_url"])
    _check_address("--url", options["public_url"])
    known = ", ".join(ours.transformers)
    for name in {transformers} if isinstance(transformers, str) else set(transformers):
        if name not in ours.transformers and not options["grid_url"]:
            raise ConfigError(f"--transformer: {name} is unknown; the transformers are {known}")
    run_agents(
        _started(ours),
        ids,
        transformers,
        key=os.environ.get(KEY_VARIABLE, ""),
        clock=clock or None,  # type: ignore[arg-type]
        logs=config.path(ours.logs),
        **options,
    )


def _check_address(option: str, url: str) -> None:
    """See that an address is one, or none.

    Raises:
        ConfigError: it is not.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not parts.username
        good = good and not any(sign.isspace() for sign in url)
    except ValueError:  # a port that is none
        good = False
    if url and not good:
        raise ConfigError(f"{option}: {url[:80]!r} is no address; give one such as http://127.0.0.1:8000")


def _started(config: AgentsConfig) -> AgentsConfig:
    """The configuration with the word now as the moment it stands for."""
    if config.start != "now":
        return config
    moment = datetime.now(ZoneInfo(config.timezone)).isoformat(timespec="seconds")
    return config.model_copy(update={"start": moment})


def prepare(
    host: str, port: int, clock: str, certificate: Path | None, keyfile: Path | None, die_with_parent: bool
) -> None:
    """Everything that can be said before a server starts.

    Raises:
        ConfigError: the extra is absent, the clock is unknown, a file is missing, or the port is taken.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"{', '.join(missing)} not installed; install the extra: pip install 'kraftflyt[agents]'")
    if die_with_parent:
        from energy_sim.agents.fleet.parent import die_with_parent as end_with_parent

        end_with_parent()
    if clock not in {"", "real", "lock-step"}:
        raise ConfigError(f"--clock: {clock!r} is unknown; give real or lock-step")
    if keyfile is not None and certificate is None:
        raise ConfigError("--ssl-keyfile: has no certificate; give --ssl-certfile too")
    for name, path in (("--ssl-certfile", certificate), ("--ssl-keyfile", keyfile)):
        if path is not None and not path.is_file():
            raise ConfigError(f"{name}: {path} is no file; give a PEM file")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(f"--port: {host}:{port} cannot be listened on ({reason}); give a free one") from error


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
