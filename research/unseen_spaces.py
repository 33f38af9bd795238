"""A second set of spaces that the default rule was not fitted to: what a sceptical reader would try.

Written and frozen before other weights were tried, and scored once with those (docs/measurements has both results).
Change nothing here for the sake of a rule: a space that a fit has seen, or that was chosen by its result, says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from research.spaces import (
    Cloud,
    Make,
    Space,
    along,
    circle,
    circles,
    disc,
    ellipse,
    noisy,
    segments,
    sphere,
    torus,
    with_outliers,
)

Corners = Sequence[Sequence[float]]


# --- outlines and graphs ----------------------------------------------------------------------------------------------


def outline(*corners: tuple[float, ...]) -> Make:
    """The closed polygon through its corners."""
    return lambda rng, n: segments(rng, n, list(zip(corners, corners[1:] + corners[:1], strict=True)))


def graph(corners: Corners, edges: Sequence[tuple[int, int]]) -> Make:
    """Straight edges between numbered corners."""
    return lambda rng, n: segments(rng, n, [(corners[i], corners[j]) for i, j in edges])


def regular(k: int, inner: float | None = None) -> list[tuple[float, float]]:
    """Corners of a regular polygon, or those of a star with ``inner`` corners between."""
    turn = np.arange(k if inner is None else 2 * k) * 2 * np.pi / (k if inner is None else 2 * k) + np.pi / 2
    far = np.ones(len(turn)) if inner is None else np.where(np.arange(2 * k) % 2, inner, 1.0)
    return list(zip((far * np.cos(turn)).tolist(), (far * np.sin(turn)).tolist(), strict=True))


_CUBE = [(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)]
_CUBE_EDGES = [(i, j) for i in range(8) for j in range(i) if (i ^ j).bit_count() == 1]
_TETRAHEDRON = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
_ALL_OF_FOUR = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
_LETTER_A = (
    [(-1.0, -1.5), (0.0, 1.5), (1.0, -1.5), (-0.6, -0.3), (0.6, -0.3)],
    [(0, 3), (3, 1), (1, 4), (4, 2), (3, 4)],
)
_LETTER_B = (
    [(0.0, -2.0), (0.0, 0.0), (0.0, 2.0), (1.6, -2.0), (1.6, 0.0), (1.6, 2.0)],
    [(0, 1), (1, 2), (0, 3), (3, 4), (4, 1), (4, 5), (5, 2)],
)
_WINDOW = [[(x, -2), (x, 2)] for x in (-2, 0, 2)] + [[(-2, y), (2, y)] for y in (-2, 0, 2)]
_COMB = [[(0, 0), (4, 0)], *[[(x, 0), (x, 1.5)] for x in (0, 1, 2, 3, 4)]]
_STAR = [[(0, 0), (np.cos(t), np.sin(t))] for t in 2 * np.pi * np.arange(3) / 3]


# --- circles ----------------------------------------------------------------------------------------------------------


def three_linked(rng: np.random.Generator, n: int) -> Cloud:
    """A chain of three circles in space, each through the next."""
    rings = []
    for k, m in enumerate(rng.multinomial(n, np.ones(3) / 3)):
        rings.append(np.insert(circle(rng, m), 1 + k % 2, 0.0, axis=1) + np.array([1.2 * k, 0.0, 0.0]))
    return np.vstack(rings)


def dense_arc(rng: np.random.Generator, n: int) -> Cloud:
    """A circle a sixth of which carries half of the points."""
    half = rng.binomial(n, 0.5)
    angle = np.r_[rng.uniform(0, np.pi / 3, half), rng.uniform(np.pi / 3, 2 * np.pi, n - half)]
    return np.column_stack([np.cos(angle), np.sin(angle)])


def circle_in_twenty(rng: np.random.Generator, n: int) -> Cloud:
    """A circle in a random plane of R^20."""
    return circle(rng, n) @ np.linalg.qr(rng.standard_normal((20, 2)))[0].T


def circle_and_far_blob(rng: np.random.Generator, n: int) -> Cloud:
    """A circle, and a quarter of the points in a dense blob six radii away."""
    far = n // 4
    return np.vstack([circle(rng, n - far), [6.0, 1.0] + 0.1 * rng.standard_normal((far, 2))])


def evenly_spaced(rng: np.random.Generator, n: int) -> Cloud:
    """A circle at equal angles."""
    angle = 2 * np.pi * (np.arange(n) + rng.random()) / n
    return np.column_stack([np.cos(angle), np.sin(angle)])


def saturn(rng: np.random.Generator, n: int) -> Cloud:
    """A sphere and a ring around it."""
    ring = np.insert(circle(rng, n // 3, 1.8), 2, 0.0, axis=1)
    return np.vstack([sphere(rng, n - n // 3), ring])


def tailed(rng: np.random.Generator, n: int) -> Cloud:
    """A circle with noise of Student's t, three degrees of freedom."""
    return circle(rng, n) + 0.06 * rng.standard_t(3, (n, 2))


# --- surfaces and filled shapes ---------------------------------------------------------------------------------------


def klein_bottle(rng: np.random.Generator, n: int) -> Cloud:
    """The Klein bottle in R^4; two loops over Z/2."""
    u, v = rng.uniform(0, 2 * np.pi, (2, n))
    wide = 1 + 0.5 * np.cos(v)
    return np.column_stack(
        [wide * np.cos(u), wide * np.sin(u), 0.5 * np.sin(v) * np.cos(u / 2), 0.5 * np.sin(v) * np.sin(u / 2)]
    )


def projective_plane(rng: np.random.Generator, n: int) -> Cloud:
    """The projective plane in R^4; one loop over Z/2."""
    x, y, z = sphere(rng, n).T
    return np.column_stack([x * y, x * z, y * y - z * z, 2 * y * z]) * 1.5


def plate(holes: Sequence[tuple[float, float, float]], high: float, wide: float) -> Make:
    """A rectangle without the discs (x, y, radius)."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        cloud = rng.uniform((-wide, -high), (wide, high), (20 * n, 2))
        kept = np.all([np.hypot(cloud[:, 0] - x, cloud[:, 1] - y) > r for x, y, r in holes], axis=0)
        return cloud[kept][:n]

    return sample


def van_der_pol(rng: np.random.Generator, n: int) -> Cloud:
    """The limit cycle of van der Pol's oscillator, even in time."""
    state, states = np.array([2.0, 0.0]), []
    for step in range(6000):
        x, y = state
        state = state + 0.005 * np.array([y, (1 - x * x) * y - x])
        if step >= 3000:
            states.append(state)
    return np.array(states)[rng.integers(0, 1400, n)] * [0.7, 0.5]


def lorenz(rng: np.random.Generator, n: int) -> Cloud:
    """The butterfly of Lorenz, even in time: two holes."""
    x, y, z = 1.0, 1.0, 20.0
    states = []
    for step in range(24_000):
        dx, dy, dz = 10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z
        x, y, z = x + 0.004 * dx, y + 0.004 * dy, z + 0.004 * dz
        if step >= 2000:
            states.append((x, y, z - 25))
    return np.array(states)[rng.integers(0, len(states), n)] / 9


# --- without a loop ---------------------------------------------------------------------------------------------------


def two_moons(rng: np.random.Generator, n: int) -> Cloud:
    """Two half circles, each with one end inside the other."""
    t = rng.uniform(0, np.pi, n)
    first = rng.random(n) < 0.5
    x, y = np.where(first, np.cos(t), 1 - np.cos(t)), np.where(first, np.sin(t), 0.5 - np.sin(t))
    return np.column_stack([x, y])


def s_curve(rng: np.random.Generator, n: int) -> Cloud:
    """A sheet bent like an S."""
    t = rng.uniform(-1.5 * np.pi, 1.5 * np.pi, n)
    return np.column_stack([np.sin(t), rng.uniform(0, 2, n), np.sign(t) * (np.cos(t) - 1)])


def swiss_roll(rng: np.random.Generator, n: int) -> Cloud:
    """A rolled sheet of one and a half turns."""
    t = 1.5 * np.pi * (1 + 2 * rng.random(n))
    return np.column_stack([t * np.cos(t), rng.uniform(0, 21, n), t * np.sin(t)]) / 5


def cantor_dust(rng: np.random.Generator, n: int) -> Cloud:
    """The product of two Cantor sets."""
    digits = 2 * rng.integers(0, 2, (n, 2, 8))
    return 2 * (digits / 3.0 ** np.arange(1, 9)).sum(axis=2)


def lattice(rng: np.random.Generator, n: int) -> Cloud:
    """A square lattice in random order, every point moved by a fifth of its spacing."""
    side = int(np.ceil(np.sqrt(n)))
    cloud = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:n]
    return cloud + 0.2 * rng.standard_normal((n, 2))


def walk(rng: np.random.Generator, n: int) -> Cloud:
    """A random walk in R^10."""
    return np.cumsum(rng.standard_normal((n, 10)), axis=0)


def four_clusters(rng: np.random.Generator, n: int) -> Cloud:
    """Clusters at the corners of a square."""
    return np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])[rng.integers(0, 4, n)] + 0.15 * rng.standard_normal((n, 2))


def thick_helix(rng: np.random.Generator, n: int) -> Cloud:
    """A conical helix of three turns."""
    return along(lambda t: t * np.cos(t) / 12, lambda t: t * np.sin(t) / 12, lambda t: t / 5, start=3, end=21)(rng, n)


def mixed(rng: np.random.Generator, n: int) -> Cloud:
    """A mixture of four plane Gaussians of several sizes that overlap."""
    k = rng.integers(0, 4, n)
    centre = np.array([(0, 0), (1.5, 0.5), (-1, 1), (0.5, -1.5)])[k]
    return centre + np.array([0.3, 0.5, 0.7, 0.4])[k][:, None] * rng.standard_normal((n, 2))


# --- the set ----------------------------------------------------------------------------------------------------------


def with_noise(make: Make) -> Make:
    """The space with Gaussian noise of another size in each cloud, 0.02 to 0.08 per coordinate."""
    return lambda rng, n: noisy(make, float(rng.uniform(0.02, 0.08)))(rng, n)


def _closed_coil() -> Make:
    def out(t: Cloud) -> Any:
        return 1 + 0.35 * np.cos(5 * t)

    return along(lambda t: out(t) * np.cos(t), lambda t: out(t) * np.sin(t), lambda t: 0.35 * np.sin(5 * t))


def _rose(t: Cloud) -> Any:
    return 2 * np.cos(2 * t)


_WITH_LOOPS: tuple[tuple[str, int, Make, tuple[int, int]], ...] = (
    ("circles of radius 1 and 0.5, one centre", 2, lambda r, n: circles(r, n, (1, 0.5), ((0, 0), (0, 0))), (150, 350)),
    ("three circles, one centre", 3, lambda r, n: circles(r, n, (1, 2, 3), ((0, 0),) * 3), (250, 400)),
    ("small circle in a large one, aside", 2, lambda r, n: circles(r, n, (2, 0.6), ((0, 0), (1, 0))), (150, 350)),
    ("chain of three linked circles", 3, three_linked, (150, 350)),
    ("trefoil", 1, along(
        lambda t: np.sin(t) + 2 * np.sin(2 * t), lambda t: np.cos(t) - 2 * np.cos(2 * t), lambda t: -np.sin(3 * t)
    ), (100, 300)),
    ("figure-eight knot", 1, along(
        lambda t: (2 + np.cos(2 * t)) * np.cos(3 * t), lambda t: (2 + np.cos(2 * t)) * np.sin(3 * t),
        lambda t: 1.5 * np.sin(4 * t)
    ), (200, 400)),
    ("closed coil, five turns", 1, _closed_coil(), (200, 400)),
    ("rose of four petals", 4, along(lambda t: _rose(t) * np.cos(t), lambda t: _rose(t) * np.sin(t)), (150, 350)),
    ("eight of circles 1 and 0.5", 2, lambda r, n: circles(r, n, (1, 0.5), ((-1, 0), (0.5, 0))), (100, 300)),
    ("chain of four touching circles", 4, lambda r, n: circles(r, n, (1,) * 4, [(2 * k, 0) for k in range(4)]),
     (150, 350)),
    ("two circles that overlap", 3, lambda r, n: circles(r, n, (1, 1), ((0, 0), (1.1, 0))), (150, 350)),
    ("square outline", 1, outline(*regular(4)), (60, 300)),
    ("five-pointed star outline", 1, outline(*regular(5, 0.45)), (100, 300)),
    ("L-shaped outline", 1, outline((0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3)), (100, 300)),
    ("cardioid", 1, along(lambda t: (1 - np.cos(t)) * np.cos(t), lambda t: (1 - np.cos(t)) * np.sin(t)), (60, 300)),
    ("letter A", 1, graph(*_LETTER_A), (100, 300)),
    ("letter B", 2, graph(*_LETTER_B), (100, 300)),
    ("window of four panes", 4, lambda r, n: segments(r, n, _WINDOW), (150, 350)),
    ("edges of a tetrahedron", 3, graph(_TETRAHEDRON, _ALL_OF_FOUR), (150, 350)),
    ("edges of a cube", 5, graph(_CUBE, _CUBE_EDGES), (200, 400)),
    ("circle with a dense arc", 1, dense_arc, (100, 300)),
    ("circle in R^20", 1, circle_in_twenty, (60, 300)),
    ("circle and a far blob", 1, circle_and_far_blob, (60, 300)),
    ("evenly spaced circle", 1, evenly_spaced, (20, 300)),
    ("circle, heavy-tailed noise", 1, tailed, (100, 300)),
    ("circle, 20 % outliers", 1, with_outliers(circle, 0.2, 3.0), (100, 300)),
    ("long ellipse 4 : 1", 1, lambda r, n: 2 * ellipse(r, n, 0.25), (100, 300)),
    ("sphere with a ring around", 1, saturn, (200, 400)),
    ("plate with three holes", 3, plate(((-2, 0, 0.6), (0, 0, 0.6), (2, 0, 0.6)), 1, 3), (250, 400)),
    ("annulus 0.35 to 1", 1, lambda r, n: circle(r, n) * np.sqrt(r.uniform(0.35**2, 1, (n, 1))), (150, 350)),
    ("thick eight", 2, plate(((-1, 0, 0.6), (1, 0, 0.6)), 1, 2), (150, 350)),
    ("limit cycle of van der Pol", 1, van_der_pol, (100, 300)),
    ("Lorenz butterfly", 2, lorenz, (250, 400)),
    ("torus 1 / 0.5", 2, lambda r, n: torus(r, n, 0.5), (500, 700)),
    ("Klein bottle in R^4", 2, klein_bottle, (500, 700)),
    ("projective plane in R^4", 1, projective_plane, (300, 500)),
)  # fmt: skip

_WITHOUT: tuple[tuple[str, Make, tuple[int, int]], ...] = (
    ("S-shaped sheet", s_curve, (100, 400)),
    ("Swiss roll", swiss_roll, (200, 500)),
    ("spiral, three turns", along(
        lambda t: t * np.cos(t) / 5, lambda t: t * np.sin(t) / 5, start=2, end=6 * np.pi), (100, 300)),
    ("conical helix", thick_helix, (100, 300)),
    ("two moons", two_moons, (60, 300)),
    ("half circle", along(np.cos, np.sin, end=np.pi), (20, 300)),
    ("star of three arms", lambda r, n: segments(r, n, _STAR), (40, 300)),
    ("comb", lambda r, n: segments(r, n, _COMB), (60, 300)),
    ("Cantor dust", cantor_dust, (60, 300)),
    ("square lattice, moved", lattice, (36, 300)),
    ("random walk in R^10", walk, (40, 300)),
    ("four clusters in a square", four_clusters, (40, 300)),
    ("four Gaussians that overlap", mixed, (60, 300)),
    ("half sphere", lambda r, n: np.abs(sphere(r, n)) * [1, 1, 1] * r.choice([-1, 1], (n, 3)) ** [1, 1, 0], (100, 300)),
    ("sphere in R^6", lambda r, n: (c := r.standard_normal((n, 6))) / np.linalg.norm(c, axis=1)[:, None], (60, 300)),
    ("ball in R^5", lambda r, n: disc(r, n, 5), (20, 300)),
    ("log-normal in R^3", lambda r, n: np.exp(r.standard_normal((n, 3))), (40, 300)),
    ("flat strip 10 : 1", lambda r, n: r.random((n, 2)) * [5, 0.5], (40, 300)),
)  # fmt: skip

UNSEEN_SPACES = (
    *(Space("unseen", name, 1, loops, with_noise(make), sizes) for name, loops, make, sizes in _WITH_LOOPS),
    *(Space("unseen null", name, 1, 0, with_noise(make), sizes) for name, make, sizes in _WITHOUT),
)
