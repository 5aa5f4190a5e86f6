"""The zones room as a live session: one tick is one day."""

import json
import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from energy_sim.clock import Event, settings_at
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError
from energy_sim.zones import kernel as k
from energy_sim.zones.data import data_range, load_inputs
from energy_sim.zones.model import Factors, Floats, Network, Switches, ZoneInputs
from energy_sim.zones.pipeline import (
    FACTOR_NAMES,
    SWITCH_NAMES,
    Request,
    check_factor,
    check_switch,
    first_after_warm_up,
    network_from,
)
from energy_sim.zones.simulator import Period, Settings, opening_level, run_days, simulate_period

logger = logging.getLogger(__name__)

# What the page sums over all zones, and compares with the day before.
TOTALS = (k.DEMAND, k.WIND_USED, k.LOCAL_HYDRO, k.P2H1, k.P2H2, k.P4H1, k.P4H2, k.UNMET, k.SPILL, k.WIND_EXPORT)
LIVE_FACTORS = tuple(name for name in FACTOR_NAMES if name != "reservoir_factor")


@dataclass(frozen=True, slots=True)
class State:
    """Opening storage (Z,) of a day, and the TOTALS of the day before (none before the first)."""

    level_mwh: tuple[float, ...]
    totals_mwh: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class DayFrame:
    """One day: its results as a period of one day, and the TOTALS of the day before."""

    day: Period
    previous_mwh: tuple[float, ...]

    @property
    def metrics(self) -> Floats:
        """(Z, kernel.COLUMNS) of the day."""
        return np.asarray(self.day.series[0])

    @property
    def totals_mwh(self) -> tuple[float, ...]:
        """TOTALS of the day over all zones."""
        return tuple(self.metrics[:, list(TOTALS)].sum(axis=0).tolist())


class LiveZones:
    """An opened zones room: inputs in memory, ready to step from any opening levels."""

    def __init__(self, network: Network, inputs: ZoneInputs, warm_up_days: int, reservoir_factor: float) -> None:
        """Hold the inputs of the warm-up days and the days shown."""
        self.network = network
        self.inputs = inputs
        self.warm_up_days = warm_up_days
        self.reservoir_factor = reservoir_factor
        series = (inputs.wind_mwh, inputs.demand_mwh, inputs.inflow_mwh, inputs.initial_level_mwh)
        self.fingerprint = zlib.crc32(b"".join([repr(network).encode(), *(part.tobytes() for part in series)]))

    @property
    def last_tick(self) -> int:
        """The last day shown."""
        return len(self.inputs.dates) - self.warm_up_days - 1

    def date_of(self, tick: int) -> date:
        """The date of a day shown."""
        found: date = self.inputs.dates[tick + self.warm_up_days].astype("datetime64[D]").item()
        return found

    def tick_of(self, day: date) -> int:
        """The tick of a date.

        Raises:
            DataError: the session does not show that date.
        """
        tick = (day - self.date_of(0)).days
        if not 0 <= tick <= self.last_tick:
            raise DataError(f"{day}: outside the session, {self.date_of(0)} to {self.date_of(self.last_tick)}")
        return tick

    def defaults(self) -> Mapping[str, Any]:
        """Every switch and live factor with its starting value."""
        return {**asdict(Switches()), **dict.fromkeys(LIVE_FACTORS, 1.0)}

    def check(self, control: str, value: Any) -> Any:
        """The value to use.

        Raises:
            DataError: the control is unknown or its value outside its limits.
        """
        try:
            if control in SWITCH_NAMES:
                return check_switch(control, value)
            if control in LIVE_FACTORS:
                return check_factor(control, value)
        except ConfigError as error:
            raise DataError(str(error)) from error
        raise DataError(f"zones.{control}: unknown control; there are {', '.join((*SWITCH_NAMES, *LIVE_FACTORS))}")

    def settings(self, values: Mapping[str, Any]) -> Settings:
        """Session settings as the simulator's."""
        factors = {name.removesuffix("_factor"): values[name] for name in LIVE_FACTORS}
        switches = Switches(**{name: values[name] for name in SWITCH_NAMES})
        return Settings(switches, Factors(**factors, reservoir=self.reservoir_factor))

    def start(self) -> State:
        """Opening levels of the first day shown, after the warm-up days."""
        level = opening_level(self.network, self.inputs, self.reservoir_factor)
        if self.warm_up_days:
            usual = self.settings(self.defaults())
            level = run_days(self.network, self.inputs, usual, level, 0, self.warm_up_days).series[-1, :, k.LEVEL]
        return State(tuple(level.tolist()), ())

    def step(self, state: State, tick: int, settings: Mapping[str, Any]) -> tuple[State, DayFrame]:
        """Simulate one day."""
        index = tick + self.warm_up_days
        opening = np.array(state.level_mwh)
        day = run_days(self.network, self.inputs, self.settings(settings), opening, index, index + 1)
        frame = DayFrame(day, state.totals_mwh)
        return State(tuple(day.series[0, :, k.LEVEL].tolist()), frame.totals_mwh), frame

    def encode(self, state: State) -> str:
        """The state as JSON, floats exact, with a mark of the inputs it came from."""
        return json.dumps([self.fingerprint, state.level_mwh, state.totals_mwh])

    def decode(self, text: str) -> State:
        """The state that was encoded.

        Raises:
            ValueError: it came from other input files or another network; the session is then replayed from its start.
        """
        fingerprint, level, totals = json.loads(text)
        if fingerprint != self.fingerprint:
            raise ValueError("a state of other inputs")
        return State(tuple(level), tuple(totals))

    def changes(self, events: Sequence[Event]) -> dict[int, Settings]:
        """Settings by the day from which they hold."""
        defaults = self.defaults()
        days = sorted({0, *(event.tick for event in events)})
        return {day: self.settings(settings_at(defaults, events, day)) for day in days}

    def history(self, events: Sequence[Event], last: int) -> Period:
        """All days up to `last`, as the session has shown them."""
        return simulate_period(self.network, self.inputs, self.changes(events), self.warm_up_days, last)

    def request(self, parameters: Mapping[str, Any], events: Sequence[Event], last: int, root: Path) -> Request:
        """What the command line would be asked to do for the days up to `last`."""
        return Request(
            folders=tuple(root / folder for folder in input_folders(parameters)),
            network=self.network,
            start=self.date_of(0),
            days=last + 1,
            warm_up_days=self.warm_up_days,
            changes={day: settings for day, settings in self.changes(events).items() if day <= last},
        )


def default_parameters(config: Config, start: date | None = None, reservoir_factor: float = 1.0) -> dict[str, Any]:
    """Parameters of a new session: the configured input, from `start`.

    Without a start it is the configured first day, or the first that has its warm-up days in the data; where the data
    do not hold the configured day, all of theirs are taken. The last day is the configured one, or the last of the data
    when they end before it or the session starts after it.

    Raises:
        DataError: the start is outside the data, or too early for the warm-up days.
    """
    zones = config.zones
    first = start or zones.start
    last = zones.start + timedelta(days=min(zones.days - 1, (date.max - zones.start).days))
    lowest, highest = data_range(config.paths(zones.input), network_from(config))
    if not lowest <= first <= highest:
        if start:
            raise DataError(f"start {first}: the data covers {lowest} to {highest}; choose a day within")
        logger.warning(
            "configured start outside the data, all days of the data taken zones.start=%s data=%s..%s",
            first, lowest, highest,
        )  # fmt: skip
        first, last = lowest, highest
    warm = first_after_warm_up(first, zones.warm_up_days, lowest, highest)
    if start and first < warm:
        raise DataError(
            f"start {first}: {zones.warm_up_days} warm-up days do not fit before it; choose {warm} or later"
        )
    first = warm
    last = highest if first > last else min(last, highest)
    return {
        "input": list(zones.input),
        "network": zones.network,
        "start": first.isoformat(),
        "days": (last - first).days + 1,
        "warm_up_days": zones.warm_up_days,
        "reservoir_factor": check_factor("reservoir_factor", reservoir_factor),
        "hydro_efficiency": zones.hydro_efficiency,
        "loss_factor": zones.loss_factor,
    }


def input_folders(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The input folders of a session's parameters, in the order of search; older sessions hold one as text."""
    folders = parameters["input"]
    return (folders,) if isinstance(folders, str) else tuple(folders)


def open_zones(config: Config, parameters: Mapping[str, Any]) -> LiveZones:
    """Read the inputs a session's parameters name.

    Raises:
        DataError: files or dates cannot be used.
        ConfigError: the network file cannot be used.
    """
    zones = config.zones.model_copy(
        update={name: parameters[name] for name in ("network", "hydro_efficiency", "loss_factor")}
    )
    network = network_from(config.model_copy(update={"zones": zones}))
    warm_up = int(parameters["warm_up_days"])
    first = date.fromisoformat(parameters["start"]) - timedelta(days=warm_up)
    days = int(parameters["days"]) + warm_up
    inputs = load_inputs(config.paths(input_folders(parameters)), network, first, days)
    return LiveZones(network, inputs, warm_up, float(parameters["reservoir_factor"]))
