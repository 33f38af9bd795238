"""Bytes under the name of their own hash: ``<sha256>.gz``, the same bytes always in the same compressed form.

Compressed, so that nobody who searches the code base for imports or database files finds what only lies in a backup.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from toriwork.errors import DamagedFile
from toriwork.migrate.engine.restore_script import chunks_of, sync_folder

_CHUNK = 2**20


class Blobs:
    """A folder of blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Where the blob of this sha256 lies or would lie."""
        return self.folder / f"{digest}.gz"

    def put_file(self, source: Path) -> str:
        """Keep the bytes of a file; return their sha256."""
        with source.open("rb") as file:
            return self.put(iter(lambda: file.read(_CHUNK), b""))

    def put(self, chunks: Iterable[bytes]) -> str:
        """Keep bytes; return their sha256. A blob has its name only once it was read again and has that hash."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{os.getpid()}.tmp"
        digest = sha256()
        try:
            with temporary.open("wb") as file:
                with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                    for block in chunks:
                        digest.update(block)
                        packed.write(block)
                file.flush()
                os.fsync(file.fileno())
            name = digest.hexdigest()
            for _ in _checked(temporary, name):
                pass
            temporary.replace(self.path(name))
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self.folder)
        return name

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Yield the bytes of a blob; DamagedFile at the end when they are not those of its name."""
        return _checked(self.path(digest), digest)

    def read(self, digest: str) -> bytes:
        """Return all bytes of a blob."""
        return b"".join(self.chunks(digest))

    def holds(self, digest: str) -> bool:
        """Return True when the blob is there and, read again, still has its hash."""
        try:
            for _ in self.chunks(digest):
                pass
        except (OSError, DamagedFile):
            return False
        return True


def _checked(path: Path, digest: str) -> Iterator[bytes]:
    try:
        yield from chunks_of(path, digest)
    except ValueError as error:
        raise DamagedFile(str(error)) from error
