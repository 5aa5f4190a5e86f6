"""A finished run opened as a session shows the days it recorded, and refuses changes."""

import json

import numpy as np
import pandas as pd
import pytest

from energy_sim.clock import Event
from energy_sim.config import load_config
from energy_sim.database import open_database
from energy_sim.errors import DataError
from energy_sim.runs import RunStore, new_name
from energy_sim.session import Room, Sessions
from energy_sim.zones import kernel as k
from energy_sim.zones.explain import BOUND_TEXTS, explain_transfer, explain_unmet
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.message import event_marks, tick_message
from energy_sim.zones.model import Link, Network, Switches
from energy_sim.zones.pipeline import Request, write_run
from energy_sim.zones.playback import open_playback
from energy_sim.zones.simulator import Settings, simulate_period
from tests.zones.cases import make_inputs, make_zone

DAYS = 60
EVENTS = (
    Event(1, 10, "two_hop", False),
    Event(2, 20, "share_wind", True),
    Event(3, 20, "wind_factor", 5.0),
    Event(4, 30, "local_hydro", False),
    Event(5, 31, "local_hydro", True),
    Event(6, 40, "import_phase2", False),
    Event(7, 40, "consumption_factor", 2.5),
    Event(8, 42, "import_phase2", True),
    Event(9, 45, "consumption_factor", 1.25),
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The store, the name of a run in it, and the live room it was made from."""
    config = load_config()
    parameters = default_parameters(config)
    live = open_zones(config, parameters)
    store, name = RunStore(tmp_path_factory.mktemp("runs")), new_name("zones")
    request = live.request(parameters, EVENTS, DAYS - 1, config.root)
    write_run(store.folder / name, request, live.inputs, live.history(EVENTS, DAYS - 1))
    return store, name, live


def test_the_recorded_days_are_those_of_the_session(recorded):
    store, name, live = recorded
    played, period = open_playback(store, name), live.history(EVENTS, DAYS - 1)
    assert played.last_tick == DAYS - 1
    assert str(played.date_of(0)) == "2016-01-01"
    assert played.network == live.network
    columns = [c for c in range(k.COLUMNS) if c != k.WIND_SHARED]
    assert np.allclose(played.period.series[:, :, columns], period.series[:, :, columns], rtol=0, atol=1e-6)
    assert np.allclose(played.period.series[:, :, k.WIND_SHARED], period.series[:, :, k.WIND_SHARED], atol=1e-6)
    assert np.allclose(played.period.opening_mwh, period.opening_mwh, rtol=0, atol=1e-5)
    kept = [k.DAY, k.PHASE, k.ROUTE, k.SENT, k.DELIVERED, k.SOURCE]
    assert np.allclose(played.period.trace[:, kept], period.trace[:, kept], rtol=0, atol=1e-6)
    assert played.period.trace_end.tolist() == period.trace_end.tolist()
    assert len(played.period.trace) > 100


@pytest.mark.parametrize("tick", [0, 1, 9, 10, 20, 59])
def test_a_played_day_equals_the_live_day(recorded, tick):
    store, name, live = recorded
    played, period = open_playback(store, name), live.history(EVENTS, tick)
    _, frame = played.step(played.start(), tick, played.defaults())
    assert str(frame.day.dates[0]) == str(period.dates[tick])
    assert np.allclose(frame.metrics[:, k.LEVEL], period.series[tick, :, k.LEVEL], rtol=0, atol=1e-6)
    assert len(frame.previous_mwh) == (10 if tick else 0)
    if tick:
        before = period.series[tick - 1, :, k.DEMAND].sum()
        assert frame.previous_mwh[0] == pytest.approx(before)
    transfers = frame.day.transfers_of(0)
    same = period.transfers_of(tick)
    assert [(t.phase, t.supplier, t.importer, t.transit_zone) for t in transfers] == [
        (t.phase, t.supplier, t.importer, t.transit_zone) for t in same
    ]
    assert [t.sent_mwh for t in transfers] == pytest.approx([t.sent_mwh for t in same])
    assert transfers
    assert [t.bound_by for t in transfers] == [t.bound_by for t in same]


def test_the_settings_of_the_run_are_kept_by_day(recorded):
    store, name, _ = recorded
    played = open_playback(store, name)
    changes = played.changes(())
    assert sorted(changes) == [0, 10, 20, 30, 31, 40, 42, 45]
    assert changes[0].switches.two_hop
    assert not changes[10].switches.two_hop
    assert (changes[20].switches.share_wind, changes[20].factors.wind) == (True, 5.0)
    assert played.defaults()["two_hop"] is True


def test_history_ends_where_it_is_asked_to(recorded):
    store, name, _ = recorded
    period = open_playback(store, name).history((), 4)
    assert len(period.dates) == len(period.series) == 5
    assert len(period.trace) == period.trace_end[-1]


def test_a_finished_run_refuses_every_change(recorded):
    store, name, _ = recorded
    with pytest.raises(DataError, match="a finished run does not change"):
        open_playback(store, name).check("wind", False)


def test_a_run_that_is_not_there_or_of_another_room_is_refused(recorded):
    store, name, _ = recorded
    with pytest.raises(DataError, match="none of that name"):
        open_playback(store, "zones_20200101_000000_abcdef")
    with pytest.raises(DataError, match="not a run's name"):
        open_playback(store, "../../etc")
    other = name.replace("zones", "trading")
    (store.folder / name).rename(store.folder / other)
    try:
        with pytest.raises(DataError, match="belongs to trading"):
            open_playback(store, other)
    finally:
        (store.folder / other).rename(store.folder / name)


def test_a_run_with_a_damaged_table_says_so(recorded, tmp_path):
    source, name, _ = recorded
    store = RunStore(tmp_path)
    for file in (source.folder / name).iterdir():
        if file.is_file():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    metrics = pd.read_parquet(tmp_path / name / "zone_metrics.parquet")
    metrics.drop(columns=["level_mwh"]).to_parquet(tmp_path / name / "zone_metrics.parquet", index=False)
    with pytest.raises(DataError, match="do not fit together"):
        open_playback(store, name)
    metrics.iloc[:-1].to_parquet(tmp_path / name / "zone_metrics.parquet", index=False)
    with pytest.raises(DataError, match="do not fit together"):
        open_playback(store, name)
    (tmp_path / name / "zone_metrics.parquet").write_bytes(b"no table")
    with pytest.raises(DataError):
        open_playback(store, name)


def test_the_message_of_every_played_day_is_that_of_the_live_session(recorded, tmp_path):
    store, name, live = recorded
    rooms = [
        Room("zones", lambda _parameters, _seed: live),
        Room("playback", lambda parameters, _seed: open_playback(store, parameters["run"])),
    ]
    sessions = Sessions(open_database(f"sqlite:///{tmp_path}/k.db"), rooms, lambda: 0.0)
    own, played = sessions.create("zones", {}), sessions.create("playback", {"run": name})
    for event in EVENTS:
        sessions.control(own.id, own.control_key, "scrub", event.tick - 1)
        sessions.control(own.id, own.control_key, event.control, event.value)
    explained, changed, rules = 0, 0, set()
    for tick in range(DAYS):
        messages = [tick_message(sessions.frame_at(s.id, tick), [], sessions.live(s.id)) for s in (own, played)]
        shown = [{key: m[key] for key in m if key not in {"n", "v", "p", "ep", "e"}} for m in messages]
        assert shown[0] == shown[1], tick
        explained += bool(messages[0]["why"])
        changed += messages[0]["set"] != dict(live.defaults())
        rules |= {reason for line in messages[1]["why"] for reason in line[2:]}
    assert changed == DAYS - 9
    assert explained == 6  # a day without own hydro, five at two and a half times the demand
    assert "own hydro is switched off" in rules
    marks = [event_marks(sessions.events(s.id), sessions.live(s.id)) for s in (own, played)]
    assert (
        sorted(marks[1], key=str)
        == sorted(marks[0], key=str)
        == sorted(([e.tick, e.control, e.value] for e in EVENTS), key=str)
    )
    sessions.control(played.id, played.control_key, "scrub", 30)
    sessions.control(played.id, played.control_key, "reset")
    assert len(sessions.events(played.id)) == len(EVENTS)
    assert sessions.frame_at(played.id, 30).settings["local_hydro"] is False


def written(tmp_path, network, changes=None, days=2):
    """A run of a small network with 100 MWh of demand in its first zone each day; the store, its name, its period."""
    nothing = [[0.0] * len(network.zones)] * days
    inputs = make_inputs(network, nothing, [[100.0] + [0.0] * (len(network.zones) - 1)] * days, nothing)
    changes = changes or {0: Settings()}
    period = simulate_period(network, inputs, changes)
    store, name = RunStore(tmp_path), new_name("zones")
    start = inputs.dates[0].astype("datetime64[D]").item()
    write_run(store.folder / name, Request((), network, start, days, changes=changes), inputs, period)
    return store, name, period


DRY = make_zone("C", hydro_max_daily_production_mwh=0.0, initial_level_mwh=0.1 + 0.2)


def test_opening_levels_are_read_as_they_were_and_computed_for_older_runs(tmp_path):
    store, name, period = written(tmp_path, Network((DRY, make_zone("A")), (Link("A", "C", 70.0),)))
    assert open_playback(store, name).period.opening_mwh.tolist() == period.opening_mwh.tolist() == [0.1 + 0.2, 500.0]
    path = store.folder / name / "summary.json"
    summary = json.loads(path.read_text())
    assert summary.pop("opening_mwh") == {"C": 0.1 + 0.2, "A": 500.0}
    path.write_text(json.dumps(summary))
    assert open_playback(store, name).period.opening_mwh.tolist() == pytest.approx([0.3, 500.0], abs=1e-9)


def test_limits_of_transfers_stand_in_parquet_only_and_older_runs_say_they_have_none(tmp_path):
    store, name, _ = written(tmp_path, Network((DRY, make_zone("A")), (Link("A", "C", 70.0),)))
    table = store.table(name, "transfers")
    assert table["bound_by"].tolist() == ["first_link", "first_link"]
    written_csv = pd.read_csv(store.folder / name / "transfers.csv")
    assert list(written_csv.columns) == [c for c in table.columns if c != "bound_by"]
    assert [t.bound_by for t in open_playback(store, name).period.transfers_of(1)] == ["first_link"]
    table.drop(columns="bound_by").to_parquet(store.folder / name / "transfers.parquet", index=False)
    (transfer,) = open_playback(store, name).period.transfers_of(1)
    assert explain_transfer(transfer) == BOUND_TEXTS["not_recorded"] == "not recorded in the run"
    table.assign(bound_by="the weather").to_parquet(store.folder / name / "transfers.parquet", index=False)
    with pytest.raises(DataError, match="do not fit together"):
        open_playback(store, name)


@pytest.mark.parametrize(
    "links",
    [
        (Link("A", "C", 30.0), Link("A", "C", 50.0)),
        (Link("A", "C", 0.0), Link("A", "C", 30.0), Link("A", "C", 50.0)),
        (Link("A", "C", 50.0, 0.1), Link("A", "C", 30.0), Link("A", "C", 10.0, 0.2)),
        (Link("A", "T", 30.0), Link("A", "T", 40.0), Link("T", "C", 50.0), Link("T", "C", 10.0)),
    ],
)
def test_parallel_links_are_used_as_they_were_and_never_beyond_their_capacity(tmp_path, links):
    transit = make_zone("T", hydro_max_daily_production_mwh=0.0)
    network = Network((DRY, make_zone("A"), transit), links)
    store, name, period = written(tmp_path, network)
    assert len(period.trace) > 2
    played = open_playback(store, name).period
    assert played.trace[:, k.ROUTE].tolist() == period.trace[:, k.ROUTE].tolist()
    found = [
        explain_unmet(network, p.series[1], p.opening_of(1), p.trace[p.trace[:, k.DAY] == 1], Switches())
        for p in (period, played)
    ]
    assert found[0] == found[1]
    assert any("full" in reason for reason in found[1][0].reasons)
