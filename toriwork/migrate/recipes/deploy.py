"""The modules of ``python/core``: thin, over toriwork; and its ``__init__``, with what was in it."""

from __future__ import annotations

from toriwork.migrate.recipes.base import rewrite
from toriwork.migrate.recipes.world import World

_REGISTRY = '''"""Persistence without a database: one Parquet file of shapes and spectra, kept by toriwork."""

from toriwork.compat import AdoptedSpectralDB as SpectralDB
from toriwork.compat import stream_for
from toriwork.registry import REG_PATH, SpectralSignature, TorusRegistry, get_torus_registry

__all__ = [
    "REG_PATH",
    "SpectralDB",
    "SpectralSignature",
    "TorusRegistry",
    "get_torus_registry",
    "stream_for",
]
'''

_CELLS = '''"""Topology-aware memory, kept by toriwork."""

from toriwork.cells import TorusCells, betti0_1, get_torus_cells

__all__ = ["TorusCells", "betti0_1", "get_torus_cells"]
'''

_SYNTHESIS = '''"""Observer tokens, kept by toriwork."""

from toriwork.compat import emit_measurement, emitting
from toriwork.synthesis import (
    ObserverSynthesis,
    emit_token,
    get_observer_synthesis,
    integrate_with_eigensentry,
    integrate_with_origin_sentry,
)

__all__ = [
    "ObserverSynthesis",
    "emit_measurement",
    "emit_token",
    "emitting",
    "get_observer_synthesis",
    "integrate_with_eigensentry",
    "integrate_with_origin_sentry",
]
'''

_TOPOLOGY = '''"""Topology of a cloud of vertices."""


def betti0_1(vertices):
    """b0 and b1 of the space behind a cloud; see torus_cells.betti0_1."""
    from .torus_cells import betti0_1 as real_betti

    return real_betti(vertices)
'''

#: file of the core package -> what is in it
MODULES = (
    ("torus_registry.py", _REGISTRY),
    ("torus_cells.py", _CELLS),
    ("observer_synthesis.py", _SYNTHESIS),
)


def core_modules(world: World) -> dict[str, bytes]:
    """Path -> bytes of every file of the core package that is to be made or changed.

    A ``topo_ops.py`` that is there stays; an ``__init__.py`` keeps what it has.
    """
    found = {f"{world.core_path}/{name}": text.encode() for name, text in MODULES}
    topology = f"{world.core_path}/topo_ops.py"
    if topology not in world.files or (world.root / topology).read_bytes() == _TOPOLOGY.encode():
        found[topology] = _TOPOLOGY.encode()
    package = f"{world.core_path}/__init__.py"
    before = (world.root / package).read_bytes() if package in world.files else b""
    found[package] = rewrite(package, before, world).after
    return {path: text for path, text in found.items() if not _is_there(world, path, text)}


def _is_there(world: World, path: str, text: bytes) -> bool:
    return path in world.files and (world.root / path).read_bytes() == text
