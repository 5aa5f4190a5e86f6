"""Writes the input files of both examples from the formulas in README.md: `python examples/make_inputs.py`."""

# ruff: noqa: INP001 - a script beside its data, not a package

from collections.abc import Callable
from datetime import date, timedelta
from math import cos, pi, sin
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
WEEKS = range(1, 54)
HOURS = 24


class Small(NamedTuple):
    """A zone of small_losses: demand and wind, MWh a day, and inflow, GWh a week."""

    demand: float
    wind: float
    period_days: float
    inflow: float


SMALL = {
    "COAST": Small(900, 700, 9, 0.7),
    "VALLEY": Small(500, 0, 1, 9.8),
    "TOWN": Small(1400, 100, 13, 0.35),
    "FJORD": Small(600, 250, 7, 4.2),
}
SMALL_DAYS = [date(2020, 1, 1) + timedelta(days=n) for n in range(60)]
SMALL_YEARS = {2019: 0.8, 2020: 1.0, 2021: 1.2}  # inflow of each year, share of the usual one


class Neighbour(NamedTuple):
    """A zone of norway_neighbours: mean demand and mean wind, MW, phase of the wind, inflow, GWh a week."""

    demand_mw: float
    wind_mw: float
    phase: float
    inflow: float


NEIGHBOURS = {
    "SE1": Neighbour(20, 10, 0.0, 18),
    "SE2": Neighbour(20, 20, 0.3, 40),
    "SE3": Neighbour(450, 100, 0.9, 0),
    "DK1": Neighbour(450, 350, 1.6, 0),
    "NL": Neighbour(300, 60, 2.3, 0),
    "DE": Neighbour(450, 330, 1.9, 0),
    "GB": Neighbour(480, 220, 3.0, 0),
    "FI": Neighbour(40, 10, 5.0, 0),
}
NEIGHBOUR_DAYS = [date(2018, 1, 1) + timedelta(days=n) for n in range(730)]
NEIGHBOUR_YEARS = range(2016, 2023)


def small_demand(zone: Small, n: int) -> float:
    """Demand of day n (0 is Wednesday 1 January 2020): a slow swell and lower weekends."""
    weekend = (n + 2) % 7 >= 5
    return round(zone.demand * (1 + 0.1 * cos(2 * pi * n / 60)) * (0.85 if weekend else 1), 1)


def small_wind(zone: Small, n: int) -> float:
    """Wind of day n: a wave between calm and full."""
    return round(zone.wind * (0.5 - 0.5 * cos(2 * pi * n / zone.period_days)), 1)


def neighbour_demand(zone: Neighbour, n: int) -> int:
    """What the zone would take from Norway on day n (0 is Monday 1 January 2018), highest in the middle of January."""
    season = 1 + 0.25 * cos(2 * pi * (n - 15) / 365.25)
    weekday = (1, 1, 1, 1, 1, 0.92, 0.88)[n % 7]
    return round(HOURS * zone.demand_mw * season * weekday)


def neighbour_wind(zone: Neighbour, n: int) -> int:
    """Its own wind on day n that meets this demand first: two waves that never repeat within the period."""
    season = 1 + 0.3 * cos(2 * pi * (n - 15) / 365.25)
    weather = 0.7 * sin(2 * pi * n / 11.3 + zone.phase) + 0.4 * sin(2 * pi * n / 3.7 + 2 * zone.phase)
    return round(HOURS * zone.wind_mw * season * max(0.0, 1 + weather))


def melt(week: int) -> float:
    """Inflow of a week as a share of the mean week, highest in week 23."""
    return 1 + 0.8 * cos(2 * pi * (week - 23) / 53)


def write_zone(
    folder: Path,
    zone: str,
    days: list[date],
    demand: Callable[[int], float],
    wind: Callable[[int], float],
    inflow: dict[int, Callable[[int], float]],
) -> None:
    """Write the three files that every zone has."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = {
        "Consumption": ["Date,Daily_Consumption", *(f"{day},{demand(n)}" for n, day in enumerate(days))],
        "Wind_Production": ["Dato_Id,Produksjon [MWh]", *(f"{day},{wind(n)}" for n, day in enumerate(days))],
        "Effective_Inflow": [
            ",".join(["Iso-uke", *map(str, inflow)]),
            *(",".join([str(week), *(f"{of(week):.3f}" for of in inflow.values())]) for week in WEEKS),
        ],
    }
    for kind, rows in lines.items():
        (folder / f"{zone}_{kind}.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")


def make_inputs(target: Path = HERE) -> None:
    """Write all files below `target`."""
    folder = target / "small_losses" / "input"
    for name, small in SMALL.items():
        write_zone(
            folder,
            name,
            SMALL_DAYS,
            lambda n, z=small: small_demand(z, n),
            lambda n, z=small: small_wind(z, n),
            {year: lambda _week, z=small, s=share: z.inflow * s for year, share in SMALL_YEARS.items()},
        )
    levels = ["Uke,2019 %,2020 %", *(f"{week},80,{80 - 0.5 * week:g}" for week in range(1, 53))]
    (folder / "FJORD_Reservoir_Fill_Level.csv").write_text("\n".join([*levels, ""]), encoding="utf-8")
    folder = target / "norway_neighbours" / "input"
    for name, neighbour in NEIGHBOURS.items():
        write_zone(
            folder,
            name,
            NEIGHBOUR_DAYS,
            lambda n, z=neighbour: neighbour_demand(z, n),
            lambda n, z=neighbour: neighbour_wind(z, n),
            dict.fromkeys(NEIGHBOUR_YEARS, lambda week, z=neighbour: z.inflow * melt(week)),
        )


if __name__ == "__main__":
    make_inputs()
