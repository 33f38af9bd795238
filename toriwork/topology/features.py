"""Which bars of one diagram a rule takes for features of the shape."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.calibrated import Calibrated
from toriwork.topology.diagram import Diagram
from toriwork.topology.evidence import Rule, Sampling
from toriwork.topology.rules import UniversalNull
from toriwork.topology.significance import rule_named


def significant(diagram: Diagram, *, rule: str = "default", level: float | None = None) -> NDArray[np.bool_]:
    """True for each row of ``diagram.pairs`` that is a feature by the rule: shape (n_pairs,).

    Classes that never die always are. For H0 the diagram alone does not tell how many points a component has.

    Parameters
    ----------
    diagram : Diagram
        Complete: neither cut nor thinned.
    rule : str
        A name of ``toriwork.topology.significance.RULES``.
    level : float, optional
        Error level in (0, 1) in place of the rule's own. "universal_null": of one dimension, corrected for its
        number of bars. "calibrated": a bar counts when its fitted odds of being none are below
        level / (1 - level); that is nominal, by the clouds of the fit. The other rules have none.

    Raises
    ------
    BadInput
        The diagram was cut or thinned, there is no such rule, or it has no level.

    Sources
    -------
    Those of the rule; docs/topology.md has the measured error rates.
    """
    if math.isfinite(diagram.threshold) or diagram.min_persistence > 0:
        raise BadInput("significant: a complete diagram is wanted, given was one that was cut or thinned")
    verdicts = _at_level(rule_named(rule), level)(Sampling(diagram))
    chosen = np.isinf(diagram.pairs[:, 2])
    for k, verdict in enumerate(verdicts):
        rows = np.flatnonzero(diagram.pairs[:, 0] == k)
        lengths = diagram.persistence(k)
        for birth, death in verdict.bars:
            here = (diagram.in_dimension(k) == (birth, death)).all(axis=1) & ~chosen[rows] & np.isfinite(lengths)
            chosen[rows[np.flatnonzero(here)[:1]]] = True  # of equal bars one for each time that it was named
    return chosen


def _at_level(rule: Rule, level: float | None) -> Rule:
    if level is None:
        return rule
    if not 0 < level < 1:
        raise BadInput(f"level: a number between 0 and 1 is wanted, given was {level!r}")
    if isinstance(rule, UniversalNull):
        return dataclasses.replace(rule, level=level)
    if isinstance(rule, Calibrated):
        odds = math.log((1 - level) / level)
        return dataclasses.replace(rule, yes=odds, no=min(rule.no, odds))
    raise BadInput(f"level: rule {rule.name} has none")
