"""Who may know whom: kept by the code as it is, and broken by each kind of breach that it is there to stop."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toriwork.codebase.source import tree_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "toriwork"
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"

#: what may write Parquet: nobody but the store
PARQUET_WRITERS = {"write_table", "ParquetWriter", "write_dataset", "to_parquet", "write_to_dataset"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def small_house(tmp_path):
    """The real contract over a package of empty rooms, quick to analyse."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in (
        "cli",
        "widgets",
        "plots",
        "monitors",
        "registry",
        "cells",
        "synthesis",
        "topology",
        "storage",
        "migrate",
        "sqlite",
    ):
        (tmp_path / "toriwork" / room).mkdir(parents=True)
        (tmp_path / "toriwork" / room / "__init__.py").touch()
    for module in (
        "__init__",
        "capsule",
        "checks",
        "lifetime",
        "locks",
        "state",
        "threads",
        "errors",
        "printed",
        "progress",
        "threads",
        "topology/engines",
    ):
        (tmp_path / "toriwork" / f"{module}.py").touch()
    return tmp_path


def test_the_code_as_it_is_keeps_it():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("topology/engines", "import gudhi, ripser", id="the engines' owner knows them"),
        pytest.param(
            "plots/cloud", "def draw():\n    from matplotlib.figure import Figure", id="plots know matplotlib"
        ),
        pytest.param("widgets/panel", "import ipywidgets", id="widgets know ipywidgets"),
        pytest.param("sqlite/source", "import sqlite3", id="the mover reads databases"),
        pytest.param("migrate/data", "import toriwork.sqlite", id="the migration stands on the mover"),
        pytest.param("storage/table", "import pyarrow.parquet", id="the store knows pyarrow"),
        pytest.param("synthesis/log", "import pyarrow", id="the token log has a schema"),
        pytest.param("cells/core", "import toriwork.synthesis", id="cells know the shared observer"),
        pytest.param("cli/demo", "import toriwork.plots, toriwork.registry, toriwork.errors", id="downwards"),
        pytest.param("__main__", "import toriwork.cli", id="python -m toriwork"),
        pytest.param("checks", "import toriwork.errors", id="checks raise errors"),
    ],
)
def test_what_is_allowed_passes(small_house, module, source):
    (small_house / "toriwork" / f"{module}.py").write_text(source)
    done = lint(small_house)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("storage/table", "import toriwork.registry", id="upwards"),
        pytest.param("storage/table", "def f():\n    import toriwork.registry", id="upwards inside a function"),
        pytest.param("storage/table", "import toriwork.topology", id="sideways"),
        pytest.param("synthesis/core", "import toriwork.cells", id="upwards, one floor up"),
        pytest.param("errors", "import toriwork.checks", id="errors know nothing"),
        pytest.param("cellar", "", id="a room that nobody placed"),
        pytest.param("topology/betti", "import gudhi", id="an engine beside the owner"),
        pytest.param("registry/rows", "from ripser import ripser", id="an engine elsewhere"),
        pytest.param("widgets/panel", "import matplotlib.pyplot", id="matplotlib outside plots"),
        pytest.param("plots/cloud", "import ipywidgets", id="ipywidgets outside widgets"),
        pytest.param("registry/rows", "import sqlite3", id="a database outside the migration"),
        pytest.param("sqlite/source", "import toriwork.migrate", id="the mover knows no migration"),
        pytest.param("topology/betti", "import pyarrow", id="pyarrow where nothing is stored"),
    ],
)
def test_each_kind_of_breach_is_caught(small_house, module, source):
    (small_house / "toriwork" / f"{module}.py").write_text(source)
    done = lint(small_house)
    assert done.returncode == 1, done.stdout
    assert "BROKEN" in done.stdout or "not listed" in done.stdout


def test_only_the_store_writes_parquet():
    """grimp sees packages only, so the writing half of pyarrow is looked for by name. An export is no table of ours."""
    writers = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in PACKAGE.rglob("*.py")
        if "storage" not in path.parts and path.parts[-2:] != ("sqlite", "groups.py")
        for node in ast.walk(tree_of(path.read_text(encoding="utf-8")))
        if (name := getattr(node, "attr", getattr(node, "id", None))) in PARQUET_WRITERS
    ]
    assert writers == [], "let toriwork/storage write it"
