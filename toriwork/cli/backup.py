"""``toriwork backup DIR``, ``toriwork restore DIR``: a whole state root; the same and ``repair`` for one registry."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toriwork.cli.actions import COMMANDS, PATH
from toriwork.cli.registry import ACTIONS, FILE
from toriwork.cli.terminal import say, say_json
from toriwork.errors import BadInput, NotFound, ToriworkError
from toriwork.printed import one_line
from toriwork.state import REGISTRY_FILE, registry_path, state_root

if TYPE_CHECKING:
    from toriwork.storage import Backup, Restored, TableSpec
    from toriwork.storage.snapshot import Snapshot

_Done = TypeVar("_Done")
REPLACE = click.option("--replace", is_flag=True, help="Take the place of what is there; it is kept beside.")
EMPTY = click.option("--empty", is_flag=True, help="With --replace: also by a backup of no rows.")


@dataclass(frozen=True, slots=True)
class Table:
    """How a table of the state root is read."""

    spec: TableSpec
    fill: Callable[[Snapshot], object] | None = None  #: completes rows in memory
    beside: tuple[str, ...] = ()  #: endings of small files that belong to it


def _registry() -> Table:
    from toriwork.registry.adoption import fill_in
    from toriwork.registry.betti_values import Budget
    from toriwork.registry.codec import SPEC

    return Table(SPEC, lambda snapshot: fill_in(snapshot, Budget()))


def _tokens() -> Table:
    from toriwork.synthesis.checkpoints import SUFFIX
    from toriwork.synthesis.log import token_spec
    from toriwork.synthesis.retention import LogRetention

    return Table(token_spec(LogRetention(sys.maxsize)), beside=(SUFFIX,))


def _ideas() -> Table:
    from dataclasses import replace

    from toriwork.cells.idea_store import SPEC

    return Table(replace(SPEC, retention=None))


def _diagrams() -> Table:
    from toriwork.cells.diagram_store import diagram_spec

    return Table(diagram_spec(None))


#: the tables of a state root by the names of their public files; no row is left out because it is old
TABLES: dict[str, Callable[[], Table]] = {
    REGISTRY_FILE: _registry,
    "observer_tokens.parquet": _tokens,
    "torus_cells.parquet": _ideas,
    "torus_diagrams.parquet": _diagrams,
}


def back_up(path: Path, table: Table, to: Path) -> Backup:
    """The backup of one table, opened read-only."""
    from toriwork.storage import ParquetTable, backup

    with ParquetTable(path, table.spec, read_only=True) as opened:
        return backup(opened, to, fill=table.fill, beside=table.beside)


def put_back(
    place: Path, path: Path, table: Table, *, name: str | None, replace: bool, empty: bool
) -> tuple[Restored, str]:
    """A table restored from a folder of backups (or from the file of one), and what is wrong with it: "" when sound."""
    from toriwork.storage import find_backup, restore
    from toriwork.storage.backup import table_of

    of = path.stem
    if place.is_file():
        place, name = place.parent, place.name
        of = table_of(Path(name).stem) or of
    found = find_backup(place, of, name)
    return _checked(restore(found, path, replace=replace, empty=empty, beside=table.beside), table)


def _checked(made: Restored, table: Table) -> tuple[Restored, str]:
    from toriwork.storage import ParquetTable

    with ParquetTable(made.path, table.spec, read_only=True) as opened:
        report = opened.verify()
    return made, "" if report.ok else str(report)


@COMMANDS.action("backup", "toriwork backup /mnt/nightly")
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--root", type=PATH, metavar="DIR", help="The state root; default: that of this machine.")
def backup_root(folder: Path, root: Path | None, as_json: bool) -> int:
    """Copy every table of the state root, unpublished rows too, while others write.

    DIR is made when it is missing. Each backup is one Parquet file and a manifest, complete or not there. Exit code 1:
    a table could not be backed up; the others were.
    """
    place = (root or state_root()).absolute()
    present = [(place / name, table) for name, table in TABLES.items() if _is_there(place / name)]
    if not present:
        raise NotFound(f"{place}: expected tables of toriwork, got none")
    made, failed = _each({path.name: partial(_back_up_one, path, table, folder) for path, table in present})
    return _tell_made(made, failed, as_json=as_json)


def _back_up_one(path: Path, table: Callable[[], Table], folder: Path) -> Backup:
    return back_up(path, table(), folder)


def _each(todo: dict[str, Callable[[], _Done]]) -> tuple[list[_Done], dict[str, ToriworkError]]:
    """The outcomes of all tables, and the errors by their names: one that is damaged stops no other."""
    done: list[_Done] = []
    failed: dict[str, ToriworkError] = {}
    for name, do in todo.items():
        try:
            done.append(do())
        except ToriworkError as error:
            failed[name] = error
    return done, failed


@COMMANDS.action("restore", "toriwork restore /mnt/nightly --to /tmp/drill")
@click.argument("folder", type=PATH, metavar="DIR")
@click.option("--to", type=PATH, metavar="ROOT", help="Another state root, for a drill.")
@REPLACE
@EMPTY
def restore_root(folder: Path, to: Path | None, replace: bool, empty: bool, as_json: bool) -> int:
    """Bring every table of a state root back from its newest backup in DIR.

    Exit code 1: a table is not sound then, or was not restored; the others were.
    """
    from toriwork.storage.backup import tables_in
    from toriwork.storage.files import OsFiles

    root = (to or state_root()).absolute()
    found = tables_in(OsFiles(), folder.absolute())
    wanted = {name: table for name, table in TABLES.items() if Path(name).stem in found}
    if not wanted:
        raise NotFound(f"{folder}: expected backups of tables, got none")
    done, failed = _each(
        {
            name: partial(_restore_one, folder, root / name, table, replace=replace, empty=empty)
            for name, table in wanted.items()
        }
    )
    return _tell_restored(done, failed, as_json=as_json)


def _restore_one(
    folder: Path, path: Path, table: Callable[[], Table], *, replace: bool, empty: bool
) -> tuple[Restored, str]:
    return put_back(folder, path, table(), name=None, replace=replace, empty=empty)


@ACTIONS.action("backup", "toriwork registry backup /mnt/nightly")
@click.argument("folder", type=PATH, metavar="DIR")
@FILE
def backup_registry(folder: Path, path: Path | None, as_json: bool) -> int:
    """Copy all rows, published or not, into a folder of backups."""
    return _tell_made([back_up(_existing(path), _registry(), folder)], {}, as_json=as_json)


@ACTIONS.action("restore", "toriwork registry restore /mnt/nightly --to /tmp/drill")
@click.argument("place", metavar="DIR|URI")
@FILE
@click.option("--name", help="The backup to take; default: the newest.")
@click.option("--as-of", metavar="GENERATION|TIME", help="Of what a registry published to URI; default: the newest.")
@click.option("--to", type=PATH, metavar="ROOT", help="Another state root, for a drill.")
@REPLACE
@EMPTY
def restore_registry(
    place: str,
    path: Path | None,
    name: str | None,
    as_of: str | None,
    to: Path | None,
    *,
    replace: bool,
    empty: bool,
    as_json: bool,
) -> int:
    """Bring a registry back from a folder of backups, the file of one, or what it published to (s3://..., file://...).

    Exit code 1: it is not sound then.
    """
    from toriwork.storage.generations import restore_generation
    from toriwork.storage.objects import is_uri

    target = (path or registry_path()).absolute()
    target = target if to is None else to.absolute() / target.name
    folder = PATH.convert(place, None, None)
    if is_uri(place) or as_of is not None or (folder / f"{target.stem}.store").is_file():
        if name is not None:
            raise BadInput("--name: expected --as-of GENERATION here; names are those of backups")
        done = _checked(restore_generation(place, target, as_of=as_of, replace=replace, empty=empty), _registry())
    else:
        done = put_back(folder, target, _registry(), name=name, replace=replace, empty=empty)
    return _tell_restored([done], {}, as_json=as_json)


@ACTIONS.action("repair", "toriwork registry repair --yes")
@FILE
@click.option("--yes", is_flag=True, help="Do what it tells.")
def repair(path: Path | None, yes: bool, as_json: bool) -> int:
    """Tell what a repair would set aside and accept.

    With --yes it is done; nothing is deleted. Exit code 1: there is something to do.
    """
    from toriwork.registry import TorusRegistry
    from toriwork.registry.codec import SPEC
    from toriwork.storage import rehearse_repair

    place = _existing(path)
    notes = rehearse_repair(place, SPEC).notes
    done = bool(notes) and yes
    if done:
        with TorusRegistry(place, repair=True) as registry:
            notes = registry.recovery_report.notes
    if as_json:
        say_json({"path": str(place), "done": done, "notes": notes})
    elif not notes:
        say(f"{one_line(str(place))}: nothing to repair")
    else:
        say("\n".join(one_line(f"- {note}") for note in notes))
        say(
            "Done; nothing was deleted." if done else "Nothing was changed; --yes does this. Copy the state root first."
        )
    return int(bool(notes) and not done)


def _existing(given: Path | None) -> Path:
    path = (given or registry_path()).absolute()
    if not _is_there(path):
        raise NotFound(f"{path}: there is no registry; `toriwork demo` makes one to look at")
    return path


def _is_there(path: Path) -> bool:
    folder = path.with_suffix(".d")
    return os.path.lexists(path) or (folder.is_dir() and any(folder.iterdir()))


def _tell_made(made: list[Backup], failed: dict[str, ToriworkError], *, as_json: bool) -> int:
    shown = ("n_rows", "n_unpublished", "generation", "sha256")
    if as_json:
        facts: list[dict[str, Any]] = [
            {"path": str(one.path), **{name: getattr(one, name) for name in shown}} for one in made
        ] + _failures(failed)
        say_json(facts if len(facts) != 1 else facts[0])
    else:
        for one in made:
            say(one_line(f"{one.n_rows} rows, {one.n_unpublished} of them not public yet, are in {one.path}"))
        _tell_failed(failed)
    return _code(made, failed)


def _code(done: Sequence[object], failed: dict[str, ToriworkError]) -> int:
    return 0 if not failed else 1 if done else 2


def _failures(failed: dict[str, ToriworkError]) -> list[dict[str, Any]]:
    return [{"table": name, "error": error.kind, "message": str(error)} for name, error in failed.items()]


def _tell_failed(failed: dict[str, ToriworkError]) -> None:
    for name, error in failed.items():
        say(one_line(f"{name}: {error}"), error=True)


def _tell_restored(done: list[tuple[Restored, str]], failed: dict[str, ToriworkError], *, as_json: bool) -> int:
    if as_json:
        facts: list[dict[str, Any]] = [
            {"path": str(one.path), "n_rows": one.n_rows, "kept": one.kept and str(one.kept), "clean": not wrong}
            for one, wrong in done
        ] + _failures(failed)
        say_json(facts if len(facts) != 1 else facts[0])
    else:
        for one, wrong in done:
            kept = f"; what was there is kept in {one.kept.parent}" if one.kept is not None else ""
            say(wrong or one_line(f"{one.path}: {one.n_rows} rows restored, sound{kept}"))
        _tell_failed(failed)
    return _code(done, failed) or int(any(wrong for _, wrong in done))
