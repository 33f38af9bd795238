"""Whole code bases after all recipes, run as their users run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.migrate.fixtures.json_backend import json_backend
from tests.migrate.fixtures.pickle_backend import pickle_backend
from toriwork.migrate.recipes import World, core_modules, rewrite

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "data_samples" / "legacy_backend"

VERIFICATION = """
from alan_backend.origin_sentry import OriginSentry
from alan_backend.eigensentry_guard import CurvatureAwareGuard
from python.core.observer_synthesis import get_observer_synthesis
import numpy as np
result = OriginSentry().classify(np.array([0.05, 0.03, 0.02]))
print(f"OriginSentry: {result['coherence']}, novelty={result['novelty_score']:.3f}")
CurvatureAwareGuard().check_eigenvalues(np.array([0.05, 0.03, 0.02]), np.random.randn(100))
print(get_observer_synthesis().metrics["tokens_generated"])
"""


def migrate(root: Path, left: dict[tuple[str, int], str] | None = None) -> World:
    """Write what recipes make of every file, and see that nothing is left to do, and what is left to a person."""
    world = World.look(root)
    results = [(path, rewrite(path, (root / path).read_bytes(), world)) for path in world.code]
    manual = [finding for _, found in results for finding in found.manual]
    assert {(finding.path, finding.line) for finding in manual} == set(left or {})
    assert all(finding.why.startswith((left or {})[finding.path, finding.line]) for finding in manual)
    for path, found in results:
        (root / path).write_bytes(found.after)
    for path, found in core_modules(world, [found.after for _, found in results]).items():
        (root / path).write_bytes(found.after)
    again = World.look(root)
    for path in again.code:
        assert rewrite(path, (root / path).read_bytes(), again).recipes == ()
    return world


def run(root: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(root / "src"), str(root)])}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of the backend to practise on, with its history."""
    root = tmp_path / "backend"
    shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns("__pycache__"))
    run(root, "make_history.py")
    return root


def test_the_sample_prints_what_the_seed_wants_and_knows_the_spectrum_the_second_time(sample):
    assert "OriginSentry: critical, novelty=0.700" in run(sample, "-c", FIRST)
    migrate(sample)
    for database in list(sample.rglob("*.db")):
        database.unlink()
    assert run(sample, "-c", VERIFICATION).splitlines()[-2:] == ["OriginSentry: critical, novelty=0.700", "2"]
    assert run(sample, "-c", VERIFICATION).splitlines()[-2] == "OriginSentry: critical, novelty=0.000"
    said = run(sample, "-m", "alan_backend.origin_sentry")
    assert "TorusRegistry loaded 2 rows (schema v1) from " in said
    assert "TorusRegistry loaded 2 rows" in (sample / "logs" / "alan.log").read_text()
    assert not any(b"import sqlite3" in path.read_bytes() for path in sample.rglob("*") if path.is_file())


FIRST = VERIFICATION.split("CurvatureAwareGuard().", maxsplit=1)[0].replace(
    "from python.core.observer_synthesis import get_observer_synthesis\n", ""
)


ANSWERS = """
import sys
import numpy as np
from alan_backend.origin_sentry import SpectralDB, SpectralSignature
dice = np.random.default_rng(5)
dbs = [SpectralDB(sys.argv[1] + f"/{name}.db", max_entries=7) for name in "ab"]
print(bool(dbs[0]), dbs[0].distance([0.5]), dbs[0].count(), dbs[0].recent())
for n in range(60):
    db = dbs[int(dice.integers(2))]
    band = ("local", "global", "critical")[int(dice.integers(3))]
    betti = [1.0, float(n)] if dice.integers(2) else None
    db.add(SpectralSignature(float(n), dice.normal(size=4), f"h{n}", betti, band, [0.5] * int(dice.integers(3))))
    if n % 20 == 10:
        dbs = [SpectralDB(sys.argv[1] + f"/{name}.db", max_entries=7) for name in "ab"]
    top = int(dice.integers(1, 12))
    print(db.count(), round(db.distance(dice.normal(size=4), top), 12), db.describe())
    print([(s.timestamp, s.eigenvalues.tolist(), s.hash_id, s.betti_numbers, s.coherence_state, s.gaps)
           for s in db.recent(top)], type(db.recent(1)[0]).__name__)
for signature in (SpectralSignature(None, [1.0], "a"), SpectralSignature(1.0, [1.0], None)):
    try:
        dbs[0].add(signature)
    except Exception:
        print("refused", dbs[0].count())
"""


def test_the_moved_class_of_the_sample_answers_random_calls_as_before(sample, tmp_path):
    (tmp_path / "files").mkdir()
    before = run(sample, "-c", ANSWERS, str(tmp_path / "files"))
    migrate(sample)
    assert run(sample, "-c", ANSWERS, str(tmp_path / "files")).split("\n") == before.split("\n")
    assert before.count("\n") == 123


def test_the_history_of_the_sample_is_the_same_each_time(sample, tmp_path):
    run(sample, "make_history.py", "--to", str(tmp_path / "again"))
    for name in ("data/spectral.db", "data/braid.db", "history/spectral_2022.json"):
        assert (sample / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_odd_files_of_the_sample_keep_their_bytes(sample):
    units = (sample / "alan_backend/units.py").read_bytes()
    migrate(sample)
    assert (sample / "alan_backend/units.py").read_bytes() == units
    tools = (sample / "alan_backend/spectral_tools.py").read_bytes()
    assert tools.count(b"\n") == tools.count(b"\r\n")
    assert b"\t" in tools
    assert b"# keep in step with origin_sentry.EPS\r\n" in tools


def test_a_backend_over_json_with_other_names_works_on(tmp_path):
    root = json_backend(tmp_path / "backend")
    store = (root / "src/spectral/store.py").read_bytes()
    why = "SpectralDB stays: it keeps its spectra in json, which is no database. By hand: derive it from toriwork"
    migrate(root, {("src/spectral/store.py", 33): why})
    assert (root / "src/spectral/store.py").read_bytes() == store
    said = run(
        root,
        "-c",
        "import asyncio, numpy as np\n"
        "from watch.novelty import OriginSentry\nfrom watch.curvature import CurvatureAwareGuard\n"
        "from watch.braids import Braids\nfrom watch.bursts import ChaosController\n"
        "from toriwork import get_observer_synthesis\n"
        "s = OriginSentry(); print([round(s.classify([0.05, 0.03])['novelty_score'], 3) for _ in range(2)])\n"
        "print(len(s.spectral_db.signatures), s.spectral_db.label, s.spectral_db.get_statistics()['total_entries'])\n"
        "print(CurvatureAwareGuard().check_eigenvalues([3.0], [0])['action'])\n"
        "b = Braids(); b.record_event('x', data={'vertices': np.eye(3)}); print(asyncio.run(b.aggregate('micro')))\n"
        "c = ChaosController(); c.trigger(1, 1); c.step()\n"
        "print(get_observer_synthesis().metrics['tokens_generated'])\n",
    ).splitlines()
    assert said[0] == "[0.7, 0.0]"
    assert said[1] == "3 spectra in spectral_db.json 3"
    assert said[2] == "emergency_damp"
    assert "'event_count': 1" in said[3]
    assert said[-1] == "5"


def test_a_memory_in_a_pickle_stays_and_is_never_loaded(tmp_path):
    root = pickle_backend(tmp_path / "backend")
    before = {name: (root / name).read_bytes() for name in ("settings.py", "memory.py", "spectra.pkl")}
    why = "SpectrumMemory stays: it keeps its spectra in pickle, which is no database. By hand: derive it from"
    migrate(root, {("memory.py", 4): why})
    assert {name: (root / name).read_bytes() for name in before} == before
    (root / "spectra.pkl").unlink()
    code = "from sentry import Sentry\ns = Sentry()\nprint(s.classify([0.3])['novelty_score'], s.memory.size())\n"
    assert run(root, "-c", code).splitlines()[-1] == "0.7 1"
    assert run(root, "-c", code).splitlines()[-1] == "0.0 2"
