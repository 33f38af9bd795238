"""The restore drill of a run: a backup while others write, restored elsewhere, compared row by row."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.soak.worker import REGISTRY

if TYPE_CHECKING:
    from toriwork.registry import TorusRegistry

BACKUPS, RESTORED = "soak-backups", "soak-restored"
_KEPT = 2  # backups, the newest
#: what every publish sets anew, and a backup may have computed before the registry did
_OWN = ("generation", "published", "betti0", "betti1", "betti2", "betti_status")


@dataclass(frozen=True, slots=True)
class Drill:
    """The outcome of a drill; its folder with the restored registry stays until :func:`clear`."""

    n_rows: int
    backup_seconds: float
    restore_seconds: float
    restored: Path
    findings: tuple[str, ...]


def drill(folder: Path) -> Drill:
    """Back up the registry of a run, restore it beside, and compare what is there with what the registry has."""
    from toriwork.registry import TorusRegistry
    from toriwork.storage import find_backup, restore

    clear(folder)
    target = folder / RESTORED / REGISTRY
    with TorusRegistry(folder / REGISTRY, read_only=True) as registry:
        n_before = len(registry)
        began = time.perf_counter()
        made = registry.backup(folder / BACKUPS)
        saved = time.perf_counter()
        target.parent.mkdir()
        restore(find_backup(folder / BACKUPS, target.stem, made.name), target)
        ended = time.perf_counter()
        with TorusRegistry(target, read_only=True) as restored:
            findings = [f"damaged: restored: {finding}" for finding in restored.verify().findings]
            findings += _compared(registry, restored)
            if len(restored) < n_before:
                findings.append(f"lost: {n_before - len(restored)} rows of {n_before} are not in a backup")
    for old in sorted((folder / BACKUPS).glob("*.parquet"))[:-_KEPT]:
        old.with_suffix(".json").unlink()
        old.unlink()
    return Drill(made.n_rows, saved - began, ended - saved, target.parent, tuple(findings))


def clear(folder: Path) -> None:
    """Remove the restored registry of an earlier drill."""
    if (folder / RESTORED).exists():
        shutil.rmtree(folder / RESTORED)


def _compared(registry: TorusRegistry, restored: TorusRegistry) -> Iterator[str]:
    import pyarrow.compute as pc

    names = [name for name in restored.scan().schema.names if name not in _OWN]
    there = restored.scan(names).read_all().sort_by("row_id")
    original = registry.scan(names).read_all()
    original = original.filter(pc.is_in(original["row_id"], value_set=there["row_id"])).sort_by("row_id")
    if not there.equals(original):
        yield f"damaged: {there.num_rows} restored rows differ from those of the registry"
