"""Diameters or radii: the same bars in another unit, everywhere that the unit matters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.topology.clouds import AWKWARD, circle
from toriwork.errors import BadInput
from toriwork.topology import bottleneck, persistence, persistence_many, significant
from toriwork.topology.filtrations import FILTRATIONS, Landmark
from toriwork.topology.significance import RULES, Sampling

RING = circle(60, 0.05, 3)
NOISE = np.random.default_rng(1).standard_normal((60, 2))
#: filtration, its own scale, the other one, and the other unit in its own
OTHERWISE = [
    (name, made.scale, "radius" if made.scale == "diameter" else "diameter", 0.5 if made.scale == "diameter" else 2.0)
    for name, made in FILTRATIONS.items()
    if made.scale != "value"
]


@pytest.mark.parametrize(("filtration", "own", "other", "factor"), OTHERWISE)
@pytest.mark.parametrize("name", ["random plane", "duplicates", "two points", "no point", "tiny"])
def test_the_bars_are_exactly_those_of_the_other_scale(
    name: str, filtration: str, own: str, other: str, factor: float
) -> None:
    cloud, _ = AWKWARD[name]
    plain = persistence(cloud, filtration=filtration)
    asked = persistence(cloud, filtration=filtration, scale=other)
    assert asked.pairs.tolist() == (plain.pairs * [1, factor, factor]).tolist()
    assert (plain.scale, asked.scale, asked.provenance.scale) == (own, other, other)
    assert persistence(cloud, filtration=filtration, scale=own) == plain != asked or not len(cloud)


@pytest.mark.parametrize(("filtration", "own", "other", "factor"), OTHERWISE)
def test_threshold_and_least_persistence_are_in_the_scale_that_was_asked_for(
    filtration: str, own: str, other: str, factor: float
) -> None:
    limits = {"threshold": 0.7, "min_persistence": 0.01}
    plain = persistence(RING, filtration=filtration, scale=own, **limits)
    asked = persistence(
        RING, filtration=filtration, scale=other, **{name: factor * limit for name, limit in limits.items()}
    )
    assert asked.pairs.tolist() == (plain.pairs * [1, factor, factor]).tolist()
    assert asked.censored.tolist() == plain.censored.tolist()
    assert (asked.threshold, asked.provenance.threshold) == (factor * plain.threshold, factor * 0.7)
    assert asked.min_persistence == factor * 0.01


def test_the_error_is_in_the_scale_that_was_asked_for() -> None:
    wide, narrow = (persistence(RING, scale=scale, filtration=Landmark(8)) for scale in ("diameter", "radius"))
    assert wide.provenance.error > 0
    assert narrow.provenance.error == wide.provenance.error / 2


@pytest.mark.parametrize("filtration", ["rips", "h0", "alpha", "delaunay_cech"])
def test_a_protection_radius_is_a_length_in_space_whatever_the_scale(filtration: str) -> None:
    wide, narrow = (persistence(RING, filtration=filtration, scale=scale) for scale in ("diameter", "radius"))
    assert wide.protection_radius().tolist() == narrow.protection_radius().tolist()


@pytest.mark.parametrize("filtration", ["rips", "alpha"])
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_judges_the_filtration_and_not_the_unit(rule: str, filtration: str) -> None:
    if RULES[rule].filtrations and filtration not in RULES[rule].filtrations:
        pytest.skip("the rule does not judge this filtration")
    wide, narrow = (persistence(RING, filtration=filtration, scale=scale) for scale in ("diameter", "radius"))
    assert (significant(wide, rule=rule, points=RING) == significant(narrow, rule=rule, points=RING)).all()


@pytest.mark.parametrize("filtration", ["rips", "alpha"])
@pytest.mark.parametrize("rule", ["universal_null", "monte_carlo_null"])
def test_a_p_value_is_that_of_the_filtration(rule: str, filtration: str) -> None:
    found = [
        RULES[rule](Sampling(persistence(NOISE, filtration=filtration, scale=scale)))[1].evidence["p_values"]
        for scale in ("diameter", "radius")
    ]
    assert [p for *_, p in found[0]] == [p for *_, p in found[1]]


@pytest.mark.parametrize(
    ("filtration", "scale", "words"),
    [
        pytest.param("cubical", "diameter", "expected 'value'", id="an image has no lengths"),
        pytest.param("lower_star", "radius", "expected 'value'", id="a series has no lengths"),
        pytest.param("rips", "value", "expected 'diameter' or 'radius'", id="lengths are no values"),
        pytest.param("alpha", "squared radius", "expected 'diameter' or 'radius'", id="a square"),
        pytest.param("alpha", ["radius"], "expected 'diameter' or 'radius'", id="a list"),
    ],
)
def test_a_scale_that_a_filtration_does_not_have_is_refused(filtration: str, scale: object, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        persistence(np.eye(3)[0], filtration=filtration, scale=scale)
    values = persistence(np.arange(3.0), filtration="lower_star", scale="value")
    assert values == persistence(np.arange(3.0), filtration="lower_star")


def test_a_length_that_leaves_the_range_of_float64_is_refused() -> None:
    far = np.array([[-4e307, 0.0], [1.2e308, 0.0]])
    assert persistence(far, filtration="alpha").in_dimension(0)[0, 1] == pytest.approx(8e307)
    with pytest.raises(BadInput, match="range of float64"):
        persistence(far * 1.25, filtration="alpha", scale="diameter")


def test_diagrams_of_two_scales_are_not_compared() -> None:
    with pytest.raises(BadInput, match="scale"):
        bottleneck(persistence(RING), persistence(RING, scale="radius"))


def test_many_clouds_have_the_scale_too() -> None:
    clouds = [circle(12 + i, 0.05, i) for i in range(6)]
    found = {result.index: result.diagram for result in persistence_many(clouds, scale="radius", max_workers=1)}
    assert found == {i: persistence(cloud, scale="radius") for i, cloud in enumerate(clouds)}


def test_the_scale_is_recorded_where_it_can_be_read() -> None:
    diagram = persistence(RING, scale="radius")
    assert "scale = radius" in repr(diagram)
    assert diagram.provenance.scale == "radius"
    assert diagram.content_id != persistence(RING).content_id
    assert math.isinf(diagram.threshold)
