"""A run in a folder: the numbers of a session, exactly the promised columns, all or nothing."""

import json
from dataclasses import replace
from datetime import datetime

import pandas as pd
import pytest

from energy_sim.community.live import open_community
from energy_sim.community.pipeline import describe, frames, rates, write_run
from energy_sim.errors import ConfigError, DataError
from tests.community.test_live import EVENTS, OWN, plain, stepped, street

TICKS = 70
FILES = [
    "houses.csv", "houses.parquet", "params.json", "statements.csv", "summary.json", "ticks.csv", "ticks.parquet",
]  # fmt: skip
ROWS = [[e.tick, e.control, e.value] for e in sorted(EVENTS, key=lambda e: e.seq)]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run with changes: its street, its folder, its summary and how far it said it was."""
    live = street(houses=7, seed=4, house_values=OWN, changes=ROWS)
    out, told = tmp_path_factory.mktemp("run") / "out", []
    return live, out, write_run(out, live, TICKS, done=told.append), told


def test_the_files_have_the_promised_columns_and_a_row_for_every_tick_and_house(written):
    live, out, _, told = written
    assert sorted(path.name for path in out.iterdir()) == FILES
    assert told == list(range(1, TICKS + 1))
    ticks, houses = ((out / f"{name}.csv").read_text().splitlines() for name in ("ticks", "houses"))
    assert ticks[0] == (
        "tick,time,total_production_w,total_consumption_w,net_community_power_w,grid_import_w,grid_export_w"
    )
    assert houses[0] == "tick,time,house_id,pv_power_w,base_load_w,flex_load_w,net_power_w"
    assert (len(ticks), len(houses)) == (1 + TICKS, 1 + 7 * TICKS)
    each = pd.read_csv(out / "houses.csv")
    assert list(each.house_id[:14]) == [*live.house_ids] * 2
    assert list(each.tick) == [tick for tick in range(TICKS) for _ in range(7)]
    for name in ("ticks", "houses"):
        pd.testing.assert_frame_equal(
            pd.read_csv(out / f"{name}.csv"),
            pd.read_parquet(out / f"{name}.parquet"),
            check_dtype=False,
            rtol=0,
            atol=0,
        )


def test_the_numbers_are_those_of_the_session_with_the_same_changes(written):
    live, out, _, _ = written
    shown, _ = stepped(live, TICKS - 1, EVENTS)
    ticks, each = pd.read_csv(out / "ticks.csv"), pd.read_csv(out / "houses.csv")
    for tick, frame in enumerate(shown):
        b, p = frame.bus, frame.powers
        assert [*ticks.iloc[tick]] == [
            tick, live.iso(frame.time_s), b.production_w, b.consumption_w, b.net_w, b.grid_import_w, b.grid_export_w,
        ]  # fmt: skip
        assert datetime.fromisoformat(ticks.time[tick]).timestamp() == pytest.approx(frame.time_s, abs=0.0011)
        rows = each[7 * tick : 7 * tick + 7]
        assert set(rows.time) == {ticks.time[tick]}
        for column, wanted in zip(list(rows)[3:], (p.pv_w, p.base_w, p.flex_w, p.net_w), strict=True):
            assert rows[column].tolist() == wanted.tolist()
    assert ticks.net_community_power_w.min() < 0 < ticks.net_community_power_w.max()


def test_the_summary_adds_up_the_ticks(written):
    _, out, summary, _ = written
    assert json.loads((out / "summary.json").read_text()) == summary
    ticks = pd.read_csv(out / "ticks.csv")
    moments = ticks.time.map(lambda text: datetime.fromisoformat(text).timestamp())
    end = datetime.fromisoformat(summary["end_time"]).timestamp()
    hours = pd.Series([*moments[1:], end]).to_numpy() / 3600 - moments.to_numpy() / 3600
    kwh = {name: float((ticks[name] * hours).sum()) / 1000 for name in list(ticks)[2:]}
    totals = summary["totals_kwh"]
    for total, column in (
        ("production", "total_production_w"),
        ("consumption", "total_consumption_w"),
        ("grid_import", "grid_import_w"),
        ("grid_export", "grid_export_w"),
    ):
        assert totals[total] == pytest.approx(kwh[column], rel=1e-6)
        assert totals[total] > 0.1
    assert summary["self_consumption"] == pytest.approx(1 - totals["grid_export"] / totals["production"])
    assert summary["self_sufficiency"] == pytest.approx(1 - totals["grid_import"] / totals["consumption"])
    assert (summary["houses"], summary["ticks"]) == (7, TICKS)
    assert (summary["first_time"], summary["last_time"]) == (ticks.time.iloc[0], ticks.time.iloc[-1])


def test_the_statements_hold_every_house_and_their_sum(written):
    live, out, summary, _ = written
    table = pd.read_csv(out / "statements.csv")
    assert list(table.house_id) == [*live.house_ids, "community"]
    assert table.export_kwh[:-1].sum() == pytest.approx(table.export_kwh.iloc[-1], abs=1e-9)
    assert table.sold_amount[:-1].sum() == pytest.approx(table.sold_amount.iloc[-1], abs=1e-9)
    assert table.sold_amount.iloc[-1] == pytest.approx(summary["houses_sold_ct"] / 100, abs=0.0051)
    assert table.bought_amount.iloc[-1] == pytest.approx(summary["houses_bought_ct"] / 100, abs=0.0051)


def test_a_run_that_goes_over_months_has_statements_of_each(tmp_path):
    live = street(houses=2, start="2026-01-31T20:00", time_scale=3600.0)
    write_run(tmp_path / "out", live, 8, houses=False)
    table = pd.read_csv(tmp_path / "out" / "statements.csv")
    assert list(table.period_from) == ["2026-01-31T20:00:00+01:00"] * 3 + ["2026-02-01T00:00:00+01:00"] * 3
    assert list(table.period_to) == ["2026-02-01T00:00:00+01:00"] * 3 + ["2026-02-01T04:00:00+01:00"] * 3


def test_with_the_parameters_of_a_run_the_same_numbers_come_again(written, tmp_path):
    live, out, _, _ = written
    params = json.loads((out / "params.json").read_text())
    assert params == describe(live, TICKS)
    assert (params["room"], params["ticks"]) == ("community", TICKS)
    again = open_community(params["parameters"])
    assert again.mark == live.mark
    write_run(tmp_path / "out", again, params["ticks"])
    for name in FILES:
        if name != "params.json":
            assert (tmp_path / "out" / name).read_bytes() == (out / name).read_bytes()


def test_without_houses_there_is_no_table_of_them_and_the_rest_is_the_same(written, tmp_path):
    live, out, _, _ = written
    write_run(tmp_path / "out", live, TICKS, houses=False)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [n for n in FILES if "houses" not in n]
    for name in ("ticks.csv", "statements.csv", "summary.json"):
        assert (tmp_path / "out" / name).read_bytes() == (out / name).read_bytes()


@pytest.mark.parametrize("ticks", [0, -1, 1_000_001])
def test_a_number_of_ticks_outside_its_limits_is_refused_before_anything_is_written(tmp_path, ticks):
    with pytest.raises(ConfigError, match=rf"ticks: {ticks} is outside the limits; give 1 to 1000000"):
        write_run(tmp_path / "out", street(houses=1), ticks)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_stopped_half_way_leaves_nothing(tmp_path):
    def stop(done):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path / "out", street(houses=3), 10, done=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is a file; give the name of a folder"):
        write_run(tmp_path / "file", street(houses=1), 1)
    assert (tmp_path / "file").read_text() == "x"


def test_rates_are_those_of_the_street_as_a_whole_and_none_where_nothing_flowed():
    state = street(houses=1).start()
    assert rates(state.meters) == (None, None)
    some = replace(state.meters, produced_kwh=10.0, consumed_kwh=8.0, grid_export_kwh=4.0, grid_import_kwh=2.0)
    assert rates(some) == (0.6, 0.75)  # both times 6 kWh stay inside


def test_frames_of_a_street_without_events_are_those_of_its_settings():
    live = street(houses=3)
    shown, _ = stepped(live, 4)
    assert [plain(frame) for frame in frames(live, 5)] == [plain(frame) for frame in shown]
