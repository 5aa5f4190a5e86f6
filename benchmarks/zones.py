"""The zones core: a live day, the ensemble kernel against plain Python, threads, and the whole `zones run` command."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.measure import ROOT, Row, Size, repeated, seconds, skipped, without_gc
from energy_sim.config import Config, load_config
from energy_sim.zones import kernel as k
from energy_sim.zones.data import load_inputs
from energy_sim.zones.ensemble import all_scenarios, run_ensemble
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.model import Factors, Network, Switches, ZoneInputs
from energy_sim.zones.norway import norway
from energy_sim.zones.simulator import Settings, opening_level
from tests.zones.reference import reference_day

COMMAND = (sys.executable, "-c", "from energy_sim.cli import main; main()")
PLAIN = k.simulate.py_func  # the kernel's source, uncompiled
MILLION = 1e6


def measure(size: Size) -> list[Row]:
    """All rows of the zones core."""
    k.compile_kernel()
    config = load_config()
    network = norway()
    inputs = load_inputs(config.paths(config.zones.input), network, config.zones.start, size.days)
    return [
        *live_day(config, size),
        *kernel_rows(network, inputs, size),
        real_data_row(network, size),
        *ensemble_rows(network, inputs, size),
        *command_rows(size),
    ]


def live_day(config: Config, size: Size) -> list[Row]:
    """LiveZones.step over consecutive days, compiled and not."""
    live = open_zones(config, {**default_parameters(config), "days": size.days})
    settings = live.defaults()

    def days(count: int) -> Callable[[], None]:
        def run() -> None:
            state = live.start()
            for tick in range(count):
                state, _ = live.step(state, tick, settings)

        return run

    count = min(size.days, 200)
    compiled = repeated(days(count), size.repeats, scale=1000 / count)
    with patch.object(k, "best_kernel", lambda: PLAIN):
        plain = repeated(days(size.reference_days), size.repeats, scale=1000 / size.reference_days)
    return [
        Row("live day, 5 zones, compiled", "ms", compiled, below=1.0),
        Row("live day, 5 zones, before the kernel is compiled", "ms", plain),
    ]


def run_kernel(simulate: Any, network: Network, inputs: ZoneInputs, days: int) -> None:
    """One scenario as an ensemble runs it: no trace, no series, closing levels and unmet demand kept."""
    count = len(network.zones)
    levels = np.empty((days, count))
    simulate(
        Switches().flags,
        *k.pack(network),
        opening_level(network, inputs, 1.0).copy(),
        inputs.wind_mwh,
        inputs.demand_mwh,
        inputs.inflow_mwh,
        np.ones(3),
        0,
        days,
        np.empty((0, count, k.COLUMNS)),
        levels,
        np.empty_like(levels),
        np.zeros((count, k.COLUMNS)),
        np.empty((0, k.TRACE_COLUMNS)),
        np.empty(0, dtype=np.int64),
    )


def run_reference(network: Network, inputs: ZoneInputs, days: int) -> Callable[[], None]:
    """The plain-Python reference over the first days; its inputs are made beforehand, outside the timing."""
    ids = network.ids
    by_day = [
        [dict(zip(ids, a[t].tolist(), strict=True)) for a in (inputs.wind_mwh, inputs.demand_mwh, inputs.inflow_mwh)]
        for t in range(days)
    ]
    opening = dict(zip(ids, opening_level(network, inputs, 1.0).tolist(), strict=True))
    switches, factors = Switches(), Factors()

    def run() -> None:
        level = opening
        for wind, demand, inflow in by_day:
            level = reference_day(network, level, wind, demand, inflow, switches, factors).level

    return run


def kernel_rows(network: Network, inputs: ZoneInputs, size: Size) -> list[Row]:
    """Zone-days a second on one thread, and how many times the plain-Python steps that is."""
    rates = kernel_rates(network, inputs, size)
    reference = run_reference(network, inputs, size.reference_days)
    per_kernel, per_reference, per_plain = [], [], []
    few = size.reference_days
    with without_gc():
        for _ in range(size.repeats):  # in turn, so that every ratio is of the same moment
            per_kernel.append(seconds(lambda: run_kernel(k.simulate, network, inputs, size.days), 10) / size.days)
            per_reference.append(seconds(reference) / few)
            per_plain.append(seconds(lambda: run_kernel(PLAIN, network, inputs, few)) / few)
    against = [b / a for a, b in zip(per_kernel, per_reference, strict=True)]
    against_plain = [b / a for a, b in zip(per_kernel, per_plain, strict=True)]
    return [
        Row("ensemble kernel, one thread, shipped input", "million zone-days/s", rates, at_least=10.0),
        Row("kernel against the plain-Python reference step", "times", tuple(against), at_least=80.0),
        Row("kernel against its own source uncompiled", "times", tuple(against_plain)),
    ]


def kernel_rates(network: Network, inputs: ZoneInputs, size: Size) -> tuple[float, ...]:
    """Million zone-days a second of the compiled kernel."""
    taken = repeated(lambda: run_kernel(k.simulate, network, inputs, size.days), size.repeats, times=20)
    return tuple(size.days * len(network.zones) / MILLION / s for s in taken)


def real_data_row(network: Network, size: Size) -> Row:
    """The kernel on real data, where it is at hand."""
    what, unit = "ensemble kernel, one thread, real data", "million zone-days/s"
    folder = Path(os.environ.get("ENERGY_SIM_REAL_DATA", ROOT.parent / "shared" / "data")) / "norway" / "input"
    if not folder.is_dir():
        return skipped(what, unit, "no real data; ENERGY_SIM_REAL_DATA names its folder")
    inputs = load_inputs([folder], network, date(2016, 1, 1), size.days)
    return Row(what, unit, kernel_rates(network, inputs, size), at_least=10.0)


def ensemble_rows(network: Network, inputs: ZoneInputs, size: Size) -> list[Row]:
    """run_ensemble with inflow years, whole, on one thread and on two."""
    scenarios = tuple(islice(all_scenarios(inputs, (), [Factors()]), size.scenarios))

    def run(threads: int) -> float:
        return seconds(lambda: run_ensemble(network, inputs, Settings(), scenarios, threads=threads))

    run(2)
    with without_gc():
        pairs = [(run(1), run(2)) for _ in range(size.repeats)]
    zone_days = len(scenarios) * size.days * len(network.zones) / MILLION
    name = f"run_ensemble, {len(scenarios)} inflow years"
    return [
        Row(f"{name}, one thread", "million zone-days/s", tuple(zone_days / one for one, _ in pairs)),
        Row(f"{name}, two threads", "million zone-days/s", tuple(zone_days / two for _, two in pairs)),
        Row(f"{name}, two threads against one", "times", tuple(one / two for one, two in pairs)),
    ]


def command_rows(size: Size) -> list[Row]:
    """`energy-sim zones run` as a process: interpreter, reading, simulating and writing."""
    rows = []
    for name, option, below in (("no figures", "--no-figures", 5.0), ("with HTML figures", "--figures", None)):
        taken = tuple(_command_seconds(size.days, option) for _ in range(size.processes))
        rows.append(Row(f"zones run, {size.days:,} days, {name}", "s", taken, below=below))
    return rows


def _command_seconds(days: int, option: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "run")
        asked = [*COMMAND, "--log-level", "WARNING", "zones", "run", "--days", str(days), "--out", out, option]
        began = time.perf_counter()
        subprocess.run(asked, cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - began
