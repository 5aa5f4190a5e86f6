"""Homes in host processes that the grid agent asks cycle by cycle, and a host that hangs among them.

Two hosts of 30 homes, one of 6. What a hung or broken home costs is counted in questions, not in seconds.
"""

import time
from collections import Counter

import pytest

from energy_sim.agents.fleet.processes import GRID, Member
from tests.faults.agents_fleet import FAILSAFE_KW, NEARLY_KW, QUICK, noted, running, until

HOMES = {"host_1": 30, "host_2": 30, "host_3": 6}
NAMES = {host: {f"{host}_home_{n}" for n in range(1, count + 1)} for host, count in HOMES.items()}
EVERYBODY = set.union(*NAMES.values())
HEALTHY = NAMES["host_1"] | NAMES["host_2"]
LIMITS = {name: {"limit_kw": 1000.0, "export_limit_kw": 1000.0} for name in ("transformer_A", "transformer_B")}
LEFT_ALONE = "did not answer before and is left alone"
CALM = {"deadline_s": 1.5, "breaker_open_s": 3.0, "lease_s": 2.5}  # so that a busy machine makes no home late
FAILURES = 2  # agents.breaker_failures


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    members = (Member(GRID, "grid"), *(Member(host, "host", "") for host in HOMES))
    folder = tmp_path_factory.mktemp("hosts")
    with running(folder, members, "lock-step", homes=HOMES, transformers=LIMITS, ties=[], **CALM) as town:
        until(lambda: len(town.agents()) == len(EVERYBODY), "all are registered")
        yield town


def coordinate(town):
    return town.said(GRID, "POST", "/coordinate", {})


def all_answer(town):
    """Run cycles until everybody answers in one."""
    return until(lambda: set((result := coordinate(town))["answered"]) == EVERYBODY and result, "all answer")


def asked(result, names):
    """How many of these were asked in a cycle and did not answer."""
    return sum(result["failed"].get(name, LEFT_ALONE) != LEFT_ALONE for name in names)


def test_failing_garbled_and_slow_answers_open_the_breaker_after_two_cycles_and_heal(town):
    all_answer(town)
    reasons = {"host_1": "answered 500", "host_2": "answered what cannot be used", "host_3": "did not answer within"}
    for host, kind in (("host_1", "error"), ("host_2", "malformed"), ("host_3", "slow")):
        town.fault(host, kind)
    for _ in range(FAILURES):
        result = coordinate(town)
        assert set(result["failed"]) == EVERYBODY
        wrong = {
            n: result["failed"][n]
            for host, why in reasons.items()
            for n in NAMES[host]
            if why not in result["failed"][n]
        }
        assert not wrong
    result = coordinate(town)
    assert (asked(result, EVERYBODY), set(result["lost"])) == (0, EVERYBODY), (
        "they were asked though the breaker is open"
    )
    states = Counter(row["breaker"] for row in town.agents().values())
    assert states["closed"] == 0
    for host in HOMES:
        town.fault(host, "heal")
    _, took_s = all_answer(town)
    assert all(town.ask(host, "GET", "/health").ok for host in HOMES)  # nobody crashed
    noted("lines in lock-step: seconds until all 66 answer again", took_s)


def test_a_hung_host_costs_two_cycles_and_then_probes_alone_and_wakes_in_failsafe(town):
    all_answer(town)
    hung, began = NAMES["host_3"], time.monotonic()
    for name in sorted(hung):
        town.said("host_3", "POST", f"/{name}/simulate", {"ev_kwh": 150})
    all_answer(town)
    town.fault("host_3", "hang")
    silent_s = time.monotonic()
    results = [coordinate(town) for _ in range(6)]

    def probed():
        results.append(coordinate(town))
        is_silent = time.monotonic() > silent_s + QUICK["heartbeat_timeout_s"] + 0.5
        return is_silent and any(asked(result, hung) for result in results[FAILURES:])

    until(probed, "a probe")
    results.append(coordinate(town))
    for n, result in enumerate(results):
        assert set(result["answered"]) >= HEALTHY, f"cycle {n} left out {HEALTHY - set(result['answered'])}"
    calls = [asked(result, hung) for result in results]
    assert calls[:FAILURES] == [6] * FAILURES
    assert calls[FAILURES] == 0  # the breaker is open
    probes = sum(calls[FAILURES:])
    due = (time.monotonic() - began) / CALM["breaker_open_s"]
    assert probes <= len(hung) * (1 + due), f"{probes} probes, {due:.1f} times due for {len(hung)} homes"
    estimated = sum(t["expected_kw"] for t in results[-1]["transformers"])
    assert estimated > 6 * 10.5  # with the cars' 11 kW each, not as zero
    waited = sum(count > 0 for count in calls[FAILURES:])
    noted("hung host: cycles, calls to it in each, cycles that waited for a probe", (len(calls), calls, waited))

    town.fault("host_3", "heal")
    modes = []

    def report():
        coordinate(town)
        rows = [town.agents()[name] for name in sorted(hung)]
        modes.append(
            [(row["mode"], row["net_kw"]) for row in rows if row["state"] != "lost" and row["breaker"] == "closed"]
        )
        return len(modes[-1]) == len(hung) and {mode for mode, _ in modes[-1]} == {"unlimited"}

    _, took_s = until(report, "the hung homes are back and unlimited")
    first = next(rows for rows in modes if rows)
    assert {mode for mode, _ in first} == {"failsafe"}, modes
    assert max(kw for _, kw in first) <= FAILSAFE_KW + NEARLY_KW
    noted("hung host: seconds from waking until unlimited", took_s)


def test_hosts_that_push_serve_every_healthy_home_while_one_hangs_under_a_grid_agent_with_another_clock(
    town,
):
    town.clock = "real"
    town.fault(GRID, "kill")
    town.fault(GRID, "heal")
    until(lambda: town.ask(GRID, "GET", "/health").ok, "the grid agent answers")
    states = lambda names: {town.agents()[name]["state"] for name in names}  # noqa: E731
    until(lambda: states(EVERYBODY) == {"online"}, "the hosts take over its clock and push")
    town.fault("host_3", "hang")
    until(lambda: states(NAMES["host_3"]) == {"lost"}, "the hung host is lost")
    before, first = town.agents(), town.cycle()
    results = [coordinate(town) for _ in range(5)]
    for result in results:
        assert set(result["answered"]) == HEALTHY
        assert set(result["lost"]) == NAMES["host_3"]
        assert set(result["failed"]) == NAMES["host_3"]  # asked until their breakers opened
    assert all("left alone" in why for why in results[-1]["failed"].values())
    served_s = town.served(HEALTHY)
    after = town.agents()
    assert all(after[name]["sequence"] == before[name]["sequence"] for name in NAMES["host_3"])
    assert town.cycle() >= first + 5 + 4
    town.fault("host_3", "heal")
    _, back_s = until(lambda: states(EVERYBODY) == {"online"}, "the hung host is back")
    assert town.audit_findings() == ()
    noted("push: seconds for four cycles of 60 homes, until the hung are back", (served_s, back_s))
