"""Seconds of a core for the surface of the longest void, beside those of the diagram that it is of.

python -m research.void_costs         spheres, tori and cubes of 60 to 400 points; some minutes on one core
python -m research.void_costs 60 100  of these numbers of points
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from toriwork.topology import persistence


def _sphere(n: int, noise: float) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(n)
    points = rng.standard_normal((n, 3))
    return points / np.linalg.norm(points, axis=1)[:, None] * (1.0 + noise * rng.standard_normal((n, 1)))


def _torus(n: int) -> np.ndarray[Any, Any]:
    u, v = np.random.default_rng(n).uniform(0, 2 * np.pi, (2, n))
    return np.column_stack([(1 + 0.5 * np.cos(v)) * np.cos(u), (1 + 0.5 * np.cos(v)) * np.sin(u), 0.5 * np.sin(v)])


SHAPES: dict[str, Callable[[int], np.ndarray[Any, Any]]] = {
    "noisy sphere": lambda n: _sphere(n, 0.05),
    "exact sphere": lambda n: _sphere(n, 0.0),
    "torus": _torus,
    "cube": lambda n: np.random.default_rng(n).random((n, 3)),
    "noisy sphere on a grid of 1/20": lambda n: np.round(_sphere(n, 0.05) * 20.0),
}


def main(sizes: list[int]) -> None:
    """Print a line for each shape and size."""
    start = _sphere(12, 0.0)
    persistence(start, max_dimension=2).representatives(2, points=start)  # imports are not counted
    for name, shape in SHAPES.items():
        for n in sizes:
            points, began = shape(n), time.process_time()
            diagram, known = persistence(points, max_dimension=2), time.process_time()
            found = diagram.representatives(2, points=points)
            seconds = time.process_time() - known
            size = f"{len(found[0].triangles)} triangles, area {found[0].area:.3g}" if found else "no void"
            print(f"{name}, {n} points: diagram {known - began:.2f} s, surface {seconds:.2f} s, {size}", flush=True)


if __name__ == "__main__":
    main([int(n) for n in sys.argv[1:]] or [60, 100, 150, 250, 400])
