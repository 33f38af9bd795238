"""Which bars count by a rule, how far a bar is protected, and what may be compared."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tests.topology.clouds import circle
from toriwork.errors import BadInput
from toriwork.topology import Diagram, estimate_betti, persistence, significant
from toriwork.topology.significance import RULES

INF = math.inf
EIGHT = np.vstack([circle(80, 0.05, 1) - [1, 0], circle(80, 0.05, 2) - [-1, 0]])


@pytest.mark.parametrize("rule", RULES)
def test_the_significant_bars_are_as_many_as_the_estimate_says(rule: str) -> None:
    for cloud in (EIGHT, circle(60, 0.1, 3), np.random.default_rng(0).random((80, 2))):
        estimate = estimate_betti(cloud, max_dimension=1, rule=rule)
        chosen = significant(estimate.diagram, rule=rule, points=cloud)
        counts = np.bincount(estimate.diagram.pairs[chosen, 0].astype(int), minlength=2)
        assert math.isnan(estimate.numbers[1]) or counts[1] == estimate.numbers[1]


def test_the_loops_of_an_eight_are_its_two_longest_bars() -> None:
    diagram = persistence(EIGHT)
    loops = diagram.in_dimension(1)[significant(diagram)[diagram.pairs[:, 0] == 1]]
    lengths = np.sort(diagram.persistence(1))
    assert sorted(loops[:, 1] - loops[:, 0]) == lengths[-2:].tolist()


def test_bars_that_are_equal_count_once_each() -> None:
    pairs = [[0, 0.0, INF], *[[0, 0.0, 0.1]] * 60, [1, 0.1, 1.5], [1, 0.1, 1.5]]
    assert significant(Diagram(pairs, 1), rule="late_death").sum() == 3


def test_a_stricter_level_never_adds_a_bar() -> None:
    diagram = persistence(EIGHT)
    for rule in ("universal_null", "calibrated", "monte_carlo_null"):
        counts = [significant(diagram, rule=rule, level=level).sum() for level in (0.4, 0.05, 1e-6, 1e-300)]
        assert counts == sorted(counts, reverse=True)
        assert counts[-1] == 1  # the component that never dies


@pytest.mark.parametrize(
    ("call", "word"),
    [
        pytest.param(lambda: significant(persistence(EIGHT, threshold=0.5)), "cut", id="a cut diagram"),
        pytest.param(lambda: significant(persistence(EIGHT), rule="hope"), "rule", id="no such rule"),
        pytest.param(lambda: significant(persistence(EIGHT), level=2), "between 0 and 1", id="no such level"),
        pytest.param(lambda: significant(persistence(EIGHT), rule="guarded_gap", level=0.1), "none", id="no level"),
        pytest.param(lambda: significant(persistence(EIGHT), rule="bootstrap_band"), "points", id="a band, no points"),
        pytest.param(
            lambda: significant(persistence(EIGHT), points=EIGHT[:9]), "9 points", id="points of another cloud"
        ),
        pytest.param(
            lambda: significant(persistence(EIGHT, filtration="alpha")), "universal_null", id="fitted to Rips"
        ),
        pytest.param(
            lambda: significant(persistence(EIGHT, filtration="cubical"), rule="late_death"), "guarded", id="values"
        ),
    ],
)
def test_what_cannot_be_judged_is_refused(call: object, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        call()


@pytest.mark.parametrize("rule", ["guarded_gap", "late_death", "universal_null", "monte_carlo_null", "confidence_band"])
def test_alpha_diagrams_are_judged_in_their_own_scale(rule: str) -> None:
    cloud = circle(900 if rule == "confidence_band" else 150, 0.02, 4)
    diagram = persistence(cloud, filtration="alpha")
    loops = significant(diagram, rule=rule, points=cloud)[diagram.pairs[:, 0] == 1]
    assert loops.sum() == 1
    assert diagram.persistence(1)[loops] == diagram.persistence(1).max()


def test_the_radius_is_a_quarter_in_diameters_and_half_in_radii() -> None:
    pairs = [[0, 0.0, INF], [1, 1.0, 3.0]]
    assert Diagram(pairs, 1).protection_radius().tolist() == [INF, 0.5]
    assert Diagram(pairs, 1, filtration="alpha", scale="radius").protection_radius().tolist() == [INF, 1.0]


def test_a_censored_bar_is_protected_by_what_is_known_of_it() -> None:
    diagram = Diagram([[0, 0.0, INF], [1, 1.0, INF]], 1, threshold=2.0, censored=[False, True])
    assert diagram.protection_radius().tolist() == [INF, 0.25]


def test_what_rounding_may_have_added_protects_nothing() -> None:
    exact = persistence(EIGHT)
    assert exact.provenance is not None
    assert exact.provenance.error == 0.0
    error = 1e-7  # of engines in float32, before they were given ranks
    rounded = dataclasses.replace(exact, provenance=dataclasses.replace(exact.provenance, error=error))
    lengths = exact.pairs[:, 2] - exact.pairs[:, 1]
    assert np.allclose(rounded.protection_radius(), np.maximum(lengths - 2 * error, 0) / 4, rtol=0, atol=1e-15)


def test_only_exact_filtrations_protect() -> None:
    for filtration in ("dtm", "rips_sparse", "landmark", "lower_star"):
        with pytest.raises(BadInput, match="protection_radius"):
            Diagram([[0, 0.0, 1.0]], 0, filtration=filtration).protection_radius()


@pytest.mark.parametrize("seed", range(6))
def test_a_loop_survives_every_move_within_its_radius(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = circle(40, 0.02, seed)
    before = persistence(cloud)
    radius = before.protection_radius()[before.pairs[:, 0] == 1].max()
    length = before.persistence(1).max()
    away = rng.standard_normal(cloud.shape)
    away *= 0.999 * radius / np.linalg.norm(away, axis=1)[:, None]
    inwards = -0.999 * radius * cloud / np.linalg.norm(cloud, axis=1)[:, None]
    for moved in (cloud + away, cloud + inwards, cloud + np.where(cloud[:, :1] > 0, away, inwards)):
        after = persistence(moved).persistence(1).max()
        assert after > 0
        assert after >= length - 4 * radius


def test_diagrams_of_another_scale_or_field_are_not_compared() -> None:
    plain = persistence(EIGHT)
    plain.check_comparable(persistence(EIGHT, engine="simple"))
    with pytest.raises(BadInput, match=r"scale: .* diameter and radius"):
        plain.check_comparable(dataclasses.replace(plain, scale="radius"))
    with pytest.raises(BadInput, match=r"field: .* 2 and 3"):
        plain.check_comparable(dataclasses.replace(plain, field=3))
