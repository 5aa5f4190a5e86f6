"""The small JSON message that carries one tick of the street to the page: at most 4 kB, however many houses.

Up to 60 houses it holds each one's powers, up to 800 each one's net power and running appliances, above that the state
of each and the net power of the feeders; whatever the size, everything about the few houses somebody looks at.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from energy_sim.community.economics import Prices, break_even_house_price, community_result_ct_per_h
from energy_sim.community.live import LiveCommunity
from energy_sim.community.model import PLAIN_CONTROLS, PRICE_NAMES, Bus, TickFrame
from energy_sim.devices.house import Powers
from energy_sim.session import Frame

MAX_BYTES = 4096
MAX_ROWS = 20  # ticks since the last message that still come row by row; beyond, the page asks for its chart anew
MAX_FOCUS = 3
ALL_POWERS, NET_POWERS = 60, 800  # houses up to which a message holds that much of each
KEPT_FREE = 40  # bytes that the page's callbacks may add
_CHARACTERS = np.frombuffer(bytes(c for c in range(35, 117) if c != 92), np.uint8)  # 81 that JSON leaves as they are
IDLE_W = 10.0  # net power below which a house counts as idle


def tick_message(
    frame: Frame, skipped: Sequence[Frame], live: LiveCommunity, feeders: NDArray[np.int64], focus: Sequence[int] = ()
) -> dict[str, Any]:
    """One tick for the page.

    Args:
        frame: the tick shown.
        skipped: the ticks since the last message, oldest first, without the one shown.
        live: the session's street.
        feeders: the feeder of each house (H,), as the drawing has them.
        focus: houses somebody looks at.

    Returns:
        t tick; n last tick; p playing; r ticks a second; e ended; v revision; ep epoch; set plain control values,
        now the prices of the tick where others come;
        at [time s, length s] and o offset of the street's clock in minutes; c bus in W [production, consumption, net,
        import, export, shared]; m since the start [produced, consumed, import, export, shared kWh, result ct]; x what
        it is worth; H number of houses; id mark of the street; f, or h with u and k, or q with w: the houses; F focused
        houses; s chart rows [tick, time s, production, consumption, import, export W], without the oldest where they do
        not fit: the page asks for its chart anew when ticks are missing.
    """
    tick: TickFrame = frame.data
    b, m = tick.bus, tick.meters
    message = {
        "t": frame.tick,
        "n": frame.last_tick,
        "p": int(frame.playing),
        "r": frame.rate,
        "e": int(frame.ended),
        "v": frame.revision,
        "ep": frame.epoch,
        "set": {name: frame.next_settings[name] for name in PLAIN_CONTROLS},
        **_prices_now(frame),
        "at": [_plain(tick.time_s), _plain(tick.dt_s)],
        "o": tick.utc_offset_s // 60,
        "c": [
            _plain(v) for v in (b.production_w, b.consumption_w, b.net_w, b.grid_import_w, b.grid_export_w, b.shared_w)
        ],
        "m": [
            round(v, 3)
            for v in (m.produced_kwh, m.consumed_kwh, m.grid_import_kwh, m.grid_export_kwh, m.shared_kwh, m.result_ct)
        ],
        "x": _worth(b, Prices(*(frame.settings[name] for name in PRICE_NAMES))),
        "H": len(live.house_ids),
        "id": live.mark,
        **_houses(tick.powers, feeders),
        "F": [_focused(frame, live, i) for i in focus[:MAX_FOCUS] if 0 <= i < len(live.house_ids)],
    }
    rows = [chart_row(f.tick, f.data.time_s, f.data.bus) for f in (*skipped, frame)]
    if not skipped:
        return {**message, "s": rows}
    spare = MAX_BYTES - KEPT_FREE - len(encode(message))
    lengths = np.cumsum([len(json.dumps(row, separators=(",", ":"))) + 1 for row in reversed(rows)])
    fitting = max(1, int(np.searchsorted(lengths, spare - len(',"s":[]'), side="right")))
    return {**message, "s": rows[-fitting:]}


def encode(message: Mapping[str, Any]) -> bytes:
    """The message as it goes over the wire."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def chart_row(tick: int, time_s: float, bus: Bus) -> list[float]:
    """A row of the chart: tick, time in s, production, consumption, import, export in W."""
    return [
        tick,
        _plain(time_s),
        *(_plain(v) for v in (bus.production_w, bus.consumption_w, bus.grid_import_w, bus.grid_export_w)),
    ]


def _prices_now(frame: Frame) -> dict[str, Any]:
    """now: the prices of the tick, where others act from the next one on."""
    now = {name: frame.settings[name] for name in PRICE_NAMES}
    return {} if all(frame.next_settings[name] == price for name, price in now.items()) else {"now": now}


def _worth(bus: Bus, prices: Prices) -> list[Any]:
    """[community result ct/h, break-even house price or null, why none, capped price, cap applies, its cost ct/h]."""
    export_kw, import_kw = (bus.shared_w + bus.grid_export_w) / 1000, (bus.shared_w + bus.grid_import_w) / 1000
    found = break_even_house_price(export_kw, import_kw, prices)
    price, capped = found.price_ct_per_kwh, found.capped_price_ct_per_kwh
    return [
        round(float(community_result_ct_per_h(export_kw, import_kw, prices)), 3),
        None if price is None else round(price, 4),
        found.reason,
        None if capped is None else round(capped, 4),
        int(found.cap_applies),
        round(found.cap_cost_ct_per_h, 3),
    ]


def _houses(powers: Powers, feeders: NDArray[np.int64]) -> dict[str, Any]:
    count = len(powers.net_w)
    masks = running_masks(powers)
    if count <= ALL_POWERS:
        rows = zip(powers.pv_w.tolist(), powers.base_w.tolist(), powers.flex_w.tolist(), masks.tolist(), strict=True)
        return {"f": [[_plain(pv), _plain(base), _plain(flex), mask] for pv, base, flex, mask in rows]}
    if count <= NET_POWERS:
        return _net_powers(powers, masks)
    states = np.where(powers.net_w > IDLE_W, 1, np.where(powers.net_w < -IDLE_W, 2, 0)).astype(np.uint8)
    trunks = np.bincount(feeders, powers.net_w) / 1000
    return {"q": _states_text(states), "w": [round(float(kw)) for kw in trunks]}


def _net_powers(powers: Powers, masks: NDArray[np.uint8]) -> dict[str, Any]:
    """h: net powers, little-endian int16 in units of u W; k: running appliances, two houses a byte, low bits first."""
    highest = float(np.abs(powers.net_w).max())
    unit = 1 if highest <= 32_767 else int(np.ceil(highest / 32_767))
    net = np.round(powers.net_w / unit).astype("<i2")
    halves = _padded(masks, 2) @ np.array([1, 16], np.uint8)
    return {"h": base64.b64encode(net.tobytes()).decode(), "u": unit, "k": base64.b64encode(halves.tobytes()).decode()}


def running_masks(powers: Powers) -> NDArray[np.uint8]:
    """(H,) bit a is set where appliance a runs."""
    bits = 1 << np.arange(powers.appliance_w.shape[1])
    return np.asarray(((powers.appliance_w > 0) * bits).sum(axis=1).astype(np.uint8))


def _states_text(states: NDArray[np.uint8]) -> str:
    """Four houses a character: their states 0, 1, 2 as digits of base 3, the first one the lowest."""
    return _CHARACTERS[_padded(states, 4) @ np.array([1, 3, 9, 27], np.uint8)].tobytes().decode()


def _padded(values: NDArray[np.uint8], per: int) -> NDArray[np.uint8]:
    """Rows of so many values, the last one filled with zeros."""
    padded = np.zeros(-(-len(values) // per) * per, np.uint8)
    padded[: len(values)] = values
    return padded.reshape(-1, per)


def _focused(frame: Frame, live: LiveCommunity, i: int) -> list[Any]:
    """[house, PV, base, flexible W, running mask, exported, imported kWh, sold, bought ct, seconds to run, own values].

    The last are the PV capacity in kWp and the base load in kWh a year that act from the next tick on.
    """
    tick: TickFrame = frame.data
    p, m = tick.powers, tick.meters
    house = live.house_ids[i]
    kwp = frame.next_settings.get(f"pv_kwp.{house}", float(live.houses.pv_kwp[i]))
    base = frame.next_settings.get(f"base_load_kwh.{house}", float(live.houses.base_load_kwh[i]))
    metered = (m.export_kwh[i], m.import_kwh[i], m.sold_ct[i], m.bought_ct[i])
    return [
        i,
        *(_plain(float(v[i])) for v in (p.pv_w, p.base_w, p.flex_w)),
        int(running_masks(p)[i]),
        *(round(float(v), 3) for v in metered),
        [round(float(s)) for s in live.remaining_s(tick, i)],
        [_plain(kwp), _plain(base)],
    ]


def _plain(value: float) -> float:
    """A number as short as JSON can have it."""
    value = round(value, 3)
    return int(value) if value == int(value) else value
