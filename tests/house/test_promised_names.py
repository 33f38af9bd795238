"""The names that users of the legacy backend rely on: each in its module and in the front door, its parameters kept."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

import toriwork

#: module -> name -> leading parameters (None: not a matter of calling)
PROMISED: dict[str, dict[str, tuple[str, ...] | None]] = {
    "toriwork.registry": {
        "TorusRegistry": ("path",),
        "get_torus_registry": ("path",),
        "REG_PATH": None,
        "SpectralDB": ("max_entries", "max_size_mb"),
    },
    "toriwork.cells": {
        "TorusCells": ("registry", "max_dimension", "persistence_threshold"),
        "get_torus_cells": (),
        "betti0_1": ("vertices",),
    },
    "toriwork.synthesis": {
        "ObserverSynthesis": ("max_tokens",),
        "get_observer_synthesis": (),
        "emit_token": ("measurement",),
    },
    "toriwork.monitors": {
        "OriginSentry": ("spectral_db", "name"),
        "CurvatureAwareGuard": ("state_dim",),
        "BraidAggregator": ("origin_sentry",),
        "ChaosChannelController": ("lattice_size",),
    },
    "toriwork.topology": {
        "persistence": ("points",),
        "Diagram": None,
        "estimate_betti": ("points",),
    },
    "toriwork.sqlite": {"export_sqlite": ("db", "to"), "import_sqlite": ("folder", "to")},
    "toriwork.migrate": {"export_sqlite": ("db", "to"), "import_sqlite": ("folder", "to")},
    "toriwork.plots": dict.fromkeys(
        "plot_cloud plot_diagram plot_barcode plot_betti_curves plot_landscape plot_image plot_vineyard "
        "plot_registry_growth plot_tokens plot_token_graph plot_context plot_spectra plot_chaos".split()
    ),
    "toriwork.widgets": dict.fromkeys("DiagramExplorer RegistryBrowser TokenContextExplorer MonitorPanel".split()),
}
NAMES = [(module, name) for module, names in PROMISED.items() for name in names]
CALLED = [(module, name) for module, name in NAMES if PROMISED[module][name] is not None]


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_promised_name_imports_from_its_module_and_from_the_front_door(module: str, name: str) -> None:
    home = getattr(import_module(module), name)
    assert home == getattr(toriwork, name)
    assert name in toriwork.__all__


@pytest.mark.parametrize(("module", "name"), CALLED, ids=[name for _, name in CALLED])
def test_its_first_parameters_are_the_promised_ones(module: str, name: str) -> None:
    wanted = PROMISED[module][name]
    assert wanted is not None
    parameters = inspect.signature(getattr(toriwork, name)).parameters
    assert tuple(parameters)[: len(wanted)] == wanted


@pytest.mark.parametrize("name", PROMISED["toriwork.plots"])
def test_a_plot_takes_its_data_first_and_axes_by_name(name: str) -> None:
    first, *rest = inspect.signature(getattr(toriwork, name)).parameters.values()
    assert first.default is inspect.Parameter.empty
    (axes,) = [one for one in rest if one.name == "ax"]
    assert (axes.kind, axes.default) == (inspect.Parameter.KEYWORD_ONLY, None)
