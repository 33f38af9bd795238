"""What becomes of a code base's data, step by step: exported, proven, put into the registry, and last of all retired.

Each step comes back from its own description, may be done again after a crash in the middle, and can be undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Protocol

from toriwork.errors import BadInput, Drift, NotProven
from toriwork.migrate.data import history, registry, undoing
from toriwork.migrate.data.find import Database, Found, examine, look
from toriwork.migrate.data.links import RetireLink
from toriwork.migrate.data.records import read_record, write_record
from toriwork.migrate.engine.retire import RetireFiles
from toriwork.migrate.engine.run import Run, Step
from toriwork.migrate.mover.export import export_sqlite, file_stem
from toriwork.migrate.mover.manifest import MANIFEST, read_manifest
from toriwork.migrate.mover.proof import verify_export
from toriwork.migrate.mover.source import file_sha256, identity_of
from toriwork.migrate.recipes.source import Manual
from toriwork.state import REGISTRY_FILE
from toriwork.storage.files import OsFiles

STREAM = "spectral_db"  #: of a history that no class of the code base opens; SpectralDB's own
LEGACY = "legacy"  #: where exports go, under the state root


class World(Protocol):
    """What the data steps ask of a code base."""

    @property
    def root(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class _DataStep:
    """A step that judges for itself what is still to be done: its state is not told by one file."""

    id: str
    kind: ClassVar[str]

    @property
    def touches(self) -> tuple[str, ...]:
        """No file of the code base changes."""
        return ()

    def before(self) -> str:
        return ""

    def after(self) -> str:
        return ""

    def state(self, root: Path) -> str:
        return ""

    def undo(self, run: Run) -> dict[str, Any]:
        return {}

    def verify(self, run: Run) -> dict[str, Any]:
        return {}

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True)
class MakeState(_DataStep):
    """The folder for exports under the state root; folders that it made go again when nothing is in them."""

    kind: ClassVar[str] = "data.state"

    def do(self, run: Run) -> dict[str, Any]:
        wanted, note = run.state_root.absolute() / LEGACY, run.folder / "state.json"
        if read_record(note) is None:
            missing = [folder for folder in (wanted, *wanted.parents) if not folder.exists()]
            write_record(note, {"made": [str(folder) for folder in missing]})
        for parent in OsFiles().make_folder(wanted):
            OsFiles().sync_folder(parent)
        return {"folder": str(wanted)}

    def undo(self, run: Run) -> dict[str, Any]:
        made = (read_record(run.folder / "state.json") or {"made": []})["made"]
        for folder in map(Path, made):  # deepest first
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        (run.folder / "state.json").unlink(missing_ok=True)
        return {"kept": [folder for folder in made if Path(folder).exists()]}


@dataclass(frozen=True, slots=True)
class Export(_DataStep):
    """A database as Parquet files under the state root."""

    path: str  #: of the database, relative to the code base
    digest: str  #: of its bytes and those of its side files, when the plan was made
    name: str  #: of the folder
    kind: ClassVar[str] = "data.export"

    def do(self, run: Run) -> dict[str, Any]:
        _refuse_changed(run.root / self.path, self.path, self.digest)
        report = export_sqlite(
            run.root / self.path,
            export_folder(run, self.name),
            progress=lambda table, done, total: run.tell("export", path=self.path, table=table, rows=done, of=total),
        )
        if not report.complete:
            names = ", ".join(f"{name} ({why})" for name, why in report.database["unreadable"].items())
            raise NotProven(f"{self.path}: these tables could not be exported, the database stays: {names}")
        tables = {table.name: {"rows": table.n_rows, "digest": table.digest} for table in report.tables}
        return {"source": report.source_digest, "rows": report.n_rows, "tables": tables, "notes": report.notes}

    def undo(self, run: Run) -> dict[str, Any]:
        """The export goes, unless somebody changed a file of it or put another one there."""
        folder = export_folder(run, self.name)
        if not folder.is_dir():
            return {"kept": []}
        kept = _remove_export(folder)
        return {"kept": [str(folder)] if kept else []}

    def verify(self, run: Run) -> dict[str, Any]:
        return {"rows": verify_export(export_folder(run, self.name)).n_rows}


@dataclass(frozen=True, slots=True)
class Verify(_DataStep):
    """The proof that an export holds what the database held, made by other readers than the one that wrote it."""

    path: str
    digest: str
    name: str
    kind: ClassVar[str] = "data.verify"

    def do(self, run: Run) -> dict[str, Any]:
        _refuse_changed(run.root / self.path, self.path, self.digest)
        return {"proven": True, **self.verify(run)}

    def verify(self, run: Run) -> dict[str, Any]:
        folder = export_folder(run, self.name)
        report = verify_export(folder)
        if report.source_digest != self.digest or not report.complete:
            raise NotProven(f"{folder}: is no whole export of the {self.path} that was planned")
        readers = sorted({reader for table in report.tables for reader in table.readers})
        return {"source": self.digest, "export": file_sha256(folder / MANIFEST), "readers": readers}


@dataclass(frozen=True, slots=True)
class KeepRegistry(_DataStep):
    """The registry as it was, so that the way back ends at the same bytes."""

    kind: ClassVar[str] = "data.registry"

    def do(self, run: Run) -> dict[str, Any]:
        kept = undoing.keep(run.state_root / REGISTRY_FILE, run.folder, run.plan_id)
        return {"rows": kept["rows"], "files": len(kept["files"])}

    def undo(self, run: Run) -> dict[str, Any]:
        return undoing.take_back(run.state_root / REGISTRY_FILE, run.folder, run.plan_id)


@dataclass(frozen=True, slots=True)
class Import(_DataStep):
    """Rows of legacy history in the registry. They are taken back together with those of all sources, at the end."""

    path: str  #: a database, or a JSON file
    digest: str  #: of the database as above; of a JSON file its sha256
    name: str  #: of the export; "" for a JSON file
    stream: str  #: under which they stand
    kind: ClassVar[str] = "data.import"

    def do(self, run: Run) -> dict[str, Any]:
        target = run.state_root / REGISTRY_FILE
        unread: list[history.Unread] = []
        if not self.name:
            _refuse_changed(run.root / self.path, self.path, self.digest)
        found = self._rows(run)
        first = next((row for row in found if isinstance(row, history.Spectrum)), None)
        if first is None:
            return {"proven": True, "added": 0, "rows": 0, "unread": sum(1 for _ in self._rows(run))}
        n_added = registry.record(target, run.plan_id, self._spectra(run, unread), self.stream)
        run.tell("import", path=self.path, rows=n_added)
        facts = {"added": n_added, "stream": self.stream, "unread": len(unread)}
        return {**facts, **self.verify(run), "proven": True, "why": [asdict(row) for row in unread[:20]]}

    def verify(self, run: Run) -> dict[str, Any]:
        names = (
            [self.path]
            if not self.name
            else [f"{self.path}/{table}" for table in history.history_tables(export_folder(run, self.name))]
        )
        target = run.state_root / REGISTRY_FILE
        return {"rows": registry.prove(target, run.plan_id, self._spectra(run, []), names)}

    def _rows(self, run: Run) -> Iterator[history.Spectrum | history.Unread]:
        if self.name:
            return history.of_export(export_folder(run, self.name), self.path)
        return history.of_json(run.root / self.path, self.path)

    def _spectra(self, run: Run, unread: list[history.Unread]) -> Iterator[history.Spectrum]:
        for row in self._rows(run):
            if isinstance(row, history.Unread):
                unread.append(row)
            else:
                yield row


def export_folder(run: Run, name: str) -> Path:
    """Where an export lies."""
    return run.state_root / LEGACY / name


def _refuse_changed(path: Path, name: str, digest: str) -> None:
    if not path.exists():
        raise Drift(f"{name}: is gone; it was there when the plan was made")
    is_json = len(digest) == 64
    found = file_sha256(path) if is_json else identity_of(path).digest
    if found != digest:
        raise Drift(f"{name}: was written to since the plan was made; plan again")


def _remove_export(folder: Path) -> list[str]:
    """What had to stay: files that are none of the export's, or that somebody changed."""
    try:
        known = {name: sha for table in read_manifest(folder).tables for name, sha in table.files.items()}
    except (NotProven, OSError, KeyError):
        known = {}
    for path in sorted(folder.iterdir()):
        ours = path.name in (MANIFEST, "schema.sql") or path.name.startswith((".snapshot-", "."))
        if ours or (path.name in known and file_sha256(path) == known[path.name]):
            path.unlink()
    kept = [path.name for path in sorted(folder.iterdir())]
    if not kept:
        folder.rmdir()
    return kept


# ---- the list of steps --------------------------------------------------------------------------------------------

_KINDS: dict[str, type[Any]] = {
    found.kind: found for found in (MakeState, Export, Verify, KeepRegistry, Import, RetireLink)
}


def step_from(described: dict[str, Any]) -> Step:
    """The step that describes itself so.

    Raises
    ------
    BadInput
        It is of a kind that is not known here.
    """
    fields = {key: value for key, value in described.items() if key != "kind"}
    kind = described.get("kind")
    if kind == "retire":
        return RetireFiles(fields["id"], tuple(fields["paths"]), tuple(fields["needs"]))
    if kind not in _KINDS:
        raise BadInput(f"step {described.get('id')!r}: kind {kind!r} is not known here")
    step: Step = _KINDS[kind](**fields)
    return step


def look_at(world: World, state_root: Path | None = None) -> Found:
    """The data of a code base; its own state root is not part of it."""
    return look(Path(world.root), [state_root] if state_root is not None else [])


def data_steps(world: World, state_root: Path, plan_id: str) -> list[Step]:  # noqa: ARG001 - told again when they run
    """Everything that happens to the data before a line of code changes, in order.

    Parameters
    ----------
    world : World
        The code base; where it says which class opens a file (``databases``, ``histories``), that class's stream is
        the one of the file's rows.
    state_root : Path
        Where exports and registry go.
    plan_id : str
        Of the migration; every step is told again when it runs.
    """
    found, root = look_at(world, state_root), Path(world.root)
    usable = [database for database in found.databases if not examine(root, database).damage]
    streams = _streams(world)
    histories = _wanted_histories(world, found, streams)
    if not usable and not histories:
        return []
    steps: list[Step] = [MakeState("data:state")]
    for database in usable:
        name = export_name(database.path)
        about = database.path, database.digest, name
        steps += [Export(f"data:export:{name}", *about), Verify(f"data:verify:{name}", *about)]
    steps.append(KeepRegistry("data:registry"))
    for database in usable:
        name = export_name(database.path)
        stream = next((streams[path] for path in (database.path, *database.names) if streams.get(path)), STREAM)
        steps.append(Import(f"data:import:{name}", database.path, database.digest, name, stream))
    for path in histories:
        place = f"data:import:{path}"
        steps.append(Import(place, path, file_sha256(root / path), "", streams.get(path) or STREAM))
    return steps


def _streams(world: World) -> dict[str, str]:
    """Path -> the stream of the class that opens it, where the code base is known so well."""
    known = [*getattr(world, "databases", ()), *getattr(world, "histories", ())]
    return {str(entry.path): entry.stream for entry in known if getattr(entry, "stream", None)}


def _wanted_histories(world: World, found: Found, streams: dict[str, str]) -> list[str]:
    """JSON files that code of the tree opens; where nobody knows that, all of them."""
    return [path for path in found.histories if path in streams or not hasattr(world, "histories")]


def export_name(path: str) -> str:
    """The folder of a database's export: readable, no two alike, and nothing that looks like a database."""
    return f"{file_stem(Path(path).stem)}-{blake2b(path.encode('utf-8', 'surrogateescape'), digest_size=4).hexdigest()}"


def retire_steps(world: World, state_root: Path, plan_id: str) -> list[Step]:  # noqa: ARG001 - as above
    """The last steps: databases leave the code base, each only when its export and its rows are proven."""
    found, root = look_at(world, state_root), Path(world.root)
    steps: list[Step] = []
    for database in found.databases:
        if examine(root, database).damage:
            continue
        name = export_name(database.path)
        needs = (f"data:verify:{name}", f"data:import:{name}")
        steps += [RetireLink.of(root, link, database.path, needs) for link in database.names]
        sides = [database.path + suffix for suffix in database.sides]
        steps.append(RetireFiles(f"data:retire:{name}", (database.path, *sides), needs))
    return steps


def data_manual(world: World, state_root: Path | None = None) -> list[Manual]:
    """What somebody has to look at: files that nothing reads for sure. They stay where they are."""
    found, root = look_at(world, state_root), Path(world.root)
    manual = [Manual(entry.path, 0, "data", entry.why) for entry in found.strange]
    taken = _wanted_histories(world, found, _streams(world))
    words = "holds spectra, and no class of this code base opens it; they stay in it"
    manual += [Manual(path, 0, "data", words) for path in found.histories if path not in taken]
    for database in found.databases:
        why = examine(root, database).damage
        if why:
            manual.append(Manual(database.path, 0, "data", f"{why}. It stays where it is"))
    return sorted(manual, key=lambda entry: entry.path)


def database_facts(world: World, state_root: Path | None = None) -> list[dict[str, Any]]:
    """Per database what the plan says of it: ``path``, ``names``, ``side_files``, ``digest``, ``bytes``, ``tables``
    (name -> rows), ``damage`` and the processes that have it open, sorted by path.
    """
    found, root = look_at(world, state_root), Path(world.root)
    return [_facts(root, database) for database in sorted(found.databases, key=lambda database: database.path)]


def _facts(root: Path, database: Database) -> dict[str, Any]:
    seen = examine(root, database)
    return {
        "path": database.path,
        "names": list(database.names),
        "side_files": [database.path + suffix for suffix in database.sides],
        "digest": database.digest,
        "bytes": (root / database.path).stat().st_size,
        "tables": dict(seen.tables),
        "damage": seen.damage,
    }
