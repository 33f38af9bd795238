"""`import toriwork` is cheap and leaves no trace; every name of the front door leads somewhere."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import toriwork
from tests.house.probe import exists

HEAVY = {
    "numpy",
    "pyarrow",
    "pandas",
    "matplotlib",
    "gudhi",
    "ripser",
    "ipywidgets",
    "scipy",
    "sklearn",
    "yaml",
    "duckdb",
    "tqdm",
}
HOMES = toriwork._HOMES | toriwork._LIVE
ROOT = Path(toriwork.__file__).parent.parent

TRACES = """
import json, logging, os, signal, sys, threading, warnings
environment, filters = dict(os.environ), list(warnings.filters)
import toriwork
print(json.dumps({
    "environment": dict(os.environ) == environment,
    "warning filters": list(warnings.filters) == filters,
    "log handlers": not logging.getLogger().handlers,
    "threads": threading.active_count() == 1,
    "signals": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
}))
"""


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that knows this checkout and nothing of the user."""
    known = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=known, capture_output=True, text=True, check=True)


@pytest.fixture
def empty_world(tmp_path):
    """A home, a working directory and a state root that does not exist, all empty."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_importing_loads_no_heavy_library(empty_world):
    report = python("-X", "importtime", "-c", "import toriwork", cwd=empty_world / "work").stderr
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in report.splitlines() if "|" in line}
    assert "toriwork" in loaded
    assert not loaded & HEAVY, "import it in the function that needs it; `python -X importtime` tells who loads it"


def test_importing_touches_no_file(empty_world):
    home, state = empty_world / "home", empty_world / "state"
    python("-c", "import toriwork", cwd=empty_world / "work", HOME=str(home), TORI_STATE_ROOT=str(state))
    assert sorted(path.name for path in empty_world.rglob("*")) == ["home", "work"]


def test_importing_changes_nothing_in_the_process(empty_world):
    kept = json.loads(python("-c", TRACES, cwd=empty_world / "work").stdout)
    assert [name for name, same in kept.items() if not same] == []


@pytest.mark.parametrize("name", sorted(HOMES))
def test_every_public_name_leads_to_its_home(name):
    home = HOMES[name]
    if not exists(home):
        pytest.skip(f"{home} does not exist yet")
    assert getattr(toriwork, name) == getattr(import_module(home), name)
    assert name in toriwork.__all__, "the tables of toriwork/__init__.py make __all__"
    assert name in dir(toriwork)


def test_an_unknown_name_is_refused_like_any_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = toriwork.no_such_name
    with pytest.raises(ImportError):
        exec("from toriwork import no_such_name")


def test_a_type_checker_sees_the_same_names():
    """The block under TYPE_CHECKING in the front door and the table of homes are one list."""
    tree = ast.parse(Path(toriwork.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.asname: node.module for node in imports for alias in node.names}
    told = {name: home for name, home in HOMES.items() if exists(home)}
    assert seen == told, "name it in toriwork/__init__.py twice: in _HOMES and under TYPE_CHECKING"


def test_the_package_says_that_it_is_typed():
    assert (Path(toriwork.__file__).parent / "py.typed").is_file()
