"""scikit-learn transformers: clouds to diagrams, diagrams to vectors, series or flattened clouds to vectors.

``CloudVectors`` passes ``check_estimator``. ``CloudDiagrams`` and ``DiagramVectors`` take lists, of clouds of any sizes
and of diagrams, which no rectangular array can hold; one after the other they make vectors of clouds in a pipeline.
This module imports scikit-learn; ``toriwork.topology`` does not import it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from toriwork.errors import BadInput
from toriwork.topology import vectorize
from toriwork.topology.compute import persistence
from toriwork.topology.diagram import Diagram
from toriwork.topology.many import persistence_many

KINDS = ("landscape", "silhouette", "image", "betti", "lengths", "entropy")
Vectors = NDArray[np.float64]


class CloudDiagrams(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[misc, call-arg]  # it has no types
    """A diagram of each cloud of a list, side by side; clouds may have different numbers of points.

    Nothing is fitted. In a pipeline with ``memory=`` the diagrams are computed once for the same clouds and parameters.
    The parameters are those of :func:`toriwork.topology.persistence`, and ``max_workers`` of
    :func:`toriwork.topology.persistence_many`.
    """

    def __init__(
        self,
        filtration: Any = "rips",
        *,
        max_dimension: int = 1,
        scale: str | None = None,
        metric: Any = "euclidean",
        field: int = 2,
        threshold: float = math.inf,
        min_persistence: float = 0.0,
        max_workers: int | None = None,
    ) -> None:
        self.filtration = filtration
        self.max_dimension = max_dimension
        self.scale = scale
        self.metric = metric
        self.field = field
        self.threshold = threshold
        self.min_persistence = min_persistence
        self.max_workers = max_workers

    def fit(self, X: Iterable[Any], y: Any = None) -> CloudDiagrams:  # noqa: N803  # scikit-learn's name
        """The transformer itself; ``X`` and ``y`` are ignored."""
        return self

    def transform(self, X: Iterable[Any]) -> list[Diagram]:  # noqa: N803  # scikit-learn's name
        """The diagram of each cloud, in order.

        Raises
        ------
        BadInput, MissingExtra, EngineError, TooLarge
            The error of the first cloud that has one, with its number.
        """
        options = self.get_params()
        workers = options.pop("max_workers")
        results = sorted(
            persistence_many(list(X), max_workers=workers, progress=False, **options), key=lambda r: r.index
        )
        for result in results:
            if result.error is not None:
                raise type(result.error)(f"cloud {result.index}: {result.error}") from result.error
        return [result.diagram for result in results if result.diagram is not None]

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """One name: a diagram is one object."""
        return np.array(["diagram"], dtype=object)

    def set_output(self, *, transform: str | None = None) -> CloudDiagrams:
        """The transformer itself, since diagrams come as a list and in no frame; for pipelines, which ask all steps."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


class DiagramVectors(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Vectors of diagrams in H_k on one grid, which ``fit`` spans over the finite bars that it sees.

    Parameters
    ----------
    kind : {"landscape", "silhouette", "image", "betti", "lengths", "entropy"}
        See ``toriwork.topology.vectorize``; "betti" is the Betti curve.
    k : int
        Dimension of homology.
    resolution : int
        Values of the grid; an image has resolution x resolution pixels; the number of lengths.
    n_layers : int
        Of a landscape.
    power : float
        Exponent of the persistence as a weight, for silhouette and image.

    Attributes
    ----------
    first_, limits_
        The first diagram seen, whose scale and field all others must have; least birth, largest death, largest
        persistence of the fit.
    """

    def __init__(
        self, kind: str = "landscape", *, k: int = 1, resolution: int = 20, n_layers: int = 3, power: float = 1.0
    ) -> None:
        self.kind = kind
        self.k = k
        self.resolution = resolution
        self.n_layers = n_layers
        self.power = power

    def fit(self, X: Iterable[Diagram], y: Any = None) -> DiagramVectors:  # noqa: N803  # scikit-learn's name
        """The transformer with its grid; ``X`` is one or more diagrams, ``y`` is ignored.

        Raises
        ------
        BadInput
            No diagram, diagrams that do not mean the same, or a parameter out of range.
        """
        diagrams = list(X)
        if self.kind not in KINDS:
            raise BadInput(f"kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")
        if not diagrams or self.resolution < 1:
            raise BadInput(f"fit: expected diagrams and a resolution >= 1, got {len(diagrams)} diagrams")
        self.first_ = diagrams[0]
        bars = np.vstack([self._bars(diagram) for diagram in diagrams])
        if not len(bars):
            bars = np.array([[0.0, 1.0]])  # nothing was seen: any grid will do
        self.limits_ = (
            float(bars[:, 0].min()),
            float(bars[:, 1].max()),
            float((bars[:, 1] - bars[:, 0]).max()),
        )
        return self

    def transform(self, X: Iterable[Diagram]) -> Vectors:  # noqa: N803  # scikit-learn's name
        """One row per diagram: shape (n_diagrams, n_features) float64.

        Raises
        ------
        BadInput
            A diagram of another scale or field, or one that was cut.
        """
        check_is_fitted(self)
        rows = [self._vector(diagram) for diagram in X]
        return np.vstack(rows) if rows else np.empty((0, self._n_features_out))

    @property
    def _n_features_out(self) -> int:
        """The length of a vector, by which scikit-learn names the columns."""
        return len(self._vector(self.first_))

    def _bars(self, diagram: Diagram) -> Vectors:
        self.first_.check_comparable(diagram)
        return vectorize.finite_bars(diagram, self.k)

    def _vector(self, diagram: Diagram) -> Vectors:
        self._bars(diagram)
        least, last, longest = self.limits_
        grid = np.linspace(least, last, self.resolution)
        if self.kind == "landscape":
            return vectorize.landscape(diagram, self.k, grid, n_layers=self.n_layers).ravel()
        if self.kind == "silhouette":
            return vectorize.silhouette(diagram, self.k, grid, power=self.power)
        if self.kind == "image":
            births, lengths = (np.linspace(a, b, self.resolution + 1) for a, b in ((least, last), (0.0, longest)))
            width = (last - least) / self.resolution
            return vectorize.persistence_image(
                diagram, self.k, births, lengths, bandwidth=width, power=self.power
            ).ravel()
        if self.kind == "betti":
            return diagram.betti_curve(self.k, grid).astype(np.float64)
        if self.kind == "lengths":
            return vectorize.lengths(diagram, self.k, self.resolution)
        return np.array([vectorize.entropy(diagram, self.k)])


class CloudVectors(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Vectors of the persistence of rectangular data: each row one series, or one cloud of a fixed number of points.

    Parameters
    ----------
    dim : int
        Coordinates of a point; a row is n_points x dim numbers, point by point. 0: a row is a series.
    kind : str
        See :class:`DiagramVectors`.
    k : int
        Dimension of homology; a series has only 0.
    resolution : int
        See :class:`DiagramVectors`.
    filtration : str
        Of clouds; a series is filtered by "lower_star".

    Attributes
    ----------
    vectors_ : DiagramVectors
        Fitted to the diagrams of the rows.
    """

    def __init__(
        self, dim: int = 0, *, kind: str = "landscape", k: int = 0, resolution: int = 20, filtration: str = "rips"
    ) -> None:
        self.dim = dim
        self.kind = kind
        self.k = k
        self.resolution = resolution
        self.filtration = filtration

    def fit(self, X: Any, y: Any = None) -> CloudVectors:  # noqa: N803  # scikit-learn's name
        """The transformer with its grid; ``X`` has shape (n_samples, n_features), ``y`` is ignored.

        Raises
        ------
        ValueError
            Not a finite real array, or n_features is no multiple of ``dim``.
        """
        rows = validate_data(self, X, dtype=np.float64)
        self.vectors_ = DiagramVectors(self.kind, k=self.k, resolution=self.resolution).fit(self._diagrams(rows))
        return self

    def transform(self, X: Any) -> Vectors:  # noqa: N803  # scikit-learn's name
        """One row per sample: shape (n_samples, n_vector) float64.

        Raises
        ------
        ValueError
            Not a finite real array with the number of features of the fit.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return self.vectors_.transform(self._diagrams(rows))

    @property
    def _n_features_out(self) -> int:
        """The length of a vector, by which scikit-learn names the columns."""
        return self.vectors_._n_features_out  # noqa: SLF001  # its twin for diagrams

    def _diagrams(self, rows: Vectors) -> list[Diagram]:
        if self.dim == 0:
            return [persistence(row, filtration="lower_star", max_dimension=self.k) for row in rows]
        if rows.shape[1] % self.dim:
            raise BadInput(f"features: expected a multiple of dim = {self.dim}, got {rows.shape[1]}")
        clouds = rows.reshape(len(rows), -1, self.dim)
        return [persistence(cloud, filtration=self.filtration, max_dimension=self.k) for cloud in clouds]
