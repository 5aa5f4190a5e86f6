"""What an agent that is not heard counts with, and whether a resource does what it was told.

A lost agent counts with its last forecast and an uncertainty that widens with the root of time, as the error of a
random walk does; never as zero.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from energy_sim.agents.model import Bools, Floats, Ints

AgentState = Literal["online", "late", "lost", "gone"]

ONLINE_INTERVALS = 1.5  # report intervals
GONE_LEASES = 10.0
UNCERTAIN_AT_ONCE_KW = 0.2
UNCERTAIN_PER_ROOT_HOUR_KW = 0.5
DISOBEYS_KW = 0.3
DISOBEYS_REPORTS = 2


@dataclass(frozen=True, slots=True)
class Estimate:
    """Net power of an agent; ``low_kw`` and ``high_kw`` are the ends of what is expected, inside its nameplate."""

    expected_kw: float
    uncertainty_kw: float
    low_kw: float
    high_kw: float


def agent_state(age_s: float, report_interval_s: float, lease_s: float) -> AgentState:
    """How an agent stands, by the wall time since its last report."""
    if age_s <= ONLINE_INTERVALS * report_interval_s:
        return "online"
    if age_s <= lease_s:
        return "late"
    return "lost" if age_s <= GONE_LEASES * lease_s else "gone"


def estimate(
    last_kw: float,
    forecast_kw: tuple[float, ...],
    forecast_step_s: float,
    age_s: float,
    import_kw: float = float("inf"),
    export_kw: float = float("inf"),
) -> Estimate:
    """What an agent draws that was last heard ``age_s`` ago.

    Args:
        last_kw: net power of the last report; used when it had no forecast.
        forecast_kw: net power of the steps after the last report; its last value holds when it has run out.
        forecast_step_s: length of a step.
        age_s: simulated time since the last report, 0 or more.
        import_kw: the most the agent can draw by its nameplates, 0 or more.
        export_kw: the most it can feed in, 0 or more.

    Returns:
        The expected power, never outside the nameplate, and an uncertainty that does not lead above it.
    """
    age_s = max(age_s, 0.0)
    step = min(int(age_s // forecast_step_s), len(forecast_kw) - 1)
    expected = min(max(forecast_kw[step] if forecast_kw else last_kw, -export_kw), import_kw)
    spread = UNCERTAIN_AT_ONCE_KW + UNCERTAIN_PER_ROOT_HOUR_KW * sqrt(age_s / 3600.0)
    uncertainty = min(spread, import_kw - expected)
    return Estimate(expected, uncertainty, max(expected - spread, -export_kw), expected + uncertainty)


def disobeyed(
    power_kw: Floats, ordered_kw: Floats, wanted_kw: Floats, min_kw: Floats, max_kw: Floats, times: Ints
) -> tuple[Ints, Bools]:
    """Count reports in a row in which a resource does not do what it was told.

    An order to draw less is broken by drawing more, one to draw more (or feed in less) by drawing less; each is judged
    against what the resource says is possible now, so an empty battery is not at fault.

    Args:
        power_kw: (R,) drawn.
        ordered_kw: (R,) the standing order that the report already knows of, NaN without one.
        wanted_kw: (R,) without any order.
        min_kw: (R,) the least possible now.
        max_kw: (R,) the most possible now.
        times: (R,) reports in a row so far.

    Returns:
        The new count, 0 where the order is obeyed or there is none, and whether it makes a device fault (2 in a row).
    """
    told = ~np.isnan(ordered_kw)
    possible_kw = np.clip(np.where(told, ordered_kw, power_kw), min_kw, np.maximum(max_kw, min_kw))
    upwards = told & (ordered_kw > wanted_kw)
    broken_kw = np.where(upwards, possible_kw - power_kw, power_kw - possible_kw)
    count = np.where(told & (broken_kw > DISOBEYS_KW), times + 1, 0)
    return count, count >= DISOBEYS_REPORTS
