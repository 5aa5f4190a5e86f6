"""Where the homes of a ring stand, which arrows a step has, where amounts fit, and what the figure holds."""

import json
import math

import numpy as np
import pytest

from energy_sim.errors import DataError
from energy_sim.figures.ring import (
    DRAWN_MAX,
    HOME_FIELDS,
    RingGeometry,
    RingState,
    format_amount,
    format_money,
    place_amounts,
    ring_arrows,
    ring_geometry,
    trade_path,
)
from energy_sim.figures.ring_figure import home_status, plot_ring
from energy_sim.figures.ring_places import short_names
from energy_sim.figures.theme import THEMES

COUNTS = (1, 2, 5, 14, 30, 35, 36, 59, 60, 61, 300, 1000)
CANVASES = ((900.0, 700.0, False), (360.0, 480.0, True))


def ids(count: int) -> tuple[str, ...]:
    return tuple(f"house_{i + 1}" for i in range(count))


def drawn(count: int, canvas: tuple[float, float, bool]) -> RingGeometry:
    width, height, compact = canvas
    return ring_geometry(ids(count), width, height, compact=compact)


def some_state(count: int, trades=(), full_kwh: float = 2.0, **given) -> RingState:
    """All zero but for what is given."""
    values = {name: np.asarray(given.get(name, np.zeros(count)), dtype=float) for name in HOME_FIELDS}
    return RingState(**values, trades=tuple(trades), full_kwh=full_kwh)


def busy_state(count: int) -> RingState:
    """One seller in two, next homes buy; everybody also trades with the grid; one battery in five is missing."""
    random = np.random.default_rng(count)
    even = np.arange(count) % 2 == 0
    sold, bought = np.where(even, random.gamma(2, 0.4, count), 0), np.where(even, 0, random.gamma(2, 0.4, count))
    soc = random.uniform(5, 95, count)
    soc[::5] = np.nan
    trades = [(i, int(j), float(random.gamma(2, 0.4))) for i in range(0, count, 2) for j in [random.integers(count)]]
    trades = [t for t in trades if t[0] != t[1]]
    money = {"wallet_eur": random.normal(0, 20, count), "saved_eur": random.normal(1, 1, count)}
    return some_state(count, trades, soc_pct=soc, grid_sell_kwh=sold, grid_buy_kwh=bought, **money)


def boxes_of_blocks(g: RingGeometry) -> list[tuple[float, float, float, float]]:
    w, h = g.block
    return [(s[0] - w / 2, s[1] - h / 2, s[0] + w / 2, s[1] + h / 2) for s in g.slots if s is not None]


def overlapping(boxes) -> list:
    return [
        (a, b)
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]


def nearest_disc(box, homes: np.ndarray) -> float:
    dx = np.maximum(np.maximum(box[0] - homes[:, 0], homes[:, 0] - box[2]), 0)
    dy = np.maximum(np.maximum(box[1] - homes[:, 1], homes[:, 1] - box[3]), 0)
    return float(np.hypot(dx, dy).min())


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("count", COUNTS)
def test_no_two_homes_overlap_and_all_stand_on_the_canvas_clear_of_the_grid(count, canvas):
    g = drawn(count, canvas)
    assert g.homes.shape == (count, 2)
    assert g.dots is (count > 60)
    gaps = np.hypot(*(g.homes[:, None] - g.homes[None]).transpose(2, 0, 1))
    gaps[np.diag_indices(count)] = np.inf
    assert gaps.min() > 2 * g.r
    assert (g.homes >= g.r).all()
    assert (g.homes <= np.array([g.width, g.height]) - g.r).all()
    assert np.hypot(*(g.homes - g.hub[:2]).T).min() > g.hub[2] + g.r


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("count", [n for n in COUNTS if n <= 60])
def test_boxes_for_money_cover_neither_each_other_nor_a_home_and_stay_on_the_canvas(count, canvas):
    g = drawn(count, canvas)
    boxes = boxes_of_blocks(g)
    assert len(boxes) >= (0.8 * count if not g.compact else count if count <= 5 else 0)
    assert overlapping(boxes) == []
    for left, top, right, bottom in boxes:
        assert min(left, top, g.width - right, g.height - bottom) >= 0
        assert nearest_disc((left, top, right, bottom), g.homes) >= g.r


def test_four_homes_stand_at_the_top_right_bottom_and_left():
    g = drawn(4, CANVASES[0])
    assert g.hub[:2] == (450, 350)
    rx, ry = 450 - (34 + 6 + 68 + 4), 350 - (34 + 6 + 40 + 4)  # radius, border, box beside the home
    expected = [(450, 350 - ry), (450 + rx, 350), (450, 350 + ry), (450 - rx, 350)]
    assert g.homes == pytest.approx(np.array(expected), abs=0.2)


def test_two_homes_stand_beside_the_grid_and_on_a_phone_above_and_below_it():
    assert drawn(2, CANVASES[0]).homes[:, 1] == pytest.approx([350, 350], abs=0.2)
    assert drawn(2, CANVASES[1]).homes[:, 0] == pytest.approx([180, 180], abs=0.2)


def test_from_thirty_six_homes_on_every_second_one_stands_in_an_inner_row():
    one, two = (drawn(n, CANVASES[0]) for n in (35, 36))
    far = [np.hypot(*((g.homes - g.hub[:2]) / (np.ptp(g.homes, axis=0) / 2)).T) for g in (one, two)]
    assert far[0] == pytest.approx(np.ones(35), abs=0.02)
    assert far[1] == pytest.approx(np.tile([1, 0.68], 18), abs=0.02)


def test_many_homes_lie_in_order_round_the_ring():
    g = drawn(300, CANVASES[0])
    x, y = ((g.homes - g.hub[:2]) / (np.ptp(g.homes, axis=0) / 2)).T
    angle = np.unwrap(np.arctan2(y, x))
    assert angle[-1] - angle[0] == pytest.approx(2 * math.pi, abs=0.2)
    assert np.diff(angle).min() > -0.05


def test_a_thousand_homes_are_small_to_send():
    assert len(json.dumps(drawn(1000, CANVASES[0]).to_json(), separators=(",", ":"))) < 60_000


def test_names_lose_what_all_have_in_front():
    assert short_names(["house_1", "house_12", "house_3"]) == ("1", "12", "3")
    assert short_names(["A1", "B2"]) == ("A1", "B2")
    assert short_names(["residential-north", "cafe"]) == ("resi…", "cafe")
    assert short_names(["house_10", "house_11"]) == ("10", "11")


def test_a_trade_goes_from_rim_to_rim():
    g = drawn(14, CANVASES[0])
    for seller, buyer in ((0, 1), (0, 7), (3, 11), (13, 0)):
        path = trade_path(g, seller, buyer)
        assert math.dist(path[0], g.homes[seller]) == pytest.approx(g.r + 4, abs=0.01)
        assert math.dist(path[-1], g.homes[buyer]) == pytest.approx(g.r + 4, abs=0.01)


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("count", [2, 5, 14, 30])
def test_trades_pass_between_the_grid_and_the_rim(count, canvas):
    g = drawn(count, canvas)
    ring = np.ptp(g.homes, axis=0) / 2 if count > 2 else np.array([g.width, g.height]) / 2
    for seller in range(count):
        for buyer in range(count):
            if seller == buyer:
                continue
            points = np.array(trade_path(g, seller, buyer)) - g.hub[:2]
            assert np.hypot(*points.T).min() > g.hub[2] + 4
            assert np.hypot(*(points[5:-5] / ring).T).max() < 1


def test_arrows_are_trades_from_the_largest_on_then_the_grids_and_nothing_below_five_watt_hours():
    state = some_state(
        4, [(0, 1, 0.4), (2, 3, 1.5), (0, 3, 0.004)], grid_buy_kwh=[0, 0, 0, 2.0], grid_sell_kwh=[1.0, 0, 0.004, 0]
    )
    arrows = ring_arrows(drawn(4, CANVASES[0]), state)
    assert [(a.kind, a.start, a.end, a.kwh) for a in arrows] == [
        ("trade", 2, 3, 1.5),
        ("trade", 0, 1, 0.4),
        ("sell", 0, -1, 1.0),
        ("buy", -1, 3, 2.0),
    ]


def test_widths_are_linear_in_energy_up_to_the_full_scale():
    g = drawn(4, CANVASES[0])
    assert g.widths == (1.6, 13.0, 16.9)
    state = some_state(4, [(0, 1, 1.0), (1, 2, 2.0), (2, 3, 9.0)], grid_sell_kwh=[0.5, 0, 0, 0])
    assert [round(a.width, 3) for a in ring_arrows(g, state)] == [13.0, 13.0, 7.3, 5.425]  # 1.6 + 15.3 / 4
    polygon = ring_arrows(g, state)[3].polygon
    assert math.dist(polygon[0], polygon[-1]) == pytest.approx(5.425)


def test_a_home_that_buys_and_sells_in_one_step_has_both_arrows_beside_each_other():
    g = drawn(4, CANVASES[0])
    sell, buy = (
        a.path
        for a in sorted(
            ring_arrows(g, some_state(4, grid_buy_kwh=[1, 0, 0, 0], grid_sell_kwh=[1, 0, 0, 0])),
            key=lambda a: a.kind,
            reverse=True,
        )
    )
    assert sell[0][0] == pytest.approx(450 - 16.9 / 2)  # each to the right of its direction: down and up
    assert buy[0][0] == pytest.approx(450 + 16.9 / 2)


def test_dots_have_no_arrows_to_the_grid_and_only_the_largest_trades():
    trades = [(i, i + 1, 0.01 * (i + 1)) for i in range(99)]
    arrows = ring_arrows(drawn(100, CANVASES[0]), some_state(100, trades, grid_buy_kwh=np.ones(100)))
    assert len(arrows) == DRAWN_MAX == 60
    assert [a.kwh for a in arrows] == pytest.approx([0.01 * k for k in range(99, 39, -1)])


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("count", [2, 5, 14, 30, 60])
def test_amounts_cover_neither_each_other_nor_homes_nor_money_and_the_largest_come_first(count, canvas):
    g = drawn(count, canvas)
    arrows = ring_arrows(g, busy_state(count))
    placed = place_amounts(g, arrows)
    boxes = [box for box in placed if box is not None]
    assert len(placed) == len(arrows) > len(boxes) - 1
    assert boxes
    assert overlapping([*boxes, *boxes_of_blocks(g)]) == []
    for box in boxes:
        assert nearest_disc(box, np.vstack([g.homes, g.hub[:2]])) >= g.r
        assert nearest_disc(box, np.array([g.hub[:2]])) >= g.hub[2]
    if count <= 5 and not g.compact:
        assert len(boxes) == len(arrows)
    if count > 12:
        assert {a.kind for a, box in zip(arrows, placed, strict=True) if box is not None} == {"trade"}


def test_status_is_read_from_what_was_saved_bought_and_missed():
    state = some_state(5, saved_eur=[1, 1, 0.004, -1, 5], grid_buy_kwh=[0, 1, 0, 0, 0], unserved_kwh=[0, 0, 0, 0, 0.1])
    assert home_status(state).tolist() == [0, 1, 1, 2, 2]


def test_a_state_travels_as_rows_in_the_order_of_the_fields_with_null_for_no_battery():
    state = some_state(2, [(0, 1, 0.1234)], soc_pct=[np.nan, 41.987], wallet_eur=[1.005, -2], unserved_kwh=[0, 0.5])
    sent = json.loads(json.dumps(state.to_json()))
    assert sent["homes"][0][:2] == [None, 1.0]
    assert sent["homes"][1] == [41.99, -2.0, *[0] * 10, 0.5]
    assert sent["trades"] == [[0, 1, 0.123]]
    assert (sent["full"], sent["barFull"]) == (2.0, None)


def test_energy_and_money_read_with_the_digits_that_matter():
    plain = [format_amount(v).replace("\u00a0", " ") for v in (0.004, 9.994, 9.996, 99.96, 999.6, 1234)]
    assert plain == ["0.00 kWh", "9.99 kWh", "10.0 kWh", "100 kWh", "1.00 MWh", "1.23 MWh"]
    assert [format_money(v) for v in (-12.345, 99.996, -1234.5)] == ["−12.35", "100", "−1\u202f234"]
    signed = [format_money(v, signed=True).replace("\u00a0", " ") for v in (1.2, -0.5, 0.004, -0.004)]
    assert signed == ["▲ +1.20", "▼ −0.50", "● 0.00", "● 0.00"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("count", [5, 30, 60, 300])
def test_the_figure_holds_the_polygons_of_all_arrows(count, theme):
    g, state = drawn(count, CANVASES[0]), busy_state(count)
    figure = plot_ring(g, state, theme)
    arrows = ring_arrows(g, state)
    shown = sum(x is None for trace in figure.data[:6] for x in trace.x[1:])
    assert shown == len(arrows) > 0
    largest = np.array(arrows[0].polygon)
    strong = next(t for t in figure.data if t.legendgroup == "trade" and t.showlegend)
    assert np.array(list(zip(strong.x, strong.y, strict=True))[: len(largest)], dtype=float) == pytest.approx(
        largest, abs=0.01
    )
    boxes = [box for box in place_amounts(g, arrows) if box is not None]
    assert sum(a.text.endswith("kWh") for a in figure.layout.annotations) == len(boxes)
    assert figure.layout.paper_bgcolor == THEMES[theme].bg


def test_the_figure_says_how_many_amounts_it_hides_and_tells_everything_of_a_home_on_hover():
    g, state = drawn(60, CANVASES[0]), busy_state(60)
    figure = plot_ring(g, state)
    arrows = ring_arrows(g, state)
    boxes = place_amounts(g, arrows)
    hidden = sum(box is None for arrow, box in zip(arrows, boxes, strict=True) if arrow.kind == "trade")
    assert hidden > 1
    assert figure.layout.annotations[-1].text == f"{hidden} amounts hidden: see the table"
    told = next(t for t in figure.data if t.uid == "homes").hovertext[1]
    for part in ("<b>house_2</b>", "Wallet", "Saved against the baseline", "Battery", "Bought from the grid"):
        assert part in told


def test_the_figure_of_a_night_without_any_energy_can_be_drawn():
    figure = plot_ring(drawn(5, CANVASES[0]), some_state(5, full_kwh=0.0))
    assert list(figure.data[0].x) == [None]
    assert figure.layout.annotations == ()


@pytest.mark.parametrize("arguments", [((),), (ids(1001),), (ids(5), 200.0, 480.0)])
def test_what_cannot_be_drawn_is_refused(arguments):
    with pytest.raises(DataError, match=r"homes|canvas"):
        ring_geometry(*arguments)


@pytest.mark.parametrize("trades", [[(0, 5, 1.0)], [(-1, 2, 1.0)], [(2, 2, 1.0)]])
def test_trades_of_homes_that_are_not_there_or_with_oneself_are_refused(trades):
    with pytest.raises(DataError, match="seller and buyer"):
        ring_arrows(drawn(5, CANVASES[0]), some_state(5, trades))


def test_a_state_of_another_number_of_homes_is_refused():
    with pytest.raises(DataError, match="give 5 values"):
        ring_arrows(drawn(5, CANVASES[0]), some_state(4))
