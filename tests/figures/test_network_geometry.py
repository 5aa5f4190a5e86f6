import json
import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from energy_sim.figures.curves import curve_via, lane_offset, split_path, straight_lane
from energy_sim.figures.labels import LABELS_MAX
from energy_sim.figures.network import NetworkGeometry, build_geometry, ribbon
from energy_sim.zones.model import Link, Network
from tests.figures.networks import networks, norway, zone


@pytest.fixture(scope="module")
def geometry() -> NetworkGeometry:
    return build_geometry(norway())


def boxes(geometry: NetworkGeometry, split: bool) -> dict[str, tuple[float, float, float, float]]:
    result = {}
    for arrow in geometry.arrows:
        slot = arrow.split_label if split else arrow.label
        w, h = geometry.split_label_box if split and arrow.hops == 1 else geometry.label_box
        if slot is not None:
            result[arrow.key] = (slot.x - w / 2, slot.y - h / 2, slot.x + w / 2, slot.y + h / 2)
    return result


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def assert_labels_are_free(geometry: NetworkGeometry, split: bool) -> int:
    placed = boxes(geometry, split)
    assert [(i, j) for (i, a), (j, b) in combinations(placed.items(), 2) if overlap(a, b)] == []
    for left, top, right, bottom in placed.values():
        assert left >= 0
        assert right <= geometry.width
        assert top >= 0
        assert bottom <= geometry.height
        for n in geometry.nodes:
            dx, dy = max(left - n.x, n.x - right, 0), max(top - n.y, n.y - bottom, 0)
            assert math.hypot(dx, dy) > n.r
    return len(placed)


def separated(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two convex polygons are apart: some edge of one has the other wholly outside."""
    for p, q in ((a, b), (b, a)):
        for (x0, y0), (x1, y1) in zip(p, np.roll(p, -1, axis=0), strict=True):
            normal = np.array([y1 - y0, x0 - x1])
            inner, outer = (p - (x0, y0)) @ normal, (q - (x0, y0)) @ normal
            if outer.min() >= inner.max() - 1e-9 or outer.max() <= inner.min() + 1e-9:
                return True
    return False


def convex_parts(polygon: tuple[tuple[float, float], ...]) -> list[np.ndarray]:
    """The body and the head of a straight ribbon of seven points."""
    p = np.array(polygon)
    assert len(p) == 7
    return [p[[0, 1, 5, 6]], p[[2, 3, 4]]]


def test_norway_has_twelve_direct_and_twenty_two_hop_arrows(geometry):
    assert [a.hops for a in geometry.arrows] == [1] * 12 + [2] * 20
    assert {"NO4>NO3", "NO4>NO3>NO1", "NO1>NO3>NO4"} <= {a.key for a in geometry.arrows}
    assert len({a.key for a in geometry.arrows}) == 32


def test_a_ribbon_of_width_ten_along_the_x_axis_has_these_corners():
    polygon = ribbon(((0.0, 0.0), (100.0, 0.0)), 10.0)
    expected = [(0, -5), (85, -5), (85, -10), (100, 0), (85, 10), (85, 5), (0, 5)]  # head 4 + 11 long, 4 + 16 wide
    assert np.allclose(polygon, expected)


def test_a_straight_lane_lies_right_of_its_direction_and_ends_on_both_rims():
    (x0, y0), (x1, y1) = straight_lane((0.0, 0.0), (200.0, 0.0), 6.0, 10.0)
    assert (x0, y0, x1, y1) == (8.0, 6.0, 192.0, 6.0)  # sqrt(10² - 6²) = 8; right of eastwards is down on a screen


@pytest.mark.parametrize("width", [3.0, 9.5, 16.0])
def test_opposite_arrows_of_any_width_do_not_overlap(width):
    offset = lane_offset(16.0)
    forth = ribbon(straight_lane((0, 0), (150, 90), offset, 30), 16.0)
    back = ribbon(straight_lane((150, 90), (0, 0), offset, 30), width)
    assert all(separated(p, q) for p in convex_parts(forth) for q in convex_parts(back))


def test_every_arrow_starts_and_ends_on_the_rims_of_its_nodes(geometry):
    for arrow in geometry.arrows:
        for end, i in ((arrow.path[0], arrow.supplier), (arrow.path[-1], arrow.importer)):
            node = geometry.nodes[i]
            assert math.dist(end, (node.x, node.y)) == pytest.approx(node.r, abs=0.02), arrow.key


@pytest.mark.parametrize("via", [(150.0, 120.0), (150.0, 1.0), (150.0, 0.0), (90.0, -40.0)])
def test_a_two_hop_curve_touches_the_rim_of_the_transit_node_and_stays_outside(via):
    path = np.array(curve_via((0, 0), via, (300, 0), r=30, reach=30, end_shift=18))
    fine = np.vstack([np.linspace(a, b, 20) for a, b in pairwise(path)])
    distances = np.hypot(*(fine - via).T)
    assert distances.min() == pytest.approx(30, abs=0.4)
    if abs(via[1]) <= 1:  # a transit node between the ends: the curve still bows out by its radius
        assert np.abs(path[:, 1]).max() >= 29


def test_each_way_through_a_node_has_its_own_lane_near_the_rim(geometry):
    by_key = {a.key: a for a in geometry.arrows}
    for arrow in geometry.arrows:
        if arrow.transit is None:
            continue
        node = geometry.nodes[arrow.transit]
        nearest = np.hypot(*(np.array(arrow.path) - (node.x, node.y)).T).min()
        assert node.r - 0.1 <= nearest <= node.r + 10.5, arrow.key
        back = by_key[">".join(reversed(arrow.key.split(">")))]
        middle, other = np.array(arrow.path[18]), np.array(back.path)
        assert np.hypot(*(other - middle).T).min() > 5, arrow.key


def test_width_is_linear_in_energy_up_to_the_largest_link(geometry):
    assert geometry.full_scale_mwh == 93_600  # NO5 > NO1, 3,900 MW times 24 h
    assert [geometry.arrow_width(v) for v in (0, 46_800, 93_600, 200_000)] == [3, 9.5, 16, 16]


@pytest.mark.parametrize("split", [False, True])
def test_all_32_labels_of_norway_have_a_place_and_none_overlaps(geometry, split):
    assert assert_labels_are_free(geometry, split) == 32
    left, top, right, bottom = geometry.legend
    assert not any(overlap(box, (left, top, right, bottom)) for box in boxes(geometry, split).values())


@pytest.mark.parametrize("split", [False, True])
def test_on_a_phone_all_direct_labels_have_a_place(split):
    small = build_geometry(norway(), 400, 520)
    assert_labels_are_free(small, split)
    assert all((a.split_label if split else a.label) for a in small.arrows if a.hops == 1)
    assert small.legend is None


def test_labels_stay_within_reach_of_their_own_arrow(geometry):
    for arrow in geometry.arrows:
        gap = np.hypot(*(np.array(arrow.label.anchor) - (arrow.label.x, arrow.label.y)))
        assert gap < 8 + 86 + 39 + 11, arrow.key
        fine = np.vstack([np.linspace(a, b, 60) for a, b in pairwise(arrow.path)])
        assert np.hypot(*(fine - arrow.label.anchor).T).min() < 3, arrow.key


def test_the_same_network_gives_the_same_geometry():
    assert build_geometry(norway()) == build_geometry(norway())


def test_geometry_as_json_holds_what_the_page_draws(geometry):
    data = json.loads(json.dumps(geometry.to_json()))
    arrow = next(a for a in data["arrows"] if a["key"] == "NO4>NO3>NO1")
    assert (arrow["supplier"], arrow["transit"], arrow["importer"]) == (3, 2, 0)
    assert len(arrow["label"]) == 2
    assert data["nodes"][3] | {"x": 0, "y": 0} == {
        "id": "NO4",
        "name": "Zone NO4",
        "x": 0,
        "y": 0,
        "r": 30.0,
        "color": "#009E73",
        "force": 85.0,
        "min": 10.0,
    }
    assert [z["id"] for z in data["outline"]] == ["NO1", "NO2", "NO3", "NO4", "NO5"]


def test_nodes_at_one_place_are_pushed_apart_and_get_no_outline():
    net = Network(tuple(zone(z, 10.0, 60.0) for z in "ABC"), (Link("A", "B", 100.0), Link("B", "C", 100.0)))
    geometry = build_geometry(net)
    assert geometry.outline == ()
    for a, b in combinations(geometry.nodes, 2):
        assert math.dist((a.x, a.y), (b.x, b.y)) >= 2 * a.r + 40


def test_halves_of_a_split_arrow_leave_a_gap_of_three_pixels():
    first, second = split_path(((0.0, 0.0), (103.0, 0.0)))
    assert np.allclose([*first, *second], [(0, 0), (50, 0), (53, 0), (103, 0)])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_in_random_networks_nodes_keep_apart_arrows_end_on_rims_and_labels_never_overlap(net):
    geometry = build_geometry(net)
    for a, b in combinations(geometry.nodes, 2):
        assert math.dist((a.x, a.y), (b.x, b.y)) > 2 * a.r + 20
    for arrow in geometry.arrows:
        node = geometry.nodes[arrow.importer]
        assert math.dist(arrow.path[-1], (node.x, node.y)) == pytest.approx(node.r, abs=0.05)
        assert np.isfinite(ribbon(arrow.path, 16.0)).all()
    for split in (False, True):
        assert_labels_are_free(geometry, split)


@pytest.mark.parametrize("split", [False, True])
def test_of_a_dense_network_only_so_many_labels_are_looked_at_direct_ones_first(split):
    ids = "ABCDEFGHIJKL"
    zones = tuple(zone(z, 5.0 + 3 * (i % 4), 58.0 + 2 * (i // 4)) for i, z in enumerate(ids))
    dense = build_geometry(Network(zones, tuple(Link(a, b, 500.0) for a in ids for b in ids if a != b)))
    assert [a.hops for a in dense.arrows] == [1] * 132 + [2] * 1320  # 12 x 11, and 12 x 11 x 10
    slots = [a.split_label if split else a.label for a in dense.arrows]
    assert 20 < assert_labels_are_free(dense, split) <= LABELS_MAX
    assert set(slots[LABELS_MAX:]) == {None}
