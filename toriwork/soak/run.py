"""One run: its rounds, and after each of them the search for everything that was promised."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from toriwork.errors import ToriworkError
from toriwork.soak.ledger import Ledger
from toriwork.soak.pool import WorkerPool
from toriwork.soak.worker import LOG, REGISTRY, run_folder

WRITERS, READERS = 3, 1
ROUND_SECONDS = 5.0
MOST_ROWS = 200_000  #: of a run, however long it is: what grows stays small enough to be read in every round
LEAST_PAUSE = 0.01  #: seconds between two rows of a writer


@dataclass(frozen=True, slots=True)
class StartReport:
    """The plan of a run."""

    event: str
    path: str
    seconds: float
    writers: int
    readers: int
    pause: float  #: seconds between two rows of a writer

    def line(self) -> str:
        """The plan in one line of text."""
        return (
            f"{self.path}: {self.writers} writers, at most {1 / self.pause:.3g} rows a second each, and {self.readers} "
            f"reader for {self.seconds / 60:g} minutes; one of them is killed in each round"
        )


@dataclass(frozen=True, slots=True)
class RoundReport:
    """The state of the files after a round."""

    event: str  #: "round", or "end" when no process is at work any more
    round: int
    seconds: float  #: since the start
    rows: int
    tokens: int
    promised: int  #: rows and tokens that have to be there
    killed: int  #: processes
    disk_bytes: int
    files: int
    memory_bytes: int | None  #: the most that one process has held; None where the system does not tell
    interrupted: bool
    findings: tuple[str, ...]

    def line(self) -> str:
        """The state in one line of text, and a line for each finding."""
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes / 1e6:.0f} MB of memory at most"
        head = f"round {self.round}" if self.event == "round" else "interrupted" if self.interrupted else "end"
        facts = (
            f"{head}: {self.seconds:.0f} s, {self.rows} rows, {self.tokens} tokens, {self.killed} killed, "
            f"{self.disk_bytes / 1e6:.2f} MB in {self.files} files{memory}: {'NOT ' * bool(self.findings)}sound"
        )
        return "\n".join([facts, *(f"- {finding}" for finding in self.findings)])


class SoakRun:
    """The processes of one run, what they were promised, and the rounds."""

    def __init__(self, folder: Path, seconds: float) -> None:
        run = uuid.uuid4().hex[:8]
        run_folder(folder, run).mkdir(parents=True)
        pause = max(LEAST_PAUSE, seconds * WRITERS / MOST_ROWS)
        self.interrupted = False
        self.start = StartReport("start", str(folder), seconds, WRITERS, READERS, pause)
        self.pool = WorkerPool(folder, run, pause)
        self._folder = folder
        self._run = run
        self._ledger = Ledger(folder, run)
        self._random = random.Random()
        self._findings: list[str] = []
        self._n_rounds = 0
        self._started_at = time.monotonic()

    def rounds(self) -> Iterator[RoundReport]:
        """Yield the report of each round; the first finding ends the run."""
        self._publish()
        self.pool.wait_for([self.pool.start(role) for role in ["writer"] * WRITERS + ["reader"] * READERS])
        self._started_at = time.monotonic()
        while not self._findings and (left := self.start.seconds - self._passed) > 0:
            self._n_rounds += 1
            round_seconds = min(ROUND_SECONDS, self.start.seconds / 3, left)
            before = self._random.uniform(0, round_seconds)
            time.sleep(before)
            self.pool.kill_one(self._random)
            self.pool.disturb(self._random)
            time.sleep(round_seconds - before)
            yield self._report("round")

    def finish(self) -> RoundReport:
        """Publish everything once the processes have ended, and report what is there."""
        try:
            self._publish()
            self._read_as_others_do()
        except ToriworkError as error:
            self._findings.append(f"damaged: {error}")
        report = self._report("end")
        shutil.rmtree(run_folder(self._folder, self._run))
        return report

    def _publish(self) -> None:
        from toriwork.registry import TorusRegistry
        from toriwork.synthesis.log import TokenLog

        with TorusRegistry(self._folder / REGISTRY) as registry, closing(TokenLog(self._folder / LOG)) as log:
            registry.flush(publish=True)
            log.flush(publish=True)

    def _read_as_others_do(self) -> None:
        import pandas as pd

        from toriwork.registry import TorusRegistry

        with TorusRegistry(self._folder / REGISTRY, read_only=True) as registry:
            n_rows = len(registry)
        n_read = len(pd.read_parquet(self._folder / REGISTRY, columns=["row_id"]))
        if n_read != n_rows:
            self._findings.append(f"lost: pandas reads {n_read} of {n_rows} rows that were published")

    @property
    def _passed(self) -> float:
        return time.monotonic() - self._started_at

    def _report(self, event: str) -> RoundReport:
        self._ledger.read_promises(self.pool.alive)
        found = self._ledger.inspect()
        self._findings += [text for text in (*self.pool.failures(), *found.findings) if text not in self._findings]
        sizes = _file_sizes(self._folder)
        return RoundReport(
            event=event,
            round=self._n_rounds,
            seconds=round(self._passed, 1),
            rows=found.n_rows,
            tokens=found.n_tokens,
            promised=self._ledger.n_promised,
            killed=self.pool.n_killed,
            disk_bytes=sum(sizes),
            files=len(sizes),
            memory_bytes=self.pool.peak_bytes(),
            interrupted=self.interrupted,
            findings=tuple(self._findings),
        )


def _file_sizes(folder: Path) -> list[int]:
    """The bytes of each file of the registry and the log."""
    sizes = []
    for name in (REGISTRY, LOG):
        for file in (*folder.glob(f"{Path(name).stem}.*"), *(folder / name).with_suffix(".d").glob("*")):
            with contextlib.suppress(FileNotFoundError):  # a publish makes and removes files all the time
                sizes += [file.stat().st_size] * file.is_file()
    return sizes
