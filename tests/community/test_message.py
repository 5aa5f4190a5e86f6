"""The message of every tick fits into 4 kB, holds what the core computed, and reads back."""

import base64
import json
import re

import numpy as np
import pytest

from callbacks.community_view import feeders, message_of
from energy_sim.community.message import (
    ALL_POWERS,
    IDLE_W,
    KEPT_FREE,
    MAX_BYTES,
    MAX_FOCUS,
    MAX_ROWS,
    NET_POWERS,
    encode,
    running_masks,
    tick_message,
)
from energy_sim.devices.appliances import NAMES
from energy_sim.session import Frame
from tests.community.test_live import street

KEYS = ["t", "n", "p", "r", "e", "v", "ep", "set", "at", "o", "c", "m", "x", "H", "id"]
LONG = {  # numbers as long as people can make them
    "time_scale": 3599.123456789,
    "update_interval_ms": 1999,
    "start": "2026-06-21T12:30:00.123",
    "flex_load_probability": 0.9876543210987654,
    "price_grid_delivery": 123.45678901234567,
    "price_grid_consumption": 923.4567890123457,
    "price_pv_delivery": 999.9876543210123,
    "price_house_consumption": 123.45678901234567,
}
BIG = {
    "pv_kwp": 100.0,
    "base_load_kwh": 99_999.5,
    "appliances": {name: {"power_w": 99_999.5, "energy_kwh": 1000.0, "runs_per_week": 6.0} for name in NAMES},
}


def framed(live, count, settings=(), tick=999_960):
    """The first frames of a street as a session shows them, as if it had run for long."""
    values, state = {**live.defaults(), **dict(settings)}, live.start()
    for at in range(count):
        state, data = live.step(state, at, values)
        yield Frame("s", tick + at, 999_999, True, False, 1000 / 1999, 1_234_567, 123, values, values, data)


@pytest.fixture(scope="module")
def awkward():
    """Streets whose houses draw and give as much as can be, by number of houses and whether those are own values."""

    def make(count, big):
        live = street(houses=count, house_values=(BIG,) * count if big else (), **LONG)
        own = {f"pv_kwp.house_{i + 1}": 12.345678901234567 for i in range(min(count, 3))}
        if big:  # 100 kW each, for ten hours
            own |= {f"start.{house}.{name}": 1 for house in live.house_ids for name in NAMES}
        return live, list(framed(live, 24 if count > 1000 else 30, own))

    made = {}
    return lambda count, big=False: made.setdefault((count, big), make(count, big))


def houses_of(message):
    """What a page reads from f, h and k, or q: (net W or state of each house, mask of each house or None)."""
    count = message["H"]

    def unpacked(text, bits):
        raw = np.frombuffer(base64.b64decode(text), np.uint8)
        return np.array([(raw[bits * i // 8] >> (bits * i % 8)) & (2**bits - 1) for i in range(count)])

    if "f" in message:
        rows = message["f"]
        return np.array([pv - base - flex for pv, base, flex, _ in rows]), np.array([mask for *_, mask in rows])
    if "h" in message:
        net = np.frombuffer(base64.b64decode(message["h"]), "<i2").astype(float) * message["u"]
        return net, unpacked(message["k"], 4)
    codes = np.frombuffer(message["q"].encode(), np.uint8).astype(int)
    values = codes - 35 - (codes > 92)  # the backslash is left out
    return np.array([values[i // 4] // 3 ** (i % 4) % 3 for i in range(count)]), None


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("count", [1, 5, 60, 61, 500, 800, 801, 3000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_message_takes_at_most_4096_bytes_in_the_most_awkward_state(awkward, count, big):
    if big and count > 1000:
        big = False  # own values of so many houses take long to check, and the states of houses are no longer for them
    live, frames = awkward(count, big)
    for i in range(21, len(frames)):
        message = message_of(frames[i], frames[i - 20 : i], live, (count - 1, count // 2, 0))
        size = len(encode({**message, "evn": 1999}))
        assert size <= MAX_BYTES == 4096, f"{size} bytes"
        assert message["s"][-1][0] == frames[i].tick


@pytest.mark.parametrize("count", [1, 5, 60, 61, 500, 800, 801, 3000])
def test_usual_messages_hold_every_row(count):
    live = street(houses=count, time_scale=60.0)
    frames = list(framed(live, 21 if count <= 500 else 6, tick=0))
    message = message_of(frames[-1], frames[:-1], live, (0,))
    assert [row[0] for row in message["s"]] == list(range(len(frames)))
    assert len(encode(message)) <= MAX_BYTES


def test_rows_that_do_not_fit_are_left_out_oldest_first(awkward):
    live, frames = awkward(800, True)
    whole = tick_message(frames[-1], frames[-21:-1], live, feeders(800), (0, 1, 2))
    ticks = [row[0] for row in whole["s"]]
    assert 1 < len(ticks) < 21
    assert ticks == list(range(frames[-1].tick - len(ticks) + 1, frames[-1].tick + 1))
    used = len(encode(whole))
    assert MAX_BYTES - KEPT_FREE - 70 < used <= MAX_BYTES - KEPT_FREE  # one row more would not fit
    few = tick_message(frames[-1], frames[-3:-1], live, feeders(800))
    assert [row[0] for row in few["s"]] == ticks[-3:]


def test_a_tick_without_imports_says_why_it_has_no_break_even_price():
    live = street(houses=2, house_values=({"pv_kwp": 100.0, "base_load_kwh": 0.0, "appliances": []},) * 2, **LONG)
    (frame,) = framed(live, 1)
    message = tick_message(frame, (), live, feeders(2))
    result, price, reason, capped, applies, cost = message["x"]
    assert (price, capped, applies, cost) == (None, None, 0, 0)
    assert reason.startswith("No house imports")
    surplus_kw = frame.data.bus.grid_export_w / 1000
    paid = message["set"]["price_grid_delivery"] - message["set"]["price_pv_delivery"]
    assert result == pytest.approx(surplus_kw * paid, abs=0.00051)
    assert len(encode({**message, "evn": 1_999_999})) - len(encode(message)) <= KEPT_FREE


@pytest.mark.parametrize(
    ("count", "own"),
    [(1, ["f"]), (ALL_POWERS, ["f"]), (61, ["h", "u", "k"]), (NET_POWERS, ["h", "u", "k"]), (801, ["q", "w"])],
)
def test_the_keys_are_those_documented(count, own):
    live = street(houses=count)
    (frame,) = framed(live, 1)
    message = tick_message(frame, (), live, feeders(count))
    assert list(message) == [*KEYS, *own, "F", "s"]
    documented = re.findall(r"\b\w+\b", tick_message.__doc__.partition("Returns:")[2])
    assert [key for key in message if key not in documented] == []
    text = encode(message).decode()
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(message))
    assert '": ' not in text


def test_the_head_holds_the_numbers_of_the_frame(awkward):
    live, frames = awkward(500)
    frame = frames[-1]
    message, bus, meters = tick_message(frame, (), live, feeders(500)), frame.data.bus, frame.data.meters
    assert [message[key] for key in ("t", "n", "p", "e", "v", "ep", "H", "id")] == [
        999_989, 999_999, 1, 0, 1_234_567, 123, 500, live.mark,
    ]  # fmt: skip
    assert (message["r"], message["o"]) == (1000 / 1999, 120)
    assert message["at"] == [round(frame.data.time_s, 3), 7194.648]
    assert message["set"] == {name: LONG.get(name, "enabled") for name in live.defaults()}
    production, consumption, net, imported, exported, shared = message["c"]
    wanted = (bus.production_w, bus.consumption_w, bus.net_w, bus.grid_import_w, bus.grid_export_w, bus.shared_w)
    assert message["c"] == list(wanted)
    assert net == pytest.approx(production - consumption, abs=1e-6) == pytest.approx(exported - imported, abs=1e-6)
    assert 0 <= shared <= min(production, consumption)
    kwh = (meters.produced_kwh, meters.consumed_kwh, meters.grid_import_kwh, meters.grid_export_kwh, meters.shared_kwh)
    assert message["m"] == pytest.approx([*kwh, meters.result_ct], abs=0.00051)


@pytest.mark.parametrize(("count", "big"), [(5, False), (60, True), (61, False), (500, False), (799, False)])
def test_powers_and_running_appliances_read_back(awkward, count, big):
    live, frames = awkward(count, big)
    ran = 0
    for frame in frames[::6]:
        message = tick_message(frame, (), live, feeders(count))
        powers = frame.data.powers
        net, masks = houses_of(json.loads(encode(message)))
        assert net == pytest.approx(powers.net_w, abs=0.51 if count > ALL_POWERS else 1e-6)
        assert masks.tolist() == running_masks(powers).tolist()
        assert masks.tolist() == [sum(2**a for a in range(4) if row[a] > 0) for row in powers.appliance_w]
        ran |= int(np.bitwise_or.reduce(masks))
        if "f" in message:
            rows = zip(powers.pv_w, powers.base_w, powers.flex_w, strict=True)
            assert [row[:3] for row in message["f"]] == [list(row) for row in rows]
    assert ran == 15 or count == 5


def test_powers_beyond_sixteen_bits_come_in_larger_units(awkward):
    live, frames = awkward(800, True)
    frame = frames[0]
    message = tick_message(frame, (), live, feeders(800))
    highest = np.abs(frame.data.net_w).max()
    assert highest > 2 * 32_767
    assert message["u"] == np.ceil(highest / 32_767)
    net, masks = houses_of(message)
    assert net == pytest.approx(frame.data.net_w, abs=message["u"] / 2 + 1e-6)
    assert masks.tolist() == running_masks(frame.data.powers).tolist()


@pytest.mark.parametrize("count", [801, 803, 3000])
def test_states_and_feeders_read_back(count):
    own = ({"pv_kwp": 0.0, "base_load_kwh": 0.0, "appliances": []},) * 3  # idle
    live = street(houses=count, house_values=own, time_scale=60.0)
    (frame,) = framed(live, 1)
    message = tick_message(frame, (), live, feeders(count))
    net = frame.data.net_w
    states, _ = houses_of(json.loads(encode(message)))
    assert states.tolist() == [1 if w > IDLE_W else 2 if w < -IDLE_W else 0 for w in net.tolist()]
    assert states[:3].tolist() == [0, 0, 0]
    assert {1, 2} <= set(states.tolist())
    trunk = feeders(count)
    sums = [net[trunk == f].sum() / 1000 for f in range(trunk.max() + 1)]
    assert message["w"] == pytest.approx(sums, abs=0.501)
    assert len(message["w"]) > 5


def test_focused_houses_come_with_meters_remaining_time_and_their_own_values():
    own = ({"pv_kwp": 5.0, "base_load_kwh": 3000.0, "appliances": {"ev": {"runs_per_week": 0.0}}},)
    live = street(houses=900, house_values=own, time_scale=60.0)
    settings = {"start.house_1.ev": 1, "pv_kwp.house_2": 7.5, "base_load_kwh.house_3": 1234.5}
    frame = list(framed(live, 3, settings))[-1]
    message = tick_message(frame, (), live, feeders(900), (0, 1, 2, 3))
    assert [row[0] for row in message["F"]] == [0, 1, 2]
    assert MAX_FOCUS == 3
    p, m = frame.data.powers, frame.data.meters
    first, second, third = message["F"]
    assert first[1:5] == [p.pv_w[0], p.base_w[0], 11_000, 4]
    assert first[5:9] == pytest.approx([m.export_kwh[0], m.import_kwh[0], m.sold_ct[0], m.bought_ct[0]], abs=0.00051)
    assert first[9] == [0, 0, round(25 / 11 * 3600 - 180), 0]
    assert first[10] == [5, 3000]
    assert second[10][0] == 7.5
    assert third[10][1] == 1234.5
    assert tick_message(frame, (), live, feeders(900), (-1, 900))["F"] == []


def test_chart_rows_are_the_ticks_of_the_frames():
    live = street(houses=5, time_scale=60.0)
    frames = list(framed(live, MAX_ROWS + 1, tick=0))
    rows = tick_message(frames[-1], frames[:-1], live, feeders(5))["s"]
    for row, frame in zip(rows, frames, strict=True):
        b = frame.data.bus
        wanted = [frame.tick, frame.data.time_s, b.production_w, b.consumption_w, b.grid_import_w, b.grid_export_w]
        assert row == pytest.approx(wanted, abs=0.00051)
