"""Which files of a code base are data: by what is in them and what they are called, each once."""

from __future__ import annotations

import os
import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from toriwork.codebase.index import CodebaseIndex
from toriwork.migrate.data.find import Data, find_data


def look(root: Path) -> Data:
    return find_data(CodebaseIndex.scan(root))


def database(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1), (2)")
        connection.commit()
    return path


def test_a_database_is_known_by_its_first_bytes_and_an_empty_one_by_its_name(tmp_path: Path) -> None:
    database(tmp_path / "picture.png")
    (tmp_path / "new.db").touch()
    (tmp_path / "empty.txt").touch()
    assert [found.path for found in look(tmp_path).databases] == ["new.db", "picture.png"]


def test_a_file_that_has_several_names_counts_once(tmp_path: Path) -> None:
    path = database(tmp_path / "z" / "real.db")
    (tmp_path / "alias.db").symlink_to("z/real.db")
    os.link(path, tmp_path / "hard.db")
    (found,) = look(tmp_path).databases
    assert (found.path, found.names) == ("hard.db", ("z/real.db", "alias.db"))


def test_side_files_belong_to_their_database_and_orphans_are_strange(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    path.with_name("a.db-wal").write_bytes(b"x")
    (tmp_path / "gone.db-journal").write_bytes(b"x")
    found = look(tmp_path)
    assert [(entry.path, entry.side_files) for entry in found.databases] == [("a.db", ("a.db-wal",))]
    assert [(path, "gone.db" in why) for path, why in found.strange] == [("gone.db-journal", True)]


def test_what_is_only_called_a_database_is_strange(tmp_path: Path) -> None:
    (tmp_path / "thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    found = look(tmp_path)
    assert found.databases == ()
    assert "none of SQLite's" in found.strange[0][1]


def test_a_pickle_is_named_and_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "spectra.pkl").write_bytes(pickle.dumps({"eigenvalues": [1.0]}))
    (tmp_path / "other.pkl").write_bytes(pickle.dumps(5))
    assert [(path, "never loaded" in why) for path, why in look(tmp_path).strange] == [("spectra.pkl", True)]


def test_a_link_that_leads_outside_is_strange(tmp_path: Path) -> None:
    database(tmp_path / "elsewhere.db")
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.db").symlink_to("../elsewhere.db")
    (tmp_path / "code" / "broken.db").symlink_to("nowhere.db")
    found = look(tmp_path / "code")
    assert found.databases == ()
    assert [path for path, _ in found.strange] == ["a.db"]


def test_folders_and_files_of_tools_are_passed_over(tmp_path: Path) -> None:
    for place in (".git/x.db", ".mypy_cache/3.11/cache.db", "env/x.db", ".coverage", "sub/.coverage.host.1"):
        database(tmp_path / place)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    assert look(tmp_path) == Data()


@pytest.mark.parametrize("wal", [False, True])
def test_an_examination_tells_tables_and_rows_and_changes_nothing(tmp_path: Path, wal: bool) -> None:
    path = database(tmp_path / "a.db")
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = wal")
            connection.execute("INSERT INTO t VALUES (3)")
            connection.commit()
        before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir() if not entry.name.endswith("-shm")}
        (found,) = look(tmp_path).databases
        assert found.tables == {"t": 3 if wal else 2}
        assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_damaged_database_is_told_with_the_reason(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    whole = bytearray(path.read_bytes())
    whole[100:108] = b"\xff" * 8
    path.write_bytes(whole)
    (found,) = look(tmp_path).databases
    assert "damaged" in found.damage
