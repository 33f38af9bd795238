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
from toriwork.storage.view import is_segment, look

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.head import Places
    from toriwork.storage.spec import TableSpec
    from toriwork.storage.view import View

_TRIES = 200


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found: ``findings`` are sentences about damage, ``notes`` about what is unusual and harmless."""

    path: Path
    n_rows: int  #: rows that could be read
    n_published: int  #: of them in the public file
    n_files: int  #: files that were looked at
    findings: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged, missing or there twice."""
        return not self.findings

    def __str__(self) -> str:
        """One line when all is well, else one more for each finding."""
        state = "sound" if self.ok else f"{len(self.findings)} findings"
        counts = f"{self.n_rows:,} rows, {self.n_published:,} of them published, {self.n_files} files"
        head = f"{one_line(str(self.path))}: {state}; {counts}"
        return "\n".join([head, *(f"- {one_line(text)}" for text in (*self.findings, *self.notes))])


def verify(files: Files, places: Places, spec: TableSpec) -> VerifyReport:
    """What a check of every file found: footers, pages, digests, row counts, row ids, and HEAD.

    Others may record, seal and publish meanwhile: what is damaged is so in two readings of the same file.
    """
    findings: list[str] = []
    notes: list[str] = []
    n_files = 0
    # each file by itself, so that one damaged file does not hide another
    for path in _paths(files, places):
        try:
            found = _examined(files, places, path, notes)
        except FileNotFoundError:  # published meanwhile
            continue
        n_files += 1
        findings += found
    try:
        if not findings:
            n_rows, n_published, twice = _checked_rows(files, places, spec)
            if twice:
                n_rows, n_published, twice = _checked_rows(files, places, spec)
            return VerifyReport(places.base, n_rows, n_published, n_files, tuple(twice), tuple(notes))
    except Busy:  # of a handler that ran meanwhile: that is no damage
        raise
    except (StoreError, OSError) as error:
        findings.append(str(error))
    return VerifyReport(places.base, *_count(files, places, spec), n_files, tuple(findings), tuple(notes))


def _paths(files: Files, places: Places) -> Iterator[Path]:
    if files.stat(places.head) is not None:
        yield places.head
    yield places.base
    for name in files.names(places.folder):
        if is_segment(name) or journal_id(name) is not None:
            yield places.folder / name


def _examined(files: Files, places: Places, path: Path, notes: list[str]) -> list[str]:
    """What is wrong with one file: nothing, or what two readings in a row said of it, nobody having replaced it.

    Raises
    ------
    FileNotFoundError
        The file is gone.
    """
    said: tuple[object, ...] | None = None
    for attempt in range(_TRIES):
        try:
            notes += _check_file(files, places, path)
        except _Replaced:
            said = None
        except (Busy, FileNotFoundError):
            raise
        except (StoreError, OSError) as error:
            again = (type(error), _identity(files, path), _identity(files, places.head))
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


def _check_file(files: Files, places: Places, path: Path) -> list[str]:
    """What is unusual about one file; damage is an exception."""
    if path == places.head:
        read_head(files, places)
        return []
    if path == places.base:
        return _check_base(files, places)
    handle = files.open(path)
    try:
        if journal_id(path.name) is None:
            _check_data(ParquetSource(handle, path))
            return []
        head = read_head(files, places)
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
    finally:
        handle.close()


def _check_base(files: Files, places: Places) -> list[str]:
    """What is unusual about the public file. HEAD is read before it was opened and after: a rename lies between two
    changes of HEAD, so what did not change speaks of the file that was opened.
    """
    head = read_head(files, places)
    with contextlib.ExitStack() as opened:
        base = None
        if files.stat(places.base) is not None:
            handle = files.open(places.base)
            opened.callback(handle.close)
            base = ParquetSource(handle, places.base)
        if read_head(files, places) != head:
            raise _Replaced
        if head is not None:
            check_base(head, base, places.base)
        if base is None:
            raise FileNotFoundError(places.base)
        _check_data(base)
        if head is None:
            return [f"{places.head}: there is none; the public file arrived here alone"]
        if head.committed and head.n_rows != base.n_rows:
            raise StoreError(f"{places.base}: holds {base.n_rows} rows, HEAD states {head.n_rows}")
        return []


def _check_data(source: ParquetSource) -> None:
    source.check_data_digest()
    n_rows = sum(batch.num_rows for batch in source.batches())
    if n_rows != source.n_rows:
        raise StoreError(f"{source.path}: its footer states {source.n_rows} rows, {n_rows} can be read")


def _checked_rows(files: Files, places: Places, spec: TableSpec) -> tuple[int, int, list[str]]:
    """Rows that can be read, those of them that are published, and what is wrong with their ids."""
    view = look(files, places, spec)
    with view.opened:
        ids = _row_ids(view)
        return len(ids), view.base.n_rows if view.base is not None else 0, _check_rows(view, ids)


def _row_ids(view: View) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    """(n_rows,) 16 bytes each: a hash of every row id."""
    name = view.spec.row_id
    parts = [_hashed(batch.column(0)) for batch in view.base_batches([name])]
    parts += [_hashed(batch[name]) for batch in view.pending_batches()]
    return np.concatenate([np.empty(0, "S16"), *parts])


def _hashed(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    texts = column.cast(pa.string()).to_pylist()
    return np.frombuffer(
        b"".join(blake2b((text or "").encode(), digest_size=16).digest() for text in texts), dtype="S16"
    )


def _check_rows(view: View, ids: np.ndarray[tuple[int], np.dtype[np.bytes_]]) -> list[str]:
    found = []
    n_twice = len(ids) - len(np.unique(ids))
    if n_twice:
        found.append(f"{view.folder}: {n_twice} rows are there more than once, by their row id")
    if len(ids) != view.n_rows():
        found.append(f"{view.folder}: {len(ids)} rows can be read, the files state {view.n_rows()}")
    return found


def _count(files: Files, places: Places, spec: TableSpec) -> tuple[int, int]:
    """Rows in all and in the public file, as far as they can be counted in a damaged store."""
    try:
        view = look(files, places, spec, check=False)
    except Busy:
        raise
    except (StoreError, OSError):
        return 0, 0
    with view.opened:
        return view.n_rows(), view.base.n_rows if view.base is not None else 0
