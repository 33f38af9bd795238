"""CurvatureAwareGuard: the slow twin's curvature and decisions, damping, tokens; in a loop and out of it."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.monitors import oracles
from toriwork.errors import BadInput
from toriwork.monitors import CurvatureAwareGuard
from toriwork.monitors.curvature import as_graph, damping_profile, decide, local_curvature, threshold_at

fields = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6), elements=st.floats(-9, 9)
)


def random_states(rng, n):
    """Square lengths, other lengths, fields of any shape, complex ones, tiny ones, flat ones."""
    for _ in range(n):
        kind, scale = rng.integers(6), 10.0 ** rng.integers(-3, 3)
        size = int(rng.integers(1, 40))
        if kind == 0:
            yield rng.normal(scale=scale, size=int(rng.integers(1, 6)) ** 2)
        elif kind == 1:
            yield rng.normal(scale=scale, size=size)
        elif kind == 2:
            yield rng.normal(scale=scale, size=tuple(rng.integers(1, 6, 2)))
        elif kind == 3:
            yield rng.normal(scale=scale, size=size) + 1j * rng.normal(scale=scale, size=size)
        else:
            yield np.full(size, scale)


def test_a_thousand_random_inputs_are_judged_as_the_slow_twin_does(synthesis, generated):
    rng, guard = np.random.default_rng(3), CurvatureAwareGuard(synthesis=synthesis)
    actions = set()
    for state in random_states(rng, 1000):
        eigenvalues = rng.normal(scale=0.8, size=rng.integers(1, 6)) + 1j * rng.normal(size=1)
        found = guard.check_eigenvalues(eigenvalues, state)
        expected = oracles.check(eigenvalues.tolist(), state.tolist())
        assert set(found) == {"timestamp", *expected}
        for key, value in expected.items():
            assert found[key] == (pytest.approx(value, rel=1e-12, abs=1e-12) if key != "action" else value), key
        mean_h, mean_k = oracles.curvature(state.tolist())
        bent = guard.compute_local_curvature(state)
        assert bent.mean_curvature == pytest.approx(mean_h, rel=1e-12, abs=1e-12)
        assert bent.gaussian_curvature == pytest.approx(mean_k, rel=1e-12, abs=1e-9 * abs(mean_h) ** 2 + 1e-12)
        profile = damping_profile(as_graph(state)).ravel()
        assert profile == pytest.approx(oracles.profile(state.tolist()), rel=1e-12, abs=1e-12)
        actions.add(found["action"])
    assert actions == {"none", "adaptive_damp", "emergency_damp"}
    assert generated() == 1000


@pytest.mark.parametrize(("curvature", "threshold"), [(0.0, 1.0), (1.0, 1 / 1.5), (2.0, 0.5), (1e9, 0.5)])
def test_the_threshold_falls_with_curvature_to_a_half(curvature, threshold):
    assert threshold_at(curvature) == threshold


@pytest.mark.parametrize(
    ("top", "threshold", "decision"),
    [
        (2.0001, 1.0, ("emergency_damp", 0.5)),
        (2.0, 1.0, ("adaptive_damp", 0.2)),
        (1.0, 1.0, ("none", 0.0)),
        (-9.0, 0.5, ("none", 0.0)),
    ],
)
def test_what_is_done_begins_above_the_bounds(top, threshold, decision):
    assert decide(top, threshold) == decision


def test_the_curvature_of_a_cap_and_of_a_circle_is_known():
    axis = np.linspace(-1, 1, 81)
    radius = 400.0  # in points: 0.1 a point, so that the slopes stay small
    x, y = np.meshgrid(axis * 40, axis * 40)
    sphere = local_curvature(np.sqrt(radius**2 - x**2 - y**2))
    assert sphere.mean_curvature == pytest.approx(2 / radius, rel=0.05)  # kappa_1 + kappa_2, not their mean
    assert sphere.gaussian_curvature == pytest.approx(1 / radius**2, rel=0.1)
    circle = local_curvature(np.sqrt(radius**2 - (axis * 40) ** 2))
    assert circle.mean_curvature == pytest.approx(1 / radius, rel=0.05)


@given(fields, st.floats(-100, 100))
def test_curvature_is_blind_to_height_sign_and_orientation(field, height):
    here = local_curvature(field)
    for moved in (field + height, -field, field.T, field[::-1]):
        there = local_curvature(moved)
        assert there.mean_curvature == pytest.approx(here.mean_curvature, rel=1e-6, abs=1e-9)
        assert there.gaussian_curvature == pytest.approx(here.gaussian_curvature, rel=1e-6, abs=1e-8)


@given(fields, st.floats(0, 1))
def test_damping_never_amplifies_nor_turns_a_sign(field, factor):
    damped = CurvatureAwareGuard().apply_damping(field, factor)
    assert (np.abs(damped) <= np.abs(field)).all()
    assert (damped * field >= 0).all()


def test_large_states_are_judged_and_not_lost_in_infinities():
    assert local_curvature(as_graph([0.0, 1e99, 0.0, 1e99, 0.0])).mean_curvature == pytest.approx(1e99, rel=1)
    with pytest.raises(BadInput, match="up to 1e"):
        as_graph([1e101, 0.0])


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(np.full(16, 2.0), id="a flat field"),
        pytest.param(np.arange(7.0) ** 2, id="a curve"),
        pytest.param(np.array([4.0]), id="one point"),
        pytest.param(np.zeros((1, 5)) + 3, id="a field of one row"),
    ],
)
def test_damping_is_even_where_nothing_is_bent(state):
    np.testing.assert_array_equal(CurvatureAwareGuard().apply_damping(state, 0.25), state * 0.75)


def test_damping_keeps_shape_and_phase_and_leaves_the_state_alone():
    rng = np.random.default_rng(0)
    state = rng.normal(size=25) + 1j * rng.normal(size=25)
    before = state.copy()
    damped = CurvatureAwareGuard().apply_damping(state, 0.5)
    assert damped.shape == (25,)
    np.testing.assert_allclose(np.angle(damped), np.angle(state), atol=1e-12)
    np.testing.assert_array_equal(state, before)
    assert len({round(value, 6) for value in np.abs(damped / state)}) > 1  # least where it is bent most


@pytest.mark.parametrize("seed", range(20))
def test_the_blow_up_ends_within_300_steps(synthesis, seed):
    guard = CurvatureAwareGuard(rng=np.random.default_rng(seed), synthesis=synthesis)
    state, eigenvalues = guard.inject_synthetic_blowup()
    assert (state.shape, eigenvalues.shape, eigenvalues[0], state.max() <= 1) == ((4096,), (10,), 2.5, True)
    for _ in range(300):
        found = guard.check_eigenvalues(eigenvalues, state)
        if found["action"] == "none":
            break
        state = guard.apply_damping(state, found["damping_factor"])
        eigenvalues = eigenvalues * (1 - 0.1 * found["damping_factor"])
    assert 0 < guard.metrics["emergency_damp"] < guard.metrics["checks"] <= 300
    assert eigenvalues.real.max() <= found["threshold"]


def test_the_blow_up_is_the_field_of_the_contract():
    state, again = (CurvatureAwareGuard(rng=np.random.default_rng(1)).inject_synthetic_blowup() for _ in range(2))
    np.testing.assert_array_equal(state[1], again[1])
    step = 10 / 63
    i, j = 30, 34
    assert state[0].reshape(64, 64)[i, j] == pytest.approx(
        math.exp(-((-5 + step * j) ** 2 + (-5 + step * i) ** 2) / 0.5)
    )


# ---- no loop, and inside one -----------------------------------------------------------------------------------------


def test_it_works_without_an_event_loop_and_inside_one_alike(synthesis):
    guard = CurvatureAwareGuard(synthesis=synthesis, clock=lambda: 7.0)

    async def inside():
        return guard.check_eigenvalues([1.5], np.arange(10.0))

    assert asyncio.run(inside()) == guard.check_eigenvalues([1.5], np.arange(10.0))


def test_subscribers_get_a_copy_of_every_result_until_they_leave(synthesis):
    guard, heard = CurvatureAwareGuard(synthesis=synthesis), []
    leave = guard.subscribe(heard.append)
    found = guard.check_eigenvalues([1.5], np.zeros(9))
    assert heard == [found]
    assert heard[0] is not found
    leave()
    leave()
    guard.check_eigenvalues([1.5], np.zeros(9))
    assert len(heard) == 1


def test_a_subscriber_that_fails_is_logged_and_hurts_nobody(synthesis, caplog):
    guard, heard = CurvatureAwareGuard(synthesis=synthesis), []

    def fail(result):
        raise RuntimeError("no more paper")

    guard.subscribe(fail)
    guard.subscribe(heard.append)
    guard.check_eigenvalues([1.5], np.zeros(9))
    assert len(heard) == 1
    assert "no more paper" in caplog.text


async def coroutine(result):
    """What nobody would await."""


@pytest.mark.parametrize("callback", [3, coroutine], ids=["a number", "a coroutine function"])
def test_what_cannot_be_called_plainly_is_no_subscriber(callback):
    with pytest.raises(BadInput, match=r"plain function|function of one dict"):
        CurvatureAwareGuard().subscribe(callback)


# ---- tokens, histories, bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("top", "matters"), [(0.8, False), (0.801, True), (1.5, True), (-3.0, False)], ids=["at", "near", "above", "below"]
)
def test_each_check_is_one_token_and_in_the_context_when_it_matters(synthesis, generated, top, matters):
    guard = CurvatureAwareGuard(synthesis=synthesis)
    guard.check_eigenvalues([top], np.zeros(9))
    assert (generated(), len(synthesis.context_tokens)) == (1, int(matters))
    synthesis.add_to_context(guard.last_token)
    (measured,) = synthesis.get_context_measurements()
    assert (measured["type"], measured["source"], measured["threshold"]) == ("curvature", "eigensentry", 1)


def test_binding_moves_the_tokens_and_makes_none(synthesis, generated):
    guard = CurvatureAwareGuard()
    assert synthesis.integrate_with_eigensentry(guard) is guard
    assert generated() == 0
    guard.check_eigenvalues([1.0], np.zeros(4))
    assert generated() == 1


def test_the_history_is_bounded_and_shows_the_largest_modes(synthesis):
    guard = CurvatureAwareGuard(synthesis=synthesis)
    for number in range(1005):
        guard.check_eigenvalues([number, *range(-30, 0)], np.zeros(4))
    history = guard.history
    assert (len(history), history[0]["max_eigenvalue"], history[-1]["max_eigenvalue"]) == (1000, 5, 1004)
    assert history[-1]["spectrum"] == [1004, *range(-1, -16, -1)]
    assert guard.metrics == {"checks": 1005, "none": 2, "adaptive_damp": 1, "emergency_damp": 1002}


@pytest.mark.parametrize(
    ("eigenvalues", "state", "words"),
    [
        pytest.param([math.nan], np.zeros(4), "not finite", id="NaN"),
        pytest.param([complex(0, math.inf)], np.zeros(4), "not finite", id="an infinite imaginary part"),
        pytest.param([], np.zeros(4), "at least one", id="no eigenvalue"),
        pytest.param([1.0], [0.0, math.nan], r"got nan at \(1,\)", id="NaN in the state"),
        pytest.param([1.0], np.full((2, 2), math.inf), r"at \(0, 0\)", id="infinity in the state"),
        pytest.param([1.0], np.zeros((2, 2, 2)), "one or two axes", id="three axes"),
        pytest.param([1.0], ["a"], "numbers", id="text"),
        pytest.param([1.0], [[1], [1, 2]], "axes", id="ragged"),
    ],
)
def test_bad_input_is_refused_and_counts_for_nothing(synthesis, generated, eigenvalues, state, words):
    guard = CurvatureAwareGuard(synthesis=synthesis)
    with pytest.raises(BadInput, match=words):
        guard.check_eigenvalues(eigenvalues, state)
    assert (guard.metrics["checks"], generated(), guard.history) == (0, 0, [])


@pytest.mark.parametrize("factor", [-0.1, 1.1, math.nan])
def test_a_factor_lies_between_0_and_1(factor):
    with pytest.raises(BadInput, match="factor"):
        CurvatureAwareGuard().apply_damping(np.zeros(4), factor)


@pytest.mark.parametrize("state_dim", [0, 2.5, True, "9"])
def test_a_dimension_is_a_whole_number(state_dim):
    with pytest.raises(BadInput, match="state_dim"):
        CurvatureAwareGuard(state_dim)
