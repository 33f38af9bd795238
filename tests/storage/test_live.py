"""A sound table is never called damaged, whatever others do to it between any two steps of whoever looks at it."""

from __future__ import annotations

import errno
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.storage.memdisk import MemDisk, MemFiles
from tests.storage.rows import BASE, BY_HAND, SPEC, add, names_of, opened, still, twice
from toriwork.errors import StoreError
from toriwork.storage import ParquetTable
from toriwork.storage.files import OsFiles
from toriwork.storage.paths import StorePaths
from toriwork.storage.seal import seal
from toriwork.storage.snapshot import open_snapshot
from toriwork.storage.verify import VerifyReport, verify

PLACES = StorePaths(BASE)
PUBLISHER = Path(__file__).with_name("publisher.py")
_numbers = itertools.count()


class Other:
    """Another process on the same disk, and what it does in one go."""

    def __init__(self, disk: MemDisk) -> None:
        self.disk = disk
        self.files = disk.files()
        self.table = opened(disk, files=self.files)

    def add(self) -> None:
        add(self.table, f"other-{next(_numbers)}")

    def record(self) -> None:
        for _ in range(3):
            self.add()
        self.table.sync()

    def publish(self) -> None:
        self.record()
        self.publish_if_free()

    def publish_if_free(self) -> None:
        """Publish unless somebody holds the lock: it may be the one who looks."""
        assert self.table._writer is not None
        self.table._maintenance.publish(self.table._writer, wait=0.0)

    def publish_twice(self) -> None:
        self.publish()
        self.publish()

    def publish_half(self) -> None:
        """Die behind the rename: HEAD is prepared and not committed."""
        self.record()

        def die(what: str, path: Path) -> None:
            if what == "sync_folder" and path == BASE.parent:
                raise OSError(errno.EIO, "the process dies here")

        self.files.hook = die
        with suppress(StoreError):
            self.publish_if_free()
        self.files.hook = None

    def seal(self) -> None:
        self.record()
        writer = self.table._writer
        assert writer is not None
        writer.freeze()
        with self.table.snapshot() as snapshot:
            mine = [j for j in snapshot.journals if j.id in {one.id for one in writer.closed} and j.rows()]
            for journal in mine:
                seal(self.files, PLACES, SPEC, writer.store_id, [journal], {})
        writer.release({journal.id for journal in mine})

    def seal_and_publish(self) -> None:
        self.seal()
        self.publish()

    def set_aside(self) -> None:
        """Publish what a dead writer left behind a torn frame: its journal goes to quarantine."""
        dead = opened(self.disk)
        place = add(dead, f"dead-{next(_numbers)}")
        add(dead, f"torn-{next(_numbers)}")
        inode = self.disk.inode(PLACES.folder / f"{place.journal}.journal")
        assert inode is not None
        del inode.now[-5:]
        inode.owner = None
        self.publish()

    def rescue(self) -> None:
        """A sync fails: the journal is written to a new file."""
        self.record()
        failed = []

        def fail(what: str, path: Path) -> None:
            if what == "sync" and path.suffix == ".journal" and not failed:
                failed.append(path)
                raise OSError(errno.EIO, "the disk failed", str(path))

        self.files.hook = fail
        self.add()
        self.table.sync()
        self.files.hook = None

    def close(self) -> None:
        self.add()
        self.table.close()
        self.table = opened(self.disk, files=self.files)


DEEDS = [
    Other.record,
    Other.publish,
    Other.publish_twice,
    Other.publish_half,
    Other.seal,
    Other.seal_and_publish,
    Other.set_aside,
    Other.rescue,
    Other.close,
]


def check(files: MemFiles) -> None:
    report = verify(files, PLACES, SPEC)
    assert report.ok, report
    assert not [note for note in report.notes if "replaced" in note]


def open_to_read(files: MemFiles) -> None:
    with ParquetTable(BASE, SPEC, files=files, read_only=True) as table:
        assert twice(names_of(table)) == []


def open_to_write(files: MemFiles) -> None:
    with ParquetTable(BASE, SPEC, files=files, policy=BY_HAND) as table:
        assert twice(names_of(still(table))) == []


LOOKS = [check, open_to_read, pytest.param(open_to_write, marks=pytest.mark.long)]


def steps_of(deed: Callable[[Other], None], glance: Callable[[MemFiles], None], at: int, *, always: bool) -> bool:
    """Whether the look had a step ``at``; others did their deed right before it, or before each from there on."""
    disk = MemDisk()
    other = Other(disk)
    other.publish()
    other.record()
    files, busy = disk.files(), False

    def interfere(what: str, path: Path) -> None:
        nonlocal busy
        if busy or not (files.steps == at or (always and files.steps >= at and (files.steps - at) % 60 == 0)):
            return
        busy = True
        deed(other)
        busy = False

    files.hook = interfere
    glance(files)
    return files.steps >= at


@pytest.mark.parametrize("glance", LOOKS)
@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_that_others_do_between_two_steps_is_damage(
    deed: Callable[[Other], None], glance: Callable[[MemFiles], None]
) -> None:
    at = 1
    while steps_of(deed, glance, at, always=False):
        at += 1
    assert at > 15


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("at", range(1, 60, 20))
def test_nothing_that_others_do_all_the_time_is_damage(deed: Callable[[Other], None], at: int) -> None:
    assert steps_of(deed, check, at, always=True)


class Passing:
    """A handle whose long read is no snapshot: what the owner writes meanwhile is seen at the end of it only."""

    def __init__(self, handle: Any, meanwhile: Iterator[None]) -> None:
        self._handle, self._meanwhile = handle, meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def read_at(self, offset: int, length: int) -> bytes:
        half = length // 2
        first = self._handle.read_at(offset, half)
        next(self._meanwhile, None)
        return bytes(first) + bytes(self._handle.read_at(offset + half, length - half))


@pytest.mark.parametrize("size", [1, 300, 3000])
@pytest.mark.parametrize("n_rounds", [1, 2, 5])
def test_a_long_read_that_passes_over_a_frame_is_no_damage(size: int, n_rounds: int) -> None:
    disk = MemDisk()
    table = opened(disk, durability="power")  # filled ahead: the file has its length before it has its frames
    place = add(table, "a1")
    path = PLACES.folder / f"{place.journal}.journal"
    with open_snapshot(disk.files(), PLACES, SPEC).opened:
        pass

    def write() -> Iterator[None]:
        for _ in range(n_rounds):
            inode = disk.inode(path)
            assert inode is not None
            half = len(inode.now) // 2
            while table._writer._current.size < half + 200_000:  # type: ignore[union-attr]
                add(table, f"row-{next(_numbers)}", size=size * 40)
            yield

    meanwhile = write()

    class Slow(MemFiles):
        def open(self, path: Path) -> Any:
            handle = super().open(path)
            return Passing(handle, meanwhile) if path.suffix == ".journal" else handle

    assert verify(Slow(disk, disk.boots), PLACES, SPEC).ok
    open_snapshot(Slow(disk, disk.boots), PLACES, SPEC).close()


@pytest.mark.parametrize("suffix", [".parquet", ".journal", "HEAD"])
def test_real_damage_is_still_found_while_its_owner_records_and_nothing_is_waited_for(suffix: str) -> None:
    disk = MemDisk()
    other = Other(disk)
    other.publish()
    other.record()
    folder = disk.folders["/state/table.d"].now
    path = BASE if suffix == ".parquet" else PLACES.folder / next(name for name in folder if name.endswith(suffix))
    inode = disk.inode(path)
    assert inode is not None
    inode.now[90] ^= 1
    files = disk.files()
    files.hook = lambda what, path: other.add() if what == "read" else None
    report = verify(files, PLACES, SPEC)
    assert str(path) in report.findings[0]
    with pytest.raises(OSError, match="repair=True"):
        open_snapshot(files, PLACES, SPEC)
    assert files.steps < 500


@contextmanager
def publishers(path: Path, *durabilities: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that publish without a rest, each with public rows already."""
    running = []
    try:
        for durability in durabilities:
            command = [sys.executable, str(PUBLISHER), str(path), durability]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield running
        assert [process.poll() for process in running] == [None] * len(running)
    finally:
        for process in running:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("n_tables", [1, pytest.param(67, marks=pytest.mark.long)])
@pytest.mark.parametrize("durabilities", [("process",), ("power",), ("process", "power")])
def test_a_table_is_sound_beside_publishers(tmp_path: Path, durabilities: tuple[str, ...], n_tables: int) -> None:
    for number in range(n_tables):  # a new one each time: a verify reads all of it, and it grows without end
        path = tmp_path / f"{number}.parquet"
        reports: list[VerifyReport] = []
        with publishers(path, *durabilities):
            for _ in range(25):
                reports.append(verify(OsFiles(), StorePaths.of(path), SPEC))
                with ParquetTable(path, SPEC, read_only=True) as table, table.snapshot() as snapshot:
                    assert snapshot.n_rows() >= reports[-1].n_rows
        assert [str(report) for report in reports if not report.ok] == []
        assert reports[-1].n_published > reports[0].n_published
