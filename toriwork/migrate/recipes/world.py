"""A whole code base before a byte of it changes: files, who does what, and who opens which file.

Everything is found by looking inside: a monitor by its methods, a class of spectra by what it does. Nothing is
imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from toriwork.codebase import CodebaseIndex
from toriwork.codebase.notebooks import Cells
from toriwork.codebase.source import parse, read
from toriwork.errors import Unsure
from toriwork.migrate.recipes.detect import (
    SpectralClass,
    Storing,
    classes,
    imported_modules,
    monitors,
    spectral_classes,
    storing,
    stream_of,
)
from toriwork.migrate.recipes.rows import RowClass, row_classes

CORE = PurePosixPath("python/core")


@dataclass(frozen=True, slots=True)
class Facts:
    """What one code file says."""

    imports: frozenset[tuple[str, str]]  #: (last part of the module, name) of every ``from`` import
    attributes: frozenset[str]  #: every attribute that is read or called, outside of spectral classes
    texts: frozenset[str]  #: every text constant
    reached: frozenset[str] = frozenset()  #: attributes of other objects, and of ``self`` below a spectral class
    looked_up: frozenset[str] = frozenset()  #: text constants outside of spectral classes
    results: frozenset[str] = frozenset()  #: methods of other objects whose result is used


@dataclass(frozen=True)
class World:
    """A code base as it was looked at. Build it with :meth:`look`."""

    index: CodebaseIndex
    python_root: str  #: where imports start, relative with slashes; "" for the root itself
    roles: dict[str, str]  #: code file -> "spectral_db", "origin_sentry", ..., "core"
    spectral: tuple[SpectralClass, ...]
    facts: dict[str, Facts] = field(repr=False)
    storing: Storing = field(default_factory=dict, repr=False)  #: what speaks to a storage
    rows: dict[str, RowClass] = field(default_factory=dict, repr=False)  #: classes whose objects are spectra, by name
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict, repr=False)  #: at the top of modules, by name
    core_package: str = "python.core"

    @classmethod
    def look(cls, root: Path) -> World:
        """Return what is known of the code base below a folder."""
        return cls.of(CodebaseIndex.scan(root))

    @classmethod
    def of(cls, index: CodebaseIndex) -> World:
        """Return what is known of a code base."""
        files = index.files
        trees = {path: tree for path in index.code if (tree := _tree(index, path)) is not None}
        known = storing(trees.values())
        spectral = tuple(_spectral(trees, known))
        names = {found.name for found in spectral}
        facts = {path: _facts(tree, names, known) for path, tree in trees.items()}
        return cls(
            index=index,
            python_root=_python_root(files),
            roles=_roles(trees, spectral),
            spectral=spectral,
            facts=facts,
            storing=known,
            rows={row.name: row for tree in trees.values() for row in row_classes(tree)},
            functions={
                child.name: child
                for tree in trees.values()
                for child in tree.body
                if isinstance(child, ast.FunctionDef)
            },
        )

    @property
    def root(self) -> Path:
        """The folder of the code base."""
        return self.index.root

    @property
    def files(self) -> tuple[str, ...]:
        """Every regular file, relative with slashes, sorted."""
        return self.index.files

    @property
    def core_path(self) -> str:
        """The folder of the core package, relative with slashes."""
        return (PurePosixPath(self.python_root) / CORE).as_posix()

    @property
    def code(self) -> tuple[str, ...]:
        """The files that recipes look at."""
        return self.index.code

    @cached_property
    def borrowed(self) -> frozenset[tuple[str, str]]:
        """(last part of a module, name) of every name that some file imports from it."""
        return frozenset().union(*(fact.imports for fact in self.facts.values()))

    def uses(self, attribute: str) -> tuple[str, ...]:
        """The files that read or call an attribute of this name, outside of the class that defines it."""
        return tuple(path for path, fact in self.facts.items() if attribute in fact.attributes)

    def reaches(self, attribute: str) -> tuple[str, ...]:
        """The files that touch an attribute of some other object; ``self`` counts below a spectral class alone."""
        return tuple(path for path, fact in self.facts.items() if attribute in fact.reached)

    @cached_property
    def _named(self) -> dict[str, set[str]]:
        """Code file -> last parts of the paths that its texts may be."""
        return {
            path: {PurePosixPath(text).name for text in fact.texts if 0 < len(text) < 4096}
            for path, fact in self.facts.items()
        }

    def openers(self, path: str) -> tuple[str, ...]:
        """Return the code files that hold the name of a file in a text."""
        name = PurePosixPath(path).name
        return tuple(sorted(code for code, names in self._named.items() if name in names))

    def file_stream(self, path: str, kind: str) -> str | None:
        """Return the stream of the class whose module names a data file; None: no class keeps spectra in it.

        Where other code hands the file to the only class of the kind (``sqlite``, ``json``, ``pickle``), it is that
        stream and the file's name, as ``stream_for`` has it.
        """
        candidates = [found for found in self.spectral if found.kind == kind]
        by = self.openers(path)
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


def _tree(index: CodebaseIndex, path: str) -> ast.Module | None:
    """Return the tree of a code file; None for those that cannot be read, which their rewrite reports."""
    source = index.read(path)
    try:
        return parse(Cells.read(source).code if path.endswith(".ipynb") else read(source)[0])
    except Unsure:
        return None


def _spectral(trees: dict[str, ast.Module], known: Storing) -> Iterator[SpectralClass]:
    taken: set[str] = set()
    for path, tree in trees.items():
        for node, kind in spectral_classes(tree, known):
            stream = stream_of(node.name)
            if stream in taken:
                stream = f"{PurePosixPath(path).with_suffix('').as_posix().replace('/', '.')}.{stream}"
            taken.add(stream)
            yield SpectralClass(path, node.name, kind, stream)


def _facts(tree: ast.Module, spectral: set[str], known: Storing) -> Facts:
    own = {id(child) for node, _ in spectral_classes(tree, known) for child in ast.walk(node)}
    imports, attributes, texts, looked_up = set(), set(), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")[-1]
            imports |= {(module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Attribute) and id(node) not in own:
            attributes.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
            looked_up |= set() if id(node) in own else {node.value}
    reached, results = _reached(tree, own, spectral)
    sets = (imports, attributes, texts, reached, looked_up, results)
    return Facts(*map(frozenset, sets))  # type: ignore[arg-type]  # map forgets which is which


def _reached(tree: ast.Module, own: set[int], spectral: set[str]) -> tuple[set[str], set[str]]:
    """Attributes of objects that are no module and not the method's own; and those that are called for a result."""
    modules = set(imported_modules(tree))
    heirs = [
        node
        for node in classes(tree)
        if id(node) not in own and any(ast.unparse(base).rpartition(".")[2] in spectral for base in node.bases)
    ]
    inherited = {id(part) for node in heirs for part in ast.walk(node)}
    idle = {
        id(node.value.value if isinstance(node.value, ast.Await) else node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
    }
    reached, results = set(), set()
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and id(node) not in own and id(node) not in idle:
            results.add(called.attr)
        if isinstance(node, ast.Attribute) and id(node) not in own:
            base = node.value.id if isinstance(node.value, ast.Name) else ""
            if base not in modules and (base not in ("self", "cls") or id(node) in inherited):
                reached.add(node.attr)
    return reached, results


def _python_root(files: tuple[str, ...]) -> str:
    """The folder above the core package; without one, the folder above the most packages, the shallowest first."""
    folders = {PurePosixPath(path).parent for path in files}
    above = [folder.parent.parent for folder in folders if folder.parts[-2:] == CORE.parts]
    if not above:
        packages = {PurePosixPath(path).parent for path in files if path.endswith("/__init__.py")}
        tops = [package.parent for package in packages if package.parent not in packages]
        above = [top for top in tops if top.name not in ("tests", "test", "docs")]
    best = min(above, key=lambda folder: (len(folder.parts), -above.count(folder), str(folder)), default=None)
    return "" if best is None or best == PurePosixPath(".") else best.as_posix()


def _roles(trees: dict[str, ast.Module], spectral: tuple[SpectralClass, ...]) -> dict[str, str]:
    """A file's first monitor names its role; a spectral class alone makes it the database."""
    roles = {}
    stores = {found.path for found in spectral}
    for path, tree in trees.items():
        found = next((measuring.role for _, measuring in monitors(tree)), None)
        if found is not None:
            roles[path] = found
        elif path in stores:
            roles[path] = "spectral_db"
        elif PurePosixPath(path).parent.parts[-2:] == CORE.parts:
            roles[path] = "core"
    return roles
