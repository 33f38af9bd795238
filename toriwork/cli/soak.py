"""``toriwork soak``: processes record, publish and read one registry, are killed at random, and no row may be lost.

After each round everything that was promised is looked for, and every file is checked.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from toriwork.cli.soak_crew import Crew
from toriwork.cli.soak_worker import LOG, REGISTRY, desk
from toriwork.errors import BadInput, ToriworkError

NAME = "soak"
SUMMARY = (
    "let processes record and publish while they are killed at random; exit 1 when a row is lost, doubled, damaged"
)

WRITERS, READERS = 3, 1
ROUND_SECONDS = 5.0
MOST_ROWS = 200_000  #: of a run, however long it is: what grows stays small enough to be read in every round
LEAST_PAUSE = 0.01  #: seconds between two rows of a writer


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is going to happen."""

    event: str
    path: str
    seconds: float
    writers: int
    readers: int
    pause: float  #: seconds between two rows of a writer

    def line(self) -> str:
        """The same for a person."""
        return (
            f"{self.path}: {self.writers} writers, at most {1 / self.pause:.3g} rows a second each, and {self.readers} "
            f"reader for {self.seconds / 60:g} minutes; one of them is killed in each round"
        )


@dataclass(frozen=True, slots=True)
class Look:
    """How things stand after a round."""

    event: str  #: "round", or "end": the last look, when nobody is at work any more
    round: int
    seconds: float  #: since the beginning
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
        """The same for a person."""
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes / 1e6:.0f} MB of memory at most"
        head = f"round {self.round}" if self.event == "round" else "interrupted" if self.interrupted else "end"
        facts = (
            f"{head}: {self.seconds:.0f} s, {self.rows} rows, {self.tokens} tokens, {self.killed} killed, "
            f"{self.disk_bytes / 1e6:.2f} MB in {self.files} files{memory}: {'NOT ' * bool(self.findings)}sound"
        )
        return "\n".join([facts, *(f"- {finding}" for finding in self.findings)])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--minutes`` and ``--path``."""
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default: 1; a day is 1440)")
    parser.add_argument("--path", type=Path, help="the folder to work in, new or empty (default: a temporary one)")


def run(options: argparse.Namespace) -> int:
    """0; 1 when a row or token was lost, doubled, late or damaged, or a process failed. Ctrl-C ends it early."""
    if not 0 < options.minutes < float("inf"):
        raise BadInput(f"--minutes: a number above 0 is wanted, given was {options.minutes}")
    given: Path | None = options.path
    if given is not None and given.expanduser().exists() and any(given.expanduser().iterdir()):
        raise BadInput(f"--path: expected a folder that is new or empty, got {given}, which has files in it")
    folder = Path(tempfile.mkdtemp(prefix="toriwork-soak-")) if given is None else given.expanduser().absolute()
    soak = Soak(folder, 60 * options.minutes)
    _show(options, soak.beginning)
    try:
        for found in soak.rounds():
            _show(options, found)
    except KeyboardInterrupt:
        soak.interrupted = True
    finally:
        soak.crew.stop()
    last = soak.finish()
    if given is None and not last.findings:
        shutil.rmtree(folder)
    _show(options, last)
    return 1 if last.findings else 0


def _show(options: argparse.Namespace, found: Beginning | Look) -> None:
    print(json.dumps(asdict(found)) if options.json else found.line(), flush=True)


class Soak:
    """One run: its processes, what they were promised, and the rounds."""

    def __init__(self, folder: Path, seconds: float) -> None:
        from toriwork.cli.soak_ledger import Ledger

        self.interrupted = False
        self._folder = folder
        self._seconds = seconds
        self._desk = desk(folder, run := uuid.uuid4().hex[:8])
        self._desk.mkdir(parents=True)
        self._pause = max(LEAST_PAUSE, seconds * WRITERS / MOST_ROWS)
        self.crew = Crew(folder, run, self._pause)
        self._ledger = Ledger(folder, run)
        self._chance = random.Random()
        self._findings: list[str] = []
        self._n_rounds = 0
        self._began = time.monotonic()

    @property
    def beginning(self) -> Beginning:
        """What is going to happen."""
        return Beginning("start", str(self._folder), self._seconds, WRITERS, READERS, self._pause)

    def rounds(self) -> Iterator[Look]:
        """What was found after each round; the first finding is the end."""
        self._make_files()
        self.crew.wait_for([self.crew.start(role) for role in ["writer"] * WRITERS + ["reader"] * READERS])
        self._began = time.monotonic()
        while not self._findings and (left := self._seconds - self._passed) > 0:
            self._n_rounds += 1
            round_seconds = min(ROUND_SECONDS, self._seconds / 3, left)
            before = self._chance.uniform(0, round_seconds)
            time.sleep(before)
            self.crew.kill_one(self._chance)
            self.crew.disturb(self._chance)
            time.sleep(round_seconds - before)
            yield self._look("round")

    def finish(self) -> Look:
        """What is there when nobody is at work any more and everything is published."""
        try:
            self._publish()
        except ToriworkError as error:
            self._findings.append(f"damaged: {error}")
        found = self._look("end")
        shutil.rmtree(self._desk)
        return found

    def _make_files(self) -> None:
        """Readers want files that are there."""
        from toriwork.registry import TorusRegistry
        from toriwork.synthesis.log import TokenLog

        with TorusRegistry(self._folder / REGISTRY) as registry, closing(TokenLog(self._folder / LOG)) as log:
            registry.flush(publish=True)
            log.flush(publish=True)

    def _publish(self) -> None:
        """Publish what is pending, and see whether a reader that knows nothing of the store finds it all."""
        import pandas as pd

        from toriwork.registry import TorusRegistry

        self._make_files()
        with TorusRegistry(self._folder / REGISTRY, read_only=True) as registry:
            n_rows = len(registry)
        n_read = len(pd.read_parquet(self._folder / REGISTRY, columns=["row_id"]))
        if n_read != n_rows:
            self._findings.append(f"lost: pandas reads {n_read} of {n_rows} rows that were published")

    @property
    def _passed(self) -> float:
        return time.monotonic() - self._began

    def _look(self, kind: str) -> Look:
        self._ledger.read_promises(self.crew.alive)
        found = self._ledger.inspect()
        self._findings += [text for text in (*self.crew.failures(), *found.findings) if text not in self._findings]
        sizes = _sizes(self._folder)
        return Look(
            event=kind,
            round=self._n_rounds,
            seconds=round(self._passed, 1),
            rows=found.n_rows,
            tokens=found.n_tokens,
            promised=self._ledger.n_promised,
            killed=self.crew.n_killed,
            disk_bytes=sum(sizes),
            files=len(sizes),
            memory_bytes=self.crew.peak_bytes(),
            interrupted=self.interrupted,
            findings=tuple(self._findings),
        )


def _sizes(folder: Path) -> list[int]:
    """The bytes of each file of the registry and the log."""
    sizes = []
    for name in (REGISTRY, LOG):
        for file in (*folder.glob(f"{Path(name).stem}.*"), *(folder / name).with_suffix(".d").glob("*")):
            with contextlib.suppress(FileNotFoundError):  # a publish makes and removes files all the time
                sizes += [file.stat().st_size] * file.is_file()
    return sizes
