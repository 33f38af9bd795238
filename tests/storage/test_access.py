"""Who may read and write what a store makes: all of it has mode, group and owner of the public file, from the start."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.storage.rows import add, names_of, opened, published_names
from tests.users import ALICE, BOB, as_root, as_user, shared_folder
from toriwork.errors import LockUnavailable, NotPermitted, PublishError, StoreError
from toriwork.storage import access, clock, table
from toriwork.storage.access import Access, lock_holders, refusal
from toriwork.storage.files import OsFiles
from toriwork.storage.paths import StorePaths
from toriwork.storage.store_lock import store_lock

LAB = 4242  # a group


def written(base: Path, *names: str, publish: bool = True) -> None:
    with opened(base) as found:
        for name in names:
            add(found, name)
        if publish:
            found.flush(publish=True)


def modes(base: Path) -> dict[str, int]:
    """Permission bits of everything that belongs to a store."""
    paths = StorePaths.of(base)
    inside = paths.folder.iterdir()
    kinds = {base: "public", paths.lock: "lock", paths.folder: "folder", paths.head: "HEAD"}
    kinds[paths.folder / clock.NAME] = "CLOCK"
    return {kinds.get(p, p.suffix): stat.S_IMODE(p.lstat().st_mode) for p in {*kinds, *inside}}


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Path]:
    before = os.umask(0o022)
    (tmp_path / "state").mkdir(mode=0o755)
    yield tmp_path / "state" / "x.parquet"
    os.umask(before)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of Alice's that everybody may look into."""
    with shared_folder() as folder:
        (folder / "s").mkdir(mode=0o755)
        os.chown(folder / "s", ALICE, ALICE)
        yield folder / "s"


class TestModes:
    @pytest.mark.parametrize(
        ("public", "folder", "lock"),
        [
            (0o600, 0o700, 0o600),
            (0o640, 0o750, 0o600),
            (0o644, 0o755, 0o600),
            (0o660, 0o770, 0o660),
            (0o664, 0o775, 0o660),
            (0o666, 0o777, 0o666),
            (0o400, 0o700, 0o600),
            (0o444, 0o755, 0o600),
            (0o620, 0o720, 0o660),
            (0o604, 0o705, 0o600),
        ],
    )
    def test_everything_that_is_made_follows_the_public_file(
        self, base: Path, public: int, folder: int, lock: int
    ) -> None:
        written(base, "a1")
        copy = base.with_name("copy.parquet")
        base.rename(copy)
        copy.chmod(public)  # a copy that arrived alone: folder, lock and HEAD are made beside it
        with opened(copy) as found:
            add(found, "b1")
            assert modes(copy) == {
                "public": public,
                "folder": folder,
                "lock": lock,
                "HEAD": public,
                "CLOCK": lock,  # whoever records opens and locks it, as the lock
                ".journal": public,
            }
            found.flush(publish=True)
            assert modes(copy)["public"] == public

    @pytest.mark.parametrize(("umask", "public"), [(0o022, 0o644), (0o077, 0o600), (0o027, 0o640), (0o002, 0o664)])
    def test_the_umask_decides_where_there_is_no_public_file(self, base: Path, umask: int, public: int) -> None:
        os.umask(umask)
        written(base, "a1", publish=False)
        like = Access(public, 0, 0)
        found = modes(base)
        assert (found["public"], found["HEAD"], found[".journal"]) == (public, public, public)
        assert (found["folder"], found["lock"]) == (like.folder_mode, like.lock_mode)

    @pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
    def test_a_state_root_that_is_made_is_its_makers_alone(self, tmp_path: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            written(tmp_path / "new" / "root" / "x.parquet", "a1")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "new" / "root").stat().st_mode) == 0o700

    def test_a_folder_that_was_there_keeps_its_mode(self, base: Path) -> None:
        base.parent.chmod(0o2775)
        written(base, "a1")
        assert stat.S_IMODE(base.parent.stat().st_mode) == 0o2775

    def test_a_public_file_that_becomes_private_closes_the_folder(self, base: Path) -> None:
        written(base, "a1")
        base.chmod(0o600)
        with opened(base) as found:
            add(found, "b1")
            assert modes(base)["folder"] == 0o700  # so that older journals are closed as well
            assert modes(base)[".journal"] == 0o600

    def test_a_folder_that_was_closed_by_hand_stays_closed(self, base: Path) -> None:
        written(base, "a1")
        StorePaths.of(base).folder.chmod(0o700)
        written(base, "b1")
        assert modes(base)["folder"] == 0o700

    def test_no_file_is_open_to_others_at_any_moment(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written(base, "a1")
        base.chmod(0o600)
        born: list[int] = []
        real = os.open

        def spy(path: object, flags: int, mode: int = 0o777, **more: object) -> int:
            descriptor = real(path, flags, mode, **more)  # type: ignore[arg-type]
            if flags & os.O_CREAT:
                born.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
            return descriptor

        monkeypatch.setattr(os, "open", spy)
        written(base, "b1", "c1")
        assert len(born) >= 4  # a journal, a public file, HEAD twice
        assert set(born) == {0o600}

    def test_a_new_file_is_locked_before_others_may_open_it(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written(base, "a1")
        seen = []
        real = access.give

        def spy(descriptor: int, like: Access, mode: int) -> None:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.suffix in (".new", ".tmp"):
                with path.open("rb") as other, pytest.raises(BlockingIOError):
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                seen.append(path.suffix)
            real(descriptor, like, mode)

        monkeypatch.setattr("toriwork.storage.handles.give", spy)
        written(base, "b1")
        assert {".new", ".tmp"} <= set(seen)

    def test_a_lock_file_of_an_earlier_version_is_closed_to_readers(self, base: Path) -> None:
        written(base, "a1")
        lock = StorePaths.of(base).lock
        lock.chmod(0o644)
        written(base, "b1")
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600

    @as_root
    def test_a_group_that_may_not_be_set_gets_no_more_than_everybody(self, shared: Path) -> None:
        base = shared / "x.parquet"
        as_user(ALICE, lambda: written(base, "a1"))
        os.chown(base, ALICE, LAB)
        base.chmod(0o640)
        assert as_user(ALICE, lambda: written(base, "b1")) is None
        found = base.stat()
        assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (ALICE, 0o600)


class TestOwners:
    @as_root
    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660, 0o664])
    def test_what_root_publishes_stays_the_users(self, shared: Path, mode: int) -> None:
        base = shared / "x.parquet"
        as_user(ALICE, lambda: written(base, "a1"))
        os.chown(base, ALICE, LAB)
        base.chmod(mode)
        with opened(base) as found:
            add(found, "root1")
            journals = list(StorePaths.of(base).folder.glob("*.journal"))
            assert [(p.stat().st_uid, p.stat().st_gid) for p in journals] == [(ALICE, LAB)]
            found.flush(publish=True)
            add(found, "root2")
        made_once = {StorePaths.of(base).folder / clock.NAME}  # by her, before the file was given to the group
        for path in {base, *StorePaths.of(base).folder.iterdir()} - made_once:
            assert (path.stat().st_uid, path.stat().st_gid) == (ALICE, LAB), path
        assert as_user(ALICE, lambda: written(base, "a2"), groups=(LAB,)) is None
        assert published_names(base) == ["a1", "root1", "root2", "a2"]

    @as_root
    def test_what_root_makes_beside_a_users_copy_is_the_users(self, shared: Path) -> None:
        base = shared / "x.parquet"
        as_user(ALICE, lambda: written(base, "a1"))
        copy = base.rename(shared / "copy.parquet")
        written(copy, "root1")
        paths = StorePaths.of(copy)
        assert {p.stat().st_uid for p in (copy, paths.lock, paths.folder, paths.head)} == {ALICE}
        assert as_user(ALICE, lambda: written(copy, "a2")) is None

    @as_root
    def test_a_group_shares_a_store_whose_file_it_may_write(self, shared: Path) -> None:
        base = shared / "x.parquet"
        as_user(ALICE, lambda: written(base, "a1"), umask=0o002)
        shared.chmod(0o775)
        for path in (
            shared,
            base,
            StorePaths.of(base).lock,
            *StorePaths.of(base).folder.iterdir(),
            StorePaths.of(base).folder,
        ):
            os.chown(path, -1, LAB)
        assert as_user(BOB, lambda: written(base, "b1"), groups=(LAB,)) is None
        assert (base.stat().st_uid, base.stat().st_gid, stat.S_IMODE(base.stat().st_mode)) == (BOB, LAB, 0o664)
        assert as_user(ALICE, lambda: written(base, "a2"), groups=(LAB,)) is None
        assert published_names(base) == ["a1", "b1", "a2"]


class TestReadersWithLocks:
    """Bob may read everything of Alice's that is readable, and holds a lock on whatever he can open."""

    @pytest.fixture
    def holding(self, shared: Path) -> Iterator[Callable[[], list[str]]]:
        children: list[int] = []

        def hold() -> list[str]:
            reading, writing = os.pipe()
            child = os.fork()
            if not child:
                try:
                    os.setgroups([])
                    os.setgid(BOB)
                    os.setuid(BOB)
                    held = []
                    for path in (shared, *shared.rglob("*")):
                        try:
                            descriptor = os.open(path, os.O_RDONLY)
                            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        except OSError:
                            continue
                        held.append(path.name)
                    os.write(writing, "\n".join(held).encode() + b"\0")
                    time.sleep(600)
                finally:
                    os._exit(0)
            children.append(child)
            os.close(writing)
            answer = b""
            while not answer.endswith(b"\0"):
                answer += os.read(reading, 4096)
            os.close(reading)
            return answer[:-1].decode().split("\n")

        yield hold
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    @as_root
    def test_keep_nobody_from_publishing(self, shared: Path, holding: Callable[[], list[str]]) -> None:
        base = shared / "x.parquet"

        def left() -> None:
            add(opened(base), "a1")  # its process ends without close

        as_user(ALICE, left)
        held = holding()
        assert "HEAD" in held
        assert [name for name in held if name.endswith(".journal")]
        assert ".x.lock" not in held
        assert as_user(ALICE, lambda: written(base, "a2")) is None
        assert as_user(ALICE, lambda: written(base, "a3")) is None
        assert sorted(published_names(base)) == ["a1", "a2", "a3"]
        # the journal of the dead stays as long as it is locked; nothing comes twice
        assert len(list(StorePaths.of(base).folder.glob("*.journal"))) == 1
        assert as_user(ALICE, lambda: opened(base).verify().ok) is True

    @as_root
    def test_delay_a_journals_end_no_longer_than_they_hold_it(
        self, shared: Path, holding: Callable[[], object]
    ) -> None:
        base = shared / "x.parquet"

        def left() -> None:
            add(opened(base), "a1")

        as_user(ALICE, left)
        holding()
        as_user(ALICE, lambda: written(base, "a2"))
        journal = next(iter(StorePaths.of(base).folder.glob("*.journal")))
        journal.rename(journal.with_name("moved"))  # what Bob holds is another file now
        journal.write_bytes(journal.with_name("moved").read_bytes())
        journal.with_name("moved").unlink()
        os.chown(journal, ALICE, ALICE)
        as_user(ALICE, lambda: written(base, "a3"))
        assert list(StorePaths.of(base).folder.glob("*.journal")) == []
        assert sorted(published_names(base)) == ["a1", "a2", "a3"]


@contextlib.contextmanager
def held_by_another_thread(base: Path) -> Iterator[None]:
    """The store's lock, held by somebody for whom this thread can wait."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store_lock(OsFiles(), StorePaths.of(base)) as lock:
            assert lock is not None
            taken.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert taken.wait(60)
        yield
    finally:
        done.set()
        thread.join()


class TestTheLockHeldByAWriter:
    def test_is_told_with_the_process_that_holds_it(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(table, "_LOCK_WAIT", 0.05)
        with opened(base) as found:
            add(found, "a1")
            told = rf"somebody else \(process {os.getpid()}\) held the lock"
            with held_by_another_thread(base), pytest.raises(PublishError, match=told):
                found.flush(publish=True)
            found.flush(publish=True)

    def test_is_told_when_a_store_cannot_be_made(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(table, "_LOCK_WAIT", 0.05)
        with (
            held_by_another_thread(base),
            pytest.raises(LockUnavailable, match=rf"process {os.getpid()}\) for"),
        ):
            opened(base)

    def test_nobody_is_named_where_nobody_holds_it(self, base: Path) -> None:
        written(base, "a1")
        found = OsFiles().stat(StorePaths.of(base).lock)
        assert found is not None
        assert lock_holders(found.identity) == ""

    def test_a_lock_file_that_somebody_keeps_removing_is_given_up(
        self, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written(base, "a1")
        monkeypatch.setattr("toriwork.storage.store_lock._REMOVED_SECONDS", 0.01)
        monkeypatch.setattr("toriwork.storage.store_lock.Lock.still_ours", lambda lock: False)
        with store_lock(OsFiles(base), StorePaths.of(base)) as lock:
            assert lock is None


class TestWhatIsNotAllowed:
    """The message names file, owner and remedy; whatever may be read is read."""

    CASES = (
        ("as it is", lambda p: None, "", True),
        ("state root closed for writing", lambda p: p.base.parent.chmod(0o555), "x.parquet", True),
        ("folder closed for writing", lambda p: p.folder.chmod(0o555), ".journal.new", True),
        ("folder closed", lambda p: p.folder.chmod(0), "x.d", False),
        ("state root closed", lambda p: p.base.parent.chmod(0), "x.", False),
        ("HEAD closed", lambda p: p.head.chmod(0), "HEAD", False),
        ("HEAD of root's", lambda p: (os.chown(p.head, 0, 0), p.head.chmod(0o600)), "HEAD", False),
        ("public file closed", lambda p: p.base.chmod(0), "x.parquet", False),
        ("public file read-only", lambda p: p.base.chmod(0o444), "", True),
        ("public file of root's", lambda p: os.chown(p.base, 0, 0), "", True),
        ("journal closed", lambda p: next(iter(p.folder.glob("*.journal"))).chmod(0), ".journal", False),
        ("journal of root's", lambda p: _roots(next(iter(p.folder.glob("*.journal")))), ".journal", False),
        ("lock of root's", lambda p: _roots(p.lock), ".x.lock", True),
        ("lock closed", lambda p: p.lock.chmod(0), ".x.lock", True),
    )

    @as_root
    @pytest.mark.parametrize(
        ("change", "named", "readable"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
    )
    def test_is_told_by_name_and_what_may_be_read_is_read(
        self, shared: Path, change: Callable[[StorePaths], object], named: str, readable: bool
    ) -> None:
        paths = StorePaths.of(shared / "x.parquet")

        def left() -> None:
            written(paths.base, "a1")
            add(opened(paths.base), "a2")

        def write() -> None:
            written(paths.base, "a3")

        def read() -> list[str]:
            with opened(paths.base, read_only=True) as found:
                return names_of(found)

        as_user(ALICE, left)
        change(paths)
        seen, done = as_user(ALICE, read), as_user(ALICE, write)
        if readable:
            assert seen == ["a1", "a2"]
        else:
            assert isinstance(seen, NotPermitted), seen
            assert named in str(seen)
        if named:
            assert isinstance(done, NotPermitted | PublishError), done
            assert named in str(done)
            assert f"uid {ALICE}" in str(done)
        else:
            assert done is None

    @as_root
    def test_another_user_reads_what_is_readable_and_writes_nothing(self, shared: Path) -> None:
        base = shared / "x.parquet"
        as_user(ALICE, lambda: written(base, "a1"))
        before = {p: p.stat().st_mtime_ns for p in shared.rglob("*")}
        done = as_user(BOB, lambda: written(base, "b1"))
        assert isinstance(done, NotPermitted)
        assert isinstance(done, PermissionError)
        assert "read_only=True" in str(done)
        assert as_user(BOB, lambda: names_of(opened(base, read_only=True))) == ["a1"]
        assert {p: p.stat().st_mtime_ns for p in shared.rglob("*")} == before

    @pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
    def test_a_refusal_of_the_system_gets_path_and_remedy(self, tmp_path: Path, code: int) -> None:
        new = refusal(OSError(code, os.strerror(code)), tmp_path / "no" / "x.parquet")
        assert isinstance(new, NotPermitted)
        assert new.errno == code
        assert str(tmp_path / "no" / "x.parquet") in str(new)
        assert f"{tmp_path} belongs to uid {os.geteuid()}" in str(new)
        assert "read_only=True" in str(new)

    @pytest.mark.parametrize("code", [errno.ENOENT, errno.EIO, errno.ENOSPC, errno.EMFILE])
    def test_other_errors_are_left_alone(self, tmp_path: Path, code: int) -> None:
        error = OSError(code, os.strerror(code))
        assert refusal(error, tmp_path) is error

    def test_a_path_that_is_too_long_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="expected a shorter path"):
            opened(tmp_path / ("x" * 300 + ".parquet"))

    def test_a_disk_that_became_read_only_is_told(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        written(base, "a1")
        real = os.open

        def read_only(path: object, flags: int, *more: object, **named: object) -> int:
            if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return real(path, flags, *more, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", read_only)
        with pytest.raises(NotPermitted, match=r"Read-only file system.*open with read_only=True"):
            opened(base)
        assert names_of(opened(base, read_only=True)) == ["a1"]


def _roots(path: Path) -> None:
    os.chown(path, 0, 0)
    path.chmod(0o600)
