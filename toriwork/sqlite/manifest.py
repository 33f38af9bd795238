"""The report of an export: ``export.json``, the same as an object, and how it is shown.

While an export is under way each finished table is one line that is appended to a file beside it, which goes when
``export.json`` is written with all of them: a table costs the same however many there are before it.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from toriwork.errors import DamagedFile, NotFound
from toriwork.sqlite.files import settle, synced
from toriwork.storage.files import OsFiles

MANIFEST = "export.json"
_LINES = ".export.jsonl"
_SYNCED_AT_ONCE = 8  #: files; a file system writes its own journal once for those that wait together
_FORMAT = 2  #: 1 did not hold the tables of SQLite itself and of virtual tables
#: kinds of objects that a database enforces or computes and plain files do not
_NOT_ENFORCED = {"view": "views", "trigger": "triggers", "index": "indexes"}


@dataclass(slots=True)
class TableReport:
    """One exported table."""

    name: str
    kind: str  #: "table", "virtual", "shadow" or "internal"
    n_rows: int
    n_misfits: int  #: cells of another class than their column's
    files: dict[str, str]  #: file name -> sha256
    columns: dict[str, str]  #: column -> digest of its cells, as SQLite gave them
    digest: str  #: of all columns
    generated: list[str] = field(default_factory=list)
    rowid: str | None = None  #: the column that holds the row ids, where none of the table's own does
    key: str | None = None  #: the column of the table's own that does
    unnamed: str | None = None  #: the column that is called "" in SQLite
    profile: dict[str, Any] = field(default_factory=dict)  #: column -> counts and bounds, made by SQL
    readers: list[str] = field(default_factory=list)  #: which Parquet readers agreed with SQLite
    seconds: tuple[float, float] = (0.0, 0.0)  #: writing, proving with the digests of both sides


@dataclass(slots=True)
class ExportReport:
    """An export: where it comes from, what arrived, and what plain files do not do any more."""

    source: str
    source_digest: str
    source_files: tuple[tuple[str, int, str], ...]  #: suffix, bytes, sha256 of the database and its side files
    live: bool = False
    finished: bool = False
    database: dict[str, Any] = field(default_factory=dict)  #: ddl, settings, shadows, unreadable
    tables: list[TableReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  #: broken constraints, by SQLite's own check; what had a stand-in

    @property
    def n_rows(self) -> int:
        """Rows of all tables."""
        return sum(table.n_rows for table in self.tables)

    @property
    def complete(self) -> bool:
        """True when everything that the database has could be read and was proven."""
        return self.finished and not self.database.get("unreadable")

    def not_enforced(self) -> list[str]:
        """Return kinds of rules and objects that are kept in ``schema.sql`` and enforced no more."""
        kinds = [kind for kind, *_ in self.database.get("ddl", ())]
        found = [f"{kinds.count(kind)} {words}" for kind, words in _NOT_ENFORCED.items() if kind in kinds]
        script = " ".join(sql.upper() for kind, _, sql in self.database.get("ddl", ()) if kind == "table")
        words = (("REFERENCES", "foreign keys"), ("CHECK", "checks"), ("COLLATE", "collations"), ("UNIQUE", "unique"))
        return found + [name for word, name in words if word in script]

    def __str__(self) -> str:
        state = "complete" if self.complete else "not complete"
        head = f"{self.source}: {len(self.tables)} tables, {self.n_rows:,} rows, {state}"
        lines = [
            f"  {t.name}: {t.n_rows:,} rows, {len(t.columns)} columns, {t.n_misfits:,} misfits, "
            f"proven by {' and '.join(t.readers)}"
            for t in self.tables
        ]
        lines += [f"  {name}: not carried: {why}" for name, why in self.database.get("unreadable", {}).items()]
        lines += [f"  note: {note}" for note in self.notes]
        if self.not_enforced():
            lines.append(f"  kept in schema.sql, enforced no more: {', '.join(self.not_enforced())}")
        return "\n".join([head, *lines])

    __repr__ = __str__


def write_manifest(folder: Path, report: ExportReport) -> None:
    """Replace ``export.json``, whole and on the disk, when everything that it names is there; no line is left."""
    files = [folder / name for table in report.tables for name in table.files] if report.finished else []
    if files:
        with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
            list(pool.map(synced, files))
        OsFiles().sync_folder(folder)
    head = _parts(report)
    del head["tables"]
    lines = ",\n  ".join(json.dumps(_parts(table)) for table in report.tables)  # columns keep their order
    text = json.dumps({"format": _FORMAT, **head}, indent=1).removesuffix("\n}")
    temporary = folder / f".{MANIFEST}.tmp"
    temporary.write_text(f'{text},\n "tables": [\n  {lines}\n ]\n}}\n', encoding="utf-8")
    settle(temporary, folder / MANIFEST)
    (folder / _LINES).unlink(missing_ok=True)


def add_table(folder: Path, table: TableReport) -> None:
    """Append a finished table to those of an export that is under way."""
    with (folder / _LINES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(_parts(table)) + "\n")


def _parts(report: ExportReport | TableReport) -> dict[str, Any]:
    """Field -> value, uncopied: ``asdict`` copies to the bottom, which took a tenth of an export of small tables."""
    return {field.name: getattr(report, field.name) for field in fields(report)}


def read_manifest(folder: Path) -> ExportReport:
    """The report in a folder.

    Raises
    ------
    NotFound, DamagedFile
        There is none; it cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFound(f"{folder}: no {MANIFEST}: expected the folder of an export")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.pop("format") not in (1, _FORMAT):
            raise DamagedFile(f"{path}: was written by another version of the exporter")
        tables = raw.pop("tables") + ([] if raw["finished"] else _lines(folder / _LINES))
        files = tuple((suffix, size, sha) for suffix, size, sha in raw.pop("source_files"))
        found = [TableReport(**{**table, "seconds": tuple(table["seconds"])}) for table in tables]
        return ExportReport(**raw, source_files=files, tables=found)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"{path}: cannot be read: {error}. Nothing was changed") from error


def _lines(path: Path) -> list[dict[str, Any]]:
    """The tables that were finished when an export was cut short, up to a line that was not written to its end."""
    found: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_bytes().split(b"\n"):
            try:
                found.append(json.loads(line))
            except ValueError:
                break
    return found
