"""``toriwork export-sqlite DB --to DIR``, ``import-sqlite DIR --to DB``: a SQLite file to Parquet and back, proven."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.cli.words import say
from toriwork.printed import one_line

if TYPE_CHECKING:
    from toriwork.sqlite import ExportReport

EXIT_INCOMPLETE = 6


class Export:
    """The command ``export-sqlite``."""

    NAME = "export-sqlite"
    SUMMARY = "every table of a SQLite file as Parquet, every cell proven to have arrived"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The database, ``--to``, ``--live``, ``--quiet``."""
        parser.add_argument("database", type=Path, metavar="DB", help="a SQLite 3 file; only read")
        parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder, or one to go on in")
        parser.add_argument("--live", action="store_true", help="the database may be open: export a moment of it")
        parser.add_argument("--quiet", action="store_true", help="no progress on stderr")

    def run(self, options: argparse.Namespace) -> int:
        """0; 6 when a table could not be read (a virtual table of a module that is not here)."""
        from toriwork.sqlite import export_sqlite

        show = not options.quiet and sys.stderr.isatty()
        return _told(
            export_sqlite(options.database, options.to, live=options.live, progress=_tell if show else False), options
        )


class Import:
    """The command ``import-sqlite``."""

    NAME = "import-sqlite"
    SUMMARY = "an export back into a new SQLite file, proven to hold the same cells"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The folder and ``--to``."""
        parser.add_argument("folder", type=Path, metavar="DIR", help="a finished export")
        parser.add_argument("--to", type=Path, required=True, metavar="DB", help="the new database")

    def run(self, options: argparse.Namespace) -> int:
        """0."""
        from toriwork.sqlite import import_sqlite

        return _told(import_sqlite(options.folder, options.to), options)


def _tell(table: str, done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r{one_line(table)}: {done:,} of {total:,} rows", end=end, file=sys.stderr, flush=True)


def _told(report: ExportReport, options: argparse.Namespace) -> int:
    if options.json:
        tables = [
            {"name": t.name, "rows": t.n_rows, "misfits": t.n_misfits, "files": t.files, "readers": t.readers}
            for t in report.tables
        ]
        told = {"source": report.source, "complete": report.complete, "to": str(options.to), "tables": tables}
        told |= {"not_enforced": report.not_enforced(), "notes": report.notes}
        print(json.dumps(told | {"unreadable": report.database["unreadable"]}))
    else:
        say(report)
    return 0 if report.complete else EXIT_INCOMPLETE
