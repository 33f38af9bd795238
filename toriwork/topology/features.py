"""Which bars of one diagram a rule takes for features of the shape."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.calibrated import Calibrated
from toriwork.topology.clouds import distance_matrix
from toriwork.topology.diagram import Diagram
from toriwork.topology.evidence import Rule, Sampling
from toriwork.topology.resampling import BootstrapBand, ConfidenceBand, MonteCarloNull
from toriwork.topology.rules import UniversalNull
from toriwork.topology.significance import check_suits, rule_named, smaller_sides


def significant(
    diagram: Diagram,
    *,
    rule: str = "default",
    level: float | None = None,
    points: Any = None,
    distances: Any = None,
) -> NDArray[np.bool_]:
    """True for each row of ``diagram.pairs`` that is a feature by the rule: shape (n_pairs,).

    Classes that never die always are. For H0 the diagram alone does not tell how many points a component has, which the
    default rule asks; with the points it knows.

    Parameters
    ----------
    diagram : Diagram
        Complete: neither cut nor thinned.
    rule : str
        A name of ``toriwork.topology.significance.RULES``.
    level : float, optional
        Error level in (0, 1) in place of the rule's own. "universal_null", "monte_carlo_null": of one dimension,
        corrected for its number of bars; the two bands: 1 - level is their confidence. "calibrated": a bar counts when
        its fitted odds of being none are below level / (1 - level); that is nominal, by the clouds of the fit.
        "guarded_gap" and "late_death" have none.
    points, distances : array_like, optional
        One of them: what the diagram is of. The two bands need it.

    Raises
    ------
    BadInput
        The diagram was cut or thinned, there is no such rule, it has no level, does not judge this filtration or needs
        the points; or there are fewer points than bars of H0.

    Sources
    -------
    Those of the rule; docs/topology.md has the measured error rates.
    """
    judge = _at_level(rule_named(rule), level)
    check_suits(judge, diagram)
    verdicts = judge(sampling_of(diagram, points, distances))
    chosen = np.isinf(diagram.pairs[:, 2])
    for k, verdict in enumerate(verdicts):
        rows = np.flatnonzero(diagram.pairs[:, 0] == k)
        lengths = diagram.persistence(k)
        for birth, death in verdict.bars:
            here = (diagram.in_dimension(k) == (birth, death)).all(axis=1) & ~chosen[rows] & np.isfinite(lengths)
            chosen[rows[np.flatnonzero(here)[:1]]] = True  # of equal bars one for each time that it was named
    return chosen


def sampling_of(diagram: Diagram, points: Any = None, distances: Any = None) -> Sampling:
    """What a rule may look at: the diagram, and what the points add to it where they are given.

    Raises
    ------
    BadInput
        Both points and distances, neither a cloud nor distances, or other ones than those of the diagram.
    """
    if points is None and distances is None:
        return Sampling(diagram)
    matrix = distance_matrix(points, distances)
    n_deaths = int(np.isfinite(diagram.in_dimension(0)[:, 1]).sum())
    n_points = len(matrix) if diagram.provenance is None else diagram.provenance.n_points
    if n_points != len(matrix) or n_deaths >= max(n_points, 1):
        raise BadInput(f"points: those of the diagram are wanted, given were {len(matrix)} points")
    return Sampling(diagram, lambda: smaller_sides(matrix, n_deaths), lambda: matrix)


def _at_level(rule: Rule, level: float | None) -> Rule:
    if level is None:
        return rule
    if not 0 < level < 1:
        raise BadInput(f"level: a number between 0 and 1 is wanted, given was {level!r}")
    if isinstance(rule, UniversalNull | MonteCarloNull | BootstrapBand | ConfidenceBand):
        return dataclasses.replace(rule, level=level)
    if isinstance(rule, Calibrated):
        odds = math.log((1 - level) / level)
        return dataclasses.replace(rule, yes=odds, no=min(rule.no, odds))
    raise BadInput(f"level: rule {rule.name} has none")
