"""Circular coordinates from a cocycle: how far round its loop a point is."""

from __future__ import annotations

import numpy as np
import pytest

from toriwork.errors import BadInput
from toriwork.plots import plot_cloud
from toriwork.topology import circular_coordinates
from toriwork.topology.clouds import distances_of_points


def turns_of(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(n)


def ring(turns: np.ndarray, radius: float = 1.0, noise: float = 0.03) -> np.ndarray:
    angle = 2 * np.pi * turns
    moved = noise * np.random.default_rng(len(turns)).standard_normal((len(turns), 2))
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + moved


def agreement(found: np.ndarray, turns: np.ndarray) -> float:
    """1 where one is the other but for where it begins and which way round it goes."""
    return max(abs(np.exp(2j * np.pi * (found - side * turns)).mean()) for side in (-1, 1))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_angle_on_a_noisy_circle(seed: int) -> None:
    turns = turns_of(90, seed)
    found = circular_coordinates(ring(turns))
    assert found.shape == (90,)
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert agreement(found, turns) > 0.97
    assert agreement(circular_coordinates(distances=distances_of_points(ring(turns)), scale=0.8), turns) > 0.9
    assert agreement(np.random.default_rng(0).permutation(found), turns) < 0.5


def test_each_of_two_loops_has_its_own() -> None:
    turns, others = turns_of(80, 1), turns_of(60, 2)
    cloud = np.vstack([ring(turns), np.add(ring(others, 0.6), [1.6, 0.0])])
    large, small = (circular_coordinates(cloud, which=k) for k in (0, 1))
    assert agreement(large[:80], turns) > 0.8
    assert agreement(small[80:], others) > 0.8
    assert abs(np.exp(2j * np.pi * large[80:]).mean()) > 0.95  # the other loop stands at one place


def test_it_can_be_drawn_by_what_draws_clouds() -> None:
    turn = 2 * np.pi * circular_coordinates(ring(turns_of(50, 3)))
    assert plot_cloud(np.column_stack([np.cos(turn), np.sin(turn)])).get_xlabel() == "x"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"which": 99}, "expected one of the"), ({"scale": 1e-3}, "where the loop lives"), ({"scale": 9.0}, "got 9.0")],
)
def test_what_is_no_loop_is_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        circular_coordinates(ring(turns_of(40, 4)), **options)  # type: ignore[arg-type]
