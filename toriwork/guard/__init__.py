"""No database comes back: code and files that use one are found, and nothing is run.

``examine`` is the whole of it; ``toriwork guard`` prints what it gives. Nothing here needs more than the standard
library, and nothing here opens a database.
"""

from __future__ import annotations

from toriwork.guard.finding import CODES, Finding
from toriwork.guard.scan import Report, examine

__all__ = ["CODES", "Finding", "Report", "examine"]
