"""SQLite files to plain Parquet and back: every cell exactly, and proven. Useful without any migration."""

from toriwork.sqlite.export import export_sqlite
from toriwork.sqlite.manifest import ExportReport, TableReport
from toriwork.sqlite.proof import verify_export
from toriwork.sqlite.restore import import_sqlite

__all__ = ["ExportReport", "TableReport", "export_sqlite", "import_sqlite", "verify_export"]
