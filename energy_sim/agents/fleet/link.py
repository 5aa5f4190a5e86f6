"""A line between two agents that can be broken for real: a TCP relay on loopback, one per agent and direction.

    link = await open_link(grid_port)
    ...                              # clients connect to link.port
    link.set_mode("cut")
    await link.close()

Modes: `open` passes everything on; `slow` holds every piece from the client back for three seconds; `cut` resets what
is connected and lets new connections hang without a byte; `error` answers every request with 500, `malformed` with 200
and JSON that ends in the middle.
"""

import asyncio
import logging
import socket
import struct
from contextlib import suppress
from typing import Literal, get_args

from energy_sim.errors import DataError

logger = logging.getLogger(__name__)

Mode = Literal["open", "slow", "cut", "error", "malformed"]
MODES: tuple[Mode, ...] = get_args(Mode)
SLOW_S = 3.0

_PIECE = 65_536
_MOST_HEAD = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST
_CALM = {"open", "slow"}  # modes between which connections live on
_ANSWERS = {
    "error": ("500 Internal Server Error", "text/plain", b"the link says no"),
    "malformed": ("200 OK", "application/json", b'{"cycle": 3, "events": [{"reso'),
}


class Link:
    """A relay to one port; see `open_link`."""

    def __init__(self, target_port: int, slow_s: float) -> None:
        self.port = 0
        self.mode: Mode = "open"
        self._target_port = target_port
        self._slow_s = slow_s
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    async def listen(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def set_mode(self, mode: Mode) -> None:
        """Change what happens to bytes from now on; all but open and slow reset what is connected.

        Raises:
            DataError: there is no such mode.
        """
        if mode not in MODES:
            raise DataError(f"link: {mode!r} is not one of {', '.join(MODES)}; give one of them")
        calm = {mode, self.mode} <= _CALM
        self.mode = mode
        if not calm:
            self._reset_all()

    async def close(self) -> None:
        """Reset everything and stop listening."""
        if self._server is not None:
            self._server.close()
        self._reset_all()
        for task in tuple(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _reset_all(self) -> None:
        for writer in tuple(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:  # asyncio runs this as a task, always
            return
        self._serving.add(task)
        self._writers.add(writer)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # either side went away, or what came is no HTTP
        except asyncio.CancelledError:
            pass  # by close(); asyncio's own callback stumbles over a cancelled connection
        finally:
            self._serving.discard(task)
            self._writers.discard(writer)
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "cut":
            while not reader.at_eof() and not writer.is_closing():
                await reader.read(_PIECE)
        elif self.mode in _ANSWERS:
            await _answer(reader, writer, *_ANSWERS[self.mode])
        else:
            await self._relay(reader, writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers.add(far_writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer, delayed=True))
                both.create_task(self._pump(far_reader, writer, delayed=False))
        except* OSError:
            logger.debug("link reset port=%d", self.port)
        finally:
            self._writers.discard(far_writer)
            _reset(far_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delayed: bool) -> None:
        while piece := await reader.read(_PIECE):
            if delayed and self.mode == "slow":
                await asyncio.sleep(self._slow_s)
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


async def open_link(target_port: int, *, slow_s: float = SLOW_S) -> Link:
    """A link to a port of loopback, listening on a port of its own.

    Args:
        target_port: where connections are passed on to; nobody need listen there yet.
        slow_s: seconds by which the mode `slow` holds back.
    """
    link = Link(target_port, slow_s)
    await link.listen()
    return link


def free_port() -> int:
    """A port of loopback on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: str, content_type: str, body: bytes
) -> None:
    """Read one request and answer it, then close in good order."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head[:_MOST_HEAD].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)
    fields = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close"
    writer.write(f"HTTP/1.1 {status}\r\n{fields}\r\n\r\n".encode() + body)
    writer.write_eof()
    while await reader.read(_PIECE):  # until the client has closed too: a reset could overtake the answer
        pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, whatever is still under way."""
    plug = writer.get_extra_info("socket")
    with suppress(OSError):
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
