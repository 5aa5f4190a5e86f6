"""The sky over a place: sun and clear-sky irradiance, air temperature, and how cloudy it is.

Everything is a function of place, seed and time, so any moment can be asked first. Results are cached per UTC day.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from energy_sim.devices.noise import Noise

Floats = NDArray[np.float64]

DAY_S = 86_400
YEAR_DAYS = 365.2425
GRID_S = 300
GRID_STEPS = DAY_S // GRID_S
MONTH_MIDDLES = (15.5, 45.0, 74.5, 105.0, 135.5, 166.0, 196.5, 227.5, 258.0, 288.5, 319.0, 349.5)  # day of the year

CLOUD_KIND = 11  # the purpose of a random draw, second entry of its seed
OWN_KIND = 12
FAST_TIME_CONSTANT_S = 2.5 * 3600
SLOW_TIME_CONSTANT_S = 18.0 * 3600
SLOW_SHARE = 0.5
BURN_IN_DAYS = 8
CLEARNESS_LOW = 0.12
CLOUD_SPREAD = 1.3
OWN_SPREAD = 0.05  # assumed: neighbours see nearly the same cloud


@dataclass(frozen=True, slots=True)
class Place:
    """Where the street is: degrees north and east, metres above the sea."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float = 0.0


def year_wave(time_s: ArrayLike, peak_day: float, latitude_deg: float) -> Floats:
    """A yearly cosine, +1 at ``peak_day`` (days after 1 January) in the north, half a year later in the south."""
    phase = 2 * np.pi * (np.asarray(time_s, dtype=np.float64) / DAY_S - peak_day) / YEAR_DAYS
    wave: Floats = np.cos(phase) * (1.0 if latitude_deg >= 0 else -1.0)
    return wave


def air_temperature_c(place: Place, time_s: ArrayLike) -> Floats:
    """Typical air temperature: a yearly and a daily cosine. No weather; it only serves to warm the cells.

    Args:
        place: latitude sets mean and yearly swing, longitude the solar hour, altitude cools by 6.5 K/km.
        time_s: any shape, POSIX seconds.

    Returns:
        degrees C, in the shape of ``time_s``; warmest on 20 July (20 January in the south) and at 15 h solar time.

    Source:
        Our straight lines through the normals 1991-2020 of Zurich, Berlin and Oslo, reduced to sea level: mean 13.2,
        10.4, 7.6 C and half the difference of July and January 9.1, 9.3, 10.3 K, rounded; daily half-swing 3.5 K
        assumed. Lapse rate: ICAO standard atmosphere. 1 K changes PV power by 0.35 %.
    """
    north_deg = abs(place.latitude_deg) - 47.4
    mean_c = min(13.2 - 0.45 * north_deg, 27.0) - 0.0065 * place.altitude_m
    yearly_k = max(9.2 + 0.09 * north_deg, 1.0)
    solar_h = np.asarray(time_s, dtype=np.float64) / 3600 + place.longitude_deg / 15
    air: Floats = (
        mean_c + yearly_k * year_wave(time_s, 200, place.latitude_deg) + 3.5 * np.cos(2 * np.pi * (solar_h - 15) / 24)
    )
    return air


def clear_sky(place: Place, time_s: Floats) -> Floats:
    """Sun and irradiance without clouds.

    Args:
        place: where.
        time_s: (T,) POSIX seconds.

    Returns:
        (T, 6): unit vector to the sun as it appears (east, north, up), then direct normal, diffuse horizontal and
        global horizontal irradiance in W/m2, zero when the sun is down.

    Source:
        pvlib: NREL solar position algorithm with refraction; clear sky of Ineichen and Perez (2002) with the
        monthly Linke turbidity map of SoDa (Remund et al. 2003).
    """
    import pandas as pd
    from pvlib import atmosphere, clearsky, irradiance, solarposition  # type: ignore[import-untyped]

    index = pd.DatetimeIndex(pd.to_datetime(np.round(time_s * 1000).astype("int64"), unit="ms", utc=True))
    # Days go in as numbers: with times pvlib 0.16 reads an attribute that pandas 3.1 warns about.
    day_of_year = index.day_of_year.to_numpy(np.float64)
    pressure_pa = atmosphere.alt2pres(place.altitude_m)
    position = solarposition.spa_python(
        index, place.latitude_deg, place.longitude_deg, altitude=place.altitude_m, pressure=pressure_pa
    )
    zenith_deg = position["apparent_zenith"].to_numpy(np.float64)
    azimuth = np.radians(position["azimuth"].to_numpy(np.float64))
    zenith = np.radians(zenith_deg)
    table = np.zeros((len(time_s), 6))
    table[:, 0] = np.sin(zenith) * np.sin(azimuth)
    table[:, 1] = np.sin(zenith) * np.cos(azimuth)
    table[:, 2] = np.cos(zenith)
    up = table[:, 2] > 0
    light = clearsky.ineichen(
        zenith_deg[up],
        atmosphere.get_absolute_airmass(atmosphere.get_relative_airmass(zenith_deg[up]), pressure_pa),
        np.interp(day_of_year[up], MONTH_MIDDLES, _linke_turbidity(place), period=365),
        altitude=place.altitude_m,
        dni_extra=irradiance.get_extra_radiation(day_of_year[up]),
    )
    table[up, 3:] = np.stack([light["dni"], light["dhi"], light["ghi"]], axis=1)
    return table


@lru_cache(maxsize=64)
def _linke_turbidity(place: Place) -> Floats:
    """(12,) monthly turbidity of the air; 2 is clean, 5 hazy."""
    import pandas as pd
    from pvlib import clearsky

    months = pd.date_range("2025-01-01", periods=12, freq="MS", tz="UTC")
    monthly = clearsky.lookup_linke_turbidity(months, place.latitude_deg, place.longitude_deg, interp_turbidity=False)
    turbidity: Floats = monthly.to_numpy(np.float64)
    turbidity.setflags(write=False)
    return turbidity


@lru_cache(maxsize=128)
def clear_sky_day(place: Place, day: int) -> Floats:
    """``clear_sky`` of one UTC day (days since 1970) every five minutes, both ends included: (289, 6), read-only."""
    table = clear_sky(place, day * DAY_S + GRID_S * np.arange(GRID_STEPS + 1, dtype=np.float64))
    table.setflags(write=False)
    return table


def _generator(seed: int, kind: int, knot: int) -> np.random.Generator:
    return np.random.default_rng([seed, kind, knot % 2**64])  # the remainder keeps moments before 1970 possible


@lru_cache(maxsize=512)
def _cloud_noise(seed: int, day: int) -> Floats:
    noise = _generator(seed, CLOUD_KIND, day).standard_normal((2, GRID_STEPS))
    noise.setflags(write=False)
    return noise


@lru_cache(maxsize=256)
def cloud_parts_day(seed: int, day: int) -> Floats:
    """The fast and the slow part of the street's cloudiness on one UTC day.

    Each is ``x[k] = phi x[k-1] + sqrt(1 - phi^2) noise[k]`` on a five-minute grid, phi = exp(-300 s / time constant):
    mean 0, variance 1. The sum starts from zero eight days earlier, and the noise belongs to its day, so a day is the
    same whichever is asked first. What is cut off is exp(-192/18) = 0.002 % of a standard deviation in the slow part
    (nothing in the fast one); the step between two days that comes from it is as small.

    Returns:
        (2, 289): fast, slow; the last column is midnight of the next day. Read-only.

    Source:
        Time constants are assumptions: cloud fields pass a town within hours, weather changes from day to day.
    """
    phi = np.exp(-GRID_S / np.array([[FAST_TIME_CONSTANT_S], [SLOW_TIME_CONSTANT_S]]))
    gain = np.sqrt(1 - phi**2)
    decay = phi ** np.arange(GRID_STEPS)  # not below 7e-5, so dividing by it is safe
    state = np.zeros((2, 1))
    for before in range(day - BURN_IN_DAYS, day):
        noise = gain * _cloud_noise(seed, before)
        state = phi**GRID_STEPS * state + np.sum(noise * decay[:, ::-1], axis=1, keepdims=True)
    parts = decay * (phi * state + np.cumsum(gain * _cloud_noise(seed, day) / decay, axis=1))
    midnight = phi[:, 0] * parts[:, -1] + gain[:, 0] * _cloud_noise(seed, day + 1)[:, 0]
    parts = np.column_stack([parts, midnight])
    parts.setflags(write=False)
    return parts


def cloudiness(parts: Floats) -> Floats:
    """Fast and slow part (2, ...) as one variable of mean 0 and variance 1; high means clear."""
    latent: Floats = math.sqrt(1 - SLOW_SHARE) * parts[0] + math.sqrt(SLOW_SHARE) * parts[1]
    return latent


def clearness_of(latent: ArrayLike, mean: ArrayLike, spread: float = CLOUD_SPREAD) -> Floats:
    """Share of the clear-sky global irradiance that arrives, between 0.12 and 1.

    ``low + (1 - low) * Phi(mu + spread * latent)``; mu is chosen so that the mean over a standard normal ``latent`` is
    ``mean``, since ``E Phi(mu + s z) = Phi(mu / sqrt(1 + s^2))``. A spread above 1 makes clear and overcast more
    frequent than what lies between, as measured; 0 returns ``mean`` itself.

    Args:
        latent: standard normal.
        mean: above 0.12 and below 1; broadcasts with ``latent``.
        spread: of the variable inside Phi.

    Source:
        0.12 is what arrives under thick overcast; the bound and the spread are assumptions.
    """
    from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

    share = (np.asarray(mean, dtype=np.float64) - CLEARNESS_LOW) / (1 - CLEARNESS_LOW)
    middle = math.sqrt(1 + spread**2) * ndtri(share)
    clearness: Floats = CLEARNESS_LOW + (1 - CLEARNESS_LOW) * ndtr(middle + spread * np.asarray(latent))
    return clearness


@lru_cache(maxsize=16)
def _own_noise(seed: int, count: int) -> Noise:
    return Noise(seed, OWN_KIND, count, GRID_S)


def own_clearness(seed: int, time_s: float, count: int) -> Floats:
    """What each roof sees different from the street: (count,) factors of mean 1 and standard deviation 5 %.

    Drawn every five minutes and drifting between, see noise.py; bounded to 0.8..1.2. The first ones do not depend on
    ``count``.
    """
    return np.asarray(1 + OWN_SPREAD * np.clip(_own_noise(seed, count).at(time_s), -4, 4))
