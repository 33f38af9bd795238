"""One walk of a code base, shared by all who read it: files are read and hashed once, code is parsed at most once."""

from __future__ import annotations

import ast
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from toriwork.codebase.notebooks import Cells
from toriwork.codebase.source import decoded, parse, read, words_of, write
from toriwork.codebase.walk import Omission, walk
from toriwork.errors import Unsure

CODE_SUFFIXES = (".py", ".pyw", ".ipynb")
_ESCAPE = re.compile(r"\\[nrtfv]")
_HEAD = 64  #: first bytes that are kept of every file that was asked for some


@dataclass(frozen=True, eq=False)
class CodeText:
    """The Python text of a module, or of all code cells of a notebook, and the way back to the file."""

    data: bytes  #: UTF-8, without a byte order mark
    encoding: str = "utf-8"
    marked: bool = False
    cells: Cells | None = None

    @classmethod
    def of(cls, path: str, source: bytes) -> CodeText:
        """Return the text of a file. Raises Unsure when its bytes cannot be read for sure."""
        if path.endswith(".ipynb"):
            cells = Cells.read(source)
            return cls(cells.code, cells=cells)
        return cls(*read(source))

    @property
    def tree(self) -> ast.Module:
        """The syntax tree. Raises Unsure when this Python cannot read it."""
        if isinstance(self._parsed, Unsure):
            raise self._parsed
        return self._parsed

    @cached_property
    def _parsed(self) -> ast.Module | Unsure:
        try:
            return parse(self.data)
        except Unsure as error:
            return error

    def written(self, data: bytes) -> bytes:
        """Return the file with another text in it. Raises Unsure where that has no form in the file."""
        return self.cells.replaced(data) if self.cells else write(data, self.encoding, self.marked)

    def place(self, line: int) -> tuple[int, int]:
        """Return cell and line of a line of the text; cell 0 in a module."""
        return self.cells.place(line) if self.cells else (0, line)


@dataclass(frozen=True, eq=False)
class CodebaseIndex:
    """The files of a code base as one walk found them; paths are relative to ``root``, with slashes, sorted."""

    root: Path
    files: tuple[str, ...]  #: regular files
    links: tuple[str, ...] = ()  #: links to regular files, wherever those lie
    omitted: tuple[Omission, ...] = ()  #: what is no part of it, and why
    _read: dict[str, bytes] = field(default_factory=dict, repr=False)
    _heads: dict[str, bytes] = field(default_factory=dict, repr=False)
    _digests: dict[str, str] = field(default_factory=dict, repr=False)
    _texts: dict[str, CodeText] = field(default_factory=dict, repr=False)

    @classmethod
    def scan(cls, root: str | Path) -> CodebaseIndex:
        """Walk a folder and return its index."""
        found = walk(root)
        return cls(Path(root), tuple(found.files), tuple(found.links), tuple(found.omitted))

    @cached_property
    def code(self) -> tuple[str, ...]:
        """Python files and notebooks."""
        return tuple(path for path in self.files if path.endswith(CODE_SUFFIXES))

    def read(self, path: str) -> bytes:
        """Return the bytes of a file; those of code are read once. Raises OSError."""
        known = self._read.get(path)
        if known is None:
            with open(os.path.join(self.root, path), "rb") as stream:
                known = stream.read()
            if path.endswith(CODE_SUFFIXES):
                self._read[path] = known
        return known

    def text(self, path: str, source: bytes | None = None) -> CodeText:
        """Return the text of a code file, kept with its tree; that of other bytes is new. Raises Unsure, OSError."""
        if source is not None and source != self._read.get(path):
            return CodeText.of(path, source)
        if path not in self._texts:
            self._texts[path] = CodeText.of(path, self.read(path))
        return self._texts[path]

    def files_with(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return the code files in which each of some words stands, in any case; in order."""
        found = [self._words.get(word.lower(), {}) for word in words] or [dict.fromkeys(self.code)]
        return tuple(path for path in found[0] if all(path in more for more in found[1:]))

    @cached_property
    def _words(self) -> Mapping[str, Mapping[str, None]]:
        """Word -> the code files that it stands in; also behind an escape for a new line or a tab."""
        found: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for path in self.code:
            text = self._lenient(path).lower()
            words = words_of(text)
            for word in (words | words_of(_ESCAPE.sub(" ", text))) if "\\" in text else words:
                found[word][path] = None
        return dict(found)

    def _lenient(self, path: str) -> str:
        """The text of a code file for those who look for words; of a notebook that is none, all of it."""
        if not path.endswith(".ipynb"):
            return decoded(self.read(path))
        try:
            return self.text(path).data.decode()
        except Unsure:
            return decoded(self.read(path))

    def head(self, path: str, n_bytes: int) -> bytes:
        """Return the first bytes of a file. Raises OSError."""
        if path.endswith(CODE_SUFFIXES):
            return self.read(path)[:n_bytes]
        if n_bytes <= _HEAD and path in self._heads:
            return self._heads[path][:n_bytes]
        with open(os.path.join(self.root, path), "rb") as stream:
            found = stream.read(max(n_bytes, _HEAD))
        self._heads[path] = found[:_HEAD]
        return found[:n_bytes]

    def digest(self, path: str) -> str:
        """Return the SHA-256 of a file as hex digits; each file is hashed once. Raises OSError."""
        import hashlib  # loads OpenSSL, which a guard never needs

        if path not in self._digests:
            if path.endswith(CODE_SUFFIXES):
                self._digests[path] = hashlib.sha256(self.read(path)).hexdigest()
            else:
                with open(os.path.join(self.root, path), "rb") as stream:
                    self._digests[path] = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._digests[path]

    def without(self, exclude: Iterable[str | os.PathLike[str]]) -> CodebaseIndex:
        """Return the index without some files and folders, given relative to the root or absolute."""
        top = os.path.realpath(self.root)
        left_out = tuple(os.path.realpath(self.root / path) + os.sep for path in exclude)
        files = (path for path in self.files if not os.path.join(top, path, "").startswith(left_out))
        links = (path for path in self.links if not (os.path.realpath(self.root / path) + os.sep).startswith(left_out))
        return replace(self, files=tuple(files), links=tuple(links))


def spelled(source: bytes) -> bytes:
    """Return bytes in which ASCII words can be looked for whatever their case, and however Python would spell them."""
    if source.isascii():
        return source.lower()
    return unicodedata.normalize("NFKC", decoded(source)).lower().encode("utf-8", "surrogatepass")
