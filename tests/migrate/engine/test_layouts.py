"""A project builds, after a migration, what it built before; and its backup is found by nobody but us."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.migrate.engine.small import tree
from tests.migrate.fixtures import build
from tests.migrate.recipes.code import STORE, make_store
from toriwork.migrate import apply_plan, make_plan, rollback

SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PROJECT = '[project]\nname = "mylab"\nversion = "0.1"\n'


def built(root: Path, folder: Path, built_by: str) -> list[str]:
    """The modules that are built of a copy, offline: the wheel of hatch, the build folder of setuptools."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-q", "-w", str(folder), "."]
    if built_by == "setuptools":  # as its wheel is, and needs no other package
        command = [sys.executable, "-c", "from setuptools import setup; setup()", "build", "--build-lib", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if built_by == "setuptools":
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    with ZipFile(next(folder.glob("*.whl"))) as opened:
        return sorted(name for name in opened.namelist() if ".dist-info/" not in name)


@pytest.mark.parametrize("built_by", ["setuptools", "hatchling"])
@pytest.mark.parametrize("layout", ["", "src/"], ids=["flat", "src"])
def test_a_project_builds_the_same_modules_after_a_migration_and_restore_brings_it_back(
    tmp_path: Path, state_root: Path, layout: str, built_by: str
) -> None:
    if find_spec(built_by) is None or find_spec("pip") is None:
        pytest.skip(f"{built_by} or pip is not installed")
    files = {f"{layout}mylab/__init__.py": "", f"{layout}mylab/store.py": STORE}
    files |= {"pyproject.toml": (SETUPTOOLS if built_by == "setuptools" else HATCH) + PROJECT}
    root = build(tmp_path / "code", files)
    make_store(root / f"{layout}mylab" / "spectral.db", 8)
    start = tree(root)
    make_plan(root, state_root=state_root)
    assert apply_plan(root, trial=None).phase == "finished"
    assert not (root / "backup_pre_nodb").exists()
    backup = root / ".toriwork" / "backup_pre_nodb"
    assert backup.is_dir()
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(root), str(copy)], check=True)
    assert built(copy, tmp_path / "built", built_by) == ["mylab/__init__.py", "mylab/store.py"]
    if built_by == "hatchling":
        line = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path / "dist")]
        subprocess.run(line, cwd=copy, check=True, capture_output=True)
        names = ["tar", "tzf", str(next((tmp_path / "dist").glob("*.tar.gz")))]
        assert ".toriwork/" not in subprocess.run(names, capture_output=True, text=True, check=True).stdout
    other = tmp_path / "other"
    subprocess.run(["cp", "-r", str(root), str(other)], check=True)
    subprocess.run([sys.executable, "-I", "-S", other / ".toriwork/backup_pre_nodb/restore.py"], check=True)
    assert {path: state for path, state in tree(other).items() if path in start} == start
    assert set(tree(other)) == set(start)
    assert rollback(root).kept == []
    assert tree(root) == start
    assert not backup.exists()


def test_pytest_and_the_next_plan_do_not_look_into_the_backup(tmp_path: Path, state_root: Path) -> None:
    root = build(
        tmp_path / "code", {"setup.cfg": "[tool:pytest]\npython_files = *.py\n", "lab/a.py": "import sqlite3\n"}
    )
    make_plan(root, state_root=state_root)
    apply_plan(root, trial=None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only", "--doctest-modules"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert "restore" not in done.stdout + done.stderr
    assert make_plan(root, state_root=state_root).empty
