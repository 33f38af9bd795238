"""The only file that knows gudhi, ripser and redzed: distance matrix, cloud or grid in, bars per dimension out.

What reaches an engine has passed ``clouds.py``.  The engines that compute in float32 are handed a matrix that was
scaled by a power of two, so that no finite distance over- or underflows there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput, EngineError, MissingExtra, TooLarge, ToriworkError
from toriwork.topology.clouds import enclosing_radius
from toriwork.topology.simple import rips_bars

Matrix = NDArray[np.float64]
Bars = list[NDArray[np.float64]]

LARGEST_PRIME = 46_337  #: of a field; the square of a larger one would leave 31 bits


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to compute Rips bars: ``compute(distances, max_dimension, threshold, field)``."""

    name: str
    distribution: str  #: name under which its version is found
    needs: tuple[str, ...]  #: top-level modules that must be importable
    compute: Callable[[Matrix, int, float, int], Bars]
    largest_field: int  #: the largest prime p of Z/p that its arithmetic can hold
    maintained: bool = True  #: False: never taken unless asked for by name
    relative_error: float = 0.0  #: of each birth and death; beyond the rounding of float64
    compute_many: Callable[[list[Matrix], int, int], list[Bars]] | None = None  #: untruncated; cheaper than one by one
    compute_collapsed: Callable[[Matrix, int, float, int], Bars] | None = None  #: as compute, edges collapsed before
    install: str = ""  #: what to hand to pip; the distribution itself when empty


def run_engine(
    engine: Engine, distances: Matrix, max_dimension: int, threshold: float, field: int, *, collapse: bool = False
) -> Bars:
    """Bars of H0..H_max_dimension as (n_bars, 2) float64 arrays; n_points >= 1; inf where ``threshold`` cut.

    ``collapse`` removes edges first that change no bar, where the engine can; less memory, and faster for large loops.
    """
    if field > engine.largest_field:
        raise BadInput(f"field: expected a prime up to {engine.largest_field} for engine {engine.name}, got {field}")
    compute = engine.compute_collapsed if collapse and engine.compute_collapsed else engine.compute
    return guarded(
        lambda: compute(distances, max_dimension, threshold, field),
        f"{len(distances)} points, H{max_dimension}",
        f"engine {engine.name}",
        engine.install or engine.distribution,
    )


def run_best(  # what an engine is asked, and which
    distances: Matrix, max_dimension: int, threshold: float, name: str, field: int, *, collapse: bool = False
) -> tuple[Bars, Engine, str]:
    """Rips bars by the engine of that name, that engine, and why it was taken; no points, no bars.

    With "auto" an engine that is installed but broken (a binary built for another NumPy) is passed over.
    """
    used, reason = pick_engine(name, field)
    if len(distances) == 0:
        return [np.empty((0, 2))] * (max_dimension + 1), used, reason
    others = [engine for engine in _usable(field) if engine is not used] if name == "auto" else []
    failure: MissingExtra | None = None
    for engine in (used, *others):
        try:
            bars = run_engine(engine, distances, max_dimension, threshold, field, collapse=collapse)
        except MissingExtra as error:
            failure = failure or error
            continue
        return bars, engine, reason if engine is used else f"{used.name} is installed but could not be imported"
    assert failure is not None  # no engine has returned
    raise failure


def guarded(work: Callable[[], Bars], what: str, name: str = "gudhi", install: str = "gudhi") -> Bars:
    """The answer of ``work``, a foreign library's errors turned into MissingExtra, TooLarge and EngineError."""
    try:
        return work()
    except ToriworkError:
        raise
    except ImportError as error:
        raise MissingExtra(f"{name} cannot be imported ({error}): pip install {install}") from error
    except MemoryError as error:
        raise TooLarge(f"{name}: no memory for {what}") from error
    except Exception as error:  # whatever a foreign library raises becomes one known type
        raise EngineError(f"{name} failed on {what}: {error}") from error


def delaunay_bars(cloud: Matrix, max_dimension: int, field: int, *, cech: bool) -> Bars:
    """Alpha or Delaunay-Cech bars in radii; the cloud is checked, finite, n_points >= 1.

    This part of gudhi stands on CGAL and is under the GPL, version 3; it is called here and nowhere else.
    """
    import gudhi

    made = gudhi.DelaunayCechComplex(points=cloud) if cech else gudhi.AlphaComplex(points=cloud)
    tree = made.create_simplex_tree(output_squared_values=False)
    return _intervals(tree, max_dimension, field)


def weighted_bars(values: Matrix, max_dimension: int, field: int) -> Bars:
    """Bars of the flag complex whose vertices enter at the diagonal of ``values`` and whose edges at the rest."""
    import gudhi

    tree = gudhi.SimplexTree.create_from_array(values)
    tree.expansion(max_dimension + 1)
    return _intervals(tree, max_dimension, field)


def grid_bars(values: Matrix, max_dimension: int, field: int, *, on_vertices: bool) -> Bars:
    """Sublevel bars of a function on the cells, or on the vertices, of a grid; ``values`` finite, size >= 1."""
    import gudhi

    made = gudhi.CubicalComplex(vertices=values) if on_vertices else gudhi.CubicalComplex(top_dimensional_cells=values)
    return _intervals(made, max_dimension, field)


def staying_edges(distances: Matrix, largest: float) -> float:
    """The share of the edges up to ``largest`` that an edge collapse leaves; 1 where gudhi is not there to try."""
    try:
        import gudhi
    except ImportError:
        return 1.0
    tree: Any = gudhi.SimplexTree.create_from_array(distances, max_filtration=largest)
    edges: int = tree.num_simplices() - tree.num_vertices()
    tree.collapse_edges()
    staying: int = tree.num_simplices() - tree.num_vertices()
    return staying / max(edges, 1)


def hera_bottleneck(first: Matrix, second: Matrix) -> float:
    """The exact bottleneck distance of two (n_bars, 2) arrays of finite bars; Hera in gudhi, BSD licence."""
    hera = _hera()
    largest = max(float(np.abs(bars).max(initial=0.0)) for bars in (first, second))
    power = 400 - math.frexp(largest)[1]  # Hera takes distances below 1e-9 for 0: a scale where none is that small
    return math.ldexp(hera.bottleneck_distance(np.ldexp(first, power), np.ldexp(second, power), 0.0), -power)


def hera_wasserstein(first: Matrix, second: Matrix, order: float, internal_p: float, relative_error: float) -> float:
    """The Wasserstein distance of finite bars, at most the relative error too large; Hera in gudhi, BSD licence."""
    found = _hera().wasserstein_distance(first, second, order=order, internal_p=internal_p, delta=relative_error)
    return float(found)


def _hera() -> Any:
    try:
        from gudhi import hera
    except ImportError as error:
        raise MissingExtra(f"gudhi cannot be imported ({error}): pip install gudhi") from error
    return hera


def _intervals(filtered: object, max_dimension: int, field: int) -> Bars:
    tree: Any = filtered
    options = {"persistence_dim_max": True} if hasattr(tree, "expansion") else {}  # a grid has no such switch
    tree.compute_persistence(homology_coeff_field=field, min_persistence=0, **options)
    found = (tree.persistence_intervals_in_dimension(k) for k in range(max_dimension + 1))
    return [np.asarray(bars, dtype=np.float64).reshape(-1, 2) for bars in found]


def available_engines() -> tuple[str, ...]:
    """Names of the maintained engines that can be imported here, best first; none of them is imported for that."""
    return tuple(engine.name for engine in _usable(2))


def pick_engine(name: str, field: int) -> tuple[Engine, str]:
    """The engine of that name, or with "auto" the best one here that knows the field, and the reason in words."""
    if name != "auto":
        for engine in ENGINES:
            if engine.name == name:
                return engine, "asked for by name"
        raise BadInput(f"engine: expected one of auto, {', '.join(e.name for e in ENGINES)}, got {name!r}")
    for engine in _usable(field):
        return engine, "best maintained engine installed here"
    raise MissingExtra(f"field {field} needs gudhi or ripser: pip install gudhi")


def _usable(field: int) -> list[Engine]:
    return [e for e in ENGINES if e.maintained and is_installed(e) and field <= e.largest_field]


@cache
def is_installed(engine: Engine) -> bool:
    """True when every module that the engine needs can be found; nothing is imported."""
    return all(util.find_spec(module) is not None for module in engine.needs)


@cache
def engine_version(engine: Engine) -> str:
    """Version of the installed distribution, or "unknown"."""
    try:
        return metadata.version(engine.distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def _gudhi(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    return _gudhi_many([distances], max_dimension, field, threshold)[0]


def _gudhi_collapsed(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    return _gudhi_many([distances], max_dimension, field, threshold, collapses=1)[0]


def _gudhi_many(
    matrices: list[Matrix], max_dimension: int, field: int, threshold: float = math.inf, collapses: int | str = "auto"
) -> list[Bars]:
    from gudhi.sklearn.rips_persistence import RipsPersistence  # the MIT part; no CGAL

    model = RipsPersistence(
        homology_dimensions=list(range(max_dimension + 1)),
        threshold=threshold,
        num_collapses=collapses,
        input_type="full distance matrix",
        homology_coeff_field=field,  # gudhi's own default is 11
        n_jobs=1,
    )
    bars: list[Bars] = model.fit_transform(matrices)
    return bars


def _ripser(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    from ripser import ripser

    def compute(matrix: Matrix, cut: float) -> Bars:
        bars: Bars = ripser(matrix, maxdim=max_dimension, thresh=cut, coeff=field, distance_matrix=True)["dgms"]
        return bars

    return _in_single_precision(compute, distances, threshold)


def _redzed(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    del field  # Z/2 only, checked before
    import redzed_tda

    def compute(matrix: Matrix, cut: float) -> Bars:
        found = redzed_tda.rips(matrix, maxdim=max_dimension, threshold=cut)
        return [np.asarray(bars, dtype=np.float64).reshape(-1, 2) for bars in found]

    return _in_single_precision(compute, distances, threshold)


def _simple(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    del field  # Z/2 only, checked before
    # beyond the enclosing radius the complex is a cone: no bar changes any more
    cone = enclosing_radius(distances)
    return rips_bars(distances, max_dimension, min(threshold, cone))


def _in_single_precision(compute: Callable[[Matrix, float], Bars], distances: Matrix, threshold: float) -> Bars:
    """Bars of an engine that computes in float32, at most 2^-24 of each value away from the exact ones."""
    largest = float(distances.max())
    factor = math.ldexp(1.0, math.frexp(largest)[1] - 1) if largest > 0 else 1.0
    cut = threshold / factor if factor else threshold
    bars = compute(distances / factor, cut)
    # rounding to float32 may carry a value past the cut: it is no later than the cut
    return [np.where(np.isinf(b), b, np.minimum(b, cut)) * factor for b in bars]


_GUDHI_NEEDS = ("gudhi", "sklearn", "scipy")
#: best first; "auto" takes the first maintained one that is installed
ENGINES = (
    Engine("gudhi", "gudhi", _GUDHI_NEEDS, _gudhi, LARGEST_PRIME, True, 0.0, _gudhi_many, _gudhi_collapsed),
    Engine("ripser", "ripser", ("ripser", "scipy"), _ripser, 127, relative_error=2.0**-24),
    Engine("simple", "toriwork", (), _simple, 2),
    Engine("redzed", "redzed-tda", ("redzed_tda",), _redzed, 2, False, 2.0**-24, install="'toriwork[fast]'"),
)
