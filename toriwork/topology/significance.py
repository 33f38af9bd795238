"""Which bars of a diagram speak of the shape, and which of the sampling: the rules by name.

Those of ``calibrated.py`` and ``rules.py`` draw no random numbers and cost a small share of the diagram itself, those
of ``resampling.py`` many times as much.  The measured hit and false-alarm rates of every rule are in docs/measurements.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.by_parts import ByParts
from toriwork.topology.calibrated import Calibrated
from toriwork.topology.clouds import cloud_of, n_points_of
from toriwork.topology.compute import persistence
from toriwork.topology.cost_model import admit_matrix
from toriwork.topology.diagram import Diagram
from toriwork.topology.evidence import Rule, Sampling
from toriwork.topology.inputs import CheckedDistances, finite_distances, lie_evenly, sample_distances
from toriwork.topology.resampling import BootstrapBand, ConfidenceBand, MonteCarloNull
from toriwork.topology.rules import GuardedGap, LateDeath, UniversalNull
from toriwork.topology.single_linkage import smaller_sides

#: every rule that can be asked for; docs/measurements/ compares them
RULES: dict[str, Rule] = {
    "default": ByParts(),
    "by_parts": ByParts(),
    "calibrated": Calibrated(),
    "guarded_gap": GuardedGap(),
    "late_death": LateDeath(),
    "universal_null": UniversalNull(),
    "monte_carlo_null": MonteCarloNull(),
    "bootstrap_band": BootstrapBand(),
    "confidence_band": ConfidenceBand(),
}


def rule_named(name: str) -> Rule:
    """The rule of that name."""
    rule = RULES.get(name)
    if rule is None:
        raise BadInput(f"rule: expected one of {', '.join(RULES)}, got {name!r}")
    return rule


def check_suits(rule: Rule, diagram: Diagram) -> None:
    """Raise BadInput when a diagram was cut or thinned, or is of a filtration that the rule does not judge."""
    if math.isfinite(diagram.threshold) or diagram.min_persistence > 0:
        raise BadInput("rule: expected a complete diagram, got one that was cut or thinned")
    check_judges(rule, diagram.filtration)


def check_judges(rule: Rule, kind: str) -> None:
    """Raise BadInput when the rule does not judge diagrams of that filtration."""
    if rule.filtrations and kind not in rule.filtrations:
        others = [name for name, other in RULES.items() if kind in (other.filtrations or (kind,))]
        words = f"judges diagrams of {', '.join(rule.filtrations)}, got {kind!r}; for that: {', '.join(others)}"
        raise BadInput(f"rule: {rule.name} {words}")


def sampling_of(diagram: Diagram, points: Any = None, distances: Any = None) -> Sampling:
    """The evidence for a rule: the diagram, and what the points add to it where they are given."""
    if points is None and distances is None:
        return Sampling(diagram)
    cloud, given = None, distances if isinstance(distances, CheckedDistances) else None
    if distances is None:
        cloud = cloud_of(points)
    elif given is None:
        given = finite_distances(points, distances)
    n_given = n_points_of(given.given) if given is not None else 0 if cloud is None else cloud.n_points
    known: list[NDArray[np.float64]] = [] if given is None else [given.given]

    def matrix() -> NDArray[np.float64]:
        if not known:
            admit_matrix(n_given)
            known.append(finite_distances(cloud, None).given)
        return known[0]

    sampling = Sampling(
        diagram,
        lambda: smaller_sides(matrix(), len(sampling.deaths())),
        matrix,
        lambda wanted: sample_distances(cloud, given, wanted),
        lambda: lie_evenly(cloud, given),
        lambda: persistence(cloud, distances=given, max_dimension=0).in_dimension(0)[:, 1],
    )
    n_points = n_given if diagram.provenance is None else diagram.provenance.n_points
    if n_points != n_given or len(sampling.deaths()) >= max(n_points, 1):
        raise BadInput(f"points: expected those of the diagram, got {n_given} points")
    return sampling


def at_level(rule: Rule, level: float | None) -> Rule:
    """The rule with another error level; the rule itself for None."""
    if level is None:
        return rule
    if not 0 < level < 1:
        raise BadInput(f"level: expected a number between 0 and 1, got {level!r}")
    if isinstance(rule, UniversalNull | MonteCarloNull | BootstrapBand | ConfidenceBand):
        return dataclasses.replace(rule, level=level)
    if isinstance(rule, Calibrated | ByParts):
        odds = math.log((1 - level) / level)
        return dataclasses.replace(rule, yes=odds, no=min(rule.no, odds))
    raise BadInput(f"level: rule {rule.name} has none")
