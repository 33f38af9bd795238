"""A third set of spaces: curves, graphs, attractors and surfaces of the literature that no rule was chosen by.

Frozen before the rule "by_parts" was scored on any of them, and scored once (docs/measurements has the result).  Change
nothing here for the sake of a rule.  Shapes and their names: Lawrence 1972, "A Catalog of Special Plane Curves";
Strogatz 2015, doi:10.1201/9780429492563 (attractors); Hatcher 2002, "Algebraic Topology" (surfaces, graphs).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from research.spaces import Cloud, Make, Space, along, circle, circles, noisy, segments, sphere


def polar(radius: Callable[[Cloud], Cloud], *, end: float = 2 * np.pi) -> Make:
    """Points of the closed curve with this radius at each angle, even in arc length."""
    return along(lambda t: radius(t) * np.cos(t), lambda t: radius(t) * np.sin(t), end=end)


def together(*parts: tuple[float, Make]) -> Make:
    """Several shapes in one sample, each with its share of the points."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        counts = rng.multinomial(n, [share for share, _ in parts])
        return np.vstack([make(rng, m) for m, (_, make) in zip(counts.tolist(), parts, strict=True)])

    return sample


def moved(make: Make, *by: float) -> Make:
    """The same shape somewhere else."""
    return lambda rng, n: make(rng, n) + np.array(by)


def orbit(step: Callable[[Cloud], Cloud], start: Sequence[float], n_steps: int, dropped: int, scale: float) -> Make:
    """Points of a path, drawn from its later steps, even in time."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        state, path = np.array(start, dtype=float), []
        for i in range(n_steps):
            state = step(state)
            if i >= dropped:
                path.append(state)
        found = np.array(path)
        return (found[rng.integers(0, len(found), n)] - found.mean(axis=0)) / scale

    return sample


def _roessler(state: Cloud) -> Cloud:
    x, y, z = state
    return state + 0.02 * np.array([-y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)])


def _brusselator(state: Cloud) -> Cloud:
    x, y = state
    return state + 0.005 * np.array([1 + x * x * y - 4 * x, 3 * x - x * x * y])


def _predators(state: Cloud) -> Cloud:
    x, y = state
    pushed = state + 0.0025 * np.array([x * (1 - y), y * (x - 1)])
    a, b = pushed
    return state + 0.005 * np.array([a * (1 - b), b * (a - 1)])


def _edges(corners: Sequence[Sequence[float]], edges: Sequence[tuple[int, int]]) -> Make:
    return lambda rng, n: segments(rng, n, [(corners[i], corners[j]) for i, j in edges])


def _wheel(rng: np.random.Generator, n: int) -> Cloud:
    """A wheel of five spokes."""
    turn = 2 * np.pi * np.arange(5) / 5
    rim = rng.binomial(n, 2 * np.pi / (2 * np.pi + 5))
    return np.vstack([circle(rng, rim), segments(rng, n - rim, [[(0, 0), (np.cos(t), np.sin(t))] for t in turn])])


def _octahedron(rng: np.random.Generator, n: int) -> Cloud:
    """The edges of an octahedron."""
    corners = np.vstack([np.eye(3), -np.eye(3)])
    return segments(rng, n, [(corners[i], corners[j]) for i in range(6) for j in range(i) if i - j != 3])


def _punctured(holes: int) -> Make:
    """A sphere without caps of 35 degrees at ``holes`` of its six poles."""
    poles = np.vstack([np.eye(3), -np.eye(3)])[[0, 3, 1, 4, 2, 5][:holes]]

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        cloud = sphere(rng, 12 * n)
        return cloud[((cloud @ poles.T) < np.cos(np.pi * 35 / 180)).all(axis=1)][:n]

    return sample


def _stripe(rng: np.random.Generator, n: int) -> Cloud:
    """A plane strip bent into an arc of 250 degrees."""
    t, r = rng.uniform(0, np.pi * 250 / 180, n), rng.uniform(0.8, 1.2, n)
    return np.column_stack([r * np.cos(t), r * np.sin(t)])


def _paraboloid(rng: np.random.Generator, n: int) -> Cloud:
    """A saddle over a square."""
    cloud = rng.uniform(-1, 1, (n, 2))
    return np.column_stack([cloud, cloud[:, 0] ** 2 - cloud[:, 1] ** 2])


def _helicoid(rng: np.random.Generator, n: int) -> Cloud:
    """A winding staircase of one and a half turns."""
    t, r = rng.uniform(0, 3 * np.pi, n), rng.uniform(-1, 1, n)
    return np.column_stack([r * np.cos(t), r * np.sin(t), t / 2])


def _tree(rng: np.random.Generator, n: int) -> Cloud:
    """A binary tree of four levels."""
    pieces, level = [], [((0.0, 0.0), np.pi / 2, 1.0)]
    for _ in range(4):
        following = []
        for (x, y), turn, long in level:
            end = (x + long * np.cos(turn), y + long * np.sin(turn))
            pieces.append([(x, y), end])
            following += [(end, turn + side * 0.5, long * 0.75) for side in (-1, 1)]
        level = following
    return segments(rng, n, pieces)


def _clusters(k: int) -> Make:
    """Tight clusters at the corners of a regular polygon."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        turn = 2 * np.pi * rng.integers(0, k, n) / k
        return np.column_stack([np.cos(turn), np.sin(turn)]) + 0.06 * rng.standard_normal((n, 2))

    return sample


_ARC = along(np.cos, np.sin, end=2 * np.pi * 5 / 6)
_BARS: Make = lambda rng, n: segments(rng, n, [[(0.0, -1.0), (0.0, 1.0)]])  # noqa: E731
_DISC: Make = lambda rng, n: circle(rng, n) * np.sqrt(rng.random((n, 1)))  # noqa: E731

_WITH_LOOPS: tuple[tuple[str, int, Make, tuple[int, int]], ...] = (
    ("limacon with an inner loop", 2, polar(lambda t: 0.5 + np.cos(t)), (150, 300)),
    ("lemniscate", 2, along(
        lambda t: 1.5 * np.cos(t) / (1 + np.sin(t) ** 2), lambda t: 1.5 * np.sin(2 * t) / 2 / (1 + np.sin(t) ** 2)
    ), (100, 300)),
    ("rose of three petals", 3, polar(lambda t: 1.5 * np.cos(3 * t), end=np.pi), (150, 300)),
    ("astroid", 1, along(lambda t: np.cos(t) ** 3, lambda t: np.sin(t) ** 3), (100, 300)),
    ("deltoid", 1, along(
        lambda t: (2 * np.cos(t) + np.cos(2 * t)) / 2, lambda t: (2 * np.sin(t) - np.sin(2 * t)) / 2), (100, 300)),
    ("superellipse of power 4", 1, along(
        lambda t: np.sign(np.cos(t)) * np.abs(np.cos(t)) ** 0.5, lambda t: np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.5
    ), (60, 300)),
    ("Cassini oval, one piece", 1, polar(
        lambda t: np.sqrt(np.cos(2 * t) + np.sqrt(1.3 - np.sin(2 * t) ** 2))), (100, 300)),
    ("Lissajous 2 : 3", 8, along(lambda t: 2 * np.sin(2 * t), lambda t: 2 * np.sin(3 * t + 0.2)), (300, 400)),
    ("wheel of five spokes", 5, _wheel, (200, 400)),
    ("edges of an octahedron", 7, _octahedron, (250, 400)),
    ("ladder of two panes", 2, _edges(
        [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)], [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    ), (100, 300)),
    ("theta in space", 2, lambda r, n: segments(r, n, [
        [(0, 0, 1), (np.cos(t), np.sin(t), 0)] for t in (0, 2.1, 4.2)] + [
        [(0, 0, -1), (np.cos(t), np.sin(t), 0)] for t in (0, 2.1, 4.2)]), (100, 300)),
    ("Roessler's band", 1, orbit(_roessler, (1, 1, 0), 20_000, 4_000, 6.0), (200, 400)),
    ("limit cycle of the Brusselator", 1, orbit(_brusselator, (1, 1), 9_000, 5_000, 1.0), (100, 300)),
    ("orbit of Lotka and Volterra", 1, orbit(_predators, (0.5, 0.5), 1_400, 0, 0.7), (100, 300)),
    ("circle beside a bar", 1, together((0.7, circle), (0.3, moved(_BARS, 1.8, 0.0))), (100, 300)),
    ("circle around a disc", 1, together((0.6, lambda r, n: circle(r, n, 1.5)), (0.4, lambda r, n: 0.6 * _DISC(r, n))),
     (150, 300)),
    ("two squares, one in the other", 2, together(
        (0.7, lambda r, n: 2 * np.sign(c := circle(r, n)) * np.minimum(np.abs(c) / np.abs(c).max(axis=1)[:, None], 1)),
        (0.3, lambda r, n: 0.8 * np.sign(c := circle(r, n)) * np.minimum(np.abs(c) / np.abs(c).max(axis=1)[:, None], 1))
    ), (150, 300)),
    ("four circles of three sizes", 4, lambda r, n: circles(
        r, n, (1, 0.7, 0.7, 0.5), ((0, 0), (2.6, 0), (0, 2.6), (2.4, 2.2))), (200, 400)),
    ("sphere without two caps", 1, _punctured(2), (200, 400)),
    ("sphere without three caps", 2, _punctured(3), (250, 400)),
)  # fmt: skip

_WITHOUT: tuple[tuple[str, Make, tuple[int, int]], ...] = (
    ("two arcs, one in the other", together(
        (0.6, along(lambda t: 1.5 * np.cos(t), lambda t: 1.5 * np.sin(t), end=np.pi)),
        (0.4, along(lambda t: 0.8 * np.cos(t), lambda t: 0.8 * np.sin(t), end=np.pi))), (100, 300)),
    ("circle open by 60 degrees", _ARC, (100, 300)),
    ("bent strip", _stripe, (100, 300)),
    ("saddle surface", _paraboloid, (100, 300)),
    ("helicoid", _helicoid, (150, 300)),
    ("binary tree", _tree, (100, 300)),
    ("seven clusters on a ring", _clusters(7), (100, 300)),
    ("five clusters on a ring", _clusters(5), (60, 300)),
    ("Archimedean spiral, two arms", lambda r, n: along(
        lambda t: t * np.cos(t) / 4, lambda t: t * np.sin(t) / 4, start=0.5, end=2.5 * np.pi)(r, n) * np.where(
        r.random((n, 1)) < 0.5, 1, -1), (150, 300)),
    ("cubic in space", along(lambda t: t, lambda t: t**2, lambda t: t**3, start=-1.2, end=1.2), (60, 300)),
    ("two discs", together((0.5, _DISC), (0.5, moved(_DISC, 3.0, 0.0))), (60, 300)),
    ("cosine over three periods", along(lambda t: t / 2, np.cos, end=6 * np.pi), (100, 300)),
)  # fmt: skip


def with_noise(make: Make) -> Make:
    """The space with Gaussian noise of another size in each cloud, 0.01 to 0.06 per coordinate."""
    return lambda rng, n: noisy(make, float(rng.uniform(0.01, 0.06)))(rng, n)


FRESH_SPACES = (
    *(Space("fresh", name, 1, loops, with_noise(make), sizes) for name, loops, make, sizes in _WITH_LOOPS),
    *(Space("fresh null", name, 1, 0, with_noise(make), sizes) for name, make, sizes in _WITHOUT),
)
