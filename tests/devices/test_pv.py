"""Panels under the sky: formulas by hand and against pvlib, clouds as a function of time, yearly yields."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pvlib
import pytest

from energy_sim.devices import pv, sky
from energy_sim.devices.pv import Place, Sky, SkyMoment, own_clearness, panel_normals, pv_power_w

BERLIN = Place(52.5, 13.4, 40)
PLACES = [BERLIN, Place(47.4, 8.5, 400), Place(50, 8), Place(54, 10), Place(57, 12), Place(59.9, 10.8), Place(60, 25)]
CORNERS = (np.array([135, 135, 180, 180, 225, 225]), np.array([20, 40, 20, 40, 20, 40]))
SEEDS = (1, 2, 3, 4)


def seconds(*moment: int) -> float:
    return datetime(*moment, tzinfo=UTC).timestamp()


def forget() -> None:
    for cached in (sky._cloud_noise, sky.cloud_parts_day, sky.clear_sky_day, sky._own_noise):
        cached.cache_clear()


def test_normals_point_where_the_panel_faces():
    normals = panel_normals(np.array([180, 90, 0, 225]), np.array([30, 90, 0, 90]))
    half, diagonal = 3**0.5 / 2, 0.5**0.5
    expected = [[0, -0.5, half], [1, 0, 0], [0, 0, 1], [-diagonal, -diagonal, 0]]
    np.testing.assert_allclose(normals, expected, atol=1e-12)


def test_sun_stands_south_at_solar_noon_of_the_equinox():
    # 12:00 UTC - 53.6 min for 13.4 degrees east + 7.4 min equation of time
    # 90 - 52.5 + 0.04 declination + 0.02 refraction
    sun = Sky(BERLIN, 1).at(seconds(2025, 3, 20, 11, 13, 48)).sun
    np.testing.assert_allclose(sun, [0, -np.cos(np.radians(37.56)), np.sin(np.radians(37.56))], atol=2e-3)


def test_interpolated_sun_stays_a_unit_vector_near_the_true_one():
    moments = seconds(2025, 6, 21) + np.arange(0, 86400, 611.0)
    suns = np.array([Sky(BERLIN, 1).at(t).sun for t in moments])
    np.testing.assert_allclose(np.linalg.norm(suns, axis=1), 1, atol=1e-12)
    true = sky.clear_sky(BERLIN, moments)
    up = true[:, 2] > 0.02  # below, refraction jumps within one cell of the grid
    assert up.sum() > 80
    np.testing.assert_allclose(suns[up], true[up, :3], atol=4e-4)


def test_below_the_horizon_light_and_power_are_exactly_zero():
    normals, place = panel_normals(np.full(3, 180), np.full(3, 30)), Sky(BERLIN, 1)
    midnight = place.at(seconds(2025, 6, 21, 23, 10))
    assert (midnight.dni_w_m2, midnight.dhi_w_m2, midnight.ghi_w_m2) == (0, 0, 0)
    down = 0
    for t in seconds(2025, 3, 20, 4, 50) + np.arange(0, 3600, 13.0):
        moment = place.at(t)
        power = pv_power_w(5.0, normals, moment, moment.clearness)
        assert np.all(power >= 0)
        if moment.sun[2] <= 0:
            down += 1
            assert moment.ghi_w_m2 == moment.dni_w_m2 == moment.dhi_w_m2 == 0
            assert power.tolist() == [0, 0, 0]
    assert 20 < down < 270


def test_plane_irradiance_by_hand():
    clear = pv.plane_irradiance_w_m2(1.0, 1.0, 1.0, 800, 100, 900, np.array([1.0, 0.5]))
    # half clear: beam 800/8 = 100; diffuse 0.5*100 + (0.5 - 0.125)*800 = 350; together half of 900
    np.testing.assert_allclose(clear, [900, 450])
    wall = pv.plane_irradiance_w_m2(-0.3, 0.0, 0.5, 800, 100, 500, 1.0)  # back to the sun: 100/2 sky, 0.2*500/2 ground
    assert wall == pytest.approx(100)


@pytest.mark.filterwarnings("ignore:DatetimeIndex.dayofyear")  # pvlib 0.16 under pandas 3.1
@pytest.mark.parametrize("day", [(2025, 1, 15), (2025, 6, 21), (2025, 10, 3)])
def test_clear_plane_and_power_agree_with_pvlib_at_grid_moments(day):
    azimuth, tilt = np.array([90, 135, 180, 250, 0]), np.array([20, 40, 30, 60, 15])
    times = pd.date_range(datetime(*day, tzinfo=UTC), periods=96, freq="15min")
    location = pvlib.location.Location(52.5, 13.4, altitude=40)
    position = location.get_solarposition(times)
    light = location.get_clearsky(times, solar_position=position)
    normals, compared = panel_normals(azimuth, tilt), 0
    for i, stamp in enumerate(times):
        at, now = position.iloc[i], light.iloc[i]
        moment = Sky(BERLIN, 1).at(stamp.timestamp())
        power = pv_power_w(4.0, normals, moment, 1.0)
        if at["apparent_elevation"] <= 0:
            assert not power.any()
            continue
        compared += 1
        total = pvlib.irradiance.get_total_irradiance(
            tilt, azimuth, at["apparent_zenith"], at["azimuth"], now["dni"], now["ghi"], now["dhi"], albedo=0.2
        )["poa_global"]
        plane = pv.plane_irradiance_w_m2(
            normals @ moment.sun, normals[:, 2], moment.sun[2], moment.dni_w_m2, moment.dhi_w_m2, moment.ghi_w_m2, 1.0
        )
        np.testing.assert_allclose(plane, total, rtol=1e-6)
        cell = pvlib.temperature.faiman(total, moment.temperature_c, wind_speed=1.0)
        direct = pvlib.pvsystem.pvwatts_dc(total, cell, 4000.0, -0.0035) * 0.86
        np.testing.assert_allclose(power, direct, rtol=1e-6)
    assert compared > 25


def test_power_by_hand_and_its_bounds():
    # cell at 25 C: 1000 * 0.86; air at 25 C: cell 1000/31.84 = 31.407 K warmer, 860 * (1 - 0.0035*31.407) = 765.46
    np.testing.assert_allclose(pv.ac_power_w(1.0, 1000.0, np.array([25 - 1000 / 31.84, 25])), [860, 765.464], atol=1e-2)
    assert pv.ac_power_w(2.0, 1500.0, -40.0) == 2000
    assert pv.ac_power_w(0.0, 1000.0, 10.0) == 0
    assert pv.ac_power_w(1.0, 1000.0, 900.0) == 0
    noon = SkyMoment(np.array([0.0, 0.0, 1.0]), 1100, 120, 1220, -30.0, 1.0)
    assert pv_power_w(np.array([3, 0.5]), panel_normals([0, 0], [0, 0]), noon, np.array([1.2, 1])).tolist() == [
        3000,
        500,
    ]


def test_clouds_leave_the_diffuse_share_that_erbs_measured():
    clearness = np.linspace(0.15, 1, 18)
    ghi = 0.75 * 1361 * np.cos(np.radians(50)) * clearness  # clear-sky index 0.75, of which 15 % diffuse
    measured = pvlib.irradiance.erbs(ghi, 50, 94)["dhi"] / ghi
    beam = pv.plane_irradiance_w_m2(1.0, -1.0, 1.0, 0.85, 0.15, 0.0, clearness)  # upside down: neither sky nor ground
    np.testing.assert_allclose(1 - beam / clearness, measured, atol=0.1)


def test_clearness_of_by_hand():
    # (0.56 - 0.12)/0.88 = 1/2, so mu = 0 and one deviation up gives 0.12 + 0.88*Phi(1.3) = 0.12 + 0.88*0.90320
    np.testing.assert_allclose(sky.clearness_of(np.array([0, 1]), 0.56), [0.56, 0.914816], atol=1e-5)
    draws = np.random.default_rng(1).standard_normal(200_000)
    for mean in (0.2, 0.45, 0.8):
        drawn = sky.clearness_of(draws, mean)
        assert drawn.mean() == pytest.approx(mean, abs=3e-3)
        assert drawn.min() >= 0.12
        assert drawn.max() <= 1
    assert sky.clearness_of(0.7, 0.4, 0.0) == pytest.approx(0.4)


def test_cloudiness_is_stationary_with_the_stated_time_constants():
    parts = np.concatenate([sky.cloud_parts_day(5, day)[:, :-1] for day in range(18_000, 19_500)], axis=1)
    np.testing.assert_allclose(parts.mean(axis=1), 0, atol=0.1)
    np.testing.assert_allclose(parts.std(axis=1), 1, atol=0.07)

    def correlation(x, lag):
        return np.corrcoef(x[:-lag], x[lag:])[0, 1]

    assert correlation(parts[0], 30) == pytest.approx(np.exp(-1), abs=0.05)  # 2.5 h
    assert correlation(parts[0], 12) == pytest.approx(np.exp(-0.4), abs=0.03)  # 1 h
    assert correlation(parts[1], 216) == pytest.approx(np.exp(-1), abs=0.08)  # 18 h
    both = sky.cloudiness(parts)
    assert both.std() == pytest.approx(1, abs=0.05)
    assert correlation(both, 30) == pytest.approx(0.5 * np.exp(-1) + 0.5 * np.exp(-2.5 / 18), abs=0.05)
    assert abs(correlation(parts[0], 288)) < 0.08


def test_days_join_up_to_the_stated_truncation():
    for day in (0, 17_999, 20_100):
        step = sky.cloud_parts_day(3, day)[:, -1] - sky.cloud_parts_day(3, day + 1)[:, 0]
        assert np.all(np.abs(step) < 2e-4)


def test_any_moment_is_the_same_whichever_is_asked_first():
    moments = (seconds(2025, 5, 1) + np.arange(0, 9 * 86400, 5431.5)).tolist()

    def look(t):
        now = Sky(BERLIN, 7).at(t)
        return (
            *now.sun,
            now.dni_w_m2,
            now.dhi_w_m2,
            now.ghi_w_m2,
            now.temperature_c,
            now.clearness,
            *own_clearness(7, t, 4),
        )

    forget()
    forwards = [look(t) for t in moments]
    forget()
    backwards = [look(t) for t in reversed(moments)][::-1]
    forget()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(look, moments))
    assert forwards == backwards == together
    assert Sky(BERLIN, 8).at(moments[50]).clearness != Sky(BERLIN, 7).at(moments[50]).clearness


def test_own_clearness_varies_five_percent_and_keeps_its_variance_between_knots():
    factors = np.array([own_clearness(1, 1.7e9 + 150.0 * i, 4000) for i in range(12)])  # on knots and halfway
    np.testing.assert_allclose(factors.mean(axis=1), 1, atol=0.004)
    np.testing.assert_allclose(factors.std(axis=1), 0.05, atol=0.003)
    assert abs(np.corrcoef(factors[0], factors[6])[0, 1]) < 0.06  # three draws later
    near = own_clearness(1, 1.7e9, 4000), own_clearness(1, 1.7e9 + 1, 4000)
    assert np.abs(near[1] - near[0]).max() < 2e-3
    assert own_clearness(1, 1.7e9 + 77, 9).tolist() == own_clearness(1, 1.7e9 + 77, 4000)[:9].tolist()


def test_two_houses_see_nearly_the_same_clouds():
    normals, weather = panel_normals([170, 190], [30, 30]), Sky(BERLIN, 2)
    shares = []
    for t in seconds(2025, 6, 1, 8) + 900.0 * np.add.outer(96 * np.arange(12), np.arange(32)).ravel():
        now = weather.at(t)
        power = pv_power_w(5.0, normals, now, now.clearness * own_clearness(2, t, 2))
        shares.append(power / pv_power_w(5.0, normals, now, 1.0))
    first, second = np.array(shares).T
    assert np.std(first) > 0.15
    assert np.corrcoef(first, second)[0, 1] > 0.95
    assert not np.array_equal(first, second)


def year_kwh(place: Place, seed: int | None, table: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(365, 6) daily kWh per kWp of the corner panels over 2025, in quarter hours taken at their middle or near it."""
    wave = sky.year_wave(times, 171, place.latitude_deg)
    clearness = pv.usual_season(place, varying=seed is not None).mean(wave)
    if seed is not None:
        parts = np.concatenate([sky.cloud_parts_day(seed, int(day))[:, 1:-1:3] for day in times[::96] // 86400], axis=1)
        clearness = sky.clearness_of(sky.cloudiness(parts), clearness)
    up, normals = table[:, 2] > 0, panel_normals(*CORNERS)
    east_north_up, light = table[up, :3], table[up, 3:].T[:, :, None]
    plane = pv.plane_irradiance_w_m2(
        east_north_up @ normals.T, normals[:, 2], east_north_up[:, 2:], *light, clearness[up, None]
    )
    power_w = np.zeros((len(times), 6))
    power_w[up] = pv.ac_power_w(1.0, plane, sky.air_temperature_c(place, times[up])[:, None])
    return power_w.reshape(365, 96, 6).sum(axis=1) / 4000


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p.latitude_deg}N")
def test_yearly_yield_and_january_are_usual_on_every_southern_roof(place):
    times = seconds(2025, 1, 1) + 300 + 900.0 * np.arange(365 * 96)
    table = sky.clear_sky(place, times)
    years = np.array([year_kwh(place, seed, table, times) for seed in SEEDS])
    mean, steady = years.mean(axis=0), year_kwh(place, None, table, times)
    for days in (mean, steady):
        yearly = days.sum(axis=0)
        assert np.all(yearly > 850 * 1.03)
        assert np.all(yearly < 1100 * 0.97)
        share = days[:31].sum(axis=0) / days[181:212].sum(axis=0)
        assert np.all(share > 0.08)
        assert np.all(share < 0.35)
    single = years.sum(axis=1)
    assert np.all((single > 850) & (single < 1100))
    np.testing.assert_allclose(steady.sum(axis=0), mean.sum(axis=0), rtol=0.06)


def test_steady_clearness_is_duller_in_winter_and_mean_temperature_usual():
    berlin = Sky(BERLIN, 1)
    assert 0.4 < berlin.mean_clearness(seconds(2025, 1, 15)) < berlin.mean_clearness(seconds(2025, 7, 15)) < 0.9
    year = seconds(2025, 1, 1) + 3600.0 * np.arange(8766)
    # 13.2 - 0.45*(52.5 - 47.4) - 0.0065*40 = 10.645; January 15 dawn is cold, July afternoon warm
    assert sky.air_temperature_c(BERLIN, year).mean() == pytest.approx(10.645, abs=0.01)
    assert sky.air_temperature_c(Place(-52.5, 13.4, 40), seconds(2025, 1, 15)) > 15


@pytest.mark.parametrize("place", [Place(0, 0), Place(-35, 150), Place(69.6, 19), Place(-78, 0), Place(37.4, -6)])
def test_any_place_on_earth_gives_finite_powers(place):
    normals, weather = panel_normals([180, 0], [30, 30]), Sky(place, 1)
    for t in seconds(2025, 1, 1) + 86400.0 * 30.4 * np.arange(12) + 43200:
        now = weather.at(t)
        assert 0.12 <= now.clearness <= 1
        power = pv_power_w(1.0, normals, now, now.clearness)
        assert np.all((power >= 0) & (power <= 1000))


def test_the_room_starts_without_loading_pvlib():
    code = "import energy_sim.devices.pv, sys; sys.exit(any(m in sys.modules for m in ('pvlib', 'pandas', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
