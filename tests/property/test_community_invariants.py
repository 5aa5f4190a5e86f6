"""What holds at every tick of any street: energy and money are neither made nor lost at the bus."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from energy_sim.clock import Event, settings_at
from energy_sim.community.live import open_community, session_parameters
from energy_sim.community.model import DAY_PARTS, PRICE_NAMES
from energy_sim.community.pipeline import frames
from energy_sim.config import load_config
from energy_sim.devices.appliances import NAMES
from tests.community.test_live import plain

DEFAULTS = load_config().community
PLACES = ("47.38,8.54", "59.9,10.7", "-35,150", "0,0", "66,25", "-66,-70")
ZONES = ("Europe/Zurich", "UTC", "Australia/Sydney", "America/St_Johns")
CLOSE_W = 1e-6

prices = st.one_of(st.just(0.0), st.floats(0, 1000))
scales = st.one_of(st.sampled_from([1.0, 60.0, 3600.0]), st.floats(1, 3600))
appliances = st.dictionaries(
    st.sampled_from(NAMES),
    st.fixed_dictionaries(
        {},
        optional={
            "power_w": st.floats(10_000, 100_000),  # of a run that takes hours, not weeks
            "energy_kwh": st.floats(0.01, 2.9),  # at the usual power too
            "runs_per_week": st.floats(0, 6.5),
        },
    ),
)
house_values = st.fixed_dictionaries(
    {},
    optional={
        "pv_kwp": st.floats(0, 100),
        "azimuth_deg": st.floats(0, 359),
        "tilt_deg": st.floats(0, 90),
        "base_load_kwh": st.floats(0, 100_000),
        "appliances": appliances,
    },
)


@st.composite
def streets(draw):
    """A street with own values, and events that it accepts."""
    count = draw(st.one_of(st.integers(1, 12), st.just(200)))
    day = draw(st.integers(0, 365 * 60))
    start = np.datetime64("2000-01-01T00:00:00") + np.timedelta64(86_400 * day + draw(st.integers(0, 86_399)), "s")
    live = open_community(
        session_parameters(
            DEFAULTS,
            {
                "houses": count,
                "seed": draw(st.integers(0, 2**63 - 1)),
                "place": draw(st.sampled_from(PLACES)),
                "timezone": draw(st.sampled_from(ZONES)),
                "start": str(start),
                "time_scale": draw(scales),
                "update_interval_ms": draw(st.integers(500, 2000)),
                "pv_variation": draw(st.sampled_from(["enabled", "disabled"])),
                "flex_load_probability": draw(st.floats(0, 1)),
                "house_values": draw(st.lists(house_values, max_size=min(count, 4))),
                **{name: draw(prices) for name in PRICE_NAMES},
            },
        )
    )
    return live, draw(st.lists(events_of(live), max_size=8).map(tuple))


def events_of(live):
    """Events of a street: any control with a value it accepts."""
    house = st.sampled_from(live.house_ids)
    owned = [
        f"start.{live.house_ids[i]}.{NAMES[a]}" for i, a in np.argwhere(live.houses.fleet.power_w[:20] > 0).tolist()
    ]
    changes = [
        st.tuples(st.just("time_scale"), scales),
        st.tuples(st.just("pv_variation"), st.sampled_from(["enabled", "disabled"])),
        st.tuples(st.just("flex_load_probability"), st.floats(0, 1)),
        st.tuples(st.sampled_from(PRICE_NAMES), prices),
        st.tuples(house.map("pv_kwp.{}".format), st.floats(0, 100)),
        st.tuples(house.map("base_load_kwh.{}".format), st.floats(0, 100_000)),
        *([st.tuples(st.sampled_from(owned), st.integers(1, 9))] * 2 if owned else []),
    ]
    change = st.one_of(changes).map(lambda pair: (pair[0], live.check(*pair)))
    return st.builds(lambda tick, seq, pair: Event(seq, tick, *pair), st.integers(0, 12), st.integers(1, 999), change)


@pytest.mark.slow
@settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(street=streets())
def test_at_every_tick_energy_and_money_balance(street):
    live, events = street
    check_ticks(live, list(frames(live, 14, events)), events)


def check_ticks(live, shown, events):
    sums = dict.fromkeys(("made", "used", "drawn", "given", "shared", "result"), 0.0)
    exported = imported = np.zeros(len(live.house_ids))
    sold = bought = exported
    for tick, frame in enumerate(shown):
        p, b, m = frame.powers, frame.bus, frame.meters
        close = {"rel": 0, "abs": CLOSE_W}
        # the bus
        assert b.grid_import_w - b.grid_export_w == pytest.approx(b.consumption_w - b.production_w, **close)
        assert b.production_w == pytest.approx(p.pv_w.sum(), **close)
        assert b.consumption_w == pytest.approx((p.base_w + p.flex_w).sum(), **close)
        assert b.net_w == pytest.approx(p.net_w.sum(), **close)
        assert b.net_w == pytest.approx(b.production_w - b.consumption_w, **close)
        assert min(b.grid_import_w, b.grid_export_w) == 0.0
        surplus, deficit = np.maximum(p.net_w, 0).sum(), np.maximum(-p.net_w, 0).sum()
        assert b.shared_w == pytest.approx(min(surplus, deficit), **close)
        assert b.shared_w + b.grid_export_w == pytest.approx(surplus, **close)
        assert b.shared_w + b.grid_import_w == pytest.approx(deficit, **close)
        # the houses
        assert p.net_w == pytest.approx(p.pv_w - p.base_w - p.flex_w, **close)
        assert p.flex_w == pytest.approx(p.appliance_w.sum(axis=1), **close)
        assert min(p.pv_w.min(), p.base_w.min(), p.appliance_w.min()) >= 0
        assert (p.appliance_w <= live.houses.fleet.power_w + 0.051).all()
        # the meters
        now, dt_h = settings_at(live.defaults(), events, tick), frame.dt_s / 3600
        assert frame.dt_s == pytest.approx(live.parameters.update_interval_ms * now["time_scale"] / 1000, abs=0.00051)
        gave, took = (np.maximum(sign * p.net_w, 0) * dt_h / 1000 for sign in (1, -1))
        exported, imported = exported + gave, imported + took
        sold = sold + gave * now["price_pv_delivery"]
        bought = bought + took * now["price_house_consumption"]
        sums["made"] += b.production_w * dt_h / 1000
        sums["used"] += b.consumption_w * dt_h / 1000
        sums["drawn"] += b.grid_import_w * dt_h / 1000
        sums["given"] += b.grid_export_w * dt_h / 1000
        sums["shared"] += b.shared_w * dt_h / 1000
        sums["result"] += (
            took.sum() * now["price_house_consumption"]
            - gave.sum() * now["price_pv_delivery"]
            + b.grid_export_w * dt_h / 1000 * now["price_grid_delivery"]
            - b.grid_import_w * dt_h / 1000 * now["price_grid_consumption"]
        )
        tight = {"rel": 1e-9, "abs": 1e-7}
        for metered, counted in (
            (m.export_kwh, exported),
            (m.import_kwh, imported),
            (m.sold_ct, sold),
            (m.bought_ct, bought),
        ):
            assert metered == pytest.approx(counted, **tight)
        street = (m.produced_kwh, m.consumed_kwh, m.grid_import_kwh, m.grid_export_kwh, m.shared_kwh)
        assert street == pytest.approx([*sums.values()][:5], **tight)
        assert m.result_ct == pytest.approx(sums["result"], rel=1e-7, abs=1e-3)
        houses, grid = m.export_kwh.sum() - m.import_kwh.sum(), m.grid_export_kwh - m.grid_import_kwh
        assert houses == pytest.approx(grid, rel=1e-9, abs=1e-6)
        months = frame.months
        assert sum(month.export_kwh for month in months) == pytest.approx(m.export_kwh, **tight)
        assert sum(month.grid_import_kwh for month in months) == pytest.approx(m.grid_import_kwh, rel=1e-9, abs=1e-6)
        # today
        day = dict(zip(DAY_PARTS, frame.day_kwh, strict=True))
        sources = day["own"] + day["shared"] + day["grid_import"]
        assert sources == pytest.approx(day["base_load"] + sum(day[name] for name in NAMES), rel=1e-9, abs=1e-6)
        assert min(day.values()) >= 0
    for before, after in pairwise(shown):
        assert after.time_s == pytest.approx(before.time_s + before.dt_s, abs=1e-6)
        assert (after.meters.import_kwh >= before.meters.import_kwh).all()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(street=streets(), ticks=st.sets(st.integers(0, 13), min_size=1))
def test_any_ticks_alone_and_from_a_stored_state_are_those_of_going_through(street, ticks):
    live, events = street
    shown = list(frames(live, 14, events))
    for tick, time_s, powers, bus in live.powers_at(events, sorted(ticks)):
        assert (time_s, plain(powers), bus) == (shown[tick].time_s, plain(shown[tick].powers), shown[tick].bus)
    state = live.start()
    for tick in range(14):
        text = live.encode(state)
        assert live.encode(live.decode(text)) == text
        state, frame = live.step(live.decode(text), tick, settings_at(live.defaults(), events, tick))
        assert plain(frame) == plain(shown[tick])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(street=streets(), more=st.integers(1, 30))
def test_further_houses_change_nothing_of_the_first(street, more):
    live, events = street
    longer = {**live.parameters.model_dump(mode="json"), "houses": live.parameters.houses + more}
    wide, count = open_community(longer), len(live.house_ids)
    assert wide.house_ids[:count] == live.house_ids
    for one, other in zip(frames(live, 14, events), frames(wide, 14, events), strict=True):
        for name in ("pv_w", "base_w", "appliance_w", "net_w"):
            assert getattr(other.powers, name)[:count].tolist() == getattr(one.powers, name).tolist()
        assert other.meters.sold_ct[:count].tolist() == one.meters.sold_ct.tolist()
