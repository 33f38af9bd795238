"""Topology-aware memory: TorusCells computes, records and protects."""

from toriwork.cells.cells import TorusCells
from toriwork.cells.shared import betti0_1, get_torus_cells

__all__ = ["TorusCells", "betti0_1", "get_torus_cells"]
