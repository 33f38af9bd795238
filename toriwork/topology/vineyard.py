"""Classes of homology followed through a series of diagrams: bars of neighbours are matched at least cost.

Sources: Cohen-Steiner, Edelsbrunner & Morozov 2006, doi:10.1145/1137856.1137877 (vineyards); Turner, Mileyko,
Mukherjee & Harer 2014, doi:10.1007/s00454-014-9604-7, sect. 2 (the 2-Wasserstein matching with the diagonal).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.diagram import Diagram, Scale

MAX_BARS = 64  #: per diagram and dimension: the longest ones are followed
MAX_VINES = 10_000  #: the ones of the longest bars are kept


@dataclass(frozen=True, slots=True, eq=False)
class Vine:
    """One class of homology, from the step at which it appears to the last one at which it is matched."""

    dimension: int
    times: NDArray[np.int64]  #: (n_steps,) consecutive indices into the series
    births: NDArray[np.float64]  #: (n_steps,) finite, in the scale of the vineyard
    deaths: NDArray[np.float64]  #: (n_steps,) inf at every step when the class is essential, else finite

    def __post_init__(self) -> None:
        lengths = {len(part) for part in (self.times, self.births, self.deaths)}
        if len(lengths) != 1 or 0 in lengths:
            raise BadInput(f"Vine: expected times, births and deaths of one length > 0, got {sorted(lengths)}")
        for name, kind in (("times", np.int64), ("births", np.float64), ("deaths", np.float64)):
            values = np.array(getattr(self, name), dtype=kind)
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    @property
    def essential(self) -> bool:
        """True when the class never dies within a filtration."""
        return math.isinf(self.deaths[0])

    @property
    def entry(self) -> int:
        """The first step at which the class is there."""
        return int(self.times[0])

    @property
    def exit(self) -> int:
        """The step behind the last at which the class is there."""
        return int(self.times[-1]) + 1

    @property
    def persistence(self) -> NDArray[np.float64]:
        """(n_steps,) lengths of its bars: death - birth, inf when essential."""
        return self.deaths - self.births


@dataclass(frozen=True, slots=True, eq=False)
class Vineyard:
    """The classes of a series of diagrams, each followed for as long as its bar can be matched."""

    vines: tuple[Vine, ...]  #: by entry, then dimension, then falling persistence at the entry
    n_times: int  #: steps of the series; a class may live through none of them
    scale: Scale  #: unit of births and deaths
    left_out: int = 0  #: bars that were too short to be among those that are followed, and vines that were pruned

    def in_dimension(self, k: int) -> tuple[Vine, ...]:
        """The vines of H_k."""
        return tuple(vine for vine in self.vines if vine.dimension == k)

    def __len__(self) -> int:
        return len(self.vines)

    def __repr__(self) -> str:
        hidden = f", {self.left_out} short ones left out" if self.left_out else ""
        return f"Vineyard: {len(self.vines)} vines through {self.n_times} diagrams, scale {self.scale}{hidden}"


def match(before: NDArray[np.float64], after: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Index pairs of finite bars (n_pairs, 2) that are one class in the cheapest 2-Wasserstein matching.

    Moves are Euclidean; bars that are cheaper to send to the diagonal are in no pair.
    """
    from scipy.optimize import linear_sum_assignment

    if not len(before) or not len(after):
        return []
    size = float(max(np.abs(before).max(), np.abs(after).max())) or 1.0
    before, after = before / size, after / size  # squares of moves stay within float64
    moved = ((before[:, None, :] - after[None, :, :]) ** 2).sum(axis=2)
    dropped = ((before[:, 1] - before[:, 0]) ** 2 / 2)[:, None] + ((after[:, 1] - after[:, 0]) ** 2 / 2)[None, :]
    # what a pair saves against sending both to the diagonal: a quarter of the text book's matrix, the same answer
    saved = np.maximum(dropped - moved, 0.0)
    rows, columns = linear_sum_assignment(saved, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if saved[i, j] > 0]


def vineyard_of(
    diagrams: Iterable[Diagram | None],
    *,
    dimensions: Iterable[int] | None = None,
    max_bars: int = MAX_BARS,
    max_vines: int = MAX_VINES,
) -> Vineyard:
    """The classes of a series of diagrams, each diagram matched with the next by the 2-Wasserstein matching.

    Essential classes are matched with each other in the order of their births.

    Parameters
    ----------
    diagrams : iterable of Diagram or None
        Of one scale and field, complete. None (nothing could be computed) ends every vine.
    dimensions : iterable of int, optional
        Which H_k are followed; every one that a diagram has when not given.
    max_bars : int
        How many bars of a diagram and dimension are followed: the longest.
    max_vines : int
        How many finished vines are kept: those with the longest bar anywhere. What is left out is counted.

    Raises
    ------
    BadInput
        Scale or field differ, or a diagram was cut at a threshold; the message has its index.
    """
    trellis = Trellis(dimensions=dimensions, max_bars=max_bars, max_vines=max_vines)
    for diagram in diagrams:
        trellis.add(diagram)
    return trellis.vineyard()


@dataclass(slots=True)
class _Growing:
    dimension: int
    entry: int
    longest: float = 0.0
    births: array[float] = field(default_factory=lambda: array("d"))
    deaths: array[float] = field(default_factory=lambda: array("d"))

    def extend(self, birth: float, death: float) -> None:
        self.births.append(birth)
        self.deaths.append(death)
        self.longest = max(self.longest, death - birth)

    def finished(self) -> Vine:
        times = np.arange(self.entry, self.entry + len(self.births))
        return Vine(self.dimension, times, np.frombuffer(self.births), np.frombuffer(self.deaths))


class Trellis:
    """A vineyard that grows by one diagram at a time; only the diagram before is needed to go on."""

    def __init__(
        self, *, dimensions: Iterable[int] | None = None, max_bars: int = MAX_BARS, max_vines: int = MAX_VINES
    ) -> None:
        self._dimensions = None if dimensions is None else frozenset(dimensions)
        self._max_bars = max_bars
        self._max_vines = max_vines
        self._first: Diagram | None = None
        self._vines: list[_Growing] = []
        self._alive: dict[tuple[int, bool], tuple[NDArray[np.float64], list[_Growing]]] = {}
        self._left_out = 0
        self._n_times = 0

    def add(self, diagram: Diagram | None) -> None:
        """Go on with the next diagram; None ends every vine."""
        if diagram is not None:
            self._check(diagram)
        alive = {}
        for k in range(diagram.max_dimension + 1 if diagram is not None else 0):
            if diagram is not None and (self._dimensions is None or k in self._dimensions):
                bars = diagram.in_dimension(k)
                endless = np.isinf(bars[:, 1])
                alive[k, True] = self._grow((k, True), bars[endless])
                alive[k, False] = self._grow((k, False), self._longest(bars[~endless]))
        self._alive = alive
        self._n_times += 1
        if len(self._vines) > 2 * self._max_vines + sum(len(now) for _, now in alive.values()):
            self._prune()

    def vineyard(self) -> Vineyard:
        """The vineyard of the diagrams so far."""
        self._prune()
        vines = tuple(vine.finished() for vine in self._vines)
        scale: Scale = "diameter" if self._first is None else self._first.scale
        return Vineyard(vines, self._n_times, scale, self._left_out)

    def _check(self, diagram: Diagram) -> None:
        try:
            diagram.check_comparable(self._first or diagram)
        except BadInput as error:
            raise BadInput(f"diagram {self._n_times} of the series: {error}") from error
        if math.isfinite(diagram.threshold):
            raise BadInput(
                f"diagram {self._n_times} of the series: expected a complete one, got one cut at {diagram.threshold}"
            )
        self._first = self._first or diagram

    def _longest(self, bars: NDArray[np.float64]) -> NDArray[np.float64]:
        order = np.argsort(bars[:, 0] - bars[:, 1], kind="stable")
        self._left_out += max(0, len(order) - self._max_bars)
        return bars[order[: self._max_bars]]

    def _grow(self, key: tuple[int, bool], bars: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[_Growing]]:
        """Extend the vines of the bars that are matched, begin one for each other bar."""
        before, vines = self._alive.get(key, (np.empty((0, 2)), []))
        dimension, endless = key
        pairs = zip(range(len(before)), range(len(bars)), strict=False) if endless else match(before, bars)
        known = {j: vines[i] for i, j in pairs}
        now = []
        for j, (birth, death) in enumerate(bars.tolist()):
            vine = known.get(j)
            if vine is None:
                vine = _Growing(dimension, self._n_times)
                self._vines.append(vine)
            vine.extend(birth, death)
            now.append(vine)
        return bars, now

    def _prune(self) -> None:
        """Keep what still grows, and of the rest the vines with the longest bars."""
        growing = {id(vine) for _, now in self._alive.values() for vine in now}
        finished = sorted((v for v in self._vines if id(v) not in growing), key=lambda vine: -vine.longest)
        dropped = {id(vine) for vine in finished[self._max_vines :]}
        self._left_out += len(dropped)
        self._vines = [vine for vine in self._vines if id(vine) not in dropped]
