"""A machine that loses its power at any step, simulated: acknowledged rows are there afterwards, once."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from unittest import mock

import pytest

from tests.storage.memdisk import MemDisk, MemFiles, MemHandle, PowerCut
from tests.storage.rows import BY_HAND, SPEC, add, names_of, still, twice
from toriwork.errors import DurabilityError, StoreError
from toriwork.storage import ParquetTable, publish
from toriwork.storage.publish_plan import PublishPlan

BASE = Path("/state/run/table.parquet")


class Lab:
    """One machine, up to three handles on one table, and what they were told."""

    def __init__(self, seed: int, *, trouble: bool = False) -> None:
        self.rng = random.Random(seed)
        self.tokens = random.Random(seed + 10**6)
        self.trouble = trouble
        self.owners: dict[str, ParquetTable] = {}  # the handles themselves: an id comes back
        self.disk = MemDisk(seed)
        self.files: MemFiles = self.disk.files()
        self.tables: list[ParquetTable] = []
        self.count = 0
        self.recorded: set[str] = set()  #: append returned, nothing has been synced since
        self.durable: set[str] = set()  #: a flush behind it returned
        self.unsure: set[str] = set()  #: the call raised, or a power cut came before a flush

    def open(self) -> None:
        """One more handle, or one in place of another that is closed first."""
        if len(self.tables) == 3:
            self.tables.pop(self.rng.randrange(3)).close()
        durability = self.rng.choice(["process", "process", "power"])
        options = {"files": self.files, "policy": BY_HAND, "durability": durability}
        self.tables.append(still(ParquetTable(BASE, SPEC, **options)))

    def table(self) -> ParquetTable:
        """Any of the handles."""
        if not self.tables:
            self.open()
        return self.rng.choice(self.tables)

    def append(self) -> None:
        """One frame of one to three rows."""
        names = [f"r{self.count + k}" for k in range(self.rng.randint(1, 3))]
        self.count += len(names)
        self.unsure.update(names)
        table = self.table()
        add(table, *names, size=self.rng.choice([0, 0, 700]))
        self.unsure.difference_update(names)
        self.owners.update(dict.fromkeys(names, table))
        (self.durable if table._writer._power else self.recorded).update(names)

    def flush(self, publish: bool) -> None:
        """What this handle appended is durable afterwards."""
        table = self.table()
        table.flush(publish=publish)
        mine = {name for name in self.recorded if publish or self.owners[name] is table}
        self.recorded -= mine
        self.durable |= mine

    def crash(self) -> None:
        """The processes die; a power cut takes what was not synced, or a part of it."""
        if self.files.boot == self.disk.boots:
            if self.rng.random() < 0.3:
                self.disk.kill_processes()
            else:
                self.disk.cut_power()
                self.unsure |= self.recorded
                self.recorded = set()
        else:  # it came in the middle of an operation
            self.unsure |= self.recorded
            self.recorded = set()
        self.tables = []
        self.files = self.disk.files()

    def check(self) -> None:
        """Every acknowledged row once, no other row twice, no row that nobody recorded."""
        names = names_of(self.table())
        assert twice(names) == []
        assert (self.durable | self.recorded) - set(names) == set()
        assert set(names) <= self.durable | self.recorded | self.unsure
        self.unsure &= set(names)

    def step(self) -> None:
        """Do any one thing; now and then the power fails in the middle of it."""
        act = self.rng.choices(
            [self.append, lambda: self.flush(False), lambda: self.flush(True), self.open, self.crash, self.check],
            [10, 3, 3, 2, 1, 1],
        )[0]
        if self.rng.random() < 0.1:
            self.files.cut_at = self.files.steps + self.rng.randint(1, 60)
        if self.trouble and act != self.check and self.rng.random() < 0.1:
            self.files.hook = Trouble(self.rng)
        try:
            act()
        except PowerCut:
            self.crash()
            self.check()
        except DurabilityError as error:  # from now on this handle refuses; its user saves error.rows and goes on
            assert error.rows  # noqa: PT017 - most variants raise, some rightly do not
            self.files.cut_at = self.files.hook = None
            self.tables = [table for table in self.tables if not refuses(table)]
        except OSError as error:
            assert isinstance(self.files.hook, Trouble), error  # noqa: PT017 - most variants raise, some rightly do not
        finally:
            self.files.cut_at = self.files.hook = None


def refuses(table: ParquetTable) -> bool:
    """Whether a handle is finished; then it is closed."""
    try:
        table.sync()
    except DurabilityError:
        with pytest.raises(DurabilityError):
            table.close()
        return True
    return False


class Trouble:
    """The disk fails at some step, once or from then on until the call is over."""

    def __init__(self, rng: random.Random) -> None:
        self.what = rng.choice(["write", "sync", "sync", "sync_folder", "rename", "create", "unlink"])
        self.after = rng.randint(0, 3)
        self.times = rng.choice([1, 1, 10**9])
        self.error = rng.choice([errno.EIO, errno.ENOSPC])

    def __call__(self, what: str, path: Path) -> None:
        if what == self.what:
            self.after -= 1
            if self.after < 0 < self.times:
                self.times -= 1
                raise OSError(self.error, os.strerror(self.error), str(path))


@pytest.mark.parametrize("seed", range(60))
def test_every_acknowledged_row_survives_any_sequence_of_power_cuts_exactly_once(seed: int) -> None:
    live_through(Lab(seed))


@pytest.mark.parametrize("seed", [*range(40), pytest.param(1643, id="the first opening fails between mkdir and sync")])
def test_rows_survive_power_cuts_and_a_disk_that_fails_in_between(seed: int) -> None:
    live_through(Lab(seed, trouble=True))


@pytest.mark.long
@pytest.mark.parametrize("trouble", [False, True])
def test_rows_survive_thousands_of_lives(trouble: bool) -> None:
    for seed in range(100, 3000):
        live_through(Lab(seed, trouble=trouble))


def live_through(lab: Lab) -> None:
    with mock.patch("secrets.token_hex", lambda n: lab.tokens.randbytes(n).hex()):  # a seed tells the whole story
        for _ in range(40):
            lab.step()
        lab.crash()
        lab.check()
        lab.flush(True)
        lab.check()


MUTANTS = {
    "no fsync of files": (MemHandle, "sync", lambda self: None),
    "no fsync of folders": (MemFiles, "sync_folder", lambda self, folder: None),
    "absorbed is forgotten": (PublishPlan, "absorbed", lambda self, files: {}),
    "a new folder is not synced": (MemFiles, "sync_folder", None),
    "journals go before the public file is on the disk": (publish, "_write_next", None),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_store_that_forgets_a_step_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, broken = MUTANTS[mutant]
    if mutant.startswith("a new folder"):
        sync = MemFiles.sync_folder
        # the folders that hold new folders, not those that hold the store's files
        broken = lambda self, folder: None if len(folder.parts) < 3 else sync(self, folder)  # noqa: E731
    if mutant.startswith("journals go"):
        written, removed = publish._write_next, publish._clean_up
        broken = lambda *given: (removed(*given[:3]), written(*given))[1]  # noqa: E731
    monkeypatch.setattr(where, name, broken)
    for seed in range(60):
        try:
            live_through(Lab(seed))
        except (AssertionError, StoreError):
            return
    pytest.fail(f"nobody noticed: {mutant}")
