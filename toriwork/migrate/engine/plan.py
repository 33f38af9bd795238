"""The plan: everything that is going to happen, with the hash of every file before and after, made before it happens.

The same tree gives the same plan, byte for byte. It lies compressed in ``.toriwork/migrations/<id>/`` together with the
bytes that it will write; apply reads it from there and decides nothing anew.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from toriwork.errors import BadInput, DamagedFile, MigrationError, NotFound
from toriwork.migrate.engine.backup import BACKUP, Entry
from toriwork.migrate.engine.blobs import Blobs
from toriwork.migrate.engine.describe import described
from toriwork.migrate.engine.gates import Compiles, Guarded, Proven
from toriwork.migrate.engine.proposal import Change, Propose
from toriwork.migrate.engine.restore_script import ABSENT, MANIFEST, file_state, put, state_of
from toriwork.migrate.engine.run import Step
from toriwork.migrate.engine.steps import BLOBS, BackUp, WriteFile, folders_to_make

PRIVATE = ".toriwork"
PLAN = "plan.json.gz"
FORMAT = 1
Revive = Callable[[dict[str, Any]], Step]  #: a data or retire step from its own description


@dataclass(frozen=True)
class Plan:
    """A plan as it lies on the disk."""

    root: Path
    content: dict[str, Any]

    @property
    def id(self) -> str:
        """Twelve hex digits: the tree that it was made for."""
        return str(self.content["id"])

    @cached_property
    def sha256(self) -> str:
        """Hash of everything in it."""
        return sha256(_canonical(self.content)).hexdigest()

    @property
    def folder(self) -> Path:
        """Where it lies, with its blobs and its journal."""
        return self.root / PRIVATE / "migrations" / self.id

    @property
    def blobs(self) -> Blobs:
        """The bytes before and after of every file that it writes."""
        return Blobs(self.folder / BLOBS)

    @property
    def backup(self) -> Path:
        """Where the files are kept as they were."""
        place: Path = self.root / self.content["backup"]
        return self.spent if self.spent.exists() and not place.exists() else place

    @property
    def spent(self) -> Path:
        """Where the backup goes once a rollback has brought everything back."""
        return self.folder / "backup"

    @property
    def state_root(self) -> Path:
        """Where the data goes."""
        return Path(self.content["state_root"])

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do; what a person has to do may be left."""
        return not (self.content["files"] or self.content["data"] or self.content["retire"])

    @property
    def manual(self) -> list[dict[str, Any]]:
        """What no recipe could decide: path, line, recipe, why."""
        return list(self.content["manual"])

    def entries(self) -> list[Entry]:
        """Every file that changes, as it was and as it will be."""
        return [Entry(**entry) for entry in self.content["entries"]]

    def steps(self, revive: Revive) -> list[Step]:
        """Every step in the order in which they happen."""
        content = self.content
        entries = {entry.path: entry for entry in self.entries()}
        data = [revive(found) for found in content["data"]]
        writes = [WriteFile(e.path, e.before, e.after, tuple(e.folders)) for e in _in_order(content, entries)]
        retire = [revive(found) for found in content["retire"]]
        modules = tuple(w.path for w in writes if w.path.endswith((".py", ".pyw")) and w.new != ABSENT)
        going = tuple(path for step in retire for path in step.touches)
        left = tuple(
            f"{found['path']}:{found['line']}: {found['why']}"
            for found in content["manual"]
            if found["path"].endswith((".py", ".pyw", ".ipynb"))
        )
        gates: list[Step] = [Compiles(modules), Proven(tuple(data)), Guarded(going, left)]
        return [BackUp(tuple(entries.values()), self._left()), *data, *writes, *gates, *retire]

    def _left(self) -> tuple[str, ...]:
        """What only the whole rollback takes back: the state outside of the code base."""
        kinds = {found["kind"] for found in self.content["data"]}
        rows = [f"the rows of migration {self.id} in the registry"] if "data.import" in kinds else []
        exports = ["the exports in legacy/"] if "data.export" in kinds else []
        if not rows + exports:
            return ()
        return (
            f"left: {' and '.join(rows + exports)}, under {self.state_root}",
            f"      `toriwork migrate rollback {self.root}` takes them back too, also after this script",
        )


def _in_order(content: dict[str, Any], entries: dict[str, Entry]) -> list[Entry]:
    return [entries[found["path"]] for found in content["files"]]


def make_plan(root: Path, state_root: Path, propose: Propose) -> Plan:
    """The plan for a code base, stored in its ``.toriwork``, the one place that is written.

    Parameters
    ----------
    root : Path
        The code base.
    state_root : Path
        Where the data will go; nothing is written there yet.
    propose : callable
        What is to be done.

    Raises
    ------
    NotFound, BadInput
        There is no such folder.
    MigrationError
        Two recipes want different bytes in one file.
    """
    root, state_root = check_root(root), Path(os.path.abspath(state_root))  # noqa: PTH100 - links stay links
    proposal = propose(root, state_root)
    changes, manual = _inside(root, proposal.changes)
    tree = {path: state_of(root / path) for path in sorted({*proposal.seen, *(change.path for change in changes)})}
    for found in proposal.databases:
        tree |= {path: state_of(root / path) for path in found.get("files", [])}
    named = {"format": FORMAT, "toriwork": _version(), "state_root": str(state_root), "tree": tree}
    plan_id = sha256(_canonical(named)).hexdigest()[:12]
    data, retire = list(proposal.data(plan_id)), list(proposal.retire(plan_id))
    entries = [_entry(root, change) for change in changes] + _touched(root, [*data, *retire])
    content = named | {
        "id": plan_id,
        "backup": _backup_name(root, plan_id),
        "files": [described(change) for change in changes],
        "entries": [asdict(entry) for entry in entries],
        "data": [step.describe() for step in data],
        "retire": [step.describe() for step in retire],
        "databases": list(proposal.databases),
        "notes": list(proposal.notes),
        "manual": sorted([*proposal.manual, *manual], key=lambda found: (found["path"], found["line"], found["why"])),
        "needs_bytes": _needs(root, entries),
    }
    plan = Plan(root, json.loads(_canonical(content)))
    if not plan.empty:
        _store(plan, changes)
    return plan


def _version() -> str:
    """The version that plans; another one may plan otherwise."""
    try:
        return metadata.version("toriwork")
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return "unknown"


def check_root(root: Path) -> Path:
    """The real path of a code base.

    Raises
    ------
    NotFound
        It is no folder.
    """
    if not root.is_dir():
        raise NotFound(f"{root}: is no folder; the root of a code base is wanted")
    return Path(os.path.realpath(root))


def _inside(root: Path, changes: Sequence[Change]) -> tuple[list[Change], list[dict[str, Any]]]:
    """Changes by the real path of their file, each file once; what lies elsewhere is left to a person."""
    found: dict[str, Change] = {}
    manual = []
    for change in changes:
        if change.before == change.after:
            continue
        real = Path(os.path.realpath(root / change.path))
        if not real.is_relative_to(root):
            why = f"is a link to {real}, outside of the code base; it was left alone"
            manual.append({"path": change.path, "line": 0, "recipe": "link", "why": why})
            continue
        path = real.relative_to(root).as_posix()
        earlier = found.setdefault(path, Change(path, change.before, change.after, change.why, change.confidence))
        if earlier.after != change.after:
            names = ", ".join((*earlier.why, *change.why))
            raise MigrationError(f"{path}: {names} want different bytes in it; nothing was changed")
    return list(found.values()), manual


def _entry(root: Path, change: Change) -> Entry:
    place = root / change.path
    before = state_of(place)
    told = ABSENT if change.before is None else sha256(change.before).hexdigest()
    if not before.endswith(told):
        raise MigrationError(f"{change.path}: changed while the plan was made; plan again")
    mode = 0o644 if change.before is None else place.stat().st_mode & 0o7777
    after = ABSENT if change.after is None else file_state(mode, sha256(change.after).hexdigest())
    return Entry(change.path, before, after, folders=list(folders_to_make(root, change.path)))


def _touched(root: Path, steps: Sequence[Step]) -> list[Entry]:
    paths = list(dict.fromkeys(path for step in reversed(steps) for path in sorted(step.touches)))
    first: dict[tuple[int, int], str] = {}
    found = []
    for path in paths:
        about = (root / path).lstat()
        other = first.setdefault((about.st_dev, about.st_ino), path)
        found.append(Entry(path, state_of(root / path), ABSENT, same_as="" if other == path else other))
    return sorted(found, key=lambda entry: entry.path)


def _backup_name(root: Path, plan_id: str) -> str:
    """A folder for this backup alone: one that another migration made stays whole."""
    try:
        found = json.loads((root / BACKUP / MANIFEST).read_text(encoding="utf-8"))["migration"]
    except FileNotFoundError:
        return BACKUP
    except (ValueError, KeyError, TypeError):
        found = None
    return BACKUP if found == plan_id else f"{BACKUP}_{plan_id}"


def _needs(root: Path, entries: Sequence[Entry]) -> int:
    """Bytes that apply may need on the disk, at most: the backup, and each database as snapshot and as export."""
    sizes = [((root / entry.path).lstat().st_size, entry.after) for entry in entries if entry.before != ABSENT]
    return sum(size * (3 if after == ABSENT else 1) for size, after in sizes) + 2**20


def _store(plan: Plan, changes: Sequence[Change]) -> None:
    plan.folder.mkdir(parents=True, exist_ok=True)
    ignore = plan.root / PRIVATE / ".gitignore"
    if not ignore.exists():
        put(ignore, (b"*\n",), {"mode": 0o644})
    for data in {part for change in changes for part in (change.before, change.after) if part is not None}:
        if not plan.blobs.path(sha256(data).hexdigest()).exists():
            plan.blobs.put(data)
    put(plan.folder / PLAN, (gzip.compress(_canonical(plan.content), mtime=0),), {"mode": 0o644})


def load_plan(root: Path, plan_id: str) -> Plan:
    """A plan that was stored.

    Raises
    ------
    NotFound, DamagedFile, BadInput
        There is none of this name; it cannot be read; a newer toriwork wrote it.
    """
    path = root / PRIVATE / "migrations" / plan_id / PLAN
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
    except FileNotFoundError as error:
        raise NotFound(f"{path}: there is no plan {plan_id}; `toriwork migrate plan` makes one") from error
    except (OSError, EOFError, ValueError) as error:
        raise DamagedFile(f"{path}: cannot be read: {error}") from error
    if content.get("format") != FORMAT:
        raise BadInput(f"{path}: is of format {content.get('format')}, this toriwork knows format {FORMAT}")
    return Plan(root, content)


def stored_plans(root: Path) -> list[str]:
    """The ids of all plans of a code base, the one that was made last at the end."""
    folder = root / PRIVATE / "migrations"
    found = list(folder.glob(f"*/{PLAN}")) if folder.is_dir() else []
    return [path.parent.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))]


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
