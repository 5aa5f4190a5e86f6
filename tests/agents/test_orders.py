"""From one cycle to the next: what is told, what stands, what is released."""

from dataclasses import replace

import numpy as np

from energy_sim.agents.coordination import plan
from energy_sim.agents.model import Rules
from energy_sim.agents.orders import cancelling, follow, ordered_kw
from tests.agents.core_cases import make_grid, make_resources

RULES = Rules()
GRID = make_grid("A")


def cycle(resources, standing, now_s, rules=RULES):
    made = plan(GRID, resources, np.zeros(1), rules, standing, now_s)
    return follow(standing, made, resources, now_s, rules)


def homes(first_kw, second_kw=5.0, fixed=()):
    rows = [("a/load", 0, "load", first_kw, 0.0, 20.0), ("b/load", 0, "load", second_kw, second_kw, 20.0)]
    return make_resources(rows, fixed=fixed)


def test_a_new_order_is_told_once():
    standing, events, cancelled = cycle(homes(9.0), (), 100.0)
    assert [(o.resource_id, o.power_kw, o.since_s) for o in standing] == [("a/load", 7.0, 100.0)]
    assert [(e.id, e.power_kw, e.supersedes) for e in events] == [(standing[0].id, 7.0, "")]
    assert events[0].reason == "overload: 2.000 kW less"
    assert cancelled == ()
    assert cycle(homes(9.0), standing, 105.0) == (standing, (), ())


def test_a_stricter_order_supersedes_at_once_and_starts_its_time_again():
    first, _, _ = cycle(homes(9.0), (), 0.0)
    second, events, cancelled = cycle(homes(9.0, second_kw=6.0), first, 50.0)
    assert [(o.power_kw, o.since_s) for o in second] == [(6.0, 50.0)]
    assert (events[0].id, events[0].supersedes) == (second[0].id, first[0].id)
    assert second[0].id != first[0].id
    assert cancelled == ()


def test_an_order_is_not_relaxed_by_less_than_what_is_worth_telling():
    rules = replace(RULES, restore_deadband_kw=0.0)
    first, _, _ = cycle(homes(9.0), (), 0.0, rules)
    assert cycle(homes(9.0, second_kw=4.96), first, 60.0, rules) == (first, (), ())
    looser, events, _ = cycle(homes(9.0, second_kw=4.9), first, 60.0, rules)
    assert [(round(o.power_kw, 9), o.since_s) for o in looser] == [(7.1, 0.0)]
    assert len(events) == 1


def test_a_released_order_is_named_and_can_be_cancelled():
    first, _, _ = cycle(homes(9.0), (), 0.0)
    standing, events, cancelled = cycle(homes(6.0), first, 60.0)
    assert (standing, events, cancelled) == ((), (), (first[0].id,))
    event = cancelling(first[0])
    assert (event.resource_id, event.power_kw, event.supersedes) == ("a/load", None, first[0].id)


def test_an_order_that_asks_for_nothing_now_still_stands_for_its_time():
    first, _, _ = cycle(homes(9.0), (), 0.0)
    assert cycle(homes(3.0), first, 59.0) == (first, (), ())
    assert cycle(homes(3.0), first, 60.0)[2] == (first[0].id,)


def test_orders_of_lost_agents_and_faulty_devices_stand():
    first, _, _ = cycle(homes(9.0), (), 0.0)
    assert cycle(homes(2.0, fixed=["a/load"]), first, 600.0) == (first, (), ())
    others = make_resources([("b/load", 0, "load", 5.0, 5.0, 20.0)])
    assert cycle(others, first, 600.0) == (first, (), ())


def test_the_power_that_stands_is_nan_without_an_order():
    standing, _, _ = cycle(homes(9.0), (), 0.0)
    np.testing.assert_equal(ordered_kw(standing, homes(9.0)), [7.0, np.nan])
