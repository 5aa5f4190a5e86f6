"""A finished run opened as a session shows the days it recorded, and refuses changes."""

import numpy as np
import pandas as pd
import pytest

from energy_sim.clock import Event
from energy_sim.config import load_config
from energy_sim.errors import DataError
from energy_sim.runs import RunStore, new_name
from energy_sim.zones import kernel as k
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.pipeline import write_run
from energy_sim.zones.playback import open_playback

DAYS = 60
EVENTS = (Event(1, 10, "two_hop", False), Event(2, 20, "share_wind", True), Event(3, 20, "wind_factor", 5.0))


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
    assert {t.bound_by for t in transfers} <= {"not_recorded"}


def test_the_settings_of_the_run_are_kept_by_day(recorded):
    store, name, _ = recorded
    played = open_playback(store, name)
    changes = played.changes(())
    assert sorted(changes) == [0, 10, 20]
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
