"""The shipped households: as the generator makes them, plausible, and in the format of the room."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from energy_sim.devices.house import Conditions, HouseModel, make_houses
from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.data import describe_households, read_profiles
from energy_sim.trading.make_homes import PLACE, TIMEZONE, make_homes, simulate_homes, write_homes
from energy_sim.trading.parameters import TradingParameters

NOON = datetime(2026, 7, 6, 12, tzinfo=TIMEZONE)


@pytest.fixture(scope="module")
def shipped(root):
    return pd.read_parquet(root / "input" / "homes" / "homes.parquet")


def test_a_quarter_is_the_mean_of_its_instants():
    made = simulate_homes(3, NOON, 2, seed=1)
    model = HouseModel(make_houses(3, 1), PLACE, TIMEZONE, 1)
    at = [model.powers(NOON.timestamp() + 900 + k * 300, 300, Conditions()) for k in range(3)]
    mean_w = np.mean([p.base_w + p.flex_w for p in at], axis=0)
    assert made.load_kwh[1] == pytest.approx(mean_w * 0.25 / 1000, abs=0.6e-4)
    assert made.pv_kwh[1] == pytest.approx(np.mean([p.pv_w for p in at], axis=0) * 0.25 / 1000, abs=0.6e-4)
    assert made.pv_kwh[1].max() > 0.1
    assert str(made.begins[0]) == "2026-07-06T12:00:00"


def test_the_shipped_file_is_what_the_generator_makes(shipped):
    made = simulate_homes(30, NOON, 8, seed=1)
    begins = [pd.Timestamp(moment) for moment in made.begins]
    rows = shipped[shipped["timestamp"].isin(begins)]
    assert len(rows) == 8 * 30
    np.testing.assert_allclose(rows["consumption"].to_numpy().reshape(30, 8).T, made.load_kwh, atol=1e-5)
    np.testing.assert_allclose(rows["production"].to_numpy().reshape(30, 8).T, made.pv_kwh, atol=1e-5)


def test_the_shipped_homes_are_plausible(shipped, root):
    total = shipped.groupby("id", sort=False)[["consumption", "production"]].sum()
    assert total.index.tolist() == [f"house_{n}" for n in range(1, 31)]
    assert total["consumption"].between(1500, 20_000).all()
    kwp = make_houses(30, 1).pv_kwp
    assert (kwp > 0).sum() == 21
    assert ((total["production"] > 0).to_numpy() == (kwp > 0)).all()
    per_kwp = total["production"].to_numpy()[kwp > 0] / kwp[kwp > 0]
    assert per_kwp.min() > 850  # kWh a year and kWp, as usual in Switzerland
    assert per_kwp.max() < 1150
    by_type = shipped.groupby("category")["production"].sum()
    assert by_type["consumer"] == 0
    assert (root / "input" / "homes" / "homes.parquet").stat().st_size < 8e6


def test_the_week_is_the_year_in_hours(root):
    folder = root / "input" / "homes"
    week = read_profiles(folder / "week.csv", TradingParameters.from_json({"household": {"max_households": 10}}))
    year = TradingParameters.from_json(
        {"simulation": {"start": "2026-07-06T00:00"}, "household": {"max_households": 10}}
    )
    same = read_profiles(folder / "homes.parquet", year)
    assert week.load_kwh.shape == (168, 10)
    assert week.ids == same.ids
    np.testing.assert_array_equal(week.begins, same.begins)
    assert week.load_kwh == pytest.approx(same.load_kwh, abs=1e-5)
    assert week.pv_kwh == pytest.approx(same.pv_kwh, abs=1e-5)
    assert describe_households(folder / "week.csv").types == {"consumer": 3, "prosumer": 7}


def test_what_is_written_is_read_again_and_done_is_told(tmp_path):
    told = []
    made = simulate_homes(2, datetime(2026, 7, 5, tzinfo=TIMEZONE), 9 * 96, seed=2, done=told.append)
    files = write_homes(tmp_path, made, np.datetime64("2026-07-06", "s"))
    assert told == [pytest.approx(7 / 9)]
    assert [f.name for f in files] == ["homes.parquet", "week.csv"]
    year, week = (describe_households(f) for f in files)
    assert (year.households, year.interval_h, week.interval_h) == (2, 0.25, 1.0)
    assert (year.first, year.last) == ("2026-07-05T00:00:00", "2026-07-13T23:45:00")
    assert (week.first, week.last) == ("2026-07-06T00:00:00", "2026-07-12T23:00:00")
    assert year.consumption_kwh == pytest.approx(made.load_kwh.sum(), rel=1e-6)
    assert week.consumption_kwh == pytest.approx(made.load_kwh[96:-96].sum(), rel=1e-6)


@pytest.mark.parametrize(("given", "says"), [({"homes": 0}, "homes: 0 is outside"), ({"year": 1900}, "year: 1900")])
def test_numbers_outside_their_limits_are_refused(tmp_path, given, says):
    with pytest.raises(ConfigError, match=says):
        make_homes(tmp_path, **given)


def test_a_folder_that_cannot_be_written_is_named_before_the_work(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="file: cannot be written"):
        make_homes(tmp_path / "file", homes=1, done=lambda _share: pytest.fail("the work began"))
