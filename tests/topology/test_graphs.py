"""Graphs enter as their values say, isolated vertices among them; what is no such graph is refused by its edge."""

from __future__ import annotations

import math
import tracemalloc
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from tests.topology import oracles
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import persistence

NO = math.inf
CYCLE = [[0, 1], [1, 2], [2, 3], [3, 0]]


class Nodes(dict):
    """What networkx answers for ``graph.nodes``: names to iterate over, and with their data when called."""

    def __call__(self, data: bool) -> list[tuple[Any, dict[str, Any]]]:
        return list(self.items())


class Network:
    """The part of a graph of networkx that is used, without it."""

    def __init__(self, nodes: dict[Any, dict[str, Any]], *edges: tuple[Any, Any, dict[str, Any]]) -> None:
        self.nodes = Nodes(nodes)
        self._edges = list(edges)
        self.directed = False

    def is_directed(self) -> bool:
        return self.directed

    def edges(self, data: bool) -> list[tuple[Any, Any, dict[str, Any]]]:
        return self._edges


def flag_pairs(n: int, edges: list[list[float]], entries: list[float], threshold: float = NO) -> list[list[float]]:
    value = {frozenset((int(a), int(b))): enters for a, b, enters in edges}

    def enters(vertices: tuple[int, ...]) -> float:
        sides = [value.get(frozenset(side), NO) for side in combinations(vertices, 2)]
        return max(sides, default=entries[vertices[0]])

    latest = max([*value.values(), *entries])
    return oracles.pairs_of(enters, n, 2, min(threshold, latest)).tolist()


def test_a_cycle_of_hops_has_a_loop_that_nothing_fills() -> None:
    diagram = persistence(graph=CYCLE)
    assert diagram.pairs.tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, NO], [1, 1, NO]]
    assert (diagram.filtration, diagram.scale, diagram.provenance.engine) == ("flag", "value", "gudhi")
    assert not diagram.censored.any()


def test_isolated_vertices_are_kept() -> None:
    assert persistence(graph=CYCLE, vertices=7).betti(1.0) == (4, 1)
    assert persistence(graph=[], vertices=2).pairs.tolist() == [[0, 0, NO], [0, 0, NO]]
    assert persistence(graph=[[0, 3]]).betti(1.0) == (3, 0)
    assert persistence(graph=np.zeros((0, 3)), vertices=[1.0, -2.0]).in_dimension(0).tolist() == [[-2, NO], [1, NO]]


def test_vertices_with_values_bring_their_edges() -> None:
    diagram = persistence(graph=CYCLE, vertices=[0.0, 3.0, 1.0, 5.0])
    assert diagram.pairs.tolist() == [[0, 0, NO], [0, 1, 3], [1, 5, NO]]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("threshold", [NO, 1.4])
def test_every_form_has_the_bars_of_the_reduction(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    n = 9
    entries = rng.random(n).round(1)
    low, high = np.nonzero(np.triu(rng.random((n, n)) < 0.7, 1))
    lengths = np.maximum(entries[low], entries[high]) + rng.random(len(low)).round(1)
    edges = np.column_stack([low, high, lengths])
    wanted = flag_pairs(n, edges.tolist(), entries.tolist(), threshold)
    stored = sparse.coo_array((lengths, (low, high)), shape=(n, n)) + sparse.diags_array(entries)
    names = {f"v{i}": {"weight": entry} for i, entry in enumerate(entries)}
    network = Network(names, *((f"v{int(a)}", f"v{int(b)}", {"weight": w}) for a, b, w in edges))
    for given in (
        {"graph": edges, "vertices": entries},
        {"graph": edges[:, [1, 0, 2]].tolist(), "vertices": entries.tolist()},
        {"graph": stored},
        {"graph": network},
    ):
        found = persistence(**given, max_dimension=2, threshold=threshold)
        assert found.pairs.tolist() == wanted


def test_networkx_itself_is_read() -> None:
    networkx = pytest.importorskip("networkx")
    graph = networkx.cycle_graph(4)
    graph.add_node("alone")
    assert persistence(graph=graph).betti(1.0) == (2, 1)
    with pytest.raises(BadInput, match="to_undirected"):
        persistence(graph=graph.to_directed())


def test_weights_that_are_missing_are_hops_or_the_vertices() -> None:
    network = Network({"a": {}, "b": {}, "c": {}}, ("a", "b", {"weight": 2.5}), ("b", "c", {}))
    assert persistence(graph=network).in_dimension(0).tolist() == [[0, 1], [0, 2.5], [0, NO]]
    assert persistence(graph=network, vertices=[0.5, 0.0, 0.25]).in_dimension(0).tolist() == [[0, NO], [0.5, 2.5]]
    network.directed = True
    with pytest.raises(BadInput, match="to_undirected"):
        persistence(graph=network)


REFUSED = [
    pytest.param({"graph": [[0, 1, 1.0], [2, 2, 1.0]]}, r"\(2, 2\) is a loop", id="loop"),
    pytest.param({"graph": [[0, 1, 1.0], [1, 0, 1.0]]}, r"\(0, 1\) is there twice", id="both ways"),
    pytest.param({"graph": [[0, 1, math.nan]]}, r"\(0, 1\) is not finite: nan", id="NaN"),
    pytest.param(
        {"graph": [[0, 1, 1.0]], "vertices": [0.0, 2.0]}, r"\(0, 1\) enters before one of its vertices: 1.0", id="early"
    ),
    pytest.param({"graph": [[0, 1]], "vertices": [0.0, math.nan]}, "vertex 1", id="vertex of NaN"),
    pytest.param({"graph": [[0, 5]], "vertices": 3}, "expected 6 of them, got 3", id="too few"),
    pytest.param({"graph": np.ones((4, 4))}, "distances=", id="dense"),
    pytest.param({"graph": CYCLE, "filtration": "alpha"}, "'flag' for a graph", id="other filtration"),
    pytest.param({"graph": CYCLE, "engine": "ripser"}, "'gudhi'", id="other engine"),
    pytest.param({"points": [[0.0]], "filtration": "flag"}, "expected graph=", id="flag of points"),
    pytest.param({"distances": [[0.0]], "graph": CYCLE}, "one of points, distances and graph", id="distances too"),
    pytest.param({"graph": sparse.coo_array(([1.0, 2.0], ([0, 1], [1, 0])))}, "mirror", id="asymmetric"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_is_no_filtered_graph_is_refused_by_its_edge(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        persistence(**arguments)


def test_a_graph_that_would_fill_the_memory_is_refused_before_it_is_built() -> None:
    tracemalloc.start()
    try:
        for row in (0, 1):  # with and without an entry on the diagonal
            few = sparse.coo_array(([1.0], ([row], [1])), shape=(2**30,) * 2)
            with pytest.raises(TooLarge, match="numbered without gaps"):
                persistence(graph=few)
        for edges in ([[0, 2**31 - 1]], [[0, 2**31 - 1, 0.5]]):
            with pytest.raises(TooLarge, match=r"a graph of .* bytes are predicted.*numbered without gaps"):
                persistence(graph=edges)
        with pytest.raises(TooLarge, match="numbered without gaps"):
            persistence(distances=sparse.coo_array(([1.0], ([0], [1])), shape=(2**30,) * 2))
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    low, high = np.nonzero(np.triu(np.ones((200, 200)), 1))
    values = np.random.default_rng(0).random(len(low))
    with pytest.raises(TooLarge, match="H4"):
        persistence(graph=np.column_stack([low, high, values]), max_dimension=4)


def test_a_threshold_stops_the_work() -> None:
    low, high = np.nonzero(np.triu(np.ones((200, 200)), 1))
    values = np.random.default_rng(0).random(len(low))
    found = persistence(graph=np.column_stack([low, high, values]), max_dimension=4, threshold=0.05)
    assert found.threshold == 0.05
    assert found.censored.any()
