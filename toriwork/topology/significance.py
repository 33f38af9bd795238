"""Which bars of a diagram speak of the shape, and which of the sampling: rules, each a frozen set of parameters.

A rule is called with a Diagram and a dimension and answers with a Verdict; it draws no random numbers and looks at
nothing but the bars.  The measured hit and false-alarm rates of every rule are in docs/topology.md.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.diagram import Diagram


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many bars of one dimension are features, and why."""

    number: float  #: a whole number, or NaN when the evidence does not decide
    evidence: dict[str, Any]  #: JSON-able


class Rule(Protocol):
    """What a rule looks like."""

    @property
    def name(self) -> str:
        """The word under which RULES knows it, or its family."""

    def __call__(self, diagram: Diagram, k: int) -> Verdict:
        """The number of features among the bars of H_k."""

    def parameters(self) -> dict[str, float]:
        """What the rule was set to, JSON-able."""


@dataclass(frozen=True, slots=True)
class GuardedGap:
    """Bars before the largest relative gap of the sorted persistences, if that gap and the longest bar are large."""

    gap: float = 2.0  #: how many times longer the last feature is than the first bar that is none
    floor: float = 0.1  #: of the largest finite death: no shorter bar is a feature
    name: str = "guarded_gap"

    def __call__(self, diagram: Diagram, k: int) -> Verdict:
        """The number of bars in front of the largest gap; 0 (H0: 1) when there is none."""
        lengths = -np.sort(-_finite(diagram, k))
        size = _largest_death(diagram)
        candidates = lengths[lengths >= self.floor * size]
        if not len(candidates):
            return Verdict(float(k == 0 and len(diagram) > 0), {"bars": []})
        following = np.append(lengths[1:], 0.0)[: len(candidates)]
        ratios = candidates / np.maximum(following, self.floor * size / 4)
        best = int(ratios.argmax())
        number = best + 1 if ratios[best] > self.gap else 0
        evidence = {"bars": candidates[:8].tolist(), "ratio": float(ratios[best])}
        return Verdict(float(number + (k == 0)), evidence)

    def parameters(self) -> dict[str, float]:
        """Gap and floor."""
        return _numbers(self)


RULES: dict[str, Rule] = {"default": GuardedGap(), "guarded_gap": GuardedGap()}


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


def _finite(diagram: Diagram, k: int) -> NDArray[np.float64]:
    lengths = diagram.persistence(k)
    return lengths[lengths < math.inf]


def _largest_death(diagram: Diagram) -> float:
    deaths = diagram.pairs[:, 2]
    return float(deaths[deaths < math.inf].max(initial=0.0))


def _numbers(rule: Any) -> dict[str, float]:
    return {name: value for name, value in asdict(rule).items() if name != "name"}
