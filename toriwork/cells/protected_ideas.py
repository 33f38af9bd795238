"""The protected ideas of some cells: what an update does to them, kept, logged and told.

What an update means is decided in ``protection_rules.py``; here that is done, one change at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.cells.events import Observer, protection_lost, tell
from toriwork.cells.idea_store import IdeaStore
from toriwork.cells.ideas import PROTECTED, RELEASED, Idea
from toriwork.cells.protection import certify
from toriwork.cells.protection_rules import LOCAL, Before, MeasuredCloud, settled
from toriwork.cells.shape import UNKNOWN, ShapeNumbers
from toriwork.locks import Mutex
from toriwork.printed import one_line
from toriwork.topology.clouds import Cloud

_LOG = logging.getLogger("toriwork.cells")


#: records a shape with these numbers (None: it is a spectrum) and this note, and gives its id
Record = Callable[[tuple[float, float, float] | None, Mapping[str, Any]], str]


class ProtectedIdeas:
    """Ideas in a file, the clouds they stand on, and the lock under which they change."""

    def __init__(self, path: Path, numbers: ShapeNumbers, convention: str) -> None:
        self.ideas = IdeaStore(path)
        self._numbers = numbers
        self._convention = convention
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: locks that no vanished thread holds."""
        self.lock = Mutex("lock")
        self.ideas.after_fork()

    def accept(self, idea_id: str, band: str, shape: Cloud, record: Record) -> Idea | None:
        """The idea after an update that needs no diagram, or None when one is needed."""
        if shape.kind == "spectrum" or band == LOCAL:
            return None
        with self.lock.alone():
            known = self.ideas.get(idea_id)
            cloud = self._stands_on(known)
            if known is None or known.reference is None or cloud is None:
                return None
            certificate = certify(known.reference, cloud.values, shape.values)
            if certificate is None:
                return None
            # the class is certain, its numbers are not
            shape_id = record(UNKNOWN, {"certified_by": certificate.to_dict()})
            moved = replace(
                known,
                shape_id=shape_id,
                coherence_band=band,
                previous_band=known.coherence_band,
                certificate=certificate,
            )
            moved = self.ideas.append([moved])
        _log(moved)
        return moved

    def settle(self, now: Idea, found: MeasuredCloud, observer: Observer | None) -> None:
        """Protect an idea, end its protection, or leave things as they are."""
        with self.lock.alone():
            known = self.ideas.get(now.idea_id)
            changes = settled(known, now, found, self._before(known) if now.coherence_band != LOCAL else None)
            if not changes:
                return
            self.ideas.append(changes, found.shape.as_float64 if found.shape.kind == "points" else None)
        _log(changes[-1])
        for change in changes:
            if known is not None and change.loss is not None:
                tell(observer, protection_lost(known, change))

    def tunnel(self, idea_id: str, band: str) -> bool:
        """True when a protected idea was moved to a band; False when it is not protected."""
        with self.lock.alone():
            known = self.ideas.get(idea_id)
            if known is None:
                return False
            status = RELEASED if band == LOCAL else PROTECTED
            moved = replace(known, coherence_band=band, previous_band=known.coherence_band, status=status)
            self.ideas.append([moved])
        _log(moved)
        return True

    def reference_cloud(self, idea_id: str) -> NDArray[np.float64] | None:
        """The cloud on which a protection stands, None when there is none."""
        known = self.ideas.get(idea_id)
        cloud = None if known is None else self.ideas.cloud(known)
        return None if cloud is None else cloud.values

    def _stands_on(self, known: Idea | None) -> Cloud | None:
        """The reference cloud of an idea whose bars are of the filtration and scale that we compute."""
        if known is None or known.reference is None or known.reference.convention != self._convention:
            return None
        return self.ideas.cloud(known)

    def _before(self, known: Idea | None) -> Before | None:
        cloud = self._stands_on(known)
        diagram = None if cloud is None else self._numbers.of(cloud).diagram
        return None if cloud is None or diagram is None else Before(cloud, diagram)


def _log(idea: Idea) -> None:
    (b0, b1, b2), name = idea.betti, one_line(idea.idea_id)
    if idea.status != PROTECTED:
        _LOG.info("Idea %s is no longer protected: b1=%g b2=%g, band %s", name, b1, b2, idea.coherence_band)
        return
    by = ""
    if idea.certificate is not None:
        by = f", certified: moved {idea.certificate.displacement:.3g} of {idea.certificate.radius:.3g}"
    _LOG.info(
        "Idea %s is topologically protected (%s): b0=%g b1=%g b2=%g, band %s%s",
        name,
        idea.protection_level,
        b0,
        b1,
        b2,
        idea.coherence_band,
        by,
    )
