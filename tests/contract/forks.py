"""`energy-sim` for tests: every command in a process of its own, forked from one that has imported the program.

What a command prints, its exit code and its files are those of a real process; only the time to import is shared. Some
cases of every command start a new interpreter nevertheless (`in_new_process`).
"""

import functools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRY = [sys.executable, "-c", "from energy_sim.cli import main; main()"]
LIMIT_S = 200.0
PARENT = """
import gc, json, os, sys
import energy_sim.community.pipeline
import energy_sim.trading.highs_engine, energy_sim.trading.importing, energy_sim.trading.pipeline
import energy_sim.zones.ensemble
from energy_sim.cli import main
from energy_sim.zones.kernel import compile_kernel

compile_kernel()
gc.freeze()  # nothing imported is looked at, and so copied, again in every child
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv[1:] = job["arguments"]
    code = 99
    try:
        main()
    except SystemExit as stop:
        code = stop.code
    sys.stdout.flush()
    os._exit(code)
"""


@functools.cache
def _parent() -> subprocess.Popen[str]:
    """The process that has imported the program, started when it is first needed."""
    command = [sys.executable, "-c", PARENT]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def close() -> None:
    """End that process, where there is one."""
    if _parent.cache_info().currsize:
        with _parent() as parent:
            assert parent.stdin is not None
            parent.stdin.close()
        _parent.cache_clear()


def forked(arguments: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """Run `energy-sim` with these arguments in a process of its own, with this process's environment."""
    parent, words = _parent(), [str(word) for word in arguments]
    assert parent.stdin is not None
    assert parent.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        job = {"arguments": words, "environment": dict(os.environ), "out": str(out), "err": str(err)}
        parent.stdin.write(json.dumps(job) + "\n")
        parent.stdin.flush()
        if not select.select([parent.stdout], [], [], LIMIT_S)[0]:
            os.killpg(parent.pid, signal.SIGKILL)
            close()
            raise TimeoutError(f"{' '.join(words)}: not done in {LIMIT_S:g} s")
        code = int(parent.stdout.readline())
        return subprocess.CompletedProcess(words, code, out.read_text("utf-8"), err.read_text("utf-8"))


def in_new_process(arguments: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """The same with an interpreter of its own, which imports everything anew."""
    command = [*ENTRY, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def all_at_once(config: Path, commands: Mapping[str, Sequence[object]]) -> dict[str, subprocess.CompletedProcess[str]]:
    """Each command with a user's configuration, by its name; only errors are logged."""
    options = ["--config", config, "--log-level", "ERROR"]
    return {name: forked([*options, *command]) for name, command in commands.items()}
