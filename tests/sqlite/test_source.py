"""Live, hot, corrupt and open databases: a consistent moment or a refusal, and the original untouched."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd
import pytest

from tests.sqlite.hostile import make
from toriwork.errors import BadInput, DamagedFile, LockUnavailable, NotFound, SourceInUse
from toriwork.sqlite import export_sqlite, verify_export
from toriwork.sqlite.source import identity_of

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(path: Path, *statements: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has done something to a database and keeps it open."""
    command = [sys.executable, "-c", HOLD, str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(1000)])
        connection.commit()
    return path


def test_an_open_database_is_refused_and_the_process_named(source: Path, tmp_path: Path) -> None:
    before = identity_of(source)
    with holder(source, "SELECT count(*) FROM t") as process:
        with pytest.raises(SourceInUse, match=rf"process {process.pid} .*--live"):
            export_sqlite(source, tmp_path / "out")
        assert export_sqlite(source, tmp_path / "live", live=True).n_rows == 1000
    assert identity_of(source) == before


def test_a_live_writer_with_a_log_is_exported_up_to_its_last_commit(source: Path, tmp_path: Path) -> None:
    with holder(
        source, "PRAGMA journal_mode = wal", "INSERT INTO t VALUES (5000)", "BEGIN", "INSERT INTO t VALUES (-1)"
    ):
        with pytest.raises(SourceInUse):
            export_sqlite(source, tmp_path / "out")
        export_sqlite(source, tmp_path / "live", live=True)
    found = set(pd.read_parquet(tmp_path / "live" / "t.parquet")["a"])
    assert 5000 in found
    assert -1 not in found


def test_a_log_that_a_killed_writer_left_is_part_of_the_database(source: Path, tmp_path: Path) -> None:
    with holder(source, "PRAGMA journal_mode = wal", "INSERT INTO t VALUES (5000)"):
        pass
    assert source.with_name("a.db-wal").stat().st_size > 0
    before = identity_of(source)
    export_sqlite(source, tmp_path / "out")
    assert 5000 in set(pd.read_parquet(tmp_path / "out" / "t.parquet")["a"])
    assert identity_of(source) == before


def test_rows_that_a_hot_journal_takes_back_are_not_exported(source: Path, tmp_path: Path) -> None:
    update = "UPDATE t SET a = a + 100000"
    with holder(source, "PRAGMA cache_size = 1", "PRAGMA cache_spill = 1", "BEGIN", update):
        shutil.copy(source, tmp_path / "hot.db")
        shutil.copy(source.with_name("a.db-journal"), tmp_path / "hot.db-journal")
    before = identity_of(tmp_path / "hot.db")
    export_sqlite(tmp_path / "hot.db", tmp_path / "out")
    assert pd.read_parquet(tmp_path / "out" / "t.parquet")["a"].max() == 999
    assert identity_of(tmp_path / "hot.db") == before
    assert (tmp_path / "hot.db-journal").exists()


def test_a_corrupt_database_is_refused_and_left_alone(source: Path, tmp_path: Path) -> None:
    whole = bytearray(source.read_bytes())
    whole[4096 + 8 : 4096 + 400] = os.urandom(392)
    source.write_bytes(whole)
    with pytest.raises(DamagedFile, match=r"damaged.*recover"):
        export_sqlite(source, tmp_path / "out")
    assert source.read_bytes() == bytes(whole)
    assert not any(path.suffix == ".parquet" for path in (tmp_path / "out").iterdir())


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all")
    with pytest.raises(BadInput, match="not a SQLite 3 database"):
        export_sqlite(tmp_path / "text.db", tmp_path / "out")
    with pytest.raises(NotFound, match="no such file"):
        export_sqlite(tmp_path / "none.db", tmp_path / "out")


KILLED = """
import os, sys
from toriwork.sqlite import export_sqlite
steps = 0
def stop(table, done, total):
    global steps
    steps += 1
    if steps == int(sys.argv[3]):
        os.kill(os.getpid(), 9)
export_sqlite(sys.argv[1], sys.argv[2], progress=stop)
"""


@pytest.mark.parametrize("step", [1, 4, 9, 13])
def test_a_killed_export_goes_on_behind_the_last_finished_table(tmp_path: Path, step: int) -> None:
    source = make(tmp_path / "hostile.db", many=9000)
    straight = export_sqlite(source, tmp_path / "straight")
    command = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "out"), str(step)]
    assert subprocess.run(command, check=False).returncode == -9
    begun: list[str] = []
    resumed = export_sqlite(source, tmp_path / "out", progress=lambda table, done, total: begun.append(table))
    assert {t.name: t.digest for t in resumed.tables} == {t.name: t.digest for t in straight.tables}
    assert len(set(begun)) <= len(straight.tables) - (step - 1) // 3
    assert verify_export(tmp_path / "out").complete
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        p.name for p in (tmp_path / "straight").iterdir()
    )


def test_two_exports_into_one_folder_do_not_mix(source: Path, tmp_path: Path) -> None:
    def meanwhile(table: str, done: int, total: int) -> None:
        with pytest.raises(LockUnavailable, match="another process is working"):
            export_sqlite(source, tmp_path / "out")

    assert export_sqlite(source, tmp_path / "out", progress=meanwhile).complete


def test_a_finished_export_is_not_made_again_and_another_state_is_refused(source: Path, tmp_path: Path) -> None:
    export_sqlite(source, tmp_path / "out")
    begun: list[str] = []
    export_sqlite(source, tmp_path / "out", progress=lambda table, done, total: begun.append(table))
    assert begun == []
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
    with pytest.raises(BadInput, match="another state"):
        export_sqlite(source, tmp_path / "out")
