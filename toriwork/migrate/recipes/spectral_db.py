"""A class that keeps spectra in SQLite, JSON or a pickle becomes a thin subclass of toriwork's SpectralDB.

Its name, its place, its constructor's arguments and what else it can do stay; methods that were storage go, those that
can be answered from the registry get one line. One that is called and cannot be answered leaves the class as it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from toriwork.codebase.edits import Edit
from toriwork.errors import Unsure
from toriwork.migrate.recipes.detect import Function, classes, methods, spectral_classes, storage_of
from toriwork.migrate.recipes.imports import Wanted
from toriwork.migrate.recipes.rows import RowClass
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit
from toriwork.migrate.recipes.spectral_attributes import kept_attributes
from toriwork.migrate.recipes.spectral_members import sorted_members, stores

NAME = "spectral_db"
_BOUND = ("max_entries", "max_size", "maxlen", "max_signatures", "capacity", "max_records", "limit")
_PATH = re.compile(r"path|file|db|dir|location|name", re.IGNORECASE)


@dataclass
class _Class:
    """One class on its way: what its members become."""

    unit: Unit
    node: ast.ClassDef
    edits: list[Edit] = field(default_factory=list)
    notes: list[Manual] = field(default_factory=list)


def transform(unit: Unit) -> Outcome:
    """Edits that put every spectral class of a file onto the registry."""
    wanted = Wanted(unit)
    edits: list[Edit] = []
    manual: list[Manual] = []
    notes: list[Manual] = []
    gone: set[ast.AST] = set()
    for node, _ in spectral_classes(unit.tree, unit.world.storing):
        work = _Class(unit, node)
        try:
            gone |= _move(work, wanted)
        except Unsure as error:
            manual.append(unit.manual(node, NAME, str(error)))
            continue
        edits += work.edits
        notes += work.notes
    if not edits:
        return Outcome(manual=tuple(manual))
    edits += _dead_helpers(unit, gone)
    return Outcome((*wanted.edits(), *edits), tuple(manual), review=True, notes=tuple(notes))


def _move(work: _Class, wanted: Wanted) -> set[ast.AST]:
    """Make the edits of one class; the members that go."""
    node, unit = work.node, work.unit
    if node.decorator_list or node.keywords or any(ast.unparse(base) != "object" for base in node.bases):
        raise Unsure(f"class {node.name} has bases or decorators: what they do with its storage is not known")
    if node.body[0].lineno == node.lineno or len({child.lineno for child in node.body}) < len(node.body):
        raise Unsure(f"class {node.name} has several statements on a line")
    members = sorted_members(unit, node)
    work.notes += members.notes
    work.edits += members.edits
    core = f"{unit.world.core_package}.torus_registry"
    base = wanted.name(core, "SpectralDB", "TorusSpectralDB")
    registry = wanted.name(core, "TorusRegistry")
    _header(work, base)
    going: set[ast.AST] = set()
    previous = node.body[0]
    _insert_annotations(work, registry, members.row)
    for child in node.body:
        if isinstance(child, Function) and child.name == "__init__":
            _constructor(work, child, wanted)
            going.add(child)
        elif isinstance(child, Function) and child.name in members.answered:
            _replace_body(work, child, members.answered[child.name])
            going.add(child)
        elif child not in members.kept:
            going.add(child)
            _delete(work, child, previous)
        previous = child
    if "__init__" not in methods(node):
        _new_constructor(work)
    for name, told in members.mirrors.items() - {("signatures", "self.signatures")}:
        _mirror(work, name, told)
    return going


# ---- edits ---------------------------------------------------------------------------------------------------------


def _header(work: _Class, base: str) -> None:
    node, unit = work.node, work.unit
    first = node.body[0]
    head = unit.data[unit.start(node) : unit.line_start(_first_line(first))].decode()
    found = re.match(r"class\s+" + re.escape(node.name) + r"\s*(\([^)]*\))?\s*:", head)
    if found is None:
        raise Unsure(f"the head of class {node.name} is written in an unusual way")
    start = unit.start(node)
    behind = head[found.end() :].split("\n")[0].strip("\r")
    mark = f"  {MARK} {NAME}" if not behind.strip() else ""
    work.edits.append(Edit(start, start + len(found.group().encode()), f"class {node.name}({base}):{mark}".encode()))


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min(int(one.lineno) for one in (node, *decorators))


def _insert_annotations(work: _Class, registry: str, row: RowClass | None) -> None:
    """Say where the spectra are and what hands them out, behind the docstring."""
    node, unit = work.node, work.unit
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    at = unit.line_end(first.end_lineno or first.lineno) if documented else unit.line_start(_first_line(first))
    margin = unit.margin(first)
    said = [f"{margin}registry: {registry}  # where the spectra are"]
    if row is not None and not row.required:
        said.append(f"{margin}signature_class = {row.name}  # what they come back as")
    work.edits.append(Edit(at, at, unit.block(["", *said] if documented else [*said, ""])))


def _mirror(work: _Class, name: str, told: str) -> None:
    """A property in the place of an attribute that held the signatures."""
    unit, node = work.unit, work.node
    margin = unit.margin(node.body[0])
    at = unit.line_end(node.end_lineno or node.lineno)
    lines = ["", f"{margin}@property", f"{margin}def {name}(self):", f"{margin}{unit.indent}return {told}"]
    work.edits.append(Edit(at, at, unit.block(lines)))


def _delete(work: _Class, child: ast.stmt, previous: ast.stmt) -> None:
    """A member with the comments and blank lines in front of it."""
    unit = work.unit
    behind = previous.end_lineno if previous is not child else _first_line(child) - 1
    work.edits.append(Edit(unit.line_start((behind or 0) + 1), unit.line_end(child.end_lineno or child.lineno), b""))


def _replace_body(work: _Class, function: Function, body: list[str]) -> None:
    """New statements behind a method's head and docstring."""
    unit = work.unit
    first = function.body[0]
    if first.lineno == function.lineno:
        raise Unsure(f"method {function.name} is written on one line")
    margin = unit.margin(first)
    start = unit.line_start(first.lineno)
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        start = unit.line_end(first.end_lineno or first.lineno)
    work.edits.append(Edit(start, unit.line_end(function.end_lineno or function.lineno), unit.block(body, margin)))


def _constructor(work: _Class, function: Function, wanted: Wanted) -> None:
    arguments = [argument.arg for argument in (*function.args.args[1:], *function.args.kwonlyargs)]
    defaults = _defaults(function)
    given = []
    for name in arguments:
        if name in _BOUND:
            default = defaults.get(name)
            absent = isinstance(default, ast.Constant) and default.value is None
            given.append(f"max_entries={name} or 10_000" if absent else f"max_entries={name}")
        elif name == "max_size_mb":
            given.append("max_size_mb=max_size_mb")
    given.append(f"stream={_stream(work, arguments, defaults, wanted)}")
    lines = [f"super().__init__({', '.join(given)})"]
    lines += [work.unit.text(child) for child in kept_attributes(work.node).values()]
    if any("\n" in line for line in lines):
        raise Unsure(f"the constructor of {work.node.name} sets an argument over several lines")
    _replace_body(work, function, lines)


def _defaults(function: Function) -> dict[str, ast.expr]:
    positional = function.args.args
    behind = positional[len(positional) - len(function.args.defaults) :]
    found = {one.arg: value for one, value in zip(behind, function.args.defaults, strict=True)}
    keyword = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return found | {one.arg: value for one, value in keyword if value is not None}


def _stream(work: _Class, arguments: list[str], defaults: dict[str, ast.expr], wanted: Wanted) -> str:
    """The stream: told apart by the file where the constructor takes one, as the files were."""
    stream = f'"{work.unit.world.stream(work.unit.path, work.node.name)}"'
    path = next((name for name in arguments if _PATH.search(name) and name not in _BOUND), None)
    if path is None:
        return stream
    called = wanted.name(f"{work.unit.world.core_package}.torus_registry", "stream_for")
    told = work.unit.text(defaults[path]) if path in defaults else "None"
    default = "" if told == "None" else f", {told}"
    return f"{called}({stream}, {path}{default})"


def _new_constructor(work: _Class) -> None:
    unit, node = work.unit, work.node
    margin = unit.margin(node.body[0])
    at = unit.line_end(node.end_lineno or node.lineno)
    stream = unit.world.stream(unit.path, node.name)
    lines = ["", f"{margin}def __init__(self):", f'{margin}{unit.indent}super().__init__(stream="{stream}")']
    work.edits.append(Edit(at, at, unit.block(lines)))


def _dead_helpers(unit: Unit, gone: set[ast.AST]) -> Iterator[Edit]:
    """Functions at the module's top that were storage and that nothing names any more; adapters of the driver."""
    adapters = [child for child in unit.tree.body if _registers_adapter(child)]
    lost = {part for member in (*gone, *adapters) for part in ast.walk(member)}
    left = {part.id for part in ast.walk(unit.tree) if isinstance(part, ast.Name) and part not in lost}
    named = {part.id for part in lost if isinstance(part, ast.Name)}
    module = unit.path.rpartition("/")[2].removesuffix(".py")
    helpers = [
        child
        for child in unit.tree.body
        if isinstance(child, Function)
        and child.name in named - left
        and stores(child, unit)
        and (module, child.name) not in unit.world.borrowed
    ]
    for child in (*adapters, *helpers, *_dead_methods(unit)):
        end = unit.line_end(child.end_lineno or child.lineno)
        blank = re.match(rb"(?:[ \t]*(?:\r\n|\r|\n))*", unit.data[end:])
        yield Edit(unit.line_start(_first_line(child)), end + (blank.end() if blank else 0), b"")


def _dead_methods(unit: Unit) -> Iterator[Function]:
    """Methods of other classes that speak to the driver and that only the storage called."""
    spectral = {node for node, _ in spectral_classes(unit.tree, unit.world.storing)}
    for node in classes(unit.tree):
        for name, function in methods(node).items() if node not in spectral and len(node.body) > 1 else ():
            if storage_of(function, unit.tree) == "sqlite" and not unit.world.uses(name):
                yield function


def _registers_adapter(child: ast.stmt) -> bool:
    return isinstance(child, ast.Expr) and bool(
        re.match(r"sqlite3\.register_(adapter|converter)\(", ast.unparse(child))
    )
