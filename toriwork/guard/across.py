"""What the dynamic imports of one module take from another: constants, and functions that import what they are given.

Only modules with a call that nobody knows are looked at again, with what the others say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from toriwork.codebase.names import Names
from toriwork.guard.calls import IMPORTERS
from toriwork.guard.documents import Document
from toriwork.guard.parsed_module import Hit
from toriwork.guard.reexports import Tree, stem_of


class Elsewhere:
    """Values of names in the modules of a run."""

    def __init__(self, documents: Mapping[str, Document], tree: Tree) -> None:
        self._documents, self._tree = documents, tree
        self._names: dict[str, Names] = {}

    def values(self, importer: str, dotted: str) -> tuple[Any, ...]:
        """What a dotted name is worth, as a module names it; empty when it leads to no module of the run."""
        resolved = self._tree.resolve(importer, dotted) if dotted.strip(".") else None
        if resolved is None or len(resolved[1]) not in (1, 2) or resolved[0] == importer:
            return ()
        path, behind = resolved
        if path not in self._documents:
            return ()
        if path not in self._names:
            self._names[path] = Names(self._documents[path].unit.nodes, partial(self.values, path))
        name = behind[0] if len(behind) == 1 else f".{behind[1]}"  # a constant, or an attribute of a class
        return self._names[path].worth(name)


def note_across(documents: Iterable[Document], tree: Tree) -> None:
    """Look again at every document with an unknown call, and add what is handed to functions that import."""
    modules = {d.item.path: d for d in documents if d.source is not None and not d.item.staged}
    unknown = [d for d in documents if d.is_open]
    loaders = {d.item.path: found for d in unknown if d.item.path in modules and (found := set(_loaders(d)))}
    elsewhere = Elsewhere(modules, tree)
    for document in unknown:
        path = document.item.path
        if any(tree.resolve(path, dotted) for dotted in document.unit.names.imported() if dotted.strip(".")):
            document.look_again(partial(elsewhere.values, path))
    stems = {stem_of(path) for path in loaders}
    for document in documents:
        if stems & document.words:
            for hit in _handed(document, tree, loaders):
                document.add(getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0) + 1, hit)


def _loaders(document: Document) -> Iterator[str]:
    """Functions of a module that import what one of their parameters names."""
    unit = document.unit
    unknown = [call for call in unit.unknown if unit.names.qualify(call.func) & IMPORTERS.keys()]
    for kind in (ast.FunctionDef, ast.AsyncFunctionDef):
        for function in unit.nodes.get(kind, ()) if unknown else ():
            arguments = function.args
            own = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
            for call in unknown:
                if function.lineno <= call.lineno <= (function.end_lineno or 0) and own & _names_in(call):
                    yield function.name


def _names_in(call: ast.Call) -> set[str]:
    return {part.id for argument in call.args for part in ast.walk(argument) if isinstance(part, ast.Name)}


def _handed(document: Document, tree: Tree, loaders: Mapping[str, set[str]]) -> Iterator[Hit]:
    unit = document.unit
    for call in unit.nodes.get(ast.Call, ()):
        for dotted in unit.names.qualify(call.func):
            resolved = tree.resolve(document.item.path, dotted)
            if resolved is None or not resolved[1] or resolved[1][-1] not in loaders.get(resolved[0], ()):
                continue
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            for text in (text for argument in given for text in unit.names.folder.texts(argument)):
                if found := unit.banned(text.split(":")[0]):
                    yield Hit(call, "TWG102", f"{text} imported by its name ({unit.policy.modules[found]})", found)
