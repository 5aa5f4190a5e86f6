"""Map a function over tasks: on threads of this process by default, on a Dask cluster by address.

Functions handed in must release the GIL to gain from threads (compiled kernels and solvers do) and be importable by
name to run on a cluster.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from energy_sim.errors import ConfigError

CONNECT_TIMEOUT_S = 10.0

Task = TypeVar("Task")
Result = TypeVar("Result")


def map_tasks(
    function: Callable[[Task], Result], tasks: Iterable[Task], threads: int = 0, scheduler: str = ""
) -> Iterator[tuple[int, Result]]:
    """Yield (position of the task, its result) as tasks finish; at most twice as many wait as can run.

    Args:
        function: what to do with one task.
        tasks: the tasks; taken lazily when threads run them.
        threads: 0 for one per core.
        scheduler: address of a Dask scheduler; empty for threads.

    Raises:
        ConfigError: the scheduler cannot be reached, or the optional package is absent.
    """
    if scheduler:
        yield from _map_on_cluster(function, tasks, scheduler)
        return
    workers = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: dict[Future[Result], int] = {}
        try:
            for position, task in enumerate(tasks):
                if len(waiting) >= 2 * workers:
                    yield from _finished(waiting)
                waiting[pool.submit(function, task)] = position
            while waiting:
                yield from _finished(waiting)
        finally:
            for future in waiting:
                future.cancel()


def _finished(waiting: dict[Future[Result], int]) -> Iterator[tuple[int, Result]]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        yield waiting.pop(future), future.result()


def _map_on_cluster(
    function: Callable[[Task], Result], tasks: Iterable[Task], scheduler: str
) -> Iterator[tuple[int, Result]]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ConfigError(
            "compute.scheduler is set, but the extra `cluster` is not installed; leave it empty"
        ) from error
    try:  # before a client: one that cannot connect leaves its thread behind, and the next one may wait for ever
        asyncio.run(_knock(scheduler))
        client = Client(scheduler, timeout=CONNECT_TIMEOUT_S)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"compute.scheduler: no Dask scheduler answers at {scheduler}; start one or leave it empty"
        ) from error
    with client:
        futures = client.map(function, list(tasks), pure=False)
        position = {future.key: i for i, future in enumerate(futures)}
        for future in as_completed(futures):  # type: ignore[no-untyped-call]
            yield position[future.key], future.result()


async def _knock(scheduler: str) -> None:
    from distributed.comm.core import connect

    comm = await connect(scheduler, timeout=CONNECT_TIMEOUT_S)  # type: ignore[no-untyped-call]
    await comm.close()
