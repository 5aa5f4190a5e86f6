"""What the processes of a fleet load when they start: a second of CPU each, seven times over, is a slow demo."""

import subprocess
import sys

HEAVY = ("cvxpy", "llvmlite", "numba", "numpy", "openai", "pandas", "plotly", "pyarrow", "scipy", "sqlalchemy")


def test_the_command_line_loads_nothing_that_only_some_commands_need():
    code = f"import sys, energy_sim.cli.agents; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
