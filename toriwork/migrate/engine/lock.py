"""One migration at a time: a lock file that names who holds it, and that a dead holder does not keep."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toriwork.errors import LockUnavailable

if sys.platform != "win32":
    import fcntl

LOCK = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Raises
    ------
    LockUnavailable
        A process that lives holds it; the message names the process.
    """
    mine = json.dumps(_me())
    _take(folder, mine)
    try:
        yield
    finally:
        lock = folder / LOCK
        with contextlib.suppress(FileNotFoundError):
            if lock.read_text() == mine:
                lock.unlink()


def _take(folder: Path, mine: str) -> None:
    lock = folder / LOCK
    with _one_at_a_time(folder):
        holder = _holder(lock)
        if holder is not None and _lives(holder):
            raise LockUnavailable(
                f"{lock}: process {holder.get('pid')} of {holder.get('host')} works on a migration here. Wait for it; "
                "delete the file only if you know that no such process is left"
            )
        lock.unlink(missing_ok=True)
        with lock.open("x") as file:  # O_EXCL
            file.write(mine)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Two that find the same dead holder must not both take its lock away; the kernel frees this one by itself."""
    if sys.platform == "win32":  # pragma: no cover - O_EXCL alone has to do
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: O_EXCL alone has to do
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _me() -> dict[str, Any]:
    pid = os.getpid()
    return {"pid": pid, "host": platform.node(), "boot": _boot(), "started": _started(pid)}


def _boot() -> str:
    """Which start of the machine this is: process ids begin anew with it; empty where unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, so that another one with its number is not taken for it; empty where unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _holder(lock: Path) -> dict[str, Any] | None:
    """Who is written in the lock; an empty one was left by a crash between its two first moments."""
    try:
        found = json.loads(lock.read_text() or "{}")
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lives(holder: dict[str, Any]) -> bool:
    pid = holder.get("pid")
    if not isinstance(pid, int):
        return False
    if holder.get("host") != platform.node():  # a shared disk: what runs over there cannot be seen from here
        return True
    if holder.get("boot") != _boot():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return holder.get("started") in ("", _started(pid))
