"""Diagrams and Betti numbers of clouds, remembered: computing one is the dear part of everything that cells do.

Three quantities are called Betti numbers; here a cell's number is the *estimate* of the space behind the sample, or,
with a persistence threshold, the *count of features* longer than it. It is never the Betti number at one scale.
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.cells.memory import DiagramMemory
from toriwork.cells.protection import Bar
from toriwork.checks import check_points
from toriwork.errors import BadInput, TooLarge
from toriwork.registry import Budget
from toriwork.topology import Diagram, count_above, estimate_betti, judge, persistence, work_estimate

N_NUMBERS = 3  #: b0, b1, b2
UNKNOWN = (float("nan"), float("nan"), float("nan"))
_BUDGET = Budget()  # what a row of the registry may cost
_MAX_ANSWERS = 4096
_MAX_ANSWER_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Numbers:
    """Betti numbers of one cloud and what they rest on."""

    betti: tuple[float, float, float]  #: b0, b1, b2; NaN where undecided or not asked for
    rule: dict[str, Any]  #: JSON-able: rule, parameters, evidence, engine
    diagram: Diagram | None  #: None for a spectrum, and where the work would have been too much

    @property
    def undecided(self) -> list[int]:
        """The dimensions that were computed and have no number."""
        return [k for k in range(self.computed) if math.isnan(self.betti[k])]

    @property
    def computed(self) -> int:
        """How many dimensions were computed."""
        return 0 if self.diagram is None else self.diagram.max_dimension + 1


def is_spectrum(vertices: Any) -> bool:
    """Whether this is recorded as a spectrum, for which no Betti numbers are computed: 1-D, or complex."""
    try:
        array = np.asarray(vertices)
    except ValueError:  # rows of different length: neither, which check_points says better
        return False
    return array.dtype.kind == "c" or (array.ndim == 1 and array.dtype.kind in "fiub")


def feasible_dimension(n_points: int, dim: int, wanted: int) -> int | None:
    """The highest dimension up to ``wanted`` whose predicted cost is within bounds, None when not even H0 is."""
    for k in range(wanted, -1, -1):
        cost = work_estimate(n_points, dim, k)
        if cost.seconds <= _BUDGET.seconds and cost.bytes <= _BUDGET.bytes:
            return k
    return None


class ShapeMemory:
    """Numbers of the clouds that were looked at last, bounded in number and bytes; safe to use from threads.

    Below it stands the memory of diagrams, which is on disk: what it knows is judged and not computed.
    """

    def __init__(
        self,
        max_dimension: int,
        threshold: float | None,
        diagrams: DiagramMemory,
        *,
        max_answers: int = _MAX_ANSWERS,
        max_bytes: int = _MAX_ANSWER_BYTES,
    ) -> None:
        self._max_dimension = max_dimension
        self._threshold = threshold
        self._diagrams = diagrams
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._known: OrderedDict[bytes, Numbers] = OrderedDict()
        self.n_bytes = 0
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def look(self, vertices: Any) -> Numbers:
        """The Betti numbers of a cloud, from memory where it was looked at before.

        Raises
        ------
        BadInput
            No finite (n_points, dim) array of real numbers.
        """
        points = check_points(vertices, name="vertices")
        key = _key(points)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        found = self._find(points)
        with self._lock:
            if key not in self._known:
                self._known[key] = found
                self.n_bytes += _size(found)
                while len(self._known) > self._max_answers or self.n_bytes > self._max_bytes:
                    self.n_bytes -= _size(self._known.popitem(last=False)[1])
        return found

    def _find(self, points: NDArray[np.float64]) -> Numbers:
        n_points, dim = points.shape
        top = feasible_dimension(n_points, dim, self._max_dimension)
        too_large = Numbers(UNKNOWN, {"rule": "none", "reason": "too_large", "n_points": n_points}, None)
        if top is None:
            return too_large
        try:
            found = self._counted(points, top) if self._threshold is not None else self._estimated(points, top)
        except TooLarge:  # by a closer look than the budget's
            return too_large
        if top < self._max_dimension:
            found.rule["reason"] = f"H{top + 1} and above would cost too much for {n_points} points"
        return found

    def _estimated(self, points: NDArray[np.float64], top: int) -> Numbers:
        known = self._diagrams.get(points, max_dimension=top)
        if known is not None:
            estimate = judge(known, points=points)
        else:
            estimate = estimate_betti(points, max_dimension=top)
            self._diagrams.put(estimate.diagram, points)
        return Numbers(_three(estimate.numbers), json.loads(estimate.to_json()), estimate.diagram)

    def _counted(self, points: NDArray[np.float64], top: int) -> Numbers:
        assert self._threshold is not None  # its caller looked
        diagram = self._diagrams.get(points, max_dimension=top)
        if diagram is None:
            diagram = persistence(points, max_dimension=top)
            self._diagrams.put(diagram, points)
        made = diagram.provenance
        engine = {} if made is None else {"engine": made.engine, "version": made.version}
        rule = {"rule": "count_above", "parameters": {"threshold": self._threshold}, **engine}
        return Numbers(_three(tuple(map(float, count_above(diagram, self._threshold)))), rule, diagram)

    def features(self, found: Numbers) -> list[Bar]:
        """The loops and voids that the rule counts, longest first: (dimension, birth, death)."""
        diagram = found.diagram
        if diagram is None:
            return []
        lengths = diagram.pairs[:, 2] - diagram.pairs[:, 1]
        counts = diagram.significant() if self._threshold is None else lengths > self._threshold
        rows = np.flatnonzero(counts & (diagram.pairs[:, 0] >= 1) & np.isfinite(lengths))
        rows = rows[np.argsort(-lengths[rows], kind="stable")]
        return [(int(k), birth, death) for k, birth, death in diagram.pairs[rows].tolist()]


def _three(numbers: tuple[float, ...]) -> tuple[float, float, float]:
    b0, b1, b2 = (*numbers, *UNKNOWN)[:N_NUMBERS]
    return b0, b1, b2


def _key(points: NDArray[np.float64]) -> bytes:
    digest = blake2b(repr(points.shape).encode(), digest_size=16)
    digest.update(points.tobytes())
    return digest.digest()


def _size(numbers: Numbers) -> int:
    return 2000 + (numbers.diagram.pairs.nbytes if numbers.diagram is not None else 0)


def check_dimension(max_dimension: int) -> int:
    """The highest dimension itself when it is 0, 1 or 2; otherwise BadInput."""
    if max_dimension not in range(N_NUMBERS):
        raise BadInput(f"max_dimension: 0, 1 or 2 is wanted, given was {max_dimension!r}")
    return max_dimension


def check_threshold(threshold: float | None) -> float | None:
    """The persistence threshold itself when it is None or a finite number >= 0; otherwise BadInput."""
    if threshold is not None and not 0 <= threshold < float("inf"):
        raise BadInput(f"persistence_threshold: a finite number >= 0 is wanted, given was {threshold!r}")
    return threshold
