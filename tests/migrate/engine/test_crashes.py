"""Whatever moment the process is killed at, resuming equals a straight run, and rollback equals the start.

A kill loses nothing that was written, so these tests need no disk to be waited for.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.migrate.engine.small import Deadly, build, copied, killed, plan_of, tree, write
from toriwork.errors import DamagedFile
from toriwork.migrate.engine.apply import apply_steps, history_of
from toriwork.migrate.engine.journal import Journal
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.rollback import roll_back

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Worlds:
    """Copies of one code base, each with its plan, and what a straight run makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.n = folder, 0
        self.start = build(folder / "start")
        straight = self.fresh()
        apply_steps(straight)
        self.n_lines = len(Journal(straight.folder / "journal.jsonl").lines)
        self.wanted = self.both(straight)
        roll_back(straight)
        self.n_lines_back = len(Journal(straight.folder / "journal.jsonl").lines)

    def fresh(self) -> Plan:
        self.n += 1
        return plan_of(copied(self.start, self.folder / f"{self.n}"), self.folder / f"{self.n}-state")

    def both(self, plan: Plan) -> tuple[dict[str, str], dict[str, str]]:
        return tree(plan.root), tree(plan.state_root)

    def is_the_start(self, plan: Plan) -> bool:
        here = (tree(plan.root), os.path.lexists(plan.root / "backup_pre_nodb"))
        return here == (tree(self.start), False) and tree(plan.state_root / "legacy") == {}


@pytest.fixture
def worlds(tmp_path: Path) -> Worlds:
    return Worlds(tmp_path)


@pytest.mark.parametrize("mode", [pytest.param("", id="behind the line"), pytest.param("~", id="within the line")])
def test_killed_at_every_journal_line_apply_goes_on_to_the_same_end_and_rollback_to_the_start(
    worlds: Worlds, mode: str
) -> None:
    for line in range(1, worlds.n_lines + 1):
        plan = worlds.fresh()
        assert killed(lambda plan=plan: apply_steps(plan), f"{line}{mode}")
        assert apply_steps(plan).phase == "finished"
        assert worlds.both(plan) == worlds.wanted
        assert roll_back(plan).kept == []
        assert worlds.is_the_start(plan)


def test_killed_at_every_journal_line_a_migration_can_be_taken_back_at_once(worlds: Worlds) -> None:
    for line in range(1, worlds.n_lines + 1):
        plan = worlds.fresh()
        assert killed(lambda plan=plan: apply_steps(plan), f"{line}~")
        roll_back(plan)
        assert worlds.is_the_start(plan)


def test_killed_at_every_line_of_a_rollback_it_goes_on_to_the_start(worlds: Worlds) -> None:
    for line in range(worlds.n_lines + 1, worlds.n_lines_back + 1):
        plan = worlds.fresh()
        apply_steps(plan)
        assert killed(lambda plan=plan: roll_back(plan), f"{line}~")
        assert roll_back(plan).kept == []
        assert worlds.is_the_start(plan)


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("work", [apply_steps, roll_back])
def test_killed_before_any_change_of_a_name_it_goes_on_all_the_same(
    worlds: Worlds, work: Callable[..., object], stride: int
) -> None:
    at, died = 1, True
    while died:
        plan = worlds.fresh()
        if work is roll_back:
            apply_steps(plan)

        def armed(plan: Plan = plan, at: int = at) -> None:
            Deadly(at).arm()
            work(plan)

        died = killed(armed)
        work(plan)
        if work is apply_steps:
            assert worlds.both(plan) == worlds.wanted, at
            roll_back(plan)
        assert worlds.is_the_start(plan), at
        at += stride
    assert at > 60


def test_a_torn_last_line_is_dropped_and_a_damaged_one_in_the_middle_refused(worlds: Worlds) -> None:
    plan = worlds.fresh()
    apply_steps(plan)
    path = plan.folder / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert history_of(plan).phase == "applying"
    assert apply_steps(plan).phase == "finished"
    path.write_bytes(whole.replace(b'"step":"backup"', b'"step":"Backup"', 1))
    with pytest.raises(DamagedFile, match=r"line 2 .*restore\.py"):
        apply_steps(plan)


def test_applying_what_was_taken_back_or_restored_by_hand_begins_anew(worlds: Worlds) -> None:
    plan = worlds.fresh()
    apply_steps(plan)
    roll_back(plan)
    assert apply_steps(plan).phase == "finished"
    assert worlds.both(plan) == worlds.wanted
    assert (plan.folder / "journal.1.jsonl").exists()
    subprocess.run([sys.executable, "-S", plan.backup / "restore.py"], check=True, capture_output=True)
    assert tree(plan.root) == tree(worlds.start)
    assert apply_steps(plan).phase == "finished"
    assert worlds.both(plan) == worlds.wanted


def test_a_plan_that_was_changed_after_it_was_begun_is_refused(worlds: Worlds) -> None:
    plan = worlds.fresh()
    assert killed(lambda: apply_steps(plan), "5")
    write(plan.root / "pkg/late.py", b"import sqlite3\n", 0o644)
    other = Plan(plan.root, plan.content | {"manual": [{"path": "a.py", "line": 1, "recipe": "x", "why": "y"}]})
    with pytest.raises(DamagedFile, match="not the one that was begun"):
        apply_steps(other)
