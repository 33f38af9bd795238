"""The journal of a migration: one JSON line per event, each synced before the next thing happens, chained by hashes.

A line that was torn by a crash is the last one and is dropped. Anything else that does not fit the chain is damage and
refused: what a damaged journal says must not be acted on.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from toriwork.errors import DamagedFile
from toriwork.migrate.engine.restore_script import sync_folder

JOURNAL = "journal.jsonl"
Line = dict[str, Any]
Phase = Literal["planned", "applying", "waiting", "finished", "rolling back", "rolled back"]
_PHASES: dict[str, Phase] = {
    "begin": "applying",
    "resume": "applying",
    "waiting": "waiting",
    "finished": "finished",
    "rollback": "rolling back",
    "rolled_back": "rolled back",
}


class Journal:
    """The lines of a journal; ``append`` returns when the new one is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines, self._length = _read(path)

    def append(self, kind: str, **facts: Any) -> None:
        """Write a line."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line: Line = {"n": len(self.lines) + 1, "kind": kind, "at": now} | facts
        line["hash"] = _chained(self.lines, line)
        data = _text(line)
        new = not self.path.exists()
        with self.path.open("r+b" if not new else "xb") as file:
            file.truncate(self._length)  # a torn line, or one that a full disk took half of
            file.seek(self._length)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self.path.parent)
        self.lines.append(line)
        self._length += len(data)

    def set_aside(self) -> None:
        """Begin a new journal; the old one stays beside it under a numbered name."""
        n = 1
        while (kept := self.path.with_name(f"journal.{n}.jsonl")).exists():
            n += 1
        self.path.replace(kept)
        sync_folder(self.path.parent)
        self.lines, self._length = [], 0

    @property
    def history(self) -> History:
        """Where the lines have led to."""
        found = History()
        for line in self.lines:
            found.take(line)
        return found


@dataclass(slots=True)
class History:
    """How far a migration is, and what each step left behind."""

    phase: Phase = "planned"
    plan_sha256: str = ""
    begun: list[str] = field(default_factory=list)  #: steps, in the order in which they were begun
    done: dict[str, dict[str, Any]] = field(default_factory=dict)  #: step -> facts
    undone: dict[str, dict[str, Any]] = field(default_factory=dict)
    waits: list[str] = field(default_factory=list)  #: why it waits in front of retiring

    def take(self, line: Line) -> None:
        """Take the next line."""
        kind, step = line["kind"], line.get("step", "")
        self.phase = _PHASES.get(kind, self.phase)
        if kind == "begin":
            self.plan_sha256 = line["plan_sha256"]
        elif kind == "intent" and step not in self.begun:
            self.begun.append(step)
        elif kind == "done":
            self.done[step] = line["facts"]
        elif kind == "undone":
            self.undone[step] = line["facts"]
        elif kind == "waiting":
            self.waits = line["waits"]

    @property
    def kept(self) -> list[str]:
        """Files that a rollback left as somebody had changed them."""
        return sorted({path for facts in self.undone.values() for path in facts.get("kept", [])})

    @property
    def open(self) -> bool:
        """True when something was begun that is neither finished nor taken back."""
        return self.phase in ("applying", "waiting", "rolling back")


def _text(line: Line) -> bytes:
    return json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _chained(before: list[Line], line: Line) -> str:
    content = {key: value for key, value in line.items() if key != "hash"}
    previous = before[-1]["hash"] if before else ""
    return sha256(previous.encode() + _text(content)).hexdigest()[:32]


def _read(path: Path) -> tuple[list[Line], int]:
    """Return the lines that hold, and how many bytes they take."""
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
