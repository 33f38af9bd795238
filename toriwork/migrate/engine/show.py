"""A plan as text: what happens to which file, what is known of each database, what is left to a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from toriwork.migrate.engine.plan import Plan


def plan_lines(plan: Plan, *, diffs: bool = True) -> Iterator[str]:
    """The lines that show a plan; with ``diffs`` every change of every file."""
    content = plan.content
    yield f"plan {plan.id} (sha256 {plan.sha256[:12]}) for {plan.root}"
    yield f"data goes to {plan.state_root}, what is changed is kept in {content['backup']}/"
    if plan.empty:
        yield "nothing to do"
    for found in content["databases"]:
        yield database_line(found)
    for found in content["files"]:
        yield file_line(found)
        if diffs:
            yield from (f"    {line}" for line in found["diff"].splitlines())
    yield from (f"note    {note}" for note in content["notes"])
    yield from (manual_line(found) for found in plan.manual)
    yield totals_line(plan)


def database_line(found: dict[str, Any]) -> str:
    """One database: its tables and rows, or why it stays."""
    tables = found.get("tables") or {}
    if found.get("damage"):
        return f"stays   {found['path']}: {found['damage']}"
    if found.get("kept"):
        return f"stays   {found['path']}: {found['kept']} names it"
    rows = ", ".join(f"{name} {n_rows:,} rows" for name, n_rows in tables.items() if n_rows is not None)
    return f"export  {found['path']}: {rows or 'no tables'}; retired when that is proven"


def file_line(found: dict[str, Any]) -> str:
    """One file: what happens to it, who says so, and how sure that is."""
    lines = found["diff"].splitlines()
    plus = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    minus = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    look = "; look at this one" if found["confidence"] == "review" else ""
    return f"{found['action']:7} {found['path']}: +{plus} -{minus} ({', '.join(found['why'])}{look})"


def manual_line(found: dict[str, Any]) -> str:
    """Something for a person, with its place."""
    place = f"{found['path']}:{found['line']}" if found["line"] else found["path"]
    return f"by hand {place}: {found['why']}"


def totals_line(plan: Plan) -> str:
    """How much there is to do."""
    content = plan.content
    return (
        f"{len(content['files'])} files, {len(content['databases'])} databases, {len(plan.manual)} by hand; "
        f"about {content['needs_bytes']:,} bytes are needed meanwhile"
    )
