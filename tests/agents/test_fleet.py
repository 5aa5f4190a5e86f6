"""A fleet of real processes: what each fault does to them, and that none is left however the fleet ends.

The members are a small server that needs no start-up time; the links, signals and processes are the fleet's own.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy_sim.agents.fleet.http_request import ask
from energy_sim.agents.fleet.processes import Fleet, Member, make_members
from energy_sim.errors import ConfigError, DataError

MEMBER = """
import http.server, os, signal, sys
from energy_sim.agents.fleet.parent import die_with_parent
die_with_parent()
name, port, stubborn = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if stubborn == name:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/health" and self.headers["Authorization"] == "Bearer sesame"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b'{"pid": %d}' % os.getpid())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
MEMBERS = make_members(2, 0, ("transformer_A", "transformer_B"))


def stand_in(stubborn=""):
    return lambda member, place: [sys.executable, "-c", MEMBER, member.id, str(place.port), stubborn]


def gone(pid):
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def in_state(pid, letter):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == letter


async def while_it_runs(folder, check, stubborn=""):
    fleet = Fleet(folder, MEMBERS, stand_in(stubborn), "sesame")
    try:
        async with asyncio.timeout(20):
            await fleet.start(10)
            pids = fleet.pids
            await check(fleet)
    finally:
        await fleet.stop()
    assert all(map(gone, pids.values()))
    return pids


def test_homes_and_batteries_stand_at_their_transformers_as_the_three_and_two_of_the_demo():
    placed = {m.id: m.transformer for m in make_members(3, 2, ("A", "B"))}
    assert placed == {
        "grid": "",
        "home_1": "A",
        "home_2": "A",
        "home_3": "B",
        "battery_agent_1": "A",
        "battery_agent_2": "B",
    }
    assert [m.transformer for m in make_members(6, 0, ("A", "B"))[1:]] == ["A", "A", "B", "A", "A", "B"]
    assert {m.transformer for m in make_members(3, 2, ("A",))[1:]} == {"A"}
    with pytest.raises(ConfigError, match="0 homes and 2 batteries; give 1 home or more"):
        make_members(0, 2, ("A", "B"))


def test_every_fault_is_real_and_heal_undoes_each(tmp_path):
    async def check(fleet):
        first = fleet.pids["home_1"]
        fleet.fault("home_1", "hang")
        assert fleet.states == {"grid": "running", "home_1": "hung", "home_2": "running"}
        assert (await fleet.ask("home_1", "GET", "/health", timeout_s=0.2)).status == 0
        fleet.fault("home_1", "heal")
        assert (await fleet.ask("home_1", "GET", "/health")).body == {"pid": first}

        fleet.fault("home_1", "kill")
        assert gone(first)
        assert fleet.states["home_1"] == "killed"
        with pytest.raises(DataError, match="home_1: slow is not possible, its process has ended; heal it first"):
            fleet.fault("home_1", "slow")
        fleet.fault("home_1", "heal")
        assert await fleet.answers("home_1", 10) == ""
        second = fleet.pids["home_1"]
        assert second != first
        assert (await fleet.ask("home_1", "GET", "/health")).body == {"pid": second}

        for kind, status in (("error", 500), ("malformed", 0), ("cut", 0)):
            fleet.fault("home_2", kind)
            assert fleet.states["home_2"] == kind
            assert [await asked(fleet, who) for who in ("home_1", "home_2")] == [200, status]
        fleet.fault("grid", "error")  # the lines of all, but for one that is broken otherwise
        assert [await asked(fleet, who) for who in ("home_1", "home_2")] == [500, 0]
        fleet.fault("grid", "heal")
        assert [await asked(fleet, who) for who in ("home_1", "home_2")] == [200, 0]
        fleet.fault("home_2", "heal")
        assert await asked(fleet, "home_2") == 200

        os.kill(second, signal.SIGKILL)
        assert (await fleet.answers("home_1", 5)).startswith("home_1: ended with code -9: ")
        assert fleet.states["home_1"] == "ended"
        with pytest.raises(DataError, match="'home_9' is not in the fleet; it has grid, home_1, home_2"):
            fleet.fault("home_9", "hang")
        with pytest.raises(DataError, match="'explode' is not one of hang, kill"):
            fleet.fault("home_2", "explode")

    async def asked(fleet, who):
        place = fleet.place(who)
        there = await asyncio.to_thread(ask, "GET", f"{place.url}/health", key="sesame", timeout_s=0.3)
        back = await asyncio.to_thread(ask, "GET", f"{place.grid_url}/health", key="sesame", timeout_s=0.3)
        assert there.status == back.status
        return there.status

    asyncio.run(while_it_runs(tmp_path, check))


def test_stopping_ends_stopped_and_stubborn_processes_too(tmp_path, monkeypatch):
    monkeypatch.setattr("energy_sim.agents.fleet.processes.TERM_S", 1.0)

    async def check(fleet):
        fleet.fault("home_1", "hang")

    began = time.monotonic()
    pids = asyncio.run(while_it_runs(tmp_path, check, stubborn="home_2"))
    assert len(pids) == 3
    assert time.monotonic() - began >= 1.0  # the stubborn one has had its second


def test_killing_the_process_of_the_fleet_takes_all_with_it_within_two_seconds(tmp_path):
    source = f"""
import asyncio, sys, time
from pathlib import Path
from energy_sim.agents.fleet.processes import Fleet, make_members
MEMBER = {MEMBER!r}
command = lambda member, place: [sys.executable, "-c", MEMBER, member.id, str(place.port), ""]
async def run():
    fleet = Fleet(Path({str(tmp_path)!r}), make_members(2, 0, ("A", "B")), command, "sesame")
    await fleet.start(10)
    fleet.fault("home_1", "hang")
    print(*fleet.pids.values(), flush=True)
    await asyncio.sleep(60)
asyncio.run(run())
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(text) for text in parent.stdout.readline().split()]
        try:
            assert len(pids) == 3
            ends = time.monotonic() + 5.0
            while not in_state(pids[1], "T") and time.monotonic() < ends:
                time.sleep(0.02)
            assert in_state(pids[1], "T")
            parent.kill()
            ends = time.monotonic() + 2.0
            while not all(map(gone, pids)) and time.monotonic() < ends:
                time.sleep(0.02)
            assert all(map(gone, pids))
        finally:
            parent.kill()


def test_a_member_that_cannot_start_is_named_with_the_end_of_its_log(tmp_path):
    def command(member: Member, place):
        if member.id == "home_2":
            return [sys.executable, "-c", "import sys; sys.exit('energy-sim: port 1: taken; choose another')"]
        return stand_in()(member, place)

    async def run():
        fleet = Fleet(tmp_path, MEMBERS, command, "sesame")
        told = []
        try:
            with pytest.raises(ConfigError) as raised:
                await fleet.start(10, lambda done, total: told.append((done, total)))
            assert str(raised.value) == "home_2: ended with code 1: energy-sim: port 1: taken; choose another"
            assert max(told) == (2, 3)
        finally:
            await fleet.stop()

    asyncio.run(run())
