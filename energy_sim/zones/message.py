"""The small JSON message that carries one day to the page: at most 4 kB a tick, see docs of the page in README.md."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from energy_sim.clock import Event
from energy_sim.session import Frame
from energy_sim.zones import kernel as k
from energy_sim.zones.explain import explain_unmet
from energy_sim.zones.live import DayFrame, LiveZones
from energy_sim.zones.model import Floats, Network, Switches
from energy_sim.zones.pipeline import SWITCH_NAMES

MAX_BYTES = 4096
MAX_ROWS = 20  # days since the last message that still come row by row; beyond, the page asks for its charts anew
_IMPORTS = [k.P2H1, k.P2H2, k.P4H1, k.P4H2]


def tick_message(frame: Frame, skipped: Sequence[Frame], live: LiveZones) -> dict[str, Any]:
    """One day for the page, MWh with one decimal.

    Args:
        frame: the day shown.
        skipped: the days since the last message, oldest first, without the day shown.
        live: the session's room.

    Returns:
        t tick; n last tick; d date; p playing; r days a second; e ended; v revision; ep epoch; set control values for
        the next day, now those of the day where they differ; z by zone [demand, wind used, local hydro, imported,
        unmet, exported, spill, inflow, level %, below minimum, forced exporter]; x transfers [phase, route, sent,
        delivered, limit, wind]; tot and prev `live.TOTALS` of the day and the day before; s chart rows [tick, wind,
        import 1, hydro, import 2, unmet, demand, level % by zone ...]; why limits of unmet zones, and
        ["…", number of zones left out] at the end where they do not all fit.
    """
    day: DayFrame = frame.data
    switches = Switches(**{name: frame.settings[name] for name in SWITCH_NAMES})
    message: dict[str, Any] = {
        "t": frame.tick,
        "n": frame.last_tick,
        "d": str(day.day.dates[0]),
        "p": int(frame.playing),
        "r": frame.rate,
        "e": int(frame.ended),
        "v": frame.revision,
        "ep": frame.epoch,
        "set": frame.next_settings,
        "z": _zones(day, live.network),
        "x": [_transfer(row) for row in day.day.trace],
        "tot": [_round(value) for value in day.totals_mwh],
        "prev": [_round(value) for value in day.previous_mwh],
        "s": [_chart_row(f.tick, f.data, live.network) for f in (*skipped, frame)],
        "why": [],
    }
    if frame.settings != frame.next_settings:
        message["now"] = frame.settings
    unmet = explain_unmet(live.network, day.metrics, day.day.opening_mwh, day.day.trace, switches)
    lines = [[found.zone, _round(found.unmet_mwh), *found.reasons] for found in unmet]
    message["why"] = _cut(lines, MAX_BYTES - len(encode(message)))
    return message


def _cut(lines: Sequence[list[Any]], room: int) -> list[list[Any]]:
    """The lines that fit into so many bytes; where some do not, the last one is ["…", number of lines left out]."""
    sizes = [len(_json(line)) + 1 for line in lines]
    if sum(sizes) <= room:
        return list(lines)
    rest = ["…", len(lines)]
    room -= len(_json(rest)) + 1
    if room < 0:
        return []
    kept: list[list[Any]] = []
    for line, size in zip(lines, sizes, strict=True):
        room -= size
        if room < 0:
            break
        kept.append(line)
    rest[1] = len(lines) - len(kept)
    return [*kept, rest]


def encode(message: Mapping[str, Any]) -> bytes:
    """The message as it goes over the wire."""
    return _json(message)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def event_marks(events: Sequence[Event], live: LiveZones) -> list[list[Any]]:
    """The changes people made as [tick, control, value], for marks on charts and the scrub bar."""
    return [[event.tick, event.control, event.value] for event in events if event.tick <= live.last_tick]


def _round(value: float) -> float:
    rounded = round(float(value), 1)
    return int(rounded) if rounded == int(rounded) else rounded


def _transfer(row: Floats) -> list[float]:
    phase, route, bound, source = (int(row[c]) for c in (k.PHASE, k.ROUTE, k.BOUND, k.SOURCE))
    return [phase, route, _round(row[k.SENT]), _round(row[k.DELIVERED]), bound, source]


def _zones(day: DayFrame, network: Network) -> list[list[float]]:
    m = day.metrics
    imported = m[:, _IMPORTS].sum(axis=1)
    exported = m[:, k.EXPORTED_HYDRO] + m[:, k.WIND_SHARED]
    rows = []
    for i, zone in enumerate(network.zones):
        columns = (k.DEMAND, k.WIND_USED, k.LOCAL_HYDRO)
        amounts = [*m[i, columns], imported[i], m[i, k.UNMET], exported[i], m[i, k.SPILL], m[i, k.INFLOW]]
        level, opening = m[i, k.LEVEL], day.day.opening_mwh[i]
        flags = [int(level < zone.hydro_min_mwh), int(opening >= zone.hydro_force_export_mwh)]
        rows.append([*(_round(a) for a in amounts), round(float(100 * level / zone.hydro_max_mwh), 2), *flags])
    return rows


def _chart_row(tick: int, day: DayFrame, network: Network) -> list[float]:
    total = day.metrics.sum(axis=0)
    levels = 100 * day.metrics[:, k.LEVEL] / np.array([zone.hydro_max_mwh for zone in network.zones])
    parts = (
        total[k.WIND_USED],
        total[k.P2H1] + total[k.P2H2],
        total[k.LOCAL_HYDRO],
        total[k.P4H1] + total[k.P4H2],
        total[k.UNMET],
        total[k.DEMAND],
    )
    return [tick, *(_round(p) for p in parts), *(round(float(level), 2) for level in levels)]
