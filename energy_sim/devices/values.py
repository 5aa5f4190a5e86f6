"""What a configuration may say of a single house and its appliances."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_PV_KWP = 100.0
MAX_BASE_LOAD_KWH = 100_000.0
ApplianceName = Literal["dishwasher", "washing_machine", "ev", "heat_pump"]


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ApplianceValues(_Values):
    """Own values of one appliance; what is left out is as usual. The duration of a run is energy by power."""

    power_w: Annotated[float, Field(ge=1, le=100_000)] | None = None
    energy_kwh: Annotated[float, Field(gt=0, le=1000)] | None = None
    runs_per_week: Annotated[float, Field(ge=0, le=50)] | None = None


def _as_appliances(value: object) -> object:
    """A list of names, or own values by name, as the latter."""
    if not isinstance(value, dict | list | tuple):
        return value
    names = get_args(ApplianceName)
    unknown = [name for name in value if name not in names]
    if unknown:
        msg = f"{unknown[0]!r} is no appliance; choose among {', '.join(names)}"
        raise ValueError(msg)
    given = value if isinstance(value, dict) else dict.fromkeys(value)
    return {name: {} if own is None else own for name, own in given.items()}


class HouseValues(_Values):
    """Own values of one house; what is left out is drawn as for any other house."""

    house_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] | None = None
    pv_kwp: Annotated[float, Field(ge=0, le=MAX_PV_KWP)] | None = None
    azimuth_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    tilt_deg: Annotated[float, Field(ge=0, le=90)] | None = None
    base_load_kwh: Annotated[float, Field(ge=0, le=MAX_BASE_LOAD_KWH)] | None = None
    appliances: Annotated[dict[ApplianceName, ApplianceValues] | None, BeforeValidator(_as_appliances)] = None

    def __hash__(self) -> int:
        """Of all but the appliances: a dictionary has none, and a configuration is kept by its hash."""
        return hash((self.house_id, self.pv_kwp, self.azimuth_deg, self.tilt_deg, self.base_load_kwh))
