"""A SQLite file that somebody may still use: who has it open, what it is byte for byte, and a snapshot of it.

Copying the main file alone is wrong and looks right: a journal or write-ahead log beside it is part of its state
(https://sqlite.org/howtocorrupt.html, section 1.3). So all of it is copied, SQLite recovers the copy, and the original
is never opened for writing.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from toriwork.errors import BadInput, DamagedFile, NotFound, SourceInUse, StoreError
from toriwork.sqlite.files import file_sha256

MAGIC = b"SQLite format 3\0"
SIDE_SUFFIXES = ("-journal", "-wal", "-shm")
_SPARE_BYTES = 16 * 2**20
#: what a check says of rows that can be read all the same; SQLite 3.40 finds NULL where a key has another order
_OF_CONTENT = re.compile(r"(NULL|NUMERIC|TEXT|non-\S+) value in |CHECK constraint failed in |non-unique entry in ")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a file open."""

    pid: int
    command: str
    path: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A database as it lies on the disk: the sha256 of its file and of each side file that is there."""

    path: str
    files: tuple[tuple[str, int, str], ...]  #: suffix, bytes, sha256

    @property
    def digest(self) -> str:
        """One text for all of it."""
        return blake2b(repr(self.files).encode(), digest_size=16).hexdigest()


def side_files(database: Path) -> list[Path]:
    """The side files of a database that exist."""
    found = (database.with_name(database.name + suffix) for suffix in SIDE_SUFFIXES)
    return [path for path in found if path.exists()]


def identity_of(database: Path) -> Identity:
    """Return the identity of a database without the shared-memory index: it holds no data and opening changes it."""
    paths = [database, *(path for path in side_files(database) if not path.name.endswith("-shm"))]
    parts = [(path.name[len(database.name) :], path.stat().st_size, file_sha256(path)) for path in paths]
    return Identity(str(database), tuple(parts))


def check_database(path: str | os.PathLike[str]) -> Path:
    """The real path of a file that begins like a SQLite database, or that is empty, which SQLite takes for one.

    Raises
    ------
    NotFound, BadInput
        No such file; a file of another kind.
    """
    database = Path(os.path.realpath(path))
    if not database.is_file():
        raise NotFound(f"{path}: no such file: expected the path of a SQLite database")
    with database.open("rb") as file:
        start = file.read(len(MAGIC))
    if start not in (MAGIC, b""):
        raise BadInput(f"{path}: not a SQLite 3 database (it begins with {start!r})")
    return database


def holders(database: Path) -> list[Holder]:
    """The processes, this one too, that have the database or a side file open, as far as the system shows them.

    Linux: /proc. Elsewhere, and for processes of other users, nothing is seen.
    """
    wanted = {}
    for path in (database, *side_files(database)):
        found = path.stat()
        wanted[found.st_dev, found.st_ino] = str(path)
    seen = []
    for pid in _process_ids():
        for entry in _open_files(pid):
            name = wanted.get(entry)
            if name is not None:
                seen.append(Holder(pid, _command(pid), name))
    return sorted(set(seen), key=lambda holder: (holder.pid, holder.path))


def _process_ids() -> list[int]:
    try:
        return sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    except OSError:
        return []


def _open_files(pid: int) -> Iterator[tuple[int, int]]:
    try:
        paths = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # gone, or another user's
        return
    for path in paths:
        try:
            found = path.stat()
        except OSError:  # closed meanwhile
            continue
        yield found.st_dev, found.st_ino


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    return " ".join(b" ".join(words).decode("utf-8", "replace").split())[:120]


def refuse_holders(database: Path) -> None:
    """SourceInUse when a process has the database open; the message names each."""
    found = holders(database)
    if found:
        names = "; ".join(f"process {holder.pid} ({holder.command})" for holder in found[:5])
        raise SourceInUse(
            f"{database}: is open in {names}. Nothing was changed. Close it there first, or take a snapshot beside it "
            "(live=True, on the command line --live)"
        )


@contextmanager
def snapshot(
    database: Path, folder: Path, *, live: bool = False, identity: Identity | None = None
) -> Iterator[tuple[sqlite3.Connection, list[str]]]:
    """Open a consistent copy of a database, recovered from its side files; the copy goes afterwards.

    With it come the notes of SQLite's own check about rows that break a constraint and can be read all the same.

    Parameters
    ----------
    database : Path
        The original; only ever read.
    folder : Path
        Where the copy lies meanwhile, nobody else's; it needs room for the database once.
    live : bool
        True: the database may be in use; SQLite itself copies it page by page under its own locks.
    identity : Identity, optional
        What the copy must be, byte for byte; without it sizes and times of change are compared.

    Raises
    ------
    SourceInUse
        Without ``live``: a process has it open, or it changed while it was copied.
    DamagedFile
        SQLite's own check of the copy fails.
    """
    size = sum(path.stat().st_size for path in (database, *side_files(database)))
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise StoreError(f"{folder}: a snapshot needs about {size + _SPARE_BYTES:,} bytes, {free:,} are free")
    copy = folder / ".snapshot.sqlite"
    for path in folder.glob(f"{copy.name}*"):  # of a run that was killed
        path.unlink()
    try:
        if live:
            _copy_live(database, copy)
        else:
            refuse_holders(database)
            before = _stamps(database)
            for path in (database, *side_files(database)):
                if not path.name.endswith("-shm"):
                    shutil.copyfile(path, copy.with_name(copy.name + path.name[len(database.name) :]))
            # two readings in a row that give the same bytes show one moment of the file, the one between them
            torn = identity is not None and identity_of(copy).files != identity.files
            if torn or _stamps(database) != before:
                raise SourceInUse(f"{database}: changed while it was copied; something writes to it")
        connection, notes = _opened(copy, database)
        with closing(connection):
            yield connection, notes
    finally:
        for path in (copy, *side_files(copy)):
            path.unlink(missing_ok=True)


def _stamps(database: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of a database and its side files."""
    paths = [path for path in (database, *side_files(database)) if not path.name.endswith("-shm")]
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _copy_live(database: Path, copy: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except sqlite3.Error as error:
        raise DamagedFile(f"{database}: SQLite cannot copy it: {error}. Nothing was changed") from error


def _opened(copy: Path, database: Path) -> tuple[sqlite3.Connection, list[str]]:
    """The recovered copy, checked, and what the check noted."""
    connection = sqlite3.connect(copy, isolation_level=None)
    try:
        connection.text_factory = bytes
        found = [
            " ".join(row[0].decode("utf-8", "replace").split()) for row in connection.execute("PRAGMA quick_check")
        ]
    except sqlite3.Error as error:
        connection.close()
        raise _corrupt(database, str(error)) from error
    damage = [line for line in found if line != "ok" and not _OF_CONTENT.match(line)]
    if damage:
        connection.close()
        raise _corrupt(database, "; ".join(damage[:5]))
    return connection, [line for line in found if line != "ok"]


def _corrupt(database: Path, why: str) -> DamagedFile:
    return DamagedFile(
        f"{database}: SQLite finds it damaged: {why}. Nothing was changed. `sqlite3 {database.name} .recover` may save "
        "a part of it into a new database, which can be exported by its own name"
    )
