"""What every test gets: a state root of its own, Hypothesis without a stopwatch; an empty registry where it asks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.s3 import bucket, place, s3_server  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from toriwork.registry import TorusRegistry

# whoever starts the tests in the background of a script hands down that SIGINT is ignored; the stop button is tested
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "toriwork",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    max_examples=50,  # the long form takes more
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("long", settings.get_profile("toriwork"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("TORIWORK_HYPOTHESIS", "toriwork"))


@pytest.fixture(autouse=True)
def state_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh ``TORI_STATE_ROOT`` that does not exist yet; children of the test inherit it."""
    root = tmp_path / "state-root"
    monkeypatch.setenv("TORI_STATE_ROOT", str(root))
    return root


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TorusRegistry]:
    """An empty registry."""
    from toriwork.registry import TorusRegistry

    with TorusRegistry(tmp_path / "torus_registry.parquet") as registry:
        yield registry
