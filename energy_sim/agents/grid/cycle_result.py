"""What one cycle of the grid agent leaves behind."""

from dataclasses import dataclass

from energy_sim.agents.grid.situation import Situation
from energy_sim.agents.messages import Event
from energy_sim.agents.model import Plan
from energy_sim.agents.orders import Order


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What one cycle found and did. ``orders`` stand now, ``events`` are those that are new, ``cancelled`` released."""

    situation: Situation
    plan: Plan
    orders: tuple[Order, ...]
    events: tuple[Event, ...]
    cancelled: tuple[Order, ...]
    failed: dict[str, str]  # agent -> why it did not answer
    input_hash: str
    took_s: float

    @property
    def cycle(self) -> int:
        """Its number."""
        return self.situation.cycle
