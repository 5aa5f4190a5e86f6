"""A finished run as a live session: the same controls, the recorded days, no switches."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from energy_sim.clock import Event
from energy_sim.errors import DataError
from energy_sim.runs import RunStore
from energy_sim.zones import kernel as k
from energy_sim.zones.live import LIVE_FACTORS, TOTALS, DayFrame, State
from energy_sim.zones.model import Factors, Floats, Link, Network, Switches, Zone
from energy_sim.zones.pipeline import SWITCH_NAMES
from energy_sim.zones.simulator import Period, Settings

_METRICS = {
    "demand_mwh": k.DEMAND,
    "wind_potential_mwh": k.WIND_POTENTIAL,
    "wind_used_mwh": k.WIND_USED,
    "wind_export_mwh": k.WIND_EXPORT,
    "local_hydro_mwh": k.LOCAL_HYDRO,
    "exported_hydro_mwh": k.EXPORTED_HYDRO,
    "import_p2h1_mwh": k.P2H1,
    "import_p2h2_mwh": k.P2H2,
    "import_p4h1_mwh": k.P4H1,
    "import_p4h2_mwh": k.P4H2,
    "unmet_mwh": k.UNMET,
    "water_used_mwh": k.WATER_USED,
    "inflow_mwh": k.INFLOW,
    "spill_mwh": k.SPILL,
    "dry_shortfall_mwh": k.DRY_SHORTFALL,
    "level_mwh": k.LEVEL,
}


class RecordedZones:
    """An opened run; the counterpart of `live.LiveZones` that reads days instead of simulating them."""

    def __init__(self, period: Period, settings: Mapping[int, Settings], summary: Mapping[str, Any]) -> None:
        """Hold the recorded days, and the settings by the day from which they held."""
        self.network = period.network
        self.period = period
        self.recorded = dict(settings)
        self.summary = summary

    @property
    def last_tick(self) -> int:
        """The last recorded day."""
        return len(self.period.dates) - 1

    def date_of(self, tick: int) -> date:
        """The date of a recorded day."""
        found: date = self.period.dates[tick].astype("datetime64[D]").item()
        return found

    def defaults(self) -> Mapping[str, Any]:
        """The settings of the first day; there is nothing to change."""
        return _controls(self.recorded[0])

    def recorded_events(self) -> tuple[Event, ...]:
        """The changes of the run: what differs from the day before, numbered below 0."""
        found = []
        for before, day in pairwise(sorted(self.recorded)):
            old, new = _controls(self.recorded[before]), _controls(self.recorded[day])
            found += [(day, name, value) for name, value in new.items() if value != old[name]]
        return tuple(Event(i - len(found), day, name, value) for i, (day, name, value) in enumerate(found))

    def check(self, control: str, value: Any) -> Any:
        """Refuse every control.

        Raises:
            DataError: always: a finished run does not change.
        """
        raise DataError(f"zones.{control}: a finished run does not change; start a session to try {value!r}")

    def start(self) -> State:
        """Opening levels of the first day."""
        return State(tuple(self.period.opening_mwh.tolist()), ())

    def step(self, _state: State, tick: int, _settings: Mapping[str, Any]) -> tuple[State, DayFrame]:
        """The recorded day; the totals of the day before come from the record."""
        frame = day_frame(self.period, tick)
        return State(tuple(self.period.series[tick, :, k.LEVEL].tolist()), frame.totals_mwh), frame

    def encode(self, _state: State) -> str:
        """Nothing: the record is the state."""
        return "null"

    def decode(self, _text: str) -> State:
        """Any state: `step` reads the record."""
        return self.start()

    def changes(self, _events: Sequence[Event]) -> dict[int, Settings]:
        """The settings that held when the run was made."""
        return self.recorded

    def history(self, _events: Sequence[Event], last: int) -> Period:
        """All recorded days up to `last`."""
        p = self.period
        rows = int(p.trace_end[last])
        return Period(
            p.network, p.dates[: last + 1], p.opening_mwh, p.series[: last + 1], p.trace[:rows], p.trace_end[: last + 1]
        )


def day_frame(period: Period, tick: int) -> DayFrame:
    """One day of a period (index from its first) as a live session shows it."""
    begin, end = int(period.trace_end[tick - 1]) if tick else 0, int(period.trace_end[tick])
    trace = period.trace[begin:end].copy()
    trace[:, k.DAY] = 0
    days, series = period.dates[tick : tick + 1], period.series[tick : tick + 1]
    day = Period(period.network, days, period.opening_of(tick), series, trace, np.array([end - begin]))
    before = period.series[tick - 1][:, list(TOTALS)].sum(axis=0).tolist() if tick else ()
    return DayFrame(day, tuple(before))


def open_playback(store: RunStore, name: str) -> RecordedZones:
    """Open a finished zones run.

    Raises:
        DataError: there is no such run, or its files do not fit together.
    """
    run = store.load(name)
    if run.room != "zones":
        raise DataError(f"run {name}: belongs to {run.room}, not to zones")
    try:
        network = Network(
            tuple(Zone(**zone) for zone in run.params["network"]["zones"]),
            tuple(
                Link(e["from"], e["to"], e["capacity_mwh_per_day"], e["loss_factor"])
                for e in run.params["network"]["links"]
            ),
        )
        settings = {
            int(change["day"]): Settings(Switches(**change["switches"]), Factors(**change["factors"]))
            for change in run.params["changes"]
        }
        opening = run.summary.get("opening_mwh")
        recorded = None if opening is None else np.array([opening[zone] for zone in network.ids], dtype=np.float64)
        period = _read_period(network, store.table(name, "zone_metrics"), store.table(name, "transfers"), recorded)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"run {name}: its files do not fit together ({error!r}); delete it and run it again") from error
    return RecordedZones(period, settings, run.summary)


def _controls(settings: Settings) -> dict[str, Any]:
    switches = {name: getattr(settings.switches, name) for name in SWITCH_NAMES}
    return {**switches, **{name: getattr(settings.factors, name.removesuffix("_factor")) for name in LIVE_FACTORS}}


def _read_period(
    network: Network, metrics: pd.DataFrame, transfers: pd.DataFrame, opening_mwh: Floats | None
) -> Period:
    zones = len(network.zones)
    days = len(metrics) // zones
    series = np.zeros((days, zones, k.COLUMNS))
    for name, column in _METRICS.items():
        series[:, :, column] = metrics[name].to_numpy(float).reshape(days, zones)
    dates = metrics["date"].to_numpy()[::zones].astype("datetime64[D]")
    trace = _read_trace(network, dates, transfers)
    ends = np.searchsorted(trace[:, k.DAY], np.arange(days), side="right").astype(np.int64)
    wind = trace[trace[:, k.SOURCE] > 0]
    suppliers = np.array([route.supplier for route in network.routes], dtype=np.int64)
    if len(wind):
        place = (wind[:, k.DAY].astype(int), suppliers[wind[:, k.ROUTE].astype(int)])
        np.add.at(series[:, :, k.WIND_SHARED], place, wind[:, k.SENT])
    return Period(network, dates, _opening(series[0]) if opening_mwh is None else opening_mwh, series, trace, ends)


def _opening(first: Floats) -> Floats:
    """(Z,) opening storage from the first day's balance, to rounding; for runs that did not write it down."""
    kept = first[:, k.LEVEL] + first[:, k.WATER_USED] + first[:, k.SPILL]
    opening: Floats = kept - first[:, k.INFLOW] - first[:, k.DRY_SHORTFALL]
    return opening


def _read_trace(network: Network, dates: "np.ndarray[Any, Any]", transfers: pd.DataFrame) -> Floats:
    ids = network.ids
    routes: dict[tuple[str, str, str], list[int]] = {}
    for i, route in enumerate(network.routes):
        transit = ids[route.transit] if route.transit >= 0 else ""
        routes.setdefault((ids[route.supplier], transit, ids[route.importer]), []).append(i)
    ways = zip(transfers["supplier"], transfers["transit_zone"].fillna(""), transfers["importer"], strict=True)
    possible = [routes[way] for way in ways]
    trace = np.zeros((len(transfers), k.TRACE_COLUMNS))
    trace[:, k.DAY] = (transfers["date"].to_numpy().astype("datetime64[D]") - dates[0]).astype(int)
    trace[:, k.PHASE] = transfers["phase"]
    trace[:, k.SENT] = transfers["sent_mwh"]
    trace[:, k.DELIVERED] = transfers["delivered_mwh"]
    trace[:, k.ROUTE] = [found[0] for found in possible]
    if any(len(found) > 1 for found in possible):
        trace[:, k.ROUTE] = list(_routes_with_room(network, trace, possible))
    trace[:, k.BOUND] = k.NOT_RECORDED
    if "bound_by" in transfers:
        trace[:, k.BOUND] = [k.BOUNDS.index(name) for name in transfers["bound_by"]]
    if "source" in transfers:
        trace[:, k.SOURCE] = (transfers["source"] == "wind").astype(float)
    return trace


def _routes_with_room(network: Network, trace: Floats, possible: Sequence[Sequence[int]]) -> Iterator[int]:
    """The route of each transfer where parallel links leave several: the first in order that loses what was lost.

    A route whose links have no room left that day is passed over, as the simulation does, so that no link is used
    beyond its capacity.
    """
    tables = k.pack(network)
    left, today = tables.links[:, k.CAPACITY].copy(), -1.0
    for row, found in zip(trace, possible, strict=True):
        if row[k.DAY] != today:
            left, today = tables.links[:, k.CAPACITY].copy(), row[k.DAY]
        best = max(found, key=lambda route: _fit(tables, left, row, route))
        yield best
        _, first, second = tables.routes[best]
        left[first] -= row[k.SENT]
        if second >= 0:
            left[second] -= row[k.SENT] * tables.links[first, k.KEEP]


def _fit(tables: k.Tables, left: Floats, row: Floats, route: int) -> tuple[bool, bool]:
    """Whether a route has room for a transfer, and whether it loses as much as was lost."""
    _, first, second = tables.routes[route]
    arrives = row[k.SENT] * tables.links[first, k.KEEP]
    has_room = left[first] >= row[k.SENT] - k.EPS_MWH
    if second >= 0:
        has_room = has_room and left[second] >= arrives - k.EPS_MWH
        arrives *= tables.links[second, k.KEEP]
    return bool(has_room), bool(abs(arrives - row[k.DELIVERED]) <= k.EPS_MWH)
