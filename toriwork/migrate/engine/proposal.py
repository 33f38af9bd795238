"""What recipes, data steps and generated files make of a code base: everything a plan is put together from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toriwork.migrate.engine.run import Step

Steps = Callable[[str], Sequence[Step]]  #: plan id -> steps


@dataclass(frozen=True, slots=True)
class Change:
    """One file with new bytes; ``before`` None: it is made; ``after`` None: it goes."""

    path: str  #: relative to the code base, with slashes
    before: bytes | None
    after: bytes | None
    why: tuple[str, ...]  #: names of recipes, or what generated it
    confidence: str = "safe"  #: or "review"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything that could be done to a code base, nothing done yet."""

    seen: tuple[str, ...] = ()  #: files that were read to find it out
    changes: tuple[Change, ...] = ()
    manual: tuple[dict[str, Any], ...] = ()  #: path, line, recipe, why
    notes: tuple[str, ...] = ()  #: what is worth knowing and needs nobody
    databases: tuple[dict[str, Any], ...] = ()
    data: Steps = lambda _: ()
    retire: Steps = lambda _: ()


Propose = Callable[[Path, Path], Proposal]  #: code base, state root
