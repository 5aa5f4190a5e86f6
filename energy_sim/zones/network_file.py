"""Networks from YAML or JSON files, checked whole: every fault is listed at once with its place and its mend."""

import json
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

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


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class _ZoneEntry(_Entry):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,15}$")]
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

    @model_validator(mode="after")
    def _levels_in_order(self) -> "_ZoneEntry":
        if not self.hydro_min_mwh < self.hydro_max_mwh:
            msg = f"hydro_min_mwh {self.hydro_min_mwh:g} must be below hydro_max_mwh {self.hydro_max_mwh:g}"
            raise ValueError(msg)
        for name in ("hydro_force_export_mwh", "initial_level_mwh"):
            value, low = getattr(self, name), 0.0 if name == "initial_level_mwh" else self.hydro_min_mwh
            if not low <= value <= self.hydro_max_mwh:
                msg = f"{name} {value:g} must be within {low:g} and hydro_max_mwh {self.hydro_max_mwh:g}"
                raise ValueError(msg)
        return self


class _LinkEntry(_Entry):
    source: Annotated[str, Field(alias="from")]
    target: Annotated[str, Field(alias="to")]
    capacity_mwh_per_day: _Amount
    loss_factor: Annotated[_Number, Field(ge=0, lt=1)] = 0.0


class _NetworkEntry(_Entry):
    zones: Annotated[list[_ZoneEntry], Field(min_length=1, max_length=64)]
    links: Annotated[list[_LinkEntry], Field(max_length=512)] = []

    @model_validator(mode="after")
    def _ends_exist(self) -> "_NetworkEntry":
        ids = [zone.id for zone in self.zones]
        problems = [f"zone id {zone_id} is used twice" for zone_id in sorted({i for i in ids if ids.count(i) > 1})]
        for position, link in enumerate(self.links):
            problems += [
                f"links[{position}]: zone {end} is not in zones ({', '.join(ids)})"
                for end in (link.source, link.target)
                if end not in ids
            ]
            if link.source == link.target:
                problems.append(f"links[{position}]: a link from {link.source} to itself carries nothing; remove it")
        if problems:
            raise ValueError("; ".join(problems))
        return self


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
    try:
        entry = _NetworkEntry.model_validate(content)
    except ValidationError as error:
        raise ConfigError.from_problems(describe_problems(error, str(path))) from error
    return Network(
        tuple(Zone(**zone.model_dump()) for zone in entry.zones),
        tuple(Link(**link.model_dump()) for link in entry.links),
    )
