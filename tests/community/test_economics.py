import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from energy_sim.community.economics import (
    FLOW_COLUMNS,
    PRICE_LIMITS,
    Prices,
    break_even_house_price,
    check_price,
    community_result_ct_per_h,
    flow_table,
    street_kw,
)
from energy_sim.errors import ConfigError

any_price = st.floats(*PRICE_LIMITS)
any_prices = st.builds(Prices, any_price, any_price, any_price, any_price)
streets = arrays(np.float64, st.integers(1, 40), elements=st.floats(-30_000, 30_000))


def table_result_ct_per_h(table):
    """What the parties of a flow table pay less what they get: the community's result."""
    total = table.iloc[-1]
    return total["bought_ct_per_h"] - total["sold_ct_per_h"]


def test_the_prices_of_the_room_are_the_defaults():
    assert Prices() == Prices(6, 30, 20, 25)


@pytest.mark.parametrize(
    ("export_kw", "import_kw", "expected"),
    [
        (10, 11, 45.0),  # 11*25 - 10*20 - 1*30
        (11, 10, 36.0),  # 10*25 + 1*6 - 11*20
        (10, 10, 50.0),
        (10, 0, -140.0),  # 10*6 - 10*20
        (0, 10, -50.0),  # 10*25 - 10*30
        (0, 0, 0.0),
    ],
)
def test_the_community_earns_what_houses_and_grid_pay_less_what_it_pays_them(export_kw, import_kw, expected):
    assert community_result_ct_per_h(export_kw, import_kw, Prices()) == pytest.approx(expected, abs=1e-12)


def test_ten_kilowatts_out_and_eleven_in_break_even_at_20_91_ct():
    found = break_even_house_price(10, 11, Prices())
    assert found.price_ct_per_kwh == pytest.approx(20.909, abs=5e-4)
    assert found.capped_price_ct_per_kwh == found.price_ct_per_kwh
    assert (found.reason, found.cap_applies, found.cap_cost_ct_per_h) == ("", False, 0.0)


def test_a_break_even_above_the_grid_price_is_capped_and_the_cost_is_said():
    found = break_even_house_price(40, 10, Prices())  # 6 + 4 * 14 = 62
    assert found.price_ct_per_kwh == pytest.approx(62)
    assert (found.capped_price_ct_per_kwh, found.cap_applies) == (30, True)
    assert found.cap_cost_ct_per_h == pytest.approx(320)  # 10 * (62 - 30)
    assert community_result_ct_per_h(40, 10, Prices(house_consumption_ct_per_kwh=30)) == pytest.approx(-320)


def test_a_break_even_below_zero_is_applied_as_zero():
    found = break_even_house_price(20, 10, Prices(grid_delivery_ct_per_kwh=50))  # 50 + 2 * (20 - 50)
    assert found.price_ct_per_kwh == pytest.approx(-10)
    assert (found.capped_price_ct_per_kwh, found.cap_applies, found.cap_cost_ct_per_h) == (0.0, False, 0.0)


@pytest.mark.parametrize("import_kw", [0.0, 1e-320])
def test_without_imports_there_is_no_break_even_and_the_reason_is_said(import_kw):
    found = break_even_house_price(10, import_kw, Prices())
    assert (found.price_ct_per_kwh, found.capped_price_ct_per_kwh) == (None, None)
    assert "imports" in found.reason
    assert (found.cap_applies, found.cap_cost_ct_per_h) == (False, 0.0)


@given(st.floats(0, 1000), st.floats(0.01, 1000), any_prices)
def test_at_the_break_even_price_the_community_earns_nothing(export_kw, import_kw, prices):
    price = break_even_house_price(export_kw, import_kw, prices).price_ct_per_kwh
    assert price is not None
    fair = Prices(
        prices.grid_delivery_ct_per_kwh, prices.grid_consumption_ct_per_kwh, prices.pv_delivery_ct_per_kwh, price
    )
    assert community_result_ct_per_h(export_kw, import_kw, fair) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("value", [0, 0.0, 25, 1000, 20.5, np.float64(7), np.int64(7)])
def test_numbers_from_0_to_1000_are_prices(value):
    price = check_price("price_grid_delivery", value)
    assert (price, type(price)) == (value, float)


def test_a_negative_zero_is_zero():
    assert math.copysign(1, check_price("p", -0.0)) == 1


@pytest.mark.parametrize("value", [-0.01, 1000.5, math.nan, math.inf, -math.inf, 10**400])
def test_a_price_outside_the_limits_is_an_error_that_names_them(value):
    with pytest.raises(ConfigError, match=r"^price_pv_delivery: .* is outside 0 to 1000; give a price in ct/kWh"):
        check_price("price_pv_delivery", value)


@pytest.mark.parametrize("value", ["25", "free", None, True, [5], {"a": 1}, "x" * 900])
def test_what_is_no_number_is_no_price(value):
    with pytest.raises(ConfigError, match=r"^p: .* is no number; give a price from 0 to 1000 ct/kWh") as caught:
        check_price("p", value)
    assert len(str(caught.value)) < 120


def test_exports_and_imports_of_a_street_in_kilowatts():
    assert street_kw(np.array([3000.0, -500.0, 0.0, -1500.0])) == (3.0, 2.0)


def test_the_table_says_who_sells_and_buys_what():
    table = flow_table(np.array([3000.0, -500.0, -1500.0]), ["a", "b", "c"], Prices())
    assert tuple(table.columns) == FLOW_COLUMNS
    assert table.to_numpy().tolist() == [
        ["house", "a", 3.0, 0.0, 60.0, 0.0],
        ["house", "b", 0.0, 0.5, 0.0, 12.5],
        ["house", "c", 0.0, 1.5, 0.0, 37.5],
        ["grid", "Grid", 0.0, 1.0, 0.0, 6.0],
        ["total", "Total", 3.0, 3.0, 60.0, 56.0],
    ]
    assert table_result_ct_per_h(table) == -4.0


def test_the_grid_sells_at_its_consumption_price():
    table = flow_table(np.array([1000.0, -3000.0]), ["a", "b"], Prices())
    assert table.iloc[2].tolist() == ["grid", "Grid", 2.0, 0.0, 60.0, 0.0]
    assert table_result_ct_per_h(table) == 75.0 - 80.0


@given(streets, any_prices)
@example(np.zeros(3), Prices())
@example(np.array([-0.0]), Prices(0, 0, 0, 0))
def test_what_houses_and_grid_get_and_the_community_earns_is_zero_together(net_w, prices):
    table = flow_table(net_w, [f"house_{i}" for i in range(len(net_w))], prices)
    parties, total = table.iloc[:-1], table.iloc[-1]
    got = (parties["sold_ct_per_h"] - parties["bought_ct_per_h"]).sum()
    result = community_result_ct_per_h(*street_kw(net_w), prices)
    scale = max(1.0, float(parties[["sold_ct_per_h", "bought_ct_per_h"]].to_numpy().sum()))
    assert abs(got + result) <= 1e-9 * scale
    assert abs(table_result_ct_per_h(table) - result) <= 1e-9 * scale
    assert abs(total["sold_kw"] - total["bought_kw"]) <= 1e-9
    assert (table.iloc[:, 2:].to_numpy(float) >= 0).all()


@given(streets)
def test_a_house_that_sells_does_not_buy(net_w):
    table = flow_table(net_w, ["h"] * len(net_w), Prices())
    assert (table["sold_kw"] * table["bought_kw"]).iloc[:-1].eq(0).all()
    assert np.allclose((table["sold_kw"] - table["bought_kw"])[: len(net_w)], net_w / 1000, rtol=0, atol=1e-12)
