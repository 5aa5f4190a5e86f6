"""The demo: a fleet in lock-step whose transformer is overloaded, helped by a neighbour, curtailed, and restored.

    summary = await run_demo(config, folder, Demo(homes=3, batteries=2, cycles=10), show)

It is a working day in July. The homes live through the day hour by hour, then it is five in the afternoon; in the
third cycle a car that needs energy arrives at every home of the first transformer. What the table says is read from
the agents' own reports, and an order counts as followed only if the next report shows it.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from energy_sim.agents.audit.entries import read_head
from energy_sim.agents.audit.verify import verify_audit
from energy_sim.agents.fleet.demo_cycle import Checked, CycleRow, check_orders, curtailed_kwh, read_cycle
from energy_sim.agents.fleet.processes import GRID, Fleet, cli_command, make_members
from energy_sim.agents.messages import Report
from energy_sim.config import Config
from energy_sim.errors import DataError

START = "2026-07-08T17:00:00"  # late enough that the sun alone does not carry the cars, early enough that it helps
MORNING = "2026-07-08T06:00:00"
STEP_S = 600.0
CARS_AT = 3  # cycle
CAR_KWH = 8.0  # of each car: charged, in spite of curtailment, within the ten cycles
LIMIT_KW = 6.0  # of the first transformer for each of its homes: less than a car draws

_ASK_S = 15.0
_START_S = 120.0  # a process takes a second and a half of CPU to start, of a busy machine too
_NOW_S = 1e-3  # step of a car's arrival


@dataclass(frozen=True, slots=True)
class Demo:
    """What is shown: ``cycles`` 0 goes on until it is interrupted, ``pause_s`` is waited after each."""

    homes: int = 3
    batteries: int = 2
    cycles: int = 10
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What the cycles came to; a cycle is None where it did not happen."""

    rows: tuple[CycleRow, ...] = ()
    overload_cycle: int | None = None
    help_kw: float = 0.0  # the most at a time
    helper: str = ""
    curtailed_kwh: float = 0.0
    restored_cycle: int | None = None
    orders: int = 0  # that were looked for in the next reports
    broken: tuple[str, ...] = ()  # orders that the next reports do not show, one line each
    audit_entries: int = 0
    audit_findings: int = 0
    processes_left: int = 0

    @property
    def is_good(self) -> bool:
        """Whether every order was followed, the audit log verifies and no process is left."""
        return not self.broken and not self.audit_findings and not self.processes_left


async def run_demo(
    config: Config, folder: Path, demo: Demo, show: Callable[[tuple[CycleRow, ...]], None], told: Callable[[str], None]
) -> Summary:
    """Start a fleet, run the cycles, stop everything.

    Args:
        config: transformers, ties, place and rules of its section `agents`.
        folder: takes logs, audit log and database of the fleet; must exist.
        demo: how many of what.
        show: given the rows of each cycle as it ends, one per transformer.
        told: given a line about the start.

    Raises:
        ConfigError: the fleet cannot start.
        DataError: the grid agent does not coordinate.
    """
    names = tuple(config.agents.transformers)
    members = make_members(demo.homes, demo.batteries, names)
    first = sum(m.role == "home" and m.transformer == names[0] for m in members)
    limits = config.agents.model_dump(mode="json")["transformers"]
    limits[names[0]]["limit_kw"] = LIMIT_KW * first
    command = cli_command(config, folder, "lock-step", start=START, step_s=STEP_S, transformers=limits)
    fleet = Fleet(folder, members, command, secrets.token_hex(16))
    summary = Summary()
    pids: dict[str, int] = {}
    try:
        await fleet.start(_START_S, told=lambda done, total: told(f"{done} of {total} processes answer"))
        pids = fleet.pids
        await _registered(fleet)
        told("the homes live through the day")
        await _live_through_the_day(fleet, ZoneInfo(config.agents.timezone))
        summary = await _run_cycles(fleet, demo, names, show)
    finally:
        await fleet.stop()
    findings = await asyncio.to_thread(verify_audit, folder / "logs" / "audit.jsonl")
    head = read_head(folder / "logs" / "audit.jsonl")
    return replace(
        summary,
        audit_entries=head.count if head else 0,
        audit_findings=len(findings),
        processes_left=sum(Path(f"/proc/{pid}").exists() for pid in pids.values()),
    )


async def _run_cycles(
    fleet: Fleet, demo: Demo, names: tuple[str, ...], show: Callable[[tuple[CycleRow, ...]], None]
) -> Summary:
    """The cycles themselves, and what came of the orders of each in the reports of the next."""
    summary = Summary()
    orders: dict[str, float] = {}
    seen = cycle = 0
    while not demo.cycles or cycle < demo.cycles:
        cycle += 1
        if cycle == CARS_AT:
            await _cars_arrive(fleet, names[0])
        result = await _said(fleet, GRID, "POST", "/coordinate", {})
        view = await _said(fleet, GRID, "GET", f"/view?since={seen}")
        reports = await _reports(fleet)
        seen = max([seen, *(event[0] for event in view["events"])])
        checked: Checked = check_orders(orders, reports)
        rows, orders = read_cycle(cycle, view, result, reports, cars=cycle == CARS_AT)
        show(rows)
        summary = _summed(summary, cycle, rows, checked, curtailed_kwh(reports, STEP_S), bool(orders))
        await asyncio.sleep(demo.pause_s)
    return summary


def _summed(
    before: Summary, cycle: int, rows: tuple[CycleRow, ...], checked: Checked, kwh: float, ordered: bool
) -> Summary:
    over = any(row.before_kw > row.limit_kw for row in rows)
    best = max(rows, key=lambda row: row.help_kw)
    overload = before.overload_cycle or (cycle if over else None)
    restored = before.restored_cycle
    if over or ordered:
        restored = None
    elif overload is not None and restored is None:
        restored = cycle
    return replace(
        before,
        rows=(*before.rows[-10_000:], *rows),
        overload_cycle=overload,
        help_kw=max(before.help_kw, best.help_kw),
        helper=best.helper if best.help_kw > before.help_kw else before.helper,
        curtailed_kwh=before.curtailed_kwh + kwh,
        restored_cycle=restored,
        orders=before.orders + checked.count,
        broken=(*before.broken, *(f"cycle {cycle}: {line}" for line in checked.broken)),
    )


async def _registered(fleet: Fleet) -> None:
    """Wait until the grid agent knows all.

    Raises:
        DataError: it does not within 20 s.
    """
    wanted = {m.id for m in fleet.members} - {GRID}
    known: set[str] = set()
    for _ in range(200):
        known = {str(agent["id"]) for agent in (await _said(fleet, GRID, "GET", "/agents"))["agents"]}
        if wanted <= known:
            return
        await asyncio.sleep(0.1)
    raise DataError(f"fleet: {', '.join(sorted(wanted - known))} did not register within 20 s; see their logs")


async def _live_through_the_day(fleet: Fleet, zone: ZoneInfo) -> None:
    """Let every agent live from the morning to the start in one long step, so that batteries have seen the sun."""
    morning, start = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (MORNING, START))
    body = {"cycle": 0, "time_s": start.timestamp(), "step_s": (start - morning).total_seconds()}
    await asyncio.gather(*(_said(fleet, m.id, "POST", "/simulate", body) for m in fleet.members if m.id != GRID))


async def _cars_arrive(fleet: Fleet, transformer: str) -> None:
    body = {"ev_kwh": CAR_KWH, "step_s": _NOW_S}
    homes = [m.id for m in fleet.members if m.role == "home" and m.transformer == transformer]
    await asyncio.gather(*(_said(fleet, name, "POST", "/simulate", body) for name in homes))


async def _reports(fleet: Fleet) -> tuple[Report, ...]:
    """The report of every agent that answers."""
    names = [m.id for m in fleet.members if m.id != GRID]
    replies = await asyncio.gather(*(fleet.ask(name, "GET", "/status", timeout_s=2.0) for name in names))
    return tuple(Report.model_validate(reply.body, strict=False) for reply in replies if reply.ok)


async def _said(fleet: Fleet, name: str, method: str, path: str, body: object = None) -> Any:
    reply = await fleet.ask(name, method, path, body, timeout_s=_ASK_S)
    if not reply.ok:
        raise DataError(f"{name}: {method} {path.partition('?')[0]} {reply.why}")
    return reply.body
