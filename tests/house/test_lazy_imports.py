"""Threads may import the parts of SciPy that the package asks for, all at the same time."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from toriwork.codebase.source import tree_of

PACKAGE = Path(__file__).parents[2] / "toriwork"
CALLS = """
import sys, threading
import numpy as np
from toriwork import estimate_betti, persistence
rng = np.random.default_rng(0)
small, large = rng.normal(size=(60, 2)), rng.normal(size=(900, 3))
series = rng.normal(size=500)
calls = [
    lambda: persistence(small), lambda: persistence(large), lambda: estimate_betti(small),
    lambda: persistence(series, filtration="lower_star"),
    lambda: persistence(graph=[[0, 1, 1.0], [1, 2, 2.0]]), lambda: persistence(small, filtration="alpha"),
    lambda: persistence(small, metric="cityblock"), lambda: persistence(small, filtration="h0"),
]
ready, failed = threading.Barrier(len(calls)), []
def run(call):
    ready.wait()
    try:
        call()
    except BaseException as error:
        failed.append(repr(error))
sys.setswitchinterval(1e-4)
threads = [threading.Thread(target=run, args=[call]) for call in calls]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(*failed, sep="\\n")
"""


def imports_of_scipy() -> list[list[str]]:
    """The lines that import something of SciPy, by the block in which they stand: each runs in a thread."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(tree_of(file.read_text(encoding="utf-8"))):
            body = getattr(node, "body", ())
            imports = (
                [one for one in body if isinstance(one, ast.Import | ast.ImportFrom)] if body.__class__ is list else []
            )
            lines = [line for line in map(ast.unparse, imports) if line.split()[1].partition(".")[0] == "scipy"]
            found |= {tuple(lines)} if lines else set()
    return sorted(map(list, found))


def test_threads_may_begin_with_different_calls() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True, check=True)
        assert not done.stdout.strip(), done.stdout


@pytest.mark.parametrize(
    "call", ["persistence(graph=[[0, 1, 1.0]])", "persistence_each([[[0, 1], [1, 0], [1, 1]]] * 2, {})"]
)
def test_the_package_of_most_parts_is_loaded_before_any(call: str) -> None:
    names = "from toriwork.topology import persistence\nfrom toriwork.topology.compute import persistence_each\n"
    code = f"import sys\n{names}assert 'scipy' not in sys.modules\n{call}\nassert 'scipy.spatial' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_part_that_its_package_imports_is_never_asked_for_first() -> None:
    """One thread has the package and waits for the part, another has the part and waits for the package."""
    groups = [[line.split()[1] for line in lines] for lines in imports_of_scipy()]
    asked = {module for modules in groups for module in modules} - {"scipy"}
    code = "import sys, importlib\nimportlib.import_module(sys.argv[1])\nprint(*sys.modules)"
    for parent in asked:
        done = subprocess.run([sys.executable, "-c", code, parent], capture_output=True, text=True, check=True)
        loaded = set(done.stdout.split())
        for modules in groups:
            first = modules[: modules.index(parent)] if parent in modules else modules
            assert not [name for name in first if name.startswith(f"{parent}.") and name in loaded]
