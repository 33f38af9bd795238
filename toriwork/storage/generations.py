"""Published generations in an object store: one immutable object each, and a manifest, whose name is given once.

``x-g0000000042-DIGEST.parquet`` is the public file as it was; its name says what is in it, so that whoever puts it
again puts the same. ``x-g0000000042.json`` is put only where nothing has that name: it makes the generation exist.
``x.store`` says whose generations these are.
"""

from __future__ import annotations

import bisect
import datetime as dt
import os
import re
import secrets
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from toriwork.errors import BadInput, DamagedFile, NotFound, StoreError, StoreMismatch
from toriwork.storage.access import typed
from toriwork.storage.columns import ParquetSource
from toriwork.storage.files import Files, OsFiles
from toriwork.storage.manifest import MANIFEST_SUFFIX, Backup, manifest_fields, sha256_of
from toriwork.storage.objects import Objects
from toriwork.storage.paths import TEMPORARY_SUFFIX, StorePaths
from toriwork.storage.recovery import aside
from toriwork.storage.restore import Restored, restore

_GENERATION = re.compile(r"g?(\d{1,19})")
_DIGITS = 16  # of the digest in a name


class Generations:
    """The generations of one table in an object store, by what their manifests say.

    Parameters
    ----------
    objects
        Where they lie.
    table
        The name of the public file without its ending, for example ``torus_registry``.
    """

    def __init__(self, objects: Objects, table: str) -> None:
        self._objects, self._table = objects, table
        self._manifest = re.compile(re.escape(table) + r"-g(\d{10,19})" + re.escape(MANIFEST_SUFFIX))

    def numbers(self) -> list[int]:
        """The generations that are there, the oldest first."""
        found = map(self._manifest.fullmatch, self._objects.names())
        return sorted(int(one[1]) for one in found if one is not None)

    def read(self, generation: int) -> Backup:
        """A generation by its manifest; NotFound where there is none, DamagedFile where it is not usable."""
        name = self._name(generation)
        try:
            found = Backup(Path(), "", **manifest_fields(self._objects.get(name + MANIFEST_SUFFIX)))
        except ValueError as error:
            raise DamagedFile(f"{self._objects.uri}/{name}{MANIFEST_SUFFIX}: is not usable: {error}") from error
        return replace(found, name=f"{name}-{found.sha256[:_DIGITS]}")

    def find(self, as_of: int | dt.date | str | None = None) -> Backup:
        """The newest generation, or the one that was public at a time or has a number (``42``, ``"g42"``).

        Raises
        ------
        NotFound
            There is none, or none as old.
        """
        numbers = self.numbers()
        if not numbers:
            raise NotFound(f"{self._objects.uri}: expected generations of {self._table}, got none")
        number = as_of if isinstance(as_of, int) else None
        if isinstance(as_of, str) and (text := _GENERATION.fullmatch(as_of)):
            number = int(text[1])
        if as_of is None or number is not None:
            return self.read(numbers[-1] if number is None else number)
        moment = _moment(as_of)
        at = bisect.bisect_right(numbers, moment, key=lambda one: dt.datetime.fromisoformat(self.read(one).created))
        if not at:
            raise NotFound(f"{self._objects.uri}: expected a generation of {moment.isoformat()} or before, got none")
        return self.read(numbers[at - 1])

    def upload(self, files: Files, paths: StorePaths) -> Backup:
        """Put the public file there as it is now; nothing is put where its generation is there.

        Raises
        ------
        StoreMismatch
            Other generations are there, of another store, or of a copy of this one that went on by itself.
        StoreError
            The store of objects could not be reached, or did not take it. What is visible there is whole.
        """
        # the library reads by name, and a publish may replace the public file meanwhile
        held = paths.folder / f"upload-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
        with typed(paths.base):
            files.link(paths.base, held)
            try:
                return self._put(files, paths, held)
            finally:
                files.unlink(held)

    def _put(self, files: Files, paths: StorePaths, held: Path) -> Backup:
        with closing(files.open(held)) as handle:
            source = ParquetSource(handle, held)
            facts, digest = source.facts, sha256_of(handle)
        if facts is None or not facts.generation:
            raise StoreError(f"{paths.base}: was not published by toriwork yet; nothing was uploaded")
        created = dt.datetime.fromtimestamp(facts.published_us / 1e6, dt.UTC).isoformat()
        name, size = self._name(facts.generation), source.stat.size
        made = Backup(
            Path(), f"{name}-{digest[:_DIGITS]}", self._table, created, source.n_rows, 0, facts.store_id,
            facts.generation, size, digest,
        )  # fmt: skip
        self._claim(facts.store_id)
        if self._is_there(made):
            return made
        self._objects.put_file(made.path.name, held)
        if not self._objects.put_new(name + MANIFEST_SUFFIX, made.to_json().encode()):
            try:
                self._is_there(made)
            except StoreMismatch:
                self._objects.remove(made.path.name)
                raise
        return made

    def _is_there(self, made: Backup) -> bool:
        """True when this generation is there; StoreMismatch where it is another one of the same number."""
        try:
            found = self.read(made.generation)
        except NotFound:
            return False
        if found.sha256 != made.sha256:
            raise StoreMismatch(
                f"{self._objects.uri}: has another generation {made.generation} of {self._table}: a copy of this store "
                "went on by itself and publishes there. Nothing was changed. Give one of them another place"
            )
        return True

    def _claim(self, store_id: str) -> None:
        name = f"{self._table}.store"
        if not self._objects.put_new(name, store_id.encode()):
            there = self._objects.get(name).decode("utf-8", "replace")
            if there != store_id:
                raise StoreMismatch(
                    f"{self._objects.uri}: holds generations of another store ({there[:8]}), this is {store_id[:8]}. "
                    "Nothing was changed. Publish to another place"
                )

    def fetch(self, found: Backup, folder: Path, files: Files) -> Backup:
        """A generation as a backup in a folder; its file is checked by whoever restores it."""
        made = replace(found, folder=folder)
        with closing(files.create(made.path)) as handle:
            for piece in self._objects.chunks(made.path.name):
                if handle.write(piece) != len(piece):
                    raise StoreError(f"{made.path}: the disk took only a part of it (is it full?)")
        return made

    def _name(self, generation: int) -> str:
        return f"{self._table}-g{generation:010d}"


def restore_generation(
    uri: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    as_of: int | dt.date | str | None = None,
    replace: bool = False,
    empty: bool = False,
    table: str = "",
) -> Restored:
    """The table of a generation in an object store, at ``path``; as :func:`toriwork.storage.restore` has it.

    Parameters
    ----------
    as_of
        A generation or a time; the newest when not given.
    replace, empty
        Take the place of a table that is there, which is kept beside; also with a generation of no rows.
    table
        The name that it was published under; that of ``path`` when not given.
    """
    paths = StorePaths.of(path)
    files = OsFiles(paths.base)
    there = Generations(Objects(uri), table or paths.base.stem)
    found = there.find(as_of)
    for parent in files.make_folder(paths.base.parent):
        files.sync_folder(parent)
    with aside(files, paths) as folder:
        return restore(there.fetch(found, folder, files), path, replace=replace, empty=empty)


def _moment(value: object) -> dt.datetime:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError as error:
            raise BadInput(f"as_of: expected a generation or an ISO time, got {value!r}") from error
    if isinstance(value, dt.datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    raise BadInput(f"as_of: expected a generation or a time, got {value!r}")
