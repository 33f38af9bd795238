"""One file to findings: which kind of file it is, its text, and what the rules say of it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from toriwork.codebase.notebooks import Cell, code_cells, text_cells, torn_cell
from toriwork.codebase.source import decoded, nodes_of, parsed, salvaged, words_of
from toriwork.codebase.time_limit import OutOfTime, check_time, time_limit
from toriwork.codebase.walk import Omission, TreeFile
from toriwork.guard import required, scripts
from toriwork.guard.calls import magic_hits, started_hits
from toriwork.guard.databases import HEAD, judged
from toriwork.guard.drivers import SQL_EXTENSIONS, STORE_WORDS
from toriwork.guard.finding import Finding
from toriwork.guard.magics import Part, read_cell
from toriwork.guard.parsed_module import Hit, ParsedModule, parsed_module
from toriwork.guard.policy import Policy
from toriwork.guard.python import code_hits, hits_in, is_suspect
from toriwork.guard.shell import started_by_line, started_by_script
from toriwork.guard.texts import OWN_FILE, address_in

PYTHON = frozenset({".py", ".pyw", ".pyi", ".pyx", ".wsgi", ".tac", ".pth"})
INTERACTIVE = frozenset({".ipy"})
TEXT_NOTEBOOKS = frozenset({".md", ".qmd", ".rmd", ".myst"})
_VARIABLE = re.compile(r"\{([^{}]+)\}|\$\{?([A-Za-z_]\w*)\}?")
_SHEBANG = re.compile(rb"#!.*\b(?:python|pypy)")
_FIRST = 1 << 16  #: bytes that are read at first: nearly all code is shorter, and opened once
MAX_FOLLOWED = 3
MAX_SECONDS = 10.0  #: for one file
MAX_CODE = 4_000_000  #: characters; the parser takes some five seconds for so many, and nothing can interrupt it


@dataclass
class Document:
    """A file that was looked at."""

    item: TreeFile
    policy: Policy
    is_local: Callable[[str], bool]
    findings: list[Finding] = field(default_factory=list)
    omitted: list[Omission] = field(default_factory=list)
    source: str | None = None  #: of a Python module
    words: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)  #: words in it that name a store for what opens one by default
    seconds: float = MAX_SECONDS  #: that reading it may take
    followed: int = 0  #: how many ``%run`` lead here
    _unit: ParsedModule | None = None

    @property
    def unit(self) -> ParsedModule:
        """The module as a unit, parsed when it is first asked for."""
        if self._unit is None:
            source = self.source or ""
            self._unit = self._unit_of([parsed(source) or salvaged(source)])
        return self._unit

    def _unit_of(self, trees: list[ast.Module]) -> ParsedModule:
        return parsed_module(nodes_of(trees), self.policy, self.is_local, is_stub=self.item.path.endswith(".pyi"))

    def add(self, line: int, column: int, hit: Hit) -> None:
        """Note what a rule found."""
        self.findings.append(Finding(self.item.path, line, column, hit.code, hit.message, hit.what))

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Read within the time of one file: that it is over, or that code is nested too deeply, is noted."""
        try:
            with time_limit(self.seconds):
                yield
        except OutOfTime:
            self._whole("TWG903", f"not looked at to its end within {self.seconds:g} seconds", "time")
        except RecursionError:
            self._whole("TWG903", "not looked at to its end: nested too deeply", "nesting")

    def look(self) -> None:
        """Read the file and note everything that is found in it."""
        with self.limited():
            self._look()
        if self._unit is not None and not self.takes_driver:
            self._unit.names.release()
            self._unit = None

    def _look(self) -> None:
        try:
            head = self.item.head(_FIRST)
            if self._is_database(head[:HEAD]):
                return
            folder, name = os.path.split(self.item.path)  # not pathlib: this is asked for every file
            suffix = os.path.splitext(name)[1].lower()
            if suffix in PYTHON or (head.startswith(b"#!") and _SHEBANG.match(head)):
                self._look_at_python(decoded(self._all(head)))
            elif suffix in INTERACTIVE:
                self._look_at_cells([_as_cell(decoded(self._all(head)))])
            elif suffix == ".ipynb":
                self._look_at_notebook(self._text(head))
            elif suffix in TEXT_NOTEBOOKS and (cells := text_cells(self._text(head))):
                self._look_at_cells(cells)
            elif scripts.wants(self.item.path, head):
                self._look_at_script(self._text(head))
            parent = os.path.basename(folder)
            if required.wants(name, parent):
                text = self.item.head(required.MAX_JSON + 1) if suffix == ".json" else self._all(head)
                self._look_at_requirements(name, parent, text.decode("utf-8", "replace"))
        except OSError as error:
            if not self._is_database(b""):
                self._whole("TWG903", f"cannot be read: {error.strerror or error}", "unreadable")

    @property
    def takes_driver(self) -> bool:
        """Tell if another module may get a driver from this one."""
        return any(finding.code in ("TWG101", "TWG102", "TWG104", "TWG111") for finding in self.findings)

    def _all(self, head: bytes) -> bytes:
        return head if len(head) < _FIRST else self.item.content()

    def _text(self, head: bytes) -> str:
        return self._all(head).decode("utf-8", "replace")

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
        self.stores |= STORE_WORDS & self.words
        if "# /// script" in source:
            for package in filter(None, map(self.policy.driver, required.in_script(source))):
                self._whole("TWG301", f"{package} is required", package)
        if not is_suspect(source, self.words, self.policy) or self._is_too_long(source):
            return
        tree = parsed(source)
        if tree is None:
            self._whole("TWG902", "a syntax error; read line by line", "syntax")
            tree = salvaged(source)
        self._unit = self._unit_of([tree])
        self._judge(self._unit, source)

    def _judge(self, unit: ParsedModule, source: str) -> None:
        for hit in hits_in(unit, source):
            self.add(getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0) + 1, hit)

    def _look_at_requirements(self, name: str, parent: str, text: str) -> None:
        self.stores |= {word for word in STORE_WORDS if word in text}
        for place in required.places_in(name, parent, text, self.policy):
            if place.kind == "package":
                hit = Hit(_NOWHERE, "TWG301", f"{place.what} is required", place.what)
            else:
                hit = Hit(_NOWHERE, "TWG105", f"address of a database ({place.what})", place.what)
            self.add(place.line, 1, hit)

    def _look_at_script(self, text: str) -> None:
        self.stores |= {word for word in STORE_WORDS if word in text}
        empty = parsed_module({}, self.policy, self.is_local)
        for line, hit in _script_hits(self.item.path, text, empty):
            self.add(line, 1, hit)

    def _look_at_notebook(self, text: str) -> None:
        cells = code_cells(text)
        if cells is None:
            self._whole("TWG902", "no JSON; what looks like source was read", "syntax")
            cells = [torn_cell(text)]
        self._look_at_cells(cells)

    def _is_too_long(self, *sources: str) -> bool:
        """Tell if there is more code than can be parsed in the time of one file, and note that."""
        too_long = sum(map(len, sources)) > MAX_CODE
        if too_long:
            self._whole("TWG903", f"not looked at: more than {MAX_CODE:,} characters of code", "size")
        return too_long

    def _look_at_cells(self, cells: list[Cell]) -> None:
        """All cells share their names, and a broken one hides nothing of the others."""
        if self._is_too_long(*(cell.source for cell in cells)):
            return
        trees, sources = [], []
        others: list[tuple[Part, Cell]] = []
        for cell in cells:
            check_time()
            words = words_of(cell.source)
            self.stores |= STORE_WORDS & words
            if is_suspect(cell.source, words, self.policy) or "%" in cell.source or "!" in cell.source:
                parts = list(read_cell(cell.source))
            else:
                parts = [Part("python", cell.source, 1)]
            for part in parts:
                if part.kind == "python":
                    trees.append(self._tree(part, cell))
                    sources.append(part.text)
                else:
                    others.append((part, cell))
        self._unit = self._unit_of(trees)
        self._judge(self._unit, "\n".join(sources))
        for part, cell in others:
            for hit in self._part_hits(part, self._unit):
                self.add(_line(cell, part.line), 1, hit)

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

    def _part_hits(self, part: Part, unit: ParsedModule) -> Iterator[Hit]:
        if part.kind == "shell":
            line = _VARIABLE.sub(lambda found: _value(unit, found), part.text)
            yield from started_hits(unit, _NOWHERE, started_by_line(line, self.policy), code_hits)
        elif part.kind == "words":
            for word in re.split(r"[\s=]+", part.text):
                if found := address_in(unit, word.strip("\"'")) or (
                    "duckdb" if OWN_FILE.match(word.strip("\"'")) else ""
                ):
                    yield Hit(_NOWHERE, "TWG105", f"address of a database ({found})", found)
        elif part.kind == "sql":
            yield from magic_hits(_NOWHERE, "sql", part.text)
        elif part.kind == "load":
            if found := unit.banned(part.text) or (part.text if part.text in SQL_EXTENSIONS else ""):
                yield Hit(_NOWHERE, "TWG102", f"{part.text} loaded by its name", found)
        elif part.kind == "file":
            yield from self._written(part, unit)
        else:
            yield from self._followed(part.text)

    def _written(self, part: Part, unit: ParsedModule) -> Iterator[Hit]:
        if PurePosixPath(part.name).suffix in {*PYTHON, *INTERACTIVE, ""}:
            for hit in code_hits(unit, part.text):
                yield hit._replace(message=f"written to {part.name}: {hit.message}")

    def _followed(self, name: str) -> Iterator[Hit]:
        """Yield findings in a file that ``%run`` or ``%load`` names, under whatever suffix."""
        folder = Path(self.item.path).parent
        for candidate in (name, f"{name}.py", f"{name}.ipynb", f"{name}.ipy"):
            file = folder / candidate
            if name and self.followed < MAX_FOLLOWED and os.path.isfile(file):
                other = Document(TreeFile(file.as_posix()), self.policy, self.is_local, followed=self.followed + 1)
                for finding in other.look_as_code():
                    if finding.level == "error":
                        yield Hit(_NOWHERE, finding.code, f"%run {name}: {finding.message}", finding.what)
                return

    def look_as_code(self) -> list[Finding]:
        """The findings in a file that is run, whatever its suffix."""
        try:
            if self.item.path.endswith(".ipynb"):
                self._look_at_notebook(self.item.content().decode("utf-8", "replace"))
            else:
                self._look_at_cells([_as_cell(decoded(self.item.content()))])
        except OSError:
            return []  # as a file of the scope it is reported as unreadable
        return self.findings


_NOWHERE = ast.Pass()


def _value(unit: ParsedModule, found: re.Match[str]) -> str:
    """Return the text that IPython puts into a line of shell for ``{expression}`` or ``$name``, where it is known."""
    if found[1] == "sys.executable":
        return "python"
    tree = parsed(found[1] or found[2])
    statement = tree.body[0] if tree and tree.body else None
    return unit.names.constants.shape(statement.value) if isinstance(statement, ast.Expr) else found[0]


def _script_hits(path: str, text: str, unit: ParsedModule) -> Iterator[tuple[int, Hit]]:
    """Yield findings in a script, a makefile and the like, by the line."""
    for piece in scripts.pieces_in(path, text):
        if piece.kind == "shell":
            for line, started in started_by_script(piece.text, unit.policy):
                for hit in started_hits(unit, _NOWHERE, iter([started]), code_hits):
                    yield piece.line + line - 1, hit
        elif piece.kind == "python":
            for hit in code_hits(unit, piece.text):
                yield piece.line, hit
        elif piece.kind == "image" and (image := unit.policy.image(piece.text)):
            yield piece.line, Hit(_NOWHERE, "TWG107", f"a container of {image} is started", image)
        elif piece.kind == "address" and (found := address_in(unit, piece.text)):
            yield piece.line, Hit(_NOWHERE, "TWG105", f"address of a database ({found})", found)


def _as_cell(source: str) -> Cell:
    return Cell(1, source, tuple(range(1, source.count("\n") + 2)))


def _line(cell: Cell, line: int) -> int:
    return cell.lines[line - 1] if 0 < line <= len(cell.lines) else 1
