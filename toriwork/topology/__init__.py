"""Persistence diagrams and Betti numbers of point clouds: pure mathematics, no files.

The names here load NumPy; gudhi, ripser and redzed are imported by ``engines.py`` when one is used.
"""

from toriwork.topology.betti import BettiEstimate, count_above, estimate_betti, judge
from toriwork.topology.budget import WorkEstimate, work_estimate
from toriwork.topology.compute import persistence
from toriwork.topology.diagram import Diagram, Provenance
from toriwork.topology.engines import available_engines

__all__ = [
    "BettiEstimate",
    "Diagram",
    "Provenance",
    "WorkEstimate",
    "available_engines",
    "count_above",
    "estimate_betti",
    "judge",
    "persistence",
    "work_estimate",
]
