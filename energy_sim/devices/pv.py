"""Photovoltaic power of many roofs at one moment.

Map: ``panel_normals`` once per street, ``Sky(place, seed).at(time_s)`` and ``own_clearness`` per moment, then
``pv_power_w``. The sun, the air and the clouds are in ``sky.py``; here are panels, and the clearness that makes a year
yield what is usual at the place.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from energy_sim.devices.sky import (
    CLEARNESS_LOW,
    CLOUD_SPREAD,
    DAY_S,
    GRID_S,
    YEAR_DAYS,
    Floats,
    Place,
    air_temperature_c,
    clear_sky,
    clear_sky_day,
    clearness_of,
    cloud_parts_day,
    cloudiness,
    own_clearness,
    year_wave,
)

__all__ = ["Place", "Sky", "SkyMoment", "own_clearness", "panel_normals", "pv_power_w"]

ALBEDO = 0.2
TEMPERATURE_COEFFICIENT_PER_K = -0.0035
SYSTEM_LOSS = 0.14
FAIMAN_W_M2_K = 25.0 + 6.84 * 1.0

Values = float | Floats


@dataclass(frozen=True, slots=True)
class SkyMoment:
    """The sky at one moment: ``sun`` (3,) unit vector east, north, up; irradiance without clouds in W/m2.

    ``clearness`` is the share of the clear-sky global irradiance that the street gets, ``temperature_c`` of the air.
    """

    sun: Floats
    dni_w_m2: float
    dhi_w_m2: float
    ghi_w_m2: float
    temperature_c: float
    clearness: float


@dataclass(frozen=True, slots=True)
class Season:
    """Mean clearness over the year: ``level * (1 + swing * wave)``, the wave +1 at midsummer and -1 at midwinter."""

    level: float
    swing: float

    def mean(self, wave: ArrayLike) -> Floats:
        """Mean clearness, kept inside what ``clearness_of`` can reach."""
        return np.clip(self.level * (1 + self.swing * np.asarray(wave)), CLEARNESS_LOW + 0.02, 0.97)


def panel_normals(azimuth_deg: ArrayLike, tilt_deg: ArrayLike) -> Floats:
    """Unit vectors (H, 3) east, north, up of panels; azimuth clockwise from north, tilt 0 lies flat."""
    azimuth, tilt = np.radians(np.broadcast_arrays(np.atleast_1d(azimuth_deg), np.atleast_1d(tilt_deg)))
    return np.stack([np.sin(tilt) * np.sin(azimuth), np.sin(tilt) * np.cos(azimuth), np.cos(tilt)], axis=-1)


def plane_irradiance_w_m2(
    cos_incidence: Values,
    cos_tilt: Values,
    cos_zenith: Values,
    dni_w_m2: Values,
    dhi_w_m2: Values,
    ghi_w_m2: Values,
    clearness: Values,
) -> Floats:
    """Irradiance on tilted planes; all arguments broadcast.

    Clouds let ``clearness`` of the global irradiance through, but only its third power of the direct beam (never more
    than all of it); the rest of what arrives is diffuse.

    Source:
        Direct, isotropic sky and ground (albedo 0.2): Liu and Jordan, as in ``pvlib.irradiance.get_total_irradiance``.
        The third power follows the diffuse fraction of Erbs et al. (1982) within 0.1 for a clear sky
        of clearness index 0.75, 15 % of it diffuse.
    """
    bounded = np.minimum(clearness, 1.0)
    beam = bounded * bounded * bounded  # a power would take most of the time
    diffuse_w_m2 = clearness * dhi_w_m2 + (clearness - beam) * dni_w_m2 * np.maximum(cos_zenith, 0.0)
    plane: Floats = (
        beam * dni_w_m2 * np.maximum(cos_incidence, 0.0)
        + diffuse_w_m2 * (1 + cos_tilt) / 2
        + ALBEDO * clearness * ghi_w_m2 * (1 - cos_tilt) / 2
    )
    return plane


def ac_power_w(kwp: ArrayLike, plane_w_m2: Floats, air_c: Values) -> Floats:
    """AC power in W, between 0 and the rated power; all arguments broadcast.

    Source:
        Cell temperature: Faiman (2008), coefficients 25 and 6.84 of pvlib, wind 1 m/s assumed. Power: PVWatts v5 (Dobos
        2014, NREL/TP-6A20-62641), -0.35 %/K for today's modules. Losses 14 %: the default of PVWatts and of PVGIS,
        taken to hold the inverter's, too.
    """
    rated_w = 1000 * np.asarray(kwp, dtype=np.float64)
    warmer_k = air_c + plane_w_m2 / FAIMAN_W_M2_K - 25
    power = rated_w * (1 - SYSTEM_LOSS) * plane_w_m2 / 1000 * (1 + TEMPERATURE_COEFFICIENT_PER_K * warmer_k)
    return np.clip(power, 0.0, rated_w)


def pv_power_w(kwp: ArrayLike, normals: Floats, sky: SkyMoment, clearness: Values) -> Floats:
    """AC power (H,) of panels in W.

    Args:
        kwp: (H,) rated power, 0 for a house without panels.
        normals: (H, 3) from ``panel_normals``.
        sky: the moment.
        clearness: (H,) or one number; ``sky.clearness`` times ``own_clearness``, or ``Sky.mean_clearness``.
    """
    if sky.sun[2] <= 0:
        return np.zeros(len(normals))
    plane = plane_irradiance_w_m2(
        normals @ sky.sun, normals[:, 2], sky.sun[2], sky.dni_w_m2, sky.dhi_w_m2, sky.ghi_w_m2, clearness
    )
    return ac_power_w(kwp, plane, sky.temperature_c)


def usual_yield(latitude_deg: float) -> tuple[float, float]:
    """What a roof of 30 degrees towards the equator yields: kWh per kWp and year, and midwinter over midsummer.

    Returns:
        the yield, and January's energy over July's (July's over January's south of the equator).

    Source:
        German roofs measured 816 to 1049 kWh/kWp in 2012-2018, falling northwards (te Heesen, Herbort and Rumpler,
        Solar Energy 194, 2019). From 47 to 60 N one number, ours: with it every roof within 45 degrees of south and
        tilted 20 to 40 stays between 850 and 1100. Real yields fall northwards, so Scandinavian roofs get about a
        tenth too much here. South of 47 N rough values for Italy, Andalusia and the Sahara; the winter shares are
        rounded assumptions.
    """
    north = abs(latitude_deg)
    yield_kwh = np.interp(north, [25, 37, 42, 47, 60], [1700, 1500, 1350, 1020, 1020])
    share = np.interp(north, [0, 25, 37, 47, 54, 60], [1.0, 0.8, 0.55, 0.21, 0.18, 0.14])
    return float(yield_kwh), float(share)


@lru_cache(maxsize=64)
def usual_season(place: Place, *, varying: bool) -> Season:
    """The mean clearness with which a panel of 30 degrees facing the equator gives what is usual at the latitude.

    Two numbers are asked for: the yearly yield, and January's yield as a share of July's (swapped in the south). They
    are met on two days of each month in half hours, the clouds' distribution by Gauss-Hermite quadrature.

    Args:
        place: clear skies differ, so the clearness does.
        varying: True for the mean of the moving clouds, False for a steady clearness without them. The two differ
            a little because the direct beam is not proportional to the clearness.

    Source:
        see ``usual_yield``.
    """
    months = np.datetime64("2025-01") + np.arange(12)
    dates = (months.astype("datetime64[D]")[:, None] + np.array([7, 22])).ravel()
    days_s = dates.astype("datetime64[s]").astype(np.float64)
    halves = (days_s[:, None] + 1800 * np.arange(48)).ravel()
    table = clear_sky(place, halves)
    up = table[:, 2] > 0
    nodes, weights = np.polynomial.hermite_e.hermegauss(12) if varying else (np.zeros(1), np.ones(1))
    means = np.linspace(CLEARNESS_LOW + 0.02, 0.97, 18)
    clearness = clearness_of(nodes, means[:, None], CLOUD_SPREAD if varying else 0.0)
    normal = panel_normals(180.0 if place.latitude_deg >= 0 else 0.0, 30.0)[0]
    lit = table[up][:, :, None, None]
    plane = plane_irradiance_w_m2(
        (table[up, :3] @ normal)[:, None, None], normal[2], lit[:, 2], lit[:, 3], lit[:, 4], lit[:, 5], clearness
    )
    power_w = np.zeros((len(halves), len(means)))
    power_w[up] = ac_power_w(1.0, plane, air_temperature_c(place, halves[up])[:, None, None]) @ (
        weights / weights.sum()
    )
    day_kwh = power_w.reshape(24, 48, -1).mean(axis=1) * 24 / 1000
    wave = year_wave(days_s + DAY_S / 2, 171, place.latitude_deg)

    def energies(level: Floats, swing: Floats) -> Floats:
        """(..., 24) kWh per kWp of each sample day."""
        mean = np.clip(level[..., None] * (1 + swing[..., None] * wave), means[0], means[-1])
        return np.stack([np.interp(mean[..., day], means, day_kwh[day]) for day in range(24)], axis=-1)

    yield_kwh, winter_share = usual_yield(place.latitude_deg)
    swings, levels = np.linspace(0, 0.6, 31), np.linspace(0.15, 0.97, 42)
    yearly = energies(*np.meshgrid(levels, swings)).mean(axis=-1) * YEAR_DAYS
    fitting = np.array([np.interp(yield_kwh, row, levels) for row in yearly])
    months_kwh = energies(fitting, swings)
    january, july = months_kwh[:, :2].sum(axis=1), months_kwh[:, 12:14].sum(axis=1)
    winter, summer = (january, july) if place.latitude_deg >= 0 else (july, january)
    swing = np.interp(winter_share, (winter / summer)[::-1], swings[::-1])
    return Season(float(np.interp(swing, swings, fitting)), float(swing))


class Sky:
    """The sky of a street as a function of time: ``Sky(Place(52.5, 13.4), seed=1).at(time_s)``.

    The first moment of a UTC day costs some 10 ms, another one some microseconds. Safe to share between threads: what
    is kept are read-only arrays in bounded caches.
    """

    def __init__(self, place: Place, seed: int) -> None:
        self.place = place
        self.seed = seed

    def at(self, time_s: float) -> SkyMoment:
        """Sun, clear-sky irradiance, air temperature and clearness, linear between the five-minute moments."""
        day, rest = divmod(time_s, DAY_S)
        step, part = divmod(rest / GRID_S, 1.0)
        k = int(step)
        table = clear_sky_day(self.place, int(day))
        row = (1 - part) * table[k] + part * table[k + 1]
        sun = row[:3] / np.sqrt(row[:3] @ row[:3])
        dni, dhi, ghi = row[3:].tolist() if sun[2] > 0 else (0.0, 0.0, 0.0)
        latent = cloudiness(cloud_parts_day(self.seed, int(day))[:, k : k + 2]) @ (1 - part, part)
        clearness = clearness_of(latent, self._mean(time_s, varying=True))
        return SkyMoment(sun, dni, dhi, ghi, float(air_temperature_c(self.place, time_s)), float(clearness))

    def mean_clearness(self, time_s: float) -> float:
        """The steady clearness that yields over a year what the moving clouds do: for a sky without variation."""
        return float(self._mean(time_s, varying=False))

    def _mean(self, time_s: float, *, varying: bool) -> Floats:
        return usual_season(self.place, varying=varying).mean(year_wave(time_s, 171, self.place.latitude_deg))
