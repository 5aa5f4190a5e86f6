"""The grid agent: what it takes, what it orders, what it still knows after a restart. Transformer limits are 12 kW."""

import pytest

from energy_sim.agents.audit.log import read_tail, verify_audit
from energy_sim.agents.grid import agent as grid_agent
from energy_sim.agents.grid import registry
from energy_sim.agents.grid.view import compact
from energy_sim.agents.messages import MOST_TOLD, Ack, Nameplate, RefusedError, Registration
from tests.agents.grid_world import NOON, World, report_json

HOME = {"load": (0.0, 12.0), "ev": (0.0, 11.0)}


def refused(world, name, raw):
    with pytest.raises(RefusedError) as found:
        world.grid.take(name, raw)
    return found.value.status, str(found.value)


def test_reports_that_cannot_be_true_are_refused_and_say_why(tmp_path):
    world = World(tmp_path)
    world.join("home_1", load=(0.0, 9.0))
    good = report_json("home_1", 5, "transformer_A", NOON, load=(2.0, 2.0, 1.0, 9.0))
    assert refused(world, "home_2", good)[0] == 404
    world.grid.take("home_1", good)
    assert refused(world, "home_1", good) == (409, "sequence: 5 is stale, the last one known is 5; go on above it")
    status, why = refused(world, "home_1", report_json("home_1", 6, "transformer_A", NOON, load=(2.0, 2.0, 0.0, 9.1)))
    assert (status, why) == (422, "home_1/load: 0 .. 9.1 kW is beyond its nameplate 0 .. 9; register again")
    strangers = {"ev": (0.0, 0.0, 0.0, 11.0)}
    assert (
        "home_1/ev: is not among"
        in refused(world, "home_1", report_json("home_1", 6, "transformer_A", NOON, **strangers))[1]
    )
    moved = report_json("home_1", 6, "transformer_B", NOON, load=(2.0, 2.0, 1.0, 9.0))
    assert "home at transformer_B is not home at transformer_A" in refused(world, "home_1", moved)[1]
    for raw in (b"", b"{", b"[]", b'{"agent_id": "home_1"}', good.replace(b"2.0", b"NaN"), b"\xff" * 9):
        assert refused(world, "home_1", raw)[0] == 422
    assert world.grid.seats.seat("home_1").lease.sequence == 5


def test_a_limit_is_stated_only_after_a_coordination_on_a_fresh_report(tmp_path):
    world = World(tmp_path)
    world.join("home_1", **HOME)
    world.report("home_1", 1, load=(2.0, 2.0, 1.0, 12.0))
    assert world.answer("home_1")["limit"] is None
    world.grid.coordinate()
    answer = world.answer("home_1")
    assert (answer["limit"], answer["cycle"], answer["sequence"]) == ({"kw": None, "duration_s": None}, 1, 1)
    world.clock.now = 16.0  # beyond the lease of 15 s: it was lost and comes back
    world.report("home_1", 2, load=(2.0, 2.0, 1.0, 12.0))
    assert world.answer("home_1")["limit"] is None
    world.grid.coordinate()
    assert world.answer("home_1")["limit"] is not None


def test_a_neighbour_helps_first_then_cars_are_curtailed_and_it_is_said_and_lifted(tmp_path):
    world = World(tmp_path, changes={"min_hold_s": 0.0})
    world.join("home_1", **HOME)
    world.join("home_3", "transformer_B", solar=(-8.0, 0.0))
    world.report("home_3", 1, "transformer_B", solar=(-3.0, -3.0, -3.0, 0.0))
    world.report("home_1", 1, load=(10.0, 10.0, 4.0, 10.0), ev=(11.0, 11.0, 0.0, 11.0))
    result = world.grid.coordinate()  # 21 kW wanted, 12 allowed: 3 from B's sun, 6 from the car
    assert [(t.source, t.target, t.kw) for t in result.plan.transfers] == [("transformer_B", "transformer_A", 3.0)]
    (event,) = world.answer("home_1")["events"]
    assert (event["resource_id"], event["power_kw"]) == ("home_1/ev", 5.0)
    view = compact(world.grid, 0, lambda _: "closed")
    a, b = view["transformers"]
    assert (a["before_kw"], a["help_kw"], a["after_kw"], a["shortfall_kw"], a["anomalies"]) == (
        21,
        3,
        12,
        0,
        ["overload"],
    )
    assert (b["help_kw"], b["after_kw"], view["ties"][0]["flow_kw"]) == (-3, 0, -3)
    assert {"join", "anomaly", "help", "curtail", "planner"} <= {e[2] for e in view["events"]}

    world.clock.now = 5.0
    world.report("home_1", 2, load=(1.0, 1.0, 0.5, 10.0), ev=(5.0, 8.0, 0.0, 11.0))
    done = world.grid.coordinate()
    assert ([o.resource_id for o in done.cancelled], world.answer("home_1")["events"]) == (["home_1/ev"], [])
    last = view["events"][-1][0]
    assert [e[2] for e in compact(world.grid, last, lambda _: "closed")["events"]].count("restore") == 1
    world.grid.save()
    actions = [(e.action, e.subject) for e in read_tail(world.grid.audit.path, 50)]
    assert ("order", "home_1/ev") in actions
    assert ("release", "home_1/ev") in actions
    assert verify_audit(world.grid.audit.path) == ()


def test_a_restarted_grid_agent_knows_its_agents_releases_nobody_and_refuses_old_sequences(tmp_path):
    world = World(tmp_path)
    token = world.join("home_1", **HOME).token
    world.join("home_2", **HOME)
    for name in ("home_1", "home_2"):
        world.report(name, 7, load=(6.0, 6.0, 2.0, 12.0), ev=(11.0, 11.0, 0.0, 11.0))
    orders = world.grid.coordinate().orders
    assert {o.resource_id for o in orders} >= {"home_1/ev", "home_2/ev"}
    world.grid.save()
    told = world.answer("home_1")["events"]
    world.engine.dispose()

    world.clock.now = 10.0
    again = World(tmp_path, clock=world.clock)
    assert {s.lease.id: again.grid.seats.state(s) for s in again.grid.seats} == {"home_1": "late", "home_2": "late"}
    assert again.answer("home_1")["events"] == told
    assert again.grid.cycle == 1
    assert refused(again, "home_1", report_json("home_1", 7, "transformer_A", NOON, load=(0, 0, 0, 1)))[0] == 409
    assert again.grid.coordinate().orders == orders  # nobody is heard yet, so nobody is released
    again.report("home_1", 8, load=(6.0, 6.0, 2.0, 12.0), ev=(0.0, 11.0, 0.0, 11.0))
    assert again.join("home_1", **HOME).token == token
    assert again.answer("home_1")["events"] == told
    assert again.grid.cycle == 2
    again.grid.save()
    assert verify_audit(again.grid.audit.path) == ()
    assert read_tail(again.grid.audit.path, 1)[0].cycle == 2


def test_a_lost_agent_counts_with_its_forecast_and_a_gone_one_not_at_all(tmp_path):
    world = World(tmp_path)
    world.join("home_1", load=(0.0, 6.0))
    raw = report_json("home_1", 1, "transformer_A", NOON, forecast=(5.0,), load=(2.0, 2.0, 1.0, 6.0))
    world.grid.take("home_1", raw)
    world.clock.now = 60.0  # lost; an hour of simulated time: 0.2 + 0.5 * sqrt(1) kW, held at its nameplate of 6 kW
    result = world.grid.coordinate()
    assert (result.situation.expected_kw[0], result.situation.uncertainty_kw[0]) == pytest.approx((5.0, 0.7))
    assert result.plan.before_kw[0] == pytest.approx(5.7)
    world.clock.now = 151.0
    assert world.grid.coordinate().plan.before_kw[0] == 0.0
    assert [a["state"] for a in compact(world.grid, 0, lambda _: "open")["agents"]] == ["gone"]


def test_a_resource_that_draws_more_than_its_order_twice_is_a_fault_and_others_are_curtailed(tmp_path):
    world = World(tmp_path, changes={"min_hold_s": 0.0})
    world.join("liar", **HOME)
    world.join("honest", **HOME)
    for sequence in range(1, 5):
        world.report("liar", sequence, ev=(11.0, 11.0, 0.0, 11.0))
        world.answer("liar")
        world.report("honest", sequence, load=(8.0, 8.0, 0.0, 12.0))
        world.answer("honest")
        result = world.grid.coordinate()
        world.clock.now += 5.0
    faults = [a for a in result.situation.reported["liar"] if a.kind == "device_fault"]
    assert [(a.where, a.value) for a in faults] == [("liar/ev", 11.0)]
    order = {o.resource_id: o.power_kw for o in result.orders}
    assert order["honest/load"] == pytest.approx(1.0)  # 12 kW less the 11 kW that nobody can stop
    assert result.plan.shortfall_kw[0] == pytest.approx(0.0, abs=1e-9)


def test_clocks_that_are_off_and_low_voltage_are_acted_on(tmp_path):
    world = World(tmp_path)
    world.join("home_1", **HOME)
    world.join("home_2", **HOME)
    low = {"kind": "voltage", "where": "home_2", "value": 0.93, "limit": 0.95, "unit": "pu", "deadband": 0.005}
    world.grid.take("home_1", report_json("home_1", 1, "transformer_A", NOON - 61, ev=(11.0, 11.0, 0.0, 11.0)))
    raw = report_json("home_2", 1, "transformer_A", NOON, anomalies=(low,), load=(5.0, 5.0, 1.0, 12.0))
    world.grid.take("home_2", raw)
    result = world.grid.coordinate()
    stale = result.situation.reported["home_1"]
    assert [(a.kind, a.value, a.limit) for a in stale] == [("stale_data", -61.0, 60.0)]
    assert result.situation.grid.transformers[0].limit_kw == pytest.approx(10.8)  # 10 % less while it lasts
    assert {o.resource_id for o in result.orders} == {"home_2/load"}  # 11 kW of home_1 are counted, not ordered
    assert result.plan.shortfall_kw[0] == pytest.approx(11.0 + 1.0 - 10.8)
    for _ in range(6):
        result = world.grid.coordinate()
    assert result.situation.grid.transformers[0].limit_kw == pytest.approx(6.0)


def test_a_cycle_of_a_thousand_homes_meets_both_limits_fairly(tmp_path):
    world = World(tmp_path)
    plates = {"load": (0.0, 12.0), "ev": (0.0, 11.0), "solar": (-9.0, 0.0), "battery": (-5.0, 5.0)}
    states = {
        "load": (1.0, 1.0, 0.4, 12.0),
        "ev": (3.0, 3.0, 0.0, 11.0),
        "solar": (-0.5, -0.5, -0.5, 0.0),
        "battery": (0.0, 0.0, -5.0, 5.0),
    }
    for n in range(1000):
        made = tuple(Nameplate(id=f"h{n}/{k}", kind=k, min_kw=low, max_kw=high) for k, (low, high) in plates.items())
        where = "transformer_B" if n % 2 else "transformer_A"
        world.grid.register(Registration(id=f"h{n}", role="home", transformer_id=where, nameplates=made))
        world.grid.take(f"h{n}", report_json(f"h{n}", 1, where, NOON, **states))
    first = world.grid.coordinate()
    assert len(first.situation.resources.ids) == 4000
    assert first.plan.after_kw == pytest.approx([12.0, 12.0])
    cut = first.plan.setpoint_kw.reshape(1000, 4)[:, 1]  # cars come first, and each gives the same
    assert cut.max() - cut.min() == pytest.approx(0.0, abs=1e-9)
    world.grid.save()
    assert verify_audit(world.grid.audit.path) == ()


def test_an_ordered_load_that_wants_less_by_itself_is_no_fault(tmp_path):
    world = World(tmp_path)
    world.join("home_1", load=(0.0, 20.0))
    for sequence, kw in ((1, 15.0), (2, 2.0), (3, 2.0), (4, 2.0)):  # ordered 12 kW; its own bound stays at 20 kW
        world.report("home_1", sequence, load=(kw, kw, 0.0, 20.0))
        world.answer("home_1")
        result = world.grid.coordinate()
    assert [(o.resource_id, o.power_kw) for o in result.orders] == [("home_1/load", 12.0)]
    assert result.situation.reported == {}


def test_an_agent_that_is_asked_and_registers_with_every_lease_does_not_come_back_each_time(tmp_path):
    world = World(tmp_path, kind="lock-step")
    for sequence in range(1, 5):
        world.join("liar", **HOME)
        stated = world.answer("liar")["limit"] is not None
        world.report("liar", sequence, ev=(11.0, 11.0, 0.0, 11.0), load=(5.0, 5.0, 5.0, 12.0))
        result = world.grid.coordinate()
        world.clock.now += 20.0  # longer than the lease of 15 s
    assert stated
    assert [a.where for a in result.situation.reported["liar"]] == ["liar/ev"]
    world.grid.save()
    assert [e.action for e in read_tail(world.grid.audit.path, 99)].count("register") == 1


def test_nobody_tells_of_the_faults_of_others(tmp_path):
    world = World(tmp_path)
    world.join("home_1", **HOME)
    for where in ("home_2/ev", "transformer_A", "home_1/ev", "home_1/\n"):
        fault = {"kind": "device_fault", "where": where, "value": 1, "limit": 0, "unit": "", "deadband": 0}
        raw = report_json("home_1", 1, "transformer_A", NOON, anomalies=(fault,), load=(1.0, 1.0, 0.4, 12.0))
        assert refused(world, "home_1", raw)[0] == 422


def test_a_sequence_at_its_end_begins_anew_with_a_registration(tmp_path):
    world = World(tmp_path)
    world.join("home_1", **HOME)
    world.report("home_1", MOST_TOLD, load=(2.0, 2.0, 1.0, 12.0))
    late = report_json("home_1", MOST_TOLD + 1, "transformer_A", NOON, load=(2.0, 2.0, 1.0, 12.0))
    assert refused(world, "home_1", late)[0] == 409
    assert world.join("home_1", **HOME).sequence == 0
    world.report("home_1", 1, load=(2.0, 2.0, 1.0, 12.0))


def test_the_audit_log_says_who_was_lost_came_back_was_at_fault_or_refused_an_order(tmp_path):
    world = World(tmp_path)
    world.join("home_1", **HOME)
    for sequence, now_s, off_s in ((1, 0.0, 0.0), (2, 5.0, 90.0), (3, 10.0, 0.0), (4, 60.0, 0.0)):
        if now_s == 60.0:
            world.clock.now = 50.0
            world.grid.coordinate()
        world.clock.now = now_s
        sent_at = world.clock.wall() + off_s
        world.grid.take("home_1", report_json("home_1", sequence, "transformer_A", sent_at, ev=(3.0, 3.0, 0.0, 11.0)))
        world.grid.coordinate()
    world.grid.save()
    said = [(e.action, e.subject, e.facts) for e in read_tail(world.grid.audit.path, 99)]
    assert [s[:2] for s in said if s[0] in {"state", "fault", "fault over"}] == [
        ("fault", "home_1"),
        ("fault over", "home_1"),
        ("state", "home_1"),
        ("state", "home_1"),
    ]
    assert [(s[2]["before"], s[2]["now"]) for s in said if s[0] == "state"] == [("heard", "lost"), ("lost", "heard")]


def test_an_order_that_is_refused_over_and_over_is_one_line_in_the_audit_log(tmp_path):
    world = World(tmp_path)
    world.join("home_1", **HOME)
    world.report("home_1", 1, load=(2.0, 2.0, 2.0, 12.0), ev=(11.0, 11.0, 0.0, 11.0))
    order = world.grid.coordinate().orders[0]
    no = Ack(event_id=order.id, resource_id="home_9/ev", state="rejected", reason="no\n1,grid,release")
    strange = no.model_copy(update={"event_id": "of nobody"})
    for _ in range(3):
        world.grid.acknowledge("home_1", (no, no.model_copy(update={"state": "accepted"}), strange))
    world.grid.save()
    said = [
        (e.subject, e.facts["state"], e.facts["why"])
        for e in read_tail(world.grid.audit.path, 9)
        if e.action == "refusal"
    ]
    assert said == [("home_1/ev", "rejected", "no 1,grid,release")]
    assert set(world.grid.seats.seat("home_1").acks) == {order.id}


def test_coordination_goes_on_and_leases_are_kept_while_the_audit_log_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(grid_agent, "MOST_WAITING", 2)
    world = World(tmp_path)
    world.join("home_1", **HOME)
    full = world.grid.audit.append_all

    def refuse(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.grid.audit, "append_all", refuse)
    world.report("home_1", 7, load=(2.0, 2.0, 2.0, 12.0), ev=(11.0, 11.0, 0.0, 11.0))
    assert world.grid.coordinate().plan.after_kw[0] == pytest.approx(12.0)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            world.grid.save()
    assert registry.read_leases(world.engine)["home_1"].sequence == 7
    told = [e[4] for e in world.grid.journal.since(0) if e[2] == "fault"]
    assert told == ["the audit log cannot be written: No space left on device"]
    monkeypatch.setattr(world.grid.audit, "append_all", full)
    world.grid.save()
    tail = read_tail(world.grid.audit.path, 3)
    assert [e.action for e in tail] == ["records lost", "coordinate", "order"]
    assert tail[0].facts == {"count": 2}  # of four: start and registration; the last two were kept
    assert verify_audit(world.grid.audit.path) == ()
