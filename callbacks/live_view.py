"""What every live page does on the server: messages since what was seen, commands obeyed, stories that can be told."""

import hmac
import logging
from collections.abc import Callable, Sequence
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from callbacks.services import Services, services
from energy_sim.clock import CLOCK_CONTROLS, Event, SessionRecord
from energy_sim.config import Config
from energy_sim.errors import ConfigError, DataError
from energy_sim.session import Frame
from energy_sim.stories import stories_for
from layouts.live import LiveIds

logger = logging.getLogger("energy_sim.callbacks")

Message = dict[str, Any]
MessageOf = Callable[[Frame, Sequence[Frame], Any], Message]
"""The message of a frame; earlier frames give the chart rows in between, the room's opened inputs the rest."""
Since = Callable[[Services, str, dict[str, Any]], Message | None]
"""A page's `message_since`: services, session, what was seen."""
Own = Callable[[Services, dict[str, str], str, Any], bool]
"""Carries out a command that only one page has (services, link, name, value); False when it is none of those."""


def may_open(services: Services, session: str, rooms: Sequence[str]) -> None:
    """Refuse a link whose session does not exist, cannot be opened any more, or belongs to another page.

    Raises:
        DataError, ConfigError: saying which of these.
    """
    services.sessions.live(session)
    room = services.sessions.record(session).room
    if room not in rooms:
        raise DataError(f"session {session}: is one of {room}; open the link on the page it was copied from")


def holds_key(record: SessionRecord, key: str) -> bool:
    """Whether a link may control the session, compared in constant time."""
    return hmac.compare_digest(key.encode(), record.control_key.encode())


def told(config: Config, page: str) -> list[dict[str, Any]]:
    """The stories that can be told on a page; files that cannot be used are logged and left out."""
    try:
        return [story.to_json() for story in stories_for(config.path(config.stories.folder), page)]
    except ConfigError as error:
        logger.warning("stories left out reason=%s", error)
        return []


def last_event(events: Sequence[Event]) -> int:
    """A number that differs when the events do: the page then asks for its charts and marks anew."""
    return max((event.seq for event in events), default=0)


def message_since(
    services: Services, session: str, seen: dict[str, Any], max_rows: int, message_of: MessageOf
) -> Message | None:
    """The message of the current tick with the chart rows since what was seen; None when nothing is new."""
    frames = services.sessions.frames_since(session, int(seen.get("t", -1)), int(seen.get("ep", -1)), max_rows)
    frame = frames[-1]
    if (frame.tick, frame.revision) == (seen.get("t"), seen.get("v")):
        return None
    message = message_of(frame, frames[:-1], frame.room)
    if frame.revision != seen.get("v"):
        message["evn"] = last_event(services.sessions.events(session))
    return message


def obey(
    services: Services, link: dict[str, str], seen: dict[str, Any], command: dict[str, Any], since: Since, own: Own
) -> tuple[Message | None, dict[str, Any]]:
    """Carry out a command of a page: the moment as it is now, and the answer {n, err}."""
    sessions, session, key = services.sessions, link["session"], link["key"]
    if not isinstance(command, dict) or not isinstance(command.get("name"), str):
        return None, {"n": None, "err": "a command needs the name of a control"}
    name, value = command["name"], command.get("value")
    error = ""
    try:
        last_tick = sessions.live(session).last_tick
        if own(services, link, name, value):
            pass
        elif name == "end":
            sessions.control(session, key, "scrub", last_tick)
        elif name == "move":
            sessions.control(session, key, "pause")
            tick = sessions.frame(session).tick + int(value)
            sessions.control(session, key, "scrub", min(max(tick, 0), last_tick))
        elif name in CLOCK_CONTROLS or (name, value) not in sessions.frame(session).next_settings.items():
            sessions.control(session, key, name, value)
    except (DataError, ConfigError) as found:
        error = str(found)
    except (ValueError, KeyError, TypeError, IndexError) as found:
        error = f"{name}: {value!r} cannot be used ({found})"
    message = since(services, session, {k: v for k, v in seen.items() if k != "v"})  # one comes in any case
    return message, {"n": command.get("n"), "err": error}


def register(app: Dash, own_ids: LiveIds, since: Since, own: Own, draw: str) -> None:
    """Attach the callbacks of a page: ticks, commands and their acknowledgement, drawing, charts that arrived.

    Args:
        app: the app.
        own_ids: the page's stores.
        since: its messages.
        own: its own commands.
        draw: name of its function in the browser: (message, static, link) -> what was drawn.
    """

    @app.callback(
        Output(own_ids.message, "data"),
        Input(own_ids.tick, "n_intervals"),
        State(own_ids.link, "data"),
        State(own_ids.seen, "data"),
        running=[(Output(own_ids.tick, "disabled"), True, False)],
        prevent_initial_call=True,
    )
    def tick(_n: int, link: dict[str, str], seen: dict[str, int] | None) -> Any:
        message = since(services(), link["session"], seen or {})
        if message is None:
            raise PreventUpdate
        return message

    @app.callback(
        Output(own_ids.message, "data", allow_duplicate=True),
        Output(own_ids.ack, "data"),
        Input(own_ids.command, "data"),
        State(own_ids.link, "data"),
        State(own_ids.seen, "data"),
        prevent_initial_call=True,
    )
    def control(command: dict[str, Any], link: dict[str, str], seen: dict[str, int] | None) -> Any:
        message, answer = obey(services(), link, seen or {}, command, since, own)
        return message or no_update, answer

    # by a store of its own: a message may be overtaken by the next one before the page sees it
    app.clientside_callback(ClientsideFunction("kraftflyt", "acknowledged"), Input(own_ids.ack, "data"))
    app.clientside_callback(
        ClientsideFunction("kraftflyt", draw),
        Output(own_ids.seen, "data"),
        Input(own_ids.message, "data"),
        State(own_ids.static, "data"),
        State(own_ids.link, "data"),
    )
    app.clientside_callback(ClientsideFunction("kraftflyt", "chartsArrived"), Input(own_ids.charted, "data"))
