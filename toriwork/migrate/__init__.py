"""Leaving databases behind: SQLite files to plain Parquet and back, and a code base with them."""

from toriwork.migrate.engine.api import (
    Status,
    Verification,
    apply_plan,
    current_plan,
    explain,
    make_plan,
    prune,
    rollback,
    status,
    under_way,
    verify,
)
from toriwork.migrate.engine.apply import Outcome
from toriwork.migrate.engine.plan import Plan
from toriwork.sqlite import ExportReport, TableReport, export_sqlite, import_sqlite, verify_export

__all__ = [
    "ExportReport",
    "Outcome",
    "Plan",
    "Status",
    "TableReport",
    "Verification",
    "apply_plan",
    "current_plan",
    "explain",
    "export_sqlite",
    "import_sqlite",
    "make_plan",
    "prune",
    "rollback",
    "status",
    "under_way",
    "verify",
    "verify_export",
]
