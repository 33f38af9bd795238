"""What is no number, no collection and no executor is refused by name, with what was given."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from toriwork.errors import BadInput
from toriwork.topology import count_above, estimate_betti, persistence, persistence_many, work_estimate

CLOUD = np.random.default_rng(0).random((20, 2))
DIAGRAM = persistence(CLOUD)
NO_NUMBERS = ("1", None, math.nan, -1, 1j, [1.0, 2.0], -(10**400))


@pytest.mark.parametrize("wrong", [*NO_NUMBERS, 10**400])
@pytest.mark.parametrize("name", ["threshold", "min_persistence"])
def test_a_scale_is_one_number(name: str, wrong: Any) -> None:
    with pytest.raises(BadInput, match=name):
        persistence(CLOUD, **{name: wrong})


@pytest.mark.parametrize("wrong", [given for given in NO_NUMBERS if given is not None])
def test_a_limit_of_memory_is_one_number(wrong: Any) -> None:
    with pytest.raises(BadInput, match="max_bytes"):
        persistence(CLOUD, max_bytes=wrong)
    with pytest.raises(BadInput, match="max_bytes"):
        persistence_many([CLOUD], max_bytes=wrong)
    with pytest.raises(BadInput, match="n_points"):
        work_estimate(wrong, 2)


@pytest.mark.parametrize("given", [0.3, np.float32(0.3), np.array(0.3)])
def test_a_number_may_be_of_numpy(given: Any) -> None:
    assert persistence(CLOUD, threshold=given) == persistence(CLOUD, threshold=float(given))


@pytest.mark.parametrize(
    "asked",
    [
        lambda: DIAGRAM.betti("1"),
        lambda: DIAGRAM.betti(None),
        lambda: DIAGRAM.persistent_betti(0.1, "a"),
        lambda: DIAGRAM.betti_curve(1, ["a"]),
        lambda: DIAGRAM.in_dimension("1"),
        lambda: DIAGRAM.in_dimension(0.5),
        lambda: count_above(DIAGRAM, "a"),
        lambda: persistence(sparse.csr_matrix(CLOUD)),
        lambda: estimate_betti(sparse.csr_matrix(CLOUD)),
        lambda: persistence(distances=sparse.csr_matrix(CLOUD @ CLOUD.T)),
    ],
)
def test_what_a_diagram_cannot_be_asked_is_said(asked: Callable[[], object]) -> None:
    with pytest.raises(BadInput):
        asked()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("executor", 3), ("memory", 5), ("memory", {}), ("progress", 3), ("max_workers", 1.5), ("max_workers", "2")],
)
def test_many_clouds_are_begun_with_what_they_can_be_begun_with(name: str, wrong: Any) -> None:
    with pytest.raises(BadInput, match=name):
        persistence_many([CLOUD], **{name: wrong})


def test_many_clouds_are_iterable() -> None:
    with pytest.raises(BadInput, match="clouds: expected an iterable"):
        persistence_many(5)
