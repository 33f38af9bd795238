"""Calls as another user of the machine, in a forked child; only root can make them."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ALICE, BOB = 1001, 1002
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root acts as another user and gives files away"
)


def as_user(uid: int, call: Callable[[], Any], groups: tuple[int, ...] = (), umask: int = 0o022) -> Any:
    """What a call gives when another user makes it; what it raises is returned, not raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
            os.umask(umask)
            try:
                found = call()
            except BaseException as error:  # noqa: BLE001 - the parent judges
                found = error
            with os.fdopen(writing, "wb") as pipe:
                pickler = pickle.Pickler(pipe)
                pickler.dispatch_table = {}  # that of Dask carries tracebacks, by modules this user cannot read
                pickler.dump(found)
        finally:
            os._exit(0)  # no handler at the end of the process: the parent's tables are not ours to close
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(answer)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder that every user can reach, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="shared-"))
    folder.chmod(0o755)
    try:
        if any(not parent.stat().st_mode & 0o001 for parent in folder.parents):
            pytest.skip("temporary folders are closed to other users here")
        yield folder
    finally:
        shutil.rmtree(folder)
