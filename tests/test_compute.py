"""Tasks on threads and on a Dask cluster give the same; what fails says so."""

import subprocess
import sys
import threading
import time

import pytest

from energy_sim.compute import map_tasks
from energy_sim.errors import ConfigError


def square(n: int) -> int:
    return n * n


def fail_at_three(n: int) -> int:
    if n == 3:
        raise ZeroDivisionError("task 3")
    return n


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
def test_each_task_is_done_once_and_tells_its_position(threads):
    found = list(map_tasks(square, range(40), threads))
    assert sorted(found) == [(n, n * n) for n in range(40)]


def test_no_tasks_give_no_results():
    assert list(map_tasks(square, [])) == []


def test_results_come_as_tasks_finish():
    slow_may_end = threading.Event()

    def work(n):
        if n == 0:
            assert slow_may_end.wait(10)
        return n

    found = map_tasks(work, range(2), threads=2)
    assert next(found) == (1, 1)
    slow_may_end.set()
    assert list(found) == [(0, 0)]


def test_tasks_are_taken_lazily():
    taken = []

    def tasks():
        for n in range(1000):
            taken.append(n)
            yield n

    found = map_tasks(square, tasks(), threads=2)
    next(found)
    assert len(taken) <= 5
    found.close()
    assert len(taken) <= 5


def test_an_exception_in_a_task_surfaces_and_the_rest_is_not_started():
    done = []

    def work(n):
        time.sleep(0.001)
        done.append(n)
        return fail_at_three(n)

    with pytest.raises(ZeroDivisionError, match="task 3"):
        list(map_tasks(work, range(1000), threads=2))
    assert len(done) < 20
    assert threading.active_count() < 20


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "no address"])
def test_a_scheduler_that_cannot_be_reached_is_a_clear_error(address, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("energy_sim.compute.CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(ConfigError, match=f"compute.scheduler: no Dask scheduler answers at {address}"):
        list(map_tasks(square, range(3), scheduler=address))


CLUSTER = """
import asyncio
from distributed import Scheduler, Worker

async def main():
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
        async with Worker(scheduler.address, nthreads=2):
            print(scheduler.address, flush=True)
            await asyncio.get_running_loop().run_in_executor(None, input)

try:
    asyncio.run(main())
except EOFError:
    pass
"""


@pytest.fixture(scope="module")
def cluster(root):
    """The address of a scheduler with one worker, in a process of its own that ends with this one."""
    pytest.importorskip("distributed")
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    ) as running:
        yield running.stdout.readline().strip()
        running.stdin.close()
        running.wait(30)


@pytest.mark.slow
def test_a_cluster_gives_what_threads_give(cluster):
    assert cluster.startswith("tcp://127.0.0.1:")
    assert sorted(map_tasks(square, range(20), scheduler=cluster)) == sorted(map_tasks(square, range(20)))


@pytest.mark.slow
def test_an_exception_in_a_task_on_the_cluster_surfaces(cluster):
    with pytest.raises(ZeroDivisionError, match="task 3"):
        list(map_tasks(fail_at_three, range(6), scheduler=cluster))
    assert sorted(map_tasks(square, range(3), scheduler=cluster)) == [(0, 0), (1, 1), (2, 4)]


@pytest.mark.slow
def test_an_ensemble_on_the_cluster_equals_the_one_on_threads(cluster, root):
    import numpy as np

    from energy_sim.zones.data import load_inputs
    from energy_sim.zones.ensemble import all_scenarios, run_ensemble
    from energy_sim.zones.model import Factors
    from energy_sim.zones.network_file import read_network
    from energy_sim.zones.simulator import Settings

    small = root / "examples" / "small_losses"
    network = read_network(small / "network.yaml")
    inputs = load_inputs((small / "input",), network, None, None)
    scenarios = all_scenarios(inputs, [], [Factors(inflow=n / 4) for n in range(4)])
    threads, cluster_run = (
        run_ensemble(network, inputs, Settings(), scenarios, scheduler=address) for address in ("", cluster)
    )
    assert len(scenarios) == 12
    for name in ("level_mwh", "unmet_mwh", "total"):
        np.testing.assert_array_equal(getattr(threads, name), getattr(cluster_run, name))
