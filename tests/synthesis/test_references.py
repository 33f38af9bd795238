"""Loops are found between observers, over any number of steps; everything about ancestors is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import NotFound
from toriwork.synthesis import ObserverSynthesis, references
from toriwork.synthesis.references import MANY_OBSERVERS, MANY_REFERENCES, MANY_STEPS


def orders(graph):
    """A slow twin: walk every path from a token down and count its own observer; ``graph``: (observer, parents)."""

    def on_paths(node, observer):
        return max(((graph[p][0] == observer) + on_paths(p, observer) for p in graph[node][1]), default=0)

    return [on_paths(node, graph[node][0]) for node in range(len(graph))]


graphs = st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 20), max_size=3)), max_size=12).map(
    lambda found: [(observer, sorted(p for p in parents if p < n)) for n, (observer, parents) in enumerate(found)]
)


@given(graphs)
def test_the_order_is_what_a_walk_over_every_path_gives(graph):
    observers, tokens = ObserverSynthesis(), []
    for n, (observer, parents) in enumerate(graph):
        refs = [tokens[p] for p in parents]
        tokens.append(observers.emit_token({"type": f"kind {observer}", "n": n, "refs": refs}))
    assert [observers.loop_order(token) for token in tokens] == orders(graph)
    assert observers.metrics["reflexive_loops"] == sum(order > 0 for order in orders(graph))
    assert observers.metrics["references_cut"] == 0


def chain(observers, n_tokens):
    token = observers.emit_token({"type": "a", "n": 0})
    for n in range(1, n_tokens):
        token = observers.emit_token({"type": "a", "n": n, "refs": [token]})
    return token


def test_a_long_line_counts_as_so_many_steps_and_no_more():
    observers = ObserverSynthesis()
    assert observers.loop_order(chain(observers, MANY_STEPS + 1)) == MANY_STEPS
    assert observers.metrics["references_cut"] == 0
    token = chain(observers, MANY_STEPS + 20)
    assert observers.loop_order(token) == MANY_STEPS
    assert observers._memory.get(token).lineage.depth == MANY_STEPS
    assert observers.metrics["references_cut"] == 19


def test_of_many_references_the_first_are_followed_and_the_id_has_all():
    observers = ObserverSynthesis(2000)
    refs = [observers.emit_token({"type": "a", "n": n}) for n in range(MANY_REFERENCES + 5)]
    token = observers.emit_token({"type": "b", "refs": refs})
    assert token != observers.emit_token({"type": "b", "refs": sorted(refs)[:MANY_REFERENCES]})
    assert observers.metrics["references_cut"] == 5


def test_of_many_observers_those_of_the_highest_order_are_remembered(monkeypatch):
    monkeypatch.setattr(references, "MANY_OBSERVERS", 2)
    observers = ObserverSynthesis()
    first = observers.emit_token({"type": "a", "n": 0})
    second = observers.emit_token({"type": "a", "n": 1, "refs": [first]})
    others = [observers.emit_token({"type": name}) for name in "bcd"]
    token = observers.emit_token({"type": "e", "refs": [second, *others]})
    assert observers.metrics["references_cut"] == 2
    assert observers.loop_order(observers.emit_token({"type": "a", "n": 2, "refs": [token]})) == 2
    assert MANY_OBSERVERS == 64


def test_a_reference_resolves_once_its_token_is_there():
    observers, elsewhere = ObserverSynthesis(), ObserverSynthesis()
    late = elsewhere.emit_token({"type": "a", "n": 1})
    token = observers.emit_token({"type": "b", "references": late})
    assert observers.unresolved(token) == (late,)
    assert observers.emit_token({"type": "a", "n": 1}) == late
    assert observers.unresolved(token) == ()


def test_a_token_that_was_forgotten_has_no_order():
    with pytest.raises(NotFound):
        ObserverSynthesis().loop_order("t1:" + "0" * 40)
