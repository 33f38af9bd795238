"""The plan: everything that is going to happen, with the hash of every file before and after, made before it happens.

The same tree gives the same plan, byte for byte. It lies compressed in ``.toriwork/migrations/<id>/`` together with the
bytes that it will write; apply reads it from there and decides nothing anew.
"""

from __future__ import annotations

import gzip
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from toriwork.codebase.index import CodebaseIndex
from toriwork.codebase.walk import BACKUP
from toriwork.errors import BadInput, DamagedFile, MigrationError, NotFound
from toriwork.migrate.data.steps import step_from_dict
from toriwork.migrate.engine.backup import Entry
from toriwork.migrate.engine.blobs import Blobs
from toriwork.migrate.engine.proposal import Change, Proposal, described
from toriwork.migrate.engine.restore_script import ABSENT, MANIFEST, file_state, put, state_of
from toriwork.migrate.engine.step import Step
from toriwork.migrate.engine.steps import BLOBS, AskGuard, BackUp, WriteFile

PRIVATE = ".toriwork"
PLAN = "plan.json.gz"
FORMAT = 2
_BUILT_BY = ("pyproject.toml", "setup.py", "setup.cfg")


@dataclass(frozen=True)
class Plan:
    """A plan as it lies on the disk."""

    root: Path
    content: dict[str, Any]
    index: CodebaseIndex | None = field(default=None, compare=False, repr=False)  #: the tree as apply looked at it

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
        """True when there is nothing to do; something may be left to a person."""
        return not (self.content["files"] or self.content["data"] or self.content["retire"])

    @property
    def manual(self) -> list[dict[str, Any]]:
        """Left to a person: path, line, recipe, why."""
        return list(self.content["manual"])

    def entries(self) -> list[Entry]:
        """Return every file that changes, as it was and as it will be."""
        return [Entry(**entry) for entry in self.content["entries"]]

    def data_steps(self) -> list[Step]:
        """Return the steps that bring data to its new place and prove it."""
        return [step_from_dict(found) for found in self.content["data"]]

    def steps(self) -> list[Step]:
        """Return every step in the order in which they happen."""
        entries = {entry.path: entry for entry in self.entries()}
        changed = [entries[found["path"]] for found in self.content["files"]]
        retire = [step_from_dict(found) for found in self.content["retire"]]
        going = tuple(path for step in retire for path in step.touches)
        left = tuple(
            f"{found['path']}:{found['line']}: {found['why']}"
            for found in self.content["manual"]
            if found["path"].endswith((".py", ".pyw", ".ipynb"))
        )
        return [
            BackUp(tuple(entries.values()), self._left()),
            *self.data_steps(),
            *(WriteFile(entry.path, entry.before, entry.after) for entry in changed),
            AskGuard(going, left),
            *retire,
        ]

    def _left(self) -> tuple[str, ...]:
        """Return lines on the state outside of the code base, which only the whole rollback takes back."""
        if not {found["kind"] for found in self.content["data"]} & {"data.export", "data.import"}:
            return ()
        return (
            f"left under {self.state_root}: the exports and the rows of migration {self.id}; to take those back too:",
            f"  toriwork migrate rollback {self.root} --plan {self.id}",
        )


def make_plan(index: CodebaseIndex, state_root: Path, proposal: Proposal) -> Plan:
    """Return the plan for a code base, stored in its ``.toriwork``, the one place that is written.

    Raises
    ------
    MigrationError
        Two recipes want different bytes in one file, new code does not compile, or a file changed meanwhile.
    """
    changes, manual = _inside(index.root, proposal.changes)
    steps = [*proposal.data, *proposal.retire]
    touched = list(dict.fromkeys(path for step in steps for path in step.touches))
    state_root = Path(os.path.abspath(state_root))  # noqa: PTH100 - links stay links
    seen = {*proposal.seen, *(change.path for change in changes), *touched}
    tree = {path: state_in(index, path) for path in sorted(seen)}
    named = {"format": FORMAT, "toriwork": _version(), "state_root": str(state_root), "tree": tree}
    plan_id = sha256(_canonical(named)).hexdigest()[:12]
    entries = [_entry(index.root, change, tree[change.path]) for change in changes]
    entries += sorted(retired_entries(index.root, touched, tree), key=lambda entry: entry.path)
    content = named | {
        "id": plan_id,
        "backup": _backup_name(index.root, plan_id),
        "files": [described(change) for change in changes],
        "entries": [asdict(entry) for entry in entries],
        "data": [step.describe() for step in proposal.data],
        "retire": [step.describe() for step in proposal.retire],
        "databases": list(proposal.databases),
        "moved": list(proposal.moved),
        "notes": list(proposal.notes),
        "manual": sorted([*proposal.manual, *manual], key=lambda found: (found["path"], found["line"], found["why"])),
        "needs_bytes": _needs(index.root, entries),
    }
    plan = Plan(index.root, json.loads(_canonical(content)))
    if not plan.empty:
        _store(plan, changes)
    return plan


def _version() -> str:
    """Return the version that plans; another one may plan otherwise."""
    try:
        return metadata.version("toriwork")
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return "unknown"


def state_in(index: CodebaseIndex, path: str) -> str:
    """Return the state of a file, hashed once however often the plan needs it."""
    place = index.root / path
    try:
        mode = place.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    return file_state(stat.S_IMODE(mode), index.digest(path)) if stat.S_ISREG(mode) else state_of(place)


def _inside(root: Path, changes: Sequence[Change]) -> tuple[list[Change], list[dict[str, Any]]]:
    """Return changes by the real path of their file, each file once; what lies elsewhere is left to a person."""
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
            raise MigrationError(f"{path}: {names} disagree about its new bytes; nothing was changed")
    return list(found.values()), manual


def _entry(root: Path, change: Change, before: str) -> Entry:
    if not before.endswith(ABSENT if change.before is None else sha256(change.before).hexdigest()):
        raise MigrationError(f"{change.path}: changed while the plan was made; plan again")
    if change.after is not None and change.path.endswith((".py", ".pyw")):
        try:
            compile(change.after, change.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            raise MigrationError(f"{change.path}: would not compile: {error}; nothing was changed") from error
    mode = 0o644 if change.before is None else int(before.split(" ")[1], 8)
    after = ABSENT if change.after is None else file_state(mode, sha256(change.after).hexdigest())
    above = [str(folder) for folder in Path(change.path).parents if str(folder) != "."]
    return Entry(change.path, before, after, folders=[name for name in above if not (root / name).is_dir()])


def retired_entries(root: Path, paths: Sequence[str], tree: dict[str, str]) -> list[Entry]:
    """Return the entries of files that retire; a second name of a file says of which it is one."""
    first: dict[tuple[int, int], str] = {}
    found = []
    for path in paths:
        about = (root / path).lstat()
        other = first.setdefault((about.st_dev, about.st_ino), path)
        found.append(Entry(path, tree[path], ABSENT, same_as="" if other == path else other))
    return found


def _backup_name(root: Path, plan_id: str) -> str:
    """Return a folder for this backup alone: one that another migration made stays whole.

    Where a package is built from the code base or around it, a folder of a plain name would be one more package of a
    flat layout; there it lies among the private files, where no build, no test run and no linter looks.
    """
    built = any((folder / name).exists() for folder in (root, *root.parents) for name in _BUILT_BY)
    usual = f"{PRIVATE}/{BACKUP}" if built else BACKUP
    try:
        found = json.loads((root / usual / MANIFEST).read_text(encoding="utf-8"))["migration"]
    except FileNotFoundError:
        return usual
    except (ValueError, KeyError, TypeError):
        found = None
    return usual if found == plan_id else f"{usual}_{plan_id}"


def _needs(root: Path, entries: Sequence[Entry]) -> int:
    """Return bytes that apply may need on the disk: the backup, and each database as snapshot and as export."""
    sizes = [((root / entry.path).lstat().st_size, entry.after) for entry in entries if entry.before != ABSENT]
    return sum(size * (3 if after == ABSENT else 1) for size, after in sizes) + 2**20


def _store(plan: Plan, changes: Sequence[Change]) -> None:
    plan.folder.mkdir(parents=True, exist_ok=True)
    ignore = plan.root / PRIVATE / ".gitignore"
    if not ignore.exists():
        put(ignore, (b"*\n",), {"mode": 0o644})
    for data in {change.after for change in changes if change.after is not None}:
        if not plan.blobs.path(sha256(data).hexdigest()).exists():
            plan.blobs.put((data,))
    put(plan.folder / PLAN, (gzip.compress(_canonical(plan.content), mtime=0),), {"mode": 0o644})


def load_plan(root: Path, plan_id: str) -> Plan:
    """Return a plan that was stored.

    Raises
    ------
    NotFound, DamagedFile, BadInput
        There is none of this name; it cannot be read; another version of toriwork wrote it.
    """
    path = root / PRIVATE / "migrations" / plan_id / PLAN
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
    except FileNotFoundError as error:
        raise NotFound(f"{path}: there is no plan {plan_id}; `toriwork migrate plan` makes one") from error
    except (OSError, EOFError, ValueError) as error:
        raise DamagedFile(f"{path}: cannot be read: {error}") from error
    if content.get("format") != FORMAT:
        raise BadInput(f"{path}: expected format {FORMAT}, got {content.get('format')}; another toriwork wrote it")
    return Plan(root, content)


def stored_plans(root: Path) -> list[str]:
    """Return the ids of all plans of a code base, the one that was made last at the end."""
    folder = root / PRIVATE / "migrations"
    found = list(folder.glob(f"*/{PLAN}")) if folder.is_dir() else []
    return [path.parent.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path))]


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
