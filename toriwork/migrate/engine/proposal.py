"""Everything a plan is put together from: what recipes, data steps and generated files make of a code base."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from toriwork.codebase.index import CodebaseIndex
from toriwork.errors import BadInput
from toriwork.migrate.data.direct_sql import direct_sql
from toriwork.migrate.data.find import Data, find_data
from toriwork.migrate.data.readers import find_readers
from toriwork.migrate.data.steps import data_manual, data_notes, data_steps, kept_manual, retire_steps
from toriwork.migrate.engine.step import Step
from toriwork.migrate.generated.files import generated_files
from toriwork.migrate.recipes import Rewritten, World, core_modules, rewrite
from toriwork.migrate.recipes.tables import MovedClass


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
    moved: tuple[dict[str, Any], ...] = ()  #: classes that stand on the registry afterwards, see ``MovedClass``


def propose(
    index: CodebaseIndex,
    state_root: Path,
    *,
    retire: Sequence[str] = (),
    stopped: Mapping[tuple[str, str], str] | None = None,
) -> Proposal:
    """Return what toriwork would do to a code base. Everything is read, nothing is run, imported or written.

    Parameters
    ----------
    index : CodebaseIndex
    state_root : Path
        Where the data will go.
    retire : sequence of str
        Paths or names of databases that go although some file names them.
    stopped : mapping, optional
        File and recipe -> what its trial showed; there the recipe leaves all as it is.

    Raises
    ------
    BadInput
        ``retire`` names what is no database of the code base.
    """
    data = find_data(index)
    names = {found.path: (found.path, *found.names) for found in data.databases}
    told = find_readers(index, names)
    known = tuple(found.known(told.get(found.path, ())) for found in data.databases)
    world = World(index, known, stopped or {})
    code = _rewritten(index, world)
    changes = [_change(index, path, found) for path, found in code.items() if found.after != found.before]
    moved = [one for found in code.values() for one in found.moved]
    owners = {one.path: owner for one in known for owner in moved if one.holds(owner.columns["table"])}
    kept = _kept(world, data, _readers_after(index, names, told, changes), owners, retire)
    leaving = replace(data, databases=tuple(one for one in data.databases if one.path not in kept))
    files = [path for found in leaving.databases for path in (found.path, *found.names)]
    streams = {path: stream for path in files if (stream := world.file_stream(path))}
    databases = [found.facts() | {"kept": kept.get(found.path, "")} for found in data.databases]
    manual = [entry for found in code.values() for entry in found.manual]
    manual += [*data_manual(data), *kept_manual(kept)]
    manual += direct_sql(world, {one.path: one.after or b"" for one in changes}, databases)
    notes = [f"{entry.path}:{entry.line}: {entry.why}" for found in code.values() for entry in found.notes]
    steps, going = data_steps(leaving, streams, owners), retire_steps(leaving)
    if changes or steps or going:  # a code base with nothing to leave behind needs no place for it, and no guard
        made, left = generated_files(index.root, state_root)
        changes += [Change(path, before, after, ("generated_files",)) for path, before, after in made]
        manual += left
    return Proposal(
        seen=(*index.code, *sorted({path for path, _ in chain(*told.values())} - {*index.code})),
        changes=tuple(changes),
        manual=tuple(asdict(entry) for entry in manual),
        notes=(*notes, *data_notes(leaving)),
        databases=tuple(databases),
        data=steps,
        retire=going,
        moved=tuple(asdict(one) for one in moved),
    )


def _readers_after(
    index: CodebaseIndex,
    names: Mapping[str, Sequence[str]],
    told: Mapping[str, Sequence[tuple[str, int]]],
    changes: Sequence[Change],
) -> dict[str, list[tuple[str, int]]]:
    """Return the places that spell a database once the code is as it will be."""
    changed = {one.path: one.after or b"" for one in changes}
    later = find_readers(index, names, changed)
    return {path: [one for one in told.get(path, ()) if one[0] not in changed] + later.get(path, []) for path in names}


def _kept(
    world: World,
    data: Data,
    readers: Mapping[str, Sequence[tuple[str, int]]],
    owners: Mapping[str, MovedClass],
    retire: Sequence[str],
) -> dict[str, str]:
    """Return database -> file and line that keeps it, of those that somebody may still read.

    To a moved class and those who use it, its name is that of a stream from now on.
    """
    asked = {
        name: [one.path for one in data.databases if name in (one.path, one.path.rpartition("/")[2])] for name in retire
    }
    if unknown := [name for name, found in asked.items() if not found]:
        raise BadInput(f"retire: {unknown[0]}: expected the name of a database of the code base")
    kept = {}
    for database in data.usable:
        places, owner = readers.get(database.path, ()), owners.get(database.path)
        if owner is not None:
            places = world.others(places, owner.name, owner.path)
        if places and not any(database.path in found for found in asked.values()):
            kept[database.path] = "{}:{}".format(*places[0])
    return kept


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
