"""`energy-sim community publish`: the houses' meters over MQTT, by hand or as a child process of `energy-sim serve`."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from energy_sim.cli.options import Context
from energy_sim.config import Config
from energy_sim.errors import ConfigError

if TYPE_CHECKING:
    from energy_sim.session import LiveRoom, Sessions

_PARENT = "KRAFTFLYT_PUBLISH_FOR"  # process whose end is the end of the publisher


def publish(
    context: typer.Context,
    session: Annotated[str, typer.Option("--session", help="Only this session, even paused.", show_default=False)] = "",
    every_s: Annotated[float, typer.Option("--every-s", min=1, max=3600, help="Seconds between readings.")] = 10,
    url: Annotated[
        str, typer.Option("--url", help="Broker, mqtt:// or mqtts://; community.mqtt.url without.", show_default=False)
    ] = "",
) -> None:
    """Publish the meters of all houses of the sessions that play, until Ctrl-C."""
    from energy_sim.community.mqtt import publish_sessions
    from energy_sim.community.mqtt_url import parse_url

    config: Config = context.obj.config
    address = url or broker_url(config)
    if not address:
        raise ConfigError("community.mqtt.url: no broker is set; set it, or give --url mqtt://user:password@host:1883")
    broker = parse_url(address)
    parent = int(os.environ.get(_PARENT, "0"))
    with _stopped_by_signals() as stop, _open_sessions(config) as sessions, ThreadPoolExecutor(1) as pool:
        running = pool.submit(publish_sessions, sessions, broker, stop, every_s, session or None)
        while not wait([running], timeout=1.0).done:
            if parent and os.getppid() != parent:
                stop.set()
        running.result()


def broker_url(config: Config) -> str:
    """The configured broker; empty when meters stay in."""
    return config.community.mqtt.url


def start_publisher(chosen: Context) -> None:
    """Start the command as a child process that ends with this one, however this one ends.

    Raises:
        ConfigError: the configured broker's address cannot be used.
    """
    from energy_sim.community.mqtt_url import parse_url

    parse_url(broker_url(chosen.config))
    command = [sys.executable, "-c", "from energy_sim.cli import main; main()", "--log-level", chosen.log_level]
    for option, file in (("--config", chosen.config_file), ("--log-file", chosen.log_file)):
        command += [option, str(file.resolve())] if file is not None else []
    subprocess.Popen(  # noqa: S603
        [*command, "community", "publish"], stdin=subprocess.DEVNULL, env=os.environ | {_PARENT: str(os.getpid())}
    )


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; only other threads may wait for it."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _open_sessions(config: Config) -> Iterator["Sessions"]:
    """The live sessions of the configured database, as the server's own processes see them."""
    from energy_sim.database import open_database
    from energy_sim.session import Room, Sessions

    def open_room(parameters: dict[str, Any], _seed: int) -> "LiveRoom":
        from energy_sim.community.live import open_community

        return open_community(parameters)

    limits = config.sessions
    engine = open_database(config.database_url)
    try:
        yield Sessions(
            engine,
            [Room("community", open_room)],
            idle_pause_s=limits.idle_pause_s,
            max_in_memory=limits.max_in_memory,
            store_every_s=limits.checkpoint_every_s,
        )
    finally:
        engine.dispose()
