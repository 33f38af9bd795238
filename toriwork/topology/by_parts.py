"""The default rule: the log-odds of ``calibrated.py`` and a look at the cycles, for each part of the sample.

Loops of one part are not hidden by the points of another, nor closed by them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.calibrated import NEVER, Calibrated, Judged
from toriwork.topology.clouds import as_condensed, n_points_of, pairs_at
from toriwork.topology.compute import persistence
from toriwork.topology.cycle_odds import LEAST_ODDS, Cycles
from toriwork.topology.diagram import Diagram
from toriwork.topology.evidence import Sampling, Verdict
from toriwork.topology.inputs import CheckedDistances
from toriwork.topology.single_linkage import SingleLinkage, smaller_sides

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]

#: a loop of one of several parts needs so much more when the part has fewer points
_SMALL_PART, _SMALL_PART_ODDS = 60, 2.0


@dataclass(frozen=True, slots=True)
class ByParts:
    """H1 is judged in each part by itself and summed; H0 and cavities in the sample as a whole.

    Loops count by their cycles (``cycle_odds.py``). Without the points there are neither parts nor cycles, and the rule
    is ``whole``.
    """

    no: float = -0.2
    yes: float = 0.1
    least_ratio: float = 1.25
    cavity_ratio: float = 1.36
    most_points: int = 700  #: of the clouds that the weights were fitted to; more are judged by a sample of so many
    version: int = 4
    name: str = "by_parts"
    filtrations: ClassVar[tuple[str, ...]] = ("rips", "landmark")

    @property
    def whole(self) -> Calibrated:
        """The rule of a sample in one piece."""
        return Calibrated(self.no, self.yes, self.least_ratio, self.cavity_ratio)

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension."""
        if len(sampling.deaths()) >= self.most_points:
            # a sample of what lies evenly has holes that the whole has not
            whole = sampling.lie_evenly is not None and (sampling.lie_evenly() or not _is_of_points(sampling))
            return self.whole(sampling) if whole else self._beyond(sampling)
        if sampling.distances is None or sampling.diagram.max_dimension == 0:
            return self.whole(sampling)
        distances, deaths = sampling.distances(), sampling.deaths()
        tree = SingleLinkage.of_deaths(distances, deaths * _unit(sampling)) if n_points_of(distances) > 1 else None
        if tree is None:  # landmarks, or another complex: its births are no edges of these points
            return self.whole(sampling)
        parts = tree.parts()
        if len(parts) == 1:
            found = [self._loops(sampling, tree)]
            loops = found[0].verdict()
        else:
            found = self._loops_of_parts(sampling, tree, parts)
            loops = _summed(found, parts)
        births = [birth for judged in found for birth in judged.births]
        higher = (self.whole.judged(sampling, k).verdict() for k in range(2, sampling.diagram.max_dimension + 1))
        sides = tree.smaller_sides[len(tree.smaller_sides) - len(deaths) :]
        return (self.whole.components(sampling, births, sides), loops, *higher)

    def _beyond(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """The verdicts on more points than the weights know: those of a sample, open where the points are not known."""
        highest = sampling.diagram.max_dimension
        if sampling.sampled is None:
            reason = f"more than {self.most_points} points are judged by a sample, and nobody gave the points"
            lower = [Verdict(math.nan, {"features": [], "reason": reason})] * (1 + min(highest, 1))
        else:
            matrix = sampling.sampled(self.most_points)
            few = persistence(distances=CheckedDistances(matrix), max_dimension=min(highest, 1))
            lower = list(self.of_sample(few, matrix))
        return (*lower, *(self.whole.judged(sampling, k).verdict() for k in range(2, highest + 1)))

    def of_sample(self, diagram: Diagram, distances: Matrix) -> tuple[Verdict, ...]:
        """The verdicts on H0 and H1 of many points by the diagram and the distances of a sample of them.

        A group of which it has too few points for a loop to be seen leaves the number of loops open.
        """
        deaths = len(diagram.in_dimension(0)) - 1
        found = self(Sampling(diagram, lambda: smaller_sides(distances, deaths), lambda: distances))
        verdicts = [replace(one, evidence={**one.evidence, "sample": n_points_of(distances)}) for one in found]
        if len(verdicts) > 1 and SingleLinkage(distances).has_small_groups():
            reason = "the sample has too few points of a group that lies apart"
            verdicts[1] = replace(verdicts[1], number=math.nan, evidence={**verdicts[1].evidence, "reason": reason})
        return tuple(verdicts)

    def _loops_of_parts(self, sampling: Sampling, tree: SingleLinkage, parts: list[Places]) -> list[Judged]:
        """The loops of each of several parts, by its own diagram where the one of all shows that it may have some."""
        possible = _with_loops(sampling, tree, parts, self.least_ratio)
        found = []
        for i, part in enumerate(parts):
            if not possible[i]:
                found.append(Judged())
                continue
            among = as_condensed(tree.distances[np.ix_(part, part)])
            alone = Sampling(persistence(distances=CheckedDistances(among), scale=sampling.diagram.scale))
            found.append(self._loops(alone, SingleLinkage(among, alone.deaths() * _unit(alone)), len(parts)))
        return found

    def _loops(self, sampling: Sampling, tree: SingleLinkage, n_parts: int = 1) -> Judged:
        """The loops of one part."""
        unit = _unit(sampling)
        cycles = Cycles(tree, n_parts)
        more = _SMALL_PART_ODDS if n_parts > 1 and len(tree.heights) + 1 < _SMALL_PART else 0.0

        def second(birth: float, death: float, frozen: float) -> float:
            return NEVER if frozen <= LEAST_ODDS else cycles.odds(birth * unit, death * unit, frozen) - more

        return self.whole.judged(sampling, 1, second)


def _unit(sampling: Sampling) -> float:
    """The scale of the diagram in distances."""
    return 2.0 if sampling.diagram.scale == "radius" else 1.0


def _with_loops(sampling: Sampling, tree: SingleLinkage, parts: list[Places], least_ratio: float) -> NDArray[np.bool_]:
    """True for each part that may have a loop, which most of them show to have none without a diagram of their own.

    Below the lowest gap the complex of all is that of the parts side by side: a bar that ends there is a bar of the
    part of its birth edge, one that does not may be longer in the part.
    """
    label = np.full(len(tree.heights) + 1, -1)
    for i, part in enumerate(parts):
        label[part] = i
    if (label < 0).any():  # points of no part may have filled what is a loop without them
        return np.ones(len(parts), dtype=np.bool_)
    one, other = (label[end] for end in tree.ends)
    gap = tree.heights[one != other].min()
    births, deaths = (sampling.diagram.in_dimension(1) * _unit(sampling)).T
    long = (deaths >= least_ratio * births) | ((births < gap) & (deaths >= gap))
    one, other = pairs_at(np.flatnonzero(np.isin(tree.entries, births[long])), len(label))
    possible = np.zeros(len(parts), dtype=np.bool_)
    possible[label[one[label[one] == label[other]]]] = True
    return possible


def _is_of_points(sampling: Sampling) -> bool:
    """Tell if the components of the diagram merge as the points do; it may be of a periodic box or of landmarks."""
    if sampling.own_deaths is None:
        return False
    own, deaths = sampling.own_deaths(), sampling.deaths()
    own = own[own < math.inf] / (2.0 if sampling.diagram.scale == "radius" else 1.0)
    return len(own) == len(deaths) and np.allclose(own, deaths, rtol=1e-9, atol=0.0)  # those of "alpha" are rounded


def _summed(found: list[Judged], parts: list[NDArray[np.intp]]) -> Verdict:
    """The verdict on H1 of several parts: the sum of theirs, open when one is."""
    verdicts = [judged.verdict() for judged in found]
    evidence: dict[str, Any] = {
        "features": [bar for verdict in verdicts for bar in verdict.evidence["features"]],
        "parts": [len(part) for part in parts],
    }
    refused = [(bar[2], bar) for bar in (judged.best_refused for judged in found) if bar is not None]
    if refused:
        evidence["next"] = list(max(refused)[1])
    bars = [bar for verdict in verdicts for bar in verdict.bars]
    return Verdict(sum(verdict.number for verdict in verdicts), evidence, bars)
