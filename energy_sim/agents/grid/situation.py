"""What the grid agent plans on in one cycle: the reports of everybody that is heard as arrays, the others as estimates.

    situation, layout = gather(seats, layout, grid, ...)

Ids, transformers and kinds stay from cycle to cycle while nobody joins or leaves: they are kept in the layout.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from energy_sim.agents import estimates
from energy_sim.agents.anomalies import Active, check_grid, follow_voltage
from energy_sim.agents.estimates import Estimate, disobeyed, estimate
from energy_sim.agents.grid.known_agents import Seat, Seats, anomalies_of
from energy_sim.agents.grid.registry import NEVER_SEQUENCE
from energy_sim.agents.messages import Anomaly
from energy_sim.agents.model import BATTERY, KINDS, SOLAR, Bools, Floats, Grid, Ints, Resources, scaled
from energy_sim.agents.orders import Order, ordered_kw

_CODE = {kind: code for code, kind in enumerate(KINDS)}


def _nothing() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Layout:
    """What stays while the same resources report: rows (R,) with their agent, transformer and kind."""

    ids: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()  # agents heard and their transformers
    agent: Ints = field(default_factory=_nothing)
    transformer: Ints = field(default_factory=_nothing)
    kind: Ints = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Situation:
    """One cycle before it is planned. ``base_*_kw``, ``expected_kw`` and ``uncertainty_kw`` (T,) are of lost agents.

    ``grid`` has the limits in force; ``load_kw`` (T,) is what those who are heard draw now. ``shares`` are (2, T): of
    the limits that voltage leaves.
    """

    cycle: int
    time_s: float
    grid: Grid
    resources: Resources
    heard: tuple[Seat, ...]
    lost: tuple[tuple[Seat, Estimate], ...]
    base_high_kw: Floats
    base_low_kw: Floats
    expected_kw: Floats
    uncertainty_kw: Floats
    load_kw: Floats
    shares: Floats
    standing: tuple[Order, ...]
    anomalies: tuple[Anomaly, ...]  # of transformers
    reported: dict[str, tuple[Anomaly, ...]]  # by agent, what is found there by the grid agent included
    agents: Ints  # (T,) counted

    def input_hash(self) -> str:
        """SHA-256 of everything the plan depends on."""
        r = self.resources
        told = hashlib.sha256("\n".join(r.ids).encode())
        for array in (r.wanted_kw, r.power_kw, r.min_kw, r.max_kw, r.flexible, r.may_discharge, self.base_high_kw):
            told.update(np.ascontiguousarray(array).tobytes())
        told.update(repr((self.grid, self.standing, self.time_s)).encode())
        return told.hexdigest()


def gather(
    seats: Seats,
    layout: Layout,
    grid: Grid,
    *,
    cycle: int,
    time_s: float,
    shares: Floats,
    before: Active,
    deadband_kw: float,
    past_kwh: dict[str, float],
    silent: Collection[str],
    failsafe_kw: float,
    simulated_s: float,
) -> tuple[Situation, Layout]:
    """Bring together what is known at this moment.

    Args:
        seats: all agents.
        layout: of the cycle before.
        grid: transformers (T) with their configured limits.
        cycle: number of this cycle.
        time_s: simulated time.
        shares: (2, T) of the cycle before: what voltage left of the limit and of the export limit.
        before: anomalies of transformers in the cycle before.
        deadband_kw: how far inside its limit an overload ends.
        past_kwh: energy curtailed so far, by resource.
        silent: agents that were asked in this cycle and did not answer.
        failsafe_kw: what an agent counts with of which no report is known.
        simulated_s: simulated seconds that pass in a second; 0 in lock-step.
    """
    heard, lost = [], []
    index, count = grid.index, len(grid.transformers)
    for seat in seats:
        state = seats.state(seat)
        if state == "gone" or (seat.report is None and seat.lease.sequence == NEVER_SEQUENCE):
            continue  # nobody, or somebody who has registered and not spoken yet
        if seat.report is None or state == "lost" or seat.lease.id in silent:
            lost.append((seat, _estimate(seats, seat, time_s, simulated_s, failsafe_kw)))
        else:
            heard.append(seat)
    layout = _layout(layout, heard, index)
    reported = {s.lease.id: found for s in heard if (found := anomalies_of(s, seats.max_skew_s))}
    resources = _resources(layout, heard, reported, past_kwh)

    base = np.zeros((4, count))
    agents = np.bincount([index[s.lease.transformer_id] for s in heard], minlength=count) if heard else np.zeros(count)
    for seat, one in lost:
        at = index[seat.lease.transformer_id]
        base[:, at] += (one.high_kw, one.low_kw, one.expected_kw, one.uncertainty_kw)
        agents[at] += 1
    low_volts, high_volts = _volts(heard, reported, index, count)
    shares = np.array([follow_voltage(shares[0], low_volts), follow_voltage(shares[1], high_volts)])
    in_force = grid if (shares == 1.0).all() else scaled(grid, shares[0], shares[1])
    counted = _per_transformer(layout, resources.counted_kw, count)
    situation = Situation(
        cycle=cycle,
        time_s=time_s,
        grid=in_force,
        resources=resources,
        heard=tuple(heard),
        lost=tuple(lost),
        base_high_kw=base[0],
        base_low_kw=base[1],
        expected_kw=base[2],
        uncertainty_kw=base[3],
        load_kw=_per_transformer(layout, resources.power_kw, count),
        shares=shares,
        standing=tuple(order for seat in seats for order in seat.orders),
        anomalies=check_grid(in_force, counted + base[0], counted + base[1], before, deadband_kw),
        reported=reported,
        agents=agents.astype(np.int64),
    )
    return situation, layout


def _per_transformer(layout: Layout, power_kw: Floats, count: int) -> Floats:
    return np.bincount(layout.transformer, weights=power_kw, minlength=count).astype(np.float64)


def _layout(before: Layout, heard: list[Seat], index: dict[str, int]) -> Layout:
    ids = tuple(r.id for s in heard if s.report for r in s.report.resources)
    places = tuple((s.lease.id, s.lease.transformer_id) for s in heard)
    if ids == before.ids and places == before.places:
        return before
    counts = [len(s.report.resources) if s.report else 0 for s in heard]
    at = np.array([index[s.lease.transformer_id] for s in heard], dtype=np.int64)
    kinds = [_CODE[r.kind] for s in heard if s.report for r in s.report.resources]
    agent = np.repeat(np.arange(len(heard)), counts)
    return Layout(ids, places, agent, at[agent] if heard else agent, np.array(kinds, dtype=np.int64))


def _resources(
    layout: Layout, heard: list[Seat], reported: dict[str, tuple[Anomaly, ...]], past_kwh: dict[str, float]
) -> Resources:
    states = [r for s in heard if s.report for r in s.report.resources]
    values = np.array([(r.wanted_kw, r.power_kw, r.min_kw, r.max_kw, r.fault) for r in states], dtype=np.float64)
    wanted, power, low, high, fault = values.reshape(-1, 5).T
    faulty = (fault > 0) | _disobeys(layout, heard, (wanted, power, low, high), reported)
    empty = np.zeros(len(states), dtype=np.bool_)
    if reported:
        row = {name: n for n, name in enumerate(layout.ids)}
        numbers = {place[0]: n for n, place in enumerate(layout.places)}
        for name, anomalies in reported.items():
            for a in anomalies:
                if a.kind == "stale_data" and a.where == name:
                    faulty |= layout.agent == numbers[name]
                elif a.where in row and a.kind in {"device_fault", "stale_data"}:
                    faulty[row[a.where]] = True
                elif a.where in row and a.kind == "soc_low":
                    empty[row[a.where]] = True
    past = np.array([past_kwh.get(name, 0.0) for name in layout.ids]) if past_kwh else np.zeros(len(states))
    return Resources(
        ids=layout.ids,
        agent=layout.agent,
        transformer=layout.transformer,
        kind=layout.kind,
        wanted_kw=wanted,
        power_kw=power,
        min_kw=low,
        max_kw=high,
        flexible=~faulty,
        may_discharge=~empty,
        past_kwh=past,
    )


def _disobeys(
    layout: Layout,
    heard: list[Seat],
    values: tuple[Floats, Floats, Floats, Floats],
    reported: dict[str, tuple[Anomaly, ...]],
) -> Bools:
    """(R,) resources that did not do what they were told in two reports running; each report is judged once."""
    known = [order for seat in heard for order in seat.known]
    none = np.zeros(len(layout.ids), dtype=np.bool_)
    if not known and not any(seat.disobeyed for seat in heard):
        return none
    wanted, power, low, high = values
    frame = Resources(
        layout.ids, layout.agent, layout.transformer, layout.kind, wanted, power, low, high, none, none, wanted
    )
    ordered = ordered_kw(known, frame)
    bound = np.where(layout.kind == SOLAR, ordered <= wanted, (layout.kind != BATTERY) & (ordered >= wanted))
    ordered = np.where(bound, np.nan, ordered)  # a bound that does not bind asks for nothing
    times = np.array([seat.disobeyed.get(name, 0) for seat, name in _rows(heard)], dtype=np.int64)
    counted, _ = disobeyed(power, ordered, wanted, low, high, times)
    is_new = np.array([seat.judged != seat.lease.sequence for seat in heard], dtype=np.bool_)[layout.agent]
    counted = np.where(is_new, counted, times)
    faulty: Bools = counted >= estimates.DISOBEYS_REPORTS
    for seat in heard:
        seat.judged = seat.lease.sequence
        seat.disobeyed = {}
    told = np.nan_to_num(ordered)
    for row in np.flatnonzero(counted).tolist():
        seat = heard[layout.agent[row]]
        seat.disobeyed[layout.ids[row]] = int(counted[row])
        if faulty[row]:
            fault = Anomaly(
                kind="device_fault",
                where=layout.ids[row],
                value=float(power[row]),
                limit=float(told[row]),
                unit="kW",
                deadband=estimates.DISOBEYS_KW,
            )
            reported[seat.lease.id] = (*reported.get(seat.lease.id, ()), fault)
    return faulty


def _rows(heard: list[Seat]) -> list[tuple[Seat, str]]:
    return [(seat, r.id) for seat in heard if seat.report for r in seat.report.resources]


def _estimate(seats: Seats, seat: Seat, time_s: float, simulated_s: float, failsafe_kw: float) -> Estimate:
    limits = seat.plates.values()
    most = sum(max(high, 0.0) for _, high in limits) if limits else float("inf")
    least = sum(max(-low, 0.0) for low, _ in limits) if limits else float("inf")
    report = seat.report
    if report is None:  # before the first report, or after a restart of the grid agent
        return estimate(min(failsafe_kw, most), (), 900.0, seats.age_s(seat) * simulated_s, most, least)
    passed_s = seats.age_s(seat) * simulated_s if simulated_s else max(time_s - report.time_s, 0.0)
    return estimate(report.net_kw, report.forecast_kw, report.forecast_step_s, passed_s, most, least)


def _volts(
    heard: list[Seat], reported: dict[str, tuple[Anomaly, ...]], index: dict[str, int], count: int
) -> tuple[Bools, Bools]:
    """(T,) where a voltage is reported that is too low, and too high."""
    low, high = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    at = {seat.lease.id: index[seat.lease.transformer_id] for seat in heard} if reported else {}
    for name, anomalies in reported.items():
        for anomaly in anomalies:
            if anomaly.kind == "voltage":
                (low if anomaly.value < anomaly.limit else high)[at[name]] = True
    return low, high
