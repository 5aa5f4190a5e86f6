"""All parameters of a run of the trading room: one frozen model, read from and written to JSON.

    parameters = TradingParameters.load(Path("params.json"))
    parameters.battery.simple_capacity_kwh

`parameter_groups` has the groups; `describe_fields` lists every field for the page.
"""

import json
import logging
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from energy_sim.config import describe_problems
from energy_sim.errors import ConfigError
from energy_sim.trading.parameter_groups import (
    BatteryGroup,
    ForecasterGroup,
    GridCapacityGroup,
    GridPriceGroup,
    HouseholdGroup,
    LedgerGroup,
    OptimizerGroup,
    SettlementGroup,
    SimulationGroup,
)

__all__ = [
    "BatteryGroup",
    "ForecasterGroup",
    "GridCapacityGroup",
    "GridPriceGroup",
    "HouseholdGroup",
    "LedgerGroup",
    "OptimizerGroup",
    "ParameterField",
    "SettlementGroup",
    "SimulationGroup",
    "TradingParameters",
    "describe_fields",
]

logger = logging.getLogger(__name__)

UNUSED = {"optimizer": ("wallet_penalty_weight",)}  # of older parameter files: read, noted, left out
Kind = Literal["number", "whole", "choice", "switch", "text", "table"]
_KINDS: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number", str: "text"}


class TradingParameters(BaseModel):
    """Every parameter of a run; groups and fields that are left out have their defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    simulation: SimulationGroup = Field(default=SimulationGroup(), title="Simulation")
    household: HouseholdGroup = Field(default=HouseholdGroup(), title="Households")
    battery: BatteryGroup = Field(default=BatteryGroup(), title="Batteries")
    grid_price: GridPriceGroup = Field(default=GridPriceGroup(), title="Grid prices")
    grid_capacity: GridCapacityGroup = Field(default=GridCapacityGroup(), title="Grid capacity")
    forecaster: ForecasterGroup = Field(default=ForecasterGroup(), title="Forecast")
    optimizer: OptimizerGroup = Field(default=OptimizerGroup(), title="Optimiser")
    settlement: SettlementGroup = Field(default=SettlementGroup(), title="Settlement")
    ledger: LedgerGroup = Field(default=LedgerGroup(), title="Ledger")

    @classmethod
    def from_json(cls, content: Mapping[str, Any], where: str = "parameters") -> "TradingParameters":
        """Check parameters as JSON holds them.

        Args:
            content: groups by name; what is left out has its default.
            where: what a message begins with, such as the file.

        Raises:
            ConfigError: naming every unknown key, wrong type, value out of range and pair that does not fit.
        """
        try:
            return cls.model_validate(_without_unused(content, where))
        except ValidationError as error:
            raise ConfigError.from_problems(describe_problems(error, where, cls)) from error

    @classmethod
    def load(cls, path: Path) -> "TradingParameters":
        """Read parameters from a JSON file.

        Raises:
            ConfigError: there is no such file, it is no JSON, or `from_json` refuses it.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror}); give a JSON file of parameters") from error
        except (ValueError, RecursionError) as error:  # also bytes that are no text
            raise ConfigError(f"{path}: is no valid JSON ({error}); save parameters anew, or mend the file") from error
        if not isinstance(content, dict):
            raise ConfigError(f'{path}: holds a {type(content).__name__}; give groups such as {{"battery": {{...}}}}')
        return cls.from_json(content, str(path))

    def save(self, path: Path) -> None:
        """Write all parameters as JSON, groups in order.

        Raises:
            ConfigError: the file cannot be written.
        """
        text = json.dumps(self.model_dump(mode="json"), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written ({error.strerror}); choose another place") from error


def _without_unused(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The content without keys that older files have and nothing uses; each is logged."""
    found = dict(content)
    for group, names in UNUSED.items():
        values = found.get(group)
        for name in names:
            if isinstance(values, dict) and name in values:
                logger.warning("parameter not used file=%s name=%s.%s value=%s", where, group, name, values[name])
                values = {key: value for key, value in values.items() if key != name}
                found[group] = values
    return found


@dataclass(frozen=True, slots=True)
class ParameterField:
    """What the page needs to know of a parameter; ``low`` and ``high`` are included, None where there is no limit."""

    group: str
    name: str
    title: str
    help: str
    unit: str
    kind: Kind
    low: float | None
    high: float | None
    default: Any
    choices: tuple[str, ...]
    optional: bool  # None is a value too: an empty input


def describe_fields() -> tuple[ParameterField, ...]:
    """Every parameter in the order of the groups and their fields."""
    return tuple(
        _describe(group, name, info)
        for group, outer in TradingParameters.model_fields.items()
        for name, info in type(outer.default).model_fields.items()
    )


def _describe(group: str, name: str, info: FieldInfo) -> ParameterField:
    annotation = info.annotation
    optional = get_origin(annotation) in {Union, types.UnionType}
    if optional:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    choices: tuple[str, ...] = get_args(annotation) if get_origin(annotation) is Literal else ()
    kind: Kind = "choice" if choices else "table" if get_origin(annotation) is dict else _KINDS[annotation]
    low = next((rule.ge for rule in info.metadata if isinstance(rule, Ge)), None)
    high = next((rule.le for rule in info.metadata if isinstance(rule, Le)), None)
    extra = info.json_schema_extra
    return ParameterField(
        group=group,
        name=name,
        title=info.title or name,
        help=info.description or "",
        unit=str(extra["unit"]) if isinstance(extra, dict) else "",
        kind=kind,
        low=low,  # type: ignore[arg-type]
        high=high,  # type: ignore[arg-type]
        default=info.default,
        choices=choices,
        optional=optional,
    )
