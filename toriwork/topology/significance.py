"""Which bars of a diagram speak of the shape, and which of the sampling: the rules by name.

Those of ``calibrated.py`` and ``rules.py`` draw no random numbers and cost a small share of the diagram itself, those
of ``resampling.py`` many times as much.  The measured hit and false-alarm rates of every rule are in docs/topology.md.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.calibrated import Calibrated
from toriwork.topology.diagram import Diagram
from toriwork.topology.evidence import Rule, Sampling
from toriwork.topology.resampling import BootstrapBand, ConfidenceBand, MonteCarloNull
from toriwork.topology.rules import GuardedGap, LateDeath, UniversalNull

#: every rule that can be asked for; docs/topology.md compares them
RULES: dict[str, Rule] = {
    "default": Calibrated(),
    "calibrated": Calibrated(),
    "guarded_gap": GuardedGap(),
    "late_death": LateDeath(),
    "universal_null": UniversalNull(),
    "monte_carlo_null": MonteCarloNull(),
    "bootstrap_band": BootstrapBand(),
    "confidence_band": ConfidenceBand(),
}

__all__ = ["RULES", "Rule", "Sampling", "check_suits", "rule_named", "smaller_sides"]


def rule_named(name: str) -> Rule:
    """The rule of that name.

    Raises
    ------
    BadInput
        No such rule; the message lists them.
    """
    rule = RULES.get(name)
    if rule is None:
        raise BadInput(f"rule: one of {', '.join(RULES)} is wanted, given was {name!r}")
    return rule


def check_suits(rule: Rule, diagram: Diagram) -> None:
    """Nothing, when the rule can judge the diagram.

    Raises
    ------
    BadInput
        The diagram was cut or thinned, or is of another filtration.
    """
    if math.isfinite(diagram.threshold) or diagram.min_persistence > 0:
        raise BadInput("rule: a complete diagram is wanted, given was one that was cut or thinned")
    if rule.filtrations and diagram.filtration not in rule.filtrations:
        others = [
            name for name, other in RULES.items() if diagram.filtration in (other.filtrations or (diagram.filtration,))
        ]
        raise BadInput(
            f"rule: {rule.name} judges diagrams of {', '.join(rule.filtrations)}, given was {diagram.filtration!r}; "
            f"for that: {', '.join(others)}"
        )


def smaller_sides(distances: NDArray[np.float64], n_deaths: int) -> NDArray[np.float64]:
    """Number of points on the smaller side of each of the last ``n_deaths`` single-linkage merges, by rising height.

    ``distances`` is a checked matrix. Merges at height 0 come first and are the ones left out.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    n_points = len(distances)
    if n_points < 2:
        return np.zeros(0)
    tree = linkage(squareform(distances, checks=False), "single")
    sizes = np.concatenate([np.ones(n_points), tree[:, 3]])
    sides = np.minimum(sizes[tree[:, 0].astype(np.intp)], sizes[tree[:, 1].astype(np.intp)])
    kept: NDArray[np.float64] = sides[len(sides) - n_deaths :]
    return kept
