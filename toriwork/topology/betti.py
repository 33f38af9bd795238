"""Three quantities that are all called "Betti number" somewhere, under three names.

- the Betti number *at a scale*: ``Diagram.betti(r)``, bars alive at r; exact, a function of the scale;
- the number of features *above a threshold*: :func:`count_above`, a count over the whole diagram;
- the *estimated* Betti number of the space behind a sample: :func:`estimate_betti`, statistics with evidence.
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
from toriwork.topology.by_parts import ByParts
from toriwork.topology.clouds import cloud_of, euclidean_pairs, n_points_of
from toriwork.topology.compute import persistence
from toriwork.topology.diagram import Diagram, Provenance
from toriwork.topology.evidence import Rule, Verdict, parameters_of
from toriwork.topology.filtrations import Filtration, filtration_named
from toriwork.topology.inputs import CheckedDistances, finite_distances, lie_evenly, sample_distances
from toriwork.topology.pairwise import warn_of_matrix
from toriwork.topology.render import estimate_html, estimate_text, evidence_row
from toriwork.topology.significance import at_level, check_judges, check_suits, rule_named, sampling_of

#: the distances of fewer points are made once, for the diagram and for the rule
_FEW = 1_000


@dataclass(frozen=True, slots=True, repr=False)
class BettiEstimate:
    """Estimated Betti numbers of the space behind a sample, with what the estimate rests on."""

    numbers: tuple[float, ...]  #: b0, b1, ...: whole numbers, NaN where the evidence does not decide
    rule: str
    parameters: dict[str, Any]  #: of the rule; JSON-able
    evidence: dict[str, Any]  #: per dimension "H0", "H1", ...; JSON-able
    provenance: Provenance
    diagram: Diagram

    def to_json(self) -> str:
        """Rule, parameters, evidence, engine and its version as compact JSON text; numbers have 6 digits."""
        made = self.provenance
        facts = {
            "rule": self.rule,
            "parameters": self.parameters,
            "evidence": self.evidence,
            "engine": made.engine,
            "version": made.version,
        }
        return json.dumps(_short(facts), separators=(",", ":"), allow_nan=False)

    def __repr__(self) -> str:
        return estimate_text(*self._facts())

    def _repr_html_(self) -> str:
        return estimate_html(*self._facts())

    def _facts(self) -> tuple[str, list[tuple[str, str, str]]]:
        """How the numbers were made, and a row of evidence per dimension."""
        made, sample = self.provenance, self.evidence.get("sample")
        points = f"{made.n_points} of {sample['of']} points" if sample else f"{made.n_points} points"
        how = f"rule {self.rule} on {points}, {made.filtration} filtration, engine {made.engine}"
        endless = [int(np.isinf(self.diagram.in_dimension(k)).any(axis=1).sum()) for k in range(len(self.numbers))]
        rows = enumerate(zip(self.numbers, endless, strict=True))
        return how, [evidence_row(k, number, self.evidence[f"H{k}"], n) for k, (number, n) in rows]


def estimate_betti(  # what a diagram is of, and the rule
    points: Any = None,
    *,
    distances: Any = None,
    filtration: str | Filtration = "auto",
    max_dimension: int = 1,
    engine: str = "auto",
    rule: str = "default",
    max_bytes: float | None = None,
) -> BettiEstimate:
    """The Betti numbers that the space behind a sampled cloud most likely has, with the evidence for them.

    One engine call for all dimensions; the default rule draws nothing, and the cost is that of the diagram. The rules
    "monte_carlo_null", "bootstrap_band" and "confidence_band" resample and cost many times as much.

    Parameters
    ----------
    points : array_like of shape (n_points, dim), optional
        Finite real coordinates.
    distances : array_like of shape (n_points, n_points), optional
        In place of points.
    filtration : str or Filtration
        As in :func:`toriwork.topology.persistence`; "auto" is "rips", and the way is its: many points in few
        coordinates have no matrix of distances. The rule must judge it: the default "rips" and "landmark".
    max_dimension : int
        Highest dimension of homology, 0 to 8.
    engine, max_bytes : str, float
        See :func:`toriwork.topology.persistence`.
    rule : str
        "default", or another name of ``toriwork.topology.significance.RULES``. The default judges H0 and H1 of more
        than 700 points by 700 of them, always the same ones; without H2 ``diagram`` is theirs, and
        ``evidence["sample"]`` says so. Points that lie evenly (a grid, a mesh) are judged whole.

    Returns
    -------
    BettiEstimate
        ``numbers`` has max_dimension + 1 floats; NaN where the rule cannot decide. No points: all zero.

    Raises
    ------
    BadInput
        See :func:`toriwork.topology.persistence`; or no such rule.
    MissingExtra, EngineError, TooLarge
        The engine is not there, failed, ran out of memory, or would: the message has the number.

    Examples
    --------
    >>> from toriwork import estimate_betti
    >>> from toriwork.samples import load_sample
    >>> estimate_betti(load_sample("figure_eight")).numbers
    (1.0, 2.0)
    """
    chosen = rule_named(rule)  # refuse before anything is computed
    named = filtration_named("rips" if filtration == "auto" else filtration)
    check_judges(chosen, named.kind)
    options: dict[str, Any] = {"max_dimension": max_dimension, "engine": engine, "max_bytes": max_bytes}
    cloud = None if points is None else cloud_of(points)
    given = finite_distances(cloud, distances) if cloud is None or distances is not None else None
    if cloud is not None:
        warn_of_matrix(cloud, stacklevel=3)
    if named.name == "rips":
        n_points = cloud.n_points if cloud is not None else n_points_of(given.given) if given is not None else 0
        most = chosen.most_points if isinstance(chosen, ByParts) and max_dimension <= 1 else math.inf
        if n_points > most and not lie_evenly(cloud, given):
            return _of_sample(CheckedDistances(sample_distances(cloud, given, int(most))), n_points, options, chosen)
        if cloud is not None and 0 < n_points < _FEW:
            given = CheckedDistances(euclidean_pairs(cloud.points()))
    if given is None:
        return _judge(persistence(cloud, filtration=named, **options), chosen, None, cloud)
    return _judge(persistence(distances=given, filtration=named, **options), chosen, given)


def _of_sample(few: CheckedDistances, n_points: int, options: dict[str, Any], rule: Rule) -> BettiEstimate:
    """The estimate for ``n_points`` points of which the rule asks for fewer."""
    assert isinstance(rule, ByParts)
    diagram = persistence(distances=few, **options)
    found = _estimate(diagram, rule, rule.of_sample(diagram, few.given))
    return replace(found, evidence={**found.evidence, "sample": {"points": n_points_of(few.given), "of": n_points}})


def judge(diagram: Diagram, *, points: Any = None, rule: str = "default") -> BettiEstimate:
    """The estimate that a rule gives for a diagram that was computed already.

    The diagram does not tell how many points each component has, so that a lone far point may count as one, nor of how
    many parts the sample is; more than 700 points stay open. With the points the answer is that of
    :func:`estimate_betti`.

    Raises
    ------
    BadInput
        The diagram was cut at a threshold, thinned by ``min_persistence``, has no provenance, or is of a filtration
        that the rule does not judge; there is no such rule, or it needs the points.

    Examples
    --------
    >>> from toriwork import persistence
    >>> from toriwork.samples import load_sample
    >>> from toriwork.topology import judge
    >>> points = load_sample("two_circles")
    >>> judge(persistence(points), points=points).numbers
    (2.0, 2.0)
    """
    if diagram.provenance is None:
        raise BadInput("judge: expected a diagram with provenance, got one without")
    return _judge(diagram, rule_named(rule), None, points)


def significant(
    diagram: Diagram,
    *,
    rule: str = "default",
    level: float | None = None,
    points: Any = None,
    distances: Any = None,
) -> NDArray[np.bool_]:
    """True for each row of ``diagram.pairs`` that is a feature by the rule: shape (n_pairs,).

    Classes that never die always are, also where the rule leaves their number open. For H0 the diagram alone does not
    tell how many points a component has, which the default rule asks; with the points it knows.

    Parameters
    ----------
    diagram : Diagram
        Complete: neither cut nor thinned.
    rule : str
        A name of ``toriwork.topology.significance.RULES``.
    level : float, optional
        Error level in (0, 1) in place of the rule's own: of one dimension, corrected for its number of bars, for
        "universal_null" and "monte_carlo_null"; 1 - confidence for the two bands; nominal, by the clouds of its fit,
        for "calibrated". "guarded_gap" and "late_death" have none.
    points, distances : array_like, optional
        One of them: what the diagram is of. The two bands need it.

    Raises
    ------
    BadInput
        The diagram was cut or thinned, there is no such rule, it has no level, does not judge this filtration or needs
        the points; or there are fewer points than bars of H0.

    Sources
    -------
    Those of the rule; docs/measurements/ has the measured error rates.
    """
    chosen = at_level(rule_named(rule), level)
    check_suits(chosen, diagram)
    found = np.isinf(diagram.pairs[:, 2])
    for k, verdict in enumerate(chosen(sampling_of(diagram, points, distances))):
        rows = np.flatnonzero(diagram.pairs[:, 0] == k)
        bars = diagram.in_dimension(k)
        named = np.zeros(len(rows), dtype=np.bool_)
        for bar in verdict.bars:
            here = (bars == bar).all(axis=1) & ~named & ~found[rows]
            named[np.flatnonzero(here)[:1]] = True  # of equal bars one for each time that it was named
        if named.sum() < len(verdict.bars):  # they are of parts or of a sample: here the longest stand for them
            named = np.zeros(len(rows), dtype=np.bool_)
            finite = np.flatnonzero(~found[rows])
            named[finite[np.argsort(bars[finite, 0] - bars[finite, 1], kind="stable")[: len(verdict.bars)]]] = True
        found[rows] |= named
    return found


def _judge(diagram: Diagram, chosen: Rule, distances: CheckedDistances | None, points: Any = None) -> BettiEstimate:
    check_suits(chosen, diagram)
    return _estimate(diagram, chosen, chosen(sampling_of(diagram, points, distances)))


def _estimate(diagram: Diagram, chosen: Rule, verdicts: tuple[Verdict, ...]) -> BettiEstimate:
    assert diagram.provenance is not None
    return BettiEstimate(
        numbers=tuple(verdict.number for verdict in verdicts),
        rule=chosen.name,
        parameters=parameters_of(chosen),
        evidence={f"H{k}": dict(verdict.evidence) for k, verdict in enumerate(verdicts)},
        provenance=diagram.provenance,
        diagram=diagram,
    )


def count_above(diagram: Diagram, t: float) -> tuple[int, ...]:
    """The number of bars with death - birth > ``t`` per dimension.

    A count over the whole diagram: two such bars need never be alive at the same scale, so this is no Betti
    number. In H0 it tends to n_points as t tends to 0, whatever the shape.

    Raises
    ------
    BadInput
        ``t`` is NaN or negative.

    Examples
    --------
    >>> from toriwork import persistence
    >>> from toriwork.topology import count_above
    >>> diagram = persistence([[0, 0], [0, 1], [1, 1], [1, 0]])
    >>> count_above(diagram, 0.3), count_above(diagram, 2.0)
    ((4, 1), (1, 0))
    """
    least = check_number(t, name="threshold", least=0.0)
    return tuple(int(np.count_nonzero(diagram.persistence(k) > least)) for k in range(diagram.max_dimension + 1))


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_short(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
