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
    imported_modules,
    spectral_classes,
    stream_of,
)

CORE = PurePosixPath("python/core")
_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one code file."""

    imports: frozenset[tuple[str, str]]  #: (last part of the module, name) of every ``from`` import
    texts: frozenset[str]  #: every text constant
    reached: frozenset[str]  #: attributes of objects that are no module and not the method's own
    results: frozenset[str]  #: methods of other objects whose result is used
    bases: frozenset[str]  #: last part of every base of a class
    passed: frozenset[str]  #: functions that are called with more than one argument


@dataclass(frozen=True)
class World:
    """A code base as it was looked at. Build it with :meth:`look`."""

    index: CodebaseIndex
    python_root: str  #: where imports start, relative with slashes; "" for the root itself
    spectral: tuple[SpectralClass, ...]
    facts: dict[str, Facts] = field(repr=False)
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
        facts = {path: _facts(tree) for path, tree in trees.items()}
        return cls(
            index=index,
            python_root=_python_root(files),
            spectral=tuple(_spectral(trees)),
            facts=facts,
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

    @cached_property
    def databases(self) -> tuple[str, ...]:
        """The files of SQLite."""
        return tuple(path for path in self.files if self.index.head(path, len(_SQLITE)) == _SQLITE)

    def reaches(self, attribute: str) -> tuple[str, ...]:
        """The files that touch an attribute of some object but ``self``, or have its name in a text."""
        return tuple(path for path, fact in self.facts.items() if attribute in fact.reached | fact.texts)

    def results(self, method: str) -> tuple[str, ...]:
        """The files that use what a method of this name hands back."""
        return tuple(path for path, fact in self.facts.items() if method in fact.results)

    def heirs(self, name: str) -> tuple[str, ...]:
        """The files with a class that derives from one of this name."""
        return tuple(path for path, fact in self.facts.items() if name in fact.bases)

    def passes_more(self, function: str) -> tuple[str, ...]:
        """The files that call a function of this name with more than one argument."""
        return tuple(path for path, fact in self.facts.items() if function in fact.passed)

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


def _spectral(trees: dict[str, ast.Module]) -> Iterator[SpectralClass]:
    taken: set[str] = set()
    for path, tree in trees.items():
        for node, kind in spectral_classes(tree):
            stream = stream_of(node.name)
            if stream in taken:
                stream = f"{PurePosixPath(path).with_suffix('').as_posix().replace('/', '.')}.{stream}"
            taken.add(stream)
            yield SpectralClass(path, node.name, kind, stream)


def _facts(tree: ast.Module) -> Facts:
    nodes = list(ast.walk(tree))
    own = {"self", "cls", *imported_modules(tree)}
    outer = {
        node for node in nodes
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in own)
    }  # fmt: skip
    idle = {id(node.value.value if isinstance(node.value, ast.Await) else node.value)
            for node in nodes if isinstance(node, ast.Expr)}  # fmt: skip
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    return Facts(
        imports=frozenset(
            ((node.module or "").split(".")[-1], alias.name)
            for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
        ),
        texts=frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)),
        reached=frozenset(node.attr for node in outer),
        results=frozenset(_last(call.func) for call in calls if call.func in outer and id(call) not in idle),
        bases=frozenset(_last(base) for node in nodes if isinstance(node, ast.ClassDef) for base in node.bases),
        passed=frozenset(_last(call.func) for call in calls if len(call.args) > 1 or call.keywords or _starred(call)),
    )  # fmt: skip


def _last(value: ast.expr) -> str:
    """The last part of a dotted name, that of ``Base[int]`` included; "" for anything else."""
    value = value.value if isinstance(value, ast.Subscript) else value
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""


def _starred(call: ast.Call) -> bool:
    return any(isinstance(one, ast.Starred) for one in call.args)


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
