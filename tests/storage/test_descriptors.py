"""Out of descriptors or memory for a while, many handles under a usual limit: nothing is lost, nobody is shut out."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.memdisk import MemDisk
from tests.storage.rows import SPEC, add, names_of, opened
from toriwork.errors import Busy, Closed, DurabilityError, StoreError
from toriwork.storage import ParquetTable
from toriwork.storage.files import OsFiles

ROOT = Path(__file__).resolve().parents[2]
SHORT = [errno.EMFILE, errno.ENFILE, errno.ENOMEM]


class Shortage:
    """Some operations fail in the folder of a table, each with its own error, until it is over."""

    def __init__(self, **fails: int) -> None:
        self.fails = fails

    def __call__(self, what: str, path: Path) -> None:
        if what in self.fails and "state/table.d" in str(path):
            code = self.fails[what]
            raise OSError(code, os.strerror(code), str(path))


@pytest.mark.parametrize("code", SHORT)
@pytest.mark.parametrize(
    "fails",
    [("sync_folder",), ("create",), ("sync_folder", "create"), ("sync", "create")],
    ids=" and ".join,
)
def test_a_shortage_kills_no_handle_and_loses_no_row(code: int, fails: tuple[str, ...]) -> None:
    disk = MemDisk()
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    # a sync that fails is one of the disk's: then only a new file is safe, for which there is no descriptor now
    files.hook = Shortage(**{name: errno.EIO if name == "sync" else code for name in fails})
    for _ in range(3):
        if fails == ("create",):
            table.sync()
        else:
            with pytest.raises(StoreError, match="Nothing is lost") as caught:
                table.sync()
            assert not isinstance(caught.value, DurabilityError)
    files.hook = None
    add(table, "a2")
    table.sync()
    disk.cut_power()
    assert sorted(names_of(opened(disk.files()))) == ["a1", "a2"]


def test_a_failed_sync_and_a_failed_copy_still_end_the_handle() -> None:
    files = MemDisk().files()
    table = opened(files)
    add(table, "a1")
    files.hook = Shortage(sync=errno.EIO)
    with pytest.raises(DurabilityError):
        table.sync()
    with pytest.raises(DurabilityError):
        add(table, "a2")


class Handler:
    """A signal handler that runs in the n-th call of the disk and meets a table that is busy."""

    def __init__(self, at: int) -> None:
        self.at, self.raised = at, False

    def __call__(self, what: str, path: Path) -> None:
        if what == "sync":  # an error there is one of the disk, which forgets pages
            return
        self.at -= 1
        if self.at == 0:
            self.raised = True
            raise Busy("busy in this thread")


@pytest.mark.parametrize("at", range(1, 15))
def test_what_a_handler_raises_is_seen_and_is_no_failure_of_the_disk(at: int) -> None:
    disk = MemDisk()
    files = disk.files()
    table = opened(files)
    files.hook = hook = Handler(at)
    names = []
    seen = False
    try:
        add(table, "a1")
        names.append("a1")
        table.sync()
    except Busy:
        seen = True
    assert seen == hook.raised
    assert at > 3 or hook.raised
    files.hook = None
    add(table, "a2")
    table.sync()
    disk.cut_power()
    found = names_of(opened(disk.files()))
    assert [name for name in [*names, "a2"] if found.count(name) != 1] == []


@pytest.mark.parametrize("call", ["write", "write_at", "read_at", "stat", "sync", "try_lock", "unlock", "arrow"])
def test_a_closed_file_says_so(call: str, tmp_path: Path) -> None:
    handle = OsFiles().create(tmp_path / "file")
    handle.close()
    handle.close()
    with pytest.raises(Closed):
        getattr(handle, call)(*{"write": (b"a",), "write_at": (0, b"a"), "read_at": (0, 1)}.get(call, ()))


def test_a_number_that_was_closed_is_never_written_to(tmp_path: Path) -> None:
    handle = OsFiles().create(tmp_path / "ours")
    number = handle.fileno()
    handle.close()
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    assert theirs == number
    with pytest.raises(Closed):
        handle.write_at(0, b"a frame")
    handle.close()
    assert os.pread(theirs, 9, 0) == b""
    os.close(theirs)


def test_a_handle_that_does_nothing_has_no_thread(tmp_path: Path) -> None:
    table = ParquetTable(tmp_path / "x.parquet", SPEC)
    assert table._worker._thread is None
    add(table, "a1")
    thread = table._worker._thread
    assert thread is not None
    table.flush(publish=True)
    thread.join(60)
    assert not thread.is_alive()
    add(table, "a2")
    assert table._worker._thread is not thread
    table.close()


HANDLES = """
import os, resource, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.storage.kinds import Diagrams, Ideas, Plain, Registry, Tokens
kind = {{k.__name__: k for k in (Diagrams, Ideas, Plain, Registry, Tokens)}}[sys.argv[1]]
n, limit, same = map(int, sys.argv[2:5])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
folders = [Path(sys.argv[5]) / ("same" if same else str(i)) for i in range(n)]
kinds, handles = [], []
for folder in folders:
    folder.mkdir(exist_ok=True)
    kinds.append(kind(folder))
    handles.append(kinds[-1].open())
for i, (k, h) in enumerate(zip(kinds, handles)):
    k.add(h, f"r{{i % 12}}" if not same else "r1")
    k.flush(h)
print(len(os.listdir("/proc/self/fd")))
for k, h in zip(kinds, handles):
    k.close(h)
"""


def many(kind: str, n: int, limit: int, folder: Path) -> int:
    """How many descriptors so many handles on as many tables have, under a limit."""
    script = HANDLES.format(root=str(ROOT))
    command = [sys.executable, "-c", script, kind, str(n), str(limit), "0", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
@pytest.mark.parametrize("kind", ["Plain", "Registry", "Tokens", "Diagrams", "Ideas"])
def test_many_handles_need_few_descriptors_each(kind: str, tmp_path: Path) -> None:
    assert many(kind, 20, 256, tmp_path) < 20 * 3 + 40


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
@pytest.mark.parametrize(
    ("kind", "n", "limit"),
    [
        ("Registry", 100, 1024),
        ("Tokens", 100, 1024),
        ("Diagrams", 100, 1024),
        ("Ideas", 100, 1024),
        ("Registry", 1000, 4096),
    ],
)
def test_a_hundred_handles_work_under_the_usual_limit(kind: str, n: int, limit: int, tmp_path: Path) -> None:
    many(kind, n, limit, tmp_path)


NO_STREAMS = """
import contextlib, os, sys
from pathlib import Path
from tests.storage.rows import add, opened

def end():
    for number in map(int, sys.argv[2]):
        os.close(number)

def say():  # as a library prints that knows nothing of Python
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):
            os.write(number, b"warning: this is no row\\n")

if sys.argv[3] == "before":
    end()
with opened(Path(sys.argv[1])) as table:
    if sys.argv[3] == "after":
        end()
    for k in range(20):
        add(table, f"a{k:02}")
        say()
        with table.snapshot() as snapshot:
            say()
        table.flush(publish=k % 5 == 0)
        say()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="numbers of descriptors are those of POSIX")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("closed", ["2", "12", "012", "0"])
def test_what_is_printed_to_a_closed_stream_goes_into_no_file(closed: str, when: str, tmp_path: Path) -> None:
    """A service that was started without stdout or stderr, or closed them: the next file has the number of one."""
    base = tmp_path / "state" / "table.parquet"
    command = [sys.executable, "-c", NO_STREAMS, str(base), closed, when]
    with (tmp_path / "said").open("wb") as said:  # what is not closed
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=ROOT, check=False)
    assert done.returncode == 0, (tmp_path / "said").read_bytes()[-500:]
    with opened(base) as table:
        assert names_of(table) == [f"a{k:02}" for k in range(20)]
        assert table.recovery_report.clean
        assert table.verify().ok
