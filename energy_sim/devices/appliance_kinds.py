"""The kinds of appliances a house can have, and how they are usually used.

The room sets the runs a week and the car's 25 kWh at 11 kW; all numbers are rounded. Sources:

* Energy of a run: EU labels of eco programmes (Regulations (EU) 2019/2017 and 2019/2014), a little more for the others.
* Hours: after the starting times in Stamminger et al., "Synergy Potential of Smart Domestic Appliances" (2009): dishes
  after meals, washing in the morning; cars are plugged in after work. Holidays thin dishes and washing in summer.
* Share of dishwashers and washing machines: Destatis, equipment of private households (2022). That of wallboxes and
  heat pumps is a street of the near future, our assumption.
* Cars: about a quarter more in frost, our rounding of winter tests.
* Heat pump: 13.3 MWh of heat at a seasonal performance factor of 3.1 (air source in existing buildings, Fraunhofer ISE,
  "WPsmart im Bestand", 2020) is 4.3 MWh a year, 50 runs of 1.65 kWh a week; a fifth for hot water, the rest by degree
  days (VDI 2067 sheet 1). The lower performance in frost is left out.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Appliance:
    """A kind of appliance; ``season`` (12 months) and ``hours`` (24 local hours) weigh its starts, in any scale.

    ``share`` is that of houses that own one. A run draws ``power_w`` evenly for ``duration_s``: the mean of the run.
    """

    name: str
    label: str
    power_w: float
    duration_s: float
    runs_per_week: float
    share: float
    season: tuple[float, ...]
    hours: tuple[float, ...]

    @property
    def energy_kwh(self) -> float:
        """Energy of one run in kWh."""
        return self.power_w * self.duration_s / 3.6e6


_HOLIDAYS = (1.03, 1.03, 1.02, 1.0, 1.0, 1.0, 0.94, 0.92, 1.0, 1.02, 1.02, 1.02)
_COLD_ROADS = (1.15, 1.13, 1.05, 0.97, 0.92, 0.9, 0.87, 0.87, 0.93, 1.0, 1.08, 1.13)
_DEGREE_DAYS = (170.0, 150.0, 130.0, 80.0, 40.0, 40 / 3, 40 / 3, 40 / 3, 30.0, 80.0, 120.0, 160.0)  # per mille
_HOT_WATER_SHARE = 0.2
_HEAT = tuple(_HOT_WATER_SHARE + (1 - _HOT_WATER_SHARE) * 12 * part / 1000 for part in _DEGREE_DAYS)

# six hours a line, from midnight
# fmt: off
_AFTER_MEALS = (
    0.4, 0.1, 0.1, 0.1, 0.1, 0.1,
    0.3, 0.8, 1.3, 1.2, 1.0, 0.8,
    1.0, 1.6, 1.5, 1.0, 0.8, 0.8,
    1.2, 2.0, 2.6, 2.4, 1.8, 1.0,
)
_MORNING = (
    0.1, 0.1, 0.1, 0.1, 0.1, 0.1,
    0.4, 1.2, 1.9, 2.2, 2.2, 1.9,
    1.5, 1.3, 1.2, 1.2, 1.3, 1.5,
    1.5, 1.2, 0.9, 0.6, 0.4, 0.2,
)
_AFTER_WORK = (
    0.3, 0.1, 0.1, 0.1, 0.1, 0.1,
    0.2, 0.4, 0.6, 0.6, 0.6, 0.7,
    0.9, 0.9, 1.0, 1.3, 2.0, 2.8,
    3.0, 2.5, 1.9, 1.4, 1.0, 0.6,
)
_AWAKE = (
    0.7, 0.7, 0.7, 0.7, 0.7, 1.1,
    1.4, 1.4, 1.2, 1.1, 1.0, 0.9,
    0.9, 0.9, 0.9, 1.0, 1.1, 1.2,
    1.3, 1.3, 1.2, 1.1, 0.9, 0.8,
)
# fmt: on

APPLIANCES: tuple[Appliance, ...] = (
    Appliance("dishwasher", "Dishwasher", 550.0, 7200.0, 3.5, 0.75, _HOLIDAYS, _AFTER_MEALS),
    Appliance("washing_machine", "Washing machine", 420.0, 6000.0, 2.5, 0.95, _HOLIDAYS, _MORNING),
    Appliance("ev", "EV wallbox", 11_000.0, 25 * 3600 / 11, 3.0, 0.3, _COLD_ROADS, _AFTER_WORK),
    Appliance("heat_pump", "Heat pump", 2200.0, 2700.0, 50.0, 0.3, _HEAT, _AWAKE),
)
NAMES: tuple[str, ...] = tuple(appliance.name for appliance in APPLIANCES)
