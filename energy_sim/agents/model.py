"""Records the pure core of the agents room works on: arrays over resources (R,) and transformers (T,).

Power in kW, consumption positive (solar is 0 or less, a feeding transformer negative); energy in kWh; times in
seconds. Up is more load, down is less.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from energy_sim.agents.messages import Kind
from energy_sim.errors import ConfigError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

KINDS: tuple[Kind, ...] = ("load", "ev", "battery", "solar")  # a kind's code is its place here
LOAD, EV, BATTERY, SOLAR = range(4)
SMALL_KW = 1e-6  # less than this is rounding, not power


@dataclass(frozen=True, slots=True)
class Transformer:
    """A transformer that may carry ``limit_kw`` to its homes and ``export_limit_kw`` back, both 0 or more."""

    id: str
    limit_kw: float
    export_limit_kw: float


@dataclass(frozen=True, slots=True)
class Tie:
    """A lossless line between two transformers, usable both ways."""

    a: str
    b: str
    limit_kw: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Transformers (their order is the order of every array (T,)) and the ties between them."""

    transformers: tuple[Transformer, ...]
    ties: tuple[Tie, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be planned on.

        Raises:
            ConfigError: an id is there twice, a limit is below 0 or not finite, a tie has an unknown or the same end.
        """
        problems = []
        known = {t.id for t in self.transformers}
        if len(known) < len(self.transformers):
            problems.append("agents.transformers: an id is there twice; name each transformer once")
        for t in self.transformers:
            for name, value in (("limit_kw", t.limit_kw), ("export_limit_kw", t.export_limit_kw)):
                if not 0 <= value < float("inf"):
                    problems.append(f"agents.transformers.{t.id}.{name}: {value:g} is no limit; give 0 kW or more")
        for k, tie in enumerate(self.ties):
            if tie.a == tie.b or tie.a not in known or tie.b not in known:
                names = ", ".join(sorted(known))
                problems.append(f"agents.ties.{k}: {tie.a} to {tie.b} joins no two transformers; known are {names}")
            if not 0 <= tie.limit_kw < float("inf"):
                problems.append(f"agents.ties.{k}.limit_kw: {tie.limit_kw:g} is no limit; give 0 kW or more")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def index(self) -> dict[str, int]:
        """The place of each transformer id."""
        return {t.id: i for i, t in enumerate(self.transformers)}

    @property
    def limit_kw(self) -> Floats:
        """(T,) the most each transformer may carry to its homes."""
        return np.array([t.limit_kw for t in self.transformers], dtype=np.float64)

    @property
    def export_limit_kw(self) -> Floats:
        """(T,) the most each transformer may feed back, 0 or more."""
        return np.array([t.export_limit_kw for t in self.transformers], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that reports, one row each.

    ``agent``, ``transformer``: (R,) indices; ``kind``: (R,) codes of ``KINDS``. ``wanted_kw`` is what a resource would
    draw without any order, ``power_kw`` what it draws, ``min_kw .. max_kw`` what an order could make of it now.
    A row that is not ``flexible`` is counted with ``power_kw`` and never ordered; a battery that may not discharge is
    not pushed below 0. ``past_kwh`` is energy curtailed so far, for fairness.
    """

    ids: tuple[str, ...]
    agent: Ints
    transformer: Ints
    kind: Ints
    wanted_kw: Floats
    power_kw: Floats
    min_kw: Floats
    max_kw: Floats
    flexible: Bools
    may_discharge: Bools
    past_kwh: Floats

    @property
    def index(self) -> dict[str, int]:
        """The row of each resource id."""
        return {name: i for i, name in enumerate(self.ids)}

    @property
    def counted_kw(self) -> Floats:
        """(R,) what each row counts with before any order: wanted where flexible, else drawn."""
        return np.where(self.flexible, self.wanted_kw, self.power_kw)

    def reach_kw(self, ordered: Bools) -> tuple[Floats, Floats]:
        """The least and the most an order can make of each row, (R,) each; both equal ``wanted_kw`` where nothing can.

        Orders to loads and cars bound consumption, so they only lower it; orders to solar bound feeding in, so they
        only raise; a battery follows a set-point both ways.

        Args:
            ordered: (R,) rows whose kind the merit order names.
        """
        wanted = self.wanted_kw
        may = self.flexible & ordered
        battery = self.kind == BATTERY
        floor = np.where(battery & ~self.may_discharge, np.maximum(self.min_kw, np.minimum(wanted, 0.0)), self.min_kw)
        low = np.where(may & (self.kind != SOLAR), np.minimum(floor, wanted), wanted)
        high = np.where(may & (battery | (self.kind == SOLAR)), np.maximum(self.max_kw, wanted), wanted)
        return low, high


@dataclass(frozen=True, slots=True)
class Transfer:
    """Power over one tie: the load of ``source`` grows by ``kw``, that of ``target`` shrinks by it."""

    source: str
    target: str
    kw: float
    cause: str  # overload | underload: what it relieves


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cycle decides.

    ``setpoint_kw``: (R,) the order of each resource, ``wanted_kw`` where there is none. ``before_kw``, ``after_kw``:
    (T,) load without any order and with all of them; it is the upper end of uncertain load, and the lower end where
    only that breaks the export limit. ``shortfall_kw``: (T,) by how much a limit is still broken. ``held_kw``: (R,)
    what orders that may not be released yet ask for, ``wanted_kw`` elsewhere. ``cost`` counts changes by tier.
    """

    setpoint_kw: Floats
    transfers: tuple[Transfer, ...]
    before_kw: Floats
    after_kw: Floats
    shortfall_kw: Floats
    held_kw: Floats
    planner: str = "merit order"  # merit order | linear programme | language model
    validation: str = ""
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How the grid agent plans.

    ``merit_order`` names kinds, the first is curtailed first; cars come right before loads unless named, a kind left
    out is never ordered. ``tier_costs`` are the costs of 1 kW of change in each tier, rising. ``min_hold_s`` is
    simulated time an order stands at least; ``restore_deadband_kw`` is how far the load must be below its limit
    before an order is released; an order is not relaxed by less than ``relax_kw``. What
    some gave more than others is evened out over ``fair_h`` hours: at once, a cut would swing from one to the other.
    """

    merit_order: tuple[str, ...] = ("load", "solar", "battery")
    tier_costs: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0)
    min_hold_s: float = 60.0
    restore_deadband_kw: float = 0.5
    relax_kw: float = 0.05
    fair_h: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an order of kinds that cannot be followed.

        Raises:
            ConfigError: a kind is unknown or named twice, costs do not rise or are too few, a time is below 0.
        """
        if len(set(self.merit_order)) < len(self.merit_order) or not set(self.merit_order) <= set(KINDS):
            given, known = ", ".join(self.merit_order), ", ".join(KINDS)
            raise ConfigError(f"agents.merit_order: {given} is no order; name each of {known} at most once")
        costs = (0.0, *self.tier_costs)
        if len(self.tier_costs) < len(KINDS) or any(b <= a for a, b in pairwise(costs)):
            raise ConfigError(
                f"agents.tier_costs: {self.tier_costs} do not rise from above 0; give {len(KINDS)} of them"
            )
        if not (self.min_hold_s >= 0 and self.restore_deadband_kw >= 0 and self.relax_kw >= 0 and self.fair_h > 0):
            raise ConfigError("agents: min_hold_s, restore_deadband_kw and relax_kw are 0 or more, fair_h above 0 h")

    @property
    def tiers(self) -> tuple[str, ...]:
        """Kinds in the order in which they are curtailed."""
        if "ev" in self.merit_order or "load" not in self.merit_order:
            return self.merit_order
        at = self.merit_order.index("load")
        return (*self.merit_order[:at], "ev", *self.merit_order[at:])

    def tier(self, kind: Ints) -> Ints:
        """The tier of each row, -1 where its kind is never ordered."""
        tiers = self.tiers
        of_kind = np.array([tiers.index(k) if k in tiers else -1 for k in KINDS], dtype=np.int64)
        found: Ints = of_kind[kind]
        return found

    def cost(self, resources: Resources, setpoint_kw: Floats) -> float:
        """What a plan costs: the cost of the tier times the change, summed."""
        costs = np.array([*self.tier_costs[: len(KINDS)], 0.0])  # tier -1 is the last entry
        return float(costs[self.tier(resources.kind)] @ np.abs(setpoint_kw - resources.wanted_kw))


def scaled(grid: Grid, limit_share: Floats, export_share: Floats) -> Grid:
    """The grid with the limits of its transformers times these shares, (T,) each."""
    changed = tuple(
        replace(t, limit_kw=t.limit_kw * float(a), export_limit_kw=t.export_limit_kw * float(b))
        for t, a, b in zip(grid.transformers, limit_share, export_share, strict=True)
    )
    return Grid(changed, grid.ties)
