"""The modules of ``python/core``: thin, over toriwork; and its ``__init__``, with what was in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from toriwork.migrate.recipes import core_exports
from toriwork.migrate.recipes.base import Rewritten, rewrite
from toriwork.migrate.recipes.world import CORE_PACKAGE, HOMES, World

NAME = "core_modules"

_REGISTRY = '''"""Persistence without a database: one Parquet file of shapes and spectra, kept by toriwork."""

from toriwork.compat import AdoptedSpectralDB as SpectralDB
from toriwork.compat import SignatureTable, stream_for, stream_of
from toriwork.registry import REG_PATH, SpectralSignature, TorusRegistry, get_torus_registry

__all__ = [
    "REG_PATH",
    "SignatureTable",
    "SpectralDB",
    "SpectralSignature",
    "TorusRegistry",
    "get_torus_registry",
    "stream_for",
    "stream_of",
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


def core_modules(world: World, moved: Iterable[bytes]) -> dict[str, Rewritten]:
    """Return every file of the core package that is to be made or changed: none unless moved code imports from it.

    A ``topo_ops.py`` that is there stays; an ``__init__.py`` keeps what it has.

    Parameters
    ----------
    world : World
    moved : iterable of bytes
        The files that recipes changed, as they will be.
    """
    names = [f"{CORE_PACKAGE}.{module}".encode() for module in dict.fromkeys(home[0] for home in HOMES.values())]
    if not world.core_path or not any(name in source for source in moved for name in names):
        return {}
    texts = {f"{world.core_path}/{name}": text.encode() for name, text in MODULES}
    topology = f"{world.core_path}/topo_ops.py"
    if topology not in world.files:
        texts[topology] = _TOPOLOGY.encode()
    found = {path: Rewritten(_before(world, path), text, (NAME,), "safe", ()) for path, text in texts.items()}
    package = f"{world.core_path}/__init__.py"
    listed = rewrite(package, _before(world, package), world, (core_exports.NAME, core_exports.transform))
    found[package] = replace(listed, recipes=(NAME,))
    return {
        path: one for path, one in found.items() if path not in world.files or one.after != one.before or one.manual
    }


def _before(world: World, path: str) -> bytes:
    return world.index.read(path) if path in world.files else b""
