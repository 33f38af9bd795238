"""Five code bases: what moves, what stays and why, their own tests before and after, and every byte back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.migrate.engine.small import tree
from tests.migrate.fixtures import build
from tests.migrate.fixtures.code_bases import (
    AIOSQLITE,
    PICKLE_AND_JSON,
    SPECTRAL,
    SQLALCHEMY,
    SQLITE_UTILS,
    CodeBase,
)
from toriwork.cli import main
from toriwork.cli.migrate import BY_HAND
from toriwork.migrate import current_plan, status

ROOT = Path(__file__).resolve().parents[2]


class Wanted(NamedTuple):
    """A code base, and what becomes of it."""

    base: CodeBase
    n_tests: int
    phase: str  #: "": there is nothing that could be done
    databases: dict[str, bool]  #: path -> it goes
    told: tuple[str, ...]  #: patterns of what is left to a person, or noted
    moved: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()  #: files of the code base that are written


BASES = {
    "sqlite-utils, src": Wanted(
        SQLITE_UTILS, 2, "", {"data/runs.db": False}, (r"src/runlog/log.py:11: names data/runs.db, which therefore",)
    ),
    "SQLAlchemy, flat": Wanted(
        SQLALCHEMY, 2, "", {"measured.sqlite3": False}, (r"measured/models.py:17: names measured.sqlite3",)
    ),
    "aiosqlite, src": Wanted(
        AIOSQLITE,
        2,
        "waiting",
        {"state/alarms.db": False, "archive/season-2019.sqlite": False},
        (
            r"scripts/nightly.sh:2: names state/alarms.db",
            r"export  archive/season-2019.sqlite: alarms 40 rows",
            r"src/watcher/bus.py:6: import of aiosqlite",
        ),
    ),
    "pickle and JSON, flat": Wanted(
        PICKLE_AND_JSON,
        2,
        "finished",
        {"before-json.db": True},
        (
            r"modes/memory.py:\d+: ModeMemory stays: it keeps its spectra in pickle, which is no database",
            r"modes.pkl: is a pickle, which is never loaded",
            r"before-json.db: 1 of 6 rows of modes are no spectra",
        ),
        changed=("modes/memory.py",),
    ),
    "spectral class, src": Wanted(
        SPECTRAL,
        5,
        "finished",
        {"spectra.db": True},
        (r"src/lattice/shape.py:4: betti_numbers", r"pytest\): nothing fails.*, 4\d\d calls are answered as before"),
        moved=("SpectralDB",),
        changed=("src/lattice/store.py",),
    ),
}


def python(root: Path, state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), str(root), os.environ.get("PYTHONPATH")]))
    more = {"PYTHONPATH": path, "TORI_STATE_ROOT": str(state), "PYTHONDONTWRITEBYTECODE": "1"}
    line = [sys.executable, *words]
    return subprocess.run(line, cwd=root, env=os.environ | more, capture_output=True, text=True, check=False)


def own_tests(root: Path, state: Path) -> str:
    """How the code base's own tests end."""
    done = python(root, state, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    return re.sub(r" in [\d.]+s.*", "", done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", BASES)
def test_a_code_base_moves_or_stays_works_on_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    wanted = BASES[name]
    if find_spec(wanted.base.needs) is None:
        pytest.skip(f"{wanted.base.needs} is not installed")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the code bases have none, and each takes its time
    root, state = build(tmp_path / "code", wanted.base.files), tmp_path / "state"
    made = python(root, state, "-c", textwrap.dedent(wanted.base.data))
    assert made.returncode == 0, made.stderr
    assert own_tests(root, state) == f"{wanted.n_tests} passed"
    start = tree(root)

    code = main(["migrate", str(root), "--no-diff", "--state-root", str(state)])
    said = capsys.readouterr().out
    assert code == BY_HAND
    for pattern in wanted.told:
        assert re.search(pattern, said), said
    assert {path: not (root / path).exists() for path in wanted.databases} == wanted.databases
    assert own_tests(root, state) == f"{wanted.n_tests} passed"
    if not wanted.phase:
        assert tree(root) == start
        return
    plan = current_plan(root)
    assert tuple(one["name"] for one in plan.content["moved"]) == wanted.moved
    assert tuple(one["path"] for one in plan.content["files"] if one["path"] in start) == wanted.changed
    assert status(root).phase == wanted.phase
    assert main(["migrate", "verify", str(root)]) == 0

    assert main(["migrate", "rollback", str(root)]) == 0
    assert tree(root) == start
    assert own_tests(root, state) == f"{wanted.n_tests} passed"
