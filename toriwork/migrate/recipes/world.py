"""A whole code base before a byte of it changes: files, who does what, and who opens which file.

Everything is found by looking inside: a monitor by its methods, a class of spectra by what it does. Nothing is
imported. A question about a name is answered from the files in which that word stands; only those are parsed, and each
once. In a tree of ten thousand files these are a few hundred.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from toriwork.codebase import CodebaseIndex
from toriwork.codebase.index import CODE_SUFFIXES, CodeText, spelled
from toriwork.codebase.source import nodes_of, words_of
from toriwork.errors import Unsure
from toriwork.migrate.recipes.detect import (
    DATABASE_MODULES,
    STORAGE,
    SpectralClass,
    imported_modules,
    spectral_classes,
    stream_of,
)
from toriwork.migrate.recipes.tables import KnownDatabase

CORE = PurePosixPath("python/core")
CORE_PACKAGE = ".".join(CORE.parts)
#: what moved code imports -> module of the core package that hands it out, and where it comes from without one
HOMES = {
    "SignatureTable": ("torus_registry", "toriwork.compat", "SignatureTable"),
    "stream_of": ("torus_registry", "toriwork.compat", "stream_of"),
    "TorusRegistry": ("torus_registry", "toriwork.registry", "TorusRegistry"),
    "get_torus_cells": ("torus_cells", "toriwork.cells", "get_torus_cells"),
    "emit_measurement": ("observer_synthesis", "toriwork.compat", "emit_measurement"),
    "emitting": ("observer_synthesis", "toriwork.compat", "emitting"),
}
Words = tuple[tuple[bytes, ...], ...]  #: of each group at least one has to stand in a file, in any case
_SPECTRAL: Words = (
    tuple(module.encode() for module in STORAGE),
    (b"distance", b"nearest", b"dissimilar", b"novelty_of"),
    (b"eigen", b"spectr", b"signature"),
)
#: recipe -> words without which it does not react
WORDS: dict[str, Words] = {
    "spectral_db": _SPECTRAL,
    "betti_cells": ((b"betti", b"homolog"),),
    "observer_tokens": ((b"classify", b"check_eigenvalues", b"record_event", b"trigger"),),
    "database_imports": (tuple(module.encode() for module in DATABASE_MODULES),),
}
_DOT = r"\.[\s\\]*"
_PROSE = (".md", ".rst", "ignore")  #: ends of files that tell people or tools about others
_SQL = re.compile(r"^\s*(SELECT|WITH|INSERT|REPLACE|UPDATE|DELETE|CREATE|DROP|ALTER)\b", re.IGNORECASE)
_STAR = re.compile(rb"from[\s\\]+(\S+)[\s\\]+import[\s\\]*\*")


def wakes(source: bytes) -> bool:
    """Return True when some recipe may react to a file; the others are left alone unparsed."""
    plain = spelled(source)
    return any(_holds(plain, words) for words in WORDS.values())


def _holds(plain: bytes, words: Words) -> bool:
    return all(any(word in plain for word in group) for group in words)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one code file."""

    path: str
    imports: frozenset[tuple[str, str]]  #: (last part of the module, name) of every ``from`` import
    texts: frozenset[str]  #: every text constant
    reached: frozenset[str]  #: attributes of objects that are no module and not the method's own
    defined: frozenset[str]  #: classes
    bases: frozenset[str]  #: last part of every base of a class
    passed: frozenset[str]  #: functions that are called with more than one argument
    sql: tuple[tuple[int, str], ...]  #: line and text of SQL, outside of docstrings and spectral classes


@dataclass(frozen=True, eq=False)
class World:
    """A code base as it was looked at; parsed where a question leads to."""

    index: CodebaseIndex
    known_databases: tuple[KnownDatabase, ...] = ()
    stopped: Mapping[tuple[str, str], str] = field(default_factory=dict)  #: (file, recipe) -> what its trial showed
    _facts: dict[str, Facts] = field(default_factory=dict, repr=False)

    @classmethod
    def look(cls, root: Path) -> World:
        """Return what is known of the code base below a folder."""
        return cls(CodebaseIndex.scan(root))

    @property
    def root(self) -> Path:
        """The folder of the code base."""
        return self.index.root

    @property
    def files(self) -> tuple[str, ...]:
        """Every regular file, relative with slashes, sorted."""
        return self.index.files

    @property
    def code(self) -> tuple[str, ...]:
        """The files that recipes look at."""
        return self.index.code

    @cached_property
    def core_path(self) -> str:
        """The folder of the core package, relative with slashes; "" where the code base has none."""
        folders = {PurePosixPath(path).parent for path in self.files if f"{CORE}/" in path}
        found = [folder for folder in folders if folder.parts[-2:] == CORE.parts]
        return min((folder.as_posix() for folder in found), key=lambda path: (path.count("/"), path), default="")

    def home(self, name: str) -> tuple[str, str]:
        """Return from which module moved code imports something, and its name there."""
        module, *outside = HOMES[name]
        return (f"{CORE_PACKAGE}.{module}", name) if self.core_path else (outside[0], outside[1])

    @cached_property
    def spectral(self) -> tuple[SpectralClass, ...]:
        """The classes that keep spectra, in the order of their files."""
        return tuple(self._spectral())

    def _spectral(self) -> Iterator[SpectralClass]:
        taken: set[str] = set()
        for path in self.code:
            source = self.index.read(path)
            for node, kind in spectral_classes(self._tree(path)) if _holds(spelled(source), _SPECTRAL) else ():
                stream = stream_of(node.name)
                if stream in taken:
                    stream = f"{PurePosixPath(path).with_suffix('').as_posix().replace('/', '.')}.{stream}"
                taken.add(stream)
                yield SpectralClass(path, node.name, kind, stream)

    def _tree(self, path: str) -> ast.Module:
        """The tree of a code file, kept where recipes may want it; an empty one where it cannot be read."""
        try:
            source = self.index.read(path)
            return (self.index.text(path) if wakes(source) else CodeText.of(path, source)).tree
        except Unsure:
            return ast.Module([], [])

    def facts(self, path: str) -> Facts:
        """Return the facts of a code file."""
        if path not in self._facts:
            self._facts[path] = facts_of(path, self._tree(path))
        return self._facts[path]

    def _those(self, word: str, form: str, test: Callable[[Facts], bool]) -> tuple[str, ...]:
        """The files that pass a test, of those in which a word stands in the form of a regular expression."""
        pattern = re.compile(form.format(re.escape(word.lower())).encode())
        likely = (path for path in self.index.files_with([word]) if pattern.search(spelled(self.index.read(path))))
        return tuple(path for path in likely if test(self.facts(path)))

    def reaches(self, attribute: str) -> tuple[str, ...]:
        """The files that touch an attribute of some object but ``self``, or have its name in a text."""
        form = rf"""{_DOT}{{0}}\b|["']{{0}}\\?["']"""
        return self._those(attribute, form, lambda facts: attribute in facts.reached or attribute in facts.texts)

    def heirs(self, name: str, module: str) -> tuple[str, ...]:
        """The files with a class that derives from the one of this name in a module."""

        def derives(facts: Facts) -> bool:
            return name in facts.bases and (name not in facts.defined or facts.path == module)

        return self._those(name, r"class\b[^:]*\b{0}\b", derives)

    def uses(self, path: str, name: str, module: str) -> bool:
        """True when a file defines a class, or imports it from its module or from a package that hands it out."""
        if path == module or not path.endswith(CODE_SUFFIXES):
            return path == module
        facts, stem = self.facts(path), PurePosixPath(module).stem
        if (stem, name) in facts.imports:
            return True
        twins = self._those(name, r"class\s+{0}\b", lambda other: name in other.defined and other.path != module)
        named = {imported for _, imported in facts.imports}
        return not twins and (name in named or name in facts.reached or stem in named)

    def others(self, readers: Iterable[tuple[str, int]], name: str, module: str) -> list[tuple[str, int]]:
        """Return the places that read the databases of a class past it: no prose, and no code that uses the class."""
        places = (place for place in readers if not place[0].endswith(_PROSE))
        return [(path, line) for path, line in places if not self.uses(path, name, module)]

    def passes_more(self, function: str) -> tuple[str, ...]:
        """The files that call a function of this name with more than one argument."""
        return self._those(function, r"\b{0}[\s\\]*\(", lambda facts: function in facts.passed)

    def borrows(self, path: str, name: str) -> bool:
        """Return True when another file imports a name, or everything, from this one."""
        place = PurePosixPath(path)
        modules = {place.parent.name, ""} if place.stem == "__init__" else {place.stem}

        def taken(module: str) -> bool:
            form = rf"from[\s\\]+\S*{re.escape(module.lower())}[\s\\]+import\b[^=:]*\b{{0}}\b"
            return bool(self._those(name, form, lambda facts: (module, name) in facts.imports))

        return bool(modules & self._starred) or any(map(taken, modules))

    @cached_property
    def _starred(self) -> frozenset[str]:
        """The last parts of the modules of which some file imports everything."""
        found = (name for path in self.code for name in _STAR.findall(self.index.read(path)))
        return frozenset(name.rpartition(b".")[2].decode("utf-8", "replace") for name in found)

    def openers(self, path: str) -> tuple[str, ...]:
        """Return the code files that hold the name of a file in a text."""
        name = PurePosixPath(path).name

        def names_it(facts: Facts) -> bool:
            return any(name in text and len(text) < 4096 and PurePosixPath(text).name == name for text in facts.texts)

        return tuple(code for code in self.index.files_with(words_of(name)) if names_it(self.facts(code)))

    def file_stream(self, path: str) -> str | None:
        """Return the stream of the class whose module names a database; None: no class keeps spectra in it.

        Where other code hands the file to the only class over SQLite, it is that stream and the file's name, as
        ``stream_for`` has it.
        """
        candidates = [found for found in self.spectral if found.kind == "sqlite"]
        by = self.openers(path) if candidates else ()
        naming = [found.stream for found in candidates if found.path in by]
        if naming or len(candidates) != 1:
            return naming[0] if naming else None
        return f"{candidates[0].stream}:{PurePosixPath(path).name}"

    def stream(self, path: str, name: str) -> str:
        """The stream of a spectral class; that of its name when the class was not seen before."""
        for found in self.spectral:
            if (found.path, found.name) == (path, name):
                return found.stream
        return stream_of(name)


def facts_of(path: str, tree: ast.Module) -> Facts:
    """Return the facts of a module."""
    nodes = nodes_of([tree])
    calls, froms = nodes.get(ast.Call, ()), nodes.get(ast.ImportFrom, ())
    own = {"self", "cls", *imported_modules(ast.Module([*nodes.get(ast.Import, ()), *froms], []))}
    outer = {
        node for node in nodes.get(ast.Attribute, ()) if not (isinstance(node.value, ast.Name) and node.value.id in own)
    }
    idle = {id(node.value) for node in nodes.get(ast.Expr, ())}
    texts = [node for node in nodes.get(ast.Constant, ()) if isinstance(node.value, str)]
    return Facts(
        path=path,
        imports=frozenset(((node.module or "").split(".")[-1], alias.name) for node in froms for alias in node.names),
        texts=frozenset(node.value for node in texts),
        reached=frozenset(node.attr for node in outer),
        defined=frozenset(node.name for node in nodes.get(ast.ClassDef, ())),
        bases=frozenset(_last(base) for node in nodes.get(ast.ClassDef, ()) for base in node.bases),
        passed=frozenset(_last(call.func) for call in calls if len(call.args) > 1 or call.keywords or _starred(call)),
        sql=tuple(_sql(tree, [node for node in texts if id(node) not in idle and _SQL.match(node.value)])),
    )


def _sql(tree: ast.Module, texts: list[ast.Constant]) -> Iterator[tuple[int, str]]:
    """Line and text of SQL outside of spectral classes, each of which is a finding of its own."""
    told = {id(part) for node, _ in spectral_classes(tree) for part in ast.walk(node)} if texts else set()
    return ((text.lineno, str(text.value)) for text in texts if id(text) not in told)


def _last(value: ast.expr) -> str:
    """The last part of a dotted name, that of ``Base[int]`` included; "" for anything else."""
    value = value.value if isinstance(value, ast.Subscript) else value
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""


def _starred(call: ast.Call) -> bool:
    return any(isinstance(one, ast.Starred) for one in call.args)
