"""Fixtures of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from toriwork.registry import TorusRegistry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TorusRegistry]:
    """An empty registry."""
    with TorusRegistry(tmp_path / "torus_registry.parquet") as registry:
        yield registry
