"""A finished run as a live session: the same controls, the recorded days, no switches."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from energy_sim.clock import Event
from energy_sim.errors import DataError
from energy_sim.runs import RunStore
from energy_sim.zones import kernel as k
from energy_sim.zones.live import LIVE_FACTORS, TOTALS, DayFrame, State
from energy_sim.zones.model import Factors, Link, Network, Switches, Zone
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
        first = self.recorded[0]
        switches = {name: getattr(first.switches, name) for name in SWITCH_NAMES}
        return {**switches, **{name: getattr(first.factors, name.removesuffix("_factor")) for name in LIVE_FACTORS}}

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
        frame = DayFrame(self._day(tick), self._totals(tick - 1) if tick else ())
        return State(tuple(self.period.series[tick, :, k.LEVEL].tolist()), self._totals(tick)), frame

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

    def _day(self, tick: int) -> Period:
        p = self.period
        begin, end = int(p.trace_end[tick - 1]) if tick else 0, int(p.trace_end[tick])
        trace = p.trace[begin:end].copy()
        trace[:, k.DAY] = 0
        day = slice(tick, tick + 1)
        return Period(p.network, p.dates[day], p.opening_of(tick), p.series[day], trace, np.array([end - begin]))

    def _totals(self, tick: int) -> tuple[float, ...]:
        return tuple(self.period.series[tick][:, list(TOTALS)].sum(axis=0).tolist())


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
        period = _read_period(network, store.table(name, "zone_metrics"), store.table(name, "transfers"))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"run {name}: its files do not fit together ({error!r}); delete it and run it again") from error
    return RecordedZones(period, settings, run.summary)


def _read_period(network: Network, metrics: pd.DataFrame, transfers: pd.DataFrame) -> Period:
    zones = len(network.zones)
    days = len(metrics) // zones
    series = np.zeros((days, zones, k.COLUMNS))
    for name, column in _METRICS.items():
        series[:, :, column] = metrics[name].to_numpy(float).reshape(days, zones)
    dates = metrics["date"].to_numpy()[::zones].astype("datetime64[D]")
    first = series[0]
    opening = first[:, k.LEVEL] + first[:, k.WATER_USED] + first[:, k.SPILL]
    opening = opening - first[:, k.INFLOW] - first[:, k.DRY_SHORTFALL]
    trace = _read_trace(network, dates, transfers)
    ends = np.searchsorted(trace[:, k.DAY], np.arange(days), side="right").astype(np.int64)
    wind = trace[trace[:, k.SOURCE] > 0]
    suppliers = np.array([route.supplier for route in network.routes], dtype=np.int64)
    if len(wind):
        place = (wind[:, k.DAY].astype(int), suppliers[wind[:, k.ROUTE].astype(int)])
        np.add.at(series[:, :, k.WIND_SHARED], place, wind[:, k.SENT])
    return Period(network, dates, opening, series, trace, ends)


def _read_trace(network: Network, dates: "np.ndarray[Any, Any]", transfers: pd.DataFrame) -> "np.ndarray[Any, Any]":
    ids = network.ids
    routes: dict[tuple[str, str, str], int] = {}
    for i, route in enumerate(network.routes):
        transit = ids[route.transit] if route.transit >= 0 else ""
        routes.setdefault((ids[route.supplier], transit, ids[route.importer]), i)
    ways = zip(transfers["supplier"], transfers["transit_zone"].fillna(""), transfers["importer"], strict=True)
    trace = np.zeros((len(transfers), k.TRACE_COLUMNS))
    trace[:, k.DAY] = (transfers["date"].to_numpy().astype("datetime64[D]") - dates[0]).astype(int)
    trace[:, k.PHASE] = transfers["phase"]
    trace[:, k.ROUTE] = [routes[way] for way in ways]
    trace[:, k.SENT] = transfers["sent_mwh"]
    trace[:, k.DELIVERED] = transfers["delivered_mwh"]
    trace[:, k.BOUND] = k.NOT_RECORDED
    if "source" in transfers:
        trace[:, k.SOURCE] = (transfers["source"] == "wind").astype(float)
    return trace
