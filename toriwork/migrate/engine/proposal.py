"""Everything a plan is put together from: what recipes, data steps and generated files make of a code base."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toriwork.codebase.index import CodebaseIndex
from toriwork.migrate.data.direct_sql import direct_sql
from toriwork.migrate.data.find import find_data
from toriwork.migrate.data.steps import data_manual, data_notes, data_steps, retire_steps
from toriwork.migrate.engine.step import Step
from toriwork.migrate.generated.files import generated_files
from toriwork.migrate.recipes import Rewritten, World, core_modules, rewrite


@dataclass(frozen=True, slots=True)
class Change:
    """One file with new bytes; ``before`` None: it is made; ``after`` None: it goes."""

    path: str  #: relative to the code base, with slashes
    before: bytes | None
    after: bytes | None
    why: tuple[str, ...]  #: names of recipes, or what generated it
    confidence: str = "safe"  #: or "review"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything that could be done to a code base, nothing done yet."""

    seen: tuple[str, ...] = ()  #: files that were read to find it out
    changes: tuple[Change, ...] = ()
    manual: tuple[dict[str, Any], ...] = ()  #: path, line, recipe, why
    notes: tuple[str, ...] = ()  #: what is worth knowing and needs nobody
    databases: tuple[dict[str, Any], ...] = ()
    data: Sequence[Step] = ()
    retire: Sequence[Step] = ()


def propose(index: CodebaseIndex, state_root: Path) -> Proposal:
    """Return what toriwork would do to a code base. Everything is read, nothing is run, imported or written."""
    world, data = World(index), find_data(index)
    files = [(path, "sqlite") for found in data.databases for path in (found.path, *found.names)]
    files += [(path, "json") for path in data.histories]
    streams = {path: stream for path, kind in files if (stream := world.file_stream(path, kind))}
    code = _rewritten(index, world)
    moved = {path: found for path, found in code.items() if found.after != found.before}
    changes = [_change(index, path, found) for path, found in moved.items()]
    databases = [found.facts() for found in data.databases]
    manual = [entry for found in code.values() for entry in found.manual]
    manual += [*data_manual(data), *direct_sql(world, {path: one.after for path, one in moved.items()}, databases)]
    notes = [f"{entry.path}:{entry.line}: {entry.why}" for found in code.values() for entry in found.notes]
    steps, retire = data_steps(index, data, streams, state_root), retire_steps(data)
    if changes or steps or retire:  # a code base with nothing to leave behind needs no place for it, and no guard
        made, left = generated_files(index.root, state_root)
        changes += [Change(path, before, after, ("generated_files",)) for path, before, after in made]
        manual += left
    return Proposal(
        seen=(*index.code, *data.histories),
        changes=tuple(changes),
        manual=tuple(asdict(entry) for entry in manual),
        notes=(*notes, *data_notes(data, streams)),
        databases=tuple(databases),
        data=steps,
        retire=retire,
    )


def _rewritten(index: CodebaseIndex, world: World) -> dict[str, Rewritten]:
    """Return what recipes make of every code file, and the support modules that moved code then imports."""
    found = {path: rewrite(path, index.read(path), world) for path in index.code}
    core = core_modules(world, [one.after for one in found.values() if one.after != one.before])
    return {path: one for path, one in found.items() if path not in core} | core


def _change(index: CodebaseIndex, path: str, found: Rewritten) -> Change:
    before = found.before if path in index.files else None
    return Change(path, before, found.after, found.recipes, found.confidence)


def described(change: Change) -> dict[str, Any]:
    """Return the facts of one change, with its unified diff."""
    action = "make" if change.before is None else "remove" if change.after is None else "write"
    facts = {"path": change.path, "action": action, "why": list(change.why), "confidence": change.confidence}
    return facts | {"diff": unified(change.path, change.before, change.after)}


def unified(path: str, before: bytes | None, after: bytes | None) -> str:
    """Return a unified diff that ``patch`` takes; bytes that are no text are named, not shown."""
    if any(b"\0" in (part or b"") for part in (before, after)):
        return f"{path}: {len(before or b'')} bytes before, {len(after or b'')} after, no text\n"
    old, new = (_lines(part or b"") for part in (before, after))
    names = [f"a/{path}" if before is not None else "/dev/null", f"b/{path}" if after is not None else "/dev/null"]
    lines = difflib.unified_diff(old, new, names[0], names[1])
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(data: bytes) -> list[str]:
    # split at \n alone: a diff that also splits at \r or \f shows lines that no editor has
    parts = data.decode("utf-8", "surrogateescape").split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
