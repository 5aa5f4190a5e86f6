"""Stories: talks that play themselves on a page, as YAML files that presenters write."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from energy_sim.config import describe_problems
from energy_sim.errors import ConfigError

# Steps may have these only on the pages named; all other keys make sense everywhere.
_PAGES_OF = {
    "day": ("zones",),
    "days_per_second": ("zones",),
    "time_scale": ("community",),
    "steps_per_second": ("trading",),
}
_SPEEDS = {"zones": "days_per_second", "community": "time_scale", "trading": "steps_per_second"}
_NO_CLOCK = ("agents",)  # pages without a clock of their own: nothing to go to, nothing to play
_AGENTS_SET = re.compile(r"fault\.[A-Za-z0-9_-]{1,64}|heal|drive|planner|show")
_FAULTS = ("hang", "kill", "slow", "cut", "error", "malformed")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Step(_Entry):
    """One step: go to a day or tick, use controls, choose a speed, play or pause, show a caption, wait.

    Files may write `switches:` for `set:`. Days and days a second are the zones', the time scale is the community's,
    steps a second are trading's. A number of days or steps a second plays unless `play` says otherwise; without `play`
    the clock is left as it is. The agents page has no clock; there `set` presses buttons: `fault.<agent>: hang, kill,
    slow, cut, error or malformed`, `heal: <agent> or all`, `drive: cars`, `planner: true`, `show: <agent>`.
    """

    day: date | None = None
    tick: Annotated[int, Field(ge=0)] | None = None
    set: Annotated[dict[str, bool | float | str], Field(validation_alias=AliasChoices("set", "switches"))] = {}
    days_per_second: Annotated[float, Field(ge=0.5, le=60)] | None = None
    time_scale: Annotated[float, Field(ge=1, le=3600)] | None = None  # simulated seconds a second
    steps_per_second: Annotated[float, Field(ge=0.25, le=10)] | None = None
    play: Annotated[bool, Field(strict=True)] | None = None
    caption: Annotated[str, Field(max_length=300)] = ""
    wait: Annotated[float, Field(ge=0, le=600)] = 5.0  # seconds until the next step


class Story(_Entry):
    """A talk for one page."""

    title: Annotated[str, Field(min_length=1, max_length=80)]
    page: Annotated[str, Field(pattern=r"^[a-z]+$")]
    steps: Annotated[list[Step], Field(min_length=1, max_length=200)]

    def to_json(self) -> dict[str, Any]:
        """The story as assets/live.js plays it."""
        return self.model_dump(mode="json")


def read_story(path: Path) -> Story:
    """Read a story file.

    Raises:
        ConfigError: naming every fault of the file at once.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: is no valid YAML ({' '.join(str(error).split())})") from error
    try:
        story = Story.model_validate(content)
    except ValidationError as error:
        raise ConfigError.from_problems(describe_problems(error, str(path), Story)) from error
    problems = [
        f"{path}: {problem}" for i, step in enumerate(story.steps) for problem in _misplaced(i, step, story.page)
    ]
    if problems:
        raise ConfigError.from_problems(problems)
    return story


def _misplaced(number: int, step: Step, page: str) -> list[str]:
    """What a step has that its page cannot do."""
    found = [
        f"steps[{number}].{key}: the page {page} has no such thing, {pages[0]} has; give {_instead(key, page)}"
        for key, pages in _PAGES_OF.items()
        if getattr(step, key) is not None and page not in pages
    ]
    if page in _NO_CLOCK:
        found += [
            f"steps[{number}].{key}: the page {page} has no clock of its own; leave it out"
            for key in ("tick", "play")
            if getattr(step, key) is not None
        ]
        found += [
            f"steps[{number}].set.{name}: {fault}"
            for name, value in step.set.items()
            if (fault := _no_button(name, value))
        ]
    if step.day is not None and step.tick is not None:
        found.append(f"steps[{number}].tick: {step.tick} stands beside a day; give one of them")
    return found


def _no_button(name: str, value: bool | float | str) -> str:
    """Why the agents page cannot do what a step sets; empty when it can."""
    if not _AGENTS_SET.fullmatch(name):
        return "is no button of the page; give fault.<agent>, heal, drive, planner or show"
    if name.startswith("fault.") and value not in _FAULTS:
        return f"{value!r} is no fault; give one of {', '.join(_FAULTS)}"
    if name == "drive" and value != "cars":
        return f"{value!r} is nothing that can happen; give cars"
    if name == "planner" and not isinstance(value, bool):
        return f"{value!r} is neither on nor off; give true or false"
    if name in {"heal", "show"} and not isinstance(value, str):
        return f"{value!r} is no agent; give its name"
    return ""


def _instead(key: str, page: str) -> str:
    """What a page has in place of a key that it has not."""
    return "tick" if key == "day" else _SPEEDS.get(page, "no speed")


def stories_for(folder: Path, page: str) -> list[Story]:
    """The stories of a folder that play on a page, by file name; none where there is no folder.

    Raises:
        ConfigError: a file cannot be used.
    """
    found = [read_story(path) for path in sorted(folder.glob("*.yaml"))] if folder.is_dir() else []
    return [story for story in found if story.page == page]
