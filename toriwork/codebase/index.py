"""One walk of a code base, shared by everybody who reads it: the same files, each read and hashed once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from toriwork.codebase.walk import Omission, walk

CODE_SUFFIXES = (".py", ".pyw", ".ipynb")


@dataclass(frozen=True, eq=False)
class CodebaseIndex:
    """The files of a code base as one walk found them; paths are relative to ``root``, with slashes, sorted."""

    root: Path
    files: tuple[str, ...]  #: regular files
    links: tuple[str, ...] = ()  #: links to regular files, wherever those lie
    omitted: tuple[Omission, ...] = ()  #: what is no part of it, and why
    _read: dict[str, bytes] = field(default_factory=dict, repr=False)
    _digests: dict[str, str] = field(default_factory=dict, repr=False)

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
            known = (self.root / path).read_bytes()
            if path.endswith(CODE_SUFFIXES):
                self._read[path] = known
        return known

    def head(self, path: str, n_bytes: int) -> bytes:
        """Return the first bytes of a file. Raises OSError."""
        if path in self._read:
            return self._read[path][:n_bytes]
        with (self.root / path).open("rb") as stream:
            return stream.read(n_bytes)

    def digest(self, path: str) -> str:
        """Return the SHA-256 of a file as hex digits; each file is hashed once. Raises OSError."""
        if path not in self._digests:
            if path in self._read:
                self._digests[path] = hashlib.sha256(self._read[path]).hexdigest()
            else:
                with (self.root / path).open("rb") as stream:
                    self._digests[path] = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._digests[path]

    def without(self, exclude: Iterable[str | os.PathLike[str]]) -> CodebaseIndex:
        """Return the index without some files and folders, given relative to the root or absolute."""
        top = os.path.realpath(self.root)
        left_out = tuple(os.path.realpath(self.root / path) + os.sep for path in exclude)
        files = (path for path in self.files if not os.path.join(top, path, "").startswith(left_out))
        links = (path for path in self.links if not (os.path.realpath(self.root / path) + os.sep).startswith(left_out))
        return replace(self, files=tuple(files), links=tuple(links))
