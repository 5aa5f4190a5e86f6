from collections import Counter
from itertools import pairwise

import pytest

from energy_sim.figures.norway import project, zone_outline_km, zone_ring_strokes
from tests.figures.networks import NORWAY_AT

ZONES = tuple(NORWAY_AT)
NEIGHBOURS = {("NO1", "NO2"), ("NO1", "NO3"), ("NO1", "NO5"), ("NO2", "NO5"), ("NO3", "NO4"), ("NO3", "NO5")}


def inside(point, ring) -> bool:
    x, y = point
    odd = False
    for (x0, y0), (x1, y1) in pairwise(ring):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


def area(ring) -> float:
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring))) / 2


def test_projection_keeps_the_centre_and_distances_to_the_north():
    assert project(16.0, 64.5) == (0.0, pytest.approx(0.0, abs=1e-9))
    assert project(16.0, 65.5)[1] == pytest.approx(111.19, abs=0.02)  # one degree of a sphere of 6,371 km


@pytest.mark.parametrize("zone_id", ZONES)
def test_strokes_close_to_a_ring_and_its_own_node_lies_inside(zone_id):
    for strokes in zone_ring_strokes(zone_id):
        for k, stroke in enumerate(strokes):
            assert stroke[-1] == strokes[(k + 1) % len(strokes)][0]
    ring = zone_outline_km(zone_id)[0]
    assert ring[0] == ring[-1]
    assert [z for z, at in NORWAY_AT.items() if inside(project(*at), ring)] == [zone_id]


def test_exactly_the_neighbouring_zones_share_a_border_point_for_point():
    edges = {z: Counter(frozenset(e) for ring in zone_outline_km(z) for e in pairwise(ring)) for z in ZONES}
    shared = {(a, b): len(edges[a] & edges[b]) for a in ZONES for b in ZONES if a < b}
    assert {pair for pair, n in shared.items() if n} == NEIGHBOURS
    assert all(shared[pair] >= 6 for pair in NEIGHBOURS)


def test_zones_together_are_about_as_large_as_mainland_norway():
    total = sum(area(ring) for z in ZONES for ring in zone_outline_km(z))
    assert 260_000 < total < 390_000  # km²; mainland Norway is 324,000


def test_a_zone_abroad_has_no_outline():
    assert zone_outline_km("SE3") == ()
