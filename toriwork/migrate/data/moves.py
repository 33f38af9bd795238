"""The steps that data takes: exported, proven, put into the registry.

Each comes back from its own description, may be done again after a crash in the middle, and can be undone. None is told
by the state of one file, so each judges for itself what is still to be done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from toriwork.errors import DamagedFile, Drift, NotFound, NotProven
from toriwork.migrate.data import history, registry, undoing
from toriwork.migrate.data.records import read_record, write_record
from toriwork.migrate.engine.run import Run, SelfJudging
from toriwork.sqlite.export import export_sqlite
from toriwork.sqlite.manifest import MANIFEST, read_manifest
from toriwork.sqlite.proof import verify_export
from toriwork.sqlite.source import file_sha256, identity_of
from toriwork.state import REGISTRY_FILE
from toriwork.storage.files import OsFiles

LEGACY = "legacy"  #: where exports go, under the state root


@dataclass(frozen=True, slots=True)
class DataStep(SelfJudging):
    """What all of them have in common."""

    id: str
    kind: ClassVar[str]

    @property
    def touches(self) -> tuple[str, ...]:
        """No file of the code base changes."""
        return ()

    def undo(self, run: Run) -> dict[str, Any]:
        return {}

    def verify(self, run: Run) -> dict[str, Any]:
        return {}

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True)
class MakeState(DataStep):
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
        return {"folders": [folder for folder in made if Path(folder).exists()]}


@dataclass(frozen=True, slots=True)
class Export(DataStep):
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
class Verify(DataStep):
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
class KeepRegistry(DataStep):
    """The registry as it was, so that the way back ends at the same bytes."""

    kind: ClassVar[str] = "data.registry"

    def do(self, run: Run) -> dict[str, Any]:
        kept = undoing.keep(run.state_root / REGISTRY_FILE, run.folder, run.plan_id)
        return {"rows": kept["rows"], "files": len(kept["files"])}

    def undo(self, run: Run) -> dict[str, Any]:
        return undoing.take_back(run.state_root / REGISTRY_FILE, run.folder, run.plan_id)


@dataclass(frozen=True, slots=True)
class Import(DataStep):
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
        n_added = registry.record(target, run.plan_id, self._spectra(run, unread), self.stream, stays=not self.name)
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
        return {"rows": registry.prove(target, run.plan_id, self._spectra(run, []), names, stays=not self.name)}

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
    except (NotFound, DamagedFile):
        known = {}
    for path in sorted(folder.iterdir()):
        ours = path.name in (MANIFEST, "schema.sql") or path.name.startswith((".snapshot-", "."))
        if ours or (path.name in known and file_sha256(path) == known[path.name]):
            path.unlink()
    kept = [path.name for path in sorted(folder.iterdir())]
    if not kept:
        folder.rmdir()
    return kept
