"""Real homes and a real grid agent that push reports, and what each fault does to them.

home_1 and home_2 stand at transformer_A (12 kW: two cars of 11 kW are too much), home_3 and home_4 at transformer_B
(40 kW: their cars draw what they want). It is night. Each test begins and ends with a calm fleet.
"""

import time

import pytest

from energy_sim.agents.fleet.processes import GRID, Member
from tests.faults.agents_fleet import FAILSAFE_KW, KEY, NEARLY_KW, QUICK, noted, running, until

A, B = "transformer_A", "transformer_B"
LIMIT_KW, CAR_KW = 12.0, 11.0
HOMES = {"home_1": A, "home_2": A, "home_3": B, "home_4": B}
LIMITS = {A: {"limit_kw": LIMIT_KW, "export_limit_kw": 20.0}, B: {"limit_kw": 40.0, "export_limit_kw": 20.0}}
SILENCE_S = QUICK["heartbeat_timeout_s"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    members = (Member(GRID, "grid"), *(Member(name, "home", at) for name, at in HOMES.items()))
    with running(tmp_path_factory.mktemp("push"), members, "real", transformers=LIMITS) as town:
        yield town


@pytest.fixture
def town(fleet):
    for name, state in fleet.fleet.states.items():
        if state != "running":
            fleet.fault(name, "heal")
    until(lambda: fleet.ask(GRID, "GET", "/health").ok and len(fleet.agents()) >= len(HOMES), "all are known")
    for name in HOMES:
        until(lambda name=name: fleet.ask(name, "GET", "/health").ok, f"{name} answers")
        fleet.car(name, 0)
    until(lambda: all(is_calm(fleet, name) for name in HOMES) and not fleet.orders(), "a calm fleet")
    return fleet


def is_calm(town, name):
    row = town.agents()[name]
    return (row["state"], row["mode"]) == ("online", "unlimited") and row["net_kw"] < FAILSAFE_KW


def charge(town, *names):
    """Cars come, and the grid agent has heard of it."""
    for name in names:
        town.car(name, 150)
    until(lambda: all(town.agents()[n]["net_kw"] > CAR_KW - 0.5 for n in names), f"{', '.join(names)} draw 11 kW")


def stands_like(town, name, mode):
    at = town.ask(name, "GET", "/status")
    return at.body if at.ok and at.body["mode"] == mode else None


def failsafe_then_released(town, name, answered_before):
    """How many answered reports of a home were in failsafe after a silence; each drew 4.2 kW at most."""

    def over():
        rows = town.answered(name)[answered_before:]
        first = next((n for n, (mode, _) in enumerate(rows) if mode == "failsafe"), len(rows))
        last = next((n for n in range(first, len(rows)) if rows[n][0] != "failsafe"), None)
        return None if last is None else (first, rows[first:last])

    (first, silent), _ = until(over, f"{name} reports that it left failsafe")
    assert first <= 1, f"{name} had {first} answers before it noticed the silence"  # one may have been under way
    assert max(kw for _, kw in silent) <= FAILSAFE_KW + NEARLY_KW, silent
    return len(silent)


def test_homes_that_are_killed_or_hang_cost_the_others_nothing_and_come_back_safely(town):
    charge(town, "home_3", "home_4")
    sequence = {name: town.agents()[name]["sequence"] for name in HOMES}
    town.fault("home_3", "kill")
    town.fault("home_4", "hang")
    began, answers = time.monotonic(), len(town.answered("home_4"))
    seen = []
    _, lost_s = until(lambda: seen.append(town.agents()["home_3"]["state"]) or seen[-1] == "lost", "home_3 is lost")
    seen = list(dict.fromkeys(seen))
    assert seen == [state for state in ("online", "late", "lost") if state in seen]
    silent = town.agents()["home_4"]["sequence"]
    served_s = town.served(["home_1", "home_2"])
    assert town.agents()["home_4"]["sequence"] == silent
    at, _ = until(lambda: (t := town.transformer(B))["expected_kw"] > 2 * (CAR_KW - 0.5) and t, "both are estimated")
    assert at["load_kw"] == 0.0
    assert at["uncertainty_kw"] >= 2 * 0.2  # of each what it may be off at once, growing with time
    assert at["before_kw"] == pytest.approx(at["expected_kw"] + at["uncertainty_kw"], abs=0.002)
    noted("kill and hang: states, seconds until lost, for four more cycles of the others", (seen, lost_s, served_s))

    town.fault("home_3", "heal")
    time.sleep(max(0.0, began + SILENCE_S + 0.5 - time.monotonic()))
    town.fault("home_4", "heal")
    _, back_s = until(lambda: stands_like(town, "home_4", "unlimited"), "home_4 leaves failsafe")
    until(lambda: town.agents()["home_4"]["net_kw"] > CAR_KW - 0.5, "home_4 charges its car again")
    reports = failsafe_then_released(town, "home_4", answers)
    assert reports >= 2, "one heartbeat alone ended failsafe"
    assert town.mode_changes("home_4")[-2:] == ["failsafe", "unlimited"]
    until(lambda: stands_like(town, "home_3", "unlimited"), "home_3, started anew, is told its limit")
    row = town.agents()["home_3"]
    assert row["state"] == "online"
    assert row["sequence"] > sequence["home_3"]
    assert sum(entry["subject"] == "home_3" for entry in town.audit_lines("register")) == 2
    noted("hang: seconds and reports in failsafe after waking", (back_s, reports))


def test_cut_slow_failing_and_garbled_lines_bring_failsafe_in_time_and_are_left_properly(town):
    faults = {"home_1": "error", "home_2": "malformed", "home_3": "cut", "home_4": "slow"}
    charge(town, "home_3", "home_4")
    pids, answers, began = town.fleet.pids, {}, time.monotonic()
    for name, kind in faults.items():
        town.fault(name, kind)
        answers[name] = len(town.answered(name))
    took_s = {}
    for name, kind in faults.items():
        at, _ = until(lambda name=name: stands_like(town, name, "failsafe"), f"{name}: {kind}")
        took_s[kind] = round(time.monotonic() - began, 2)
        assert at["limit_kw"] == FAILSAFE_KW
    for name in ("home_3", "home_4"):  # their cars want 11 kW
        until(lambda name=name: town.home(name)["net_kw"] <= FAILSAFE_KW + NEARLY_KW, f"{name} draws 4.2 kW at most")
        assert town.home(name)["ev_kw"] > 1.0
    for name in ("home_1", "home_2", "home_3"):  # of the slow one late reports still arrive
        until(lambda name=name: town.agents()[name]["state"] == "lost", f"{name} is lost")
        assert len(town.answered(name)) <= answers[name] + 1  # one may have been under way; no broken answer counts
    assert town.fleet.pids == pids  # nobody crashed
    for name in faults:
        town.fault(name, "heal")
    for name, kind in faults.items():
        until(lambda name=name: stands_like(town, name, "unlimited"), f"{name} heals of {kind}")
    for name in ("home_3", "home_4"):
        until(lambda name=name: town.agents()[name]["net_kw"] > CAR_KW - 0.5, f"{name} charges its car again")
    reports = {kind: failsafe_then_released(town, name, answers[name]) for name, kind in faults.items()}
    assert min(reports.values()) >= 2, f"one heartbeat alone ended failsafe: {reports}"
    noted("lines: seconds until failsafe", took_s)
    noted("lines: reports in failsafe after healing", reports)


class Ghost:
    """An agent of this test alone: one car, and whatever it likes to say of it."""

    def __init__(self, town, name, transformer):
        self.town, self.name, self.transformer, self.sequence = town, name, transformer, 0
        self.registered = self.register(transformer)
        self.token = self.registered.body["token"]

    def register(self, transformer, key=KEY):
        plate = {"id": f"{self.name}/ev", "kind": "ev", "min_kw": 0, "max_kw": CAR_KW}
        body = {"id": self.name, "role": "home", "transformer_id": transformer, "nameplates": [plate]}
        return self.town.ask(GRID, "POST", "/agents", body, key=key)

    def report(self, power_kw, *, sequence=None, token=None, name=None, at=None, late_s=0.0):
        """A report, of somebody else where `name` says so; the answer."""
        if sequence is None:
            self.sequence += 1
        name = name or self.name
        resource = {"kind": "ev", "wanted_kw": power_kw, "min_kw": 0, "max_kw": power_kw, "power_kw": power_kw}
        body = {
            "agent_id": name,
            "role": "home",
            "transformer_id": at or self.transformer,
            "cycle": 0,
            "sequence": self.sequence if sequence is None else sequence,
            "sent_at": time.time() - late_s,
            "time_s": 0,
            "mode": "unlimited",
            "limit_kw": None,
            "voltage_pu": 1.0,
            "resources": [{"id": f"{name}/ev", **resource}],
            "anomaly": False,
        }
        token = self.token if token is None else token
        return self.town.ask(GRID, "POST", f"/agents/{name}/status", body, key=token)


def test_forged_replayed_and_late_reports_change_nothing_and_a_wrong_clock_is_said(town):
    ghost = Ghost(town, "ghost", B)
    true = town.agents()["home_3"]
    for token in (ghost.token, "", "0" * 64, town.token("home_4")):
        refused = ghost.report(9.0, name="home_3", sequence=10**6, token=token)
        assert refused.status == 401, token
        assert refused.why.startswith("the token is not that of home_3")
    stated = ghost.report(9.0, name="home_3", sequence=10**6, token=ghost.token, at=A)
    assert stated.status == 401
    assert town.agents()["home_3"]["sequence"] < 10**6
    assert town.agents()["home_3"]["net_kw"] < FAILSAFE_KW
    assert ghost.register(B, key="").status == 401
    unknown = ghost.register("transformer_Z")
    assert (unknown.status, unknown.why) == (
        422,
        "transformer_id: transformer_Z is unknown; the transformers are transformer_A, transformer_B",
    )

    assert ghost.report(2.0, sequence=5).body["sequence"] == 5
    for sequence in (5, 4):
        refused = ghost.report(7.0, sequence=sequence)
        assert (refused.status, refused.why) == (
            409,
            f"sequence: {sequence} is stale, the last one known is 5; go on above it",
        )
    assert (town.agents()["ghost"]["sequence"], town.agents()["ghost"]["net_kw"]) == (5, 2.0)
    ghost.sequence = 5

    jump = true["sequence"] + 1000  # somebody has the token of home_4 and is ahead of it
    plates = town.ask("home_4", "GET", "/status").body
    taken = town.ask(GRID, "POST", "/agents/home_4/status", plates | {"sequence": jump}, key=town.token("home_4"))
    assert taken.status == 200
    _, took_s = until(lambda: town.agents()["home_4"]["sequence"] > jump, "home_4 goes on above the replayed number")
    noted("replay: seconds until a home goes on above a sequence that was used", took_s)

    cycle = town.home("home_1")["cycle"] + 1
    assert town.ask("home_1", "POST", "/simulate", {"cycle": cycle}).status == 200
    for old in (cycle, cycle - 1):
        refused = town.ask("home_1", "POST", "/simulate", {"cycle": old})
        assert refused.status == 409
        assert refused.why.startswith(f"cycle: {old} is not above {cycle}")

    for late_s in (3600.0, -3600.0):

        def stale(late_s=late_s):
            assert ghost.report(3.0, late_s=late_s).status == 200
            found = town.anomalies("stale_data").get("ghost")
            return found if found and found["value"] * -late_s > 0 else None

        found, _ = until(stale, "a clock that is an hour off is noticed")
        assert found["value"] == pytest.approx(-late_s, abs=60)
        assert (found["limit"], found["unit"]) == (60.0, "s")
        assert town.agents()["ghost"]["state"] != "lost"
        assert town.transformer(B)["load_kw"] >= 3.0  # counted with what it says
    assert ghost.report(0.0).status == 200


def test_a_grid_agent_that_is_killed_takes_its_orders_up_again_without_a_release(town):
    cars = ("home_1", "home_2")
    for name in cars:
        town.car(name, 150)
    until(
        lambda: len(town.orders()) == 2 and sum(town.home(n)["net_kw"] for n in cars) < LIMIT_KW + 0.5,
        "both cars are curtailed",
    )
    town.served(cars, 2)
    orders, register = town.orders(), len(town.audit_lines("register"))
    town.fault(GRID, "kill")
    began, drawn_kw, modes = time.monotonic(), [], set()

    def watch():
        at = [town.home(name) for name in cars]
        drawn_kw.append(sum(home["net_kw"] for home in at))
        modes.update(home["mode"] for home in at)

    for _ in range(5):
        watch()
    assert {town.home(name)["ev_kw"] > 0 for name in cars} == {True}
    town.fault(GRID, "heal")
    until(lambda: watch() or town.ask(GRID, "GET", "/health").ok, "the grid agent answers again")
    answers_s, away_kw = time.monotonic() - began, max(drawn_kw)
    assert set(HOMES) <= set(town.agents())  # known from the database
    until(lambda: watch() or all(stands_like(town, n, "unlimited") for n in cars), "both have heard it again")
    back_s = time.monotonic() - began
    first = town.cycle()
    until(lambda: watch() or town.cycle() >= first + 4, "four more cycles")
    assert away_kw < LIMIT_KW + 1.0, f"{away_kw:.2f} kW of 22 kW wanted were drawn while nobody gave orders"
    # shared out anew, one car may hear that it may draw more before the other hears that it must draw less
    assert max(drawn_kw) < LIMIT_KW + CAR_KW / 2, f"{max(drawn_kw):.2f} kW of 22 kW wanted were drawn: {drawn_kw}"
    assert town.transformer(A)["after_kw"] <= LIMIT_KW + 0.01
    assert modes <= {"unlimited", "failsafe"}
    restarted = town.audit_lines("start")[-1]["n"]
    since = {
        what: [e for e in town.audit_lines(what) if e["n"] > restarted] for what in ("coordinate", "order", "release")
    }
    first_cycle = since["coordinate"][0]["cycle"]
    old, released = {order["id"] for order in orders.values()}, {e["facts"]["id"]: e["cycle"] for e in since["release"]}
    assert all(released.get(name, first_cycle + 1) > first_cycle for name in old)  # taken up before anything is let go
    later = {entry["facts"]["supersedes"] for entry in since["order"]} | set(released)
    assert old <= later | {order["id"] for order in town.orders().values()}
    assert len(town.audit_lines("register")) == register  # nobody had to register again
    assert len(town.audit_lines("start")) == 2
    assert town.audit_findings() == ()
    noted("grid killed: seconds until it answers, until homes are released", (answers_s, back_s))
    noted(
        "grid killed: most drawn by two homes while it was away and at all, samples",
        (away_kw, max(drawn_kw), len(drawn_kw)),
    )


def test_a_home_that_breaks_its_order_twice_is_at_fault_and_the_others_make_up_for_it(town):
    liar = Ghost(town, "liar", A)
    charge(town, "home_1")
    told, reports = False, 0

    def at_fault():
        nonlocal told, reports
        cycle, reports = town.cycle(), reports + told
        answer = liar.report(CAR_KW)
        assert answer.status == 200
        told = told or any(event["resource_id"] == "liar/ev" for event in answer.body["events"])
        until(lambda: town.cycle() >= cycle + 2, "the report is judged")
        return town.anomalies("device_fault").get("liar/ev")

    fault, _ = until(at_fault, "the liar is found out")
    assert 2 <= reports <= 4, f"at fault after {reports} reports that broke the order"
    assert fault["value"] == CAR_KW
    assert 0 <= fault["limit"] < CAR_KW - 0.3

    def made_up_for():
        assert liar.report(CAR_KW).status == 200
        at = town.transformer(A)
        return at if at["load_kw"] <= LIMIT_KW + 0.3 and town.home("home_1")["ev_kw"] < 2.0 else None

    at, took_s = until(made_up_for, "home_1 makes up for it")
    assert at["load_kw"] >= CAR_KW  # what it really draws is counted
    assert at["after_kw"] <= LIMIT_KW + 0.01
    refused = liar.report(CAR_KW + 1)
    assert refused.status == 422
    assert "liar/ev: 0 .. 12 kW is beyond its nameplate 0 .. 11; register again" in refused.why
    assert town.agents()["liar"]["net_kw"] == CAR_KW
    noted("lying home: reports until device_fault, seconds until made up for", (reports, took_s))
