"""Looking at every file of a store and saying what is wrong with it. Nothing is changed, damage is no exception here.

The row ids are compared as 16 bytes each in one NumPy array: a registry of a million rows needs 16 MB for it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from toriwork.errors import Busy, StoreError
from toriwork.printed import one_line
from toriwork.storage.columns import ParquetSource
from toriwork.storage.head import check_base, read_head
from toriwork.storage.journal import journal_id, read_journal
from toriwork.storage.pending import is_segment
from toriwork.storage.snapshot import open_snapshot

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.snapshot import Snapshot
    from toriwork.storage.spec import TableSpec

_TRIES = 200


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result of a check: ``findings`` are sentences about damage, ``notes`` about harmless oddities."""

    path: Path
    n_rows: int  #: rows that could be read
    n_published: int  #: of them in the public file
    n_files: int  #: files that were looked at
    findings: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """True when nothing is damaged, missing or there twice."""
        return not self.findings

    def __str__(self) -> str:
        """One line when all is well, else one more for each finding."""
        state = "sound" if self.ok else f"{len(self.findings)} findings"
        counts = f"{self.n_rows:,} rows, {self.n_published:,} of them published, {self.n_files} files"
        head = f"{one_line(str(self.path))}: {state}; {counts}"
        return "\n".join([head, *(f"- {one_line(text)}" for text in (*self.findings, *self.notes))])


def verify(files: Files, paths: StorePaths, spec: TableSpec) -> VerifyReport:
    """Check every file: footers, pages, digests, row counts, row ids, and HEAD.

    Others may record, seal and publish meanwhile: what is damaged is so in two readings of the same file.
    """
    findings: list[str] = []
    notes: list[str] = []
    n_files = 0
    # each file by itself, so that one damaged file does not hide another
    for path in _every_path(files, paths):
        try:
            found = _examined(files, paths, path, notes)
        except FileNotFoundError:  # published meanwhile
            continue
        n_files += 1
        findings += found
    try:
        if not findings:
            n_rows, n_published, twice = _checked_rows(files, paths, spec)
            if twice:
                n_rows, n_published, twice = _checked_rows(files, paths, spec)
            return VerifyReport(paths.base, n_rows, n_published, n_files, tuple(twice), tuple(notes))
    except Busy:  # of a handler that ran meanwhile: that is no damage
        raise
    except (StoreError, OSError) as error:
        findings.append(str(error))
    return VerifyReport(paths.base, *_count(files, paths, spec), n_files, tuple(findings), tuple(notes))


def _every_path(files: Files, paths: StorePaths) -> Iterator[Path]:
    if files.stat(paths.head) is not None:
        yield paths.head
    yield paths.base
    for name in files.names(paths.folder):
        if is_segment(name) or journal_id(name) is not None:
            yield paths.folder / name


def _examined(files: Files, paths: StorePaths, path: Path, notes: list[str]) -> list[str]:
    """The damage of one file, as two readings in a row said it of the same file; empty when it is sound."""
    said: tuple[object, ...] | None = None
    for attempt in range(_TRIES):
        try:
            notes += _check_file(files, paths, path)
        except _Replaced:
            said = None
        except (Busy, FileNotFoundError):
            raise
        except (StoreError, OSError) as error:
            again = (type(error), _identity(files, path), _identity(files, paths.head))
            if again == said:
                return [str(error)]
            said = again
        else:
            return []
        time.sleep(min(0.05, 0.0005 * attempt))
    notes.append(f"{path}: was replaced {_TRIES} times while it was checked; check again when less is published")
    return []


def _identity(files: Files, path: Path) -> tuple[int, int] | None:
    found = files.stat(path)
    return None if found is None else found.identity


class _Replaced(Exception):
    """The public file or HEAD was replaced between two looks at it."""


def _check_file(files: Files, paths: StorePaths, path: Path) -> list[str]:
    """Notes about one file; damage is an exception."""
    if path == paths.head:
        read_head(files, paths)
        return []
    if path == paths.base:
        return _check_base(files, paths)
    with contextlib.closing(files.open(path)) as handle:
        if journal_id(path.name) is None:
            _check_data(ParquetSource(handle, path))
            return []
        head = read_head(files, paths)
        store_id = head.store_id if head is not None else ""
        scan = read_journal(handle, path, store_id).scan
        dead = scan.torn and handle.try_lock()
        if dead:  # its owner may have ended the frame, and then its life, since it was read
            scan = read_journal(handle, path, store_id).scan
        if scan.damaged:
            raise StoreError(
                f"{path}: damaged behind frame {len(scan.frames)}, although {scan.synced:,} bytes had reached the disk"
            )
        if scan.torn and dead:
            return [f"{path}: its writer died in the middle of a write; {len(scan.frames)} frames are whole"]
        return []


def _check_base(files: Files, paths: StorePaths) -> list[str]:
    """Notes about the public file. HEAD is read before it was opened and after: a rename lies between two
    changes of HEAD, so what did not change speaks of the file that was opened.
    """
    head = read_head(files, paths)
    with contextlib.ExitStack() as opened:
        base = None
        if files.stat(paths.base) is not None:
            handle = files.open(paths.base)
            opened.callback(handle.close)
            base = ParquetSource(handle, paths.base)
        if read_head(files, paths) != head:
            raise _Replaced
        if head is not None:
            check_base(head, base, paths.base)
        if base is None:
            raise FileNotFoundError(paths.base)
        _check_data(base)
        if head is None:
            return [f"{paths.head}: there is none; the public file arrived here alone"]
        if head.committed and head.n_rows != base.n_rows:
            raise StoreError(f"{paths.base}: holds {base.n_rows} rows, HEAD states {head.n_rows}")
        return []


def _check_data(source: ParquetSource) -> None:
    source.check_data_digest()
    n_rows = sum(batch.num_rows for batch in source.batches())
    if n_rows != source.n_rows:
        raise StoreError(f"{source.path}: its footer states {source.n_rows} rows, {n_rows} can be read")


def _checked_rows(files: Files, paths: StorePaths, spec: TableSpec) -> tuple[int, int, list[str]]:
    """Rows that can be read, those of them that are published, and what is wrong with their ids."""
    snapshot = open_snapshot(files, paths, spec)
    with snapshot.opened:
        ids = _row_ids(snapshot)
        return len(ids), snapshot.base.n_rows if snapshot.base is not None else 0, _check_rows(snapshot, ids)


def _row_ids(snapshot: Snapshot) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    """(n_rows,) 16 bytes each: a hash of every row id."""
    name = snapshot.spec.row_id
    parts = [_hashed(batch.column(0)) for batch in snapshot.base_batches([name])]
    parts += [_hashed(batch[name]) for batch in snapshot.pending_batches()]
    return np.concatenate([np.empty(0, "S16"), *parts])


def _hashed(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    texts = column.cast(pa.string()).to_pylist()
    return np.frombuffer(
        b"".join(blake2b((text or "").encode(), digest_size=16).digest() for text in texts), dtype="S16"
    )


def _check_rows(snapshot: Snapshot, ids: np.ndarray[tuple[int], np.dtype[np.bytes_]]) -> list[str]:
    found = []
    n_twice = len(ids) - len(np.unique(ids))
    if n_twice:
        found.append(f"{snapshot.folder}: {n_twice} rows are there more than once, by their row id")
    if len(ids) != snapshot.n_rows():
        found.append(f"{snapshot.folder}: {len(ids)} rows can be read, the files state {snapshot.n_rows()}")
    return found


def _count(files: Files, paths: StorePaths, spec: TableSpec) -> tuple[int, int]:
    """Rows in all and in the public file, as far as they can be counted in a damaged store."""
    try:
        snapshot = open_snapshot(files, paths, spec, check=False)
    except Busy:
        raise
    except (StoreError, OSError):
        return 0, 0
    with snapshot.opened:
        return snapshot.n_rows(), snapshot.base.n_rows if snapshot.base is not None else 0
