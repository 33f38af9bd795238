"""The plain data mover: any SQLite file to Parquet and back, every cell exactly, and proven."""

from toriwork.migrate.mover.export import export_sqlite
from toriwork.migrate.mover.manifest import ExportReport, TableReport
from toriwork.migrate.mover.proof import verify_export
from toriwork.migrate.mover.restore import import_sqlite

__all__ = ["ExportReport", "TableReport", "export_sqlite", "import_sqlite", "verify_export"]
