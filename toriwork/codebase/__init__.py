"""Source trees: which files belong to one, their text, notebooks, parsed modules, names and constants; no policy.

Nothing here imports or runs what it reads. ``CodebaseIndex`` is one walk of a tree that everybody then shares.
"""

from __future__ import annotations

from toriwork.codebase.index import CodebaseIndex
from toriwork.codebase.walk import Omission

__all__ = ["CodebaseIndex", "Omission"]
