"""The user's own document, step by step on a copy of the practice backend; its checklist, line by line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.migrate.engine import dying
from tests.migrate.engine.small import copied, tree

SAMPLE = Path(__file__).resolve().parents[3] / "data_samples" / "legacy_backend"

#: both as they stand in the document
INTEGRATION = """# test_integration_nodb.py
from alan_backend.origin_sentry import OriginSentry
from alan_backend.eigensentry_guard import CurvatureAwareGuard
from python.core.observer_synthesis import get_observer_synthesis
import numpy as np

# Test origin sentry with new registry
origin = OriginSentry()
eigenvalues = np.array([0.05, 0.03, 0.02])
result = origin.classify(eigenvalues)
print(f"OriginSentry: {result['coherence']}, novelty={result['novelty_score']:.3f}")

# Test eigensentry with observer tokens  
guard = CurvatureAwareGuard()
state = np.random.randn(100)
action = guard.check_eigenvalues(eigenvalues, state)
print(f"EigenSentry: action={action['action']}, threshold={action['threshold']:.3f}")

# Check observer tokens
synthesis = get_observer_synthesis()
print(f"Tokens generated: {synthesis.metrics['tokens_generated']}")
print(f"Context: {synthesis.synthesize_context()}")
"""  # noqa: W291 - verbatim
BENCHMARK = """# benchmark_nodb.py
import time
from python.core.torus_registry import get_torus_registry
import numpy as np

reg = get_torus_registry()
vertices = np.random.randn(100, 3)

# Benchmark writes
start = time.time()
for i in range(1000):
    reg.record_shape(vertices + i * 0.01)
reg.flush()
elapsed = time.time() - start

print(f"1000 writes in {elapsed:.2f}s ({1000/elapsed:.0f} writes/sec)")
"""


class Backend:
    """A copy of the practice backend with its history, and the shell of somebody who works in it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.state = folder / "backend", folder / "tori_state"
        shutil.copytree(SAMPLE, self.root, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.sh("python make_history.py")

    def sh(self, line: str, *, fails: bool = False) -> str:
        """What a line prints, errors included."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        extra = {"PATH": path, "TORI_STATE_ROOT": str(self.state), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "."}
        extra |= {"PRE_COMMIT_HOME": str(self.state.with_name("pre-commit"))}
        done = subprocess.run(
            line, shell=True, cwd=self.root, env=os.environ | extra, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    return Backend(tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def start(before: Backend) -> dict[str, str]:
    return tree(before.root)


@pytest.fixture(scope="module")
def migrated(before: Backend, start: dict[str, str]) -> Backend:
    """Step 2; the dry run changes nothing, the real one everything."""
    shown = before.sh("python migrate_to_nodb.py --dry-run")
    assert "nothing was changed" in shown
    assert "-import sqlite3" in shown
    assert (tree(before.root), before.state.exists()) == (start, False)
    assert "finished" in before.sh("python migrate_to_nodb.py")
    return before


def test_the_checklist_no_import_and_no_database_file_is_left(migrated: Backend) -> None:
    assert subprocess.run('grep -r "import sqlite3" .', shell=True, cwd=migrated.root, check=False).returncode == 1
    assert migrated.sh('find . -name "*.sqlite" -o -name "*.db" | wc -l').strip() == "0"
    assert list((migrated.root / "backup_pre_nodb/blobs").glob("*.gz"))


def test_step_3_the_exports_and_modules_are_there(migrated: Backend) -> None:
    names = {
        "torus_registry": "TorusRegistry, get_torus_registry, REG_PATH",
        "torus_cells": "TorusCells, get_torus_cells, betti0_1",
        "observer_synthesis": "ObserverSynthesis, get_observer_synthesis, emit_token",
    }
    for module, exported in names.items():
        migrated.sh(f'python -c "from python.core.{module} import {exported}; from python.core import {exported}"')
    assert migrated.sh('python -c "from python.core.topo_ops import betti0_1; print(betti0_1([[0.0]]))"')
    for path, imported in (
        ("origin_sentry", "Torus"),
        ("eigensentry_guard", "observer_synthesis"),
        ("braid_aggregator", "torus_cells"),
        ("chaos_channel_controller", "observer_synthesis"),
    ):
        assert imported in (migrated.root / f"alan_backend/{path}.py").read_text(encoding="utf-8")


def test_steps_5_and_6_the_scripts_of_the_document_run_unchanged(migrated: Backend) -> None:
    assert "TorusRegistry loaded " in (log := migrated.sh("timeout 20 python -m alan_backend.origin_sentry"))
    assert f"(schema v1) from {migrated.state}" in log
    script = migrated.root / "test_integration_nodb.py"
    script.write_text(INTEGRATION, encoding="utf-8")
    try:
        first, second = migrated.sh(f"python {script.name}"), migrated.sh(f"python {script.name}")
    finally:
        script.unlink()
    assert "OriginSentry: critical, novelty=0.700" in first
    assert int(first.split("Tokens generated: ")[1].split()[0]) >= 2
    assert "novelty=0.000" in second
    assert (migrated.state / "torus_registry.parquet").is_file()


def test_step_5_each_line_of_tests_selects_at_least_one(migrated: Backend) -> None:
    names = [line for line in migrated.sh("pytest -p no:cacheprovider -q --collect-only").splitlines() if "::" in line]
    assert all(any(word in name for name in names) for word in ("torus", "observer", "betti"))


@pytest.mark.long
def test_steps_5_and_6_all_tests_of_the_backend_pass_and_so_does_the_benchmark(migrated: Backend) -> None:
    for word in ("torus", "observer", "betti"):
        assert " passed" in migrated.sh(f'pytest -p no:cacheprovider -xvs -k "{word}"')
    script = migrated.root / "benchmark_nodb.py"
    script.write_text(BENCHMARK, encoding="utf-8")
    try:
        assert migrated.sh(f"python {script.name}").startswith("1000 writes in ")
    finally:
        script.unlink()


def test_step_4_the_hooks_pass_and_fail_once_an_import_comes_back(migrated: Backend, tmp_path: Path) -> None:
    again = Backend.__new__(Backend)
    again.root, again.state = copied(migrated.root, tmp_path / "again"), tmp_path / "state"
    again.sh("git init -q . && git add . && pre-commit install && pre-commit run --all-files")
    (again.root / "alan_backend/late.py").write_text("import sqlite3\n", encoding="utf-8")
    assert "late.py:1" in again.sh("git add . && pre-commit run --all-files", fails=True)


def test_every_row_of_the_old_history_is_in_the_registry_and_says_where_it_comes_from(migrated: Backend) -> None:
    code = """
from toriwork import TorusRegistry
from toriwork.state import registry_path
import json
rows = [json.loads(m) for m in TorusRegistry(registry_path(), read_only=True).df.metadata]
print(json.dumps([(m["source"], m["source_row"], m["migration"]) for m in rows if "migration" in m]))
"""
    rows = json.loads(migrated.sh(f"python -c '{code}'").splitlines()[-1])
    assert len(rows) == len({tuple(row) for row in rows}) == 320 + 60
    assert {row[0] for row in rows} == {"data/spectral.db/signatures", "data/braid.db/signatures"}
    assert len({row[2] for row in rows}) == 1


def test_a_second_run_has_nothing_to_do_and_verify_proves_the_first(migrated: Backend) -> None:
    here = tree(migrated.root)
    assert "nothing to do" in migrated.sh("python migrate_to_nodb.py")
    assert tree(migrated.root) == here
    assert "FAILED" not in migrated.sh("toriwork migrate verify .")
    assert "finished" in migrated.sh("toriwork migrate status . --check")


@pytest.mark.parametrize("line", [18, *(pytest.param(n, marks=pytest.mark.long) for n in (5, 9, 13, 30, 55))])
def test_killed_on_its_way_it_goes_on_and_comes_back_to_the_start(tmp_path: Path, line: int) -> None:
    backend = Backend(tmp_path)
    here = tree(backend.root)
    backend.sh(f"python {dying.__file__} {line}~ migrate_to_nodb.py", fails=True)
    assert "finished" in backend.sh("python migrate_to_nodb.py")
    assert "everything is as it was" in backend.sh("toriwork migrate rollback .")
    assert tree(backend.root) == here
    assert not (backend.root / "backup_pre_nodb").exists()
    assert not (backend.state / "torus_registry.parquet").exists()
