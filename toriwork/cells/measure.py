"""How cells compute and count the classes of a cloud: filtration, scale, engine, dimensions, rule.

Decided once, when the cells are made; ``shape.py`` does it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import check_number
from toriwork.errors import BadInput
from toriwork.registry import Budget
from toriwork.topology import BettiEstimate, Diagram, Landmark, count_above, judge, significant, work_estimate
from toriwork.topology.clouds import Cloud
from toriwork.topology.compute import scale_of
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import pick_engine
from toriwork.topology.filtrations import Filtration, filtration_named, parameters_of

N_NUMBERS = 3  #: b0, b1, b2
_BUDGET = Budget()  # what a row of the registry may cost
_BY_CHOICE = ("rips", "landmark")  #: filtrations that more than one engine computes
#: the diagrams of Cech: the default rule was fitted to those of Rips, but knows ratios alone and judges these as well
_CECH = ("alpha", "delaunay_cech")


@dataclass(frozen=True, slots=True)
class Measure:
    """The parameters of :class:`toriwork.cells.TorusCells`, checked."""

    max_dimension: int = 2
    threshold: float | None = None
    filtration: str | Filtration = "rips"
    scale: Scale | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        _check_dimension(self.max_dimension)
        _check_threshold(self.threshold)
        chosen = filtration_named(self.filtration)
        if chosen.scale == "value":
            raise BadInput(f"filtration: expected one of clouds, got {chosen.name!r}, of images or series")
        if chosen.kind == "dtm" and self.threshold is None:
            raise BadInput("persistence_threshold: expected one for 'dtm', whose features no rule tells from noise")
        scale_of(chosen, self.scale)
        pick_engine(self.engine, 2)
        only = "simple" if chosen.name == "h0" else "gudhi"
        if chosen.name not in _BY_CHOICE and self.engine not in ("auto", only):
            raise BadInput(f"engine: expected 'auto' or {only!r} for {chosen.name!r}, got {self.engine!r}")

    @property
    def kind(self) -> str:
        """The ``filtration`` of the diagrams."""
        return filtration_named(self.filtration).kind

    @property
    def is_plain(self) -> bool:
        """True when diagrams are those of Rips in diameters, as :func:`toriwork.topology.estimate_betti` has them."""
        return filtration_named(self.filtration).name == "rips" and self.scale in (None, "diameter")

    @property
    def convention(self) -> str:
        """Filtration, its parameters and scale in words: bars of another one are not these bars."""
        chosen = filtration_named(self.filtration)
        made = parameters_of(chosen)
        return " ".join([chosen.kind, *([json.dumps(made)] if made else []), scale_of(chosen, self.scale)[0]])

    def options(self, top: int | None = None) -> dict[str, Any]:
        """The arguments of :func:`toriwork.topology.persistence`, up to dimension ``top``."""
        return {
            "filtration": self.filtration,
            "max_dimension": self.max_dimension if top is None else top,
            "scale": self.scale,
            "engine": self.engine,
        }

    def feasible_dimension(self, n_points: int, dim: int) -> int | None:
        """The highest dimension whose predicted cost is within bounds, None when not even H0 is.

        Only Rips is predicted, and landmarks by their number; the other filtrations refuse by themselves.
        """
        chosen = filtration_named(self.filtration)
        if chosen.name not in _BY_CHOICE:
            return self.max_dimension
        n_complex = min(n_points, chosen.n_landmarks) if isinstance(chosen, Landmark) else n_points
        for k in range(self.max_dimension, -1, -1):
            cost = work_estimate(n_complex, dim, k)
            if cost.seconds <= _BUDGET.seconds and cost.bytes <= _BUDGET.bytes:
                return k
        return None

    def judged(self, diagram: Diagram, cloud: Cloud) -> BettiEstimate:
        """The estimate for a diagram of this measure."""
        sized = self.is_plain or self.kind in _CECH
        return judge(_as_rips(diagram), points=cloud if sized else None)

    def counts(self, diagram: Diagram) -> NDArray[np.bool_]:
        """True for each row of ``pairs`` that is counted: shape (n_pairs,)."""
        if self.threshold is not None:
            lengths: NDArray[np.float64] = diagram.pairs[:, 2] - diagram.pairs[:, 1]
            return lengths > self.threshold
        return significant(_as_rips(diagram))

    def number_above(self, diagram: Diagram) -> tuple[float, ...]:
        """The counts of features above the threshold, which there is."""
        assert self.threshold is not None  # its caller looked
        return tuple(map(float, count_above(diagram, self.threshold)))


def _as_rips(diagram: Diagram) -> Diagram:
    return replace(diagram, filtration="rips") if diagram.filtration in _CECH else diagram


def _check_dimension(max_dimension: Any) -> None:
    whole = isinstance(max_dimension, int | np.integer) and not isinstance(max_dimension, bool)
    if not whole or max_dimension not in range(N_NUMBERS):
        raise BadInput(f"max_dimension: expected 0, 1 or 2, got {max_dimension!r}")


def _check_threshold(threshold: Any) -> None:
    if threshold is not None and math.isinf(check_number(threshold, name="persistence_threshold", least=0.0)):
        raise BadInput(f"persistence_threshold: expected a finite number >= 0, got {threshold!r}")
