"""Imports modules of a copy of a code base, or calls a class of one, and tells what came of it: standard library only.

    python trial_child.py FOLDER        # on stdin: a JSON list of [path, module, folders for sys.path]
    python trial_child.py FOLDER CLASS  # on stdin: one of these, the class of signatures, files, members

What a module does while it is imported may only touch the copy: writing elsewhere, other programs and the network are
refused, as an ``OSError``. That is care for what somebody's code does by habit, no prison for what means harm.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import random
import sys
import tempfile
import types
import warnings
from collections.abc import Iterator
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


def loaded(path: str, module: str, folders: list[str]) -> Any:
    """The module; whatever importing it raises is raised."""
    sys.path[:0] = [folder for folder in folders if folder not in sys.path]
    if module:
        return importlib.import_module(module)
    spec = importlib.util.spec_from_file_location("tried", path)
    if spec is None or spec.loader is None:
        raise ImportError("cannot be imported")
    found = importlib.util.module_from_spec(spec)
    sys.modules["tried"] = found
    spec.loader.exec_module(found)
    return found


def tried(path: str, module: str, folders: list[str]) -> str:
    """Return what importing a module raised, in one line; "" when nothing did."""
    try:
        loaded(path, module, folders)
    except BaseException as error:  # noqa: BLE001 - SystemExit as well: the next module has its turn
        return f"{type(error).__name__}: {error}".splitlines()[0].replace(str(Path.cwd()) + os.sep, "")
    return ""


# ---- calls --------------------------------------------------------------------------------------------------------

N_CALLS = 400
_BANDS = ("local", "global", "critical", "odd")


def plain(value: Any) -> Any:
    """A value as JSON says it, numbers to the last bit."""
    if isinstance(value, float):
        return float(value).hex()
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "tolist"):
        return [type(value).__name__, str(getattr(value, "dtype", "")), plain(value.tolist())]
    if isinstance(value, list | tuple):
        return [type(value).__name__, *map(plain, value)]
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [type(value).__name__, plain(vars(value)) if hasattr(value, "__dict__") else str(value)]


def a_signature(dice: random.Random, made: Any, known: list[Any]) -> Any:
    """A random signature, or one that the history holds."""
    if known and dice.random() < 0.3:
        return dice.choice(known)
    values: list[float] = [dice.gauss(0.0, 1.0) for _ in range(dice.randrange(6))]
    if dice.random() < 0.03:
        values = [*values, float("inf")]
    return made(
        timestamp=dice.choice(
            [dice.random() * 1e9, dice.randrange(10**9), "2024-01-01", None if dice.random() < 0.1 else 1.5]
        ),
        eigenvalues=values,
        hash_id=dice.choice([f"h{dice.randrange(20)}", dice.randrange(9), None if dice.random() < 0.1 else ""]),
        betti_numbers=dice.choice([None, [], [1.0, 2.0], [1, 0, 3, 4], [float("nan")]]),
        coherence_state=None if dice.random() < 0.02 else dice.choice(_BANDS),
        gaps=[dice.random() for _ in range(dice.randrange(3))],
    )


def calls(kind: Any, made: Any, files: list[str], offered: list[str], asked: list[str]) -> Iterator[list[Any]]:
    """Call a class some hundred times, on its history and on new files; what is called, and what comes back.

    ``offered``: what the older class has of ``recent`` and ``close``; ``asked``: members that take nothing.
    """
    dice = random.Random(20240101)
    opened: list[Any] = []
    for file, bound in [*((file, {}) for file in files), ("trial-1.db", {"max_entries": 3}), ("trial-2.db", {})]:
        opened += [kind(file, **bound), kind(file, **bound)]  # two views of one file
    known = [one for view in opened if "recent" in offered for one in view.recent(5)]

    def done(view: int, name: str, *given: Any) -> list[Any]:
        try:
            member = getattr(opened[view], name)
            answer = plain(member(*given) if callable(member) else member)
        except Exception:  # noqa: BLE001 - that it is refused is the answer
            answer = ["raised"]
        return [f"{name}({', '.join(json.dumps(plain(one)) for one in given)}) of view {view}", answer]

    for _ in range(N_CALLS):
        view, what = dice.randrange(len(opened)), dice.random()
        if what < 0.45:
            yield done(view, "add", a_signature(dice, made, known))
        elif what < 0.7:
            wanted = list(dice.choice(known).eigenvalues) if known and dice.random() < 0.3 else [dice.gauss(0.0, 1.0)]
            yield done(view, "distance", wanted, dice.choice([1, 3, 10, 10_000, 0, -1]))
        elif what < 0.85 and "recent" in offered:
            yield done(view, "recent", dice.choice([1, 3, 10, 0, -1]))
        elif asked:
            yield done(view, dice.choice(asked))
    for view in range(len(opened)) if "close" in offered else ():
        yield done(view, "close")
        yield done(view, "distance", [1.0])


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
    if len(arguments) > 1:
        module, made, *given = wanted
        found = loaded(*module)
        warnings.simplefilter("ignore")
        made = getattr(found, made, types.SimpleNamespace)
        for line in calls(getattr(found, arguments[1]), made, *given):
            told.write(json.dumps(line) + "\n")
        told.flush()
        os._exit(0)
    for path, module, folders in wanted:
        told.write(json.dumps([path, ""]) + "\n")  # who died here is known by its line without an end
        told.flush()
        told.write(json.dumps([path, "", tried(path, module, folders)]) + "\n")
        told.flush()
    os._exit(0)  # threads that a module started are nobody's business


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
