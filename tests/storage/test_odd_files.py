"""What is no file under names of ours: refused by name at once, never followed, never moved; huge files unread."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest

from tests.storage.rows import add, names_of, opened, published_names
from toriwork.errors import BadInput, DamagedFile, NotFound, OddFile, StoreError, StoreMismatch
from toriwork.storage import journal
from toriwork.storage.files import OsFiles
from toriwork.storage.frames import FILE_HEADER_BYTES
from toriwork.storage.head import read_head, write_head
from toriwork.storage.paths import StorePaths

ID = "0123456789abcdef" * 2
NAMES = {
    "the public file": "x.parquet",
    "HEAD": "x.d/HEAD",
    "a journal": f"x.d/{ID}.journal",
    "a segment": f"x.d/{ID}.parquet",
}
HUGE = 40 * 2**30


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with a published and an unpublished row, whose writer has ended."""
    monkeypatch.chdir(tmp_path)
    found = tmp_path / "x.parquet"
    with opened(found) as table:
        add(table, "a1")
        table.flush(publish=True)
        add(table, "a2")
    return found


def plant(path: Path, kind: str) -> None:
    """Put something odd in the place of a file; no devices, which could only be those of the machine."""
    if path.is_dir():
        path.rename(path.with_name("was"))
    path.unlink(missing_ok=True)
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
            (path / "kept").touch()
        case "loop":
            path.symlink_to(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(os.path.relpath(path))
        case "dangling":
            path.symlink_to(path.with_name("nothing"))
        case "link":
            target = path.with_name("target")
            target.write_bytes(b"of somebody else")
            path.symlink_to(target)


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Kind and inode of all there is."""
    return {str(p.relative_to(folder)): (stat.S_IFMT(p.lstat().st_mode), p.lstat().st_ino) for p in folder.rglob("*")}


KINDS = ("fifo", "folder", "loop", "socket", "dangling", "link")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("options", [{}, {"repair": True}, {"read_only": True}], ids=["open", "repair", "read_only"])
def test_what_is_no_file_is_refused_by_name_and_left_alone(
    base: Path, name: str, kind: str, options: dict[str, bool]
) -> None:
    if name == "x.parquet" and kind in ("dangling", "link"):
        pytest.skip("the public file itself may be a link")
    path = base.parent / name
    plant(path, kind)
    before = everything(base.parent)
    with pytest.raises(OddFile, match="expected a regular file, got a") as caught:
        opened(base, **options)
    assert str(path) in str(caught.value)
    left = everything(base.parent)
    kept = {key: value for key, value in before.items() if key not in ("x.d/HEAD", ".x.lock")}  # repair writes HEAD
    assert {key: left.get(key) for key in kept} == kept
    assert left[name] == before[name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_is_no_file_keeps_from_writing_only(base: Path, kind: str) -> None:
    lock = StorePaths.of(base).lock
    plant(lock, kind)
    for options in ({}, {"repair": True}):
        with pytest.raises(OddFile, match=r"\.x\.lock: expected a regular file"):
            opened(base, **options)
    assert names_of(opened(base, read_only=True)) == ["a1", "a2"]
    assert not stat.S_ISREG(lock.lstat().st_mode)


@pytest.mark.parametrize("kind", [*KINDS, "file"])
def test_a_private_folder_that_is_none_is_refused_by_name(base: Path, kind: str) -> None:
    folder = StorePaths.of(base).folder
    plant(folder, kind)
    if kind == "folder":
        return  # that is what it should be
    if kind == "file":
        folder.write_bytes(b"of somebody else")
    for options in ({}, {"repair": True}, {"read_only": True}):
        with pytest.raises(OddFile, match=r"x\.d: expected a folder, got a"):
            opened(base, **options)


def test_a_link_to_another_folder_is_not_a_private_folder(base: Path, tmp_path: Path) -> None:
    """Whoever publishes as root would write, give away and remove in there."""
    folder = StorePaths.of(base).folder
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stale = elsewhere / "notes.tmp"
    stale.touch()
    os.utime(stale, (0, 0))
    folder.rename(tmp_path / "was")
    folder.symlink_to(elsewhere)
    with pytest.raises(OddFile, match="expected a folder, got a symbolic link"):
        opened(base)
    assert [path.name for path in elsewhere.iterdir()] == ["notes.tmp"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["old.tmp", f"{ID}.journal.new", f"{ID}.segment.new", "../.x.0123abcd.tmp"])
def test_remains_that_are_no_files_stay_and_disturb_nobody(base: Path, kind: str, name: str) -> None:
    path = Path(os.path.normpath(StorePaths.of(base).folder / name))
    plant(path, kind)
    os.utime(path, (1, 1), follow_symlinks=False)
    real = StorePaths.of(base).folder / "real.tmp"
    real.touch()
    os.utime(real, (1, 1))
    assert names_of(opened(base)) == ["a1", "a2"]
    assert os.path.lexists(path)
    assert not real.exists()
    if kind == "link":
        assert path.with_name("target").read_bytes() == b"of somebody else"


@pytest.mark.parametrize("kind", KINDS)
def test_a_quarantine_that_is_no_folder_stops_a_repair(base: Path, kind: str) -> None:
    paths = StorePaths.of(base)
    paths.head.write_bytes(b"damaged")
    plant(paths.quarantine, kind)
    if kind == "folder":
        opened(base, repair=True)
        return
    with pytest.raises(OddFile, match="quarantine: expected a folder"):
        opened(base, repair=True)
    assert paths.head.read_bytes() == b"damaged"


@pytest.mark.parametrize("name", [*NAMES.values(), "x.d/old.tmp", ".x.lock"])
def test_a_sparse_file_of_forty_gigabytes_is_not_read(base: Path, name: str) -> None:
    """In a process that may have 4 GB of addresses; more than a hundred MB of growth is a failure as well."""
    path = base.parent / name
    path.touch()
    if name not in ("x.parquet", ".x.lock"):
        path.write_bytes(b"")
    os.truncate(path, HUGE)
    code = (
        "import resource, sys, pyarrow.parquet\n"
        "from tests.storage.test_odd_files import opened\n"
        "from pathlib import Path\n"
        "from toriwork.errors import DamagedFile\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30,) * 2)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for options in ({}, {'read_only': True}, {'repair': True}):\n"
        "    try:\n"
        "        opened(Path(sys.argv[1]), **options).close()\n"
        "        print('opened')\n"
        "    except DamagedFile as error:\n"
        "        print('refused' if sys.argv[2] in str(error) else error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024 < 100)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(base), str(path)],
        capture_output=True,
        check=False,  # what it printed says more
        text=True,
        cwd=root,
        timeout=120,
    )
    words = ["opened"] * 3 if name in ("x.d/old.tmp", ".x.lock") else ["refused", "refused", "opened"]
    assert done.stdout.split() == [*words, "True"], done.stdout + done.stderr


class TestSparseJournals:
    def only_journal(self, base: Path) -> Path:
        return next(iter(StorePaths.of(base).folder.glob("*.journal")))

    def test_a_journal_that_was_made_longer_keeps_its_rows_in_a_repair(self, base: Path) -> None:
        path = self.only_journal(base)
        os.truncate(path, HUGE)
        with pytest.raises(DamagedFile, match=r"expected at most [\d,]+ bytes, got 42,949,672,960"):
            opened(base)
        with opened(base, repair=True) as table:
            assert names_of(table) == ["a1", "a2"]
            assert [p.name for p in table.recovery_report.quarantined] == [path.name + ".0"]

    @pytest.mark.parametrize("size", [9 * 2**20, 40 * 2**20, 2**28])
    def test_zeros_at_the_end_are_nobodys_bytes(self, base: Path, size: int) -> None:
        os.truncate(self.only_journal(base), size)
        with opened(base) as table:
            assert names_of(table) == ["a1", "a2"]
            table.flush(publish=True)
        assert published_names(base) == ["a1", "a2"]

    @pytest.mark.parametrize("size", [40 * 2**20, 2**28])
    def test_a_file_without_header_and_frames_is_torn(self, base: Path, size: int) -> None:
        path = StorePaths.of(base).folder / f"{ID}.journal"
        path.touch()
        os.truncate(path, size)
        with opened(base) as table:
            assert table.recovery_report.torn == {path.name: size}
            assert names_of(table) == ["a1", "a2"]

    def test_frames_behind_a_lost_header_are_found_however_long_the_file_is(self, base: Path) -> None:
        """What says of itself that it had reached the disk is damage, not a torn write."""
        path = self.only_journal(base)
        data = bytearray(path.read_bytes())
        data[:FILE_HEADER_BYTES] = bytes(FILE_HEADER_BYTES)
        path.write_bytes(data)
        os.truncate(path, 40 * 2**20)
        with pytest.raises(DamagedFile, match="damaged behind frame 0"):
            opened(base)

    def test_a_long_journal_is_read_as_a_whole_would_be(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In chunks, with runs of zeros inside a payload and behind it."""
        monkeypatch.setattr(journal, "_SMALL_BYTES", 1000)
        monkeypatch.setattr(journal, "_CHUNK_BYTES", 256)
        for number, tail in enumerate((0, 1, 255, 256, 5000)):
            path = tmp_path / f"{number}"
            data = b"a" * 700 + bytes(3000) + b"b" * 10 + bytes(tail)
            path.write_bytes(data)
            handle = OsFiles().open(path)
            read = journal._read(handle, len(data))
            assert data.startswith(read)
            assert data.rstrip(b"\0") == read.rstrip(b"\0")


class TestTwoNames:
    @pytest.mark.parametrize("name", ["k.parqueti", "k.pq", "k", "k.parquet.bak", "k.PARQUET", "k.lock", "k.d.x", "k."])
    def test_a_new_store_has_a_name_that_shares_no_folder(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(BadInput, match=r"expected a name that ends in \.parquet"):
            opened(tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["k.d", "k.parquet/../k.d"])
    def test_a_private_folder_is_no_public_file(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(BadInput, match="got one of a private folder"):
            opened(tmp_path / name)

    def test_a_nul_in_a_path_is_told(self) -> None:
        with pytest.raises(BadInput, match="with a NUL in it"):
            opened(Path("/tmp/a\0b.parquet"))

    @pytest.mark.parametrize("name", ["x.parqueti", "x.pq", "x"])
    @pytest.mark.parametrize("options", [{}, {"repair": True}, {"read_only": True}])
    def test_the_folder_of_another_file_is_not_taken(self, base: Path, name: str, options: dict[str, bool]) -> None:
        other = base.with_name(name)
        other.write_bytes(base.read_bytes())
        with pytest.raises(StoreMismatch, match=r"x\.d, which belongs to .*x\.parquet"):
            opened(other, **options)
        assert names_of(opened(base)) == ["a1", "a2"]

    def test_a_name_that_is_missing_beside_another_is_refused(self, base: Path) -> None:
        with pytest.raises((StoreMismatch, NotFound)):
            opened(base.with_name("x.pq"), read_only=True)
        with pytest.raises(StoreMismatch, match="which belongs to"):
            opened(base.with_name("x.pq"))

    def test_a_store_of_an_earlier_version_with_another_name_is_opened(self, base: Path) -> None:
        """HEAD named no file then."""
        old = base.rename(base.with_name("x.pq"))
        with opened(old) as table:
            assert names_of(table) == ["a1", "a2"]
            add(table, "a3")
            table.flush(publish=True)
        assert published_names(old) == ["a1", "a2", "a3"]
        with pytest.raises(StoreMismatch, match=r"which belongs to .*x\.pq"):
            opened(base)

    def test_a_store_that_was_renamed_with_its_folder_goes_on(self, base: Path) -> None:
        paths = StorePaths.of(base)
        moved = StorePaths.of(base.with_name("y.parquet"))
        base.rename(moved.base)
        paths.folder.rename(moved.folder)
        with opened(moved.base) as table:
            assert names_of(table) == ["a1", "a2"]
            table.flush(publish=True)
        head = read_head(OsFiles(), moved)
        assert head is not None
        assert head.name == "y.parquet"

    @pytest.mark.parametrize("name", ["a/b", "..", ".", "/etc/passwd", "x.parquet/"])
    def test_a_name_in_head_that_is_none_leads_nowhere(self, base: Path, name: str) -> None:
        paths = StorePaths.of(base)
        head = read_head(OsFiles(), paths)
        assert head is not None
        write_head(OsFiles(), paths, head)
        text = paths.head.read_bytes().rpartition(b" ")[0].replace(b'"x.parquet"', f'"{name}"'.encode())
        paths.head.write_bytes(text + f" {crc32(text):08x}\n".encode())
        assert names_of(opened(base)) == ["a1", "a2"]


def test_a_link_to_the_public_file_is_still_followed(base: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.parquet"
    link.symlink_to(base)
    with opened(link) as table:
        assert names_of(table) == ["a1", "a2"]
        table.flush(publish=True)
    assert link.is_symlink()


def test_a_footer_that_states_gigabytes_is_not_read(base: Path) -> None:
    with base.open("r+b") as file:
        file.truncate(2 * 2**30)
        file.seek(0, os.SEEK_END)
        file.write((2**30).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(DamagedFile, match="its footer states 1,073,741,824 bytes, at most"):
        opened(base)


@pytest.mark.parametrize("call", [OsFiles.open, OsFiles.create, OsFiles.stat], ids=["open", "create", "stat"])
def test_a_store_error_is_what_every_call_gives(tmp_path: Path, call: Callable[[OsFiles, Path], object]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file: expected a folder, got a file"):
        call(OsFiles(), tmp_path / "file" / "below")


def test_a_file_that_is_exchanged_for_a_fifo_between_two_calls_is_refused(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = base.with_name("fifo")
    os.mkfifo(fifo)
    regular = os.lstat(base)
    monkeypatch.setattr(os, "lstat", lambda path: regular)

    with pytest.raises(OddFile, match="got a FIFO"):
        OsFiles().open(fifo)
