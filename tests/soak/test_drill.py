"""A backup is restored and compared while rows are written; what differs is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toriwork.registry import TorusRegistry
from toriwork.soak import drill as module
from toriwork.soak.drill import BACKUPS, clear, drill
from toriwork.soak.worker import REGISTRY


@pytest.fixture
def registry(tmp_path: Path) -> TorusRegistry:
    with TorusRegistry(tmp_path / REGISTRY) as registry:
        for number in range(5):
            registry.record_shape(np.eye(3) * number, (1.0, 0.0), metadata={"n": number})
        registry.flush(publish=True)
        registry.record_shape(np.eye(2), (1.0, 0.0))
        yield registry


def test_every_row_comes_back_and_two_backups_are_kept(registry: TorusRegistry, tmp_path: Path) -> None:
    for number in range(4):
        registry.record_shape(np.eye(2) * number, (1.0, 0.0))
        done = drill(tmp_path)
        assert (done.findings, done.n_rows) == ((), 7 + number)
    assert len(list((tmp_path / BACKUPS).glob("*.json"))) == len(list((tmp_path / BACKUPS).glob("*.parquet"))) == 2
    assert done.restored.exists()
    clear(tmp_path)
    assert not done.restored.exists()


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda to: to.record_shape(np.eye(2), (1.0, 0.0)), "damaged: 7 restored rows differ"),
        (lambda to: to.retract(to.df["shape_id"][0], "wrong"), "lost: 1 rows of 6 are not in a backup"),
    ],
)
def test_a_restored_registry_that_differs_is_found(
    registry: TorusRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: object, finding: str
) -> None:
    def restore(found: object, path: Path) -> None:
        kept(found, path)
        with TorusRegistry(path) as restored:
            change(restored)

    from toriwork import storage

    kept = storage.restore
    monkeypatch.setattr(storage, "restore", restore)
    assert module.BACKUPS == BACKUPS
    assert any(text.startswith(finding) for text in drill(tmp_path).findings)
