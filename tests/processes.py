"""The tests that start processes: ``make check`` leaves them out (``-m "not process"``), ``make test`` runs them.

The root conftest marks a test when its code, a fixture of it, or a helper in tests/ or tools/ that either calls, names
one of ``STARTERS``; and every test of ``MODULES``, which start processes inside toriwork.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

TESTS = Path(__file__).parent
TOOLS = TESTS.parent / "tools"
STARTERS = {
    "NotebookClient",
    "subprocess",
    "multiprocessing",
    "ProcessPoolExecutor",
    "Popen",
    "fork",
    "get_context",
    "psutil",
}
#: relative to tests/
MODULES = (
    "benchmarks/test_runs.py",
    "cli/test_soak.py",
    "house/test_import_contract.py",
    "migrate/engine/test_legacy_backend.py",
    "migrate/engine/test_trial.py",
    "soak/test_pool.py",
    "topology/test_cluster.py",
)


@cache  # a test has many forms
def starts_processes(*functions: Callable[..., Any]) -> bool:
    """True when one of the functions, or a helper in tests/ or tools/ that it calls, names a starter of processes."""
    waiting: list[Any] = list(functions)
    seen: set[CodeType] = set()
    while waiting:
        one = inspect.unwrap(waiting.pop())
        if inspect.isclass(one) and one.__module__.startswith("tests"):
            waiting += [getattr(value, "__func__", value) for value in vars(one).values()]
        code = getattr(one, "__code__", None)
        if code is None or code in seen or not any(map(Path(code.co_filename).is_relative_to, (TESTS, TOOLS))):
            continue
        seen.add(code)
        names = set(_names(code))
        if names & STARTERS:
            return True
        known = [one.__globals__[name] for name in names if name in one.__globals__]
        helpers = [
            value for value in known if isinstance(value, ModuleType) and value.__name__.startswith(("tests", "tools"))
        ]
        waiting += [value for value in known if callable(value)]
        waiting += [getattr(helper, name) for helper in helpers for name in names if callable(getattr(helper, name, 0))]
    return False


def _names(code: CodeType) -> Iterator[str]:
    """Every name that a function uses, inner functions included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
