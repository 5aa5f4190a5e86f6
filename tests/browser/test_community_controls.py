"""What people do to the street: start appliances, change roofs, prices and the street itself; wrong values are told."""

import shlex
import subprocess
import sys

import pandas as pd
import pytest

from energy_sim.clock import Event
from energy_sim.community.economics import break_even_house_price
from energy_sim.community.statements import statement_table
from energy_sim.devices.appliances import NAMES
from tests.browser.dashboard import MARKS, ROOT, CommunityPage, post_callback, rounded, street_at
from tests.browser.test_community_page import FIVE, FOURTEEN, asked, link_of
from tests.browser.test_zones_session import second

pytestmark = MARKS
__all__ = ["second"]

EV, DISHWASHER = NAMES.index("ev"), NAMES.index("dishwasher")
TOAST = "document.getElementById('toast').textContent"


@pytest.fixture
def street(page):
    return CommunityPage(page.driver, page.server)


def choose(street, place):
    """Click a house and wait for its meters."""
    street.house(place).click().perform()
    street.wait("document.querySelector('#community-house [data-value=net]').textContent !== '…'", "its meters")


def test_an_appliance_started_and_a_roof_changed_in_two_windows_act_from_the_next_tick_and_are_seen_in_both(
    street, second, server
):
    last = street.open_paused(link_of(FIVE))
    link = street.js("return location.pathname + location.search")
    before = street_at(server.config_file, FIVE, last["t"]).frame.powers
    assert before.appliance_w[0, EV] == 0
    street.driver.switch_to.window(second["other"])
    street.size(1440, 900)
    street.open(link)
    choose(street, 1)
    assert street.driver.find_element("id", "house-pv_kwp").get_attribute("value") == "5.2"
    street.type("#house-pv_kwp", "7,5")
    street.wait("kraftflyt.communityPage().last.F[0][10][0] === 7.5", "the new roof to be told")
    street.driver.switch_to.window(second["first"])
    choose(street, 0)
    assert street.text("#community-house [data-left=ev]") == "off"
    street.click("[data-start='start.house_1.ev']")
    (roof, start) = sorted(street.events("pv_kwp.house_2", "start.house_1.ev"), key=lambda e: e.control)
    assert (roof.tick, roof.value, start.tick) == (last["t"] + 1, 7.5, last["t"] + 1)
    assert street.step()["t"] == last["t"] + 1
    core = street_at(server.config_file, FIVE, last["t"] + 1, (roof, start))
    assert core.frame.powers.appliance_w[0, EV] == 11_000
    assert core.frame.powers.pv_w[1] == pytest.approx(before.pv_w[1] * 7.5 / 5.2, rel=0.2)
    for window in ("first", "other"):
        street.driver.switch_to.window(second[window])
        street.until(f"m.t === {last['t'] + 1}", "the tick")
        assert street.cards() == core.cards(), window
        shown = {e.control for e in street.events("pv_kwp.house_2", "start.house_1.ev")}
        assert shown == {"pv_kwp.house_2", "start.house_1.ev"}
        choose(street, 0)
        street.wait("document.querySelector('[data-left=ev]').textContent.startsWith('runs, 1')", "the car to charge")
        left = core.live.remaining_s(core.frame, 0)[EV]
        assert street.text("[data-left=ev]") == f"runs, {rounded(-(-left // 60), 0)}\u00a0min left"
        marks = street.js("return [...document.querySelectorAll('.kf-scrub-mark')].map(m => m.title)")
        assert sorted(mark.split(": ")[1] for mark in marks) == [
            "EV wallbox of house_1 started",
            "PV kWp of house_2 7.5",
        ]
        choose(street, 1)
        street.wait("document.querySelector('#community-house h2').textContent === 'house_2'")
        street.wait("document.getElementById('house-pv_kwp').value === '7.5'", "the roof in the panel")


def test_an_appliance_started_while_the_street_plays_runs_within_two_ticks(street, server):
    street.open(link_of({**FIVE, "time_scale": 10}))
    choose(street, 1)
    names = street.js(
        "return [...document.querySelectorAll('[data-start]')].filter(b => b.closest('li').textContent.includes('off'))"
        ".map(b => b.dataset.start)"
    )
    wanted = next(name for name in names if not name.endswith("heat_pump"))
    at = street.last()["t"]
    street.click(f"[data-start='{wanted}']")
    appliance = wanted.rsplit(".", 1)[1]
    street.wait(f"document.querySelector('[data-left={appliance}]').textContent.startsWith('runs')", "it to run")
    bit = 1 << NAMES.index(appliance)
    (event,) = street.events(wanted)
    assert at < event.tick
    street.until(f"m.t > {event.tick}", "two ticks")
    street.pause()
    for tick in (event.tick - 1, event.tick):
        street.scrub(tick)
        running = bool(street.last()["f"][1][3] & bit)
        core = street_at(server.config_file, {**FIVE, "time_scale": 10}, tick, (event,))
        assert running is bool(core.frame.powers.appliance_w[1, NAMES.index(appliance)]) is (tick >= event.tick)
        assert street.cards() == core.cards()


def control_output(street):
    found = [d["output"] for d in asked(street, "/_dash-dependencies") if d["inputs"][0]["id"] == "community-command"]
    assert len(found) == 1
    return found[0]


def test_the_link_to_watch_has_no_controls_and_a_forged_command_is_refused(street):
    street.open_paused(link_of(FIVE))
    link, before = street.link(), street.last()
    street.click("[data-action=share]")
    watch, control = street.js("return [...document.querySelectorAll('#share-links input')].map(i => i.value)")
    assert link["key"] in control
    assert link["key"] not in watch
    street.open(watch.removeprefix(street.server.url))
    assert (
        street.js(
            "return document.querySelectorAll('[data-command],[data-switch],[data-range],.kf-transport select').length"
        )
        == 0
    )
    assert street.js("return document.getElementById('scrub').disabled")
    assert link["key"] not in street.js("return document.documentElement.innerHTML + location.href")
    choose(street, 3)
    assert (
        street.js("return document.querySelectorAll('[data-start], #community-house input, .kf-inputs input').length")
        == 0
    )
    street.tab("settings")
    assert "presenter" in street.text("#pane-settings")
    street.tab("export")
    assert street.js("return document.getElementById('community-save')") is None
    street.js("kraftflyt.send('start.house_4.ev', 5)")
    street.wait(f"/only watches/.test({TOAST})", "the refusal")
    status, answer = post_callback(
        street.server.url,
        control_output(street),
        [{"id": "community-command", "property": "data", "value": {"n": 1, "name": "pv_kwp.house_2", "value": 1}}],
        [
            {"id": "community-session-link", "property": "data", "value": {"session": link["session"], "key": "x"}},
            {"id": "community-seen", "property": "data", "value": {"t": 0, "v": 0, "ep": 0}},
        ],
        ["community-command.data"],
    )
    assert status == 200
    assert "only watches" in answer
    after = asked(street, f"/api/community/{link['session']}/state")
    assert after["tick"] == before["t"]
    street.driver.refresh()
    street.ready()
    assert street.last()["v"] == before["v"]


def test_values_that_make_no_sense_are_told_and_the_field_goes_back_to_what_holds(street, server):
    last = street.open_paused(link_of(FIVE) + "&view=prices")
    shown = "document.getElementById('input-price_pv_delivery').value"
    outside = "outside 0 to 1000"
    for text, said in (("dear", "is no number"), ("-4", outside), ("1e9", "is no number"), ("1000.5", outside)):
        street.type("#input-price_pv_delivery", text)
        street.wait(f"{TOAST}.includes({said!r})", said)
        street.wait(f"{shown} === '20'", "the price that holds")
        street.js("document.getElementById('toast').textContent = ''")
    choose(street, 1)
    for field, text, said, holds in (
        ("pv_kwp", "-3", "below the limit", "5.2"),
        ("pv_kwp", "many", "is no number", "5.2"),
        ("base_load_kwh", "1000000", "above the limit", "4130"),
    ):
        name = f"#house-{field}"
        street.type(name, text)
        street.wait(f"{TOAST}.includes({said!r})", said)
        street.wait(f"document.querySelector('{name}').value === '{holds}'", f"{field} as it holds")
        street.js("document.getElementById('toast').textContent = ''")
    assert street.last()["v"] == last["v"]
    street.type("#input-price_pv_delivery", "0")  # a price of 0 is a price
    street.until("m.set.price_pv_delivery === 0")
    street.step()
    events = street.events("price_pv_delivery")
    assert street.cards() == street_at(server.config_file, FIVE, last["t"] + 1, events).cards()


def test_a_change_while_paused_leaves_the_panel_of_the_chosen_house_and_the_tip_whole(street):
    street.open_paused(link_of({**FOURTEEN, "houses": 70}))
    choose(street, 5)
    told = street.text("#community-house dl")
    street.house(7).perform()
    street.wait("document.querySelector('.kf-stage-tip').textContent.includes('Base load')", "the details")
    street.js("kraftflyt.send('price_pv_delivery', 11)")
    street.until("m.set.price_pv_delivery === 11")
    street.wait("document.querySelector('.kf-stage-tip').textContent.includes('Base load')", "the details")
    assert street.text("#community-house dl") == told
    assert [row[0] for row in street.last()["F"]] == [5, 7]


def test_the_break_even_price_is_the_cores_and_applying_it_acts_from_the_next_tick_on(street, server):
    last = street.open_paused(link_of({**FOURTEEN, "start": "2026-07-10T18:00"}) + "&view=prices")
    core = street_at(server.config_file, {**FOURTEEN, "start": "2026-07-10T18:00"}, last["t"])
    found = break_even_house_price(*core.exchanged_kw, core.prices)
    assert found.price_ct_per_kwh is not None
    assert f"price of {rounded(found.price_ct_per_kwh, 2)}\u00a0ct/kWh" in street.text("#community-break-even")
    assert ("Capped at" in street.text("#community-break-even")) is found.cap_applies
    street.click("#community-break-even [data-action=apply-price]")
    street.until(f"Math.abs(m.set.price_house_consumption - {max(0, found.price_ct_per_kwh)}) < 1e-4", "the price")
    street.wait(
        f"Math.abs(Number(document.getElementById('input-price_house_consumption').value)"
        f" - {found.price_ct_per_kwh}) < 1e-4",
        "the price in its field",
    )
    assert "act from the next tick on" in street.text("#community-break-even")  # this tick stays what it was
    assert f"price of {rounded(found.price_ct_per_kwh, 2)}\u00a0ct/kWh" in street.text("#community-break-even")
    street.type("#input-price_pv_delivery", "80")
    street.until("m.set.price_pv_delivery === 80")
    street.step()
    street.wait("document.getElementById('community-break-even').textContent.includes('Capped at')", "the cap")
    events = street.events("price_pv_delivery", "price_house_consumption")
    after = street_at(server.config_file, {**FOURTEEN, "start": "2026-07-10T18:00"}, last["t"] + 1, events)
    capped = break_even_house_price(*after.exchanged_kw, after.prices)
    assert capped.cap_applies
    text = street.text("#community-break-even")
    assert "act from the next tick on" not in text
    assert f"Capped at {rounded(capped.capped_price_ct_per_kwh, 2)}\u00a0ct/kWh" in text
    assert f"loses {rounded(capped.cap_cost_ct_per_h, 1)}\u00a0ct/h" in text
    street.click("#community-break-even [data-action=apply-price]:last-child")
    street.until("m.set.price_house_consumption === 30", "the grid's price")


def test_statements_and_the_command_line_give_the_numbers_of_the_session(street, server, tmp_path):
    street.open_paused(link_of(FIVE))
    street.js("kraftflyt.send('start.house_1.ev', 3); kraftflyt.send('pv_kwp.house_2', 7.5)")
    street.events("start.house_1.ev", "pv_kwp.house_2")
    street.step()
    street.set_range("range-flex_load_probability", 0.5)
    street.tab("settings")
    street.click("[data-switch=pv_variation]")
    street.until("m.set.pv_variation === 'disabled' && m.set.flex_load_probability === 0.5")
    street.set_range("range-time_scale", 4)
    street.until("m.set.time_scale === 900")
    last = street.step()
    last = street.step()
    events = street.events("pv_variation", "flex_load_probability", "time_scale", "start.house_1.ev", "pv_kwp.house_2")
    core = street_at(server.config_file, FIVE, last["t"], events)
    assert street.cards() == core.cards()

    street.tab("statements")
    street.wait("document.querySelectorAll('#community-statements tbody tr').length === 6", "a row a house and the sum")
    table = statement_table(core.frame.months[-1], core.live.house_ids, core.live.timezone)
    shown = street.rows("#community-statements")
    assert [row[0] for row in shown] == table.house_id.tolist()
    columns = ["export_kwh", "import_kwh", "sold_amount", "bought_amount", "balance_amount"]
    for row, expected in zip(shown, table[columns].itertuples(index=False), strict=True):
        assert [float(cell.replace(",", "")) for cell in row[1:]] == pytest.approx(list(expected), abs=1e-9)

    street.tab("export")
    command = street.text("#community-command-line")
    assert f"--ticks {last['t'] + 1}" in command
    words = shlex.split(command.replace("\\\n", " ").replace("OUT", str(tmp_path / "out")))
    assert words[0] == "energy-sim"
    entry = [sys.executable, "-c", "from energy_sim.cli import main; main()", "--log-level", "ERROR"]
    done = subprocess.run([*entry, *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    ticks = pd.read_csv(tmp_path / "out" / "ticks.csv")
    state = asked(street, f"/api/community/{street.link()['session']}/state")
    final = ticks.iloc[-1]
    assert (final.tick, final.time) == (state["tick"], state["time"])
    assert {**state["community"], **state["grid"]} == {n: final[n] for n in (*state["community"], *state["grid"])}
    houses = pd.read_csv(tmp_path / "out" / "houses.csv").query(f"tick == {last['t']}")
    assert houses.net_power_w.tolist() == [row["net_power_w"] for row in state["houses"]]
    assert street.text("#community-api").endswith(f"/api/community/{street.link()['session']}/state")


def test_begin_again_makes_another_street_on_the_same_link(street, server):
    street.open(link_of(FIVE) + "&view=settings")
    street.js("kraftflyt.send('pv_kwp.house_2', 1)")
    street.events("pv_kwp.house_2")
    link = street.link()
    for text in ("0", "10001"):
        street.js("document.getElementById('input-houses').value = arguments[0]", text)
        street.click("[data-action=restart]")
        street.wait(f"{TOAST}.includes('houses')", "what is wrong with it")
        street.js("document.getElementById('toast').textContent = ''")
        assert street.last()["H"] == 5
    street.js(
        "document.getElementById('input-houses').value = 61; document.getElementById('input-seed').value = 9;"
        "document.getElementById('input-start').value = '2026-01-20T08:00';"
        "document.getElementById('input-update_interval_ms').value = 500; window.old = true"
    )
    street.click("[data-action=restart]")
    street.wait("window.old === undefined", "the page to load anew")
    street.ready()
    street.until("m.H === 61")
    assert street.link() == link
    last = street.pause()
    assert last["r"] == 2
    wanted = {"houses": 61, "seed": 9, "start": "2026-01-20T08:00", "update_interval_ms": 500, "time_scale": 60}
    core = street_at(server.config_file, wanted, last["t"])
    assert street.cards() == core.cards()
    assert street.events() == ()
    assert street.js("return document.getElementById('input-houses').value") == "61"


def test_scrubbing_back_and_forward_gives_the_same_numbers_and_a_reload_keeps_the_session(street, server):
    street.open(link_of(FIVE))
    street.until("m.t >= 4")
    last = street.pause()
    street.js("kraftflyt.send('start.house_4.dishwasher', 1); kraftflyt.send('time_scale', 300)")
    events = street.events("start.house_4.dishwasher", "time_scale")
    tick = street.step()["t"]
    seen = {}
    for at in (tick, 1, 3, tick, 1, 3):
        street.scrub(at) if street.last()["t"] != at else None
        core = street_at(server.config_file, FIVE, at, tuple(e for e in events if e.tick <= at))
        assert street.cards() == core.cards()
        assert seen.setdefault(at, street.cards()) == street.cards()
    street.press("t")
    street.tab("houses")
    link, cards = street.link(), street.cards()
    street.driver.refresh()
    street.ready()
    assert (street.link(), street.cards(), street.last()["t"], street.last()["p"]) == (link, cards, 3, 0)
    assert street.js("return document.documentElement.dataset.theme") == "light"
    assert not street.js("return document.getElementById('pane-houses').hidden")
    assert {e.control for e in street.events()} == {"start.house_4.dishwasher", "time_scale"}
    assert isinstance(events[0], Event)
    assert last["t"] + 1 == events[0].tick
