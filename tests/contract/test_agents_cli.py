"""`energy-sim agents` as typed: help, bad input in one line and exit code 2, a fleet that only this machine hears.

Commands run in children of one process that has imported the program; nothing here may still run when a test ends.
"""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
from energy_sim.agents.audit.log import AuditLog
from energy_sim.agents.fleet.processes import Fleet, cli_command, make_members
from energy_sim.config import load_config

ROOT = Path(__file__).resolve().parents[2]
PORT = "18999"
FORKS = """
import importlib.abc, json, os, signal, sys

folder, commands, blocked = sys.argv[1], json.loads(sys.argv[2]), set(json.loads(sys.argv[3]))

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in blocked else found(name, package)
sys.meta_path.insert(0, Absent())
from energy_sim.cli import main
if not blocked:
    import energy_sim.agents.grid.run

for i, arguments in enumerate(commands):
    child = os.fork()
    if child:
        with open(f"{folder}/{i}.code", "w") as file:
            file.write(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
        continue
    signal.alarm(20)  # a server that runs although it should not
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}/{i}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv[1:] = arguments
    code = 99
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    sys.stdout.flush()
    os._exit(code)
"""


def run_all(commands, blocked=(), **environment):
    """What each command answers, by name: exit code, output, errors."""
    with tempfile.TemporaryDirectory() as folder:
        start = [sys.executable, "-c", FORKS, folder, json.dumps([list(map(str, c)) for c in commands.values()])]
        env = {k: v for k, v in os.environ.items() if k != "KRAFTFLYT_AGENTS_KEY"} | environment
        subprocess.run([*start, json.dumps(list(blocked))], cwd=ROOT, check=True, timeout=120, env=env)
        found = {}
        for i, name in enumerate(commands):
            out, err = (Path(folder, f"{i}.{kind}").read_text(encoding="utf-8") for kind in ("out", "err"))
            found[name] = int(Path(folder, f"{i}.code").read_text(encoding="utf-8")), out, err
        return found


def config_with(folder, name, agents):
    """A configuration file whose section `agents` begins with these lines; everything written stays in the folder."""
    own = f"  logs: {folder}/logs\n  audit: {folder}/audit.jsonl\n  grid_key: {folder}/grid.key\n"
    file = folder / f"{name}.yaml"
    file.write_text(f"database: {{url: 'sqlite:///{folder}/a.db'}}\nlogging: {{file: ''}}\nagents:\n{own}{agents}")
    return file


CONFIGS = {  # lines of the section agents -> what the one line has to name
    "  transformers: {t: {limit_kw: -1, export_limit_kw: 3}}\n  ties: []\n": ["transformers.t.limit_kw", "-1"],
    "  ties: [{a: transformer_A, b: transformer_Z, limit_kw: 5}]\n": ["ties[0]", "transformer_Z", "transformer_B"],
    "  ties: [{a: transformer_A, b: transformer_A, limit_kw: 5}]\n": ["ties[0]", "two transformers"],
    "  merit_order: [load, wind, battery]\n": ["merit_order", "solar"],
    "  merit_order: [load, load, battery]\n": ["merit_order", "once each"],
    "  report_interval_s: 20.0\n": ["lease_s", "15", "20"],
    "  transformers: {}\n  ties: []\n": ["transformers"],
    "  transformers: {'a b': {limit_kw: 1, export_limit_kw: 3}}\n  ties: []\n": ["transformers", "a b"],
    "  failsafe_kw: .nan\n": ["failsafe_kw"],
    "  deadline_s: 0\n": ["deadline_s"],
    "  slots: 2000000\n": ["slots", "1024"],
    "  on_silence: shout\n": ["on_silence", "schedule_then_failsafe"],
    "  start: yesterday\n": ["start", "yesterday"],
    "  timezone: Mars/Base\n": ["timezone", "Mars/Base"],
    "  place: [95, 8]\n": ["place"],
    "  grid_url: 'ftp://x'\n": ["grid_url"],
    "  llm: {max_cost_ratio: 0.5}\n": ["llm.max_cost_ratio"],
    "  surprise: 1\n": ["surprise"],
}
OPTIONS = {  # of home, on top of --id h1 unless given -> what the one line has to name
    ("--id", "home 1"): ["--id", "home 1", "64"],
    ("--id", "a/b"): ["--id", "a/b"],
    ("--id", "x" * 65): ["--id"],
    ("--id", ""): ["--id"],
    ("--grid", "nonsense"): ["--grid", "nonsense", "http://127.0.0.1:8000"],
    ("--grid", "ftp://127.0.0.1"): ["--grid", "ftp"],
    ("--grid", "http://:8000"): ["--grid"],
    ("--grid", "http://127.0.0.1:99999"): ["--grid", "99999"],
    ("--url", "127.0.0.1:8001"): ["--url"],
    ("--transformer", "nowhere"): ["--transformer", "nowhere", "transformer_A, transformer_B"],
    ("--clock", "sundial"): ["--clock", "sundial", "lock-step"],
    ("--port", "70000"): ["--port", "65535"],
    ("--host", "0.0.0.0"): ["--host 0.0.0.0", "KRAFTFLYT_AGENTS_KEY", "127.0.0.1"],
    ("--host", "::"): ["--host ::", "KRAFTFLYT_AGENTS_KEY"],
    ("--ssl-keyfile", "none.pem"): ["--ssl-keyfile", "--ssl-certfile"],
    ("--ssl-certfile", "none.pem"): ["--ssl-certfile", "none.pem"],
}


def test_everything_that_cannot_be_is_refused_before_anything_listens_with_one_line(tmp_path):
    commands, said = {}, {}
    plain = config_with(tmp_path, "plain", "")
    for n, (text, named) in enumerate(CONFIGS.items()):
        file = config_with(tmp_path, f"bad_{n}", text)
        commands[text], said[text] = ("--config", file, "agents", "grid", "--port", PORT), named
    for option, named in OPTIONS.items():
        words = option if option[0] == "--id" else ("--id", "h1", *option)
        port = () if option[0] == "--port" else ("--port", PORT)
        commands[option], said[option] = ("--config", plain, "agents", "home", *words, *port), named
    for name, words in (("grid", ()), ("host", ("--homes", 3)), ("battery", ("--id", "b1"))):
        key = f"{name} for everybody"
        commands[key] = ("--config", plain, "agents", name, *words, "--host", "0.0.0.0", "--port", PORT)
        said[key] = ["KRAFTFLYT_AGENTS_KEY"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for name, words in (("grid", ()), ("home", ("--id", "h1")), ("host", ())):
            key = f"{name} at a taken port"
            commands[key] = ("--config", plain, "agents", name, *words, "--port", port)
            said[key] = ["--port", str(port), "in use"]
        commands["host with a bad name"] = ("--config", plain, "agents", "host", "--id", "a b", "--port", PORT)
        said["host with a bad name"] = ["--id", "a b"]
        commands["no log"] = ("--config", plain, "agents", "verify-audit", tmp_path / "absent.jsonl")
        said["no log"] = ["absent.jsonl"]
        commands["folder"] = ("--config", plain, "agents", "verify-audit", tmp_path)
        said["folder"] = [str(tmp_path), "cannot be read"]
        found = run_all(commands)
    wrong = {}
    for name, (code, out, err) in found.items():
        fits = code == 2 and not out and err.startswith("energy-sim: ") and err.count("\n") == 1
        missing = [word for word in said[name] if word not in err]
        if not fits or missing:
            wrong[name] = code, missing, out[-200:], err[-400:]
    assert wrong == {}
    with socket.socket() as nobody:
        assert nobody.connect_ex(("127.0.0.1", int(PORT))) != 0


def test_help_names_every_option_and_a_log_is_verified_line_by_line(tmp_path):
    plain = config_with(tmp_path, "plain", "")
    log = AuditLog(tmp_path / "audit.jsonl")
    for n in range(1, 7):
        log.append("grid_agent", "order", "home_1/ev", n, power_kw=float(n))
    lines = log.path.read_bytes().splitlines(keepends=True)
    head = next(path for path in tmp_path.iterdir() if path.name.startswith("audit.jsonl") and path != log.path)
    changed = {
        "edited": [*lines[:2], lines[2].replace(b"3.0", b"9.0"), *lines[3:]],
        "deleted": [*lines[:3], *lines[4:]],
        "reordered": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "not JSON": [*lines[:2], b"curtail nobody\n", *lines[2:]],
        "truncated": lines[:-1],
    }
    at = {"edited": 3, "deleted": 4, "reordered": 5, "not JSON": 3, "truncated": 6}
    commands = {"whole": ("--config", plain, "agents", "verify-audit")}
    for name, content in changed.items():
        file = tmp_path / name.replace(" ", "_") / "audit.jsonl"
        file.parent.mkdir()
        file.write_bytes(b"".join(content))
        (file.parent / head.name).write_bytes(head.read_bytes())
        commands[name] = ("--config", plain, "agents", "verify-audit", file)
    helps = {
        "grid": ["--host", "--port", "--clock", "--ssl-certfile"],
        "home": ["--id", "--transformer", "--grid", "--seed", "--ssl-ca-certs"],
        "battery": ["--id", "--transformer"],
        "host": ["--homes", "--id"],
        "demo": ["--homes", "--batteries", "--cycles", "--out"],
        "fleet": ["--homes", "--batteries", "--idle"],
        "verify-audit": ["FILE"],
    }
    for name in helps:
        commands[f"help {name}"] = ("agents", name, "--help")
    commands["help"] = ("agents", "--help")
    found = run_all(commands, COLUMNS="200")
    for name, words in helps.items():
        code, out, err = found[f"help {name}"]
        assert (code, err) == (0, ""), name
        assert [w for w in words if w.lower() not in out.lower()] == [], name
        assert "die-with-parent" not in out
        assert name in found["help"][1]
    assert found["whole"] == (0, f"{log.path}: 6 lines, the chain is whole\n", "")
    for name, line in at.items():
        code, out, err = found[name]
        assert (code, err) == (1, ""), (name, err)
        assert f"audit.jsonl: line {line}: {name}: " in out, (name, out)


def test_without_the_extra_each_command_says_what_to_install(tmp_path):
    plain = config_with(tmp_path, "plain", "")
    commands = {
        name: ("--config", plain, "agents", name, *words)
        for name, words in (
            ("grid", ()),
            ("home", ("--id", "h")),
            ("battery", ("--id", "b")),
            ("host", ()),
            ("demo", ()),
            ("fleet", ()),
        )
    }
    AuditLog(tmp_path / "audit.jsonl").append("grid_agent", "start", "grid_agent", 0)
    commands["verify-audit"] = ("--config", plain, "agents", "verify-audit")
    found = run_all(commands, ("fastapi", "starlette", "uvicorn", "aiohttp", "uvloop", "httptools", "openai"))
    assert found.pop("verify-audit")[0] == 0  # the pure core does without
    for name, (code, out, err) in found.items():
        assert (code, out, err.count("\n")) == (2, "", 1), (name, err[-300:])
        assert "kraftflyt[agents]" in err, name


def listening(pid):
    """Addresses on which a process listens, by the kernel's own tables."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(link.readlink().name.removeprefix("socket:[").rstrip("]"))
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        file = Path(f"/proc/{pid}/net/{table}")
        for row in file.read_text().splitlines()[1:] if file.exists() else ():
            cells = row.split()
            if cells[3] == "0A" and cells[9] in inodes:
                found.add(cells[1].partition(":")[0])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_fleet_is_heard_on_this_machine_alone_and_keeps_its_key_to_itself(tmp_path):
    key = secrets.token_urlsafe(24)
    config = load_config()
    command = cli_command(config, tmp_path, "real", log_level="DEBUG")
    fleet = Fleet(tmp_path, make_members(1, 1, tuple(config.agents.transformers)), command, key)

    async def run():
        try:
            await fleet.start()
            pids = dict(fleet.pids)
            assert sorted(pids) == ["battery_agent_1", "grid", "home_1"]
            assert {name: listening(pid) for name, pid in pids.items()} == {name: {"0100007F"} for name in pids}
            for pid in pids.values():
                assert key.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
            for _ in range(100):
                if len((await fleet.ask("grid", "GET", "/agents")).body["agents"]) == 2:
                    break
                await asyncio.sleep(0.1)
            assert (await fleet.ask("home_1", "POST", "/simulate", {"scenario": 2})).body["anomaly"]
            reply = await fleet.ask("grid", "POST", "/coordinate")  # asks, and finds the scenario there
            assert (reply.ok, reply.body["failed"], len(reply.body["answered"])) == (True, {}, 2)
            assert reply.body["transformers"][0]["load_kw"] == pytest.approx(2.9)
            assert (await fleet.ask("grid", "POST", "/coordinate", {"ask": False})).ok
            return pids
        finally:
            await fleet.stop()

    pids = asyncio.run(run())
    assert [pid for pid in pids.values() if Path(f"/proc/{pid}").exists()] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    secret = next(path for path in files if path.name == "grid.key")
    assert secret.stat().st_mode & 0o777 == 0o600
    assert {path.suffix for path in files} >= {".csv", ".jsonl", ".log", ".db"}
    hidden = [key.encode(), secret.read_bytes()]
    assert [path.name for path in files if path != secret for h in hidden if h in path.read_bytes()] == []
