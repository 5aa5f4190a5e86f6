"""What the servers of all agents share: where they listen, how they run and end, what an error says.

check_address(host, key)
serve(app, host, port)
"""

import gc
import ipaddress
import signal
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from energy_sim.agents.messages import Message
from energy_sim.errors import ConfigError

MOST_BODY = 64 * 1024  # bytes of a request
MOST_LINE = 500  # characters of an error
NO_WEB_PAGES = "without KRAFTFLYT_AGENTS_KEY nothing is done for a web page; ask without Origin"
LOOPBACK_NAMES = {"localhost"}
KEEP_ALIVE_S = 75  # idle connections: longer than who asks keeps them, so that none closes as a request sets out
WAITING = 2048  # connections that may wait to be taken


class ErrorBody(Message):
    """Every answer that is no success: what went wrong, one line."""

    error: str


def one_line(text: str) -> str:
    """Text as one line that is not too long, for what is sent can stand in an error: names of fields, of agents."""
    return " ".join(text.split())[:MOST_LINE]


def check_address(host: str, key: str) -> None:
    """See that an address beyond this machine is not open to everybody.

    Raises:
        ConfigError: it is, and there is no key.
    """
    try:
        local = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        local = host in LOOPBACK_NAMES
    if not local and not key:
        raise ConfigError(
            f"--host {host}: others could reach it and there is no key; set KRAFTFLYT_AGENTS_KEY or listen on 127.0.0.1"
        )


def serve(
    app: FastAPI,
    host: str,
    port: int,
    ssl_certfile: str | Path | None = None,
    ssl_keyfile: str | Path | None = None,
) -> None:
    """Answer until SIGINT or SIGTERM; returns within about a second of it."""
    _keep_what_is_there()
    # uvicorn raises the signal that ended it once more afterwards: to the ones here, which take it for no news
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
            backlog=WAITING,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
        )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep_what_is_there() -> None:
    """Leave modules and whatever has been made so far out of every later search for garbage, and search seldom.

    They stay to the end anyway, and looking through them holds everybody up for 50 ms, in the midst of a cycle.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
