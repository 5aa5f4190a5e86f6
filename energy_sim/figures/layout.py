"""Where zones and outlines lie on a canvas: degrees to pixels (y down), with room between the nodes."""

import math
from dataclasses import dataclass

from energy_sim.figures.norway import CENTRE_LAT, CENTRE_LON, Point, project, zone_outline_km
from energy_sim.zones.model import Network

_ITERATIONS = 400


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels kept free of node centres at each side of the canvas."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Node centres in zone order, and rings of those zones that have an outline, in pixels."""

    centres: tuple[Point, ...]
    outline: tuple[tuple[str, tuple[tuple[Point, ...], ...]], ...]


def place_zones(network: Network, width: float, height: float, margins: Margins, gap: float) -> Placement:
    """Fit the zones of a network to a canvas.

    With a Norwegian zone the map is centred on Norway and outlines come along; other networks are centred on their own
    zones. Nodes closer than ``gap`` pixels, centre to centre, are pushed apart; equal coordinates are allowed.
    """
    zones = network.zones
    mapped = [zone.id for zone in zones if zone_outline_km(zone.id)]
    lon0 = CENTRE_LON if mapped else sum(z.lon for z in zones) / len(zones)
    lat0 = CENTRE_LAT if mapped else sum(z.lat for z in zones) / len(zones)
    km = [project(z.lon, z.lat, lon0, lat0) for z in zones]
    west, east = min(x for x, _ in km), max(x for x, _ in km)
    south, north = min(y for _, y in km), max(y for _, y in km)
    inner_w, inner_h = width - margins.left - margins.right, height - margins.top - margins.bottom
    scale = min(inner_w / max(east - west, 1.0), inner_h / max(north - south, 1.0))
    left = margins.left + (inner_w - scale * (east - west)) / 2
    top = margins.top + (inner_h - scale * (north - south)) / 2

    def to_canvas(point: Point) -> Point:
        return round(left + scale * (point[0] - west), 2), round(top + scale * (north - point[1]), 2)

    centres = _push_apart([to_canvas(p) for p in km], width, height, margins, gap)
    outline = tuple((z, tuple(tuple(to_canvas(p) for p in ring) for ring in zone_outline_km(z))) for z in mapped)
    return Placement(centres, outline)


def _push_apart(points: list[Point], width: float, height: float, margins: Margins, gap: float) -> tuple[Point, ...]:
    """Move points that are closer than ``gap`` away from each other, inside the margins, always in the same way."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    low_x, high_x = min(margins.left, width / 2), max(width - margins.right, width / 2)
    low_y, high_y = min(margins.top, height / 2), max(height - margins.bottom, height / 2)
    for _ in range(_ITERATIONS):
        moved = False
        for i in range(len(xs)):
            for j in range(i):
                dx, dy = xs[i] - xs[j], ys[i] - ys[j]
                distance = math.hypot(dx, dy)
                if distance >= gap - 0.01:
                    continue
                moved = True
                angle = math.atan2(dy, dx) if distance > 1e-6 else 2.4 * i + 0.7 * j
                push = (gap - distance) / 2 + 0.01
                for k, sign in ((i, 1.0), (j, -1.0)):
                    turned = angle + 0.05  # the small turn gets points out of a corner
                    xs[k] = min(max(xs[k] + sign * push * math.cos(turned), low_x), high_x)
                    ys[k] = min(max(ys[k] + sign * push * math.sin(turned), low_y), high_y)
        if not moved:
            break
    return tuple((round(x, 2), round(y, 2)) for x, y in zip(xs, ys, strict=True))
