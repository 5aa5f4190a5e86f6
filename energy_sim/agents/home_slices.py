"""Some of many homes: parts of the arrays, and one home's resources as they are reported."""

from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from energy_sim.agents.homes import BATTERY, KINDS, Flows, Homes
from energy_sim.agents.messages import ResourceState

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


def in_watts(flows: Flows) -> Flows:
    """Powers in whole milliwatts, without a negative zero, for shorter messages; order among them is kept."""
    return Flows(**{f.name: np.round(getattr(flows, f.name), 6) + 0.0 for f in fields(flows)})
