import json
import logging
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from energy_sim.community.live import open_community, session_parameters
from energy_sim.community.meter_messages import mac_addresses, readings
from energy_sim.community.mqtt import Publisher, publish_sessions, seconds_to_next, session_messages
from energy_sim.community.mqtt_url import parse_url
from energy_sim.config import load_config
from energy_sim.database import open_database
from energy_sim.errors import ConfigError, DataError
from energy_sim.session import Room, Sessions
from tests.community.broker import Broker, Subscriber, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
FIELDS = ["SMid", "Pi", "Po", "I1", "I2", "I3", "Ei", "Eo", "Q5", "Q6", "Q7", "Q8", "ts"]


def one(net_w, import_kwh=0.0, export_kwh=0.0, time_s=1_783_684_800.0):
    """The reading of a house alone in its street."""
    ((topic, payload),) = readings(
        ("house_1",), "s", time_s, np.array([net_w]), np.array([import_kwh]), np.array([export_kwh])
    )
    return topic, json.loads(payload)


class Street:
    """A room with what the publisher uses: house i imports (i + 1) kW in even ticks and exports as much in odd ones."""

    last_tick = 100_000

    def __init__(self, parameters, seed=0):
        self.house_ids = tuple(f"house_{i + 1}" for i in range(parameters.get("houses", 3)))
        self._kw = np.arange(len(self.house_ids)) + 1.0

    def defaults(self):
        return {"gain": 1.0}

    def check(self, control, value):
        return value

    def start(self):
        return 0, 0

    def step(self, state, tick, settings):
        imports, exports = state[0] + (tick % 2 == 0), state[1] + tick % 2  # hours of each so far
        sign = -1.0 if tick % 2 == 0 else 1.0
        return (imports, exports), SimpleNamespace(
            time_s=3600.0 * tick + 0.5,
            net_w=1000 * sign * self._kw,
            import_kwh=imports * self._kw,
            export_kwh=exports * self._kw,
        )

    def encode(self, state):
        return json.dumps(state)

    def decode(self, text):
        return tuple(json.loads(text))


@pytest.fixture
def database(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/sessions.db")
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(database):
    return Sessions(database, [Room("community", Street), Room("zones", Street)])


@pytest.fixture
def broker(tmp_path):
    running = Broker(tmp_path).start()
    yield running
    running.end()


@pytest.fixture
def subscriber(broker):
    listening = Subscriber(broker.port)
    yield listening
    listening.close()


@pytest.fixture
def publisher():
    """Makes publishers and closes them."""
    made = []

    def make(url, **options):
        made.append(Publisher(parse_url(url), **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def publishing(sessions):
    """Runs `publish_sessions` in a thread until the test is over; what it raised fails the test."""
    stop, threads, failed = threading.Event(), [], []

    def start(url, **options):
        def run():
            try:
                publish_sessions(sessions, parse_url(url), stop, **options)
            except BaseException as error:
                failed.append(error)
                raise

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return threads[-1]

    yield start
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert failed == []


def play(sessions, room="community", rate=0.1, **parameters):
    record = sessions.create(room, parameters, rate=rate)
    sessions.control(record.id, record.control_key, "play")
    return record


# readings


def test_an_import_of_4600_w_is_7_02_a_on_each_of_three_phases():
    topic, content = one(-4600.0, import_kwh=12.3456, export_kwh=7.8904)
    # 4600 / (3 * 230 * 0.95) = 7.0175; tan(acos 0.95) = 0.328684; 12.3456 * 0.328684 = 4.05780
    assert content == {
        "SMid": "house_1", "Pi": 4.6, "Po": 0.0, "I1": 7.02, "I2": 7.02, "I3": 7.02, "Ei": 12.346, "Eo": 7.89,
        "Q5": 4.058, "Q6": 0.0, "Q7": 0.0, "Q8": 0.0, "ts": 1783684800,
    }  # fmt: skip
    assert list(content) == FIELDS
    assert re.fullmatch(r"[0-9A-F]{12}/SENSOR", topic)


def test_an_export_of_4600_w_is_6_67_a_at_unity_and_adds_no_reactive_energy():
    _, content = one(4600.0, import_kwh=0.0, export_kwh=100.0)
    assert [content[name] for name in ("Pi", "Po", "I1", "I2", "I3")] == [0.0, 4.6, 6.67, 6.67, 6.67]  # 4600 / 690
    assert [content[name] for name in ("Eo", "Q5", "Q6", "Q7", "Q8")] == [100.0, 0.0, 0.0, 0.0, 0.0]


def test_nothing_flowing_is_written_without_a_sign_and_time_in_whole_seconds_that_began():
    payload = dict(readings(("a",), "s", 59.999, np.array([-0.0]), np.zeros(1), np.zeros(1)))
    ((_, text),) = payload.items()
    assert b"-" not in text
    assert json.loads(text)["ts"] == 59


def test_currents_are_consistent_with_the_power_within_rounding():
    net_w = np.concatenate([np.linspace(-30_000, 30_000, 601), [0.4, -0.4, 4999.95]])
    zero = np.zeros(len(net_w))
    got = [json.loads(p) for _, p in readings([f"h{i}" for i in range(len(net_w))], "s", 0.0, net_w, zero, zero)]
    assert len(got) == 604
    for content, power in zip(got, net_w, strict=True):
        assert min(content["Pi"], content["Po"]) == 0
        assert content["Po"] - content["Pi"] == pytest.approx(power / 1000, abs=0.0005 + 1e-9)
        cos_phi = 0.95 if power < 0 else 1.0
        flowing = 230 * cos_phi * (content["I1"] + content["I2"] + content["I3"]) / 1000
        assert flowing == pytest.approx(content["Pi"] + content["Po"], abs=3 * 230 * 0.005 / 1000 + 0.0005 + 1e-9)


def test_registers_never_go_back_and_reactive_energy_follows_the_import():
    steps = np.cumsum(np.random.default_rng(1).random(500) / 100)
    got = [json.loads(p) for _, p in readings([str(i) for i in range(500)], "s", 0.0, steps, steps, steps)]
    for name in ("Ei", "Eo", "Q5"):
        assert np.all(np.diff([content[name] for content in got]) >= 0)
    assert got[-1]["Q5"] / got[-1]["Ei"] == pytest.approx(math.sqrt(1 / 0.95**2 - 1), rel=0.001)


def test_ten_thousand_houses_have_addresses_of_their_own_that_no_maker_gives():
    ids = tuple(f"house_{i + 1}" for i in range(10_000))
    macs = mac_addresses("a-session", ids)
    assert len(set(macs)) == 10_000
    assert all(re.fullmatch(r"[0-9A-F][26AE][0-9A-F]{10}", mac) for mac in macs)
    assert mac_addresses("a-session", ids[:7]) == macs[:7]
    assert not set(mac_addresses("another", ids)) & set(macs)


def test_an_address_that_is_taken_is_drawn_again(monkeypatch):
    monkeypatch.setattr("energy_sim.community.meter_messages._mac", lambda text: {"0": "A", "1": "B"}[text[-1]])
    assert mac_addresses("colliding", ("x", "y")) == ("A", "B")


def test_powers_of_another_number_of_houses_are_refused():
    with pytest.raises(DataError, match="2 houses but 3 powers"):
        list(readings(("a", "b"), "s", 0.0, np.zeros(3), np.zeros(2), np.zeros(2)))


# address of the broker


def test_an_address_is_read_with_its_defaults_and_escapes():
    full = parse_url("mqtts://me:p%40ss%2Fw%3F@broker.example.com:2883/street/a/")
    assert (full.host, full.port, full.tls, full.prefix) == ("broker.example.com", 2883, True, "street/a")
    assert (full.user, full.password) == ("me", "p@ss/w?")
    assert str(full) == "mqtts://broker.example.com:2883/street/a"
    assert "p@ss" not in repr(full)
    assert [(u.port, u.tls, u.user) for u in map(parse_url, ("mqtt://a", "mqtts://[::1]"))] == [
        (1883, False, None),
        (8883, True, None),
    ]
    assert str(parse_url("mqtt://[::1]")) == "mqtt://[::1]:1883"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://host", "does not begin with mqtt://"),
        ("me:secret@host:1883", "does not begin with mqtt://"),
        ("mqtt://", "names no host"),
        ("mqtt://me:sec/ret@host", "cannot be read"),
        ("mqtt://host:secret", "cannot be read"),
        ("mqtt://host:99999", "cannot be read"),
        ("mqtt://host:0", "port 0"),
        ("mqtt://[::1", "cannot be read"),
        ("mqtt://host/a#secret", "holds a ? or #"),
        ("mqtt://host/a/%2B/b", "may not hold + or #"),
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url, says):
    with pytest.raises(ConfigError) as refused:
        parse_url(url)
    assert says in str(refused.value)
    assert "give mqtt://user:password@host:1883/prefix" in str(refused.value)
    assert "sec" not in str(refused.value).replace("mqtts", "")


# a real broker


def test_ten_thousand_meters_reach_a_subscriber_in_two_seconds(broker, subscriber, publisher):
    count = 10_000
    ids = tuple(f"house_{i + 1}" for i in range(count))
    net_w = 5000 * np.sin(np.arange(count))
    out = publisher(broker.url + "/street")
    wait_until(lambda: out.connected, "the connection")
    times_s = []
    for _ in range(3):  # the best of them: other tests run at the same time
        subscriber.got.clear()
        began = time.monotonic()
        assert out.publish(list(readings(ids, "s", 60.0, net_w, np.arange(count) / 10, np.zeros(count)))) == count
        wait_until(lambda: len(subscriber.got) == count, "all messages", 30)
        times_s.append(time.monotonic() - began)
        if times_s[-1] < 2.0:
            break
    assert min(times_s) < 2.0
    assert (out.left_out, out.waiting) == (0, 0)
    macs = mac_addresses("s", ids)
    assert [topic for topic, _ in subscriber.got] == [f"street/{mac}/SENSOR" for mac in macs]
    contents = [json.loads(payload) for _, payload in subscriber.got]
    assert [content["SMid"] for content in contents] == list(ids)
    np.testing.assert_allclose([c["Po"] - c["Pi"] for c in contents], net_w / 1000, atol=0.00051)


def test_a_killed_broker_is_waited_for_and_the_readings_go_on(broker, publisher, caplog):
    out = publisher(broker.url)
    wait_until(lambda: out.connected, "the connection")
    with caplog.at_level(logging.INFO, logger="energy_sim"):
        broker.kill()
        wait_until(lambda: not out.connected, "the loss to be noticed")
        assert out.publish([("a/SENSOR", b"1"), ("b/SENSOR", b"1")]) == 0
        broker.start()
        listening = Subscriber(broker.port)
        wait_until(lambda: out.connected, "the connection again", 15)
        assert out.publish([("a/SENSOR", b"2")]) == 1
        wait_until(lambda: listening.got, "a message")
        listening.close()
    assert listening.got == [("a/SENSOR", b"2")]
    assert (out.outages, out.left_out) == (1, 2)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert f"broker away broker={broker.url} reason=" in caplog.text
    assert "broker back" in caplog.text


def test_nobody_at_the_port_is_warned_of_once_and_raises_nothing(publisher, caplog):
    with caplog.at_level(logging.INFO, logger="energy_sim"):
        out = publisher(f"mqtt://me:sesame@127.0.0.1:{free_port()}")
        wait_until(lambda: out.outages, "the refusal")
        time.sleep(1.2)
        assert out.publish([("a/SENSOR", b"1")]) == 0
        out.close()
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "Connection refused" in warning.getMessage()
    assert "sesame" not in caplog.text
    assert (out.outages, out.left_out) == (1, 1)


def test_a_wrong_password_is_warned_of_and_a_right_one_gets_in(tmp_path, publisher, caplog):
    asking = Broker(tmp_path, login=("me", "open sesame"))
    asking.start()
    try:
        with caplog.at_level(logging.INFO, logger="energy_sim"):
            refused = publisher(f"mqtt://me:guessed@127.0.0.1:{asking.port}")
            accepted = publisher(f"mqtt://me:open%20sesame@127.0.0.1:{asking.port}")
            wait_until(lambda: refused.outages and accepted.connected, "both answers")
            assert not refused.connected
        assert "Not authorized" in caplog.text
        assert "sesame" not in caplog.text
        assert "guessed" not in caplog.text
    finally:
        asking.end()


def test_a_broker_that_takes_nothing_fills_the_queue_no_further_and_closing_ends(broker, publisher, caplog):
    out = publisher(broker.url, max_waiting=100)
    wait_until(lambda: out.connected, "the connection")
    broker._process.send_signal(signal.SIGSTOP)
    try:
        big = [("a/SENSOR", bytes(100_000))] * 60
        with caplog.at_level(logging.WARNING, logger="energy_sim"):
            sent = [out.publish(big) for _ in range(6)]
        assert sum(sent) == 360 - out.left_out
        assert sent[-1] == 0
        assert 0 < out.waiting <= 100
        assert caplog.text.count("broker too slow") == 1
        began = time.monotonic()
        out.close()
        assert time.monotonic() - began < 6
    finally:
        broker._process.send_signal(signal.SIGCONT)


# sessions


def test_the_meters_of_sessions_that_play_go_out_every_round_and_keep_nobody_awake(
    sessions, broker, subscriber, publishing
):
    playing, other = play(sessions, houses=3), play(sessions, room="zones")
    paused = sessions.create("community", {"houses": 3})
    seen = sessions.record(playing.id).seen
    publishing(broker.url, every_s=0.25)
    wait_until(lambda: len(subscriber.got) >= 9, "three rounds")
    macs = mac_addresses(playing.id, ("house_1", "house_2", "house_3"))
    assert subscriber.topics() == {f"{mac}/SENSOR" for mac in macs}
    assert [topic[:12] for topic, _ in subscriber.got[:6]] == [*macs, *macs]
    first = [json.loads(payload) for _, payload in subscriber.got[:3]]
    assert [(c["SMid"], c["Pi"], c["Ei"], c["Eo"], c["I1"], c["ts"]) for c in first] == [
        ("house_1", 1.0, 1.0, 0.0, 1.53, 0),  # 1000 / 655.5
        ("house_2", 2.0, 2.0, 0.0, 3.05, 0),
        ("house_3", 3.0, 3.0, 0.0, 4.58, 0),
    ]
    assert sessions.record(playing.id).seen == seen
    for silent in (other, paused):
        assert not {t[:12] for t in subscriber.topics()} & set(mac_addresses(silent.id, ("house_1", "house_2")))


def test_the_session_named_goes_out_alone_even_paused_and_at_its_own_tick(sessions, broker, subscriber, publishing):
    play(sessions, houses=2)
    named = sessions.create("community", {"houses": 2})
    sessions.control(named.id, named.control_key, "scrub", 3)
    publishing(broker.url, every_s=0.25, only=named.id)
    wait_until(lambda: len(subscriber.got) >= 4, "two rounds")
    macs = mac_addresses(named.id, ("house_1", "house_2"))
    assert subscriber.topics() == {f"{mac}/SENSOR" for mac in macs}
    content = json.loads(subscriber.got[1][1])  # house_2: ticks 0 and 2 import, 1 and 3 export, 2 kW for an hour each
    assert [content[name] for name in ("Pi", "Po", "Ei", "Eo", "Q5", "ts")] == [0.0, 2.0, 4.0, 4.0, 1.315, 10_800]


def test_the_meters_of_the_real_street_turn_by_the_power_they_show(database):
    real = Sessions(database, [Room("community", lambda parameters, _seed: open_community(parameters))])
    chosen = {"houses": 12, "time_scale": 3600.0, "update_interval_ms": 1000, "start": "2026-07-10T12:00"}
    record = real.create("community", session_parameters(load_config().community, chosen))

    def read_at(tick):
        real.control(record.id, record.control_key, "scrub", tick)
        return [json.loads(payload) for _, payload in session_messages(real, record.id)]

    before, after = read_at(2), read_at(3)
    assert [content["SMid"] for content in after] == list(real.live(record.id).house_ids)
    for old, new in zip(before, after, strict=True):  # a tick is an hour
        assert new["ts"] - old["ts"] == 3600
        assert new["Ei"] - old["Ei"] == pytest.approx(new["Pi"], abs=0.0016)
        assert new["Eo"] - old["Eo"] == pytest.approx(new["Po"], abs=0.0016)
    assert sum(content["Pi"] > 0 for content in after) >= 1
    assert sum(content["Po"] > 0 for content in after) >= 1


def test_sessions_go_on_after_their_broker_was_killed(sessions, broker, publishing, caplog):
    play(sessions, houses=2)
    with caplog.at_level(logging.INFO, logger="energy_sim"):
        thread = publishing(broker.url, every_s=0.2)
        wait_until(lambda: "broker connected" in caplog.text, "the connection")
        broker.kill()
        wait_until(lambda: "broker away" in caplog.text, "the loss to be noticed")
        broker.start()
        listening = Subscriber(broker.port)
        wait_until(lambda: len(listening.got) >= 4, "two rounds", 15)
        listening.close()
    assert thread.is_alive()


def test_a_session_that_is_gone_or_of_another_room_is_refused_at_once(sessions):
    other = sessions.create("zones", {})
    for name, says in (("gone", "session 'gone': there is none"), (other.id, "of the room zones")):
        with pytest.raises(DataError, match=says):
            publish_sessions(sessions, parse_url("mqtt://127.0.0.1:1"), threading.Event(), only=name)
    with pytest.raises(DataError, match="there is none"):
        session_messages(sessions, "gone")


def test_rounds_are_aligned_and_waking_early_makes_no_second_one():
    assert seconds_to_next(1_000_003.25, 10.0) == 6.75
    assert seconds_to_next(1_000_000.0, 10.0) == 10.0
    assert seconds_to_next(999_999.95, 10.0) == 10.05
    now, rounds = 1_000_003.25, []
    for late in (-0.05, 0.3, 0.0, 12.0, -0.01):  # a little early, late, on time, over a round late
        now += seconds_to_next(now, 10.0) + late
        rounds.append(round(now, 2))
    assert rounds == [1_000_009.95, 1_000_020.3, 1_000_030.0, 1_000_052.0, 1_000_059.99]


# the command


@pytest.fixture
def command(tmp_path):
    """Starts `energy-sim` with a broker configured; what it says is in the file `console` of the process."""
    started = []

    def start(url, *options):
        config, console = tmp_path / "mine.yaml", tmp_path / f"console_{len(started)}.txt"
        settings = {
            "database": {"url": f"sqlite:///{tmp_path}/sessions.db"},
            "logging": {"file": "", "level": "INFO"},
            "community": {"mqtt": {"url": url}},
        }
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        entry = [sys.executable, "-c", "from energy_sim.cli import main; main()", "--config", str(config)]
        with console.open("wb") as file:
            process = subprocess.Popen(
                [*entry, *options], cwd=tmp_path, stdout=file, stderr=file, start_new_session=True,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        process.console = console
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def wait_for_words(process, text, times=1):
    """Wait until a process has said something; it may not end before."""

    def said():
        console = process.console.read_text()
        assert process.poll() is None, console
        return console.count(text) >= times

    wait_until(said, text, 60)


def test_without_a_broker_the_command_says_what_to_set(command):
    process = command("", "community", "publish")
    assert process.wait(60) == 2
    assert "energy-sim: community.mqtt.url: no broker is set; set it, or give --url" in process.console.read_text()


def test_the_command_ends_cleanly_when_it_is_told_to(command):
    url = f"mqtt://me:sesame@127.0.0.1:{free_port()}"
    signals = (signal.SIGINT, signal.SIGTERM)
    processes = [command("", "community", "publish", "--url", url) for _ in signals]
    for process, how in zip(processes, signals, strict=True):
        wait_for_words(process, "broker away")
        process.send_signal(how)
    for process in processes:
        assert process.wait(30) == 0, process.console.read_text()
        assert "Traceback" not in process.console.read_text()
        assert "sesame" not in process.console.read_text()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def publishers_of(pid):
    """Processes that a server has started to publish its meters."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid and words[-3:-1] == [b"community", b"publish"]:
            found.append(int(place.name))
    return found


@pytest.mark.slow
def test_a_server_has_one_publisher_that_does_not_outlive_it_even_killed(command, broker):
    server = command(broker.url, "serve", "--host", "127.0.0.1", "--port", str(free_port()), "--workers", "2")
    wait_for_words(server, "broker connected")
    wait_for_words(server, "Booting worker", 2)
    (publisher,) = publishers_of(server.pid)
    assert is_running(publisher)
    server.kill()
    server.wait(10)
    wait_until(lambda: not is_running(publisher), "the publisher to end", 30)
    assert "Traceback" not in server.console.read_text()
