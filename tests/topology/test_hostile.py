"""No input kills the process or raises a foreign error: see ``hostile.py`` for the table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.topology import hostile
from toriwork.errors import BadInput
from toriwork.topology.filtrations import FILTRATIONS
from toriwork.topology.significance import RULES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the table is worked off in forked processes")


def answers(share: int) -> list[tuple[str, str, int | str, int | str]]:
    command = [sys.executable, "-W", "error", "-W", "ignore:points", "-m", "tests.topology.hostile", str(share)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def as_wanted(wanted: int | str, answer: int | str) -> bool:
    if wanted == hostile.REFUSED:
        return answer == BadInput.__name__
    if wanted == hostile.DEFINED:
        return isinstance(answer, int) or answer == BadInput.__name__
    return answer == wanted


@pytest.mark.parametrize(
    "share",
    [
        pytest.param(150, id="processes of 150 entries"),
        pytest.param(1, id="a process for each entry", marks=pytest.mark.long),
    ],
)
def test_every_entry_has_its_answer(share: int) -> None:
    found = answers(share)
    assert [row for row in found if not as_wanted(*row[2:])] == []
    who = {row[0].split(" by ")[0].split(",")[0] for row in found}
    assert who == set(FILTRATIONS) | {"estimate"}
    assert {row[0] for row in found} >= {f"estimate by {rule}" for rule in RULES}
    assert len(found) > 1000


def test_a_process_that_dies_is_named_and_the_others_go_on() -> None:
    def die() -> int:
        os.kill(os.getpid(), signal.SIGKILL)

    found = hostile.in_forks([lambda: 1, die, lambda: 3, lambda: 4, lambda: int("x")], 2)
    assert found[0] == 1
    assert found[1].startswith("died")
    assert found[2:4] == [3, 4]
    assert found[4].startswith("foreign error ValueError")
