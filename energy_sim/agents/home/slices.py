"""Some of many homes: parts of the arrays, one home's resources as reported, and a step worked out for all at once."""

from collections.abc import Hashable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from energy_sim.agents.home.homes import Floats, Flows, Homes, HomesState
from energy_sim.agents.messages import ResourceState
from energy_sim.agents.model import BATTERY, KINDS

Arrays = TypeVar("Arrays")


class Slices:
    """Homes of one, made when they are asked for the first time."""

    def __init__(self, homes: Homes) -> None:
        """Of these."""
        self._homes = homes
        self._made: dict[int, Homes] = {}

    def of(self, i: int) -> Homes:
        """The home of a place by itself."""
        if i not in self._made:
            homes, one = self._homes, np.array([i])
            self._made[i] = Homes(
                (homes.ids[i],),
                (homes.roles[i],),
                (homes.transformers[i],),
                homes.has[one],
                homes.kwp[one],
                homes.draws[one],
                pick(homes.batteries, one),
            )
        return self._made[i]


@dataclass(frozen=True, slots=True)
class StepAhead:
    """A step of all homes, worked out when the first of them is asked; each takes its own while all is as was assumed.

    ``asked`` is what is the same for all of them: moment, length, scenario. ``before``, ``orders_kw`` and
    ``allowed_kw`` are what the step began with, ``left`` the homes that have not stepped since.
    """

    asked: Hashable
    before: HomesState
    orders_kw: Floats
    allowed_kw: Floats
    after: HomesState
    flows: Flows
    left: set[int]

    def fits(self, i: int, asked: Hashable, state: HomesState, orders_kw: Floats, allowed_kw: Floats) -> bool:
        """Whether this is the step of a home: from its state and under its orders now, both (H, ...) of all homes."""
        return bool(
            i in self.left
            and asked == self.asked
            and state.stored_kwh[i] == self.before.stored_kwh[i]
            and state.ev_kwh[i] == self.before.ev_kwh[i]
            and allowed_kw[i] == self.allowed_kw[i]
            and np.array_equal(orders_kw[i], self.orders_kw[i], equal_nan=True)
        )


def resource_states(homes: Homes, i: int, flows: Flows, soc: float | None) -> tuple[ResourceState, ...]:
    """Resources of a home for its report; valid by construction, so they are not checked again."""
    power, wanted = flows.power_kw[i].tolist(), flows.wanted_kw[i].tolist()
    low, high = flows.min_kw[i].tolist(), flows.max_kw[i].tolist()
    capacity = float(homes.batteries.capacity_kwh[i])
    return tuple(
        ResourceState.model_construct(
            id=homes.resource_id(i, k),
            kind=KINDS[k],
            power_kw=power[k],
            wanted_kw=wanted[k],
            min_kw=low[k],
            max_kw=high[k],
            soc=soc if k == BATTERY else None,
            capacity_kwh=capacity if k == BATTERY else None,
            fault=False,
        )
        for k, there in enumerate(homes.has[i].tolist())
        if there
    )


def pick(arrays: Arrays, which: NDArray[Any]) -> Arrays:
    """A dataclass of arrays for some of its entries."""
    kind: Any = type(arrays)
    return kind(**{f.name: getattr(arrays, f.name)[which] for f in fields(kind)})  # type: ignore[no-any-return]


def put(arrays: Any, which: NDArray[Any], part: Any) -> None:
    """Write some entries back, in place."""
    for f in fields(arrays):
        getattr(arrays, f.name)[which] = getattr(part, f.name)


def put_one(arrays: Any, i: int, source: Any) -> None:
    """Write the entry of one place back, in place, from arrays of all."""
    for name in arrays.__slots__:
        getattr(arrays, name)[i] = getattr(source, name)[i]


def in_watts(flows: Flows) -> Flows:
    """Powers in whole milliwatts, without a negative zero, for shorter messages; order among them is kept."""
    return Flows(**{f.name: np.round(getattr(flows, f.name), 6) + 0.0 for f in fields(flows)})
