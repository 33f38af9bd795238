"""A fifth set of spaces, written after the second weights on cycles were frozen, and scored once.

Change nothing here for the sake of a rule.  Curves: Lawrence 1972, "A Catalog of Special Plane Curves"; Wells 1991,
"The Penguin Dictionary of Curious and Interesting Geometry"; attractors: Sprott 2003, "Chaos and Time-Series Analysis";
surfaces: Gray 1997, "Modern Differential Geometry"; roots and letters are drawn by hand.
"""

from __future__ import annotations

import numpy as np

from research.fresh_spaces import moved, orbit, polar, together, with_noise
from research.later_spaces import frame, path, polar_from
from research.spaces import Cloud, Make, Space, along, circle, circles, disc, segments, sphere

Rng = np.random.Generator


def _selkov(state: Cloud) -> Cloud:
    """Sel'kov's model of glycolysis."""
    x, y = state
    return state + 0.01 * np.array([-x + 0.08 * y + x * x * y, 0.6 - 0.08 * y - x * x * y])


def _egg(t: Cloud) -> Cloud:
    return 1 + 0.25 * np.cos(t) + 0.08 * np.cos(2 * t)


def _pentagram(rng: Rng, n: int) -> Cloud:
    """The five diagonals of a pentagon."""
    turn = np.pi / 2 + 4 * np.pi / 5 * np.arange(6)
    return path(*(1.5 * np.column_stack([np.cos(turn), np.sin(turn)])).tolist())(rng, n)


def _bowtie_band(rng: Rng, n: int) -> Cloud:
    """A plane band along a figure eight of two squares that share a corner."""
    line = path((0, 0), (1.4, 0), (1.4, 1.4), (0, 1.4), (0, 0), (0, -1.4), (-1.4, -1.4), (-1.4, 0), (0, 0))(rng, n)
    return line + rng.uniform(-0.1, 0.1, (n, 2))


def _elliptic_tube(rng: Rng, n: int) -> Cloud:
    """A tube of elliptic section, open at both ends."""
    return np.column_stack([circle(rng, n) * [1.2, 0.7], rng.uniform(-0.8, 0.8, n)])


def _hyperboloid(rng: Rng, n: int) -> Cloud:
    """A hyperboloid of one sheet."""
    v = rng.uniform(-0.9, 0.9, n)
    return np.column_stack([0.8 * circle(rng, n) * np.sqrt(1 + v * v)[:, None], v])


def _annulus_in_four(rng: Rng, n: int) -> Cloud:
    """A ring, bent as a curve of R^4."""
    t = rng.uniform(0, 2 * np.pi, n)
    return np.column_stack([np.cos(t), np.sin(t), 0.5 * np.cos(2 * t), 0.5 * np.sin(2 * t)])


def _gamma_disc(rng: Rng, n: int) -> Cloud:
    """A disc that is dense in the middle."""
    t = rng.uniform(0, 2 * np.pi, n)
    return rng.random(n)[:, None] * np.column_stack([np.cos(t), np.sin(t)])


def _fern(rng: Rng, n: int) -> Cloud:
    """A stem with six leaflets on either side."""
    pieces = [[(0.0, 0.0), (0.0, 3.5)]]
    pieces += [[(0.0, 0.5 * k), (side * 1.1, 0.5 * k + 0.5)] for k in range(1, 7) for side in (-1, 1)]
    return segments(rng, n, pieces)


def _pine(rng: Rng, n: int) -> Cloud:
    """A trunk with branches in four directions of space."""
    pieces = [[(0, 0, 0), (0, 0, 3)]]
    for k in range(1, 5):
        for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            pieces.append([(0, 0, 0.6 * k), (x * (1.3 - 0.2 * k), y * (1.3 - 0.2 * k), 0.6 * k + 0.3)])
    return segments(rng, n, pieces)


def _horseshoes(rng: Rng, n: int) -> Cloud:
    """Two horseshoes that open to opposite sides."""
    t, other = rng.uniform(-2.2, 2.2, n), rng.random(n) < 0.5
    cloud = np.column_stack([np.cos(t), np.sin(t)])
    return np.where(other[:, None], 1.0, -1.0) * np.add(cloud, [1.6, 0.0])


_HEX = 2 * np.pi / 6 * np.arange(7)
_WITH_LOOPS: tuple[tuple[str, int, Make, tuple[int, int]], ...] = (
    ("egg", 1, polar(_egg), (60, 300)),
    ("heart", 1, along(
        lambda t: np.sin(t) ** 3,
        lambda t: (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16), (100, 300)),
    ("bicorn", 1, along(
        lambda t: 1.5 * np.sin(t),
        lambda t: 1.5 * np.cos(t) ** 2 * (2 + np.cos(t)) / (3 + np.sin(t) ** 2)), (150, 300)),
    ("triskelion outline", 1, polar(lambda t: 1 + 0.4 * np.cos(3 * t)), (100, 300)),
    ("curve of Watt", 1, polar(lambda t: np.sqrt(1 + 0.8 * np.cos(2 * t) ** 2)), (60, 300)),
    ("pentagram", 6, _pentagram, (300, 450)),
    ("three rings in a row", 3, lambda r, n: circles(r, n, (1, 1, 1), ((0, 0), (2, 0), (4, 0))), (200, 400)),
    ("keyhole outline", 1, path((-0.5, 0), (-1, 0.6), (-0.6, 1.4), (0, 1.6), (0.6, 1.4), (1, 0.6), (0.5, 0),
                                (0.6, -1.2), (-0.6, -1.2), (-0.5, 0)), (100, 300)),
    ("stadium", 1, path((-1, 1), (1, 1), (1.7, 0.7), (2, 0), (1.7, -0.7), (1, -1), (-1, -1), (-1.7, -0.7), (-2, 0),
                        (-1.7, 0.7), (-1, 1)), (60, 300)),
    ("letter P", 1, frame(
        [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1)], [(0, 1), (1, 2), (2, 3), (3, 4), (4, 1)]), (80, 300)),
    ("digit 8 of straight lines", 2, frame(
        [(0, 0), (1, 0), (1, 1), (0, 1), (1, 2), (0, 2)], [(0, 1), (1, 2), (2, 3), (3, 0), (2, 4), (4, 5), (5, 3)]),
     (100, 300)),
    ("band of two squares", 2, _bowtie_band, (200, 400)),
    ("skeleton of a triangular prism", 4, frame(
        [(0, 0, 0), (1.5, 0, 0), (0.7, 1.3, 0), (0, 0, 1.5), (1.5, 0, 1.5), (0.7, 1.3, 1.5)],
        [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)]), (200, 400)),
    ("limit cycle of Sel'kov", 1, orbit(_selkov, (1.0, 1.0), 12_000, 6_000, 0.8), (150, 300)),
    ("elliptic tube", 1, _elliptic_tube, (150, 350)),
    ("hyperboloid of one sheet", 1, _hyperboloid, (150, 350)),
    ("circle that winds twice in R^4", 1, _annulus_in_four, (100, 300)),
    ("ring beside two discs", 1, together(
        (0.5, circle), (0.25, moved(lambda r, n: 0.5 * disc(r, n), 2.2, 0.0)),
        (0.25, moved(lambda r, n: 0.5 * disc(r, n), -2.2, 0.0))), (150, 350)),
)  # fmt: skip

_WITHOUT: tuple[tuple[str, Make, tuple[int, int]], ...] = (
    ("fern", _fern, (150, 300)),
    ("pine in space", _pine, (150, 300)),
    ("river with three arms", frame(
        [(0, 0), (1, 0.3), (2, 0), (3, 0.4), (1.8, 1.3), (2.8, 1.4), (2.6, -1), (3.2, 1.9)],
        [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5), (2, 6), (4, 7)]), (60, 300)),
    ("lituus", polar_from(lambda t: 2 / np.sqrt(t), 0.6, 4 * np.pi), (150, 300)),
    ("hyperbolic spiral", polar_from(lambda t: 4 / t, 1.2, 3.5 * np.pi), (150, 300)),
    ("involute of a circle", along(
        lambda t: (np.cos(t) + t * np.sin(t)) / 2, lambda t: (np.sin(t) - t * np.cos(t)) / 2, end=3 * np.pi),
     (100, 300)),
    ("tractrix", along(lambda t: t - np.tanh(t), lambda t: 1 / np.cosh(t), start=-3, end=3), (60, 300)),
    ("letter S", along(lambda t: np.sin(2 * t), lambda t: 1.5 * t, start=-1.6, end=1.6), (60, 300)),
    ("letter K", frame([(0, 0), (0, 1), (0, 2), (1, 2), (1, 0)], [(0, 1), (1, 2), (1, 3), (1, 4)]), (60, 300)),
    ("two horseshoes", _horseshoes, (100, 300)),
    ("asterisk of six arms", lambda r, n: segments(
        r, n, [[(0, 0), (1.5 * np.cos(t), 1.5 * np.sin(t))] for t in _HEX[:6]]), (100, 300)),
    ("disc, dense in the middle", _gamma_disc, (60, 300)),
    ("triangle, filled", lambda r, n: 2 * np.sort(r.random((n, 2)), axis=1), (60, 300)),
    ("shell of three quarters", lambda r, n: (c := sphere(r, 4 * n))[c[:, 2] < 0.5][:n], (150, 300)),
    ("three parallel sheets", lambda r, n: np.column_stack([1.5 * r.random((n, 2)), 0.8 * r.integers(0, 3, n)]),
     (150, 300)),
    ("exponential in R^4", lambda r, n: r.exponential(1.0, (n, 4)), (60, 300)),
)  # fmt: skip

LAST_SPACES = (
    *(Space("last", name, 1, loops, with_noise(make), sizes) for name, loops, make, sizes in _WITH_LOOPS),
    *(Space("last null", name, 1, 0, with_noise(make), sizes) for name, make, sizes in _WITHOUT),
)
