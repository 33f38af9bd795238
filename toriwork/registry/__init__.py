"""What was recorded: TorusRegistry, one plain Parquet file of clouds, spectra and their Betti numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toriwork.registry.completion import Budget
from toriwork.registry.registry import TorusRegistry
from toriwork.registry.shared import get_torus_registry
from toriwork.state import registry_path

if TYPE_CHECKING:
    from pathlib import Path

    REG_PATH: Path

__all__ = ["REG_PATH", "Budget", "TorusRegistry", "get_torus_registry"]


def __getattr__(name: str) -> Any:
    if name == "REG_PATH":  # asked for anew each time: the environment may have changed since the import
        return registry_path()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
