"""Checkpoints: one line of JSON for each generation of the token log, in a file of their own beside it.

They lie outside of the store, whose public file they vouch for: who cuts or rewrites that file has to find and rewrite
these as well. A copy of the last line kept elsewhere (a commit, a mail) is beyond the reach of both.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from toriwork.synthesis.retention import Note

SUFFIX = ".checkpoints"
_MANY_BYTES = 2**20


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
    """The checkpoints in a file, none when there is no file; a line that was cut short counts for nothing."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                raw = json.loads(line)
                found.append(Checkpoint(int(raw["generation"]), int(raw["rows"]), str(raw["head"])))
    return tuple(found)


def add_checkpoint(path: Path, new: Checkpoint) -> None:
    """Append a line when it is not there yet; a large file is halved, its newest lines stay."""
    there = read_checkpoints(path)
    if new in there[-2:]:
        return
    with path.open("a+b") as file:
        torn = _is_torn(file)
        # buffered: one write() of a whole line, so that two writers never mix theirs
        file.write(b"\n" * torn + new.line().encode() + b"\n")
    if path.stat().st_size > _MANY_BYTES:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        temporary.write_text("".join(lines[len(lines) // 2 :]), encoding="utf-8")
        temporary.replace(path)


def _is_torn(file: BinaryIO) -> bool:
    """Whether the last line of a file was cut short."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"
