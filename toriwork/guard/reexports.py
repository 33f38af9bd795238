"""Drivers that one module of the scanned code passes on to another: the graph of its imports, as far as it matters."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from toriwork.codebase.syntax import joined, source_of
from toriwork.codebase.time_limit import check_time
from toriwork.guard.documents import Document
from toriwork.guard.parsed_module import Hit

ALL = "*"  #: an export that ``from driver import *`` makes


class Tree:
    """The Python files of a run, found by the name that another file imports them under."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = {os.path.abspath(file): file for file in files}
        folders = {os.path.dirname(file) for file in self._files}
        self.stems = {stem_of(file) for file in self._files}
        self._tops = self.stems | {os.path.basename(folder) for folder in folders}

    def is_local(self, importer: str, dotted: str) -> bool:
        """Tell if a dotted name is one of the scanned files, as a plain import in one of them finds it.

        Inside a package such an import means no neighbour: it starts outside of every package. A file means not
        itself, and a folder without ``__init__.py`` gives way to a driver of its name, except for files in it.
        """
        parts = dotted.split(".")
        if parts[0] not in self._tops:
            return False
        own = os.path.abspath(importer)
        for base in self._bases(importer, outside=True):
            front = f"{base}/{parts[0]}"
            if any(self._module("/".join([base, *parts[:cut]])) for cut in range(2, len(parts) + 1)):
                return True
            if found := self._module(front):
                inside = own.startswith(front + "/")
                return os.path.abspath(found) != own and not (inside and not os.path.getsize(found))
        return False

    def resolve(self, importer: str, dotted: str) -> tuple[str, list[str]] | None:
        """The file that the front of a dotted name leads to, and the names behind it."""
        level = len(dotted) - len(dotted.lstrip("."))
        parts = dotted.strip(".").split(".")
        bases = list(self._bases(importer))
        if level:
            folder = os.path.dirname(os.path.abspath(importer))
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            bases = [folder]
        elif parts[0] not in self._tops:
            return None
        for base in bases:
            for cut in range(len(parts), 0, -1):
                found = self._module("/".join([base, *parts[:cut]]))
                if found:
                    return found, parts[cut:]
            if level and (found := self._files.get(f"{base}/__init__.py", "")):
                return found, parts  # from . import name
        return None

    def _module(self, stem: str) -> str:
        return self._files.get(f"{stem}.py") or self._files.get(f"{stem}/__init__.py") or ""

    def _bases(self, importer: str, *, outside: bool = False) -> Iterator[str]:
        """The folders in which a module may be looked for: its own and all above, or those above every package."""
        folders = [os.path.dirname(os.path.abspath(importer))]
        while (above := os.path.dirname(folders[-1])) != folders[-1]:
            folders.append(above)
        packages = [k for k, folder in enumerate(folders) if outside and os.path.isfile(f"{folder}/__init__.py")]
        for folder in folders[packages[-1] + 1 if packages else 0 :]:
            yield folder
            yield f"{folder}/src"


def stem_of(path: str) -> str:
    """The word that every import of a file has to hold."""
    folder, name = os.path.split(path)  # not pathlib: this is asked for every pair of files
    return os.path.basename(folder) if name == "__init__.py" else os.path.splitext(name)[0]


def note_passed_on(documents: Mapping[str, Document], tree: Tree) -> None:
    """Add a finding to every document that takes a driver from another one, however many stand in between."""
    exports: dict[str, dict[str, str]] = {}
    stem_at = {path: stem_of(path) for path in documents}
    users: dict[str, list[str]] = defaultdict(list)  # of a stem: the files that name it, or bear it
    for path, document in documents.items():
        for stem in (document.words & tree.stems) | {stem_at[path]}:
            users[stem].append(path)
    waiting = [path for path, document in documents.items() if document.takes_driver]
    for path in waiting:
        exports[path] = _exports(documents[path], tree, {})
    news = {path for path in waiting if exports[path]}
    while news:  # in rounds, each file once: a hundred files of one stem have the same users
        asked = dict.fromkeys(path for stem in sorted({stem_at[path] for path in news}) for path in users[stem])
        news = set()
        for path in asked:
            found = _exports(documents[path], tree, exports)
            if found.keys() - exports.get(path, {}).keys():
                exports[path] = found
                news.add(path)
    stems = {stem_of(path) for path, names in exports.items() if names}
    for path, document in documents.items():
        if stems & document.words or _is_package_of(path, stems):
            with document.limited():
                for hit in map(document.unit.told, _taken(document, tree, exports)):
                    document.add(getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0) + 1, hit)


def _is_package_of(path: str, stems: set[str]) -> bool:
    return stem_of(path) in stems and path.endswith("__init__.py")


def _exports(document: Document, tree: Tree, exports: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Names at the top level of a module that stand for a driver or a part of it -> that driver."""
    found: dict[str, str] = {}
    with document.limited():
        unit = document.unit
        for name in _top_level(unit.nodes[ast.Module][0]):
            for dotted in unit.names.qualify(ast.Name(name, ast.Load())):
                if what := unit.banned(dotted) or _passed(document.item.path, dotted, tree, exports):
                    found[name] = what
        for module in unit.names.stars:
            if what := unit.banned(module):
                found[ALL] = what
            elif resolved := tree.resolve(document.item.path, module):
                found |= exports.get(resolved[0], {}) if not resolved[1] else {}
    return found


def _passed(importer: str, dotted: str, tree: Tree, exports: Mapping[str, Mapping[str, str]]) -> str:
    """The driver that a dotted name leads to through another module, or ""."""
    resolved = tree.resolve(importer, dotted)
    if resolved is None or not resolved[1]:
        return ""
    return exports.get(resolved[0], {}).get(resolved[1][0], "")


def _taken(document: Document, tree: Tree, exports: Mapping[str, Mapping[str, str]]) -> Iterator[Hit]:
    unit, path = document.unit, document.item.path
    for node in unit.nodes.get(ast.ImportFrom, ()):
        yield from _taken_by_import(document, node, tree, exports)
    for node in reversed(unit.nodes.get(ast.Attribute, ())):  # parts first: what is known of them serves the whole
        check_time()
        for dotted in unit.names.qualify(node):
            if what := _passed(path, dotted, tree, exports):
                yield Hit(node, "TWG104", f"{dotted} is {what}, passed on", what)


def _taken_by_import(
    document: Document, node: ast.ImportFrom, tree: Tree, exports: Mapping[str, Mapping[str, str]]
) -> Iterator[Hit]:
    module = source_of(node)
    for alias in node.names:
        if alias.name == ALL:
            resolved = tree.resolve(document.item.path, module) if module.strip(".") else None
            names = exports.get(resolved[0], {}) if resolved and not resolved[1] else {}
            what = ", ".join(sorted(set(names.values())))
        else:
            what = _passed(document.item.path, joined(module, alias.name), tree, exports)
        if what:
            yield Hit(node, "TWG104", f"{module} passes on {what} as {alias.name}", what)


def _top_level(module: ast.AST) -> set[str]:
    """Names that statements at the top level bind, those inside ``if``, ``try``, ``with`` and loops included."""
    found: set[str] = set()
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return found - {ALL}
