"""A registry that was there before: put back byte for byte, or only the migrated rows taken out of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.migrate.data.backend import PLAN, Bench, make_database, tree
from toriwork.errors import PublishError
from toriwork.migrate.data import undoing
from toriwork.registry import SpectralDB, TorusRegistry
from toriwork.storage.paths import StorePaths


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    make_database(tmp_path / "code" / "spectral.db")
    bench = Bench(tmp_path / "code", tmp_path / "state")
    with TorusRegistry(registry_path(bench)) as registry:
        registry.record_shapes([np.eye(4) * n for n in range(1, 30)], metadata={"mine": True})
    return bench


def registry_path(bench: Bench) -> Path:
    return bench.state_root / "torus_registry.parquet"


def rows_of(bench: Bench) -> list[dict[str, Any]]:
    with TorusRegistry(registry_path(bench), read_only=True) as registry:
        return [json.loads(text) for text in registry.df["metadata"]]


WRITER = """
import sys, numpy as np
from toriwork.registry import TorusRegistry
registry = TorusRegistry(sys.argv[1])
registry._table._worker.wake = lambda **_: None  # else it publishes by itself, on a busy machine before we look
registry.record_shape(np.ones((3, 3)), (1, 0, 0), metadata={"live": 0})
print("ready", flush=True)
sys.stdin.readline()
registry.record_shape(np.ones((3, 2)), (1, 0, 0), metadata={"live": 1})
registry.close()
print("done", flush=True)
sys.stdin.readline()
"""


@contextmanager
def live_writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has recorded a row and keeps its journal open; it records another when it is told to."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_undone_the_registry_is_what_it_was_byte_for_byte(bench: Bench) -> None:
    before = tree(bench.root.parent)
    bench.apply()
    assert len(rows_of(bench)) == 29 + 39
    assert bench.undo()["data:registry"] == {"registry": "restored"}
    assert tree(bench.root.parent) == before


def test_rows_in_journals_that_a_killed_writer_left_come_back_too(bench: Bench) -> None:
    with live_writer(registry_path(bench)):
        pass
    before = tree(bench.root.parent)
    assert any(name.endswith(".journal") for name in before), sorted(before)
    bench.apply()
    assert bench.undo()["data:registry"] == {"registry": "restored"}
    assert tree(bench.root.parent) == before
    assert len(rows_of(bench)) == 30


def test_a_registry_that_legacy_code_wrote_is_put_back(tmp_path: Path) -> None:
    make_database(tmp_path / "code" / "spectral.db")
    bench = Bench(tmp_path / "code", tmp_path / "state")
    bench.state_root.mkdir()
    row = {
        "shape_id": "shape_0123456789ab",
        "timestamp": "2024-01-02T03:04:05",
        "betti0": 1.0,
        "betti1": 0.0,
        "betti2": None,
        "vertices_hash": "0123456789ab",
        "coherence_band": "local",
        "metadata": "{}",
        "_schema": "v1",
    }
    pd.DataFrame([row]).astype({"betti2": float}).to_parquet(registry_path(bench))
    before = tree(tmp_path)
    bench.apply()
    assert len(rows_of(bench)) == 40
    assert bench.undo()["data:registry"] == {"registry": "restored"}
    assert tree(tmp_path) == before


def test_rows_that_came_since_stay_and_only_the_migrated_ones_go(bench: Bench) -> None:
    bench.apply()
    with TorusRegistry(registry_path(bench)) as registry:
        registry.record_shape(np.arange(6.0), metadata={"later": True})
    done = bench.undo()["data:registry"]
    assert (done["registry"], done["rows"], done["why"]) == ("retracted", 39, "+1 rows since the migration")
    rows = rows_of(bench)
    assert [row for row in rows if "mine" in row] == [{"mine": True}] * 29
    assert [row for row in rows if "later" in row] == [{"later": True}]
    assert rows[-1] == {"retracts": PLAN, "rows": 39}
    assert len(rows) == 31
    # in the plain file too, and for whoever asks for spectra
    assert not any(
        PLAN in text and "retracts" not in text for text in pd.read_parquet(registry_path(bench))["metadata"]
    )
    with TorusRegistry(registry_path(bench)) as registry:
        assert len(SpectralDB(registry=registry)) == 0
        assert registry.verify().ok


def test_after_rows_were_retracted_the_migration_can_come_again_and_go_again(bench: Bench) -> None:
    steps = bench.plan()
    bench.apply(steps)
    with TorusRegistry(registry_path(bench)) as registry:
        registry.record_shape(np.arange(6.0), metadata={"later": True})
    bench.undo()
    before = tree(bench.state_root)
    bench.apply(steps)
    assert sum("migration" in row for row in rows_of(bench)) == 39
    assert bench.undo()["data:registry"] == {"registry": "restored"}
    assert tree(bench.state_root) == before


def test_under_a_live_writer_no_file_is_put_back_and_none_of_its_rows_is_lost(bench: Bench) -> None:
    with live_writer(registry_path(bench)) as process:
        bench.apply()
        done = bench.undo()["data:registry"]
        assert (done["registry"], done["why"]) == ("retracted", "another process has it open")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
    rows = rows_of(bench)
    assert sorted(row["live"] for row in rows if "live" in row) == [0, 1]
    assert not any("migration" in row for row in rows)
    assert sum("mine" in row for row in rows) == 29


def test_a_handle_of_this_process_counts_as_a_user(bench: Bench) -> None:
    bench.apply()
    with TorusRegistry(registry_path(bench)) as registry:
        assert bench.undo()["data:registry"]["why"] == "this process has it open"
        registry.record_shape(np.arange(3.0), metadata={"later": True})
    rows = rows_of(bench)
    assert sum("mine" in row for row in rows) == 29
    assert {"later": True} in rows


def test_rows_of_another_migration_stay(bench: Bench) -> None:
    with TorusRegistry(registry_path(bench)) as registry:
        note = {"migration": "another", "source": "x", "source_row": 1, "inner": {"migration": PLAN}}
        registry.record_shape(np.arange(3.0), metadata=note)
        registry.record_shape(np.arange(4.0), metadata={"inner": {"migration": PLAN}})
    bench.apply()
    with TorusRegistry(registry_path(bench)) as registry:
        registry.record_shape(np.arange(5.0), metadata={"later": True})
    assert bench.undo()["data:registry"]["rows"] == 39
    assert len(rows_of(bench)) == 29 + 2 + 1 + 1


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_a_way_back_that_was_cut_short_goes_on_with_what_it_had_decided(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    with live_writer(registry_path(bench)):
        pass
    before = tree(bench.root.parent)
    bench.apply()
    put, n_put = undoing.put, 0

    def dies(*args: Any) -> None:
        nonlocal n_put
        n_put += 1
        if n_put == killed_at:
            raise KeyboardInterrupt
        put(*args)

    steps = list(bench.begun)
    monkeypatch.setattr(undoing, "put", dies)
    with pytest.raises(KeyboardInterrupt):
        bench.undo()
    assert tree(bench.state_root) != {k: v for k, v in before.items() if k.startswith("state")}
    monkeypatch.undo()
    bench.begun = steps
    assert bench.undo()["data:registry"] == {"registry": "restored"}
    assert tree(bench.root.parent) == before


def test_a_retraction_that_could_not_publish_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.apply()
    with TorusRegistry(registry_path(bench)) as registry:
        registry.record_shape(np.arange(6.0), metadata={"later": True})
    steps = list(bench.begun)

    def full(*args: Any, **options: Any) -> None:
        raise PublishError("the disk is full")

    monkeypatch.setattr("toriwork.storage.maintenance.Maintenance.publish", full)
    with pytest.raises(PublishError):
        bench.undo()
    monkeypatch.undo()
    assert len(rows_of(bench)) >= 29 + 39 + 1
    bench.begun = steps
    assert bench.undo()["data:registry"]["registry"] == "retracted"
    rows = rows_of(bench)
    assert not any("migration" in row for row in rows)
    assert sum("mine" in row or "later" in row for row in rows) == 30


def test_the_registry_stays_untouched_when_nothing_was_kept(bench: Bench) -> None:
    before = tree(bench.state_root)
    assert undoing.take_back(registry_path(bench), bench.run.folder, PLAN) == {"registry": "untouched"}
    assert tree(bench.state_root) == before


def test_a_registry_that_was_removed_meanwhile_is_put_back_as_it_was(bench: Bench) -> None:
    before = tree(bench.state_root)
    bench.apply()
    paths = StorePaths.of(registry_path(bench))
    for path in [*paths.folder.rglob("*"), paths.base]:
        path.unlink()
    paths.folder.rmdir()
    bench.undo()
    assert tree(bench.state_root) == before
