"""Every engine, filtration and rule on input that has killed processes, in forked processes.

``python -m tests.topology.hostile SHARE`` gives that many entries of the table to each process and prints a JSON line
per entry: who, what, the wanted answer, the answer. An answer is the number of components, the name of the error of
ours that was raised, or how the process ended otherwise.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from toriwork.errors import ToriworkError
from toriwork.topology import DTM, Landmark, estimate_betti, persistence
from toriwork.topology.significance import RULES

REFUSED = "refused"
#: an entry that may be answered either way, as long as it is answered
DEFINED = "defined"
_RNG = np.random.default_rng(0)


def _read_only() -> np.ndarray:
    cloud = _RNG.random((7, 2))
    cloud.setflags(write=False)
    return cloud


#: clouds, each with its number of components at scale 0 (distinct points), or REFUSED
CLOUDS: dict[str, tuple[Any, int | str]] = {
    "a NaN": (np.array([[0.0, 0], [math.nan, 1], [1, 1], [2, 0]]), REFUSED),
    "infinity": (np.array([[0.0, 0], [math.inf, 1], [1, 1]]), REFUSED),
    "minus infinity": (np.array([[0.0, 0], [-math.inf, 1], [1, 1]]), REFUSED),
    "NaN alone": (np.full((5, 3), math.nan), REFUSED),
    "one point of NaN": (np.full((1, 3), math.nan), REFUSED),
    "no point": (np.empty((0, 3)), 0),
    "nothing by nothing": (np.zeros((0, 0)), 0),
    "an empty list": ([], REFUSED),
    "points without coordinates": (np.zeros((3, 0)), REFUSED),
    "one point": (np.zeros((1, 3)), 1),
    "two points": (np.eye(2), 2),
    "three points": (_RNG.random((3, 2)), 3),
    "four points": (_RNG.random((4, 3)), 4),
    "one point on a line": (np.ones((1, 1)), 1),
    "four points on a line": (np.array([[3.0], [1], [2], [7]]), 4),
    "five equal points": (np.ones((5, 3)), 1),
    "two places": (np.repeat(np.eye(2), 9, axis=0), 2),
    "duplicates": (np.repeat(_RNG.random((5, 2)), 3, axis=0), 5),
    "collinear": (np.outer(np.arange(6.0), [1, 2, 3]), 6),
    "nearly collinear": (np.outer(np.arange(9.0), [1, 2]) + 1e-15 * _RNG.random((9, 2)), 9),
    "coplanar": (_RNG.random((9, 2)) @ _RNG.random((2, 3)), 9),
    "a grid": (np.indices((3, 3, 3)).reshape(3, -1).T, 27),
    "cocircular": (np.exp(2j * np.pi * np.arange(8) / 8).view(float).reshape(-1, 2), 8),
    "offset 1e6": (_RNG.random((60, 3)) + 1e6, 60),
    "offset 1e7": (_RNG.random((60, 3)) + 1e7, 60),
    "offset 1e15": (_RNG.integers(0, 99, (8, 2)) + 1e15, 8),
    "1e300": (_RNG.random((6, 2)) * 1e300, 6),
    "the largest numbers": ([[1.7e308, 0.0], [-1.7e308, 0.0]], DEFINED),
    "1e-300": (_RNG.random((6, 2)) * 1e-300, 6),
    "subnormal": (_RNG.random((6, 2)) * 5e-320, 6),
    "1e-300 beside 1e300": (np.array([[1e-300, 0], [1e300, 0], [0, 1e300], [1, 1]]), DEFINED),
    "minus zero": (np.array([[0.0, 0.0], [-0.0, 0.0], [1.0, -0.0]]), 2),
    "more coordinates than points": (_RNG.random((3, 500)), 3),
    "fifty thousand coordinates": (_RNG.random((4, 50_000)), 4),
    "float32": (_RNG.random((9, 2)).astype(np.float32), 9),
    "float16": (_RNG.random((9, 2)).astype(np.float16), 9),
    "long double": (_RNG.random((9, 2)).astype(np.longdouble), 9),
    "a long double beyond float64": (np.full((2, 2), np.longdouble("1e400")), DEFINED),
    "integers": (np.arange(12).reshape(6, 2), 6),
    "the largest integers": (np.array([[2**63 - 1, 0], [-(2**63), 0]]), 2),
    "unsigned bytes": (np.array([[0, 255], [255, 0], [1, 1]], dtype=np.uint8), 3),
    "booleans": (np.eye(4, dtype=bool), 4),
    "the other byte order": (_RNG.random((9, 2)).astype(">f8"), 9),
    "Fortran order": (np.asfortranarray(_RNG.random((9, 2))), 9),
    "backwards": (_RNG.random((9, 2))[::-1, ::-1], 9),
    "every second": (_RNG.random((18, 6))[::2, ::3], 9),
    "broadcast": (np.broadcast_to(np.arange(3.0), (7, 3)), 1),
    "read-only": (_read_only(), 7),
    "lists": ([[0, 1], [2, 3.5]], 2),
    "objects": (np.array([[None, 1]]), REFUSED),
    "numbers as objects": (np.array([[1, 2], [3, 4]], dtype=object), REFUSED),
    "ragged": ([[1.0, 2.0], [3.0]], REFUSED),
    "text": ([["a", "b"]], REFUSED),
    "a word": ("cloud", REFUSED),
    "complex": (np.eye(2, dtype=complex), REFUSED),
    "dates": (np.array([["2026-01-01", "2026-01-02"]], dtype="datetime64[D]"), REFUSED),
    "records": (np.zeros(3, dtype=[("x", float), ("y", float)]), REFUSED),
    "a dict": ({"x": 1}, REFUSED),
    "a generator": ((row for row in [[1.0, 2.0]]), REFUSED),
    "masked": (np.ma.masked_invalid([[0.0, math.nan], [1, 1]]), REFUSED),
}
#: the same for matrices of distances
MATRICES: dict[str, tuple[Any, int | str]] = {
    "no point": (np.zeros((0, 0)), 0),
    "one point": (np.zeros((1, 1)), 1),
    "all at one place": (np.zeros((4, 4)), 1),
    "no metric": (np.array([[0.0, 1, 9], [1, 0, 1], [9, 1, 0]]), 3),
    "integers": (1 - np.eye(4, dtype=int), 4),
    "booleans": (~np.eye(3, dtype=bool), 3),
    "1e308": (np.where(np.eye(3, dtype=bool), 0, 1e308), 3),
    "subnormal": (np.where(np.eye(3, dtype=bool), 0, 5e-324), 3),
    "Fortran order": (np.asfortranarray(1.0 - np.eye(4)), 4),
    "asymmetric": ([[0, 1], [2, 0]], REFUSED),
    "negative": ([[0, -1], [-1, 0]], REFUSED),
    "a NaN": ([[0, math.nan], [math.nan, 0]], REFUSED),
    "no edge": ([[0, math.inf], [math.inf, 0]], 2),
    "no edge at all": (np.where(np.eye(5, dtype=bool), 0, math.inf), 5),
    "two components": (np.where(np.kron(np.eye(2), np.ones((3, 3))), 1 - np.eye(6), math.inf), 6),
    "minus infinity": ([[0, -math.inf], [-math.inf, 0]], REFUSED),
    "pairs of points": (np.arange(1.0, 7.0), 4),
    "distant from itself": ([[1, 1], [1, 0]], REFUSED),
    "not square": (np.zeros((2, 3)), REFUSED),
    "one-dimensional": (np.zeros(4), REFUSED),
    "objects": (np.array([[0, None], [None, 0]]), REFUSED),
    "complex": (np.eye(2, dtype=complex), REFUSED),
    "ragged": ([[0.0, 1.0], [1.0]], REFUSED),
    "text": ([["a"]], REFUSED),
    "a word": ("matrix", REFUSED),
}
#: graphs with their number of components
GRAPHS: dict[str, tuple[dict[str, Any], int | str]] = {
    "no edge": ({"graph": [], "vertices": 3}, 3),
    "nothing": ({"graph": [], "vertices": 0}, 0),
    "a cycle": ({"graph": [[0, 1], [1, 2], [2, 3], [3, 0]]}, 4),
    "a loop": ({"graph": [[0, 1], [1, 1]]}, REFUSED),
    "an edge twice": ({"graph": [[0, 1, 1.0], [1, 0, 1.0]]}, REFUSED),
    "a NaN": ({"graph": [[0, 1, math.nan]]}, REFUSED),
    "infinity": ({"graph": [[0, 1, math.inf]]}, REFUSED),
    "a vertex of NaN": ({"graph": [[0, 1]], "vertices": [0.0, math.nan]}, REFUSED),
    "an edge before its vertex": ({"graph": [[0, 1, 1.0]], "vertices": [0.0, 2.0]}, REFUSED),
    "below zero": ({"graph": [[0, 1, -1.0]]}, REFUSED),
    "half a vertex": ({"graph": [[0, 0.5]]}, REFUSED),
    "a vertex below zero": ({"graph": [[0, -1]]}, REFUSED),
    "the largest vertex": ({"graph": [[0, 2**62]]}, REFUSED),
    "too few values": ({"graph": [[0, 2]], "vertices": [0.0, 1.0]}, REFUSED),
    "text": ({"graph": [["a", "b"]]}, REFUSED),
    "a word": ({"graph": "graph"}, REFUSED),
    "ragged": ({"graph": [[0, 1], [1, 2, 3.0]]}, REFUSED),
    "a dense matrix": ({"graph": np.ones((5, 5))}, REFUSED),
    "vertices alone": ({"vertices": 3}, REFUSED),
    "points too": ({"points": np.eye(2), "graph": [[0, 1]]}, REFUSED),
    "objects": ({"graph": np.array([[0, None]])}, REFUSED),
}
#: images and series are judged by their values alone: what is refused there for its shape is one here
VALUES = {
    name: (cloud, REFUSED if answer == REFUSED else DEFINED)
    for name, (cloud, answer) in CLOUDS.items()
    if name not in ("an empty list", "points without coordinates", "masked")
}

ENGINES = ("gudhi", "ripser", "simple", "redzed")
WITH_DISTANCES: dict[str, dict[str, Any]] = {
    **{f"rips by {engine}": {"engine": engine} for engine in ENGINES},
    **{f"landmark by {engine}": {"filtration": Landmark(5000), "engine": engine} for engine in ENGINES},
    "dtm": {"filtration": DTM(1)},
    "h0": {"filtration": "h0"},
}
WITH_POINTS = WITH_DISTANCES | {name: {"filtration": name} for name in ("alpha", "delaunay_cech")}


def entries() -> Iterator[tuple[str, str, int | str, Callable[[], Any]]]:
    """Who, what, the wanted answer, and the work, for every entry of the table."""
    for who, options in WITH_POINTS.items():
        for what, (given, wanted) in CLOUDS.items():
            yield who, what, wanted, _diagram({"points": given, **options})
    for who, options in WITH_DISTANCES.items():
        for what, (given, wanted) in MATRICES.items():
            yield f"{who}, distances", what, wanted, _diagram({"distances": given, **options})
    for what, (graph, wanted) in GRAPHS.items():
        yield "flag", what, wanted, _diagram(graph)
    for what, (given, wanted) in VALUES.items():
        yield "cubical", what, wanted, _diagram({"points": given, "filtration": "cubical"})
        series = np.ravel(given) if isinstance(given, np.ndarray) and not np.ma.isMA(given) else given
        wanted = DEFINED if what == "lists" else wanted
        yield "lower_star", what, wanted, _diagram({"points": series, "filtration": "lower_star"})
    for rule in RULES:
        for what, (given, wanted) in CLOUDS.items():
            yield f"estimate by {rule}", what, REFUSED if wanted == REFUSED else DEFINED, _estimate(given, rule)


def _diagram(arguments: dict[str, Any]) -> Callable[[], Any]:
    return lambda: len(persistence(max_dimension=2, **arguments).in_dimension(0))


def _estimate(given: Any, rule: str) -> Callable[[], Any]:
    return lambda: len(estimate_betti(given, rule=rule).numbers)


def answer_of(work: Callable[[], Any]) -> Any:
    """What one entry answers: a number, the name of one of our errors, or what it should not have raised."""
    try:
        return work()
    except ToriworkError as error:
        return type(error).__name__
    except Exception as error:  # noqa: BLE001  # that a foreign error comes out is a finding of the table
        return f"foreign error {type(error).__name__}: {error}"


def in_forks(table: Sequence[Callable[[], Any]], share: int) -> list[Any]:
    """The answers of all entries, ``share`` of them to a forked process; where one dies, the rest goes to another."""
    answers: list[Any] = []
    while len(answers) < len(table):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            with os.fdopen(writer, "w") as pipe:
                for work in table[len(answers) : len(answers) + share]:
                    pipe.write(json.dumps(answer_of(work)) + "\n")
                    pipe.flush()
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            answers += [json.loads(line) for line in pipe]
        status = os.waitpid(child, 0)[1]
        if status:
            answers.append(f"died with status {status}")
    return answers


def main(share: int) -> None:
    """Every entry, a line each."""
    for options in WITH_POINTS.values():  # libraries are loaded once, before the forks
        answer_of(_diagram({"points": np.eye(3), **options}))
    table = list(entries())
    answers = in_forks([work for *_, work in table], share)
    for (who, what, wanted, _), answer in zip(table, answers, strict=True):
        sys.stdout.write(json.dumps([who, what, wanted, answer]) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
