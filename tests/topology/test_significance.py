"""The rules: right on clean shapes, silent on noise, open when the evidence is thin; helpers equal slow twins."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.errors import BadInput
from toriwork.topology import Diagram, Provenance, estimate_betti, judge, persistence
from toriwork.topology.calibrated import Calibrated
from toriwork.topology.evidence import Sampling, parameters_of, quantile
from toriwork.topology.rules import UniversalNull
from toriwork.topology.significance import RULES, rule_named, smaller_sides

Make = Callable[[np.random.Generator], np.ndarray]


def ring(rng: np.random.Generator, n: int = 100, at: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.column_stack([np.cos(angle), np.sin(angle)]) + at + 0.07 * rng.standard_normal((n, 2))


def disc(rng: np.random.Generator) -> np.ndarray:
    return np.sqrt(rng.random((100, 1))) * circle(100, seed=int(rng.integers(1 << 30)))


SHAPES: list[tuple[str, Make, tuple[float, ...]]] = [
    ("circle", ring, (1, 1)),
    ("two circles", lambda rng: np.vstack([ring(rng), ring(rng, at=(3.0, 0.0))]), (2, 2)),
    ("figure eight", lambda rng: np.vstack([ring(rng), ring(rng, at=(2.0, 0.0))]), (1, 2)),
    ("circle and blob", lambda rng: np.vstack([ring(rng), [4.0, 0] + 0.2 * rng.standard_normal((60, 2))]), (2, 1)),
    ("disc", disc, (1, 0)),
    ("Gaussian", lambda rng: rng.standard_normal((150, 3)), (1, 0)),
    ("box of ten dimensions", lambda rng: rng.random((100, 10)), (1, 0)),
    ("heavy tails", lambda rng: rng.standard_t(2, (120, 2)), (1, 0)),
    ("three blobs", lambda rng: np.eye(3)[rng.integers(0, 3, 120)] * 3 + 0.2 * rng.standard_normal((120, 3)), (3, 0)),
    ("twenty points of a cube", lambda rng: rng.random((20, 3)), (1, 0)),
]


@pytest.mark.parametrize(("make", "numbers"), [pytest.param(m, n, id=name) for name, m, n in SHAPES])
def test_the_default_rule_is_right_on_at_least_eleven_of_twelve(make: Make, numbers: tuple[float, ...]) -> None:
    found = [estimate_betti(make(np.random.default_rng([77, i]))).numbers for i in range(12)]
    assert found.count(numbers) >= 11


def test_a_few_far_points_are_no_components() -> None:
    rng = np.random.default_rng(3)
    cloud = np.vstack([rng.standard_normal((150, 2)), [[9.0, 9.0], [-9.0, 8.0], [9.0, -7.0]]])
    assert estimate_betti(cloud).numbers[0] == 1.0


def test_a_pair_of_points_is_no_component_however_far_it_lies() -> None:
    near = np.random.default_rng(3).standard_normal((25, 2))
    assert estimate_betti(np.vstack([near, [[1e9, 0.0], [1e9, 1.0]]])).numbers[0] == 1.0
    assert estimate_betti(np.vstack([near, [[1e9, 0.0], [1e9, 1.0], [1e9, 2.0]]])).numbers[0] == 2.0


@pytest.mark.parametrize("engine", ["gudhi", "ripser", "simple"])
def test_every_engine_leads_to_the_same_numbers(engine: str) -> None:
    cloud = np.vstack([ring(np.random.default_rng(1), 50), ring(np.random.default_rng(2), 50, at=(3.0, 0.0))])
    assert estimate_betti(cloud, engine=engine).numbers == (2.0, 2.0)


def test_the_sphere_has_a_cavity_and_the_ball_none() -> None:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((150, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    assert estimate_betti(directions, max_dimension=2).numbers == (1.0, 0.0, 1.0)
    ball = directions * rng.random((150, 1)) ** (1 / 3)
    assert estimate_betti(ball, max_dimension=2).numbers == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("power", [-3, 5])
@pytest.mark.parametrize("rule", RULES)
def test_no_rule_depends_on_the_unit(rule: str, power: int) -> None:
    for cloud in (ring(np.random.default_rng(5)), disc(np.random.default_rng(6))):
        assert estimate_betti(cloud * 10.0**power, rule=rule).numbers == estimate_betti(cloud, rule=rule).numbers


def with_loop(death: float) -> Diagram:
    """A hundred points at spacing 0.1, noise bars, and one loop that is born at 0.3."""
    components = [[0, 0.0, 0.1 + 0.001 * i] for i in range(99)] + [[0, 0.0, math.inf]]
    noise = [[1, 0.3 + 0.001 * i, 0.33 + 0.001 * i] for i in range(12)]
    made = Provenance("simple", "0", "rips", 2, "diameter", 1, math.inf, 0.0, 100)
    return Diagram([*components, *noise, [1, 0.3, death]], 1, provenance=made)


def test_a_longer_bar_is_never_less_of_a_feature() -> None:
    answers = [judge(with_loop(death)).numbers[1] for death in np.linspace(0.35, 2.0, 200)]
    settled = [answer for answer in answers if not math.isnan(answer)]
    assert settled == sorted(settled)
    assert answers[0] == 0.0
    assert answers[-1] == 1.0


def test_between_yes_and_no_the_number_stays_open() -> None:
    answers = [judge(with_loop(death)).numbers[1] for death in np.linspace(0.35, 2.0, 2000)]
    first, last = answers.index(1.0), len(answers) - answers[::-1].index(0.0)
    assert all(math.isnan(answer) for answer in answers[last:first])
    assert first > last
    assert json.loads(judge(with_loop(0.35)).to_json())["evidence"]["H1"]["features"] == []


def test_evidence_names_the_bars_that_were_counted() -> None:
    found = judge(with_loop(2.0))
    birth, death, odds = found.evidence["H1"]["features"][0]
    assert (birth, death) == (0.3, 2.0)
    assert odds > found.parameters["yes"]
    assert found.evidence["H1"]["next"][2] < found.parameters["no"]


@given(st.integers(1, 40), st.floats(0, 1), st.integers(0, 1000))
@settings(max_examples=60)
def test_the_quick_quantile_is_numpys(size: int, share: float, seed: int) -> None:
    values = np.sort(np.random.default_rng(seed).random(size))
    assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-12)


@given(st.integers(2, 25), st.integers(0, 1000))
@settings(max_examples=40)
def test_smaller_sides_are_those_of_a_slow_single_linkage(n_points: int, seed: int) -> None:
    cloud = np.random.default_rng(seed).random((n_points, 2))
    distances = oracles.euclidean(cloud)
    assert smaller_sides(distances, n_points - 1).tolist() == oracles.smaller_sides(distances)
    assert smaller_sides(distances, 1).tolist() == oracles.smaller_sides(distances)[-1:]


def test_smaller_sides_leave_merges_of_equal_points_out() -> None:
    cloud = np.array([[0.0], [0.0], [0.0], [5.0], [5.0]])
    assert smaller_sides(oracles.euclidean(cloud), 1).tolist() == [2]
    assert smaller_sides(np.zeros((1, 1)), 0).tolist() == []


def test_universal_p_values_follow_the_formula() -> None:
    diagram = persistence(ring(np.random.default_rng(4), 150))
    ratios = sorted((d / b for b, d in diagram.in_dimension(1).tolist()), reverse=True)
    logs = [math.log(math.log(ratio)) for ratio in ratios]
    shift = -np.euler_gamma - sum(logs) / len(logs)
    wanted = [min(1.0, len(ratios) * math.exp(-math.exp(value + shift))) for value in logs]
    bars = UniversalNull(level=1.0)(Sampling(diagram))[1].evidence["p_values"]
    assert [p for _, _, p in bars] == pytest.approx(wanted[: len(bars)])
    assert [death / birth for birth, death, _ in bars] == pytest.approx(ratios[: len(bars)])
    alpha = persistence(ring(np.random.default_rng(4), 150), filtration="alpha")
    first = UniversalNull()(Sampling(alpha))[1].evidence["p_values"][0]
    logs = [0.5 * math.log(math.log(d / b)) for b, d in alpha.in_dimension(1).tolist()]
    shift = -np.euler_gamma - sum(logs) / len(logs)
    wanted_first = len(logs) * math.exp(-math.exp(0.5 * math.log(math.log(first[1] / first[0])) + shift))
    assert first[2] == pytest.approx(wanted_first)


def test_an_unknown_rule_is_refused_with_the_list() -> None:
    with pytest.raises(BadInput, match="calibrated, guarded_gap"):
        rule_named("largest")


def test_parameters_are_those_of_the_rule() -> None:
    assert parameters_of(Calibrated()).keys() == {"no", "yes", "least_ratio", "cavity_ratio", "version"}
    assert json.loads(estimate_betti(ring(np.random.default_rng(0)), rule="late_death").to_json())["parameters"] == {
        "ratio": 2.0
    }
