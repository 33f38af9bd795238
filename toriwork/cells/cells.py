"""TorusCells: memory that knows the topology of what it remembers, and protects ideas that have some."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from toriwork.cells.events import Observer, check_observer
from toriwork.cells.ideas import Idea
from toriwork.cells.measure import Measure
from toriwork.cells.memory import DIAGRAMS_FILE, DiagramMemory
from toriwork.cells.neighbours import Nearest
from toriwork.cells.protected_ideas import ProtectedIdeas
from toriwork.cells.protection_rules import LOCAL, MeasuredCloud
from toriwork.cells.search import ShapeSearch
from toriwork.cells.shape import Numbers, ShapeNumbers, checked_shape
from toriwork.cells.tracks import Series
from toriwork.checks import check_band, metadata_text, shown
from toriwork.errors import BadInput, NotFound
from toriwork.lifetime import OpenObjects
from toriwork.registry import TorusRegistry, get_torus_registry
from toriwork.state import shown_path
from toriwork.topology import Diagram, Representative, available_engines
from toriwork.topology.clouds import cloud_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from toriwork.topology.diagram import Scale
    from toriwork.topology.filtrations import Filtration

_LOG = logging.getLogger("toriwork.cells")
CELLS_FILE = "torus_cells.parquet"
OUR_KEY = "torus_cells"  #: of the metadata of a row

_ALL: OpenObjects[TorusCells] = OpenObjects(lambda cells: cells.after_fork())


class TorusCells:
    """Betti numbers of ideas, recorded in a registry; ideas with loops or voids are protected and survive restarts.

    Parameters
    ----------
    registry : TorusRegistry, optional
        Where shapes are recorded; the shared one when not given. Protected ideas stand beside it in
        ``torus_cells.parquet``, diagrams in ``torus_diagrams.parquet``.
    max_dimension : {0, 1, 2}
        Highest homology that is computed; Betti numbers above it are NaN.
    persistence_threshold : float, optional
        In the unit of births and deaths. Given: every number is the *count of features* with persistence above it
        (:func:`toriwork.topology.count_above`). Not given: it is the *estimated Betti number* of the space behind the
        sample (:func:`toriwork.topology.estimate_betti`). It is never the Betti number at one scale.
    observer : object with ``emit_token``, optional
        Gets a ``protection_lost`` measurement for each protected class that is gone. Not given: the one that
        ``toriwork.cells.events.DEFAULT_OBSERVER`` gives, the shared ObserverSynthesis.
    filtration : str or Filtration
        One of clouds, as for :func:`toriwork.topology.persistence`. Only "rips", "alpha" and "delaunay_cech" certify
        small moves; with the others an idea is protected without a radius. "dtm" wants a ``persistence_threshold``.
    scale : {"diameter", "radius"}, optional
        What births and deaths mean; None: the filtration's own. Protection radii are in the unit of the coordinates,
        whatever the scale.
    engine : str
        As for :func:`toriwork.topology.persistence`.

    Raises
    ------
    BadInput
        An argument that is none of these, or an observer that cannot emit.

    Examples
    --------
    >>> from toriwork import TorusCells
    >>> from toriwork.samples import load_sample
    >>> with TorusCells() as cells:
    ...     cells.betti_update("ring", load_sample("circle"), "global")
    ...     cells.get_protected_ideas()["ring"]["protection_level"]
    (1.0, 1.0)
    'medium'
    """

    def __init__(
        self,
        registry: TorusRegistry | None = None,
        max_dimension: int = 2,
        persistence_threshold: float | None = None,
        *,
        observer: Observer | None = None,
        filtration: str | Filtration = "rips",
        scale: Scale | None = None,
        engine: str = "auto",
    ) -> None:
        self._measure = Measure(max_dimension, persistence_threshold, filtration, scale, engine)
        self.max_dimension = int(max_dimension)
        self.persistence_threshold = persistence_threshold
        self.observer = check_observer(observer)
        self.registry = _checked(get_torus_registry() if registry is None else registry)
        self.backend = available_engines()[0]
        folder = self.registry.path.parent
        self.diagrams = DiagramMemory(folder / DIAGRAMS_FILE)
        self._numbers = ShapeNumbers(self._measure, self.diagrams)
        self._search = ShapeSearch(self.registry, self.diagrams, self._measure)
        self._protected = ProtectedIdeas(folder / CELLS_FILE, self._numbers, self._measure.convention)
        _ALL.add(self)
        _LOG.info("TorusCells initialized with backend: %s", self.backend)

    @property
    def path(self) -> Path:
        """The file of the protected ideas; it is there once an idea was protected."""
        return self._protected.ideas.path

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
        return list(self._numbers.of(checked_shape(vertices)).betti)

    def betti_update(
        self,
        idea_id: str,
        vertices: Any,
        coherence_band: str = "local",
        metadata: Mapping[str, Any] | None = None,
    ) -> tuple[float, float]:
        """``(b0, b1)`` of an idea's present shape, which is recorded in the registry.

        In a band other than "local" an idea with b1 > 0 or b2 > 0 is protected from now on. Within the protection
        radius of the cloud whose diagram was last computed, an update is accepted without a diagram: its classes are
        certain, its numbers are not, and those that were last computed are returned (the registry's row has none).
        Further away a protected class whose bar has no match that the rule counts is lost. The protection ends with an
        update in the band "local", or with the last class.

        Parameters
        ----------
        idea_id : str
            Name of the idea, not empty.
        vertices : array_like
            (n_points, dim) cloud, or a spectrum (1-D or complex), for which no numbers are computed.
        coherence_band : {"local", "global", "critical"}
        metadata : mapping, optional
            Goes into the registry's row, beside ``torus_cells``: the idea's name, and the rule with its evidence or
            ``certified_by``.

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
        shape = checked_shape(vertices)

        def record(betti: tuple[float, float, float] | None, note: Mapping[str, Any]) -> str:
            return self.registry.record_shape(
                shape,
                betti_numbers=betti,
                coherence_band=band,
                metadata={**notes, OUR_KEY: {"idea_id": idea_id, **note}},
            )

        accepted = self._protected.accept(idea_id, band, shape, record)
        if accepted is not None:
            return accepted.betti[0], accepted.betti[1]
        found = self._numbers.of(shape)
        shape_id = record(None if found.diagram is None else found.betti, {"rule": found.rule})
        features = self._numbers.features(found) if band != LOCAL else []
        now = Idea(idea_id, shape_id, found.betti, band)
        self._protected.settle(now, MeasuredCloud(shape, found, features, self._measure.convention), self.observer)
        return found.betti[0], found.betti[1]

    # ---- protected ideas -----------------------------------------------------------------------------------------

    def get_protected_ideas(self) -> dict[str, dict[str, Any]]:
        """Idea -> what protects it; what other processes changed is seen.

        ``shape_id``, ``betti`` (as last computed), ``braid_id``, ``protection_level`` ("high" when b1 > 1, else
        "medium"), ``coherence_band``; ``protection_radius`` (in the unit of the coordinates, None: nothing is
        certified), ``reference_shape_id`` (of the cloud whose diagram was last computed), ``classes`` (its protected
        bars: dimension, birth, death), ``convention`` (their filtration and scale), ``certified_by`` (None, or why the
        last update was accepted without a diagram).
        """
        return {name: idea.entry() for name, idea in self._protected.ideas.protected().items()}

    def reference_cloud(self, idea_id: str) -> NDArray[np.float64]:
        """The cloud on which a protection stands: (n_points, dim) float64, read-only, as it was given bit for bit.

        Raises
        ------
        NotFound
            The idea is not protected, or its cloud was too large to keep (4 MiB).
        """
        cloud = self._protected.reference_cloud(idea_id)
        if cloud is None:
            raise NotFound(f"{idea_id!r}: no protected idea with a reference cloud has this name")
        return cloud

    def points_of(self, idea_id: str) -> tuple[Representative, ...]:
        """Return a representative of each protected class: the points of :meth:`reference_cloud` that make it.

        Loops, then voids, of each the longest bars first, as ``classes`` in :meth:`get_protected_ideas`.

        Raises
        ------
        NotFound
            As :meth:`reference_cloud`.
        BadInput
            The filtration of these cells is not "rips", or the idea was protected by bars of another convention.
        TooLarge
            See :meth:`toriwork.topology.Diagram.representatives`.
        """
        cloud = self.reference_cloud(idea_id)
        diagram = self.diagrams.persistence(cloud, **self._measure.options())
        known = self._protected.ideas.protected()[idea_id].reference
        classes = known.classes if known is not None else ()
        found: list[Representative] = []
        for k in (1, 2):
            wanted = [(birth, death) for dimension, birth, death in classes if dimension == k]
            if wanted:
                rows = _rows_of(wanted, diagram.in_dimension(k).tolist(), f"{idea_id!r}", self._measure.convention)
                found += diagram.representatives(k, points=cloud, which=rows)
        return tuple(found)

    def tunnel_idea(self, idea_id: str, target_coherence: str) -> bool:
        """True when a protected idea was moved to another band; False when it is not protected.

        "local" ends the protection. The change is kept: see :meth:`history`.

        Raises
        ------
        BadInput
            No such band.
        """
        return self._protected.tunnel(idea_id, check_band(target_coherence))

    def history(self, idea_id: str) -> list[dict[str, Any]]:
        """The changes of an idea's protection, oldest first: at least the last 64.

        Each with ``timestamp``, ``status`` ("protected", "released", "lost"), both bands, ``shape_id``, ``betti``,
        ``protection_radius``, ``classes``, ``certified_by`` and, for a class that is gone, ``lost``: its ``bar``,
        ``displacement`` and ``reason``. One row per lost class; the idea is protected when such a row follows.
        """
        return self._protected.ideas.history(idea_id)

    # ---- the others ----------------------------------------------------------------------------------------------

    def nearest(self, query: Any, k: int = 10, metric: str = "bottleneck") -> Nearest:
        """The ``k`` shapes of the registry whose diagrams are nearest to one, as computing all distances would find.

        Left out are spectra, shapes whose vertices were not kept, and clouds whose diagram would cost too much.

        Parameters
        ----------
        query : array_like of shape (n_points, dim), or Diagram
            A complete diagram of the filtration, scale and field (Z/2) of these cells; compared are the dimensions of
            homology that it and they have.
        k : int
            >= 1; all are returned when fewer are there. A shape that was recorded more than once comes once.
        metric : {"bottleneck", "wasserstein_1", "wasserstein_2"}

        Returns
        -------
        Nearest
            ``neighbours`` ((shape_id, distance), nearest first), and how many exact distances it took.

        Raises
        ------
        BadInput
            A query that is neither, ``k`` below 1, or an unknown metric.
        TooLarge
            The query, or the index of the registry, would not fit into memory.
        """
        diagram = query
        if not isinstance(query, Diagram):
            cloud = cloud_of(query, name="query")
            cloud.points("query")  # refuses what is no cloud of points
            diagram = self.diagrams.persistence(cloud, **self._measure.options())
        if diagram.filtration != self._measure.kind:
            raise BadInput(f"query: expected a diagram of {self._measure.kind!r}, got {diagram.filtration!r}")
        return self._search.nearest(diagram, k, metric)

    # ---- a series ------------------------------------------------------------------------------------------------

    def compute_homology_persistence(self, time_series: Iterable[Any]) -> dict[str, Any]:
        """The diagrams of a series of clouds, statistics over them, and the classes followed from each to the next.

        Parameters
        ----------
        time_series : iterable of (n_points, dim) arrays
            Their sizes may differ. Nothing is recorded in the registry.

        Returns
        -------
        dict
            ``persistence_data``: per step ``betti``, ``diagrams`` (dimension -> (n_pairs, 2) float64), ``complete``
            (False: behind the first 256 MiB only the 64 longest bars of a dimension) and ``rule``. ``statistics``:
            ``b0_mean``, ``b0_std``, ``b1_mean``, ``b1_std`` (over the steps where the number is decided) and
            ``stable_features``, the number of tracks that are a feature in every step. ``tracks``, in dimensions >= 1:
            dicts with ``dimension``, ``start``, ``stop``, ``births``, ``deaths``, ``is_feature``. ``vineyard``: a
            :class:`toriwork.topology.Vineyard` of the same classes and those of H0.

        Raises
        ------
        BadInput
            A cloud is not usable; the message has its index.
        """
        series = Series()
        if not isinstance(time_series, Iterable):
            raise BadInput(f"time_series: expected clouds one after the other, got {time_series!r:.80}")
        for index, cloud in enumerate(time_series):
            try:
                numbers = self._numbers.of(checked_shape(cloud))
            except BadInput as error:
                raise BadInput(f"cloud {index} of the series: {error}") from error
            series.add(numbers, self._numbers.features(numbers))
        return series.result()

    # ---- the frame -----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when registry, diagrams and ideas survive a power cut."""
        self.registry.flush()
        self.diagrams.flush()
        self._protected.ideas.flush()

    def close(self) -> None:
        """Give up the files of ideas and diagrams; the registry stays open. The next call that needs one opens it."""
        self._protected.ideas.close()
        self.diagrams.close()

    def after_fork(self) -> None:
        """In a child: locks that no vanished thread holds."""
        self._search.after_fork()
        self._protected.after_fork()

    def __enter__(self) -> TorusCells:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        n_answers = self.diagrams.cache.count(Numbers)
        return (
            f"TorusCells({shown_path(self.registry.path)!r}, max_dimension={self.max_dimension}): "
            f"{len(self._protected.ideas.protected())} protected ideas, {n_answers} answers in memory, "
            f"backend {self.backend}"
        )


def _checked(registry: Any) -> TorusRegistry:
    if not isinstance(registry, TorusRegistry):
        raise BadInput(f"registry: expected a TorusRegistry, got {registry!r:.80}")
    return registry


def _rows_of(wanted: Iterable[tuple[float, float]], bars: list[list[float]], name: str, convention: str) -> list[int]:
    """The row of each protected bar, every one taken once."""
    rows: list[int] = []
    for birth, death in wanted:
        same = [row for row, bar in enumerate(bars) if bar == [birth, death] and row not in rows]
        if not same:
            words = f"expected bars of {convention}, got {birth:.6g} to {death:.6g}"
            raise BadInput(f"{name}: {words} of another convention or version; update the idea first")
        rows.append(same[0])
    return rows


def _check_name(idea_id: Any) -> None:
    if not isinstance(idea_id, str) or not idea_id:
        raise BadInput(f"idea_id: expected a text that is not empty, got {shown(idea_id)}")
    try:
        idea_id.encode()
    except UnicodeEncodeError:
        raise BadInput(f"idea_id: expected text that UTF-8 can hold, got a lone surrogate: {shown(idea_id)}") from None


def _notes(metadata: Mapping[str, Any] | None) -> Mapping[str, Any]:
    metadata_text(metadata)  # refuses what has no JSON form
    if metadata is not None and OUR_KEY in metadata:
        raise BadInput(f"metadata: expected no key {OUR_KEY!r}, which TorusCells writes")
    return {} if metadata is None else metadata
