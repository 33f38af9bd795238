"""toriwork: crash-safe plain-file memory for point clouds, their topology and what observed them.

Every public name is loaded on first use, so that ``import toriwork`` costs a few milliseconds, loads no
numerical library and touches no file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers see; a test compares it with the table below
    from toriwork.cells import TorusCells as TorusCells
    from toriwork.cells import betti0_1 as betti0_1
    from toriwork.cells import get_torus_cells as get_torus_cells
    from toriwork.errors import ToriworkError as ToriworkError
    from toriwork.monitors import BraidAggregator as BraidAggregator
    from toriwork.monitors import ChaosChannelController as ChaosChannelController
    from toriwork.monitors import CurvatureAwareGuard as CurvatureAwareGuard
    from toriwork.monitors import OriginSentry as OriginSentry
    from toriwork.plots import plot_barcode as plot_barcode
    from toriwork.plots import plot_betti_curves as plot_betti_curves
    from toriwork.plots import plot_chaos as plot_chaos
    from toriwork.plots import plot_cloud as plot_cloud
    from toriwork.plots import plot_context as plot_context
    from toriwork.plots import plot_diagram as plot_diagram
    from toriwork.plots import plot_image as plot_image
    from toriwork.plots import plot_landscape as plot_landscape
    from toriwork.plots import plot_registry_growth as plot_registry_growth
    from toriwork.plots import plot_spectra as plot_spectra
    from toriwork.plots import plot_token_graph as plot_token_graph
    from toriwork.plots import plot_tokens as plot_tokens
    from toriwork.plots import plot_vineyard as plot_vineyard
    from toriwork.registry import REG_PATH as REG_PATH
    from toriwork.registry import SpectralDB as SpectralDB
    from toriwork.registry import TorusRegistry as TorusRegistry
    from toriwork.registry import get_torus_registry as get_torus_registry
    from toriwork.registry import open_registry as open_registry
    from toriwork.sqlite import export_sqlite as export_sqlite
    from toriwork.sqlite import import_sqlite as import_sqlite
    from toriwork.synthesis import ObserverSynthesis as ObserverSynthesis
    from toriwork.synthesis import emit_token as emit_token
    from toriwork.synthesis import get_observer_synthesis as get_observer_synthesis
    from toriwork.synthesis import observe as observe
    from toriwork.synthesis import observed as observed
    from toriwork.topology import Diagram as Diagram
    from toriwork.topology import estimate_betti as estimate_betti
    from toriwork.topology import persistence as persistence
    from toriwork.widgets import DiagramExplorer as DiagramExplorer
    from toriwork.widgets import MonitorPanel as MonitorPanel
    from toriwork.widgets import RegistryBrowser as RegistryBrowser
    from toriwork.widgets import TokenContextExplorer as TokenContextExplorer

__version__ = "0.1.0"

#: public name -> the module that owns it; the front door of the package, in the order of the data's way
_HOMES = {
    "Diagram": "toriwork.topology",
    "persistence": "toriwork.topology",
    "estimate_betti": "toriwork.topology",
    "TorusRegistry": "toriwork.registry",
    "get_torus_registry": "toriwork.registry",
    "open_registry": "toriwork.registry",
    "SpectralDB": "toriwork.registry",
    "TorusCells": "toriwork.cells",
    "get_torus_cells": "toriwork.cells",
    "betti0_1": "toriwork.cells",
    "ObserverSynthesis": "toriwork.synthesis",
    "get_observer_synthesis": "toriwork.synthesis",
    "emit_token": "toriwork.synthesis",
    "observed": "toriwork.synthesis",
    "observe": "toriwork.synthesis",
    "OriginSentry": "toriwork.monitors",
    "CurvatureAwareGuard": "toriwork.monitors",
    "BraidAggregator": "toriwork.monitors",
    "ChaosChannelController": "toriwork.monitors",
    "plot_cloud": "toriwork.plots",
    "plot_diagram": "toriwork.plots",
    "plot_barcode": "toriwork.plots",
    "plot_betti_curves": "toriwork.plots",
    "plot_landscape": "toriwork.plots",
    "plot_image": "toriwork.plots",
    "plot_vineyard": "toriwork.plots",
    "plot_registry_growth": "toriwork.plots",
    "plot_tokens": "toriwork.plots",
    "plot_token_graph": "toriwork.plots",
    "plot_context": "toriwork.plots",
    "plot_spectra": "toriwork.plots",
    "plot_chaos": "toriwork.plots",
    "DiagramExplorer": "toriwork.widgets",
    "RegistryBrowser": "toriwork.widgets",
    "TokenContextExplorer": "toriwork.widgets",
    "MonitorPanel": "toriwork.widgets",
    "export_sqlite": "toriwork.sqlite",
    "import_sqlite": "toriwork.sqlite",
    "ToriworkError": "toriwork.errors",
}

#: names that follow the environment: asked anew each time, never kept here
_LIVE = {"REG_PATH": "toriwork.registry"}

__all__ = ["__version__", *_HOMES, *_LIVE]  # noqa: PLE0604 - the tables above are the one place that names them


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name) or _LIVE.get(name)
    if home is None:
        raise AttributeError(f"module 'toriwork' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    if name not in _LIVE:
        globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
