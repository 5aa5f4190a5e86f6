"""What the server answers about the street over HTTP, to programs, browsers, and those who forge what browsers send."""

import json

import pytest
from plotly.utils import PlotlyJSONEncoder

from app import create_app
from callbacks import community
from callbacks.services import open_services
from energy_sim.community.live import session_parameters
from energy_sim.config import load_config
from energy_sim.zones.live import default_parameters
from layouts import ids
from layouts.community import COMMUNITY
from tests.browser.dashboard import street_at
from tests.contract.test_http import call, link

WANTED = {"houses": 14, "time_scale": 60.0, "start": "2026-07-10T12:00", "seed": 3}
HOUSE = {"house_id", "pv_power_w", "base_load_w", "flex_load_w", "net_power_w", "running"}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    text = f"database: {{url: 'sqlite:///{folder}/s.db'}}\nruns: {{folder: '{folder}/runs'}}\nlogging: {{file: ''}}\n"
    (folder / "config.yaml").write_text(text)
    return load_config(folder / "config.yaml")


@pytest.fixture(scope="module")
def services(config):
    return open_services(config)


@pytest.fixture(scope="module")
def app(services):
    return create_app(services)


@pytest.fixture(scope="module")
def client(app):
    return app.server.test_client()


@pytest.fixture(scope="module")
def callbacks(client):
    found = client.get("/_dash-dependencies").get_json()
    return {f"{d['inputs'][0]['id']}.{d['inputs'][0]['property']}": d for d in found if d["inputs"]}


@pytest.fixture
def session(services):
    """A session at its seventh tick."""
    record = services.sessions.create("community", session_parameters(services.config.community, WANTED))
    return services.sessions.control(record.id, record.control_key, "scrub", 6)


def page_text(app, **query):
    with app.server.app_context():
        return json.dumps(community.page(**query), cls=PlotlyJSONEncoder)


def command(client, callbacks, record, name, value, key=None):
    """The answer to a command: (message or None, error)."""
    place = {"session": record.id, "key": record.control_key if key is None else key}
    values = {COMMUNITY.command: {"n": 7, "name": name, "value": value}, COMMUNITY.link: place, COMMUNITY.seen: None}
    status, text = call(client, callbacks[f"{COMMUNITY.command}.data"], values)
    assert status == 200
    assert "Traceback" not in text
    found = json.loads(text)["response"]
    assert found[COMMUNITY.ack]["data"]["n"] == 7
    return found.get(COMMUNITY.message, {}).get("data"), found[COMMUNITY.ack]["data"]["err"]


def test_the_state_is_the_records_of_the_tick_under_their_names(client, config, session):
    core = street_at(config.root / "config.yaml", WANTED, 6)
    state = client.get(f"/api/community/{session.id}/state").get_json()
    assert set(state) == {"session", "tick", "time", "duration_s", "houses", "community", "grid"}
    assert (state["session"], state["tick"], state["duration_s"]) == (session.id, 6, 60)
    assert state["time"] == "2026-07-10T12:06:00+02:00"
    assert [set(row) for row in state["houses"]] == [HOUSE] * 14
    assert set(state["grid"]) == {"grid_import_w", "grid_export_w"}
    p, bus = core.frame.powers, core.frame.bus
    for name, column in (("pv_power_w", p.pv_w), ("base_load_w", p.base_w), ("flex_load_w", p.flex_w)):
        assert [row[name] for row in state["houses"]] == column.tolist()
    assert [row["house_id"] for row in state["houses"]] == [f"house_{i}" for i in range(1, 15)]
    assert state["community"] == {
        "total_production_w": bus.production_w,
        "total_consumption_w": bus.consumption_w,
        "net_community_power_w": bus.net_w,
    }
    assert state["grid"]["grid_import_w"] - state["grid"]["grid_export_w"] == pytest.approx(-bus.net_w)
    for row, house in zip(state["houses"], range(14), strict=True):
        assert row["net_power_w"] == pytest.approx(
            row["pv_power_w"] - row["base_load_w"] - row["flex_load_w"], abs=1e-6
        )
        assert len(row["running"]) == len(core.running(house))


def test_the_state_of_an_earlier_tick_can_be_asked_for(client, config, session):
    core = street_at(config.root / "config.yaml", WANTED, 2)
    state = client.get(f"/api/community/{session.id}/state?tick=2").get_json()
    assert (state["tick"], state["time"]) == (2, "2026-07-10T12:02:00+02:00")
    assert [row["net_power_w"] for row in state["houses"]] == core.frame.powers.net_w.tolist()


@pytest.mark.parametrize("tick", ["-1", "x", "1.5", "", "1000000", "9" * 30])
def test_a_tick_that_there_is_not_is_a_404_with_the_reason_as_json(client, session, tick):
    answer = client.get(f"/api/community/{session.id}/state?tick={tick}")
    assert answer.status_code == 404
    assert answer.is_json
    assert "tick" in answer.get_json()["error"]


def test_a_session_that_there_is_not_or_of_another_page_is_a_404_with_the_reason_as_json(client, services):
    zones = services.sessions.create("zones", default_parameters(services.config))
    for name, said in (("nobody", "there is none"), (zones.id, "is one of zones"), ("x" * 3000, "there is none")):
        answer = client.get(f"/api/community/{name}/state")
        assert answer.status_code == 404
        assert said in answer.get_json()["error"]
        answer = client.get(f"/community/statements/{name}")
        assert answer.status_code == 404
        assert said in answer.get_data(as_text=True)


def test_statements_are_printed_for_a_month_that_was_metered_and_for_no_other(client, session):
    answer = client.get(f"/community/statements/{session.id}?month=2026-07")
    assert answer.status_code == 200
    assert answer.get_data(as_text=True).count("<section") == 15
    for month in ("2026-08", "<script>", "x" * 400):
        answer = client.get(f"/community/statements/{session.id}", query_string={"month": month})
        assert (answer.status_code, answer.mimetype) == (404, "text/plain")
        assert "2026-07" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"houses": "0"}, "houses: 0 is below 1"),
        ({"houses": "10001"}, "houses: 10001 is above 10000"),
        ({"houses": "five"}, "'five' is no whole number"),
        ({"houses": "5.5"}, "'5.5' is no whole number"),
        ({"houses": ["5", "0"]}, "houses: 0 is below 1"),
        ({"time_scale": "0"}, "time_scale"),
        ({"time_scale": "nan"}, "time_scale"),
        ({"update_interval_ms": "20"}, "update_interval_ms"),
        ({"start": "yesterday"}, "start"),
        ({"place": "far away"}, "place"),
        ({"session": "nobody"}, "there is none"),
        ({"run": "../../etc/passwd"}, "not a run's name"),
        ({"run": "community_20200101_000000_abcdef"}, "none of that name"),
    ],
)
def test_a_link_that_cannot_be_opened_gets_a_page_that_says_why_and_leaves_no_session(app, services, query, says):
    before = services.sessions.playing("community")
    text = page_text(app, **query)
    assert says in text
    assert "kf-message-page" in text
    assert "/community" in text
    assert services.sessions.playing("community") == before


def test_a_link_to_watch_carries_no_key(app, session):
    assert session.control_key not in page_text(app, session=session.id)
    assert session.control_key not in page_text(app, session=session.id, key="wrong")
    assert session.control_key in page_text(app, session=session.id, key=session.control_key)


def test_a_tick_tells_of_the_houses_that_somebody_looks_at_and_nothing_twice(client, callbacks, session):
    tick = callbacks[f"{COMMUNITY.tick}.n_intervals"]
    values = {COMMUNITY.tick: 1, COMMUNITY.link: link(session), COMMUNITY.seen: None}
    status, text = call(client, tick, values)
    message = json.loads(text)["response"][COMMUNITY.message]["data"]
    assert (status, message["t"], message["F"]) == (200, 6, [])
    assert len(json.dumps(message, separators=(",", ":"))) <= 4096
    seen = {"t": message["t"], "v": message["v"], "ep": message["ep"], "f": [2]}
    assert call(client, tick, {**values, COMMUNITY.seen: seen}) == (204, "")
    _, text = call(client, tick, {**values, COMMUNITY.seen: {**seen, "t": -1, "v": -1}})
    (row,) = json.loads(text)["response"][COMMUNITY.message]["data"]["F"]
    assert row[0] == 2


@pytest.mark.parametrize("focus", [["x"], [None], [10**9], [-1], 5, "house_1", [[1]]])
def test_a_forged_list_of_houses_breaks_nothing(client, callbacks, services, session, focus):
    seen = {"t": 0, "v": 0, "ep": 0, "f": focus}
    values = {COMMUNITY.tick: 1, COMMUNITY.link: link(session), COMMUNITY.seen: seen}
    status, text = call(client, callbacks[f"{COMMUNITY.tick}.n_intervals"], values)
    assert status == 200
    assert "Traceback" not in text
    assert services.sessions.frame(session.id).tick == 6


def test_the_switch_for_clouds_sets_the_words_of_the_core_and_nothing_twice(client, callbacks, services, session):
    for value, word, events in ((True, "enabled", 0), (False, "disabled", 1), (False, "disabled", 1)):
        _, error = command(client, callbacks, session, "pv_variation", value)
        assert error == ""
        assert services.sessions.frame(session.id).next_settings["pv_variation"] == word
        assert len(services.sessions.events(session.id)) == events


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price_pv_delivery", "dear"),
        ("price_pv_delivery", -1),
        ("price_pv_delivery", 1e400),
        ("price_pv_delivery", None),
        ("pv_kwp.house_2", -3),
        ("pv_kwp.house_2", "7"),
        ("pv_kwp.house_99", 7),
        ("pv_kwp", 7),
        ("base_load_kwh.house_2", 1e9),
        ("start.house_1.ev", 1),  # it has none
        ("start.house_2.ev", 0),
        ("start.house_2.ev", 1.5),
        ("start.house_2.toaster", 1),
        ("start.house_2", 1),
        ("time_scale", 0),
        ("time_scale", 4000),
        ("flex_load_probability", 1.01),
        ("pv_variation", "maybe"),
        ("no_such_control", 1),
        ("scrub", -1),
        ("restart", None),
        ("restart", 5),
        ("restart", {"houses": "0"}),
        ("restart", {"houses": "10001"}),
        ("restart", {"houses": "many"}),
        ("restart", {"houses": [1]}),
        ("restart", {"start": "never"}),
        ("restart", {"update_interval_ms": "100"}),
        ("restart", {"seed": "-1"}),
        ("restart", {"no_such": 1}),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_with_a_reason_and_changes_nothing(
    client, callbacks, services, session, name, value
):
    before = services.sessions.record(session.id)
    _, error = command(client, callbacks, session, name, value)
    assert error
    after = services.sessions.record(session.id)
    assert (after.revision, after.parameters, after.epoch) == (before.revision, before.parameters, before.epoch)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("play", None), ("reset", None), ("scrub", 5), ("time_scale", 10), ("price_pv_delivery", 3)),
        *(("pv_kwp.house_2", 1), ("start.house_2.ev", 5), ("pv_variation", False), ("restart", {"houses": 9})),
    ],
)
def test_a_command_without_the_control_key_is_refused_and_changes_nothing(
    client, callbacks, services, session, name, value
):
    before = services.sessions.record(session.id)
    for key in ("", "x", 7):
        _, error = command(client, callbacks, session, name, value, key)
        assert "only watches" in error
    after = services.sessions.record(session.id)
    assert (after.revision, after.parameters, after.playing) == (before.revision, before.parameters, False)
    assert services.sessions.events(session.id) == ()


def test_an_answer_to_a_command_tells_of_the_houses_that_somebody_looks_at(client, callbacks, session):
    place = {COMMUNITY.link: link(session), COMMUNITY.seen: {"t": 6, "v": 1, "ep": 0, "f": [1, 4]}}
    for name, value in (("pv_kwp.house_2", -1), ("pv_kwp.house_2", 2)):
        values = {COMMUNITY.command: {"n": 1, "name": name, "value": value}, **place}
        _, text = call(client, callbacks[f"{COMMUNITY.command}.data"], values)
        message = json.loads(text)["response"][COMMUNITY.message]["data"]
        assert [row[0] for row in message["F"]] == [1, 4]


@pytest.mark.parametrize("kind", ["/../../../stolen.html", "exe", "", None])
def test_the_kind_of_an_export_cannot_lead_out_of_its_folder(client, callbacks, session, kind):
    values = {
        ids.COMMUNITY_EXPORT_RUN: 1,
        ids.COMMUNITY_EXPORT_WHAT: "power",
        ids.COMMUNITY_EXPORT_KIND: kind,
        COMMUNITY.link: link(session),
    }
    status, text = call(client, callbacks[f"{ids.COMMUNITY_EXPORT_RUN}.n_clicks"], values)
    assert status == 200
    assert "content" not in text
    assert "PNG, SVG or HTML" in text


def test_saving_takes_the_control_key(client, callbacks, services, session):
    values = {ids.COMMUNITY_SAVE: 1, COMMUNITY.link: {"session": session.id, "key": ""}}
    _, text = call(client, callbacks[f"{ids.COMMUNITY_SAVE}.n_clicks"], values)
    assert "only watches" in text
    assert services.runs.list() == []


def test_a_house_that_there_is_not_gets_no_chart_and_no_traceback(client, callbacks, session):
    chart = callbacks[f"{ids.COMMUNITY_SELECTED}.data"]
    for house in (99, -99, "house_1", None):
        values = {ids.COMMUNITY_SELECTED: {"house": house}, COMMUNITY.link: link(session)}
        status, text = call(client, chart, values)
        assert status == 200
        assert "Traceback" not in text
        assert "Something failed" not in text
