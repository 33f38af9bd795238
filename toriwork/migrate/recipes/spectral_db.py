"""A class that keeps signatures in a table of SQLite becomes a thin subclass of toriwork's SignatureTable.

Only a class that is wholly made of the written shapes is moved, and only where the real databases are as its code
says: for them the registry means the same. Anything else leaves the class as it is, as a finding with its line, the
reason, and how to do it by hand.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from toriwork.codebase.edits import Edit
from toriwork.errors import Unsure
from toriwork.migrate.recipes.detect import Function, imported_modules, methods, names_in, spectral_classes
from toriwork.migrate.recipes.imports import NeededImports
from toriwork.migrate.recipes.shapes import Bound, bind, bind_sql, is_text
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit
from toriwork.migrate.recipes.spectral_shapes import (
    ADD,
    ANSWERED,
    CREATE,
    DISTANCE,
    LARGE_END,
    OPEN,
    SMALL_END,
    SQL,
)
from toriwork.migrate.recipes.tables import INDEX, TABLE, MovedClass, misfit

NAME = "spectral_db"

_OTHER_TABLE = re.compile(r"\s*(?:CREATE TABLE IF NOT EXISTS|INSERT OR IGNORE INTO)\s+(\w+)\b", re.IGNORECASE)
#: words of SQL -> why a class that says them is not moved
_REASONS = (
    (r"\bor (ignore|replace)\b|\breplace into\b|\bon conflict\b", "a row may take the place of another"),
    (r"\bunique\b|\bcheck\b|\btext primary key\b", "the database refuses rows that the registry takes"),
    (r"\btrigger\b|\bdelete\b|\bupdate\b", "rows change or go, the registry only appends"),
    (r"\border by\b|\bdistinct\b|\bwhere\b|\bgroup by\b", "the registry answers otherwise"),
)
_SHARED = frozenset("PATH CONN CREATE COMPARE SCHEMA MADE".split())  #: words that mean the same in all methods
_MODULES = {"sqlite3": "sqlite3", "np": "numpy", "json": "json", "Path": "pathlib"}
_PLAIN = frozenset("self len str int float bool round min max sorted list dict np json".split())
#: words that make a path of another one
_OF_PATHS = frozenset("__file__ Path os path str join joinpath dirname abspath realpath resolve parent parents".split())
#: members of the base class that a moved class must not have
BASE_MEMBERS = frozenset("_closed _compared _rows _table flush pads_large_end registry stream max_entries".split())


class _OtherShape(Unsure):
    """A place that is of no known shape."""

    def __init__(self, place: ast.AST, why: str) -> None:
        super().__init__(why)
        self.place = place


@dataclass
class _Class:
    """A spectral class while its members are told."""

    unit: Unit
    node: ast.ClassDef
    bound: Bound = field(default_factory=dict)  #: what the words of the shapes stand for
    known: set[ast.stmt] = field(default_factory=set)  #: members that are of a shape
    lines: dict[ast.stmt, list[str]] = field(default_factory=dict)  #: method -> its new body; others that are known go
    file: list[ast.expr] = field(default_factory=list)  #: places that look at the database's file
    returns_id: bool = False  #: its add hands back the id of the row

    def is_of(self, shapes: tuple[str, ...], function: Function | None) -> bool:
        """Take a function that is of one of some shapes."""
        for shape in shapes:
            if function is not None and (told := bind(shape, function, self.bound)) is not None:
                self.bound = {word: name for word, name in told.items() if word in _SHARED or word.islower()}
                self.known.add(function)
                self.returns_id = self.returns_id or shape is ADD[1]
                return True
        return False


def transform(unit: Unit) -> Outcome:
    """Edits that put every class of a file that is of the known shape onto the registry."""
    needed = NeededImports(unit)
    edits: list[Edit] = []
    manual: list[Manual] = []
    notes: list[Manual] = []
    moved: list[MovedClass] = []
    for node, kind in spectral_classes(unit.tree):
        found = _Class(unit, node)
        try:
            _look_around(found, kind)
            _look_at_storage(found)
            _look_at_others(found)
            _look_at_databases(found)
        except _OtherShape as error:
            manual.append(unit.manual(error.place, NAME, f"{node.name} stays: {error}. {_by_hand(unit, node)}"))
            continue
        edits += _edits(found, needed)
        columns = {word: name for word, name in found.bound.items() if word.islower() and word != "index"}
        moved.append(
            MovedClass(
                unit.path, node.name, unit.world.stream(unit.path, node.name), columns, found.bound.get("MADE", "")
            )
        )
        if found.file:
            why = f"{node.name}: the size of its file is that of the registry's from now on"
            notes.append(unit.manual(found.file[0], NAME, why))
    edits = [*needed.edits(), *edits] if edits else []
    return Outcome(tuple(edits), tuple(manual), review=True, notes=tuple(notes), moved=tuple(moved))


def _by_hand(unit: Unit, node: ast.ClassDef) -> str:
    return (
        "By hand: derive it from toriwork.registry.SpectralDB, call super().__init__("
        f'max_entries=..., stream="{unit.world.stream(unit.path, node.name)}"), keep the rest, and answer what was '
        "storage with super().add(signature), super().distance(eigenvalues, top_k), super().last(n) and self.registry"
    )


def _look_around(found: _Class, kind: str) -> None:
    """Refuse a class of which the code base makes something that the registry does not do."""
    node, world = found.node, found.unit.world
    if kind != "sqlite":
        raise _OtherShape(node, f"it keeps its spectra in {kind}, which is no database")
    head = found.unit.data[found.unit.start(node) : found.unit.line_end(node.lineno)].decode()
    if node.decorator_list or not re.match(rf"class {node.name}(\(object\))?:\s*(#.*)?$", head):
        raise _OtherShape(node, "it has bases or decorators")
    if heirs := world.heirs(node.name, found.unit.path):
        raise _OtherShape(node, f"a class in {heirs[0]} derives from it")
    if why := world.stopped.get((found.unit.path, NAME)):
        raise _OtherShape(node, why)
    if found.unit.path.endswith(".ipynb"):
        raise _OtherShape(node, "it stands in a notebook, which has no place of its own when it runs")
    if re.search(rb"register_(adapter|converter)", found.unit.data):
        raise _OtherShape(node, "its module registers adapters or converters of values")
    modules = imported_modules(found.unit.tree)
    for name in sorted(names_in(node) & _MODULES.keys()):
        if modules.get(name) != _MODULES[name]:
            raise _OtherShape(node, f"{name} is not {_MODULES[name]}'s")


def _look_at_storage(found: _Class) -> None:
    """Tell the methods that are storage, or refuse."""
    node, have = found.node, methods(found.node)
    firsts = [child.body[0] if isinstance(child, Function) else child for child in node.body]
    if any(found.unit.margin(child).strip() for child in (*node.body, *firsts)):
        raise _OtherShape(node, "it has several statements on a line")
    for name, shapes in (("__init__", OPEN), ("add", ADD), ("distance", (DISTANCE,))):
        if name not in have:
            raise _OtherShape(node, f"it has no method {name}")
        if not found.is_of(shapes, have[name]):
            raise _other(found, have[name])
    for word, shapes in (("CREATE", (CREATE,)), ("COMPARE", (SMALL_END, LARGE_END))):
        if not found.is_of(shapes, have.get(found.bound[word])):
            raise _other(found, have.get(found.bound[word], node))
    found.lines[have["add"]] = ["return super().add(signature)" if found.returns_id else "super().add(signature)"]
    for shape, line in ANSWERED:
        for function in have.values():
            if function not in found.known and found.is_of((shape,), function) and line:
                found.lines[function] = [line.format(**found.bound)]


def _look_at_others(found: _Class) -> None:
    """Keep the other members, or refuse."""
    node, have = found.node, methods(found.node)
    lost = {found.bound[word] for word in _SHARED - {"MADE"}}
    constants = set(_constants(found))
    if not any(isinstance(child, ast.Assign) and child in found.known for child in node.body):
        raise _OtherShape(node, f"its table is not made by a text {found.bound['SCHEMA']} of the class")
    rest = [function for function in have.values() if function not in found.known]
    asked = ({"add", "distance", "max_entries"} | have.keys() | constants) - lost
    for function in rest:
        _stays(found, function, asked)
    if taken := (have.keys() | constants) & BASE_MEMBERS:
        raise _OtherShape(node, f"it has a member {min(taken)}, as the registry's class has for itself")
    for name in sorted(lost):
        if paths := found.unit.world.reaches(name):
            raise _OtherShape(node, f"{name} goes, and {', '.join(paths)} uses something of this name")


def _look_at_databases(found: _Class) -> None:
    """Refuse a class whose databases are not as its code says, or are read by others."""
    node, world, table = found.node, found.unit.world, found.bound["table"]
    mine = [database for database in world.known_databases if database.holds(table)]
    for database in mine:
        if why := misfit(database, found.bound):
            raise _OtherShape(node, why)
        if others := world.others(database.readers, node.name, found.unit.path):
            path, line = others[0]
            raise _OtherShape(node, f"{path}:{line} names {database.path}, which would get no new rows")
    if not mine and not _stays_inside(found):
        raise _OtherShape(node, "its database lies outside of the code base, where its rows cannot be looked at")
    word = re.compile(rf"\b(?:from|into|update|join|table)\s+[\"`\[]?{table}\b", re.IGNORECASE)
    for path in world.index.files_with([table]):
        facts = world.facts(path)
        said = (text for _, text in facts.sql) if path == found.unit.path else facts.texts
        if any(word.search(text) for text in said):
            raise _OtherShape(node, f"{path} has SQL of its own for {table}")


def _stays_inside(found: _Class) -> bool:
    """Tell a default file in the code base: relative texts and the module's own place, joined, and nothing else."""
    init = methods(found.node)["__init__"]
    opened: ast.Assign = next(child for child in init.body if isinstance(child, ast.Assign))
    pending: list[ast.expr] = [init.args.defaults[0], opened.value]
    known = {init.args.args[1].arg, *_OF_PATHS}
    while pending:
        for part in ast.walk(pending.pop()):
            if isinstance(part, ast.Constant) and re.match(r"[/~\\]|[A-Za-z]:", str(part.value)):
                return False
            if isinstance(part, ast.Attribute) and part.attr not in _OF_PATHS:
                return False
            if isinstance(part, ast.Name) and part.id not in known:
                values = [
                    child.value
                    for child in found.unit.tree.body
                    if isinstance(child, ast.Assign) and part.id in map(ast.unparse, child.targets)
                ]
                if not values:
                    return False
                known.add(part.id)
                pending += values
    return True


def _other(found: _Class, place: ast.AST) -> _OtherShape:
    """A place that is of no shape: its SQL, where that is of none, and what it may mean."""
    for part in ast.walk(place):
        text = part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
        if _reason(text) and not any(bind_sql(shape, text, found.bound) for shape in SQL):
            return _other_sql(part, text)
    return _OtherShape(place, f"{getattr(place, 'name', None) or ast.unparse(place)} is of no known shape")


def _other_sql(place: ast.AST, text: str) -> _OtherShape:
    shown = textwrap.shorten(text, 75, placeholder=" ...")
    return _OtherShape(place, f"`{shown}` is of no known shape{_reason(text) and ': '}{_reason(text)}")


def _reason(text: str) -> str:
    return next((why for pattern, why in _REASONS if re.search(pattern, text, re.IGNORECASE)), "")


def _constants(found: _Class) -> Iterator[str]:
    """The plain constants of a class, which stay; the text that shapes the database is checked, and goes."""
    for child in found.node.body:
        if isinstance(child, Function | ast.Pass) or is_text(child):
            continue
        if not (isinstance(child, ast.Assign) and isinstance(child.value, ast.Constant)):
            raise _other(found, child)
        name = ast.unparse(child.targets[0])
        if name != found.bound["SCHEMA"]:
            yield name
            continue
        for statement in re.sub(r"--.*", "", str(child.value.value)).split(";"):
            other = _OTHER_TABLE.match(statement)
            beside = other is not None and other[1].lower() != found.bound["table"]
            if bind_sql(TABLE, statement, found.bound):
                found.known.add(child)
            elif statement.strip() and not beside and not bind_sql(INDEX, statement, found.bound):
                raise _other_sql(child, statement)


def _stays(found: _Class, function: Function, asked: set[str]) -> None:
    """Keep a method that asks nothing but what stays; the size of the file is that of the registry's."""
    parts = [part for child in function.body for part in ast.walk(child)]
    path = f"self.{found.bound['PATH']}"
    file = [part.value for part in parts if isinstance(part, ast.Attribute) and ast.unparse(part) == f"{path}.stat"]
    own = {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    own |= {argument.arg for argument in function.args.args}
    for part in parts:
        strange = isinstance(part, ast.Name) and part.id not in own | _PLAIN
        if isinstance(part, ast.Attribute) and ast.unparse(part.value) == "self" and part not in file:
            strange = part.attr not in asked or not isinstance(part.ctx, ast.Load)
        if strange:
            raise _other(found, function)
    found.file += file


def _edits(found: _Class, needed: NeededImports) -> Iterator[Edit]:
    """The class as a thin subclass."""
    node, unit = found.node, found.unit
    base = needed.home("SignatureTable")
    start, first = unit.start(node), node.body[0]
    colon = unit.data.index(b":", start)
    alone = not unit.data[colon + 1 : unit.line_end(node.lineno)].strip()
    yield Edit(start, colon + 1, f"class {node.name}({base}):{f'  {MARK} {NAME}' if alone else ''}".encode())
    said = [f"registry: {needed.home('TorusRegistry')}  # where the spectra are"]
    if bind(LARGE_END, methods(node)[found.bound["COMPARE"]], {}) is not None:
        said.append("pads_large_end = True  # of two spectra of unequal length, as before")
    at = unit.line_end(first.end_lineno or 0) if is_text(first) else unit.line_end(node.lineno)
    yield Edit(at, at, unit.block(["", *said] if is_text(first) else [*said, ""], unit.margin(first)))
    behind = node.lineno
    for child in node.body:
        if isinstance(child, Function) and child.name == "__init__":
            yield _body(unit, child, _opening(found, child, needed.home("stream_of")))
        elif child in found.lines:
            yield _body(unit, child, found.lines[child])
        elif child in found.known:
            yield Edit(unit.line_start(behind + 1), unit.line_end(child.end_lineno or 0), b"")
        behind = child.end_lineno or 0
    for part in found.file:
        yield Edit(unit.start(part), unit.end(part), b"self.registry.path")


def _opening(found: _Class, function: Function, stream_of: str) -> list[str]:
    """The body of the constructor: another file is another stream, as it was another database."""
    unit = found.unit
    path = next(child for child in function.body if not is_text(child))
    given: ast.expr = path.value  # type: ignore[attr-defined]  # the shape says so
    place = unit.text(given.args[0] if isinstance(given, ast.Call) else given)
    stream = f'{stream_of}("{unit.world.stream(unit.path, found.node.name)}", {place}, __file__, "{unit.path}")'
    return [f"super().__init__(max_entries, stream={stream})", unit.text(path)]


def _body(unit: Unit, function: ast.stmt, lines: list[str]) -> Edit:
    """New statements behind a method's head and docstring."""
    first: ast.stmt = function.body[0]  # type: ignore[attr-defined]  # it is a method
    start = unit.line_end(first.end_lineno or 0) if is_text(first) else unit.line_start(first.lineno)
    return Edit(start, unit.line_end(function.end_lineno or 0), unit.block(lines, unit.margin(first)))
