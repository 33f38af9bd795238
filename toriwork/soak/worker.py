"""One process of a run: a writer or a reader, made to be killed at any moment.

A writer appends one byte to a file of its own after each call that returned: what has its byte has to be in the
registry or the log from then on. A second file takes what was done and how long it took, a line each.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.errors import Busy, DamagedFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REGISTRY = "torus_registry.parquet"
LOG = "observer_tokens.parquet"
ROW, TOKEN, HANDLED = b"r", b"t", b"h"  #: the byte of a promise; the last: a row of a signal handler
HOUR_NS = 3_600_000_000_000
N_POINTS = 8
ROWS_PER_TOKEN = 4
FLUSHES, PUBLISHES = 0.03, 0.3  #: how often a row is followed by a flush, and a flush is a publish


def run_folder(folder: Path, run: str) -> Path:
    """The directory of a run's promises; gone when the run is over."""
    return folder / f"soak-{run}"


def promises_file(folder: Path, run: str, number: int) -> Path:
    """The file of what a process was promised; it exists once the process is at work."""
    return run_folder(folder, run) / f"{number}.promises"


def durations_file(folder: Path, run: str, number: int) -> Path:
    """The file of what a process did and how many seconds each took."""
    return promises_file(folder, run, number).with_suffix(".durations")


def cloud(number: int, n: int) -> NDArray[np.float64]:
    """The n-th cloud of a writer, (8, 2) float64; no two are equal."""
    import numpy as np

    return np.random.default_rng([number, abs(n), n < 0]).normal(size=(N_POINTS, 2))


def main(arguments: list[str]) -> int:
    """Work until SIGTERM, or until the parent process is gone."""
    role, folder, number, pause, run = arguments
    parent, ended = os.getppid(), []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))

    def may_go_on() -> bool:
        time.sleep(float(pause))
        return not ended and os.getppid() == parent

    work = {"writer": write, "reader": read, "others": read_as_others}[role]
    work(Path(folder), int(number), run, may_go_on)
    return 0


def _timer(folder: Path, number: int, run: str) -> Callable[[str], contextlib.AbstractContextManager[None]]:
    """A function that times a block under a name."""
    file = os.open(durations_file(folder, run, number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    @contextmanager
    def timed(kind: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        os.write(file, f"{kind} {time.perf_counter() - began:.3g}\n".encode())

    return timed


def write(folder: Path, number: int, run: str, may_go_on: Callable[[], bool]) -> None:
    """Record rows and emit tokens, and flush or publish now and then."""
    from toriwork.registry import TorusRegistry
    from toriwork.synthesis import ObserverSynthesis

    rng = random.Random(number)
    with (
        TorusRegistry(folder / REGISTRY) as registry,
        closing(ObserverSynthesis(path=folder / LOG)) as observers,
    ):
        timed = _timer(folder, number, run)
        n_handled, handling = 0, True  # until there is a file of promises

        def record(n: int, betti: tuple[float, float] | None) -> None:
            registry.record_shape(cloud(number, n), betti, metadata={"soak": run, "writer": number, "n": n})

        def handle(*_: Any) -> None:
            """Record a row, perhaps in the middle of another call."""
            nonlocal n_handled, handling
            if handling:  # interrupted by another signal
                return
            handling = True
            with contextlib.suppress(Busy):
                record(-1 - n_handled, (1.0, 0.0))
                n_handled += 1
                os.write(promises, HANDLED)
            handling = False

        signal.signal(signal.SIGUSR1, handle)
        signal.signal(signal.SIGUSR2, lambda *_: _move_clock(rng))
        # who sees this file may send signals
        promises = os.open(promises_file(folder, run, number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        handling = False
        for n in count():
            if not may_go_on():
                return
            with timed("record"):
                record(n, None if n % 10 == 0 else (1.0, 0.0))  # some are left to the threads that compute them
            os.write(promises, ROW)
            if n % ROWS_PER_TOKEN == 0:
                with timed("token"):
                    observers.emit_token({"type": "soak", "source": f"writer {number}", "run": run, "n": n})
                os.write(promises, TOKEN)
            if rng.random() < FLUSHES:
                store: Any = rng.choice((registry, observers.log))
                publish = rng.random() < PUBLISHES
                with timed("publish" if publish else "flush"):
                    store.flush(publish=publish)


_time_ns = time.time_ns


def _move_clock(rng: random.Random) -> None:
    """Move the clock of this process by up to an hour."""
    ahead = rng.randint(-HOUR_NS, HOUR_NS)
    time.time_ns = lambda: _time_ns() + ahead


def read(folder: Path, number: int, run: str, may_go_on: Callable[[], bool]) -> None:
    """Read the registry and the log again and again; DamagedFile when rows have gone."""
    from toriwork.registry import TorusRegistry
    from toriwork.synthesis.log import TokenLog

    n_before = 0
    promises_file(folder, run, number).touch()
    timed = _timer(folder, number, run)
    while may_go_on():
        with timed("toriwork"), TorusRegistry(folder / REGISTRY, read_only=True) as registry:
            n_rows = len(registry)
            for shape_id in registry.query_recent(3)["shape_id"]:
                registry.vertices(shape_id)
        if n_rows < n_before:
            raise DamagedFile(f"{folder / REGISTRY}: {n_rows} rows, and {n_before} before")
        n_before = n_rows
        with closing(TokenLog(folder / LOG, read_only=True)) as log:
            for _ in log.batches(["token_id"]):
                pass


def read_as_others(folder: Path, number: int, run: str, may_go_on: Callable[[], bool]) -> None:
    """Read the public file as pandas, DuckDB and Polars do, and verify it; DamagedFile when rows have gone."""
    from toriwork.registry import TorusRegistry

    promises_file(folder, run, number).touch()
    timed = _timer(folder, number, run)
    n_before = 0
    while may_go_on():
        for kind, count_rows in OTHERS.items():
            try:
                with timed(kind):
                    n_rows = count_rows(folder / REGISTRY)
            except Exception as error:
                if kind != "duckdb" or not type(error).__module__.startswith("_duckdb"):
                    raise
                with timed("duckdb-again"):  # it reads a path, which a publish may replace meanwhile, and says so
                    n_rows = count_rows(folder / REGISTRY)
            if n_rows < n_before:
                raise DamagedFile(f"{folder / REGISTRY}: {kind} reads {n_rows} rows, and {n_before} were there before")
            n_before = n_rows
        with timed("verify"), TorusRegistry(folder / REGISTRY, read_only=True) as registry:
            report = registry.verify()
        if not report.ok:
            raise DamagedFile(f"{folder / REGISTRY}: {report}")


def _by_pandas(path: Path) -> int:
    import pandas as pd

    with path.open("rb") as file:  # pandas and Polars open a path twice, and a publish may come in between
        return int(pd.read_parquet(file, columns=["row_id"])["row_id"].nunique())


def _by_duckdb(path: Path) -> int:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        found = connection.execute("SELECT count(DISTINCT row_id) FROM read_parquet(?)", [str(path)]).fetchall()
    return int(found[0][0])


def _by_polars(path: Path) -> int:
    import polars as pl

    with path.open("rb") as file:
        return int(pl.read_parquet(file, columns=["row_id"])["row_id"].n_unique())


#: how many different rows of the public file each reader sees
OTHERS = {
    name: function
    for name, function in (("pandas", _by_pandas), ("duckdb", _by_duckdb), ("polars", _by_polars))
    if find_spec(name) is not None
}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
