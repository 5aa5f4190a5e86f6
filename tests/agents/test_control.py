"""Brains of agents: heartbeats, standing orders, acknowledgements, cycles, silence."""

import numpy as np
import pytest

from energy_sim.agents.failsafe import Mode, Rules
from energy_sim.agents.home.homes import make_homes
from energy_sim.agents.home.local_agents import LocalAgents
from energy_sim.agents.home.simulated_time import World
from energy_sim.agents.home.surroundings import Village
from energy_sim.agents.messages import MOST_TOLD, Answer, Event, RefusedError, Report, SimulateRequest, StandingLimit

START_S = 1783503000.0


class Bench:
    """Two homes and a battery agent with a clock that a test moves."""

    def __init__(self, clock="lock-step", on_silence="failsafe"):
        self.now = 100.0
        ids = ("home_1", "home_2", "battery_agent_1")
        homes = make_homes(ids, ("transformer_A",) * 3, 1, ("home", "home", "battery"))
        village = Village(homes, (47.38, 8.54), "Europe/Zurich", 1)
        world = World(clock, START_S, 60.0, 60.0, self.now)
        self.agents = LocalAgents(
            homes, village, world, Rules(), on_silence, clock=lambda: self.now, wall=lambda: 1.7e9 + self.now
        )
        self.sequence = 0

    def answer(self, *events, limit=None, sequence=0):
        self.sequence += 1
        return Answer(cycle=0, sequence=sequence, sent_at=1.0, limit=limit, events=events)

    def cycle(self, *events, at=0, limit=None, **more):
        """A lock-step cycle with these standing orders; the report as it arrives."""
        request = SimulateRequest(answer=self.answer(*events, limit=limit), **more)
        return Report.model_validate_json(self.agents.simulate(at, request).model_dump_json())


def parts(report):
    return {r.kind: r for r in report.resources}


FREE = StandingLimit(kw=None)


def test_scenarios_set_solar_load_and_charge_and_report_the_anomaly_of_each():
    bench = Bench()
    said = {}
    for scenario, (solar, load, soc) in {1: (3, 1, 0.8), 2: (0.1, 3, 0.2), 3: (4, 1, 0.5), 4: (0.2, 3, 0.7)}.items():
        report = bench.cycle(scenario=scenario, limit=FREE)
        now = parts(report)
        assert now["solar"].power_kw == -solar
        assert now["load"].power_kw == load
        assert now["battery"].soc == pytest.approx(soc, abs=1e-4)
        assert report.net_kw == pytest.approx(load - solar, abs=1e-3)
        said[scenario] = [a.kind for a in report.anomalies]
        assert report.anomaly
    assert said == {1: ["underload"], 2: ["overload"], 3: ["underload"], 4: ["overload"]}
    held = bench.cycle(Event(id="e", resource_id="home_1/load", power_kw=2.0), scenario=2, limit=FREE)
    assert (parts(held)["load"].wanted_kw, parts(held)["load"].power_kw) == (3.0, 2.0)


def test_a_scenario_set_by_hand_is_there_when_the_grid_agent_asks_next_and_gone_in_the_cycle_after():
    bench = Bench()
    bench.agents.simulate(0, SimulateRequest(scenario=2))
    assert [parts(bench.cycle(cycle=n, limit=FREE))["load"].power_kw == 3.0 for n in (1, 2)] == [True, False]


def test_with_the_real_clock_a_scenario_holds_for_some_reports_obeys_orders_and_ends():
    bench = Bench("real")
    bench.agents.hear(0, bench.answer(limit=FREE))
    bench.agents.hear(0, bench.answer(limit=FREE))  # the first after a silence is a heartbeat alone
    bench.agents.simulate(0, SimulateRequest(scenario=4))
    for _ in range(2):
        bench.now += 5.0
        bench.agents.advance()
        now = parts(bench.agents.report(0))
        assert (now["load"].power_kw, now["solar"].power_kw, now["battery"].soc) == (3.0, -0.2, 0.7)
    assert parts(bench.agents.report(1))["load"].power_kw != 3.0  # nobody else plays it
    bench.agents.curtail(0, Event(resource_id="home_1/load", power_kw=2.0))
    bench.agents.advance()
    assert parts(bench.agents.report(0))["load"].power_kw == 2.0
    bench.now += 10.0
    bench.agents.advance()
    assert parts(bench.agents.report(0))["load"].wanted_kw != 3.0


def test_an_order_is_acknowledged_holds_at_once_and_ends_when_it_is_no_longer_in_the_answer():
    bench = Bench()
    bench.cycle(limit=FREE, ev_kwh=30.0)
    order = Event(id="e1", resource_id="home_1/ev", power_kw=3.0)
    report = bench.cycle(order, limit=FREE)
    assert parts(report)["ev"].power_kw == 3.0
    assert [(a.event_id, a.state) for a in report.acks] == [("e1", "accepted"), ("e1", "started")]
    assert bench.cycle(order).acks == ()
    report = bench.cycle()
    assert parts(report)["ev"].power_kw == 11.0
    assert [(a.state, a.reason) for a in report.acks] == [("completed", "cancelled")]
    charged = bench.agents.state.resource_kwh[0, 1]
    assert charged + bench.agents.state.ev_kwh[0] == pytest.approx(30.0)


def test_orders_judge_what_can_never_be_and_what_is_only_partly_possible():
    bench = Bench()
    bench.cycle(scenario=2, limit=FREE)
    with pytest.raises(RefusedError, match="there are home_1/load") as refused:
        bench.agents.curtail(0, Event(resource_id="home_1/boiler", power_kw=1.0))
    assert refused.value.status == 404
    for resource, kw in (("load", -1.0), ("load", 18.0), ("solar", 1.0), ("ev", 12.0), ("battery", 99.0)):
        with pytest.raises(RefusedError, match=r"outside .* kW") as refused:
            bench.agents.curtail(0, Event(resource_id=f"home_1/{resource}", power_kw=kw))
        assert refused.value.status == 422
    ack = bench.agents.curtail(0, Event(id="x", resource_id="home_1/load", power_kw=0.5))
    assert (ack.state, ack.power_kw) == ("partial", 1.2)
    assert bench.agents.curtail(0, Event(resource_id="home_1/solar", power_kw=-0.5)).state == "accepted"


def test_of_several_orders_the_lower_priority_number_holds_and_one_supersedes_another_by_name():
    bench = Bench()
    first = Event(id="a", resource_id="battery_agent_1/battery", power_kw=2.0, priority=3)
    second = Event(id="b", resource_id="battery_agent_1/battery", power_kw=-3.0, priority=7)

    def power(*events):
        return bench.cycle(*events, at=2, limit=FREE).net_kw

    assert power(first, second) == 2.0
    bench.agents.curtail(2, Event(id="c", resource_id="battery_agent_1/battery", power_kw=-1.0, supersedes="a"))
    assert bench.agents.simulate(2, SimulateRequest()).net_kw == -1.0  # priority 5 goes before 7
    brain = bench.agents.brains[2]
    assert set(brain.orders) == {"b", "c"}
    bench.agents.curtail(2, Event(resource_id="battery_agent_1/battery", power_kw=None))
    assert not brain.orders


def test_an_order_starts_and_ends_in_simulated_time():
    bench = Bench()
    order = Event(id="e", resource_id="battery_agent_1/battery", power_kw=4.0, start_s=START_S + 120, duration_s=120)
    powers = [bench.cycle(order, at=2, limit=FREE, time_s=START_S + 60 * (k + 1)).net_kw for k in range(6)]
    assert powers == [0, 0, 4, 4, 0, 0]


def test_a_cycle_that_was_asked_is_refused_until_the_grid_agent_began_anew():
    bench = Bench()
    before = bench.cycle(cycle=7)
    stored = bench.agents.state.stored_kwh.copy()
    with pytest.raises(RefusedError, match="not above 7") as refused:
        bench.cycle(cycle=7)
    assert refused.value.status == 409
    assert (bench.agents.state.stored_kwh == stored).all()
    assert bench.agents.simulate(0, SimulateRequest()).cycle == 8
    assert bench.cycle(cycle=8).cycle == 8  # one without a number takes none from those who count
    with pytest.raises(RefusedError, match="not above 8"):
        bench.cycle(cycle=8)
    bench.agents.brains[0].registered(cycle=0, sequence=500)
    assert bench.cycle(cycle=1).sequence == 501 > before.sequence


def test_a_host_works_out_a_cycle_once_for_all_its_homes_and_each_lives_as_it_would_alone(monkeypatch):
    def agents_of(ids):
        homes = make_homes(ids, ("transformer_A",) * len(ids), 1)
        village = Village(homes, (47.38, 8.54), "Europe/Zurich", 1)
        world = World("lock-step", START_S, 60.0, 60.0, 0.0)
        return LocalAgents(homes, village, world, Rules(), clock=lambda: 1.0, wall=lambda: START_S)

    stepped, worked_out = LocalAgents._stepped, []

    def counted(self, i, *rest):
        worked_out.append(i)
        return stepped(self, i, *rest)

    ids = tuple(f"home_{n}" for n in range(1, 6))
    host, alone = agents_of(ids), [agents_of((name,)) for name in ids]
    for agents in (host, *alone):
        for i in range(len(agents)):
            agents.hear(i, Answer(cycle=0, sequence=0, sent_at=1.0, limit=FREE))
    monkeypatch.setattr(LocalAgents, "_stepped", counted)
    less = Event(id="e", resource_id="home_2/load", power_kw=0.2)
    hold = Event(id="h", resource_id="home_4/battery", power_kw=-1.0)
    cycles = (  # what everybody is asked, standing orders in the answers, orders sent before, who steps by itself
        ({"scenario": 2}, {}, {}, []),
        ({}, {1: less}, {}, [1]),  # an order that comes with the answer: home_2 is worked out anew
        ({}, {1: less, 3: hold}, {3: hold}, []),  # what was sent before the cycle is known already
        ({"scenario": 3}, {3: hold}, {}, [1]),  # and one that is no longer in the answer
        ({}, {3: hold}, {}, []),
    )
    for cycle, (asked, standing, sent, by_itself) in enumerate(cycles, 1):
        for place, order in sent.items():
            assert host.curtail(place, order) == alone[place].curtail(0, order)
        told = []
        for i in range(5):
            events = (standing[i],) if i in standing else ()
            answer = Answer(cycle=cycle, sequence=0, sent_at=1.0, limit=FREE, events=events)
            moment = {"cycle": cycle, "time_s": START_S + 60.0 * cycle, "step_s": 60.0}
            told.append(SimulateRequest(answer=answer, **moment, **asked))
        worked_out.clear()
        reports = [host.simulate(i, told[i]).model_dump_json() for i in range(5)]
        assert worked_out == [None, *by_itself]
        assert reports == [alone[i].simulate(0, told[i]).model_dump_json() for i in range(5)]
        assert host.simulate(0, SimulateRequest(ev_kwh=9.0)) == alone[0].simulate(0, SimulateRequest(ev_kwh=9.0))
    for name in ("stored_kwh", "ev_kwh", "import_kwh", "resource_kwh", "curtailed_kwh"):
        lived = getattr(host.state, name)
        assert np.array_equal(lived, np.concatenate([getattr(one.state, name) for one in alone])), name


def test_a_silent_grid_agent_means_failsafe_and_a_heartbeat_with_a_limit_ends_it():
    bench = Bench(clock="real")
    agents = bench.agents
    agents.hear(0, bench.answer(Event(id="s", resource_id="home_1/ev", power_kw=9.0), limit=FREE))
    agents.state.ev_kwh[0] = 1000.0
    agents.state.stored_kwh[:] = agents.homes.batteries.soc_min_kwh
    bench.now += 5
    agents.advance()
    assert parts(agents.status(0))["ev"].power_kw == 9.0
    bench.now += 116  # 121 s without a heartbeat
    agents.advance()
    report = agents.status(0)
    assert (report.mode, report.limit_kw) == (Mode.FAILSAFE, 4.2)
    assert report.net_kw <= 4.2 + 1e-5
    assert parts(report)["ev"].wanted_kw == 11.0
    assert [a.reason for a in agents.report(0).acks if a.state == "completed"] == ["no heartbeat"]
    agents.hear(0, bench.answer())
    assert agents.status(0).mode is Mode.FAILSAFE  # a heartbeat alone is not enough
    bench.now += 1
    agents.hear(0, bench.answer(limit=StandingLimit(kw=7.0)))
    agents.advance()
    assert (agents.status(0).mode, agents.status(0).limit_kw) == (Mode.LIMITED, 7.0)


def test_a_schedule_is_kept_through_silence_for_three_timeouts_or_until_it_ends():
    for duration_s, kept_until_s in ((None, 360), (3600.0, 120)):  # 3,600 s of simulated time are a minute
        bench = Bench(clock="real", on_silence="schedule_then_failsafe")
        order = Event(id="s", resource_id="home_1/ev", power_kw=6.0, duration_s=duration_s)
        bench.agents.hear(0, bench.answer(order, limit=FREE))
        modes = {}
        for second in (115, 125, 355, 365):
            bench.now = 100.0 + second
            bench.agents.advance()
            bench.agents.advance()
            modes[second] = bench.agents.status(0).mode
        assert {s for s, mode in modes.items() if mode is Mode.UNLIMITED} == {s for s in modes if s < kept_until_s}
        assert modes[365] is Mode.FAILSAFE


def test_real_time_moves_all_agents_and_status_moves_nothing():
    bench = Bench(clock="real")
    bench.now += 2.5
    bench.agents.advance()
    assert np.allclose(bench.agents.state.time_s, START_S + 150)
    counters = bench.agents.state.import_kwh.copy()
    assert bench.agents.status(1) == bench.agents.status(1)
    bench.agents.advance()
    assert (bench.agents.state.import_kwh == counters).all()


def test_a_thousand_reports_are_valid_and_quick():
    import time

    ids = tuple(f"home_{n}" for n in range(1, 1001))
    homes = make_homes(ids, ("transformer_A",) * 1000, 1)
    now = [0.0]
    agents = LocalAgents(
        homes,
        Village(homes, (47.38, 8.54), "Europe/Zurich", 1),
        World("real", START_S, 60.0, 60.0, 0.0),
        Rules(),
        clock=lambda: now[0],
    )
    steps, texts = [], []
    for _ in range(4):
        now[0] += 5.0
        began = time.process_time()
        agents.advance()
        steps.append(time.process_time() - began)
        began = time.process_time()
        texts = [agents.report(i).model_dump_json() for i in range(1000)]
        steps.append(time.process_time() - began)
    assert min(steps[0::2]) < 0.05
    assert min(steps[1::2]) < 0.15
    assert [Report.model_validate_json(text).agent_id for text in texts] == list(ids)


def test_an_order_that_is_sent_and_then_told_with_every_answer_is_acknowledged_once():
    bench = Bench()
    bench.cycle(limit=FREE, ev_kwh=30.0)
    first, second = (Event(id=name, resource_id="home_1/ev", power_kw=kw) for name, kw in (("e1", 5.0), ("e2", 3.0)))
    bench.cycle(first)
    bench.agents.curtail(0, second.model_copy(update={"supersedes": "e1"}))
    said = [(a.event_id, a.state) for _ in range(3) for a in bench.cycle(second).acks]
    assert said == [("e1", "completed"), ("e2", "accepted"), ("e2", "started")]


def test_what_is_refused_or_has_run_out_is_said_once_however_often_it_is_told():
    bench = Bench()
    bench.cycle(limit=FREE, ev_kwh=30.0)
    beyond = Event(id="e1", resource_id="home_1/ev", power_kw=50.0)
    short = Event(id="e2", resource_id="home_1/ev", power_kw=3.0, duration_s=60.0)
    reports = [bench.cycle(beyond, short) for _ in range(4)]
    said = [(a.event_id, a.state) for report in reports for a in report.acks]
    assert said == [("e1", "rejected"), ("e2", "accepted"), ("e2", "started"), ("e2", "completed")]
    assert [parts(report)["ev"].power_kw for report in reports] == [3.0, 11.0, 11.0, 11.0]
    assert [a.state for a in bench.cycle(beyond.model_copy(update={"power_kw": 2.0})).acks] == ["accepted", "started"]


def test_one_heartbeat_with_orders_does_not_end_the_failsafe_of_those_who_keep_their_schedule():
    bench = Bench("real", "schedule_then_failsafe")
    bench.now += 121.0
    assert bench.agents.status(0).mode is Mode.FAILSAFE
    bench.agents.hear(0, bench.answer(Event(id="e", resource_id="home_1/load", power_kw=2.0)))
    bench.now += 121.0  # it was the only one
    assert bench.agents.status(0).mode is Mode.FAILSAFE


def test_a_sequence_driven_beyond_what_is_ever_told_begins_anew_with_the_next_registration():
    bench = Bench()
    assert bench.cycle(limit=FREE).sequence == 1
    bench.agents.hear(0, bench.answer(sequence=MOST_TOLD))
    assert bench.agents.report(0).sequence == MOST_TOLD + 1
    bench.agents.brains[0].registered(cycle=4, sequence=9)
    assert bench.agents.report(0).sequence == 10
