"""The fallback takes the short cuts that its docstring names: counted in reduced columns, not in time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from tests.topology import oracles
from toriwork.topology import simple


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, *, clearing: bool = True, apparent: bool = True) -> Iterator[list[int]]:
    """The simplices whose columns are reduced, with either short cut on or off."""
    seen: list[int] = []
    reduce_column, reduce_level, pairs = simple._reduce_column, simple._reduce, simple._apparent_pairs

    def column(columns: object, simplex: int, owner: object, reduced: object) -> tuple[int, int]:
        seen.append(simplex)
        return reduce_column(columns, simplex, owner, reduced)

    def level(below: object, above: object, cleared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return reduce_level(below, above, cleared if clearing else np.zeros_like(cleared))

    def none(columns: object, above: object) -> np.ndarray:
        return np.full_like(pairs(columns, above), -1)

    with monkeypatch.context() as patched:
        patched.setattr(simple, "_reduce_column", column)
        patched.setattr(simple, "_reduce", level)
        if not apparent:
            patched.setattr(simple, "_apparent_pairs", none)
        yield seen


@pytest.fixture
def distances() -> np.ndarray:
    return oracles.euclidean(np.random.default_rng(0).random((25, 2)))


def test_clearing_spares_every_column_that_is_known_to_vanish(
    monkeypatch: pytest.MonkeyPatch, distances: np.ndarray
) -> None:
    with counted(monkeypatch) as with_clearing:
        cleared = simple.rips_bars(distances, 1)
    with counted(monkeypatch, clearing=False) as without:
        plain = simple.rips_bars(distances, 1)
    n = len(distances)
    # an edge of the spanning tree kills a component; without clearing its column is reduced to nothing all the same
    assert len(without) - len(with_clearing) == n - 1
    # not clearing gives each of them a bar of its own that never dies
    endless = [int(np.isinf(bars[1]).any(axis=1).sum()) for bars in (cleared, plain)]
    assert endless == [0, n - 1]


def test_apparent_pairs_spare_most_of_the_rest(monkeypatch: pytest.MonkeyPatch, distances: np.ndarray) -> None:
    with counted(monkeypatch) as with_pairs:
        short = simple.rips_bars(distances, 1)
    with counted(monkeypatch, apparent=False) as without:
        long = simple.rips_bars(distances, 1)
    assert len(with_pairs) < 0.3 * len(without)
    for bars, wanted in zip(short, long, strict=True):
        assert np.array_equal(bars[np.lexsort(bars.T)], wanted[np.lexsort(wanted.T)])
