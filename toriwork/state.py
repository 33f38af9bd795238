"""Where state lives: ``TORI_STATE_ROOT``, else the nearest ``capsule.yml``, else the platform's convention.

Nothing is created here; whoever writes creates its directory.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

ENV_NAME = "TORI_STATE_ROOT"
CAPSULE = "capsule.yml"
REGISTRY_FILE = "torus_registry.parquet"


def state_root() -> Path:
    """The directory that holds the registry and everything beside it, as an absolute path.

    ``TORI_STATE_ROOT`` wins; without it ``state_path`` from the nearest ``capsule.yml`` at or above the
    working directory; without that the user's state directory by the platform's convention. A capsule that
    somebody else may have written is not taken.

    Raises
    ------
    BadInput
        The variable or the capsule names no folder.
    """
    given = os.environ.get(ENV_NAME)
    if given:
        try:
            return Path(given).expanduser().absolute()
        except RuntimeError as error:
            from toriwork.errors import BadInput

            raise BadInput(f"{ENV_NAME} is {given!r}, which names a user that does not exist") from error
    capsule = nearest_capsule(_here())
    if capsule is not None:
        named = capsule_state_path(capsule)
        if named is not None:
            return named
    from platformdirs import user_state_path  # loaded only when it is needed: import time

    return user_state_path("toriwork", appauthor=False)


def registry_path() -> Path:
    """The public file of the registry under :func:`state_root`."""
    return state_root() / REGISTRY_FILE


def shown_path(path: str | os.PathLike[str]) -> str:
    """The path as text for a repr; below the state root it says so, and is the same wherever the root lies."""
    path, root = Path(path), state_root()
    return f"<state root>/{path.relative_to(root).as_posix()}" if path.is_relative_to(root) else str(path)


def _here() -> Path:
    """The working directory; the root of the file system where it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.sep)


def nearest_capsule(start: Path) -> Path | None:
    """The first ``capsule.yml`` in ``start`` or one of its parents that nobody else can have written, or None.

    What another user may have put there, in ``/tmp`` say, is passed over with a warning.
    """
    from toriwork.capsule import untrusted

    for folder in (start, *start.parents):
        candidate = folder / CAPSULE
        if os.path.isfile(candidate):  # noqa: PTH113 - Path.is_file raises on a folder that may not be searched
            try:
                why = untrusted(candidate)
            except OSError as error:
                why = f"it cannot be looked at: {error.strerror}"
            if not why:
                return candidate
            _warn(candidate, why)
    return None


@cache
def _warn(capsule: Path, why: str) -> None:
    """Say once that a file was passed over."""
    import logging

    logging.getLogger("toriwork.state").warning(
        "%s: not taken: %s. Make file and folder yours (chown, chmod o-w), or set %s", capsule, why, ENV_NAME
    )


def capsule_state_path(capsule: Path) -> Path | None:
    """``state_path`` of a capsule file, relative paths taken from the capsule's folder, or None.

    ``~`` and environment variables in it are replaced.

    Raises
    ------
    BadInput
        The file is no YAML mapping or longer than 64 KiB, or ``state_path`` is no text, empty, there twice, with a
        control character, or names a user or a variable that does not exist.
    """
    from toriwork.capsule import folder_named, top_text

    named = top_text(capsule, "state_path")
    if named is None:
        return None
    expanded = folder_named(named, capsule, "state_path")
    return expanded if expanded.is_absolute() else (capsule.parent / expanded).absolute()
