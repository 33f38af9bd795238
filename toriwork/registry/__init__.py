"""The registry: one plain Parquet file of clouds, spectra and their Betti numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toriwork.registry.betti_values import Budget
from toriwork.registry.registry import TorusRegistry
from toriwork.registry.shared import get_torus_registry
from toriwork.state import registry_path

if TYPE_CHECKING:
    from pathlib import Path

    from toriwork.registry.delta import open_registry as open_registry
    from toriwork.registry.spectral import SpectralDB as SpectralDB
    from toriwork.registry.spectral import SpectralSignature as SpectralSignature

    REG_PATH: Path

__all__ = [
    "REG_PATH",
    "Budget",
    "SpectralDB",
    "SpectralSignature",
    "TorusRegistry",
    "get_torus_registry",
    "open_registry",
]


def __getattr__(name: str) -> Any:
    if name == "REG_PATH":  # asked for anew each time: the environment may have changed since the import
        return registry_path()
    if name == "open_registry":
        from toriwork.registry.delta import open_registry

        return open_registry
    if name in ("SpectralDB", "SpectralSignature"):
        from toriwork.registry import spectral

        return getattr(spectral, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
