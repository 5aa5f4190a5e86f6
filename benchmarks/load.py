"""Scripted viewers in a process of their own: `python -m benchmarks.load` reads a Job as JSON and prints what it found.

Every viewer keeps one connection and asks as the page in a browser does, again and again, each at its own moment.
"""

import asyncio
import gzip
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import brotli

from benchmarks.processes import cpu_s

PATH = "/_dash-update-component"
WINDOW_S = 5.0
WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Job:
    """Who asks what of whom.

    Attributes:
        port: of the server on this machine.
        pids: its processes.
        body: the callback request.
        follow: id of the store that holds messages, whose tick the next request tells in the last state; empty: none.
        viewers: how many.
        hz: requests a second of each.
        warm_s: seconds that do not count.
        watch_s: seconds that count.
    """

    port: int
    pids: list[int]
    body: dict[str, Any]
    follow: str
    viewers: int
    hz: float
    warm_s: float
    watch_s: float


@dataclass(slots=True)
class Found:
    """What viewers saw: CPU of the server as cores in every window, seconds, and of each answer its time and size.

    Attributes:
        cores: in each window of `WINDOW_S`.
        seconds: that counted.
        answer_ms: from the request to the end of the answer.
        answer_bytes: on the wire, head and content, where there was something new.
        unchanged: answers that there is nothing new.
        late: requests left out because the one before was not answered yet.
        errors: what went wrong.
        counts: whether the seconds that count have begun.
    """

    cores: list[float] = field(default_factory=list)
    seconds: float = 0.0
    answer_ms: list[float] = field(default_factory=list)
    answer_bytes: list[int] = field(default_factory=list)
    unchanged: int = 0
    late: int = 0
    errors: list[str] = field(default_factory=list)
    counts: bool = False

    def add(self, status: int, size: int, taken_s: float) -> None:
        """Note an answer."""
        self.answer_ms.append(1000 * taken_s)
        if status == 204:
            self.unchanged += 1
        elif status == 200:
            self.answer_bytes.append(size)
        else:
            self.errors.append(f"status {status}")


async def watch(job: Job) -> Found:
    """Let all viewers watch."""
    found = Found()
    viewers = [asyncio.create_task(_view(job, i, found)) for i in range(job.viewers)]
    await asyncio.sleep(job.warm_s)
    found.counts = True
    began = at = time.perf_counter()
    used = cpu_s(job.pids)
    windows = max(1, round(job.watch_s / WINDOW_S))
    while len(found.cores) < windows or not (found.answer_ms or found.errors):  # a busy machine may take longer
        await asyncio.sleep(at + job.watch_s / windows - time.perf_counter())
        now, now_used = time.perf_counter(), cpu_s(job.pids)
        found.cores.append((now_used - used) / (now - at))
        at, used = now, now_used
    found.counts = False
    found.seconds = at - began
    for viewer in viewers:
        viewer.cancel()
    await asyncio.gather(*viewers, return_exceptions=True)
    return found


async def _view(job: Job, number: int, found: Found) -> None:
    """One viewer, spread over the period among the others."""
    loop = asyncio.get_running_loop()
    period = 1 / job.hz
    due = loop.time() + period * number / job.viewers
    streams = None
    body = json.loads(json.dumps(job.body))
    while True:
        await asyncio.sleep(due - loop.time())
        body["inputs"][0]["value"] += 1
        counts, began = found.counts, time.perf_counter()
        try:
            if streams is None:
                streams = await asyncio.open_connection("127.0.0.1", job.port)
            async with asyncio.timeout(WAIT_S):
                status, size, content = await _ask(job, streams, body)
            taken = time.perf_counter() - began
            if status == 200 and job.follow:
                message = json.loads(content)["response"][job.follow]["data"]
                body["state"][-1]["value"] = {**{name: message[name] for name in ("t", "v", "ep")}, "f": []}
            if counts:
                found.add(status, size, taken)
        except (OSError, EOFError, ValueError, KeyError) as error:  # a timeout is an OSError
            if counts:
                found.errors.append(repr(error))
            if streams is not None:
                streams[1].close()
            streams = None
        due += period
        while due < loop.time():
            due += period
            found.late += counts


async def _ask(
    job: Job, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], body: dict[str, Any]
) -> tuple[int, int, bytes]:
    """Post; the status, bytes on the wire, and the content."""
    reader, writer = streams
    sent = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
        f"Accept-Encoding: gzip, br\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    writer.write(head.encode() + sent)
    got = await reader.readuntil(b"\r\n\r\n")
    first, *lines = got.decode("latin-1").split("\r\n")
    status = int(first.split()[1])
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = 0 if status == 204 else int(fields["content-length"])
    content = await reader.readexactly(length)
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress}.get(fields.get("content-encoding", ""), bytes)
    return status, len(got) + length, unpack(content)


if __name__ == "__main__":
    result = asdict(asyncio.run(watch(Job(**json.load(sys.stdin)))))
    json.dump(result, sys.stdout)
