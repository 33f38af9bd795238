"""One file to findings: which kind of file it is, its text, and what the rules say of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from toriwork.guard import required
from toriwork.guard.calls import started_hits
from toriwork.guard.databases import HEAD, judged
from toriwork.guard.finding import Finding
from toriwork.guard.magics import Part, read_cell
from toriwork.guard.notebooks import Cell, code_cells, torn_cell
from toriwork.guard.policy import Policy, normalized
from toriwork.guard.python import code_hits, decoded, hits_in, is_suspect, nodes_of, parsed, salvaged, words_of
from toriwork.guard.scope import Item, Omission
from toriwork.guard.shell import started_by_line
from toriwork.guard.texts import address_in
from toriwork.guard.unit import Hit, Unit, unit_of

PYTHON = frozenset({".py", ".pyw", ".pyi", ".pyx", ".wsgi", ".tac", ".pth"})
INTERACTIVE = frozenset({".ipy"})
_SHEBANG = re.compile(rb"#!.*\b(?:python|pypy)")
MAX_FOLLOWED = 3


@dataclass
class Document:
    """A file that was looked at."""

    item: Item
    policy: Policy
    is_local: Callable[[str], bool]
    findings: list[Finding] = field(default_factory=list)
    omitted: list[Omission] = field(default_factory=list)
    source: str | None = None  #: of a Python module
    words: set[str] = field(default_factory=set)
    followed: int = 0  #: how many ``%run`` lead here
    _unit: Unit | None = None

    @property
    def unit(self) -> Unit:
        """The module as a unit, parsed when it is first asked for."""
        if self._unit is None:
            source = self.source or ""
            self._unit = unit_of(nodes_of([parsed(source) or salvaged(source)]), self.policy, self.is_local)
        return self._unit

    def add(self, line: int, column: int, hit: Hit) -> None:
        """Note what a rule found."""
        self.findings.append(Finding(self.item.path, line, column, hit.code, hit.message, hit.what))

    def look(self) -> None:
        """Read the file and note everything that is found in it."""
        try:
            head = self.item.head(HEAD)
            if self._is_database(head):
                return
            path = PurePosixPath(self.item.path)
            suffix = path.suffix.lower()
            if suffix in PYTHON or (head.startswith(b"#!") and _SHEBANG.match(head)):
                self._look_at_python(decoded(self._all(head)))
            elif suffix in INTERACTIVE:
                self._look_at_cells([_as_cell(decoded(self._all(head)))])
            elif suffix == ".ipynb":
                self._look_at_notebook(self._all(head).decode("utf-8", "replace"))
            if required.wants(path.name, path.parent.name):
                self._look_at_requirements(path, self._all(head).decode("utf-8", "replace"))
        except OSError as error:
            if not self._is_database(b""):
                self._whole("TWG903", f"cannot be read: {error.strerror or error}", "unreadable")

    def _all(self, head: bytes) -> bytes:
        return head if len(head) < HEAD else self.item.content()

    def _whole(self, code: str, message: str, what: str) -> None:
        self.findings.append(Finding(self.item.path, 1, 1, code, message, what))

    def _is_database(self, head: bytes) -> bool:
        found = judged(self.item.path, head)
        if found is None:
            return False
        if found.code:
            self._whole(found.code, found.message, "database")
        else:
            self.omitted.append(Omission(self.item.path, found.message))
        return True

    def _look_at_python(self, source: str) -> None:
        self.source, self.words = source, words_of(source)
        if not is_suspect(source, self.words, self.policy):
            return
        tree = parsed(source)
        if tree is None:
            self._whole("TWG902", "a syntax error; read line by line", "syntax")
            tree = salvaged(source)
        self._unit = unit_of(nodes_of([tree]), self.policy, self.is_local)
        for hit in hits_in(self._unit, source):
            self.add(getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0) + 1, hit)

    def _look_at_requirements(self, path: PurePosixPath, text: str) -> None:
        for place in required.places_in(path.name, path.parent.name, text, self.policy):
            if place.kind == "package":
                hit = Hit(_NOWHERE, "TWG301", f"{place.what} is required", normalized(place.what))
            else:
                hit = Hit(_NOWHERE, "TWG105", f"address of a database ({place.what})", place.what)
            self.add(place.line, 1, hit)

    def _look_at_notebook(self, text: str) -> None:
        cells = code_cells(text)
        if cells is None:
            self._whole("TWG902", "no JSON; what looks like source was read", "syntax")
            cells = [torn_cell(text)]
        self._look_at_cells(cells)

    def _look_at_cells(self, cells: list[Cell]) -> None:
        """All cells share their names, and a broken one hides nothing of the others."""
        trees, sources = [], []
        for cell in cells:
            if is_suspect(cell.source, words_of(cell.source), self.policy) or "%" in cell.source or "!" in cell.source:
                parts = list(read_cell(cell.source))
            else:
                parts = [Part("python", cell.source, 1)]
            for part in parts:
                if part.kind == "python":
                    trees.append(self._tree(part, cell))
                    sources.append(part.text)
                else:
                    self._look_at_part(part, cell)
        unit = unit_of(nodes_of(trees), self.policy, self.is_local)
        for hit in hits_in(unit, "\n".join(sources)):
            self.add(getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0) + 1, hit)

    def _tree(self, part: Part, cell: Cell) -> ast.Module:
        tree = parsed(part.text)
        if tree is None:
            hit = Hit(_NOWHERE, "TWG902", f"a syntax error in cell {cell.number}; read line by line", "syntax")
            self.add(_line(cell, part.line), 1, hit)
            tree = salvaged(part.text)
        for node in ast.walk(tree):
            if hasattr(node, "lineno"):
                node.lineno = _line(cell, part.line + node.lineno - 1)
        return tree

    def _look_at_part(self, part: Part, cell: Cell) -> None:
        line = _line(cell, part.line)
        for hit in self._part_hits(part):
            self.add(line, 1, hit)

    def _part_hits(self, part: Part) -> Iterator[Hit]:
        empty = unit_of([], self.policy, self.is_local)
        if part.kind == "shell":
            yield from started_hits(empty, _NOWHERE, started_by_line(part.text, self.policy), code_hits)
        elif part.kind == "words":
            for word in re.split(r"[\s=]+", part.text):
                if found := address_in(empty, word.strip("\"'")):
                    yield Hit(_NOWHERE, "TWG105", f"address of a database ({found})", found)
        elif part.kind == "load":
            if found := empty.banned(part.text):
                yield Hit(_NOWHERE, "TWG102", f"{part.text} loaded by its name", found)
        elif part.kind == "file":
            yield from self._written(part, empty)
        else:
            yield from self._followed(part.text)

    def _written(self, part: Part, empty: Unit) -> Iterator[Hit]:
        path = PurePosixPath(part.name)
        if path.suffix in PYTHON or path.suffix in INTERACTIVE or not path.suffix:
            for hit in code_hits(empty, part.text):
                yield hit._replace(message=f"written to {part.name}: {hit.message}")
        if required.wants(path.name, path.parent.name):
            for place in required.places_in(path.name, path.parent.name, part.text, self.policy):
                code = "TWG301" if place.kind == "package" else "TWG105"
                yield Hit(_NOWHERE, code, f"written to {part.name}: {place.what}", normalized(place.what))

    def _followed(self, name: str) -> Iterator[Hit]:
        """What a file does that ``%run`` or ``%load`` names, under whatever suffix."""
        folder = self.item.file.parent
        for candidate in (name, f"{name}.py", f"{name}.ipynb", f"{name}.ipy"):
            file = folder / candidate
            if name and self.followed < MAX_FOLLOWED and file.is_file():
                other = Document(Item(candidate, file), self.policy, self.is_local, followed=self.followed + 1)
                for finding in other.look_as_code():
                    if finding.level == "error":
                        yield Hit(_NOWHERE, finding.code, f"%run {name}: {finding.message}", finding.what)
                return

    def look_as_code(self) -> list[Finding]:
        """The findings in a file that is run, whatever its suffix."""
        try:
            if self.item.file.suffix == ".ipynb":
                self._look_at_notebook(self.item.content().decode("utf-8", "replace"))
            else:
                self._look_at_cells([_as_cell(decoded(self.item.content()))])
        except OSError:
            return []  # as a file of the scope it is reported as unreadable
        return self.findings


_NOWHERE = ast.Pass()


def _as_cell(source: str) -> Cell:
    return Cell(1, source, tuple(range(1, source.count("\n") + 2)))


def _line(cell: Cell, line: int) -> int:
    return cell.lines[line - 1] if 0 < line <= len(cell.lines) else 1
