"""The agents room: coordination of real processes, with every tenth home hung, and the audit log.

A polled cycle asks every home to step, plans, and sends the orders; a pushed one is a round of reports with their
answers, and the plan between two of them. The peer is the loop one would first write: one home asked after the other.
"""

import asyncio
import importlib.util
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.agent_fleet import Fleet, started_fleet
from benchmarks.measure import Row, Size, repeated, skipped
from energy_sim.agents import coordination
from energy_sim.agents.audit.log import AuditLog, Record, verify_audit
from energy_sim.agents.fleet.http_request import ask
from energy_sim.agents.model import BATTERY, LOAD, SOLAR, Grid, Resources, Rules, Tie, Transformer

BUDGET_S = 1.0  # a cycle of 1,000 homes, and of fewer
BUDGET_HUNG_S = 2.0  # of the slowest one with open breakers
BUDGET_HEALTH_MS = 100.0
BUDGET_VERIFY_S = 2.0
SCENARIO, OTHER = 2, 4  # 3 kW load and hardly any sun, of two kinds: every home is ordered to draw less
LIMIT_KW = 1.5  # of the transformers, for each home
FIRST_CYCLES = 2  # until breakers are open
HEALTH_EVERY_S = 0.02
MANY = 90  # homes that stay well from which two hosts share them: a process takes a second to start


def measure(size: Size) -> list[Row]:
    """All rows of the agents room."""
    rows = [plan_row(homes, size.repeats) for homes in size.agents]
    extras = [name for name in ("aiohttp", "fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    for homes in size.agents:
        if extras:
            rows.append(skipped(f"polled cycle, {homes:,} homes", "s", f"no {', '.join(extras)}", BUDGET_S))
            continue
        with tempfile.TemporaryDirectory() as name:
            rows += polled_rows(Path(name) / "polled", homes, size.repeats)
            rows += pushed_rows(Path(name) / "pushed", homes, size.processes)
    return [*rows, *audit_rows(size)]


def polled_rows(folder: Path, homes: int, repeats: int) -> list[Row]:
    """Cycles in lock-step: all well, then a host with a tenth of the homes stopped."""
    tenth = max(homes // 10, 1)
    hosts = (*_shared(homes - tenth), tenth)
    with started_fleet(folder, hosts, "lock-step", LIMIT_KW) as fleet, watched_health(fleet) as ms:
        fleet.coordinate(SCENARIO)  # the first opens connections and orders
        everybody = {agent["id"] for agent in fleet.agents()}
        hung = {agent["id"] for agent in fleet.agents() if agent["url"].startswith(fleet.hosts[-1].url)}
        before = fleet.cpu_s()
        well = [_served(fleet, everybody) for _ in range(repeats)]
        cpu = [(b - a) / repeats for a, b in zip(before, fleet.cpu_s(), strict=True)]
        renewed = [_served(fleet, everybody, other) for other in (OTHER, SCENARIO)]
        during_ms = tuple(ms)
        one_by_one = tuple(asyncio.run(_sequential(fleet, "GET")) for _ in range(2))
        fleet.hosts[-1].process.send_signal(signal.SIGSTOP)
        first = [_served(fleet, everybody - hung) for _ in range(FIRST_CYCLES)]
        later = [_served(fleet, everybody - hung) for _ in range(repeats)]
        fleet.hosts[-1].process.send_signal(signal.SIGCONT)
        asyncio.run(_sequential(fleet, "GET"))  # until it has caught up
        stepped = tuple(asyncio.run(_sequential(fleet, "POST")) for _ in range(2))
    taken = tuple(s for _, s in well)
    ordinary = statistics.median(taken)
    note = f"CPU of a cycle: grid agent {cpu[0]:.2f} s, hosts {cpu[1]:.2f} s"
    if any(share < 1.0 for share, _ in well):
        note += "; not everybody answered"
    name = f"{homes:,} homes"
    return [
        Row(f"polled cycle, {name}", "s", taken, below=BUDGET_S, note=note),
        Row(f"polled cycle with a new order to every home, {name}", "s", tuple(s for _, s in renewed)),
        Row(
            f"one GET /status after the other, {name}", "s", one_by_one, note="the peer; nothing is stepped or planned"
        ),
        Row(f"one GET /status after the other against a cycle, {name}", "times", _ratio(one_by_one, ordinary)),
        Row(f"one POST /simulate after the other against a cycle, {name}", "times", _ratio(stepped, ordinary)),
        Row(f"GET /health during cycles, {name}", "ms", during_ms, below=BUDGET_HEALTH_MS, worst_counts=True),
        Row(f"polled cycle, {name}, the first with one in ten hung", "s", tuple(s for _, s in first)),
        Row(
            f"polled cycle, {name}, one in ten hung",
            "s",
            tuple(s for _, s in later),
            below=BUDGET_HUNG_S,
            worst_counts=True,
        ),
        Row(
            f"healthy homes served in the worst cycle, {name}",
            "share",
            (min(share for share, _ in (*first, *later)),),
            at_least=1.0,
            note="one in ten hung",
        ),
    ]


def _shared(homes: int) -> tuple[int, ...]:
    """Homes of each host."""
    return (homes // 2, homes - homes // 2) if homes >= MANY else (homes,)


def _ratio(slow: tuple[float, ...], quick: float) -> tuple[float, ...]:
    return tuple(seconds / quick for seconds in slow)


def _served(fleet: Fleet, healthy: set[str], scenario: int = SCENARIO) -> tuple[float, float]:
    """The share of them that was asked and answered in a cycle, and its seconds."""
    result, took = fleet.coordinate(scenario)
    return len(healthy - set(result["failed"])) / len(healthy), took


async def _sequential(fleet: Fleet, method: str) -> float:
    """Seconds to ask everybody how it stands (GET) or to go through a cycle (POST), one after the other."""
    import aiohttp

    path = "status" if method == "GET" else "simulate"
    urls = [f"{agent['url']}/{path}" for agent in fleet.agents()]
    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        for url in urls:
            async with session.request(method, url, json=None if method == "GET" else {}) as response:
                await response.json()
        return time.perf_counter() - began


@contextmanager
def watched_health(fleet: Fleet) -> Iterator[list[float]]:
    """Milliseconds of GET /health, asked again and again by a thread."""
    taken: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(HEALTH_EVERY_S):
            began = time.perf_counter()
            if ask("GET", f"{fleet.url}/health", timeout_s=10.0).ok:
                taken.append(1e3 * (time.perf_counter() - began))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield taken
    finally:
        ended.set()
        thread.join()


def pushed_rows(folder: Path, homes: int, repeats: int) -> list[Row]:
    """Rounds of reports of two hosts, and cycles on what they reported, with orders to everybody who can give."""
    report_s = 3.0 if homes > 100 else 0.5
    with started_fleet(folder, _shared(homes), "real", 0.0, report_s) as fleet:
        time.sleep(report_s)
        fleet.coordinate(polled=False)
        rounds = [_round(fleet, report_s) for _ in range(repeats)]
        planned = [fleet.coordinate(polled=False)[1] for _ in range(max(repeats, 3))]
        before, began = fleet.cpu_s(), time.monotonic()
        time.sleep(2 * report_s)
        rounds_s = (time.monotonic() - began) / report_s
        cpu = [(b - a) / rounds_s for a, b in zip(before, fleet.cpu_s(), strict=True)]
    name, plan = f"{homes:,} homes", statistics.median(planned)
    return [
        Row(
            f"pushed cycle, {name}",
            "s",
            tuple(seconds + plan for seconds in rounds),
            below=BUDGET_S,
            note="reports in and answers out, host after host, and the plan;"
            f" CPU of a round: grid agent {cpu[0]:.2f} s, hosts {cpu[1]:.2f} s",
        ),
        Row(f"coordination on the latest reports, {name}", "ms", tuple(1e3 * s for s in planned)),
    ]


def _round(fleet: Fleet, report_s: float) -> float:
    """Seconds that a round of reports takes, from the first heard to the last; both hosts one after the other."""
    time.sleep(report_s)  # a new one
    found: dict[str, float] = {}
    ends = time.monotonic() + 20 * report_s
    while len(found) < len(fleet.hosts):
        time.sleep(report_s / 7)
        listed = fleet.agents()
        for host in fleet.hosts:
            ages = [agent["age_s"] for agent in listed if agent["url"].startswith(host.url)]
            if min(ages) > 0.1 * report_s and max(ages) < report_s:  # no report is on its way
                found[host.url] = max(ages) - min(ages)
        if time.monotonic() > ends:
            raise TimeoutError(f"no round of reports ends within {report_s:g} s")
    return sum(found.values())


def plan_row(homes: int, repeats: int) -> Row:
    """The plan alone: two transformers, three resources a home, neighbour help and curtailment."""
    rng = np.random.default_rng(homes)
    load, sun, zero = rng.uniform(0.5, 6.0, homes), -rng.uniform(0, 2.0, homes), np.zeros(homes)
    wanted, low = np.concatenate([load, sun, zero]), np.concatenate([0.4 * load, sun, zero - 2])
    high = np.concatenate([load, zero, zero + 2])
    each, sure = np.arange(homes), np.ones(3 * homes, dtype=np.bool_)
    resources = Resources(
        ids=tuple(f"home_{i}/{kind}" for kind in ("load", "solar", "battery") for i in range(homes)),
        agent=np.tile(each, 3),
        transformer=np.tile((each % 3 == 0).astype(np.int64), 3),
        kind=np.repeat([LOAD, SOLAR, BATTERY], homes),
        wanted_kw=wanted,
        power_kw=wanted,
        min_kw=low,
        max_kw=high,
        flexible=sure,
        may_discharge=sure,
        past_kwh=np.concatenate([rng.uniform(0, 1, homes), zero, zero]),
    )
    limits = (Transformer("A", 1.2 * homes, 9.0 * homes), Transformer("B", 0.9 * homes, 9.0 * homes))
    grid, rules = Grid(limits, (Tie("A", "B", 0.05 * homes),)), Rules()
    taken = repeated(lambda: coordination.plan(grid, resources, np.zeros(2), rules, (), 0.0), repeats, 3, 1e3)
    return Row(f"plan alone, {homes:,} homes with 3 resources", "ms", taken)


def audit_rows(size: Size) -> list[Row]:
    """Appending with one fsync a call, and verifying."""
    records = [
        Record("grid", "curtail", f"home_{i}/load", 1, {"power_kw": 1.25, "why": "overload"}) for i in range(1000)
    ]
    with tempfile.TemporaryDirectory() as name:
        log = AuditLog(Path(name) / "audit.jsonl")
        calls = repeated(lambda: log.append_all(records[:10]), size.repeats, 5, 1e3)
        while log.append_all(records) < size.audit_lines:
            pass
        verified = repeated(lambda: _whole(log.path), min(size.repeats, 3))
    return [
        Row("audit, 10 entries in a call, on the disk", "ms", calls),
        Row(f"audit, {size.audit_lines:,} lines verified", "s", verified, below=BUDGET_VERIFY_S),
    ]


def _whole(log: Path) -> None:
    assert verify_audit(log) == ()
