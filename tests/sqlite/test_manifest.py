"""Exports of the first format, as earlier versions wrote them, are verified, read back and gone on with.

``format1`` is what the exporter before virtual tables were carried as declarations made of ``ORIGINAL``: one manifest,
written anew for each table, with the sequences among the settings and without the tables behind a virtual one.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.sqlite.hostile import cells
from toriwork.errors import DamagedFile, NotProven
from toriwork.sqlite import export_sqlite, import_sqlite, verify_export
from toriwork.sqlite.source import identity_of

FORMAT_1 = Path(__file__).parent / "format1"
ORIGINAL = """
PRAGMA user_version = 7; PRAGMA application_id = 11;
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, x REAL, name TEXT DEFAULT 'x' CHECK (length(name) < 99));
INSERT INTO counted VALUES (1, 0.5, 'a'), (2, 'not a number', 'grün'), (9, NULL, x'00ff');
DELETE FROM counted WHERE id = 1;
CREATE TABLE pair (a TEXT, b INTEGER, data BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
INSERT INTO pair VALUES ('one', 1, x'0102'), ('two', -9223372036854775808, NULL);
CREATE TABLE plain (v); INSERT INTO plain (rowid, v) VALUES (5, 9e999), (7, -0.0), (8, 3), (9, '');
CREATE TABLE empty (a, b TEXT);
CREATE INDEX by_x ON counted (x); CREATE VIEW names AS SELECT name FROM counted;
CREATE TRIGGER no_more AFTER INSERT ON pair BEGIN DELETE FROM plain; END;
CREATE VIRTUAL TABLE notes USING fts5(title, body);
INSERT INTO notes VALUES ('first', 'hello world'), ('second', 'good bye');
"""
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The database that the export was made of."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(ORIGINAL)
        connection.commit()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the export."""
    return Path(shutil.copytree(FORMAT_1, tmp_path / "export"))


def _change(folder: Path, change: Change) -> None:
    content = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    change(content)
    (folder / "export.json").write_text(json.dumps(content), encoding="utf-8")


def test_an_export_of_the_first_format_is_verified(folder: Path) -> None:
    assert json.loads((folder / "export.json").read_text(encoding="utf-8"))["format"] == 1
    report = verify_export(folder)
    assert report.complete
    assert {table.name: table.n_rows for table in report.tables} == {
        "counted": 2, "pair": 2, "plain": 4, "empty": 0, "notes": 2,
    }  # fmt: skip


def test_it_comes_back_as_the_database_that_it_was_made_of(folder: Path, original: Path, tmp_path: Path) -> None:
    import_sqlite(folder, tmp_path / "back.db")
    assert cells(tmp_path / "back.db") == cells(original)
    with closing(sqlite3.connect(tmp_path / "back.db")) as back, closing(sqlite3.connect(original)) as there:
        for query in (
            "SELECT type, name FROM sqlite_schema ORDER BY type, name",
            "SELECT * FROM sqlite_sequence",
            "SELECT rowid FROM notes WHERE notes MATCH 'hello'",
            "PRAGMA user_version",
            "PRAGMA application_id",
            "PRAGMA integrity_check",
        ):
            assert back.execute(query).fetchall() == there.execute(query).fetchall()


def test_one_that_was_cut_short_is_gone_on_with_in_the_present_format(
    folder: Path, original: Path, tmp_path: Path
) -> None:
    def cut(content: dict[str, Any]) -> None:
        content |= {"finished": False, "source_digest": identity_of(original).digest}
        del content["tables"][2:]

    _change(folder, cut)
    kept = (folder / "counted.parquet").stat().st_mtime_ns
    for name in ("plain.parquet", "plain.misfits.parquet", "empty.parquet", "notes.parquet"):
        (folder / name).unlink()
    assert export_sqlite(original, folder, progress=False).complete
    assert (folder / "counted.parquet").stat().st_mtime_ns == kept
    assert json.loads((folder / "export.json").read_text(encoding="utf-8"))["format"] == 2
    import_sqlite(folder, tmp_path / "back.db")
    assert cells(tmp_path / "back.db") == cells(original)


@pytest.mark.parametrize("name", sorted(path.name for path in FORMAT_1.glob("*.parquet")))
@pytest.mark.parametrize("missing", [False, True])
def test_a_damaged_or_missing_file_of_it_is_refused(folder: Path, tmp_path: Path, name: str, missing: bool) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    if missing:
        (folder / name).unlink()
    with pytest.raises(NotProven, match=name):
        import_sqlite(folder, tmp_path / "back.db")
    assert not (tmp_path / "back.db").exists()


def _other_digest(content: dict[str, Any]) -> None:
    content["tables"][0]["columns"]["x"] = "0" * 64


def _other_count(content: dict[str, Any]) -> None:
    content["tables"][1]["n_rows"] = 3


def _other_bound(content: dict[str, Any]) -> None:
    content["tables"][1]["profile"]["b"]["bounds"][1] = 2


@pytest.mark.parametrize("change", [_other_digest, _other_count, _other_bound])
def test_a_manifest_that_tells_of_other_cells_is_refused(folder: Path, tmp_path: Path, change: Change) -> None:
    _change(folder, change)
    with pytest.raises(NotProven, match=r"counted|pair"):
        import_sqlite(folder, tmp_path / "back.db")


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(format=0),
        lambda content: content.update(format=3),
        lambda content: content.pop("format"),
        lambda content: content.pop("source_files"),
        lambda content: content["tables"][0].pop("files"),
        lambda content: content["tables"][0].update(unknown=1),
    ],
)
def test_a_manifest_of_no_known_form_is_called_damaged(folder: Path, change: Change) -> None:
    _change(folder, change)
    with pytest.raises(DamagedFile, match=r"export\.json"):
        verify_export(folder)


def test_a_manifest_that_was_not_written_to_its_end_is_called_damaged(folder: Path) -> None:
    content = (folder / "export.json").read_bytes()
    (folder / "export.json").write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedFile, match=r"export\.json"):
        verify_export(folder)
