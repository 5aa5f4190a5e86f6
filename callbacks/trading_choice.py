"""What was chosen on the page for a run: whether it can be run, in words and as a command, and its first days."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from callbacks import trading_files as files
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError, EnergySimError
from energy_sim.trading.data import read_profiles
from energy_sim.trading.grid_capacity import make_grid_capacity
from energy_sim.trading.model import GridCapacity, Prices, Profiles
from energy_sim.trading.parameters import TradingParameters, describe_fields
from energy_sim.trading.prices import make_prices
from energy_sim.trading.settlement import check_mechanism

PREVIEW_H = 168.0  # hours of the charts on the data tab
_WHERE = "parameters"
_PLACE = re.compile(r"(?:parameters: )?([a-z_]+(?:\.[\w.]+)?): (.+)", re.DOTALL)
_GROUPS = frozenset(TradingParameters.model_fields)
_FIELDS = frozenset(f"{field.group}.{field.name}" for field in describe_fields())
_BLANK = re.compile(r"^(?:None|'[\s?]*') is refused: input should be a (valid integer|valid number)")
Problem = tuple[str, str]  # place on the page, what is wrong there


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice that has been read: parameters and files by their paths and by what they are called."""

    parameters: TradingParameters
    households: Path
    grid_capacity: Path | None
    prices: Path | None
    called: Mapping[str, str]  # path -> what visitors call it


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run would read; None where it cannot."""

    profiles: Profiles | None
    prices: Prices | None
    capacity: GridCapacity | None
    problems: tuple[Problem, ...]


def read_choice(config: Config, chosen: Any) -> tuple[Choice | None, list[Problem]]:
    """A choice from the browser, and what is wrong with it; None where it says too little to go on."""
    if not isinstance(chosen, dict) or not isinstance(chosen.get("parameters"), dict):
        return None, [(_WHERE, "no choice has arrived; reload the page")]
    problems: list[Problem] = []
    parameters = None
    try:
        parameters = TradingParameters.from_json(chosen["parameters"], _WHERE)
    except ConfigError as error:
        problems += [placed(line) for line in error.problems]
    paths: dict[str, Path | None] = dict.fromkeys(files.KINDS)
    called = {}
    for kind in files.KINDS:
        key = chosen.get(kind) or ""
        if not key and kind != "households":
            continue
        try:
            path = paths[kind] = files.resolve(config, kind, str(key))
            called[str(path)] = files.named(config, str(key))
        except DataError as error:
            problems.append((kind, str(error)))
    households = paths["households"]
    if parameters is None or households is None or (problems and any(place in files.KINDS for place, _ in problems)):
        return None, problems
    return Choice(parameters, households, paths["grid_capacity"], paths["prices"], called), problems


def placed(line: str) -> Problem:
    """A problem and its place on the page: a field, a group, or the parameters as a whole."""
    found = _PLACE.fullmatch(line)
    if not found:
        return _WHERE, line
    name, text = found[1], found[2]
    field = ".".join(name.split(".")[:2])
    if field in _FIELDS:
        blank = _BLANK.match(text)
        return (
            field,
            f"is blank or no number; give a {'whole ' * blank[1].endswith('integer')}number" if blank else text,
        )
    return (name, text) if name in _GROUPS else (_WHERE, f"{name}: {text}")


def inputs_of(choice: Choice) -> Inputs:
    """Read and draw what a run would use; kept while the files and the parameters in question stay the same."""
    p = choice.parameters
    asked = p.model_dump(include={"simulation", "household", "grid_price", "grid_capacity"}, mode="json")
    given = tuple(
        (str(path), path.stat().st_mtime_ns) if path else None
        for path in (choice.households, choice.grid_capacity, choice.prices)
    )
    found = _inputs(json.dumps(asked), *given)
    problems = [(place, _in_words(text, choice.called)) for place, text in found.problems]
    return replace(found, problems=tuple(problems + _of_the_whole(p, found)))


def _of_the_whole(p: TradingParameters, inputs: Inputs) -> list[Problem]:
    """What a run would refuse only once it has read everything: too many for Shapley, lost load too cheap."""
    problems: list[Problem] = []
    if inputs.profiles is not None:
        try:
            check_mechanism(p.settlement.mechanism, len(inputs.profiles.ids))
        except ConfigError as error:
            problems += [placed(line) for line in error.problems]
    lost, highest = p.optimizer.voll_eur_per_kwh, 0.0 if inputs.prices is None else float(inputs.prices.buy.max())
    if lost <= highest:
        text = f"{lost:g} is not above the highest price, {highest:g} EUR/kWh; lost energy must cost more than energy"
        problems.append(("optimizer.voll_eur_per_kwh", text))
    return problems


@lru_cache(maxsize=4)
def _inputs(
    asked: str, households: tuple[str, int], capacity: tuple[str, int] | None, prices: tuple[str, int] | None
) -> Inputs:
    parameters = TradingParameters.from_json(json.loads(asked))
    try:
        profiles = read_profiles(Path(households[0]), parameters)
    except EnergySimError as error:
        return Inputs(None, None, None, tuple(_of_file(line) for line in error.problems))
    problems: list[Problem] = []
    made: dict[str, Any] = {"prices": None, "grid_capacity": None}
    for kind, make, file in (("prices", make_prices, prices), ("grid_capacity", make_grid_capacity, capacity)):
        try:
            made[kind] = make(parameters, profiles.begins, profiles.dt_h, Path(file[0]) if file else None)
        except EnergySimError as error:
            problems += [(kind, line) for line in error.problems]
    return Inputs(profiles, made["prices"], made["grid_capacity"], tuple(problems))


def _of_file(line: str) -> Problem:
    place, text = placed(line)
    return (place, text) if place != _WHERE else ("households", line)


def _in_words(text: str, called: Mapping[str, str]) -> str:
    for path, name in called.items():
        text = text.replace(path, name)
    return text


def facts_of(config: Config, chosen: Any) -> tuple[dict[str, Any] | None, list[Problem]]:
    """What the chosen file of households holds, also while the parameters cannot be used."""
    key = str(chosen.get("households") or "") if isinstance(chosen, dict) else ""
    try:
        path = files.resolve(config, "households", key)
    except DataError:  # said by `read_choice`
        return None, []
    name = files.named(config, key)
    try:
        return {**asdict(files.facts(path)), "name": name}, []
    except DataError as error:
        return None, [("households", _in_words(line, {str(path): name})) for line in error.problems]


def preview_steps(profiles: Profiles) -> int:
    """Steps of the first days."""
    return max(2, min(profiles.steps, round(PREVIEW_H / profiles.dt_h)))


def with_limits(choice: Choice) -> Choice:
    """The same choice with the limits of the grid in use, to show or write what they would be."""
    group = choice.parameters.grid_capacity.model_copy(update={"use_capacity_limits": True})
    return replace(choice, parameters=choice.parameters.model_copy(update={"grid_capacity": group}))


def sentence(problems: Sequence[Problem]) -> str:
    """Problems as one line."""
    return "; ".join(f"{place}: {text}" for place, text in problems[:5])
