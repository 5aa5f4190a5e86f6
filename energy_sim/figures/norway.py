"""A schematic outline of Norway in its five bidding zones, drawn by hand for this project.

Corners are degrees (lon, lat) from general knowledge of the country, about a corner every 50 km, a few fjords kept.
Zones are put together from shared strokes, so two neighbours have the very same border. Not for navigation.
"""

import math
from functools import cache
from itertools import pairwise
from typing import Final

Point = tuple[float, float]
Stroke = tuple[Point, ...]

CENTRE_LON: Final = 16.0
CENTRE_LAT: Final = 64.5
EARTH_RADIUS_KM: Final = 6371.0

_STROKES: Final[dict[str, Stroke]] = {
    # borders between zones, from the coast or from the west inwards
    "1|2": ((9.75, 59.0), (9.65, 59.45), (9.2, 59.8), (8.4, 59.9), (7.7, 60.2)),
    "2|5": ((5.25, 59.62), (5.9, 59.62), (6.5, 59.7), (7.0, 59.92), (7.7, 60.2)),
    "1|5": ((7.7, 60.2), (7.95, 60.65), (8.2, 61.1), (7.9, 61.6)),
    "3|5": ((4.95, 61.62), (5.8, 61.58), (6.7, 61.75), (7.3, 61.62), (7.9, 61.6)),
    "1|3": ((7.9, 61.6), (8.5, 62.05), (9.3, 62.3), (10.3, 62.5), (11.2, 62.42), (12.2, 62.3)),
    "3|4": ((11.85, 65.1), (12.6, 65.12), (13.4, 64.95), (14.4, 65.1)),
    # Sweden to the Oslofjord and round the coast, clockwise
    "coast 1": (
        (11.1, 59.0), (10.85, 59.15), (10.62, 59.4), (10.66, 59.65), (10.76, 59.92), (10.5, 59.72), (10.42, 59.45),
        (10.45, 59.2), (10.15, 58.98), (9.75, 59.0),
    ),
    "coast 2": (
        (9.75, 59.0), (9.4, 58.82), (8.85, 58.45), (8.3, 58.18), (7.7, 58.02), (7.05, 57.96), (6.65, 58.06),
        (6.72, 58.3), (6.3, 58.33), (5.75, 58.48), (5.48, 58.75), (5.6, 59.02), (6.25, 58.93), (6.05, 59.18),
        (6.35, 59.45), (5.7, 59.28), (5.2, 59.2), (5.25, 59.62),
    ),
    "coast 5": (
        (5.25, 59.62), (5.75, 59.88), (6.35, 60.15), (6.7, 60.42), (6.1, 60.32), (5.5, 60.02), (5.12, 60.1),
        (4.98, 60.45), (4.9, 60.75), (4.95, 61.02), (5.7, 61.06), (6.5, 61.1), (7.3, 61.3), (6.5, 61.22), (5.6, 61.2),
        (4.9, 61.2), (4.8, 61.42), (4.95, 61.62),
    ),
    "coast 3": (
        (4.95, 61.62), (4.98, 61.95), (5.1, 62.2), (5.75, 62.36), (6.7, 62.38), (6.2, 62.62), (6.85, 62.92),
        (7.6, 62.88), (7.8, 63.15), (8.4, 63.3), (8.2, 63.48), (8.9, 63.7), (9.5, 63.62), (10.2, 63.44), (11.1, 63.6),
        (11.35, 63.98), (10.6, 63.72), (9.75, 63.75), (9.95, 64.08), (10.5, 64.4), (11.3, 64.5), (10.95, 64.8),
        (11.85, 65.1),
    ),
    "coast 4": (
        (11.85, 65.1), (12.1, 65.5), (12.45, 65.95), (13.5, 66.2), (12.95, 66.4), (13.1, 66.75), (13.9, 67.05),
        (14.4, 67.28), (15.3, 67.25), (14.85, 67.55), (15.5, 67.95), (16.3, 68.2), (17.4, 68.42), (16.4, 68.6),
        (16.9, 69.0), (17.0, 69.4), (18.2, 69.7), (19.6, 70.05), (20.35, 69.45), (20.8, 70.05), (22.3, 70.35),
        (23.2, 70.0), (23.6, 70.75), (25.6, 71.12), (25.1, 70.2), (26.6, 70.95), (28.0, 71.05), (28.3, 70.35),
        (29.4, 70.75), (31.0, 70.35), (29.2, 70.08), (30.6, 69.75),
    ),
    # the eastern border, from the north
    "east 4": (
        (30.6, 69.75), (29.1, 69.1), (29.2, 69.65), (27.9, 70.08), (26.3, 69.9), (25.7, 69.2), (24.0, 68.82),
        (22.4, 68.72), (21.4, 69.25), (20.3, 69.0), (19.9, 68.4), (18.2, 68.5), (17.3, 68.05), (16.15, 67.45),
        (16.35, 67.05), (15.5, 66.35), (14.6, 66.1), (14.5, 65.5), (14.4, 65.1),
    ),
    "east 3": (
        (14.4, 65.1), (14.05, 64.55), (13.9, 64.05), (12.9, 64.02), (12.2, 63.6), (12.0, 63.25), (12.15, 62.8),
        (12.2, 62.3),
    ),
    "east 1": (
        (12.2, 62.3), (12.3, 61.95), (12.85, 61.4), (12.45, 61.0), (12.55, 60.5), (11.9, 60.0), (11.75, 59.5),
        (11.45, 58.95), (11.1, 59.0),
    ),
    # islands that give the north its shape
    "lofoten": (
        (12.85, 67.82), (13.6, 68.02), (14.6, 68.15), (15.6, 68.3), (16.2, 68.5), (16.35, 68.75), (15.95, 69.25),
        (15.3, 68.95), (14.5, 68.7), (14.7, 68.42), (13.5, 68.2), (12.85, 67.82),
    ),
}  # fmt: skip

_RINGS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {  # strokes end to end; "-" runs one backwards
    "NO1": (("coast 1", "1|2", "1|5", "1|3", "east 1"),),
    "NO2": (("coast 2", "2|5", "-1|2"),),
    "NO3": (("coast 3", "3|4", "east 3", "-1|3", "-3|5"),),
    "NO4": (("coast 4", "east 4", "-3|4"), ("lofoten",)),
    "NO5": (("coast 5", "3|5", "-1|5", "-2|5"),),
}


def project(lon: float, lat: float, centre_lon: float = CENTRE_LON, centre_lat: float = CENTRE_LAT) -> Point:
    """Degrees to kilometres east and north of the centre, by the Lambert azimuthal equal-area projection.

    Source: J. P. Snyder, Map Projections: A Working Manual, USGS Professional Paper 1395 (1987), eq. 24-2 and 22-4.
    """
    lam, phi, phi0 = math.radians(lon - centre_lon), math.radians(lat), math.radians(centre_lat)
    cos_c = math.sin(phi0) * math.sin(phi) + math.cos(phi0) * math.cos(phi) * math.cos(lam)
    k = EARTH_RADIUS_KM * math.sqrt(2 / max(1 + cos_c, 1e-9))
    north = math.cos(phi0) * math.sin(phi) - math.sin(phi0) * math.cos(phi) * math.cos(lam)
    return k * math.cos(phi) * math.sin(lam), k * north


def zone_ring_strokes(zone_id: str) -> tuple[tuple[Stroke, ...], ...]:
    """Rings of a zone as strokes of (lon, lat) laid end to end; empty for a zone without an outline."""
    return tuple(
        tuple(_STROKES[name[1:]][::-1] if name.startswith("-") else _STROKES[name] for name in names)
        for names in _RINGS.get(zone_id, ())
    )


@cache
def zone_outline_km(zone_id: str) -> tuple[Stroke, ...]:
    """Closed rings of a zone in kilometres, corners rounded; neighbours share the points of their border exactly."""
    rings = []
    for strokes in zone_ring_strokes(zone_id):
        ring: list[Point] = []
        for stroke in strokes:
            ring += _round_corners(tuple(project(*corner) for corner in stroke))[:-1]
        rings.append((*ring, ring[0]))
    return tuple(rings)


def _round_corners(line: Stroke, passes: int = 2) -> Stroke:
    """Cut corners at an eighth of each side, ends kept; the same from either end, so that shared borders stay shared.

    Source: G. M. Chaikin, An algorithm for high-speed curve generation, Comput. Graph. Image Process. 3 (1974).
    """
    for _ in range(passes):
        cut = [line[0]]
        for (x0, y0), (x1, y1) in pairwise(line):
            cut += [
                (0.875 * x0 + 0.125 * x1, 0.875 * y0 + 0.125 * y1),
                (0.125 * x0 + 0.875 * x1, 0.125 * y0 + 0.875 * y1),
            ]
        line = (*cut, line[-1])
    return tuple((round(x, 3), round(y, 3)) for x, y in line)
