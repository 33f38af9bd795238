"""Leaving databases behind: SQLite files to plain Parquet and back, and a code base with them."""

from toriwork.migrate.mover import ExportReport, TableReport, export_sqlite, import_sqlite, verify_export

__all__ = ["ExportReport", "TableReport", "export_sqlite", "import_sqlite", "verify_export"]
