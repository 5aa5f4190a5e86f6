"""What the grid agent shows: /agents, /status, the result of a cycle, and the compact view the page draws.

Plain dicts for JSON, numbers rounded to three decimals.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from energy_sim.agents.grid.agent import GridAgent
from energy_sim.agents.grid.cycle_result import CycleResult
from energy_sim.agents.grid.known_agents import Seat
from energy_sim.agents.messages import Anomaly

MOST_AGENTS = 64
MOST_ORDERS = 500
_WORST = {"lost": 0, "late": 1, "online": 1, "gone": 2}  # who is shown of very many: the same ones, mostly
Json = dict[str, Any]


def agents_view(grid: GridAgent, breaker: Callable[[str], str]) -> Json:
    """Everybody who is registered."""
    return {"agents": [_listed(grid, seat, breaker) for seat in grid.seats]}


def status_view(grid: GridAgent) -> Json:
    """Where the transformers stand after the last cycle."""
    result = grid.result
    return {
        "cycle": grid.cycle,
        "time_s": _r(grid.time_s()),
        "clock": grid.clock_kind,
        "planner": _planner(grid),
        "transformers": _transformers(grid),
        "transfers": _transfers(result),
        "orders": _orders(result),
        "anomalies": _anomalies(result),
    }


def result_view(result: CycleResult, clock_kind: str) -> Json:
    """What one cycle found and did."""
    plan, situation = result.plan, result.situation
    return {
        "cycle": result.cycle,
        "time_s": _r(situation.time_s),
        "clock": clock_kind,
        "planner": plan.planner,
        "validation": plan.validation,
        "cost": _r(plan.cost),
        "input_hash": result.input_hash,
        "took_s": _r(result.took_s),
        "transformers": transformers_of(result),
        "transfers": _transfers(result),
        "orders": _orders(result),
        "new_orders": [e.model_dump() for e in result.events[:MOST_ORDERS]],
        "cancelled": [{"id": o.id, "resource_id": o.resource_id} for o in result.cancelled[:MOST_ORDERS]],
        "anomalies": _anomalies(result),
        "answered": [seat.lease.id for seat in situation.heard],
        "lost": [seat.lease.id for seat, _ in situation.lost],
        "failed": result.failed,
    }


def compact(grid: GridAgent, since: int, breaker: Callable[[str], str]) -> Json:
    """The state of this moment, small enough to be sent every second."""
    result = grid.result
    seats = sorted(grid.seats, key=lambda seat: _rank(grid, seat))
    flows = {} if result is None else {(t.source, t.target): t.kw for t in result.plan.transfers}
    ties = grid.grid.ties
    return {
        "cycle": grid.cycle,
        "time_s": _r(grid.time_s()),
        "clock": grid.clock_kind,
        "planner": _planner(grid),
        "transformers": _right_now(grid),
        "ties": [
            {
                "a": tie.a,
                "b": tie.b,
                "limit_kw": _r(tie.limit_kw),
                "flow_kw": _r(flows.get((tie.a, tie.b), 0.0) - flows.get((tie.b, tie.a), 0.0)),
            }
            for tie in ties
        ],
        "agents": [_drawn(grid, seat, breaker) for seat in seats[:MOST_AGENTS]],
        "more": max(len(seats) - MOST_AGENTS, 0),
        "events": [list(entry) for entry in grid.journal.since(since)],
    }


def transformers_of(result: CycleResult) -> list[Json]:
    """Every transformer before and after a cycle; ``help_kw`` received is positive."""
    s, plan = result.situation, result.plan
    help_kw = dict.fromkeys(s.grid.index, 0.0)
    for transfer in plan.transfers:
        help_kw[transfer.target] += transfer.kw
        help_kw[transfer.source] -= transfer.kw
    return [
        {
            "id": t.id,
            "load_kw": _r(s.load_kw[n]),
            "expected_kw": _r(s.expected_kw[n]),
            "uncertainty_kw": _r(s.uncertainty_kw[n]),
            "limit_kw": _r(t.limit_kw),
            "export_limit_kw": _r(t.export_limit_kw),
            "before_kw": _r(plan.before_kw[n]),
            "after_kw": _r(plan.after_kw[n]),
            "shortfall_kw": _r(plan.shortfall_kw[n]),
            "help_kw": _r(help_kw[t.id]),
            "anomalies": [a.kind for a in s.anomalies if a.where == t.id],
            "agents": int(s.agents[n]),
        }
        for n, t in enumerate(s.grid.transformers)
    ]


def _transformers(grid: GridAgent) -> list[Json]:
    if grid.result is not None:
        return transformers_of(grid.result)
    zeros = ("load_kw", "expected_kw", "uncertainty_kw", "before_kw", "after_kw", "shortfall_kw", "help_kw")
    limits = [(t.id, t.limit_kw, t.export_limit_kw) for t in grid.grid.transformers]
    return [
        {"id": name, **dict.fromkeys(zeros, 0.0), "limit_kw": a, "export_limit_kw": b, "anomalies": [], "agents": 0}
        for name, a, b in limits
    ]


def _right_now(grid: GridAgent) -> list[Json]:
    """The transformers as the last cycle left them, with the loads of reports that came since, as agents are drawn."""
    shown = _transformers(grid)
    if grid.result is None or grid.clock_kind != "real":
        return shown
    rows = {t["id"]: t for t in shown}
    for t in shown:
        t["load_kw"] = 0.0
    estimates = {seat.lease.id: estimate for seat, estimate in grid.result.situation.lost}
    for seat in grid.seats:
        t, estimate = rows[seat.lease.transformer_id], estimates.get(seat.lease.id)
        if estimate is not None and grid.seats.state(seat) != "online":
            continue
        if estimate is not None:  # is heard again
            t["expected_kw"] = _r(t["expected_kw"] - estimate.expected_kw)
            t["uncertainty_kw"] = _r(t["uncertainty_kw"] - estimate.uncertainty_kw)
        if seat.report is not None and grid.seats.state(seat) != "gone":
            t["load_kw"] = _r(t["load_kw"] + seat.report.net_kw)
    return shown


def _planner(grid: GridAgent) -> Json:
    plan = None if grid.result is None else grid.result.plan
    return {
        "used": plan.planner if plan else "merit order",
        "why": plan.validation if plan else "no cycle has run yet",
        "llm": grid.llm_on,
        "llm_ready": grid.llm_ready,
    }


def _transfers(result: CycleResult | None) -> list[Json]:
    found = () if result is None else result.plan.transfers
    return [{"source": t.source, "target": t.target, "kw": _r(t.kw), "cause": t.cause} for t in found]


def _orders(result: CycleResult | None) -> list[Json]:
    found = () if result is None else result.orders[:MOST_ORDERS]
    return [
        {
            "id": o.id,
            "resource_id": o.resource_id,
            "power_kw": _r(o.power_kw),
            "since_s": _r(o.since_s),
            "why": o.reason,
        }
        for o in found
    ]


def _anomalies(result: CycleResult | None) -> list[Json]:
    if result is None:
        return []
    reported = [a for found in result.situation.reported.values() for a in found]
    return [_anomaly(a) for a in (*result.situation.anomalies, *reported)[:MOST_ORDERS]]


def _anomaly(anomaly: Anomaly) -> Json:
    return anomaly.model_dump() | {"value": _r(anomaly.value), "limit": _r(anomaly.limit)}


def _reported(grid: GridAgent, seat: Seat) -> tuple[Anomaly, ...]:
    return () if grid.result is None else grid.result.situation.reported.get(seat.lease.id, ())


def _rank(grid: GridAgent, seat: Seat) -> tuple[int, str]:
    return _WORST[grid.seats.state(seat)], seat.lease.id


def _listed(grid: GridAgent, seat: Seat, breaker: Callable[[str], str]) -> Json:
    report = seat.report
    return {
        "id": seat.lease.id,
        "role": seat.lease.role,
        "transformer_id": seat.lease.transformer_id,
        "url": seat.lease.url,
        "state": grid.seats.state(seat),
        "age_s": _r(min(grid.seats.age_s(seat), 1e9)),
        "mode": report.mode if report else None,
        "limit_kw": report.limit_kw if report else None,
        "net_kw": _r(report.net_kw) if report else None,
        "sequence": max(seat.lease.sequence, 0),
        "breaker": breaker(seat.lease.id),
        "orders": len(seat.orders),
        "resources": [plate.id for plate in seat.lease.nameplates],
        "acks": [ack.model_dump() for ack in list(seat.acks.values())[-8:]],
    }


def _drawn(grid: GridAgent, seat: Seat, breaker: Callable[[str], str]) -> Json:
    report = seat.report
    parts: dict[str, float] = {}
    stored = full = 0.0
    for r in report.resources if report else ():
        parts[r.kind] = parts.get(r.kind, 0.0) + r.power_kw
        if r.kind == "battery" and r.soc is not None:
            size = r.capacity_kwh or 1.0
            stored, full = stored + r.soc * size, full + size
    return {
        "id": seat.lease.id,
        "role": seat.lease.role,
        "transformer": seat.lease.transformer_id,
        "state": grid.seats.state(seat),
        "age_s": _r(min(grid.seats.age_s(seat), 1e9)),
        "mode": report.mode if report else None,
        "limit_kw": report.limit_kw if report else None,
        "net_kw": _r(report.net_kw) if report else None,
        "voltage_pu": _r(report.voltage_pu) if report else None,
        "soc": _r(stored / full) if full else None,
        "parts": {kind: _r(kw) for kind, kw in parts.items()},
        "orders": [[o.resource_id, _r(o.power_kw)] for o in seat.orders],
        "anomalies": sorted({a.kind for a in _reported(grid, seat)}),
        "breaker": breaker(seat.lease.id),
    }


def _r(value: float | np.floating[Any]) -> float:
    return round(float(value), 3) + 0.0  # no minus zero
