"""The message of every day fits into 4 kB and says exactly what the core computed."""

import json
from datetime import date

import pytest

from energy_sim.clock import Event
from energy_sim.config import load_config
from energy_sim.session import Frame
from energy_sim.zones import kernel as k
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.message import MAX_BYTES, encode, event_marks, tick_message


@pytest.fixture(scope="module")
def live():
    config = load_config()
    return open_zones(config, default_parameters(config))


def days(live, settings, count):
    """Frames of the first days under one setting."""
    state, values = live.start(), {**live.defaults(), **settings}
    for tick in range(min(count, live.last_tick + 1)):
        state, day = live.step(state, tick, values)
        yield Frame("s", tick, live.last_tick, True, False, 60.0, 12_345, 99, values, values, day)


def neighbours(root):
    folder = root / "examples" / "norway_neighbours"
    base = load_config()
    zones = base.zones.model_copy(
        update={"network": str(folder / "network.yaml"), "start": date(2018, 1, 1), "days": 365}
    )
    config = base.model_copy(update={"zones": zones})
    # both folders of the example as one input, as the command line's two --input options
    from energy_sim.zones.data import load_inputs
    from energy_sim.zones.live import LiveZones
    from energy_sim.zones.pipeline import network_from

    network = network_from(config)
    inputs = load_inputs((root / "input" / "zones", folder / "input"), network, date(2018, 1, 1), 365)
    return LiveZones(network, inputs, 0, 1.0)


def test_every_day_of_seven_years_takes_at_most_4096_bytes(live):
    sizes = [len(encode(tick_message(frame, [], live))) for frame in days(live, {}, 2557)]
    assert len(sizes) == 2557
    assert max(sizes) <= MAX_BYTES == 4096
    assert min(sizes) > 500


@pytest.mark.parametrize(
    "settings",
    [
        {"local_hydro": False},
        {"import_phase1": False, "two_hop": False},
        {"import_phase2": False},
        {"import_phase1": False, "import_phase2": False, "local_hydro": False, "wind": False},
        {"share_wind": True, "balance_levels": True, "wind_factor": 5.0, "consumption_factor": 0.3},
        {"consumption_factor": 5.0},
        {"consumption_factor": 1.23456789, "inflow_factor": 0.0},
    ],
)
def test_days_under_other_rules_take_at_most_4096_bytes_and_keep_their_explanation(live, settings):
    for frame in days(live, settings, 400):
        message = tick_message(frame, [], live)
        assert len(encode(message)) <= MAX_BYTES
        short = [zone for zone, amounts in zip(live.network.ids, message["z"], strict=True) if amounts[4] > 0.05]
        assert {line[0] for line in message["why"]} >= set(short)


@pytest.mark.parametrize("settings", [{}, {"local_hydro": False}, {"consumption_factor": 3.0}, {"share_wind": True}])
def test_a_day_of_thirteen_zones_takes_at_most_4096_bytes(root, settings):
    wide = neighbours(root)
    assert len(wide.network.zones) == 13
    sizes = [len(encode(tick_message(frame, [], wide))) for frame in days(wide, settings, 365)]
    assert len(sizes) == 365
    assert max(sizes) <= MAX_BYTES


def test_the_message_holds_the_days_numbers_to_a_tenth_of_a_megawatt_hour(live):
    frame = list(days(live, {}, 100))[-1]
    message, metrics = tick_message(frame, [], live), frame.data.metrics
    for i, zone in enumerate(message["z"]):
        imported = metrics[i, [k.P2H1, k.P2H2, k.P4H1, k.P4H2]].sum()
        amounts = metrics[i, [k.DEMAND, k.WIND_USED, k.LOCAL_HYDRO]]
        rest = [metrics[i, k.UNMET], metrics[i, k.EXPORTED_HYDRO], metrics[i, k.SPILL], metrics[i, k.INFLOW]]
        assert zone[:8] == pytest.approx([*amounts, imported, *rest], abs=0.051)
        capacity = live.network.zones[i].hydro_max_mwh
        assert zone[8] == pytest.approx(100 * metrics[i, k.LEVEL] / capacity, abs=0.0051)
    assert message["tot"][0] == pytest.approx(metrics[:, k.DEMAND].sum(), abs=0.051)
    assert [row[2] for row in message["x"]] == pytest.approx(frame.data.day.trace[:, k.SENT], abs=0.051)
    assert message["d"] == "2016-04-09"
    assert (message["t"], message["n"], message["p"], message["v"], message["ep"]) == (99, 2556, 1, 12_345, 99)


def test_the_encoded_message_reads_back_as_it_was_and_is_strict_json(live):
    frame = list(days(live, {"consumption_factor": 2.5}, 3))[-1]
    message = tick_message(frame, [], live)
    text = encode(message).decode()
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(message))
    assert '","' in text
    assert '", "' not in text


def test_skipped_days_come_as_chart_rows_oldest_first(live):
    frames = list(days(live, {}, 6))
    rows = tick_message(frames[-1], frames[2:-1], live)["s"]
    assert [row[0] for row in rows] == [2, 3, 4, 5]
    for row, frame in zip(rows, frames[2:], strict=True):
        total = frame.data.metrics.sum(axis=0)
        parts = [k.WIND_USED, None, k.LOCAL_HYDRO, None, k.UNMET, k.DEMAND]
        for value, column in zip(row[1:7], parts, strict=True):
            if column is not None:
                assert value == pytest.approx(total[column], abs=0.051)
        assert sum(row[1:6]) == pytest.approx(row[6], abs=0.3)  # what covers demand, and what does not
        assert len(row) == 7 + 5


def test_marks_leave_out_changes_that_no_day_will_show(live):
    events = [Event(1, 3, "wind", False), Event(2, live.last_tick + 1, "wind", True)]
    assert event_marks(events, live) == [[3, "wind", False]]


def test_zones_whose_explanation_does_not_fit_are_counted_at_the_end(root):
    wide = neighbours(root)
    cut = 0
    for frame in days(wide, {"consumption_factor": 5.0, "local_hydro": False}, 20):
        message = tick_message(frame, [], wide)
        short = {zone for zone, amounts in zip(wide.network.ids, message["z"], strict=True) if amounts[4] > 0.05}
        assert len(encode(message)) <= MAX_BYTES
        *explained, last = message["why"]
        if last[0] == "…":
            cut += 1
            assert len(last) == 2
            assert last[1] == len(short) - len(explained) > 0
        else:
            assert {line[0] for line in message["why"]} == short
    assert cut > 0
