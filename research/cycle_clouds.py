"""The simulated clouds to which the weights on cycles were fitted: families of curves, graphs and surfaces, and of what
looks like a loop and is none, with random sizes.

Every cloud comes from one seed; the order of the random draws is part of the recipe.  No seed here is used by rules.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from research.spaces import circle, circles, segments, sphere
from research.training_clouds import Cloud, Labelled, Rng, along, embedded, noisy, torus, with_outliers

Kind = Callable[[Rng, int], Labelled]


# --- with loops -------------------------------------------------------------------------------------------------------


def turned(rng: Rng, cloud: Cloud, dim: int) -> Cloud:
    """The cloud in a random direction of ``dim`` coordinates."""
    return cloud @ np.linalg.qr(rng.standard_normal((dim, dim)))[0][: cloud.shape[1]]


def bent_circle(rng: Rng, n: int) -> Labelled:
    """A closed curve in space, which may come near itself."""
    t = np.linspace(0, 2 * np.pi, 2000)
    if rng.random() < 0.3:  # wound around a ring: a coil or a knot
        k, m, wide = int(rng.integers(1, 4)), int(rng.integers(2, 6)), rng.uniform(0.3, 0.6)
        m += k > 1 and m % k == 0  # no common factor, or the curve is run through twice
        out = 1 + wide * np.cos(m * t)
        curve = np.column_stack([out * np.cos(k * t), out * np.sin(k * t), wide * np.sin(m * t)])
        return along(rng, max(n, 40 * max(k, m)), 1.5 * curve), 1
    curve = np.column_stack([np.cos(t), np.sin(t), 0 * t])
    for k in range(2, int(rng.integers(3, 6))):
        curve += np.outer(np.cos(k * t + rng.random() * 6), rng.standard_normal(3)) * rng.uniform(0.1, 0.6) / k
    return along(rng, n, curve), 1


def rose(rng: Rng, n: int) -> Labelled:
    """Petals that meet in the middle."""
    k = int(rng.integers(2, 6))
    t = np.linspace(0, 2 * np.pi, 3000)
    wide = np.abs(np.cos(k * t / 2)) ** rng.uniform(0.6, 1.4)
    return along(rng, max(n, 40 * k), 1.4 * np.column_stack([wide * np.cos(t), wide * np.sin(t)])), k


def looped_curve(rng: Rng, n: int) -> Labelled:
    """A circle with small loops inwards or outwards, one for each turn of the small wheel."""
    k, t = int(rng.integers(2, 6)), np.linspace(0, 2 * np.pi, 3000)
    size = rng.uniform(1.5, 3.0) / (k + 1)
    side = 1 if rng.random() < 0.5 else -1
    wheel = (1 + side * k) if side > 0 else (1 - k)
    curve = np.column_stack([np.cos(t) + size * np.cos(wheel * t), np.sin(t) + size * np.sin(wheel * t)])
    return along(rng, max(n, 50 * k), curve), _faces(curve[::10])


def lissajous(rng: Rng, n: int) -> Labelled:
    """Two swings at right angles."""
    a, b = [(1, 2), (1, 3), (2, 3), (3, 4)][rng.integers(4)]
    t, late = np.linspace(0, 2 * np.pi, 3000), rng.uniform(0.3, 1.2)
    curve = np.column_stack([np.sin(a * t + late), np.sin(b * t)]) * rng.uniform(1.2, 1.8)
    return along(rng, max(n, 50 * a * b), curve), _faces(curve[::10])


def _faces(curve: Cloud) -> int:
    """Number of loops of a closed plane curve: one, and one more for each crossing."""
    first, second = curve, np.roll(curve, -1, axis=0)

    def side(a: Cloud, b: Cloud, c: Cloud) -> Cloud:
        turn: Cloud = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1])
        turn -= (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
        return turn

    p, q, r, s = first[:, None], second[:, None], first[None], second[None]
    crossed = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)
    return 1 + int(np.triu(crossed, 2).sum())


def nested(rng: Rng, n: int) -> Labelled:
    """Circles inside each other, or a circle around a filled disc."""
    k = int(rng.integers(2, 4))
    radii = np.cumprod(np.r_[1.5, rng.uniform(0.35, 0.7, k - 1)])
    at = np.zeros((k, 2))
    if rng.random() < 0.4:
        at[1:, 0] = -0.3 * np.cumsum(np.diff(radii))
    cloud = circles(rng, max(n, 60 * k), radii.tolist(), at.tolist(), by_length=rng.random() < 0.7)
    if rng.random() < 0.25:
        inner = rng.random(len(cloud)) < 0.4
        full = circle(rng, int(inner.sum()), radii[1]) * np.sqrt(rng.random((int(inner.sum()), 1)))
        return np.vstack([circle(rng, len(cloud) - len(full), radii[0]), 0.9 * full]), 1
    return cloud, k


def linked(rng: Rng, n: int) -> Labelled:
    """Circles in space, each through the one before."""
    k = int(rng.integers(2, 4))
    rings = []
    for i, m in enumerate(rng.multinomial(max(n, 60 * k), np.ones(k) / k).tolist()):
        ring = np.insert(circle(rng, m, rng.uniform(0.8, 1.2)), 1 + i % 2, 0.0, axis=1)
        rings.append(ring + np.array([1.15 * i, 0, 0]))
    return np.vstack(rings), k


def ringed(rng: Rng, n: int) -> Labelled:
    """A sphere with a ring around it, or with a circle beside it."""
    share = rng.binomial(max(n, 150), rng.uniform(0.25, 0.5))
    ring = np.insert(circle(rng, share, rng.uniform(1.5, 2.0)), 2, 0.0, axis=1)
    if rng.random() < 0.4:
        ring = np.insert(circle(rng, share), int(rng.integers(3)), 0.0, axis=1)
        ring[:, 0] += rng.uniform(2.4, 3.5)
    return np.vstack([sphere(rng, max(n, 150) - share), ring]), 1


def plane_graph(rng: Rng, n: int) -> Labelled:
    """Some of the edges of a Delaunay triangulation, all of whose faces are wide."""
    from scipy.spatial import Delaunay

    grid = np.stack(np.meshgrid(np.arange(int(rng.integers(2, 4))), np.arange(int(rng.integers(2, 4)))), -1)
    grid = grid.reshape(-1, 2)
    corners = grid + rng.uniform(-0.15, 0.15, grid.shape)
    if rng.random() < 0.5:
        pairs = [(i, j) for i, j in combinations(range(len(grid)), 2) if np.abs(grid[i] - grid[j]).sum() == 1]
    else:
        found = Delaunay(corners).simplices
        pairs = sorted({tuple(sorted((int(t[i]), int(t[j])))) for t in found for i, j in ((0, 1), (1, 2), (0, 2))})
    loops = len(pairs) - len(corners) + 1
    return segments(rng, max(n, 45 * loops), [(2 * corners[i], 2 * corners[j]) for i, j in pairs]), loops


def space_graph(rng: Rng, n: int) -> Labelled:
    """The edges of a prism, a pyramid or a bundle of arcs between two points."""
    k = int(rng.integers(3, 6))
    turn = 2 * np.pi * np.arange(k) / k
    ring = np.column_stack([np.cos(turn), np.sin(turn), 0 * turn])
    high = np.array([0, 0, rng.uniform(1.0, 1.8)])
    u = rng.random()
    if u < 0.35:
        pieces = [(ring[i], ring[i - 1]) for i in range(k)] + [(ring[i], high) for i in range(k)]
    elif u < 0.65:
        pieces = [(ring[i] + z, ring[i - 1] + z) for i in range(k) for z in (0 * high, high)]
        pieces += [(corner, corner + high) for corner in ring]
    else:
        pieces = [(corner, side * high) for corner in ring for side in (-1, 1)]
    loops = k if u < 0.35 else k + 1 if u < 0.65 else k - 1
    return segments(rng, max(n, 45 * loops), pieces), loops


def closed_surface(rng: Rng, n: int) -> Labelled:
    """A torus in R^3 or R^4, a Klein bottle or a projective plane, sampled well enough to show its loops."""
    u, few = rng.random(), max(n, int(rng.integers(350, 650)))
    a, b = rng.uniform(0, 2 * np.pi, (2, few))
    if u < 0.35:
        return torus(rng, few + 100, rng.uniform(0.4, 0.55), by_area=True), 2
    if u < 0.6:
        return np.column_stack([np.cos(a), np.sin(a), np.cos(b), np.sin(b)]), 2
    if u < 0.8:
        wide = 1 + 0.5 * np.cos(b)
        return np.column_stack(
            [wide * np.cos(a), wide * np.sin(a), 0.5 * np.sin(b) * np.cos(a / 2), 0.5 * np.sin(b) * np.sin(a / 2)]
        ), 2
    x, y, z = sphere(rng, few - 100).T
    return np.column_stack([x * y, x * z, y * y - z * z, 2 * y * z]) * 1.5, 1


def holed(rng: Rng, n: int) -> Labelled:
    """A sphere without two to four caps, a tube, or a plate with round holes."""
    u, k = rng.random(), int(rng.integers(1, 4))
    if u < 0.35:
        poles = np.vstack([np.eye(3), -np.eye(3)])[[0, 3, 1, 4]][: k + 1]
        cloud = sphere(rng, 12 * max(n, 200))
        return cloud[(cloud @ poles.T < np.cos(rng.uniform(0.5, 0.75))).all(axis=1)][: max(n, 200)], k
    if u < 0.6:
        return np.column_stack([circle(rng, n), rng.random(n) * rng.uniform(0.3, 3)]), 1
    cloud = rng.uniform((0, 0), (2 * k, 2), (12 * max(n, 100 * k), 2))
    at = np.column_stack([1 + 2 * np.arange(k), np.ones(k)])
    open_ = (np.linalg.norm(cloud[:, None] - at, axis=2) > rng.uniform(0.5, 0.8)).all(axis=1)
    return cloud[open_][: max(n, 100 * k)], k


def slow_cycle(rng: Rng, n: int) -> Labelled:
    """A closed curve that is sampled much more on one side."""
    t = np.linspace(0, 2 * np.pi, 3000)
    speed = 1.05 + np.cos(t) * rng.uniform(0.3, 1.0)
    time = np.r_[0, np.cumsum(1 / speed)[:-1]]
    where = np.interp(rng.random(n) * time[-1], time, t)
    return np.column_stack([np.cos(where), rng.uniform(0.5, 1) * np.sin(where)]), 1


# --- without a loop ---------------------------------------------------------------------------------------------------


def moons(rng: Rng, n: int) -> Labelled:
    """Two arcs, one reaching into the other."""
    t = rng.uniform(0, np.pi, n) if rng.random() < 0.7 else np.pi * np.arange(n) / n
    first = rng.random(n) < rng.uniform(0.4, 0.6)
    by, up = (1.0, 0.5) if rng.random() < 0.3 else (rng.uniform(0.8, 1.3), rng.uniform(0.3, 0.65))
    return np.column_stack([np.where(first, np.cos(t), by - np.cos(t)), np.where(first, np.sin(t), up - np.sin(t))]), 0


def pieces_of_a_ring(rng: Rng, n: int) -> Labelled:
    """Arcs, bars or clusters around one centre, none of which touches the next."""
    k = int(rng.integers(2, 10))
    n = max(n, 12 * k)
    which, share = rng.integers(0, k, n), rng.uniform(0.05, 0.65)
    turn = 2 * np.pi * (which + share * rng.random(n)) / k
    if rng.random() < 0.5:
        turn, size = 2 * np.pi * which / k, rng.uniform(0.1, 0.45) / k
        return np.column_stack([np.cos(turn), np.sin(turn)]) + size * rng.standard_normal((n, 2)), 0
    return np.column_stack([np.cos(turn), np.sin(turn)]) * (1 + rng.uniform(0, 0.15) * rng.random((n, 1))), 0


def open_curve(rng: Rng, n: int) -> Labelled:
    """Most of a circle or of an ellipse, or a bent curve in space."""
    if rng.random() < 0.6:
        t = rng.random(n) * 2 * np.pi * (1 - rng.uniform(30, 150) / 360)
        return np.column_stack([np.cos(t), rng.uniform(0.6, 1) * np.sin(t)]), 0
    t = np.linspace(0, 1, 2000)
    curve = np.outer(t, rng.standard_normal(3)) * 2
    for k in range(1, 4):
        curve += np.outer(np.cos(np.pi * k * t), rng.standard_normal(3)) / k
    return along(rng, n, curve), 0


def branching(rng: Rng, n: int) -> Labelled:
    """A plane tree whose branches bend away from each other, or one in space."""
    pieces, depth = [], int(rng.integers(2, 5))
    if rng.random() < 0.3:
        knots = [np.zeros(3)]
        for _ in range(int(rng.integers(3, 9))):
            start = knots[rng.integers(len(knots))]
            step = rng.standard_normal(3)
            knots.append(start + step / np.linalg.norm(step) * rng.uniform(0.6, 1.2))
            pieces.append([start, knots[-1]])
        return segments(rng, n, pieces), 0
    bend, shrink = rng.uniform(0.3, 0.8), rng.uniform(0.55, 0.75)
    level = [((0.0, 0.0), np.pi / 2, 1.0)]
    for _ in range(depth):
        following = []
        for (x, y), turn, long in level:
            end = (x + long * np.cos(turn), y + long * np.sin(turn))
            pieces.append([(x, y), end])
            following += [(end, turn + side * bend, long * shrink) for side in (-1, 1)]
        level = following
    return segments(rng, n, pieces), 0


def winding(rng: Rng, n: int) -> Labelled:
    """A spiral of one to three arms, or a helix."""
    turns = rng.uniform(1.0, 3.0)
    t = np.linspace(rng.uniform(0.3, 2), 2 * np.pi * turns, 2000)
    if rng.random() < 0.4:
        return along(rng, n, np.column_stack([np.cos(t), np.sin(t), t * rng.uniform(0.15, 0.4)])), 0
    arms = int(rng.integers(1, 4))
    cloud = along(rng, n, np.column_stack([t * np.cos(t), t * np.sin(t)]) / 5 * arms)
    a = 2 * np.pi * rng.integers(0, arms, n) / arms
    x, y = cloud.T
    return np.column_stack([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)]), 0


def sheet(rng: Rng, n: int) -> Labelled:
    """A surface without a hole: rolled, waved, bent like a bowl or twisted."""
    u, v = rng.uniform(-1, 1, (2, n))
    kind = rng.integers(5)
    if kind == 0:
        t = 1.5 * np.pi * (1 + rng.uniform(0.8, 2.2) * (u + 1) / 2)
        return np.column_stack([t * np.cos(t), v * rng.uniform(3, 10), t * np.sin(t)]) / 5, 0
    if kind == 1:
        return np.column_stack([1.5 * u, v, 0.5 * np.sin(rng.uniform(1, 5) * u)]), 0
    if kind == 2:
        bent = rng.uniform(0.6, 1.5) * np.pi * u
        return np.column_stack([np.sin(bent), 1.5 * v, np.sign(bent) * (np.cos(bent) - 1)]), 0
    if kind == 3:
        cloud = sphere(rng, 4 * n)
        return cloud[cloud[:, 2] < rng.uniform(0, 0.8)][:n], 0
    return np.column_stack([v * np.cos(2 * u), v * np.sin(2 * u), u * rng.uniform(0.5, 1.5)]), 0


def heaps(rng: Rng, n: int) -> Labelled:
    """Filled pieces side by side: discs, squares, clusters of several sizes."""
    k = int(rng.integers(2, 9))
    centres = rng.uniform(-1, 1, (k, 2)) * k**0.5 * rng.uniform(0.8, 1.6)
    size = rng.uniform(0.1, 0.7, k) if rng.random() < 0.5 else np.full(k, rng.uniform(0.1, 0.5))
    which = rng.integers(0, k, n)
    grain = rng.standard_normal((n, 2)) if rng.random() < 0.5 else rng.uniform(-1, 1, (n, 2))
    return centres[which] + size[which, None] * grain, 0


def scattered(rng: Rng, n: int) -> Labelled:
    """A random walk, dust of several scales, or points in all directions of a space of several dimensions."""
    u, dim = rng.random(), int(rng.integers(2, 11))
    if u < 0.35:
        return np.cumsum(rng.standard_normal((n, max(dim, 3))), axis=0), 0
    if u < 0.65:
        least = rng.uniform(2.2, 3.5)
        return 2 * (rng.integers(0, 2, (n, 2, 8)) / least ** np.arange(8)).sum(axis=2), 0
    cloud = rng.standard_normal((n, dim))
    return cloud / np.linalg.norm(cloud, axis=1)[:, None] ** rng.choice([0.0, 0.5, 1.0]) if dim > 2 else cloud, 0


WITH: Sequence[Kind] = (
    bent_circle, rose, looped_curve, lissajous, nested, linked, ringed, plane_graph, space_graph, closed_surface, holed,
    slow_cycle,
)  # fmt: skip
WITHOUT: Sequence[Kind] = (moons, pieces_of_a_ring, open_curve, branching, winding, sheet, heaps, scattered)


def cycles_of_all_kinds(seed: int) -> Labelled:
    """Half with loops, half without, noise up to 0.08, now and then outliers."""
    rng = np.random.default_rng([19, seed])
    n = int(np.exp(rng.uniform(np.log(40), np.log(400))))
    kinds = WITH if rng.random() < 0.5 else WITHOUT
    cloud, loops = kinds[rng.integers(len(kinds))](rng, n)
    cloud = noisy(rng, embedded(rng, cloud), float(rng.choice([0.0, 0.01, 0.02, 0.03, 0.05, 0.08])))
    if rng.random() < 0.12 and len(cloud) >= 60:
        cloud = with_outliers(rng, cloud, rng.uniform(0.02, 0.2), rng.uniform(3, 5))
    return cloud, loops
