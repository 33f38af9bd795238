"""Checkpoints: one line of JSON for each generation of the token log, in a file beside it, outside of the store.

Whoever cuts or rewrites the public file has to rewrite these as well. A copy of the last line kept elsewhere
shows both.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from toriwork.errors import DamagedFile
from toriwork.storage.access import open_regular
from toriwork.storage.files import OsFiles, write_whole
from toriwork.synthesis.retention import Note

SUFFIX = ".checkpoints"
_MANY_BYTES = 2**20
_MOST_BYTES = 8 * _MANY_BYTES


class Checkpoint(NamedTuple):
    """How far the log had come when a generation was published."""

    generation: int
    n_rows: int  #: ever published
    head: str  #: hex; over every generation so far

    def line(self) -> str:
        """One line of JSON, the time beside it."""
        return json.dumps(
            {"generation": self.generation, "rows": self.n_rows, "head": self.head, "at": int(time.time())}
        )


def checkpoint_of(note: Note) -> Checkpoint | None:
    """The checkpoint of the newest generation, None when there is none."""
    return None if note.last is None else Checkpoint(note.last.number, note.n_rows, note.last.head.hex())


def read_checkpoints(path: Path) -> tuple[Checkpoint, ...]:
    """The checkpoints in a file, none when there is no file; a line that was cut short is passed over.

    OddFile, DamagedFile or NotPermitted when it is no regular file, far too long, or may not be read.
    """
    return _parsed(_content(path))


def _parsed(content: bytes) -> tuple[Checkpoint, ...]:
    found = []
    for line in content.decode("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            raw = json.loads(line)
            found.append(Checkpoint(int(raw["generation"]), int(raw["rows"]), str(raw["head"])))
    return tuple(found)


def _content(path: Path) -> bytes:
    try:
        handle = OsFiles().open(Path(os.path.realpath(path)))
    except FileNotFoundError:
        return b""
    with closing(handle):
        size = handle.stat().size
        if size > _MOST_BYTES:
            raise DamagedFile(f"{path}: expected at most {_MOST_BYTES:,} bytes of checkpoints, got {size:,}")
        return handle.read_at(0, size)


def add_checkpoint(path: Path, new: Checkpoint) -> None:
    """Append a line when it is not there yet; a large file is halved, its newest lines stay.

    The file takes mode, group and owner of the log's public file; a link is not followed.
    """
    before = _content(path)
    if new in _parsed(before)[-2:]:
        return
    files = OsFiles(path.with_suffix(".parquet"))
    if files.stat(path) is None:
        with contextlib.suppress(FileExistsError):  # another process was quicker
            files.create(path).close()
    torn = before[-1:] not in (b"", b"\n")
    with os.fdopen(open_regular(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        # buffered: one write() of a whole line, so that two writers never mix theirs
        file.write(b"\n" * torn + new.line().encode() + b"\n")
    content = _content(path)
    if len(content) > _MANY_BYTES:
        lines = content.splitlines(keepends=True)
        write_whole(files, path, b"".join(lines[len(lines) // 2 :]))
