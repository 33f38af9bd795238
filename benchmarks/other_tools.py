"""``python -m benchmarks.other_tools PYTHON``: beside giotto-tda and MLflow, which live in an environment of their own.

giotto-tda asks for older packages than toriwork does, so PYTHON is the interpreter of an environment that has them:
``pip install giotto-tda mlflow-skinny sqlalchemy alembic``. In each round ours and theirs run in turn, each in a fresh
process that does a little work of the same kind before the clock starts.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.child import ROOT
from benchmarks.diagrams import one_core
from benchmarks.paired_rounds import seconds, take_turns
from benchmarks.report import Line, compare, machine, progress, show

GIOTTO, MLFLOW = "giotto-tda", "MLflow, log_metrics into its SQLite file"
#: peer -> the module that it is imported by
MODULES = {GIOTTO: "gtda", MLFLOW: "mlflow"}
_CLOSE = 1e-4  # giotto-tda computes in float32
_COUNTED = {"diagrams": "clouds", "measurements": "calls"}
_WARM = 5


def measure(python: str, works: Sequence[tuple[str, str, dict[str, int]]], n_rounds: int, state: Path) -> list[Line]:
    """The lines of some works, each a peer, a kind of work and its sizes; those of a peer that is missing are left out.

    Raises
    ------
    RuntimeError
        The two found different things.
    """
    lines = []
    for peer, kind, sizes in works:
        if not _has(python, MODULES[peer]):
            progress(f"{peer}: left out, there is no {MODULES[peer]} for {python}")
            continue
        what = ", ".join(f"{value:,} {name.removeprefix('n_')}".removesuffix(" n") for name, value in sizes.items())
        progress(f"{kind}, {what}: {peer}")
        with tempfile.TemporaryDirectory(prefix="toriwork-bench-", dir=state) as folder:
            given = {**sizes, "folder": folder}
            ours, theirs = partial(_ask, sys.executable, f"our_{kind}"), partial(_ask, python, f"their_{kind}")
            found = take_turns({"ours": partial(ours, given), "peer": partial(theirs, given)}, n_rounds)
        answers = [[one["answer"] for one in rounds] for rounds in found.values()]
        if not all(math.isclose(one, other, rel_tol=_CLOSE) for one, other in zip(*answers, strict=True)):
            raise RuntimeError(f"{kind}, {what}: ours found {answers[0]}, {peer} {answers[1]}")
        n = next(iter(sizes.values()))
        ours_rate, their_rate = ([n / one["seconds"] for one in rounds] for rounds in found.values())
        lines.append(compare(f"{kind}, {what}", ours_rate, peer, their_rate, f"{_COUNTED[kind]}/s"))
    return lines


def _has(python: str, module: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return not subprocess.run([python, "-c", code], check=False).returncode


def _ask(python: str, function: str, arguments: dict[str, Any]) -> dict[str, float]:
    command = [
        python,
        "-W",
        "ignore",
        "-m",
        "benchmarks.child",
        f"benchmarks.other_tools:{function}",
        json.dumps(arguments),
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def our_diagrams(n_clouds: int, n_points: int, folder: str) -> dict[str, float]:
    """H0 and H1 of independent clouds, one core; the sum of the lengths of H1."""
    from toriwork.topology import persistence_many

    del folder

    def compute(clouds: Any) -> float:
        found = [one.diagram for one in persistence_many(clouds, max_workers=1, progress=False)]
        return float(sum((diagram.in_dimension(1) @ (-1.0, 1.0)).sum() for diagram in found))

    return _timed(compute, _clouds(n_clouds, n_points))


def their_diagrams(n_clouds: int, n_points: int, folder: str) -> dict[str, float]:
    """The same by giotto-tda, which takes all clouds at once."""
    import numpy as np
    from gtda.homology import VietorisRipsPersistence

    del folder

    def compute(clouds: Any) -> float:
        found = VietorisRipsPersistence(homology_dimensions=(0, 1), n_jobs=1).fit_transform(np.array(clouds))
        return float((found[found[..., 2] == 1] @ (-1.0, 1.0, 0.0)).sum())

    return _timed(compute, _clouds(n_clouds, n_points))


def our_measurements(n: int, folder: str) -> dict[str, float]:
    """Two numbers a measurement, each in a file when its call returns; how many."""
    from toriwork.synthesis import ObserverSynthesis

    observers = ObserverSynthesis(path=Path(folder) / "observer_tokens.parquet")

    def emit(steps: Any) -> float:
        for step in steps:
            observers.emit_token({"source": "bench", "step": step, "lambda_max": 0.05, "novelty": 0.7})
        return float(len(steps))

    found = _timed(emit, range(n))
    observers.close()
    return found


def their_measurements(n: int, folder: str) -> dict[str, float]:
    """The same numbers as metrics of one run, in the database that MLflow makes by default."""
    import mlflow

    def log(steps: Any) -> float:
        for step in steps:
            mlflow.log_metrics({"lambda_max": 0.05, "novelty": 0.7}, step=step)
        return float(len(steps))

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")  # its default
    with mlflow.start_run():
        return _timed(log, range(n))


def _clouds(n_clouds: int, n_points: int) -> list[Any]:
    import numpy as np

    return list(np.random.default_rng(0).standard_normal((n_clouds, n_points, 3)))


def _timed(work: Callable[[Any], float], given: Any) -> dict[str, float]:
    work(given[:_WARM])
    with one_core():
        answers: list[float] = []
        took = seconds(lambda: answers.append(work(given)))
    return {"seconds": took, "answer": answers[0]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 2 where the interpreter has neither peer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.other_tools", description=__doc__)
    parser.add_argument("python", help="an interpreter that has giotto-tda, mlflow-skinny, or both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clouds", type=int, default=1000, help="of 100 points")
    parser.add_argument("--points", type=int, default=1000, help="of one large cloud")
    parser.add_argument("--measurements", type=int, default=2000)
    options = parser.parse_args(arguments)
    works = (
        (GIOTTO, "diagrams", {"n_clouds": options.clouds, "n_points": 100}),
        (GIOTTO, "diagrams", {"n_clouds": 1, "n_points": options.points}),
        (MLFLOW, "measurements", {"n": options.measurements}),
    )
    state = ROOT / "out"
    state.mkdir(exist_ok=True)
    lines = measure(options.python, works, options.rounds, state)
    show(lines, machine(state), as_json=False)
    return 0 if lines else 2


if __name__ == "__main__":
    sys.exit(main())
