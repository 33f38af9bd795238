"""The room that tests and notebooks run in: a home of their own, never the user's.

Stands at the top because ``pytest --nbval notebooks`` reads no ``tests/conftest.py``. Kernels inherit the
environment, so that notebooks write below the same temporary directory as tests.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.processes import MODULES, TESTS, starts_processes

#: variables that would lead a library out of the temporary home
_LEADING_OUT = (
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "MPLCONFIGDIR",
    "IPYTHONDIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTER_PATH",
)
_HOME = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the long forms of tests (minutes)")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mark_processes(items)
    if not config.getoption("--long"):
        skip = pytest.mark.skip(reason="a long form; `make long` runs it")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)


def mark_processes(items: list[pytest.Item]) -> None:
    """Mark the tests that start processes; tests/processes.py says which."""
    modules = {TESTS / name for name in MODULES}
    for item in items:
        if isinstance(item, pytest.Function):
            named = item._fixtureinfo.name2fixturedefs  # noqa: SLF001 - pytest tells nobody else which fixtures a test has
            fixtures = [found[-1].func for found in named.values()]
            if item.path in modules or starts_processes(item.function, *fixtures):
                item.add_marker(pytest.mark.process)


def pytest_configure(config: pytest.Config) -> None:
    before = dict(os.environ)
    home = Path(tempfile.mkdtemp(prefix="toriwork-test-"))
    config.stash[_HOME] = home
    for name in _LEADING_OUT:
        os.environ.pop(name, None)
    os.environ |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "TORI_STATE_ROOT": str(home / "state"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
        "MPLBACKEND": "agg",
        "TQDM_DISABLE": "1",  # kernels show bars by the clock
        "OMP_NUM_THREADS": "1",  # two runs add floats in the same order
        "PYTHONHASHSEED": "0",  # kernels and other children; this process has its own already
    }
    config.add_cleanup(lambda: _leave(home, before))


def _leave(home: Path, before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)
    shutil.rmtree(home, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Each notebook has a state root of its own: its kernel starts with the first cell."""
    if item.path.suffix == ".ipynb":
        os.environ["TORI_STATE_ROOT"] = str(item.config.stash[_HOME] / f"state-{item.path.stem}")
