"""Groups of diagrams: whether two differ by more than chance, and the mean of one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import check_count, shown
from toriwork.errors import BadInput
from toriwork.topology.diagram import Diagram
from toriwork.topology.distances import bottleneck, separated, sliced_wasserstein, wasserstein
from toriwork.topology.matchings import cheapest

Matrix = NDArray[np.float64]
Bars = NDArray[np.float64]
DISTANCES: dict[str, Callable[..., Any]] = {
    "bottleneck": bottleneck,
    "wasserstein": wasserstein,
    "sliced_wasserstein": sliced_wasserstein,
}
_AT_ONCE = 1_000  # splits
_MOST_ROUNDS = 1_000


@dataclass(frozen=True, slots=True)
class GroupTest:
    """How two groups differ, and how often as much or more by chance."""

    p_value: float
    statistic: float  #: energy distance: twice the mean distance between the groups less the mean within each
    effect_size: float  #: the statistic over twice the mean distance between: 0 for equal groups, 1 for two points
    n_splits: int  #: ways to split the diagrams that were compared, the given one among them
    exact: bool  #: True when these are all there are
    seed: int


def permutation_test(
    group_a: Sequence[Diagram],
    group_b: Sequence[Diagram],
    *,
    distance: str | Callable[[Diagram, Diagram], float] | None = None,
    vector: Any = None,
    k: int = 1,
    n: int = 9_999,
    seed: int = 0,
) -> GroupTest:
    """A test of whether two groups of diagrams come from one distribution, by splitting them anew.

    Parameters
    ----------
    group_a, group_b : sequence of Diagram
        Two or more each.
    distance : {"wasserstein", "bottleneck", "sliced_wasserstein"} or callable
        Of two diagrams, in H_k, or a function of two diagrams; "wasserstein" where neither this nor a vector is given.
    vector : callable or transformer
        In place of a distance: a function of a diagram, or an object with ``fit_transform`` of a list of diagrams, as
        :class:`toriwork.topology.estimators.DiagramVectors`. The distance is that of the vectors.
    k : int
        Dimension of homology of a named distance.
    n : int
        Splits that are drawn; where there are no more in all, each is taken once.
    seed : int
        Of the draw.

    Returns
    -------
    GroupTest
        ``p_value`` is (1 + those with a statistic as large) / (1 + n), or their share of all splits.

    Raises
    ------
    BadInput
        Groups or arguments that are none, diagrams that do not compare, or at distance inf: the message names them.

    Sources
    -------
    Robinson & Turner 2017, doi:10.1007/s41468-017-0008-7 (groups of diagrams). Szekely & Rizzo 2013,
    doi:10.1016/j.jspi.2013.03.018, sect. 2 (the statistic). Phipson & Smyth 2010, doi:10.2202/1544-6115.1585 (the one
    that is added).

    Examples
    --------
    >>> from toriwork import persistence
    >>> from toriwork.samples import load_sample
    >>> from toriwork.topology import permutation_test
    >>> circle, disc = load_sample("circle"), load_sample("disc")
    >>> rings = [persistence(circle[n::4]) for n in range(4)]
    >>> discs = [persistence(disc[n::4]) for n in range(4)]
    >>> found = permutation_test(rings, discs, distance="wasserstein")
    >>> round(found.p_value, 3), found.exact
    (0.029, True)
    """
    group_a, group_b = list(group_a), list(group_b)
    diagrams, n_a = [*group_a, *group_b], len(group_a)
    if min(n_a, len(group_b)) < 2 or not all(isinstance(diagram, Diagram) for diagram in diagrams):
        raise BadInput(f"groups: expected two or more diagrams each, got {n_a} and {len(group_b)} objects")
    matrix = _distances(diagrams, distance, vector, k)
    n_all = math.comb(len(diagrams), n_a)
    exact = n_all <= check_count(n, name="n")
    given = np.zeros((1, len(diagrams)))
    given[0, :n_a] = 1.0
    statistic, between = (float(found[0]) for found in _energies(matrix, given))
    least = statistic - 1e-12 * float(matrix.max())  # sums in another order are as large
    splits = _all_splits(len(diagrams), n_a) if exact else _drawn_splits(given, n, np.random.default_rng(seed))
    as_large = sum(int((_energies(matrix, some)[0] >= least).sum()) for some in splits)
    return GroupTest(
        p_value=as_large / n_all if exact else (1 + as_large) / (1 + n),
        statistic=statistic,
        effect_size=statistic / (2.0 * between) if between > 0 else 0.0,
        n_splits=n_all if exact else 1 + n,
        exact=exact,
        seed=seed,
    )


@dataclass(frozen=True, slots=True)
class FrechetMean:
    """Bars in the middle of a group of diagrams, as near as the descent from the best start came."""

    bars: Bars  #: (n_bars, 2) births and deaths in H_k, essential ones among them
    energy: float  #: mean of the squared distances of the diagrams to it
    start: int  #: the diagram from which it was reached
    energies: tuple[float, ...]  #: what was reached from each start, in order: where they differ, so do the means


def frechet_mean(diagrams: Sequence[Diagram], k: int = 1, *, starts: Sequence[int] | None = None) -> FrechetMean:
    """The mean of diagrams in H_k for the 2-Wasserstein distance (Euclidean moves): the best that was found.

    Each round matches the bars so far with those of every diagram and moves them to the mean of their partners, where
    the diagonal counts as a partner. That ends in a local minimum, another one from another start as a rule, and the
    mean need not be one diagram alone: ``energies`` says how much the starts matter. Essential classes are matched in
    order of birth.

    Parameters
    ----------
    diagrams : sequence of Diagram
        Of one scale and field, with the same number of essential classes in H_k.
    k : int
        Dimension of homology.
    starts : sequence of int, optional
        Diagrams to start from; all of them in time that grows with their number squared when not given.

    Raises
    ------
    BadInput
        No diagram, no such start, or diagrams that do not compare.
    TooLarge
        Too many bars for an exact matching.

    Sources
    -------
    Turner, Mileyko, Mukherjee & Harer 2014, doi:10.1007/s00454-014-9604-7, algorithm 1.

    Examples
    --------
    >>> from toriwork import persistence
    >>> from toriwork.topology import frechet_mean
    >>> squares = [persistence([[0, 0], [0, side], [side, side], [side, 0]]) for side in (1.0, 3.0)]
    >>> frechet_mean(squares, k=1).bars.round(3).tolist()
    [[1.104, 1.311], [3.311, 3.932]]
    """
    diagrams = list(diagrams)
    if not diagrams or not all(isinstance(diagram, Diagram) for diagram in diagrams):
        raise BadInput(f"frechet_mean: expected one diagram or more, got {shown(diagrams) if diagrams else 'none'}")
    given: Any = range(len(diagrams)) if starts is None else starts
    tried = list(given) if isinstance(given, Iterable) else []
    if not tried or any(not isinstance(i, int | np.integer) or not 0 <= i < len(diagrams) for i in tried):
        raise BadInput(f"starts: expected numbers from 0 to {len(diagrams) - 1}, got {shown(starts)}")
    for i, diagram in enumerate(diagrams):
        if math.isinf(separated(diagrams[0], diagram, k)[2].max(initial=0.0)):
            raise BadInput(f"diagram {i}: expected as many essential classes as diagram 0")
    parts = [diagram.in_dimension(k) for diagram in diagrams]
    finite = [bars[np.isfinite(bars[:, 1])] for bars in parts]
    births = np.array([bars[np.isinf(bars[:, 1]), 0] for bars in parts])
    endless = np.column_stack([births.mean(axis=0), np.full(births.shape[1], np.inf)])
    size = max((float(np.abs(bars).max(initial=0.0)) for bars in finite), default=0.0) or 1.0
    scaled = [bars / size for bars in finite]
    found = [_descend(scaled[i], scaled) for i in tried]
    spread = float(births.var(axis=0).sum())
    energies = tuple(energy * size * size + spread for _, energy in found)
    best = int(np.argmin([energy for _, energy in found]))  # in the unit of the largest: none is 0 or inf by rounding
    bars = found[best][0] * size
    bars = np.vstack([bars[np.lexsort((bars[:, 1], bars[:, 0]))], endless])
    return FrechetMean(bars, energies[best], int(tried[best]), energies)


def _distances(diagrams: list[Diagram], distance: Any, vector: Any, k: int) -> Matrix:
    """The distances of all diagrams, (n_diagrams, n_diagrams)."""
    from scipy import spatial

    if vector is not None:
        if distance is not None:
            raise BadInput("expected either distance or vector, got both")
        return np.asarray(spatial.distance.squareform(spatial.distance.pdist(_vectors(diagrams, vector))))
    name = "wasserstein" if distance is None else distance
    if not callable(name) and (not isinstance(name, str) or name not in DISTANCES):
        raise BadInput(f"distance: expected one of {', '.join(DISTANCES)} or a function, got {shown(name)}")
    by = name if callable(name) else partial(DISTANCES[name], k=k)
    matrix = np.zeros((len(diagrams), len(diagrams)))
    for i, j in combinations(range(len(diagrams)), 2):
        found = by(diagrams[i], diagrams[j])
        if not isinstance(found, int | float | np.number) or not 0 <= found < math.inf:
            raise BadInput(f"distance of diagrams {i} and {j}: expected a finite number >= 0, got {shown(found)}")
        matrix[i, j] = matrix[j, i] = found
    return matrix


def _vectors(diagrams: list[Diagram], vector: Any) -> Matrix:
    made = vector.fit_transform(diagrams) if hasattr(vector, "fit_transform") else [vector(one) for one in diagrams]
    try:
        rows = np.array(made, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"vector: expected real numbers, as many of each diagram: {error}") from error
    rows = rows.reshape(len(diagrams), -1)
    if not np.isfinite(rows).all():
        i = int(np.isfinite(rows).all(axis=1).argmin())
        raise BadInput(f"vector: expected finite numbers, got {shown(rows[i].tolist())} of diagram {i}")
    return rows


def _energies(matrix: Matrix, splits: Matrix) -> tuple[Matrix, Matrix]:
    """The statistic and the mean distance between the groups, for each row: 1 for the one group, 0 for the other."""
    n_a = splits[0].sum()
    n_b = len(matrix) - n_a
    sums = splits @ matrix
    within_a = (sums * splits).sum(axis=1)
    across = sums.sum(axis=1) - within_a
    within_b = matrix.sum() - within_a - 2.0 * across
    between = across / (n_a * n_b)
    return 2.0 * between - within_a / n_a**2 - within_b / n_b**2, between


def _all_splits(n_diagrams: int, n_a: int) -> Iterator[Matrix]:
    chosen = np.array(list(combinations(range(n_diagrams), n_a)))
    for start in range(0, len(chosen), _AT_ONCE):
        some = chosen[start : start + _AT_ONCE]
        splits = np.zeros((len(some), n_diagrams))
        np.put_along_axis(splits, some, 1.0, axis=1)
        yield splits


def _drawn_splits(given: Matrix, n: int, rng: np.random.Generator) -> Iterator[Matrix]:
    for start in range(0, n, _AT_ONCE):
        yield rng.permuted(np.repeat(given, min(_AT_ONCE, n - start), axis=0), axis=1)


def _descend(start: Bars, group: list[Bars]) -> tuple[Bars, float]:
    """The bars at which the mean squared distance to the group falls no more, and that."""
    bars, best = start, (start, math.inf)
    for _ in range(_MOST_ROUNDS):
        found = [cheapest(bars, other, 2.0, 2) for other in group]
        energy = sum(cost for cost, _ in found) / len(group)
        if energy >= best[1] * (1.0 - 1e-12):
            break
        best = bars, energy
        bars = _moved(len(bars), group, [moves for _, moves in found])
    return best


def _moved(n_bars: int, group: list[Bars], matchings: list[NDArray[np.intp]]) -> Bars:
    """Each bar at the mean of its partners, on the diagonal where it has none; a bar for each that was no partner."""
    sums, counts, born = np.zeros((n_bars, 2)), np.zeros(n_bars), [np.empty((0, 2))]
    for other, moves in zip(group, matchings, strict=True):
        partners = moves[(moves >= 0).all(axis=1)]
        sums[partners[:, 0]] += other[partners[:, 1]]
        counts[partners[:, 0]] += 1
        born.append(other[moves[moves[:, 0] < 0, 1]])
    kept = counts > 0
    means = np.vstack([sums[kept] / counts[kept, None], *born])
    share = (np.concatenate([counts[kept], np.ones(len(means) - int(kept.sum()))]) / len(group))[:, None]
    moved: Bars = share * means + (1.0 - share) * means.mean(axis=1, keepdims=True)
    return moved
