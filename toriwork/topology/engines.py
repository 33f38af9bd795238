"""The only file that knows gudhi, ripser and redzed: distances, cloud or grid in, bars per dimension out.

What reaches an engine has passed ``clouds.py``.  The engines that compute in float32 are handed the ranks of the
distances (``ranks.py``), so that all of them give the same bars, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput, EngineError, MissingExtra, TooLarge, ToriworkError
from toriwork.topology.clouds import as_condensed, as_square, drawn, enclosing_radius, n_points_of
from toriwork.topology.ranks import MOST_RANKS, Exact, Ranked, ranked
from toriwork.topology.simple import rips_bars

Matrix = NDArray[np.float64]
Bars = list[NDArray[np.float64]]
Edges = tuple[NDArray[Any], NDArray[Any], Matrix]  #: first points, second points, values
_Answer = TypeVar("_Answer")

LARGEST_PRIME = 46_337  #: of a field; the square of a larger one would leave 31 bits
COCYCLES_FIELD = 127  #: the largest prime that ripser knows
#: points up to which H2 needs no collapse; of how many of more a collapse is tried, and what share of edges is much:
#: 0.13 to 0.49 stay for clouds and graphs, 0.66 to 1 for spheres, bit strings and random numbers
FEW_FOR_H2, RIGID_PROBE, _RIGID = 50, 40, 0.55
#: redzed numbers the simplices of one dimension in 64 bits
MOST_SIMPLICES = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """One way to compute Rips bars: ``compute(distances, max_dimension, threshold, field)``.

    The distances are a square matrix, or with ``by_ranks`` its entries above the diagonal, row by row.
    """

    name: str
    distribution: str  #: name under which its version is found
    needs: tuple[str, ...]  #: top-level modules that must be importable
    compute: Callable[[Matrix, int, float, int], Bars]
    largest_field: int  #: the largest prime p of Z/p that its arithmetic can hold
    by_ranks: bool = False  #: computes in float32, over ranks
    #: untruncated, of condensed distances; cheaper than one by one
    compute_many: Callable[[list[Matrix], int, int], list[Bars]] | None = None
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
    given = as_condensed(distances) if engine.by_ranks else as_square(distances)
    compute = engine.compute_collapsed if collapse and engine.compute_collapsed else engine.compute
    return guarded(
        lambda: compute(given, max_dimension, threshold, field),
        f"{n_points_of(distances)} points, H{max_dimension}",
        f"engine {engine.name}",
        engine.install or engine.distribution,
    )


def run_best(  # what an engine is asked, and which
    distances: Matrix, max_dimension: int, threshold: float, name: str, field: int, *, collapse: bool = False
) -> tuple[Bars, Engine, str]:
    """Rips bars by the engine of that name, that engine, and why it was taken; n_points >= 1.

    ``distances`` is square or condensed. With "auto" an engine that is installed but broken (a binary built for another
    NumPy) is passed over.
    """
    n_pairs = distances.size if math.isinf(threshold) else np.count_nonzero(distances <= threshold)
    n_pairs = int(n_pairs if distances.ndim == 1 else n_pairs // 2)
    n_points = n_points_of(distances)
    rigid = name == "auto" and max_dimension == 2 and n_points > FEW_FOR_H2
    if rigid:
        some = drawn(n_points, RIGID_PROBE)
        rigid = stay_most_edges(as_square(distances)[np.ix_(some, some)])
    engines, reason = engines_for(name, field, n_points, max_dimension, n_pairs, rigid=rigid)
    failure: MissingExtra | None = None
    for engine in engines:
        try:
            bars = run_engine(engine, distances, max_dimension, threshold, field, collapse=collapse)
        except MissingExtra as error:
            failure = failure or error
            continue
        return bars, engine, reason if engine is engines[0] else f"{engines[0].name} could not be imported"
    assert failure is not None  # no engine has returned
    raise failure


def guarded(work: Callable[[], _Answer], what: str, name: str = "gudhi", install: str = "gudhi") -> _Answer:
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


def graph_cocycles(ranks: Matrix, cut: float, field: int, k: int = 1) -> list[tuple[int, NDArray[np.intp]]]:
    """Cocycles over Z/p, of the classes of H_k that are alive at ``cut``, of edges that are numbered in whole numbers.

    Each with the edge that bears the class: an array of rows (k + 1 points, value of the simplex that has them in this
    order). Together they are a basis.
    """

    def compute() -> list[tuple[int, NDArray[np.intp]]]:
        from ripser import ripser

        found = ripser(ranks, maxdim=k, thresh=cut, coeff=field, distance_matrix=True, do_cocycles=True)
        cocycles = (np.asarray(one, dtype=np.intp).reshape(-1, k + 2) for one in found["cocycles"][k])
        bars = found["dgms"][k].tolist()
        return [(int(birth), one) for one, (birth, end) in zip(cocycles, bars, strict=True) if math.isinf(end)]

    return guarded(compute, f"{len(ranks)} points, cocycles", "engine ripser", "ripser")


def delaunay_bars(
    cloud: Matrix, max_dimension: int, field: int, *, cech: bool, latest: float, weights: Matrix | None = None
) -> Bars:
    """Alpha or Delaunay-Cech bars in radii up to ``latest``; with weights alpha bars in squared radii.

    The cloud is checked, finite, n_points >= 1. This part of gudhi stands on CGAL and is under the GPL, version 3; it
    is called here and nowhere else.
    """
    import gudhi

    squared = weights is not None
    made = gudhi.DelaunayCechComplex(points=cloud) if cech else gudhi.AlphaComplex(points=cloud, weights=weights)
    tree = made.create_simplex_tree(max_alpha_square=latest, output_squared_values=squared)  # in the values' own unit
    tree.prune_above_dimension(max_dimension + 1)
    return _intervals(tree, max_dimension, field)


def weighted_edges(values: Matrix) -> Edges:
    """The edges that a collapse leaves of a weighted flag complex.

    Vertices enter at the diagonal of ``values``, edges at the rest: a vertex is there before its edges, so that the
    collapse changes no bar.
    """
    first, second = np.nonzero(np.triu(values <= enclosing_radius(values), 1))  # later nothing changes
    return collapsed_edges(len(values), (first, second, values[first, second]))


def collapsed_edges(n_points: int, edges: Edges) -> Edges:
    """The edges that a collapse leaves of a flag complex of ``n_points``."""
    from gudhi.flag_filtration.edge_collapse import reduce_graph
    from scipy.sparse import coo_matrix

    left = reduce_graph(coo_matrix((edges[2], edges[:2]), shape=(n_points, n_points)))
    return left.row, left.col, left.data


def weighted_bars(weights: Matrix, edges: Edges, max_dimension: int, field: int) -> Bars:
    """Bars of the flag complex of these edges, whose vertices enter at their weights."""
    import gudhi

    tree = gudhi.SimplexTree()
    tree.insert_batch(np.arange(len(weights))[None, :], weights)
    tree.insert_batch(np.vstack(edges[:2]), edges[2])
    tree.expansion(max_dimension + 1)
    return _intervals(tree, max_dimension, field)


def grid_bars(
    values: Matrix, max_dimension: int, field: int, *, on_vertices: bool, periodic: tuple[bool, ...] = ()
) -> Bars:
    """Sublevel bars of a function on the cells, or on the vertices, of a grid; size >= 1, inf where it has none."""
    kind, dimensions = "vertices" if on_vertices else "top_dimensional_cells", range(max_dimension + 1)
    if any(periodic):
        import gudhi

        grid: Any = gudhi.PeriodicCubicalComplex(**{kind: values}, periodic_dimensions=list(periodic))
        grid.compute_persistence(homology_coeff_field=field, min_persistence=0)
        found = [grid.persistence_intervals_in_dimension(k) for k in dimensions]
    else:
        from gudhi.sklearn import CubicalPersistence  # lines and images without a complex

        model = CubicalPersistence(list(dimensions), input_type=kind, homology_coeff_field=field, n_jobs=1)
        found = model.fit_transform([values])[0]
    bars = [np.asarray(some, dtype=np.float64).reshape(-1, 2) for some in found]
    finite = [np.isfinite(some[:, 0]) for some in bars]
    return [some if rows.all() else some[rows] for some, rows in zip(bars, finite, strict=True)]


def stay_most_edges(some: Matrix) -> bool:
    """True when a collapse of the edges of these ``RIGID_PROBE`` points leaves more than half: a millisecond tells."""
    return staying_edges(some, enclosing_radius(some)) > _RIGID


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
    tree.compute_persistence(homology_coeff_field=field, min_persistence=0, persistence_dim_max=True)
    found = (tree.persistence_intervals_in_dimension(k) for k in range(max_dimension + 1))
    return [np.asarray(bars, dtype=np.float64).reshape(-1, 2) for bars in found]


def available_engines() -> tuple[str, ...]:
    """Names of the engines that can be imported here, the one that knows most first; none is imported for that.

    Examples
    --------
    >>> from toriwork.topology import available_engines
    >>> "gudhi" in available_engines(), available_engines()[-1]
    (True, 'simple')
    """
    return tuple(engine.name for engine in _usable(2))


def pick_engine(name: str, field: int) -> tuple[Engine, str]:
    """The engine of that name, or with "auto" the first one here that knows the field, and the reason in words."""
    if name != "auto":
        for engine in ENGINES:
            if engine.name == name:
                return engine, "asked for by name"
        raise BadInput(f"engine: expected one of auto, {', '.join(e.name for e in ENGINES)}, got {name!r}")
    for engine in _usable(field):
        return engine, "first of the engines installed here"
    raise MissingExtra(f"field {field} needs gudhi or ripser: pip install gudhi")


def engines_for(
    name: str, field: int, n_points: int, max_dimension: int, n_pairs: int | None = None, *, rigid: bool = False
) -> tuple[list[Engine], str]:
    """The engines to try in turn, best first, and why the first one is taken; one alone where it was asked for.

    ``n_pairs`` of points are within the threshold, all when not given; ``rigid``: a collapse would leave most edges.
    """
    used, reason = pick_engine(name, field)
    if name != "auto":
        return [used], reason
    if n_pairs is None:
        n_pairs = n_points * (n_points - 1) // 2
    usable = _usable(field)
    # measured (docs/measurements): H2 by gudhi where a collapse leaves few edges, which a small cloud does not ask for
    ranks_pay = max_dimension <= 1 or (max_dimension == 2 and (n_points <= FEW_FOR_H2 or rigid))
    fast = [engine for engine in usable if engine.name == "redzed" and ranks_pay and n_pairs < MOST_RANKS]
    order = [*fast, *(engine for engine in usable if engine not in fast)]
    words = f"fastest exact engine for H{max_dimension} of {n_points} points" if fast else reason
    return order, words


def _usable(field: int) -> list[Engine]:
    return [e for e in ENGINES if is_installed(e) and field <= e.largest_field]


@cache
def is_installed(engine: Engine) -> bool:
    """True when every module that the engine needs can be found; nothing is imported."""
    return all(util.find_spec(module) is not None for module in engine.needs)


@cache
def engine_version(engine: Engine) -> str:
    """Version of the installed distribution, or "unknown"; engines over ranks say so, which were inexact without."""
    try:
        return metadata.version(engine.distribution) + (" over ranks" if engine.by_ranks else "")
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
    bars: list[Bars] = model.fit_transform([as_square(matrix) for matrix in matrices])
    return bars


def _ripser(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    from ripser import ripser

    known, cut = _ranks(distances, threshold)
    square = as_square(known.ranks)
    found: Bars = ripser(square, maxdim=max_dimension, thresh=cut, coeff=field, distance_matrix=True)["dgms"]
    return [known.bars_in_lengths(bars) for bars in found]


def _redzed(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    del field  # Z/2 only, checked before
    import redzed_tda

    n_points = n_points_of(distances)
    if math.comb(n_points, max_dimension + 2) >= MOST_SIMPLICES:
        raise TooLarge(f"{n_points} points, H{max_dimension}: simplices beyond 2^62; engine 'gudhi' can count them")
    known, cut = _ranks(distances, threshold)
    rips: Any = redzed_tda.rips  # typed for its other answer too
    found: Bars = rips(known.ranks, max_dimension, cut)
    return [known.bars_in_lengths(bars) for bars in found]


def _redzed_many(distances: list[Matrix], max_dimension: int, field: int) -> list[Bars]:
    del field  # Z/2 only, checked before
    import redzed_tda

    known = [ranked(one) for one in distances]  # step by step: each finds its code and tables in the cache
    rips: Any = redzed_tda.rips
    found: list[Bars] = [rips(one.ranks, max_dimension) for one in known]
    return [[one.bars_in_lengths(b) for b in bars] for one, bars in zip(known, found, strict=True)]


def _ranks(distances: Matrix, threshold: float) -> tuple[Ranked | Exact, float]:
    known = ranked(distances, threshold)
    return known, math.inf if math.isinf(threshold) else known.last


def _simple(distances: Matrix, max_dimension: int, threshold: float, field: int) -> Bars:
    del field  # Z/2 only, checked before
    # beyond the enclosing radius the complex is a cone: no bar changes any more
    cone = enclosing_radius(distances)
    return rips_bars(distances, max_dimension, min(threshold, cone))


_GUDHI_NEEDS = ("gudhi", "sklearn", "scipy")
#: the one that knows most first; which one is fastest for a case, :func:`engines_for` says
ENGINES = (
    Engine("gudhi", "gudhi", _GUDHI_NEEDS, _gudhi, LARGEST_PRIME, False, _gudhi_many, _gudhi_collapsed),
    Engine("redzed", "redzed-tda", ("redzed_tda",), _redzed, 2, True, _redzed_many),
    Engine("ripser", "ripser", ("ripser", "scipy"), _ripser, COCYCLES_FIELD, True),
    Engine("simple", "toriwork", (), _simple, 2),
)
