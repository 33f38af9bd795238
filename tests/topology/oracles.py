"""Slow, obvious twins of what toriwork/topology computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np


def rips_pairs(distances: np.ndarray, max_dimension: int, threshold: float = math.inf) -> np.ndarray:
    """Rips pairs (dimension, birth, death) over Z/2, see :func:`pairs_of`."""

    def diameter(vertices: tuple[int, ...]) -> float:
        return max((float(distances[a, b]) for a, b in combinations(vertices, 2)), default=0.0)

    return pairs_of(diameter, len(distances), max_dimension, threshold)


def cech_pairs(points: np.ndarray, max_dimension: int) -> np.ndarray:
    """Cech pairs over Z/2: a simplex enters at the radius of the smallest ball around its points."""
    return pairs_of(lambda vertices: enclosing_ball(points[list(vertices)]), len(points), max_dimension)


def dtm_pairs(distances: np.ndarray, neighbours: int, max_dimension: int) -> np.ndarray:
    """Weighted Rips pairs with the root mean square distance to the nearest points as weights, doubled."""
    weights = [math.sqrt(sum(d * d for d in sorted(row)[:neighbours]) / min(neighbours, len(row))) for row in distances]

    def enters(vertices: tuple[int, ...]) -> float:
        edges = [distances[a, b] + weights[a] + weights[b] for a, b in combinations(vertices, 2)]
        return float(max([*edges, *(2 * weights[a] for a in vertices)]))

    return pairs_of(enters, len(distances), max_dimension)


def enclosing_ball(points: np.ndarray) -> float:
    """Radius of the smallest ball around a few points: the smallest circumsphere of some of them that holds all."""
    best = math.inf
    for size in range(1, min(len(points), points.shape[1] + 1) + 1):
        for some in combinations(points, size):
            origin = some[0]
            edges = np.array(some[1:]).reshape(size - 1, len(origin)) - origin
            inward, *_ = np.linalg.lstsq(2 * edges @ edges.T, (edges**2).sum(axis=1), rcond=None)
            centre = origin + inward @ edges
            radius = math.dist(centre, origin)
            if radius < best and all(math.dist(centre, p) <= radius * (1 + 1e-12) + 1e-15 for p in points):
                best = radius
    return best


def sublevel_components(values: list[float]) -> list[tuple[float, float]]:
    """Bars of H0 of a series by filling it with water: each minimum dies where it meets a deeper one."""
    owner: dict[int, int] = {}

    def root(i: int) -> int:
        while owner[i] != i:
            i = owner[i]
        return i

    bars = []
    for i in sorted(range(len(values)), key=lambda i: (values[i], i)):
        owner[i] = i
        for j in (i - 1, i + 1):
            if j in owner and root(j) != root(i):
                old, young = sorted((root(i), root(j)), key=lambda r: (values[r], r))
                owner[young] = old
                bars.append((values[young], values[i]))
    lowest = [(min(values), math.inf)] if values else []
    return sorted(bar for bar in [*bars, *lowest] if bar[1] > bar[0])


def pairs_of(
    enters: Callable[[tuple[int, ...]], float], n: int, max_dimension: int, threshold: float = math.inf
) -> np.ndarray:
    """Pairs (dimension, birth, death) over Z/2: the textbook column reduction of the whole boundary matrix.

    Edelsbrunner & Harer 2010, doi:10.1090/mbk/069, sect. VII.1. Zero-length pairs are left out.
    """
    simplices = []
    for size in range(1, max_dimension + 3):
        for vertices in combinations(range(n), size):
            value = enters(vertices)
            if value <= threshold:
                simplices.append((value, size, vertices))
    simplices.sort()
    index = {vertices: i for i, (_, _, vertices) in enumerate(simplices)}
    column_of_low: dict[int, set[int]] = {}
    killer: dict[int, int] = {}
    positive = set()
    for j, (_, size, vertices) in enumerate(simplices):
        column = {index[face] for face in combinations(vertices, size - 1)} if size > 1 else set()
        while column and max(column) in column_of_low:
            column ^= column_of_low[max(column)]
        if column:
            column_of_low[max(column)] = column
            killer[max(column)] = j
        else:
            positive.add(j)
    rows = []
    for i in positive:
        birth, size, _ = simplices[i]
        death = simplices[killer[i]][0] if i in killer else math.inf
        if size - 1 <= max_dimension and death > birth:
            rows.append((size - 1, birth, death))
    return np.array(sorted(rows)).reshape(-1, 3)


def euclidean(points: np.ndarray) -> np.ndarray:
    """Distances pair by pair with math.dist, which is correctly rounded to an ulp and never overflows midway."""
    return np.array([[math.dist(a, b) for b in points.tolist()] for a in points.tolist()]).reshape(
        len(points), len(points)
    )


def betti_at(pairs: np.ndarray, r: float, max_dimension: int) -> tuple[int, ...]:
    """Bars with birth <= r < death, one by one."""
    return tuple(sum(1 for k, b, d in pairs.tolist() if k == dim and b <= r < d) for dim in range(max_dimension + 1))


def smaller_sides(distances: np.ndarray) -> list[float]:
    """Size of the smaller of the two groups that each single-linkage merge joins, in order of height."""
    groups = [{i} for i in range(len(distances))]
    sides = []
    while len(groups) > 1:
        a, b = min(
            combinations(range(len(groups)), 2),
            key=lambda pair: min(distances[i, j] for i in groups[pair[0]] for j in groups[pair[1]]),
        )
        sides.append(float(min(len(groups[a]), len(groups[b]))))
        groups[a] |= groups.pop(b)
    return sides
