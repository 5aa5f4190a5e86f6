"""Grid capacity: no limit, constant, synthetic, and files."""

import logging

import numpy as np
import pytest

from energy_sim.errors import DataError
from energy_sim.trading.grid_capacity import (
    make_grid_capacity,
    read_grid_capacity,
    synthetic_capacity,
    write_grid_capacity,
)
from energy_sim.trading.model import GridCapacity
from energy_sim.trading.parameters import TradingParameters

BEGINS = np.datetime64("2026-07-06T16:00:00", "s") + np.arange(6) * np.timedelta64(3600, "s")


def parameters(**grid_capacity):
    return TradingParameters.from_json({"grid_capacity": {"use_capacity_limits": True, **grid_capacity}})


def test_without_limits_there_are_none_and_a_file_is_not_read(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        c = make_grid_capacity(parameters(use_capacity_limits=False), BEGINS, 1.0, tmp_path / "none.csv")
    assert np.isinf(c.import_kw).all()
    assert np.isinf(c.export_kw).all()
    assert c.import_kw.shape == (6,)
    assert "grid capacity file not used" in caplog.text


def test_constant_limits_are_the_same_in_every_step():
    c = make_grid_capacity(parameters(default_import_capacity_kw=80, default_export_capacity_kw=0), BEGINS, 1.0)
    assert c.import_kw.tolist() == [80.0] * 6
    assert c.export_kw.tolist() == [0.0] * 6


def test_synthetic_limits_are_reduced_in_the_peak_hours_of_the_clock():
    given = parameters(mode="synthetic", base_import_kw=50, base_export_kw=40, peak_reduction=0.25, noise_std=0)
    c = make_grid_capacity(given, BEGINS, 1.0)  # 16:00 to 21:00
    assert c.import_kw.tolist() == [50, 37.5, 37.5, 37.5, 37.5, 50]
    assert c.export_kw.tolist() == [40, 30, 30, 30, 30, 40]


def test_synthetic_limits_go_through_days_in_quarters():
    c = synthetic_capacity(192, 0.25, 10, 10, 0.5, 0.0)
    low = np.flatnonzero(c.import_kw == 5.0)
    assert low.tolist() == [*range(68, 84), *range(164, 180)]  # 17:00 to 20:45, both days


def test_noise_has_its_spread_is_never_negative_and_comes_again_with_its_seed():
    c = synthetic_capacity(10_000, 1.0, 100, 200, 0.0, 0.1, seed=3)
    assert c.import_kw.mean() == pytest.approx(100, abs=0.5)
    assert c.import_kw.std() == pytest.approx(10, abs=0.3)
    assert c.export_kw.std() == pytest.approx(20, abs=0.6)
    np.testing.assert_array_equal(c.import_kw[:50], synthetic_capacity(50, 1.0, 100, 200, 0.0, 0.1, seed=3).import_kw)
    assert not np.allclose(c.import_kw[:50], synthetic_capacity(50, 1.0, 100, 200, 0.0, 0.1, seed=4).import_kw)
    wild = synthetic_capacity(1000, 1.0, 100, 100, 0.5, 1.0)
    assert wild.import_kw.min() == 0.0  # one normal number in six is below -1


@pytest.mark.parametrize("name", ["grid.csv", "grid.PARQUET"])
def test_what_is_written_is_read_again_and_has_the_agreed_columns(tmp_path, name):
    given = GridCapacity(np.array([10.0, 20.5, np.inf]), np.array([1.0, 0.0, 3.0]))
    write_grid_capacity(tmp_path / name, given)
    read = read_grid_capacity(tmp_path / name)
    assert read.import_kw.tolist() == [10.0, 20.5, np.inf]
    assert read.export_kw.tolist() == [1.0, 0.0, 3.0]
    if name.endswith("csv"):
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[:2] == ["timestep,import_capacity_kw,export_capacity_kw", "0,10,1"]
    of_run = make_grid_capacity(parameters(), BEGINS[:2], 1.0, tmp_path / name)
    assert of_run.import_kw.tolist() == [10.0, 20.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("timestep,import_capacity_kw\n0,1\n", "no column export_capacity_kw; found: timestep, import_capacity_kw"),
        ("timestep,import_capacity_kw,export_capacity_kw\n0,1,-1\n", "row 2, column export_capacity_kw: -1 is below 0"),
        (
            "timestep,import_capacity_kw,export_capacity_kw\n0,nan,1\n",
            "row 2, column import_capacity_kw: is blank or NaN",
        ),
        ("timestep,import_capacity_kw,export_capacity_kw\n0,1,1\n", "has 1 rows, the run has 6 steps"),
        ("timestep,import_capacity_kw,export_capacity_kw\n5,1,1\n", "column timestep: 5 is not 0; steps count up by 1"),
    ],
)
def test_a_capacity_file_with_a_fault_is_refused(tmp_path, text, says):
    (tmp_path / "grid.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        make_grid_capacity(parameters(), BEGINS, 1.0, tmp_path / "grid.csv")


@pytest.mark.parametrize(
    ("name", "says"), [("grid.txt", ".txt is no known format"), ("no/grid.csv", "cannot be written")]
)
def test_a_place_that_cannot_be_written_is_named(tmp_path, name, says):
    with pytest.raises(DataError, match=says):
        write_grid_capacity(tmp_path / name, GridCapacity(np.ones(1), np.ones(1)))
