"""The journal of a migration: one JSON line per event, each synced before the next thing happens, chained by hashes.

A line that was torn by a crash is the last one and is dropped. Anything else that does not fit the chain is damage and
refused: what a damaged journal says must not be acted on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from toriwork.errors import DamagedFile
from toriwork.migrate.engine.faults import crash, crash_point
from toriwork.migrate.engine.restore_script import sync_folder

JOURNAL = "journal.jsonl"
Line = dict[str, Any]


class Journal:
    """The lines of a journal; ``append`` returns when the new one is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines, self._length = _read(path)

    def append(self, kind: str, **facts: Any) -> Line:
        """The line that was written."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line: Line = {"n": len(self.lines) + 1, "kind": kind, "at": now} | facts
        line["hash"] = _chained(self.lines, line)
        data = _text(line)
        point = crash_point(line["n"])
        if point == "before":
            crash()
        new = not self.path.exists()
        with self.path.open("r+b" if not new else "xb") as file:
            file.truncate(self._length)  # a torn line, or one that a full disk took half of
            file.seek(self._length)
            file.write(data if point != "within" else data[: len(data) // 2])
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self.path.parent)
        if point:
            crash()
        self.lines.append(line)
        self._length += len(data)
        return line

    def set_aside(self) -> None:
        """Begin a new journal; the old one stays beside it under a numbered name."""
        n = 1
        while (kept := self.path.with_name(f"journal.{n}.jsonl")).exists():
            n += 1
        self.path.replace(kept)
        sync_folder(self.path.parent)
        self.lines, self._length = [], 0

    def of_kind(self, *kinds: str) -> Iterator[Line]:
        """The lines of these kinds, in order."""
        return (line for line in self.lines if line["kind"] in kinds)


def _text(line: Line) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _chained(before: list[Line], line: Line) -> str:
    content = {key: value for key, value in line.items() if key != "hash"}
    previous = before[-1]["hash"] if before else ""
    return sha256(previous.encode() + _text(content)).hexdigest()[:32]


def _read(path: Path) -> tuple[list[Line], int]:
    """The lines that hold, and how many bytes they take."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    lines: list[Line] = []
    length, parts = 0, data.splitlines(keepends=True)
    for number, part in enumerate(parts, 1):
        line = _parsed(lines, part)
        if line is None:
            if number < len(parts):
                raise DamagedFile(
                    f"{path}: line {number} is not the one that was written, and lines follow it; nothing was changed. "
                    "The backup can be put back by its own restore.py"
                )
            break
        lines.append(line)
        length += len(part)
    return lines, length


def _parsed(before: list[Line], part: bytes) -> Line | None:
    try:
        line = json.loads(part)
    except ValueError:
        return None
    whole = part.endswith(b"\n") and isinstance(line, dict) and line.get("n") == len(before) + 1
    return line if whole and line.get("hash") == _chained(before, line) else None
