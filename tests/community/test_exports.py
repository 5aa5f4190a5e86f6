"""Files out of the community page: the session's numbers, no moment to come, whole runs, messages otherwise."""

import io
import json

import pandas as pd
import pytest
from plotly.utils import PlotlyJSONEncoder

from callbacks import community_exports
from callbacks.community_exports import (
    export,
    file_of_run,
    printable_statements,
    saved,
    side_by_side,
    statement_tables,
)
from callbacks.services import open_services
from energy_sim.community.live import open_community, session_parameters
from energy_sim.community.pipeline import frames
from energy_sim.community.statements import statement_csv, statement_table
from energy_sim.config import load_config
from energy_sim.errors import DataError

WANTED = {"houses": 6, "time_scale": 3600.0, "start": "2026-07-31T20:00", "seed": 3}
NOW = 30  # 2 a.m. on 2 August: two months were metered
CHANGES = ((1, "pv_kwp.house_2", 9.0), (3, "price_pv_delivery", 0.0), (8, "start.house_2.ev", 4))


def opened(folder, can_save=True):
    path = folder / "config.yaml"
    path.write_text(
        f"database: {{url: 'sqlite:///{folder}/k.db'}}\nlogging: {{file: ''}}\n"
        f"runs: {{folder: {folder}/runs, save_from_page: {str(can_save).lower()}}}\n",
        encoding="utf-8",
    )
    return open_services(load_config(path))


def started(services):
    """A session at NOW with changes, each made at the tick before it acts."""
    record = services.sessions.create("community", session_parameters(services.config.community, WANTED))
    for tick, control, value in CHANGES:
        services.sessions.control(record.id, record.control_key, "scrub", tick - 1)
        services.sessions.control(record.id, record.control_key, control, value)
    return services.sessions.control(record.id, record.control_key, "scrub", NOW)


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="module")
def record(services):
    return started(services)


@pytest.fixture(scope="module")
def history(services, record):
    """The ticks as the core steps them."""
    live = open_community(record.parameters)
    return list(frames(live, NOW + 1, services.sessions.events(record.id)))


@pytest.fixture(scope="module")
def run(services, record):
    return saved(services, {"session": record.id, "key": record.control_key})[1].children


def read(content):
    return pd.read_csv(io.BytesIO(content))


@pytest.mark.parametrize(
    ("tick", "rows"), [(0, 1), (7, 8), (NOW, 31), (NOW + 1, 31), (-5, 31), (None, 31), ("3", 31), (10**30, 31)]
)
def test_a_table_ends_at_a_tick_the_session_has_reached(services, record, history, tick, rows):
    content, name = export(services, record.id, "ticks", "csv", "dark", tick)
    table = read(content)
    assert table.tick.tolist() == list(range(rows))
    assert table.net_community_power_w.tolist() == [f.bus.net_w for f in history[:rows]]
    hour = 20 + rows - 1
    assert name == f"ticks_2026{'0731' if hour < 24 else '0801' if hour < 48 else '0802'}_{hour % 24:02d}0000.csv"


def test_the_table_of_houses_has_each_tick_of_each_house(services, record, history):
    table = read(export(services, record.id, "houses", "csv", "dark", NOW)[0])
    assert len(table) == 6 * 31
    second = table[table.house_id == "house_2"]
    assert second.net_power_w.tolist() == [f.powers.net_w[1] for f in history]
    assert second.flex_load_w[second.tick == 8].item() >= 11_000  # the car that was started
    assert second.flex_load_w[second.tick == 7].item() < 11_000


def test_statements_of_both_months_follow_each_other_under_one_heading(services, record, history):
    content, name = export(services, record.id, "statements", "csv", "dark", NOW)
    assert name == "statements_20260802_020000.csv"
    table = read(content)
    assert table.house_id.tolist() == 2 * [*(f"house_{i}" for i in range(1, 7)), "community"]
    assert table.period_from.str[:7].tolist() == ["2026-07"] * 7 + ["2026-08"] * 7
    live = services.sessions.live(record.id)
    expected = pd.concat([statement_table(m, live.house_ids, live.timezone) for m in history[-1].months])
    assert table.export_kwh.tolist() == pytest.approx(expected.export_kwh.tolist())
    assert table.bought_amount.tolist() == pytest.approx(expected.bought_amount.tolist())
    assert table.period_to[0] == table.period_from[7]
    houses = table[table.house_id != "community"]
    for column in ("export_kwh", "import_kwh", "sold_amount", "bought_amount"):
        sums = houses.groupby("period_from")[column].sum()
        total = table[table.house_id == "community"].set_index("period_from")[column]
        assert sums.tolist() == pytest.approx(total.tolist(), abs=1e-9)
    assert statement_csv(history[-1].months, live.house_ids, live.timezone).encode() == content
    early = read(export(services, record.id, "statements", "csv", "dark", 2)[0])
    assert early.period_from.str[:7].unique().tolist() == ["2026-07"]


def test_statements_on_the_page_are_the_newest_month_first_with_a_page_to_print_of_each(services, record):
    text = json.dumps(statement_tables(services, record.id), cls=PlotlyJSONEncoder)
    assert text.index("Statements of 2026-08") < text.index("Statements of 2026-07")
    assert f"/community/statements/{record.id}?month=2026-07" in text
    july = printable_statements(services, record.id, "2026-07")
    assert "Statements of July 2026" in july
    assert "31 July 2026 20:00 to 01 August 2026 00:00" in july
    assert "Statements of August 2026" in printable_statements(services, record.id, "")
    with pytest.raises(DataError, match="choose among 2026-07, 2026-08"):
        printable_statements(services, record.id, "2026-09")


def test_a_long_street_shows_the_first_houses_and_the_sum_and_says_how_many_are_left_out(services, monkeypatch):
    monkeypatch.setattr(community_exports, "MOST_SHOWN", 4)
    many = services.sessions.create("community", session_parameters(services.config.community, WANTED))
    text = json.dumps(statement_tables(services, many.id), cls=PlotlyJSONEncoder)
    assert "house_4" in text
    assert "house_5" not in text
    assert '"community"' in text
    assert "2 houses more in the exported table" in text


@pytest.mark.parametrize("what", ["power", "sankey", "street"])
def test_figures_as_a_page_open_alone(services, record, what):
    content, name = export(services, record.id, what, "html", "light", NOW)
    assert name == f"{what}_20260802_020000.html"
    assert b"Plotly.newPlot" in content
    assert b'src="http' not in content


@pytest.mark.parametrize(
    ("what", "kind", "says"),
    [
        ("ticks", "png", "choose CSV"),
        ("statements", "html", "choose CSV"),
        ("street", "csv", "PNG, SVG or HTML"),
        ("power", "../x.html", "PNG, SVG or HTML"),
        ("power", None, "PNG, SVG or HTML"),
        ("secrets", "html", "no figure or table 'secrets'"),
        (None, "html", "no figure or table 'None'"),
    ],
)
def test_what_cannot_be_had_is_said(services, record, what, kind, says):
    with pytest.raises(DataError, match=says):
        export(services, record.id, what, kind, "dark", NOW)


def test_a_table_that_is_too_long_points_to_the_command_line(services, record, monkeypatch):
    monkeypatch.setattr(community_exports, "MOST_ROWS", 6 * 31 - 1)
    with pytest.raises(DataError, match=r"186 rows .* command line"):
        export(services, record.id, "houses", "csv", "dark", NOW)
    assert len(read(export(services, record.id, "ticks", "csv", "dark", NOW)[0])) == 31
    with pytest.raises(DataError, match=r"186 rows .* command line"):
        saved(services, {"session": record.id, "key": record.control_key})


def test_a_saved_run_holds_the_changes_and_opens_again_with_the_same_ticks(services, record, history, run):
    loaded = services.runs.load(run)
    assert (loaded.room, loaded.params["ticks"]) == ("community", NOW + 1)
    again = open_community(loaded.params["parameters"])
    assert [(e.tick, e.control, e.value) for e in again.recorded_events()] == list(CHANGES)
    last = list(frames(again, NOW + 1, again.recorded_events()))[-1]
    assert last.bus == history[-1].bus
    assert last.powers.net_w.tolist() == history[-1].powers.net_w.tolist()
    assert last.meters.result_ct == history[-1].meters.result_ct
    assert read(file_of_run(services, run, "ticks", "csv", "dark")).grid_import_w.tolist() == [
        f.bus.grid_import_w for f in history
    ]


def test_changes_to_come_are_in_no_run(services):
    early = started(services)
    services.sessions.control(early.id, early.control_key, "scrub", 5)
    live = services.sessions.live(early.id)
    own = community_exports.with_changes(live, services.sessions.events(early.id), 5)
    assert [(e.tick, e.control) for e in own.recorded_events()] == [(t, c) for t, c, _ in CHANGES[:2]]


def test_saving_takes_the_key_and_a_configuration_that_allows_it(services, record, tmp_path):
    with pytest.raises(DataError, match="only watches"):
        saved(services, {"session": record.id, "key": "x"})
    closed = opened(tmp_path, can_save=False)
    own = closed.sessions.create("community", session_parameters(closed.config.community, WANTED))
    with pytest.raises(DataError, match="not saved from the page here"):
        saved(closed, {"session": own.id, "key": own.control_key})
    assert closed.runs.list() == []


@pytest.mark.parametrize("what", ["street", "power"])
def test_figures_of_a_run_are_drawn_again_from_its_parameters(services, run, what):
    content = file_of_run(services, run, what, "html", "dark")
    assert b"Plotly.newPlot" in content


@pytest.mark.parametrize(
    ("what", "kind", "says"),
    [
        ("ticks", "png", "as CSV"),
        ("statements", "svg", "as CSV"),
        ("power", "csv", "PNG, SVG or HTML"),
        ("sankey", "png", "no figure or table"),
        ("../params", "csv", "no figure or table"),
    ],
)
def test_what_a_run_does_not_have_is_said(services, run, what, kind, says):
    with pytest.raises(DataError, match=says):
        file_of_run(services, run, what, kind, "dark")


def test_two_runs_side_by_side_differ_by_what_was_changed(services, run):
    plain = services.sessions.create("community", session_parameters(services.config.community, WANTED))
    services.sessions.control(plain.id, plain.control_key, "scrub", NOW)
    other = saved(services, {"session": plain.id, "key": plain.control_key})[1].children
    runs = [services.runs.load(name) for name in (run, other)]
    text = json.dumps(side_by_side(runs, "dark"), cls=PlotlyJSONEncoder)
    a, b = (r.summary["totals_kwh"] for r in runs)
    assert a["production"] > b["production"]  # a roof of 9 kWp in place of its own
    for name in a:
        assert f"{a[name] - b[name]:,.2f}" in text
    assert all(r.name in text for r in runs)
