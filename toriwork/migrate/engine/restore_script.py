"""Puts everything back that this folder is the backup of. Needs Python 3.8 or newer and nothing else.

    python restore.py [ROOT]        # ROOT: the code base; without it the one that this folder lies in

Every file gets its bytes, its mode and its times again, every link its target; files that came since are removed. A
file that somebody has changed since keeps what it is, and the original is put beside it as NAME.toriwork-orig. May be
run again at any time. What is left to do outside of the code base is said at the end.
"""

# toriwork ships this very file as restore.py and calls it for its own rollback: one way back, not two
from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ABSENT = "absent"
MANIFEST = "MANIFEST.json"
KEPT_SUFFIX = ".toriwork-orig"
_TEMPORARY = ".toriwork-tmp"
_CHUNK = 2**20


def state_of(path: Path) -> str:
    """Return what lies at a path: ``absent``, ``file MODE SHA256``, ``link TARGET``, ``folder`` or ``other``."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    if stat.S_ISLNK(found.st_mode):
        return "link " + os.readlink(path)  # noqa: PTH115 - Path.readlink changes the text
    if stat.S_ISREG(found.st_mode):
        return file_state(stat.S_IMODE(found.st_mode), sha256_of(path))
    return "folder" if stat.S_ISDIR(found.st_mode) else "other"


def file_state(mode: int, sha256: str) -> str:
    """The state of a regular file."""
    return f"file {mode:o} {sha256}"


def sha256_of(path: Path) -> str:
    """64 hex digits of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()


def chunks_of(blob: Path, sha256: str) -> Iterator[bytes]:
    """The bytes of a blob; ValueError at the end when they are not those of its name."""
    digest = hashlib.sha256()
    try:
        with gzip.open(str(blob), "rb") as file:
            for block in iter(lambda: file.read(_CHUNK), b""):
                digest.update(block)
                yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{blob}: is damaged: {error}") from error
    if digest.hexdigest() != sha256:
        raise ValueError(f"{blob}: is damaged: it holds other bytes than its name says")


def put(path: Path, chunks: Iterable[bytes], like: dict[str, Any]) -> None:
    """Write a file so that at every moment its name means the old bytes or the new ones, whole and on the disk.

    ``like`` holds mode, and where they matter mtime_ns and owner.
    """
    temporary = temporary_of(path)
    temporary.unlink() if os.path.lexists(temporary) else None
    handle = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            for block in chunks:
                file.write(block)
            file.flush()
            _dress(file.fileno(), temporary, like)
            os.fsync(file.fileno())
        os.replace(str(temporary), str(path))  # noqa: PTH105 - one call to look for
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def temporary_of(path: Path) -> Path:
    """The name that a file has while it is written."""
    return path.with_name("." + path.name + _TEMPORARY)


def _dress(handle: int, path: Path, like: dict[str, Any]) -> None:
    owner = like.get("owner")
    if owner and hasattr(os, "fchown"):
        found = os.fstat(handle)
        if [found.st_uid, found.st_gid] != owner:
            with contextlib.suppress(PermissionError):  # only root gives files away
                os.fchown(handle, *owner)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, like["mode"])
    if like.get("mtime_ns") is not None:
        os.utime(str(path), ns=(like["mtime_ns"], like["mtime_ns"]))


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder have reached the disk."""
    if os.name == "nt":
        return
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def restore_entry(root: Path, backup: Path, entry: dict[str, Any]) -> str:
    """``same``, ``restored``, ``removed`` or ``kept``: what one line of the manifest came to."""
    path = root / entry["path"]
    if os.path.lexists(temporary_of(path)):  # of a run that was killed
        temporary_of(path).unlink()
    now, wanted = state_of(path), entry["before"]
    edited = now not in (entry["after"], ABSENT)
    if wanted == ABSENT:
        return "kept" if edited else _remove(root, path, entry)
    if now == wanted:
        return "same"
    target = _beside(path, wanted) if edited else path
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        _bring_back(root, target, backup, entry)
    return "kept" if edited else "restored"


def _bring_back(root: Path, target: Path, backup: Path, entry: dict[str, Any]) -> None:
    """A link as a link, another name of a file that is back as its name, everything else from its blob."""
    kind, _, says = entry["before"].partition(" ")
    other = root / entry["same_as"] if entry.get("same_as") else None
    if kind == "link":
        os.symlink(says, str(target))  # noqa: PTH211 - Path changes the text
    elif other is not None and state_of(other) == entry["before"]:
        os.link(str(other), str(target))
    else:
        put(target, chunks_of(backup / "blobs" / (entry["sha256"] + ".gz"), entry["sha256"]), entry)
        return
    sync_folder(target.parent)


def _beside(path: Path, wanted: str) -> Path | None:
    """Where the original goes when its name is taken by a newer file; None: it lies there already."""
    place, n = path.with_name(path.name + KEPT_SUFFIX), 1
    while os.path.lexists(place):
        if state_of(place) == wanted:
            return None
        n += 1
        place = path.with_name(f"{path.name}{KEPT_SUFFIX}.{n}")
    return place


def _remove(root: Path, path: Path, entry: dict[str, Any]) -> str:
    """Take away a file that the migration made, what Python compiled from it, and the folders made for it."""
    there = os.path.lexists(path)
    if there:
        path.unlink()
    cache = path.parent / "__pycache__"
    if path.suffix == ".py" and cache.is_dir():
        for compiled in cache.glob(path.stem + ".*.pyc"):
            compiled.unlink()
    for folder in [cache, *(root / name for name in entry.get("folders") or [])]:
        with contextlib.suppress(OSError):  # somebody put something there, or it is gone
            folder.rmdir()
    parent = path.parent
    while not parent.is_dir():
        parent = parent.parent
    sync_folder(parent)
    return "removed" if there else "same"


def main(arguments: list[str]) -> int:
    """0: everything is as it was; 3: something that was changed since was kept; 1: a blob is damaged."""
    backup = Path(__file__).resolve().parent
    manifest = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
    root = (Path(arguments[0]) if arguments else backup / manifest["root"]).resolve()
    worst = 0
    for entry in sorted(manifest["entries"], key=lambda entry: bool(entry.get("same_as"))):
        try:
            outcome = restore_entry(root, backup, entry)
        except ValueError as error:
            sys.stderr.write(f"{error}\n")
            worst = 1
            continue
        if outcome != "same":
            sys.stdout.write("{:9} {}\n".format(outcome, entry["path"]))
        if outcome == "kept" and not worst:
            worst = 3
    sys.stdout.writelines(f"{line}\n" for line in manifest.get("left", []))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
