"""Clouds of known homology for the tests of cells."""

from __future__ import annotations

import numpy as np


def circle(n_points: int = 60, seed: int = 0, centre: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(n_points, 2): a noisy circle of radius 1; b0 = 1, b1 = 1."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, n_points, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.03, (n_points, 2)) + centre


def two_circles(seed: int = 0) -> np.ndarray:
    """b0 = 2, b1 = 2."""
    return np.vstack([circle(seed=seed), circle(seed=seed + 1, centre=(4.0, 0.0))])


def sphere(n_points: int = 150, seed: int = 0) -> np.ndarray:
    """(n_points, 3): a sphere of radius 1; b0 = 1, b1 = 0, b2 = 1."""
    index = np.arange(n_points) + 0.5
    z, angle = 1 - 2 * index / n_points, np.pi * (1 + 5**0.5) * index
    flat = np.sqrt(1 - z * z)
    return np.column_stack([flat * np.cos(angle), flat * np.sin(angle), z])


def line(n_points: int = 40) -> np.ndarray:
    """(n_points, 2): points in a row; b0 = 1, no loop."""
    return np.column_stack([np.linspace(0, 1, n_points), np.zeros(n_points)])
