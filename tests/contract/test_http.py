"""What the server answers over HTTP, to browsers and to those who forge what browsers send."""

import json
import re
from pathlib import Path

import pytest
from plotly.utils import PlotlyJSONEncoder

from app import create_app
from callbacks import zones
from callbacks.services import open_services
from energy_sim.config import load_config
from energy_sim.runs import new_name
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.pipeline import write_run
from layouts import ids


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("http")
    text = f"database: {{url: 'sqlite:///{folder}/s.db'}}\nruns: {{folder: '{folder}/runs'}}\nlogging: {{file: ''}}\n"
    (folder / "config.yaml").write_text(text)
    return load_config(folder / "config.yaml")


@pytest.fixture(scope="module")
def services(config):
    return open_services(config)


@pytest.fixture(scope="module")
def client(services):
    return create_app(services).server.test_client()


@pytest.fixture(scope="module")
def callbacks(client):
    """Output name of a callback by the first of its inputs, as browsers are told."""
    found = client.get("/_dash-dependencies").get_json()
    return {f"{d['inputs'][0]['id']}.{d['inputs'][0]['property']}": d for d in found if d["inputs"]}


def call(client, callback, values):
    """Call a callback with values by component id; (status, answer)."""

    def filled(part):
        return [{**p, "value": values.get(p["id"])} for p in callback[part]]

    output = callback["output"]
    parts = output.strip(".").split("...")
    outputs = [dict(zip(("id", "property"), p.rsplit(".", 1), strict=True)) for p in parts]
    first = callback["inputs"][0]
    answer = client.post(
        "/_dash-update-component",
        json={
            "output": output,
            "outputs": outputs if output.startswith("..") else outputs[0],
            "inputs": filled("inputs"),
            "state": filled("state"),
            "changedPropIds": [f"{first['id']}.{first['property']}"],
        },
    )
    return answer.status_code, answer.get_data(as_text=True)


@pytest.fixture
def session(services):
    return services.sessions.create("zones", default_parameters(services.config))


def link(record):
    return {"session": record.id, "key": record.control_key}


def test_health_says_ok(client):
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/zones", "/community", "/library", "/nowhere"])
def test_pages_are_served_compressed_and_name_no_other_host(client, path):
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    text = client.get(path).get_data(as_text=True)
    assert "Kraftflyt" in text
    assert set(re.findall(r"https?://([^/\"'<> ]+)", text)) <= {"localhost"}


def test_every_asset_is_served_and_the_font_is_ours(client):
    for name in (
        "theme.css",
        "network.css",
        "community.css",
        "street.css",
        "community.js",
        "live.js",
        "network.js",
        "shell.js",
        "street.js",
        "zones.js",
        "fonts/inter-latin.woff2",
    ):
        with client.get(f"/assets/{name}") as answer:
            assert answer.status_code == 200, name
            assert len(answer.get_data()) > 1000


@pytest.mark.parametrize("path", ["/assets/../app.py", "/assets/%2e%2e/config.yaml", "/assets/..%2fconfig.yaml"])
def test_nothing_but_assets_is_served_as_a_file(client, path):
    with client.get(path) as answer:
        text = answer.get_data(as_text=True)
    assert "energy_sim" not in text
    assert "sqlite" not in text


def test_a_tick_without_news_answers_nothing_and_one_with_news_is_small(client, callbacks, services, session):
    tick = callbacks["tick.n_intervals"]
    status, text = call(client, tick, {ids.TICK: 1, ids.LINK: link(session), ids.SEEN: None})
    assert status == 200
    message = json.loads(text)["response"][ids.MESSAGE]["data"]
    assert (message["t"], message["d"]) == (0, "2016-01-01")
    seen = {"t": message["t"], "v": message["v"], "ep": message["ep"]}
    assert call(client, tick, {ids.TICK: 2, ids.LINK: link(session), ids.SEEN: seen}) == (204, "")
    services.sessions.control(session.id, session.control_key, "step")
    _, text = call(client, tick, {ids.TICK: 3, ids.LINK: link(session), ids.SEEN: seen})
    assert json.loads(text)["response"][ids.MESSAGE]["data"]["t"] == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scrub", 10**9),
        ("scrub", -1),
        ("scrub", "5"),
        ("scrub", None),
        ("speed", 99),
        ("speed", -1),
        ("speed", "fast"),
        ("speed", 1e400),
        ("wind", "maybe"),
        ("wind_factor", 1e9),
        ("wind_factor", "x"),
        ("no_such_control", 1),
        ("no_such_control", None),
        ("day", "2031-01-01"),
        ("day", 5),
        ("restart", None),
        ("restart", {"start": "never", "reservoir_factor": 1}),
        ("restart", {"start": "2018-01-12", "reservoir_factor": "much"}),
        ("restart", {"start": "2018-01-12", "reservoir_factor": -1}),
    ],
)
def test_a_command_that_makes_no_sense_is_answered_with_a_reason_and_changes_nothing(
    client, callbacks, services, session, name, value
):
    before = services.sessions.record(session.id)
    command = {"n": 7, "name": name, "value": value}
    status, text = call(
        client, callbacks["command.data"], {ids.COMMAND: command, ids.LINK: link(session), ids.SEEN: None}
    )
    assert status == 200
    answer = json.loads(text)["response"][ids.ACK]["data"]
    assert answer["n"] == 7
    assert answer["err"]
    assert "Traceback" not in text
    after = services.sessions.record(session.id)
    assert (after.revision, after.parameters, after.epoch) == (before.revision, before.parameters, before.epoch)


@pytest.mark.parametrize("key", ["", "x", None, 7])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("play", None), ("reset", None), ("scrub", 5), ("end", None), ("speed", 1), ("day", "2016-02-01")),
        *(("wind", False), ("wind_factor", 2), ("restart", {"start": "2018-01-12", "reservoir_factor": 1})),
    ],
)
def test_a_command_without_the_control_key_is_refused_and_changes_nothing(
    client, callbacks, services, session, key, name, value
):
    command = {"n": 1, "name": name, "value": value}
    values = {ids.COMMAND: command, ids.LINK: {"session": session.id, "key": key}, ids.SEEN: None}
    status, text = call(client, callbacks["command.data"], values)
    assert status == 200
    assert "only watches" in json.loads(text)["response"][ids.ACK]["data"]["err"]
    assert session.control_key not in text
    after = services.sessions.record(session.id)
    assert (after.revision, after.parameters, after.playing) == (0, session.parameters, False)
    assert services.sessions.events(session.id) == ()


@pytest.mark.parametrize("kind", ["/../../../stolen.html", "exe", "", None, "html/../x.html"])
def test_the_kind_of_an_export_cannot_lead_out_of_its_folder(client, callbacks, session, tmp_path, kind):
    values = {
        ids.ZONES_EXPORT_RUN: 1,
        ids.ZONES_EXPORT_WHAT: "flows",
        "zones-export-kind": kind,
        ids.LINK: link(session),
        ids.SEEN: {"t": 0},
    }
    status, text = call(client, callbacks[f"{ids.ZONES_EXPORT_RUN}.n_clicks"], values)
    assert status == 200
    assert "content" not in text
    assert "PNG, SVG or HTML" in text


def test_saving_takes_the_control_key(client, callbacks, services, session):
    save = callbacks[f"{ids.ZONES_SAVE}.n_clicks"]
    _, text = call(client, save, {ids.ZONES_SAVE: 1, ids.LINK: {"session": session.id, "key": ""}})
    assert "only watches" in text
    assert services.runs.list() == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "zones_20200101_000000_abcdef", "", "x" * 500])
def test_names_of_runs_from_outside_are_checked(client, callbacks, name):
    for wanted in ("run-export", "run-delete"):
        callback = next(c for key, c in callbacks.items() if wanted in key)
        prop = "n_clicks" if wanted == "run-export" else "submit_n_clicks"
        target = {"type": wanted, "run": name}
        places = [part.rsplit(".", 1) for part in callback["output"].strip(".").split("...")]
        outputs = [{"id": component, "property": part} for component, part in places]
        answer = client.post(
            "/_dash-update-component",
            json={
                "output": callback["output"],
                "outputs": outputs if len(outputs) > 1 else outputs[0],
                "inputs": [[{"id": target, "property": prop, "value": 1}]],
                "state": [],
                "changedPropIds": [f"{json.dumps(target, sort_keys=True, separators=(',', ':'))}.{prop}"],
            },
        )
        text = answer.get_data(as_text=True)
        assert "content" not in text
        assert "Traceback" not in text
        assert ("not a run" in text) or ("none of that name" in text)


def test_a_session_that_does_not_exist_gets_a_message_on_every_callback(client, callbacks):
    nobody = {"session": "nobody", "key": "x"}
    _, text = call(client, callbacks["tick.n_intervals"], {ids.TICK: 1, ids.LINK: nobody})
    assert "there is none" in text
    _, text = call(client, callbacks["command.data"], {ids.COMMAND: {"n": 1, "name": "play"}, ids.LINK: nobody})
    assert "there is none" in text


def test_a_playback_link_whose_run_is_gone_gets_a_message_from_a_process_that_never_had_it(config, tmp_path):
    runs = tmp_path / "runs"
    own = config.model_copy(update={"runs": config.runs.model_copy(update={"folder": str(runs)})})
    before = open_services(own)
    parameters = default_parameters(own)
    live = open_zones(own, parameters)
    name = new_name("zones")
    write_run(runs / name, live.request(parameters, (), 2, own.root), live.inputs, live.history((), 2))
    record = before.sessions.create("playback", {"run": name})
    before.runs.delete(name)
    app = create_app(open_services(own))
    with app.server.app_context():
        page = zones.page(session=record.id, key=record.control_key)
    assert "none of that name" in json.dumps(page, cls=PlotlyJSONEncoder)
