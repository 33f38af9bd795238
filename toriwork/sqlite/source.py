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
from toriwork.sqlite.schema import sayable, text
from toriwork.sqlite.stand_ins import connect, respell, stand_in_for_collations, with_functions

MAGIC = b"SQLite format 3\0"
SIDE_SUFFIXES = ("-journal", "-wal", "-shm")
_SPARE_BYTES = 16 * 2**20
#: what a check says of rows that can be read all the same, and of words that a search may miss; SQLite 3.40 finds NULL
#: where a key has another order
_OF_CONTENT = re.compile(
    r"(NULL|NUMERIC|TEXT|non-\S+) value in |CHECK constraint failed in |non-unique entry in "
    r"|(malformed|unable to validate the) inverted index for FTS"
)
_OF_ORDER = "row not in PRIMARY KEY order for "
_ALL_OF_IT = 2**30  # a check ends at 100 findings, and damage may come after those of content
_READS, _SCHEMAS = 2, 4  # the newest format that SQLite has had since 2010


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

    With it come notes: what SQLite's own check says of rows that can be read all the same, and what had a stand-in.

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
        SQLite finds the copy damaged.
    StoreError
        It does not read it, or no room is left.
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
        notes = _checked(copy, database)
        with closing(connect(copy)) as connection:
            respell(connection, sayable)
            missing = stand_in_for_collations(connection, _statements(connection))
            yield connection, notes + [_told("collation", name) for name in missing]
    except sqlite3.Error as error:
        raise _refused(database, error) from error
    finally:
        for path in (copy, *side_files(copy)):
            path.unlink(missing_ok=True)


def _stamps(database: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of change of a database and its side files."""
    paths = [path for path in (database, *side_files(database)) if not path.name.endswith("-shm")]
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]


def _copy_live(database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as source, closing(connect(copy)) as target:
        source.backup(target)


def _statements(connection: sqlite3.Connection) -> list[str]:
    return [text(sql) for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")]


def _checked(copy: Path, database: Path) -> list[str]:
    """Recover the copy and return what SQLite's check notes of it; DamagedFile where it finds damage."""
    damage, notes = [], dict[str, None]()
    with closing(connect(copy)) as connection:
        collations = stand_in_for_collations(connection, _statements(connection))
        check = f"PRAGMA quick_check({_ALL_OF_IT})"
        try:
            found, functions = with_functions(connection, lambda: connection.execute(check))
            notes.update(dict.fromkeys(_told("function", f"{name}()") for name in functions))
            for (line,) in found:
                said = " ".join(line.decode("utf-8", "replace").split())
                if said == "ok" or (collations and said.startswith(_OF_ORDER)):
                    continue
                if _OF_CONTENT.match(said):
                    notes[said] = None
                else:
                    damage.append(said)
                if len(damage) == 5:
                    break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            notes[f"SQLite's own check stops: {error}"] = None  # a column that cannot be computed: reading names it
    if damage:
        raise _corrupt(database, "; ".join(damage))
    return list(notes)


def _told(kind: str, name: str) -> str:
    return (
        f"{kind} {name} is not known here, so what it orders or checks was not looked at; cells do not depend on it. "
        "After import-sqlite, a program that knows it has to run REINDEX"
    )


def _refused(database: Path, error: sqlite3.Error) -> StoreError:
    """The error for a file that SQLite does not read: damage only where the file claims nothing newer."""
    with database.open("rb") as file:
        head = file.read(48)
    version = f"{database}: SQLite {sqlite3.sqlite_version}"
    if head[19:20] > bytes([_READS]) or int.from_bytes(head[44:48]) > _SCHEMAS:
        return StoreError(f"{version} does not read its format, a newer one may ({error}). Nothing was changed")
    if str(error).startswith("malformed database schema"):
        return StoreError(
            f"{version} does not understand its schema, which a newer one may: {error}. Nothing was changed"
        )
    if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    ):
        return _corrupt(database, str(error))
    return StoreError(f"{version} cannot read it: {error}. Nothing was changed")


def _corrupt(database: Path, why: str) -> DamagedFile:
    return DamagedFile(
        f"{database}: SQLite finds it damaged: {why}. Nothing was changed. `sqlite3 {database.name} .recover` may save "
        "a part of it into a new database, which can be exported by its own name"
    )
