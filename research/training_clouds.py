"""The simulated clouds to which the weights of the default rule were fitted, each with its true number of features.

Every cloud comes from one seed.  The order of the random draws is part of the recipe: change it and the clouds change.
No seed and no mixture here is used by research/rules.py, which scores the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from research.spaces import circle, circles, disc, ellipse, segments, sphere, theta

Rng = np.random.Generator
Cloud = np.ndarray[Any, Any]
Labelled = tuple[Cloud, int]

THREE = [(0, 0), (3, 0), (1.5, 2.6)]


def noisy(rng: Rng, cloud: Cloud, sigma: float) -> Cloud:
    """The cloud with Gaussian noise on every coordinate."""
    return cloud + sigma * rng.standard_normal(cloud.shape)


def embedded(rng: Rng, cloud: Cloud) -> Cloud:
    """The cloud as it is, or in a random subspace of up to ten dimensions."""
    dim = cloud.shape[1]
    wanted = max(int(rng.choice([dim, dim, dim, 3, 4, 6, 10])), dim)
    return cloud @ np.linalg.qr(rng.standard_normal((wanted, dim)))[0].T if wanted > dim else cloud


def along(rng: Rng, n: int, curve: Cloud) -> Cloud:
    """Points of a polygonal curve, even in arc length."""
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))]
    where = rng.random(n) * length[-1]
    return np.column_stack([np.interp(where, length, column) for column in curve.T])


def flower(rng: Rng, n: int) -> Cloud:
    """A closed curve with two to five petals."""
    t = np.linspace(0, 2 * np.pi, 1500)
    petals, depth = rng.integers(2, 6), rng.uniform(0, 0.35)
    radius = 1 + depth * np.cos(petals * t + rng.random() * 6)
    return along(rng, n, np.column_stack([radius * np.cos(t), radius * np.sin(t)]))


def knot(rng: Rng, n: int) -> Cloud:
    """A trefoil in space."""
    t = np.linspace(0, 2 * np.pi, 1500)
    return along(rng, n, np.c_[np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)] / 2)


def outline(rng: Rng, n: int, corners: Cloud) -> Cloud:
    """A closed polygon through its corners; sampled at 1,500 places first, which rounds the corners a little."""
    places = np.linspace(0, len(corners) - 1, 1500)
    return along(rng, n, np.column_stack([np.interp(places, np.arange(len(corners)), c) for c in corners.T]))


def polygon(rng: Rng, n: int) -> Cloud:
    """A regular polygon of three to six sides."""
    sides = int(rng.integers(3, 7))
    corners = np.exp(2j * np.pi * np.arange(sides + 1) / sides)
    return outline(rng, n, np.column_stack([corners.real, corners.imag]))


def rectangle(rng: Rng, n: int) -> Cloud:
    """A rectangle's outline."""
    high = rng.uniform(0.4, 1)
    return outline(rng, n, np.array([[-1, -high], [1, -high], [1, high], [-1, high], [-1, -high]]))


def lemniscate(rng: Rng, n: int) -> Cloud:
    """A curve that crosses itself once."""
    t = np.linspace(0, 2 * np.pi, 2000)
    return along(rng, n, np.column_stack([np.cos(t), np.sin(t) * np.cos(t)]))


def arc(rng: Rng, n: int) -> Cloud:
    """Part of a circle that does not close."""
    angle = rng.uniform(0.3, 1.5) * np.pi
    t = rng.random(n) * angle
    return np.column_stack([np.cos(t), np.sin(t)])


def tree(rng: Rng, n: int) -> Cloud:
    """Segments joined without a loop."""
    knots, pieces = [], []
    branches = rng.integers(3, 8)
    knots.append(rng.uniform(-1, 1, 2))
    for _ in range(branches):
        start = knots[rng.integers(len(knots))]
        knots.append(start + rng.standard_normal(2) * 0.7)
        pieces.append([start, knots[-1]])
    return segments(rng, n, pieces)


def spiral(rng: Rng, n: int, turns: float) -> Cloud:
    """A plane spiral, denser outside."""
    t = np.sqrt(rng.random(n)) * turns
    return np.column_stack([t * np.cos(t), t * np.sin(t)]) / 6


def roll(rng: Rng, n: int) -> Cloud:
    """A rolled-up sheet."""
    sheet = spiral(rng, n, 3 * np.pi)
    return np.column_stack([sheet, rng.random(n) * 8 / 6])


def moebius(rng: Rng, n: int) -> Cloud:
    """A Moebius band."""
    u, v = rng.random(n) * 2 * np.pi, rng.uniform(-0.4, 0.4, n)
    wide = 1 + v * np.cos(u / 2)
    return np.column_stack([wide * np.cos(u), wide * np.sin(u), v * np.sin(u / 2)])


def cylinder(rng: Rng, n: int) -> Cloud:
    """An open cylinder."""
    u = rng.random(n) * 2 * np.pi
    return np.column_stack([np.cos(u), np.sin(u), rng.random(n) * rng.uniform(0.3, 2)])


def annulus(rng: Rng, n: int, inner: float) -> Cloud:
    """A plane annulus, even in area."""
    radius = np.sqrt(rng.uniform(inner * inner, 1, n))
    t = rng.random(n) * 2 * np.pi
    return np.column_stack([radius * np.cos(t), radius * np.sin(t)])


def uneven(rng: Rng, n: int, ratio: float) -> Cloud:
    """A circle, one half sampled ``ratio`` times as densely."""
    counts = rng.multinomial(n, np.array([ratio, 1]) / (ratio + 1))
    t = np.r_[rng.random(counts[0]) * np.pi, np.pi + rng.random(counts[1]) * np.pi]
    return np.column_stack([np.cos(t), np.sin(t)])


def torus(rng: Rng, n: int, tube: float, *, by_area: bool) -> Cloud:
    """A torus of radius 1, even in area or in its angles."""
    angles: list[tuple[float, float]] = []
    while len(angles) < n:
        u, v, w = rng.random(3)
        if not by_area or w < (1 + tube * np.cos(2 * np.pi * u)) / (1 + tube):
            angles.append((2 * np.pi * u, 2 * np.pi * v))
    u, v = np.array(angles).T
    wide = 1 + tube * np.cos(u)
    return np.column_stack([wide * np.cos(v), wide * np.sin(v), tube * np.sin(u)])


def torus_or_circle(rng: Rng, n: int) -> Labelled:
    """Tori want many points; most of the time a circle keeps the set affordable."""
    if rng.random() >= 0.4:
        return circle(rng, n), 1
    return torus(rng, max(n, int(rng.integers(400, 800))), rng.uniform(0.35, 0.5), by_area=rng.random() < 0.7), 2


def scattered_circles(rng: Rng, n: int, least: float) -> Labelled:
    """Two to four circles of radius ``least`` to 1 that keep a distance."""
    k = int(rng.integers(2, 5))
    radii = np.r_[1, rng.uniform(least, 1, k - 1)]
    gap = rng.uniform(0.2, 1.5)
    centres: list[Cloud] = []
    for radius in radii:
        for _ in range(200):
            centre = rng.uniform(-4, 4, 2)
            if all(np.hypot(*(centre - c)) > radius + r + gap for c, r in zip(centres, radii, strict=False)):
                break
        centres.append(centre)
    by_length = rng.random() >= 0.6
    return circles(rng, n, radii, centres, by_length=by_length), k


def wedge(rng: Rng, n: int) -> Labelled:
    """Two to four circles in a row, each touching the next."""
    k = int(rng.integers(2, 5))
    radii = np.r_[1, rng.uniform(0.35, 1, k - 1)] if rng.random() < 0.5 else np.ones(k)
    places = np.r_[0.0, np.cumsum(radii[:-1] + radii[1:])]
    return circles(rng, n, radii, [(x, 0) for x in places], by_length=rng.random() >= 0.6), k


def theta_or_wheel(rng: Rng, n: int) -> Labelled:
    """A circle with one diameter, or with three spokes."""
    if rng.integers(2, 4) == 2:
        return theta(rng, n), 2
    spokes = [[(0, 0), (np.cos(t), np.sin(t))] for t in np.pi * np.arange(3) * 2 / 3]
    return np.vstack([circle(rng, n - n // 3), segments(rng, n // 3, spokes)]), 3


def blobs(rng: Rng, n: int, k: int, dim: int, spread: float, apart: float) -> Cloud:
    """Gaussian blobs whose centres lie at least ``apart`` from each other."""
    while True:
        centres = rng.uniform(-1, 1, (k, dim)) * apart * k**0.7
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) + np.eye(k) * 99
        if gaps.min() >= apart:
            break
    counts = rng.multinomial(n, np.ones(k) / k)
    return np.vstack([c + spread * rng.standard_normal((m, dim)) for c, m in zip(centres, counts, strict=True)])


def some_blobs(rng: Rng, n: int) -> Cloud:
    """Two to six separate blobs in the plane or in space."""
    k, dim = int(rng.integers(2, 7)), int(rng.integers(2, 4))
    return blobs(rng, n, k, dim, rng.uniform(0.05, 0.5), rng.uniform(1.5, 2.5))


def any_blobs(rng: Rng, n: int, k: int, dim: int, spread: float) -> Cloud:
    """Blobs wherever they fall; several may overlap."""
    centres = rng.uniform(-2, 2, (k, dim))
    return centres[rng.integers(0, k, n)] + spread * rng.standard_normal((n, dim))


def crossing(rng: Rng, n: int) -> Cloud:
    """Two or three segments through one point."""
    ends = np.array([[np.cos(a), np.sin(a)] for a in rng.random(rng.integers(2, 4)) * np.pi])
    return segments(rng, n, np.stack([ends, -ends], axis=1))


def with_outliers(rng: Rng, cloud: Cloud, share: float, side: float) -> Cloud:
    """The cloud with that share of its points thrown anywhere into a box."""
    m = round(len(cloud) * share)
    centre = (cloud.max(0) + cloud.min(0)) / 2
    thrown = centre + rng.uniform(-side / 2, side / 2, (m, cloud.shape[1]))
    cloud = cloud.copy()
    cloud[rng.choice(len(cloud), m, replace=False)] = thrown
    return cloud


def once(make: Callable[..., Cloud], *extra: Any) -> Callable[[Rng, int], Labelled]:
    """A maker of clouds with one loop."""
    return lambda rng, n: (make(rng, n, *extra), 1)


#: clouds with loops: (rng, n) -> cloud and number of loops
LOOPS: Sequence[Callable[[Rng, int], Labelled]] = (
    once(circle),
    once(circle),
    lambda r, n: (ellipse(r, n, r.uniform(0.45, 0.95)), 1),
    once(flower),
    once(knot),
    once(polygon),
    once(rectangle),
    lambda r, n: scattered_circles(r, n, 1.0),
    lambda r, n: scattered_circles(r, n, 0.33),
    wedge,
    wedge,
    theta_or_wheel,
    theta_or_wheel,
    lambda r, n: (annulus(r, n, r.uniform(0.45, 0.85)), 1),
    lambda r, n: (annulus(r, n, r.uniform(0.45, 0.85)), 1),
    once(moebius),
    once(cylinder),
    lambda r, n: (uneven(r, n, r.uniform(2, 7)), 1),
    lambda r, n: (lemniscate(r, n), 2),
    torus_or_circle,
    lambda r, n: (circles(r, n, [1, 1, 1], THREE, by_length=False), 3),
    lambda r, n: (circles(r, n, [1, 1], [(0, 0), (r.uniform(2.3, 5), 0)], by_length=False), 2),
)

#: clouds without a loop
NO_LOOP: Sequence[Callable[[Rng, int], Cloud]] = (
    disc,
    lambda r, n: disc(r, n) * [1, r.uniform(0.2, 1)],
    lambda r, n: disc(r, n, int(r.integers(2, 7))),
    lambda r, n: r.random((n, 2)),
    lambda r, n: r.random((n, 2)) * [1, r.uniform(0.1, 1)],
    lambda r, n: r.random((n, int(r.integers(2, 8)))),
    lambda r, n: r.standard_normal((n, int(r.integers(2, 11)))),
    lambda r, n: r.standard_normal((n, 2)),
    lambda r, n: r.standard_normal((n, 3)) * r.uniform(0.1, 1, 3),
    sphere,
    sphere,
    lambda r, n: r.standard_t(r.uniform(1.0, 5), (n, 2)),
    lambda r, n: r.standard_normal((n, int(r.integers(2, 4)))) / np.sqrt(r.chisquare(r.uniform(1, 4), (n, 1))),
    lambda r, n: r.laplace(size=(n, 2)),
    lambda r, n: np.exp(r.standard_normal((n, 2))),
    lambda r, n: noisy(r, segments(r, n, [[(-1, 0), (1, 0)]]), r.uniform(0, 0.15)),
    lambda r, n: noisy(r, crossing(r, n), r.uniform(0, 0.12)),
    lambda r, n: noisy(r, tree(r, n), r.uniform(0, 0.07)),
    lambda r, n: noisy(r, arc(r, n), r.uniform(0, 0.15)),
    some_blobs,
    some_blobs,
    some_blobs,
    roll,
    lambda r, n: r.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], n),
)
