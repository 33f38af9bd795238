"""Rips diagrams of the published kinds of data sets: ours beside gudhi, ripser.py and redzed, the fastest as the peer.

Each peer gets the distance matrix and the way of its own manual: gudhi its Rips complex up to the enclosing radius
with collapsed edges, and bare where the complex is small; ours what a user has, points or distances. Bars are compared.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import pdist, squareform

from benchmarks.data_sets import DATA_SETS, SMALLEST, Array, is_square
from benchmarks.diagrams import one_core
from benchmarks.paired_rounds import seconds, take_turns
from benchmarks.report import Line, Target, progress
from benchmarks.sizes import Size

PEERS = "fastest of gudhi, ripser.py, redzed"
_BARE = 1.5e7  #: simplices that bare gudhi is asked to hold
_COLLAPSED = 520  #: points beyond which collapsing all edges takes it minutes
_FAR = 10.0  #: times the fastest: whoever takes longer runs once
_ROUNDS, _MOST_ROUNDS = 3, 21  #: the more the sooner one is done, since what else the machine does is then seen


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """A line a data set; one core."""
    del folder  # nothing is written
    full = size.rounds > 1
    lines = []
    for name, (make, top) in (DATA_SETS if full else SMALLEST).items():
        progress(f"files: {name}")
        lines.append(_line(name, make(), top, min(size.rounds, _ROUNDS)))
    return tuple(lines)


def _line(name: str, data: Array, top: int, rounds: int) -> Line:
    square = data if is_square(data) else squareform(pdist(data))
    work: dict[str, Callable[[], Any]] = {
        "ours": partial(_ours, data, top),
        "redzed": partial(_redzed, square, top),
        "ripser.py": partial(_ripser, square, top),
    }
    if len(square) <= _COLLAPSED:
        work["gudhi, collapsed"] = partial(_gudhi, square, top, collapse=True)
    if math.comb(len(square), top + 2) < _BARE:
        work["gudhi"] = partial(_gudhi, square, top, collapse=False)
    _same_bars(name, work["ours"](), work["redzed"]())
    with one_core():
        first = {key: [seconds(one)] for key, one in work.items()}
        near = [key for key in first if first[key] <= [_FAR * min(first.values())[0]] or key == "ours"]
        often = max(rounds, min(_MOST_ROUNDS, int(1.0 / first["ours"][0]))) if rounds > 1 else rounds
        found = first | take_turns({key: partial(seconds, work[key]) for key in near}, often)
    ours = found.pop("ours")
    fastest = min(found.keys() & near, key=lambda key: statistics.median(found[key]))
    ratio = statistics.median(one / other for one, other in zip(ours, found[fastest], strict=True))
    others = f"{fastest} is the fastest; " + ", ".join(f"{key} {statistics.median(found[key]):.3g} s" for key in found)
    peer = statistics.median(found[fastest])
    return Line(name, statistics.median(ours), peer, "s", PEERS, ratio, Target("at most", 1.3), others)


def _same_bars(name: str, ours: Any, theirs: list[Array]) -> None:
    """Refuse to compare the speed of two answers that differ by more than a float32 does."""
    for k, bars in enumerate(theirs):
        one = ours.in_dimension(k)
        other = bars[bars[:, 1] - bars[:, 0] > 1e-5]
        one = one[one[:, 1] - one[:, 0] > 1e-5]
        if abs(len(one) - len(other)) > 0.02 * len(one) + 1:  # those at the bound of the float32 fall to either side
            raise RuntimeError(f"{name}: {len(one)} bars of H{k}, redzed {len(other)}")


def _ours(data: Array, top: int) -> Any:
    from toriwork.topology import persistence

    if is_square(data):
        return persistence(distances=data, max_dimension=top)
    return persistence(data, max_dimension=top)


def _redzed(square: Array, top: int) -> list[Array]:
    import redzed_tda

    return [np.asarray(bars).reshape(-1, 2) for bars in redzed_tda.rips(square, maxdim=top)]


def _ripser(square: Array, top: int) -> Any:
    from ripser import ripser

    return ripser(square, distance_matrix=True, maxdim=top)


def _gudhi(square: Array, top: int, *, collapse: bool) -> Any:
    from gudhi import RipsComplex

    radius = float(square.max(axis=1).min())
    tree = RipsComplex(distance_matrix=square, max_edge_length=radius).create_simplex_tree(max_dimension=1)
    if collapse:
        tree.collapse_edges()
    tree.expansion(top + 1)
    return tree.persistence(homology_coeff_field=2, min_persistence=0)
