"""Steps and proposals of the small code base, where the engine looks for those of real ones."""

from __future__ import annotations

import pytest

from tests.migrate.engine.small import CopyOut, propose
from toriwork.migrate.data.steps import KINDS
from toriwork.migrate.engine import api


@pytest.fixture(autouse=True)
def copies_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, CopyOut.kind, CopyOut)


@pytest.fixture
def small_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    """What people call makes the plan of the small code base."""
    monkeypatch.setattr(api, "propose", lambda index, state_root, **_: propose(index.root, state_root))
