"""Files out of the zones page: nobody sees days to come, replays hold the session's days, saved runs are whole."""

import io
import json
import logging
import re

import pandas as pd
import pytest

from callbacks import exports
from callbacks.services import open_services
from callbacks.zones_exports import export, saved
from callbacks.zones_view import page_of
from energy_sim.config import load_config
from energy_sim.errors import DataError
from energy_sim.zones.live import default_parameters
from energy_sim.zones.message import tick_message
from energy_sim.zones.playback import open_playback
from layouts import ids
from layouts.replay import replay_page

NOW = 12


def opened(folder, can_save=True):
    path = folder / "config.yaml"
    path.write_text(
        f"database: {{url: 'sqlite:///{folder}/k.db'}}\nlogging: {{file: ''}}\n"
        f"runs: {{folder: {folder}/runs, save_from_page: {str(can_save).lower()}}}\n",
        encoding="utf-8",
    )
    return open_services(load_config(path))


def started(services):
    """A session at its thirteenth day with changes on days 2 and 7."""
    sessions = services.sessions
    record = sessions.create("zones", default_parameters(services.config))
    for tick, control, value in ((1, "two_hop", False), (6, "consumption_factor", 2.0)):
        sessions.control(record.id, record.control_key, "scrub", tick)
        sessions.control(record.id, record.control_key, control, value)
    return sessions.control(record.id, record.control_key, "scrub", NOW)


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def record(services):
    return started(services)


def replayed(text):
    return json.loads(re.search(r'<script id="replay" type="application/json">(.*?)</script>', text, re.DOTALL)[1])


@pytest.mark.parametrize(
    ("tick", "days"), [(0, 1), (4, 5), (12, 13), (13, 13), (2000, 13), (-5, 13), (None, 13), ("3", 13), (10**30, 13)]
)
def test_a_file_ends_at_a_day_the_session_has_reached(services, record, tick, days):
    content, name = export(services, record.id, "daily_summary", "csv", "dark", tick)
    assert len(pd.read_csv(io.BytesIO(content))) == days
    assert name == f"daily_summary_2016-01-{days:02d}.csv"
    messages = replayed(export(services, record.id, "replay", "html", "dark", tick)[0].decode())["messages"]
    assert [m["t"] for m in messages] == list(range(days))


def test_a_replay_holds_the_days_of_the_session_and_the_changes_until_then(services, record):
    data = replayed(export(services, record.id, "replay", "html", "dark", NOW)[0].decode())
    assert len(data["messages"]) == NOW + 1
    live = services.sessions.live(record.id)
    clock = {"n", "p", "r", "e", "v", "ep", "s"}  # the replay's own
    for tick, message in enumerate(data["messages"]):
        shown = json.loads(json.dumps(tick_message(services.sessions.frame_at(record.id, tick), [], live)))
        assert {k: v for k, v in message.items() if k not in clock} == {
            k: v for k, v in shown.items() if k not in clock
        }
    assert data["static"]["events"] == [[2, "two_hop", False], [7, "consumption_factor", 2.0]]
    early = replayed(export(services, record.id, "replay", "html", "dark", 4)[0].decode())
    assert early["static"]["events"] == [[2, "two_hop", False]]


@pytest.mark.parametrize(
    ("theme", "used"), [("light", "light"), ("dark", "dark"), ('"><script>x', "dark"), (None, "dark")]
)
def test_a_theme_is_dark_or_light_whatever_the_browser_says(services, record, theme, used):
    text = export(services, record.id, "replay", "html", theme, 1)[0].decode()
    assert f'data-theme="{used}"' in text
    assert replayed(text)["static"]["theme"] == used
    assert b"Plotly.newPlot" in export(services, record.id, "flows", "html", theme, 1)[0]


def test_a_title_is_text_and_no_markup():
    page = replay_page(exports.ASSETS, "<script>x</script> & more", "dark", {}, [])
    assert page.count("&lt;script&gt;x&lt;/script&gt; &amp; more") == 2
    assert "<script>x</script>" not in page


def test_who_finds_every_place_taken_is_told_to_come_back(services, record, monkeypatch):
    monkeypatch.setattr(exports, "TURN_WAIT_S", 0.01)
    with exports.turn(), exports.turn():
        for what in ("network", "replay"):
            with pytest.raises(DataError, match=r"busy with other exports .* try again in a minute"):
                export(services, record.id, what, "html", "dark", 1)
        assert export(services, record.id, "transfers", "csv", "dark", 1)[0].startswith(b"date,")
    assert export(services, record.id, "network", "html", "dark", 1)


def test_a_saved_run_has_the_days_figures_and_log_of_one_of_the_command_line(services, record, caplog):
    with caplog.at_level(logging.INFO, logger="energy_sim"):
        saved(services, {"session": record.id, "key": record.control_key})
    (run,) = services.runs.list()
    files = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*") if path.is_file()}
    tables = {f"{t}.{kind}" for t in ("daily_summary", "zone_metrics", "transfers") for kind in ("csv", "parquet")}
    names = (
        "energy_flows_summary",
        "reservoir_levels",
        "energy_exchange_curved",
        "energy_exchange_split_import_export",
    )
    figures = {f"figures/{name}.html" for name in names}
    assert files == tables | figures | {"params.json", "summary.json", "simulation.log"}
    log = (run.folder / "simulation.log").read_text()
    assert "run first=2016-01-01 days=13 warm_up_days=0 changes=2 transfers=" in log
    assert log.count("figure written") == 4
    played = open_playback(services.runs, run.name)
    assert [(e.tick, e.control, e.value) for e in played.recorded_events()] == [
        (2, "two_hop", False),
        (7, "consumption_factor", 2.0),
    ]


def test_a_link_that_only_watches_and_a_finished_run_are_not_saved(services, record):
    for key in ("", None, "wrong", record.control_key[:-1]):
        with pytest.raises(DataError, match="only watches"):
            saved(services, {"session": record.id, "key": key})
    before = len(services.runs.list())
    saved(services, {"session": record.id, "key": record.control_key})
    run = services.runs.list()[0].name
    playback = services.sessions.create("playback", {"run": run})
    with pytest.raises(DataError, match="a finished run already"):
        saved(services, {"session": playback.id, "key": playback.control_key})
    assert len(services.runs.list()) == before + 1


@pytest.mark.parametrize("allowed", [True, False])
def test_runs_are_saved_from_the_page_only_where_the_configuration_allows_it(tmp_path, allowed):
    services = opened(tmp_path, allowed)
    record = started(services)
    assert (ids.ZONES_SAVE in str(page_of(services, record.id, record.control_key, "dark"))) is allowed
    assert f"'{ids.ZONES_SAVE}'" not in str(page_of(services, record.id, "", "dark"))
    if not allowed:
        with pytest.raises(DataError, match="energy-sim zones run"):
            saved(services, {"session": record.id, "key": record.control_key})
        assert services.runs.list() == []


def test_playback_offers_neither_stories_nor_lines_that_a_run_does_not_keep(services, record):
    live = str(page_of(services, record.id, record.control_key, "dark"))
    saved(services, {"session": record.id, "key": record.control_key})
    run = services.runs.list()[0].name
    played = services.sessions.create("playback", {"run": run})
    page = str(page_of(services, played.id, played.control_key, "dark"))
    for told_only_live in ("'value': 'recorded'", "'value': 'median'", "'title': 'What neighbours are worth'"):
        assert told_only_live in live
        assert told_only_live not in page
    assert "'value': 'target'" in page
    assert f"Playback \u00b7 Run {run}" in page
