"""Networks from YAML or JSON files, checked whole: every fault is listed at once with its place and its mend."""

import json
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from energy_sim.config import describe_problems
from energy_sim.errors import ConfigError
from energy_sim.zones.model import Link, Network, Zone


def _no_switch(value: object) -> object:
    """Refuse true and false, which would count as 1 and 0; YAML reads `yes` and `off` so too."""
    if isinstance(value, bool):
        msg = f"{value} is no number; give one"
        raise ValueError(msg)  # noqa: TRY004 - pydantic lists only ValueError
    return value


_Number = Annotated[float, BeforeValidator(_no_switch)]
_Amount = Annotated[_Number, Field(ge=0, le=1e12)]
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class _ZoneEntry(_Entry):
    id: _Id
    name: Annotated[str, Field(min_length=1, max_length=60)]
    hydro_min_mwh: _Amount
    hydro_max_mwh: _Amount
    hydro_force_export_mwh: _Amount
    hydro_target_mwh: _Amount
    hydro_efficiency: Annotated[_Number, Field(gt=0, le=1)] = 1.0
    hydro_max_daily_production_mwh: _Amount
    initial_level_mwh: _Amount
    lon: Annotated[_Number, Field(ge=-180, le=180)]
    lat: Annotated[_Number, Field(ge=-90, le=90)]
    color: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] = "#56B4E9"


class _LinkEntry(_Entry):
    source: Annotated[str, Field(alias="from")]
    target: Annotated[str, Field(alias="to")]
    capacity_mwh_per_day: _Amount
    loss_factor: Annotated[_Number, Field(ge=0, lt=1)] = 0.0


class _NetworkEntry(_Entry):
    zones: Annotated[list[_ZoneEntry], Field(min_length=1, max_length=64)]
    links: Annotated[list[_LinkEntry], Field(max_length=512)] = []


def read_network(path: Path) -> Network:
    """Read a network file; a `.json` file as JSON, any other as YAML.

    Raises:
        ConfigError: the file cannot be read, or holds unknown keys, wrong types or values out of range.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the path of a network file") from error
    except (ValueError, yaml.YAMLError) as error:  # also bytes that are no text, and impossible dates
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: is no valid YAML or JSON ({reason})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds {type(content).__name__}; give `zones:` and `links:`, see examples/")
    problems = [f"{path}: {problem}" for problem in _disagreements(content)]
    try:
        entry = _NetworkEntry.model_validate(content)
    except ValidationError as error:
        raise ConfigError.from_problems([*describe_problems(error, str(path)), *problems]) from error
    if problems:
        raise ConfigError.from_problems(problems)
    return Network(
        tuple(Zone(**zone.model_dump()) for zone in entry.zones),
        tuple(Link(**link.model_dump()) for link in entry.links),
    )


def _disagreements(content: dict[str, Any]) -> list[str]:
    """Faults between values that may each be fine: levels out of order, ids used twice, links that lead nowhere.

    Looks at what was read, not at the checked entries, so that these faults are listed together with those of single
    values; a value that is faulty itself is left out.
    """
    zones, links = (_dicts(content.get(name)) for name in ("zones", "links"))
    problems = [f"zones[{place}]: {fault}" for place, zone in zones for fault in _levels_out_of_order(zone)]
    ids = [_usable(_Id, zone.get("id")) for _, zone in zones]
    problems += [f"zone id {i} is used twice" for i in sorted({i for i in ids if i is not None and ids.count(i) > 1})]
    for place, link in links:
        ends = [end for name in ("from", "to") if (end := _usable(str, link.get(name))) is not None]
        if None not in ids:  # else the zone meant may be the one whose id is faulty
            known = ", ".join(map(str, ids))
            problems += [f"links[{place}]: zone {end} is not in zones ({known})" for end in ends if end not in ids]
        if len(ends) == 2 and ends[0] == ends[1]:
            problems.append(f"links[{place}]: a link from {ends[0]} to itself carries nothing; remove it")
    return problems


def _levels_out_of_order(zone: dict[str, Any]) -> list[str]:
    low, top = (_usable(_Amount, zone.get(name)) for name in ("hydro_min_mwh", "hydro_max_mwh"))
    if top is None:
        return []
    if low is not None and not low < top:
        return [f"hydro_min_mwh {low:g} must be below hydro_max_mwh {top:g}"]
    problems = []
    for name, least in (("hydro_force_export_mwh", low), ("initial_level_mwh", 0.0)):
        value = _usable(_Amount, zone.get(name))
        if value is not None and least is not None and not least <= value <= top:
            problems.append(f"{name} {value:g} must be within {least:g} and hydro_max_mwh {top:g}")
    return problems


def _dicts(entries: object) -> list[tuple[int, dict[str, Any]]]:
    """The entries of a list that hold keys, with their places."""
    return [(i, e) for i, e in enumerate(entries) if isinstance(e, dict)] if isinstance(entries, list) else []


def _usable(kind: Any, value: object) -> Any:
    """A value as the kind of entry it stands for; None where it cannot be one, which its own check reports."""
    try:
        return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
    except ValidationError:
        return None
