"""Topology-aware memory: TorusCells computes, records and protects."""

from toriwork.cells.cells import TorusCells
from toriwork.cells.memory import DiagramMemory
from toriwork.cells.nearest import NearestIndex
from toriwork.cells.neighbours import Nearest
from toriwork.cells.shared import betti0_1, get_torus_cells

__all__ = ["DiagramMemory", "Nearest", "NearestIndex", "TorusCells", "betti0_1", "get_torus_cells"]
