"""Slow, obvious twins of what toriwork/topology computes."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np


def rips_pairs(distances: np.ndarray, max_dimension: int, threshold: float = math.inf) -> np.ndarray:
    """Rips pairs (dimension, birth, death) over Z/2: the textbook column reduction of the whole boundary matrix.

    Edelsbrunner & Harer 2010, doi:10.1090/mbk/069, sect. VII.1. Zero-length pairs are left out.
    """
    n = len(distances)
    simplices = []
    for size in range(1, max_dimension + 3):
        for vertices in combinations(range(n), size):
            diameter = max((float(distances[a, b]) for a, b in combinations(vertices, 2)), default=0.0)
            if diameter <= threshold:
                simplices.append((diameter, size, vertices))
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
