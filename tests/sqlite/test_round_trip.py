"""Every cell of a hostile database arrives in Parquet and comes back, class and value, told by SQL, pandas, DuckDB."""

from __future__ import annotations

import math
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sqlite.hostile import cells, make
from toriwork.errors import BadInput, NotProven
from toriwork.sqlite import export_sqlite, import_sqlite, verify_export
from toriwork.sqlite.values import ColumnDigest, Text


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_a_hostile_database_comes_back_cell_by_cell(tmp_path: Path, encoding: str) -> None:
    source = make(tmp_path / "hostile.db", encoding=encoding, many=70_001)
    report = export_sqlite(source, tmp_path / "out")
    assert report.complete
    assert all(table.readers == ["pyarrow", "DuckDB"] for table in report.tables)
    import_sqlite(tmp_path / "out", tmp_path / "back.db")
    assert cells(tmp_path / "back.db") == cells(source)
    assert set(report.notes) <= {"NULL value in two_keys.a"}  # what SQLite 3.40 believes of a key in another order
    with closing(sqlite3.connect(tmp_path / "back.db")) as back, closing(sqlite3.connect(source)) as there:
        for what in ("PRAGMA user_version", "PRAGMA application_id", "PRAGMA encoding", "PRAGMA integrity_check"):
            assert back.execute(what).fetchall() == there.execute(what).fetchall()
        query = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
        assert back.execute(query).fetchall() == there.execute(query).fetchall()
        assert back.execute("SELECT * FROM sqlite_sequence").fetchall() == [("counted", 9)]
        assert back.execute("SELECT rowid FROM found WHERE found MATCH 'hello'").fetchall() == [(1,)]


def test_one_text_among_integers_leaves_an_integer_column(tmp_path: Path) -> None:
    source = make(tmp_path / "hostile.db", many=200_001)
    export_sqlite(source, tmp_path / "out")
    many = pd.read_parquet(tmp_path / "out" / "many.parquet", dtype_backend="pyarrow")
    assert str(many["i"].dtype) == "int64[pyarrow]"
    assert many["i"].isna().sum() == 1
    apart = pd.read_parquet(tmp_path / "out" / "many.misfits.parquet").to_dict("records")
    assert apart == [{"row": 200_000, "column": "i", "storage_class": "text", "value": b"odd"}]
    path = str(tmp_path / "out" / "many.parquet")
    assert duckdb.sql(f"SELECT count(i), max(i) FROM read_parquet('{path}')").fetchall() == [(200_000, 199_999)]


def test_what_files_do_not_do_any_more_is_told(tmp_path: Path) -> None:
    report = export_sqlite(make(tmp_path / "hostile.db"), tmp_path / "out")
    assert {"1 views", "1 triggers", "1 indexes", "foreign keys", "checks"} <= set(report.not_enforced())
    assert "CREATE TRIGGER noted" in (tmp_path / "out" / "schema.sql").read_text()
    assert "enforced no more" in str(report)
    assert 'we"ird name; --: 1 rows, 4 columns, 0 misfits, proven by pyarrow' in str(report)


def test_names_that_file_systems_refuse_get_other_file_names(tmp_path: Path) -> None:
    report = export_sqlite(make(tmp_path / "hostile.db"), tmp_path / "out")
    files = {table.name: max(table.files) for table in report.tables}
    assert files["con"].startswith("con-")
    assert files['we"ird name; --'].startswith("we-ird-name-")
    assert files["keyed"] == "keyed.parquet"


value = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)


affinity = st.sampled_from(["", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB"])


@settings(deadline=None, max_examples=25)
@given(rows=st.lists(st.tuples(value, value, value), max_size=12), affinities=st.tuples(affinity, affinity, affinity))
def test_any_values_in_any_columns_come_back(
    rows: list[tuple[Any, ...]], affinities: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with closing(sqlite3.connect(folder / "a.db")) as connection:
        connection.execute(f"CREATE TABLE t (a {affinities[0]}, b {affinities[1]}, c {affinities[2]})")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        connection.commit()
    export_sqlite(folder / "a.db", folder / "out", progress=False)
    import_sqlite(folder / "out", folder / "b.db")
    assert cells(folder / "a.db") == cells(folder / "b.db")


@given(values=st.lists(value, max_size=30), cut=st.integers(0, 30))
def test_a_digest_does_not_depend_on_where_blocks_are_cut(values: list[Any], cut: int) -> None:
    cells_ = [Text(v.encode()) if isinstance(v, str) else v for v in values]
    whole, parts = ColumnDigest(), ColumnDigest()
    whole.cells(cells_)
    parts.cells(cells_[:cut])
    parts.cells(cells_[cut:])
    assert whole.hexdigest() == parts.hexdigest()


@given(first=st.lists(value, max_size=4), second=st.lists(value, max_size=4))
def test_other_cells_have_another_digest(first: list[Any], second: list[Any]) -> None:
    def told(values: list[Any]) -> list[Any]:
        return [(type(v), struct.pack("<d", v) if isinstance(v, float) else v) for v in values]

    digests = []
    for values in (first, second):
        digest = ColumnDigest()
        digest.cells([Text(v.encode()) if isinstance(v, str) else v for v in values])
        digests.append(digest.hexdigest())
    assert (digests[0] == digests[1]) == (told(first) == told(second))


def test_infinities_and_negative_zero_keep_their_bits(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(math.inf,), (-math.inf,), (-0.0,), (0.0,), (5e-324,)])
        connection.commit()
        stored = [struct.pack("<d", row[0]) for row in connection.execute("SELECT a FROM t")]
    export_sqlite(tmp_path / "a.db", tmp_path / "out")
    found = pd.read_parquet(tmp_path / "out" / "t.parquet")["a"]
    assert [struct.pack("<d", number) for number in found] == stored


def test_a_database_without_tables_and_an_empty_file_are_exports_too(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert export_sqlite(tmp_path / "empty.db", tmp_path / "out").complete
    import_sqlite(tmp_path / "out", tmp_path / "back.db")
    assert cells(tmp_path / "back.db") == {}


def test_a_name_that_is_taken_and_a_folder_that_is_used_are_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "hostile.db")
    export_sqlite(source, tmp_path / "out")
    with pytest.raises(BadInput, match="exists already"):
        import_sqlite(tmp_path / "out", source)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(BadInput, match=r"notes\.txt"):
        export_sqlite(source, tmp_path / "mine")


@pytest.mark.parametrize("step", [97, pytest.param(7, marks=pytest.mark.long)])
def test_every_flipped_bit_and_every_truncation_of_the_output_is_found(tmp_path: Path, step: int) -> None:
    source = tmp_path / "a.db"
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, "x"), ("odd", "y"), (None, "z")])
        connection.commit()
    export_sqlite(source, tmp_path / "out")
    for name in ("t.parquet", "t.misfits.parquet"):
        path = tmp_path / "out" / name
        whole = path.read_bytes()
        for at in range(0, len(whole), step):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(NotProven, match="changed since the export"):
                verify_export(tmp_path / "out")
            path.write_bytes(whole[:at])
            with pytest.raises(NotProven):
                verify_export(tmp_path / "out")
        path.write_bytes(whole)
    assert verify_export(tmp_path / "out").complete
