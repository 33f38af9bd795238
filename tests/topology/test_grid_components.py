"""H0 of a grid from its minima is that of gudhi's cells, in less memory, whatever ties, masks and closed axes say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from toriwork.errors import TooLarge
from toriwork.topology import gudhi_filtrations, persistence
from toriwork.topology.engines import grid_bars
from toriwork.topology.grid_components import component_bars_of_grid


def rows(bars: np.ndarray) -> list[list[float]]:
    return sorted(bars[bars[:, 1] > bars[:, 0]].tolist())


@pytest.mark.parametrize("levels", [2, 5, 10**6])
@pytest.mark.parametrize("shape", [(12, 11, 10), (5, 6, 4, 3), (30, 30), (3, 1, 9), (2, 2, 2, 2, 2), (40,)], ids=str)
def test_it_equals_h0_of_all_cells(shape: tuple[int, ...], levels: int) -> None:
    rng = np.random.default_rng(levels + len(shape))
    for missing in (0.0, 0.4, 1.0):
        values = rng.integers(0, levels, shape) / levels
        values[rng.random(shape) < missing] = math.inf
        for periodic in ((), (True,) * len(shape), (True, *(False,) * (len(shape) - 1))):
            wanted = grid_bars(values, 0, 2, on_vertices=False, periodic=periodic)[0]
            assert rows(component_bars_of_grid(values, periodic, 2)[0]) == rows(wanted)


def test_two_wells_and_the_pass_between_them() -> None:
    volume = np.full((5, 5, 9), 7.0)
    volume[2, 2, 1:8] = [1, 2, 3, 5, 3, 2, 0]
    volume[0, 0, 0] = 6.0
    found = persistence(volume, filtration="cubical", max_dimension=0)
    assert found.pairs.tolist() == [[0, 0, math.inf], [0, 1, 5], [0, 6, 7]]
    assert found.provenance.engine == "gudhi"


def test_h0_alone_makes_no_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gudhi_filtrations, "grid_bars", lambda *a, **o: pytest.fail("cells were made"))
    volume = np.random.default_rng(0).random((20, 20, 20))
    assert len(persistence(volume, filtration="cubical", max_dimension=0, max_bytes=2e6)) > 50
    with pytest.raises(TooLarge, match="H0 alone"):
        persistence(volume, filtration="cubical", max_dimension=1, max_bytes=2e6)
