"""Tests that start processes are known, whether by themselves, by a fixture or by a helper."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests import users
from tests.processes import MODULES, TESTS, starts_processes


def run_python() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


class Runner:
    def go(self) -> None:
        run_python()


FOUND = {
    "itself": run_python,
    "a helper": lambda: (run_python(), 1),
    "a class": lambda: Runner().go(),
    "an inner function": lambda: [run_python for _ in range(3)],
    "a helper of another module": lambda: users.as_user(1, print),
}


@pytest.mark.parametrize("function", FOUND.values(), ids=FOUND)
def test_a_test_that_starts_a_process_is_found(function: Callable[[], object]) -> None:
    assert starts_processes(function)


def test_a_test_that_starts_none_is_left_alone() -> None:
    assert not starts_processes(lambda: sys.version)


def test_modules_that_are_named_exist() -> None:
    assert [name for name in MODULES if not (TESTS / name).is_file()] == []
