"""The shared TorusCells of this process, one per registry, and the two numbers of a cloud without any of it."""

from __future__ import annotations

from typing import Any

from toriwork.cells.cells import TorusCells
from toriwork.cells.shape import checked_shape
from toriwork.lifetime import at_fork
from toriwork.locks import Mutex
from toriwork.registry import get_torus_registry
from toriwork.topology import estimate_betti

_lock = Mutex("_lock")
_shared: dict[str, TorusCells] = {}


def get_torus_cells() -> TorusCells:
    """The shared cells of the default registry, as the environment names it now.

    Examples
    --------
    >>> from toriwork import get_torus_cells
    >>> get_torus_cells() is get_torus_cells()
    True
    """
    registry = get_torus_registry()
    key = str(registry.path)
    with _lock.alone():
        found = _shared.get(key)
        if found is None or found.registry is not registry:  # the registry was closed and opened again
            found = _shared[key] = TorusCells(registry)
    return found


def betti0_1(vertices: Any) -> tuple[float, float]:
    """``(b0, b1)``: the estimated Betti numbers of the space behind a cloud; NaN where undecided.

    Touches no file. A spectrum (1-D or complex) has two NaN.

    Parameters
    ----------
    vertices : array_like of shape (n_points, dim)
        Finite real coordinates.

    Raises
    ------
    BadInput
        See :func:`toriwork.topology.estimate_betti`.

    Examples
    --------
    >>> from toriwork import betti0_1
    >>> from toriwork.samples import load_sample
    >>> betti0_1(load_sample("figure_eight"))
    (1.0, 2.0)
    """
    shape = checked_shape(vertices)
    if shape.kind == "spectrum":
        return float("nan"), float("nan")
    b0, b1 = estimate_betti(shape, max_dimension=1).numbers
    return b0, b1


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may have held it
    _lock = Mutex("_lock")


at_fork(after_in_child=_after_fork)
