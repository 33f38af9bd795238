"""The shared registries of this process, one per path."""

from __future__ import annotations

import os

from toriwork.registry.registry import TorusRegistry
from toriwork.state import registry_path

_SHARED: dict[str, TorusRegistry] = {}


def get_torus_registry(path: str | os.PathLike[str] | None = None) -> TorusRegistry:
    """The shared registry of this process for a path (or for the state root), opened on first use.

    Examples
    --------
    >>> from toriwork import get_torus_registry
    >>> get_torus_registry() is get_torus_registry()
    True
    >>> get_torus_registry().path.name
    'torus_registry.parquet'
    """
    key = os.path.realpath(registry_path() if path is None else path)
    found = _SHARED.get(key)
    if found is None or found.closed:
        found = _SHARED[key] = TorusRegistry(key)
    return found
