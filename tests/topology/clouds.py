"""Clouds that engines have stumbled over, as small as they can be."""

from __future__ import annotations

import numpy as np


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def circle(n_points: int, noise: float = 0.0, seed: int = 0, radius: float = 1.0) -> np.ndarray:
    """Points of a circle in the plane, at random angles, with Gaussian noise."""
    rng = _rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n_points)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + noise * rng.standard_normal((n_points, 2))


OCTAHEDRON = np.vstack([np.eye(3), -np.eye(3)])

#: name -> (cloud, highest dimension to compare)
AWKWARD: dict[str, tuple[np.ndarray, int]] = {
    "no point": (np.empty((0, 3)), 2),
    "one point": (np.array([[0.5, -1.0, 2.0]]), 2),
    "two points": (np.array([[0.0, 0.0], [0.0, 2.0]]), 2),
    "three points": (_rng(1).random((3, 2)), 2),
    "four points": (_rng(2).random((4, 2)), 2),
    "unit square": (np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), 2),
    "five equal points": (np.ones((5, 3)), 2),
    "duplicates": (np.repeat(_rng(3).random((5, 2)), 3, axis=0), 1),
    "collinear": (np.outer(_rng(4).random(12), [1.0, 2.0, -1.0]), 1),
    "evenly spaced on a line": (np.arange(12.0)[:, None], 1),
    "integer grid": (np.stack(np.meshgrid(np.arange(4.0), np.arange(4.0)), -1).reshape(-1, 2), 1),
    "integer cube": (np.stack(np.meshgrid(*[np.arange(3.0)] * 3), -1).reshape(-1, 3)[:20], 2),
    "random integers": (_rng(5).integers(0, 3, (18, 3)).astype(float), 2),
    "octahedron": (OCTAHEDRON, 2),
    "regular polygon": (np.exp(2j * np.pi * np.arange(12) / 12).view(float).reshape(-1, 2), 1),
    "random plane": (_rng(6).random((22, 2)), 1),
    "random space": (_rng(7).random((15, 3)), 2),
    "offset 1e6": (_rng(8).random((20, 3)) + 1e6, 1),
    "offset 1e7": (_rng(9).random((20, 3)) + 1e7, 1),
    "huge": (_rng(10).random((12, 2)) * 1e200, 1),
    "tiny": (_rng(11).random((12, 2)) * 1e-200, 1),
    "many dimensions": (_rng(12).random((14, 40)) * 512, 1),
}
