"""The registries of this process: the shared one per path, and what happens to all of them at exit and after a fork."""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from typing import TYPE_CHECKING

from toriwork.errors import ToriworkError
from toriwork.state import registry_path
from toriwork.storage import lifetime  # noqa: F401 - first: what is registered last runs first at exit

if TYPE_CHECKING:
    from toriwork.registry.registry import TorusRegistry

_LOG = logging.getLogger("toriwork.registry")
_EXIT_SECONDS = 10.0  # an interpreter that ends waits so long for Betti numbers; the rest is computed later

OPEN: weakref.WeakSet[TorusRegistry] = weakref.WeakSet()
_SHARED: dict[str, TorusRegistry] = {}


def get_torus_registry(path: str | os.PathLike[str] | None = None) -> TorusRegistry:
    """The shared registry of this process for a path (or for the state root), opened on first use."""
    from toriwork.registry.registry import TorusRegistry  # it registers itself here

    key = os.path.realpath(registry_path() if path is None else path)
    found = _SHARED.get(key)
    if found is None or found.closed:
        found = _SHARED[key] = TorusRegistry(key)
    return found


def _close_all() -> None:
    for registry in list(OPEN):
        try:
            registry.finish(_EXIT_SECONDS)
        except (ToriworkError, OSError) as error:
            _LOG.warning("%s could not be closed cleanly; rows stay in the journals: %s", registry.path, error)


def _after_fork() -> None:
    for registry in list(OPEN):
        registry.after_fork()


atexit.register(_close_all)  # behind storage's own, so that it runs before it
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
