"""TorusCells: memory that knows the topology of what it remembers, and protects ideas that have some."""

from __future__ import annotations

import logging
import math
import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from toriwork.cells.ideas import LOST, PROTECTED, RELEASED, Idea, IdeaStore, is_gone, is_nontrivial
from toriwork.cells.shape import UNKNOWN, Numbers, ShapeMemory, check_dimension, check_threshold, is_spectrum
from toriwork.cells.tracks import Track, count_stable, follow
from toriwork.checks import check_band, metadata_text
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry, get_torus_registry
from toriwork.topology import available_engines

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger("toriwork.cells")
CELLS_FILE = "torus_cells.parquet"
_LOCAL = "local"

_ALL: weakref.WeakSet[TorusCells] = weakref.WeakSet()


class TorusCells:
    """Betti numbers of ideas, recorded in a registry; ideas with loops or voids are protected and survive restarts.

    Parameters
    ----------
    registry : TorusRegistry, optional
        Where shapes are recorded; the shared one when not given. Protected ideas stand beside it in
        ``torus_cells.parquet``.
    max_dimension : {0, 1, 2}
        Highest homology that is computed; Betti numbers above it are NaN.
    persistence_threshold : float, optional
        In the unit of the cloud's coordinates. Given: every number is the *count of features* with persistence above
        it (:func:`toriwork.topology.count_above`). Not given: it is the *estimated Betti number* of the space behind
        the sample (:func:`toriwork.topology.estimate_betti`). It is never the Betti number at one scale.

    Raises
    ------
    BadInput
        A dimension or a threshold out of range.
    """

    def __init__(
        self,
        registry: TorusRegistry | None = None,
        max_dimension: int = 2,
        persistence_threshold: float | None = None,
    ) -> None:
        self.max_dimension = check_dimension(max_dimension)
        self.persistence_threshold = check_threshold(persistence_threshold)
        self.registry = get_torus_registry() if registry is None else registry
        self.backend = available_engines()[0]
        self._shapes = ShapeMemory(max_dimension, persistence_threshold)
        self._ideas = IdeaStore(self.registry.path.parent / CELLS_FILE)
        self._lock = threading.RLock()
        self._protected = self._ideas.protected()
        _ALL.add(self)
        _LOG.info("TorusCells initialized with backend: %s", self.backend)

    @property
    def path(self) -> Path:
        """The file of the protected ideas; it is there once an idea was protected."""
        return self._ideas.path

    # ---- looking -------------------------------------------------------------------------------------------------

    def compute_betti(self, vertices: Any) -> list[float]:
        """``[b0, b1, b2]`` of a cloud; NaN where undecided, above ``max_dimension``, or too costly to compute.

        Parameters
        ----------
        vertices : array_like of shape (n_points, dim)
            Finite real coordinates. A 1-D or complex array is a spectrum: three NaN.

        Raises
        ------
        BadInput
            It is neither.
        """
        return list(self._look(vertices).betti)

    def _look(self, vertices: Any) -> Numbers:
        if is_spectrum(vertices):
            return Numbers(UNKNOWN, {"rule": "none", "reason": "spectrum"}, None)
        return self._shapes.look(vertices)

    def betti_update(
        self,
        idea_id: str,
        vertices: Any,
        coherence_band: str = "local",
        metadata: Mapping[str, Any] | None = None,
    ) -> tuple[float, float]:
        """``(b0, b1)`` of an idea's present shape, which is recorded in the registry.

        In a band other than "local" an idea with b1 > 0 or b2 > 0 is protected from now on. The protection ends with
        an update in the band "local", or when it is decided that of its loops and voids none is left; an undecided
        number is no evidence and changes nothing.

        Parameters
        ----------
        idea_id : str
            Name of the idea, not empty.
        vertices : array_like
            (n_points, dim) cloud, or a spectrum (1-D or complex), for which no numbers are computed.
        coherence_band : {"local", "global", "critical"}
        metadata : mapping, optional
            Goes into the registry's row, beside ``torus_cells``: the idea's name, the rule and its evidence.

        Returns
        -------
        tuple of two floats
            NaN where undecided.

        Raises
        ------
        BadInput
            Name, vertices, band or metadata are not usable; nothing was recorded.
        StoreError
            The registry or the file of the ideas refused.
        """
        band = check_band(coherence_band)
        _check_name(idea_id)
        notes = _notes(metadata)
        found = self._look(vertices)
        shape_id = self.registry.record_shape(
            vertices,
            betti_numbers=None if found.diagram is None else found.betti,
            coherence_band=band,
            metadata={**notes, "torus_cells": {"idea_id": idea_id, "rule": found.rule}},
        )
        self._settle(Idea(idea_id, shape_id, found.betti, band))
        return found.betti[0], found.betti[1]

    def _settle(self, idea: Idea) -> None:
        """Protect an idea, end its protection, or leave things as they are."""
        with self._lock:
            known = self._protected.get(idea.idea_id)
            before = known.coherence_band if known is not None else None
            if idea.coherence_band != _LOCAL and is_nontrivial(idea.betti):
                self._write(idea, PROTECTED, before)
            elif known is not None and idea.coherence_band == _LOCAL:
                self._write(idea, RELEASED, before)
            elif known is not None and is_gone(known.betti, idea.betti):
                self._write(idea, LOST, before)
            else:
                return
        self._tell(idea)

    def _write(self, idea: Idea, status: str, before: str | None) -> None:
        changed = Idea(idea.idea_id, idea.shape_id, idea.betti, idea.coherence_band, status, before)
        self._ideas.append(changed)
        self._protected.pop(idea.idea_id, None)
        if status == PROTECTED:
            self._protected[idea.idea_id] = changed

    def _tell(self, idea: Idea) -> None:
        b0, b1, b2 = idea.betti
        if idea.idea_id in self._protected:
            _LOG.info(
                "Idea %s is topologically protected (%s): b0=%g b1=%g b2=%g, band %s",
                idea.idea_id,
                idea.protection_level,
                b0,
                b1,
                b2,
                idea.coherence_band,
            )
        else:
            _LOG.info("Idea %s is no longer protected: b1=%g b2=%g, band %s", idea.idea_id, b1, b2, idea.coherence_band)

    # ---- protected ideas -----------------------------------------------------------------------------------------

    def get_protected_ideas(self) -> dict[str, dict[str, Any]]:
        """Idea -> ``shape_id``, ``betti`` (three floats, NaN unknown), ``braid_id``, ``protection_level`` ("high" when
        b1 > 1, else "medium") and ``coherence_band``; what other processes changed is seen.
        """
        with self._lock:
            self._protected = self._ideas.protected()
            return {name: idea.entry() for name, idea in self._protected.items()}

    def tunnel_idea(self, idea_id: str, target_coherence: str) -> bool:
        """Whether a protected idea was moved to another band; False when it is not protected.

        "local" ends the protection. The change is kept: see :meth:`idea_history`.

        Raises
        ------
        BadInput
            No such band.
        """
        band = check_band(target_coherence)
        with self._lock:
            self._protected = self._ideas.protected()
            known = self._protected.get(idea_id)
            if known is None:
                return False
            moved = Idea(idea_id, known.shape_id, known.betti, band)
            self._write(moved, RELEASED if band == _LOCAL else PROTECTED, known.coherence_band)
        self._tell(moved)
        return True

    def idea_history(self, idea_id: str) -> list[dict[str, Any]]:
        """Every change of an idea's protection, oldest first: ``timestamp`` (UTC), ``status`` (protected, released by
        a move to "local", lost with its topology), both bands, shape and Betti numbers (None: undecided).
        """
        return self._ideas.history(idea_id)

    # ---- a series ------------------------------------------------------------------------------------------------

    def compute_homology_persistence(self, time_series: Iterable[Any]) -> dict[str, Any]:
        """The diagrams of a series of clouds, statistics over them, and the classes followed from each to the next.

        Parameters
        ----------
        time_series : iterable of (n_points, dim) arrays
            Their sizes may differ. Nothing is recorded.

        Returns
        -------
        dict
            ``persistence_data``: per step ``betti`` (three floats), ``diagrams`` (dimension -> (n_pairs, 2) float64,
            deaths may be inf) and ``rule``. ``statistics``: ``b0_mean``, ``b0_std``, ``b1_mean``, ``b1_std``
            (population, over the steps where the number is decided, NaN when none is) and ``stable_features``, the
            number of tracks in dimensions >= 1 that are a feature in every step. ``tracks``: dicts with
            ``dimension``, ``start``, ``stop``, ``births``, ``deaths``, ``is_feature``; the 64 longest finite bars of
            a step and dimension are followed by the cheapest 2-Wasserstein matching.

        Raises
        ------
        BadInput
            A cloud is not usable; the message has its index.
        """
        found = [self._look_at_step(index, cloud) for index, cloud in enumerate(time_series)]
        diagrams = [numbers.diagram for numbers in found]
        betti = [numbers.betti for numbers in found]
        tracks = [track for k in range(1, self.max_dimension + 1) for track in follow(diagrams, betti, k)]
        return {
            "persistence_data": [_step(numbers) for numbers in found],
            "statistics": _statistics(found, tracks),
            "tracks": [track.to_dict() for track in tracks],
        }

    def _look_at_step(self, index: int, cloud: Any) -> Numbers:
        try:
            return self._look(cloud)
        except BadInput as error:
            raise BadInput(f"cloud {index} of the series: {error}") from error

    # ---- the frame -----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when registry and ideas survive a power cut."""
        self.registry.flush()
        self._ideas.flush()

    def close(self) -> None:
        """Give up the file of the ideas; the registry stays open. The next change opens it again."""
        self._ideas.close()

    def after_fork(self) -> None:
        """In a child: locks that no vanished thread holds."""
        self._lock = threading.RLock()
        self._shapes.after_fork()
        self._ideas.after_fork()

    def __enter__(self) -> TorusCells:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"TorusCells({str(self.registry.path)!r}, max_dimension={self.max_dimension}): {len(self._protected)} "
            f"protected ideas, {len(self._shapes)} diagrams in memory, backend {self.backend}"
        )


def _check_name(idea_id: Any) -> None:
    if not isinstance(idea_id, str) or not idea_id:
        raise BadInput(f"idea_id: a text that is not empty is wanted, given was {idea_id!r}")


def _notes(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    metadata_text(metadata)  # refuses what has no JSON form
    return {} if metadata is None else metadata


def _step(numbers: Numbers) -> dict[str, Any]:
    diagram = numbers.diagram
    dimensions = range(diagram.max_dimension + 1) if diagram is not None else ()
    return {
        "betti": list(numbers.betti),
        "diagrams": {k: diagram.in_dimension(k) for k in dimensions} if diagram is not None else {},
        "rule": numbers.rule,
    }


def _statistics(found: list[Numbers], tracks: list[Track]) -> dict[str, float]:
    statistics: dict[str, float] = {}
    for k in range(2):
        decided = [numbers.betti[k] for numbers in found if not math.isnan(numbers.betti[k])]
        statistics[f"b{k}_mean"] = float(np.mean(decided)) if decided else math.nan
        statistics[f"b{k}_std"] = float(np.std(decided)) if decided else math.nan
    statistics["stable_features"] = count_stable(tracks, len(found))
    return statistics


def _after_fork() -> None:
    for cells in list(_ALL):
        cells.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
