"""From folders and options to a finished zones run: read, simulate, write."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError
from energy_sim.logs import add_handler
from energy_sim.runs import whole_folder, write_json, write_tables
from energy_sim.zones import kernel as k
from energy_sim.zones.data import data_range, load_inputs
from energy_sim.zones.kernel import compile_kernel
from energy_sim.zones.model import Factors, Network, Switches, ZoneInputs
from energy_sim.zones.network_file import read_network
from energy_sim.zones.norway import norway
from energy_sim.zones.simulator import Period, Settings, simulate_period
from energy_sim.zones.summary import bounds, daily_summary, transfer_table, zone_metrics

logger = logging.getLogger(__name__)

FACTOR_LIMITS = (0.0, 5.0)
SWITCH_NAMES = tuple(f.name for f in fields(Switches))
FACTOR_NAMES = tuple(f"{f.name}_factor" for f in fields(Factors))


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is asked to do; `changes` are settings by reported day, day 0 first."""

    folders: tuple[Path, ...]
    network: Network
    start: date
    days: int
    warm_up_days: int = 0
    changes: Mapping[int, Settings] = field(default_factory=lambda: {0: Settings()})


def network_from(config: Config, network_file: Path | None = None) -> Network:
    """The network of the options: a file, else the configured file, else Norway's five zones."""
    if network_file is None and config.zones.network:
        network_file = config.path(config.zones.network)
    if network_file is not None:
        return read_network(network_file)
    return norway(config.zones.hydro_efficiency, config.zones.loss_factor)


def load(request: Request) -> ZoneInputs:
    """Read the inputs of the warm-up days and the reported days.

    Raises:
        DataError: a file cannot be used, or days asked for are not in the data.
    """
    days = request.warm_up_days
    if days:
        lowest, highest = data_range(request.folders, request.network)
        if lowest <= request.start < first_after_warm_up(request.start, days, lowest, highest):
            raise DataError(
                f"warm-up: {days} days before {request.start} begin before the data, which starts on {lowest};"
                f" give {(request.start - lowest).days} or fewer, or start on {lowest + timedelta(days=days)} or later"
            )
    try:
        first = request.start - timedelta(days=days)
    except OverflowError:
        raise DataError(f"start: no calendar has {days} days before {request.start}") from None
    return load_inputs(request.folders, request.network, first, request.days + days)


def first_after_warm_up(start: date, warm_up_days: int, lowest: date, highest: date) -> date:
    """The start, or the first day after it that has its warm-up days in data from `lowest` to `highest`.

    Raises:
        DataError: the data have no more days than the warm-up.
    """
    most = (highest - lowest).days
    if warm_up_days > most:
        raise DataError(
            f"warm-up: {warm_up_days} days leave none to report of the data, {lowest} to {highest};"
            f" give {most} or fewer"
        )
    return max(start, lowest + timedelta(days=warm_up_days))


def simulate_request(request: Request, inputs: ZoneInputs) -> Period:
    """Run the request with the compiled kernel."""
    compile_kernel()
    period = simulate_period(request.network, inputs, request.changes, request.warm_up_days)
    logger.info(
        "simulated days=%d zones=%d transfers=%d unmet_mwh=%.0f spill_mwh=%.0f",
        len(period.dates),
        len(request.network.zones),
        len(period.trace),
        period.series[:, :, k.UNMET].sum(),
        period.series[:, :, k.SPILL].sum(),
    )
    return period


def change_setting(settings: Settings, name: str, value: object) -> Settings:
    """A setting with one switch or factor changed.

    Raises:
        ConfigError: the name is unknown, or the value is not on/off or a factor within its limits.
    """
    switches, factors = asdict(settings.switches), asdict(settings.factors)
    if name in switches:
        switches[name] = check_switch(name, value)
    elif name in FACTOR_NAMES:
        factors[name.removesuffix("_factor")] = check_factor(name, value)
    else:
        raise ConfigError(f"{name}: unknown setting; there are {', '.join((*SWITCH_NAMES, *FACTOR_NAMES))}")
    return Settings(Switches(**switches), Factors(**factors))


def check_switch(name: str, value: object) -> bool:
    """A switch value as bool; `on`, `off`, `true`, `false` are understood."""
    words = {"on": True, "true": True, "off": False, "false": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    if not isinstance(value, bool):
        raise ConfigError(f"{name}: {value!r} is no switch position; give on or off")
    return value


def check_factor(name: str, value: object) -> float:
    """A factor as float within its limits."""
    low, high = FACTOR_LIMITS
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{name}: {str(value)[:40]!r} is no number; give one from {low:g} to {high:g}") from None
    if isinstance(value, bool) or not low <= number <= high:
        raise ConfigError(f"{name}: {value!r} is outside {low:g} to {high:g}; give a factor within")
    return number


def tables_of(period: Period, changes: Mapping[int, Settings]) -> dict[str, pd.DataFrame]:
    """The tables of a run by file name."""
    shares = any(settings.switches.share_wind for settings in changes.values())
    return {
        "daily_summary": daily_summary(period),
        "zone_metrics": zone_metrics(period),
        "transfers": transfer_table(period, with_source=shares),
    }


def describe(request: Request) -> dict[str, Any]:
    """The request as JSON: everything that is needed to run it again."""
    return {
        "room": "zones",
        "start": request.start.isoformat(),
        "days": request.days,
        "warm_up_days": request.warm_up_days,
        "input": [str(folder) for folder in request.folders],
        "changes": [
            {
                "day": day,
                "date": (request.start + timedelta(days=day)).isoformat(),
                "switches": asdict(settings.switches),
                "factors": asdict(settings.factors),
            }
            for day, settings in sorted(request.changes.items())
        ],
        "network": {
            "zones": [asdict(zone) for zone in request.network.zones],
            "links": [
                {
                    "from": link.source,
                    "to": link.target,
                    "capacity_mwh_per_day": link.capacity_mwh_per_day,
                    "loss_factor": link.loss_factor,
                }
                for link in request.network.links
            ],
        },
    }


def change_marks(request: Request) -> list[tuple[str, str]]:
    """(date, what changed) of every change of settings after the first day, for marks on charts."""
    days = sorted(request.changes)
    marks = []
    for before, day in pairwise(days):
        old, new = request.changes[before], request.changes[day]
        texts = [
            f"{name} {'on' if value else 'off'}"
            for name, value in asdict(new.switches).items()
            if value != getattr(old.switches, name)
        ]
        texts += [
            f"{name} x {value:g}" for name, value in asdict(new.factors).items() if value != getattr(old.factors, name)
        ]
        marks.append(((request.start + timedelta(days=day)).isoformat(), ", ".join(texts).replace("_", " ")))
    return marks


def totals(period: Period, inputs: ZoneInputs) -> dict[str, Any]:
    """The run's totals by phase and by hops, MWh, and every fill that the inputs needed."""
    total = period.series.sum(axis=(0, 1))
    opening, closing = period.opening_mwh.sum(), period.series[-1, :, k.LEVEL].sum()
    return {
        "first_day": str(period.dates[0]),
        "last_day": str(period.dates[-1]),
        "transfers": len(period.trace),
        "opening_mwh": dict(zip(period.network.ids, period.opening_mwh.tolist(), strict=True)),
        "totals_mwh": {
            "demand": total[k.DEMAND],
            "wind_potential": total[k.WIND_POTENTIAL],
            "wind_used": total[k.WIND_USED],
            "wind_export": total[k.WIND_EXPORT],
            "import_phase2_one_hop": total[k.P2H1],
            "import_phase2_two_hop": total[k.P2H2],
            "local_hydro": total[k.LOCAL_HYDRO],
            "import_phase4_one_hop": total[k.P4H1],
            "import_phase4_two_hop": total[k.P4H2],
            "unmet": total[k.UNMET],
            "inflow": total[k.INFLOW],
            "water_used": total[k.WATER_USED],
            "spill": total[k.SPILL],
            "dry_shortfall": total[k.DRY_SHORTFALL],
            "loss": float((period.trace[:, k.SENT] - period.trace[:, k.DELIVERED]).sum()),
            "level_start": float(opening),
            "level_end": float(closing),
        },
        "days_with_unmet_demand": int(np.count_nonzero(period.series[:, :, k.UNMET].sum(axis=1) > k.EPS_MWH)),
        "fills": [asdict(fill) for fill in inputs.fills],
    }


def write_run(
    target: Path,
    request: Request,
    inputs: ZoneInputs,
    period: Period,
    add_files: Sequence[Callable[[Path, Mapping[str, pd.DataFrame]], None]] = (),
) -> None:
    """Write the run folder whole or not at all.

    Args:
        target: the folder.
        request: what was asked, for params.json.
        inputs: for the fills in summary.json.
        period: the results.
        add_files: called with the folder being filled and the tables, to add figures and the like.
    """
    logger.info(
        "run first=%s days=%d warm_up_days=%d changes=%d transfers=%d",
        period.dates[0],
        len(period.dates),
        request.warm_up_days,
        len(request.changes) - 1,
        len(period.trace),
    )
    with whole_folder(target) as folder:
        tables = tables_of(period, request.changes)
        write_tables(folder, tables, {"transfers": {"bound_by": bounds(period)}})
        write_json(folder / "summary.json", totals(period, inputs))
        for add in add_files:
            add(folder, tables)
        write_json(folder / "params.json", describe(request))
    logger.info("run written folder=%s days=%d", target, len(period.dates))


class RunLog:
    """Collects the log of a run in memory, so that simulation.log is written with the other files."""

    def __init__(self) -> None:
        """Start collecting."""
        self._lines: list[str] = []
        self._handler = _Collector(self._lines)
        add_handler(logging.getLogger("energy_sim"), self._handler)

    def write(self, folder: Path, _tables: Mapping[str, pd.DataFrame]) -> None:
        """Write simulation.log into a run's folder."""
        (folder / "simulation.log").write_text("\n".join([*self._lines, ""]), encoding="utf-8")

    def close(self) -> None:
        """Stop collecting."""
        logging.getLogger("energy_sim").removeHandler(self._handler)


class _Collector(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:  # not what the server does for others meanwhile
            self._lines.append(self.format(record))
