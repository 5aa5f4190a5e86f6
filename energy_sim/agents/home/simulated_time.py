"""Simulated time: what moment it is in the world of an agent, by the wall clock or cycle by cycle.

Usage::

    world = World("real", start_s=0.0, speed=60.0, step_s=60.0, began_s=clock())
    world.target_s(clock(), since_s=0.0)        # the moment up to which the physics must be brought
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from energy_sim.errors import ConfigError

ClockKind = Literal["real", "lock-step"]

LONGEST_STEP_S = 900.0  # of simulated time: the physics of a longer gap is worked out in pieces
MOST_PIECES = 96  # of a gap, a day; what is longer is skipped
LEAST_STEP_S = 1e-3


@dataclass(frozen=True, slots=True)
class World:
    """How wall time maps to simulated time: ``real`` runs ``speed`` simulated seconds a second, ``lock-step`` waits."""

    clock: ClockKind
    start_s: float
    speed: float
    step_s: float
    began_s: float

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: speed or step is not above 0.
        """
        for name in ("speed", "step_s"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ConfigError(f"agents.{name}: {value:g} is not above 0; give simulated seconds")

    def target_s(self, now_s: float, since_s: float) -> float:
        """The moment to bring the physics to: of the clock, or where it stands in lock-step.

        >>> World("real", 1000.0, 60.0, 60.0, began_s=5.0).target_s(7.0, since_s=1000.0)
        1120.0
        """
        if self.clock == "lock-step":
            return since_s
        return max(self.start_s + self.speed * (now_s - self.began_s), since_s)


def pieces(since_s: float, until_s: float) -> list[tuple[float, float]]:
    """A stretch of simulated time in steps (begin, seconds) of at most a quarter of an hour; empty where none passed.

    >>> pieces(0.0, 1200.0)
    [(0.0, 600.0), (600.0, 600.0)]
    """
    whole = min(until_s - since_s, MOST_PIECES * LONGEST_STEP_S)
    if whole < LEAST_STEP_S:
        return []
    count = max(1, -int(-whole // LONGEST_STEP_S))
    step = whole / count
    return [(until_s - whole + k * step, step) for k in range(count)]


def start_moment(start: str, timezone: str) -> float:
    """POSIX seconds of a local moment such as ``2026-07-08T11:30:00``.

    Raises:
        ConfigError: it is no moment.

    >>> start_moment("2026-07-08T11:30:00", "Europe/Zurich")
    1783503000.0
    """
    try:
        moment = datetime.fromisoformat(start)
    except ValueError as error:
        raise ConfigError(f"agents.start: {start!r} is no moment; give one such as 2026-07-08T11:30:00") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).timestamp()
