"""Taking a migration back: everything as it was, and nothing that somebody has done since is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.migrate.engine.small import DATABASE, NEW, OLD, build, plan_of, tree, write
from toriwork.errors import DamagedFile, MigrationError, NotFound, NotProven
from toriwork.migrate import Plan
from toriwork.migrate.engine import api
from toriwork.migrate.engine.apply import apply_steps, history_of
from toriwork.migrate.engine.backup import Backup
from toriwork.migrate.engine.rollback import prune, roll_back


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build(tmp_path / "code")


@pytest.fixture
def start(root: Path) -> dict[str, str]:
    return tree(root)


@pytest.fixture
def plan(root: Path, start: dict[str, str], state_root: Path) -> Plan:
    plan = plan_of(root, state_root)
    apply_steps(plan)
    return plan


def restored(root: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """restore.py alone: an isolated interpreter that finds no toriwork."""
    command = [sys.executable, "-I", "-S", *flags, str(root / "backup_pre_nodb/restore.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_every_byte_mode_time_and_link_is_as_it_was(root: Path, plan: Plan, start: dict[str, str]) -> None:
    assert roll_back(plan).phase == "rolled back"
    assert tree(root) == start
    assert not (root / "backup_pre_nodb").exists()
    assert (root / "pkg/windows.py").stat().st_mtime_ns == 10**18
    assert (root / DATABASE).stat().st_mtime_ns == 10**18
    assert roll_back(plan).notes == ["there is nothing to take back"]


def test_the_backup_alone_puts_everything_back_without_toriwork(root: Path, plan: Plan, start: dict[str, str]) -> None:
    done = restored(root)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(root) == start
    assert restored(root).stdout == ""
    for path in (root / "backup_pre_nodb").rglob("*.*"):
        assert b"sqlite" not in path.read_bytes()


@pytest.mark.parametrize("way", ["rollback", "restore.py"])
def test_what_somebody_changed_since_stays_with_the_original_beside_it(root: Path, plan: Plan, way: str) -> None:
    mine = NEW + b"\n\nROWS = 3  # mine\n"
    for path, data in (("pkg/plain.py", mine), ("capsule.yml", b"mine: 1\n"), (DATABASE, b"a new one")):
        (root / path).write_bytes(data)
    if way == "rollback":
        outcome = roll_back(plan)
        assert outcome.kept == ["capsule.yml", DATABASE, "pkg/plain.py"]
        assert history_of(plan).kept == outcome.kept
    else:
        assert restored(root).returncode == 3
    assert (root / "pkg/plain.py").read_bytes() == mine
    assert (root / "pkg/plain.py.toriwork-orig").read_bytes() == OLD + b"\n\nROWS = 3\n"
    assert (root / "capsule.yml").read_bytes() == b"mine: 1\n"
    assert (root / DATABASE).read_bytes() == b"a new one"
    assert (root / f"{DATABASE}.toriwork-orig").read_bytes().startswith(b"SQLite format 3")
    assert (root / "pkg/latin.py").read_bytes() == b"# coding: latin-1\n" + OLD + b"\nNAME = '\xe4'"
    assert (root / "backup_pre_nodb").exists()
    assert restored(root).returncode == 3
    assert not (root / "pkg/plain.py.toriwork-orig.2").exists()


def test_a_file_of_ours_that_somebody_deleted_comes_back(root: Path, plan: Plan, start: dict[str, str]) -> None:
    (root / "pkg/plain.py").unlink()
    (root / "capsule.yml").unlink()
    assert roll_back(plan).kept == []
    assert tree(root) == start


def test_what_python_compiled_from_new_modules_goes_with_them(root: Path, plan: Plan, start: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "compileall", "-q", "python"], cwd=root, check=True)
    assert list((root / "python/core/__pycache__").iterdir())
    roll_back(plan)
    assert tree(root) == start


def test_a_file_that_somebody_put_into_a_new_folder_keeps_the_folder(root: Path, plan: Plan) -> None:
    (root / "python/core/mine.py").write_bytes(b"MINE = 1\n")
    roll_back(plan)
    assert [path.name for path in (root / "python/core").iterdir()] == ["mine.py"]


def test_a_damaged_blob_is_never_put_back(root: Path, plan: Plan) -> None:
    entry = Backup(plan.backup).entries()["pkg/plain.py"]
    blob = plan.backup / "blobs" / f"{entry.sha256}.gz"
    other = Backup(plan.backup).entries()["pkg/latin.py"]
    blob.write_bytes((plan.backup / "blobs" / f"{other.sha256}.gz").read_bytes())
    assert not Backup(plan.backup).holds("pkg/plain.py")
    with pytest.raises(DamagedFile, match=r"pkg/plain\.py: cannot be put back"):
        roll_back(plan)
    assert (root / "pkg/plain.py").read_bytes() == NEW + b"\n\nROWS = 3\n"
    done = restored(root)
    assert (done.returncode, "is damaged" in done.stderr) == (1, True)
    with pytest.raises(MigrationError, match="rollback was begun"):
        apply_steps(plan)


def test_prune_tells_the_size_and_deletes_only_when_told_and_only_what_is_proven(
    root: Path, plan: Plan, state_root: Path
) -> None:
    size, gone = prune(plan, yes=False)
    assert (size > 100, gone, plan.backup.exists()) == (True, False, True)
    copy = state_root / "legacy/spectra"
    copy.rename(copy.with_name("away"))
    with pytest.raises(NotProven, match="is not there"):
        prune(plan, yes=True)
    assert plan.backup.exists()
    copy.with_name("away").rename(copy)
    assert api.prune(root, yes=True)[1]
    assert not (root / "backup_pre_nodb").exists()
    assert apply_steps(plan).phase == "finished"
    with pytest.raises(NotFound, match="no backup any more"):
        roll_back(plan)


def test_a_migration_under_way_is_not_pruned(root: Path, start: dict[str, str], state_root: Path) -> None:
    plan = plan_of(root, state_root)
    with pytest.raises(MigrationError, match="is planned"):
        prune(plan, yes=True)


def test_status_and_verify_tell_what_was_done_and_what_was_edited_since(
    root: Path, plan: Plan, state_root: Path
) -> None:
    assert {state for _, state in api.status(root).steps} == {"done"}
    assert api.verify(root).failed == {}
    (root / "pkg/plain.py").write_bytes(b"mine = 1\n")
    assert dict(api.status(root).steps)["file:pkg/plain.py"] == "edited since"
    (state_root / "legacy/spectra").unlink()
    next((root / "backup_pre_nodb/blobs").iterdir()).unlink()
    failed = api.verify(root).failed
    assert "missing or damaged" in failed["backup"]
    assert "is not there" in failed[f"data:{DATABASE}"]
    found = api.explain(root, "pkg/plain.py")
    assert found[0]["why"] == ["imports"]
    assert [line["kind"] for line in found[1:]] == ["intent", "done"]
    with pytest.raises(NotFound, match="says nothing of it"):
        api.explain(root, "pkg/none.py")


def test_a_rollback_tells_each_step(root: Path, plan: Plan) -> None:
    told: list[Any] = []
    roll_back(plan, progress=lambda event, **facts: told.append((event, facts["step"])))
    assert told[0] == ("undo", f"retire:{DATABASE}")
    assert told[-1] == ("undone", "backup")


def test_a_private_file_of_ours_is_ignored_by_git(root: Path, plan: Plan) -> None:
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    listed = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True)
    assert "toriwork/" not in listed.stdout
    assert "backup_pre_nodb" not in listed.stdout
    write(root / "pkg/plain.py", OLD, 0o644)
