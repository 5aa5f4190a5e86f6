"""Orders that stand from one cycle to the next: what is new, what is replaced, what is released.

    standing, events, cancelled = follow(standing, plan, resources, now_s, rules)

The plan already holds what may not be released yet (coordination.plan is given the same standing orders), so here a
plan only becomes orders. Orders to resources that are not in the plan's reach (their agent is lost, or the device is
faulty) stand as they are: released they would draw more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from energy_sim.agents.messages import Event
from energy_sim.agents.model import BATTERY, SMALL_KW, SOLAR, Floats, Plan, Resources, Rules


@dataclass(frozen=True, slots=True)
class Order:
    """One standing order; ``since_s`` is simulated time at which it was given or last made stricter."""

    id: str
    resource_id: str
    power_kw: float
    since_s: float
    reason: str = ""


def follow(
    standing: tuple[Order, ...], plan: Plan, resources: Resources, now_s: float, rules: Rules
) -> tuple[tuple[Order, ...], tuple[Event, ...], tuple[str, ...]]:
    """Turn a plan into orders.

    A stricter set-point replaces an order at once and starts its minimum time again; one that is looser by less than
    ``rules.relax_kw`` leaves it, so that orders do not change with every report.

    Args:
        standing: orders of the cycle before, at most one a resource.
        plan: made with these standing orders.
        resources: what the plan was made for.
        now_s: simulated time.
        rules: deadbands.

    Returns:
        Orders that stand now, events of those that are new or changed (each says what it supersedes), ids of those
        that are released.
    """
    before = {order.resource_id: order for order in standing}
    change_kw = plan.setpoint_kw - resources.wanted_kw
    ordered = np.flatnonzero(resources.flexible & (np.abs(change_kw) > SMALL_KW))
    now: dict[str, Order] = {}
    events: list[Event] = []
    for row in ordered.tolist():
        name, power_kw = resources.ids[row], float(plan.setpoint_kw[row])
        old = before.get(name)
        down = bool(change_kw[row] < 0)
        if old is not None:
            stricter_kw = (old.power_kw - power_kw) if down else (power_kw - old.power_kw)
            same_way = (old.power_kw < resources.wanted_kw[row]) if down else (old.power_kw > resources.wanted_kw[row])
            if same_way and -rules.relax_kw < stricter_kw <= SMALL_KW:
                now[name] = old
                continue
            since_s = old.since_s if same_way and stricter_kw <= SMALL_KW else now_s
        else:
            since_s = now_s
        reason = (
            f"{'overload' if down else 'underload'}: {abs(float(change_kw[row])):.3f} kW {'less' if down else 'more'}"
        )
        order = Order(_id(name, power_kw, now_s, old), name, power_kw, since_s, reason)
        now[name] = order
        events.append(to_event(order, "" if old is None else old.id))
    released = []
    index = resources.index
    for order in standing:
        if order.resource_id in now:
            continue
        held_row = index.get(order.resource_id)
        if held_row is None or not resources.flexible[held_row] or _idle(order, resources, held_row, now_s, rules):
            now[order.resource_id] = order
        else:
            released.append(order.id)
    return tuple(now.values()), tuple(events), tuple(released)


def to_event(order: Order, supersedes: str = "") -> Event:
    """The order as an agent is told it."""
    return Event(
        id=order.id,
        resource_id=order.resource_id,
        power_kw=order.power_kw,
        supersedes=supersedes,
        reason=order.reason,
    )


def cancelling(order: Order) -> Event:
    """What tells an agent that an order is released."""
    return Event(resource_id=order.resource_id, power_kw=None, supersedes=order.id, reason="released")


def ordered_kw(standing: Iterable[Order], resources: Resources) -> Floats:
    """(R,) the power of the order that stands for each resource, NaN without one."""
    index = resources.index
    power_kw = np.full(len(resources.ids), np.nan)
    for order in standing:
        row = index.get(order.resource_id)
        if row is not None:
            power_kw[row] = order.power_kw
    return power_kw


def _idle(order: Order, resources: Resources, row: int, now_s: float, rules: Rules) -> bool:
    """Whether an order that may not be released yet asks for nothing now, as its resource wants less by itself."""
    asked_kw = order.power_kw - float(resources.wanted_kw[row])
    kind = int(resources.kind[row])
    idle = asked_kw <= SMALL_KW if kind == SOLAR else asked_kw >= -SMALL_KW
    if kind == BATTERY:
        idle = abs(asked_kw) <= SMALL_KW
    return idle and now_s - order.since_s < rules.min_hold_s


def _id(resource_id: str, power_kw: float, now_s: float, old: Order | None) -> str:
    """An id that only the very same order at the same moment has again."""
    told = f"{resource_id} {power_kw!r} {now_s!r} {'' if old is None else old.id}"
    return blake2b(told.encode(), digest_size=12).hexdigest()
