"""Three quantities, three names; the estimate carries its rule, parameters and evidence."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.topology.clouds import OCTAHEDRON, circle
from toriwork.errors import BadInput
from toriwork.topology import BettiEstimate, count_above, estimate_betti, judge, persistence
from toriwork.topology.significance import RULES


def test_the_count_above_a_threshold_is_no_betti_number() -> None:
    cloud = np.random.default_rng(0).random((100, 3))
    diagram = persistence(cloud)
    assert count_above(diagram, 1e-6)[0] == 100
    assert count_above(diagram, 1e-6)[1] > 20
    assert count_above(diagram, 10.0) == (1, 0)
    assert diagram.betti(0.0) == (100, 0)
    with pytest.raises(BadInput, match="threshold"):
        count_above(diagram, math.nan)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "confidence_band"])  # blind at 120 points
@pytest.mark.parametrize("engine", ["auto", "simple"])
def test_every_rule_sees_a_clean_circle(rule: str, engine: str) -> None:
    found = estimate_betti(circle(120, 0.06), rule=rule, engine=engine)
    assert found.numbers == (1.0, 1.0)
    assert all(isinstance(number, float) for number in found.numbers)


def test_an_estimate_carries_what_it_rests_on() -> None:
    found = estimate_betti(circle(60, 0.05))
    assert isinstance(found, BettiEstimate)
    facts = json.loads(found.to_json())
    assert set(facts) == {"rule", "parameters", "evidence", "engine", "version"}
    assert facts["rule"] == found.rule
    assert facts["engine"] == found.provenance.engine
    assert set(facts["evidence"]) == {"H0", "H1"}
    assert len(found.to_json()) < 2000
    assert found.diagram == persistence(circle(60, 0.05))


@pytest.mark.parametrize(
    ("cloud", "numbers"),
    [
        pytest.param(np.empty((0, 3)), (0.0, 0.0), id="no point"),
        pytest.param(np.zeros((1, 3)), (1.0, 0.0), id="one point"),
        pytest.param(np.ones((7, 2)), (1.0, 0.0), id="equal points"),
    ],
)
def test_tiny_clouds_have_defined_answers(cloud: np.ndarray, numbers: tuple[float, ...]) -> None:
    assert estimate_betti(cloud).numbers == numbers


def test_a_third_number_is_given_when_asked_for() -> None:
    assert len(estimate_betti(OCTAHEDRON, max_dimension=2).numbers) == 3


def test_distances_serve_in_place_of_points() -> None:
    cloud = circle(50, 0.05)
    matrix = np.linalg.norm(cloud[:, None] - cloud[None], axis=2)
    assert estimate_betti(distances=matrix).numbers == estimate_betti(cloud).numbers


def test_only_a_complete_diagram_is_judged() -> None:
    cloud = circle(50, 0.05)
    assert judge(persistence(cloud)).numbers == estimate_betti(cloud).numbers
    for incomplete in (persistence(cloud, threshold=0.5), persistence(cloud, min_persistence=0.1)):
        with pytest.raises(BadInput, match="complete"):
            judge(incomplete)
