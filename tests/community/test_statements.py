import csv
import io
import math
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from energy_sim.community.economics import Prices, community_result_ct_per_h, street_kw
from energy_sim.community.statements import (
    COMMUNITY,
    STATEMENT_COLUMNS,
    MonthMeters,
    add_tick,
    community_totals,
    joined,
    open_month,
    round_keeping_sum,
    statement_csv,
    statement_table,
)
from layouts.statements import statement_page

ZURICH = ZoneInfo("Europe/Zurich")
JULY_S = 1_782_856_800.0  # 2026-07-01T00:00:00+02:00
NET_W = np.array([3000.0, -500.0, -1500.0])
IDS = ("a", "b", "c")

ticks = st.integers(1, 12).flatmap(
    lambda houses: st.lists(
        st.tuples(
            arrays(np.float64, houses, elements=st.floats(-30_000, 30_000)),
            st.floats(1e-4, 2),
            st.builds(Prices, *[st.floats(0, 1000)] * 4),
        ),
        min_size=1,
        max_size=8,
    )
)


def metered(run: list[tuple[np.ndarray, float, Prices]]) -> MonthMeters:
    meters = open_month("2026-07", JULY_S, len(run[0][0]))
    for tick in run:
        meters = add_tick(meters, *tick)
    return meters


def two_hours() -> MonthMeters:
    return metered([(NET_W, 1.0, Prices()), (NET_W * [1, 1, -1], 1.0, Prices(house_consumption_ct_per_kwh=5))])


def names(meters: MonthMeters) -> list[str]:
    return [f"house_{i}" for i in range(len(meters.export_kwh))]


def test_a_tick_adds_its_energy_and_money_at_the_prices_of_its_time():
    m = two_hours()
    assert (m.from_s, m.to_s) == (JULY_S, JULY_S + 7200)
    assert m.export_kwh.tolist() == [6.0, 0.0, 1.5]
    assert m.import_kwh.tolist() == [0.0, 1.0, 1.5]
    assert m.sold_ct.tolist() == [120.0, 0.0, 30.0]
    assert m.bought_ct.tolist() == [0.0, 15.0, 37.5]  # half a kWh at 25 ct, half at 5 ct
    assert (m.grid_export_kwh, m.grid_import_kwh) == (5.0, 0.0)  # 1 + 4
    assert (m.grid_sold_ct, m.grid_bought_ct) == (0.0, 30.0)


def test_the_meters_before_a_tick_stay_as_they_were():
    before = open_month("2026-07", JULY_S, 3)
    add_tick(before, NET_W, 1.0, Prices())
    assert before.export_kwh.tolist() == [0.0, 0.0, 0.0]
    assert (before.to_s, before.grid_export_kwh) == (JULY_S, 0.0)


def test_two_stretches_joined_are_what_both_counted():
    first = metered([(NET_W, 1.0, Prices())])
    second = replace(metered([(-NET_W, 0.5, Prices())]), month="2026-08", from_s=first.to_s, to_s=first.to_s + 1800)
    whole = joined(first, second)
    assert (whole.month, whole.from_s, whole.to_s) == ("2026-08", JULY_S, JULY_S + 5400)
    assert whole.export_kwh.tolist() == [3.0, 0.25, 0.75]
    assert (whole.grid_export_kwh, whole.grid_import_kwh) == (1.0, 0.5)
    assert len(fields(whole)) == 11


@given(ticks)
def test_what_houses_exchange_is_what_the_grid_exchanges(run):
    m = metered(run)
    houses = m.export_kwh.sum() - m.import_kwh.sum()
    assert houses == pytest.approx(m.grid_export_kwh - m.grid_import_kwh, abs=1e-9)


@given(ticks)
def test_the_meters_hold_the_community_result_of_every_tick(run):
    m = metered(run)
    expected = sum(dt_h * community_result_ct_per_h(*street_kw(net_w), prices) for net_w, dt_h, prices in run)
    held = m.bought_ct.sum() - m.sold_ct.sum() + m.grid_bought_ct - m.grid_sold_ct
    assert held == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(ticks)
def test_printed_sums_are_the_communitys_to_the_last_digit(run):
    m = metered(run)
    table = statement_table(m, names(m))
    rows = list(csv.DictReader(io.StringIO(statement_csv([m], names(m)))))
    assert [row["house_id"] for row in rows] == [*names(m), COMMUNITY]
    exact = {
        "export_kwh": m.export_kwh,
        "import_kwh": m.import_kwh,
        "sold_amount": m.sold_ct / 100,
        "bought_amount": m.bought_ct / 100,
    }
    for column, decimals in (("export_kwh", 3), ("import_kwh", 3), ("sold_amount", 2), ("bought_amount", 2)):
        *houses, whole = (round(float(row[column]) * 10**decimals) for row in rows)
        assert sum(houses) == whole
        assert whole == pytest.approx(exact[column].sum() * 10**decimals, abs=0.500001)
        assert np.abs(table[column].to_numpy()[:-1] - exact[column]).max() <= 1.000001 / 10**decimals
    cents = [[round(100 * float(row[c])) for c in ("sold_amount", "bought_amount", "balance_amount")] for row in rows]
    assert all(sold - bought == balance for sold, bought, balance in cents)


@given(ticks)
def test_the_communitys_side_follows_from_its_own_lines_and_the_table(run):
    m = metered(run)
    t, total = community_totals(m), statement_table(m, names(m)).iloc[-1]
    assert (t.export_kwh, t.import_kwh) == (total["export_kwh"], total["import_kwh"])
    assert (t.sold_amount, t.bought_amount) == (total["sold_amount"], total["bought_amount"])
    wh = [round(1000 * e) for e in (t.export_kwh, t.import_kwh, t.shared_kwh, t.grid_export_kwh, t.grid_import_kwh)]
    assert (wh[0] - wh[2], wh[1] - wh[2]) == (wh[3], wh[4])
    assert min(wh) >= 0
    assert t.grid_export_kwh == pytest.approx(m.grid_export_kwh, abs=0.0021)
    assert t.grid_import_kwh == pytest.approx(m.grid_import_kwh, abs=0.0021)
    result = t.bought_amount - t.sold_amount + t.grid_bought_amount - t.grid_sold_amount
    assert t.result_amount == pytest.approx(result, abs=1e-6)


def test_thirds_of_a_cent_go_to_the_largest_remainders():
    assert round_keeping_sum(np.array([1 / 3, 1 / 3, 4 / 3])).tolist() == [1, 0, 1]
    assert round_keeping_sum(np.array([0.5, 1.9, 2.6])).tolist() == [0, 2, 3]
    assert round_keeping_sum(np.array([])).tolist() == []


@given(arrays(np.float64, st.integers(1, 200), elements=st.floats(0, 1e7)))
def test_rounding_moves_nobody_by_more_than_one_and_keeps_the_sum(values):
    rounded = round_keeping_sum(values)
    assert np.abs(rounded - values).max() <= 1
    assert rounded.sum() == round(float(values.sum()))


def test_the_table_carries_the_period_mean_prices_and_balances():
    table = statement_table(two_hours(), IDS, ZURICH)
    assert tuple(table.columns) == STATEMENT_COLUMNS
    assert table["house_id"].tolist() == ["a", "b", "c", COMMUNITY]
    assert set(table["period_from"]) == {"2026-07-01T00:00:00+02:00"}
    assert set(table["period_to"]) == {"2026-07-01T02:00:00+02:00"}
    assert table["bought_ct_per_kwh"].tolist()[1:] == [15.0, 25.0, 21.0]  # 52.5 ct for 2.5 kWh
    assert math.isnan(table["bought_ct_per_kwh"][0])
    assert table["balance_amount"].tolist() == [1.2, -0.15, -0.07, 0.98]  # 52.5 ct are printed as 52, so 37.5 as 37


def test_the_csv_has_fixed_decimals_and_empty_prices_without_energy():
    head, first, *_ = statement_csv([two_hours()], IDS).splitlines()
    assert head == ",".join(STATEMENT_COLUMNS)
    assert first == "a,2026-06-30T22:00:00+00:00,2026-07-01T00:00:00+00:00,6.000,0.000,20.000,,1.20,0.00,1.20"


class Sheets(HTMLParser):
    """Texts of the table cells by sheet, and every address the page names."""

    def __init__(self) -> None:
        super().__init__()
        self.sheets: list[list[str]] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action")]
        if tag == "section":
            self.sheets.append([])

    def handle_data(self, data):
        if self.sheets:
            self.sheets[-1].append(data)


def page(meters: MonthMeters, ids: tuple[str, ...] = IDS, title: str = "Statements of July 2026") -> str:
    rows = statement_table(meters, ids, ZURICH)
    return statement_page(title, "1 July to 2 July", rows, community_totals(meters), Prices())


def read(text: str) -> Sheets:
    sheets = Sheets()
    sheets.feed(text)
    return sheets


def test_the_page_has_the_community_first_and_a_sheet_for_each_house():
    sheets = read(page(two_hours())).sheets
    assert len(sheets) == 4
    assert sheets[0][:2] == ["Statements of July 2026", "1 July to 2 July"]
    assert [s[0] for s in sheets[1:]] == ["Statement for a", "Statement for b", "Statement for c"]
    assert sheets[1][5:-1] == [
        *("Sold to the community", "6.000", "20.00", "1.20"),
        *("Bought from the community", "0.000", "–", "0.00"),
        *("Balance, to receive", "1.20"),
        "From a simulation, not from real meters. Amounts in units of 100 ct.",
    ]
    assert sheets[2][sheets[2].index("Bought from the community") :][:6] == [
        *("Bought from the community", "1.000", "15.00", "−0.15"),
        *("Balance, to pay", "−0.15"),
    ]


def test_the_communitys_sheet_adds_up():
    sheet = read(page(two_hours())).sheets[0]
    line = {name: sheet[sheet.index(name) + 1 :][:3] for name in ("Sold to the grid", "Bought from the grid")}
    assert line == {"Sold to the grid": ["5.000", "6.00", "0.30"], "Bought from the grid": ["0.000", "–", "0.00"]}
    assert sheet[sheet.index("Result of the community") + 1] == "−0.68"  # 52 - 150 + 30 ct
    assert "2.500 kWh passed from house to house" in "".join(sheet)


def test_the_page_asks_for_nothing_from_outside_and_breaks_after_each_sheet():
    text = page(two_hours())
    found = read(text)
    assert found.addresses == []
    assert found.tags.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not re.search(r"url\(|@import|https?:", text)
    assert "break-after: page" in text
    assert "size: A4" in text


def test_names_are_text_and_never_markup():
    bad = '"><script>alert(1)</script>&'
    text = page(two_hours(), ids=(bad, "b", "c"), title=f"<b>{bad}")
    found = read(text)
    assert "script" not in found.tags
    assert "b" not in found.tags
    assert found.sheets[1][0] == f"Statement for {bad}"
    assert found.sheets[0][0] == f"<b>{bad}"


def test_ten_thousand_houses_make_a_page_of_ten_thousand_sheets():
    count = 10_000
    meters = metered([(np.linspace(-5000, 5000, count), 1.0, Prices())])
    text = page(meters, tuple(names(meters)))
    assert text.count("<section") == count + 1
    assert len(text) < 10_000_000
