"""Diagrams of a thousand clouds: against the bare engine, ripser.py, two threads, and the memory of an earlier run.

One core is one core: the thread that works is bound to it, ours and the peers' alike.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.child import ROOT
from benchmarks.paired_rounds import Cloud, make_clouds, seconds, take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

BARE, RIPSER, REDZED = "bare gudhi", "ripser.py", "redzed on their distances"
_ROUNDS = 3
_KILLED_AT = 0.6
_LARGE = 1500  # points: such a cloud takes seconds


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of computing, of remembering, and of being stopped."""
    clouds = make_clouds(size.loop_rows)
    return (
        *computing(folder, clouds, size),
        *threads(folder, clouds, size),
        *remembering(folder, clouds, size),
        killed(folder, clouds, size),
        stopped(_LARGE if size.rounds > 1 else _LARGE // 3),
    )


def taken(
    clouds: Sequence[Cloud], path: Path | None = None, *, engine: str = "gudhi", max_workers: int = 1, new: bool = True
) -> float:
    """Seconds of a run over the clouds; with a path its diagrams are remembered there.

    A ``new`` memory is made before and knows nothing; another one is opened by the run. Closing it, which publishes,
    is not counted: a session does that once.
    """
    from toriwork.cells.memory import DiagramMemory
    from toriwork.topology import persistence_many

    options = {"max_workers": max_workers, "progress": False, "engine": engine}
    if path is None:
        return seconds(lambda: list(persistence_many(clouds, **options)))
    with DiagramMemory(path.with_stem(secrets.token_hex(8)) if new else path) as memory:
        if new:
            memory.persistence(clouds[0][:5])
        return seconds(lambda: list(persistence_many(clouds, memory=memory, **options)))


def computing(folder: Path, clouds: Sequence[Cloud], size: Size) -> list[Line]:
    """Ours, by default and with gudhi, with and without a memory, against the bare engines and ripser.py; one core."""
    from scipy.spatial.distance import pdist, squareform

    at = folder / "computing.parquet"
    distances = [squareform(pdist(cloud)) for cloud in clouds]
    work: dict[str, Callable[[], float]] = {
        "gudhi": partial(taken, clouds),
        "gudhi, remembered": partial(taken, clouds, at),
        "default": partial(taken, clouds, engine="auto"),
        REDZED: partial(seconds, partial(_redzed, distances)),
        BARE: partial(seconds, partial(_bare, clouds)),
        RIPSER: partial(seconds, partial(_ripser, clouds)),
    }
    with one_core():
        found = take_turns(work, min(size.rounds, _ROUNDS))
    rates = {name: [len(clouds) / each for each in rounds] for name, rounds in found.items()}
    what = f"{len(clouds):,} clouds, one core"
    near = Target("at most", 1.15)
    return [
        compare(what, found["gudhi"], BARE, found[BARE], "s", near),
        compare(f"{what}, remembered", found["gudhi, remembered"], BARE, found[BARE], "s", near),
        compare(f"{what}, gudhi", rates["gudhi"], RIPSER, rates[RIPSER], "clouds/s", Target("at least", 2.5)),
        compare(f"{what}, default", rates["default"], RIPSER, rates[RIPSER], "clouds/s", Target("at least", 5.0)),
        compare(f"{what}, default", found["default"], REDZED, found[REDZED], "s", Target("at most", 1.25)),
    ]


def threads(folder: Path, clouds: Sequence[Cloud], size: Size) -> list[Line]:
    """Two threads of ours against one."""
    work = {str(n): partial(taken, clouds, folder / "threads.parquet", max_workers=n) for n in (1, 2)}
    found = take_turns(work, min(size.rounds, _ROUNDS))
    rates = {name: [len(clouds) / each for each in rounds] for name, rounds in found.items()}
    return [compare("two threads", rates["2"], "one thread", rates["1"], "clouds/s", Target("at least", 1.6))]


def remembering(folder: Path, clouds: Sequence[Cloud], size: Size) -> list[Line]:
    """The cost of a run whose clouds are all known to the file, read by another handle, and of one known answer."""
    from toriwork.cells.memory import DiagramMemory

    lines = []
    for engine in ("gudhi", "redzed"):
        at = folder / f"{engine}.parquet"
        first = [taken(clouds, at, engine=engine) for _ in range(min(size.rounds, _ROUNDS))]
        taken(clouds, at, engine=engine, new=False)
        second = [taken(clouds, at, engine=engine, new=False) for _ in first]
        target = Target("at least", 15.0) if engine == "gudhi" else None
        rates = [[len(clouds) / each for each in rounds] for rounds in (second, first)]
        lines.append(compare(f"second run, {engine}", rates[0], "first run", rates[1], "clouds/s", target))
    with DiagramMemory(folder / "gudhi.parquet") as memory:
        from_disk = seconds(lambda: [memory.persistence(cloud, engine="gudhi") for cloud in clouds]) / len(clouds)
        each = [seconds(partial(memory.persistence, cloud, engine="gudhi")) for cloud in clouds]
    computed = float(np.median(first)) / len(clouds)
    limit = Target("at most", 0.2e-3, of="ours")
    slowest = float(np.quantile(each, 0.99))
    lines.append(Line("one known answer, 99 of 100", slowest, computed, "s", "computed", slowest / computed, limit))
    lines.append(Line("one known answer, on disk", from_disk, computed, "s", "computed", from_disk / computed, limit))
    return lines


_KILLED = """
import os, signal, sys
from pathlib import Path
from benchmarks.paired_rounds import make_clouds
from toriwork.cells.memory import DiagramMemory
from toriwork.topology import persistence_many

path, n_clouds, n_before = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
memory = DiagramMemory(path)
for done, _ in enumerate(persistence_many(make_clouds(n_clouds), memory=memory, max_workers=1, engine="gudhi"), 1):
    if done >= n_before:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(folder: Path, clouds: Sequence[Cloud], size: Size) -> Line:
    """The cost of the rest of a run that was killed at 60 % of the clouds, against the whole run."""
    at = folder / "killed.parquet"
    whole, rest = [], []
    for number in range(min(size.rounds, _ROUNDS)):
        path = at.with_stem(f"killed-{number}")
        command = [sys.executable, "-c", _KILLED, str(path), str(len(clouds)), str(round(_KILLED_AT * len(clouds)))]
        subprocess.run(command, cwd=ROOT, check=False)
        whole.append(taken(clouds, at))
        rest.append(taken(clouds, path, new=False))
    return compare("the rest after kill -9 at 60 %", rest, "whole run", whole, "s", Target("at most", 0.45))


def stopped(n_points: int) -> Line:
    """How long an interrupt takes while large clouds are at work, against the time until one of them is done."""
    from toriwork.topology import persistence, persistence_many

    large = np.random.default_rng(0).random((n_points, 3))
    alone = seconds(partial(persistence, large, engine="gudhi", threshold=0.5))
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(alone / 2, interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        timer.start()
        list(persistence_many([large] * 4, max_workers=1, progress=False, engine="gudhi", threshold=0.5))
    ended = time.perf_counter() - sent[0]
    return Line("stop", ended, alone, "s", "one large cloud", ended / alone, Target("at most", 1.0, of="ours"))


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Bind this thread, and those that it starts, to one core, where the system can do so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _bare(clouds: Sequence[Cloud]) -> None:
    from gudhi.sklearn import RipsPersistence

    RipsPersistence(homology_dimensions=[0, 1], homology_coeff_field=2, n_jobs=1).fit_transform(clouds)


def _redzed(distances: Sequence[Cloud]) -> None:
    import redzed_tda

    for matrix in distances:
        redzed_tda.rips(matrix, maxdim=1)


def _ripser(clouds: Sequence[Cloud]) -> None:
    from ripser import ripser

    for cloud in clouds:
        ripser(cloud, maxdim=1)
