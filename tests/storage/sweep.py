"""Every call of the four tables to the disk fails once in every way, and the law that holds afterwards.

A story is a table with rows in all places, and one thing that is done to it. It runs once to number its steps; then
each run fails at one of them. A call works or raises an error of toriwork's. When the disk is well again, ``flush``
works, or the handle says that it is finished. A fresh handle, and whoever reads the public file, finds every row that
was acknowledged once, and none of which it was said that it was not recorded. Everything verifies.

``python -m tests.storage.sweep`` runs all of it and prints counts; with a number, a sample of so many points.
"""

from __future__ import annotations

import io
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pandas as pd

from tests.storage import kinds
from tests.storage.faulty import CUT, Fault, FaultyFiles, Step, Trouble, ways
from tests.storage.memdisk import MemDisk, PowerCut
from toriwork.errors import Closed, DurabilityError, StoreError, ToriworkError
from toriwork.registry import TorusRegistry, registry
from toriwork.storage import journal, maintenance, table
from toriwork.storage.policy import PublishPolicy
from toriwork.storage.worker import Worker


class Registry(kinds.Registry):
    """Every second row waits for its Betti numbers, which the thread that flushes computes: no other one runs."""

    def open(self) -> TorusRegistry:
        return TorusRegistry(self.path, betti_threads=0)

    def add(self, handle: TorusRegistry, name: str) -> None:
        given = [1, 0] if int(name[1:]) % 2 else None
        handle.record_shape(kinds.CLOUD, given, metadata={"name": name})

    def named(self, rows: pd.DataFrame) -> list[str]:
        if "betti0" in rows:
            assert rows["betti0"].notna().all(), "a row is public without its numbers"
        return super().named(rows)


class Tokens(kinds.Tokens):
    def sound(self) -> None:
        synthesis = self.open()
        report = synthesis.verify_log()
        synthesis.close()
        assert list(report.findings) == []


KINDS: dict[str, type[kinds.Kind]] = {
    "registry": Registry,
    "tokens": Tokens,
    "ideas": kinds.Ideas,
    "diagrams": kinds.Diagrams,
}


class Story:
    """A table on a disk of its own, what was done to it, and what was said about each row."""

    def __init__(self, kind: str, act: str, folder: Path) -> None:
        self.disk = MemDisk()
        self.trouble = Trouble(self.disk)
        self.kind = KINDS[kind](folder)
        self.act_name = act
        self.folder = folder
        self.acked: set[str] = set()
        self.durable: set[str] = set()  #: of those that were acknowledged, what a power cut must leave
        self.refused: set[str] = set()  #: of which it was said that they were not recorded
        self.owners: dict[str, Any] = {}
        self.handles: list[Any] = []
        self.boot()

    def boot(self) -> None:
        """The disk as a new process sees it."""
        self.files = FaultyFiles(self.disk.files(), self.trouble)

    # ---- what can be done, each with the errors that it may raise -------------------------------------------------

    def open(self) -> Any:
        handle = self.kind.open()
        self.handles.append(handle)
        self.kind.table(handle)  # of ideas and diagrams the file is opened by the first call
        return handle

    def add(self, name: str, handle: Any = None) -> None:
        handle = self.handles[-1] if handle is None else handle
        self.owners[name] = handle
        try:
            self.kind.add(handle, name)
        except StoreError as error:
            if not error.row_ids:
                self.refused.add(name)
            raise
        self.acked.add(name)

    def flush(self) -> None:
        self.kind.flush(self.handles[-1])
        self.sync_noted()

    def publish(self) -> None:
        self.kind.publish(self.handles[-1])
        self.sync_noted()

    def close(self) -> None:
        self.kind.close(self.handles[-1])
        self.sync_noted()

    def sync_noted(self) -> None:
        """Rows of the handle itself survive a power cut from now on."""
        self.durable |= {name for name in self.acked if self.owners[name] is self.handles[-1]}

    def run_maintenance(self) -> None:
        """What the thread behind a handle does once a second; it logs what fails."""
        self.kind.table(self.handles[-1])._worker._round()

    def killed(self) -> None:
        """What the processes were is gone: nobody closes their handles any more."""
        for handle in self.handles:
            forget(self.kind, handle)
        self.handles = []
        if self.files.real.boot == self.disk.boots:
            self.disk.kill_processes()
        self.boot()

    # ---- the stories ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Rows in the public file, in a journal of somebody who was killed, and in one of a handle that is open."""
        if self.act_name == "create":
            return
        self.open()
        self.add("r1")
        self.publish()
        self.add("r2")
        if self.act_name in ("reopen", "adopt", "read only"):
            self.add("r3")
            self.flush()
            self.add("r4")
            self.killed()
            if self.act_name == "adopt":
                self.open()
        elif self.act_name == "first":
            self.close()
            self.handles = []
            self.open()
        elif self.act_name in ("seal", "sealed"):
            for name in ("r3", "r4", "r5"):  # each fills a journal
                self.add(name)
            if self.act_name == "sealed":
                self.kind.flush(self.handles[-1])
                self.run_maintenance()
                self.add("r6")

    def act(self) -> None:
        getattr(self, "do_" + self.act_name.replace(" ", "_"))()

    def do_create(self) -> None:
        self.open()
        self.add("r1")
        self.flush()

    def do_reopen(self) -> None:
        self.open()
        self.add("r5")

    def do_first(self) -> None:
        self.add("r3")

    def do_add(self) -> None:
        self.add("r3")

    def do_roll(self) -> None:
        for name in ("r3", "r4", "r5"):
            self.add(name)

    def do_flush(self) -> None:
        self.add("r3")
        self.flush()

    def do_complete(self) -> None:
        """Rows that wait for numbers, in two journals; the second completes rows of the first."""
        for name in ("r4", "r6", "r8"):
            self.add(name)
        self.flush()

    def do_seal(self) -> None:
        self.kind.flush(self.handles[-1])
        self.run_maintenance()

    def do_sealed(self) -> None:
        self.publish()

    def do_publish(self) -> None:
        self.add("r3")
        self.publish()
        self.add("r4")
        self.publish()

    def do_adopt(self) -> None:
        self.add("r5")
        self.publish()

    def do_live(self) -> None:
        """A second handle of the same process comes, records and publishes while the first one has open rows."""
        first = self.handles[-1]
        self.add("r3", first)
        self.open()
        self.add("r4")
        self.add("r6", first)
        self.publish()
        self.close()
        self.handles.pop()
        self.add("r7", first)
        self.publish()

    def do_close(self) -> None:
        self.add("r4")
        self.close()

    def do_read(self) -> None:
        self.kind.names(self.handles[-1])

    # ---- the law -------------------------------------------------------------------------------------------------

    def run(self, fault: Fault | None) -> None:
        """Do it with the disk as it may be, and see what is true afterwards."""
        self.begin()
        self.trouble.fault, self.trouble.on = fault, True
        ended = self.attempt(self.act)
        if not ended and fault is not None and fault.ever and self.handles:  # whoever tries again fails no worse
            ended = self.attempt(lambda: self.add("r9"))
        self.trouble.heal()
        if ended:
            if fault is not None and fault.way == CUT:
                self.acked &= self.durable
            self.killed()
        self.check()

    def attempt(self, call: Callable[[], Any]) -> bool:
        """Whether the process ended in it; an error that is none of toriwork's is raised on."""
        try:
            call()
        except PowerCut:
            return True
        except ToriworkError as error:
            assert str(error), "an error without words"  # noqa: PT017 - most faults raise, some rightly do not
        return False

    def check(self) -> None:
        for number, handle in enumerate(self.handles):
            self.goes_on(handle, f"r{10 + number}")
        fresh = self.kind.open()
        self.kind.table(fresh)
        self.rows(self.kind.names(fresh), "a fresh handle")
        self.kind.publish(fresh)
        self.rows(self.kind.names(fresh), "a fresh handle that published")
        self.public("after flush(True)")
        self.kind.close(fresh)
        self.kind.sound()
        left = self.disk.folders[str(self.kind.path.with_suffix(".d"))].now
        assert (stays := [name for name in left if name.endswith((".journal", ".parquet"))]) == [], f"{stays} stay"

    def goes_on(self, handle: Any, name: str) -> None:
        """A handle works, or says that it is finished."""
        try:
            self.add(name, handle)
            self.kind.publish(handle)
        except (DurabilityError, Closed):
            with suppress(DurabilityError):
                self.kind.close(handle)
            return
        self.rows(self.kind.names(handle), "the handle itself")
        if len(self.handles) == 1:
            self.public("after the handle's flush(True)")
        self.kind.close(handle)

    def public(self, when: str) -> None:
        inode = self.disk.inode(self.kind.path)
        assert inode is not None, "there is no public file"
        self.rows(self.kind.named(pd.read_parquet(io.BytesIO(bytes(inode.now)))), f"the public file {when}")

    def rows(self, names: list[str], where: str) -> None:
        found = Counter(names)
        assert (lost := sorted(self.acked - set(found))) == [], f"{where}: {lost} were acknowledged and are lost"
        assert (more := [name for name, n in found.items() if n > 1]) == [], f"{where}: {more} are there twice"
        assert (not_said := sorted(self.refused & set(found) - self.acked)) == [], (
            f"{where}: {not_said} were said not to be recorded"
        )


STORIES = "create reopen first add roll flush seal sealed publish adopt live close read".split()


def stories() -> list[tuple[str, str]]:
    """Every table and what is done to it."""
    return [*((kind, act) for kind in KINDS for act in STORIES), ("registry", "complete")]


def forget(kind: kinds.Kind, handle: Any) -> None:
    """Let nobody close a handle at the end of this process, which outlives the one that is simulated."""
    if isinstance(handle, TorusRegistry):
        registry._OPEN.discard(handle)
    for found in table._OPEN:
        if found.path == kind.path:
            table._OPEN.discard(found)


@contextmanager
def small_store(story: list[Story]) -> Iterator[None]:
    """Journals are full after a row or two and sealed at any size; nothing happens by itself; the disk is simulated."""
    by_hand = PublishPolicy(small_base=-1, growth=1e9, max_age=1e9, max_files=10**9, close_seconds=1e9)
    with ExitStack() as changed:
        for where, name, value in (
            (journal, "ROLL_BYTES", 400),
            (maintenance, "_SEAL_BYTES", 1),
            (table, "OsFiles", lambda base: story[-1].files),
            (table, "PublishPolicy", lambda: by_hand),
            (Worker, "wake", lambda self, now=True: None),
        ):
            changed.enter_context(mock.patch.object(where, name, value))
        yield


class Told(NamedTuple):
    """What a run came to."""

    fault: Fault | None
    steps: list[Step]
    hit: Step | None
    wrong: str  #: "" when the law held


def told(kind: str, act: str, fault: Fault | None, folder: Path) -> Told:
    """Run a story with a fault."""
    place = folder / "one"
    place.mkdir()
    running: list[Story] = []
    wrong = ""
    try:
        with small_store(running):
            running.append(Story(kind, act, place))
            try:
                running[-1].run(fault)
            except Exception as error:  # noqa: BLE001 - what is looked for
                trail = traceback.extract_tb(error.__traceback__)
                at = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(trail[-6:]))
                wrong = f"{kind} {act}, {fault} ({running[-1].trouble.hit}): {type(error).__name__}: {error} ({at})"
            for handle in running[-1].handles:
                forget(running[-1].kind, handle)
            for found in table._OPEN:
                if found.path == running[-1].kind.path:
                    table._OPEN.discard(found)
    finally:
        shutil.rmtree(place)
    return Told(fault, running[-1].trouble.steps, running[-1].trouble.hit, wrong)


def points(kind: str, act: str, folder: Path) -> list[tuple[Step, Fault]]:
    """Every fault of a story, with the step that it strikes."""
    whole = told(kind, act, None, folder)
    assert not whole.wrong, whole.wrong
    return [(step, Fault(at, *way)) for at, step in enumerate(whole.steps, 1) for way in ways(step)]


def sample(act: str, folder: Path, seed: int = 0) -> list[tuple[str, str, Fault]]:
    """For each kind of step in an act one fault, on a table and of a way that this kind of call has met least."""
    rng = random.Random(f"{act} {seed}")
    met: Counter[object] = Counter()
    by_step: dict[Step, list[tuple[str, Fault]]] = {}
    for kind in [kind for kind, found in stories() if found == act]:
        for step, fault in points(kind, act, folder):
            by_step.setdefault(step, []).append((kind, fault))
    chosen = []
    for step, found in by_step.items():
        rng.shuffle(found)
        kind, fault = min(found, key=lambda one: (met[step.what, one[1].way], met[one[0]], met[one[1].way]))
        met.update([(step.what, fault.way), kind, fault.way])
        chosen.append((kind, act, fault))
    return chosen


def main(n_points: str = "", seed: str = "0") -> int:
    """Run everything, or a sample; print counts and what was wrong; the exit code."""
    rng, wrong, n = random.Random(int(seed)), [], 0
    with tempfile.TemporaryDirectory() as folder:
        for kind, act in stories():
            every = points(kind, act, Path(folder))
            chosen = rng.sample(every, min(len(every), int(n_points))) if n_points else every
            found = [told(kind, act, fault, Path(folder)).wrong for _, fault in chosen]
            bad = [text for text in found if text]
            n, wrong = n + len(found), wrong + bad
            sys.stdout.write(f"{kind} {act}: {len(found)} of {len(every)} points, {len(bad)} wrong\n")
            sys.stdout.flush()
    sys.stdout.write("\n".join([f"{n} points, {len(wrong)} wrong", *wrong, ""]))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
