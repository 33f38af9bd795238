"""What changed between the plan and now, with the difference shown."""

from __future__ import annotations

from pathlib import Path

from toriwork.errors import DamagedFile, Drift
from toriwork.migrate.engine.describe import unified
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.restore_script import ABSENT, state_of

_SHOWN_LINES = 60


def drifted(plan: Plan) -> list[str]:
    """One text for each file that is not what the plan was made for; empty when the tree is the planned one."""
    return [
        difference(plan, path, planned, found)
        for path, planned in plan.content["tree"].items()
        if (found := state_of(plan.root / path)) != planned
    ]


def refuse_drift(plan: Plan) -> None:
    """Drift when the tree is not the one that was planned for; nothing was changed."""
    found = drifted(plan)
    if found:
        raise Drift(
            f"{len(found)} of {len(plan.content['tree'])} files are not what they were when plan {plan.id} was made. "
            "Nothing was changed; plan again (--replan)\n" + "\n".join(found)
        )


def difference(plan: Plan, path: str, planned: str, found: str) -> str:
    """How a file differs from what was planned for: both states, and the lines where the plan keeps its old bytes."""
    head = f"{path}: planned {_short(planned)}, is {_short(found)}"
    before = _bytes(plan, planned)
    if before is None or not (found.startswith("file ") or found == ABSENT):
        return head
    after = (plan.root / path).read_bytes() if found != ABSENT else None
    lines = unified(path, before, after, "since the plan").splitlines()
    more = [f"... {len(lines) - _SHOWN_LINES} lines more"] if len(lines) > _SHOWN_LINES else []
    return "\n".join([head, *lines[:_SHOWN_LINES], *more])


def _bytes(plan: Plan, state: str) -> bytes | None:
    digest = state.rpartition(" ")[2]
    if not state.startswith("file ") or not plan.blobs.path(digest).exists():
        return None
    try:
        return plan.blobs.read(digest)
    except DamagedFile:
        return None


def _short(state: str) -> str:
    kind, _, rest = state.partition(" ")
    if kind != "file":
        return state
    mode, digest = rest.split(" ")
    return f"mode {mode} sha256 {digest[:12]}"


def edited(root: Path, path: str, *states: str) -> bool:
    """Whether a file is in none of these states."""
    return state_of(root / path) not in states
