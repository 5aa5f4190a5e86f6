"""What must hold for any messages, any homes and any grid."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from energy_sim.agents.coordination import plan
from energy_sim.agents.failsafe import Heartbeat, Limit, Rules, State, allowed_kw, step
from energy_sim.agents.merit_order import allocate
from energy_sim.agents.model import BATTERY, EV, LOAD, SOLAR, Grid, Resources, Tie, Transformer
from energy_sim.agents.model import Rules as PlanRules
from energy_sim.agents.orders import Order, follow
from energy_sim.agents.transfers import shift_kw

FAILSAFE = Rules()
RULES = PlanRules()
NEAR = 1e-6

kw_or_none = st.one_of(st.none(), st.floats(0, 20))
messages = st.one_of(
    st.none(), st.just(Heartbeat()), st.builds(Limit, kw_or_none, st.one_of(st.none(), st.floats(1, 500)))
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 200), messages, st.booleans()), max_size=40))
def test_a_silent_home_never_draws_more_than_the_failsafe_and_asking_changes_nothing(played):
    asked, unasked, now_s, heard_s = State(), State(), 0.0, None
    for passed_s, message, between in played:
        if between:
            asked = step(asked, now_s + passed_s / 2, None, FAILSAFE)
        now_s += passed_s
        asked, unasked = step(asked, now_s, message, FAILSAFE), step(unasked, now_s, message, FAILSAFE)
        heard_s = now_s if isinstance(message, Heartbeat) else heard_s
        if heard_s is None or now_s - heard_s > FAILSAFE.heartbeat_timeout_s:
            assert allowed_kw(asked, FAILSAFE) == FAILSAFE.failsafe_kw
        assert allowed_kw(asked, FAILSAFE) == allowed_kw(unasked, FAILSAFE)
        assert step(asked, now_s, None, FAILSAFE) == asked
        assert step(asked, now_s, message, FAILSAFE) == asked


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30), st.floats(0, 1.3), st.sampled_from([1 / 720, 1 / 60, 1.0]))
def test_an_allocation_stays_in_its_rooms_meets_the_need_and_is_fair(seed, count, share, dt_h):
    rng = np.random.default_rng(seed)
    room = rng.uniform(0, 10, count) * (rng.random(count) > 0.2)
    tier, past = rng.integers(0, 3, count), np.round(rng.uniform(0, 2, count), 1)
    need = float(share * room.sum())
    take, shortfall = allocate(need, room, tier, past, dt_h)
    assert (take >= 0).all()
    assert (take <= room).all()
    assert shortfall >= 0
    assert take.sum() + shortfall == pytest.approx(need, abs=1e-9)
    assert shortfall <= 1e-9 or take.sum() == pytest.approx(room.sum(), abs=1e-9)
    for k in range(3):
        if (take[tier > k] > 1e-9).any():
            np.testing.assert_allclose(take[tier == k], room[tier == k], rtol=0, atol=1e-9)
        filling = (tier == k) & (take > 1e-9) & (take < room - 1e-9)
        untouched, full = (tier == k) & (take <= 1e-9) & (room > 1e-6), (tier == k) & (take >= room - 1e-9) & (room > 0)
        reached = past + take * dt_h
        if filling.any():
            assert np.ptp(reached[filling]) < 1e-8
            assert (past[untouched] >= reached[filling].max() - 1e-8).all()
            assert (reached[full] <= reached[filling].max() + 1e-8).all()


def random_case(seed: int, transformers: int, count: int) -> tuple[Grid, Resources, np.ndarray, np.ndarray, tuple]:
    rng = np.random.default_rng(seed)
    grid = Grid(
        tuple(Transformer(f"t{i}", rng.uniform(0, 15), rng.uniform(0, 15)) for i in range(transformers)),
        tuple(
            Tie(f"t{a}", f"t{b}", rng.uniform(0, 6))
            for a in range(transformers)
            for b in range(a)
            if rng.random() < 0.6
        ),
    )
    kind = rng.integers(0, 4, count)
    wanted = np.where(kind == SOLAR, -rng.uniform(0, 12, count), rng.uniform(0, 8, count))
    wanted = np.where(kind == BATTERY, rng.uniform(-2, 2, count), wanted)
    low = np.select([kind == SOLAR, kind == BATTERY], [wanted, -4.0], rng.uniform(0, 1, count) * wanted)
    high = np.select([kind == SOLAR, kind == BATTERY], [0.0, 4.0], wanted + 3)
    low, high = np.minimum(low, wanted), np.maximum(high, wanted)
    resources = Resources(
        ids=tuple(f"a{i}/r" for i in range(count)),
        agent=np.arange(count),
        transformer=rng.integers(0, transformers, count),
        kind=kind,
        wanted_kw=wanted,
        power_kw=rng.uniform(low, high),
        min_kw=low,
        max_kw=high,
        flexible=rng.random(count) > 0.2,
        may_discharge=rng.random(count) > 0.3,
        past_kwh=rng.uniform(0, 1, count),
    )
    base = rng.uniform(-6, 12, transformers)
    standing = tuple(
        Order(f"o{i}", f"a{i}/r", float(rng.uniform(low[i], high[i])), float(rng.choice([0.0, 90.0])))
        for i in np.flatnonzero(rng.random(count) < 0.3).tolist()
    )
    return grid, resources, base, base - rng.uniform(0, 3, transformers), standing


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 25), st.booleans(), st.booleans())
@example(
    seed=0, transformers=3, count=4, uncertain=True, had_orders=False
)  # a band of load that is wider than both limits together
def test_a_plan_keeps_every_bound_conserves_energy_and_meets_limits_or_says_by_how_much_not(
    seed, transformers, count, uncertain, had_orders
):
    grid, resources, base, base_low, standing = random_case(seed, transformers, count)
    standing = standing if had_orders else ()
    base_low = base_low if uncertain else base
    made = plan(grid, resources, base, RULES, standing, 100.0, base_low)
    changed = made.setpoint_kw - resources.wanted_kw
    # every set-point is possible now and moves only what may be moved
    assert (made.setpoint_kw >= resources.min_kw - NEAR).all()
    assert (made.setpoint_kw <= resources.max_kw + NEAR).all()
    assert not changed[~resources.flexible].any()
    assert (changed[(resources.kind == LOAD) | (resources.kind == EV)] <= 0).all()
    assert (changed[resources.kind == SOLAR] >= 0).all()
    drained = (resources.kind == BATTERY) & ~resources.may_discharge & (changed < 0)
    assert (made.setpoint_kw[drained] >= -NEAR).all()
    # energy: what is gone is what was curtailed
    assert made.before_kw.sum() + changed.sum() == pytest.approx(made.after_kw.sum(), abs=1e-9)
    # limits, and a shortfall only where nothing is left
    at = resources.transformer
    counted = np.bincount(at, weights=resources.counted_kw, minlength=transformers)
    shift = shift_kw(grid, made.transfers)
    moved = shift + np.bincount(at, weights=changed, minlength=transformers)
    upper, lower = counted + base + moved, counted + base_low + moved
    low_kw, high_kw = resources.reach_kw(np.ones(count, dtype=bool))
    for i, t in enumerate(grid.transformers):
        over, under = upper[i] - t.limit_kw, -t.export_limit_kw - lower[i]
        short, rows = made.shortfall_kw[i], at == i
        assert max(made.after_kw[i] - t.limit_kw, -t.export_limit_kw - made.after_kw[i]) <= short + NEAR
        if over > NEAR:
            assert over == pytest.approx(short, abs=NEAR)
            np.testing.assert_allclose(made.setpoint_kw[rows], low_kw[rows], rtol=0, atol=NEAR)
        elif under > NEAR and not uncertain:
            assert under == pytest.approx(short, abs=NEAR)
            np.testing.assert_allclose(made.setpoint_kw[rows], high_kw[rows], rtol=0, atol=NEAR)
        # help: a giver feeds in what it gives, a taker stays inside its export limit
        start_high, start_low = counted[i] + base[i], counted[i] + base_low[i]
        if shift[i] > NEAR and start_low >= -t.export_limit_kw:
            assert start_high + shift[i] <= NEAR
        if shift[i] < -NEAR and start_high <= t.limit_kw:
            assert start_low + shift[i] >= -t.export_limit_kw - NEAR
    for transfer in made.transfers:
        ends = {transfer.source, transfer.target}
        assert any({tie.a, tie.b} == ends and transfer.kw <= tie.limit_kw + NEAR for tie in grid.ties)
    # orders that follow from it ask for no less, and the same cycle again tells nothing new
    orders, events, _ = follow(standing, made, resources, 100.0, RULES)
    told = {order.resource_id: order.power_kw for order in orders}
    for i in np.flatnonzero((np.abs(changed) > NEAR) & resources.flexible).tolist():
        assert told[resources.ids[i]] == pytest.approx(made.setpoint_kw[i], abs=RULES.relax_kw)
        assert (told[resources.ids[i]] - made.setpoint_kw[i]) * np.sign(changed[i]) >= -NEAR
    assert len(events) <= len(orders)
    assert follow(orders, made, resources, 100.0, RULES)[1:] == ((), ())
