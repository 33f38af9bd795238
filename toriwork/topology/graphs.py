"""Graphs whose vertices and edges enter at given values, and the bars of their flag complexes.

A simplex enters with the last of its edges. Nothing is as large as the square of the number of vertices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, as_float64, shown
from toriwork.errors import BadInput
from toriwork.topology.clouds import drawn
from toriwork.topology.cost_model import admit, collapse_seconds
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import Bars, Edges, collapsed_edges, engine_version, guarded, pick_engine, weighted_bars
from toriwork.topology.inputs import Graph, Matrix, is_sparse, refuse_entry, repeated_pairs, sparse_edges
from toriwork.topology.request import FiltrationResult, Request, admit_simplices, require_engine

#: of vertices: what 32 bits number
_MOST = 2**31 - 1
#: of each vertex and each edge while edges are collapsed
_VERTEX_BYTES, _EDGE_BYTES = 200.0, 100.0
#: vertices of which a collapse is tried, and what share of their edges is much
_PROBE, _RIGID = 200, 0.7


@dataclass(frozen=True, slots=True)
class Flag:
    """The flag complex of a graph: vertices and edges enter at their values, a simplex with the last of its edges."""

    name: ClassVar[str] = "flag"
    kind: ClassVar[str] = "flag"
    scale: ClassVar[Scale] = "value"

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars by gudhi, edges collapsed before simplices are built."""
        require_engine(asked, "gudhi")
        if not isinstance(asked.distances, Graph):
            raise BadInput("flag: expected graph=, an edge list, a sparse matrix or a graph of networkx")
        return flag_result(asked.distances, asked)


def flag_result(graph: Graph, asked: Request) -> FiltrationResult:
    """The bars of the flag complex of a checked graph as far as the threshold: later edges are never looked at."""
    what, highest = f"a graph of {graph.n_points} vertices", asked.max_dimension
    held = _admit_vertices(graph.n_points, asked.max_bytes)
    entries = np.zeros(graph.n_points) if graph.entries is None else graph.entries
    vertices, within = np.flatnonzero(entries <= asked.threshold), graph.lengths <= asked.threshold
    first, second = (np.searchsorted(vertices, ends[within]) for ends in (graph.first, graph.second))

    edges: Edges = (first, second, graph.lengths[within])
    seconds, n_bytes = collapse_seconds(len(vertices), len(first)), held + _EDGE_BYTES * len(first)
    admit(f"{what} and {len(first)} edges", seconds, n_bytes, asked.max_bytes, "a threshold or fewer edges need less")
    if first.size and _stay(len(vertices), edges):
        admit_simplices(cliques(first, second, highest + 2), f"{what}, H{highest}", asked.max_bytes)

    def compute() -> Bars:
        if not len(vertices):
            return [np.empty((0, 2))] * (highest + 1)
        left = collapsed_edges(len(vertices), edges)
        admit_simplices(cliques(*left[:2], highest + 2), f"{what}, H{highest}", asked.max_bytes)
        return weighted_bars(entries[vertices], left, highest, asked.field)

    bars = guarded(compute, what)
    whole = len(vertices) == graph.n_points and bool(within.all())
    used, _ = pick_engine("gudhi", 2)
    reason, cut = "the edges alone, collapsed", math.inf if whole else asked.threshold
    return FiltrationResult(bars, graph.n_points, "gudhi", engine_version(used), reason, cut)


def _admit_vertices(n_points: int, max_bytes: float | None) -> float:
    """Predicted bytes of so many vertices, or TooLarge before one of them is looked at."""
    held = _VERTEX_BYTES * n_points
    advice = "vertices numbered without gaps need less"
    admit(f"a graph of {n_points} vertices", 1e-9 * held, held, max_bytes, advice)
    return held


def _stay(n_points: int, edges: Edges) -> bool:
    """True when a collapse leaves most edges among some of the points, of a graph of many: those of a random graph."""
    some = drawn(n_points, _PROBE)
    place = np.full(n_points, -1)
    place[some] = np.arange(len(some))
    first, second = place[edges[0]], place[edges[1]]
    among = (first >= 0) & (second >= 0)
    if np.count_nonzero(among) < _PROBE:  # so sparse that a collapse is soon done
        return False
    left = collapsed_edges(len(some), (first[among], second[among], edges[2][among]))
    return len(left[0]) > _RIGID * int(among.sum())


def cliques(first: NDArray[Any], second: NDArray[Any], size: int) -> int:
    """No fewer than the sets of up to ``size`` points that are joined: each is seen from its point of least degree."""
    degree = np.bincount(np.concatenate([first, second]))
    rank = degree.argsort(kind="stable").argsort()
    lower = np.where(rank[first] < rank[second], first, second)
    return sum(math.comb(n, k) for n in np.bincount(lower, minlength=len(rank)).tolist() for k in range(size))


def graph_of(given: Any, vertices: Any = None) -> Graph:
    """A checked graph from what people have.

    Parameters
    ----------
    given : array_like of shape (n_edges, 2) or (n_edges, 3), sparse matrix, or graph of networkx
        Edges as two vertices, numbered from 0, and the value at which each enters. A sparse matrix has them off its
        diagonal, and on it the values of the vertices. A graph of networkx has them as ``weight`` of edges and nodes;
        vertices are numbered in the order of its nodes. An edge without a value enters with the later of its vertices
        where ``vertices`` or nodes have values, else at 1.
    vertices : int or array_like of shape (n_vertices,), optional
        How many there are, the isolated ones among them, or the value at which each enters; else 0.

    Raises
    ------
    BadInput
        A value is NaN or infinite, an edge is a loop, there twice, or enters before one of its vertices: the message
        names it. The graph is directed.
    """
    n_given = int(vertices) if _is_count(vertices) else None
    if is_sparse(given):
        graph, at, diagonal = sparse_edges(given, "graph")
        told = np.ones(len(graph.lengths), dtype=np.bool_)
        if diagonal.any():
            _admit_vertices(graph.n_points, None)
            entries = np.zeros(graph.n_points)
            entries[at] = diagonal
            graph = replace(graph, entries=entries)
    elif all(hasattr(given, name) for name in ("nodes", "edges", "is_directed")):
        graph, told = _of_nodes(given)
    else:
        graph, told = _of_list(as_array(given, name="graph"))
    if vertices is not None and n_given is None:
        graph = replace(graph, entries=_numbers(vertices, "vertices").ravel())
    n_points = n_given if n_given is not None else graph.n_points if graph.entries is None else len(graph.entries)
    if n_points < graph.n_points:
        raise BadInput(f"vertices: expected {graph.n_points} of them, got {n_points}")
    return _checked(replace(graph, n_points=n_points), told)


def _checked(graph: Graph, told: NDArray[np.bool_]) -> Graph:
    """The graph with its edges' missing values, of those that were not ``told``, filled in."""
    entries = graph.entries
    if entries is not None and not np.isfinite(entries).all():
        i = int(np.isfinite(entries).argmin())
        raise BadInput(f"graph: expected finite values, got {entries[i]} (vertex {i})")
    first, second = np.minimum(graph.first, graph.second), np.maximum(graph.first, graph.second)
    latest = np.zeros(len(first)) if entries is None else np.maximum(entries[first], entries[second])
    lengths = np.where(told, graph.lengths, np.ones(1) if entries is None else latest)
    made = Graph(graph.n_points, first, second, lengths, entries)
    refuse_entry(first == second, made, "graph", "is a loop")
    refuse_entry(repeated_pairs(first, second), made, "graph", "is there twice")
    refuse_entry(~np.isfinite(lengths), made, "graph", "is not finite")
    refuse_entry(lengths < latest, made, "graph", "enters before one of its vertices")
    return made


def _of_nodes(given: Any) -> tuple[Graph, NDArray[np.bool_]]:
    """The vertices and edges of a graph of networkx, by what it can do; networkx is not imported."""
    if given.is_directed():
        raise BadInput("graph: expected one without directions, got a directed one: graph.to_undirected()")
    weights = [data.get("weight") for _, data in given.nodes(data=True)]
    place = {node: i for i, node in enumerate(given.nodes)}
    edges = [(place[a], place[b], data.get("weight")) for a, b, data in given.edges(data=True)]
    told = np.array([weight is not None for *_, weight in edges], dtype=np.bool_)
    lengths = _numbers([0.0 if weight is None else weight for *_, weight in edges], "graph: weights of edges")
    ends = np.array([edge[:2] for edge in edges], dtype=np.intp).reshape(-1, 2)
    entries = None
    if any(weight is not None for weight in weights):
        entries = _numbers([0.0 if weight is None else weight for weight in weights], "graph: weights of nodes")
    return Graph(len(weights), ends[:, 0], ends[:, 1], lengths, entries), told


def _of_list(array: NDArray[Any]) -> tuple[Graph, NDArray[np.bool_]]:
    """The edges of an array with a row for each; as many vertices as the largest number asks for."""
    if array.size == 0:
        array = np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] not in (2, 3):
        raise BadInput(
            f"graph: expected edges of shape (n_edges, 2) or (n_edges, 3), got {array.shape}; "
            "a dense matrix goes to distances="
        )
    numbers = _numbers(array, "graph")
    ends = numbers[:, :2]
    bad = ~((ends >= 0) & (ends <= _MOST) & (ends == np.floor(ends))).all(axis=1)
    if bad.any():
        i = int(bad.argmax())
        raise BadInput(f"graph: expected vertices numbered from 0 to {_MOST}, got {ends[i].tolist()} (edge {i})")
    first, second = ends.T.astype(np.intp)
    told = np.full(len(ends), array.shape[1] == 3)
    lengths = numbers[:, 2] if array.shape[1] == 3 else np.zeros(len(ends))
    return Graph(int(ends.max(initial=-1)) + 1, first, second, lengths), told


def _numbers(given: Any, name: str) -> Matrix:
    array = as_array(given, name=name)
    if array.dtype.kind not in "fiub":
        remedy = "; number the vertices from 0 on, by pandas.factorize say" if array.dtype.kind == "U" else ""
        raise BadInput(f"{name}: expected real numbers, got dtype {array.dtype}{remedy}")
    return as_float64(array)


def _is_count(given: Any) -> bool:
    if not isinstance(given, int | np.integer) or isinstance(given, bool):
        return False
    if not 0 <= given <= _MOST:
        raise BadInput(f"vertices: expected a number from 0 to {_MOST} or their values, got {shown(given)}")
    return True
