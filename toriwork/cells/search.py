"""The index of what a registry holds, kept up to date for ``TorusCells.nearest``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toriwork.cells.measure import Measure
from toriwork.cells.memory import DiagramMemory
from toriwork.cells.nearest import NearestIndex, stored_shapes
from toriwork.cells.neighbours import Nearest
from toriwork.errors import TooLarge
from toriwork.locks import Mutex
from toriwork.registry import TorusRegistry
from toriwork.topology import Diagram


class ShapeSearch:
    """Nearest shapes among the clouds of a registry, new ones included; one index per choice of dimensions."""

    def __init__(self, registry: TorusRegistry, diagrams: DiagramMemory, measure: Measure) -> None:
        self._registry = registry
        self._diagrams = diagrams
        self._measure = measure
        self._indexes: dict[int, NearestIndex] = {}
        self._n_rows: dict[int, int] = {}  # of the registry when the index was last brought up to date
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds."""
        self._lock = Mutex("_lock")

    def nearest(self, query: Diagram, k: int, metric: str) -> Nearest:
        """The ``k`` nearest in the dimensions that the query and the cells both have."""
        top = min(query.max_dimension, self._measure.max_dimension)
        with self._lock.alone():
            index = self._indexes.setdefault(top, NearestIndex(dimensions=range(top + 1)))
            n_rows = len(self._registry)
            if self._n_rows.get(top) != n_rows:
                for shape_id, diagram in stored_shapes(self._registry, self._diagram, index):
                    index.add(shape_id, diagram)
                self._n_rows[top] = n_rows  # counted before: what came meanwhile is looked for next time
        return index.search(query, k, metric)

    def _diagram(self, points: NDArray[np.float64]) -> Diagram | None:
        n_points, dim = points.shape
        if self._measure.feasible_dimension(n_points, dim) != self._measure.max_dimension:
            return None
        try:
            return self._diagrams.persistence(points, **self._measure.options())
        except TooLarge:  # by a closer look than the budget's
            return None
