"""Diagrams and Betti numbers of clouds, remembered: computing one is the dear part of everything that cells do.

Three quantities are called Betti numbers; here a cell's number is the *estimate* of the space behind the sample, or,
with a persistence threshold, the *count of features* longer than it. It is never the Betti number at one scale.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.cells.measure import N_NUMBERS, Measure
from toriwork.cells.memory import DiagramMemory
from toriwork.cells.protection import Bar
from toriwork.checks import as_array, check_points
from toriwork.errors import BadInput, TooLarge
from toriwork.locks import Mutex
from toriwork.topology import Diagram, estimate_betti

UNKNOWN = (float("nan"), float("nan"), float("nan"))
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
        array = as_array(vertices, name="vertices")
    except BadInput:  # neither, which check_points says again
        return False
    return array.dtype.kind == "c" or (array.ndim == 1 and array.dtype.kind in "fiub")


class ShapeMemory:
    """Numbers of the clouds that were looked at last, bounded in number and bytes; safe to use from threads.

    Below it stands the memory of diagrams, which is on disk: what it knows is judged and not computed.
    """

    def __init__(
        self,
        measure: Measure,
        diagrams: DiagramMemory,
        *,
        max_answers: int = _MAX_ANSWERS,
        max_bytes: int = _MAX_ANSWER_BYTES,
    ) -> None:
        self._measure = measure
        self._diagrams = diagrams
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._known: OrderedDict[bytes, Numbers] = OrderedDict()
        self.n_bytes = 0
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds."""
        self._lock = Mutex("_lock")

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
        with self._lock.alone():
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        found = self._find(points)
        with self._lock.alone():
            if key not in self._known:
                self._known[key] = found
                self.n_bytes += _size(found)
                while len(self._known) > self._max_answers or self.n_bytes > self._max_bytes:
                    self.n_bytes -= _size(self._known.popitem(last=False)[1])
        return found

    def _find(self, points: NDArray[np.float64]) -> Numbers:
        n_points, dim = points.shape
        measure = self._measure
        top = measure.feasible_dimension(n_points, dim)
        too_large = Numbers(UNKNOWN, {"rule": "none", "reason": "too_large", "n_points": n_points}, None)
        if top is None:
            return too_large
        try:
            found = self._counted(points, top) if measure.threshold is not None else self._estimated(points, top)
        except TooLarge:  # by a closer look than the budget's
            return too_large
        if top < measure.max_dimension:
            found.rule["reason"] = f"H{top + 1} and above would cost too much for {n_points} points"
        if not measure.is_plain:
            found.rule["measure"] = measure.convention
        return found

    def _estimated(self, points: NDArray[np.float64], top: int) -> Numbers:
        options = self._measure.options(top)
        if self._measure.is_plain and self._diagrams.get(points, **options) is None:
            # diagram and estimate share one matrix of distances
            estimate = estimate_betti(points, max_dimension=top, engine=self._measure.engine)
            diagram = estimate.diagram
            self._diagrams.put(diagram, points)
        else:
            diagram = self._diagrams.persistence(points, **options)
            estimate = self._measure.judged(diagram, points)
        return Numbers(_three(estimate.numbers), json.loads(estimate.to_json()), diagram)

    def _counted(self, points: NDArray[np.float64], top: int) -> Numbers:
        diagram = self._diagrams.persistence(points, **self._measure.options(top))
        made = diagram.provenance
        engine = {} if made is None else {"engine": made.engine, "version": made.version}
        rule = {"rule": "count_above", "parameters": {"threshold": self._measure.threshold}, **engine}
        return Numbers(_three(self._measure.number_above(diagram)), rule, diagram)

    def features(self, found: Numbers) -> list[Bar]:
        """The loops and voids that the rule counts, longest first: (dimension, birth, death)."""
        diagram = found.diagram
        if diagram is None:
            return []
        lengths = diagram.pairs[:, 2] - diagram.pairs[:, 1]
        rows = np.flatnonzero(self._measure.counts(diagram) & (diagram.pairs[:, 0] >= 1) & np.isfinite(lengths))
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
