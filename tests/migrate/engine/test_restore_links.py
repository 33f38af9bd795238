"""What the backup's own script brings back beside files: links. And what it says of the state that it leaves alone."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.migrate.engine.small import tree
from toriwork.migrate import apply_plan, make_plan, rollback, verify

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A code base whose one database has three names."""
    folder = tmp_path / "lab"
    (folder / "data").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "data" / "lab.db")) as connection:
        connection.execute("CREATE TABLE spectra (ts REAL, eigenvalues TEXT)")
        connection.execute("INSERT INTO spectra VALUES (1.5, '[0.3, 0.1]')")
        connection.commit()
    (folder / "data" / "lab.db").chmod(0o640)
    (folder / "latest.db").symlink_to("data/lab.db")
    os.link(folder / "data" / "lab.db", folder / "again.sqlite")
    make_plan(folder, state_root=tmp_path / "state")
    return folder


def restore(root: Path) -> str:
    command = [sys.executable, "-S", "-I", str(root / "backup_pre_nodb" / "restore.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def names(root: Path) -> dict[str, str]:
    return {path: state for path, state in tree(root).items() if not path.startswith("backup_pre_nodb")}


def test_links_come_back_as_the_links_that_they_were(root):
    start = names(root)
    assert apply_plan(root).phase == "finished"
    assert not [path for path in root.rglob("*") if path.suffix in (".db", ".sqlite")]
    assert verify(root).failed == {}
    said = restore(root)
    assert "restored  latest.db" in said
    assert names(root) == start
    assert (root / "latest.db").readlink() == Path("data/lab.db")
    assert (root / "again.sqlite").samefile(root / "data" / "lab.db")
    assert "restored" not in restore(root)


def test_it_says_what_it_leaves_and_what_takes_that_back(root, tmp_path):
    apply_plan(root)
    *_, what, command = restore(root).splitlines()
    assert "the rows of migration" in what
    assert str(tmp_path / "state") in what
    assert f"toriwork migrate rollback {root}" in command
    assert (tmp_path / "state" / "torus_registry.parquet").exists()
    assert rollback(root).kept == []
    assert not (tmp_path / "state").exists()


def test_a_link_that_somebody_put_there_since_is_kept(root):
    apply_plan(root)
    (root / "latest.db").symlink_to("elsewhere")
    backup = root / "backup_pre_nodb"
    done = subprocess.run([sys.executable, str(backup / "restore.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "kept      latest.db" in done.stdout
    assert (root / "latest.db").readlink() == Path("elsewhere")
    assert (root / "latest.db.toriwork-orig").readlink() == Path("data/lab.db")


def test_the_links_need_no_blobs(root):
    apply_plan(root)
    entries = json.loads((root / "backup_pre_nodb" / "MANIFEST.json").read_text())["entries"]
    assert {entry["path"]: entry["same_as"] for entry in entries if entry["same_as"]}
    assert len([*(root / "backup_pre_nodb" / "blobs").iterdir()]) == 1
