"""A sixth set of spaces, written after the third weights on cycles were frozen, and scored once.

Change nothing here for the sake of a rule.  Curves: Lawrence 1972, "A Catalog of Special Plane Curves"; Weisstein 2003,
"CRC Concise Encyclopedia of Mathematics"; surfaces: Gray 1997, "Modern Differential Geometry"; densities: Plummer 1911,
doi:10.1093/mnras/71.5.460, Rosenbrock 1960, doi:10.1093/comjnl/3.3.175; letters and graphs are drawn by hand.
"""

from __future__ import annotations

import numpy as np

from research.fresh_spaces import moved, orbit, polar, together, with_noise
from research.later_spaces import frame, path, polar_from
from research.spaces import Cloud, Make, Space, along, circle, disc, segments

Rng = np.random.Generator


def _rayleigh(state: Cloud) -> Cloud:
    """Rayleigh's oscillator."""
    x, y = state
    return state + 0.01 * np.array([y, -x + 0.6 * (1 - y * y) * y])


def _cayley(rng: Rng, n: int) -> Cloud:
    """Cayley's sextic."""
    return polar_from(lambda t: 1.5 * np.cos(t / 3) ** 3, 0.0, 3 * np.pi)(rng, n)


def _moebius(rng: Rng, n: int) -> Cloud:
    """A band of one half twist."""
    t, v = rng.uniform(0, 2 * np.pi, n), rng.uniform(-0.35, 0.35, n)
    out = 1.2 + v * np.cos(t / 2)
    return np.column_stack([out * np.cos(t), out * np.sin(t), v * np.sin(t / 2)])


def _two_fibres(rng: Rng, n: int) -> Cloud:
    """Two fibres of Hopf in R^4."""
    z, second = circle(rng, n), rng.random(n) < 0.5
    return np.where(second[:, None], np.column_stack([z, 0 * z]), np.column_stack([0 * z, z]))


def _eccentric(rng: Rng, n: int) -> Cloud:
    """A disc whose hole is not in the middle."""
    cloud = 1.5 * disc(rng, 2 * n)
    return cloud[np.hypot(cloud[:, 0] - 0.4, cloud[:, 1]) > 0.75][:n]


def _pseudosphere(rng: Rng, n: int) -> Cloud:
    """A tube that becomes thin at both ends."""
    u, t = rng.uniform(-1.2, 1.2, n), rng.uniform(0, 2 * np.pi, n)
    return np.column_stack([np.cos(t) / np.cosh(u), np.sin(t) / np.cosh(u), u - np.tanh(u)])


def _poles(rng: Rng, n: int) -> Cloud:
    """Four meridians of a sphere."""
    t, turn = np.pi * rng.random(n), np.pi / 2 * rng.integers(0, 4, n)
    return 1.2 * np.column_stack([np.sin(t) * np.cos(turn), np.sin(t) * np.sin(turn), np.cos(t)])


def _dendrogram(rng: Rng, n: int) -> Cloud:
    """The rectangular tree of a clustering of eight leaves."""
    pieces, places, height = [], [0.6 * k for k in range(8)], 0.0
    for rise in (0.8, 1.2, 1.6):
        above = []
        for left, right in zip(places[::2], places[1::2], strict=True):
            top = height + rise
            pieces += [[(left, height), (left, top), (right, top), (right, height)]]
            above.append((left + right) / 2)
        places, height = above, height + rise
    return segments(rng, n, pieces)


def _plummer(rng: Rng, n: int) -> Cloud:
    """A cluster of stars."""
    out = rng.standard_normal((n, 3))
    return out / np.linalg.norm(out, axis=1)[:, None] / np.sqrt(rng.random((n, 1)) ** (-2 / 3) - 1)


def _banana(rng: Rng, n: int) -> Cloud:
    """A density along Rosenbrock's valley."""
    x = rng.normal(0, 0.8, n)
    return np.column_stack([x, x * x + rng.normal(0, 0.15, n)])


def _bowl(rng: Rng, n: int) -> Cloud:
    """A paraboloid of revolution."""
    cloud = disc(rng, n)
    return np.column_stack([cloud, (cloud**2).sum(axis=1)])


def _planes(rng: Rng, n: int) -> Cloud:
    """Two squares that cross along a line."""
    return rng.uniform(-1, 1, (n, 3)) * np.where(rng.random((n, 1)) < 0.5, [1.0, 1.0, 0.0], [1.0, 0.0, 1.0])


_WITH_LOOPS: tuple[tuple[str, int, Make, tuple[int, int]], ...] = (
    ("sextic of Cayley", 2, _cayley, (120, 300)),
    ("trisectrix of Maclaurin", 1, along(
        lambda t: (t * t - 3) / (t * t + 1), lambda t: t * (t * t - 3) / (t * t + 1), start=-2.6, end=2.6), (80, 300)),
    ("hypocycloid of five cusps", 1, along(
        lambda t: (4 * np.cos(t) + np.cos(4 * t)) / 3, lambda t: (4 * np.sin(t) - np.sin(4 * t)) / 3), (80, 300)),
    ("epicycloid of five cusps", 1, along(
        lambda t: (6 * np.cos(t) - np.cos(6 * t)) / 5, lambda t: (6 * np.sin(t) - np.sin(6 * t)) / 5), (80, 300)),
    ("bean", 1, along(
        lambda t: 1.5 * np.cos(t) * (np.sin(t) ** 3 + np.cos(t) ** 3),
        lambda t: 1.5 * np.sin(t) * (np.sin(t) ** 3 + np.cos(t) ** 3), end=np.pi), (60, 300)),
    ("gear of seven teeth", 1, polar(lambda t: 1 + 0.15 * np.sin(7 * t)), (80, 300)),
    ("knot (2, 5) on a torus", 1, along(
        lambda t: (1.6 + 0.6 * np.cos(5 * t)) * np.cos(2 * t), lambda t: (1.6 + 0.6 * np.cos(5 * t)) * np.sin(2 * t),
        lambda t: 0.6 * np.sin(5 * t)), (200, 400)),
    ("four meridians", 3, _poles, (120, 300)),
    ("digit 9", 1, frame([(1, 1), (0, 1), (0, 2), (1, 2), (1, 0), (0.2, 0)],
                         [(0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (4, 5)]), (80, 300)),
    ("edges of two pyramids", 5, frame(
        [(0, 0, 1.4), (1.2, 0, 0), (-0.6, 1.04, 0), (-0.6, -1.04, 0), (0, 0, -1.4)],
        [(0, 1), (0, 2), (0, 3), (4, 1), (4, 2), (4, 3), (1, 2), (2, 3), (3, 1)]), (250, 400)),
    ("band of one half twist", 1, _moebius, (120, 350)),
    ("two fibres of Hopf", 2, _two_fibres, (100, 300)),
    ("disc with a hole aside", 1, _eccentric, (100, 350)),
    ("pseudosphere", 1, _pseudosphere, (150, 350)),
    ("limit cycle of Rayleigh", 1, orbit(_rayleigh, (1.0, 0.0), 8_000, 4_000, 0.8), (150, 300)),
    ("circle beside an arc", 1, together(
        (0.6, circle), (0.4, moved(along(np.cos, np.sin, start=2.2, end=4.1), 2.6, 0.0))), (100, 300)),
)  # fmt: skip

_WITHOUT: tuple[tuple[str, Make, tuple[int, int]], ...] = (
    ("spiral of Fermat", along(
        lambda t: np.sign(t) * np.sqrt(np.abs(t)) * np.cos(t), lambda t: np.sign(t) * np.sqrt(np.abs(t)) * np.sin(t),
        start=-2.2 * np.pi, end=2.2 * np.pi), (150, 300)),
    ("spiral of Galileo", polar_from(lambda t: 0.3 + 0.05 * t * t, 0.0, 3.2 * np.pi), (100, 300)),
    ("spiral of Poinsot", polar_from(lambda t: 2.5 / np.cosh(t / 3), -2.2 * np.pi, 0.9 * np.pi), (100, 300)),
    ("loxodrome", along(
        lambda t: np.cos(6 * t) * np.cos(t), lambda t: np.sin(6 * t) * np.cos(t), np.sin, start=-1.4, end=1.4),
     (100, 300)),
    ("witch of Agnesi", along(lambda t: t, lambda t: 2 / (1 + t * t), start=-3, end=3), (60, 300)),
    ("conchoid of Nicomedes", along(
        lambda t: 1 + 1.5 * np.cos(t), lambda t: np.tan(t) + 1.5 * np.sin(t), start=-1.2, end=1.2), (60, 300)),
    ("serpentine", along(lambda t: t, lambda t: 3 * t / (1 + t * t), start=-5, end=5), (60, 300)),
    ("parabola of Neile", along(lambda t: t * t, lambda t: t**3, start=-1.3, end=1.3), (60, 300)),
    ("letter Y", frame([(0, 0), (0, 1), (-0.8, 2), (0.8, 2)], [(0, 1), (1, 2), (1, 3)]), (60, 300)),
    ("letter M", path((0, 0), (0, 2), (0.8, 0.8), (1.6, 2), (1.6, 0)), (60, 300)),
    ("digit 3", path((0, 2), (1, 2), (0.4, 1.2), (1, 0.7), (0.8, 0.1), (0, 0)), (60, 300)),
    ("dendrogram", _dendrogram, (150, 300)),
    ("curve of Hilbert, two steps", path(
        (0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (0, 3), (1, 3), (1, 2), (2, 2), (2, 3), (3, 3), (3, 2), (3, 1), (2, 1),
        (2, 0), (3, 0)), (150, 300)),
    ("bowl", _bowl, (60, 300)),
    ("cluster of Plummer", _plummer, (60, 300)),
    ("valley of Rosenbrock", _banana, (60, 300)),
    ("two planes that cross", _planes, (150, 350)),
    ("filled tetrahedron", lambda r, n: 2 * r.dirichlet(np.ones(4), n)[:, :3], (60, 300)),
)  # fmt: skip

NEWEST_SPACES = (
    *(Space("newest", name, 1, loops, with_noise(make), sizes) for name, loops, make, sizes in _WITH_LOOPS),
    *(Space("newest null", name, 1, 0, with_noise(make), sizes) for name, make, sizes in _WITHOUT),
)
