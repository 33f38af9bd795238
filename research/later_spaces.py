"""A fourth set of spaces, drawn from the literature after the weights on cycles were frozen, and scored once.

Change nothing here for the sake of a rule.  Curves: Lawrence 1972, "A Catalog of Special Plane Curves"; surfaces: Gray
1997, "Modern Differential Geometry"; windows of signals: Perea & Harer 2015, doi:10.1007/s10208-014-9206-z; circles of
image patches: Carlsson et al. 2008, doi:10.1007/s11263-007-0056-x; FitzHugh 1961, doi:10.1016/S0006-3495(61)86902-6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from research.fresh_spaces import moved, orbit, polar, together, with_noise
from research.spaces import Cloud, Make, Space, along, circle, circles, disc, segments, sphere

Rng = np.random.Generator


def polar_from(radius: Callable[[Cloud], Cloud], start: float, end: float, scale: float = 1.0) -> Make:
    """An open curve with this radius at each angle, even in arc length."""
    return along(lambda t: scale * radius(t) * np.cos(t), lambda t: scale * radius(t) * np.sin(t), start=start, end=end)


def path(*corners: Sequence[float]) -> Make:
    """Straight pieces from corner to corner."""
    return lambda rng, n: segments(rng, n, list(pairwise(corners)))


def frame(corners: Sequence[Sequence[float]], edges: Sequence[tuple[int, int]]) -> Make:
    """Straight edges between numbered corners."""
    return lambda rng, n: segments(rng, n, [(corners[i], corners[j]) for i, j in edges])


# --- with loops -------------------------------------------------------------------------------------------------------


def _fitzhugh(state: Cloud) -> Cloud:
    v, w = state
    return state + 0.01 * np.array([v - v**3 / 3 - w + 0.5, 0.08 * (v + 0.7 - 0.8 * w)])


def _house() -> Make:
    base = [(x, y, z) for z in (0.0, 1.4) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    edges = [(i, (i + 1) % 4) for i in range(4)] + [(4 + i, 4 + (i + 1) % 4) for i in range(4)]
    return frame([*base, (0, 0, 2.4)], edges + [(i, i + 4) for i in range(4)] + [(i + 4, 8) for i in range(4)])


def _honeycomb(rng: Rng, n: int) -> Cloud:
    """Three hexagons, each beside the two others."""
    turn = np.pi / 3 * np.arange(7)
    hexagon = np.column_stack([np.cos(turn), np.sin(turn)])
    pieces = {}
    for centre in ((0.0, 0.0), (1.5, np.sqrt(0.75)), (1.5, -np.sqrt(0.75))):
        for one, other in zip(hexagon + centre, hexagon[1:] + centre, strict=False):
            pieces[tuple(np.round(one + other, 6))] = (one, other)
    return segments(rng, n, list(pieces.values()))


def _catenoid(rng: Rng, n: int) -> Cloud:
    """The surface of revolution of a catenary."""
    v = rng.uniform(-1.2, 1.2, n)
    return np.column_stack([circle(rng, n) * np.cosh(v)[:, None] * 0.7, v * 0.7])


def _three_twists(rng: Rng, n: int) -> Cloud:
    """A band with three half twists."""
    t, s = rng.uniform(0, 2 * np.pi, n), rng.uniform(-0.35, 0.35, n)
    out = 1 + s * np.cos(1.5 * t)
    return np.column_stack([out * np.cos(t), out * np.sin(t), s * np.sin(1.5 * t)])


def _solid_torus(rng: Rng, n: int) -> Cloud:
    """A full torus of tube 0.35."""
    inner = 0.35 * disc(rng, n)
    t = rng.uniform(0, 2 * np.pi, n)
    out = 1 + inner[:, 0]
    return np.column_stack([out * np.cos(t), out * np.sin(t), inner[:, 1]])


def _cyclide(rng: Rng, n: int) -> Cloud:
    """A ring cyclide of Dupin."""
    u, v = rng.uniform(0, 2 * np.pi, (2, n))
    a, c, d = 1.2, 0.3, 0.6
    b, below = np.sqrt(a * a - c * c), a - c * np.cos(u) * np.cos(v)
    x = d * (c - a * np.cos(u) * np.cos(v)) + b * b * np.cos(u)
    return (
        np.column_stack([x, b * np.sin(u) * (a - d * np.cos(v)), b * np.sin(v) * (c * np.cos(u) - d)]) / below[:, None]
    )


def _windows(*speeds: float) -> Make:
    """Windows of five or eight values of a sum of cosines."""

    def sample(rng: Rng, n: int) -> Cloud:
        t = rng.uniform(0, 2 * np.pi if speeds[1] == round(speeds[1]) else 600, n)
        late = t[:, None] + 0.7 * np.arange(8 if speeds[1] == round(speeds[1]) else 5)
        return 0.6 * sum(np.cos(speed * late) for speed in speeds)

    return sample


def _patches(rng: Rng, n: int) -> Cloud:
    """Three circles of R^4: one meets each of the two others twice."""
    cloud = np.zeros((n, 4))
    for which, axes in zip(np.array_split(np.arange(n), 3), ((0, 1), (0, 2), (1, 3)), strict=True):
        cloud[np.ix_(which, axes)] = circle(rng, len(which))
    return cloud


def _square_annulus(rng: Rng, n: int) -> Cloud:
    """A square without a smaller one."""
    cloud = rng.uniform(-1, 1, (6 * n, 2))
    return cloud[np.abs(cloud).max(axis=1) > 0.5][:n]


# --- without a loop ---------------------------------------------------------------------------------------------------


def _clothoid(rng: Rng, n: int) -> Cloud:
    """The spiral of Euler."""
    t = np.linspace(-3.2, 3.2, 4000)
    curve = np.cumsum(np.column_stack([np.cos(t * t), np.sin(t * t)]), axis=0) * (t[1] - t[0])
    return curve[rng.integers(0, len(t), n)] * 1.5


def _koch(rng: Rng, n: int) -> Cloud:
    """An open curve of von Koch, three steps."""
    points = np.array([0, 3], dtype=complex)
    for _ in range(3):
        step = np.diff(points)[:, None] / 3
        turns = np.array([0, 1, 1 + np.exp(1j * np.pi / 3), 2])
        points = np.append((points[:-1, None] + step * turns).ravel(), points[-1])
    plane = np.column_stack([points.real, points.imag])
    return segments(rng, n, list(pairwise(plane)))


def _vicsek(rng: Rng, n: int) -> Cloud:
    """The box fractal of Vicsek, two steps."""
    arms = np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
    cloud = rng.uniform(-0.5, 0.5, (n, 2))
    for scale in (1, 3):
        cloud = cloud + scale * arms[rng.integers(0, 5, n)]
    return cloud / 3


def _crescent(rng: Rng, n: int) -> Cloud:
    """A crescent, and a small disc where its star would be."""
    star = rng.binomial(n, 0.2)
    cloud = disc(rng, 8 * n)
    cloud = cloud[np.hypot(cloud[:, 0] - 0.5, cloud[:, 1]) > 0.8][: n - star]
    return np.vstack([1.5 * cloud, np.array([0.9, 0]) + 0.35 * disc(rng, star)])


def _cube_surface(rng: Rng, n: int) -> Cloud:
    """The surface of a cube."""
    cloud = rng.uniform(-1, 1, (n, 3))
    cloud[np.arange(n), rng.integers(0, 3, n)] = rng.choice([-1.0, 1.0], n)
    return cloud


def _banana(rng: Rng, n: int) -> Cloud:
    """A Gaussian that was bent."""
    x, y = rng.standard_normal((2, n))
    return np.column_stack([x, 0.4 * y + x * x - 1])


def _cone(rng: Rng, n: int) -> Cloud:
    """The mantle of a cone."""
    high = np.sqrt(rng.random(n))
    return np.column_stack([circle(rng, n) * high[:, None], 1.5 * high])


_TRIANGLE = [(0.0, 0.0), (3.0, 0.0), (1.5, 2.6), (1.5, 0.0), (2.25, 1.3), (0.75, 1.3)]
_FENCE: Make = lambda rng, n: segments(rng, n, [[(0, 0), (3, 0)], [(0, 0.9), (3, 0.9)], [(0, 1.8), (3, 1.8)]])  # noqa: E731

_WITH_LOOPS: tuple[tuple[str, int, Make, tuple[int, int]], ...] = (
    ("nephroid", 1, along(
        lambda t: (3 * np.cos(t) - np.cos(3 * t)) / 3, lambda t: (3 * np.sin(t) - np.sin(3 * t)) / 3), (60, 300)),
    ("piriform", 1, along(lambda t: 1 + np.sin(t), lambda t: np.cos(t) * (1 + np.sin(t))), (60, 300)),
    ("hippopede", 1, polar(lambda t: 1.2 * np.sqrt(1.2 - np.sin(t) ** 2)), (60, 300)),
    ("folium of Descartes", 1, polar_from(
        lambda t: 3 * np.sin(t) * np.cos(t) / (np.sin(t) ** 3 + np.cos(t) ** 3), -0.55, np.pi / 2 + 0.55), (100, 300)),
    ("strophoid", 1, polar_from(lambda t: np.cos(2 * t) / np.cos(t), -1.2, 1.2, 2.0), (100, 300)),
    ("cubic of Tschirnhausen", 1, along(
        lambda t: (1 - 3 * t * t) / 4, lambda t: t * (3 - t * t) / 4, start=-2.2, end=2.2), (100, 300)),
    ("curve of Viviani", 2, along(
        lambda t: 1 + np.cos(t), np.sin, lambda t: 2 * np.sin(t / 2), end=4 * np.pi), (100, 300)),
    ("seam of a tennis ball", 1, along(
        lambda t: 0.75 * np.cos(t) + 0.25 * np.cos(3 * t), lambda t: 0.75 * np.sin(t) - 0.25 * np.sin(3 * t),
        lambda t: 0.87 * np.sin(2 * t)), (60, 300)),
    ("limit cycle of FitzHugh and Nagumo", 1, orbit(_fitzhugh, (0.0, 0.0), 16_000, 8_000, 1.0), (150, 300)),
    ("frame of a house", 8, _house(), (350, 500)),
    ("three cells of a honeycomb", 3, _honeycomb, (150, 350)),
    ("triangle of Sierpinski, one step", 4, frame(
        _TRIANGLE, [(0, 3), (3, 1), (1, 4), (4, 2), (2, 5), (5, 0), (3, 4), (4, 5), (5, 3)]), (200, 400)),
    ("letter R", 1, frame(
        [(0, 0), (0, 2), (1.3, 2), (1.3, 1), (0, 1), (0.5, 1), (1.4, 0)],
        [(0, 4), (4, 1), (1, 2), (2, 3), (3, 5), (5, 4), (5, 6)]), (100, 300)),
    ("letter Q", 1, together((0.85, circle), (0.15, path((0.45, -0.45), (1.1, -1.1)))), (100, 300)),
    ("catenoid", 1, _catenoid, (150, 350)),
    ("band of three half twists", 1, _three_twists, (200, 400)),
    ("solid torus", 1, _solid_torus, (250, 450)),
    ("cyclide of Dupin", 2, _cyclide, (500, 700)),
    ("torus of radius 1 and 0.5 in R^4", 2, lambda r, n: np.hstack([circle(r, n), circle(r, n, 0.5)]), (400, 700)),
    ("windows of a periodic signal", 1, _windows(1.0, 2.0), (100, 300)),
    ("windows of two incommensurate cosines", 2, _windows(1.0, float(np.sqrt(3))), (500, 700)),
    ("three circles of image patches", 5, _patches, (250, 450)),
    ("square annulus", 1, _square_annulus, (150, 350)),
    ("five rings", 9, lambda r, n: circles(
        r, n, (1,) * 5, ((0, 0), (2.2, 0), (4.4, 0), (1.1, -1), (3.3, -1))), (400, 600)),
    ("three circles of Venn", 7, lambda r, n: circles(r, n, (1.3,) * 3, ((0, 0), (1.6, 0), (0.8, 1.39))), (350, 500)),
)  # fmt: skip

_WITHOUT: tuple[tuple[str, Make, tuple[int, int]], ...] = (
    ("cusp", along(lambda t: t**2, lambda t: t**3, start=-1.3, end=1.3), (60, 300)),
    ("logarithmic spiral", along(
        lambda t: np.exp(0.15 * t) * np.cos(t) / 3, lambda t: np.exp(0.15 * t) * np.sin(t) / 3, end=4 * np.pi),
     (100, 300)),
    ("spiral of Euler", _clothoid, (150, 300)),
    ("three arches of a cycloid", along(lambda t: (t - np.sin(t)) / 4, lambda t: (1 - np.cos(t)) / 2, end=6 * np.pi),
     (100, 300)),
    ("letter W", path((0, 2), (0.7, 0), (1.2, 1.4), (1.7, 0), (2.4, 2)), (60, 300)),
    ("letter H", frame([(0, 0), (0, 1), (0, 2), (1.2, 0), (1.2, 1), (1.2, 2)],
                       [(0, 1), (1, 2), (3, 4), (4, 5), (1, 4)]), (60, 300)),
    ("letter E", frame([(0, 0), (0, 1), (0, 2), (1.1, 0), (0.9, 1), (1.1, 2)],
                       [(0, 1), (1, 2), (0, 3), (1, 4), (2, 5)]), (60, 300)),
    ("three parallel bars", _FENCE, (60, 300)),
    ("curve of von Koch", _koch, (150, 300)),
    ("box fractal of Vicsek", _vicsek, (100, 300)),
    ("nine squares of a board", lambda r, n: r.integers(0, 3, (n, 2)) + 0.5 * r.random((n, 2)), (100, 300)),
    ("crescent with a star", _crescent, (100, 300)),
    ("gutter", lambda r, n: (t := r.uniform(0.5, 2 * np.pi - 0.5, n), np.column_stack(
        [np.cos(t), np.sin(t), r.uniform(-1, 1, n)]))[1], (150, 350)),
    ("cone", _cone, (100, 300)),
    ("ellipsoid 2 : 1 : 1", lambda r, n: sphere(r, n) * [2, 1, 1], (100, 300)),
    ("surface of a cube", _cube_surface, (100, 300)),
    ("sphere in R^4", lambda r, n: (c := r.standard_normal((n, 4))) / np.linalg.norm(c, axis=1)[:, None], (100, 300)),
    ("two spheres", together((0.5, sphere), (0.5, moved(sphere, 3.0, 0.0, 0.0))), (150, 350)),
    ("bent Gaussian", _banana, (60, 300)),
    ("Dirichlet on a triangle", lambda r, n: 2 * r.dirichlet((0.7, 1, 1.5), n), (60, 300)),
    ("monkey saddle", lambda r, n: (c := r.uniform(-1, 1, (n, 2)), np.column_stack(
        [c, c[:, 0] ** 3 - 3 * c[:, 0] * c[:, 1] ** 2]))[1], (100, 300)),
    ("clusters at the corners of a simplex of R^6", lambda r, n: np.eye(6)[r.integers(0, 6, n)]
     + 0.08 * r.standard_normal((n, 6)), (60, 300)),
)  # fmt: skip

LATER_SPACES = (
    *(Space("later", name, 1, loops, with_noise(make), sizes) for name, loops, make, sizes in _WITH_LOOPS),
    *(Space("later null", name, 1, 0, with_noise(make), sizes) for name, make, sizes in _WITHOUT),
)
