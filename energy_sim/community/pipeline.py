"""A street for so many ticks, written to a folder: what `energy-sim community run` does, and the page's exports."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from energy_sim.clock import Event, settings_at
from energy_sim.community.live import LAST_TICK, LiveCommunity
from energy_sim.community.model import Meters, TickFrame
from energy_sim.community.statements import statement_csv
from energy_sim.errors import ConfigError
from energy_sim.runs import whole_folder, write_json

logger = logging.getLogger(__name__)

BATCH_ROWS = 100_000
_NUMBER = pa.float64()
TICKS = pa.schema(
    [("tick", pa.int64()), ("time", pa.string())]
    + [
        (name, _NUMBER)
        for name in (
            "total_production_w",
            "total_consumption_w",
            "net_community_power_w",
            "grid_import_w",
            "grid_export_w",
        )
    ]
)
HOUSES = pa.schema(
    [("tick", pa.int64()), ("time", pa.string()), ("house_id", pa.string())]
    + [(name, _NUMBER) for name in ("pv_power_w", "base_load_w", "flex_load_w", "net_power_w")]
)


def frames(live: LiveCommunity, ticks: int, events: tuple[Event, ...] = ()) -> Iterator[TickFrame]:
    """The first ticks of a street, one by one."""
    state, settings = live.start(), live.defaults()
    changes = {event.tick for event in events} | {0}
    for tick in range(ticks):
        if tick in changes:
            settings = MappingProxyType(settings_at(live.defaults(), events, tick))
        state, frame = live.step(state, tick, settings)
        yield frame


def write_run(
    target: Path,
    live: LiveCommunity,
    ticks: int,
    *,
    houses: bool = True,
    done: Callable[[int], None] = lambda _tick: None,
) -> dict[str, Any]:
    """Simulate and write ticks, houses (if asked), statements, params.json and summary.json, all or nothing.

    Args:
        target: the folder.
        live: the street; changes that belong to it act.
        ticks: how many, 1 to 1,000,000.
        houses: whether houses.csv is written.
        done: called with the number of ticks done.

    Returns:
        The summary.

    Raises:
        ConfigError: the number of ticks is outside its limits.
        DataError: the folder cannot be written.
    """
    if not 1 <= ticks <= LAST_TICK + 1:
        raise ConfigError(f"ticks: {ticks} is outside the limits; give 1 to {LAST_TICK + 1}")
    late = [event for event in live.recorded_events() if event.tick >= ticks]
    if late:
        raise ConfigError(
            f"change {late[0].control}: tick {late[0].tick} is after the last one, {ticks - 1}; give more ticks"
        )
    with whole_folder(target) as folder:
        first = last = None
        with ExitStack() as files:
            street = files.enter_context(_Table(folder / "ticks", TICKS))
            each = files.enter_context(_Table(folder / "houses", HOUSES)) if houses else None
            for tick, frame in enumerate(frames(live, ticks, live.recorded_events())):
                first, last = first or frame, frame
                street.add(_tick_columns(live, tick, frame))
                if each:
                    each.add(_house_columns(live, tick, frame))
                done(tick + 1)
        assert first is not None and last is not None  # noqa: S101, PT018 - there is at least one tick
        statements = statement_csv(last.months, live.house_ids, live.timezone)
        (folder / "statements.csv").write_text(statements, encoding="utf-8")
        summary = _summary(live, ticks, first, last)
        write_json(folder / "summary.json", summary)
        write_json(folder / "params.json", describe(live, ticks))
    logger.info("community run written ticks=%d houses=%d folder=%s", ticks, len(live.house_ids), target)
    return summary


def describe(live: LiveCommunity, ticks: int) -> dict[str, Any]:
    """The parameters of a run: with them the same numbers come again."""
    return {
        "room": "community",
        "ticks": ticks,
        "parameters": live.parameters.model_dump(mode="json"),
    }


def rates(meters: Meters) -> tuple[float | None, float | None]:
    """Self-consumption and self-sufficiency since the start, 0 to 1; None while nothing was produced or used.

    self-consumption = (production - export) / production, self-sufficiency = (consumption - import) / consumption, both
    of the street as a whole: what neighbours use counts as used inside.
    """
    made, used = meters.produced_kwh, meters.consumed_kwh
    return (
        (made - meters.grid_export_kwh) / made if made > 0 else None,
        (used - meters.grid_import_kwh) / used if used > 0 else None,
    )


def _summary(live: LiveCommunity, ticks: int, first: TickFrame, last: TickFrame) -> dict[str, Any]:
    m = last.meters
    consumption, sufficiency = rates(m)
    return {
        "houses": len(live.house_ids),
        "ticks": ticks,
        "first_time": live.iso(first.time_s),
        "last_time": live.iso(last.time_s),
        "end_time": live.iso(last.time_s + last.dt_s),
        "totals_kwh": {
            "production": m.produced_kwh,
            "consumption": m.consumed_kwh,
            "grid_import": m.grid_import_kwh,
            "grid_export": m.grid_export_kwh,
            "shared": m.shared_kwh,
        },
        "self_consumption": consumption,
        "self_sufficiency": sufficiency,
        "houses_sold_ct": float(m.sold_ct.sum()),
        "houses_bought_ct": float(m.bought_ct.sum()),
        "community_result_ct": m.result_ct,
    }


def _tick_columns(live: LiveCommunity, tick: int, frame: TickFrame) -> tuple[Any, ...]:
    b = frame.bus
    values = (b.production_w, b.consumption_w, b.net_w, b.grid_import_w, b.grid_export_w)
    return ([tick], [live.iso(frame.time_s)], *([value] for value in values))


def _house_columns(live: LiveCommunity, tick: int, frame: TickFrame) -> tuple[Any, ...]:
    p, count = frame.powers, len(live.house_ids)
    same = ([tick] * count, [live.iso(frame.time_s)] * count, live.house_ids)
    return (*same, *(part.tolist() for part in (p.pv_w, p.base_w, p.flex_w, p.net_w)))


class _Table:
    """A table written as CSV and Parquet, batch by batch."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._waiting: list[list[Any]] = [[] for _ in schema]
        options = pa_csv.WriteOptions(quoting_style="none", quoting_header="none")
        self._files = (
            pa_csv.CSVWriter(path.with_suffix(".csv"), schema, write_options=options),
            pa_parquet.ParquetWriter(path.with_suffix(".parquet"), schema),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._flush()
        for file in self._files:
            file.close()

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        """Rows as columns in the order of the schema."""
        for waiting, column in zip(self._waiting, columns, strict=True):
            waiting.extend(column)
        if len(self._waiting[0]) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting[0]:
            table = pa.table(self._waiting, schema=self._schema)
            for file in self._files:
                file.write_table(table)
        self._waiting = [[] for _ in self._schema]
