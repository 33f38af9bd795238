"""Data sets in the manner of Otter et al. 2017, doi:10.1140/epjds/s13688-017-0109-5, made from seeds.

Each function returns a square distance matrix, or a cloud of which the Euclidean distances count. The recipes are
those that the paper names; where the paper took measured data (sequences, votes, a scan), a seeded model of the same
kind, size and sort of distance stands for it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import pdist, squareform
from scipy.stats import special_ortho_group

Array = NDArray[np.float64]


def fractal_network(levels: int, *, random: bool, seed: int = 1) -> Array:
    """2^levels nodes in nested pairs: distances grow with the level at which two meet, or are random within it."""
    index = np.arange(2**levels)
    apart = index[:, None] ^ index
    level = np.where(apart > 0, np.frexp(np.maximum(apart, 1).astype(float))[1], 0).astype(float)
    if random:
        noise = np.triu(np.random.default_rng(seed).random(level.shape), 1)
        level = np.where(apart > 0, level - 1 + noise + noise.T, 0.0)
    return level


def vicsek(n_birds: int, *, steps: int = 200, side: float = 5.0, noise: float = 0.3, seed: int = 2) -> Array:
    """Places and headings of birds that fly as the mean of their neighbours does (doi:10.1103/PhysRevLett.75.1226)."""
    rng = np.random.default_rng(seed)
    place, angle = rng.random((n_birds, 2)) * side, rng.random(n_birds) * 2 * np.pi
    for _ in range(steps):
        gap = place[:, None] - place
        near = ((gap - side * np.round(gap / side)) ** 2).sum(axis=2) < 1.0
        turn = rng.uniform(-noise, noise, n_birds)
        angle = np.angle(near @ np.exp(1j * angle)) + turn
        place = (place + 0.03 * np.c_[np.cos(angle), np.sin(angle)]) % side
    return np.c_[place, angle]


def klein_bottle(per_side: int) -> Array:
    """A grid on the figure-8 immersion of the Klein bottle."""
    u, v = (one.ravel() for one in np.meshgrid(*[np.linspace(0, 2 * np.pi, per_side, endpoint=False)] * 2))
    ring = 2 + np.cos(u / 2) * np.sin(v) - np.sin(u / 2) * np.sin(2 * v)
    return np.c_[ring * np.cos(u), ring * np.sin(u), np.sin(u / 2) * np.sin(v) + np.cos(u / 2) * np.sin(2 * v)]


def projective_plane(n_points: int, seed: int = 3) -> Array:
    """Lines through the origin of space, by the angle between them: the distances of RP2."""
    lines = np.random.default_rng(seed).standard_normal((n_points, 3))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    angles = np.arccos(np.clip(np.abs(lines @ lines.T), 0, 1))
    np.fill_diagonal(angles, 0)
    return np.maximum(angles, angles.T)


def rotations(n_points: int, seed: int = 4) -> Array:
    """Random rotations of space as points of nine coordinates."""
    return special_ortho_group.rvs(3, n_points, random_state=np.random.default_rng(seed)).reshape(n_points, 9)


def random_points(n_points: int, dim: int = 16, seed: int = 5) -> Array:
    """Uniform points of a cube."""
    return np.random.default_rng(seed).random((n_points, dim))


def surface_scan(n_points: int, seed: int = 6) -> Array:
    """A closed bumpy surface as a scanner sees it: dense where it faces one of two cameras, with noise of depth."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((40 * n_points, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    seen = np.maximum(normal @ [0.8, 0.6, 0.0], normal @ [-0.6, 0.0, 0.8]).clip(0.02) ** 2
    normal = normal[rng.choice(len(normal), n_points, replace=False, p=seen / seen.sum())]
    radius = 1 + 0.3 * np.sin(5 * normal[:, 0]) * np.cos(4 * normal[:, 1]) + 0.002 * rng.standard_normal(n_points)
    return normal * radius[:, None]


def small_world_hops(n_nodes: int, *, weighted: bool, seed: int = 7) -> Array:
    """Shortest paths of a ring of neighbours with a tenth of its edges led elsewhere: hops, or sums of weights."""
    rng = np.random.default_rng(seed)
    graph = np.zeros((n_nodes, n_nodes))
    for node in range(n_nodes):
        for step in (1, 2, 3):
            other = int(rng.integers(n_nodes)) if rng.random() < 0.1 else (node + step) % n_nodes
            if other != node:
                graph[node, other] = graph[other, node] = rng.random() if weighted else 1.0
    found: Array = shortest_path(graph, directed=False)
    return np.where(np.isfinite(found), found, 2.0 * n_nodes)


def mutated_sequences(n_sequences: int, length: int = 600, seed: int = 8) -> Array:
    """Places at which sequences differ that descend from one another by a few mutations each."""
    rng = np.random.default_rng(seed)
    found = np.zeros((n_sequences, length), dtype=np.int8)
    for number in range(1, n_sequences):
        found[number] = found[rng.integers(number)]
        found[number, rng.integers(length, size=8)] = rng.integers(4, size=8)
    return np.round(squareform(pdist(found, "hamming")) * length)


def correlations(n_series: int, n_samples: int = 40, seed: int = 9) -> Array:
    """One minus the correlation of series that share three causes, as ``np.corrcoef`` gives it."""
    rng = np.random.default_rng(seed)
    series = rng.standard_normal((n_series, 3)) @ rng.standard_normal((3, n_samples))
    found = 1 - np.corrcoef(series + rng.standard_normal(series.shape))
    np.fill_diagonal(found, 0)
    return np.maximum(found, found.T)


#: name -> how it is made, its highest homology
DATA_SETS: dict[str, tuple[Callable[[], Array], int]] = {
    "fractal network, 512 nodes, levels": (lambda: fractal_network(9, random=False), 1),
    "fractal network, 512 nodes, random": (lambda: fractal_network(9, random=True), 1),
    "vicsek, 300 birds": (lambda: vicsek(300), 1),
    "klein bottle, 400 points": (lambda: klein_bottle(20), 1),
    "klein bottle, 225 points, H2": (lambda: klein_bottle(15), 2),
    "projective plane, 300 points": (lambda: projective_plane(300), 1),
    "o3, 1,024 points": (lambda: rotations(1024), 1),
    "random, 100 points of 16 coordinates": (lambda: random_points(100), 1),
    "random, 50 points of 16 coordinates, H2": (lambda: random_points(50), 2),
    "surface scan, 1,000 points": (lambda: surface_scan(1000), 1),
    "surface scan, 2,000 points": (lambda: surface_scan(2000), 1),
    "small world, 400 nodes, hops": (lambda: small_world_hops(400, weighted=False), 1),
    "small world, 400 nodes, weights": (lambda: small_world_hops(400, weighted=True), 1),
    "sequences, 600, Hamming": (lambda: mutated_sequences(600), 1),
    "correlations, 500 series": (lambda: correlations(500), 1),
}
SMALLEST: dict[str, tuple[Callable[[], Array], int]] = {
    "fractal network, 32 nodes, levels": (lambda: fractal_network(5, random=False), 1),
    "klein bottle, 49 points, H2": (lambda: klein_bottle(7), 2),
}


def is_square(data: Array) -> bool:
    """Tell a distance matrix from a cloud."""
    return data.shape[0] == data.shape[1] and not np.diagonal(data).any()
