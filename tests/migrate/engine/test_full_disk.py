"""The disk is full at each write of a migration in turn: what was done goes on, or goes back and leaves nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.migrate.engine.full_disk import FullDisk, n_writes
from tests.migrate.engine.small import copied, tree
from tests.migrate.fixtures import build
from tests.migrate.recipes.code import STORE, make_store
from toriwork.errors import ToriworkError
from toriwork.migrate import Outcome, apply_plan, make_plan, rollback

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sendfile")


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(os, "fdatasync", lambda handle: None)


class Place:
    """A code base with everything that a migration does, again and again from its start."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.n = folder, 0
        files = {"python/core/__init__.py": "", "lab/store.py": STORE, "tox.ini": "[tox]\n"}
        self.start = build(folder / "start", files)
        make_store(self.start / "spectral.db", 8)
        self.wanted = tree(self.start)

    def fresh(self) -> tuple[Path, Path]:
        self.n += 1
        root, state = copied(self.start, self.folder / f"{self.n}"), self.folder / f"{self.n}-state"
        make_plan(root, state_root=state)
        return root, state

    def is_as_before(self, root: Path, state: Path) -> bool:
        left = sorted(path.relative_to(state).as_posix() for path in state.rglob("*")) if state.exists() else []
        assert (tree(root, private=False), left) == (self.wanted, [])
        return not (root / "backup_pre_nodb").exists()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def applied(root: Path) -> Outcome:
    return apply_plan(root, trial=None)


def stopped(work: Callable[[], object], at: int) -> None:
    """Do some work on a disk that is full from a write on: it ends in words, or had no need of the room."""
    with FullDisk(at):
        try:
            work()
        except (OSError, ToriworkError):
            return


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.long)])
def test_full_at_any_write_of_apply_a_rollback_leaves_nothing_and_keeps_nothing(place: Place, stride: int) -> None:
    root, _ = place.fresh()
    n = n_writes(lambda: applied(root))
    assert n > 60
    for at in range(1, n + 1, stride):
        root, state = place.fresh()
        stopped(lambda root=root: applied(root), at)
        outcome = rollback(root)
        assert outcome.kept == [], (at, outcome)
        assert place.is_as_before(root, state), at


def test_full_at_each_write_of_an_export_it_goes_back_or_on(place: Place) -> None:
    """What an export leaves that was cut short has no manifest yet: nobody changed it, it is only not finished."""
    for at in range(1, 40):
        stops = []
        for go_back in (True, False):
            root, state = place.fresh()
            with FullDisk() as disk:

                def progress(event: str, disk: FullDisk = disk, at: int = at, **facts: Any) -> None:
                    if event == "step" and facts["step"].startswith("data:export:"):
                        disk.at = disk.n + at
                    elif event == "done" and facts["step"].startswith("data:export:"):
                        disk.at = 0

                try:
                    stops.append(apply_plan(root, trial=None, progress=progress).phase)
                except (OSError, ToriworkError):
                    stops.append("stopped")
            if go_back:
                assert rollback(root).kept == [], at
                assert place.is_as_before(root, state), at
            else:
                assert applied(root).phase == "finished", at
        if stops == ["finished"] * 2:
            break
    assert 8 < at < 39


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.long)])
def test_full_at_any_write_of_apply_it_goes_on_once_there_is_room(place: Place, stride: int) -> None:
    root, _ = place.fresh()
    n = n_writes(lambda: applied(root))
    wanted = tree(root)
    for at in range(1, n + 1, stride):
        root, _ = place.fresh()
        stopped(lambda root=root: applied(root), at)
        assert applied(root).phase == "finished", at
        assert set(tree(root)) == set(wanted), at


@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.long)])
def test_full_at_any_write_of_a_rollback_it_goes_on_to_the_start(place: Place, stride: int) -> None:
    root, _ = place.fresh()
    applied(root)
    n = n_writes(lambda: rollback(root))
    assert n > 30
    for at in range(1, n + 1, stride):
        root, state = place.fresh()
        applied(root)
        stopped(lambda root=root: rollback(root), at)
        assert rollback(root).kept == [], at
        assert place.is_as_before(root, state), at
