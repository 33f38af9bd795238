"""Persistence diagrams and Betti numbers of point clouds: pure mathematics, no files.

The names here load NumPy; gudhi, ripser and redzed are imported by ``engines.py`` when one is used.
"""

from toriwork.topology.betti import BettiEstimate, count_above, estimate_betti, judge, significant
from toriwork.topology.circular import circular_coordinates
from toriwork.topology.compute import persistence
from toriwork.topology.cost_model import WorkEstimate, work_estimate, work_estimate_of
from toriwork.topology.diagram import Diagram, Provenance
from toriwork.topology.distances import bottleneck, sliced_wasserstein, wasserstein
from toriwork.topology.engines import available_engines
from toriwork.topology.filtrations import DTM, Landmark
from toriwork.topology.formats import (
    as_diagram,
    from_columns,
    from_frame,
    from_gudhi,
    from_ripser,
    header_of,
    to_columns,
    to_frame,
    to_gudhi,
    to_ripser,
)
from toriwork.topology.groups import FrechetMean, GroupTest, frechet_mean, permutation_test
from toriwork.topology.many import CloudResult, Progress, persistence_many
from toriwork.topology.representatives import Representative
from toriwork.topology.vineyard import Vine, Vineyard, vineyard_of

__all__ = [
    "DTM",
    "BettiEstimate",
    "CloudResult",
    "Diagram",
    "FrechetMean",
    "GroupTest",
    "Landmark",
    "Progress",
    "Provenance",
    "Representative",
    "Vine",
    "Vineyard",
    "WorkEstimate",
    "as_diagram",
    "available_engines",
    "bottleneck",
    "circular_coordinates",
    "count_above",
    "estimate_betti",
    "frechet_mean",
    "from_columns",
    "from_frame",
    "from_gudhi",
    "from_ripser",
    "header_of",
    "judge",
    "permutation_test",
    "persistence",
    "persistence_many",
    "significant",
    "sliced_wasserstein",
    "to_columns",
    "to_frame",
    "to_gudhi",
    "to_ripser",
    "vineyard_of",
    "wasserstein",
    "work_estimate",
    "work_estimate_of",
]
