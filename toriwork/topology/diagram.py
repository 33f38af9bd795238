"""The one Diagram type: ragged, never padded, essential classes kept with death = inf.

A diagram is a value: frozen, read-only arrays, equal by content. Computing one is the work of ``compute.py``,
judging one that of ``significance.py``; pictures are drawn elsewhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.checks import as_array, as_float64
from toriwork.errors import BadInput
from toriwork.topology.columns import columns_of, frame_of, header_text
from toriwork.topology.inputs import distance_matrix
from toriwork.topology.render import bar_row, diagram_html, diagram_text

if TYPE_CHECKING:
    from toriwork.topology.representatives import Representative

Scale = Literal["diameter", "radius", "value"]
SCALES: tuple[Scale, ...] = ("diameter", "radius", "value")
_FORMAT = "toriwork diagram 1"
_CONVENTION = ("filtration", "scale", "field", "max_dimension", "threshold", "min_persistence")
#: filtrations whose stability theorem certifies a class against moves of the points
CERTIFYING = ("rips", "alpha", "cech", "delaunay_cech")


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a diagram came about: enough to compute it again and to explain a difference of two engines."""

    engine: str
    version: str
    filtration: str
    field: int
    scale: str
    max_dimension: int
    threshold: float  #: what the caller asked for; inf when nothing was to be cut
    #: wall time of distances and engine together; not shown, so that two runs look the same
    seconds: float = dataclasses.field(repr=False)
    n_points: int
    reason: str = ""  #: why this engine was taken
    parameters: str = ""  #: of the filtration, JSON text; empty when it has none
    error: float = 0.0  #: the bottleneck distance to the exact diagram is at most this, rounding of float64 aside

    def __reduce__(self) -> tuple[Any, ...]:
        # a cluster sends very many, and of a dataclass with slots pickle looks up the fields each time
        return Provenance, tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Diagram:
    """Persistence pairs of one filtration in all dimensions 0..max_dimension.

    Parameters
    ----------
    pairs : array_like of shape (n_pairs, 3)
        float64: dimension, birth, death. Births are finite, deaths may be +inf. They are sorted (dimension, birth,
        death), and pairs with death - birth <= ``min_persistence`` are dropped, zero-length ones always.
    max_dimension : int
        Highest homology dimension that was computed; a dimension without a bar is known to have none.
    filtration : str
        "rips", "alpha", ...
    scale : {"diameter", "radius", "value"}
        The unit of births and deaths: edge length, ball radius, or the values of a function.
    field : int
        Prime p of the coefficients Z/p.
    threshold : float
        Scale at which the filtration was really cut; inf when it is complete. Nothing is known beyond it.
    min_persistence : float
        Bars of at most this persistence were dropped (0: only the zero-length ones).
    censored : array_like of shape (n_pairs,), optional
        True where death = inf only says "later than threshold". Empty: no bar is censored.
    provenance : Provenance, optional
        Not part of equality nor of the content id.

    Raises
    ------
    BadInput
        A pair dies before it is born, is NaN, has no integer dimension within 0..max_dimension, or is censored and
        ends; the message names the first bad row. Or the convention is none.

    Examples
    --------
    >>> from toriwork import persistence
    >>> diagram = persistence([[0, 0], [0, 1], [1, 1], [1, 0]])
    >>> diagram.betti(1.2)
    (1, 1)
    >>> diagram.protection_radius().round(3).tolist()
    [0.25, 0.25, 0.25, inf, 0.104]
    """

    pairs: NDArray[np.float64]
    max_dimension: int
    filtration: str = "rips"
    scale: Scale = "diameter"
    field: int = 2
    threshold: float = math.inf
    min_persistence: float = 0.0
    censored: NDArray[np.bool_] = dataclasses.field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        self._check_convention()
        pairs = _checked_pairs(self.pairs, self.max_dimension)
        censored = np.array(self.censored, dtype=np.bool_) if len(self.censored) else np.zeros(len(pairs), np.bool_)
        if censored.shape != (len(pairs),):
            raise BadInput(f"censored: expected shape ({len(pairs)},), got {censored.shape}")
        _refuse(pairs, censored & np.isfinite(pairs[:, 2]), "is censored, but its death is known")
        kept = pairs[:, 2] - pairs[:, 1] > self.min_persistence
        if not kept.all():
            pairs, censored = pairs[kept], censored[kept]
        if not _in_order(pairs):
            order = np.lexsort((pairs[:, 2], pairs[:, 1], pairs[:, 0]))
            pairs, censored = pairs[order], censored[order]
        pairs.setflags(write=False)
        censored.setflags(write=False)
        object.__setattr__(self, "pairs", pairs)
        object.__setattr__(self, "censored", censored)

    def _check_convention(self) -> None:
        if self.scale not in SCALES:
            raise BadInput(f"scale: expected one of {', '.join(SCALES)}, got {self.scale!r}")
        whole: Any = (self.max_dimension, self.field)
        if not all(isinstance(number, int | np.integer) for number in whole) or whole[0] < 0 or whole[1] < 2:
            raise BadInput(f"max_dimension and field: expected integers from 0 and from 2 on, got {whole}")
        if math.isnan(self.threshold) or not 0 <= self.min_persistence < math.inf:
            raise BadInput(
                "threshold and min_persistence: expected a number, and a finite one >= 0, got "
                f"{self.threshold!r} and {self.min_persistence!r}"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        # unpickled arrays could be written to; through here they are checked and locked as at first
        return Diagram, tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def in_dimension(self, k: int) -> NDArray[np.float64]:
        """Births and deaths of H_k, shape (n_pairs, 2) float64, read-only; essential classes have death = inf."""
        start, stop = self._rows(k)
        return self.pairs[start:stop, 1:]

    def persistence(self, k: int) -> NDArray[np.float64]:
        """Lengths death - birth of the bars of H_k in the order of :meth:`in_dimension`; inf when essential."""
        bars = self.in_dimension(k)
        return bars[:, 1] - bars[:, 0]

    def betti(self, r: float) -> tuple[int, ...]:
        """Betti numbers of the complex at scale ``r``, one per dimension: bars with birth <= r < death.

        This is a function of the scale. It is neither the number of features above a threshold
        (:func:`toriwork.topology.count_above`) nor the Betti number of the space behind a sample
        (:func:`toriwork.topology.estimate_betti`).

        Raises
        ------
        BadInput
            ``r`` is not finite, or beyond the scale at which the diagram was cut.
        """
        return self.persistent_betti(r, r)

    def persistent_betti(self, r: float, s: float) -> tuple[int, ...]:
        """Number of classes per dimension that are alive at ``r`` and still alive at ``s`` >= r.

        Bars with birth <= r and death > s. With ``min_persistence`` > 0 only the bars that were kept count.
        """
        self._within_reach([r, s])
        if r > s:
            raise BadInput(f"persistent_betti: expected r <= s, got r={r}, s={s}")
        alive = self.pairs[(self.pairs[:, 1] <= r) & (s < self.pairs[:, 2]), 0].astype(np.intp)
        return tuple(np.bincount(alive, minlength=self.max_dimension + 1).tolist())

    def betti_curve(self, k: int, grid: ArrayLike) -> NDArray[np.int64]:
        """Betti number of H_k at each scale of ``grid``: shape (n_grid,) int64."""
        scales = self._within_reach(grid)
        bars = self.in_dimension(k)
        born = np.searchsorted(bars[:, 0], scales, side="right")
        died = np.searchsorted(np.sort(bars[:, 1]), scales, side="right")
        return np.asarray(born - died, dtype=np.int64)

    def protection_radius(self) -> NDArray[np.float64]:
        """How far every point may move before each bar can vanish: shape (n_pairs,) float64, >= 0.

        A quarter of the persistence in diameters, half of it in radii; points that are added within that distance of
        the old ones are covered too. It certifies the class, not its numbers, and only against this diagram: moves do
        not add up. inf for essential classes; for censored bars by the part that is known. The rounding of engines
        that compute in float32 is taken off first.

        Raises
        ------
        BadInput
            The filtration certifies nothing: it is no exact Rips, alpha or Cech filtration.

        Sources
        -------
        Chazal, de Silva & Oudot 2014, doi:10.1007/s10711-013-9937-z, sect. 5.
        """
        if self.filtration not in CERTIFYING:
            raise BadInput(f"protection_radius: expected one of {', '.join(CERTIFYING)}, got {self.filtration!r}")
        _, births, deaths = self.pairs.T
        error = self.provenance.error if self.provenance is not None else 0.0
        known = np.maximum(np.where(self.censored, self.threshold, deaths) - births - 2.0 * error, 0.0)
        return np.asarray(known / (4.0 if self.scale == "diameter" else 2.0))

    def representatives(
        self, k: int = 1, *, points: Any = None, distances: Any = None, which: Any = "longest", n: int = 1
    ) -> tuple[Representative, ...]:
        """Points that make classes of H_k, one :class:`Representative` for each bar that is asked for, in that order.

        A class has many representatives; this is one of them. A diagram is a value without its cloud: the points, or
        their distances, are handed over again. Edges are taken by length, equal ones by their larger, then their
        smaller point; triangles of one last edge by their third point, tetrahedra by the larger, then the smaller of
        the two others. In that order each class has one simplex that bears it and one that ends it. H0: the component
        whose first point is later ends where two meet. H1: a cycle through the birth edge, the shortest of those that
        are not zero before the death and are zero from the last edge of the death triangle on. H2: the same of a closed
        surface through the birth triangle; the one of the smallest area, where that one ends with the class and up to
        40,000 triangles are there at its birth.

        Parameters
        ----------
        k : {0, 1, 2}
            Homology dimension of a Rips diagram; 2 with coefficients in Z/2 alone.
        points, distances : array_like
            As they were given to :func:`persistence`, one of the two.
        which : int, sequence of int, or "longest"
            Rows of ``in_dimension(k)``, or its ``n`` longest bars, the longest first.

        Raises
        ------
        BadInput
            Another filtration or dimension, no such row, or points that do not have that bar.
        TooLarge
            The distances do not fit, or too many older loops that live longer lie in the way. H2: as for the
            diagram up to the death of the bars; or too many bars.

        Examples
        --------
        >>> from toriwork import persistence
        >>> octahedron = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]]
        >>> (void,) = persistence(octahedron, max_dimension=2).representatives(2, points=octahedron)
        >>> void.birth_simplex, void.death_simplex, len(void.triangles), round(void.area, 3)
        ((3, 4, 5), (0, 3, 4, 5), 8, 6.928)
        """
        from toriwork.topology.clouds import cloud_of
        from toriwork.topology.cost_model import admit_matrix
        from toriwork.topology.representatives import chosen_bars, representatives_of

        if self.filtration != "rips" or k not in (0, 1, 2):
            raise BadInput(f"representatives: expected H0, H1 or H2 of a Rips diagram, got H{k} of {self.filtration!r}")
        if k == 2 and self.field != 2:
            raise BadInput(f"representatives: expected field 2 for H2, got {self.field}; H0 and H1 take every field")
        bars = self.in_dimension(k)
        if distances is None and points is not None:
            admit_matrix(len(cloud_of(points).points()))
        matrix = distance_matrix(points, distances)
        wanted, factor = chosen_bars(bars, which, n, k), 1.0 if self.scale == "diameter" else 0.5
        complete = self.min_persistence == 0.0
        return representatives_of(
            bars, wanted, k, matrix, factor=factor, field=self.field, cut=self.threshold, complete=complete
        )

    def plot(self, kind: str = "diagram", **options: Any) -> Any:
        """A picture of this diagram, with ``save`` for a paper; see :func:`toriwork.plots.picture_of`.

        Parameters
        ----------
        kind : {"diagram", "barcode", "betti_curves", "landscape", "image"}
            Which picture.
        **options
            ``size_mm``, ``title``, ``xlabel``, ``ylabel``, ``colours``, and those of the figure, ``rule`` say.
        """
        # the room of figures stands above this one: it is found by its name when somebody looks (docs/decisions/135)
        return import_module("toriwork.plots").picture_of(self, kind, **options)

    def check_comparable(self, other: Diagram) -> None:
        """Raise BadInput when scale or field differ, so that births and deaths do not mean the same."""
        for name in ("scale", "field"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise BadInput(f"{name}: expected two diagrams with one {name}, got {mine} and {theirs}")

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The table of :func:`toriwork.topology.to_frame` for whoever reads Arrow, pyarrow.table first."""
        return frame_of(columns_of(self.pairs, self.censored), self.header()).__arrow_c_stream__(requested_schema)

    def header(self) -> str:
        """Conventions, provenance and content id as compact JSON text; floats in hexadecimal, none is rounded."""
        made = self.provenance
        facts = None if made is None else {name: getattr(made, name) for name in made.__dataclass_fields__}
        return header_text(dict(zip(_CONVENTION, self.convention(), strict=True)), facts, len(self), self.content_id)

    @property
    def content_id(self) -> str:
        """32 hex digits (BLAKE2b-128) of pairs, censored flags and conventions; equal exactly for equal diagrams."""
        head = json.dumps([_FORMAT, len(self.pairs), *(_exact(part) for part in self.convention())])
        digest = hashlib.blake2b(head.encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.pairs, dtype="<f8").tobytes())
        digest.update(self.censored.tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Diagram):
            return NotImplemented
        return (
            self.convention() == other.convention()
            and np.array_equal(self.pairs, other.pairs)
            and np.array_equal(self.censored, other.censored)
        )

    def __hash__(self) -> int:
        return hash(self.content_id)

    def __repr__(self) -> str:
        return diagram_text(*self._facts())

    def _repr_html_(self) -> str:
        return diagram_html(*self._facts())

    def _facts(self) -> tuple[list[str], list[tuple[str, ...]]]:
        """A list of statements, and one table row per dimension."""
        made = self.provenance
        lines = [f"{self.filtration} filtration, scale = {self.scale}, coefficients Z/{self.field}"]
        if math.isfinite(self.threshold):
            lines.append(f"cut at {self.threshold:.6g}: censored bars die later than that")
        if self.min_persistence > 0:
            lines.append(f"bars of persistence <= {self.min_persistence:.6g} were dropped")
        if made is not None:
            lines.append(f"{made.n_points} points, engine {made.engine} {made.version}")
        dimensions = range(self.max_dimension + 1)
        n_censored = np.bincount(self.pairs[self.censored, 0].astype(np.intp), minlength=len(dimensions))
        return lines, [bar_row(k, self.in_dimension(k), int(n_censored[k])) for k in dimensions]

    def convention(self) -> tuple[str, str, int, int, float, float]:
        """Everything beside the bars that two diagrams must share to be equal."""
        numbers = (float(self.threshold), float(self.min_persistence))
        return self.filtration, self.scale, self.field, self.max_dimension, *numbers

    def _rows(self, k: Any) -> tuple[int, int]:
        if not isinstance(k, int | np.integer) or not 0 <= k <= self.max_dimension:
            raise BadInput(f"dimension: 0 to {self.max_dimension} was computed, asked was {k!r}")
        start, stop = np.searchsorted(self.pairs[:, 0], np.array([k, k + 1]))
        return int(start), int(stop)

    def _within_reach(self, given: Any) -> NDArray[np.float64]:
        """The scales as float64, shape (n_scales,), when this diagram knows them all."""
        array = as_array(given, name="scale")
        if array.size and array.dtype.kind not in "fiub":
            raise BadInput(f"scale: expected real numbers, got {given!r}")
        scales = as_float64(array).ravel()
        if not np.isfinite(scales).all():
            raise BadInput("scale: expected a finite number, got NaN or infinity")
        if scales.size and scales.max() > self.threshold:
            raise BadInput(f"scale: {scales.max()} lies beyond {self.threshold}, where this diagram was cut")
        return scales


def _in_order(pairs: NDArray[np.float64]) -> bool:
    """True when rows rise by dimension, birth and death."""
    before, after = pairs[:-1], pairs[1:]
    rises, same = before < after, before == after
    return bool((rises[:, 0] | same[:, 0] & (rises[:, 1] | same[:, 1] & (rises[:, 2] | same[:, 2]))).all())


def _exact(part: str | float) -> str | float:
    return part.hex() if isinstance(part, float) else part


def _checked_pairs(given: Any, max_dimension: int) -> NDArray[np.float64]:
    try:
        pairs = np.array(given, dtype=np.float64, order="C", ndmin=2)
    except (TypeError, ValueError) as error:
        raise BadInput(f"pairs: expected real numbers of shape (n_pairs, 3): {error}") from error
    if pairs.size == 0:
        pairs = pairs.reshape(0, 3)
    if pairs.ndim != 2 or pairs.shape[1] != 3:
        raise BadInput(f"pairs: expected shape (n_pairs, 3), got {pairs.shape}")
    pairs += 0.0  # -0.0 becomes 0.0: one content, one id
    dimension, birth, death = pairs.T
    integral = (dimension == np.floor(dimension)) & (dimension >= 0) & (dimension <= max_dimension)
    begins, lives = np.isfinite(birth), death >= birth
    if not (integral & begins & lives).all():  # asked once: most diagrams are made by engines
        _refuse(pairs, ~integral, f"its dimension is none of 0 to {max_dimension}")
        _refuse(pairs, ~begins, "its birth is not finite")
        _refuse(pairs, ~lives, "dies before it is born")
    return pairs


def _refuse(pairs: NDArray[np.float64], bad: NDArray[np.bool_], why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise BadInput(f"pairs: row {row}: {why}: {pairs[row].tolist()}")
