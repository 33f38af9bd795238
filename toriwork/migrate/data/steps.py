"""Which steps the data of a code base takes, in which order, and what is left to somebody."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from toriwork.errors import BadInput
from toriwork.migrate.data.find import Data
from toriwork.migrate.data.moves import Export, Import, KeepRegistry, MakeState
from toriwork.migrate.engine.retire import RetireFiles
from toriwork.migrate.engine.step import Step
from toriwork.migrate.recipes.source import Manual
from toriwork.migrate.recipes.tables import MovedClass, reasons
from toriwork.sqlite.export import file_stem

STREAM = "spectral_db"  #: of a history that no class of the code base opens; SpectralDB's own
KINDS: dict[str, type[Any]] = {step.kind: step for step in (MakeState, Export, KeepRegistry, Import, RetireFiles)}


def step_from_dict(described: dict[str, Any]) -> Step:
    """Return the step that describes itself so.

    Raises
    ------
    BadInput
        It is of a kind that is not known here.
    """
    fields = {key: value for key, value in described.items() if key != "kind"}
    kind = described.get("kind")
    if kind not in KINDS:
        raise BadInput(f"step {described.get('id')!r}: expected one of {', '.join(KINDS)}, got kind {kind!r}")
    step: Step = KINDS[kind](**fields)
    return step


def data_steps(
    data: Data,
    streams: Mapping[str, str],
    moved: Mapping[str, MovedClass] | None = None,
) -> list[Step]:
    """Return everything that happens to the data before a line of code changes, in order.

    Parameters
    ----------
    data : Data
    streams : mapping
        Path of a database -> stream of the class that opens it.
    moved : mapping, optional
        Path of a database -> the class that answers from its rows from now on.
    """
    if not data.usable:
        return []
    steps: list[Step] = [MakeState("data:state")]
    for database in data.usable:
        name = export_name(database.path)
        steps.append(Export(f"data:export:{name}", database.path, database.digest, name))
    steps.append(KeepRegistry("data:registry"))
    for database in data.usable:
        name = export_name(database.path)
        stream = next((streams[path] for path in (database.path, *database.names) if path in streams), STREAM)
        columns: dict[str, str] = {}
        if (owner := (moved or {}).get(database.path)) is not None:
            stream, columns = f"{owner.stream}:{database.path}", dict(owner.columns)
        steps.append(Import(f"data:import:{name}", database.path, database.digest, name, stream, columns))
    return steps


def retire_steps(data: Data) -> list[Step]:
    """Return the last steps: databases leave the code base, each only when its export and its rows are proven."""
    steps: list[Step] = []
    for database in data.usable:
        name = export_name(database.path)
        paths = (database.path, *database.side_files, *database.names)
        steps.append(RetireFiles(f"data:retire:{name}", paths, (f"data:export:{name}", f"data:import:{name}")))
    return steps


def export_name(path: str) -> str:
    """Return the folder of a database's export: readable, no two alike, and nothing that looks like a database."""
    return f"{file_stem(Path(path).stem)}-{blake2b(path.encode('utf-8', 'surrogateescape'), digest_size=4).hexdigest()}"


def data_manual(data: Data) -> list[Manual]:
    """Return what somebody has to look at: files that nothing reads for sure. They stay where they are."""
    found = [Manual(path, 0, "data", why) for path, why in data.strange]
    damaged = [database for database in data.databases if database.damage]
    return found + [Manual(one.path, 0, "data", f"{one.damage}. It stays where it is") for one in damaged]


def kept_manual(kept: Mapping[str, str]) -> list[Manual]:
    """Return what to do about each database that stays, by the file and line that keeps it."""
    found = []
    for database, place in sorted(kept.items()):
        path, _, line = place.rpartition(":")
        why = f"names {database}, which therefore stays; `toriwork migrate PATH --retire {database}` retires it"
        found.append(Manual(path, int(line), "readers", why))
    return found


def data_notes(data: Data) -> list[str]:
    """Return a line for each table with rows that are no spectra."""
    return [
        f"{database.path}: {sum(found.values()):,} of {database.tables[table]:,} rows of {table} are no spectra: "
        f"{reasons(found)}; no row of the registry comes of them, the export holds them"
        for database in data.usable
        for table, found in database.unread.items()
    ]
