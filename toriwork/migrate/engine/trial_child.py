"""Imports modules of a copy of a code base, one after the other, and tells what came of each. Standard library only.

    python trial_child.py FOLDER        # on stdin: a JSON list of [path, module, folders for sys.path]

What a module does while it is imported may only touch the copy: writing elsewhere, other programs and the network are
refused, as an ``OSError``. That is care for what somebody's code does by habit, no prison for what means harm.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING = frozenset(
    "os.remove os.rename os.mkdir os.rmdir os.chmod os.chown os.truncate os.link os.symlink shutil.rmtree".split()
)
_REFUSED = frozenset(
    """subprocess.Popen os.system os.exec os.posix_spawn os.startfile os.kill os.killpg socket.connect socket.bind
    socket.sendto socket.getaddrinfo""".split()
)


def confine(folder: str) -> None:
    """Refuse from now on what reaches out of a folder."""
    allowed = (os.path.realpath(folder) + os.sep, os.path.realpath(tempfile.gettempdir()) + os.sep, os.devnull)

    def outside(path: Any) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        name = os.fsdecode(path)
        return name != ":memory:" and not os.path.realpath(name).startswith(allowed)

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in _REFUSED:
            raise PermissionError(f"{event}: not while a module is tried")
        if event == "open" and outside(given[0]):
            mode, flags = given[1], given[2]
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITING):
                raise PermissionError(f"{given[0]}: not written while a module is tried")
        elif (event in _CHANGING or event == "sqlite3.connect") and any(outside(path) for path in given[:2]):
            raise PermissionError(f"{event} {given[0]}: not while a module is tried")

    sys.addaudithook(hook)


def tried(path: str, module: str, folders: list[str]) -> str:
    """Return what importing a module raised, in one line; "" when nothing did."""
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    try:
        if module:
            importlib.import_module(module)
        else:
            spec = importlib.util.spec_from_file_location("tried", path)
            if spec is None or spec.loader is None:
                return "cannot be imported"
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except BaseException as error:  # noqa: BLE001 - SystemExit as well: the next module has its turn
        return f"{type(error).__name__}: {error}".splitlines()[0].replace(str(Path.cwd()) + os.sep, "")
    return ""


def main(arguments: list[str]) -> int:
    """One line of JSON a module: its path and what it raised."""
    wanted = json.load(sys.stdin)
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1, 2):
        os.dup2(silence, handle)
    sys.dont_write_bytecode = True
    sys.argv[1:] = []
    confine(arguments[0])
    for path, module, folders in wanted:
        told.write(json.dumps([path, ""]) + "\n")  # who died here is known by its line without an end
        told.flush()
        told.write(json.dumps([path, "", tried(path, module, folders)]) + "\n")
        told.flush()
    os._exit(0)  # threads that a module started are nobody's business


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
