"""How far the points of an idea may move: Hausdorff distances, radii, and what became of its classes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.cells.clouds import circle, line, sphere, two_circles
from toriwork.cells import protection
from toriwork.cells.protection import BELOW, UNMATCHED, Reference, certified_radius, certify, hausdorff, match_classes
from toriwork.topology import DTM, Diagram, Landmark, persistence


def brute_hausdorff(first, second):
    """The slow twin: every point against every point, in plain Python."""
    there = max(min(math.dist(p, q) for q in second) for p in first)
    back = max(min(math.dist(p, q) for p in first) for q in second)
    return max(there, back)


def longest(diagram, k=1):
    """The bar of H_k with the greatest persistence."""
    birth, death = diagram.in_dimension(k)[diagram.persistence(k).argmax()].tolist()
    return (k, birth, death)


def loops(*rows, **options):
    return Diagram([(1, birth, death) for birth, death in rows], 1, **options)


def moved(cloud, distance, rng):
    """Every point by exactly this distance, each in a direction of its own."""
    steps = rng.normal(size=cloud.shape)
    return cloud + distance * steps / np.linalg.norm(steps, axis=1, keepdims=True)


clouds = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3)).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, (n[0], n[2]), elements=st.floats(-10, 10, width=32)),
        arrays(np.float64, (n[1], n[2]), elements=st.floats(-10, 10, width=32)),
    )
)

# ---- the Hausdorff distance --------------------------------------------------------------------------------------


@given(clouds)
def test_the_hausdorff_distance_is_that_of_the_definition(pair):
    first, second = pair
    assert hausdorff(first, second) == pytest.approx(brute_hausdorff(first, second), rel=1e-12, abs=1e-12)
    assert hausdorff(first, second) == hausdorff(second, first)


def test_large_clouds_take_the_tree_and_get_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(60, 3)), rng.normal(size=(40, 3))
    expected = hausdorff(first, second)
    monkeypatch.setattr(protection, "_ALL_PAIRS", 0)
    for pair in ((first, second), (second, first)):
        assert hausdorff(*pair) == pytest.approx(expected, rel=1e-14)
    assert expected == pytest.approx(brute_hausdorff(first, second))


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_squares_of_distances_neither_vanish_nor_overflow(factor):
    first, second = circle(30), circle(20, seed=1)
    assert hausdorff(first * factor, second * factor) == pytest.approx(factor * hausdorff(first, second), rel=1e-12)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(np.zeros((3, 2)), np.zeros((3, 3)), id="another number of coordinates"),
        pytest.param(np.zeros((0, 2)), np.zeros((3, 2)), id="nothing there"),
        pytest.param(np.zeros((0, 2)), np.zeros((0, 2)), id="nothing anywhere"),
    ],
)
def test_what_has_no_distance_is_infinitely_far(first, second):
    assert hausdorff(first, second) == math.inf


def test_points_that_only_change_places_have_not_moved():
    cloud = circle()
    assert hausdorff(cloud, cloud[::-1]) == 0
    assert hausdorff(cloud, np.vstack([cloud, cloud[:5]])) == 0


# ---- the radius --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filtration", "share"),
    [
        pytest.param("rips", 4, id="diameters move by twice the displacement"),
        pytest.param("alpha", 2, id="radii by the displacement"),
        pytest.param("delaunay_cech", 2, id="radii of the Cech filtration too"),
    ],
)
def test_the_radius_depends_on_the_scale(filtration, share):
    diagram = persistence(circle(), filtration=filtration)
    bar = longest(diagram)
    assert certified_radius(diagram, [bar]) == pytest.approx((bar[2] - bar[1]) / share)


def test_the_shortest_class_decides():
    diagram = loops((0, 8), (1, 2), (0, 0.1))
    assert certified_radius(diagram, [(1, 0.0, 8.0), (1, 1.0, 2.0)]) == pytest.approx(0.25)


@pytest.mark.parametrize(
    "diagram",
    [
        pytest.param(persistence(circle(), filtration=Landmark(40)), id="landmarks"),
        pytest.param(persistence(circle(), filtration=DTM()), id="distance to a measure"),
        pytest.param(persistence(circle(), threshold=0.6), id="cut, the loop censored"),
        pytest.param(persistence(circle(), threshold=1.7), id="cut behind the loop"),
        pytest.param(persistence(np.sin(np.arange(20)), filtration="lower_star"), id="values of a function"),
    ],
)
def test_what_is_not_exact_certifies_nothing(diagram):
    bars = [(int(k), birth, death) for k, birth, death in diagram.pairs.tolist()]
    assert certified_radius(diagram, bars) is None


def test_no_class_has_no_radius():
    assert certified_radius(persistence(line()), []) is None


def test_rounding_of_float32_is_taken_off():
    far = circle() * 1e-6 + 0.1  # so small that its scale shows
    exact = persistence(far)
    made = replace(exact.provenance, error=2.0**-24 * float(np.ptp(far, axis=0).max()))  # of an earlier version
    rounded = replace(exact, provenance=made)
    bar = longest(rounded)
    assert 0 < certified_radius(rounded, [bar]) < (bar[2] - bar[1]) / 4 - 1e-8 * bar[2]
    assert certified_radius(exact, [longest(exact)]) == pytest.approx((bar[2] - bar[1]) / 4, rel=1e-5)


@pytest.mark.parametrize("filtration", ["rips", "alpha"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.5, 0.999), shape=st.sampled_from(["circle", "two", "blob"]))
def test_a_certified_move_never_takes_the_class_away(filtration, seed, share, shape):
    """The law of the whole: the diagram is computed anyway, and the bars are still there."""
    rng = np.random.default_rng(seed)
    cloud = {"circle": circle(30, seed), "two": two_circles(seed)[::3], "blob": rng.normal(size=(25, 2))}[shape]
    before = persistence(cloud, filtration=filtration)
    if not len(before.in_dimension(1)):
        return
    bar = longest(before)
    reference = Reference("shape_x", (bar,), certified_radius(before, [bar]), "row")
    attacked = moved(cloud, share * reference.radius, rng)
    certificate = certify(reference, cloud, attacked)
    assert certificate is not None
    assert certificate.displacement == pytest.approx(brute_hausdorff(cloud, attacked))
    after = persistence(attacked, filtration=filtration)
    size = 2 if filtration == "rips" else 1
    near = np.abs(after.in_dimension(1) - bar[1:]).max(axis=1) <= size * certificate.displacement * (1 + 1e-9)
    assert near.any()  # a bar that stability allows for this one, and not the diagonal
    assert (after.persistence(1)[near] > 0).all()


# ---- certificates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "certified"),
    [
        pytest.param(0.0, False, id="the same cloud, whose diagram is known"),
        pytest.param(0.1, True, id="within the radius"),
        pytest.param(0.25, False, id="at the radius"),
        pytest.param(0.3, False, id="beyond it"),
    ],
)
def test_who_gets_a_certificate(shift, certified):
    cloud = np.array([[0.0, 0.0], [8.0, 0.0]])
    reference = Reference("shape_x", ((1, 0.0, 1.0),), 0.25, "row")
    found = certify(reference, cloud, cloud + np.array([shift, 0]))
    assert (found is not None) == certified
    if found is not None:
        assert found.to_dict() == {
            "reference_shape_id": "shape_x",
            "displacement": pytest.approx(shift),
            "radius": 0.25,
        }


def test_points_that_are_added_within_the_radius_are_covered():
    cloud = circle()
    reference = Reference("shape_x", ((1, 0.0, 1.0),), 0.25, "row")
    assert certify(reference, cloud, np.vstack([cloud, cloud[:7] + 0.1])) is not None
    assert certify(reference, cloud, np.vstack([cloud, [[0.0, 0.0]]])) is None


def test_no_radius_and_no_class_certify_nothing():
    cloud = circle()
    for reference in (Reference("s", ((1, 0.0, 1.0),), None, "row"), Reference("s", (), 0.25, "row")):
        assert certify(reference, cloud, cloud + 0.01) is None


# ---- match_classes -----------------------------------------------------------------------------------------------

BAR = (1, 0.0, 4.0)


@pytest.mark.parametrize(
    ("after", "features", "undecided", "now", "gone"),
    [
        pytest.param(loops((0, 4.5)), [(1, 0.0, 4.5)], [], (1, 0.0, 4.5), "", id="alive"),
        pytest.param(loops((8, 12)), [(1, 8.0, 12.0)], [], None, UNMATCHED, id="another loop is no heir"),
        pytest.param(loops(), [], [], None, UNMATCHED, id="nothing left"),
        pytest.param(loops((0, 3)), [], [], (1, 0.0, 3.0), BELOW, id="matched, and the rule does not count it"),
        pytest.param(loops((0, 3)), [], [1], (1, 0.0, 3.0), "", id="matched, and the rule cannot tell"),
        pytest.param(loops(), [], [1], None, UNMATCHED, id="unmatched, whatever the rule can tell"),
        pytest.param(Diagram([(0, 0, 1)], 0), [], [], None, "", id="nobody looked"),
    ],
)
def test_what_became_of_a_class(after, features, undecided, now, gone):
    (match,) = match_classes(loops((0, 4)), after, [BAR], features, undecided)
    assert (match.bar, match.now, match.gone) == (BAR, now, gone)


def test_each_class_has_a_fate_of_its_own():
    before, after = loops((0, 4), (10, 13), (1, 1.1)), loops((10.1, 13.1), (1, 1.1))
    found = match_classes(before, after, [BAR, (1, 10.0, 13.0)], [(1, 10.1, 13.1)], [])
    assert [(match.bar, match.gone) for match in found] == [(BAR, UNMATCHED), ((1, 10.0, 13.0), "")]


def test_voids_and_loops_are_not_mixed():
    before = persistence(sphere(), max_dimension=2)
    void = longest(before, 2)
    (match,) = match_classes(before, before, [void], [void], [])
    assert match.now == void
    (match,) = match_classes(before, persistence(circle(), max_dimension=2), [void], [], [])
    assert match.gone == UNMATCHED


def test_a_bar_from_another_engine_is_recognised():
    """Its twin in the diagram must not take its partner away."""
    diagram = loops((1e-9, 4.0))
    (match,) = match_classes(diagram, diagram, [BAR], [(1, 1e-9, 4.0)], [])
    assert (match.now, match.gone) == ((1, 1e-9, 4.0), "")
