"""Reports to a grid agent on a real socket that answers, refuses, hangs, lies and goes away."""

import asyncio
import json
import logging
import time

import pytest

pytest.importorskip("aiohttp")
from aiohttp import web

from energy_sim.agents.failsafe import Mode, Rules
from energy_sim.agents.home.homes import make_homes
from energy_sim.agents.home.local_agents import LocalAgents
from energy_sim.agents.home.reporting import Reporter, Settings
from energy_sim.agents.home.simulated_time import World
from energy_sim.agents.home.surroundings import Village
from energy_sim.agents.messages import Registration, Report

START_S = 1783503000.0


class Grid:
    """A grid agent whose behaviour a test sets; it keeps what it was sent."""

    def __init__(self, clock="real", interval_s=0.03):
        self.clock, self.interval_s, self.how = clock, interval_s, "good"
        self.registrations, self.reports, self.known, self.last = [], [], {}, {}
        self.now = self.most = 0

    async def register(self, request):
        said = Registration.model_validate_json(await request.read())
        self.registrations.append(said)
        self.known[said.id] = f"token-{said.id}-{len(self.registrations)}"
        body = {"agent_id": said.id, "token": self.known[said.id], "report_interval_s": self.interval_s, "lease_s": 0.1}
        return web.json_response(body | {"cycle": 0, "sequence": self.last.get(said.id, 0), "clock": self.clock})

    async def report(self, request):
        name, how = request.match_info["name"], self.how
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            report = Report.model_validate_json(await request.read())
            if how in {"hang", "slow"}:
                await asyncio.sleep(1.0 if how == "hang" else 0.01)
            if request.headers.get("Authorization") != f"Bearer {self.known.get(name)}":
                return web.json_response({"error": "token"}, status=401 if name in self.known else 404)
            if report.sequence <= self.last.get(name, 0):
                return web.json_response({"error": "stale"}, status=409)
            if how.isdigit():
                return web.json_response({"error": how}, status=int(how))
            if how == "malformed":
                return web.Response(text='{"cycle": 3, "events": [{"reso', content_type="application/json")
            self.last[name] = report.sequence
            self.reports.append(report)
            sequence = report.sequence + (1 if how == "another" else 0)
            event = {"id": "e", "resource_id": f"{name}/load", "power_kw": 0.1}
            answer = {"cycle": 4, "sequence": sequence, "sent_at": 0, "limit": {"kw": 9.0}, "events": [event]}
            return web.json_response(answer | {"report_interval_s": self.interval_s})
        finally:
            self.now -= 1

    async def __aenter__(self):
        app = web.Application()
        app.add_routes([web.post("/agents", self.register), web.post("/agents/{name}/status", self.report)])
        self.runner = web.AppRunner(app, shutdown_timeout=0.05)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        await self.runner.cleanup()


def reporter_for(url, count=1, clock="real"):
    ids = tuple(f"home_{n}" for n in range(1, count + 1))
    homes = make_homes(ids, ("transformer_A",) * count, 1)
    village = Village(homes, (47.38, 8.54), "Europe/Zurich", 1)
    world = World(clock, START_S, 60.0, 60.0, time.monotonic())
    agents = LocalAgents(homes, village, world, Rules(heartbeat_timeout_s=0.25, release_grace_s=9.0))
    settings = Settings(url, "http://127.0.0.1:1/{}", report_interval_s=0.03, lease_s=0.1, deadline_s=0.1)
    return Reporter(agents, settings)


async def until(reached, seconds=3.0):
    for _ in range(int(seconds / 0.01)):
        if reached():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen")


async def running(reporter, test):
    task = asyncio.create_task(reporter.run())
    try:
        await test()
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_reports_go_on_through_every_fault_and_no_fault_counts_as_a_heartbeat(caplog):
    async def run():
        async with Grid() as grid:
            reporter = reporter_for(grid.url)
            brain = reporter.agents.brains[0]

            async def test():
                await until(lambda: len(grid.reports) >= 3)
                assert (brain.state.mode, brain.state.limit_kw, brain.cycle) == (Mode.LIMITED, 9.0, 4)
                assert [n.kind for n in grid.registrations[0].nameplates] == ["load", "ev", "battery", "solar"]
                assert grid.registrations[0].url == "http://127.0.0.1:1/home_1"
                assert grid.reports[2].resources[0].power_kw < grid.reports[2].resources[0].wanted_kw
                said = [a.state for report in grid.reports for a in report.acks]
                assert said == ["partial", "started"]
                faults = {"500": "status_500", "malformed": "malformed", "hang": "timeout", "another": "malformed"}
                for how, counted in faults.items():
                    grid.how, before = how, reporter.counts[counted]
                    await until(lambda c=counted, b=before: reporter.counts[c] > b)
                    heartbeat_s = brain.state.heartbeat_s
                    await until(lambda: brain.state.mode is Mode.FAILSAFE)
                    assert brain.state.heartbeat_s == heartbeat_s
                    grid.how = "good"
                    await until(lambda: brain.state.mode is Mode.LIMITED)
                sequences = [report.sequence for report in grid.reports]
                assert sequences == sorted(set(sequences))

            await running(reporter, test)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert not [r for r in caplog.records if "token-home" in r.getMessage()]


def test_a_grid_agent_that_forgot_or_knows_a_later_sequence_is_registered_at_again():
    async def run():
        async with Grid() as grid:
            reporter = reporter_for(grid.url)

            async def test():
                await until(lambda: len(grid.reports) >= 2)
                grid.known.clear()  # restarted and empty: 404
                await until(lambda: len(grid.registrations) == 2)
                grid.known["home_1"] = "another"  # 401
                await until(lambda: len(grid.registrations) == 3)
                grid.last["home_1"] = 5000  # 409
                await until(lambda: grid.last["home_1"] > 5000)
                assert reporter.counts["status_404"] == reporter.counts["status_401"] == 1
                assert reporter.counts["status_409"] == 1

            await running(reporter, test)

    asyncio.run(run())


def test_a_grid_agent_that_is_not_there_is_waited_for_and_acknowledgements_are_kept():
    async def run():
        async with Grid() as gone:
            url = gone.url
        reporter = reporter_for(url)

        async def test():
            await until(lambda: reporter.counts["connection"] >= 2)
            assert reporter.agents.state.time_s[0] > START_S  # the physics goes on
            await until(lambda: reporter.agents.brains[0].state.mode is Mode.FAILSAFE)

        await running(reporter, test)
        async with Grid() as grid:
            reporter = reporter_for(grid.url)

            async def lose():
                await until(lambda: grid.reports)
                grid.how = "500"
                await until(lambda: reporter.counts["status_500"] > 1)
                reporter.agents.brains[0].take_acks()
                reporter.agents.brains[0].orders.clear()
                grid.reports.clear()
                grid.how = "good"
                await until(lambda: any(a.state == "started" for r in grid.reports for a in r.acks))

            await running(reporter, lose)

    asyncio.run(run())


def test_a_host_sends_at_most_32_at_once_and_a_hanging_grid_agent_costs_one_deadline_a_round():
    async def run():
        async with Grid() as grid:
            reporter = reporter_for(grid.url, 150)
            grid.how = "slow"

            async def test():
                await until(lambda: len({r.agent_id for r in grid.reports}) == 150, 8.0)
                assert 8 < grid.most <= 32
                grid.how = "hang"
                await until(lambda: reporter.counts["timeout"] > 0)
                before = reporter.counts["timeout"]
                loop = asyncio.get_running_loop()
                began_s = loop.time()
                await until(lambda: reporter.counts["timeout"] >= before + 64)
                assert loop.time() - began_s < 1.5
                assert reporter.counts["timeout"] < before + 160  # rounds stop early

            await running(reporter, test)

    asyncio.run(run())


def test_in_lock_step_an_agent_registers_again_every_lease_and_does_not_report():
    async def run():
        async with Grid(clock="lock-step") as grid:
            reporter = reporter_for(grid.url, 2, clock="lock-step")

            async def test():
                await until(lambda: len(grid.registrations) >= 6)
                assert {said.id for said in grid.registrations} == {"home_1", "home_2"}
                assert not grid.reports
                assert (reporter.agents.state.time_s == START_S).all()

            await running(reporter, test)
            assert json.loads(grid.registrations[0].model_dump_json())["role"] == "home"

    asyncio.run(run())
