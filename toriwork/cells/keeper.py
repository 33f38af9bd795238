"""What a newly computed cloud means for an idea: which classes are lost, and whether it is protected from now on.

A pure decision: nothing is read, written or told here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from toriwork.cells.ideas import LOST, PROTECTED, RELEASED, Idea, Loss, is_gone, is_nontrivial
from toriwork.cells.protection import (
    BELOW,
    MAX_CLASSES,
    MAX_REFERENCE_BYTES,
    RIPS,
    Bar,
    Fate,
    Reference,
    certified_radius,
    fates,
    hausdorff,
)
from toriwork.cells.shape import Numbers
from toriwork.topology import Diagram

LOCAL = "local"


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A cloud that was looked at."""

    points: NDArray[np.float64] | None  #: (n_points, dim); None for a spectrum
    numbers: Numbers
    features: Sequence[Bar]  #: the loops and voids that the rule counts
    convention: str = RIPS  #: of its diagram: filtration and scale


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """The reference cloud of an idea, and its diagram."""

    cloud: NDArray[np.float64]
    diagram: Diagram


def settled(known: Idea | None, now: Idea, found: Found, before: Before | None) -> list[Idea]:
    """The changes that an update makes, the last of which counts; none when everything stays as it was.

    Parameters
    ----------
    known : Idea, optional
        The idea as it is protected, None when it is not.
    now : Idea
        Its name, shape, numbers and band by this update.
    found : Found
        What the update's cloud was found to be.
    before : Before, optional
        What ``known`` stands on; None when that is not kept: then only numbers can be compared.
    """
    now = replace(now, previous_band=known.coherence_band if known is not None else None)
    if now.coherence_band == LOCAL:
        return [] if known is None else [replace(now, status=RELEASED, reference=known.reference)]
    diagram = found.numbers.diagram
    if diagram is None or found.points is None:
        return []
    if known is None or known.reference is None or before is None:
        if is_nontrivial(now.betti):
            return [_protected(now, known, found, list(found.features))]
        return _all_lost(known, now) if known is not None and is_gone(known.betti, now.betti) else []
    became = fates(before.diagram, diagram, known.reference.classes, found.features, found.numbers.undecided)
    changes = _losses(known, now, became, hausdorff(before.cloud, found.points))
    unseen = [fate for fate in became if not fate.gone and fate.now is None]
    carried = [fate.now for fate in became if not fate.gone and fate.now is not None]
    if unseen:  # in a dimension that was not computed: what certified it goes on certifying
        reference = known.reference.without([fate.bar for fate in became if fate.gone])
        changes.append(replace(now, betti=_last_decided(known, now), reference=reference))
    elif carried or is_nontrivial(now.betti):
        classes = [*found.features, *(bar for bar in carried if bar not in found.features)]
        changes.append(_protected(now, known, found, classes))
    return changes


def _all_lost(known: Idea, now: Idea) -> list[Idea]:
    """By the numbers alone, where there is no cloud to measure against."""
    bars = known.reference.classes if known.reference is not None else ()
    losses: list[Loss | None] = [*(Loss(bar, None, BELOW) for bar in bars)] or [None]
    return [replace(now, status=LOST, reference=known.reference, loss=loss) for loss in losses]


def _losses(known: Idea, now: Idea, became: Sequence[Fate], displacement: float) -> list[Idea]:
    moved = displacement if math.isfinite(displacement) else None
    losses = (Loss(fate.bar, moved, fate.gone) for fate in became if fate.gone)
    return [replace(now, status=LOST, reference=known.reference, loss=loss) for loss in losses]


def _protected(now: Idea, known: Idea | None, found: Found, classes: Sequence[Bar]) -> Idea:
    diagram = found.numbers.diagram
    kept = tuple(classes[:MAX_CLASSES])
    # nobody can measure a move from a cloud that is not kept
    fits = found.points is not None and found.points.nbytes <= MAX_REFERENCE_BYTES
    radius = certified_radius(diagram, kept) if fits and diagram is not None else None
    reference = Reference(now.shape_id, kept, radius, None, found.convention)
    betti = now.betti if known is None else _last_decided(known, now)
    return replace(now, status=PROTECTED, betti=betti, reference=reference)


def _last_decided(known: Idea, now: Idea) -> tuple[float, float, float]:
    b0, b1, b2 = (old if math.isnan(new) else new for old, new in zip(known.betti, now.betti, strict=True))
    return b0, b1, b2
