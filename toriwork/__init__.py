"""toriwork: crash-safe plain-file memory for point clouds, their topology and what observed them.

Every public name is loaded on first use, so that ``import toriwork`` costs a few milliseconds, loads no
numerical library and touches no file.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

#: public name -> the module that owns it; the front door of the package, in the order of the data's way
_HOMES = {
    "Diagram": "toriwork.topology",
    "persistence": "toriwork.topology",
    "estimate_betti": "toriwork.topology",
    "TorusRegistry": "toriwork.registry",
    "get_torus_registry": "toriwork.registry",
    "SpectralDB": "toriwork.registry",
    "TorusCells": "toriwork.cells",
    "get_torus_cells": "toriwork.cells",
    "betti0_1": "toriwork.cells",
    "ObserverSynthesis": "toriwork.synthesis",
    "get_observer_synthesis": "toriwork.synthesis",
    "emit_token": "toriwork.synthesis",
    "ToriworkError": "toriwork.errors",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the table above is the one place that names them


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'toriwork' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
