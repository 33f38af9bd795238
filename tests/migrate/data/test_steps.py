"""The data of a code base: exported, proven, in the registry, retired; and all of it taken back."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.migrate.data.backend import PLAN, Bench, make_database, tree
from tests.sqlite.test_source import holder
from toriwork.codebase.index import CodebaseIndex
from toriwork.errors import BadInput, Drift, NotProven, SourceInUse
from toriwork.migrate.data.find import find_data
from toriwork.migrate.data.steps import data_manual, step_from_dict
from toriwork.registry import SpectralDB, TorusRegistry
from toriwork.sqlite import import_sqlite


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = tmp_path / "code"
    make_database(root / "data" / "spectral.db")
    (root / "origin.py").write_text("import sqlite3\n")
    return Bench(root, tmp_path / "state")


def registry_of(bench: Bench) -> TorusRegistry:
    return TorusRegistry(bench.state_root / "torus_registry.parquet", read_only=True)


def rows_of(bench: Bench) -> list[dict[str, Any]]:
    with registry_of(bench) as registry:
        return [json.loads(text) for text in registry.df["metadata"]]


def test_every_row_of_history_is_in_the_registry_with_its_migration_and_its_source_row(bench: Bench) -> None:
    bench.apply()
    rows = rows_of(bench)
    assert {row["migration"] for row in rows} == {PLAN}
    assert {row["source"] for row in rows} == {"data/spectral.db/signatures"}
    assert [row["source_row"] for row in rows] == [n for n in range(1, 41) if n != 5]
    assert rows[0]["signature"] == {"timestamp": 1.7e9, "hash_id": "h0", "gaps": [0.25]}


def test_the_spectra_are_those_of_the_database_bit_for_bit(tmp_path: Path) -> None:
    root = tmp_path / "code"
    made = make_database(root / "spectral.db")
    bench = Bench(root, tmp_path / "state")
    bench.apply()
    with registry_of(bench) as registry:
        frame = registry.df
        for eigen, shape_id in zip(made, frame["shape_id"], strict=True):
            assert registry.vertices(shape_id).tobytes() == eigen.tobytes()
        assert set(frame["coherence_band"]) == {"global"}
        assert frame["betti1"].tolist() == [n % 3 for n in range(40) if n != 4]
        newest = SpectralDB(registry=registry).last(len(made))
    assert [one.tolist() for one in newest] == [np.sort(eigen)[::-1].tolist() for eigen in reversed(made)]


def test_importing_twice_adds_none(bench: Bench) -> None:
    steps = bench.plan()
    bench.apply(steps[:-1])
    assert bench.facts[steps[-2].id]["added"] == 39
    again = steps[-2].do(bench.run)
    assert (again["added"], again["rows"]) == (0, 39)
    assert len(rows_of(bench)) == 39


def test_an_import_that_was_cut_short_adds_what_is_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = bench.plan()
    bench.apply(steps[:-2])
    record, seen = TorusRegistry.record_shapes, 0

    def dies(self: TorusRegistry, *args: Any, **options: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt
        return record(self, *args, **options)

    monkeypatch.setattr("toriwork.migrate.data.registry.BATCH_ROWS", 10)
    monkeypatch.setattr(TorusRegistry, "record_shapes", dies)
    with pytest.raises(KeyboardInterrupt):
        steps[-2].do(bench.run)
    monkeypatch.undo()
    assert len(rows_of(bench)) == 20
    assert steps[-2].do(bench.run)["added"] == 19
    assert [row["source_row"] for row in rows_of(bench)] == [n for n in range(1, 41) if n != 5]


def test_the_database_is_gone_and_the_export_makes_it_again(bench: Bench, tmp_path: Path) -> None:
    with closing(sqlite3.connect(bench.root / "data" / "spectral.db")) as connection:
        before = list(connection.iterdump())
    bench.apply()
    assert not (bench.root / "data" / "spectral.db").exists()
    folder = next((bench.state_root / "legacy").iterdir())
    import_sqlite(folder, tmp_path / "again.db")
    with closing(sqlite3.connect(tmp_path / "again.db")) as connection:
        assert list(connection.iterdump()) == before
    assert not [path for path in bench.root.parent.rglob("*.db") if path.name != "again.db"]


def test_nothing_in_the_backup_looks_like_a_database(bench: Bench) -> None:
    whole = (bench.root / "data" / "spectral.db").read_bytes()
    bench.apply()
    blobs = list(bench.run.backup_folder.rglob("*.gz"))
    assert whole in [gzip.decompress(path.read_bytes()) for path in blobs]
    assert not any(
        b"SQLite format 3" in path.read_bytes() for path in bench.run.backup_folder.rglob("*") if path.is_file()
    )


def test_undone_the_world_is_what_it_was_to_the_byte_the_mode_and_the_time(bench: Bench) -> None:
    (bench.root / "data" / "spectral.db").chmod(0o640)
    os.utime(bench.root / "data" / "spectral.db", ns=(10**18, 10**18 + 7))
    before = tree(bench.root.parent)
    bench.apply()
    assert tree(bench.root.parent) != before
    bench.undo()
    assert tree(bench.root.parent) == before


def test_a_step_may_be_done_and_undone_twice(bench: Bench) -> None:
    before = tree(bench.root.parent)
    steps = bench.plan()
    bench.apply([again for step in steps for again in (step, step)])
    assert len(rows_of(bench)) == 39
    for step in reversed(steps):
        step.undo(bench.run)
    bench.undo()
    assert tree(bench.root.parent) == before


@pytest.mark.parametrize("n_done", range(6))
def test_undone_after_any_step_the_world_is_what_it_was(bench: Bench, n_done: int) -> None:
    before = tree(bench.root.parent)
    bench.apply(bench.plan()[:n_done])
    bench.undo()
    assert tree(bench.root.parent) == before


def test_steps_verify_themselves_again(bench: Bench) -> None:
    steps = bench.plan()
    bench.apply(steps)
    for step in steps:
        step.verify(bench.run)
    parquet = next((bench.state_root / "legacy").rglob("signatures.parquet"))
    data = bytearray(parquet.read_bytes())
    data[len(data) // 2] ^= 1
    parquet.write_bytes(data)
    with pytest.raises(NotProven, match=r"signatures\.parquet"):
        next(step for step in steps if step.id.startswith("data:export")).verify(bench.run)


def test_an_import_of_which_a_row_is_missing_is_not_proven(bench: Bench) -> None:
    steps = bench.plan()
    bench.apply(steps[:-2])
    importing = steps[-2]
    importing.do(bench.run)
    record = next(path for path in (bench.state_root).glob("torus_registry*.parquet"))
    frame = pd.read_parquet(record)
    assert len(frame) == 39
    from toriwork.migrate.data import registry

    registry.retract(record, PLAN)
    with pytest.raises(NotProven, match="row 1 of data/spectral"):
        importing.verify(bench.run)


# ---- refusals -----------------------------------------------------------------------------------------------------


def test_an_open_handle_is_refused_and_nothing_is_lost(bench: Bench) -> None:
    path = bench.root / "data" / "spectral.db"
    steps = bench.plan()
    with holder(path, "SELECT count(*) FROM signatures") as process:
        with pytest.raises(SourceInUse, match=rf"process {process.pid}"):
            bench.apply(steps)
        assert path.exists()
    bench.undo()
    assert bench.apply(steps)["data:registry"]["rows"] == 0
    assert not path.exists()


def test_a_handle_that_was_opened_after_the_export_keeps_the_database_where_it_is(bench: Bench) -> None:
    path = bench.root / "data" / "spectral.db"
    steps = bench.plan()
    bench.apply(steps[:-1])
    before = path.read_bytes()
    with (
        holder(path, "SELECT count(*) FROM signatures") as process,
        pytest.raises(SourceInUse, match=rf"process {process.pid}"),
    ):
        steps[-1].do(bench.run)
    assert path.read_bytes() == before


def test_a_live_writer_with_a_log_is_refused_and_its_commits_stay(tmp_path: Path) -> None:
    path = tmp_path / "code" / "spectral.db"
    make_database(path, wal=True)
    bench = Bench(path.parent, tmp_path / "state")
    steps = bench.plan()
    with holder(path, "PRAGMA journal_mode = wal", "INSERT INTO settings VALUES ('late', 1)") as process:
        with pytest.raises((Drift, SourceInUse), match=r"spectral\.db"):
            bench.apply(steps)
        with pytest.raises(SourceInUse, match=rf"process {process.pid}"):
            bench.apply(bench.plan())
    assert path.with_name("spectral.db-wal").exists()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM settings WHERE key = 'late'").fetchone() == (1,)


def test_a_log_that_a_killed_writer_left_is_migrated_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "code" / "spectral.db"
    make_database(path)
    with holder(path, "PRAGMA journal_mode = wal", "INSERT INTO settings VALUES ('late', 1)"):
        pass
    bench = Bench(path.parent, tmp_path / "state")
    before = tree(tmp_path)
    assert path.with_name("spectral.db-wal").exists()
    bench.apply()
    assert list(bench.root.glob("*.db*")) == []
    settings = next((bench.state_root / "legacy").rglob("settings.parquet"))
    assert "late" in set(pd.read_parquet(settings)["key"])
    bench.undo()
    assert tree(tmp_path) == before


def test_a_database_that_was_written_to_since_the_plan_is_refused(bench: Bench) -> None:
    steps = bench.plan()
    with closing(sqlite3.connect(bench.root / "data" / "spectral.db")) as connection:
        connection.execute("DELETE FROM settings")
        connection.commit()
    with pytest.raises(Drift, match=r"data/spectral\.db: is gone or was written to"):
        bench.apply(steps)


def test_a_database_that_was_written_to_after_its_export_stays(bench: Bench) -> None:
    path = bench.root / "data" / "spectral.db"
    steps = bench.plan()
    bench.apply(steps[:-1])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM settings")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(Drift, match=r"data/spectral\.db"):
        steps[-1].do(bench.run)
    assert path.read_bytes() == before


def test_without_a_proof_a_database_stays(bench: Bench) -> None:
    steps = bench.plan()
    bench.apply(steps[:-1])
    for missing in steps[-1].describe()["needs"]:
        facts = bench.facts.pop(missing)
        with pytest.raises(NotProven, match="no proof"):
            steps[-1].do(bench.run)
        bench.facts[missing] = facts
    assert (bench.root / "data" / "spectral.db").exists()


def test_a_damaged_database_gets_no_step_and_is_named(bench: Bench) -> None:
    path = bench.root / "data" / "spectral.db"
    whole = bytearray(path.read_bytes())
    whole[4096:4600] = os.urandom(504)
    (bench.root / "bad.db").write_bytes(whole)
    assert not any("bad" in step.id for step in bench.plan())
    data = find_data(CodebaseIndex.scan(bench.root))
    manual = data_manual(data)
    assert [entry.path for entry in manual] == ["bad.db"]
    assert "damaged" in manual[0].why
    assert [(found.path, bool(found.damage), found.tables) for found in data.databases] == [
        ("bad.db", True, {}),
        ("data/spectral.db", False, {"signatures": 39, "settings": 2}),
    ]
    bench.apply()
    assert (bench.root / "bad.db").read_bytes() == whole


# ---- which files, which streams -----------------------------------------------------------------------------------


def test_links_to_a_database_go_with_it_and_come_back(bench: Bench) -> None:
    path = bench.root / "data" / "spectral.db"
    (bench.root / "alias.db").symlink_to("data/spectral.db")
    os.link(path, bench.root / "hard.sqlite")
    before = tree(bench.root)
    bench.apply()
    assert len(rows_of(bench)) == 39
    assert not any(name.endswith((".db", ".sqlite")) for name in tree(bench.root))
    bench.undo()
    assert tree(bench.root) == before
    # one file again, not two
    assert path.exists()
    assert (bench.root / "hard.sqlite").samefile(path)


def test_rows_stand_in_the_stream_of_the_class_that_opens_their_file(bench: Bench) -> None:
    bench.streams = {"data/spectral.db": "other_db"}
    bench.apply()
    assert {row["spectral_stream"] for row in rows_of(bench)} == {"other_db"}


def test_a_code_base_without_data_has_no_steps(tmp_path: Path) -> None:
    assert Bench(tmp_path, tmp_path / "state").plan() == []


def test_the_same_code_base_gives_the_same_steps(tmp_path: Path) -> None:
    make_database(tmp_path / "one" / "a.db")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.db").write_bytes((tmp_path / "one" / "a.db").read_bytes())
    one, two = (Bench(tmp_path / name, tmp_path / "state").plan() for name in ("one", "two"))
    assert [step.describe() for step in one] == [step.describe() for step in two]


def test_an_unknown_kind_of_step_is_refused() -> None:
    with pytest.raises(BadInput, match=r"kind 'data\.nothing'"):
        step_from_dict({"kind": "data.nothing", "id": "x"})


def test_what_somebody_changed_in_an_export_stays(bench: Bench) -> None:
    bench.apply()
    folder = next((bench.state_root / "legacy").iterdir())
    (folder / "notes.txt").write_text("mine")
    done = bench.undo()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert any(facts.get("kept") for facts in done.values())


def test_a_state_root_inside_the_code_base_is_no_part_of_it(tmp_path: Path) -> None:
    root = tmp_path / "code"
    make_database(root / "a.db")
    bench = Bench(root, root / "state")
    before = tree(root)
    bench.apply()
    assert bench.plan() == []
    bench.undo()
    assert tree(root) == before
