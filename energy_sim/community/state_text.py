"""The opening state of a tick as JSON text, floats exact: what a process leaves for the next one."""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from energy_sim.community.model import Floats, Meters, State, World
from energy_sim.community.statements import MonthMeters
from energy_sim.devices.appliances import ManualStart


def encode_state(state: State, mark: int) -> str:
    """The state with the mark of the street it belongs to."""
    m, world = state.meters, state.world
    return json.dumps(
        {
            "mark": mark,
            "world": [
                world.time_ms,
                world.probability,
                [[s.time_s, s.house, s.appliance] for s in world.started],
                world.begun,
            ],
            "meters": [_packed([m.export_kwh, m.import_kwh, m.sold_ct, m.bought_ct]), *_street(m)],
            "day": state.day,
            "months": [_month_row(month) for month in state.months],
        }
    )


def decode_state(text: str, mark: int) -> State:
    """The state that was encoded.

    Raises:
        ValueError, KeyError, TypeError: it belongs to another street, or is no state.
    """
    found = json.loads(text)
    if found["mark"] != mark:
        raise ValueError("a state of another street")
    time_ms, probability, started, begun = found["world"]
    world = World(
        time_ms,
        tuple((float(at), float(value)) for at, value in probability),
        tuple(ManualStart(*row) for row in started),
        tuple((name, number) for name, number in begun),
    )
    arrays, produced, consumed, grid_import, grid_export, shared, result = found["meters"]
    exported, imported, sold, bought = _unpacked(arrays)
    meters = Meters(exported, imported, sold, bought, produced, consumed, grid_import, grid_export, shared, result)
    ordinal, day = found["day"]
    months = tuple(_month(row) for row in found["months"])
    return State(world, meters, (ordinal, tuple(day)), months)


def _street(m: Meters) -> list[float]:
    return [m.produced_kwh, m.consumed_kwh, m.grid_import_kwh, m.grid_export_kwh, m.shared_kwh, m.result_ct]


def _packed(arrays: Sequence[Floats]) -> str:
    raw = np.stack(arrays).astype("<f8").tobytes()
    return base64.b64encode(zlib.compress(raw, 1)).decode()


def _unpacked(text: str) -> list[Floats]:
    return list(np.frombuffer(zlib.decompress(base64.b64decode(text)), "<f8").reshape(4, -1))


def _month_row(m: MonthMeters) -> list[Any]:
    arrays = _packed([m.export_kwh, m.import_kwh, m.sold_ct, m.bought_ct])
    grid = [m.grid_export_kwh, m.grid_import_kwh, m.grid_sold_ct, m.grid_bought_ct]
    return [m.month, m.from_s, m.to_s, arrays, *grid]


def _month(row: Sequence[Any]) -> MonthMeters:
    month, from_s, to_s, arrays, grid_export, grid_import, grid_sold, grid_bought = row
    exported, imported, sold, bought = _unpacked(arrays)
    return MonthMeters(
        month, from_s, to_s, exported, imported, sold, bought, grid_export, grid_import, grid_sold, grid_bought
    )
