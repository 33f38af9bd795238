"""Spaces of known homology, and ways to sample them: what rules.py scores the rules on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Cloud = np.ndarray[Any, Any]
Make = Callable[[np.random.Generator, int], Cloud]


class Space(NamedTuple):
    """A space of known homology and a way to sample it."""

    group: str  #: "standard", "null", "hard", "hard null", "components", "sphere and torus"
    name: str
    dimension: int  #: of the homology that is scored
    betti: int
    make: Make
    sizes: tuple[int, int] = (100, 300)  #: number of points, drawn evenly


# --- shapes of radius 1 ---------------------------------------------------------------------------------------------


def circle(rng: np.random.Generator, n: int, radius: float = 1.0, at: Sequence[float] = (0.0, 0.0)) -> Cloud:
    """Points of a circle in the plane, at random angles."""
    angle = rng.uniform(0, 2 * np.pi, n)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + at


def circles(
    rng: np.random.Generator, n: int, radii: Sequence[float], at: Sequence[Sequence[float]], *, by_length: bool = True
) -> Cloud:
    """Circles in the plane, their shares of the points by length or equal."""
    share = np.asarray(radii if by_length else np.ones(len(radii)), dtype=float)
    counts = rng.multinomial(n, share / share.sum())
    return np.vstack([circle(rng, m, r, c) for m, r, c in zip(counts, radii, at, strict=True)])


def ellipse(rng: np.random.Generator, n: int, short: float = 0.6) -> Cloud:
    """Points of an ellipse, even in arc length."""
    t = np.linspace(0, 2 * np.pi, 2000)
    curve = np.column_stack([np.cos(t), short * np.sin(t)])
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))]
    where = rng.uniform(0, length[-1], n)
    return np.column_stack([np.interp(where, length, column) for column in curve.T])


def segments(rng: np.random.Generator, n: int, ends: Sequence[Any]) -> Cloud:
    """Points of straight segments, even in length."""
    pieces = np.asarray(ends, dtype=float)
    length = np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1)
    piece = rng.choice(len(pieces), n, p=length / length.sum())
    return pieces[piece, 0] + rng.random((n, 1)) * (pieces[piece, 1] - pieces[piece, 0])


def theta(rng: np.random.Generator, n: int) -> Cloud:
    """A circle and one of its diameters."""
    around = rng.binomial(n, np.pi / (np.pi + 1))
    return np.vstack([circle(rng, around), segments(rng, n - around, [[(-1, 0), (1, 0)]])])


def annulus(rng: np.random.Generator, n: int, inner: float = 0.5) -> Cloud:
    """Points of a plane annulus, even in area."""
    return circle(rng, n) * np.sqrt(rng.uniform(inner**2, 1, (n, 1)))


def sphere(rng: np.random.Generator, n: int) -> Cloud:
    """Points of the unit sphere in space."""
    cloud = rng.standard_normal((n, 3))
    return cloud / np.linalg.norm(cloud, axis=1)[:, None]


def circle_in_six(rng: np.random.Generator, n: int) -> Cloud:
    """A circle in a random plane of six-dimensional space."""
    plane, _ = np.linalg.qr(rng.standard_normal((6, 2)))
    return circle(rng, n) @ plane.T


def torus(rng: np.random.Generator, n: int, tube: float = 0.45) -> Cloud:
    """Points of a torus of radius 1, even in area."""
    u, v, w = rng.random((3, 4 * n))
    kept = np.flatnonzero(w * (1 + tube) < 1 + tube * np.cos(2 * np.pi * u))[:n]
    u, v = 2 * np.pi * u[kept], 2 * np.pi * v[kept]
    wide = 1 + tube * np.cos(u)
    return np.column_stack([wide * np.cos(v), wide * np.sin(v), tube * np.sin(u)])


def disc(rng: np.random.Generator, n: int, dim: int = 2) -> Cloud:
    """Points of a ball, even in volume."""
    cloud = rng.standard_normal((n, dim))
    return cloud / np.linalg.norm(cloud, axis=1)[:, None] * rng.random((n, 1)) ** (1 / dim)


def blobs(rng: np.random.Generator, n: int, k: int, spread: float = 0.15, apart: float = 1.5) -> Cloud:
    """Gaussian blobs whose centres lie at least ``apart`` from each other."""
    while True:
        centres = rng.uniform(-1, 1, (k, 2)) * apart * k**0.7
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 1e9 * np.eye(k)
        if gaps.min() >= apart:
            return centres[rng.integers(0, k, n)] + spread * rng.standard_normal((n, 2))


def uneven(rng: np.random.Generator, n: int) -> Cloud:
    """A circle whose upper half is sampled five times as densely."""
    dense = rng.binomial(n, 5 / 6)
    angle = np.r_[rng.uniform(0, np.pi, dense), rng.uniform(np.pi, 2 * np.pi, n - dense)]
    return np.column_stack([np.cos(angle), np.sin(angle)])


def noisy(make: Make, sigma: float) -> Make:
    """The same space with Gaussian noise on every coordinate."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        cloud = make(rng, n)
        return cloud + sigma * rng.standard_normal(cloud.shape)

    return sample


def with_outliers(make: Make, share: float = 0.1, side: float = 4.0) -> Make:
    """The same space with a share of its points moved anywhere in a box."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        cloud = make(rng, n)
        moved = rng.choice(n, round(share * n), replace=False)
        cloud[moved] = rng.uniform(-side / 2, side / 2, (len(moved), cloud.shape[1]))
        return cloud

    return sample


def eight(rng: np.random.Generator, n: int) -> Cloud:
    """Two circles that touch."""
    return circles(rng, n, (1, 1), ((-1, 0), (1, 0)))


def pair(rng: np.random.Generator, n: int) -> Cloud:
    """Two circles one radius apart."""
    return circles(rng, n, (1, 1), ((0, 0), (3, 0)))


def three(rng: np.random.Generator, n: int) -> Cloud:
    """Three circles, each one radius from the others."""
    return circles(rng, n, (1, 1, 1), ((0, 0), (3, 0), (1.5, 2.6)))


def beside(small: float, *, by_length: bool) -> Make:
    """A circle of radius 1 and a smaller one 0.7 apart."""
    return lambda rng, n: circles(rng, n, (1, small), ((0, 0), (1.7 + small, 0)), by_length=by_length)


def sizes_of_three(rng: np.random.Generator, n: int) -> Cloud:
    """Three circles of three sizes."""
    return circles(rng, n, (1, 0.7, 0.4), ((0, 0), (2.5, 0), (0, 2.1)))


def with_far_points(rng: np.random.Generator, n: int) -> Cloud:
    """A plane Gaussian, three points of which lie far out, each in another direction."""
    cloud = rng.standard_normal((n, 2))
    cloud[:3] = 8 * np.array([[1, 0], [-0.5, 0.87], [-0.5, -0.87]]) * rng.uniform(1, 1.5, (3, 1))
    return cloud


def crossing(rng: np.random.Generator, n: int) -> Cloud:
    """Two segments that cross."""
    return segments(rng, n, [[(-1, -1), (1, 1)], [(-1, 1), (1, -1)]])


# --- shapes that are in no set of the fit ----------------------------------------------------------------------------


def along(*curve: Callable[[Cloud], Cloud], end: float = 2 * np.pi, start: float = 0.0) -> Make:
    """Points of the curve with these coordinates, even in arc length."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        t = np.linspace(start, end, 4000)
        points = np.column_stack([np.broadcast_to(coordinate(t), t.shape) for coordinate in curve])
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
        where = rng.uniform(0, length[-1], n)
        return np.column_stack([np.interp(where, length, column) for column in points.T])

    return sample


def linked(rng: np.random.Generator, n: int) -> Cloud:
    """Two circles in space, each through the middle of the other."""
    one, other = circle(rng, n // 2), circle(rng, n - n // 2)
    flat, upright = np.insert(one, 2, 0.0, axis=1), np.insert(other, 1, 0.0, axis=1) + np.array([1.0, 0, 0])
    return np.vstack([flat, upright])


def ring_of_blobs(rng: np.random.Generator, n: int) -> Cloud:
    """Eight round blobs on a circle that overlap a little."""
    angle = rng.integers(0, 8, n) * np.pi / 4
    return np.column_stack([np.cos(angle), np.sin(angle)]) + 0.17 * rng.standard_normal((n, 2))


def flat_torus(rng: np.random.Generator, n: int) -> Cloud:
    """The product of two circles in four dimensions."""
    return np.hstack([circle(rng, n), circle(rng, n)])


def cylinder(rng: np.random.Generator, n: int) -> Cloud:
    """A tube, open at both ends, as high as it is wide."""
    return np.column_stack([circle(rng, n), rng.uniform(-1, 1, n)])


def moebius(rng: np.random.Generator, n: int) -> Cloud:
    """A band of width 0.6 with one half twist."""
    t, s = rng.uniform(0, 2 * np.pi, n), rng.uniform(-0.3, 0.3, n)
    out = 1 + s * np.cos(t / 2)
    return np.column_stack([out * np.cos(t), out * np.sin(t), s * np.sin(t / 2)])


def bowl(rng: np.random.Generator, n: int) -> Cloud:
    """The sphere without the cap of 45 degrees around its pole."""
    height = rng.uniform(-1, np.cos(np.pi / 4), n)
    return np.column_stack([circle(rng, n) * np.sqrt(1 - height**2)[:, None], height])


def circle_and_blobs(rng: np.random.Generator, n: int) -> Cloud:
    """A circle and two blobs beside it."""
    blob = np.array([[3.0, 0], [0, 3.0]])[rng.integers(0, 2, n // 3)] + 0.2 * rng.standard_normal((n // 3, 2))
    return np.vstack([circle(rng, n - n // 3), blob])


def nested(rng: np.random.Generator, n: int) -> Cloud:
    """Two circles with one centre."""
    return circles(rng, n, (1, 0.4), ((0, 0), (0, 0)))


_HASH = [[(-0.5, -1.5), (-0.5, 1.5)], [(0.5, -1.5), (0.5, 1.5)], [(-1.5, -0.5), (1.5, -0.5)], [(-1.5, 0.5), (1.5, 0.5)]]
_PLUS = [[(-1, 0), (1, 0)], [(0, -1), (0, 1)]]

# --- the sets -------------------------------------------------------------------------------------------------------

_CURVES: tuple[tuple[str, int, int, Make], ...] = (
    ("circle", 1, 1, circle),
    ("ellipse 1 : 0.6", 1, 1, ellipse),
    ("two circles", 2, 2, pair),
    ("three circles", 3, 3, three),
    ("figure eight", 1, 2, eight),
    ("theta", 1, 2, theta),
    ("annulus 0.5 to 1", 1, 1, annulus),
    ("sphere", 1, 0, sphere),
    ("circle in R^6", 1, 1, circle_in_six),
)
_NULLS: tuple[tuple[str, Make], ...] = (
    ("disc", disc),
    ("square", lambda rng, n: rng.random((n, 2))),
    ("cube", lambda rng, n: rng.random((n, 3))),
    ("box in R^6", lambda rng, n: rng.random((n, 6))),
    ("Gaussian in R^2", lambda rng, n: rng.standard_normal((n, 2))),
    ("Gaussian in R^3", lambda rng, n: rng.standard_normal((n, 3))),
    ("Gaussian in R^10", lambda rng, n: rng.standard_normal((n, 10))),
    ("segment, noise 0.07", noisy(lambda rng, n: segments(rng, n, [[(-1, 0), (1, 0)]]), 0.07)),
    ("three blobs", lambda rng, n: blobs(rng, n, 3)),
    ("five blobs", lambda rng, n: blobs(rng, n, 5)),
)
_SMALL = (8, 60)

SPACES: tuple[Space, ...] = (
    *(Space("standard", name, 1, loops, noisy(make, 0.07)) for name, _, loops, make in _CURVES),
    *(Space("null", name, 1, 0, make) for name, make in _NULLS),
    Space("hard", "1 and 0.35, equal counts", 1, 2, noisy(beside(0.35, by_length=False), 0.03)),
    Space("hard", "1 and 0.35, by length", 1, 2, noisy(beside(0.35, by_length=True), 0.03)),
    Space("hard", "1 and 0.5, by length", 1, 2, noisy(beside(0.5, by_length=True), 0.03)),
    Space("hard", "1, 0.7 and 0.4, by length", 1, 3, noisy(sizes_of_three, 0.03)),
    Space("hard", "circle, noise 0.15", 1, 1, noisy(circle, 0.15)),
    Space("hard", "two circles, noise 0.15", 1, 2, noisy(pair, 0.15)),
    Space("hard", "figure eight, noise 0.15", 1, 2, noisy(eight, 0.15)),
    Space("hard", "circle, 40 points", 1, 1, noisy(circle, 0.07), (40, 40)),
    Space("hard", "figure eight, 40 points", 1, 2, noisy(eight, 0.07), (40, 40)),
    Space("hard", "circle, 10 % outliers", 1, 1, with_outliers(noisy(circle, 0.07))),
    Space("hard", "figure eight, 10 % outliers", 1, 2, with_outliers(noisy(eight, 0.07))),
    Space("hard", "circle, density 5 : 1", 1, 1, noisy(uneven, 0.07)),
    Space("hard", "torus 1 / 0.45", 1, 2, noisy(torus, 0.03), (600, 600)),
    Space("hard null", "Student t, 2 degrees", 1, 0, lambda rng, n: rng.standard_t(2, (n, 2))),
    Space("hard null", "Cauchy", 1, 0, lambda rng, n: rng.standard_cauchy((n, 2))),
    Space("hard null", "crossing segments, noise 0.03", 1, 0, noisy(crossing, 0.03)),
    Space("hard null", "crossing segments, noise 0.1", 1, 0, noisy(crossing, 0.1)),
    Space("hard null", "disc, 8 to 60 points", 1, 0, disc, _SMALL),
    Space("hard null", "cube, 8 to 60 points", 1, 0, lambda rng, n: rng.random((n, 3)), _SMALL),
    Space("hard null", "Gaussian, 8 to 60 points", 1, 0, lambda rng, n: rng.standard_normal((n, 2)), _SMALL),
    Space("hard null", "twelve blobs", 1, 0, lambda rng, n: blobs(rng, n, 12, 0.1, 0.8)),
    *(Space("components", f"{name}, noise 0.03", 0, parts, noisy(make, 0.03)) for name, parts, _, make in _CURVES),
    *(Space("components", f"{k} blobs", 0, k, lambda rng, n, k=k: blobs(rng, n, k)) for k in (2, 3, 4, 6)),
    *(Space("components", name, 0, 1, make) for name, make in _NULLS[:-2]),
    Space("components", "Student t, 2 degrees", 0, 1, lambda rng, n: rng.standard_t(2, (n, 2))),
    Space("components", "Gaussian and three far points", 0, 1, with_far_points),
    Space("components", "disc, 8 to 60 points", 0, 1, disc, _SMALL),
    Space("components", "two blobs, 16 to 60 points", 0, 2, lambda rng, n: blobs(rng, n, 2), (16, 60)),
    Space("sphere and torus", "sphere, noise 0.07", 2, 1, noisy(sphere, 0.07)),
    Space("sphere and torus", "torus 1 / 0.45, 400 points", 2, 1, noisy(torus, 0.03), (400, 400)),
    Space("sphere and torus", "ball", 2, 0, lambda rng, n: disc(rng, n, 3)),
    Space("sphere and torus", "circle in R^6", 2, 0, noisy(circle_in_six, 0.07)),
)


_LOW_NOISE, _HIGH_NOISE = 0.02, 0.1
_NEW: tuple[tuple[str, int, Make], ...] = (
    ("ellipse 3 : 1", 1, lambda rng, n: ellipse(rng, n, 1 / 3)),
    ("Lissajous 1 : 2", 2, along(np.sin, lambda t: np.sin(2 * t))),
    ("linked circles", 2, linked),
    ("circles with one centre", 2, nested),
    ("ring of eight blobs", 1, ring_of_blobs),
    ("cylinder", 1, cylinder),
    ("Moebius band", 1, moebius),
    ("circle and two blobs", 1, circle_and_blobs),
    ("hash sign", 1, lambda rng, n: segments(rng, n, _HASH)),
    ("saddle curve in space", 1, along(np.cos, np.sin, lambda t: np.cos(2 * t))),
    ("flat torus in R^4", 2, flat_torus),
    ("spiral, two turns", 0, along(lambda t: t * np.cos(t) / 6, lambda t: t * np.sin(t) / 6, start=1, end=4 * np.pi)),
    ("circle open by a quarter", 0, along(np.cos, np.sin, end=1.5 * np.pi)),
    ("parabola", 0, along(lambda t: t, lambda t: t**2, start=-1, end=1)),
    ("helix, two turns", 0, along(np.cos, np.sin, lambda t: t / 4, end=4 * np.pi)),
    ("plus sign", 0, lambda rng, n: segments(rng, n, _PLUS)),
    ("sphere without a cap", 0, bowl),
)


def noise_between(make: Make) -> Make:
    """The same space with Gaussian noise of another size in each cloud."""
    return lambda rng, n: noisy(make, float(rng.uniform(_LOW_NOISE, _HIGH_NOISE)))(rng, n)


NEW_SPACES = tuple(
    Space("new" if loops else "new null", name, 1, loops, noise_between(make), (60, 300)) for name, loops, make in _NEW
)
