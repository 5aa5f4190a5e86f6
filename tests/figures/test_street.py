"""Where houses stand, how wide and which way the lines run, and what the figure of a street holds."""

import json
import math

import numpy as np
import pytest

from energy_sim.errors import DataError
from energy_sim.figures.street import (
    EXPORT,
    IDLE,
    IMPORT,
    StreetGeometry,
    edge_lines,
    edge_polygons,
    edge_powers,
    houses_per_feeder,
    street_geometry,
)
from energy_sim.figures.street_figure import format_net, format_power, street_figure
from energy_sim.figures.theme import THEMES

COUNTS = (1, 2, 5, 14, 40, 41, 100, 500)
CANVASES = ((1080.0, 640.0, False), (360.0, 480.0, True))


def drawn(count: int, canvas: tuple[float, float, bool]) -> StreetGeometry:
    width, height, compact = canvas
    return street_geometry(count, width, height, compact=compact)


def body_width(polygon: np.ndarray) -> float:
    return float(np.hypot(*(polygon[0] - polygon[6])))


def label_boxes(geometry: StreetGeometry) -> list[tuple[float, float, float, float]]:
    w, h = geometry.label_box
    return [(s.x - w / 2, s.y - h / 2, s.x + w / 2, s.y + h / 2) for s in geometry.labels if s is not None]


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("count", COUNTS)
def test_no_two_houses_overlap_and_all_stand_clear_of_bus_grid_and_border(count, canvas):
    g = drawn(count, canvas)
    assert g.houses.shape == (count, 2)
    gaps = np.hypot(*(g.houses[:, None] - g.houses[None]).transpose(2, 0, 1))
    gaps[np.diag_indices(count)] = np.inf
    assert gaps.min() >= 2 * g.house_r
    assert (g.houses >= g.house_r).all()
    assert (g.houses <= np.array([g.width, g.height]) - g.house_r).all()
    assert np.hypot(*(g.houses - g.hub[:2]).T).min() > g.hub[2] + g.house_r
    x, y, w, h = g.grid
    off = np.maximum(np.abs(g.houses - (x, y)) - (w / 2, h / 2), 0)
    assert np.hypot(*off.T).min() > g.house_r


def test_five_houses_stand_sixty_degrees_apart_clockwise_with_the_side_of_the_grid_left_open():
    g = street_geometry(5)
    rx, ry = g.width - g.hub[0] - 108, g.height - g.hub[1] - 48
    angles = [math.degrees(math.atan2((y - g.hub[1]) / ry, (x - g.hub[0]) / rx)) for x, y in g.houses]
    assert angles == pytest.approx([-120, -60, 0, 60, 120], abs=0.03)
    assert g.grid[0] < g.hub[0] - rx
    assert g.grid[1] == g.hub[1]


def test_on_a_phone_the_grid_is_on_top_and_the_houses_go_round_from_there():
    g = drawn(4, CANVASES[1])
    assert g.grid[0] == g.hub[0] == 180
    assert g.grid[1] + g.grid[3] / 2 < g.houses[:, 1].min()
    assert (g.houses[:, 0] > 180).tolist() == [True, True, False, False]


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("count", COUNTS)
def test_numbers_cover_neither_each_other_nor_a_house_and_stay_on_the_canvas(count, canvas):
    g = drawn(count, canvas)
    boxes = label_boxes(g)
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert top >= 0
        assert right <= g.width
        assert bottom <= g.height
        for other in boxes[:i]:
            assert not (left < other[2] and other[0] < right and top < other[3] and other[1] < bottom)
        dx = np.maximum(np.maximum(left - g.houses[:, 0], g.houses[:, 0] - right), 0)
        dy = np.maximum(np.maximum(top - g.houses[:, 1], g.houses[:, 1] - bottom), 0)
        assert np.hypot(dx, dy).min() >= g.house_r


@pytest.mark.parametrize(("count", "wanted"), [(5, 5), (14, 14), (30, 30), (40, 40), (100, 10), (500, 25)])
def test_on_a_wide_canvas_nearly_every_house_or_feeder_has_room_for_its_number(count, wanted):
    assert len(label_boxes(street_geometry(count))) >= wanted


@pytest.mark.parametrize(("count", "per", "feeders"), [(40, 0, 0), (41, 6, 7), (500, 20, 25), (10_000, 90, 112)])
def test_consecutive_houses_share_a_feeder_on_alternate_sides_of_its_trunk(count, per, feeders):
    g = street_geometry(count)
    assert (houses_per_feeder(count), g.per, g.feeders) == (per, per, feeders)
    if not per:
        return
    for f in (0, feeders - 1):
        own = g.houses[f * per : (f + 1) * per] - g.hub[:2]
        way = g.trunks[f] - g.hub[:2]
        side = np.sign(own[:, 0] * way[1] - own[:, 1] * way[0])
        assert (side[1:] == -side[:-1]).all()
        assert (np.diff(own @ way) > 0).all()  # outward in order


def test_ten_thousand_houses_are_on_the_canvas_and_small_to_send():
    g = street_geometry(10_000)
    assert ((g.houses > 0) & (g.houses < (g.width, g.height))).all()
    assert len(json.dumps(g.to_json(), separators=(",", ":"))) < 130_000
    assert street_geometry(10_000) is g


@pytest.mark.parametrize("arguments", [(0,), (10_001,), (5, 200.0, 480.0)])
def test_what_cannot_be_drawn_is_refused(arguments):
    with pytest.raises(DataError, match=r"houses|canvas"):
        street_geometry(*arguments)


def test_the_width_is_proportional_to_the_power_up_to_the_full_scale():
    g = street_geometry(5)
    full = g.widths[0][1]
    assert full == pytest.approx(19.8)
    _, polygons = edge_polygons(g, [11_000, 5_500, -2_750, 100, 30_000], full_scale_w=11_000)
    widths = [body_width(p) for p in polygons[:5]]
    assert widths == pytest.approx([full, full / 2, full / 4, g.widths[0][0], full])


def test_the_head_points_to_the_bus_for_export_and_to_the_house_for_import_and_idle_has_no_body():
    g = street_geometry(5)
    status, polygons = edge_polygons(g, [3_000, -3_000, 9.9, -9.9, -10])
    assert status.tolist() == [EXPORT, IMPORT, IDLE, IDLE, IMPORT, IMPORT]
    tips = polygons[:, 3]
    to_bus, to_house = np.hypot(*(tips[:5] - g.hub[:2]).T), np.hypot(*(tips[:5] - g.houses).T)
    assert to_bus[0] == pytest.approx(g.hub[2] + 4)
    assert to_house[1] == pytest.approx(g.house_r + 3)
    assert [body_width(p) for p in polygons[2:4]] == [0, 0]
    assert polygons[5, 3].tolist() == edge_lines(g)[5, :2].tolist()  # the grid feeds the bus
    _, away = edge_polygons(g, [3_000] * 5)
    assert away[5, 3].tolist() == [g.grid[0] + g.grid[2] / 2 + 4, g.grid[1]]


def test_a_trunk_carries_the_sum_of_its_feeder_and_the_grid_line_the_sum_of_all():
    g = street_geometry(41)
    net = np.zeros(41)
    net[:6], net[40] = 1_000, -2_500  # feeder 0, and the last house of the last feeder
    power = edge_powers(g, net)
    assert power.shape == (41 + 7 + 1,)
    assert power[41:].tolist() == [6_000, 0, 0, 0, 0, 0, -2_500, 3_500]
    status, polygons = edge_polygons(g, net, full_scale_w=10_000)
    assert status[41:].tolist() == [EXPORT, IDLE, IDLE, IDLE, IDLE, IDLE, IMPORT, EXPORT]
    assert body_width(polygons[41]) == pytest.approx(g.widths[1][1] * 6_000 / 18_000)  # 0.3 * 6 houses * 10 kW
    assert body_width(polygons[48]) == pytest.approx(g.widths[2][0])  # 3.5 kW of 123 kW: the least width
    net[:] = 1_500
    assert body_width(edge_polygons(g, net, 10_000)[1][48]) == pytest.approx(g.widths[2][1] / 2)


def test_above_eight_hundred_houses_all_house_lines_are_thin():
    g = street_geometry(1_000)
    _, polygons = edge_polygons(g, np.linspace(-11_000, 11_000, 1_000))
    assert {round(body_width(p), 6) for p in polygons[:1_000]} == {g.widths[0][0]}


@pytest.mark.parametrize("net", [[1.0] * 4, [1.0, 2.0, 3.0, 4.0, math.nan], [[1.0] * 5]])
def test_powers_that_do_not_fit_the_street_are_refused(net):
    with pytest.raises(DataError, match="5 finite powers"):
        edge_powers(street_geometry(5), net)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("count", [1, 5, 41, 1_000])
def test_the_figure_always_has_seven_traces_and_the_houses_own_numbers(count, theme):
    g = street_geometry(count)
    net = np.resize([3_250.0, -1_400.0, 0.0], count)
    ids = [f"house_{i + 1}" for i in range(count)]
    figure = street_figure(g, ids, net, theme, "Street, 12:30", running=["EV wallbox"] * count)
    assert [t.uid for t in figure.data] == ["export", "import", "idle", "houses", "numbers", "ends", "lines"]
    houses = figure.data[3]
    expected = [3.25, "Export", "EV wallbox"], [-1.4, "Import", "EV wallbox"], [0.0, "Idle", "EV wallbox"]
    assert [list(row) for row in houses.customdata] == [[ids[i], *expected[i % 3]] for i in range(count)]
    colors = THEMES[theme]
    tones = (colors.export, colors.import_, colors.idle)
    assert list(houses.marker.color) == [tones[i % 3] for i in range(count)]
    assert len(figure.data[6].x) == 3 * (count + g.feeders + 1)
    assert figure.layout.title.text == "Street, 12:30"


def test_the_figure_says_what_the_grid_gets_and_what_the_houses_share():
    g = street_geometry(5)
    figure = street_figure(g, list("abcde"), [4_000, 2_000, -1_500, -500, 0], "dark", "")
    assert figure.data[5].text[0] == "<b>Bus</b><br>5 houses<br>shares 2.0\u00a0kW"
    assert figure.data[5].text[1] == "<b>Grid</b><br>4.0\u00a0kW<br>▲ to grid"
    assert figure.data[4].text == ("▲\u00a0+4.0", "▲\u00a0+2.0", "▼\u00a0−1.5", "▼\u00a0−0.5", "●\u00a00.0")
    assert figure.data[0].x.count(None) == 3  # two houses and the grid
    with pytest.raises(DataError, match="each of the 5 houses"):
        street_figure(g, ["a"], [0.0] * 5, "dark", "")


def test_powers_read_in_kilowatts_and_megawatts():
    texts = [format_power(w).replace("\u00a0", " ") for w in (0, 949, -4_620, 99_940, 99_960, 999_400, 2_536_000)]
    assert texts == ["0.0 kW", "0.9 kW", "4.6 kW", "99.9 kW", "100 kW", "999 kW", "2.54 MW"]
    assert format_net(20, EXPORT) == "▲\u00a00.0"
    assert format_net(-123_400, IMPORT) == "▼\u00a0−123"
