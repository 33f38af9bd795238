"""A proposal for a real code base: recipes for its code, data steps for its data, and the files that guard it later."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from toriwork.migrate.engine.proposal import Change, Proposal
from toriwork.migrate.engine.run import Step


def propose(root: Path, state_root: Path) -> Proposal:
    """What toriwork would do to a code base. Everything is read, nothing is run, imported or written."""
    from toriwork.migrate.data.direct_sql import direct_sql
    from toriwork.migrate.data.steps import data_manual, data_steps, database_facts, retire_steps
    from toriwork.migrate.generated.files import generated_manual
    from toriwork.migrate.recipes import World

    world = World.look(root)
    changes, manual, told, code = _code(world)
    idle = {history.path for history in world.histories if history.kind == "json" and history.stream is None}
    left = data_manual(world, state_root)
    manual += [asdict(found) for found in [*left, *generated_manual(world, state_root)] if found.path not in idle]
    databases = [
        facts | {"files": [facts["path"], *facts["side_files"]]} for facts in database_facts(world, state_root)
    ]
    manual += [asdict(found) for found in direct_sql(world, code, databases)]
    return Proposal(
        seen=tuple(world.code) + tuple(history.path for history in world.histories),
        changes=(*changes, *_generated(world, state_root)),
        manual=tuple(manual),
        notes=(*told, *(f"{found.path}: {found.why}" for found in left if found.path in idle)),
        databases=tuple(databases),
        data=lambda plan_id: data_steps(world, state_root, plan_id),
        retire=lambda plan_id: retire_steps(world, state_root, plan_id),
    )


def _code(world: Any) -> tuple[list[Change], list[dict[str, Any]], list[str], dict[str, bytes]]:
    """Changed files; what no recipe could decide; what is worth knowing; all code as it will be."""
    from toriwork.migrate.recipes import core_modules, rewrite

    changes, manual, notes = [], [], []
    code: dict[str, bytes] = {}
    deployed = core_modules(world)
    for path in world.code:
        if path in deployed:
            continue
        found = rewrite(path, world.index.read(path), world)
        code[path] = found.after
        manual += [asdict(entry) for entry in found.manual]
        notes += [f"{entry.path}:{entry.line}: {entry.why}" for entry in found.notes]
        if found.after != found.before:
            changes.append(Change(path, found.before, found.after, found.recipes, found.confidence))
    for path, after in deployed.items():
        place = world.root / path
        changes.append(Change(path, place.read_bytes() if place.is_file() else None, after, ("core_modules",)))
    return changes, manual, notes, code


def _generated(world: Any, state_root: Path) -> list[Change]:
    from toriwork.migrate.generated.files import generated_files

    return [
        Change(path, before, after, ("generated_files",))
        for path, (before, after) in generated_files(world, state_root).items()
    ]


def revive(described: dict[str, Any]) -> Step:
    """A data or retire step from its own description."""
    from toriwork.migrate.data.steps import step_from

    return step_from(described)
