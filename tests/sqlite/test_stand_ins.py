"""Healthy files that this SQLite knows only in part: what it reads arrives exactly, the rest has a name and a why."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.sqlite.hostile import cells
from toriwork.errors import DamagedFile, StoreError
from toriwork.sqlite import ExportReport, export_sqlite, import_sqlite
from toriwork.sqlite.source import snapshot


def folded(one: str, other: str) -> int:
    return (one.lower() > other.lower()) - (one.lower() < other.lower())


def make(path: Path, *statements: str, known: Callable[[sqlite3.Connection], None] | None = None) -> Path:
    """A database; ``known`` registers what only its application knows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if known is not None:
            known(connection)
        for statement in statements:
            connection.execute(statement)
    return path


def application(connection: sqlite3.Connection) -> None:
    connection.create_collation("unicase", folded)
    connection.create_collation('odd "name"', folded)
    connection.create_function("norm", 1, lambda value: value, deterministic=True)
    connection.create_function("other", 1, lambda value: value, deterministic=True)


def ask(path: Path, sql: str, known: Callable[[sqlite3.Connection], None] | None = None) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        if known is not None:
            known(connection)
        return connection.execute(sql).fetchall()


def there_and_back(source: Path) -> tuple[ExportReport, Path]:
    back = source.with_name("back.db")
    report = export_sqlite(source, source.with_name("out"), progress=False)
    import_sqlite(source.with_name("out"), back)
    return report, back


def assert_refused(source: Path, why: str) -> None:
    """The export refuses it, and does not call it damaged."""
    with pytest.raises(StoreError, match=why) as caught:
        export_sqlite(source, source.with_name("out"))
    assert not isinstance(caught.value, DamagedFile)


# ---- collations and functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["unicase", '"odd ""name"""', "[unicase]", "/* its own */ unicase", "'unicase'"])
def test_a_collation_that_is_not_here_is_no_damage(tmp_path: Path, named: str) -> None:
    source = make(
        tmp_path / "a.db",
        f"CREATE TABLE tags (tag TEXT PRIMARY KEY COLLATE {named}, n INT) WITHOUT ROWID",
        f"CREATE TABLE decks (id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE {named}, n INT COLLATE {named})",
        "CREATE INDEX by_name ON decks (name, n)",
        "INSERT INTO tags VALUES ('Z', 1), ('a', 2), ('B', 3)",
        "INSERT INTO decks VALUES (1, 'b', 'x'), (2, 'A', 3), (3, 'C', NULL)",
        known=application,
    )
    report, back = there_and_back(source)
    assert report.complete
    assert [("unicase" in note or "odd" in note, "REINDEX" in note) for note in report.notes] == [(True, True)]
    for query in ("SELECT tag, n FROM tags NOT INDEXED", "SELECT id, name, n FROM decks NOT INDEXED"):
        assert sorted(ask(back, query, application)) == sorted(ask(source, query, application))
    with closing(sqlite3.connect(back)) as connection:
        application(connection)
        connection.execute("REINDEX")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT n FROM tags WHERE tag = 'z'").fetchall() == [(1,)]


def test_the_order_of_a_key_does_not_hide_damage_elsewhere(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.db",
        "CREATE TABLE tags (tag TEXT PRIMARY KEY COLLATE unicase) WITHOUT ROWID",
        "CREATE TABLE t (a)",
        "INSERT INTO tags VALUES ('Z'), ('a')",
        "INSERT INTO t SELECT value FROM json_each('[1,2,3,4,5,6]')",
        known=application,
    )
    ((page,),) = ask(source, "SELECT rootpage FROM sqlite_schema WHERE name = 't'")
    data = bytearray(source.read_bytes())
    data[4096 * (page - 1) + 8 : 4096 * (page - 1) + 40] = b"\xff" * 32
    source.write_bytes(data)
    with pytest.raises(DamagedFile, match="damaged"):
        export_sqlite(source, tmp_path / "out")


def test_a_check_and_an_index_of_a_function_that_is_not_here_change_no_cell(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.db",
        "CREATE TABLE t (a INTEGER CHECK (norm(a) > 0), b)",
        "CREATE INDEX by_norm ON t (norm(b)) WHERE norm(b) IS NOT NULL",
        "INSERT INTO t VALUES (1, 'x'), (2, 'Y')",
        known=application,
    )
    report, back = there_and_back(source)
    assert report.complete
    assert ["function norm()" in note for note in report.notes] == [True]
    assert cells(back) == cells(source)
    assert ask(back, "SELECT sql FROM sqlite_schema ORDER BY name") == ask(
        source, "SELECT sql FROM sqlite_schema ORDER BY name"
    )


@pytest.mark.parametrize(("expression", "why"), [("norm(a)", "norm()"), ("other(norm(a))", "()")], ids=["one", "two"])
def test_a_column_that_cannot_be_computed_here_is_named_and_the_others_come(
    tmp_path: Path, expression: str, why: str
) -> None:
    source = make(
        tmp_path / "a.db",
        f"CREATE TABLE t (a, b INT AS ({expression}), c AS (a || '!'))",
        "INSERT INTO t VALUES ('{\"x\":1}'), ('{bad')",
        "CREATE TABLE other (x)",
        "INSERT INTO other VALUES (5)",
        known=application,
    )
    report, back = there_and_back(source)
    assert not report.complete
    assert {name: why in told for name, told in report.database["unreadable"].items()} == {"t.b": True}
    assert pd.read_parquet(tmp_path / "out" / "t.parquet")["c"].tolist() == ['{"x":1}!', "{bad!"]
    assert ask(back, "SELECT a, c FROM t") == ask(source, "SELECT a, c FROM t")
    assert ask(back, "SELECT x FROM other") == [(5,)]


@pytest.mark.parametrize(("at", "byte"), [(19, b"\x03"), (44, b"\0\0\0\x05")], ids=["read version", "schema format"])
def test_a_newer_format_is_not_called_damage(tmp_path: Path, at: int, byte: bytes) -> None:
    source = make(tmp_path / "a.db", "CREATE TABLE t (a)")
    data = bytearray(source.read_bytes())
    data[at : at + len(byte)] = byte
    source.write_bytes(data)
    assert_refused(source, "a newer one may")


def test_a_schema_of_words_to_come_is_not_called_damage(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.db",
        "CREATE TABLE t (a)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a) SUPER STRICT'",
    )
    assert_refused(source, "does not understand its schema.*STRICT")


@pytest.mark.parametrize("damaged", [False, True])
def test_damage_behind_many_findings_of_content_is_seen(tmp_path: Path, damaged: bool) -> None:
    source = make(
        tmp_path / "a.db",
        "CREATE TABLE b (x NOT NULL)",  # looked at last
        "CREATE TABLE a (x CHECK (x > 0))",
        "PRAGMA ignore_check_constraints = ON",
        "INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) SELECT -i FROM n",
        "INSERT INTO b VALUES ('needle')",
    )
    if not damaged:
        assert export_sqlite(source, tmp_path / "out").notes == ["CHECK constraint failed in a"]
        return
    data = bytearray(source.read_bytes())
    data[data.index(b"needle") - 2] = 0x7F  # the length of the header of the record
    source.write_bytes(data)
    with pytest.raises(DamagedFile, match="malformed"), snapshot(source, tmp_path, live=False):
        pytest.fail("the check ended in front of it")


# ---- tables that are not plain ------------------------------------------------------------------------------------

INDEXED = (
    "CREATE VIRTUAL TABLE ranked USING fts5(a, b)",
    "INSERT INTO ranked VALUES ('one two', 'three'), ('three', 'one')",
    "INSERT INTO ranked (ranked, rank) VALUES ('rank', 'bm25(10.0, 5.0)')",
    "CREATE VIRTUAL TABLE tongues USING fts4(t, languageid='lid')",
    "INSERT INTO tongues (t, lid) VALUES ('mot word', 7), ('word', 0)",
    "CREATE TABLE texts (id INTEGER PRIMARY KEY, t)",
    "INSERT INTO texts VALUES (4, 'kept outside')",
    "CREATE VIRTUAL TABLE outside USING fts5(t, content='texts', content_rowid='id')",
    "INSERT INTO outside (outside) VALUES ('rebuild')",
    "UPDATE texts SET t = 'changed since' WHERE id = 4",
    "CREATE VIRTUAL TABLE boxes USING rtree(id, low, high)",
    "INSERT INTO boxes VALUES (1, 0.5, 1.5), (2, -1, 0)",
    "CREATE VIRTUAL TABLE words USING fts5vocab(ranked, 'row')",
    "CREATE VIRTUAL TABLE pages USING dbstat",
)
QUESTIONS = (
    "SELECT a, rank FROM ranked WHERE ranked MATCH 'one' ORDER BY rank",
    "SELECT t, lid FROM tongues WHERE tongues MATCH 'word' AND lid = 7",
    "SELECT rowid FROM outside WHERE outside MATCH 'kept'",
    "SELECT id, low, high FROM boxes WHERE high > 0.2",
    "SELECT * FROM words",
)


def test_an_index_of_words_answers_the_same_after_the_way_back(tmp_path: Path) -> None:
    source = make(tmp_path / "a.db", *INDEXED)
    report, back = there_and_back(source)
    assert report.complete
    for question in QUESTIONS:
        assert ask(back, question) == ask(source, question) != []
    assert ask(back, "PRAGMA integrity_check") == [("ok",)]
    assert pd.read_parquet(tmp_path / "out" / "ranked.parquet")["a"].tolist() == ["one two", "three"]


@pytest.mark.parametrize(
    "declared",
    ["fts5(t, content='')", 'fts5(t, content="", columnsize=0)', "fts4(content='', t)", "fts4(t, content=\"\")",
     "fts5(t, content = '', contentless_delete=1)"],
)  # fmt: skip
def test_an_index_without_its_text_is_named_and_comes_back_all_the_same(tmp_path: Path, declared: str) -> None:
    if "contentless_delete" in declared and sqlite3.sqlite_version_info < (3, 43):
        pytest.skip("this SQLite has no such option")
    key = "docid" if "fts4" in declared else "rowid"
    source = make(
        tmp_path / "a.db",
        f"CREATE VIRTUAL TABLE f USING {declared}",
        f"INSERT INTO f ({key}, t) VALUES (3, 'alpha beta')",
        "CREATE TABLE o (a)",
        "INSERT INTO o VALUES (1)",
    )
    report, back = there_and_back(source)
    assert not report.complete
    assert list(report.database["unreadable"]) == ["f"]
    assert "f: not carried: keeps no text" in str(report)
    assert not (tmp_path / "out" / "f.parquet").exists()
    assert ask(back, f"SELECT {key} FROM f WHERE f MATCH 'beta'") == [(3,)]
    assert ask(back, "SELECT a FROM o") == [(1,)]


def test_a_table_that_only_looks_contentless_is_exported(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.db", "CREATE TABLE t (a DEFAULT 'USING fts5(content='''')', b)", "INSERT INTO t VALUES (1, 2)"
    )
    assert there_and_back(source)[0].complete


def test_a_virtual_table_of_an_unknown_module_comes_back_as_it_was_declared(tmp_path: Path) -> None:
    declared = "CREATE VIRTUAL TABLE space USING VirtualSpatialIndex()"
    source = make(
        tmp_path / "a.db",
        "CREATE TABLE o (a)",
        "INSERT INTO o VALUES (1)",
        "PRAGMA writable_schema = ON",
        f"INSERT INTO sqlite_schema VALUES ('table', 'space', 'space', 0, '{declared}')",
    )
    report, back = there_and_back(source)
    assert report.database["unreadable"] == {"space": "no such module: VirtualSpatialIndex"}
    assert ask(back, "SELECT sql FROM sqlite_schema WHERE name = 'space'") == [(declared,)]
    assert ask(back, "SELECT a FROM o") == [(1,)]


def test_an_index_whose_texts_are_gone_is_named(tmp_path: Path) -> None:
    source = make(tmp_path / "a.db", *INDEXED, "DROP TABLE texts")
    report, back = there_and_back(source)
    assert list(report.database["unreadable"]) == ["outside"]
    assert ask(back, QUESTIONS[0]) == ask(source, QUESTIONS[0])


def test_statistics_and_sequences_come_back_whatever_is_in_them(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
        "CREATE INDEX i ON t (a)",
        "INSERT INTO t (a) VALUES (1), (2)",
        "CREATE TABLE gone (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "DROP TABLE gone",
        "ANALYZE",
        "INSERT INTO sqlite_stat1 VALUES ('t', 'i', 'unordered'), (NULL, 5, x'00')",
        "UPDATE sqlite_sequence SET seq = 'a text'",
        "INSERT INTO sqlite_sequence VALUES ('t', 5), (NULL, NULL)",
        "PRAGMA writable_schema = ON",
        "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
        "INSERT INTO sqlite_stat4 VALUES ('t', 'i', '1', '0', '0', x'0201')",
    )
    report, back = there_and_back(source)
    assert report.complete
    assert {table.name for table in report.tables if table.kind == "internal"} == {
        "sqlite_sequence", "sqlite_stat1", "sqlite_stat4",
    }  # fmt: skip
    for name in ("sqlite_sequence", "sqlite_stat1", "sqlite_stat4"):
        rows = f"SELECT rowid, * FROM {name}"
        assert ask(back, rows) == ask(source, rows) != []
    assert "sqlite_stat1" not in (tmp_path / "out" / "schema.sql").read_text()


def test_a_sequence_outlives_the_table_that_needed_it(tmp_path: Path) -> None:
    source = make(tmp_path / "a.db", "CREATE TABLE gone (id INTEGER PRIMARY KEY AUTOINCREMENT)", "DROP TABLE gone")
    back = there_and_back(source)[1]
    assert ask(back, "SELECT name FROM sqlite_schema") == [("sqlite_sequence",)]


@pytest.mark.parametrize("auto_vacuum", [0, 1, 2])
def test_what_the_file_itself_says_comes_back(tmp_path: Path, auto_vacuum: int) -> None:
    names = ("user_version", "application_id", "encoding", "auto_vacuum", "page_size", "journal_mode")
    given = ("-7", "1196444487", "'UTF-16be'", auto_vacuum, "8192", "wal")
    source = make(
        tmp_path / "a.db",
        *(f"PRAGMA {name} = {value}" for name, value in zip(names, given, strict=True)),
        "CREATE TABLE t (a)",
    )
    back = there_and_back(source)[1]
    for name in names:
        assert ask(back, f"PRAGMA {name}") == ask(source, f"PRAGMA {name}")


# ---- names --------------------------------------------------------------------------------------------------------


def test_names_that_are_no_text_keep_their_bytes(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.db",
        "CREATE TABLE tub (colA, colB DEFAULT 'lit?' /* c? */)",
        "CREATE INDEX iii ON tub (colB)",
        "CREATE VIEW seen AS SELECT colA, 'x?' FROM tub",
        "INSERT INTO tub VALUES (1, 2), (3, CAST(x'ff' AS TEXT))",
    )
    data = source.read_bytes()
    for old, new in ((b"colA", b"col\xe4"), (b"tub", b"t\xe4b"), (b"iii", b"\xffii"), (b"?", b"\xe9")):
        data = data.replace(old, new)
    source.write_bytes(data)
    report, back = there_and_back(source)
    assert report.complete
    assert [table.n_rows for table in report.tables] == [2]
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(back)) as other:
        for connection in (one, other):
            connection.text_factory = bytes
        query = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1"
        assert one.execute(query).fetchall() == other.execute(query).fetchall()
        assert one.execute("PRAGMA integrity_check").fetchall() == other.execute("PRAGMA integrity_check").fetchall()
    assert (tmp_path / "out" / "schema.sql").read_bytes().count(b"t\xe4b") == 3


def test_a_column_without_a_name_has_one_outside(tmp_path: Path) -> None:
    source = make(
        tmp_path / "a.db",
        'CREATE TABLE "" ("" INTEGER PRIMARY KEY, __unnamed__, "Ä", "ä", "a""b")',
        "INSERT INTO \"\" VALUES (5, 'x', 1, 2, 3), (7, 8, 'y', NULL, 4)",
    )
    report, back = there_and_back(source)
    (table,) = report.tables
    assert (table.unnamed, table.key, table.readers) == ("___unnamed___", "___unnamed___", ["pyarrow", "DuckDB"])
    assert ask(back, 'SELECT * FROM ""') == ask(source, 'SELECT * FROM ""')


def test_two_thousand_columns_and_a_row_id(tmp_path: Path) -> None:
    names = ", ".join(f"c{n}" for n in range(2000))
    source = make(
        tmp_path / "a.db",
        f"CREATE TABLE wide ({names})",
        *(f"INSERT INTO wide (rowid, c0, c1998, c1999) VALUES ({n}, {n}, 'x', {n / 4})" for n in (-3, 5, 600)),
    )
    report, back = there_and_back(source)
    assert len(report.tables[0].columns) == 2001
    assert ask(back, "SELECT rowid, c0, c1, c1998, c1999 FROM wide") == [
        (-3, -3, None, "x", -0.75), (5, 5, None, "x", 1.25), (600, 600, None, "x", 150.0),
    ]  # fmt: skip


def test_a_message_of_bytes_is_an_error_of_ours(tmp_path: Path) -> None:
    source = make(tmp_path / "a.db", "CREATE TABLE tab (a)")
    source.write_bytes(source.read_bytes().replace(b"CREATE TABLE tab", b"CREATE TABL\x8f tab"))
    with pytest.raises(StoreError, match="does not understand its schema"):
        export_sqlite(source, tmp_path / "out")
