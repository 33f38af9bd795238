"""Diagrams and Betti numbers of clouds, remembered: computing one is the dear part of everything that cells do.

Three quantities are called Betti numbers; here a cell's number is the *estimate* of the space behind the sample, or,
with a persistence threshold, the *count of features* longer than it. It is never the Betti number at one scale.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from toriwork.cells.measure import N_NUMBERS, Measure
from toriwork.cells.memory import DiagramMemory
from toriwork.cells.protection import Bar
from toriwork.errors import TooLarge
from toriwork.topology import Diagram, estimate_betti
from toriwork.topology.clouds import Cloud, cloud_of

UNKNOWN = (float("nan"), float("nan"), float("nan"))
_ANSWER_BYTES = 2000  # of a rule with its evidence, beside the diagram


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


def checked_shape(vertices: Any) -> Cloud:
    """A cloud of points, or a spectrum (1-D or complex), for which no Betti numbers are computed."""
    cloud = cloud_of(vertices, name="vertices")
    if cloud.kind == "grid":
        cloud.points("vertices")  # refuses it
    return cloud


class ShapeNumbers:
    """Betti numbers of clouds by one measure; those of the last ones, and their diagrams, are remembered."""

    def __init__(self, measure: Measure, diagrams: DiagramMemory) -> None:
        self._measure = measure
        self._diagrams = diagrams

    def of(self, shape: Cloud) -> Numbers:
        """The Betti numbers of a cloud; three NaN for a spectrum."""
        if shape.kind == "spectrum":
            return Numbers(UNKNOWN, {"rule": "none", "reason": "spectrum"}, None)
        cloud = shape.as_float64
        key = ("numbers", cloud.digest)
        found: Numbers | None = self._diagrams.cache.get(key)
        if found is None:
            found = self._find(cloud)
            n_bytes = found.diagram.pairs.nbytes if found.diagram is not None else 0
            self._diagrams.cache.put(key, found, _ANSWER_BYTES + n_bytes)
        return found

    def _find(self, cloud: Cloud) -> Numbers:
        n_points, dim = cloud.shape
        measure = self._measure
        top = measure.feasible_dimension(n_points, dim)
        too_large = Numbers(UNKNOWN, {"rule": "none", "reason": "too_large", "n_points": n_points}, None)
        if top is None:
            return too_large
        try:
            found = self._counted(cloud, top) if measure.threshold is not None else self._estimated(cloud, top)
        except TooLarge:  # by a closer look than the budget's
            return too_large
        if top < measure.max_dimension:
            found.rule["reason"] = f"H{top + 1} and above would cost too much for {n_points} points"
        if not measure.is_plain:
            found.rule["measure"] = measure.convention
        return found

    def _estimated(self, cloud: Cloud, top: int) -> Numbers:
        options = self._measure.options(top)
        if self._measure.is_plain and self._diagrams.get(cloud, **options) is None:
            # diagram and estimate share one matrix of distances
            estimate = estimate_betti(cloud, max_dimension=top, engine=self._measure.engine)
            diagram = estimate.diagram
            if "sample" in estimate.evidence:  # its diagram is that of the points that the rule asked for
                diagram = self._diagrams.persistence(cloud, **options)
            else:
                self._diagrams.put(diagram, cloud)
        else:
            diagram = self._diagrams.persistence(cloud, **options)
            estimate = self._measure.judged(diagram, cloud)
        return Numbers(_three(estimate.numbers), json.loads(estimate.to_json()), diagram)

    def _counted(self, cloud: Cloud, top: int) -> Numbers:
        diagram = self._diagrams.persistence(cloud, **self._measure.options(top))
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
        counted = self._measure.counts(diagram)
        rows = np.flatnonzero((diagram.pairs[:, 0] >= 1) & np.isfinite(lengths))
        rows = rows[np.argsort(-lengths[rows], kind="stable")]
        for k, number in enumerate(found.betti):
            here = rows[diagram.pairs[rows, 0] == k]
            if self._measure.threshold is None and math.isfinite(number) and counted[here].sum() != number:
                counted[here] = (
                    np.arange(len(here)) < number
                )  # a count of parts or of a sample: the longest stand for it
        rows = rows[counted[rows]]
        return [(int(k), birth, death) for k, birth, death in diagram.pairs[rows].tolist()]


def _three(numbers: tuple[float, ...]) -> tuple[float, float, float]:
    b0, b1, b2 = (*numbers, *UNKNOWN)[:N_NUMBERS]
    return b0, b1, b2
