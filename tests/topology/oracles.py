"""Slow, obvious twins of what toriwork/topology computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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


def weighted_cech_pairs(points: np.ndarray, weights: np.ndarray, max_dimension: int) -> np.ndarray:
    """Weighted Cech pairs over Z/2: a simplex enters where its balls, of squared radii t + weight, have a point."""

    def enters(vertices: tuple[int, ...]) -> float:
        some = list(vertices)
        return common_point(points[some], weights[some])

    return pairs_of(enters, len(points), max_dimension)


def common_point(points: np.ndarray, weights: np.ndarray) -> float:
    """The least t at which balls of squared radii t + weight have a point in common: some of them meet there alone."""
    best = math.inf
    for size in range(1, min(len(points), points.shape[1] + 1) + 1):
        for some in combinations(range(len(points)), size):
            origin, weight = points[some[0]], weights[some[0]]
            edges = points[list(some[1:])].reshape(size - 1, len(origin)) - origin
            right = (edges**2).sum(axis=1) - weights[list(some[1:])] + weight
            centre = origin + np.linalg.lstsq(2 * edges @ edges.T, right, rcond=None)[0] @ edges
            powers = ((points - centre) ** 2).sum(axis=1) - weights
            if np.allclose(powers[list(some)], powers[some[0]]) and powers.max() <= powers[some[0]] + 1e-9:
                best = min(best, float(powers[some[0]]))
    return best


def grid_pairs(values: np.ndarray, periodic: tuple[bool, ...], *, on_vertices: bool = False) -> np.ndarray:
    """Cubical pairs over Z/2, cell by cell: even places of the doubled grid are vertices; inf never enters."""
    sides = [
        2 * n if closes else 2 * n + (-1 if on_vertices else 1)
        for n, closes in zip(values.shape, periodic, strict=True)
    ]
    cells = list(np.ndindex(*sides))

    def around(cell: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The places of the values that the cell is a face of, or whose vertices it has."""
        ways: list[list[int]] = [[]]
        for place, n, closes in zip(cell, values.shape, periodic, strict=True):
            free = place % 2 == (1 if on_vertices else 0)
            near = [(place - 1) // 2, (place + 1) // 2] if free else [place // 2]
            ways = [[*way, i % n] for way in ways for i in near if closes or 0 <= i < n]
        return [tuple(way) for way in ways]

    def enters(cell: tuple[int, ...]) -> float:
        near = [float(values[place]) for place in around(cell)]
        return max(near) if on_vertices else min(near)

    def boundary(cell: tuple[int, ...]) -> set[tuple[int, ...]]:
        faces: set[tuple[int, ...]] = set()
        for axis, (place, side) in enumerate(zip(cell, sides, strict=True)):
            for step in (-1, 1) if place % 2 else ():
                faces ^= {(*cell[:axis], (place + step) % side, *cell[axis + 1 :])}
        return faces

    order = sorted((enters(c), sum(i % 2 for i in c), c) for c in cells)
    order = [entry for entry in order if entry[0] < math.inf]
    index = {cell: i for i, (*_, cell) in enumerate(order)}
    owner: dict[int, set[int]] = {}
    killer, positive = {}, []
    for j, (_, _, cell) in enumerate(order):
        column = {index[face] for face in boundary(cell)}
        while column and max(column) in owner:
            column ^= owner[max(column)]
        if column:
            owner[max(column)], killer[max(column)] = column, j
        else:
            positive.append(j)
    rows = [(order[i][1], order[i][0], order[killer[i]][0] if i in killer else math.inf) for i in positive]
    return np.array(sorted(row for row in rows if row[2] > row[1])).reshape(-1, 3)


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


class ReducedBoundaries:
    """The textbook reduction over Z/2 of boundaries as bits, one column after another."""

    def __init__(self) -> None:
        self.by_low: dict[int, int] = {}
        self.killer: dict[int, Sequence[int]] = {}
        self.when: dict[int, int] = {}

    def add(self, column: int, simplex: Sequence[int], when: int) -> None:
        """Reduce the boundary of a simplex, which comes with number ``when``."""
        while column and (low := column.bit_length() - 1) in self.by_low:
            column ^= self.by_low[low]
        if column:
            low = column.bit_length() - 1
            self.by_low[low], self.killer[low], self.when[low] = column, simplex, when

    def bounds(self, chain: int, last: float) -> bool:
        """True when the chain is a boundary of simplices none of which comes after number ``last``."""
        # a reduced column is a sum of its simplex and earlier ones, so that those up to a time span the boundaries
        while chain:
            low = chain.bit_length() - 1
            if low not in self.by_low or self.when[low] > last:
                return False
            chain ^= self.by_low[low]
        return True
