"""What the generated input of the Norwegian zones NO1 to NO5 is made from: published totals, profiles and spreads.

Only aggregates are held here, no series. Years are 2016 to 2022 unless a name says otherwise.

* Reservoir capacity and the lowest, median and highest filling by week: NVE, reservoir statistics
  (biapi.nve.no/magasinstatistikk), Norwegian Licence for Open Government Data (NLOD); contains data from NVE.
* Consumption, wind and hydro totals, their monthly and weekday factors, spreads and correlations: aggregated from the
  ENTSO-E transparency platform (actual load, wind forecast, generation by type), with Statnett's national totals as a
  check. Wind spread, monthly factors and correlations hold for the unchanging fleet of 2021 (NVE, NLOD).
* Inflow: change of reservoir content plus hydro generation, by week, from the two sources above; before 2015 partly
  modelled, so no trend may be read across 2014/15.
"""

from dataclasses import dataclass

YEARS = tuple(range(2016, 2023))
FILL_WEEKS = (1, 5, 9, 13, 17, 21, 25, 29, 33, 37, 41, 45, 49, 52)
ZONES = ("NO1", "NO2", "NO3", "NO4", "NO5")
WIND_ZONES = ("NO1", "NO2", "NO3", "NO4")

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class HydroFacts:
    """Reservoirs and inflow of a zone.

    ``fill_min``, ``fill_median`` and ``fill_max`` are shares of the capacity at the end of each of ``FILL_WEEKS``.
    ``inflow_twh`` is the total of each ISO year. ``inflow_long_*`` are mean and sample deviation of the ISO-year totals
    1995 to 2022. ``inflow_std`` and ``inflow_lag1`` describe the log of a week over the log-mean of that week in the
    seven years.
    """

    capacity_twh: float
    fill_min: tuple[float, ...]
    fill_median: tuple[float, ...]
    fill_max: tuple[float, ...]
    inflow_twh: tuple[float, ...]
    inflow_long_mean_twh: float
    inflow_long_std_twh: float
    inflow_std: float
    inflow_lag1: float


@dataclass(frozen=True, slots=True)
class LoadFacts:
    """Consumption of a zone: totals by year, factors January to December and Monday to Sunday (mean about 1).

    ``std`` and ``lag1`` describe the log of a day over its month and weekday factors.
    """

    total_twh: tuple[float, ...]
    month: tuple[float, ...]
    weekday: tuple[float, ...]
    std: float
    lag1: float


@dataclass(frozen=True, slots=True)
class WindFacts:
    """Wind of a zone: installed capacity at the end of 2022, totals by year, factors January to December.

    ``cv`` is the deviation of the daily energy over its mean, ``lag1`` its correlation from day to day; both hold for
    an unchanging fleet and contain the season.
    """

    capacity_mw: float
    total_twh: tuple[float, ...]
    month: tuple[float, ...]
    cv: float
    lag1: float


HYDRO = {
    "NO1": HydroFacts(
        capacity_twh=6.003,
        fill_min=(0.457, 0.319, 0.192, 0.099, 0.112, 0.244, 0.54, 0.669, 0.686, 0.685, 0.803, 0.757, 0.623, 0.494),
        fill_median=(0.62, 0.464, 0.301, 0.164, 0.167, 0.509, 0.761, 0.816, 0.876, 0.889, 0.892, 0.852, 0.756, 0.658),
        fill_max=(0.76, 0.571, 0.433, 0.278, 0.331, 0.677, 0.85, 0.958, 0.998, 0.99, 0.988, 0.997, 0.946, 0.862),
        inflow_twh=(16.6, 18.4, 16.5, 17.6, 20.2, 16.7, 15.8),
        inflow_long_mean_twh=16.0,
        inflow_long_std_twh=1.7,
        inflow_std=0.415,
        inflow_lag1=0.582,
    ),
    "NO2": HydroFacts(
        capacity_twh=34.044,
        fill_min=(0.404, 0.319, 0.219, 0.152, 0.186, 0.306, 0.434, 0.485, 0.503, 0.509, 0.532, 0.577, 0.516, 0.429),
        fill_median=(0.717, 0.62, 0.515, 0.427, 0.377, 0.525, 0.667, 0.733, 0.78, 0.83, 0.834, 0.818, 0.776, 0.721),
        fill_max=(0.86, 0.762, 0.644, 0.592, 0.511, 0.602, 0.755, 0.892, 0.959, 0.95, 0.96, 0.972, 0.956, 0.914),
        inflow_twh=(45.1, 53.3, 45.1, 41.3, 56.8, 38.4, 42.0),
        inflow_long_mean_twh=43.6,
        inflow_long_std_twh=6.8,
        inflow_std=0.628,
        inflow_lag1=0.575,
    ),
    "NO3": HydroFacts(
        capacity_twh=8.921,
        fill_min=(0.396, 0.313, 0.198, 0.13, 0.13, 0.202, 0.516, 0.612, 0.618, 0.667, 0.679, 0.611, 0.512, 0.421),
        fill_median=(0.61, 0.511, 0.37, 0.276, 0.24, 0.416, 0.695, 0.796, 0.83, 0.824, 0.84, 0.803, 0.707, 0.631),
        fill_max=(0.834, 0.74, 0.594, 0.514, 0.49, 0.598, 0.783, 0.897, 0.935, 0.961, 0.942, 0.949, 0.9, 0.861),
        inflow_twh=(17.2, 21.4, 17.4, 18.8, 23.2, 18.7, 21.8),
        inflow_long_mean_twh=18.2,
        inflow_long_std_twh=2.0,
        inflow_std=0.709,
        inflow_lag1=0.693,
    ),
    "NO4": HydroFacts(
        capacity_twh=21.079,
        fill_min=(0.463, 0.408, 0.34, 0.282, 0.214, 0.284, 0.476, 0.499, 0.556, 0.573, 0.65, 0.642, 0.555, 0.486),
        fill_median=(0.645, 0.581, 0.5, 0.428, 0.38, 0.435, 0.605, 0.714, 0.785, 0.812, 0.819, 0.802, 0.732, 0.672),
        fill_max=(0.821, 0.773, 0.714, 0.663, 0.626, 0.619, 0.79, 0.887, 0.949, 0.944, 0.943, 0.945, 0.89, 0.861),
        inflow_twh=(19.6, 24.4, 21.4, 21.9, 27.8, 21.1, 26.7),
        inflow_long_mean_twh=22.0,
        inflow_long_std_twh=3.1,
        inflow_std=0.658,
        inflow_lag1=0.652,
    ),
    "NO5": HydroFacts(
        capacity_twh=17.391,
        fill_min=(0.434, 0.351, 0.235, 0.16, 0.097, 0.164, 0.264, 0.588, 0.601, 0.556, 0.627, 0.669, 0.561, 0.459),
        fill_median=(0.665, 0.526, 0.393, 0.276, 0.205, 0.303, 0.568, 0.718, 0.802, 0.849, 0.871, 0.84, 0.746, 0.684),
        fill_max=(0.762, 0.607, 0.499, 0.377, 0.297, 0.414, 0.635, 0.868, 0.955, 0.94, 0.947, 0.923, 0.899, 0.808),
        inflow_twh=(30.7, 31.2, 31.1, 25.7, 34.0, 25.2, 30.2),
        inflow_long_mean_twh=27.7,
        inflow_long_std_twh=3.5,
        inflow_std=0.648,
        inflow_lag1=0.589,
    ),
}

# Mean inflow of weeks 1 to 52, GWh, 13 weeks a line.
# fmt: off
INFLOW_WEEK_GWH: dict[str, tuple[float, ...]] = {
    "NO1": (
        107.4, 116.7, 113.4, 108.5, 89.8, 89.2, 96.7, 104.3, 89.9, 85.6, 91.8, 97.3, 169.7,
        172.2, 174.5, 280.5, 438.7, 527.4, 864.6, 914.8, 1049.4, 888.8, 915.2, 684.3, 576.5, 508.9,
        362.3, 313.2, 269.3, 342.7, 359.2, 354.6, 398.0, 308.5, 240.9, 277.4, 381.5, 295.4, 462.6,
        464.4, 390.0, 346.8, 338.7, 385.4, 342.1, 290.8, 276.5, 188.8, 174.5, 141.2, 159.5, 160.5,
    ),
    "NO2": (
        490.3, 482.5, 406.6, 469.6, 356.0, 289.6, 315.4, 473.7, 247.3, 183.6, 239.0, 298.0, 625.3,
        449.6, 365.4, 627.5, 867.4, 952.8, 1720.4, 1963.7, 2295.3, 2181.7, 2230.0, 1944.4, 1676.5, 1321.8,
        1001.6, 695.1, 665.4, 808.2, 1005.9, 834.8, 773.6, 761.9, 514.7, 815.5, 1267.6, 911.0, 1404.3,
        1343.9, 1223.2, 884.1, 1272.1, 1065.6, 992.5, 737.9, 750.7, 482.7, 637.1, 408.2, 554.8, 666.7,
    ),
    "NO3": (
        208.4, 224.1, 183.9, 203.3, 111.0, 94.6, 102.0, 144.0, 111.2, 70.5, 110.8, 144.4, 190.7,
        179.9, 145.3, 241.0, 342.3, 421.8, 684.1, 794.3, 1121.1, 1061.6, 1179.9, 993.7, 933.0, 776.0,
        554.7, 478.1, 434.6, 422.8, 384.9, 475.4, 408.0, 390.2, 338.2, 301.9, 432.0, 447.8, 402.9,
        361.2, 415.4, 341.7, 409.6, 329.4, 277.7, 235.1, 218.1, 164.4, 227.0, 163.6, 208.0, 184.5,
    ),
    "NO4": (
        177.9, 152.2, 142.6, 224.5, 99.2, 94.0, 109.9, 140.6, 131.2, 84.7, 108.5, 157.7, 150.8,
        108.4, 90.8, 119.7, 190.5, 247.1, 474.4, 649.6, 967.4, 1173.2, 1363.9, 1389.6, 1464.4, 1398.2,
        996.1, 924.7, 897.1, 852.2, 670.2, 666.2, 645.3, 571.5, 587.4, 522.4, 483.6, 507.1, 470.1,
        401.8, 380.0, 326.5, 304.7, 240.8, 306.0, 234.8, 166.1, 130.3, 146.8, 132.5, 163.8, 132.6,
    ),
    "NO5": (
        216.5, 231.6, 186.4, 215.1, 132.6, 119.0, 132.1, 178.6, 95.5, 55.6, 82.4, 111.2, 172.2,
        134.8, 124.4, 187.5, 264.5, 384.2, 730.2, 1008.3, 1506.2, 1636.8, 1853.8, 1709.1, 1601.4, 1366.2,
        972.6, 803.9, 846.9, 907.4, 915.9, 807.8, 718.5, 708.2, 539.1, 545.4, 796.1, 699.4, 786.5,
        717.0, 727.3, 473.8, 620.1, 450.0, 481.9, 325.3, 329.1, 184.2, 251.9, 171.8, 249.5, 244.0,
    ),
}
# fmt: on

LOAD = {
    "NO1": LoadFacts(
        total_twh=(36.5, 36.49, 36.61, 36.06, 34.72, 36.51, 32.52),
        month=(1.429, 1.382, 1.21, 0.977, 0.801, 0.689, 0.608, 0.672, 0.769, 0.959, 1.184, 1.342),
        weekday=(1.023, 1.031, 1.027, 1.028, 1.019, 0.944, 0.928),
        std=0.0986,
        lag1=0.77,
    ),
    "NO2": LoadFacts(
        total_twh=(35.2, 35.18, 36.5, 35.64, 36.4, 38.63, 34.94),
        month=(1.232, 1.224, 1.136, 1.014, 0.898, 0.825, 0.798, 0.815, 0.855, 0.957, 1.086, 1.173),
        weekday=(1.014, 1.019, 1.018, 1.016, 1.012, 0.967, 0.953),
        std=0.0664,
        lag1=0.801,
    ),
    "NO3": LoadFacts(
        total_twh=(25.35, 26.0, 26.35, 26.5, 26.57, 28.11, 27.85),
        month=(1.163, 1.159, 1.107, 1.017, 0.914, 0.849, 0.819, 0.841, 0.892, 0.991, 1.108, 1.15),
        weekday=(1.013, 1.014, 1.008, 1.014, 1.013, 0.975, 0.964),
        std=0.0646,
        lag1=0.826,
    ),
    "NO4": LoadFacts(
        total_twh=(19.07, 19.21, 19.51, 19.42, 18.69, 18.59, 19.88),
        month=(1.198, 1.195, 1.133, 1.02, 0.899, 0.829, 0.795, 0.83, 0.876, 0.987, 1.096, 1.152),
        weekday=(1.014, 1.017, 1.018, 1.014, 1.006, 0.969, 0.962),
        std=0.063,
        lag1=0.801,
    ),
    "NO5": LoadFacts(
        total_twh=(16.21, 16.01, 16.48, 15.85, 16.48, 17.08, 16.45),
        month=(1.255, 1.234, 1.139, 0.995, 0.87, 0.806, 0.816, 0.821, 0.83, 0.974, 1.099, 1.173),
        weekday=(1.01, 1.015, 1.014, 1.014, 1.012, 0.973, 0.962),
        std=0.0823,
        lag1=0.849,
    ),
}

# NO5 had one small farm, 0.01 TWh in 2016 and nothing since: it is left out.
WIND = {
    "NO1": WindFacts(
        capacity_mw=406,
        total_twh=(0.0, 0.0, 0.0, 0.41, 0.53, 0.61, 0.88),
        month=(1.044, 1.25, 1.291, 1.018, 0.829, 0.915, 0.65, 0.903, 0.92, 1.304, 0.861, 1.028),
        cv=0.748,
        lag1=0.498,
    ),
    "NO2": WindFacts(
        capacity_mw=1452,
        total_twh=(0.74, 1.04, 1.75, 2.09, 3.48, 3.76, 4.78),
        month=(1.396, 1.347, 1.014, 0.926, 0.701, 0.734, 0.652, 0.731, 0.867, 1.12, 1.273, 1.267),
        cv=0.715,
        lag1=0.571,
    ),
    "NO3": WindFacts(
        capacity_mw=2121,
        total_twh=(0.78, 0.96, 0.79, 1.81, 3.79, 5.0, 6.5),
        month=(1.46, 1.468, 1.394, 0.851, 0.614, 0.575, 0.5, 0.543, 0.916, 1.188, 1.062, 1.456),
        cv=0.726,
        lag1=0.677,
    ),
    "NO4": WindFacts(
        capacity_mw=1160,
        total_twh=(0.59, 0.67, 0.86, 0.93, 1.7, 1.93, 2.55),
        month=(1.447, 1.548, 1.346, 0.964, 0.644, 0.526, 0.476, 0.461, 0.92, 1.177, 1.141, 1.389),
        cv=0.691,
        lag1=0.691,
    ),
}

# Weekly log anomalies of the inflow, rows and columns as ZONES.
INFLOW_CORRELATION: Matrix = (
    (1.0, 0.8, 0.46, 0.42, 0.67),
    (0.8, 1.0, 0.58, 0.55, 0.86),
    (0.46, 0.58, 1.0, 0.7, 0.63),
    (0.42, 0.55, 0.7, 1.0, 0.67),
    (0.67, 0.86, 0.63, 0.67, 1.0),
)

# Daily consumption with its season.
LOAD_CORRELATION: Matrix = (
    (1.0, 0.96, 0.9, 0.91, 0.92),
    (0.96, 1.0, 0.93, 0.88, 0.94),
    (0.9, 0.93, 1.0, 0.9, 0.88),
    (0.91, 0.88, 0.9, 1.0, 0.87),
    (0.92, 0.94, 0.88, 0.87, 1.0),
)

# Daily wind energy with its season, as WIND_ZONES.
WIND_CORRELATION: Matrix = (
    (1.0, 0.4, 0.54, 0.39),
    (0.4, 1.0, 0.53, 0.31),
    (0.54, 0.53, 1.0, 0.7),
    (0.39, 0.31, 0.7, 1.0),
)
