"""The steps that data takes: exported and proven, put into the registry, and each of them undone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from toriwork.errors import DamagedFile, Drift, NotFound, NotProven
from toriwork.migrate.data import history, registry, undoing
from toriwork.migrate.data.undoing import read_record, write_record
from toriwork.migrate.engine.step import IdempotentStep, Run
from toriwork.migrate.recipes.tables import reasons
from toriwork.sqlite.export import export_sqlite
from toriwork.sqlite.files import file_sha256
from toriwork.sqlite.manifest import MANIFEST, ExportReport, read_manifest
from toriwork.sqlite.proof import verify_export
from toriwork.sqlite.source import identity_of
from toriwork.state import REGISTRY_FILE
from toriwork.storage.files import OsFiles

LEGACY = "legacy"  #: where exports go, under the state root


@dataclass(frozen=True, slots=True)
class DataStep(IdempotentStep):
    """An id, and a description out of the fields."""

    id: str
    kind: ClassVar[str]

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True, slots=True)
class MakeState(DataStep):
    """Make the folder for exports under the state root; what it made goes again when nothing is in it."""

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
    """A database as Parquet files under the state root, every cell proven to have arrived."""

    path: str  #: of the database, relative to the code base
    digest: str  #: of its bytes and those of its side files, when the plan was made
    name: str  #: of the folder
    kind: ClassVar[str] = "data.export"

    def do(self, run: Run) -> dict[str, Any]:
        place = run.root / self.path
        if not place.exists() or identity_of(place).digest != self.digest:
            raise Drift(f"{self.path}: is gone or was written to since the plan was made; plan again")
        folder = export_folder(run, self.name)
        if (note := read_record(self._note(run))) is not None:
            if not (folder / MANIFEST).exists():  # cut short before it could say what it holds: from the beginning
                _remove_new(folder, note["there"])
        else:
            write_record(self._note(run), {"there": sorted(path.name for path in folder.glob("*"))})
        report = export_sqlite(
            place,
            folder,
            progress=lambda table, done, n: run.progress("export", path=self.path, table=table, rows=done, of=n),
        )
        self._check(report)
        tables = {table.name: {"rows": table.n_rows, "digest": table.digest} for table in report.tables}
        return {"proven": True, "rows": report.n_rows, "tables": tables, "notes": report.notes}

    def _check(self, report: ExportReport) -> None:
        if report.source_digest != self.digest or not report.complete:
            names = ", ".join(f"{name} ({why})" for name, why in report.database["unreadable"].items())
            raise NotProven(f"{self.path}: incomplete export, the database stays; missing: {names or 'another state'}")

    def _note(self, run: Run) -> Path:
        return run.folder / f"export-{self.name}.json"

    def undo(self, run: Run) -> dict[str, Any]:
        """Remove the export, unless somebody changed a file of it or put another one there.

        One that was cut short has no manifest to compare with, and nobody has used it: what it wrote goes.
        """
        folder, note = export_folder(run, self.name), read_record(self._note(run))
        kept = False
        if folder.is_dir():
            kept = bool(_remove_export(folder, None if self.id in run.facts or note is None else note["there"]))
        self._note(run).unlink(missing_ok=True)
        return {"kept": [str(folder)] if kept else []}

    def verify(self, run: Run) -> dict[str, Any]:
        report = verify_export(export_folder(run, self.name))
        self._check(report)
        return {"rows": report.n_rows, "readers": sorted({name for table in report.tables for name in table.readers})}


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

    path: str  #: of the database, relative to the code base
    digest: str  #: of the database as above
    name: str  #: of the export
    stream: str  #: under which they stand
    columns: dict[str, str] = field(default_factory=dict)  #: of the table of a moved class, see ``MovedClass``
    kind: ClassVar[str] = "data.import"

    def do(self, run: Run) -> dict[str, Any]:
        target = run.state_root / REGISTRY_FILE
        unread = self._unread(run)
        if not any(isinstance(row, history.Spectrum) for row in self._rows(run)):
            return {"proven": True, "added": 0, "rows": 0, **unread}
        n_added = registry.record(target, run.plan_id, self._spectra(run), self.stream)
        run.progress("import", path=self.path, rows=n_added)
        return {"added": n_added, "stream": self.stream, **self.verify(run), "proven": True}

    def _unread(self, run: Run) -> dict[str, Any]:
        """Rows that are no spectra by their reason, and a line that says so."""
        found = Counter(row.why for row in self._rows(run) if isinstance(row, history.Unread))
        if not found:
            return {"unread": 0}
        line = f"{self.path}: {sum(found.values()):,} rows are no spectra: {reasons(found)}"
        return {"unread": sum(found.values()), "notes": [f"{line}; the export holds them"]}

    def verify(self, run: Run) -> dict[str, Any]:
        tables = history.history_tables(export_folder(run, self.name), self.columns)
        names = [f"{self.path}/{table}" for table in tables]
        target = run.state_root / REGISTRY_FILE
        proven = registry.prove(target, run.plan_id, self._spectra(run), names)
        return {"rows": proven, **self._unread(run)}

    def _rows(self, run: Run) -> Iterator[history.Spectrum | history.Unread]:
        return history.of_export(export_folder(run, self.name), self.path, self.columns)

    def _spectra(self, run: Run) -> Iterator[history.Spectrum]:
        return (row for row in self._rows(run) if isinstance(row, history.Spectrum))


def export_folder(run: Run, name: str) -> Path:
    """Return where an export lies."""
    return run.state_root / LEGACY / name


def _remove_export(folder: Path, before: list[str] | None = None) -> list[str]:
    """Return what had to stay: files that are none of the export's, or that somebody changed.

    ``before`` names what was there before an export that was not finished; all else in it is the export's.
    """
    if before is not None:
        _remove_new(folder, before)
        if not before:
            folder.rmdir()
        return []
    try:
        known = {name: sha for table in read_manifest(folder).tables for name, sha in table.files.items()}
    except (NotFound, DamagedFile):
        known = {}
    for path in sorted(folder.iterdir()):
        ours = path.name in (MANIFEST, "schema.sql") or path.name.startswith(".")
        if ours or (path.name in known and file_sha256(path) == known[path.name]):
            path.unlink()
    kept = [path.name for path in sorted(folder.iterdir())]
    if not kept:
        folder.rmdir()
    return kept


def _remove_new(folder: Path, before: list[str]) -> None:
    for path in folder.glob("*"):
        if path.name not in before:
            path.unlink()
