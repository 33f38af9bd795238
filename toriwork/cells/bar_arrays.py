"""Bars of many diagrams in a few growing arrays: 16 bytes a bar and no object per diagram."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.sketch import Floats, Ragged, longest_first


class _Growing:
    """An array that grows at its end in amortised constant time; a view that was taken stays as it was."""

    def __init__(self, first: NDArray[Any]) -> None:
        self._held = first
        self._n_rows = len(first)

    def extend(self, rows: NDArray[Any]) -> None:
        wanted = self._n_rows + len(rows)
        if wanted > len(self._held):
            larger = np.empty((max(wanted, 64, len(self._held) * 3 // 2), *self._held.shape[1:]), self._held.dtype)
            larger[: self._n_rows] = self.view()
            self._held = larger
        self._held[self._n_rows : wanted] = rows
        self._n_rows = wanted

    def view(self) -> NDArray[Any]:
        return self._held[: self._n_rows]

    @property
    def nbytes(self) -> int:
        return self._held.nbytes


class BarStore:
    """The bars of one dimension of homology of many diagrams."""

    def __init__(self) -> None:
        self._bars = _Growing(np.empty((0, 2)))  # finite ones, longest first
        self._bar_starts = _Growing(np.zeros(1, dtype=np.int64))
        self._births = _Growing(np.empty(0))  # of essential classes, rising
        self._birth_starts = _Growing(np.zeros(1, dtype=np.int64))
        self._spans = _Growing(np.empty((0, 3)))

    def add(self, bars: Floats) -> None:
        """Put the bars (n, 2) of a diagram at the end."""
        finite, births = parted(bars)
        self._bars.extend(finite)
        self._births.extend(births)
        self._spans.extend(span(bars)[None])
        for starts, values in ((self._bar_starts, self._bars), (self._birth_starts, self._births)):
            starts.extend(np.array([len(values.view())]))

    def finite(self, n_diagrams: int) -> Ragged:
        """The finite bars of the first diagrams."""
        starts = self._bar_starts.view()[: n_diagrams + 1]
        return Ragged(self._bars.view()[: starts[-1]], starts)

    def essential(self, n_diagrams: int) -> tuple[Floats, NDArray[np.int64]]:
        """Births of the essential classes of the first diagrams, rising in each, and where each diagram's begin."""
        starts = self._birth_starts.view()[: n_diagrams + 1]
        return self._births.view()[: starts[-1]], starts

    def spans(self, n_diagrams: int) -> Floats:
        """:func:`span` of each of the first diagrams, (n_diagrams, 3)."""
        return self._spans.view()[:n_diagrams]

    def n_bars(self, n_diagrams: int) -> NDArray[np.int64]:
        """Bars of each of the first diagrams, essential ones included."""
        return np.diff(self.finite(n_diagrams).starts) + np.diff(self.essential(n_diagrams)[1])

    def bars(self, row: int) -> Floats:
        """All bars (n, 2) of one diagram."""
        finite, (births, starts) = self.finite(row + 1), self.essential(row + 1)
        endless = births[starts[row] :]
        return np.vstack([finite.bars[finite.starts[row] :], np.column_stack([endless, np.full(len(endless), np.inf)])])

    @property
    def nbytes(self) -> int:
        """Memory that is held, room for growth included."""
        parts = (self._bars, self._bar_starts, self._births, self._birth_starts, self._spans)
        return sum(part.nbytes for part in parts)


def parted(bars: Floats) -> tuple[Floats, Floats]:
    """Finite bars, longest first, and the births of essential classes, rising."""
    endless = np.isinf(bars[:, 1])
    return longest_first(bars[~endless]), np.sort(bars[endless, 0])


def span(bars: Floats) -> Floats:
    """First and last birth of the finite bars (inf, -inf of none), and the largest finite coordinate of all, (3,)."""
    births = bars[np.isfinite(bars[:, 1]), 0]
    reach = np.abs(bars[np.isfinite(bars)]).max(initial=0.0)
    return np.array([births.min(initial=np.inf), births.max(initial=-np.inf), reach])
