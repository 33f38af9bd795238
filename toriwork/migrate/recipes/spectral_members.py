"""What becomes of each member of a spectral class: it stays, it is answered from the registry, or it goes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from toriwork.codebase.edits import Edit
from toriwork.errors import Unsure
from toriwork.migrate.recipes import spectral_distance
from toriwork.migrate.recipes.detect import (
    ADDING,
    DISTANCE,
    Function,
    methods,
    names_in,
    storage_names,
)
from toriwork.migrate.recipes.rows import RowClass, row_class_of
from toriwork.migrate.recipes.source import Manual, Unit
from toriwork.migrate.recipes.spectral_answers import NOTHING, answer, returns
from toriwork.migrate.recipes.spectral_attributes import PROVIDED, kept_attributes, mirrors, own_name, set_attributes
from toriwork.migrate.recipes.spectral_reads import Repaired, is_of_registry, repaired

#: what its statistics say
STATISTICS = frozenset("entries size_mb max_entries max_size_mb stream".split())
_SQL = re.compile(r"^\s*(CREATE|SELECT|INSERT|PRAGMA|DELETE|UPDATE)\b", re.IGNORECASE)
_ON_DISK = frozenset(
    "open stat exists is_file read_text write_text read_bytes write_bytes unlink getsize getmtime isfile".split()
)
_CHANGING = frozenset("append appendleft extend extendleft insert remove pop popleft clear popitem update".split())
#: methods that the inherited ones replace
_INHERITED = frozenset(
    "flush close get_statistics __len__ __iter__ __enter__ __exit__ __repr__ __str__ __del__".split()
)
#: what the base class keeps to itself: a member of such a name would get in its way
INTERNAL = frozenset(
    """_adopted _bytes _held _hold _lock _made _max_bytes _mine _oldest_within_bounds _recorded _signature _spectrum
    after_fork notes""".split()
)


@dataclass
class Members:
    """A class sorted out."""

    row: RowClass | None = None
    kept: set[ast.stmt] = field(default_factory=set)  #: as they are, but for ``edits``
    answered: dict[str, list[str]] = field(default_factory=dict)  #: method -> lines of its new body
    mirrors: dict[str, str] = field(default_factory=dict)  #: attribute that held rows -> what tells the same now
    edits: tuple[Edit, ...] = ()
    notes: list[Manual] = field(default_factory=list)


class _Look:
    """One class while it is sorted out."""

    def __init__(self, unit: Unit, node: ast.ClassDef) -> None:
        self.unit, self.node = unit, node
        self.given = methods(node)
        self.row = row_class_of(node, unit.tree, unit.world.rows)
        self.attributes = kept_attributes(node)
        self.mirrors = mirrors(node, self.row)
        self.repaired: dict[str, Repaired] = {
            name: repaired(unit, function, node, set(self.attributes))
            for name, function in self.given.items()
            if not (name == "__init__" or name in _INHERITED - {"get_statistics"} or self._is_asked(name))
        }
        self.have = self.given | {name: found.function for name, found in self.repaired.items()}
        self.answers = {name: answer(name, function, self.row) for name, function in self.given.items()}

    def _is_asked(self, name: str) -> bool:
        return bool(ADDING.match(name) or DISTANCE.search(name))

    def unsure(self, function: Function, why: str) -> Unsure:
        return Unsure(f"{self.node.name}.{function.name} (line {function.lineno}) {why}: rewrite it by hand")


def sorted_members(unit: Unit, node: ast.ClassDef) -> Members:
    """What becomes of every member.

    Raises
    ------
    Unsure
        One is used and cannot be answered; or the class does something that the registry does otherwise.
    """
    look = _Look(unit, node)
    stays = _keepable(look)
    found = Members(look.row)
    found.kept = {child for child in node.body if _is_kept_statement(child, unit)}
    for name, function in look.given.items():
        if name in stays:
            found.kept.add(function)
        elif name != "__init__":
            _sort(look, name, function, found)
    _refuse_other_behaviour(look, found)
    _drop_idle_helpers(look, found)
    used = {word for child in found.kept for word in _own_reads(child)}
    reached = {name for name in look.mirrors if unit.world.reaches(name)}
    found.mirrors = {name: line for name, line in look.mirrors.items() if name in used | reached}
    names = {getattr(child, "name", "") for child in found.kept}
    found.edits = tuple(edit for name in sorted(names & look.repaired.keys()) for edit in look.repaired[name].edits)
    if taken := (names | set(look.attributes) | set(found.answered)) & INTERNAL:
        raise Unsure(f"{node.name} has a member {min(taken)}, which the registry's class keeps to itself")
    return found


def _sort(look: _Look, name: str, function: Function, found: Members) -> None:
    """A method that does not stay as it is."""
    if name in _INHERITED:
        _refuse_other_meaning(look, name, function)
        return
    lines = look.answers[name]
    if lines is not None:
        found.answered |= {name: lines} if lines else {}
        return
    if name.startswith("__"):
        raise look.unsure(function, "is what Python itself calls, and the registry has no answer to it")
    if name in PROVIDED:
        raise look.unsure(function, "does something else than the registry's own")
    if _is_called(name, look.unit, look.node):
        where = ", ".join(_callers(name, look.unit))
        raise look.unsure(function, f"cannot be answered from the registry and is called in {where}")
    if not name.startswith("_"):
        why = f"{look.node.name}.{name} was storage and nothing here calls it; it went"
        found.notes.append(look.unit.manual(function, "spectral_db", why))


def _refuse_other_meaning(look: _Look, name: str, function: Function) -> None:
    """The inherited method has to mean the same."""
    code = ast.unparse(function)
    if name == "__iter__" and not (look.row is not None and look.row.name in names_in(function)):
        raise look.unsure(function, "goes through something else than signatures")
    if name == "__len__" and not re.search(r"count\(|len\(", code, re.IGNORECASE):
        raise look.unsure(function, "counts something else than signatures")
    if name == "get_statistics":
        said = {part.value for part in ast.walk(function) if isinstance(part, ast.Constant)}
        read = [path for path, fact in look.unit.world.facts.items() for key in said - STATISTICS
                if isinstance(key, str) and key in fact.looked_up]  # fmt: skip
        if read:
            raise look.unsure(function, f"says what the registry's statistics do not, and {read[0]} reads it")


def _refuse_other_behaviour(look: _Look, found: Members) -> None:
    """What the registry does otherwise: other distances, results that are used, attributes that others reach for."""
    world, node = look.unit.world, look.node
    for name, function in look.given.items():
        asked = spectral_distance.arguments_of(function)
        goes = function not in found.kept and not name.startswith("_")
        if goes and asked and DISTANCE.search(name):
            why = spectral_distance.other_distance(function, node, look.unit.tree, world.functions)
            if why is not None:
                raise look.unsure(function, f"may tell another distance than the registry: {why}")
        if goes and asked and ADDING.match(name):
            _refuse_lost_effects(look, name, function, found)
    lost = set_attributes(node) - look.attributes.keys() - look.mirrors.keys() - PROVIDED
    for name in sorted(lost):
        if paths := world.reaches(name):
            raise Unsure(f"{node.name}.{name} is its storage and is used in {', '.join(paths)}")
    if "signatures" in set_attributes(node) and "signatures" not in look.mirrors and world.reaches("signatures"):
        raise Unsure(f"{node.name}.signatures holds something else than signatures and is used")


def _refuse_lost_effects(look: _Look, name: str, function: Function, found: Members) -> None:
    """An adding method that does more than adding, or whose result somebody uses."""
    lines = found.answered.get(name, ["return super().add(signature)"])
    if len(lines) == 1 and returns(function) and any(name in fact.results for fact in look.unit.world.facts.values()):
        raise look.unsure(function, "hands back something that is used, and the registry hands back its own id")
    for part in ast.walk(function):
        targets = (
            part.targets if isinstance(part, ast.Assign) else [part.target] if isinstance(part, ast.AugAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in look.attributes:
                raise look.unsure(function, f"also sets {ast.unparse(target)}")


def _drop_idle_helpers(look: _Look, found: Members) -> None:
    """Private methods that only storage called go with it."""
    while True:
        used = {word for child in found.kept for word in _own_reads(child)}
        idle = {
            child
            for child in found.kept
            if isinstance(child, Function)
            and re.match(r"_[^_]", child.name)
            and child.name not in used
            and not look.unit.world.uses(child.name)
        }
        if not idle:
            return
        found.kept -= idle


def _is_kept_statement(child: ast.stmt, unit: Unit) -> bool:
    """Docstrings, constants and inner classes stay; texts of SQL and the slots of what goes do not."""
    if isinstance(child, Function):
        return False
    if "__slots__" in set(_class_names(child)):
        return False
    texts = [part.value for part in ast.walk(child) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return not any(_SQL.match(text) for text in texts) and not stores(child, unit)


def stores(node: ast.AST, unit: Unit) -> bool:
    """Whether a piece of code opens a file or speaks to what a class would keep its data with."""
    names = names_in(node)
    ours = {id(part) for part in is_of_registry(node)}
    attributes = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute) and id(part) not in ours}
    storage = storage_names(unit.tree, unit.world.storing)
    return bool(names & storage.keys()) or "open" in names or bool(attributes & _ON_DISK)


def _keepable(look: _Look) -> set[str]:
    """Methods that touch nothing but what stays: computed until nothing changes any more."""
    unit, have = look.unit, look.have
    attributes = {target for child in look.node.body for target in _class_names(child)} | set(look.attributes)
    helpers = {child.name for child in unit.tree.body if isinstance(child, Function) and stores(child, unit)}
    gathered = (
        {"signatures"} if "signatures" in look.mirrors or "signatures" not in set_attributes(look.node) else set()
    )
    theirs = (PROVIDED - {"get_statistics", "distance"}) | {"__init__"}
    stays = {name for name in have if name not in theirs and not stores(have[name], unit) and not _changes(have[name])}
    stays -= {name for name, lines in look.answers.items() if lines is not None and _is_asked_alike(look, name)}
    answered = {name for name, lines in look.answers.items() if lines is not None}
    provided = (PROVIDED - {"signatures"}) | gathered | look.mirrors.keys()
    while True:
        known = stays | answered | attributes | provided
        left = {name for name in stays if _own_reads(have[name]) <= known and not names_in(have[name]) & helpers}
        if left == stays:
            return {name for name in stays if not NOTHING.match(name.lstrip("_")) or returns(have[name])}
        stays = left


def _is_asked_alike(look: _Look, name: str) -> bool:
    """Whether a method adds, or tells the distance that the registry tells: then the registry is asked."""
    function = look.given[name]
    if not spectral_distance.arguments_of(function):
        return False
    if DISTANCE.search(name):
        return spectral_distance.other_distance(function, look.node, look.unit.tree, look.unit.world.functions) is None
    return bool(ADDING.match(name))


def _changes(function: Function) -> bool:
    """Whether a method changes what the class holds in its attributes."""
    for part in ast.walk(function):
        if isinstance(part, ast.Attribute) and part.attr in _CHANGING and own_name(part.value):
            return True
        if isinstance(part, ast.Attribute | ast.Subscript) and isinstance(part.ctx, ast.Store | ast.Del):
            inner = part.value if isinstance(part, ast.Subscript) else part
            if own_name(inner):
                return True
    return False


def _class_names(child: ast.stmt) -> Iterator[str]:
    targets = (
        child.targets if isinstance(child, ast.Assign) else [child.target] if isinstance(child, ast.AnnAssign) else []
    )
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id


def _own_reads(node: ast.stmt) -> set[str]:
    """Attributes of ``self`` that a method touches; of a class statement none."""
    if not isinstance(node, Function):
        return set()
    first = node.args.args[0].arg if node.args.args else None
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == first
    }


def _callers(name: str, unit: Unit) -> list[str]:
    return list(unit.world.reaches(name)) or [unit.path]


def _is_called(name: str, unit: Unit, node: ast.ClassDef) -> bool:
    own = set(ast.walk(node))
    return bool(unit.world.reaches(name)) or any(
        isinstance(part, ast.Attribute) and part.attr == name and part not in own and ast.unparse(part.value) != "self"
        for part in ast.walk(unit.tree)
    )
