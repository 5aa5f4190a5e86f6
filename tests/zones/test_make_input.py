"""The shipped input: deterministic, with the totals, profiles, spreads and correlations of the calibration."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from energy_sim.errors import DataError
from energy_sim.zones.calibration import (
    HYDRO,
    INFLOW_CORRELATION,
    INFLOW_WEEK_GWH,
    LOAD,
    LOAD_CORRELATION,
    WIND,
    WIND_CORRELATION,
    WIND_ZONES,
    YEARS,
    ZONES,
)
from energy_sim.zones.make_input import days_of, input_files, iso_weeks, make_input
from energy_sim.zones.series import ar1, scale_to_totals, season

YEAR_NAMES = [str(y) for y in YEARS]


def daily(folder: Path, kind: str) -> pd.DataFrame:
    """Daily series 2016-2022 by zone from the shipped or the real files."""
    columns = {}
    for zone in ZONES:
        table = pd.read_csv(folder / f"{zone}_{kind}.csv")
        date = "Date" if "Date" in table else "Dato_Id"
        columns[zone] = table.set_index(pd.to_datetime(table[date])).drop(columns=date).iloc[:, 0]
    return pd.DataFrame(columns).loc["2016":"2022"]


def by_year_twh(series: pd.DataFrame) -> np.ndarray:
    return series.groupby(series.index.year).sum().to_numpy() / 1e6


def inflow(folder: Path) -> dict[str, pd.DataFrame]:
    return {z: pd.read_csv(folder / f"{z}_Effective_Inflow.csv").set_index("Iso-uke") for z in ZONES}


def inflow_anomalies(folder: Path) -> pd.DataFrame:
    """Log of each week over the log-mean of that week, weeks 1 to 52 of 2016-2022 in sequence."""
    columns = {}
    for zone, table in inflow(folder).items():
        logs = np.log(table.loc[1:52, YEAR_NAMES])
        columns[zone] = logs.sub(logs.mean(axis=1), axis=0).T.to_numpy().ravel()
    return pd.DataFrame(columns)


def load_residual(load: pd.DataFrame) -> pd.DataFrame:
    """Log of each day over the year's mean and the calibration's month and weekday factors."""
    index = load.index
    columns = {}
    for zone in ZONES:
        known = np.array(LOAD[zone].month)[index.month - 1] * np.array(LOAD[zone].weekday)[index.day_of_week]
        columns[zone] = np.log(load[zone] / load[zone].groupby(index.year).transform("mean") / known)
    return pd.DataFrame(columns)


def wind_over_year(folder: Path) -> pd.DataFrame:
    """Daily wind over the mean of its year: what is left when the fleet's growth is taken out; NaN without a fleet."""
    wind = daily(folder, "Wind_Production")[list(WIND_ZONES)]
    return wind / wind.groupby(wind.index.year).transform("mean").replace(0.0, np.nan)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    first, second, other = make_input(tmp_path / "a"), make_input(tmp_path / "b"), make_input(tmp_path / "c", seed=2)
    assert [p.name for p in first] == sorted(
        f"{z}_{kind}.csv"
        for z in ZONES
        for kind in ("Wind_Production", "Consumption", "Effective_Inflow", "Reservoir_Fill_Level")
    )
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert (tmp_path / "a" / "NO1_Consumption.csv").read_bytes() != other[0].read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]


def test_the_shipped_files_are_those_of_seed_1(shipped_input: Path) -> None:
    texts = input_files(seed=1)
    assert {p.name for p in shipped_input.iterdir()} == set(texts)
    for name, text in texts.items():
        assert (shipped_input / name).read_bytes() == text.encode(), name
    assert sum(len(t) for t in texts.values()) < 1_200_000


def test_a_folder_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for place in ("taken", "taken/below"):
        with pytest.raises(DataError, match=r"taken.*: cannot be written .* choose another folder"):
            make_input(tmp_path / place)
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_a_file_that_cannot_be_replaced_is_an_error_and_the_waiting_folder_goes(tmp_path: Path) -> None:
    (tmp_path / "in" / "NO1_Consumption.csv").mkdir(parents=True)
    with pytest.raises(DataError, match=r"NO1_Consumption\.csv: cannot be written"):
        make_input(tmp_path / "in")
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "NO1_Consumption.csv"]


def test_week_53_is_there_in_long_years_only(shipped_input: Path) -> None:
    assert len(iso_weeks([2015])) == 53
    assert len(iso_weeks([2016])) == 52
    for zone, table in inflow(shipped_input).items():
        assert list(table.index) == list(range(1, 54))
        long_years = [c for c in table.columns[:-1] if not math.isnan(table.loc[53, c])]
        assert long_years == ["1998", "2004", "2009", "2015", "2020"]
        assert not table.loc[1:52].isna().any(axis=None)
        fill = pd.read_csv(shipped_input / f"{zone}_Reservoir_Fill_Level.csv").set_index("Uke")
        assert [c for c in fill.columns if math.isnan(fill.loc[53, c])] == [
            f"{y} TWh" for y in (2016, 2017, 2018, 2019, 2021, 2022)
        ]


def test_every_day_of_the_period_is_there_once(shipped_input: Path) -> None:
    assert len(days_of(YEARS)) == 2557  # 7 x 365 + 29 February of 2016 and 2020
    for kind in ("Consumption", "Wind_Production"):
        series = daily(shipped_input, kind)
        assert list(series.index.date) == days_of(YEARS)
        assert not series.isna().any(axis=None)


def test_yearly_totals_are_the_calibrations(shipped_input: Path) -> None:
    load = by_year_twh(daily(shipped_input, "Consumption"))
    np.testing.assert_allclose(load, np.array([LOAD[z].total_twh for z in ZONES]).T, rtol=1e-4)
    wind = by_year_twh(daily(shipped_input, "Wind_Production"))
    np.testing.assert_allclose(wind[:, :4], np.array([WIND[z].total_twh for z in WIND_ZONES]).T, rtol=1e-3)
    assert wind[:, 4].sum() == 0.0
    assert wind[:3, 0].sum() == 0.0
    for zone, table in inflow(shipped_input).items():
        np.testing.assert_allclose(table[YEAR_NAMES].sum() / 1e3, HYDRO[zone].inflow_twh, rtol=1e-3)
        years = table.drop(columns="T_Gj.snitt").sum() / 1e3
        assert len(years) == 28
        assert years.mean() == pytest.approx(HYDRO[zone].inflow_long_mean_twh, rel=1e-3)
        assert years.std() == pytest.approx(HYDRO[zone].inflow_long_std_twh, rel=1e-3)


def test_yearly_totals_are_within_3_percent_of_the_real_files(shipped_input: Path, real_data: Path) -> None:
    real = real_data / "norway" / "input"
    np.testing.assert_allclose(
        by_year_twh(daily(shipped_input, "Consumption")), by_year_twh(daily(real, "Consumption")), rtol=0.03
    )
    np.testing.assert_allclose(
        by_year_twh(daily(shipped_input, "Wind_Production")),
        by_year_twh(daily(real, "Wind_Production")),
        rtol=0.03,
        atol=0.02,
    )
    made, truth = inflow(shipped_input), inflow(real)
    for zone in ZONES:
        np.testing.assert_allclose(made[zone][YEAR_NAMES].sum(), truth[zone][YEAR_NAMES].sum(), rtol=0.03)


def test_the_mean_inflow_weeks_follow_the_calibration_and_the_real_files(shipped_input: Path, real_data: Path) -> None:
    made, truth = inflow(shipped_input), inflow(real_data / "norway" / "input")
    for zone in ZONES:
        mean = made[zone].loc[1:52, YEAR_NAMES].mean(axis=1)
        np.testing.assert_allclose(mean, INFLOW_WEEK_GWH[zone], rtol=0.02)
        assert np.corrcoef(mean, truth[zone].loc[1:52, YEAR_NAMES].mean(axis=1))[0, 1] > 0.99
        np.testing.assert_allclose(made[zone].loc[1:52, "T_Gj.snitt"], mean, atol=0.1)


def test_no_week_or_day_of_the_real_files_is_copied(shipped_input: Path, real_data: Path) -> None:
    real = real_data / "norway" / "input"
    for kind in ("Consumption", "Wind_Production"):
        made, truth = daily(shipped_input, kind), daily(real, kind)
        assert ((made == truth) & (truth > 0)).to_numpy().mean() < 0.005  # chance hits of whole MWh
    made, truth = inflow_anomalies(shipped_input), inflow_anomalies(real)
    assert max(abs(np.corrcoef(made[z], truth[z])[0, 1]) for z in ZONES) < 0.3


def test_inflow_has_the_spread_memory_and_correlation_of_the_calibration(shipped_input: Path) -> None:
    """Seven years leave a sampling error of about 0.05 on each figure (ten seeds)."""
    anomalies = inflow_anomalies(shipped_input)
    np.testing.assert_allclose(anomalies.std(), [HYDRO[z].inflow_std for z in ZONES], rtol=0.12)
    np.testing.assert_allclose(
        [anomalies[z].autocorr() for z in ZONES], [HYDRO[z].inflow_lag1 for z in ZONES], atol=0.1
    )
    np.testing.assert_allclose(anomalies.corr(), INFLOW_CORRELATION, atol=0.13)


def test_load_has_the_spread_memory_season_and_correlation_of_the_calibration(shipped_input: Path) -> None:
    load = daily(shipped_input, "Consumption")
    residual = load_residual(load)
    np.testing.assert_allclose(residual.std(), [LOAD[z].std for z in ZONES], rtol=0.1)
    np.testing.assert_allclose([residual[z].autocorr() for z in ZONES], [LOAD[z].lag1 for z in ZONES], atol=0.05)
    np.testing.assert_allclose(load.corr(), LOAD_CORRELATION, atol=0.02)
    months = load.groupby(load.index.month).mean() / load.mean()
    np.testing.assert_allclose(months, np.array([LOAD[z].month for z in ZONES]).T, atol=0.05)
    weekdays = load.groupby(load.index.day_of_week).mean() / load.mean()
    np.testing.assert_allclose(weekdays, np.array([LOAD[z].weekday for z in ZONES]).T, atol=0.015)


def test_wind_stays_within_the_installed_capacity_and_has_the_calibrations_statistics(shipped_input: Path) -> None:
    """The growth of the fleet within each year is still in the figures."""
    wind = daily(shipped_input, "Wind_Production")
    for zone in WIND_ZONES:
        assert wind[zone].min() >= 0.0
        assert 0.7 < wind[zone].max() / (24.0 * WIND[zone].capacity_mw) <= 1.0
    relative = wind_over_year(shipped_input)
    np.testing.assert_allclose(relative.std(), [WIND[z].cv for z in WIND_ZONES], rtol=0.1)
    lag1 = [relative[z].dropna().autocorr() for z in WIND_ZONES]
    np.testing.assert_allclose(lag1, [WIND[z].lag1 for z in WIND_ZONES], atol=0.05)
    np.testing.assert_allclose(relative.corr(), WIND_CORRELATION, atol=0.12)


def test_statistics_are_near_those_of_the_real_files(shipped_input: Path, real_data: Path) -> None:
    real = real_data / "norway" / "input"
    made, truth = inflow_anomalies(shipped_input), inflow_anomalies(real)
    np.testing.assert_allclose(made.corr(), truth.corr(), atol=0.13)
    np.testing.assert_allclose([made[z].autocorr() for z in ZONES], [truth[z].autocorr() for z in ZONES], atol=0.1)
    np.testing.assert_allclose(made.std(), truth.std(), rtol=0.12)
    made, truth = daily(shipped_input, "Consumption"), daily(real, "Consumption")
    np.testing.assert_allclose(made.corr(), truth.corr(), atol=0.02)
    np.testing.assert_allclose(load_residual(made).std(), load_residual(truth).std(), rtol=0.2)


def test_filling_stays_between_lowest_and_highest_and_starts_the_period_at_the_median(shipped_input: Path) -> None:
    for zone in ZONES:
        table = pd.read_csv(shipped_input / f"{zone}_Reservoir_Fill_Level.csv").set_index("Uke")
        assert (table["Kapasitet TWh"] == HYDRO[zone].capacity_twh).all()
        years = table[[f"{y} TWh" for y in (2015, *YEARS)]]
        assert (years.ge(table["Min TWh"], axis=0) | years.isna()).all(axis=None)
        assert (years.le(table["Maks TWh"], axis=0) | years.isna()).all(axis=None)
        assert table.loc[53, "2015 TWh"] == table.loc[53, "Median TWh"]
        assert table.loc[1, "Median TWh"] == pytest.approx(
            HYDRO[zone].fill_median[0] * HYDRO[zone].capacity_twh, abs=1e-3
        )
        assert years.iloc[:52].mean(axis=1).idxmin() in range(12, 21)  # emptiest before the snow melts
        weekly = pd.Series(years.T.to_numpy().ravel()).dropna().diff() / HYDRO[zone].capacity_twh
        assert -0.12 < weekly.min() < weekly.max() < 0.2


def test_ar1_has_the_memory_and_correlation_asked_for() -> None:
    series, _ = ar1(np.random.default_rng(7), 100_000, np.array([0.9, 0.3]), np.array([[1.0, 0.5], [0.5, 1.0]]))
    assert series.std(axis=0) == pytest.approx([1.0, 1.0], abs=0.03)
    assert np.corrcoef(series.T)[0, 1] == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(series[:-1, 0], series[1:, 0])[0, 1] == pytest.approx(0.9, abs=0.01)
    assert np.corrcoef(series[:-1, 1], series[1:, 1])[0, 1] == pytest.approx(0.3, abs=0.01)


def test_season_keeps_the_monthly_means_and_has_no_steps() -> None:
    days = days_of([2017])
    factors = LOAD["NO1"].month
    curve = season(days, factors)
    month = np.array([d.month for d in days])
    for m in range(1, 13):
        assert curve[month == m].mean() == pytest.approx(factors[m - 1], rel=1e-3)
    assert np.abs(np.diff(curve)).max() < 0.012  # the factors step by up to 0.233, April by 0.0078 a day


def test_scaling_meets_each_total() -> None:
    values = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 5.0]])
    scaled = scale_to_totals(values, np.array([1, 1, 2]), [1, 2], np.array([[8.0, 2.0], [10.0, 1.0]]))
    assert scaled.tolist() == [[2.0, 1.0], [6.0, 1.0], [10.0, 1.0]]
