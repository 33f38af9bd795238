"""Moments that no test can time: a write between last look and move, and a torn line longer than the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.engine.small import DATABASE, build, plan_of
from toriwork.errors import SourceInUse
from toriwork.migrate.engine.journal import Journal
from toriwork.migrate.engine.retire import RetireFiles
from toriwork.migrate.engine.step import Run


def test_a_database_that_was_written_to_while_it_was_moved_aside_is_not_let_go(
    tmp_path: Path, state_root: Path
) -> None:
    plan = plan_of(build(tmp_path / "code"), state_root)
    run = Run(plan.root, state_root, plan.id, plan.folder, plan.backup)
    run.backup.make(plan.root, plan.entries(), plan.id)
    step = RetireFiles("retire", (DATABASE,), ())
    parked = step._parked(plan.root)
    for path, aside in parked.items():
        path.replace(aside)
        aside.write_bytes(aside.read_bytes() + b"late")
    with pytest.raises(SourceInUse, match="at the last moment"):
        step._look_again(run, parked)
    step.undo(run)
    assert (plan.root / DATABASE).read_bytes().endswith(b"late")


def test_a_torn_line_longer_than_the_next_leaves_nothing_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).append("begin", plan="x")
    with path.open("ab") as file:
        file.write(b'{"torn": "' + b"x" * 2000)
    Journal(path).append("finished")
    assert [line["kind"] for line in Journal(path).lines] == ["begin", "finished"]
    assert path.read_bytes().count(b"x" * 9) == 0
