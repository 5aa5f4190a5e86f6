"""config.yaml as frozen, checked models: one per section. `load_config` is the only way in."""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from energy_sim.devices.values import HouseValues
from energy_sim.errors import ConfigError

DEFAULT_PATH = Path(__file__).resolve().parents[1] / "config.yaml"
_PATHS = {
    ("logging", "file"),
    ("runs", "folder"),
    ("stories", "folder"),
    ("zones", "input"),
    ("zones", "network"),
    *(("trading", name) for name in ("households", "folders", "uploads", "jobs", "operator_key", "anchors")),
    *(("agents", name) for name in ("logs", "audit", "grid_key", "state")),
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ServerConfig(_Section):
    """Where the dashboard listens and how many requests it answers at once."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)]
    workers: Annotated[int, Field(ge=1, le=64)]
    threads: Annotated[int, Field(ge=1, le=256)]


class LoggingConfig(_Section):
    """Console and rotating file."""

    level: Literal["ERROR", "WARNING", "INFO", "DEBUG"]
    file: str
    max_mb: Annotated[float, Field(gt=0, le=1000)]
    backups: Annotated[int, Field(ge=0, le=100)]


class DatabaseConfig(_Section):
    """SQLAlchemy URL of the database that holds sessions."""

    url: Annotated[str, Field(min_length=1)]


class ComputeConfig(_Section):
    """Where ensembles run: threads of this process, or a Dask cluster."""

    threads: Annotated[int, Field(ge=0, le=1024)]
    scheduler: str


class RunsConfig(_Section):
    """Where finished runs are kept, and whether visitors may save and delete them."""

    folder: Annotated[str, Field(min_length=1)]
    save_from_page: bool
    delete_from_page: bool


class StoriesConfig(_Section):
    """Where stories are kept, see stories.py."""

    folder: Annotated[str, Field(min_length=1)]


class SessionsConfig(_Section):
    """Life of live sessions, see session.py."""

    idle_pause_s: Annotated[float, Field(ge=5, le=86400)]
    delete_after_days: Annotated[float, Field(ge=1, le=3650)]
    max_in_memory: Annotated[int, Field(ge=1, le=10000)]
    checkpoint_every_s: Annotated[float, Field(ge=1, le=3600)]


def _as_folders(value: object) -> object:
    """One folder or a list of them as a tuple, which a frozen configuration can hold."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple) and value:
        return tuple(value)
    msg = f"{value!r} is no folder; give one, or a list of folders that are searched in turn"
    raise ValueError(msg)


def _as_place(value: object) -> object:
    """Latitude and longitude, from a list or a text such as 47.38,8.54."""
    parts = value.split(",") if isinstance(value, str) else value
    try:
        latitude, longitude = (float(part) for part in parts)  # type: ignore[attr-defined, unused-ignore]
    except (TypeError, ValueError):
        msg = f"{value!r} is no place; give latitude and longitude in degrees, such as 47.38,8.54"
        raise ValueError(msg) from None
    if not (-66 <= latitude <= 66 and -180 <= longitude <= 180):
        msg = f"{latitude:g},{longitude:g} is outside the limits; give latitude -66 to 66, longitude -180 to 180"
        raise ValueError(msg)
    return latitude, longitude


def _as_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        msg = f"{value!r} is no time zone; give a name such as Europe/Zurich"
        raise ValueError(msg) from None
    return value


def _as_moment(value: object) -> object:
    """A moment as ISO text, as YAML or a person writes it, or the word now."""
    text = str(value)
    if isinstance(value, datetime):
        text = value.isoformat()
    elif isinstance(value, date):
        text = f"{value.isoformat()}T00:00:00"
    try:
        year = 2000 if text == "now" else datetime.fromisoformat(text).year
    except ValueError:
        msg = f"{value!r} is no moment; write it as 2026-07-10T12:30, or now"
        raise ValueError(msg) from None
    if not 1971 <= year <= 2100:
        msg = f"{text} is outside the years 1971 to 2100; choose a moment within"
        raise ValueError(msg)
    return text


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class ZonesConfig(_Section):
    """Defaults of the zones room."""

    input: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_folders)]
    network: str
    start: date
    days: Annotated[int, Field(ge=1, le=100_000)]
    warm_up_days: Annotated[int, Field(ge=0, le=10_000)]
    hydro_efficiency: Annotated[float, Field(gt=0, le=1)]
    loss_factor: Annotated[float, Field(ge=0, lt=1)]
    days_per_second: Annotated[float, Field(ge=0.1, le=60)]
    chart_days: Annotated[int, Field(ge=7, le=100_000)]
    tick_ms: Annotated[int, Field(ge=50, le=10_000)]


Price = Annotated[float, Field(ge=0, le=1000)]


class StreetConfig(_Section):
    """A street and its surroundings: what a community session is made from, see community/live.py."""

    houses: Annotated[int, Field(ge=1, le=10_000)]
    update_interval_ms: Annotated[int, Field(ge=500, le=2000)]
    time_scale: Annotated[float, Field(ge=1, le=3600)]
    pv_variation: Literal["enabled", "disabled"]
    flex_load_probability: Annotated[float, Field(ge=0, le=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    place: Annotated[tuple[float, float], BeforeValidator(_as_place)]
    timezone: Annotated[str, AfterValidator(_as_timezone)]
    start: Annotated[str, BeforeValidator(_as_moment)]
    house_values: Annotated[tuple[HouseValues, ...], BeforeValidator(_as_tuple)]
    price_grid_delivery: Price
    price_grid_consumption: Price
    price_pv_delivery: Price
    price_house_consumption: Price

    @model_validator(mode="after")
    def _values_fit(self) -> "StreetConfig":
        given = len(self.house_values)
        if given > self.houses:
            msg = f"house_values: {given} houses are given for a street of {self.houses}; give at most so many"
            raise ValueError(msg)
        return self


class MqttConfig(_Section):
    """Where meters are published, see community/mqtt.py."""

    url: str


class CommunityConfig(StreetConfig):
    """Defaults of the community room."""

    tick_ms: Annotated[int, Field(ge=100, le=10_000)]
    mqtt: MqttConfig


class TradingConfig(_Section):
    """Defaults of the trading room."""

    households: Annotated[str, Field(min_length=1)]
    folders: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_folders)]
    uploads: Annotated[str, Field(min_length=1)]
    max_upload_mb: Annotated[float, Field(ge=0, le=1000)]
    run_from_page: bool
    most_running: Annotated[int, Field(ge=1, le=64)]
    jobs: Annotated[str, Field(min_length=1)]
    steps_per_second: Annotated[float, Field(ge=0.25, le=10)]
    tick_ms: Annotated[int, Field(ge=50, le=10_000)]
    operator_key: Annotated[str, Field(min_length=1)]
    anchors: Annotated[str, Field(min_length=1)]


AgentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Kilowatts = Annotated[float, Field(ge=0, le=100_000)]
Wait = Annotated[float, Field(gt=0, le=86_400)]  # s


class TransformerConfig(_Section):
    """What may flow through a transformer, kW: drawn from the grid, and fed into it."""

    limit_kw: Kilowatts
    export_limit_kw: Kilowatts


class TieConfig(_Section):
    """A line between two transformers over which one helps the other, either way."""

    a: AgentName
    b: AgentName
    limit_kw: Kilowatts


class LlmConfig(_Section):
    """The optional language model that may propose plans; without a base URL there is none."""

    base_url: Annotated[str, Field(max_length=300, pattern=r"^(https?://\S+)?$")] = ""
    model: Annotated[str, Field(max_length=200)] = ""
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] = "OPENAI_API_KEY"
    budget_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    max_cost_ratio: Annotated[float, Field(ge=1, le=10)] = 1.2


class AgentsConfig(_Section):
    """Defaults of the agents room: who is watched, the clocks, the rules of the grid agent, the transformers."""

    grid_url: Annotated[str, Field(max_length=300, pattern=r"^(https?://\S+)?$")]
    fleet_from_page: bool
    logs: Annotated[str, Field(min_length=1)]
    audit: Annotated[str, Field(min_length=1)]
    grid_key: Annotated[str, Field(min_length=1)]
    state: Annotated[str, Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    place: Annotated[tuple[float, float], BeforeValidator(_as_place)]
    timezone: Annotated[str, AfterValidator(_as_timezone)]
    start: Annotated[str, BeforeValidator(_as_moment)]
    speed: Annotated[float, Field(ge=1, le=3600)]
    step_s: Annotated[float, Field(ge=1, le=3600)]
    report_interval_s: Annotated[float, Field(ge=0.1, le=3600)]
    cycle_s: Annotated[float, Field(ge=0.1, le=3600)]
    lease_s: Wait
    deadline_s: Annotated[float, Field(ge=0.05, le=60)]
    slots: Annotated[int, Field(ge=1, le=1024)]
    breaker_failures: Annotated[int, Field(ge=1, le=100)]
    breaker_open_s: Wait
    max_skew_s: Wait
    heartbeat_timeout_s: Wait
    release_grace_s: Wait
    failsafe_kw: Kilowatts
    on_silence: Literal["failsafe", "schedule_then_failsafe"]
    merit_order: Annotated[tuple[Literal["load", "solar", "battery"], ...], BeforeValidator(_as_tuple)]
    min_hold_s: Annotated[float, Field(ge=0, le=86_400)]
    restore_deadband_kw: Kilowatts
    transformers: Annotated[dict[AgentName, TransformerConfig], Field(min_length=1, max_length=1000)]
    ties: Annotated[tuple[TieConfig, ...], BeforeValidator(_as_tuple)]
    llm: LlmConfig

    @model_validator(mode="after")
    def _fits_together(self) -> "AgentsConfig":
        problems = []
        if sorted(self.merit_order) != ["battery", "load", "solar"]:
            problems.append(f"merit_order: {list(self.merit_order)}; name load, solar and battery once each")
        for n, tie in enumerate(self.ties):
            known = ", ".join(self.transformers)
            problems += [
                f"ties[{n}]: {end} is no transformer; the transformers are {known}"
                for end in (tie.a, tie.b)
                if end not in self.transformers
            ]
            if tie.a == tie.b:
                problems.append(f"ties[{n}]: both ends are {tie.a}; name two transformers")
        if self.lease_s < self.report_interval_s:
            problems.append(
                f"lease_s: {self.lease_s:g} is below report_interval_s {self.report_interval_s:g}; give three times it"
            )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def __hash__(self) -> int:
        """As the other sections have one, though transformers are a dict."""
        return hash(self.model_dump_json())


class Config(_Section):
    """The whole configuration; relative paths count from `root`, the project's folder."""

    server: ServerConfig
    logging: LoggingConfig
    database: DatabaseConfig
    compute: ComputeConfig
    runs: RunsConfig
    stories: StoriesConfig
    sessions: SessionsConfig
    zones: ZonesConfig
    community: CommunityConfig
    trading: TradingConfig
    agents: AgentsConfig
    root: Annotated[Path, Field(exclude=True)]

    def path(self, value: str) -> Path:
        """A configured path as an absolute one."""
        return (self.root / value).resolve()

    def paths(self, values: Iterable[str]) -> tuple[Path, ...]:
        """Configured paths as absolute ones."""
        return tuple(self.path(value) for value in values)

    @property
    def database_url(self) -> str:
        """The database URL with a relative SQLite file made absolute."""
        return _absolute_url(self.database.url, self.root)


def load_config(path: Path | None = None) -> Config:
    """Read and check a configuration file.

    Args:
        path: the file; the project's own config.yaml when None. Keys it leaves out keep the project's default; relative
            paths in it count from its own folder.

    Raises:
        ConfigError: naming every unknown key, wrong type and value out of range at once.
    """
    content = _read(DEFAULT_PATH)
    chosen = path or DEFAULT_PATH
    if path is not None:
        for name, section in _read(path).items():
            base = content.get(name)
            if isinstance(base, dict) and section is None:  # every key commented out
                continue
            if isinstance(base, dict) and isinstance(section, dict):
                content[name] = {**base, **_from_folder(name, section, path.resolve().parent)}
            else:
                content[name] = section
    if "root" in content:
        raise ConfigError(f"{chosen}: root: unknown key; remove it")
    try:
        return Config.model_validate({**content, "root": DEFAULT_PATH.parent})
    except ValidationError as error:
        raise ConfigError.from_problems(describe_problems(error, str(chosen), Config)) from error


def _from_folder(name: str, section: dict[str, object], folder: Path) -> dict[str, object]:
    """A section of a user's file with its relative paths made absolute."""
    found = dict(section)
    for key, value in section.items():
        if isinstance(value, list) and (name, key) in _PATHS:
            found[key] = [str((folder / one).resolve()) if isinstance(one, str) and one else one for one in value]
        if not isinstance(value, str) or not value:
            continue
        if (name, key) in _PATHS:
            found[key] = str((folder / value).resolve())
        elif (name, key) == ("database", "url"):
            found[key] = _absolute_url(value, folder)
    return found


def _absolute_url(url: str, folder: Path) -> str:
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith((prefix + "/", prefix + ":memory:")):
        return prefix + str((folder / url.removeprefix(prefix)).resolve())
    return url


def _read(path: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); give the path of a configuration file"
        ) from error
    except (ValueError, yaml.YAMLError) as error:  # bytes that are no text, a date such as 2016-13-01
        raise ConfigError(f"{path}: is no valid YAML ({' '.join(str(error).split())})") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds a {type(content).__name__}; give sections such as `zones:`")
    return {str(key): value for key, value in content.items()}


_MENDS = {
    "greater_than_equal": ("is below {ge}", "give {ge} or more"),
    "greater_than": ("is not above {gt}", "give more than {gt}"),
    "less_than_equal": ("is above {le}", "give {le} or less"),
    "less_than": ("is not below {lt}", "give less than {lt}"),
    "missing": ("is missing", "add it"),
    "literal_error": ("is not one of {expected}", "choose one of them"),
    "string_pattern_mismatch": ("does not match {pattern}", "write it in that form"),
}


def describe_problems(error: ValidationError, where: str, model: type[BaseModel] | None = None) -> list[str]:
    """Pydantic's findings as lines that name file, path, value, limit and mend."""
    lines = []
    for found in error.errors():
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in found["loc"]).lstrip(".")
        shown = "" if found["type"] == "missing" else f"{_short(found['input'])} "
        if found["type"] == "extra_forbidden":
            known = _known_keys(model, found["loc"][:-1])
            what = "unknown key" + (f"; the keys here are {', '.join(known)}" if known else "; remove it")
        elif found["type"] in _MENDS:
            wrong, mend = _MENDS[found["type"]]
            facts = found.get("ctx", {})
            what = f"{shown}{wrong.format(**facts)}; {mend.format(**facts)}"
        else:
            message = found["msg"].removeprefix("Value error, ")
            what = (
                message if found["type"] == "value_error" else f"{shown}is refused: {message[0].lower()}{message[1:]}"
            )
        lines.append(f"{where}: {place + ': ' if place else ''}{what}")
    return lines


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(model: type[BaseModel] | None, path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        if model is None or not isinstance(part, str) or part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        model = next(
            (a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)), None
        )
    return [name for name in model.model_fields if name != "root"] if model else []
