"""One run: its rounds, and after each of them the search for everything that was promised."""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from toriwork.errors import ToriworkError
from toriwork.soak.drill import clear, drill
from toriwork.soak.history import History
from toriwork.soak.ledger import Ledger
from toriwork.soak.pool import WorkerPool
from toriwork.soak.worker import LOG, OTHERS, REGISTRY, run_folder

WRITERS, READERS = 3, 1
ROUND_SECONDS = 5.0
DRILL_SECONDS = 600.0  #: between two backups that are restored and compared
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
    before: float = 0.0  #: seconds of the earlier pieces

    def line(self) -> str:
        """The plan in one line of text."""
        done = f", {self.before / 60:.3g} of them done" if self.before else ""
        return (
            f"{self.path}: {self.writers} writers, at most {1 / self.pause:.3g} rows a second each, and {self.readers} "
            f"readers for {self.seconds / 60:g} minutes{done}; one of them is killed in each round"
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
    publishes: int  #: of the registry
    drills: int  #: backups that were restored and compared
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
            f"{self.publishes} publishes, {self.drills} restored, "
            f"{self.disk_bytes / 1e6:.2f} MB in {self.files} files{memory}: {'NOT ' * bool(self.findings)}sound"
        )
        return "\n".join([facts, *(f"- {finding}" for finding in self.findings)])


class SoakRun:
    """The processes of one run, what they were promised, and the rounds; a folder with a run in it goes on with it."""

    def __init__(self, folder: Path, seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.history = History(folder)
        before, starts = self.history.last(), self.history.of("start")
        run = starts[0]["run"] if starts else uuid.uuid4().hex[:8]
        promises = run_folder(folder, run)
        promises.mkdir(exist_ok=True)
        for file in promises.glob("*.durations"):  # of an earlier piece, and counted
            file.unlink()
        pause = starts[0]["pause"] if starts else max(LEAST_PAUSE, seconds * WRITERS / MOST_ROWS)
        self.interrupted = False
        self.start = StartReport("start", str(folder), seconds, WRITERS, 2 * READERS, pause, before.get("seconds", 0.0))
        self._folder = folder
        self._run = run
        self._ledger = Ledger(folder, run, self.history)
        self._random = random.Random()
        self._findings: list[str] = list(before.get("findings", ()))
        self._n_rounds: int = before.get("round", 0)
        self._n_drills: int = before.get("drills", 0)
        self._peak: int | None = before.get("memory_bytes")
        numbers = [*self.history.buried(), *(int(file.stem) for file in promises.glob("*.promises"))]
        first, n_killed = max(numbers, default=-1) + 1, before.get("killed", 0)
        self.pool = WorkerPool(folder, run, pause, first=first, n_killed=n_killed)
        self._started_at = self._drilled_at = time.monotonic()
        self.history.add("start", run=run, time=time.time(), pause=pause)

    def rounds(self) -> Iterator[RoundReport]:
        """Yield the report of each round; the first finding ends the run."""
        if self._findings or self._passed >= self.start.seconds:
            return  # an earlier piece has seen to it
        self._publish()
        roles = [("writer", n == 0) for n in range(WRITERS)] + [("reader", True), ("others", False)] * READERS
        self.pool.wait_for([self.pool.start(role, steady=steady) for role, steady in roles])
        self._started_at = self._drilled_at = time.monotonic()
        while not self._findings and (left := self.start.seconds - self._passed) > 0:
            self._n_rounds += 1
            round_seconds = min(ROUND_SECONDS, self.start.seconds / 3, left)
            before = self._random.uniform(0, round_seconds)
            time.sleep(before)
            self.pool.kill_one(self._random)
            self.pool.disturb(self._random)
            time.sleep(round_seconds - before)
            if time.monotonic() - self._drilled_at > DRILL_SECONDS:
                self._drill()
            yield self._report("round")

    def finish(self) -> RoundReport:
        """Publish everything once the processes have ended, and report what is there."""
        try:
            self._publish()
            self._read_as_others_do()
            self._drill()
        except ToriworkError as error:
            self._findings.append(f"damaged: {error}")
        clear(self._folder)
        return self._report("end")

    def _publish(self) -> None:
        from toriwork.registry import TorusRegistry
        from toriwork.synthesis.log import TokenLog

        with TorusRegistry(self._folder / REGISTRY) as registry, closing(TokenLog(self._folder / LOG)) as log:
            registry.flush(publish=True)
            log.flush(publish=True)

    def _read_as_others_do(self) -> None:
        from toriwork.registry import TorusRegistry

        with TorusRegistry(self._folder / REGISTRY, read_only=True) as registry:
            n_rows = len(registry)
        for kind, count_rows in OTHERS.items():
            n_read = count_rows(self._folder / REGISTRY)
            if n_read != n_rows:
                self._findings.append(f"lost: {kind} reads {n_read} of {n_rows} rows that were published")

    def _drill(self) -> None:
        """Back up, restore and compare; every row that was promised before is looked for in what was restored."""
        self._ledger.read_promises(self.pool.alive)
        done = drill(self._folder)
        self._findings += [*done.findings, *self._ledger.missing_in(done.restored)]
        self._n_drills += 1
        self._drilled_at = time.monotonic()
        facts = {"rows": done.n_rows, "backup": done.backup_seconds, "restore": done.restore_seconds}
        self.history.add("drill", seconds=round(self._passed, 1), **facts)

    @property
    def _passed(self) -> float:
        return self.start.before + time.monotonic() - self._started_at

    def _report(self, event: str) -> RoundReport:
        self._ledger.read_promises(self.pool.alive)
        found = self._ledger.inspect()
        self._findings += [text for text in (*self.pool.failures(), *found.findings) if text not in self._findings]
        sizes = _file_sizes(self._folder)
        self._peak = max((n for n in (self._peak, self.pool.peak_bytes()) if n is not None), default=None)
        report = RoundReport(
            event=event,
            round=self._n_rounds,
            seconds=round(self._passed, 1),
            rows=found.n_rows,
            tokens=found.n_tokens,
            promised=self._ledger.n_promised,
            killed=self.pool.n_killed,
            publishes=found.generation,
            drills=self._n_drills,
            disk_bytes=sum(sizes),
            files=len(sizes),
            memory_bytes=self._peak,
            interrupted=self.interrupted,
            findings=tuple(self._findings),
        )
        facts = {**asdict(report), "growth": self.pool.growth(), "durations": self.pool.durations()}
        self.history.add(**facts)
        return report


def _file_sizes(folder: Path) -> list[int]:
    """The bytes of each file of the registry and the log."""
    sizes = []
    for name in (REGISTRY, LOG):
        for file in (*folder.glob(f"{Path(name).stem}.*"), *(folder / name).with_suffix(".d").glob("*")):
            with contextlib.suppress(FileNotFoundError):  # a publish makes and removes files all the time
                sizes += [file.stat().st_size] * file.is_file()
    return sizes
