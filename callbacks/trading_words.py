"""A choice for a run in words: what will be run, how much that is, the command that gives the same numbers."""

import shlex
from typing import Any

import numpy as np

from callbacks.trading_choice import Choice, Inputs
from energy_sim.config import Config
from energy_sim.figures.theme import format_number
from energy_sim.runs import RunStore
from energy_sim.trading.model import Profiles
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.presets import PRESETS
from layouts.trading_setup import WORDS


def in_words(choice: Choice, inputs: Inputs) -> list[str]:
    """What would be run, a line for each thing."""
    p, profiles, capacity, prices = choice.parameters, inputs.profiles, inputs.capacity, inputs.prices
    if profiles is None or capacity is None or prices is None:
        return []
    begin = str(profiles.begins[0].astype("datetime64[m]")).replace("T", " ")
    count, steps = len(profiles.ids), profiles.steps
    ways = {
        "convex": f"the cheapest plan for {p.forecaster.prediction_size} steps ahead, anew in each step"
        f" ({'CVXPY' if p.optimizer.engine == 'cvxpy' else 'HiGHS'}), {p.forecaster.kind.replace('_', ' ')} forecast",
        "greedy": "a rule of thumb without look-ahead",
        "none": "nothing is planned and nobody trades",
    }
    limits = "no limit"
    if p.grid_capacity.use_capacity_limits:
        limits = f"import {_range(capacity.import_kw, 1, 1)} kW, export {_range(capacity.export_kw, 1, 1)} kW"
    s = p.settlement
    mechanism = WORDS.get(s.mechanism, s.mechanism.replace("_", " ").capitalize())
    rules = f", {PRESETS[s.preset].title}" if s.preset in PRESETS else ""
    return [
        f"Households: {format_number(count)} of {choice.called[str(choice.households)]}",
        f"Period: {format_number(steps)} steps of {profiles.dt_h:g} h from {begin}",
        f"Batteries: {_batteries(p)}",
        f"Optimiser: {ways[p.optimizer.kind]}",
        f"Grid: {limits}; energy costs {_range(prices.buy, 100, 1)} ct/kWh and fetches {_range(prices.sell, 100, 1)}",
        f"Settlement: {mechanism}{', nobody loses' if s.top_up else ''}{rules}",
        f"Ledger: {('signed' if p.ledger.signed else 'unsigned') if p.ledger.enabled else 'none'}",
        *(f"Note: {note}" for note in profiles.notes),
    ]


def _batteries(p: TradingParameters) -> str:
    h, b = p.household, p.battery
    parts = []
    if h.battery_probability > 0:
        homes = "every home" if h.battery_probability >= 1 else f"{h.battery_probability:.0%} of the homes"
        parts.append(f"{homes} with {b.simple_capacity_kwh:g} kWh")
        if h.shared_battery_probability > 0:
            of = f"{h.shared_battery_probability:.0%} of them"
            parts = [f"{parts[0]}; {of} share {b.shared_capacity_kwh:g} kWh, {h.homes_per_shared_battery} homes each"]
    if b.central_capacity_kwh > 0:
        parts.append(f"{b.central_capacity_kwh:g} kWh for all together")
    return "; ".join(parts) or "none"


def _range(values: Any, factor: float, decimals: int) -> str:
    low, high = (f"{factor * float(v):.{decimals}f}".removesuffix(".0") for v in (np.min(values), np.max(values)))
    return low if low == high else f"{low} to {high}"


def size(store: RunStore, choice: Choice, profiles: Profiles) -> str:
    """How much a run is, and how long the newest one of its kind lets expect."""
    steps, count, o = profiles.steps, len(profiles.ids), choice.parameters.optimizer
    rows = f"{format_number(2 * steps * count)} rows of results"
    for run in store.list():
        s = run.summary
        if run.room == "trading" and s.get("optimizer") == o.kind and s.get("engine") in {o.engine, None}:
            if not s.get("seconds") or not s.get("steps") or not s.get("households"):
                continue
            seconds = s["seconds"] / s["steps"] / s["households"] * steps * count
            return f"{rows}; about {_duration(seconds)}, judged by the newest run of this kind"
    return rows


def _duration(seconds: float) -> str:
    return f"{max(seconds, 1):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def command_line(config: Config, choice: Choice) -> tuple[str, str]:
    """The `energy-sim` command that gives the same numbers, and what its files are.

    Steps, optimiser, engine and seed are options; whatever else differs from the defaults goes by a parameter file.
    """
    p, loaded = choice.parameters, config.path(config.trading.uploads)
    given, default = p.model_dump(mode="json"), TradingParameters().model_dump(mode="json")
    options: list[str] = []
    for group, name, option in (
        ("simulation", "simulation_steps", "--steps"),
        ("optimizer", "kind", "--optimizer"),
        ("optimizer", "engine", "--engine"),
        ("simulation", "seed", "--seed"),
    ):
        if given[group][name] is not None and (
            name == "simulation_steps" or given[group][name] != default[group][name]
        ):
            options += [option, str(given[group][name])]
            default[group][name] = given[group][name]
    notes = []
    if given != default:
        options = ["--params", "params.json"]
        notes.append("Save on the Parameters tab downloads params.json")
    lines = ["energy-sim trading run"]
    for option, path in (
        ("--households", choice.households),
        ("--grid-capacity", choice.grid_capacity),
        ("--prices", choice.prices),
    ):
        if path is not None:
            own = path.parent == loaded
            outside = not own and not path.is_relative_to(config.root)
            lines.append(shlex.join([option, str(path) if outside else choice.called[str(path)]]))
            notes += [f"{choice.called[str(path)]} is the file you loaded"] if own else []
    lines += [shlex.join(options[i : i + 2]) for i in range(0, len(options), 2)]
    return " \\\n  ".join([*lines, "--out OUT"]), "; ".join(notes)
