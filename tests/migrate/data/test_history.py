"""Tables of spectra are recognised by what is in them, and others are left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toriwork.migrate.data.history import Spectrum, Unread, history_tables, of_export
from toriwork.sqlite import export_sqlite

EIGEN = np.array([0.5, 0.25, 0.125])


def exported(tmp_path: Path, *statements: str, rows: list[tuple[Any, ...]] = ()) -> Path:  # type: ignore[assignment]
    """The export of a database; the last statement runs once for each row."""
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        for statement in statements[:-1] if rows else statements:
            connection.execute(statement)
        if rows:
            connection.executemany(statements[-1], rows)
        connection.commit()
    export_sqlite(tmp_path / "a.db", tmp_path / "out", progress=False)
    return tmp_path / "out"


def spectra(folder: Path) -> list[Spectrum]:
    found = list(of_export(folder, "a.db"))
    assert all(isinstance(row, Spectrum) for row in found), found
    return [row for row in found if isinstance(row, Spectrum)]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        pytest.param("ts REAL, evals BLOB", (5.0, EIGEN.tobytes()), id="short names"),
        pytest.param("recordedAt TEXT, eigenValues TEXT", ("2025", "[0.5, 0.25, 0.125]"), id="camel case and JSON"),
        pytest.param('"Created At" TEXT, "Spectrum" TEXT', ("x", "0.5,0.25,0.125"), id="blanks and commas"),
        pytest.param("coherence TEXT, eigs BLOB", ("local", EIGEN.tobytes()), id="a band instead of a time"),
        pytest.param("b0 REAL, b1 REAL, lambdas BLOB", (1.0, 0.0, EIGEN.tobytes()), id="a column per Betti number"),
        pytest.param(
            "n_eigenvalues INT, eigenvalues_dtype TEXT, hash TEXT, eigenvalues BLOB",
            (3, "float32", "h", EIGEN.astype("<f4").tobytes()),
            id="count and type beside it",
        ),
    ],
)
def test_a_table_of_spectra_is_recognised_whatever_its_columns_are_called(
    tmp_path: Path, columns: str, row: tuple[Any, ...]
) -> None:
    marks = ", ".join("?" * len(row))
    folder = exported(tmp_path, f"CREATE TABLE log ({columns})", f"INSERT INTO log VALUES ({marks})", rows=[row])
    (found,) = spectra(folder)
    assert found.eigenvalues.tolist() == EIGEN.tolist()
    assert found.source == "a.db/log"
    assert found.source_row == 1


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        pytest.param("ts REAL, lambda_max REAL", (1.0, 0.5), id="one eigenvalue"),
        pytest.param("ts REAL, vertices BLOB", (1.0, EIGEN.tobytes()), id="other numbers"),
        pytest.param("ts REAL, spectrum_hash BLOB", (1.0, EIGEN.tobytes()), id="a hash of a spectrum"),
        pytest.param("ts REAL, spectrum TEXT", (1.0, "broad"), id="a word"),
        pytest.param("eigenvalues BLOB", (EIGEN.tobytes(),), id="nothing beside it"),
    ],
)
def test_other_tables_are_left_alone(tmp_path: Path, columns: str, row: tuple[Any, ...]) -> None:
    marks = ", ".join("?" * len(row))
    folder = exported(tmp_path, f"CREATE TABLE log ({columns})", f"INSERT INTO log VALUES ({marks})", rows=[row])
    assert history_tables(folder) == []
    assert list(of_export(folder, "a.db")) == []


def test_a_row_that_is_none_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    rows = [(1.0, EIGEN.tobytes()), (2.0, None), (3.0, "nonsense"), (4.0, np.array([np.inf]).tobytes()), (5.0, b"")]
    folder = exported(tmp_path, "CREATE TABLE s (ts REAL, eigenvalues BLOB)", "INSERT INTO s VALUES (?, ?)", rows=rows)
    found = list(of_export(folder, "a.db"))
    assert [type(row) for row in found] == [Spectrum, Unread, Unread, Unread, Spectrum]
    assert [row.source_row for row in found] == [1, 2, 3, 4, 5]
    assert "not finite" in found[3].why  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ("id INTEGER PRIMARY KEY, hash TEXT, eigenvalues BLOB", [3, 7]),
        ("hash TEXT, eigenvalues BLOB, id INTEGER, PRIMARY KEY (id)", [3, 7]),
        ("id INT, hash TEXT, eigenvalues BLOB", [1, 2]),
        ("hash TEXT PRIMARY KEY, eigenvalues BLOB, id INT", [1, 2]),
    ],
    ids=["a key column", "a key at the end", "the row id itself", "a text as key"],
)
def test_the_source_row_is_the_row_id(tmp_path: Path, declared: str, wanted: list[int]) -> None:
    rows = [(id_, f"h{id_}", EIGEN.tobytes()) for id_ in (3, 7)]
    folder = exported(
        tmp_path, f"CREATE TABLE s ({declared})", "INSERT INTO s (id, hash, eigenvalues) VALUES (?, ?, ?)", rows=rows
    )
    assert [row.source_row for row in spectra(folder)] == wanted


def test_without_row_ids_the_place_counts(tmp_path: Path) -> None:
    folder = exported(
        tmp_path,
        "CREATE TABLE s (hash TEXT PRIMARY KEY, eigenvalues BLOB) WITHOUT ROWID",
        "INSERT INTO s VALUES (?, ?)",
        rows=[("b", EIGEN.tobytes()), ("a", (2 * EIGEN).tobytes())],
    )
    assert [(row.source_row, row.hash_id) for row in spectra(folder)] == [(1, "a"), (2, "b")]


def test_what_does_not_fit_a_column_of_the_registry_is_kept_beside_it(tmp_path: Path) -> None:
    folder = exported(
        tmp_path,
        "CREATE TABLE s (ts, betti TEXT, coherence_state TEXT, gaps BLOB, eigenvalues BLOB)",
        "INSERT INTO s VALUES (?, ?, ?, ?, ?)",
        rows=[
            ("2025-01-01", "[1, 2]", "CRITICAL", np.array([0.25]).tobytes(), EIGEN.tobytes()),
            (float("inf"), "[1, 2, 3, 4]", "chaotic", None, EIGEN.tobytes()),
            (None, None, None, None, EIGEN.tobytes()),
            (b"\x01", "[-1]", "", "[0.5]", EIGEN.tobytes()),
        ],
    )
    one, two, three, four = spectra(folder)
    assert (one.timestamp, one.betti, one.band, one.gaps, one.notes) == ("2025-01-01", [1, 2], "critical", [0.25], {})
    assert (two.timestamp, two.betti, two.band) == ("inf", [1, 2, 3], "local")
    assert two.notes == {"coherence": "chaotic", "betti_numbers": [1, 2, 3, 4]}
    assert (three.timestamp, three.betti, three.band, three.gaps, three.notes) == (None, None, "local", [], {})
    assert (four.timestamp, four.betti, four.notes) == ("01", [None], {"betti_numbers": [-1]})


def test_columns_of_no_role_are_kept_beside_a_row(tmp_path):
    columns = "id INTEGER PRIMARY KEY, eigenvalues TEXT, timestamp REAL, hash_id TEXT, label TEXT, run INT, empty TEXT"
    rows = [(3, "[0.3]", 1.0, "a", "warm", 7, None)]
    folder = exported(
        tmp_path, f"CREATE TABLE log ({columns})", "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)", rows=rows
    )
    (found,) = spectra(folder)
    assert found.notes == {"fields": {"label": "warm", "run": 7}}
