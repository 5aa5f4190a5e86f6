"""The street as a live session sees it: opened from its parameters, stepped tick by tick, every moment at hand.

live = open_community(session_parameters(config.community, {"houses": 14}))
state, frame = live.step(live.start(), 0, live.defaults())
frame.bus.net_w, frame.powers.pv_w
"""

import logging
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BeforeValidator, Field, ValidationError

from energy_sim.clock import Event, in_order
from energy_sim.community.economics import Prices, community_result_ct_per_h, street_kw
from energy_sim.community.model import (
    DAY_PARTS,
    FAMILIES,
    PLAIN_CONTROLS,
    Bus,
    Floats,
    Meters,
    State,
    TickFrame,
    World,
    meet,
)
from energy_sim.community.rules import Rules, check_control, index_of, rules_of, turned
from energy_sim.community.state_text import decode_state, encode_state
from energy_sim.community.statements import MonthMeters, add_tick, joined, open_month
from energy_sim.config import CommunityConfig, StreetConfig, describe_problems
from energy_sim.devices.house import Conditions, HouseModel, Houses, Powers, make_houses
from energy_sim.devices.sky import Place
from energy_sim.errors import ConfigError, DataError

logger = logging.getLogger(__name__)

MAX_EVENTS = 2000  # changes of a session, as session.py has it
LAST_TICK = 999_999  # 11 days at a tick a second and real time, a century and more at an hour a second
MAX_MONTHS = 36  # with meters of their own; older ones are added up in the first


def _as_rows(value: Any) -> Any:
    """Lists of a list as tuples; what is none is left for the check to name."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(tuple(row) if isinstance(row, list) else row for row in value)


class SessionParameters(StreetConfig):
    """What a session is made from: a street, and changes that belong to it from the start (tick, control, value)."""

    changes: Annotated[tuple[tuple[int, str, Any], ...], Field(max_length=MAX_EVENTS), BeforeValidator(_as_rows)] = ()
    run: Annotated[str, Field(max_length=200)] = ""  # the finished run these come from


class LiveCommunity:
    """An opened street. Frames and states are values; what it caches can be drawn again."""

    def __init__(self, parameters: SessionParameters) -> None:
        """Draw the houses.

        Raises:
            ConfigError: two houses have the same id.
        """
        self.parameters = parameters
        self.timezone = ZoneInfo(parameters.timezone)
        self.houses: Houses = make_houses(
            parameters.houses, parameters.seed, parameters.house_values, parameters.place[0]
        )
        self._index = {name: i for i, name in enumerate(self.houses.ids)}
        place = Place(*parameters.place)
        self._model = HouseModel(self.houses, place, self.timezone, parameters.seed)
        self.mark = zlib.crc32(parameters.model_dump_json().encode())  # differs where another street is meant
        self._last_rules: tuple[Mapping[str, Any], Rules] | None = None
        self._changes = self._checked_changes(parameters.changes)

    @property
    def last_tick(self) -> int:
        """The last tick that has a frame."""
        return LAST_TICK

    @property
    def house_ids(self) -> tuple[str, ...]:
        """The houses in their order."""
        return self.houses.ids

    @property
    def start_ms(self) -> int:
        """Milliseconds since the epoch at the opening of tick 0."""
        return round(1000 * datetime.fromisoformat(self.parameters.start).timestamp())

    def index_of(self, house_id: str) -> int:
        """The place of a house.

        Raises:
            DataError: the street has no such house.
        """
        return index_of(self._index, house_id)

    def defaults(self) -> Mapping[str, Any]:
        """The controls of the street with their starting values; those of single houses appear with their first use."""
        return {name: getattr(self.parameters, name) for name in PLAIN_CONTROLS}

    def families(self) -> Collection[str]:
        """Controls of single houses: `pv_kwp.house_3`, `base_load_kwh.house_3`, `start.house_3.ev`."""
        return FAMILIES

    def check(self, control: str, value: Any) -> Any:
        """The value to use.

        Raises:
            DataError: no such control, house or appliance, or a value outside its limits.
        """
        return check_control(self.houses, self._index, control, value)

    def start(self) -> State:
        """Nothing metered yet."""
        none = np.zeros(len(self.house_ids))
        first = ((self.start_ms / 1000, self.parameters.flex_load_probability),)
        return State(
            World(self.start_ms, first, (), ()),
            Meters(none, none, none, none, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            (self.local(self.start_ms).toordinal(), (0.0,) * len(DAY_PARTS)),
            (),
        )

    def step(self, state: State, tick: int, settings: Mapping[str, Any]) -> tuple[State, TickFrame]:  # noqa: ARG002
        """One tick: the powers of its moment, and the meters at its end."""
        rules = self._rules(settings)
        world = turned(state.world, rules)
        powers = self._powers(world, rules)
        bus = meet(powers)
        dt_h = rules.dt_ms / 3.6e6
        moment = self.local(world.time_ms)
        meters = _metered(state.meters, powers, bus, rules.prices, dt_h)
        today = state.day[1] if state.day[0] == moment.toordinal() else (0.0,) * len(DAY_PARTS)
        day = tuple(a + b * dt_h / 1000 for a, b in zip(today, _parts(powers, bus), strict=True))
        months = self._months(state.months, world.time_ms, rules, powers, moment)
        offset = moment.utcoffset()
        frame = TickFrame(
            time_s=world.time_ms / 1000,
            dt_s=rules.dt_ms / 1000,
            utc_offset_s=int(offset.total_seconds()) if offset else 0,
            powers=powers,
            bus=bus,
            meters=meters,
            day_kwh=day,
            months=months,
            world=world,
        )
        following = replace(world, time_ms=world.time_ms + rules.dt_ms)
        return State(following, meters, (moment.toordinal(), day), months), frame

    def encode(self, state: State) -> str:
        """The state as JSON, floats exact."""
        return encode_state(state, self.mark)

    def decode(self, text: str) -> State:
        """The state that was encoded.

        Raises:
            ValueError, KeyError, TypeError: it is not one of this street; the session is replayed then.
        """
        return decode_state(text, self.mark)

    def recorded_events(self) -> tuple[Event, ...]:
        """The changes that belong to the session from its start, numbered below 0."""
        return self._changes

    def conditions(self, world: World, rules: Rules) -> Conditions:
        """What the houses need to know of what people set."""
        return Conditions(rules.clouds, world.probability, world.started, rules.pv_kwp, rules.base_load_kwh)

    def remaining_s(self, frame: TickFrame, house: int) -> Floats:
        """Seconds each appliance of a house still runs after a tick, (A,), waiting runs included."""
        conditions = Conditions(True, frame.world.probability, frame.world.started)
        return self._model.remaining_s(frame.time_s + frame.dt_s, conditions, house)

    def local(self, time_ms: int) -> datetime:
        """The street's clock at a moment."""
        return datetime.fromtimestamp(time_ms / 1000, self.timezone)

    def iso(self, time_s: float) -> str:
        """A moment in the street's local time with its offset."""
        moment = self.local(round(1000 * time_s))
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")

    def moments(self, events: Sequence[Event], ticks: Sequence[int]) -> Iterator[tuple[int, World, Rules]]:
        """The world and the rules of any ticks, ascending, without stepping through those between."""
        pending = list(in_order(events))
        settings = dict(self.defaults())
        world, at, rules = self.start().world, 0, self._rules(settings)
        for tick in ticks:
            while pending and pending[0].tick <= tick:
                when = pending[0].tick
                world = replace(world, time_ms=world.time_ms + (when - at) * rules.dt_ms)
                at = when
                while pending and pending[0].tick == when:
                    event = pending.pop(0)
                    settings[event.control] = event.value
                rules = self._rules(dict(settings))
                world = turned(world, rules)
            world = replace(world, time_ms=world.time_ms + (tick - at) * rules.dt_ms)
            at = tick
            yield tick, world, rules

    def ticks_of_window(self, events: Sequence[Event], tick: int, window_s: float, most: int) -> tuple[list[int], int]:
        """Ticks of the last part of a session, evenly spaced from its start on, and the spacing.

        Args:
            events: of the session.
            tick: the last one.
            window_s: simulated seconds before it.
            most: about how many ticks there may be.

        Returns:
            Ascending ticks, the last one at the end whether or not it is a multiple of the spacing; the spacing.
        """
        changes = sorted({0, *(event.tick for event in events if event.tick <= tick)})
        opened = [(at, world.time_ms, rules.dt_ms) for at, world, rules in self.moments(events, [*changes, tick])]
        since = opened[-1][1] - round(1000 * window_s)
        at, time_ms, dt_ms = next((row for row in reversed(opened) if row[1] <= since), opened[0])
        first = at + max(0, -((time_ms - since) // dt_ms))
        spacing = max(1, -(-(tick - first + 1) // most))
        ticks = list(range(-(-first // spacing) * spacing, tick + 1, spacing))
        return (ticks if ticks and ticks[-1] == tick else [*ticks, tick]), spacing

    def powers_at(self, events: Sequence[Event], ticks: Sequence[int]) -> Iterator[tuple[int, float, Powers, Bus]]:
        """(tick, time in s, powers, bus) of any ticks, ascending: the numbers of their frames."""
        for tick, world, rules in self.moments(events, ticks):
            powers = self._powers(world, rules)
            yield tick, world.time_ms / 1000, powers, meet(powers)

    def _powers(self, world: World, rules: Rules) -> Powers:
        return self._model.powers(world.time_ms / 1000, rules.dt_ms / 1000, self.conditions(world, rules))

    def _rules(self, settings: Mapping[str, Any]) -> Rules:
        kept = self._last_rules
        if kept is None or kept[0] is not settings:  # the same settings come again tick after tick
            kept = settings, rules_of(self.houses, self._index, settings, self.parameters.update_interval_ms)
            self._last_rules = kept
        return kept[1]

    def _checked_changes(self, changes: Sequence[tuple[int, str, Any]]) -> tuple[Event, ...]:
        events = []
        for i, (tick, control, value) in enumerate(changes):
            if not 0 <= tick <= LAST_TICK:
                raise DataError(f"change {control}: tick {tick} is outside the session; give 0 to {LAST_TICK}")
            events.append(Event(i - len(changes), tick, control, self.check(control, value)))
        return in_order(events)

    def _months(
        self, months: tuple[MonthMeters, ...], time_ms: int, rules: Rules, powers: Powers, moment: datetime
    ) -> tuple[MonthMeters, ...]:
        name, time_s = f"{moment:%Y-%m}", time_ms / 1000
        if not months or months[-1].month != name:
            months = (*months, open_month(name, time_s, len(self.house_ids)))
        if len(months) > MAX_MONTHS:
            months = (joined(months[0], months[1]), *months[2:])
        return (*months[:-1], add_tick(months[-1], powers.net_w, rules.dt_ms / 3.6e6, rules.prices))


def session_parameters(defaults: CommunityConfig, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Parameters of a session: the configured street with changes, its start as a moment with its offset.

    Raises:
        ConfigError: naming every unknown name and every value outside its limits.
    """
    values = {name: getattr(defaults, name) for name in StreetConfig.model_fields} | dict(changes or {})
    try:
        checked = SessionParameters.model_validate(values)
    except ValidationError as error:
        raise ConfigError.from_problems(describe_problems(error, "community", SessionParameters)) from error
    zone = ZoneInfo(checked.timezone)
    begin = (
        datetime.now(zone).replace(microsecond=0) if checked.start == "now" else datetime.fromisoformat(checked.start)
    )
    begin = begin.astimezone(zone) if begin.tzinfo else begin.replace(tzinfo=zone)
    _warn_of_clock(begin, checked)
    return {**checked.model_dump(mode="json"), "start": begin.isoformat()}


def open_community(parameters: Mapping[str, Any]) -> LiveCommunity:
    """Open the street of a session's parameters.

    Raises:
        ConfigError, DataError: they are not what `session_parameters` makes.
    """
    try:
        return LiveCommunity(SessionParameters.model_validate(dict(parameters)))
    except ValidationError as error:
        raise ConfigError.from_problems(describe_problems(error, "community", SessionParameters)) from error


def _metered(meters: Meters, powers: Powers, bus: Bus, prices: Prices, dt_h: float) -> Meters:
    given = np.maximum(powers.net_w, 0.0) * (dt_h / 1000)
    drawn = np.maximum(-powers.net_w, 0.0) * (dt_h / 1000)
    result = community_result_ct_per_h(*street_kw(powers.net_w), prices)
    return Meters(
        meters.export_kwh + given,
        meters.import_kwh + drawn,
        meters.sold_ct + given * prices.pv_delivery_ct_per_kwh,
        meters.bought_ct + drawn * prices.house_consumption_ct_per_kwh,
        meters.produced_kwh + bus.production_w * dt_h / 1000,
        meters.consumed_kwh + bus.consumption_w * dt_h / 1000,
        meters.grid_import_kwh + bus.grid_import_w * dt_h / 1000,
        meters.grid_export_kwh + bus.grid_export_w * dt_h / 1000,
        meters.shared_kwh + bus.shared_w * dt_h / 1000,
        meters.result_ct + float(result) * dt_h,
    )


def _parts(powers: Powers, bus: Bus) -> tuple[float, ...]:
    """W by DAY_PARTS: where consumption comes from, and what it is for."""
    own = float(np.minimum(powers.pv_w, powers.base_w + powers.flex_w).sum())
    used = powers.appliance_w.sum(axis=0).tolist()
    return (own, bus.shared_w, bus.grid_export_w, bus.grid_import_w, float(powers.base_w.sum()), *used)


def _warn_of_clock(begin: datetime, street: StreetConfig) -> None:
    """A clock far from the sun's: noon would be at night."""
    offset = begin.utcoffset()
    hours = offset.total_seconds() / 3600 if offset else 0.0
    if abs(hours - street.place[1] / 15) > 3:
        logger.warning(
            "clock far from the sun timezone=%s utc_offset_h=%g longitude_deg=%g",
            street.timezone, hours, street.place[1],
        )  # fmt: skip
