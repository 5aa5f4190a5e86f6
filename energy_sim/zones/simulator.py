"""Runs the kernel over days and settings, and turns what it traced into records."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from energy_sim.errors import EnergySimError
from energy_sim.zones import kernel
from energy_sim.zones.kernel import COLUMNS, TRACE_COLUMNS, Ints
from energy_sim.zones.model import Dates, Factors, Floats, Network, Switches, Transfer, ZoneInputs

logger = logging.getLogger(__name__)

_BLOCK_DAYS = 64  # days traced at once, so that the trace of seven years stays small


@dataclass(frozen=True, slots=True)
class Settings:
    """What people can change while days pass. The reservoir factor acts on the first opening level only."""

    switches: Switches = field(default_factory=Switches)
    factors: Factors = field(default_factory=Factors)


@dataclass(frozen=True, slots=True)
class Period:
    """Results of consecutive days.

    ``dates`` (T,); ``opening_mwh`` (Z,) storage before the first day; ``series`` (T, Z, kernel.COLUMNS); ``trace``
    (N, kernel.TRACE_COLUMNS) one row per transfer with DAY counted from the period's first; ``trace_end`` (T,) rows up
    to and with each day.
    """

    network: Network
    dates: Dates
    opening_mwh: Floats
    series: Floats
    trace: Floats
    trace_end: Ints

    def transfers_of(self, day: int) -> tuple[Transfer, ...]:
        """The transfers of one day (index from the period's first), in the order in which they were made."""
        begin = int(self.trace_end[day - 1]) if day else 0
        rows = self.trace[begin : int(self.trace_end[day])]
        return tuple(as_transfer(self.network, str(self.dates[day]), row) for row in rows)

    def opening_of(self, day: int) -> Floats:
        """(Z,) storage at the opening of one day."""
        return self.opening_mwh if day == 0 else np.asarray(self.series[day - 1, :, kernel.LEVEL])


def average_day(period: Period) -> tuple[Transfer, ...]:
    """The transfers of an average day by phase and route, dated with the last day, for a picture of the period."""
    trace, days = period.trace, len(period.dates)
    sums: dict[tuple[float, ...], Floats] = {}
    for key in {tuple(row) for row in trace[:, [kernel.PHASE, kernel.ROUTE, kernel.SOURCE]].tolist()}:
        same = (trace[:, [kernel.PHASE, kernel.ROUTE, kernel.SOURCE]] == key).all(axis=1)
        row = trace[same][0].copy()
        row[[kernel.SENT, kernel.DELIVERED]] = trace[same][:, [kernel.SENT, kernel.DELIVERED]].sum(axis=0) / days
        row[kernel.BOUND] = kernel.NOT_RECORDED
        sums[key] = row
    return tuple(as_transfer(period.network, str(period.dates[-1]), sums[key]) for key in sorted(sums))


def as_transfer(network: Network, date: str, row: Floats) -> Transfer:
    """One trace row as a record."""
    route = network.routes[int(row[kernel.ROUTE])]
    ids = network.ids
    sent = float(row[kernel.SENT])
    first = network.links[route.link1]
    used = [(f"{first.source}>{first.target}", sent)]
    if route.link2 >= 0:
        second = network.links[route.link2]
        used.append((f"{second.source}>{second.target}", sent * (1.0 - first.loss_factor)))
    return Transfer(
        date=date,
        phase=int(row[kernel.PHASE]),
        supplier=ids[route.supplier],
        importer=ids[route.importer],
        hops=route.hops,
        transit_zone=ids[route.transit] if route.transit >= 0 else None,
        sent_mwh=sent,
        delivered_mwh=float(row[kernel.DELIVERED]),
        links=tuple(used),
        source="wind" if row[kernel.SOURCE] else "hydro",
        bound_by=kernel.BOUNDS[int(row[kernel.BOUND])],
    )


def opening_level(network: Network, inputs: ZoneInputs, reservoir_factor: float) -> Floats:
    """(Z,) opening storage of the first day: the data's times the factor, limited to the reservoirs' capacity."""
    wanted = inputs.initial_level_mwh * reservoir_factor
    level = np.minimum(wanted, [zone.hydro_max_mwh for zone in network.zones])
    for zone, asked, given in zip(network.ids, wanted, level, strict=True):
        if given < asked:
            logger.warning("opening level limited zone=%s wanted_mwh=%.0f given_mwh=%.0f", zone, asked, given)
    return level


def run_days(
    network: Network, inputs: ZoneInputs, settings: Settings, opening_mwh: Floats, day0: int, day1: int
) -> Period:
    """Simulate days `day0` to `day1` (exclusive) under one setting.

    Args:
        network: zones and links.
        inputs: daily series; the days index its dates.
        settings: switches and factors that hold for all the days.
        opening_mwh: (Z,) storage at the opening of `day0`.
        day0: first day.
        day1: day after the last.

    Raises:
        EnergySimError: the kernel ran out of trace rows, which its bound on transfers rules out.
    """
    tables = kernel.pack(network)
    simulate = kernel.best_kernel()
    factors = np.array([settings.factors.wind, settings.factors.consumption, settings.factors.inflow])
    count = len(network.zones)
    level = np.array(opening_mwh, dtype=np.float64)
    series = np.empty((day1 - day0, count, COLUMNS))
    ends = np.empty(day1 - day0, dtype=np.int64)
    total = np.zeros((count, COLUMNS))
    none = np.empty((0, count))
    traced: list[Floats] = [np.empty((0, TRACE_COLUMNS))]
    rows_before = 0
    for begin in range(day0, day1, _BLOCK_DAYS):
        end = min(begin + _BLOCK_DAYS, day1)
        trace = np.empty((max(1, kernel.trace_rows(tables, end - begin)), TRACE_COLUMNS))
        block = slice(begin - day0, end - day0)
        rows = simulate(
            settings.switches.flags,
            *tables,
            level,
            inputs.wind_mwh,
            inputs.demand_mwh,
            inputs.inflow_mwh,
            factors,
            begin,
            end,
            series[block],
            none,
            none,
            total,
            trace,
            ends[block],
        )
        if rows == kernel.NO_TRACE_ROWS_LEFT:
            raise EnergySimError(f"zones: over {len(trace)} transfers in days {begin} to {end}; report the network")
        ends[block] += rows_before
        rows_before += rows
        traced.append(trace[:rows])
    trace = np.concatenate(traced)
    trace[:, kernel.DAY] -= day0
    period = Period(network, inputs.dates[day0:day1], np.array(opening_mwh), series, trace, ends)
    if logger.isEnabledFor(logging.DEBUG):
        _log_days(period)
    return period


def _log_days(period: Period) -> None:
    """Log every day at DEBUG: transfers in the order in which they were made, zones, totals by phase."""
    for day, metrics in enumerate(period.series):
        date = str(period.dates[day])
        for t in period.transfers_of(day):
            logger.debug(
                "transfer date=%s phase=%d supplier=%s importer=%s hops=%d transit=%s sent_mwh=%.3f delivered_mwh=%.3f"
                " links=%s source=%s bound_by=%s",
                *(date, t.phase, t.supplier, t.importer, t.hops, t.transit_zone or "-", t.sent_mwh, t.delivered_mwh),
                "|".join(f"{name}:{amount:.3f}" for name, amount in t.links),
                *(t.source, t.bound_by),
            )
        for zone, row in zip(period.network.ids, metrics, strict=True):
            logger.debug(
                "zone date=%s zone=%s wind_used_mwh=%.3f local_hydro_mwh=%.3f imported_mwh=%.3f"
                " exported_hydro_mwh=%.3f unmet_mwh=%.3f water_used_mwh=%.3f spill_mwh=%.3f level_mwh=%.3f",
                *(
                    date,
                    zone,
                    row[kernel.WIND_USED],
                    row[kernel.LOCAL_HYDRO],
                    _imported(row),
                    row[kernel.EXPORTED_HYDRO],
                ),
                *(row[kernel.UNMET], row[kernel.WATER_USED], row[kernel.SPILL], row[kernel.LEVEL]),
            )
        total = metrics.sum(axis=0)
        logger.debug(
            "day date=%s demand_mwh=%.3f wind_used_mwh=%.3f import_phase2_mwh=%.3f local_hydro_mwh=%.3f"
            " import_phase4_mwh=%.3f unmet_mwh=%.3f water_used_mwh=%.3f spill_mwh=%.3f",
            *(
                date,
                total[kernel.DEMAND],
                total[kernel.WIND_USED],
                total[kernel.P2H1] + total[kernel.P2H2],
                total[kernel.LOCAL_HYDRO],
            ),
            *(
                total[kernel.P4H1] + total[kernel.P4H2],
                total[kernel.UNMET],
                total[kernel.WATER_USED],
                total[kernel.SPILL],
            ),
        )


def _imported(row: Floats) -> float:
    return float(row[[kernel.P2H1, kernel.P2H2, kernel.P4H1, kernel.P4H2]].sum())


def simulate_period(
    network: Network,
    inputs: ZoneInputs,
    changes: Mapping[int, Settings],
    warm_up_days: int = 0,
    last_day: int | None = None,
) -> Period:
    """Simulate from the first day of the inputs, with settings that change on given days.

    Args:
        network: zones and links.
        inputs: daily series of the warm-up days and the reported days after them.
        changes: settings by the reported day (0 = first) from which they hold; day 0 must be there.
        warm_up_days: days simulated first, under the settings of day 0, that are in no result.
        last_day: last reported day; the last of the inputs when None.
    """
    days = len(inputs.dates) - warm_up_days
    stop = days if last_day is None else min(days, last_day + 1)
    level = opening_level(network, inputs, changes[0].factors.reservoir)
    if warm_up_days:
        level = run_days(network, inputs, changes[0], level, 0, warm_up_days).series[-1, :, kernel.LEVEL]
    begins = [day for day in sorted(changes) if day < stop]
    parts = []
    for begin, end in zip(begins, [*begins[1:], stop], strict=True):
        part = run_days(network, inputs, changes[begin], level, warm_up_days + begin, warm_up_days + end)
        level = part.series[-1, :, kernel.LEVEL]
        parts.append(part)
    period = _join(parts)
    logger.debug("period simulated first=%s days=%d transfers=%d", period.dates[0], stop, len(period.trace))
    return period


def _join(parts: Sequence[Period]) -> Period:
    if len(parts) == 1:
        return parts[0]
    traces, ends, day, rows = [], [], 0, 0
    for part in parts:
        trace = part.trace.copy()
        trace[:, kernel.DAY] += day
        traces.append(trace)
        ends.append(part.trace_end + rows)
        day += len(part.dates)
        rows += len(trace)
    return Period(
        parts[0].network,
        np.concatenate([part.dates for part in parts]),
        parts[0].opening_mwh,
        np.concatenate([part.series for part in parts]),
        np.concatenate(traces),
        np.concatenate(ends),
    )


def last_days(period: Period, window: int) -> Period:
    """The last `window` days of a period."""
    first = max(0, len(period.dates) - window)
    if first == 0:
        return period
    rows = int(period.trace_end[first - 1])
    trace = period.trace[rows:].copy()
    trace[:, kernel.DAY] -= first
    return Period(
        period.network,
        period.dates[first:],
        period.opening_of(first),
        period.series[first:],
        trace,
        period.trace_end[first:] - rows,
    )
