"""A class that keeps a bounded history of spectra in SQLite becomes a thin subclass of toriwork's SpectralDB.

Only a class that is wholly made of the shapes below is moved: for them the registry means the same. A member of another
shape leaves the class as it is, as a finding with its line, the reason, and how to do it by hand.
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
from toriwork.migrate.recipes.shapes import Bound, bind, bind_sql, is_text, texts
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit

NAME = "spectral_db"

_OPEN = (
    """
def __init__(self, FILE=ANY_FILE, max_entries=ANY_BOUND):
    self.PATH = Path(FILE or DEFAULT)
    self.max_entries = max_entries
    self.PATH.parent.mkdir(parents=True, exist_ok=True)
    self.CONN = sqlite3.connect(str(self.PATH))
    self.CREATE()
""",
    """
def __init__(self, FILE=ANY_FILE, max_entries=ANY_BOUND):
    self.PATH = FILE
    self.max_entries = max_entries
    self.CONN = sqlite3.connect(FILE)
    self.CREATE()
""",
)
_CREATE = "def CREATE(self):\n    with self.CONN:\n        self.CONN.executescript(self.SCHEMA)\n"
_WRITE = """(
            "INSERT INTO {table} ({hash}, {time}, {eigenvalues}, {betti}, {band}, {gaps}) VALUES (?, ?, ?, ?, ?, ?)",
            (
                signature.hash_id,
                signature.timestamp,
                np.asarray(signature.eigenvalues, dtype="<f8").tobytes(),
                None if BETTI is None else json.dumps([float(ITEM) for ITEM in BETTI]),
                signature.coherence_state,
                json.dumps([float(GAP) for GAP in signature.gaps]),
            ),
        )
        self.CONN.execute(
            "DELETE FROM {table} WHERE {id} <= (SELECT MAX({id}) FROM {table}) - ?", (self.max_entries,)
        )
"""
_ADD_HEAD = "def add(self, signature):\n    BETTI = signature.betti_numbers\n    with self.CONN:\n        "
_ADD = (
    f"{_ADD_HEAD}self.CONN.execute{_WRITE}",
    f"{_ADD_HEAD}CURSOR = self.CONN.execute{_WRITE}    return CURSOR.lastrowid\n",
)
_DISTANCE = """
def distance(self, eigenvalues, top_k=10):
    ROWS = self.CONN.execute("SELECT {eigenvalues} FROM {table} ORDER BY {id} DESC LIMIT ?", (top_k,)).fetchall()
    if not ROWS:
        return float("inf")
    WANTED = np.sort(np.abs(np.asarray(eigenvalues)))[::-1]
    return min(self.COMPARE(WANTED, np.frombuffer(ROW[0], dtype="<f8")) for ROW in ROWS)
"""
_COMPARE = """
@staticmethod
def COMPARE(A, B):
    B = np.sort(np.abs(B))[::-1]
    N = max(len(A), len(B))
    A = np.pad(A, {0})
    B = np.pad(B, {1})
    return float(np.mean(np.abs(A - B)))
"""
_SMALL_END = _COMPARE.format("(0, N - len(A))", "(0, N - len(B))")
_LARGE_END = _COMPARE.format("(N - len(A), 0)", "(N - len(B), 0)")
_RECENT = """
def recent(self, n=ANY_N):
    ROWS = self.CONN.execute(
        "SELECT {time}, {eigenvalues}, {hash}, {betti}, {band}, {gaps} FROM {table} ORDER BY {id} DESC LIMIT ?", (n,)
    )
    return [
        MADE(
            timestamp=ROW[0],
            eigenvalues=np.frombuffer(ROW[1], dtype="<f8"),
            hash_id=ROW[2],
            betti_numbers=None if ROW[3] is None else json.loads(ROW[3]),
            coherence_state=ROW[4],
            gaps=json.loads(ROW[5] or "[]"),
        )
        for ROW in ROWS
    ]
"""
#: shapes of methods that are optional -> the line that answers them, none where the inherited one does
_ANSWERED = (
    (_RECENT, "return super().recent(n)"),
    (
        'def count(self):\n    return self.CONN.execute("SELECT COUNT(*) FROM {table}").fetchone()[0]',
        "return len(self)",
    ),
    ("def commit(self):\n    self.CONN.commit()\n", "self.flush()"),
    ("def close(self):\n    self.CONN.close()\n", ""),
)
_TABLE = """CREATE TABLE IF NOT EXISTS {table} ({id} INTEGER PRIMARY KEY, {hash} TEXT NOT NULL, {time} REAL NOT NULL,
    {eigenvalues} BLOB NOT NULL, {betti} TEXT, {band} TEXT NOT NULL, {gaps} TEXT)"""
_INDEX = "CREATE INDEX IF NOT EXISTS {index} ON {table} ({time})"
_OTHER_TABLE = re.compile(r"\s*(?:CREATE TABLE IF NOT EXISTS|INSERT OR IGNORE INTO)\s+(\w+)\b", re.IGNORECASE)
_SHAPES = (*_OPEN, _CREATE, *_ADD, _DISTANCE, *(shape for shape, _ in _ANSWERED))
_SQL = (_TABLE, _INDEX, *(text for shape in _SHAPES for text in texts(shape) if "{" in text))
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
#: members of the base class that a moved class must not have
BASE_MEMBERS = frozenset(
    """_adopted _bytes _held _hold _lock _made _max_bytes _mine _oldest_within_bounds _recorded _signature _spectrum
    after_fork not_null notes last signatures registry stream max_entries max_size_mb signature_class __iter__
    """.split()
)


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
    notes: list[Manual] = field(default_factory=list)

    def is_of(self, shapes: tuple[str, ...], function: Function | None) -> bool:
        """Take a function that is of one of some shapes."""
        for shape in shapes:
            if function is not None and (told := bind(shape, function, self.bound)) is not None:
                self.bound = {word: name for word, name in told.items() if word in _SHARED or word.islower()}
                self.known.add(function)
                return True
        return False


def transform(unit: Unit) -> Outcome:
    """Edits that put every class of a file that is of the known shape onto the registry."""
    needed = NeededImports(unit)
    edits: list[Edit] = []
    manual: list[Manual] = []
    notes: list[Manual] = []
    for node, kind in spectral_classes(unit.tree):
        found = _Class(unit, node)
        try:
            _look_around(found, kind)
            _look_at_storage(found)
            _look_at_others(found)
        except _OtherShape as error:
            manual.append(unit.manual(error.place, NAME, f"{node.name} stays: {error}. {_by_hand(unit, node)}"))
            continue
        edits += _edits(found, needed)
        notes += found.notes
    return Outcome((*needed.edits(), *edits) if edits else (), tuple(manual), review=True, notes=tuple(notes))


def _by_hand(unit: Unit, node: ast.ClassDef) -> str:
    module, base = unit.world.home("SpectralDB")
    return (
        f"By hand: derive it from {base} of {module}, call super().__init__("
        f'max_entries=..., stream="{unit.world.stream(unit.path, node.name)}"), keep the rest, '
        "and answer what was storage with super().add(signature), super().distance(eigenvalues, top_k), "
        "super().recent(n), len(self) and self.flush()"
    )


def _look_around(found: _Class, kind: str) -> None:
    """Refuse a class of which the code base makes something that the registry does not do."""
    node, world = found.node, found.unit.world
    if kind != "sqlite":
        raise _OtherShape(node, f"it keeps its spectra in {kind}, which is no database")
    head = found.unit.data[found.unit.start(node) : found.unit.line_end(node.lineno)].decode()
    if node.decorator_list or not re.match(rf"class {node.name}(\(object\))?:\s*(#.*)?$", head):
        raise _OtherShape(node, "it has bases or decorators")
    if heirs := world.heirs(node.name):
        raise _OtherShape(node, f"a class in {heirs[0]} derives from it")
    if results := world.results("add"):
        raise _OtherShape(node, f"{results[0]} uses what an add hands back, and the registry hands back its own id")
    names = [path.rpartition("/")[2] for path in world.databases]
    if twice := sorted(name for name in names if names.count(name) > 1):
        raise _OtherShape(node, f"two databases are called {twice[0]}, and the registry tells them apart by that name")
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
    for name, shapes in (("__init__", _OPEN), ("add", _ADD), ("distance", (_DISTANCE,))):
        if name not in have:
            raise _OtherShape(node, f"it has no method {name}")
        if not found.is_of(shapes, have[name]):
            raise _other(found, have[name])
    if not isinstance(getattr(have["__init__"].args.defaults[-1], "value", None), int):
        raise _OtherShape(have["__init__"], "max_entries is no number by default, so nothing bounds what it holds")
    for word, shapes in (("CREATE", (_CREATE,)), ("COMPARE", (_SMALL_END, _LARGE_END))):
        if not found.is_of(shapes, have.get(found.bound[word])):
            raise _other(found, have.get(found.bound[word], node))
    if bind(_LARGE_END, have[found.bound["COMPARE"]], {}) is not None:
        why = "it padded the shorter of two spectra at its large end; the registry pads the small end"
        found.notes.append(found.unit.manual(have[found.bound["COMPARE"]], NAME, f"{node.name}: {why}"))
    for shape, line in _ANSWERED:
        for function in have.values():
            if function not in found.known and found.is_of((shape,), function) and line:
                found.lines[function] = [line]


def _look_at_others(found: _Class) -> None:
    """Keep the other members, or refuse."""
    node, have = found.node, methods(found.node)
    lost = {found.bound[word] for word in _SHARED - {"MADE"}}
    constants = set(_constants(found))
    if not any(isinstance(child, ast.Assign) and child in found.known for child in node.body):
        raise _OtherShape(node, f"its table is not made by a text {found.bound['SCHEMA']} of the class")
    rest = [function for function in have.values() if function not in found.known]
    asked = ({"add", "distance", "recent", "close", "flush", "max_entries"} | have.keys() | constants) - lost
    for function in rest:
        _stays(found, function, asked)
    if taken := (have.keys() | constants) & BASE_MEMBERS:
        raise _OtherShape(node, f"it has a member {min(taken)}, as the registry's class has for itself")
    for name in sorted(lost):
        if paths := found.unit.world.reaches(name):
            raise _OtherShape(node, f"{name} goes, and {', '.join(paths)} uses something of this name")


def _other(found: _Class, place: ast.AST) -> _OtherShape:
    """A place that is of no shape: its SQL, where that is of none, and what it may mean."""
    for part in ast.walk(place):
        text = part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
        if _reason(text) and not any(bind_sql(shape, text, found.bound) for shape in _SQL):
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
            if bind_sql(_TABLE, statement, found.bound):
                found.known.add(child)
            elif statement.strip() and not beside and not bind_sql(_INDEX, statement, found.bound):
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
    base = needed.home("SpectralDB", "TorusSpectralDB")
    start, first = unit.start(node), node.body[0]
    colon = unit.data.index(b":", start)
    alone = not unit.data[colon + 1 : unit.line_end(node.lineno)].strip()
    yield Edit(start, colon + 1, f"class {node.name}({base}):{f'  {MARK} {NAME}' if alone else ''}".encode())
    said = [f"registry: {needed.home('TorusRegistry')}  # where the spectra are"]
    said += [f"signature_class = {found.bound['MADE']}  # what they come back as"] if "MADE" in found.bound else []
    said += ['not_null = ("hash_id", "timestamp", "coherence_state")  # as in the table']
    at = unit.line_end(first.end_lineno or 0) if is_text(first) else unit.line_end(node.lineno)
    yield Edit(at, at, unit.block(["", *said] if is_text(first) else [*said, ""], unit.margin(first)))
    behind = node.lineno
    for child in node.body:
        if isinstance(child, Function) and child.name == "__init__":
            yield _body(unit, child, _opening(found, child, needed.home("stream_for")))
        elif child in found.lines:
            yield _body(unit, child, found.lines[child])
        elif child in found.known:
            yield Edit(unit.line_start(behind + 1), unit.line_end(child.end_lineno or 0), b"")
        behind = child.end_lineno or 0
    for part in found.file:
        yield Edit(unit.start(part), unit.end(part), b"self.registry.path")


def _opening(found: _Class, function: Function, stream_for: str) -> list[str]:
    """The body of the constructor: another file is another stream, as it was another database."""
    told = found.unit.text(function.args.defaults[0])
    stream = f'"{found.unit.world.stream(found.unit.path, found.node.name)}", {function.args.args[1].arg}'
    stream += "" if told == "None" else f", {told}"
    bound = f'max_entries=max_entries, max_size_mb=float("inf"), stream={stream_for}({stream})'
    path = next(child for child in function.body if not is_text(child))
    return [f"super().__init__({bound})", found.unit.text(path)]


def _body(unit: Unit, function: ast.stmt, lines: list[str]) -> Edit:
    """New statements behind a method's head and docstring."""
    first: ast.stmt = function.body[0]  # type: ignore[attr-defined]  # it is a method
    start = unit.line_end(first.end_lineno or 0) if is_text(first) else unit.line_start(first.lineno)
    return Edit(start, unit.line_end(function.end_lineno or 0), unit.block(lines, unit.margin(first)))
