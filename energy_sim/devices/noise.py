"""Reproducible noise as a function of time: any moment can be asked for, in any order, and gives the same numbers."""

import math
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

KEPT_KNOTS = 16  # 80 kB each for 10,000 houses


class Noise:
    """Standard normal numbers that drift over time, one per house, independent of each other.

    At whole multiples of ``every_s`` (the knots) the numbers are drawn afresh; between two knots a and b they are
    a cos(pi w / 2) + b sin(pi w / 2), w the share of the way, which keeps the variance at 1 at every moment. Numbers
    further apart than two knots are independent.

    >>> noise = Noise(seed=1, kind=7, count=3, every_s=60.0)
    >>> bool((noise.at(90.0)[:2] == Noise(1, 7, 2, 60.0).at(90.0)).all())
    True
    """

    def __init__(self, seed: int, kind: int, count: int, every_s: float) -> None:
        """Name the noise.

        Args:
            seed: of the street, 0 or above.
            kind: what the noise is for, a small constant, so that two purposes share no numbers.
            count: how many numbers a moment has; the first k do not depend on it.
            every_s: seconds between knots, above 0.
        """
        self.every_s = every_s
        self._knot = lru_cache(maxsize=KEPT_KNOTS)(partial(_draw_knot, seed, kind, count))

    def at(self, time_s: float) -> NDArray[np.float64]:
        """The numbers at a moment (POSIX seconds, 0 or above): (count,), mean 0, variance 1."""
        knot = math.floor(time_s / self.every_s)
        angle = (time_s / self.every_s - knot) * math.pi / 2
        return math.cos(angle) * self._knot(knot) + math.sin(angle) * self._knot(knot + 1)


def _draw_knot(seed: int, kind: int, count: int, knot: int) -> NDArray[np.float64]:
    values = np.random.default_rng([seed, kind, knot]).standard_normal(count)
    values.setflags(write=False)
    return values
