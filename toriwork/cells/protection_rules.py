"""The changes that a newly computed cloud makes to an idea: classes that are lost, protection from now on.

A pure decision: nothing is read, written or told here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from toriwork.cells.ideas import LOST, PROTECTED, RELEASED, Idea, Loss, is_gone, is_nontrivial
from toriwork.cells.protection import (
    BELOW,
    MAX_CLASSES,
    MAX_REFERENCE_BYTES,
    RIPS,
    Bar,
    ClassMatch,
    Reference,
    certified_radius,
    hausdorff,
    match_classes,
)
from toriwork.cells.shape import Numbers
from toriwork.topology import Diagram
from toriwork.topology.clouds import Cloud

LOCAL = "local"


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredCloud:
    """A cloud that was looked at."""

    shape: Cloud
    numbers: Numbers
    features: Sequence[Bar]  #: the loops and voids that the rule counts
    convention: str = RIPS  #: of its diagram: filtration and scale


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """The reference cloud of an idea, and its diagram."""

    cloud: Cloud
    diagram: Diagram


def settled(known: Idea | None, now: Idea, found: MeasuredCloud, before: Before | None) -> list[Idea]:
    """The changes that an update makes, the last of which counts; none when everything stays as it was.

    ``known`` is the idea as it is protected, ``now`` has name, shape, numbers and band of the update. Without a
    ``before``, on which ``known`` stands, only numbers can be compared.
    """
    now = replace(now, previous_band=known.coherence_band if known is not None else None)
    if now.coherence_band == LOCAL:
        return [] if known is None else [replace(now, status=RELEASED, reference=known.reference)]
    diagram = found.numbers.diagram
    if diagram is None:
        return []
    if known is None or known.reference is None or before is None:
        if is_nontrivial(now.betti):
            return [_protected(now, known, found, list(found.features))]
        return _all_lost(known, now) if known is not None and is_gone(known.betti, now.betti) else []
    became = match_classes(before.diagram, diagram, known.reference.classes, found.features, found.numbers.undecided)
    changes = _losses(known, now, became, hausdorff(before.cloud.values, found.shape.values))
    unseen = [match for match in became if not match.gone and match.now is None]
    carried = [match.now for match in became if not match.gone and match.now is not None]
    if unseen:  # in a dimension that was not computed: what certified it goes on certifying
        reference = known.reference.without([match.bar for match in became if match.gone])
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


def _losses(known: Idea, now: Idea, became: Sequence[ClassMatch], displacement: float) -> list[Idea]:
    moved = displacement if math.isfinite(displacement) else None
    losses = (Loss(match.bar, moved, match.gone) for match in became if match.gone)
    return [replace(now, status=LOST, reference=known.reference, loss=loss) for loss in losses]


def _protected(now: Idea, known: Idea | None, found: MeasuredCloud, classes: Sequence[Bar]) -> Idea:
    diagram = found.numbers.diagram
    kept = tuple(classes[:MAX_CLASSES])
    # nobody can measure a move from a cloud that is not kept
    fits = found.shape.values.nbytes <= MAX_REFERENCE_BYTES
    radius = certified_radius(diagram, kept) if fits and diagram is not None else None
    reference = Reference(now.shape_id, kept, radius, None, found.convention)
    betti = now.betti if known is None else _last_decided(known, now)
    return replace(now, status=PROTECTED, betti=betti, reference=reference)


def _last_decided(known: Idea, now: Idea) -> tuple[float, float, float]:
    b0, b1, b2 = (old if math.isnan(new) else new for old, new in zip(known.betti, now.betti, strict=True))
    return b0, b1, b2
