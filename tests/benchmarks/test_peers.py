"""Peers do the same work: same ids, same fields, and they survive what we say they survive."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks.child import ROOT
from benchmarks.legacy import FLUSH_EVERY, LegacyRegistry
from benchmarks.paired_rounds import make_clouds
from benchmarks.peers import COLUMNS, OPENERS, fields
from toriwork.registry.rows import PUBLISHED, SCHEMA

STORES = [name for name in OPENERS if not name.startswith("legacy")]
(CLOUD,) = make_clouds(1)


@pytest.mark.parametrize("name", STORES)
def test_every_store_gives_the_same_id(name, tmp_path):
    store = OPENERS[name](tmp_path)
    assert store.record(CLOUD) == fields(CLOUD)[1]
    store.close()


def test_a_peer_keeps_every_field_that_we_keep():
    assert {name for name, _ in COLUMNS} == set(SCHEMA.names) - {*PUBLISHED, "retracts"}  # which no record fills
    assert np.array_equal(np.frombuffer(fields(CLOUD)[-1]).reshape(100, 3), CLOUD)


@pytest.mark.parametrize("mode", ["OFF", "NORMAL", "FULL"])
def test_sqlite_runs_in_the_mode_that_its_name_says(mode, tmp_path):
    store = OPENERS[f"SQLite WAL/{mode}"](tmp_path)
    store.record(CLOUD)
    assert store._base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._base.execute("PRAGMA synchronous").fetchone() == (["OFF", "NORMAL", "FULL"].index(mode),)
    with sqlite3.connect(tmp_path / "peer.sqlite") as other:  # committed: another connection sees it
        assert other.execute("SELECT shape_id FROM shapes").fetchall() == [(fields(CLOUD)[1],)]
    store.close()


@pytest.mark.parametrize("name", ["toriwork", "SQLite WAL/OFF", "SQLite WAL/NORMAL", "LMDB sync=False"])
def test_what_is_compared_survives_the_death_of_its_process(name, tmp_path):
    code = (
        "import os, pathlib, sys; from benchmarks.peers import OPENERS\n"
        "from benchmarks.paired_rounds import make_clouds\n"
        "store = OPENERS[sys.argv[1]](pathlib.Path(sys.argv[2]))\n"
        "for cloud in make_clouds(3): store.record(cloud)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, name, str(tmp_path)], cwd=ROOT, check=False).returncode == -9
    assert n_rows(OPENERS[name], tmp_path) == 3


def n_rows(opener, folder) -> int:
    """Rows that a store holds when it is opened again."""
    if (folder / "peer.sqlite").exists():
        with sqlite3.connect(folder / "peer.sqlite") as base:
            return base.execute("SELECT count(*) FROM shapes").fetchone()[0]
    store = opener(folder)
    found = len(store.registry) if hasattr(store, "registry") else store._base.stat()["entries"]
    store.close()
    return found


class TestTheLegacyRegistry:
    def test_writes_everything_anew_every_hundred_rows(self, tmp_path):
        legacy = LegacyRegistry(tmp_path, n_rows=50)
        for cloud in make_clouds(FLUSH_EVERY - 1):
            legacy.record(cloud)
        assert not legacy.path.exists()
        legacy.record(CLOUD)
        rows = pd.read_parquet(legacy.path)
        assert len(rows) == 50 + FLUSH_EVERY
        assert list(rows.columns) == list(SCHEMA.names[:9])

    def test_keeps_no_vertices(self, tmp_path):
        legacy = LegacyRegistry(tmp_path)
        legacy.record(CLOUD)
        legacy.close()
        assert legacy.path.stat().st_size < 10_000
