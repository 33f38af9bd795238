"""Where state lives: ``TORI_STATE_ROOT``, else the nearest ``capsule.yml``, else the platform's convention.

Nothing is created here; whoever writes creates its directory.
"""

from __future__ import annotations

import os
from pathlib import Path

ENV_NAME = "TORI_STATE_ROOT"
CAPSULE = "capsule.yml"
REGISTRY_FILE = "torus_registry.parquet"


def state_root() -> Path:
    """The directory that holds the registry and everything beside it, as an absolute path.

    ``TORI_STATE_ROOT`` wins; without it ``state_path`` from the nearest ``capsule.yml`` at or above the
    working directory; without that the user's state directory by the platform's convention.
    """
    given = os.environ.get(ENV_NAME)
    if given:
        return Path(given).expanduser().absolute()
    capsule = nearest_capsule(Path.cwd())
    if capsule is not None:
        named = capsule_state_path(capsule)
        if named is not None:
            return named
    from platformdirs import user_state_path  # loaded only when it is needed: import time

    return user_state_path("toriwork", appauthor=False)


def registry_path() -> Path:
    """The public file of the registry under :func:`state_root`."""
    return state_root() / REGISTRY_FILE


def nearest_capsule(start: Path) -> Path | None:
    """The first ``capsule.yml`` in ``start`` or one of its parents, or None."""
    for folder in (start, *start.parents):
        candidate = folder / CAPSULE
        if os.path.isfile(candidate):  # noqa: PTH113 - Path.is_file raises on a folder that may not be searched
            return candidate
    return None


def capsule_state_path(capsule: Path) -> Path | None:
    """``state_path`` of a capsule file, relative paths taken from the capsule's folder, or None.

    ``~`` and environment variables in it are replaced.

    Raises
    ------
    BadInput
        The file is no YAML mapping, or ``state_path`` is no text, empty, or names a variable that is not set.
    """
    import yaml

    from toriwork.errors import BadInput

    try:
        content = yaml.safe_load(capsule.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{capsule}: not readable as YAML: {error}") from error
    if content is None:
        return None
    if not isinstance(content, dict):
        raise BadInput(f"{capsule}: a mapping is wanted, given was {type(content).__name__}")
    named = content.get("state_path")
    if named is None:
        return None
    if not isinstance(named, str) or not named.strip():
        raise BadInput(f"{capsule}: state_path is {named!r}, the path of a folder is wanted")
    expanded = Path(os.path.expandvars(named)).expanduser()
    if "$" in str(expanded):
        raise BadInput(f"{capsule}: state_path is {named!r}, which names a variable that is not set")
    return expanded if expanded.is_absolute() else (capsule.parent / expanded).absolute()
