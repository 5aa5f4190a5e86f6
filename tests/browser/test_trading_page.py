"""The trading page opens its run; summary, ledger, links, replay and sizes are as promised."""

import json

from callbacks.services import open_services
from callbacks.trading_exports import replay_of
from energy_sim.config import load_config
from energy_sim.figures.theme import format_number
from tests.browser.dashboard import MARKS, rounded
from tests.browser.test_library_page import choose, downloaded
from tests.browser.test_screenshots import assert_fits, settle, shoot, show_theme
from tests.browser.test_zones_page import requested
from tests.browser.trading_page import expected_cards

pytestmark = MARKS


def test_it_opens_the_newest_run_in_playback_and_asks_nobody_else(trading):
    trading.load("/health")
    requested(trading)
    trading.open()
    run = trading.run()
    trading.charts_are("wallets", "grid_buy", "p2p")
    assert not trading.js("return document.getElementById('pane-playback').hidden")
    last = trading.last()
    assert (last["t"], last["n"], last["p"]) == (0, 59, 0)
    assert trading.cards() == expected_cards(run, "optimized", 0)
    assert trading.text("#trading-date span") == "Mon, 6 July 2026, 00:00"
    assert run.name in trading.text("#pane-playback")
    strangers = [u for u in requested(trading) if not u.startswith((trading.server.url, "data:", "blob:"))]
    assert strangers == []


def test_a_reload_keeps_the_session_and_its_step_and_a_watching_link_has_no_controls(trading):
    trading.open()
    trading.scrub(17)
    trading.choose("baseline")
    mine = trading.link()
    trading.driver.refresh()
    trading.ready()
    assert trading.link() == mine
    assert (trading.last()["t"], trading.last()["sim"]) == (17, 1)
    first = trading.driver.current_window_handle
    trading.driver.switch_to.new_window("window")
    other = trading.driver.current_window_handle
    try:
        trading.size(1440, 900)
        trading.load(f"/trading?session={mine['session']}")
        trading.ready()
        assert trading.cards() == expected_cards(trading.run(), "baseline", 17)
        assert trading.js("return document.querySelectorAll('.kf-transport button, .kf-transport select').length") == 0
        assert trading.js("return document.getElementById('scrub').disabled")
        assert trading.js("return [...document.querySelectorAll('[data-command=simulation]')].every(b => b.disabled)")
        trading.driver.switch_to.window(first)
        trading.choose("optimized")
        trading.click("[data-command=step]")
        for window in (first, other):
            trading.driver.switch_to.window(window)
            trading.until("m.t === 18 && m.sim === 0", "the step that the presenter shows")
            assert trading.cards() == expected_cards(trading.run(), "optimized", 18)
        assert trading.log() == []
    finally:
        trading.driver.switch_to.window(other)
        trading.driver.close()
        trading.driver.switch_to.window(first)


def test_the_summary_says_what_the_run_is_worth_and_its_chart_follows_the_theme(trading):
    trading.open("/trading?theme=dark&view=summary")
    s = trading.run().summary
    lead = trading.text("#pane-summary .kf-lead")
    assert format_number(s["total_cost_baseline"], 2) in lead
    assert format_number(abs(s["total_cost_optimized"]), 2) in lead
    first = trading.js(
        "return [...document.querySelectorAll('.kf-summary-main .kf-figure-name')].map(e => e.textContent)"
    )
    assert first == ["Total cost", "Bought from the grid", "Among neighbours"]
    ink = "document.querySelector('#trading-savings .js-plotly-plot').layout.font.color.toLowerCase()"
    trading.wait(f"{ink} === '#e8eef6'", "a dark chart")
    names = trading.js("return [...document.querySelectorAll('#trading-savings .xtick text')].map(t => t.textContent)")
    assert names == [str(i) for i in range(1, 31)]
    trading.press("t")
    trading.wait(f"{ink} === '#14202e'", "a light chart")
    rows = trading.rows("#pane-summary .kf-long-table")
    own = trading.run().households.iloc[6]
    assert len(rows) == 30
    assert rows[6][0].removeprefix("▼ ") == own["household_id"]
    assert rows[6][3] == rounded(round(float(own["savings_eur"]), 4), 2)


def test_a_table_of_the_run_is_downloaded_and_a_picture_of_it_is_refused_with_a_word(trading, tmp_path):
    order = {"behavior": "allow", "downloadPath": str(tmp_path), "eventsEnabled": True}
    trading.driver.execute_cdp_cmd("Browser.setDownloadBehavior", order)
    trading.open("/trading?view=summary")
    choose(trading, "trading-export-what", "Table: households")
    trading.click("#trading-export-run")
    trading.wait("document.getElementById('toast').textContent.includes('choose CSV')", "the refusal")
    trading.js(
        "[...document.querySelectorAll('#trading-export-kind label')].find(l => l.textContent.trim() === 'CSV')"
        ".querySelector('input').click()"
    )
    trading.click("#trading-export-run")
    name, content = downloaded(tmp_path, ".csv")
    run = trading.run()
    assert name == f"{run.name}_households.csv"
    assert content == (trading.server.folder / "runs" / run.name / "households.csv").read_bytes()


def test_the_ledger_is_verified_and_one_trade_is_proven_from_its_record_to_the_root(trading):
    trading.open("/trading?view=ledger")
    s = trading.run().summary
    trading.click("#trading-verify")
    trading.wait("document.querySelectorAll('#trading-verified tbody tr').length > 0", "the verdict")
    assert trading.text("#trading-verified .kf-good").endswith(f"hold. Root {s['ledger_root']}")
    assert len(trading.rows("#trading-verified")) == s["ledger_blocks"]
    block = trading.js("return document.querySelector('#trading-block').textContent") or ""
    assert "Block" in block
    pick(trading, "trading-block", "Block 1 ")
    pick(trading, "trading-trade", "→")
    trading.wait("document.querySelectorAll('#trading-proof tbody tr').length > 8", "the proof")
    assert trading.text("#trading-proof .kf-good") == "✓ The trade is in the ledger: every hash and signature holds."
    assert dict(trading.rows("#trading-proof"))["Root of the ledger"] == s["ledger_root"]


def pick(trading, box, part):
    """Choose the first option of a drop-down that holds a text."""
    trading.click(f"#{box}")
    found = (
        "[...document.querySelectorAll('.dash-options-list-option, [role=option]')]"
        f".find(o => o.textContent.includes({json.dumps(part)}))"
    )
    trading.wait(f"Boolean({found})", f"the choice {part}")
    trading.js(f"{found}.click()")


def test_the_replay_file_plays_without_a_server(trading, tmp_path):
    services = open_services(load_config(trading.server.config_file))
    run = trading.run()
    path = tmp_path / "replay.html"
    path.write_text(replay_of(services, run, "optimized", "light"), encoding="utf-8")
    trading.driver.get(path.as_uri())
    trading.ready()
    assert trading.cards() == expected_cards(run, "optimized", 0)
    assert trading.js("return document.documentElement.dataset.theme") == "light"
    trading.click("[data-command=step]")
    trading.until("m.t === 1")
    trading.click("[data-command=end]")
    trading.until("m.t === 59 && m.e === 1")
    assert trading.cards() == expected_cards(run, "optimized", 59)
    trading.scrub(30)
    trading.set_range("range-speed", 5)
    trading.click("[data-command=play]")
    trading.until("m.t >= 36", "ten steps a second")
    for width in (1440, 360):
        trading.size(width, 800)
        settle(trading)
        assert_fits(trading, width)
    shoot(trading, "trading_replay_light_360")


def test_every_tab_fits_a_desk_and_a_phone_in_both_themes_and_the_header_shows_where_one_is(trading):
    trading.open()
    trading.scrub(13)
    trading.charts_are("wallets", "grid_buy", "p2p")
    for tab in ("summary", "playback", "ledger"):
        trading.tab(tab)
        for theme in ("dark", "light"):
            show_theme(trading, theme)
            for width, height in ((1440, 900), (360, 780)):
                trading.size(width, height)
                settle(trading)
                assert_fits(trading, width)
                shoot(trading, f"trading_{tab}_{theme}_{width}")
    trading.size(360, 780)
    for path in ("/trading", "/library", "/"):
        trading.load(path)
        current = "document.querySelector('.kf-nav-link[aria-current]').getBoundingClientRect()"
        nav = "document.querySelector('.kf-nav').getBoundingClientRect()"
        trading.wait(f"{current}.left >= {nav}.left - 1 && {current}.right <= {nav}.right + 1", f"{path} in the header")
