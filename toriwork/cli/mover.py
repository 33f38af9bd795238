"""``toriwork export-sqlite DB --to DIR``, ``import-sqlite DIR --to DB``: a SQLite file to Parquet and back, proven."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toriwork.cli.actions import COMMANDS, PATH, PROGRESS
from toriwork.cli.terminal import say, say_json

if TYPE_CHECKING:
    from toriwork.sqlite import ExportReport

EXIT_INCOMPLETE = 6


@COMMANDS.action("export-sqlite", "toriwork export-sqlite results.db --to results/")
@click.argument("database", type=PATH, metavar="DB")
@click.option("--to", type=PATH, required=True, metavar="DIR", help="A new folder, or one to go on in.")
@click.option("--live", is_flag=True, help="The database may be open: export a moment of it.")
@click.option("--quiet", is_flag=True, help="The same as --no-progress.")
@PROGRESS
def export_sqlite(database: Path, to: Path, live: bool, quiet: bool, as_json: bool) -> int:
    """Write a SQLite file as Parquet, every cell proven.

    DB is only read. Exit code 6: a table could not be read, such as a virtual table of a module that is not here.
    """
    from toriwork.sqlite import export_sqlite as export

    return _told(export(database, to, live=live, progress=not quiet), to, as_json=as_json)


@COMMANDS.action("import-sqlite", "toriwork import-sqlite results/ --to again.db")
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--to", type=PATH, required=True, metavar="DB", help="The new database.")
@PROGRESS
def import_sqlite(folder: Path, to: Path, as_json: bool) -> int:
    """Write an export into a new SQLite file, proven."""
    from toriwork.sqlite import import_sqlite as bring_back

    return _told(bring_back(folder, to), to, as_json=as_json)


def _told(report: ExportReport, to: Path, *, as_json: bool) -> int:
    if as_json:
        tables = [
            {"name": t.name, "rows": t.n_rows, "misfits": t.n_misfits, "files": t.files, "readers": t.readers}
            for t in report.tables
        ]
        told = {"source": report.source, "complete": report.complete, "to": str(to), "tables": tables}
        told |= {"not_enforced": report.not_enforced(), "notes": report.notes}
        say_json(told | {"unreadable": report.database["unreadable"]})
    else:
        say(report)
    return 0 if report.complete else EXIT_INCOMPLETE
