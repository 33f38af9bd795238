"""TorusCells.nearest: the shapes of the registry, whoever recorded them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.cells.clouds import circle, line, two_circles
from toriwork.cells import TorusCells
from toriwork.errors import BadInput
from toriwork.topology import bottleneck, persistence


@pytest.fixture
def cells(registry):
    with TorusCells(registry, 1) as cells:
        yield cells


def by_brute_force(registry, clouds, query):
    """The slow twin: every distance."""
    far = persistence(query)
    found = []
    for cloud in clouds:
        diagram = persistence(cloud)
        found.append((max(bottleneck(far, diagram, k) for k in (0, 1)), registry.record_shape(cloud)))
    return sorted({name: distance for distance, name in found}.items(), key=lambda item: item[1])


def test_the_nearest_are_those_of_all_distances(cells, registry):
    clouds = [circle(seed=seed) * size for seed, size in enumerate(np.linspace(0.5, 2, 12))]
    clouds += [two_circles(), line()]
    expected = by_brute_force(registry, clouds, circle(seed=99))
    found = cells.nearest(circle(seed=99), k=5)
    assert [name for name, _ in found.neighbours] == [name for name, _ in expected[:5]]
    np.testing.assert_allclose([far for _, far in found.neighbours], [far for _, far in expected[:5]])
    assert (found.n_stored, found.metric, found.dimensions) == (14, "bottleneck", (0, 1))
    assert found.n_exact <= 14


def test_what_is_recorded_later_is_found(cells):
    cells.betti_update("x", circle())
    assert len(cells.nearest(circle()).neighbours) == 1
    cells.betti_update("y", two_circles(), "global")
    cells.betti_update("y", two_circles(), "global")
    cells.betti_update("tones", [0.1, 0.2])
    assert len(cells.nearest(circle()).neighbours) == 2


def test_a_diagram_may_ask_in_its_own_dimensions(cells):
    cells.betti_update("x", circle())
    found = cells.nearest(persistence(circle(), max_dimension=0), metric="wasserstein_2")
    assert (found.dimensions, found.metric, found.neighbours[0][1]) == ((0,), "wasserstein_2", 0.0)
    assert cells.nearest(persistence(circle(), max_dimension=2)).dimensions == (0, 1)


def test_diagrams_that_were_computed_for_updates_are_not_computed_again(cells, monkeypatch):
    from toriwork.cells import memory

    cells.betti_update("x", circle())
    monkeypatch.setattr(memory, "persistence", None)
    assert cells.nearest(circle()).neighbours[0][1] == 0.0


def test_an_empty_registry_has_no_neighbours(cells):
    assert cells.nearest(circle()).neighbours == ()


def test_clouds_that_would_cost_too_much_are_left_out(cells, registry, monkeypatch):
    from toriwork.cells.measure import Measure

    registry.record_shape(circle())
    monkeypatch.setattr(Measure, "feasible_dimension", lambda measure, n, d: 0)
    assert cells.nearest(circle()).n_stored == 0


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda c: c.nearest([0.1, 0.2]), id="a spectrum"),
        pytest.param(lambda c: c.nearest(circle(), k=0), id="none"),
        pytest.param(lambda c: c.nearest(circle(), k=1.5), id="one and a half"),
        pytest.param(lambda c: c.nearest(circle(), k="3"), id="a text for a number"),
        pytest.param(lambda c: c.nearest(circle(), metric="hamming"), id="an unknown metric"),
        pytest.param(lambda c: c.nearest(persistence(circle(), threshold=0.5)), id="a cut diagram"),
        pytest.param(lambda c: c.nearest(persistence(circle(), filtration="alpha")), id="another scale"),
        pytest.param(
            lambda c: c.nearest(persistence(circle(), filtration="alpha", scale="diameter")), id="another filtration"
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(cells, call):
    cells.betti_update("x", circle())
    with pytest.raises(BadInput):
        call(cells)
