"""What live pages share on the server: commands obeyed or answered with what is wrong, links kept to their page."""

from types import SimpleNamespace

import pytest

from callbacks import live_view
from energy_sim.database import open_database
from energy_sim.errors import DataError
from energy_sim.session import Room, Sessions


class Lamp:
    """A room of eleven ticks with one control."""

    last_tick = 10

    def defaults(self):
        return {"on": False}

    def check(self, control, value):
        if not isinstance(value, bool):
            raise DataError(f"lamp.{control}: {value!r} is neither on nor off")
        return value

    def start(self):
        return 0

    def step(self, state, tick, settings):
        return state, {"tick": tick, **settings}

    def encode(self, state):
        return str(state)

    def decode(self, text):
        return int(text)


@pytest.fixture
def services(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/sessions.db")
    sessions = Sessions(engine, [Room("lamp", lambda _parameters, _seed: Lamp())], clock_s=lambda: 1_700_000_000.0)
    yield SimpleNamespace(sessions=sessions)
    engine.dispose()


@pytest.fixture
def link(services):
    record = services.sessions.create("lamp", {})
    return {"session": record.id, "key": record.control_key}


def message_of(frame, earlier, live):
    return {
        "t": frame.tick,
        "v": frame.revision,
        "ep": frame.epoch,
        "s": [f.tick for f in earlier],
        "n": live.last_tick,
    }


def since(services, session, seen):
    return live_view.message_since(services, session, seen, 5, message_of)


def nothing_own(_services, _link, _name, _value):
    return False


def obey(services, link, name, value=None, own=nothing_own):
    return live_view.obey(services, link, {}, {"n": 7, "name": name, "value": value}, since, own)


def test_the_clock_goes_where_commands_say_and_stays_within_the_session(services, link):
    ticks = []
    for name, value in (("step", None), ("move", 4), ("back", None), ("move", -9), ("scrub", 6), ("end", None)):
        message, answer = obey(services, link, name, value)
        assert answer == {"n": 7, "err": ""}
        ticks.append(message["t"])
    assert ticks == [1, 5, 4, 0, 6, 10]


def test_a_control_that_is_as_it_shall_be_already_makes_no_event(services, link):
    for value in (False, True, True):
        obey(services, link, "on", value)
    assert [(e.tick, e.control, e.value) for e in services.sessions.events(link["session"])] == [(1, "on", True)]


def test_a_command_of_the_page_is_carried_out_by_the_page_alone(services, link):
    asked = []

    def own(_services, _link, name, value):
        asked.append((name, value))
        return name == "step"

    message, answer = obey(services, link, "step", 3, own)
    assert (message["t"], answer["err"], asked) == (0, "", [("step", 3)])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("on", 3, "lamp.on: 3 is neither on nor off"),
        ("move", "far", "move: 'far' cannot be used"),
        ("dance", None, "lamp.dance: there is no such control"),
    ],
)
def test_what_cannot_be_done_is_answered_and_changes_nothing(services, link, name, value, says):
    obey(services, link, "scrub", 3)
    message, answer = obey(services, link, name, value)
    assert says in answer["err"]
    assert answer["n"] == 7
    assert message["t"] == 3
    assert services.sessions.events(link["session"]) == ()


def test_a_link_without_the_key_is_refused_and_its_key_is_not_held(services, link):
    _, answer = obey(services, {**link, "key": ""}, "step")
    assert "only watches" in answer["err"]
    record = services.sessions.record(link["session"])
    assert [live_view.holds_key(record, key) for key in (link["key"], "", "wrong")] == [True, False, False]


def test_a_message_comes_when_something_is_new_and_counts_the_events_when_they_may_differ(services, link):
    first = since(services, link["session"], {})
    assert first["evn"] == 0
    assert since(services, link["session"], first) is None
    obey(services, link, "on", True)
    changed = since(services, link["session"], first)
    assert (changed["t"], changed["evn"]) == (0, services.sessions.events(link["session"])[0].seq)


def test_a_session_opens_on_the_page_of_its_room_only(services, link):
    live_view.may_open(services, link["session"], ("lamp",))
    with pytest.raises(DataError, match="is one of lamp; open the link on the page it was copied from"):
        live_view.may_open(services, link["session"], ("zones", "playback"))
    with pytest.raises(DataError, match="there is none"):
        live_view.may_open(services, "nobody", ("lamp",))
