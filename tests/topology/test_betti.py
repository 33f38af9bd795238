"""Three quantities, three names; the estimate carries its rule, parameters and evidence."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from tests.topology.clouds import OCTAHEDRON, circle
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import BettiEstimate, count_above, estimate_betti, judge, persistence
from toriwork.topology.clouds import distances_of_points
from toriwork.topology.render import evidence_row
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


def weighed(number: float, evidence: dict, k: int = 1) -> str:
    return evidence_row(k, number, evidence, 1 - min(k, 1))[2]


@pytest.mark.parametrize(
    ("number", "evidence", "words"),
    [
        (1.0, {"features": [[0.1, 2.0, 17.71]], "next": [0.1, 0.2, -9.0]}, "log-odds 17.7, of the next bar -9"),
        (2.0, {"features": [[0, 2, 17.7], [0, 1, 3.0]]}, "log-odds 17.7 and 3"),
        (0.0, {"features": [], "next": [0, 1, -9.0]}, "no other bar counts, log-odds of the best -9"),
        (0.0, {"features": []}, "no other bar"),
        (1.0, {"p_values": [[0, 1, 0.005], [0, 1, 1.0]]}, "p-value 0.005, of the next bar 1"),
        (math.nan, {"margins": [[0, 1, 0.5]]}, "margin 0.5 decides neither way"),
        (math.nan, {"features": [], "reason": "nobody knows"}, "nobody knows"),
    ],
)
def test_the_evidence_of_a_number_is_told(number: float, evidence: dict, words: str) -> None:
    assert weighed(number, evidence) == words


def test_a_component_needs_no_evidence_and_each_other_does() -> None:
    assert (
        weighed(3.0, {"merges": [[3, 18.3], [3, 18.0], [0.2, -7.0]]}, 0) == "log-odds 18.3 and 18, of the next bar -7"
    )
    assert weighed(1.0, {"merges": [[0.2, -7.0]]}, 0) == "no other bar counts, log-odds of the best -7"


def test_an_estimate_is_one_sentence_and_its_table_says_the_same() -> None:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    found = estimate_betti(np.c_[np.cos(angles), np.sin(angles)])
    text, page = repr(found), found._repr_html_()
    assert text.startswith("Betti numbers b0 = 1, b1 = 1 (rule by_parts on 60 points, rips filtration, engine ")
    assert "\n" not in text
    assert page.count("<tr>") == 3
    for k in (0, 1):
        name, number, why = evidence_row(k, found.numbers[k], found.evidence[f"H{k}"], 1 - k)
        assert f"{name} {why}" in text
        assert f"<td>{name}</td><td>{number}</td><td>{why}</td>" in page


def test_two_runs_look_the_same() -> None:
    """No duration is shown, though each is kept."""
    points = np.random.default_rng(0).normal(size=(20, 2))
    one, other = (estimate_betti(points) for _ in range(2))
    slower = dataclasses.replace(one.diagram, provenance=dataclasses.replace(one.provenance, seconds=12345.6))
    assert repr(slower) == repr(one.diagram) == repr(other.diagram)
    assert slower._repr_html_() == one.diagram._repr_html_()
    assert repr(slower.provenance) == repr(one.provenance)
    assert repr(one) == repr(other)


@pytest.mark.parametrize(
    ("rule", "filtration"), [("default", "rips"), ("universal_null", "alpha"), ("default", "landmark")]
)
def test_an_estimate_is_the_verdict_on_the_diagram_of_that_filtration(rule: str, filtration: str) -> None:
    cloud = circle(120, 0.05, 2)
    found = estimate_betti(cloud, filtration=filtration, rule=rule)
    assert found.diagram == persistence(cloud, filtration=filtration)
    assert found.numbers == judge(persistence(cloud, filtration=filtration), points=cloud, rule=rule).numbers
    assert found.numbers[1] == 1.0


def test_a_rule_that_does_not_judge_a_filtration_says_so_before_anything_is_computed() -> None:
    with pytest.raises(BadInput, match="judges diagrams of rips, landmark, got 'alpha'"):
        estimate_betti(circle(50, 0.05, 2), filtration="alpha")


def test_many_points_that_lie_evenly_have_no_matrix_of_distances() -> None:
    grid = np.argwhere(np.ones((40, 40))).astype(float)
    assert estimate_betti(grid, max_bytes=4e7).numbers == (1.0, 0.0)
    with pytest.raises(TooLarge):  # with the matrix
        persistence(distances=distances_of_points(grid), max_bytes=4e7)
