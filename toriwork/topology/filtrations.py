"""The filtrations behind ``persistence(filtration=...)``: one table of their names.

A filtration is given by its name, which stands for its default parameters, or as an object of one of these classes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from toriwork.errors import BadInput
from toriwork.topology.graphs import Flag
from toriwork.topology.gudhi_filtrations import Alpha, Cubical, DelaunayCech, LowerStar, WeightedAlpha
from toriwork.topology.request import Filtration
from toriwork.topology.rips_family import DTM, Landmark, Rips, Spanning

__all__ = [
    "DTM",
    "FILTRATIONS",
    "Alpha",
    "Cubical",
    "DelaunayCech",
    "Filtration",
    "Flag",
    "Landmark",
    "LowerStar",
    "Rips",
    "Spanning",
    "WeightedAlpha",
    "filtration_named",
    "parameters_of",
]

_ALL: tuple[Filtration, ...] = (
    Rips(),
    Spanning(),
    Alpha(),
    DelaunayCech(),
    Cubical(),
    LowerStar(),
    Landmark(),
    DTM(),
    Flag(),
)
#: every filtration by its name, with default parameters; weights make a :class:`WeightedAlpha` of two of them
FILTRATIONS: dict[str, Filtration] = {made.name: made for made in _ALL}


def filtration_named(given: Any) -> Filtration:
    """The filtration of that name, or ``given`` itself when it is one."""
    for known in _ALL:
        if isinstance(given, type(known)):
            return given
    if not isinstance(given, str) or given not in FILTRATIONS:
        raise BadInput(f"filtration: expected one of {', '.join(FILTRATIONS)}, got {given!r}")
    return FILTRATIONS[given]


def parameters_of(filtration: Filtration) -> dict[str, Any]:
    """The parameters of a filtration by name, JSON-able."""
    made: Any = filtration
    return asdict(made)
