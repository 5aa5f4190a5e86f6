"""Centre lines of arrows between discs: straight lanes and quadratic curves that touch a third disc."""

import math

import numpy as np

Point = tuple[float, float]
Path = tuple[Point, ...]

_CURVE_POINTS = 36
_ALONG = 0.04 + 0.92 * np.arange(161) / 160  # where the distance to the disc passed is looked at
_SPLIT_GAP_PX = 3.0


def lane_offset(width_max: float) -> float:
    """How far a straight arrow is shifted so that two opposite ones never overlap, in pixels.

    A head reaches 2 + 0.8 width to each side of its lane, a body 0.5 width: two lanes need 2 + 1.3 width between them.
    """
    return (2 + 1.3 * width_max) / 2 + 0.5


def straight_lane(a: Point, b: Point, offset: float, r: float) -> Path:
    """A straight line from rim to rim of two discs, shifted to the right of its direction on the screen (y down)."""
    length = math.hypot(b[0] - a[0], b[1] - a[1])
    ux, uy = (b[0] - a[0]) / length, (b[1] - a[1]) / length
    inset = math.sqrt(max(r * r - offset * offset, 0.0))
    start = (a[0] - uy * offset + ux * inset, a[1] + ux * offset + uy * inset)
    end = (b[0] - uy * offset - ux * inset, b[1] + ux * offset - uy * inset)
    return _rounded((start, end))


def split_path(path: Path) -> tuple[Path, Path]:
    """A straight path as two with a small gap between them."""
    (x0, y0), (x1, y1) = path[0], path[-1]
    half = 0.5 * _SPLIT_GAP_PX / (math.hypot(x1 - x0, y1 - y0) or 1.0)

    def at(f: float) -> Point:
        return x0 + f * (x1 - x0), y0 + f * (y1 - y0)

    return (path[0], at(0.5 - half)), (at(0.5 + half), path[-1])


def curve_normal(a: Point, via: Point, b: Point) -> Point:
    """Unit vector square to the line a-b towards the outer side of ``via``; the right of a -> b when it lies on it."""
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    nx, ny = -(b[1] - a[1]) / length, (b[0] - a[0]) / length
    side = (via[0] - a[0]) * nx + (via[1] - a[1]) * ny
    return (-nx, -ny) if side < -1e-6 else (nx, ny)


def curve_via(a: Point, via: Point, b: Point, r: float, reach: float, end_shift: float) -> Path:
    """A quadratic Bezier from the rim of disc a to the rim of disc b, passing ``via`` on its outer side.

    The curve's smallest distance to ``via`` is ``reach`` (the radius: it touches the rim), found by bisection on how
    far out its middle lies. Both ends aim ``end_shift`` beside the centres, so the curve leaves beside straight lanes.
    """
    nx, ny = curve_normal(a, via, b)
    a2 = (a[0] + nx * end_shift, a[1] + ny * end_shift)
    b2 = (b[0] + nx * end_shift, b[1] + ny * end_shift)

    def control(out: float) -> Point:
        return (
            2 * (via[0] + nx * out) - (a2[0] + b2[0]) / 2,
            2 * (via[1] + ny * out) - (a2[1] + b2[1]) / 2,
        )

    def nearest(out: float) -> float:
        c = control(out)
        first, middle, last = (1 - _ALONG) ** 2, 2 * (1 - _ALONG) * _ALONG, _ALONG**2
        x = first * a2[0] + middle * c[0] + last * b2[0] - via[0]
        y = first * a2[1] + middle * c[1] + last * b2[1] - via[1]
        return math.sqrt(float((x * x + y * y).min()))

    low, high = reach, reach
    while nearest(high) < reach and high < 8 * reach:
        high += 0.5 * reach
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if nearest(middle) >= reach else (middle, high)
    c = control(high)
    t0 = _leave(a2, c, b2, a, r)
    t1 = 1 - _leave(b2, c, a2, b, r)
    points = [_bezier(a2, c, b2, t0 + (t1 - t0) * k / (_CURVE_POINTS - 1)) for k in range(_CURVE_POINTS)]
    return _rounded(tuple(points))


def _leave(p0: Point, c: Point, p1: Point, centre: Point, r: float) -> float:
    """The parameter at which a curve that starts inside a disc leaves it for good, before its middle."""
    steps = 80
    inside = [k for k in range(steps // 2) if math.dist(_bezier(p0, c, p1, k / steps), centre) < r]
    low = inside[-1] / steps if inside else 0.0
    high = low + 1 / steps
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if math.dist(_bezier(p0, c, p1, middle), centre) < r else (low, middle)
    return high


def _bezier(p0: Point, c: Point, p1: Point, t: float) -> Point:
    u = 1 - t
    return (
        u * u * p0[0] + 2 * u * t * c[0] + t * t * p1[0],
        u * u * p0[1] + 2 * u * t * c[1] + t * t * p1[1],
    )


def _rounded(path: Path) -> Path:
    return tuple((round(x, 3), round(y, 3)) for x, y in path)
