"""The protection of an idea: the cloud whose diagram was last computed, its classes, and how far points may move.

A move of every point by at most d moves births and deaths by at most 2 d in diameters (Rips) and d in radii (alpha,
Cech), so that a bar of persistence p is still there after a move of less than p / 4, or p / 2. Moves do not add up.

Sources: Chazal, de Silva & Oudot 2014, doi:10.1007/s10711-013-9937-z, sect. 5; Cohen-Steiner, Edelsbrunner & Harer
2007, doi:10.1007/s00454-006-1276-5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toriwork.topology import Diagram
from toriwork.topology.clouds import safely_scaled
from toriwork.topology.diagram import CERTIFYING
from toriwork.topology.vineyard import match

Points = NDArray[np.float64]
Bar = tuple[int, float, float]  #: dimension, birth, death

RIPS = "rips diameter"  #: filtration and scale of bars where nothing else is said
UNMATCHED = "unmatched"
BELOW = "below the rule's level"
MAX_CLASSES = 64  #: the longest of an idea are protected
MAX_REFERENCE_BYTES = 4 * 2**20  #: a larger cloud is not kept: its idea is protected without a certificate
_MATCHED_BARS = 512  #: of a diagram and dimension, the longest
_ALL_PAIRS = 1_000_000  #: up to so many distances a matrix beats a tree
_ROUNDING = 2.0**-40  #: of distances in float64, far beyond what they have; that of float32 the diagram takes off
_SAME = 1e-5  #: relative: a bar may have come from another engine, or another version of it


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The cloud whose diagram was last computed for an idea."""

    shape_id: str
    classes: tuple[Bar, ...]  #: what is protected, dimension >= 1
    radius: float | None  #: certified: moves shorter than this keep every class; None: there is no certificate
    row_id: str | None  #: where the cloud is stored; None: it was too large
    convention: str = RIPS  #: filtration and scale of the classes

    def without(self, gone: Sequence[Bar]) -> Reference:
        """The same cloud with fewer classes; the radius stays, which the classes that are left may well exceed."""
        return replace(self, classes=tuple(bar for bar in self.classes if bar not in gone))


@dataclass(frozen=True, slots=True)
class Certificate:
    """Why an update was accepted without a diagram."""

    shape_id: str  #: of the reference cloud
    displacement: float  #: Hausdorff distance to it
    radius: float

    def to_dict(self) -> dict[str, str | float]:
        """``reference_shape_id``, ``displacement``, ``radius``."""
        return {"reference_shape_id": self.shape_id, "displacement": self.displacement, "radius": self.radius}


@dataclass(frozen=True, slots=True)
class ClassMatch:
    """One protected class and its bar in a newly computed diagram."""

    bar: Bar  #: as it was in the reference
    now: Bar | None  #: its bar in the new diagram; None: it has none, or its dimension was not computed
    gone: str = ""  #: why it is lost; empty: it is not


def certified_radius(diagram: Diagram, classes: Sequence[Bar]) -> float | None:
    """How far every point may move while each class keeps its bar, rounding taken off; None: nothing is certain.

    Only exact, untruncated Rips, alpha and Cech diagrams certify: no landmark, DTM or cut one.
    """
    if diagram.filtration not in CERTIFYING or math.isfinite(diagram.threshold) or diagram.censored.any():
        return None
    protected = set(classes)
    radii = diagram.protection_radius()
    mine = [
        radius - _ROUNDING * death
        for (k, birth, death), radius in zip(diagram.pairs.tolist(), radii.tolist(), strict=True)
        if (int(k), birth, death) in protected
    ]
    return min(mine) if mine and min(mine) > 0 else None


def hausdorff(first: Points, second: Points) -> float:
    """The Euclidean Hausdorff distance of two clouds; inf when coordinates differ in number, or one is empty."""
    if first.shape[1:] != second.shape[1:] or not len(first) or not len(second):
        return math.inf
    stacked, factor = safely_scaled(np.vstack([first, second]))
    first, second = stacked[: len(first)], stacked[len(first) :]
    if len(first) * len(second) <= _ALL_PAIRS:
        from scipy.spatial import distance

        apart = distance.cdist(first, second)
        return factor * float(max(apart.min(axis=0).max(), apart.min(axis=1).max()))
    from scipy.spatial import cKDTree

    there, back = cKDTree(first).query(second)[0], cKDTree(second).query(first)[0]
    return factor * float(max(there.max(), back.max()))


def certify(reference: Reference, cloud: Points, moved: Points) -> Certificate | None:
    """The certificate for a moved cloud; None when it moved too far, or nothing certifies, or nothing moved.

    ``cloud`` is the reference cloud. For the very same cloud the remembered diagram says more.
    """
    if reference.radius is None or not reference.classes or np.array_equal(cloud, moved):
        return None
    displacement = hausdorff(cloud, moved)
    if not displacement < reference.radius:
        return None
    return Certificate(reference.shape_id, displacement, reference.radius)


def match_classes(
    before: Diagram, after: Diagram, classes: Sequence[Bar], features: Sequence[Bar], undecided: Sequence[int]
) -> list[ClassMatch]:
    """The match of each class between two diagrams: unmatched ones and those below the rule's level are lost.

    Parameters
    ----------
    before, after : Diagram
        Of the reference cloud and of the new one, matched at the least 2-Wasserstein cost in each dimension.
    classes, features : sequence of (dimension, birth, death)
        Bars of ``before``, and those of ``after`` that count by the rule.
    undecided : sequence of int
        Dimensions in which the rule left the number open: there a bar that is matched is not below any level.
    """
    found = []
    for k in sorted({bar[0] for bar in classes}):
        mine = [bar for bar in classes if bar[0] == k]
        if k > min(before.max_dimension, after.max_dimension):
            found += [ClassMatch(bar, None) for bar in mine]
            continue
        old = _longest(before, k, mine)
        new = _longest(after, k, [bar for bar in features if bar[0] == k])
        partner = dict(match(_array(old), _array(new)))
        for i, bar in enumerate(mine):
            now = new[partner[i]] if i in partner else None
            below = now is not None and now not in features and k not in undecided
            found.append(ClassMatch(bar, now, UNMATCHED if now is None else BELOW if below else ""))
    return found


def _longest(diagram: Diagram, k: int, first: Sequence[Bar]) -> list[Bar]:
    """Finite bars of H_k: those named first, then the longest of the others."""
    left = [(k, birth, death) for birth, death in diagram.in_dimension(k).tolist() if death < math.inf]
    for bar in first:
        same = min(left, key=lambda other: _apart(bar, other), default=None)
        if same is not None and _apart(bar, same) <= _SAME * bar[2]:
            left.remove(same)
    left.sort(key=lambda bar: bar[1] - bar[2])
    return [*first, *left[: max(0, _MATCHED_BARS - len(first))]]


def _apart(first: Bar, second: Bar) -> float:
    return max(abs(first[1] - second[1]), abs(first[2] - second[2]))


def _array(bars: Sequence[Bar]) -> NDArray[np.float64]:
    return np.array([bar[1:] for bar in bars], dtype=np.float64).reshape(-1, 2)
