"""Which steps the data of a code base takes, in which order, and what is left to somebody."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from toriwork.codebase import CodebaseIndex
from toriwork.errors import BadInput
from toriwork.migrate.data import history, registry
from toriwork.migrate.data.find import Database, Found, examine, look
from toriwork.migrate.data.links import RetireLink
from toriwork.migrate.data.moves import Export, Import, KeepRegistry, MakeState, Verify
from toriwork.migrate.engine.retire import RetireFiles
from toriwork.migrate.engine.run import Step
from toriwork.migrate.recipes.source import Manual
from toriwork.sqlite.export import file_stem
from toriwork.sqlite.source import file_sha256
from toriwork.state import REGISTRY_FILE

STREAM = "spectral_db"  #: of a history that no class of the code base opens; SpectralDB's own
_KINDS: dict[str, type[Any]] = {
    found.kind: found for found in (MakeState, Export, Verify, KeepRegistry, Import, RetireLink)
}


class World(Protocol):
    """What the data steps ask of a code base."""

    @property
    def root(self) -> Path: ...
    @property
    def index(self) -> CodebaseIndex: ...


def step_from(described: dict[str, Any]) -> Step:
    """The step that describes itself so.

    Raises
    ------
    BadInput
        It is of a kind that is not known here.
    """
    fields = {key: value for key, value in described.items() if key != "kind"}
    kind = described.get("kind")
    if kind == "retire":
        return RetireFiles(fields["id"], tuple(fields["paths"]), tuple(fields["needs"]))
    if kind not in _KINDS:
        raise BadInput(f"step {described.get('id')!r}: kind {kind!r} is not known here")
    step: Step = _KINDS[kind](**fields)
    return step


def look_at(world: World, state_root: Path | None = None) -> Found:
    """The data of a code base; its own state root is not part of it."""
    return look(world.index.without([state_root] if state_root is not None else []))


def data_steps(world: World, state_root: Path, plan_id: str) -> list[Step]:  # noqa: ARG001 - told again when they run
    """Everything that happens to the data before a line of code changes, in order.

    Parameters
    ----------
    world : World
        The code base; where it says which class opens a file (``databases``, ``histories``), that class's stream is
        the one of the file's rows.
    state_root : Path
        Where exports and registry go.
    plan_id : str
        Of the migration; every step is told again when it runs.
    """
    found, root = look_at(world, state_root), Path(world.root)
    usable = [database for database in found.databases if not examine(root, database).damage]
    streams = _streams(world)
    target = state_root / REGISTRY_FILE
    histories = [path for path in _wanted_histories(world, found, streams) if not _is_brought(root, path, target)]
    if not usable and not histories:
        return []
    steps: list[Step] = [MakeState("data:state")]
    for database in usable:
        name = export_name(database.path)
        about = database.path, database.digest, name
        steps += [Export(f"data:export:{name}", *about), Verify(f"data:verify:{name}", *about)]
    steps.append(KeepRegistry("data:registry"))
    for database in usable:
        name = export_name(database.path)
        stream = next((streams[path] for path in (database.path, *database.names) if streams.get(path)), STREAM)
        steps.append(Import(f"data:import:{name}", database.path, database.digest, name, stream))
    for path in histories:
        place = f"data:import:{path}"
        steps.append(Import(place, path, file_sha256(root / path), "", streams.get(path) or STREAM))
    return steps


def _streams(world: World) -> dict[str, str]:
    """Path -> the stream of the class that opens it, where the code base is known so well."""
    known = [*getattr(world, "databases", ()), *getattr(world, "histories", ())]
    return {str(entry.path): entry.stream for entry in known if getattr(entry, "stream", None)}


def _is_brought(root: Path, path: str, target: Path) -> bool:
    """Whether an earlier migration brought what a JSON file holds: it stays where it is, so it is met again."""
    rows = history.of_json(root / path, path)
    return registry.is_brought(target, (row for row in rows if isinstance(row, history.Spectrum)))


def _wanted_histories(world: World, found: Found, streams: dict[str, str]) -> list[str]:
    """JSON files that code of the tree opens; where nobody knows that, all of them."""
    return [path for path in found.histories if path in streams or not hasattr(world, "histories")]


def export_name(path: str) -> str:
    """The folder of a database's export: readable, no two alike, and nothing that looks like a database."""
    return f"{file_stem(Path(path).stem)}-{blake2b(path.encode('utf-8', 'surrogateescape'), digest_size=4).hexdigest()}"


def retire_steps(world: World, state_root: Path, plan_id: str) -> list[Step]:  # noqa: ARG001 - as above
    """The last steps: databases leave the code base, each only when its export and its rows are proven."""
    found, root = look_at(world, state_root), Path(world.root)
    steps: list[Step] = []
    for database in found.databases:
        if examine(root, database).damage:
            continue
        name = export_name(database.path)
        needs = (f"data:verify:{name}", f"data:import:{name}")
        steps += [RetireLink.of(root, link, database.path, needs) for link in database.names]
        sides = [database.path + suffix for suffix in database.sides]
        steps.append(RetireFiles(f"data:retire:{name}", (database.path, *sides), needs))
    return steps


def data_manual(world: World, state_root: Path | None = None) -> list[Manual]:
    """What somebody has to look at: files that nothing reads for sure. They stay where they are."""
    found, root = look_at(world, state_root), Path(world.root)
    manual = [Manual(entry.path, 0, "data", entry.why) for entry in found.strange]
    taken = _wanted_histories(world, found, _streams(world))
    words = "holds spectra, and no class of this code base opens it; they stay in it"
    manual += [Manual(path, 0, "data", words) for path in found.histories if path not in taken]
    for database in found.databases:
        why = examine(root, database).damage
        if why:
            manual.append(Manual(database.path, 0, "data", f"{why}. It stays where it is"))
    return sorted(manual, key=lambda entry: entry.path)


def database_facts(world: World, state_root: Path | None = None) -> list[dict[str, Any]]:
    """Per database what the plan says of it: ``path``, ``names``, ``side_files``, ``digest``, ``bytes``, ``tables``
    (name -> rows), ``damage`` and the processes that have it open, sorted by path.
    """
    found, root = look_at(world, state_root), Path(world.root)
    return [_facts(root, database) for database in sorted(found.databases, key=lambda database: database.path)]


def _facts(root: Path, database: Database) -> dict[str, Any]:
    seen = examine(root, database)
    return {
        "path": database.path,
        "names": list(database.names),
        "side_files": [database.path + suffix for suffix in database.sides],
        "digest": database.digest,
        "bytes": (root / database.path).stat().st_size,
        "tables": dict(seen.tables),
        "damage": seen.damage,
    }
