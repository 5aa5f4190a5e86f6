"""When something is outside its limit: typed anomalies with deadband and hysteresis, as pure functions.

What a home reports starts when a value is beyond its limit by more than the deadband and ends when it is inside the
limit again. What the grid agent finds at a transformer starts at the limit, where it also acts, and ends a deadband
inside it, where it also releases.
"""

from dataclasses import dataclass

import numpy as np

from energy_sim.agents.messages import Anomaly
from energy_sim.agents.model import Bools, Floats, Grid

VOLTAGE_STEP = 0.1  # share of a transformer's limit per cycle
VOLTAGE_FLOOR = 0.5

Active = frozenset[tuple[str, str]]  # (kind, where) of anomalies that stand


@dataclass(frozen=True, slots=True)
class HomeLimits:
    """Limits of a home; voltage after EN 50160 tightened to 5 %."""

    balance_kw: float = 1.0
    balance_deadband_kw: float = 0.2
    voltage_low_pu: float = 0.95
    voltage_high_pu: float = 1.05
    voltage_deadband_pu: float = 0.005
    soc_low: float = 0.15
    soc_deadband: float = 0.02


@dataclass(frozen=True, slots=True)
class HomeValues:
    """What a home measures: ``soc`` and ``faults`` name its resources, ``allowed_kw`` is its limit (None: none)."""

    net_kw: float
    voltage_pu: float
    soc: tuple[tuple[str, float], ...] = ()
    faults: tuple[str, ...] = ()
    allowed_kw: float | None = None


def crossed(value: float, limit: float, deadband: float, active: bool, below: bool = False) -> bool:
    """Whether a value is outside its limit, told that it was (``active``) or was not.

    >>> crossed(1.1, 1.0, 0.2, active=False), crossed(1.1, 1.0, 0.2, active=True)
    (False, True)
    """
    beyond = limit - value if below else value - limit
    return beyond > (0.0 if active else deadband)


def standing(anomalies: tuple[Anomaly, ...]) -> Active:
    """What the next check is told of these anomalies."""
    return frozenset((a.kind, a.where) for a in anomalies)


def check_home(where: str, now: HomeValues, before: Active, limits: HomeLimits) -> tuple[Anomaly, ...]:
    """The anomalies of an agent.

    Overload counts from the balance tolerance, or from what the agent is allowed where that is less.

    Args:
        where: the agent's id.
        now: what it measures.
        before: anomalies of the report before, from `standing`.
        limits: limits and deadbands.
    """
    found: list[Anomaly] = []
    most = limits.balance_kw if now.allowed_kw is None else min(limits.balance_kw, now.allowed_kw)
    band = limits.balance_deadband_kw
    if crossed(now.net_kw, most, band, ("overload", where) in before):
        found.append(Anomaly(kind="overload", where=where, value=now.net_kw, limit=most, unit="kW", deadband=band))
    least = -limits.balance_kw
    if crossed(now.net_kw, least, band, ("underload", where) in before, below=True):
        found.append(Anomaly(kind="underload", where=where, value=now.net_kw, limit=least, unit="kW", deadband=band))
    active, volts, band = ("voltage", where) in before, now.voltage_pu, limits.voltage_deadband_pu
    for limit, below in ((limits.voltage_low_pu, True), (limits.voltage_high_pu, False)):
        if crossed(volts, limit, band, active, below=below):
            found.append(Anomaly(kind="voltage", where=where, value=volts, limit=limit, unit="pu", deadband=band))
    least, band = limits.soc_low, limits.soc_deadband
    found += [
        Anomaly(kind="soc_low", where=name, value=soc, limit=least, unit="share", deadband=band)
        for name, soc in now.soc
        if crossed(soc, least, band, ("soc_low", name) in before, below=True)
    ]
    found += [Anomaly(kind="device_fault", where=name, value=1, limit=0, unit="", deadband=0) for name in now.faults]
    return tuple(found)


def check_grid(grid: Grid, high_kw: Floats, low_kw: Floats, before: Active, deadband_kw: float) -> tuple[Anomaly, ...]:
    """Overload and underload of transformers.

    Args:
        grid: transformers (T) with the limits in force.
        high_kw: (T,) expected load and uncertainty.
        low_kw: (T,) expected load less uncertainty.
        before: anomalies of the cycle before, from `standing`.
        deadband_kw: how far inside the limit an anomaly ends.
    """
    found: list[Anomaly] = []
    for t, high, low in zip(grid.transformers, high_kw.tolist(), low_kw.tolist(), strict=True):
        band = deadband_kw
        if high > t.limit_kw - (band if ("overload", t.id) in before else 0.0):
            found.append(Anomaly(kind="overload", where=t.id, value=high, limit=t.limit_kw, unit="kW", deadband=band))
        least = -t.export_limit_kw
        if low < least + (band if ("underload", t.id) in before else 0.0):
            found.append(Anomaly(kind="underload", where=t.id, value=low, limit=least, unit="kW", deadband=band))
    return tuple(found)


def check_skew(where: str, skew_s: float, max_skew_s: float) -> tuple[Anomaly, ...]:
    """Stale data: a report whose clock is ``skew_s`` off, either way, by more than ``max_skew_s``."""
    if abs(skew_s) <= max_skew_s:
        return ()
    return (Anomaly(kind="stale_data", where=where, value=skew_s, limit=max_skew_s, unit="s", deadband=0),)


def follow_voltage(share: Floats, reported: Bools) -> Floats:
    """(T,) the share of its limit a transformer may use while homes report a voltage: a step down a cycle, then back.

    Args:
        share: (T,) of the cycle before, 1 without any anomaly.
        reported: (T,) whether a voltage below (for the limit) or above (for the export limit) is reported.
    """
    return np.clip(share + np.where(reported, -VOLTAGE_STEP, VOLTAGE_STEP), VOLTAGE_FLOOR, 1.0)
