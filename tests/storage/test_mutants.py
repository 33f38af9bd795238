"""Each one-line sabotage of the store is found by a check that takes seconds; most of the checks run in `make long`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.storage.mutants import CAUGHT, HOME, MUTANTS, PASSED, SECONDS, Mutant, edited

#: checks that take fifteen seconds and more with all their mutants
LONG = (
    "tests/storage/test_power_cuts.py",
    "tests/storage/test_frames.py",
    "tests/storage/test_writer.py",
    "tests/registry/test_retry.py",
    "tests/storage/test_publish.py",
    "tests/storage/test_recovery.py",
    "tests/registry/test_left_behind.py",
    "tests/registry/test_following.py",
    "tests/storage/test_growing.py",
    "tests/storage/test_interrupts.py",
    "tests/storage/test_clock.py",
)
CHECKS = [
    pytest.param(check, marks=pytest.mark.long) if check.startswith(LONG) else check
    for check in dict.fromkeys(mutant.check for mutant in MUTANTS.values())
]


def told(check: str) -> dict[str, dict[str, Any]]:
    """What came of a check: by the name of the mutant, "" for the store as it is."""
    n = 1 + sum(mutant.check == check for mutant in MUTANTS.values())
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.mutants", check],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
        timeout=n * (SECONDS + 10),
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["name"]: one for one in found}


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("check", CHECKS)
def test_every_mutant_of_a_check_is_caught_by_it(check: str) -> None:
    found = told(check)
    assert found[""]["outcome"] == PASSED, f"the check fails by itself: {found['']}"
    wanted = {name for name, mutant in MUTANTS.items() if mutant.check == check}
    assert found.keys() - {""} == wanted
    assert {name: one for name, one in found.items() if name in wanted and one["outcome"] != CAUGHT} == {}
    for name in wanted:
        assert found[name]["said"][0].startswith("FAILED"), found[name]


def test_there_are_enough_mutants_and_each_module_that_keeps_rows_has_some() -> None:
    assert len(MUTANTS) >= 45
    assert len({(mutant.module, mutant.old, mutant.new) for mutant in MUTANTS.values()}) == len(MUTANTS)
    modules = Counter(mutant.module.rpartition(".")[2] for mutant in MUTANTS.values())
    assert modules.keys() >= {
        "writer",
        "journal",
        "frames",
        "publish",
        "maintenance",
        "snapshot",
        "completion",
        "log",
        "files",
    }


@pytest.mark.parametrize("name", MUTANTS)
def test_the_text_that_a_mutant_changes_is_there_once_and_stays_python(name: str) -> None:
    compile(edited(MUTANTS[name]), name, "exec")


def test_a_mutant_that_does_not_apply_any_more_is_told() -> None:
    with pytest.raises(ValueError, match="expected this text once, found it 0 times"):
        edited(Mutant("toriwork.storage.writer", "no such line", "", ""))
    with pytest.raises(ValueError, match="times: return"):
        edited(Mutant("toriwork.storage.writer", "return", "", ""))
