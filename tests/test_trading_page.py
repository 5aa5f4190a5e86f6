"""The results half of the trading page on the server: links, summary, charts, ledger, files, library, replay."""

import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from callbacks import library_view, trading, trading_exports, trading_ledger, trading_results, trading_summary
from callbacks import trading_view as view
from callbacks.services import open_services
from callbacks.shell import create_app
from energy_sim.errors import ConfigError, DataError
from energy_sim.figures.theme import THEMES, format_number
from energy_sim.runs import new_name
from energy_sim.trading.importing import import_run
from energy_sim.trading.message import tick_message
from energy_sim.zones.live import default_parameters
from layouts import ids
from layouts.library import FILES
from layouts.trading_results import CHARTS, EXPORTS, SHOWN_FIRST, SPEEDS
from tests.trading.page_run import own_config, write_page_run
from tests.trading.seed_folder import write_seed_folder

pytestmark = pytest.mark.slow

TABLES = {"optimized_results", "baseline_results", "households", "steps"}


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    return open_services(own_config(tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def name(services):
    """A run of twelve homes and 36 hours."""
    return write_page_run(services.config, homes=12, steps=36)


@pytest.fixture(scope="module")
def session(services, name):
    return view.open_link(services, "", "", name)


@pytest.fixture(scope="module")
def run(services, session):
    return services.sessions.live(session[0])


@pytest.fixture(scope="module")
def imported(services, tmp_path_factory):
    """A session of a folder that another program wrote, with the first twelve columns only."""
    folder = tmp_path_factory.mktemp("seed") / "theirs"
    write_seed_folder(folder)
    return view.open_link(services, "", "", import_run(folder, services.runs.folder))


def texts(component):
    """All that a component says, in order."""
    if component is None or isinstance(component, (str, int, float)):
        return [] if component is None else [str(component)]
    if isinstance(component, (list, tuple)):
        return [text for part in component for text in texts(part)]
    return texts(getattr(component, "children", None))


def cells(component):
    """Rows of the first table in a component."""
    if getattr(component, "_type", "") == "Table":
        body = component.children[-1]
        return [[" ".join(texts(cell)) for cell in row.children] for row in body.children]
    parts = component if isinstance(component, (list, tuple)) else [getattr(component, "children", None)]
    return next(
        (found for part in parts if part is not None and not isinstance(part, str) and (found := cells(part))), []
    )


def figures_of(pane):
    """Name -> what is said, of the figures of a summary."""
    found = {}

    def look(part):
        if isinstance(part, (list, tuple)):
            for one in part:
                look(one)
        elif getattr(part, "className", "") == "kf-figure":
            first, *rest = texts(part)
            found[first] = rest
        elif hasattr(part, "children"):
            look(part.children)

    look(pane)
    return found


def replayed(text):
    return json.loads(re.search(r'<script id="replay" type="application/json">(.*?)</script>', text, re.DOTALL)[1])


def test_without_any_run_the_page_opens_with_nothing_to_play_back(tmp_path):
    empty = open_services(own_config(tmp_path))
    assert trading_results.opened(empty, "", "", "", "dark") is None
    app = create_app(empty)
    with app.server.test_request_context():
        page = trading.page()
    assert page.id == ids.TRADING_PAGE
    assert sum(text == "No run is open. Press Run, or open one from the library." for text in texts(page)) == 3


def test_a_link_without_a_name_opens_the_newest_run_and_one_with_a_name_that_one(services, name, imported):
    newest = next(found.name for found in services.runs.list() if found.room == "trading")
    opened = trading_results.opened(services, "", "", "", "dark")
    assert services.sessions.live(opened.link["session"]).name == newest
    opened = trading_results.opened(services, "", "", name, "light")
    assert services.sessions.live(opened.link["session"]).name == name
    assert opened.static["theme"] == "light"
    assert opened.link["key"] == services.sessions.record(opened.link["session"]).control_key


def test_a_link_with_a_session_opens_it_at_its_step_and_a_wrong_key_only_watches(services, name):
    session, key = view.open_link(services, "", "", name)
    services.sessions.control(session, key, "scrub", 7)
    mine, theirs = (trading_results.opened(services, session, k, "", "dark") for k in (key, "guessed"))
    assert (mine.message["t"], theirs.message["t"]) == (7, 7)
    assert (mine.link["key"], theirs.link["key"]) == (key, "")
    assert "You are watching: the presenter has the controls" in texts(theirs.playback)
    assert "You are watching: the presenter has the controls" not in texts(mine.playback)


def test_the_page_opens_with_everything_the_script_needs_once(services, name, run):
    opened = trading_results.opened(services, "", "", name, "dark")
    static = opened.static
    assert static["ids"] == list(run.ids)
    assert len(static["geometry"]["homes"]) == len(static["compact"]["homes"]) == 12
    assert static["startMs"] == 1_783_296_000_000  # 2026-07-06 00:00
    assert static["stepMs"] == 3_600_000
    assert static["currency"] == "EUR"
    assert static["speeds"] == list(SPEEDS) == [0.25, 0.5, 1.0, 2.0, 5.0, 10.0]
    assert [story["title"] for story in static["stories"]] == ["What neighbours and batteries are worth"]
    flows = np.concatenate([run.simulations["optimized"].columns[c] for c in ("grid_buy", "grid_sell")])
    assert 0.5 * flows.max() < static["fullKwh"] <= flows.max() + 1e-3


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("no-session", "", ""), "no-session"),
        (("", "", "trading_20200101_000000_abcdef"), "none of that name"),
        (("", "", "../../etc"), "not a run's name"),
    ],
)
def test_a_link_that_leads_nowhere_says_so(services, asked, says):
    with pytest.raises((DataError, ConfigError), match=says):
        trading_results.opened(services, *asked, "dark")
    with create_app(services).server.test_request_context():
        page = trading.page(*asked)
    assert says in " ".join(texts(page))
    assert page.children[-1].href == "/trading?view=run"


def test_a_session_or_run_of_another_page_is_refused(services):
    zones = services.sessions.create("zones", default_parameters(services.config))
    with pytest.raises(DataError, match="is one of zones; open the link on the page it was copied from"):
        trading_results.opened(services, zones.id, zones.control_key, "", "dark")


def test_a_place_of_the_speed_slider_sets_the_steps_a_second_and_nothing_else_is_taken(services, session):
    link = dict(zip(("session", "key"), session, strict=True))
    for place, rate in enumerate(SPEEDS):
        assert view.obey_own(services, link, "speed", place)
        assert services.sessions.frame(session[0]).rate == rate
    for wrong in (-1, 6, 2.5, "3", None):
        with pytest.raises(ConfigError, match="is no place of the slider; give 0 to 5"):
            view.obey_own(services, link, "speed", wrong)
    assert view.obey_own(services, link, "window", 3) is False


def test_the_simulation_chosen_is_seen_at_every_step_at_once_and_also_at_the_last(services, name):
    session, key = view.open_link(services, "", "", name)
    link, sessions = {"session": session, "key": key}, services.sessions

    def seen(tick):
        sessions.control(session, key, "scrub", tick)
        message = view.message_since(services, session, {})
        return message["t"], message["sim"], message["set"]["simulation"]

    assert seen(20) == (20, 0, "optimized")
    assert view.obey_own(services, link, "simulation", "baseline")
    assert view.message_since(services, session, {})["sim"] == 1  # paused, and without a step
    assert [seen(tick) for tick in (0, 5, 35)] == [(tick, 1, "baseline") for tick in (0, 5, 35)]
    revision = sessions.frame(session).revision
    view.obey_own(services, link, "simulation", "baseline")
    assert sessions.frame(session).revision == revision  # nothing to change
    view.obey_own(services, link, "simulation", "optimized")
    message = view.message_since(services, session, {})
    assert (message["t"], message["sim"], message["e"]) == (35, 0, 1)
    assert seen(5) == (5, 0, "optimized")
    with pytest.raises(DataError, match="choose one of optimized, baseline"):
        view.obey_own(services, link, "simulation", "none")
    with pytest.raises(DataError, match="key"):
        view.obey_own(services, {"session": session, "key": "guessed"}, "simulation", "baseline")


def test_the_summary_says_what_the_run_wrote_with_the_three_that_matter_first(run):
    pane, s = trading_summary.summary(run, "dark"), run.summary
    said = figures_of(pane)
    assert list(said)[:3] == ["Total cost", "Bought from the grid", "Among neighbours"]
    before, after = (format_number(s[f"total_cost_{which}"], 2) for which in ("baseline", "optimized"))
    assert said["Total cost"][:2] == [f"{after} EUR", f"baseline {before} EUR"]
    less = f"{format_number(s['grid_buy_reduction_pct'], 1)} % less"
    assert said["Bought from the grid"][2] == less
    assert said["Among neighbours"] == [
        f"{format_number(s['p2p_kwh'], 1)} kWh",
        f"fees {format_number(s['fees_eur'], 2)} EUR",
    ]
    assert said["Gains most"] == [
        s["best_household"]["id"],
        f"{format_number(s['best_household']['savings_eur'], 2)} EUR",
    ]
    lead = texts(pane[0])[0]
    income = format_number(-s["total_cost_optimized"], 2)
    assert after == f"\u2212{income}"
    assert lead == (
        f"Planned storage and trade turn 36 steps of 12 households from a cost of {before} EUR into an income of"
        f" {income} EUR."
    )
    table = json.loads(next(getattr(part, "data-table") for part in pane if hasattr(part, "data-table")))
    assert [row[0].removeprefix("▼ ") for row in table["rows"]] == list(run.ids)
    assert table["heads"][:2] == [["Household", None], ["Cost of the baseline, EUR", 2]]
    own = run.households.iloc[3]
    names = ("cost_baseline_eur", "cost_optimized_eur", "savings_eur")
    assert table["rows"][3][1:4] == pytest.approx([own[name] for name in names], abs=5e-5)
    share = table["heads"].index(["Self-sufficiency, %", 1])
    assert table["rows"][3][share] == pytest.approx(100 * own["self_sufficiency_optimized"], abs=5e-5)


def test_a_stopped_run_says_how_far_it_came_and_plays_back_what_was_done(services):
    name = write_page_run(services.config, homes=4, steps=24, stop_after=5)
    opened = trading_results.opened(services, "", "", name, "dark")
    assert opened.message["n"] == 4
    assert "The run was stopped after 5 of 24 steps; what was done is settled." in texts(opened.summary)
    services.runs.delete(name)


def test_unserved_energy_is_noted_with_its_price(services):
    limits = {"use_capacity_limits": True, "default_import_capacity_kw": 1.0}
    name = write_page_run(services.config, homes=6, steps=24, grid_capacity=limits, optimizer={"kind": "none"})
    opened = trading_results.opened(services, "", "", name, "dark")
    s = services.runs.load(name).summary
    assert s["unserved_optimized_kwh"] > 1
    cost = format_number(s["unserved_cost_optimized_eur"], 2)
    assert f"▲ Unserved energy is counted with {cost} EUR; wallets do not pay it." in texts(opened.summary)
    services.runs.delete(name)


def test_a_run_of_another_program_opens_with_what_its_twelve_columns_say(services, imported):
    opened = view.opened(services, *imported, theme="dark")
    assert opened.static["startMs"] is None
    assert opened.static["currency"] == "$"
    assert opened.static["ids"] == ["ap1", "ap2", "cs1"]
    said = figures_of(opened.summary)
    # wallets -34.9 ... at the last step: 117.0 - 96.0 - 37.9 against 100.1 + 99.0 + 97.4
    assert said["Wallets at the end"] == [f"$ {format_number(-16.9, 2)}", "baseline $ 296.50"]
    assert said["Bought from the grid"] == ["4.2 kWh", "baseline 11.5 kWh"]
    assert said["Among neighbours"] == ["7.2 kWh", "baseline 0.0 kWh"]
    assert texts(opened.summary)[0] == "3 households, 3 steps; written by another program."
    assert "This run has no ledger: it was switched off, or written elsewhere." in texts(opened.ledger)
    assert opened.message["k"] == [[0, 1, 3000], [0, 2, 2000]]
    for what in ("savings", "households", "steps"):
        with pytest.raises(DataError, match="written elsewhere"):
            trading_exports.export(services, imported[0], what, "html" if what == "savings" else "csv", "dark", 0)
    assert trading_exports.export(services, imported[0], "wallets", "html", "dark", 0)[0]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_chart_of_the_list_is_drawn_over_all_steps_in_the_theme(services, session, run, theme):
    for bands in (False, True):
        drawn = view.charts(services, session[0], [name for name, _ in CHARTS], theme, bands=bands)
        assert [getattr(place, "data-chart") for place in drawn] == [name for name, _ in CHARTS]
        for place in drawn:
            heading, graph, cursor = place.children
            figure = graph.children.figure
            assert heading.children
            assert figure.layout.title.text is None
            assert figure.layout.font.color == THEMES[theme].ink
            assert max(len(trace.x) for trace in figure.data) >= 36
            assert cursor.className == "kf-cursor"
    with pytest.raises(DataError, match="there is none called 'passwords'"):
        view.charts(services, session[0], ["passwords"], theme, bands=False)
    assert set(SHOWN_FIRST) <= {name for name, _ in CHARTS}


def test_the_chart_of_savings_has_a_bar_before_and_after_for_every_household_with_room_for_its_name(run):
    figure = trading_summary.on_page(trading_summary.savings_chart(run, "light"))
    assert [list(trace.x) for trace in figure.data] == [[str(i) for i in range(1, 13)]] * 2
    assert figure.data[1].y == pytest.approx(run.households["savings_eur"].round(4))
    assert figure.layout.title.text is None
    assert trading_summary.on_page(None) is None


@pytest.mark.parametrize("what", [name for name, _ in EXPORTS])
def test_everything_on_offer_is_had_in_its_formats_and_refused_in_the_others(services, session, run, name, what):
    if what in TABLES:
        content, file = trading_exports.export(services, session[0], what, "csv", "dark", 3)
        assert file == f"{name}_{what}.csv"
        assert content == (services.runs.path(name) / f"{what}.csv").read_bytes()
        assert len(pd.read_csv(io.BytesIO(content))) == {"households": 12, "steps": 36}.get(what, 12 * 36)
        refused, says = "png", "choose CSV"
    else:
        content, file = trading_exports.export(services, session[0], what, "html", "dark", 3)
        assert file == f"{name}_{what}.html"
        assert b'src="http' not in content
        refused, says = "csv", "choose HTML" if what == "replay" else "PNG, SVG or HTML"
    for kind in (refused, "../../x"):
        with pytest.raises(DataError, match=says):
            trading_exports.export(services, session[0], what, kind, "dark", 3)


def test_a_picture_of_the_step_comes_as_png_and_svg_and_what_is_not_on_offer_is_refused(services, session):
    services.sessions.control(*session, "scrub", 12)
    png, _ = trading_exports.export(services, session[0], "ring", "png", "dark", 12)
    assert png.startswith(b"\x89PNG")
    svg, _ = trading_exports.export(services, session[0], "ring", "svg", "light", 12)
    assert "Optimised, 2026-07-06 12:00" in svg.decode()
    with pytest.raises(DataError, match="no figure or table 'passwords'"):
        trading_exports.export(services, session[0], "passwords", "png", "dark", 0)


def test_the_exported_ring_and_the_page_agree_on_who_is_better_off(run):
    for simulation in ("optimized", "baseline"):
        state = trading_exports.ring_state(run, simulation, 20)
        rows = replay_message(run, simulation, 20)["h"]
        assert [row[2] for row in rows] == np.rint(100 * state.saved_eur).astype(int).tolist()
        assert [row[0] is None for row in rows] == np.isnan(state.soc_pct).tolist()
    assert not state.saved_eur.any()  # the baseline against itself


def replay_message(run, simulation, tick):
    from energy_sim.session import Frame
    from energy_sim.trading.playback import TradingFrame

    settings = {"simulation": simulation}
    shown = TradingFrame(tick, simulation)
    return tick_message(Frame("", tick, run.last_tick, False, False, 1.0, 0, 0, settings, settings, shown), (), run)


def test_a_replay_holds_every_step_of_the_simulation_that_is_shown_and_needs_no_server(services, session, run):
    for simulation in ("baseline", "optimized"):
        view.obey_own(services, dict(zip(("session", "key"), session, strict=True)), "simulation", simulation)
        text = trading_exports.export(services, session[0], "replay", "html", "light", 12)[0].decode()
        data = replayed(text)
        assert [m["t"] for m in data["messages"]] == list(range(36))
        for tick in (0, 12, 35):
            wanted = replay_message(run, simulation, tick)
            assert {k: data["messages"][tick][k] for k in ("h", "k", "c", "b", "g", "sim")} == {
                k: wanted[k] for k in ("h", "k", "c", "b", "g", "sim")
            }
        assert 'data-theme="light"' in text
        assert "kf-trading-grid" in text
        assert ".kf-trading-grid {" in text  # the page's own style came along
        assert 'src="http' not in text


def test_a_good_ledger_holds_block_by_block_and_gives_the_root_of_the_summary(services, session, run):
    headline, blocks = trading_ledger.verdict(services, session[0])
    trades = len(run.simulations["optimized"].trades.kwh)
    count = run.summary["ledger_blocks"]
    root = run.summary["ledger_root"]
    assert headline.children == f"✓ {count} blocks with {trades} trades hold. Root {root}"
    rows = json.loads(getattr(blocks, "data-table"))["rows"]
    assert len(rows) == count
    assert {row[2] for row in rows} == {"✓ holds"}
    assert sum(int(row[3]) for row in rows) == trades


def test_the_proof_of_a_trade_leads_from_its_record_to_the_root(services, session, run):
    step = int(run.simulations["optimized"].trades.step[0])
    choices = trading_ledger.trade_choices(services, session[0], 1)
    trades = run.trades_of("optimized", step)
    assert len(choices) == len(trades.kwh)
    said, table = trading_ledger.proof_of(services, session[0], 1, 0)
    assert said.children == "✓ The trade is in the ledger: every hash and signature holds."
    facts = dict(cells(table))
    assert facts["Root of the ledger"] == run.summary["ledger_root"]
    assert facts["Signed by"] == "seller, buyer, operator (block)"
    seller, buyer = re.match(r"step \d+: (\S+) sells to (\S+)$", facts["Trade"]).groups()
    found = [
        kwh
        for s, b, kwh in zip(trades.seller, trades.buyer, trades.kwh, strict=True)
        if (run.ids[s], run.ids[b]) == (seller, buyer)
    ]
    assert [float(facts["Energy"].removesuffix(" kWh"))] == pytest.approx(found, abs=1e-6)
    for block, trade in ((None, None), (1, None), (None, 0)):
        assert texts(trading_ledger.proof_of(services, session[0], block, trade)) == ["Choose a block and a trade."]
    assert trading_ledger.trade_choices(services, session[0], None) == []


@pytest.mark.parametrize(("block", "trade"), [(10**6, 0), (-1, 0), (1, 10**6), (1, -1), ("1", 0), (1, "x")])
def test_a_block_or_trade_that_does_not_exist_is_refused(services, session, block, trade):
    with pytest.raises(DataError, match="choose one of the list"):
        trading_ledger.proof_of(services, session[0], block, trade)


def copied(services, name):
    """The same run under another name, to be tampered with."""
    other = new_name("trading")
    shutil.copytree(services.runs.path(name), services.runs.folder / other)
    return other


def test_a_ledger_with_an_edited_trade_names_the_first_bad_block(services, name):
    other = copied(services, name)
    path = services.runs.path(other) / "ledger.jsonl"
    lines = path.read_text().splitlines()
    entry = json.loads(lines[3])["entries"][0]["record"]
    path.write_text(
        "\n".join(line.replace(entry, entry[:-1] + ("0" if entry[-1] != "0" else "1")) for line in lines) + "\n"
    )
    session, _ = view.open_link(services, "", "", other)
    headline, blocks = trading_ledger.verdict(services, session)
    assert headline.className == "kf-warning"
    assert headline.children.startswith("▲ block 3: ")
    statuses = [row[2].startswith("✓") for row in json.loads(getattr(blocks, "data-table"))["rows"]]
    assert statuses[:4] == [True, True, True, False]
    services.runs.delete(other)


def test_a_ledger_that_cannot_be_read_is_said_on_the_page_and_so_is_one_that_is_gone(services, name):
    other = copied(services, name)
    path = services.runs.path(other) / "ledger.jsonl"
    path.write_text("{}\n")
    opened = trading_results.opened(services, "", "", other, "dark")
    assert any(text.startswith("▲ ") for text in texts(opened.ledger))
    path.unlink()
    gone = trading_results.opened(services, "", "", other, "dark")
    assert "▲ The summary names the root of a ledger, but ledger.jsonl is gone." in texts(gone.ledger)
    with pytest.raises(DataError, match="has no ledger any more"):
        trading_ledger.trade_choices(services, gone.link["session"], 1)
    headline, _ = trading_ledger.verdict(services, gone.link["session"])
    assert headline.className == "kf-warning"
    services.runs.delete(other)


def test_the_library_offers_every_file_of_a_trading_run_but_the_replay(services, name):
    offered = library_view.files_of(name)
    assert [option["value"] for option in offered] == [what for what, _ in EXPORTS if what != "replay"]
    assert FILES["trading"][0] == ("ring", "Picture of the last step")
    content, file = library_view.file_of_run(services, name, "ring", "html", "dark")
    assert file == f"{name}_ring.html"
    assert b"2026-07-07 11:00" in content  # the last of 36 hours
    content, _ = library_view.file_of_run(services, name, "households", "csv", "dark")
    assert len(pd.read_csv(io.BytesIO(content))) == 12


def test_two_trading_runs_side_by_side_show_their_totals_and_the_difference(services, name):
    other = write_page_run(services.config, homes=12, steps=36, optimizer={"kind": "none"})
    rows = {row[0]: row[1:] for row in cells(library_view.side_by_side(services, name, other, "dark"))}
    first, second = (services.runs.load(one).summary["total_cost_optimized"] for one in (name, other))
    assert rows["Total cost optimised, EUR"] == [f"{first:,.2f}", f"{second:,.2f}", f"{first - second:,.2f}"]
    assert float(rows["Improvement, %"][1]) == pytest.approx(0, abs=0.01)
    assert rows["Traded among neighbours, kWh"][1] == "0.00"
    services.runs.delete(other)
